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
    IllegalAnswer,
    NotConnected,
    NotTaken,
    ProxyRefusal,
    Silence,
)

CERTIFICATE_HINT = "Where a company's own authority signed it, name its file with --ca-cert."

E = TypeVar("E", bound=BaseException)


def explain(error: Exception, *, sent: bool, where: str = "") -> Exception:
    """One of the program's errors for a fault; what is one already, or nobody's, stays.

    `sent` tells whether bytes of the request may have left, `where` is the server's origin.
    """
    if isinstance(error, ExchangeError):
        return error
    if (tls := find_cause(error, ssl.SSLError)) is not None:
        return _explain_tls(tls, where)
    reason = str(error).strip().rstrip(".") or type(error).__name__
    at = f" {where}" if where else ""
    if isinstance(error, ConnectTimeout):
        return no_connection_in_time(f"the server{at}")
    if isinstance(error, ProxyRefusal):
        return NotSent(
            f"The HTTP proxy refused the connection: {reason}.",
            hint="Check HTTPS_PROXY and NO_PROXY in the entry's env.",
        )
    if isinstance(error, NotTaken):
        return NotSent(f"The connection to the server could not be used: {reason}.")
    if isinstance(error, NotConnected):
        return NotSent(f"The server{at} cannot be reached: {reason}.", hint=_CONNECT_HINT)
    if isinstance(error, CannotBeSent):
        return Unusable(f"The request cannot be sent: {reason}.", hint="Check the headers you add.")
    if isinstance(error, Silence):
        return no_answer_in_time(f"The server{at}")
    if isinstance(error, (Fault, OSError)):
        kind = Interrupted if sent else NotSent
        hint = _ILLEGAL_HINT if isinstance(error, IllegalAnswer) else ""
        return kind(f"The connection to the server{at} broke: {reason}.", hint=hint)
    return error


_ILLEGAL_HINT = "Check the URL. If it is right, the server or a proxy on the way has a fault."

_CONNECT_HINT = "Check the URL, the network and whether a VPN or proxy is needed."


def _explain_tls(error: ssl.SSLError, where: str) -> Unusable:
    at = f" ({where})" if where else ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unusable(
            f"The server's certificate is not trusted{at}: {error.verify_message.rstrip('.')}.",
            hint=CERTIFICATE_HINT,
        )
    return Unusable(
        f"TLS with the server failed{at}: {getattr(error, 'reason', None) or error}.",
        hint="Check that the URL's port speaks https, and whether the server wants --client-cert.",
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
        return os.strerror(error.errno)
    return str(error)
