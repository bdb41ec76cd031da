"""Two hosts that people use, each started from a `claude_desktop_config.json`.

Must not know which server an entry stands for.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.real.configuration import desktop_environment
from tests.real.installation import FASTMCP_ENVIRONMENT, NODE_MODULES, find_node

PATIENCE = 90.0
"""Seconds one command of a host may take: 1 to 6 are usual, most of them its own start."""


@dataclass(frozen=True)
class Said:
    """What a host's command ended with."""

    status: int
    stdout: str
    stderr: str

    @property
    def everything(self) -> str:
        """Both streams, with the line breaks of a terminal taken out."""
        return " ".join((self.stdout + " " + self.stderr).split())


@dataclass(frozen=True)
class RealHost(ABC):
    """A host with this config file and this home directory."""

    config: Path
    home: Path

    @abstractmethod
    def list_tools(self, server: str) -> set[str]:
        """The names of the server's tools as the host lists them."""

    @abstractmethod
    def call(self, server: str, tool: str, *arguments: str) -> Said:
        """Calls a tool; arguments are `name=value`."""

    def run(self, command: Sequence[str]) -> Said:
        """Runs one command of the host to its end."""
        done = subprocess.run(
            list(command),
            env={**desktop_environment(self.home), **self.extra_environment()},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def extra_environment(self) -> dict[str, str]:
        """What this host needs besides."""
        return {}


class McPorter(RealHost):
    """npm's mcporter: built on the TypeScript SDK; hands its whole environment on."""

    def command(self, *arguments: str) -> list[str]:
        """The command line of one invocation."""
        main = NODE_MODULES / "mcporter" / "dist" / "cli.js"
        return [find_node(), str(main), "--config", str(self.config), *arguments]

    def list_tools(self, server: str) -> set[str]:
        said = self.run(self.command("list", server, "--json"))
        assert said.status == 0, said
        return {tool["name"] for tool in json.loads(said.stdout)["tools"]}

    def call(self, server: str, tool: str, *arguments: str) -> Said:
        return self.run(self.command("call", f"{server}.{tool}", *arguments))


class FastMcp(RealHost):
    """PyPI's fastmcp: built on the Python SDK; hands on six variables and what the entry names.

    It asks `server/discover` (2026-07-28) before it shakes hands. One server for each file.
    """

    def command(self, *arguments: str) -> list[str]:
        """The command line of one invocation."""
        return [str(FASTMCP_ENVIRONMENT / "bin" / "fastmcp"), *arguments]

    def extra_environment(self) -> dict[str, str]:
        # Wide enough that no sentence is broken inside a word; no look-up of newer versions.
        return {"COLUMNS": "2000", "FASTMCP_CHECK_FOR_UPDATES": "off"}

    def list_tools(self, server: str) -> set[str]:
        said = self.run(self.command("list", str(self.config), "--json"))
        assert said.status == 0, said
        return {tool["name"] for tool in json.loads(said.stdout)["tools"]}

    def call(self, server: str, tool: str, *arguments: str) -> Said:
        return self.run(self.command("call", str(self.config), tool, *arguments))


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
