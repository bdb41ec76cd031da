"""The border: where names lead, where the server is, and what the person is told.

The rule itself is `test_reach`'s. Looks nothing up but in written lists; the only sockets are on
loopback.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcp_remote_py.errors import NotSent, SignInFailed
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.network import Tls
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import IdentityProvider, Unattended
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.signin.border import (
    LOOK_UP_TIMEOUT,
    Border,
    OutOfReach,
    find_peer,
    origins_of,
    parse_origin,
)
from mcp_remote_py.tls import build_tls_context
from tests.fakes import run
from tests.peers.launch import free_port
from tests.peers.wild_server import WildServer
from tests.transports.peers import Authority, TlsServer

PUBLIC, COMPANY, LINK, LOOPBACK = "198.41.0.4", "10.1.2.3", "169.254.169.254", "127.0.0.1"
OPTION = "--allow-private-network"
pytestmark = pytest.mark.report("S7")


class Place:
    """A border around a server that is at `address`, in a world of names."""

    def __init__(
        self, address: str = PUBLIC, server: str = "https://mcp.example.com/mcp", **options: bool
    ) -> None:
        self.address = address
        self.names: dict[str, list[str]] = {"mcp.example.com": [address]}
        self.looked_up: list[str] = []
        self.located = 0
        url = parse_server_url(server, allow_http=True)
        named = {"https://sso.company.example"}
        self.border = Border(url, named, self.locate, resolve=self.resolve, **options)

    async def locate(self) -> str:
        self.located += 1
        return self.address

    async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> Sequence[str]:
        self.looked_up.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.names[host]

    def choose(self, *addresses: str) -> list[str]:
        return run(self.border.choose("a.example", addresses))

    def check(self, url: str, what: str = "") -> None:
        run(self.border.check(url, what))


# What we connect to


def test_nobody_asks_where_the_server_is_while_all_is_on_the_internet() -> None:
    place = Place()
    assert place.choose("1.1.1.1", "2606:4700::1") == ["1.1.1.1", "2606:4700::1"]
    place.check("https://1.1.1.1/authorize")
    assert place.located == 0


def test_of_several_addresses_those_that_may_be_are_left() -> None:
    assert Place().choose("127.0.0.1", "1.1.1.1", "10.0.0.1", "fe80::1%eth0") == ["1.1.1.1"]
    assert Place(COMPANY).choose("127.0.0.1", "1.1.1.1", "10.0.0.1") == ["1.1.1.1", "10.0.0.1"]


@pytest.mark.parametrize("address", [LOOPBACK, "::1", COMPANY, LINK, "::ffff:10.0.0.1", "0.0.0.0"])
def test_what_may_not_be_reached_is_refused(address: str) -> None:
    with pytest.raises(OutOfReach) as refused:
        Place().choose(address)
    assert refused.value.place == address


# What a browser or a proxy connects to


@pytest.mark.parametrize(
    "host",
    [
        LOOPBACK, "localhost", "a.localhost", "localhost.", "[::1]", "127.1", "0x7f.1",
        "0177.0.0.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]", COMPANY, "[fd00::1]",
        "[64:ff9b::a00:1]", "intranet.example", "mixed.example", "nas.local", "x.internal",
    ],
)  # fmt: skip
def test_nobody_is_sent_inside_by_a_public_server(host: str) -> None:
    place = Place()
    place.names["intranet.example"] = [COMPANY]
    place.names["mixed.example"] = ["1.1.1.1", LOOPBACK]
    url = f"https://{host}:8443/authorize?state=canary"
    with pytest.raises(SignInFailed) as raised:
        place.check(url, "authorization_endpoint")
    text = raised.value.sentence()
    assert "The server's authorization_endpoint https://" in text
    assert "the MCP server mcp.example.com is on the internet" in text
    assert text.endswith(f"trust the server, add {OPTION}.")
    assert "canary" not in text
    with_option = Place(private_allowed=True)
    with_option.names.update(place.names)
    with_option.check(url)


@pytest.mark.parametrize("allowed", [False, True])
def test_link_is_closed_whatever_the_option(allowed: bool) -> None:
    for server in (PUBLIC, COMPANY, LOOPBACK):
        with pytest.raises(SignInFailed) as raised:
            Place(server, private_allowed=allowed).check(f"https://{LINK}/latest")
        assert OPTION not in raised.value.sentence()
        assert raised.value.hint.startswith("No option allows that address")
    Place("169.254.3.4").check(f"https://{LINK}/latest")


def test_whole_sentence() -> None:
    place = Place()
    place.names["intranet.example"] = [COMPANY]
    with pytest.raises(SignInFailed) as raised:
        place.check("https://intranet.example/device", "verification_uri")
    assert raised.value.sentence() == (
        "The server's verification_uri https://intranet.example/device leads to 10.1.2.3, in a "
        "private network, and the MCP server mcp.example.com is on the internet: a server must "
        "not lead into networks that it is not in. If you run that network and trust the server, "
        "add --allow-private-network."
    )


def test_name_that_leads_nowhere_here_may_lead_somewhere_there() -> None:
    place = Place()
    for _ in range(3):
        place.check("https://only-the-proxy-knows.example/")
    assert place.looked_up == ["only-the-proxy-knows.example"]


def test_look_up_that_hangs_is_bounded() -> None:
    class Hanging(Place):
        async def resolve(
            self, host: str, port: int, family: socket.AddressFamily
        ) -> Sequence[str]:
            raise TimeoutError

    assert LOOK_UP_TIMEOUT < 5
    Hanging().check("https://only-the-proxy-knows.example/")


def test_what_the_person_named_is_not_judged() -> None:
    place = Place()
    place.names["sso.company.example"] = [COMPANY]
    place.check("https://sso.company.example/authorize")
    assert place.border.is_named(parse_origin("https://SSO.company.example:443/token"))
    assert not place.border.is_named(parse_origin("https://sso.company.example:444/token"))


def test_origins_that_the_person_named() -> None:
    settings = SignInSettings(
        trusted_issuers=("https://a.example/tenant",),
        token_endpoint="https://b.example:443/token",
        unattended=Unattended(IdentityProvider("http://localhost:80/token", "c", "/run/id")),
    )
    named = ["https://a.example", "https://b.example", "http://localhost"]
    assert origins_of(settings) == named
    client = Secret('{"client_id": "c", "issuer": "https://c.example/tenant"}')
    assert origins_of(settings.replace(static_client=client)) == ["https://c.example", *named]
    page = SignInSettings(
        authorization_endpoint="https://d.example/page?x", token_endpoint="https://e.example/token"
    )
    assert origins_of(page) == ["https://e.example", "https://d.example"]
    assert origins_of(SignInSettings()) == []


# Where the server is


@pytest.mark.parametrize("server", ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]/"])
def test_server_on_this_machine_is_known_by_its_name(server: str) -> None:
    place = Place(server=server)
    place.check("http://localhost:3/authorize")
    place.check(f"https://{COMPANY}/authorize")
    assert place.located == 0


def test_server_behind_a_proxy_is_where_its_name_leads_but_never_on_this_machine() -> None:
    target = f"https://{COMPANY}/authorize"
    Place(COMPANY, proxied=True).check(target)
    for address in (PUBLIC, LOOPBACK, LINK):
        place = Place(address, proxied=True)
        with pytest.raises(SignInFailed, match="is on the internet"):
            place.check(target)
        assert place.located == 0
    unknown = Place(proxied=True)
    unknown.names.clear()
    with pytest.raises(SignInFailed, match="is on the internet"):
        unknown.check(target)


@pytest.mark.parametrize("name", ["mcp.company.internal", "mcp.corp", "mcp"])
def test_names_that_only_the_proxy_knows_are_of_its_network(name: str) -> None:
    """Of a company: its servers may name each other, and nobody on the internet may name them."""
    target = "https://sso.company.internal/authorize"
    inside = Place(server=f"https://{name}/mcp", proxied=True)
    inside.check(target)
    inside.check(f"https://{COMPANY}/authorize")
    assert inside.located == 0
    with pytest.raises(SignInFailed, match=f"{name}, in a private network"):
        Place(proxied=True).check(f"https://{name}/authorize")


def find(url: str, tls: Tls) -> str:
    def build_tls() -> ssl.SSLContext:
        return build_tls_context(tls)

    return run(find_peer(parse_server_url(url, allow_http=True), build_tls, ipv4=False))


def test_address_of_the_server_is_that_of_a_connection_it_has_proved(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with TlsServer(authority.issue("server")) as server, WildServer() as plain:
        assert find(server.url, Tls(ca_certs=(str(authority.path),))) == LOOPBACK
        assert find(plain.url, Tls()) == LOOPBACK
        with pytest.raises(NotSent, match="certificate") as raised:
            find(server.url, Tls())
        assert raised.value.hint
        assert not server.requests
        assert not plain.requests


def test_server_that_is_not_there_leaves_it_open() -> None:
    with pytest.raises(NotSent, match="depends on the network it is in"):
        find(f"http://127.0.0.1:{free_port()}/", Tls())
