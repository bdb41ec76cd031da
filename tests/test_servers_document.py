"""Every entry of docs/servers.md works with a server of its kind, and every sentence is said.

Reads entries and quotes out of the document. Must not import mcp_remote_py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.options.desk import Desk, Seen
from tests.server_kinds import PLAYS, Play, fails

DOCUMENT = Path(__file__).parent.parent / "docs" / "servers.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")

STORE = ("--token-store", "file")
"""The machine of the test does not have a keyring, which is said elsewhere."""


def sections() -> dict[str, str]:
    """What stands below each heading."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = sections()


def entries_of(text: str) -> dict[str, dict[str, Any]]:
    """The entries of the configurations in it."""
    blocks = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {
        name: entry for block in blocks for name, entry in json.loads(block)["mcpServers"].items()
    }


ENTRIES = entries_of(TEXT)
QUOTES = [
    (heading, quote)
    for heading, text in SECTIONS.items()
    for quote in re.findall(r"^> (.+)$", text, re.MULTILINE)
]


def start(play: Play, desk: Desk) -> tuple[Seen, str]:
    """The entry, started; and what was said, in the words of the document."""
    places = play.scene(desk)
    entry = ENTRIES[play.entry]
    assert (entry["command"], entry["args"][0]) == ("uvx", "mcp-remote-py")
    words = [word.replace(play.erased, "") for word in entry["args"][1:]]
    runs = [words[place : place + len(play.without)] for place in range(len(words))]
    if play.without:
        place = runs.index(list(play.without))
        del words[place : place + len(play.without)]

    def fill_in(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    environment = {name: fill_in(value) for name, value in entry.get("env", {}).items()}
    environment.pop(play.unset, None)
    desk.environment |= environment
    seen = desk.run("proxy", [*map(fill_in, words), *STORE])
    said = seen.text
    for name, place in places.items():
        said = said.replace(place, name)
    return seen, said.replace(" ".join(("", *STORE)), "")


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Play], tuple[Seen, str]]]:
    """Each play once, however many sentences are looked for in it."""
    done: dict[str, tuple[Seen, str]] = {}
    with ExitStack() as stack:

        def find(play: Play) -> tuple[Seen, str]:
            if play.name not in done:
                desk = Desk(tmp_path_factory.mktemp("servers"), stack)
                done[play.name] = start(play, desk)
            return done[play.name]

        yield find


Started = Callable[[Play], tuple[Seen, str]]


@pytest.mark.promise("P2")
@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.name)
def test_an_entry_does_what_the_document_says(play: Play, started: Started) -> None:
    seen, said = started(play)
    assert play.see(seen), (seen.status, said, seen.answers)


@pytest.mark.promise("P2")
@pytest.mark.parametrize(("heading", "quote"), QUOTES, ids=lambda word: word[:40])
def test_a_quoted_sentence_is_said(heading: str, quote: str, started: Started) -> None:
    entries = entries_of(SECTIONS[heading])
    # What can be wrong with any address is said by the first one.
    plays = [play for play in PLAYS if play.entry in {**entries, "open": None}]
    said = [started(play)[1] for play in plays]
    assert any(quote in one for one in said), said


def test_every_entry_is_started_and_works_somewhere() -> None:
    works = {play.entry for play in PLAYS if play.see is not fails}
    assert works == set(ENTRIES)


def test_the_table_leads_to_every_section() -> None:
    links = re.findall(r"\]\(#([\w-]+)\)", TEXT.partition("\n## ")[0])
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in SECTIONS]
    assert links == anchors
