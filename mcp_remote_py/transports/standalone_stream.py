"""The standalone stream of a session, on which the server says what nobody asked (2025-03-26).

Opened by GET, again and again for as long as the session lasts. It is a service of the server's
beside the session: one that has none, loses it or refuses it by whatever status has said nothing of
the session; and it gives way where a server takes one connection at a time. Must not know how a
request is answered, or what a session is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mcp_remote_py.channel import Clock
from mcp_remote_py.errors import ExchangeError, NotSent, Refused, SessionLost
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import LASTING_STREAM, STREAM_STEPS
from mcp_remote_py.transports.body_types import EVENT_STREAM
from mcp_remote_py.transports.message_reader import MessageReader, MessageStream
from mcp_remote_py.transports.response import Response
from mcp_remote_py.values import Value

logger = logging.getLogger("mcp_remote_py.transports")

LISTEN_PATIENCE = 1.0
"""Seconds a request in whose course the server may ask waits for the standalone stream, on which
it may do so; some servers open it with their first event."""

ALONE_PATIENCE = 3.0
"""Seconds without an answer's head, first of a request and then of a question that any server
answers at once, after which the stream is taken for what keeps the only connection."""


class Patience(Value, frozen=True):
    """Seconds: of a request for the stream to open, and twice for what may wait for its end."""

    listen: float = LISTEN_PATIENCE
    alone: float = ALONE_PATIENCE


class StandaloneStream:
    """Of one channel; open while a session is.

    `open_stream` asks for it, from behind an event id; `fail` says what an answer stands for that
    is not a stream; `ask` posts something harmless, and returns what came of it.
    """

    def __init__(
        self,
        reader: MessageReader,
        open_stream: Callable[[bytes | None], Awaitable[Response]],
        fail: Callable[[Response], Awaitable[ExchangeError]],
        ask: Callable[[], Awaitable[ExchangeError | None]],
        on_session_lost: Callable[[], None],
        clock: Clock,
        random: Random,
        patience: Patience,
    ) -> None:
        self._reader = reader
        self._open_stream = open_stream
        self._fail = fail
        self._ask = ask
        self._on_session_lost = on_session_lost
        self._clock = clock
        self._random = random
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._opened.set()  # nothing is being opened
        self._heard = asyncio.Event()
        self._over = asyncio.Event()
        """Nothing can come on it: it is neither open, nor being opened, nor to be resumed, nor
        opened soon, as is one that was cut: gateways do so every minute."""
        self._over.set()
        self._was_open = False
        self._is_under_way = False
        """It takes a connection."""
        self._is_open = False
        """The server has begun to answer it."""
        self._is_beside = False
        """The server has answered something else that was asked while it was open."""
        self._question: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to open it; does nothing where that was begun."""
        if self._task is None:
            self._opened.clear()
            self._over.clear()
            self._was_open = self._is_beside = False
            self._task = asyncio.ensure_future(self._listen())
            self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._over.set()

    def stop(self) -> set[asyncio.Task[None]]:
        """Closes it; its connection is closed when the task that is returned has ended."""
        task, self._task = self._task, None
        question, self._question = self._question, None
        ending = {one for one in (task, question) if one is not None}
        for one in ending:
            one.cancel()
        self._opened.set()
        self._over.set()
        return ending

    def hear(self) -> None:
        """The server has answered something: it can be reached."""
        self._heard.set()

    async def wait(self) -> None:
        """Waits until the server has it, where it is being opened: what it asks before is lost."""
        if self._opened.is_set():
            return
        try:
            async with asyncio.timeout(self._patience.listen):
                await self._opened.wait()
        except TimeoutError:
            logger.debug("The listening stream is not answered; nothing waits for it any more.")
            self._opened.set()

    @property
    def may_speak(self) -> bool:
        """Whether something may still come on it."""
        return not self._over.is_set()

    async def wait_for_end(self) -> None:
        """Waits until nothing can come on it any more."""
        await self._over.wait()

    async def beside(self, exchange: Awaitable[Response]) -> Response:
        """The answer to something else, for which the stream gives way where that has to be."""
        if self._is_beside or not self._is_under_way:
            return await exchange
        was_open, task = self._is_open, self._task
        timer = asyncio.get_running_loop().call_later(self._patience.alone, self._look)
        try:
            response = await exchange
        finally:
            timer.cancel()
        self._is_beside = self._is_beside or (was_open and self._is_open and self._task is task)
        return response

    def _look(self) -> None:
        if self._question is None and self._is_under_way:
            self._question = asyncio.ensure_future(self._find_out())

    async def _find_out(self) -> None:
        """Closes the stream, for this session, where the server answers nothing beside it.

        One that is slow answers what any server answers at once, and keeps its stream.
        """
        answered, was_open = False, self._is_open
        try:
            async with asyncio.timeout(self._patience.alone):
                error = await self._ask()
                answered = error is None or error.status is not None
        except TimeoutError:
            pass
        self._question = None
        if answered or self._is_beside or self._task is None or not self._is_under_way:
            self._is_beside = self._is_beside or (answered and was_open and self._is_open)
            return
        logger.warning(
            "The server answers nothing while its listening stream is open: the stream is closed "
            "for this session. What the server says unasked does not arrive any more."
        )
        self._task.cancel()
        self._opened.set()

    async def _listen(self) -> None:
        failures = 0
        retry = 0.0
        last_event_id: bytes | None = None
        while True:
            started, unasked = self._clock.now(), self._reader.unasked
            stream = self._reader.begin(last_event_id)
            self._heard.clear()
            self._over.clear()
            reachable = True
            try:
                if not await self._listen_once(stream):
                    return
            except ExchangeError as error:
                logger.debug("The listening stream failed: %s", error.cause)
                reachable = not isinstance(error, NotSent)
            last_event_id = stream.last_event_id
            retry = stream.retry or retry
            if self._clock.now() - started >= LASTING_STREAM:
                failures = 0
            elif self._reader.unasked > unasked:
                failures = min(failures, 1)  # it is of use, but every opening costs the server
            failures += 1
            if last_event_id is None and failures > 1:
                self._over.set()  # who waited for it does so no longer
            wait = max(retry, STREAM_STEPS.wait(failures, self._random))
            if not await self._pause(wait, until_heard=not reachable):
                failures = 0

    async def _listen_once(self, stream: MessageStream) -> bool:
        """Reads the stream until it ends. False when the server offers none."""
        self._is_under_way = True
        try:
            try:
                response = await self._open_stream(stream.last_event_id)
            finally:
                self._opened.set()
            try:
                if response.status == 200 and await response.find_type() == EVENT_STREAM:
                    self._was_open = self._is_open = True
                    await self._reader.read_stream(response, stream, None)
                    return True
                error = await self._fail(response)
            finally:
                await response.aclose()
        finally:
            self._is_under_way = self._is_open = False
        if isinstance(error, SessionLost):
            if not self._was_open:
                pass  # it has none, and says so as of any address that it does not know
            elif isinstance(await self._ask(), SessionLost):
                self._on_session_lost()
                return False
            else:
                raise error  # another one of several servers has the session
        elif isinstance(error, Refused) and error.status not in (401, 403):
            raise error  # busy or not ready: asked again later
        logger.debug("The server offers no listening stream (HTTP %s).", response.status)
        return False

    async def _pause(self, seconds: float, *, until_heard: bool) -> bool:
        """Waits. False when it ended early, because the server answered something meanwhile."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        hearing = asyncio.ensure_future(self._heard.wait())
        waits = {sleeping, hearing} if until_heard else {sleeping}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return sleeping.done()
        finally:
            sleeping.cancel()
            hearing.cancel()
