"""Sealed files: private, whole, bound to their session, and never a reason to fail when broken."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_remote_py.credentials.files import (
    MAX_QUARANTINED,
    REPLACE_WAITS,
    quarantine,
    replace,
    write_private,
)
from mcp_remote_py.credentials.sealed import NONCE_BYTES, PENDING_SUFFIX, SUFFIX, SealedStore
from mcp_remote_py.credentials.store import StoreError
from mcp_remote_py.oauth.steps import PendingAuthorization
from mcp_remote_py.redact import Secret
from tests.credentials.contract import (
    CANARY,
    FULL,
    ONLY_CLIENT,
    OTHER,
    SESSION,
    LastingStoreContract,
)

PENDING = PendingAuthorization(
    "https://as.example/authorize",
    Secret(f"state {CANARY}"),
    Secret(f"verifier {CANARY}"),
    FULL,
    "mcp.example",
    1_800_000_300.0,
    scopes_supported=("read", "write"),
    begun_at=1_800_000_000.25,
    opened_at=1_800_000_000.25,
    is_shown_again=True,
)


class FixedKeys:
    """One key under one name; None is a key that is gone."""

    def __init__(self, key: bytes | None = b"k" * 32, name: str = "fixed") -> None:
        self.key = key
        self.name = name

    def for_sealing(self) -> tuple[str, bytes]:
        if self.key is None:
            raise StoreError("There is no key.", hint="Make one.")
        return self.name, self.key

    def for_opening(self, name: str) -> bytes | None:
        return self.key if name == self.name else None

    def describe(self) -> str:
        return "a fixed key"


def store_in(folder: Path, keys: FixedKeys | None = None) -> SealedStore:
    return SealedStore(folder / "state" / "sessions", keys or FixedKeys(), os.urandom)


def record_in(folder: Path, session: str = SESSION) -> Path:
    return folder / "state" / "sessions" / f"{session}{SUFFIX}"


def names_beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir())


class TestSealedStore(LastingStoreContract):
    def open_store(self, folder: Path) -> SealedStore:
        return store_in(folder)


@pytest.mark.promise("A7", "S2")
def test_files_and_folders_are_their_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store_in(tmp_path).save(SESSION, FULL)
    finally:
        os.umask(mask)
    path = record_in(tmp_path)
    assert names_beside(path) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_folder_that_was_there_before_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    store_in(tmp_path).save(SESSION, FULL)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o755


@pytest.mark.promise("S2")
def test_what_was_opened_to_others_is_closed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store_in(tmp_path).save(SESSION, FULL)
    path = record_in(tmp_path)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        assert store_in(tmp_path).load(SESSION) == FULL
    assert f"{path} could be read by others; now only by you." in caplog.text
    assert path.stat().st_mode & 0o777 == 0o600
    store_in(tmp_path).prepare()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_no_two_records_share_a_nonce_or_a_byte_that_tells(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    bodies: set[bytes] = set()
    for _ in range(20):
        store.save(SESSION, FULL)
        bodies.add(record_in(tmp_path).read_bytes().partition(b"\n")[2][:NONCE_BYTES])
    assert len(bodies) == 20


@pytest.mark.promise("A7")
def test_record_cut_at_any_byte_is_moved_aside_and_replaced(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(SESSION, ONLY_CLIENT)
    path = record_in(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert store.load(SESSION) is None, length
        assert store.sessions() == []
    assert len(names_beside(path)) == MAX_QUARANTINED
    store.save(SESSION, FULL)
    assert store.load(SESSION) == FULL


@pytest.mark.promise("A7")
def test_record_with_any_byte_changed_is_not_a_record(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(SESSION, ONLY_CLIENT)
    path = record_in(tmp_path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x20
        path.write_bytes(damaged)
        assert store.load(SESSION) is None, position
    path.write_bytes(whole)
    assert store.load(SESSION) == ONLY_CLIENT


def break_by_other_name(path: Path) -> None:
    os.replace(record_in(path, OTHER), record_in(path))


def break_by_foreign_file(path: Path) -> None:
    record_in(path).write_bytes(b"SQLite format 3\0" + bytes(1000))


def break_by_clear_text(path: Path) -> None:
    record_in(path).write_bytes(b'{"access_token": "x"}')


def break_by_later_form(path: Path) -> None:
    whole = record_in(path).read_bytes()
    record_in(path).write_bytes(whole.replace(b" sealed 1 ", b" sealed 2 ", 1))


def break_by_other_key(path: Path) -> None:
    store_in(path, FixedKeys(b"o" * 32)).save(SESSION, ONLY_CLIENT)


def break_by_folder(path: Path) -> None:
    record_in(path).unlink()
    record_in(path).mkdir()
    (record_in(path) / "in the way").write_text("")


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "damage",
    [
        break_by_other_name,
        break_by_foreign_file,
        break_by_clear_text,
        break_by_later_form,
        break_by_other_key,
        break_by_folder,
    ],
)
def test_foreign_record_is_moved_aside_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    store = store_in(tmp_path)
    store.save(SESSION, FULL)
    store.save(OTHER, FULL)
    damage(tmp_path)
    path = record_in(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert store.load(SESSION) is None
    aside = f"{path.name}.quarantine-1"
    assert aside in names_beside(path)
    assert f"{path} was moved to {aside} and is not used: " in caplog.text
    assert CANARY not in caplog.text
    caplog.clear()
    assert store.load(SESSION) is None
    assert caplog.text == ""
    store.save(SESSION, FULL)
    assert store.load(SESSION) == FULL


def test_record_whose_key_is_gone_waits_for_it(tmp_path: Path) -> None:
    keys = FixedKeys()
    store = store_in(tmp_path, keys)
    store.save(SESSION, FULL)
    keys.key, key = None, keys.key
    assert store.load(SESSION) is None
    assert store.sessions() == [SESSION]
    with pytest.raises(StoreError):
        store.save(SESSION, ONLY_CLIENT)
    keys.key = key
    assert store.load(SESSION) == FULL


def test_forgetting_needs_no_key_and_takes_every_copy(tmp_path: Path) -> None:
    store_in(tmp_path).save(SESSION, FULL)
    store_in(tmp_path, FixedKeys(b"o" * 32)).load(SESSION)
    store_in(tmp_path).save(SESSION, FULL)
    store_in(tmp_path).save(OTHER, FULL)
    path = record_in(tmp_path)
    path.with_name(f"{path.name}.0123456789abcdef.tmp").write_bytes(b"left by a crash")
    assert len(names_beside(path)) == 4
    assert store_in(tmp_path, FixedKeys(None)).forget(SESSION) is True
    assert names_beside(path) == [record_in(tmp_path, OTHER).name]


@pytest.mark.promise("A7")
def test_reader_sees_the_old_record_or_the_new_one_and_moves_none_aside(tmp_path: Path) -> None:
    credentials = [FULL, ONLY_CLIENT._replace(scope="s" * 100_000)]
    store = store_in(tmp_path)
    store.save(SESSION, FULL)
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(100):
                store_in(tmp_path).save(SESSION, credentials[number % 2])
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [store.load(SESSION)]
    while not done.is_set():
        seen.append(store.load(SESSION))
    writer.join(10)
    assert all(credential in credentials for credential in seen)
    assert names_beside(record_in(tmp_path)) == [record_in(tmp_path).name]


def test_file_that_was_replaced_meanwhile_is_not_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_private(path, b"new and good", os.urandom)
    assert quarantine(path, b"old and broken", "It is broken.") is False
    assert path.read_bytes() == b"new and good"


def test_record_that_is_replaced_while_its_key_is_looked_for_is_read_again(tmp_path: Path) -> None:
    class LateKeys(FixedKeys):
        def for_opening(self, name: str) -> bytes | None:
            key, self.key = self.key, b"k" * 32
            if key != self.key:
                store_in(tmp_path).save(SESSION, FULL)
            return key

    store_in(tmp_path).save(SESSION, ONLY_CLIENT)
    assert store_in(tmp_path, LateKeys(b"o" * 32)).load(SESSION) == FULL
    assert names_beside(record_in(tmp_path)) == [record_in(tmp_path).name]


def test_file_that_cannot_be_moved_aside_is_an_error(tmp_path: Path) -> None:
    path = record_in(tmp_path)
    write_private(path, b"broken", os.urandom)
    for number in range(1, MAX_QUARANTINED + 1):
        path.with_name(f"{path.name}.quarantine-{number}").mkdir()
    with pytest.raises(StoreError, match="cannot be moved aside: Is a directory"):
        store_in(tmp_path).load(SESSION)


@pytest.mark.promise("A7")
@pytest.mark.parametrize("task", ["prepare", "save"])
@pytest.mark.parametrize("obstacle", ["file for folder", "no such device"])
def test_folder_that_cannot_be_used_is_an_error_with_a_way_out(
    tmp_path: Path, obstacle: str, task: str
) -> None:
    folder = Path("/dev/null/folder") if obstacle == "no such device" else tmp_path / "folder"
    if obstacle == "file for folder":
        folder.write_text("in the way")
    store = SealedStore(folder, FixedKeys(), os.urandom)
    with pytest.raises(StoreError) as caught:
        store.prepare() if task == "prepare" else store.save(SESSION, FULL)
    sentence = caught.value.sentence()
    assert sentence.startswith(f"{folder} cannot be made private: ")
    assert sentence.endswith(
        " Make that folder yours and writable, or name another in MCP_REMOTE_CONFIG_DIR."
    )
    assert CANARY not in sentence


def test_record_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    path = record_in(tmp_path)
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be written"):
        store_in(tmp_path).save(SESSION, FULL)
    assert names_beside(path) == [path.name]


def test_record_that_is_a_folder_cannot_be_forgotten_and_says_so(tmp_path: Path) -> None:
    record_in(tmp_path).mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be deleted"):
        store_in(tmp_path).forget(SESSION)


DELETES = """
import os, sys
from pathlib import Path
from mcp_remote_py.credentials.sealed import SealedStore
from tests.credentials.test_sealed import PENDING, SESSION, FixedKeys

store = SealedStore(Path(sys.argv[1]), FixedKeys(), os.urandom)
store.save_pending(SESSION, PENDING)
Path(os.environ["FAILING_DISK"], "plan").write_text("1 5 on unlink")
store.save_pending(SESSION, None)
"""


@pytest.mark.report("S8")
def test_what_cannot_be_deleted_is_overwritten_and_not_taken_for_broken(tmp_path: Path) -> None:
    store, path = store_in(tmp_path), record_in(tmp_path).with_suffix(PENDING_SUFFIX)
    root = Path(__file__).parents[2]
    modules = [str(root / "tests" / "harness" / "failing_disk"), str(root)]
    environment = {"PYTHONPATH": os.pathsep.join(modules), "FAILING_DISK": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", DELETES, str(path.parent)],
        env=os.environ | environment,
        timeout=30,
        check=True,
    )
    assert path.exists()
    assert store.load_pending(SESSION) is None
    assert names_beside(path) == [path.name]
    store.save_pending(SESSION, PENDING)
    assert store.load_pending(SESSION) == PENDING
    store.save_pending(SESSION, None)
    assert names_beside(path) == []


def test_unreadable_place_is_an_error_and_not_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sessions").write_text("in the way")
    for read in (store_in(tmp_path).sessions, lambda: store_in(tmp_path).load(SESSION)):
        with pytest.raises(StoreError, match="cannot be read: Not a directory"):
            read()


def test_replacing_has_patience_with_readers() -> None:
    """Windows refuses while another process has the file open."""
    waits: list[float] = []

    def rename(source: Path, target: Path) -> None:
        if len(waits) < 3:
            raise PermissionError(13, "in use")

    replace(Path("new"), Path("old"), rename, waits.append)
    assert waits == list(REPLACE_WAITS[:3])


def test_replacing_ends() -> None:
    waits: list[float] = []

    def rename(source: Path, target: Path) -> None:
        raise PermissionError(13, "in use")

    with pytest.raises(PermissionError):
        replace(Path("new"), Path("old"), rename, waits.append)
    assert waits == list(REPLACE_WAITS)
    assert sum(waits) < 1
