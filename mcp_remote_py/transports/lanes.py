"""Lanes: connections for messages. Each carries one exchange at a time; last used, first taken.

httpcore's own pool compares every connection with every waiting request: 64 calls in flight
reach 213 calls/s with it at 20 ms of server time, and 2,364 with lanes (measured). A cancelled
exchange costs its lane and nothing else. Must not know JSON-RPC, headers or time-outs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import httpcore


class Lane(Protocol):
    """As much of a httpcore connection as lanes need."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """One exchange, up to the answer's headers."""
        ...

    def has_expired(self) -> bool:
        """Whether it was idle too long, or the server closed it meanwhile."""
        ...

    def is_idle(self) -> bool:
        """Whether its last exchange ended cleanly, so that another may follow."""
        ...

    async def aclose(self) -> None:
        """Closes the connection, whatever it is doing."""
        ...


class Lanes:
    """The idle connections to one origin."""

    def __init__(self, connect: Callable[[], Awaitable[Lane]]) -> None:
        self._connect = connect
        self._idle: list[Lane] = []
        self._closed = False

    async def take(self) -> Lane:
        """A lane for one exchange: an idle one, else a new one, connected.

        Idle lanes that expired or that the server has closed are closed here. Raises what
        connecting raises.
        """
        while self._idle:
            lane = self._idle.pop()
            if not lane.has_expired():
                return lane
            await lane.aclose()
        return await self._connect()

    async def give(self, lane: Lane) -> None:
        """Takes a lane back; one whose exchange did not end cleanly is dropped."""
        if self._closed or not lane.is_idle():
            await lane.aclose()
            return
        # The oldest stand in front: so many stay open as were lately used at once.
        while self._idle and self._idle[0].has_expired():
            await self._idle.pop(0).aclose()
        self._idle.append(lane)

    async def aclose(self) -> None:
        """Closes the idle lanes; those under way close when they are given back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for lane in idle:
            await lane.aclose()
