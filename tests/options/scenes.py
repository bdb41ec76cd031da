"""What a command meets when an option is tried out. Must not know any option."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mcp_remote_py.oauth.budget import SignInBudget
from tests.harness.host import Host, Json
from tests.options.desk import Desk, shake_hands, talk
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import Exchange, WildServer, be_silent, encode
from tests.signin.test_commands import DeviceServer
from tests.transports.peers import ForwardProxy

Scene = Callable[[Desk], None]

IMPATIENT = 2.5
"""Seconds after which a command that should have given up long before counts as waiting."""

TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": harmless}}
    for name, harmless in (
        ("keep", True),
        ("unnamed", True),
        ("keep-hidden", True),
        ("keep-writing", False),
    )
]


def open_server(desk: Desk) -> None:
    """It wants no sign-in, sets a cookie and answers everything."""

    def begin(exchange: Exchange) -> None:
        exchange.reply(200, result_of(exchange), headers={"Set-Cookie": "a=b; Path=/"})

    server = WildServer()
    server.tools = TOOLS
    server.always("initialize", begin)
    desk.serve(server)
    desk.talk = talk


def in_pages(desk: Desk) -> None:
    """Its last tool is on a page of its own."""
    open_server(desk)
    assert desk.server is not None

    def give_page(exchange: Exchange) -> None:
        is_last = "cursor" in exchange.params
        exchange.result(
            {"tools": [{"name": "last"}]} if is_last else {"tools": TOOLS, "nextCursor": "2"}
        )

    desk.server.always("tools/list", give_page)


def quiet(desk: Desk) -> None:
    """The host has nothing to say, for a moment."""
    open_server(desk)

    def pause(host: Host) -> Iterator[Json]:
        yield from shake_hands(host)
        host.notify("notifications/initialized")
        assert desk.server is not None
        with contextlib.suppress(AssertionError):
            desk.server.wait_for("ping", seconds=1)

    desk.talk = pause


def result_of(exchange: Exchange) -> bytes:
    """An answer to `initialize`."""
    result: Json = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "desk", "version": "1"},
    }
    return encode({"jsonrpc": "2.0", "id": exchange.id, "result": result})


def plain_server(desk: Desk) -> None:
    """Not on this machine as far as its name tells, and without TLS."""
    desk.serve(WildServer(host="0.0.0.0"))


def refuses(desk: Desk) -> None:
    """It says what is wrong, which ends up on stderr."""
    server = WildServer()
    for method in ("initialize", "GET"):
        server.always(method, lambda exchange: exchange.reply(410, b"gone"))
    desk.serve(server)


def nobody(desk: Desk) -> None:
    """No server is named."""


def on_ipv6(desk: Desk) -> None:
    """There is a server at an IPv6 address alone, and it is silent."""
    desk.url = f"{desk.listen('::1').origin}/mcp"
    desk.seconds = IMPATIENT


def tls(desk: Desk) -> None:
    """Its certificate is of an authority that nobody knows; it asks for a client's."""
    desk.serve_tls(desk.authority())


# Silence, in each part of a request


def stop_in_the_body(exchange: Exchange) -> None:
    """The rest never comes."""
    exchange.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"
    )
    exchange.hold()


def silent_before_tls(desk: Desk) -> None:
    """It takes connections, and TLS never begins."""
    listener = desk.listen()
    desk.url = f"https://127.0.0.1:{listener.port}/mcp"
    desk.seconds = IMPATIENT


def silent(desk: Desk) -> None:
    """It takes requests and does not answer."""
    server = WildServer()
    server.always("initialize", be_silent)
    desk.serve(server)
    desk.seconds = IMPATIENT


def silent_amid(desk: Desk) -> None:
    """It begins an answer."""
    server = WildServer()
    server.always("initialize", stop_in_the_body)
    desk.serve(server)
    desk.seconds = IMPATIENT


# Sign-ins


def signing_in(desk: Desk) -> None:
    """Server, authorization server and person do all that is asked."""
    desk.serve(AuthorizationServer(Policy(bind_resource=False)))


def documents(desk: Desk) -> None:
    """It takes clients by their documents."""
    changes = {"client_id_metadata_document_supported": True}
    desk.serve(AuthorizationServer(Policy(metadata_changes=changes)))
    desk.seconds = IMPATIENT


def silent_on_pkce(desk: Desk) -> None:
    """Its metadata do not tell of PKCE."""
    changes = {"code_challenge_methods_supported": None}
    desk.serve(AuthorizationServer(Policy(metadata_changes=changes)))


def by_code(desk: Desk) -> None:
    """It signs in by a code on another device, too."""
    server = DeviceServer()
    path = server.endpoint_of("device_authorization")
    server.policy.metadata_changes = {"device_authorization_endpoint": path}
    desk.serve(server)


def absent_person(desk: Desk) -> None:
    """Nobody does anything in the browser."""
    desk.browser.become("record")
    desk.serve(AuthorizationServer())
    desk.seconds = IMPATIENT


def silent_on_everything(desk: Desk) -> None:
    """It wants a token, and publishes nothing of where they are given."""
    desk.browser.become("record")
    desk.serve(AuthorizationServer(Policy(resource_metadata="none", metadata="none")))
    desk.seconds = IMPATIENT


def for_agents(desk: Desk) -> None:
    """Its token endpoint gives a token to everybody, whatever they show."""
    changes = {"grant_types_supported": None, "token_endpoint_auth_methods_supported": None}
    server = AuthorizationServer(Policy(metadata_changes=changes))
    tokens = {"access_token": "agent-token", "token_type": "Bearer", "expires_in": 3600}
    id_jag = {
        "access_token": "id-jag",
        "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        "token_type": "N_A",
    }

    def give(exchange: Exchange) -> None:
        is_idp = urlsplit(exchange.path).path == "/idp/token"
        exchange.reply(200, encode(id_jag if is_idp else tokens))

    server.always("token", give)
    server.always("", give)  # at a path of no server: what the person names
    desk.serve(server)
    desk.seconds = IMPATIENT


def elsewhere(desk: Desk) -> None:
    """The server is on the internet behind a proxy; its authorization server is on this machine."""
    server = AuthorizationServer()

    class Proxy(ForwardProxy):
        def _connect(self, authority: str):  # type: ignore[no-untyped-def]
            return super()._connect(f"127.0.0.1:{server.port}")

    proxy = desk.stack.enter_context(Proxy())
    desk.serve(server, "http://mcp.example.invalid/mcp")
    server.policy.resource = desk.url
    desk.environment["HTTP_PROXY"] = f"http://{proxy.authority}"


# Silence while somebody signs in, or a token is renewed or revoked


def silent_registration(desk: Desk) -> None:
    """The server answers; where clients are registered nobody does."""
    signing_in(desk)
    assert desk.server is not None
    desk.server.always("register", be_silent)
    desk.seconds = IMPATIENT


def silent_amid_registration(desk: Desk) -> None:
    """There an answer begins."""
    signing_in(desk)
    assert desk.server is not None
    desk.server.always("register", stop_in_the_body)
    desk.seconds = IMPATIENT


def unreachable_registration(desk: Desk) -> None:
    """That is where TLS never begins."""
    url = f"https://127.0.0.1:{desk.listen().port}/register"
    desk.serve(AuthorizationServer(Policy(metadata_changes={"registration_endpoint": url})))
    desk.seconds = IMPATIENT


def registration_on_ipv6(desk: Desk) -> None:
    """That is an IPv6 address."""
    url = f"{desk.listen('::1').origin}/register"
    desk.serve(AuthorizationServer(Policy(metadata_changes={"registration_endpoint": url})))
    desk.seconds = IMPATIENT


def kept(desk: Desk, origin: str = "", *, lifetime: float = 3600) -> AuthorizationServer:
    """Somebody has signed in before."""
    server = AuthorizationServer()
    desk.serve(server)
    desk.sign_in(origin or server.origin, lifetime)
    # Renewals have failed for so long that no request waits for the next one.
    desk.remember(budget=SignInBudget(renewal_failures=8))
    return server


def silent_token_endpoint(desk: Desk) -> None:
    """The token is out of date, and who renews it does not answer."""
    kept(desk, lifetime=-60).always("token", be_silent)
    desk.seconds = IMPATIENT


def silent_amid_tokens(desk: Desk) -> None:
    """There an answer begins."""
    kept(desk, lifetime=-60).always("token", stop_in_the_body)
    desk.seconds = IMPATIENT


def unreachable_token_endpoint(desk: Desk) -> None:
    """That is where TLS never begins."""
    kept(desk, f"https://127.0.0.1:{desk.listen().port}", lifetime=-60)
    desk.seconds = IMPATIENT


def tokens_on_ipv6(desk: Desk) -> None:
    """That is an IPv6 address."""
    kept(desk, desk.listen("::1").origin, lifetime=-60)
    desk.seconds = IMPATIENT


def silent_revocation(desk: Desk) -> None:
    """The server does not answer who signs out."""
    kept(desk).always("revoke", be_silent)
    desk.seconds = IMPATIENT


def silent_amid_revocation(desk: Desk) -> None:
    """There an answer begins."""
    kept(desk).always("revoke", stop_in_the_body)
    desk.seconds = IMPATIENT


def unreachable_revocation(desk: Desk) -> None:
    """That is where TLS never begins."""
    kept(desk, f"https://127.0.0.1:{desk.listen().port}")
    desk.seconds = IMPATIENT


def revocation_on_ipv6(desk: Desk) -> None:
    """That is an IPv6 address."""
    kept(desk, desk.listen("::1").origin)
    desk.seconds = IMPATIENT


def revocation_by_tls(desk: Desk) -> None:
    """The server has its own, by a certificate of an authority that nobody knows."""
    server = desk.serve_tls(desk.authority())
    desk.sign_in(server.origin)


def revocation_elsewhere(desk: Desk) -> None:
    """As in `elsewhere`."""
    elsewhere(desk)
    assert desk.server is not None
    desk.sign_in(desk.server.origin)


def two_accounts(desk: Desk) -> None:
    """Two people, and two tenants of the first, are signed in."""
    desk.serve(WildServer())
    for resource, profile in (("", ""), ("", "work"), ("https://tenant.example/", "")):
        desk.remember(resource, profile)


def everywhere(desk: Desk) -> None:
    """The same, and no server is named."""
    two_accounts(desk)
    desk.url = ""


def carelessly_kept(desk: Desk) -> None:
    """The records were open to others, which is said."""
    two_accounts(desk)
    for record in desk.home.rglob("*.json"):
        record.chmod(0o644)


def first_words(desk: Desk) -> None:
    """Only the handshake counts."""
    open_server(desk)
    desk.talk = shake_hands


def is_private(path: Path) -> bool:
    """Whether others may not read it."""
    return not path.stat().st_mode & 0o077
