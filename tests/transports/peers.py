"""What the transports' tests need beside the wild server: TLS, a forward proxy, an HTTP client.

Must not know MCP.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_remote_py.channel import Authorizer, Signer
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.redact import Secret
from mcp_remote_py.retry import Acquaintance
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.headers import Header, HeaderFile, HeaderSettings, read_header_file
from mcp_remote_py.settings.http_proxy import HttpProxy, choose_http_proxy
from mcp_remote_py.settings.network import Network, Timeouts
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.exchange_log import SILENCE
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.url import ServerUrl
from tests.peers.wild_server import WildServer

QUICK = Timeouts(connect=5.0, headers=5.0, body=5.0)


def settings_for(url: str, headers: Mapping[str, str] | None = None, **more: Any) -> ProxySettings:
    """Settings for this server."""
    given = tuple(Header(name, Secret(value)) for name, value in (headers or {}).items())
    sources = more.pop("sources", HeaderSettings(given=given))
    network = Network(timeouts=QUICK).replace(
        **{name: more.pop(name) for name in Network.__struct_fields__ if name in more}
    )
    server = parse_server_url(url, allow_http=True)
    return ProxySettings(server, headers=sources, network=network, **more)


def from_file(path: Path) -> HeaderSettings:
    """Headers of that file, as it is now and after a refusal."""
    name = str(path)
    return HeaderSettings(files=(HeaderFile(name, read_header_file(name, {}, read_settled)),))


async def client_for(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    read_file: Callable[[str], str] = read_settled,
    authorizer: Authorizer | None = None,
    on_connected: Callable[[str], None] | None = None,
    http_proxy: Secret | None = None,
    choose_proxy: Callable[[ServerUrl], HttpProxy | None] | None = None,
    acquaintance: Acquaintance | None = None,
    silence: float = SILENCE,
    signer: Signer | None = None,
    **more: Any,
) -> HttpClient:
    """An HTTP client whose headers are loaded; `http_proxy` is for this machine, too."""
    if http_proxy is not None:
        proxy = proxy_at(http_proxy.reveal())
        choose_proxy = lambda _: proxy  # noqa: E731
    settings = settings_for(url, headers, **more)
    book = HeaderSource(settings.headers, environment or {}, read_file)
    await book.load()
    return HttpClient(
        settings,
        book,
        authorizer,
        on_connected=on_connected,
        choose_proxy=choose_proxy,
        acquaintance=acquaintance,
        silence=silence,
        signer=signer,
    )


def proxy_at(url: str) -> HttpProxy:
    """The proxy that the environment names by `url`."""
    proxy = choose_http_proxy(parse_server_url("https://example.com/"), {"ALL_PROXY": url})
    assert proxy is not None
    return proxy


class Authority:
    """A private certificate authority, and what it signs, as PEM files."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(
            self._name,
            self._key.public_key(),
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=True,
                    crl_sign=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                True,
            ),
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self, subject: x509.Name, key: Any, *extensions: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, name: str, *hosts: str) -> tuple[str, str]:
        """Paths of a certificate for 127.0.0.1, localhost and these hosts, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            key.public_key(),
            (
                x509.SubjectAlternativeName(
                    [
                        *map(x509.DNSName, ("localhost", *hosts)),
                        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
                        *map(x509.DNSName, hosts),
                    ]
                ),
                False,
            ),
            (x509.BasicConstraints(ca=False, path_length=None), True),
        )
        certificate_path = self._folder / f"{name}.pem"
        key_path = self._folder / f"{name}.key"
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(certificate_path), str(key_path)


class TlsServer(WildServer):
    """A wild server behind TLS; with `clients`, only for those this authority has signed.

    It keeps the certificates that were shown, and with `plain` speaks http at its port, too.
    """

    def __init__(
        self,
        certificate: tuple[str, str],
        clients: Authority | None = None,
        *,
        asks: Authority | None = None,
        plain: bool = False,
        **options: Any,
    ) -> None:
        self._plain = plain
        self.shown: list[bytes | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        if clients is not None:
            self._context.load_verify_locations(clients.path)
            self._context.verify_mode = ssl.CERT_REQUIRED
        if asks is not None:
            self._context.load_verify_locations(asks.path)
            self._context.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(**options)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"https://127.0.0.1:{self.port}"

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        if self._plain and connection.recv(1, socket.MSG_PEEK) != b"\x16":
            super()._serve(connection)
            return
        with connection.dup() as spare:
            try:
                secured = self._context.wrap_socket(connection, server_side=True)
            except OSError:  # one of us does not trust the other: the client will tell
                with contextlib.suppress(OSError):
                    spare.shutdown(socket.SHUT_WR)
                    while spare.recv(4096):  # a reset would overtake the alert
                        continue
                return
        secured.settimeout(None)
        self.shown.append(secured.getpeercert(binary_form=True))
        with self._change:
            self._connections.discard(connection)
            self._connections.add(secured)
        super()._serve(secured)


class ForwardProxy:
    """An HTTP proxy: forwards absolute URLs, tunnels CONNECT; with a certificate, inside TLS.

    Attributes:
        requests: request line and headers (lower case) of everything that was asked of it.
        refuse: the status to refuse everything with, or 0.
        answer: what to say to everything, before it hangs up, or nothing.
    """

    def __init__(self, credentials: str = "", certificate: tuple[str, str] | None = None) -> None:
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self._expected = "Basic " + base64.b64encode(credentials.encode()).decode()
        self._open = not credentials
        self.refuse = 0
        self.answer = b""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
                self._sockets.append(client)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            head, _, rest = head.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            self.requests.append((first, headers))
            if self.answer:
                client.sendall(self.answer)
                return
            if self.refuse:
                client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.refuse)
                return
            if not self._open and headers.get("proxy-authorization") != self._expected:
                client.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                )
                return
            verb, target, version = first.split(" ")
            if verb == "CONNECT":
                server = self._connect(target)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                authority, slash, path = target.removeprefix("http://").partition("/")
                server = self._connect(authority)
                kept = [line for line in lines if not line.lower().startswith("proxy-")]
                text = "\r\n".join([f"{verb} {slash}{path} {version}", *kept, "", ""])
                server.sendall(text.encode("latin-1") + rest)
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            _pump(server, client)

    def _connect(self, authority: str) -> socket.socket:
        host, _, port = authority.rpartition(":")
        server = socket.create_connection((host, int(port)), 10)
        self._sockets.append(server)
        return server


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
