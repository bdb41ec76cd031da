"""The command's composition: what it remembers, whose stdio it is, and how the process ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcp_remote_py.commands.relaying import LEGACY_SSE, STREAMABLE, order_transports
from mcp_remote_py.credentials.session_files import SessionFile, list_records
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.commands import TransportStrategy
from tests.fakes import encode_notification, encode_request
from tests.harness.host import environment_for
from tests.peers.wild_server import WildServer, be_silent

PATIENCE = 15.0
"""Seconds for a process of the test to say something, or to end."""

COMMAND = (sys.executable, "-m", "mcp_remote_py")
INITIALIZE = encode_request(0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})

LAUNCHER = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, home: Path, *command: str) -> subprocess.Popen[bytes]:
    process = stack.enter_context(
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_for(home),
            bufsize=0,
        )
    )
    stack.callback(process.kill)
    return process


def write(process: subprocess.Popen[bytes], *lines: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(b"".join(line + b"\n" for line in lines))


def begin(process: subprocess.Popen[bytes], server: WildServer) -> None:
    """The handshake, up to the open stream, and a call nobody will answer."""
    assert process.stdout is not None
    server.always("slow", be_silent)
    write(process, INITIALIZE, encode_notification("notifications/initialized"))
    assert b'"result"' in process.stdout.readline()
    server.wait_for_stream()
    write(process, encode_request(1, "slow"))
    server.wait_for("slow")


@pytest.mark.promise("R4")
@pytest.mark.parametrize("remembered", ["", STREAMABLE, LEGACY_SSE, "another"])
def test_what_answered_last_time_goes_first_unless_the_person_said_otherwise(
    remembered: str,
) -> None:
    both = {STREAMABLE, LEGACY_SSE}
    for strategy, first in (
        (TransportStrategy.HTTP_FIRST, STREAMABLE),
        (TransportStrategy.SSE_FIRST, LEGACY_SSE),
    ):
        names = order_transports(strategy, remembered)
        assert names[0] == (remembered if remembered in both else first)
        assert set(names) == both
    assert order_transports(TransportStrategy.HTTP_ONLY, remembered) == [STREAMABLE]
    assert order_transports(TransportStrategy.SSE_ONLY, remembered) == [LEGACY_SSE]


@pytest.mark.promise("R4")
@pytest.mark.timeout(60)
def test_transport_found_is_written_once_and_corrected(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(WildServer(legacy=True))
    record = SessionFile(tmp_path / "state" / "mcp-remote-py", SessionId(server.url))
    for legacy, posts, transport in ((True, 2, LEGACY_SSE), (True, 1, LEGACY_SSE)):
        server.legacy = legacy
        before = len(server.received("POST"))
        process = start(stack, tmp_path, *COMMAND, server.url)
        answer, _ = process.communicate(INITIALIZE + b"\n", PATIENCE)
        assert json.loads(answer)["result"]
        assert len(server.received("POST")) - before == posts
        assert record.read().transport == transport
    server.legacy = server.listen = False
    process = start(stack, tmp_path, *COMMAND, server.url)
    answer, _ = process.communicate(INITIALIZE + b"\n", PATIENCE)
    assert json.loads(answer)["result"]
    assert record.read().transport == STREAMABLE


@pytest.mark.timeout(60)
def test_that_a_server_worked_is_written_once(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(WildServer())
    folder = tmp_path / "state" / "mcp-remote-py"
    record = SessionFile(folder, SessionId(server.url))
    written: list[dict[str, int]] = []
    for _ in range(2):
        process = start(stack, tmp_path, *COMMAND, server.url)
        answer, _ = process.communicate(INITIALIZE + b"\n", PATIENCE)
        assert json.loads(answer)["result"]
        assert record.has_worked()
        written.append({path.suffix: path.stat().st_mtime_ns for path in folder.iterdir()})
    assert written[0].keys() == {".worked", ".known"}
    assert written[0] == written[1]
    assert list_records(folder) == []


@pytest.mark.promise("R4")
@pytest.mark.timeout(60)
def test_each_account_of_a_server_has_its_own_record(stack: ExitStack, tmp_path: Path) -> None:
    server = stack.enter_context(WildServer(legacy=True))
    options = ("--profile", "work", "--resource", "urn:tenant")
    process = start(stack, tmp_path, *COMMAND, server.url, *options)
    answer, _ = process.communicate(INITIALIZE + b"\n", PATIENCE)
    assert json.loads(answer)["result"]
    folder = tmp_path / "state" / "mcp-remote-py"
    (state,) = list_records(folder)
    assert state == SessionFile(folder, SessionId(server.url, "urn:tenant", "work")).read()
    assert state.transport == LEGACY_SSE


@pytest.mark.promise("R1", "R7")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGTERM, 0, "SIGTERM"),
        (signal.SIGHUP, 0, "SIGHUP"),
        (signal.SIGINT, 130, "SIGINT"),
        (None, 0, "closed the connection"),
    ],
    ids=["SIGTERM", "SIGHUP", "SIGINT", "stdin"],
)
def test_call_in_flight_is_answered_and_the_session_ended_within_two_seconds(
    stack: ExitStack, tmp_path: Path, number: signal.Signals | None, status: int, words: str
) -> None:
    server = stack.enter_context(WildServer(sessions=True, listen=True))
    process = start(stack, tmp_path, *COMMAND, server.url)
    begin(process, server)
    began = time.monotonic()
    if number is not None:
        process.send_signal(number)
    else:
        assert process.stdin is not None
        process.stdin.close()
    assert process.wait(PATIENCE) == status
    assert time.monotonic() - began < 2
    assert process.stdout is not None
    (line,) = process.stdout.read().splitlines()
    answer = json.loads(line)
    assert answer["id"] == 1
    assert words in answer["error"]["message"]
    assert len(server.received("DELETE")) == 1
    assert process.stderr is not None
    errors = process.stderr.read()
    assert b"Traceback" not in errors
    assert b"never retrieved" not in errors
    assert b"destroyed" not in errors


@pytest.mark.promise("R7")
@pytest.mark.timeout(60)
def test_launcher_that_is_killed_takes_the_command_along(stack: ExitStack, tmp_path: Path) -> None:
    """The host's pipes stay open: nothing but the parent tells."""
    server = stack.enter_context(WildServer(sessions=True, listen=True))
    launcher = start(stack, tmp_path, sys.executable, "-c", LAUNCHER, *COMMAND, server.url)
    begin(launcher, server)
    began = time.monotonic()
    launcher.kill()
    assert launcher.stdout is not None
    rest = launcher.stdout.read()  # ends when nobody holds the other end any more
    assert time.monotonic() - began < 2
    assert "host process is gone" in json.loads(rest)["error"]["message"]
    assert len(server.received("DELETE")) == 1


@pytest.mark.promise("R2")
@pytest.mark.timeout(PATIENCE)
def test_whatever_prints_or_reads_does_not_meet_the_protocol(
    stack: ExitStack, tmp_path: Path
) -> None:
    script = (
        "import os, subprocess, sys\n"
        "from mcp_remote_py.commands.proxy import take_over_stdio\n"
        "stdin, stdout = take_over_stdio()\n"
        "print('printed', flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'print(len(open(0).read()))'])\n"
        "os.write(stdout, os.read(stdin, 100))\n"
    )
    process = start(stack, tmp_path, sys.executable, "-c", script)
    out, errors = process.communicate(b"protocol\n", PATIENCE)
    assert out == b"protocol\n"
    assert errors.split() == [b"printed", b"0"]


@pytest.mark.promise("S4")
@pytest.mark.timeout(PATIENCE)
def test_header_source_that_fails_ends_the_start_before_anything_is_sent(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = stack.enter_context(WildServer())
    process = start(
        stack, tmp_path, *COMMAND, server.url, "--header-command", "/nowhere/token-helper"
    )
    out, errors = process.communicate(INITIALIZE + b"\n", PATIENCE)
    assert process.returncode == 2
    assert json.loads(out)["id"] == 0  # the host hears of it
    assert b"/nowhere/token-helper cannot be started" in out
    assert b"/nowhere/token-helper cannot be started" in errors
    assert b"Traceback" not in errors
    assert server.requests == []
