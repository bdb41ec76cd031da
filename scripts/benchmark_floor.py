"""The least that a relay of Python can do: for scripts/benchmark_gate, a limit and not a design.

Lines of stdin become POSTs, bodies and events become lines of stdout; one connection for each call
in flight, on asyncio and httptools alone. It does not check, sign in, wait, repeat or know TLS.
Standard arguments: the URL; anything behind it is ignored.
"""

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import httptools

LAST_EVENT_FIELD = b"data: "


class Connection(asyncio.Protocol):
    """One exchange after the other."""

    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = transport

    def begin(self, relay: "Floor", body: bytes) -> None:
        """Sends one message."""
        self.relay, self.is_stream, self.body = relay, False, bytearray()
        self.done = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpResponseParser(self)
        self.transport.write(b"%s%d\r\n\r\n%s" % (relay.head, len(body), body))

    def data_received(self, data: bytes) -> None:
        """Goes to the parser, which calls what follows."""
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Only the form of the body matters, and the session."""
        if name.lower() == b"content-type":
            self.is_stream = b"event-stream" in value
        elif name.lower() == b"mcp-session-id":
            self.relay.keep_session(value)

    def on_body(self, data: bytes) -> None:
        """Events are written as their lines are whole."""
        self.body += data
        if not self.is_stream:
            return
        *lines, rest = self.body.split(b"\n")
        for line in lines:
            if line.startswith(LAST_EVENT_FIELD):
                write(line[len(LAST_EVENT_FIELD) :].rstrip(b"\r"))
        self.body = bytearray(rest)

    def on_message_complete(self) -> None:
        """The exchange is over."""
        if self.body and not self.is_stream:
            write(self.body)
        self.done.set_result(None)


class Floor(asyncio.Protocol):
    """Reads stdin."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "", parts.port or 80)
        self.fixed = (
            f"POST {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n"
        ).encode()
        self.head = self.fixed + b"Content-Length: "
        self.free: list[Connection] = []
        self.calls: set[asyncio.Task[None]] = set()
        self.input = b""
        self.ended = asyncio.get_running_loop().create_future()

    def keep_session(self, value: bytes) -> None:
        """It goes with each further message."""
        self.head = self.fixed + b"Mcp-Session-Id: %s\r\nContent-Length: " % value

    def data_received(self, data: bytes) -> None:
        """Each line is a message."""
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            call = asyncio.ensure_future(self.call(line))
            self.calls.add(call)
            call.add_done_callback(self.calls.discard)

    async def call(self, line: bytes) -> None:
        """One exchange, on a connection that nobody uses."""
        loop = asyncio.get_running_loop()
        if self.free:
            connection = self.free.pop()
        else:
            _, connection = await loop.create_connection(Connection, *self.address)
        connection.begin(self, line)
        await connection.done
        self.free.append(connection)

    def connection_lost(self, exc: Exception | None) -> None:
        """The host has closed it."""
        self.ended.set_result(None)


def write(line: bytes | bytearray) -> None:
    """A line of stdout."""
    rest = memoryview(bytes(line) + b"\n")
    while rest:
        rest = rest[os.write(1, rest) :]


async def main() -> None:
    """Relays until stdin ends."""
    floor = Floor(sys.argv[1])
    await asyncio.get_running_loop().connect_read_pipe(lambda: floor, sys.stdin)
    await floor.ended


asyncio.run(main())
