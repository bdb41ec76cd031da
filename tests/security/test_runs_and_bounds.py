"""A tool that runs once although its answer comes in a form nobody expects, or too late.

Beside `test_one_run.py`, which has the regular forms; and floods in the bodies of refusals. The
real command, real sockets. Must not know how the command is made.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.host import Host
from tests.harness.stage import Stage
from tests.peers.wild_server import Exchange, WildServer, be_silent, encode
from tests.relay.conftest import Relay, Wild
from tests.security.measure import MIB, Meter, peak_memory

LIMIT = 8 * MIB
AGAIN = (425, 429, 503)
"""What says: not executed, ask again."""


@pytest.fixture
def fresh() -> bool:
    """Memory is measured."""
    return True


def body_of(exchange: Exchange, form: str) -> tuple[bytes, str]:
    error = b'{"code":-32000,"message":"no"}'
    number = b"%d" % exchange.id
    answer = b'{"jsonrpc":"2.0","id":%b,"error":%b}'
    plain = answer % (number, error)
    return {
        "string id": (answer % (b'"%b"' % number, error), "application/json"),
        "a word": (answer % (number, b'"no"'), "application/json"),
        "not UTF-8": (plain.replace(b"no", b"\xff"), "application/json"),
        "cut": (plain[:-3], "application/json"),
        "junk before": (b")]}'\n" + plain, "application/json"),
        "text": (plain, "text/plain"),
        "no type": (plain, ""),
        "event": (b"event: error\ndata: %b\n\n" % plain, "text/event-stream"),
    }[form]


FORMS = (
    *("string id", "a word", "not UTF-8", "cut", "junk before", "text", "no type"),
    "event",
)


@pytest.mark.report("E1")
@pytest.mark.parametrize("sessions", [False, True])
@pytest.mark.parametrize("status", [*AGAIN, 404])
def test_an_answer_of_whatever_form_is_not_a_reason_to_call_again(
    wild: Wild, relay: Relay, sessions: bool, status: int
) -> None:
    server: WildServer = wild(sessions=sessions)
    now: dict[str, Any] = {}

    def call(exchange: Exchange) -> None:
        body, kind = body_of(exchange, now["form"])
        headers = {"Retry-After": "1", "Location": "/elsewhere"}
        exchange.reply(status, body, content_type=kind, headers=headers)

    server.always("tools/call", call)
    host: Host = relay(server.url)
    host.initialize()
    for now["form"] in FORMS:
        before = len(server.received("tools/call"))
        answer = host.request("tools/call", {"name": "a"}, seconds=5)
        assert len(server.received("tools/call")) == before + 1, now
        if now["form"] in ("text", "no type", "event"):
            assert answer["error"] == {"code": -32000, "message": "no"}, now
        else:
            assert "error" in answer
    assert len(host.stderr.splitlines()) < 40


@pytest.mark.report("E1")
def test_a_redirect_with_an_answer_of_another_type_is_not_followed(
    wild: Wild, relay: Relay
) -> None:
    server: WildServer = wild()
    now: dict[str, Any] = {}

    def call(exchange: Exchange) -> None:
        body, kind = body_of(exchange, now["form"])
        exchange.reply(307, body, content_type=kind, headers={"Location": "/elsewhere"})

    server.always("tools/call", call)
    host: Host = relay(server.url)
    host.initialize()
    for number, now["form"] in enumerate(("text", "no type", "event"), start=1):
        answer = host.request("tools/call", {"name": "a"}, seconds=5)
        assert answer["error"] == {"code": -32000, "message": "no"}
        assert len(server.received("tools/call")) == number


@pytest.mark.report("E1")
@pytest.mark.parametrize("status", AGAIN)
def test_an_answer_that_comes_while_a_call_waits_to_be_made_again(
    wild: Wild, relay: Relay, status: int
) -> None:
    server: WildServer = wild(listen=True, sessions=True)

    def call(exchange: Exchange) -> None:
        exchange.reply(status, headers={"Retry-After": "1"})
        server.push(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"content": []}}))

    server.always("tools/call", call)
    host: Host = relay(server.url)
    host.initialize()
    server.wait_for_stream()
    assert "result" in host.request("tools/call", {"name": "a"}, seconds=5)
    server.stopped.wait(1.3)
    assert len(server.received("tools/call")) == 1


@pytest.mark.report("E1")
@pytest.mark.parametrize("status", [401, 403])
def test_a_result_in_a_refusal_of_the_token_is_the_answer(
    play: Callable[..., Stage], status: int
) -> None:
    stage = play()
    host = stage.sign_in()
    seen: list[Exchange] = []

    def refuse(exchange: Exchange) -> None:
        seen.append(exchange)
        error = "invalid_token" if status == 401 else 'insufficient_scope", scope="more'
        body = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"content": []}})
        challenge = {"WWW-Authenticate": f'Bearer error="{error}"'}
        exchange.reply(status, body, headers=challenge)

    stage.server.always("tools/call", refuse)
    answer = host.answer(host.begin("tools/call", {"name": "echo"}), seconds=20)
    assert answer["result"] == {"content": []}
    assert len(seen) == 1
    assert len(stage.browser.opened) == 1


FLOODS = {
    "line ends": b"\n",
    "comments": b":\n",
    "events": b"data: x\n\n",
    "messages": b'data: {"id":"x","result":1}\n\n',
}


@pytest.mark.report("S4", "S12")
@pytest.mark.parametrize(("name", "status"), [*((name, 500) for name in FLOODS), ("messages", 307)])
def test_a_refusal_that_is_a_flood_of_events(
    wild: Wild, relay: Relay, name: str, status: int
) -> None:
    body = FLOODS[name] * (LIMIT // len(FLOODS[name]) - 1)
    server: WildServer = wild()
    server.always(
        "tools/call",
        lambda one: one.reply(
            status, body, content_type="text/event-stream", headers={"Location": "/x"}
        ),
    )
    host: Host = relay(server.url, "--max-message-size", str(LIMIT))
    host.initialize()
    meter = Meter(host.process.pid)
    one = host.begin("tools/call", {"name": "a"})
    host.request("tools/list", seconds=2)
    assert "error" in host.answer(one, seconds=10)
    assert peak_memory(host.process.pid) < LIMIT + 64 * MIB, meter.figures()
    assert meter.cpu < 2, meter.figures()


@pytest.mark.report("S6")
def test_a_refusal_of_many_large_characters(wild: Wild, relay: Relay) -> None:
    text = "x" * (LIMIT // 2 - 300) + "\U0001f600"

    def call(exchange: Exchange) -> None:
        error = {"code": 1, "message": text}
        exchange.reply(500, encode({"jsonrpc": "2.0", "id": exchange.id, "error": error}))

    server: WildServer = wild()
    server.always("tools/call", call)
    host: Host = relay(server.url, "--max-message-size", str(LIMIT))
    host.initialize()
    meter = Meter(host.process.pid)
    for one in [host.begin("tools/call", {"name": "a"}) for _ in range(3)]:
        assert host.answer(one, seconds=10)["error"]["message"] == text
    assert peak_memory(host.process.pid) < LIMIT + 64 * MIB, meter.figures()


@pytest.mark.report("S12")
def test_a_host_that_sends_lines_of_nothing_holds_up_no_signal(wild: Wild, relay: Relay) -> None:
    host: Host = relay(wild().url)
    host.initialize()
    host.stop_reading()
    writing = threading.Thread(target=_write, args=(host, b"x\n" * 100_000), daemon=True)
    writing.start()
    writing.join(0.3)
    asked = time.monotonic()
    host.signal(signal.SIGTERM)
    host.wait_exit(10)
    assert time.monotonic() - asked < 2
    assert len(host.stderr.splitlines()) < 40
    host.end()
    host.violations.clear()  # what nobody read may end in the middle of a line
    writing.join(10)


def _write(host: Host, data: bytes) -> None:
    with contextlib.suppress(OSError, AssertionError, ValueError):
        host.write(data, seconds=5)


def name_roots(params: dict[str, Any]) -> dict[str, Any]:
    return {"roots": []}


@pytest.mark.report("S12", "T8")
def test_what_a_host_tells_takes_few_connections(wild: Wild, relay: Relay) -> None:
    server: WildServer = wild(sessions=True, listen=True)
    server.always("notifications/x", be_silent)
    host: Host = relay(server.url, handlers={"roots/list": name_roots})
    host.initialize()
    server.wait_for_stream()
    for _ in range(300):
        host.notify("notifications/x")
    assert "result" in host.request("tools/call", {"name": "a"}, seconds=2)
    server.push(encode({"jsonrpc": "2.0", "id": "asks", "method": "roots/list"}))
    server.wait_for("response", seconds=2)
    server.stopped.wait(0.5)
    assert len(server.received("notifications/x")) <= 40
    asked = time.monotonic()
    host.close_stdin()
    host.wait_exit(10)
    assert time.monotonic() - asked < 2
