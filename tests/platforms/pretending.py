"""A process that is on Linux and believes that it is on Windows, or on macOS.

What Python does not have there is taken away, what it has only there is put in its place, and then
our command runs as it is: so the lines that ask `sys.platform` themselves are run, too. Python's
own modules are loaded before, and stay those of Linux: paths, the event loop, sockets, processes.
The program stands before a command: `python pretending.py PLATFORM mcp-remote-py ARGUMENTS`. Must
not know what is tested.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import importlib
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

sys.path[0] = str(Path(__file__).resolve().parents[2])  # it is started by its file

from tests.platforms.kernel import FakeKernel32  # noqa: E402

_LOADED = (
    *("asyncio", "concurrent.futures.thread", "getpass", "http.cookiejar", "json", "mimetypes"),
    *("platform", "shutil", "ssl", "subprocess", "tempfile", "urllib.request", "uuid"),
    *("authlib", "certifi", "httptools", "httpx", "keyring", "msgspec", "platformdirs"),
    *("truststore", "cryptography.hazmat.primitives.ciphers.aead"),
)
"""What decides by the platform when it is loaded, or may: loaded before, for Linux."""

_POSIX = (
    *("O_NOFOLLOW", "O_NONBLOCK", "ST_RDONLY"),
    *("chown", "fchmod", "fchown", "geteuid", "getpgrp", "getuid", "killpg", "statvfs"),
)
_LINUX = ("getxattr", "listxattr", "pidfd_open", "setxattr")

MISSING: dict[str, dict[ModuleType, tuple[str, ...]]] = {
    "win32": {
        os: (*_POSIX, *_LINUX),
        select: ("poll",),
        signal: ("SIGHUP",),
        socket: ("TCP_USER_TIMEOUT",),
    },
    "darwin": {
        os: _LINUX,
        fcntl: ("F_GETPIPE_SZ", "F_SETPIPE_SZ"),
        socket: ("TCP_KEEPIDLE", "EAI_NODATA"),
    },
}
"""What Python's documentation says is not there, as far as Python's own modules can do without."""

NOT_THERE = {
    "win32": ("fcntl", "grp", "pwd", "resource", "termios"),
    "darwin": ("msvcrt", "winreg"),
}
"""Modules that cannot be imported there."""

_BREAK = signal.SIGUSR1
"""Plays SIGBREAK, which Linux does not have."""


def pretend(platform: str) -> None:
    """From now on, this process is there."""
    for name in _LOADED:
        importlib.import_module(name)
    asyncio.new_event_loop().close()  # from 3.14 on, its kind is chosen with the first one
    if platform == "win32":
        _bring_windows()
    else:
        _bring_macos()
    for module, names in MISSING[platform].items():
        for name in names:
            module.__dict__.pop(name, None)
    for name in NOT_THERE[platform]:
        sys.modules[name] = None  # type: ignore[assignment]
    sys.platform = platform


def _wait_for(process: int) -> int:
    """As a handle does that is waited for: 0 at the end."""
    descriptor = _OPEN_PROCESS(process)
    select.select([descriptor], [], [])
    return 0


_OPEN_PROCESS = os.pidfd_open


def _bring_windows() -> None:
    parent = os.getppid()
    kernel = FakeKernel32(parent, wait=lambda: _wait_for(parent))
    ctypes.__dict__["WinDLL"] = kernel.load
    os.__dict__["O_BINARY"] = os.O_CLOEXEC
    shutil.__dict__["_winapi"] = _Winapi("_winapi")
    signal.__dict__["SIGBREAK"] = _BREAK
    sys.modules["msvcrt"] = _Msvcrt("msvcrt")


class _Winapi(ModuleType):
    """From 3.12 on `shutil.which` asks Windows whether the current folder is looked in."""

    @staticmethod
    def NeedCurrentDirectoryForExePath(name: str) -> bool:
        """See Windows."""
        return bool(name)


class _Msvcrt(ModuleType):
    """Locks bytes: by the locks of Linux that belong to an open file."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2
    _lock = staticmethod(fcntl.flock)
    _kinds: ClassVar = {
        0: fcntl.LOCK_UN,
        1: fcntl.LOCK_EX | fcntl.LOCK_NB,
        2: fcntl.LOCK_EX | fcntl.LOCK_NB,
    }

    def locking(self, descriptor: int, kind: int, count: int) -> None:
        """See `msvcrt.locking`; who would wait ten seconds here does not wait at all."""
        assert count == 1
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        try:
            self._lock(descriptor, self._kinds[kind])
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None


def _bring_macos() -> None:
    socket.__dict__["TCP_KEEPALIVE"] = socket.TCP_KEEPIDLE
    for name, value in _Kqueue.CONSTANTS.items():
        select.__dict__[name] = value
    select.__dict__["kqueue"] = _Kqueue
    select.__dict__["kevent"] = _kevent


def _kevent(ident: int, **asked: int) -> tuple[int, dict[str, int]]:
    return ident, asked


class _Kqueue:
    """A queue that tells of the end of a process, by a descriptor of Linux."""

    CONSTANTS: ClassVar = {
        "KQ_FILTER_PROC": -5,
        "KQ_EV_ADD": 0x1,
        "KQ_EV_ONESHOT": 0x10,
        "KQ_NOTE_EXIT": 0x8000_0000,
    }

    def __init__(self) -> None:
        self._descriptor = -1

    def control(self, changes: list[tuple[int, dict[str, int]]], most: int) -> list[object]:
        """Begins to tell; ESRCH where the process has ended."""
        assert most == 0
        ((process, asked),) = changes
        assert asked == {"filter": -5, "flags": 0x11, "fflags": 0x8000_0000}
        self._descriptor = _OPEN_PROCESS(process)
        return []

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._descriptor


def main() -> None:
    """Our command, as there."""
    platform, *sys.argv = sys.argv[1:]
    pretend(platform)
    command: Any = importlib.import_module("mcp_remote_py.__main__")
    command.run()


if __name__ == "__main__":
    main()
