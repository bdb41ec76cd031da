"""The name of an entry among the words of a command line that takes one.

Must not know any option, nor which names a host can use.
"""

from __future__ import annotations

from mcp_remote_py.cli.mistakes import drop_names
from mcp_remote_py.cli.program import Command
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import remember, secrets_in_url


def take_name(
    command: Command, others: list[tuple[int, str]]
) -> tuple[str | None, list[tuple[int, str]]]:
    """The name, and the words beside it; None where `command` can do with the URL that is there.

    Before the URL or, as people mix that up, right behind it.

    Raises:
        UsageError: it is missing, or has nothing that can be read.
    """
    url = next((at for at, (_, word) in enumerate(others) if _is_address(word)), None)
    if url is not None and not command.needs_url:
        if command.takes_port:
            return None, others
        raise UsageError(
            f"{command.name} takes the name of an entry, not an address.",
            hint=f"Usage: {command.usage} [options]",
        )
    at = _place_of_name(others, url)
    if at is None:
        takes_either = command.takes_port and not command.needs_url
        what = (
            "address of the server, or the name of an entry,"
            if takes_either
            else "name of the entry"
        )
        raise UsageError(
            f"The {what} is missing.",
            hint=f"For example: {command.words_before} {command.example_for()}",
        )
    _, name = others[at]
    if not name.strip() or not name.isprintable():
        raise UsageError(
            "The name of the entry is empty, or has characters that cannot be shown.",
            hint="Choose a short name, such as math.",
        )
    remember(secrets_in_url(f"https://address.example/{name}"))  # or a key, typed in its place
    return name, others[:at] + others[at + 1 :]


def _is_address(word: str) -> bool:
    # A variable, as an entry may have it in the place of its URL.
    return "://" in word or word.startswith("${")


def _place_of_name(others: list[tuple[int, str]], url: int | None) -> int | None:
    if url == 0:
        behind = others[1:2]
        is_next = bool(behind) and behind[0][0] == others[0][0] + 1 and not behind[0][1].isdigit()
        return 1 if is_next else None
    # The name of a program before the URL is a part of a pasted entry.
    return 0 if others and len(drop_names(others)) == len(others) else None
