"""The entries of this machine's hosts that start us, as far as their files can be read.

Loaded where a command tells of them. Must not know what is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.hosts.entry_reading import EntryKind
from mcp_remote_py.installing.entries import InstalledEntry, find_entries
from mcp_remote_py.installing.surroundings import this_system

logger = logging.getLogger("mcp_remote_py")


def find_own_entries(environment: Mapping[str, str]) -> list[InstalledEntry]:
    """Those entries; a file that cannot be read is passed over, and that is logged."""
    try:
        found = find_entries(None, (), None, environment, this_system(), _warn)
    except McpRemoteError as error:
        logger.warning("%s", error.sentence())
        return []
    return [one for one in found if one.kind is EntryKind.OURS and one.address]


def list_hosts(entries: Iterable[InstalledEntry]) -> dict[tuple[str, str], list[str]]:
    """By name and address of an entry, the titles of the hosts that have it."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for one in entries:
        hosts.setdefault((one.name, one.address), []).append(one.host.title)
    return hosts


def _warn(text: str) -> None:
    logger.warning("%s", text)
