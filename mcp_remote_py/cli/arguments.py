"""The words of the command line, taken apart: options with their words, the URL, the port.

Words stay words here. An option is written in full; its word is the next one, or stands behind a
`=`; of several words of one that is not repeated the first counts, as with npm's mcp-remote. What
begins with a hyphen is an option, but for a negative number and for what has a blank in it, as a
header may. Quotes that a shell has left around a word are taken off. What was meant by words that
do not belong, `mistakes` knows; what is ignored of them is said. Must not know what any option
means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_remote_py.cli.options import (
    IGNORED,
    NOT_GIVEN_IF_BLANK,
    OPTIONS,
    Option,
    accepted_by,
)
from mcp_remote_py.cli.program import COMMANDS, SHORT_FORMS, Command
from mcp_remote_py.errors import UsageError
from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.settings.words import AROUND_BLANKS, take_off_wrapping
from mcp_remote_py.values import Value

_NEGATIVE = lazy_pattern(r"-[0-9]+|-[0-9]*\.[0-9]+")
_ASSIGNED = lazy_pattern(r"--[a-z][a-z0-9-]*=")

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""What text editors make of two hyphens."""

_ENDING = frozenset({"--help", "--help-all", "--version"})
"""With these, nothing else is asked for."""

NAME_IGNORED = "Ignored: the name of the program before the server URL."

_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off"})
"""Words that people write behind a switch."""


class Arguments(Value, frozen=True):
    """The arguments: the words of each option in their order; for a switch, an empty one."""

    options: dict[str, list[str]]
    url: str | None = None
    port: str | None = None
    name: str | None = None
    """The name of an entry."""
    warnings: tuple[str, ...] = ()
    """What was ignored, in words for the person."""

    def has(self, name: str) -> bool:
        """Whether that option is given."""
        return name in self.options

    def each(self, name: str) -> Sequence[str]:
        """Its words."""
        return self.options.get(name, ())

    def first(self, name: str) -> str | None:
        """Its word, of several the first; None where it is not given."""
        return self.options[name][0] if name in self.options else None


class _Words(Value, frozen=True):
    """The words of a command line by what they are."""

    options: dict[str, list[str]]
    others: list[tuple[int, str]]
    """Words of no option, with their places."""
    unknown: list[str]
    """Options that are not known."""
    warnings: list[str]


def parse_arguments(command: str, argv: Sequence[str]) -> Arguments:
    """The arguments; the URL is None only where none is needed.

    What an entry of a host has for the relay alone is left out, and said.

    With `--help`, `--help-all` or `--version` nothing else is asked for.

    Raises:
        UsageError: an unknown option, a missing or superfluous word, a header torn in two.
    """
    known = {one.name: one for one in accepted_by(command)}
    argv, is_pasted = _without_launcher(argv)
    said = _sort(known, argv)
    options, others, unknown, warnings = said.options, said.others, said.unknown, said.warnings
    if is_pasted:
        warnings.append(NAME_IGNORED)
    _spell_out(options, unknown, known)
    if not _ENDING.isdisjoint(options):
        return Arguments(options)
    this = COMMANDS[command]
    _check_unknown(command, argv, others, unknown)
    name, others = _take_name(this, others)
    others = _without_names(others, warnings)
    words = [word for _, word in others]
    url = next((word for word in words if "://" in word), words[0] if words else None)
    takes_port = this.takes_port
    further, ignored = _split_further(others, url) if takes_port else (list(words), [])
    if url is not None and not takes_port:
        further.remove(url)
    if unknown or further or ignored or _is_odd(url):
        from mcp_remote_py.cli.mistakes import check_words

        check_words(command, argv[0], options.get("--header", []), words, further, unknown)
    port = further.pop(0) if further and further[0].isdigit() else None
    if further:
        from mcp_remote_py.cli.mistakes import refuse_words

        refuse_words(words)
    has_all = "--all" in options
    if url is not None and has_all:
        raise UsageError("Both --all and a server URL are given.", hint="Leave out one of them.")
    if url is None and this.needs_url and not has_all:
        # An address without its scheme is taken for a name, and may have a key in it.
        example = this.example_for() if may_be_key(name or "") else this.example_for(name or "math")
        raise UsageError(
            "The server URL is missing.", hint=f"Usage: {this.words_before} {example} [options]"
        )
    idle = [name for name in options if OPTIONS[name].is_idle_in(command)]
    for name in idle:
        del options[name]
    if port is not None and not takes_port:
        idle.append("The port")
        port = None
    ignored += [f"Ignored: {name} does not matter for {command}." for name in idle]
    return Arguments(options, url, port, name, (*warnings, *ignored))


def _spell_out(
    options: dict[str, list[str]], unknown: list[str], known: Mapping[str, Option]
) -> None:
    """Takes options of one letter for what they stand for."""
    for short in [word for word in unknown if SHORT_FORMS.get(word) in known]:
        options.setdefault(SHORT_FORMS[short], [""])
        unknown.remove(short)


def _take_name(
    command: Command, others: list[tuple[int, str]]
) -> tuple[str | None, list[tuple[int, str]]]:
    if not command.takes_name:
        return None, others
    from mcp_remote_py.cli.entry_name import take_name

    return take_name(command, others)


def _is_odd(url: str | None) -> bool:
    if url is None:
        return False
    return "://" not in url or url.endswith(",") or url.lstrip()[:1] in ("{", "[")


def _without_names(others: list[tuple[int, str]], warnings: list[str]) -> list[tuple[int, str]]:
    if len(others) < 2 or "://" in others[0][1]:
        return others
    from mcp_remote_py.cli.mistakes import drop_names

    rest = drop_names(others)
    if len(rest) < len(others):
        warnings.append(NAME_IGNORED)
    return rest


def _without_launcher(argv: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The words without what starts the program in a pasted entry; whether there was such a thing.

    Looked for only where a word has the name of the program in it.
    """
    if not any("mcp-remote" in word or "mcp_remote" in word for word in argv):
        return argv, False
    from mcp_remote_py.cli.mistakes import drop_launcher

    return drop_launcher(argv)


def warn_of(error: UsageError) -> str:
    """The words for the log where the mistake is ignored, as by npm's mcp-remote."""
    return f"Ignored: {error.sentence()}"


def _check_unknown(
    command: str, argv: Sequence[str], others: Sequence[tuple[int, str]], unknown: list[str]
) -> None:
    """Where nothing else is there: what is missing may be what it should have been."""
    if unknown and not others:
        from mcp_remote_py.cli.mistakes import check_words

        check_words(command, argv[0], [], [], [], unknown)


def _split_further(
    others: Sequence[tuple[int, str]], url: str | None
) -> tuple[list[str], list[str]]:
    """The words beside the URL, and what to say of those of them that are ignored.

    An entry for npm's mcp-remote may have them: another URL behind the first, and in the port's
    place what is not one. Anywhere else a word may be the rest of a value that was torn.
    """
    place = next((at for at, word in others if word == url), -1)
    further: list[str] = []
    ignored: list[str] = []
    for at, word in others:
        if at > place and "://" in word:
            ignored.append("Ignored: a second URL is given. The first one is the server's.")
        elif at == place + 1 and "://" in (url or "") and _is_no_port(word):
            ignored.append(
                "Ignored: what stands behind the server URL is not a port. "
                "A port is a number from 1 to 65535."
            )
        elif at != place:
            further.append(word)
    return further, ignored


def _is_no_port(word: str) -> bool:
    is_option = word[:1] == "-" and not _NEGATIVE.fullmatch(word)
    return not (word.isdigit() or is_option or ":" in word or "=" in word or " " in word)


def _sort(known: Mapping[str, Option], argv: Sequence[str]) -> _Words:
    found = _Words({}, [], [], [])
    place = 0
    only_words = False
    while place < len(argv):
        word, here = take_off_wrapping(argv[place]), place
        place += 1
        if word[:1] in _DASHES and (meant := _write_hyphens(word)).partition("=")[0] in known:
            word = meant
            name = word.partition("=")[0]
            found.warnings.append(f"The long dash before {name[2:]} is taken for two hyphens.")
        if word == "--" and not only_words:
            only_words = not (found.others and any(_is_option(one, known) for one in argv[place:]))
            if not only_words:
                found.warnings.append("Ignored: -- behind the server URL. Options follow it.")
        elif only_words or not (_is_option(word, known) or _ASSIGNED.match(word)):
            if len(word) < len(argv[here].strip(AROUND_BLANKS)):
                found.warnings.append("Ignored: the quotes around an argument.")
            found.others.append((here, word))
        elif (option := known.get(word.partition("=")[0])) is None:
            found.unknown.append(word)
        else:
            following = argv[place] if place < len(argv) else None
            value, is_next = _take_value(option, word, following, known, found.warnings)
            place += is_next
            if value is not None:
                _keep(option, value, found)
    return found


def _keep(option: Option, value: str, found: _Words) -> None:
    """Adds the word, unless it says nothing, or the option counts once and has one."""
    there = found.options.get(option.name, [])
    if option.bad == NOT_GIVEN_IF_BLANK and not value.strip():
        found.warnings.append(f"Ignored: {option.name} is empty.")
    elif option.repeatable or not there:
        found.options[option.name] = [*there, value]
    elif value != there[0]:
        found.warnings.append(
            f"Ignored: {option.name} is given more than once. The first one counts."
        )


def _write_hyphens(word: str) -> str:
    """The option that a text editor has made long dashes of."""
    return f"--{word.lstrip(f'{_DASHES}-')}"


def _is_option(word: str, known: Mapping[str, Option]) -> bool:
    if len(word) < 2 or word[0] != "-":
        return False
    return word.partition("=")[0] in known or not (" " in word or _NEGATIVE.fullmatch(word))


def _take_value(
    option: Option,
    word: str,
    following: str | None,
    known: Mapping[str, Option],
    warnings: list[str],
) -> tuple[str | None, bool]:
    """The option's word, None where it is missing and the option ignored; whether it was next."""
    _, equals, value = word.partition("=")
    if not option.value:
        if equals:
            raise UsageError(f"{option.name} takes no value.", hint=f"Write {option.name} alone.")
        said = (following or "").casefold()
        if said in _NO:
            hint = f"Leave out both, where {option.name} is not wanted."
            raise UsageError(f"{option.name} takes no value, and is followed by {said}.", hint=hint)
        if said in _YES:
            warnings.append(f"Ignored: {said} behind {option.name}, which takes no value.")
        return "", said in _YES
    if not equals:
        if following is None or following == "--" or _is_option(following, known):
            from mcp_remote_py.cli.mistakes import explain_missing_value

            missing = explain_missing_value(option)
            if option.bad != IGNORED:
                raise missing
            warnings.append(warn_of(missing))
            return None, False
        value = following
    bare = option.take_off(value)
    if len(bare) < len(value.strip(AROUND_BLANKS)):
        warnings.append(f"Ignored: the quotes around the value of {option.name}.")
    return bare, not equals
