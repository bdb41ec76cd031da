"""Server-sent events from bytes, without I/O (WHATWG HTML §9.2, "Server-sent events").

Bytes stay bytes, so that a message arrives as it left, and every byte is looked at a fixed
number of times, so that an event of 50 MB in one line takes linear time. Must not know what
an event carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mcp_remote_py.errors import Unusable

_BOM = b"\xef\xbb\xbf"
_LINE_FEED = 0x0A
_CARRIAGE_RETURN = 0x0D
_SPACE = 0x20

MAX_RETRY = 3600.0
"""Seconds; a server that asks for more, or for a number no timer takes, is asked again then."""

_FIELD_START = len(b"data: ")


class Event(NamedTuple):
    """One dispatched event; `data` lines are joined by a line feed.

    `last_event_id` is the id in force after this event, None when the stream never gave one.
    `has_data` tells an event without any `data` field, which a browser would not dispatch: it
    may still have moved the id.
    """

    name: str
    data: bytes
    last_event_id: bytes | None
    has_data: bool


class EventDecoder:
    """Feeds on chunks, yields events.

    Attributes:
        retry: the server's reconnection time in seconds, at most `MAX_RETRY`, None until it
            gave one.
        last_event_id: the id of the last event that was dispatched.
    """

    def __init__(self, max_event_size: int) -> None:
        self._max = max_event_size
        self._buffer = bytearray()
        self._scanned = 0
        self._started = False
        self._skip_line_feed = False
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        self._id: bytes | None = None
        self.retry: float | None = None
        self.last_event_id: bytes | None = None

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes.

        Raises:
            Unusable: an event grew beyond `max_event_size` bytes.
        """
        buffer = self._buffer
        buffer += self._without_split_line_end(chunk)
        if not self._started and not self._start():
            return
        start = 0
        line_feed = buffer.find(b"\n", self._scanned)
        carriage_return = buffer.find(b"\r", self._scanned)
        while line_feed >= 0 or carriage_return >= 0:
            is_line_feed = carriage_return < 0 or 0 <= line_feed < carriage_return
            end = line_feed if is_line_feed else carriage_return
            if end > start:
                self._take_field(start, end)
            elif (event := self._dispatch()) is not None:
                yield event
            start = self._after_line_end(end)
            # Each kind of line end is sought only beyond the last one found: a stream that has
            # but one kind is not searched for the other at every line.
            if 0 <= line_feed < start:
                line_feed = buffer.find(b"\n", start)
            if 0 <= carriage_return < start:
                carriage_return = buffer.find(b"\r", start)
        if start:
            del buffer[:start]
        self._scanned = len(buffer)
        self._check_size(len(buffer) - _FIELD_START)

    def _start(self) -> bool:
        """Skips one leading byte order mark; False while too few bytes came to see it."""
        buffer = self._buffer
        if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
            return False
        if buffer.startswith(_BOM):
            del buffer[: len(_BOM)]
        self._started = True
        return True

    def _without_split_line_end(self, chunk: bytes) -> bytes:
        """The chunk without the LF of a CR LF whose CR ended the chunk before."""
        if not (self._skip_line_feed and chunk):
            return chunk
        self._skip_line_feed = False
        return chunk[1:] if chunk.startswith(b"\n") else chunk

    def _after_line_end(self, end: int) -> int:
        """Where the next line starts: CR LF is one line end."""
        buffer = self._buffer
        start = end + 1
        if buffer[end] == _CARRIAGE_RETURN:
            if start == len(buffer):
                self._skip_line_feed = True
            elif buffer[start] == _LINE_FEED:
                start += 1
        return start

    def _check_size(self, coming: int) -> None:
        if self._size + coming > self._max:
            raise Unusable(
                f"The server sent an event of more than {self._max} bytes.",
                hint="Raise the limit with --max-message-size.",
            )

    def _take_field(self, start: int, end: int) -> None:
        buffer = self._buffer
        colon = buffer.find(b":", start, end)
        if colon < 0:
            colon = value_start = end
        else:
            value_start = colon + 1
            if value_start < end and buffer[value_start] == _SPACE:
                value_start += 1
        name = bytes(buffer[start:colon])
        # One copy only: the value may be all of a large message.
        value = bytes(memoryview(buffer)[value_start:end])
        if name == b"data":
            self._check_size(len(value))
            self._data.append(value)
            self._size += len(value) + 1  # the line feed that joins it to the next
        elif name == b"event":
            self._name = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and value.isdigit():
            self.retry = min(float(value) / 1000, MAX_RETRY)

    def _dispatch(self) -> Event | None:
        if not (self._data or self._name or self._id is not None):
            return None
        if self._id is not None:
            self.last_event_id = self._id
        event = Event(
            self._name.decode("utf-8", "replace") or "message",
            self._data[0] if len(self._data) == 1 else b"\n".join(self._data),
            self.last_event_id,
            bool(self._data),
        )
        self._name = b""
        self._data = []
        self._size = 0
        self._id = None
        return event
