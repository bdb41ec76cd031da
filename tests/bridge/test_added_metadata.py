"""Members that a person wants in `_meta`: what is added, and what stays as it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mcp_remote_py.bounds import LONG_BYTES
from mcp_remote_py.bridge.added_metadata import MetadataChannel
from mcp_remote_py.errors import UsageError
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.settings.words import parse_metadata


class Below:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def start_listening(self) -> None: ...

    def set_protocol_version(self, version: str) -> None: ...

    async def renew(self) -> None: ...

    async def aclose(self) -> None: ...


def send(message: bytes) -> bytes:
    """What leaves of it."""
    below = Below()
    channel = MetadataChannel(below, {"AWS_REGION": "eu-west-1", "team": "a/b"})
    asyncio.run(channel.send(parse_message(message)))
    return b"".join(below.sent[0].pieces)


def asked(params: str) -> bytes:
    return b'{"jsonrpc":"2.0","id":"1.0","method":"tools/call","params":%b}' % params.encode()


def meta_of(sent: bytes) -> Any:
    return json.loads(sent)["params"]["_meta"]


def test_a_request_gets_them_and_keeps_all_else() -> None:
    sent = send(asked('{"name":"add","arguments":{"a":1.0,"b":12345678901234567890}}'))
    assert b'"id":"1.0"' in sent
    assert b'{"a":1.0,"b":12345678901234567890}' in sent
    assert meta_of(sent) == {"AWS_REGION": "eu-west-1", "team": "a/b"}


@pytest.mark.parametrize("params", ["{}", '{"_meta":{}}'])
def test_params_that_are_there_and_empty_get_them_too(params: str) -> None:
    assert meta_of(send(asked(params))) == {"AWS_REGION": "eu-west-1", "team": "a/b"}


def test_what_the_host_says_itself_counts() -> None:
    sent = send(asked('{"name":"add","_meta":{"progressToken":7,"AWS_REGION":"us-east-1"}}'))
    assert meta_of(sent) == {"progressToken": 7, "AWS_REGION": "us-east-1", "team": "a/b"}


@pytest.mark.parametrize(
    "message",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}',
        asked('{"_meta":7}'),
        asked("[1]"),
        asked('{"_meta":{"AWS_REGION":1,"team":2}}'),
        asked(f'{{"name":"add","arguments":{{"text":"{"x" * LONG_BYTES}"}}}}'),
    ],
    ids=["no params", "notification", "answer", "no object", "list", "all there", "long"],
)
def test_everything_else_leaves_as_it_came(message: bytes) -> None:
    assert send(message) == message


def test_what_is_too_long_for_them_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The server may do it elsewhere then, as in another region."""
    send(asked(f'{{"name":"add","arguments":{{"text":"{"x" * LONG_BYTES}"}}}}'))
    assert 'tools/call "1.0" is too long for --metadata: it leaves without that.' in caplog.text


@pytest.mark.parametrize("word", ["AWS_REGION", "=x", "a b=c", "-a=b", "a=\x01"])
def test_a_word_that_is_not_a_name_and_a_value(word: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_metadata(word, "--metadata")
    assert "--metadata is not of the form NAME=VALUE" in str(error.value)


@pytest.mark.parametrize(
    "name", ["progressToken", "io.modelcontextprotocol/x", "mcp/x", "tools.mcp.com/x"]
)
def test_what_belongs_to_mcp_is_not_a_persons_to_set(name: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_metadata(f"{name}=1", "--metadata")
    assert f"--metadata cannot set {name}, which belongs to MCP itself" in str(error.value)


def test_a_value_may_have_anything_in_it() -> None:
    assert parse_metadata("com.example/x=a=b c", "--metadata") == ("com.example/x", "a=b c")
