"""Third-party processes: each a group of its own, with a log to wait on, and gone at the end.

Must not know which programs they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.warm import start_module

START_PATIENCE = 60.0
"""Seconds a server may take until it listens: a bundler on a busy machine of two cores."""
STOP_PATIENCE = 5.0
"""Seconds between the polite signal and the one nobody survives."""


@dataclass(frozen=True)
class Service:
    """A running server: the port it listens on, its log, and its process group."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def url(self, path: str) -> str:
        """The address of `path` on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def kill(self) -> None:
        """Ends it without a word, as a crash would, and returns when it is gone."""
        kill_group(self.process)


def start(
    command: Sequence[str],
    *,
    listens: str,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
) -> Service:
    """Starts a server and waits until its log matches `listens`, whose group 1 is the port.

    Raises:
        AssertionError: it ended, or said nothing of the kind in time; the log is in the text.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _wait_for_service(process, listens, log)


def _wait_for_service(process: subprocess.Popen[bytes], listens: str, log: Path) -> Service:
    try:
        port = wait_for_port(process, log, re.compile(listens))
    except BaseException:
        kill_group(process)
        raise
    return Service(process, port, log)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    listens: str,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
) -> Generator[Service]:
    """`start`, and the end of the whole group afterwards."""
    service = start(command, listens=listens, log=log, environment=environment, folder=folder)
    try:
        yield service
    finally:
        end_group(service.process)


@contextlib.contextmanager
def running_module(
    module: str, *words: str, listens: str, log: Path, environment: Mapping[str, str]
) -> Generator[Service]:
    """The same for a module of the tests, which is loaded once."""
    process = start_module(module, words, environment, str(log))
    service = _wait_for_service(process, listens, log)
    try:
        yield service
    finally:
        end_group(process)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def wait_for_port(process: subprocess.Popen[bytes], log: Path, listens: re.Pattern[str]) -> int:
    """The port that the log names. A build error does not end every server, so it is bounded."""
    found: list[str] = []

    def has_spoken() -> bool:
        match = listens.search(log.read_text(errors="replace"))
        found.extend(match.groups() if match else [])
        return bool(found) or process.poll() is not None

    spoke = wait_until(has_spoken, START_PATIENCE)
    if not found:
        how = f"ended with {process.returncode}" if spoke else "does not listen"
        raise AssertionError(f"the server {how}; its log:\n{log.read_text(errors='replace')}")
    return int(found[0])


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the group to end, then makes it; returns when the group is empty."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_PATIENCE)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills every process of the group; returns when the group is empty.

    Raises:
        AssertionError: something of it survived.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_PATIENCE)
    assert wait_until(lambda: not group_members(process.pid), STOP_PATIENCE), (
        f"still there: {group_members(process.pid)}"
    )


def group_members(group: int) -> list[int]:
    """Process ids of a group, zombies not counted (Linux, from /proc)."""
    members: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                # The command's name may hold spaces and parentheses: fields start after the last.
                state, _, of_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(of_group) == group and state != "Z":
                    members.append(int(entry.name))
    return members


def wait_until(condition: Callable[[], bool], patience: float) -> bool:
    """Polls until the condition holds, for at most `patience` seconds; whether it held."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
