"""What `install` and `uninstall` say and ask alike.

Must not know files, nor what an entry is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from mcp_remote_py.console import Console, Style
from mcp_remote_py.errors import UsageError, explain_stars, one_line
from mcp_remote_py.hosts.catalogue import KNOWN_HOSTS
from mcp_remote_py.installing.host_files import HostFile

_STYLES = {"+": Style.GOOD, "-": Style.BAD}


def say_title(console: Console, text: str) -> None:
    """Says what the lines that follow are about."""
    console.say(console.paint(text, Style.STRONG))


def show_lines(console: Console, lines: Iterable[str]) -> None:
    """Shows a difference; what was added and what was taken away has colours."""
    for line in lines:
        shown = "".join(one if one.isprintable() else " " for one in line)
        style = _STYLES.get(line[:1])
        is_name = line.startswith(("+++", "---"))
        console.say(shown if style is None or is_name else console.paint(shown, style))


def ask_or_refuse(
    console: Console, question: str, *, otherwise: bool, yes: bool, refusal: str, hint: str
) -> None:
    """Asks, unless the person has agreed already.

    Raises:
        UsageError: they say no, or nobody is there.
    """
    if yes:
        return
    if not console.is_interactive:
        raise UsageError(refusal, hint=hint)
    if not console.agrees(question, otherwise=otherwise):
        raise UsageError("Nothing was changed.", hint="You said no.")


def say_no_host(command: str) -> NoReturn:
    """There is nothing to write into.

    Raises:
        UsageError: it says what was looked for.
    """
    titles = ", ".join(host.title for host in KNOWN_HOSTS)
    raise UsageError(
        f"None of the hosts known here was found on this machine: {titles}.",
        hint=explain_stars(
            f"Name one with --client, or show the entry to paste it: {command} --print"
        ),
    )


def refuse_many(files: Sequence[HostFile], command: str, console: Console) -> NoReturn:
    """It is not clear which host is meant.

    Raises:
        UsageError: always; the hosts and their commands are shown first.
    """
    console.say("Several hosts are on this machine. For one of them:")
    width = max(len(file.host.title) for file in files)
    for file in files:
        title = file.host.title.ljust(width)
        console.say(one_line_of(f"{title}  {command} --client {file.host.key}"))
    console.say(f"{'for all'.ljust(width)}  {command} --client all")
    raise UsageError(
        f"{len(files)} hosts were found, and --client is not given.",
        hint="Run one of the commands above.",
    )


def one_line_of(text: str) -> str:
    """The same on one line; blanks that align stay."""
    return text if text.isprintable() else one_line(text)
