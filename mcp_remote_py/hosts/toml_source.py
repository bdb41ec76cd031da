"""TOML text, cut into its statements: where each begins and ends, and what it defines.

`tomllib` has read the text before, and says what is broken. It keeps no places. `tomlkit` does, but
where it puts a table in, it writes other line ends and blank lines than there were. Must not know
what is changed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from mcp_remote_py.hosts.broken_config import BrokenConfig, broken_at, find_position
from mcp_remote_py.hosts.json_source import MAX_CONFIG_DEPTH, MAX_INTEGER_DIGITS
from mcp_remote_py.values import Value

_KEY_PART = re.compile(r'([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*+")|\'([^\'\n]*+)\'')
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_VALUE_PART = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|[\[{]|[\]}]|\#[^\n]*+|\n|[^\"'\[\]{}#\n]++",
    re.DOTALL,
)
_LONG_NUMBER = re.compile(
    rf"(?<![\w.+-])[+-]?[0-9](?:_?[0-9]){{{MAX_INTEGER_DIGITS},}}+(?![\w.:-])(?![ \t]*[.=])"
)
"""A whole number in base ten: neither a name, nor a part of a date, or of a number with a point."""
_SIGN = re.compile(r"[\[\]{},=.]")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")

_EXPECTED = (
    ("Expected '='", "An equals sign behind a name is expected"),
    ("Invalid initial character for a key", "A name is expected"),
    ("Expected newline or end of document", "The end of the line is expected"),
    ("Unclosed array", 'A comma or "]" is expected'),
    ("Unclosed inline table", 'A comma or "}" is expected'),
    ("Invalid statement", "A name or a table in brackets is expected"),
    ("Expected ']'", "A closing bracket is expected"),
    ("Invalid value", "A value is expected"),
    ("Cannot declare", "A table is there once"),
    ("Cannot overwrite", "A name is there once in a table"),
    ("Duplicate inline table key", "A name is there once in a table"),
    ("Cannot redefine namespace", "A table is there once"),
    ("Cannot mutate immutable namespace", "A table is there once"),
    ("Unterminated string", "A string ends with a quote"),
    ("Illegal character", "A string ends on its line and does not have control characters"),
    ("Unescaped", "A backslash in double quotes is written twice (\\\\)"),
)
"""What `tomllib` says (Python 3.11 to 3.14), and what we say: it names what it has found."""

_OTHER = "TOML is expected"
_TWICE = " there once"
"""In sentences about a whole line: `tomllib` gives a place behind it."""


class Statement(Value, frozen=True):
    """One line, or several where its value has them.

    `path` is what it defines, from the root: a table by its header, or a value. It is () for blank
    lines and comments. In an array of tables, all of its tables have one path: none is looked for
    there. `end` is behind the line end. Of a value, `value` and `value_end` are its place.
    """

    start: int
    end: int
    path: tuple[str, ...]
    table: tuple[str, ...]
    is_header: bool = False
    value: int = -1
    value_end: int = -1


def load_toml(text: str) -> dict[str, Any]:
    """The value of the text.

    Raises:
        BrokenConfig: it is not TOML.
    """
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        match = _PLACE.search(said)
        at_end = find_position(text, len(text))
        line, column = (int(match[1]), int(match[2])) if match and match[1] else at_end
        words = next((ours for theirs, ours in _EXPECTED if said.startswith(theirs)), _OTHER)
        found = "something else was found"
        if _TWICE in words:
            found, column = "it is there again", 1
        elif said.startswith("Unescaped"):
            # Its place is behind it, and behind what it would escape: a character, or blanks.
            line, column = find_position(text, text.rfind("\\", 0, _find_place(text, line, column)))
        elif (line, column) == at_end:
            found = "the end of the file was found"
        raise BrokenConfig(words, found, line=line, column=column) from None
    except ValueError:  # of `int`, which does not know the place
        raise broken_at(
            text,
            _find_in_values(text, _LONG_NUMBER),
            f"A number has at most {MAX_INTEGER_DIGITS} digits",
            "a longer one was found",
        ) from None
    except RecursionError:
        raise _too_deep(text, _find_depth(text)) from None
    # It has no bound for names with dots, each part of which is a table in the one before.
    if (place := _find_depth(text)) < len(text):
        raise _too_deep(text, place)
    return value


def _too_deep(text: str, place: int) -> BrokenConfig:
    what = f"A config file has at most {MAX_CONFIG_DEPTH} names and brackets inside each other"
    return broken_at(text, place, what, "here is one more")


def _find_in_values(text: str, pattern: re.Pattern[str]) -> int:
    """The place of the first match outside of strings and comments, -1 without one."""
    for each in _cut(text):
        for start, end in _cut_value(text, each):
            if match := pattern.search(text, start, end):
                return match.start()
    return -1


def _find_depth(text: str) -> int:
    """The place of the first bracket or part of a name that is too deep, or the end of the text."""
    if sum(map(text.count, ".[{")) < MAX_CONFIG_DEPTH:
        return len(text)
    for each in _cut(text):
        if len(each.path) > MAX_CONFIG_DEPTH:
            return each.start
        if (place := _find_depth_of(text, each)) != -1:
            return place
    return len(text)


def _find_depth_of(text: str, each: Statement) -> int:
    """The same in its value, -1 where nothing is: each dot in a name in braces is one deeper."""
    depth, is_name = 0, False
    around: list[tuple[int, bool]] = []
    """Of each open bracket: how deep it is behind it, and whether a name stands there."""
    for start, end in _cut_value(text, each):
        for sign in _SIGN.finditer(text, start, end):
            match sign[0]:
                case "[" | "{":
                    depth, is_name = depth + 1, sign[0] == "{"
                    around.append((depth, is_name))
                case "]" | "}":
                    depth, is_name = depth - 1, False
                    around = around[:-1]
                case ",":
                    depth, is_name = around[-1] if around else (0, False)
                case "=":
                    is_name = False
                case _:  # a dot, which a number has as well
                    depth += is_name
            if depth > MAX_CONFIG_DEPTH:
                return sign.start()
    return -1


def _cut_value(text: str, each: Statement) -> Iterator[tuple[int, int]]:
    """The parts of its value that are neither strings nor comments."""
    at = each.value
    while -1 < at < each.value_end and (part := _VALUE_PART.match(text, at)):
        if part[0][0] not in "\"'#":
            yield part.span()
        at = part.end()


def _find_place(text: str, line: int, column: int) -> int:
    """The place of that line and column, as `tomllib` counts: from 1, lines that end with LF."""
    before = text.split("\n")[: line - 1]
    return sum(len(each) + 1 for each in before) + column - 1


def cut_statements(text: str) -> list[Statement]:
    """The statements of a text that `load_toml` has read; together they are all of it."""
    return list(_cut(text))


def _cut(text: str) -> Iterator[Statement]:
    at = 0
    table: tuple[str, ...] = ()
    while at < len(text):
        start = at
        at = _pass_blanks(text, at)
        if text[at : at + 1] in {"", "#", "\n", "\r"}:
            at = _behind_line(text, at)
            yield Statement(start, at, (), table)
        elif text[at] == "[":
            is_array = text.startswith("[[", at)
            table, _ = _read_path(text, _pass_blanks(text, at + 1 + is_array))
            at = _behind_line(text, at)
            yield Statement(start, at, table, table, is_header=True)
        else:
            path, at = _read_path(text, at)
            value = _pass_blanks(text, _pass_blanks(text, at) + 1)
            end = _end_of_value(text, value)
            at = _behind_line(text, end)
            yield Statement(start, at, table + path, table, value=value, value_end=end)


def _pass_blanks(text: str, at: int) -> int:
    while text[at : at + 1] in {" ", "\t"}:
        at += 1
    return at


def _behind_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end == -1 else end + 1


def _read_path(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """A dotted name, and the place behind it."""
    path: list[str] = []
    while match := _KEY_PART.match(text, at):
        bare, basic, literal = match.groups()
        path.append(tomllib.loads(f"k={basic}")["k"] if basic else bare or literal or "")
        at = match.end()
        dot = _DOT.match(text, at)
        if dot is None:
            break
        at = dot.end()
    return tuple(path), at


def _end_of_value(text: str, at: int) -> int:
    """Behind the last thing of a value that is not a comment or a blank."""
    depth, end = 0, at
    while match := _VALUE_PART.match(text, at):
        part = match[0]
        if part == "\n" or part[0] == "#":
            if depth == 0:
                break
        else:
            depth += (part in "[{") - (part in "]}")
            end = at + len(part.rstrip(" \t\r")) if part.strip(" \t\r") else end
        at = match.end()
    return end
