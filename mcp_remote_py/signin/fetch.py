"""Does a conversation's HTTP requests: bounded, with none of the person's own headers.

These go to authorization servers and metadata documents, which are other origins than the MCP
server's (promise S2). So only the probe of that server itself carries these headers and shows the
client certificate. The proxy is chosen for each request, and `border` judges where it leads.
Redirects are followed for GET within the origin only. The one place of this folder that sends a
request. Must not know what it is for.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple, cast

from mcp_remote_py import __version__
from mcp_remote_py.bounds import open_body
from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Unusable
from mcp_remote_py.net.exchange import KEEPALIVE_EXPIRY
from mcp_remote_py.net.faults import (
    Broken,
    ConnectTimeout,
    Fault,
    IllegalAnswer,
    NotConnected,
    ProxyRefusal,
    Silence,
)
from mcp_remote_py.net.mapping import explain
from mcp_remote_py.oauth.document import lead_within
from mcp_remote_py.oauth.dpop import prove
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, Fetch, HttpRequest, HttpResponse
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.redact import mask_url, remember, remember_briefly
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.settings.network import (
    FETCH_TIMEOUT,
    POST_TIMEOUT,
    Network,
    RequestLimits,
    SignInTimeouts,
)
from mcp_remote_py.signin.border import LOCATE_TIMEOUT, Border, OutOfReach, find_peer
from mcp_remote_py.signin.sockets import AsyncioBackend, begin_body
from mcp_remote_py.tls import build_tls_context
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_origin
from mcp_remote_py.versions import NEWEST_HANDSHAKE

if "httpx" not in sys.modules:
    # httpx imports its command line where click and rich happen to be installed: 0.16 s.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]

import httpcore
import httpx

_NOTHING_SAID = SignInTimeouts()

MAX_METADATA_REDIRECTS = 3

_TELL_OPERATOR = "Tell whoever runs the server."

_NO_COOKIES = DefaultCookiePolicy(allowed_domains=())
"""Cookies are for the MCP server's own messages; httpx would keep any number, for all ports."""


class _Way(NamedTuple):
    """A way for requests to go out; those of one way share their connections."""

    proxy: HttpProxy | None
    certified: bool
    """Whether the client certificate is shown."""
    judged: bool
    """Whether the border is asked whom to connect to."""


class Fetcher:
    """A plain HTTP client, beside the MCP server `server`.

    `build_tls` is called when the first request of a kind is made, and told whether the client
    certificate belongs into it; `choose_proxy` for every request. `now`, in seconds since the
    epoch, and `random_bytes` are for proofs of possession. The limits are in seconds: for a
    document, where something is done for it, and where a person's consent is spent; `timeouts` is
    what the person says of them.
    """

    def __init__(
        self,
        server: ServerUrl,
        border: Border,
        build_tls: Callable[[bool], ssl.SSLContext],
        choose_proxy: Callable[[ServerUrl], HttpProxy | None],
        now: Callable[[], float],
        random_bytes: RandomBytes,
        fetch_timeout: float = FETCH_TIMEOUT,
        post_timeout: float = POST_TIMEOUT,
        *,
        timeouts: SignInTimeouts = _NOTHING_SAID,
        ipv4: bool = False,
    ) -> None:
        self._server = server
        self.border = border
        self._build_tls = build_tls
        self._choose_proxy = choose_proxy
        self._ipv4 = ipv4
        self._now = now
        self._random_bytes = random_bytes
        self._timeouts = timeouts
        self._document_limits = timeouts.limit(fetch_timeout)
        self._deed_limits = timeouts.limit(post_timeout)
        self._clients: dict[_Way, httpx.AsyncClient] = {}

    async def fetch(self, step: Fetch) -> HttpResponse:
        """The answer, whatever its status.

        Raises:
            NotSent: no connection.
            Interrupted: no answer, or not in time.
            Unusable: the answer is larger than `MAX_BODY_BYTES`, or redirects elsewhere.
            SignInFailed: it leads where the MCP server must not lead us.
        """
        limits = self._document_limits if step.request.method == "GET" else self._deed_limits
        if step.patience is not None:
            limits = self._timeouts.limit(step.patience)
        try:
            async with asyncio.timeout(limits.whole):
                if not step.follow_redirects:
                    return await self._once(step.request, limits)
                return await self._follow(step.request, limits)
        except TimeoutError:
            raise _too_late(step.request.url, limits) from None

    async def _follow(self, request: HttpRequest, limits: RequestLimits) -> HttpResponse:
        url = request.url
        for _ in range(MAX_METADATA_REDIRECTS + 1):
            response = await self._once(request._replace(url=url), limits)
            location = response.headers.get("location", "")
            if request.method != "GET" or response.status not in (301, 302, 307, 308):
                return response
            target = lead_within(url, location)
            if not location or not target:
                return response
            url = target
        where = mask_url(request.url)
        raise Unusable(
            f"{where} redirects more than {MAX_METADATA_REDIRECTS} times.", hint=_TELL_OPERATOR
        )

    async def _once(self, request: HttpRequest, limits: RequestLimits) -> HttpResponse:
        where = mask_url(request.url)
        client = await self._find_client(request.url)
        headers = {name: value.reveal() for name, value in request.headers}
        if request.proof is not None:
            proof = prove(
                request.proof, request.method, request.url, self._now(), self._random_bytes
            )
            headers["DPoP"] = proof.reveal()
            remember_briefly(proof)
        try:
            async with client.stream(
                request.method,
                request.url,
                headers=headers,
                content=None if request.body is None else request.body.reveal(),
                timeout=_until_head(limits),
            ) as response:
                # httpcore reads this mapping anew when the body is read.
                response.request.extensions["timeout"]["read"] = limits.body
                body = await _read_body(response, where)
                answered = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(response.status_code, answered, body)
        except OutOfReach as refused:
            raise await self.border.explain(refused, request.url) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise map_error(error, where) from error

    async def _find_client(self, url: str) -> httpx.AsyncClient:
        """The client for `url`; where a proxy connects instead of us, it is judged now."""
        try:
            place = parse_origin(url)
        except InvalidUrl as error:
            raise Unusable(
                f"{mask_url(url)} cannot be used: {error.cause}", hint=_TELL_OPERATOR
            ) from None
        proxy = self._choose_proxy(place)
        if proxy is not None:
            await self.border.check(url)
        certified = place.origin == self._server.origin
        return self._open(_Way(proxy, certified, not self.border.is_named(place)))

    def _open(self, way: _Way) -> httpx.AsyncClient:
        if way in self._clients:
            return self._clients[way]
        client = self._clients[way] = httpx.AsyncClient(
            transport=_Transport(self._open_pool(way)),
            trust_env=False,
            cookies=CookieJar(_NO_COOKIES),
            follow_redirects=False,
            headers={
                "user-agent": f"mcp-remote-py/{__version__}",
                "accept": "application/json",
                "accept-encoding": "identity",
                "mcp-protocol-version": NEWEST_HANDSHAKE,
            },
        )
        return client

    def _open_pool(self, way: _Way) -> httpcore.AsyncConnectionPool:
        tls = self._build_tls(way.certified)
        if way.proxy is None:
            choose = self.border.choose if way.judged else None
            network = AsyncioBackend(ipv4=self._ipv4, choose=choose)
            return httpcore.AsyncConnectionPool(
                tls, keepalive_expiry=KEEPALIVE_EXPIRY, network_backend=network
            )
        proxy = way.proxy
        remember(proxy.secrets)
        return httpcore.AsyncHTTPProxy(
            proxy_url=proxy.address,
            proxy_auth=proxy.credentials,
            ssl_context=tls,
            proxy_ssl_context=self._build_tls(False) if proxy.scheme == "https" else None,
            keepalive_expiry=KEEPALIVE_EXPIRY,
            network_backend=AsyncioBackend(ipv4=self._ipv4),
        )

    async def aclose(self) -> None:
        """Closes connections."""
        for client in self._clients.values():
            await client.aclose()


def build_fetcher(
    server: ServerUrl,
    network: Network,
    named: Iterable[str],
    server_address: Callable[[], str],
    now: Callable[[], float],
    random_bytes: RandomBytes,
) -> Fetcher:
    """The fetcher of a process, with its border.

    `named` are the origins that the person named, and `server_address` is where the server was
    connected to last, "" where it was not.
    """

    def build_tls(certified: bool) -> ssl.SSLContext:
        return build_tls_context(network.tls, certified=certified)

    async def locate() -> str:
        limit = network.sign_in_timeouts.limit(LOCATE_TIMEOUT).connect or LOCATE_TIMEOUT
        return server_address() or await find_peer(
            server, lambda: build_tls(True), network.ipv4, limit
        )

    border = Border(
        server,
        named,
        locate,
        proxied=network.proxy_for(server) is not None,
        private_allowed=network.allow_private_network,
    )
    return Fetcher(
        server,
        border,
        build_tls,
        network.proxy_for,
        now,
        random_bytes,
        timeouts=network.sign_in_timeouts,
        ipv4=network.ipv4,
    )


class _Transport(httpx.AsyncBaseTransport):
    """httpx's own, on a pool of ours."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=cast("httpx.AsyncByteStream", request.stream),
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except Exception as error:
            raise to_httpx(error) from error
        begin_body(answer)
        stream = _Stream(cast("AsyncIterable[bytes]", answer.stream), answer.aclose)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, pieces: AsyncIterable[bytes], close: Callable[[], Awaitable[None]]) -> None:
        self._pieces = pieces
        self._close = close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                yield piece
        except Exception as error:
            raise to_httpx(error) from error

    async def aclose(self) -> None:
        await self._close()


def to_httpx(error: Exception) -> Exception:
    """Httpx's error for one of httpcore's, which has the same name; others stay."""
    kind = getattr(httpx, type(error).__name__, None)
    return error if kind is None else kind(str(error))


async def _read_body(response: httpx.Response, where: str) -> bytes:
    """The body, decoded by us: httpx undoes as many layers as it is told of, in one go each."""
    # httpx reads UTF-8 in a header, where it is some.
    coding = response.headers.get("content-encoding", "").encode("utf-8", "replace")
    decoder = open_body(coding, where)
    body = bytearray()
    came = 0
    async for piece in response.aiter_raw():
        came += len(piece)
        for made in (piece,) if decoder is None else decoder.feed(piece):
            body += made
            if max(len(body), came) > MAX_BODY_BYTES:
                raise Unusable(
                    f"{where} answered with more than {MAX_BODY_BYTES} bytes.",
                    hint="Metadata and answers with tokens are small: check the server's setup.",
                )
    if decoder is not None:
        decoder.end()
    return bytes(body)


def _until_head(limits: RequestLimits) -> httpx.Timeout:
    return httpx.Timeout(
        connect=limits.connect, read=limits.headers, write=limits.headers, pool=limits.whole
    )


def _too_late(url: str, limits: RequestLimits) -> Interrupted:
    return Interrupted(
        f"{mask_url(url)} did not answer in {limits.whole:g} seconds.",
        hint="Try again later, or raise --headers-timeout.",
    )


_FAULTS: tuple[tuple[type[Exception], type[Fault]], ...] = (
    (httpx.ConnectTimeout, ConnectTimeout),
    (httpx.TimeoutException, Silence),
    (httpx.ProxyError, ProxyRefusal),
    (httpx.ConnectError, NotConnected),
    (httpx.RemoteProtocolError, IllegalAnswer),
)
"""Faults of `net` for httpx's errors; the first that fits counts. All others are `Broken`."""


def map_error(error: Exception, where: str) -> ExchangeError:
    """One of ours for one of httpx's, in the words that a relay has for it."""
    reason = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.DecodingError)):
        return Unusable(f"{where} cannot be used: {reason}.", hint=_TELL_OPERATOR)
    kind = next((ours for theirs, ours in _FAULTS if isinstance(error, theirs)), Broken)
    fault = kind(reason)
    fault.__cause__ = error
    if isinstance(fault, ProxyRefusal) and reason[:3].isdecimal():
        fault.status = int(reason[:3])  # all that httpcore tells of it
    mapped = cast("ExchangeError", explain(fault, sent=True, where=where))
    if isinstance(error, httpx.ConnectError | httpx.ProxyError) and not isinstance(mapped, NotSent):
        # TLS comes before anything is sent, and another network may have another one.
        return NotSent(mapped.cause, hint=mapped.hint)
    return mapped if mapped.hint else mapped.with_hint("Try again later.")
