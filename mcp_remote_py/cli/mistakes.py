"""Guesses what was meant by words that do not belong on the command line.

Never repeats a word whose place suggests a header's value: a torn token would end in a log. Loaded
where there is such a word.
"""

from __future__ import annotations

import difflib
import re
from typing import NoReturn

from mcp_remote_py.cli.options import OPTIONS, options_of
from mcp_remote_py.cli.program import COMMANDS, LOGIN, LOGOUT, PROGRAM, PROXY, STATUS
from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.headers import BARE_SCHEMES, ENV_FORM

_CLOSE = 0.75
"""Likeness of two words from which one is taken for the other mistyped: 0 to 1 (`difflib`)."""


def check_words(
    command: str, headers: list[str], found: list[str], superfluous: list[str], unknown: list[str]
) -> None:
    """Looks at the words `found`, at those of them that are too many, and at unknown options.

    Raises:
        UsageError: it says what is most likely meant by those that do not belong.
    """
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


def refuse_words(found: list[str]) -> NoReturn:
    """Raises the UsageError for more words than a URL and a port."""
    hint = "Quote values that contain blanks; options begin with --."
    if close := difflib.get_close_matches(found[0], (LOGIN, LOGOUT, STATUS), 1, _CLOSE):
        hint = f"Did you mean {PROGRAM} {close[0]}?"
    raise UsageError(
        f"{len(found)} arguments are given where only the server URL belongs.", hint=hint
    )


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
    if not re.fullmatch(r"--?[a-z][a-z0-9-]{0,31}", name):
        raise UsageError("An option is unknown.", hint=meant)
    if name in OPTIONS:
        where = " and ".join(
            f"{PROGRAM} URL" if other == PROXY else COMMANDS[other].words_before
            for other in OPTIONS[name].commands
        )
        raise UsageError(f"{name} belongs to {where}, not to {here}.", hint="Leave it out.")
    raise UsageError(f"Unknown option {name}.", hint=meant)
