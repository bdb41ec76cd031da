"""What docs/aws.md shows: entries of config files, profiles, and the words of refusals.

Must not know what is tried with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.warm import COMMAND

TEXT = (Path(__file__).parents[3] / "docs" / "aws.md").read_text("utf-8")


@dataclass(frozen=True)
class Entry:
    """One server of a config file."""

    args: Sequence[str]
    env: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """What a host starts, with our command where uvx would have installed it."""
        program = "mcp-remote-py"
        assert program in self.args, self.args
        return [str(COMMAND), *self.args[self.args.index(program) + 1 :]]

    @property
    def url(self) -> str:
        """The server's."""
        return next(word for word in self.args if word.startswith("https://"))


def blocks(language: str) -> list[str]:
    """The code blocks in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def read_entries() -> dict[str, Entry]:
    """All servers of all configs, by name; each is started by uvx."""
    found: dict[str, Entry] = {}
    for block in blocks("json"):
        servers: dict[str, Any] = json.loads(block)["mcpServers"]
        for name, server in servers.items():
            assert server["command"] == "uvx", name
            assert name not in found, name
            found[name] = Entry(server["args"], server["env"])
    return found


ENTRIES = read_entries()
PROFILES = blocks("ini")
REFUSALS = [
    line.split("|")[1].strip()
    for line in TEXT.partition("| It says |")[2].partition("\n\n")[0].splitlines()[2:]
]
"""How an error begins; "..." stands for what differs."""
