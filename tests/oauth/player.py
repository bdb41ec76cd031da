"""Plays a conversation: hands each step to an answering function, without a loop or a socket.

Makes the JWTs that tests hand over.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.steps import AnyStep, Conversation

T = TypeVar("T")

MAX_STEPS = 100
"""More steps than any conversation may take: past them it would go on for ever."""


def play(conversation: Conversation[T], answer: Callable[[AnyStep], object]) -> T:
    """The outcome; an error that `answer` returns is thrown into the conversation."""
    try:
        step = next(conversation)
        for _ in range(MAX_STEPS):
            given = answer(step)
            if isinstance(given, McpRemoteError):
                step = conversation.throw(given)
            else:
                step = conversation.send(given)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"the conversation does not end: {step}")


def make_jwt(**claims: object) -> str:
    """A JWT with these claims, which nobody has signed."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "c2ln"])


class Script:
    """Answers the steps one by one from a list, and keeps them."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.steps: list[AnyStep] = []

    def __call__(self, step: AnyStep) -> object:
        self.steps.append(step)
        assert self._answers, f"an unexpected step: {step}"
        return self._answers.pop(0)

    @property
    def is_done(self) -> bool:
        """Whether every answer was asked for."""
        return not self._answers
