"""Plays a conversation against a written web: which URL answers what. Must not judge anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.steps import (
    Conversation,
    Fetch,
    HttpRequest,
    HttpResponse,
    Judge,
    Report,
    Wait,
)

T = TypeVar("T")

Answer = HttpResponse | McpRemoteError


def document(members: object, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(members).encode())


def page(text: str, status: int = 200) -> HttpResponse:
    """An HTML answer."""
    return HttpResponse(status, {"content-type": "text/html; charset=utf-8"}, text.encode())


NOT_FOUND = page("<html><title>Not Found</title></html>", 404)


class Web:
    """Answers by URL, everything else is not found; remembers what was asked and reported."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        answer: Callable[[HttpRequest], Answer] | None = None,
    ) -> None:
        self._answers = dict(answers or {})
        self._answer = answer or self._look_up
        self.fetches: list[Fetch] = []
        self.reports: list[str] = []
        self.waits: list[float] = []

    def play(self, conversation: Conversation[T]) -> T:
        """What the conversation returns; raises what it raises."""
        reply: object = None
        error: McpRemoteError | None = None
        while True:
            try:
                step = conversation.send(reply) if error is None else conversation.throw(error)
            except StopIteration as end:
                return cast("T", end.value)
            reply, error = None, None
            if isinstance(step, Judge):
                continue
            if isinstance(step, Wait):
                self.waits.append(step.seconds)
                continue
            if isinstance(step, Report):
                self.reports.append(step.text)
                continue
            if isinstance(step, Wait):
                self.waits.append(step.seconds)
                continue
            assert isinstance(step, Fetch), step
            self.fetches.append(step)
            answer = self._answer(step.request)
            if isinstance(answer, McpRemoteError):
                error = answer
            else:
                reply = answer

    def _look_up(self, request: HttpRequest) -> Answer:
        return self._answers.get(request.url, NOT_FOUND)

    @property
    def asked(self) -> list[str]:
        """The URLs, in order."""
        return [fetch.request.url for fetch in self.fetches]

    @property
    def sent(self) -> list[dict[str, object]]:
        """The JSON bodies, in order."""
        bodies = [fetch.request.body for fetch in self.fetches]
        return [json.loads(body.reveal()) for body in bodies if body is not None]
