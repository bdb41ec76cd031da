"""Which tests carry which mark: read from their text, so that it is the same whichever are run.

Must not import any test.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent


def find_test_files() -> Iterator[Path]:
    """Every file of tests, wherever it lies."""
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
    """The ids that `source` names by that mark."""
    return [
        str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)
        for call in find_marks(ast.parse(source), mark)
        for argument in call.args
    ]


@cache
def collect(mark: str) -> dict[str, list[str]]:
    """Id -> the files that name it by that mark."""
    named: dict[str, list[str]] = {}
    for path in sorted(find_test_files()):
        for name in marked_in(path.read_text(encoding="utf-8"), mark):
            named.setdefault(name, []).append(path.relative_to(TESTS).as_posix())
    return named
