"""The standalone stream of a session, on which the server says what nobody asked (2025-03-26).

Opened by GET, again and again for as long as the session lasts. Must not know how a request is
answered, or what a session is called.
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

logger = logging.getLogger("mcp_remote_py.transports")

LISTEN_PATIENCE = 1.0
"""Seconds a request in whose course the server may ask waits for the standalone stream, on which
it may do so; some servers open it with their first event."""


class StandaloneStream:
    """Of one channel; open while a session is.

    `open_stream` asks for it, from behind an event id; `fail` says what an answer stands for that
    is not a stream; a request waits `patience` seconds for it to open.
    """

    def __init__(
        self,
        reader: MessageReader,
        open_stream: Callable[[bytes | None], Awaitable[Response]],
        fail: Callable[[Response], Awaitable[ExchangeError]],
        on_session_lost: Callable[[], None],
        clock: Clock,
        random: Random,
        patience: float = LISTEN_PATIENCE,
    ) -> None:
        self._reader = reader
        self._open_stream = open_stream
        self._fail = fail
        self._on_session_lost = on_session_lost
        self._clock = clock
        self._random = random
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._opened.set()  # nothing is being opened
        self._heard = asyncio.Event()

    def start(self) -> None:
        """Begins to open it; does nothing where that was begun."""
        if self._task is None:
            self._opened.clear()
            self._task = asyncio.ensure_future(self._listen())

    def stop(self) -> set[asyncio.Task[None]]:
        """Closes it; its connection is closed when the task that is returned has ended."""
        task, self._task = self._task, None
        if task is None:
            return set()
        task.cancel()
        self._opened.set()
        return {task}

    def hear(self) -> None:
        """The server has answered something: it can be reached."""
        self._heard.set()

    async def wait(self) -> None:
        """Waits until the server has it, where it is being opened: what it asks before is lost."""
        if self._opened.is_set():
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._opened.wait()
        except TimeoutError:
            logger.debug("The listening stream is not answered; nothing waits for it any more.")
            self._opened.set()

    async def _listen(self) -> None:
        failures = 0
        retry = 0.0
        last_event_id: bytes | None = None
        while True:
            started, unasked = self._clock.now(), self._reader.unasked
            stream = self._reader.begin(last_event_id)
            self._heard.clear()
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
            wait = max(retry, STREAM_STEPS.wait(failures, self._random))
            if not await self._pause(wait, until_heard=not reachable):
                failures = 0

    async def _listen_once(self, stream: MessageStream) -> bool:
        """Reads the stream until it ends. False when the server offers none."""
        try:
            response = await self._open_stream(stream.last_event_id)
        finally:
            self._opened.set()
        try:
            if response.status == 200 and response.content_type == EVENT_STREAM:
                await self._reader.read_stream(response, stream, None)
                return True
            error = await self._fail(response)
        finally:
            await response.aclose()
        if isinstance(error, SessionLost):
            self._on_session_lost()
            return False
        if isinstance(error, Refused) and error.status not in (401, 403):
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
