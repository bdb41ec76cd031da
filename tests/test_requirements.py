"""Every promise has a test, and every test that names a promise or a report names one there is.

Reads the tests as text, so that it says the same whichever tests are run. Must not import them.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.reports import REPORTS
from tests.requirements import PROMISES

TESTS = Path(__file__).parent


def find_test_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(TESTS):
        folders[:] = [name for name in folders if name != "node_modules" and name[0] != "."]
        for name in files:
            if name.startswith("test_") and name.endswith(".py"):
                yield Path(folder, name)


def find_marks(tree: ast.Module, mark: str) -> Iterator[ast.Call]:
    """The calls of that mark of pytest's that mark something: decorators and `pytestmark`."""
    for node in ast.walk(tree):
        candidates: list[ast.expr] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith(("test_", "Test")):
                candidates = node.decorator_list
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            candidates = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        for candidate in candidates:
            if isinstance(candidate, ast.Call) and (
                ast.unparse(candidate.func) == f"pytest.mark.{mark}"
            ):
                yield candidate


def marked_in(source: str, mark: str) -> list[str]:
    return [
        str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)
        for call in find_marks(ast.parse(source), mark)
        for argument in call.args
    ]


def collect(mark: str) -> dict[str, list[str]]:
    """Id -> the files that name it by that mark."""
    named: dict[str, list[str]] = {}
    for path in sorted(find_test_files()):
        for name in marked_in(path.read_text(encoding="utf-8"), mark):
            named.setdefault(name, []).append(path.relative_to(TESTS).as_posix())
    return named


def test_every_promise_has_a_test() -> None:
    unproven = sorted(PROMISES.keys() - collect("promise").keys())
    assert not unproven, f"no test carries pytest.mark.promise for {unproven}"


@pytest.mark.parametrize(
    ("mark", "known"), [("promise", PROMISES), ("report", REPORTS)], ids=["promise", "report"]
)
def test_every_named_id_is_known(mark: str, known: Mapping[str, object]) -> None:
    unknown = {name: files for name, files in collect(mark).items() if name not in known}
    assert not unknown, f"pytest.mark.{mark} names what there is not: {unknown}"


def test_every_promise_has_a_sentence_and_a_source() -> None:
    for name, promise in PROMISES.items():
        assert promise.text.endswith("."), name
        assert promise.source, name


def test_marks_are_found_where_pytest_finds_them_and_nowhere_else() -> None:
    source = """
pytestmark = [pytest.mark.promise("in-list")]
@pytest.mark.promise("one", "two")
def test_function(): ...
@pytest.mark.promise("class")
class TestCase:
    @other
    @pytest.mark.promise(NOT_A_LITERAL)
    async def test_method(self): ...
@pytest.mark.promise("helper")
def helper(): ...
"not a mark: pytest.mark.promise('text')"
"""
    found = {"in-list", "one", "two", "class", "NOT_A_LITERAL"}
    assert set(marked_in(source, "promise")) == found
