"""Servers on loopback that speak bytes, and our side of a connection to one. Must not know MCP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.exchange import Connection, Request
from mcp_remote_py.net.wire import Wire
from tests.net.corpus import OK

GOOD = OK + b"Content-Length: 4\r\n\r\ngood"
PATIENCE = 5.0

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server on loopback that does with each connection what `speak` does, then hangs up.

    With `tls`, inside TLS.

    Attributes:
        heads: heads of requests that `hear` has read.
        connections: how many were accepted.
    """

    def __init__(self, speak: Speak, tls: ssl.SSLContext | None = None) -> None:
        self._speak = speak
        self._tls = tls
        self.heads: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def hear(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._speak(reader, writer)
        except (OSError, EOFError):
            self.gone.set()
        finally:
            writer.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)  # asyncio closes sockets in the next turn


def server_tls(pem: Path) -> ssl.SSLContext:
    """TLS of a server with the certificate and the key in this file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@asynccontextmanager
async def serving(speak: Speak, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Server]:
    server = Server(speak, tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def answering(*answers: bytes) -> Speak:
    """To each request the next of these; one that is empty hangs up."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                if not answer:
                    return
                writer.write(answer)
                await writer.drain()
            await reader.read()

    return speak


def request(method: bytes = b"POST", body: bytes = b"") -> Request:
    headers = [(b"host", b"test"), (b"content-length", b"%d" % len(body))]
    return Request(method, b"/", headers, [body])


async def open_wire(port: int) -> Wire:
    return await connect("127.0.0.1", port, PATIENCE)


async def ask(
    connection: Connection, asked: Request | None = None, seconds: float = PATIENCE
) -> tuple[int, bytes]:
    answer = await connection.exchange(asked or request(), seconds)
    return answer.status, b"".join([piece async for piece in pieces(connection, seconds)])


async def pieces(connection: Connection, seconds: float) -> AsyncIterator[bytes]:
    """The body of the last answer."""
    while (piece := await connection.read_piece(seconds)) is not None:
        yield piece
