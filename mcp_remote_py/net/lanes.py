"""Lanes: connections for messages. Each carries one exchange at a time; last used, first taken.

A pool that compares every connection with every waiting request, as httpcore's does, reaches 213
calls/s with 64 calls in flight and 20 ms of server time; lanes reach 2,364 (measured). A cancelled
exchange costs its lane and nothing else. Must not know JSON-RPC, headers or time-outs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from mcp_remote_py.net.exchange import KEEPALIVE_EXPIRY

ROOM_PATIENCE = 1.0
"""Seconds without an answer on a new connection after which the idle ones are closed: some servers
look at one connection at a time, and at the next when that is closed."""

ROOM_TIME = 10.0
"""Seconds for which room is made again and again for one exchange; then it is merely slow."""


class Lane(Protocol):
    """A connection, as far as lanes need to know it."""

    def has_expired(self) -> bool:
        """Whether it was idle too long, or the server closed it meanwhile."""
        ...

    def is_idle(self) -> bool:
        """Whether its last exchange ended cleanly, so that another may follow; it rests then."""
        ...

    def close(self) -> None:
        """Closes the connection, whatever it is doing."""
        ...


L = TypeVar("L", bound=Lane)


class Lanes(Generic[L]):
    """The idle connections to one origin, which close when they have been idle for too long."""

    def __init__(
        self, connect: Callable[[], Awaitable[L]], expiry: float = KEEPALIVE_EXPIRY
    ) -> None:
        self._connect = connect
        self._expiry = expiry
        self._idle: list[L] = []
        self._closed = False
        self._sweep: asyncio.TimerHandle | None = None
        self._waiting = 0
        """Exchanges that room is made for."""
        self._room: asyncio.TimerHandle | None = None
        self._room_until = 0.0

    async def take(self) -> L:
        """A lane for one exchange: an idle one, else a new one, connected.

        Idle lanes that expired or that the server has closed are closed here. Raises what
        connecting raises.
        """
        while self._idle:
            lane = self._idle.pop()
            if not lane.has_expired():
                return lane
            lane.close()
        return await self._connect()

    def give(self, lane: L) -> None:
        """Takes a lane back; one whose exchange did not end cleanly is dropped."""
        if self._closed or not lane.is_idle():
            lane.close()
            return
        # The oldest stand in front: so many stay open as were lately used at once.
        while self._idle and self._idle[0].has_expired():
            self._idle.pop(0).close()
        self._idle.append(lane)
        self._watch()

    @contextmanager
    def room(self) -> Generator[None]:
        """While this lasts, an exchange waits on a new connection for its answer to begin."""
        loop = asyncio.get_running_loop()
        began = False

        def begin() -> None:
            nonlocal began
            began = True
            self._waiting += 1
            self._room_until = loop.time() + ROOM_TIME
            if self._room is None:
                self._make_room()

        timer = loop.call_later(ROOM_PATIENCE, begin)
        try:
            yield
        finally:
            timer.cancel()
            self._waiting -= began

    def _make_room(self) -> None:
        self._room = None
        idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()
        loop = asyncio.get_running_loop()
        if self._waiting and loop.time() < self._room_until and not self._closed:
            self._room = loop.call_later(ROOM_PATIENCE, self._make_room)

    def _watch(self) -> None:
        """A server with few connections to give needs them back, also when nobody calls."""
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(self._expiry, self._close_expired)

    def _close_expired(self) -> None:
        self._sweep = None
        expired = [lane for lane in self._idle if lane.has_expired()]
        self._idle = [lane for lane in self._idle if lane not in expired]
        for lane in expired:
            lane.close()
        if self._idle:
            self._watch()

    def close(self) -> None:
        """Closes the idle lanes; those under way close when they are given back."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._room is not None:
            self._room.cancel()
        idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()
