"""The faults of a connection. Their meaning for a message is in `mapping`.

A fault says what happened, in the system's words where it has any. Pure. Must not know MCP.
"""

from __future__ import annotations


class Fault(Exception):
    """A fault; its text says what happened, without a full stop.

    Attributes:
        proxy: the proxy that was to be gone through, as a person knows it; "" for none.
        is_beyond: whether it happened behind that proxy, with the server.
    """

    proxy = ""
    is_beyond = False


class NotConnected(Fault):
    """The connection did not come about: nothing was sent."""


class TurnedAway(NotConnected):
    """Another machine is there and refused: nobody listens at that port."""


class HungUp(NotConnected):
    """The other side ended the connection when TLS began: most likely it does not speak it."""


class ConnectTimeout(NotConnected):
    """No connection in time."""


class ProxyRefusal(Fault):
    """A proxy does not connect us: nothing was sent.

    Attributes:
        status: its answer's; 0 where it did not give one.
        schemes: the ways to sign in that it offers.
        knows_us: whether it was told a name and a password.
        target: host and port it was to connect us to.
        variable: the variable of the environment that names the proxy.
    """

    status = 0
    schemes: tuple[str, ...] = ()
    knows_us = False
    target = ""
    variable = "HTTPS_PROXY"


class NotTaken(Fault):
    """The connection could not be used, and nothing was sent on it."""


class CannotBeSent(Fault):
    """The request has something that HTTP does not allow."""


class Silence(Fault):
    """Nothing arrived, or nothing could be sent, in time."""


class Broken(Fault):
    """The connection was lost, or what came on it ended too early."""


class IllegalAnswer(Broken):
    """The bytes that came are not HTTP/1.1, or may be read in two ways."""
