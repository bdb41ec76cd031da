"""Reads the files that a person names: never more than a bound, and no half-written header file.

It also tells whether one has changed.

A file may be truncated and filled again while we look; whoever does so takes some milliseconds.
Must not know what stands in a file, nor which option names it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from typing import BinaryIO

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Bytes of any file: a bundle of all public authorities has a quarter of a megabyte."""

STILL_FOR = 0.2
"""Seconds without a change after which a file of whole lines is taken to be all there."""

UNFINISHED_STILL_FOR = 1.0
"""Seconds for one that is empty or breaks off within a line, as a file in writing does."""

PATIENCE = 2.0
"""Seconds a file is looked at in all."""

INTERVAL = 0.05
"""Seconds between two looks."""


def read_named(path: str) -> str:
    """The text of a file.

    Raises:
        OSError: it cannot be read, is too large, or not a regular file.
        ValueError: it is not UTF-8, or `path` is not a path.
    """
    with _open_regular(path) as file:
        return _decode(file.read(MAX_FILE_BYTES + 1))


def read_settled(
    path: str,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """The text of a regular file, once nobody is writing it. May block for `PATIENCE`.

    A file whose last change is a moment ago is looked at again. Some file systems always give the
    time of the look; there, a file that stays the same has come to rest. `now` is the time of day.

    Raises:
        OSError, ValueError: as `read_named`; also where the file does not come to rest.
    """
    end = now() + PATIENCE
    before, same_since = None, 0.0
    while True:
        content, age = _look(path, now)
        if content != before:
            before, same_since = content, now()
        enough = STILL_FOR if content.endswith(b"\n") else UNFINISHED_STILL_FOR
        # A time in the future is a clock's fault, not a sign of a writer.
        if not 0 <= age < enough or now() - same_since >= enough:
            return _decode(content)
        if now() >= end:
            raise OSError(errno.EBUSY, "It is being written again and again")
        sleep(INTERVAL)


def _look(path: str, now: Callable[[], float]) -> tuple[bytes, float]:
    """The bytes of the file and the seconds since its last change."""
    with _open_regular(path) as file:
        content = file.read(MAX_FILE_BYTES + 1)
        # Asked afterwards: what was written while we read has changed it.
        return content, now() - os.fstat(file.fileno()).st_mtime


def _open_regular(path: str) -> BinaryIO:
    # Without waiting: a pipe may never end, and nobody may ever open its other side.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except PermissionError:  # Windows says so of every folder
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "It is not a regular file")


FileStamp = tuple[int, ...]


def stamp_file(path: str) -> FileStamp:
    """What differs when the file is written anew, or another takes its place with an old time.

    Clocks of file systems are coarse: what is written on a moment later may have the same time.
    () where there is nothing. Reads nothing, raises nothing.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in a name
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _decode(content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"It is larger than {MAX_FILE_BYTES} bytes")
    # Editors on Windows put a mark before the first line.
    return content.decode().removeprefix("\ufeff")
