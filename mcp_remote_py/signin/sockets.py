"""The connections of `net` for httpx: httpcore's `AsyncNetworkBackend`.

httpcore's own backend looks names up itself, and does not bound a head. Of HTTP this knows that
an answer has a head and a body. Must not know the rule.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from mcp_remote_py.net.connect import Choose, connect
from mcp_remote_py.net.faults import Broken, ConnectTimeout, NotConnected, Silence
from mcp_remote_py.net.http1 import MAX_HEAD_BYTES, MAX_HEAD_LINES
from mcp_remote_py.net.wire import CORK_BYTES, Wire

HEAD_PIECE_BYTES = 4 * 1024
"""Bytes of the head that h11 parses in one turn of the loop. In the last piece of a head, which may
be mostly body, the lines are not counted."""


class AsyncioStream(httpcore.AsyncNetworkStream):
    """One connection. The time-outs, in seconds, are httpcore's to give."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._corked: list[bytes] = []
        self._head = 0
        """Bytes of the head that were read, -1 in a body."""
        self._head_lines = 0

    def begin_body(self) -> None:
        """The head of the answer is complete: from now on, bytes are counted by their reader."""
        self._head = -1

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, `b""` at the end.

        `max_bytes` is not kept: what arrived at once is handed on at once. The one caller,
        httpcore's HTTP/1.1 connection, gives all of it to h11, which has no limit either; so a
        head is cut and counted here.
        """
        if self._corked:
            await self._uncork(timeout)
        if self._head >= HEAD_PIECE_BYTES:
            await asyncio.sleep(0)
        try:
            data = await self._wire.read(timeout, HEAD_PIECE_BYTES if self._head >= 0 else None)
        except Silence as error:
            raise httpcore.ReadTimeout(str(error)) from None
        except Broken as error:
            raise httpcore.ReadError(str(error)) from error
        if self._head >= 0:
            self._count_head(data)
        return data

    def _count_head(self, data: bytes) -> None:
        self._head += len(data)
        if b"\n\r\n" not in data:
            self._head_lines += data.count(b"\n")
        if self._head > MAX_HEAD_BYTES:
            raise httpcore.RemoteProtocolError(f"its head is longer than {MAX_HEAD_BYTES} bytes")
        if self._head_lines > MAX_HEAD_LINES:
            raise httpcore.RemoteProtocolError(f"its head has more than {MAX_HEAD_LINES} lines")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Writes all of `buffer`; little waits for what follows, or for the next `read`.

        A request comes as head, body and end: one packet and one system call instead of two.
        """
        if self._wire.ended:
            raise httpcore.WriteError("the peer closed the connection")
        self._corked.append(buffer)
        if len(buffer) >= CORK_BYTES:
            await self._uncork(timeout)

    async def _uncork(self, timeout: float | None) -> None:
        corked, self._corked = self._corked, []
        if self._head < 0:
            # A new exchange: nobody can have answered what has not left yet.
            if self._wire.has_spoken:
                raise httpcore.ConnectionNotAvailable("the server sent data too early")
            self._head = self._head_lines = 0
        large = [corked.pop()] if len(corked[-1]) >= CORK_BYTES else []
        try:
            await self._wire.write(b"".join(corked), large, timeout)
        except Silence as error:
            raise httpcore.WriteTimeout(str(error)) from None

    async def aclose(self) -> None:
        """Closes at once: a finished exchange has nothing to send, an unfinished one must not."""
        self._wire.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncioStream:
        """The same connection, from now on inside TLS."""
        try:
            await self._wire.start_tls(ssl_context, server_hostname or "", timeout)
        except ConnectTimeout as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except NotConnected as error:
            raise httpcore.ConnectError(str(error)) from error
        return AsyncioStream(self._wire)

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` tells of an idle connection that the peer closed it, or broke the rules."""
        if info == "is_readable":
            return self._wire.has_spoken
        return self._wire.get_extra_info(info)


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections; see `connect` for `ipv4` and `choose`."""

    def __init__(self, *, ipv4: bool = False, choose: Choose | None = None) -> None:
        self._ipv4 = ipv4
        self._choose = choose

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncioStream:
        """See httpcore; the options are ours."""
        try:
            wire = await connect(host, port, timeout, ipv4=self._ipv4, choose=self._choose)
        except ConnectTimeout as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except NotConnected as error:
            raise httpcore.ConnectError(str(error)) from error
        return AsyncioStream(wire)


def begin_body(answer: httpcore.Response) -> None:
    """To be called for each answer of a connection of ours, before its body is read."""
    stream = answer.extensions.get("network_stream")  # pyright: ignore
    if isinstance(stream, AsyncioStream):
        stream.begin_body()
