"""Proxies of companies, and certificates: who is gone through, and who is trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization

from tests.interop.networks.fronts import Front, NamingProxy
from tests.interop.networks.products import mitmproxy
from tests.interop.networks.world import Row, Told, Works, World
from tests.transports.peers import Authority, ForwardProxy

NAME = "mcp.example"
URL = f"https://{NAME}/mcp"
PASSWORD = "p@ss:w/ö rd%#?"
"""What a person may have."""


def _tls(world: World, clients: str = "") -> Front:
    """The server behind TLS, with a certificate of the company's."""
    server = world.server()
    certificate = world.company.issue("server", NAME)
    front = Front(("127.0.0.1", server.port), certificate, clients=clients)
    return world.stack.enter_context(front)


def _proxy(world: World, credentials: str = "") -> ForwardProxy:
    front = _tls(world)
    return world.stack.enter_context(NamingProxy(("127.0.0.1", front.port), credentials))


def _trust(world: World) -> tuple[str, str]:
    return "--ca-cert", str(world.company.path)


def _with_credentials(user_info: str) -> Callable[[World], None]:
    def play(world: World) -> None:
        proxy = _proxy(world, f"me@corp:{PASSWORD}")
        variables = {"HTTPS_PROXY": f"http://{user_info}{proxy.authority}"}
        world.play(URL, *_trust(world), environment=variables)
        asked = [line for line, _ in proxy.requests]
        if any(not line.startswith("CONNECT mcp.example:443 ") for line in asked):
            world.seen.faults.append(f"asked of the proxy: {asked}")

    return play


def _refusing(answer: bytes, variable: str = "HTTPS_PROXY") -> Callable[[World], None]:
    def play(world: World) -> None:
        proxy = _proxy(world)
        proxy.answer = answer
        world.play(URL, *_trust(world), environment={variable: f"http://{proxy.authority}"})
        world.seen.notes.append(f"{len(proxy.requests)} CONNECT")

    return play


def _clear(world: World) -> None:
    """Plain http, which the proxy forwards."""
    server = world.server()
    proxy = world.stack.enter_context(NamingProxy(("127.0.0.1", server.port), "me:secret"))
    variables = {"HTTP_PROXY": f"http://me:secret@{proxy.authority}"}
    world.play(f"http://{NAME}/mcp", environment=variables)


def _named(value: str) -> Callable[[World], None]:
    """The variable has that value."""

    def play(world: World) -> None:
        world.play(URL, environment={"HTTPS_PROXY": value})

    return play


def _past(no_proxy: str) -> Callable[[World], None]:
    """Past a proxy that would refuse; loopback has no name of its own but on an island."""

    def play(world: World) -> None:
        server = world.server()
        front = Front(("127.0.0.1", server.port), world.company.issue("direct", NAME))
        world.stack.enter_context(front)
        proxy = world.stack.enter_context(ForwardProxy("nobody:knows"))
        variables = {"HTTPS_PROXY": f"http://{proxy.authority}", "NO_PROXY": no_proxy}
        world.play(f"https://{NAME}:{front.port}/mcp", *_trust(world), environment=variables)
        if proxy.requests:
            world.seen.faults.append("went through the proxy")

    return play


def _inspected(trust: str) -> Callable[[World], None]:
    """A proxy that opens TLS, with certificates of its own authority."""

    def play(world: World) -> None:
        proxy = _proxy(world)
        variables = {"HTTPS_PROXY": f"http://{proxy.authority}"}
        options: tuple[str, ...] = ()
        if trust.startswith("--"):
            options = (trust, str(world.company.path))
        elif trust:
            variables[trust] = str(world.company.path)
        world.play(URL, *options, environment=variables)

    return play


def _mitmproxy(trust: str) -> Callable[[World], None]:
    def play(world: World) -> None:
        front = _tls(world)
        product = world.stack.enter_context(mitmproxy(world.place("mitm"), front.port))
        variables = {"HTTPS_PROXY": f"http://127.0.0.1:{product.port}"}
        if trust:
            variables[trust] = str(product.folder / "mitmproxy-ca-cert.pem")
        world.play(URL, environment=variables)

    return play


def _mitmproxy_with_credentials(world: World) -> None:
    front = _tls(world)
    secret = "p@ss w/rd%#?"
    options = ["--set", f"proxyauth=me:{secret}"]
    product = world.stack.enter_context(mitmproxy(world.place("mitm"), front.port, *options))
    authority = str(product.folder / "mitmproxy-ca-cert.pem")
    where = f"http://me:{quote(secret, safe='')}@127.0.0.1:{product.port}"
    world.play(URL, "--ca-cert", authority, environment={"HTTPS_PROXY": where})


def _renewed(world: World) -> None:
    """The certificate is another one at the next connection."""
    front = _tls(world)
    with world.connect(f"https://localhost:{front.port}/mcp", *_trust(world)) as session:
        session.call()
        front.renew(world.company.issue("renewed", NAME))
        front.drop()
        session.call()


def _exchanged(world: World) -> None:
    """The next certificate is of an authority that nobody knows."""
    front = _tls(world)
    other = Authority(world.folder, "Another Root")
    with world.connect(f"https://localhost:{front.port}/mcp", *_trust(world)) as session:
        session.call()
        front.renew(other.issue("other", NAME))
        front.drop()
        session.call()


def _encrypted(world: World, key: str) -> str:
    """The path of that key, encrypted as openssl does."""
    loaded = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    path = world.folder / "encrypted.key"
    path.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return str(path)


def _mutual(given: str) -> Callable[[World], None]:
    """A server that wants a certificate of its clients: `given` is which one it gets."""

    def play(world: World) -> None:
        front = _tls(world, clients=str(world.company.path))
        certificate, key = world.company.issue("client")
        options: tuple[str, ...] = ()
        if given == "pair":
            options = ("--client-cert", certificate, "--client-key", key)
        elif given == "one file":
            both = world.folder / "both.pem"
            both.write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
            options = ("--client-cert", str(both))
        elif given == "encrypted":
            options = ("--client-cert", certificate, "--client-key", _encrypted(world, key))
        elif given == "stranger":
            other, its_key = Authority(world.folder, "Another Root").issue("stranger")
            options = ("--client-cert", other, "--client-key", its_key)
        world.play(f"https://localhost:{front.port}/mcp", *_trust(world), *options)
        world.seen.notes += [f"the server: {one}" for one in dict.fromkeys(front.handshakes)]

    return play


def _short_lived(world: World) -> None:
    """The client's certificate is renewed: at the next connection it is to be shown."""
    front = _tls(world, clients=str(world.company.path))
    certificate, key = world.company.issue("client")
    options = (*_trust(world), "--client-cert", certificate, "--client-key", key)
    with world.connect(f"https://localhost:{front.port}/mcp", *options) as session:
        session.call()
        old = front.shown[-1]
        world.company.issue("client")
        front.drop()
        session.call()
        if front.shown[-1] == old:
            world.seen.faults.append("the old certificate was shown")


def _authority_renewed(world: World) -> None:
    """The company has a new authority: its file and the server's certificate are exchanged."""
    front = _tls(world)
    with world.connect(f"https://localhost:{front.port}/mcp", *_trust(world)) as session:
        session.call()
        other = Authority(world.folder, "New Root")
        world.company.path.write_bytes(other.path.read_bytes())
        front.renew(other.issue("other", NAME))
        front.drop()
        session.call()


def _untrusted(world: World) -> None:
    front = _tls(world)
    world.play(f"https://localhost:{front.port}/mcp")


CONNECT_407 = b"HTTP/1.1 407 Proxy Authentication Required\r\n%s\r\nContent-Length: 0\r\n\r\n"
CONNECT_403 = (
    b"HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Type: text/html\r\n"
    b"Content-Length: 22\r\n\r\n<p>Access Denied.</p>\r\n"
)
GOOD = quote("me@corp", safe="") + ":" + quote(PASSWORD, safe="") + "@"

ROWS = (
    Row(
        "connect-credentials",
        "a CONNECT proxy that wants a name and a password with `@`, `:`, `/`, `%`, `ö` in them",
        Works(),
        _with_credentials(GOOD),
        '`"env": {"HTTPS_PROXY": "http://NAME:PASSWORD@proxy:3128"}`, with each of `@ : / %` in '
        "percent-encoding",
        gate=True,
    ),
    Row(
        "connect-wrong-password",
        "the same, with a wrong password",
        Told(("from HTTPS_PROXY", "does not take the name and the password", "%40"), 3),
        _with_credentials("me%40corp:wrong@"),
        "correct the variable that the error names",
    ),
    Row(
        "connect-no-credentials",
        "the same, without a name",
        Told(("from HTTPS_PROXY", "407", "NAME:PASSWORD@HOST:PORT"), 3),
        _with_credentials(""),
        "write name and password into the variable that the error names",
    ),
    Row(
        "connect-forbidden",
        "a CONNECT proxy whose policy forbids the server (403)",
        Told(("403", "Its policy forbids mcp.example:443", "Access Denied", "NO_PROXY"), 3),
        _refusing(CONNECT_403),
        "ask whoever runs the proxy; or NO_PROXY, where the server can be reached directly",
    ),
    Row(
        "connect-ntlm",
        "a CONNECT proxy that takes NTLM and Negotiate only",
        Told(("asks for Negotiate or NTLM", "not supported", "px or cntlm", "HTTPS_PROXY"), 3),
        _refusing(CONNECT_407 % b"Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM"),
        "a local proxy that signs in to it (px, cntlm), in HTTPS_PROXY",
    ),
    Row(
        "connect-lower-case",
        "the same, named by `https_proxy` in lower case",
        Told(("from https_proxy", "in https_proxy"), 3),
        _refusing(CONNECT_407 % b"Proxy-Authenticate: NTLM", "https_proxy"),
    ),
    Row(
        "forwarded",
        "a proxy that forwards plain http",
        Works(),
        _clear,
        '`"env": {"HTTP_PROXY": "http://NAME:PASSWORD@proxy:3128"}` and `--allow-http`',
        gate=True,
    ),
    Row(
        "socks",
        "`HTTPS_PROXY` names a SOCKS proxy",
        Told(("HTTPS_PROXY", "SOCKS", "http://"), 3),
        _named("socks5://127.0.0.1:1080"),
        "an http:// proxy; ssh -D speaks SOCKS only",
    ),
    Row(
        "pac",
        "`HTTPS_PROXY` names a PAC file",
        Told(("HTTPS_PROXY", "PAC", "PROXY"), 3),
        _named("http://wpad.corp.example/proxy.pac"),
        "the proxy that the file names behind the word PROXY",
        gate=True,
    ),
    *(
        Row(
            f"no-proxy-{number}",
            f"`NO_PROXY={entry}`, beside a proxy that refuses",
            Works(),
            _past(entry),
            f'"NO_PROXY": "{entry}"',
            island=True,
        )
        for number, entry in enumerate(
            (NAME, f".{NAME.partition('.')[2]}", "*.example", "corp.test, MCP.EXAMPLE", "*")
        )
    ),
    Row(
        "inspected-unknown",
        "a proxy that opens TLS with the company's own authority, which is not trusted here",
        Told(("not trusted", "Example Corp Root", "--ca-cert", "SSL_CERT_FILE"), 3),
        _inspected(""),
        "--ca-cert FILE",
        gate=True,
    ),
    *(
        Row(
            f"inspected-{key}",
            f"the same, with {said}",
            Works(),
            _inspected(trust),
            said,
            gate=key == "node",
        )
        for key, trust, said in (
            ("option", "--ca-cert", "`--ca-cert FILE`"),
            ("ssl-cert-file", "SSL_CERT_FILE", '`"env": {"SSL_CERT_FILE": "FILE"}`'),
            ("node", "NODE_EXTRA_CA_CERTS", '`"env": {"NODE_EXTRA_CA_CERTS": "FILE"}`'),
        )
    ),
    Row(
        "untrusted-direct",
        "a server of a private authority, reached directly",
        Told(("not trusted", "Example Corp Root", "--ca-cert"), 3),
        _untrusted,
        "--ca-cert FILE",
    ),
    Row("renewed", "the server's certificate is renewed between two calls", Works(), _renewed),
    Row(
        "renewed-authority",
        "the same, and the authority too: its file is exchanged meanwhile",
        Works(),
        _authority_renewed,
        "--ca-cert FILE",
    ),
    Row(
        "exchanged",
        "between two calls the certificate becomes that of an unknown authority",
        Told(("not trusted", "Another Root", "--ca-cert"), 3, after=True),
        _exchanged,
        gate=True,
    ),
    Row(
        "mtls-pair",
        "a server that wants a client certificate: certificate and key in two files",
        Works(),
        _mutual("pair"),
        "--client-cert FILE --client-key FILE",
    ),
    Row(
        "mtls-one-file",
        "the same: both in one file",
        Works(),
        _mutual("one file"),
        "--client-cert FILE",
    ),
    Row(
        "mtls-encrypted",
        "the same: the key is encrypted",
        Told(("is encrypted", "--client-key", "openssl"), 3),
        _mutual("encrypted"),
        "openssl pkey -in KEY -out PLAIN-KEY, readable by you only",
    ),
    Row(
        "mtls-renewed",
        "the same: the certificate is renewed between two calls",
        Works(),
        _short_lived,
        gate=True,
    ),
    Row(
        "mtls-none",
        "the same: none is given",
        Told(("wants a client certificate", "certificate required", "--client-cert"), 5),
        _mutual("none"),
        "--client-cert FILE --client-key FILE",
        gate=True,
    ),
    Row(
        "mtls-stranger",
        "the same: one of another authority is given",
        Told(("does not take the client certificate", "unknown ca", "--client-cert"), 5),
        _mutual("stranger"),
        "a certificate of the authority that the server trusts",
    ),
    Row(
        "mitmproxy-unknown",
        "mitmproxy, whose authority this machine does not trust",
        Told(("not trusted", "mitmproxy", "--ca-cert"), 5),
        _mitmproxy(""),
        "--ca-cert FILE",
        product="mitmproxy",
    ),
    *(
        Row(
            f"mitmproxy-{key}",
            f"mitmproxy, with `{variable}`",
            Works(),
            _mitmproxy(variable),
            f'"env": {{"{variable}": "FILE"}}',
            product="mitmproxy",
        )
        for key, variable in (("ssl-cert-file", "SSL_CERT_FILE"), ("node", "NODE_EXTRA_CA_CERTS"))
    ),
    Row(
        "mitmproxy-credentials",
        "mitmproxy that wants a name and a password",
        Works(),
        _mitmproxy_with_credentials,
        '"HTTPS_PROXY": "http://NAME:PASSWORD@proxy:8080", --ca-cert FILE',
        product="mitmproxy",
    ),
)
