"""The host's side of the translation: which messages of a modern host reach the relay, and how.

A host that begins with `initialize` goes by untouched. One of 2026-07-28 is asked nothing: its
own `server/discover` finds out the server's era, or one of ours where it begins with something
else, be it a notification; where the server turns out to be of the older era, its messages go
through `eras/handshake_server` from then on. Must not know how messages are translated, or the
server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING

import msgspec

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.channel import Clock, Deliver, HostChannel
from mcp_remote_py.eras.envelope import CAPABILITIES, add_meta, is_complete, read_envelope
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.json_text import Members
from mcp_remote_py.jsonrpc import Kind, Message, make_request, pass_error
from mcp_remote_py.open_requests import cancelled_key, refuse_open_id
from mcp_remote_py.randomness import RandomBytes

if TYPE_CHECKING:
    from mcp_remote_py.eras.handshake_server.effects import Effect
    from mcp_remote_py.eras.handshake_server.server import HandshakeServer

logger = logging.getLogger("mcp_remote_py.bridge")

MAX_EARLY = 100
"""Messages that are held while an era is found out."""

PROBE_ID = b'"mcp-remote-py/probe"'


class HostSide:
    """A `HostChannel` of the host's era on another."""

    def __init__(
        self, inner: HostChannel, era: ServerEra, clock: Clock, randomness: RandomBytes
    ) -> None:
        self._inner = inner
        self._to_host = inner.send
        self.drain = inner.drain
        self.flush = inner.flush
        self._era = era
        self._clock = clock
        self._randomness = randomness
        self._to_relay: Deliver = lambda _: None
        self._server: HandshakeServer | None = None
        self._probe: Message | None = None
        """The `server/discover` that is under way to find out the era."""
        self._waiting: dict[Hashable, Message] = {}
        """Messages that the host sent meanwhile: requests by their ids, others by themselves."""
        self._early: list[Message] | None = []
        """Notifications before the first request, which shows the host's era; None behind it."""
        self._timers: set[asyncio.Task[None]] = set()
        self.introduction: Message | None = None
        """The message by which the host has said last who it is."""
        self._shook_hands = False
        """The host has begun with `initialize` since its last modern request."""

    # ------------------------------------------------------------------ from the host

    def receive(self, deliver: Deliver, on_end: Callable[[], None]) -> None:
        """See `HostChannel.receive`."""
        self._to_relay = deliver

        def end() -> None:
            self._end_early()
            on_end()

        self._inner.receive(self._take_in_order, end)

    def _take_in_order(self, message: Message) -> None:
        if self._early is None:
            self._take(message)
        elif message.kind is Kind.NOTIFICATION and read_envelope(message) is None:
            self._early.append(message)
            if len(self._early) == MAX_EARLY:
                self._end_early()
        else:
            self._take(message)
            self._end_early()

    def _end_early(self) -> None:
        early, self._early = self._early or (), None
        # Where the first request waits for an era, so do they: in front of it, as they came.
        behind, self._waiting = self._waiting, {}
        for message in early:
            self._take(message)
        self._waiting |= behind

    def _take(self, message: Message) -> None:
        if read_envelope(message) is not None:
            self._shook_hands = False
            self.introduction = self.introduction or message
            self._take_modern(message)
        elif message.method == "initialize":
            self._shook_hands = True
            self.introduction = message
            self._era.host_is_modern = False
            self._to_relay(message)
        elif self._server is not None and not self._shook_hands:
            self._do(self._server.from_host(message, self._clock.now()))
        elif self._probe is not None and message.method == "notifications/cancelled":
            self._cancel_waiting(message)
        elif self._probe is not None and message.kind is Kind.NOTIFICATION:
            self._hold(message)
        else:
            self._to_relay(message)

    def _take_modern(self, message: Message) -> None:
        if self._probe is not None and message.method == "notifications/cancelled":
            self._cancel_waiting(message)
        elif self._probe is not None:
            self._hold(message)
        elif self._era.now is Era.LEGACY:
            self._translate(message)
        elif self._era.now is Era.MODERN:
            self._server = None
            self._to_relay(message)
        elif message.method == "server/discover":
            self._server = None
            self._probe = message
            self._to_relay(message)
        else:
            # A server of the older era might carry it out by its own rules: ask first.
            self._server = None
            self._hold(message)
            self._probe = make_request(PROBE_ID, "server/discover", _envelope_of(message))
            self._to_relay(self._probe)

    def _hold(self, message: Message) -> None:
        if message.kind is not Kind.REQUEST:
            if len(self._waiting) < MAX_EARLY:
                self._waiting[message] = message
        elif message.key in self._waiting or (self._probe and message.key == self._probe.key):
            self._to_host(refuse_open_id(message))
        else:
            self._waiting[message.key] = message

    def _cancel_waiting(self, message: Message) -> None:
        if self._waiting.pop(cancelled_key(message), None) is None:
            self._to_relay(message)

    def _translate(self, message: Message) -> None:
        self._do(self._begin_translation().from_host(message, self._clock.now()))

    def _begin_translation(self) -> HandshakeServer:
        if self._server is None:
            from mcp_remote_py.eras.handshake_server.server import HandshakeServer  # few need it

            self._server = HandshakeServer(self._randomness(32), self._find_related)
        self._era.host_is_modern = True
        return self._server

    def _find_related(self, key: Hashable) -> Hashable:
        return self._era.related.pop(key, None)

    # ------------------------------------------------------------------ from the relay

    def send(self, message: Message) -> None:
        """See `HostChannel.send`."""
        if self._probe is None and self._server is None:
            self._to_host(message)
        elif self._probe is not None and message.key == self._probe.key and not message.method:
            self._end_probe(self._probe, message)
        elif self._server is None or (self._shook_hands and not self._server.owns(message.key)):
            self._to_host(message)
        else:
            self._do(self._server.from_server(message, self._clock.now()))

    def _end_probe(self, probe: Message, answer: Message) -> None:
        self._probe = None
        waiting, self._waiting = list(self._waiting.values()), {}
        if self._era.now is Era.LEGACY:
            self._begin_translation()  # also for what does not show its era and is first
            if probe.raw_id != PROBE_ID:
                self._translate(probe)
        elif probe.raw_id != PROBE_ID:
            self._to_host(answer)
        elif self._era.now is Era.UNKNOWN and answer.is_error:
            self._refuse(waiting, answer)
            return
        for message in waiting:
            self._take(message)

    def _refuse(self, waiting: Iterable[Message], answer: Message) -> None:
        for message in waiting:
            if message.kind is Kind.REQUEST:
                self._to_host(pass_error(message.raw_id, answer.error))
            else:
                logger.warning("Not delivered: %s. What the server speaks is not known.", message)

    # ------------------------------------------------------------------ effects

    def _do(self, effects: list[Effect]) -> None:
        from mcp_remote_py.eras.handshake_server.effects import Expire, ToHost

        for effect in effects:
            match effect:
                case ToHost(message):
                    self._to_host(message)
                case Expire(ticket, seconds):
                    timer = asyncio.ensure_future(self._expire(ticket, seconds))
                    self._timers.add(timer)
                    timer.add_done_callback(self._timers.discard)
                case _:
                    self._to_relay(effect.message)

    async def _expire(self, ticket: bytes, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._server is not None:
            self._do(self._server.expire(ticket))

    def end(self, reason: Message) -> None:
        """See `HostChannel.end`."""
        for timer in self._timers:
            timer.cancel()
        self._refuse(self._waiting.values(), reason)
        if self._server is not None:
            self._do(self._server.end(reason))


def _envelope_of(message: Message) -> Members:
    """The params of a request of ours in the host's name; a notification may have less of them."""
    envelope = message.members["_meta"]
    if message.kind is Kind.NOTIFICATION and not is_complete(message):
        envelope = add_meta(envelope, {CAPABILITIES: msgspec.Raw(b"{}")})
    return {"_meta": envelope}
