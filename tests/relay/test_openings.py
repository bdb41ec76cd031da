"""How hosts begin that do not do it by the book: twice, in two eras, without waiting.

Each is what a host does: see docs/hosts.md. Whatever it is, every request is answered once, and no
session is left at the server.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.host import Host, initialize_params, wait_until
from tests.harness.stage import Stage
from tests.peers.wild_server import WildServer
from tests.relay.conftest import Relay, Wild
from tests.signin.test_host_patience import consent, play

__all__ = ["play"]  # the fixture

PREFIX = "io.modelcontextprotocol/"
MODERN = {
    "_meta": {
        PREFIX + "protocolVersion": "2026-07-28",
        PREFIX + "clientInfo": {"name": "host", "version": "2"},
        PREFIX + "clientCapabilities": {},
    }
}

Opening = Callable[[Host], None]


def one_after_the_other(host: Host) -> None:
    for _ in range(2):
        host.request("initialize", initialize_params())
    host.notify("notifications/initialized")


def at_once(host: Host) -> None:
    for request in [host.begin("initialize", initialize_params()) for _ in range(2)]:
        assert "result" in host.answer(request)
    host.notify("notifications/initialized")


def amid_the_session(host: Host) -> None:
    for _ in range(2):
        host.request("initialize", initialize_params())
        host.notify("notifications/initialized")
        host.request("tools/list")


def in_both_eras(host: Host) -> None:
    """As the Python SDK does where the answer to its first question is late."""
    first = host.begin("server/discover", MODERN)
    at_once(host)
    assert "result" in host.answer(first)


def be_of_2025(server: WildServer) -> None:
    server.always("server/discover", lambda exchange: exchange.error(-32601, "Method not found"))


def close(host: Host, server: WildServer) -> None:
    """The host goes away; the server has no session left, and was asked to end each once."""
    host.close_stdin()
    assert host.wait_exit(5) == 0
    assert server.known_sessions == set()
    ended = [one.headers["mcp-session-id"] for one in server.received("DELETE")]
    assert len(ended) == len(set(ended))


@pytest.mark.promise("R1", "R7")
@pytest.mark.parametrize("begin", [one_after_the_other, at_once, amid_the_session, in_both_eras])
def test_a_host_that_begins_more_than_once(begin: Opening, wild: Wild, relay: Relay) -> None:
    server = wild(sessions=True)
    be_of_2025(server)
    host = relay(server.url)
    begin(host)
    assert host.request("tools/list")["result"]["tools"]
    assert "result" in host.request("tools/call", {"name": "echo", "arguments": {}})
    assert len(server.received("tools/call")) == 1
    close(host, server)


@pytest.mark.promise("R1", "A6", "L2")
def test_a_host_that_takes_a_slow_sign_in_for_an_older_server(
    play: Callable[..., Stage],
) -> None:
    """It asks `server/discover`, waits, and shakes hands on the same pipe."""
    stage = play()
    server = stage.server
    server.sessions = True
    be_of_2025(server)
    host = stage.host()
    first = host.begin("server/discover", MODERN)
    wait_until(lambda: bool(stage.browser.opened), "a tab")
    second = host.begin("initialize", initialize_params())
    consent(stage)
    assert "result" in host.answer(second)
    host.notify("notifications/initialized")
    assert host.request("tools/list")["result"]["tools"]
    assert "result" in host.answer(first)
    assert (stage.counts["tabs"], stage.counts["codes"]) == (1, 1)
    close(host, server)


@pytest.mark.promise("R1", "R7")
def test_a_host_that_leaves_while_its_first_request_is_answered(wild: Wild, relay: Relay) -> None:
    """As the TypeScript client does with a server that does not know its era in time."""
    server = wild(sessions=True)
    be_of_2025(server)
    host = relay(server.url)
    request = host.begin("initialize", initialize_params())
    close(host, server)
    assert "result" in host.answer(request)
