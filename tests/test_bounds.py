"""Bounds before decoding: what a body, a text or a fault may cost, by input and output alone."""

from __future__ import annotations

import gzip
import zlib
from itertools import count, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.bounds import (
    FREE_OUTPUT,
    MAX_GZIP_MEMBERS,
    MAX_PARTS,
    MAX_RATIO,
    TURN_BYTES,
    Decompressor,
    Growing,
    Tally,
    has_few_parts,
    open_body,
)
from mcp_remote_py.errors import Interrupted, Unusable

WHO = "The server"


def opened(coding: bytes) -> Decompressor:
    decoder = open_body(coding, WHO)
    assert decoder is not None
    return decoder


def decode(coding: bytes, *pieces: bytes) -> bytes:
    decoder = opened(coding)
    made = b"".join(part for piece in pieces for part in decoder.feed(piece))
    decoder.end()
    return made


# Codings


NOT_CODED = (
    *(b"", b"identity", b"none", b"null", b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1"),
    *(b"7bit", b"8bit", b"binary", b"plain", b"text", b"json", b"aws-chunked", b"amz-1.0"),
    *(b"None", b"UTF-8", b"identity, ", b" , ", b"UTF8", b"chunked", b"application/json"),
    *(b"undefined", b"false", b'"identity"', b"*"),
)
"""What servers write for a body that is not compressed."""


@pytest.mark.report("S5", "S6", "T5")
@pytest.mark.parametrize("name", NOT_CODED)
def test_a_name_for_nothing_is_not_a_coding(name: bytes) -> None:
    assert open_body(name, WHO) is None
    assert open_body(b"gzip, %b" % name, WHO) is not None


@pytest.mark.report("T5")
def test_a_parameter_is_not_a_coding() -> None:
    assert open_body(b"charset=utf-8", WHO) is None
    assert open_body(b"identity; charset=utf-8", WHO) is None
    assert decode(b"gzip;q=1.0", gzip.compress(b"body")) == b"body"


@pytest.mark.report("T5")
@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"deflate", b"br", b"zstd"])
@pytest.mark.parametrize(
    "body", [b'{"id":1}', b" \n[1]", b"data: {}\n\n", b"event: message\n", b": hi\n\n", b"<p>x"]
)
def test_a_body_that_was_decoded_on_the_way_is_read_as_it_is(coding: bytes, body: bytes) -> None:
    assert decode(coding, body) == body
    assert decode(coding, body[:1], body[1:3], b"", body[3:]) == body


@pytest.mark.report("T5")
@given(st.binary(max_size=3 * TURN_BYTES), st.integers(1, 5000))
def test_deflate_without_its_wrapping_is_deflate_too(body: bytes, size: int) -> None:
    body = b'{"' + body
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(body) + packer.flush()
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert decode(b"deflate", *pieces) == body


@pytest.mark.report("T5")
def test_what_is_neither_coded_nor_text_is_told() -> None:
    for coding in (b"gzip", b"deflate"):
        with pytest.raises(Unusable) as caught:
            decode(coding, b"\xff\xfe\xfd")
        assert caught.value.cause.startswith("The server sent a broken compressed answer: ")
        assert "Switch that compression off" in caught.value.hint
        with pytest.raises(Interrupted):
            decode(coding, b"{")


@pytest.mark.report("S5", "S6")
@pytest.mark.parametrize(
    "names",
    [b"br", b"zstd", b"compress", b"gzip, gzip", b"gzip,deflate", b"gzip, identity, gzip", b"x,xz"],
)
def test_another_coding_or_a_second_layer_is_refused_in_a_sentence(names: bytes) -> None:
    with pytest.raises(Unusable) as caught:
        decode(names, b"\x0b\x02\x80")
    assert caught.value.cause.startswith("The server compressed its answer as '")
    assert caught.value.hint


@pytest.mark.report("S6")
@given(st.binary(max_size=3 * TURN_BYTES), st.integers(1, 5000), st.booleans())
def test_one_layer_is_undone_however_it_is_cut(body: bytes, size: int, is_gzip: bool) -> None:
    packed = gzip.compress(body) if is_gzip else zlib.compress(body)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert decode(b"gzip" if is_gzip else b"deflate", *pieces) == body


@pytest.mark.report("S6")
@given(st.lists(st.binary(max_size=100), min_size=2, max_size=5), st.integers(1, 30))
def test_all_members_are_read(bodies: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, bodies))
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert decode(b"x-gzip", *pieces) == b"".join(bodies)


@pytest.mark.report("S6")
@pytest.mark.parametrize("behind", [b"\0\0", b"garbage", b"\x1f", b"\x1f\x1f"])
@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_what_stands_behind_the_end_is_passed_over(coding: bytes, size: int, behind: bytes) -> None:
    """Also what looks like one more member: that has no place behind what is none."""
    pack = gzip.compress if coding == b"gzip" else zlib.compress
    packed = pack(b"body") + behind + b"\0" + gzip.compress(b"more")
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert decode(coding, *pieces) == b"body"


@pytest.mark.report("S6")
def test_what_breaks_off_was_interrupted() -> None:
    with pytest.raises(Interrupted):
        decode(b"gzip", gzip.compress(b"body" * 100)[:-9])


def test_nothing_at_all_is_nothing() -> None:
    assert decode(b"gzip") == b""


@pytest.mark.report("S5", "S6")
def test_a_bomb_is_found_out_by_its_ratio_after_a_free_part() -> None:
    packed = gzip.compress(b"0" * (4 * FREE_OUTPUT), 9)
    assert MAX_RATIO * len(packed) < 4 * FREE_OUTPUT
    parts: list[bytes] = []
    with pytest.raises(Unusable) as caught:
        parts.extend(opened(b"gzip").feed(packed))
    assert max(map(len, parts)) <= TURN_BYTES
    given_out = sum(map(len, parts))
    assert f"{MAX_RATIO} to 1" in caught.value.cause
    assert given_out <= max(FREE_OUTPUT, MAX_RATIO * len(packed))


def test_a_member_that_begins_where_a_turn_ends_is_read() -> None:
    plain = bytes(TURN_BYTES - 24)
    first = gzip.compress(plain, 0)
    assert len(first) == TURN_BYTES - 1
    assert decode(b"gzip", first + gzip.compress(b"more")) == plain + b"more"


@pytest.mark.report("S6")
def test_members_are_counted() -> None:
    with pytest.raises(Unusable) as caught:
        decode(b"gzip", gzip.compress(b"") * (MAX_GZIP_MEMBERS + 1))
    assert "parts" in caught.value.cause


# Texts


@pytest.mark.report("S4")
@pytest.mark.parametrize("unit", [b"0,", b"[", b'{"a":', b"[],"])
def test_parts_are_counted_at_all_levels(unit: bytes) -> None:
    assert has_few_parts(unit * 100)
    assert not has_few_parts(unit * (MAX_PARTS + 1))


# What grows


@given(st.lists(st.binary(max_size=50)), st.integers(0, 3))
def test_what_grows_is_given_away_whole(pieces: list[bytes], megabytes: int) -> None:
    growing = Growing(10)
    filler = [b"x" * 600_000] * (2 * megabytes)
    for piece in [*filler, *pieces]:
        growing.write(piece)
    whole = b"".join([*filler, *pieces])
    assert growing.size == len(whole)
    assert growing.take() == whole
    assert growing.size == 0


@pytest.mark.parametrize("blanks", [b"", b"\r\n", b" \t\r\n" * TURN_BYTES])
@pytest.mark.parametrize("body", [b"", b"{}", b" {\n} x"])
def test_layout_is_taken_off_the_end(body: bytes, blanks: bytes) -> None:
    growing = Growing(10)
    growing.write(body + blanks)
    growing.cut_blanks()
    assert growing.take() == body


# Logs


@pytest.mark.report("S12")
def test_the_first_is_told_and_then_each_power_of_ten() -> None:
    tally = Tally()
    told = [(number, tally.take()) for number in takewhile(lambda n: n <= 5000, count(1))]
    assert [(number, words) for number, words in told if words is not None] == [
        (1, ""),
        (10, " (10 times so far)"),
        (100, " (100 times so far)"),
        (1000, " (1000 times so far)"),
    ]
