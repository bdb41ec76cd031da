"""A long text is cut at its members as the decoder would, and no further than anybody looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.bounds import LONG_BYTES, MAX_MEMBERS
from mcp_remote_py.json_text import (
    PLAIN_BYTES,
    UNREADABLE,
    decode_list,
    read_members,
    read_names,
    read_pairs,
)

decode_whole_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_whole_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

BLANKS = st.text(" \t\r\n", max_size=3)
FULL = json.dumps([0] * MAX_MEMBERS)
"""A value in which counting commas does not decide."""


def json_values() -> st.SearchStrategy[str]:
    plain = st.sampled_from(
        ["0", "-1.50e+3", "true", "null", '"a"', r'"\ud83d\ude00,\"]"', FULL, "{ }"]
    )
    return st.recursive(plain, lambda inner: spelled_lists(inner) | spelled_objects(inner))


@st.composite
def spelled_lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    return spell(draw, draw(st.lists(inner, max_size=3)), "[]")


@st.composite
def spelled_objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(st.sampled_from(["a", "b", "é", r"\n"]), inner), max_size=3))
    spelled = [f'"{name}"{draw(BLANKS)}:{draw(BLANKS)}{one}' for name, one in members]
    return spell(draw, spelled, "{}")


def spell(draw: st.DrawFn, parts: list[str], brackets: str) -> str:
    inside = ",".join(f"{draw(BLANKS)}{one}{draw(BLANKS)}" for one in parts)
    return f"{draw(BLANKS)}{brackets[0]}{inside or draw(BLANKS)}{brackets[1]}{draw(BLANKS)}"


def read(decode: Callable[[bytes], Any], text: bytes) -> object:
    """What is read, as bytes; None of what cannot be."""
    try:
        found = decode(text)
    except UNREADABLE:
        return None
    if isinstance(found, dict):
        members = cast("dict[str, msgspec.Raw]", found)
        return [(name, bytes(one)) for name, one in members.items()]
    return None if found is None else [bytes(one) for one in found]


@pytest.mark.report("S4")
@settings(deadline=None)
@given(json_values(), st.sampled_from(["", "", "[", "]", "}", ",", ":", "x", '"']), st.data())
def test_a_long_text_is_read_as_a_short_one(text: str, odd: str, data: st.DataObject) -> None:
    """Also where a byte too many makes it something else."""
    at = data.draw(st.integers(0, len(text)))
    short = (text[:at] + odd + text[at:]).encode()
    blanks = b" " * (PLAIN_BYTES + 1)
    for spelled in (short, blanks + short, short + blanks):
        assert read(decode_list, spelled) == read(decode_whole_list, short)
        assert read(read_members, spelled) == read(decode_whole_object, short)


@pytest.mark.report("S4")
@given(st.lists(st.tuples(st.sampled_from("aAb"), st.sampled_from(["1", "[2]"]))))
def test_what_is_there_twice_is_read_twice(members: list[tuple[str, str]]) -> None:
    inside = ",".join(f'"{name}":{value}' for name, value in members)
    text = f"{{{inside}}}"
    for spelled in (text.encode(), text.encode() + b" " * PLAIN_BYTES):
        pairs = read_pairs(spelled)
        assert [(name, bytes(one).decode()) for name, one in pairs or ()] == members
        assert read_names(spelled) == [name for name, _ in members]


@pytest.mark.report("S4")
@pytest.mark.parametrize("beside", [-1, 0, 1, 1000])
@pytest.mark.parametrize("first", ["0", FULL, r'",{[\"],"'])
def test_members_are_counted_at_the_outermost_level(first: str, beside: int) -> None:
    others = range(MAX_MEMBERS + beside - 1)
    listed = f"[{first}{',0' * len(others)}]".encode()
    members = ",".join(f'"{number}":0' for number in others)
    named = f'{{"first":{first},{members}}}'.encode()
    for blanks in (b"", b" " * PLAIN_BYTES):
        assert (read(decode_list, listed + blanks) is not None) == (beside <= 0)
        assert (read_members(named + blanks) is not None) == (beside <= 0)
        assert (read_names(named + blanks) is not None) == (beside <= 0)


@pytest.mark.report("S4")
@pytest.mark.parametrize("text", [b"[" * 300_000, b'{"a":1 "b":2}', b"[0,0", b"0", b"[1]]", b"[1 "])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    for spelled in (text, text + b" " * PLAIN_BYTES, text + b"," * LONG_BYTES):
        assert read(decode_list, spelled) is None
        assert read_members(spelled) is None
