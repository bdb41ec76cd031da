"""When to end, in real processes: signals, and a parent that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

PATIENCE = 15.0
"""Seconds for a process of the test to say something, or to end."""

WATCHER = """
import asyncio, sys
from mcp_remote_py.commands.lifetime import watch_parent, watch_signals

async def main():
    told = asyncio.Queue()
    watch_signals(lambda number: told.put_nowait(number.name))
    watch_parent(lambda: told.put_nowait("parent"))
    print("ready", flush=True)
    while True:
        said = await told.get()
        print(said, flush=True)
        if said == sys.argv[1]:
            return

asyncio.run(asyncio.wait_for(main(), 30))
"""

LAUNCHER = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", *sys.argv[1:]]).returncode)
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, *arguments: str) -> subprocess.Popen[str]:
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    stack.callback(process.kill)
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.promise("R7")
@pytest.mark.timeout(PATIENCE)
def test_each_signal_that_asks_to_end_is_told_by_its_name(stack: ExitStack) -> None:
    process = start(stack, WATCHER, "SIGTERM")
    assert said(process) == "ready"
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
        assert said(process) == number.name
    assert process.wait(PATIENCE) == 0


@pytest.mark.promise("R7")
@pytest.mark.timeout(PATIENCE)
def test_parent_that_is_killed_is_noticed(stack: ExitStack) -> None:
    launcher = start(stack, LAUNCHER, WATCHER, "parent")
    assert said(launcher) == "ready"
    launcher.kill()
    launcher.wait(PATIENCE)
    assert said(launcher) == "parent"  # its child writes on the same pipe
    assert said(launcher) == ""  # and ends


@pytest.mark.promise("R7")
@pytest.mark.timeout(PATIENCE)
def test_parent_that_lives_is_not_taken_for_gone(stack: ExitStack) -> None:
    process = start(stack, WATCHER, "SIGTERM")
    assert said(process) == "ready"
    process.terminate()
    assert said(process) == "SIGTERM"  # the first thing it had to say
