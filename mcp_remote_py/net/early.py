"""A connection that is begun before it is needed: while the program loads, the network works.

A name is looked up and a handshake made (RFC 9293 §3.5) in as much time as Python takes to load
what relays. Must not know asyncio, which is loaded meanwhile, TLS or HTTP.
"""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import Future
from threading import Thread

Begun = Future[socket.socket]
"""The connected socket, or the OSError by which there is none."""


class EarlyConnection:
    """One to the first address of the host, begun in a thread: whoever takes it has it."""

    def __init__(self, host: str, port: int, *, ipv4: bool = False) -> None:
        self._place = (host, port)
        self._begun: Begun | None = Future()
        family = socket.AF_INET if ipv4 else socket.AF_UNSPEC
        Thread(target=_connect, args=(self._begun, host, port, family), daemon=True).start()

    def take(self, host: str, port: int) -> Begun | None:
        """What comes of it, once and for that place alone: who takes it closes it."""
        if (host, port) != self._place:
            return None
        begun, self._begun = self._begun, None
        return begun

    def drop(self) -> None:
        """Closes it, unless somebody has taken it: servers have few connections to give."""
        begun = self.take(*self._place)
        if begun is not None:
            close_when_begun(begun)


def close_when_begun(begun: Begun) -> None:
    """Now, or when it comes about."""
    begun.add_done_callback(_close)


def _close(begun: Begun) -> None:
    if begun.exception() is None:
        begun.result().close()


def _connect(begun: Begun, host: str, port: int, family: socket.AddressFamily) -> None:
    with contextlib.ExitStack() as failing:
        try:
            # As bytes: for text, Python loads what spells names of other alphabets.
            kind, *_, address = socket.getaddrinfo(host.encode(), port, family, _TCP)[0]
            connection = failing.enter_context(socket.socket(kind, _TCP))
            connection.connect(address)
        except OSError as error:
            begun.set_exception(error)
        else:
            failing.pop_all()
            begun.set_result(connection)


_TCP = socket.SOCK_STREAM
