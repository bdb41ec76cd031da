"""One decoded message: its exact bytes, and of its envelope only what a relay must know.

Bytes in, bytes out: `Message.raw` is what arrived, on one line. Looked at are `id`, `method`
and whether there is a `result` or an `error`; everything else is checked for being JSON and
otherwise left alone, so that unknown members, big integers, `1.0`, escapes and key order
survive. This module must not know the meaning of any method, eras or HTTP.

The decoder is msgspec's: measured on CPython 3.11 it checks 42 MB of JSON text in 28 ms without
building it (`json`: 383 ms and three times the memory) and a small call in 0.4 us (3.6 us).
"""

from __future__ import annotations

import codecs
import enum
import json
import re
from collections.abc import Callable, Generator, Hashable, Iterator
from typing import TypeVar

import msgspec

from mcp_remote_py.bounds import (
    LONG_BYTES,
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_ID_BYTES,
    MAX_MEMBERS,
    MAX_MENDED,
    MAX_MENDED_AT_ONCE,
    MAX_MENDED_BYTES,
    MAX_METHOD_BYTES,
    Growing,
    has_few_parts,
)
from mcp_remote_py.errors import ExchangeError, InvalidMessage, one_line

T = TypeVar("T")

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
"""JSON-RPC 2.0 §5.1."""

LOCAL_ERROR = -31000
"""Ours: no server's error can be mistaken for it, because MCP keeps errors of the peer at and
below -32000 (2026-07-28, basic/index, "Error Codes")."""

UNREADABLE = (msgspec.MsgspecError, RecursionError)
"""What decoding a part of a message may raise. The second one although the message as a whole was
decoded before: how deep is too deep depends on how deep the caller already is."""

UTF8_PIECE_BYTES = 64 * 1024

ID_WINDOW_BYTES = 65536
"""Bytes at each end of an oversized line in which its id is searched."""


class Kind(enum.Enum):
    """What a message is, by its members (JSON-RPC 2.0 §4 and §5)."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"


class _Envelope(msgspec.Struct):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_text = msgspec.json.Decoder(str).decode


def bounded(decode: Callable[[bytes], T], *, deep: bool = False) -> Callable[[bytes], T]:
    """`decode` for texts with few enough members; of all others it says that they are unreadable.

    For whatever makes an object of each member: so `deep` where it does of those inside as well.
    """

    def decode_checked(text: bytes) -> T:
        if not (has_few_parts if deep else _has_few_members)(bytes(text)):
            raise msgspec.ValidationError
        return decode(text)

    return decode_checked


def _has_few_members(text: bytes) -> bool:
    if text.count(b",") < MAX_MEMBERS:
        return True
    from mcp_remote_py.survey import has_few_members  # few texts are that long

    return has_few_members(text)


class _Name:
    """A member's name, equal to no other: so that a mapping keeps what is there twice."""

    __slots__ = ("text",)

    def __init__(self, _: object, text: str) -> None:
        self.text = text


_decode_members = bounded(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_decode_pairs = bounded(msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_Name).decode)
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_BYTE_ORDER_MARK = codecs.BOM_UTF8


class Message:
    r"""A message as it travels.

    Attributes:
        raw: its exact bytes, one line without line end, valid UTF-8.
        kind: request, notification or response.
        method: of a request or notification, else "".
        raw_id: the bytes of its id as sent, empty for a notification.
        key: the id as a value for matching (`1` and `1.0` are one id), None for a
            notification and for the id `null`.
        is_error: a response that carries `error` (`null` beside a result is none).
        related: the key of the request on whose stream it came, None where that is not known.
        refusal: what the HTTP status of an answer stands for, where that is a refusal; else None.

    In `params`, `result` and `error` the escape of a lone surrogate reads `\ufffd`, so that every
    decoder takes them, but for messages above `MAX_MENDED_BYTES`; `raw` and `raw_id` keep it.
    """

    __slots__ = (
        *("_envelope", "is_error", "key", "kind", "method"),
        *("raw", "raw_id", "refusal", "related"),
    )

    def __init__(self, raw: bytes, envelope: _Envelope) -> None:
        self.raw = raw
        self._envelope = envelope
        self.raw_id = b""
        self.key: Hashable = None
        self.related: Hashable = None
        self.refusal: ExchangeError | None = None
        self.is_error = False
        if envelope.id is not msgspec.UNSET:
            if len(raw) > MAX_ID_BYTES and memoryview(envelope.id).nbytes > MAX_ID_BYTES:
                text = f"An id must not be longer than {MAX_ID_BYTES} bytes."
                raise InvalidMessage(text, code=INVALID_REQUEST)
            self.raw_id = bytes(envelope.id)
            self.key = decode_id(self.raw_id)
        if envelope.method is not msgspec.UNSET:
            self.method = _read_method(envelope.method, self.raw_id)
            if not self.raw_id:
                self.kind = Kind.NOTIFICATION
                return
            self.kind = Kind.REQUEST
            if self.key is None:
                raise InvalidMessage("A request must not have the id null.", code=INVALID_REQUEST)
            return
        self.method = ""
        self.kind = Kind.RESPONSE
        if envelope.result is not msgspec.UNSET:
            # `"error": null` beside a result is how JSON-RPC 1.0 says that there is none.
            error = b"null" if envelope.error is msgspec.UNSET else memoryview(envelope.error)
            self.is_error = bytes(error[:5]) != b"null"
        elif envelope.error is not msgspec.UNSET:
            self.is_error = True
        else:
            raise InvalidMessage(
                "The message has neither method, result nor error.",
                code=INVALID_REQUEST,
                raw_id=self.raw_id or None,
            )

    @property
    def params(self) -> bytes:
        """The bytes of `params`, empty without any."""
        return _bytes_of(self._envelope.params)

    @property
    def result(self) -> bytes:
        """The bytes of `result`, empty without any."""
        return _bytes_of(self._envelope.result)

    @property
    def error(self) -> bytes:
        """The bytes of `error`, empty without any."""
        return _bytes_of(self._envelope.error)

    def __str__(self) -> str:
        """What a log may say of it: method or kind, and id; never params."""
        name = self.method or self.kind.value
        return f"{name} {self.raw_id.decode('utf-8', 'replace')}" if self.raw_id else name

    def with_result(self, result: bytes) -> bytes:
        """The response as a line with another result; its other members stay as they are."""
        try:
            members = _decode_mended(_decode_members, self.raw)[0]
        except UNREADABLE:  # it has more members than anybody has a use for
            members = {"jsonrpc": msgspec.Raw(b'"2.0"')}
        members["id"] = msgspec.Raw(self.raw_id or b"null")
        members["result"] = msgspec.Raw(result)
        return msgspec.json.encode(members)


def _read_method(raw: msgspec.Raw, raw_id: bytes) -> str:
    if memoryview(raw).nbytes > MAX_METHOD_BYTES:
        text = f"A method must not be longer than {MAX_METHOD_BYTES} bytes."
        raise InvalidMessage(text, code=INVALID_REQUEST, raw_id=raw_id or None)
    try:
        return _decode_text(raw)
    except msgspec.ValidationError:
        text = "`method` must be a string."
        raise InvalidMessage(text, code=INVALID_REQUEST, raw_id=raw_id or None) from None


def _bytes_of(raw: msgspec.Raw | msgspec.UnsetType) -> bytes:
    return b"" if raw is msgspec.UNSET else bytes(raw)


def decode_id(raw_id: bytes) -> Hashable:
    """An id as a value for matching.

    Raises:
        InvalidMessage: it is neither string, number nor null.
    """
    if raw_id[:1] in b"[{tf":
        raise InvalidMessage("An id must be a string or a number.", code=INVALID_REQUEST)
    try:
        return json.loads(raw_id)
    except ValueError:
        return raw_id  # more digits than Python converts: only its own spelling is the same id


def parse_message(raw: bytes) -> Message:
    """The one message in `raw`.

    Raises:
        InvalidMessage: not UTF-8, not JSON, no object, or no JSON-RPC message.
    """
    # RFC 8259 §8.1 lets a reader ignore the mark; the next one would stumble over it.
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    check_utf8(raw)
    envelope = _read_envelope(raw)
    if b"\n" in raw or b"\r" in raw:
        # Inside strings both are escaped in valid JSON, so these are layout between tokens. Read
        # again, because the parts must be on one line as well.
        raw = raw.translate(_LINE_ENDS)
        envelope = _read_envelope(raw)
    return Message(raw, envelope)


def parse_messages(raw: bytes) -> Iterator[Message | InvalidMessage]:
    """All messages in `raw`: one, or those of a batch (MCP 2025-03-26), each with its own bytes.

    A broken element of a batch is yielded as the error it is, so that the others are not lost.

    Raises:
        InvalidMessage: `raw` as a whole is neither a message nor a batch.
    """
    return (message for message in read_messages(raw) if message is not None)


def read_messages(raw: bytes) -> Iterator[Message | InvalidMessage | None]:
    """As `parse_messages`, in steps: None is yielded after each part of the work.

    So whoever takes them can see to other things meanwhile.

    Raises:
        InvalidMessage: as `parse_messages`.
    """
    if _first_byte(raw) == b"[":
        yield from _read_batch(raw.removeprefix(_BYTE_ORDER_MARK))
    else:
        yield from _read_one(raw)


def _read_batch(raw: bytes) -> Iterator[Message | InvalidMessage | None]:
    from mcp_remote_py.survey import survey_array  # few servers and hosts send arrays

    if len(raw) > MAX_BATCH_BYTES:
        text = f"The batch is larger than {MAX_BATCH_BYTES} bytes."
        raise InvalidMessage(text, code=INVALID_REQUEST)
    try:
        elements = yield from survey_array(raw, _mend_surrogates, MAX_BATCH)
    except UNREADABLE as error:
        raise _explain("batch", raw, error, None) from None
    if not elements:
        raise InvalidMessage("The batch is empty.", code=INVALID_REQUEST)
    if len(elements) > MAX_BATCH:
        text = f"The batch has more than {MAX_BATCH} messages."
        raise InvalidMessage(text, code=INVALID_REQUEST)
    for place in elements:
        try:
            yield from _read_one(raw[place])
        except InvalidMessage as error:
            yield error
        yield None


def _read_one(raw: bytes) -> Iterator[Message | None]:
    is_long = len(raw) > LONG_BYTES or (
        len(raw) > MAX_MENDED_AT_ONCE and (rb"\ud" in raw or rb"\uD" in raw)
    )
    if is_long:
        yield from _read_long(raw)
    else:
        yield parse_message(raw)


def _read_long(raw: bytes) -> Iterator[Message | None]:
    from mcp_remote_py.survey import SLICE_BYTES, TooMany, survey_object  # few are that long

    if _first_byte(raw) != b"{":
        raise InvalidMessage("The message is not a JSON object.", code=INVALID_REQUEST)
    if raw.startswith(_BYTE_ORDER_MARK):
        raw = yield from _copy(raw, len(_BYTE_ORDER_MARK), SLICE_BYTES)
    yield from _check_utf8(raw)
    try:
        layout = yield from survey_object(raw, _mend_surrogates)
    except TooMany as error:
        raise InvalidMessage(f"The message is not one: {error}.", code=INVALID_REQUEST) from None
    except UNREADABLE as error:
        raise _explain("message", raw, error, _find_own_id(raw)) from None
    if (yield from _has_line_end(raw, SLICE_BYTES)):
        raw = yield from _copy(raw, 0, SLICE_BYTES)
    line = text = memoryview(raw)
    if layout.mended:
        text = memoryview(bytearray(raw))
        for start, piece in layout.mended:
            text[start : start + len(piece)] = piece.translate(_LINE_ENDS)
            yield None
    envelope = _Envelope()
    for name in _Envelope.__struct_fields__:
        if (place := layout.members.get(name)) is not None:
            setattr(envelope, name, msgspec.Raw((line if name == "id" else text)[place]))
    yield Message(raw, envelope)


def _has_line_end(raw: bytes, slice_bytes: int) -> Generator[None, None, bool]:
    for at in range(0, len(raw), slice_bytes):
        if raw.find(b"\n", at, at + slice_bytes) >= 0 or raw.find(b"\r", at, at + slice_bytes) >= 0:
            return True
        yield
    return False


def _copy(raw: bytes, start: int, slice_bytes: int) -> Generator[None, None, bytes]:
    """`raw` from `start` on, with blanks for its line ends."""
    line = Growing(len(raw))
    for at in range(start, len(raw), slice_bytes):
        line.write(raw[at : at + slice_bytes].translate(_LINE_ENDS))
        yield
    return line.take()


def read_pairs(raw: bytes) -> list[tuple[str, msgspec.Raw]] | None:
    """Every member of a JSON object, also what is there twice; None of what is none.

    Also None of one with more members than anybody has a use for.
    """
    try:
        members = _decode_mended(_decode_pairs, raw)[0]
    except UNREADABLE:
        return None
    return [(name.text, value) for name, value in members.items()]


def _first_byte(raw: bytes) -> bytes:
    """The first that is neither layout nor byte order mark; no piece looked at is a copy of all."""
    mark = len(_BYTE_ORDER_MARK) if raw.startswith(_BYTE_ORDER_MARK) else 0
    for start in range(mark, len(raw), _LAYOUT_BYTES):
        piece = raw[start : start + _LAYOUT_BYTES].lstrip(b" \t\r\n")
        if piece:
            return piece[:1]
    return b""


_LAYOUT_BYTES = 256


def check_utf8(raw: bytes) -> None:
    """Raises InvalidMessage when `raw` is not UTF-8 (RFC 8259 §8.1).

    Piece by piece: decoding 50 MB at once takes up to 200 MB of characters, and pieces that fit
    a processor's cache are checked four times faster (22 ms against 100 ms).
    """
    if raw.isascii():
        return
    for _ in _check_utf8(raw):
        pass


def _check_utf8(raw: bytes) -> Iterator[None]:
    """As `check_utf8`, a step for each piece."""
    view, end = memoryview(raw), len(raw)
    start = 0
    try:
        while start < end:
            stop = start + UTF8_PIECE_BYTES
            # A character cut by the end of a piece is left for the next one.
            _, length = codecs.utf_8_decode(view[start:stop], "strict", stop >= end)
            start += length
            yield
    except UnicodeDecodeError as error:
        raise InvalidMessage(
            f"The message is not UTF-8: {error.reason} (byte {start + error.start}).",
            code=PARSE_ERROR,
            raw_id=_find_own_id(raw),
        ) from None


def _read_envelope(raw: bytes) -> _Envelope:
    try:
        envelope, mended = _decode_mended(_decode_envelope, raw)
    except UNREADABLE as error:
        raise _explain("message", raw, error, _find_own_id(raw)) from None
    if mended is not raw:
        exact = _find_own_id(raw)
        if exact is not None and _mend_surrogates(exact) == _bytes_of(envelope.id):
            envelope.id = msgspec.Raw(exact)
    return envelope


def _decode_mended(decode: Callable[[bytes], T], raw: bytes) -> tuple[T, bytes]:
    r"""What `decode` makes of `raw`, and the text it was made from: `raw`, or that mended.

    `"\ud800"` is grammatical JSON (RFC 8259 §8.2) that msgspec refuses; whatever cuts a text in
    the middle of an emoji sends it.
    """
    try:
        return decode(raw), raw
    except msgspec.DecodeError:
        if len(raw) > MAX_MENDED_BYTES or re.search(rb"\\u[dD]", raw) is None:
            raise
        mended = _mend_surrogates(raw)
        return decode(mended), mended


def _mend_surrogates(raw: bytes) -> bytes:
    """`raw` with U+FFFD for its lone surrogates, all other bytes at their place.

    Those past `MAX_MENDED` stay: it is as unreadable as before.
    """
    if rb"\u" not in raw:
        return raw
    return re.sub(_UP_TO_LONE, _replace_lone, raw, count=MAX_MENDED, flags=re.DOTALL)


def _replace_lone(match: re.Match[bytes]) -> bytes:
    return match[1] + rb"\ufffd" * (len(match[2]) // len(rb"\ufffd"))


# What stands before lone surrogates is passed in one match, without a way back, and so is a run of
# them: that is as fast as the engine, and an escaped backslash never begins an escape.
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_OTHER = rb"[^\\]++|" + _HIGH + _LOW + rb"|\\(?!u[dD][89a-fA-F][0-9a-fA-F]{2})(?:.|\Z)"
_LONE = _HIGH + rb"(?!" + _LOW + rb")|" + _LOW
_UP_TO_LONE = rb"((?:" + _OTHER + rb")*+)((?:" + _LONE + rb")++|\Z)"


def _explain(what: str, raw: bytes, error: Exception, raw_id: bytes | None) -> InvalidMessage:
    if isinstance(error, RecursionError):
        return InvalidMessage(f"The {what} is nested too deeply.", code=PARSE_ERROR, raw_id=raw_id)
    if isinstance(error, msgspec.ValidationError):
        return InvalidMessage("The message is not a JSON object.", code=INVALID_REQUEST)
    reason = str(error).removeprefix("JSON is malformed: ")
    if "(byte " not in reason:
        reason = f"it breaks off (byte {len(raw)})"
    return InvalidMessage(
        f"The {what} is not valid JSON: {reason}.", code=PARSE_ERROR, raw_id=raw_id
    )


def _find_own_id(raw: bytes) -> bytes | None:
    if len(raw) <= ID_WINDOW_BYTES:
        return find_id(raw, b"")
    return find_id(raw[:ID_WINDOW_BYTES], raw[-ID_WINDOW_BYTES:])


# Not compiled here: only messages that are refused need them.
_NAME = rb'"(?:[^"\\]|\\.)*"'
_TOKEN = _NAME + rb'|[{}\[\],:"]|[^\s{}\[\],:"]+'
_LAST_MEMBERS = rb"[}\]]\s*,((?:\s*" + _NAME + rb"\s*:\s*(?:" + _NAME + rb"|[-+.\w]+)\s*[,}])+)\s*$"


def find_id(head: bytes, tail: bytes) -> bytes | None:
    """The bytes of the id of a message of which only the first and last bytes are known.

    Looked for among the top-level members that `head` shows whole, and among those that end
    `tail`, after a nested value. None where neither shows one that an answer could carry.
    """
    found = _find_top_level_id(head)
    if found is None and (last := re.search(_LAST_MEMBERS, tail, re.DOTALL)) is not None:
        found = _find_top_level_id(b"{" + last[1])
    return found


def _find_top_level_id(text: bytes) -> bytes | None:
    depth = 0
    name = colon = value = b""
    for match in re.finditer(_TOKEN, text, re.DOTALL):
        token = match[0]
        if token == b'"':
            return None  # a string whose end is not shown: what follows cannot be told apart
        if depth == 1 and token in (b",", b"}") and (name, colon) == (b'"id"', b":"):
            # Behind its end, so that a number that is cut is not taken for another one.
            return value if _is_id(value) else None
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        name, colon, value = colon, value, token
    return None


def _is_id(raw: bytes) -> bool:
    """Whether this is an id that an answer, which is valid JSON, can carry."""
    try:
        return isinstance(json.loads(raw.decode(), parse_int=str, parse_float=str), str)
    except ValueError:
        return False


def encode_error(raw_id: bytes | None, code: int, message: str) -> bytes:
    """An error answer, one line, to the request with this id (`null` where it is unknown)."""
    text = json.dumps(one_line(message), ensure_ascii=False).encode()
    return encode_error_object(raw_id or b"null", b'{"code":%d,"message":%b}' % (code, text))


def encode_error_object(raw_id: bytes, error: bytes) -> bytes:
    """An error answer, one line, to the request with this id; `error` is JSON text."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, error)


def reword_error(line: bytes, message: str) -> bytes:
    """An error answer, one line, with another message; its code and other members stay."""
    answer = parse_message(line)
    members = _decode_members(answer.error)
    members["message"] = msgspec.Raw(msgspec.json.encode(one_line(message)))
    return encode_error_object(answer.raw_id, msgspec.json.encode(members))


def encode_result(raw_id: bytes, result: bytes) -> bytes:
    """A result answer, one line, to the request with this id; `result` is JSON text."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (raw_id, result)


def encode_request(raw_id: bytes, method: str, params: bytes = b"") -> bytes:
    """A request of our own; `params` is JSON text or empty."""
    tail = b',"params":%b}' % params if params else b"}"
    return b'{"jsonrpc":"2.0","id":%b,"method":%b%b' % (raw_id, json.dumps(method).encode(), tail)


def encode_notification(method: str, params: bytes = b"") -> bytes:
    """A notification of our own; `params` is JSON text or empty."""
    tail = b',"params":%b}' % params if params else b"}"
    return b'{"jsonrpc":"2.0","method":%b%b' % (json.dumps(method).encode(), tail)
