"""A port of this machine that a browser can come back to: the same one on 127.0.0.1 and on [::1].

Must not know who comes, nor what for.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.signin.taken_port import explain_taken_port

WALK = 10
"""Ports tried from the preferred one on, before any free one is taken."""
BACKLOG = 16
"""Connections the operating system keeps until we take them."""

_TAKEN = {errno.EADDRINUSE, errno.EACCES}
"""EACCES: Windows says so of ports it has reserved, and of ports held exclusively."""


def address_option(system: Any) -> int:
    """What a listener is told of its port; `system` is the module `socket`.

    Windows has one of its own, where the other would let two programs share a port; elsewhere that
    one only passes over connections of the last sign-in in TIME_WAIT.
    """
    return getattr(system, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)


_ADDRESS_OPTION = address_option(socket)

MakeSocket = Callable[[socket.AddressFamily], socket.socket]
"""Makes a stream socket of that family; raises OSError where the machine has none such."""


def take_port(
    preferred: int | None, make_socket: MakeSocket, *, pinned: bool
) -> list[socket.socket]:
    """Sockets that listen on one port, on both addresses, or on the first where IPv6 is missing.

    The `preferred` port; where it is taken, one of the next, then any. A `pinned` one or none.

    Raises:
        UsageError: the pinned port is taken.
        McpRemoteError: this machine does not let us listen.
    """
    if preferred is not None and pinned:
        try:
            return _listen(preferred, make_socket)
        except OSError as error:
            raise explain_taken_port(preferred, error) from None
    first = preferred or 0
    walk = range(first, min(first + WALK, 65536)) if first else ()
    refusal = ""
    for port in (*walk, *[0] * WALK):
        try:
            return _listen(port, make_socket)
        except OSError as error:
            refusal = error.strerror or type(error).__name__
            if error.errno not in _TAKEN:
                break
    raise McpRemoteError(
        f"Cannot listen on any port of this machine for the browser: {refusal}.",
        hint="Look for a firewall or sandbox that forbids programs to listen on 127.0.0.1.",
    )


def _listen(port: int, make_socket: MakeSocket) -> list[socket.socket]:
    """Sockets on both addresses, or on the first alone where IPv6 is missing.

    A port whose other half is someone else's is taken: browsers try [::1] first for
    `localhost`, and the code would go to a stranger.
    """
    sockets = [_listen_on(make_socket(socket.AF_INET), "127.0.0.1", port)]
    try:
        known = sockets[0].getsockname()[1]
        sockets.append(_listen_on(make_socket(socket.AF_INET6), "::1", known))
    except OSError as error:
        if error.errno in _TAKEN:
            sockets[0].close()
            raise
    return sockets


def _listen_on(made: socket.socket, address: str, port: int) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, _ADDRESS_OPTION, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        # At once: until then, Linux lets a second program bind the same port.
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
