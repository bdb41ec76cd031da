"""The smallest edit of a TOML text that puts a table in, changes it or takes it out.

A new entry is a table with a header, as hosts write it, behind the last one of its kind; where the
entries are in braces, it is in braces, too. `tomlkit` spells values and edits what is in braces.
All other bytes stay. Must not know which entries there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import tomlkit

from mcp_remote_py.hosts.broken_config import broken_at
from mcp_remote_py.hosts.toml_source import Statement, cut_statements, load_toml

_Place = tuple[str, ...]


def read_toml_members(text: str, place: _Place) -> dict[str, object]:
    """The members of the table at `place`; none where it is missing.

    Raises:
        BrokenConfig: the text is broken, or something at or above `place` is not a table.
    """
    table: dict[str, object] = load_toml(text)
    for depth, name in enumerate(place, 1):
        if name not in table:
            return {}
        table = _check_table(text, place[:depth], table[name])
    return table


def merge_toml_table(
    text: str, place: _Place, name: str, members: Mapping[str, object], replaced: frozenset[str]
) -> str:
    """The text with that table; where it is there already, its other members stay.

    Those of `replaced` that the new one does not have are taken out.

    Raises:
        BrokenConfig: as above, or it is there and not a table.
    """
    entries = read_toml_members(text, place)
    path = (*place, name)
    if name not in entries:
        return _put_in(text, place, name, members)
    entry = _check_table(text, path, entries[name])
    for each, value in members.items():
        if each not in entry or not _is_same(entry[each], value):
            text = _set(text, (*path, each), value)
    for each in entry:
        if each in replaced and each not in members:
            text = remove_toml_member(text, path, each)
    return text


def remove_toml_member(text: str, place: _Place, name: str) -> str:
    """The text without that table or value, its lines, and one blank line before its header.

    Raises:
        BrokenConfig: as `read_toml_members`.
    """
    if name not in read_toml_members(text, place):
        return text
    path = (*place, name)
    statements = cut_statements(text)
    if around := _find_braces(statements, path):
        return _edit_braces(text, around, path, _delete)
    return _take_out(text, statements, path)


def _check_table(text: str, path: _Place, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    around = [each for each in cut_statements(text) if each.path == path[: len(each.path)]]
    nearest = max(around, key=lambda each: len(each.path))
    at = nearest.start if nearest.is_header else nearest.value
    raise broken_at(
        text, at, f"A table {json.dumps(path[-1])} is expected", "something else was found"
    )


def _is_same(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True, default=repr) == json.dumps(
        other, sort_keys=True, default=repr
    )


def _line_end(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


# Spelling -------------------------------------------------------------------------------------


def _spell(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value).items()
        inside = ", ".join(f"{_spell_name(name)} = {_spell(each)}" for name, each in pairs)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        spelled = [_spell(each) for each in cast("list[object]", value)]
        return f"[{', '.join(spelled)}]"
    return str(_make_item(value).as_string())


_make_item = cast("Callable[[object], Any]", tomlkit.item)


def _spell_name(name: str) -> str:
    return tomlkit.key(name).as_string()


def _spell_header(path: _Place) -> str:
    return f"[{'.'.join(_spell_name(name) for name in path)}]"


def _spell_table(path: _Place, members: Mapping[str, object], indent: str) -> list[str]:
    """The lines of a table; tables in it have headers of their own."""
    lines = [f"{indent}{_spell_header(path)}"]
    tables: list[str] = []
    for name, each in members.items():
        if isinstance(each, Mapping) and each:
            table = cast("Mapping[str, object]", each)
            tables += ["", *_spell_table((*path, name), table, indent)]
        else:
            lines.append(f"{indent}{_spell_name(name)} = {_spell(each)}")
    return lines + tables


# Putting in -----------------------------------------------------------------------------------


def _put_in(text: str, place: _Place, name: str, members: Mapping[str, object]) -> str:
    statements = cut_statements(text)
    path = (*place, name)
    if around := _find_braces(statements, path):
        return _edit_braces(text, around, path, _setter(members))
    family = [each for each in statements if each.path[: len(place)] == place and each.path]
    if not family:
        return _insert_table(text, statements, len(text), path, members, "", is_close=False)
    last = family[-1]
    if last.value != -1 and last.table == place and len(last.path) == len(place) + 1:
        line = f"{_indent(text, last)}{_spell_name(name)} = {_spell(members)}"
        return _insert_lines(text, last.end, [line])
    section = [each for each in statements if each.table == last.table and each.path]
    headers = [each for each in family if each.is_header]
    indent = _indent(text, headers[-1]) if headers else ""
    is_close = (
        bool(headers) and headers[-1].start > 0 and not _is_behind_blank(text, headers[-1].start)
    )
    at = section[-1].end
    return _insert_table(text, statements, at, path, members, indent, is_close=is_close)


def _insert_table(
    text: str,
    statements: list[Statement],
    at: int,
    path: _Place,
    members: Mapping[str, object],
    indent: str,
    *,
    is_close: bool,
) -> str:
    lines = _spell_table(path, members, indent)
    if is_close:
        lines = [line for line in lines if line]
    if text[:at] and (not is_close or _is_behind_blank(text, at)):
        lines.insert(0, "")
    return _insert_lines(text, at, lines)


def _insert_lines(text: str, at: int, lines: list[str]) -> str:
    """Puts lines at a place where one begins; a file without a last line end stays without."""
    line_end = _line_end(text)
    if at == len(text) and text and not text.endswith("\n"):
        return text + "".join(line_end + line for line in lines)
    return text[:at] + "".join(line + line_end for line in lines) + text[at:]


def _indent(text: str, statement: Statement) -> str:
    line = text[statement.start : statement.end]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _is_behind_blank(text: str, at: int) -> bool:
    """Whether the line before that place is blank."""
    lines = text[:at].splitlines()
    return bool(lines) and not lines[-1].strip()


# Changing -------------------------------------------------------------------------------------


def _set(text: str, path: _Place, value: object) -> str:
    """The text with another value of a member of a table that is there."""
    statements = cut_statements(text)
    if around := _find_braces(statements, path):
        return _edit_braces(text, around, path, _setter(value))
    exact = next((each for each in statements if each.path == path and each.value != -1), None)
    if exact is not None:
        return text[: exact.value] + _spell(value) + text[exact.value_end :]
    below = [each for each in statements if each.path[: len(path)] == path]
    if below and isinstance(value, Mapping):
        return _merge(text, path, cast("Mapping[str, object]", value))
    if below:
        text = _take_out(text, statements, path)
        statements = cut_statements(text)
    return _add_value(text, statements, path, value)


def _merge(text: str, path: _Place, members: Mapping[str, object]) -> str:
    return merge_toml_table(
        text, path[:-1], path[-1], members, frozenset(read_toml_members(text, path))
    )


def _add_value(text: str, statements: list[Statement], path: _Place, value: object) -> str:
    """A new line in the table that the value belongs to, which may have no header of its own."""
    table, name = path[:-1], path[-1]
    own = [each for each in statements if each.table == table and each.path]
    if own:
        line = f"{_indent(text, own[-1])}{_spell_name(name)} = {_spell(value)}"
        return _insert_lines(text, own[-1].end, [line])
    below = [each for each in statements if each.path[: len(table)] == table]
    first = below[0]
    if first.is_header:
        lines = [f"{_spell_header(table)}", f"{_spell_name(name)} = {_spell(value)}", ""]
        return _insert_lines(text, first.start, lines)
    dotted = ".".join(_spell_name(each) for each in path[len(first.table) :])
    last = next(each for each in reversed(below) if each.table == first.table)
    return _insert_lines(text, last.end, [f"{_indent(text, last)}{dotted} = {_spell(value)}"])


# Taking out -----------------------------------------------------------------------------------


def _take_out(text: str, statements: list[Statement], path: _Place) -> str:
    """Without the statements of that path, and the comments between them."""
    length = len(path)
    inside: _Place | None = None
    gone: list[tuple[int, int]] = []
    for each in statements:
        if each.path[:length] == path and each.path:
            starts = each.is_header and _is_behind_blank(text, each.start)
            if gone and inside == each.table and not each.is_header:
                gone[-1] = (gone[-1][0], each.end)  # with the comments before it
            else:
                gone.append((_before_blank(text, each.start) if starts else each.start, each.end))
            inside = each.table if (each.table)[:length] == path else None
        elif each.path:
            inside = None
    for start, end in reversed(_join_neighbours(gone)):
        if end == len(text) and not text.endswith("\n"):
            start = _before_line_end(text, start)
        text = text[:start] + text[end:]
    return text


def _join_neighbours(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined = spans[:1]
    for start, end in spans[1:]:
        if start == joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _before_blank(text: str, at: int) -> int:
    """The beginning of the blank line before a place."""
    return text.rfind("\n", 0, _before_line_end(text, at)) + 1


def _before_line_end(text: str, at: int) -> int:
    line = text[:at]
    return len(line.removesuffix("\n").removesuffix("\r"))


# In braces ------------------------------------------------------------------------------------


def _find_braces(statements: list[Statement], path: _Place) -> Statement | None:
    """The statement whose value, in braces, has what the path names inside."""
    for each in statements:
        if each.value != -1 and each.path and len(each.path) < len(path):
            if each.path == path[: len(each.path)]:
                return each
    return None


def _edit_braces(
    text: str, around: Statement, path: _Place, change: Callable[[Any, str], None]
) -> str:
    document = tomlkit.parse(f"k = {text[around.value : around.value_end]}")
    table: Any = document["k"]
    for name in path[len(around.path) : -1]:
        table = table[name]
    change(table, path[-1])
    spelled = document.as_string().removeprefix("k = ")
    return text[: around.value] + spelled + text[around.value_end :]


def _delete(table: Any, name: str) -> None:
    del table[name]


def _setter(value: object) -> Callable[[Any, str], None]:
    def put(table: Any, name: str) -> None:
        parsed = tomlkit.parse(f"k = {_spell(value)}")["k"]
        table[name] = parsed

    return put
