"""An HTTP answer whose body is read as it comes: its bytes, its events, the evidence of a refusal.

What it holds counts against the `Intake` until it is closed, and its connection goes back then.
Must not know why the request was sent, or what the answer means for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import TypeVar, cast

from mcp_remote_py.bounds import (
    BLANKS,
    FEW_LINES,
    LINES_BYTES,
    MAX_REFUSAL_BYTES,
    TURN_BYTES,
    Decompressor,
    Growing,
    open_body,
)
from mcp_remote_py.channel import Signature
from mcp_remote_py.errors import EVIDENCE_BYTES, ExchangeError, Interrupted, Unusable
from mcp_remote_py.net.exchange import Connection
from mcp_remote_py.net.http1 import Pair, ResponseReader
from mcp_remote_py.net.lanes import Lanes
from mcp_remote_py.net.mapping import explain
from mcp_remote_py.settings.network import Timeouts
from mcp_remote_py.transports.body_types import (
    ANSWER_TYPES,
    EVENT_STREAM,
    JSON,
    MOST_BLANKS,
    TELLING_BYTES,
    cut_blanks_before,
    media_type,
    read_type,
)
from mcp_remote_py.transports.intake import FREE_BYTES, Intake
from mcp_remote_py.transports.sse import Event, EventDecoder

T = TypeVar("T")

logger = logging.getLogger("mcp_remote_py.transports")

EVIDENCE_TIMEOUT = 5.0
"""Seconds spent on reading the body of a refusal; on each piece of one that may be an answer."""


class Response:
    """An answer whose body has not been read. Must be closed."""

    def __init__(
        self,
        answer: ResponseReader,
        lane: Connection,
        lanes: Lanes[Connection],
        intake: Intake,
        timeouts: Timeouts,
    ) -> None:
        self._answer = answer
        self._lane = lane
        self._lanes = lanes
        self._intake = intake
        self._closed = False
        self._taken = False
        self._first: bytes | None = None
        """What was read to see what the body is, and is to be read yet."""
        self._evidence: bytes | None = None
        self.scrubbed: bytes | None = None
        """The same without any secret of ours, where somebody has looked for them."""
        self.where = ""
        """The URL that it came from: where a redirect led, maybe."""
        self.signature: Signature | None = None
        """What its request was signed with, where it was."""
        self.is_moved = False
        """Whether a redirect of this request led there."""
        self.is_whole = True
        """Whether `read_evidence` did not leave anything of the body."""
        self.status = answer.status
        self.reason = answer.reason
        self.headers = _by_name(answer.headers)
        self.content_type = media_type(self.headers)
        is_stream = self.content_type == EVENT_STREAM
        self._timeouts = timeouts
        self._patience = timeouts.stream if is_stream else timeouts.body
        self._deadline: float | None = None
        self._coding = self.headers.get(b"content-encoding", b"")
        self._decoder: Decompressor | None = None
        self._decoded: Iterator[bytes] = iter(())
        """What is still to come of the last piece, where there is a decoder."""
        length = self.headers.get(b"content-length", b"")
        is_told = length.isdigit() and len(length) < 20
        self._length = int(length) if is_told else 0
        """Bytes of the body as it is announced; 0 where it is not."""
        has_limit = is_told and not self._coding
        self._share = intake.open(self._length if has_limit else intake.limit)

    def end_within(self, seconds: float) -> None:
        """Gives what is left of the body so long to come, however it does."""
        self._deadline = asyncio.get_running_loop().time() + seconds

    async def find_type(self) -> str:
        """What the body is, by its first bytes as well; the content type from then on.

        One that is named an event stream is not waited for: it may be silent for long. Raises what
        `read_piece` raises.
        """
        if self.content_type == EVENT_STREAM or self._taken or self._closed:
            return self.content_type
        piece = await self.read_piece()
        start = piece or b""
        if self.content_type == JSON and start.startswith(b"{"):  # as nearly every answer
            self._first = start
            return JSON
        while (
            piece is not None
            and len(start) < MOST_BLANKS
            and len(cut_blanks_before(start)) < TELLING_BYTES
        ):
            piece = await self.read_piece()
            start += piece or b""
        self._first = start or None
        self.content_type = read_type(self.content_type, start)
        if self.content_type == EVENT_STREAM:
            self._patience = self._timeouts.stream
        return self.content_type

    async def read_piece(self) -> bytes | None:
        """The next piece of the body, decoded; None at its end. The loop breathes before it.

        Raises:
            Interrupted: it broke off, or did not end in time.
            Unusable: it is compressed in a way nobody asked for.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        self._begin()
        while True:
            made = next(self._decoded, None)
            if made is not None:
                await self._share.work(len(made))
                return made
            patience = self._time_left()
            try:
                piece = await self._lane.read_piece(patience)
            except Exception as error:
                raise explain(error, sent=True) from error
            if piece is None:
                if self._decoder is not None:
                    self._decoder.end()
                return None
            await self._share.work(self._lane.taken)
            if self._decoder is not None:
                self._decoded = self._decoder.feed(piece)
            elif piece:
                return piece

    def _begin(self) -> None:
        if not self._taken:
            self._taken = True
            if self._coding:
                self._decoder = open_body(self._coding, "The server")

    def _time_left(self) -> float | None:
        """Seconds for the next piece."""
        if self._deadline is None:
            return self._patience
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0 and not self._answer.complete:
            raise Interrupted("The server did not end its answer.")
        return left if self._patience is None else min(self._patience, left)

    async def read_events(
        self,
        decoder: EventDecoder,
        take: Callable[[Event], Awaitable[None]],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        """Has the events of the body taken as they come.

        Each is let go, and room is made for the next, when the host has taken it. What the stream
        ends in, or breaks off in, is the last. Raises what `read_piece` and the decoder raise.
        """

        async def take_last() -> None:
            last = decoder.end()
            if last is not None:
                await take(last)
                await drain()

        try:
            chunk = await self.read_piece()
            if chunk is not None and read_type(EVENT_STREAM, chunk) == JSON:
                # No event begins so: it is an answer that was given the wrong type.
                self._first = chunk
                text = await self.read(decoder.max_event_size)
                await take(Event("message", text, None, has_data=True))
                return
            while chunk is not None:
                for piece, cost in _cut(chunk):
                    for event in decoder.feed(piece):
                        await take(event)
                        await drain()
                        await self._share.work(len(event.data))
                    await self._share.hold(decoder.pending)
                    await self._share.work(cost * len(piece))
                chunk = await self.read_piece()
            await take_last()
        except Interrupted:
            await take_last()
            raise
        finally:
            decoder.drop()

    async def read(
        self, limit: int, is_whole: Callable[[bytes], Generator[None, None, bool]] | None = None
    ) -> bytes:
        """The whole body without blanks at its end; it counts as held until this is closed.

        Of one that breaks off, `is_whole` says, in steps, whether what has come is all of it.

        Raises:
            Unusable: it is larger than `limit` bytes.
            Interrupted: it broke off.
        """
        if self._length > limit:
            raise _too_large(limit)
        piece = await self.read_piece()
        if piece is not None and self._is_all(piece) and len(piece) <= limit:
            await self._share.hold(len(piece))
            self._share.complete()
            return piece.rstrip(BLANKS)
        body = Growing(self._share.claim)
        broken: Interrupted | None = None
        try:
            while piece is not None:
                size = body.size + len(piece)
                if size > limit:
                    raise _too_large(limit)
                await self._share.hold(size)
                body.write(piece)
                try:
                    piece = await self.read_piece()
                except Interrupted as error:
                    if is_whole is None:
                        raise
                    # Without its trace, which would keep all that is here.
                    piece, broken = None, error.with_traceback(None)
            self._share.complete()
            body.cut_blanks()
            whole = body.take()
            if broken is not None and is_whole is not None:
                if not await self.work_at(is_whole(whole)):
                    del whole
                    raise broken
                logger.debug("Behind its answer, a body did not end as it should: %s", broken.cause)
            return whole
        finally:
            body.drop()

    def _is_all(self, piece: bytes) -> bool:
        """Whether the first piece is all there is, as with most, and does not need room."""
        return self._answer.complete and not self._coding and len(piece) <= FREE_BYTES

    async def read_evidence(self, limit: int = 0) -> bytes:
        """The first bytes of a refusal's body: what comes soon, without errors.

        More of what may be an answer, up to `limit`, where one is looked for. Nothing where the
        body was read before in another way and not given to `quote`: then it was empty of anything.
        """
        if self._evidence is None:
            is_gone = self._closed or (self._taken and self._first is None)
            self._evidence = b"" if is_gone else await self._read_soon(limit)
        return self._evidence

    def quote(self, body: bytes) -> None:
        """Takes what was read in another way for what there is to quote."""
        self._evidence = body[:EVIDENCE_BYTES]

    async def _read_soon(self, limit: int) -> bytes:
        body: Growing | None = None
        clock = asyncio.get_running_loop()
        self.is_whole = False
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT) as patience:
                may_be_answer = limit > 0 and await self.find_type() in ANSWER_TYPES
                most = min(limit, MAX_REFUSAL_BYTES) if may_be_answer else EVIDENCE_BYTES
                body = Growing(min(self._share.claim, most))
                while (piece := await self.read_piece()) is not None:
                    kept = piece[: most - body.size]
                    await self._share.hold(body.size + len(kept))
                    body.write(kept)
                    if may_be_answer:
                        patience.reschedule(clock.time() + EVIDENCE_TIMEOUT)
                    if body.size >= most:
                        break
                else:
                    self.is_whole = True
        except (ExchangeError, TimeoutError):
            pass  # the status alone is evidence enough
        if body is None:
            return b""
        try:
            return body.take()
        finally:
            body.drop()

    async def breathe(self) -> None:
        """A slice of what came was worked at: lets the loop see to everything else now and then."""
        await self._intake.breathe()

    async def work_at(self, steps: Generator[None, None, T]) -> T:
        """The outcome of work that is done in steps; the loop breathes between them."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast("T", end.value)
            await self.breathe()

    async def aclose(self) -> None:
        """Gives the connection back, or drops it when the body was not read to its end.

        Does so once: a lane given twice would carry two exchanges at a time.
        """
        if self._closed:
            return
        self._closed = True
        self._share.release()
        self._lanes.give(self._lane)


_LINES_COST = 4
"""Cost of a byte that may be a line, in bytes that are only kept."""

_DENSE_COST = 16
"""The same where there are many lines: two slices of 2 ms between two looks at the clock."""

_LISTS = frozenset({b"www-authenticate", b"proxy-authenticate", b"content-encoding"})
"""Header fields whose lines are read as one."""


def _by_name(headers: Sequence[Pair]) -> dict[bytes, bytes]:
    """The fields; of lines of one name that are not one list, the last (RFC 9110 §5.3)."""
    fields = dict(headers)
    if len(fields) < len(headers):
        for name in _LISTS & fields.keys():
            fields[name] = b", ".join(value for other, value in headers if other == name)
    return fields


def _cut(chunk: bytes) -> Iterator[tuple[bytes, int]]:
    """Slices of an event stream, and what a byte of each costs."""
    for start in range(0, len(chunk), TURN_BYTES):
        piece = chunk[start : start + TURN_BYTES]
        if piece.count(b"\n") + piece.count(b"\r") < FEW_LINES:
            yield piece, _LINES_COST
            continue
        for at in range(0, len(piece), LINES_BYTES):
            yield piece[at : at + LINES_BYTES], _DENSE_COST


def _too_large(limit: int) -> Unusable:
    return Unusable(
        f"The server's answer is larger than {limit} bytes.",
        hint="Raise the limit with --max-message-size.",
    )
