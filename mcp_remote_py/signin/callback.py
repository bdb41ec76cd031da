"""The place the browser comes back to: a loopback listener for one sign-in (RFC 8252 §7.3).

It recognises the one request it waits for by its state and hands on the query, unjudged. All
else, whoever sends it, gets a fixed page, learns nothing and changes nothing (promise S3): a web
page that guesses the port can neither end a sign-in nor put words on ours. Must not know what a
code is, issuers or tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

import h11

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.oauth.sent import TRY_AGAIN
from mcp_remote_py.oauth.steps import Callback
from mcp_remote_py.redact import Secret
from mcp_remote_py.signin.loopback_port import BACKLOG, MakeSocket, take_port
from mcp_remote_py.signin.page import CONTENT_SECURITY_POLICY, render_outcome, render_stranger
from mcp_remote_py.signin.ports import Outcome
from mcp_remote_py.signin.strangers import Strangers, recognise

logger = logging.getLogger("mcp_remote_py.signin")

MAX_PARAMETERS = 64
"""Names in a query; an authorization response has about five."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
"""Both, because some servers accept only the one, others only the other (field note 9)."""

_PIECE = 4096
"""Bytes read at once."""


class Limits(NamedTuple):
    """Limits on what one visitor may cost us."""

    connections: int = 32
    """Number at once; a browser keeps idle ones open, so the oldest silent one goes first."""
    head_bytes: int = 64 * 1024
    """Of request line and headers: codes of 4 KiB exist, and a developer's `localhost` has many
    cookies, which browsers send to every port."""
    request_seconds: float = 10.0
    """Until a request is complete."""
    hold_seconds: float = 3.0
    """Wait of the browser for the outcome, before a page says that it takes long. Most are known
    within one second: one page less to read, and its title tells the outcome."""
    reload_seconds: float = 30.0
    """The same for that page, which asks again by itself and stays visible meanwhile."""
    flush_seconds: float = 2.0
    """Wait for pages on their way at the end (promise R7)."""


DEFAULT_LIMITS = Limits()


class _Flow:
    """One sign-in: who it is for, what came for it, and how it ended."""

    def __init__(self, state: Secret, server_name: str) -> None:
        loop = asyncio.get_running_loop()
        self.state = state
        self.server_name = server_name
        self.callback: asyncio.Future[Callback] = loop.create_future()
        self.outcome: asyncio.Future[Outcome] = loop.create_future()
        self.is_told_to_wait = False
        """A page has said that it takes long."""
        self.is_seen = asyncio.Event()
        """The outcome has been asked for since it is known."""

    def end(self, outcome: Outcome) -> None:
        """The first outcome stays."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


_EMPTY = _Answer(204)
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)


_RELOAD = ("Refresh", "1")
"""The same request again after a second, in which the page is painted: that answer is held back
until there is something to say, and the page stays until then. The code is not taken a second time:
it comes for the same flow."""


class CallbackListener:
    """Listens on one port of 127.0.0.1 and [::1]; must be closed by `aclose`.

    The order: `bind`, `redirect_uris`, `expect`, then the browser is opened, `wait`, `finish`.
    `expect` comes before the browser because a browser may be faster than whoever opened it.
    `application` names who asked for the sign-in, for the page: see `render_outcome`.
    `is_only`: no other spelling of `host` is a redirect URI, though a browser may come by any.
    """

    def __init__(
        self,
        host: str = "localhost",
        path: str = "/oauth/callback",
        success_url: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        make_socket: MakeSocket = socket.socket,
        application: Callable[[], str | None] = str,
        *,
        is_only: bool = False,
    ) -> None:
        self._is_only = is_only
        self._application = application
        self._host = f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
        self._path = quote(path, safe="/:@!$&'()*+,;=~%")
        self._success_url = success_url
        self._limits = limits
        self._make_socket = make_socket
        self._port = 0
        self._servers: list[asyncio.Server] = []
        self._flow: _Flow | None = None
        self._strangers = Strangers(self._host)
        self._visits: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        """Connections whose request is not complete, the oldest first."""

    @property
    def port(self) -> int:
        """The port in use, 0 before `bind` and after `aclose`."""
        return self._port

    async def bind(self, preferred: int | None, pinned: bool) -> None:
        """Takes the `preferred` port; where it is taken, one of the next, then any.

        A `pinned` port is taken or nothing is: the redirect URI is registered with it.

        Raises:
            UsageError: the pinned port is taken, or the host's address does not exist here.
        """
        sockets = take_port(preferred, self._make_socket, pinned=pinned)
        if self._host == "[::1]" and len(sockets) == 1:
            for taken in sockets:
                taken.close()
            raise UsageError(
                "This machine does not have an IPv6 loopback address, so the browser cannot come "
                "back to [::1].",
                hint="Use --host localhost or --host 127.0.0.1.",
            )
        self._port = sockets[0].getsockname()[1]
        for taken in sockets:
            # A socket that is not a server's yet is closed by no one: `start_server` cannot fail
            # here, as it only begins to watch a socket that listens already.
            server = await asyncio.start_server(self._serve, sock=taken, backlog=BACKLOG)
            self._servers.append(server)
        logger.debug("The browser is awaited on port %d", self._port)

    def redirect_uris(self) -> tuple[str, ...]:
        """The redirect URIs that lead here, the preferred spelling first, or the only one."""
        has_others = not self._is_only and self._host in (*LOOPBACK_HOSTS, "[::1]")
        others = LOOPBACK_HOSTS if has_others else ()
        hosts = dict.fromkeys((self._host, *others))
        return tuple(f"http://{host}:{self._port}{self._path}" for host in hosts)

    def expect(self, state: Secret, server_name: str) -> None:
        """From now on, a request with this state is the one; the name is for the page.

        Where it was before, what has come for it stays.
        """
        if self._flow is None or self._flow.state != state:
            self._flow = _Flow(state, server_name)
            self._strangers = Strangers(self._host)

    async def wait(self, seconds: float) -> Callback:
        """The query of the request with the expected state.

        May be cancelled and called again; the callback is not lost.

        Raises:
            McpRemoteError: none came in that time.
        """
        flow = self._expected()
        await asyncio.wait({flow.callback}, timeout=seconds)
        if flow.callback.done():
            return flow.callback.result()
        seen = self._strangers
        raise McpRemoteError(
            f"The browser did not come back within {seconds:g} s{seen.describe()}: the sign-in was "
            "not finished.",
            hint=f"{seen.hint()}{TRY_AGAIN}",
        )

    async def finish(self, outcome: Outcome) -> None:
        """Shows the outcome to the browser that waits, and to one that asks again later.

        Returns when the page is sent, or after `Limits.flush_seconds`; a browser that is gone
        is not an error.
        """
        flow = self._expected()
        flow.end(outcome)
        if flow.is_told_to_wait:
            # Its page asks again by itself, and may be between two requests.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.flush_seconds):
                    await flow.is_seen.wait()
        await self._flush()

    async def aclose(self) -> None:
        """Gives the port back; whoever still waits learns that the sign-in did not work."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._port = 0
        silent = set(self._silent.values())
        for writer in self._silent:
            writer.transport.abort()
        if self._flow is not None:
            self._flow.end(Outcome.FAILED)
        await self._flush()
        if silent:  # they end at once: none may be left for the end of the loop to complain about
            await asyncio.wait(silent, timeout=self._limits.flush_seconds)

    def _expected(self) -> _Flow:
        if self._flow is None:
            raise RuntimeError("no state is expected")
        return self._flow

    async def _flush(self) -> None:
        # Browsers open connections they may never use: those are not waited for.
        answered = self._visits.difference(self._silent.values())
        if answered:
            await asyncio.wait(answered, timeout=self._limits.flush_seconds)

    # Visits ---------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        if visit is None or not self._port or not self._make_room():
            writer.transport.abort()
            return
        self._visits.add(visit)
        self._silent[writer] = visit
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                answer = await self._answer(reader, connection)
            self._silent.pop(writer, None)
            if isinstance(answer, _Flow):
                answer = await self._wait_for_outcome(answer)
            if answer is not None:
                writer.write(_encode(connection, answer))
                await self._part(reader, writer)
        except OSError:
            # Gone, or too slow (TimeoutError is one): there is no one to tell.
            logger.debug("A connection to the callback port ended early")
        finally:
            self._silent.pop(writer, None)
            self._visits.discard(visit)
            writer.transport.abort()

    def _make_room(self) -> bool:
        """Whether one more may come in: the oldest that has not said what it wants leaves."""
        if len(self._visits) < self._limits.connections:
            return True
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        del self._silent[oldest]
        oldest.transport.abort()
        return True

    async def _answer(
        self, reader: asyncio.StreamReader, connection: h11.Connection
    ) -> _Answer | _Flow | None:
        """The answer to the request that arrives, None where none came."""
        first = await reader.read(_PIECE)
        stranger = recognise(first)
        if stranger is not None:
            self._strangers.note(stranger)
            return None  # there is nothing to say in its language
        connection.receive_data(first)
        try:
            while (event := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(await reader.read(_PIECE))
        except h11.RemoteProtocolError as error:
            self._strangers.note()
            return _refuse(error.error_status_hint)
        if not isinstance(event, h11.Request):
            return None
        answer = self._judge(event)
        if event.method == b"HEAD" and isinstance(answer, _Answer):
            return answer._replace(body=b"")
        return answer

    def _judge(self, request: h11.Request) -> _Answer | _Flow:
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        if headers.get("host", "").lower() not in self._authorities():
            # A name of someone else's that leads here: DNS rebinding.
            return _refuse(421)
        path, _, query = request.target.decode("latin-1").partition("?")
        if path not in (self._path, f"{self._path}/"):  # as frameworks write what was registered
            return _refuse(404)
        if request.method == b"HEAD" or _is_prefetch(headers):
            # Looked at by a program before the person: the code is not to be spent on that.
            return _EMPTY
        if request.method != b"GET":
            return _refuse(405, ("Allow", "GET"))
        return self._match(query)

    def _authorities(self) -> set[str]:
        hosts = (self._host, *LOOPBACK_HOSTS, "[::1]")
        return {f"{host}:{self._port}" for host in hosts}

    def _match(self, query: str) -> _Answer | _Flow:
        flow = self._flow
        try:
            pairs = parse_qsl(
                query, keep_blank_values=True, errors="replace", max_num_fields=MAX_PARAMETERS
            )
        except ValueError:
            pairs = []
        parameters = dict(pairs)
        state = parameters.get("state", "")
        # A name with two values is not an authorization response (RFC 6749 §4.1.2, §3.1).
        is_one = len(parameters) == len(set(pairs))
        is_ours = flow is not None and is_one and _equal(flow.state, state)
        if flow is None or not is_ours:
            self._strangers.note_without_state()
            logger.debug("A request to the callback path without the expected state was refused")
            return _refuse(400)
        if not flow.callback.done():
            flow.callback.set_result(Callback(parameters))
        return flow

    async def _wait_for_outcome(self, flow: _Flow) -> _Answer:
        limits = self._limits
        patience = limits.reload_seconds if flow.is_told_to_wait else limits.hold_seconds
        await asyncio.wait({flow.outcome}, timeout=patience)
        if not flow.outcome.done():
            flow.is_told_to_wait = True
            return _Answer(200, self._render(Outcome.PENDING, flow), (_RELOAD,))
        outcome = flow.outcome.result()
        flow.is_seen.set()
        if outcome.is_good and self._success_url is not None:
            return _Answer(303, headers=(("Location", self._success_url),))
        # 200 for a bad end, too: nothing is wrong with the request that came to ask for it.
        return _Answer(200, self._render(outcome, flow))

    def _render(self, outcome: Outcome, flow: _Flow) -> bytes:
        return render_outcome(outcome, flow.server_name, self._application())

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Sends the rest and waits until the other side has closed.

        A connection that is closed with bytes unread is reset, and the page may be lost.
        """
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(self._limits.flush_seconds / 2):
                await writer.drain()
                writer.write_eof()
                while await reader.read(_PIECE):
                    pass


def _equal(state: Secret, given: str) -> bool:
    """In constant time: the answer's delay must not tell how much of a guess was right."""
    return hmac.compare_digest(state.reveal().encode(), given.encode())


def _is_prefetch(headers: Mapping[str, str]) -> bool:
    purposes = (headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


def _refuse(status: int, *headers: tuple[str, str]) -> _Answer:
    return _Answer(status, render_stranger(), headers)


def _encode(connection: h11.Connection, answer: _Answer) -> bytes:
    headers = [*_HEADERS, *answer.headers]
    if answer.body:
        headers.append(("Content-Type", "text/html; charset=utf-8"))
    if answer.status != _EMPTY.status:
        headers.append(("Content-Length", str(len(answer.body))))
    events = (
        h11.Response(status_code=answer.status, headers=headers),
        h11.Data(data=answer.body),
        h11.EndOfMessage(),
    )
    return b"".join(filter(None, map(connection.send, events)))
