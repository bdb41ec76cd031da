"""What a message says about itself is said again in headers, so that no header can lie or split.

The SDK is the judge: what it decodes from a header must be what the message says.
"""

from __future__ import annotations

import json

import pytest
from mcp.shared.inbound import decode_header_value

from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.eras.metadata_headers import MetadataHeaders
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.parsing import parse_message

VERSION = "io.modelcontextprotocol/protocolVersion"
META = b'"_meta":{"%b":"2026-07-28"}' % VERSION.encode()
LEGACY = [(b"mcp-protocol-version", b"2025-06-18")]
metadata_headers = MetadataHeaders(ParameterHeaders()).headers


def headers_of(
    method: str, params: bytes, negotiated: str = "2025-06-18"
) -> list[tuple[bytes, bytes]]:
    line = b'{"id":1,"method":%b,"params":%b}' % (json.dumps(method).encode(), params)
    return metadata_headers(parse_message(line), negotiated)


# ------------------------------------------------------------------------- legacy


@pytest.mark.parametrize("negotiated", ["", "2025-06-18"])
def test_a_handshake_says_only_what_it_is(negotiated: str) -> None:
    found = headers_of("initialize", b'{"protocolVersion":"2025-11-25"}', negotiated)
    assert found == [(b"mcp-method", b"initialize")]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":"tools/call","params":{"name":"a"}}',
        b'{"id":1,"method":"tools/list"}',
        b'{"method":"notifications/initialized"}',
        b'{"id":1,"result":{}}',
        b'{"id":1,"error":{}}',
        # A response is of no era, whatever it carries.
        b'{"id":1,"result":{%b}}' % META,
    ],
)
def test_a_legacy_message_says_the_version_the_handshake_agreed_on(line: bytes) -> None:
    message = parse_message(line)
    assert not names_its_version(message)
    assert metadata_headers(message, "2025-06-18") == LEGACY
    assert metadata_headers(message, "") == []


@pytest.mark.parametrize(
    "params",
    [
        b'{"arguments":{"text":"%b"}}' % VERSION.encode(),
        b'{"arguments":{%b}}' % META,
        b'{"%b":"2026-07-28"}' % VERSION.encode(),
        b'{"_meta":{"%b":20260728}}' % VERSION.encode(),
        b'{"_meta":{"%b":null}}' % VERSION.encode(),
        b'{"_meta":{"%b":{}}}' % VERSION.encode(),
        b'{"_meta":"%b"}' % VERSION.encode(),
        b'{"_meta":["%b"]}' % VERSION.encode(),
        b'{"_meta":null,"x":"%b"}' % VERSION.encode(),
        b'["%b"]' % VERSION.encode(),
        b'"%b"' % VERSION.encode(),
    ],
)
def test_the_mere_word_makes_no_message_modern(params: bytes) -> None:
    message = parse_message(b'{"id":1,"method":"tools/call","params":%b}' % params)
    assert not names_its_version(message)
    assert metadata_headers(message, "2025-06-18") == LEGACY


def test_the_word_outside_of_params_makes_no_message_modern() -> None:
    assert not names_its_version(parse_message(b'{"id":1,"method":"x",%b}' % META))


# ------------------------------------------------------------------------- modern


@pytest.mark.parametrize(
    ("method", "member", "name"),
    [
        ("tools/call", b'"name":"add","uri":"u"', b"add"),
        ("prompts/get", b'"name":"greet"', b"greet"),
        ("resources/read", b'"uri":"file:///a b","name":"n"', b"file:///a b"),
        ("tools/call", b'"name":"gr\xc3\xbc\xc3\x9fe"', b"=?base64?Z3LDvMOfZQ==?="),
        ("tools/call", b'"name":"line\\nbreak"', b"=?base64?bGluZQpicmVhaw==?="),
        ("tools/call", b'"name":""', b"=?base64??="),
        ("tools/list", b'"name":"add"', None),
        ("completion/complete", b'"name":"add"', None),
        ("notifications/x", b'"name":"add"', None),
        ("tools/call", b'"name":5', None),
        ("tools/call", b'"name":null', None),
        ("tools/call", b'"name":{"a":[1]}', None),
        ("tools/call", b'"arguments":{"name":"add"}', None),
        ("resources/read", b'"name":"n"', None),
    ],
)
def test_a_modern_message_says_its_version_method_and_address(
    method: str, member: bytes, name: bytes | None
) -> None:
    expected = [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", method.encode())]
    if name is not None:
        expected.append((b"mcp-name", name))
    assert headers_of(method, b"{%b,%b}" % (member, META)) == expected


def test_a_modern_notification_says_so_too() -> None:
    message = parse_message(b'{"method":"notifications/cancelled","params":{%b}}' % META)
    assert names_its_version(message)
    assert metadata_headers(message, "")[1] == (b"mcp-method", b"notifications/cancelled")


@pytest.mark.parametrize(
    "member",
    [
        rb"io.modelcontextprotocol\/protocolVersion",
        rb"io.modelcontextprotocol\u002fprotocolVersion",
    ],
)
def test_a_slash_may_be_escaped(member: bytes) -> None:
    assert headers_of("x", b'{"_meta":{"%b":"2026-07-28"}}' % member, "")[0][1] == b"2026-07-28"


def test_lone_surrogates_elsewhere_do_not_hide_the_version() -> None:
    params = rb'{"name":"a","arguments":{"x":"\ud800"},%b}' % META
    assert headers_of("tools/call", params)[2] == (b"mcp-name", b"a")


@pytest.mark.promise("S4")
@pytest.mark.parametrize("value", ["1\r\nX-Evil: 1", "\n", "é", " 1 "])
def test_no_version_or_method_can_begin_another_header(value: str) -> None:
    params = json.dumps({"_meta": {VERSION: value}}).encode()
    modern = headers_of(value, params)
    assert [name for name, _ in modern] == [b"mcp-protocol-version", b"mcp-method"]
    legacy = headers_of("x", b"{}", value)
    assert [name for name, _ in legacy] == [b"mcp-protocol-version"]
    for _, encoded in modern + legacy:
        assert decode_header_value(encoded.decode("ascii")) == value


@pytest.mark.parametrize("name", [b"1e999", b"7", b"null"])
def test_a_name_that_is_not_text_goes_into_no_header(name: bytes) -> None:
    found = dict(headers_of("tools/call", b'{"name":%b,%b}' % (name, META)))
    assert b"mcp-method" in found
    assert b"mcp-name" not in found
