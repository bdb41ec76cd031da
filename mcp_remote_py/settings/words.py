"""Reads words that stand for something else: variables, files, commands, numbers, choices.

What an option's value needs before it means anything. Must not know what any option is for.
"""

from __future__ import annotations

import errno
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from mcp_remote_py.errors import HEADER_EXAMPLE, UsageError
from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_path, remember, secrets_in_path

ReadText = Callable[[str], str]
"""Gives the text of the file of that path; raises OSError, or ValueError where it is not a text."""

CONTROL = lazy_pattern(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Control characters but the tab: no header and no parameter carries one."""

_VARIABLE = lazy_pattern(r"\$\{([^{}]+)\}")
_PRINTABLE_VARIABLE = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_SHELL_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_AROUND_NAME = lazy_pattern(r"^[a-z]+:|:-.*$")
"""What a host writes in front of a name (`env:`), or behind it for where it is not set."""


class UnsetVariable(UsageError):
    """A variable is named, and is not set."""

    variable = ""
    """Its name, where that can be shown."""

    def named(self, name: str) -> Self:
        """The same error, of that variable."""
        return self.changed({"variable": name if _is_name(name) else ""})

    def at_terminal(self, platform: str = sys.platform) -> Self:
        """The same error, for a person whose own environment is the one that counts."""
        name = self.variable or "NAME"
        if _SHELL_NAME.fullmatch(name) is None:  # no shell can set it
            name = _AROUND_NAME.sub("", name)
            plain = name if _SHELL_NAME.fullmatch(name) else "TOKEN"
            return self.with_hint(
                f"That is how a host spells it. Write ${{{plain}}} here, with that variable set, "
                'or the value in its place, as in --header "Authorization: Bearer TOKEN".'
            )
        command = f'$env:{name}="…"' if platform == "win32" else f'export {name}="…"'
        return self.with_hint(
            f"Set it first: {command}, or write the value in its place, as in --header"
            ' "Authorization: Bearer TOKEN".'
        )


def expand_environment(text: str, environment: Mapping[str, str]) -> str:
    """`text` with every `${NAME}` replaced by that variable's value, which is not expanded again.

    Raises:
        UsageError: a variable is not set.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name in environment:
            return environment[name]
        raise UnsetVariable(
            f"{_show(name, 'A')} is used, but no environment variable of that name is set.",
            hint='Set it; for an MCP host, in "env" of the server\'s entry: hosts pass few '
            "variables on.",
        ).named(name)

    return _VARIABLE.sub(value_of, text) if "${" in text else text


_OF_HOST = lazy_pattern(r"\$\{(input|env|config|command):[^{}]*\}")
"""What hosts fill in by themselves; a host that cannot do so hands it on as it is."""


class KnownToHost(UsageError):
    """What the host of an entry fills in by itself is not known here."""


def check_filled(text: str, environment: Mapping[str, str]) -> None:
    """Whether all that `text` refers to has a value here: a host fills some in by itself.

    Raises:
        UsageError: something is only known to the host that an entry is written for.
    """
    for name in _VARIABLE.findall(text):
        left = _OF_HOST.search(f"${{{name}}}") or _OF_HOST.search(environment.get(name, ""))
        if left is None:
            continue
        what = "a value that the host of the entry fills in, and nobody else"
        if left[1] == "input":
            what = "a secret that only VS Code knows: it asks for it, and keeps it encrypted"
        raise KnownToHost(
            f"{_show(left[0][2:-1], 'A')} stands for {what}.",
            hint="Start the entry in that host. To check the server from here, give its address"
            f" and the secret: mcp-remote-py check URL {HEADER_EXAMPLE}",
        )


AROUND_BLANKS = " \t\r\n\u00a0\u200b\ufeff"
"""What looks like nothing around a word: a file and an editor leave it there."""
_QUOTES = {'"': '"', "'": "'", "`": "`"}
_ESCAPED_QUOTE = '\\"'
"""As JSON within JSON has it, and cmd.exe hands it on."""
_TYPOGRAPHIC = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a"
_MAX_QUOTES = 3
"""One pair inside another: a shell's, an editor's, and a person's."""


def take_off_quotes(text: str) -> str:
    """`text` without quotes around it, which cmd.exe and text editors leave there or put there.

    None of them is a part of anything that is given here: but for a pair, nothing is taken.
    """
    for _ in range(_MAX_QUOTES):
        first, last = text[:1], text[-1:]
        if len(text) >= 4 and text.startswith(_ESCAPED_QUOTE) and text.endswith(_ESCAPED_QUOTE):
            text = text[2:-2]
            continue
        is_pair = _QUOTES.get(first) == last or (first in _TYPOGRAPHIC and last in _TYPOGRAPHIC)
        if len(text) < 2 or not is_pair:
            break
        text = text[1:-1]
    return text


def take_off_wrapping(text: str) -> str:
    """The same, and without blanks around it, and `<...>` around a URL (RFC 3986 app. C)."""
    text = take_off_quotes(text.strip(AROUND_BLANKS)).strip(AROUND_BLANKS)
    if "://" in text and text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip(AROUND_BLANKS)
    return text


def write_option(name: str, word: str) -> tuple[str, ...]:
    """An option with its word, as both are read again: what begins with a hyphen is an option."""
    return (f"{name}={word}",) if word.startswith("-") else (name, word)


def find_empty_variable(text: str, environment: Mapping[str, str]) -> str:
    """The first `${NAME}` in `text` that stands for nothing but blanks, "" without one."""
    for name in _VARIABLE.findall(text):
        if name in environment and not environment[name].strip():
            return _show(name, "a")
    return ""


def _show(name: str, article: str) -> str:
    """The variable as it is written, if its name surely is one: a torn token would end in a log."""
    return f"${{{name}}}" if _is_name(name) else f"{article} ${{...}}"


def _is_name(text: str) -> bool:
    # Part by part: `input:token2` is not a user with a password.
    is_key = any(map(may_be_key, text.split(":")))
    return not is_key and _PRINTABLE_VARIABLE.fullmatch(text) is not None


def expand_path(text: str, environment: Mapping[str, str]) -> str:
    """A file name with `${NAME}` and a leading `~` expanded: hosts start us without a shell.

    What may be a secret in its place is remembered as one: errors and reports name files.
    """
    path = expand_environment(text, environment)
    remember(secrets_in_path(path))
    home = environment.get("HOME") or environment.get("USERPROFILE") or ""
    if home and (path == "~" or path.startswith(("~/", "~\\"))):
        return home + path[1:]
    return path


_FILE_HINTS = {
    errno.EFBIG: "Look whether it is the right file.",
    errno.EBUSY: "Write it under another name and rename it then.",
    errno.EINVAL: "It may be read again later: write what is in it into a file.",
}


class FileGone(UsageError):
    """A file that an option names is not there."""


def read_file_text(path: str, option: str, read_file: ReadText) -> str:
    """The text of the file `path` that `option` names.

    Raises:
        UsageError: it cannot be read, or is not a text.
    """
    try:
        return read_file(path)
    except OSError as error:
        unread = FileGone if isinstance(error, FileNotFoundError) else UsageError
        raise unread(
            f"{option}: cannot read {mask_path(path)}: {error.strerror or type(error).__name__}.",
            hint=_FILE_HINTS.get(error.errno or 0, "Give the full path of a file you may read."),
        ) from None
    except ValueError:  # UnicodeDecodeError, or a NUL in the path
        raise UsageError(
            f"{option}: {path} is not a UTF-8 text file.", hint="Save it as plain UTF-8 text."
        ) from None


def split_line(text: str, *, escapes: bool, joints: str = "") -> list[str]:
    """The words of a line: blanks separate, quotes join, and a `#` is a character like any other.

    Where it `escapes`, a backslash does so; runs of `joints` are words of their own.

    Raises:
        ValueError: a quote is not closed.
    """
    import shlex

    lexer = shlex.shlex(text, posix=True, punctuation_chars=joints)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if not escapes:
        lexer.escape = ""
    return list(lexer)


def split_command(
    text: str,
    environment: Mapping[str, str],
    option: str,
    form: str,
    *,
    windows: bool = False,
) -> tuple[str, ...]:
    r"""The words of the command that `option` gives, for starting it without a shell.

    Blanks separate, quotes join, and on POSIX a backslash escapes; on Windows it is an
    ordinary character, so that `C:\tools\token.exe` survives. `${NAME}` is expanded word by
    word afterwards: a value never splits. `form` says what to give instead of nothing.

    Raises:
        UsageError: no word, an open quote, or a variable that is not set.
    """
    try:
        words = split_line(text, escapes=not windows)
    except ValueError:
        raise UsageError(
            f"{option} has a quote that is not closed.",
            hint='Close it; inside JSON write " as \\".',
        ) from None
    if not words:
        raise UsageError(f"{option} is empty.", hint=form)
    words = [expand_environment(word, environment) for word in words]
    for word in words:
        remember(secrets_in_path(word))  # an error names the program
    return tuple(words)


_SECONDS = lazy_pattern(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_SIZE = lazy_pattern(r"([0-9]+) ?([A-Za-z]*)")
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}


def parse_seconds(text: str, option: str) -> float:
    """Seconds, whole or with a decimal point; whoever takes them takes 0 for no limit.

    Raises:
        UsageError: it is not such a number.
    """
    if not _SECONDS.fullmatch(text) or not math.isfinite(float(text)):
        raise UsageError(
            f"{option} takes a number of seconds.", hint="For example 30 or 0.5; 0 means no limit."
        )
    return float(text)


def parse_positive_seconds(text: str, option: str, otherwise: str) -> float:
    """Seconds above 0; `otherwise` is a sentence on what there is without the option.

    Raises:
        UsageError: it is not such a number.
    """
    if not _SECONDS.fullmatch(text) or not 0 < float(text) < math.inf:
        raise UsageError(
            f"{option} takes a number of seconds above 0.", hint=f"For example 60. {otherwise}"
        )
    return float(text)


def parse_size(text: str, option: str) -> int:
    """Bytes: a whole number, alone or with kB, MB, GB (powers of 1000) or KiB, MiB, GiB.

    Raises:
        UsageError: it is not such a size, or 0.
    """
    size = _SIZE.fullmatch(text)
    unit = None if size is None else _SIZE_UNITS.get(size[2].lower())
    if size is None or unit is None or len(size[1]) > 15 or int(size[1]) == 0:
        raise UsageError(
            f"{option} takes a size above 0.", hint="For example 128MiB, 50MB or 1000000 (bytes)."
        )
    return int(size[1]) * unit


def choose(text: str, option: str, names: Iterable[str]) -> str:
    """`text`, which is one of `names`.

    Raises:
        UsageError: it is not.
    """
    if text not in names:
        import difflib

        names = tuple(names)
        by_letters = {name.lower(): name for name in names}
        # One digit or letter more makes another code of a code: HS256 is not RS256 mistyped.
        likeness = 1.0 if any(map(str.isdigit, text)) else 0.75
        close = difflib.get_close_matches(text.lower(), by_letters, 1, likeness)
        meant = f"Did you mean {by_letters[close[0]]}? " if close else ""
        raise UsageError(
            f"{option} has an unknown value.", hint=f"{meant}Use one of: {', '.join(names)}."
        )
    return text


_METADATA_NAME = lazy_pattern(
    r"(?:[A-Za-z0-9.-]{1,200}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?"
)
"""MCP 2025-11-25, basic, "_meta"."""

_OF_MCP = lazy_pattern(r"progressToken|(?:[a-z0-9-]+\.)?(?:modelcontextprotocol|mcp)(?:\..*)?/.*")
"""Names that the specification keeps for itself."""


def parse_metadata(text: str, option: str) -> tuple[str, str]:
    """Name and value of a member of `_meta`.

    Raises:
        UsageError: it is not of that form, or one of the protocol's own.
    """
    name, equals, value = text.partition("=")
    if not equals or not _METADATA_NAME.fullmatch(name) or CONTROL.search(value):
        raise UsageError(
            f"{option} is not of the form NAME=VALUE.",
            hint=f"For example {option} AWS_REGION=eu-west-1.",
        )
    if _OF_MCP.fullmatch(name):
        raise UsageError(
            f"{option} cannot set {name}, which belongs to MCP itself.", hint="Leave it out."
        )
    return name, value


_PLAIN_NAME = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


def parse_plain_name(text: str, option: str, example: str) -> str:
    """`text`, a name of letters, digits and hyphens; `example` is one, or two.

    Raises:
        UsageError: it is not.
    """
    if not _PLAIN_NAME.fullmatch(text):
        raise UsageError(
            f"{option} takes a name of letters, digits and hyphens.", hint=f"For example {example}."
        )
    return text
