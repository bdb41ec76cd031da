"""The person's own headers: given, from files, from commands; read again when refused.

Field note 48: a credential that was changed outside is picked up after a 401, and only then. A
command is started without a shell, with a time limit and without our stdio. Must not know
which requests carry the headers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings import Header, HeaderSources, parse_header_lines, read_text

logger = logging.getLogger("mcp_remote_py.transports")

COMMAND_TIMEOUT = 30.0
"""Seconds. A credential helper that asks a person on a terminal it does not have must end."""


class HeaderBook:
    """The headers of this process, and how to read them anew."""

    def __init__(
        self,
        sources: HeaderSources,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
        command_timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        self._sources = sources
        self._environment = environment
        self._read_file = read_file
        self._command_timeout = command_timeout
        self._reloading: asyncio.Future[None] | None = None
        self.edition = 0
        """Counts up when a value has changed."""
        self._names: frozenset[bytes] = frozenset()
        self._pairs: list[tuple[bytes, bytes]] = []
        self._headers: tuple[Header, ...] = ()

    @property
    def secrets(self) -> list[Secret]:
        """The values, for scrubbing texts."""
        return [header.value for header in self._headers]

    @property
    def has_authorization(self) -> bool:
        """Whether the person gave a credential: then OAuth is not asked (decision D12)."""
        return b"authorization" in self._names

    @property
    def names(self) -> frozenset[bytes]:
        """Lower-case names."""
        return self._names

    def merge(self, ours: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Our headers with the person's, which win over ours of the same name."""
        if not self._pairs:
            return ours
        names = self._names
        return [pair for pair in ours if pair[0] not in names] + self._pairs

    async def load(self) -> None:
        """Reads every source.

        Raises:
            UsageError: a file cannot be read, a command fails, or a header is malformed.
        """
        merged: dict[str, Header] = {h.name.lower(): h for h in self._sources.given}
        for path in self._sources.files:
            text = read_text(path, "--header-file", self._read_file)
            for header in parse_header_lines(text, self._environment, path):
                merged[header.name.lower()] = header
        for argv in self._sources.commands:
            text = await _run(argv, self._environment, self._command_timeout)
            for header in parse_header_lines(text, None, f"Output of {argv[0]}"):
                merged[header.name.lower()] = header
        self._headers = tuple(merged.values())
        remember(self.secrets)
        self._names = frozenset(name.encode() for name in merged)
        self._pairs = [(h.name.encode(), h.value.reveal().encode("latin-1")) for h in self._headers]

    async def reload(self, edition: int) -> bool:
        """Reads files and commands again, once for all who were refused with this edition.

        Returns whether any value differs from it now. A source that fails now leaves the old
        values.
        """
        if not (self._sources.files or self._sources.commands):
            return False
        if self.edition != edition:
            return True  # another request was refused before, and has read them since
        reloading = self._reloading
        if reloading is None:
            reloading = self._reloading = asyncio.ensure_future(self._reload())
            reloading.add_done_callback(self._end_reloading)
        await asyncio.shield(reloading)
        return self.edition != edition

    def _end_reloading(self, _: asyncio.Future[None]) -> None:
        self._reloading = None

    async def _reload(self) -> None:
        before = self._pairs
        try:
            await self.load()
        except McpRemoteError as error:
            logger.warning("The headers could not be read again: %s", error.sentence())
        if self._pairs != before:
            self.edition += 1


async def _run(argv: tuple[str, ...], environment: Mapping[str, str], seconds: float) -> str:
    name = argv[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
    except OSError as error:
        raise UsageError(
            f"The header command {name} cannot be started: {error.strerror}.",
            hint="Give --header-command a program in PATH or an absolute path.",
        ) from error
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        raise UsageError(
            f"The header command {name} did not end within {seconds:g} seconds.",
            hint="It must print headers and end, without asking anything.",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise UsageError(
            f"The header command {name} ended with status {process.returncode}.",
            hint="Run it by hand to see why.",
        )
    return output.decode("utf-8", "replace")
