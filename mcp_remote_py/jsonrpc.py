"""One decoded message: its exact bytes, and of its envelope only what a relay must know.

Bytes in, bytes out: `Message.raw` is what arrived, on one line. Looked at are `id`, `method`
and whether there is a `result` or an `error`. A message of ours is made here as well, of parts that
keep their bytes. Pure. Must not know the meaning of any method, eras or HTTP.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Hashable
from typing import TYPE_CHECKING

import msgspec

from mcp_remote_py.bounds import (
    LONG_BYTES,
    LONG_PARTS,
    MAX_ID_BYTES,
    RICH_BYTES,
    has_few_parts,
)
from mcp_remote_py.errors import (
    ExchangeError,
    InvalidMessage,
    one_line,
)
from mcp_remote_py.json_text import (
    Members,
    Tree,
    encode,
    read_members,
    read_names,
    read_scalar,
    spell_members,
    spell_text,
)
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py import survey

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
"""JSON-RPC 2.0 §5.1."""

LOCAL_ERROR = -31000
"""Ours: no server's error can be mistaken for it, because MCP keeps errors of the peer at and
below -32000 (2026-07-28, basic/index, "Error Codes")."""

Payload = bytes | msgspec.Raw | Tree
"""JSON text, or the members of an object."""

NULL = msgspec.Raw(b"null")


class Kind(enum.Enum):
    """The kind of a message, by its members (JSON-RPC 2.0 §4 and §5)."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"


class Shape(Value, frozen=True):
    """The places of the members of a long message, which nobody should decode again."""

    text: memoryview
    members: survey.MemberPlaces

    def names(self, *path: str) -> list[str] | None:
        """The names in the object there, also what is there twice; None where it is not one."""
        found = self._find(path)
        return None if found is None else [name for name, _ in found.places]

    def read(self, *path: str) -> Members | None:
        """The members of the object there; None where it is not one, or has too many."""
        found = self._find(path)
        if found is None:
            return None
        return {name: msgspec.Raw(self.text[place]) for name, place in found.places}

    def _find(self, path: tuple[str, ...]) -> survey.MemberPlaces | None:
        found: survey.MemberPlaces | None = self.members
        for name in path:
            found = None if found is None else found.inner.get(name)
        return found


SHORT_BYTES = 1024
"""Bytes of a payload that is read once more with what is around it."""

_UNREAD: Members = {}
"""Stands for members that nobody has looked for."""


_KEYS_OF_NONE = frozenset[Hashable]({"server-error", ""})
"""In errors of servers that have not read the id, or whose type for it has no null: the Python
SDK's, and those of languages that write an empty text there."""


class Message:
    r"""A message as it travels.

    Attributes:
        kind: request, notification or response.
        method: of a request or notification, else "".
        raw_id: the bytes of its id as sent, empty for a notification.
        key: the id as a value for matching (`1` and `1.0` are one id), None for a
            notification and for the id `null`.
        is_error: a response that carries `error` (`null` beside a result is not one).
        is_proper: has the members of its kind and no others of JSON-RPC 2.0: see `mending`.
        pieces: its exact bytes, one line without line end, valid UTF-8. One that is made here of
            long members is not copied together: it has several.
        payload: the bytes of its `params`, `result` or `error`, or those of its members where it is
            made of them; None without any.
        related: the key of the request on whose stream it came, None where that is not known.
        refusal: what the HTTP status of an answer stands for, where that is a refusal; else None.
        era_mark: what `eras` read of it, kept so that it is read once; None before.

    In the payload the escape of a lone surrogate reads
    `\ufffd`, so that every decoder takes it, but for messages above `MAX_MENDED_BYTES`; `pieces`
    and `raw_id` keep it.
    """

    __slots__ = (
        *("_is_long", "_members", "_names", "_origin", "_shape", "era_mark", "is_error"),
        *("is_proper", "key", "kind", "method", "payload", "pieces", "raw_id", "refusal"),
        "related",
    )

    def __init__(
        self,
        kind: Kind,
        pieces: tuple[bytes | msgspec.Raw, ...],
        *,
        raw_id: bytes = b"",
        method: str = "",
        payload: msgspec.Raw | Tree | None = None,
        is_error: bool = False,
        is_proper: bool = True,
        shape: Shape | None = None,
        origin: Message | None = None,
    ) -> None:
        self.kind = kind
        self.pieces = pieces
        self.raw_id = raw_id
        self.key = decode_id(raw_id) if raw_id else None
        self.method = method
        self.is_error = is_error
        self.is_proper = is_proper
        self.related: Hashable = None
        self.refusal: ExchangeError | None = None
        self.era_mark: object = None
        self.payload = payload
        self._members: Members | None = _UNREAD
        if payload is not None and not isinstance(payload, msgspec.Raw):
            self._members = {
                name: one for name, one in payload.items() if isinstance(one, msgspec.Raw)
            }
        self._shape = shape
        self._origin = origin
        self._is_long: bool | None = None
        self._names: list[str] | None = None

    @property
    def names_no_request(self) -> bool:
        """Whether a response does not say what it answers, such as an error from before the id."""
        return self.key is None or (self.is_error and self.key in _KEYS_OF_NONE)

    @property
    def raw(self) -> bytes:
        """Its exact bytes, as one."""
        if len(self.pieces) == 1:
            return bytes(self.pieces[0])
        whole = b"".join(self.pieces)
        self.pieces = (whole,)
        return whole

    @property
    def length(self) -> int:
        """Bytes of all its pieces."""
        if len(self.pieces) == 1:
            return count_bytes(self.pieces[0])
        return sum(map(count_bytes, self.pieces))

    @property
    def size(self) -> int:
        """Bytes of its payload, 0 without any."""
        if self.payload is None:
            return 0
        if isinstance(self.payload, msgspec.Raw):
            return count_bytes(self.payload)
        return sum(map(count_bytes, spell_members(self.payload)))

    @property
    def is_long(self) -> bool:
        """Whether it is so long, or has so many parts, that nobody should look at all of it."""
        if self._is_long is None:
            length = self.length
            self._is_long = length > LONG_BYTES or (
                length > RICH_BYTES and not has_few_parts(self.raw, LONG_PARTS)
            )
        return self._is_long

    @property
    def params(self) -> bytes:
        """The bytes of `params`, empty without any."""
        return b"" if self.kind is Kind.RESPONSE else self._copy_payload()

    @property
    def result(self) -> bytes:
        """The bytes of `result`, empty without any."""
        is_result = self.kind is Kind.RESPONSE and not self.is_error
        return self._copy_payload() if is_result else b""

    @property
    def error(self) -> bytes:
        """The bytes of `error`, empty without any."""
        return self._copy_payload() if self.is_error else b""

    def _copy_payload(self) -> bytes:
        if self.payload is None:
            return b""
        if isinstance(self.payload, msgspec.Raw):
            return bytes(self.payload)
        return encode(self.payload)

    @property
    def members(self) -> Members:
        """The members of the payload, read once; none of what is not an object.

        To be copied before they are changed. Of one that was made here, those that are text.
        """
        return self.known_members or {}

    @property
    def known_members(self) -> Members | None:
        """The same; None for what is not an object or has too many, not for what is missing."""
        if self._members is _UNREAD:
            if self.payload is None:
                self._members = {}
            elif self._shape is not None:
                self._members = self._shape.read(self._payload_name)
            else:
                self._members = read_members(self._copy_payload())
        return self._members

    @property
    def arguments(self) -> Members:
        """The members of `arguments` in `params`; none without such an object."""
        if self._origin is not None:
            return self._origin.arguments
        if self._shape is not None:
            return self._shape.read("params", "arguments") or {}
        return read_members(self.members.get("arguments", b"")) or {}

    def names(self) -> list[str] | None:
        """The names of all its members, also what is there twice; None where they are too many."""
        if self._shape is not None:
            return self._shape.names()
        if self._names is not None:
            return self._names
        if len(self.pieces) > 1:  # it was made here
            return ["jsonrpc", "id", "method", self._payload_name]
        return read_names(self.raw)

    def payload_names(self) -> list[str] | None:
        """The same of the payload; None also for what is not an object."""
        if self._shape is not None:
            return self._shape.names(self._payload_name)
        if isinstance(self.payload, msgspec.Raw | None):
            return None if len(self.pieces) > 1 else read_names(self._copy_payload())
        return list(self.payload)

    @property
    def _payload_name(self) -> str:
        if self.kind is not Kind.RESPONSE:
            return "params"
        return "error" if self.is_error else "result"

    def with_result(self, result: Members) -> Message:
        """The response with another result; its other members stay as they are."""
        members = self._read_envelope()
        if members is None:  # it has more than anybody has a use for
            return make_result(self.raw_id, result)
        members["id"] = msgspec.Raw(self.raw_id or b"null")
        members["result"] = msgspec.Raw(encode(result))
        made = Message(
            *(self.kind, (encode(members),)),
            raw_id=self.raw_id,
            payload=result,
            is_proper=self.is_proper,
        )
        made._names = list(members)
        return made

    def _read_envelope(self) -> Members | None:
        """Its members; of a payload that is not short, null, where it stands as it came."""
        raw, payload = self.raw, self._copy_payload()
        if len(payload) > SHORT_BYTES and self._shape is None:
            start = raw.find(payload[:SHORT_BYTES])
            end = start + len(payload)
            if start >= 0 and raw[start:end] == payload:
                members = read_members(b"%bnull%b" % (raw[:start], raw[end:]))
                if members is not None and bytes(members.get(self._payload_name, b"")) == b"null":
                    return members  # else the same is in another member as well
        return read_members(raw)

    def __str__(self) -> str:
        """Its name for a log: method or kind, and id; never params."""
        name = self.method or self.kind.value
        return f"{name} {self.raw_id.decode('utf-8', 'replace')}" if self.raw_id else name


def count_bytes(piece: bytes | msgspec.Raw) -> int:
    """Its length in bytes."""
    return memoryview(piece).nbytes


def decode_id(raw_id: bytes) -> Hashable:
    """An id as a value for matching.

    Raises:
        InvalidMessage: it is neither string, number nor null.
    """
    try:
        if raw_id.isdigit():
            return int(raw_id)
        if raw_id[:1] in b"[{tf":
            raise InvalidMessage("An id must be a string or a number.", code=INVALID_REQUEST)
        return read_scalar(raw_id)
    except ValueError:
        return raw_id  # more digits than Python converts: only its own spelling is the same id


def read_id(value: msgspec.Raw | None) -> Hashable:
    """The id that a message names, for matching; None where it names none."""
    if value is None or memoryview(value).nbytes > MAX_ID_BYTES:
        return None
    try:
        return decode_id(bytes(value))
    except InvalidMessage:
        return None


def make_request(
    raw_id: bytes, method: str, params: Payload = b"", *, origin: Message | None = None
) -> Message:
    """A request of ours; `origin` is one with the same `arguments`, which may be long."""
    head = b'{"jsonrpc":"2.0","id":%b,"method":%b' % (raw_id, spell_text(method))
    pieces, payload = _spell(head, "params", params)
    return Message(
        Kind.REQUEST, pieces, raw_id=raw_id, method=method, payload=payload, origin=origin
    )


def make_notification(method: str, params: Payload = b"") -> Message:
    """A notification of ours."""
    head = b'{"jsonrpc":"2.0","method":%b' % spell_text(method)
    pieces, payload = _spell(head, "params", params)
    return Message(Kind.NOTIFICATION, pieces, method=method, payload=payload)


def make_result(raw_id: bytes, result: Payload) -> Message:
    """A result answer to the request with this id."""
    pieces, payload = _spell(b'{"jsonrpc":"2.0","id":%b' % (raw_id or b"null"), "result", result)
    return Message(Kind.RESPONSE, pieces, raw_id=raw_id, payload=payload)


def make_error(raw_id: bytes | None, code: int, text: str) -> Message:
    """An error answer of ours to the request with this id (`null` where it is unknown)."""
    error = b'{"code":%d,"message":%b}' % (code, spell_text(one_line(text)))
    return pass_error(raw_id or b"", error)


def pass_error(raw_id: bytes, error: Payload) -> Message:
    """An error answer to the request with this id, with the error of another answer."""
    pieces, payload = _spell(b'{"jsonrpc":"2.0","id":%b' % (raw_id or b"null"), "error", error)
    return Message(Kind.RESPONSE, pieces, raw_id=raw_id, payload=payload, is_error=True)


def readdress(response: Message, raw_id: bytes) -> Message:
    """The response with another id; its result or error stays, byte for byte."""
    name = "error" if response.is_error else "result"
    payload = b"null" if response.payload is None else response.payload
    pieces, payload = _spell(b'{"jsonrpc":"2.0","id":%b' % raw_id, name, payload)
    return Message(
        Kind.RESPONSE, pieces, raw_id=raw_id, payload=payload, is_error=response.is_error
    )


def find_asked(response: Message, asked: Container[Hashable]) -> Message:
    """A response as that to what was `asked`, by ids: its own, or the same of the other type.

    Some servers make strings of numbers. As it is where neither was asked.
    """
    key = response.key
    if key in asked or not isinstance(key, str | int):
        return response
    other: Hashable = str(key)
    if isinstance(key, str):
        is_number = len(key) < 20 and key.isascii() and key.isdigit() and str(int(key)) == key
        other = int(key) if is_number else None
    return response if other not in asked else readdress(response, encode(other))


def is_same_id(response: Message, request: Message) -> bool:
    """Whether a response may have lost the type of its id on the way, or all of it."""
    one, other = response.key, request.key
    return response.names_no_request or (
        isinstance(one, str) != isinstance(other, str) and str(one) == str(other)
    )


def is_object(payload: msgspec.Raw | Tree | None) -> bool:
    """Whether it is a JSON object, going by its first byte."""
    return not isinstance(payload, msgspec.Raw | None) or (
        payload is not None and bytes(memoryview(payload)[:1]) == b"{"
    )


def _spell(
    head: bytes, name: str, payload: Payload
) -> tuple[tuple[bytes | msgspec.Raw, ...], msgspec.Raw | Tree | None]:
    """The pieces of a message that begins with `head`, and its payload."""
    if payload == b"":
        return (head + b"}",), None
    payload = msgspec.Raw(payload) if isinstance(payload, bytes) else payload
    pieces: list[bytes | msgspec.Raw] = [head + b',"%b":' % name.encode()]
    pieces += (payload,) if isinstance(payload, msgspec.Raw) else spell_members(payload)
    pieces.append(b"}")
    if sum(map(count_bytes, pieces)) <= LONG_BYTES:
        return (b"".join(pieces),), payload
    return tuple(pieces), payload
