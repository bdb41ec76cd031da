"""Requests of our own, whose answers the host never sees. Must not know what they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from mcp_remote_py.channel import ServerChannel
from mcp_remote_py.errors import Unusable
from mcp_remote_py.jsonrpc import Message, make_request
from mcp_remote_py.open_requests import OpenRequests


class OwnRequests:
    """Those that are open at the server."""

    def __init__(self, server: ServerChannel) -> None:
        self._server = server
        self._open: OpenRequests[asyncio.Future[Message]] = OpenRequests()
        self._count = 0

    async def ask(self, method: str, params: bytes) -> Message:
        """The server's answer.

        Raises:
            ExchangeError: none came.
        """
        with self.expect(method, params) as (request, answer):
            await self._server.send(request)
            if not answer.done():
                raise Unusable(f"The server did not answer {method}.")
            return answer.result()

    @contextmanager
    def expect(
        self, method: str, params: bytes = b""
    ) -> Generator[tuple[Message, asyncio.Future[Message]]]:
        """A request for the caller to send, and its answer while the caller waits for it."""
        self._count += 1
        request = make_request(b'"mcp-remote-py/%d"' % self._count, method, params)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._open.open(request.key, answer)
        try:
            yield request, answer
        finally:
            self._open.close(request.key)

    def take(self, message: Message) -> bool:
        """Whether an answer of the server is one to a request of ours."""
        answer = self._open.close(message.key)
        if answer is not None and not answer.done():
            answer.set_result(message)
        return answer is not None
