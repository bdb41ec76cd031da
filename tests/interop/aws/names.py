"""Has every host name lead to one server on loopback, as if it had that name on the internet.

An HTTP proxy that opens what it tunnels, with certificates of an authority of its own: what AWS
infers from a host's name is tried with the very name. Must not know what is said inside.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

from tests.transports.peers import Authority


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _serve(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError), client:
        client.settimeout(20)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        if not head.startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with (
            context.wrap_socket(client, server_side=True) as opened,
            socket.create_connection(("127.0.0.1", port), 10) as server,
        ):
            opened.settimeout(None)
            server.settimeout(None)
            back = threading.Thread(target=_pump, args=(server, opened), daemon=True)
            back.start()
            _pump(opened, server)
            back.join(10)


@contextlib.contextmanager
def names_lead_to(port: int, hosts: Sequence[str], folder: Path) -> Generator[dict[str, str]]:
    """The environment variables with which those hosts, by https, are the server at that port."""
    authority = Authority(folder, "names")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("all-names", *hosts))
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=_serve, args=(client, context, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield {
            "HTTPS_PROXY": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "SSL_CERT_FILE": str(authority.path),
        }
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
