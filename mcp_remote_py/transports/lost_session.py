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

_LOOKED_AT = 4096
"""Bytes of a refusal that are looked through: at worst it is a dozen milliseconds."""

_ANY = lazy_pattern(rb"")
_NAMES_SESSION = lazy_pattern(rb"session", re.IGNORECASE)
_NO_SESSION = lazy_pattern(
    rb"(?<![a-z])(?:no(?! more| free)|not (?:a |an |find|found|have)|invalid|unknown|expired|bad"
    rb"|missing|stale)(?![a-z])[\w -]{0,20}session"
    rb"|session(?:[ _-]?id)?[^.{}]{0,60}?(?:not[ _-]?(?:be[ _]|been[ _])?found|n[o']t[ _-]?exist"
    rb"|unknown|expired|invalid|not[ _-]?valid|required|missing|terminated|closed|gone|ended"
    rb"|timed[ _-]?out|no[ _-]?longer|inactive|evicted|destroyed|revoked"
    rb"|not[ _-]?recogni[sz]ed|mismatch|does[ _]not[ _]match)(?![a-z])"
    rb"|\b(?:transport|connection|stream) (?:was )?not found\b"
    rb"|session[^.{}]{0,40}(?:abgelaufen|nicht gefunden|introuvable|expir\xc3\xa9e)"
    rb"|sitzung[^.{}]{0,40}(?:abgelaufen|nicht gefunden|ung\xc3\xbcltig|unbekannt)"
    rb"|sesi(?:\xc3\xb3|\\u00f3)n[^.{}]{0,40}(?:no (?:encontrada|existe)|expirad|caduc)"
    rb"|(?:\xe4\xbc\x9a\xe8\xaf\x9d|\\u4f1a\\u8bdd).{0,20}(?:\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8"
    rb"|\xe8\xbf\x87\xe6\x9c\x9f|\\u4e0d\\u5b58\\u5728|\\u8fc7\\u671f)",
    re.IGNORECASE,
)
"""Also in German, Spanish, French and Chinese, as text and as JSON escapes it."""
_NO_HANDSHAKE = lazy_pattern(
    rb"\bnot (?:yet )?(?:been )?initiali[sz]ed\b|\bbefore initiali[sz]|\binitiali[sz]e first\b"
    rb"|\bexpect(?:ed|s)? (?:an )?initiali[sz]|\bmust be initiali[sz]ed\b|\buninitiali[sz]ed\b"
    rb"|\b(?:please|must|send|call)(?: an?)? (?:re-?)?initiali[sz]e\b|\bre-?initiali[sz]e\b"
    rb"|\b(?:initiali[sz](?:e|ation)|handshake)(?: is| request)? (?:required|needed|missing)\b",
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
    LostSession(400, _NO_SESSION, Source("servers that name their transport for it", "T9")),
    LostSession(401, _NO_SESSION, Source("the Rust SDK, which keeps no other status", "T9")),
    LostSession(401, _NO_HANDSHAKE, Source("servers on the Rust SDK", "T9"), True),
    LostSession(422, _NO_SESSION, Source("servers on the Rust SDK", "T9")),
    LostSession(422, _NO_HANDSHAKE, Source("the Rust SDK: it expects a handshake", "T9"), True),
    *(
        LostSession(status, _NO_SESSION, Source("servers with a status of their own for it", "T9"))
        for status in (403, 405, 406, 409, 412, 417, 419, 421, 423, 424, 428, 440, 498)
    ),
    LostSession(500, _NO_SESSION, Source("frameworks whose part for sessions throws", "T9")),
    LostSession(503, _NO_SESSION, Source("servers behind several instances", "T9")),
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
        and row.words.search(body[:_LOOKED_AT]) is not None
        for row in LOST_SESSIONS
    )


def names_lost(body: bytes) -> bool:
    """Whether the words of a refusal say so, whatever its status."""
    return _NO_SESSION.search(body[:_LOOKED_AT]) is not None
