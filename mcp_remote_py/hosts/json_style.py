"""How a JSON file is written, and a new value in the same way.

What is asked is the neighbours: their indentation, line ends, blanks behind colons and commas,
lists on one line or on several. Must not know what is put where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

from mcp_remote_py.hosts.json_source import JsonSource, Node
from mcp_remote_py.values import Value

DEFAULT_UNIT = "  "
"""One step of indentation where a file shows none: that of `JSON.stringify(value, null, 2)`."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_COLON = re.compile(r'(?<=")[ \t]*:[ \t]*\Z')
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonStyle(Value, frozen=True):
    """How values are written.

    `unit` is one step of indentation, `colon` stands between name and value, `comma` between two
    values of one line. `is_flat` puts all on one line, `flat_lists` and `flat_objects` what is
    inside of an entry.
    """

    line_end: str
    unit: str
    colon: str
    comma: str
    is_flat: bool
    flat_lists: bool
    flat_objects: bool

    def spell_part(self, name: str | None, value: object, indent: str, open_levels: int = 1) -> str:
        """A member, or an element where the name is None, on a line that is indented by that.

        `open_levels` are those of its objects and lists that never stand on one line in a file
        that is not flat.
        """
        mapping = cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None
        sequence = cast("list[object]", value) if isinstance(value, list | tuple) else ()
        parts: Iterable[tuple[str | None, object]] = (
            [(None, each) for each in sequence] if mapping is None else mapping.items()
        )
        flat_inside = self.flat_lists if mapping is None else self.flat_objects
        is_flat = self.is_flat or (open_levels <= 0 and flat_inside)
        inner = indent if is_flat else indent + self.unit
        spelled = [self.spell_part(*part, inner, open_levels - 1) for part in parts]
        if not spelled:
            text = _spell_plain(cast("object", value))
        elif is_flat:
            text = f"{_OPEN[mapping is None]}{(',' + self.comma).join(spelled)}"
        else:
            lines = f",{self.line_end}{inner}".join(spelled)
            text = f"{_OPEN[mapping is None]}{self.line_end}{inner}{lines}{self.line_end}{indent}"
        if spelled:
            text += _CLOSE[mapping is None]
        return text if name is None else f"{_spell_plain(name)}{self.colon}{text}"


_OPEN = ("{", "[")
_CLOSE = ("}", "]")


def _spell_plain(value: Any) -> str:
    """As hosts write it: only what must be is escaped, half of a surrogate pair among it."""
    spelled = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _SURROGATE.search(spelled) else spelled


def measure_style(source: JsonSource, way: list[Node]) -> JsonStyle:
    """The style of the last of `way`, which are an object and those around it, outermost first."""
    text, here = source.text, way[-1]
    colon = next(_find_colons(text, way), ": ")
    inner = [each for part in here.parts or () for each in part.parts or ()]
    line_ends = _LINE_END.findall(text[: here.end]) or _LINE_END.findall(text[here.end :])[:1]
    return JsonStyle(
        line_end=line_ends[-1] if line_ends else "\n",
        unit=next(_find_units(text, way), DEFAULT_UNIT),
        colon=colon,
        comma=next(_find_commas(text, way), colon.removeprefix(":")[:1]),
        is_flat=_is_flat(text, way),
        flat_lists=_stand_on_one_line(text, inner, "[", otherwise=True),
        flat_objects=_stand_on_one_line(text, inner, "{", otherwise=False),
    )


def gap_before(text: str, at: int) -> int:
    """Where the blanks and line ends before a place begin."""
    return len(text[:at].rstrip(" \t\r\n"))


def indent_of(text: str, at: int) -> str:
    """The blanks that begin the line of a place."""
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    line = text[start:at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def has_line_end(text: str) -> bool:
    """Whether the text is more than a part of one line."""
    return "\n" in text or "\r" in text


def begins_line(text: str, at: int) -> bool:
    """Whether only blanks stand before a place on its line."""
    return has_line_end(text[gap_before(text, at) : at])


def _is_flat(text: str, way: list[Node]) -> bool:
    here, root = way[-1], way[0]
    if here.parts:
        return not has_line_end(text[here.value : here.parts[0].start]) and not begins_line(
            text, here.parts[-1].start
        )
    return bool(root.parts) and not has_line_end(text[root.value : root.end])


def _find_units(text: str, way: list[Node]) -> Iterator[str]:
    """One step of indentation, as each object shows it: the innermost first, then those in it."""
    below = [part for part in way[-1].parts or () if part.parts]
    for node in (*reversed(way), *below):
        outer = indent_of(text, node.value)
        for part in node.parts or ():
            if begins_line(text, part.start):
                indent = indent_of(text, part.start)
                if indent.startswith(outer):
                    yield indent[len(outer) :]


def _find_colons(text: str, way: list[Node]) -> Iterator[str]:
    for node in reversed(way):
        for part in reversed(node.parts or ()):
            if part.name is not None and (match := _COLON.search(text[part.start : part.value])):
                yield match[0]


def _find_commas(text: str, way: list[Node]) -> Iterator[str]:
    for node in reversed(way):
        parts = node.parts or []
        for part, following in pairwise(parts):
            blanks = text[part.comma + 1 : following.start]
            if not blanks.strip(" \t"):
                yield blanks


def _stand_on_one_line(text: str, nodes: list[Node], opener: str, *, otherwise: bool) -> bool:
    seen = [
        not has_line_end(text[node.value : node.end])
        for node in nodes
        if node.parts and text[node.value] == opener
    ]
    return seen[-1] if seen else otherwise
