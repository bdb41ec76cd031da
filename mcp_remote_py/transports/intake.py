"""Bounds how much of what servers say is held at once, and how long the event loop works at it.

One budget for all answers in flight, from the wire until the host has taken them: one message may
always grow to the limit, and beside it others share a little more; whoever finds no room waits, and
its server with it. Small answers need no room. And turns: whoever has worked for some
milliseconds lets the loop look at everything else first. Must not know HTTP or JSON.
"""

from __future__ import annotations

import asyncio
from collections import deque

FREE_BYTES = 64 * 1024
"""Of each answer, for which it need not wait: with as many as may be in flight 13 MB."""

SHARED_BYTES = 8 * 1024 * 1024
"""Beside the one message that may have all of the limit."""

TURN = 0.005
"""Seconds of work in one turn of the loop; signals, stdin and other answers come between two."""

CREDIT_BYTES = 64 * 1024
"""Work, in bytes, that is done without a look at the clock."""

PIECE_COST = 1024
"""Bytes whose handling costs as much as the fixed part of a piece or event."""


class Intake:
    """For all connections of the process; `limit` is the size of the largest message."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._total = limit + SHARED_BYTES
        self._shares: set[Share] = set()
        self._waiting: deque[tuple[Share, int, asyncio.Future[None]]] = deque()
        self._turn_ends: float | None = None
        self._turns: deque[asyncio.Future[None]] = deque()

    # ------------------------------------------------------------------ memory

    def open(self, claim: int) -> Share:
        """For one answer, which may come to `claim` bytes."""
        return Share(self, min(claim, self.limit))

    async def admit(self, share: Share, size: int) -> None:
        """Returns when `share` may hold `size` bytes.

        The rule is the banker's: whatever has been given, there is an order in which all answers
        can still come to their claims, one after the other. So nothing waits for itself.
        """
        if self._try(share, size):
            return
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, size, room))
        try:
            await room
        finally:
            if not room.done() or room.cancelled():
                self._waiting = deque(one for one in self._waiting if one[2] is not room)

    def _try(self, share: Share, size: int) -> bool:
        before = share.held
        share.held = size
        self._shares.add(share)
        if self._is_safe():
            return True
        share.held = before
        if before <= FREE_BYTES:
            self._shares.discard(share)
        return False

    def _is_safe(self) -> bool:
        free = self._total - sum(one.held for one in self._shares)
        for one in sorted(self._shares, key=Share.missing):
            if one.missing() > free:
                return False
            free += one.held
        return free >= 0

    def settle(self, share: Share) -> None:
        """It has come to less than it might have, or was given up: others may have room now."""
        if share.held <= FREE_BYTES:
            self._shares.discard(share)
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            share, size, room = one
            if room.done():
                continue
            if self._try(share, size):
                room.set_result(None)
            else:
                self._waiting.append(one)

    # ------------------------------------------------------------------ time

    async def breathe(self) -> None:
        """Returns at once while this turn of the loop is young, else in a later one.

        In each turn one of those that wait goes on: however many streams flood us, the loop is
        never held for much longer than one of them works.
        """
        loop = asyncio.get_running_loop()
        if self._turn_ends is None:
            self._turn_ends = loop.time() + TURN
            loop.call_soon(self._begin_turn)
        if loop.time() < self._turn_ends and not self._turns:
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._turns.append(turn)
        await turn

    def _begin_turn(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                loop = asyncio.get_running_loop()
                self._turn_ends = loop.time() + TURN
                turn.set_result(None)
                loop.call_soon(self._begin_turn)
                return
        self._turn_ends = None


class Share:
    """The share of one answer.

    Attributes:
        held: bytes.
        claim: bytes it may come to.
    """

    __slots__ = ("_intake", "_spent", "claim", "held")

    def __init__(self, intake: Intake, claim: int) -> None:
        self._intake = intake
        self.claim = claim
        self.held = 0
        self._spent = 0

    def missing(self) -> int:
        """Bytes between what it holds and what it may come to."""
        return max(self.claim - self.held, 0)

    async def hold(self, size: int) -> None:
        """Returns when `size` bytes may be held, instead of what was."""
        if size <= FREE_BYTES:
            shrinks = self.held > FREE_BYTES
            self.held = size
            if shrinks:
                self._intake.settle(self)
        elif size > self.held:
            await self._intake.admit(self, size)

    def complete(self) -> None:
        """Notes that nothing more will be held."""
        self.claim = self.held
        if self.held > FREE_BYTES:
            self._intake.settle(self)

    def release(self) -> None:
        """Nothing is held any more."""
        had, self.held = self.held, 0
        if had > FREE_BYTES:
            self._intake.settle(self)

    async def work(self, size: int) -> None:
        """A piece or event of that size was worked at: lets the loop breathe now and then."""
        self._spent += size + PIECE_COST
        if self._spent >= CREDIT_BYTES:
            self._spent = 0
            await self._intake.breathe()
