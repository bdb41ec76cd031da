"""The settings of `check`: a relay that is meant, and what is wanted of the check.

Must not know hosts, nor how a check is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import LogSettings, ProxySettings
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value


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
