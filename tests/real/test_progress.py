"""Progress that comes within a millisecond of its result, at a host that nobody here wrote."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness.host import Json, environment_for
from tests.harness.warm import COMMAND
from tests.peers.wild_server import Exchange, WildServer, encode
from tests.real.installation import find_node

HOST = Path(__file__).parent / "progress_host.cjs"
PATIENCE = 30.0


def report_at_once(exchange: Exchange) -> None:
    """Three steps and the result, in one piece of the body."""
    token = exchange.params["_meta"]["progressToken"]
    steps: list[Json] = [
        {
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {"progressToken": token, "progress": step, "total": 3},
        }
        for step in (1, 2, 3)
    ]
    answer: Json = {"jsonrpc": "2.0", "id": exchange.id, "result": {"content": []}}
    exchange.stream()
    exchange.piece(b"".join(b"data: %b\n\n" % encode(message) for message in (*steps, answer)))
    exchange.finish()


@pytest.mark.promise("R3")
@pytest.mark.report("E4")
@pytest.mark.parametrize("together", [1, 25])
def test_the_typescript_sdk_sees_nearly_all_progress(
    together: int, tmp_path: Path, node_packages: Path
) -> None:
    assert (node_packages / "@modelcontextprotocol" / "sdk").is_dir()
    with WildServer() as server:
        server.always("tools/call", report_at_once)
        done = subprocess.run(
            [find_node(), str(HOST), str(together), str(COMMAND), server.url],
            env=environment_for(tmp_path),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    seen = json.loads(done.stdout)
    assert seen["results"] == 50
    assert seen["progress"] >= 145  # of 150: 94 to 110 where they are written with the result
