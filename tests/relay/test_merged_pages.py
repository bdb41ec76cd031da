"""The real command with `--merge-pages`, as a host that reads the first page of a list alone.

What else there is to say of pages is said on written sides (`tests/bridge/test_merging.py`).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix.cells import CLIENTS
from tests.matrix.clients import connect
from tests.peers.launch import sdk_server
from tests.peers.wild_server import Exchange, cut_before_head, lose_session_404
from tests.relay.conftest import Relay, Wild

LAST = {"tools": [{"name": "c"}]}


def give_page(exchange: Exchange) -> None:
    """One tool, and where the next one is."""
    first: dict[str, Any] = {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "2"}
    exchange.result(LAST if "cursor" in exchange.params else first)


@pytest.mark.promise("E1", "R2")
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_sdk_s_server_shows_all_of_its_tools_at_once(relay: Relay, era: str) -> None:
    with sdk_server("streamable", "--era", era) as server:
        for version in (CLIENTS[0], CLIENTS[-1]):
            client = connect(relay(server.url, "--merge-pages"), version)
            listed = client.request("tools/list", {})
            names = [tool["name"] for tool in listed["tools"]]
            assert len(names) == len(set(names)) > 10
            assert {"echo", "big"} <= set(names)
            assert "nextCursor" not in listed
            page = client.request("tools/list", {"cursor": "5"})
            assert [tool["name"] for tool in page["tools"]] == names[5:10]
            assert client.call("big", {"size": 10})["content"]


@pytest.mark.promise("R5")
def test_trouble_between_two_pages_is_not_the_host_s(relay: Relay, wild: Wild) -> None:
    server = wild(sessions=True)
    server.always("tools/list", give_page)
    host = relay(server.url, "--merge-pages")
    host.initialize()
    for trouble in (lose_session_404, cut_before_head):
        server.script("tools/list", give_page, trouble)
        answer = host.request("tools/list")
        assert answer["result"] == {"tools": [{"name": name} for name in "abc"]}
    assert len(server.received("initialize")) == 2


@pytest.mark.promise("R1")
def test_a_page_that_is_refused_is_left_to_the_host(relay: Relay, wild: Wild) -> None:
    server = wild()
    host = relay(server.url, "--merge-pages")
    host.initialize()
    server.script("tools/list", give_page, lambda exchange: exchange.error(-32602, "Bad cursor"))
    answer = host.request("tools/list")
    assert answer["result"] == {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "2"}
    host.wait_logged("and the cursor for the rest: the server answers the next with an error")
