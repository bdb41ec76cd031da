"""What a server last said: kept as bytes, by its session, for its owner alone; or nothing.

Must not know who wants it.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.credentials.server_cache import MAX_SNAPSHOT_BYTES, ServerCache
from mcp_remote_py.credentials.session_files import SessionFile, list_records
from mcp_remote_py.session_id import SessionId

SERVER = "https://mcp.example/mcp"
KNOWN = ServerSnapshot(
    '{"protocolVersion":"2025-11-25", "n":1.0, "big":12345678901234567890, "é":"\\u00e9"}'.encode(),
    b'{"tools":[ {"name":"add"} ]}',
)


def open_file(
    folder: Path, server: str = SERVER, resource: str = "", profile: str = ""
) -> ServerCache:
    return ServerCache(folder, SessionId(server, resource, profile), os.urandom)


def path_in(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.promise("A6", "R2")
def test_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_file(folder).keep(KNOWN)
    assert open_file(folder).read() == KNOWN
    if os.name == "posix":
        assert stat.S_IMODE(path_in(folder).stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_is_known_at_first_and_reading_leaves_no_trace(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert open_file(folder).read() == ServerSnapshot()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("resource", "profile"), [("", "work"), ("urn:tenant", ""), ("urn:tenant", "work")]
)
def test_each_session_has_its_own(tmp_path: Path, resource: str, profile: str) -> None:
    open_file(tmp_path).keep(KNOWN)
    other = open_file(tmp_path, resource=resource, profile=profile)
    assert other.read() == ServerSnapshot()
    other.keep(ServerSnapshot(b"{}", b""))
    assert open_file(tmp_path).read() == KNOWN
    assert other.read() == ServerSnapshot(b"{}")


def test_what_is_not_given_stays(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.keep(ServerSnapshot(KNOWN.initialize))
    file.keep(ServerSnapshot(tools=KNOWN.tools))
    assert open_file(tmp_path).read() == KNOWN


def test_only_a_difference_is_written(tmp_path: Path) -> None:
    open_file(tmp_path).keep(KNOWN)
    path = path_in(tmp_path)
    before = path.stat()
    file = open_file(tmp_path)
    file.keep(KNOWN)
    file.keep(ServerSnapshot(KNOWN.initialize))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    file.keep(ServerSnapshot(tools=b'{"tools":[]}'))
    assert open_file(tmp_path).read() == ServerSnapshot(KNOWN.initialize, b'{"tools":[]}')


def test_tools_past_the_limit_are_not_kept_and_the_older_ones_no_longer(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.keep(KNOWN)
    file.keep(ServerSnapshot(tools=b'{"tools":["%b"]}' % (b"x" * MAX_SNAPSHOT_BYTES)))
    assert open_file(tmp_path).read() == ServerSnapshot(KNOWN.initialize)
    file.keep(ServerSnapshot(initialize=b'{"x":"%b"}' % (b"x" * MAX_SNAPSHOT_BYTES)))
    assert open_file(tmp_path).read() == ServerSnapshot(KNOWN.initialize)
    assert path_in(tmp_path).stat().st_size < MAX_SNAPSHOT_BYTES


def record(**changes: object) -> bytes:
    members: dict[str, object] = {
        "schema": 2,
        "session": SessionId(SERVER).key,
        "headers": "",
        "initialize": {},
        "tools": {},
    }
    return json.dumps(members | changes).encode()


BROKEN = {
    "empty": b"",
    "half": record()[:-9],
    "no JSON": b"tools",
    "no object": b"[]",
    "another schema": record(schema=1),
    "another server": record(session=SessionId("https://other.example/mcp").key),
    "another profile": record(session=SessionId(SERVER, profile="work").key),
    "other headers": record(headers="beef"),
    "no UTF-8": record(tools={"x": "y"}).replace(b"y", b"\xff"),
    "several lines": record().replace(b", ", b",\n"),
    "too deep": record().replace(b"{}", b"[" * 480_000 + b"]" * 480_000),
    "too large": record(tools={"x": "y" * MAX_SNAPSHOT_BYTES}),
}


@pytest.mark.promise("A6")
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_or_foreign_file_is_as_none_and_is_replaced(tmp_path: Path, data: bytes) -> None:
    open_file(tmp_path).keep(KNOWN)
    path = path_in(tmp_path)
    path.write_bytes(record())
    assert open_file(tmp_path).read() == ServerSnapshot(b"{}", b"{}")
    path.write_bytes(data)
    assert open_file(tmp_path).read() == ServerSnapshot()
    open_file(tmp_path).keep(KNOWN)
    assert open_file(tmp_path).read() == KNOWN


def test_folder_in_the_place_of_the_file_is_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_file(tmp_path).keep(KNOWN)
    path = path_in(tmp_path)
    path.unlink()
    path.mkdir()
    file = open_file(tmp_path)
    assert file.read() == ServerSnapshot()
    file.keep(KNOWN)
    file.delete()
    assert "What the server said could not be saved" in caplog.text
    assert "cannot be deleted" in caplog.text


def test_deleted_is_forgotten(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.keep(KNOWN)
    file.delete()
    file.delete()
    assert open_file(tmp_path).read() == ServerSnapshot()
    assert not list(tmp_path.iterdir())


@pytest.mark.promise("A6", "S2")
def test_what_was_said_to_other_headers_is_not_known(tmp_path: Path) -> None:
    session = SessionId(SERVER)
    mine = ServerCache(tmp_path, session, os.urandom, "aaaa")
    mine.keep(KNOWN)
    for other in ("", "bbbb"):
        assert ServerCache(tmp_path, session, os.urandom, other).read() == ServerSnapshot()
    assert ServerCache(tmp_path, session, os.urandom, "aaaa").read() == KNOWN
    ServerCache(tmp_path, session, os.urandom, "bbbb").keep(ServerSnapshot(b"{}"))
    assert ServerCache(tmp_path, session, os.urandom, "aaaa").read() == ServerSnapshot()
    assert len(list(tmp_path.iterdir())) == 1  # however often a credential changes


@pytest.mark.promise("S2")
def test_the_address_is_not_written(tmp_path: Path) -> None:
    open_file(tmp_path, f"{SERVER}?api_key=canary-key").keep(KNOWN)
    assert b"canary-key" not in path_in(tmp_path).read_bytes()


def test_it_is_not_a_session_of_its_own(tmp_path: Path) -> None:
    """`status` and `logout` go through the records in the same folder."""
    open_file(tmp_path).keep(KNOWN)
    assert list_records(tmp_path) == []
    SessionFile(tmp_path, SessionId(SERVER)).update(transport="x")
    assert len(list_records(tmp_path)) == 1
