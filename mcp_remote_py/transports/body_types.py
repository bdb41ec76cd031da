"""What a body is: by the type that is named for it, and by its first bytes where they tell more.

Nothing that JSON, an event stream or a page begins with begins another of them, so the first bytes
decide even against the name. Pure. Must not know what is done with a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mcp_remote_py.bounds import BLANKS
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.readings import Source
from mcp_remote_py.values import Value

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
PAGE = "text/html"
ANSWER_TYPES = frozenset({JSON, EVENT_STREAM})

_BOM = b"\xef\xbb\xbf"

TELLING_BYTES = 6
"""Bytes behind blanks that tell the longest beginning apart."""

MOST_BLANKS = 4096
"""Bytes of blanks after which it is not waited for a beginning any more."""


class Beginning(Value, frozen=True):
    """The first bytes of bodies of one type, behind blanks."""

    start: bytes
    type: str
    source: Source


_MESSAGE = Source("MCP, JSON-RPC", "RFC 8259 §2; T10: no type, text/plain, text/json, text/html")
_EVENTS = Source("MCP", "WHATWG HTML §9.2.5; T10: no type, text/plain, application/json")

BEGINNINGS = (
    Beginning(b"{", JSON, _MESSAGE),
    Beginning(b"[", JSON, _MESSAGE),
    Beginning(b"data:", EVENT_STREAM, _EVENTS),
    Beginning(b"event:", EVENT_STREAM, _EVENTS),
    Beginning(b"id:", EVENT_STREAM, _EVENTS),
    Beginning(b"retry:", EVENT_STREAM, _EVENTS),
    Beginning(b":", EVENT_STREAM, _EVENTS),
    Beginning(b"<", PAGE, Source("web servers, portals", "WHATWG MIME Sniffing §7.1; T16")),
)
"""No two fit one body."""


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """The media type that `Content-Type` names, without parameters; "" without one."""
    named = headers.get(b"content-type", b"").partition(b";")[0]
    return named.strip().lower().decode("latin-1")


def cut_blanks_before(start: bytes) -> bytes:
    """The beginning of a body without what may stand before it."""
    return start.removeprefix(_BOM).lstrip(BLANKS)


_WORD = (
    rb"(?:(?:(?:your |the )?(?:message|request) (?:is |was |has been )?)?"
    rb"(?:ok(?:ay)?|accepted|received|queued|pending|processing|success|true|null|20[0-4]))"
)
_MEMBER = (
    rb'(?:"(?:status|state|message|detail|code|%b)"\s*+:\s*+"?%b[.!]?"?'
    rb'|"(?:id|jsonrpc)"\s*+:\s*+"?[\w.-]{1,40}+"?)' % (_WORD, _WORD)
)
_NOTHING = lazy_pattern(
    rb'(?:\[\]|"?%b"?|\{\s*+(?:%b\s*+,?\s*+)*\})?[.!]?' % (_WORD, _MEMBER), re.IGNORECASE
)
"""Words of those who have a queue between what takes messages and what answers them."""


def says_nothing(body: bytes) -> bool:
    """Whether a short body only says that something has come, which a status is for (T3)."""
    return len(body) < 128 and _NOTHING.fullmatch(body.strip(BLANKS)) is not None


def read_type(named: str, body: bytes) -> str:
    """The type of a body that begins like this, and for which this type is named."""
    start = cut_blanks_before(body[:MOST_BLANKS])
    for one in BEGINNINGS:
        if start.startswith(one.start):
            return one.type
    return named
