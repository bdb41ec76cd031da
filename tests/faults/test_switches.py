"""Two faults at once, one pair after another, in one session: no request is lost, none runs twice.

The switches are in `switches.py`, what is asserted in `judge.py`. Which pairs are played is drawn
by a seed that is in the test's name. Must not know how the command is made.
"""

from __future__ import annotations

import itertools
import random

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import FIGURES, MAY_OUTLIVE, Bounds, call
from tests.faults.network_rows import SHORT
from tests.faults.stages import listed, works_again
from tests.faults.switches import SWITCHES
from tests.harness.stage import PATIENCE
from tests.thorough import often

pytestmark = [pytest.mark.timeout(900), pytest.mark.promise("R1", "R2", "R5", "L1", "L5", "S2")]

PAIRS = often(2, 6)
"""In one session: it has ten renewals because of refusals, and those that fail wait for longer."""


@pytest.mark.parametrize("seed", range(often(1, 24)))
def test_two_faults_at_once(play: Play, seed: int) -> None:
    scene = play(rotation="kept", sse=bool(seed % 2))
    scene.server.sessions = True
    scene.server.listen = True
    judge = scene.judge(Bounds(tabs=1, requests=1500, a_second=150, orphans=MAY_OUTLIVE))
    host = judge.host(*SHORT)
    host.initialize()
    listed(host)
    host.answer(call(host, "before"))
    pairs = list(itertools.combinations(SWITCHES, 2))
    for pair in random.Random(seed).sample(pairs, PAIRS):  # noqa: S311 - a choice of tests
        what = " and ".join(pair)
        for name in pair:
            SWITCHES[name].on(scene)
        asked = [call(host, what), call(host, what, "lookup"), host.begin("tools/list")]
        for request in asked:
            host.answer(request, seconds=PATIENCE)
        for name in pair:
            SWITCHES[name].off(scene)
        works_again(host, f"after {what}")
        FIGURES["faults"] += 1
    assert len(scene.stage.browser.opened) == 1
    judge.end()
