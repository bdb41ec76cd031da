"""No "Never again" is without a test, and no test is named that does not exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults.network_rows import CALLS, READS, RENEWALS, SIGN_INS
from tests.faults.notes import NOT_HERE, SHOWN_BY

TESTS = Path(__file__).parent.parent
NUMBERS = set(range(1, 50))


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_number_is_shown_or_said_not_to_be() -> None:
    assert set(SHOWN_BY) | set(NOT_HERE) == NUMBERS
    assert not set(SHOWN_BY) & set(NOT_HERE)


def test_rows_are_for_known_numbers_and_have_one_name() -> None:
    tables = (CALLS, READS, RENEWALS, SIGN_INS)
    assert len({name for table in tables for name in table}) == sum(map(len, tables))
    for table in tables:
        for name, row in table.items():
            assert set(row.notes) <= NUMBERS, name
            assert row.seen, name


@pytest.mark.parametrize("number", sorted(SHOWN_BY))
def test_what_is_named_is_there(number: int) -> None:
    for one in SHOWN_BY[number]:
        file, _, name = one.partition("::")
        found = names_in(TESTS / file)
        assert (name == "*" and found) or name in found, one
