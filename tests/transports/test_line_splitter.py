"""Lines are whole however their bytes come, and of one too long both ends are told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.transports.line_splitter import KEPT_BYTES, LineSplitter

MAX = 1 << 20


class Lines:
    """What a splitter told."""

    def __init__(self, limit: int = MAX) -> None:
        self.told: list[bytes | tuple[bytes, bytes]] = []
        self.splitter = LineSplitter(
            limit, self.told.append, lambda head, tail: self.told.append((head, tail))
        )


@pytest.mark.promise("R2", "R8")
@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"\r")), max_size=8),
    st.integers(0, 2**32),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(0, 50),
)
def test_lines_do_not_depend_on_how_the_bytes_come(
    lines: list[bytes], seed: int, ended: bool, line_end: bytes, limit: int
) -> None:
    data = b"".join(line + line_end for line in lines)
    if not ended:
        data = data.removesuffix(b"\n")
    whole = data.split(b"\n")
    expected = [
        (line, line) if len(line) > limit else line.removesuffix(b"\r")
        for line in (whole if whole[-1] else whole[:-1])
    ]
    seen = Lines(limit)
    source = random.Random(seed)  # noqa: S311 - where to cut is not a secret
    while data:
        size = source.randint(1, len(data))
        seen.splitter.feed(data[:size])
        data = data[size:]
    seen.splitter.end()
    assert seen.told == expected


@pytest.mark.promise("R8")
@pytest.mark.parametrize("chunk", [1000, 65536, 10_000_000])
def test_of_a_line_too_long_both_ends_are_told_and_the_next_is_whole(chunk: int) -> None:
    line = bytes(range(11, 256)) * 2000
    assert len(line) > 3 * KEPT_BYTES
    data = b"before\n" + line + b"\nafter\n" + line
    seen = Lines(100_000)
    for start in range(0, len(data), chunk):
        seen.splitter.feed(data[start : start + chunk])
    seen.splitter.end()
    ends = (line[:KEPT_BYTES], line[-KEPT_BYTES:])
    assert seen.told == [b"before", ends, b"after", ends]


@pytest.mark.promise("R8")
def test_line_of_exactly_the_limit_is_kept() -> None:
    seen = Lines(5)
    seen.splitter.feed(b"12345\n123456\n12345")
    seen.splitter.end()
    seen.splitter.end()
    assert seen.told == [b"12345", (b"123456", b"123456"), b"12345"]
