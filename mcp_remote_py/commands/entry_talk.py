"""What `install` and `uninstall` say and ask alike.

Must not know files, nor what an entry is made of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import NoReturn

from mcp_remote_py.console import Console, Style
from mcp_remote_py.errors import UsageError, explain_mask, one_line
from mcp_remote_py.hosts.catalogue import ALL_HOSTS, KNOWN_HOSTS, KnownHost
from mcp_remote_py.hosts.entry_view import has_secrets
from mcp_remote_py.installing.config_file import ConfigEdit
from mcp_remote_py.installing.host_files import HostFile
from mcp_remote_py.settings.entry import ConfigChoice

UNCHANGED = "Nothing was changed."

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


def own_options(choice: ConfigChoice, *, dry_run: bool, yes: bool) -> list[str]:
    """What was typed beside the entry: which configurations are meant, and how to go about it."""
    words = [*choice.words, *(["--dry-run"] if dry_run else [])]
    return words + (["--yes"] if yes else [])


def agree_or_refuse(
    console: Console, question: str, *, otherwise: bool, yes: bool, refusal: str, hint: str
) -> bool:
    """Whether the person agrees, or has agreed already; that they do not is told.

    Raises:
        UsageError: nobody is there.
    """
    if yes:
        return True
    if not console.is_interactive:
        raise UsageError(refusal, hint=hint)
    agrees = console.agrees(question, otherwise=otherwise)
    if not agrees:
        console.say(UNCHANGED)
    return agrees


@contextlib.contextmanager
def saying_what_stays(console: Console, has_changed: Callable[[], bool]) -> Generator[None]:
    """Within it, whoever ends the command by Ctrl+C is told that nothing was changed."""
    try:
        yield
    except KeyboardInterrupt:
        if not has_changed():
            console.say()  # behind the ^C of the terminal
            console.say(UNCHANGED)
        raise


def say_no_host(command: str) -> NoReturn:
    """There is nothing to write into; `command` prints the entry.

    Raises:
        UsageError: it says what was looked for.
    """
    titles = ", ".join(host.title for host in KNOWN_HOSTS)
    raise UsageError(
        f"None of the hosts known here was found on this machine: {titles}.",
        hint=f"Name one with --client ({', '.join(host.key for host in KNOWN_HOSTS)}), or show the"
        f" entry to paste it: {command}"
        f"{explain_mask(command)}",
    )


def pick_files(
    files: Sequence[HostFile], what: str, command: str, console: Console
) -> list[HostFile]:
    """Asks which of several hosts is meant; `what` they are that can be. None: that is told.

    Raises:
        UsageError: nobody is there, and the commands are shown.
    """
    if console.is_interactive:
        return _ask_which(files, what, console)
    console.say(f"{what}, each with its command:")
    shown = one_line(command)
    rows = [(file.host.title, file.host.key) for file in files] + [("for all", ALL_HOSTS)]
    width = max(len(title) for title, _ in rows)
    for title, key in rows:
        console.say(f"{title.ljust(width)}  {shown} --client {key}")
    raise UsageError(
        "It is not clear which host is meant. Nothing was changed.",
        hint=f"Run one of the commands above.{explain_mask(command)}",
    )


def _ask_which(files: Sequence[HostFile], what: str, console: Console) -> list[HostFile]:
    say_title(console, f"{what}:")
    names: dict[str, HostFile] = {}
    for number, file in enumerate(files, 1):
        console.say(f"  {number}  {file.host.title}")
        names |= dict.fromkeys((str(number), file.host.key, file.host.title.casefold()), file)
    how = f"Type 1 to {len(files)}, several as 1,{len(files)}, or {ALL_HOSTS} (Enter: none):"
    asked = f"Which one? {how}"
    while answer := console.ask(asked).casefold():
        if answer == ALL_HOSTS:
            return list(files)
        words = [answer] if answer in names else answer.replace(",", " ").split()
        chosen = [names[word] for word in words if word in names]
        if chosen and len(chosen) == len(words):
            return [file for file in files if file in chosen]
        asked = how
    console.say(UNCHANGED)
    return []


def say_backup(
    console: Console, host: KnownHost, written: ConfigEdit, deleted: Sequence[str]
) -> None:
    """Says where the file is as it was, if it was changed; `deleted` is what it may refer to."""
    if written.backup is None:
        return
    secrets = has_secrets(host, written.before or b"")
    words = ", with its secrets" if secrets else ""
    console.say(f"The file as it was before{words}: {written.backup}")
    if deleted:
        console.say("It names a file with secrets that is deleted now.")
    if secrets:
        console.say("Delete it when all is well.")
