"""The matrix: which clients, servers and features there are, and which cells have nothing to show.

A cell is empty where the client's revision lacks that feature, or the server cannot do it for
anybody; what must happen then is that the request ends. `docs/eras.md` is written from here, and
`test_matrix` holds every cell to it.
"""

from __future__ import annotations

from typing import NamedTuple

CLIENTS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")

MODERN = CLIENTS[-1]


class ServerKind(NamedTuple):
    """A kind of server: its name in the table, and the options of `sdk_server`."""

    name: str
    options: tuple[str, ...]


SERVERS = (
    ServerKind("HTTP+SSE", ("sse",)),
    ServerKind("Streamable HTTP, sessions", ("streamable", "--era", "legacy")),
    ServerKind("Streamable HTTP, stateless", ("streamable", "--era", "legacy", "--stateless")),
    ServerKind("2026-07-28 only", ("streamable", "--era", "modern")),
    ServerKind("both eras", ("streamable",)),
)

FEATURES = (
    "tools",
    "structured output",
    "progress",
    "logging",
    "cancellation",
    "elicitation, form",
    "elicitation, URL",
    "sampling",
    "roots",
    "resources",
    "subscriptions",
    "prompts",
    "completion",
    "pagination",
    "list changes",
    "errors",
)

SINCE = {"elicitation, form": "2025-06-18", "elicitation, URL": "2025-11-25"}
"""The first revision that has a feature, where that is not the first of all."""

ASKING = frozenset({"elicitation, form", "elicitation, URL", "sampling", "roots"})
UNASKED = frozenset({"subscriptions", "list changes"})

STATELESS = "Streamable HTTP, stateless"

NOT_IN_REVISION = "not in the client's revision"
NOT_STATELESS = "a stateless server of that era cannot"
REASONS = (NOT_IN_REVISION, NOT_STATELESS)


def why_empty(client: str, server: str, feature: str) -> str:
    """Why this cell has nothing to show, "" where it works."""
    if client < SINCE.get(feature, ""):
        return NOT_IN_REVISION
    if server == STATELESS and feature in ASKING | UNASKED:
        return NOT_STATELESS
    return ""
