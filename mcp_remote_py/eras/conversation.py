"""What a translator asks for on the way to one answer: plain values. Must not know who does it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar, cast

import msgspec

from mcp_remote_py.jsonrpc import Message

T = TypeVar("T")

Filter = dict[str, object]
"""The subscriptions that `subscriptions/listen` asks for, or that the server agreed to."""


class EraStep(msgspec.Struct, Generic[T], frozen=True):
    """Something a conversation wants done; answered by a T."""


class Exchange(EraStep[Message], frozen=True):
    """Send this request to the server; answered by the server's answer."""

    request: Message


class AskHost(EraStep[tuple[Message, ...]], frozen=True):
    """Send these requests to the host; answered by its answers, in the same order."""

    requests: tuple[Message, ...]


class Pause(EraStep[None], frozen=True):
    """Wait; `attempt` counts the waits of this request from 1. Answered by None."""

    attempt: int


class Listen(EraStep[Filter | Message], frozen=True):
    """See that the server notifies of what is wanted by now.

    Answered by the filter it acknowledged, or by its error answer.
    """


AnyEraStep = EraStep[Any]
Reply = Message | tuple[Message, ...] | Filter | None

EraConversation = Generator[AnyEraStep, Reply, T]
"""Yields steps, is sent their answers, returns T: the answer to the host's request, in the end."""


def await_reply(step: EraStep[T]) -> EraConversation[T]:
    """Yields the step, and returns its answer with the type that this step is answered by."""
    return cast("T", (yield step))
