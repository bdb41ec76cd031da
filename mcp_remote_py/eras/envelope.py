"""The envelope that 2026-07-28 puts into `_meta`: put on, read, taken off (basic/index, "_meta").

The members of `params` that are not ours keep their bytes; only `_meta` is written anew. Must not
know which side wants it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.json_text import Members, encode, read_members, read_string, read_text
from mcp_remote_py.jsonrpc import NULL, Kind, Message, Payload, make_result

META_PREFIX = "io.modelcontextprotocol/"
VERSION = META_PREFIX + "protocolVersion"
CLIENT_INFO = META_PREFIX + "clientInfo"
CAPABILITIES = META_PREFIX + "clientCapabilities"
LOG_LEVEL = META_PREFIX + "logLevel"
SUBSCRIPTION_ID = META_PREFIX + "subscriptionId"
SERVER_INFO = META_PREFIX + "serverInfo"
REQUEST_MEMBERS = frozenset({VERSION, CLIENT_INFO, CAPABILITIES, LOG_LEVEL})
"""Members of `_meta` that a request of the modern era carries, and one of the other never."""

_VERSION_TRACE = b"protocolVersion"
"""In every message of the modern era, whether it writes the slash before it as it is or escaped."""


MAX_META_BYTES = 256 * 1024
"""Bytes of a `_meta` that is looked into; a longer one says nothing, and does not cross eras."""


class Envelope(msgspec.Struct, frozen=True):
    """The members of a modern request about its client; JSON text is empty where one is missing."""

    version: str
    client_info: bytes = b""
    capabilities: bytes = b""
    log_level: str = ""


def read_envelope(message: Message) -> Envelope | None:
    """The envelope of a request or notification, None where it does not name a protocol version."""
    if message.era_mark is None:
        message.era_mark = _read(message) or _NO_ENVELOPE
    mark = message.era_mark
    return mark if isinstance(mark, Envelope) else None


_NO_ENVELOPE = object()


def _read(message: Message) -> Envelope | None:
    if message.kind is Kind.RESPONSE:
        return None
    if message.length <= LONG_BYTES and _VERSION_TRACE not in message.raw:
        return None  # of most; in a longer one it takes longer to look for it
    meta = _read_meta(message.members.get("_meta", b"")) or {}
    version = read_string(meta.get(VERSION))
    if version is None:
        return None  # the word is somewhere in the payload, or not what it should be
    return Envelope(
        version=version,
        client_info=bytes(meta.get(CLIENT_INFO, b"")),
        capabilities=bytes(meta.get(CAPABILITIES, b"")),
        log_level=_read_level(meta.get(LOG_LEVEL)),
    )


def _read_meta(meta: msgspec.Raw | bytes) -> Members | None:
    return read_members(meta) if memoryview(meta).nbytes <= MAX_META_BYTES else None


def _read_level(value: msgspec.Raw | None) -> str:
    """The level; what is neither string nor null as it stands, so that somebody can refuse it."""
    return "" if value is None or value == NULL else read_text(value) or bytes(value).decode()


def names_its_version(message: Message) -> bool:
    """Whether the message is of the modern era: it carries its protocol version itself."""
    return read_envelope(message) is not None


def is_complete(message: Message) -> bool:
    """Whether the message has what every request of the modern era has to have."""
    envelope = read_envelope(message)
    return envelope is not None and bool(envelope.capabilities)


def put_meta(message: Message, meta: Mapping[str, msgspec.Raw]) -> Payload:
    """The `params` with these members in their `_meta`; what is not an object stays as it is.

    But for `null`, which some libraries write where there are none.
    """
    members = message.known_members
    if members is None and message.params == b"null":
        members = {}
    if members is None:
        return message.params
    return {**members, "_meta": add_meta(members.get("_meta", b""), meta)}


def put_missing_meta(message: Message, meta: Mapping[str, msgspec.Raw]) -> Members | None:
    """The members of `params` with those of these that its `_meta` does not have; None for none.

    So it is without `params`, and with a `_meta` that cannot be added to.
    """
    members = None if message.payload is None else message.known_members
    present = None if members is None else _read_meta(members.get("_meta", b"{}"))
    if members is None or present is None:
        return None
    missing = {name: value for name, value in meta.items() if name not in present}
    return {**members, "_meta": msgspec.Raw(encode(present | missing))} if missing else None


def add_meta(present: msgspec.Raw | bytes, meta: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """A `_meta` with these members beside those that are there."""
    return msgspec.Raw(encode((_read_meta(present) or {}) | dict(meta)))


def name_server_in(response: Message, info: msgspec.Raw, source: Message | None) -> Message:
    """A result with the server's name in its `_meta`; what names one itself stays, as do errors.

    It may be that of `source`, whose members are known: of a long one it takes long to find them.
    """
    if response.is_error:
        return response
    is_same = source is not None and response.payload is source.payload
    known = source.known_members if source and is_same else response.known_members
    present = None if known is None else _read_meta(known.get("_meta", b"{}"))
    if known is None or present is None or SERVER_INFO in present:
        return response
    # One that was made here may have members that are not texts yet.
    result = known if isinstance(response.payload, msgspec.Raw | None) else response.payload
    named = msgspec.Raw(encode(present | {SERVER_INFO: info}))
    return make_result(response.raw_id, {**result, "_meta": named})


def read_progress_token(request: Message) -> msgspec.Raw | None:
    """The token by which the server is to tell of its progress, as it was sent."""
    return (_read_meta(request.members.get("_meta", b"")) or {}).get("progressToken")


def complete_name(info: msgspec.Raw | bytes) -> msgspec.Raw:
    """A `clientInfo` or `serverInfo` with the name and the version that each has to have.

    Of one that has both the bytes stay; what is not an object has neither.
    """
    members = read_members(info) or {}
    missing = {name for name in ("name", "version") if read_string(members.get(name)) is None}
    if not missing:
        return msgspec.Raw(info)
    return msgspec.Raw(encode(members | dict.fromkeys(sorted(missing), _UNKNOWN)))


_UNKNOWN = msgspec.Raw(b'"unknown"')


def take_meta(message: Message, names: Collection[str]) -> Members | None:
    """The members of `params` or of a result, without these of `_meta` or one that is empty then.

    None where nothing has to be taken.
    """
    meta = _read_meta(message.members.get("_meta", b""))
    if not meta or meta.keys().isdisjoint(names):
        return None
    members = dict(message.members)
    kept = {name: value for name, value in meta.items() if name not in names}
    if kept:
        members["_meta"] = msgspec.Raw(encode(kept))
    else:
        del members["_meta"]
    return members
