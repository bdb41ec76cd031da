"""What a new entry takes over from the one whose place it takes, where both are for one server.

Of npm's mcp-remote that is all of it; of one by which the host reaches the server itself, its
headers. Must not know consoles, nor how an entry is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mcp_remote_py.errors import UsageError, one_line
from mcp_remote_py.hosts.entry_reading import EntryKind
from mcp_remote_py.hosts.entry_words import EntryWord, join_words, sort_words, take_over
from mcp_remote_py.installing.entries import InstalledEntry
from mcp_remote_py.installing.host_files import is_own_file
from mcp_remote_py.installing.surroundings import this_system
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import remember
from mcp_remote_py.settings.entry import ConfigChoice, EntrySettings, InstallSettings
from mcp_remote_py.settings.shown_variables import hidden_values
from mcp_remote_py.settings.words import UnsetVariable

_HOST_VARIABLE = lazy_pattern(r"\$\{([a-zA-Z]+:[^{}]*)\}")
"""A variable of the host's own, as VS Code, Cursor and Windsurf have."""


class WantedEntry(NamedTuple):
    """What an entry is to say."""

    entry: EntrySettings
    kept: Mapping[str, str]
    """Variables of the old entry."""
    values: Mapping[str, str]
    """Those that words refer to."""


def is_converted(before: InstalledEntry, settings: InstallSettings) -> bool:
    """Whether it is one of npm's mcp-remote for the same server."""
    return before.kind is EntryKind.NPM and before.address == str(settings.server)


def gives_headers(before: InstalledEntry, settings: InstallSettings) -> bool:
    """Whether the host itself sends headers to that server which the person has not given anew."""
    is_same = before.kind is EntryKind.NATIVE and before.address == str(settings.server)
    given = any(word.option in _HEADER_SOURCES for word in _sort(settings, settings.entry.words))
    return is_same and bool(before.found.headers) and not given


_HEADER_SOURCES = frozenset({"--header", "--header-file", "--header-command"})


def take_over_entry(
    before: InstalledEntry, settings: InstallSettings, environment: Mapping[str, str]
) -> WantedEntry:
    """What is given, and beside it what the entry before says.

    Raises:
        UsageError: the relay would not start with that, or it came with a project and wants more
            than to reach its server.
    """
    given = settings.entry
    old = list(before.words)
    if gives_headers(before, settings):
        headers = before.found.headers
        remember(value for value in headers.values() if "${" not in value.reveal())
        lines = (f"{name}: {value.reveal()}" for name, value in headers.items())
        old = [str(settings.server), *(word for line in lines for word in ("--header", line))]
    elif not is_converted(before, settings):
        return WantedEntry(given, {}, environment)
    kept = {name: value.reveal() for name, value in before.variables.items()}
    remember(hidden_values(before.variables))
    words = join_words(take_over(_sort(settings, given.words), _sort(settings, old)))
    # What the host itself replaces, such as ${input:token}, stays as it is.
    own = {name: f"${{{name}}}" for name in _HOST_VARIABLE.findall(" ".join(words))}
    values = {**environment, **own, **kept}
    path = settings.choice.file
    if path is not None and not is_own_file(path, this_system(), environment):
        _refuse_wishes(before, path, _read(settings, before, old, values).wishes)
    return WantedEntry(_read(settings, before, words, values), kept, values)


def _read(
    settings: InstallSettings,
    before: InstalledEntry,
    words: Sequence[str],
    values: Mapping[str, str],
) -> EntrySettings:
    """What the words mean; a mistake in them is the entry's."""
    try:
        return settings.read(words, values, before.variables)
    except UsageError as error:
        raise _blame(before, error, settings.choice) from None


def _refuse_wishes(before: InstalledEntry, path: str, wishes: Sequence[str]) -> None:
    """Of an entry that came with a project, only what reaches its server is taken over."""
    if wishes:
        raise UsageError(
            one_line(
                f"The entry {before.name} is in a file that is not a host's own ({path}), and "
                f"it would {'; '.join(wishes)}."
            ),
            hint="That is not taken over. If you trust it, take the entry out first "
            "(uninstall), and give what you want of it yourself.",
        )


def _sort(settings: InstallSettings, words: Sequence[str]) -> list[EntryWord]:
    return sort_words(words, settings.entry.placeholders)


def _blame(before: InstalledEntry, error: UsageError, choice: ConfigChoice) -> UsageError:
    """The mistake is in the entry: nobody has typed it."""
    if isinstance(error, UnsetVariable):
        error = error.at_terminal()
    where = ConfigChoice((before.host.key,), choice.file).words
    command = shlex.join(["mcp-remote-py", "uninstall", before.name, *where])
    return error.changed(
        {
            "cause": one_line(
                f"The entry {before.name} in {before.path} cannot be taken over as it is:"
                f" {error.cause}"
            ),
            "hint": one_line(f"{error.hint} Or take that entry out first: {command}"),
        }
    )
