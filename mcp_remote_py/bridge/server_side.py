"""A `ServerChannel` that speaks the host's era, whatever the server's is.

The host's own first message is the probe (promise E1): an `initialize` that is answered costs
nothing more, and nothing is between host and server from then on. One that is refused is made
again as `server/discover`, and what follows goes through `eras/modern_server`. A host of
2026-07-28 on a server of that era goes by, too; on another, `host_side` translates, which learns
here what the server is. Must not know how messages are translated, URLs or tokens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mcp_remote_py.bridge.conversing import Conversations
from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.listening import STREAM_NOTICES, Listening, Stream, subscription_key
from mcp_remote_py.channel import Clock, Deliver, ServerChannel
from mcp_remote_py.eras.envelope import is_complete, names_its_version, read_members
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.eras.verdict import (
    HEADER_MISMATCH,
    LEGACY_REFUSED,
    MISMATCH_STATUS,
    UNSUPPORTED_VERSION,
    Era,
    error_code,
    failure_code,
    judge_discovery,
    judge_failure,
    judge_greeting,
    read_refusal,
    supported_versions,
)
from mcp_remote_py.errors import ExchangeError, SessionLost, Unusable
from mcp_remote_py.jsonrpc import INVALID_PARAMS, Kind, Message, encode_request, parse_message
from mcp_remote_py.pending import cancelled_key
from mcp_remote_py.retry import Random
from mcp_remote_py.tools import called_tool
from mcp_remote_py.versions import MODERN

if TYPE_CHECKING:
    from mcp_remote_py.eras.modern_server import ModernServer

T = TypeVar("T")

logger = logging.getLogger("mcp_remote_py.bridge")

MAX_TOOL_PAGES = 100
"""Pages of `tools/list` that are read for one refused call."""

Expect = Callable[[Message], bool]
"""Sees an answer before it is delivered; True keeps it from the host."""


class _Translation(NamedTuple):
    """What stands between a host that shook hands and a modern server."""

    server: ModernServer
    conversations: Conversations
    listening: Listening


class EraChannel:
    """One server, in the host's era."""

    def __init__(
        self,
        connect: Callable[[Deliver], ServerChannel],
        deliver: Deliver,
        era: ServerEra,
        parameters: ParameterHeaders,
        clock: Clock,
        random: Random,
    ) -> None:
        self._inner = connect(self._take)
        self._deliver = deliver
        self._era = era
        self._parameters = parameters
        self._clock = clock
        self._random = random
        self._translation: _Translation | None = None
        self._doubted = False
        """A handshake server said what a modern one would say, and was none: it means its own."""
        self._expected: dict[Hashable, Expect] = {}
        self._streams: dict[Hashable, Stream] = {}
        self._aside: set[asyncio.Task[Any]] = set()

    # ------------------------------------------------------------------ from the relay

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        if message.method == "initialize" and not names_its_version(message):
            await self._begin(message)
        elif self._translation is not None:
            await self._send_translated(message, self._translation)
        elif names_its_version(message):
            await self._send_modern(message)
        else:
            await self._send_legacy(message)

    async def _send_legacy(self, message: Message) -> None:
        try:
            await self._inner.send(message)
        except ExchangeError as error:
            if self._era.fixed or self._doubted or failure_code(error) not in LEGACY_REFUSED:
                raise
            self._doubted = True
            raise self._lose_era(error) from error

    # ------------------------------------------------------------------ a host that shakes hands

    async def _begin(self, initialize: Message) -> None:
        self._end_translation()
        era = self._era
        if era.now is Era.MODERN and await self._fall_forward(initialize):
            return
        if era.now is Era.MODERN and era.fixed:
            raise Unusable(
                "The server does not answer server/discover, as --protocol modern demands.",
                hint="Leave the option out: what the server speaks is then found out.",
            )
        refusal = await self._shake_hands(initialize)
        if refusal is None:
            return
        if self._may_be_modern(refusal) and await self._fall_forward(initialize):
            return
        if era.host_is_modern:
            era.doubt()  # neither the one nor the other: the next request asks anew
        if isinstance(refusal, Message):
            self._deliver(refusal)
        else:
            raise refusal

    async def _shake_hands(self, initialize: Message) -> Message | ExchangeError | None:
        """Sends it as it is; a refusal is returned, which nobody has seen."""
        refusals: list[Message] = []

        def see(answer: Message) -> bool:
            if judge_greeting(answer) is Era.LEGACY:
                self._note_legacy()
                return False
            refusals.append(answer)
            return True

        try:
            await self._with_expectation(initialize, see, self._inner.send(initialize))
        except ExchangeError as error:
            return error
        return refusals[0] if refusals else None

    def _note_legacy(self) -> None:
        if self._era.host_is_modern:
            self._era.confirm(Era.LEGACY)
        else:
            self._era.accept(Era.LEGACY)

    def _may_be_modern(self, refusal: Message | ExchangeError) -> bool:
        """Whether a refused `initialize` may be one that the server has never heard of."""
        if self._era.host_is_modern or (self._era.fixed and self._era.now is Era.LEGACY):
            return False
        return isinstance(refusal, Message) or judge_failure(refusal) is not Era.UNKNOWN

    async def _fall_forward(self, initialize: Message) -> bool:
        """Answers `initialize` from `server/discover`; False where the server knows none."""
        from mcp_remote_py.eras.modern_server import ModernServer  # few starts need it

        server = ModernServer(initialize)
        await self._inner.renew()  # whatever a refused handshake has left
        try:
            answer = await self._ask_properly(server.discover())
        except ExchangeError as error:
            if judge_failure(error) is Era.UNKNOWN:
                raise
            return False
        if judge_discovery(answer) is not Era.MODERN:
            return False
        self._era.confirm(Era.MODERN)
        self._doubted = False
        listening = Listening(server, self._open_stream, self._clock)
        conversations = Conversations(
            server, self._ask_properly, listening, self._deliver, self._clock, self._random
        )
        self._translation = _Translation(server, conversations, listening)
        self._deliver(parse_message(server.greet(answer)))
        return True

    def _end_translation(self) -> None:
        if self._translation is not None:
            self._translation.listening.end()
            self._translation = None

    # ------------------------------------------------------------------ in translation

    async def _send_translated(self, message: Message, translation: _Translation) -> None:
        if message.kind is Kind.REQUEST:
            await self._serve(message, translation.conversations)
        elif message.kind is Kind.RESPONSE:
            translation.conversations.take_answer(message)
        elif message.method == "notifications/cancelled":
            translation.conversations.cancel(cancelled_key(message))
        else:
            notification = translation.server.tell(message)
            if notification is not None:
                await self._inner.send(notification)

    async def _serve(self, request: Message, conversations: Conversations) -> None:
        try:
            await conversations.serve(request)
        except ExchangeError as error:
            if judge_failure(error) is not Era.LEGACY:
                raise
            raise self._lose_era(error) from error

    def _lose_era(self, error: ExchangeError) -> SessionLost:
        """The server is another than it was: the handshake has to be made again."""
        self._era.doubt()
        text = "The server has become one of another era of the protocol."
        return SessionLost(text, status=error.status)

    async def _ask_properly(self, request: Message) -> Message:
        """The server's answer; once more where the refusal says that another try may fit.

        Where the headers of a call were others, and where the revision is refused and named as one
        of its own all the same: a server that is being replaced, or one behind several.
        """
        answer = await self._ask(request)
        code = error_code(answer)
        if code == HEADER_MISMATCH:
            fits_now = await self._relearn(request)
        else:
            fits_now = code == UNSUPPORTED_VERSION and MODERN in supported_versions(answer)
        return await self._ask(request) if fits_now else answer

    # ------------------------------------------------------------------ a host of the modern era

    async def _send_modern(self, message: Message) -> None:
        match message.method:
            case "server/discover" if message.kind is Kind.REQUEST:
                await self._probe(message)
            case "subscriptions/listen" if message.kind is Kind.REQUEST:
                await self._hold_open(message)
            case _:
                await self._send_as_is(message)

    async def _send_as_is(self, message: Message) -> None:
        try:
            await self._exchange(message)
        except ExchangeError as error:
            if message.method == "tools/call" and failure_code(error) == HEADER_MISMATCH:
                if await self._relearn(message):
                    await self._exchange(message)
                    return
            elif judge_failure(error) is Era.LEGACY:
                self._era.doubt()  # the next request finds out
            raise

    async def _exchange(self, message: Message) -> None:
        if message.method == "tools/list":
            await self._with_expectation(message, self._filter_tools, self._inner.send(message))
        else:
            await self._inner.send(message)

    def _filter_tools(self, answer: Message) -> bool:
        line = self._parameters.learn(answer)
        if line is answer.raw:
            return False
        self._deliver(parse_message(line))
        return True

    async def _probe(self, discover: Message) -> None:
        """Sends the host's own `server/discover` and learns from what comes back."""

        def see(answer: Message) -> bool:
            self._judge(judge_discovery(answer))
            return False

        try:
            await self._with_expectation(discover, see, self._inner.send(discover))
        except ExchangeError as error:
            refusal = read_refusal(error) if error.status in MISMATCH_STATUS else None
            if refusal is None:
                self._judge(judge_failure(error))
            elif error_code(refusal) != INVALID_PARAMS or is_complete(discover):
                self._judge(judge_discovery(refusal))
            # Else the host's own fault, as a modern server sees it: no verdict.
            raise

    def _judge(self, verdict: Era) -> None:
        if self._era.fixed or verdict is Era.UNKNOWN:
            return
        if verdict is Era.MODERN:
            self._era.accept(Era.MODERN)
        else:
            self._era.now = Era.LEGACY  # written down once it has shaken hands

    async def _hold_open(self, listen: Message) -> None:
        """A subscription of the host's: opened again when it breaks, until the server ends it."""
        stream = self._open_stream(lambda: listen, own=False)
        self._deliver(await stream.run())

    def _open_stream(self, make: Callable[[], Message], *, own: bool) -> Stream:
        return Stream(make, self._ask, self._streams, self._deliver, self._clock, self._random, own)

    # ------------------------------------------------------------------ from the server

    def _take(self, message: Message) -> None:
        if message.kind is Kind.RESPONSE:
            expect = self._expected.get(message.key)
            if expect is None or not expect(message):
                self._deliver(message)
        elif message.method in STREAM_NOTICES and self._take_stream_notice(message):
            pass
        elif self._translation is None:
            if message.kind is Kind.REQUEST and self._era.host_is_modern:
                self._era.relate(message)
            self._deliver(message)
        elif message.kind is Kind.REQUEST:
            logger.warning("A server of this era sends no requests; ignored: %s", message)
        else:
            self._deliver(parse_message(self._translation.server.hear(message)))

    def _take_stream_notice(self, message: Message) -> bool:
        """Whether it was about a stream that is held open here, and need not be passed on."""
        stream = self._streams.get(subscription_key(message))
        return stream is not None and stream.take(message)

    # ------------------------------------------------------------------ requests of our own

    async def _with_expectation(
        self, request: Message, expect: Expect, work: Coroutine[Any, Any, T]
    ) -> T:
        """Does `work` while `expect` sees the answer to `request` first."""
        self._expected[request.key] = expect
        try:
            return await work
        finally:
            self._end_expectation(request, expect)

    async def _ask(self, request: Message) -> Message:
        """The server's answer, as soon as it is there; its stream may end later.

        Raises:
            ExchangeError: there is none. A refusal that carries an error answer is an answer.
        """
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def see(message: Message) -> bool:
            if not answer.done():
                answer.set_result(self._learn(request, message))
            return True

        self._expected[request.key] = see
        exchange = asyncio.ensure_future(self._inner.send(request))
        try:
            await asyncio.wait({answer, exchange}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            exchange.cancel()
            raise
        finally:
            if exchange.done():
                self._end_expectation(request, see)
            else:
                self._leave(exchange, request, see)
        if answer.done():
            return answer.result()
        error = exchange.exception()
        if isinstance(error, ExchangeError) and error.status in MISMATCH_STATUS:
            refusal = read_refusal(error)
            if refusal is not None and judge_failure(error) is Era.MODERN:
                return refusal
        if error is not None:
            raise error
        raise Unusable(
            "The server answered without an answer to this request.",
            hint="That is a fault of the server.",
        )

    def _learn(self, request: Message, answer: Message) -> Message:
        if request.method != "tools/list" or answer.is_error:
            return answer
        return parse_message(self._parameters.learn(answer))

    def _leave(self, exchange: asyncio.Task[None], request: Message, expect: Expect) -> None:
        """Lets an exchange end by itself whose answer is there."""
        self._aside.add(exchange)

        def end(task: asyncio.Task[None]) -> None:
            self._aside.discard(task)
            self._end_expectation(request, expect)
            if not task.cancelled():
                task.exception()  # the answer came: what is wrong with its stream is no matter

        exchange.add_done_callback(end)

    def _end_expectation(self, request: Message, expect: Expect) -> None:
        if self._expected.get(request.key) is expect:
            del self._expected[request.key]  # else the same request was made again

    async def _relearn(self, call: Message) -> bool:
        """Reads the tools again for a call whose headers were refused; whether they are others."""
        before = self._parameters.headers(call)
        envelope = read_members(call.params) or {}
        meta = bytes(envelope.get("_meta", b"{}"))
        cursor = b""
        for page in range(MAX_TOOL_PAGES):
            params = b'{"_meta":%b%b}' % (meta, cursor)
            request = _make_list_request(call, page, params)
            answer = await self._ask(request)
            if answer.is_error:
                break
            result = read_members(answer.result) or {}
            if self._parameters.headers(call) != before:
                logger.info("The headers for %s are others now; trying again.", called_tool(call))
                return True
            if "nextCursor" not in result:
                break
            cursor = b',"cursor":%b' % bytes(result["nextCursor"])
        return self._parameters.headers(call) != before

    # ------------------------------------------------------------------ the session

    def start_listening(self) -> None:
        """See `ServerChannel.start_listening`."""
        if self._translation is None:
            self._inner.start_listening()
        elif self._translation.server.wanted_notifications():
            self._translation.listening.begin()

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel.set_protocol_version`; a modern request names its own."""
        if self._translation is None:
            self._inner.set_protocol_version(version)

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        self._end_translation()
        await self._inner.renew()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        self._end_translation()
        for task in self._aside:
            task.cancel()
        if self._aside:
            await asyncio.wait(set(self._aside))
        await self._inner.aclose()


def _make_list_request(call: Message, page: int, params: bytes) -> Message:
    raw_id = b'"mcp-remote-py/tools/%d/%b"' % (page, call.raw_id.replace(b'"', b""))
    return parse_message(encode_request(raw_id, "tools/list", params))
