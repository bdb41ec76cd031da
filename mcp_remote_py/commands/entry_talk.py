"""What `install` and `uninstall` say and ask alike.

Must not know files, nor what an entry is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from mcp_remote_py.console import Console, Style
from mcp_remote_py.errors import UsageError, one_line
from mcp_remote_py.hosts.catalogue import ALL_HOSTS, KNOWN_HOSTS
from mcp_remote_py.installing.host_files import HostFile
from mcp_remote_py.redact import MASK

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
        hint=f"Name one with --client, or show the entry to paste it: {command} --print"
        f"{_explain_mask(command)}",
    )


def refuse_many(files: Sequence[HostFile], command: str, console: Console) -> NoReturn:
    """It is not clear which host is meant.

    Raises:
        UsageError: always; the hosts and their commands are shown first.
    """
    console.say("Several hosts are on this machine. For one of them:")
    shown = one_line(command)
    rows = [(file.host.title, file.host.key) for file in files] + [("for all", ALL_HOSTS)]
    width = max(len(title) for title, _ in rows)
    for title, key in rows:
        console.say(f"{title.ljust(width)}  {shown} --client {key}")
    raise UsageError(
        f"{len(files)} hosts were found, and --client is not given.",
        hint=f"Run one of the commands above.{_explain_mask(command)}",
    )


def _explain_mask(command: str) -> str:
    if MASK not in command:
        return ""
    return f" ({MASK} stands for a part that may be secret: write it out there.)"
