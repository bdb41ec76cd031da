"""Sign-ins and renewals on a way that fails, judged from outside.

The rows are in `network_rows.py`, what is asserted of each in `judge.py`. Must not know how the
command is made.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import MAY_OUTLIVE, Bounds, call, count, judge_sent
from tests.faults.network_rows import (
    HOLE,
    PART,
    RENEWALS,
    SHORT,
    SIGN_INS,
    TOKEN,
    SignInRow,
    played,
)
from tests.faults.stages import assert_seen, begin, listed, works_again
from tests.harness.stage import PATIENCE, assert_says
from tests.peers.fault_proxy import Fault, FaultProxy
from tests.thorough import some

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
    count("faults")
    judge.end()


@pytest.mark.parametrize("name", played(SIGN_INS))
def test_a_sign_in_on_a_way_that_fails(play: Play, name: str) -> None:
    row = SIGN_INS[name]
    scene = play()
    judge = scene.judge(Bounds(tabs=row.tabs + 1, requests=400, a_second=300, orphans=MAY_OUTLIVE))
    host = judge.host(*row.options)
    meet(scene.network, row)
    answer = host.answer(begin(host), seconds=row.seconds)
    assert_seen(answer, row.seen)
    last = answer
    for number in range(5):
        last = host.answer(call(host, f"{name} {number}"), seconds=row.seconds)
    judge_sent(scene.network, row.mark, row.asked)
    assert len(scene.stage.browser.opened) <= row.tabs
    count("faults")
    judge.let_go(host)
    scene.network.forget()
    if "error" in last or last["result"].get("isError"):
        scene.stage.login()
    host = judge.host()
    host.initialize()
    assert not host.answer(call(host, "afterwards"))["result"].get("isError")
    judge.end()


@pytest.mark.parametrize(
    "fault",
    some([Fault(response=0), Fault(request=PART, then="end"), HOLE], 3),
    ids=lambda fault: fault.then,
)
def test_a_call_whose_sign_in_breaks_off_was_not_executed(play: Play, fault: Fault) -> None:
    """The server has refused it: what got lost is an answer to us, and `login` mends it.

    Where only calls want a sign-in, `login` cannot see that, but for what is written down of it.
    """
    public = frozenset({"initialize", "notifications/initialized", "tools/list"})
    scene = play(public_methods=public)
    judge = scene.judge(Bounds(tabs=2, orphans=MAY_OUTLIVE))
    host = judge.host(*SHORT)
    host.initialize()
    listed(host)
    scene.network.script(TOKEN, fault)
    for text in ("first", "second"):
        answer = host.answer(call(host, text), seconds=PATIENCE)
        assert_says(answer["error"]["message"], "sign in again: mcp-remote-py login http")
        assert "executed" not in answer["error"]["message"]
    assert len(scene.stage.browser.opened) == 1
    scene.stage.login()
    assert len(scene.stage.browser.opened) == 2
    assert "result" in host.answer(call(host, "afterwards"))
    count("faults")
    judge.end()
