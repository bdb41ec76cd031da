"""HTTP/1.1 on a wire: one exchange at a time, until one does not end cleanly.

What came is read when somebody asks for it, not when it comes: so nothing is read that nobody
takes, and whoever takes it decides how long the event loop works at it. Must not know JSON-RPC,
credentials or which request this is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache

from mcp_remote_py.net.faults import NotTaken, Silence
from mcp_remote_py.net.http1 import SLICE_BYTES, Pair, ResponseReader, add_length, write_head
from mcp_remote_py.net.wire import Buffer, Wire
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.values import Value

KEEPALIVE_EXPIRY = 4.0
"""Seconds an idle connection is used again. Common servers close after 5 (uvicorn, Node): a request
that meets the closing connection would be lost without anybody knowing whether it ran."""


_PROMISE = lazy_pattern(rb"(?:^|[,;\s])timeout\s*=\s*\"?(\d{1,6})(?!\d)", re.IGNORECASE)


def read_promise(headers: Sequence[Pair]) -> float:
    """Seconds an idle connection is used again by what the server says in `Keep-Alive`.

    That is of RFC 2068 (§19.7.1.1), and many servers still say it. A second less than it says,
    because its clock began before the answer was here. No more than `KEEPALIVE_EXPIRY`.
    """
    promise = KEEPALIVE_EXPIRY
    for name, value in headers:
        if name == b"keep-alive":
            promise = min(promise, _read_seconds(value))
    return promise


@lru_cache(maxsize=4)
def _read_seconds(value: bytes) -> float:
    """A server says the same with each answer: it is read once."""
    said = _PROMISE.search(value)
    if said is None:
        return KEEPALIVE_EXPIRY
    seconds = int(said[1])
    return seconds - 1 if seconds > 1 else seconds / 2


class Request(Value, frozen=True):
    """A request. `target` is as in the request line; its host is among the headers."""

    method: bytes
    target: bytes
    headers: Sequence[Pair]
    body: Sequence[Buffer] = ()
    """In pieces."""
    length: int | None = None
    """What its `Content-Length` says, None where none is sent: all that is new in most heads, and
    so apart from the headers."""


class Connection:
    """Exchanges on a wire. `prefix` stands before every target: the origin, for a proxy.

    `extra` are headers for the proxy, where there is one.

    Attributes:
        taken: bytes that were read to find the last piece of a body: framing costs time as well.
    """

    def __init__(
        self,
        wire: Wire,
        prefix: bytes = b"",
        extra: Sequence[Pair] = (),
        expiry: float = KEEPALIVE_EXPIRY,
    ) -> None:
        self._wire = wire
        self._expiry = expiry
        self._prefix = prefix
        self._extra = extra
        self._reader: ResponseReader | None = None
        self._written: tuple[object, ...] = ()
        """What the last request had of a head, and that head."""
        self._head = b""
        self._idle_since = 0.0
        self._promised = KEEPALIVE_EXPIRY
        self.taken = 0

    async def hear_refusal(self, seconds: float) -> None:
        """See `Wire.hear_refusal`."""
        await self._wire.hear_refusal(seconds)

    @property
    def is_new(self) -> bool:
        """Whether nothing was exchanged on it yet."""
        return self._reader is None

    async def exchange(self, request: Request, seconds: float | None) -> ResponseReader:
        """Sends a request; the answer, of which the head is complete.

        `seconds` are those in which nothing leaves, and then those that one head takes in all: who
        sends a byte now and then keeps nobody waiting for ever. To be called only where no exchange
        is under way; an error ends the connection's use.

        Raises:
            Fault: the answer did not come.
        """
        head = self._write_head(request)
        if self._wire.has_spoken:
            raise NotTaken("the server closed it" if self._wire.ended else "it sent data too early")
        reader = self._reader = ResponseReader(request.method)
        await self._wire.write(head, request.body, seconds)
        while (rest := await self._read_head(reader, seconds)) is None:
            pass  # it was an interim one, which says that there is more to wait for
        if rest:
            self._wire.unread(rest)
        return reader

    async def _read_head(self, reader: ResponseReader, seconds: float | None) -> bytes | None:
        """What stands behind the answer's head; None once an interim one is complete."""
        interims = reader.interims
        left = seconds
        until = 0.0 if seconds is None else asyncio.get_running_loop().time() + seconds
        while reader.interims == interims:
            try:
                data = await self._wire.read(left)
            except Silence:
                if left == seconds:
                    raise
                words = f"only a part of the head arrived within {seconds:g} seconds"
                raise Silence(words) from None
            if not data:
                reader.end()
            if (rest := reader.feed_head(data)) is not None:
                return rest
            if seconds is not None:
                left = max(until - asyncio.get_running_loop().time(), 0.0)
        return None

    def _write_head(self, request: Request) -> bytes:
        """Of a request like the one before, only the length is new."""
        written = (request.method, request.target, *request.headers)
        if written != self._written:
            target = self._prefix + request.target
            self._head = write_head(request.method, target, [*request.headers, *self._extra])
            self._written = written
        return self._head if request.length is None else add_length(self._head, request.length)

    async def read_piece(self, seconds: float | None) -> bytes | None:
        """The next piece of the last answer's body, as it came and maybe empty; None at its end.

        Raises:
            Fault: it broke off, is not HTTP, or pauses for longer than `seconds`.
        """
        reader = self._reader
        if reader is None or reader.complete:
            return None
        data = await self._wire.read(seconds, SLICE_BYTES if reader.is_chunked else None)
        if not data:
            reader.end()
            return None
        self.taken = len(data)
        return reader.feed_body(data)

    def is_idle(self) -> bool:
        """Whether the last exchange ended cleanly, so that another may follow; it rests then."""
        reader = self._reader
        self._idle_since = asyncio.get_running_loop().time()
        if reader is not None:
            self._promised = read_promise(reader.headers)
        return (
            reader is not None
            and reader.complete
            and reader.may_follow
            and not self._wire.is_writing
            and not self._wire.has_spoken
        )

    def has_expired(self) -> bool:
        """Whether it was idle too long, or the server closed it meanwhile, or spoke unasked."""
        age = asyncio.get_running_loop().time() - self._idle_since
        return age >= min(self._expiry, self._promised) or self._wire.has_news()

    def close(self) -> None:
        """Closes the connection at once, whatever it is doing."""
        self._wire.close()
