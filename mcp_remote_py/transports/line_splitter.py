"""Cuts what the host sends into lines, and hands them on without holding the event loop.

Bytes only: no limit but the one given, every byte looked at once. Must not know where the bytes
come from, or what a line says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from mcp_remote_py.bounds import Growing
from mcp_remote_py.channel import OnLine

READ_TURN = 0.005
"""Seconds of work at the host's lines in one turn of the loop, where it sends many at once."""

_FEW_LINES = 20
_LINES_BYTES = 1024
"""More lines than that are handed on in pieces of this size, with a look at the clock between."""

KEPT_BYTES = 16 * 1024
"""Bytes kept of the beginning and of the end of a line that is too long."""


class LineSplitter:
    """Cuts a byte stream into lines, each byte looked at once.

    A line longer than `max_line_size` bytes is dropped as it comes; of it, the first and last
    `KEPT_BYTES` are handed on, so that the request in it can be answered.
    """

    def __init__(
        self,
        max_line_size: int,
        on_line: Callable[[bytes], None],
        on_long_line: Callable[[bytes, bytes], None],
    ) -> None:
        self._max = max_line_size
        self._on_line = on_line
        self._on_long_line = on_long_line
        self._line = Growing(max_line_size)
        self._head: bytes | None = None
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Takes what was read; calls back for every line it completes."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if self._has_begun or end - start > self._max:
                self._take(data[start:end])
                self._end_line()
            else:
                self._on_line(data[start:end].removesuffix(b"\r"))
            start = end + 1
        if start < len(data):
            self._take(data[start:] if start else data)

    def end(self) -> None:
        """The stream ended: a last line without line end counts."""
        if self._has_begun:
            self._end_line()

    @property
    def _has_begun(self) -> bool:
        return self._line.size > 0 or self._head is not None

    def _take(self, piece: bytes) -> None:
        if self._head is None:
            self._line.write(piece)
            if self._line.size <= self._max:
                return
            self._head, piece = b"", self._line.take()
        if len(self._head) < KEPT_BYTES:
            self._head += piece[: KEPT_BYTES - len(self._head)]
        self._tail = (self._tail + piece[-KEPT_BYTES:])[-KEPT_BYTES:]

    def _end_line(self) -> None:
        if self._head is not None:
            head, tail = self._head, self._tail
            self._head, self._tail = None, b""
            self._on_long_line(head, tail)
            return
        self._line.cut_end(b"\r")
        self._on_line(self._line.take())


class TurnTaker:
    """Hands on what was read, line by line and then the end, without holding the event loop."""

    def __init__(
        self,
        max_line_size: int,
        on_line: OnLine,
        on_long_line: Callable[[bytes, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._splitter = LineSplitter(
            max_line_size,
            lambda line: self._take(partial(on_line, line)),
            lambda head, tail: self._take(partial(on_long_line, head, tail)),
        )
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._lines: deque[Callable[[], Iterator[None] | None]] = deque()
        self._steps: Iterator[None] | None = None
        self._is_over = False
        self.is_busy = False
        """Whether more is to come of what was read: then nothing should be read."""

    def feed(self, data: bytes) -> None:
        """Takes what was read."""
        has_few = data.count(b"\n") <= _FEW_LINES
        if has_few and not self.is_busy:
            self._splitter.feed(data)
            if self.is_busy:
                self._go_on()
            return
        size = len(data) if has_few else _LINES_BYTES
        self._pieces.extend(data[start : start + size] for start in range(0, len(data), size))
        if not self.is_busy:
            self._go_on()

    def _take(self, line: Callable[[], Iterator[None] | None]) -> None:
        """Hands a line on, unless one before it is not done."""
        if self.is_busy:
            self._lines.append(line)
            return
        self._steps = line()
        self.is_busy = self._steps is not None

    def end(self) -> None:
        """There is no more to read."""
        self._is_over = True
        if not self.is_busy:
            self._go_on()

    def _go_on(self) -> None:
        until = self._loop.time() + READ_TURN
        self.is_busy = True
        while self._take_step():
            if self._loop.time() >= until:
                self._loop.call_soon(self._go_on)
                return
        self.is_busy = False
        if self._is_over:
            self._on_end()

    def _take_step(self) -> bool:
        """Whether there was something to do."""
        if self._steps is not None:
            if next(self._steps, _OVER) is _OVER:
                self._steps = None
        elif self._lines:
            self._steps = self._lines.popleft()()
        elif self._pieces:
            self._splitter.feed(self._pieces.popleft())
        else:
            if self._is_over:
                self._splitter.end()
            return bool(self._lines)
        return True


_OVER = object()
