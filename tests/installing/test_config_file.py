"""A host's config file on a real disk: links, modes, other writers, processes that are killed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_remote_py.errors import StoreError
from mcp_remote_py.hosts.config_text import BrokenConfig, Form, set_entry
from mcp_remote_py.installing.config_file import (
    BACKUP_ENDING,
    DRAFT_ENDING,
    MAX_BACKUPS,
    MAX_EDITS,
    ConfigEdit,
    edit_config,
    read_config,
)

ROOT = Path(__file__).parents[2]
NO_PAUSE: list[float] = []


def put(path: Path, edit: Callable[[bytes], bytes] = lambda old: old + b"+") -> ConfigEdit:
    lock = path.parents[1] / "ours" / "lock"
    return edit_config(path, edit, lock=lock, randomness=os.urandom, pause=NO_PAUSE.append)


def refused(path: Path) -> str:
    """The sentence; nothing is left beside the file."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(StoreError) as caught:
        put(path)
    assert sorted(os.listdir(path.parent)) == before
    return caught.value.sentence()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    return tmp_path / "host" / "mcp.json"


def backup_of(path: Path, number: int = 1) -> Path:
    return path.with_name(path.name + BACKUP_ENDING + (f"-{number}" if number > 1 else ""))


def test_the_old_content_lies_beside_the_new(path: Path) -> None:
    path.write_bytes(b"old")
    path.chmod(0o644)
    folder_mode = stat.S_IMODE(path.parent.stat().st_mode)
    assert put(path) == ConfigEdit(path, b"old", b"old+", backup_of(path))
    assert (path.read_bytes(), backup_of(path).read_bytes()) == (b"old+", b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(backup_of(path).stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == folder_mode
    assert sorted(os.listdir(path.parent)) == [path.name, backup_of(path).name]


def test_what_stays_the_same_is_not_written(path: Path) -> None:
    path.write_bytes(b"old")
    inode = path.stat().st_ino
    assert put(path, lambda old: old) == ConfigEdit(path, b"old", b"old", None)
    assert (path.stat().st_ino, os.listdir(path.parent)) == (inode, [path.name])
    assert put(path.with_name("none"), lambda old: old).before is None
    assert os.listdir(path.parent) == [path.name]


def test_the_first_back_ups_stay_and_there_are_not_many(path: Path) -> None:
    path.write_bytes(b"0")
    for number in range(MAX_BACKUPS + 3):
        put(path, lambda _, number=number: b"%d" % (number + 1))
    kept = [backup_of(path, number).read_bytes() for number in range(1, MAX_BACKUPS + 1)]
    assert kept == [*(b"%d" % each for each in range(MAX_BACKUPS - 1)), b"%d" % (MAX_BACKUPS + 2)]
    assert len(os.listdir(path.parent)) == 1 + MAX_BACKUPS


def test_a_content_that_has_a_back_up_gets_no_second_one(path: Path) -> None:
    path.write_bytes(b"a")
    put(path, lambda _: b"b")
    put(path, lambda _: b"a")
    edit = put(path, lambda _: b"c")
    assert edit.backup == backup_of(path)
    assert len(os.listdir(path.parent)) == 3


def test_a_new_file_and_its_folders_are_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "mcp.json"
    edit = put(path)
    assert edit == ConfigEdit(path, None, b"+", None)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, tmp_path / "a")]
    assert modes == [0o600, 0o700, 0o700]
    assert read_config(path) == b"+"
    assert read_config(path.with_name("none")) is None


def test_links_stay_and_lead_to_the_new_content(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_bytes(b"old")
    middle = tmp_path / "middle"
    middle.symlink_to("dotfiles.json")
    path.symlink_to(middle)
    edit = put(path)
    assert (edit.path, edit.backup) == (target, backup_of(target))
    assert (os.readlink(path), os.readlink(middle)) == (str(middle), "dotfiles.json")
    assert target.read_bytes() == path.read_bytes() == b"old+"
    assert os.listdir(path.parent) == [path.name]


def test_a_link_to_a_file_that_is_not_there_makes_it(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "gone.json")
    assert put(path).path == tmp_path / "gone.json"
    assert path.is_symlink()
    assert path.read_bytes() == b"+"


def test_links_that_lead_nowhere_are_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "none" / "gone.json")
    assert refused(path) == (
        f"{path} cannot be changed: It is a link to {tmp_path}/none/gone.json, and that folder does"
        " not exist. Check that it is the right file."
    )
    path.unlink()
    path.symlink_to(path)
    assert refused(path) == (
        f"{path} cannot be changed: It is a link that leads to itself."
        " Check that it is the right file."
    )
    with pytest.raises(StoreError, match="cannot be read: It is a link that leads to itself"):
        read_config(path)


def test_both_names_of_a_hard_link_stay_one_file(path: Path) -> None:
    path.write_bytes(b"old, and longer")
    other = path.with_name("other")
    other.hardlink_to(path)
    assert put(path, lambda _: b"new").backup == backup_of(path)
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"new")
    assert path.stat().st_ino == other.stat().st_ino
    assert backup_of(path).read_bytes() == b"old, and longer"
    assert len(os.listdir(path.parent)) == 3


def test_what_is_not_a_plain_file_is_refused(path: Path) -> None:
    os.mkfifo(path)
    assert refused(path) == (
        f"{path} cannot be changed: It is not a plain file. Check that it is the right file."
    )
    path.unlink()
    path.mkdir()
    assert "It is not a plain file" in refused(path) or "Is a directory" in refused(path)


def test_a_read_only_file_stays(path: Path) -> None:
    path.write_bytes(b"old")
    path.chmod(0o444)
    assert refused(path) == (
        f"{path} cannot be changed: It is read-only. To change that: chmod u+w {path}"
    )
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["user.note"] if sys.platform == "linux" else [])
def test_attributes_of_the_file_stay(path: Path, name: str) -> None:
    path.write_bytes(b"old")
    with contextlib.suppress(OSError):  # some disks have none
        os.setxattr(path, name, b"mine")
    before = os.listxattr(path)
    put(path)
    assert os.listxattr(path) == before


def test_an_edit_is_made_on_what_another_has_written_meanwhile(path: Path) -> None:
    path.write_bytes(b"old")
    seen: list[bytes] = []

    def edit(old: bytes) -> bytes:
        seen.append(old)
        if len(seen) < 3:
            path.write_bytes(b"other %d" % len(seen))
        return old + b"+"

    result = put(path, edit)
    assert seen == [b"old", b"other 1", b"other 2"]
    assert (path.read_bytes(), backup_of(path).read_bytes()) == (b"other 2+", b"other 2")
    assert result.backup == backup_of(path)
    assert len(os.listdir(path.parent)) == 2


def test_a_file_that_comes_meanwhile_is_not_replaced_unread(path: Path) -> None:
    def edit(old: bytes) -> bytes:
        if not old:
            path.write_bytes(b"theirs")
        return old + b"+"

    assert put(path, edit).before == b"theirs"
    assert path.read_bytes() == b"theirs+"


def test_who_writes_again_and_again_wins(path: Path) -> None:
    count = 0

    def edit(old: bytes) -> bytes:
        nonlocal count
        count += 1
        path.write_bytes(b"other %d" % count)
        return old + b"+"

    with pytest.raises(StoreError) as caught:
        put(path, edit)
    assert caught.value.sentence() == (
        f"{path} cannot be changed: another program writes it again and again."
        " Quit the application that it belongs to, and run the command again."
    )
    assert (count, path.read_bytes()) == (MAX_EDITS, b"other %d" % MAX_EDITS)
    assert os.listdir(path.parent) == [path.name]


def test_a_broken_file_is_named_and_stays(path: Path) -> None:
    path.write_bytes(b"{,}")
    with pytest.raises(BrokenConfig) as caught:
        put(path, lambda old: set_entry(old, Form.JSON, (), "n", {}))
    assert caught.value.cause.startswith(f"{path}, line 1, column 2: ")
    assert (path.read_bytes(), os.listdir(path.parent)) == (b"{,}", [path.name])


WRITER = """
import os, sys
from pathlib import Path
from mcp_remote_py.hosts.config_text import Form, set_entry
from mcp_remote_py.installing.config_file import edit_config

path = Path(sys.argv[1])
for number in range(int(sys.argv[3])):
    name = f"{sys.argv[2]}{number}"
    edit_config(
        path,
        lambda old: set_entry(old, Form.JSON, ("mcpServers",), name, {"command": "c"}),
        lock=path.parents[1] / "ours" / "lock",
        randomness=os.urandom,
    )
    print(name, flush=True)
"""


def start_writer(path: Path, name: str, count: int, **more: str) -> subprocess.Popen[bytes]:
    modules = [more.pop("first", str(ROOT)), str(ROOT)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(modules), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_two_processes_lose_no_entry_of_each_other(path: Path) -> None:
    path.write_bytes(b'{"mcpServers": {}}')
    for each in [start_writer(path, name, 8) for name in "ab"]:
        _, said = each.communicate(timeout=30)
        assert each.returncode == 0, said.decode()
    names = {f"{name}{number}" for name in "ab" for number in range(8)}
    assert set(json.loads(path.read_bytes())["mcpServers"]) == names


def test_who_is_killed_leaves_a_whole_file(path: Path) -> None:
    path.write_bytes(b'{"mcpServers": {}}')
    writer = start_writer(path, "k", 10_000)
    assert writer.stdout
    done = [writer.stdout.readline() for _ in range(5)]
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read()  # not `communicate`, which passes over what was read ahead
    writer.communicate(timeout=30)
    entries = json.loads(path.read_bytes())["mcpServers"]
    said = len(done) + rest.count(b"\n")
    assert len(entries) in {said, said + 1}
    assert json.loads(backup_of(path).read_bytes()) == {"mcpServers": {}}
    put(path)


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open", "fchmod"])
def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path, call: str) -> None:
    path = tmp_path / "state" / "host" / "mcp.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    (tmp_path / "plan").write_text(f"1 {errno.ENOSPC} on {call}")
    writer = start_writer(
        path, "n", 1, first=str(ROOT / "tests/harness/failing_disk"), FAILING_DISK=str(tmp_path)
    )
    _, said = writer.communicate(timeout=30)
    assert writer.returncode == 1
    assert b"StoreError" in said
    assert b"No space left on device" in said
    assert (path.read_bytes(), os.listdir(path.parent)) == (b"{}", [path.name])
    assert not any(name.endswith(DRAFT_ENDING) for name in os.listdir(path.parent))
