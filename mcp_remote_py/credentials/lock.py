"""A lock between processes, held by the kernel: it dies with its holder (decision D8).

The file is only what the kernel hangs the lock on: it says nothing by existing, is never deleted
and holds nothing. Must not know what the lock protects.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from mcp_remote_py.channel import Clock
from mcp_remote_py.credentials.files import make_private, open_private
from mcp_remote_py.errors import StoreError

FIRST_WAIT = 0.01
LONGEST_WAIT = 0.25
WAIT_FACTOR = 1.5
"""Seconds between two looks at a lock that others hold; each wait is that much longer."""


CAN_BE_SHARED: bool = sys.platform != "win32"
"""Whether a lock can be held together with a child; Windows ties one to its process."""


class LockBusy(StoreError):
    """Another process did not give the lock back in time."""


class Held:
    """A lock that is held; `descriptor` is what the kernel knows it by, -1 where it does not."""

    def __init__(self, descriptor: int = -1) -> None:
        self.descriptor = descriptor
        self._is_shared = False

    def share(self) -> int:
        """Lets a child hold it with us: it is free when the last of both has closed it."""
        self._is_shared = True
        return self.descriptor

    def free(self) -> None:
        """Gives it back, as far as we hold it."""
        if self._is_shared:
            _close(self.descriptor)
        else:
            _free(self.descriptor)


class ProcessLock:
    """One lock per file; tasks and threads of one process exclude each other as well."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    @asynccontextmanager
    async def hold(self, seconds: float) -> AsyncGenerator[Held]:
        """Holds the lock inside the `async with`; waits at most that long, without blocking.

        Raises:
            LockBusy: it was not free in time.
            StoreError: this folder does not support locks.
        """
        deadline = self._clock.now() + seconds
        wait = FIRST_WAIT
        while (descriptor := _take(self._path, wait=False)) is None:
            left = deadline - self._clock.now()
            if left <= 0:
                raise LockBusy(
                    f"Another mcp-remote-py has used {self._path} for {seconds:.0f} s.",
                    hint="Wait until it is done, or end it.",
                )
            await self._clock.sleep(min(wait, left))
            wait = min(wait * WAIT_FACTOR, LONGEST_WAIT)
        held = Held(descriptor)
        try:
            yield held
        finally:
            held.free()


@contextmanager
def hold_blocking(path: Path) -> Generator[None]:
    """The same for a thread that may wait without an end.

    Raises:
        StoreError: this folder does not support locks.
    """
    while (descriptor := _take(path, wait=True)) is None:
        pass  # the file was replaced while we waited: its name has another lock now
    try:
        yield
    finally:
        _free(descriptor)


def _take(path: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the lock of that name; None where someone else does."""
    make_private(path.parent)
    try:
        # Not inheritable: a child that outlives us does not hold it.
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            if _locks.lock(descriptor, wait=wait) and _is_still(path, descriptor):
                descriptor, taken = -1, descriptor
                return taken
            return None
        finally:
            if descriptor != -1:
                os.close(descriptor)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be locked: {error.strerror or type(error).__name__}.",
            hint="Name a folder on a local disk in MCP_REMOTE_CONFIG_DIR.",
        ) from None


def _free(descriptor: int) -> None:
    """Unlocks first: a child that is just being started may have a copy of the descriptor."""
    with contextlib.suppress(OSError):
        _locks.unlock(descriptor)
    _close(descriptor)


def _close(descriptor: int) -> None:
    """Closes the file, and with it frees the lock, even if the disk complains."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one of that name: someone may have emptied the folder."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class FileLocks:
    """The locks of POSIX systems, on a whole file; `system` is the module `fcntl`."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def lock(self, descriptor: int, *, wait: bool) -> bool:
        """Whether it is ours now; False where it is somebody else's."""
        flags = self._system.LOCK_EX | (0 if wait else self._system.LOCK_NB)
        try:
            self._system.flock(descriptor, flags)
        except BlockingIOError:
            return False
        return True

    def unlock(self, descriptor: int) -> None:
        """Gives it back."""
        self._system.flock(descriptor, self._system.LOCK_UN)


class ByteLocks:
    """The locks of Windows, on the first byte, which need not exist; `system` is `msvcrt`.

    They begin where the file is read or written next, which nobody does.
    """

    def __init__(self, system: Any) -> None:
        self._system = system

    def lock(self, descriptor: int, *, wait: bool) -> bool:
        """As `FileLocks.lock`; waiting means ten seconds here."""
        kind = self._system.LK_LOCK if wait else self._system.LK_NBLCK
        try:
            self._system.locking(descriptor, kind, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):  # held, and held all the time
                return False
            raise
        return True

    def unlock(self, descriptor: int) -> None:
        """Gives it back."""
        self._system.locking(descriptor, self._system.LK_UNLCK, 1)


if sys.platform == "win32":
    import msvcrt

    _locks: FileLocks | ByteLocks = ByteLocks(msvcrt)
else:
    import fcntl

    _locks: FileLocks | ByteLocks = FileLocks(fcntl)
