"""The words that a person is told to type, or to write down, for the very thing that was asked for.

Those behind `mcp-remote-py login URL`, and those behind the URL in a host's configuration. Never
shows what may be secret. Must not know what any option means.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.options import LOGS, OPTIONS, OTHER, Option, options_of
from mcp_remote_py.cli.program import LOGIN, PROXY
from mcp_remote_py.errors import one_line
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import MASK, mask_path, mask_url
from mcp_remote_py.settings.words import write_option

_OPENERS = ("--browser", "--no-browser", "--paste")


def describe_login(given: Given) -> str:
    """The options behind `mcp-remote-py login URL`, on one line and without secrets."""
    words = list(_words_for_login(given))
    if not words:
        return ""
    import shlex

    return one_line(shlex.join(words))


def describe_entry(given: Given) -> tuple[str, ...]:
    """The words behind the URL in the entry of a host that starts this very relay, or its like."""
    words = [] if given.arguments.port is None else [given.arguments.port]
    for name, found in given.arguments.options.items():
        for word in found if PROXY in OPTIONS[name].commands else ():
            option = OPTIONS[name]
            words += write_option(name, _show_in_entry(option, word)) if option.value else [name]
    return tuple(words)


def _show_in_entry(option: Option, value: str) -> str:
    """The same as `_show_value`, but for a header: its name is shown, and what is a variable."""
    name, colon, rest = value.partition(":")
    if option.name != "--header" or not colon:
        return _show_value(option, value)
    return value if _VARIABLE.fullmatch(rest.strip()) else f"{name}: {MASK}"


_VARIABLE = lazy_pattern(r"(?:[A-Za-z]{1,10} )?\$\{[A-Za-z_][A-Za-z0-9_]{0,63}\}")
"""A variable as the whole value of a header, or behind a scheme."""


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
                yield from write_option(option.name, _show_value(option, word))


def _show_value(option: Option, value: str) -> str:
    """The value as it was typed, without what may be secret."""
    if option.value in ("URL", "URI"):
        return mask_url(value)
    if option.value == "FILE":
        return mask_path(value)
    is_name_of_file = option.value == "JSON" and value.startswith("@")
    return MASK if option.value in ("HEADER", "COMMAND", "JSON") and not is_name_of_file else value
