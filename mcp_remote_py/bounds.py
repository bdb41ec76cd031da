"""Bounds what anything that comes in may cost, before memory or time is spent on it.

It has the limits, each with its unit and its reason, and the few functions that apply them: to the
coding of a body, to a JSON text before it is decoded, to log lines about many faults that are
alike. Pure. Must not know HTTP libraries, the event loop, or what a body means.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from mcp_remote_py.errors import Interrupted, Unusable

TURN_BYTES = 16 * 1024
"""Bytes that are worked at without a look at the clock."""

FEW_LINES = 300
"""Lines in a piece of an event stream; one with more is cut into slices of `LINES_BYTES`: 2 ms
where it has nothing but line ends."""

LINES_BYTES = 2 * 1024

MAX_BATCH = 1000
"""Messages in one array (MCP 2025-03-26): five times what may be under way at once."""

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of an array, whose messages are copied out of it one by one. Later revisions have none."""

MAX_MEMBERS = 1000
"""Members of an object, or elements of a list, that are made into objects here: 20 ms for tools
that are judged by rules. What has more is passed on as it is."""

MAX_PARTS = 50_000
"""Values of all depths, where all are made into objects."""

MAX_ID_BYTES = 64 * 1024
"""Bytes of the id of a request or answer."""

MAX_SERVER_REQUESTS = 1000
"""Requests of a server that may be open at once; what comes then is dropped."""

MAX_SERVER_ID_BYTES = 4096
"""Bytes of the id of such a request, which is kept while it is open."""

MAX_KEPT_TOOLS = 4 * 1024 * 1024
"""Bytes of a list of tools that are kept, to be compared with another's and for the next start."""

LONG_BYTES = 4 * 1024 * 1024
"""Bytes of a message that is read in one go: 9 ms where it has nothing but numbers. A longer one is
read in slices, see `survey`."""

RICH_BYTES = 1024 * 1024
"""Bytes of a message whose parts need not be counted: 5 ms for each look at all of it."""

LONG_PARTS = 500_000
"""Values of all depths in a message that is looked into: so it has 8 bytes for each, where it is as
long as may be. Those of an honest list take 10 and more, down to `{"type":"null"},`."""

MAX_MENDED_AT_ONCE = 512 * 1024
"""Bytes of such a message with lone surrogates: 20 ms at the worst."""

MAX_MENDED_BYTES = 16 * 1024 * 1024
"""Bytes of a message with lone surrogates, which is copied to be mended."""

MAX_MENDED = 100_000
"""Runs of lone surrogates that are mended in one message: 0.1 s."""

MAX_METHOD_BYTES = 64 * 1024
"""Bytes of a method's name, which is made into characters: of four bytes each at the worst."""

MAX_REFUSAL_BYTES = 4 * 1024 * 1024
"""Bytes of a refusal that may be an answer: secrets are looked for in a copy made of characters,
for two seconds in all where every character is escaped."""

MAX_REFUSAL_BATCH_BYTES = 512 * 1024
"""Bytes of one that is an array, read in one go: 20 ms. One request was refused."""

MAX_REFUSAL_LINES = 5000
"""Lines of a refusal that is an event stream, and is read in one go: 20 ms."""

MAX_RATIO = 200
"""Bytes that one compressed byte may become, past `FREE_OUTPUT`: texts and tables come to 30, zeros
to 1030."""

FREE_OUTPUT = 16 * 1024 * 1024
"""Bytes that any number of compressed ones may become."""

MAX_GZIP_MEMBERS = 1000
"""Members of one body (RFC 1952 §2.2); each costs a window of 32 KiB to begin."""

CODINGS = frozenset(
    {
        *(b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"compress", b"x-compress"),
        *(b"dcb", b"dcz", b"exi", b"pack200-gzip", b"aes128gcm", b"xz", b"lzma", b"bzip2", b"lz4"),
    }
)
"""IANA's register of content codings, and what else compresses.

Any other name is not a coding: servers and gateways write a charset, a media type, `identity`,
`none`, mail's `7bit`, Amazon's `aws-chunked` and `amz-1.0` there, or nothing (T5); and what nobody
has registered, nobody can ask for.
"""

_WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""The format that zlib is told, by coding (RFC 9110 §8.4.1)."""

_RAW_BITS = -15
"""`deflate` without the wrapping that it must have; many have left it out (RFC 9110 §8.4.1.2)."""

_GZIP_START = b"\x1f\x8b"

_TEXT_STARTS = (b"{", b"[", b"<", b":", b"da", b"ev", b"id", b"re", b" ", b"\t", b"\r", b"\n")
"""Of JSON, a page and an event stream. Some proxies decode a body and let its coding stand."""


def open_body(content_encoding: bytes, who: str) -> Decompressor | None:
    """The decoder for a body with this `Content-Encoding`, None where it is not encoded.

    `who` sent it, for the sentence. Several header lines come joined by commas.

    Raises:
        Unusable: it has several layers. The decoder does so for one of a kind nobody asked for,
            where that is there at all.
    """
    parts = content_encoding.split(b",")
    names = [part.partition(b";")[0].strip().lower() for part in parts]
    layers = [name for name in names if name in CODINGS]
    if not layers:
        return None
    if len(layers) > 1:
        raise _unasked(layers, who)
    return Decompressor(layers[0], who)


def _unasked(layers: list[bytes], who: str) -> Unusable:
    shown = ", ".join(name.decode("latin-1") for name in layers[:3])
    return Unusable(f"{who} compressed its answer as {shown!r}, unasked.", hint=_SWITCH_OFF)


_SWITCH_OFF = "Switch that compression off for this path of the server."


class Decompressor:
    """One layer, decoded in slices: whoever takes them may stop at any."""

    def __init__(self, coding: bytes, who: str) -> None:
        import zlib  # few servers compress unasked

        self._who = who
        self._coding = coding
        self._zlib: Any = zlib
        self._window_bits = _WINDOW_BITS.get(coding, 0)
        self._decoder: Any = zlib.decompressobj(self._window_bits)
        self._members = 1
        self._begun = False
        self._is_plain = False
        self._is_over = False
        self._rest = b""
        self._taken = 0
        self._given = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Decodes `piece`, at most `TURN_BYTES` at a time.

        What follows the end of the compressed bytes is passed over.

        Raises:
            Unusable: it is broken, or becomes more than honest texts do.
        """
        piece, self._rest = self._rest + piece, b""
        if not self._begun and not self._begin(piece):
            self._rest = piece
            return
        if self._is_plain:
            yield piece
            return
        for start in range(0, len(piece), TURN_BYTES):
            yield from self._feed_slice(piece[start : start + TURN_BYTES])

    def _begin(self, start: bytes) -> bool:
        """Whether enough has come to see what it is, by what it begins with."""
        if len(start) < 2:
            return False
        self._begun = True
        has_header = start[0] & 0x0F == 8 and int.from_bytes(start[:2]) % 31 == 0  # RFC 1950 §2.2
        is_coded = start.startswith(_GZIP_START) if self._window_bits == 31 else has_header
        if not is_coded or not self._window_bits:
            self._is_plain = start.startswith(_TEXT_STARTS)
            if not self._is_plain and not self._window_bits:
                raise _unasked([self._coding], self._who)
            if self._window_bits == _WINDOW_BITS[b"deflate"]:
                self._decoder = self._zlib.decompressobj(_RAW_BITS)
        return True

    def _feed_slice(self, piece: bytes) -> Iterator[bytes]:
        self._taken += len(piece)
        piece, self._rest = self._rest + piece, b""  # what the slice before has left
        while not self._is_over:
            if self._decoder.eof and not self._begin_member(piece):
                return
            try:
                made = self._decoder.decompress(piece, TURN_BYTES)
            except self._zlib.error as error:
                said = f"{self._who} sent a broken compressed answer: {error}."
                raise Unusable(said, hint=_SWITCH_OFF) from error
            self._given += len(made)
            if self._given > max(FREE_OUTPUT, MAX_RATIO * self._taken):
                raise Unusable(
                    f"{self._who} compressed its answer more than {MAX_RATIO} to 1.",
                    hint="Switch compression off for this path of the server.",
                )
            if made:
                yield made
            decoder = self._decoder
            piece = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if not piece and len(made) < TURN_BYTES:
                return

    def _begin_member(self, rest: bytes) -> bool:
        """Whether another member begins where one has ended; else all that comes is passed over."""
        if not rest or rest == _GZIP_START[:1]:
            self._rest = rest  # not seen yet
            return False
        if self._window_bits != _WINDOW_BITS[b"gzip"] or not rest.startswith(_GZIP_START):
            self._is_over = True
            return False
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise Unusable(
                f"{self._who} compressed its answer in more than {MAX_GZIP_MEMBERS} parts."
            )
        self._decoder = self._zlib.decompressobj(self._window_bits)
        return True

    def end(self) -> None:
        """Takes the end: nothing more will come.

        Raises:
            Interrupted: the compressed bytes are not complete.
        """
        if (self._begun or self._rest) and not (self._decoder.eof or self._is_plain):
            raise Interrupted(f"{self._who} broke off its compressed answer.")


BLANKS = b" \t\r\n"
"""What JSON text may have around it (RFC 8259 §2)."""


class Growing:
    """Bytes that come in pieces and are given away as one, without a copy at the end.

    Many that grow beside each other would be moved in memory again and again, and leave holes of
    their own size. So past `SMALL_BYTES` the place for all that may come is taken at once. It is so
    large that the system gives it apart from all else (glibc: more than 32 MiB), and it is memory
    only as far as bytes are written to it.

    Attributes:
        size: bytes so far.
    """

    SMALL_BYTES = 1024 * 1024
    APART_BYTES = 33 * 1024 * 1024

    def __init__(self, claim: int) -> None:
        self._claim = max(claim, self.APART_BYTES)
        self._bytes = io.BytesIO()
        self._is_small = True
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Adds it."""
        self.size += len(piece)
        if self._is_small and self.size > self.SMALL_BYTES:
            self._is_small = False
            small, self._bytes = self._bytes, io.BytesIO(bytes(max(self._claim, self.size)))
            self._bytes.write(small.getbuffer())
        self._bytes.write(piece)

    def take(self) -> bytes:
        """All of it; nothing is left."""
        self._bytes.truncate(self.size)
        whole = self._bytes.getvalue()
        self.drop()
        return whole

    def cut_blanks(self) -> None:
        """Takes blanks and line ends off the end."""
        while self.size:
            start = max(self.size - TURN_BYTES, 0)
            self._bytes.seek(start)
            piece = self._bytes.read(self.size - start)
            kept = piece.rstrip(BLANKS)
            self.size = start + len(kept)
            if kept:
                return

    def cut_end(self, end: bytes) -> None:
        """Takes this off the end, if it is there; nothing may be added then."""
        start = max(self.size - len(end), 0)
        self._bytes.seek(start)
        if self._bytes.read(self.size - start) == end:
            self.size = start

    def drop(self) -> None:
        """Forgets it, at once: an error on its way may keep this object for long."""
        self._bytes = io.BytesIO()
        self._is_small = True
        self.size = 0


def has_few_parts(text: bytes, at_most: int = MAX_PARTS) -> bool:
    """Whether at most so many values, at all depths, can be in the JSON text `text`."""
    return count_parts(text) <= at_most


def count_parts(text: bytes) -> int:
    """The values, at all depths, that can be in the JSON text `text`, or more than there are."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


class Tally:
    """Picks which of many similar faults get a line: the first, the tenth, the hundredth."""

    def __init__(self) -> None:
        self._count = 0
        self._next = 1

    def take(self) -> str | None:
        """The end of the line, behind its subject; None where no line is due."""
        self._count += 1
        if self._count < self._next:
            return None
        self._next *= 10
        return "" if self._count == 1 else f" ({self._count} times so far)"
