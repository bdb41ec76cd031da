"""Connections through a proxy: plain http is forwarded by it, https goes through a tunnel.

A proxy sees of https the name of the server and its own credentials. Must not know which proxy is
to be used.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable

from mcp_remote_py.errors import EVIDENCE_BYTES, ExchangeError, excerpt, shorten
from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.exchange import Connection, Request
from mcp_remote_py.net.faults import ConnectTimeout, Fault, ProxyRefusal
from mcp_remote_py.net.http1 import Pair
from mcp_remote_py.net.proxy_refusals import explain_proxy_refusal, read_schemes
from mcp_remote_py.net.wire import Wire
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.url import ServerUrl

WORDS_TIMEOUT = 1.0
"""Seconds for the body of a refusal."""


async def connect_through(
    proxy: HttpProxy,
    url: ServerUrl,
    tls: ssl.SSLContext | None,
    build_proxy_tls: Callable[[], ssl.SSLContext],
    seconds: float | None,
    *,
    ipv4: bool = False,
) -> Connection:
    """A connection to the server of `url` through `proxy`; `tls` is for https.

    `seconds` is for each step: the connection, TLS with the proxy, the tunnel, TLS in it.

    Raises:
        Fault: it did not come about.
    """
    is_beyond = False
    wire: Wire | None = None
    try:
        wire = await connect(proxy.host, proxy.port, seconds, ipv4=ipv4)
        if proxy.scheme == "https":
            await wire.start_tls(build_proxy_tls(), proxy.host, seconds)
        credentials: list[Pair] = []
        if proxy.credentials is not None:
            pair = b":".join(proxy.credentials)
            credentials = [(b"proxy-authorization", b"Basic " + b64encode(pair))]
        if tls is None:
            return Connection(wire, url.origin.encode(), credentials)
        await _open_tunnel(wire, url, credentials, seconds)
        is_beyond = True
        await wire.start_tls(tls, url.host, seconds)
    except BaseException as error:
        if wire is not None:
            wire.close()
        if isinstance(error, Fault):
            _name_proxy(error, proxy)
            error.is_beyond = is_beyond
        raise
    return Connection(wire)


async def _open_tunnel(
    wire: Wire, url: ServerUrl, credentials: list[Pair], seconds: float | None
) -> None:
    host = f"[{url.host}]" if ":" in url.host else url.host
    authority = f"{host}:{url.port}".encode()
    request = Request(b"CONNECT", authority, [(b"host", authority), *credentials])
    tunnel = Connection(wire)
    try:
        async with asyncio.timeout(seconds):
            answer = await tunnel.exchange(request, None)
    except TimeoutError:
        raise ConnectTimeout(f"no tunnel within {seconds:g} seconds") from None
    if answer.status >= 300:
        words = await _read_words(tunnel)
        raise make_refusal(answer.status, answer.reason, answer.headers, words, authority.decode())
    if wire.has_spoken:  # it would be taken for the server's
        raise ProxyRefusal("it sent data or hung up before the server could begin")


def make_refusal(
    status: int, reason: bytes, headers: Iterable[Pair], words: bytes, target: str
) -> ProxyRefusal:
    """The fault that the answer of a proxy stands for, with its own `words`."""
    said, more = shorten(f"{status} {reason.decode('latin-1')}"), excerpt(words)
    refusal = ProxyRefusal(f'{said}: "{more}"' if more else said)
    refusal.status = status
    offered = [value for name, value in headers if name == b"proxy-authenticate"]
    refusal.schemes = read_schemes(b",".join(offered))
    refusal.target = target
    return refusal


def refuse_request(
    proxy: HttpProxy, reason: bytes, headers: Iterable[Pair], words: bytes, target: str
) -> ExchangeError:
    """The error of a request in clear to `target` that the proxy answered with 407 itself."""
    refusal = make_refusal(407, reason, headers, words, target)
    _name_proxy(refusal, proxy)
    return explain_proxy_refusal(refusal, str(refusal))


def _name_proxy(fault: Fault, proxy: HttpProxy) -> None:
    fault.proxy = proxy.name
    if isinstance(fault, ProxyRefusal):
        fault.knows_us = proxy.user_info is not None
        fault.variable = proxy.variable or fault.variable


async def _read_words(tunnel: Connection) -> bytes:
    """The first words of a refusal, as far as they come soon."""
    words = b""
    with contextlib.suppress(Fault, TimeoutError):
        async with asyncio.timeout(WORDS_TIMEOUT):
            while len(words) < EVIDENCE_BYTES and (piece := await tunnel.read_piece(None)):
                words += piece
    return words
