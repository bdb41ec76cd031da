"""Tells when to end: at signals, and when the parent is gone. An idle process never wakes.

stdin's end is the usual sign, and is read elsewhere. But a pipe stays open as long as anybody
holds its other end, and a launcher between host and us may be killed alone (field note 32).
Must not know what is being ended.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGBREAK")


def watch_signals(stop: Callable[[signal.Signals], None]) -> None:
    """Calls `stop` from the event loop for every signal that asks a process to end."""
    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        if sys.platform == "win32":
            signal.signal(
                number,
                lambda received, _: loop.call_soon_threadsafe(stop, signal.Signals(received)),
            )
        else:
            loop.add_signal_handler(number, stop, signal.Signals(number))


def watch_parent(on_gone: Callable[[], None]) -> None:
    """Calls `on_gone` from the event loop when the process that started us has ended.

    A parent that is the system's first process is not a host and is not watched.
    """
    parent = os.getppid()
    if parent <= 1:
        return
    if sys.platform == "win32":
        _watch_in_thread(parent, on_gone)
        return
    loop = asyncio.get_running_loop()
    try:
        descriptor = _parent_descriptor(parent)
    except (OSError, AttributeError):
        return  # an old kernel: stdin's end is all there is

    def gone() -> None:
        loop.remove_reader(descriptor)
        on_gone()

    loop.add_reader(descriptor, gone)
    if os.getppid() != parent:
        on_gone()  # it ended while we looked


def _parent_descriptor(parent: int) -> int:
    """A descriptor that becomes readable when the process ends."""
    if sys.platform == "win32":
        raise OSError("Windows has handles, not descriptors")
    if sys.platform == "linux":
        return os.pidfd_open(parent)
    queue = select.kqueue()
    event = select.kevent(
        parent,
        filter=select.KQ_FILTER_PROC,
        flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
        fflags=select.KQ_NOTE_EXIT,
    )
    queue.control([event], 0)
    _kept.append(queue)
    return queue.fileno()


_kept: list[object] = []
"""A kqueue closes when it is collected."""


def _watch_in_thread(parent: int, on_gone: Callable[[], None]) -> None:
    """Windows: a thread waits on the parent's handle; nobody waits for the thread."""
    import ctypes

    loop = asyncio.get_running_loop()
    synchronize, forever = 0x00100000, 0xFFFFFFFF
    # Typed by hand: type checkers know `windll` on Windows only.
    kernel32: Any = getattr(ctypes, "windll").kernel32  # noqa: B009
    handle = kernel32.OpenProcess(synchronize, False, parent)
    if not handle:
        return

    def wait() -> None:
        kernel32.WaitForSingleObject(handle, forever)
        try:
            loop.call_soon_threadsafe(on_gone)
        except RuntimeError:
            return  # the loop is closed: the process is ending

    threading.Thread(target=wait, name="parent", daemon=True).start()
