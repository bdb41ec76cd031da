"""The site of the documents: it is built without a warning, and loads nothing from elsewhere.

mkdocs checks its links and anchors (`--strict`); here, that the pages ask nobody but the site. In
`THOROUGH` a real browser opens them too (`tests/real/test_site_in_chromium.py`). Must not know what
a page says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, ROOT

PATIENCE = 50
"""Seconds for a build, which takes two."""

LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "use": "href",
    "form": "action",
}
"""Elements that make a browser ask for something, with the attribute that says where."""

NAMED_ONLY = {"https://squidfunk.github.io/mkdocs-material/"}
"""Links that the theme has at the foot of each page: nobody asks them unless a person does."""


class Page(HTMLParser):
    """What a page has a browser load, where its links lead, and the words in place of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = at.get("lang", "")
        if tag in LOADING and LOADING[tag] in at:
            self.loaded.append(at[LOADING[tag]])
        if tag == "a":
            self.links.append(at.get("href", ""))
        if tag == "img":
            self.pictures.append(at.get("alt", ""))


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """What scripts/site does, where the environment is set up."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module", name="site")
def build_site() -> Iterator[Path]:
    """Not where the run is searched for secrets: the words that stand for some are told here."""
    with tempfile.TemporaryDirectory() as folder:
        done = build(Path(folder))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stderr
        yield Path(folder)


def pages_of(site: Path) -> dict[str, Page]:
    pages: dict[str, Page] = {}
    for path in site.rglob("*.html"):
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        pages[path.relative_to(site).as_posix()] = page
    return pages


def test_every_document_is_a_page(site: Path) -> None:
    # The README is the front of the repository; that of the site is docs/index.md.
    names = {Path(name).stem.lower() for name in DOCUMENTS} - {"readme", "readme.ja", "security"}
    pages = {name.removesuffix("index.html").rstrip("/") or "index" for name in pages_of(site)}
    assert pages - {"404.html"} == names | {"ja", "security", "reporting", "licence"}


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    for name, page in pages_of(site).items():
        assert page.loaded, name
        for address in page.loaded:
            assert not re.match(r"\w+:|//", address), f"{name} loads {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)|@import", path.read_text(encoding="utf-8")):
            assert not re.match(r"[\"']?(?:https?:|//)", address), f"{path.name} loads {address}"


def test_links_out_of_a_page_are_those_of_its_document(site: Path) -> None:
    from tests.test_links import OUTSIDE

    found = {link for page in pages_of(site).values() for link in page.links}
    out = {link for link in found if re.match(r"\w+:|//", link)}
    assert out == OUTSIDE | NAMED_ONLY


def test_every_picture_has_words_in_its_place(site: Path) -> None:
    words = [word for page in pages_of(site).values() for word in page.pictures]
    assert len(words) >= 4
    assert all(len(word) > 40 for word in words if word != "logo")


def test_a_page_says_its_language(site: Path) -> None:
    for name, page in pages_of(site).items():
        assert page.language == ("ja" if name == "ja/index.html" else "en"), name


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    """The settings of mkdocs.yml, beside a page of two lines."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Here\n\n[there](#there) [away](away.md)\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    validation = re.search(r"^validation:\n(?:  .*\n)+", settings, re.MULTILINE)
    assert validation
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\ntheme: mkdocs\n{validation[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "'#there'" in done.stderr
    assert "'away.md'" in done.stderr
