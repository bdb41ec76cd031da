"""Every promise has a test, and every test that names a promise names one there is.

Reads the tests as text, so that it says the same whichever tests are run. Must not import them.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from tests.requirements import PROMISES

TESTS = Path(__file__).parent


def find_test_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(TESTS):
        folders[:] = [name for name in folders if name != "node_modules" and name[0] != "."]
        for name in files:
            if name.startswith("test_") and name.endswith(".py"):
                yield Path(folder, name)


def find_marks(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of `pytest.mark.promise` that mark something: decorators and `pytestmark`."""
    for node in ast.walk(tree):
        candidates: list[ast.expr] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith(("test_", "Test")):
                candidates = node.decorator_list
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            candidates = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        for candidate in candidates:
            if isinstance(candidate, ast.Call) and (
                ast.unparse(candidate.func) == "pytest.mark.promise"
            ):
                yield candidate


def promises_of(source: str) -> list[str]:
    return [
        str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)
        for mark in find_marks(ast.parse(source))
        for argument in mark.args
    ]


def collect_promises() -> dict[str, list[str]]:
    """Promise id -> the files that name it."""
    named: dict[str, list[str]] = {}
    for path in sorted(find_test_files()):
        for promise in promises_of(path.read_text(encoding="utf-8")):
            named.setdefault(promise, []).append(path.relative_to(TESTS).as_posix())
    return named


def test_every_promise_has_a_test() -> None:
    unproven = sorted(PROMISES.keys() - collect_promises().keys())
    assert not unproven, f"no test carries pytest.mark.promise for {unproven}"


def test_every_named_promise_is_known() -> None:
    unknown = {
        promise: files for promise, files in collect_promises().items() if promise not in PROMISES
    }
    assert not unknown, f"not in tests/requirements.py: {unknown}"


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
    assert set(promises_of(source)) == found
