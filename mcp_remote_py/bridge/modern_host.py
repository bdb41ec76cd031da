"""Passes messages of a host of 2026-07-28 to a server of that era, and learns the era from them.

Must not know handshakes, nor what stands between a host that made one and such a server.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.listening import OpenStream
from mcp_remote_py.bridge.tool_headers import has_wrong_headers, relearn
from mcp_remote_py.bridge.watched_answers import WatchedAnswers
from mcp_remote_py.channel import Deliver
from mcp_remote_py.eras.envelope import is_complete
from mcp_remote_py.eras.era_detection import (
    MISMATCH_STATUS,
    Era,
    error_code,
    judge_discovery,
    judge_failure,
    read_error_answer,
)
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.jsonrpc import INVALID_PARAMS, Kind, Message
from mcp_remote_py.retry import may_have_effect


class ModernHost:
    """For messages that name their version themselves."""

    def __init__(
        self,
        send: Callable[[Message], Coroutine[Any, Any, None]],
        answers: WatchedAnswers,
        era: ServerEra,
        parameters: ParameterHeaders,
        deliver: Deliver,
        open_stream: OpenStream,
    ) -> None:
        self._send = send
        self._answers = answers
        self._era = era
        self._parameters = parameters
        self._deliver = deliver
        self._open_stream = open_stream

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        match message.method:
            case "server/discover" if message.kind is Kind.REQUEST:
                await self._probe(message)
            case "subscriptions/listen" if message.kind is Kind.REQUEST:
                await self._hold_open(message)
            case _:
                await self._send_as_is(message)

    async def _send_as_is(self, message: Message) -> None:
        refused: list[Message] = []

        def see(answer: Message) -> bool:
            if message.method == "tools/call" and has_wrong_headers(answer):
                refused.append(answer)
                return True
            if answer.is_error and answer.refusal and judge_failure(answer.refusal) is Era.LEGACY:
                self._era.suspect()
            return False

        expect = self._filter_tools if message.method == "tools/list" else see
        try:
            await self._answers.watch(message, expect, self._send(message))
        except ExchangeError as error:
            if judge_failure(error) is Era.LEGACY:  # the next request finds out
                if may_have_effect(message):
                    self._era.suspect()
                else:
                    self._era.doubt()
            raise
        for answer in refused:
            if await relearn(message, self._parameters, self._answers.ask):
                await self._send(message)
            else:
                self._deliver(answer)

    def _filter_tools(self, answer: Message) -> bool:
        shown = self._parameters.learn(answer)
        if shown is not answer:
            self._deliver(shown)
        return shown is not answer

    async def _probe(self, discover: Message) -> None:
        """Sends the host's own `server/discover` and learns from what comes back."""

        def see(answer: Message) -> bool:
            self._judge(judge_discovery(answer))
            return False

        try:
            await self._answers.watch(discover, see, self._send(discover))
        except ExchangeError as error:
            refusal = read_error_answer(error) if error.status in MISMATCH_STATUS else None
            if refusal is None:
                self._judge(judge_failure(error))
            elif error_code(refusal) != INVALID_PARAMS or is_complete(discover):
                self._judge(judge_discovery(refusal))
            # Else the host's own fault, as a modern server sees it: no verdict.
            raise

    def _judge(self, verdict: Era) -> None:
        if self._era.fixed or verdict is Era.UNKNOWN:
            return
        if verdict is Era.MODERN:
            self._era.accept(Era.MODERN)
        else:
            self._era.now = Era.LEGACY  # written down once it has shaken hands

    async def _hold_open(self, listen: Message) -> None:
        """A subscription of the host's: opened again when it breaks, until the server ends it."""
        stream = self._open_stream(lambda: listen, own=False)
        self._deliver(await stream.run())
