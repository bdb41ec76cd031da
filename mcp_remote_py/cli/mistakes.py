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

from mcp_remote_py.cli.options import OPTIONS, Option, accepted_by, options_of
from mcp_remote_py.cli.program import (
    CHECK,
    COMMANDS,
    COMPLETION,
    HELP,
    INSTALL,
    LOGIN,
    LOGOUT,
    PROGRAM,
    PROXY,
    QUESTIONS,
    SHORT_FORMS,
    STATUS,
    UNINSTALL,
)
from mcp_remote_py.errors import HEADER_EXAMPLE, UsageError
from mcp_remote_py.settings.headers import BARE_SCHEMES, ENV_FORM

_CLOSE = 0.75
"""Likeness of two words from which one is taken for the other mistyped: 0 to 1 (`difflib`)."""

_SHORTEST = 5
"""Characters from which the beginning of an option is taken for it: -- and three more."""

_PROGRAM = re.compile(
    rf"(?:.*[/\\])?(?:{PROGRAM}|mcp-remote|mcp_remote_py)(?:\.exe|\.cmd)?(?:[@=].*)?"
)
"""The program of an entry, ours or npm's mcp-remote."""

_LAUNCHER = re.compile(
    r"(?:.*[/\\])?(?:uvx|uv|npx|pipx|bunx|bun|pnpx|pnpm|yarn|cmd|python[0-9.]*|py)"
    r"(?:\.exe|\.cmd)?",
    re.IGNORECASE,
)
"""What starts it there."""

_OF_LAUNCHER = frozenset({"tool", "run", "dlx", "x", "exec", "/c", "/C"})
"""Words between the two that are not options."""

_WITH_VALUE = frozenset(
    {"--from", "--with", "--python", "-p", "--package", "--spec", "--index", "--default-index"}
)
"""Options between the two that a value follows."""

_NAMED = (*(name for name in COMMANDS if name != PROXY), *QUESTIONS)

_MEANT_COMMANDS = {
    **dict.fromkeys(("auth", "authenticate", "authorize", "signin", "sign-in", "log-in"), LOGIN),
    **dict.fromkeys(("signout", "sign-out", "log-out", "revoke", "forget"), LOGOUT),
    **dict.fromkeys(("list", "ls", "show", "whoami", "info", "sessions"), STATUS),
    **dict.fromkeys(("add", "setup", "configure", "config", "init"), INSTALL),
    **dict.fromkeys(("remove", "rm", "delete", "del"), UNINSTALL),
    **dict.fromkeys(
        ("doctor", "diagnose", "diagnostics", "test", "debug", "verify", "ping", "inspect"), CHECK
    ),
    **dict.fromkeys(("completions", "autocomplete"), COMPLETION),
    **dict.fromkeys(("man", "manual", "usage"), HELP),
}
"""Names that other programs have for a command."""

_MEANT = {
    **dict.fromkeys(("-H", "--headers"), "--header"),
    "-v": "--version",
    **dict.fromkeys(("--timeout", "-t"), "--connect-timeout"),
    **dict.fromkeys(("--insecure", "-k", "--no-verify", "--cacert", "--ca"), "--ca-cert"),
    **dict.fromkeys(("--proxy", "-x"), "the variable HTTPS_PROXY"),
    "--sse": "--transport sse-only",
    **dict.fromkeys(("--http", "--streamable-http"), "--transport http-only"),
    **dict.fromkeys(("--scopes", "--oauth-scope", "--oauth-scopes"), "--scope"),
    **dict.fromkeys(("--client-id", "--client-secret"), "--static-oauth-client-info"),
    **dict.fromkeys(("--headless", "--no-open"), "--no-browser"),
    **dict.fromkeys(("-f", "--force", "--overwrite"), "--yes"),
    "-n": "--dry-run",
    **dict.fromkeys(("-o", "--output"), "--report"),
    **dict.fromkeys(("--account", "--user"), "--profile"),
    **dict.fromkeys(("--port", "--callback-port"), "the port alone, behind the URL"),
    **dict.fromkeys(("--env", "-e"), "the variable itself, set before the command is typed"),
    **dict.fromkeys(("--verbose", "--log-level"), "--debug"),
    **dict.fromkeys(("-q", "--quiet"), "--silent"),
    **dict.fromkeys(("-s", "-u", "--url", "--server", "--server-url"), "the URL alone"),
    **dict.fromkeys(("--token", "--bearer", "--bearer-token", "--auth-token"), HEADER_EXAMPLE),
    **dict.fromkeys(("--key", "--api-key", "--apikey"), HEADER_EXAMPLE),
    **{f"--{name}": f"{PROGRAM} {name}" for name in _NAMED},
    "--doctor": f"{PROGRAM} {CHECK}",
}
"""Options of other commands that one may try here, and what is written for them."""

_LONG_MEANT = [name for name in _MEANT if name.startswith("--")]
"""Those that can be mistyped."""


_EXAMPLES = {
    "--report": "report.md",
    "--log-file": "mcp-remote-py.log",
    "--ca-cert": "authority.pem",
    "--header": HEADER_EXAMPLE.removeprefix("--header "),
    "--client": "cursor",
    "SECONDS": "60",
}
"""Values of an option, by its name or by the placeholder: else that one is shown."""


class EntryNamed(UsageError):
    """The name of an entry may have been given where an address belongs."""

    name = ""
    """It, which nobody may be shown."""


def check_words(
    command: str,
    first: str,
    headers: list[str],
    found: list[str],
    superfluous: list[str],
    unknown: list[str],
) -> None:
    """Looks at the words `found`, at those of them that are too many, and at unknown options.

    Only the `first` word of all can be a mistyped command; any other may be a piece of a value.

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
    if command == PROXY and found[:1] == [first] and (meant := _guess_command(first)):
        raise UsageError(f"{first} is not a command.", hint=f"Did you mean {meant}?")
    if unknown:
        _refuse_unknown_option(command, unknown[0])
    torn = next(filter(_is_torn, found), None)
    if torn is not None:
        _refuse_torn_header(torn)
    if len(found) == 1 and re.match(r"\s*[\[{](?![0-9A-Fa-f:.]+\])", found[0]):  # not [::1]:8443
        raise UsageError(
            "JSON is given in place of the server URL.",
            hint="Give the words of its args alone, without commas and brackets.",
        )
    if not headers:
        _refuse_name(command, first, found)


def _refuse_name(command: str, first: str, found: list[str]) -> None:
    if len(found) != 1:
        return
    is_name = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", found[0]) is not None
    if is_name and command in (LOGIN, LOGOUT, STATUS) and not _guess_command(found[0]):
        raise EntryNamed(
            f"{command} takes the address of a server, not a name.",
            hint="Write it in full, as https://example.com/mcp. For an entry of a host by its name "
            f"there is: {PROGRAM} check NAME",
        ).changed({"name": found[0]})
    if is_name and command == PROXY and found == [first] and not _is_of_start(first):
        raise EntryNamed(
            "That is not an address: an address begins with https://.",
            hint=f"To check an entry of a host by its name: {PROGRAM} check NAME",
        ).changed({"name": first})
    if command == CHECK and is_name:
        raise UsageError("check takes one server at a time.", hint="Give one name or one address.")


def explain_missing_value(option: Option) -> UsageError:
    """The error of an option that nothing follows, with an example of what may."""
    value = _EXAMPLES.get(option.name) or _EXAMPLES.get(option.value) or option.value
    return UsageError(f"{option.name} needs a value.", hint=f"For example: {option.name} {value}")


def refuse_words(found: list[str]) -> NoReturn:
    """Raises the UsageError for more words than a URL and a port."""
    raise UsageError(
        f"{len(found)} arguments are given where only the server URL belongs.",
        hint="Quote values that contain blanks; options begin with --.",
    )


def drop_names(others: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The words without the names of programs before them, as in the arguments of an entry."""
    names = itertools.takewhile(lambda one: _is_of_start(one[1]), others[:-1])
    return others[len(list(names)) :]


def drop_launcher(argv: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The words without those that start the program, with options of theirs; whether some were.

    As in `npx -y mcp-remote URL` and `uvx --from X mcp-remote-py URL`, where they are not ours; or
    in `-y mcp-remote URL`, which are the arguments of such an entry.
    """
    for first, word in enumerate(argv):
        if "://" in word:
            break
        before = OPTIONS.get(argv[first - 1]) if first else None
        is_option = word in ("-y", "--from")
        if not (is_option or _LAUNCHER.fullmatch(word)) or (before and before.value):
            continue
        place = first + (2 if word in _WITH_VALUE else 1)
        while place < len(argv) and not _PROGRAM.fullmatch(argv[place]):
            here = argv[place]
            if not (here[:1] == "-" or here in _OF_LAUNCHER or _LAUNCHER.fullmatch(here)):
                break
            place += 2 if here in _WITH_VALUE else 1
        if place < len(argv) and _PROGRAM.fullmatch(argv[place]):
            return [*argv[:first], *argv[place + 1 :]], True
    return argv, False


def name_meant(word: str) -> str:
    """The command that `word` may stand for; empty where it is another word."""
    name = word.lower()
    if name in _MEANT_COMMANDS:
        return _MEANT_COMMANDS[name]
    close = difflib.get_close_matches(name, _NAMED, 1, _CLOSE)
    return close[0] if close else ""


def _is_of_start(word: str) -> bool:
    # Of what starts it only these: `install python URL` has a name of its own.
    return word in ("uvx", "npx") or bool(_PROGRAM.fullmatch(word))


def _has_comma(word: str) -> bool:
    bare = word.removesuffix(",")
    return bare != word and ("://" in bare or bare in OPTIONS or _is_of_start(bare))


def _guess_command(word: str) -> str:
    """What is typed for the command that `word` may stand for; empty where it is another word."""
    if word.lower() == "version":
        return f"{PROGRAM} --version"
    if word.lower() in ("run", "start", "connect", "proxy", "serve"):
        return f"{PROGRAM} URL, without a command"
    name = name_meant(word)
    return f"{PROGRAM} {name}" if name else ""


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
    listed = f"{here} --help-all lists the options."
    taken = accepted_by(command) if COMMANDS[command].is_of_entry else options_of(command)
    names = [option.name for option in taken]
    close = difflib.get_close_matches(name.lower(), [*names, *_LONG_MEANT], 1, _CLOSE)
    close = [one if one in names else _MEANT[one] for one in close]
    close = [one for one in close if _is_of(one, names)]
    if len(name) >= _SHORTEST and not close:
        close = sorted((one for one in names if one.startswith(name)), key=len)
    meant = f"Did you mean {close[0]}?" if close else listed
    if name in _MEANT and _is_of(_MEANT[name], names):
        raise UsageError(f"Unknown option {name}.", hint=f"Did you mean {_MEANT[name]}?")
    if name in SHORT_FORMS:
        name = SHORT_FORMS[name]
    if not re.fullmatch(r"--?[a-z][a-z0-9-]{0,31}", name):
        raise UsageError("An option is unknown.", hint=meant)
    if name in OPTIONS:
        where = " and ".join(
            f"{PROGRAM} URL" if other == PROXY else COMMANDS[other].words_before
            for other in OPTIONS[name].commands
        )
        raise UsageError(f"{name} belongs to {where}, not to {here}.", hint="Leave it out.")
    raise UsageError(f"Unknown option {name}.", hint=meant)


def _is_of(meant: str, names: list[str]) -> bool:
    """Whether it is not an option that only other commands take."""
    option = meant.partition(" ")[0]
    return option not in OPTIONS or option in names
