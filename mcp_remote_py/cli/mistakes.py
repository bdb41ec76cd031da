"""Guesses what was meant by words that do not belong on the command line.

Never repeats a word whose place suggests a header's value: a torn token would end in a log. Loaded
where there is such a word.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from typing import NoReturn

from mcp_remote_py.cli.options import OPTIONS, options_of
from mcp_remote_py.cli.program import COMMANDS, LOGIN, LOGOUT, PROGRAM, PROXY, STATUS
from mcp_remote_py.errors import HEADER_EXAMPLE, UsageError
from mcp_remote_py.settings.headers import BARE_SCHEMES, ENV_FORM

_CLOSE = 0.75
"""Likeness of two words from which one is taken for the other mistyped: 0 to 1 (`difflib`)."""

_NAMES = re.compile(rf"uvx|npx|(?:{PROGRAM}|mcp-remote)(?:[@=].*)?")
"""The words before the URL in an entry of a host, of ours or for npm's mcp-remote."""

_NAMED = tuple(name for name in COMMANDS if name != PROXY)

_MEANT = {
    **dict.fromkeys(("-H", "--headers"), "--header"),
    **dict.fromkeys(("-v", "-V"), "--version"),
    **dict.fromkeys(("--verbose", "--log-level"), "--debug"),
    **dict.fromkeys(("-q", "--quiet"), "--silent"),
    **dict.fromkeys(("-s", "-u", "--url", "--server", "--server-url"), "the URL alone"),
    **dict.fromkeys(("--token", "--bearer", "--bearer-token", "--auth-token"), HEADER_EXAMPLE),
    **dict.fromkeys(("--key", "--api-key", "--apikey"), HEADER_EXAMPLE),
    **{f"--{name}": f"{PROGRAM} {name}" for name in _NAMED},
}
"""Options of other commands that one may try here, and what is written for them."""


def check_words(
    command: str, headers: list[str], found: list[str], superfluous: list[str], unknown: list[str]
) -> None:
    """Looks at the words `found`, at those of them that are too many, and at unknown options.

    Raises:
        UsageError: it says what is most likely meant by those that do not belong.
    """
    if any(map(_has_comma, (*found, *unknown))):
        raise UsageError(
            "The arguments have commas behind them, as in the JSON of a host's entry.",
            hint="Leave the commas out; one that ends a URL is written as %2C.",
        )
    misplaced = next((word for word in found if word in COMMANDS and word != PROXY), None)
    if misplaced is not None:
        raise UsageError(
            f"{misplaced} is given, but not as the first argument.",
            hint=f"Write {COMMANDS[misplaced].usage} [options].",
        )
    if superfluous or unknown:
        torn = next(filter(_is_torn, headers), None)
        pieces = [word for word in superfluous if not word.isdigit()]
        if torn is not None or (headers and pieces and not unknown):
            _refuse_torn_header(torn or headers[-1])
    if unknown:
        _refuse_unknown_option(command, unknown[0])
    torn = next(filter(_is_torn, found), None)
    if torn is not None:
        _refuse_torn_header(torn)
    if len(found) == 1 and found[0].lstrip()[:1] in ("{", "["):
        raise UsageError(
            "JSON is given in place of the server URL.",
            hint="Give the words of its args alone, without commas and brackets.",
        )
    is_name = len(found) == 1 and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", found[0])
    if is_name and command in (LOGIN, LOGOUT, STATUS) and not _guess_command(found[0]):
        raise UsageError(
            f"{command} takes the address of a server, not a name.",
            hint="Write it in full, as https://example.com/mcp. For an entry of a host by its name "
            f"there is: {PROGRAM} check NAME",
        )
    if len(found) == 1 and (meant := _guess_command(found[0])):
        raise UsageError("The server URL is missing.", hint=f"Did you mean {meant}?")


def refuse_words(found: list[str]) -> NoReturn:
    """Raises the UsageError for more words than a URL and a port."""
    hint = "Quote values that contain blanks; options begin with --."
    if meant := _guess_command(found[0]):
        hint = f"Did you mean {meant}?"
    raise UsageError(
        f"{len(found)} arguments are given where only the server URL belongs.", hint=hint
    )


def drop_names(others: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The words without the names of programs before them, as in the arguments of an entry."""
    names = itertools.takewhile(lambda one: _NAMES.fullmatch(one[1]), others[:-1])
    return others[len(list(names)) :]


_OF_LAUNCHER = re.compile(r"-y|--yes|tool|run|dlx|exec|x|--")
_WITH_WORD = frozenset({"--from", "--with", "--package", "-p", "--python"})
"""Words of what starts the program in an entry; some have another word behind them."""


def drop_launcher(argv: Sequence[str]) -> Sequence[str]:
    """The words from the program's name on, behind what starts it (`npx -y`); else all of them."""
    place = 0 if argv[0].startswith("-") else 1
    while place < len(argv) - 1:
        word = argv[place]
        if re.fullmatch(_NAMES, word):
            return argv[place:]
        if word in _WITH_WORD:
            place += 1
        elif not _OF_LAUNCHER.fullmatch(word):
            break
        place += 1
    return argv


def _has_comma(word: str) -> bool:
    bare = word.removesuffix(",")
    return bare != word and ("://" in bare or bare in OPTIONS or bool(_NAMES.fullmatch(bare)))


def _guess_command(word: str) -> str:
    """What is typed for the command that `word` may stand for; empty where it is another word."""
    name = word.lower()
    if name == "help":
        return f"{PROGRAM} --help"
    if name == "version":
        return f"{PROGRAM} --version"
    close = difflib.get_close_matches(name, _NAMED, 1, _CLOSE)
    return f"{PROGRAM} {close[0]}" if close else ""


def _is_torn(word: str) -> bool:
    """Whether `word` is the first piece of a header a host has split at its blanks."""
    name, colon, value = word.partition(":")
    if not colon:
        return word.lower() in BARE_SCHEMES
    return not value or (name.lower() == "authorization" and value.lower() in BARE_SCHEMES)


def _refuse_torn_header(piece: str) -> NoReturn:
    name = piece.partition(":")[0]
    # Only a piece with a colon surely begins with a name.
    shown = f"The header {name}" if re.fullmatch(r"[A-Za-z0-9-]{1,64}:.*", piece) else "A header"
    raise UsageError(
        f"{shown} was torn apart at its blanks, probably by the host.",
        hint=f"Write it without blanks: {ENV_FORM}.",
    )


def _refuse_unknown_option(command: str, word: str) -> NoReturn:
    name = word.partition("=")[0]
    here = COMMANDS[command].words_before
    listed = f"{here} --help lists the options."
    names = [option.name for option in options_of(command)]
    close = difflib.get_close_matches(name.lower(), names, 1, _CLOSE)
    meant = f"Did you mean {close[0]}?" if close else listed
    if name in _MEANT:
        raise UsageError(f"Unknown option {name}.", hint=f"Did you mean {_MEANT[name]}?")
    if not re.fullmatch(r"--?[a-z][a-z0-9-]{0,31}", name):
        raise UsageError("An option is unknown.", hint=meant)
    if name in OPTIONS:
        where = " and ".join(
            f"{PROGRAM} URL" if other == PROXY else COMMANDS[other].words_before
            for other in OPTIONS[name].commands
        )
        raise UsageError(f"{name} belongs to {where}, not to {here}.", hint="Leave it out.")
    raise UsageError(f"Unknown option {name}.", hint=meant)
