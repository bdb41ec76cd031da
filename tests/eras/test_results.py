"""A result of one era is a valid result of the other. The SDK's schemas of each are the judge."""

from __future__ import annotations

import json

import pytest
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

from mcp_remote_py.eras.era_detection import error_code
from mcp_remote_py.eras.results import (
    CACHEABLE,
    to_handshake_error,
    to_handshake_result,
    to_modern_error,
    to_modern_result,
)
from mcp_remote_py.eras.wrapped_output import WrappedOutputs
from mcp_remote_py.jsonrpc import LOCAL_ERROR, Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.versions import HANDSHAKE_VERSIONS, MODERN
from tests.eras.exact import EXACT

ID = rb'"\u0062\/1"'
COMPLETE = b'"resultType":"complete"'
STALE = b'"ttlMs":0,"cacheScope":"private"'
MEMBERS = {
    "tools/list": b'"tools":[{"name":"a","inputSchema":{"type":"object"}}]',
    "prompts/list": b'"prompts":[{"name":"a"}]',
    "resources/list": b'"resources":[{"name":"a","uri":"file:///a"}]',
    "resources/templates/list": b'"resourceTemplates":[{"name":"a","uriTemplate":"file:///{a}"}]',
    "resources/read": b'"contents":[{"uri":"file:///a","text":"a"}]',
    "tools/call": b'"content":[]',
    "prompts/get": b'"messages":[]',
    "completion/complete": b'"completion":{"values":[]}',
}


def request(method: str) -> Message:
    return parse_message(b'{"id":%b,"method":"%b"}' % (ID, method.encode()))


def answer_with(result: bytes) -> Message:
    return parse_message(b'{"id":"ours","result":%b}' % result)


def fail_with(error: bytes) -> Message:
    return parse_message(b'{"id":"ours","error":%b}' % error)


def to_handshake(method: str, result: bytes) -> bytes:
    """The result the host gets."""
    answer = to_handshake_result(request(method), answer_with(result), WrappedOutputs())
    assert not answer.is_error
    assert answer.raw == b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (ID, answer.result)
    return answer.result


def to_modern(method: str, result: bytes) -> bytes:
    """The result the host gets."""
    answer = to_modern_result(request(method), answer_with(result))
    assert answer.raw == b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (ID, answer.result)
    return answer.result


def is_valid(method: str, version: str, result: bytes) -> bool:
    try:
        validate_server_result(method, version, json.loads(result))
    except ValidationError:
        return False
    return True


# ------------------------------------------------------------------------- to a handshake


NAME = b'"io.modelcontextprotocol/serverInfo":{"name":"a","version":"1"}'


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("meta", "left"),
    [
        (b'"_meta":{%b}' % NAME, b""),
        (b'"_meta":{%b,"own":1.0}' % NAME, b',"_meta":{"own":1.0}'),
        (b'"_meta":{"own":1.0}', b',"_meta":{"own":1.0}'),
        (b'"_meta":[]', b',"_meta":[]'),
    ],
)
def test_the_name_that_a_modern_server_puts_into_each_result_is_taken_out(
    meta: bytes, left: bytes
) -> None:
    # The host has it from the handshake, and its era has no such mark.
    result = b'{"content":[],%b,%b}' % (COMPLETE, meta)
    assert to_handshake("tools/call", result) == b'{"content":[]%b}' % left


@pytest.mark.promise("E2")
@pytest.mark.parametrize("method", sorted(CACHEABLE))
def test_what_only_the_modern_era_has_is_taken_out(method: str) -> None:
    modern = (
        b'{%b,"x":{"ttlMs":1},"ttlMs":300000,"nextCursor":"c","cacheScope":"public"}' % COMPLETE
    )
    assert to_handshake(method, modern) == b'{"x":{"ttlMs":1},"nextCursor":"c"}'


@pytest.mark.promise("E2")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "x/unknown"])
def test_what_is_not_cacheable_keeps_members_that_are_only_called_so(method: str) -> None:
    modern = b'{"ttlMs":1.0,%b,"cacheScope":"x"}' % COMPLETE
    assert to_handshake(method, modern) == b'{"ttlMs":1.0,"cacheScope":"x"}'


@pytest.mark.promise("E2")
@pytest.mark.parametrize("value", EXACT)
@pytest.mark.parametrize("method", ["tools/list", "tools/call", "resources/read", "x/unknown"])
def test_all_else_in_a_result_keeps_its_bytes_for_a_handshake(method: str, value: bytes) -> None:
    modern = b'{"a":%b,%b,"_meta":{"m":%b},"b":[%b]}' % (value, COMPLETE, value, value)
    assert to_handshake(method, modern) == modern.replace(COMPLETE + b",", b"")


@pytest.mark.promise("E2")
@pytest.mark.parametrize("kind", [b'"complete"', b'"\\u0063omplete"'])
def test_a_complete_result_is_a_result(kind: bytes) -> None:
    assert to_handshake("prompts/get", b'{"resultType":%b,"a":1}' % kind) == b'{"a":1}'


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (b'"input_required"', '"input_required"'),
        (b'"task"', '"task"'),
        (b'"Complete"', '"Complete"'),
        (b'"a\\nb"', '"a b"'),
        (b'""', '""'),
        (b"null", '""'),
        (b"5", '""'),
    ],
)
def test_a_result_of_any_other_kind_is_an_error_that_names_it(kind: bytes, named: str) -> None:
    modern = answer_with(b'{"resultType":%b,"content":[]}' % kind)
    answer = to_handshake_result(request("tools/call"), modern, WrappedOutputs())
    assert answer.raw_id == ID
    assert error_code(answer) == LOCAL_ERROR
    assert f"of the kind {named}," in json.loads(answer.error)["message"]


@pytest.mark.parametrize("result", [b"null", b"[ 1.0 ]", b'"resultType"', b"5"])
def test_a_result_that_is_not_an_object_is_the_hosts_to_judge(result: bytes) -> None:
    assert to_handshake("tools/list", result) == result


@pytest.mark.report("E5")
@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("structured", "text"),
    [
        (b"5", "5"),
        (b"1.0", "1.0"),
        (b"12345678901234567890123", "12345678901234567890123"),
        (b"null", "null"),
        (b"[1,2]", "[1,2]"),
        (b'[ {"a" : 1.0} ]', '[ {"a" : 1.0} ]'),
        (rb'"a\n\u0041\"\\"', r'"a\n\u0041\"\\"'),
        ('"é😀\u2028"'.encode(), '"é😀\u2028"'),
        (b"true", "true"),
    ],
)
@pytest.mark.parametrize("content", [b"", b'"content":[],', b'"content":[ ],'])
def test_structured_content_that_is_not_an_object_is_wrapped_and_said(
    content: bytes, structured: bytes, text: str
) -> None:
    modern = b'{%b%b,"structuredContent":%b}' % (content, COMPLETE, structured)
    legacy = to_handshake("tools/call", modern)
    wrapped = b'"structuredContent":{"result":%b}' % structured
    assert wrapped in legacy
    assert json.loads(legacy)["content"] == [{"type": "text", "text": text}]
    assert all(is_valid("tools/call", version, legacy) for version in HANDSHAKE_VERSIONS)


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("modern", "legacy"),
    [
        (
            b'{"content":[{"type":"text","text":"\\u0041"}],"structuredContent":[1]}',
            b'{"content":[{"type":"text","text":"\\u0041"}],"structuredContent":{"result":[1]}}',
        ),
        (
            b'{"content":[],"structuredContent":{ "n":1.0 }}',
            b'{"content":[],"structuredContent":{ "n":1.0 }}',
        ),
        (b'{"structuredContent":{}}', b'{"structuredContent":{}}'),
        (b'{"content":[],"isError":true}', b'{"content":[],"isError":true}'),
        (b"{}", b"{}"),
    ],
)
def test_structured_content_beside_a_text_or_in_an_object_is_said_already(
    modern: bytes, legacy: bytes
) -> None:
    assert to_handshake("tools/call", modern) == legacy


def test_only_the_result_of_a_call_has_structured_content() -> None:
    assert to_handshake("prompts/get", b'{"structuredContent":5}') == b'{"structuredContent":5}'


DEEP = b'{"not":' * 80 + b'{"$ref":"#"}' + b"}" * 80
OBJECT_SCHEMA = b'{"name":"o","inputSchema":{"type":"object"},"outputSchema":{ "type" : "object" }}'
NO_SCHEMA = b'{ "name":"outputSchema" , "inputSchema":{"type":"object"},"n":1.0}'


@pytest.mark.promise("E2")
@pytest.mark.report("E5")
@pytest.mark.parametrize(
    "schema",
    [
        b'{"type":"string"}',
        b'{"type":"array","items":{"type":"object"}}',
        b'{"type":["object","null"]}',
        b'{"anyOf":[{"type":"object"}]}',
        b'{"properties":{"type":{"type":"object"}}}',
        b"{}",
    ],
)
def test_an_output_schema_of_no_object_is_wrapped(schema: bytes) -> None:
    tool = b'{"n":-0.0,"name":"a","outputSchema":%b,"inputSchema":{ "type":"object" }}'
    wrapped = b'{"type":"object","properties":{"result":%b},"required":["result"]}' % schema
    legacy = to_handshake("tools/list", b'{"tools":[%b,%b]}' % (tool % schema, OBJECT_SCHEMA))
    assert legacy == b'{"tools":[%b,%b]}' % (tool % wrapped, OBJECT_SCHEMA)
    assert all(is_valid("tools/list", version, legacy) for version in HANDSHAKE_VERSIONS)


@pytest.mark.promise("E2")
@pytest.mark.parametrize("schema", [b"true", b"null", b"[]", DEEP])
def test_what_is_not_a_schema_costs_the_schema_and_not_the_list(schema: bytes) -> None:
    tool = b'{"n":-0.0,"name":"a","outputSchema":%b,"inputSchema":{ "type":"object" }}' % schema
    plain = b'{"n":-0.0,"name":"a","inputSchema":{ "type":"object" }}'
    modern = b'{"tools":[%b, %b , %b],"ttlMs":1,%b}' % (tool, NO_SCHEMA, OBJECT_SCHEMA, COMPLETE)
    legacy = to_handshake("tools/list", modern)
    assert legacy == b'{"tools":[%b,%b,%b]}' % (plain, NO_SCHEMA, OBJECT_SCHEMA)
    assert all(is_valid("tools/list", version, legacy) for version in HANDSHAKE_VERSIONS)


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    "result",
    [
        b'{"tools":[ {"name":"a"} ]}',
        b'{"tools":{"outputSchema":{}}}',
        b'{"tools":["outputSchema",{},null]}',
        b'{"tools":null}',
        b"{}",
    ],
)
def test_a_list_without_output_schemas_keeps_its_bytes(result: bytes) -> None:
    assert to_handshake("tools/list", result) == result


@pytest.mark.promise("E2")
@pytest.mark.parametrize("version", sorted(HANDSHAKE_VERSIONS))
@pytest.mark.parametrize("method", sorted(MEMBERS))
def test_a_modern_result_is_valid_for_every_handshake(method: str, version: str) -> None:
    hints = b',"ttlMs":5,"cacheScope":"public"' if method in CACHEABLE else b""
    modern = b"{%b,%b%b}" % (COMPLETE, MEMBERS[method], hints)
    assert is_valid(method, MODERN, modern)
    legacy = to_handshake(method, modern)
    assert legacy == b"{%b}" % MEMBERS[method]
    assert is_valid(method, version, legacy)


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    "error",
    [
        b'{"code":-32602,"message":"m","data":{"uri":"u","n":1.0}}',
        b'{"message":"\\u0041","code":-32602}',
    ],
)
def test_a_resource_that_is_not_found_has_another_code_for_a_handshake(error: bytes) -> None:
    line = to_handshake_error(request("resources/read"), fail_with(error)).raw
    expected = error.replace(b"-32602", b"-32002")
    assert line == b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (ID, expected)


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("tools/call", b'{ "code":-32602,"message":"m","data":[ 1.0 ] }'),
        ("resources/list", b'{"code":-32602,"message":"m"}'),
        ("resources/read", b'{ "code":-32603,"message":"m","x":1E+3 }'),
        ("resources/read", b'{"code":"-32602","message":"m"}'),
        ("resources/read", b'{"message":"m"}'),
        ("resources/read", b'"-32602"'),
        ("resources/read", b"null"),
    ],
)
def test_every_other_error_keeps_its_bytes_for_a_handshake(method: str, error: bytes) -> None:
    line = to_handshake_error(request(method), fail_with(error)).raw
    assert line == b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (ID, error)


# ------------------------------------------------------------------------- to the modern era


@pytest.mark.promise("E3")
@pytest.mark.parametrize("method", sorted(MEMBERS))
def test_a_result_of_a_handshake_is_valid_for_a_modern_client(method: str) -> None:
    legacy = b"{%b}" % MEMBERS[method]
    assert all(is_valid(method, version, legacy) for version in HANDSHAKE_VERSIONS)
    assert not is_valid(method, MODERN, legacy)
    assert is_valid(method, MODERN, to_modern(method, legacy))


@pytest.mark.promise("E3")
@pytest.mark.parametrize("method", sorted(CACHEABLE))
def test_what_is_cacheable_is_said_to_be_old_at_once_and_the_persons_own(method: str) -> None:
    assert to_modern(method, b'{"a":1.0}') == b'{%b,%b,"a":1.0}' % (COMPLETE, STALE)


@pytest.mark.promise("E3")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "completion/complete", ""])
def test_what_is_not_cacheable_is_only_said_to_be_complete(method: str) -> None:
    assert to_modern(method, b"{}") == b"{%b}" % COMPLETE


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("legacy", "modern"),
    [
        (b'{"ttlMs":5.0}', b'{%b,"cacheScope":"private","ttlMs":5.0}' % COMPLETE),
        (b'{"cacheScope":"public"}', b'{%b,"ttlMs":0,"cacheScope":"public"}' % COMPLETE),
        (b'{"resultType":"x"}', b'{%b,"resultType":"x"}' % STALE),
    ],
)
def test_what_a_result_says_itself_is_not_said_anew(legacy: bytes, modern: bytes) -> None:
    assert to_modern("tools/list", legacy) == modern


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("tools/list", b'{ "tools":[ ], "ttlMs":1, "resultType":"complete", "cacheScope":"x" }'),
        ("tools/call", b'{ "content":[ ], "resultType":"input_required" }'),
        ("tools/list", b"[ 1.0 ]"),
        ("tools/call", b"null"),
    ],
)
def test_a_result_that_lacks_nothing_or_is_not_an_object_is_its_own_bytes(
    method: str, result: bytes
) -> None:
    assert to_modern(method, result) == result


@pytest.mark.promise("E3")
@pytest.mark.parametrize("value", EXACT)
def test_all_else_in_a_result_keeps_its_bytes_for_a_modern_client(value: bytes) -> None:
    members = b'"a":%b,"_meta":{"m":%b},"b":[%b]' % (value, value, value)
    assert to_modern("tools/call", b"{%b}" % members) == b"{%b,%b}" % (COMPLETE, members)


@pytest.mark.promise("E1", "E2", "E3")
@pytest.mark.parametrize("value", EXACT)
@pytest.mark.parametrize("method", sorted(MEMBERS))
def test_a_result_that_crosses_twice_is_what_it_was(method: str, value: bytes) -> None:
    legacy = b'{%b,"x":%b}' % (MEMBERS[method], value)
    assert to_handshake(method, to_modern(method, legacy)) == legacy


@pytest.mark.promise("E3")
@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe"])
def test_a_resource_that_is_not_found_has_the_modern_code(method: str) -> None:
    error = fail_with(b'{"code":-32002,"message":"m","data":{"uri":"u","n":1.0}}')
    line = to_modern_error(request(method), error).raw
    expected = b'{"code":-32602,"message":"m","data":{"uri":"u","n":1.0}}'
    assert line == b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (ID, expected)


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    "error",
    [
        b'{ "code":-32602,"message":"m","data":[ 1.0 ] }',
        b'{"code":-32000,"message":"\\u0041"}',
        b'{"code":"-32002","message":"m"}',
        b'{"message":"m"}',
        b'"-32002"',
        b"null",
    ],
)
def test_every_other_error_keeps_its_bytes_for_a_modern_client(error: bytes) -> None:
    line = to_modern_error(request("resources/read"), fail_with(error)).raw
    assert line == b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (ID, error)


def test_a_text_takes_the_place_of_what_is_not_an_object_whatever_the_blanks() -> None:
    answer = parse_message(b'{"id":1,"result":{"content":[\t ],"structuredContent":5}}')
    call = parse_message(b'{"id":1,"method":"tools/call"}')
    line = to_handshake_result(call, answer, WrappedOutputs()).raw
    assert json.loads(line)["result"]["content"] == [{"type": "text", "text": "5"}]


def test_an_error_of_2025_11_25_alone_says_which_capability_is_missing() -> None:
    request = parse_message(b'{"id":1,"method":"tools/call"}')
    answer = parse_message(b'{"id":1,"error":{"code":-32042,"message":"x"}}')
    error = json.loads(to_modern_error(request, answer).raw)["error"]
    assert error["code"] == -32021
    assert error["data"] == {"requiredCapabilities": {"elicitation": {"url": {}}}}


def test_a_code_of_the_specification_is_not_an_older_servers() -> None:
    request = parse_message(b'{"id":1,"method":"tools/call"}')
    answer = parse_message(b'{"id":1,"error":{"code":-32050,"message":"x","data":1.0}}')
    assert (
        b'"error":{"code":-32603,"message":"x","data":1.0}' in to_modern_error(request, answer).raw
    )
