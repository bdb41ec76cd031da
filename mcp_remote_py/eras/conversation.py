"""What a translator asks for on the way to one answer: plain values. Must not know who does it."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from mcp_remote_py.jsonrpc import Message

Filter = dict[str, object]
"""What `subscriptions/listen` asks for, or what the server agreed to."""


class Exchange(NamedTuple):
    """Send this request to the server; the reply is the server's answer, a `Message`."""

    request: Message


class AskHost(NamedTuple):
    """Send these requests to the host; the reply is its answers in the same order."""

    requests: tuple[Message, ...]


class Pause(NamedTuple):
    """Wait; `attempt` counts the waits of this request from 1. The reply is None."""

    attempt: int


class Listen(NamedTuple):
    """See that the server notifies of what is wanted by now.

    The reply is the filter it acknowledged, or its error answer, a `Message`.
    """


Step = Exchange | AskHost | Pause | Listen
Reply = Message | tuple[Message, ...] | Filter | None
Conversation = Generator[Step, Reply, bytes]
"""Ends with the answer to the host's request, as a line."""
