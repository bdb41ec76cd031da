"""What is remembered of a server: found again, replaced whole, and never a reason to fail."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.credentials.files import DRAFT_AGE, MAX_OWN_FILE_BYTES
from mcp_remote_py.credentials.session_files import (
    RECORD_SCHEMA,
    SessionFile,
    SessionRecord,
    list_records,
    state_directory,
)
from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.budget import DAY, SignInBudget, make_spent, note_tab, wait_for_tab
from mcp_remote_py.session_id import SessionId

if TYPE_CHECKING:
    from mcp_remote_py.credentials.session_files import SessionChanges

SERVER = "https://mcp.example.com/mcp?tenant=1"


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.json")
    return path


def left_in(folder: Path) -> list[Path]:
    """All but what the kernel hangs locks on."""
    return [path for path in folder.iterdir() if path.name != "locks"]


@pytest.mark.promise("R4")
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, transport: str, server: str
) -> None:
    folder = tmp_path_factory.mktemp("state") / "deep" / "folder"
    SessionFile(folder, SessionId(server)).update(transport="before")
    SessionFile(folder, SessionId(server)).update(transport=transport)
    assert SessionFile(folder, SessionId(server)).read() == SessionRecord(
        server=server, transport=transport
    )
    assert SessionFile(folder, SessionId(server + "/other")).read() == SessionRecord()


@pytest.mark.promise("R4")
def test_file_cut_at_any_byte_or_with_any_byte_changed_means_nothing_known(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(transport="HTTP+SSE")
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert record.read() == SessionRecord(), whole[:length]
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
        json.dumps({"schema": RECORD_SCHEMA + 1, "server": SERVER, "transport": "x"}).encode(),
        json.dumps({"server": "https://other.example.com/", "transport": "x"}).encode(),
        json.dumps({"server": SERVER, "transport": 7}).encode(),
        json.dumps({"server": SERVER, "ledger": {"tabs": [1.0], "vain_tabs": -9}}).encode(),
        json.dumps({"server": SERVER, "ledger": {"failed_attempts": 2**64 - 1}}).encode(),
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b'{"server":"\xff"}',
        b'{"more":' + b"[" * 100_000,
    ],
)
def test_foreign_record_means_nothing_known(tmp_path: Path, content: bytes) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(transport="x")
    only_file(tmp_path).write_bytes(content)
    assert record.read() == SessionRecord()
    record.update(transport="y")
    assert record.read().transport == "y"


def test_members_of_a_later_version_are_not_a_fault(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(transport="x")
    path = only_file(tmp_path)
    path.write_text(json.dumps({"server": SERVER, "transport": "x", "later": [1, {"a": None}]}))
    assert record.read().transport == "x"


@pytest.mark.promise("S2")
def test_record_is_its_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        SessionFile(tmp_path / "folder", SessionId(SERVER)).update(transport="x")
    finally:
        os.umask(mask)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
    path = only_file(tmp_path / "folder")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "example" not in path.name


@pytest.mark.promise("R4")
def test_reader_sees_the_old_record_or_the_new_one_and_nothing_between(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    names = ["a", "b" * 5000]
    record.update(transport=names[0])
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            record.update(transport=names[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[str] = set()
    while not done.is_set():
        seen.add(record.read().transport)
    writer.join(10)
    assert seen <= set(names)
    assert left_in(tmp_path) == [only_file(tmp_path)]


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
            SessionFile(folder, SessionId(SERVER)).update(transport="x")
            path = only_file(folder)
            path.unlink()
            path.mkdir()
            (path / "in the way").write_text("")
        case _:
            folder = Path("/dev/null/folder")
    record = SessionFile(folder, SessionId(SERVER))
    with caplog.at_level(logging.WARNING):
        record.update(transport="x")
        assert SessionFile(folder, SessionId(SERVER)).read() == SessionRecord()
    assert "cannot be written" in caplog.text
    if folder.is_dir():
        assert left_in(folder) == [only_file(folder)]


def test_folder_is_the_one_named_or_the_platforms(tmp_path: Path) -> None:
    named = state_directory({"MCP_REMOTE_CONFIG_DIR": str(tmp_path)})
    assert named == tmp_path / "mcp-remote-py"
    for environment in ({}, {"MCP_REMOTE_CONFIG_DIR": ""}):
        assert state_directory(environment).name == "mcp-remote-py"
        assert state_directory(environment).is_absolute()


RESOURCE = "https://tenant.example.com/"
FULL = SessionRecord(
    server=SERVER,
    profile="work",
    resource=RESOURCE,
    transport="HTTP+SSE",
    issuer="https://auth.example.com",
    scope="read write",
    account="jane@example.com",
    store="keyring",
    signed_in_at=1_700_000_000.5,
    expires_at=1_700_003_600.0,
    port=3334,
    last_error="It was refused.",
)


def work_record(folder: Path) -> SessionFile:
    return SessionFile(folder, SessionId(SERVER, RESOURCE, "work"))


def fill(record: SessionFile) -> None:
    record.update(transport="HTTP+SSE", port=3334)
    record.update(issuer="https://auth.example.com", scope="read write", store="keyring")
    record.update(signed_in_at=1_700_000_000.5, expires_at=1_700_003_600.0)
    record.update(account="jane@example.com", last_error="It was refused.")


@pytest.mark.promise("R4")
def test_record_of_the_first_version_is_taken_over_and_rewritten(tmp_path: Path) -> None:
    """The bytes are those mcp-remote-py 0.1.0 wrote."""
    server = "https://example.com/mcp"
    path = tmp_path / f"{SessionId(server).record_name}.json"
    path.write_bytes(b'{"server":"https://example.com/mcp","transport":"HTTP+SSE"}')
    record = SessionFile(tmp_path, SessionId(server))
    assert record.read() == SessionRecord(server=server, transport="HTTP+SSE")
    record.update(scope="read")
    assert record.read() == SessionRecord(server=server, transport="HTTP+SSE", scope="read")
    assert only_file(tmp_path) == path
    assert json.loads(path.read_bytes())["schema"] == RECORD_SCHEMA == 2


def test_changes_leave_what_they_do_not_name(tmp_path: Path) -> None:
    record = work_record(tmp_path)
    fill(record)
    assert record.read() == FULL
    record.update(signed_in_at=None, last_error="")
    assert work_record(tmp_path).read().signed_in_at is None
    assert record.read().transport == "HTTP+SSE"


def test_sessions_differ_by_server_resource_and_profile(tmp_path: Path) -> None:
    keys = [
        (SERVER, resource, profile)
        for resource in ("", RESOURCE, "work")
        for profile in ("", "work", "home")
    ]
    for key in keys:
        SessionFile(tmp_path, SessionId(*key)).update(scope=" ".join(key))
    assert (
        len(list(tmp_path.glob("*.json")))
        == len({SessionId(*key).record_name for key in keys})
        == len(keys)
    )
    for key in keys:
        assert SessionFile(tmp_path, SessionId(*key)).read().scope == " ".join(key)


def test_deleted_record_is_gone_and_deleting_again_is_not_a_fault(tmp_path: Path) -> None:
    record = work_record(tmp_path)
    SessionFile(tmp_path, SessionId(SERVER)).update(transport="x")
    fill(record)
    record.delete()
    record.delete()
    assert record.read() == SessionRecord()
    assert SessionFile(tmp_path, SessionId(SERVER)).read().transport == "x"


def test_record_that_cannot_be_deleted_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = work_record(tmp_path)
    (tmp_path / f"{SessionId(SERVER, RESOURCE, 'work').record_name}.json").mkdir()
    with caplog.at_level(logging.WARNING):
        record.delete()
    assert "cannot be deleted" in caplog.text


def test_list_has_every_usable_record_in_order_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert list_records(tmp_path / "none") == []
    fill(work_record(tmp_path))
    SessionFile(tmp_path, SessionId("https://a.example.com/")).update(transport="x")
    SessionFile(tmp_path, SessionId(SERVER)).update(port=1)
    (tmp_path / f"{'0' * 32}.json").write_bytes(b"{broken")
    copied = (tmp_path / f"{SessionId(SERVER).record_name}.json").read_bytes()
    (tmp_path / f"{'1' * 32}.json").write_bytes(copied)
    (tmp_path / f"{'2' * 32}.json").write_text(json.dumps({"schema": 3, "server": SERVER}))
    (tmp_path / "key").write_bytes(b"something else")
    with caplog.at_level(logging.WARNING):
        found = list_records(tmp_path)
    assert found == [
        SessionRecord(server="https://a.example.com/", transport="x"),
        SessionRecord(server=SERVER, port=1),
        FULL,
    ]
    assert caplog.text.count("is not usable") == 1


def test_folder_that_is_not_one_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert list_records(tmp_path / "file") == []
    assert "cannot be read" in caplog.text


@pytest.mark.promise("L2")
def test_budget_is_amended_by_many_processes_without_a_loss(tmp_path: Path) -> None:
    def work() -> None:
        record = SessionFile(tmp_path, SessionId(SERVER))
        for _ in range(25):
            record.amend(lambda budget: msgspec.structs.replace(budget, tabs=(*budget.tabs, 1.0)))
            record.update(transport="x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert SessionFile(tmp_path, SessionId(SERVER)).read().budget == SignInBudget(tabs=(1.0,) * 100)


@pytest.mark.promise("L2")
def test_budget_that_cannot_be_written_holds_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    record = SessionFile(tmp_path / "folder", SessionId(SERVER))
    for count in (1, 2):
        record.amend(lambda budget: msgspec.structs.replace(budget, vain_tabs=budget.vain_tabs + 1))
        assert record.read().budget.vain_tabs == count


# A disk that fails


def hinder(folder: Path) -> None:
    """No record can be written: a file is where the locks are to be."""
    for path in (folder / "locks").glob("*"):
        path.unlink()
    if (folder / "locks").is_dir():
        (folder / "locks").rmdir()
    (folder / "locks").write_text("in the way")


def help_again(folder: Path) -> None:
    (folder / "locks").unlink()


def tab_at(moment: float) -> Callable[[SignInBudget], SignInBudget]:
    return lambda budget: note_tab(budget, moment)


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
def test_what_could_not_be_written_is_made_again_once_on_what_others_wrote(tmp_path: Path) -> None:
    ours, theirs = (
        SessionFile(tmp_path, SessionId(SERVER)),
        SessionFile(tmp_path, SessionId(SERVER)),
    )
    ours.amend(tab_at(100.0))
    hinder(tmp_path)
    ours.amend(tab_at(200.0))
    ours.update(scope="ours", port=1)
    assert ours.look().budget.tabs == (100.0, 200.0)
    help_again(tmp_path)
    assert theirs.look().budget.tabs == (100.0,)
    theirs.amend(tab_at(300.0))
    theirs.update(scope="theirs")
    assert ours.look().budget.tabs == (100.0, 200.0, 300.0)
    for _ in range(2):
        ours.flush()
        ours.amend(lambda budget: budget)
        for one in (ours, theirs, SessionFile(tmp_path, SessionId(SERVER))):
            assert one.look().budget == SignInBudget(tabs=(100.0, 200.0, 300.0), vain_tabs=3)
            assert one.look().scope == "theirs", "what is newer stays"


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
def test_change_that_must_last_and_cannot_is_none(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.amend(tab_at(100.0))
    hinder(tmp_path)
    with pytest.raises(StoreError, match="cannot be made private"):
        record.amend(tab_at(200.0), must_last=True)
    assert record.look().budget.tabs == (100.0,)
    help_again(tmp_path)
    assert record.amend(tab_at(300.0), must_last=True).tabs == (100.0, 300.0)


@pytest.mark.report("S8")
def test_disk_that_goes_on_failing_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    hinder(tmp_path)
    with caplog.at_level(logging.WARNING):
        for port in range(300):
            record.update(port=port)
    assert len(caplog.records) == 1
    assert record.read().port == 299
    help_again(tmp_path)
    record.flush()
    assert SessionFile(tmp_path, SessionId(SERVER)).read().port == 299


@pytest.mark.promise("L2")
@pytest.mark.report("S8", "S15")
def test_record_that_cannot_be_read_is_neither_empty_nor_overwritten(tmp_path: Path) -> None:
    record = SessionFile(tmp_path / "folder", SessionId(SERVER))
    record.amend(tab_at(100.0))
    path = only_file(tmp_path / "folder")
    aside = tmp_path / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    before = aside.read_bytes()
    again = SessionFile(tmp_path / "folder", SessionId(SERVER))
    with pytest.raises(StoreError, match="symbolic link"):
        again.look()
    again.amend(tab_at(200.0))
    assert (aside.read_bytes(), path.is_symlink()) == (before, True)
    path.unlink()
    aside.rename(path)
    assert again.look().budget.tabs == (100.0, 200.0)


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
@pytest.mark.parametrize("content", [b"{", b"[]", b"", b'{"schema":3}', b'{"server":"other"}'])
def test_broken_record_has_a_spent_budget_and_is_moved_aside(
    tmp_path: Path, content: bytes
) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(port=1)
    path = only_file(tmp_path)
    path.write_bytes(content)
    now = path.stat().st_mtime
    assert record.look().budget == make_spent(now)
    assert wait_for_tab(record.look().budget, now + 1, step_up=False) == DAY - 1
    record.update(port=2)
    assert SessionFile(tmp_path, SessionId(SERVER)).look().budget == make_spent(now)
    kept = [one.read_bytes() for one in tmp_path.glob("*.quarantine-1")]
    assert kept == ([content] if content else [])
    record.delete()
    assert left_in(tmp_path) == []


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
def test_broken_record_stays_until_another_is_in_its_place(tmp_path: Path) -> None:
    """A record that is missing would be a full budget."""
    record = SessionFile(tmp_path, SessionId(SERVER), randomness=bytes)
    record.update(port=1)
    path = only_file(tmp_path)
    path.write_bytes(b"{")
    now = path.stat().st_mtime
    in_the_way = path.with_name(f"{path.name}.{bytes(8).hex()}.tmp")
    in_the_way.mkdir()
    record.update(port=2)
    assert SessionFile(tmp_path, SessionId(SERVER)).look().budget == make_spent(now)
    assert path.read_bytes() == b"{"
    in_the_way.rmdir()
    record.flush()
    assert record.read().port == 2
    assert record.look().budget == make_spent(now)


@pytest.mark.report("S8")
def test_record_of_a_gigabyte_is_not_read_whole(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(port=1)
    path = only_file(tmp_path)
    os.truncate(path, 1 << 30)
    tracemalloc.start()
    try:
        assert record.read() == SessionRecord()
        assert list_records(tmp_path) == []
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_OWN_FILE_BYTES
    finally:
        tracemalloc.stop()
        path.unlink()  # who looks for secrets later reads all there is


def test_drafts_of_killed_processes_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.update(port=1)
    path = only_file(tmp_path)
    old, young = (path.with_name(f"{path.name}.{name}.tmp") for name in ("old", "young"))
    for draft in (old, young):
        draft.write_bytes(b"half")
    os.utime(old, (0, time.time() - DRAFT_AGE - 10))
    record.update(port=2)
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize(
    ("changes", "has_worked"),
    [
        ({"transport": "x"}, True),
        ({"era": "modern"}, True),
        ({"signed_in_at": 1.0}, True),
        ({"last_error": "x"}, False),
    ],
)
def test_record_may_tell_that_the_server_has_answered(
    tmp_path: Path, changes: SessionChanges, has_worked: bool
) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    assert not record.has_worked()
    record.update(**changes)
    assert record.has_worked() is has_worked


def test_that_a_server_has_worked_is_kept_without_its_address(tmp_path: Path) -> None:
    record = SessionFile(tmp_path, SessionId(SERVER))
    record.note_worked()
    assert SessionFile(tmp_path, SessionId(SERVER)).has_worked()
    assert not SessionFile(tmp_path, SessionId(f"{SERVER}x")).has_worked()
    (mark,) = left_in(tmp_path)
    assert mark.read_bytes() == b""
    assert list_records(tmp_path) == []
    assert record.read() == SessionRecord()
    assert record.delete()
    assert not record.has_worked()


def test_disk_that_does_not_keep_it_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    record = SessionFile(tmp_path / "file", SessionId(SERVER))
    record.note_worked()
    assert not record.has_worked()
