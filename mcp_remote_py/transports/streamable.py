"""Streamable HTTP (MCP 2025-03-26 and later): one POST per message, answers as JSON or stream.

With a session (until 2025-11-25) a standalone GET stream carries what the server says unasked,
and a stream that broke is resumed by GET with `Last-Event-ID`; without one (2026-07-28) neither
exists. Must not know OAuth, retries of whole messages or what the relay does with an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mcp_remote_py.bounds import Tally
from mcp_remote_py.channel import Clock, Deliver, no_wait
from mcp_remote_py.eras.conversation import ASKS_BACK
from mcp_remote_py.eras.metadata_headers import MetadataHeaders
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    InvalidMessage,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.jsonrpc import Kind, Message, pass_error
from mcp_remote_py.parsing import read_messages
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import (
    LASTING_STREAM,
    POLL_STEPS,
    RESUME_STEPS,
    SAFE_STATUS,
    STREAM_STEPS,
    UNSURE_STATUS,
)
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.refusal import (
    EVENT_STREAM,
    EVIDENCE_BYTES,
    excerpt,
    take_answer,
)
from mcp_remote_py.transports.response import Response
from mcp_remote_py.transports.sse import EventDecoder

logger = logging.getLogger("mcp_remote_py.transports")

ACCEPT_BOTH = (b"accept", b"application/json, text/event-stream")
ACCEPT_STREAM = (b"accept", b"text/event-stream")
CONTENT_TYPE = (b"content-type", b"application/json")

STREAM_END_PATIENCE = 5.0
"""Seconds a stream may stay open after it carried the answer; servers should end it at once."""

_BUSY_STATUS = SAFE_STATUS | UNSURE_STATUS

MAX_RESUME_FAILURES = 5
"""Resumptions in a row that could not even be opened."""

MAX_QUIET_RESUMPTIONS = 1000
"""Resumptions in a row that brought no message: an hour and more of them."""

BUSY_POLLS = 6
"""So far along `POLL_STEPS`, at about one resumption a second, stays who brings messages."""

LISTEN_PATIENCE = 1.0
"""Seconds a request in whose course the server may ask waits for the standalone stream, on which
it may do so; some servers open it with their first event."""

CLOSE_TIMEOUT = 0.5
"""Seconds for the DELETE that ends the session."""


class _Stream(EventDecoder):
    """One opening of a stream.

    Attributes:
        messages: how many it has brought.
    """

    messages = 0


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
        metadata: MetadataHeaders | None = None,
    ) -> None:
        self._http = http
        self._metadata = metadata or MetadataHeaders(ParameterHeaders())
        self._end_patience = end_patience
        self._deliver = deliver
        self._on_session_lost = on_session_lost
        self._clock = clock
        self._random = random
        self._max = max_message_size
        self._on_accepted = on_accepted
        self._drain = drain
        self._session: bytes | None = None
        self._version = ""
        self._listener: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._opened.set()  # nothing is being opened
        self._heard = asyncio.Event()
        self._unasked = 0
        self._broken = Tally()
        self._aside: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ messages

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        if message.method == "initialize":
            await self.renew()  # it begins without a session (2025-11-25, "Session Management")
        elif message.method in ASKS_BACK and not self._opened.is_set():
            await self._await_stream()
        session = self._session
        headers = [CONTENT_TYPE, ACCEPT_BOTH, *self._session_headers(session)]
        headers += self._metadata.headers(message, self._version)
        request = message if message.kind is Kind.REQUEST else None
        response = await self._http.request(b"POST", headers, message.pieces, asked=request)
        aside = False
        try:
            is_good = response.status < 300
            if is_good:
                self._heard.set()
                if message.method == "initialize":
                    self._session = response.headers.get(b"mcp-session-id")
            if is_good and request is None:
                self._on_accepted()
                aside = self._read_aside(response)
            elif is_good and request is not None and response.content_type == EVENT_STREAM:
                self._on_accepted()
                await self._take_stream(response, request)
            elif is_good and response.content_type == "application/json" and response.status != 202:
                await self._take_json(response, request)
            else:
                await self._take_refusal(response, request, session)
        finally:
            if not aside:
                await response.aclose()

    async def _take_refusal(
        self, response: Response, request: Message | None, session: bytes | None
    ) -> None:
        """Delivers the answer that a refusal carries, or raises what it stands for."""
        error = await self._http.fail(response, request=request, session_sent=session is not None)
        answer = take_answer(error, request)
        if answer is not None:
            self._on_accepted()
            self._deliver(answer)
        else:
            raise error

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
                    await self._read_events(response, _Stream(self._max), None)
                else:
                    await response.read(self._max)
        except (ExchangeError, TimeoutError) as error:
            logger.debug("The answer to a notification did not end: %s", error)
            await self._drain()
        finally:
            await response.aclose()

    async def _take_json(self, response: Response, request: Message | None) -> None:
        body = await response.read(self._max)
        if not body:
            raise await self._http.fail(response, request=None, session_sent=False)
        try:
            messages: list[Message | InvalidMessage] = []
            for read in read_messages(body):
                if read is None:
                    await response.breathe()
                else:
                    messages.append(read)
        except InvalidMessage as error:
            begins = excerpt(await self._http.scrub(response, body[:EVIDENCE_BYTES]))
            del body  # and what its readers hold: an error on its way keeps all of that
            raise Unusable(
                f"The server's answer is not a JSON-RPC message: {error.cause} It begins with "
                f'"{begins}".',
                hint="Check that the URL is that of an MCP server.",
            ) from error.with_traceback(None)
        self._on_accepted()
        for message in messages:
            self._hand_over(_address(message, request))
        await self._drain()  # what the host has not taken is still held, by `response`

    async def _take_stream(self, response: Response, request: Message) -> None:
        decoder = _Stream(self._max)
        try:
            if await self._read_events(response, decoder, request):
                return
            reason = "the server ended its stream before the answer"
        except Interrupted as error:
            reason = error.cause
        if decoder.last_event_id:
            await response.aclose()
            reason = await self._resume(request, decoder)
            if not reason:
                return
        raise Interrupted(f"The answer was lost: {reason.rstrip('.')}.")

    def _hand_over(self, message: Message | InvalidMessage) -> None:
        if isinstance(message, Message):
            self._deliver(message)
        elif (times := self._broken.take()) is not None:
            cause = message.cause
            logger.warning("The server sent something that is not a message%s: %s", times, cause)

    async def _read_events(
        self, response: Response, decoder: _Stream, request: Message | None
    ) -> bool:
        """Delivers the stream's messages; whether the answer to `request` was among them."""
        answered = False
        try:
            async with asyncio.timeout(None) as limit:
                async for event in response.events(decoder, self._drain):
                    if event.name != "message" or not event.data:
                        continue
                    taken = self._take_event(response, event.data, request, decoder)
                    answered = await taken or answered
                    if answered and limit.when() is None:
                        limit.reschedule(asyncio.get_running_loop().time() + self._end_patience)
        except TimeoutError:
            logger.debug("The server left a stream open after its answer; closed.")
        except Interrupted:
            if not answered:
                raise
        await self._drain()  # until the host has taken it, the answer is held by `response`
        return answered

    async def _take_event(
        self, response: Response, data: bytes, request: Message | None, stream: _Stream
    ) -> bool:
        answered = False
        self._unasked += request is None
        try:
            for read in read_messages(data):
                if read is None:
                    await response.breathe()
                    continue
                message = _address(read, request)
                if isinstance(message, Message):
                    stream.messages += 1
                    if request is not None:
                        message.related = request.key
                        is_answer = message.kind is Kind.RESPONSE and message.key == request.key
                        answered = answered or is_answer
                self._hand_over(message)
        except InvalidMessage as error:
            self._hand_over(error)
        return answered

    async def _resume(self, request: Message, decoder: _Stream) -> str:
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
            await self._clock.sleep(max(decoder.retry or 0.0, wait))
            failures += 1
            try:
                response = await self._open_stream(decoder.last_event_id)
            except ExchangeError as error:
                if isinstance(error, SessionLost) or failures >= MAX_RESUME_FAILURES:
                    return error.cause
                continue
            try:
                if response.status in _BUSY_STATUS and failures < MAX_RESUME_FAILURES:
                    continue
                if response.status != 200 or response.content_type != EVENT_STREAM:
                    return f"the server does not resume streams (HTTP {response.status})"
                failures = 0
                following = _Stream(self._max)
                following.retry = decoder.retry
                following.last_event_id = decoder.last_event_id
                decoder = following
                if await self._read_events(response, decoder, request):
                    return ""
            except Interrupted:
                pass
            finally:
                await response.aclose()
            quiet = 0 if decoder.messages else quiet + 1
            resumed = min(resumed, BUSY_POLLS) if decoder.messages else resumed
            resumed += 1
        return f"the server ended its stream {quiet} times without a message"

    # ------------------------------------------------------------------ the standalone stream

    def start_listening(self) -> None:
        """See `ServerChannel.start_listening`."""
        if self._listener is None:
            self._opened.clear()
            self._listener = asyncio.ensure_future(self._listen())

    async def _await_stream(self) -> None:
        """Waits until the server has the standalone stream: what it asks before that is lost."""
        try:
            async with asyncio.timeout(LISTEN_PATIENCE):
                await self._opened.wait()
        except TimeoutError:
            logger.debug("The listening stream is not answered; nothing waits for it any more.")
            self._opened.set()

    async def _listen(self) -> None:
        failures = 0
        retry = 0.0
        last_event_id: bytes | None = None
        while True:
            started, unasked = self._clock.now(), self._unasked
            decoder = _Stream(self._max)
            decoder.last_event_id = last_event_id
            self._heard.clear()
            reachable = True
            try:
                if not await self._listen_once(decoder):
                    return
            except ExchangeError as error:
                logger.debug("The listening stream failed: %s", error.cause)
                reachable = not isinstance(error, NotSent)
            last_event_id = decoder.last_event_id
            retry = decoder.retry or retry
            if self._clock.now() - started >= LASTING_STREAM:
                failures = 0
            elif self._unasked > unasked:
                failures = min(failures, 1)  # it is of use, but every opening costs the server
            failures += 1
            wait = max(retry, STREAM_STEPS.wait(failures, self._random))
            if not await self._pause(wait, until_heard=not reachable):
                failures = 0

    async def _listen_once(self, decoder: _Stream) -> bool:
        """Reads the stream until it ends. False when the server offers none."""
        try:
            response = await self._open_stream(decoder.last_event_id)
        finally:
            self._opened.set()
        try:
            if response.status == 200 and response.content_type == EVENT_STREAM:
                await self._read_events(response, decoder, None)
                return True
            error = await self._http.fail(
                response, request=None, session_sent=self._session is not None
            )
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

    async def _open_stream(self, last_event_id: bytes | None) -> Response:
        headers = [ACCEPT_STREAM, *self._session_headers(self._session)]
        if self._version:
            headers.append((b"mcp-protocol-version", self._version.encode()))
        if last_event_id:
            headers.append((b"last-event-id", last_event_id))
        return await self._http.request(b"GET", headers, may_sign_in=False)

    # ------------------------------------------------------------------ the session

    def _session_headers(self, session: bytes | None) -> list[tuple[bytes, bytes]]:
        return [] if session is None else [(b"mcp-session-id", session)]

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel.set_protocol_version`."""
        self._version = version

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        self._stop_listening()
        self._session = None
        self._version = ""

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            self._listener = None
            self._opened.set()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        listener = self._listener
        self._stop_listening()
        ending = {*self._aside, *([listener] if listener is not None else [])}
        for task in self._aside:
            task.cancel()
        if ending:
            await asyncio.wait(ending)  # their connections are closed then
        if self._session is not None:
            headers = self._session_headers(self._session)
            if self._version:
                headers.append((b"mcp-protocol-version", self._version.encode()))
            self._session = None
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    response = await self._http.request(b"DELETE", headers, may_sign_in=False)
                    await response.aclose()
            except (ExchangeError, TimeoutError) as error:
                logger.debug("The session was not ended: %s", error)
        await self._http.aclose()


def _address(
    message: Message | InvalidMessage, request: Message | None
) -> Message | InvalidMessage:
    """An error without an id can be for no other request than the one it is said in answer to."""
    if (
        request is None
        or isinstance(message, InvalidMessage)
        or not message.is_error
        or message.key is not None
    ):
        return message
    return pass_error(request.raw_id, message.error)
