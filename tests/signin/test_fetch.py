"""The fetcher against real servers, which see what it sends. Must not know any flow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import import_key

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Unusable
from mcp_remote_py.oauth.dpop import make_key
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, Fetch, Proof, Request, Response
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings import Tls, parse_server_url
from mcp_remote_py.signin.border import Border
from mcp_remote_py.signin.fetch import Fetcher
from mcp_remote_py.tls import build_tls_context
from tests.fakes import run
from tests.peers.launch import free_port
from tests.peers.wild_server import Exchange, WildServer, answer_status, be_silent, redirect
from tests.transports.peers import Authority, ForwardProxy, TlsServer

NOW = 1_800_000_000.0
SYSTEM = Tls()
LOOPBACK = "http://127.0.0.1:1/mcp"
"""An MCP server on this machine, as all servers of these tests are."""


@pytest.fixture
def server() -> Iterator[WildServer]:
    with WildServer() as server:
        yield server


def fetcher_for(
    server: str = LOOPBACK,
    *,
    tls: Tls = SYSTEM,
    proxy: str = "",
    seconds: float = 5.0,
    border: Border | None = None,
) -> Fetcher:
    """One beside the MCP server at `server`; the proxy is for every request."""
    place = parse_server_url(server, allow_http=True)
    return Fetcher(
        place,
        border or Border(place, (), nowhere),
        lambda certified: build_tls_context(tls, certified=certified),
        lambda url: Secret(proxy) if proxy else None,
        lambda: NOW,
        bytes,
        seconds,
        seconds,
    )


async def nowhere() -> str:
    raise AssertionError("nobody needs to know where the server is")


def fetch(step: Fetch, *, tls: Tls = SYSTEM, proxy: str = "", seconds: float = 5.0) -> Response:
    async def main() -> Response:
        fetcher = fetcher_for(tls=tls, proxy=proxy, seconds=seconds)
        try:
            return await fetcher.fetch(step)
        finally:
            await fetcher.aclose()

    return run(main())


def get(url: str, *, tls: Tls = SYSTEM, proxy: str = "", seconds: float = 5.0) -> Response:
    return fetch(Fetch(Request("GET", url)), tls=tls, proxy=proxy, seconds=seconds)


def test_answer_has_status_lower_case_headers_and_body(server: WildServer) -> None:
    server.always("GET", answer_status(418, b"tea"))
    answer = get(f"{server.origin}/document")
    assert (answer.status, answer.body) == (418, b"tea")
    assert answer.headers["content-length"] == "3"


@pytest.mark.promise("S2")
def test_nothing_but_its_own_and_the_requests_headers_is_sent(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    step = Fetch(Request("GET", f"{server.origin}/x", (("x-own", Secret("value")),)))
    fetch(step)
    (seen,) = server.received("GET")
    assert seen.headers["x-own"] == "value"
    assert seen.headers["user-agent"].startswith("mcp-remote-py/")
    known = {
        "host", "accept", "accept-encoding", "connection", "user-agent", "mcp-protocol-version",
        "x-own",
    }  # fmt: skip
    assert set(seen.headers) <= known


@pytest.mark.parametrize("length", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
def test_size_is_bounded(server: WildServer, length: int) -> None:
    server.always("GET", answer_status(200, b"x" * length))
    if length <= MAX_BODY_BYTES:
        assert len(get(server.origin).body) == length
        return
    with pytest.raises(Unusable, match=f"more than {MAX_BODY_BYTES} bytes") as error:
        get(f"{server.origin}/?token=canary")
    assert "canary" not in error.value.sentence()
    assert error.value.hint


def test_silence_is_bounded(server: WildServer) -> None:
    server.always("GET", be_silent)
    with pytest.raises(Interrupted, match=r"did not answer in 0\.2 seconds") as error:
        get(f"{server.origin}/?token=canary", seconds=0.2)
    assert "canary" not in error.value.sentence()


def test_body_that_never_ends_is_bounded(server: WildServer) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            exchange.write(b"x")
            exchange.delay(0.05)

    server.always("GET", drip)
    with pytest.raises(Interrupted, match="did not answer"):
        get(server.origin, seconds=0.3)


def test_nobody_there_is_not_sent() -> None:
    with pytest.raises(NotSent, match="cannot be reached") as error:
        get(f"http://127.0.0.1:{free_port()}/")
    assert error.value.hint


def test_redirect_within_the_origin_is_followed(server: WildServer) -> None:
    server.script("GET", redirect(302, "/there"), answer_status(200, b"found"))
    assert get(f"{server.origin}/here").body == b"found"
    assert [seen.path for seen in server.received("GET")] == ["/here", "/there"]


@pytest.mark.promise("S2")
@pytest.mark.parametrize("location", ["other", "http://[", ""])
def test_redirect_elsewhere_is_the_answer(server: WildServer, location: str) -> None:
    with WildServer() as other:
        server.always("GET", redirect(302, f"{other.origin}/" if location == "other" else location))
        assert get(f"{server.origin}/here").status == 302
        assert not other.received("GET")
    assert len(server.received("GET")) == 1


def test_redirects_without_end_are_unusable(server: WildServer) -> None:
    server.always("GET", redirect(302, "/again"))
    with pytest.raises(Unusable, match="more than 3 times"):
        get(f"{server.origin}/here")
    assert len(server.received("GET")) == 4


def test_redirect_is_an_answer_where_it_is_asked_for(server: WildServer) -> None:
    server.always("GET", redirect(302, "/there"))
    assert (
        fetch(Fetch(Request("GET", f"{server.origin}/here"), follow_redirects=False)).status == 302
    )
    assert len(server.received("GET")) == 1


def test_private_authority_is_trusted_when_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with TlsServer(authority.issue("server")) as server:
        server.always("GET", answer_status(200, b"{}"))
        with pytest.raises(ExchangeError, match="certificate"):
            get(server.origin)
        assert not server.received("GET")
        assert get(server.origin, tls=Tls(ca_certs=(str(authority.path),))).status == 200


def test_proxy_is_used(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    with ForwardProxy("me:canary") as proxy:
        assert get(server.origin, proxy=f"http://me:canary@{proxy.authority}").status == 200
        assert len(proxy.requests) == 1


@pytest.mark.promise("A3")
def test_a_proof_of_possession_is_made_when_the_request_is_sent(server: WildServer) -> None:
    key = make_key("ES256")
    url = f"{server.origin}/token"
    form = Secret("grant_type=refresh_token")
    fetch(Fetch(Request("POST", url, body=form, proof=Proof(key, "nonce-1"))))
    fetch(Fetch(Request("POST", url, body=form)))
    proven, plain = server.received("POST")
    assert "dpop" not in plain.headers
    claims = jwt.decode(proven.headers["dpop"], import_key(json.loads(key.reveal()))).claims
    assert claims["htu"] == url
    assert (claims["htm"], claims["nonce"], claims["iat"]) == ("POST", "nonce-1", int(NOW))


def probe(url: str, seconds: float = 5.0) -> tuple[int, str]:
    async def main() -> tuple[int, str]:
        fetcher = fetcher_for(url, seconds=seconds)
        try:
            return await fetcher.probe(url)
        finally:
            await fetcher.aclose()

    return run(main())


def test_probe_tells_the_challenge(server: WildServer) -> None:
    def challenge(exchange: Exchange) -> None:
        exchange.reply(401, headers={"WWW-Authenticate": 'Bearer scope="a"'})

    server.always("initialize", challenge)
    assert probe(server.url) == (401, 'Bearer scope="a"')
    assert not server.received("GET")
    server.always("initialize", answer_status(405))
    server.always("GET", challenge)
    assert probe(server.url) == (401, 'Bearer scope="a"')


def test_probe_is_bounded(server: WildServer) -> None:
    server.always("initialize", be_silent)
    with pytest.raises(Interrupted, match="did not answer"):
        probe(server.url, 0.2)
