"""Asks for an older revision where a handshake was refused for the revision it asks for.

A server that does not know a revision answers with one it knows, and the client decides (MCP
2025-11-25, basic/lifecycle, "Version Negotiation"). Some refuse instead, by an error that may list
what they know, as an example there does, or by HTTP 400, as Slack and servers with a closed list
do. Hosts go on asking for the newest, so here the handshake is made once more. Pure. Must not know
how it is sent.
"""

from __future__ import annotations

import re

import msgspec

from mcp_remote_py.eras.era_detection import MISMATCH_STATUS, MODERN_CODES, error_code, failure_code
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.json_text import encode, read_text
from mcp_remote_py.jsonrpc import Message, make_request
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.versions import HANDSHAKE_VERSIONS

MAX_LOOKED_AT = 4096
"""Characters of a refusal that are looked at."""

_ABOUT_REVISION = lazy_pattern(r"protocol[\s_-]?version", re.IGNORECASE)
_REVISION = lazy_pattern(r"(?<![0-9])20[0-9]{2}-[0-9]{2}-[0-9]{2}(?![0-9])")


def ask_for_older(initialize: Message, refusal: Message | ExchangeError) -> Message | None:
    """The same handshake for the newest older revision that the server may take.

    None where the refusal is about something else, or where none is left.
    """
    wanted = read_text(initialize.members.get("protocolVersion"))
    if wanted not in HANDSHAKE_VERSIONS:
        return None
    code = error_code(refusal) if isinstance(refusal, Message) else failure_code(refusal)
    said = _words_of(refusal)
    if _ABOUT_REVISION.search(said) is None:
        return None
    others = set(_REVISION.findall(said)) - {wanted}
    known = others or HANDSHAKE_VERSIONS
    older = [one for one in HANDSHAKE_VERSIONS & known if one < wanted]
    if not older or (code in MODERN_CODES and not others):
        return None
    version = msgspec.Raw(encode(max(older)))
    params = {**initialize.members, "protocolVersion": version}
    return make_request(initialize.raw_id, initialize.method, params)


def _words_of(refusal: Message | ExchangeError) -> str:
    if isinstance(refusal, Message):
        return refusal.raw[:MAX_LOOKED_AT].decode("utf-8", "replace")
    if refusal.status not in MISMATCH_STATUS:
        return ""
    body = (refusal.body or b"")[:MAX_LOOKED_AT].decode("utf-8", "replace")
    # Where two transports were tried, the server's words are in the second sentence.
    return f"{refusal.sentence()} {body}"
