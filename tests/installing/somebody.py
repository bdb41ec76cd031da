"""A person without the rights of root, who runs the command: with files that refuse them.

Root may write everything, and the tests may run as root. So nobody runs the command then, by that
name; where somebody else runs the tests, it is that one.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple

from tests.harness.warm import COMMAND, run

IS_ROOT = os.geteuid() == 0
NAME = "nobody"
USER = pwd.getpwnam(NAME).pw_uid if IS_ROOT else os.geteuid()
GROUP = pwd.getpwnam(NAME).pw_gid if IS_ROOT else os.getegid()
PATIENCE = 30.0
"""Seconds for a command."""


class Node(NamedTuple):
    """A file or folder, with all that a change might lose."""

    mode: int
    owner: int
    group: int
    content: bytes


class Somebody:
    """The person, at home in a folder that they can reach."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def put(self, path: str, text: str, mode: int = 0o644) -> Path:
        """A file of theirs."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        for each in (file, *file.parents):
            if each.is_relative_to(self.home):
                os.chown(each, USER, GROUP)
        return file

    def run(self, *words: str, is_root: bool = False) -> tuple[int, str]:
        """The exit status, and what was said on both streams; by root only where that is here."""
        environment = {
            "HOME": str(self.home),
            "PATH": "/nowhere",
            "TERM": "dumb",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        user = (USER, GROUP) if IS_ROOT and not is_root else None
        done = run([str(COMMAND), *words], environment, PATIENCE, user=user)
        return done.returncode, done.stdout + done.stderr

    def look(self) -> dict[str, Node]:
        """All that is there, but what the command itself keeps."""
        return {
            str(path.relative_to(self.home)): _look_at(path)
            for path in self.home.rglob("*")
            if not path.is_relative_to(self.home / ".local")
        }


def _look_at(path: Path) -> Node:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    content = b""
    if stat.S_ISREG(status.st_mode):
        path.chmod(mode | 0o400)  # not root, and it may be closed
        content = path.read_bytes()
        path.chmod(mode)
    return Node(mode, status.st_uid, status.st_gid, content)
