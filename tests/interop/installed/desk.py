"""A person's machine with one host, from outside: a home, the real `install`, the host, a model.

Whatever is started here is gone afterwards, also what a host leaves behind. Must not know what the
person does, nor any host.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_remote_py.hosts.catalogue import System
from mcp_remote_py.installing.host_files import Disk, Machine
from tests.harness.browser import FakeBrowser, fake_browser
from tests.interop.installed.model import FakeModel
from tests.interop.installed.rows import QUESTION, InstalledHost, fill
from tests.peers.wild_server import Exchange, WildServer
from tests.real.configuration import COMMAND, desktop_environment
from tests.real.hosts import SECRET_OF_THE_DESKTOP
from tests.real.processes import kill_group, wait_until

PATIENCE = 150.0
"""Seconds one question to a host may take: 1 to 7 are usual, and a minute where it waits."""
LEFT = 5.0
"""Seconds our command may live on after its host."""
NAME = "math"
"""Of the entry."""
TOOLS = ("add", "now", "subtract")


def be_calculator(server: WildServer) -> None:
    """It has three tools, of which the first adds; it does not know 2026-07-28."""
    number = {"type": "number"}
    schema = {"type": "object", "properties": {"a": number, "b": number}}
    server.capabilities = {"tools": {}}
    server.tools = [
        {"name": name, "description": f"Tool {name}.", "inputSchema": schema} for name in TOOLS
    ]
    server.always("server/discover", lambda exchange: exchange.error(-32601, "Method not found"))
    server.always("tools/call", _add)


def _add(exchange: Exchange) -> None:
    given = exchange.params["arguments"]
    text = f"the sum is {given['a'] + given['b']}"
    exchange.result({"content": [{"type": "text", "text": text}]})


SUM = "the sum is 42"


@dataclass(frozen=True)
class Said:
    """What came of one command."""

    status: int
    text: str
    """Both streams; the line breaks of a terminal are taken out."""
    seconds: float


@dataclass
class Desk:
    """The machine."""

    row: InstalledHost
    model: FakeModel
    folder: Path
    stack: ExitStack
    numbers: Any = field(default_factory=itertools.count)
    notes: dict[str, str] = field(default_factory=dict[str, str])
    """What was seen beside the ends of the steps."""

    def home(self) -> Home:
        """A new person's, with nothing in it but what the host needs for its model."""
        return Home(self, self.folder / str(next(self.numbers)))

    def browser(self, mode: str = "normal") -> FakeBrowser:
        """Of the person."""
        folder = self.folder / f"browser{next(self.numbers)}"
        return self.stack.enter_context(fake_browser(folder, mode))


class Home:
    """One home; the host is started in a project folder within it."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.row = desk.row
        self.folder = folder
        self.project = folder / "project"
        self._desk = desk
        self.project.mkdir(parents=True)
        for name, text in desk.row.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fill(text, desk.model.url, folder))

    def environment(self) -> dict[str, str]:
        """What the host and our commands are started with: no desktop, no browser."""
        given = {
            name: fill(value, self._desk.model.url, self.folder)
            for name, value in self.row.variables.items()
        }
        plain = desktop_environment(self.folder)
        path = os.pathsep.join([*self.row.programs, str(COMMAND.parent), plain["PATH"]])
        return {**plain, **SECRET_OF_THE_DESKTOP, "LANG": "C.UTF-8", **given, "PATH": path}

    @property
    def file(self) -> Path:
        """The host's configuration, as `install` finds it."""
        environment = self.environment()
        machine = Machine(System.LINUX, environment, Disk(environment))
        return Path(machine.locate(self.row.known))

    def run(self, words: Sequence[str], patience: float = PATIENCE, **variables: str) -> Said:
        """A command to its end, whatever comes of it.

        Raises:
            subprocess.TimeoutExpired: it had to be ended.
        """
        begun = time.monotonic()
        said = self.folder / "said"  # not a pipe: what a host leaves behind may hold it
        with said.open("wb") as output:
            process = subprocess.Popen(
                list(words),
                env={**self.environment(), **variables},
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            process.wait(patience)
        finally:
            seconds = time.monotonic() - begun
            alone = wait_until(lambda: not self._ours(), LEFT)
            kill_group(process)
            self._end_rest()
        assert alone, "our command lives on without its host"
        return Said(process.returncode, " ".join(said.read_text(errors="replace").split()), seconds)

    def ours(self, *words: str, **variables: str) -> Said:
        """One of our commands; it works."""
        said = self.run([str(COMMAND), *words], PATIENCE, **variables)
        assert said.status == 0, said.text
        return said

    def install(self, url: str, *options: str, **variables: str) -> Said:
        """Writes the entry."""
        words = ("install", NAME, url, *options, "--client", self.row.key, "--yes")
        return self.ours(*words, **variables)

    def ask(self, patience: float = PATIENCE) -> Said:
        """Has the host do something for which it needs the tool."""
        words = [fill(word, self._desk.model.url, self.folder) for word in self.row.ask]
        return self.run([*words, QUESTION], patience)

    def _processes(self) -> Generator[tuple[int, str]]:
        """Those that have this home, each with its command line."""
        mark = f"HOME={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    yield int(entry.name), words.decode(errors="replace")

    def _ours(self) -> list[int]:
        return [number for number, words in self._processes() if str(COMMAND) in words]

    def _end_rest(self) -> None:
        """What a host has put into the background."""

        def is_empty() -> bool:
            for number, _ in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            return not list(self._processes())

        assert wait_until(is_empty, LEFT), list(self._processes())


@contextmanager
def desk_of(row: InstalledHost, folder: Path) -> Generator[Desk]:
    """A machine of that host."""
    with ExitStack() as stack:
        model = stack.enter_context(FakeModel())
        yield Desk(row, model, folder, stack)
