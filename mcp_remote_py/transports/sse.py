"""Server-sent events from bytes, without I/O (WHATWG HTML §9.2, "Server-sent events").

Bytes stay bytes, so that a message arrives as it left, and every byte is looked at a fixed
number of times, so that an event of 50 MB takes linear time. Kept is the data of one event, once,
whether in one line or in a million, and of other fields a little: what is longer than any field
is for is passed over. Must not know what an event carries.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcp_remote_py.bounds import Growing
from mcp_remote_py.errors import Unusable
from mcp_remote_py.values import Value

_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"
_DATA = b"data:"

MAX_RETRY = 3600.0
"""Seconds; a server that asks for more, or for a number no timer takes, is asked again then."""

MAX_FIELD_BYTES = 64 * 1024
"""Of a line other than `data`; a longer one is ignored, as an unknown field is."""


class Event(Value, frozen=True):
    """One dispatched event; `data` lines are joined by a line feed.

    `last_event_id` is the id in force after this event, None when the stream never gave one.
    `has_data` tells an event without any `data` field, which a browser would not dispatch: it
    may still have moved the id.
    """

    name: str
    data: bytes
    last_event_id: bytes | None
    has_data: bool
    is_complete: bool = True


_BEGUN, _VALUE, _IGNORED = "begun", "value", "ignored"
"""What is done with a line whose end has not come yet: its beginning is kept, its value goes to the
data, or none of it is kept."""


class EventDecoder:
    """Feeds on chunks, yields events.

    Attributes:
        max_event_size: in bytes.
        retry: the server's reconnection time in seconds, at most `MAX_RETRY`, None until it
            gave one.
        last_event_id: the id of the last event that was dispatched.
    """

    def __init__(self, max_event_size: int) -> None:
        self.max_event_size = max_event_size
        self._line = _BEGUN
        self._begun = b""
        self._started = False
        self._skip_line_feed = False
        self._name = b""
        self._data: bytes | None = None
        self._many: Growing | None = None
        """The data, where it did not come in one line in one chunk."""
        self._size = 0
        self._ignored = 0
        self._id: bytes | None = None
        self.retry: float | None = None
        self.last_event_id: bytes | None = None

    @property
    def pending(self) -> int:
        """Bytes kept of an event that is not complete."""
        return self._size + len(self._begun)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes.

        Raises:
            Unusable: an event grew beyond `max_event_size` bytes.
        """
        if not chunk:
            return
        if self._skip_line_feed:
            # The LF of a CR LF whose CR ended the chunk before.
            self._skip_line_feed = False
            chunk = chunk.removeprefix(b"\n")
        if not self._started:
            chunk = self._start(chunk)
        for line in chunk.splitlines(keepends=True):  # of bytes: at CR, LF and CR LF only
            content = line.rstrip(_LINE_ENDS)
            if len(content) == len(line):
                self._take_part(content)
                return
            if self._line == _VALUE:
                self._write(content)
            elif self._line == _BEGUN:
                content = self._begun + content if self._begun else content
                self._begun = b""
                if content:
                    self._take_field(content)
                elif (event := self._dispatch()) is not None:
                    yield event
            else:
                self._ignore(len(content))
            self._line = _BEGUN
        self._skip_line_feed = chunk[-1:] == b"\r"

    def end(self) -> Event | None:
        """The event that the stream ended in, if it has data; `last_event_id` does not move.

        Only who can see that its data is whole may take it: it may have been cut anywhere.
        """
        if self._data is None and self._many is None and not self._begun:
            return None  # as nearly every stream ends
        before = self.last_event_id
        event = next(self.feed(b"\n\n"), None)
        self.last_event_id = before
        return event.replace(is_complete=False) if event is not None and event.has_data else None

    def drop(self) -> None:
        """Forgets what came of an event that will not be complete."""
        if self._many is not None:
            self._many.drop()
        self._data = self._many = None
        self._size = 0

    def _start(self, chunk: bytes) -> bytes:
        """Skips one leading byte order mark; nothing while too few bytes came to see it."""
        chunk = self._begun + chunk
        self._started = len(chunk) >= len(_BOM) or not _BOM.startswith(chunk)
        self._begun = b"" if self._started else chunk
        return chunk.removeprefix(_BOM) if self._started else b""

    def _take_part(self, part: bytes) -> None:
        """Takes a part of a line that goes on."""
        if self._line == _VALUE:
            self._write(part)
        elif self._line == _BEGUN:
            begun = self._begun + part
            self._begun = b""
            if begun.startswith(_DATA) and len(begun) > len(_DATA):
                self._line = _VALUE
                self._add_line(begun[len(_DATA) :].removeprefix(b" "), whole=False)
            elif begun.startswith(b":") or len(begun) > MAX_FIELD_BYTES:
                self._line = _IGNORED
                self._ignored = 0
                self._ignore(len(begun))
            else:
                self._begun = begun
                self._check(len(begun))
        else:
            self._ignore(len(part))

    def _ignore(self, size: int) -> None:
        self._ignored += size
        self._check(self._ignored)

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add_line(value, whole=True)
            return
        self._check(len(line))  # as of one that comes in parts
        if len(line) > MAX_FIELD_BYTES:
            return
        if name == b"event":
            self._name = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and value.isdigit():
            self.retry = min(float(value) / 1000, MAX_RETRY)

    def _add_line(self, value: bytes, *, whole: bool) -> None:
        """Begins a line of data; `whole`: it ends here as well."""
        if self._data is None and self._many is None:
            if whole:
                self._grow(len(value))
                self._data = value
                return
            self._many = Growing(self.max_event_size)
        else:
            if self._many is None:
                self._many = Growing(self.max_event_size)
                self._many.write(self._data or b"")
                self._data = None
            self._write(b"\n")
        self._write(value)

    def _write(self, value: bytes) -> None:
        self._grow(len(value))
        if self._many is not None:
            self._many.write(value)

    def _grow(self, size: int) -> None:
        self._size += size
        self._check(self._size)

    def _check(self, size: int) -> None:
        if size > self.max_event_size:
            raise Unusable(
                f"The server sent an event of more than {self.max_event_size} bytes.",
                hint="Raise the limit with --max-message-size.",
            )

    def _dispatch(self) -> Event | None:
        has_data = self._data is not None or self._many is not None
        if not (has_data or self._name or self._id is not None):
            return None
        if self._id is not None:
            self.last_event_id = self._id
        # The buffer gives its bytes away without a copy.
        data = self._many.take() if self._many is not None else self._data or b""
        event = Event(
            self._name.decode("utf-8", "replace") or "message", data, self.last_event_id, has_data
        )
        self._name = b""
        self._data = self._many = None
        self._size = 0
        self._id = None
        return event
