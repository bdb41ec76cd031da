"""What a translator asks for on the way to one answer: plain values. Must not know who does it.

And what host and server ask and tell each other in both eras, as tables.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from mcp_remote_py.jsonrpc import Message

Filter = dict[str, object]
"""What `subscriptions/listen` asks for, or what the server agreed to."""


class Change(NamedTuple):
    """A kind of list a server may say has changed.

    `capability` has `listChanged` where it does, `member` of the filter asks for it.
    """

    capability: str
    member: str
    notification: str


CHANGES = (
    Change("tools", "toolsListChanged", "notifications/tools/list_changed"),
    Change("prompts", "promptsListChanged", "notifications/prompts/list_changed"),
    Change("resources", "resourcesListChanged", "notifications/resources/list_changed"),
)

ASKS_BACK = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Requests in whose course a server may ask the host (basic/patterns/mrtr)."""


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
Conversation = Generator[Step, Reply, Message]
"""Ends with the answer to the host's request."""
