"""What a body is, by its name and its first bytes; pure, and from a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.transports.body_types import (
    BEGINNINGS,
    EVENT_STREAM,
    JSON,
    PAGE,
    TELLING_BYTES,
    read_type,
)
from tests.fakes import encode, run
from tests.peers.wild_server import Exchange, WildServer
from tests.transports.peers import client_for
from tests.transports.test_streamable import CALL, Scene

NAMES = ["", "text/plain", "text/json", "application/octet-stream", JSON, EVENT_STREAM, PAGE]
names = pytest.mark.parametrize("name", NAMES)


@pytest.mark.report("T10")
@names
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n \t", b"\n"])
def test_the_first_bytes_decide_whatever_the_name(name: str, before: bytes) -> None:
    for one in BEGINNINGS:
        assert read_type(name, before + one.start + b"x") == one.type
        assert len(one.start) <= TELLING_BYTES
        assert one.source.where


@pytest.mark.report("T10")
@names
@pytest.mark.parametrize("body", [b"", b"   ", b"Not found", b"data", b"1", b'"x"'])
def test_where_they_tell_nothing_the_name_decides(name: str, body: bytes) -> None:
    assert read_type(name, body) == name


def test_no_body_has_two_beginnings() -> None:
    starts = [one.start for one in BEGINNINGS]
    assert not [(a, b) for a in starts for b in starts if a is not b and a.startswith(b)]


def as_json(line: bytes) -> bytes:
    return line


def as_events(line: bytes) -> bytes:
    return b"event: message\ndata: " + line + b"\n\n"


@pytest.mark.report("T10")
@names
@pytest.mark.parametrize("spell", [as_json, as_events])
@pytest.mark.parametrize("size", [0, 300_000])
def test_answer_of_any_name_and_size_is_taken(
    name: str, spell: Callable[[bytes], bytes], size: int
) -> None:
    answer = encode({"jsonrpc": "2.0", "id": 1, "result": {"x": "y" * size}})

    def reply(exchange: Exchange) -> None:
        exchange.reply(200, spell(answer), content_type=name or None)

    assert play(reply) == [answer]


@pytest.mark.report("T10")
@pytest.mark.parametrize("name", [*NAMES[:2], JSON])
def test_beginning_that_comes_in_pieces_is_waited_for(name: str) -> None:
    answer = encode({"jsonrpc": "2.0", "id": 1, "result": {}})

    def reply(exchange: Exchange) -> None:
        exchange.stream(content_type=name)
        for piece in (b"\n", b"d", b"at", b"a", b": ", answer, b"\n", b"\n"):
            exchange.piece(piece)
            exchange.delay(0.002)
        exchange.finish()

    assert play(reply) == [answer]


def play(reply: Callable[[Exchange], None]) -> list[bytes]:
    """What is delivered where a call is answered so."""
    delivered: list[Message] = []

    async def main(server: WildServer) -> None:
        scene = Scene(server, 0.5)
        scene.delivered = delivered
        await scene.connect()
        await scene.channel.send(CALL)
        await scene.channel.aclose()

    with WildServer() as server:
        server.always("tools/call", reply)
        run(main(server))
    assert len(server.requests) == 1
    return [one.raw for one in delivered]


@pytest.mark.report("T10")
def test_words_of_a_page_are_still_evidence_when_its_beginning_was_looked_at() -> None:
    async def main(server: WildServer) -> bytes:
        client = await client_for(server.url)
        response = await client.request(b"POST", [])
        assert await response.find_type() == PAGE
        words = await response.read_evidence()
        await response.aclose()
        await client.aclose()
        return words

    with WildServer() as server:
        server.always("POST", lambda exchange: exchange.reply(200, b"<p>Hi", content_type=None))
        assert run(main(server)) == b"<p>Hi"
