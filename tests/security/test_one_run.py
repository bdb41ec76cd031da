"""A tool that fails runs once, and its own error arrives: the real command, real sockets.

Every status with every code is `tests/relay/test_every_refusal.py`'s; here are samples for each
pair of eras and each transport, and what happens where a session or an era really went.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest

from mcp_remote_py.credentials.session_files import SessionFile
from mcp_remote_py.session_id import SessionId
from tests.harness.host import Host
from tests.harness.stage import Stage
from tests.matrix.clients import Client, call_params, connect, result_of
from tests.peers.launch import sdk_server
from tests.peers.wild_server import (
    MODERN,
    Exchange,
    WildServer,
    be_modern,
    encode,
    lose_session_200,
    lose_session_200_by_id,
    lose_session_400,
    lose_session_400_anew,
    lose_session_401,
    lose_session_404,
    lose_session_404_by_id,
    lose_session_404_plain,
    lose_session_410,
    lose_session_500,
    lose_session_stream,
)
from tests.relay.conftest import Relay, Wild, fresh, relay, wild
from tests.signin.conftest import play
from tests.thorough import some

__all__ = ["fresh", "play", "relay", "wild"]

Json = dict[str, Any]

LEGACY = "2025-11-25"
CLIENTS = (LEGACY, MODERN)
SERVERS: dict[str, Json] = {
    "2026-07-28": {},
    "stateless": {},
    "sessions": {"sessions": True, "listen": True},
    "HTTP+SSE": {"legacy": True},
}
METHODS = ("POST", "GET", "DELETE", "initialize", "server/discover", "tools/list", "ping")

SAMPLES = [
    *((400, -32600), (400, -32000), (400, -32042), (400, -32020), (400, -32022), (400, 7)),
    *((404, -32001), (404, -32000), (404, -32601), (404, -32600), (410, -32600), (405, -32000)),
    *((403, -32001), (409, -32002), (408, -32000), (425, -32000), (429, -32000), (451, -1)),
    *((500, -32603), (501, -32601), (502, -32000), (503, -32000), (504, -32099), (300, -32700)),
    *((200, -32020), (200, -32022), (201, -32000), (202, -32000), (200, -32600), (599, 1)),
]
"""HTTP status and JSON-RPC code of a tool that fails."""


class Tool:
    """Fails as it is told by its arguments, and counts its runs by its name."""

    def __init__(self, server: WildServer) -> None:
        self.server = server
        self.runs = Counter[str]()
        server.always("tools/call", self.run)

    def run(self, exchange: Exchange) -> None:
        if exchange.server.legacy and "session=" not in exchange.path:
            exchange.good()  # no messages here
            return
        self.runs[exchange.params["name"]] += 1
        told = exchange.params["arguments"]
        body = told["body"]
        if isinstance(body, dict):
            answer = {"jsonrpc": "2.0", "id": exchange.id} | cast("Json", body)
            body = encode(answer).decode()
        exchange.reply(told["status"], body.encode(), headers=told.get("headers", {}))


def begin(wild: Wild, relay: Relay, kind: str, version: str) -> tuple[Tool, Client]:
    server: WildServer = wild(**SERVERS[kind])
    if kind == MODERN:
        for method in METHODS:
            server.always(method, be_modern)
    else:
        server.always("server/discover", refuse_to_discover)
    tool = Tool(server)
    return tool, connect(relay(server.url), version)


def refuse_to_discover(exchange: Exchange) -> None:
    if exchange.server.legacy:
        exchange.good()
    else:
        exchange.reply(400)


def ask(client: Client, name: str, status: int, body: Json | str, **more: Any) -> Json:
    """The answer to a call of a tool that fails so, as a whole message."""
    arguments = {"status": status, "body": body, **more}
    request = client.begin("tools/call", call_params(name, arguments, None))
    return client.host.answer(request, seconds=30)


def error_of(code: int) -> Json:
    return {"code": code, "message": f"Session {code}", "data": {"n": [1, 2.5, None]}, "x": {}}


def is_same_era(client: Client, kind: str) -> bool:
    return (client.version == MODERN) == (kind == MODERN)


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_tool_that_fails_with_a_status_runs_once(
    wild: Wild, relay: Relay, kind: str, version: str
) -> None:
    tool, client = begin(wild, relay, kind, version)
    before = len(tool.server.requests)
    for status, code in SAMPLES:
        name = f"{status} {code}"
        answer = ask(client, name, status, {"error": error_of(code)})
        assert tool.runs[name] == 1, name
        expected = error_of(code)
        if not is_same_era(client, kind) and version == MODERN:
            expected["code"] = answer["error"]["code"]  # some mean another thing in its era
        assert answer["error"] == expected, name
    ask(client, "a result", 500, {"result": {"content": []}})
    requests = len(tool.server.requests) - before
    assert requests <= 2 * len(tool.runs)  # one question for each that leaves something in doubt
    assert not [one for one in tool.server.requests[before:] if one.method == "initialize"]


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_status_without_an_answer_is_not_a_verdict_of_a_call(
    wild: Wild, relay: Relay, kind: str, version: str
) -> None:
    tool, client = begin(wild, relay, kind, version)
    before = len(tool.server.received("initialize"))
    unread = encode({"jsonrpc": "2.0", "id": None, "error": error_of(-32000)}).decode()
    for status in (300, 400, 404, 405, 406, 408, 410, 411, 415, 500, 501, 502, 503, 504):
        for number, body in enumerate(("", "<p>no session</p>", unread)):
            name = f"{status} {number}"
            answer = ask(client, name, status, body)
            assert tool.runs[name] == 1, name
            if body == unread:
                assert answer["error"]["data"] == error_of(0)["data"], name
    begun = len(tool.server.received("initialize")) - before
    assert begun <= (version == MODERN)  # the first request of a modern host begins the session


@pytest.mark.report("E1")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("kind", SERVERS)
def test_an_ordinary_error_costs_no_further_request(
    wild: Wild, relay: Relay, kind: str, version: str
) -> None:
    tool, client = begin(wild, relay, kind, version)
    before = len(tool.server.requests)
    for number in range(5):
        ask(client, str(number), 200, {"error": error_of(-32000)})
    posted = [one.method for one in tool.server.requests[before:] if one.verb == "POST"]
    assert posted.count("tools/call") == 5
    assert set(posted) <= {"tools/call", "notifications/initialized"}


# ------------------------------------------------------------------------- what really went


@pytest.mark.report("E1")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "HTTP+SSE"])
def test_a_session_that_is_lost_by_id_is_there_again_for_the_next_call(
    wild: Wild, relay: Relay, legacy: bool, version: str
) -> None:
    """The refused call is answered, and never made again."""
    server = wild(legacy=True) if legacy else wild(sessions=True)
    server.on_lost_session = lose_session_404_by_id
    client = connect(relay(server.url), version)
    result_of(client.host.answer(client.begin("tools/call", call_params("a", {}, None))))
    for round_number in (1, 2):
        server.known_sessions.clear()
        before = len(server.requests)
        name = f"refused {round_number}"
        refused = client.host.answer(client.begin("tools/call", call_params(name, {}, None)))
        assert refused["error"] == {"code": -32600, "message": "Session not found"}
        assert client.call("next")["method"] == "tools/call"
        called = [one.params["name"] for one in server.received("tools/call")]
        assert called.count(name) == 1
        methods = [one.method for one in server.requests[before:]]
        assert methods.count("ping") == 1
        assert methods.count("initialize") == 1


@pytest.mark.report("E1", "T9")
@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    "lose",
    [
        *(lose_session_404, lose_session_404_plain, lose_session_400),
        *(lose_session_400_anew, lose_session_401, lose_session_410, lose_session_200),
        *(lose_session_500, lose_session_stream),
    ],
    ids=lambda one: one.__name__,
)
def test_a_session_that_is_lost_without_the_id_costs_one_question(
    wild: Wild, relay: Relay, lose: Callable[[Exchange], None]
) -> None:
    server = wild(sessions=True)
    server.on_lost_session = lose
    client = connect(relay(server.url), LEGACY)
    client.call("first")
    server.known_sessions.clear()
    before = len(server.requests)
    client.call("second")
    posted = [one.method for one in server.requests[before:] if one.verb == "POST"]
    assert posted == ["tools/call", "ping", "initialize", "notifications/initialized", "tools/call"]


@pytest.mark.report("T9", "E1")
@pytest.mark.promise("R5")
def test_an_answer_with_a_good_status_has_the_session_looked_at(wild: Wild, relay: Relay) -> None:
    server = wild(sessions=True)
    server.on_lost_session = lose_session_200_by_id
    client = connect(relay(server.url), LEGACY)
    client.call("first")
    server.known_sessions.clear()
    request = client.begin("tools/call", call_params("second", {}, None))
    assert client.host.answer(request)["error"] == {"code": -32001, "message": "Session not found"}
    before = len(server.requests)
    client.call("third")
    posted = [one.method for one in server.requests[before:] if one.verb == "POST"]
    assert posted == ["ping", "initialize", "notifications/initialized", "tools/call"]


@pytest.mark.report("T9")
@pytest.mark.promise("R5")
def test_a_server_without_ids_that_was_started_anew_gets_its_handshake(
    wild: Wild, relay: Relay
) -> None:
    server = wild()
    client = connect(relay(server.url), LEGACY)
    client.call("first")
    for method in ("tools/call", "ping"):
        server.script(method, lose_session_400_anew)
    before = len(server.requests)
    client.call("second")
    posted = [one.method for one in server.requests[before:] if one.verb == "POST"]
    assert posted == ["tools/call", "ping", "initialize", "notifications/initialized", "tools/call"]


@pytest.mark.report("E1")
@pytest.mark.promise("E1", "R5")
@pytest.mark.parametrize("version", CLIENTS)
def test_an_era_that_went_is_found_out_for_the_next_call(
    wild: Wild, relay: Relay, version: str
) -> None:
    tool, client = begin(wild, relay, MODERN, version)
    tool.server.always("tools/call", be_modern)
    client.call("first")
    for method in METHODS:
        tool.server.always(method, WildServer.behave.__get__(tool.server))
    tool.server.always("server/discover", refuse_to_discover)
    tool.server.always("tools/call", tool.run)
    answer = ask(client, "refused", 400, {"error": error_of(-32600)})
    assert answer["error"] == error_of(-32600)
    tool.server.always("tools/call", WildServer.behave.__get__(tool.server))
    assert client.call("next")["method"] == "tools/call"
    assert tool.runs["refused"] == 1


# ------------------------------------------------------------------------- the first message


@pytest.mark.report("E1")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("body", ["answer", "", "<p>no</p>"], ids=["answer", "nothing", "page"])
@pytest.mark.parametrize("status", [200, 400, 404, 405, 503])
def test_a_call_that_is_the_first_message_runs_once(
    wild: Wild, relay: Relay, tmp_path: Path, status: int, body: str
) -> None:
    """The host shook hands with nobody, or the era is remembered: no transport is known yet."""
    server = wild()
    for method in METHODS:
        server.always(method, be_modern)
    tool = Tool(server)
    SessionFile(tmp_path / "state" / "mcp-remote-py", SessionId(server.url)).update(era="modern")
    text: Json | str = {"error": error_of(-32000)} if body == "answer" else body
    arguments = {"status": status, "body": text}
    for version in CLIENTS:
        host: Host = relay(server.url)
        params = call_params(version, arguments, None)
        if version == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        answer = host.answer(host.begin("tools/call", params), seconds=30)
        assert tool.runs[version] == 1
        if body == "answer":
            assert answer["error"] == error_of(-32000)
        host.end()


# ------------------------------------------------------------------------- the SDK, and a sign-in

SDK_CODES = (-32700, -32600, -32601, -32602, -32603, -32000, -32001, -32021, -32042, -32050, 7)


SET_UPS = [
    ("streamable", "--era", "modern"),
    ("streamable", "--era", "modern", "--json"),
    ("streamable", "--era", "legacy"),
    ("streamable", "--era", "legacy", "--json"),
    ("streamable", "--era", "legacy", "--stateless"),
    ("streamable",),
    ("sse",),
]


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R5")
@pytest.mark.parametrize(("version", "options"), some(product(CLIENTS, SET_UPS), 2))
def test_a_tool_of_the_sdk_that_fails_runs_once(
    relay: Relay, options: tuple[str, ...], version: str
) -> None:
    with sdk_server(*options) as peer:
        client = connect(relay(peer.url), version)
        for code in SDK_CODES:
            for run in (1, 2):
                params = call_params("refuse", {"code": code, "token": str(code)}, None)
                error = client.host.answer(client.begin("tools/call", params))["error"]
                assert error["data"] == {"why": [1, 2.5, None], "run": run}, (code, error)
                assert error["message"] == "refused on purpose"
                if version == LEGACY:
                    assert error["code"] == code
        client.host.end()


@pytest.mark.report("E1")
@pytest.mark.promise("L2", "R1")
def test_an_answer_in_a_refusal_of_the_token_keeps_its_code_and_data(
    play: Callable[..., Stage],
) -> None:
    """401 is HTTP's: it is explained in our words, which name the next step."""
    stage = play()
    host = stage.sign_in()
    seen: list[Exchange] = []

    def refuse(exchange: Exchange) -> None:
        seen.append(exchange)
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        body = {"jsonrpc": "2.0", "id": exchange.id, "error": error_of(-32001)}
        exchange.reply(401, json.dumps(body).encode(), headers=challenge)

    stage.server.always("tools/call", refuse)
    answer = host.answer(host.begin("tools/call", {"name": "echo"}), seconds=40)
    error = answer["error"]
    assert {**error, "message": ""} == {**error_of(-32001), "message": ""}
    assert f"mcp-remote-py login {stage.server.url}" in error["message"]
    assert len(seen) <= 3
    assert len(stage.browser.opened) == 1


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "D12")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("options", [(), ("--header", "Authorization: Bearer mistaken-one")])
def test_an_answer_in_a_challenge_keeps_its_code_and_data(
    wild: Wild, relay: Relay, status: int, options: tuple[str, ...]
) -> None:
    server = wild()
    server.always("GET", lambda exchange: exchange.reply(404))
    server.always("POST", lambda exchange: exchange.reply(404))
    tool = Tool(server)
    client = connect(relay(server.url, *options), LEGACY)
    scope = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="more"'}
    answer = ask(client, "a", status, {"error": error_of(-32001)}, headers=scope)
    assert tool.runs["a"] == 1
    error = answer["error"]
    assert {**error, "message": ""} == {**error_of(-32001), "message": ""}
    assert status != 401 or not error["message"].startswith("Session")
