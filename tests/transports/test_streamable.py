"""Streamable HTTP against a server that misbehaves, with time that passes when a test says so."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, SessionLost, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.settings.network import Timeouts
from mcp_remote_py.transports.standalone_stream import Patience
from mcp_remote_py.transports.streamable import StreamableChannel
from tests.fakes import FakeClock, encode, encode_notification, encode_request, run, until
from tests.peers.wild_server import (
    Exchange,
    WildServer,
    answer_html,
    answer_status,
    cut_before_head,
    cut_in_event,
    end_stream_without_answer,
    lose_session_400,
    lose_session_401,
    lose_session_404,
    lose_session_404_plain,
    lose_session_410,
    redirect,
)
from tests.transports.peers import client_for

INITIALIZE = parse_message(
    encode_request("init", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
)
CALL = parse_message(encode_request(1, "tools/call", {"name": "echo"}))
INITIALIZED = parse_message(encode_notification("notifications/initialized"))
TOKEN = "canary-2c64b0aa19"


QUICK = Patience(alone=0.2)


class Scene:
    """A channel, what it delivered, and how often it told of a lost session."""

    def __init__(self, server: WildServer, random: float) -> None:
        self.server = server
        self.clock = FakeClock()
        self.delivered: list[Message] = []
        self.lost = 0
        self.connected = False
        self._random = random
        self.channel: StreamableChannel

    async def connect(self, patience: Patience = QUICK, body: float | None = None) -> None:
        def lose() -> None:
            self.lost += 1

        if self.connected:
            await self.channel.aclose()
        self.connected = True
        more: dict[str, Any] = {} if body is None else {"timeouts": Timeouts(body=body)}

        self.channel = StreamableChannel(
            await client_for(self.server.url, {"Authorization": f"Bearer {TOKEN}"}, **more),
            self.delivered.append,
            lose,
            self.clock,
            lambda: self._random,
            1 << 20,
            end_patience=0.2,
            patience=patience,
        )

    async def begin(self) -> None:
        """The handshake, up to the listening stream."""
        await self.channel.send(INITIALIZE)
        self.channel.set_protocol_version("2025-11-25")
        await self.channel.send(INITIALIZED)
        self.channel.start_listening()
        await until(lambda: bool(self.server.received("GET")))

    async def sleeping(self) -> None:
        """Waits until somebody waits for the clock."""
        await until(lambda: self.clock.next_deadline is not None)

    async def awake(self, seconds: float = 3600.0) -> None:
        """Lets the first sleeper wake, within that many virtual seconds."""
        await self.sleeping()
        assert self.clock.jump(self.clock.now() + seconds)


def scene(
    test: Callable[[Scene], Awaitable[None]], *, random: float = 0.5, **options: Any
) -> WildServer:
    """Plays `test`; the server is handed back, dead, to look at what it received."""

    async def main(server: WildServer) -> None:
        stage = Scene(server, random)
        await stage.connect()
        await test(stage)
        await stage.channel.aclose()

    with WildServer(**options) as server:
        run(main(server))
        return server


# ------------------------------------------------------------------ the session


@pytest.mark.promise("R4", "R7")
@pytest.mark.parametrize("sse", [False, True])
def test_session_is_begun_named_and_ended(sse: bool) -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        stage.server.wait_for_stream()
        await stage.channel.send(CALL)
        assert [one.key for one in stage.delivered] == ["init", 1]

    server = scene(play, sessions=True, listen=True, sse=sse)
    first, *others = server.requests
    assert "mcp-session-id" not in first.headers
    assert "mcp-protocol-version" not in first.headers
    (session,) = {one.headers["mcp-session-id"] for one in others}
    assert {one.headers["mcp-protocol-version"] for one in others} == {"2025-11-25"}
    assert session
    assert [one.verb for one in others if one.verb != "POST"] == ["GET", "DELETE"]
    accept = {one.verb: one.headers.get("accept") for one in server.requests}
    assert accept["POST"] == "application/json, text/event-stream"
    assert accept["GET"] == "text/event-stream"


def give_session(name: str) -> Callable[[Exchange], None]:
    """A good answer that names this session."""

    def reply(exchange: Exchange) -> None:
        headers = {"Mcp-Session-Id": name}
        if exchange.id is None:
            exchange.reply(202, headers=headers)
            return
        exchange.result({"protocolVersion": "2025-11-25"}, headers=headers)

    return reply


@pytest.mark.promise("R4", "R5")
def test_session_is_the_one_that_the_server_named_last() -> None:
    """The SDK of npm takes the id from any answer: servers begin or rename it with a later one."""

    async def play(stage: Scene) -> None:
        for method, *names in (
            ("initialize", ""),
            ("notifications/initialized", "begun"),
            ("tools/call", "begun", "renamed", ""),
        ):
            stage.server.script(method, *map(give_session, names))
        await stage.begin()
        for _ in range(3):
            await stage.channel.send(CALL)

    server = scene(play)
    sent = [(one.method, one.headers.get("mcp-session-id")) for one in server.requests]
    assert [session for method, session in sent if method == "tools/call"] == [
        *("begun", "begun", "renamed"),
    ]
    assert sent[0] == ("initialize", None)
    assert sent[-1] == ("DELETE", "renamed")


@pytest.mark.promise("R4", "R5")
def test_session_of_a_late_answer_is_not_that_of_a_newer_one() -> None:
    newer = threading.Event()

    def answer_late(exchange: Exchange) -> None:
        assert exchange.wait(newer)
        give_session("old-renamed")(exchange)

    async def play(stage: Scene) -> None:
        stage.server.script("initialize", give_session("old"), give_session("new"))
        stage.server.script("tools/call", answer_late)
        await stage.begin()
        late = asyncio.ensure_future(stage.channel.send(CALL))
        await until(lambda: bool(stage.server.received("tools/call")))
        await stage.channel.send(INITIALIZE)
        stage.channel.set_protocol_version("2025-11-25")
        newer.set()
        await late
        await stage.channel.send(CALL)

    sent = [one.headers.get("mcp-session-id") for one in scene(play).received("tools/call")]
    assert sent == ["old", "new"]


@pytest.mark.promise("R4")
def test_server_of_2026_07_28_begins_no_session() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", give_session("of-nobody"))
        await stage.channel.send(CALL)
        await stage.channel.send(CALL)

    server = scene(play)
    assert all("mcp-session-id" not in one.headers for one in server.requests)


@pytest.mark.promise("R4")
def test_server_without_sessions_is_not_told_of_one() -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        await stage.channel.send(CALL)

    server = scene(play)
    assert all("mcp-session-id" not in one.headers for one in server.requests)
    assert server.received("DELETE") == []


@pytest.mark.promise("R5")
@pytest.mark.parametrize("refuse", [lose_session_404, lose_session_404_plain, lose_session_400])
def test_lost_session_is_told_by_call_and_by_stream(refuse: Callable[[Exchange], None]) -> None:
    async def play(stage: Scene) -> None:
        stage.server.on_lost_session = refuse
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.known_sessions.clear()
        with pytest.raises(SessionLost):
            await stage.channel.send(CALL)
        assert stage.lost == 0
        stage.server.cut_streams()
        await stage.awake()
        await until(lambda: stage.lost == 1)
        await stage.channel.renew()
        await stage.channel.send(INITIALIZE)
        stage.channel.start_listening()
        stage.channel.start_listening()
        await asyncio.to_thread(stage.server.wait_for_stream)
        await stage.channel.send(CALL)
        assert stage.lost == 1
        assert len(stage.server.received("GET")) == 3

    server = scene(play, sessions=True, listen=True)
    assert "mcp-session-id" not in server.received("initialize")[1].headers


@pytest.mark.promise("R5")
def test_host_that_begins_anew_is_listened_for_anew() -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        await stage.channel.send(INITIALIZE)
        stage.channel.start_listening()
        await until(lambda: len(stage.server.received("GET")) == 2)

    server = scene(play, sessions=True, listen=True)
    old, new = server.received("GET")
    assert old.headers["mcp-session-id"] != new.headers["mcp-session-id"]
    ended = [one.headers["mcp-session-id"] for one in server.received("DELETE")]
    assert ended == [new.headers["mcp-session-id"], old.headers["mcp-session-id"]]


def test_a_session_that_is_given_again_is_ended_once() -> None:
    async def play(stage: Scene) -> None:
        result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
        mine = {"Mcp-Session-Id": "mine"}
        stage.server.always("initialize", lambda one: one.result(result, headers=mine))
        await stage.begin()
        await stage.channel.send(INITIALIZE)

    server = scene(play)
    assert [one.headers["mcp-session-id"] for one in server.received("DELETE")] == ["mine"]


@pytest.mark.promise("R7")
def test_end_is_not_delayed_by_a_server_that_does_not_confirm() -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        stage.server.always("DELETE", lambda one: one.delay(10))
        async with asyncio.timeout(2):
            await stage.channel.aclose()

    scene(play, sessions=True)


@pytest.mark.report("T1")
@pytest.mark.parametrize("moved", ["tools/call", "tools/list", "GET", "initialize"])
def test_only_the_redirect_of_a_handshake_is_kept_and_for_its_session(moved: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script(moved, redirect(308, "/node-1"))
        await stage.begin()
        for method in ("tools/list", "tools/call", "ping"):
            await stage.channel.send(parse_message(encode_request(method, method)))
        await stage.channel.send(INITIALIZE)

    server = scene(play)
    paths = [one.path for one in server.requests]
    if moved == "initialize":
        assert set(paths[1:-1]) == {"/node-1"}
    else:
        assert [one.method for one in server.requests if one.path == "/node-1"] == [moved]
    assert (paths[0], paths[-1]) == ("/mcp", "/mcp")


# ------------------------------------------------------------------ the listening stream


@pytest.mark.promise("L5")
@pytest.mark.parametrize("status", [405, 404, 400, 401, 403, 501, 200])
def test_server_without_a_listening_stream_is_asked_once(status: int) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("GET", answer_html() if status == 200 else answer_status(status))
        await stage.begin()
        for _ in range(3):
            await stage.channel.send(CALL)
            stage.channel.start_listening()
        assert stage.clock.waits == []
        assert stage.lost == 0

    server = scene(play)
    assert len(server.received("GET")) == 1


@pytest.mark.promise("L5", "R4")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "resources/read"])
@pytest.mark.parametrize("end", ["stream", "refusal", "renewal"])
def test_what_makes_a_server_ask_waits_for_the_stream_of_its_questions(
    method: str, end: str
) -> None:
    asking = parse_message(encode_request(1, method, {"name": "echo"}))
    answer = threading.Event()

    def hold(exchange: Exchange) -> None:
        assert answer.wait(5)
        answer_status(405)(exchange) if end == "refusal" else greet(exchange)

    async def play(stage: Scene) -> None:
        stage.server.always("GET", hold)
        await stage.begin()
        call = asyncio.ensure_future(stage.channel.send(asking))
        await stage.channel.send(parse_message(encode_request(2, "tools/list", {})))
        assert not stage.server.received(method)
        if end == "renewal":
            await stage.channel.renew()
            await call
            answer.set()
        else:
            answer.set()
            await call
        assert [one.key for one in stage.delivered if one.key] == ["init", 2, 1]

    scene(play)


@pytest.mark.promise("L5")
def test_a_stream_that_never_opens_holds_up_one_call_once() -> None:
    patience = 2.0
    answer = threading.Event()

    def hold(exchange: Exchange) -> None:
        assert answer.wait(5)
        greet(exchange)

    async def play(stage: Scene) -> None:
        stage.server.always("GET", hold)
        await stage.channel.aclose()
        await stage.connect(Patience(listen=patience))
        await stage.begin()
        begun = time.monotonic()
        await stage.channel.send(CALL)
        held = time.monotonic() - begun
        async with asyncio.timeout(patience):
            await stage.channel.send(CALL)
        assert held >= patience
        answer.set()

    scene(play)


@pytest.mark.report("T2")
@pytest.mark.parametrize(
    "refuse",
    [
        lose_session_404,
        lose_session_404_plain,
        lose_session_400,
        lose_session_401,
        lose_session_410,
    ],
)
def test_a_session_is_not_lost_because_its_server_has_no_stream(
    refuse: Callable[[Exchange], None],
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("GET", refuse)
        await stage.begin()
        await stage.channel.send(CALL)
        await stage.channel.send(CALL)
        assert (stage.lost, stage.clock.waits) == (0, [])

    server = scene(play, sessions=True)
    assert [one.method for one in server.requests].count("GET") == 1
    assert not server.received("ping")


@pytest.mark.report("T2")
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_stream_that_is_not_there_any_more_is_a_lost_session_if_a_post_says_so(
    is_lost: bool,
) -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.always("GET", lose_session_404)
        if is_lost:
            stage.server.known_sessions.clear()
        stage.server.cut_streams()
        await stage.awake()
        if is_lost:
            await until(lambda: stage.lost == 1)
        else:
            await stage.sleeping()  # it is asked for again later
        assert len(stage.server.received("ping")) == 1
        assert stage.lost == is_lost
        assert [one.key for one in stage.delivered] == ["init"]

    scene(play, sessions=True, listen=True)


def accept_only(exchange: Exchange) -> None:
    exchange.reply(202)


ANSWER = encode({"jsonrpc": "2.0", "id": 1, "result": {"late": True}})
ANSWER_TO_TEXT = encode({"jsonrpc": "2.0", "id": "1", "result": {"late": True}})


@pytest.mark.report("T3")
@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "accept",
    [
        accept_only,
        answer_status(202, b"Accepted", content_type="text/plain"),
        answer_status(202, b'{"status":"accepted"}', content_type="application/json"),
        answer_status(204),
        answer_status(200, content_type="application/json"),
        answer_status(200, b"{}", content_type="application/json"),
        answer_status(200, b"OK", content_type="text/plain"),
        answer_status(200, b"Received.", content_type="text/plain"),
        answer_status(200, b'{"ok":true}', content_type="application/json"),
        answer_status(
            200, b'{ "status" : "queued", "code": 202 }\n', content_type="application/json"
        ),
        answer_status(200, b"Request accepted", content_type="text/plain"),
        answer_status(
            200,
            b'{"jsonrpc":"2.0","id":1,"message":"Message accepted."}',
            content_type="application/json",
        ),
        end_stream_without_answer,
    ],
    ids=[
        *("202", "202 with a word", "202 with JSON", "204", "200", "200 with nothing in JSON"),
        *("200 with a word", "200 with another", "200 with ok", "200 with a state"),
        *("200 with a sentence", "200 with the id", "empty stream"),
    ],
)
@pytest.mark.parametrize("first", [False, True], ids=["later", "before the POST is answered"])
@pytest.mark.parametrize("answer", [ANSWER, ANSWER_TO_TEXT], ids=["its id", "id as a string"])
def test_an_answer_that_comes_on_the_listening_stream_is_waited_for(
    accept: Callable[[Exchange], None], first: bool, answer: bytes
) -> None:
    accepted = threading.Event()

    def hold(exchange: Exchange) -> None:
        if first:
            exchange.server.push(answer)
            assert accepted.wait(5)
        accept(exchange)

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", hold)
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await until(lambda: bool(stage.server.received("tools/call")))
        if first:
            await until(lambda: len(stage.delivered) == 2)
            accepted.set()
        else:
            await stage.channel.send(parse_message(encode_request(2, "other")))
            assert not call.done()
            stage.server.push(answer)
        await call
        assert [one.key for one in stage.delivered].count(1) == 1

    server = scene(play, sessions=True, listen=True)
    assert len(server.received("tools/call")) == 1


@pytest.mark.report("T3")
@pytest.mark.promise("R1", "E1")
@pytest.mark.parametrize(
    ("accept", "words"),
    [(accept_only, "without answering it"), (end_stream_without_answer, "answer was lost")],
)
@pytest.mark.parametrize("end", ["never there", "cut", "renewed", "in time"])
def test_an_answer_is_not_waited_for_where_none_can_come(
    accept: Callable[[Exchange], None], words: str, end: str
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", accept)
        await stage.connect(body=0.2 if end == "in time" else None)
        await stage.begin()
        if end != "never there":
            await asyncio.to_thread(stage.server.wait_for_stream)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await until(lambda: bool(stage.server.received("tools/call")))
        if end == "cut":
            stage.server.always("GET", answer_status(405))
            stage.server.cut_streams()
            await stage.awake()
        elif end == "renewed":
            await stage.channel.renew()
        with pytest.raises(ExchangeError, match="too long" if end == "in time" else words):
            await call

    server = scene(play, sessions=True, listen=end != "never there")
    assert len(server.received("tools/call")) == 1


@pytest.mark.report("T3")
@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize("name", ["message", "response"])
def test_an_answer_that_comes_on_the_next_listening_stream_is_taken(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Gateways cut what is silent for a minute; the server says it on the stream that is open."""

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", accept_only)
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await until(lambda: bool(stage.server.received("tools/call")))
        stage.server.cut_streams()
        await stage.awake()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.push(ANSWER, name=name)
        await call
        assert [one.raw for one in stage.delivered[1:]] == [ANSWER]

    server = scene(play, sessions=True, listen=True)
    assert len(server.received("tools/call")) == 1
    assert not caplog.records  # asyncio has nothing to say of what waited


@pytest.mark.report("T3", "T6")
@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"jsonrpc":"2.0","id":77,"result":{}}', "answered another request"),
        (b'data: {"jsonrpc":"2.0","id":77,"result":{}}\n\n', 'it said: "{"jsonrpc":"2.0","id":77'),
        (b"event: error\ndata: the index is locked\n\n", 'it said: "the index is locked"'),
        (b"data: half of {\n\n", 'it said: "half of {"'),
    ],
)
def test_who_had_words_of_its_own_is_not_waited_for(answer: bytes, words: str) -> None:
    """The listening stream is open all the time: it would be waited for to the time-out."""

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", answer_status(200, answer))
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        async with asyncio.timeout(10):
            with pytest.raises(ExchangeError) as caught:
                await stage.channel.send(CALL)
        assert words in caught.value.cause

    server = scene(play, sessions=True, listen=True)
    assert len(server.received("tools/call")) == 1


@pytest.mark.report("T4")
@pytest.mark.promise("R6")
@pytest.mark.parametrize("opening", ["opens", "holds", "waits in line"])
def test_a_stream_that_keeps_the_only_connection_gives_way(
    opening: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken, answered = threading.Event(), threading.Event()

    def keep(exchange: Exchange) -> None:
        if opening == "waits in line":
            assert exchange.wait(answered, 5)
        taken.set()
        if opening != "holds":
            exchange.stream()
        exchange.hold()
        taken.clear()

    def wait_in_line(exchange: Exchange) -> None:
        deadline = time.monotonic() + 5
        while taken.is_set() and time.monotonic() < deadline:
            exchange.delay(0.01)
        exchange.good()

    async def play(stage: Scene) -> None:
        await stage.connect(Patience(listen=0.1, alone=0.2))
        for method in ("tools/call", "ping"):
            stage.server.always(method, wait_in_line)
        stage.server.always("GET", keep)
        await stage.begin()
        if opening == "waits in line":
            await stage.channel.send(parse_message(encode_request(2, "other")))
        answered.set()
        await until(taken.is_set)
        begun = time.monotonic()
        await stage.channel.send(CALL)
        assert time.monotonic() - begun < 4
        await stage.channel.send(CALL)
        stage.channel.start_listening()
        assert stage.clock.waits == []

    server = scene(play, sessions=True)
    assert len(server.received("GET")) == 1
    assert len(server.received("tools/call")) == 2
    assert "its listening stream is open: the stream is closed for this session" in caplog.text


@pytest.mark.report("T4")
@pytest.mark.promise("R3")
@pytest.mark.parametrize("proof", ["a call before", "a question"])
def test_a_server_that_is_slow_keeps_its_stream(proof: str) -> None:
    async def play(stage: Scene) -> None:
        slow = threading.Event()
        stage.server.always("tools/call", lambda one: (one.wait(slow), one.good())[1])
        # A machine at work answers a question in that time, too.
        await stage.connect(Patience(alone=0.4))
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        if proof == "a call before":
            await stage.channel.send(parse_message(encode_request(2, "tools/list")))
        call = asyncio.ensure_future(stage.channel.send(CALL))
        if proof == "a question":
            await until(lambda: bool(stage.server.received("ping")))
        await asyncio.wait({call}, timeout=0.6)
        stage.server.push(encode_notification("notifications/a"))
        await until(lambda: stage.delivered[-1].method == "notifications/a")
        slow.set()
        await call
        assert len(stage.server.received("ping")) == (proof == "a question")

    scene(play, sessions=True, listen=True)


def greet(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(encode_notification("notifications/message"))
    exchange.finish()


def poll(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(event_id="1", retry=120_000)
    exchange.finish()


@pytest.mark.promise("L5")
@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
@pytest.mark.parametrize(
    ("behaviour", "most"),
    [
        (end_stream_without_answer, 10),
        (cut_in_event, 10),
        (answer_status(503), 10),
        (answer_status(429, headers={"Retry-After": "1"}), 10),
        (greet, 302),
        (poll, 6),
    ],
    ids=["ends", "cut", "503", "429", "greets", "polls"],
)
def test_stream_that_ends_at_once_is_opened_ever_less_often(
    behaviour: Callable[[Exchange], None], most: int, random: float
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("GET", behaviour)
        await stage.begin()
        await stage.clock.advance(600, stage.sleeping)
        await stage.channel.send(CALL)  # calls are not a reason to ask more often
        await stage.clock.advance(600, stage.sleeping)

    server = scene(play, random=random)
    assert len(server.received("GET")) <= most * 2
    assert len(server.received("GET")) >= 2


@pytest.mark.promise("R5")
def test_listening_goes_on_after_the_last_event_heard() -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.push(encode_notification("notifications/a"), event_id="e-7")
        await until(lambda: len(stage.delivered) == 2)
        stage.server.cut_streams()
        await stage.awake()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.push(encode_notification("notifications/b"))
        await until(lambda: len(stage.delivered) == 3)

    server = scene(play, listen=True, sessions=True)
    first, second = server.received("GET")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "e-7"


@pytest.mark.promise("R5", "L5")
def test_server_that_is_gone_is_listened_to_when_it_answers_again() -> None:
    async def play(stage: Scene) -> None:
        await stage.begin()
        await asyncio.to_thread(stage.server.wait_for_stream)
        stage.server.kill()
        await stage.awake()
        await stage.sleeping()
        with pytest.raises(NotSent):
            await stage.channel.send(CALL)
        stage.server.restart()
        await stage.channel.send(CALL)
        await asyncio.to_thread(stage.server.wait_for_stream)  # though no time passed

    scene(play, listen=True)


# ------------------------------------------------------------------ streams of requests


def prime_and_cut(exchange: Exchange) -> None:
    """As SEP-1699 has it: an id without data, a pace, and the end of the connection."""
    exchange.stream()
    exchange.event(b"", event_id="p-0", retry=7000)
    exchange.close()


def half_and_cut(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(encode_notification("notifications/progress"), event_id="p-0", retry=7000)
    exchange.piece(b"id: p-1\ndata: {")
    exchange.close()


def resume_with_answer(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(encode({"jsonrpc": "2.0", "id": 1, "result": {"late": True}}), event_id="p-2")
    exchange.finish()


@pytest.mark.promise("R5")
@pytest.mark.parametrize("behaviour", [prime_and_cut, half_and_cut])
def test_broken_stream_is_resumed_at_the_pace_of_the_server(
    behaviour: Callable[[Exchange], None],
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", behaviour)
        stage.server.script("GET", answer_status(503), end_stream_without_answer)
        stage.server.always("GET", resume_with_answer)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        for _ in range(3):
            await stage.awake()
        await call
        assert json.loads(stage.delivered[-1].raw)["result"] == {"late": True}
        assert all(wait >= 7 for wait in stage.clock.waits)

    server = scene(play)
    assert [one.headers["last-event-id"] for one in server.received("GET")] == ["p-0"] * 3
    assert len(server.received("tools/call")) == 1


LATE = encode({"jsonrpc": "2.0", "id": 1, "result": {"late": True}})


@pytest.mark.report("T10")
@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    "body", [b"id: p-2\ndata: " + LATE + b"\n\n", LATE], ids=["events", "an object"]
)
@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json"])
def test_a_stream_is_resumed_whatever_its_type_is_called(body: bytes, content_type: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", prime_and_cut)
        stage.server.always("GET", answer_status(200, body, content_type=content_type))
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await stage.awake()
        await call
        assert [one.raw for one in stage.delivered] == [LATE]

    assert len(scene(play).received("tools/call")) == 1


@pytest.mark.report("T10")
@pytest.mark.promise("R3")
def test_the_listening_stream_is_one_whatever_its_type_is_called() -> None:
    news = encode_notification("notifications/tools/list_changed")

    def speak(exchange: Exchange) -> None:
        exchange.stream(content_type="text/plain")
        exchange.event(news)
        exchange.hold()

    async def play(stage: Scene) -> None:
        stage.server.always("GET", speak)
        await stage.begin()
        await until(lambda: len(stage.delivered) == 2)
        assert stage.delivered[-1].raw == news

    assert len(scene(play, sessions=True, listen=True).received("GET")) == 1


@pytest.mark.promise("R5", "L5")
@pytest.mark.parametrize(
    ("behaviour", "openings"),
    [(answer_status(405), 1), (lose_session_404, 1), (cut_before_head, 5), (answer_status(503), 5)],
    ids=["405", "404", "cut", "503"],
)
def test_stream_that_cannot_be_resumed_is_an_answer_lost(
    behaviour: Callable[[Exchange], None], openings: int
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", prime_and_cut)
        stage.server.always("GET", behaviour)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        for _ in range(openings):
            await stage.awake()
        with pytest.raises(Interrupted, match="The answer was lost") as caught:
            await call
        assert "a gateway on the way cuts what is silent" in caught.value.hint

    server = scene(play)
    assert len(server.received("GET")) == openings


@pytest.mark.promise("R5")
@pytest.mark.parametrize("behaviour", [end_stream_without_answer, cut_in_event])
def test_stream_without_ids_is_not_resumed(behaviour: Callable[[Exchange], None]) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", behaviour)
        with pytest.raises(Interrupted):
            await stage.channel.send(CALL)

    server = scene(play)
    assert len(server.requests) == 1


def answer_and_line_end(exchange: Exchange) -> None:
    exchange.good()
    exchange.write(b"\r\n")


def answer_and_late_line_end(exchange: Exchange) -> None:
    exchange.good()
    exchange.delay(0.01)
    exchange.write(b"\r\n\r\n")


def stream_and_line_end(exchange: Exchange) -> None:
    exchange.result({}, sse=True)
    exchange.write(b"\r\n")


@pytest.mark.report("T11")
@pytest.mark.parametrize(
    "behaviour", [answer_and_line_end, answer_and_late_line_end, stream_and_line_end]
)
def test_line_end_behind_a_body_is_passed_over(behaviour: Callable[[Exchange], None]) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", behaviour)
        for number in range(5):
            request = parse_message(encode_request(number, "tools/call", {"name": "echo"}))
            try:
                await stage.channel.send(request)
            except NotSent:  # found out before anything left: the relay sends it once more
                await stage.channel.send(request)
        assert [one.key for one in stage.delivered] == list(range(5))

    assert len(scene(play).requests) == 5


def test_each_message_has_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def play(stage: Scene) -> None:
        await stage.channel.send(parse_message(encode_request(1, "x", {"a": "canary-value"})))
        await stage.channel.send(parse_message(encode_notification("notifications/x")))

    scene(play)
    lines = [line for line in caplog.messages if line.startswith("to server: ")]
    assert re.fullmatch(r"to server: x 1, \d+ bytes: HTTP 200 after \d+ ms", lines[0])
    assert re.fullmatch(r"to server: notifications/x, \d+ bytes: HTTP 202 after \d+ ms", lines[1])
    assert "canary" not in "".join(caplog.messages)


def end_in(data: bytes, *, cut: bool) -> Callable[[Exchange], None]:
    """A stream whose last event lacks its end; `cut`: the stream lacks its own, too."""

    def end(exchange: Exchange) -> None:
        exchange.stream()
        exchange.piece(data)
        exchange.close() if cut else exchange.finish()

    return end


@pytest.mark.report("T7")
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_whole_answer_at_the_end_of_a_stream_is_taken(end: bytes, cut: bool) -> None:
    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}'

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", end_in(b"event: message\ndata: " + answer + end, cut=cut))
        await stage.channel.send(CALL)
        assert [one.raw for one in stage.delivered] == [answer]

    assert len(scene(play).requests) == 1


def break_off_behind(body: bytes, *, chunked: bool) -> Callable[[Exchange], None]:
    """A body of which more is announced; what has come is cut, or followed by nothing."""

    def reply(exchange: Exchange) -> None:
        if chunked:
            exchange.stream(content_type="application/json")
            exchange.piece(body)
        else:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            exchange.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body) + 9, body))
        exchange.close()

    return reply


@pytest.mark.promise("R1", "R5")
@pytest.mark.report("T7")
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_whole_answer_is_taken_from_a_body_that_breaks_off_behind_it(
    chunked: bool, end: bytes
) -> None:
    async def play(stage: Scene) -> None:
        for answer in (ANSWER, b"[%b]" % ANSWER):
            stage.server.script("tools/call", break_off_behind(answer + end, chunked=chunked))
            await stage.channel.send(CALL)
        assert [one.raw for one in stage.delivered] == [ANSWER, ANSWER]

    assert len(scene(play).requests) == 2


@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "body", [ANSWER[:-1], ANSWER + b",", b"[%b" % ANSWER, ANSWER[:-1] + b'"}', b"[1,%b]" % ANSWER]
)
def test_body_that_breaks_off_within_its_answer_is_an_answer_lost(
    chunked: bool, body: bytes
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", break_off_behind(body, chunked=chunked))
        with pytest.raises(Interrupted, match="in the middle of its answer"):
            await stage.channel.send(CALL)
        assert stage.delivered == []

    scene(play)


@pytest.mark.report("T7")
@pytest.mark.parametrize(
    ("last", "resumed_from"),
    [
        (b'id: 2\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}', "2"),
        (b'id: 2\ndata: {"jsonrpc":"2.0","meth', "1"),
    ],
)
def test_stream_is_resumed_behind_what_was_whole(last: bytes, resumed_from: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", end_in(b"id: 1\ndata: \n\n" + last, cut=False))
        stage.server.always("GET", resume_with_answer)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await stage.awake()
        await call
        assert len(stage.delivered) == int(resumed_from)

    server = scene(play)
    assert [one.headers["last-event-id"] for one in server.received("GET")] == [resumed_from]


@pytest.mark.promise("R6")
def test_resumed_stream_leaves_its_connection_to_one_other_call() -> None:
    """The stream ends without its answer: its connection is free before the exchange is over."""

    def prime(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(b"", event_id="p-0")
        exchange.finish()

    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", prime)
        stage.server.always("GET", resume_with_answer)
        call = asyncio.ensure_future(stage.channel.send(CALL))
        await stage.awake()
        await call
        others = [parse_message(encode_request(number, "x")) for number in range(2, 8)]
        await asyncio.gather(*map(stage.channel.send, others))
        assert {one.key for one in stage.delivered} == set(range(1, 8))

    scene(play)


@pytest.mark.promise("R6")
@pytest.mark.parametrize("message", [CALL, INITIALIZED], ids=["request", "notification"])
def test_stream_left_open_after_its_purpose_is_closed(message: Message) -> None:
    hung_up: list[bool] = []

    def linger(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(encode_notification("notifications/before"))
        if exchange.id is not None:
            exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}}))
        hung_up.append(exchange.hold(10))

    async def play(stage: Scene) -> None:
        stage.server.always(message.method, linger)
        await stage.channel.send(message)
        await until(lambda: hung_up == [True])
        assert stage.delivered[0].method == "notifications/before"

    scene(play)


# ------------------------------------------------------------- what is not an answer


@pytest.mark.promise("R1", "S2")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (answer_status(202), "HTTP 202"),
        (answer_status(200), "an empty answer"),
        (answer_status(200, b"  ", content_type="application/json"), "an empty answer"),
        (answer_html(), "text/html instead of JSON"),
        (answer_status(200, b"{}", content_type="application/json"), "not a JSON-RPC message"),
        (
            answer_status(
                200,
                b'{"headers":{"authorization":"' + b"x" * 150 + f'Bearer {TOKEN}"'.encode() + b"}",
                content_type="application/json",
            ),
            "It begins with",
        ),
    ],
    ids=["202", "empty", "blank", "html", "object", "echo"],
)
def test_answer_that_is_none_is_quoted(behaviour: Callable[[Exchange], None], words: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", behaviour)
        with pytest.raises(Unusable) as caught:
            await stage.channel.send(CALL)
        assert words in caught.value.cause
        assert caught.value.hint
        assert TOKEN[:6] not in caught.value.sentence()

    scene(play)


@pytest.mark.promise("R3")
def test_messages_before_the_answer_and_batches_are_delivered_in_order() -> None:
    def several(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(encode_notification("notifications/progress"))
        exchange.event(b"no message")
        exchange.event(encode_request("s", "roots/list"))
        notification = encode_notification("notifications/x")
        answer = encode({"jsonrpc": "2.0", "id": 1, "result": True})
        exchange.event(b"[%b,7,%b]" % (notification, answer))
        exchange.finish()

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", several)
        await stage.channel.send(CALL)
        assert [one.method or one.key for one in stage.delivered] == [
            "notifications/progress",
            "roots/list",
            "notifications/x",
            1,
        ]

    scene(play)


def response(name: str, value: object, *ids: object) -> bytes:
    """A response with this id, or without any."""
    named = {"id": ids[0]} if ids else {}
    return encode({"jsonrpc": "2.0", **named, name: value})


def send(body: bytes, sse: bool) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send(body, sse=sse)


RESULT, ERROR = {"n": 1.0}, {"code": -32000, "message": "no", "data": [1.0]}
ODD = [(), (None,), ("1",)]


@pytest.mark.report("T6")
@pytest.mark.promise("R1", "R2")
@pytest.mark.parametrize("ids", ODD, ids=["missing", "null", "text"])
@pytest.mark.parametrize(("name", "value"), [("result", RESULT), ("error", ERROR)])
@pytest.mark.parametrize("form", ["json", "batch", "stream", "cut", "open stream"])
def test_the_only_response_to_a_request_is_its_answer(
    ids: tuple[object, ...], name: str, value: object, form: str
) -> None:
    line = response(name, value, *ids)

    def reply(exchange: Exchange) -> None:
        if form == "json":
            exchange.reply(200, line)
        elif form == "batch":
            exchange.reply(200, b"[%b,%b]" % (encode_notification("notifications/x"), line))
        else:
            exchange.stream()
            exchange.event(encode_notification("notifications/x"))
            exchange.event(line)
            {"stream": exchange.finish, "cut": exchange.cut, "open stream": exchange.hold}[form]()

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", reply)
        await stage.channel.send(CALL)
        answer = stage.delivered[-1]
        assert json.loads(answer.raw) == {"jsonrpc": "2.0", "id": 1, name: value}
        assert answer.key == 1
        assert encode(value) in answer.raw  # byte for byte

    scene(play)


@pytest.mark.report("T6")
@pytest.mark.parametrize("sse", [False, True])
def test_of_several_responses_only_the_one_with_the_id_is_the_answer(sse: bool) -> None:
    lines = [
        response("error", ERROR),
        response("result", RESULT, "1"),
        response("result", {"right": True}, 1),
    ]

    async def play(stage: Scene) -> None:
        for count in (3, 2):
            stage.server.script("tools/call", send(b"[" + b",".join(lines[:count]) + b"]", sse))
            if count == 3:
                await stage.channel.send(CALL)
            else:
                with pytest.raises((Unusable, Interrupted)):
                    await stage.channel.send(CALL)
        assert [one.raw for one in stage.delivered if one.key == 1] == [lines[2]]

    scene(play)


@pytest.mark.report("T6")
@pytest.mark.parametrize("sse", [False, True])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":"invalid_api_key"}', "an error that is not one of JSON-RPC (HTTP 200 from"),
        (b'{"jsonrpc":"2.0","id":null,"error":["quota exceeded"]}', "not one of JSON-RPC"),
        (b'{"jsonrpc":"2.0","id":77,"result":{}}', "answered another request than this one"),
        (b'{"detail":"quota exceeded"}', "not a JSON-RPC message"),
        (b'{"jsonrpc":"2.0","id":[1],"result":{}}', "not a JSON-RPC message"),
        (b'"quota exceeded"', "not a JSON-RPC message"),
    ],
)
def test_what_is_no_answer_is_quoted_in_the_error(body: bytes, words: str, sse: bool) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", send(body, sse))
        with pytest.raises(ExchangeError) as caught:
            await stage.channel.send(CALL)
        if not sse or "not one of" in words:
            assert words in caught.value.cause
        assert body.decode() in caught.value.cause
        assert caught.value.hint

    scene(play)


class Rotation:
    """A server that hands the answers of `count` calls round: each exchange has the next one's."""

    def __init__(
        self, server: WildServer, count: int, *, sse: bool, last: int | None = None
    ) -> None:
        self._calls: list[Exchange] = []
        self._count = count
        self._sse = sse
        self._last = last
        """The id in the last exchange, where it is not that of the first call."""
        self._turn = threading.Condition()
        self._answered = 0
        server.always("tools/call", self._take)

    def _take(self, exchange: Exchange) -> None:
        with self._turn:
            place = len(self._calls)
            self._calls.append(exchange)
            self._turn.notify_all()
            is_due = self._turn.wait_for(
                lambda: len(self._calls) == self._count and self._answered == place, 10
            )
            assert is_due
            number = self._calls[(place + 1) % self._count].id
            if self._last is not None and place == self._count - 1:
                number = self._last
            answer = {"jsonrpc": "2.0", "id": number, "result": {"of": number}}
            exchange.send(encode(answer), sse=self._sse)
            self._answered += 1
            self._turn.notify_all()


def call_of(number: int) -> Message:
    return parse_message(encode_request(number, "tools/call", {"name": "echo"}))


@pytest.mark.report("T6")
@pytest.mark.promise("R1", "E1")
@pytest.mark.parametrize("sse", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_answers_that_were_handed_round_are_taken_by_their_ids(count: int, sse: bool) -> None:
    async def play(stage: Scene) -> None:
        Rotation(stage.server, count, sse=sse)
        async with asyncio.timeout(10):
            await asyncio.gather(
                *(stage.channel.send(call_of(number)) for number in range(1, count + 1))
            )
        assert sorted(map(str, stage.delivered)) == sorted(
            str(parse_message(encode({"jsonrpc": "2.0", "id": number, "result": {}})))
            for number in range(1, count + 1)
        )

    assert len(scene(play).received("tools/call")) == count


@pytest.mark.report("T6")
@pytest.mark.promise("R1", "E1")
@pytest.mark.parametrize(
    ("sse", "words"), [(False, "answered another request"), (True, "answer was lost")]
)
def test_an_answer_that_went_nowhere_is_not_waited_for_longer_than_it_can_come(
    sse: bool, words: str
) -> None:
    async def play(stage: Scene) -> None:
        Rotation(stage.server, 2, sse=sse, last=77)
        async with asyncio.timeout(10):
            calls = [stage.channel.send(call_of(number)) for number in (1, 2)]
            first, second = await asyncio.gather(*calls, return_exceptions=True)
        # Whose POST came first is not said: one has its answer, the other has an error.
        errors = [one for one in (first, second) if one is not None]
        assert len(errors) == 1
        assert words in str(errors[0])

    assert len(scene(play).received("tools/call")) == 2


@pytest.mark.report("T7")
@pytest.mark.parametrize("name", ["response", "Message", "mcp"])
def test_an_answer_in_an_event_of_another_name_is_one(name: str) -> None:
    def reply(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(b"{}", name="ping")
        exchange.event(b"hello", name=name)
        exchange.event(encode({"jsonrpc": "2.0", "id": 2, "result": {}}), name=name)
        exchange.event(ANSWER, name=name)
        exchange.finish()

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", reply)
        await stage.channel.send(CALL)
        assert [one.raw for one in stage.delivered] == [ANSWER]

    scene(play)


@pytest.mark.report("T6")
@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        (b'{"message": "Invalid API key"}', True),
        (b'{"errors":[{"message":"bad key"}]}', True),
        (b'{"detail":"Not authenticated"}', True),
        (b'{"content":[]}', False),
    ],
)
def test_who_says_what_is_wrong_is_to_be_read(body: bytes, is_error: bool) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", send(body, False))
        with pytest.raises(Unusable, match="is not a JSON-RPC message") as caught:
            await stage.channel.send(CALL)
        assert body.decode() in caught.value.cause
        assert ("the server's own words" in caught.value.hint) is is_error

    scene(play)


@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result":{"v":NaN}}', True),
        (b'{"jsonrpc":"2.0","id":1,"result":{"v":"caf\xe9"}}', True),
        (b'{"jsonrpc":"2.0","id":2,"result":{"v":NaN}}', False),
        (b'{"v":NaN}', False),
    ],
)
def test_answer_that_cannot_be_read_may_be_that_of_an_executed_call(
    body: bytes, is_told: bool
) -> None:
    async def play(stage: Scene) -> None:
        for method in ("tools/call", "tools/list"):
            stage.server.always(method, send(body, False))
            request = parse_message(encode_request(1, method, {"name": "echo"}))
            with pytest.raises(
                ExchangeError, match="is not a JSON-RPC message: The mess"
            ) as caught:
                await stage.channel.send(request)
            is_call = method == "tools/call"
            assert isinstance(caught.value, Interrupted) is (is_call and is_told)
            assert caught.value.hint in (
                "That is a fault of the server.",
                "Check that the URL is that of an MCP server.",
            )

    scene(play)


@pytest.mark.report("T6")
def test_words_of_an_event_that_is_named_an_error_are_quoted() -> None:
    def reply(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(b"busy", name="ping")
        exchange.event(b'{"message":"quota exceeded"}', name="error")
        exchange.finish()

    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", reply)
        with pytest.raises(Interrupted) as caught:
            await stage.channel.send(CALL)
        assert caught.value.cause == (
            "The answer was lost: the server ended its stream before the answer; it said: "
            '"{"message":"quota exceeded"}".'
        )
        assert caught.value.hint.startswith("These are the server's own words")

    scene(play)
