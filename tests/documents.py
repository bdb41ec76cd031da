"""Reads the documents: their sections, quotes, blocks, commands and links.

Must not import mcp_remote_py, and must not know what any document says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
)
"""All that people read, by their places in the project."""

_FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """For whoever looks for it."""
        return f"{self.document}:{self.line}"


def read(document: str) -> str:
    """Its text."""
    return (ROOT / document).read_text(encoding="utf-8")


def blocks_in(document: str) -> list[Block]:
    """Its blocks, in their order."""
    text = read(document)
    return [
        Block(document, text.count("\n", 0, found.start()) + 1, found[2], found[3])
        for found in _FENCE.finditer(text)
    ]


def without_blocks(text: str) -> str:
    """What stands around the blocks."""
    return _FENCE.sub("", text)


def sections_in(text: str) -> dict[str, str]:
    """What stands below each heading of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def quotes_in(text: str) -> list[str]:
    """The sentences in quotes."""
    return re.findall(r"^> (.+)$", text, re.MULTILINE)


def anchor_of(heading: str) -> str:
    """The anchor that GitHub and the site make of it."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w -]", "", plain).strip().lower().replace(" ", "-")


def anchors_in(document: str) -> set[str]:
    """Those of its headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(read(document)), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def links_in(document: str) -> list[str]:
    """The targets of its links and pictures."""
    text = re.sub(r"`[^`\n]*`", "", without_blocks(read(document)))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def commands_in(block: Block) -> Iterator[str]:
    """The commands of a block, each on one line: of a console those behind `$`."""
    if block.text.startswith("#!"):
        return  # a script, not what is typed
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        if block.language == "console":
            if line.startswith("$ "):
                yield line[2:]
        elif line.strip() and not line.startswith("#"):
            yield line.strip()


def spans_in(document: str) -> list[str]:
    """The pieces of code in its sentences."""
    return re.findall(r"(?<!`)`([^`]+)`(?!`)", without_blocks(read(document)))


class Picture(NamedTuple):
    """What is on a picture."""

    title: str
    description: str
    boxes: dict[str, list[str]]
    """The lines of each box, by its id."""
    arrows: set[tuple[str, str]]
    """The ids of their ends."""


SVG = "{http://www.w3.org/2000/svg}"


def read_picture(name: str) -> Picture:
    """The picture of that name in docs/pictures."""
    root = ElementTree.fromstring(read(f"docs/pictures/{name}.svg"))  # noqa: S314 - ours
    return Picture(
        root.findtext(f"{SVG}title", ""),
        root.findtext(f"{SVG}desc", ""),
        {
            group.attrib["id"]: [text.text or "" for text in group.iter(f"{SVG}text")]
            for group in root.iter(f"{SVG}g")
        },
        {
            (path.attrib["data-from"], path.attrib["data-to"])
            for path in root.iter(f"{SVG}path")
            if "data-from" in path.attrib
        },
    )
