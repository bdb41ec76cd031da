"""Reads what a person types or pastes, without ever waiting for them.

A line is read by a thread of its own, a daemon: nobody can wake a reader of stdin, and the end
must not wait for one. Must not know what a line means.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


class LineReader:
    """Lines of one person, in order; `read_line` blocks, and ends with ""."""

    def __init__(self, read_line: Callable[[], str]) -> None:
        self._read_line = read_line
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._is_listening = False

    async def next_line(self) -> str | None:
        """The next line, None once there are no more. May be cancelled and called again."""
        if not self._is_listening:
            self._is_listening = True
            loop = asyncio.get_running_loop()
            threading.Thread(
                target=self._listen, args=(loop,), name="line reader", daemon=True
            ).start()
        return await self._lines.get()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        def tell(line: str | None) -> None:
            loop.call_soon_threadsafe(self._lines.put_nowait, line)

        try:
            while line := self._read_one():
                tell(line)
            tell(None)
        except RuntimeError:
            return  # the loop is over: nobody waits any more

    def _read_one(self) -> str:
        try:
            return self._read_line()
        except (OSError, ValueError):  # closed, or no text
            return ""
