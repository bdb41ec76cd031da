"""The settings of `check`: a relay that is meant, and what is wanted of the check.

Must not know hosts, nor how a check is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LogSettings, ProxySettings
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value


class EntryStart(Value, frozen=True):
    """What a host starts for an entry, as far as that is seen without starting it."""

    name: str
    """The entry's."""
    host: str
    """The host's name for people."""
    path: str
    """The file that the entry is in."""
    command: str
    """The program as it stands there."""
    found: str = ""
    """Its full path, "" where there is nothing that can be started."""
    is_there: bool = False
    """Whether a file of that path is there, which need not be a program."""
    runner: str = ""
    """What fetches the package: "npm" or "PyPI"; "" where nothing does."""
    is_npm: bool = False
    """Whether it is npm's mcp-remote that is started."""
    is_one_line: bool = False
    """Whether the command holds the arguments, too."""
    switched_off: str = ""
    """The member that switches it off, as it stands there."""
    lines: tuple[int, ...] = ()
    """Where entries of that name begin in the file: more than one, or none."""
    install: str = ""
    """The command that writes it anew."""


class CheckSettings(Value, frozen=True):
    """The settings of `check`."""

    relay: ProxySettings
    """Those of the relay that a host would start."""
    name: str = ""
    """The name of the entry that they come from, "" where the person gave the address."""
    typed: str = ""
    """What is typed behind `check` for that entry as it was meant, in one line; "" as well."""
    source: str = ""
    """Where that entry is, in words for a person."""
    variables: Mapping[str, Secret] = {}
    """The environment of that entry, which comes before that of this process."""
    start: EntryStart | None = None
    """What a host starts for that entry; None where the person gave the address."""
    value_place: str = ""
    """Where the value of that entry's one header stands, in words; "" where that is not known."""
    wishes: tuple[str, ...] = ()
    """What that entry would use of this machine, where others may have written it."""
    yes: bool = False
    """Whether the person allows that without being asked."""
    login: bool = False
    """Whether the person may be asked to sign in."""
    json: bool = False
    report: str | None = None
    """The file that is written for a bug report."""

    @property
    def server(self) -> ServerUrl:
        """The server that is checked."""
        return self.relay.server

    @property
    def log(self) -> LogSettings:
        """The settings of the log."""
        return self.relay.log

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        return self.relay.secrets
