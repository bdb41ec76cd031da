"""Begins a relay: takes stdin and stdout, begins the connection, and loads what relays meanwhile.

Both take about as long. Must not know argparse, other commands, or print.
"""

from __future__ import annotations

import gc
import os
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
    at_terminal = os.isatty(0)
    stdin, stdout = take_over_stdio()  # first: a socket could get the number of a closed one
    early = begin_connection(settings)
    gc.disable()  # as `__main__` has it: what is loaded stays
    from mcp_remote_py.commands.relaying import relay_stdio

    gc.freeze()
    gc.enable()
    return relay_stdio(settings, environment, stdin, stdout, at_terminal=at_terminal, early=early)


def take_over_stdio() -> tuple[int, int]:
    """Moves stdin and stdout out of reach; returns the descriptors to use.

    Whatever prints, or starts a child that reads or prints, meets the null device and stderr
    instead of the protocol (field note 34). One that is closed is as the null device.
    """
    null = os.open(os.devnull, os.O_RDWR)
    taken = [_duplicate(0, null), _duplicate(1, null)]
    os.dup2(null, 0)
    os.dup2(_duplicate(2, null), 1)
    return taken[0], taken[1]


def _duplicate(descriptor: int, otherwise: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:
        return os.dup(otherwise)


def begin_connection(settings: ProxySettings) -> EarlyConnection | None:
    """That to the server, None where another one is connected to."""
    network, server = settings.network, settings.server
    try:
        is_direct = network.proxy_for(server) is None
    except UsageError:  # it is told by whoever connects
        is_direct = False
    return EarlyConnection(server.host, server.port, ipv4=network.ipv4) if is_direct else None
