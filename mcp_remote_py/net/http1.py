"""HTTP/1.1 as bytes (RFC 9112): a request's head is written, an answer is read as it comes.

A head has to fit the grammar as a whole, and is cut where that says. llhttp, the parser that Node
ships, reads chunks. Around it stands what it does not tell or not refuse: limits, and where an
answer ends within a packet. Whatever may be read in two ways is refused, because a proxy on the way
may have read it in the other. What is only untidy is read: lines that end with LF alone, the same
length said twice, blanks behind a chunk's size, blank lines before an answer.
Pure. Must not know sockets, time or MCP.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from httptools import HttpParserError, HttpResponseParser

from mcp_remote_py.net.faults import Broken, CannotBeSent, IllegalAnswer
from mcp_remote_py.patterns import lazy_pattern

Pair = tuple[bytes, bytes]

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of an answer's head and of what comes before it, as interim answers (RFC 9110 §15.2) and
blank lines; once more for the extensions between two pieces of a chunked body, and for the trailers
behind it. Servers allow themselves 8 to 16 KiB."""

MAX_HEAD_LINES = 1000
"""Lines of all that: each costs tenths of a microsecond, and those of a head are read at once."""

SLICE_BYTES = 16 * 1024
"""Bytes of a chunked body that should be read at once: 1 ms where all chunks are of one byte."""

MAX_LENGTH_DIGITS = 18
"""Digits of a `Content-Length`, so that it fits every integer on the way: 888 petabytes."""

# What is compiled here is for every answer, the rest when it is needed. None of them tries a byte
# in more than one way: time grows with the bytes, whatever they are.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_FIELD = _TOKEN + rb":" + _TEXT
_FIELDS = rb"(?:" + _FIELD + rb"\r\n)*+"
_ANSWER = lazy_pattern(
    rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (" + _TEXT + rb"))?\r\n(" + _FIELDS + rb")\r\n"
)
_REQUEST = lazy_pattern(rb"[A-Z]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.1\r\n" + _FIELDS + rb"\r\n")
_STATUS_LINE = rb"HTTP/1\.[01] [1-9][0-9][0-9](?: " + _TEXT + rb")?"
_NAME = lazy_pattern(_TOKEN)
_END = lazy_pattern(rb"\n\r?\n")
_BLANK_LINES = rb"(?:\r?\n)+"
_BARE_LF = rb"(?<!\r)\n"
_START = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_START_BYTES = len(b"HTTP/1.x ")
_BEFORE_CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
"""A head for llhttp, which has to have seen one."""


_PROTOCOLS = {
    b"\0\0": "it answers by HTTP/2, and HTTP/1.1 is needed; whoever runs it has to offer that",
    b"\x15\x03": "it answers by TLS; write https:// in the URL",
}
"""How an answer of another protocol begins, whatever was asked: with the first frame of one
(RFC 9113 §4.1), an alert of the other (RFC 8446 §5.1)."""


def write_head(method: bytes, target: bytes, headers: Sequence[Pair]) -> bytes:
    """A request's head.

    Raises:
        CannotBeSent: a part of it has a character that HTTP does not allow there.
    """
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)
    # As many lines and names as were meant: else a value is another header.
    is_one = head.count(b"\n") == len(headers) + 2
    are_names = not any(b":" in name for name, _ in headers)
    if not (is_one and are_names and _REQUEST.fullmatch(head)):
        raise CannotBeSent("a header, or the URL, has a character that HTTP does not allow")
    return head


def add_length(head: bytes, length: int) -> bytes:
    """The head with the length of the body that follows it."""
    return b"%bcontent-length: %d\r\n\r\n" % (head[:-2], length)


class ResponseReader:
    """One answer to a request of this method, from its first byte to its last.

    `feed_head` takes bytes until it has the head, `feed_body` the bytes behind it until
    `complete`.

    Attributes:
        status: of the answer; 0 as long as its head is not complete.
        reason: the words behind it.
        headers: in their order, names in lower case.
        interims: how many interim answers came before it.
        complete: nothing more belongs to it.
        may_follow: whether another exchange may follow on the connection, as far as is seen.
        is_chunked: the body comes in chunks, and should be fed `SLICE_BYTES` at a time.
    """

    def __init__(self, method: bytes) -> None:
        self._method = method
        self._buffer = bytearray()
        self._seen = 0
        """Bytes at the beginning of the buffer that are counted, and have no head's end."""
        self._bytes = 0
        self._lines = 0
        self._is_untidy = False
        self._left: int | None = None
        """Bytes of the body that are to come; None where its end or its chunks tell."""
        self._chunks: HttpResponseParser | None = None
        self._pieces: list[bytes] = []
        self._tail = b""
        self.status = 0
        self.reason = b""
        self.headers: list[Pair] = []
        self.interims = 0
        self.complete = False
        self.may_follow = False
        self.is_chunked = False

    # ------------------------------------------------------------------ the head

    def feed_head(self, data: bytes) -> bytes | None:
        """The part of `data` behind the head; None as long as the head is not complete.

        Raises:
            IllegalAnswer: it is too long, or not HTTP.
        """
        buffer = self._buffer
        buffer += data
        while True:
            if not buffer.startswith(_START):
                self._skip_blank_lines()
                self._check_start()
            found = _END.search(buffer, max(self._seen - 2, 0))
            end = len(buffer) if found is None else found.end()
            self._count(end)
            if found is None:
                return None
            head = bytes(buffer[:end])
            del buffer[:end]
            self._seen = 0
            if self._take_head(head):
                rest = bytes(buffer)
                buffer.clear()
                self.may_follow = self.may_follow and not (self.complete and rest)
                return rest

    def _skip_blank_lines(self) -> None:
        """Some servers end the body before with one too many: that is not ours to interpret."""
        blank = re.match(_BLANK_LINES, self._buffer)
        if blank is not None:
            self._count(blank.end())
            del self._buffer[: blank.end()]
            self._seen = 0
            self._is_untidy = True

    def _check_start(self) -> None:
        begun = bytes(self._buffer[:_START_BYTES])
        if (words := _PROTOCOLS.get(begun[:2])) is not None:
            raise IllegalAnswer(words)
        if begun != b"\r" and not any(one.startswith(begun) for one in (*_START, *_PROTOCOLS)):
            raise IllegalAnswer("its answer does not begin with HTTP/1.1 or HTTP/1.0")

    def _count(self, end: int) -> None:
        """Counts what the buffer has up to this place, and was not seen before."""
        self._bytes += end - self._seen
        self._lines += self._buffer.count(b"\n", self._seen, end)
        self._seen = end
        if self._lines > MAX_HEAD_LINES:
            raise IllegalAnswer(f"its head has more than {MAX_HEAD_LINES} lines")
        if self._bytes > MAX_HEAD_BYTES:
            raise IllegalAnswer(f"its head is longer than {MAX_HEAD_BYTES} bytes")

    def _take_head(self, head: bytes) -> bool:
        """Whether it is the answer's; else it was that of an interim one."""
        match = _ANSWER.fullmatch(head)
        if match is None:
            head = re.sub(_BARE_LF, b"\r\n", head)  # RFC 9112 §2.2
            match = _ANSWER.fullmatch(head)
            if match is None:
                raise IllegalAnswer(_find_fault(head))
        minor, digits, reason, fields = match.groups(b"")
        status = int(digits)
        if status == 101:
            raise IllegalAnswer("it switches to another protocol, unasked")
        if status < 200:
            self.interims += 1
            return False
        self.status, self.reason = status, reason
        self.may_follow = minor == b"1" and not self._is_untidy
        for line in fields.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            self.headers.append((name.lower(), value.strip(b" \t")))
        self._choose_framing(is_old=minor == b"0")
        return True

    def _choose_framing(self, *, is_old: bool) -> None:
        """Finds out where the body ends (RFC 9112 §6.3)."""
        said = _read_framing(self.headers)
        lengths, codings = said[b"content-length"], said[b"transfer-encoding"]
        if codings:
            _check_codings(codings, lengths, is_old=is_old)
        length = _read_length(lengths)
        if b"close" in said[b"connection"]:
            self.may_follow = False
        if self._has_no_body():
            self.complete = True
        elif codings:
            self.is_chunked = True
            self._chunks = HttpResponseParser(self)
            self._chunks.feed_data(_BEFORE_CHUNKS)
            self._chunks.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
            self._bytes = self._lines = 0
        elif length is not None:
            self._left = length
            self.complete = not length
        else:
            self.may_follow = False

    def _has_no_body(self) -> bool:
        return (
            self.status in (204, 304)
            or self._method == b"HEAD"
            or (self._method == b"CONNECT" and self.status < 300)
        )

    # ------------------------------------------------------------------ the body

    def feed_body(self, data: bytes) -> bytes:
        """The part of the body that is in `data`.

        Raises:
            IllegalAnswer: its chunks are not.
        """
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        if self._left is None:
            return data
        piece = data[: self._left]
        self._left -= len(piece)
        if not self._left:
            self.complete = True
            self.may_follow = self.may_follow and len(piece) == len(data)
        return piece

    def _feed_chunks(self, chunks: HttpResponseParser, data: bytes) -> bytes:
        self._pieces.clear()
        try:
            chunks.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                raise IllegalAnswer(f"its chunks are not HTTP: {error}") from error
            self.may_follow = False  # llhttp begins another one before it refuses it, till now
        self._tail = (self._tail + data)[-_TAIL:]
        if self.complete:
            self._check_tail()
        elif self._pieces:
            self._bytes = 0
        else:
            self._bytes += len(data)
            if self._bytes > MAX_HEAD_BYTES or self._lines > MAX_HEAD_LINES:
                raise IllegalAnswer(
                    f"its extensions or trailers are longer than {MAX_HEAD_BYTES} bytes or"
                    f" {MAX_HEAD_LINES} lines"
                )
        return b"".join(self._pieces)

    def _check_tail(self) -> None:
        """Whether what came ends where the answer does: llhttp passes over line ends behind it.

        What ends there is a line and an empty one, and the line is never empty.
        """
        if not self._tail.endswith(b"\r\n\r\n") or self._tail.startswith(b"\n"):
            self.may_follow = False

    def end(self) -> None:
        """No more bytes will come.

        Raises:
            Broken: there should.
        """
        if self.status and not self.is_chunked and self._left is None:
            self.complete = True
        if not self.complete:
            begun = self.status or self._buffer
            what = "in the middle of its answer" if begun else "without an answer"
            raise Broken(f"the server closed it {what}")

    # ------------------------------------------------------------------ what llhttp tells

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._lines += 1  # behind the body (RFC 9110 §6.5): nobody asked for them

    def on_body(self, piece: bytes) -> None:
        """See httptools; of another answer behind this one, nothing."""
        if not self.complete:
            self._pieces.append(piece)

    def on_message_begin(self) -> None:
        """See httptools: another answer behind this one is nobody's."""
        self.may_follow = self.may_follow and not self.complete

    def on_message_complete(self) -> None:
        """See httptools."""
        self.complete = True


_TAIL = len(b"x\r\n\r\n")


def _read_framing(headers: Sequence[Pair]) -> dict[bytes, list[bytes]]:
    """The members of the lists that decide about it, in lower case."""
    said: dict[bytes, list[bytes]] = {
        b"content-length": [],
        b"transfer-encoding": [],
        b"connection": [],
    }
    for name, value in headers:
        if name in said:
            said[name] += [one.strip(b" \t").lower() for one in value.split(b",")]
    return said


def _check_codings(codings: list[bytes], lengths: list[bytes], *, is_old: bool) -> None:
    """Refuses what may be read in two ways; in HTTP/1.0, which `is_old`, chunks are not defined."""
    if lengths:
        raise IllegalAnswer("its answer has both Content-Length and Transfer-Encoding")
    if codings != [b"chunked"] or is_old:
        raise IllegalAnswer("its answer has a Transfer-Encoding other than chunked")


def _read_length(lengths: list[bytes]) -> int | None:
    """The one that all of them say (RFC 9110 §8.6), None where none does."""
    if not lengths:
        return None
    length, *others = set(lengths)
    if others:
        raise IllegalAnswer("its answer has two different Content-Lengths")
    if not (length.isdigit() and len(length) <= MAX_LENGTH_DIGITS):
        raise IllegalAnswer("its Content-Length is not a length")
    return int(length)


def _find_fault(head: bytes) -> str:
    """Says what is wrong with a complete head: the first thing."""
    status_line, *lines = head.split(b"\r\n")
    if re.fullmatch(_STATUS_LINE, status_line) is None:
        return "the first line of its answer is not HTTP's"
    line, *_ = [one for one in lines if re.fullmatch(_FIELD, one) is None]
    name, colon, value = line.partition(b":")
    if line.startswith((b" ", b"\t")):
        return "a header of its answer is continued on a second line"
    if not colon:
        return "a line of its head is not a header"
    if _NAME.fullmatch(name) is None:
        return "the name of one of its headers is not a name"
    if b"\r" in value:
        return "a header of its answer has a CR that does not end the line"
    return "a header of its answer has a control character"
