"""A host's config file, changed so that nothing is lost: not when killed, not by another writer.

The host owns it, so it stays what it was: links to it, its mode, owner and attributes. Beside it
lies a back-up of what was there before. The new content takes its place in one step. Must not know
what is in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_remote_py.credentials.files import Draft, open_at_once
from mcp_remote_py.credentials.lock import hold_blocking
from mcp_remote_py.errors import StoreError
from mcp_remote_py.hosts.broken_config import BrokenConfig
from mcp_remote_py.hosts.config_bytes import MAX_CONFIG_BYTES
from mcp_remote_py.installing.obstacles import find_obstacle
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.values import Value

MAX_EDITS = 5
"""Times an edit is made anew because somebody else has written the file meanwhile."""

MAX_BACKUPS = 9
"""Kept for a file. The first ones stay, they are from before we came; the last one is replaced."""

BACKUP_ENDING = ".mcp-remote-py.bak"
DRAFT_ENDING = ".mcp-remote-py.tmp"

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO may take for ever
    | getattr(os, "O_BINARY", 0)
)


_CHANGE_OWNER: Callable[[int, int, int], None] | None = getattr(os, "fchown", None)
"""None on Windows."""


class ConfigEdit(Value, frozen=True):
    """What became of a file: `path` is the file itself, where a link was named.

    `before` is None where there was no file, `backup` where nothing was there or was changed.
    """

    path: Path
    before: bytes | None
    after: bytes
    backup: Path | None


def read_config(path: Path, pause: Callable[[float], None] = time.sleep) -> bytes | None:
    """The content; None where there is no file. Links are followed.

    Raises:
        StoreError: it is there, but is not a plain file or cannot be read.
    """
    try:
        return _read(_find_target(path), pause)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None


def read_backups(path: Path, pause: Callable[[float], None] = time.sleep) -> list[bytes]:
    """What the file was before changes of ours, as far as that is kept.

    Raises:
        StoreError: the links to it lead nowhere.
    """
    try:
        names = _backup_names(_find_target(path))
    except OSError as error:
        raise _unusable(path, error) from None
    found: list[bytes] = []
    for name in names:
        with contextlib.suppress(OSError):  # deleted, or somebody else's
            found.append(_read(name, pause))
    return found


def preview_edit(path: Path, edit: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    """The content, and the one that `edit` makes of it: nothing is written.

    Raises:
        BrokenConfig, StoreError: as `edit_config`.
    """
    content = read_config(path) or b""
    try:
        return content, edit(content)
    except BrokenConfig as error:
        raise error.in_file(str(path)) from None


def edit_config(
    path: Path,
    edit: Callable[[bytes], bytes],
    *,
    lock: Path,
    randomness: RandomBytes,
    pause: Callable[[float], None] = time.sleep,
) -> ConfigEdit:
    """Gives the file the content that `edit` makes of its own; b"" stands for no file.

    `edit` is asked again where the file was changed meanwhile. Two of ours wait for each other at
    `lock`. A file with a second name (a hard link) is written where it lies, so that both names
    stay the same file, and so is one whose group could not stay and has rights by it; all others
    are replaced as a whole.

    Raises:
        BrokenConfig: `edit` cannot read the content; it is told of the file.
        StoreError: it is impossible; the file is as it was, and nothing else is left.
    """
    with hold_blocking(lock):
        try:
            return _edit(path, edit, randomness, pause)
        except BrokenConfig as error:
            raise error.in_file(str(path)) from None
        except OSError as error:
            raise _unusable(path, error, changes=True) from None


def _edit(
    path: Path,
    edit: Callable[[bytes], bytes],
    randomness: RandomBytes,
    pause: Callable[[float], None],
) -> ConfigEdit:
    for _ in range(MAX_EDITS):
        target = _find_target(path)
        before = _read_if_there(target, pause)
        after = edit(before or b"")
        if after == (before or b""):
            return ConfigEdit(target, before, after, None)
        _refuse_obstacle(path, changes=True)
        made = _make_folders(target.parent) if before is None else []
        try:
            backup = _replace(target, before, after, randomness, pause)
        except _ChangedMeanwhile:
            continue
        except BaseException:
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        return ConfigEdit(target, before, after, backup)
    raise StoreError(
        f"{path} cannot be changed: another program writes it again and again.",
        hint="Quit the application that it belongs to, and run the command again.",
    )


class _ChangedMeanwhile(Exception):
    """Somebody else has written the file since it was read."""


def _replace(
    target: Path,
    before: bytes | None,
    after: bytes,
    randomness: RandomBytes,
    pause: Callable[[float], None],
) -> Path | None:
    """Writes the new content and a back-up of the old one; returns that.

    Raises:
        _ChangedMeanwhile: nothing was done.
        OSError: the same.
    """
    status = target.stat() if before is not None else None
    unique = randomness(8).hex()
    draft = Draft(target, target.with_name(f"{target.name}.{unique}{DRAFT_ENDING}"), DRAFT_ENDING)
    backup = None
    in_place = False
    try:
        draft.write(after)
        if status is not None and before is not None:
            in_place = not keep_rights(draft.descriptor, status, target) or status.st_nlink > 1
            backup = _back_up(target, before, status, unique)
        if _read_if_there(target, pause) != before:
            raise _ChangedMeanwhile
        if in_place:
            _write_in_place(target, after)
            draft.discard()
        else:
            draft.commit()
    except BaseException:
        draft.discard()
        if backup is not None and backup.is_new:
            with contextlib.suppress(OSError):
                backup.path.unlink()
        raise
    return backup.path if backup is not None else None


def _find_target(path: Path) -> Path:
    """The file that a name or a chain of links leads to; it need not exist.

    Raises:
        OSError: the links go in a circle, or lead into a folder that is not there.
    """
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        target = Path(os.path.realpath(path))
        if path.is_symlink() and not target.parent.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, f"It is a link to {target}, and that folder does not exist"
            ) from None
        return target


def _read_if_there(path: Path, pause: Callable[[float], None]) -> bytes | None:
    try:
        return _read(path, pause)
    except FileNotFoundError:
        return None


def _read(path: Path, pause: Callable[[float], None]) -> bytes:
    descriptor = open_at_once(path, _OPEN, pause=pause)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "It is not a plain file")
        return file.read(MAX_CONFIG_BYTES + 1)


def _make_folders(folder: Path) -> list[Path]:
    """Makes what is missing, for its owner alone; the folders that were made, outermost first."""
    made: list[Path] = []
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700)
            made.append(each)
    return made


def keep_rights(descriptor: int, status: os.stat_result, source: Path, system: Any = os) -> bool:
    """Gives a new file mode, owner and attributes of the old one; whether no right is lost.

    Where the group cannot stay, one is lost if the group may do more than all others. `system` is
    the module `os`: on Windows, where the rights come from the folder, it knows of no owner; and
    of attributes on Linux alone.
    """
    if not hasattr(system, "fchown"):
        return True
    mode = stat.S_IMODE(status.st_mode)
    is_whole = True
    try:
        system.fchown(descriptor, status.st_uid, status.st_gid)
    except OSError:
        is_whole = not (mode & 0o070) & ~((mode & 0o007) << 3)
    if is_whole:
        system.fchmod(descriptor, mode)
    if hasattr(system, "listxattr"):
        with contextlib.suppress(OSError):
            for name in system.listxattr(source):
                with contextlib.suppress(OSError):
                    system.setxattr(descriptor, name, system.getxattr(source, name))
    return is_whole


def _backup_names(target: Path) -> list[Path]:
    numbered = (f"{target.name}{BACKUP_ENDING}-{one}" for one in range(2, MAX_BACKUPS + 1))
    return [target.with_name(one) for one in (target.name + BACKUP_ENDING, *numbered)]


class _Backup(Value, frozen=True):
    path: Path
    is_new: bool


def _back_up(target: Path, content: bytes, status: os.stat_result, unique: str) -> _Backup:
    """Writes the content beside the file, where no back-up has it yet."""
    names = _backup_names(target)
    for name in names:
        if not os.path.lexists(name):
            break
        if _has(name, content):
            return _Backup(name, is_new=False)
    else:
        names[-1].unlink()
        name = names[-1]
    draft = Draft(name, name.with_name(f"{name.name}.{unique}{DRAFT_ENDING}"), DRAFT_ENDING)
    try:
        draft.write(content)
        if _CHANGE_OWNER is not None:
            with contextlib.suppress(OSError):
                _CHANGE_OWNER(draft.descriptor, status.st_uid, -1)
        draft.commit()
    except BaseException:
        draft.discard()
        raise
    return _Backup(name, is_new=True)


def _has(path: Path, content: bytes) -> bool:
    """Whether a plain file has exactly that content."""
    if path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == len(content) and path.read_bytes() == content


def _write_in_place(target: Path, content: bytes) -> None:
    """Not in one step: who is killed meanwhile leaves the old content in the back-up alone."""
    descriptor = open_at_once(target, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_HINTS = {
    errno.EPERM: "Something protects it: an attribute, or the privacy settings of the system.",
    errno.ENOSPC: "Make space on that disk, and run the command again.",
    errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC: (
        "Make space on that disk, and run the command again."
    ),
}


def _refuse_obstacle(path: Path, *, changes: bool) -> None:
    """Raises the StoreError that says what is in the way, if it can be seen.

    Raises:
        OSError: it cannot.
    """
    target = Path(os.path.realpath(path))
    obstacle = find_obstacle(target, changes=changes, by_link=os.path.islink(path))
    if obstacle is not None:
        raise StoreError(f"{_cannot(path, changes)}: {obstacle.cause}", hint=obstacle.hint)


def _cannot(path: Path, changes: bool) -> str:
    return f"{path} cannot be {'changed' if changes else 'read'}"


def _unusable(path: Path, error: OSError, *, changes: bool = False) -> StoreError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        try:
            _refuse_obstacle(path, changes=False)
            _refuse_obstacle(path, changes=changes)
        except StoreError as refusal:
            return refusal
        except OSError:
            pass
    reason = error.strerror or type(error).__name__
    if error.errno == errno.ELOOP:
        reason = "It is a link that leads to itself"
    return StoreError(
        f"{_cannot(path, changes)}: {reason}.",
        hint=_HINTS.get(error.errno or 0, "Check that it is the right file."),
    )
