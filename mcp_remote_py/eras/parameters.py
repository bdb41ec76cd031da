"""Tool parameters that travel in headers as well: `x-mcp-header` (2026-07-28, SEP-2243).

Learned from the answers to `tools/list`. A tool whose mark breaks a rule is taken out of the list,
as the specification asks of a client that speaks HTTP, and the log says why. Must not know HTTP
libraries or who asked for the list.
"""

from __future__ import annotations

import base64
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from mcp_remote_py.bounds import LONG_BYTES, MAX_PARTS, count_parts
from mcp_remote_py.errors import shorten
from mcp_remote_py.json_text import UNREADABLE, Members, decode_list, read_members, read_text
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.patterns import lazy_pattern

logger = logging.getLogger("mcp_remote_py.eras")

MARK = "x-mcp-header"
_MARK_TRACE = MARK.encode()

_TOKEN = lazy_pattern(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 §5.6.2: what a field name may be made of."""

_MARKABLE_TYPES = frozenset({"string", "integer", "boolean"})

# Keywords of JSON Schema 2020-12 that hold schemas, by the shape they hold them in. `properties`
# is apart: through it alone a mark can be reached. What holds data (`default`, `enum`, `const`,
# `examples`) is not here, so that data is never taken for a mark, and `$ref` is never followed.
_ONE_SCHEMA = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
        *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_SCHEMAS_IN_LIST = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_SCHEMAS_BY_NAME = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties"})

_NUMBER = lazy_pattern(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

MAX_MARKED_PARTS = 60_000
"""Values in the schemas of one list that may have marks: 20 ms. 1000 tools have 60 each then."""

MAX_TOLD = 10
"""Tools of one list that the log says are left out."""

MAX_PATH = 64
"""Properties inside each other down to a mark."""

Path = tuple[str, ...]


class _Tool(msgspec.Struct):
    name: str
    inputSchema: msgspec.Raw = msgspec.Raw(b"{}")


_decode_tool = msgspec.json.Decoder(_Tool).decode


class ParameterHeaders:
    """The marks of the tools seen so far."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[Path, str]] = {}
        self._room = 0
        """For values in schemas of the list that is read."""
        self._left_out = 0
        """Tools of that list."""

    def learn(self, answer: Message) -> Message:
        """The answer to a `tools/list`: as it is, or without the invalid tools.

        One that is longer than `LONG_BYTES` is not looked into.
        """
        if answer.is_error or answer.is_long or not (self._marks or _MARK_TRACE in answer.raw):
            return answer  # most servers mark nothing, and their lists are long
        try:
            tools = decode_list(answer.members["tools"])
        except (*UNREADABLE, KeyError):
            return answer
        self._room, self._left_out = MAX_MARKED_PARTS, 0
        kept = [raw for raw in tools if self._take(raw)]
        if len(kept) == len(tools):
            return answer
        if self._left_out > MAX_TOLD:
            logger.warning("%d more tools are left out.", self._left_out - MAX_TOLD)
        left = msgspec.Raw(b"[%b]" % b",".join(map(bytes, kept)))
        return answer.with_result({**answer.members, "tools": left})

    def _take(self, raw: msgspec.Raw) -> bool:
        """Learns one tool; whether it may stay in the list."""
        try:
            tool = _decode_tool(raw)
        except UNREADABLE:
            return True  # not what we know of a tool: the host's to judge
        self._marks.pop(tool.name, None)
        try:
            marks = read_marks(self._decode_schema(bytes(tool.inputSchema)))
        except InvalidMark as error:
            self._left_out += 1
            if self._left_out <= MAX_TOLD:
                logger.warning("The tool %s is left out: %s", shorten(tool.name), error)
            return False
        if marks:
            self._marks[tool.name] = marks
        return True

    def _decode_schema(self, schema: bytes) -> object:
        """The schema without its numbers: there are some that Python cannot build.

        Raises:
            InvalidMark: it is too large for its marks to be looked for.
        """
        if _MARK_TRACE not in schema and b"\\" not in schema:
            return None  # where nothing is escaped, nothing else can be read as a mark
        parts = count_parts(schema)
        self._room -= parts
        if self._room < 0 or parts > MAX_PARTS:
            raise InvalidMark("its schema has too many parts.")
        import json  # few servers mark anything

        try:
            return json.loads(schema, parse_int=_no_number, parse_float=_no_number)
        except RecursionError:
            raise InvalidMark("its schema is nested too deeply.") from None

    def headers(self, call: Message) -> list[tuple[bytes, bytes]]:
        """The headers for a `tools/call`, in the order of the marks."""
        if not self._marks:
            return []
        marks = self._marks.get(read_text(call.members.get("name")), {})
        found: list[tuple[bytes, bytes]] = []
        for path, name in marks.items():
            text = _write_scalar(_value_at(call.arguments, path))
            if text is not None:
                found.append((b"Mcp-Param-" + name.encode(), encode_header_value(text)))
        return found


class InvalidMark(ValueError):
    """A mark breaks a rule of the specification ("Schema Extension"); the text says which."""


def read_marks(schema: object) -> dict[Path, str]:
    """The header name for each marked parameter, by its path of `properties`.

    Raises:
        InvalidMark: one of them breaks a rule.
    """
    marks: dict[Path, str] = {}
    seen: dict[str, Path] = {}
    for path, part in _walk(schema):
        if MARK not in part:
            continue
        if not path:
            raise InvalidMark(f"{MARK} stands where no chain of `properties` leads to.")
        where = shorten(".".join(path))
        name = part[MARK]
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise InvalidMark(f"{MARK} of {where} is not the name of an HTTP header.")
        kind = part.get("type")
        if not isinstance(kind, str) or kind not in _MARKABLE_TYPES:
            raise InvalidMark(f"{MARK} of {where} is for a string, an integer or a boolean only.")
        other = seen.setdefault(name.lower(), path)
        if other != path:
            raise InvalidMark(f"{MARK} of {where} is that of {shorten('.'.join(other))} too.")
        marks[path] = name
    return marks


def _walk(root: object) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """Every schema in `root` with the `properties` that lead to it, None where others do too."""
    waiting: deque[tuple[Path | None, object]] = deque([((), root)])
    while waiting:
        path, part = waiting.popleft()
        if not isinstance(part, dict):
            continue
        schema = cast("dict[str, Any]", part)
        yield path, schema
        for keyword, value in schema.items():
            if keyword == "properties" and isinstance(value, dict):
                properties = cast("dict[str, Any]", value)
                waiting += [
                    (None if path is None or len(path) == MAX_PATH else (*path, name), property_)
                    for name, property_ in properties.items()
                ]
            elif keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
                waiting += [(None, one) for one in cast("dict[str, Any]", value).values()]
            elif keyword in _SCHEMAS_IN_LIST and isinstance(value, list):
                waiting += [(None, one) for one in cast("list[Any]", value)]
            elif keyword in _ONE_SCHEMA:
                waiting.append((None, value))


def _no_number(_: str) -> None:
    return None


MAX_VALUE_BYTES = 64 * 1024
"""Bytes of a parameter that is written into a header. No server takes a longer head."""


def _value_at(arguments: Members, path: Path) -> bytes:
    """The JSON text of the value there, empty where there is none, or a long one."""
    *outer, last = path
    for name in outer:
        value = arguments.get(name, b"")
        if memoryview(value).nbytes > LONG_BYTES:
            return b""
        arguments = read_members(value) or {}
    value = arguments.get(last, b"")
    return b"" if memoryview(value).nbytes > MAX_VALUE_BYTES else bytes(value)


def _write_scalar(value: bytes) -> str | None:
    """The text of a value ("Value Encoding"), None where it does not get a header."""
    if value[:1] == b'"':
        return read_text(value)
    text = value.decode()
    if text in ("true", "false"):
        return text
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    if text.lstrip("-").isdigit() or not number.is_integer():
        return text
    return str(int(number))  # JSON Schema counts 42.0 as an integer


def encode_header_value(value: str) -> bytes:
    """A header-safe form of `value` (2026-07-28, "Value Encoding").

    What is not plain visible ASCII, has blanks at an end, or looks encoded is base64 of UTF-8.
    """
    looks_encoded = value.startswith("=?base64?") and value.endswith("?=")
    is_visible = value.isascii() and value.isprintable() and value and value == value.strip(" ")
    if is_visible and not looks_encoded:
        return value.encode()
    return b"=?base64?" + base64.b64encode(value.encode("utf-8", "surrogatepass")) + b"?="
