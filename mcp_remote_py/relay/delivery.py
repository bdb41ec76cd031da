"""One message to the server, until it worked or must not be sent again (promise E1).

Must not know who sent it or who gets the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcp_remote_py.channel import Clock, ServerChannel
from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, SessionLost, Unusable
from mcp_remote_py.jsonrpc import Kind, Message
from mcp_remote_py.mcp_session import INITIALIZED
from mcp_remote_py.randomness import Random
from mcp_remote_py.relay.outage import Outage
from mcp_remote_py.relay.recovery import Recovery
from mcp_remote_py.retry import (
    HARMLESS_METHODS,
    UNSURE_STATUS,
    Acquaintance,
    Attempts,
    means_absence,
)
from mcp_remote_py.tools import ToolCatalog, called_tool

logger = logging.getLogger("mcp_remote_py.relay")

_HANDSHAKE_METHODS = frozenset({"initialize", INITIALIZED, "notifications/cancelled"})
"""Methods that do not wait for the handshake to be over."""


class Delivery:
    """To one server."""

    def __init__(
        self,
        server: ServerChannel,
        recovery: Recovery,
        catalog: ToolCatalog,
        clock: Clock,
        random: Random,
        outage: Outage,
        acquaintance: Acquaintance | None = None,
    ) -> None:
        self._server = server
        self._recovery = recovery
        self._catalog = catalog
        self._clock = clock
        self._random = random
        self._acquaintance = acquaintance
        self._outage = outage

    async def send(
        self,
        message: Message,
        is_done: Callable[[], bool],
        note_sending: Callable[[bool], None] = lambda _: None,
    ) -> ExchangeError | None:
        """Sends until it worked, or returns why it cannot.

        `is_done` says whether nobody waits for it any more, `note_sending` hears when it is at the
        server, and when not.
        """
        failure = await self._wait_for_session(message)
        if failure is not None:
            return failure
        started_at = self._clock.now()
        attempts: Attempts | None = None
        while (error := await self._try_once(message, is_done, note_sending)) is not None:
            if message.kind is Kind.REQUEST and is_done():
                return None
            if message.kind is Kind.RESPONSE and isinstance(error, SessionLost):
                return error  # whoever asked is gone with the session
            if attempts is None:
                attempts = Attempts(
                    *(message.method, started_at, self._is_harmless(message)), self._acquaintance
                )
            wait = attempts.judge(error, self._clock.now(), self._random)
            if wait is None:
                return _warn_of_execution(error, message, attempts.harmless)
            if wait:
                self._outage.note(error)
                await self._clock.sleep(wait)
        self._outage.end()
        if is_done():
            return None
        return Unusable(
            "The server's response does not contain the answer to this request.",
            hint="That is a fault of the server.",
        )

    async def _wait_for_session(self, message: Message) -> ExchangeError | None:
        """Lets a handshake end before what needs one; why the message cannot be sent then."""
        if message.kind is Kind.RESPONSE:
            is_lost = self._recovery.is_lost
            return SessionLost("The session that asked is gone.") if is_lost else None
        if not self._recovery.is_beginning or message.method in _HANDSHAKE_METHODS:
            return None
        failure = await self._recovery.let_handshake_end()
        return None if failure is None else tell_others(failure)

    async def _try_once(
        self,
        message: Message,
        is_done: Callable[[], bool],
        note_sending: Callable[[bool], None],
    ) -> ExchangeError | None:
        recovery = self._recovery
        generation = recovery.generation
        try:
            if recovery.is_lost:
                # A host that begins anew makes its own handshake: ours is not needed before it.
                is_new = message.method == "initialize"
                try:
                    await (recovery.make_way() if is_new else recovery.recover())
                except ExchangeError as error:
                    raise tell_others(error) from error
                generation = recovery.generation
            if message.kind is Kind.REQUEST and is_done():
                return None  # while it waited here, the answer came on another stream
            note_sending(True)
            try:
                await self._server.send(message)
            finally:
                note_sending(False)
        except ExchangeError as error:
            if isinstance(error, SessionLost) and message.method == INITIALIZED:
                # Who refuses what each session begins with would refuse it in the next as well.
                error = error.otherwise or Unusable(error.cause, status=error.status)
            # Many requests may hear of one lost session: the last to hear must not end the next.
            if isinstance(error, SessionLost) and generation == recovery.generation:
                recovery.is_lost = True
            logger.debug("to server: %s: %s", message, type(error).__name__)
            return _without_trace(error)
        return None

    def _is_harmless(self, message: Message) -> bool:
        if message.method == "tools/call":
            name = called_tool(message)
            return name is not None and self._catalog.may_repeat(name)
        return message.method in HARMLESS_METHODS or message.method.startswith("notifications/")


def _without_trace(error: ExchangeError) -> ExchangeError:
    """The error without the way it came, nor those it came from: that keeps whatever was read.

    Of each: a frame that raises what it has a name for is in a circle with it, and megabytes of a
    request would wait there until Python looks for such.
    """
    left: list[BaseException] = [error]
    while left:
        one = left.pop()
        left += [before for before in (one.__cause__, one.__context__) if before is not None]
        one.__traceback__ = one.__cause__ = one.__context__ = None
    return error


def tell_others(error: ExchangeError) -> ExchangeError:
    """What happened to a request of our own, for those that waited for it and were never sent.

    Without the server's answer, whose id is ours. What may have been executed is ours as well.
    """
    if means_absence(error):
        return NotSent(error.cause, hint=error.hint, retry_after=error.retry_after)
    return type(error)(
        error.cause, hint=error.hint, status=error.status, retry_after=error.retry_after
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
