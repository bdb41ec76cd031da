"""What goes wrong in a soak: a table of faults, and the order in which they come.

Each is played while calls go on, and is over when its function returns, or by itself. How a call
fares is judged elsewhere. Must not know how the command is made.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event

from tests.harness.host import descendants
from tests.peers.wild_server import (
    answer_status,
    cut_before_head,
    cut_in_body,
    end_stream_without_answer,
)
from tests.soak.lean import CALL, LeanHost, LeanServer


@dataclass(frozen=True)
class Place:
    """Where the weather is: all hosts with their relays, and the server.

    `longest` is the most seconds that something stands still; `over` ends that early.
    """

    server: LeanServer
    hosts: Sequence[LeanHost]
    random: Random
    longest: float
    over: Event


@dataclass(frozen=True)
class Fault:
    """A row: what it is, how many seconds lie between two of them on average, what is done."""

    name: str
    every: float
    play: Callable[[Place], None]


def drop_connections(place: Place) -> None:
    """Every connection is reset."""
    place.server.drop()


def end_streams(place: Place) -> None:
    """The streams on which servers speak by themselves end as HTTP wants it."""
    place.server.cut_streams(clean=True)


def tear_streams(place: Place) -> None:
    """The same, by a reset."""
    place.server.cut_streams()


def lose_sessions(place: Place) -> None:
    """The server does not know any session any more."""
    place.server.known_sessions.clear()


def restart(place: Place) -> None:
    """The server is gone for a while, and then does not know any session."""
    place.server.kill()
    place.over.wait(place.random.uniform(0.1, 0.4) * place.longest)
    place.server.restart()


def revoke(place: Place) -> None:
    """All access tokens are refused from now on, in the middle of their time."""
    place.server.revoke_access_tokens()


def cut_answers(place: Place) -> None:
    """Three calls are cut off: before, in and instead of their answers."""
    place.server.script(CALL, cut_before_head, cut_in_body, end_stream_without_answer)


def be_busy(place: Place) -> None:
    """Some requests are refused for a second."""
    headers = {"Retry-After": "1"}
    refusals = [answer_status(status, b"busy", headers=headers) for status in (503, 429, 503, 429)]
    place.server.script(CALL, *refusals)


def fail_gateway(place: Place) -> None:
    """What stands before the server answers for it."""
    place.server.script(CALL, *[answer_status(status, b"no") for status in (502, 504)])


def fail_token_endpoint(place: Place) -> None:
    """The authorization server is busy for a while.

    Not for a number of requests: there are fewer the longer this goes on, and it would not end.
    """
    place.server.always("token", answer_status(503, b"busy"))
    place.over.wait(place.random.uniform(0.1, 0.4) * place.longest)
    place.server.always("token", place.server.behave)


def sleep_one(place: Place) -> None:
    """One relay stands still for seconds, as if swapped out."""
    put_to_sleep(place, [place.random.choice(place.hosts)])


def sleep_all(place: Place) -> None:
    """The machine sleeps: no relay runs, and the server's time goes on."""
    put_to_sleep(place, place.hosts)


def put_to_sleep(place: Place, hosts: Sequence[LeanHost]) -> None:
    """These relays and all they have started."""
    with standing_still([host.process.pid for host in hosts]):
        place.over.wait(place.random.uniform(0.25, 1.0) * place.longest)


@contextlib.contextmanager
def standing_still(pids: Sequence[int]) -> Generator[None]:
    """These processes and their children do not run inside the `with`."""
    family = [one for pid in pids for one in (pid, *descendants(pid))]
    try:
        send_all(family, signal.SIGSTOP)
        yield
    finally:
        send_all(family, signal.SIGCONT)


def send_all(pids: Sequence[int], number: signal.Signals) -> None:
    """A signal to those that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


FAULTS = (
    Fault("all connections reset", 20.0, drop_connections),
    Fault("listening streams ended", 25.0, end_streams),
    Fault("listening streams torn", 25.0, tear_streams),
    Fault("all sessions lost", 30.0, lose_sessions),
    Fault("the server restarted", 45.0, restart),
    Fault("all access tokens revoked", 90.0, revoke),
    Fault("three answers cut off", 20.0, cut_answers),
    Fault("four requests refused as too many", 30.0, be_busy),
    Fault("two requests refused by a gateway", 30.0, fail_gateway),
    Fault("the token endpoint busy", 60.0, fail_token_endpoint),
    Fault("one relay stopped", 30.0, sleep_one),
    Fault("all relays stopped", 120.0, sleep_all),
)


def order(faults: Sequence[Fault], seconds: float, random: Random) -> Iterator[tuple[float, Fault]]:
    """When which fault comes, for so many seconds.

    Each once in the first half, or the first minute, and then by chance.
    """
    first = min(60.0, seconds / 2)
    rows = list(range(len(faults)))
    random.shuffle(rows)
    queue = [(first * (place + 1) / len(rows), row) for place, row in enumerate(rows)]
    heapq.heapify(queue)
    while queue:
        at, row = heapq.heappop(queue)
        if at <= seconds:
            yield at, faults[row]
            heapq.heappush(queue, (at + random.expovariate(1 / faults[row].every), row))
