"""The settings of the commands for what is stored: `logout` and `status`.

Nothing is sent to the server that is named: its URL may be plain http. Must not know how a word is
read.
"""

from __future__ import annotations

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.read_shared import read_log, read_network, read_signing_profile, read_url
from mcp_remote_py.settings.stored import LogoutSettings, SessionPattern, StatusSettings
from mcp_remote_py.settings.unattended import (
    ClientCredentials,
    IdentityProvider,
    Unattended,
    WorkloadJwt,
)


def read_status(given: Given) -> StatusSettings:
    """The settings of `status`.

    Raises:
        UsageError: anything is wrong.
    """
    aws = read_signing_profile(given)
    return StatusSettings(_read_sessions(given), read_log(given), aws, json=given.has("--json"))


def read_logout(given: Given) -> LogoutSettings:
    """The settings of `logout`. Of a server that is named, no other profile is meant than the one.

    Raises:
        UsageError: anything is wrong.
    """
    sessions = _read_sessions(given)
    if sessions.server is not None and sessions.profile is None:
        sessions = sessions.replace(profile="")
    return LogoutSettings(
        sessions,
        read_log(given),
        read_signing_profile(given),
        token_store=given.get("--token-store"),
        network=read_network(given),
        is_all=given.has("--all"),
    )


def _read_sessions(given: Given) -> SessionPattern:
    # An empty resource is none, as for a sign-in.
    resource = given.get("--resource") if given.arguments.first("--resource") else None
    grant = next((grant for name, grant in _GRANTS.items() if given.has(name)), None)
    return SessionPattern(
        server=None if given.arguments.url is None else read_url(given, allow_http=True),
        resource=resource,
        profile=given.get("--profile", grant and Unattended(grant).default_profile),
    )


_GRANTS = {
    "--client-credentials": ClientCredentials(),
    "--jwt-bearer": WorkloadJwt(""),
    "--idp-token-endpoint": IdentityProvider("", "", ""),
}
"""By the option that chooses a sign-in without a person, what it is; only the kind matters here."""
