"""What a server says in a form that hosts drop comes in one that they read; all else stays."""

from __future__ import annotations

import json

import msgspec
import pytest

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.jsonrpc import make_notification, make_request, make_result
from mcp_remote_py.mending import mend_answer, mend_error, mend_message
from mcp_remote_py.parsing import parse_message

# What is around a message


@pytest.mark.promise("R1")
@pytest.mark.report("T6")
@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        (b'{"id":7,"result":{"a":1.0}}', b'{"jsonrpc":"2.0","id":7,"result":{"a":1.0}}'),
        (b'{"jsonrpc":2.0,"id":7,"result":{}}', b'{"jsonrpc":"2.0","id":7,"result":{}}'),
        (b'{"jsonrpc":"1.0","id":7,"result":{}}', b'{"jsonrpc":"2.0","id":7,"result":{}}'),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"","params":null,"result":{},"error":null}',
            b'{"jsonrpc":"2.0","id":7,"result":{}}',
        ),
        (
            b'{"jsonrpc":"2.0","id":7,"method":null,"result":null,"error":{"code":1,"message":"m"}}',
            b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m"}}',
        ),
        (
            b'{"jsonrpc":"2.0","id":7,"result":null,"error":null}',
            b'{"jsonrpc":"2.0","id":7,"result":null}',
        ),
        (b'{"id":7,"method":"ping"}', b'{"jsonrpc":"2.0","id":7,"method":"ping"}'),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"a","params":null,"result":null,"error":null}',
            b'{"jsonrpc":"2.0","id":7,"method":"a"}',
        ),
        (
            b'{"method":"a","params":{"b":1.0}}',
            b'{"jsonrpc":"2.0","method":"a","params":{"b":1.0}}',
        ),
        (b'{"jsonrpc":"2.0","method":"a","params":null}', b'{"jsonrpc":"2.0","method":"a"}'),
    ],
)
def test_a_message_that_a_host_drops_is_mended(raw: bytes, mended: bytes) -> None:
    message = parse_message(raw)
    assert not message.is_proper
    assert mend_message(message).raw == mended


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":7 ,"jsonrpc":"2.0","result":null, "more":[1.0]}',
        b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m"},"more":[]}',
        b'{"jsonrpc":"2.0","id":"x","method":"a","params":[],"more":null}',
        b'{"jsonrpc":"2.0","method":"a","params":{}}',
    ],
)
def test_a_message_that_a_host_reads_stays_as_it_is(raw: bytes) -> None:
    message = parse_message(raw)
    assert message.is_proper
    assert mend_message(message) is message


def test_our_own_messages_are_as_they_should_be() -> None:
    made = make_request(b"1", "a"), make_notification("a", b"{}"), make_result(b"1", b"{}")
    assert all(one.is_proper for one in made)


@pytest.mark.promise("R1")
def test_another_result_in_a_message_that_a_host_drops_does_not_mend_it() -> None:
    answer = parse_message(b'{"id":7,"result":{"tools":[]},"error":null}')
    other = answer.with_result({"tools": msgspec.Raw(b"[1]")})
    assert mend_answer(other).raw == b'{"jsonrpc":"2.0","id":7,"result":{"tools":[1]}}'


@pytest.mark.promise("R8")
def test_a_long_answer_is_mended_too() -> None:
    text = b"x" * (LONG_BYTES + 1)
    answer = parse_message(b'{"id":7,"result":{"text":"%b"},"error":null}' % text)
    assert mend_answer(answer).raw == (b'{"jsonrpc":"2.0","id":7,"result":{"text":"%b"}}' % text)


# Errors


@pytest.mark.report("T6")
@pytest.mark.parametrize(
    ("error", "mended"),
    [
        (b'"invalid_api_key"', {"code": -32603, "message": "invalid_api_key"}),
        (b"null", {"code": -32603, "message": "The server's error does not have a message."}),
        (b"{}", {"code": -32603, "message": "The server's error does not have a message."}),
        (b"[1, 2]", {"code": -32603, "message": "[1, 2]"}),
        (b"true", {"code": -32603, "message": "true"}),
        (b'{"message":"no","data":1}', {"code": -32603, "message": "no", "data": 1}),
        (b'{"code":"E7","message":"no"}', {"code": -32603, "message": "no (E7)"}),
        (b'{"code":-1,"message":{"a":1}}', {"code": -1, "message": '{"a":1}'}),
        (b'{"code":-1}', {"code": -1, "message": "The server's error does not have a message."}),
    ],
)
def test_an_error_that_a_host_cannot_read_is_mended(error: bytes, mended: object) -> None:
    answer = parse_message(b'{"jsonrpc":"2.0","id":7,"error":%b}' % error)
    assert json.loads(mend_error(answer).raw) == {"jsonrpc": "2.0", "id": 7, "error": mended}


@pytest.mark.promise("R2")
@pytest.mark.parametrize("code", [b"-32000", b"0", b"-32000.0", b"99999999999999999999"])
def test_an_error_that_a_host_can_read_stays_as_it_is(code: bytes) -> None:
    error = b'{"x":1.0, "code":%b,"message":"no"}' % code
    answer = parse_message(b'{"jsonrpc":"2.0","id":7,"error":%b}' % error)
    assert mend_error(answer) is answer
