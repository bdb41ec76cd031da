"""Keeps for the next start that a server has worked.

Somewhat later: a host waits for the first answers. Must not know when it is needed, or how a file
is written.
"""

from __future__ import annotations

import asyncio

from mcp_remote_py.credentials.session_files import SessionFile


class WorkedMemory:
    """Keeps that the server has worked, once for all starts."""

    DELAY = 1.0
    """Seconds."""

    def __init__(self, state: SessionFile, is_written: bool) -> None:
        self._state = state
        self._is_done = is_written
        self._timer: asyncio.TimerHandle | None = None

    def note(self) -> None:
        """It has worked."""
        if not self._is_done and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.DELAY, self.write)

    def write(self) -> None:
        """Writes it now, where there is something to write."""
        if self._timer is not None and not self._is_done:
            self._timer.cancel()
            self._is_done = True
            self._state.note_worked()
