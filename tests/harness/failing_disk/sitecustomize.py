"""A disk that fails, for any Python process whose `PYTHONPATH` names this folder.

The interpreter imports it by its name. Below the folder `$FAILING_DISK`/state every call that
changes something is written down, one line each in `calls`, by all processes together; where
`plan` says so it fails: "N errno one WHERE", or "N errno on WHERE" for it and all after it; WHERE
is part of the line. Must not know what is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = os.environ.get("FAILING_DISK", "")
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    """Stands before the functions of `os`."""

    def __init__(self, folder: Path) -> None:
        self._below = str(folder / "state")
        self._calls = str(folder / "calls")
        self._plan = str(folder / "plan")
        self._open = os.open

    def install(self) -> None:
        """Takes their places."""
        os.open = self._wrap_open(os.open)
        for name in ("write", "fsync", "ftruncate", "fchmod"):
            setattr(os, name, self._wrap(name, getattr(os, name), by_descriptor=True))
        for name in ("replace", "rename", "mkdir", "unlink", "chmod"):
            setattr(os, name, self._wrap(name, getattr(os, name), by_descriptor=False))

    def _wrap_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & CHANGING:
                self._count("open", path)
            return real(path, flags, *more, **named)

        return wrapped

    def _wrap(
        self, name: str, real: Callable[..., Any], *, by_descriptor: bool
    ) -> Callable[..., Any]:
        def wrapped(what: Any, *more: Any, **named: Any) -> Any:
            self._count(name, os.readlink(f"/proc/self/fd/{what}") if by_descriptor else what)
            return real(what, *more, **named)

        return wrapped

    def _count(self, name: str, path: Any) -> None:
        if not str(path).startswith(self._below):
            return
        line = f"{name} ./{os.path.relpath(path, self._below)}\n"
        calls = self._open(self._calls, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write(calls, line.encode())
            number = os.pread(calls, 1 << 20, 0).count(b"\n")
        finally:
            os.close(calls)
        try:
            with open(self._plan) as plan:
                at, errno, how, where = plan.read().split()
        except FileNotFoundError:
            return
        if (number == int(at) or (how == "on" and number > int(at))) and where in line:
            raise OSError(int(errno), os.strerror(int(errno)), str(path))


_write = os.write

if FOLDER and __name__ == "sitecustomize":
    Disk(Path(FOLDER)).install()
