"""Keeps what a server last said of itself, for a host that cannot wait (promise A6).

One file a session. Not secret, but a server's tools may be confidential: only their owner can read
it. A server's address may have a key in it: it is not written, nor is a credential. A file that is
missing, broken, too large or another session's means "nothing known", never an error: the server
says it again. Must not know when it is needed, tokens or the keyring.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from typing import TYPE_CHECKING

import msgspec

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.credentials.files import delete, names_in, read_private, write_private
from mcp_remote_py.errors import StoreError
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.session_id import SessionId

if TYPE_CHECKING:
    from pathlib import Path  # most starts do not load it: they only read

logger = logging.getLogger("mcp_remote_py.credentials")

SNAPSHOT_SCHEMA = 2
"""1 named the server, and knew of sign-ins alone."""

MAX_SNAPSHOT_BYTES = 1024 * 1024
"""Bytes of the file. The largest servers list some hundred tools in 300 kB; past this, tools are
not kept, and a disk is not filled by a server that lists endlessly."""


_SUFFIX = ".known"


class _Record(msgspec.Struct):
    schema: int
    session: str
    """Its key."""
    headers: str = ""
    """The mark of the person's headers."""
    initialize: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    tools: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Record).decode


class ServerCache:
    """The snapshots of one session's server, asked with the headers of this mark.

    May be used from several threads.
    """

    def __init__(
        self, folder: Path | str, session: SessionId, randomness: RandomBytes, headers: str = ""
    ) -> None:
        self._key = session.key
        self._headers = headers
        self._name = os.path.join(folder, f"{session.record_name}{_SUFFIX}")
        self._randomness = randomness
        self._writing = threading.Lock()
        self._last: ServerSnapshot | None = None
        self._failure = ""

    @functools.cached_property
    def _path(self) -> Path:
        """For whoever changes something."""
        from pathlib import Path

        return Path(self._name)

    def read(self) -> ServerSnapshot:
        """The snapshot that was kept last, empty where it cannot be used."""
        try:
            data = read_private(self._name)
        except StoreError as error:
            return self._ignore(error.cause)
        if data is None:
            return ServerSnapshot()
        if len(data) > MAX_SNAPSHOT_BYTES:
            return self._ignore(f"more than {MAX_SNAPSHOT_BYTES} bytes")
        try:
            data.decode()  # the codec skips over strings; what is sent must be UTF-8
            record = _decode(data)
        except (ValueError, RecursionError) as error:
            return self._ignore(str(error))
        if record.schema != SNAPSHOT_SCHEMA or record.session != self._key:
            return self._ignore("another version's or session's")
        if record.headers != self._headers:
            return self._ignore("it was said to other headers")
        if b"\n" in data or b"\r" in data:
            return self._ignore("not as it was written")  # a message is one line
        return ServerSnapshot(_content(record.initialize), _content(record.tools))

    def keep(self, known: ServerSnapshot) -> None:
        """Writes what differs from the file; what is empty in `known` stays as it was.

        Raises nothing: a start without it only takes longer to be useful.
        """
        with self._writing:
            before = self._last = self._last or self.read()
            after = ServerSnapshot(
                known.initialize or before.initialize, known.tools or before.tools
            )
            data = self._encode(after)
            if len(data) > MAX_SNAPSHOT_BYTES:
                after = after.replace(tools=b"")
                data = self._encode(after)
            if after == before or len(data) > MAX_SNAPSHOT_BYTES:
                return
            try:
                write_private(self._path, data, self._randomness)
            except StoreError as error:
                if error.cause != self._failure:  # a disk that is full is so for long
                    logger.warning("What the server said could not be saved: %s", error.sentence())
                self._failure = error.cause
                return
            self._last, self._failure = after, ""

    def delete(self) -> None:
        """Forgets it; raises nothing."""
        try:
            delete(self._path)
        except StoreError as error:
            logger.warning("%s", error.sentence())

    def _encode(self, known: ServerSnapshot) -> bytes:
        parts = [msgspec.Raw(part) if part else msgspec.UNSET for part in known.parts()]
        return msgspec.json.encode(_Record(SNAPSHOT_SCHEMA, self._key, self._headers, *parts))

    def _ignore(self, reason: str) -> ServerSnapshot:
        logger.debug("%s is not usable and is ignored: %s", self._name, reason)
        return ServerSnapshot()


def delete_snapshots(directory: Path) -> None:
    """Forgets those of all servers; raises nothing."""
    try:
        for name in names_in(directory):
            if name.endswith(_SUFFIX):
                delete(directory / name)
    except StoreError as error:
        logger.warning("%s", error.sentence())


def _content(part: msgspec.Raw | msgspec.UnsetType) -> bytes:
    return b"" if part is msgspec.UNSET else bytes(part)
