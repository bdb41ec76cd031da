"""The person's own headers: given, from files, from commands; read again when refused.

Field note 48: a credential that was changed outside is picked up after a 401, and only then. What
was given once is never missing later: whatever cannot be read again, or has left its source, keeps
its last value, until another source gives a new one. A command is started without a shell, with
bounds on its time and output and without our stdio. Must not know which requests carry the headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings.headers import (
    MAX_HEADERS_LENGTH,
    Header,
    HeaderSettings,
    parse_header_source,
    read_header_file,
)
from mcp_remote_py.values import Value

logger = logging.getLogger("mcp_remote_py.transports")

COMMAND_TIMEOUT = 30.0
"""Seconds. A credential helper that asks a person on a terminal it does not have must end."""

END_PATIENCE = 1.0
"""Seconds for the system to take away a command that was killed."""


class _Input(Value, frozen=True):
    """A file or command, what it gave last by lower-case name, and what of it has left it."""

    read: Callable[[], Awaitable[tuple[Header, ...]]]
    last: dict[str, Header]
    gone: set[str]


class HeaderSource:
    """The headers of this process, and how to read them anew."""

    def __init__(
        self,
        settings: HeaderSettings,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
        command_timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        """`read_file` may block; it is called in a thread."""
        self._given = _by_name(settings.given)
        self._environment = environment
        self._read_file = read_file
        self._command_timeout = command_timeout
        files = [
            _Input(partial(self._read, file.path), _by_name(file.headers), set())
            for file in settings.files
        ]
        self._commands = [_Input(partial(self._run, argv), {}, set()) for argv in settings.commands]
        self._inputs = [*files, *self._commands]
        self._reloading: asyncio.Future[None] | None = None
        self.version = 0
        """Counts up when a value has changed."""
        self._names: frozenset[bytes] = frozenset()
        self._pairs: list[tuple[bytes, bytes]] = []
        self._headers: tuple[Header, ...] = ()

    @property
    def headers(self) -> tuple[Header, ...]:
        """All of them, each name once."""
        return self._headers

    @property
    def secrets(self) -> list[Secret]:
        """The values, for scrubbing texts."""
        return [header.value for header in self._headers]

    @property
    def has_authorization(self) -> bool:
        """Whether the person gave a credential: then OAuth is not asked (decision D12).

        Once true it stays so.
        """
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
        """Runs every command; what the files gave is known.

        Raises:
            UsageError: a command fails, a header is malformed, or a command gives none.
        """
        for command in self._commands:
            await self._take(command)
        self._merge()

    async def reload(self, version: int) -> bool:
        """Reads files and commands again, once for all who were refused with this version.

        Returns whether any value differs from it now. A source that fails now leaves the old
        values.
        """
        if not self._inputs:
            return False
        if self.version != version:
            return True  # another request was refused before, and has read them since
        reloading = self._reloading
        if reloading is None:
            reloading = self._reloading = asyncio.ensure_future(self._reload())
            reloading.add_done_callback(self._end_reloading)
        await asyncio.shield(reloading)
        return self.version != version

    def _end_reloading(self, _: asyncio.Future[None]) -> None:
        self._reloading = None

    async def _reload(self) -> None:
        before = self._pairs
        fresh: set[str] = set()
        for one in self._inputs:
            try:
                fresh |= await self._take(one)
            except McpRemoteError as error:
                logger.warning("The headers could not be read again: %s", error.sentence())
        for one in self._inputs:
            for name in one.gone & fresh:  # it has moved to another source
                one.gone.remove(name)
                del one.last[name]
            if one.gone:
                names = ", ".join(sorted(one.last[name].name for name in one.gone))
                logger.warning("A header is no longer given, its last value is used: %s.", names)
        self._merge()
        if self._pairs != before:
            self.version += 1

    async def _take(self, one: _Input) -> set[str]:
        """Reads it; the names of what is new or has changed."""
        headers = _by_name(await one.read())
        fresh = {name for name, header in headers.items() if one.last.get(name) != header}
        one.gone.update(one.last)
        one.gone.difference_update(headers)
        one.last.update(headers)
        return fresh

    def _merge(self) -> None:
        merged = dict(self._given)
        for one in self._inputs:
            merged.update(one.last)
        self._headers = tuple(merged.values())
        remember(self.secrets)
        self._names = frozenset(name.encode() for name in merged)
        self._pairs = [(h.name.encode(), h.value.reveal().encode("latin-1")) for h in self._headers]

    async def _read(self, path: str) -> tuple[Header, ...]:
        return await asyncio.to_thread(read_header_file, path, self._environment, self._read_file)

    async def _run(self, argv: tuple[str, ...]) -> tuple[Header, ...]:
        text = await _run(argv, self._environment, self._command_timeout)
        try:
            return parse_header_source(text, None, f"Output of {argv[0]}")
        except UsageError as error:
            # What is said of a header's form is about words that a person has written.
            raise error.with_hint(_RUN_BY_HAND) from None


_RUN_BY_HAND = (
    'Run it by hand: it must print a whole header, such as "Authorization: Bearer ..." with the '
    "token. It gets the few variables and the short PATH that the host hands on."
)


def _by_name(headers: tuple[Header, ...]) -> dict[str, Header]:
    return {header.name.lower(): header for header in headers}


class _Output(asyncio.SubprocessProtocol):
    """What a command prints, up to the bound.

    Attributes:
        text: it.
        is_complete: done when the command has ended and all of it is here, or when it is too much.
        has_ended: done when the system has taken the command away.
        is_closed: done when its pipe is closed, too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.text = bytearray()
        self.is_complete: asyncio.Future[None] = loop.create_future()
        self.has_ended: asyncio.Future[None] = loop.create_future()
        self.is_closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_too_long(self) -> bool:
        """Whether it cannot be a list of headers."""
        return len(self.text) > MAX_HEADERS_LENGTH

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """See `asyncio.SubprocessProtocol`."""
        if not self.is_too_long:
            self.text += data
            if self.is_too_long:
                _settle(self.is_complete)

    def process_exited(self) -> None:
        """See `asyncio.SubprocessProtocol`."""
        _settle(self.has_ended)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.SubprocessProtocol`."""
        _settle(self.is_complete)
        _settle(self.is_closed)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _run(argv: tuple[str, ...], environment: Mapping[str, str], seconds: float) -> str:
    name = argv[0]
    loop = asyncio.get_running_loop()
    try:
        process, output = await loop.subprocess_exec(
            lambda: _Output(loop),
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
            # A group of its own, to be ended with its children; and no terminal to ask at.
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"The header command {name} cannot be started: {error.strerror}.",
            hint=start_hint(error, name, sys.platform),
        ) from error
    try:
        async with asyncio.timeout(seconds):
            await output.is_complete
    except TimeoutError:
        raise UsageError(
            f"The header command {name} did not end within {seconds:g} seconds.",
            hint="It must print headers and end, without asking anything.",
        ) from None
    finally:
        await _end(process, output)
    if output.is_too_long:
        raise UsageError(
            f"The header command {name} prints more than {MAX_HEADERS_LENGTH} bytes.",
            hint="It must print one header a line, and end.",
        )
    if status := process.get_returncode():
        raise UsageError(
            f"The header command {name} ended with status {status}.",
            hint="Run it by hand to see why.",
        )
    return output.text.decode("utf-8-sig", "replace")


def start_hint(error: OSError, name: str, platform: str) -> str:
    """What the person can do about a program that cannot be started; `platform` as of `sys`."""
    is_denied = isinstance(error, PermissionError)
    if error.errno == errno.ENOEXEC or (is_denied and platform == "win32"):
        return "Name the program that runs it first, and then the file: python file.py"
    if is_denied:
        return f"Make it a program: chmod +x {name}"
    return "Give --header-command a program in PATH or an absolute path."


async def _end(process: asyncio.SubprocessTransport, output: _Output) -> None:
    """Ends a command, its children as well where the system has groups, and closes its pipe.

    A child in a group of its own may hold the other end of that for ever.
    """
    if not output.is_closed.done():
        from mcp_remote_py.process_groups import kill_group  # few entries have a command

        with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself
            kill_group(process.get_pid(), process.kill)
        await asyncio.wait({output.has_ended}, timeout=END_PATIENCE)
    process.close()  # not before: it would take the status away from who waits for it
    await asyncio.wait({output.is_closed}, timeout=END_PATIENCE)
