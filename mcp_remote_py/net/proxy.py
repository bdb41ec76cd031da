"""Connections through a proxy: plain http is forwarded by it, https goes through a tunnel.

A proxy sees of https the name of the server and its own credentials. Must not know which proxy is
to be used.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable

from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.exchange import Connection, Request
from mcp_remote_py.net.faults import ConnectTimeout, ProxyRefusal
from mcp_remote_py.net.http1 import Pair
from mcp_remote_py.net.wire import Wire
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.url import ServerUrl


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
    wire = await connect(proxy.host, proxy.port, seconds, ipv4=ipv4)
    try:
        if proxy.scheme == "https":
            await wire.start_tls(build_proxy_tls(), proxy.host, seconds)
        credentials: list[Pair] = []
        if proxy.credentials is not None:
            pair = b":".join(proxy.credentials)
            credentials = [(b"proxy-authorization", b"Basic " + b64encode(pair))]
        if tls is None:
            return Connection(wire, url.origin.encode(), credentials)
        await _open_tunnel(wire, url, credentials, seconds)
        await wire.start_tls(tls, url.host, seconds)
    except BaseException:
        wire.close()
        raise
    return Connection(wire)


async def _open_tunnel(
    wire: Wire, url: ServerUrl, credentials: list[Pair], seconds: float | None
) -> None:
    host = f"[{url.host}]" if ":" in url.host else url.host
    authority = f"{host}:{url.port}".encode()
    request = Request(b"CONNECT", authority, [(b"host", authority), *credentials])
    try:
        async with asyncio.timeout(seconds):
            answer = await Connection(wire).exchange(request, None)
    except TimeoutError:
        raise ConnectTimeout(f"no tunnel within {seconds:g} seconds") from None
    if answer.status >= 300:
        raise ProxyRefusal(f"{answer.status} {answer.reason.decode('latin-1')}")
    if wire.has_spoken:  # it would be taken for the server's
        raise ProxyRefusal("it sent data or hung up before the server could begin")
