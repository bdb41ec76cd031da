"""The relay: takes what either side says, and begins what has to be done for it.

Each request of the host runs in a task of its own, so that a slow one delays no other (promise
R6), and ends in exactly one of three ways: the server's answer, an error of ours that says what
happened, or the host's own cancellation. Must not know URLs, tokens or concrete transports.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable

from mcp_remote_py.bounds import MAX_SERVER_ID_BYTES, MAX_SERVER_REQUESTS, Tally
from mcp_remote_py.channel import (
    Clock,
    Deliver,
    HostChannel,
    ServerChannel,
    ServerMemory,
    SignInWatch,
)
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.errors import ExchangeError, Unusable
from mcp_remote_py.jsonrpc import (
    INVALID_PARAMS,
    LOCAL_ERROR,
    Kind,
    Message,
    decode_id,
    make_error,
    make_notification,
    readdress,
)
from mcp_remote_py.mcp_session import INITIALIZED
from mcp_remote_py.open_requests import OpenRequests, cancelled_key, refuse_open_id
from mcp_remote_py.randomness import Random
from mcp_remote_py.relay.asked import Asked, AskedByHost, Handshake
from mcp_remote_py.relay.delivery import Delivery
from mcp_remote_py.relay.outage import Outage
from mcp_remote_py.relay.own_requests import OwnRequests
from mcp_remote_py.relay.pings import Pings
from mcp_remote_py.relay.progress import ToldProgress
from mcp_remote_py.relay.recovery import Recovery, end_of, refused_session
from mcp_remote_py.relay.standing_in import StandingIn
from mcp_remote_py.relay.tasks import WORK, Tasks
from mcp_remote_py.retry import Acquaintance
from mcp_remote_py.tools import ToolCatalog

logger = logging.getLogger("mcp_remote_py.relay")

CANCEL_PATIENCE = 5.0
"""Seconds a server gets to answer a request it was told to cancel."""

MAX_IN_FLIGHT = 200
"""Requests under way at once; more wait their turn. macOS gives a process 256 files."""

MAX_TELLING = 20
"""Notifications of the host that are on their way at once, beside those requests; and as many of
its answers: a server that never answers notifications may ask, and wait for what it asked."""

GRACE = 0.8
"""Seconds calls in flight get to finish after the host closed stdin."""

CLOSE_PATIENCE = 0.6
FLUSH_PATIENCE = 0.3
"""Seconds; with `GRACE` they stay below the 2 s of promise R7."""

Connect = Callable[[Deliver, Callable[[], None]], ServerChannel]
"""Makes the server's channel from where its messages go and who hears of a lost session."""


class Relay:
    """One host, one server; `failures_at` is the level of the log that tells of failed requests."""

    def __init__(
        self,
        host: HostChannel,
        connect: Connect,
        *,
        catalog: ToolCatalog,
        clock: Clock,
        random: Random,
        forward_ping: bool = False,
        ping_interval: float | None = None,
        sign_in: SignInWatch | None = None,
        memory: ServerMemory | None = None,
        initialize_timeout: float | None = None,
        host_wait: Callable[[str], float] | None = None,
        acquaintance: Acquaintance | None = None,
        has_read: Callable[[], bool] = lambda: True,
        failures_at: int = logging.WARNING,
    ) -> None:
        self._host = host
        self._say = host.send
        self._catalog = catalog
        self._clock = clock
        self._random = random
        self._ping_interval = ping_interval
        self._tasks = tasks = Tasks()
        outage = Outage()
        self._asked = asked = AskedByHost(self._say, failures_at, outage)
        self._asked_by_server: OpenRequests[bytes] = OpenRequests()
        """Requests of the server by id, with the bytes of that id."""
        self._unasked = Tally()
        self._dropped = Tally()
        self._telling = asyncio.Semaphore(MAX_TELLING)
        self._answering = asyncio.Semaphore(MAX_TELLING)
        self._running = 0
        self._queue: deque[Asked] = deque()
        self._served: dict[Hashable, Asked] = {}
        """By its id, what is at work for a request, also once that is answered."""
        self._over = ""
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._server = server = connect(self._from_server, lambda: self._recovery.lose())
        self._own = own = OwnRequests(server)
        self._recovery = recovery = Recovery(
            *(server, own, tasks, clock, random, self._say),
            on_lost=self._end_server_requests,
            on_begun=self._note_begun,
        )
        self._progress = ToldProgress(self._say, has_read, clock, tasks)
        self._delivery = Delivery(server, recovery, catalog, clock, random, outage, acquaintance)
        self._pings = Pings(asked, own, self._delivery, tasks, clock, forward=forward_ping)
        self._standing_in = StandingIn(
            *(asked, recovery, catalog, tasks, clock, self._say),
            *(sign_in, memory, initialize_timeout, host_wait),
        )

    # ------------------------------------------------------------------ from start to end

    async def run(self) -> None:
        """Relays until the host closes stdin or `stop` is called, then ends in order."""
        self._host.receive(self._from_host, lambda: self.stop(""))
        if self._ping_interval is not None:
            self._tasks.spawn(self._pings.keep_alive(self._ping_interval, self._random))
        reason = await self._ended
        if not reason:
            await self._let_finish()
            reason = "The host closed the connection before the server answered."
        self._over = reason
        self._progress.end()
        self._queue.clear()
        for asked in self._asked:
            self._asked.fail(asked, Unusable(reason))
        self._host.end(make_error(None, LOCAL_ERROR, reason))
        self._tasks.cancel()
        try:
            async with asyncio.timeout(CLOSE_PATIENCE):
                await self._server.aclose()
        except TimeoutError:
            logger.debug("The server did not confirm the end of the session in time.")
        await self._host.flush(FLUSH_PATIENCE)

    def stop(self, reason: str) -> None:
        """Ends the relay: at once for a reason, which open calls are answered with."""
        self._tasks.over = True
        if not self._ended.done():
            self._ended.set_result(reason)

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called for a reason."""
        return self._ended.done() and bool(self._ended.result())

    async def _let_finish(self) -> None:
        """A host that closed stdin may still read: a script that pipes in a few requests does."""
        grace = asyncio.ensure_future(self._clock.sleep(GRACE))
        while not grace.done() and (working := self._tasks.working()):
            await asyncio.wait({grace, *working}, return_when=asyncio.FIRST_COMPLETED)
        grace.cancel()

    # ------------------------------------------------------------------ from the host

    def _from_host(self, message: Message) -> None:
        if message.kind is Kind.REQUEST:
            self._take_request(message)
        elif refusal := self._catalog.judge(message):
            logger.warning("Not sent: %s. %s", message, refusal)
        elif message.kind is Kind.RESPONSE:
            if self._asked_by_server.close(message.key) is None:
                logger.debug("The host answered a request that is not open: %s", message)
                return
            self._tasks.spawn(self._tell_in_turn(message, self._answering), WORK)
        elif message.method == "notifications/cancelled":
            self._take_cancellation(message)
        elif message.method == INITIALIZED:
            if self._recovery.has_failed:
                return  # a session that is begun later is told so by us
            handshake = self._end_handshake(message, self._recovery.handshake)
            self._recovery.handshake = self._tasks.spawn(handshake, WORK)
        else:
            self._tasks.spawn(self._tell_in_turn(message, self._telling), WORK)

    def _take_request(self, message: Message) -> None:
        asked = Asked(message)
        asked.since = self._clock.now()
        if not self._asked.open(asked):
            self._say(refuse_open_id(message))
        elif self._over:
            self._asked.fail(asked, Unusable(self._over))
        elif self._standing_in.answer(asked):
            pass
        elif refusal := self._catalog.judge(message):
            self._asked.answer(asked, make_error(message.raw_id, INVALID_PARAMS, refusal))
        elif message.method == "ping" and not names_its_version(message):
            if not self._pings.take(asked):
                self._start(asked)
        elif self._running < MAX_IN_FLIGHT:
            if message.method == "initialize":
                asked.handshake = asyncio.get_running_loop().create_future()
                self._recovery.handshake = asked.handshake
                self._standing_in.watch(asked)
            self._start(asked)
        else:
            self._queue.append(asked)

    def _take_cancellation(self, message: Message) -> None:
        """A request under way is cancelled at the server, one that only waits here."""
        asked = self._asked.find(cancelled_key(message))
        if asked is None:
            self._tasks.spawn(self._tell(message), WORK)
            return
        if asked.stood_in is not None:
            return  # it was answered
        asked.cancelled = True
        if asked.at_server and not names_its_version(asked.message):
            self._tasks.spawn(self._tell_cancelled(message, asked), WORK)
            return
        # It waits here: the server need not hear of it. Or it is one of 2026-07-28, where
        # closing the response stream is the cancellation.
        self._asked.close(asked)
        asked.cancel()

    async def _tell_cancelled(self, message: Message, asked: Asked) -> None:
        """Forwards it. The server need not answer then, nor end its stream: we do, a bit later."""
        await self._tell(message)
        await self._clock.sleep(CANCEL_PATIENCE)
        asked.cancel()

    # ------------------------------------------------------------------ one message

    def _start(self, asked: Asked) -> None:
        self._running += 1
        key = asked.message.key
        if (before := self._served.get(key)) is not None:
            before.cancel()  # it is answered; a second answer to it is not for this one
        self._served[key] = asked
        self._tasks.spawn(self._serve(asked), WORK)

    async def _serve(self, asked: Asked) -> None:
        # From here on it can be cancelled. Before, nothing would run that counts it out again.
        asked.task = asyncio.current_task()
        message = asked.message

        def is_done() -> bool:
            return asked.cancelled or not self._asked.is_open(asked)

        def note_sending(at_server: bool) -> None:
            asked.at_server = at_server

        try:
            failure = None
            if not is_done():
                failure = await self._delivery.send(message, is_done, note_sending)
            if failure is not None:
                if message.method == "initialize":
                    self._standing_in.note_failure(asked, failure)
                self._asked.fail(asked, failure)
        except Exception as error:
            logger.exception("A fault of mcp-remote-py while serving %s", message)
            self._asked.fail(asked, _own_fault(error))
        finally:
            self._end(asked)
            await self._host.drain()
            while self._queue and self._running < MAX_IN_FLIGHT:
                waiting = self._queue.popleft()
                if self._asked.is_open(waiting):
                    self._start(waiting)

    def _end(self, asked: Asked) -> None:
        self._running -= 1
        if self._served.get(asked.message.key) is asked:
            del self._served[asked.message.key]
        self._asked.close(asked)
        asked.settle(None)

    async def _tell(self, message: Message) -> None:
        """Sends a message that is not answered; a failure is logged."""
        failure = await self._delivery.send(message, lambda: True)
        if failure is not None:
            logger.warning("Not delivered: %s. %s", message, failure.sentence())

    async def _tell_in_turn(self, message: Message, turns: asyncio.Semaphore) -> None:
        """The same for what there may be any number of: each takes a connection."""
        async with turns:
            await self._tell(message)

    # ------------------------------------------------------------------ from the server

    def _from_server(self, message: Message) -> None:
        self._pings.note_heard()
        if logger.isEnabledFor(logging.DEBUG):
            self._log_heard(message)
        if message.kind is Kind.RESPONSE:
            self._take_answer(message)
            return
        if message.kind is Kind.REQUEST:
            if not self._may_ask(message):
                return
        elif message.method == "notifications/cancelled":
            self._asked_by_server.close(cancelled_key(message))
        elif message.method == "notifications/progress":
            self._progress.note(message)
        if not message.is_proper:
            from mcp_remote_py.mending import mend_message  # few servers need it

            message = mend_message(message)
        self._say(message)

    def _log_heard(self, message: Message) -> None:
        asked = self._asked.find(message.key) if message.kind is Kind.RESPONSE else None
        since = f", {(self._clock.now() - asked.since) * 1000:.0f} ms" if asked is not None else ""
        name = f"answer to {asked.message}" if asked is not None else str(message)
        outcome = " (error)" if message.is_error else ""
        logger.debug("from server: %s%s, %d bytes%s", name, outcome, message.length, since)

    def _may_ask(self, request: Message) -> bool:
        """Notes a request of the server's; False where it is not passed on."""
        many = len(self._asked_by_server) >= MAX_SERVER_REQUESTS
        if many or len(request.raw_id) > MAX_SERVER_ID_BYTES:
            if (times := self._dropped.take()) is not None:
                why = "it has too many open" if many else "its id is too long"
                logger.warning("A request of the server is dropped%s: %s.", times, why)
            return False
        if not self._asked_by_server.open(request.key, request.raw_id):
            logger.debug("The server sent a request again: %s", request)
            return False
        return True

    def _end_server_requests(self) -> None:
        """Ends the server's requests of the lost session; the next one counts its own anew."""
        for raw_id in self._asked_by_server:
            self._asked_by_server.close(decode_id(raw_id))
            params = b'{"requestId":%b,"reason":"The server lost the session."}' % raw_id
            self._say(make_notification("notifications/cancelled", params))

    def _take_answer(self, message: Message) -> None:
        if self._own.take(message):
            return
        asked = self._asked.take(message.key)
        if asked is None:
            if (times := self._unasked.take()) is not None:
                text = "The server answered a request that is not open%s: %s"
                logger.warning(text, times, message)
            return
        answer = message
        own_id = asked.message.raw_id
        if message.raw_id != own_id and own_id.isdigit():
            # 1.0 for 1: not every host takes it for the same.
            answer = readdress(message, own_id)
        if message.is_error or not message.is_proper:
            from mcp_remote_py.mending import mend_answer  # few starts need it

            answer = mend_answer(answer)
        if asked.message.method in _SET_BY:
            version = self._recovery.replay.note(asked.message, message)
            if asked.message.method == "tools/list":
                self._standing_in.note_tools(self._recovery.replay.tools)
                answer = self._catalog.learn(answer)
            elif asked.message.method == "initialize":
                self._take_initialized(asked, message, version)
        if asked.stood_in is None:
            self._progress.answer(asked.message, answer)

    # ------------------------------------------------------------------ the handshake

    def _take_initialized(self, asked: Asked, answer: Message, version: str) -> None:
        if asked.stood_in is not None and answer.is_error:
            asked.stood_in(refused_session(answer))
            return
        asked.settle(None)
        if version or asked.stood_in is not None:
            self._recovery.begin(version, answer)

    async def _end_handshake(
        self, message: Message, previous: Handshake | None
    ) -> ExchangeError | None:
        """Sends `notifications/initialized`: what comes after it waits until the server has it."""
        failure = None if previous is None else await end_of(previous)
        if failure is None:
            await self._recovery.wait_briefly(self._tell(message), INITIALIZED)
            if not names_its_version(message):
                self._server.start_listening()
            self._standing_in.tell_news()
        return failure

    def _note_begun(self, initialized: Message, by_host: bool) -> None:
        self._standing_in.note_initialize(initialized)
        if not by_host:
            self._standing_in.tell_news()


_SET_BY = frozenset(
    {
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tools/list",
    }
)
"""Methods whose answers the relay looks into."""


def _own_fault(error: Exception) -> Unusable:
    # Only the type: nobody has looked for secrets in the text.
    return Unusable(
        f"mcp-remote-py has a fault: {type(error).__name__}.",
        hint="Please report it, with the log that --debug --log-file FILE writes.",
    )
