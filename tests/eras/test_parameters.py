"""A marked parameter travels in a header as well, and a tool whose mark breaks a rule not at all.

The SDK is the judge: of which marks are valid, and of the headers that come with a call.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import (
    decode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    validate_mcp_param_headers,
    x_mcp_header_map,
)

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.eras.parameters import (
    MARK,
    MAX_MARKED_PARTS,
    MAX_PATH,
    MAX_TOLD,
    InvalidMark,
    ParameterHeaders,
    Path,
    encode_header_value,
    read_marks,
)
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from tests.eras.exact import EXACT
from tests.fakes import call_deeper

Json = dict[str, Any]


def marked(name: object, kind: object = "string") -> Json:
    return {"type": kind, MARK: name}


def schema_of(**properties: object) -> Json:
    return {"type": "object", "properties": properties}


def list_tools(*tools: bytes) -> bytes:
    return b'{"id":1,"result":{"tools":[%b]}}' % b",".join(tools)


def tool(name: str, schema: object) -> bytes:
    return json.dumps({"name": name, "inputSchema": schema}).encode()


def taught(*tools: bytes) -> ParameterHeaders:
    known = ParameterHeaders()
    known.learn(parse_message(list_tools(*tools)))
    return known


def call(known: ParameterHeaders, name: str, arguments: bytes) -> list[tuple[bytes, bytes]]:
    params = b'{"name":%b,"arguments":%b}' % (json.dumps(name).encode(), arguments)
    return known.headers(parse_message(b'{"id":1,"method":"tools/call","params":%b}' % params))


def why_invalid(schema: object) -> str:
    with pytest.raises(InvalidMark) as caught:
        read_marks(schema)
    return str(caught.value)


# ------------------------------------------------------------------------- marks


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    ("schema", "marks"),
    [
        (schema_of(a=marked("Region")), {("a",): "Region"}),
        (schema_of(a=marked("A", "integer"), b=marked("B", "boolean")), {("a",): "A", ("b",): "B"}),
        (schema_of(a=schema_of(b=schema_of(c=marked("X")))), {("a", "b", "c"): "X"}),
        (schema_of(a={**schema_of(b=marked("B")), **marked("A")}), {("a",): "A", ("a", "b"): "B"}),
        (schema_of(a=marked("!#$%&'*+-.^_`|~09azAZ")), {("a",): "!#$%&'*+-.^_`|~09azAZ"}),
        (schema_of(**{MARK: marked("A")}), {(MARK,): "A"}),
        (schema_of(**{"": marked("A"), "a.b": marked("B")}), {("",): "A", ("a.b",): "B"}),
        (schema_of(a={**marked("A"), "$ref": "#/$defs/x"}), {("a",): "A"}),
        (schema_of(a={"type": "string"}, b=True, c=None), {}),
        ({}, {}),
        (None, {}),
        (True, {}),
        ([marked("A")], {}),
        ({"properties": [marked("A")]}, {}),
        ({"properties": None, "items": None, "$defs": [marked("A")], "anyOf": {}}, {}),
    ],
)
def test_a_mark_is_reached_through_properties(schema: object, marks: dict[Path, str]) -> None:
    assert read_marks(schema) == marks
    assert find_invalid_x_mcp_header(schema) is None
    assert x_mcp_header_map(schema) == marks


@pytest.mark.parametrize("keyword", ["default", "const", "enum", "examples", "x-other", "required"])
@pytest.mark.parametrize("value", [marked("B"), [marked("B")], {"properties": {"b": marked("B")}}])
def test_data_that_looks_like_a_mark_is_not_one(keyword: str, value: object) -> None:
    schema = schema_of(a={**marked("A"), keyword: value})
    assert find_invalid_x_mcp_header(schema) is None
    assert read_marks(schema) == {("a",): "A"}


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a:b", "größe", "a\n", "a\r\nX-Evil: 1", "a/b", "a\0", 5, None, True, []],
)
def test_a_mark_must_be_the_name_of_a_header(name: object) -> None:
    schema = schema_of(a=schema_of(b=marked(name)))
    assert why_invalid(schema) == f"{MARK} of a.b is not the name of an HTTP header."
    assert find_invalid_x_mcp_header(schema) is not None


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    "kind", ["number", "object", "array", "null", "String", "", ["string"], None, 5, {}]
)
def test_a_marked_parameter_is_a_string_an_integer_or_a_boolean(kind: object) -> None:
    schema = schema_of(a=marked("A", kind))
    expected = f"{MARK} of a is for a string, an integer or a boolean only."
    assert why_invalid(schema) == expected
    assert why_invalid(schema_of(a={MARK: "A"})) == expected
    assert find_invalid_x_mcp_header(schema) is not None


@pytest.mark.promise("E1")
def test_no_two_marks_are_one_header() -> None:
    schema = schema_of(a=marked("Tenant-ID"), b=schema_of(c=marked("tenant-id", "integer")))
    assert why_invalid(schema) == f"{MARK} of b.c is that of a too."
    assert find_invalid_x_mcp_header(schema) is not None


BESIDE = [
    *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
]
LISTED = ["allOf", "anyOf", "oneOf", "prefixItems"]
NAMED = ["$defs", "definitions", "dependentSchemas", "patternProperties"]


def itself(place: Json) -> object:
    return place


def in_a_list(place: Json) -> object:
    return [True, place]


def by_name(place: Json) -> object:
    return {"x": place}


@pytest.mark.promise("E1")
@pytest.mark.parametrize("place", [marked("A"), schema_of(a=marked("A"))])
@pytest.mark.parametrize(
    ("keyword", "wrap"),
    [
        *[(keyword, itself) for keyword in BESIDE],
        *[(keyword, in_a_list) for keyword in LISTED],
        *[(keyword, by_name) for keyword in NAMED],
    ],
)
def test_no_other_keyword_may_lead_to_a_mark(
    keyword: str, wrap: Callable[[Json], object], place: Json
) -> None:
    root = {keyword: wrap(place)}
    for schema in (root, schema_of(p=root)):
        assert why_invalid(schema) == f"{MARK} stands where no chain of `properties` leads to."
        assert find_invalid_x_mcp_header(schema) is not None


@pytest.mark.promise("E1")
def test_the_root_is_not_a_parameter() -> None:
    assert why_invalid(marked("A")) == f"{MARK} stands where no chain of `properties` leads to."
    assert find_invalid_x_mcp_header(marked("A")) is not None


def test_a_list_of_items_may_not_lead_to_a_mark_either() -> None:
    """As before 2020-12; the SDK does not look there, the specification says "anywhere else"."""
    schema = schema_of(p={"type": "array", "items": [True, marked("A")]})
    assert why_invalid(schema) == f"{MARK} stands where no chain of `properties` leads to."


TYPES = st.sampled_from(["string", "integer", "boolean"])
HEADERS = st.sampled_from(["A", "B", "C", "D-1", "E", "F", "G"])
ODD_HEADERS = st.sampled_from(["a", "", "a b", "ä", 5, None])
PROPERTIES = st.sampled_from(["a", "b", "c", "", MARK, "properties"])
MARKS = st.builds(marked, HEADERS, TYPES)
LEAVES = (
    MARKS
    | st.builds(marked, HEADERS | ODD_HEADERS, TYPES | st.sampled_from(["number", None]))
    | st.just({"type": "string"})
    | st.none()
    | st.booleans()
)


def nest(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    properties = st.fixed_dictionaries({"properties": st.dictionaries(PROPERTIES, inner)})
    data = st.dictionaries(st.sampled_from(["default", "enum", "$ref", "const"]), inner)
    others = (
        st.dictionaries(st.sampled_from(BESIDE), inner, max_size=1)
        | st.dictionaries(st.sampled_from(LISTED), st.lists(inner, max_size=2), max_size=1)
        | st.dictionaries(
            st.sampled_from(NAMED), st.dictionaries(PROPERTIES, inner, max_size=2), max_size=1
        )
    )
    return (
        properties
        | st.builds(merge, MARKS, properties, data)
        | st.builds(merge, properties, others, data)
    )


def merge(*parts: Json) -> Json:
    return {name: value for part in parts for name, value in part.items()}


SCHEMAS = st.recursive(LEAVES, nest, max_leaves=8)


@pytest.mark.promise("E1")
@given(SCHEMAS | st.builds(schema_of, a=MARKS, b=SCHEMAS))
def test_marks_are_those_of_the_sdk(schema: object) -> None:
    if find_invalid_x_mcp_header(schema) is None:
        assert read_marks(schema) == x_mcp_header_map(schema)
    else:
        assert why_invalid(schema)


# ------------------------------------------------------------------------- lists

REGION = b'{"name":"a","inputSchema":{"properties":{"r":{"type":"string","x-mcp-header":"R"}}}}'
BROKEN = b'{"name":"rm","inputSchema":{"properties":{"r":{"x-mcp-header":"R"}}}}'
ODD = [
    *(b'{"name":"n","x":%b}' % value for value in EXACT),
    *(b"{}", b'{"name":5}', b"[ 1 ]", b'"x-mcp-header"', b"null"),
    b'{ "name":"b" , "inputSchema":{ "x":1.0 } }',
]


@pytest.mark.promise("R2", "E1")
@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"x":0, "result":{ "tools" : [%b] } }' % b" , ".join(ODD),
        b'{ "id":1,"result":{"tools":[ %b ,%b]} }' % (REGION, b" , ".join(ODD)),
        b'{ "id":1,"result":{"tools":[ ]} }',
        b'{ "id":1,"result":{"tools":{"x-mcp-header":1}} }',
        b'{ "id":1,"result":{"other":"x-mcp-header"} }',
        b'{ "id":1,"result":["x-mcp-header"] }',
        b'{ "id":1,"error":{"code":1,"message":"x-mcp-header"} }',
    ],
)
def test_a_list_without_a_broken_mark_is_its_own_bytes(line: bytes) -> None:
    assert ParameterHeaders().learn(parse_message(line)).raw == line
    assert taught(REGION).learn(parse_message(line)).raw == line


@pytest.mark.promise("R2", "E1")
def test_a_tool_with_a_broken_mark_is_left_out_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = (
        b'{"x":1.0,"result":{"b":1.0,"tools":[ %b, %b ,%b],"nextCursor":"\\u0041"},'
        b'"id":"\\u0062","jsonrpc":"2.0"}'
    )
    odd = b",".join(ODD)
    with caplog.at_level(logging.WARNING):
        left = (
            ParameterHeaders().learn(parse_message(line % (REGION, BROKEN, b" , ".join(ODD)))).raw
        )
    expected = line.replace(b"[ %b, %b ,%b]", b"[%b,%b]")
    assert left == expected % (REGION, odd)
    assert caplog.messages == [
        "The tool rm is left out: x-mcp-header of r is for a string, an integer or a boolean only."
    ]


@pytest.mark.report("S4")
def test_marks_are_looked_for_in_so_many_values_of_one_list(
    caplog: pytest.LogCaptureFixture,
) -> None:
    marked = b'{"name":"%b%d","inputSchema":{"enum":[%b0],"description":"x%b"}}'
    values = b"0," * (MAX_MARKED_PARTS // 20)
    dear = [marked % (b"m", number, values, rb"\n") for number in range(40)]
    cheap = [marked % (b"p", number, values, b"") for number in range(40)]
    known = taught(REGION)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            left = known.learn(parse_message(list_tools(*dear, *cheap, REGION)))
        kept = [one["name"] for one in json.loads(left.raw)["result"]["tools"]]
        assert kept == [*(f"m{number}" for number in range(19)), *(f"p{n}" for n in range(40))]
        told = "The tool m19 is left out: its schema has too many parts."
        assert (caplog.messages[0], len(caplog.messages)) == (told, MAX_TOLD + 1)
        assert caplog.messages[-1] == "12 more tools are left out."


@pytest.mark.report("S4")
def test_a_mark_may_not_stand_below_very_many_properties() -> None:
    def nested(depth: int) -> object:
        return {"properties": {"a": nested(depth - 1)}} if depth else marked("A")

    assert list(read_marks(nested(MAX_PATH)).values()) == ["A"]
    with pytest.raises(InvalidMark, match="no chain of `properties` leads to"):
        read_marks(nested(MAX_PATH + 1))


@pytest.mark.promise("R1")
@pytest.mark.parametrize("depth", range(600, 1000, 20))
def test_a_marked_schema_that_is_too_deep_is_not_a_crash(depth: int) -> None:
    schema = b'{"x-mcp-header":' * depth + b"0" + b"}" * depth
    tool = b'{"name":"b","inputSchema":%b}' % schema
    try:
        answer = parse_message(list_tools(tool))
    except InvalidMessage:
        return
    left = call_deeper(100, lambda: ParameterHeaders().learn(answer).raw)
    assert left in (answer.raw, b'{"id":1,"result":{"tools":[]}}')


@pytest.mark.promise("R1")
def test_a_schema_that_no_stack_is_left_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """At some depth of the program Python 3.11 cannot read it; a newer one does, at any."""
    depth = 700
    schema = b'{"x-mcp-header":' * depth + b"0" + b"}" * depth
    answer = parse_message(list_tools(b'{"name":"b","inputSchema":%b}' % schema))
    told: set[str] = set()
    for frames in range(0, 600, 2):
        caplog.clear()
        left = cast("bytes", call_deeper(frames, lambda: ParameterHeaders().learn(answer).raw))
        assert left == (b'{"id":1,"result":{"tools":[]}}' if caplog.messages else answer.raw)
        told |= {*caplog.messages}
    is_left_out = "The tool b is left out: "
    judged = f"{is_left_out}{MARK} stands where no chain of `properties` leads to."
    too_deep = f"{is_left_out}its schema is nested too deeply."
    assert told == ({judged, too_deep} if sys.version_info < (3, 12) else {judged})


def test_a_list_of_nothing_but_broken_tools_is_empty() -> None:
    line = ParameterHeaders().learn(parse_message(list_tools(BROKEN, BROKEN))).raw
    assert json.loads(line) == {"id": 1, "result": {"tools": []}}


@pytest.mark.promise("S2")
def test_no_name_of_a_tool_or_parameter_can_begin_another_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        taught(tool("a\nb\x1b[2J" + "n" * 1000, schema_of(**{"c\r\nd" * 1000: {MARK: "A"}})))
    (message,) = caplog.messages
    assert message.isprintable()
    assert message.startswith("The tool a b [2Jnnn")
    assert "… is left out: x-mcp-header of c dc dc d" in message
    assert len(message) < 600


# ------------------------------------------------------------------------- calls


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    ("value", "header"),
    [
        (b'"us-west1"', b"us-west1"),
        (b'"\\u0041\\/"', b"A/"),
        (b'"Hello, \xe4\xb8\x96\xe7\x95\x8c"', b"=?base64?SGVsbG8sIOS4lueVjA==?="),
        (b'" padded "', b"=?base64?IHBhZGRlZCA=?="),
        (b'"line1\\nline2"', b"=?base64?bGluZTEKbGluZTI=?="),
        (b'"=?base64?literal?="', b"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        (b'""', b"=?base64??="),
        (rb'"\ud800"', b"=?base64?77+9?="),
        (b"42", b"42"),
        (b"-7", b"-7"),
        (b"0", b"0"),
        (b"42.0", b"42"),
        (b"-0.0", b"0"),
        (b"1E+3", b"1000"),
        (b"1e22", b"10000000000000000000000"),
        (b"12345678901234567890123", b"12345678901234567890123"),
        (b"4.5", b"4.5"),
        (b"true", b"true"),
        (b"false", b"false"),
    ],
)
def test_a_value_is_said_in_a_header(value: bytes, header: bytes) -> None:
    assert call(taught(REGION), "a", b'{"r":%b}' % value) == [(b"Mcp-Param-R", header)]


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    "arguments",
    [
        *(b"{}", b'{"r":null}', b'{"r":{}}', b'{"r":["a"]}', b'{"R":"a"}', b'{"x":{"r":"a"}}'),
        *(b"null", b'"r"', b'["r"]', b"5"),
    ],
)
def test_without_a_value_the_header_is_left_out(arguments: bytes) -> None:
    assert call(taught(REGION), "a", arguments) == []


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":"tools/call"}',
        b'{"id":1,"method":"tools/call","params":{"name":"a"}}',
        b'{"id":1,"method":"tools/call","params":{"arguments":{"r":"x"}}}',
        b'{"id":1,"method":"tools/call","params":{"name":5,"arguments":{"r":"x"}}}',
        b'{"id":1,"method":"tools/call","params":{"name":"other","arguments":{"r":"x"}}}',
        b'{"id":1,"method":"tools/call","params":["a"]}',
    ],
)
def test_a_call_of_a_tool_without_marks_does_not_get_headers(line: bytes) -> None:
    assert taught(REGION).headers(parse_message(line)) == []
    assert ParameterHeaders().headers(parse_message(line)) == []


@pytest.mark.promise("E1")
def test_a_value_is_read_where_its_mark_stands() -> None:
    nested = schema_of(a=schema_of(r=marked("Inner")), r=marked("Outer"), n=marked("N", "integer"))
    known = taught(tool("t", nested))
    assert call(known, "t", b'{"a":{"r":"in"},"n":1,"r":"out"}') == [
        (b"Mcp-Param-Outer", b"out"),
        (b"Mcp-Param-N", b"1"),
        (b"Mcp-Param-Inner", b"in"),
    ]
    assert call(known, "t", b'{"a":"r","n":[1]}') == []


@pytest.mark.promise("E1")
def test_pages_add_up() -> None:
    known = taught(REGION)
    other = tool("b", schema_of(x=marked("X")))
    assert known.learn(parse_message(list_tools(other))).raw == list_tools(other)
    assert call(known, "a", b'{"r":"1"}') == [(b"Mcp-Param-R", b"1")]
    assert call(known, "b", b'{"x":"2"}') == [(b"Mcp-Param-X", b"2")]


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    ("later", "headers"),
    [
        (b'{"name":"a","inputSchema":{"type":"object"}}', []),
        (b'{"name":"a"}', []),
        (REGION.replace(b'"string"', b'"number"'), []),
        (REGION.replace(b'"R"', b'"S"'), [(b"Mcp-Param-S", b"1")]),
        (b'{"name":"b"}', [(b"Mcp-Param-R", b"1")]),
    ],
)
def test_the_latest_that_was_said_of_a_tool_counts(
    later: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    known = taught(REGION)
    known.learn(parse_message(list_tools(later)))
    assert call(known, "a", b'{"r":"1"}') == headers


VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": st.text(),
    "integer": st.integers() | st.integers(-(2**53), 2**53).map(float),
    "boolean": st.booleans(),
}
NO_SCALARS: st.SearchStrategy[object] = st.sampled_from([None, [], Json(), ["a"]])


@st.composite
def marked_calls(draw: st.DrawFn) -> tuple[Json, Json]:
    """A valid schema, and arguments for it in which some are missing."""
    schema, arguments = schema_of(), Json()
    names = draw(st.lists(HEADERS, unique=True, min_size=1))
    for name in names:
        kind = draw(TYPES)
        path = [*draw(st.lists(PROPERTIES, max_size=2)), name]
        part, values = schema, arguments
        for step in path[:-1]:
            part = part["properties"].setdefault(step, schema_of())
            values = values.setdefault(step, {})
        part["properties"][path[-1]] = marked(name, kind)
        if draw(st.booleans()):
            values[path[-1]] = draw(VALUES[kind] | NO_SCALARS)
    return schema, arguments


def without_fractions(arguments: Json) -> Json:
    """The arguments with 42 for 42.0, as a decimal integer is written."""
    return json.loads(json.dumps(arguments), parse_float=lambda text: int(float(text)))


def decoded(headers: dict[str, str]) -> dict[str, str | None]:
    return {name: decode_header_value(value) for name, value in headers.items()}


@pytest.mark.promise("E1")
@given(marked_calls())
def test_the_headers_of_a_call_are_those_a_server_of_the_sdk_wants(
    marked_call: tuple[Json, Json],
) -> None:
    schema, arguments = marked_call
    found = call(taught(tool("t", schema)), "t", json.dumps(arguments).encode())
    headers = {name.decode(): value.decode("ascii") for name, value in found}
    assert len(headers) == len(found)
    assert validate_mcp_param_headers(schema, arguments, headers) is None
    wanted = mcp_param_headers(x_mcp_header_map(schema), without_fractions(arguments))
    assert decoded(headers) == decoded(wanted)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("depth", range(840, 1000, 20))
def test_what_was_just_shallow_enough_to_be_read_is_not_a_crash_later(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    line = b'{"id":1,"method":"tools/call","params":{"arguments":%b,"name":"a"}}' % nested
    listed = list_tools(b'{"name":"b","inputSchema":%b}' % nested)
    known = taught(REGION)
    try:
        message, answer = parse_message(line), parse_message(listed)
    except InvalidMessage:
        return
    assert call_deeper(100, lambda: known.headers(message)) == []
    assert call_deeper(100, lambda: known.learn(answer).raw) == listed


@pytest.mark.promise("R8")
def test_a_value_within_a_long_one_is_not_looked_for() -> None:
    outer = schema_of(a=schema_of(b=marked("B")), c=marked("C"))
    known = taught(tool("deep", outer))
    short = call(known, "deep", b'{"a":{"b":"x"},"c":"y"}')
    assert short == [(b"Mcp-Param-C", b"y"), (b"Mcp-Param-B", b"x")]
    padding = b"x" * LONG_BYTES
    long = call(known, "deep", b'{"a":{"b":"x","z":"%b"},"c":"y"}' % padding)
    assert long == [(b"Mcp-Param-C", b"y")]


# ------------------------------------------------------------------------- value encoding


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("us-west1", b"us-west1"),
        ("two words", b"two words"),
        ("~!a", b"~!a"),
        ("x", b"x"),
        ("Hello, 世界", b"=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", b"=?base64?IHBhZGRlZCA=?="),
        ("end ", b"=?base64?ZW5kIA==?="),
        ("line1\nline2", b"=?base64?bGluZTEKbGluZTI=?="),
        ("a\tb", b"=?base64?YQli?="),
        ("a\x7f", b"=?base64?YX8=?="),
        ("a\0", b"=?base64?YQA=?="),
        ("", b"=?base64??="),
        ("=?base64?literal?=", b"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64??=", b"=?base64?PT9iYXNlNjQ/Pz0=?="),
        ("=?base64?", b"=?base64?"),
        ("x=?base64?y?=", b"x=?base64?y?="),
        ("=?BASE64?x?=", b"=?BASE64?x?="),
    ],
)
def test_what_a_header_cannot_carry_is_base64(value: str, encoded: bytes) -> None:
    assert encode_header_value(value) == encoded
    assert decode_header_value(encoded.decode()) == value


def test_a_lone_surrogate_is_not_a_crash() -> None:
    assert encode_header_value("\ud800").startswith(b"=?base64?")


@pytest.mark.promise("S4")
@given(st.text() | st.text("=?base64 \t\r\n\0x\ud800"))
def test_a_header_value_is_plain_and_means_what_it_says(value: str) -> None:
    encoded = encode_header_value(value)
    assert encoded
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert encoded == encoded.strip()
    if "\ud800" not in value:
        assert decode_header_value(encoded.decode()) == value


UNBUILDABLE = [b"1e999", b"9" * 5000]
"""Numbers that are JSON, and that Python builds no value from."""


def learned_with(more: bytes = b"") -> ParameterHeaders:
    known = ParameterHeaders()
    tool = b'{"name":"a","inputSchema":{"properties":{"r":{"type":"string",%b"x-mcp-header":"R"}}}}'
    known.learn(parse_message(b'{"id":1,"result":{"tools":[%b]}}' % (tool % more)))
    return known


def call_with(arguments: bytes) -> Message:
    return parse_message(
        b'{"id":1,"method":"tools/call","params":{"name":"a","arguments":%b}}' % arguments
    )


@pytest.mark.parametrize("number", UNBUILDABLE)
def test_a_number_nobody_can_build_hides_no_other_parameter(number: bytes) -> None:
    found = learned_with().headers(call_with(b'{"r":"x","o":%b}' % number))
    assert found == [(b"Mcp-Param-R", b"x")]


@pytest.mark.parametrize("number", UNBUILDABLE)
def test_a_number_nobody_can_build_hides_no_mark(number: bytes) -> None:
    found = learned_with(b'"default":%b,' % number).headers(call_with(b'{"r":"x"}'))
    assert found == [(b"Mcp-Param-R", b"x")]


@pytest.mark.parametrize("number", UNBUILDABLE)
def test_a_number_goes_into_the_header_as_it_stands(number: bytes) -> None:
    assert learned_with().headers(call_with(b'{"r":%b}' % number)) == [(b"Mcp-Param-R", number)]


def test_an_error_is_not_a_list_whatever_is_in_it() -> None:
    line = b'{"id":1,"error":{"code":-1,"message":"x","tools":[{"name":"t","inputSchema":'
    answer = parse_message(line + b'{"x-mcp-header":"a"}}]}}')
    assert ParameterHeaders().learn(answer) is answer
