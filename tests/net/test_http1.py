"""Answers under every split of their bytes: what is read, what is refused, and what may follow."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from http.client import HTTPResponse
from itertools import pairwise
from typing import NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.net.faults import Broken, CannotBeSent, IllegalAnswer
from mcp_remote_py.net.http1 import (
    SLICE_BYTES,
    ResponseReader,
    add_length,
    write_head,
)
from tests.net.corpus import (
    CHUNKED,
    EMPTY,
    ILLEGAL,
    LEGAL,
    NO_LENGTH,
    OK,
    ONE,
    Illegal,
    Legal,
)
from tests.thorough import often


class Read(NamedTuple):
    """What came out. `lasts`: another answer may follow, as nothing lies behind this one."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    lasts: bool


def read(pieces: Iterable[bytes], method: bytes = b"POST", *, ends: bool = True) -> Read:
    """Reads one answer as a connection does; what the peer sends comes in these pieces."""
    waiting = list(pieces)[::-1]
    reader = ResponseReader(method)
    body = b""
    rest: bytes | None = None
    while rest is None:
        if not waiting:
            reader.end()
        rest = reader.feed_head(waiting.pop())
    waiting.append(rest)
    while waiting and not reader.complete:
        piece = waiting.pop()
        for start in range(0, len(piece), SLICE_BYTES):
            assert not reader.complete
            body += reader.feed_body(piece[start : start + SLICE_BYTES])
    if ends:
        reader.end()
    assert reader.complete
    return Read(reader.status, reader.headers, body, reader.may_follow and not any(waiting))


def splits(wire: bytes) -> Iterator[Sequence[bytes]]:
    """Whole, every byte by itself, and every split into two."""
    yield [wire]
    yield [wire[at : at + 1] for at in range(len(wire))]
    for at in range(1, len(wire)):
        yield [wire[:at], wire[at:]]


def named(case: Legal | Illegal) -> str:
    return case.name


# ------------------------------------------------------------------ legal


@pytest.mark.promise("R1")
@pytest.mark.parametrize("case", LEGAL, ids=named)
def test_every_legal_answer_is_read_alike_under_every_split(case: Legal) -> None:
    whole = read([case.wire], case.method)
    assert (whole.status, whole.body, whole.lasts) == (case.status, case.body, case.lasts)
    for pieces in splits(case.wire):
        assert read(pieces, case.method) == whole, pieces


UNLIKE = {
    "blank lines before",  # it refuses them
    "the same length as a list",  # it reads on until the end
    "chunks announced to HEAD",  # it waits for them
    "304 with chunks announced",  # the same
    "interim answers",  # it takes the second, a 103, for the answer
    "an interim answer of any number",  # it knows 100 alone
}
"""What Python's `http.client` reads in another way, and how."""


@pytest.mark.parametrize("case", LEGAL, ids=named)
def test_the_standard_library_reads_the_same(case: Legal) -> None:
    class Socket(io.BytesIO):
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(self.getvalue())

    if case.name in UNLIKE:
        return
    answer = HTTPResponse(cast("object", Socket(case.wire)), method=case.method.decode())  # type: ignore[arg-type]
    answer.begin()
    assert answer.status == case.status
    if case.method != b"CONNECT":
        assert answer.read() == case.body


@pytest.mark.promise("R5")
@pytest.mark.parametrize("case", LEGAL, ids=named)
def test_an_answer_that_ends_too_early_is_not_an_answer(case: Legal) -> None:
    head = read([case.wire], case.method)
    begins = len(case.wire) - (len(case.body) if case.until_end else 0)
    for length in range(begins):
        with pytest.raises(Broken, match="the server closed it"):
            read([case.wire[:length]] if length else [], case.method)
    assert head.status


ANOTHER = OK + b"Content-Length: 5\r\n\r\nfalse"


@pytest.mark.report("S13")
@pytest.mark.parametrize(
    "stray",
    [
        *(b"\r\n", b"\n", b"\r", b"x", b"\0", b"\r\n\r\n", b"x\r\n\r\n"),
        *(OK + EMPTY, ANOTHER, CHUNKED + ONE),
    ],
)
@pytest.mark.parametrize("case", [case for case in LEGAL if case.lasts], ids=named)
def test_nothing_follows_on_a_connection_with_bytes_behind_the_answer(
    case: Legal, stray: bytes
) -> None:
    for pieces in splits(case.wire + stray):
        found = read(pieces, case.method)
        assert (found.status, found.body) == (case.status, case.body), pieces
        assert not found.lasts, pieces


@pytest.mark.report("S13")
@pytest.mark.parametrize("stray", [b"", b"x"])
def test_bytes_behind_an_answer_without_a_body_are_given_back_and_seen(stray: bytes) -> None:
    reader = ResponseReader(b"POST")
    assert reader.feed_head(b"HTTP/1.1 204 No Content\r\n\r\n" + stray) == stray
    assert reader.complete
    assert reader.may_follow is (stray == b"")


@st.composite
def chunked(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """A chunked answer, cut anywhere, and its body."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
    extension = st.sampled_from([b"", b";a", b";a=b", b';a="b;\t c"', b"  "])
    size = st.sampled_from([b"%x", b"%X", b"00%x"])
    wire = CHUNKED
    for part in parts:
        wire += draw(size) % len(part) + draw(extension) + b"\r\n" + part + b"\r\n"
    trailers = draw(st.lists(st.sampled_from([b"A: b\r\n", b"C:\r\n", b"D: \xe4\r\n"]), max_size=3))
    wire += b"0" + draw(extension) + b"\r\n" + b"".join(trailers) + b"\r\n"
    cuts = sorted(draw(st.sets(st.integers(1, len(wire) - 1), max_size=12)))
    edges = [0, *cuts, len(wire)]
    return [wire[a:b] for a, b in pairwise(edges)], b"".join(parts)


@given(chunked())
@settings(max_examples=often(150, 3000), deadline=None)
def test_chunks_cut_anywhere(case: tuple[list[bytes], bytes]) -> None:
    pieces, body = case
    found = read(pieces)
    assert found.body == body
    assert found.lasts
    assert not read([*pieces[:-1], pieces[-1] + b"\r\n"]).lasts


@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", CHUNKED]))
@settings(max_examples=often(150, 3000), deadline=None)
def test_any_bytes_are_an_answer_or_a_fault(noise: bytes, start: bytes) -> None:
    for pieces in ([start + noise], [start, noise]):
        with contextlib.suppress(Broken):
            read([piece for piece in pieces if piece])


def test_headers_as_they_came() -> None:
    wire = OK + b"Set-Cookie: a=b\r\nSET-COOKIE:\t X \t\r\nX-Empty:\r\n" + EMPTY
    assert read([wire]).headers == [
        (b"set-cookie", b"a=b"),
        (b"set-cookie", b"X"),
        (b"x-empty", b""),
        (b"content-length", b"0"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"404 N\xe3o  \t!", b"N\xe3o  \t!"), (b"200 ", b""), (b"200", b"")],
)
def test_the_words_behind_the_status_as_they_came(line: bytes, reason: bytes) -> None:
    reader = ResponseReader(b"POST")
    reader.feed_head(b"HTTP/1.1 " + line + b"\r\n" + EMPTY)
    assert reader.reason == reason


def test_nothing_is_said_of_an_answer_before_its_head_is_complete() -> None:
    reader = ResponseReader(b"POST")
    assert reader.feed_head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + OK) is None
    assert (reader.status, reader.reason, reader.headers, reader.interims) == (0, b"", [], 2)
    assert (reader.complete, reader.may_follow, reader.is_chunked) == (False, False, False)


def test_headers_behind_the_body_are_not_the_answers() -> None:
    wire = CHUNKED + b"0\r\nWWW-Authenticate: Bearer\r\n\r\n"
    assert [name for name, _ in read([wire]).headers] == [b"transfer-encoding"]


# ------------------------------------------------------------------ illegal


@pytest.mark.report("S13")
@pytest.mark.parametrize("case", ILLEGAL, ids=named)
def test_every_illegal_answer_is_refused_with_a_reason_under_every_split(case: Illegal) -> None:
    for pieces in splits(case.wire):
        with pytest.raises(IllegalAnswer) as caught:
            read(pieces)
        assert str(caught.value).partition(": ")[0] == case.words
        assert str(caught.value).isprintable()


def test_a_length_is_read_as_long_as_it_fits_into_64_bits() -> None:
    """As many digits as fit, whatever they are (RFC 9110 §8.6); one more is not a length."""
    most = b"9" * (len(str(2**63 - 1)) - 1)
    reader = ResponseReader(b"POST")
    assert reader.feed_head(OK + b"Content-Length: %b\r\n\r\n" % most) == b""
    assert not reader.complete
    with pytest.raises(IllegalAnswer, match=NO_LENGTH):
        ResponseReader(b"POST").feed_head(OK + b"Content-Length: 1%b\r\n\r\n" % most)


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("came", "words"),
    [
        (b"", "the server closed it without an answer"),
        (b"\r\nHTTP/1.1 102 Wait\r\n\r\n", "the server closed it without an answer"),
        (b"H", "the server closed it in the middle of its answer"),
        (OK + b"Content-Length: 2\r\n\r\n", "the server closed it in the middle of its answer"),
        (CHUNKED, "the server closed it in the middle of its answer"),
    ],
)
def test_an_end_too_early_says_whether_an_answer_had_begun(came: bytes, words: str) -> None:
    reader = ResponseReader(b"POST")
    reader.feed_head(came)
    with pytest.raises(Broken) as caught:
        reader.end()
    assert str(caught.value) == words


# ------------------------------------------------------------------ requests


def test_a_request_is_written() -> None:
    head = write_head(b"POST", b"/mcp?a=%20", [(b"host", b"a"), (b"X-A", b"\xe4 \t b")])
    assert head == b"POST /mcp?a=%20 HTTP/1.1\r\nhost: a\r\nX-A: \xe4 \t b\r\n\r\n"


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        (b"/", b"a", b"b\r\nc: d"),
        (b"/", b"a", b"b\nc: d"),
        (b"/", b"a", b"b\rc"),
        (b"/", b"a", b"b\r\n\r\nGET / HTTP/1.1"),
        (b"/", b"a", b"b\0"),
        (b"/", b"a", b"\x7f"),
        (b"/", b"a b", b"c"),
        (b"/", b"a:", b"c"),
        (b"/", b"", b"c"),
        (b"/", b"a\r\nb", b"c"),
        (b"/ HTTP/1.1\r\nx: y", b"a", b"b"),
        (b"/a b", b"a", b"b"),
        (b"", b"a", b"b"),
        (b"/\r", b"a", b"b"),
    ],
)
def test_a_request_that_would_be_read_as_another_is_not_written(
    target: bytes, name: bytes, value: bytes
) -> None:
    with pytest.raises(CannotBeSent, match="a character that HTTP does not allow"):
        write_head(b"POST", target, [(b"host", b"a"), (name, value)])


def test_the_length_of_a_body_ends_a_head() -> None:
    head = write_head(b"POST", b"/", [(b"host", b"a")])
    assert add_length(head, 12) == b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n"


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("begun", "words"),
    [
        (
            b"\0\0\x12\x04\0",
            "it answers by HTTP/2, and HTTP/1.1 is needed; whoever runs it has to offer that",
        ),
        (b"\x15\x03\x01\0\x02", "it answers by TLS; write https:// in the URL"),
        (b"SSH-2.0", "its answer does not begin with HTTP/1.1 or HTTP/1.0"),
    ],
)
def test_what_is_not_http_is_told_by_how_it_begins(begun: bytes, words: str) -> None:
    with pytest.raises(IllegalAnswer) as caught:
        ResponseReader(b"POST").feed_head(begun)
    assert str(caught.value) == words


def test_what_cannot_be_written_is_told() -> None:
    with pytest.raises(CannotBeSent) as caught:
        write_head(b"POST", b"/ x", [])
    assert str(caught.value) == "a header, or the URL, has a character that HTTP does not allow"


@pytest.mark.parametrize(("status", "body"), [(299, b""), (300, b"hi")])
def test_a_tunnel_begins_behind_a_head_of_success_only(status: int, body: bytes) -> None:
    reader = ResponseReader(b"CONNECT")
    rest = reader.feed_head(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nhi" % status)
    assert rest == b"hi"
    assert reader.complete is (body == b"")
    assert body == b"" or reader.feed_body(rest) == body


def test_each_name_of_the_corpus_is_there_once() -> None:
    for cases in (LEGAL, ILLEGAL):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
