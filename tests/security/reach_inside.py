"""A public MCP server that leads into networks it is not in: who there hears of it.

Played by the real command on a machine of its own (`tests.harness.island`), which `test_reach`
starts: there 198.41.0.4 is the server's address and 10.20.30.40 one of a company; beside loopback
this machine does not have another network. Must not know how the command is made.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import fake_browser
from tests.harness.host import Host, initialize_params, wait_until
from tests.harness.stage import Stage, call, let_token_expire, refusal
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import Exchange, WildServer, encode
from tests.transports.peers import ForwardProxy

PUBLIC, COMPANY, LINK, MACHINE = "198.41.0.4", "10.20.30.40", "169.254.169.254", "127.0.0.1"
OPTION = "--allow-private-network"

pytestmark = pytest.mark.timeout(120)


class Elsewhere(AuthorizationServer):
    """An MCP server at one address of this machine, whose authorization server is at another."""

    def __init__(self, policy: Policy, address: str) -> None:
        self.address = address
        super().__init__(policy, host="0.0.0.0")

    @property
    def origin(self) -> str:
        return f"http://{self.address}:{self.port}"

    def heard(self, host: str) -> list[str]:
        """What was asked of it under that name."""
        asked = f"{host}:{self.port}"
        return [f"{one.verb} {one.path}" for one in self.requests if one.headers["host"] == asked]


Play = Callable[..., Stage]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Sets a stage: where the MCP server and its authorization server are, and its policy."""
    with ExitStack() as stack:

        def play(server: str, issuer: str, **policy: Any) -> Stage:
            out_there = Elsewhere(Policy(issuer_host=issuer, **policy), server)
            browser = stack.enter_context(fake_browser(tmp_path / "browser", seconds=0.1))
            return Stage(stack.enter_context(out_there), browser, tmp_path / "home", stack)

        yield play


def heard(stage: Stage, host: str = MACHINE) -> list[str]:
    assert isinstance(stage.server, Elsewhere)
    return stage.server.heard(host)


def relay(stage: Stage, *options: str, **more: Any) -> Host:
    return stage.host("--allow-http", *options, **more)


def run(
    stage: Stage, command: str, *options: str, url: str = "", proxy: str = ""
) -> subprocess.CompletedProcess[str]:
    words = (command, url or stage.server.url, "--token-store", "file", *options)
    return stage.run(*words, environment={"ALL_PROXY": proxy})


# Who is where


@pytest.mark.parametrize("server", [PUBLIC, COMPANY])
def test_relay_is_not_led_to_this_machine(play: Play, server: str) -> None:
    stage = play(server, MACHINE)
    host = relay(stage)
    where = "the internet" if server == PUBLIC else "a private network"
    text = refusal(host, "leads to 127.0.0.1", "on this machine", where, OPTION)
    assert text.count(OPTION) == 1
    assert heard(stage) == []
    assert stage.browser.opened == []
    # A verdict: asking again asks nobody.
    before = len(stage.server.requests)
    refusal(host, OPTION)
    assert heard(stage) == []
    assert len(stage.server.requests) <= before + 8


@pytest.mark.parametrize("server", [PUBLIC, COMPANY])
def test_login_is_not_led_to_this_machine(play: Play, server: str) -> None:
    stage = play(server, MACHINE)
    done = run(stage, "login", "--allow-http")
    assert done.returncode == 3
    assert OPTION in done.stderr
    assert heard(stage) == []
    assert stage.browser.opened == []


@pytest.mark.parametrize("name", ["localhost", MACHINE])
def test_server_on_this_machine_may_lead_there(play: Play, name: str) -> None:
    stage = play(name, MACHINE)
    host = relay(stage)
    host.initialize()
    call(host)
    assert len(stage.browser.opened) == 1


def test_option_opens_it_in_every_command_and_in_none_without(play: Play) -> None:
    stage = play(PUBLIC, MACHINE, lifetime=1)
    assert run(stage, "login", "--allow-http", OPTION).returncode == 0
    let_token_expire(stage)
    before = len(heard(stage))
    host = relay(stage)
    refusal(host, "could not be renewed", OPTION)
    stage.end(host)
    assert len(heard(stage)) == before
    host = relay(stage, OPTION)
    # What never left is tried again within two seconds.
    wait_until(
        lambda: "result" in host.request("initialize", initialize_params()), "the renewed token"
    )
    call(host)
    stage.end(host)
    assert len(stage.server.token_requests("refresh_token")) == 1
    before = len(heard(stage))
    done = run(stage, "logout")
    assert OPTION in done.stdout
    assert len(heard(stage)) == before
    assert run(stage, "login", "--allow-http", OPTION).returncode == 0
    before = len(heard(stage))
    assert run(stage, "logout", OPTION).returncode == 0
    assert [one.split(" ")[1] for one in heard(stage)[before:]] == ["/as/revoke"] * 2


# Every member that may name a place, and every way to write it


class Victim:
    """Whoever listens at that address, whatever is said there: counts connections and bytes."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.said = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(2)
                try:
                    self.said += connection.recv(65536)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


SPELLINGS = [
    (MACHINE, "http://127.0.0.1"),
    (MACHINE, "http://localhost"),
    (MACHINE, "http://a.localhost"),
    (MACHINE, "https://127.1"),
    (MACHINE, "https://0x7f.1"),
    (MACHINE, "https://2130706433"),
    (MACHINE, "https://0.0.0.0"),
    (MACHINE, "https://[::ffff:127.0.0.1]"),
    (MACHINE, "https://[::ffff:7f00:1]"),
    (MACHINE, "https://me.example"),
    ("::1", "http://[::1]"),
    ("::1", "https://[::]"),
    (COMPANY, "https://10.20.30.40"),
    (COMPANY, "https://10.1318440"),
    (COMPANY, "https://[::ffff:10.20.30.40]"),
    (COMPANY, "https://intranet.example"),
    (LINK, "https://169.254.169.254"),
    (LINK, "https://2852039166"),
    (LINK, "https://metadata.example"),
]

KINDS = (
    "resource_metadata",
    "authorization_servers",
    "authorization_endpoint",
    "registration_endpoint",
    "device_authorization_endpoint",
)
CASES = [
    *(("authorization_servers", *spelling) for spelling in SPELLINGS),
    *((kind, *SPELLINGS[0]) for kind in KINDS if kind != "authorization_servers"),
    # To the browser, which reads more spellings than we do.
    ("authorization_endpoint", MACHINE, "https://0177.0.0.1"),
    ("authorization_endpoint", COMPANY, "https://intranet.example"),
    ("authorization_endpoint", LINK, "https://metadata.example"),
]


def lead(server: WildServer, kind: str, victim: str) -> None:
    """`server` names `victim` as its `kind`, and nobody else."""
    named = f"{victim}/x" if kind == "resource_metadata" else f"{server.origin}/r"
    endpoints: dict[str, object] = {
        "issuer": server.origin,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint": "https://as.example/token",
    }
    if kind == "device_authorization_endpoint":
        endpoints["grant_types_supported"] = ["urn:ietf:params:oauth:grant-type:device_code"]
        endpoints[kind] = f"{victim}/device"
    else:
        endpoints["authorization_endpoint"] = f"{victim}/authorize"
    if kind == "registration_endpoint":
        endpoints["authorization_endpoint"] = f"https://{PUBLIC}/authorize"
        endpoints[kind] = f"{victim}/register"

    def answer(exchange: Exchange) -> None:
        if exchange.path == "/r" and kind == "authorization_servers":
            issuers = [f"{victim}/as"]
            exchange.reply(200, encode({"resource": server.url, "authorization_servers": issuers}))
        elif exchange.path == "/.well-known/oauth-authorization-server":
            exchange.reply(200, encode(endpoints))
        else:
            exchange.reply(404)

    challenge = {"WWW-Authenticate": f'Bearer resource_metadata="{named}"'}
    server.always("initialize", lambda exchange: exchange.reply(401, headers=challenge))
    server.always("GET", answer)


@pytest.mark.parametrize(("kind", "address", "spelling"), CASES)
def test_nobody_inside_hears_of_what_a_public_server_names(
    play: Play, kind: str, address: str, spelling: str
) -> None:
    victim = Victim(address)
    stage = play(PUBLIC, PUBLIC)
    options = ["--allow-http"]
    if kind in ("authorization_endpoint", "device_authorization_endpoint"):
        options += ["--static-oauth-client-info", '{"client_id": "by-hand"}']
    if kind == "device_authorization_endpoint":
        options += ["--device-code"]
    with WildServer(host=PUBLIC) as server:
        lead(server, kind, f"{spelling}:{victim.port}")
        done = run(stage, "login", *options, url=server.url)
    victim.close()
    assert (done.returncode, victim.connections, victim.said) == (3, 0, b""), done.stderr
    assert stage.browser.opened == []
    # Metadata that cannot be had there is looked for elsewhere, and not found.
    if kind != "resource_metadata":
        assert (OPTION in done.stderr) == (address != LINK), done.stderr


# Proxies


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_authorization_server_on_this_machine_is_never_asked_through_a_proxy(
    play: Play, variable: str
) -> None:
    stage = play(PUBLIC, MACHINE, lifetime=1)
    with ForwardProxy() as proxy:
        environment = {variable: f"http://{proxy.authority}"}
        host = relay(stage, OPTION, environment=environment)
        host.initialize()
        let_token_expire(stage)
        call(host)
        stage.end(host)
        assert len(stage.server.token_requests("refresh_token")) == 1
        asked = [line for line, _ in proxy.requests]
    assert asked
    assert [line for line in asked if MACHINE in line] == []


def test_literal_address_is_judged_also_where_a_proxy_would_connect(play: Play) -> None:
    stage = play(PUBLIC, PUBLIC)
    with WildServer(host=PUBLIC) as server, ForwardProxy() as proxy:
        for spelling in ("10.20.30.40", "0x7f.1", "intranet.example", "nowhere.internal"):
            lead(server, "authorization_servers", f"https://{spelling}")
            proxied = f"http://{proxy.authority}"
            done = run(stage, "login", "--allow-http", url=server.url, proxy=proxied)
            assert done.returncode == 3
            assert OPTION in done.stderr
            assert [line for line, _ in proxy.requests if line.startswith("CONNECT")] == []
