"""The settings of the commands for an entry of a host: `install` and `uninstall`.

What belongs to the entry is read as the relay reads it. Must not know hosts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mcp_remote_py.cli.arguments import Arguments, parse_arguments
from mcp_remote_py.cli.entry_wishes import list_wishes
from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.options import ALL_OPTIONS, OPTIONS
from mcp_remote_py.cli.program import PROXY
from mcp_remote_py.cli.read_server import read_proxy
from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.commands import LogSettings
from mcp_remote_py.settings.entry import (
    ConfigChoice,
    EntrySettings,
    InstallSettings,
    UninstallSettings,
)
from mcp_remote_py.settings.words import UnsetVariable, write_option

_OF_RELAY = {option.name: option.value for option in ALL_OPTIONS if PROXY in option.commands}

_SCOPES_OF_ENTRIES = frozenset({"user", "project", "local", "global"})
"""Values of the same option of `claude mcp add` and its like: there it is where an entry goes."""

_PLACES = frozenset({"MCP_REMOTE_CONFIG_DIR"})
"""Variables that say where something of ours is: a host has to start us with the same."""


def read_install(given: Given) -> InstallSettings:
    """The settings of `install`.

    Raises:
        UsageError: anything is wrong.
    """
    try:
        return _read_install(given)
    except UnsetVariable as error:
        raise error.at_terminal() from None


def _read_install(given: Given) -> InstallSettings:
    choice = _read_choice(given)
    if (scope := given.get("--scope")) in _SCOPES_OF_ENTRIES:
        given.warnings.append(
            f'--scope {scope} asks the server for a scope of OAuth named "{scope}"; it does not '
            "choose the configuration. Leave it out, and choose with --client or --config."
        )
    prints = given.has("--print")
    if prints and len(choice.clients) > 1:
        raise UsageError("--print shows one entry.", hint="Give --client once.")
    return InstallSettings(
        name=given.arguments.name or "",
        entry=_read_entry(given),
        read=read_relay,
        choice=choice,
        prints=prints,
        dry_run=given.has("--dry-run"),
        yes=given.has("--yes"),
        secrets_place=given.get("--secrets", ""),
        login=given.has("--login"),
        log=_read_quiet_log(given),
    )


def read_uninstall(given: Given) -> UninstallSettings:
    """The settings of `uninstall`.

    Raises:
        UsageError: anything is wrong.
    """
    return UninstallSettings(
        name=given.arguments.name or "",
        choice=_read_choice(given),
        dry_run=given.has("--dry-run"),
        yes=given.has("--yes"),
        log=_read_quiet_log(given),
    )


def read_relay(
    words: Sequence[str], environment: Mapping[str, str], own: Collection[str] = ()
) -> EntrySettings:
    """What the words of an entry say that is there already; `own` are the variables it brings.

    Raises:
        UsageError: the relay would not start with them.
    """
    given = Given(parse_arguments(PROXY, words), environment)
    return _read_entry(given).replace(wishes=list_wishes(given.arguments, own))


def _read_entry(given: Given) -> EntrySettings:
    relay = read_proxy(given, is_written=True)
    network = relay.network
    variables = [name for name, _ in network.proxies if name != "REQUEST_METHOD"]
    variables += network.ca_variables
    variables += [] if relay.aws is None else relay.aws.variables
    variables += [name for name in _PLACES if given.environment.get(name)]
    return EntrySettings(
        relay=relay,
        words=_list_words(given.arguments),
        variables=tuple(dict.fromkeys(variables)),
        placeholders=_OF_RELAY,
        warnings=tuple(given.warnings),
    )


def _list_words(arguments: Arguments) -> tuple[str, ...]:
    """The words of the entry as they were written, without those that do not count."""
    words = [word for word in (arguments.url, arguments.port) if word is not None]
    for name, found in arguments.options.items():
        if name not in _OF_RELAY:
            continue
        for word in found:
            words += write_option(name, word) if OPTIONS[name].value else [name]
    return tuple(words)


def _read_choice(given: Given) -> ConfigChoice:
    clients = tuple(str(one) for one in given.each("--client"))
    file = given.get("--config")
    if file is not None and len(clients) > 1:
        raise UsageError("--config names one file.", hint="Give --client once, or leave it out.")
    return ConfigChoice(clients, file)


def _read_quiet_log(given: Given) -> LogSettings:
    """Of the log: what is said is for the person; a file is named for the relay."""
    return LogSettings(level="DEBUG" if given.has("--debug") else "WARNING")
