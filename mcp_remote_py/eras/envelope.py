"""What 2026-07-28 puts into `_meta`, and how a message gets it or loses it (basic/index, "_meta").

The members of `params` that are not ours keep their bytes; only `_meta` is written anew. Must not
know which side wants it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from mcp_remote_py.jsonrpc import UNREADABLE, Kind, Message, bounded

PREFIX = "io.modelcontextprotocol/"
VERSION = PREFIX + "protocolVersion"
CLIENT_INFO = PREFIX + "clientInfo"
CAPABILITIES = PREFIX + "clientCapabilities"
LOG_LEVEL = PREFIX + "logLevel"
SUBSCRIPTION_ID = PREFIX + "subscriptionId"
SERVER_INFO = PREFIX + "serverInfo"
REQUEST_MEMBERS = frozenset({VERSION, CLIENT_INFO, CAPABILITIES, LOG_LEVEL})
"""What a request of the modern era carries, and one of the other never does."""

_VERSION_TRACE = b"protocolVersion"
"""In every message of the modern era, whether it writes the slash before it as it is or escaped."""

Members = dict[str, msgspec.Raw]

_decode_members = bounded(msgspec.json.Decoder(Members).decode)
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode


class Envelope(msgspec.Struct, frozen=True):
    """What a modern request says of the client; JSON text is empty where it says nothing."""

    version: str
    client_info: bytes = b""
    capabilities: bytes = b""
    log_level: str = ""


class _Meta(msgspec.Struct):
    meta: msgspec.Raw = msgspec.field(name="_meta", default=msgspec.Raw(b"{}"))


_decode_meta = msgspec.json.Decoder(_Meta).decode


def read_envelope(message: Message) -> Envelope | None:
    """The envelope of a request or notification, None where it names no protocol version."""
    if message.kind is Kind.RESPONSE or _VERSION_TRACE not in message.raw:
        return None
    try:
        meta = _decode_members(bytes(_decode_meta(message.params).meta))
        return Envelope(
            version=_decode_text(meta[VERSION]),
            client_info=bytes(meta.get(CLIENT_INFO, b"")),
            capabilities=bytes(meta.get(CAPABILITIES, b"")),
            log_level=_read_level(meta.get(LOG_LEVEL)),
        )
    except (*UNREADABLE, KeyError):
        return None  # the word is somewhere in the payload, or not what it should be


def _read_level(value: msgspec.Raw | None) -> str:
    """The level; what is not a string as it stands, so that somebody can refuse it."""
    return "" if value is None else read_text(value) or bytes(value).decode()


def names_its_version(message: Message) -> bool:
    """Whether the message is of the modern era: it carries its protocol version itself."""
    return read_envelope(message) is not None


def is_complete(message: Message) -> bool:
    """Whether the message has what every request of the modern era has to have."""
    envelope = read_envelope(message)
    return envelope is not None and bool(envelope.capabilities)


def read_members(value: bytes) -> Members | None:
    """The members of a JSON object; None where it is none, an empty one where it is missing."""
    if not value:
        return {}
    try:
        return _decode_members(value)
    except UNREADABLE:
        return None


def read_text(value: msgspec.Raw | bytes | None) -> str:
    """A JSON string, "" where it is none."""
    try:
        return _decode_text(value) if value is not None else ""
    except UNREADABLE:
        return ""


def write_members(members: Mapping[str, msgspec.Raw]) -> bytes:
    """A JSON object of members that keep their bytes."""
    return _encode(members)


def put_meta(params: bytes, meta: Mapping[str, msgspec.Raw]) -> bytes:
    """`params` with these members in its `_meta`; what is not an object stays as it is."""
    members = read_members(params)
    if members is None:
        return params
    present = read_members(bytes(members.get("_meta", b"")))
    members["_meta"] = msgspec.Raw(_encode((present or {}) | dict(meta)))
    return _encode(members)


def take_meta(params: bytes, names: Collection[str]) -> bytes:
    """`params` without these members of its `_meta`, and without an empty one."""
    members = read_members(params)
    meta = None if members is None else read_members(bytes(members.get("_meta", b"")))
    if not members or not meta or meta.keys().isdisjoint(names):
        return params
    kept = {name: value for name, value in meta.items() if name not in names}
    if kept:
        members["_meta"] = msgspec.Raw(_encode(kept))
    else:
        del members["_meta"]
    return _encode(members)
