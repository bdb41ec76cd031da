"""Beside gh, uv, llm and HTTPie nothing is missing in our words (docs/side-by-side.md)."""

from __future__ import annotations

import pytest

from tests.documents import read
from tests.side_by_side import KINDS, OURS, Kind, read_record, run_ours, see_ours, seen_of

RECORD = read_record()
MISTAKES = [kind for kind in KINDS if "mistyped" in kind.name or kind.name.startswith("a ")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_we_show_what_any_of_the_others_shows(kind: Kind) -> None:
    others = {program: seen_of(program, kind) for program in RECORD}
    assert {program for program, seen in others.items() if seen is None} == {
        program for program, words in kind.words.items() if words is None
    }
    shown = {sign for seen in others.values() if seen for sign in seen.signs}
    assert set(see_ours(kind).signs) >= shown
    assert shown or not kind.signs


@pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.name)
def test_a_mistake_is_told_on_two_lines_of_the_terminal(kind: Kind) -> None:
    seen = see_ours(kind)
    assert (seen.status, seen.stream, seen.lines) == (2, "err", 2)
    assert seen.widest <= 80


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_line_is_too_wide_but_one_to_be_copied(kind: Kind) -> None:
    printed = run_ours(kind.words[OURS] or "")
    if kind.name != "completion":
        wide = [line for line in (printed.stdout + printed.stderr).splitlines() if len(line) > 80]
        assert all(line.startswith("    $ ") for line in wide), wide


def test_the_page_names_who_was_looked_at_and_when() -> None:
    text = read("docs/side-by-side.md")
    assert {one["day"] for one in RECORD.values()} == {"2026-11-30"}
    assert "on 30 November 2026" in text
    assert all(f"| {name} {one['version']} |" in text for name, one in RECORD.items())
