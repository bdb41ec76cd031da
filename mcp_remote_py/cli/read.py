"""The settings of a command, made of what it was given: finds out who reads them.

Must not know how a word is read, nor what a command does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcp_remote_py.cli.arguments import Arguments
from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.program import CHECK, INSTALL, LOGIN, LOGOUT, PROXY, UNINSTALL
from mcp_remote_py.errors import UsageError

if TYPE_CHECKING:
    from mcp_remote_py.settings.check import CheckSettings
    from mcp_remote_py.settings.commands import ProxySettings
    from mcp_remote_py.settings.entry import InstallSettings, UninstallSettings
    from mcp_remote_py.settings.stored import StoredSettings

    Settings = ProxySettings | StoredSettings | InstallSettings | UninstallSettings | CheckSettings


def read_settings(
    command: str, arguments: Arguments, environment: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """The settings of `command`, everything they name checked, and what to warn of.

    Raises:
        UsageError: anything is wrong.
    """
    given = Given(arguments, environment)
    keeps_memory = command in (PROXY, INSTALL, UNINSTALL, CHECK)
    if not keeps_memory and arguments.first("--token-store") == "memory":
        raise UsageError(
            f"With --token-store memory, nothing is left when {command} ends.",
            hint="Leave it out, or give file.",
        )
    return _read(command, given), given.warnings


def _read(command: str, given: Given) -> Settings:
    if command in (PROXY, LOGIN):
        from mcp_remote_py.cli.read_server import read_login, read_proxy

        return read_proxy(given) if command == PROXY else read_login(given)
    if command in (INSTALL, UNINSTALL):
        from mcp_remote_py.cli.read_install import read_install, read_uninstall

        return read_install(given) if command == INSTALL else read_uninstall(given)
    if command == CHECK:
        from mcp_remote_py.cli.read_check import read_check

        return read_check(given)
    from mcp_remote_py.cli.read_stored import read_logout, read_status

    return read_logout(given) if command == LOGOUT else read_status(given)
