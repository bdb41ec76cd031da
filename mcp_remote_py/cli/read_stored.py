"""The settings of the commands for what is stored: `logout` and `status`.

Nothing is sent to the server that is named: its URL may be plain http. Must not know how a word is
read.
"""

from __future__ import annotations

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.read_shared import read_log, read_network, read_url
from mcp_remote_py.settings.stored import LogoutSettings, SessionPattern, StatusSettings


def read_status(given: Given) -> StatusSettings:
    """The settings of `status`.

    Raises:
        UsageError: anything is wrong.
    """
    return StatusSettings(_read_sessions(given), read_log(given), json=given.has("--json"))


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
        token_store=given.get("--token-store"),
        network=read_network(given),
    )


def _read_sessions(given: Given) -> SessionPattern:
    return SessionPattern(
        server=None if given.arguments.url is None else read_url(given, allow_http=True),
        resource=given.get("--resource"),
        profile=given.get("--profile"),
    )
