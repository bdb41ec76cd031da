"""The fetcher against real servers, which see what it sends. Must not know any flow."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpcore
import pytest
from joserfc import jwt
from joserfc.jwk import import_key

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, SignInFailed, Unusable
from mcp_remote_py.oauth.dpop import make_key
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, Fetch, HttpRequest, HttpResponse, Proof
from mcp_remote_py.reach import Zone
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.network import Network, SignInTimeouts, Tls, proxy_variables
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.signin.border import Border, OutOfReach
from mcp_remote_py.signin.fetch import Fetcher, build_fetcher, map_error, to_httpx
from mcp_remote_py.tls import build_tls_context
from tests.fakes import run
from tests.peers.launch import free_port
from tests.peers.wild_server import Exchange, WildServer, answer_status, be_silent, redirect
from tests.transports.peers import Authority, ForwardProxy, TlsServer, proxy_at

NOW = 1_800_000_000.0
SYSTEM = Tls()
NOTHING_SAID = SignInTimeouts()
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
    timeouts: SignInTimeouts = NOTHING_SAID,
) -> Fetcher:
    """One beside the MCP server at `server`; the proxy is for every request."""
    place = parse_server_url(server, allow_http=True)
    return Fetcher(
        place,
        border or Border(place, (), nowhere),
        lambda certified: build_tls_context(tls, certified=certified),
        lambda url: proxy_at(proxy) if proxy else None,
        lambda: NOW,
        bytes,
        seconds,
        seconds,
        timeouts=timeouts,
    )


async def nowhere() -> str:
    raise AssertionError("nobody needs to know where the server is")


def fetch(step: Fetch, *, tls: Tls = SYSTEM, proxy: str = "", seconds: float = 5.0) -> HttpResponse:
    async def main() -> HttpResponse:
        fetcher = fetcher_for(tls=tls, proxy=proxy, seconds=seconds)
        try:
            return await fetcher.fetch(step)
        finally:
            await fetcher.aclose()

    return run(main())


def get(url: str, *, tls: Tls = SYSTEM, proxy: str = "", seconds: float = 5.0) -> HttpResponse:
    return fetch(Fetch(HttpRequest("GET", url)), tls=tls, proxy=proxy, seconds=seconds)


def test_answer_has_status_lower_case_headers_and_body(server: WildServer) -> None:
    server.always("GET", answer_status(418, b"tea"))
    answer = get(f"{server.origin}/document")
    assert (answer.status, answer.body) == (418, b"tea")
    assert answer.headers["content-length"] == "3"


@pytest.mark.promise("S2")
def test_nothing_but_its_own_and_the_requests_headers_is_sent(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    step = Fetch(HttpRequest("GET", f"{server.origin}/x", (("x-own", Secret("own-header-7")),)))
    fetch(step)
    (seen,) = server.received("GET")
    assert seen.headers["x-own"] == "own-header-7"
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


@pytest.mark.report("O5")
def test_a_request_may_have_its_own_patience(server: WildServer) -> None:
    server.always("GET", be_silent)
    with pytest.raises(Interrupted, match=r"did not answer in 0\.2 seconds"):
        fetch(Fetch(HttpRequest("GET", server.origin), patience=0.2))


def test_answers_on_one_connection_are_counted_each(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"x" * (MAX_BODY_BYTES // 2)))

    async def main() -> None:
        fetcher = fetcher_for()
        for _ in range(4):
            answer = await fetcher.fetch(Fetch(HttpRequest("GET", server.origin)))
            assert len(answer.body) == MAX_BODY_BYTES // 2
        await fetcher.aclose()

    run(main())


@pytest.mark.report("S5")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_one_layer_of_compression_is_undone_within_the_bound(
    server: WildServer, coding: str
) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress
    headers = {"Content-Encoding": coding}
    bodies = [b"x" * MAX_BODY_BYTES, b"x" * (MAX_BODY_BYTES + 1)]
    server.script("GET", *(answer_status(200, pack(one), headers=headers) for one in bodies))
    assert get(server.origin).body == bodies[0]
    with pytest.raises(Unusable) as caught:
        get(server.origin)
    assert str(MAX_BODY_BYTES) in caught.value.cause


@pytest.mark.report("S5")
@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip, deflate", "br"])
def test_more_layers_are_refused_before_anything_is_undone(server: WildServer, coding: str) -> None:
    headers = {"Content-Encoding": coding}
    server.always("GET", answer_status(200, gzip.compress(b"{}"), headers=headers))
    with pytest.raises(Unusable) as caught:
        get(server.origin)
    assert coding in caught.value.cause
    assert caught.value.hint


@pytest.mark.report("T5")
@pytest.mark.parametrize("coding", ["€", "\xff", "😀"])
def test_a_coding_in_any_letters_is_none(server: WildServer, coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\n"
    server.always("GET", lambda exchange: exchange.write(head.encode() + b"{}"))
    assert get(server.origin).body == b"{}"


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


def get_by(build: Callable[[], Fetcher], url: str) -> HttpResponse:
    """A document, by a fetcher that lives no longer than that."""

    async def main() -> HttpResponse:
        fetcher = build()
        try:
            return await fetcher.fetch(Fetch(HttpRequest("GET", url)))
        finally:
            await fetcher.aclose()

    return run(main())


def get_within(url: str, *, seconds: float = 5.0, **timeouts: float) -> HttpResponse:
    """A document, where the person has said how long each part may take."""
    return get_by(lambda: fetcher_for(seconds=seconds, timeouts=SignInTimeouts(**timeouts)), url)


@pytest.mark.promise("P2")
def test_person_bounds_each_part_of_a_request(server: WildServer) -> None:
    def stop_in_the_body(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        exchange.hold()

    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    with full, socket.create_connection(full.getsockname()):
        with pytest.raises(NotSent, match=r"Connecting to .* took too long") as caught:
            get_within(f"http://127.0.0.1:{full.getsockname()[1]}/?token=canary", connect=0.2)
        assert "canary" not in caught.value.sentence()
    server.script("GET", be_silent, stop_in_the_body)
    for timeouts in ({"headers": 0.2}, {"body": 0.2}):
        with pytest.raises(Interrupted, match="took too long to answer") as late:
            get_within(server.origin, **timeouts)
        assert "--headers-timeout or --body-timeout" in late.value.hint


@pytest.mark.report("O6")
@pytest.mark.parametrize(
    ("said", "patience", "is_answered"),
    [
        (NOTHING_SAID, 60.0, True),
        (NOTHING_SAID, None, False),
        (SignInTimeouts(headers=0.2), 60.0, False),
        (SignInTimeouts(headers=5.0), None, True),
    ],
)
def test_what_cannot_be_asked_for_again_has_more_time(
    server: WildServer, said: SignInTimeouts, patience: float | None, is_answered: bool
) -> None:
    def think(exchange: Exchange) -> None:
        exchange.delay(0.5)
        exchange.reply(200, b"{}")

    async def main() -> bool:
        fetcher = fetcher_for(seconds=0.2, timeouts=said)
        request = HttpRequest("POST", server.origin, body=Secret("code=canary"))
        try:
            await fetcher.fetch(Fetch(request, patience=patience))
        except Interrupted:
            return False
        finally:
            await fetcher.aclose()
        return True

    server.always("POST", think)
    assert run(main()) is is_answered


@pytest.mark.promise("P2")
@pytest.mark.parametrize("headers", [5.0, 0.0])
def test_person_may_give_more_time_than_we_would(server: WildServer, headers: float) -> None:
    def think(exchange: Exchange) -> None:
        exchange.delay(0.5)
        exchange.reply(200, b"{}")

    server.always("GET", think)
    with pytest.raises(Interrupted):
        get(server.origin, seconds=0.2)
    assert get_within(server.origin, seconds=0.2, headers=headers).body == b"{}"


def test_what_the_person_does_not_speak_of_stays_bounded(server: WildServer) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            exchange.write(b"x")
            exchange.delay(0.05)

    server.always("GET", drip)
    with pytest.raises(Interrupted, match=r"did not answer in 0\.6 seconds"):
        get_within(server.origin, seconds=0.2, headers=0.2)


def test_nobody_there_is_not_sent() -> None:
    with pytest.raises(NotSent, match="cannot be reached") as error:
        get(f"http://127.0.0.1:{free_port()}/")
    assert error.value.hint


def test_redirect_within_the_origin_is_followed(server: WildServer) -> None:
    server.script("GET", redirect(302, "/there"), answer_status(200, b"found"))
    assert get(f"{server.origin}/here").body == b"found"
    assert [seen.path for seen in server.received("GET")] == ["/here", "/there"]


@pytest.mark.report("O4")
def test_redirect_to_the_port_behind_a_mapped_one_is_followed_here(server: WildServer) -> None:
    server.script("GET", redirect(307, "http://127.0.0.1:1/here/"), answer_status(200, b"found"))
    assert get(f"{server.origin}/here").body == b"found"
    assert [seen.path for seen in server.received("GET")] == ["/here", "/here/"]


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
        fetch(Fetch(HttpRequest("GET", f"{server.origin}/here"), follow_redirects=False)).status
        == 302
    )
    assert len(server.received("GET")) == 1


def test_private_authority_is_trusted_when_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with TlsServer(authority.issue("server")) as server:
        server.always("GET", answer_status(200, b"{}"))
        with pytest.raises(ExchangeError, match=r"certificate is not trusted \(.*\): ") as caught:
            get(server.origin)
        assert "--ca-cert" in caught.value.hint
        assert not server.received("GET")
        assert get(server.origin, tls=Tls(ca_certs=(str(authority.path),))).status == 200


def test_proxy_is_used(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    with ForwardProxy("me:canary") as proxy:
        assert get(server.origin, proxy=f"http://me:canary@{proxy.authority}").status == 200
        assert len(proxy.requests) == 1


def test_proxy_is_connected_to_over_ipv4_where_that_is_asked_for(server: WildServer) -> None:
    """Like everything else: a name whose IPv6 address leads nowhere must not hold up a sign-in."""
    place = parse_server_url(LOOPBACK)
    dead = "http://[::1]:9"
    fetcher = build_fetcher(
        place,
        Network(ipv4=True, proxies=(("http_proxy", Secret(dead)),)),
        (),
        str,
        lambda: NOW,
        bytes,
    )

    async def main() -> None:
        try:
            with pytest.raises(NotSent, match="cannot be looked up"):
                await fetcher.fetch(Fetch(HttpRequest("GET", "http://example.com/x")))
        finally:
            await fetcher.aclose()

    run(main())


def test_proxy_that_speaks_tls_is_trusted_by_the_same_authorities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with TlsServer(authority.issue("proxy")) as proxy:
        proxy.always("GET", answer_status(200, b"{}"))

        def ask(*trusted: str) -> HttpResponse:
            proxies = (("http_proxy", Secret(proxy.origin)),)
            network = Network(tls=Tls(trusted), proxies=proxies)
            named = ("http://example.com",)
            place = parse_server_url(LOOPBACK)
            fetcher = build_fetcher(place, network, named, str, lambda: NOW, bytes)

            async def main() -> HttpResponse:
                try:
                    return await fetcher.fetch(Fetch(HttpRequest("GET", "http://example.com/x")))
                finally:
                    await fetcher.aclose()

            return run(main())

        with pytest.raises(NotSent, match="not trusted"):
            ask()
        assert ask(str(authority.path)).status == 200
        assert [seen.path for seen in proxy.requests] == ["http://example.com/x"]


@pytest.mark.promise("A3")
def test_a_proof_of_possession_is_made_when_the_request_is_sent(server: WildServer) -> None:
    key = make_key("ES256")
    url = f"{server.origin}/token"
    form = Secret("grant_type=refresh_token")
    fetch(Fetch(HttpRequest("POST", url, body=form, proof=Proof(key, "nonce-1"))))
    fetch(Fetch(HttpRequest("POST", url, body=form)))
    proven, plain = server.received("POST")
    assert "dpop" not in plain.headers
    claims = jwt.decode(proven.headers["dpop"], import_key(json.loads(key.reveal()))).claims
    assert claims["htu"] == url
    assert (claims["htm"], claims["nonce"], claims["iat"]) == ("POST", "nonce-1", int(NOW))


# Where it leads


class Names:
    """Look-ups from a list; the last answer is for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[str]:
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]]


async def on_the_internet() -> str:
    return "198.41.0.4"


def fetch_for_a_public_server(url: str, *, proxy: str = "", named: str = "") -> HttpResponse:
    """The MCP server is on the internet, where `url` is not."""
    server = "https://mcp.example.com/mcp"
    border = Border(parse_server_url(server), {named}, on_the_internet)

    return get_by(lambda: fetcher_for(server, proxy=proxy, border=border), url)


@pytest.mark.report("S7")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0.0.0.0", "2130706433"])
@pytest.mark.parametrize("proxied", [False, True])
def test_public_server_leads_nowhere_inside(server: WildServer, host: str, proxied: bool) -> None:
    server.always("GET", answer_status(200, b"{}"))
    url = f"http://{host}:{server.port}/document"
    with ForwardProxy() as proxy:
        with pytest.raises(SignInFailed) as raised:
            fetch_for_a_public_server(url, proxy=f"http://{proxy.authority}" if proxied else "")
        assert proxy.requests == []
    assert raised.value.cause.startswith(f"{url} leads to ")
    assert "--allow-private-network" in raised.value.hint
    assert server.requests == []


@pytest.mark.report("S7")
def test_what_the_person_named_is_asked_wherever_it_is(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    assert fetch_for_a_public_server(f"{server.origin}/x", named=server.origin).status == 200


@pytest.mark.report("S7")
def test_each_hop_of_a_redirect_is_judged_where_it_connects(server: WildServer) -> None:
    """The name leads elsewhere when the second connection is made."""

    def redirect_and_hang_up(exchange: Exchange) -> None:
        exchange.reply(302, headers={"Location": "/inside", "Connection": "close"})

    server.always("GET", redirect_and_hang_up)
    names = Names("127.0.0.1", "127.0.0.2")
    shown: list[list[str]] = []

    class Watching(Border):
        async def choose(self, host: str, addresses: Sequence[str]) -> list[str]:
            shown.append(found := await names.resolve(host, 0, socket.AF_INET))
            if found == ["127.0.0.2"]:
                raise OutOfReach(found[0], Zone.LOOPBACK)
            return found

    border = Watching(parse_server_url(LOOPBACK, allow_http=True), (), nowhere)

    async def main() -> HttpResponse:
        fetcher = fetcher_for(border=border)
        try:
            return await fetcher.fetch(
                Fetch(HttpRequest("GET", f"http://localhost:{server.port}/here"))
            )
        finally:
            await fetcher.aclose()

    with pytest.raises(SignInFailed, match=r"/inside leads to 127\.0\.0\.2"):
        run(main())
    assert shown == [["127.0.0.1"], ["127.0.0.2"]]
    assert [seen.path for seen in server.received("GET")] == ["/here"]


@pytest.mark.report("S14")
@pytest.mark.parametrize("host", ["LOCALHOST", "LocalHost"])
def test_origin_is_the_same_in_another_spelling(server: WildServer, host: str) -> None:
    where = f"HTTP://{host}:{server.port}/there"
    server.script("GET", redirect(302, where), answer_status(200, b"found"))
    assert get(f"http://localhost:{server.port}/here").body == b"found"


@pytest.mark.promise("S2")
@pytest.mark.report("S14")
@pytest.mark.parametrize(
    "place", ["https://{host}", "http://localhost:{port}", "http://me@{host}", "http://{host}0"]
)
def test_no_other_origin_is_asked(server: WildServer, place: str) -> None:
    host = f"127.0.0.1:{server.port}"
    where = place.format(host=host, port=server.port)
    server.always("GET", redirect(302, f"{where}/x"))
    assert get(f"{server.origin}/here").status == 302
    assert len(server.requests) == 1


# Certificate and proxy


@pytest.mark.promise("S2")
@pytest.mark.report("S11")
def test_client_certificate_is_for_the_server_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    tls = Tls((str(authority.path),), certificate, key)
    with (
        TlsServer(authority.issue("server"), asks=authority) as server,
        TlsServer(authority.issue("other"), asks=authority) as other,
    ):
        for one in (server, other):
            one.always("GET", answer_status(200, b"{}"))

        async def main() -> None:
            fetcher = fetcher_for(server.url, tls=tls)
            try:
                for place in (server, other, server, other):
                    await fetcher.fetch(Fetch(HttpRequest("GET", f"{place.origin}/x")))
            finally:
                await fetcher.aclose()

        run(main())
    assert len(server.shown) == 1
    assert all(server.shown)
    assert other.shown == [None]


@pytest.mark.report("S9")
def test_proxy_is_chosen_for_each_url(server: WildServer) -> None:
    server.always("GET", answer_status(200, b"{}"))
    place = parse_server_url(LOOPBACK, allow_http=True)
    with ForwardProxy("me:canary-proxy") as proxy:
        variables = {
            "HTTPS_PROXY": f"http://me:canary-proxy@{proxy.authority}",
            "HTTP_PROXY": f"http://me:canary-proxy@{proxy.authority}",
            "NO_PROXY": "direct.example",
        }
        network = Network(proxies=proxy_variables(variables))
        fetcher = build_fetcher(place, network, (), str, lambda: NOW, bytes)

        async def main() -> None:
            try:
                await fetcher.fetch(Fetch(HttpRequest("GET", f"{server.origin}/x")))
                for host in ("direct.example", "proxied.example"):
                    with pytest.raises((NotSent, Interrupted)):
                        await fetcher.fetch(Fetch(HttpRequest("GET", f"https://{host}/x")))
            finally:
                await fetcher.aclose()

        proxy.refuse = 502
        run(main())
        assert [line for line, _ in proxy.requests] == ["CONNECT proxied.example:443 HTTP/1.1"]
    assert len(server.requests) == 1
    assert scrub_known("canary-proxy") == "****"


def test_every_error_of_httpcore_has_a_namesake() -> None:
    """They are mapped by name."""
    kinds = [getattr(httpcore, name) for name in httpcore.__all__]
    errors = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    never_seen_outside = {httpcore.ConnectionNotAvailable}
    assert len(errors) > 10
    for kind in set(errors) - never_seen_outside:
        assert isinstance(map_error(to_httpx(kind("why")), "there"), ExchangeError)


@pytest.mark.report("S11")
def test_no_cookie_is_kept_for_any_of_them(server: WildServer) -> None:
    """A page that is polled would be sent more each time, and so would others of its host."""

    def set_cookies(exchange: Exchange) -> None:
        exchange.reply(200, b"{}", headers={"Set-Cookie": f"a{len(server.requests)}=b; Path=/"})

    server.always("GET", set_cookies)

    async def main() -> None:
        fetcher = fetcher_for()
        for _ in range(3):
            await fetcher.fetch(Fetch(HttpRequest("GET", f"{server.origin}/device")))
        await fetcher.aclose()

    run(main())
    assert [exchange.headers.get("cookie") for exchange in server.requests] == [None] * 3


@pytest.mark.report("S5")
def test_documents_that_come_by_one_connection_are_bounded_each_by_itself(
    server: WildServer,
) -> None:
    body = b"{}" + b" " * 50_000
    server.always("GET", lambda exchange: exchange.reply(200, body))

    async def main() -> None:
        fetcher = fetcher_for()
        for _ in range(4):
            response = await fetcher.fetch(Fetch(HttpRequest("GET", server.origin)))
            assert response.body == body
        await fetcher.aclose()

    run(main())
