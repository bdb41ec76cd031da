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
_LONG_NAME = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MAX_CONFIG_DEPTH},}}")
"""A name with dots inside braces."""
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
        raise _explain_depth(text) from None
    # `tomllib` has a bound for them in newer Pythons only.
    long_name = _find_long_name(text) if text.count(".") > MAX_CONFIG_DEPTH else -1
    if long_name != -1:
        raise _broken_name(text, long_name)
    return value


def _broken_name(text: str, at: int) -> BrokenConfig:
    return broken_at(
        text,
        at,
        f"A name has at most {MAX_CONFIG_DEPTH} parts with dots between them",
        "this one has more",
    )


def _broken_depth(text: str, at: int) -> BrokenConfig:
    return broken_at(
        text,
        at,
        f"A config file has at most {MAX_CONFIG_DEPTH} brackets inside each other",
        "here is one more",
    )


def _explain_depth(text: str) -> BrokenConfig:
    """Of the first bracket or name that is too deep; what stands behind it need not be TOML."""
    for each in _cut(text):
        if len(each.path) > MAX_CONFIG_DEPTH:
            return _broken_name(text, each.start)
        depth = 0
        for part in _cut_value(text, each):
            if part[0][0] not in "\"'#" and (match := _LONG_NAME.search(text, *part.span())):
                return _broken_name(text, match.start())
            depth += (part[0] in "[{") - (part[0] in "]}")
            if depth > MAX_CONFIG_DEPTH:
                return _broken_depth(text, part.start())
    return _broken_depth(text, len(text))


def _find_long_name(text: str) -> int:
    """The place of a name that nests too deep, -1 without one."""
    for each in _cut(text):
        if len(each.path) > MAX_CONFIG_DEPTH:
            return each.start
    return _find_in_values(text, _LONG_NAME)


def _find_in_values(text: str, pattern: re.Pattern[str]) -> int:
    """The place of the first match outside of strings and comments, -1 without one."""
    for each in _cut(text):
        for part in _cut_value(text, each):
            if part[0][0] not in "\"'#" and (match := pattern.search(text, *part.span())):
                return match.start()
    return -1


def _cut_value(text: str, statement: Statement) -> Iterator[re.Match[str]]:
    """The parts of its value: strings, comments, brackets, and what is between them."""
    at = statement.value
    while -1 < at < statement.value_end and (part := _VALUE_PART.match(text, at)):
        yield part
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
    """Behind the last thing of a value that is no comment or blank."""
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
