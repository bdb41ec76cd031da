"""The relay at a server that worked before and is away now: what the host gets, and when.

A written host and server, on a clock that jumps. Must not know networks, files or processes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.host_side import HostSide
from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Refused, Unusable
from mcp_remote_py.relay.recovery import MAX_RESTORATIONS
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.retry import INITIALIZE_PATIENCE, initialize_wait
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.lines import HostLines
from tests.fakes import (
    Behaviour,
    FakeClock,
    FakeHost,
    FakeServerChannel,
    FakeSignInWatch,
    Json,
    encode_notification,
    encode_request,
    fail,
    good,
    run,
    settle,
    when,
)
from tests.test_relay import INITIALIZE, Scene

PATIENCE = 45.0
KNOWN = ServerSnapshot(
    b'{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{}}, "n":1.0}',
    b'{"tools":[{"name":"add","annotations":{"readOnlyHint":true}}, {"name":"drop"}]}',
)
CHANGED = "notifications/tools/list_changed"
GONE = "The server cannot be reached. Check the network."
TOOL: Json = {"name": "drop", "arguments": {}}


def gone() -> ExchangeError:
    return NotSent("The server cannot be reached.", hint="Check the network.")


class Away(Scene):
    """A scene with what was kept before; the server is away until `come_back`."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        known: ServerSnapshot | None = None,
        patience: float | None = PATIENCE,
        sign_in: bool = False,
        host_wait: Callable[[str], float] | None = None,
    ) -> None:
        self.memory = FakeSignInWatch("", KNOWN if known is None else known)
        super().__init__(
            memory=self.memory,
            sign_in=self.memory if sign_in else None,
            initialize_timeout=patience,
            host_wait=host_wait,
        )
        self.server.always("", behaviour or fail(gone))

    def come_back(self) -> None:
        self.server.always("", good)

    async def wait_long(self) -> None:
        """The handshake of a host that is answered without the server."""
        self.host.request("init", "initialize", INITIALIZE)
        await self.clock.advance(INITIALIZE_PATIENCE)
        self.host.notify("notifications/initialized")
        await settle()


def away(
    test: Callable[[Away], Awaitable[None]],
    behaviour: Behaviour | None = None,
    **options: Any,
) -> None:
    async def main() -> None:
        scene = Away(behaviour, **options)
        await settle()
        await test(scene)
        await scene.end()

    run(main())


def text_of(answer: Json) -> str:
    text = answer["error"]["message"]
    assert isinstance(text, str)
    return text


OUTAGES: dict[str, Callable[[], ExchangeError]] = {
    "not reached": gone,
    "unknown name": lambda: NotSent("Its name is not known.").as_certain(),
    "cut": lambda: Interrupted("The connection broke."),
    "no token now": lambda: Refused("The token could not be renewed now.").as_passing(),
    **{
        str(status): lambda status=status: Refused("Not now.", status=status)
        for status in (429, 502, 503, 504, 522)
    },
}

FINAL: dict[str, Callable[[], ExchangeError]] = {
    "certificate": lambda: Unusable("The server's certificate is not trusted."),
    "page": lambda: Unusable("It answered with a web page.", status=200),
    "proxy's refusal": lambda: Refused("The HTTP proxy refused the connection."),
    **{
        str(status): lambda status=status: Refused("No.", status=status)
        for status in (400, 401, 403, 404, 500)
    },
}


# What the host gets


@pytest.mark.promise("A6", "R1", "R2")
@pytest.mark.parametrize("make", OUTAGES.values(), ids=OUTAGES.keys())
def test_host_is_answered_with_what_is_known_and_calls_are_tried(
    make: Callable[[], ExchangeError], caplog: pytest.LogCaptureFixture
) -> None:
    async def play(one: Away) -> None:
        with caplog.at_level(logging.INFO):
            await one.wait_long()
        assert (await one.ask("list", "tools/list"))["id"] == "list"
        assert one.host.lines == [
            b'{"jsonrpc":"2.0","id":"init","result":%b}' % KNOWN.initialize,
            b'{"jsonrpc":"2.0","id":"list","result":%b}' % KNOWN.tools,
        ]
        assert (
            "https://mcp.example/mcp does not answer: the host is told what it said last time; "
            "calls are tried."
        ) in caplog.messages
        assert (
            f'initialize "init" failed; the host was answered before: {make().sentence()}'
        ) in caplog.messages
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(30)
        assert text_of(one.host.answer(1)) == make().sentence()
        assert one.server.received("tools/call") == []
        one.come_back()
        assert "result" in await one.ask(2, "tools/call", TOOL)
        assert len(one.host.told(CHANGED)) == 1
        assert len(one.host.told("notifications/prompts/list_changed")) == 0
        assert (await one.ask(3, "tools/list"))["result"] == {"tools": []}
        await one.clock.advance(900)
        assert [one.host.answer(name)["id"] for name in ("init", 1, 2)] == ["init", 1, 2]
        assert len(one.server.received("tools/call")) == 1

    away(play, fail(make))


@pytest.mark.promise("A6", "P2")
@pytest.mark.parametrize("make", FINAL.values(), ids=FINAL.keys())
def test_what_has_to_be_mended_is_told(make: Callable[[], ExchangeError]) -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(300)
        assert make().cause in text_of(one.host.answer("init"))
        assert one.memory.recalls == 0

    away(play, fail(make))


@pytest.mark.promise("A6")
@pytest.mark.parametrize(
    "known",
    [ServerSnapshot(), ServerSnapshot(tools=KNOWN.tools), ServerSnapshot(b"{}", KNOWN.tools)],
    ids=["nothing", "tools alone", "not a handshake"],
)
def test_without_what_it_said_the_error_is_told(known: ServerSnapshot) -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(300)
        assert text_of(one.host.answer("init")) == GONE

    away(play, known=known)


@pytest.mark.promise("A6", "R1")
def test_requests_from_before_are_answered_as_far_as_it_is_known() -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        one.host.request("list", "tools/list")
        one.host.request("call", "tools/call", TOOL)
        await one.clock.advance(INITIALIZE_PATIENCE)
        assert len(one.host.answer("list")["result"]["tools"]) == 2
        assert text_of(one.host.answer("call")) == GONE
        assert one.server.received("tools/call") == []

    away(play)


@pytest.mark.promise("A6")
def test_what_comes_with_the_end_of_the_handshake_is_tried() -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(INITIALIZE_PATIENCE)
        one.come_back()
        one.host.write(encode_notification("notifications/initialized"))
        one.host.write(encode_request(1, "tools/call", TOOL))
        await settle()
        assert "result" in one.host.answer(1)
        assert len(one.server.received("notifications/initialized")) == 1

    away(play)


@pytest.mark.promise("A6")
def test_tools_that_are_not_known_are_the_servers_to_list() -> None:
    async def play(one: Away) -> None:
        await one.wait_long()
        one.host.request(1, "tools/list")
        await one.clock.advance(30)
        assert text_of(one.host.answer(1)) == GONE

    away(play, known=KNOWN.replace(tools=b""), sign_in=True)


# When it stands in, and until when


@pytest.mark.promise("A6", "R1")
@pytest.mark.parametrize("patience", [10.0, PATIENCE])
def test_silent_server_is_stood_in_for_before_the_host_gives_up(patience: float) -> None:
    async def play(one: Away) -> None:
        answers = asyncio.Event()
        one.server.script("initialize", when(answers))
        one.come_back()
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(min(patience, INITIALIZE_PATIENCE) - 1)
        assert not one.host.lines
        await one.clock.advance(1)
        assert one.host.lines == [
            b'{"jsonrpc":"2.0","id":"init","result":%b}' % KNOWN.initialize,
        ]
        one.host.notify("notifications/initialized")
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(INITIALIZE_PATIENCE)
        assert text_of(one.host.answer(1)) == (
            "https://mcp.example/mcp has not answered yet; the request was not sent. "
            "Check the network and whether a VPN or proxy is needed. Then try again."
        )
        one.host.request(2, "tools/call", TOOL)
        await settle()
        answers.set()
        await settle()
        assert "result" in one.host.answer(2)
        assert len(one.host.told(CHANGED)) == 1
        assert len(one.host.answers("init")) == 1
        assert len(one.server.received("initialize")) == 1
        assert len(one.server.received("tools/call")) == 1

    away(play, patience=patience)


@pytest.mark.promise("A6")
def test_host_with_less_patience_than_the_server_gets_is_answered_in_time() -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(5)
        assert "result" in one.host.answer("init")
        await one.clock.advance(600)
        assert len(one.host.answers("init")) == 1

    away(play, patience=5.0)


@pytest.mark.promise("A6")
def test_host_that_waits_for_ever_is_answered_where_the_server_is_given_up() -> None:
    async def play(one: Away) -> None:
        answers = asyncio.Event()
        one.server.script("initialize", when(answers, fail(gone)))
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(300)
        assert not one.host.lines
        answers.set()
        await one.clock.advance(INITIALIZE_PATIENCE)
        assert "result" in one.host.answer("init")
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(30)
        assert text_of(one.host.answer(1)) == GONE

    away(play, patience=None)


@pytest.mark.promise("A6", "L5")
def test_server_that_is_back_is_noticed_unasked_and_not_asked_for_ever() -> None:
    async def play(one: Away) -> None:
        await one.wait_long()
        before = len(one.server.received("initialize"))
        await one.clock.advance(30)
        assert len(one.server.received("initialize")) > before
        assert one.host.told(CHANGED) == []
        one.come_back()
        await one.clock.advance(120)
        assert len(one.host.told(CHANGED)) == 1
        assert one.server.events[-1] == "listen"

    async def play_long(one: Away) -> None:
        await one.wait_long()
        before = len(one.server.sent)
        await one.clock.advance(3600)
        sent = len(one.server.sent)
        assert before < sent <= before + MAX_RESTORATIONS
        await one.clock.advance(24 * 3600)
        assert len(one.server.sent) == sent
        one.come_back()
        assert "result" in await one.ask(1, "tools/call", TOOL)

    away(play)
    away(play_long)


@pytest.mark.promise("A6")
def test_server_that_is_back_and_refuses_is_heard() -> None:
    async def play(one: Away) -> None:
        await one.wait_long()
        one.server.always("", fail(lambda: Refused("Who are you?", hint="Log in.", status=401)))
        one.host.request(1, "tools/call", TOOL)
        await settle()
        assert text_of(one.host.answer(1)) == "Who are you? Log in."

    away(play)


@pytest.mark.promise("A6")
def test_person_who_is_asked_when_it_is_back_is_named_in_the_error() -> None:
    async def play(one: Away) -> None:
        await one.wait_long()
        one.server.always("", when(asyncio.Event()))
        one.memory.todo = "Open https://auth.example/authorize?a=b"
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(INITIALIZE_PATIENCE)
        assert "Open https://auth.example/authorize?a=b" in text_of(one.host.answer(1))

    away(play, sign_in=True)


@pytest.mark.promise("A6", "R1")
def test_host_that_begins_anew_is_answered_once_more() -> None:
    async def play(one: Away) -> None:
        await one.wait_long()
        one.host.request("again", "initialize", INITIALIZE)
        await one.clock.advance(INITIALIZE_PATIENCE)
        assert "n" in one.host.answer("again")["result"]
        one.come_back()
        assert "n" not in (await one.ask("third", "initialize", INITIALIZE))["result"]

    away(play)


@pytest.mark.promise("A6", "R1")
def test_cancelled_handshake_is_not_answered() -> None:
    async def play(one: Away) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(1)
        one.host.notify("notifications/cancelled", {"requestId": "init"})
        await one.clock.advance(300)
        assert not one.host.lines

    away(play)


# What is kept


@pytest.mark.promise("A6")
def test_what_a_server_says_is_kept_without_a_sign_in() -> None:
    async def play(one: Away) -> None:
        one.come_back()
        await one.begin()
        await one.ask(1, "tools/list")
        await one.ask(2, "tools/list")
        first, second = one.memory.kept
        assert json.loads(first.initialize)["protocolVersion"] == "2025-11-25"
        assert second == first.replace(tools=b'{"tools": []}')
        assert one.memory.recalls == 0

    away(play)


# A host that gives up sooner than others


@pytest.mark.promise("A6", "R1")
def test_host_that_gives_up_sooner_is_answered_in_its_time() -> None:
    async def play(one: Away) -> None:
        host = INITIALIZE | {"clientInfo": {"name": "continue-client", "version": "1"}}
        one.host.request("init", "initialize", host)
        await one.clock.advance(13)
        assert not one.host.lines
        await one.clock.advance(1)
        assert one.host.lines == [b'{"jsonrpc":"2.0","id":"init","result":%b}' % KNOWN.initialize]

    away(play, host_wait=partial(initialize_wait, environment={}))


# A host of 2026-07-28


@pytest.mark.promise("A6", "E3")
@pytest.mark.parametrize("era", [Era.LEGACY, Era.MODERN, Era.UNKNOWN])
def test_modern_host_is_answered_where_it_is_a_handshake_that_fails(era: Era) -> None:
    """A server without handshakes is asked anew by each request: its error is the answer."""
    meta: Json = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    async def main() -> None:
        host, server, clock = FakeHost(), FakeServerChannel(), FakeClock()
        server.always("", fail(gone))
        relay = Relay(
            HostSide(HostLines(host), ServerEra(era), clock, lambda count: bytes(count)),
            server.connect,
            catalog=ToolCatalog(ToolRules()),
            clock=clock,
            random=lambda: 0.5,
            memory=FakeSignInWatch("", KNOWN),
            initialize_timeout=PATIENCE,
        )
        running = asyncio.ensure_future(relay.run())
        await settle()
        host.request("who", "server/discover", {"_meta": meta})
        await clock.advance(INITIALIZE_PATIENCE)
        answer = host.answer("who")
        if era is Era.LEGACY:
            assert "tools" in answer["result"]["capabilities"]
            host.request("list", "tools/list", {"_meta": meta})
            await settle()
            tools: Sequence[Json] = host.answer("list")["result"]["tools"]
            assert [tool["name"] for tool in tools] == ["add", "drop"]
        else:
            assert text_of(answer) == GONE
        relay.stop("The test is over.")
        await clock.finish(running)

    run(main())
