"""The host's side: two file descriptors, read and written without blocking the event loop.

Sole writer of stdout. Bytes only: no encoding, no line translation. A host that stops reading must
not stop us from noticing that it went away. Pipes and sockets are served by the loop, all else by
threads. Must not know the remote side or where a line ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from mcp_remote_py.channel import OnLine, Piece
from mcp_remote_py.transports.line_splitter import TurnTaker

_READ_BYTES = 64 * 1024
"""Read at once. Room for much more would be taken from the system and given back each time, which
costs ten times as much as to read a short line."""

HELD_LINES = 8
"""Written together, of those that come in one turn: where the host gets all of a turn at once, its
next calls come all at once as well, and each side waits for the other."""

JOINED_BYTES = 256 * 1024
"""Pieces of a line that are copied together, to be written at once."""

UNWRITTEN_BYTES = 1024 * 1024
"""Bytes of unwritten lines from which the server's answers are read no further. A line counts as a
whole until its last byte is written: that long it is in memory."""

PIPE_BYTES = 1024 * 1024
"""Bytes that a pipe is asked to hold when a large message meets a full one; Linux's usual limit."""

MAX_WRITES = 16
"""Of one line in one turn of the loop, each of what the pipe takes at once: a host that reads as
fast as we write must not keep us from everything else."""


def _nothing() -> None:
    """For a channel that is not read yet."""


class StdioChannel:
    """A `LineChannel` on two file descriptors."""

    def __init__(self, stdin: int, stdout: int, max_line_size: int) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._max = max_line_size
        self._on_end: Callable[[], None] = _nothing
        self._writer: NonBlockingWriter | ThreadWriter
        if sys.platform == "win32" or not _can_be_polled(stdout):
            self._writer = ThreadWriter(stdout, self._end)
        else:
            self._writer = NonBlockingWriter(stdout, self._end)
        self.drain = self._writer.drain

    def _end(self) -> None:
        self._on_end()

    def receive(
        self,
        on_line: OnLine,
        on_long_line: Callable[[bytes, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """See `LineChannel.receive`."""
        self._on_end = on_end  # a host that reads no more has gone as well
        taker = TurnTaker(self._max, on_line, on_long_line, on_end)
        if sys.platform == "win32" or not _can_be_polled(self._stdin):
            read_in_thread(self._stdin, taker.feed, taker.end)
        else:
            read_in_loop(self._stdin, taker.feed, taker.end, lambda: taker.is_busy)

    def send(self, *pieces: Piece) -> None:
        """See `LineChannel.send`."""
        self._writer.write(*pieces)

    def has_read(self) -> bool:
        """Whether the host has read all that was sent; True where the system does not tell."""
        return self._writer.is_empty() and not _count_unread(self._stdout)

    async def flush(self, seconds: float) -> None:
        """See `LineChannel.flush`."""
        try:
            async with asyncio.timeout(seconds):
                await self._writer.flush()
        except TimeoutError:
            return  # the host does not read any more; there is nobody to tell


def _can_be_polled(descriptor: int) -> bool:
    """Whether it is a pipe or a socket.

    Files are refused by epoll; a terminal's mode would be shared with the shell that started us.
    """
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _widen_pipe(descriptor: int) -> None:
    """Lets a pipe take more at once, where the system allows it: 64 KiB are 16 turns a MiB."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # no pipe, or over the user's share
            if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < PIPE_BYTES:
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _count_unread(descriptor: int) -> int:
    """Bytes in a pipe or socket that the other side has not read; 0 where nobody tells."""
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    question = termios.FIONREAD if is_pipe else termios.TIOCOUTQ
    try:
        answer = fcntl.ioctl(descriptor, question, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


def set_non_blocking(descriptor: int) -> None:
    """Not on Windows, where pipes do not have such a mode and threads serve them."""
    if sys.platform != "win32":
        os.set_blocking(descriptor, False)


def read_in_loop(
    descriptor: int,
    on_data: Callable[[bytes], None],
    on_end: Callable[[], None],
    is_busy: Callable[[], bool] = lambda: False,
) -> None:
    """Reads a pipe or socket from the event loop, while whoever takes the data is not busy."""
    loop = asyncio.get_running_loop()
    set_non_blocking(descriptor)

    def read() -> None:
        if is_busy():
            return
        try:
            data = os.read(descriptor, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # a host that was killed resets a socket: that is its end
        if data:
            on_data(data)
            return
        loop.remove_reader(descriptor)
        on_end()

    loop.add_reader(descriptor, read)


def read_in_thread(
    descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]
) -> None:
    """Reads anything from a thread that nobody waits for at the end (field note 33)."""
    loop = asyncio.get_running_loop()

    def call(action: Callable[[], None]) -> bool:
        try:
            loop.call_soon_threadsafe(action)
        except RuntimeError:
            return False  # the loop is closed: the process is ending
        return True

    def read() -> None:
        while True:
            try:
                data = os.read(descriptor, _READ_BYTES)
            except OSError:
                data = b""
            if not data:
                call(on_end)
                return
            if not call(lambda data=data: on_data(data)):
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()


class NonBlockingWriter:
    """Writes to a pipe or socket as far as it takes bytes, and the rest when it takes more.

    The first line in a turn of the loop is written at once, those behind it together in the next:
    with many calls in flight, to wake the host for each line costs more than all else.
    """

    def __init__(self, descriptor: int, on_broken: Callable[[], None] = _nothing) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[memoryview, int]] = deque()
        """What is left of each line in pieces, with the last one how long the line was."""
        self._size = 0
        self._has_written = False
        """In this turn."""
        self._is_full = False
        """The loop tells when it takes more."""
        self._broken = False
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        set_non_blocking(descriptor)

    def write(self, *pieces: Piece) -> None:
        """Takes a line; its end is added."""
        views = _with_end(pieces)
        size = sum(map(len, views))
        if not (self._waiting or self._has_written or self._broken):
            self._has_written = True
            self._loop.call_soon(self._end_turn)
            views = self._write_first(views)
        if views and not self._broken:
            self._keep(views, size)
            if len(self._waiting) >= HELD_LINES and not self._is_full:
                self._write_more()

    def _write_first(self, views: list[memoryview]) -> list[memoryview]:
        """What of a line has to wait."""
        for index, view in enumerate(views):
            rest = self._write_now(view)
            if rest:
                return [rest, *views[index + 1 :]]
        return []

    def _write_now(self, view: memoryview) -> memoryview:
        try:
            for _ in range(MAX_WRITES):
                if not view:
                    break
                view = view[os.write(self._descriptor, view) :]
        except (BlockingIOError, InterruptedError):
            return view
        except OSError:
            self._break()
            return view[:0]
        return view

    def _keep(self, views: list[memoryview], size: int) -> None:
        """Something of a line of that size has to wait."""
        if size > PIPE_BYTES:
            _widen_pipe(self._descriptor)
        self._empty.clear()
        self._waiting.extend((view, size if view is views[-1] else 0) for view in views)
        self._size += size
        if self._size > UNWRITTEN_BYTES:
            self._room.clear()

    def _end_turn(self) -> None:
        self._has_written = False
        if self._waiting and not self._is_full:
            self._write_more()

    def _write_more(self) -> None:
        view, size = self._take_some()
        rest = self._write_now(view)
        if self._broken:
            return
        if rest:
            self._waiting.appendleft((rest, size))
        else:
            self._size -= size
        if self._size <= UNWRITTEN_BYTES:
            self._room.set()
        if not self._waiting:
            self._empty.set()
        if self._is_full != bool(self._waiting):
            self._is_full = not self._is_full
            if self._is_full:
                self._loop.add_writer(self._descriptor, self._write_more)
            else:
                self._loop.remove_writer(self._descriptor)

    def _take_some(self) -> tuple[memoryview, int]:
        """The next to write: of short lines, as many as fit together."""
        view, size = self._waiting.popleft()
        views, length = [view], len(view)
        while self._waiting and length + len(self._waiting[0][0]) <= JOINED_BYTES:
            view, more = self._waiting.popleft()
            views.append(view)
            length += len(view)
            size += more
        return (views[0] if len(views) == 1 else memoryview(b"".join(views))), size

    def _break(self) -> None:
        """Nobody reads any more: what is not written is lost, and so is what comes."""
        self._broken = True
        if self._is_full:
            self._loop.remove_writer(self._descriptor)
        self._waiting.clear()
        self._size = 0
        self._room.set()
        self._empty.set()
        self._on_broken()

    def is_empty(self) -> bool:
        """Whether all is written."""
        return self._empty.is_set()

    async def drain(self) -> None:
        """Waits for room."""
        if not self._room.is_set():
            await self._room.wait()

    async def flush(self) -> None:
        """Waits until all is written."""
        await self._empty.wait()


def _with_end(pieces: Sequence[Piece]) -> list[memoryview]:
    """The pieces of a line to write: its short ones together, and long ones without a copy."""
    parts = [*map(memoryview, pieces), memoryview(b"\n")]
    if sum(map(len, parts)) <= JOINED_BYTES:
        return [memoryview(b"".join(parts))]
    views: list[memoryview] = []
    short: list[memoryview] = []
    size = 0
    for view in parts:
        if size + len(view) > JOINED_BYTES and short:
            views.append(memoryview(b"".join(short)))
            short, size = [], 0
        if len(view) > JOINED_BYTES:
            views.append(view)
        else:
            short.append(view)
            size += len(view)
    return [*views, memoryview(b"".join(short))] if short else views


class ThreadWriter:
    """Writes to anything, from a thread that nobody waits for at the end."""

    def __init__(self, descriptor: int, on_broken: Callable[[], None] = _nothing) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._lines: deque[tuple[memoryview, int]] = deque()
        """As `NonBlockingWriter` has it."""
        self._size = 0
        self._broken = False
        self._changed = threading.Condition()
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    def write(self, *pieces: Piece) -> None:
        """Takes a line; its end is added."""
        with self._changed:
            if self._broken:
                return
            views = _with_end(pieces)
            size = sum(map(len, views))
            self._lines.extend((view, size if view is views[-1] else 0) for view in views)
            self._size += size
            self._empty.clear()
            if self._size > UNWRITTEN_BYTES:
                self._room.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                view, size = self._lines[0]
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                self._broken = True
            with self._changed:
                self._lines.popleft()
                self._size -= size
                if self._broken:
                    self._lines.clear()
                    self._size = 0
            try:
                self._loop.call_soon_threadsafe(self._tell)
            except RuntimeError:
                return  # the loop is closed: the process is ending

    def _tell(self) -> None:
        with self._changed:
            if self._size <= UNWRITTEN_BYTES:
                self._room.set()
            if not self._lines:
                self._empty.set()
        if self._broken:
            self._on_broken()

    def is_empty(self) -> bool:
        """Whether all is written."""
        return self._empty.is_set()

    async def drain(self) -> None:
        """Waits for room."""
        await self._room.wait()

    async def flush(self) -> None:
        """Waits until all is written."""
        await self._empty.wait()
