"""Output of tools that is not an object, for a host that knows objects alone.

Until 2025-11-25 `structuredContent` is an object and `outputSchema` describes one; since 2026-07-28
each may be any JSON value (SEP-2106). As the TypeScript SDK's own servers do for an older host, the
one becomes `{"result": ...}` and the other the schema of that, with its references moved along.
What need not change keeps its bytes. Pure. Must not know which side asked.
"""

from __future__ import annotations

import json

import msgspec

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.json_text import (
    UNREADABLE,
    Members,
    Tree,
    decode_list,
    encode,
    read_members,
    read_string,
    read_text,
)
from mcp_remote_py.jsonrpc import is_object

MAX_WRAPPED_TOOLS = 1000
"""Tools whose schema was wrapped and that are remembered; results of others go by their value."""

MAX_SCHEMA_DEPTH = 64
"""Schemas inside each other in which references are moved; a tool with more does without one."""

MAX_MOVED = 6 * 1024 * 1024
"""Bytes that are looked at for references in the schemas of one list: 20 ms. Each schema counts
once for each of those that it is in."""

LOOK_BYTES, MOVE_BYTES = 256, 2048
"""Bytes that a value counts beside its own where it is looked through, and where it has references:
the work on it takes as long as a look at so many."""

_HOME = "#/properties/result"
"""Where the schema is, once it is wrapped."""

_VALUES = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are not schemas (JSON Schema 2020-12)."""

_NAMED = frozenset(
    {
        *("properties", "patternProperties", "$defs", "definitions"),
        *("dependentSchemas", "dependencies"),
    }
)
"""Keywords with schemas by names, which may look like keywords."""


class WrappedOutputs:
    """The tools of one server whose schema was wrapped: so is then each of their results."""

    def __init__(self) -> None:
        self._tools: set[str] = set()

    def wrap_tools(self, members: Members) -> None:
        """Changes the result of `tools/list`; what cannot be described does without a schema."""
        if b"outputSchema" not in bytes(members.get("tools", b"")):
            return
        try:
            tools = decode_list(members["tools"])
        except UNREADABLE:
            return
        work = _Work()
        wrapped = (self._wrap_tool(tool, work) for tool in tools)
        members["tools"] = msgspec.Raw(b"[%b]" % b",".join(wrapped))

    def _wrap_tool(self, raw: msgspec.Raw, work: _Work) -> bytes:
        tool = read_members(raw)
        if not tool:
            return bytes(raw)
        name = read_text(tool.get("name"))
        self._tools.discard(name)
        if "outputSchema" not in tool:
            return bytes(raw)
        schema = read_members(tool["outputSchema"])
        if schema is not None and read_text(schema.get("type")) == "object":
            return bytes(raw)
        wrapped = None if schema is None else _wrap_schema(tool["outputSchema"], schema, work)
        if wrapped is None:
            del tool["outputSchema"]
        else:
            tool["outputSchema"] = wrapped
            if len(self._tools) < MAX_WRAPPED_TOOLS:
                self._tools.add(name)
        return encode(tool)

    def wrap_result(self, tool: str, members: Members) -> Tree:
        """The result of a call of that tool, as an older host takes it: a value also as a text."""
        value = members.get("structuredContent")
        if value is None:
            return members
        if not is_object(value):
            members = members | _as_text(value, members)
        elif tool not in self._tools:
            return members
        return {**members, "structuredContent": {"result": value}}


def _as_text(value: msgspec.Raw, members: Members) -> Members:
    """`content` with the value as a text, unless there is one: older hosts look nowhere else.

    A long one has to do without: it would be written out once more.
    """
    given = members.get("content", msgspec.Raw(b"[]"))
    if memoryview(value).nbytes + memoryview(given).nbytes > LONG_BYTES:
        return {}
    try:
        content = decode_list(given)
    except UNREADABLE:
        return {}
    if any(read_text((read_members(one) or {}).get("type")) == "text" for one in content):
        return {}
    text = json.dumps(bytes(value).decode(), ensure_ascii=False).encode()
    items = (*map(bytes, content), b'{"type":"text","text":%b}' % text)
    return {"content": msgspec.Raw(b"[%b]" % b",".join(items))}


# ------------------------------------------------------------------ schemas


class _Work:
    """How much may still be looked at."""

    def __init__(self) -> None:
        self.left = MAX_MOVED

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TooDeep


def _wrap_schema(raw: msgspec.Raw, schema: Members, work: _Work) -> msgspec.Raw | None:
    dialect = read_string(schema.get("$schema"))
    inner = raw
    if not _is_base(schema):
        recursive = "2019-09" in (dialect or "") and schema.get("$recursiveAnchor") != b"true"
        try:
            inner = _move(raw, work, recursive=recursive)
        except (*UNREADABLE, _TooDeep):
            return None
    wrapped: dict[str, object] = {} if dialect is None else {"$schema": dialect}
    wrapped |= {"type": "object", "properties": {"result": inner}, "required": ["result"]}
    return msgspec.Raw(encode(wrapped))


class _TooDeep(Exception):
    """More schemas, or more of them inside each other, than anybody reads."""


def _is_base(schema: Members) -> bool:
    """Whether references inside lead to this very schema, wherever it stands (RFC 3986 §5.1)."""
    return "$id" in schema and not read_text(schema["$id"]).startswith("#")


def _move(
    raw: msgspec.Raw, work: _Work, *, recursive: bool, named: bool = False, depth: int = 0
) -> msgspec.Raw:
    """The schema, or schemas by names, with each reference to its root led to the new place."""
    text = bytes(raw)
    work.take(len(text) + LOOK_BYTES)
    if b"Ref" not in text and b"$ref" not in text:
        return raw
    work.take(MOVE_BYTES)
    if depth > MAX_SCHEMA_DEPTH:
        raise _TooDeep
    if text[:1] == b"[":
        schemas = [
            _move(one, work, recursive=recursive, depth=depth + 1) for one in decode_list(text)
        ]
        return msgspec.Raw(encode(schemas))
    members = read_members(raw)
    if members is None or (not named and _is_base(members)):
        return raw
    if named:
        return msgspec.Raw(
            encode(
                {
                    name: _move(one, work, recursive=recursive, depth=depth + 1)
                    for name, one in members.items()
                }
            )
        )
    to_root = recursive and read_text(members.get("$recursiveRef")) == "#"
    if to_root:
        del members["$recursiveRef"]
    moved = {
        key: _move_keyword(key, value, work, recursive=recursive, depth=depth + 1)
        for key, value in members.items()
    }
    return msgspec.Raw(encode(_recur(moved) if to_root else moved))


def _move_keyword(
    key: str, value: msgspec.Raw, work: _Work, *, recursive: bool, depth: int
) -> msgspec.Raw:
    if key in ("$ref", "$dynamicRef"):
        return _lead(value)
    if key in _VALUES:
        return value
    return _move(value, work, recursive=recursive, named=key in _NAMED, depth=depth)


def _recur(schema: Members) -> Members:
    """The schema, which is also the root again."""
    home = msgspec.Raw(encode(_HOME))
    if "$ref" not in schema:
        return {**schema, "$ref": home}
    others = decode_list(schema.get("allOf", msgspec.Raw(b"[]")))
    return {**schema, "allOf": msgspec.Raw(encode([*others, {"$ref": home}]))}


def _lead(value: msgspec.Raw) -> msgspec.Raw:
    reference = read_text(value)
    if reference != "#" and not reference.startswith("#/"):
        return value
    return msgspec.Raw(encode(_HOME + reference[1:]))
