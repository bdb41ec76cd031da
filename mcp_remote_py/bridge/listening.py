"""`subscriptions/listen` held open at a modern server (2026-07-28, basic/patterns/subscriptions).

A stream that breaks is opened again with growing waits, for as long as we run (promise L5); what
may have been missed meanwhile is told as changed. Must not know how messages travel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from mcp_remote_py.channel import Clock, Deliver
from mcp_remote_py.eras.conversation import Filter
from mcp_remote_py.eras.envelope import SUBSCRIPTION_ID
from mcp_remote_py.eras.era_detection import Era, judge_failure
from mcp_remote_py.eras.methods import CHANGES
from mcp_remote_py.errors import ExchangeError, Unusable
from mcp_remote_py.json_text import UNREADABLE, Members, bounded, encode, read_members
from mcp_remote_py.jsonrpc import Message, make_notification, read_id
from mcp_remote_py.open_requests import cancelled_key
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import LASTING_STREAM, STREAM_STEPS

if TYPE_CHECKING:
    from mcp_remote_py.eras.modern_server import ModernServer

logger = logging.getLogger("mcp_remote_py.bridge")

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"

ACKNOWLEDGE_PATIENCE = 10.0
"""Seconds to the acknowledgement, which must be the first that a server says on a stream. Whoever
subscribes waits for it."""

_CHANGED = {change.member: change.notification for change in CHANGES}


class _Filter(msgspec.Struct):
    notifications: dict[str, object]


_decode_filter = bounded(msgspec.json.Decoder(_Filter).decode)


class OpenStream(Protocol):
    """Makes a stream; `own` where the host must not see what is said of it."""

    def __call__(self, make: Callable[[], Message], *, own: bool) -> Stream:
        """`make` makes the request of each opening."""
        ...


class Stream:
    """One subscription.

    `streams` holds it by the id of its request while it is open.
    """

    def __init__(
        self,
        make: Callable[[], Message],
        ask: Callable[[Message], Awaitable[Message]],
        streams: dict[Hashable, Stream],
        deliver: Deliver,
        clock: Clock,
        random: Random,
        own: bool,
    ) -> None:
        self._make = make
        self._ask = ask
        self._streams = streams
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._own = own
        self.acknowledged: asyncio.Future[Filter] = asyncio.get_running_loop().create_future()

    async def run(self) -> Message:
        """Stays until the server has refused it, or ended one that is not our own.

        Returns the answer that says so.

        Raises:
            ExchangeError: it cannot be opened, or not any more.
        """
        failures = 0
        while True:
            started = self._clock.now()
            try:
                answer = await self._open(self._make())
                if answer.is_error or not self._own:
                    return answer
                logger.debug("The server ended the subscription.")
            except ExchangeError as error:
                if not self.acknowledged.done() or judge_failure(error) is not Era.UNKNOWN:
                    raise
                logger.debug("The subscription broke: %s", error.cause)
            lasted = self._clock.now() - started >= LASTING_STREAM
            failures = 1 if lasted else failures + 1
            await self._clock.sleep(STREAM_STEPS.wait(failures, self._random))

    async def _open(self, request: Message) -> Message:
        self._streams[request.key] = self
        try:
            return await self._ask(request)
        finally:
            if self._streams.get(request.key) is self:
                del self._streams[request.key]

    def take(self, notice: Message) -> bool:
        """Takes what the server says of this stream; whether the host need not hear it."""
        if notice.method != ACKNOWLEDGED:
            return True  # that it ends: it is opened again
        if not self.acknowledged.done():
            self.acknowledged.set_result(_read_filter(notice))
            return self._own
        # Opened again, and nobody knows what was missed meanwhile.
        for change in missed_changes(notice, tagged=not self._own):
            self._deliver(change)
        return True


class Listening:
    """The one subscription for a host without any: it follows what the host wants to hear."""

    def __init__(self, server: ModernServer, open_stream: OpenStream, clock: Clock) -> None:
        self._server = server
        self._open_stream = open_stream
        self._clock = clock
        self._turn = asyncio.Lock()
        self._current: asyncio.Task[Message] | None = None
        self._beginning: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Opens it while nobody waits for it."""
        self._beginning = asyncio.ensure_future(self._begin())

    async def _begin(self) -> None:
        try:
            answer = await self.want()
        except ExchangeError as error:
            logger.warning("The server cannot be listened to: %s", error.sentence())
            return
        if isinstance(answer, Message):
            logger.warning("The server refuses subscriptions/listen: %s", answer.error.decode())

    async def want(self) -> Filter | Message:
        """Sees that the server notifies of what is wanted by now.

        Returns what it acknowledged, or its error answer; then the stream before stays.

        Raises:
            ExchangeError: the new stream could not be opened.
        """
        async with self._turn:
            wanted = self._server.wanted_notifications()
            if not wanted:
                self._replace(None)
                return {}
            stream = self._open_stream(lambda: self._server.listen(wanted), own=True)
            running = asyncio.ensure_future(stream.run())
            patience = asyncio.ensure_future(self._clock.sleep(ACKNOWLEDGE_PATIENCE))
            try:
                await asyncio.wait(
                    {running, stream.acknowledged, patience}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                patience.cancel()
                if not stream.acknowledged.done():
                    running.cancel()
            if not stream.acknowledged.done():
                if running.done():
                    return running.result()
                raise Unusable(
                    f"The server did not acknowledge the subscription within "
                    f"{ACKNOWLEDGE_PATIENCE:g} seconds.",
                    hint="That is a fault of the server.",
                )
            # Only now is the old one closed: between the two nothing is missed.
            self._replace(running)
            return stream.acknowledged.result()

    def _replace(self, running: asyncio.Task[Message] | None) -> None:
        if self._current is not None:
            self._current.cancel()
        self._current = running
        if running is not None:
            running.add_done_callback(_note_end)

    def end(self) -> None:
        """Closes it."""
        if self._beginning is not None:
            self._beginning.cancel()
        self._replace(None)


def _note_end(running: asyncio.Task[Message]) -> None:
    if running.cancelled():
        return
    error = running.exception()
    reason = running.result().error.decode() if error is None else str(error)
    logger.warning("The server does not notify of changes any more: %s", reason)


def find_stream(notice: Message, streams: Mapping[Hashable, Stream]) -> Stream | None:
    """The open stream that a notification of the server is about, None of all others."""
    if notice.method == ACKNOWLEDGED:
        return streams.get(read_id(_tag_in(notice)))
    if notice.method == "notifications/cancelled":
        return streams.get(cancelled_key(notice))
    return None


def _tag_in(notice: Message) -> msgspec.Raw | None:
    meta = read_members(notice.members.get("_meta", b"")) or {}
    return meta.get(SUBSCRIPTION_ID)


def _read_filter(acknowledged: Message) -> Filter:
    if acknowledged.is_long:
        return {}
    try:
        return _decode_filter(acknowledged.params).notifications
    except UNREADABLE:
        return {}


def missed_changes(acknowledged: Message, *, tagged: bool) -> Iterator[Message]:
    """Notifications of everything a new stream was opened for, with its id or without."""
    tag = _tag_in(acknowledged)
    more: Members = {}
    if tagged and tag is not None:
        more["_meta"] = msgspec.Raw(encode({SUBSCRIPTION_ID: tag}))
    for member, value in _read_filter(acknowledged).items():
        if member in _CHANGED and value is True:
            yield make_notification(_CHANGED[member], more or b"")
        elif member == "resourceSubscriptions" and isinstance(value, list):
            for uri in cast("list[object]", value):
                params = {"uri": msgspec.Raw(encode(uri)), **more}
                yield make_notification("notifications/resources/updated", params)
