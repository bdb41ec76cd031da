"""No branch without a row, no row without a branch, and a test for each."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.platforms.branches import BRANCHES
from tests.platforms.collector import collect_branches

ROOT = Path(__file__).resolve().parents[2]


def test_each_branch_of_the_package_has_a_row() -> None:
    """A new one needs a row in `tests/platforms/branches.py`, and a test that plays it here."""
    found = collect_branches()
    known = Counter((one.file, one.where) for one in BRANCHES)
    assert [f"{file}:{found[file, where]} {where}" for file, where in found.keys() - known] == []
    assert known.keys() - found.keys() == set()
    assert max(known.values()) == 1


def test_each_row_says_what_is_different() -> None:
    assert [one for one in BRANCHES if not (one.windows or one.macos)] == []


def test_each_test_of_the_table_is_there() -> None:
    for one in BRANCHES:
        assert one.tests, one
        for test in one.tests:
            file, _, name = test.partition("::")
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            names = {
                node.name
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert not name or name.rpartition("::")[2] in names, test


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("import sys\ndef f():\n    return sys.platform", "f"),
        ("import os\nclass C:\n    is_posix = os.name == 'posix'", "C"),
        ("import os\nFLAGS = getattr(os, 'O_BINARY', 0)", "FLAGS"),
        ("import msvcrt", "module"),
        ("def f(platform):\n    if platform == 'darwin': pass", "f"),
        ("def f(system):\n    return hasattr(system, 'fork')", "f"),
        ("def f():\n    return import_module('winreg')", "f"),
        ("import platform\nNAME: str = platform.system()", "NAME"),
        ("async def f(system):\n    return system is System.WINDOWS", "f"),
    ],
)
def test_a_new_branch_is_found(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "new.py").write_text(text)
    assert list(collect_branches(tmp_path)) == [("new.py", where)]


def test_what_is_the_same_everywhere_is_not_a_branch(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("import os\nNAMES = {'resource': os.sep, 'a': 'select'}")
    assert collect_branches(tmp_path) == {}
