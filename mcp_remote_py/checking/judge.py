"""Asks the official SDK's client what it makes of the server: a client that nobody here wrote.

It goes over HTTP of its own (httpx2), with the person's headers, token, certificates and proxy, and
to the server's own origin alone. It ends in time whatever the server sends, and says nothing to the
terminal. The one module that knows the SDK; its import takes half a second, so it is loaded when it
is needed. Must not know how a relay asks, nor what is said of the outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from typing import Any, NamedTuple, cast

import httpx2
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_remote_py.checking.talk import login_to
from mcp_remote_py.diagnosis.answer_flaws import Flaw, describe_flaws, describe_unread_message
from mcp_remote_py.diagnosis.judgements import Counted, Judgement
from mcp_remote_py.errors import one_line
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.url import ServerUrl

PING_COUNT = 5
"""Round trips of which the median is told."""

PAGES_COUNTED = 10
"""Pages of a list that are read."""

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Bytes of one answer: 10,000 tools with their schemas have ten million."""

MAX_COMPRESSED_BYTES = 64 * 1024
"""The same of one that is compressed, which nobody asked for: it may become a thousand times as
much."""

MAX_REQUESTS = 200
"""Requests that it sends: four lists and a few pings need sixty; a server that asks has an answer
to each."""

_TALKATIVE = ("mcp", "httpx2", "httpcore2", "asyncio")
"""Loggers that would tell of failures a second time, in words of their own."""

GetHeaders = Callable[[bytes, str], Awaitable[Sequence[tuple[bytes, bytes]]]]
"""The person's headers and credential for a request, by its method and URL."""


class JudgeError(Exception):
    """The client was stopped by us; its text says why."""


async def ask_judge(
    server: ServerUrl,
    get_headers: GetHeaders,
    take_nonce: Callable[[bytes], None],
    tls: ssl.SSLContext,
    proxy: HttpProxy | None,
    patience: float,
    *,
    over_sse: bool = False,
    ipv4: bool = False,
) -> Judgement:
    """What the client finds within `patience` seconds; never raises for what a server does.

    `over_sse`: over HTTP+SSE, else over Streamable HTTP. `take_nonce` gets what a server wants in
    proofs of possession.
    """
    clock = asyncio.get_running_loop()
    began = clock.time()
    seen = Judgement()
    transport = _OurTransport(server, get_headers, take_nonce, tls, proxy, ipv4=ipv4)

    def make_client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        del timeout, auth
        return httpx2.AsyncClient(
            transport=transport,
            headers={**(headers or {}), "accept-encoding": "identity"},
            timeout=None,  # else it may end before the whole, and its name be told
            trust_env=False,
        )

    def take(found: Judgement) -> None:
        nonlocal seen
        seen = found

    with _in_silence():
        try:
            async with asyncio.timeout(patience), contextlib.AsyncExitStack() as stack:
                if over_sse:
                    way = sse_client(str(server), httpx_client_factory=make_client)
                else:
                    http = await stack.enter_async_context(make_client())
                    way = streamable_http_client(str(server), http_client=http)
                client = Client(cast("Any", way), mode="legacy" if over_sse else "auto", cache=None)
                async with client:
                    await _look(client, take)
        except TimeoutError:
            error = transport.problem or f"it was not done within {patience:g} s"
            if not seen.counted:
                seen = seen.replace(error=error, is_late=not transport.problem)
        except Exception as error:
            if not seen.pings:  # else the work was done, and only its end was not clean
                failure = Failure(transport.problem) if transport.problem else _explain(error)
                seen = seen.replace(error=failure.said, raw=failure.raw)
        await asyncio.sleep(0)  # what was cancelled ends in the silence, too
    return seen.replace(seconds=clock.time() - began)


async def _look(client: Client, take: Callable[[Judgement], None]) -> None:
    about = client.server_info
    seen = Judgement(
        name="" if about is None else about.name,
        version="" if about is None else about.version,
        revision=client.protocol_version,
    )
    take(seen)
    capabilities = client.server_capabilities
    lists: list[tuple[str, bool, Any, str]] = [
        ("tools", capabilities.tools is not None, client.list_tools, "tools"),
        ("resources", capabilities.resources is not None, client.list_resources, "resources"),
        (
            "resource templates",
            capabilities.resources is not None,
            client.list_resource_templates,
            "resource_templates",
        ),
        ("prompts", capabilities.prompts is not None, client.list_prompts, "prompts"),
    ]
    for what, is_offered, ask, member in lists:
        if is_offered:
            counted = await _count(what, ask, member)
            seen = seen.replace(counted=(*seen.counted, counted))
            take(seen)
    is_modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
    method = "server/discover" if is_modern else "ping"
    clock = asyncio.get_running_loop()
    for _ in range(PING_COUNT):
        began = clock.time()
        if is_modern:
            await client.session.send_discover(client.protocol_version)
        else:
            await client.session.send_ping()
        seen = seen.replace(pings=(*seen.pings, clock.time() - began), ping_method=method)
        take(seen)


async def _count(what: str, ask: Any, member: str) -> Counted:
    count, cursor = 0, None
    try:
        for _ in range(PAGES_COUNTED):
            page = await ask(cursor=cursor)
            count += len(getattr(page, member))
            cursor = page.next_cursor
            if not cursor:
                return Counted(what, count)
    except TimeoutError:
        raise
    except Exception as error:
        failure = _explain(error)
        return Counted(what, count, error=failure.said, raw=failure.raw)
    return Counted(what, count, has_more=True)


class Failure(NamedTuple):
    """Why the client could not: its own words, or ours, with `raw` for what stood there."""

    said: str
    raw: str = ""


def _explain(error: BaseException) -> Failure:
    """Of several that are bundled, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseException", cast("Any", error).exceptions[0])
    words = one_line(str(error)) or type(error).__name__
    if hasattr(error, "errors") and hasattr(error, "title"):
        # A ValidationError of pydantic's, which is a dependency of the SDK's and none of ours.
        invalid = cast("Any", error)
        flaws = [_read_flaw(one) for one in invalid.errors()]
        return Failure(describe_flaws(invalid.title, flaws), words)
    unread = describe_unread_message(words)
    return Failure(unread, words) if unread else Failure(words)


def _read_flaw(one: Any) -> Flaw:
    return Flaw(tuple(one["loc"]), one["type"], str(one.get("ctx", {}).get("expected", "")))


@contextlib.contextmanager
def _in_silence() -> Generator[None]:
    """Nothing of what the SDK logs or warns of comes to the terminal."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(one.level, one.propagate) for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
        one.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, (level, propagate) in zip(loggers, before, strict=True):
            one.setLevel(level)
            one.propagate = propagate


# HTTP ----------------------------------------------------------------------------------------


class _OurTransport(httpx2.AsyncBaseTransport):
    """httpx2's own, with the person's headers and within bounds.

    Attributes:
        problem: why it has stopped the client, "" where it has not.
    """

    def __init__(
        self,
        server: ServerUrl,
        get_headers: GetHeaders,
        take_nonce: Callable[[bytes], None],
        tls: ssl.SSLContext,
        proxy: HttpProxy | None,
        *,
        ipv4: bool,
    ) -> None:
        self._server = server
        self._get_headers = get_headers
        self._take_nonce = take_nonce
        self.problem = ""
        self._requests = 0
        through = None if proxy is None else httpx2.Proxy(proxy.address, auth=login_to(proxy))
        self._http = httpx2.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,
            proxy=through,
            local_address="0.0.0.0" if ipv4 else None,  # noqa: S104 - no listener: where we are
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        place = f"{request.url.scheme}://{request.url.netloc.decode()}"
        if place != self._server.origin:
            # The person's headers are for this server alone.
            raise self.stop(f"it was led to another place, {place}, and not followed")
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            raise self.stop(f"it was asked for more than {MAX_REQUESTS} requests, and stopped")
        answer = await self._send(request)
        nonce = answer.headers.get("dpop-nonce")
        if nonce is not None:
            self._take_nonce(nonce.encode("latin-1"))
            if answer.status_code == 401 and isinstance(request.stream, httpx2.ByteStream):
                await answer.aclose()
                answer = await self._send(request)
        is_compressed = answer.headers.get("content-encoding", "identity") != "identity"
        limit = MAX_COMPRESSED_BYTES if is_compressed else MAX_ANSWER_BYTES
        stream = _BoundedStream(cast("httpx2.AsyncByteStream", answer.stream), limit, self)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=stream)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        given = await self._get_headers(request.method.encode(), str(request.url))
        names = {name.lower() for name, _ in given}
        ours = [pair for pair in request.headers.raw if pair[0].lower() not in names]
        sent = httpx2.Request(
            request.method,
            request.url,
            headers=[*ours, *given],
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._http.handle_async_request(sent)

    def stop(self, problem: str) -> JudgeError:
        """Ends the client, whatever it reads now; gives what to raise."""
        self.problem = self.problem or problem
        return JudgeError(problem)

    async def aclose(self) -> None:
        await self._http.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    """A body that ends with an error where it is longer than `limit` bytes, or `owner` stopped."""

    def __init__(self, body: httpx2.AsyncByteStream, limit: int, owner: _OurTransport) -> None:
        self._body = body
        self._limit = limit
        self._owner = owner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came = 0
        async for piece in self._body:
            came += len(piece)
            if came > self._limit:
                raise self._owner.stop(
                    f"an answer of more than {self._limit} bytes was not read on"
                )
            if self._owner.problem:
                raise JudgeError(self._owner.problem)
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()
