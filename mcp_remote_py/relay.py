"""The relay: every message of the host to the server and back, every request answered once.

Two ledgers hold what is open in each direction; whoever takes an entry out answers it. Each
request runs in a task of its own, so that a slow one delays no other (promise R6), and ends in
exactly one of three ways: the server's answer, an error of ours that says what happened, or the
host's own cancellation. Must not know URLs, tokens or concrete transports.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mcp_remote_py.bounds import MAX_SERVER_ID_BYTES, MAX_SERVER_REQUESTS, Tally
from mcp_remote_py.channel import (
    Clock,
    Deliver,
    HostChannel,
    HostFront,
    ServerChannel,
    ServerSnapshot,
    SignInWatch,
)
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    InvalidMessage,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LOCAL_ERROR,
    Kind,
    Message,
    decode_id,
    encode_error,
    encode_notification,
    encode_request,
    encode_result,
    find_id,
    parse_message,
    read_messages,
    reword_error,
)
from mcp_remote_py.pending import Ledger, cancelled_key, refuse_open_id
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.retry import (
    HARMLESS_METHODS,
    STREAM_STEPS,
    UNSURE_STATUS,
    Attempts,
    Random,
)
from mcp_remote_py.session import INITIALIZED, TOOLS_CHANGED, SessionMemory
from mcp_remote_py.tools import ToolCatalog, called_tool

if TYPE_CHECKING:
    from mcp_remote_py.stand_in import StandIn

T = TypeVar("T")

logger = logging.getLogger("mcp_remote_py.relay")

CANCEL_PATIENCE = 5.0
"""Seconds a server gets to answer a request it was told to cancel."""

MAX_IN_FLIGHT = 200
"""Requests under way at once; more wait their turn. macOS gives a process 256 files."""

MAX_TELLING = 40
"""Notifications and answers of the host that are on their way at once, beside those requests."""

PING_FRESHNESS = 30.0
"""Seconds since the server was last heard in which the host's ping is answered for it."""

GRACE = 0.8
"""Seconds calls in flight get to finish after the host closed stdin."""

CLOSE_PATIENCE = 0.6
FLUSH_PATIENCE = 0.3
"""Seconds; with `GRACE` they stay below the 2 s of promise R7."""

LASTING_SESSION = 60.0
"""Seconds a session must have lasted for the next one to be begun without growing waits."""

MAX_RESTORATIONS = 8
"""New sessions begun in a row while nobody asks for anything (promise L5)."""

WATCH_INTERVAL = 0.5
"""Seconds between two looks at a sign-in that somebody waits for."""

WORK, BACKGROUND = "work", "background"
"""Names of tasks: the end waits a little for the first kind, never for the second."""

Connect = Callable[[Deliver, Callable[[], None]], ServerChannel]
"""Makes the server's channel from where its messages go and who hears of a lost session."""


class _Open:
    """An open request of the host."""

    __slots__ = ("at_server", "cancelled", "closed", "message", "stood_in", "task")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.closed: _Handshake | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        self.at_server = False
        """Whether an exchange with the server is under way."""
        self.stood_in = False
        """Whether the host has its answer already, and the server's is for the relay alone."""


_Handshake = asyncio.Future[ExchangeError | None]
"""Done when the server has answered, or with why those that wait for a session get none."""


class Relay:
    """One host, one server."""

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
        initialize_timeout: float | None = None,
        front: HostFront | None = None,
    ) -> None:
        self._host = host
        self._front = front
        self._take: Callable[[Message], None] = self._from_host
        self._say: Callable[[bytes], None] = host.send
        if front is not None:
            front.attach(self._from_host, host.send)
            self._take, self._say = front.take, front.say
        self._server = connect(self._from_server, self._on_session_lost)
        self._catalog = catalog
        self._clock = clock
        self._random = random
        self._forward_ping = forward_ping
        self._ping_interval = ping_interval
        self._sign_in = sign_in
        self._initialize_timeout = initialize_timeout
        self._stand_in: StandIn | None = None
        self._known = ServerSnapshot()
        self._memory = SessionMemory()
        self._asked: Ledger[_Open] = Ledger()
        self._asked_by_server: Ledger[bytes] = Ledger()
        """What the server asked, by its id, and the bytes of that id."""
        self._unasked = Tally()
        self._dropped = Tally()
        self._broken_lines = Tally()
        self._telling = asyncio.Semaphore(MAX_TELLING)
        self._private: Ledger[asyncio.Future[Message]] = Ledger()
        self._private_ids = 0
        self._running = 0
        self._queue: deque[_Open] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handshake: _Handshake | None = None
        self._session_lost = False
        self._generation = 0
        self._recovering: asyncio.Future[None] | None = None
        self._restorations = 0
        self._session_since = 0.0
        self._last_heard: float | None = None
        self._over = ""
        self._waiting_pings: list[_Open] = []
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # ------------------------------------------------------------------ from start to end

    async def run(self) -> None:
        """Relays until the host closes stdin or `stop` is called, then ends in order."""
        self._host.receive(self._on_line, self._on_long_line, lambda: self.stop(""))
        if self._ping_interval is not None:
            self._spawn(self._keep_alive(self._ping_interval))
        reason = await self._ended
        if not reason:
            await self._let_finish()
            reason = "The host closed the connection before the server answered."
        self._over = reason
        self._queue.clear()
        for entry in self._asked:
            self._fail(entry, Unusable(reason))
        if self._front is not None:
            self._front.end(encode_error(None, LOCAL_ERROR, reason))
        for task in list(self._tasks):
            task.cancel()
        try:
            async with asyncio.timeout(CLOSE_PATIENCE):
                await self._server.aclose()
        except TimeoutError:
            logger.debug("The server did not confirm the end of the session in time.")
        await self._host.flush(FLUSH_PATIENCE)

    def stop(self, reason: str) -> None:
        """Ends the relay: at once for a reason, which open calls are answered with."""
        if not self._ended.done():
            self._ended.set_result(reason)

    async def _let_finish(self) -> None:
        """A host that closed stdin may still read: a script that pipes in a few requests does."""
        grace = asyncio.ensure_future(self._clock.sleep(GRACE))
        while not grace.done():
            working = {task for task in self._tasks if task.get_name() != BACKGROUND}
            if not working:
                break
            await asyncio.wait({grace, *working}, return_when=asyncio.FIRST_COMPLETED)
        grace.cancel()

    def _spawn(self, work: Coroutine[Any, Any, T], name: str = BACKGROUND) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------------ from the host

    def _on_line(self, line: bytes) -> Iterator[None]:
        if not line or line.isspace():
            return
        try:
            for message in read_messages(line):
                if message is None:
                    yield
                elif isinstance(message, InvalidMessage):
                    self._refuse_line(message)
                else:
                    self._take(message)
        except InvalidMessage as error:
            self._refuse_line(error)

    def _on_long_line(self, head: bytes, tail: bytes) -> None:
        self._refuse_line(
            InvalidMessage(
                "The message is larger than the limit; raise it with --max-message-size.",
                code=INVALID_REQUEST,
                raw_id=find_id(head, tail),
            )
        )

    def _refuse_line(self, error: InvalidMessage) -> None:
        if (times := self._broken_lines.take()) is not None:
            text = "The host sent a line that is not a message%s: %s"
            logger.warning(text, times, error.cause)
        self._say(encode_error(error.raw_id, error.code, error.cause))

    def _from_host(self, message: Message) -> None:
        if message.kind is Kind.REQUEST:
            self._take_request(message)
        elif refusal := self._catalog.judge(message):
            logger.warning("Not sent: %s. %s", message, refusal)
        elif message.kind is Kind.RESPONSE:
            if self._asked_by_server.close(message.key) is None:
                logger.debug("The host answered a request that is not open: %s", message)
                return
            self._spawn(self._tell_in_turn(message), WORK)
        elif message.method == "notifications/cancelled":
            self._take_cancellation(message)
        elif message.method == INITIALIZED:
            self._handshake = self._spawn(self._begin(message, self._handshake), WORK)
        else:
            self._spawn(self._tell_in_turn(message), WORK)

    def _take_request(self, message: Message) -> None:
        entry = _Open(message)
        if not self._asked.open(message.key, entry):
            self._say(refuse_open_id(message))
            return
        if self._over:
            self._fail(entry, Unusable(self._over))
        elif self._answer_in_place(entry):
            pass
        elif refusal := self._catalog.judge(message):
            self._answer(entry, encode_error(message.raw_id, INVALID_PARAMS, refusal))
        elif message.method == "ping" and not names_its_version(message):
            self._take_ping(entry)
        elif self._running < MAX_IN_FLIGHT:
            if message.method == "initialize":
                self._handshake = entry.closed = asyncio.get_running_loop().create_future()
                self._stand_in = None
                if self._sign_in is not None and self._initialize_timeout is not None:
                    self._spawn(self._outlive(entry, self._sign_in, self._initialize_timeout))
            self._start(entry)
        else:
            self._queue.append(entry)

    def _take_ping(self, entry: _Open) -> None:
        heard = self._last_heard
        if self._forward_ping or heard is None:
            self._start(entry)
        elif self._clock.now() - heard <= PING_FRESHNESS:
            self._answer_ping(entry)
        else:
            self._waiting_pings.append(entry)
            if len(self._waiting_pings) == 1:
                self._spawn(self._ping_for_all(), WORK)

    def _answer_ping(self, entry: _Open) -> None:
        self._answer(entry, encode_result(entry.message.raw_id, b"{}"))

    async def _ping_for_all(self) -> None:
        """One ping to the server for all the host sent meanwhile."""
        with self._own_request("ping", b"") as (request, answer):
            failure = await self._exchange(request, answer.done)
        waiting, self._waiting_pings = self._waiting_pings, []
        for entry in waiting:
            if failure is None:
                self._answer_ping(entry)
            else:
                self._fail(entry, _told_to_others(failure))

    def _take_cancellation(self, message: Message) -> None:
        """A request under way is cancelled at the server, one that only waits here."""
        entry = self._asked.find(cancelled_key(message))
        if entry is None:
            self._spawn(self._tell(message), WORK)
            return
        if entry.stood_in:
            return  # it was answered
        entry.cancelled = True
        if entry.at_server and not names_its_version(entry.message):
            self._spawn(self._tell_cancelled(message, entry), WORK)
            return
        # It waits here: the server need not hear of it. Or it is one of 2026-07-28, where
        # closing the response stream is the cancellation.
        self._close(entry)
        if entry.task is not None:
            entry.task.cancel()

    async def _tell_cancelled(self, message: Message, entry: _Open) -> None:
        """Forwards it. The server need not answer then, nor end its stream: we do, a bit later."""
        await self._tell(message)
        await self._clock.sleep(CANCEL_PATIENCE)
        if entry.task is not None:
            entry.task.cancel()

    # ------------------------------------------------------------------ one request

    def _start(self, entry: _Open) -> None:
        self._running += 1
        entry.task = self._spawn(self._serve(entry), WORK)

    async def _serve(self, entry: _Open) -> None:
        message = entry.message
        try:
            failure = await self._exchange(
                message, lambda: entry.cancelled or not self._is_open(entry)
            )
            if failure is not None:
                self._fail(entry, failure)
        except Exception as error:
            logger.exception("A fault of mcp-remote-py while serving %s", message)
            self._fail(entry, _own_fault(error))
        finally:
            self._running -= 1
            self._close(entry)
            _settle(entry, None)
            await self._host.drain()
            while self._queue and self._running < MAX_IN_FLIGHT:
                waiting = self._queue.popleft()
                if self._is_open(waiting):
                    self._start(waiting)

    async def _tell(self, message: Message) -> None:
        """Sends what needs no answer; a failure is the log's."""
        failure = await self._exchange(message, lambda: True)
        if failure is not None:
            logger.warning("Not delivered: %s. %s", message, failure.sentence())

    async def _tell_in_turn(self, message: Message) -> None:
        """The same for what there may be any number of: each takes a connection."""
        async with self._telling:
            await self._tell(message)

    async def _exchange(
        self, message: Message, is_done: Callable[[], bool]
    ) -> ExchangeError | None:
        """Sends until it worked, or returns why it cannot."""
        if message.kind is not Kind.RESPONSE and message.method not in _HANDSHAKE_METHODS:
            failure = await self._let_handshake_end()
            if failure is not None:
                return _told_to_others(failure)
        if message.kind is Kind.RESPONSE and self._session_lost:
            return SessionLost("The session that asked is gone.")
        attempts = Attempts(message.method, self._clock.now(), self._is_harmless(message))
        while (error := await self._try_once(message, is_done)) is not None:
            if message.kind is Kind.REQUEST and is_done():
                return None
            if message.kind is Kind.RESPONSE and isinstance(error, SessionLost):
                return error  # whoever asked is gone with the session
            wait = attempts.judge(error, self._clock.now(), self._random)
            if wait is None:
                return _warn_of_execution(error, message, attempts.harmless)
            if wait:
                logger.info("%s Trying again in %.1f s.", error.cause, wait)
                await self._clock.sleep(wait)
        if is_done():
            return None
        return Unusable(
            "The server answered without an answer to this request.",
            hint="That is a fault of the server.",
        )

    async def _let_handshake_end(self) -> ExchangeError | None:
        """A host, or a script, may write its first lines at once: they keep their order."""
        failure = None
        while (handshake := self._handshake) is not None and not handshake.done():
            failure = await _end_of(handshake)
        return failure

    async def _try_once(
        self, message: Message, is_done: Callable[[], bool]
    ) -> ExchangeError | None:
        generation = self._generation
        try:
            if self._session_lost:
                # A host that begins anew needs no handshake of ours before its own.
                renew = self._renew_for_host if message.method == "initialize" else self._recover
                try:
                    await renew()
                except ExchangeError as error:
                    raise _told_to_others(error) from error
                generation = self._generation
            if message.kind is Kind.REQUEST and is_done():
                return None  # while it waited here, the answer came on another stream
            await self._send(message)
        except ExchangeError as error:
            # Many requests may hear of one lost session: the last to hear must not end the next.
            if isinstance(error, SessionLost) and generation == self._generation:
                self._session_lost = True
            return _without_trace(error)
        return None

    async def _send(self, message: Message) -> None:
        entry = self._asked.find(message.key) if message.kind is Kind.REQUEST else None
        if entry is None:
            await self._server.send(message)
            return
        entry.at_server = True
        try:
            await self._server.send(message)
        finally:
            entry.at_server = False

    def _is_harmless(self, message: Message) -> bool:
        if message.method == "tools/call":
            name = called_tool(message)
            return name is not None and self._catalog.may_repeat(name)
        return message.method in HARMLESS_METHODS or message.method.startswith("notifications/")

    def _is_open(self, entry: _Open) -> bool:
        # By identity: once answered, its id may be another request's.
        return self._asked.find(entry.message.key) is entry

    def _close(self, entry: _Open) -> bool:
        """Takes the request out; whether it is the caller's to answer."""
        return self._is_open(entry) and self._asked.close(entry.message.key) is not None

    def _answer(self, entry: _Open, line: bytes) -> None:
        if self._close(entry):
            self._say(line)

    def _fail(self, entry: _Open, error: ExchangeError) -> None:
        if entry.cancelled:
            self._close(entry)  # nobody waits for it (MCP, "Cancellation")
            return
        if entry.stood_in:
            self._fail_handshake(entry, error)
            return
        # The last line of defence, as in the log; the server's own answer is not ours to change.
        text = scrub_known(error.sentence())
        line = error.body or encode_error(entry.message.raw_id, LOCAL_ERROR, text)
        if error.in_our_words:
            line = reword_error(line, text)
        logger.warning("%s failed: %s", entry.message, error.sentence())
        self._answer(entry, line)

    # ------------------------------------------------------------------ from the server

    def _from_server(self, message: Message) -> None:
        self._last_heard = self._clock.now()
        if message.kind is Kind.RESPONSE:
            self._take_answer(message)
            return
        if message.kind is Kind.REQUEST:
            if not self._may_ask(message):
                return
        elif message.method == "notifications/cancelled":
            self._asked_by_server.close(cancelled_key(message))
        self._say(message.raw)

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

    def _take_answer(self, message: Message) -> None:
        private = self._private.close(message.key)
        if private is not None:
            if not private.done():
                private.set_result(message)
            return
        entry = self._asked.close(message.key)
        if entry is None:
            if (times := self._unasked.take()) is not None:
                text = "The server answered a request that is not open%s: %s"
                logger.warning(text, times, message)
            return
        line = message.raw
        if entry.message.method in _SET_BY:
            version = self._memory.note(entry.message, message)
            if entry.message.method == "tools/list":
                line = self._take_tools(message)
            elif entry.message.method == "initialize":
                self._take_initialized(entry, message, version)
        if not entry.stood_in:
            self._say(line)

    def _take_tools(self, answer: Message) -> bytes:
        self._keep_known(tools=self._memory.tools or b"")
        if self._stand_in is not None:
            self._stand_in.show_tools()
        return self._catalog.learn(answer)

    def _take_initialized(self, entry: _Open, answer: Message, version: str) -> None:
        if entry.stood_in and answer.is_error:
            self._fail_handshake(entry, _refused_session(answer))
            return
        _settle(entry, None)
        if version:
            self._server.set_protocol_version(version)
        if version or entry.stood_in:
            self._begin_session()
            self._note_initialize(answer)

    # ------------------------------------------------------------------ the session

    async def _begin(self, message: Message, previous: _Handshake | None) -> ExchangeError | None:
        """Sends `notifications/initialized`: everything after it waits until the server has it."""
        failure = None if previous is None else await _end_of(previous)
        if failure is None:
            await self._tell(message)
            if not names_its_version(message):
                self._server.start_listening()
            self._tell_news()
        return failure

    def _begin_session(self) -> None:
        self._session_lost = False
        self._generation += 1
        self._session_since = self._clock.now()

    def _on_session_lost(self) -> None:
        if not self._session_lost and self._memory.established and not self._ended.done():
            self._session_lost = True
            self._spawn(self._restore())

    async def _restore(self) -> None:
        """Begins a new session while nobody asks, so that the server can still say something."""
        if self._clock.now() - self._session_since >= LASTING_SESSION:
            self._restorations = 0
        while self._session_lost and self._restorations < MAX_RESTORATIONS:
            self._restorations += 1
            await self._clock.sleep(STREAM_STEPS.wait(self._restorations, self._random))
            try:
                if self._session_lost:
                    await self._recover()
            except ExchangeError as error:
                logger.debug("No new session yet: %s", error.cause)

    async def _renew_for_host(self) -> None:
        await self._server.renew()
        self._end_server_requests()
        self._session_lost = False

    def _end_server_requests(self) -> None:
        """What the lost session asked has nobody to be answered to; the next counts anew."""
        for raw_id in self._asked_by_server:
            self._asked_by_server.close(decode_id(raw_id))
            self._say(_cancel_line(raw_id))

    async def _recover(self) -> None:
        """Begins a new session, once for all who wait for it."""
        if self._recovering is None:
            self._recovering = self._spawn(self._renew())
            self._recovering.add_done_callback(self._end_recovery)
        await asyncio.shield(self._recovering)

    def _end_recovery(self, recovery: asyncio.Future[None]) -> None:
        self._recovering = None
        if not recovery.cancelled():
            recovery.exception()  # each waiter saw it; this says so to asyncio

    async def _renew(self) -> None:
        logger.info("The session is lost; beginning a new one.")
        await self._server.renew()
        self._end_server_requests()
        initialized: Message | None = None
        for method, params in self._memory.handshake():
            if method == INITIALIZED:
                await self._server.send(parse_message(encode_notification(method)))
                continue
            initialized = await self._ask_privately(method, params)
            if initialized.is_error:
                raise _refused_session(initialized)
            self._server.set_protocol_version(self._memory.renew(initialized))
        for method, params in self._memory.settings():
            try:
                await self._ask_privately(method, params)
            except Unusable as error:
                logger.warning("%s could not be set again: %s", method, error.cause)
        self._begin_session()
        self._server.start_listening()
        if initialized is not None:
            self._note_initialize(initialized)
        self._tell_news()
        if self._memory.tools is not None and self._memory.announces_tools:
            self._spawn(self._compare_tools())

    def _note_initialize(self, answer: Message) -> None:
        self._keep_known(initialize=answer.result)
        if self._stand_in is not None:
            self._stand_in.end(answer.result)

    def _tell_news(self) -> None:
        for line in [] if self._stand_in is None else self._stand_in.take_news():
            self._say(line)

    async def _compare_tools(self) -> None:
        """A server that was restarted may be a new version: the host hears of other tools."""
        try:
            answer = await self._ask_privately("tools/list", b"")
        except ExchangeError as error:
            logger.debug("The tools could not be compared: %s", error.cause)
            return
        if not answer.is_error and answer.result != self._memory.tools:
            self._say(TOOLS_CHANGED)

    # ------------------------------------------------------------------ while somebody signs in

    async def _outlive(self, entry: _Open, sign_in: SignInWatch, patience: float) -> None:
        """Answers `initialize` before the host gives up, where a person is waited for."""
        await self._clock.sleep(patience)
        while self._is_open(entry) and not sign_in.waiting_for_person():
            await self._clock.sleep(WATCH_INTERVAL)
        if entry.cancelled or not self._is_open(entry):
            return
        from mcp_remote_py.stand_in import StandIn  # few starts need it

        logger.info("Nobody has signed in yet: initialize is answered for the server.")
        self._stand_in = StandIn(entry.message, sign_in, self._catalog)
        self._memory.begin(entry.message)
        entry.stood_in = True
        self._say(encode_result(entry.message.raw_id, self._stand_in.greet()))
        for waiting in self._asked:
            task = waiting.task
            if self._answer_in_place(waiting) and task is not None:
                task.cancel()

    def _answer_in_place(self, entry: _Open) -> bool:
        """Answers what needs no server; else, while nobody is signed in, bounds its wait."""
        stand_in = self._stand_in
        if stand_in is None or entry.message.method == "initialize":
            return False
        result = stand_in.answer(entry.message)
        if result is not None:
            self._answer(entry, encode_result(entry.message.raw_id, result))
            return True
        if stand_in.over:
            return False
        self._spawn(self._bound_wait(entry, stand_in))
        if not stand_in.is_sign_in(entry.message):
            return False
        entry.task = self._spawn(self._sign_in_again(entry, stand_in), WORK)
        return True

    async def _bound_wait(self, entry: _Open, stand_in: StandIn) -> None:
        await self._clock.sleep(self._initialize_timeout or 0.0)
        if stand_in.over or entry.at_server or not self._is_open(entry):
            return
        self._fail(entry, stand_in.excuse())
        if entry.task is not None:
            entry.task.cancel()

    async def _sign_in_again(self, entry: _Open, stand_in: StandIn) -> None:
        """Begins a sign-in where none is under way, and tells the host how it stands."""
        attempt = self._spawn(self._establish())
        while not attempt.done() and not stand_in.is_waiting():
            await self._clock.sleep(WATCH_INTERVAL)
        failure = attempt.result() if attempt.done() else None
        words = "" if failure is None else scrub_known(failure.sentence())
        self._answer(entry, encode_result(entry.message.raw_id, stand_in.report(words)))

    async def _establish(self) -> ExchangeError | None:
        """A session, by the handshake that is under way or by another; or why there is none."""
        if self._handshake is not None and not self._handshake.done():
            return await _end_of(self._handshake)
        try:
            await self._recover()
        except ExchangeError as error:
            return error
        return None

    def _fail_handshake(self, entry: _Open, error: ExchangeError) -> None:
        """The host was answered: who waits for the session hears it, who comes later begins one."""
        self._close(entry)
        self._session_lost = True
        logger.warning("%s failed: %s", entry.message, error.sentence())
        _settle(entry, error)

    def _keep_known(self, **members: bytes) -> None:
        """Keeps what the server said of itself, for a start that nobody is signed in at."""
        known = self._known._replace(**members)
        if self._sign_in is not None and self._sign_in.in_use and known != self._known:
            self._known = known
            self._spawn(asyncio.to_thread(self._sign_in.keep, known))

    # ------------------------------------------------------------------ requests of our own

    async def _ask_privately(self, method: str, params: bytes) -> Message:
        """A request of our own, whose answer the host never sees."""
        with self._own_request(method, params) as (request, answer):
            await self._server.send(request)
            if not answer.done():
                raise Unusable(f"The server did not answer {method}.")
            return answer.result()

    @contextmanager
    def _own_request(
        self, method: str, params: bytes
    ) -> Generator[tuple[Message, asyncio.Future[Message]]]:
        self._private_ids += 1
        request = parse_message(
            encode_request(b'"mcp-remote-py/%d"' % self._private_ids, method, params)
        )
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._private.open(request.key, answer)
        try:
            yield request, answer
        finally:
            self._private.close(request.key)

    async def _keep_alive(self, interval: float) -> None:
        while True:
            # Many proxies started together must not ping together.
            await self._clock.sleep(interval * (0.9 + 0.2 * self._random()))
            heard = self._last_heard
            if heard is None or self._clock.now() - heard < interval / 2:
                continue
            try:
                await self._ask_privately("ping", b"")
            except ExchangeError as error:
                logger.debug("The keep-alive ping failed: %s", error.cause)


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


_HANDSHAKE_METHODS = frozenset({"initialize", INITIALIZED, "notifications/cancelled"})
"""Methods that do not wait for the handshake to be over."""


def _without_trace(error: ExchangeError) -> ExchangeError:
    """The error without the way it came: that keeps whatever was read on it."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _settle(entry: _Open, failure: ExchangeError | None) -> None:
    if entry.closed is not None and not entry.closed.done():
        entry.closed.set_result(failure)


async def _end_of(handshake: _Handshake) -> ExchangeError | None:
    await asyncio.wait({handshake})
    return None if handshake.cancelled() or handshake.exception() else handshake.result()


def _refused_session(answer: Message) -> Refused:
    return Refused(
        f"The server refuses a new session: {answer.error.decode()}.",
        hint="Restart the host's connection to this server.",
    )


def _cancel_line(raw_id: bytes) -> bytes:
    params = b'{"requestId":%b,"reason":"The server lost the session."}' % raw_id
    return encode_notification("notifications/cancelled", params)


def _told_to_others(error: ExchangeError) -> ExchangeError:
    """What befell a request of our own, for those that waited for it and were never sent.

    A copy for each, because causes grow; without the server's answer, whose id is ours.
    """
    if isinstance(error, Interrupted):
        return NotSent(error.cause, hint=error.hint)
    return type(error)(
        error.cause, hint=error.hint, status=error.status, retry_after=error.retry_after
    )


def _own_fault(error: Exception) -> Unusable:
    # Only the type: what the text says nobody has looked at for secrets.
    return Unusable(
        f"mcp-remote-py has a fault: {type(error).__name__}.",
        hint="Please report it, with the log that --debug --log-file FILE writes.",
    )


def _warn_of_execution(error: ExchangeError, message: Message, harmless: bool) -> ExchangeError:
    """Says so where a request that was not repeated may have had its effect."""
    unsure = isinstance(error, Interrupted) or (
        # with `Retry-After` it was sent again, as a refusal that came before execution
        error.status in UNSURE_STATUS and (error.status != 503 or error.retry_after is None)
    )
    if message.kind is Kind.REQUEST and unsure and not harmless:
        return error.with_evidence("The request may have been executed; it was not sent again.")
    return error
