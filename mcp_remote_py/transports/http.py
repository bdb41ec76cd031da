"""The HTTP side: builds the connections, adds the person's headers, maps errors once.

One request is one exchange on one lane (see `lanes`). Redirects are followed within the origin
only (and from http to https of the same host, at its port or at 443), because every header may
be a credential (promise S2, field note 24). Must not know MCP methods or OAuth rules.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urljoin

from mcp_remote_py import __version__
from mcp_remote_py.bounds import (
    FEW_LINES,
    LINES_BYTES,
    MAX_REFUSAL_BYTES,
    SLICE_BYTES,
    Growing,
    open_body,
)
from mcp_remote_py.channel import Authorizer, Header, Piece, Sent
from mcp_remote_py.errors import ExchangeError, Unusable
from mcp_remote_py.jsonrpc import Message, count_bytes
from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.exchange import Connection, Request
from mcp_remote_py.net.http1 import ResponseReader
from mcp_remote_py.net.lanes import Lanes
from mcp_remote_py.net.mapping import explain
from mcp_remote_py.redact import Secret, mask_url, scrub_known, scrub_known_in_steps
from mcp_remote_py.retry import may_have_effect
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.network import Timeouts
from mcp_remote_py.tls import build_tls_context
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.transports.intake import Intake
from mcp_remote_py.transports.refusal import (
    ANSWER_TYPES,
    EVENT_STREAM,
    EVIDENCE_BYTES,
    explain_content,
    explain_refusal,
    find_answer,
    media_type,
)
from mcp_remote_py.transports.sse import Event, EventDecoder
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_url

if TYPE_CHECKING:
    from mcp_remote_py.transports.cookies import Cookies

T = TypeVar("T")

MAX_REDIRECTS = 5
MAX_ATTEMPTS = 4
"""Times one request may be sent again with another credential: a renewed one, one of a new
sign-in, one with more scopes, one whose proof has the server's nonce."""

REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})
EVIDENCE_TIMEOUT = 5.0
"""Seconds spent on reading the body of a refusal; on each piece of one that may be an answer."""

USER_AGENT = b"mcp-remote-py/" + __version__.encode()


class Response:
    """An answer whose body has not been read. Must be closed."""

    def __init__(
        self,
        answer: ResponseReader,
        lane: Connection,
        lanes: Lanes[Connection],
        intake: Intake,
        timeouts: Timeouts,
    ) -> None:
        self._lane = lane
        self._lanes = lanes
        self._intake = intake
        self._closed = False
        self._taken = False
        self._evidence: bytes | None = None
        self.is_whole = True
        """Whether `read_evidence` did not leave anything of the body."""
        self.status = answer.status
        self.headers: dict[bytes, bytes] = {}
        for name, value in answer.headers:
            # RFC 9110 §5.3: lines of one name are one list; of others, two are a fault.
            joins = name in _LISTS and name in self.headers
            self.headers[name] = b"%b, %b" % (self.headers[name], value) if joins else value
        self.content_type = media_type(self.headers)
        is_stream = self.content_type == EVENT_STREAM
        self._patience = timeouts.stream if is_stream else timeouts.body
        self._coding = self.headers.get(b"content-encoding", b"")
        self._share = intake.open(intake.limit if self._coding else self._length(intake.limit))

    def _length(self, otherwise: int) -> int:
        """Bytes of the body as it is announced."""
        length = self.headers.get(b"content-length", b"")
        return int(length) if length.isdigit() and len(length) < 20 else otherwise

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decoded; the loop breathes between its pieces.

        Raises:
            Interrupted: it broke off.
            Unusable: it is compressed in a way nobody asked for.
        """
        self._taken = True
        decoder = open_body(self._coding, "The server") if self._coding else None
        try:
            async for piece in self._lane.pieces(self._patience):
                if piece and decoder is None:
                    yield piece
                elif piece and decoder is not None:
                    for made in decoder.feed(piece):
                        yield made
                        await self._share.work(len(made))
                await self._share.work(self._lane.taken)
            if decoder is not None:
                decoder.end()
        except ExchangeError:
            raise
        except Exception as error:
            raise explain(error, sent=True) from error

    async def events(
        self, decoder: EventDecoder, drain: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[Event]:
        """The events of the body as they come.

        Each is let go, and room is made for the next, when the host has taken it. Raises what
        `chunks` and the decoder raise.
        """
        try:
            async for chunk in self.chunks():
                lines = chunk.count(b"\n") + chunk.count(b"\r")
                size = SLICE_BYTES if lines < FEW_LINES else LINES_BYTES
                for start in range(0, len(chunk), size):
                    piece = chunk[start : start + size]
                    for event in decoder.feed(piece):
                        yield event
                        await drain()
                        await self._share.work(len(event.data))
                    await self._share.hold(decoder.pending)
                    await self._share.work(_LINES_COST * len(piece))
        finally:
            decoder.drop()

    async def read(self, limit: int) -> bytes:
        """The whole body without blanks at its end; it counts as held until this is closed.

        Raises:
            Unusable: it is larger than `limit` bytes.
            Interrupted: it broke off.
        """
        if self._length(0) > limit:
            raise _too_large(limit)
        body = Growing(self._share.claim)
        try:
            async for piece in self.chunks():
                size = body.size + len(piece)
                if size > limit:
                    raise _too_large(limit)
                await self._share.hold(size)
                body.write(piece)
            self._share.complete()
            body.cut_blanks()
            return body.take()
        finally:
            body.drop()

    async def read_evidence(self, limit: int = 0) -> bytes:
        """The first bytes of a refusal's body: what comes soon, without errors.

        More of what may be an answer, up to `limit`, where one is looked for. Nothing where the
        body was read before in another way: then it was empty of anything to quote.
        """
        if self._evidence is None:
            self._evidence = b"" if self._taken or self._closed else await self._read_soon(limit)
        return self._evidence

    async def _read_soon(self, limit: int) -> bytes:
        may_be_answer = limit > 0 and self.content_type in ANSWER_TYPES
        most = min(limit, MAX_REFUSAL_BYTES) if may_be_answer else EVIDENCE_BYTES
        body = Growing(min(self._share.claim, most))
        clock = asyncio.get_running_loop()
        self.is_whole = False
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT) as patience:
                async for piece in self.chunks():
                    kept = piece[: most - body.size]
                    await self._share.hold(body.size + len(kept))
                    body.write(kept)
                    if may_be_answer:
                        patience.reschedule(clock.time() + EVIDENCE_TIMEOUT)
                    if body.size >= most:
                        break
                else:
                    self.is_whole = True
        except (ExchangeError, TimeoutError):
            pass  # the status alone is evidence enough
        try:
            return body.take()
        finally:
            body.drop()

    async def breathe(self) -> None:
        """A slice of what came was worked at: lets the loop see to everything else now and then."""
        await self._intake.breathe()

    async def work_at(self, steps: Generator[None, None, T]) -> T:
        """The outcome of work that is done in steps; the loop breathes between them."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast("T", end.value)
            await self.breathe()

    async def aclose(self) -> None:
        """Gives the connection back, or drops it when the body was not read to its end.

        Does so once: a lane given twice would carry two exchanges at a time.
        """
        if self._closed:
            return
        self._closed = True
        self._share.release()
        self._lanes.give(self._lane)


_LINES_COST = 4
"""How much more a byte costs that may be a line than one that is only kept."""

_LISTS = frozenset({b"www-authenticate", b"content-encoding"})
"""Header fields whose lines are read as one."""


def _refused_credential(response: Response) -> int:
    """401 or 403, where the answer is a refusal of the credential; else 0."""
    challenge = response.headers.get(b"www-authenticate", b"")
    if response.status == 400 and b"invalid_token" in challenge:
        return 401  # what RFC 6750 §3.1 says it should have been (L17)
    return response.status if response.status in (401, 403) else 0


def _too_large(limit: int) -> Unusable:
    return Unusable(
        f"The server's answer is larger than {limit} bytes.",
        hint="Raise the limit with --max-message-size.",
    )


class HttpClient:
    """Sends requests to one server.

    `on_connected` is told the address that each new connection to it has, where that is seen;
    `choose_proxy` names the proxy for an address, instead of the network's settings.
    """

    def __init__(
        self,
        settings: ProxySettings,
        headers: HeaderSource,
        authorizer: Authorizer | None = None,
        intake: Intake | None = None,
        on_connected: Callable[[str], None] | None = None,
        choose_proxy: Callable[[ServerUrl], Secret | None] | None = None,
    ) -> None:
        self._settings = settings
        self._intake = intake or Intake(settings.max_message_size)
        self._on_connected = on_connected
        self._network = settings.network
        self._choose_proxy = choose_proxy or self._network.proxy_for
        self._headers = headers
        self._sign_in = authorizer
        self._server = settings.server
        self._lanes: dict[str, Lanes[Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._cookies: dict[str, Cookies] = {}
        """By origin."""
        if settings.server.scheme == "https":
            self._tls = build_tls_context(self._network.tls)

    @property
    def _authorizer(self) -> Authorizer | None:
        """Whom to ask: nobody where the person gave a credential, as also a reload may bring one.

        They meant that one (decision D12).
        """
        return None if self._headers.has_authorization else self._sign_in

    @property
    def server(self) -> ServerUrl:
        """The address in use: the one given, or where a redirect led."""
        return self._server

    async def request(
        self,
        method: bytes,
        headers: list[Header],
        body: Sequence[Piece] = (),
        *,
        endpoint: ServerUrl | None = None,
        may_sign_in: bool = True,
        asked: Message | None = None,
    ) -> Response:
        """One exchange up to the answer's headers; `endpoint` is another URL of the same origin.

        `asked` is the request whose pieces `body` is, where it is one: its answer is looked for in
        redirects and refusals, too.

        A 401 is answered by reading header files and commands again, once, where they changed;
        else by the authorizer, unless `may_sign_in` is False: nobody waits for such a request,
        so it must not open a browser (field note 16).

        Raises:
            NotSent, Interrupted, Unusable: see `errors`; never for a status.
            Refused: a sign-in was needed and failed.
        """
        reloaded = False
        redirects = 0
        attempts = 0
        url = endpoint or self._server
        while True:
            version = self._headers.version
            sent: Sent | None = None
            if self._authorizer is not None:
                sent = await self._authorizer.authorize(method, str(url))
            carried = [*headers, *sent.headers] if sent is not None else headers
            response = await self._exchange(method, url, carried, body)
            redirects_us = response.status in REDIRECT_STATUS and b"location" in response.headers
            refused = _refused_credential(response)
            answer = None
            if redirects_us or refused:
                answer = await self._find_answer(response, asked)
            if answer is not None and (redirects_us or not answer.is_error):
                return response
            if redirects_us:
                await response.aclose()
                redirects += 1
                url = self._follow(url, method, response, redirects)
                if endpoint is None:
                    self._server = url
            elif response.status == 401 and not reloaded and await self._reload(response, version):
                reloaded = True
            elif attempts < MAX_ATTEMPTS and (
                await self._take_nonce(response, sent)
                or (may_sign_in and await self._authorize(response, refused, sent, answer))
            ):
                attempts += 1
            else:
                # Whoever fails, limits or redirects may not have looked at it.
                if self._authorizer is not None and sent and 200 <= response.status < 300:
                    self._authorizer.accepted(sent)
                return response

    async def _take_nonce(self, response: Response, sent: Sent | None) -> bool:
        """Whether the request is only to be sent with another nonce (RFC 9449 §9)."""
        nonce = response.headers.get(b"dpop-nonce")
        if nonce is None or self._authorizer is None:
            return False
        self._authorizer.take_nonce(nonce)
        challenge = response.headers.get(b"www-authenticate", b"")
        if response.status != 401 or b"use_dpop_nonce" not in challenge:
            return False
        if sent is None or not sent.has_proof:
            return False
        await response.aclose()
        return True

    async def _authorize(
        self, response: Response, status: int, sent: Sent | None, answer: Message | None
    ) -> bool:
        """Whether there is a new credential to send the request with that this status refused."""
        if self._authorizer is None or not status:
            return False
        challenge = response.headers.get(b"www-authenticate", b"")
        if status == 401:
            # A person may need minutes: the connection must not be held for that long.
            await response.aclose()
        try:
            again = await self._authorizer.refused(sent, status, challenge)
        except ExchangeError as error:
            if answer is None or not answer.is_error:
                raise
            # Others may be told the same, whose ids are their own.
            own = {"status": response.status, "body": answer.raw}
            raise error.changed({**own, "is_answer": True, "in_our_words": True}) from error
        if again:
            await response.aclose()
        return again

    async def _find_answer(self, response: Response, asked: Message | None) -> Message | None:
        """The answer that a redirect or a refusal of the credential carries, if it has one."""
        if asked is None or not (response.content_type in ANSWER_TYPES or may_have_effect(asked)):
            return None
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT):  # nobody may hold up a sign-in
                body = await response.read_evidence(self._settings.max_message_size)
        except TimeoutError:
            return None
        return find_answer(await self.scrub(response, body), response.content_type, asked)

    async def fail(
        self, response: Response, *, request: Message | None, session_sent: bool
    ) -> ExchangeError:
        """The error that an answer with a bad status or an unusable body stands for."""
        # Before anything is cut out of it: of half a secret nobody knows that it is one.
        limit = 0 if request is None else self._settings.max_message_size
        body = await self.scrub(response, await response.read_evidence(limit))
        where = mask_url(str(self._server))
        if response.status < 300:
            return explain_content(
                response.status, response.content_type, body, where=where, request=request
            )
        return explain_refusal(
            response.status,
            {name: await self.scrub(response, value) for name, value in response.headers.items()},
            body,
            where=where,
            session_sent=session_sent,
            request=request,
            credential_sent=self._headers.has_authorization,
            now=datetime.now(UTC),
            is_whole=response.is_whole,
        )

    async def scrub(self, response: Response, evidence: bytes) -> bytes:
        """What a server said in `response`, for an error text: without any secret of ours."""
        text = evidence.decode("utf-8", "surrogateescape")
        scrubbed = await response.work_at(scrub_known_in_steps(text))
        return evidence if scrubbed is text else scrubbed.encode("utf-8", "surrogateescape")

    async def aclose(self) -> None:
        """Closes idle connections."""
        for lanes in self._lanes.values():
            lanes.close()
        await asyncio.sleep(0)  # asyncio closes their sockets in the next turn

    async def _reload(self, response: Response, version: int) -> bool:
        if not await self._headers.reload(version):
            return False
        await response.aclose()
        return True

    async def _exchange(
        self,
        method: bytes,
        url: ServerUrl,
        headers: list[Header],
        body: Sequence[Piece],
    ) -> Response:
        timeouts = self._network.timeouts
        ours = [
            (b"host", url.authority.encode()),
            (b"user-agent", USER_AGENT),
            (b"accept-encoding", b"identity"),
            *headers,
        ]
        if body or method == b"POST":
            ours.append((b"content-length", b"%d" % sum(map(count_bytes, body))))
        if url.origin in self._cookies:
            cookie = self._cookies[url.origin].header_for(str(url))
            if cookie:
                ours.append((b"cookie", cookie))
        request = Request(
            method, url.target.encode(), self._headers.merge(ours), [*map(memoryview, body)]
        )
        lanes = self._lanes_to(url)
        try:
            lane = await lanes.take()
        except Exception as error:
            raise explain(error, sent=False, where=url.origin) from error
        try:
            answer = await lane.exchange(request, timeouts.headers)
        except Exception as error:
            lane.close()
            raise explain(error, sent=True) from error
        except BaseException:
            lane.close()
            raise
        if self._settings.cookies:
            self._keep_cookies(url, answer)
        return Response(answer, lane, lanes, self._intake, timeouts)

    def _keep_cookies(self, url: ServerUrl, answer: ResponseReader) -> None:
        values = [value for name, value in answer.headers if name == b"set-cookie"]
        if not values:
            return
        if url.origin not in self._cookies:
            from mcp_remote_py.transports.cookies import Cookies  # 25 ms few servers cost

            self._cookies[url.origin] = Cookies()
        self._cookies[url.origin].store(str(url), values)

    def _follow(
        self, url: ServerUrl, method: bytes, response: Response, redirects: int
    ) -> ServerUrl:
        location = response.headers[b"location"].decode("latin-1")
        what = f"The server redirects (HTTP {response.status}) to"
        try:
            target = urljoin(str(url), location)
        except ValueError:  # brackets that hold no IPv6 address
            raise Unusable(f"{what} a place that is not a URL: {self._quote(location)}.") from None
        where = self._quote(target)
        if response.status == 303 and method != b"GET":
            raise Unusable(
                f"{what} {where} in a way that drops the message.",
                hint="If an MCP server is there, put that URL into the config entry.",
            )
        if redirects > MAX_REDIRECTS:
            raise Unusable(
                f"The server redirected more than {MAX_REDIRECTS} times, to {where}.",
                hint="Check the server's own redirects.",
            )
        try:
            following = parse_url(target)
        except InvalidUrl as error:
            raise Unusable(f"{what} a place that is not a URL: {error}") from error
        if following.origin != url.origin and not is_upgrade(url, following):
            raise Unusable(
                f"{what} another place, {where}: your headers are not sent there.",
                hint="If you trust it, put that URL into the config entry.",
            )
        return following

    def _quote(self, url: str) -> str:
        return scrub_known(mask_url(url))

    def _lanes_to(self, url: ServerUrl) -> Lanes[Connection]:
        lanes = self._lanes.get(url.origin)
        if lanes is None:
            lanes = self._lanes[url.origin] = Lanes(lambda: self._connect(url))
        return lanes

    async def _connect(self, url: ServerUrl) -> Connection:
        is_secure = url.scheme == "https"
        if is_secure and self._tls is None:
            self._tls = build_tls_context(self._network.tls)
        tls = self._tls if is_secure else None
        limit, ipv4 = self._network.timeouts.connect, self._network.ipv4
        proxy = self._choose_proxy(url)
        if proxy is not None:
            from mcp_remote_py.net.proxy import connect_through

            return await connect_through(proxy, url, tls, self._build_proxy_tls, limit, ipv4=ipv4)
        wire = await connect(url.host, url.port, limit, ipv4=ipv4)
        if tls is not None:
            await wire.start_tls(tls, url.host, limit)
        if self._on_connected is not None:
            self._on_connected(wire.get_extra_info("peername")[0])
        return Connection(wire)

    def _build_proxy_tls(self) -> ssl.SSLContext:
        return build_tls_context(self._network.tls, certified=False)


def is_upgrade(url: ServerUrl, following: ServerUrl) -> bool:
    """Whether a redirect only leads from http to https: another port may be another's program."""
    return (
        (url.scheme, following.scheme) == ("http", "https")
        and url.host == following.host
        and following.port in (443, url.port)
    )
