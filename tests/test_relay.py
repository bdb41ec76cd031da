"""The relay between a written host and a written server, on a clock that jumps.

What is asserted is what crosses the two interfaces. Must not know sockets or processes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, LOCAL_ERROR, Message
from mcp_remote_py.relay.recovery import BEGINNING_PATIENCE, MAX_RESTORATIONS
from mcp_remote_py.relay.relay import MAX_IN_FLIGHT, Relay
from mcp_remote_py.retry import Acquaintance
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.lines import HostLines
from tests.fakes import (
    Behaviour,
    FakeClock,
    FakeHost,
    FakeServerChannel,
    Json,
    encode,
    encode_notification,
    encode_request,
    fail,
    forever,
    good,
    run,
    settle,
    silent,
    when,
)

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
MODERN = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}


class Scene:
    """A relay under way with its two sides."""

    def __init__(self, **options: Any) -> None:
        self.host = FakeHost()
        self.server = FakeServerChannel()
        self.clock = FakeClock()
        rules = options.pop("rules", ToolRules())
        self.relay = Relay(
            HostLines(self.host),
            self.server.connect,
            catalog=ToolCatalog(rules),
            clock=self.clock,
            random=lambda: 0.5,
            **options,
        )
        self.before = asyncio.all_tasks()
        self.running = asyncio.ensure_future(self.relay.run())

    async def begin(self) -> None:
        """The handshake, up to the open stream."""
        self.host.request("init", "initialize", INITIALIZE)
        await settle()
        self.host.notify("notifications/initialized")
        await settle()
        assert "result" in self.host.answer("init")
        assert self.server.events[-1] == "listen"
        self.server.sent.clear()
        self.server.events.clear()
        self.host.lines.clear()
        self.clock.waits.clear()

    async def call(self, request_id: object, method: str, params: Json | None = None) -> Json:
        """One request, with as much time as it takes."""
        self.host.request(request_id, method, params)
        await self.clock.advance(120)
        return self.host.answer(request_id)

    async def ask(self, request_id: object, method: str, params: Json | None = None) -> Json:
        """A request that is answered at once."""
        self.host.request(request_id, method, params)
        await settle()
        return self.host.answer(request_id)

    async def end(self) -> None:
        """The host goes away; nothing is left open."""
        self.relay.stop("The test is over.")
        await self.clock.finish(self.running)


def scene(
    test: Callable[[Scene], Awaitable[None]], *, handshake: bool = True, **options: Any
) -> None:
    """Plays `test` on a scene, and ends it in order."""

    async def main() -> None:
        stage = Scene(**options)
        await settle()
        if handshake:
            await stage.begin()
        await test(stage)
        await stage.end()

    run(main())


def lose_once() -> Behaviour:
    return fail(lambda: SessionLost("The session is gone.", status=404))


# ------------------------------------------------------------------ one request, one answer

OUTCOMES: list[tuple[str, str, Behaviour, int, str]] = [
    ("answer", "tools/call", good, 1, ""),
    ("no answer", "tools/call", silent, 1, "does not contain the answer"),
    ("unusable", "tools/call", fail(lambda: Unusable("Broken.")), 1, "Broken."),
    ("refused", "tools/call", fail(lambda: Refused("No.", status=403)), 1, "No."),
    ("interrupted", "tools/call", fail(lambda: Interrupted("Cut.")), 1, "may have been executed"),
    ("interrupted, harmless", "tools/list", fail(lambda: Interrupted("Cut.")), 2, "Cut."),
    ("gateway", "tools/call", fail(lambda: Refused("502.", status=502)), 1, "may have been"),
    ("session", "tools/call", lose_once(), 3, "The session is gone."),
]


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("method", "behaviour", "times", "words"),
    [case[1:] for case in OUTCOMES],
    ids=[case[0] for case in OUTCOMES],
)
def test_each_end_of_a_request_is_one_answer(
    method: str, behaviour: Behaviour, times: int, words: str
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always(method, behaviour)
        answer = await stage.call(7, method, {"name": "echo"})
        if words:
            assert answer["error"]["code"] == LOCAL_ERROR
            assert words in answer["error"]["message"]
            assert "\n" not in answer["error"]["message"]
        else:
            assert answer["result"]
        assert len(stage.server.received(method)) == times

    scene(play)


@pytest.mark.promise("R1")
def test_refusal_with_an_answer_in_it_passes_that_answer() -> None:
    line = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"theirs"}}'

    async def play(stage: Scene) -> None:
        stage.server.always("x", fail(lambda: Unusable("HTTP 400", status=400, body=line)))
        await stage.call(7, "x")
        assert stage.host.lines == [line]

    scene(play)


@pytest.mark.promise("R1", "L5")
@pytest.mark.parametrize(
    "make",
    [
        lambda: NotSent("Refused connection."),
        lambda: Refused("Too many.", status=429),
        lambda: Refused("Later.", status=503, retry_after=4.0),
    ],
)
def test_what_was_never_executed_is_sent_again_until_patience_ends(
    make: Callable[[], ExchangeError],
) -> None:
    async def play(stage: Scene) -> None:
        began = stage.clock.now()
        stage.server.always("tools/call", fail(make))
        stage.host.request(1, "tools/call", {"name": "echo"})
        stage.host.request(2, "tools/call", {"name": "echo"})
        await stage.clock.finish(until_answered(stage, 1, 2))
        assert stage.clock.now() - began <= 15
        waits = [wait for wait in stage.clock.waits if wait != TICK]
        assert 2 <= len(waits) <= 16
        if make().retry_after:
            assert min(waits) >= 4
        stage.server.script("tools/call", fail(make), fail(make), good)
        assert "result" in await stage.call(3, "tools/call", {"name": "echo"})

    scene(play)


@pytest.mark.promise("L5")
@pytest.mark.parametrize(
    ("is_known", "error", "least", "most"),
    [
        (False, NotSent("No route."), 1.5, 5.0),
        (True, NotSent("No route."), 5.0, 15.0),
        (False, NotSent("No such name.").as_certain(), 0.0, 0.1),
        (True, NotSent("No such name.").as_certain(), 5.0, 15.0),
    ],
)
def test_how_long_until_a_person_knows(
    is_known: bool, error: NotSent, least: float, most: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def play(stage: Scene) -> None:
        began = stage.clock.now()
        stage.server.always("tools/list", fail(lambda: error))
        stage.host.request(1, "tools/list")
        await stage.clock.finish(until_answered(stage, 1))
        assert least <= stage.clock.now() - began <= most
        assert error.cause in stage.host.answer(1)["error"]["message"]

    scene(play, acquaintance=Acquaintance(is_known=is_known))
    lines = [line for line in caplog.messages if error.cause in line]
    if most < 1:
        assert len(lines) == 1
        return
    assert lines == [f"{error.cause} Trying again."]
    told = caplog.messages[-1]
    assert re.fullmatch(r"tools/list 1 failed so \([1-9]\d* times now\)\.", told)


def test_one_line_for_each_message_and_never_its_parameters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def play(stage: Scene) -> None:
        caplog.clear()
        release = asyncio.Event()
        stage.server.script("tools/call", when(release))
        stage.host.request(7, "tools/call", {"name": "canary-name"})
        await stage.clock.advance(0.25)
        stage.server.say(encode_notification("notifications/x", {"a": "canary-value"}))
        release.set()
        await settle()
        assert "result" in stage.host.answer(7)

    scene(play)
    lines = [line for line in caplog.messages if line.startswith("from server: ")]
    assert len(lines) == 2
    assert re.fullmatch(r"from server: notifications/x, \d+ bytes", lines[0])
    assert re.fullmatch(r"from server: answer to tools/call 7, \d+ bytes, 250 ms", lines[1])
    assert "canary" not in "".join(caplog.messages)


TICK = 0.01
"""Virtual seconds between two looks."""


async def until_answered(stage: Scene, *ids: object) -> None:
    while not all(stage.host.answers(one) for one in ids):
        await stage.clock.sleep(TICK)


@pytest.mark.promise("R1")
def test_second_request_with_an_open_id_is_refused_and_the_first_goes_on() -> None:
    async def play(stage: Scene) -> None:
        release = asyncio.Event()
        stage.server.script("slow", when(release))
        stage.host.request(1, "slow")
        await settle()
        stage.host.write(encode_request(1.0, "fast"))
        await settle()
        (refused,) = stage.host.answers(1)
        assert refused["error"]["code"] == INVALID_REQUEST
        release.set()
        await settle()
        assert stage.host.answers(1)[1]["result"] == {"method": "slow"}
        assert stage.server.received("fast") == []
        stage.host.lines.clear()
        assert "result" in await stage.call(1, "fast")

    scene(play)


@pytest.mark.promise("R1")
def test_unknown_and_second_answers_are_dropped() -> None:
    async def play(stage: Scene) -> None:
        async def twice(server: FakeServerChannel, message: Message) -> None:
            server.say(b'{"jsonrpc":"2.0","id":"nobody","result":{}}')
            server.answer(message, {"n": 1})
            server.answer(message, {"n": 2})

        stage.server.script("x", twice)
        assert (await stage.call(1, "x"))["result"] == {"n": 1}
        assert len(stage.host.lines) == 1

    scene(play)


@pytest.mark.promise("R1", "R8")
@pytest.mark.parametrize(
    ("head", "tail", "request_id"),
    [(b'{"jsonrpc":"2.0","id":5,"method":"x","params":{', b"}}", 5), (b"[[[", b"]]]", None)],
)
def test_line_above_the_cap_is_answered(head: bytes, tail: bytes, request_id: object) -> None:
    async def play(stage: Scene) -> None:
        stage.host.write_long(head, tail)
        error = stage.host.answer(request_id)["error"]
        assert error["code"] == INVALID_REQUEST
        assert "--max-message-size" in error["message"]

    scene(play)


@pytest.mark.promise("R1", "R6")
def test_second_answer_is_not_for_a_later_request_with_that_id() -> None:
    """Hosts may use an id again; an exchange may go on behind its answer, on another stream."""

    async def play(stage: Scene) -> None:
        later = asyncio.Event()

        async def answer_twice(server: FakeServerChannel, message: Message) -> None:
            server.say(b'{"jsonrpc":"2.0","id":7,"result":{"of":"first"}}')
            await later.wait()
            server.say(b'{"jsonrpc":"2.0","id":7,"result":{"of":"first, again"}}')

        async def answer_late(server: FakeServerChannel, message: Message) -> None:
            later.set()
            await settle()
            server.say(b'{"jsonrpc":"2.0","id":7,"result":{"of":"second"}}')

        stage.server.script("tools/call", answer_twice, answer_late)
        for of in ("first", "second"):
            stage.host.lines.clear()
            stage.host.request(7, "tools/call")
            await settle()
            await settle()
            assert stage.host.answer(7)["result"] == {"of": of}

    scene(play)


@pytest.mark.promise("R1", "R3")
@pytest.mark.report("T6")
def test_what_a_host_drops_is_mended_on_its_way() -> None:
    said = [
        b'{"method":"notifications/message","params":{"level":"info","data":1.0}}',
        b'{"jsonrpc":"2.0","id":"s","method":"ping","params":null,"result":null,"error":null}',
        b'{"jsonrpc":"2.0","id":7,"method":"","params":null,"result":{"v":1.0},"error":null}',
    ]
    heard = [
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}',
        b'{"jsonrpc":"2.0","id":"s","method":"ping"}',
        b'{"jsonrpc":"2.0","id":7,"result":{"v":1.0}}',
    ]

    async def play(stage: Scene) -> None:
        async def behaviour(server: FakeServerChannel, message: Message) -> None:
            for line in said:
                server.say(line)

        stage.server.script("x", behaviour)
        await stage.ask(7, "x")
        assert stage.host.lines == heard
        line = b'{"id":8,"error":"theirs","jsonrpc":"1.0"}'
        stage.server.always("x", fail(lambda: Unusable("HTTP 400", status=400, body=line)))
        answer = await stage.call(8, "x")
        error = {"code": -32603, "message": "theirs"}
        assert answer == {"jsonrpc": "2.0", "id": 8, "error": error}

    scene(play)


@pytest.mark.promise("R2", "R3")
def test_both_directions_pass_byte_for_byte() -> None:
    lines = [
        b'{"id": 1.0 ,"method":"\\u0061/b","x":1.0,"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","method":"notifications/\\u0061","params":{"n":1e400}}',
    ]
    answers = [
        b'{"result" : {"big":123456789012345678901234567890},"id":1,"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}',
        b'{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"_meta":{}}}',
    ]

    async def play(stage: Scene) -> None:
        async def behaviour(server: FakeServerChannel, message: Message) -> None:
            for line in answers:
                server.say(line)

        stage.server.script("a/b", behaviour)
        for line in lines:
            stage.host.write(line)
        await settle()
        reply = b'{"jsonrpc":"2.0","id":"s","result":{"model":"\\ud83d\\ude00"}}'
        stage.host.write(reply)
        stage.host.write(reply)  # nobody asked twice
        await settle()
        assert stage.host.lines == answers
        assert Counter(one.raw for one in stage.server.sent) == Counter([*lines, reply])

    scene(play)


# ------------------------------------------------------------------ the handshake, and order


@pytest.mark.promise("R1", "R3")
def test_lines_written_all_at_once_reach_the_server_in_the_order_of_the_handshake() -> None:
    async def play(stage: Scene) -> None:
        slow = asyncio.Event()
        stage.server.script("initialize", when(slow))
        stage.server.script("notifications/initialized", when(slow))
        stage.host.request(1, "initialize", INITIALIZE)
        stage.host.notify("notifications/initialized")
        stage.host.request(2, "tools/list")
        stage.host.request(3, "ping")
        stage.host.notify("notifications/roots/list_changed")
        await settle()
        assert stage.server.events == ["initialize"]
        slow.set()
        await settle()
        events = stage.server.events
        assert events[:3] == ["initialize", "2025-11-25", "notifications/initialized"]
        assert set(events[3:]) == {
            "listen", "tools/list", "ping", "notifications/roots/list_changed"
        }  # fmt: skip
        assert all("result" in stage.host.answer(one) for one in (1, 2, 3))

    scene(play, handshake=False)


@pytest.mark.promise("R1")
def test_refused_initialize_is_told_and_the_next_one_works() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("initialize", fail(lambda: Refused("No.", status=401)))
        assert "No." in (await stage.call(1, "initialize", INITIALIZE))["error"]["message"]
        assert "result" in await stage.call(2, "initialize", INITIALIZE)

    scene(play, handshake=False)


@pytest.mark.promise("R6")
def test_slow_calls_delay_no_fast_one() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("slow", forever)
        for number in range(50):
            stage.host.request(number, "slow")
        stage.host.request("fast", "fast")
        await settle()
        assert "result" in stage.host.answer("fast")
        assert len(stage.host.lines) == 1

    scene(play)


@pytest.mark.promise("R1", "R6")
def test_calls_above_the_limit_wait_their_turn_and_are_all_answered() -> None:
    async def play(stage: Scene) -> None:
        release = asyncio.Event()
        stage.server.always("slow", when(release))
        for number in range(MAX_IN_FLIGHT + 20):
            stage.host.request(number, "slow")
        await settle()
        assert len(stage.server.received("slow")) == MAX_IN_FLIGHT
        # One that still waits is cancelled: the server never hears of it.
        last = MAX_IN_FLIGHT + 19
        stage.host.notify("notifications/cancelled", {"requestId": last})
        await settle()
        release.set()
        await stage.clock.advance(30)
        assert len(stage.server.received("slow")) == MAX_IN_FLIGHT + 19
        assert stage.server.received("notifications/cancelled") == []
        assert stage.host.answers(last) == []
        assert all("result" in stage.host.answer(number) for number in range(last))

    scene(play)


# ------------------------------------------------------------------ cancellation


@pytest.mark.promise("R3")
@pytest.mark.parametrize("request_id", [3, "a", 123456789012345678901234567890, 2.0])
def test_cancellation_in_a_session_is_forwarded_and_frees_the_exchange(request_id: object) -> None:
    """A server need not answer a cancelled request: its open stream must not be kept for ever."""

    async def play(stage: Scene) -> None:
        ended = asyncio.Event()

        async def endless(server: FakeServerChannel, message: Message) -> None:
            try:
                await forever(server, message)
            finally:
                ended.set()

        stage.server.script("slow", endless)
        stage.host.request(request_id, "slow")
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": request_id, "reason": "x"})
        await settle()
        (told,) = stage.server.received("notifications/cancelled")
        assert json.loads(told.params)["requestId"] == request_id
        await stage.clock.advance(60)
        assert ended.is_set()
        assert stage.host.lines == []
        assert "result" in await stage.call(request_id, "again")

    scene(play)


@pytest.mark.promise("R3")
def test_answer_to_a_cancelled_request_may_still_come() -> None:
    async def play(stage: Scene) -> None:
        release = asyncio.Event()
        stage.server.script("slow", when(release))
        stage.host.request(1, "slow")
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await settle()
        release.set()
        await settle()
        assert "result" in stage.host.answer(1)

    scene(play)


@pytest.mark.promise("R3")
def test_cancellation_of_a_modern_request_ends_its_exchange() -> None:
    async def play(stage: Scene) -> None:
        ended = asyncio.Event()

        async def endless(server: FakeServerChannel, message: Message) -> None:
            try:
                await forever(server, message)
            finally:
                ended.set()

        stage.server.script("tools/call", endless)
        stage.host.request(1, "tools/call", {"name": "echo", **MODERN})
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await settle()
        assert ended.is_set()
        assert stage.server.received("notifications/cancelled") == []
        assert stage.host.lines == []

    scene(play)


@pytest.mark.promise("R3", "R5")
def test_cancelled_request_that_waits_to_be_sent_is_not_sent() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", fail(lambda: NotSent("Down.")))
        stage.host.request(1, "tools/call", {"name": "echo"})
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await stage.clock.advance(60)
        assert len(stage.server.received("tools/call")) == 1
        assert stage.host.lines == []

    scene(play)


@pytest.mark.report("T8")
@pytest.mark.promise("R1", "E1")
@pytest.mark.parametrize("begun_by", ["host", "us"])
@pytest.mark.parametrize("kind", [SessionLost, Refused, Unusable])
def test_a_server_that_refuses_initialized_keeps_its_session(
    begun_by: str, kind: type[ExchangeError]
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always(
            "notifications/initialized", fail(lambda: kind("It refuses that.", status=404))
        )
        if begun_by == "host":
            stage.host.request(1, "initialize", INITIALIZE)
            stage.host.notify("notifications/initialized")
        else:
            stage.server.script("tools/call", lose_once())
        assert "result" in await stage.call(2, "tools/call", {"name": "echo"})
        assert len(stage.server.received("notifications/initialized")) == 1
        assert len(stage.server.received("initialize")) == 1

    scene(play, handshake=begun_by == "us")


@pytest.mark.report("T8")
@pytest.mark.promise("R1", "R6")
@pytest.mark.parametrize("begun_by", ["host", "us"])
@pytest.mark.parametrize("end", ["never", "late failure"])
def test_a_server_that_never_takes_initialized_holds_nothing_up_for_long(
    begun_by: str, end: str
) -> None:
    async def play(stage: Scene) -> None:
        over = asyncio.Event()
        failure = fail(lambda: Interrupted("The connection broke."))
        stage.server.script("notifications/initialized", when(over, failure))
        if begun_by == "host":
            stage.host.request(1, "initialize", INITIALIZE)
            stage.host.notify("notifications/initialized")
        else:
            stage.server.script("tools/call", lose_once())
        stage.host.request(2, "tools/call", {"name": "echo"})
        await stage.clock.advance(BEGINNING_PATIENCE - 0.1)
        assert not stage.host.answers(2)
        await stage.clock.advance(0.2)
        assert "result" in stage.host.answer(2)
        assert "listen" in stage.server.events
        assert len(stage.server.received("notifications/initialized")) == 1
        if end == "late failure":
            over.set()
            await settle()
        assert "result" in await stage.call(3, "tools/call", {"name": "echo"})

    scene(play, handshake=begun_by == "us")


@pytest.mark.report("T8")
@pytest.mark.promise("R5")
def test_a_setting_that_is_never_taken_again_does_not_hold_up_a_new_session() -> None:
    async def play(stage: Scene) -> None:
        assert "result" in await stage.call(1, "logging/setLevel", {"level": "info"})
        stage.server.script("logging/setLevel", forever)
        stage.server.script("tools/call", lose_once())
        stage.host.request(2, "tools/call", {"name": "echo"})
        await stage.clock.advance(BEGINNING_PATIENCE + 0.1)
        assert "result" in stage.host.answer(2)
        assert len(stage.server.received("logging/setLevel")) == 2

    scene(play)


@pytest.mark.promise("R3")
def test_request_cancelled_during_the_handshake_is_not_sent() -> None:
    async def play(stage: Scene) -> None:
        slow = asyncio.Event()
        stage.server.script("initialize", when(slow))
        stage.host.request(1, "initialize", INITIALIZE)
        stage.host.notify("notifications/initialized")
        stage.host.request(2, "tools/call", {"name": "echo"})
        stage.host.notify("notifications/cancelled", {"requestId": 2})
        await settle()
        slow.set()
        await stage.clock.advance(60)
        assert stage.server.received("tools/call") == []
        assert stage.host.answers(2) == []

    scene(play, handshake=False)


@pytest.mark.promise("R3")
@pytest.mark.parametrize("params", [None, {"requestId": True}, {"requestId": "gone"}, {}])
def test_cancellation_of_nothing_known_is_passed_on(params: Json | None) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("slow", forever)
        stage.host.request(1, "slow")
        await settle()
        stage.host.notify("notifications/cancelled", params)
        await stage.clock.advance(60)
        assert len(stage.server.received("notifications/cancelled")) == 1
        stage.relay.stop("Over.")
        await settle()
        assert "Over." in stage.host.answer(1)["error"]["message"]

    scene(play)


# ------------------------------------------------------------------ ping


@pytest.mark.promise("L5")
def test_ping_is_answered_here_while_the_server_was_heard_lately() -> None:
    async def play(stage: Scene) -> None:
        for number in range(5):
            stage.host.request(number, "ping")
        await settle()
        assert stage.server.sent == []
        assert all(stage.host.answer(number)["result"] == {} for number in range(5))
        await stage.clock.advance(31)
        release = asyncio.Event()
        stage.server.script("ping", when(release))
        for number in range(10, 15):
            stage.host.request(number, "ping")
        await settle()
        release.set()
        await settle()
        (ping,) = stage.server.received("ping")
        assert ping.key not in range(10, 15)
        assert all(stage.host.answer(number)["result"] == {} for number in range(10, 15))
        assert len(stage.host.lines) == 10

    scene(play)


@pytest.mark.promise("R2")
def test_forward_ping_forwards_each() -> None:
    async def play(stage: Scene) -> None:
        for number in range(3):
            assert (await stage.call(number, "ping"))["result"] == {"method": "ping"}
        assert [one.key for one in stage.server.received("ping")] == [0, 1, 2]

    scene(play, forward_ping=True)


@pytest.mark.promise("R1")
def test_modern_ping_is_an_ordinary_request() -> None:
    async def play(stage: Scene) -> None:
        assert (await stage.call(1, "ping", MODERN))["result"] == {"method": "ping"}

    scene(play)


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    "failure", [lambda: NotSent("Restarting."), lambda: SessionLost("Gone.", status=404)]
)
def test_ping_survives_what_any_other_request_survives(
    failure: Callable[[], ExchangeError],
) -> None:
    async def play(stage: Scene) -> None:
        await stage.clock.advance(31)
        stage.server.script("ping", fail(failure))
        assert (await stage.call(1, "ping"))["result"] == {}

    scene(play)


@pytest.mark.promise("R1")
def test_ping_to_a_dead_server_fails_under_its_own_id() -> None:
    body = b'{"jsonrpc":"2.0","id":"mcp-remote-py/1","error":{"code":-32000,"message":"theirs"}}'

    async def play(stage: Scene) -> None:
        await stage.clock.advance(31)
        stage.server.always("ping", fail(lambda: Unusable("HTTP 500.", status=500, body=body)))
        stage.host.request(1, "ping")
        stage.host.request(2, "ping")
        await settle()
        assert "HTTP 500" in stage.host.answer(1)["error"]["message"]
        assert "HTTP 500" in stage.host.answer(2)["error"]["message"]
        assert b"mcp-remote-py/" not in b"".join(stage.host.lines)

    scene(play)


@pytest.mark.promise("L5")
def test_idle_relay_sends_nothing() -> None:
    async def play(stage: Scene) -> None:
        await stage.clock.advance(24 * 3600)
        assert stage.server.events == []
        assert stage.clock.waits == []

    scene(play)


@pytest.mark.promise("L5")
def test_keep_alive_pings_only_where_it_is_quiet() -> None:
    async def play(stage: Scene) -> None:
        await stage.clock.advance(100)
        quiet = len(stage.server.received("ping"))
        assert quiet == 10
        for number in range(10):
            stage.host.request(number, "x")
            await stage.clock.advance(4)
        assert len(stage.server.received("ping")) == quiet
        stage.server.script("ping", fail(lambda: NotSent("Down.")))
        await stage.clock.advance(20)
        assert stage.host.told("ping") == []
        assert [one["id"] for one in stage.host.messages] == list(range(10))

    scene(play, ping_interval=10.0)


# ------------------------------------------------------------------ a lost session


@pytest.mark.promise("R5")
def test_many_who_hear_of_a_lost_session_share_one_recovery() -> None:
    async def play(stage: Scene) -> None:
        stage.host.request("log", "logging/setLevel", {"level": "debug"})
        stage.host.request("a", "resources/subscribe", {"uri": "a:"})
        stage.host.request("b", "resources/subscribe", {"uri": "b:"})
        stage.host.request("c", "resources/unsubscribe", {"uri": "a:"})
        await settle()
        stage.server.events.clear()
        release = asyncio.Event()
        stage.server.script("tools/call", *[when(release, lose_once())] * 10)
        for number in range(10):
            stage.host.request(number, "tools/call", {"name": "echo"})
        await settle()
        release.set()
        await stage.clock.advance(1)
        assert stage.server.events == [
            *["tools/call"] * 10,
            "renew",
            "initialize",
            "2025-11-25",
            "notifications/initialized",
            "logging/setLevel",
            "resources/subscribe",
            "listen",
            *["tools/call"] * 10,
        ]
        (initialize,) = stage.server.received("initialize")
        assert json.loads(initialize.params) == INITIALIZE
        assert json.loads(stage.server.received("resources/subscribe")[-1].params) == {"uri": "b:"}
        assert all("result" in stage.host.answer(number) for number in range(10))
        assert b"mcp-remote-py/" not in b"".join(stage.host.lines)

    scene(play)


@pytest.mark.promise("R5")
def test_late_news_of_an_old_session_does_not_end_the_new_one() -> None:
    async def play(stage: Scene) -> None:
        late = asyncio.Event()
        stage.server.script("tools/call", when(late, lose_once()), lose_once())
        stage.host.request(1, "tools/call", {"name": "echo"})
        await settle()
        assert "result" in await stage.call(2, "tools/call", {"name": "echo"})
        late.set()
        await stage.clock.advance(5)
        assert "result" in stage.host.answer(1)
        assert stage.server.events.count("renew") == 1

    scene(play)


@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (lambda: Interrupted("Cut."), "Cut."),
        (lambda: Unusable("HTTP 400.", status=400, body=PRIVATE_ERROR), "HTTP 400."),
        (lambda: Refused("HTTP 401.", status=401, body=PRIVATE_ERROR), "HTTP 401."),
        (lambda: SessionLost("Gone again.", status=404), "Gone again."),
    ],
    ids=["interrupted", "unusable", "refused", "lost"],
)
def test_recovery_that_fails_is_told_to_each_in_its_own_words(
    failure: Callable[[], ExchangeError], words: str
) -> None:
    """What befell the new handshake befell no call: none of them can have been executed."""

    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", lose_once(), lose_once())
        stage.server.always("initialize", fail(failure))
        for number in range(2):
            stage.host.request(number, "tools/call", {"name": "echo"})
        await stage.clock.advance(60)
        for number in range(2):
            message = stage.host.answer(number)["error"]["message"]
            assert words in message
            assert "executed" not in message
        assert b"mcp-remote-py/" not in b"".join(stage.host.lines)
        assert len(stage.server.received("initialize")) <= 30
        stage.server.always("initialize", good)
        assert "result" in await stage.call(9, "tools/call", {"name": "echo"})

    scene(play)


PRIVATE_ERROR = (
    b'{"jsonrpc":"2.0","id":"mcp-remote-py/1","error":{"code":-32000,"message":"theirs"}}'
)


@pytest.mark.promise("R5")
def test_recovery_waits_for_a_server_that_restarts() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", lose_once())
        stage.server.script(
            "initialize", fail(lambda: NotSent("Down.")), fail(lambda: Interrupted("Cut."))
        )
        assert "result" in await stage.call(1, "tools/call", {"name": "echo"})

    scene(play)


@pytest.mark.promise("R5")
def test_call_that_waits_for_a_session_is_not_what_failed() -> None:
    """What a gateway does to our handshake says nothing of a call that was never sent."""

    def refuse_begins(times: int) -> list[Behaviour]:
        return [fail(lambda: Refused("Not ready.", hint="Wait.", status=503))] * times

    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", lose_once())
        stage.server.script("initialize", *refuse_begins(2))
        assert "result" in await stage.call(1, "tools/call", {"name": "drop"})
        assert len(stage.server.received("tools/call")) == 2
        stage.server.script("tools/call", lose_once())
        stage.server.script("initialize", *refuse_begins(100))
        answer = await stage.call(2, "tools/call", {"name": "drop"})
        assert answer["error"]["message"] == "Not ready. Wait."
        assert len(stage.server.received("tools/call")) == 3

    scene(play)


@pytest.mark.promise("R5")
def test_new_session_is_begun_while_nobody_asks_and_boundedly() -> None:
    async def play(stage: Scene) -> None:
        stage.server.lose_session()
        stage.server.lose_session()
        await stage.clock.advance(10)
        assert stage.server.events.count("renew") == 1
        assert stage.server.events[-1] == "listen"
        stage.server.always("initialize", fail(lambda: NotSent("Down.")))
        stage.server.lose_session()
        await stage.clock.advance(24 * 3600)
        assert len(stage.server.received("initialize")) <= MAX_RESTORATIONS + 1
        assert stage.clock.next_deadline is None

    scene(play)


@pytest.mark.promise("R5")
def test_host_that_begins_anew_needs_no_handshake_of_ours() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", lose_once())
        stage.server.script("initialize", fail(lambda: Unusable("Down.")))
        await stage.call(1, "tools/call", {"name": "echo"})
        stage.server.events.clear()
        assert "result" in await stage.call(2, "initialize", INITIALIZE)
        stage.host.notify("notifications/initialized")
        await settle()
        assert stage.server.events == [
            "renew", "initialize", "2025-11-25", "notifications/initialized", "listen"
        ]  # fmt: skip
        assert "result" in await stage.call(3, "tools/call", {"name": "echo"})

    scene(play)


@pytest.mark.promise("R3", "R5")
@pytest.mark.parametrize("by_host", [False, True])
def test_open_requests_of_the_server_end_with_its_session(by_host: bool) -> None:
    ask = b'{"jsonrpc":"2.0","id":0,"method":"roots/list"}'

    async def play(stage: Scene) -> None:
        stage.server.say(ask)
        stage.server.say(ask)  # sent again: on a resumed stream, for one
        assert len(stage.host.told("roots/list")) == 1
        if by_host:
            stage.server.script("x", lose_once())
            stage.server.script("initialize", fail(lambda: Unusable("Down.")))
            await stage.call(1, "x")
            await stage.call(2, "initialize", INITIALIZE)
        else:
            stage.server.script("x", lose_once())
            await stage.call(1, "x")
        (cancelled,) = stage.host.told("notifications/cancelled")
        assert cancelled["params"]["requestId"] == 0
        stage.server.sent.clear()
        stage.host.reply(0, {"roots": []})
        await settle()
        assert stage.server.sent == []
        stage.server.say(ask)  # the new session counts from 0 again
        assert len(stage.host.told("roots/list")) == 2
        stage.host.reply(0, {"roots": []})
        await settle()
        assert len(stage.server.sent) == 1

    scene(play)


@pytest.mark.promise("R5")
def test_answer_to_a_lost_session_is_not_taken_into_the_next() -> None:
    async def play(stage: Scene) -> None:
        stage.server.say(b'{"jsonrpc":"2.0","id":0,"method":"roots/list"}')
        stage.server.script("", lose_once())
        stage.host.reply(0, {"roots": []})
        await stage.clock.advance(60)
        answers = [one for one in stage.server.sent if not one.method]
        assert len(answers) == 1
        stage.server.say(b'{"jsonrpc":"2.0","id":1,"method":"roots/list"}')
        stage.host.reply(1, {"roots": []})
        await stage.clock.advance(60)
        assert len([one for one in stage.server.sent if not one.method]) == 1

    scene(play)


@pytest.mark.promise("R3", "R5")
@pytest.mark.parametrize(
    ("listed", "changes", "announces", "told"),
    [(True, True, True, 1), (True, False, True, 0), (True, True, False, 0), (False, True, True, 0)],
)
def test_host_hears_of_other_tools_after_a_restart(
    listed: bool, changes: bool, announces: bool, told: int
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.capabilities = {"tools": {"listChanged": announces}}
        await stage.begin()
        if listed:
            await stage.call(0, "tools/list")
        if changes:
            stage.server.tools = {"tools": [{"name": "new"}]}
        stage.server.script("x", lose_once())
        await stage.call(1, "x")
        await settle()
        assert len(stage.host.told("notifications/tools/list_changed")) == told
        assert len(stage.host.lines) == told + 1 + listed

    scene(play, handshake=False)


# ------------------------------------------------------------------ tools


@pytest.mark.promise("R1")
def test_hidden_tool_is_neither_listed_nor_called() -> None:
    async def play(stage: Scene) -> None:
        stage.server.tools = {"tools": [{"name": "read"}, {"name": "drop"}]}
        assert (await stage.call(1, "tools/list"))["result"] == {"tools": [{"name": "read"}]}
        error = (await stage.call(2, "tools/call", {"name": "drop"}))["error"]
        assert error["code"] == INVALID_PARAMS
        assert "--ignore-tool" in error["message"]
        assert stage.server.received("tools/call") == []
        assert "result" in await stage.call(3, "tools/call", {"name": "read"})

    scene(play, rules=ToolRules(ignore=("dr*",)))


@pytest.mark.promise("R5")
def test_tool_the_server_marked_is_called_again_once() -> None:
    async def play(stage: Scene) -> None:
        stage.server.tools = {
            "tools": [{"name": "get", "annotations": {"readOnlyHint": True}}, {"name": "set"}]
        }
        await stage.call(0, "tools/list")
        stage.server.script("tools/call", fail(lambda: Interrupted("Cut.")))
        assert "result" in await stage.call(1, "tools/call", {"name": "get"})
        stage.server.script("tools/call", fail(lambda: Interrupted("Cut.")))
        message = (await stage.call(2, "tools/call", {"name": "set"}))["error"]["message"]
        assert message == "Cut. The request may have been executed; it was not sent again."

    scene(play)


# ------------------------------------------------------------------ the end


@pytest.mark.promise("R1", "R7")
def test_calls_in_flight_finish_within_the_grace_after_the_end_of_stdin() -> None:
    async def play(stage: Scene) -> None:
        release = asyncio.Event()
        stage.server.script("slow", when(release))
        stage.server.script("stuck", forever)
        stage.host.request(1, "slow")
        stage.host.request(2, "stuck")
        await settle()
        began = stage.clock.now()
        stage.host.close()
        await stage.clock.advance(0.1)
        release.set()
        await stage.clock.finish(stage.running)
        assert "result" in stage.host.answer(1)
        assert "closed the connection" in stage.host.answer(2)["error"]["message"]
        assert stage.server.events[-1] == "close"
        assert stage.host.flushed
        assert stage.clock.now() - began <= 2

    scene(play)


@pytest.mark.promise("R7")
def test_end_of_stdin_with_nothing_open_ends_at_once() -> None:
    async def play(stage: Scene) -> None:
        began = stage.clock.now()
        stage.host.close()
        await stage.clock.finish(stage.running)
        assert stage.clock.now() == began
        assert stage.server.events == ["close"]

    scene(play)


@pytest.mark.promise("R1", "R7")
def test_stop_answers_everything_at_once_also_what_waits_and_what_comes_later() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("slow", forever)
        count = MAX_IN_FLIGHT + 5
        for number in range(count):
            stage.host.request(number, "slow")
        await settle()
        stage.relay.stop("Told to stop.")
        stage.relay.stop("Told again.")
        await asyncio.sleep(0)
        stage.host.request("late", "late")
        await stage.clock.finish(stage.running)
        stage.host.request("later", "late")
        for number in [*range(count), "late", "later"]:
            assert "Told to stop." in stage.host.answer(number)["error"]["message"], number
        assert len(stage.server.received("slow")) == MAX_IN_FLIGHT
        assert stage.server.received("late") == []
        await settle()
        assert asyncio.all_tasks() == stage.before

    scene(play)


@pytest.mark.promise("R7")
def test_server_that_does_not_confirm_the_end_delays_it_only_shortly() -> None:
    class Stubborn(FakeServerChannel):
        async def aclose(self) -> None:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        host, server = FakeHost(), Stubborn()
        relay = Relay(
            HostLines(host), server.connect, catalog=ToolCatalog(ToolRules()), clock=FakeClock(),
            random=lambda: 0.5,
        )  # fmt: skip
        running = asyncio.ensure_future(relay.run())
        await settle()
        host.close()
        await asyncio.wait_for(running, 2)

    run(main())


@pytest.mark.promise("R7")
def test_recovery_under_way_ends_with_the_relay() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("x", lose_once())
        stage.server.script("initialize", forever)
        stage.host.request(1, "x")
        await settle()
        stage.relay.stop("Over.")
        await stage.clock.finish(stage.running)
        await settle()
        assert "Over." in stage.host.answer(1)["error"]["message"]
        assert asyncio.all_tasks() == stage.before

    scene(play)


# ------------------------------------------------------------------ ids, and faults of our own


@pytest.mark.promise("R1")
def test_id_used_again_while_the_old_exchange_lingers_is_answered() -> None:
    """A server may keep the stream of an answered request open; a host may count from 1 again."""

    async def play(stage: Scene) -> None:
        release = asyncio.Event()

        async def linger(server: FakeServerChannel, message: Message) -> None:
            await good(server, message)
            await release.wait()

        second = asyncio.Event()
        stage.server.script("x", linger, when(second))
        stage.host.request(1, "x")
        await settle()
        stage.host.request(1, "x")
        await settle()
        release.set()
        await settle()
        assert len(stage.host.answers(1)) == 1
        second.set()
        await settle()
        assert ["result" in one for one in stage.host.answers(1)] == [True, True]

    scene(play)


@pytest.mark.promise("R1")
def test_fault_of_our_own_is_an_answer_too() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("x", fail(lambda: ValueError("secret detail")))
        message = (await stage.call(1, "x"))["error"]["message"]
        assert "ValueError" in message
        assert "secret detail" not in message
        assert "result" in await stage.call(2, "x")

    scene(play)


# ------------------------------------------------------------------ any server at all

FAULTS: dict[str, Behaviour] = {
    "good": good,
    "silent": silent,
    "forever": forever,
    "not sent": fail(lambda: NotSent("Down.")),
    "busy": fail(lambda: Refused("Busy.", status=429)),
    "gateway": fail(lambda: Refused("Gateway.", status=503)),
    "refused": fail(lambda: Refused("No.", status=401)),
    "lost": fail(lambda: SessionLost("Gone.", status=404)),
    "interrupted": fail(lambda: Interrupted("Cut.")),
    "unusable": fail(lambda: Unusable("Odd.")),
    "broken": fail(lambda: OSError("odd")),
}


async def answer_and_cut(server: FakeServerChannel, message: Message) -> None:
    await good(server, message)
    raise Interrupted("Cut.")


async def answer_twice(server: FakeServerChannel, message: Message) -> None:
    await good(server, message)
    await good(server, message)


async def answer_a_stranger(server: FakeServerChannel, message: Message) -> None:
    server.say(encode({"jsonrpc": "2.0", "id": "stranger", "result": {}}))


async def answer_late(server: FakeServerChannel, message: Message) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    await good(server, message)


MORE_FAULTS: dict[str, Behaviour] = {
    "answer, cut": answer_and_cut,
    "twice": answer_twice,
    "stranger": answer_a_stranger,
    "late": answer_late,
}

BEHAVIOURS = FAULTS | MORE_FAULTS

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(["tools/call", "tools/list", "ping", "x/y"])),
    st.tuples(
        st.just("behave"), st.lists(st.sampled_from(sorted(BEHAVIOURS)), min_size=1, max_size=4)
    ),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 5.0, 40.0])),
    st.tuples(st.just("lose"), st.none()),
    st.tuples(st.just("initialize"), st.none()),
)


@pytest.mark.promise("R1")
@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=20), st.sampled_from(["eof", "stop"]))
def test_whatever_the_server_does_every_id_is_answered_exactly_once(
    steps: list[tuple[str, Any]], end: str
) -> None:
    async def play(stage: Scene) -> None:
        asked = 0
        for kind, what in steps:
            if kind == "ask":
                asked += 1
                stage.host.request(asked, what, {"name": "echo"})
            elif kind == "initialize":
                asked += 1
                stage.host.request(asked, "initialize", INITIALIZE)
                stage.host.notify("notifications/initialized")
            elif kind == "behave":
                for method in ("tools/call", "tools/list", "ping", "x/y", "initialize"):
                    stage.server.script(method, *(BEHAVIOURS[name] for name in what))
            elif kind == "lose":
                stage.server.lose_session()
            else:
                await stage.clock.advance(what)
        sent = len(stage.server.sent)
        await stage.clock.advance(1000)
        assert len(stage.server.sent) - sent <= 40 * (len(steps) + 1)
        if end == "eof":
            stage.host.close()
            await stage.clock.finish(stage.running)
        else:
            await stage.end()
        ids = Counter(one["id"] for one in stage.host.messages if "method" not in one)
        assert ids == dict.fromkeys(range(1, asked + 1), 1)

    scene(play)


@pytest.mark.report("T6")
@pytest.mark.promise("R1")
@pytest.mark.parametrize("spelled", [b"20", b"20.0", b"2e1", b"0.2E2"])
def test_an_answer_has_a_whole_number_as_the_host_wrote_it(spelled: bytes) -> None:
    async def answer(server: FakeServerChannel, _: Message) -> None:
        server.say(b'{"jsonrpc":"2.0","id":%b,"result":{}}' % spelled)

    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", answer)
        stage.host.request(20, "tools/call", {"name": "echo"})
        await settle()
        assert stage.host.lines == [b'{"jsonrpc":"2.0","id":20,"result":{}}']

    scene(play)
