"""The words of the command line, taken apart: options with their words, the URL, the port.

Words stay words here. An option is written in full; its word is the next one, or stands behind a
`=`. What begins with a hyphen is an option, but for a negative number and for what has a blank in
it, as a header may. What was meant by words that do not belong, `mistakes` knows. Must not know
what any option means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

from mcp_remote_py.cli.options import Option, options_of
from mcp_remote_py.cli.program import COMMANDS, LOGIN, PROXY, STATUS
from mcp_remote_py.errors import UsageError
from mcp_remote_py.patterns import lazy_pattern

_NEGATIVE = lazy_pattern(r"-[0-9]+|-[0-9]*\.[0-9]+")
_ASSIGNED = lazy_pattern(r"--[a-z][a-z0-9-]*=")


class Arguments(NamedTuple):
    """The arguments: the words of each option in their order; for a switch, an empty one."""

    options: dict[str, list[str]]
    url: str | None = None
    port: str | None = None

    def has(self, name: str) -> bool:
        """Whether that option is given."""
        return name in self.options

    def each(self, name: str) -> Sequence[str]:
        """Its words."""
        return self.options.get(name, ())

    def last(self, name: str) -> str | None:
        """Its word, of several the last; None where it is not given."""
        return self.options[name][-1] if name in self.options else None


def parse_arguments(command: str, argv: Sequence[str]) -> Arguments:
    """The arguments; the URL is None only where none is needed.

    With `--help` (or `-h`) or `--version` nothing else is asked for.

    Raises:
        UsageError: an unknown option, a missing or superfluous word, a header torn in two.
    """
    options, words, unknown = _sort({one.name: one for one in options_of(command)}, argv)
    if "-h" in unknown:
        options["--help"] = [""]
    if "--help" in options or "--version" in options:
        return Arguments(options)
    url = next((word for word in words if "://" in word), words[0] if words else None)
    further = list(words)
    if url is not None:
        further.remove(url)
    if unknown or further or (url is not None and "://" not in url):
        from mcp_remote_py.cli.mistakes import check_words

        check_words(command, options.get("--header", []), words, further, unknown)
    takes_port = command in (PROXY, LOGIN)
    port = further.pop(0) if takes_port and further and further[0].isdigit() else None
    if further:
        from mcp_remote_py.cli.mistakes import refuse_words

        refuse_words(words)
    has_all = "--all" in options
    if url is not None and has_all:
        raise UsageError("Both --all and a server URL are given.", hint="Leave out one of them.")
    if url is None and command != STATUS and not has_all:
        raise UsageError(
            "The server URL is missing.",
            hint=f"Usage: {COMMANDS[command].words_before} https://example.com/mcp [options]",
        )
    return Arguments(options, url, port)


def _sort(
    known: Mapping[str, Option], argv: Sequence[str]
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """The words of each option, the words of none, and options that are not known."""
    options: dict[str, list[str]] = {}
    words: list[str] = []
    unknown: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words += rest
        elif not _is_option(word, known) and not _ASSIGNED.match(word):
            words.append(word)
        elif (option := known.get(word.partition("=")[0])) is None:
            unknown.append(word)
        else:
            options.setdefault(option.name, []).append(_take_value(option, word, rest, known))
    return options, words, unknown


def _is_option(word: str, known: Mapping[str, Option]) -> bool:
    if len(word) < 2 or word[0] != "-":
        return False
    return word.partition("=")[0] in known or not (" " in word or _NEGATIVE.fullmatch(word))


def _take_value(option: Option, word: str, rest: Iterator[str], known: Mapping[str, Option]) -> str:
    _, equals, value = word.partition("=")
    if not option.value:
        if equals:
            raise UsageError(f"{option.name} takes no value.", hint=f"Write {option.name} alone.")
        return ""
    if equals:
        return value
    following = next(rest, None)
    if following is None or following == "--" or _is_option(following, known):
        _refuse_missing_value(option)
    return following


def _refuse_missing_value(option: Option) -> NoReturn:
    raise UsageError(
        f"{option.name} needs a value.", hint="Give it as the next argument, or behind a =."
    )
