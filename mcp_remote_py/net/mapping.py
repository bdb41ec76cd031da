"""Maps the fault of a connection to the error of the message that was to be sent on it.

Two facts decide it: whether there was a connection, and whether bytes of the request may have left.
Must not know HTTP or MCP.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import TypeVar

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Unusable,
    no_answer_in_time,
    no_connection_in_time,
)
from mcp_remote_py.net.faults import (
    CannotBeSent,
    ConnectTimeout,
    Fault,
    HungUp,
    IllegalAnswer,
    NotConnected,
    NotTaken,
    ProxyRefusal,
    Silence,
    TurnedAway,
)
from mcp_remote_py.values import Value

E = TypeVar("E", bound=BaseException)


def explain(error: Exception, *, sent: bool, where: str = "") -> Exception:
    """One of the program's errors for a fault; what is one already, or nobody's, stays.

    `sent` tells whether bytes of the request may have left, `where` is the server's origin.
    """
    if isinstance(error, ExchangeError):
        return error
    peer = _find_peer(error, where)
    if (tls := find_cause(error, ssl.SSLError)) is not None:
        from mcp_remote_py.net.tls_refusals import explain_tls

        who = "HTTP proxy" if peer.is_proxy else "server"
        at = f" ({peer.at.strip()}{peer.through})" if peer.at else peer.through
        return explain_tls(tls, who, at, is_proxy=peer.is_proxy)
    reason = str(error).strip().rstrip(".") or type(error).__name__
    if isinstance(error, ConnectTimeout):
        late = no_connection_in_time(f"{peer.name}{peer.through}")
        return late.with_hint(_PROXY_HINT) if peer.is_proxy else late
    if isinstance(error, ProxyRefusal):
        from mcp_remote_py.net.proxy_refusals import explain_proxy_refusal

        return explain_proxy_refusal(error, reason)
    if isinstance(error, NotTaken):
        return NotSent(f"The connection to the server could not be used: {reason}.")
    if isinstance(error, NotConnected):
        return _explain_no_connection(error, peer, reason)
    if isinstance(error, CannotBeSent):
        return Unusable(f"The request cannot be sent: {reason}.", hint="Check the headers you add.")
    if isinstance(error, Silence):
        return no_answer_in_time(f"The server{peer.at}")
    if isinstance(error, (Fault, OSError)):
        kind = Interrupted if sent else NotSent
        hint = _ILLEGAL_HINT if isinstance(error, IllegalAnswer) else _BROKEN_HINT
        return kind(f"The connection to {peer.name}{peer.through} broke: {reason}.", hint=hint)
    return error


class _Peer(Value, frozen=True):
    """Whom a fault is about; `through` names the proxy between, where it was not that one's."""

    name: str
    at: str
    through: str = ""
    is_proxy: bool = False


def _find_peer(error: Exception, where: str) -> _Peer:
    proxy, is_beyond = (error.proxy, error.is_beyond) if isinstance(error, Fault) else ("", False)
    if proxy and not is_beyond:
        return _Peer(f"the HTTP proxy {proxy}", f" {proxy}", is_proxy=True)
    at = f" {where}" if where else ""
    return _Peer(f"the server{at}", at, f" through the HTTP proxy {proxy}" if proxy else "")


def _explain_no_connection(error: NotConnected, peer: _Peer, reason: str) -> NotSent:
    name = peer.name.removeprefix("the ")
    hint = _HUNG_UP_HINT if isinstance(error, HungUp) else _CONNECT_HINT
    if peer.is_proxy:
        hint = _PROXY_HINT
    mapped = NotSent(
        f"The {name} cannot be reached{peer.through}: {reason}.",
        hint=hint,
    )
    look_up = find_cause(error, socket.gaierror)
    is_unknown = look_up is not None and look_up.errno in UNKNOWN_NAME
    return mapped.as_certain() if is_unknown or isinstance(error, TurnedAway) else mapped


WINSOCK_BASE = 10000
"""The numbers of Windows' sockets, as errno too; no other system's are as large."""
WSANO_DATA = 11004
"""Windows' own for a name that has no address; Python does not name it."""

UNKNOWN_NAME = frozenset(
    {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), WSANO_DATA}
)
"""Of getaddrinfo (RFC 3493 §6.1): the answer is that there is none. EAI_AGAIN is not one."""

_ILLEGAL_HINT = "Check the URL. If it is right, the server or a proxy on the way has a fault."

_BROKEN_HINT = (
    "Ask again. If it breaks each time, look at the server's log, and at what is on the way (a "
    "proxy, a VPN, a firewall)."
)

_CONNECT_HINT = "Check the URL, the network and whether a VPN or proxy is needed."

_HUNG_UP_HINT = (
    "Most likely this port does not speak https. If the server is on this machine, write http:// "
    "in the URL; else check its port."
)

_PROXY_HINT = (
    "Check that the proxy runs, and the variable that names it; NO_PROXY lists what is reached "
    "directly."
)


def find_cause(error: BaseException | None, kind: type[E]) -> E | None:
    """The innermost error of that kind below `error`: the one that knows the reason."""
    found: E | None = None
    while error is not None:
        if isinstance(error, kind):
            found = error
        error = error.__cause__ or error.__context__
    return found


def describe_error(error: Exception) -> str:
    """The system's words for it, without the addresses asyncio adds; they are in the URL."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be looked up ({error.strerror})"
    if isinstance(error, OSError) and error.errno is not None:
        if isinstance(error, ssl.SSLError):
            return str(error)  # it is an OSError, but its numbers are not the system's
        # Windows' own words are in the person's language; some of its numbers have no `errno`.
        number = getattr(error, "winerror", None) or error.errno
        is_of_windows = number != error.errno or number >= WINSOCK_BASE
        meant = _MEANT_ON_WINDOWS.get(number) if is_of_windows else None
        return meant or os.strerror(error.errno)
    return str(error)


_MEANT_ON_WINDOWS = {
    64: "Connection reset by peer",  # ERROR_NETNAME_DELETED
    121: "Connection timed out",  # ERROR_SEM_TIMEOUT
    1225: "Connection refused",  # ERROR_CONNECTION_REFUSED
    1231: "Network is unreachable",  # ERROR_NETWORK_UNREACHABLE
    1232: "No route to host",  # ERROR_HOST_UNREACHABLE
    1236: "Software caused connection abort",  # ERROR_CONNECTION_ABORTED
    10013: "Permission denied",  # WSAEACCES
    10050: "Network is down",  # WSAENETDOWN
    10051: "Network is unreachable",  # WSAENETUNREACH
    10053: "Software caused connection abort",  # WSAECONNABORTED
    10054: "Connection reset by peer",  # WSAECONNRESET
    10055: "No buffer space available",  # WSAENOBUFS
    10060: "Connection timed out",  # WSAETIMEDOUT
    10061: "Connection refused",  # WSAECONNREFUSED
    10065: "No route to host",  # WSAEHOSTUNREACH
}
"""Of a connection, by `winerror`. asyncio asks Windows by overlapped calls, whose errors are of the
kernel and not of Winsock: Python gives most of them the errno of an invalid argument."""
