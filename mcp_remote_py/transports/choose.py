"""Finds out which transport the server speaks: a loop over strategies, by the first message.

The host's own first message is the probe (MCP 2025-11-25, "Backwards Compatibility"): a status
that says "not here, not like this" moves on to the next transport; a 401, 403, 429, 5xx or a
broken network is not a verdict and is reported as what it is (field note 23). A first message that
may have an effect moves on only where HTTP itself says that nothing takes it there, or where it was
never sent: an event stream that does not begin in time is tried once more behind the other
transport, which may only have been slow to start. Must not know message texts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from mcp_remote_py.channel import ServerChannel
from mcp_remote_py.eras.envelope import names_its_version
from mcp_remote_py.eras.era_detection import MISMATCH_STATUS, is_modern_error
from mcp_remote_py.errors import ExchangeError, NoEndpoint, NoStream, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.retry import may_have_effect
from mcp_remote_py.values import Value

OnAccepted = Callable[[], None]

NOT_HERE_STATUS = MISMATCH_STATUS - {200, 400}
"""Errors that say that this address does not take such messages, so that none was executed."""


BEGINNING_LIMIT = 10.0
"""Seconds that an event stream may take to begin while another transport has not been tried."""

CHOICE_PATIENCE = 45.0
"""Seconds for all of it, where a server is silent: hosts give up after 60 (field note 5)."""


class Candidate(Value, frozen=True):
    """A transport that may be the one.

    `build` makes its channel, told when a server accepts, and the seconds for what begins it, None
    where the network's limits are enough. `is_modern`: it is the one of 2026-07-28.
    """

    name: str
    build: Callable[[OnAccepted, float | None], ServerChannel]
    is_modern: bool = False


class ChosenChannel:
    """A `ServerChannel` that becomes the one the server understands, `patience` seconds at most."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        on_chosen: Callable[[str], None],
        patience: float = CHOICE_PATIENCE,
    ) -> None:
        self._patience = patience
        self._candidates = candidates
        self._on_chosen = on_chosen
        self._channel: ServerChannel | None = None
        self._choosing: asyncio.Future[None] | None = None

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`. Messages that come while the first one probes wait for it."""
        while self._channel is None:
            if self._choosing is None:
                await self._choose(message)
                return
            await asyncio.wait({self._choosing})
        await self._channel.send(message)

    async def _choose(self, message: Message) -> None:
        self._choosing = asyncio.get_running_loop().create_future()
        try:
            await self._try_each(message)
        finally:
            self._end_choosing()

    async def _try_each(self, message: Message) -> None:
        first: ExchangeError | None = None
        silent: ExchangeError | None = None
        clock = asyncio.get_running_loop()
        end = clock.time() + self._patience
        left = deque(self._candidates)
        while left:
            candidate = left.popleft()
            patience = min(BEGINNING_LIMIT, self._patience)
            if candidate.is_modern or not left:
                patience = max(patience, end - clock.time())
            is_patient = candidate.is_modern and silent is None  # an answer may take its time
            attempt = _Attempt(self, candidate, None if is_patient else patience)
            try:
                await attempt.channel.send(message)
            except ExchangeError as error:
                if attempt.accepted or not _is_mismatch(error, message):
                    raise
                if candidate.is_modern and names_its_version(message):
                    # No other can carry it, and the stream of an older server that listens
                    # looks like HTTP+SSE until its endpoint does not come.
                    raise
                if not isinstance(error, NoStream | NoEndpoint):
                    first = first or error  # if none fits, this is the one that tells why
                    continue
                if left and isinstance(error, NoStream):
                    left.append(candidate)
                silent = error
            else:
                attempt.accept()
                return
            finally:
                if not attempt.accepted:
                    await attempt.channel.aclose()
        raise silent or self._neither(first)

    def adopt(self, name: str, channel: ServerChannel) -> None:
        """The server accepted the first message on this channel."""
        self._channel = channel
        self._end_choosing()
        self._on_chosen(name)

    def _neither(self, first: ExchangeError | None) -> ExchangeError:
        if first is not None and (len(self._candidates) == 1 or first.body is not None):
            return first
        status = f" (HTTP {first.status})" if first is not None else ""
        return Unusable(
            f"Neither transport answers at this address{status}: try /mcp or /sse as its path.",
            hint=f"In detail: {first.cause}" if first is not None else "",
            status=first.status if first is not None else None,
        )

    def _end_choosing(self) -> None:
        if self._choosing is not None:
            self._choosing.set_result(None)
            self._choosing = None

    def start_listening(self) -> None:
        """See `ServerChannel.start_listening`."""
        if self._channel is not None:
            self._channel.start_listening()

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel.set_protocol_version`."""
        if self._channel is not None:
            self._channel.set_protocol_version(version)

    async def renew(self) -> None:
        """See `ServerChannel.renew`."""
        if self._channel is not None:
            await self._channel.renew()

    async def aclose(self) -> None:
        """See `ServerChannel.aclose`."""
        if self._channel is not None:
            await self._channel.aclose()


class _Attempt:
    """One transport tried with the first message; its channel tells when the server accepts."""

    def __init__(self, owner: ChosenChannel, candidate: Candidate, patience: float | None) -> None:
        self._owner = owner
        self._name = candidate.name
        self.accepted = False
        self.channel = candidate.build(self.accept, patience)

    def accept(self) -> None:
        if not self.accepted:
            self.accepted = True
            self._owner.adopt(self._name, self.channel)


def _is_mismatch(error: ExchangeError, message: Message) -> bool:
    if isinstance(error, NoStream | NoEndpoint):
        return True
    if error.body is not None and is_modern_error(error.body):
        return False
    return error.status in (NOT_HERE_STATUS if may_have_effect(message) else MISMATCH_STATUS)
