"""Does a conversation's HTTP requests: bounded, with none of the person's own headers.

They go to authorization servers and metadata documents, which are other origins than the MCP
server's (promise S2); only the probe of that server itself carries these headers. Redirects
are followed for GET within the origin only. The one place of this folder that knows an HTTP
library. Must not know what a request is for.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit

from mcp_remote_py import __version__
from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Unusable
from mcp_remote_py.oauth.dpop import prove
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, Fetch, Request, Response
from mcp_remote_py.redact import Secret, mask_url, remember_briefly
from mcp_remote_py.settings import Header

if "httpx" not in sys.modules:
    # httpx imports its command line where click and rich happen to be installed: 0.16 s.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]

import httpx

FETCH_TIMEOUT = 5.0
POST_TIMEOUT = 15.0
"""Seconds for one request in all: for a document, and where something is done for it. A person
waits, and a host does (field note 29)."""

MAX_REDIRECTS = 3

PROBE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":{},"clientInfo":{"name":"mcp-remote-py","version":"1"}}}'
)


class Fetcher:
    """A plain HTTP client; `build_tls` is called when the first request is made.

    `now`, in seconds since the epoch, and `random_bytes` are for proofs of possession. The limits
    are in seconds: for a document, and where something is done for it.
    """

    def __init__(
        self,
        build_tls: Callable[[], ssl.SSLContext],
        proxy: Secret | None,
        now: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        fetch_timeout: float = FETCH_TIMEOUT,
        post_timeout: float = POST_TIMEOUT,
    ) -> None:
        self._build_tls = build_tls
        self._proxy = proxy
        self._now = now
        self._random_bytes = random_bytes
        self._fetch_timeout = fetch_timeout
        self._post_timeout = post_timeout
        self._client: httpx.AsyncClient | None = None

    async def fetch(self, step: Fetch) -> Response:
        """The answer, whatever its status.

        Raises:
            NotSent: no connection.
            Interrupted: no answer, or not in time.
            Unusable: the answer is larger than `MAX_BODY_BYTES`, or redirects elsewhere.
        """
        seconds = self._fetch_timeout if step.request.method == "GET" else self._post_timeout
        try:
            async with asyncio.timeout(seconds):
                if not step.follow_redirects:
                    return await self._once(step.request)
                return await self._follow(step.request)
        except TimeoutError:
            raise _too_late(step.request.url, seconds) from None

    async def _follow(self, request: Request) -> Response:
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._once(request._replace(url=url))
            location = response.headers.get("location", "")
            if request.method != "GET" or response.status not in (301, 302, 307, 308):
                return response
            try:
                target = urljoin(url, location)
                leads_elsewhere = urlsplit(target)[:2] != urlsplit(url)[:2]
            except ValueError:  # what a server wrote there is no URL
                return response
            if not location or leads_elsewhere:
                return response
            url = target
        raise Unusable(f"{mask_url(request.url)} redirects more than {MAX_REDIRECTS} times.")

    async def _once(self, request: Request) -> Response:
        client = self._client or self._open()
        where = mask_url(request.url)
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
            ) as response:
                body = b""
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_BODY_BYTES:
                        raise Unusable(
                            f"{where} answered with more than {MAX_BODY_BYTES} bytes.",
                            hint="That is no metadata or token answer: check the server's setup.",
                        )
                answered = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, answered, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise map_error(error, where) from error

    async def probe(self, url: str, given: Iterable[Header] = ()) -> tuple[int, str]:
        """Status and `WWW-Authenticate` of the server's answer to a message without credential.

        `given` are the person's own headers: this alone goes to the server they are for.

        A server of HTTP+SSE refuses the message and asks for a sign-in at its stream; where
        the stream is refused as well, what the message met is what counts.

        Raises:
            NotSent, Interrupted, Unusable: no answer came.
        """
        client = self._client or self._open()
        answers: list[tuple[int, str]] = []
        try:
            for method, accept, content in (
                ("POST", "application/json, text/event-stream", PROBE),
                ("GET", "text/event-stream", None),
            ):
                headers = {b"accept": accept.encode(), b"content-type": b"application/json"}
                headers |= {
                    name.lower().encode(): value.reveal().encode("latin-1") for name, value in given
                }
                async with (
                    asyncio.timeout(self._post_timeout),
                    client.stream(method, url, headers=headers, content=content) as answer,
                ):
                    status = answer.status_code
                    answers.append((status, answer.headers.get("www-authenticate", "")))
                if status < 300 or status == 401:
                    return answers[-1]
        except TimeoutError:
            raise _too_late(url, self._post_timeout) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise map_error(error, mask_url(url)) from error
        return answers[0]

    def _open(self) -> httpx.AsyncClient:
        self._client = httpx.AsyncClient(
            verify=self._build_tls(),
            proxy=None if self._proxy is None else self._proxy.reveal(),
            trust_env=False,
            follow_redirects=False,
            timeout=self._post_timeout,
            headers={
                "user-agent": f"mcp-remote-py/{__version__}",
                "accept": "application/json",
                "mcp-protocol-version": "2025-11-25",
            },
        )
        return self._client

    async def aclose(self) -> None:
        """Closes connections."""
        if self._client is not None:
            await self._client.aclose()


def _too_late(url: str, seconds: float) -> Interrupted:
    return Interrupted(
        f"{mask_url(url)} did not answer in {seconds:g} seconds.", hint="Try again later."
    )


def map_error(error: Exception, where: str) -> ExchangeError:
    """One of ours for one of httpx's."""
    reason = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
        return NotSent(
            f"{where} cannot be reached: {reason}.", hint="Check the network and try again."
        )
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.DecodingError)):
        return Unusable(f"{where} cannot be used: {reason}.")
    return Interrupted(f"{where} did not answer: {reason}.", hint="Try again later.")
