"""What a tool gives that is not an object, as an older host takes it: by schema and by value."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.eras.wrapped_output import MAX_MOVED, MAX_WRAPPED_TOOLS, WrappedOutputs
from mcp_remote_py.json_text import spell_members

pytestmark = [pytest.mark.report("E5"), pytest.mark.promise("E2")]


def list_tool(outputs: WrappedOutputs, schema: Any, name: str = "a") -> Any:
    """The schema that a host sees."""
    tools = msgspec.Raw(json.dumps([{"name": name, "outputSchema": schema}]).encode())
    members = {"tools": tools}
    outputs.wrap_tools(members)
    return json.loads(bytes(members["tools"]))[0].get("outputSchema")


def inner(schema: Any) -> Any:
    wrapped = list_tool(WrappedOutputs(), schema)
    assert (wrapped["type"], wrapped["required"]) == ("object", ["result"])
    return wrapped["properties"]["result"]


def call_tool(outputs: WrappedOutputs, value: Any, name: str = "a", **more: Any) -> Any:
    members = {
        key: msgspec.Raw(json.dumps(one).encode())
        for key, one in {"structuredContent": value, **more}.items()
    }
    result = outputs.wrap_result(name, members)
    return json.loads(b"".join(map(bytes, spell_members(result))))


def test_an_object_is_wrapped_where_its_schema_was() -> None:
    """A host checks the one by the other."""
    outputs = WrappedOutputs()
    assert call_tool(outputs, {"b": 1}) == {"structuredContent": {"b": 1}}
    list_tool(outputs, {"anyOf": [{"type": "object"}, {"type": "string"}]})
    assert call_tool(outputs, {"b": 1}) == {"structuredContent": {"result": {"b": 1}}}
    assert call_tool(outputs, {"b": 1}, "another") == {"structuredContent": {"b": 1}}
    list_tool(outputs, {"type": "object"})
    assert call_tool(outputs, {"b": 1}) == {"structuredContent": {"b": 1}}


def test_a_value_is_said_as_a_text_unless_there_is_one() -> None:
    image = {"type": "image", "data": ""}
    said = call_tool(WrappedOutputs(), [1], content=[image])
    assert said["content"] == [image, {"type": "text", "text": "[1]"}]
    text = {"type": "text", "text": "x"}
    assert call_tool(WrappedOutputs(), [1], content=[text])["content"] == [text]
    assert call_tool(WrappedOutputs(), 5, content="odd")["content"] == "odd"


def test_a_long_value_is_wrapped_and_not_written_twice() -> None:
    value = "x" * LONG_BYTES
    assert call_tool(WrappedOutputs(), value) == {"structuredContent": {"result": value}}
    assert "content" in call_tool(WrappedOutputs(), value[:1000])


@pytest.mark.parametrize(
    ("reference", "moved"),
    [
        ("#", "#/properties/result"),
        ("#/$defs/a", "#/properties/result/$defs/a"),
        ("#anchor", "#anchor"),
        ("https://example.com/s#/a", "https://example.com/s#/a"),
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_references_to_the_root_are_led_to_its_new_place(
    keyword: str, reference: str, moved: str
) -> None:
    schema = {"type": "array", "items": {keyword: reference}, "anyOf": [{keyword: reference}]}
    assert inner(schema) == {
        "type": "array",
        "items": {keyword: moved},
        "anyOf": [{keyword: moved}],
    }


def test_what_only_looks_like_a_reference_stays() -> None:
    ref = {"$ref": "#"}
    to_root = {"$ref": "#/properties/result"}
    assert inner({"enum": [ref], "const": ref, "default": ref}) == {
        "enum": [ref],
        "const": ref,
        "default": ref,
    }
    named = {"$defs": {"enum": ref, "$ref": ref}}
    assert inner(named) == {"$defs": {"enum": to_root, "$ref": to_root}}
    based = {"$id": "https://example.com/s", "items": ref}
    assert inner(based) == based
    assert inner({"items": based}) == {"items": based}
    assert inner({"$id": "#s", "items": ref}) == {"$id": "#s", "items": to_root}


def test_recursion_of_2019_leads_to_the_root() -> None:
    dialect = "https://json-schema.org/draft/2019-09/schema"
    again = {"$recursiveRef": "#"}
    to_root = {"$ref": "#/properties/result"}
    wrapped = list_tool(WrappedOutputs(), {"$schema": dialect, "items": again})
    assert wrapped["$schema"] == dialect
    assert wrapped["properties"]["result"]["items"] == to_root
    both = {"$schema": dialect, "items": {**again, "$ref": "#/a"}}
    assert inner(both)["items"] == {"$ref": "#/properties/result/a", "allOf": [to_root]}
    assert inner({"items": again})["items"] == again


@pytest.mark.report("S4")
def test_references_are_moved_in_so_many_bytes_of_one_list() -> None:
    """A tool past them does without a schema, and its results go by their value."""
    schema = {"items": {"$ref": "#"}, "description": "x" * (MAX_MOVED // 10)}
    listed = [{"name": name, "outputSchema": schema} for name in "abcdefgh"]
    for outputs in (WrappedOutputs(), WrappedOutputs()):
        members = {"tools": msgspec.Raw(json.dumps(listed).encode())}
        outputs.wrap_tools(members)
        described = [tool["name"] for tool in json.loads(bytes(members["tools"])) if len(tool) == 2]
        assert described == ["a", "b", "c", "d"]
        assert call_tool(outputs, [1], "a") == call_tool(outputs, [1], "h")


@pytest.mark.report("S4")
def test_so_many_tools_are_remembered_and_the_others_go_by_their_value() -> None:
    outputs = WrappedOutputs()
    for number in range(MAX_WRAPPED_TOOLS + 1):
        list_tool(outputs, {"type": "string"}, f"t{number}")
    value = {"b": 1}
    assert call_tool(outputs, value, "t0") == {"structuredContent": {"result": value}}
    last = call_tool(outputs, value, f"t{MAX_WRAPPED_TOOLS}")
    assert last == {"structuredContent": value}
    assert call_tool(outputs, [1], f"t{MAX_WRAPPED_TOOLS}")["structuredContent"] == {"result": [1]}
