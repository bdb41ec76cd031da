"""Answers that are looked at before the host gets them: to its requests, and to those of our own.

Must not know what is looked for, nor sessions; of eras one thing only, which refusal carries an
answer of the modern one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from mcp_remote_py.eras.era_detection import MISMATCH_STATUS, Era, judge_failure, read_error_answer
from mcp_remote_py.errors import ExchangeError, Unusable
from mcp_remote_py.jsonrpc import Message

T = TypeVar("T")

Expect = Callable[[Message], bool]
"""Sees an answer before it is delivered; True keeps it from the host."""


class WatchedAnswers:
    """Of one server.

    `send` sends a request and stays until its exchange is over. Answers to requests of our own go
    to `suspect`, and the first to each request through `learn`.
    """

    def __init__(
        self,
        send: Callable[[Message], Coroutine[Any, Any, None]],
        suspect: Callable[[Message], None],
        learn: Callable[[Message, Message], Message],
    ) -> None:
        self._send = send
        self._suspect = suspect
        self._learn = learn
        self._expected: dict[Hashable, Expect] = {}
        self._aside: set[asyncio.Task[None]] = set()

    def see(self, answer: Message) -> bool | None:
        """Whether the answer is kept from the host; None where nobody looks for it."""
        expect = self._expected.get(answer.key)
        return None if expect is None else expect(answer)

    async def watch(self, request: Message, expect: Expect, work: Coroutine[Any, Any, T]) -> T:
        """Does `work` while `expect` sees the answer to `request` first."""
        self._expected[request.key] = expect
        try:
            return await work
        finally:
            self._end(request, expect)

    async def ask(self, request: Message) -> Message:
        """The server's answer, as soon as it is there; its stream may end later.

        Raises:
            ExchangeError: none came. A refusal that carries an error answer is an answer.
        """
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def see(message: Message) -> bool:
            self._suspect(message)
            if not answer.done():
                answer.set_result(self._learn(request, message))
            return True

        self._expected[request.key] = see
        exchange = asyncio.ensure_future(self._send(request))
        try:
            await asyncio.wait({answer, exchange}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            exchange.cancel()
            raise
        finally:
            if exchange.done():
                self._end(request, see)
            else:
                self._leave(exchange, request, see)
        if answer.done():
            return answer.result()
        error = exchange.exception()
        if isinstance(error, ExchangeError) and error.status in MISMATCH_STATUS:
            refusal = read_error_answer(error)
            if refusal is not None and judge_failure(error) is Era.MODERN:
                return refusal
        if error is not None:
            raise error
        raise Unusable(
            "The server's response does not contain the answer to this request.",
            hint="That is a fault of the server.",
        )

    def _leave(self, exchange: asyncio.Task[None], request: Message, expect: Expect) -> None:
        """Lets an exchange end by itself whose answer is there."""
        self._aside.add(exchange)

        def end(task: asyncio.Task[None]) -> None:
            self._aside.discard(task)
            self._end(request, expect)
            if not task.cancelled():
                task.exception()  # the answer came: what is wrong with its stream does not matter

        exchange.add_done_callback(end)

    def _end(self, request: Message, expect: Expect) -> None:
        if self._expected.get(request.key) is expect:
            del self._expected[request.key]  # else the same request was made again

    async def aclose(self) -> None:
        """Ends what is under way of exchanges whose answers are there."""
        for task in self._aside:
            task.cancel()
        if self._aside:
            await asyncio.wait(set(self._aside))
