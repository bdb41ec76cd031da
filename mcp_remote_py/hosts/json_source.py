"""JSON text with comments, as a tree of places: where each value begins and ends.

JSON as RFC 8259 has it, with what VS Code, Zed and their kin take besides: `//` and `/* */`, and a
comma behind the last one. Nothing else of JSON5: no host reads it. All is checked, so that what is
broken is found before anything is written. Must not know what is changed in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mcp_remote_py.hosts.broken_config import BrokenConfig, broken_at

MAX_CONFIG_DEPTH = 100
"""Objects and lists inside each other. What hosts write has less than ten."""

MAX_CONFIG_VALUES = 200_000
"""Of all depths in one file: each takes about 200 bytes and 3 us here."""

MAX_INTEGER_DIGITS = 640
"""Python may be told to refuse longer ones, and refuses those of more than 4300."""

_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_STRING_PART = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_NUMBER_LIKE = re.compile(r"[-+.\w]*+")
_BETWEEN = re.compile(r"(?:[ \t\r\n]++|//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_WORDS = {"t": "true", "f": "false", "n": "null"}


class Node:
    """One value and, in an object, its name: `start` is where the name or else the value begins.

    `comma` is the place of the comma behind it, -1 where there is none. `parts` are the members of
    an object or list, None where it is neither.
    """

    __slots__ = ("comma", "end", "name", "parts", "start", "value")

    def __init__(self, name: str | None, start: int) -> None:
        self.name = name
        self.start = start
        self.value = start
        self.end = start
        self.comma = -1
        self.parts: list[Node] | None = None

    @property
    def whole_end(self) -> int:
        """Behind its comma where it has one, else behind its value."""
        return self.end if self.comma == -1 else self.comma + 1


class JsonSource:
    """A text and the value in it; `root` is None where it has nothing but blanks and comments.

    Raises:
        BrokenConfig: it is not such a text, or larger than it may be.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._count = 0
        start = self.pass_between(0)
        self.root = self._read(start, None, 0) if start < len(text) else None
        if self.root is not None:
            end = self.pass_between(self.root.end)
            if end < len(text):
                raise self.broken(end, "The file ends here")

    def pass_between(self, at: int) -> int:
        """The place behind blanks and comments."""
        match = _BETWEEN.match(self.text, at)
        end = match.end() if match else at
        if self.text.startswith("/*", end):
            raise broken_at(self.text, end, "A comment ends with */", "this one does not end")
        return end

    def is_object(self, node: Node) -> bool:
        """Whether that value is an object."""
        return self.text[node.value] == "{"

    def value_of(self, node: Node) -> object:
        """The value itself; of members of the same name the last one counts, as for hosts."""
        if node.parts is None:
            return json.loads(self.text[node.value : node.end], parse_int=_read_integer)
        if self.is_object(node):
            return {part.name or "": self.value_of(part) for part in node.parts}
        return [self.value_of(part) for part in node.parts]

    def members(self, node: Node, name: str) -> list[Node]:
        """All members of that name."""
        return [part for part in node.parts or () if part.name == name]

    def comments_in(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where comments begin and end between two places that have only blanks beside them."""
        for match in re.finditer(r"//[^\r\n]*|/\*.*?\*/", self.text[start:end], re.DOTALL):
            yield start + match.start(), start + match.end()

    def _read(self, at: int, name: Node | None, depth: int) -> Node:
        node = name or Node(None, at)
        node.value = at
        self._count += 1
        if self._count > MAX_CONFIG_VALUES:
            raise broken_at(
                self.text,
                at,
                f"A config file has at most {MAX_CONFIG_VALUES} values",
                "here is one more",
            )
        match self.text[at : at + 1]:
            case '"':
                node.end = self._end_of_string(at)
            case "{":
                node.parts = []
                node.end = self._read_parts(at, node.parts, "}", depth + 1)
            case "[":
                node.parts = []
                node.end = self._read_parts(at, node.parts, "]", depth + 1)
            case _:
                node.end = self._end_of_plain(at)
        return node

    def _read_parts(self, at: int, parts: list[Node], closer: str, depth: int) -> int:
        """Reads up to the closing bracket; the place behind it."""
        if depth > MAX_CONFIG_DEPTH:
            raise broken_at(
                self.text,
                at,
                f"A config file has at most {MAX_CONFIG_DEPTH} brackets inside each other",
                "here is one more",
            )
        at = self.pass_between(at + 1)
        while not self.text.startswith(closer, at):
            part = self._read_name(at, parts) if closer == "}" else None
            part = self._read(part.value if part else at, part, depth)
            parts.append(part)
            at = self.pass_between(part.end)
            if self.text.startswith(",", at):
                part.comma = at
                at = self.pass_between(at + 1)
            elif not self.text.startswith(closer, at):
                raise self.broken(at, f'A comma or "{closer}" is expected')
        return at + 1

    def _read_name(self, at: int, before: list[Node]) -> Node:
        """A member whose name was read; its value begins at `value`."""
        if not self.text.startswith('"', at):
            closing = ' or "}"' if not before or before[-1].comma != -1 else ""
            raise self.broken(at, f"A name in double quotes{closing} is expected")
        end = self._end_of_string(at)
        member = Node(json.loads(self.text[at:end]), at)
        colon = self.pass_between(end)
        if not self.text.startswith(":", colon):
            raise self.broken(colon, "A colon is expected")
        member.value = self.pass_between(colon + 1)
        return member

    def _end_of_string(self, at: int) -> int:
        if match := _STRING.match(self.text, at):
            return match.end()
        part = _STRING_PART.match(self.text, at)
        stop = part.end() if part else at
        if self.text.startswith("\\", stop):
            raise broken_at(
                self.text,
                stop,
                "A backslash in a string is written twice (\\\\)",
                "this one is not",
            )
        if stop == len(self.text) or self.text[stop] in "\r\n":
            raise broken_at(
                self.text, at, "A string ends on its line with a double quote", "this one does not"
            )
        raise broken_at(
            self.text,
            stop,
            "A string does not have control characters",
            f"one was found (U+{ord(self.text[stop]):04X})",
        )

    def _end_of_plain(self, at: int) -> int:
        character = self.text[at : at + 1]
        if character == "-" or character.isdecimal():
            match = _NUMBER.match(self.text, at)
            like = _NUMBER_LIKE.match(self.text, at)
            if match and like and match.end() == like.end():
                return match.end()
            raise broken_at(
                self.text, at, "A number of JSON is expected", "something else was found"
            )
        word = _WORDS.get(character, "")
        like = _NUMBER_LIKE.match(self.text, at)
        if word and like and like[0] == word:
            return like.end()
        raise self.broken(at, "A value is expected")

    def broken(self, at: int, expected: str) -> BrokenConfig:
        """The error of a place where something else should be."""
        return broken_at(self.text, at, expected, f"{self._name_what_is(at)} was found")

    def _name_what_is(self, at: int) -> str:
        character = self.text[at : at + 1]
        if not character:
            return "the end of the file"
        if character in "{}[]:,":
            return f'"{character}"'
        if character == '"':
            return "a string"
        if character == "'":
            return "a single quote (JSON has double quotes)"
        if character.isdecimal() or character == "-":
            return "a number"
        if character.isalpha() or character in "_$":
            return "a word without quotes"
        if character in "#/":
            return f'"{character}" (comments begin with // or /*)'
        return f"the character U+{ord(character):04X}"


def _read_integer(digits: str) -> int | float:
    """Of one that Python refuses for its length, what hosts make of it: as JavaScript does."""
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)
