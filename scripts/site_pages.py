"""Gives the site the pages that stand beside `docs/`, and leads every link to where it is there.

A hook of mkdocs. On GitHub the same files are read where they lie: so links are written for that,
and changed here. Must not know what a page says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent

PAGES = {
    "README.md": "index.md",
    "README.ja.md": "ja.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    # Not security.md in capitals: there are file systems for which that is the other page.
    "SECURITY.md": "reporting.md",
    "LICENSE": "licence.md",
}
"""By the name beside `docs/`, the name in the site. What `docs/` has itself is not made."""

LANGUAGES = {"ja.md": "ja"}
"""Those of pages that are not in English."""

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def lead(target: str) -> str:
    """Where a link of any page leads in the site, where all pages lie in one folder."""
    name = target.removeprefix("../").removeprefix("docs/")
    return PAGES.get(name, name)


def lead_links(markdown: str) -> str:
    """The page with its links as they are in the site."""
    return _LINK.sub(lambda found: lead(found[1]), markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for source, name in PAGES.items():
        if files.get_file_from_path(name) is None:
            text = (ROOT / source).read_text(encoding="utf-8")
            if not source.endswith(".md"):
                text = f"# Licence\n\n{text}"
            files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Leads the links of each page."""
    return lead_links(markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Says in which language a page is, for who reads it out."""
    language = LANGUAGES.get(page.file.src_uri)
    return output.replace('<html lang="en"', f'<html lang="{language}"') if language else output
