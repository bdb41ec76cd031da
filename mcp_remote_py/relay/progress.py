"""Lets the host see the last progress of a call before its result.

The TypeScript SDK hands progress over one step later than it takes it, and forgets who waits for it
with the result: what it reads together with the result is lost. So a result whose progress was told
just before is said a moment later, when the host has read that. A call without progress meets
neither a timer nor a look into its request. Must not know the server, or who waits for what else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from mcp_remote_py.channel import Clock, Deliver
from mcp_remote_py.json_text import read_members
from mcp_remote_py.jsonrpc import Message, read_id
from mcp_remote_py.relay.tasks import WORK, Tasks

READING_SECONDS = 0.005
"""Seconds that a host has for reading the last progress of a call."""

LONGEST_READING = 0.1
"""Seconds more, while it is at other things and there is something that it has not read."""

MAX_TOKENS = 1000
"""Calls whose progress is remembered; the oldest is forgotten."""


class ToldProgress:
    """When the host was told of each call's progress, and the results that wait for it.

    `has_read` says whether the host has read all that was said, as far as one can know.
    """

    def __init__(
        self, say: Deliver, has_read: Callable[[], bool], clock: Clock, tasks: Tasks
    ) -> None:
        self._say = say
        self._has_read = has_read
        self._clock = clock
        self._tasks = tasks
        self._told: dict[Hashable, float] = {}
        """By token, when the last was told; in seconds of the clock."""
        self._held: list[Message] = []

    def note(self, progress: Message) -> None:
        """The host is being told of progress."""
        token = read_id(progress.members.get("progressToken"))
        if token is None:
            return
        self._told.pop(token, None)
        if len(self._told) >= MAX_TOKENS:
            del self._told[next(iter(self._told))]
        self._told[token] = self._clock.now()

    def answer(self, request: Message, answer: Message) -> None:
        """Says the answer to a request, at once or after its progress."""
        told_at = self._told.pop(_token_of(request), None) if self._told else None
        if told_at is None or self._is_surely_read(told_at):
            self._say(answer)
            return
        self._held.append(answer)
        rest = told_at + READING_SECONDS - self._clock.now()
        self._tasks.spawn(self._say_later(answer, max(rest, 0.0)), WORK)

    def _is_surely_read(self, told_at: float) -> bool:
        age = self._clock.now() - told_at
        return age >= LONGEST_READING or (age >= READING_SECONDS and self._has_read())

    async def _say_later(self, answer: Message, seconds: float) -> None:
        await self._clock.sleep(seconds)
        longest = self._clock.now() + LONGEST_READING
        while not self._has_read() and self._clock.now() < longest:
            await self._clock.sleep(READING_SECONDS)
        if answer in self._held:
            self._held.remove(answer)
            self._say(answer)

    def end(self) -> None:
        """Says what is held: there is no later."""
        for answer in self._held:
            self._say(answer)
        self._held.clear()


def _token_of(request: Message) -> Hashable:
    meta = read_members(request.members.get("_meta", b""))
    return read_id((meta or {}).get("progressToken"))
