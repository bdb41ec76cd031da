"""What is kept of a server is written late, once, and read back by the same credential alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.commands.server_memory import SnapshotMemory
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.headers import HeaderSettings, parse_header
from tests.fakes import run, until

SERVER = "https://mcp.example/mcp?key=canary-2741"
INITIALIZE = ServerSnapshot(b'{"protocolVersion":"2025-11-25"}')
KNOWN = INITIALIZE.replace(tools=b'{"tools":[]}')


class Quick(SnapshotMemory):
    DELAY = 0.01


def memory(
    folder: Path,
    *headers: str,
    kind: type[SnapshotMemory] = SnapshotMemory,
    is_kept: bool = True,
) -> SnapshotMemory:
    given = HeaderSettings(tuple(parse_header(text, {}) for text in headers))
    return kind(folder, SessionId(SERVER), given, is_kept=is_kept)


def keep(one: SnapshotMemory, *known: ServerSnapshot) -> None:
    async def main() -> None:
        for snapshot in known:
            one.keep(snapshot)
        one.write()

    run(main())


@pytest.mark.promise("A6")
def test_what_came_last_is_written_in_time_or_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        one = memory(tmp_path, kind=Quick)
        one.keep(INITIALIZE)
        one.keep(KNOWN)
        assert memory(tmp_path).recall() == ServerSnapshot()
        await until(lambda: memory(tmp_path).recall() == KNOWN)
        one.write()
        await asyncio.sleep(0)

    run(main())
    late = INITIALIZE.replace(tools=b'{"tools":[{}]}')
    keep(memory(tmp_path), late)
    assert memory(tmp_path).recall() == late


@pytest.mark.promise("A6")
def test_nothing_is_written_where_nothing_was_said_or_is_to_be_kept(tmp_path: Path) -> None:
    keep(memory(tmp_path))
    keep(memory(tmp_path, is_kept=False), KNOWN)
    assert not list(tmp_path.iterdir())


@pytest.mark.promise("A6", "S2")
def test_another_credential_does_not_see_what_was_said_to_this_one(tmp_path: Path) -> None:
    one, other = "Authorization: Bearer canary-1a", "Authorization: Bearer canary-1b"
    keep(memory(tmp_path, one), KNOWN)
    assert memory(tmp_path, one).recall() == KNOWN
    assert memory(tmp_path, other).recall() == ServerSnapshot()
    assert memory(tmp_path).recall() == ServerSnapshot()
    (path,) = tmp_path.iterdir()
    assert b"canary" not in path.read_bytes()


def test_its_server_is_named_without_what_may_be_a_key(tmp_path: Path) -> None:
    name = memory(tmp_path).server_name
    assert name.startswith("https://mcp.example/mcp")
    assert "canary" not in name
