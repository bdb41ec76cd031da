"""For each entry of docs/servers.md: a server of that kind, and what is seen when it is started.

Beside it, what goes wrong in the ways the document tells of, which says the sentences that it
quotes. A scene returns what stands for the addresses and folders of the document. Must not read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.harness.host import Host, Json
from tests.options.desk import Desk, Seen, shake_hands, talk
from tests.options.scenes import TOOLS
from tests.peers.authorization_server import AuthorizationServer, Client, Policy, form_of
from tests.peers.launch import free_port
from tests.peers.wild_server import Exchange, WildServer, encode
from tests.signin.test_commands import DeviceServer
from tests.transports.peers import ForwardProxy, TlsServer

Places = Mapping[str, str]
Scene = Callable[[Desk], Places]
See = Callable[[Seen], bool]

SERVER, ISSUER = "https://mcp.example.com", "https://auth.example.com"
FOLDER = "/home/you"
PORT = "3334"
"""Of the redirect URI; another one stands for it, because two runs share this machine."""
CLIENT_ID, SECRET = "your-client-id", "paste-your-secret-here"
TOKEN = "Bearer paste-your-token-here"


@dataclass(frozen=True)
class Play:
    """One start of an entry.

    Attributes:
        entry: its name in the document.
        scene: what it meets.
        see: what must be seen.
        without: words of its arguments, one after the other, that are left out.
        unset: a variable of its `env` that is left out.
        erased: a piece of its arguments that is left out.
    """

    entry: str
    scene: Scene
    see: See
    without: tuple[str, ...] = ()
    unset: str = ""
    erased: str = ""

    @property
    def name(self) -> str:
        """For the test."""
        changes = [*self.without[:1], *filter(None, (self.unset, self.erased))]
        return "-".join((self.entry, self.scene.__name__, *changes))


def works(seen: Seen) -> bool:
    """The host has tools, and every request was answered by a result."""
    return bool(seen.tools()) and all("result" in answer for answer in seen.answers)


def works_with(header: str, value: str) -> See:
    """The same, and every message had this header."""
    return lambda seen: works(seen) and set(seen.headers(header)) == {value}


def works_after_a_tab(seen: Seen) -> bool:
    """The same, after one tab."""
    return works(seen) and len(seen.opened) == 1


def fails(seen: Seen) -> bool:
    """The host is answered by an error; no more than one tab was opened."""
    return "error" in seen.answers[0] and len(seen.opened) <= 1


def begin(desk: Desk, server: WildServer, **more: str) -> Places:
    """The server is there; what stands for what."""
    server.tools = TOOLS
    desk.serve(server)
    desk.url = ""
    desk.talk = talk
    issuer = getattr(server, "issuer", ISSUER)
    return {SERVER: server.origin, ISSUER: issuer, FOLDER: str(desk.folder), **more}


# Servers without a sign-in


def open_server(desk: Desk) -> Places:
    return begin(desk, WildServer())


def older_server(desk: Desk) -> Places:
    return begin(desk, WildServer(legacy=True, path="/sse"))


def refusing(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> WildServer:
    """It gives this answer to all."""
    server = WildServer()
    for method in ("initialize", "GET"):
        server.always(
            method,
            lambda exchange: exchange.reply(
                status, body, content_type="text/plain", headers=headers
            ),
        )
    return server


def at_another_path(desk: Desk) -> Places:
    places = begin(desk, refusing(404, b"Not Found"))
    desk.talk = shake_hands
    return places


def away(desk: Desk) -> Places:
    server = WildServer()
    places = begin(desk, server)
    server.kill()
    desk.talk = shake_hands
    return places


def refuses_the_token(desk: Desk) -> Places:
    places = begin(desk, refusing(401, b"invalid"))
    desk.talk = shake_hands
    return places


def with_files(desk: Desk) -> Places:
    """The file and the command of the entries are there."""
    (desk.folder / "mcp-headers").write_text(f"Authorization: {TOKEN}\n")
    command = desk.folder / "print-header"
    command.write_text(f"#!/bin/sh\necho 'Authorization: {TOKEN}'\n")
    command.chmod(0o700)
    return open_server(desk)


def with_a_failing_command(desk: Desk) -> Places:
    command = desk.folder / "print-header"
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o700)
    return begin_first(desk)


def begin_first(desk: Desk) -> Places:
    """The server, of which only the first answer counts."""
    places = open_server(desk)
    desk.talk = shake_hands
    return places


def behind_access(desk: Desk) -> Places:
    """Cloudflare Access stands before it: it sends to its page who has no service token."""
    server = WildServer()

    def look(exchange: Exchange) -> None:
        if exchange.headers.get("cf-access-client-secret") == "paste-the-client-secret-here":
            exchange.good()
            return
        login = "https://team.cloudflareaccess.com/cdn-cgi/access/login/mcp.example.com"
        exchange.reply(302, headers={"Location": login})

    for method in ("initialize", "GET"):
        server.always(method, look)
    return begin(desk, server)


def through_a_proxy(desk: Desk) -> Places:
    """The server has a certificate of the company; the only way to it is the proxy."""
    authority = desk.authority()
    server = TlsServer(authority.issue("server", "mcp.example.com"))
    (desk.folder / "company.pem").write_bytes(authority.path.read_bytes())

    class Proxy(ForwardProxy):
        def _connect(self, authority: str):  # type: ignore[no-untyped-def]
            return super()._connect(f"127.0.0.1:{server.port}")

    proxy = desk.stack.enter_context(Proxy())
    places = begin(desk, server)
    return {**places, SERVER: SERVER, "http://proxy.example.com:8080": f"http://{proxy.authority}"}


def in_a_local_network(desk: Desk) -> Places:
    server = WildServer(host="0.0.0.0")
    return {**begin(desk, server), "http://server.lan:8080": server.origin, "server.lan": "0.0.0.0"}


def with_dangerous_tools(desk: Desk) -> Places:
    server = WildServer()
    places = begin(desk, server)
    names = ("search_mail", "search_and_delete", "delete_all")
    server.tools = [{"name": name, "inputSchema": {"type": "object"}} for name in names]

    def call(host: Host) -> Iterator[Json]:
        yield from shake_hands(host)
        host.notify("notifications/initialized")
        yield host.request("tools/list")
        yield host.request("tools/call", {"name": "delete_all", "arguments": {}})

    desk.talk = call
    return places


# Sign-ins


def issuer(**policy: object) -> AuthorizationServer:
    """Another origin than the MCP server."""
    return AuthorizationServer(Policy(issuer_host="localhost", **policy))  # type: ignore[arg-type]


def signs_in(desk: Desk) -> Places:
    return begin(desk, issuer())


def person_says_no(desk: Desk) -> Places:
    places = begin(desk, issuer(consent=True))
    desk.browser.become("deny")
    desk.talk = shake_hands
    return places


def refuses_its_own_token(desk: Desk) -> Places:
    places = begin(desk, issuer(refuse_all_tokens=True))
    desk.talk = shake_hands
    return places


def begin_with_a_client(desk: Desk, secret: str, port: int) -> Places:
    """It lets nobody register, and knows one client."""
    server = issuer(registration=False)
    method = "client_secret_post" if secret else "none"
    redirect_uri = f"http://localhost:{port}/oauth/callback"
    server.clients[CLIENT_ID] = Client(CLIENT_ID, secret, method, (redirect_uri,))
    return {**begin(desk, server), PORT: str(port)}


def knows_a_client(desk: Desk) -> Places:
    return begin_with_a_client(desk, "", free_port())


def knows_a_client_with_a_secret(desk: Desk) -> Places:
    return begin_with_a_client(desk, SECRET, free_port())


def lets_nobody_register(desk: Desk) -> Places:
    places = knows_a_client(desk)
    desk.talk = shake_hands
    return places


def has_another_program_at_the_port(desk: Desk) -> Places:
    places = begin_with_a_client(desk, "", desk.listen().port)
    desk.talk = shake_hands
    return places


def without_a_person(secret: str) -> Scene:
    """It gives tokens to a client with this secret."""

    def serve(desk: Desk) -> Places:
        changes = {"grant_types_supported": ["client_credentials"]}
        server = issuer(metadata_changes=changes)
        token = server.make_secret("agent")

        def give(exchange: Exchange) -> None:
            if form_of(exchange).get("client_secret") != secret:
                exchange.reply(401, encode({"error": "invalid_client"}))
                return
            exchange.reply(
                200, encode({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
            )

        def look(exchange: Exchange) -> None:
            if exchange.headers.get("authorization") == f"Bearer {token}":
                WildServer.behave(server, exchange)
            else:
                exchange.good()

        server.always("token", give)
        for method in ("initialize", "tools/list", "tools/call", "ping"):
            server.always(method, look)
        server.always("notifications/initialized", lambda exchange: exchange.reply(202))
        places = begin(desk, server)
        desk.talk = talk if secret == SECRET else shake_hands
        return places

    serve.__name__ = "for_a_job" if secret == SECRET else "with_another_secret"
    return serve


def by_code(desk: Desk) -> Places:
    server = DeviceServer(Policy())
    path = server.endpoint_of("device_authorization")
    server.policy.metadata_changes = {"device_authorization_endpoint": path}
    return begin(desk, server)


def not_by_code(desk: Desk) -> Places:
    places = begin(desk, issuer())
    desk.talk = shake_hands
    return places


def has_profile(name: str) -> See:
    """It worked after one tab, and the account is kept under this name."""
    return lambda seen: (
        works_after_a_tab(seen) and [one.get("profile") for one in seen.records()] == [name]
    )


def opens_with(**expected: str) -> See:
    """It worked after one tab with these parameters."""
    return lambda seen: works_after_a_tab(seen) and expected.items() <= seen.authorization().items()


PLAYS = (
    Play("open", open_server, works),
    Play("open", at_another_path, fails),
    Play("open", away, fails),
    Play("token", open_server, works_with("authorization", TOKEN)),
    Play("token", refuses_the_token, fails),
    Play("token", begin_first, fails, unset="AUTH"),
    Play("token-in-a-file", with_files, works_with("authorization", TOKEN)),
    Play("token-in-a-file", begin_first, fails),
    Play("token-by-a-command", with_files, works_with("authorization", TOKEN)),
    Play("token-by-a-command", with_a_failing_command, fails),
    Play("sign-in", signs_in, works_after_a_tab),
    Play("sign-in", person_says_no, fails),
    Play("sign-in", refuses_its_own_token, fails),
    Play("own-client", knows_a_client, opens_with(client_id=CLIENT_ID)),
    Play("own-client", has_another_program_at_the_port, fails),
    Play(
        "own-client",
        lets_nobody_register,
        fails,
        without=("--static-oauth-client-info", json.dumps({"client_id": CLIENT_ID})),
    ),
    Play("own-client-with-a-secret", knows_a_client_with_a_secret, opens_with(client_id=CLIENT_ID)),
    Play(
        "own-client-with-a-secret",
        lets_nobody_register,
        fails,
        erased=f', "issuer": "{ISSUER}"',
    ),
    Play("build-server", without_a_person(SECRET), works),
    Play("build-server", without_a_person("another"), fails),
    Play("by-code", by_code, works),
    Play("by-code", not_by_code, fails),
    Play(
        "behind-access",
        behind_access,
        works_with("cf-access-client-id", "paste-the-client-id.access"),
    ),
    Play(
        "behind-access",
        behind_access,
        fails,
        without=("--header", "CF-Access-Client-Secret:${ACCESS_SECRET}"),
    ),
    Play("through-a-proxy", through_a_proxy, works),
    Play("through-a-proxy", through_a_proxy, fails, without=("--ca-cert", f"{FOLDER}/company.pem")),
    Play("in-my-network", in_a_local_network, works),
    Play("in-my-network", in_a_local_network, fails, without=("--allow-http",)),
    Play("older", older_server, works),
    Play("work", signs_in, has_profile("work")),
    Play("private", signs_in, has_profile("private")),
    Play("few-tools", with_dangerous_tools, lambda seen: seen.tools() == ["search_mail"]),
)
