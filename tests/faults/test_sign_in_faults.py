"""Sign-ins and renewals on a way that fails, judged from outside.

The rows are in `network_rows.py`, what is asserted of each in `judge.py`. Must not know how the
command is made.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import FIGURES, MAY_OUTLIVE, Bounds, call, judge_sent
from tests.faults.network_rows import RENEWALS, SIGN_INS, TOKEN, SignInRow, played
from tests.faults.stages import assert_seen, begin, works_again
from tests.harness.stage import PATIENCE
from tests.peers.fault_proxy import Fault, FaultProxy
from tests.thorough import often

RENEWALS_MEANWHILE = 4
"""How often a request that waits has its token renewed: after 1, 2, 4 and 8 seconds."""

pytestmark = [pytest.mark.timeout(900), pytest.mark.promise("R1", "L1", "L2", "L5", "S2")]


def meet(network: FaultProxy, row: SignInRow) -> None:
    """From now on the row's requests are counted, and the next ones meet its fault."""
    network.watch(row.mark)
    network.script(row.mark, *[row.fault] * row.times)


@pytest.mark.parametrize("name", played(RENEWALS))
def test_a_renewal_on_a_way_that_fails(play: Play, name: str) -> None:
    row = RENEWALS[name]
    scene = play(rotation="kept")
    judge = scene.judge(Bounds(tabs=1, requests=400, a_second=300, orphans=MAY_OUTLIVE))
    host = judge.host(*row.options)
    host.initialize()
    host.answer(call(host, "before"))
    scene.server.revoke_access_tokens()
    meet(scene.network, row)
    assert_seen(host.answer(call(host, name), seconds=PATIENCE), row.seen)
    judge_sent(scene.network, row.mark, RENEWALS_MEANWHILE)
    works_again(host, f"after {name}")
    assert len(scene.stage.browser.opened) == 1
    FIGURES["faults"] += 1
    judge.end()


@pytest.mark.parametrize("name", played(SIGN_INS))
def test_a_sign_in_on_a_way_that_fails(play: Play, name: str) -> None:
    row = SIGN_INS[name]
    scene = play()
    judge = scene.judge(Bounds(tabs=row.tabs + 1, requests=400, a_second=300, orphans=MAY_OUTLIVE))
    host = judge.host(*row.options)
    meet(scene.network, row)
    answer = host.answer(begin(host), seconds=PATIENCE)
    assert_seen(answer, row.seen)
    for number in range(5):
        host.answer(call(host, f"{name} {number}"), seconds=PATIENCE)
    judge_sent(scene.network, row.mark, row.asked)
    assert len(scene.stage.browser.opened) <= row.tabs
    codes = [form["code"] for form in scene.server.token_requests("authorization_code")]
    assert len(codes) == len(set(codes)), "a code was sent twice"
    FIGURES["faults"] += 1
    judge.let_go(host)
    scene.network.forget()
    if "error" in answer:
        scene.stage.login()
    host = judge.host()
    host.initialize()
    assert "result" in host.answer(call(host, "afterwards"))
    judge.end()


@pytest.mark.parametrize("first", range(often(250, 0), often(251, 480), 64))
def test_a_token_answer_that_ends_at_every_byte(play: Play, first: int) -> None:
    """A renewal whose answer is lost after so many bytes is not the end of a sign-in.

    Eight times in one session: it has ten renewals because of refusals, the eleventh waits.
    """
    scene = play(rotation="kept")
    judge = scene.judge(Bounds(tabs=1, requests=2000, a_second=300, orphans=MAY_OUTLIVE))
    host = judge.host()
    host.initialize()
    host.answer(call(host, "before"))
    for offset in range(first, first + often(1, 64), 8):
        scene.server.revoke_access_tokens()
        scene.network.script(TOKEN, Fault(response=offset))
        host.answer(call(host, f"{offset}"), seconds=PATIENCE)
        works_again(host, f"after {offset}")
        FIGURES["faults"] += 1
    assert len(scene.stage.browser.opened) == 1
    judge.end()
