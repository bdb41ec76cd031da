"""Networks that need nothing but this machine, through the real command.

The others are played by `python -m tests.interop.networks`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.networks import table
from tests.interop.networks.world import Ours, Row, Seen, Told, Works


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.key) for row in table.ALL if row.gate and not row.product]
)
def test_what_comes_through_a_network_is_right(tmp_path: Path, row: Row) -> None:
    seen, faults = row.measure(tmp_path, Ours())
    assert not faults, seen


def test_a_row_that_is_not_right_is_told() -> None:
    good = Seen(answers=["ran"], runs={"a": 1}, seconds=[0.1])
    assert Works().judge(good) == []
    assert Works().judge(Seen(answers=["ran"], runs={"a": 2})) == ["a ran 2 times"]
    assert Works().judge(Seen(errors=["x"])) == ["error: x", "no answer"]
    assert Works(1).judge(Seen(answers=["ran"], seconds=[2.0])) == ["took 2.0 s"]
    assert Works(1).judge(Seen(answers=["ran"], seconds=[2.0]), is_ours=False) == []
    lost = Seen(["ran"], ["It may have been executed."], {"a": 0, "b": 1})
    assert Works(may_lose=1).judge(lost) == []
    assert Works().judge(lost) == ["error: It may have been executed.", "a ran 0 times"]
    lost.runs["b"] = 2
    assert Works(may_lose=1).judge(lost) == ["b ran 2 times"]
    told = Seen(errors=["It cannot. Do that."], runs={"a": 1, "b": 0})
    assert Told(("cannot|may not",), after=True).judge(told) == []
    assert Told(("cannot",)).judge(told) == ["a ran 1 times"]
    assert Told(("never",), ran=1).judge(told) == ["not said: never"]
    assert Told(("never",), ran=1).judge(told, is_ours=False) == []
    assert Told(("cannot",)).judge(Seen(errors=["It cannot."])) == ["no next step"]
    assert Told(()).judge(good) == ["a ran 1 times", "no error", "no next step"]


def test_every_row_was_played_and_was_right() -> None:
    keys = [row.key for row in table.ALL]
    assert len(set(keys)) == len(keys) > 80
    cells = table.read_cells()
    assert list(cells) == keys
    assert [key for key in keys if not cells[key][table.OURS]["is_right"]] == []
