"""Translates what each side may hear of the other's abilities, across eras.

Only what can work in translation is announced. Core features can. Extensions can that are nothing
but requests, results and `_meta`; those with kinds of results or messages of their own cannot
(2026-07-28, basic/versioning, "Extension Negotiation"). What we do not know is not announced.
Must not know messages.
"""

from __future__ import annotations

import msgspec

from mcp_remote_py.json_text import encode, read_members
from mcp_remote_py.jsonrpc import NULL

CROSSING_EXTENSIONS = frozenset(
    {
        # Tools that name a page among the resources; both in `_meta` (SEP-1865).
        "io.modelcontextprotocol/ui",
        # A list, and resources that are read (SEP-2640).
        "io.modelcontextprotocol/skills",
    }
)

_ERA_BOUND = ("tasks",)
"""In 2025-11-25 a capability, in 2026-07-28 an extension whose messages are others (SEP-2663)."""

INPUT_CAPABILITY = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""The capability of a client that a request of the server needs ("Server Requirements")."""


def cross_capabilities(capabilities: bytes) -> bytes:
    """The capabilities of a client or a server as the other era may hear them, JSON text both."""
    members = read_members(capabilities)
    if members is None:
        return b"{}"
    # Some libraries write null for a capability that is not there; the SDKs refuse it.
    members = {name: one for name, one in members.items() if name not in _ERA_BOUND and one != NULL}
    extensions = read_members(members.pop("extensions", b"")) or {}
    crossing = {name: one for name, one in extensions.items() if name in CROSSING_EXTENSIONS}
    if crossing:
        members["extensions"] = msgspec.Raw(encode(crossing))
    return encode(members)
