"""A long text is read in slices as it would be in one go: the same members, the same refusals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.bounds import MAX_BATCH, MAX_MEMBERS, MAX_MENDED_BYTES
from mcp_remote_py.survey import (
    MAX_NAME_BYTES,
    SURVEY_BYTES,
    Layout,
    MemberPlaces,
    TooMany,
    survey_array,
    survey_object,
)
from tests.thorough import often

T = TypeVar("T")

decode_whole = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

LONE = rb"\ud800"


def mend(text: bytes) -> bytes:
    """A rule of the test's own: only the one spelling that `LONE` is has to be mended."""
    return text.replace(LONE, rb"\ufffd")


def take(steps: Generator[None, None, T]) -> tuple[T, int]:
    """The outcome, and after how many steps."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def read(text: bytes, slice_bytes: int = SURVEY_BYTES) -> tuple[Layout, int]:
    return take(survey_object(text, mend, slice_bytes=slice_bytes))


def members_of(text: bytes, layout: Layout) -> dict[str, bytes]:
    mended = bytearray(text)
    for start, piece in layout.mended:
        mended[start : start + len(piece)] = piece
    return {name: bytes(mended[place]) for name, place in layout.members.places}


MARKS = ["\\", '"', "{", "}", "[", "]", ",", ":", "u", "😀", "é", "\n", "\x01", "}},", " ", "0"]


class Maker:
    """Makes JSON whose strings look like structure, and spoils it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same for each seed

    def text(self) -> bytes:
        """An object."""
        pick = self._random.choice
        value = {
            self._string(): self._value(pick([0, 1, 2, 3, 4])) for _ in range(pick([0, 1, 2, 4]))
        }
        indent, is_ascii = pick([None, None, 1, "\t"]), pick([True, False])
        return json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()

    def spoil(self, text: bytes) -> bytes:
        """It with a few bytes changed, added or left out."""
        spoilt = bytearray(text)
        for _ in range(self._random.randint(1, 3)):
            at = self._random.randrange(len(spoilt) or 1)
            other = [] if self._random.random() < 0.4 else [self._random.choice(b'[]{},:"\\u0 -e.')]
            spoilt[at : at + self._random.randrange(2)] = bytes(other)
        return spoilt.decode("utf-8", "replace").encode() or b" "

    def with_lone(self, text: bytes) -> bytes:
        """It with some characters that only `mend` makes readable."""
        for _ in range(3):
            text = text.replace(b"b", self._random.choice([LONE, LONE * 3, rb"\ud83d\ude00"]), 1)
        return text

    def _string(self) -> str:
        some = self._random.choice(["abc", MARKS])
        return "".join(self._random.choice(some) for _ in range(self._random.choice([0, 1, 9, 60])))

    def _value(self, depth: int) -> Any:
        pick = self._random.choice
        kind, count = pick("slno"), pick([0, 1, 2, 5, 20])
        if depth and kind == "l":
            return [self._value(depth - 1) for _ in range(count)]
        if depth and kind == "o":
            return {self._string(): self._value(depth - 1) for _ in range(count)}
        if kind == "s":
            return self._string()
        return pick([None, True, False, 0, -1.5e30, 10 ** pick([1, 9, 40])])


def as_it_is(_: Maker, text: bytes) -> bytes:
    return text


@pytest.mark.promise("R1", "R8")
@pytest.mark.report("S4")
@pytest.mark.parametrize("change", [as_it_is, Maker.spoil, Maker.with_lone])
@given(seed=st.integers(0, 2**40), slice_bytes=st.sampled_from([16, 17, 23, 40, 64, 200, 1000]))
@settings(max_examples=often(150, 3000), deadline=None)
def test_slices_say_what_the_whole_says(
    change: Callable[[Maker, bytes], bytes], seed: int, slice_bytes: int
) -> None:
    maker = Maker(seed)
    text = change(maker, maker.text())
    expected = None
    for readable in (text, mend(text)):
        try:
            expected = expected or {
                name: bytes(value) for name, value in decode_whole(readable).items()
            }
        except msgspec.MsgspecError:
            continue
    try:
        layout, _ = read(text, slice_bytes)
    except msgspec.DecodeError:
        assert not expected
    else:
        assert members_of(text, layout) == expected


def inner_of(text: bytes, layout: Layout, *names: str) -> list[tuple[str, bytes]] | None:
    members: MemberPlaces | None = layout.members
    for name in names:
        members = None if members is None else members.inner.get(name)
    if members is None:
        return None
    return [(name, text[place]) for name, place in members.places]


@pytest.mark.promise("R1", "R8")
@pytest.mark.parametrize("change", [as_it_is, Maker.spoil])
@given(seed=st.integers(0, 2**40), slice_bytes=st.sampled_from([16, 23, 64, 1000]))
@settings(max_examples=often(150, 3000), deadline=None)
def test_members_inside_are_found_as_the_decoder_finds_them(
    change: Callable[[Maker, bytes], bytes], seed: int, slice_bytes: int
) -> None:
    maker = Maker(seed)
    inside = change(maker, maker.text())
    text = b'{"a" : %b,"b":{"c":0,"a": %b } ,"d":{"a":0}}' % (inside, inside)
    steps = survey_object(text, mend, {"a": {}, "b": {"a": {}}}, slice_bytes)
    try:
        whole = decode_whole(text)
    except msgspec.MsgspecError:
        with pytest.raises(msgspec.DecodeError):
            take(steps)
        return
    layout, _ = take(steps)
    assert members_of(text, layout) == {name: bytes(value) for name, value in whole.items()}
    for value, names in ((whole["a"], ("a",)), (decode_whole(whole["b"])["a"], ("b", "a"))):
        found = inner_of(text, layout, *names)
        try:
            expected = decode_whole(value)
        except msgspec.ValidationError:
            assert found is None
        else:
            assert dict(found or []) == {name: bytes(one) for name, one in expected.items()}
            assert found is not None
    assert inner_of(text, layout, "d") is None


def test_members_inside_are_not_given_where_they_are_not_an_object_or_many() -> None:
    many = b"{%b}" % b",".join(b'"%d":0' % number for number in range(MAX_MEMBERS + 1))
    few = b"{%b}" % b",".join(b'"%d":0' % number for number in range(MAX_MEMBERS))
    text = b'{"a":[1],"b":%b,"c":%b,"d":{"x":1},"d":{"y":2},"e":{"x":1},"e":0}' % (many, few)
    layout, _ = take(survey_object(text, mend, {name: {} for name in "abcde"}))
    assert inner_of(text, layout, "a") is None
    assert inner_of(text, layout, "b") is None
    assert len(inner_of(text, layout, "c") or []) == MAX_MEMBERS
    assert inner_of(text, layout, "d") == [("y", b"2")]
    assert inner_of(text, layout, "e") is None
    assert [name for name, _ in layout.members.places] == ["a", "b", "c", "d", "d", "e", "e"]


@pytest.mark.promise("R1", "R8")
@given(seed=st.integers(0, 2**40), slice_bytes=st.sampled_from([16, 17, 23, 40, 64]))
@settings(max_examples=often(200, 3000), deadline=None)
def test_what_has_to_be_mended_inside_is_found_as_well(seed: int, slice_bytes: int) -> None:
    maker = Maker(seed)
    inside = maker.with_lone(maker.text())
    text = b'{"a":{"b":%b,"c":"abb%b"},"id":1,"a2":{"b%b":{"b":"%b"},"z":0}}' % (
        *(inside, LONE, LONE, LONE),
    )
    layout, _ = take(survey_object(text, mend, {"a": {"b": {}}, "a2": {}}, slice_bytes))
    expected = decode_whole(mend(text))
    assert members_of(text, layout) == {name: bytes(one) for name, one in expected.items()}
    assert [name for name, _ in inner_of(text, layout, "a2") or []] == [
        *(decode_whole(expected["a2"])),
    ]


@pytest.mark.parametrize(
    "inside", [b"[,%b1]", b'{ ,%b"a":1}', b"[1,,%b2]", b'{"a":1,%b}', b"[1,%b]", b'{"a":,%b1}']
)
def test_a_comma_without_a_value_is_refused_wherever_a_slice_ends(inside: bytes) -> None:
    for blanks in (0, 10, 3000, 70_000):
        text = b'{"a":{"x":%b},"b":%b}' % ((inside % (b" " * blanks),) * 2)
        for slice_bytes in (16, 1000, SURVEY_BYTES):
            with pytest.raises(msgspec.DecodeError):
                take(survey_object(text, mend, {"a": {}}, slice_bytes))


LONG: dict[str, bytes] = {
    "one string": b'"' + b"x" * 3_000_000 + b'"',
    "characters of two bytes": b'"' + "é".encode() * 1_500_000 + b'"',
    "escapes": b'"' + rb"\u00e9\ud83d\ude00\"\\" * 130_000 + b'"',
    "numbers": b"[" + b"0," * 1_500_000 + b"0]",
    "objects": b"[" + b'{"name":"a, b","tags":["[","]"],"x":{"y":1}},' * 60_000 + b"0]",
    "pretty": b"[\n" + b'  {\n    "name": "a"\n  },\n' * 100_000 + b"  0\n]",
    "nested": b"[" + (b'[{"a":' * 200 + b"1" + b"}]" * 200 + b",") * 1800 + b"0]",
    "blanks": b"[1, " + b" " * 400_000 + b"1]",
}


@pytest.mark.promise("R8")
@pytest.mark.parametrize("name", LONG)
def test_a_long_value_is_read_in_many_steps(name: str) -> None:
    text = b'{"id" : 1, "result":%b , "jsonrpc":"2.0"}\n' % LONG[name]
    layout, steps = read(text)
    assert members_of(text, layout) == {"id": b"1", "result": LONG[name], "jsonrpc": b'"2.0"'}
    assert layout.mended == []
    assert steps >= (5 if name == "blanks" else len(text) // SURVEY_BYTES)


def test_of_two_values_of_one_name_the_last_counts() -> None:
    text = b'{"a":1,"b":2,"a":[3]}'
    assert members_of(text, read(text)[0]) == {"a": b"[3]", "b": b"2"}


@pytest.mark.report("S4")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a":[1,2', "Input data was truncated"),
        (b'{"a":[%b 1 2]}' % (b"1," * 100_000), "expected ',' or ']' (byte 200009)"),
        (b'{"a":"%b\n"}' % (b"x" * 100_000), "invalid character (byte 100006)"),
        (b'{"a":"%b\\x"}' % (b"x" * 100_000), "invalid escaped character (byte 100007)"),
        (b'{"a":1}x', "trailing characters (byte 7)"),
        (b'{"a":1 "b":2}', "invalid character (byte 6)"),
        (b'{"a":1,}', "invalid character (byte 7)"),
        (b"{a:1}", "invalid character (byte 1)"),
        (b'{"\\x":1}', "invalid name (byte 1)"),
        (b'{"a":%b}' % (b"1" * 3_000_000), "invalid number (byte 5)"),
        (b'{"a":1,%b"b":1}' % (b" " * MAX_NAME_BYTES), "invalid character (byte 7)"),
    ],
    ids=range(11),
)
def test_what_is_not_an_object_is_refused_with_its_place(text: bytes, words: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        read(text)
    assert words in str(caught.value)


@pytest.mark.report("S4")
def test_an_object_with_many_members_is_refused() -> None:
    members = [b'"%d":0' % number for number in range(MAX_MEMBERS + 1)]
    assert len(read(b"{%b}" % b",".join(members[1:]))[0].members.places) == MAX_MEMBERS
    with pytest.raises(TooMany) as caught:
        read(b"{%b}" % b",".join(members))
    assert str(caught.value) == f"it has more than {MAX_MEMBERS} members"


def test_a_text_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(RecursionError):
        read(b'{"a":%b' % (b"[0," * 1_000_000))


def test_of_a_text_above_the_limit_nothing_is_kept_that_was_mended() -> None:
    small = b'{"a":"%b"}' % (LONE * 10)
    large = b'{"a":"%b%b"}' % (LONE * 10, b"x" * MAX_MENDED_BYTES)
    assert read(small)[0].mended == [(5, rb'"' + rb"\ufffd" * 10 + rb'"')]
    assert read(large)[0].mended == []


# Arrays


def cut(text: bytes, at_most: int = MAX_BATCH, slice_bytes: int = SURVEY_BYTES) -> list[bytes]:
    places, _ = take(survey_array(text, mend, at_most, slice_bytes))
    return [text[place] for place in places]


@pytest.mark.report("S4")
@pytest.mark.parametrize("many", [0, 1, 2, MAX_BATCH, MAX_BATCH + 1, 50 * MAX_BATCH])
def test_elements_keep_their_bytes_and_are_never_too_many(many: int) -> None:
    elements = [b"%d" % number for number in range(many)]
    assert cut(b" [" + b" , ".join(elements) + b" ] ") == elements[: MAX_BATCH + 1]


@pytest.mark.promise("R1")
@given(seed=st.integers(0, 2**40), slice_bytes=st.sampled_from([16, 23, 64, 1000]))
@settings(max_examples=often(50, 1000), deadline=None)
def test_elements_of_any_kind_are_found(seed: int, slice_bytes: int) -> None:
    maker = Maker(seed)
    elements = [maker.text() for _ in range(seed % 4)]
    assert cut(b"[%b]" % b",\n".join(elements), 10, slice_bytes) == elements


@pytest.mark.parametrize("text", [b"{}", b"[1", b"[1,]", b"", b"[1]x", b"[,1]", b"[1 2]", b"[x]"])
def test_what_is_not_an_array_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        cut(text)


# Counting
