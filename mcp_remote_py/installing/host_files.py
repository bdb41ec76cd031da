"""Which hosts are on this machine, and which file of each has its entries.

The rows of `hosts.catalogue` say what tells of a host. Must not know what is in a file.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import shutil
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.catalogue import (
    ALL_HOSTS,
    HOSTS_BY_KEY,
    KNOWN_HOSTS,
    KnownHost,
    System,
    expand_configs,
    expand_signs,
    find_host,
    host_of_file,
)
from mcp_remote_py.settings.entry import ConfigChoice


class Look(Protocol):
    """What can be seen of a machine."""

    def is_there(self, path: str) -> bool:
        """Whether there is a file or a folder."""
        ...

    def matches(self, pattern: str) -> list[str]:
        """The paths that are like a pattern with `*`."""
        ...

    def has_program(self, name: str) -> bool:
        """Whether a program is on PATH."""
        ...


class Disk:
    """The machine that we are on; its PATH is that of the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("PATH", "")

    def is_there(self, path: str) -> bool:
        """See `Look`."""
        return os.path.exists(path)

    def matches(self, pattern: str) -> list[str]:
        """See `Look`."""
        return sorted(glob.glob(pattern))

    def has_program(self, name: str) -> bool:
        """See `Look`."""
        return bool(shutil.which(name, path=self._path))


class HostFile(NamedTuple):
    """A host and its configuration, which need not be there yet."""

    host: KnownHost
    path: str


class Machine(NamedTuple):
    """A machine as far as hosts are looked for on it."""

    system: System
    environment: Mapping[str, str]
    look: Look

    def locate(self, host: KnownHost) -> str:
        """The file that the host reads, or would read: the first whose folder is there.

        Of several names in that folder, the one that is there.

        Raises:
            UsageError: nothing says where that is.
        """
        paths = list(expand_configs(host, self.system, self.environment))
        for path in paths:
            found = self._existing(path)
            if found:
                others = [one for one in paths if _folder_of(one) == _folder_of(found)]
                return next(filter(self.look.is_there, others), found)
        plain = [path for path in paths if "*" not in path]
        if not plain:
            raise UsageError(
                f"Where {host.title} has its configuration is not known: HOME is not set.",
                hint="Name the file with --config.",
            )
        return plain[0]

    def has(self, host: KnownHost) -> bool:
        """Whether the host is there."""
        homes = {self.environment.get(name) for name in ("HOME", "USERPROFILE")}
        for path in expand_configs(host, self.system, self.environment):
            found = self._existing(path)
            if found and (self.look.is_there(found) or _folder_of(found) not in homes):
                return True
        signs = expand_signs(host, self.system, self.environment)
        return any(map(self.look.is_there, signs)) or any(map(self.look.has_program, host.programs))

    def _existing(self, path: str) -> str:
        """The path, where its folder is there; of a pattern the first that is like it."""
        folder = _folder_of(path)
        if "*" not in folder:
            return path if self.look.is_there(folder) else ""
        folders = self.look.matches(folder)
        return folders[0] + path[len(folder) :] if folders else ""


def is_own_file(path: str, system: System, environment: Mapping[str, str]) -> bool:
    """Whether a host has its own configuration there: others may have written any other file."""
    named = os.path.normcase(os.path.abspath(path))
    return any(
        fnmatch.fnmatchcase(named, os.path.normcase(os.path.abspath(one)))
        for host in KNOWN_HOSTS
        for one in expand_configs(host, system, environment)
    )


def _folder_of(path: str) -> str:
    return path[: max(path.rfind("/"), path.rfind("\\"))]


def find_hosts(machine: Machine) -> list[HostFile]:
    """Those that are there, each with its file."""
    return [HostFile(host, machine.locate(host)) for host in KNOWN_HOSTS if machine.has(host)]


def choose_files(choice: ConfigChoice, machine: Machine) -> list[HostFile]:
    """The files that a person means; of all hosts that are there where nothing is said.

    Raises:
        UsageError: a host is not known, or whose file it is.
    """
    everywhere = ALL_HOSTS in choice.clients
    named = [find_host(word) for word in choice.clients if word != ALL_HOSTS]
    if choice.file is not None:
        path = os.path.abspath(choice.file)
        host = named[0] if named else host_of_file(path)
        if host is None:
            raise UsageError(
                f"Which host {path} belongs to cannot be seen from its name.",
                hint=f"Add --client with the host: {', '.join(HOSTS_BY_KEY)}.",
            )
        return [HostFile(host, path)]
    if everywhere or not named:
        return find_hosts(machine)
    each = {host.key: host for host in named}
    return [HostFile(host, machine.locate(host)) for host in each.values()]
