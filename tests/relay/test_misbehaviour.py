"""Bad input from either side: answered by an error a person understands, and nothing else is lost.

Each test ends with a good request through the same process. All run with a secret header, which
must appear nowhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from mcp_remote_py.relay.relay import MAX_IN_FLIGHT
from tests.harness.host import Host, assert_error, initialize_params
from tests.peers import wild_server as wild_behaviour
from tests.peers.wild_server import Behaviour, Exchange, WildServer, encode
from tests.relay.conftest import Relay, Wild

CANARY = "canary-5f1e9c"
SECRET = ("--header", f"Authorization: Bearer {CANARY}")
CALL = {"name": "echo", "arguments": {"text": "hello"}}
MIB = 1024 * 1024

Start = Callable[..., tuple[WildServer, Host]]


@pytest.fixture
def start(wild: Wild, relay: Relay) -> Start:
    """A good server and an initialized host, with a secret header between them."""

    def start(*options: str, **server_options: Any) -> tuple[WildServer, Host]:
        server = wild(**server_options)
        host = relay(server.url, *SECRET, *options)
        host.initialize()
        server.wait_for("notifications/initialized")
        server.wait_for("GET")
        return server, host

    return start


def assert_still_good(host: Host) -> None:
    """A good request is answered, and the secret came out nowhere."""
    answer = host.request("tools/call", CALL)
    assert answer["result"]["params"] == CALL, answer
    host.check()
    assert CANARY not in host.stderr
    assert all(CANARY.encode() not in line.raw for line in host.lines)


# What the host may send


@pytest.mark.promise("R1", "R6")
def test_requests_that_are_cancelled_as_soon_as_sent_keep_nobody_waiting(start: Start) -> None:
    _, host = start()
    for number in range(4 * MAX_IN_FLIGHT):
        request = {"jsonrpc": "2.0", "id": f"c{number}", "method": "tools/call", "params": CALL}
        params = {"requestId": f"c{number}"}
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        host.write(encode(request) + b"\n" + encode(cancel) + b"\n")
        if number % 100 == 99:  # some may be cancelled later, and end by then
            assert_still_good(host)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"this is not JSON", -32700, id="text"),
        pytest.param(b'{"jsonrpc":"2.0",', -32700, id="half an object"),
        pytest.param(b"\x00\x00\x00", -32700, id="NUL"),
        pytest.param(b"\xff\xfe{}", -32700, id="no UTF-8 at all"),
        pytest.param(b"42", -32600, id="a number"),
        pytest.param(b'"text"', -32600, id="a string"),
        pytest.param(b"[]", -32600, id="an empty batch"),
        pytest.param(b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, id="id null"),
        pytest.param(b"[" * 100_000, -32700, id="nested without end"),
    ],
)
def test_line_without_readable_id(start: Start, line: bytes, code: int) -> None:
    _, host = start()
    host.send(line)
    answer = host.error_without_id()
    assert_error(answer, None)
    assert answer["error"]["code"] == code
    assert_still_good(host)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"jsonrpc":"2.0","id":70,"method":"tools/call","params":{oops}}', id="JSON"),
        pytest.param(b'{"jsonrpc":"2.0","id":70,"method":"a\x00b","params":{}}', id="NUL"),
        pytest.param(
            b'{"jsonrpc":"2.0","id":70,"method":"x","params":{"t":"\xff\xfe"}}', id="no UTF-8"
        ),
        pytest.param(b'{"jsonrpc":"2.0","id":70}', id="neither method nor result"),
        pytest.param(b'{"jsonrpc":"2.0","id":70,"method":12}', id="method is a number"),
        pytest.param(b'{"jsonrpc":"2.0","id":70,"method":"x","params":NaN}', id="NaN"),
    ],
)
def test_broken_line_with_readable_id(start: Start, line: bytes) -> None:
    server, host = start()
    before = len(server.requests)
    host.allow_unknown_answers = True  # the host cannot read its own broken line
    host.send(line)
    assert_error(host.answer(70), 70)
    host.allow_unknown_answers = False
    assert_still_good(host)
    assert len(host.answers(70)) == 1
    assert len(server.requests) == before + 1


@pytest.mark.promise("R1")
def test_blank_lines_mean_nothing(start: Start) -> None:
    server, host = start()
    before = len(server.requests)
    host.write(b"\n\n   \n\r\n\t\n")
    assert_still_good(host)
    assert len(server.requests) == before + 1
    assert len(host.lines) == 2


@pytest.mark.promise("R1")
def test_batch_is_answered_piece_by_piece(start: Start) -> None:
    _, host = start()
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        7,
        {"jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": CALL},
    ]
    host.send(encode(batch))
    assert "result" in host.answer("a")
    assert "result" in host.answer("b")
    assert_error(host.error_without_id(), None)
    assert_still_good(host)


@pytest.mark.promise("R1")
def test_answer_of_the_host_nobody_waits_for(start: Start) -> None:
    _, host = start()
    host.send(b'{"jsonrpc":"2.0","id":"nobody","result":{}}')
    assert_still_good(host)


@pytest.mark.promise("R1", "R8")
def test_line_above_the_cap(start: Start) -> None:
    server, host = start()
    before = len(server.requests)
    text = b"x" * (200 * MIB)
    host.send(b'{"jsonrpc":"2.0","id":71,"method":"tools/call","params":{"t":"' + text + b'"}}')
    assert_error(host.answer(71, seconds=30), 71, ["--max-message-size"])
    assert_still_good(host)
    assert len(server.requests) == before + 1


@pytest.mark.promise("R1", "R8")
@pytest.mark.parametrize("sse", [False, True], ids=["JSON", "SSE"])
def test_answer_above_the_cap(start: Start, sse: bool) -> None:
    server, host = start()
    text = b"x" * (200 * MIB)

    def answer(exchange: Exchange) -> None:
        exchange.send(b'{"jsonrpc":"2.0","id":%d,"result":"%b"}' % (exchange.id, text), sse=sse)

    server.script("tools/call", answer)
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request, seconds=30), request, ["--max-message-size"])
    assert_still_good(host)


# What the server may answer


def json_rpc(**members: object) -> Behaviour:
    """A body of these members."""
    return lambda exchange: exchange.reply(200, encode({"jsonrpc": "2.0"} | members))


def sse_of(*pieces: bytes) -> Behaviour:
    """An event stream of these pieces, properly ended."""

    def behave(exchange: Exchange) -> None:
        exchange.stream()
        for piece in pieces:
            exchange.piece(piece)
        exchange.finish()

    return behave


status = wild_behaviour.answer_status

UNUSABLE: dict[str, tuple[Behaviour, list[str]]] = {
    "HTML": (wild_behaviour.answer_html(), ["html"]),
    "empty 200": (status(200), ["empty"]),
    "202 to a request": (status(202), ["202"]),
    "no JSON": (status(200, b"hello", content_type="application/json"), ["json"]),
    "half JSON": (status(200, b'{"jsonrpc":"2.0",', content_type="application/json"), ["json"]),
    "JSON, no message": (status(200, b'{"a":1}', content_type="application/json"), []),
    "plain text": (status(200, b"all good"), ["text/plain"]),
    "another id": (json_rpc(id="nobody", result={}), []),
    "id null": (json_rpc(id=None, error={"code": -32000, "message": "no idea"}), []),
    "SSE without JSON": (sse_of(b"data: {oops\n\n"), []),
    "SSE without sense": (sse_of(b"\x00\xff\xfe\n:::\n\ndata\n\n"), []),
    "SSE without events": (sse_of(b"<html>nothing here</html>"), []),
    "204": (status(204), ["204"]),
    "500": (status(500, b"boom"), ["500", "boom"]),
    "502 HTML": (wild_behaviour.answer_html(502), ["502"]),
    "403": (status(403, b"not for you"), ["403", "not for you"]),
    "404": (status(404, b"no such page"), ["404"]),
    "418": (status(418), ["418"]),
}


@pytest.mark.promise("R1")
@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_answer(start: Start, name: str) -> None:
    behaviour, phrases = UNUSABLE[name]
    server, host = start()
    server.script("tools/call", behaviour)
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, phrases)
    assert len(server.received("tools/call")) == 1
    assert_still_good(host)


CUTS: dict[str, Behaviour] = {
    "before the head": wild_behaviour.cut_before_head,
    "in the head": wild_behaviour.cut_in_head,
    "in the body": wild_behaviour.cut_in_body,
    "in an event": wild_behaviour.cut_in_event,
    "stream without answer": wild_behaviour.end_stream_without_answer,
}


@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize("name", CUTS)
def test_cut_answer_of_a_call_is_not_asked_for_again(start: Start, name: str) -> None:
    server, host = start()
    server.script("tools/call", CUTS[name])
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, ["may have been executed"])
    assert len(server.received("tools/call")) == 1
    assert_still_good(host)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("behaviour", "option"),
    [
        pytest.param(wild_behaviour.be_silent, "--headers-timeout", id="nothing at all"),
        pytest.param(wild_behaviour.body_without_end, "--body-timeout", id="body without end"),
    ],
)
def test_server_that_never_finishes(start: Start, behaviour: Behaviour, option: str) -> None:
    server, host = start(option, "1")
    server.script("tools/call", behaviour)
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, [option])
    assert_still_good(host)


@pytest.mark.promise("R1", "R6")
def test_silent_call_delays_nobody(start: Start) -> None:
    server, host = start()
    server.script("tools/call", wild_behaviour.be_silent)
    host.begin("tools/call", CALL)
    server.wait_for("tools/call")
    assert_still_good(host)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("behaviour", ["duplicate_answer", "foreign_answer"])
def test_one_right_answer_among_wrong_ones(start: Start, behaviour: str) -> None:
    server, host = start()
    server.script("tools/call", getattr(wild_behaviour, behaviour))
    request = host.begin("tools/call", CALL)
    assert host.answer(request)["result"] in ({"once": True}, {"right": True})
    assert_still_good(host)
    assert len(host.answers(request)) == 1


@pytest.mark.promise("R1")
def test_error_of_the_server_passes_with_any_status(start: Start) -> None:
    server, host = start()
    for code in (200, 400, 500):
        server.script(
            "tools/call", lambda exchange, code=code: exchange.error(-32050, "mine", status=code)
        )
        answer = host.request("tools/call", CALL)
        assert answer["error"] == {"code": -32050, "message": "mine"}, (code, answer)
    assert_still_good(host)


# Refusals


@pytest.mark.promise("R1", "S2")
def test_refused_header_is_not_followed_by_anything(start: Start) -> None:
    server, host = start()
    server.script("tools/call", status(401, f"bad token {CANARY}".encode()))
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, ["401", "--header"])
    assert len(server.received("tools/call")) == 1
    assert_still_good(host)


@pytest.mark.promise("R1", "S2")
def test_refused_header_at_the_start(wild: Wild, relay: Relay) -> None:
    server = wild()
    challenge = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{CANARY}"'}
    server.always("initialize", status(401, headers=challenge))
    host = relay(server.url, *SECRET)
    request = host.begin("initialize", initialize_params())
    assert_error(host.answer(request), request, ["401", "--header"])
    assert len(server.requests) == 1
    assert CANARY not in host.stderr
    assert all(CANARY.encode() not in line.raw for line in host.lines)


@pytest.mark.promise("L5", "R5")
@pytest.mark.parametrize("code", [429, 503])
def test_waits_as_long_as_the_server_asks(start: Start, code: int) -> None:
    server, host = start()
    server.script("tools/call", status(code, headers={"Retry-After": "1"}))
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    first, second = server.received("tools/call")
    assert second.received_at - first.received_at >= 0.95
    assert_still_good(host)


@pytest.mark.promise("L5", "R1")
def test_refusal_without_end_is_told(start: Start) -> None:
    server, host = start()
    server.always("prompts/list", status(429, b"slow down", headers={"Retry-After": "0"}))
    request = host.begin("prompts/list")
    assert_error(host.answer(request, seconds=40), request, ["429"])
    assert len(server.received("prompts/list")) <= 12
    assert_still_good(host)


@pytest.mark.promise("L5", "R1")
def test_long_retry_after_is_told_at_once(start: Start) -> None:
    server, host = start()
    server.always("prompts/list", status(429, headers={"Retry-After": "3600"}))
    request = host.begin("prompts/list")
    assert_error(host.answer(request, seconds=40), request, ["429", "3600"])
    assert len(server.received("prompts/list")) == 1
    assert_still_good(host)


@pytest.mark.promise("R1", "R4", "L5")
def test_neither_transport_answers_at_the_path(wild: Wild, relay: Relay) -> None:
    server = wild()
    server.always("initialize", status(404, b"Not Found"))
    server.always("GET", status(404, b"Not Found"))
    host = relay(server.url)
    request = host.begin("initialize", initialize_params())
    assert_error(host.answer(request), request, ["404"])
    assert len(server.requests) <= 4


@pytest.mark.promise("L5")
def test_idle_sends_nothing(start: Start) -> None:
    server, host = start()
    assert_still_good(host)
    before = len(server.requests)
    server.stopped.wait(1.5)
    assert len(server.requests) == before


@pytest.mark.promise("L5", "R5")
def test_stream_closed_at_once_is_not_asked_for_again_and_again(start: Start) -> None:
    server, host = start(sessions=True)
    server.always("GET", sse_of(b""))
    server.stopped.wait(3)
    assert len(server.received("GET")) <= 4
    assert_still_good(host)


# Redirects, cookies


@pytest.mark.promise("S2", "R1")
@pytest.mark.parametrize("code", [307, 308])
def test_redirect_within_the_origin(start: Start, code: int) -> None:
    server, host = start()
    server.script("tools/call", wild_behaviour.redirect(code, "/elsewhere?x=1"))
    assert host.request("tools/call", CALL)["result"]["params"] == CALL
    first, second = server.received("tools/call")
    assert second.path == "/elsewhere?x=1"
    assert second.verb == "POST"
    assert second.body == first.body
    assert second.headers["authorization"] == f"Bearer {CANARY}"
    assert_still_good(host)


@pytest.mark.promise("R1")
@pytest.mark.parametrize("code", [301, 302, 303])
def test_redirect_that_would_lose_the_body(start: Start, code: int) -> None:
    server, host = start()
    server.script("tools/call", wild_behaviour.redirect(code, "/elsewhere"))
    request = host.begin("tools/call", CALL)
    answer = host.answer(request)
    if "error" in answer:
        assert_error(answer, request, ["redirect", "/elsewhere"])
    assert all(one.verb == "POST" for one in server.requests if one.path == "/elsewhere")
    assert_still_good(host)


@pytest.mark.promise("S2", "R1")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_to_another_origin(start: Start, wild: Wild, code: int) -> None:
    server, host = start()
    other = wild()
    server.script("tools/call", wild_behaviour.redirect(code, other.url))
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, ["redirect", other.origin])
    assert other.requests == []
    assert_still_good(host)


@pytest.mark.promise("R1", "L5")
def test_redirect_in_a_circle(start: Start) -> None:
    server, host = start()
    server.always("prompts/list", wild_behaviour.redirect(307, "/mcp"))
    request = host.begin("prompts/list")
    assert_error(host.answer(request), request, ["redirect"])
    assert len(server.received("prompts/list")) <= 25
    assert_still_good(host)


@pytest.mark.promise("R4")
@pytest.mark.parametrize("options", [(), ("--disable-cookies",)], ids=["kept", "disabled"])
def test_cookies(wild: Wild, relay: Relay, options: tuple[str, ...]) -> None:
    server = wild()

    def stick(exchange: Exchange) -> None:
        result: dict[str, Any] = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "serverInfo": {},
        }
        exchange.result(result, headers={"Set-Cookie": "node=seven; Path=/; HttpOnly"})

    server.script("initialize", stick)
    host = relay(server.url, *SECRET, *options)
    host.initialize()
    assert_still_good(host)
    cookie = server.received("tools/call")[0].headers.get("cookie")
    assert cookie == (None if options else "node=seven")


# The transport of 2024-11-05


@pytest.mark.promise("R4")
@pytest.mark.parametrize(
    "endpoint",
    [
        "/messages?session={session}",
        "messages?session={session}",
        "?session={session}",
        "{origin}/a/b?session={session}",
    ],
    ids=["absolute path", "relative path", "query only", "same origin"],
)
def test_legacy_endpoint(wild: Wild, relay: Relay, endpoint: str) -> None:
    server = wild(legacy=True, path="/v1/sse")
    server.endpoint = endpoint.replace("{origin}", server.origin)
    host = relay(server.url, *SECRET)
    host.initialize()
    assert_still_good(host)
    where = server.received("tools/call")[0].path.split("?")[0]
    assert where in ("/messages", "/v1/messages", "/v1/sse", "/a/b")


@pytest.mark.promise("R4", "S2")
@pytest.mark.parametrize("options", [(), ("--transport", "sse-only")], ids=["found", "told"])
def test_legacy_endpoint_on_another_origin_is_refused(
    wild: Wild, relay: Relay, options: tuple[str, ...]
) -> None:
    server = wild(legacy=True, path="/sse")
    other = wild()
    server.endpoint = other.origin + "/messages?session={session}"
    host = relay(server.url, *SECRET, *options)
    request = host.begin("initialize", initialize_params())
    assert_error(host.answer(request), request, [other.origin])
    assert other.requests == []
    assert CANARY not in host.stderr


@pytest.mark.promise("R1", "R4")
def test_legacy_post_that_fails(start: Start) -> None:
    server, host = start(legacy=True, path="/sse")
    server.script("tools/call", status(500, b"boom"))
    request = host.begin("tools/call", CALL)
    assert_error(host.answer(request), request, ["500", "boom"])
    assert_still_good(host)


@pytest.mark.promise("R1", "R4", "R5")
def test_legacy_stream_that_ends_answers_what_is_open(start: Start) -> None:
    server, host = start(legacy=True, path="/sse")
    server.script("tools/call", status(202))
    request = host.begin("tools/call", CALL)
    server.wait_for("tools/call")
    server.cut_streams()
    assert_error(host.answer(request), request, ["may have been executed"])
    assert_still_good(host)


@pytest.mark.promise("R4")
def test_found_transport_is_remembered(wild: Wild, relay: Relay) -> None:
    server = wild(legacy=True, path="/sse")
    for _ in range(2):
        host = relay(server.url, *SECRET)
        host.initialize()
        assert_still_good(host)
        host.end()
    wrong = [one for one in server.requests if one.verb == "POST" and "session=" not in one.path]
    assert len(wrong) <= 1


@pytest.mark.promise("R4", "L5")
@pytest.mark.parametrize("code", [401, 403, 429, 500, 503])
def test_refusal_is_not_a_reason_to_try_the_other_transport(
    wild: Wild, relay: Relay, code: int
) -> None:
    server = wild()
    server.script("initialize", status(code, b"no", headers={"Retry-After": "1"}))
    server.always("GET", status(404))
    host = relay(server.url, *SECRET)
    request = host.begin("initialize", initialize_params())
    host.answer(request, seconds=40)
    assert server.received("GET") == []


@pytest.mark.promise("R4")
@pytest.mark.parametrize("code", [400, 404, 405, 406, 411, 415, 501])
def test_refusal_that_means_the_other_transport(wild: Wild, relay: Relay, code: int) -> None:
    server = wild(legacy=True, path="/sse")

    def behave(exchange: Exchange) -> None:
        if "session=" in exchange.path:
            exchange.good()
        else:
            exchange.reply(code, b"no", content_type="text/plain")

    server.always("initialize", behave)
    host = relay(server.url, *SECRET)
    host.initialize()
    assert_still_good(host)


@pytest.mark.promise("R2")
def test_pieces_of_an_event_stream_may_come_at_any_byte(start: Start) -> None:
    server, host = start()
    result = {"text": "\u00e9\u2028 " * 20, "n": 1.0}

    def drip(exchange: Exchange) -> None:
        line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": result})
        exchange.stream()
        for at in range(0, len(line), 3):
            exchange.piece((b"event: message\r\ndata: " if at == 0 else b"") + line[at : at + 3])
        exchange.piece(b"\r")
        exchange.piece(b"\n\r\n")
        exchange.finish()

    server.script("tools/call", drip)
    assert host.request("tools/call", CALL)["result"] == result
    assert_still_good(host)


@pytest.mark.promise("R3")
def test_event_of_several_data_lines(start: Start) -> None:
    server, host = start()

    def answer(exchange: Exchange) -> None:
        text = json.dumps({"jsonrpc": "2.0", "id": exchange.id, "result": {"a": [1, 2]}}, indent=1)
        exchange.stream()
        exchange.piece(b"".join(b"data: %b\n" % line.encode() for line in text.splitlines()))
        exchange.piece(b"\n")
        exchange.finish()

    server.script("tools/call", answer)
    assert host.request("tools/call", CALL)["result"] == {"a": [1, 2]}
    assert_still_good(host)


@pytest.mark.promise("R1", "R6")
def test_answer_comes_while_the_stream_stays_open(start: Start) -> None:
    server, host = start()

    def linger(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}}))
        exchange.hold(60)

    server.script("tools/call", linger)
    begun = time.monotonic()
    assert host.request("tools/call", CALL)["result"] == {}
    assert time.monotonic() - begun < 5
    assert_still_good(host)
