"""The help of a command, laid out by argparse, which nothing else here uses.

Must not know how words are read.
"""

from __future__ import annotations

import argparse
import textwrap

from mcp_remote_py.cli.options import options_of
from mcp_remote_py.cli.program import COMMANDS, PROGRAM, PROXY

WIDTH = 100
"""Columns. Given, because argparse would import shutil to find out."""


AT_TERMINAL = (
    "Typed at a terminal, it says what there is, or what is wrong, and shows the entry for a host's"
    " configuration."
)
"""What a person gets who types the relay's command, to be read above its options."""

IDLE_OPTIONS = "All other options of an entry in a host's configuration are accepted and ignored."
"""What is said of them by each command that is about a server."""

ALL_OF_ENTRY = "All options of an entry in a host's configuration count here as they do there."
"""The same, by each that is about the entry."""


def render_help(command: str) -> str:
    """The text of `--help`."""
    text = _build_parser(command).format_help()
    if command != PROXY:
        return f"{text}\n{describe_others(command)}\n"
    others = [other for other in COMMANDS.values() if other.name != PROXY]
    width = max(len(other.usage) for other in others)
    lines = [f"  {other.usage.ljust(width)}  {other.summary}\n" for other in others]
    return "".join((text, "\nOther commands, each with a --help of its own:\n", *lines))


def describe_others(command: str) -> str:
    """What a command does with options that are not listed as its own."""
    return ALL_OF_ENTRY if COMMANDS[command].is_of_entry else IDLE_OPTIONS


class _Formatter(argparse.HelpFormatter):
    """Breaks lines at blanks only: the name of an option stays whole."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def _build_parser(command: str) -> argparse.ArgumentParser:
    this = COMMANDS[command]
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{this.usage} [options]",
        description=f"{this.summary} {AT_TERMINAL}" if command == PROXY else this.summary,
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 sign-in needed, 130 interrupted.",
        add_help=False,
        formatter_class=_Formatter,
    )
    parser.add_argument("words", nargs="*", metavar="URL", help=_escape(this.words_help))
    options = options_of(command)
    groups = {
        name: parser.add_argument_group(name)
        for name in dict.fromkeys(option.group for option in options)
    }
    for option in options:
        group = groups[option.group]
        text = _escape(f"{option.help} Can be repeated." if option.repeatable else option.help)
        if option.value:
            group.add_argument(option.name, metavar=option.value, help=text)
        else:
            group.add_argument(option.name, action="store_true", help=text)
    return parser


def _escape(text: str) -> str:
    return text.replace("%", "%%")
