"""Finds out whether a refusal says that the server does not know the session any more.

The specification has one way to say so (404, 2025-11-25, "Session Management"); servers in use have
more, each a row of `LOST_SESSIONS`. A row is for a session that worked, where the refusal comes
before execution; what it leads to is that the session is looked at, or begun anew, once. Pure. Must
not know which request was refused, nor what is done about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.readings import Source

LOOKED_AT_BYTES = 8 * 1024
"""Bytes of a refusal in which the words are looked for: 15 ms where all of it nearly says so."""

_ANY = lazy_pattern(rb"")
_NAMES_SESSION = lazy_pattern(rb"session", re.IGNORECASE)
_NO_SESSION = lazy_pattern(
    rb"\b(?:no|not|invalid|unknown|expired|missing|bad|stale)\b[\w ]{0,20}\b(?:mcp[- ]?)?session"
    rb"|\bsession(?:[- ]?id)?\b[^.{}]{0,60}\b(?:not found|not exist|unknown|expired|invalid"
    rb"|not valid|required|missing|terminated|closed|gone|not recogni[sz]ed)\b",
    re.IGNORECASE,
)
_NO_HANDSHAKE = lazy_pattern(
    rb"\bnot (?:yet )?(?:been )?initiali[sz]ed\b|\bbefore initiali[sz]|\binitiali[sz]e first\b"
    rb"|\bexpect(?:ed|s)? (?:an )?initiali[sz]|\bmust be initiali[sz]ed\b",
    re.IGNORECASE,
)


class LostSession(NamedTuple):
    """A status and words in the body that say it. `anonymous`: also where no id was sent.

    A server that gives no id may keep the handshake all the same, for its only client.
    """

    status: int
    words: re.Pattern[bytes]
    source: Source
    anonymous: bool = False


LOST_SESSIONS = (
    LostSession(200, _NO_SESSION, Source("servers that say all in JSON-RPC, without the id", "T9")),
    LostSession(200, _NO_HANDSHAKE, Source("the same, started anew", "T9"), True),
    LostSession(404, _ANY, Source("MCP 2025-03-26 to 2025-11-25", 'transports, "Session..."')),
    LostSession(410, _ANY, Source("servers that remember what they ended", "T9")),
    LostSession(400, _NAMES_SESSION, Source("the TypeScript SDK's examples, and its kin", "T9")),
    LostSession(400, _NO_HANDSHAKE, Source("the TypeScript SDK, started anew", "T9"), True),
    LostSession(401, _NO_SESSION, Source("the Rust SDK, which keeps no other status", "T9")),
    LostSession(401, _NO_HANDSHAKE, Source("servers on the Rust SDK", "T9"), True),
    LostSession(422, _NO_SESSION, Source("servers on the Rust SDK", "T9")),
    LostSession(422, _NO_HANDSHAKE, Source("the Rust SDK: it expects a handshake", "T9"), True),
)
"""The first that fits decides. 401 is a credential's refusal first: see `says_lost`."""


def says_lost(
    status: int, headers: Mapping[bytes, bytes], body: bytes, *, has_id: bool, shook_hands: bool
) -> bool:
    """Whether a refusal says so of a session that worked.

    `has_id` tells that the request named one, `shook_hands` that there was a handshake. Names of
    `headers` are in lower case. Who challenges a token (RFC 6750 §3) speaks of the token.
    """
    if not (has_id or shook_hands):
        return False
    if status == 401 and b"error=" in headers.get(b"www-authenticate", b""):
        return False
    return any(
        row.status == status
        and (has_id or row.anonymous)
        and row.words.search(body[:LOOKED_AT_BYTES]) is not None
        for row in LOST_SESSIONS
    )
