"""Tells when to end: at signals, and when the parent is gone. An idle process never wakes.

stdin's end is the usual sign, and is read elsewhere. But a pipe stays open as long as anybody
holds its other end, and a launcher between host and us may be killed alone (field note 32).
Must not know what is being ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

LoadKernel = Callable[[], Any]
"""Gives Windows' kernel32, its calls typed (`windows.load_kernel32`); raises OSError."""

SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGBREAK")


def watch_signals(stop: Callable[[signal.Signals], None], platform: str = sys.platform) -> None:
    """Calls `stop` from the event loop for every signal that asks a process to end.

    On Windows, Ctrl+C is SIGINT; Ctrl+Break and a console that is closed are SIGBREAK.
    """
    loop = asyncio.get_running_loop()

    def tell(received: int, _: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(stop, signal.Signals(received))

    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        if platform == "win32":  # whose event loop takes none
            signal.signal(number, tell)
        else:
            loop.add_signal_handler(number, stop, signal.Signals(number))


def watch_parent(
    on_gone: Callable[[], None],
    platform: str = sys.platform,
    load_kernel: LoadKernel | None = None,
) -> None:
    """Calls `on_gone` from the event loop when the process that started us has ended.

    A parent that is the system's first process is not a host and is not watched.
    """
    parent = os.getppid()
    if parent <= 1:
        return
    if platform == "win32":
        _watch_in_thread(parent, on_gone, load_kernel or _load_kernel32)
        return
    loop = asyncio.get_running_loop()
    try:
        descriptor = open_parent_descriptor(parent, platform)
    except (OSError, AttributeError):
        if os.getppid() != parent:
            on_gone()
        return  # or an old kernel: stdin's end is all there is

    def gone() -> None:
        loop.remove_reader(descriptor)
        on_gone()

    loop.add_reader(descriptor, gone)
    if os.getppid() != parent:
        on_gone()  # it ended while we looked


def open_parent_descriptor(
    parent: int, platform: str, system: Any = os, selecting: Any = select
) -> int:
    """A descriptor that becomes readable when the process ends.

    `system` is the module `os` of that platform, and `selecting` is `select`: type checkers know
    of each what is there on one platform only.

    Raises:
        OSError: it has ended.
        AttributeError: this Python, or this system, has no such descriptors.
    """
    if platform == "linux":
        return system.pidfd_open(parent)
    queue = selecting.kqueue()
    event = selecting.kevent(
        parent,
        filter=selecting.KQ_FILTER_PROC,
        flags=selecting.KQ_EV_ADD | selecting.KQ_EV_ONESHOT,
        fflags=selecting.KQ_NOTE_EXIT,
    )
    queue.control([event], 0)
    _kept.append(queue)
    return queue.fileno()


_kept: list[object] = []
"""A kqueue closes when it is collected."""


def _load_kernel32() -> Any:
    from mcp_remote_py.windows import load_kernel32

    return load_kernel32()


def _watch_in_thread(parent: int, on_gone: Callable[[], None], load_kernel: LoadKernel) -> None:
    """Windows: a thread waits on the parent's handle; nobody waits for the thread."""
    from mcp_remote_py.windows import open_parent, wait_for_end

    loop = asyncio.get_running_loop()
    try:
        kernel32 = load_kernel()
    except OSError:
        return
    handle = open_parent(kernel32, parent)
    if handle is None:
        return

    def wait() -> None:
        if not wait_for_end(kernel32, handle):
            return  # nothing is known: stdin's end is all there is
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(on_gone)

    threading.Thread(target=wait, name="parent", daemon=True).start()
