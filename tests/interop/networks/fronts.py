"""What stands between, written for the tests: proxies, and fronts that end TLS or hold back.

Threads of this process. Must not know MCP.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from tests.transports.peers import ForwardProxy

Address = tuple[str, int]


class NamingProxy(ForwardProxy):
    """An HTTP proxy that knows where names lead: those of `routes`, and else to `default`."""

    def __init__(
        self,
        default: Address,
        credentials: str = "",
        routes: dict[str, Address] | None = None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(credentials, certificate)
        self.default = default
        self.routes = routes or {}

    def _connect(self, authority: str) -> socket.socket:
        host, port = self.routes.get(authority, self.default)
        return super()._connect(f"{host}:{port}")


class Front:
    """Takes connections at `address` and hands their bytes on to `target`; both may change.

    With a `certificate`, TLS ends here: `clients` is the PEM file of who signs those of clients,
    and `shown` what was shown. `connections` counts those that were taken.
    """

    def __init__(
        self,
        target: Address,
        certificate: tuple[str, str] | None = None,
        *,
        clients: str = "",
        address: Address = ("127.0.0.1", 0),
    ) -> None:
        self.target = target
        self.connections = 0
        self.shown: list[bytes | None] = []
        self.handshakes: list[str] = []
        """What went wrong in each that failed."""
        self._clients = clients
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.renew(certificate)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(address)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def renew(self, certificate: tuple[str, str]) -> None:
        """From now on this certificate is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if self._clients:
            context.load_verify_locations(self._clients)
            context.verify_mode = ssl.CERT_REQUIRED
        self.context = context

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nobody is taken any more, and who is there is dropped."""
        _shut(self._listener)
        self.drop()

    def drop(self) -> None:
        """Closes what is open."""
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            _shut(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        spare = client.dup()
        self._sockets.append(spare)
        try:
            if self.context is not None:
                client.settimeout(10)
                client = self.context.wrap_socket(client, server_side=True)
                client.settimeout(None)
                self._sockets.append(client)
                self.shown.append(client.getpeercert(binary_form=True))
            server = socket.create_connection(self.target, 10)
        except OSError as error:
            self.handshakes.append(str(error))
            with contextlib.suppress(OSError):
                spare.shutdown(socket.SHUT_WR)
                while spare.recv(4096):  # a reset would overtake the alert
                    continue
            _shut(spare)
            return
        server.settimeout(None)
        self._sockets.append(server)
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        self._answer(server, client)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        _pump(server, client)


class HoldingFront(Front):
    """Hands an answer on when it is whole, as what looks for viruses in it does."""

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        held = b""
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                held += data
                if _is_whole(held):
                    client.sendall(held)
                    held = b""
        _shut(client)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return length is None or len(body) >= int(length[1])


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class Hole:
    """An address at which connections hang, as where packets are dropped on the way."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(0)
        # The only place in its queue: the system drops who comes after.
        self._first = socket.create_connection((host, port), 5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._first.close()
        self._listener.close()
