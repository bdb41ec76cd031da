"""Answers as bytes: what is legal, with what is to be read from it, and what is not, with why.

Categories of the second are those of request smuggling, turned around: here the server speaks.
Must not know how answers are read.
"""

# ruff: noqa: E501 - one case is one line
from __future__ import annotations

from typing import NamedTuple


class Legal(NamedTuple):
    """An answer and what it says. `lasts`: another may follow on its connection."""

    name: str
    wire: bytes
    body: bytes
    status: int = 200
    method: bytes = b"POST"
    lasts: bool = True
    until_end: bool = False
    """Only the end of the connection ends it."""


class Illegal(NamedTuple):
    """What must not be read, and the words that say why; llhttp's own may follow, behind a colon."""

    name: str
    wire: bytes
    words: str


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ONE = b"1\r\nx\r\n"
END = b"0\r\n\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"

LEGAL = [
    Legal("length", OK + b"Content-Type: a/b\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    Legal("length of nothing", OK + EMPTY, b""),
    Legal("length, zeros before", OK + b"Content-Length: 0005\r\n\r\nhello", b"hello"),
    Legal(
        "the same length twice",
        OK + b"Content-Length: 2\r\nA: b\r\ncontent-length: 2\r\n\r\nhi",
        b"hi",
    ),
    Legal("the same length as a list", OK + b"Content-Length: 2, 2\r\n\r\nhi", b"hi"),
    Legal("chunks", CHUNKED + b"5\r\nhello\r\n1\r\n!\r\n" + END, b"hello!"),
    Legal("no chunk", CHUNKED + END, b""),
    Legal("hex in both cases", CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n" + END, b"0123456789" * 2),
    Legal("zeros before a size", CHUNKED + b"0" * 40 + ONE + b"000\r\n\r\n", b"x"),
    Legal("extensions", CHUNKED + b'1;a;b=c;d="e f"\r\nx\r\n0;g\r\n\r\n', b"x"),
    Legal("blanks behind sizes", CHUNKED + b"1 \r\nx\r\n0  \r\n\r\n", b"x"),
    Legal("trailers", CHUNKED + ONE + b"0\r\nA: b\r\nExpires: never\r\n\r\n", b"x"),
    Legal("an empty trailer", CHUNKED + ONE + b"0\r\nA:\r\n\r\n", b"x"),
    Legal("line ends as data", CHUNKED + b"4\r\n\r\n\r\n\r\n" + END, b"\r\n\r\n"),
    Legal("line ends as a body", OK + b"Content-Length: 6\r\n\r\n\r\n\r\n\r\n", b"\r\n\r\n\r\n"),
    Legal("chunked, in capitals", OK + b"TRANSFER-ENCODING:CHUNKED\r\n\r\n" + ONE + END, b"x"),
    Legal("until the end", OK + b"A: b\r\n\r\nhello\r\n\r\n", b"hello\r\n\r\n", lasts=False, until_end=True),
    Legal("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello", lasts=False, until_end=True),
    Legal("HTTP/1.0 with a length", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", lasts=False),
    Legal("close", OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", lasts=False),
    Legal("close, in a list", OK + b"Connection: x, Close\r\n" + EMPTY, b"", lasts=False),
    Legal("close of chunks", OK + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE + END, b"x", lasts=False),
    Legal("keep-alive", OK + b"Connection: Keep-Alive\r\n" + EMPTY, b""),
    Legal("204", b"HTTP/1.1 204 No Content\r\n\r\n", b"", 204),
    Legal("204 with a length", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b"", 204),
    Legal("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", 304),
    Legal("304 with chunks announced", b"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"", 304),
    Legal("answer to HEAD", OK + b"Content-Length: 5\r\n\r\n", b"", method=b"HEAD"),
    Legal("chunks announced to HEAD", CHUNKED, b"", method=b"HEAD"),
    Legal("a tunnel", b"HTTP/1.1 200 Established\r\n\r\n", b"", method=b"CONNECT"),
    Legal("no tunnel", b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nhi", b"hi", 407, b"CONNECT"),
    Legal("interim answers", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + OK + EMPTY, b""),
    Legal("an interim answer of any number", b"HTTP/1.1 199 Soon\r\n\r\n" + OK + EMPTY, b""),
    Legal("no reason", b"HTTP/1.1 200\r\n" + EMPTY, b""),
    Legal("an empty reason", b"HTTP/1.1 200 \r\n" + EMPTY, b""),
    Legal("a reason in Latin-1", b"HTTP/1.1 404 N\xe3o \t!\r\n" + EMPTY, b"", 404),
    Legal("unknown status", b"HTTP/1.1 799 What\r\n" + EMPTY, b"", 799),
    Legal("empty and blank values", OK + b"A:\r\nB: \t \r\nC:d \r\n" + EMPTY, b""),
    Legal("names of all characters", OK + b"!#$%&'*+-.^_`|~09azAZ: x\r\n" + EMPTY, b""),
    Legal("LF alone", b"HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nhi", b"hi"),
    Legal("LF alone at the end", OK + b"Content-Length: 2\r\n\nhi", b"hi"),
    Legal("blank lines before", b"\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", b"hi", lasts=False),
]  # fmt: skip

TWO_FRAMINGS = "its answer has both Content-Length and Transfer-Encoding"
TWO_LENGTHS = "its answer has two different Content-Lengths"
NO_LENGTH = "its Content-Length is not a length"
OTHER_CODING = "its answer has a Transfer-Encoding other than chunked"
NO_CHUNKS = "its chunks are not HTTP"
NO_START = "its answer does not begin with HTTP/1.1 or HTTP/1.0"
NO_STATUS_LINE = "the first line of its answer is not HTTP's"
NO_NAME = "the name of one of its headers is not a name"
NO_HEADER = "a line of its head is not a header"
BARE_CR = "a header of its answer has a CR that does not end the line"
CONTROL = "a header of its answer has a control character"
CONTINUED = "a header of its answer is continued on a second line"
SWITCHED = "it switches to another protocol, unasked"

ILLEGAL = [
    # Two framings
    Illegal("CL and TE", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + END, TWO_FRAMINGS),
    Illegal("TE and CL", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + END, TWO_FRAMINGS),
    Illegal("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", TWO_LENGTHS),
    Illegal("two lengths, zeros", OK + b"Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", TWO_LENGTHS),
    Illegal("two lengths as a list", OK + b"Content-Length: 5, 6\r\n\r\nhello!", TWO_LENGTHS),
    Illegal("an empty second length", OK + b"Content-Length: 5\r\nContent-Length:\r\n\r\nhello", TWO_LENGTHS),
    # No length
    *(
        Illegal(f"length {text!r}", OK + b"Content-Length: %b\r\n\r\nhello" % text, NO_LENGTH)
        for text in (b"", b"+5", b"-5", b"5.0", b"0x5", b"5 5", b"5_0", b"five", b"9" * 19, b"5;a", b"\xd9\xa5")
    ),
    # Codings
    *(
        Illegal(f"coding {text!r}", OK + b"Transfer-Encoding: %b\r\n\r\n" % text + END, OTHER_CODING)
        for text in (b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked, chunked", b"Xchunked",
                     b"chunked;a", b'"chunked"', b"chun ked", b"", b"chunked, identity")
    ),
    Illegal("coding twice", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + END, OTHER_CODING),
    Illegal("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + END, OTHER_CODING),
    # Chunks
    *(
        Illegal(f"chunk {text!r}", CHUNKED + text + END, NO_CHUNKS)
        for text in (b"\r\nx\r\n", b"x\r\nx\r\n", b"0x1\r\nx\r\n", b"-1\r\nx\r\n", b"+1\r\nx\r\n", b" 1\r\nx\r\n",
                     b"1_0\r\nx\r\n", b"1\nx\r\n", b"1\rx\r\n", b"1\r\nxy\r\n", b"1\r\nx", b"1\r\nx\n", b"1\r\nx\r\r\n",
                     b"f" * 17 + b"\r\nx\r\n", b"1;\x00\r\nx\r\n", b"1;a\nb\r\nx\r\n", b"1;a\rb\r\nx\r\n", b'1;a="\r\n\r\n',
                     b"1\x00\r\nx\r\n", b"1 2\r\nx\r\n")
    ),
    *(
        Illegal(f"trailer {text!r}", CHUNKED + b"0\r\n" + text + b"\r\n\r\n", NO_CHUNKS)
        for text in (b"A b", b": b", b"A : b", b"A: \x00", b"A: b\r\n c", b"A: b\rC: d", b"A: b\nC: d")
    ),
    # Lines
    *(
        Illegal(f"{why} in a header: {text!r}", OK + text + b"\r\n" + EMPTY, words)
        for why, text, words in (
            ("bare CR", b"A: b\rc", BARE_CR),
            ("bare CR", b"A: b\r\r", BARE_CR),
            ("bare CR", b"A: b\rContent-Length: 9", BARE_CR),
            ("NUL", b"A: b\x00c", CONTROL),
            ("control", b"A: \x01", CONTROL),
            ("escape", b"A: \x1b[2J", CONTROL),
            ("vertical tab", b"Transfer-Encoding: \x0bchunked", CONTROL),
            ("DEL", b"A: b\x7f", CONTROL),
            ("obs-fold", b"A: b\r\n c", CONTINUED),
            ("obs-fold", b"A: b\r\n\tc", CONTINUED),
            ("obs-fold", b"Transfer-Encoding:\r\n chunked", CONTINUED),
            ("obs-fold first", b" A: b", CONTINUED),
            ("blank before colon", b"A : b", NO_NAME),
            ("tab before colon", b"A\t: b", NO_NAME),
            ("blank in name", b"A B: c", NO_NAME),
            ("no name", b": b", NO_NAME),
            ("control in name", b"A\x01: b", NO_NAME),
            ("NUL in name", b"Content-Length\x00: 3", NO_NAME),
            ("Latin-1 in name", b"\xc4: b", NO_NAME),
            ("brackets in name", b"(A): b", NO_NAME),
            ("no colon", b"A", NO_HEADER),
            ("the first of two", b"A: b\r\nB : c\r\nC", NO_NAME),
        )
    ),
    Illegal("DEL at the end of a head", OK + b"A: b\x7f\r\n\r\n", CONTROL),
    # First lines
    Illegal("HTTP/2", b"\0\0\x12\4\0\0\0\0\0", "it answers by HTTP/2, and HTTP/1.1 is needed; whoever runs it has to offer that"),
    Illegal("TLS", b"\x15\3\1\0\2\2\x46", "it answers by TLS; write https:// in the URL"),
    Illegal("nearly TLS", b"\x15\x15\1\0\2\2\x46", NO_START),
    *(
        Illegal(f"begins {text!r}", text + b"\r\n" + EMPTY, NO_START)
        for text in (b"HTTP 200 OK", b"200 OK", b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1.2 200 OK",
                     b"HTTP/1 200 OK", b"HTTP/1.1\t200 OK", b"http/1.1 200 OK", b"ICY 200 OK", b" HTTP/1.1 200 OK",
                     b"RTSP/1.0 200 OK", b"SSH-2.0-OpenSSH_9.6", b"<html>", b"{}", b"\x16\x03\x01", b"\x00",
                     b"POST / HTTP/1.1", b"HTTP/01.1 200 OK", b"HTTP/1.10 200 OK", b"\rHTTP/1.1 200 OK")
    ),
    *(
        Illegal(f"first line {text!r}", b"HTTP/1.1 " + text + b"\r\n" + EMPTY, NO_STATUS_LINE)
        for text in (b"", b"20", b"2000", b"000 OK", b"099 OK", b"2x0 OK", b"-20 OK", b" 200 OK", b"+200", b"200\tOK",
                     b"200OK", b"200 O\x00K", b"200 \x1b[2J", b"200 O\rK")
    ),
    Illegal("protocol switched", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", SWITCHED),
    Illegal("protocol switched, without words", b"HTTP/1.1 101\r\n\r\n", SWITCHED),
    Illegal("an interim answer that is not HTTP", b"HTTP/1.1 100 Continue\r\nA : b\r\n\r\n" + OK + EMPTY, NO_NAME),
    Illegal("nothing behind an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n5\r\nhello", NO_START),
]  # fmt: skip
