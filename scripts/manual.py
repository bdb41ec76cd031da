"""The manual page of the command, in man(7), from the rows that its help is made of.

Must not know any option or command.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator

from mcp_remote_py.cli.help import (
    AT_TERMINAL,
    COMMANDS_SHOWN,
    EXAMPLES,
    EXIT_STATUS,
    INSTALLATIONS,
    describe_option,
    describe_others,
    grouped,
)
from mcp_remote_py.cli.options import Option, options_of
from mcp_remote_py.cli.program import COMMANDS, PROGRAM, PROXY, QUESTIONS, Command, ProgramQuestion

WIDTH = 66
"""Characters of a line, before what roff needs is written in other ways."""

VARIABLES = {
    "MCP_REMOTE_CONFIG_DIR": "Folder of tokens and of what is remembered of servers.",
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "Proxies, and for which hosts there is none.",
    "SSL_CERT_FILE, NODE_EXTRA_CA_CERTS": "Certificate authorities to trust, as --ca-cert.",
    "NO_COLOR": "Unless empty: no bold headings and no colours at a terminal.",
    "COLUMNS": "Width of the help and of reports, instead of the terminal's.",
}
"""By names, what the program does with them."""


def render_manual() -> str:
    """The text of `mcp-remote-py.1`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    relay = COMMANDS[PROXY]
    # Without a date and a version: the page changes where a row does, and not otherwise.
    yield f'.TH {PROGRAM.upper()} 1 "" {PROGRAM} "User Commands"'
    yield from (".SH NAME", rf"{_escape(PROGRAM)} \- use a remote MCP server from a local host")
    yield ".SH SYNOPSIS"
    for place, usage in enumerate((f"{relay.usage} [options]", f"{PROGRAM} COMMAND ...")):
        yield from (".br",) if place else ()
        yield f".B {_escape(usage)}"
    yield from (".SH DESCRIPTION", _text(relay.summary), ".PP", _text(AT_TERMINAL), ".PP")
    yield _text(relay.words_help)
    yield ".SH COMMANDS"
    for command in (*map(COMMANDS.__getitem__, COMMANDS_SHOWN), *QUESTIONS.values()):
        yield from _describe(command)
    yield ".SH OPTIONS"
    yield from _list(options_of(PROXY))
    yield ".SH COMPLETION"
    for shell, line in INSTALLATIONS.items():
        yield from (".TP", f".B {shell}", _text(line))
    yield ".SH ENVIRONMENT"
    for names, meaning in VARIABLES.items():
        yield from (".TP", f".B {_escape(names)}", _text(meaning))
    yield from (".SH EXIT STATUS", _text(EXIT_STATUS), ".SH EXAMPLES")
    for place, example in enumerate(EXAMPLES[PROXY]):
        yield from (".PP",) if place else ()
        yield _text(example.meaning)
        yield from (".RS 4", ".nf", _escape(f"{PROGRAM} {example.words}"), ".fi", ".RE")


def _describe(command: Command | ProgramQuestion) -> Iterator[str]:
    usage = command.usage if isinstance(command, ProgramQuestion) else f"{command.usage} [options]"
    yield from (f'.SS "{_escape(usage)}"', _text(command.summary))
    if isinstance(command, ProgramQuestion):
        return
    yield from (".PP", _text(command.words_help), ".PP", _text(describe_others(command.name)))
    yield from _list(
        tuple(one for one in options_of(command.name) if PROXY not in one.commands),
        is_grouped=False,
    )


def _list(options: tuple[Option, ...], *, is_grouped: bool = True) -> Iterator[str]:
    for group, members in grouped(options).items():
        if is_grouped:
            yield f".SS {_escape(group)}"
        for option in members:
            value = rf" \fI{_escape(option.value)}\fR" if option.value else ""
            yield from (".TP", rf"\fB{_escape(option.name)}\fR{value}")
            yield _text(describe_option(option))


def _text(text: str) -> str:
    """Lines of text; a sentence begins a line, as roff wants it."""
    sentences = text.replace(". ", ".\n").split("\n")
    broken = (textwrap.wrap(one, WIDTH, break_on_hyphens=False) for one in sentences)
    lines = map(_escape, itertools.chain.from_iterable(broken))
    # At the beginning of a line a dot begins a request.
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in lines)


def _escape(text: str) -> str:
    for char, escaped in (("\\", r"\e"), ("-", r"\-"), ("'", r"\(aq"), ('"', r"\(dq")):
        text = text.replace(char, escaped)
    return text
