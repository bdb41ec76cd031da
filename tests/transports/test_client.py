"""The HTTP side against real sockets: what each failure is called, and where headers never go."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.channel import Sent
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.redact import Secret
from mcp_remote_py.retry import Acquaintance
from mcp_remote_py.settings.network import Timeouts, Tls
from mcp_remote_py.transports.client import MAX_ATTEMPTS, HttpClient
from mcp_remote_py.url import ServerUrl
from tests.fakes import encode_request, run
from tests.peers.wild_server import (
    Exchange,
    WildServer,
    answer_status,
    be_silent,
    body_without_end,
    cut_before_head,
    cut_in_body,
    cut_in_head,
    redirect,
)
from tests.transports.peers import Authority, ForwardProxy, TlsServer, client_for, from_file

CALL = b'{"jsonrpc":"2.0","id":1,"method":"x"}'
TOKEN = "canary-71bd0c5e44"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-Key": f"key-{TOKEN}"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(stack: ExitStack) -> WildServer:
    return stack.enter_context(WildServer())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def exchange(client: HttpClient, body: bytes = CALL, **more: Any) -> bytes:
    """One POST, as a transport does it; a refusal is raised."""
    headers = [(b"content-type", b"application/json")]
    response = await client.request(b"POST", headers, [body], **more)
    try:
        if response.status >= 300:
            raise await client.fail(response, request=parse_message(body), session_sent=False)
        return await response.read(1 << 20)
    finally:
        await response.aclose()


def post(url: str, headers: Mapping[str, str] | None = HEADERS, **more: Any) -> bytes:
    """One exchange of a client of its own."""

    async def main() -> bytes:
        client = await client_for(url, headers, **more)
        try:
            return await exchange(client)
        finally:
            await client.aclose()

    return run(main())


def refusal(url: str, headers: Mapping[str, str] | None = HEADERS, **more: Any) -> ExchangeError:
    """The error of one exchange, which does not name a secret."""
    with pytest.raises(ExchangeError) as caught:
        post(url, headers, **more)
    error = caught.value
    assert TOKEN[:10] not in error.sentence()
    assert TOKEN not in repr(error.args)
    assert "\n" not in error.sentence()
    return error


# ------------------------------------------------------------------ no connection


@pytest.mark.promise("R5")
def test_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal(f"http://127.0.0.1:{port}/mcp")
    assert isinstance(error, NotSent)
    assert "refused" in error.cause.lower()
    assert "VPN" in error.hint


@pytest.mark.promise("R5")
def test_name_nobody_knows() -> None:
    error = refusal("http://nobody.invalid/mcp")
    assert isinstance(error, NotSent)
    assert "cannot be reached: " in error.cause


@pytest.mark.promise("R5")
def test_connection_nobody_accepts(stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(4):  # fills the queue of connections to accept
        one = stack.enter_context(socket.socket())
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    error = refusal(
        f"http://127.0.0.1:{listener.getsockname()[1]}/", timeouts=Timeouts(connect=0.3)
    )
    assert isinstance(error, NotSent)
    assert "took too long" in error.cause


# ------------------------------------------------------------------ no answer


def speak_ssh(one: Exchange) -> None:
    one.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (be_silent, "took too long"),
        (body_without_end, "took too long"),
        (cut_before_head, "broke"),
        (cut_in_head, "broke"),
        (cut_in_body, "broke"),
        (speak_ssh, "broke"),
    ],
)
def test_answer_that_does_not_arrive_may_have_been_executed(
    server: WildServer, behaviour: Callable[[Exchange], None], words: str
) -> None:
    server.always("x", behaviour)
    error = refusal(server.url, timeouts=Timeouts(headers=0.3, body=0.3))
    assert isinstance(error, Interrupted)
    assert words in error.cause
    assert len(server.requests) == 1


def test_event_stream_may_be_silent_for_longer_than_a_body(server: WildServer) -> None:
    release = threading.Event()

    def stream(one: Exchange) -> None:
        one.stream()
        one.wait(release, 10)
        one.event(b"late")
        one.finish()

    server.always("x", stream)

    async def main() -> None:
        client = await client_for(server.url, timeouts=Timeouts(headers=5, body=0.05))
        asyncio.get_running_loop().call_later(0.3, release.set)
        assert b"late" in await exchange(client)
        await client.aclose()

    run(main())


def test_answer_above_the_limit_is_not_kept(server: WildServer) -> None:
    def endless(one: Exchange) -> None:
        one.stream(content_type="application/json")
        for _ in range(1000):
            one.piece(b"x" * 65536)

    server.always("x", endless)
    error = refusal(server.url)
    assert isinstance(error, Unusable)
    assert "--max-message-size" in error.hint


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
    ],
)
def test_compressed_answer_is_read(
    server: WildServer, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = b'{"answer":"' + b"a" * 200_000 + b'"}'
    server.always("x", answer_status(200, pack(body), headers={"Content-Encoding": encoding}))
    assert post(server.url) == body
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [("br", b"\x0b\x02\x80\x03", "'br', unasked"), ("gzip", b"no gzip", "broken")],
)
def test_answer_compressed_otherwise_is_told(
    server: WildServer, encoding: str, body: bytes, words: str
) -> None:
    server.always("x", answer_status(200, body, headers={"Content-Encoding": encoding}))
    error = refusal(server.url)
    assert isinstance(error, Unusable)
    assert words in error.cause


# ------------------------------------------------------------------ refusals


@pytest.mark.promise("S2")
@pytest.mark.parametrize("padding", range(0, 200, 13))
def test_no_part_of_a_secret_the_server_echoes_gets_out(server: WildServer, padding: int) -> None:
    echo = b"x" * padding + f" Authorization=Bearer {TOKEN};".encode()
    server.script(
        "x",
        answer_status(401, echo, headers={"WWW-Authenticate": echo.decode()}),
        answer_status(500, echo),
    )
    for _ in range(2):
        error = refusal(server.url)
        text = f"{error.sentence()} {error.body!r}"
        assert not any(TOKEN[:length] in text for length in range(4, len(TOKEN)))


@pytest.mark.promise("S2", "R2")
def test_error_of_the_server_is_passed_without_the_secret_it_echoes(server: WildServer) -> None:
    server.always("x", lambda one: one.error(-32000, f"bad token {TOKEN}", status=400))
    error = refusal(server.url)
    assert error.body is not None
    assert json.loads(error.body)["error"] == {"code": -32000, "message": "bad token ****"}


@pytest.mark.promise("D12")
def test_refused_header_names_the_header(server: WildServer) -> None:
    server.always("x", answer_status(401, b"nope"))
    error = refusal(server.url)
    assert isinstance(error, Refused)
    assert error.status == 401
    assert "your Authorization header" in error.cause
    assert "--header" in error.hint
    assert len(server.requests) == 1


# ------------------------------------------------------------------ headers, read again


@pytest.mark.promise("R5", "S2")
def test_refused_header_of_a_file_that_changed_is_read_again_once(
    server: WildServer, tmp_path: Path
) -> None:
    path = tmp_path / "headers"
    path.write_text(f"Authorization: Bearer {TOKEN}-old\n")
    both = threading.Barrier(2)

    def check(one: Exchange) -> None:
        if one.headers["authorization"].endswith("-new"):
            one.good()
            return
        both.wait(5)  # two calls are refused, one of them long after the other
        path.write_text(f"Authorization: Bearer {TOKEN}-new\n")
        if one.id == 2:
            server.wait_for("x", 3)
        one.reply(401)

    server.always("x", check)

    async def main() -> None:
        client = await client_for(server.url, sources=from_file(path))
        await asyncio.gather(
            exchange(client), exchange(client, b'{"jsonrpc":"2.0","id":2,"method":"x"}')
        )
        assert len(server.requests) == 4
        await exchange(client)
        assert len(server.requests) == 5
        server.always("x", answer_status(401))
        for content in (f"Authorization: Bearer {TOKEN}-next\n", "no header\n", "# none\n", None):
            before = len(server.requests)
            path.write_text(content) if content else path.unlink()
            with pytest.raises(Refused) as caught:
                await exchange(client)
            assert TOKEN not in str(caught.value)
            assert len(server.requests) - before == (2 if content and ":" in content else 1)
            assert server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}-next"
        await client.aclose()

    run(main())


@pytest.mark.promise("L5", "S2")
def test_a_credential_that_a_reload_brings_is_the_persons_from_then_on(
    server: WildServer, tmp_path: Path
) -> None:
    path = tmp_path / "headers"
    path.write_text("X-Tenant: a\n")
    server.always("x", answer_status(401))

    async def main() -> None:
        authorizer = Prover()
        sources = from_file(path)
        client = await client_for(server.url, sources=sources, authorizer=authorizer)
        path.write_text(f"X-Tenant: a\nAuthorization: Bearer {TOKEN}-late\n")
        with pytest.raises(Refused, match="your Authorization header"):
            await exchange(client)
        path.write_text("X-Tenant: b\n")
        with pytest.raises(Refused, match="your Authorization header"):
            await exchange(client)
        assert [one.headers.get("authorization") for one in server.requests] == [
            "DPoP token",
            f"Bearer {TOKEN}-late",
            f"Bearer {TOKEN}-late",
            f"Bearer {TOKEN}-late",
        ]
        assert server.requests[-1].headers["x-tenant"] == "b"
        assert not authorizer.refusals
        await client.aclose()

    run(main())


@pytest.mark.promise("S2")
def test_given_header_is_not_sent_again(server: WildServer) -> None:
    server.always("x", answer_status(401))
    refusal(server.url)
    assert len(server.requests) == 1


# ------------------------------------------------------------------ redirects


@pytest.mark.report("T1")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("may_move", [True, False])
def test_redirect_within_the_origin_holds_for_its_request_or_those_after_it(
    server: WildServer, status: int, may_move: bool
) -> None:
    server.script("x", redirect(status, "/other?a=1"))

    async def main() -> None:
        client = await client_for(server.url, HEADERS)
        await exchange(client, may_move=may_move)
        await exchange(client)
        client.return_home()
        await exchange(client)
        paths = ["/mcp", "/other?a=1", "/other?a=1" if may_move else "/mcp", "/mcp"]
        assert [one.path for one in server.requests] == paths
        assert all(one.body == CALL for one in server.requests)
        assert all(one.headers["authorization"] == f"Bearer {TOKEN}" for one in server.requests)
        await client.aclose()

    run(main())


@pytest.mark.promise("S2")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("name", ["port", "host", "downgrade"])
def test_another_origin_is_not_even_contacted(
    stack: ExitStack, authority: Authority, status: int, name: str
) -> None:
    other = stack.enter_context(WildServer())
    if name == "downgrade":
        server = stack.enter_context(TlsServer(authority.issue("downgrade")))
        where = f"http://127.0.0.1:{other.port}/mcp"
    else:
        server = stack.enter_context(WildServer())
        host = "127.0.0.1" if name == "port" else "localhost"
        where = f"http://{host}:{other.port}/{TOKEN}?code={TOKEN}"
    server.always("x", redirect(status, where))
    error = refusal(server.url, tls=Tls(ca_certs=(str(authority.path),)))
    assert isinstance(error, Unusable)
    assert str(other.port) in error.cause
    assert "your headers are not sent there" in error.cause
    assert "config entry" in error.hint
    assert other.requests == []
    assert len(server.requests) == 1


@pytest.mark.promise("R5")
def test_upgrade_to_https_of_the_same_host_and_port_is_followed(
    stack: ExitStack, authority: Authority
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("upgrade"), plain=True))
    lasting = {"Set-Cookie": "lb=plain; Path=/", "Location": server.url}
    server.script("x", answer_status(308, headers=lasting))
    proxies: list[str] = []

    def choose(url: ServerUrl) -> None:
        proxies.append(url.origin)

    async def main() -> None:
        client = await client_for(
            server.url.replace("https", "http"),
            HEADERS,
            tls=Tls(ca_certs=(str(authority.path),)),
            choose_proxy=choose,
        )
        await exchange(client)
        await exchange(client)
        assert str(client.server) == server.url
        await client.aclose()

    run(main())
    assert len(server.shown) == 1  # one exchange of three was plain
    assert len(server.requests) == 3
    assert proxies == [server.origin.replace("https", "http"), server.origin]
    # Another origin: what was set in clear is not trusted there.
    assert [one.headers.get("cookie") for one in server.requests] == [None, None, None]


@pytest.mark.promise("S2")
@pytest.mark.report("S14")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_upgrade_to_another_port_is_not_followed(
    stack: ExitStack, authority: Authority, status: int
) -> None:
    """Whoever listens there need not be the server."""
    secure = stack.enter_context(TlsServer(authority.issue("elsewhere")))
    plain = stack.enter_context(WildServer())
    plain.always("x", redirect(status, secure.url))
    error = refusal(plain.url, tls=Tls(ca_certs=(str(authority.path),)))
    assert isinstance(error, Unusable)
    assert f"another place, {secure.url}" in error.cause
    assert "config entry" in error.hint
    assert secure.shown == []


@pytest.mark.report("S7")
def test_address_of_each_connection_is_told_when_it_is_the_servers(
    stack: ExitStack, authority: Authority
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("address")))
    told: list[str] = []

    async def main(tls: Tls) -> None:
        client = await client_for(server.url, tls=tls, on_connected=told.append)
        try:
            await exchange(client)
            await exchange(client)
        finally:
            await client.aclose()

    with pytest.raises(Unusable):
        run(main(Tls()))
    assert told == []
    run(main(Tls(ca_certs=(str(authority.path),))))
    assert told == ["127.0.0.1"]


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("behaviour", "words", "times"),
    [
        (redirect(303, "/other"), "drops the message", 1),
        (redirect(307, "/mcp"), "more than 5 times", 6),
        (redirect(307, "http://[nonsense"), "not a URL", 1),
        (redirect(307, "ftp://127.0.0.1/"), "not a URL", 1),
        (answer_status(304), "HTTP 304", 1),
    ],
)
def test_redirect_that_leads_nowhere(
    server: WildServer, behaviour: Callable[[Exchange], None], words: str, times: int
) -> None:
    server.always("x", behaviour)
    error = refusal(server.url)
    assert isinstance(error, Unusable)
    assert words in error.cause
    assert len(server.requests) == times


# ------------------------------------------------------------------ cookies


def test_cookies_stick_to_the_origin_and_end_with_the_client(server: WildServer) -> None:
    server.script(
        "x", answer_status(200, b"{}", headers={"Set-Cookie": "lb=node7; Path=/; HttpOnly"})
    )

    async def main() -> None:
        client = await client_for(server.url)
        for _ in range(3):
            await exchange(client)
        other = await client_for(server.url, cookies=False)
        await exchange(other)
        await client.aclose()
        await other.aclose()

    run(main())
    assert [one.headers.get("cookie") for one in server.requests] == [
        None,
        "lb=node7",
        "lb=node7",
        None,
    ]


# ------------------------------------------------------------------ TLS


@pytest.mark.promise("S2")
def test_certificate_nobody_trusts_is_told_and_no_header_was_sent(
    stack: ExitStack, authority: Authority
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("untrusted")))
    error = refusal(server.url)
    assert isinstance(error, Unusable)
    assert "certificate is not trusted" in error.cause
    assert error.cause.endswith('It was signed by "authority".')
    assert "--ca-cert" in error.hint
    assert server.requests == []
    post(server.url, tls=Tls(ca_certs=(str(authority.path),)))
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_certificate_of_another_name_is_not_trusted(stack: ExitStack, authority: Authority) -> None:
    server = stack.enter_context(TlsServer(authority.issue("othername"), host="127.0.0.2"))
    error = refusal(f"https://127.0.0.2:{server.port}/", tls=Tls(ca_certs=(str(authority.path),)))
    assert "certificate is not trusted" in error.cause
    assert server.requests == []


def test_server_that_wants_a_client_certificate(stack: ExitStack, authority: Authority) -> None:
    server = stack.enter_context(TlsServer(authority.issue("mutual"), clients=authority))
    trust = (str(authority.path),)
    error = refusal(server.url, tls=Tls(ca_certs=trust))
    assert isinstance(error, Unusable)
    assert "TLS with the server failed" in error.cause
    assert "It wants a client certificate." in error.cause
    assert "--client-cert" in error.hint
    other = Authority(authority.path.parent / "..", "stranger").issue("stranger client")
    with pytest.raises(Unusable) as caught:
        post(server.url, tls=Tls(ca_certs=trust, client_cert=other[0], client_key=other[1]))
    assert "unknown ca. It does not take the client certificate." in caught.value.cause
    certificate, key = authority.issue("client")
    post(server.url, tls=Tls(ca_certs=trust, client_cert=certificate, client_key=key))
    assert len(server.requests) == 1


def test_https_to_a_port_that_speaks_http(server: WildServer) -> None:
    error = refusal(f"https://127.0.0.1:{server.port}/mcp")
    assert isinstance(error, NotSent)
    assert error.sentence() == (
        f"The server https://127.0.0.1:{server.port} cannot be reached: it hung up when TLS began. "
        "Most likely this port does not speak https. If the server is on this machine, write "
        "http:// in the URL; else check its port."
    )


@pytest.mark.promise("R5")
@pytest.mark.parametrize("behaviour", [cut_in_body, cut_before_head])
def test_answer_cut_within_tls_may_have_been_executed(
    stack: ExitStack, authority: Authority, behaviour: Callable[[Exchange], None]
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("cut")))
    server.always("x", behaviour)
    error = refusal(server.url, tls=Tls(ca_certs=(str(authority.path),)))
    assert isinstance(error, Interrupted)


# ------------------------------------------------------------------ proxies


@pytest.mark.promise("S2")
@pytest.mark.parametrize("secure", [False, True])
def test_proxy_carries_several_calls_at_once_and_never_our_headers_in_connect(
    stack: ExitStack, authority: Authority, secure: bool
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("proxied")) if secure else WildServer())
    proxy = stack.enter_context(ForwardProxy("me:p@ss"))
    both = threading.Barrier(2)

    def together(one: Exchange) -> None:
        both.wait(10)
        one.good()

    server.always("x", together)

    async def main() -> None:
        client = await client_for(
            server.url,
            HEADERS,
            tls=Tls(ca_certs=(str(authority.path),)),
            http_proxy=Secret(f"http://me:p%40ss@{proxy.authority}"),
        )
        for _ in range(2):
            await asyncio.gather(exchange(client), exchange(client))
        await client.aclose()

    run(main())
    assert len(server.requests) == 4
    assert all(one.headers["x-key"] == HEADERS["X-Key"] for one in server.requests)
    if secure:
        assert all("proxy-authorization" not in one.headers for one in server.requests)
        assert len(proxy.requests) == 2  # one tunnel for each lane
        assert TOKEN not in repr(proxy.requests)


@pytest.mark.promise("S2")
@pytest.mark.report("T13")
@pytest.mark.parametrize(("status", "kind"), [(403, Refused), (407, Refused), (502, NotSent)])
def test_proxy_that_refuses(
    stack: ExitStack, authority: Authority, status: int, kind: type[ExchangeError]
) -> None:
    server = stack.enter_context(TlsServer(authority.issue("refused")))
    proxy = stack.enter_context(ForwardProxy("me:right"))
    proxy.refuse = status
    error = refusal(
        server.url,
        tls=Tls(ca_certs=(str(authority.path),)),
        http_proxy=Secret(f"http://me:{TOKEN}@{proxy.authority}"),
    )
    assert type(error) is kind
    assert f"The HTTP proxy http://{proxy.authority} (from ALL_PROXY) refused" in error.cause
    assert f": {status} No." in error.cause
    assert "ALL_PROXY" in error.hint or "NO_PROXY" in error.hint


@pytest.mark.report("T13")
def test_proxy_that_wants_credentials_for_plain_http(stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    proxy = stack.enter_context(ForwardProxy("me:right"))

    async def main() -> ExchangeError:
        client = await client_for(server.url, http_proxy=Secret(f"http://{proxy.authority}"))
        response = await client.request(b"POST", [])
        error = await client.fail(response, request=None, session_sent=False)
        await response.aclose()
        await client.aclose()
        return error

    error = run(main())
    assert type(error) is Refused
    assert error.cause == (
        f"The HTTP proxy http://{proxy.authority} (from ALL_PROXY) refused the connection: "
        "407 Proxy Authentication Required. It wants a name and a password."
    )
    assert server.requests == []


@pytest.mark.report("T13")
def test_proxy_that_is_not_there_is_named_with_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal("https://mcp.example.com/mcp", http_proxy=Secret(f"http://127.0.0.1:{port}"))
    assert type(error) is NotSent
    assert error.cause == (
        f"The HTTP proxy http://127.0.0.1:{port} (from ALL_PROXY) cannot be reached: "
        "Connection refused."
    )


@pytest.mark.parametrize("secure", [False, True])
def test_proxy_inside_tls(stack: ExitStack, authority: Authority, secure: bool) -> None:
    server = stack.enter_context(TlsServer(authority.issue("inner")) if secure else WildServer())
    proxy = stack.enter_context(ForwardProxy("me:p@ss", authority.issue("outer")))
    where = Secret(f"https://me:p%40ss@{proxy.authority}")
    trust = Tls(ca_certs=(str(authority.path),))
    for _ in range(2):
        post(server.url, tls=trust, http_proxy=where)
    assert len(server.requests) == len(proxy.requests) == 2
    error = refusal(server.url, http_proxy=where)
    assert isinstance(error, Unusable)
    assert "certificate is not trusted" in error.cause


@pytest.mark.report("S13")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 No\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["more than a tunnel", "another protocol", "not HTTP", "half"],
)
def test_proxy_whose_tunnel_is_none(stack: ExitStack, authority: Authority, answer: bytes) -> None:
    """Nothing of the request left: it may be sent again."""
    server = stack.enter_context(TlsServer(authority.issue("behind")))
    proxy = stack.enter_context(ForwardProxy())
    proxy.answer = answer
    error = refusal(
        server.url,
        tls=Tls(ca_certs=(str(authority.path),)),
        http_proxy=Secret(f"http://{proxy.authority}"),
    )
    assert isinstance(error, NotSent)
    assert server.requests == []


def test_proxy_that_is_silent(stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    error = refusal(
        "https://127.0.0.1:9/",
        timeouts=Timeouts(connect=0.2),
        http_proxy=Secret(f"http://127.0.0.1:{listener.getsockname()[1]}"),
    )
    assert isinstance(error, NotSent)
    assert "took too long" in error.cause


def test_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal("http://127.0.0.1:9/", http_proxy=Secret(f"http://127.0.0.1:{port}"))
    assert isinstance(error, NotSent)


def test_ipv4_only_reaches_a_name_with_both(server: WildServer) -> None:
    assert post(f"http://localhost:{server.port}/mcp", ipv4=True)


@pytest.mark.promise("R5")
def test_session_is_lost_only_where_one_was_named(server: WildServer) -> None:
    async def main() -> None:
        client = await client_for(server.url)
        for sent, kind in ((True, SessionLost), (False, Unusable)):
            server.script("x", answer_status(404))
            response = await client.request(b"POST", [], [CALL])
            error = await client.fail(response, request=None, session_sent=sent)
            assert type(error) is kind
            await response.aclose()
        await client.aclose()

    run(main())


# ------------------------------------------------------------------ proofs of possession

WANTS_NONCE = 'DPoP error="use_dpop_nonce"'


class Prover:
    """An `Authorizer` whose proof is the nonce it was given last."""

    def __init__(self, scheme: str = "DPoP") -> None:
        self.scheme = scheme
        self.nonce = b"none"
        self.refusals = self.acceptances = 0

    async def authorize(self, method: bytes, url: str) -> Sent:
        credential = (b"authorization", f"{self.scheme} token".encode())
        proof = (b"dpop", b"%b %b %b" % (method, url.encode(), self.nonce))
        headers = (credential, proof) if self.scheme == "DPoP" else (credential,)
        self.sent = Sent(Secret("token"), headers)
        return self.sent

    def take_nonce(self, nonce: bytes) -> None:
        self.nonce = nonce

    def accepted(self, sent: Sent) -> None:
        assert sent is self.sent
        self.acceptances += 1

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        self.refusals += 1
        return False

    async def aclose(self) -> None:
        """Nothing is under way."""


class Renewer(Prover):
    """An `Authorizer` that has another token for whatever is refused, once."""

    def __init__(self) -> None:
        super().__init__("Bearer")
        self.told: list[tuple[int, bytes]] = []

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        self.told.append((status, challenge))
        return len(self.told) == 1


TOKEN_ENDED = b'{"error": "invalid_token", "error_description": "expired"}'
JSON = {"Content-Type": "application/json"}


@pytest.mark.promise("L1")
@pytest.mark.report("O19")
@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_token_that_has_ended_is_told_whatever_the_status(
    server: WildServer, status: int
) -> None:
    server.script("POST", answer_status(status, TOKEN_ENDED, headers=JSON), answer_status(200))
    renewer = Renewer()
    assert statuses(server.url, renewer, b"POST") == [200]
    told = b'Bearer error="invalid_token", error_description="expired"'
    assert renewer.told == [(401, told)]


@pytest.mark.promise("L1")
@pytest.mark.report("O19")
@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("error", ["token_expired", "The access token expired"])
def test_a_challenge_in_other_words_is_read_whatever_the_status(
    server: WildServer, status: int, error: str
) -> None:
    challenge = f'Bearer error="{error}"'
    headers = {"WWW-Authenticate": challenge}
    server.script("POST", answer_status(status, headers=headers), answer_status(200))
    renewer = Renewer()
    assert statuses(server.url, renewer, b"POST") == [200]
    assert renewer.told == [(401, challenge.encode())]


@pytest.mark.promise("L1", "R2")
@pytest.mark.report("O19", "E1")
@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
def test_an_answer_with_the_id_is_never_a_refusal_of_the_token(
    server: WildServer, status: int, method: str
) -> None:
    body = b'{"jsonrpc": "2.0", "id": 7, "error": {"code": -32000, "message": "token expired"}}'
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    server.always("POST", answer_status(status, body, headers=JSON | challenge))
    asked = parse_message(b'{"jsonrpc": "2.0", "id": 7, "method": "%b"}' % method.encode())
    renewer = Renewer()
    assert statuses(server.url, renewer, b"POST", asked=asked) == [status]
    assert renewer.told == []
    assert len(server.received("POST")) == 1


@pytest.mark.promise("R5")
@pytest.mark.report("O19", "E1")
@pytest.mark.parametrize("body", [b"Token expired", b'{"error": "Token expired"}'])
@pytest.mark.parametrize(("method", "times"), [("tools/call", 1), ("tools/list", 2)])
def test_a_tools_words_of_another_token_are_no_second_run(
    server: WildServer, method: str, times: int, body: bytes
) -> None:
    server.always("POST", answer_status(500, body, headers=JSON))
    asked = parse_message(b'{"jsonrpc": "2.0", "id": 7, "method": "%b"}' % method.encode())
    renewer = Renewer()
    assert statuses(server.url, renewer, b"POST", asked=asked) == [500]
    assert len(server.received("POST")) == times
    assert len(renewer.told) == times, "the token is renewed all the same, for the next one"


@pytest.mark.promise("R6")
@pytest.mark.report("T4", "O14")
def test_no_connection_is_held_while_a_person_is_asked(server: WildServer) -> None:
    """A server that has one at a time could not be asked for its metadata."""
    challenge = {"WWW-Authenticate": 'Bearer resource_metadata="/.well-known/x"'}
    server.script("POST", answer_status(403, b"Sign in first", headers=challenge))

    class Asking(Prover):
        async def authorize(self, method: bytes, url: str) -> None:  # type: ignore[override]
            return None

        async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
            response = await client.request(b"DELETE", [], may_sign_in=False)
            await response.aclose()
            return False

    async def main() -> str:
        nonlocal client
        client = await client_for(server.url, authorizer=Asking())
        response = await client.request(b"POST", [])
        error = await client.fail(response, request=None, session_sent=False)
        await response.aclose()
        await client.aclose()
        return error.cause

    client: HttpClient
    assert 'Sign in first"' in run(main())
    post, delete = server.requests
    assert post.connection is delete.connection


def asks_for(nonce: str, challenge: str = WANTS_NONCE) -> Callable[[Exchange], None]:
    return answer_status(401, headers={"WWW-Authenticate": challenge, "DPoP-Nonce": nonce})


def statuses(url: str, prover: Prover, method: bytes, count: int = 1, **more: Any) -> list[int]:
    """Of that many requests, one after the other."""

    async def main() -> list[int]:
        client = await client_for(url, authorizer=prover)
        found: list[int] = []
        for _ in range(count):
            response = await client.request(method, [], **more)
            found.append(response.status)
            await response.read(1 << 20)
            await response.aclose()
        await client.aclose()
        return found

    return run(main())


@pytest.mark.report("T9")
@pytest.mark.promise("L3")
@pytest.mark.parametrize("shook_hands", [True, False])
def test_a_lost_session_costs_no_credential(server: WildServer, shook_hands: bool) -> None:
    body = b"Unauthorized: Session not found"
    server.always("x", answer_status(401, body, content_type="text/plain"))

    async def main() -> None:
        prover = Prover("Bearer")
        client = await client_for(server.url, authorizer=prover)
        response = await client.request(
            *(b"POST", [(b"mcp-session-id", b"s")], [CALL]), shook_hands=shook_hands
        )
        assert (response.status, prover.refusals) == (401, 0 if shook_hands else 1)
        await response.aclose()
        await client.aclose()

    run(main())


@pytest.mark.report("T16")
@pytest.mark.promise("L3")
@pytest.mark.parametrize("challenge", [None, "Bearer"])
def test_a_page_before_the_server_does_not_lead_to_a_sign_in(
    server: WildServer, challenge: str | None
) -> None:
    page, headers = b"<html>vercel.com/sso-api", {"WWW-Authenticate": challenge or ""}
    more = headers if challenge else {}
    server.always("POST", answer_status(401, page, content_type="text/html", headers=more))
    prover = Prover("Bearer")
    assert statuses(server.url, prover, b"POST")[0] == 401
    assert (prover.refusals > 0) is (challenge is not None)


@pytest.mark.promise("A3")
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_servers_nonce_is_in_the_next_proof(server: WildServer, method: str) -> None:
    """Also where nobody waits for the request: no person is asked."""
    fresh = answer_status(200, headers={"DPoP-Nonce": "third"})
    server.script(method, asks_for("first"), asks_for("second"), fresh, answer_status(200))
    prover = Prover()
    assert statuses(server.url, prover, method.encode(), 2, may_sign_in=False) == [200, 200]
    nonces = [one.headers["dpop"] for one in server.received(method)]
    wanted = ["none", "first", "second", "third"]
    assert nonces == [f"{method} {server.url} {nonce}" for nonce in wanted]
    assert (prover.refusals, prover.acceptances) == (0, 2)


@pytest.mark.promise("A3", "L5")
def test_a_server_that_never_takes_its_nonce_is_not_asked_forever(server: WildServer) -> None:
    server.always("POST", asks_for("again"))
    assert statuses(server.url, Prover(), b"POST") == [401]
    assert len(server.received("POST")) == 1 + MAX_ATTEMPTS


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("behaviour", "scheme"),
    [
        (asks_for("n", 'DPoP error="invalid_token"'), "DPoP"),
        (answer_status(401, headers={"WWW-Authenticate": WANTS_NONCE}), "DPoP"),
        (asks_for("n"), "Bearer"),
    ],
    ids=["another error", "no nonce", "no proof"],
)
def test_any_other_refusal_is_the_authorizers(
    server: WildServer, behaviour: Callable[[Exchange], None], scheme: str
) -> None:
    server.always("POST", behaviour)
    prover = Prover(scheme)
    assert statuses(server.url, prover, b"POST") == [401]
    assert prover.refusals == len(server.received("POST")) == 1


@pytest.mark.promise("L1")
@pytest.mark.parametrize("may_sign_in", [False, True], ids=["nobody waits", "somebody waits"])
def test_a_token_is_accepted_whoever_asked(server: WildServer, may_sign_in: bool) -> None:
    """Also by the stream and the end of the session: else its renewal would pass for vain."""
    answers = [answer_status(status) for status in (200, 202, 204, 404, 429, 500)]
    server.script("POST", *answers)
    prover = Prover("Bearer")
    statuses(server.url, prover, b"POST", len(answers), may_sign_in=may_sign_in)
    assert prover.acceptances == 3


# ------------------------------------------------------------------ how long until a person knows


def test_silent_server_is_told_of_once_and_a_slow_call_is_not(
    server: WildServer, caplog: pytest.LogCaptureFixture
) -> None:
    acquaintance = Acquaintance(is_known=False)

    def wait(one: Exchange) -> None:
        one.delay(0.1)
        one.good()

    server.always("tools/call", wait)
    server.always("initialize", wait)

    async def play(method: str) -> None:
        client = await client_for(server.url, acquaintance=acquaintance, silence=0.02)
        request = parse_message(encode_request(1, method, {"name": "canary"}))
        headers = [(b"content-type", b"application/json")]
        response = await client.request(b"POST", headers, request.pieces, asked=request)
        await response.aclose()
        await client.aclose()

    run(play("initialize"))
    assert acquaintance.has_answered
    assert caplog.messages == [
        f"{server.origin} does not answer initialize for 0.02 seconds; it is waited for 5 seconds "
        "in all (--headers-timeout)."
    ]
    run(play("tools/call"))
    assert len(caplog.messages) == 1
