"""Answers for the server while somebody still has to sign in (promise A6), or while it is away.

A server that worked before and does not answer within its patience is away: the host gets what it
said last time, and each call is tried. See `stand_in`. Must not know tokens, or how a message
travels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mcp_remote_py.channel import Clock, Deliver, ServerMemory, ServerSnapshot, SignInWatch
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.jsonrpc import Message, make_result
from mcp_remote_py.mcp_session import host_name
from mcp_remote_py.redact import scrub_known
from mcp_remote_py.relay.asked import Asked, AskedByHost
from mcp_remote_py.relay.recovery import Recovery
from mcp_remote_py.relay.tasks import WORK, Tasks
from mcp_remote_py.retry import INITIALIZE_PATIENCE, means_absence
from mcp_remote_py.tools import ToolCatalog

if TYPE_CHECKING:
    from mcp_remote_py.stand_in import StandIn

logger = logging.getLogger("mcp_remote_py.relay")

WATCH_INTERVAL = 0.5
"""Seconds between two looks at a sign-in that somebody waits for."""


class StandingIn:
    """For one server; `patience` are the seconds the host's `initialize` may wait.

    `host_wait`: of a host by its name, less where it gives up sooner; None asks nobody.
    """

    def __init__(
        self,
        asked: AskedByHost,
        recovery: Recovery,
        catalog: ToolCatalog,
        tasks: Tasks,
        clock: Clock,
        say: Deliver,
        sign_in: SignInWatch | None,
        memory: ServerMemory | None,
        patience: float | None,
        host_wait: Callable[[str], float] | None,
    ) -> None:
        self._asked = asked
        self._recovery = recovery
        self._catalog = catalog
        self._tasks = tasks
        self._clock = clock
        self._say = say
        self._sign_in = sign_in
        self._memory = memory
        self._patience = patience
        self._host_wait = host_wait
        self._stand_in: StandIn | None = None
        self._known = ServerSnapshot()

    def watch(self, initialize: Asked) -> None:
        """The host begins: its request is answered here where the server's answer takes long."""
        self._stand_in = None
        memory, patience = self._memory, self._patience
        if memory is None or patience is None:
            return
        if self._host_wait is not None:
            patience = min(patience, self._host_wait(host_name(initialize.message)))
        if self._sign_in is not None:
            self._tasks.spawn(self._outlive(initialize, memory, patience))
        self._tasks.spawn(self._outlast(initialize, memory, min(patience, INITIALIZE_PATIENCE)))

    async def _outlive(self, asked: Asked, memory: ServerMemory, patience: float) -> None:
        """Answers `initialize` before the host gives up, where a sign-in is waited for.

        Whichever step of it is slow: the person's, or one of a server or of another process.
        """
        await self._outlast(asked, memory, patience)  # it may be silent after a sign-in
        while self._is_unanswered(asked) and not self._is_signing_in():
            await self._clock.sleep(WATCH_INTERVAL)
        if self._is_unanswered(asked):
            logger.info("Nobody has signed in yet: initialize is answered for the server.")
            self._begin(asked, memory, memory.recall(), is_away=False)

    async def _outlast(self, asked: Asked, memory: ServerMemory, patience: float) -> None:
        """Answers `initialize` before the host gives up, where the server is silent."""
        await self._clock.sleep(patience)
        if self._is_unanswered(asked) and not self._is_signing_in():
            self._begin_away(asked, memory)

    def note_failure(self, asked: Asked, error: ExchangeError) -> None:
        """The `initialize` has failed for good: a server that is away is stood in for."""
        if self._memory is not None and self._is_unanswered(asked) and means_absence(error):
            self._begin_away(asked, self._memory)

    def _is_unanswered(self, asked: Asked) -> bool:
        return asked.stood_in is None and not asked.cancelled and self._asked.is_open(asked)

    def _todo(self) -> str:
        return "" if self._sign_in is None else self._sign_in.waiting_for_person()

    def _is_signing_in(self) -> bool:
        return self._sign_in is not None and self._sign_in.is_under_way()

    def _begin_away(self, asked: Asked, memory: ServerMemory) -> None:
        from mcp_remote_py.stand_in import can_stand_in  # few starts need it

        known = memory.recall()
        if can_stand_in(known):
            text = "%s does not answer: the host is told what it said last time; calls are tried."
            logger.warning(text, memory.server_name)
            self._begin(asked, memory, known, is_away=True)

    def _begin(
        self, asked: Asked, memory: ServerMemory, known: ServerSnapshot, *, is_away: bool
    ) -> None:
        from mcp_remote_py.stand_in import StandIn

        self._stand_in = StandIn(
            *(asked.message, memory.server_name, known, self._catalog),
            *(self._todo, self._is_signing_in),
            is_away=is_away,
        )
        self._recovery.replay.begin(asked.message)
        asked.stood_in = lambda error: self._fail(asked, error, is_away)
        self._say(make_result(asked.message.raw_id, self._stand_in.greet()))
        for waiting in self._asked:
            task = waiting.task
            if self.answer(waiting) and task is not None:
                task.cancel()

    def _fail(self, asked: Asked, error: ExchangeError, is_away: bool) -> None:
        """The host was answered: those that wait for the session hear it, later ones begin one.

        Where the server is away one is begun unasked as well, now and then: so the host hears that
        it is back.
        """
        logger.warning(
            "%s failed; the host was answered before: %s", asked.message, error.sentence()
        )
        if is_away and means_absence(error):
            self._recovery.lose()
        self._recovery.is_lost = True
        asked.settle(error)

    def answer(self, asked: Asked) -> bool:
        """Answers what does not need the server; else bounds its wait while there is none."""
        stand_in = self._stand_in
        if stand_in is None or asked.message.method == "initialize":
            return False
        result = stand_in.answer(asked.message)
        if result is not None:
            if (
                self._sign_in is not None
                and stand_in.is_sign_in(asked.message)
                and stand_in.is_waiting()
            ):
                self._sign_in.show_page()  # a person asks: the first tab may be closed
            self._asked.answer(asked, make_result(asked.message.raw_id, result))
            return True
        if stand_in.over:
            return False
        self._tasks.spawn(self._bound_wait(asked, stand_in))
        if not stand_in.is_sign_in(asked.message):
            return False
        asked.task = self._tasks.spawn(self._sign_in_again(asked, stand_in), WORK)
        return True

    async def _bound_wait(self, asked: Asked, stand_in: StandIn) -> None:
        # One for a server that is away has an error of its own before, as a rule.
        patience = INITIALIZE_PATIENCE if stand_in.is_away else self._patience
        await self._clock.sleep(patience or 0.0)
        if stand_in.over or asked.at_server or not self._asked.is_open(asked):
            return
        self._asked.fail(asked, stand_in.excuse())
        asked.cancel()

    async def _sign_in_again(self, asked: Asked, stand_in: StandIn) -> None:
        """Begins a sign-in where none is under way, and tells the host how it stands."""
        attempt = self._tasks.spawn(self._recovery.establish())
        while not attempt.done() and not stand_in.is_waiting():
            await self._clock.sleep(WATCH_INTERVAL)
        failure = attempt.result() if attempt.done() else None
        words = "" if failure is None else scrub_known(failure.sentence())
        self._asked.answer(asked, make_result(asked.message.raw_id, stand_in.report(words)))

    # What the server says itself

    def note_initialize(self, answer: Message) -> None:
        """The server has answered `initialize` itself."""
        if not answer.is_long:
            self._keep(initialize=answer.result)
        if self._stand_in is not None:
            self._stand_in.end(answer.result)

    def note_tools(self, tools: bytes | None) -> None:
        """The host is given the server's own tools; None where they are too many to be kept."""
        self._keep(tools=tools or b"")
        if self._stand_in is not None:
            self._stand_in.show_tools()

    def tell_news(self) -> None:
        """The host hears, once, that the server answers itself now."""
        for news in [] if self._stand_in is None else self._stand_in.take_news():
            self._say(news)

    def _keep(self, **members: bytes) -> None:
        """Keeps what the server said of itself, for a start at which it does not answer."""
        known = self._known.replace(**members)
        if self._memory is not None and known != self._known:
            self._known = known
            self._memory.keep(known)
