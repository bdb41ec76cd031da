"""The command ends when its host ends, whatever that looks like, and leaves nothing behind.

Promise R7: calls in flight are answered, the session is deleted, no process and no listener is
left, within 2 s.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.harness.host import (
    Host,
    assert_error,
    environment_for,
    initialize_params,
    is_running,
    wait_until,
)
from tests.harness.warm import COMMAND
from tests.peers.wild_server import Exchange, WildServer, be_silent, encode
from tests.relay.conftest import Relay, Wild

LIMIT = 2.0
"""Seconds of promise R7."""

INITIALIZE = encode(
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params()}
)
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

Start = Callable[..., tuple[WildServer, Host]]


@pytest.fixture
def fresh() -> bool:
    """The end of a process begins with how it was started."""
    return True


@pytest.fixture
def start(wild: Wild, relay: Relay) -> Start:
    """A server with sessions and an open stream, and an initialized host."""

    def start(**options: bool) -> tuple[WildServer, Host]:
        server = wild(**({"sessions": True, "listen": True} | options))
        host = relay(server.url)
        host.initialize()
        server.wait_for_stream()
        return server, host

    return start


def begin_silent_calls(server: WildServer, host: Host, count: int = 3) -> list[object]:
    """Calls the server never answers."""
    server.always("tools/call", be_silent)
    requests = [host.begin("tools/call", {"name": "slow"}) for _ in range(count)]
    server.wait_for("tools/call", count)
    return requests


def assert_over(server: WildServer, host: Host, status: int = 0) -> None:
    """Gone in time, politely, with nothing left."""
    assert host.wait_exit(LIMIT) == status
    assert host.orphans() == []
    assert "Traceback" not in host.stderr
    assert len(server.received("DELETE")) == 1
    session = server.received("DELETE")[0].headers["mcp-session-id"]
    assert session == server.received("notifications/initialized")[0].headers["mcp-session-id"]


# The host closes stdin


@pytest.mark.promise("R7")
def test_stdin_closed_when_idle(start: Start) -> None:
    server, host = start()
    host.close_stdin()
    assert_over(server, host)


@pytest.mark.promise("R7", "R1")
def test_stdin_closed_with_calls_in_flight(start: Start) -> None:
    server, host = start()
    requests = begin_silent_calls(server, host)
    host.close_stdin()
    assert_over(server, host)
    for request in requests:
        assert_error(host.answer(request), request)


@pytest.mark.promise("R7", "R1")
def test_calls_that_finish_soon_keep_their_answers(start: Start) -> None:
    """A script that pipes in a few requests and closes stdin at once still gets results."""
    server, host = start()

    def answer(exchange: Exchange) -> None:
        exchange.delay(0.2)
        exchange.good()

    server.always("tools/call", answer)
    requests = [host.begin("tools/call", {"name": "soon"}) for _ in range(3)]
    host.close_stdin()
    assert_over(server, host)
    assert all("result" in host.answer(request) for request in requests)


@pytest.mark.promise("R7", "R1")
def test_whole_session_piped_in(wild: Wild, relay: Relay) -> None:
    server = wild(sessions=True)
    host = relay(server.url)
    call = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
    host.write(INITIALIZE + b"\n" + INITIALIZED + b"\n" + call + b"\n")
    host.close_stdin()
    assert "result" in host.answer(1)
    assert "result" in host.answer(2)
    assert_over(server, host)


@pytest.mark.promise("R7")
@pytest.mark.parametrize("answer", ["silent", "dead"])
def test_end_does_not_wait_for_the_server(start: Start, answer: str) -> None:
    server, host = start()
    if answer == "dead":
        server.kill()
    else:
        server.always("DELETE", be_silent)
    host.close_stdin()
    assert host.wait_exit(LIMIT) == 0
    assert "Traceback" not in host.stderr


@pytest.mark.promise("R7")
def test_stdin_closed_while_the_server_cannot_be_reached(wild: Wild, relay: Relay) -> None:
    server = wild()
    server.kill()
    host = relay(server.url)
    request = host.begin("initialize", initialize_params())
    host.close_stdin()
    assert host.wait_exit(LIMIT + 1) == 0  # the interpreter starts meanwhile
    assert_error(host.answer(request), request)


@pytest.mark.promise("R7")
def test_stdin_at_its_end_before_the_start(wild: Wild, tmp_path: Path) -> None:
    server = wild()
    reading, writing = os.pipe()
    os.close(writing)
    try:
        command, home = [str(COMMAND), server.url], environment_for(tmp_path)
        with Host(command, home, stdin=reading, fresh=True) as host:
            assert host.wait_exit(LIMIT + 1) == 0
            assert host.lines == []
            assert "Traceback" not in host.stderr
    finally:
        os.close(reading)


@pytest.mark.promise("R7")
@pytest.mark.parametrize("redirect", ["<&-", "</dev/null"])
def test_no_stdin_at_all(wild: Wild, tmp_path: Path, redirect: str) -> None:
    server = wild()
    shell = ["/bin/sh", "-c", f'exec "$0" "$@" {redirect}', str(COMMAND), server.url]
    with Host(shell, environment_for(tmp_path)) as host:
        assert host.wait_exit(LIMIT + 1) in (0, 2)
        assert host.lines == []
        assert "Traceback" not in host.stderr


# Signals


@pytest.mark.promise("R7", "R1")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)],
    ids=["SIGTERM", "SIGHUP", "SIGINT"],
)
def test_signal_with_calls_in_flight(start: Start, number: signal.Signals, status: int) -> None:
    server, host = start()
    requests = begin_silent_calls(server, host)
    host.signal(number)
    assert_over(server, host, status)
    for request in requests:
        assert_error(host.answer(request), request, [number.name])


@pytest.mark.promise("R7", "R1")
def test_signal_before_the_handshake_is_over(wild: Wild, relay: Relay) -> None:
    server = wild()
    server.always("initialize", be_silent)
    host = relay(server.url)
    request = host.begin("initialize", initialize_params())
    server.wait_for("initialize")
    host.signal(signal.SIGTERM)
    assert host.wait_exit(LIMIT) == 0
    assert_error(host.answer(request), request)


@pytest.mark.promise("R7")
def test_signal_upon_signal(start: Start) -> None:
    server, host = start()
    server.always("DELETE", be_silent)
    for _ in range(5):
        with contextlib.suppress(ProcessLookupError):
            host.signal(signal.SIGTERM)
    assert host.wait_exit(LIMIT) == 0
    assert "Traceback" not in host.stderr


# A host that no longer reads


@pytest.mark.promise("R7")
def test_host_that_stopped_reading_and_closes_stdin(start: Start) -> None:
    server, host = start()
    host.stop_reading()
    filler = encode({"jsonrpc": "2.0", "method": "notifications/filler", "params": "x" * 60_000})

    def flood(exchange: Exchange) -> None:
        exchange.stream()
        for _ in range(200):
            exchange.event(filler)
        exchange.good()

    server.script("tools/call", flood)
    host.begin("tools/call", {"name": "flood"})
    server.wait_for("tools/call")
    host.close_stdin()
    host.process.wait(LIMIT)
    # What was written of the last line cannot be taken back: the pipe was full.
    host.violations.clear()
    host.end()
    host.violations.clear()
    assert "Traceback" not in host.stderr


@pytest.mark.promise("R7")
def test_host_that_closed_its_end_of_stdout(wild: Wild, tmp_path: Path) -> None:
    server = wild(sessions=True)
    process = subprocess.Popen(
        [str(COMMAND), server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_for(tmp_path),
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(INITIALIZE + b"\n" + INITIALIZED + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        server.wait_for("notifications/initialized")
        process.stdout.close()
        process.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n')
        process.stdin.flush()
        process.wait(LIMIT)
        assert b"Traceback" not in process.stderr.read()
        assert len(server.received("DELETE")) == 1
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stderr):
            if stream is not None:
                stream.close()


# A parent that is killed

PARENT = """
import os, subprocess, sys, time
reading, writing = os.pipe()
relay = subprocess.Popen(sys.argv[1:], stdin=reading)
sibling = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                           pass_fds=[writing], stdout=subprocess.DEVNULL)
os.close(reading)
print(relay.pid, sibling.pid, file=sys.stderr, flush=True)
while data := os.read(0, 65536):
    os.write(writing, data)
time.sleep(60)
"""
"""A launcher between host and command, and a sibling that keeps the command's stdin open."""


@contextlib.contextmanager
def launched(url: str, home: Path) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """The launcher, and the process id of the command behind it; neither is left afterwards."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(COMMAND), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_for(home),
        bufsize=0,
    )
    pids: list[int] = []
    try:
        assert launcher.stderr is not None
        pids = [int(word) for word in launcher.stderr.readline().split()]
        yield launcher, pids[0]
    finally:
        launcher.kill()
        launcher.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for stream in (launcher.stdin, launcher.stdout, launcher.stderr):
            if stream is not None:
                stream.close()


@pytest.mark.promise("R7")
@pytest.mark.parametrize("moment", ["connecting", "idle", "calling", "unreachable"])
def test_parent_killed_while_a_sibling_holds_stdin(wild: Wild, tmp_path: Path, moment: str) -> None:
    server = wild(sessions=True, listen=True)
    if moment == "connecting":
        server.always("initialize", be_silent)
    server.always("tools/call", be_silent)
    with launched(server.url, tmp_path) as (launcher, pid):
        assert launcher.stdin is not None
        launcher.stdin.write(INITIALIZE + b"\n" + INITIALIZED + b"\n")
        server.wait_for("initialize")
        if moment != "connecting":
            server.wait_for_stream()
        if moment == "unreachable":
            server.kill()
        if moment == "calling":
            launcher.stdin.write(
                b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}\n'
            )
            server.wait_for("tools/call")
        assert is_running(pid)
        launcher.kill()
        wait_until(lambda: not is_running(pid), "the end of the command", seconds=LIMIT)
    if moment in ("idle", "calling"):
        assert len(server.received("DELETE")) == 1


@pytest.mark.promise("R7")
def test_parent_killed_at_any_time_during_the_start(wild: Wild, tmp_path: Path) -> None:
    """With stdin ending as it does when the host dies: at the latest then the command is gone."""
    server = wild(sessions=True, listen=True)
    for step in range(10):
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [str(COMMAND), server.url],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment_for(tmp_path),
        )
        os.close(reading)
        try:
            with contextlib.suppress(BrokenPipeError):
                os.write(writing, INITIALIZE + b"\n")
            time.sleep(0.05 * step)  # the subject itself: ten moments of a start
        finally:
            os.close(writing)
        try:
            assert process.wait(LIMIT + 1) == 0
        finally:
            process.kill()
            process.wait()


# Nothing of ours listens or stays


@pytest.mark.promise("R7")
def test_nothing_listens_and_no_child_is_started(start: Start) -> None:
    _, host = start()
    assert host.children() == []
    assert listening_sockets(host.process.pid) == []


def listening_sockets(pid: int) -> list[str]:
    """Inodes of the process's listening TCP sockets (Linux, from /proc)."""
    inodes: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(link)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found: list[str] = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[9])
    return found
