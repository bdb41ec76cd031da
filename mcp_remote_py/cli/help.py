"""The help of a command: usage, what it does, commands, examples, options, in that order.

The short one fits a screen; the other one has every option. Must not know how words are read, nor
what it is written to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mcp_remote_py.cli.options import Option, accepted_by, options_of
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
    STATUS,
    UNINSTALL,
    Command,
    ProgramQuestion,
)
from mcp_remote_py.console import wrap_text

AT_TERMINAL = (
    "Typed at a terminal, it says what there is, or what is wrong, and shows the entry for a host's"
    " configuration."
)
"""What a person gets who types the relay's command, to be read above its options."""

IDLE_OPTIONS = "All other options of an entry in a host's configuration are accepted and ignored."
"""What is said of them by each command that is about a server."""

ALL_OF_ENTRY = "All options of an entry in a host's configuration count here as they do there."
"""The same, by each that is about the entry."""

EXIT_STATUS = "0 done, 1 failed or you said no, 2 wrong usage, 3 sign-in needed, 130 interrupted."

COMMANDS_SHOWN = (INSTALL, CHECK, LOGIN, LOGOUT, STATUS, UNINSTALL)
"""In the order in which people need them."""

COMMON = ("--header", "--profile", "--debug")
"""What most people need, of the options that an entry can have."""

COMMON_IN = {LOGIN: ("--scope", "--no-browser", "--device-code")}
"""Further ones, by command."""

_ABOUT = ("--version", "--help-all")

_URL = "https://example.com/mcp"


class Example(NamedTuple):
    """A command line, without the program's name, and what it is for."""

    words: str
    meaning: str


EXAMPLES = {
    PROXY: (
        Example(f"install math {_URL}", "Put the server into a host's configuration, as math."),
        Example(f"check {_URL}", "Find out what is wrong."),
        Example(_URL, "See what a host would be shown."),
        Example(
            f'{_URL} --header "Authorization:${{AUTH}}"',
            "The same with a header; the variable AUTH holds its value.",
        ),
    ),
    LOGIN: (
        Example(f"login {_URL}", "Sign in; the browser opens."),
        Example(f"login {_URL} --paste", "The same over SSH, where no browser can open."),
        Example(f"login {_URL} --profile work", "With a second account."),
    ),
    LOGOUT: (
        Example(f"logout {_URL}", "Sign out of one server."),
        Example("logout --all", "Sign out of every server."),
    ),
    STATUS: (
        Example("status", "Every server that is known."),
        Example(f"status {_URL} --json", "One of them, for a program."),
    ),
    INSTALL: (
        Example(f"install math {_URL}", "Write the entry math; asks where there is a choice."),
        Example(f"install math {_URL} --client cursor", "For that host."),
        Example(f"install math {_URL} --dry-run", "Show what would change."),
        Example(
            f'install math {_URL} --header "Authorization:${{AUTH}}"',
            "With a header; the variable AUTH holds its value.",
        ),
    ),
    UNINSTALL: (
        Example("uninstall math", "Take the entry math out."),
        Example("uninstall math --client cursor --dry-run", "Show what would change at that host."),
    ),
    CHECK: (
        Example(f"check {_URL}", "Check a server."),
        Example("check math", "Check a server as the entry math of a host uses it."),
        Example(f"check {_URL} --report report.txt", "Write down what was seen, for a bug report."),
    ),
}
"""By command."""

Paint = Callable[[str], str]
"""Makes a heading of a text."""


def describe_others(command: str) -> str:
    """What a command does with options that are not listed as its own."""
    return ALL_OF_ENTRY if COMMANDS[command].is_of_entry else IDLE_OPTIONS


def render_help(
    command: str, width: int = 80, paint: Paint = str, *, is_whole: bool = False
) -> str:
    """The text of `--help`, or, if `is_whole`, of `--help-all`; in lines of at most `width`."""
    page = _Page(width, paint)
    this = COMMANDS[command]
    if command == PROXY:
        page.show_usage(f"{this.usage} [options]", f"{PROGRAM} COMMAND ...")
        page.tell(f"{this.summary} {AT_TERMINAL}")
        listed = (*map(COMMANDS.__getitem__, COMMANDS_SHOWN), *QUESTIONS.values())
        page.list("Commands", [(_form_of(one), one.summary) for one in listed])
    else:
        page.show_usage(f"{this.usage} [options]")
        page.tell(this.summary)
        page.list("Arguments", [(this.words, this.words_help)])
    page.exemplify(EXAMPLES[command])
    if is_whole:
        if command == PROXY:
            page.list("Arguments", [(this.words, this.words_help)])
        for name, options in grouped(all_options_of(command)).items():
            page.list(name, map(_row_of, options))
    else:
        page.list("Options", map(_row_of, short_options_of(command)))
    if command != PROXY:
        page.tell(describe_others(command))
    here = this.words_before
    further = f"{PROGRAM} COMMAND --help is about a command" if command == PROXY else ""
    if not is_whole:
        further = f"{here} --help-all lists all options{further and f'; {further}'}"
    page.tell(f"{further}." if further else "", f"Exit status: {EXIT_STATUS}")
    return page.text


def short_options_of(command: str) -> list[Option]:
    """The options in its short help: those it does not share with the relay, and the commonest."""
    common = (*COMMON, *COMMON_IN.get(command, ()))
    return [
        one
        for one in options_of(command)
        if one.name in common or (PROXY not in one.commands) or one.name in _ABOUT
    ]


def render_question(name: str, width: int = 80, paint: Paint = str) -> str:
    """The help of a command about the program alone."""
    page = _Page(width, paint)
    page.show_usage(QUESTIONS[name].usage)
    page.tell(QUESTIONS[name].summary)
    if name == COMPLETION:
        page.list("Put this where your shell reads it at its start", INSTALLATIONS.items())
    if name == HELP:
        page.tell(f"Commands: {', '.join((*COMMANDS_SHOWN, *QUESTIONS))}.")
    return page.text


INSTALLATIONS = {
    "bash": f'eval "$({PROGRAM} completion bash)" in ~/.bashrc',
    "zsh": f'eval "$({PROGRAM} completion zsh)" in ~/.zshrc, behind compinit',
    "fish": f"{PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish",
    "powershell": f"{PROGRAM} completion powershell | Out-String | Invoke-Expression in $PROFILE",
}
"""By shell, how its completion is put in place."""


def all_options_of(command: str) -> tuple[Option, ...]:
    """Those that count in it, those of an entry among them where it is about one."""
    return accepted_by(command) if COMMANDS[command].is_of_entry else options_of(command)


def grouped(options: Iterable[Option]) -> dict[str, list[Option]]:
    """The options by the name of their group."""
    groups: dict[str, list[Option]] = {}
    for option in options:
        groups.setdefault(option.group, []).append(option)
    return groups


def describe_option(option: Option) -> str:
    """What it means, as a text of sentences."""
    return f"{option.help} Can be repeated." if option.repeatable else option.help


def _form_of(one: Command | ProgramQuestion) -> str:
    """How it is typed; the port is for few."""
    return f"{one.name} {one.words.removesuffix(' [PORT]')}"


def _row_of(option: Option) -> tuple[str, str]:
    return f"{option.name} {option.value}".strip(), describe_option(option)


_TWO_COLUMNS = 60
"""Columns from which there is room for two."""


class _Page:
    """Lines of at most `width` columns."""

    def __init__(self, width: int, paint: Paint) -> None:
        self._width = width
        self._paint = paint
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "\n\n".join(self._pieces) + "\n"

    def show_usage(self, *forms: str) -> None:
        first, *others = forms
        lines = [f"{self._paint('usage:')} {first}", *(f"       {form}" for form in others)]
        self._pieces.append("\n".join(lines))

    def tell(self, *texts: str) -> None:
        lines = (line for text in texts for line in wrap_text(text, self._width))
        self._pieces.append("\n".join(lines))

    def exemplify(self, examples: Iterable[Example]) -> None:
        lines: list[str] = []
        for example in examples:
            lines += wrap_text(example.meaning, self._width, 2)
            # Not broken, however long: it is to be copied.
            lines.append(f"    $ {PROGRAM} {example.words}")
        self._add("Examples", lines)

    def list(self, heading: str, rows: Iterable[tuple[str, str]]) -> None:
        """Two columns; what is too long for the first stands above its text."""
        rows = [*rows]
        longest = max((len(name) for name, _ in rows), default=0)
        column = min(longest, self._width // 3) if self._width >= _TWO_COLUMNS else 0
        lines: list[str] = []
        for name, meaning in rows:
            told = wrap_text(meaning, self._width, column + 4)
            if column and len(name) <= column:
                told[0] = f"  {name.ljust(column)}  {told[0].lstrip()}"
            else:
                lines.append(f"  {name}")
            lines += told
        self._add(heading, lines)

    def _add(self, heading: str, lines: Sequence[str]) -> None:
        self._pieces.append("\n".join((self._paint(heading), *lines)))
