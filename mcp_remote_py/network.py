"""The sockets under httpcore's connections: its `AsyncNetworkBackend` on plain asyncio.

httpcore's own backend goes through anyio, which yields to the event loop at every read and
write and cuts what arrives into 64 KiB; measured on small calls that is a quarter of the time
this program adds. Who may be connected to is judged here, on addresses, by whoever is given to
judge. Of HTTP it knows that an answer has a head and a body. Must not know the rule.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar, cast

import httpcore

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds until the next address is tried beside a silent one (RFC 8305 §5): a network whose
IPv6 drops packets must not cost a connection (field note 31)."""

KEEPALIVE_EXPIRY = 4.0
"""Seconds an idle connection is used again. Common servers close after 5 (uvicorn, Node): a request
that meets the closing connection would be lost without anybody knowing whether it ran."""

CORK_BYTES = 64 * 1024
"""A buffer from this size on is sent at once, and not copied."""

HIGH_WATER_BYTES = 64 * 1024
"""Unread bytes from which the peer is told to wait: with as many connections as there may be, what
waits here is memory as well."""

MAX_HEAD_BYTES = 64 * 1024
"""Of an answer's header fields, and of all interim answers before it (RFC 9110 §15.2). Servers
allow themselves 8 to 16 KiB."""

HEAD_PIECE_BYTES = 4 * 1024
"""Of the head that are parsed in one turn of the loop."""

MAX_HEAD_LINES = 1000
"""Of all that: each costs some microseconds, and those of one head are read in one turn. Of the
last piece of a head they are not counted, which may be mostly body."""

CERTIFICATE_HINT = "Where a company's own authority signed it, name its file with --ca-cert."

E = TypeVar("E", bound=BaseException)


class _Protocol(asyncio.Protocol):
    """What arrived and was not read yet, and who waits for more."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.ended = False
        self.error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.may_write = True
        self._reading_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.chunks.append(data)
        self.size += len(data)
        if self.size > HIGH_WATER_BYTES and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`."""
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.ended = True
        self.error = exc
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.may_write = False

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.may_write = True
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def take(self, limit: int | None = None) -> bytes:
        """The oldest chunk, of which at most `limit` bytes are taken."""
        chunk = self.chunks.popleft()
        if limit is not None and len(chunk) > limit:
            self.chunks.appendleft(chunk[limit:])
            chunk = chunk[:limit]
        self.size -= len(chunk)
        if self._reading_paused and self.size <= HIGH_WATER_BYTES and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()
        return chunk

    async def wait_for_data(self) -> None:
        """Returns when there is a chunk, or the end."""
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    async def wait_for_room(self) -> None:
        """Returns when the socket takes more, or is lost."""
        while not self.may_write:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None


class AsyncioStream(httpcore.AsyncNetworkStream):
    """One connection. The time-outs, in seconds, are httpcore's to give."""

    def __init__(self, transport: asyncio.Transport, protocol: _Protocol) -> None:
        self._transport = transport
        self._protocol = protocol
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
        protocol = self._protocol
        if self._corked:
            self._uncork()
        if self._head >= HEAD_PIECE_BYTES:
            await asyncio.sleep(0)
        while not protocol.chunks:
            if protocol.error is not None:
                raise httpcore.ReadError(describe_error(protocol.error)) from protocol.error
            if protocol.ended:
                return b""
            try:
                async with asyncio.timeout(timeout):
                    await protocol.wait_for_data()
            except TimeoutError:
                raise httpcore.ReadTimeout(f"nothing came in {timeout:g} seconds") from None
        if self._head < 0:
            return protocol.take()
        return self._take_head()

    def _take_head(self) -> bytes:
        chunk = self._protocol.take(HEAD_PIECE_BYTES)
        self._head += len(chunk)
        if b"\n\r\n" not in chunk:
            self._head_lines += chunk.count(b"\n")
        if self._head > MAX_HEAD_BYTES:
            raise httpcore.RemoteProtocolError(f"its head is longer than {MAX_HEAD_BYTES} bytes")
        if self._head_lines > MAX_HEAD_LINES:
            raise httpcore.RemoteProtocolError(f"its head has more than {MAX_HEAD_LINES} lines")
        return chunk

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Writes all of `buffer`; little waits for what follows, or for the next `read`.

        A request comes as head, body and end: one packet and one system call instead of two.
        """
        protocol = self._protocol
        if not protocol.ended:
            self._corked.append(buffer)
            if len(buffer) < CORK_BYTES:
                return
            self._uncork()
            if not protocol.may_write:
                try:
                    async with asyncio.timeout(timeout):
                        await protocol.wait_for_room()
                except TimeoutError:
                    raise httpcore.WriteTimeout(f"nothing left in {timeout:g} seconds") from None
        if protocol.error is not None or protocol.ended:
            raise httpcore.WriteError("the peer closed the connection") from protocol.error

    def _uncork(self) -> None:
        corked, self._corked = self._corked, []
        if self._head < 0:
            # A new exchange: nobody can have answered what has not left yet.
            if self._protocol.chunks:
                raise httpcore.ConnectionNotAvailable("the server spoke unasked")
            self._head = self._head_lines = 0
        large = corked.pop() if len(corked[-1]) >= CORK_BYTES else b""
        if corked:
            self._transport.write(b"".join(corked))
        if large:
            self._transport.write(large)

    async def aclose(self) -> None:
        """Closes at once: a finished exchange has nothing to send, an unfinished one must not."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncioStream:
        """The same connection, from now on inside TLS."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                transport = await loop.start_tls(
                    self._transport, self._protocol, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError:
            self._transport.abort()
            raise httpcore.ConnectTimeout(f"TLS did not begin in {timeout:g} seconds") from None
        except OSError as error:  # ssl.SSLError is one
            self._transport.abort()
            words = str(error) or "it hung up when TLS began; does this port speak https?"
            raise httpcore.ConnectError(words) from error
        if transport is None:
            raise httpcore.ConnectError("the peer closed the connection while TLS began")
        self._protocol.transport = transport
        return AsyncioStream(transport, self._protocol)

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` tells of an idle connection that the peer closed it, or broke the rules."""
        if info == "is_readable":
            return self._protocol.ended or bool(self._protocol.chunks)
        return self._transport.get_extra_info(info)


Resolve = Callable[[str, int, socket.AddressFamily], Awaitable[Sequence[str]]]
"""The addresses of a host, the preferred first; raises OSError where it has none."""

Choose = Callable[[str, Sequence[str]], Awaitable[Sequence[str]]]
"""Those addresses of a host that may be connected to; raises where none may."""


async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    """See `Resolve`: as the system does it."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections, over IPv4 only where asked to.

    With `choose`, the host is looked up once, and what is connected to is among what `choose` let
    through: a second look-up could bring another address (DNS rebinding).
    """

    def __init__(
        self, *, ipv4: bool = False, choose: Choose | None = None, resolve: Resolve = resolve
    ) -> None:
        self._family = socket.AF_INET if ipv4 else socket.AF_UNSPEC
        self._choose = choose
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncioStream:
        """Connects to the first address that answers; `timeout` covers its look-up too."""
        try:
            async with asyncio.timeout(timeout):
                transport, protocol = await self._connect(host, port)
        except TimeoutError as error:
            # Without a time-out of ours it is the kernel's, which is an OSError with a number.
            if error.errno is not None:
                raise httpcore.ConnectError(describe_error(error)) from error
            raise httpcore.ConnectTimeout(f"no connection in {timeout:g} seconds") from None
        except OSError as error:
            raise httpcore.ConnectError(describe_error(error)) from error
        set_option = transport.get_extra_info("socket").setsockopt
        for option in socket_options or ():
            set_option(*option)
        return AsyncioStream(transport, protocol)

    async def _connect(self, host: str, port: int) -> _Connection:
        if self._choose is None:
            return await asyncio.get_running_loop().create_connection(
                _Protocol,
                host,
                port,
                family=self._family,
                happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
            )
        addresses = await self._resolve(host, port, self._family)
        return await _race(await self._choose(host, addresses), port)


_Connection = tuple[asyncio.Transport, _Protocol]


async def _race(addresses: Sequence[str], port: int) -> _Connection:
    """The first connection that comes about (RFC 8305 §4 and §5); the others are dropped."""
    loop = asyncio.get_running_loop()
    ipv6 = [address for address in addresses if ":" in address]
    ipv4 = [address for address in addresses if ":" not in address]
    first, second = (ipv6, ipv4) if addresses[0] in ipv6 else (ipv4, ipv6)
    left = [address for pair in zip_longest(first, second) for address in pair if address]
    trying: set[asyncio.Task[_Connection]] = set()
    error: BaseException | None = None
    try:
        while left or trying:
            if left:
                attempt = loop.create_connection(_Protocol, left.pop(0), port)
                trying.add(asyncio.create_task(attempt))
            delay = HAPPY_EYEBALLS_DELAY if left else None
            done, trying = await asyncio.wait(
                trying, timeout=delay, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    trying |= done - {task}  # two at once: the other one is dropped, too
                    return task.result()
                error = error or failure
        raise cast("BaseException", error)
    finally:
        for task in trying:
            task.add_done_callback(_drop)
            task.cancel()


def _drop(attempt: asyncio.Task[_Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result()[0].abort()


def begin_body(answer: httpcore.Response) -> None:
    """To be called for each answer of a connection of ours, before its body is read."""
    stream = answer.extensions.get("network_stream")  # pyright: ignore
    if isinstance(stream, AsyncioStream):
        stream.begin_body()


def find_cause(error: BaseException | None, kind: type[E]) -> E | None:
    """The innermost error of that kind below `error`: the one that knows the reason."""
    found: E | None = None
    while error is not None:
        if isinstance(error, kind):
            found = error
        error = error.__cause__ or error.__context__
    return found


def describe_error(error: Exception) -> str:
    """The system's words for it, without the addresses asyncio adds; they are in the URL."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be looked up ({error.strerror})"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error)
