"""A check that its person stops, from outside: real processes at a server that keeps silent."""

from __future__ import annotations

import json
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

import pytest

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, Verdict
from mcp_remote_py.diagnosis.stopped import describe_stopped
from tests.harness.host import environment_for, is_running, wait_until
from tests.harness.warm import COMMAND, start
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import WildServer, be_silent

pytestmark = [pytest.mark.timeout(60), pytest.mark.promise("P2")]

QUICKLY = 3.0
"""Seconds within which it is over."""

STOPPED = (
    "Stopped by Ctrl+C while asking the server. Done so far: Address, HTTP proxy, Name, Connection."
)
HINT = "Run it again to see the rest. Where nothing answers, it ends by itself within 10 seconds."


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(name="silent")
def make_silent() -> Iterator[WildServer]:
    with WildServer() as server:
        for method in ("initialize", "server/discover", "GET", "POST"):
            server.always(method, be_silent)
        yield server


def stop(
    server: WildServer, home: Path, *words: str, asked: Callable[[], bool] | None = None
) -> Ended:
    """What a pipe gets of a check that is stopped while the server is asked."""
    with open(os.devnull) as nothing:
        command = [str(COMMAND), "check", server.url, *words]
        process = start(command, environment_for(home), nothing.fileno())
    try:
        wait_until(asked or (lambda: bool(server.requests)), "the server is asked")
        process.send_signal(signal.SIGINT)
        process.wait(QUICKLY)
    finally:
        process.kill()
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:  # less than a pipe holds
        out, errors = process.stdout.read(), process.stderr.read()
    return Ended(process.returncode, out.decode(), errors.decode())


def test_what_was_done_is_told_and_reported(silent: WildServer, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    ended = stop(silent, tmp_path, "--report", str(report))
    assert (ended.status, ended.err) == (130, "")
    lines = ended.out.splitlines()
    assert lines[2].startswith("ok      Address: ")
    assert " ".join(line.strip() for line in lines[8:12]) == f"{STOPPED} {HINT}"
    assert lines[13] == f"The report is in {report}."
    written = report.read_text(encoding="utf-8")
    assert f"## Verdict\n\n{STOPPED} {HINT}\n" in written
    assert "### ok: Connection" in written


def test_a_pipe_gets_one_whole_object(silent: WildServer, tmp_path: Path) -> None:
    ended = stop(silent, tmp_path, "--json")
    assert (ended.status, ended.err) == (130, "")
    told = json.loads(ended.out)
    assert [step["name"] for step in told["steps"]] == [
        *("address", "proxy", "name", "connection", "certificate")
    ]
    assert told["verdict"] == {
        "step": "",
        "said": STOPPED,
        "hint": HINT,
        "command": "",
        "status": 130,
    }


def test_a_header_command_is_ended_with_it(silent: WildServer, tmp_path: Path) -> None:
    pid, helper = tmp_path / "pid", tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\necho $$ > {pid}.new && mv {pid}.new {pid}\nexec sleep 60\n")
    helper.chmod(0o700)
    ended = stop(silent, tmp_path, "--header-command", str(helper), asked=pid.exists)
    assert (ended.status, ended.err) == (130, "")
    said = " ".join(ended.out.splitlines()[8:])
    assert said.startswith("Stopped by Ctrl+C while asking the header command. Done so far:")
    # Who takes its status is the system, when it gets to that.
    wait_until(lambda: not is_running(int(pid.read_text())), "the end of the header command")


def test_a_sign_in_that_is_waited_for_is_not_called_an_answer(tmp_path: Path) -> None:
    with AuthorizationServer(Policy()) as server:
        words = ("--login", "--no-browser", "--token-store", "file")
        ended = stop(server, tmp_path, *words, asked=lambda: bool(server.registrations))
    assert (ended.status, ended.err) == (130, "")
    told = " ".join(ended.out.split())
    assert "Stopped by Ctrl+C while waiting for the sign-in. Done so far: Address," in told
    assert told.endswith("Run it again to see the rest."), "nobody is told when it ends by itself"


def at_terminal(server: WildServer, home: Path, **extra: str) -> tuple[int, str]:
    """Status and screen of a check at a terminal of 80 columns, which is stopped."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    screen = b""
    before = len(server.requests)
    with subprocess.Popen(
        [str(COMMAND), "check", server.url],
        env=environment_for(home, {"TERM": "xterm", **extra}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        try:
            wait_until(lambda: len(server.requests) > before, "the server is asked")
            process.send_signal(signal.SIGINT)
            process.wait(QUICKLY)
            while piece := _read(ours):
                screen += piece
        finally:
            process.kill()
            os.close(ours)
    return process.returncode, screen.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


def test_at_a_terminal(silent: WildServer, tmp_path: Path) -> None:
    status, screen = at_terminal(silent, tmp_path)
    assert status == 130
    clear = "\r\x1b[2K"
    assert f"{clear}Asking the network ... (Ctrl+C ends it){clear}\x1b[32mok\x1b[0m" in screen
    assert screen.endswith(
        f"{clear}Asking the server ... (Ctrl+C ends it){clear}\n"
        "\x1b[33mStopped by Ctrl+C while asking the server. Done so far: Address, HTTP "
        "proxy,\x1b[0m\n"
        "\x1b[33m  Name, Connection.\x1b[0m\n"
        "Run it again to see the rest. Where nothing answers, it ends by itself within 10\n"
        "  seconds.\n"
    )
    status, plain = at_terminal(silent, tmp_path, NO_COLOR="1")
    assert status == 130
    assert "\x1b" not in plain
    assert "Stopped by Ctrl+C while asking the server." in plain
    assert max(map(len, plain.splitlines())) <= 80


@pytest.mark.parametrize(
    ("steps", "patience", "verdict"),
    [
        (
            (),
            None,
            Verdict(
                "",
                "Stopped by Ctrl+C while asking the network. No step was done.",
                "Run it again to see the rest.",
                "",
                130,
            ),
        ),
        (
            (("transport", StepState.FAILED), ("host-view", StepState.SKIPPED)),
            10.0,
            Verdict(
                "transport",
                "Stopped by Ctrl+C while asking the network. Done so far: Transport.",
                HINT,
                "",
                130,
            ),
        ),
    ],
)
def test_what_is_said_of_it(
    steps: tuple[tuple[str, StepState], ...], patience: float | None, verdict: Verdict
) -> None:
    done = [CheckStep(name, name.title(), state, "Said.") for name, state in steps]
    assert describe_stopped(done, "asking the network", patience) == verdict
