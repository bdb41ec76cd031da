"""The protocol revisions, and the two eras they fall into (MCP 2026-07-28, basic/versioning).

Revisions are enumerated, not compared as text: a word that is not a date is not a revision. One
that is a later date than all we know is of the modern era, because that is how later ones will
begin. Must not know messages.
"""

from __future__ import annotations

from mcp_remote_py.patterns import lazy_pattern

NEWEST_HANDSHAKE = "2025-11-25"
HANDSHAKE_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", NEWEST_HANDSHAKE})
"""The revisions that begin with `initialize` (legacy). They are dates: the smaller is the older."""

MODERN = "2026-07-28"
"""The first revision without a handshake, and the newest that we translate from and to."""

_DATE = lazy_pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_modern(version: str) -> bool:
    """Whether a revision does without the handshake; also one that is newer than this program."""
    return version > NEWEST_HANDSHAKE and _DATE.fullmatch(version) is not None


def describe_revision(revision: str, *, is_new: bool) -> str:
    """A revision of MCP for people: "" is one that was not named; `is_new` as `is_modern`."""
    named = f" ({revision})" if revision else ""
    return f"{'a new' if is_new else 'an older'} revision of MCP{named}"


def choose_handshake(wanted: str) -> str:
    """The revision to answer an `initialize` with that asks for `wanted`."""
    return wanted if wanted in HANDSHAKE_VERSIONS else NEWEST_HANDSHAKE
