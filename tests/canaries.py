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
_PART = re.compile(rb"[A-Za-z0-9_-]{12,}")
"""What a token, a code or a verifier is made of, with dots as in a JWT and without."""

_MARK = re.compile(rb"canary[A-Za-z0-9_.-]*")
"""How most secrets of the tests begin, whatever stands before and behind."""

NOT_OURS = frozenset({"node_modules", ".aws", ".wrangler", "browser", "chromium"})
"""Folders of programs that are the person's or the server's own: a browser remembers where it has
been, a server what it has given, and AWS's files have keys."""

NOT_SEARCHED = frozenset({"claude_desktop_config.json", "agent.jwt"})
"""Written by the tests, in the place of a person or a platform who puts a token there."""


class Canaries:
    """The secrets of one run."""

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()
        self._lengths: set[int] = set()

    def register(self, secrets: Iterable[str]) -> None:
        """From now on these are secrets; short ones are not."""
        more = {secret.encode() for secret in secrets if len(secret) >= SHORTEST}
        self._secrets |= more
        self._lengths |= set(map(len, more))

    def are_in(self, data: bytes) -> bool:
        """Whether any of them stands in these bytes: as a word, or by its mark in a longer one."""
        words = set(_WORD.findall(data))
        for word in tuple(words):
            words.update(word.split(b"="), _PART.findall(word))
        words.update([word.strip(b".~+/=-") for word in words])
        if not self._secrets.isdisjoint(words):
            return True
        marked = _MARK.findall(data)
        return any(run[:length] in self._secrets for run in marked for length in self._lengths)

    def search(self, folder: Path, endings: tuple[str, ...] = ("",)) -> list[str]:
        """The files below `folder` that hold one, relative to it, sorted; of those endings only."""
        found: list[str] = []
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name not in NOT_OURS]
            for name in set(names) - NOT_SEARCHED:
                path = Path(place, name)
                if not name.endswith(endings):
                    continue
                if path.is_file() and not path.is_symlink() and self.are_in(path.read_bytes()):
                    found.append(str(path.relative_to(folder)))
        return sorted(found)


RUN = Canaries()
"""Those of this run."""

HEADERS = Canaries()
"""Values of headers that hosts were told to give: a server may repeat them, no log may."""

LOGS = (".log", "stderr")
"""How files end that hold what a command logs."""
