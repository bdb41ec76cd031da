"""Why the person may not read or change a file, and what they can do about it.

The file is asked, the folder that it lies in, and those above. Nothing is changed. Must not know
what the file holds, nor whose configuration it is.
"""

from __future__ import annotations

import functools
import importlib
import os
import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_remote_py.values import Value


class Obstacle(Value, frozen=True):
    """A sentence about the file, and the next step."""

    cause: str
    hint: str


def is_read_only_disk(path: Path, system: Any = os) -> bool:
    """Whether nothing on its disk may be changed; `system` is the module `os`.

    Windows does not tell: what is not writable there is told as read-only itself.
    """
    return hasattr(system, "statvfs") and bool(system.statvfs(path).f_flag & system.ST_RDONLY)


_ASK_USER: Callable[[], int] = getattr(os, "geteuid", int)
"""On Windows every file is of the user 0, as we are."""


def name_of(user: int, find_module: Callable[[str], Any] = importlib.import_module) -> str:
    """As the person knows it, and as `chown` takes it."""
    try:
        return find_module("pwd").getpwuid(user).pw_name
    except (KeyError, ImportError):
        return str(user)


def unlock_command(path: Path, mode: str, flags: int, platform: str) -> str:
    """What gives the person a right to their own file.

    `mode` is as for `chmod`, `flags` are `st_flags`, `platform` is as of `sys`. macOS has locked
    files, which no mode opens; Windows has only a mark that says read-only.
    """
    if platform == "win32":
        return f'attrib -r "{path}"'
    if platform == "darwin" and flags & stat.UF_IMMUTABLE:  # Finder's "Locked"
        return f"chflags nouchg {shlex.quote(str(path))}"
    return f"chmod {mode} {shlex.quote(str(path))}"


def find_obstacle(
    target: Path,
    *,
    changes: bool,
    by_link: bool = False,
    is_on_read_only_disk: Callable[[Path], bool] = is_read_only_disk,
) -> Obstacle | None:
    """What is in the way of reading a file, or where it `changes`, of putting another in its place.

    `target` is the file itself, which need not be there; `by_link` says that a link led to it. A
    file of another user is not changed, whatever its mode allows: with the next content it would
    be ours, and what is secret in that could be read by its owner.

    Raises:
        OSError: something goes away meanwhile.
    """
    place_of = functools.partial(_Place, is_on_read_only_disk)
    folders = [each for each in reversed(target.parents) if os.path.isdir(each)]
    for folder in folders:
        if not os.access(folder, os.X_OK):
            return place_of(folder, f"Its folder {folder}").explain("closed to you", "u+rwx")
    if target.exists():
        subject = f"It is a link to {target}, which" if by_link else "It"
        file = place_of(target, subject, is_linked=by_link)
        if not changes:
            return None if os.access(target, os.R_OK) else file.explain("closed to you", "u+r")
        if file.is_foreign or not file.is_writable:
            return file.explain("read-only", "u+w")
    if changes and not os.access(folders[-1], os.W_OK):
        return place_of(folders[-1], f"Its folder {folders[-1]}").explain("read-only", "u+w")
    return None


class _Place:
    """A file or folder that is there, and what it is called in a sentence."""

    def __init__(
        self,
        is_on_read_only_disk: Callable[[Path], bool],
        path: Path,
        subject: str,
        *,
        is_linked: bool = False,
    ) -> None:
        self._is_on_read_only_disk = is_on_read_only_disk
        self._path = path
        self._subject = subject
        self._is_linked = is_linked
        self._status = path.stat()

    @property
    def is_foreign(self) -> bool:
        """Whether another user than root has to do with one of somebody else."""
        return self._status.st_uid != _ASK_USER() != 0

    @property
    def is_writable(self) -> bool:
        """For root, too, a file that nobody is to write is read-only."""
        return bool(self._status.st_mode & 0o222) and os.access(self._path, os.W_OK)

    def explain(self, state: str, mode: str) -> Obstacle:
        """The obstacle that it is; `mode` as for `chmod`."""
        path, subject = shlex.quote(str(self._path)), self._subject
        if mode == "u+w" and self._is_on_read_only_disk(self._path):
            hint = "Make that disk writable, and run the command again."
            return Obstacle(f"{subject} is on a disk that is read-only.", hint)
        if self.is_foreign:
            owner = name_of(self._status.st_uid)
            return Obstacle(f"{subject} belongs to {owner}.", self._claim(owner, path))
        flags = getattr(self._status, "st_flags", 0)  # Linux does not tell any
        command = unlock_command(self._path, mode, flags, sys.platform)
        return Obstacle(f"{subject} is {state}.", f"To change that: {command}")

    def _claim(self, owner: str, path: str) -> str:
        """What is done about a thing of somebody else: what lies in a folder of ours is taken."""
        if self._is_linked:
            return (
                "Change it with the program that has made the link, or put a file of yours in the"
                " place of the link."
            )
        if self._path.parent.stat().st_uid == _ASK_USER():
            return f"To make it yours: sudo chown {name_of(_ASK_USER())} {path}"
        return f"Run the command as {owner}."
