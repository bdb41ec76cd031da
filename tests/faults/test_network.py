"""A network that fails, between the real command and a real server, judged from outside.

The rows are in `network_rows.py`, what is asserted of each in `judge.py`. The gate plays some; all
by `THOROUGH=1 scripts/test tests/faults`. Must not know how the command is made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import FIGURES, Bounds, Judge, call, judge_sent
from tests.faults.network_rows import CALLS, EITHER, READS, RESULT, NetworkRow
from tests.faults.stages import Scene, listed
from tests.harness.host import Host, Json
from tests.harness.stage import assert_says
from tests.thorough import THOROUGH

pytestmark = [pytest.mark.timeout(120), pytest.mark.promise("R1", "R2", "R5", "S2")]

Row = TypeVar("Row", bound=NetworkRow)


def played(rows: Mapping[str, Row]) -> list[str]:
    """By name, those that are played in this run."""
    return [name for name, row in rows.items() if THOROUGH or row.in_the_gate]


def assert_seen(name: str, answer: Json, seen: tuple[str, ...]) -> None:
    """The host sees what the row says."""
    if __import__("os").environ.get("SHOW"):
        print(name, "|", seen, "|", answer.get("error", answer))
        return
    if seen == (RESULT,):
        assert "result" in answer, answer
    elif seen != (EITHER,):
        assert "error" in answer, answer
        assert_says(answer["error"]["message"], *seen)


def play_row(scene: Scene, judge: Judge, host: Host, row: NetworkRow, text: str) -> None:
    """One fault, what the host sees, and that nothing is left of it."""
    scene.network.watch(row.mark)
    scene.network.script(row.mark, *[row.fault] * row.times)
    began = time.monotonic()
    name = "lookup" if b"lookup" in row.mark else "echo"
    request = call(host, text, name)
    assert_seen(text, host.answer(request, seconds=row.seconds), row.seen)
    assert time.monotonic() - began < row.seconds
    judge_sent(scene.network, row.mark, row.sent)
    FIGURES["faults"] += 1
    # The next one is as if nothing had been.
    after = host.answer(call(host, f"after {text}", "echo"), seconds=5)
    assert after.get("result", {}).get("params", {}).get("arguments") == {"text": f"after {text}"}
    del judge


@pytest.mark.parametrize("sse", [False, True], ids=["json", "stream"])
def test_a_request_on_a_way_that_fails(play: Play, sse: bool) -> None:
    rows = {name: row for name, row in (CALLS | READS).items() if row.sse is sse}
    scene = play(is_open=True, sse=sse)
    judge = scene.judge(Bounds(requests=1000, a_second=200))
    hosts: dict[tuple[str, ...], Host] = {}
    for name in played(rows):
        row = rows[name]
        if row.options not in hosts:
            hosts[row.options] = judge.host(*row.options)
            hosts[row.options].initialize()
            listed(hosts[row.options])
        play_row(scene, judge, hosts[row.options], row, name)
    judge.end()
