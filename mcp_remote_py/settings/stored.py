"""The settings of `logout` and `status`: the stored sessions they mean, and what else is asked.

Must not know what is stored, nor where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_remote_py.redact import Secret, secrets_in_url
from mcp_remote_py.settings.commands import LogSettings
from mcp_remote_py.settings.network import Network
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.session_id import SessionId
    from mcp_remote_py.settings.aws import AwsSettings


class SessionPattern(Value, frozen=True):
    """A pattern for sessions: the members of a `SessionId`, each of them None for any."""

    server: ServerUrl | None = None
    resource: str | None = None
    profile: str | None = None

    def includes(self, session: SessionId) -> bool:
        """Whether this session is one of them."""
        return (
            (self.server is None or session.server == str(self.server))
            and self.resource in (None, session.resource)
            and self.profile in (None, session.profile)
        )


class StoredSettings(Value, frozen=True):
    """The settings of a command for what is stored."""

    sessions: SessionPattern = SessionPattern()
    log: LogSettings = LogSettings()
    aws: AwsSettings | None = None
    """Where an entry is meant whose requests are signed."""

    @property
    def server(self) -> ServerUrl | None:
        """The server that is named, None where every server is meant."""
        return self.sessions.server

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        return () if self.server is None else secrets_in_url(str(self.server))


class LogoutSettings(StoredSettings, frozen=True):
    """The settings of `logout`, with how authorization servers are reached."""

    token_store: str | None = None
    """None: the one that was used."""
    network: Network = Network()
    is_all: bool = False
    """Whether all are meant where no server is named."""


class StatusSettings(StoredSettings, frozen=True):
    """The settings of `status`."""

    json: bool = False
