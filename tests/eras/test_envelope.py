"""`_meta` says what a handshake said once; it is put in and taken out, and nothing else moves."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
)

from mcp_remote_py.eras import envelope
from mcp_remote_py.eras.envelope import (
    REQUEST_MEMBERS,
    Envelope,
    is_complete,
    name_server_in,
    names_its_version,
    put_meta,
    put_missing_meta,
    read_envelope,
    read_text,
    take_meta,
)
from mcp_remote_py.json_text import encode, read_members
from mcp_remote_py.jsonrpc import Message, make_request
from mcp_remote_py.parsing import parse_message
from tests.eras.exact import EXACT

VERSION = b'"io.modelcontextprotocol/protocolVersion":"2026-07-28"'
CLIENT = b'"io.modelcontextprotocol/clientInfo"'
ABILITIES = b'"io.modelcontextprotocol/clientCapabilities"'
LEVEL = b'"io.modelcontextprotocol/logLevel"'


def request(params: bytes) -> Message:
    return make_request(b"1", "x", params)


def put(params: bytes, meta: Mapping[str, msgspec.Raw]) -> bytes:
    return make_request(b"1", "x", put_meta(request(params), meta)).params


def take(params: bytes, names: Collection[str]) -> bytes:
    left = take_meta(request(params), names)
    return params if left is None else make_request(b"1", "x", left).params


def read(params: bytes, *, head: bytes = b'"id":1,"method":"tools/list"') -> Envelope | None:
    return read_envelope(parse_message(b'{%b,"params":%b}' % (head, params)))


def read_meta(*members: bytes) -> Envelope | None:
    return read(b'{"_meta":{%b}}' % b",".join(members))


def test_the_names_are_those_of_the_sdk() -> None:
    assert envelope.VERSION == PROTOCOL_VERSION_META_KEY
    assert envelope.CLIENT_INFO == CLIENT_INFO_META_KEY
    assert envelope.CAPABILITIES == CLIENT_CAPABILITIES_META_KEY
    assert envelope.LOG_LEVEL == LOG_LEVEL_META_KEY
    assert envelope.SERVER_INFO == SERVER_INFO_META_KEY


# ------------------------------------------------------------------------- reading


@pytest.mark.promise("E3")
@pytest.mark.parametrize("value", EXACT)
def test_an_envelope_keeps_the_bytes_of_what_it_does_not_read(value: bytes) -> None:
    info, abilities = b'{"x":%b}' % value, b'{"y":%b}' % value
    found = read_meta(b"%b:%b" % (CLIENT, info), VERSION, b"%b:%b" % (ABILITIES, abilities))
    assert found == Envelope("2026-07-28", info, abilities)


def test_an_envelope_may_name_a_log_level() -> None:
    assert read_meta(VERSION, LEVEL + b':"debug"') == Envelope("2026-07-28", log_level="debug")


def test_an_envelope_may_name_its_version_alone() -> None:
    assert read_meta(VERSION) == Envelope("2026-07-28", b"", b"", "")


@pytest.mark.parametrize(
    ("meta", "complete"),
    [
        (b"%b,%b:{}" % (VERSION, ABILITIES), True),
        (VERSION, False),
        (b"%b:{}" % ABILITIES, False),
        (b"", False),
    ],
)
def test_a_request_has_to_name_its_version_and_capabilities(meta: bytes, complete: bool) -> None:
    line = b'{"id":1,"method":"server/discover","params":{"_meta":{%b}}}' % meta
    assert is_complete(parse_message(line)) is complete


def test_any_word_is_a_version_to_be_judged_by_others() -> None:
    found = read_meta(b'"io.modelcontextprotocol\\/protocolVersion":"\\u0041"')
    assert found == Envelope("A")


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b'"id":1,"method":"tools/list"', True),
        (b'"method":"notifications/cancelled"', True),
        (b'"id":1,"result":{}', False),
        (b'"id":1,"error":{}', False),
    ],
)
def test_only_requests_and_notifications_have_an_envelope(head: bytes, named: bool) -> None:
    params = b'{"_meta":{%b}}' % VERSION
    assert (read(params, head=head) is not None) is named
    message = parse_message(b'{%b,"params":%b}' % (head, params))
    assert names_its_version(message) is named


@pytest.mark.parametrize(
    "params",
    [
        b"{}",
        b'{"_meta":{}}',
        b'{"_meta":{"protocolVersion":"2026-07-28"}}',
        b'{"_meta":{%b:{"name":"protocolVersion"}}}' % CLIENT,
        b"{%b}" % VERSION,
        b'{"arguments":{"_meta":{%b}}}' % VERSION,
        b'{"_meta":{"io.modelcontextprotocol/protocolVersion":20260728}}',
        b'{"_meta":{"io.modelcontextprotocol/protocolVersion":null}}',
        b'{"_meta":"protocolVersion"}',
        b'{"_meta":null,"x":"protocolVersion"}',
        b'["protocolVersion"]',
        b'"protocolVersion"',
        b'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}',
    ],
)
def test_a_message_without_a_version_in_its_meta_does_not_have_an_envelope(params: bytes) -> None:
    assert read(params) is None


def test_a_message_without_params_does_not_have_an_envelope() -> None:
    assert read_envelope(parse_message(b'{"id":1,"method":"x","y":"protocolVersion"}')) is None


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b"", {}),
        (b"{}", {}),
        (b'{"a":1.0,"b":{ }}', {"a": b"1.0", "b": b"{ }"}),
        (b"null", None),
        (b"[]", None),
        (b"5", None),
        (b'"{}"', None),
        (b'{"a":', None),
    ],
)
def test_the_members_of_what_is_not_an_object_are_none(
    value: bytes, members: dict[str, bytes] | None
) -> None:
    found = read_members(value)
    assert (found and {name: bytes(raw) for name, raw in found.items()}) == members


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b'"complete"', "complete"),
        (msgspec.Raw(b'"\\u0041"'), "A"),
        (b'""', ""),
        (None, ""),
        (b"", ""),
        (b"5", ""),
        (b"null", ""),
        (b'["a"]', ""),
        (b'"a', ""),
    ],
)
def test_the_text_of_what_is_not_a_string_is_empty(
    value: msgspec.Raw | bytes | None, text: str
) -> None:
    assert read_text(value) == text


# ------------------------------------------------------------------------- writing

TAG = {"io.modelcontextprotocol/x": msgspec.Raw(b"[1.0]")}


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("params", "written"),
    [
        (b"", b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
        (b"{}", b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
        (b'{"a":1}', b'{"a":1,"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
        (b'{"_meta":{},"a":1}', b'{"_meta":{"io.modelcontextprotocol/x":[1.0]},"a":1}'),
        (
            b'{"_meta":{"progressToken":1.0}}',
            b'{"_meta":{"progressToken":1.0,"io.modelcontextprotocol/x":[1.0]}}',
        ),
        (
            b'{"_meta":{"io.modelcontextprotocol\\/x":0}}',
            b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}',
        ),
        (b'{"_meta":null}', b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
        (b'{"_meta":5}', b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
    ],
)
def test_what_is_put_is_in_the_meta_and_replaces_what_had_its_name(
    params: bytes, written: bytes
) -> None:
    assert put(params, TAG) == written


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("params", "written"),
    [
        (b'{"a":1,"_meta":{"x":1,"z":2.0,"y":[]}}', b'{"a":1,"_meta":{"z":2.0}}'),
        (b'{"_meta":{"z":{ },"x":1},"a":1}', b'{"_meta":{"z":{ }},"a":1}'),
        (b'{"a":1,"_meta":{"x":1}}', b'{"a":1}'),
        (b'{"_meta":{"x":1,"y":2}}', b"{}"),
    ],
)
def test_what_is_taken_is_gone_and_so_is_a_meta_that_held_nothing_else(
    params: bytes, written: bytes
) -> None:
    assert take(params, {"x", "y"}) == written


@pytest.mark.parametrize(
    "params",
    [
        b"",
        b"{}",
        b'{ "a" : 1 }',
        b'{ "_meta":{ } }',
        b'{ "_meta":{ "z":1 } }',
        b'{ "_meta":null }',
        b'{ "_meta":[ "x" ] }',
        b'{ "x":1, "a":{"_meta":{"x":1}} }',
        b"[ 1 ]",
        b"null",
    ],
)
def test_where_nothing_is_to_be_taken_params_are_their_own_bytes(params: bytes) -> None:
    assert take(params, {"x", "y"}) == params


@pytest.mark.parametrize("params", [b"[ 1 ]", b"5", b'"a"'])
def test_what_is_not_an_object_gets_no_meta(params: bytes) -> None:
    assert put(params, TAG) == params


def test_params_that_are_null_are_params_without_members() -> None:
    assert put(b"null", TAG) == put(b"{}", TAG)


@pytest.mark.promise("E1", "E2", "E3")
@pytest.mark.parametrize("value", EXACT)
def test_all_other_members_keep_their_bytes(value: bytes) -> None:
    plain = b'{"a":%b,"_meta":{"m":%b},"b":[%b]}' % (value, value, value)
    tagged = b'{"a":%b,"_meta":{"m":%b,"io.modelcontextprotocol/x":[1.0]},"b":[%b]}' % (
        value,
        value,
        value,
    )
    assert put(plain, TAG) == tagged
    assert take(tagged, TAG) == plain
    assert encode(read_members(plain) or {}) == plain


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text().filter(lambda name: name != "_meta"), JSON, max_size=4)


@given(OBJECTS, st.dictionaries(st.text(), JSON, min_size=1, max_size=4), OBJECTS)
def test_what_was_put_can_be_taken_again(
    params: dict[str, object], own: dict[str, object], foreign: dict[str, object]
) -> None:
    added = {envelope.META_PREFIX + name: value for name, value in own.items()}
    before = {**params, "_meta": foreign} if foreign else params
    raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in added.items()}
    written = put(json.dumps(before).encode(), raw)
    assert json.loads(written) == {**before, "_meta": {**foreign, **added}}
    left = {name: value for name, value in before.items() if name != "_meta"}
    others = {name: value for name, value in foreign.items() if name not in added}
    expected = {**left, "_meta": others} if others else left
    assert json.loads(take(written, added)) == expected


@pytest.mark.promise("E3")
def test_what_a_request_of_the_modern_era_carries_can_be_taken_from_it() -> None:
    own = b'%b,%b:{"name":"x"},%b:{},%b:"info"' % (VERSION, CLIENT, ABILITIES, LEVEL)
    modern = b'{"name":"a","_meta":{"traceparent":"00",%b}}' % own
    assert read(modern) == Envelope("2026-07-28", b'{"name":"x"}', b"{}", "info")
    assert take(modern, REQUEST_MEMBERS) == b'{"name":"a","_meta":{"traceparent":"00"}}'
    assert take(b'{"_meta":{%b}}' % own, REQUEST_MEMBERS) == b"{}"


@pytest.mark.parametrize("level", [b"5", b"{}", b'""'])
def test_a_level_that_is_not_one_hides_no_version(level: bytes) -> None:
    line = b'{"id":1,"method":"a","params":{"_meta":{"%b":"2026-07-28","%b":%b}}}' % (
        b"io.modelcontextprotocol/protocolVersion",
        b"io.modelcontextprotocol/logLevel",
        level,
    )
    envelope = read_envelope(parse_message(line))
    assert envelope is not None
    assert envelope.log_level == level.decode()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (b'{"method":"x"}', None),
        (b'{"method":"x","params":[1]}', None),
        (b'{"method":"x","params":{"_meta":null}}', None),
        (b'{"method":"x","params":{"_meta":{"io.modelcontextprotocol/x":0}}}', None),
        (b'{"method":"x","params":{}}', b'{"_meta":{"io.modelcontextprotocol/x":[1.0]}}'),
        (
            b'{"method":"x","params":{"a":1.0,"_meta":{"b":{ }}}}',
            b'{"a":1.0,"_meta":{"b":{ },"io.modelcontextprotocol/x":[1.0]}}',
        ),
    ],
)
def test_what_is_missing_in_a_meta_is_added_and_nothing_is_replaced(
    line: bytes, written: bytes | None
) -> None:
    added = put_missing_meta(parse_message(line), TAG)
    assert (None if added is None else encode(added)) == written


NAME = msgspec.Raw(b'{"name":"s","version":"1"}')
NAMED = b'"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}'


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (b'"result":{"a":1.0}', b'"result":{"a":1.0,%b}' % NAMED),
        (b'"result":{}', b'"result":{%b}' % NAMED),
        (b'"result":[1]', b'"result":[1]'),
        (b'"result":{"_meta":5}', b'"result":{"_meta":5}'),
        (b'"result":{%b}' % NAMED.replace(b'"s"', b'"t"'), None),
        (b'"error":{"code":1,"message":"m"}', None),
    ],
)
def test_a_result_has_the_name_of_its_server_unless_it_names_one(
    answer: bytes, written: bytes | None
) -> None:
    message = parse_message(b'{"jsonrpc":"2.0","id":1,%b}' % answer)
    for source in (None, message):
        named = name_server_in(message, NAME, source)
        assert named.raw == b'{"jsonrpc":"2.0","id":1,%b}' % (written or answer)
