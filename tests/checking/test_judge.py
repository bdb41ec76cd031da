"""The official client as a judge: bounded, silent, and for the server's own origin alone."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
import warnings
from functools import cache
from typing import Any

import pytest

from mcp_remote_py.checking.judge import MAX_COMPRESSED_BYTES, MAX_REQUESTS, ask_judge
from mcp_remote_py.diagnosis.judgements import Judgement
from mcp_remote_py.url import parse_url
from tests.peers.wild_server import Exchange, WildServer, be_silent, redirect

pytestmark = pytest.mark.timeout(60)

SECRET = b"canary-for-the-judge-4711"


def judge(url: str, patience: float = 5.0, *, over_sse: bool = False) -> Judgement:
    async def give(method: bytes, url: str) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", b"Bearer " + SECRET)]

    return asyncio.run(
        ask_judge(
            parse_url(url),
            give,
            lambda _: None,
            ssl.create_default_context(),
            None,
            patience,
            over_sse=over_sse,
        )
    )


@pytest.mark.parametrize("legacy", [False, True])
def test_it_connects_with_what_the_person_gives(legacy: bool) -> None:
    with WildServer(legacy=legacy, sessions=not legacy) as server:
        found = judge(server.url, over_sse=legacy)
        sent = {one.headers.get("authorization") for one in server.requests}
        ended = [one for one in server.requests if one.verb == "DELETE"]
    assert found.error == ""
    assert found.tools is not None
    assert found.tools.count == 3
    assert len(found.pings) == 5
    assert sent == {f"Bearer {SECRET.decode()}"}
    assert len(ended) == (0 if legacy else 1), "it ends its session"


@pytest.mark.promise("S2")
def test_nothing_goes_to_another_origin() -> None:
    with WildServer() as other, WildServer() as server:
        for method in ("initialize", "server/discover", "GET"):
            server.always(method, redirect(307, other.url))
        assert judge(server.url).error
        assert other.requests == []
    with WildServer() as other, WildServer(legacy=True) as server:
        server.endpoint = f"{other.origin}/messages"
        assert judge(server.url, 2.0, over_sse=True).error
        assert other.requests == []


def test_it_is_cut_off() -> None:
    with WildServer() as server:
        server.always("initialize", be_silent)
        server.always("server/discover", be_silent)
        began = time.monotonic()
        found = judge(server.url, 0.3)
    assert found.error == "it was not done within 0.3 s"
    assert time.monotonic() - began < 3


@cache
def make_bomb() -> bytes:
    """Little that becomes much: it takes a second, and more on a busy machine."""
    body = gzip.compress(b" " * 200_000_000, 9)
    assert len(body) > MAX_COMPRESSED_BYTES
    return body


def bomb(exchange: Exchange) -> None:
    """What nobody asked to be compressed."""
    exchange.reply(200, make_bomb(), headers={"Content-Encoding": "gzip"})


def flood(exchange: Exchange) -> None:
    """A JSON answer of 60 MB."""
    exchange.stream(content_type="application/json")
    for _ in range(60):
        exchange.piece(b"[" * 1_000_000)
    exchange.finish()


@pytest.mark.report("S6")
@pytest.mark.parametrize("behaviour", [bomb, flood])
def test_what_is_too_long_is_not_read_on(behaviour: object) -> None:
    make_bomb()  # before anybody waits for it
    with WildServer() as server:
        for method in ("initialize", "server/discover"):
            server.always(method, behaviour)  # type: ignore[arg-type]
        found = judge(server.url)
    assert "bytes was not read on" in found.error


def test_nothing_of_it_comes_to_the_terminal(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with WildServer() as server:
            server.always("tools/list", lambda exchange: exchange.reply(200, b"{not json"))
            found = judge(server.url)
    assert found.tools is not None
    assert found.tools.error
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        (
            "tools/list",
            {"tools": [{"name": "a"}]},
            "in the answer to tools/list, tools[0].inputSchema is missing",
        ),
        (
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "x"}},
            "in the answer to initialize, serverInfo.version is missing",
        ),
        ("tools/list", b"{not json", "an answer is not JSON"),
        ("tools/list", b'{"no": 1}', "an answer is not a JSON-RPC message"),
    ],
)
def test_an_answer_that_it_cannot_read_is_told_in_plain_words(
    method: str, body: Any, said: str
) -> None:
    """Of the SDK that is installed: its types and texts are what is read."""

    def answer(exchange: Exchange) -> None:
        exchange.reply(200, body) if isinstance(body, bytes) else exchange.result(body)

    with WildServer() as server:
        server.always(method, answer)
        found = judge(server.url)
    failed = found if method == "initialize" else found.tools
    assert failed is not None
    assert failed.error == said
    assert "validation error" in failed.raw


def ask_without_end(exchange: Exchange) -> None:
    """Requests of the server before its answer, each of which wants an answer."""
    exchange.stream()
    for number in range(1000):
        exchange.event(b'{"jsonrpc":"2.0","id":%d,"method":"roots/list"}' % number)
    exchange.hold()


@pytest.mark.report("S12")
def test_a_server_that_asks_without_end_is_left() -> None:
    with WildServer() as server:
        server.always("tools/list", ask_without_end)
        found = judge(server.url)
        asked = len(server.requests)
    assert found.error == f"it was asked for more than {MAX_REQUESTS} requests, and stopped"
    assert asked <= MAX_REQUESTS
