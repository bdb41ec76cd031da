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
from mcp_remote_py.transports.body_types import says_nothing


class Expected:
    """That to one request.

    Attributes:
        request: what was asked.
        has_stream: whether its answer may come on the standalone stream.
        has_come: its answer has come.
        has_ended: its own exchange has brought all it brings.
        has_words: that said something else than that the request has come.
        other: what that brought instead.
    """

    __slots__ = (
        "_change",
        "has_come",
        "has_ended",
        "has_stream",
        "has_words",
        "other",
        "request",
    )

    def __init__(self, request: Message, *, has_stream: bool) -> None:
        self.request = request
        self.has_stream = has_stream
        self.has_come = False
        self.has_ended = False
        self.has_words = False
        self.other: Expected | None = None
        self._change: asyncio.Event | None = None  # nearly nobody waits for one

    def come(self) -> None:
        """Its answer is here."""
        self.has_come = True
        self._tell()

    def end(self) -> None:
        """Its exchange is over."""
        self.has_ended = True
        self._tell()

    async def wait_for_answer(self) -> None:
        """Waits until it has come."""
        while not self.has_come:
            await self._wait()

    async def wait_for_end(self) -> None:
        """Waits until its exchange is over."""
        while not self.has_ended:
            await self._wait()

    async def _wait(self) -> None:
        self._change = self._change or asyncio.Event()
        await self._change.wait()

    def _tell(self) -> None:
        if self._change is not None:
            self._change.set()
            self._change = None


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
        expected.end()
        if self._expected.get(expected.request.key) is expected:
            del self._expected[expected.request.key]  # else the host has used its id again

    def find(self, response: Message) -> Message:
        """A response as that to what is asked, where its id has lost its type."""
        return find_asked(response, self._expected)

    def is_expected(self, response: Message) -> bool:
        """Whether it is the answer to something that is asked."""
        return self.find(response).key in self._expected

    def note(self, response: Message) -> None:
        """It has come, and is on its way to the host."""
        expected = self._expected.get(response.key)
        if expected is not None:
            expected.come()

    def note_words(self, request: Message | None, words: bytes) -> None:
        """The exchange of this request brings these, and they do not answer it."""
        expected = None if request is None else self._expected.get(request.key)
        if expected is not None and not says_nothing(words):
            expected.has_words = True

    def note_other(self, request: Message, response: Message) -> None:
        """The exchange of this request brings the response to another one."""
        self.note_words(request, response.raw)
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
        of the request whose answer that one brought, or of the one which that leads to. Where it
        had words of its own, they are all that comes.

        Raises:
            Interrupted: it did not come in `patience` seconds.
        """
        expected.end()
        if expected.has_come:
            return True
        places: list[asyncio.Future[None]] = []
        if expected.has_stream and (expected.other is not None or not expected.has_words):
            places.append(asyncio.ensure_future(wait_for_stream()))
        if expected.other is not None:
            places.append(asyncio.ensure_future(_follow(expected.other)))
        if not places:
            return False
        ends = asyncio.ensure_future(asyncio.wait(places))
        comes = asyncio.ensure_future(expected.wait_for_answer())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({comes, ends}, timeout=patience, return_when=first)
            if not expected.has_come and not ends.done():
                raise no_answer_in_time("The server")
            return expected.has_come
        finally:
            for one in (ends, comes, *places):
                one.cancel()


async def _follow(expected: Expected | None) -> None:
    """Waits for the end of its exchange, and of those that lead on from there."""
    seen: set[Expected] = set()  # it may come round
    while expected is not None and expected not in seen:
        seen.add(expected)
        await expected.wait_for_end()
        expected = expected.other
