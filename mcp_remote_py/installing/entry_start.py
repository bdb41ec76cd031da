"""What a host would start for an entry that is there: whether the program is on this machine.

Nothing is started. Must not know what is said of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.hosts.config_text import find_lines
from mcp_remote_py.hosts.entry_reading import (
    EntryKind,
    find_command,
    find_runner,
    find_switch,
    is_one_line,
)
from mcp_remote_py.installing.config_file import read_config
from mcp_remote_py.installing.entries import InstalledEntry
from mcp_remote_py.settings.check import EntryStart


def look_at_start(entry: InstalledEntry, environment: Mapping[str, str]) -> InstalledEntry:
    """The same entry with its start."""
    if entry.kind not in (EntryKind.OURS, EntryKind.NPM):
        return entry
    command = find_command(entry.members)
    own = entry.variables.get("PATH")
    path = environment.get("PATH", "") if own is None else own.reveal()
    start = EntryStart(
        name=entry.name,
        host=entry.host.title,
        path=entry.path,
        command=command,
        found=shutil.which(command, path=path) or "",
        is_there=os.path.lexists(command),
        runner=find_runner(entry.members),
        is_npm=entry.kind is EntryKind.NPM,
        is_one_line=is_one_line(entry.members),
        switched_off=find_switch(entry.members),
        lines=_find_doubles(entry),
    )
    return entry._replace(start=start)


def _find_doubles(entry: InstalledEntry) -> tuple[int, ...]:
    try:
        content = read_config(Path(entry.path)) or b""
        lines = find_lines(content, entry.host.form, entry.host.place, entry.name)
    except McpRemoteError:  # it was read a moment ago
        return ()
    return lines if len(lines) > 1 else ()
