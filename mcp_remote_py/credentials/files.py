"""Files that are one person's alone: in a folder of mode 0700, replaced as a whole.

A crash leaves the old content or the new, never half of one. Must not know what is in a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from mcp_remote_py.credentials.store import StoreError

logger = logging.getLogger("mcp_remote_py.credentials")

Randomness = Callable[[int], bytes]
"""That many bytes nobody can guess (`os.urandom`)."""

REPLACE_WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds. Windows refuses to replace a file while another process reads it."""
MAX_QUARANTINED = 9
"""Broken files kept per name; the last one is replaced: the disk must not fill with them."""


def make_private(folder: Path) -> None:
    """Makes `folder`, and those above it that are missing, for their owner alone.

    One that is there already is closed to others; those above it are not ours to change.

    Raises:
        StoreError: it is impossible.
    """
    try:
        if not folder.is_dir():
            for each in (*reversed(folder.parents), folder):
                each.mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise _unusable(folder, "be made private", error) from None


def write_private(path: Path, content: bytes, randomness: Randomness) -> None:
    """Replaces the file; returns when it is on the disk.

    Raises:
        StoreError: it is impossible; the old file is as it was.
    """
    make_private(path.parent)
    temporary = path.with_name(f"{path.name}.{randomness(8).hex()}.tmp")
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(path, "be written", error) from None


_BINARY = getattr(os, "O_BINARY", 0)


def replace(
    source: Path,
    target: Path,
    rename: Callable[[Path, Path], None] = os.replace,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Moves `source` over `target`, with patience for readers on Windows.

    Raises:
        OSError: it did not work, also not later.
    """
    for wait in REPLACE_WAITS:
        try:
            return rename(source, target)
        except PermissionError:
            pause(wait)
    return rename(source, target)


def _sync_folder(folder: Path) -> None:
    """Makes a replacement outlive a power cut; Windows has no such call, and some disks refuse."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def read_private(path: Path) -> bytes | None:
    """The content, or None where there is no such file; a file open to others is closed to them.

    Raises:
        StoreError: it is there, but cannot be read.
    """
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                logger.warning("%s could be read by others; now only by you.", path)
                os.chmod(path, 0o600)
            return file.read()
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        return b""
    except OSError as error:
        raise _unusable(path, "be read", error) from None


def quarantine(path: Path, seen: bytes, reason: str) -> bool:
    """Moves a broken file aside, where it is still the one that was `seen`; whether it did.

    Raises:
        StoreError: it cannot be moved.
    """
    if read_private(path) != seen:
        return False  # someone has replaced it meanwhile
    numbers = range(1, MAX_QUARANTINED + 1)
    names = [path.with_name(f"{path.name}.quarantine-{number}") for number in numbers]
    try:
        aside = next((name for name in names if not name.exists()), names[-1])
        replace(path, aside)
    except OSError as error:
        raise _unusable(path, "be moved aside", error) from None
    logger.warning("%s was moved to %s and is not used: %s", path, aside.name, reason)
    return True


def delete(path: Path) -> bool:
    """Deletes a file; whether it was there.

    Raises:
        StoreError: it cannot be deleted.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, "be deleted", error) from None
    return True


def names_in(folder: Path) -> list[str]:
    """The names of what lies in `folder`, sorted; none where there is no such folder.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(folder, "be read", error) from None


def _unusable(path: Path, verb: str, error: OSError) -> StoreError:
    reason = error.strerror or type(error).__name__
    return StoreError(
        f"{path} cannot {verb}: {reason}.",
        hint="Make that folder yours and writable, or name another in MCP_REMOTE_CONFIG_DIR.",
    )
