"""Every link in the documents leads to a file and to a heading that is there.

Links out of the project are https, and listed: nobody asks them here. That the site has the same
links is checked where it is built (`test_site.py`).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from tests.documents import DOCUMENTS, ROOT, anchors_in, links_in

OUTSIDE = {
    "https://docs.astral.sh/uv/getting-started/installation/",
    "https://keepachangelog.com/en/1.1.0/",
    "https://semver.org/spec/v2.0.0.html",
    "https://www.npmjs.com/package/mcp-remote",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    for link in links_in(document):
        if re.match(r"\w+:", link):
            assert link in OUTSIDE, link
            continue
        target, _, anchor = link.partition("#")
        path = PurePosixPath(document).parent / target if target else PurePosixPath(document)
        assert (ROOT / path).is_file(), link
        if anchor:
            place = (ROOT / path).resolve().relative_to(ROOT).as_posix()
            assert anchor in anchors_in(place), link


def test_every_link_out_is_used_and_safe() -> None:
    used = {link for document in DOCUMENTS for link in links_in(document) if ":" in link}
    assert used == OUTSIDE
    assert all(link.startswith("https://") for link in OUTSIDE)


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached:
            continue
        reached.add(document)
        for link in links_in(document):
            target = link.partition("#")[0]
            if target.endswith(".md"):
                path = ROOT / PurePosixPath(document).parent / target
                waiting.append(path.resolve().relative_to(ROOT).as_posix())
    assert reached == set(DOCUMENTS)
