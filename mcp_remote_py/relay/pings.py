"""Pings: the host's, which need not all reach the server, and ours, which keep a connection warm.

Must not know how a message travels.
"""

from __future__ import annotations

import logging

from mcp_remote_py.channel import Clock
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.jsonrpc import make_result
from mcp_remote_py.randomness import Random
from mcp_remote_py.relay.asked import Asked, AskedByHost
from mcp_remote_py.relay.delivery import Delivery, tell_others
from mcp_remote_py.relay.own_requests import OwnRequests
from mcp_remote_py.relay.tasks import WORK, Tasks

logger = logging.getLogger("mcp_remote_py.relay")

PING_FRESHNESS = 30.0
"""Seconds since the server was last heard in which the host's ping is answered for it."""


class Pings:
    """Those of one host and one server; `forward` where each of the host's goes to the server."""

    def __init__(
        self,
        asked: AskedByHost,
        own: OwnRequests,
        delivery: Delivery,
        tasks: Tasks,
        clock: Clock,
        *,
        forward: bool,
    ) -> None:
        self._asked = asked
        self._own = own
        self._delivery = delivery
        self._tasks = tasks
        self._clock = clock
        self._forward = forward
        self._last_heard: float | None = None
        self._waiting: list[Asked] = []

    def note_heard(self) -> None:
        """The server has said something."""
        self._last_heard = self._clock.now()

    def take(self, asked: Asked) -> bool:
        """Whether a ping of the host is answered here."""
        heard = self._last_heard
        if self._forward or heard is None:
            return False
        if self._clock.now() - heard <= PING_FRESHNESS:
            self._answer(asked)
        else:
            self._waiting.append(asked)
            if len(self._waiting) == 1:
                self._tasks.spawn(self._ping_for_all(), WORK)
        return True

    def _answer(self, asked: Asked) -> None:
        self._asked.answer(asked, make_result(asked.message.raw_id, b"{}"))

    async def _ping_for_all(self) -> None:
        """One ping to the server for all the host sent meanwhile."""
        with self._own.expect("ping") as (request, answer):
            failure = await self._delivery.send(request, answer.done)
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            if failure is None:
                self._answer(asked)
            else:
                self._asked.fail(asked, tell_others(failure))

    async def keep_alive(self, interval: float, random: Random) -> None:
        """Pings where the server was silent for half of `interval` seconds, for ever."""
        while True:
            # Many proxies started together must not ping together.
            await self._clock.sleep(interval * (0.9 + 0.2 * random()))
            heard = self._last_heard
            if heard is None or self._clock.now() - heard < interval / 2:
                continue
            try:
                await self._own.ask("ping", b"")
            except ExchangeError as error:
                logger.debug("The keep-alive ping failed: %s", error.cause)
