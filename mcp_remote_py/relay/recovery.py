"""Whether there is a session with the server, and how another one is begun (promise R5).

One handshake serves all who wait for it. Must not know the host: what it has to hear goes to
whoever made this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mcp_remote_py.channel import Clock, Deliver, ServerChannel
from mcp_remote_py.errors import ExchangeError, Refused, Unusable
from mcp_remote_py.jsonrpc import Message, make_notification
from mcp_remote_py.mcp_session import INITIALIZED, TOOLS_CHANGED, SessionReplay
from mcp_remote_py.randomness import Random
from mcp_remote_py.relay.asked import Handshake
from mcp_remote_py.relay.own_requests import OwnRequests
from mcp_remote_py.relay.tasks import BACKGROUND, WORK, Tasks
from mcp_remote_py.retry import STREAM_STEPS

logger = logging.getLogger("mcp_remote_py.relay")

LASTING_SESSION = 60.0
"""Seconds a session must have lasted for the next one to be begun without growing waits."""

BEGINNING_PATIENCE = 3.0
"""Seconds that what follows waits for the server to take `notifications/initialized`, or what a
session has to be told again. One that never answers these would hold up everything."""

MAX_RESTORATIONS = 8
"""New sessions begun in a row while nobody asks for anything (promise L5)."""


class Recovery:
    """The session with one server.

    `on_lost` is called when the questions of a session's server cannot be answered any more,
    `on_begun` with the server's answer to `initialize`, and whether that was the host's own.

    Attributes:
        replay: what a new session has to be told.
        is_lost: a new one has to be begun before anything is sent.
        generation: how many there were.
        handshake: the host's, which what it sends next waits for.
    """

    def __init__(
        self,
        server: ServerChannel,
        own: OwnRequests,
        tasks: Tasks,
        clock: Clock,
        random: Random,
        say: Deliver,
        *,
        on_lost: Callable[[], None],
        on_begun: Callable[[Message, bool], None],
    ) -> None:
        self.replay = SessionReplay()
        self.is_lost = False
        self.generation = 0
        self.handshake: Handshake | None = None
        self._server = server
        self._own = own
        self._tasks = tasks
        self._clock = clock
        self._random = random
        self._say = say
        self._on_lost = on_lost
        self._on_begun = on_begun
        self._recovering: asyncio.Future[None] | None = None
        self._restorations = 0
        self._since = 0.0
        self._is_told = False
        """That the session is lost, since it is."""

    @property
    def is_beginning(self) -> bool:
        """Whether the host's handshake is under way."""
        return self.handshake is not None and not self.handshake.done()

    @property
    def has_failed(self) -> bool:
        """Whether the host's handshake ended without a session."""
        handshake = self.handshake
        if handshake is None or not handshake.done() or handshake.cancelled():
            return False
        return handshake.exception() is None and handshake.result() is not None

    async def let_handshake_end(self) -> ExchangeError | None:
        """A host, or a script, may write its first lines at once: they keep their order."""
        failure = None
        while (handshake := self.handshake) is not None and not handshake.done():
            failure = await end_of(handshake)
        return failure

    def begin(self, version: str, initialized: Message) -> None:
        """The server has answered the host's `initialize`, with this version, "" without one."""
        if version:
            self._server.set_protocol_version(version)
        self._note_begun()
        self._on_begun(initialized, True)

    def _note_begun(self) -> None:
        self.is_lost = self._is_told = False
        self.generation += 1
        self._since = self._clock.now()

    def lose(self) -> None:
        """The server has let it go; another one is begun, so that it can still say something."""
        if not self.is_lost and self.replay.established and not self._tasks.over:
            self.is_lost = True
            self._tasks.spawn(self._restore())

    async def _restore(self) -> None:
        if self._clock.now() - self._since >= LASTING_SESSION:
            self._restorations = 0
        while self.is_lost and self._restorations < MAX_RESTORATIONS:
            self._restorations += 1
            await self._clock.sleep(STREAM_STEPS.wait(self._restorations, self._random))
            try:
                if self.is_lost:
                    await self.recover()
            except ExchangeError as error:
                logger.debug("No new session yet: %s", error.cause)

    async def wait_briefly(self, work: Coroutine[Any, Any, object], method: str) -> None:
        """Waits, within reason, until the server has taken what a session begins with.

        That is told on, where it takes longer. Raises what `work` raises meanwhile.
        """
        task = self._tasks.spawn(work, WORK)
        patience = asyncio.ensure_future(self._clock.sleep(BEGINNING_PATIENCE))
        try:
            await asyncio.wait({task, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        if task.done():
            task.result()
            return
        logger.info("The server does not answer %s; nothing waits for it any more.", method)
        task.set_name(BACKGROUND)
        task.add_done_callback(_look_at)

    async def make_way(self) -> None:
        """Forgets the lost one: the host begins the next itself."""
        await self._server.renew()
        self._on_lost()
        self.is_lost = False

    async def establish(self) -> ExchangeError | None:
        """A session, by the handshake that is under way or by another; or why there is none."""
        if self.handshake is not None and not self.handshake.done():
            return await end_of(self.handshake)
        try:
            await self.recover()
        except ExchangeError as error:
            return error
        return None

    async def recover(self) -> None:
        """Begins a new session, once for all who wait for it.

        Raises:
            ExchangeError: none could be begun.
        """
        if self._recovering is None:
            self._recovering = self._tasks.spawn(self._renew())
            self._recovering.add_done_callback(self._end_recovery)
        await asyncio.shield(self._recovering)

    def _end_recovery(self, recovery: asyncio.Future[None]) -> None:
        self._recovering = None
        if not recovery.cancelled():
            recovery.exception()  # each waiter saw it; this says so to asyncio

    async def _renew(self) -> None:
        if not self._is_told:
            logger.info("The session is lost; beginning a new one.")
            self._is_told = True
        await self._server.renew()
        self._on_lost()
        initialized: Message | None = None
        for method, params in self.replay.handshake():
            if method == INITIALIZED:
                await self._tell_initialized()
                continue
            initialized = await self._own.ask(method, params)
            if initialized.is_error:
                raise refused_session(initialized)
            self._server.set_protocol_version(self.replay.renew(initialized))
        for method, params in self.replay.settings():
            try:
                await self.wait_briefly(self._own.ask(method, params), method)
            except Unusable as error:
                logger.warning("%s could not be set again: %s", method, error.cause)
        self._note_begun()
        self._server.start_listening()
        if initialized is not None:
            self._on_begun(initialized, False)
        if self.replay.tools is not None and self.replay.announces_tools:
            self._tasks.spawn(self._compare_tools())

    async def _tell_initialized(self) -> None:
        """A server that refuses it may do without: what comes next tells."""
        notification = make_notification(INITIALIZED)
        try:
            await self.wait_briefly(self._server.send(notification), INITIALIZED)
        except ExchangeError as error:
            if error.status is None:
                raise
            logger.warning("Not delivered: %s. %s", notification, error.sentence())

    async def _compare_tools(self) -> None:
        """A server that was restarted may be a new version: the host hears of other tools."""
        try:
            answer = await self._own.ask("tools/list", b"")
        except ExchangeError as error:
            logger.debug("The tools could not be compared: %s", error.cause)
            return
        if not answer.is_error and (answer.is_long or answer.result != self.replay.tools):
            self._say(TOOLS_CHANGED)


def _look_at(task: asyncio.Task[object]) -> None:
    """Says to asyncio that its failure was seen: nobody waits for it any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("It was not delivered: %s", error)


async def end_of(handshake: Handshake) -> ExchangeError | None:
    """Waits for it; the error where it made no session, None where it did or nobody knows."""
    await asyncio.wait({handshake})
    return None if handshake.cancelled() or handshake.exception() else handshake.result()


def refused_session(answer: Message) -> Refused:
    """The error for a handshake that the server answered with one."""
    return Refused(
        f"The server refuses a new session: {answer.error.decode()}.",
        hint="Restart the host's connection to this server.",
    )
