"""A server that worked, is gone when the host starts, and comes back: the real command at it.

What counts is what the host gets, and what is on the disk. Must not know how the command is made.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from tests.harness.host import Host, environment_for
from tests.harness.warm import COMMAND
from tests.peers.wild_server import WildServer

pytestmark = pytest.mark.timeout(60)

LIMIT = 8.0
"""Seconds this host gives `initialize`."""
EARLY = ("--initialize-timeout", "1")
KEY = "canary-key-2741"
HEADER = ("--header", f"X-Key: {KEY}")
CHANGED = "notifications/tools/list_changed"


def result_of(host: Host, method: str, **members: object) -> bytes:
    """The bytes of a result."""
    request_id = host.begin(method, members or None)
    return host.answer_line(request_id, seconds=LIMIT).raw.partition(b'"result":')[2].strip()


def start(home: Path, url: str, *options: str) -> Host:
    return Host([str(COMMAND), url, *options], environment_for(home), patience=20)


def end(host: Host) -> None:
    host.close_stdin()
    assert host.wait_exit(5) == 0


@pytest.mark.promise("A6", "R1", "R2", "S2")
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "sse"])
def test_server_that_worked_and_is_gone_is_shown_as_it_was_until_it_is_back(
    tmp_path: Path, legacy: bool
) -> None:
    with WildServer(legacy=legacy, sessions=not legacy) as server:
        with start(tmp_path, server.url, *HEADER) as host:
            initialize = host.initialize()
            tools = result_of(host, "tools/list")
            end(host)  # before it is written: that is made up for
        (known,) = tmp_path.rglob("*.known")
        assert tools.rstrip(b"}") in known.read_bytes()
        assert KEY.encode() not in known.read_bytes()
        if os.name == "posix":
            assert stat.S_IMODE(known.stat().st_mode) == 0o600
        server.kill()
        with start(tmp_path, server.url, *HEADER, *EARLY) as host:
            began = time.monotonic()
            assert host.initialize(seconds=LIMIT) == initialize
            assert time.monotonic() - began < LIMIT
            assert result_of(host, "tools/list") == tools
            host.wait_logged("the host is told what it said last time; calls are tried.")
            waiting = host.begin("tools/call", {"name": "echo", "arguments": {}})
            server.restart()
            assert "result" in host.answer(waiting, seconds=20)
            host.notification(CHANGED, seconds=LIMIT)
            end(host)
            assert len(host.answers(1)) == 1
        assert len(server.received("tools/call")) == 1
