"""The smallest edit of a JSON text that puts a member in, changes it or takes it out.

All other bytes stay. What was put in and is taken out again leaves the text as it was, wherever the
object was there before. Must not know which members there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import cast

from mcp_remote_py.hosts.broken_config import broken_at, find_position
from mcp_remote_py.hosts.json_source import JsonSource, Node
from mcp_remote_py.hosts.json_style import (
    JsonStyle,
    gap_before,
    has_line_end,
    indent_of,
    measure_style,
)

_Place = tuple[str, ...]

_REST_OF_LINE = re.compile(r"(?:[ \t]++|/\*(?:[^*\r\n]|\*(?!/))*+\*/)*+(?://[^\r\n]*+)?(?=[\r\n])")


def read_json_members(text: str, place: _Place) -> dict[str, object]:
    """The members of the object at `place`; none where it is missing. The last of a name counts.

    Raises:
        BrokenConfig: the text is broken, or something at or above `place` is not an object.
    """
    source = JsonSource(text)
    way = _find_way(source, place, may_be_twice=True)
    if len(way) <= len(place):
        return {}
    return cast("dict[str, object]", source.value_of(way[-1]))


def find_json_lines(text: str, place: _Place, name: str) -> tuple[int, ...]:
    """The lines, from 1, of all members of that name in the object at `place`.

    Raises:
        BrokenConfig: as above.
    """
    source = JsonSource(text)
    way = _find_way(source, place, may_be_twice=True)
    here = source.members(way[-1], name) if len(way) > len(place) else []
    return tuple(find_position(text, member.start)[0] for member in here)


def set_json_value(text: str, place: _Place, name: str, value: object) -> str:
    """The text with that value as the member `name` of the object at `place`.

    A value that is the same already keeps its spelling.

    Raises:
        BrokenConfig: as above, or the member is there more than once.
    """
    source = JsonSource(text)
    if source.root is None:
        return _begin(text, place, name, value)
    way = _find_way(source, place)
    missing = place[len(way) - 1 :]
    if missing:
        return _put_in(source, way, missing[0], _nest((*missing[1:], name), value), len(missing))
    member = _find_only(source, way[-1], name)
    if member is None:
        return _put_in(source, way, name, value)
    if _is_same(source.value_of(member), value):
        return text
    style = measure_style(source, way)
    spelled = style.spell_part(None, value, indent_of(text, member.value))
    return text[: member.value] + spelled + text[member.end :]


def merge_json_object(
    text: str, place: _Place, name: str, members: Mapping[str, object], replaced: frozenset[str]
) -> str:
    """The same for an object, where it is there already: of its members, others stay.

    Those of `replaced` that the new one does not have are taken out.

    Raises:
        BrokenConfig: as above, or it is there and not an object.
    """
    source = JsonSource(text)
    way = _find_way(source, place) if source.root is not None else []
    entry = _find_only(source, way[-1], name) if len(way) > len(place) else None
    if entry is None:
        return set_json_value(text, place, name, members)
    _check_object(source, entry, name)
    inside = (*place, name)
    for each, value in members.items():
        text = set_json_value(text, inside, each, value)
    for each in (part.name or "" for part in entry.parts or ()):
        if each in replaced and each not in members:
            text = remove_json_member(text, inside, each)
    return text


def remove_json_member(text: str, place: _Place, name: str) -> str:
    """The text without that member, its comma and, where it has them alone, its lines.

    Raises:
        BrokenConfig: as `set_json_value`.
    """
    source = JsonSource(text)
    way = _find_way(source, place) if source.root is not None else []
    member = _find_only(source, way[-1], name) if len(way) > len(place) else None
    return text if member is None else _take_out(source, way[-1], member)


def append_json_element(text: str, place: _Place, value: object) -> str:
    """The text with a new last element of the list at `place`, which is made where it is missing.

    Raises:
        BrokenConfig: as `set_json_value`, or there is not a list.
    """
    source = JsonSource(text)
    way = _find_list(source, place)
    if way is None:
        return set_json_value(text, place[:-1], place[-1], [value])
    return _put_in(source, way, None, value)


def remove_json_elements(text: str, place: _Place, is_gone: Callable[[object], bool]) -> str:
    """The text without those elements of the list at `place`.

    Raises:
        BrokenConfig: as above.
    """
    while True:
        source = JsonSource(text)
        here = (_find_list(source, place) or [None])[-1]
        parts = (here.parts or ()) if here is not None else ()
        gone = next((one for one in parts if is_gone(source.value_of(one))), None)
        if here is None or gone is None:
            return text
        text = _take_out(source, here, gone)


# The way to a place ---------------------------------------------------------------------------


def _find_way(source: JsonSource, place: _Place, *, may_be_twice: bool = False) -> list[Node]:
    """The objects from the outermost to that at `place`, as far as they are there."""
    if source.root is None:
        return []
    _check_object(source, source.root, "")
    way = [source.root]
    for name in place:
        if may_be_twice:
            found = source.members(way[-1], name)
            member = found[-1] if found else None
        else:
            member = _find_only(source, way[-1], name)
        if member is None:
            break
        _check_object(source, member, name)
        way.append(member)
    return way


def _find_list(source: JsonSource, place: _Place) -> list[Node] | None:
    """The list at `place` behind the objects around it; None where it is missing."""
    way = _find_way(source, place[:-1])
    member = _find_only(source, way[-1], place[-1]) if len(way) == len(place) else None
    if member is None:
        return None
    if source.text[member.value] != "[":
        of = _quote(place[-1])
        raise source.broken(member.value, f"A list ([ ... ]) of {of} is expected")
    return [*way, member]


def _find_only(source: JsonSource, node: Node, name: str) -> Node | None:
    """The member of that name."""
    found = source.members(node, name)
    if len(found) > 1:
        line = find_position(source.text, found[0].start)[0]
        raise broken_at(
            source.text,
            found[-1].start,
            "",
            f"{_quote(name)} is there twice (first in line {line}; hosts use the last)",
            hint="Nothing was changed. Delete one of them, and run the command again.",
        )
    return found[0] if found else None


def _check_object(source: JsonSource, node: Node, name: str) -> None:
    if not source.is_object(node):
        of = f" of {_quote(name)}" if name else ""
        raise source.broken(node.value, f"An object ({{ ... }}){of} is expected")


def _quote(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _is_same(one: object, other: object) -> bool:
    """Whether both are the same JSON value: 1 is neither 1.0 nor true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# Putting in -----------------------------------------------------------------------------------


def _nest(names: _Place, value: object) -> object:
    for name in reversed(names):
        value = {name: value}
    return value


def _begin(text: str, place: _Place, name: str, value: object) -> str:
    """The first value of a file that has nothing but blanks and comments."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    style = JsonStyle(line_end, "  ", ": ", " ", False, True, False)
    between = line_end if text.strip() and not text.endswith(("\n", "\r")) else ""
    spelled = style.spell_part(None, _nest((*place, name), value), "", len(place) + 2)
    return f"{text}{between}{spelled}{line_end}"


def _put_in(
    source: JsonSource, way: list[Node], name: str | None, value: object, missing_levels: int = 0
) -> str:
    """The text with a new last member in the innermost object, or list, of `way`."""
    text, here = source.text, way[-1]
    style = measure_style(source, way)
    if here.parts:
        return _put_behind(text, here.parts[-1], style, name, value, missing_levels)
    inside = text[here.value + 1 : here.end - 1]
    said = gap_before(text, here.end - 1)
    blanks = text[said : here.end - 1]
    outer = indent_of(text, here.value)
    spelled = style.spell_part(name, value, outer + style.unit, 1 + missing_levels)
    on_new_line = f"{style.line_end}{outer}{style.unit}{spelled}"
    if inside.strip(" \t\r\n"):  # comments: they stay before it
        new = on_new_line if has_line_end(blanks) else f" {spelled}"
        return text[:said] + new + text[said:]
    if style.is_flat:
        new = f"{inside}{spelled}{inside}"
    else:
        new = f"{inside}{on_new_line}{style.line_end}{outer}"
    return f"{text[: here.value + 1]}{new}{text[here.end - 1 :]}"


def _put_behind(
    text: str, last: Node, style: JsonStyle, name: str | None, value: object, missing_levels: int
) -> str:
    indent = indent_of(text, last.start)
    spelled = style.spell_part(name, value, indent, 1 + missing_levels)
    at = last.whole_end
    if style.is_flat:
        new = f"{style.comma}{spelled}"
    else:
        new = f"{style.line_end}{indent}{spelled}"
        at = _end_of_line(text, at)
    if last.comma == -1:
        return f"{text[: last.end]},{text[last.end : at]}{new}{text[at:]}"
    return f"{text[:at]}{new},{text[at:]}"


def _end_of_line(text: str, at: int) -> int:
    """The place before the line end, where only comments are before it; else `at`."""
    match = _REST_OF_LINE.match(text, at)
    return match.end() if match else at


# Taking out -----------------------------------------------------------------------------------


def _take_out(source: JsonSource, here: Node, member: Node) -> str:
    text, parts = source.text, here.parts or []
    index = next(number for number, part in enumerate(parts) if part is member)
    before = parts[index - 1] if index else None
    after = parts[index + 1] if index + 1 < len(parts) else None
    start, end = member.start, member.whole_end
    gap = gap_before(text, start)
    owns_line = has_line_end(text[gap:start])
    line_end = _end_of_line(text, end)
    is_whole_line = owns_line and _REST_OF_LINE.match(text, end) is not None
    is_last = after is None
    if is_whole_line:
        end = line_end
    elif not is_last and (owns_line or before is None):
        if not text[end : after.start].strip(" \t\r\n"):
            end = after.start
        return text[:start] + text[end:]
    is_first = before is None and gap == here.value + 1
    if owns_line:
        start = _before_line_end(text, start)
    elif not is_first:
        start = gap
    if is_last and is_first and not text[end : here.end - 1].strip(" \t\r\n"):
        end = here.end - 1
    begin = here.value + 1 if before is None else before.whole_end
    if _is_in_line_comment(source, begin, start) and not text.startswith(("\r", "\n"), end):
        start += 2 if text.startswith("\r\n", start) else 1
    if after is None and before is not None and member.comma == -1:
        return text[: before.comma] + text[before.comma + 1 : start] + text[end:]
    return text[:start] + text[end:]


def _before_line_end(text: str, at: int) -> int:
    """The place before the line end and the blanks that stand before a place."""
    start = at - len(indent_of(text, at))
    return start - (2 if text.startswith("\r\n", start - 2) else 1)


def _is_in_line_comment(source: JsonSource, start: int, end: int) -> bool:
    """Whether a `//` comment ends at `end`; from `start` on are only blanks and comments."""
    comments = list(source.comments_in(start, end))
    return (
        bool(comments) and comments[-1][1] == end and source.text.startswith("//", comments[-1][0])
    )
