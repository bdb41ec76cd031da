"""The options that make `mcp-remote-py login URL` begin the very sign-in that was asked for.

Never shows what may be secret. Must not know what any option means.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.options import LOGS, OTHER, Option, options_of
from mcp_remote_py.cli.program import LOGIN
from mcp_remote_py.errors import one_line
from mcp_remote_py.redact import MASK, mask_url

_OPENERS = ("--browser", "--no-browser", "--paste")


def describe_login(given: Given) -> str:
    """The options behind `mcp-remote-py login URL`, on one line and without secrets."""
    words = list(_words_for_login(given))
    if not words:
        return ""
    import shlex

    return one_line(shlex.join(words))


def _words_for_login(given: Given) -> Iterator[str]:
    """All that was given and `login` takes: without one of them it would be another sign-in.

    But for how the page is opened, which is another thing at a terminal, and for --token-store
    memory, which `login` refuses.
    """
    if given.arguments.port is not None:
        yield given.arguments.port
    for option in options_of(LOGIN):
        if option.group in (LOGS, OTHER) or option.name in _OPENERS:
            continue
        found = given.arguments.each(option.name)
        for word in found if option.repeatable else found[-1:]:
            if not option.value:
                yield option.name
            elif word and (option.name, word) != ("--token-store", "memory"):
                yield from (option.name, _show_value(option, word))


def _show_value(option: Option, value: str) -> str:
    """The value as it was typed, without what may be secret."""
    if option.value in ("URL", "URI"):
        return mask_url(value)
    is_name_of_file = option.value == "JSON" and value.startswith("@")
    return MASK if option.value in ("HEADER", "COMMAND", "JSON") and not is_name_of_file else value
