"""The settings of `check`: of an address with the options of its entry, or of an entry by its name.

Both are read as the relay reads them. Must not know hosts, nor what a check does.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Protocol

from mcp_remote_py.cli.arguments import Arguments, parse_arguments
from mcp_remote_py.cli.entry_wishes import list_wishes
from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.login_words import describe_login
from mcp_remote_py.cli.options import ALL_OPTIONS
from mcp_remote_py.cli.program import CHECK, PROXY
from mcp_remote_py.cli.read_server import read_proxy
from mcp_remote_py.errors import UsageError, one_line, runner_of
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, mask_url
from mcp_remote_py.settings.check import CheckSettings, EntryStart
from mcp_remote_py.settings.entry import ConfigChoice
from mcp_remote_py.settings.words import FileGone, KnownToHost
from mcp_remote_py.url import InvalidUrl, parse_url

MOST_NAMES = 10
"""Names that are told where there is none of that name."""

_OWN = tuple(one.name for one in ALL_OPTIONS if CHECK in one.commands and PROXY not in one.commands)
"""Options that say what is wanted of the check: they are not a part of an entry."""


class NamedHost(Protocol):
    """A host, as far as a person is told of it."""

    @property
    def key(self) -> str:
        """What `--client` calls it."""
        ...

    @property
    def title(self) -> str:
        """The name for people."""
        ...


class NamedEntry(Protocol):
    """An entry in the configuration of a host."""

    @property
    def host(self) -> NamedHost:
        """Whose configuration it is in."""
        ...

    @property
    def path(self) -> str:
        """The file it is in."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments behind the program's name."""
        ...

    @property
    def variables(self) -> Mapping[str, Secret]:
        """Its environment."""
        ...

    @property
    def start(self) -> EntryStart | None:
        """What the host starts for it; None for what is none of ours."""
        ...


FindEntries = Callable[
    [str | None, Sequence[str], str | None, Mapping[str, str]], Sequence[NamedEntry]
]
"""The entries of that name, or all, of these hosts (all that are found) or in this file."""


def read_check(given: Given, find: FindEntries | None = None) -> CheckSettings:
    """The settings of `check`; `find` finds entries, None for those of this machine.

    Raises:
        UsageError: anything is wrong, or the entry is not to be found.
    """
    url = given.arguments.url
    if url is None:
        unread: list[str] = []
        return _read_named(given, find or partial(_find_on_this_machine, unread), unread)
    return CheckSettings(
        relay=read_proxy(_of_relay(given), tries_proxy=False),  # it is a step of its own
        login=given.has("--login"),
        json=given.has("--json"),
        report=given.get("--report"),
    )


def _of_relay(given: Given) -> Given:
    """The same without what the check alone is told: a person is not to write it into an entry."""
    options = {name: words for name, words in given.arguments.options.items() if name not in _OWN}
    relay = Given(given.arguments.replace(options=options), given.environment)
    relay.warnings = given.warnings
    return relay


def _read_named(given: Given, find: FindEntries, unread: list[str]) -> CheckSettings:
    """`unread` is what `find` adds to where it passes a configuration over."""
    name = given.arguments.name or ""
    clients, config = given.arguments.each("--client"), given.get("--config")
    found = find(name, clients, config, given.environment)
    if not found:
        others = find(None, clients, config, given.environment)
        raise _no_entry(name, others, tuple(dict.fromkeys(unread)))
    entry = found[0]
    if any(_meaning_of(one) != _meaning_of(entry) for one in found):
        places = "; ".join(f"{one.host.title} ({one.path})" for one in found)
        raise UsageError(
            one_line(f"The entry {name} is not the same everywhere: {places}."),
            hint=f"Say which one is meant: --client {entry.host.key}.",
        )
    if not any("://" in word or "${" in word for word in entry.words):
        if entry.start is not None:
            raise _no_address(entry)
        raise UsageError(
            one_line(f"The entry {name} of {entry.host.title} does not start mcp-remote-py."),
            hint="Give the address of the server in full: https://...",
        )
    environment = {
        **given.environment,
        **{variable: value.reveal() for variable, value in entry.variables.items()},
    }
    # Of the relay's own options alone: an entry does not say what is wanted of a check.
    with _blaming(entry):
        of_entry = parse_arguments(PROXY, entry.words)
    if of_entry.url is None:
        raise _no_address(entry)
    options = {**of_entry.options, **given.arguments.options}
    whole = Given(of_entry.replace(options=options), environment)
    is_as_written = not set(given.arguments.options) - set(_OWN)
    with _blaming(entry) if is_as_written else nullcontext():
        settings = read_check(whole)
    given.warnings += [*unread, *whole.warnings]
    wishes: tuple[str, ...] = ()
    if config is not None and not _is_of_host(config, given.environment):
        wishes = list_wishes(of_entry, entry.variables)
    if not given.has("--log-file"):  # that of the entry is for its relay, wherever it leads
        log = settings.log.replace(file=None)
        settings = settings.replace(relay=settings.relay.replace(log=log))
    return settings.replace(
        wishes=wishes,
        yes=given.has("--yes"),
        name=name,
        typed=_type_again(given, name, clients, config),
        source=one_line(f"{entry.host.title}, {entry.path}"),
        variables=dict(entry.variables),
        value_place=_find_value(entry, of_entry),
        start=_name_install(entry, mask_url(str(settings.server)), config),
    )


def _name_install(entry: NamedEntry, address: str, config: str | None) -> EntryStart | None:
    """Its start, with the command that writes this entry anew: what else it has is taken over."""
    if entry.start is None:
        return None
    words = ["install", entry.name, address]
    words += ConfigChoice((), config).words or ["--client", entry.host.key]
    line = f"{runner_of(sys.prefix)}mcp-remote-py {one_line(shlex.join(words))}"
    return entry.start.replace(install=line)


_VARIABLE = lazy_pattern(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _find_value(entry: NamedEntry, arguments: Arguments) -> str:
    """Where the value of the only header stands; "" where there are several, or none."""
    files = arguments.each("--header-file")
    words = [*arguments.each("--header"), *files]
    if len(words) != 1:
        return ""
    if files:
        return one_line(f"in the file {words[0]}")
    named = _VARIABLE.findall(words[0])
    where = one_line(f"of the entry {entry.name} in {entry.path}")
    if not named:
        return f'in "args" {where}'
    if named[0] in entry.variables:
        return f'the variable {named[0]} in "env" {where}'
    return f"your own variable {named[0]}"


def _no_address(entry: NamedEntry) -> UsageError:
    where = f"{entry.name} ({entry.host.title}, {entry.path})"
    return UsageError(
        one_line(f'The address of the server is missing in "args" of {where}.'),
        hint=one_line(
            f"Write it again: mcp-remote-py install {shlex.quote(entry.name)} https://..."
        ),
    )


@contextmanager
def _blaming(entry: NamedEntry) -> Generator[None]:
    """A mistake in there is of the entry, and nothing that this command line has."""
    try:
        yield
    except KnownToHost as error:
        raise _known_to_host(entry, error) from None
    except UsageError as error:
        if isinstance(error, FileGone) and error.cause.startswith("--header-file"):
            raise _file_gone(entry) from None
        where = one_line(f"{entry.name} of {entry.host.title} ({entry.path})")
        raise error.changed(
            {"cause": f"The entry {where} has a mistake, with which it cannot start: {error.cause}"}
        ) from None


def _known_to_host(entry: NamedEntry, error: KnownToHost) -> UsageError:
    """Nothing is wrong with such an entry: only its host has all of it."""
    example = f'mcp-remote-py check {_masked_address(entry)} --header "Authorization: Bearer TOKEN"'
    what = f"its secret is known only to {entry.host.title}, so it cannot be checked by name."
    if "a secret" not in error.cause:
        what = f"it cannot be checked by name: {error.cause}"
    return UsageError(
        one_line(f"The entry {entry.name} is fine, but {what}"),
        hint=one_line(
            f"Start it in {entry.host.title}. To check its server from here, give the address and "
            f"the secret: {example}"
        ),
    )


def _file_gone(entry: NamedEntry) -> UsageError:
    file = parse_arguments(PROXY, entry.words).first("--header-file")
    words = shlex.join(("install", entry.name, _masked_address(entry), "--client", entry.host.key))
    return UsageError(
        one_line(
            f"The entry {entry.name} of {entry.host.title} cannot start: the file with its token "
            f"is gone ({file})."
        ),
        hint=one_line(
            f'Write it again: mcp-remote-py {words} --header "Authorization: Bearer TOKEN" '
            "--secrets file"
        ),
    )


def _masked_address(entry: NamedEntry) -> str:
    return mask_url(next((word for word in entry.words if "://" in word), "URL"))


def _type_again(given: Given, name: str, clients: Sequence[str], config: str | None) -> str:
    """Whatever the entry needs is in the entry: the same name is enough, where it was found."""
    words = [name, *ConfigChoice(tuple(clients), config).words]
    return f"{one_line(shlex.join(words))} {describe_login(given)}".rstrip()


def _is_of_host(path: str, environment: Mapping[str, str]) -> bool:
    """Whether it is a file that a host has for its person, not one that came with a project."""
    from mcp_remote_py.installing.host_files import is_own_file
    from mcp_remote_py.installing.surroundings import this_system

    return is_own_file(path, this_system(), environment)


def _meaning_of(entry: NamedEntry) -> tuple[tuple[str, ...], dict[str, Secret]]:
    return entry.words, dict(entry.variables)


def _no_entry(name: str, others: Sequence[NamedEntry], unread: Sequence[str]) -> UsageError:
    names = sorted({one.name for one in others})
    shown = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    there = f"There are: {shown}." if names else "No configuration of a host has any entry."
    address = _guess_address(name)
    hint = "Give one of these names, or the address of the server in full: https://..."
    if address:
        hint = f"If it is the address of a server, its scheme is missing. Try: {address}"
        name = address.partition("://")[2]  # without what may be secret
        unread = ()  # it is hardly in there
    elif not names:
        hint = "Give the address of the server in full: https://..."
    return UsageError(
        one_line(" ".join((f"No entry is called {name}. {there}", *unread))), hint=hint
    )


def _guess_address(word: str) -> str:
    """The URL, masked, that `word` would be with the scheme that is missing; "" for another word.

    A word with a dot, a port or a path may be the name of an entry as well.
    """
    rest = word.removeprefix("//")
    try:
        server = parse_url(f"https://{rest}")
    except InvalidUrl:
        return ""
    host = server.host
    is_one = host == "localhost" or "." in host.strip(".") or ":" in host or ":" in rest
    # Servers on this machine seldom have a certificate.
    scheme = "http" if server.is_loopback else "https"
    return mask_url(f"{scheme}://{rest}") if is_one else ""


def _find_on_this_machine(
    unread: list[str],
    name: str | None,
    clients: Sequence[str],
    config: str | None,
    environment: Mapping[str, str],
) -> Sequence[NamedEntry]:
    from mcp_remote_py.hosts.broken_config import BrokenConfig
    from mcp_remote_py.hosts.entry_reading import EntryKind, FoundEntry
    from mcp_remote_py.installing.entries import find_entries
    from mcp_remote_py.installing.entry_start import look_at_start
    from mcp_remote_py.installing.surroundings import this_system

    try:
        found = find_entries(name, clients, config, environment, this_system(), unread.append)
    except BrokenConfig as error:
        # Its own hint says that nothing was changed, which nobody has expected.
        raise error.with_hint("Open it in an editor, mend that place, and check again.") from None
    ours = (EntryKind.OURS, EntryKind.NPM)
    found = [look_at_start(one, environment) if one.name == name else one for one in found]
    # The words of another program are not ours to read: nothing of it is started here.
    return [one if one.kind in ours else one._replace(found=FoundEntry(one.kind)) for one in found]
