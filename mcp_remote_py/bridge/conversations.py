"""Plays the conversations of `eras/modern_server`: one per request of the host, each in a task.

A conversation that fails after its first step is kept for a repeat of the same request, so that
the server is not made to begin anew what it has half done. Must not know what is said in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

from mcp_remote_py.bridge.listening import Listening
from mcp_remote_py.channel import Clock, Deliver
from mcp_remote_py.eras.conversation import AnyEraStep, AskHost, Exchange, Pause, Reply
from mcp_remote_py.jsonrpc import Message, make_notification
from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import RESUME_STEPS
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.bridge.listening import OpenStream
    from mcp_remote_py.eras.modern_server import ModernServer


class _Talk:
    """A conversation under way."""

    def __init__(self, request: Message, server: ModernServer) -> None:
        self.request = request
        self.conversation = server.serve(request)
        self.step: AnyEraStep | None = None
        self.begun = False
        """Whether the first step is done: the request must not be made from its beginning."""
        self.task: asyncio.Task[None] | None = None
        self.asked: tuple[Message, ...] = ()


class Conversations:
    """All conversations with one server, from one `initialize` of the host on."""

    def __init__(
        self,
        server: ModernServer,
        exchange: Callable[[Message], Awaitable[Message]],
        listening: Listening,
        deliver: Deliver,
        clock: Clock,
        random: Random,
    ) -> None:
        self._server = server
        self._exchange = exchange
        self._listening = listening
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._talks: dict[Hashable, _Talk] = {}
        self._asked: dict[Hashable, asyncio.Future[Message]] = {}

    async def serve(self, request: Message) -> None:
        """Stays until the host has its answer, or the request was cancelled.

        Raises:
            ExchangeError: a step failed; a repeat of this very request goes on from there.
        """
        talk = self._talks.get(request.key)
        if talk is None or talk.request is not request:
            talk = self._talks[request.key] = _Talk(request, self._server)
        # In a task of its own: a cancelled request ends it, and not the relay's.
        talk.task = asyncio.ensure_future(self._go_on(talk))
        goes_on = False
        try:
            await asyncio.wait({talk.task})
            failed = not talk.task.cancelled() and talk.task.exception() is not None
            goes_on = failed and talk.begun
        finally:
            talk.task.cancel()
            self._end_questions(talk)
            if not goes_on:
                self._forget(talk)
        if failed:
            talk.task.result()

    def _forget(self, talk: _Talk) -> None:
        talk.conversation.close()
        if self._talks.get(talk.request.key) is talk:
            del self._talks[talk.request.key]

    async def _go_on(self, talk: _Talk) -> None:
        """Plays it on, from the step that failed last time where one did."""
        try:
            step = talk.step or next(talk.conversation)
            while True:
                talk.step = step
                reply = await self._take_step(talk, step)
                talk.begun = True
                step = talk.conversation.send(reply)
        except StopIteration as end:
            self._deliver(end.value)

    async def _take_step(self, talk: _Talk, step: AnyEraStep) -> Reply:
        match step:
            case Exchange(request):
                return await self._exchange(request)
            case AskHost(requests):
                return await self._ask_host(talk, requests)
            case Pause(attempt):
                await self._clock.sleep(RESUME_STEPS.wait(attempt, self._random))
                return None
            case _:
                return await self._listening.want()

    async def _ask_host(self, talk: _Talk, requests: tuple[Message, ...]) -> tuple[Message, ...]:
        talk.asked = requests
        answers: list[asyncio.Future[Message]] = []
        for request in requests:
            answer = self._asked[request.key] = asyncio.get_running_loop().create_future()
            answers.append(answer)
            self._deliver(request)
        answered = tuple(await asyncio.gather(*answers))
        talk.asked = ()
        return answered

    def take_answer(self, answer: Message) -> None:
        """The host's answer to something it was asked; one that nobody waits for is dropped."""
        waiting = self._asked.pop(answer.key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _end_questions(self, talk: _Talk) -> None:
        """Tells the host not to answer any more what was asked for a request that is over."""
        for request in talk.asked:
            if self._asked.pop(request.key, None) is not None:
                params = b'{"requestId":%b,"reason":"The request is over."}' % request.raw_id
                self._deliver(make_notification("notifications/cancelled", params))
        talk.asked = ()

    def cancel(self, key: Hashable) -> None:
        """The host has cancelled its request: closing the stream tells the server."""
        talk = self._talks.get(key)
        if talk is not None and talk.task is not None:
            talk.task.cancel()


class Translation(Value, frozen=True):
    """The translation between a host that shook hands and a modern server."""

    server: ModernServer
    conversations: Conversations
    listening: Listening


def begin_translation(
    server: ModernServer,
    exchange: Callable[[Message], Awaitable[Message]],
    open_stream: OpenStream,
    deliver: Deliver,
    clock: Clock,
    random: Random,
) -> Translation:
    """One for all that comes until the host begins anew."""
    listening = Listening(server, open_stream, clock)
    talks = Conversations(server, exchange, listening, deliver, clock, random)
    return Translation(server, talks, listening)
