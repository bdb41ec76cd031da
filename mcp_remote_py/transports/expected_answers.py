"""The answers that are waited for, by whatever exchange or stream they come (report T3).

Each POST is to be answered in its own exchange. Servers answer on the standalone stream as well,
and some hand two answers round, each to the other's exchange: the id tells whose each is, and what
has not come yet comes with the exchange of the request that was answered instead. Must not know
how an answer is read, nor what becomes of a request without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from mcp_remote_py.errors import no_answer_in_time
from mcp_remote_py.jsonrpc import Message, find_asked


class Expected:
    """That to one request.

    Attributes:
        request: what was asked.
        has_stream: whether its answer may come on the standalone stream.
        came: done when its answer has come.
        ended: done when its own exchange has brought all it brings.
        other: what that brought instead.
    """

    __slots__ = ("came", "ended", "has_stream", "other", "request")

    def __init__(self, request: Message, *, has_stream: bool) -> None:
        loop = asyncio.get_running_loop()
        self.request = request
        self.has_stream = has_stream
        self.came: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.other: Expected | None = None


class ExpectedAnswers:
    """Those of one server."""

    def __init__(self) -> None:
        self._expected: dict[Hashable, Expected] = {}

    def expect(self, request: Message, *, has_stream: bool) -> Expected:
        """Notes it, until it is forgotten."""
        expected = self._expected[request.key] = Expected(request, has_stream=has_stream)
        return expected

    def forget(self, expected: Expected) -> None:
        """Nobody waits for it any more."""
        _settle(expected.ended)
        if self._expected.get(expected.request.key) is expected:
            del self._expected[expected.request.key]  # else the host has used its id again

    def find(self, response: Message) -> Message:
        """A response as that to what is asked, where its id has lost its type."""
        return find_asked(response, self._expected)

    def note(self, response: Message) -> None:
        """It has come, and is on its way to the host."""
        expected = self._expected.get(response.key)
        if expected is not None:
            _settle(expected.came)

    def note_other(self, request: Message, response: Message) -> None:
        """The exchange of this request brings the response to another one."""
        expected = self._expected.get(request.key)
        if expected is not None and expected.other is None:
            expected.other = self._expected.get(self.find(response).key)

    async def wait(
        self,
        expected: Expected,
        wait_for_stream: Callable[[], Awaitable[None]],
        patience: float | None,
    ) -> bool:
        """Whether it has come elsewhere than by its own exchange, which is over.

        On the standalone stream, of which `wait_for_stream` waits for the end; or by the exchange
        of the request whose answer that one brought, or of the one which that leads to.

        Raises:
            Interrupted: it did not come in `patience` seconds.
        """
        _settle(expected.ended)
        if expected.came.done():
            return True
        places: list[asyncio.Future[None]] = []
        if expected.has_stream:
            places.append(asyncio.ensure_future(wait_for_stream()))
        if expected.other is not None:
            places.append(asyncio.ensure_future(_follow(expected.other)))
        if not places:
            return False
        ends = asyncio.gather(*places)
        try:
            waits = {expected.came, ends}
            await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not expected.came.done() and not ends.done():
                raise no_answer_in_time("The server")
            return expected.came.done()
        finally:
            ends.cancel()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _follow(expected: Expected | None) -> None:
    """Waits for the end of its exchange, and of those that lead on from there."""
    seen: set[Expected] = set()  # it may come round
    while expected is not None and expected not in seen:
        seen.add(expected)
        await asyncio.shield(expected.ended)
        expected = expected.other
