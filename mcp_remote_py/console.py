"""What a command can do with the person at the terminal, or with the pipe in its place.

Must not know streams, nor what is said.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from enum import Enum

from mcp_remote_py.redact import scrub_known


class Style(Enum):
    """What a piece of text is, as the parameter of its escape sequence (ECMA-48, SGR)."""

    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    STRONG = "1"
    SOFT = "2"


CLEAR_LINE = "\r\x1b[2K"
"""Takes what is written on this line away."""


def wrap_text(text: str, width: int, indent: int = 0, hang: int = 0) -> list[str]:
    """Lines of at most `width`, broken at blanks only: the name of an option stays whole.

    Each begins with `indent` blanks, all but the first with `hang` more.
    """
    blanks = " " * indent
    return textwrap.wrap(
        text,
        width,
        initial_indent=blanks,
        subsequent_indent=blanks + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


class Console:
    """Lines for a person, and the person's answers.

    `write` writes text as it is, `read_line` reads a line with its end, "" at the end of the input.
    Where not `is_interactive`, nobody is there to answer. `width` is in columns. `has_colour`
    says whether the terminal understands styles, and with them a line that is written again.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        read_line: Callable[[], str] = str,
        *,
        is_interactive: bool = False,
        has_colour: bool = False,
        width: int = 80,
    ) -> None:
        self._write = write
        self._read_line = read_line
        self.is_interactive = is_interactive
        self.has_colour = has_colour
        self.width = width
        self._shows_progress = False

    def paint(self, text: str, style: Style) -> str:
        """`text` in this style, where there are styles."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.has_colour else text

    def say(self, line: str = "") -> None:
        """Writes a line, without known secrets."""
        self.show(scrub_known(line))

    def show(self, line: str) -> None:
        """Writes a line as it is: an address that would not open without what is secret in it."""
        self._end_progress()
        self._write(f"{line}\n")

    def show_progress(self, text: str) -> None:
        """Says for now what goes on: the next line takes its place. Nothing in a pipe."""
        if self.has_colour:
            self._write(f"{CLEAR_LINE}{scrub_known(text)[: self.width - 1]}")
            self._shows_progress = True

    def read_line(self) -> str:
        """The next line of the input, "" at its end, whoever writes it; may block."""
        return self._read_line()

    def ask(self, question: str) -> str:
        """What the person answers, without blanks around it; "" where nobody is there."""
        if not self.is_interactive:
            return ""
        self._end_progress()
        self._write(f"{scrub_known(question)} ")
        return self._read_line().strip()

    def agrees(self, question: str, *, otherwise: bool) -> bool:
        """Whether the person says yes; `otherwise` where the answer is empty or nobody is there.

        Asks again until it is one that can be understood.
        """
        choices = "[Y/n]" if otherwise else "[y/N]"
        asked = f"{question} {choices}"
        while True:
            answer = self.ask(asked).casefold()
            if answer in ("", "y", "yes", "n", "no"):
                return answer[:1] == "y" if answer else otherwise
            asked = f"Type y or n {choices}:"

    def _end_progress(self) -> None:
        if self._shows_progress:
            self._write(CLEAR_LINE)
            self._shows_progress = False
