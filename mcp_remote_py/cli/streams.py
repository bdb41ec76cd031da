"""The console that the process's streams are. Must not know any command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from mcp_remote_py.console import Console

NARROW, WIDE = 40, 120
"""Columns: help and reports are laid out for no less and no more."""


def build_console(
    write: Callable[[str], None],
    stdin: TextIO | None,
    stdout: TextIO | None,
    environment: Mapping[str, str],
) -> Console:
    """The console; `write` writes to stdout, whatever became of it."""
    at_terminal = _is_terminal(stdout)

    def console() -> bool:
        return stdout is not None and _prepare_console(stdout)

    return Console(
        write,
        str if stdin is None else stdin.readline,
        is_interactive=at_terminal and _is_terminal(stdin),
        has_colour=at_terminal and understands_styles(environment, sys.platform, console),
        width=width_of(stdout, environment),
    )


def understands_styles(
    environment: Mapping[str, str], platform: str, prepare_console: Callable[[], bool]
) -> bool:
    """Whether the terminal of that environment shows styles, and the person wants them.

    `platform` as of `sys`. `prepare_console` is for Windows, whose console shows escape sequences
    as text until it is told not to; it says whether that worked. NO_COLOR as in
    https://no-color.org: any value but an empty one.
    """
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return platform != "win32" or prepare_console()


def _prepare_console(stream: TextIO) -> bool:
    from mcp_remote_py.windows import load_kernel32, show_styles

    try:
        return show_styles(load_kernel32(), stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False


_COLUMNS_DIGITS = 9
"""More are not a width, and of thousands Python does not make a number."""


def width_of(stdout: TextIO | None, environment: Mapping[str, str]) -> int:
    """Columns of the terminal, 80 where there is none, within NARROW and WIDE.

    COLUMNS comes first, as in POSIX's utilities.
    """
    given = environment.get("COLUMNS", "")
    if given.isdecimal() and len(given) <= _COLUMNS_DIGITS and int(given):
        return min(max(int(given), NARROW), WIDE)
    try:
        columns = os.get_terminal_size(-1 if stdout is None else stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = 0
    return min(max(columns, NARROW), WIDE) if columns else 80


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
