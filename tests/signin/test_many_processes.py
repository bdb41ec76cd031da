"""Eight processes, one sign-in whose token is out of date, a server that forgives nothing.

Presenting a refresh token twice ends the sign-in there, as RFC 9700 §4.14.2 wants it. However many
processes need a new token, and whichever of them dies over it: nobody is logged out. Must not know
how the command is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from tests.harness.host import Host, descendants, has_port, initialize_params
from tests.harness.stage import CALL, Stage, call, let_token_expire
from tests.peers.authorization_server import AuthorizationServer
from tests.peers.wild_server import Exchange
from tests.thorough import often

pytestmark = pytest.mark.timeout(120)

PROCESSES = 8
REPEATS = often(1, 50)
"""How often each test is played, each time by another seed."""

LONGEST_WAIT = 0.03
"""Seconds: longer than a process takes from the server's answer to what it stores."""


@pytest.fixture
def stage(play: Callable[..., Stage]) -> Stage:
    """Somebody has signed in, and the token is out of date."""
    stage = play(lifetime=1, rotation="strict")
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    stage.end(host)
    let_token_expire(stage)
    return stage


def part(seed: int) -> float:
    """Somewhere between 0 and 1, the repeats spread evenly over it."""
    return (seed + random.Random(seed).random()) / REPEATS  # noqa: S311


def begin(hosts: Iterable[Host]) -> dict[Host, object]:
    """The id of the handshake each has begun."""
    return {host: host.begin("initialize", initialize_params()) for host in hosts}


def assert_all_work(begun: dict[Host, object]) -> None:
    for host, request_id in begun.items():
        assert "result" in host.answer(request_id)
    for host in begun:
        assert call(host)["params"] == CALL


@pytest.mark.promise("A5", "A4", "L1")
@pytest.mark.parametrize("seed", range(REPEATS))
def test_one_refresh_for_eight(stage: Stage, seed: int) -> None:
    before = stage.counts
    # Holding the answer back lets all of them come and want one.
    stage.server.script("token", late(part(seed)))
    assert_all_work(begin([stage.host() for _ in range(PROCESSES)]))
    counts = stage.counts_since(before)
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (0, 0, 1), counts
    assert not any(one.sign_in.ended for one in stage.server.refresh_tokens.values())


def late(seconds: float) -> Callable[[Exchange], None]:
    """The good answer, later."""

    def behaviour(exchange: Exchange) -> None:
        exchange.delay(seconds)
        exchange.good()

    return behaviour


# The process that wants the renewal is killed: before the server has done anything, when it has
# and has not answered, and when it has answered. Whoever is left at its connection is answered.


def before_the_deed(exchange: Exchange, wait: float, kill: Callable[[], None]) -> None:
    exchange.delay(wait)
    kill()
    exchange.good()


def after_the_deed(exchange: Exchange, wait: float, kill: Callable[[], None]) -> None:
    assert isinstance(exchange.server, AuthorizationServer)
    answer = exchange.server.decide_tokens(exchange)
    exchange.delay(wait)
    kill()
    answer()


def after_the_answer(exchange: Exchange, wait: float, kill: Callable[[], None]) -> None:
    exchange.good()
    exchange.delay(wait)
    kill()


@pytest.mark.promise("A5", "A4", "L1")
@pytest.mark.parametrize("seed", range(REPEATS))
@pytest.mark.parametrize("moment", [before_the_deed, after_the_deed, after_the_answer])
def test_refreshing_process_is_killed(stage: Stage, moment: Callable[..., Any], seed: int) -> None:
    before = stage.counts
    wait = LONGEST_WAIT * part(seed)
    killed: list[Host] = []
    hosts: list[Host] = []

    def behaviour(exchange: Exchange) -> None:
        port = exchange.connection.getpeername()[1]
        refreshing = [host for host in hosts if talks_from(host, port)]
        assert len(refreshing) == 1, "a token request of nobody"

        def kill() -> None:
            stage.kill(refreshing[0])
            killed.append(refreshing[0])

        with suppress(OSError):
            moment(exchange, wait, kill)

    stage.server.script("token", behaviour)
    hosts += [stage.host() for _ in range(PROCESSES)]
    begun = begin(hosts)
    stage.server.wait_until(lambda: bool(killed), "the end of the process that refreshes")
    del begun[killed[0]]
    assert_all_work(begun | begin([stage.host()]))
    counts = stage.counts_since(before)
    assert (counts["tabs"], counts["codes"]) == (0, 0), counts
    assert counts["refreshes"] <= 2, counts


def talks_from(host: Host, port: int) -> bool:
    """Whether the command, or what it has started, has that port."""
    pid = host.process.pid
    return any(has_port(one, port) for one in [pid, *descendants(pid)])
