"""Every secret of a test run, and where none of them may turn up (promise S2).

Tests and their peers register what they give and get; harnesses ask about what a command has
said; and when the run is over, every file it left is searched. Must not know who registers what,
and never shows a secret: what is found is named by the file it is in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

SHORTEST = 12
"""Characters: a shorter one would be found by chance."""

_WORD = re.compile(rb"[A-Za-z0-9_.~+/=-]{12,}")
"""What a token, a code or a verifier is made of, wherever it stands."""

NOT_OURS = frozenset({"node_modules", ".wrangler", "browser", "chromium"})
"""Folders of programs that are the person's or the server's own: a browser remembers where it has
been, a server what it has given."""

NOT_SEARCHED = frozenset({"claude_desktop_config.json"})
"""Written by the tests, in the place of a person who puts a token there."""


class Canaries:
    """The secrets of one run."""

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()

    def register(self, secrets: Iterable[str]) -> None:
        """From now on these are secrets; short ones are none."""
        self._secrets.update(secret.encode() for secret in secrets if len(secret) >= SHORTEST)

    def are_in(self, data: bytes) -> bool:
        """Whether any of them stands in these bytes, as a word of its own or behind a `name=`."""
        for word in _WORD.findall(data):
            if word in self._secrets or any(part in self._secrets for part in word.split(b"=")):
                return True
        return False

    def search(self, folder: Path) -> list[str]:
        """The files below `folder` that hold one, relative to it, sorted."""
        found: list[str] = []
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name not in NOT_OURS]
            for name in set(names) - NOT_SEARCHED:
                path = Path(place, name)
                if path.is_file() and not path.is_symlink() and self.are_in(path.read_bytes()):
                    found.append(str(path.relative_to(folder)))
        return sorted(found)


RUN = Canaries()
"""Those of this run."""
