"""Keeps for the next start that a server has worked, and what it said of itself.

Somewhat later, and only what differs: a host waits for the first answers. Must not know when
either is needed, or how a file is written.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.credentials.session_files import SessionFile
from mcp_remote_py.redact import mask_url
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.headers import HeaderSettings

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_remote_py.credentials.server_cache import ServerCache


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


class SnapshotMemory:
    """A `ServerMemory` in a file, which is looked at when it is needed and not before.

    Of the person's headers and client certificate, and of the AWS identity that requests are signed
    by, it keeps only which they were, not what is in
    them (see `HeaderSettings.mark`): with others the server may have other tools, and is not known.
    A person who wants several at one server kept apart gives each a `--profile`. `is_kept` is False
    where nothing of a session is to be on the disk.
    """

    DELAY = 2.0
    """Seconds. The tools come soon after the handshake: both are written together."""
    PATIENCE = 0.3
    """Seconds that the end waits for a disk (promise R7)."""

    def __init__(
        self,
        folder: Path | str,
        session: SessionId,
        headers: HeaderSettings,
        client_cert: str | None = None,
        identity: str = "",
        *,
        is_kept: bool,
    ) -> None:
        self._folder = folder
        self._session = session
        self._headers = headers
        self._client_cert = client_cert
        self._identity = identity
        self._is_kept = is_kept
        self._cache: ServerCache | None = None
        self._known = ServerSnapshot()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: threading.Thread | None = None

    @property
    def server_name(self) -> str:
        """See `ServerMemory`."""
        return mask_url(self._session.server)

    def recall(self) -> ServerSnapshot:
        """See `ServerMemory`."""
        return self._get_cache().read()

    def keep(self, known: ServerSnapshot) -> None:
        """See `ServerMemory`."""
        self._known = known
        if self._is_kept and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.DELAY, self._begin_writing)

    def _begin_writing(self) -> None:
        """In a thread: disks may be slow."""
        self._timer = None
        self._writing = threading.Thread(target=self._save, args=(self._known,), daemon=True)
        self._writing.start()

    def _save(self, known: ServerSnapshot) -> None:
        self._get_cache().keep(known)

    def write(self) -> None:
        """Writes what was to be written later, and lets what is being written be."""
        if self._writing is not None:
            self._writing.join(self.PATIENCE)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._save(self._known)

    def _get_cache(self) -> ServerCache:
        if self._cache is None:
            from mcp_remote_py.credentials.server_cache import ServerCache  # few starts need it now

            about = (self._session.key, self._client_cert, self._identity)
            mark = self._headers.mark(*about)
            self._cache = ServerCache(self._folder, self._session, os.urandom, mark)
        return self._cache
