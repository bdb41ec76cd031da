"""One socket, or TLS on it: bytes in pieces as they came, and bytes out, with time-outs.

It fits under every protocol. asyncio's own streams copy what comes once more, and hold it up for
two turns of the event loop. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import math
import select
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from mcp_remote_py.net.faults import Broken, ConnectTimeout, HungUp, NotConnected, Silence
from mcp_remote_py.net.mapping import describe_error

Buffer = bytes | memoryview
"""What is written."""

CORK_BYTES = 64 * 1024
"""A buffer from this size on is sent by itself, and not copied to be sent with another."""

WRITE_BYTES = 256 * 1024
"""Bytes of a long request that are handed on in one turn of the event loop."""

HIGH_WATER_BYTES = 64 * 1024
"""Unread bytes from which the peer is told to wait: with as many connections as there may be, what
waits here is memory as well."""

_POLL = getattr(select, "poll", None)
_READABLE = getattr(select, "POLLIN", 1)

_READ_BYTES = 256 * 1024
"""Read at once, into room that is kept. asyncio's own way takes as much from the system for each
reading and gives it back, which costs twice as much as to read a small answer."""


def make_look(number: int, make_poll: Any = _POLL) -> Callable[[], object]:
    """Whether something can be read from the socket with that number, now.

    Windows does not have a poll, but its select takes any number.
    """
    if make_poll is None:
        return lambda: select.select([number], [], [], 0)[0]
    poll = make_poll()
    poll.register(number, _READABLE)
    return partial(poll.poll, 0)


class Wire(asyncio.BufferedProtocol):
    """A connection; `connect` makes it.

    Attributes:
        ended: nothing more will come than what is here.
    """

    _space = memoryview(bytearray(_READ_BYTES))
    """For all connections: what is read is copied out of it at once."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._deadline = 0.0
        """When the waiter gives up, where it does."""
        self._clock: asyncio.TimerHandle | None = None
        """One for all waits, as nearly all end long before: it goes off no later than it must."""
        self._look: Callable[[], object] | None = None
        self._may_write = True
        self._has_room = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._reading_paused = False

    # ------------------------------------------------------------------ what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._chunks.append(bytes(self._space[:nbytes]))
        self._size += nbytes
        self._regulate()
        self._wake()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`: the connection is closed then."""
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.ended = True
        self._error = exc
        if self._clock is not None:
            self._clock.cancel()
        self._has_room.set()
        self._wake()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._may_write = False

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._may_write = True
        self._has_room.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    # ------------------------------------------------------------------ reading

    @property
    def has_spoken(self) -> bool:
        """Whether something is here to be read, or the end."""
        return self.ended or bool(self._chunks)

    def has_news(self) -> bool:
        """As `has_spoken`, and what the event loop has not looked at yet counts, too."""
        if self.has_spoken or self._transport is None or self._transport.is_closing():
            return True
        if self._look is None:
            self._look = make_look(self._transport.get_extra_info("socket").fileno())
        return bool(self._look())

    async def read(self, seconds: float | None, limit: int | None = None) -> bytes:
        """The next bytes, as they came, but at most `limit`; `b""` at the end.

        Raises:
            Silence: nothing arrived within `seconds`.
            Broken: the connection was lost.
        """
        while not self._chunks:
            if self._error is not None:
                raise Broken(describe_error(self._error)) from self._error
            if self.ended:
                return b""
            if not await self._wait(seconds):
                raise Silence(f"nothing arrived within {seconds:g} seconds")
        return self._take(limit)

    def unread(self, data: bytes) -> None:
        """Puts back what was read too far; it is read again first."""
        self._chunks.appendleft(data)
        self._size += len(data)
        self._regulate()

    def _take(self, limit: int | None) -> bytes:
        chunk = self._chunks.popleft()
        if limit is not None and len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
            chunk = chunk[:limit]
        self._size -= len(chunk)
        self._regulate()
        return chunk

    def _regulate(self) -> None:
        """Lets the peer wait while enough is here."""
        is_full = self._size > HIGH_WATER_BYTES
        if is_full != self._reading_paused and self._transport is not None:
            self._reading_paused = is_full
            (self._transport.pause_reading if is_full else self._transport.resume_reading)()

    async def _wait(self, seconds: float | None) -> bool:
        """Whether something happened in time."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._deadline = math.inf if seconds is None else loop.time() + seconds
        self._set_clock(loop)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _set_clock(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._clock is not None and self._clock.when() > self._deadline:
            self._clock.cancel()
            self._clock = None
        if self._clock is None and self._deadline < math.inf:
            self._clock = loop.call_at(self._deadline, self._look_at_clock, loop)

    def _look_at_clock(self, loop: asyncio.AbstractEventLoop) -> None:
        self._clock = None
        if self._waiter is None or self._waiter.done():
            return
        if loop.time() >= self._deadline:
            self._waiter.set_result(False)
        else:
            self._set_clock(loop)

    # ------------------------------------------------------------------ writing

    @property
    def is_writing(self) -> bool:
        """Whether some of what is to be written is not handed on yet."""
        return self._writing is not None and not self._writing.done()

    async def write(self, head: bytes, body: Sequence[Buffer], seconds: float | None) -> None:
        """Writes both, in one packet where they are small.

        Returns when most of it has left, and also when the peer speaks, or closes the connection,
        before: what it said may be worth reading. What is left then is written meanwhile.

        Raises:
            Silence: nothing was sent for `seconds`, and nothing came.
        """
        if sum(map(len, body)) < CORK_BYTES:
            cast("asyncio.Transport", self._transport).write(b"".join((head, *body)))
            if self._may_write:
                return
        else:
            self._writing = asyncio.ensure_future(self._write_slices((head, *body)))
        while (self.is_writing or not self._may_write) and not self.has_spoken:
            if not await self._wait(seconds):
                raise Silence(f"nothing could be sent for {seconds:g} seconds")

    async def _write_slices(self, pieces: Sequence[Buffer]) -> None:
        """Hands on no more than the transport takes: it would copy all of it at once."""
        transport = cast("asyncio.Transport", self._transport)
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, view.nbytes, WRITE_BYTES):
                transport.write(view[start : start + WRITE_BYTES])
                self._wake()
                while not (self._may_write or self.ended):
                    self._has_room.clear()
                    await self._has_room.wait()
                if self.ended:
                    return
                await asyncio.sleep(0)
        self._writing = None
        self._wake()

    def close(self) -> None:
        """Closes at once: a finished exchange has nothing to send, an unfinished one must not."""
        if self._writing is not None:
            self._writing.cancel()
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------ the connection

    async def start_tls(
        self, context: ssl.SSLContext, host: str, seconds: float | None = None
    ) -> None:
        """From now on it is inside TLS; `host` is whom the certificate must name.

        Raises:
            NotConnected: TLS did not come about; the connection is closed.
        """
        transport = cast("asyncio.Transport", self._transport)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                secured = await loop.start_tls(transport, self, context, server_hostname=host)
        except TimeoutError:
            transport.abort()
            raise ConnectTimeout(f"TLS did not begin in {seconds:g} seconds") from None
        except OSError as error:  # ssl.SSLError is one
            transport.abort()
            if not str(error):
                raise HungUp("it hung up when TLS began") from error
            raise NotConnected(str(error)) from error
        except BaseException:
            transport.abort()
            raise
        if secured is None:
            raise NotConnected("the peer closed the connection while TLS began")
        self._transport = secured

    async def hear_refusal(self, seconds: float) -> None:
        """Waits for what TLS 1.3 says only behind its handshake (RFC 8446 §4.4.2.4), before use.

        That is what a server makes of our client certificate, or that we have not sent any.

        Raises:
            Broken: it ends the connection with an alert.
        """
        if not self.has_spoken:
            await self._wait(seconds)
        if isinstance(self._error, ssl.SSLError):
            raise Broken(describe_error(self._error)) from self._error

    def get_extra_info(self, name: str) -> Any:
        """See `asyncio.BaseTransport`."""
        return None if self._transport is None else self._transport.get_extra_info(name)
