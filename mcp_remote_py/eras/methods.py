"""What host and server ask and tell each other in both eras, as tables. Must not know messages."""

from __future__ import annotations

from mcp_remote_py.values import Value


class Change(Value, frozen=True):
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
