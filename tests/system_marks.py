"""Which systems a test file can run on: read from what it, and what it imports of the tests, uses.

A file carries the mark `linux` or `posix`; one without a mark runs everywhere. Looked for only
where somebody asks (`-m "not linux and not posix"`), and on systems that are not Linux, where the
other files are not even loaded: their imports would fail. Must not import what it reads.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MARKS = ("linux", "posix")
"""The narrower first."""

SIGNS = {
    "linux": (
        *(r"/proc/", r"memfd_create", r"netns", r"prctl", r"sched_setaffinity", r"chromium"),
        *(r"apt-get", r"127\.0\.0\.[2-9]", r"XDG_", r"secretstorage", r"jeepney"),
        r"setenv\(\"SSL_CERT_FILE",
    ),
    "posix": (
        *(r"os\.fork", r"os\.gete?uid", r"os\.killpg", r"os\.mkfifo", r"os\.openpty", r"os\.umask"),
        *(r"SIGKILL", r"SIGSTOP", r"SIGHUP", r"SIGTERM", r"start_new_session", r"pass_fds"),
        *(r"st_mode", r"st_uid", r"\.chmod\(", r"AF_UNIX", r"/bin/sh", r"#!", r"os\.defpath"),
        r"^\s*(?:import|from) (?:fcntl|grp|pty|pwd|resource|termios|tty)\b",
        *(r"sys\.executable", r"symlink_to", r"\"/tmp", r"\.socketpair\("),
    ),
}
"""Words of a source by which it is known to need the system. Rather one too many: a test that
starts processes is `posix` until somebody has seen it on Windows."""

LINUX_FOLDERS = tuple(
    f"{ROOT / 'tests' / name}{os.sep}" for name in ("real", "interop", "conformance")
)
"""Other people's systems, which are installed there only."""


def mark_of(path: Path) -> str | None:
    """The mark of that test file; None where it runs everywhere."""
    files = closure(path)
    if any(str(one).startswith(LINUX_FOLDERS) for one in files):
        return "linux"
    signs = {sign for one in files for sign in own_marks(one)}
    return next((mark for mark in MARKS if mark in signs), None)


def runs_here(path: Path, system: str = sys.platform) -> bool:
    """Whether the file may be loaded on that system (`sys.platform`)."""
    if system == "linux":
        return True
    return mark_of(path) in ({None} if system == "win32" else {None, "posix"})


@cache
def own_marks(path: Path) -> frozenset[str]:
    """What the words of that one file say."""
    text = path.read_text("utf-8")
    return frozenset(
        mark
        for mark, signs in SIGNS.items()
        if any(re.search(sign, text, re.MULTILINE) for sign in signs)
    )


def closure(path: Path) -> set[Path]:
    """The file, and all files of the tests and scripts that it loads."""
    found, waiting = set[Path](), [path.resolve()]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += loads(one)
    return found - {ROOT / "tests" / "platforms.py"}


@cache
def loads(path: Path) -> tuple[Path, ...]:
    """The files of ours that this one imports."""
    return tuple(dict.fromkeys(imported(path)))


def imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                words = [one.name for one in names]
            case ast.ImportFrom(module=str(module), names=names):
                words = [module, *(f"{module}.{one.name}" for one in names)]
            case _:
                words = []
        for word in words:
            if word.partition(".")[0] in {"tests", "scripts"}:
                place = ROOT.joinpath(*word.split("."))
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.is_file():
                        yield file
