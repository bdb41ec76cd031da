"""What code cites by a number is told somewhere: field notes, decisions, root causes, promises.

So a reason behind a constant can be looked up. Must not know what the reasons say.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import PROMISES

ROOT = Path(__file__).parent.parent
PLACES = ("mcp_remote_py", "tests", "scripts")
FOREIGN = {"node_modules", "__pycache__"}
"""Folders of what the tests install; those of environments begin with a dot."""

NUMBERS = r"(\d+(?:(?:, | and | to )\d+)*)"
NOTES = re.compile(rf"\bfield notes? {NUMBERS}", re.IGNORECASE)
DECISIONS = re.compile(r"\bdecisions? (D\d+)|\((D\d+)\)")
CAUSES = re.compile(r"\broot causes? (L\d+)|\((L\d+(?:, L\d+)*)[,;)]")
PROMISED = re.compile(r"\bpromises? ([A-Z]\d+)", re.IGNORECASE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sources() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            if not any(part in FOREIGN or part.startswith(".") for part in parts):
                yield path


def read_prose(path: Path) -> str:
    """The comments and strings of a module, with blanks for line ends: a citation may span two."""
    with tokenize.open(path) as file:
        tokens = [
            token.string.lstrip("# ")
            for token in tokenize.generate_tokens(file.readline)
            if token.type in (tokenize.COMMENT, tokenize.STRING)
        ]
    return " ".join(" ".join(tokens).split())


@pytest.fixture(name="prose", scope="module")
def read_all_prose() -> dict[str, str]:
    """The prose of each module, and of each page of ours."""
    found = {str(path.relative_to(ROOT)): read_prose(path) for path in sources()}
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        name = str(path.relative_to(ROOT))
        found[name] = " ".join(read(name).split())
    return found


def cited(pattern: re.Pattern[str], prose: dict[str, str]) -> dict[str, str]:
    """What is cited, with a module that does so."""
    found: dict[str, str] = {}
    for name, text in prose.items():
        for groups in pattern.findall(text):
            numbers = groups if isinstance(groups, str) else "".join(groups)
            for number in re.split(r", | and | to ", numbers):
                found[number] = name
    return found


def headings(name: str, pattern: str) -> list[str]:
    return re.findall(pattern, read(name), re.MULTILINE)


def test_every_field_note_that_is_cited_is_told_and_no_other(prose: dict[str, str]) -> None:
    told = headings("docs/field-notes.md", r"^### (\d+)$")
    assert told == sorted(set(told), key=int)
    by_code = {name: text for name, text in prose.items() if not name.endswith(".md")}
    assert cited(NOTES, by_code).keys() == set(told)
    assert cited(NOTES, prose).keys() == set(told)


def test_every_field_note_says_what_is_seen_why_and_what_follows() -> None:
    notes = re.split(r"^### \d+$", read("docs/field-notes.md"), flags=re.MULTILINE)[1:]
    for note in notes:
        parts = [note.index(f"**{part}:**") for part in ("Seen", "Cause", "For us")]
        assert parts == sorted(parts), note


def test_every_decision_that_is_cited_is_told_with_its_reason(prose: dict[str, str]) -> None:
    told = headings("docs/decisions.md", r"^## (D\d+): ")
    assert told == [f"D{number}" for number in range(1, len(told) + 1)]
    promised = {name for name in PROMISES if name.startswith("D")}
    assert {*cited(DECISIONS, prose), *promised} <= set(told)
    for decision in re.split(r"^## D\d+: ", read("docs/decisions.md"), flags=re.MULTILINE)[1:]:
        assert "**Because**" in decision, decision


def test_every_root_cause_that_is_cited_has_its_row(prose: dict[str, str]) -> None:
    told = headings("docs/never-a-loop.md", r"^\| (L\d+) \|")
    assert len(told) == 20
    missing = {cause: name for cause, name in cited(CAUSES, prose).items() if cause not in told}
    assert not missing


def test_every_promise_that_is_cited_is_one(prose: dict[str, str]) -> None:
    promises = cited(PROMISED, prose)
    assert {"R1", "S2", "A6"} <= promises.keys()
    missing = {promise: name for promise, name in promises.items() if promise not in PROMISES}
    assert not missing


def test_the_pages_are_linked_where_a_maintainer_looks() -> None:
    text = read("CONTRIBUTING.md")
    for page in ("docs/field-notes.md", "docs/decisions.md"):
        assert f"]({page})" in text
