"""Our command, as it is, in a process that believes that it is on another platform.

Real servers, real sign-ins, real files: what is missing is the other platform's own Python. Nothing
that Python lacks there is there, so a call of POSIX that somebody forgot ends in a traceback here.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.browser import fake_browser
from tests.harness.host import Json, environment_for
from tests.harness.stage import Stage, call, let_token_expire
from tests.harness.warm import COMMAND
from tests.peers.authorization_server import AuthorizationServer, Policy

PRETENDING = Path(__file__).with_name("pretending.py")
PLATFORMS = ("win32", "darwin")
PATIENCE = 30.0
"""Seconds for a process to say something, or to end."""

LARGE = 3_000_000
"""Characters: more than a pipe takes, as wide as it can be."""

LAUNCHER = "import subprocess, sys; subprocess.run(sys.argv[1:])"
NOWHERE = "http://127.0.0.1:9/mcp"


def program(platform: str) -> tuple[str, ...]:
    """What stands before a command that is to be there."""
    return (sys.executable, str(PRETENDING), platform)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def make_stage(stack: ExitStack, folder: Path, platform: str) -> Stage:
    server = stack.enter_context(AuthorizationServer(Policy(lifetime=1)))
    browser = stack.enter_context(fake_browser(folder / "browser", "normal", 0.0))
    # What Windows is to start has an ending of this list; from 3.14 on `shutil.which` sees to it.
    browser.command = browser.command.rename(browser.command.with_suffix(".exe"))
    there = ("env", "-C", str(folder), "PATHEXT=.exe", *program(platform))
    return Stage(server, browser, folder / "home", stack, there)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_person_signs_in_once_and_out_again(
    stack: ExitStack, tmp_path: Path, platform: str
) -> None:
    """Browser, listener, locks, sealed files and renewals, through the relay."""
    stage = make_stage(stack, tmp_path, platform)
    host = stage.sign_in()
    call(host)
    stage.end(host)
    let_token_expire(stage)
    log = tmp_path / "log"
    again = stage.host("--log-file", str(log))
    again.initialize()
    call(again)
    large: Json = {"name": "echo", "arguments": {"text": "x" * LARGE}}
    assert call(again, large)["params"] == large  # on a connection that is there already
    stage.end(again)
    assert stage.counts["tabs"] == 1
    assert stage.counts["refreshes"] >= 1
    status = stage.run("status", stage.server.url, "--token-store", "file")
    assert log.read_text().endswith("\n")
    assert "signed in" in status.stdout.lower(), status.stdout + status.stderr
    out = stage.run("logout", stage.server.url, "--token-store", "file")
    assert out.returncode == 0, out.stdout + out.stderr
    for text in (host.stderr, again.stderr, status.stderr, out.stderr):
        assert "Traceback" not in text


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_entry_is_written_changed_and_taken_away(
    stack: ExitStack, tmp_path: Path, platform: str
) -> None:
    stage = make_stage(stack, tmp_path, platform)
    config = tmp_path / "home" / "mcp.json"  # the hosts' own have other separators there
    config.parent.mkdir()
    config.write_text('{"mcpServers": {"other": {"command": "x"}}}\n')
    of_host = ("--client", "cursor", "--config", str(config), "--yes")
    done = stage.run("install", "math", stage.server.url, *of_host)
    assert "Traceback" not in done.stderr, done.stderr
    assert stage.server.url in json.loads(config.read_text())["mcpServers"]["math"]["args"]
    assert len(list(config.parent.glob("*.bak"))) == 1
    done = stage.run("uninstall", "math", *of_host)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(json.loads(config.read_text())["mcpServers"]) == ["other"]


def start_relay(stack: ExitStack, folder: Path, *before: str) -> subprocess.Popen[bytes]:
    """A relay that has answered a line: so it watches what there is to watch."""
    process = stack.enter_context(
        subprocess.Popen(
            [*before, str(COMMAND), NOWHERE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment_for(folder),
        )
    )
    stack.callback(process.kill)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"{broken\n")
    process.stdin.flush()
    assert b'"error"' in process.stdout.readline()
    return process


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_relay_ends_with_its_parent(stack: ExitStack, tmp_path: Path, platform: str) -> None:
    """Although its input stays open."""
    before = (sys.executable, "-c", LAUNCHER, *program(platform))
    launcher = start_relay(stack, tmp_path, *before)
    launcher.kill()
    assert launcher.stdout is not None
    assert launcher.stdout.read() == b""


@pytest.mark.timeout(PATIENCE)
def test_a_console_that_is_closed_ends_the_relay_on_windows(
    stack: ExitStack, tmp_path: Path
) -> None:
    relay = start_relay(stack, tmp_path, *program("win32"))
    relay.send_signal(signal.SIGUSR1)  # plays SIGBREAK
    assert relay.wait(PATIENCE) == 0
