"""Lost sessions, restarted servers, cut streams: the host does not notice.

Promise R5. A new session is begun with the host's own `initialize`; a request is sent again only
when it certainly was not executed, or when repeating it cannot do harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.host import PROTOCOL_VERSION, Host, assert_error, initialize_params
from tests.peers import wild_server as wild_behaviour
from tests.peers.launch import sdk_server
from tests.peers.wild_server import Behaviour, Exchange, WildServer, encode
from tests.relay.conftest import Relay, Wild

CALL = {"name": "echo", "arguments": {"text": "hello"}}
CAPABILITIES = {"roots": {"listChanged": True}, "sampling": {}}
RESOURCE = {"uri": "test://one"}

Start = Callable[..., tuple[WildServer, Host]]
Step = tuple[str, dict[str, Any] | None]

SCRIPT: list[Step] = [
    ("initialize", initialize_params(CAPABILITIES)),
    ("notifications/initialized", None),
    ("tools/list", None),
    ("logging/setLevel", {"level": "debug"}),
    ("resources/subscribe", RESOURCE),
    ("tools/call", CALL),
    ("prompts/list", None),
    ("tools/call", CALL),
]
"""A whole session, message by message."""

LOST: dict[str, Behaviour] = {
    "404 with a JSON-RPC error": wild_behaviour.lose_session_404,
    "404 with plain text": wild_behaviour.lose_session_404_plain,
    "400 that names the session": wild_behaviour.lose_session_400,
    "400 of a server that was started anew": wild_behaviour.lose_session_400_anew,
    "401 with a good header": wild_behaviour.lose_session_401,
    "410": wild_behaviour.lose_session_410,
    "200, on a stream": wild_behaviour.lose_session_stream,
    "403": wild_behaviour.lose_session_403,
    "500": wild_behaviour.lose_session_500,
    "503": wild_behaviour.lose_session_503,
}


@pytest.fixture
def start(wild: Wild, relay: Relay) -> Start:
    """A server with sessions, and an initialized host."""

    def start(*options: str, **server_options: Any) -> tuple[WildServer, Host]:
        server = wild(**({"sessions": not server_options.get("legacy")} | server_options))
        host = relay(server.url, *options)
        host.initialize(CAPABILITIES)
        server.wait_for("notifications/initialized")
        if server.listen:
            server.wait_for_stream()
        return server, host

    return start


def play(host: Host, step: Step) -> None:
    """One message of the script; a request must succeed."""
    method, params = step
    if method.startswith("notifications/"):
        host.notify(method, params)
        return
    answer = host.request(method, params)
    assert "result" in answer, (step, answer)


def methods_since(server: WildServer, index: int) -> list[str]:
    """What was posted since then, without the streams and their ends."""
    return [one.method for one in server.requests[index:] if one.verb == "POST"]


def wait_for_initialized(server: WildServer) -> None:
    """The server has taken what the host said last, in a session it knows."""
    server.wait_for("notifications/initialized")


# Between two messages


@pytest.mark.promise("R5")
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "legacy"])
@pytest.mark.parametrize("cut", range(1, len(SCRIPT)))
def test_server_restarted_between_two_messages(
    wild: Wild, relay: Relay, cut: int, legacy: bool
) -> None:
    server = wild(legacy=True) if legacy else wild(sessions=True, listen=True)
    host = relay(server.url)
    for step in SCRIPT[:cut]:
        play(host, step)
    if cut > 1:
        wait_for_initialized(server)
    before = len(server.requests)
    server.kill()
    server.restart()
    for step in SCRIPT[cut:]:
        play(host, step)
    methods = methods_since(server, before)
    assert "initialize" in methods
    again = [one for one in server.requests[before:] if one.method == "initialize"]
    posted = [one for one in again if not legacy or "session=" in one.path]
    assert all(one.params == SCRIPT[0][1] for one in posted)
    assert methods.count("tools/call") <= SCRIPT[cut:].count(("tools/call", CALL)) + 1
    host.check()


@pytest.mark.promise("R5")
@pytest.mark.parametrize("transport", ["streamable", "sse"])
def test_process_of_the_sdk_killed_and_started_again(relay: Relay, transport: str) -> None:
    call = {"name": "echo", "arguments": {"text": "still here"}}
    with sdk_server(transport) as peer:
        host = relay(peer.url)
        host.initialize()
        first = host.request("tools/call", call)
    request = host.begin("tools/call", call)
    with sdk_server(transport, port=peer.port):
        assert host.answer(request)["result"] == first["result"]
        assert host.request("tools/call", call)["result"] == first["result"]
        host.end()


@pytest.mark.report("T9")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("name", LOST)
def test_session_lost_before_every_message(wild: Wild, relay: Relay, name: str) -> None:
    server = wild(sessions=True)
    server.on_lost_session = LOST[name]
    host = relay(server.url)
    for step in SCRIPT[:2]:
        play(host, step)
    wait_for_initialized(server)
    for step in SCRIPT[2:] * 2:
        server.known_sessions.clear()
        play(host, step)
    host.check()


@pytest.mark.promise("R5")
def test_new_session_is_like_the_old_one(start: Start) -> None:
    server, host = start()
    for step in SCRIPT[2:5]:
        play(host, step)
    play(host, ("resources/subscribe", {"uri": "test://two"}))
    play(host, ("resources/unsubscribe", {"uri": "test://two"}))
    play(host, ("logging/setLevel", {"level": "error"}))
    server.known_sessions.clear()
    before = len(server.requests)
    play(host, ("tools/call", CALL))
    requests = [one for one in server.requests[before:] if one.verb == "POST"]
    assert [one.method for one in requests][:4] == [
        "tools/call",
        "ping",  # what has no effect shows that the session is lost, before the call goes again
        "initialize",
        "notifications/initialized",
    ]
    initialize = requests[2]
    assert initialize.params == initialize_params(CAPABILITIES)
    assert "mcp-session-id" not in initialize.headers
    settings = [(one.method, one.params) for one in requests[4:-1] if one.method != "tools/list"]
    assert settings == [
        ("logging/setLevel", {"level": "error"}),
        ("resources/subscribe", RESOURCE),
    ]
    last = [one for one in requests if one.method == "tools/call"]
    assert len(last) == 2
    assert last[0].body == last[1].body
    assert len({one.headers["mcp-session-id"] for one in requests[3:]}) == 1
    assert all(one.headers["mcp-protocol-version"] == PROTOCOL_VERSION for one in requests[3:])
    assert len(host.lines) == 8


@pytest.mark.promise("R5", "R6")
def test_many_requests_lose_one_session_and_begin_one(start: Start) -> None:
    server, host = start()
    server.known_sessions.clear()
    requests = [host.begin("tools/call", CALL) for _ in range(20)]
    assert all("result" in host.answer(request) for request in requests)
    assert len(server.received("initialize")) <= 3
    assert len(server.received("tools/call")) <= 60


@pytest.mark.promise("R5", "R3")
def test_idle_host_hears_of_news_after_a_restart(start: Start) -> None:
    """Nobody asks for anything, and yet the stream is there again."""
    server, host = start(listen=True)
    server.kill()
    server.restart()
    server.wait_for_stream(seconds=20)
    server.push(encode({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}))
    host.notification("notifications/tools/list_changed")


@pytest.mark.promise("R5", "R1")
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "legacy"])
def test_server_killed_during_a_call(start: Start, legacy: bool) -> None:
    server, host = start(legacy=legacy)
    server.script("tools/call", wild_behaviour.be_silent)
    request = host.begin("tools/call", CALL)
    server.wait_for("tools/call")
    server.kill()
    server.restart()
    assert_error(host.answer(request), request, ["may have been executed"])
    play(host, ("tools/call", CALL))
    assert len(server.received("tools/call")) <= 3


@pytest.mark.promise("R5", "L5")
def test_server_that_loses_every_session_at_once(start: Start) -> None:
    """A load balancer without stickiness: told, not retried for ever."""
    server, host = start()
    server.always("tools/call", wild_behaviour.lose_session_404)
    before = len(server.requests)
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request, seconds=40), request, ["session"])
    assert len(server.requests) - before <= 16
    server.always("tools/call", Exchange.good)
    play(host, ("tools/call", CALL))


# A server that is not there


@pytest.mark.promise("R5", "L5")
def test_server_that_comes_up_later_than_the_command(wild: Wild, relay: Relay) -> None:
    server = wild()
    server.kill()
    host = relay(server.url)
    request = host.begin("initialize", initialize_params())
    threading.Event().wait(1.0)  # the subject itself: a server that is away for a while
    server.restart()
    assert "result" in host.answer(request)
    assert len(server.received("initialize")) == 1


@pytest.mark.promise("R5", "L5")
def test_server_that_stays_away_is_told(start: Start) -> None:
    server, host = start()
    server.kill()
    request = host.begin("tools/call", CALL)
    text = assert_error(
        host.answer(request, seconds=40), request, ["cannot be reached", str(server.port)]
    )
    assert "may have been executed" not in text
    server.restart()
    play(host, ("tools/call", CALL))


# What may be repeated

HARMLESS: list[Step] = [
    ("tools/list", None),
    ("resources/list", None),
    ("resources/templates/list", None),
    ("prompts/list", None),
    ("resources/read", RESOURCE),
    ("prompts/get", {"name": "x"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}}),
]


@pytest.mark.promise("R5")
def test_harmless_requests_are_sent_once_more(start: Start) -> None:
    server, host = start()
    for step in HARMLESS:
        server.script(step[0], wild_behaviour.cut_before_head)
        play(host, step)
        assert len(server.received(step[0])) == 2
        assert len({one.body for one in server.received(step[0])}) == 1


@pytest.mark.promise("R5", "R1")
def test_harmless_request_is_given_up_after_the_second_loss(start: Start) -> None:
    server, host = start()
    server.script("prompts/list", *[wild_behaviour.cut_before_head] * 5)
    request = host.begin("prompts/list")
    assert_error(host.answer(request), request)
    assert len(server.received("prompts/list")) == 2


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("tool", "times"), [("lookup", 2), ("repeat", 2), ("echo", 1), ("unheard_of", 1)]
)
def test_only_tools_marked_harmless_are_called_again(start: Start, tool: str, times: int) -> None:
    server, host = start()
    play(host, ("tools/list", None))
    server.script("tools/call", wild_behaviour.cut_before_head)
    request = host.begin("tools/call", {"name": tool})
    answer = host.answer(request)
    assert ("result" in answer) == (times == 2), answer
    if times == 1:
        assert_error(answer, request, ["may have been executed"])
    assert len(server.received("tools/call")) == times


@pytest.mark.promise("R5")
def test_connection_the_server_closed_while_idle_harms_nothing(start: Start) -> None:
    server, host = start()
    closed = threading.Event()

    def answer_and_close(exchange: Exchange) -> None:
        exchange.good()
        exchange.close()
        closed.set()

    for _ in range(5):
        server.script("tools/call", answer_and_close)
        play(host, ("tools/call", CALL))
        # Who asks in the very moment of the close cannot know whether it was heard.
        assert closed.wait(5)
        closed.clear()
    assert len(server.received("tools/call")) == 5


# Resumption


def result_of(exchange: Exchange) -> bytes:
    """The answer to a request whose stream was cut."""
    return encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"resumed": True}})


def progress(number: int) -> bytes:
    """A notification that shows which event it came in."""
    params = {"progressToken": "t", "progress": number}
    return encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


@pytest.mark.promise("R5")
@pytest.mark.parametrize("clean", [False, True], ids=["torn", "closed by the server"])
@pytest.mark.parametrize("cuts", [1, 3])
def test_cut_answer_stream_is_resumed(start: Start, cuts: int, clean: bool) -> None:
    server, host = start()
    calls: list[Exchange] = []

    def end(exchange: Exchange) -> None:
        if clean:
            exchange.finish()
        else:
            exchange.cut()

    def begin(exchange: Exchange) -> None:
        calls.append(exchange)
        exchange.stream()
        exchange.event(b"", event_id="s-0", retry=50)
        exchange.event(progress(0), event_id="s-1")
        end(exchange)

    def resume(exchange: Exchange) -> None:
        number = int(exchange.headers["last-event-id"].removeprefix("s-"))
        exchange.stream()
        if number < cuts:
            exchange.event(progress(number), event_id=f"s-{number + 1}")
            end(exchange)
            return
        exchange.event(result_of(calls[0]), event_id="s-end")
        exchange.finish()

    server.script("tools/call", begin)
    server.always("GET", lambda one: resume(one) if "last-event-id" in one.headers else refuse(one))
    answer = host.request("tools/call", CALL | {"_meta": {"progressToken": "t"}})
    assert answer["result"] == {"resumed": True}
    assert [one["params"]["progress"] for one in host.notifications] == list(range(cuts))
    asked = [one.headers.get("last-event-id") for one in server.received("GET")]
    assert [one for one in asked if one] == [f"s-{number + 1}" for number in range(cuts)]
    assert len(server.received("tools/call")) == 1


def refuse(exchange: Exchange) -> None:
    """No stream for what the server says unasked."""
    exchange.reply(405)


@pytest.mark.promise("R5")
def test_stream_cut_after_the_priming_event(start: Start) -> None:
    server, host = start()
    calls: list[Exchange] = []

    def begin(exchange: Exchange) -> None:
        calls.append(exchange)
        exchange.stream()
        exchange.event(b"", event_id="first", retry=300)
        exchange.finish()

    def resume(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(result_of(calls[0]))
        exchange.finish()

    server.script("tools/call", begin)
    server.always("GET", lambda one: resume(one) if "last-event-id" in one.headers else refuse(one))
    assert host.request("tools/call", CALL)["result"] == {"resumed": True}
    again = [one for one in server.received("GET") if "last-event-id" in one.headers]
    assert [one.headers["last-event-id"] for one in again] == ["first"]
    assert again[0].received_at - calls[0].received_at >= 0.28, "`retry` is 300 ms"


@pytest.mark.promise("R5", "R1", "L5")
@pytest.mark.parametrize("status", [404, 405, 400])
def test_resumption_refused_is_told(start: Start, status: int) -> None:
    server, host = start()

    def begin(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(progress(0), event_id="s-1", retry=10)
        exchange.cut()

    server.script("tools/call", begin)
    server.always("GET", wild_behaviour.answer_status(status))
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request, seconds=40), request, ["may have been executed"])
    assert len(server.received("tools/call")) == 1
    assert len(server.received("GET")) <= 8
    play(host, ("tools/call", CALL))


@pytest.mark.promise("R5", "R3")
def test_stream_of_the_server_is_resumed_where_it_was_cut(start: Start) -> None:
    server, host = start(listen=True)
    server.push(progress(1), event_id="g-1")
    server.push(progress(2), event_id="g-2")
    host.wait_until(lambda: len(host.notifications) == 2, "two notifications")
    server.cut_streams()
    server.wait_for_stream()
    server.push(progress(3), event_id="g-3")
    host.wait_until(lambda: len(host.notifications) == 3, "the third notification")
    assert [one["params"]["progress"] for one in host.notifications] == [1, 2, 3]
    first, second = server.received("GET")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "g-2"


@pytest.mark.promise("R5", "L5")
@pytest.mark.parametrize("clean", [False, True], ids=["torn", "closed by the server"])
def test_stream_without_ids_is_opened_again(start: Start, clean: bool) -> None:
    server, host = start(listen=True)
    server.push(progress(1))
    host.wait_until(lambda: len(host.notifications) == 1, "a notification")
    server.cut_streams(clean=clean)
    server.wait_for_stream()
    server.push(progress(2))
    host.wait_until(lambda: len(host.notifications) == 2, "the second notification")
    play(host, ("tools/call", CALL))


# Health checks


@pytest.mark.promise("R5")
def test_ping_of_the_host_loads_no_server(start: Start) -> None:
    server, host = start()
    for _ in range(10):
        assert host.request("ping")["result"] == {}
    assert server.received("ping") == []


@pytest.mark.promise("R5")
def test_ping_is_forwarded_on_request(start: Start) -> None:
    server, host = start("--forward-ping")
    assert host.request("ping")["result"] == {}
    assert len(server.received("ping")) == 1
