"""What a proxy hears and what becomes of its answer: on sockets, with a proxy that speaks bytes."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_remote_py.errors import EVIDENCE_BYTES, Refused
from mcp_remote_py.net.exchange import Connection
from mcp_remote_py.net.faults import Broken, ConnectTimeout, Fault, NotConnected, ProxyRefusal
from mcp_remote_py.net.proxy import WORDS_TIMEOUT, connect_through, refuse_request
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.url import ServerUrl
from tests.fakes import run
from tests.net.servers import GOOD, PATIENCE, Speak, answering, ask, server_tls, serving
from tests.peers.launch import free_port

TUNNEL = b"HTTP/1.1 200 OK\r\n\r\n"
BEHIND = parse_server_url("https://[2001:db8::1]/mcp")
IN_CLEAR = parse_server_url("http://e.example:8080/mcp", allow_http=True)
USER = Secret("m%C3%A9:p%40ss:word")


def proxy_at(port: int, scheme: str = "http", user_info: Secret | None = None) -> HttpProxy:
    return HttpProxy(scheme, "localhost", port, user_info, "ALL_PROXY")


def needs_no_tls() -> ssl.SSLContext:
    raise AssertionError("the proxy speaks plain http")


async def reach(
    proxy: HttpProxy,
    url: ServerUrl,
    tls: ssl.SSLContext | None = None,
    build_proxy_tls: Callable[[], ssl.SSLContext] = needs_no_tls,
    seconds: float = PATIENCE,
) -> Connection:
    return await connect_through(proxy, url, tls, build_proxy_tls, seconds, ipv4=True)


def meet(speak: Speak, kind: type[Fault], seconds: float = PATIENCE, url: str = "") -> Fault:
    """The fault of a tunnel through the proxy that speaks so; its connection is not left open."""

    async def main() -> Fault:
        over = asyncio.Event()

        async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await speak(reader, writer)
                await reader.read()
            finally:
                over.set()

        async with serving(watched) as server:
            where = parse_server_url(url) if url else BEHIND
            with pytest.raises(kind) as caught:
                await reach(
                    proxy_at(server.port), where, ssl.create_default_context(), seconds=seconds
                )
            await asyncio.wait_for(over.wait(), PATIENCE)
            assert caught.value.proxy == f"http://localhost:{server.port} (from ALL_PROXY)"
        return caught.value

    return run(main())


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("user_info", "line"),
    [
        (None, b""),
        (USER, b"proxy-authorization: Basic " + b64encode("mé:p@ss:word".encode()) + b"\r\n"),
    ],
)
def test_plain_http_is_asked_of_the_proxy_by_its_whole_url(
    user_info: Secret | None, line: bytes
) -> None:
    heard: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(GOOD)

    async def main() -> None:
        async with serving(speak) as server:
            connection = await reach(proxy_at(server.port, user_info=user_info), IN_CLEAR)
            assert await ask(connection) == (200, b"good")
            connection.close()

    run(main())
    assert heard == [
        b"POST http://e.example:8080/ HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n"
        + line
        + b"\r\n"
    ]


@pytest.mark.promise("S2")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_with_the_server_begins_in_the_tunnel_and_the_proxy_hears_its_own_only(
    pem: Path, scheme: str
) -> None:
    """With a proxy that speaks https, that is TLS in TLS."""
    heard: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        there, back = await asyncio.open_connection("127.0.0.1", inner)
        writer.write(TUNNEL)
        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            back.close()
            writer.close()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    inner = 0

    async def main() -> None:
        nonlocal inner
        context = server_tls(pem)
        trust = ssl.create_default_context(cafile=pem)
        behind = await asyncio.start_server(answering(GOOD), "127.0.0.1", 0, ssl=context)
        inner = behind.sockets[0].getsockname()[1]
        outer = await asyncio.start_server(
            speak, "127.0.0.1", 0, ssl=context if scheme == "https" else None
        )
        proxy = proxy_at(outer.sockets[0].getsockname()[1], scheme, Secret("me:xyzzy-4711"))
        url = parse_server_url(f"https://localhost:{inner}/mcp")
        build = (lambda: trust) if scheme == "https" else needs_no_tls
        connection = await reach(proxy, url, trust, build)
        assert await ask(connection) == (200, b"good")
        connection.close()
        for server in (behind, outer):
            server.close()
            await asyncio.wait_for(server.wait_closed(), PATIENCE)

    run(main())
    said = b"proxy-authorization: Basic " + b64encode(b"me:xyzzy-4711")
    assert heard == [
        b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:%d\r\n%b\r\n\r\n" % (inner, inner, said)
    ]


def test_the_address_of_ipv6_stands_in_brackets() -> None:
    heard: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    meet(speak, Broken)
    assert heard == [b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n\r\n"]


@pytest.mark.report("T13")
def test_a_refusal_has_the_proxys_words_and_ways_to_sign_in() -> None:
    answer = (
        b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: NTLM\r\nproxy-authenticate: Basic x=y\r\n"
        b"content-length: 20\r\n\r\n<p>Ask the desk.</p>"
    )
    fault = meet(answering(answer), ProxyRefusal)
    assert isinstance(fault, ProxyRefusal)
    assert str(fault) == '407 Who are you: "Ask the desk."'
    assert (fault.status, fault.schemes) == (407, ("NTLM", "Basic"))
    assert fault.target == "[2001:db8::1]:443"
    assert (fault.knows_us, fault.variable, fault.is_beyond) == (False, "ALL_PROXY", False)


@pytest.mark.report("T13")
@pytest.mark.parametrize("rest", [b"", b"half"], ids=["never", "half"])
def test_words_that_do_not_come_do_not_hold_a_refusal_up(rest: bytes) -> None:
    head = b"HTTP/1.1 403 No\r\ncontent-length: 99\r\n\r\n" + rest

    async def main() -> float:
        begun = asyncio.get_running_loop().time()
        async with serving(answering(head)) as server:
            with pytest.raises(ProxyRefusal) as caught:
                await reach(proxy_at(server.port), BEHIND, ssl.create_default_context())
        assert str(caught.value) == ('403 No: "half"' if rest else "403 No")
        return asyncio.get_running_loop().time() - begun

    assert run(main()) < WORDS_TIMEOUT + PATIENCE


@pytest.mark.report("T13")
def test_words_without_an_end_are_not_read_to_it() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    fault = meet(speak, ProxyRefusal)
    assert str(fault).startswith('403 No: "xxx')
    assert len(str(fault)) <= EVIDENCE_BYTES + 20


@pytest.mark.report("S13")
def test_what_comes_before_the_server_could_begin_is_not_taken_for_its_own() -> None:
    fault = meet(answering(TUNNEL + GOOD), ProxyRefusal)
    assert str(fault) == "it sent data or hung up before the server could begin"
    assert not fault.is_beyond


def test_a_proxy_that_does_not_answer_is_given_up_in_time() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    fault = meet(speak, ConnectTimeout, 0.2)
    assert str(fault) == "no tunnel within 0.2 seconds"
    assert not fault.is_beyond


@pytest.mark.report("T13")
def test_what_happens_in_the_tunnel_is_not_the_proxys() -> None:
    fault = meet(answering(TUNNEL, b""), NotConnected, 0.2)
    assert fault.is_beyond
    assert str(fault) == "TLS did not begin in 0.2 seconds"


def test_a_proxy_that_is_not_there_is_named() -> None:
    port = free_port()

    async def main() -> None:
        with pytest.raises(NotConnected, match="refused") as caught:
            await reach(proxy_at(port), IN_CLEAR)
        assert caught.value.proxy == f"http://localhost:{port} (from ALL_PROXY)"

    run(main())


def test_what_is_no_fault_passes_and_leaves_no_connection() -> None:
    """Such as the context for TLS with the proxy, which a wrong file keeps from being made."""

    async def main() -> None:
        async with serving(answering(b"")) as server:
            proxy = proxy_at(server.port, "https")
            with pytest.raises(AssertionError, match="plain http"):
                await reach(proxy, BEHIND, ssl.create_default_context())
            await asyncio.wait_for(server.gone.wait(), PATIENCE)

    run(main())


@pytest.mark.report("T13")
def test_a_request_in_clear_that_the_proxy_refuses_is_told_as_its_tunnel_would_be() -> None:
    proxy = HttpProxy("http", "proxy.example", 3128, USER)
    error = refuse_request(proxy, b"No", [], b"Ask the desk", "e.example:8080")
    assert type(error) is Refused
    assert error.cause == (
        'The HTTP proxy http://proxy.example:3128 refused the connection: 407 No: "Ask the desk". '
        "It does not take the name and the password that it was given."
    )
    assert "HTTPS_PROXY" in error.hint  # where the variable is not known, the usual one
