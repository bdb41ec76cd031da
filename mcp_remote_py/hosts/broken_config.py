"""The errors of a config file's content. No sentence repeats a value: it may be a secret."""

from __future__ import annotations

import re
from typing import Final, Self

from mcp_remote_py.errors import McpRemoteError

_MEND = (
    "Nothing was changed. Open the file in an editor, mend that place, and run the command again."
)


def find_position(text: str, at: int) -> tuple[int, int]:
    """Line and column of a place in a text: from 1, in characters, as editors count.

    A line ends with LF, CR LF or CR.
    """
    ends = [match.end() for match in re.finditer(r"\r\n|\r|\n", text[:at])]
    return len(ends) + 1, at - (ends[-1] if ends else 0) + 1


class BrokenConfig(McpRemoteError):
    """The content of a config file is not what its host can read, or cannot be edited safely.

    `line` and `column` count from 1, in characters; both are 0 where it is about the whole file.
    `expected` says what should be there, "" where `found` says all: that names what is there, and
    never is a value.
    """

    def __init__(
        self, expected: str, found: str, *, line: int = 0, column: int = 0, hint: str = _MEND
    ) -> None:
        place = f"Line {line}, column {column}: " if line else ""
        said = f"{expected}, but {found}" if expected else found
        super().__init__(f"{place}{said}.", hint=hint)
        self.line: Final = line
        self.column: Final = column
        self.expected: Final = expected
        self.found: Final = found

    def in_file(self, path: str) -> Self:
        """The same error, told of the file of that name."""
        cause = (
            f"{path}, {self.cause[0].lower()}{self.cause[1:]}"
            if self.line
            else (f"{path}: {self.cause}")
        )
        return self.changed({"cause": cause})


def broken_at(text: str, at: int, expected: str, found: str, hint: str = _MEND) -> BrokenConfig:
    """The error of that place in a text."""
    line, column = find_position(text, at)
    return BrokenConfig(expected, found, line=line, column=column, hint=hint)
