"""L4: the host loses patience while the person is away, and whoever is there finishes the sign-in.

Hosts give up after a minute or sooner, and start the command anew; the tab stays, and the person
comes back to it. A new process must neither open another nor listen elsewhere.

Must not know how the command is made.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.harness.browser import Visit
from tests.harness.host import has_port, initialize_params, wait_until
from tests.harness.stage import CALL, Stage, call, redirect_uri_of

pytestmark = pytest.mark.timeout(120)

PROCESSES = 5
RESTARTS = 20


def is_waiting(stage: Stage) -> bool:
    """Whether the browser would find anybody at the redirect URI of the first tab."""
    parts = urlsplit(redirect_uri_of(stage)[0])
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


def comes_back(stage: Stage) -> bool:
    """The person finishes what the first tab has asked. False where that leads nowhere (yet)."""
    assert len(stage.browser.opened) == 1, stage.counts
    try:
        return Visit().open(stage.browser.opened[0]).status == 200
    except OSError:
        return False


def consent(stage: Stage) -> None:
    """The person comes back, and loads the tab again until somebody is there."""
    wait_until(lambda: comes_back(stage), "somebody who takes what the first tab brings")


def assert_one_sign_in(stage: Stage) -> None:
    """One tab, one code, and nothing else."""
    counts = stage.counts
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (1, 1, 0), counts
    assert counts["registrations"] == 1, counts


@pytest.mark.promise("L1", "A4", "A6", "R1")
def test_host_that_asks_again_while_the_person_is_away(play: Callable[..., Stage]) -> None:
    stage = play("record")
    host = stage.host()
    asked = [host.begin("initialize", initialize_params())]
    redirect_uri_of(stage)
    for _ in range(3):
        asked += [host.begin("initialize", initialize_params()), host.begin("tools/call", CALL)]
    consent(stage)
    for request_id in asked:
        assert "result" in host.answer(request_id)
    assert_one_sign_in(stage)


@pytest.mark.promise("L1", "L2", "A4", "A6")
def test_one_of_five_is_killed_while_its_tab_is_open(play: Callable[..., Stage]) -> None:
    stage = play("record")
    hosts = [stage.host() for _ in range(PROCESSES)]
    asked = {host: host.begin("initialize", initialize_params()) for host in hosts}
    port = urlsplit(redirect_uri_of(stage)[0]).port or 0
    stage.server.wait_for("initialize", PROCESSES)
    (waiting,) = [host for host in hosts if has_port(host.process.pid, port)]
    stage.kill(waiting)
    del asked[waiting]
    consent(stage)
    for host, request_id in asked.items():
        assert "result" in host.answer(request_id)
        assert call(host)["params"] == CALL
    assert_one_sign_in(stage)


@pytest.mark.promise("L1", "L2", "A4", "A6")
def test_killed_and_started_again_20_times_while_the_tab_is_open(
    play: Callable[..., Stage],
) -> None:
    stage = play("record")
    for life in range(RESTARTS):
        host = stage.host()
        host.begin("initialize", initialize_params())
        redirect_uri_of(stage)
        # Killed as soon as it has asked the server, or once it waits for the person.
        stage.server.wait_for("initialize", life + 1)
        if life % 2:
            wait_until(lambda: is_waiting(stage), "somebody at the redirect URI")
        stage.kill(host)
    host = stage.host()
    request_id = host.begin("initialize", initialize_params())
    consent(stage)
    assert "result" in host.answer(request_id)
    assert call(host)["params"] == CALL
    assert_one_sign_in(stage)


@pytest.mark.promise("L1", "A6")
def test_person_comes_back_while_nothing_runs(play: Callable[..., Stage]) -> None:
    """The tab leads nowhere then; loaded again at the next start, it does."""
    stage = play("record")
    host = stage.host()
    host.begin("initialize", initialize_params())
    redirect_uri_of(stage)
    stage.kill(host)
    assert not comes_back(stage)
    host = stage.host()
    request_id = host.begin("initialize", initialize_params())
    consent(stage)
    assert "result" in host.answer(request_id)
    assert_one_sign_in(stage)
