"""What a server may write on its listening stream: it never ends a check."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_remote_py.diagnosis.steps import StepState
from tests.checking.talking import check
from tests.peers.wild_server import Exchange, Json, WildServer


@pytest.mark.parametrize("retry", [10**400, 5])
def test_a_pause_without_end_and_a_session_that_is_not_ascii(retry: int, tmp_path: Path) -> None:
    def listen(exchange: Exchange) -> None:
        assert "\xe9" in exchange.headers["mcp-session-id"]
        exchange.stream()
        exchange.piece(b"retry: %d\n\n" % retry)
        exchange.event(b"{}", retry=retry)
        exchange.finish()

    def begin(exchange: Exchange) -> None:
        about = {"name": "odd", "version": "1"}
        result: Json = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
        exchange.result({**result, "serverInfo": about}, headers={"Mcp-Session-Id": "caf\xe9"})

    with WildServer() as server:
        server.always("initialize", begin)
        server.always("GET", listen)
        checked = check(server.url, {"HOME": str(tmp_path)})
    assert checked.state("listening-stream") is not StepState.FAILED, checked.text
    assert checked.verdict.status == 0
