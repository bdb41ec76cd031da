"""One exchange: a lane to the origin, connected where it is new, with what all its requests share.

What a failure of the connection means is `net/mapping`'s to say, how lanes are kept `net/lanes`'.
Where requests are signed, that is the last step before each leaves: nothing is added behind it but
the length of the body. Must not know what an answer means, credentials or redirects.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from mcp_remote_py import __version__
from mcp_remote_py.channel import HeaderField, Piece
from mcp_remote_py.errors import UsageError
from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.exchange import Connection, Request
from mcp_remote_py.net.http1 import ResponseReader
from mcp_remote_py.net.lanes import Lanes
from mcp_remote_py.net.mapping import explain
from mcp_remote_py.retry import STRANGER_PATIENCE, Acquaintance
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.network import DEFAULT_CONNECT_TIMEOUT
from mcp_remote_py.transports.headers import HeaderSource
from mcp_remote_py.transports.intake import Intake
from mcp_remote_py.transports.response import Response
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.channel import Signature, Signer
    from mcp_remote_py.net.early import EarlyConnection
    from mcp_remote_py.settings.http_proxy import HttpProxy
    from mcp_remote_py.tls import Stamp
    from mcp_remote_py.transports.cookies import Cookies


logger = logging.getLogger("mcp_remote_py.transports")

USER_AGENT = b"mcp-remote-py/" + __version__.encode()


class Destination(Value, frozen=True):
    """A URL that requests go to, with what all of them have in common."""

    url: ServerUrl
    sent: ServerUrl
    """The same, as it is sent: where requests are signed, in the spelling that can be."""
    address: str
    target: bytes
    headers: tuple[HeaderField, ...]
    origin: str
    lanes: Lanes[Connection]


class Exchanges:
    """Those of one client, with its connections and its cookies. The arguments are its own."""

    def __init__(
        self,
        settings: ProxySettings,
        headers: HeaderSource,
        intake: Intake,
        on_connected: Callable[[str], None] | None,
        choose_proxy: Callable[[ServerUrl], HttpProxy | None],
        acquaintance: Acquaintance,
        signer: Signer | None = None,
        early: EarlyConnection | None = None,
    ) -> None:
        self._settings = settings
        self._signer = signer
        self._early = early
        self._network = settings.network
        self._headers = headers
        self._intake = intake
        self._on_connected = on_connected
        self._choose_proxy = choose_proxy
        self._acquaintance = acquaintance
        self._lanes: dict[str, Lanes[Connection]] = {}
        self._destination: Destination | None = None
        """The last one, which nearly always is the next as well."""
        self._cookies: dict[str, Cookies] = {}
        """By origin."""
        self._tls: ssl.SSLContext | None = None
        self._tls_stamp: Stamp = ()
        if settings.server.scheme == "https":
            self._find_tls()

    def close(self) -> None:
        """Closes idle connections."""
        for lanes in self._lanes.values():
            lanes.close()

    def find(self, url: ServerUrl) -> Destination:
        """All that requests to this URL share.

        Raises:
            Unusable: nothing is signed for it.
        """
        found = self._destination
        if found is None or (found.url is not url and found.url != url):
            if self._signer is not None:
                from mcp_remote_py.transports.signed import check_place

                check_place(self._signer, self._settings.server, url)
            lanes = self._lanes.get(url.origin)
            if lanes is None:
                lanes = self._lanes[url.origin] = Lanes(lambda: self._connect(url))
            headers = (
                (b"host", url.authority.encode()),
                (b"user-agent", USER_AGENT),
                (b"accept-encoding", b"identity"),
            )
            sent = url if self._signer is None else self._signer.spell(url)
            target = sent.target.encode()
            found = Destination(url, sent, str(url), target, headers, url.origin, lanes)
            self._destination = found
        return found

    async def send(
        self,
        method: bytes,
        to: Destination,
        headers: list[HeaderField],
        body: Sequence[Piece],
        patience: float | None = None,
    ) -> Response:
        """Sends a request and gives the answer, of which the head has come.

        In `patience` seconds, where that is not None, in place of the network's.

        Raises:
            NotSent, Interrupted, Unusable: there is none; see `net/mapping`.
            Refused, Unusable: it cannot be signed, where all are.
        """
        timeouts = self._network.timeouts
        ours = [*to.headers, *headers]
        if self._cookies and to.origin in self._cookies:
            cookie = self._cookies[to.origin].header_for(to.address)
            if cookie:
                ours.append((b"cookie", cookie))
        views = [*map(memoryview, body)]
        length = sum(map(len, views)) if body or method == b"POST" else None
        merged = self._headers.merge(ours)
        signature = None if self._signer is None else await self._signer.prepare(views)
        try:
            lane = await to.lanes.take()
        except Exception as error:
            raise explain(error, sent=False, where=to.origin) from error
        if signature is not None:  # now: connecting may have taken longer than a signature is good
            merged = _sign(signature, method, to, merged, lane)
        request = Request(method, to.target, merged, views, length)
        try:
            exchange = lane.exchange(request, patience or timeouts.headers)
            answer = await (_begin(exchange, to) if lane.is_new else exchange)
        except Exception as error:
            lane.close()
            raise explain(error, sent=True) from error
        except BaseException:
            lane.close()
            raise
        self._acquaintance.note_answer()
        response = Response(answer, lane, to.lanes, self._intake, timeouts)
        response.where = to.address
        response.signature = signature
        if b"set-cookie" in response.headers and self._settings.cookies:
            self._keep_cookies(to, answer)
        return response

    def _keep_cookies(self, to: Destination, answer: ResponseReader) -> None:
        values = [value for name, value in answer.headers if name == b"set-cookie"]
        if to.origin not in self._cookies:
            from mcp_remote_py.transports.cookies import Cookies  # 25 ms few servers cost

            self._cookies[to.origin] = Cookies()
        self._cookies[to.origin].store(to.address, values)

    async def _connect(self, url: ServerUrl) -> Connection:
        is_secure = url.scheme == "https"
        tls = self._find_tls() if is_secure else None
        limit, ipv4 = self._network.timeouts.connect, self._network.ipv4
        if not self._acquaintance.is_known and limit == DEFAULT_CONNECT_TIMEOUT:
            limit = STRANGER_PATIENCE
        proxy = self._choose_proxy(url)
        if proxy is not None:
            from mcp_remote_py.net.proxy import connect_through

            return await connect_through(proxy, url, tls, self._build_proxy_tls, limit, ipv4=ipv4)
        wire = await connect(url.host, url.port, limit, ipv4=ipv4, early=self._early)
        if tls is not None:
            await wire.start_tls(tls, url.host, limit)
        if self._on_connected is not None:
            self._on_connected(wire.get_extra_info("peername")[0])
        return Connection(wire)

    def _find_tls(self) -> ssl.SSLContext:
        """That of new connections: with its files as they are now, where those can be used.

        Client certificates that live for a day are renewed beside a process that goes on.
        """
        from mcp_remote_py.tls import build_tls_context, stamp_files

        stamp = stamp_files(self._network.tls)
        if self._tls is None:
            self._tls, self._tls_stamp = build_tls_context(self._network.tls), stamp
        elif stamp != self._tls_stamp:
            self._tls_stamp = stamp
            try:
                self._tls = build_tls_context(self._network.tls)
            except UsageError as error:  # it may be half written, or gone for good
                logger.warning("%s Going on with what was there before.", error.cause)
        return self._tls

    def _build_proxy_tls(self) -> ssl.SSLContext:
        from mcp_remote_py.tls import build_tls_context

        return build_tls_context(self._network.tls, certified=False)


def _sign(
    signature: Signature,
    method: bytes,
    to: Destination,
    headers: list[HeaderField],
    lane: Connection,
) -> list[HeaderField]:
    try:
        return signature.sign(method, to.sent, headers)
    except BaseException:
        lane.close()
        raise


async def _begin(exchange: Coroutine[Any, Any, ResponseReader], to: Destination) -> ResponseReader:
    """The first exchange of a connection: it has to find room at the server."""
    with to.lanes.room():
        return await exchange
