"""Where faults are played: a server behind a network that fails, and a host on the other side.

Must not make any fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from tests.faults.judge import Bounds, Judge, call
from tests.faults.network_rows import EITHER, RESULT
from tests.harness.host import Host, Json, initialize_params, wait_until
from tests.harness.stage import PATIENCE, Stage, assert_says
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.fault_proxy import FaultProxy
from tests.peers.wild_server import Behaviour, Exchange

C = TypeVar("C")
P = TypeVar("P")


class Behind(AuthorizationServer):
    """Both servers, known under the address of the network before them.

    Attributes:
        network: what is between them and the world.
        is_open: whether everybody may come without a token.
        refused: the requests that were refused unread, which may come again.
    """

    def __init__(self, policy: Policy | None = None, *, is_open: bool = False, **more: Any) -> None:
        self.is_open = is_open
        self.refused: list[Exchange] = []
        super().__init__(policy, **more)
        self.on_lost_session = self.refusing(self.on_lost_session)
        self.network = FaultProxy((self._host, self.port))

    @property
    def origin(self) -> str:
        return self.network.origin

    @property
    def authority(self) -> str:
        return self.origin

    def refusing(self, behaviour: Behaviour) -> Behaviour:
        """The same, by which nothing is executed."""

        def refuse(exchange: Exchange) -> None:
            self.refused.append(exchange)
            behaviour(exchange)

        return refuse

    def _admit(self, exchange: Exchange) -> bool:
        admitted = self.is_open or super()._admit(exchange)
        if not admitted:
            self.refused.append(exchange)
        return admitted


@dataclass(frozen=True)
class Scene:
    """A stage, and the network before its server."""

    stage: Stage
    network: FaultProxy

    @property
    def server(self) -> Behind:
        """The one of the stage."""
        assert isinstance(self.stage.server, Behind)
        return self.stage.server

    def anew(self) -> Scene:
        """The same, for a person who was never here: nothing is known or stored."""
        home = Path(mkdtemp(prefix="home-", dir=self.stage.home.parent))
        return replace(self, stage=replace(self.stage, home=home))

    def judge(self, bounds: Bounds | None = None) -> Judge:
        """Who watches what comes now."""
        return Judge(self.stage, bounds or Bounds())


def share_out(cases: Iterable[C], places: Sequence[P], play: Callable[[P, C], None]) -> None:
    """At each place one case after another, side by side; the first that fails ends it."""
    waiting = deque(cases)

    def work(place: P) -> None:
        while waiting:
            try:
                case = waiting.popleft()
            except IndexError:  # another place was faster
                return
            try:
                play(place, case)
            except BaseException as error:
                waiting.clear()
                error.add_note(f"played: {case}")
                raise

    with ThreadPoolExecutor(len(places)) as pool:
        for played in [pool.submit(work, place) for place in places]:
            played.result()


def begin(host: Host) -> object:
    """The handshake is asked for."""
    return host.begin("initialize", initialize_params())


def listed(host: Host) -> Json:
    """The tools, so that it is known which of them are harmless."""
    return host.request("tools/list")


def assert_seen(answer: Json, seen: tuple[str, ...]) -> None:
    """The host sees what the row says."""
    if seen == (RESULT,):
        assert "result" in answer, answer
    elif seen != (EITHER,):
        assert "error" in answer, answer
        assert_says(answer["error"]["message"], *seen)


def works_again(host: Host, text: str) -> None:
    """Within the time that the program waits between two renewals, without a person."""
    number = 0

    def answered() -> bool:
        nonlocal number
        number += 1
        answer = host.answer(call(host, f"{text} {number}"), seconds=PATIENCE)
        return "result" in answer

    wait_until(answered, f"a call that succeeds after: {text}", seconds=PATIENCE)
