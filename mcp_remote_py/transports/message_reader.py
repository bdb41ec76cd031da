"""The messages in an answer over Streamable HTTP: one JSON text, or the events of a stream.

Each goes to the host as it comes, and the next is read when the host has taken it. Must not know
sessions, why a stream was opened, or what is done about one that broke.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp_remote_py.bounds import Tally
from mcp_remote_py.channel import Deliver
from mcp_remote_py.errors import (
    EVIDENCE_BYTES,
    Interrupted,
    InvalidMessage,
    Unusable,
    excerpt,
)
from mcp_remote_py.jsonrpc import Kind, Message, pass_error
from mcp_remote_py.parsing import parse_short, read_messages
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.response import Response
from mcp_remote_py.transports.sse import Event, EventDecoder

logger = logging.getLogger("mcp_remote_py.transports")

Readable = Message | InvalidMessage


class MessageStream(EventDecoder):
    """One opening of a stream.

    Attributes:
        messages: how many it has brought.
    """

    messages = 0


class MessageReader:
    """For all answers of one server.

    `end_patience` is in seconds: so long a stream may stay open after it carried the answer.

    Attributes:
        unasked: how many messages have come on streams that answer no request.
    """

    def __init__(
        self,
        http: HttpClient,
        deliver: Deliver,
        drain: Callable[[], Awaitable[None]],
        max_message_size: int,
        end_patience: float,
    ) -> None:
        self._http = http
        self._deliver = deliver
        self._drain = drain
        self._max = max_message_size
        self._end_patience = end_patience
        self._broken = Tally()
        self.unasked = 0

    def begin(
        self, last_event_id: bytes | None = None, retry: float | None = None
    ) -> MessageStream:
        """A stream that is to be opened; it goes on from another with what that came to."""
        stream = MessageStream(self._max)
        stream.last_event_id = last_event_id
        stream.retry = retry
        return stream

    async def read_json(self, response: Response) -> list[Readable]:
        """The messages in a body of JSON.

        Raises:
            ExchangeError: there are none, or it broke off.
        """
        body = await response.read(self._max)
        if not body:
            raise await self._http.fail(response, request=None, session_sent=False)
        messages: list[Readable] = []
        try:
            message = parse_short(body)
            if message is not None:
                return [message]
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
        return messages

    async def hand_on(self, messages: list[Readable], request: Message | None) -> None:
        """Delivers what `read_json` read, and waits until the host has taken it."""
        for message in messages:
            self._hand_over(_address(message, request))
        await self._drain()  # what the host has not taken is still held, by the response

    async def read_stream(
        self, response: Response, stream: MessageStream, request: Message | None
    ) -> bool:
        """Delivers the stream's messages; whether the answer to `request` was among them."""
        answered = False

        async def take(event: Event) -> None:
            nonlocal answered
            if event.name != "message" or not event.data:
                return
            is_answer = await self._take_event(response, event, request, stream)
            if is_answer and not answered:
                answered = True
                response.end_within(self._end_patience)

        try:
            await response.read_events(stream, take, self._drain)
        except Interrupted as error:
            if not answered:
                raise
            logger.debug("After its answer, a stream did not end as it should: %s", error.cause)
        await self._drain()  # until the host has taken it, the answer is held by `response`
        return answered

    async def _take_event(
        self, response: Response, event: Event, request: Message | None, stream: MessageStream
    ) -> bool:
        """Delivers the messages in an event; whether the answer to `request` was among them."""
        answered = False
        self.unasked += request is None and event.is_complete
        try:
            message = parse_short(event.data)
            if message is not None:
                stream.last_event_id = event.last_event_id
                return self._take_read(message, request, stream)
            for read in read_messages(event.data):
                if read is None:
                    await response.breathe()
                else:
                    answered = self._take_read(read, request, stream) or answered
            stream.last_event_id = event.last_event_id  # which one without its end has not moved
        except InvalidMessage as error:
            if event.is_complete:
                self._hand_over(error)
        return answered

    def _take_read(self, read: Readable, request: Message | None, stream: MessageStream) -> bool:
        message = _address(read, request)
        answered = False
        if isinstance(message, Message):
            stream.messages += 1
            if request is not None:
                message.related = request.key
                answered = message.kind is Kind.RESPONSE and message.key == request.key
        self._hand_over(message)
        return answered

    def _hand_over(self, message: Readable) -> None:
        if isinstance(message, Message):
            self._deliver(message)
        elif (times := self._broken.take()) is not None:
            cause = message.cause
            logger.warning("The server sent something that is not a message%s: %s", times, cause)


def _address(message: Readable, request: Message | None) -> Readable:
    """An error without an id can be for no other request than the one it is said in answer to."""
    if (
        request is None
        or isinstance(message, InvalidMessage)
        or not message.is_error
        or message.key is not None
    ):
        return message
    return pass_error(request.raw_id, message.error)
