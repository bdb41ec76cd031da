"""The settings of the commands for what is stored: `logout` and `status`.

Nothing is sent to the server that is named: its URL may be plain http. Must not know how a word is
read.
"""

from __future__ import annotations

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.read_shared import read_log, read_network, read_url
from mcp_remote_py.settings.commands import LogoutSettings, StatusSettings
from mcp_remote_py.url import ServerUrl


def read_status(given: Given) -> StatusSettings:
    """Which sessions are to be told of.

    Raises:
        UsageError: anything is wrong.
    """
    return StatusSettings(
        server=_read_server(given),
        profile=given.get("--profile"),
        resource=given.get("--resource"),
        json=given.has("--json"),
        log=read_log(given),
    )


def read_logout(given: Given) -> LogoutSettings:
    """What is to be signed out.

    Raises:
        UsageError: anything is wrong.
    """
    return LogoutSettings(
        server=_read_server(given),
        profile=given.get("--profile"),
        resource=given.get("--resource"),
        token_store=given.get("--token-store"),
        network=read_network(given),
        log=read_log(given),
    )


def _read_server(given: Given) -> ServerUrl | None:
    return None if given.arguments.url is None else read_url(given, allow_http=True)
