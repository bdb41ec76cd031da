"""Two faults at once, one pair after another, in one session: no request is lost, none runs twice.

The switches are in `switches.py`, what is asserted in `judge.py`. All pairs are played by THOROUGH,
several sessions side by side; which are played in one session is drawn by a seed. Must not know how
the command is made.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import MAY_OUTLIVE, Bounds, call, count
from tests.faults.network_rows import SHORT
from tests.faults.stages import Scene, listed, share_out, works_again
from tests.faults.switches import DEAD_GRANT, SWITCHES, pairs
from tests.harness.stage import PATIENCE
from tests.thorough import often

pytestmark = [pytest.mark.timeout(900), pytest.mark.promise("R1", "R2", "R5", "L1", "L5", "S2")]

OF_SESSION = often(2, 6)
"""Pairs in one session: it has ten renewals because of refusals, and those that fail wait for
longer."""
SESSIONS = often(1, 6)
"""Side by side."""

Pair = tuple[str, str]


def parts() -> list[list[list[Pair]]]:
    """By test, by session: all pairs, or in the gate some."""
    drawn = pairs()
    random.Random(0).shuffle(drawn)  # noqa: S311 - a choice of tests
    sessions = [drawn[at : at + OF_SESSION] for at in range(0, len(drawn), OF_SESSION)]
    tests = [sessions[at : at + SESSIONS] for at in range(0, len(sessions), SESSIONS)]
    return tests[: often(1, len(tests))]


PARTS = parts()


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_two_faults_at_once(play: Play, part: int) -> None:
    sessions = PARTS[part]
    scenes = [play(rotation="kept", sse=bool(number % 2)) for number in range(len(sessions))]
    share_out(sessions, scenes, play_session)


def play_session(scene: Scene, session: Sequence[Pair]) -> None:
    """One pair after another; where it is the person's turn, they sign in by the command."""
    scene.server.sessions = True
    scene.server.listen = True
    turns = sum(set(pair) == DEAD_GRANT for pair in session)
    bounds = Bounds(tabs=1 + 2 * turns, requests=1500, a_second=150, orphans=MAY_OUTLIVE)
    judge = scene.judge(bounds)
    host = judge.host(*SHORT)
    host.initialize()
    listed(host)
    host.answer(call(host, "before"))
    for pair in session:
        what = " and ".join(pair)
        for name in pair:
            SWITCHES[name].on(scene)
        asked = [call(host, what), call(host, what, "lookup"), host.begin("tools/list")]
        for request in asked:
            host.answer(request, seconds=PATIENCE)
        for name in pair:
            SWITCHES[name].off(scene)
        if set(pair) == DEAD_GRANT:
            scene.stage.login()
        works_again(host, f"after {what}")
        count("faults")
    judge.end()
