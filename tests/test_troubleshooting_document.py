"""Each symptom of docs/troubleshooting.md is brought about, and says the sentences quoted there.

That its commands are right is checked in `test_document_blocks.py`. Must not import mcp_remote_py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.documents import anchor_of, quotes_in, sections_in
from tests.options.desk import Desk
from tests.symptoms import SYMPTOMS, Run, said_by

pytestmark = pytest.mark.promise("P2")

TEXT = (Path(__file__).parent.parent / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SECTIONS = sections_in(TEXT)
WORDLESS = {"Where the words are"}
"""Sections that are not of a sentence."""


@pytest.fixture(scope="module", name="said")
def play_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Run, str]]:
    """What each run said; each is played once, when it is first asked for."""
    with ExitStack() as stack:

        class Said(dict[Run, str]):
            def __missing__(self, run: Run) -> str:
                self[run] = said_by(run, Desk(tmp_path_factory.mktemp("symptom"), stack))
                return self[run]

        yield Said()


@pytest.mark.parametrize("heading", SYMPTOMS)
def test_a_symptom_says_what_is_quoted(heading: str, said: dict[Run, str]) -> None:
    quotes = quotes_in(SECTIONS[heading])
    texts = [said[run] for run in SYMPTOMS[heading]]
    assert quotes
    for quote in quotes:
        assert any(quote in text for text in texts), (quote, texts)
    # Each run is there for a sentence.
    assert all(any(quote in text for quote in quotes) for text in texts)


def test_every_symptom_has_its_runs() -> None:
    assert SECTIONS.keys() - WORDLESS == SYMPTOMS.keys()


def test_the_table_leads_to_sections() -> None:
    links = re.findall(r"\]\(#([\w-]+)\)", TEXT.partition("\n## ")[0])
    assert links
    assert set(links) <= {anchor_of(heading) for heading in SECTIONS}


def test_every_symptom_has_something_to_do() -> None:
    """A command, an option, a variable or a link, behind the sentences."""
    for heading in SYMPTOMS:
        rest = SECTIONS[heading].rpartition("\n> ")[2].partition("\n")[2]
        assert re.search(r"```sh|`--|`\"--|\]\(|`env`|`issuer`", rest), heading
