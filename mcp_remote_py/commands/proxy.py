"""Begins the connection of a relay, and then loads what relays: both take about as long.

Must not know argparse, other commands, or print.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcp_remote_py.errors import UsageError
from mcp_remote_py.net.early import EarlyConnection

if TYPE_CHECKING:
    from mcp_remote_py.settings.commands import ProxySettings


def run_proxy(settings: ProxySettings, environment: Mapping[str, str]) -> int:
    """Relays until the host goes away; returns the exit status.

    Raises:
        UsageError: something the settings name cannot be used.
    """
    early = begin_connection(settings)
    gc.disable()  # as `__main__` has it: what is loaded stays
    from mcp_remote_py.commands.relaying import relay_stdio

    gc.freeze()
    gc.enable()
    return relay_stdio(settings, environment, early)


def begin_connection(settings: ProxySettings) -> EarlyConnection | None:
    """That to the server, None where another one is connected to."""
    network, server = settings.network, settings.server
    try:
        is_direct = network.proxy_for(server) is None
    except UsageError:  # it is told by whoever connects
        is_direct = False
    return EarlyConnection(server.host, server.port, ipv4=network.ipv4) if is_direct else None
