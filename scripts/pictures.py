"""Draws boxes and arrows as SVG: the pictures of the documents, each from rows of the code.

A picture brings its own colours for light and dark, is read out by its title and description, and
asks nothing of anybody: no font, no script, no link. Each box has the id of its row, each arrow the
ids of its ends, so that a test can read a picture. Must not know what a picture is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

LINE, PADDING, GAP = 18, 9, 14
"""Pixels: the height of a line, what is around the lines of a box, what is between two boxes."""
CHARACTER, BOLD = 7.4, 8.4
"""Pixels of the widest font that may be there, at this size, for one character on average."""

STYLE = """
svg { color-scheme: light dark; font: 14px system-ui, sans-serif; }
.paper { fill: #ffffff; } text { fill: #1c1e21; }
.box { fill: #f1f3f6; stroke: #6b7280; } .deed { fill: #e2ebfa; stroke: #3866b0; }
.end { fill: #fbe4e2; stroke: #b3372b; } .good { fill: #e0f2e4; stroke: #2e7d43; }
.arrow { fill: none; stroke: #6b7280; stroke-width: 1.3; } .tip { fill: #6b7280; }
.head { font-weight: 600; } .soft { fill: #4b5563; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #17191d; } text { fill: #eceef1; }
  .box { fill: #2a2e35; stroke: #9aa3af; } .deed { fill: #1f3354; stroke: #8db1ea; }
  .end { fill: #4a2320; stroke: #ef9a90; } .good { fill: #1d3b26; stroke: #7fce97; }
  .arrow { stroke: #9aa3af; } .tip { fill: #9aa3af; } .soft { fill: #b6bdc8; }
}
"""


class Box(NamedTuple):
    """One box: its id, its lines, and what kind it is (`box`, `deed`, `end`, `good`)."""

    name: str
    lines: tuple[str, ...]
    kind: str = "box"

    @property
    def width(self) -> float:
        """Pixels that its lines need."""
        head, *rest = map(len, self.lines)
        return max(head * BOLD, *(length * CHARACTER for length in rest), 0) + 2 * PADDING

    @property
    def height(self) -> float:
        """Pixels."""
        return len(self.lines) * LINE + 2 * PADDING


class Arrow(NamedTuple):
    """From one box to another."""

    source: str
    target: str


class Place(NamedTuple):
    """Where a box is drawn."""

    box: Box
    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        """The height at which arrows come and go."""
        return self.top + self.box.height / 2


def draw_columns(
    title: str,
    description: str,
    columns: Sequence[Sequence[Box]],
    arrows: Iterable[Arrow],
    between: float = 90,
) -> str:
    """Columns of boxes from left to right; arrows lead from each to later ones.

    Raises:
        KeyError: an arrow has an end that is not there.
    """
    heights = [sum(box.height + GAP for box in column) - GAP for column in columns]
    whole = max(heights)
    places: dict[str, Place] = {}
    left = PADDING * 2.0
    for column, height in zip(columns, heights, strict=True):
        width = max(box.width for box in column)
        # What is left over stands between the boxes.
        spare = (whole - height) / (len(column) + 1)
        top = PADDING * 2 + spare
        for box in column:
            places[box.name] = Place(box, left, top, width)
            top += box.height + GAP + spare
        left += width + between
    pieces = [_draw_arrow(places[one.source], places[one.target]) for one in arrows]
    pieces += [_draw_box(place) for place in places.values()]
    return _wrap(title, description, left - between + PADDING * 2, whole + PADDING * 4, pieces)


def draw_floors(title: str, description: str, floors: Sequence[Sequence[Box]]) -> str:
    """Rows of boxes, each as wide as the picture, the roof first."""
    width = max(sum(box.width + GAP for box in row) - GAP for row in floors)
    pieces: list[str] = []
    top = PADDING * 2.0
    for row in floors:
        spare = (width - sum(box.width for box in row) - GAP * (len(row) - 1)) / len(row)
        left = PADDING * 2.0
        height = max(box.height for box in row)
        for box in row:
            wide = box.width + spare
            pieces.append(_draw_box(Place(box, left, top, wide), height))
            left += wide + GAP
        top += height + GAP
    return _wrap(title, description, width + PADDING * 4, top - GAP + PADDING * 2, pieces)


def _draw_box(place: Place, height: float = 0) -> str:
    box = place.box
    height = height or box.height
    middle = place.left + place.width / 2
    first = place.top + (height - len(box.lines) * LINE) / 2 + LINE * 0.72
    words = "".join(
        f'<text x="{middle:.1f}" y="{first + number * LINE:.1f}" text-anchor="middle"'
        f' class="{"head" if number == 0 else "soft"}">{escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )
    return (
        f'<g id="{escape(box.name)}"><rect class="{box.kind}" x="{place.left:.1f}"'
        f' y="{place.top:.1f}" width="{place.width:.1f}" height="{height:.1f}" rx="6"/>{words}</g>'
    )


def _draw_arrow(source: Place, target: Place) -> str:
    begin, end = source.left + source.width, target.left - 7
    bend = max((end - begin) / 2, 20)
    path = (
        f"M{begin:.1f} {source.middle:.1f}C{begin + bend:.1f} {source.middle:.1f}"
        f" {end - bend:.1f} {target.middle:.1f} {end:.1f} {target.middle:.1f}"
    )
    ends = f'data-from="{escape(source.box.name)}" data-to="{escape(target.box.name)}"'
    return f'<path class="arrow" marker-end="url(#tip)" {ends} d="{path}"/>'


def _wrap(title: str, description: str, width: float, height: float, pieces: list[str]) -> str:
    body = "\n".join(pieces)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" \
width="{width:.0f}" height="{height:.0f}" role="img" aria-labelledby="title description">
<title id="title">{escape(title)}</title>
<desc id="description">{escape(description)}</desc>
<style>{STYLE}</style>
<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="1" refY="4" orient="auto">\
<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>
<rect class="paper" width="100%" height="100%" rx="10"/>
{body}
</svg>
"""
