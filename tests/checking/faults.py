"""The table of faults: what is wrong, and what `check` has to say of it.

Each row is stood up with real servers, sockets and certificates, and asked by the whole command,
from its words to its exit status: in this process by the test, as a process of its own by
`python -m tests.checking.record`. Must not know how a check is done.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple

from mcp_remote_py.cli.main import main
from tests.canaries import RUN
from tests.certificates import make_pem, sign, to_pem
from tests.harness.browser import fake_browser
from tests.harness.host import environment_for
from tests.harness.stage import Stage, let_token_expire
from tests.harness.warm import COMMAND, run
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.signed_server import KEY_ID, SECRET_KEY, SignedServer
from tests.peers.wild_server import (
    Exchange,
    WildServer,
    answer_html,
    answer_status,
    be_silent,
    body_without_end,
    redirect,
)

DAY = 86_400.0
SECRET = "canary-of-a-header-4711"
PATIENCE = 40.0
"""Seconds for a process of a check: more than it may take, so that a slow one is seen as that."""


class Told(NamedTuple):
    """What a check said: its object for programs, its exit status, and how long it took."""

    json: Any
    text: str
    status: int
    seconds: float
    asked: int
    """Requests of a sign-in at the authorization server that nobody wanted: a check makes none."""


RunCheck = Callable[[list[str], Mapping[str, str]], tuple[int, str, str]]
"""Runs the command with these words: exit status, stdout, stderr."""


def run_here(words: list[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    return main(words, environment, out, err), out.getvalue(), err.getvalue()


def run_process(words: list[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """The command as it is started by a person."""
    done = run([str(COMMAND), *words], environment, PATIENCE, fresh=True)
    return done.returncode, done.stdout, done.stderr


@dataclass
class Stand:
    """The place of one fault: a home, and what ends with it."""

    folder: Path
    stack: ExitStack
    words: list[str] = field(default_factory=list[str])
    environment: dict[str, str] = field(default_factory=dict[str, str])
    authorization_server: AuthorizationServer | None = None

    @property
    def asked(self) -> int:
        """Requests of a sign-in so far."""
        server = self.authorization_server
        if server is None:
            return 0
        codes = server.token_requests("authorization_code")
        return len(server.registrations) + len(server.authorizations) + len(codes)

    def server(
        self, script: Callable[[WildServer], None] = lambda _: None, at: str = "", **kind: Any
    ) -> None:
        """A server without a sign-in, asked at its address or at another path of it."""
        server = self.stack.enter_context(WildServer(**kind))
        script(server)
        self.words.append(server.origin + at if at else server.url)

    def enter(self, command: str, *before: str, **members: object) -> None:
        """The address becomes an entry of Cursor, which is asked by its name."""
        address = self.words.pop()
        arguments = [*before, address] if before else []
        line = command.replace("URL", address)
        entry = {"command": line, "args": arguments, **members}
        file = self.folder / ".cursor" / "mcp.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"mcpServers": {"work": entry}}), encoding="utf-8")
        self.words.append("work")

    def sign_in(self, **policy: Any) -> Stage:
        """A server that signs people in, and a person at it."""
        server = self.stack.enter_context(AuthorizationServer(Policy(**policy)))
        browser = self.stack.enter_context(fake_browser(self.folder / "browser"))
        self.words.append(server.url)
        self.authorization_server = server
        return Stage(server, browser, self.folder, self.stack)

    def listen(self, answer: Callable[[socket.socket], None]) -> int:
        """The port of something that gives every caller to `answer`."""
        listener = socket.create_server(("127.0.0.1", 0))
        held: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    peer.settimeout(5)
                    held.append(peer)
                    with contextlib.suppress(OSError):
                        answer(peer)

        def end() -> None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for peer in held:
                peer.close()
            thread.join(5)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.stack.callback(end)
        port: int = listener.getsockname()[1]
        return port

    def https(self, pem: str, authority: str = "", *, wants_one: bool = False) -> None:
        """Https with that certificate; `authority` is trusted. `wants_one`: of the client, too."""
        file = self.folder / "certificate.pem"
        file.write_text(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.verify_mode = ssl.CERT_REQUIRED if wants_one else ssl.CERT_NONE

        def answer(peer: socket.socket) -> None:
            context.wrap_socket(peer, server_side=True).close()

        self.words.append(f"https://127.0.0.1:{self.listen(answer)}/mcp")
        if authority:
            trusted = self.folder / "authority.pem"
            trusted.write_text(authority)
            self.words += ["--ca-cert", str(trusted)]


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be.

    `step` is the one that the verdict names, `said` and `then` are phrases, `|` between parts, of
    the verdict's cause and of its next step.
    """

    what: str
    """For the document, to be read behind "When"."""
    stand: Callable[[Stand], object]
    step: str
    said: str
    then: str
    status: int = 1


def play(fault: Fault, folder: Path, run_check: RunCheck) -> Told:
    """Stands it up, and asks."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stand = Stand(folder, stack)
        fault.stand(stand)
        environment = environment_for(folder, stand.environment)
        words = ["check", *stand.words, "--json", "--token-store", "file"]
        before = stand.asked
        began = time.monotonic()
        status, out, err = run_check(words, environment)
        seconds = time.monotonic() - began
        asked = 0 if "--login" in words else stand.asked - before
    assert out, err
    return Told(json.loads(out), out + err, status, seconds, asked)


def says(text: str, phrase: str) -> bool:
    """Whether all parts of the phrase are in it."""
    return all(part.lower() in text.lower() for part in phrase.split("|"))


def has_secrets(told: Told) -> bool:
    """Whether anything was said that nobody is to read."""
    return any(one in told.text for one in (SECRET, SECRET_KEY)) or RUN.are_in(told.text.encode())


# What is stood up -------------------------------------------------------------------------


def always(behaviour: Callable[[Exchange], None], *methods: str) -> Callable[[Stand], None]:
    """A server that does this."""

    def script(server: WildServer) -> None:
        for method in methods or ("initialize", "server/discover", "GET", "POST"):
            server.always(method, behaviour)

    return lambda stand: stand.server(script)


def always_with(header: str, behaviour: Callable[[Exchange], None]) -> Callable[[Stand], None]:
    """The same, and the entry has a header."""

    def stand_up(stand: Stand) -> None:
        always(behaviour)(stand)
        stand.words += ["--header", header]

    return stand_up


def only_below(server: WildServer) -> None:
    """Nothing but its own path is there."""
    good = server.behave

    def behave(exchange: Exchange) -> None:
        if exchange.path.partition("?")[0] in (server.path, "/messages"):
            good(exchange)
        else:
            exchange.reply(404, b"Not Found", content_type="text/plain")

    server.behave = behave  # type: ignore[method-assign]


def entry(command: str, *before: str) -> Callable[[Stand], None]:
    """A good server, and an entry that starts this for it."""

    def stand_up(stand: Stand) -> None:
        stand.server()
        stand.enter(command, *before)

    return stand_up


def dead_port(stand: Stand) -> None:
    """Nothing listens there any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stand.words.append(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp")


def mute(peer: socket.socket) -> None:
    """Takes what comes, and says nothing."""


def say(line: bytes) -> Callable[[socket.socket], None]:
    """Answers whatever comes with this line of HTTP."""

    def answer(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(line + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.close()

    return answer


def through_proxy(answer: Callable[[socket.socket], None] | None) -> Callable[[Stand], None]:
    """The environment names a proxy: one that answers so, or one that is not there."""

    def stand_up(stand: Stand) -> None:
        if answer is None:
            dead_port(stand)
            proxy = stand.words.pop().removesuffix("/mcp")
        else:
            proxy = f"http://somebody:{SECRET}@127.0.0.1:{stand.listen(answer)}"
        stand.words.append("https://mcp.example.com/mcp")
        stand.environment["HTTPS_PROXY"] = proxy

    return stand_up


def plain_port(stand: Stand) -> None:
    """https:// for what speaks HTTP."""
    stand.words.append(f"https://127.0.0.1:{stand.listen(say(b'HTTP/1.1 400 Bad Request'))}/mcp")


def tls_port(stand: Stand) -> None:
    """http:// for what speaks TLS."""
    pem = make_pem(-9, 90)
    stand.https(pem, pem)
    stand.words[0] = stand.words[0].replace("https", "http")


def no_such_name(stand: Stand) -> None:
    """A name that can never be one (RFC 6761 §6.4)."""
    stand.words.append("https://mcp.invalid/mcp")


def certificate(
    begins: int, ends: int, name: str = "localhost", *, known: bool = True
) -> Callable[[Stand], None]:
    """Https with such a certificate."""

    def stand_up(stand: Stand) -> None:
        pem = make_pem(begins, ends, name)
        stand.https(pem, pem if known else "")

    return stand_up


def client_certificate(stand: Stand) -> None:
    """The server wants one, too (TLS 1.3: it says so behind the handshake)."""
    pem = make_pem(-9, 90)
    stand.https(pem, pem, wants_one=True)


def missing_intermediate(stand: Stand) -> None:
    """The server does not send the certificate between its own and the authority."""
    root = sign("Some Authority", is_authority=True)
    issuing = sign("Issuing", by=root, is_authority=True)
    leaf, key = sign("Leaf", by=issuing)
    stand.https(to_pem(leaf, key=key), to_pem(root[0]))


def socks_proxy(stand: Stand) -> None:
    """The environment names a proxy of a kind that is not spoken."""
    stand.words.append("https://mcp.example.com/mcp")
    stand.environment["ALL_PROXY"] = "socks5://127.0.0.1:1080"


def header_command(stand: Stand) -> None:
    """The command that prints the header waits for somebody."""
    stand.server()
    stand.words += ["--header-command", "sleep 60"]


def private_sign_in(stand: Stand) -> None:
    """A document of the server points into the machine's own network."""
    changes = {"authorization_servers": ["http://169.254.169.254/latest"]}
    stand.sign_in(resource_metadata_changes=changes)


def sign_in(**policy: Any) -> Callable[[Stand], object]:
    """A server that signs people in so; nobody is."""
    return lambda stand: stand.sign_in(**policy)


def refused_everywhere(server: WildServer) -> None:
    """Each path wants a credential, also those of a sign-in."""
    for method in ("initialize", "server/discover", "GET", "POST"):
        server.always(method, answer_status(401, b"who are you"))


def denied(stand: Stand) -> None:
    """The person is asked in the browser, and says no."""
    stage = stand.sign_in(deny=True)
    stand.environment |= stage.environment()
    stand.words.append("--login")


def other_audience(stand: Stand) -> None:
    """Signed in, with a token that is for another server."""
    stage = stand.sign_in(token_format="jwt", audience="https://other.example/mcp")
    stage.run("login", stage.server.url, "--token-store", "file")


def ended_sign_in(stand: Stand) -> None:
    """Signed in, until the server ended it."""
    stage = stand.sign_in(lifetime=1)
    stage.login()
    stage.server.end_sign_ins()
    let_token_expire(stage)


def skewed_clock(stand: Stand) -> None:
    """Signed in, and the server's clock is days ahead: each token has expired there."""
    stage = stand.sign_in(lifetime=DAY)
    stage.login()
    date = formatdate(time.time() + 3.5 * DAY, usegmt=True)
    refuse = answer_status(401, headers=INVALID_TOKEN | {"Date": date})
    for method in ("initialize", "server/discover", "GET", "POST"):
        stage.server.always(method, refuse)


def wrong_key(stand: Stand) -> None:
    """Signed with a key that is not the one the server knows."""
    server = stand.stack.enter_context(SignedServer())
    stand.words += [server.url, "--aws-sigv4", "--aws-service", "lambda"]
    stand.words += ["--aws-region", "eu-west-1"]
    stand.environment |= {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY[::-1]}


def offers_nothing(exchange: Exchange) -> None:
    """A server that offers nothing at all."""
    exchange.result(
        {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "serverInfo": {"name": "bare", "version": "1"},
        }
    )


LOGIN_FORM = (
    b"<!DOCTYPE html><html><head><title>Sign in - Corp</title></head><body>"
    b"<form><input name=user></form></body></html>"
)
INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
FORBIDDEN = b"<html>403 Forbidden</html>"

FAULTS: Mapping[str, Fault] = {
    # The entry of the host, asked by its name
    "program": Fault(
        "the program that the entry names is not there",
        entry("/nope/uvx", "mcp-remote-py"),
        "entry",
        "Cursor cannot start this: /nope/uvx does not exist.",
        "The server itself works. Write the entry again.",
    ),
    "package": Fault(
        "the entry has npx where uvx belongs",
        entry("npx", "-y", "mcp-remote-py"),
        "entry",
        "npx fetches from npm, and mcp-remote-py is on PyPI.",
        "Write the entry again.",
    ),
    "line": Fault(
        "the entry has the whole line as its command",
        entry("uvx mcp-remote-py URL"),
        "entry",
        '"command" holds the whole line. Only uvx belongs there, and the rest into "args".',
        "Write the entry again.",
    ),
    # The way to the server
    "port": Fault(
        "nothing listens at the port",
        dead_port,
        "connection",
        "Connection refused",
        "check the port of the URL",
    ),
    "name": Fault(
        "the host of the URL does not exist",
        no_such_name,
        "name",
        "The name mcp.invalid does not exist",
        "Check the host of the URL",
    ),
    "silence": Fault(
        "something takes the connection and never says a word",
        lambda stand: stand.words.append(f"http://127.0.0.1:{stand.listen(mute)}/mcp"),
        "transport",
        "did not answer",
        "Try again",
    ),
    "tls silence": Fault(
        "the same behind https",
        lambda stand: stand.words.append(f"https://127.0.0.1:{stand.listen(mute)}/mcp"),
        "certificate",
        "took too long",
        "",
    ),
    "dead proxy": Fault(
        "the proxy of the environment is not there",
        through_proxy(None),
        "proxy",
        "(from HTTPS_PROXY) cannot be reached: Connection refused.",
        "",
    ),
    "proxy password": Fault(
        "the proxy does not take the password",
        through_proxy(say(b"HTTP/1.1 407 Proxy Authentication Required")),
        "proxy",
        "It does not take the name and the password|(from HTTPS_PROXY)",
        "",
    ),
    "proxy policy": Fault(
        "the proxy's policy forbids the server",
        through_proxy(say(b"HTTP/1.1 403 Forbidden")),
        "proxy",
        "Its policy forbids",
        "",
    ),
    "socks": Fault(
        "the environment names a SOCKS proxy",
        socks_proxy,
        "proxy",
        "SOCKS|ALL_PROXY",
        "",
    ),
    "expired": Fault(
        "the certificate has ended",
        certificate(-90, -2),
        "certificate",
        "your clock says",
        "Check this machine's clock",
    ),
    "clock": Fault(
        "this machine's clock is behind: the certificate has not begun",
        certificate(2, 90),
        "certificate",
        "your clock says",
        "Check this machine's clock",
    ),
    "other name": Fault(
        "the certificate is for another name",
        certificate(-9, 90, "other.example"),
        "certificate",
        "It is for other.example.",
        "It is for another name",
    ),
    "authority": Fault(
        "a company's proxy puts its own certificate in",
        certificate(-9, 90, known=False),
        "certificate",
        "not trusted",
        "--ca-cert",
    ),
    "intermediate": Fault(
        "the server does not send the whole chain",
        missing_intermediate,
        "certificate",
        "does not send|Issuing",
        "",
    ),
    "client certificate": Fault(
        "the server wants a client certificate",
        client_certificate,
        "certificate",
        "It wants a client certificate",
        "Give yours with --client-cert and --client-key",
    ),
    "plain port": Fault(
        "https:// is written for a port that speaks http",
        plain_port,
        "certificate",
        "What answers there does not speak TLS.",
        "http://",
    ),
    "tls port": Fault(
        "http:// is written for a port that speaks https",
        tls_port,
        "certificate",
        "",
        "Write https:// in the URL.",
    ),
    # What answers there
    "header": Fault(
        "the token in the header is wrong",
        always_with(f"Authorization: Bearer {SECRET}", answer_status(401, headers=INVALID_TOKEN)),
        "challenge",
        "refuses your header Authorization (HTTP 401)",
        "Check its value",
    ),
    "other header": Fault(
        "the key is in a header that the server does not read",
        always_with(f"X-Api-Key: {SECRET}", answer_status(401, b"no")),
        "challenge",
        "wants a credential|although you give the header X-Api-Key",
        "check its value|--header",
    ),
    "command": Fault(
        "the command that prints the header does not end",
        header_command,
        "given",
        "sleep",
        "",
    ),
    "basic": Fault(
        "the server wants a user name and a password",
        always(answer_status(401, headers={"WWW-Authenticate": 'Basic realm="x"'})),
        "challenge",
        "scheme basic",
        'Authorization: Basic ..."',
    ),
    "sign-in page": Fault(
        "a company's sign-in page stands before the server",
        always(answer_status(200, LOGIN_FORM, content_type="text/html")),
        "transport",
        "A sign-in page for people stands before the server (HTTP 200",
        "--header",
    ),
    "hotel": Fault(
        "the network of a hotel wants a sign-in",
        always(answer_status(511, b"<html>hotel</html>", content_type="text/html")),
        "transport",
        "The network wants a sign-in before it lets anybody through",
        "Open any page in the browser",
    ),
    "web page": Fault(
        "the address is that of a web page",
        always(answer_html()),
        "transport",
        "answered with text/html instead of JSON",
        "not of a web page",
    ),
    "other JSON": Fault(
        "the address is that of another service, which answers with JSON",
        always(answer_status(200, b'{"status": "up"}')),
        "transport",
        "is not a JSON-RPC message|It begins with",
        "Check that the URL is that of an MCP server",
    ),
    "nested": Fault(
        "the answer is JSON that is nested without end",
        always(answer_status(200, b"[" * 5000 + b"]" * 5000)),
        "transport",
        "is not a JSON-RPC message|It begins with",
        "Check that the URL is that of an MCP server",
    ),
    "path": Fault(
        "the address lacks /mcp",
        lambda stand: stand.server(only_below, "/api"),
        "transport",
        "No MCP server answers at this address (HTTP 404",
        "An MCP server answers at|/mcp: use that address",
    ),
    "sse path": Fault(
        "the address lacks /sse",
        lambda stand: stand.server(only_below, "/", path="/sse", legacy=True),
        "transport",
        "No MCP server answers at this address (HTTP 404",
        "An MCP server answers at|/sse: use that address",
    ),
    "firewall": Fault(
        "a firewall forbids it",
        always(answer_status(403, FORBIDDEN, content_type="text/html")),
        "transport",
        "The server forbids this request (HTTP 403",
        "a firewall before the server may have sent it",
    ),
    "gateway": Fault(
        "the server behind a gateway is down",
        always(answer_status(502, b"Bad Gateway")),
        "transport",
        'The server is not ready (HTTP 502|"Bad Gateway"',
        "Try again later",
    ),
    "too often": Fault(
        "the server is asked too often",
        always(answer_status(429, headers={"Retry-After": "30"})),
        "transport",
        "The server is asked too often (HTTP 429",
        "Try again in 30 seconds",
    ),
    "moved": Fault(
        "the server has moved to another host",
        always(redirect(307, "https://other.example/mcp")),
        "transport",
        "redirects (HTTP 307) to another place, https://other.example/mcp",
        "put that URL into the config entry",
    ),
    "no answer": Fault(
        "the server takes the request and never answers",
        always(be_silent),
        "transport",
        "did not answer initialize within",
        "Try again",
    ),
    "no end": Fault(
        "the server begins its answer and never ends it",
        always(body_without_end, "initialize", "server/discover"),
        "transport",
        "begins its answer to initialize (HTTP 200), and does not end it within",
        "Try again",
    ),
    "no list": Fault(
        "the list of tools fails",
        always(lambda exchange: exchange.error(-32603, "no database"), "tools/list"),
        "host-view",
        'cannot list the tools|"no database"',
        "",
    ),
    "no tools": Fault(
        "the server does not offer anything",
        always(offers_nothing, "initialize", "server/discover"),
        "host-view",
        "does not offer any tools",
        "",
    ),
    "signature": Fault(
        "the secret key for AWS is wrong",
        wrong_key,
        "transport",
        "AWS",
        "",
    ),
    # Signing in
    "nobody": Fault(
        "nobody has signed in",
        sign_in(),
        "stored-sign-in",
        "Nobody is signed in",
        "",
        status=3,
    ),
    "ended": Fault(
        "the sign-in has ended",
        ended_sign_in,
        "token",
        "The sign-in has ended: the sign-in server does not renew it",
        "",
        status=3,
    ),
    "skew": Fault(
        "the clocks of server and machine are apart, so that tokens are refused",
        skewed_clock,
        "server-clock",
        "clock is 3 days behind the server's|token expired 2 days ago",
        "Set this machine's clock",
        status=3,
    ),
    "audience": Fault(
        "the token is for another server",
        other_audience,
        "token",
        "is for https://other.example/mcp (aud), the resource is",
        "Signing in again would not help by itself|Try --resource or --scope",
        status=3,
    ),
    "denied": Fault(
        "the person says no in the browser (`--login`)",
        denied,
        "sign-in",
        "The person said no.",
        "",
        status=3,
    ),
    "no sign-in": Fault(
        "every path wants a credential, and no sign-in is named",
        lambda stand: stand.server(refused_everywhere),
        "resource-metadata",
        "wants a credential and does not name a sign-in",
        "--header",
    ),
    "private": Fault(
        "the server names a sign-in server of the machine's own network",
        private_sign_in,
        "resource-metadata",
        "169.254.169.254",
        "",
    ),
    "issuer": Fault(
        "the metadata is that of another issuer",
        sign_in(metadata_changes={"issuer": "https://other.example"}),
        "authorization-server",
        'names another issuer, "https://other.example"',
        "--trusted-issuer https://other.example",
    ),
    "resource": Fault(
        "the resource metadata is that of another server",
        sign_in(resource="https://other.example/mcp"),
        "resource-metadata",
        'resource metadata is for "https://other.example/mcp", which is not',
        "--resource",
    ),
    "no metadata": Fault(
        "the sign-in server does not publish metadata",
        sign_in(metadata="none"),
        "authorization-server",
        "does not publish metadata (HTTP 404",
        "Tell whoever runs the server",
    ),
    "registration": Fault(
        "clients cannot register themselves",
        sign_in(registration=False),
        "registration",
        "does not let clients register themselves",
        "--static-oauth-client-info",
    ),
    "no PKCE": Fault(
        "PKCE is not listed",
        sign_in(metadata_changes={"code_challenge_methods_supported": None}),
        "authorization-server",
        "does not list PKCE",
        "--trusted-issuer",
    ),
    "plain PKCE": Fault(
        "PKCE is only offered in clear",
        sign_in(metadata_changes={"code_challenge_methods_supported": ["plain"]}),
        "authorization-server",
        "does not support PKCE with S256",
        "Tell whoever runs the authorization server",
    ),
    "in clear": Fault(
        "tokens would go over plain http",
        sign_in(metadata_changes={"token_endpoint": "http://other.example/token"}),
        "authorization-server",
        "must not be used: plain http to another machine",
        "Tell whoever runs the server",
    ),
}
"""By a name for the record: what is wrong, in the order in which a check meets it."""
