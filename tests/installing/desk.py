"""A person at a terminal or a script, with a home of their own, who runs `install` and its kin.

In this process, through the command line's own door. Must not know what a host is.
"""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_remote_py.cli.main import main

URL = "http://127.0.0.1:9/mcp"
"""Where nobody answers, and is refused at once."""

TOKEN = "desk-4f9a8b7c6d5e4f3a2b1c"
HEADER = ("--header", f"Authorization: Bearer {TOKEN}")
"""With it, nobody is asked whether the server wants a sign-in."""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Outcome:
    """What a run has left."""

    status: int
    said: str
    logged: str

    @property
    def text(self) -> str:
        return self.said + self.logged


@dataclass
class Desk:
    """The person."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": str(self.home / "bin"),
            "TERM": "dumb",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **self.extra,
        }

    def run(self, *words: str, answers: str | None = None) -> Outcome:
        """A command; with `answers`, somebody is at the terminal and types these lines."""
        stream = io.StringIO if answers is None else Terminal
        stdout, stderr, stdin = stream(), io.StringIO(), stream(answers or "")
        status = main(list(words), self.environment, stdout, stderr, stdin=stdin)
        return Outcome(status, stdout.getvalue(), stderr.getvalue())

    def put(self, path: str, text: str = "") -> Path:
        """A file in the home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> Any:
        """What a file in the home says, as its host reads it."""
        text = (self.home / path).read_text()
        return tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
