"""What is remembered of a server: found again, replaced whole, and never a reason to fail."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.credentials.state import SCHEMA, State, StateFile, state_directory

SERVER = "https://mcp.example.com/mcp?tenant=1"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.promise("R4")
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, transport: str, server: str
) -> None:
    folder = tmp_path_factory.mktemp("state") / "deep" / "folder"
    StateFile(folder, server).write("before")
    StateFile(folder, server).write(transport)
    assert StateFile(folder, server).read() == State(server=server, transport=transport)
    assert StateFile(folder, server + "/other").read() == State()


@pytest.mark.promise("R4")
def test_file_cut_at_any_byte_or_with_any_byte_changed_means_nothing_known(tmp_path: Path) -> None:
    record = StateFile(tmp_path, SERVER)
    record.write("HTTP+SSE")
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert record.read() == State(), whole[:length]
    for position in range(len(whole)):
        for byte in (0x00, 0xFF, ord("{"), ord('"')):
            damaged = bytearray(whole)
            damaged[position] = byte
            path.write_bytes(damaged)
            # A changed value may be read; one of another server or schema never is.
            assert record.read().server in ("", SERVER)


@pytest.mark.promise("R4")
@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"schema": SCHEMA + 1, "server": SERVER, "transport": "x"}).encode(),
        json.dumps({"server": "https://other.example.com/", "transport": "x"}).encode(),
        json.dumps({"server": SERVER, "transport": 7}).encode(),
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b'{"server":"\xff"}',
        b'{"more":' + b"[" * 100_000,
    ],
)
def test_foreign_record_means_nothing_known(tmp_path: Path, content: bytes) -> None:
    record = StateFile(tmp_path, SERVER)
    record.write("x")
    only_file(tmp_path).write_bytes(content)
    assert record.read() == State()
    record.write("y")
    assert record.read().transport == "y"


def test_members_of_a_later_version_are_no_fault(tmp_path: Path) -> None:
    record = StateFile(tmp_path, SERVER)
    record.write("x")
    path = only_file(tmp_path)
    path.write_text(json.dumps({"server": SERVER, "transport": "x", "later": [1, {"a": None}]}))
    assert record.read().transport == "x"


@pytest.mark.promise("S2")
def test_record_is_its_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        StateFile(tmp_path / "folder", SERVER).write("x")
    finally:
        os.umask(mask)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
    path = only_file(tmp_path / "folder")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "example" not in path.name


@pytest.mark.promise("R4")
def test_reader_sees_the_old_record_or_the_new_one_and_nothing_between(tmp_path: Path) -> None:
    record = StateFile(tmp_path, SERVER)
    names = ["a", "b" * 5000]
    record.write(names[0])
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            record.write(names[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[str] = set()
    while not done.is_set():
        seen.add(record.read().transport)
    writer.join(10)
    assert seen <= set(names)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.promise("R4")
@pytest.mark.parametrize("obstacle", ["file for folder", "folder for file", "no such device"])
def test_record_that_cannot_be_kept_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    folder = tmp_path / "folder"
    match obstacle:
        case "file for folder":
            folder.write_text("in the way")
        case "folder for file":
            StateFile(folder, SERVER).write("x")
            path = only_file(folder)
            path.unlink()
            path.mkdir()
            (path / "in the way").write_text("")
        case _:
            folder = Path("/dev/null/folder")
    record = StateFile(folder, SERVER)
    with caplog.at_level(logging.WARNING):
        record.write("x")
        assert record.read() == State()
    assert "cannot be written" in caplog.text
    if folder.is_dir():
        assert list(folder.iterdir()) == [only_file(folder)]


def test_folder_is_the_one_named_or_the_platforms(tmp_path: Path) -> None:
    named = state_directory({"MCP_REMOTE_CONFIG_DIR": str(tmp_path)})
    assert named == tmp_path / "mcp-remote-py"
    for environment in ({}, {"MCP_REMOTE_CONFIG_DIR": ""}):
        assert state_directory(environment).name == "mcp-remote-py"
        assert state_directory(environment).is_absolute()
