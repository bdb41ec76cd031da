"""Keeps the requests of the host, and sees to it that each is answered once (promise R1).

Whoever takes it out of the table answers it. Must not know how answers come about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterator

from mcp_remote_py.channel import Deliver
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.jsonrpc import LOCAL_ERROR, Message, make_error
from mcp_remote_py.open_requests import OpenRequests
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.relay.outage import Outage

logger = logging.getLogger("mcp_remote_py.relay")

Handshake = asyncio.Future[ExchangeError | None]
"""Done when the server has answered, or with why those that wait for a session get none."""


class Asked:
    """A request of the host.

    Attributes:
        handshake: what its end settles, where it is an `initialize`.
        task: what serves it, once that has begun.
        since: when it came, in seconds of the clock.
        at_server: whether an exchange with the server is under way.
        stood_in: who hears of a failure, where the host has its answer already and the server's is
            for the relay alone.
    """

    __slots__ = ("at_server", "cancelled", "handshake", "message", "since", "stood_in", "task")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.handshake: Handshake | None = None
        self.task: asyncio.Task[None] | None = None
        self.since = 0.0
        self.cancelled = False
        self.at_server = False
        self.stood_in: Callable[[ExchangeError], None] | None = None

    def cancel(self) -> None:
        """Ends what is done for it."""
        if self.task is not None:
            self.task.cancel()

    def settle(self, failure: ExchangeError | None) -> None:
        """Tells those that wait for the session, where this is a handshake."""
        if self.handshake is not None and not self.handshake.done():
            self.handshake.set_result(failure)


class AskedByHost:
    """All that are open."""

    def __init__(self, say: Deliver, failures_at: int, outage: Outage) -> None:
        self._say = say
        self._outage = outage
        self._failures_at = failures_at
        """The level of the log that tells of them."""
        self._open: OpenRequests[Asked] = OpenRequests()

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._open)

    def open(self, asked: Asked) -> bool:
        """Notes it; False where another one has its id."""
        return self._open.open(asked.message.key, asked)

    def find(self, key: Hashable) -> Asked | None:
        """The one with this id."""
        return self._open.find(key)

    def take(self, key: Hashable) -> Asked | None:
        """The one with this id, for the caller to answer."""
        return self._open.close(key)

    def is_open(self, asked: Asked) -> bool:
        """By identity: once answered, its id may be another request's."""
        return self._open.find(asked.message.key) is asked

    def close(self, asked: Asked) -> bool:
        """Takes it out; whether it is the caller's to answer."""
        return self.is_open(asked) and self._open.close(asked.message.key) is not None

    def answer(self, asked: Asked, answer: Message) -> None:
        """Answers it, unless it was."""
        if self.close(asked):
            self._say(answer)

    def fail(self, asked: Asked, error: ExchangeError) -> None:
        """Answers it with an error: the server's own where there is one."""
        if asked.cancelled:
            self.close(asked)  # nobody waits for it (MCP, "Cancellation")
            return
        if asked.stood_in is not None:
            self.close(asked)
            asked.stood_in(error)
            return
        if logger.isEnabledFor(self._failures_at):
            logger.log(self._failures_at, "%s %s", asked.message, self._outage.tell(error))
        # The last line of defence, as in the log; the server's own answer is not ours to change.
        text = scrub_known(error.sentence())
        if error.body is None:
            self.answer(asked, make_error(asked.message.raw_id, LOCAL_ERROR, text))
            return
        from mcp_remote_py.mending import mend_answer, reword_error  # few servers need it

        answer = mend_answer(parse_message(error.body))
        self.answer(asked, reword_error(answer, text) if error.in_our_words else answer)
