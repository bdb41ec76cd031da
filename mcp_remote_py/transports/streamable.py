"""Streamable HTTP (MCP 2025-03-26 and later): one POST per message, answers as JSON or stream.

With a session (until 2025-11-25) a standalone GET stream carries what the server says unasked,
and a stream that broke is resumed by GET with `Last-Event-ID`; without one (2026-07-28) neither
exists. Must not know OAuth, how an answer becomes messages, retries of whole messages or what the
relay does with an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from mcp_remote_py.channel import Clock, Deliver, no_wait
from mcp_remote_py.eras.metadata_headers import MetadataHeaders
from mcp_remote_py.eras.methods import ASKS_BACK
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import (
    CUT_HINT,
    LATE_HINT,
    ExchangeError,
    Interrupted,
    SessionLost,
    excerpt,
)
from mcp_remote_py.jsonrpc import Kind, Message, make_request
from mcp_remote_py.randomness import Random
from mcp_remote_py.redact import mask_url
from mcp_remote_py.retry import (
    POLL_STEPS,
    RESUME_STEPS,
    SAFE_STATUS,
    UNSURE_STATUS,
)
from mcp_remote_py.transports.body_types import ANSWER_TYPES, EVENT_STREAM, JSON, says_nothing
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.exchange_log import log_sent
from mcp_remote_py.transports.expected_answers import Expected
from mcp_remote_py.transports.message_reader import (
    OWN_WORDS,
    MessageReader,
    MessageStream,
    Readable,
)
from mcp_remote_py.transports.response import Response
from mcp_remote_py.transports.standalone_stream import Patience, StandaloneStream

logger = logging.getLogger("mcp_remote_py.transports")

ACCEPT_BOTH = (b"accept", b"application/json, text/event-stream")
ACCEPT_STREAM = (b"accept", b"text/event-stream")
CONTENT_TYPE = (b"content-type", b"application/json")

GREETINGS = frozenset({"initialize", "server/discover"})
"""Requests whose redirect is kept: what begins a session, or a conversation without one."""

STREAM_END_PATIENCE = 5.0
"""Seconds a stream may stay open after it carried the answer; servers should end it at once."""

_BUSY_STATUS = SAFE_STATUS | UNSURE_STATUS

MAX_RESUME_FAILURES = 5
"""Resumptions in a row that could not even be opened."""

MAX_QUIET_RESUMPTIONS = 1000
"""Resumptions in a row that brought no message: an hour and more of them."""

BUSY_POLLS = 6
"""So far along `POLL_STEPS`, at about one resumption a second, stays who brings messages."""

_PATIENCE = Patience()

CLOSE_TIMEOUT = 0.5
"""Seconds for the DELETEs that end the session, and those before it."""

MAX_LEFT = 16
"""Sessions that a later `initialize` of the host left; they are ended with the last one."""


class StreamableChannel:
    """One server over Streamable HTTP."""

    def __init__(
        self,
        http: HttpClient,
        deliver: Deliver,
        on_session_lost: Callable[[], None],
        clock: Clock,
        random: Random,
        max_message_size: int,
        on_accepted: Callable[[], None] = lambda: None,
        drain: Callable[[], Awaitable[None]] = no_wait,
        end_patience: float = STREAM_END_PATIENCE,
        patience: Patience = _PATIENCE,
        metadata: MetadataHeaders | None = None,
        greeting_patience: float | None = None,
    ) -> None:
        self._http = http
        self._metadata = metadata or MetadataHeaders(ParameterHeaders())
        self._end_patience = end_patience
        self._greeting_patience = greeting_patience
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._max = max_message_size
        self._on_accepted = on_accepted
        self._drain = drain
        self._session: bytes | None = None
        self._left = deque[bytes](maxlen=MAX_LEFT)
        self._version = ""
        self._reader = MessageReader(http, deliver, drain, max_message_size, end_patience)
        self._standalone = StandaloneStream(
            self._reader,
            self._open_stream,
            self._fail_stream,
            self._ask,
            on_session_lost,
            clock,
            random,
            patience,
        )
        self._questions = 0
        self._aside: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ messages

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        if message.method == "initialize":
            self._leave()
            await self.renew()  # it begins without a session (2025-11-25, "Session Management")
        elif message.method in ASKS_BACK:
            await self._standalone.wait()
        session, is_greeting = self._session, message.method in GREETINGS
        headers = [CONTENT_TYPE, ACCEPT_BOTH, *self._session_headers(session)]
        headers += self._metadata.headers(message, self._version)
        request = message if message.kind is Kind.REQUEST else None
        expected: Expected | None = None
        if request is not None:
            has_stream = self._standalone.may_speak
            expected = self._reader.expected.expect(request, has_stream=has_stream)
        is_told = logger.isEnabledFor(logging.DEBUG)
        began = self._clock.now() if is_told else 0.0
        try:
            exchange = self._http.request(
                *(b"POST", headers, message.pieces),
                may_move=is_greeting,
                patience=self._greeting_patience if is_greeting else None,
                shook_hands=bool(self._version),
                asked=request,
            )
            response = await self._standalone.beside(exchange)
            if is_told:
                log_sent(message, response.status, self._clock.now() - began)
            await self._take(response, message, session, expected)
        finally:
            if expected is not None:
                self._reader.expected.forget(expected)

    async def _take(
        self, response: Response, message: Message, session: bytes | None, expected: Expected | None
    ) -> None:
        request = None if expected is None else expected.request
        aside = False
        try:
            is_good = response.status < 300
            if is_good:
                self._standalone.hear()
                self._note_session(response, message, session)
            kind = response.content_type
            if is_good and request is not None and response.status != 202:
                kind = await response.find_type()
            if is_good and request is None:
                self._on_accepted()
                aside = self._read_aside(response)
            elif is_good and expected is not None and kind == EVENT_STREAM:
                self._on_accepted()
                await self._take_stream(response, expected)
            elif is_good and kind == JSON and response.status != 202:
                is_late = expected is not None and expected.has_stream
                messages = await self._reader.read_json(response, request, may_be_late=is_late)
                if not messages and not await self._comes_elsewhere(response, expected):
                    raise await self._http.fail(response, request=None, session_sent=False)
                self._on_accepted()
                if request is not None and len(messages) == 1:
                    self._look_for_session(response, request, messages[0])
                other = await self._reader.hand_on(response, messages, request)
                if other is not None and not await self._comes_elsewhere(response, expected):
                    raise await self._reader.refuse_other(response, other)
            else:
                await self._take_refusal(response, session, expected)
        finally:
            if not aside:
                await response.aclose()

    def _note_session(self, response: Response, message: Message, sent: bytes | None) -> None:
        given = response.headers.get(b"mcp-session-id") or None
        if message.method == "initialize":
            self._leave()  # that of another one, which was under way as well
            self._session = given
        elif given and self._version and sent == self._session:
            self._session = given  # some begin it with a later answer, or rename it

    def _look_for_session(self, response: Response, request: Message, answer: Readable) -> None:
        """Raises what an error without the request's id stands for, where it is of the session.

        One with that id is the answer, which remembers it: then the session is looked at.
        """
        if not self._version or not isinstance(answer, Message) or not answer.is_error:
            return
        if answer.key not in (None, request.key):
            return
        from mcp_remote_py.transports.refusal import find_lost_session

        lost = find_lost_session(
            answer, request, where=mask_url(response.where), has_id=self._session is not None
        )
        if answer.key is not None:
            answer.refusal = answer.refusal or lost
        elif lost is not None:
            raise lost

    async def _take_refusal(
        self, response: Response, session: bytes | None, expected: Expected | None
    ) -> None:
        """Delivers the answer that a refusal carries, or raises what it stands for."""
        request = None if expected is None else expected.request
        error = await self._http.fail(
            response,
            request=request,
            session_sent=session is not None,
            shook_hands=bool(self._version),
        )
        from mcp_remote_py.transports.refusal import take_answer  # few are refused

        answer = take_answer(error, request)
        if answer is not None:
            self._on_accepted()
            self._deliver(answer)
            return
        is_taken = response.status == 202 or (
            response.status < 300 and says_nothing(await response.read_evidence())
        )
        if error.body or not (is_taken and await self._comes_elsewhere(response, expected)):
            raise error

    async def _comes_elsewhere(self, response: Response, expected: Expected | None) -> bool:
        """Whether the answer came elsewhere to what was only accepted here, or mistaken.

        Raises:
            Interrupted: it did not come in time.
        """
        if expected is None:
            return False
        await response.aclose()
        return await self._reader.expected.wait(
            expected, self._standalone.wait_for_end, self._http.answer_patience
        )

    def _read_aside(self, response: Response) -> bool:
        """Whether the answer to a notification or response is read on in a task of its own.

        It has nothing for us, normally; but a server that opens a stream, or lets a body drip,
        must not hold up the messages that wait for `notifications/initialized`.
        """
        if response.status in (202, 204) or response.headers.get(b"content-length") == b"0":
            return False
        task = asyncio.ensure_future(self._take_unasked(response))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return True

    async def _take_unasked(self, response: Response) -> None:
        try:
            async with asyncio.timeout(self._end_patience):
                if response.content_type == EVENT_STREAM:
                    await self._reader.read_stream(response, self._reader.begin(), None)
                else:
                    await response.read(self._max)
        except (ExchangeError, TimeoutError) as error:
            logger.debug("The answer to a notification did not end: %s", error)
            await self._drain()
        finally:
            await response.aclose()

    async def _take_stream(self, response: Response, expected: Expected) -> None:
        request = expected.request
        stream = self._reader.begin()
        stream.look = partial(self._look_for_session, response, request)
        hint = CUT_HINT
        try:
            if await self._reader.read_stream(response, stream, request):
                return
            if not stream.last_event_id and await self._comes_elsewhere(response, expected):
                return
            reason = "the server ended its stream before the answer"
            if stream.said and not stream.last_event_id:
                words = excerpt(await self._http.scrub(response, stream.said))
                reason, hint = f'{reason}; it said: "{words}"', OWN_WORDS
        except Interrupted as error:
            reason = error.cause
            # What we cut ourselves, no gateway did.
            hint = LATE_HINT if error.hint == LATE_HINT else CUT_HINT
        if stream.last_event_id:
            await response.aclose()
            reason = await self._resume(request, stream)
            if not reason:
                return
        raise Interrupted(f"The answer was lost: {reason.rstrip('.')}.", hint=hint)

    async def _resume(self, request: Message, stream: MessageStream) -> str:
        """Goes on reading a broken stream. Empty when the answer came, else why it did not.

        A server may end a stream as often as it likes while it works. What it says meanwhile are
        messages: an event id that moves without any is not progress.
        """
        failures = resumed = quiet = 0
        while quiet < MAX_QUIET_RESUMPTIONS:
            if failures:
                wait = RESUME_STEPS.wait(failures + 1, self._random)
            else:
                wait = POLL_STEPS.wait(resumed + 1, self._random)
            await self._clock.sleep(max(stream.retry or 0.0, wait))
            failures += 1
            try:
                response = await self._open_stream(stream.last_event_id)
            except ExchangeError as error:
                if isinstance(error, SessionLost) or failures >= MAX_RESUME_FAILURES:
                    return error.cause
                continue
            try:
                if response.status in _BUSY_STATUS and failures < MAX_RESUME_FAILURES:
                    continue
                if response.status != 200 or await response.find_type() not in ANSWER_TYPES:
                    return f"the server does not resume streams (HTTP {response.status})"
                failures = 0
                stream = self._reader.begin(stream.last_event_id, stream.retry)
                if await self._reader.read_stream(response, stream, request):
                    return ""
            except Interrupted:
                pass
            finally:
                await response.aclose()
            quiet = 0 if stream.messages else quiet + 1
            resumed = min(resumed, BUSY_POLLS) if stream.messages else resumed
            resumed += 1
        return f"the server ended its stream {quiet} times without a message"

    # ------------------------------------------------------------------ the standalone stream

    def start_listening(self) -> None:
        """See `ServerChannel.start_listening`."""
        self._standalone.start()

    async def _open_stream(self, last_event_id: bytes | None) -> Response:
        headers = [ACCEPT_STREAM, *self._session_headers(self._session)]
        if self._version:
            headers.append((b"mcp-protocol-version", self._version.encode()))
        if last_event_id:
            headers.append((b"last-event-id", last_event_id))
        return await self._http.request(b"GET", headers, may_sign_in=False)

    async def _fail_stream(self, response: Response) -> ExchangeError:
        return await self._http.fail(
            response,
            request=None,
            session_sent=self._session is not None,
            shook_hands=bool(self._version),
        )

    async def _ask(self) -> ExchangeError | None:
        """Posts what any server answers at once; None where it was answered as it should be."""
        self._questions += 1
        question = make_request(b'"mcp-remote-py/here/%d"' % self._questions, "ping")
        headers = [CONTENT_TYPE, ACCEPT_BOTH, *self._session_headers(self._session)]
        headers += self._metadata.headers(question, self._version)
        try:
            response = await self._http.request(
                b"POST", headers, question.pieces, may_sign_in=False, shook_hands=True
            )
        except ExchangeError as error:
            return error
        try:
            if response.status >= 300:
                return await self._fail_stream(response)
            await response.read_evidence()  # so that its connection can be used again
            return None
        finally:
            await response.aclose()

    # ------------------------------------------------------------------ the session

    def _session_headers(self, session: bytes | None) -> list[tuple[bytes, bytes]]:
        return [] if session is None else [(b"mcp-session-id", session)]

    def _leave(self) -> None:
        """The server keeps the session until it is ended: calls of it may still be under way."""
        if self._session is not None and self._session not in self._left:
            self._left.append(self._session)

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel.set_protocol_version`."""
        self._version = version

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        self._standalone.stop()
        self._session = None
        self._version = ""
        self._http.return_home()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        ending = self._standalone.stop() | self._aside
        for task in self._aside:
            task.cancel()
        if ending:
            await asyncio.wait(ending)  # their connections are closed then
        await self._end_sessions()
        await self._http.aclose()

    async def _end_sessions(self) -> None:
        self._leave()
        self._session = None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                while self._left:  # the last one first
                    await self._end_session(self._left.pop())
        except TimeoutError:
            logger.debug("The session was not ended in time.")

    async def _end_session(self, session: bytes) -> None:
        headers = self._session_headers(session)
        if self._version:
            headers.append((b"mcp-protocol-version", self._version.encode()))
        try:
            response = await self._http.request(b"DELETE", headers, may_sign_in=False)
            await response.aclose()
        except ExchangeError as error:
            logger.debug("The session was not ended: %s", error)
