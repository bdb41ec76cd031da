"""Files that are one person's alone: in a folder of mode 0700, replaced as a whole.

A crash, and a disk that fails at any write, leave the old content or the new, never half of one.
What another user may have prepared is refused, not followed: a link, a FIFO or device, a file
with a second name, a folder or file of another owner. What is ours and open to others is closed.
Must not know what is in a file.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mcp_remote_py.errors import StoreError
from mcp_remote_py.randomness import RandomBytes

if TYPE_CHECKING:
    from pathlib import Path  # `logs` needs this module at every start, and no path

T = TypeVar("T")

logger = logging.getLogger("mcp_remote_py.credentials")

REPLACE_WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds. Windows refuses to replace a file while another process reads it."""
MAX_QUARANTINED = 9
"""Broken files kept per name; the last one is replaced: the disk must not fill with them."""

DRAFT_AGE = 60.0
"""Seconds after which nobody works at a draft any more: a token endpoint is waited for 15 s."""
MAX_OWN_FILE_BYTES = 4 * 1024 * 1024
"""Of a file. A token answer has at most 256 KiB (`oauth.steps.MAX_BODY_BYTES`), written down at
most twice that; a record of what was tried has 16 sets of scopes, of one header each."""

_BINARY = getattr(os, "O_BINARY", 0)
_NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY
"""Flags for opening without waiting: a FIFO may take for ever. Windows has neither."""


def make_private(folder: Path) -> None:
    """Makes `folder`, and those above it that are missing, for their owner alone.

    One that is there already must be ours, and is closed to others. The one above it must be ours
    or the system's, and is closed to others' writing: else they could put another folder in its
    place.

    Raises:
        StoreError: it is impossible, or another user has prepared it.
    """
    try:
        if not folder.is_dir():
            for each in (*reversed(folder.parents), folder):
                each.mkdir(mode=0o700, exist_ok=True)
        claim_folder(folder.parent, 0o002, or_roots=True)
        claim_folder(folder, 0o077, or_roots=False)
    except OSError as error:
        raise _unusable(folder, "be made private", error) from None


AskFileUser = Callable[[], int]
"""Tells who we are to the file system (`os.geteuid`)."""
ASK_FILE_USER: AskFileUser | None = getattr(os, "geteuid", None)
"""None on Windows: files have no such number there, nor a mode that says who may read them. Theirs
are the rights of the folder, which is the person's own."""


def claim_folder(
    folder: Path, forbidden: int, *, or_roots: bool, ask_user: AskFileUser | None = ASK_FILE_USER
) -> None:
    """Takes the `forbidden` permissions away from a folder that is ours.

    A link to it is fine where it is ours, too: people keep such folders elsewhere.

    Raises:
        OSError: it cannot be asked or changed.
        StoreError: it is another user's.
    """
    if ask_user is None:
        return
    user = ask_user()
    status = folder.stat()
    owners = {user, 0} if or_roots else {user}
    if status.st_uid not in owners or folder.lstat().st_uid not in {user, 0}:
        raise StoreError(f"{folder} belongs to another user and is not used.", hint=_HINT)
    mode = stat.S_IMODE(status.st_mode)
    if mode & forbidden and status.st_uid == user and not (or_roots and mode & 0o1000):
        folder.chmod(mode & ~forbidden)
        if folder.stat().st_mode & forbidden:
            _say_open(folder)
        else:
            logger.warning("The folder %s was open to other users; now it is yours alone.", folder)


@functools.cache
def _say_open(folder: Path) -> None:
    """Once: it stays so."""
    logger.warning(
        "The folder %s is open to other users: the disk it is on does not support permissions.",
        folder,
    )


def describe_strangeness(
    status: os.stat_result, ask_user: AskFileUser | None = ASK_FILE_USER
) -> str:
    """Says why an open file cannot be ours, "" where it can."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a plain file"
    if ask_user is None:
        return ""
    if status.st_uid != ask_user():
        return "belongs to another user"
    if status.st_nlink > 1:
        return "has a second name (a hard link)"
    return ""


def close_to_others(
    descriptor: int, status: os.stat_result, ask_user: AskFileUser | None = ASK_FILE_USER
) -> bool:
    """Takes away what others may do with an open file; whether that has changed anything."""
    if ask_user is None or not status.st_mode & 0o077:
        return False
    os.chmod(descriptor, 0o600)
    return not os.fstat(descriptor).st_mode & 0o077


class Draft:
    """The next content of a file, beside it until `commit`: the old one stays until then.

    `ending` is that of the names of all such drafts in the folder.

    Raises, as its functions do:
        OSError: the disk does not take it; what there was of a draft is gone.
    """

    def __init__(self, path: Path, temporary: Path, ending: str = ".tmp") -> None:
        self._path = path
        self._temporary = temporary
        self._ending = ending
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_FOLLOWED
        self._descriptor = os.open(temporary, flags, 0o600)

    @property
    def descriptor(self) -> int:
        """Of the open draft, whose mode is 0600."""
        return self._descriptor

    def write(self, content: bytes) -> None:
        """Replaces what is in it; returns when that is on the disk."""
        try:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.ftruncate(self._descriptor, len(content))
            os.fsync(self._descriptor)
        except OSError:
            self.discard()
            raise

    def commit(self) -> None:
        """Takes the place of the file; nothing that fails after that is told as a failure."""
        try:
            self._close()
            replace(self._temporary, self._path)
        except OSError:
            self.discard()
            raise
        _sync_folder(self._path.parent)
        with contextlib.suppress(OSError):
            self._tidy()

    def _tidy(self) -> None:
        """Deletes the drafts that killed processes and a disk that failed have left."""
        now = self._path.stat().st_mtime
        for name in os.listdir(self._path.parent):
            if not (name.startswith(f"{self._path.name}.") and name.endswith(self._ending)):
                continue
            each = self._path.parent / name
            if now - each.lstat().st_mtime > DRAFT_AGE:
                each.unlink()

    def discard(self) -> None:
        """Leaves the file as it is."""
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor != -1:
            os.close(descriptor)


def write_private(path: Path, content: bytes, randomness: RandomBytes) -> None:
    """Replaces the file; returns when it is on the disk.

    Raises:
        StoreError: it is impossible; the old file is as it was.
    """
    if len(content) > MAX_OWN_FILE_BYTES:
        raise StoreError(f"{path} would have more than {MAX_OWN_FILE_BYTES} bytes.", hint=_HINT)
    try:
        make_private(path.parent)
        draft = Draft(path, path.with_name(f"{path.name}.{randomness(8).hex()}.tmp"))
        draft.write(content)
        draft.commit()
    except OSError as error:
        raise _unusable(path, "be written", error) from None


def reserve(path: Path, size: int, randomness: RandomBytes) -> Draft:
    """Takes the space for the next content of a file, before that is known.

    To be called under a lock of the file: what a killed process has reserved is given back.

    Raises:
        StoreError: there is not so much, or the file could not be written for another reason.
    """
    temporary = path.with_name(f"{path.name}.reserved.tmp")
    try:
        make_private(path.parent)
        temporary.unlink(missing_ok=True)
        draft = Draft(path, temporary)
        draft.write(randomness(size))  # zeros may take no space
    except OSError as error:
        raise _unusable(path, "be written", error) from None
    return draft


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
    """Makes a replacement outlive a power cut; Windows opens no folder, and some disks refuse."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def be_patient(
    action: Callable[[], T],
    pause: Callable[[float], None] = time.sleep,
    platform: str = sys.platform,
) -> T:
    """What `action` gives; asked again for a second where Windows says that others use the file.

    It says so of a file that is just being replaced or looked at by a virus scanner. An action of
    the C library (`os.open`) does not tell that from a missing right.

    Raises:
        OSError: it does not work, also not later.
    """
    for wait in REPLACE_WAITS:
        try:
            return action()
        except PermissionError:
            if platform != "win32":
                raise
        pause(wait)
    return action()


def open_at_once(
    path: Path | str,
    flags: int,
    open_file: Callable[[Path | str, int, int], int] = os.open,
    pause: Callable[[float], None] = time.sleep,
    platform: str = sys.platform,
) -> int:
    """A descriptor as of `os.open`, with mode 0600 where the file is made.

    Raises:
        OSError: it cannot be opened; IsADirectoryError where Windows says that of a folder.
    """

    def act() -> int:
        try:
            return open_file(path, flags, 0o600)
        except PermissionError:
            if platform == "win32" and os.path.isdir(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            raise

    return be_patient(act, pause, platform)


def open_private(path: Path | str, flags: int) -> int:
    """A descriptor of a file that is ours alone; one that is open to others is closed to them.

    Raises:
        OSError: it is not there, or cannot be opened.
        StoreError: another user may have prepared it.
    """
    descriptor = open_at_once(path, flags | _NOT_FOLLOWED)  # nor inherited (PEP 446)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError
        if strangeness := describe_strangeness(status):
            raise StoreError(f"{path} {strangeness} and is not used.", hint=_HINT)
        if close_to_others(descriptor, status):
            logger.warning("%s could be read by others; now only by you.", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_private(path: Path | str) -> bytes | None:
    """The content, or None where the file does not exist; one open to others is closed to them.

    A folder, and a file that is too large to be ours, count as empty: b"".

    Raises:
        StoreError: it is there, but cannot be read, or another user may have prepared it.
    """
    try:
        with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
            content = file.read(MAX_OWN_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        return b""
    except OSError as error:
        raise _unusable(path, "be read", error) from None
    return content if len(content) <= MAX_OWN_FILE_BYTES else b""


def quarantine(path: Path, seen: bytes, reason: str) -> bool:
    """Moves a broken file aside, where it is still the one that was `seen`; whether it did.

    Raises:
        StoreError: it cannot be moved.
    """
    if read_private(path) != seen:
        return False  # someone has replaced it meanwhile
    try:
        aside = _find_name_aside(path)
        replace(path, aside)
    except OSError as error:
        raise _unusable(path, "be moved aside", error) from None
    logger.warning("%s was moved to %s and is not used: %s", path, aside.name, reason)
    return True


def copy_aside(path: Path, seen: bytes, reason: str, randomness: RandomBytes) -> None:
    """The same for a file that must never be missing: it stays until it is written anew.

    Raises:
        StoreError: the disk is full.
    """
    try:
        aside = _find_name_aside(path)
    except OSError as error:
        raise _unusable(path, "be copied", error) from None
    write_private(aside, seen, randomness)
    logger.warning("%s was copied to %s and is not used: %s", path, aside.name, reason)


def _find_name_aside(path: Path) -> Path:
    numbers = range(1, MAX_QUARANTINED + 1)
    names = [path.with_name(f"{path.name}.quarantine-{number}") for number in numbers]
    return next((name for name in names if not name.exists()), names[-1])


def delete(path: Path) -> bool:
    """Deletes a file; whether it was there.

    Raises:
        StoreError: it cannot be deleted.
    """
    try:
        be_patient(path.unlink)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, "be deleted", error) from None
    return True


def names_in(folder: Path) -> list[str]:
    """The names of what lies in `folder`, sorted; none where the folder does not exist.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(folder, "be read", error) from None


_HINT = "Make that folder yours and writable, or name another in MCP_REMOTE_CONFIG_DIR."


def describe_failure(error: OSError) -> str:
    """Why, in words."""
    if error.errno == errno.ELOOP:
        return "It is a symbolic link, which is not followed"
    return error.strerror or type(error).__name__


def _unusable(path: Path | str, verb: str, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot {verb}: {describe_failure(error)}.", hint=_HINT)
