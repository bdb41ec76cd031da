"""A `ServerChannel` on another, for hosts that read the first page of a list alone.

The host's request brings the first page, requests of ours bring the others, in the same era; and
the host is answered once, with all of them (`merged_list`). It stands between relay and
`server_side`: what is learned of each page is learned on its way up from there (the headers of a
call, output that is wrapped), and what judges or keeps a list sees all of it: rules on tools, the
tools that those of a new session are compared with, what is said while somebody signs in. Loaded
only with `--merge-pages`. Must not know what is in a list; of eras one thing only, that closing its
stream cancels a request of the modern one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable

import msgspec

from mcp_remote_py.bridge.watched_answers import WatchedAnswers
from mcp_remote_py.channel import Clock, Deliver, ServerChannel
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.errors import ExchangeError, SessionLost
from mcp_remote_py.jsonrpc import Kind, Message, make_notification
from mcp_remote_py.merged_list import MAX_LIST_SECONDS, MergedList, is_list_request
from mcp_remote_py.open_requests import cancelled_key
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import Attempts

logger = logging.getLogger("mcp_remote_py.bridge")

MAX_BEGUN_AGAIN = 20
"""Lists that are remembered as read from their beginning again, since their session was lost."""


class _Reading:
    """A list of the host's that is being read."""

    def __init__(self, request: Message, generation: int) -> None:
        self.request = request
        self.generation = generation
        self.since = 0.0
        """When the first page came, in seconds of the clock."""
        self.asked: Message | None = None
        """The request for a page that is under way."""
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Ends the request that is under way."""
        if self.task is not None:
            self.task.cancel()


class MergingChannel:
    """One server, whose lists have one page."""

    def __init__(
        self,
        connect: Callable[[Deliver], ServerChannel],
        deliver: Deliver,
        clock: Clock,
        random: Random,
    ) -> None:
        self._inner = inner = connect(self._take)
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._answers = WatchedAnswers(inner.send, lambda _: None, lambda _, answer: answer)
        self._readings: dict[Hashable, _Reading] = {}
        """By the id of the host's request."""
        self._begun_again: deque[Message] = deque(maxlen=MAX_BEGUN_AGAIN)
        self._generation = 0
        """Number of times that another session was begun."""
        self._count = 0
        self.start_listening = inner.start_listening
        self.set_protocol_version = inner.set_protocol_version

    def _take(self, message: Message) -> None:
        if message.kind is not Kind.RESPONSE or not self._answers.see(message):
            self._deliver(message)

    # ------------------------------------------------------------------ from the relay

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        if is_list_request(message):
            await self._read(message)
        elif message.method == "notifications/cancelled":
            await self._inner.send(self._cancel(message))
        else:
            await self._inner.send(message)

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        self._generation += 1
        await self._inner.renew()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        await self._answers.aclose()
        await self._inner.aclose()

    def _cancel(self, message: Message) -> Message:
        """The cancellation as it is, or of the page that is under way instead."""
        reading = self._readings.get(cancelled_key(message))
        if reading is None:
            return message
        reading.cancelled = True
        reading.cancel()
        return _name_page(message, reading)

    # ------------------------------------------------------------------ one list

    async def _read(self, request: Message) -> None:
        reading = _Reading(request, self._generation)
        first: asyncio.Future[MergedList] = asyncio.get_running_loop().create_future()

        def see(answer: Message) -> bool:
            is_first = not (first.done() or reading.cancelled)
            merged = MergedList.begin(request, answer) if is_first else None
            if merged is None:
                return False
            reading.since = self._clock.now()
            first.set_result(merged)
            return True

        self._readings[request.key] = reading
        sending = self._answers.watch(request, see, self._inner.send(request))
        exchange = asyncio.ensure_future(sending)
        try:
            # The stream of a page that is there may end later, or never.
            await asyncio.wait({exchange, first}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                await self._read_on(reading, first.result())
            await exchange
        finally:
            self._forget(reading)
            exchange.cancel()
            await asyncio.wait({exchange})
            if not exchange.cancelled():
                exchange.exception()  # where the page came, its stream does not matter

    async def _read_on(self, reading: _Reading, merged: MergedList) -> None:
        """Reads the other pages, within bounds, and answers the host.

        Raises:
            SessionLost: a session was lost meanwhile, and the list has to be read again.
        """
        reading.task = asyncio.ensure_future(self._gather(reading, merged))
        patience = asyncio.ensure_future(self._clock.sleep(MAX_LIST_SECONDS))
        try:
            await asyncio.wait({reading.task, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._forget(reading)
            patience.cancel()
            reading.cancel()
        if reading.cancelled:
            return
        is_late = not reading.task.done()
        if is_late:
            merged.stop(f"they took more than {MAX_LIST_SECONDS:g} s")
        else:
            reading.task.result()
        if merged.stopped:
            text = (
                "%s: the host gets %d of its pages (%d entries), and the cursor for the rest: %s."
            )
            logger.warning(text, reading.request, merged.pages, merged.entries, merged.stopped)
        self._deliver(merged.answer(self._clock.now() - reading.since))
        if is_late and not names_its_version(reading.request):
            reason = b'{"reason":"It took too long."}'
            notice = make_notification("notifications/cancelled", reason)
            await self._inner.send(_name_page(notice, reading))

    def _forget(self, reading: _Reading) -> None:
        if self._readings.get(reading.request.key) is reading:
            del self._readings[reading.request.key]  # else the host has used its id again

    async def _gather(self, reading: _Reading, merged: MergedList) -> None:
        while merged.goes_on:
            self._count += 1
            reading.asked = merged.ask_next(b'"mcp-remote-py/page/%d"' % self._count)
            lost: SessionLost | None = None
            try:
                merged.add(await self._ask(reading.asked))
            except ExchangeError as error:
                lost = error if isinstance(error, SessionLost) else None
                merged.stop(error.sentence().rstrip("."))
            if lost is None and reading.generation != self._generation:
                lost = SessionLost("The session of the first page is gone.")
            # A cursor is of its session alone (2025-11-25, server/utilities/pagination).
            if lost is not None and reading.request not in self._begun_again:
                self._begun_again.append(reading.request)
                raise lost

    async def _ask(self, page: Message) -> Message:
        """The answer, tried for as often as for any request that reads."""
        attempts = Attempts(page.method, self._clock.now(), harmless=True)
        while True:
            try:
                return await self._answers.ask(page)
            except SessionLost:
                raise
            except ExchangeError as error:
                wait = attempts.judge(error, self._clock.now(), self._random)
                if wait is None:
                    raise
                failure = error
            logger.debug("%s: %s Trying again.", page, failure.cause)
            await self._clock.sleep(wait)


def _name_page(notification: Message, reading: _Reading) -> Message:
    """A cancellation of the request for the page that is under way."""
    if reading.asked is None:
        return notification
    members = {**notification.members, "requestId": msgspec.Raw(reading.asked.raw_id)}
    return make_notification(notification.method, members)
