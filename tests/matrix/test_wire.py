"""What goes over the wire between the eras: how many requests, with which bytes and headers.

The server is raw and answers as it is told; the command is the real one, started again and again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.credentials.session_files import SessionFile
from mcp_remote_py.session_id import SessionId
from tests.harness.host import Host
from tests.matrix.clients import PREFIX, ModernClient, capabilities_of, connect, text_of
from tests.peers.wild_server import MODERN, WildServer, be_modern
from tests.relay.conftest import Relay, Wild, fresh, relay, wild

__all__ = ["fresh", "relay", "wild"]

Json = dict[str, Any]

TOOLS: list[Json] = [
    {
        "name": "query",
        "inputSchema": {
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "limits": {
                    "type": "object",
                    "properties": {"rows": {"type": "integer", "x-mcp-header": "Rows"}},
                },
                "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            },
        },
    },
    {"name": "größe", "inputSchema": {"type": "object"}},
    {
        "name": "broken",
        "inputSchema": {"properties": {"a": {"type": "string", "x-mcp-header": ""}}},
    },
]


@pytest.fixture
def modern(wild: Wild) -> WildServer:
    """A strict modern server."""
    server = wild()
    server.tools = TOOLS
    for method in ("POST", "GET", "DELETE", *METHODS):
        server.always(method, be_modern)
    return server


METHODS = (
    *("initialize", "server/discover", "tools/list", "tools/call", "subscriptions/listen"),
    *("notifications/initialized", "ping"),
)


def requests_of(server: WildServer) -> list[str]:
    return [exchange.method for exchange in server.requests]


@pytest.mark.promise("E1", "R2")
def test_legacy_on_legacy_costs_four_requests_and_no_byte(
    wild: Wild, relay: Relay, tmp_path: Path
) -> None:
    server = wild(sessions=True, listen=True)
    host = relay(server.url)
    lines = [
        b'{"id":1, "jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2025-11-25",'
        b'"capabilities":{"x":1.0},"clientInfo":{"name":"t","version":"1"}}}',
        b'{"jsonrpc":"2.0", "method":"notifications/initialized"}',
        b'{"method":"tools/list","id":2,"jsonrpc":"2.0","params":{ }}',
    ]
    host.send(lines[0])
    host.answer(1)
    host.send(lines[1])
    server.wait_for_stream()
    host.send(lines[2])
    host.answer(2)
    assert [exchange.body for exchange in server.requests if exchange.verb == "POST"] == lines
    assert sorted(requests_of(server)) == sorted(
        ["initialize", "notifications/initialized", "GET", "tools/list"]
    )
    said = [
        {name for name in exchange.headers if name.startswith("mcp-")}
        for exchange in server.requests
    ]
    assert said[0] == {"mcp-method"}
    assert all(names == {"mcp-session-id", "mcp-protocol-version"} for names in said[1:])
    assert not list((tmp_path / "state").rglob("*.json"))


@pytest.mark.promise("E1", "E2")
def test_a_modern_server_is_found_out_once_and_remembered(
    modern: WildServer, relay: Relay, tmp_path: Path
) -> None:
    for first in (["initialize", "server/discover"], ["server/discover"]):
        modern.requests.clear()
        host = relay(modern.url)
        client = connect(host, "2025-06-18")
        assert client.greeting["protocolVersion"] == "2025-06-18"
        assert text_of(client.call("query")) == "query"
        assert requests_of(modern) == [*first, "tools/call"]
        host.end()
    record = SessionFile(tmp_path / "state" / "mcp-remote-py", SessionId(modern.url))
    assert record.read().era == "modern"


@pytest.mark.promise("E1", "E3")
def test_a_legacy_server_is_found_out_once_and_remembered(
    wild: Wild, relay: Relay, tmp_path: Path
) -> None:
    server = wild(sessions=True)
    server.always("server/discover", lambda exchange: exchange.reply(400))
    handshake = ["initialize", "notifications/initialized"]
    for first in (["server/discover", *handshake], handshake):
        server.requests.clear()
        host = relay(server.url)
        client = connect(host, MODERN)
        assert client.call("anything")["method"] == "tools/call"
        found = [method for method in requests_of(server) if method != "GET"]
        assert found == [*first, "tools/call"]
        call = server.received("tools/call")[-1]
        assert call.params == {"name": "anything", "arguments": {}}
        host.end()
    record = SessionFile(tmp_path / "state" / "mcp-remote-py", SessionId(server.url))
    assert record.read().era == "legacy"


@pytest.mark.promise("E1", "R4")
def test_a_modern_host_finds_a_server_of_2024_11_05_and_both_are_remembered(
    wild: Wild, relay: Relay
) -> None:
    server = wild(legacy=True, path="/sse")
    for start in (["server/discover", "initialize", "GET"], ["GET"]):
        server.requests.clear()
        host = relay(server.url)
        client = connect(host, MODERN)
        assert client.call("anything")["method"] == "tools/call"
        assert requests_of(server)[: len(start)] == start
        assert not [one for one in server.received("server/discover") if "session=" in one.path]
        host.end()


@pytest.mark.promise("E1")
def test_a_server_that_changes_its_era_between_two_starts_is_found_out_again(
    modern: WildServer, wild: Wild, relay: Relay
) -> None:
    host = relay(modern.url)
    assert text_of(connect(host, "2025-11-25").call("query")) == "query"
    host.end()
    for method in ("POST", "GET", "DELETE", *METHODS):
        modern.always(method, modern.behave)
    modern.always("server/discover", lambda exchange: exchange.reply(404))
    host = relay(modern.url)
    assert connect(host, "2025-11-25").call("query")["method"] == "tools/call"


@pytest.mark.promise("E1")
def test_an_outage_at_the_start_is_remembered_as_nothing(
    wild: Wild, relay: Relay, tmp_path: Path
) -> None:
    server = wild()
    server.always("initialize", lambda exchange: exchange.reply(500))
    host = relay(server.url)
    assert "error" in host.request("initialize", {"protocolVersion": "2025-11-25"})
    assert requests_of(server) == ["initialize"]
    host.end()
    assert not list((tmp_path / "state").rglob("*.json"))


Hosts = Callable[[Host], Any]


@pytest.mark.promise("E2")
@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
def test_parameters_that_are_marked_travel_in_headers_too(
    version: str, modern: WildServer, relay: Relay
) -> None:
    client = connect(relay(modern.url), version)
    listed = client.request("tools/list", {})
    assert [tool["name"] for tool in listed["tools"]] == ["query", "größe"]
    arguments = {"region": " Köln", "limits": {"rows": 42}, "dry": False, "other": 1}
    client.call("query", arguments)
    headers = modern.received("tools/call")[-1].headers
    assert headers["mcp-name"] == "query"
    assert headers["mcp-param-rows"] == "42"
    assert headers["mcp-param-dry"] == "false"
    encoded = headers["mcp-param-region"]
    assert encoded == f"=?base64?{base64.b64encode(' Köln'.encode()).decode()}?="
    client.call("größe")
    name = modern.received("tools/call")[-1].headers["mcp-name"]
    assert name == f"=?base64?{base64.b64encode('größe'.encode()).decode()}?="


@pytest.mark.promise("E2")
def test_every_request_says_who_asks(modern: WildServer, relay: Relay) -> None:
    client = connect(relay(modern.url), "2025-11-25")
    client.request("logging/setLevel", {"level": "info"})
    client.call("query", token="t")
    meta = modern.received("tools/call")[-1].params["_meta"]
    assert meta == {
        "progressToken": "t",
        PREFIX + "protocolVersion": MODERN,
        PREFIX + "clientInfo": {"name": "matrix", "version": "1"},
        PREFIX + "clientCapabilities": capabilities_of("2025-11-25"),
        PREFIX + "logLevel": "info",
    }


@pytest.mark.promise("E1", "R2")
def test_modern_on_modern_no_byte_changes(modern: WildServer, relay: Relay) -> None:
    host = relay(modern.url)
    client = ModernClient(host)
    assert client.greeting["supportedVersions"] == [MODERN]
    meta: Json = {PREFIX + "protocolVersion": MODERN, PREFIX + "clientCapabilities": {}}
    line = (
        b'{"id":"a", "jsonrpc":"2.0","method":"tools/call","params":{"name":"query","arguments":'
        b'{"v":1.0,"big":12345678901234567890}, "_meta":%b}}' % json.dumps(meta).encode()
    )
    answer = b'{"result":{"resultType":"complete", "v":1e3,"content":[]},"jsonrpc":"2.0","id":"a"}'
    modern.script("tools/call", lambda exchange: exchange.reply(200, answer))
    host.send(line)
    assert host.answer_line("a").raw == answer
    assert modern.received("tools/call")[-1].body == line


@pytest.mark.parametrize(
    ("option", "version", "methods"),
    [
        ("legacy", "2025-11-25", ["initialize", "notifications/initialized"]),
        ("legacy", MODERN, ["initialize", "notifications/initialized"]),
        ("modern", "2025-11-25", ["server/discover"]),
        ("modern", MODERN, ["server/discover"]),
    ],
)
@pytest.mark.promise("E1")
def test_what_the_person_says_is_not_asked(
    option: str, version: str, methods: list[str], wild: Wild, modern: WildServer, relay: Relay
) -> None:
    server = wild() if option == "legacy" else modern
    connect(relay(server.url, "--protocol", option), version).call("query")
    assert [one for one in requests_of(server) if one != "GET"] == [*methods, "tools/call"]


@pytest.mark.promise("E1")
def test_a_newer_revision_than_any_is_negotiated(wild: Wild, relay: Relay) -> None:
    host = relay(wild().url)
    params: Json = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {}}
    assert host.request("initialize", params)["result"]["protocolVersion"] == "2099-01-01"
    meta: Json = {PREFIX + "protocolVersion": "2099-01-01", PREFIX + "clientCapabilities": {}}
    answer = host.request("tools/list", {"_meta": meta})
    assert "result" in answer or answer["error"]["code"] == -32022


@pytest.mark.promise("E1")
def test_a_batch_of_an_old_client_is_taken_apart(modern: WildServer, relay: Relay) -> None:
    host = relay(modern.url)
    connect(host, "2025-03-26")
    calls: list[Json] = [
        {"jsonrpc": "2.0", "id": f"b{n}", "method": "tools/call", "params": {"name": "query"}}
        for n in range(3)
    ]
    host.send(json.dumps(calls).encode())
    for call in calls:
        assert text_of(host.answer(call["id"])["result"]) == "query"


@pytest.mark.promise("E2", "R5")
def test_a_modern_server_that_is_restarted_goes_on_being_used(
    modern: WildServer, relay: Relay
) -> None:
    client = connect(relay(modern.url), "2025-11-25")
    assert text_of(client.call("query")) == "query"
    modern.kill()
    modern.restart()
    assert text_of(client.call("query")) == "query"
    assert requests_of(modern).count("server/discover") == 1
