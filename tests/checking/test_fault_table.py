"""Every fault of the table, asked by the whole command: its cause, its next step, in time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checking.faults import FAULTS, play, run_here
from tests.checking.record import find_wrong, make_entry, read_record
from tests.documents import read, sections_in

pytestmark = pytest.mark.timeout(60)

SLOWEST = 10.0
"""Seconds within which a person was told, also by the record: issue J, and `docs/check.md`."""


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_cause_and_a_next_step(name: str, tmp_path: Path) -> None:
    told = play(FAULTS[name], tmp_path / "home", run_here)
    assert find_wrong(FAULTS[name], told) == []
    seen = dict(read_record()[name])
    assert seen.pop("seconds") <= SLOWEST
    assert make_entry(told) == seen, "if that is right: python -m tests.checking.record"


def test_the_record_is_of_these_faults() -> None:
    assert list(read_record()) == list(FAULTS)


def test_the_page_names_every_step() -> None:
    table = sections_in(read("docs/check.md"))["The steps"]
    told = re.findall(r"^\| ([\w -]+) \| `([\w-]+)` \|", table, re.MULTILINE)
    seen = {name for entry in read_record().values() for name in entry["steps"]}
    assert {name for _, name in told} == seen | {"speed"}, "no fault, and in test_faults"
    titles = {title for title, _ in told}
    assert {entry["step"] for entry in read_record().values()} <= titles
