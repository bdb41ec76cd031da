"""Hosts that people use, each started from a `claude_desktop_config.json`.

Two kinds: a command line that ends after each thing it does, and a program that goes on, as
desktops do. What both do has one interface. Must not know which server an entry stands for.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.harness.warm import ROOT, start_module
from tests.real.configuration import desktop_environment
from tests.real.installation import (
    FASTMCP_ENVIRONMENT,
    HERE,
    INSPECTOR,
    NODE_MODULES,
    find_node,
)
from tests.real.processes import kill_group, wait_until

PATIENCE = 90.0
"""Seconds one command of a host may take: 1 to 6 are usual, most of them its own start."""

HURRY = 1.5
"""Seconds a host waits that does not want to wait."""

SECRET_OF_THE_DESKTOP = {"NOT_FOR_CHILDREN": "1"}
"""A variable of the host that no entry names."""


@dataclass(frozen=True)
class Said:
    """What a host made of one thing it was to do; `status` is 0 where it did it."""

    status: int
    stdout: str
    stderr: str
    steps: tuple[float, ...] = ()
    """Of progress, where the host told them."""

    @property
    def everything(self) -> str:
        """Both streams, with the line breaks of a terminal taken out."""
        return " ".join((self.stdout + " " + self.stderr).split())


@dataclass(frozen=True)
class RealHost(ABC):
    """A host with this config file and this home directory."""

    name: ClassVar[str]
    first_patience: ClassVar[float] = 0
    """Seconds it waits for `server/discover` until it takes the server for an older one."""
    config: Path
    home: Path
    patience: float | None = None
    """Seconds it waits for an answer; None for as long as it does by itself."""

    @abstractmethod
    def list_tools(self, server: str) -> set[str]:
        """The names of the server's tools as the host lists them."""

    @abstractmethod
    def call(self, server: str, tool: str, *arguments: str, typed: str = "") -> Said:
        """Calls a tool; arguments are `name=value`. `typed` is what the person answers."""

    @abstractmethod
    def cancel(self, server: str, token: str, has_started: Callable[[], bool]) -> None:
        """Calls the tool `wait`, and cancels it when it has started, as a person would."""

    def hurry(self) -> Self:
        """The same host, which gives up early."""
        return replace(self, patience=HURRY)

    @abstractmethod
    def close(self) -> None:
        """The host is ended, as a person ends it."""

    def environment(self) -> dict[str, str]:
        """All the host has; a desktop has more than it hands on."""
        return {
            **desktop_environment(self.home),
            **SECRET_OF_THE_DESKTOP,
            **self.extra_environment(),
        }

    def extra_environment(self) -> dict[str, str]:
        """What this host needs besides."""
        return {}


class CommandLineHost(RealHost):
    """A command that starts the entry, does one thing, and ends it."""

    def close(self) -> None:
        """It has ended after each thing it did."""

    def run(self, command: Sequence[str], typed: str = "") -> Said:
        """Runs one command of the host to its end."""
        done = subprocess.run(
            list(command),
            env=self.environment(),
            cwd=self.home,
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @abstractmethod
    def calling(self, server: str, tool: str, arguments: Sequence[str]) -> list[str]:
        """The command line that calls a tool."""

    @abstractmethod
    def listing(self, server: str) -> list[str]:
        """The command line that lists the tools, as JSON."""

    def list_tools(self, server: str) -> set[str]:
        said = self.run(self.listing(server))
        assert said.status == 0, said
        found = json.loads(said.stdout)
        return {tool["name"] for tool in found.get("result", found)["tools"]}

    def call(self, server: str, tool: str, *arguments: str, typed: str = "") -> Said:
        return self.run(self.calling(server, tool, arguments), typed)

    def cancel(self, server: str, token: str, has_started: Callable[[], bool]) -> None:
        """Ctrl+C: the terminal sends it to the host and to what the host has started."""
        process = subprocess.Popen(
            self.calling(server, "wait", [f"token={token}"]),
            env=self.environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert wait_until(has_started, PATIENCE)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE)
        finally:
            kill_group(process)


class McPorter(CommandLineHost):
    """npm's mcporter: built on the TypeScript SDK; hands its whole environment on."""

    name = "mcporter"

    def command(self, *arguments: str) -> list[str]:
        """The command line of one invocation."""
        main = NODE_MODULES / "mcporter" / "dist" / "cli.js"
        return [find_node(), str(main), "--config", str(self.config), *arguments]

    def listing(self, server: str) -> list[str]:
        return self.command("list", server, "--json")

    def calling(self, server: str, tool: str, arguments: Sequence[str]) -> list[str]:
        wait = [] if self.patience is None else ["--timeout", str(int(self.patience * 1000))]
        return self.command("call", f"{server}.{tool}", *arguments, *wait)


class FastMcp(CommandLineHost):
    """PyPI's fastmcp: built on the Python SDK; hands on six variables and what the entry names.

    It asks `server/discover` (2026-07-28) before it shakes hands. It uses all entries of a file at
    once; of several, it puts the name of each before its tools.
    """

    name = "fastmcp"
    first_patience = 10

    def command(self, *arguments: str) -> list[str]:
        """The command line of one invocation."""
        return [str(FASTMCP_ENVIRONMENT / "bin" / "fastmcp"), *arguments]

    def extra_environment(self) -> dict[str, str]:
        # Wide enough that no sentence is broken inside a word; no look-up of newer versions.
        return {"COLUMNS": "2000", "FASTMCP_CHECK_FOR_UPDATES": "off"}

    def _prefix(self, server: str) -> str:
        entries = json.loads(self.config.read_text())["mcpServers"]
        return f"{server}_" if len(entries) > 1 else ""

    def listing(self, server: str) -> list[str]:
        return self.command("list", str(self.config), "--json")

    def list_tools(self, server: str) -> set[str]:
        prefix = self._prefix(server)
        found = super().list_tools(server)
        return {name.removeprefix(prefix) for name in found if name.startswith(prefix)}

    def calling(self, server: str, tool: str, arguments: Sequence[str]) -> list[str]:
        wait = [] if self.patience is None else ["--timeout", str(self.patience)]
        return self.command(
            "call", str(self.config), self._prefix(server) + tool, *arguments, *wait
        )


class Inspector(CommandLineHost):
    """npm's MCP Inspector without its browser: what server authors try their servers with."""

    name = "inspector"

    def command(self, server: str, *arguments: str) -> list[str]:
        """The command line of one invocation."""
        file = ["--cli", "--config", str(self.config), "--server", server]
        return [find_node(), str(INSPECTOR), *file, *arguments]

    def extra_environment(self) -> dict[str, str]:
        return {"MCP_INSPECTOR_SECRET_STORE": "memory"}

    def listing(self, server: str) -> list[str]:
        return self.command(server, "--method", "tools/list", "--format", "json")

    def calling(self, server: str, tool: str, arguments: Sequence[str]) -> list[str]:
        words = [word for pair in arguments for word in ("--tool-arg", pair)]
        if self.patience is not None:
            words += ["--connect-timeout", str(int(self.patience * 1000))]
        return self.command(server, "--method", "tools/call", "--tool-name", tool, *words)


@dataclass(frozen=True)
class SdkHost(RealHost):
    """A program of ours around a client of an official SDK; it goes on until it is closed."""

    started: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @abstractmethod
    def start(self) -> subprocess.Popen[bytes]:
        """The program, which takes orders."""

    def order(self, what: str, server: str, **members: Any) -> dict[str, Any]:
        """What it answers. The first order starts it."""
        if not self.started:
            self.started.append(self.start())
        (process,) = self.started
        assert process.stdin is not None
        assert process.stdout is not None
        line = json.dumps({"do": what, "server": server, **members}) + "\n"
        os.write(process.stdin.fileno(), line.encode())
        answer = bytearray()
        while not answer.endswith(b"\n"):
            assert select.select([process.stdout], [], [], PATIENCE)[0], f"no answer to {line}"
            read = os.read(process.stdout.fileno(), 1 << 16)
            assert read, f"the host has ended: {line}"
            answer += read
        found: dict[str, Any] = json.loads(answer)
        return found

    def list_tools(self, server: str) -> set[str]:
        found = self.order("list", server)
        assert "tools" in found, found
        return set(found["tools"])

    def call(self, server: str, tool: str, *arguments: str, typed: str = "") -> Said:
        wait = {} if self.patience is None else {"patience": self.patience}
        given = read_arguments(arguments)
        done = self.order("progress", server, tool=tool, arguments=given, **wait)
        error = done.get("error", "")
        return Said(int("error" in done), done.get("text", ""), error, tuple(done.get("steps", ())))

    def cancel(self, server: str, token: str, has_started: Callable[[], bool]) -> None:
        done = self.order("cancel", server, arguments={"token": token})
        assert done == {"text": "cancelled"}, done
        assert has_started()

    def close(self) -> None:
        while self.started:
            process = self.started.pop()
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            finally:
                kill_group(process)
                for stream in (process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()


class PythonSdk(SdkHost):
    """PyPI's `mcp` as a client: it hands on six variables, and asks `server/discover` first."""

    name = "python-sdk"
    first_patience = 10

    def start(self) -> subprocess.Popen[bytes]:
        words = [str(self.config)]
        return start_module("tests.real.sdk_host", words, self.environment(), stdin=subprocess.PIPE)


class TypeScriptSdk(SdkHost):
    """npm's `@modelcontextprotocol/sdk`, which most hosts of today are made of."""

    name = "typescript-sdk"
    which = "sdk"

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [find_node(), str(HERE / "sdk_host.mjs"), self.which, str(self.config)],
            env=self.environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def extra_environment(self) -> dict[str, str]:
        return {"PACKAGES": str(HERE / "package.json")}


class TypeScriptClient(TypeScriptSdk):
    """npm's `@modelcontextprotocol/client`, its successor, which asks `server/discover` first."""

    name = "typescript-client"
    which = "client"


HOSTS = {
    host.name: host
    for host in (McPorter, FastMcp, Inspector, PythonSdk, TypeScriptSdk, TypeScriptClient)
}


@contextlib.contextmanager
def at_work(
    make: Callable[[Path, Path], RealHost], config: Path, home: Path
) -> Generator[RealHost]:
    """A host, ended afterwards."""
    host = make(config, home)
    try:
        yield host
    finally:
        host.close()


def read_arguments(arguments: Sequence[str]) -> Mapping[str, Any]:
    """`name=value` as members: what is JSON is that, and all else is text."""

    def read(value: str) -> Any:
        with contextlib.suppress(ValueError):
            return json.loads(value)
        return value

    pairs = (pair.partition("=") for pair in arguments)
    return {name: read(value) for name, _, value in pairs}


def mcporter_daemon(host: McPorter, log: Path) -> subprocess.Popen[bytes]:
    """Starts mcporter's daemon, which keeps entries with `"lifecycle": "keep-alive"`.

    It leads a process group, which the caller ends.
    """
    with log.open("wb") as sink:
        return subprocess.Popen(
            host.command("daemon", "start", "--foreground"),
            env=desktop_environment(host.home),
            cwd=host.home,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def daemon_is_ready(host: McPorter) -> bool:
    """Whether the daemon takes commands: mcporter starts another one itself where none does."""
    return any(path.is_socket() for path in (host.home / ".mcporter" / "daemon").glob("*.sock"))


def relays_of(url: str, group: int) -> list[int]:
    """Process ids in the group that were started with `url` as an argument (Linux, from /proc)."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if url.encode() in words and os.getpgid(int(process.name)) == group:
                    found.append(int(process.name))
    return found
