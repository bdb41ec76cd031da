"""A command that is forked from a process that has loaded it is seen to be the command.

Each life is lived twice, and all that can be seen from outside is the same.
"""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.host import Host, environment_for, wait_until
from tests.harness.warm import COMMAND, WarmProcess, can_be_warm
from tests.peers.wild_server import WildServer
from tests.thorough import THOROUGH

WAYS = ("fresh", "warm")


class Seen(NamedTuple):
    """What there was to be seen of one life."""

    status: int
    lines: list[bytes]
    said: list[str]
    requests: list[tuple[str, list[tuple[str, str]]]]


def live(folder: Path, way: str, *options: str, kill: signal.Signals | None = None) -> Seen:
    """A handshake and a call, and the end."""
    with WildServer(sessions=True) as server:
        command = [str(COMMAND), server.url, *options]
        environment = environment_for(folder / way, {"FOR_THE_SERVER": "from-the-environment"})
        assert can_be_warm(command, environment)
        with Host(command, environment, fresh=way == "fresh") as host:
            assert isinstance(host.process, WarmProcess) is (way == "warm" and not THOROUGH)
            host.initialize()
            host.request("tools/call", {"name": "echo", "arguments": {"text": "\u00e9\U0001f600"}})
            assert host.process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                host.process.wait(0.01)
            if kill is None:
                host.close_stdin()
            else:
                host.signal(kill)
            status = host.wait_exit(10)
            assert host.process.poll() == status
            lines = [line.raw for line in host.lines]
            said = words_of(host)
        names = {"host", "mcp-session-id"}
        requests = [
            (one.verb, sorted(pair for pair in one.headers.items() if pair[0] not in names))
            for one in server.requests
        ]
        return Seen(status, lines, said, requests)


def words_of(host: Host) -> list[str]:
    """What it wrote on stderr, without times and ports."""
    return re.sub(r"\d+-\d\d-\d\dT\S+|:\d+|[\d.]+ m?s\b", "", host.stderr).splitlines()


@pytest.mark.parametrize(
    "options", [(), ("--header", "X-From: ${FOR_THE_SERVER}"), ("--debug",)], ids=" ".join
)
def test_a_life_is_the_same(tmp_path: Path, options: tuple[str, ...]) -> None:
    fresh, warm = (live(tmp_path, way, *options) for way in WAYS)
    assert warm == fresh


def test_a_life_that_never_begins_is_the_same(tmp_path: Path) -> None:
    seen: list[tuple[int, list[str]]] = []
    for way in WAYS:
        with Host(
            [str(COMMAND), "--wrong"], environment_for(tmp_path), fresh=way == "fresh"
        ) as host:
            seen.append((host.wait_exit(10), words_of(host)))
    fresh, warm = seen
    assert fresh[0] == 2
    assert fresh[1]
    assert warm == fresh


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_both(tmp_path: Path, number: signal.Signals) -> None:
    fresh, warm = (live(tmp_path, way, kill=number) for way in WAYS)
    assert warm == fresh


def test_who_is_killed_is_gone(tmp_path: Path) -> None:
    with WildServer() as server:
        process = WarmProcess([str(COMMAND), server.url], environment_for(tmp_path))
        process.kill()
        assert process.wait(5) == -signal.SIGKILL
        wait_until(lambda: not Path(f"/proc/{process.pid}").exists(), "its end")
        process.kill()  # of nobody else
        assert process.poll() == -signal.SIGKILL
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (["/bin/sh", "-c", "exit"], {}),
        ([str(COMMAND)], {"PYTHONPATH": "/somewhere"}),
        ([str(COMMAND)], {"LC_ALL": "C"}),
    ],
)
def test_what_is_about_the_start_is_started(
    command: list[str], environment: dict[str, str]
) -> None:
    assert not can_be_warm(command, environment)
