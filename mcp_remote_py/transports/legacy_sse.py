"""HTTP+SSE (MCP 2024-11-05): one event stream down, one POST endpoint up, named by the stream.

The stream is the session: when it ends, so do the session and every exchange in it. The
endpoint must be of the stream's own origin, because every POST carries the person's headers. A
server behind a path prefix may not know of it: an endpoint that is not there is looked for below
the stream's own prefix, once.
Must not know OAuth or what the relay does with an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from urllib.parse import urljoin

from mcp_remote_py.bounds import Tally
from mcp_remote_py.channel import Deliver, no_wait
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.errors import (
    CUT_HINT,
    EVIDENCE_BYTES,
    ExchangeError,
    Interrupted,
    InvalidMessage,
    NoEndpoint,
    NoStream,
    SessionLost,
    Unusable,
    WrongEra,
    excerpt,
)
from mcp_remote_py.jsonrpc import Kind, Message, find_asked
from mcp_remote_py.net.faults import Silence
from mcp_remote_py.net.mapping import find_cause
from mcp_remote_py.parsing import parse_message, parse_short, read_messages
from mcp_remote_py.redact import mask_url
from mcp_remote_py.transports.body_types import EVENT_STREAM, PAGE
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.exchange_log import log_sent
from mcp_remote_py.transports.message_reader import OWN_WORDS, find_response, is_whole
from mcp_remote_py.transports.redirects import MAX_PLACE_LENGTH, encode_blanks
from mcp_remote_py.transports.refusal import (
    choose_said,
    read_responses,
    take_answer,
)
from mcp_remote_py.transports.response import Response
from mcp_remote_py.transports.sse import Event, EventDecoder
from mcp_remote_py.url import InvalidUrl, ServerUrl, keep_secure, parse_url

logger = logging.getLogger("mcp_remote_py.transports")

ENDPOINT_TIMEOUT = 15.0
"""Seconds from the stream's headers to its `endpoint` event."""

HELD_BACK = (
    "An event stream begins at once: what looks into answers on the way may hold it back until its "
    "end, which never comes."
)

HELD_BACK_HINT = (
    "Take the server's Streamable HTTP address where it has one, or ask whoever runs what is on "
    "the way; where the server is merely slow, raise --headers-timeout."
)

ABSENT_STATUS = frozenset({404, 405})
"""Of a path that nothing takes messages at (RFC 9110 §15.5.5, §15.5.6)."""


MAX_COMMON_FOLDERS = 32
"""Folders of a server's own in which its two paths are compared; nobody has as many."""


class LegacySseChannel:
    """One server over HTTP+SSE."""

    def __init__(
        self,
        http: HttpClient,
        deliver: Deliver,
        on_session_lost: Callable[[], None],
        max_message_size: int,
        on_accepted: Callable[[], None] = lambda: None,
        drain: Callable[[], Awaitable[None]] = no_wait,
        endpoint_timeout: float = ENDPOINT_TIMEOUT,
        head_timeout: float | None = None,
    ) -> None:
        self._http = http
        self._head_timeout = head_timeout
        """Seconds to the head of the stream, None for those of the network."""
        self._endpoint_timeout = endpoint_timeout
        self._deliver = deliver
        self._on_session_lost = on_session_lost
        self._max = max_message_size
        self._on_accepted = on_accepted
        self._drain = drain
        self._endpoint: ServerUrl | None = None
        self._reader: asyncio.Task[None] | None = None
        self._opening: asyncio.Future[None] | None = None
        self._is_below: bool | None = None
        """Whether the endpoint is below the stream's prefix and not where it is named; None: it has
        not shown yet."""
        self._was_open = False
        self._broken = Tally()
        self._waiting: dict[Hashable, asyncio.Future[None]] = {}

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        endpoint = self._endpoint or await self._open()
        if names_its_version(message):
            raise WrongEra(
                "The server speaks HTTP+SSE, which cannot carry messages of 2026-07-28.",
                hint="That is the transport of 2024-11-05.",
            )
        answered: asyncio.Future[None] | None = None
        if message.kind is Kind.REQUEST:
            answered = asyncio.get_running_loop().create_future()
            self._waiting[message.key] = answered
        try:
            answer = await self._post(endpoint, message)
            if answer is not None:
                self._deliver(answer)
            elif answered is not None:
                await answered
        finally:
            self._waiting.pop(message.key, None)

    async def _post(self, endpoint: ServerUrl, message: Message) -> Message | None:
        """The answer, where it comes here and not on the stream, as it should."""
        try:
            answer = await self._post_to(endpoint, message)
        except ExchangeError as error:
            if self._is_below is not None or not _is_absent(error):
                raise
            named = mask_url(str(endpoint))
            other = find_below(self._http.server, endpoint)
            if other is None:
                raise error.with_evidence(f"It had named {named} as its endpoint.") from error
            below = mask_url(str(other))
            try:
                answer = await self._post_to(other, message)
            except ExchangeError as again:
                if not _is_absent(again):
                    raise
                self._is_below = False
                text = f"It had named {named} as its endpoint; {below} is not there either."
                raise error.with_evidence(text) from error
            logger.warning("The endpoint %s is not there, but %s is.", named, below)
            self._is_below = True
            if self._endpoint == endpoint:
                self._endpoint = other
        else:
            self._is_below = bool(self._is_below)
        return answer

    async def _post_to(self, endpoint: ServerUrl, message: Message) -> Message | None:
        headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
        request = message if message.kind is Kind.REQUEST else None
        clock = asyncio.get_running_loop()
        began = clock.time()
        response = await self._http.request(
            b"POST", headers, message.pieces, endpoint=endpoint, asked=request
        )
        log_sent(message, response.status, clock.time() - began)
        try:
            if response.status >= 300 or await response.find_type() == PAGE:
                error = await self._http.fail(response, request=request, session_sent=True)
                answer = take_answer(error, request)
                if answer is None:
                    raise error
                return answer
            body = await response.read(self._max, is_whole)
            return None if request is None else await self._find_answer(response, body, request)
        finally:
            await response.aclose()

    async def _find_answer(
        self, response: Response, body: bytes, request: Message
    ) -> Message | None:
        responses: list[Message] = []
        for read in read_responses(body, response.content_type):
            if read is None:
                await response.breathe()
            else:
                responses.append(read)
        answer, line = choose_said(responses, request)
        if answer is None and line is None:
            for other in responses:  # handed to the wrong exchange: the id tells whose it is
                if find_asked(other, self._waiting).key in self._waiting:
                    self._hand_over(other)
        if not responses and (words := find_foreign_error(body)) is not None:
            said = excerpt(await self._http.scrub(response, words))
            raise Unusable(
                "The server answered with an error that is not one of JSON-RPC (HTTP "
                f'{response.status} from {mask_url(response.where)}: "{said}").',
                hint=OWN_WORDS,
            )
        return answer or (parse_message(line) if line else None)

    # ------------------------------------------------------------------ the stream

    async def _open(self) -> ServerUrl:
        """The endpoint of a stream that is open; many callers open one.

        Raises:
            SessionLost: it was open before: a new handshake has to come first.
        """
        if self._was_open:
            raise SessionLost("The server ended the event stream.")
        opening = self._opening
        if opening is None:
            opening = self._opening = asyncio.ensure_future(self._open_stream())
            opening.add_done_callback(self._end_opening)
        await asyncio.shield(opening)
        if self._endpoint is None:
            raise SessionLost("The server ended the event stream.")
        return self._endpoint

    def _end_opening(self, opening: asyncio.Future[None]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # each waiter saw it; this says so to asyncio

    async def _open_stream(self) -> None:
        self._http.return_home()
        accept = [(b"accept", b"text/event-stream")]
        try:
            response = await self._http.request(
                b"GET", accept, may_move=True, patience=self._head_timeout
            )
        except Interrupted as error:
            if find_cause(error, Silence) is not None:
                raise NoStream(f"{error.cause} {HELD_BACK}", hint=HELD_BACK_HINT) from error
            raise
        opened = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._endpoint_timeout):
                if response.status != 200 or await response.find_type() != EVENT_STREAM:
                    raise await self._http.fail(response, request=None, session_sent=False)
                self._reader = asyncio.ensure_future(self._read(response, opened))
                await opened
        except TimeoutError:
            self._stop_reading()
            raise NoEndpoint(
                "The server's event stream did not name an endpoint in "
                f"{self._endpoint_timeout:g} seconds.",
                hint="It may be a Streamable HTTP server: try --transport http-only.",
            ) from None
        except BaseException:
            self._stop_reading()
            await response.aclose()
            raise
        self._on_accepted()

    async def _read(self, response: Response, opened: asyncio.Future[None]) -> None:
        decoder = EventDecoder(self._max)
        reason: ExchangeError = Interrupted("The server ended the event stream.")

        async def take(event: Event) -> None:
            if event.name == "endpoint" and event.is_complete and self._endpoint is None:
                self._endpoint = self._resolve(event.data)
                self._was_open = True
                opened.set_result(None)
            elif event.data and (event.name == "message" or self._answers(event.data)):
                await self._take(response, event)

        try:
            await response.read_events(decoder, take, self._drain)
        except ExchangeError as error:
            reason = error
        finally:
            if self._reader is asyncio.current_task():
                self._endpoint = None  # else a newer stream has named its own
            await response.aclose()
        if not opened.done():
            opened.set_exception(
                reason
                if isinstance(reason, Unusable)
                else Unusable("The server ended the event stream before it named an endpoint.")
            )
            return
        self._lose_answers(reason.cause.rstrip("."))
        self._on_session_lost()

    def _lose_answers(self, reason: str) -> None:
        """Nothing will come on the old stream any more."""
        for answered in self._waiting.values():
            if not answered.done():
                lost = Interrupted(f"The answer was lost: {reason}.", hint=CUT_HINT)
                answered.set_exception(lost)
                answered.exception()  # its exchange may end in another way first

    def _answers(self, data: bytes) -> bool:
        """Whether an event of another name has an answer that somebody waits for."""
        found = find_response(data)
        return found is not None and find_asked(found, self._waiting).key in self._waiting

    async def _take(self, response: Response, event: Event) -> None:
        try:
            for message in read_messages(event.data):
                if message is None:
                    await response.breathe()
                    continue
                if isinstance(message, InvalidMessage):
                    self._note_broken(message)
                    continue
                self._hand_over(message)
        except InvalidMessage as error:
            if event.is_complete:
                self._note_broken(error)

    def _hand_over(self, message: Message) -> None:
        if message.kind is not Kind.RESPONSE:
            self._deliver(message)
            return
        message = find_asked(message, self._waiting)
        self._deliver(message)
        answered = self._waiting.get(message.key)
        if answered is not None and not answered.done():
            answered.set_result(None)

    def _note_broken(self, error: InvalidMessage) -> None:
        if (times := self._broken.take()) is not None:
            logger.warning(
                "The server sent something that is not a message%s: %s", times, error.cause
            )

    def _resolve(self, data: bytes) -> ServerUrl:
        base = self._http.server
        if len(data) > MAX_PLACE_LENGTH:
            raise Unusable(f"The server names an endpoint that is {len(data)} characters long.")
        name = encode_blanks(data.decode("utf-8", "replace").strip())
        try:
            target = urljoin(str(base), name)
            endpoint = keep_secure(base, parse_url(target))
        except (InvalidUrl, ValueError) as error:  # brackets without an IPv6 address
            raise Unusable(
                f"The server names an endpoint that is not a URL, {mask_url(name)}: {error}"
            ) from error
        if endpoint.origin != base.origin:
            raise Unusable(
                f"The server names an endpoint at another place, {mask_url(target)}: your headers "
                "are not sent there.",
                hint="Its own public URL is set wrongly: tell whoever runs the server.",
            )
        below = find_below(base, endpoint) if self._is_below else None
        return below or endpoint

    def _stop_reading(self) -> None:
        self._endpoint = None
        if self._reader is not None:
            self._reader.cancel()

    # ------------------------------------------------------------------ the session

    def start_listening(self) -> None:
        """See `ServerChannel.start_listening`: the one stream is open already."""

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel.set_protocol_version`: this transport does not carry such metadata."""

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        self._stop_reading()
        self._reader = None
        self._was_open = False
        self._lose_answers("a new session was begun")

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`: closing the stream is all there is."""
        self._stop_reading()
        if self._reader is not None:
            await asyncio.wait({self._reader})  # its connection is closed then
        await self._http.aclose()


def find_foreign_error(body: bytes) -> bytes | None:
    """The body to a request that is an error of a framework or a gateway, and of nothing else.

    Nothing comes on the stream then. None of any other: most only say that the request has come.
    """
    try:
        message = parse_short(body)
    except InvalidMessage:
        return None
    is_error = message is not None and message.is_error and message.names_no_request
    return body[:EVIDENCE_BYTES] if is_error else None


def _is_absent(error: ExchangeError) -> bool:
    """Whether nothing takes messages there: an app at the root may show its page for any path."""
    return error.status in ABSENT_STATUS or (error.status is not None and error.status < 300)


def find_below(stream: ServerUrl, endpoint: ServerUrl) -> ServerUrl | None:
    """The endpoint as it is below the prefix of the stream's path; None where it is there already.

    Of a server at `/sse` that is shown at `/apps/one/sse`, the prefix is `/apps/one`. What both
    paths have in common is the server's own: with `/apps/mcp/sse` and `/mcp/messages`, it is
    `/apps`.
    """
    of_stream = stream.target.partition("?")[0]
    if of_stream.endswith("/sse/"):  # typed for /sse
        of_stream = of_stream[:-1]
    folders = of_stream.split("/")[1:-1]
    path = endpoint.target.partition("?")[0].split("/")[1:]
    if not folders or path[: len(folders)] == folders:
        return None
    common = next(
        size
        for size in range(min(len(folders), MAX_COMMON_FOLDERS), -1, -1)
        if folders[len(folders) - size :] == path[:size]
    )
    prefix = "".join(f"/{folder}" for folder in folders[: len(folders) - common])
    return endpoint.replace(target=prefix + endpoint.target)
