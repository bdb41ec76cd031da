"""Files and folders that refuse the person: all stays as it was, and the person learns why.

As a user without the rights of root, whoever runs the tests (`somebody`). What needs files of two
users is there where root runs them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_remote_py.installing.obstacles import Obstacle, find_obstacle
from tests.installing.desk import HEADER, URL
from tests.installing.somebody import GROUP, IS_ROOT, NAME, USER, Somebody

FILE = ".cursor/mcp.json"
ENTRY = f'{{"mcpServers": {{"math": {{"command": "uvx", "args": ["mcp-remote-py", "{URL}"]}}}}}}\n'
INSTALL = ("install", "tools", URL, *HEADER, "--client", "cursor")
UNINSTALL = ("uninstall", "math", "--client", "cursor", "--yes")


@pytest.fixture
def somebody() -> Iterator[Somebody]:
    """In a folder that anybody can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(os.path.realpath(folder), "home")
        home.mkdir(0o755)
        os.chown(home, USER, GROUP)
        yield Somebody(home)
        for path, folders, _ in os.walk(folder):
            for each in folders:
                Path(path, each).chmod(0o700)


@dataclass(frozen=True)
class Case:
    """What is in the way, and what is said; {file} and {folder} stand for their paths."""

    name: str
    prepare: Callable[[Path], object]
    said: str
    words: tuple[tuple[str, ...], ...] = (INSTALL, UNINSTALL)


def give(path: Path, mode: int) -> None:
    """Root has it now."""
    os.chown(path, 0, 0)
    path.chmod(mode)


def link(file: Path, mode: int, owner: int) -> None:
    """The file lies elsewhere, as that of a program that manages such files."""
    elsewhere = file.parents[2] / "elsewhere.json"
    file.rename(elsewhere)
    elsewhere.chmod(mode)
    os.chown(elsewhere, owner, -1)
    file.symlink_to(elsewhere)


def take_away(file: Path) -> None:
    file.unlink()
    file.parent.chmod(0o555)


CASES = [
    Case(
        "a file that is read-only",
        lambda file: file.chmod(0o444),
        "{file} cannot be changed: It is read-only. To change that: chmod u+w {file}",
    ),
    Case(
        "a folder that is read-only",
        lambda file: file.parent.chmod(0o555),
        "{file} cannot be changed: Its folder {folder} is read-only."
        " To change that: chmod u+w {folder}",
    ),
    Case(
        "no file, in a folder that is read-only",
        take_away,
        "{file} cannot be changed: Its folder {folder} is read-only."
        " To change that: chmod u+w {folder}",
        (INSTALL,),
    ),
    Case(
        "a file that nobody may read",
        lambda file: file.chmod(0o200),
        "{file} cannot be read: It is closed to you. To change that: chmod u+r {file}",
    ),
    Case(
        "a folder that nobody may open",
        lambda file: file.parent.chmod(0),
        "{file} cannot be read: Its folder {folder} is closed to you."
        " To change that: chmod u+rwx {folder}",
    ),
    Case(
        "a link to a file that is read-only",
        lambda file: link(file, 0o444, USER),
        "{file} cannot be changed: It is a link to {elsewhere}, which is read-only."
        " To change that: chmod u+w {elsewhere}",
    ),
]
CASES_OF_TWO = [
    Case(
        "a file of root's",
        lambda file: give(file, 0o644),
        f"{{file}} cannot be changed: It belongs to root."
        f" To make it yours: sudo chown {NAME} {{file}}",
    ),
    Case(
        "one that everybody may write",
        lambda file: give(file, 0o666),
        f"{{file}} cannot be changed: It belongs to root."
        f" To make it yours: sudo chown {NAME} {{file}}",
    ),
    Case(
        "one that only root may read",
        lambda file: give(file, 0o600),
        f"{{file}} cannot be read: It belongs to root."
        f" To make it yours: sudo chown {NAME} {{file}}",
    ),
    Case(
        "a folder of root's",
        lambda file: give(file.parent, 0o755),
        f"{{file}} cannot be changed: Its folder {{folder}} belongs to root."
        f" To make it yours: sudo chown {NAME} {{folder}}",
    ),
    Case(
        "file and folder of root's",
        lambda file: [give(one, 0o755) for one in (file, file.parent)],
        "{file} cannot be changed: It belongs to root. Run the command as root.",
    ),
    Case(
        "a link to a file of root's",
        lambda file: link(file, 0o444, 0),
        "{file} cannot be changed: It is a link to {elsewhere}, which belongs to root. Change it"
        " with the program that has made the link, or put a file of yours in the place of the"
        " link.",
    ),
]


@pytest.mark.parametrize(
    "case", [*CASES, *(CASES_OF_TWO if IS_ROOT else ())], ids=lambda case: case.name
)
def test_what_refuses_the_person_stays_as_it_was(somebody: Somebody, case: Case) -> None:
    file = somebody.put(FILE, ENTRY)
    case.prepare(file)
    places = {"folder": file.parent, "elsewhere": file.parents[2] / "elsewhere.json"}
    before = somebody.look()
    for words in case.words:
        status, said = somebody.run(*words)
        assert (status, said.splitlines()[-1]) == (
            1,
            f"[mcp-remote-py] {case.said.format(file=file, **places)}",
        )
        assert "Done" not in said
        assert somebody.look() == before


def test_the_folder_that_is_closed_is_named_wherever_it_is(somebody: Somebody) -> None:
    file = somebody.put(".codeium/windsurf/mcp_config.json", ENTRY)
    closed = file.parents[1]
    closed.chmod(0)
    status, said = somebody.run("uninstall", "math", "--client", "windsurf", "--yes")
    closed.chmod(0o755)
    assert status == 1
    assert said.splitlines()[-1] == (
        f"[mcp-remote-py] {file} cannot be read: Its folder {closed} is closed to you."
        f" To change that: chmod u+rwx {closed}"
    )
    assert file.read_text() == ENTRY


def test_the_secret_of_an_entry_stays_where_the_entry_does(somebody: Somebody) -> None:
    """The header's file has the same name before and after."""
    file = somebody.put(FILE, '{"mcpServers": {}}')
    words = (*INSTALL, "--secrets", "file", "--yes")
    assert "Done" in somebody.run(*words)[1]
    (header,) = (somebody.home / ".local").rglob("entries/*")
    before = (file.read_bytes(), header.read_bytes(), header.stat().st_mode)
    file.chmod(0o444)
    other = (*(word.replace("Bearer ", "Bearer other-") for word in words), "--debug")
    status, said = somebody.run(*other)
    assert (status, "It is read-only" in said) == (1, True)
    assert (file.read_bytes(), header.read_bytes(), header.stat().st_mode) == before
    assert list(header.parent.iterdir()) == [header]
    file.chmod(0o644)
    assert "Done" in somebody.run(*other)[1]
    assert header.read_bytes() != before[1]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_owner_group_and_mode_stay_where_the_file_is_of_another_group(
    somebody: Somebody, mode: int
) -> None:
    """Of root's group, where root runs the tests: the person is not in it."""
    file = somebody.put(FILE, ENTRY, mode)
    if IS_ROOT:
        os.chown(file, USER, 0)
        file.chmod(mode)
    before = somebody.look()[FILE]
    assert somebody.run(*UNINSTALL)[0] == 0
    after = somebody.look()
    is_worth_keeping = mode & 0o070 > (mode & 0o007) << 3
    assert after.pop(FILE)._replace(group=0) == before._replace(
        content=b'{"mcpServers": {}}\n', group=0
    )
    assert file.stat().st_gid in ({before.group} if is_worth_keeping else {before.group, GROUP})
    backup = after.pop(f"{FILE}.mcp-remote-py.bak")
    assert (backup.content, backup.owner, backup.mode) == (before.content, USER, 0o600)
    assert after.keys() == {".cursor"}


def test_root_leaves_the_file_to_its_owner(somebody: Somebody) -> None:
    """Who runs the command by sudo in their own home; here the person, where root does not run."""
    somebody.put(FILE, ENTRY, 0o640)
    before = somebody.look()[FILE]
    assert somebody.run(*UNINSTALL, is_root=True)[0] == 0
    after = somebody.look()
    assert after.pop(FILE) == before._replace(content=b'{"mcpServers": {}}\n')
    assert {node.owner for node in after.values()} == {USER}


def test_a_disk_that_is_read_only_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.touch(0o444)
    found = find_obstacle(file, changes=True, is_on_read_only_disk=lambda _: True)
    assert found == Obstacle(
        "It is on a disk that is read-only.", "Make that disk writable, and run the command again."
    )
