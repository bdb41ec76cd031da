"""A `ServerChannel` that speaks the host's era, whatever the server's is.

The host's own first message is the probe (promise E1): an `initialize` that is answered costs
nothing more, and nothing is between host and server from then on. One that is refused is made
again as `server/discover`, and what follows goes through `eras/modern_server`. A host of
2026-07-28 on a server of that era goes by, too; on another, `host_side` translates, which learns
here what the server is.

A verdict on session or era is drawn from what has no effect alone. Where it would be drawn from a
request that may have an effect, something harmless is asked first, and where such a request was
answered, before the next one goes: so no verdict has anything executed twice. Must not know how
messages are translated, how an answer is waited for, URLs or tokens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.watched_answers import WatchedAnswers
from mcp_remote_py.channel import Clock, Deliver, ServerChannel
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.eras.era_detection import (
    LEGACY_REFUSED,
    UNSUPPORTED_VERSION,
    Era,
    error_code,
    failure_code,
    judge_discovery,
    judge_failure,
    judge_greeting,
    supported_versions,
)
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import ExchangeError, SessionLost, Unusable, WrongEra
from mcp_remote_py.jsonrpc import Kind, Message, make_request
from mcp_remote_py.open_requests import cancelled_key
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import may_have_effect
from mcp_remote_py.versions import MODERN

if TYPE_CHECKING:
    from mcp_remote_py.bridge.conversations import Conversations, Translation
    from mcp_remote_py.bridge.listening import Stream
    from mcp_remote_py.bridge.modern_host import ModernHost

logger = logging.getLogger("mcp_remote_py.bridge")

QUESTION_PATIENCE = 5.0
"""Seconds a server gets to show that session and era are the same; silence is not a verdict."""


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
        self._translation: Translation | None = None
        self._doubted = False
        """A handshake server has used a modern error code in a sense of its own."""
        self._generation = 0
        """Number of times that a session was lost, or the era changed."""
        self._suspicion = False
        """An answer came that leaves session or era in doubt."""
        self._question: asyncio.Task[SessionLost | None] | None = None
        self._questions = 0
        self._answers = WatchedAnswers(self._inner.send, self._suspect, self._learn)
        self._modern_host: ModernHost | None = None
        self._streams: dict[Hashable, Stream] = {}
        self._aside: set[asyncio.Task[Any]] = set()

    # ------------------------------------------------------------------ from the relay

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        if message.method == "initialize" and not names_its_version(message):
            await self._begin(message)
            return
        if self._is_in_doubt and may_have_effect(message):
            await self._settle_suspicion()
        if self._translation is not None:
            await self._send_translated(message, self._translation)
        elif names_its_version(message):
            await self._send_modern(message)
        else:
            generation = self._generation
            try:
                await self._inner.send(message)
            except ExchangeError as error:
                raise await self._weigh(message, error, generation) from error

    async def _send_modern(self, message: Message) -> None:
        if self._modern_host is None:
            from mcp_remote_py.bridge.modern_host import ModernHost  # few starts need it

            self._modern_host = ModernHost(
                self._inner.send,
                self._answers,
                self._era,
                self._parameters,
                self._deliver,
                self._open_stream,
            )
        await self._modern_host.send(message)

    # ------------------------------------------------------------------ verdicts

    def _verdict(self, error: ExchangeError) -> SessionLost | None:
        """The verdict on session or era by a failure, as if the request were without effect."""
        if self._translation is not None:
            if judge_failure(error) is not Era.LEGACY:
                return None
        elif isinstance(error, SessionLost):
            return error
        elif self._era.fixed or self._doubted or failure_code(error) not in LEGACY_REFUSED:
            return None
        text = "The server now speaks another era of the protocol."
        return SessionLost(text, status=error.status, body=error.body)

    def _conclude(self, verdict: SessionLost, error: ExchangeError) -> SessionLost:
        """A handshake has to be made; the same verdict is drawn once of a server's own codes."""
        if verdict is not error:
            self._era.doubt()
            self._doubted = self._translation is None
        return verdict

    async def _weigh(
        self, message: Message, error: ExchangeError, generation: int
    ) -> ExchangeError:
        """The error that ends `message`, whose attempt in this generation failed."""
        verdict = self._verdict(error)
        if verdict is None:
            return error
        otherwise = error.otherwise if isinstance(error, SessionLost) else error
        # In 2026-07-28 an error with the id of a prompt or a read is its answer as well.
        has_answer = self._translation is not None and error.is_answer
        is_weighed = has_answer or may_have_effect(message)
        if otherwise is None or isinstance(error, WrongEra) or not is_weighed:
            return self._conclude(verdict, error)  # it was never sent, or has no effect
        lost = await self._find_out() if generation == self._generation else None
        if generation != self._generation:
            lost = _copy(verdict)  # others have shown it meanwhile
        return lost or otherwise

    @property
    def _is_in_doubt(self) -> bool:
        return self._suspicion or self._question is not None

    async def _settle_suspicion(self) -> None:
        """Lets nothing with an effect go into a session, or to an era, that is in doubt."""
        self._suspicion = False
        lost = await self._find_out()
        if lost is not None:
            raise lost

    def _suspect(self, answer: Message) -> None:
        """An answer stays one; whether session and era are the same is asked before the next."""
        refusal = answer.refusal if answer.is_error else None
        if refusal is not None and self._verdict(refusal) is not None:
            self._suspicion = True

    async def _find_out(self) -> SessionLost | None:
        """The verdict on session or era that something harmless shows; one question for all."""
        if self._question is None:
            self._question = asyncio.ensure_future(self._ask_harmless())
            self._aside.add(self._question)
            self._question.add_done_callback(self._end_question)
        lost = await asyncio.shield(self._question)
        return lost and _copy(lost)

    def _end_question(self, question: asyncio.Task[SessionLost | None]) -> None:
        self._aside.discard(question)
        if self._question is question:
            self._question = None

    def _begin_anew(self) -> None:
        """Doubts and questions about the last session say nothing about the next."""
        self._end_translation()
        self._suspicion = False
        self._question = None

    async def _ask_harmless(self) -> SessionLost | None:
        translation = self._translation
        if translation is None:
            self._questions += 1
            raw_id = b'"mcp-remote-py/still-there/%d"' % self._questions
            question = make_request(raw_id, "ping")
        else:
            question = translation.server.discover()
        asking = asyncio.ensure_future(self._answers.ask(question))
        patience = asyncio.ensure_future(self._clock.sleep(QUESTION_PATIENCE))
        try:
            await asyncio.wait({asking, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
            asking.cancel()
        if not asking.done():
            return None
        try:
            answer = asking.result()
        except ExchangeError as error:
            failure = error
        else:
            if translation is not None and judge_discovery(answer) is Era.MODERN:
                return None
            unfit = Unusable("Its answer is of another era.", status=200, body=answer.raw)
            failure = (answer.refusal if answer.is_error else None) or unfit
        verdict = self._verdict(failure)
        return verdict and self._conclude(verdict, failure)

    # ------------------------------------------------------------------ a host that shakes hands

    async def _begin(self, initialize: Message) -> None:
        self._begin_anew()
        era = self._era
        if era.now is Era.MODERN and await self._fall_forward(initialize):
            return
        if era.now is Era.MODERN and era.fixed:
            raise Unusable(
                "The server does not answer server/discover, as --protocol modern demands.",
                hint="Leave the option out: what the server speaks is then found out.",
            )
        refusal = await self._shake_hands(initialize)
        if refusal is None or await self._shake_hands_anew(initialize, refusal):
            return
        if self._may_be_modern(refusal):
            if await self._fall_forward(initialize):
                return
            if isinstance(refusal, Message) and not refusal.is_error:
                # It agrees on whatever it is asked for, and the question has ended its session.
                await self._inner.renew()
                self._note_legacy()
                await self._inner.send(initialize)
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
            await self._answers.watch(initialize, see, self._inner.send(initialize))
        except ExchangeError as error:
            return error
        return refusals[0] if refusals else None

    async def _shake_hands_anew(
        self, initialize: Message, refusal: Message | ExchangeError
    ) -> bool:
        """Whether the server takes an older revision, where it refuses the host's by name."""
        from mcp_remote_py.eras.older_revision import ask_for_older  # few starts need it

        older = ask_for_older(initialize, refusal)
        if older is None:
            return False
        logger.info("The server refuses the protocol version of the host: asking for an older one.")
        await self._inner.renew()  # whatever a refused handshake has left
        return await self._shake_hands(older) is None

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
        from mcp_remote_py.bridge.conversations import begin_translation  # few starts need them
        from mcp_remote_py.eras.modern_server import ModernServer

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
        ways = (self._ask_properly, self._open_stream, self._deliver)
        self._translation = begin_translation(server, *ways, self._clock, self._random)
        self._deliver(server.greet(answer))
        return True

    def _end_translation(self) -> None:
        if self._translation is not None:
            self._translation.listening.end()
            self._translation = None

    # ------------------------------------------------------------------ in translation

    async def _send_translated(self, message: Message, translation: Translation) -> None:
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
        generation = self._generation
        try:
            await conversations.serve(request)
        except ExchangeError as error:
            told = await self._weigh(request, error, generation)
            if told.body is not None:
                from mcp_remote_py.eras.results import to_handshake_error  # few starts need it

                # It may be the answer to a later round, whose id is ours.
                body = to_handshake_error(request, parse_message(told.body)).raw
                told = told.changed({"body": body})
            raise told from error

    async def _ask_properly(self, request: Message) -> Message:
        """The server's answer; once more where the refusal says that another try may fit.

        Where the server's list of tools shows that the headers of a call were others than they
        must be, which it has to find before it executes anything; and where the revision is refused
        and named as one of its own all the same, by a server that is being replaced, or one behind
        several. The second is not proof, so it is for what has no effect.
        """
        answer = await self._answers.ask(request)
        code = error_code(answer)
        if request.method == "tools/call":
            from mcp_remote_py.bridge.tool_headers import has_wrong_headers, relearn

            ask = self._answers.ask
            fits_now = has_wrong_headers(answer) and await relearn(request, self._parameters, ask)
        else:
            named = code == UNSUPPORTED_VERSION and MODERN in supported_versions(answer)
            fits_now = named and not may_have_effect(request)
        return await self._answers.ask(request) if fits_now else answer

    def _open_stream(self, make: Callable[[], Message], *, own: bool) -> Stream:
        from mcp_remote_py.bridge.listening import Stream

        return Stream(
            make, self._answers.ask, self._streams, self._deliver, self._clock, self._random, own
        )

    # ------------------------------------------------------------------ from the server

    def _take(self, message: Message) -> None:
        if message.kind is Kind.RESPONSE:
            is_kept = self._answers.see(message)
            if is_kept is None:
                self._suspect(message)
            if not is_kept:
                self._deliver(message)
        elif self._streams and self._take_stream_notice(message):
            pass
        elif self._translation is None:
            if message.kind is Kind.REQUEST and self._era.host_is_modern:
                self._era.relate(message)
            self._deliver(message)
        elif message.kind is Kind.REQUEST:
            logger.warning("A server of this era does not send requests; ignored: %s", message)
        else:
            self._deliver(self._translation.server.hear(message))

    def _learn(self, request: Message, answer: Message) -> Message:
        if request.method != "tools/list" or answer.is_error:
            return answer
        return self._parameters.learn(answer)

    def _take_stream_notice(self, message: Message) -> bool:
        """Whether it was about a stream that is held open here, and need not be passed on."""
        from mcp_remote_py.bridge.listening import find_stream

        stream = find_stream(message, self._streams)
        return stream is not None and stream.take(message)

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
        self._begin_anew()
        self._generation += 1
        await self._inner.renew()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        self._end_translation()
        for task in self._aside:
            task.cancel()
        if self._aside:
            await asyncio.wait(set(self._aside))
        await self._answers.aclose()
        await self._inner.aclose()


def _copy(verdict: SessionLost) -> SessionLost:
    """A verdict for each that hears of it, now proven."""
    return SessionLost(verdict.cause, hint=verdict.hint, status=verdict.status)
