"""The settings of `install` and `uninstall`: an entry in the configuration of a host.

Must not know hosts, nor what an entry is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LogSettings, ProxySettings
from mcp_remote_py.settings.words import write_option
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

ReadRelay = Callable[[Sequence[str], Mapping[str, str], Collection[str]], "EntrySettings"]
"""Reads the words behind our name in an entry, in its environment, as the relay does.

The names are those of the variables that the entry itself brings.

Raises UsageError as that does.
"""


class EntrySettings(Value, frozen=True):
    """What the words of an entry say."""

    relay: ProxySettings
    words: tuple[str, ...]
    """Those that count, as a person wrote them: URL, port, options."""
    variables: tuple[str, ...] = ()
    """Names of variables of the environment that are needed beside those that words refer to."""
    placeholders: Mapping[str, str] = {}
    """What the value of each option is called, "" for a switch."""
    warnings: tuple[str, ...] = ()
    """What was ignored."""
    wishes: tuple[str, ...] = ()
    """What it would use of this machine, where others may have written it."""


class ConfigChoice(Value, frozen=True):
    """Which configurations are meant; those of all hosts that are found where nothing is said."""

    clients: tuple[str, ...] = ()
    file: str | None = None

    @property
    def words(self) -> list[str]:
        """As it is typed."""
        words = [word for one in self.clients for word in ("--client", one)]
        return words if self.file is None else [*words, *write_option("--config", self.file)]


class InstallSettings(Value, frozen=True):
    """The settings of `install`."""

    name: str
    entry: EntrySettings
    read: ReadRelay
    choice: ConfigChoice = ConfigChoice()
    prints: bool = False
    dry_run: bool = False
    yes: bool = False
    secrets_place: str = ""
    """Where secrets are put: env, file or ask; "" where the person did not say."""
    login: bool = False
    log: LogSettings = LogSettings()

    @property
    def server(self) -> ServerUrl:
        """The server that the entry is for."""
        return self.entry.relay.server

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        return self.entry.relay.secrets


class UninstallSettings(Value, frozen=True):
    """The settings of `uninstall`."""

    name: str
    choice: ConfigChoice = ConfigChoice()
    dry_run: bool = False
    yes: bool = False
    log: LogSettings = LogSettings()

    @property
    def server(self) -> ServerUrl | None:
        """None: it is not known yet."""
        return None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """None are given."""
        return ()
