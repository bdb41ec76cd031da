"""A network that fails, between the real command and a real server, judged from outside.

The rows are in `network_rows.py`, what is asserted of each in `judge.py`. The gate plays some; all
by `THOROUGH=1 scripts/test tests/faults`. Must not know how the command is made.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import Play
from tests.faults.judge import Bounds, call, count, judge_sent
from tests.faults.network_rows import CALLS, READS, SHORT, NetworkRow, played
from tests.faults.stages import Scene, assert_seen, begin, listed
from tests.harness.host import Host, assert_error
from tests.harness.stage import assert_says
from tests.peers.fault_proxy import Fault, deaf_port
from tests.thorough import some

pytestmark = [pytest.mark.timeout(600), pytest.mark.promise("R1", "R2", "R5", "S2")]


def play_row(scene: Scene, host: Host, row: NetworkRow, text: str) -> None:
    """One fault, what the host sees, and that nothing is left of it."""
    scene.network.watch(row.mark)
    scene.network.script(row.mark, *[row.fault] * row.times)
    began = time.monotonic()
    name = "lookup" if b"lookup" in row.mark else "echo"
    request = call(host, text, name)
    assert_seen(host.answer(request, seconds=row.seconds), row.seen)
    assert time.monotonic() - began < row.seconds
    judge_sent(scene.network, row.mark, row.sent)
    count("faults")
    # The next one is as if nothing had been.
    after = host.answer(call(host, f"after {text}", "echo"), seconds=5)
    assert after.get("result", {}).get("params", {}).get("arguments") == {"text": f"after {text}"}


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
        play_row(scene, hosts[row.options], row, name)
    judge.end()


# Connections


def test_a_port_that_takes_no_connection(play: Play) -> None:
    """Whose packets are dropped: no answer to the first one (field notes 29, 31)."""
    scene = play(is_open=True)
    judge = scene.judge()
    with deaf_port() as port:
        host = judge.host("--connect-timeout", "0.3", url=f"http://127.0.0.1:{port}/mcp")
        began = time.monotonic()
        text = assert_error(host.answer(begin(host), seconds=15), 1)
        assert_says(text, "took too long")
        assert time.monotonic() - began < 12
        count("faults")
        judge.end()


@pytest.mark.parametrize("how", some(["mute", "hangs up", "refused"], 3))
def test_a_way_that_is_shut_and_opened_again(play: Play, how: str) -> None:
    """In the middle of a session: an error for each call meanwhile, and none afterwards."""
    scene = play(is_open=True)
    judge = scene.judge(Bounds(requests=200))
    host = judge.host(*SHORT)
    host.initialize()
    listed(host)
    network = scene.network
    if how == "refused":
        network.close()
    else:
        network.always(b"", Fault(request=0, then="silence" if how == "mute" else "end"))
        network.cut()
    began = [call(host, f"meanwhile {number}") for number in range(3)]
    for request in began:
        assert_error(host.answer(request, seconds=40), request)
    assert len(network.connections) < 60
    if how == "refused":
        network.open()
    network.always(b"", None)
    assert "result" in host.answer(call(host, "afterwards"), seconds=20)
    count("faults")
    judge.end()


def test_connections_that_vanish_while_nobody_speaks(play: Play) -> None:
    """A balancer that forgets what is quiet: the next request finds out, and the host does not."""
    scene = play(is_open=True)
    scene.server.listen = True
    judge = scene.judge()
    host = judge.host(*SHORT)
    host.initialize()
    listed(host)
    scene.server.wait_for_stream()
    scene.network.cut("vanish")
    first = host.answer(call(host, "first"), seconds=10)
    assert "result" in first or "may have been executed" in first["error"]["message"]
    assert "result" in host.answer(call(host, "second"), seconds=10)
    scene.network.cut("end")
    assert "result" in host.answer(call(host, "third"), seconds=10)
    count("faults", 2)
    judge.end()
