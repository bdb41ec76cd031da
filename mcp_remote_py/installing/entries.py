"""The entries in the configurations of this machine, found by their names.

Must not know what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.hosts.broken_config import BrokenConfig
from mcp_remote_py.hosts.catalogue import KnownHost, System
from mcp_remote_py.hosts.config_text import read_entries
from mcp_remote_py.hosts.entry_reading import EntryKind, FoundEntry, read_entry
from mcp_remote_py.installing.config_file import read_config
from mcp_remote_py.installing.host_files import Disk, HostFile, Machine, choose_files
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.check import EntryStart
from mcp_remote_py.settings.entry import ConfigChoice
from mcp_remote_py.settings.urls import parse_server_url

Warn = Callable[[str], None]
"""Tells the person a sentence, without which it all goes on."""


class InstalledEntry(NamedTuple):
    """An entry, and where it is."""

    host: KnownHost
    path: str
    """The file that it is in."""
    name: str
    found: FoundEntry
    members: Mapping[str, object]
    """As it stands there."""
    start: EntryStart | None = None
    """What the host starts for it, where somebody has looked."""

    @property
    def kind(self) -> EntryKind:
        """What it is."""
        return self.found.kind

    @property
    def address(self) -> str:
        """Its server, as it is compared; "" where it has none that can be read."""
        if not self.found.url:
            return ""
        try:
            return str(parse_server_url(self.found.url, allow_http=True))
        except UsageError:
            return ""

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments behind the program's name."""
        return self.found.words

    @property
    def variables(self) -> Mapping[str, Secret]:
        """Its environment."""
        return self.found.variables


def find_entries(
    name: str | None,
    clients: Sequence[str],
    config: str | None,
    environment: Mapping[str, str],
    system: System,
    warn: Warn,
) -> list[InstalledEntry]:
    """The entries of that name, or all; in the files that are named, or those of all hosts.

    A file that cannot be read is passed over, and that is told, unless it is the only one.

    Raises:
        UsageError: as `choose_files`.
        BrokenConfig, StoreError: the only file cannot be read.
    """
    machine = Machine(system, environment, Disk(environment))
    files = choose_files(ConfigChoice(tuple(clients), config), machine)
    return [one for one in list_entries(files, warn) if name is None or one.name == name]


def list_entries(files: Iterable[HostFile], warn: Warn) -> list[InstalledEntry]:
    """All entries of these files.

    Raises:
        BrokenConfig, StoreError: as `find_entries`.
    """
    listed = list(files)
    found: list[InstalledEntry] = []
    for file in listed:
        try:
            found += read_installed(file)
        except McpRemoteError as error:
            if len(listed) == 1:
                raise
            warn(describe_unread(file.host, error))
    return found


def describe_unread(host: KnownHost, error: McpRemoteError) -> str:
    """That a file was passed over, with its name and the place that is wrong."""
    return (
        f"The configuration of {host.title} cannot be read, so it was not looked at: {error.cause}"
    )


def read_installed(file: HostFile) -> list[InstalledEntry]:
    """The entries of one file; none where it is not there.

    Raises:
        BrokenConfig, StoreError: it cannot be read.
    """
    content = read_config(Path(file.path)) or b""
    try:
        entries = read_entries(content, file.host.form, file.host.place)
    except BrokenConfig as error:
        raise error.in_file(file.path) from None
    return [
        InstalledEntry(file.host, file.path, name, read_entry(members), _as_members(members))
        for name, members in entries.items()
    ]


def _as_members(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        return {}
    pairs: Mapping[object, object] = value  # pyright: ignore[reportUnknownVariableType]
    return {str(key): one for key, one in pairs.items()}
