"""The messages in an answer over Streamable HTTP: one JSON text, or the events of a stream.

Each goes to the host as it comes, and the next is read when the host has taken it. What answers one
POST is for that request: a response is its own by the id, and by being the only one where the id is
missing or has lost its type. On a stream that shows when it ends. Must not know sessions, why a
stream was opened, or what is done about one that broke.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator

from mcp_remote_py.bounds import Tally
from mcp_remote_py.channel import Deliver
from mcp_remote_py.errors import (
    EVIDENCE_BYTES,
    Interrupted,
    InvalidMessage,
    Unusable,
    excerpt,
)
from mcp_remote_py.jsonrpc import (
    Kind,
    Message,
    is_object,
    is_same_id,
    readdress,
)
from mcp_remote_py.parsing import parse_short, read_messages
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_url
from mcp_remote_py.transports.body_types import says_nothing
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.expected_answers import ExpectedAnswers
from mcp_remote_py.transports.response import Response
from mcp_remote_py.transports.sse import Event, EventDecoder

logger = logging.getLogger("mcp_remote_py.transports")

OWN_WORDS = "These are the server's own words: check what they ask for."
_CHECK_URL = "Check that the URL is that of an MCP server."
_ERRORS = lazy_pattern(r'\{\s*"(?:message|msg|details?|errors?|error_\w+|title|status\w*)"\s*:')
"""Of the errors of frameworks and gateways, which are not those of JSON-RPC."""

Readable = Message | InvalidMessage


def find_response(data: bytes) -> Message | None:
    """The response in an event of another name than a message: some servers name the kind."""
    try:
        message = parse_short(data)
    except InvalidMessage:
        return None
    return message if message is not None and message.kind is Kind.RESPONSE else None


class MessageStream(EventDecoder):
    """One opening of a stream.

    Attributes:
        messages: how many it has brought.
        responses: how many of them answer something.
        odd: the first response that can only be for the request.
        look: sees an answer before it is delivered, and may raise what it stands for.
        said: the words of the last event that is named an error, or is not what was asked for.
    """

    messages = 0
    responses = 0
    odd: Message | None = None
    look: Callable[[Message], None] | None = None
    said = b""


class MessageReader:
    """For all answers of one server.

    `end_patience` is in seconds: so long a stream may stay open after it carried the answer.

    Attributes:
        expected: who waits for an answer.
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
        self.expected = ExpectedAnswers()
        self.unasked = 0

    def begin(
        self, last_event_id: bytes | None = None, retry: float | None = None
    ) -> MessageStream:
        """A stream that is to be opened; it goes on from another with what that came to."""
        stream = MessageStream(self._max)
        stream.last_event_id = last_event_id
        stream.retry = retry
        return stream

    async def read_json(
        self, response: Response, request: Message | None = None, *, may_be_late: bool = False
    ) -> list[Readable]:
        """The messages in a body of JSON; none where it says nothing and the answer `may_be_late`.

        Raises:
            Interrupted: it broke off, or what names a `request` with an effect cannot be read.
            ExchangeError: there are none.
        """
        body = await response.read(self._max, is_whole)
        if may_be_late and says_nothing(body):
            return []
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
            from mcp_remote_py.transports.refusal import may_be_answer  # few answers are so

            begins = excerpt(await self._http.scrub(response, body[:EVIDENCE_BYTES]))
            is_answer = may_be_answer(body, response.content_type, request, is_whole=True)
            del body  # and what its readers hold: an error on its way keeps all of that
            said = (
                f"The server's answer is not a JSON-RPC message: {error.cause} It begins with "
                f'"{begins}".'
            )
            error.with_traceback(None)
            if is_answer:
                raise Interrupted(said, hint="That is a fault of the server.") from error
            hint = OWN_WORDS if _ERRORS.match(begins) else _CHECK_URL
            raise Unusable(said, hint=hint) from error
        return messages

    async def hand_on(
        self, response: Response, messages: list[Readable], request: Message | None
    ) -> Message | None:
        """Delivers what `read_json` read, and waits until the host has taken it.

        Gives the first response, where all are for other requests.

        Raises:
            Unusable: it is an error that is not one of JSON-RPC.
        """
        wrong: Message | None = None
        if request is not None and not _begins_with_answer(messages, request):
            answers = [
                one for one in messages if isinstance(one, Message) and one.kind is Kind.RESPONSE
            ]
            if answers and all(one.key != request.key for one in answers):
                wrong = answers[0]
            if wrong is not None and len(answers) == 1 and is_same_id(wrong, request):
                await self._check_words(response, wrong)
                messages[messages.index(wrong)] = readdress(wrong, request.raw_id)
                wrong = None
            elif wrong is not None:
                self.expected.note_other(request, wrong)
        for message in messages:
            self._hand_over(message, request)
        await self._drain()  # what the host has not taken is still held, by the response
        return wrong

    async def refuse_other(self, response: Response, wrong: Message) -> Unusable:
        """The error for a body that answers another request, where the answer does not come."""
        words = excerpt(await self._http.scrub(response, wrong.raw[:EVIDENCE_BYTES]))
        return Unusable(
            f'The server answered another request than this one ("{words}").',
            hint="That is a fault of the server.",
        )

    async def _check_words(self, response: Response, answer: Message) -> None:
        """Raises what an error stands for that is not one of JSON-RPC, and names no request."""
        if not answer.is_error or not answer.names_no_request or is_object(answer.payload):
            return
        words = excerpt(await self._http.scrub(response, answer.raw[:EVIDENCE_BYTES]))
        raise Unusable(
            f"The server answered with an error that is not one of JSON-RPC (HTTP "
            f'{response.status} from {mask_url(response.where)}: "{words}").',
            hint=OWN_WORDS,
        )

    async def read_stream(
        self, response: Response, stream: MessageStream, request: Message | None
    ) -> bool:
        """Delivers the stream's messages; whether the answer to `request` was among them."""
        answered = False

        async def take(event: Event) -> None:
            nonlocal answered
            if not event.data or (event.name != "message" and not self._answers(event.data)):
                if event.name == "error":
                    stream.said = event.data[:EVIDENCE_BYTES]
                return
            is_answer = await self._take_event(response, event, request, stream)
            if (is_answer and not answered) or stream.odd is not None:
                response.end_within(self._end_patience)
            answered = is_answer or answered

        try:
            await response.read_events(stream, take, self._drain)
        except Interrupted as error:
            if not answered and stream.odd is None:
                raise
            logger.debug("After its answer, a stream did not end as it should: %s", error.cause)
        odd = stream.odd
        if odd is not None and request is not None and not answered and stream.responses == 1:
            if stream.look is not None:
                stream.look(odd)
            await self._check_words(response, odd)
            self._hand_over(readdress(odd, request.raw_id))
            answered = True
        elif odd is not None:
            logger.warning("The server sent a response without an id that can be used: %s", odd)
        self.expected.note_words(request, stream.said)
        await self._drain()  # until the host has taken it, the answer is held by `response`
        return answered

    def _answers(self, data: bytes) -> bool:
        """Whether an event of another name has an answer that somebody waits for."""
        found = find_response(data)
        return found is not None and self.expected.is_expected(found)

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
                    continue
                if isinstance(read, InvalidMessage):
                    stream.said = event.data[:EVIDENCE_BYTES]
                answered = self._take_read(read, request, stream) or answered
            stream.last_event_id = event.last_event_id  # which one without its end has not moved
        except InvalidMessage as error:
            if event.is_complete:
                stream.said = event.data[:EVIDENCE_BYTES]
                self._hand_over(error)
        return answered

    def _take_read(self, read: Readable, request: Message | None, stream: MessageStream) -> bool:
        answered = False
        if isinstance(read, Message):
            stream.messages += 1
            is_response = read.kind is Kind.RESPONSE
            stream.responses += is_response
            if request is not None:
                read.related = request.key
                answered = is_response and read.key == request.key
                if is_response and not answered and is_same_id(read, request):
                    stream.odd = stream.odd or read
                    return False
                if is_response and not answered:
                    self.expected.note_other(request, read)
                    stream.said = read.raw[:EVIDENCE_BYTES]
                if answered and read.is_error and stream.look is not None:
                    stream.look(read)
        self._hand_over(read)
        return answered

    def _hand_over(self, message: Readable, request: Message | None = None) -> None:
        """Delivers it; of several that may answer `request`, one that has its id alone does."""
        if isinstance(message, Message):
            is_response = message.kind is Kind.RESPONSE
            if is_response and (request is None or not is_same_id(message, request)):
                message = self.expected.find(message)
            self._deliver(message)
            if is_response:
                self.expected.note(message)
        elif (times := self._broken.take()) is not None:
            cause = message.cause
            logger.warning("The server sent something that is not a message%s: %s", times, cause)


def is_whole(body: bytes) -> Generator[None, None, bool]:
    """Whether a body that broke off is JSON to its end: no part of an object or array is one."""
    if not body.endswith((b"}", b"]")):
        return False
    try:
        for read in read_messages(body):
            if isinstance(read, InvalidMessage):
                return False
            yield
    except InvalidMessage:
        return False
    return True


def _begins_with_answer(messages: list[Readable], request: Message) -> bool:
    """As nearly each body does, and most have nothing else."""
    first = messages[0] if messages else None
    return isinstance(first, Message) and first.kind is Kind.RESPONSE and first.key == request.key
