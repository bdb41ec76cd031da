"""What an entry has before its program: a shell, and others that only start another program.

Each is taken off where nothing is lost with it. One that fetches secrets for what it starts, as
`op run` does, stays: without it the program would not work. Must not know which program is looked
for, nor hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.settings.words import split_line


class WrappedCommand(NamedTuple):
    """A program with its arguments, and the variables that are set for it in these words."""

    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


class _Shell(NamedTuple):
    """A program that takes a line, behind an option."""

    option: re.Pattern[str]
    before: re.Pattern[str]
    """What may stand before that option."""
    variable: re.Pattern[str]
    """How a line refers to a variable."""
    escapes: bool
    """Whether a backslash takes the meaning from the character behind it."""


_POSIX = _Shell(
    lazy_pattern(r"-[a-z]*c[a-z]*"),
    lazy_pattern(r"--?[a-z]+"),
    lazy_pattern(r"\$([A-Za-z_][A-Za-z0-9_]*)"),
    escapes=True,
)
_CMD = _Shell(
    lazy_pattern(r"/c", re.IGNORECASE),
    lazy_pattern(r"/[a-z](?::[a-z]+)?", re.IGNORECASE),
    lazy_pattern(r"%([A-Za-z_][A-Za-z0-9_]*)%"),
    escapes=False,
)
_POWERSHELL = _Shell(
    lazy_pattern(r"-c(?:ommand)?", re.IGNORECASE),
    lazy_pattern(r"-[a-z]+|bypass|unrestricted|remotesigned", re.IGNORECASE),
    lazy_pattern(r"\$env:([A-Za-z_][A-Za-z0-9_]*)", re.IGNORECASE),
    escapes=False,
)
_SHELLS = {
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ksh"), _POSIX),
    "cmd": _CMD,
    **dict.fromkeys(("powershell", "pwsh"), _POWERSHELL),
}

_PASSERS: dict[str, tuple[str, ...]] = {
    "env": (),
    "wsl": (),
    "mise": ("exec", "x"),
    "fnm": ("exec",),
    "volta": ("run",),
    "asdf": ("exec",),
}
"""Programs that start another one as it is, with the words that make them do that."""

_WITH_VALUE = frozenset(
    {"--using", "--node", "-d", "--distribution", "-u", "--unset", "--user", "--cd", "-C"}
)
"""Their options that have a word behind them."""

_ASSIGNMENT = lazy_pattern(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_TOOL = lazy_pattern(r"[a-z][a-z:-]*@[\w.-]+")
"""What mise is to bring, such as `node@22`."""
_JOINT = lazy_pattern(r"[;&|]+")
_REDIRECTION = lazy_pattern(r"[0-9]*[<>].*")
_COMPUTED = ("$(", "`", "<(")
"""What only a shell can know, such as a secret that it fetches."""
MAX_WRAPPERS = 4
"""Those around each other: `wsl bash -c "exec env ..."`."""


def unwrap(words: Sequence[str]) -> Iterator[WrappedCommand]:
    """The programs that may be meant: the one that stands there first, then what it starts."""
    starts = [WrappedCommand(tuple(words))]
    for _ in range(MAX_WRAPPERS + 1):
        yield from starts
        starts = [
            WrappedCommand(inner.words, (*outer.variables, *inner.variables))
            for outer in starts
            for inner in _take_off(outer.words)
            if inner.words
        ]


def program_name(command: str) -> str:
    """The name of a program in a path, in lower case and without its ending."""
    last = re.split(r"[/\\]", command.strip())[-1]
    return _ENDINGS.sub("", last).lower()


_ENDINGS = lazy_pattern(r"\.(?:exe|cmd|bat|ps1)$", re.IGNORECASE)


def _take_off(words: Sequence[str]) -> list[WrappedCommand]:
    name, rest = program_name(words[0]), list(words[1:])
    if name in _SHELLS:
        return _read_shell(_SHELLS[name], rest)
    ways = _PASSERS.get(name)
    if ways is None or (ways and rest[:1] and rest[0] not in ways):
        return []
    return [_pass(rest[1:] if ways else rest)]


def _pass(words: list[str]) -> WrappedCommand:
    """What a program starts that has these words behind it."""
    variables: list[tuple[str, str]] = []
    while words:
        word = words[0]
        if assignment := _ASSIGNMENT.fullmatch(word):
            variables.append((assignment[1], assignment[2]))
        elif not (word.startswith(("-", "~")) or _TOOL.fullmatch(word)):
            break
        words = words[2 if word in _WITH_VALUE else 1 :]
    return WrappedCommand(tuple(words), tuple(variables))


def _read_shell(shell: _Shell, words: list[str]) -> list[WrappedCommand]:
    at = next((at for at, word in enumerate(words) if shell.option.fullmatch(word)), None)
    if at is None or not all(shell.before.fullmatch(word) for word in words[:at]):
        return []
    line = words[at + 1 :]
    if not line:
        return []
    if " " in line[0]:
        return list(_read_line(shell, line[0], line[1:]))
    return [WrappedCommand(tuple(_refer(shell, word) for word in line))]


def _read_line(shell: _Shell, text: str, further: Sequence[str]) -> Iterator[WrappedCommand]:
    """The commands of a line, each with what was set before it."""
    try:
        words = [*split_line(text, escapes=shell.escapes, joints=";&|"), *further]
    except ValueError:
        return
    if any(sign in word for word in words for sign in _COMPUTED):
        return
    variables: list[tuple[str, str]] = []
    command: list[str] = []
    for word in (*words, ";"):
        if not _JOINT.fullmatch(word):
            command += [] if _REDIRECTION.fullmatch(word) else [_refer(shell, word)]
            continue
        while command[:1] and command[0] in ("exec", "export", "call"):
            del command[0]
        inner = _pass(command) if command and not command[0].startswith("-") else WrappedCommand(())
        variables += inner.variables
        if inner.words:
            yield WrappedCommand(inner.words, tuple(variables))
        command = []


def _refer(shell: _Shell, word: str) -> str:
    """The word with its variables written as we read them."""
    return shell.variable.sub(r"${\1}", word)
