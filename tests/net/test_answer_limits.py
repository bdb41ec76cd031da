"""How much of an answer may be other than its body, to the byte and to the line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest

from mcp_remote_py.net.faults import Broken, IllegalAnswer
from mcp_remote_py.net.http1 import MAX_HEAD_BYTES, MAX_HEAD_LINES, ResponseReader
from tests.net.corpus import CHUNKED, EMPTY, OK, ONE
from tests.net.test_http1 import read


def many(line: bytes, count: int) -> bytes:
    return OK + line * count + EMPTY


WAIT = b"HTTP/1.1 102 Wait\r\n\r\n"
LARGE = b"A: %b\r\n" % (b"x" * 1000)

LONG = "its head is longer than 65536 bytes"
MANY = "its head has more than 1000 lines"
LONG_OR_MANY = "its extensions or trailers are longer than 65536 bytes or 1000 lines"

FLOODS = {
    "one header": (OK + b"A: " + b"x" * MAX_HEAD_BYTES, LONG),
    "headers": (many(LARGE, 66), LONG),
    "lines": (many(b"A:b\r\n", MAX_HEAD_LINES), MANY),
    "lines without end": (OK + b"A:b\r\n" * (MAX_HEAD_LINES + 5), MANY),
    "a reason": (b"HTTP/1.1 200 " + b"x" * MAX_HEAD_BYTES, LONG),
    "blank lines": (b"\r\n" * MAX_HEAD_BYTES, MANY),
    "interim answers": (WAIT * 600, MANY),
    "large interim answers": ((WAIT[:-2] + LARGE * 10 + b"\r\n") * 7, LONG),
    "interim and other": (WAIT[:-2] + LARGE * 40 + b"\r\n" + many(LARGE, 40), LONG),
    "an extension": (CHUNKED + b"1;" + b"x" * (2 * MAX_HEAD_BYTES), LONG_OR_MANY),
    "a size": (CHUNKED + b"0" * (2 * MAX_HEAD_BYTES), LONG_OR_MANY),
    "a trailer": (CHUNKED + ONE + b"0\r\nA: " + b"x" * (2 * MAX_HEAD_BYTES), LONG_OR_MANY),
    "trailers": (CHUNKED + ONE + b"0\r\n" + b"A:b\r\n" * 20_000, LONG_OR_MANY),
}


def cut(wire: bytes, size: int) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("size", [1 << 20, 4096, 100, 7])
def test_what_is_not_body_is_bounded(name: str, size: int) -> None:
    wire, words = FLOODS[name]
    with pytest.raises(IllegalAnswer) as caught:
        read(cut(wire, size))
    assert str(caught.value) == words


BEFORE = [b"", b"\r\n\n", WAIT * 2, b"\r\n" + WAIT]
SIZES = [1 << 20, 1000, 1]


def begin_of_bytes(before: bytes, count: int) -> bytes:
    return (before + OK + b"A: ").ljust(count, b"x")


def begin_of_lines(before: bytes, count: int) -> bytes:
    lines = (before + OK).count(b"\n")
    return before + OK + b"A:b\r\n" * (count - lines)


def head_of_bytes(before: bytes, count: int) -> bytes:
    end = b"\r\n" + EMPTY
    return begin_of_bytes(before, count - len(end)) + end


def head_of_lines(before: bytes, count: int) -> bytes:
    return begin_of_lines(before, count - EMPTY.count(b"\n")) + EMPTY


@pytest.mark.parametrize("before", BEFORE, ids=repr)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("make", "most", "words"),
    [(head_of_bytes, MAX_HEAD_BYTES, LONG), (head_of_lines, MAX_HEAD_LINES, MANY)],
)
def test_a_head_with_all_before_it_reaches_its_limit_and_no_further(
    make: Callable[[bytes, int], bytes], most: int, words: str, size: int, before: bytes
) -> None:
    assert read(cut(make(before, most), size)).status == 200
    with pytest.raises(IllegalAnswer) as caught:
        read(cut(make(before, most + 1), size))
    assert str(caught.value) == words


@pytest.mark.parametrize("before", BEFORE, ids=repr)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("make", "most", "words"),
    [(begin_of_bytes, MAX_HEAD_BYTES, LONG), (begin_of_lines, MAX_HEAD_LINES, MANY)],
)
def test_a_head_without_end_is_refused_at_the_byte_that_passes_its_limit(
    make: Callable[[bytes, int], bytes], most: int, words: str, size: int, before: bytes
) -> None:
    wire = make(before, most + 1)
    reader = ResponseReader(b"POST")
    for piece in cut(wire[:-1], size):
        assert reader.feed_head(piece) is None
    with pytest.raises(IllegalAnswer) as caught:
        reader.feed_head(wire[-1:])
    assert str(caught.value) == words


@pytest.mark.parametrize("before", [[], [b"1;a", b"\r\nx\r\n"]], ids=["first", "later"])
@pytest.mark.parametrize(
    ("begun", "more", "next_one"),
    [
        (b"1;", b"x" * (MAX_HEAD_BYTES - 2), b"x"),
        (b"0\r\n", b"A:b\r\n" * MAX_HEAD_LINES + b"A", b":b\r\nA"),
    ],
    ids=["bytes", "lines"],
)
def test_what_stands_between_chunks_has_the_limits_of_a_head_once_more(
    begun: bytes, more: bytes, next_one: bytes, before: list[bytes]
) -> None:
    reader = ResponseReader(b"POST")
    assert reader.feed_head(OK + b"A: b\r\n" * 900 + b"Transfer-Encoding: chunked\r\n\r\n") == b""
    assert b"".join(map(reader.feed_body, before)) == (b"x" if before else b"")
    for piece in (begun, more):
        assert reader.feed_body(piece) == b""
    with pytest.raises(IllegalAnswer) as caught:
        reader.feed_body(next_one)
    assert str(caught.value) == LONG_OR_MANY


@pytest.mark.parametrize("value", [b" " * 60_000, b"\t " * 30_000, b"," * 60_000, b"a, " * 20_000])
@pytest.mark.parametrize("name", [b"A", b"Connection", b"Content-Length", b"Transfer-Encoding"])
@pytest.mark.parametrize("end", [b"\r\n", b"x\r\n", b"\x00\r\n", b"\r\r\n"])
def test_no_head_takes_more_time_than_its_bytes(value: bytes, name: bytes, end: bytes) -> None:
    before = time.process_time()
    with contextlib.suppress(Broken):
        read([OK + name + b": a" + value + end + b"A: b\r\n" + EMPTY])
    assert time.process_time() - before < 0.1


@pytest.mark.parametrize("size", SIZES)
def test_what_is_allowed_is_read(size: int) -> None:
    wire = WAIT * 10 + OK + LARGE * 50 + b"A: b\r\n" * 900 + EMPTY
    assert len(read(cut(wire, size)).headers) == 951
