"""Every HTTP status with every JSON-RPC error: a tool runs at most once, and its error arrives.

The whole stack but the process: relay, both shells and real channels, with real sockets, in front
of servers of each era and transport whose tool fails in each way there is. One pair of host and
server goes through all ways, so that what one leaves behind would be seen in the next.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import pytest

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.host_side import HostSide
from mcp_remote_py.bridge.server_side import EraChannel
from mcp_remote_py.channel import Deliver, OnLine, Piece, ServerChannel
from mcp_remote_py.eras.era_detection import MODERN_CODES, Era
from mcp_remote_py.eras.metadata_headers import MetadataHeaders
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.retry import SAFE_STATUS
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.choose import Candidate, ChosenChannel, OnAccepted
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.legacy_sse import LegacySseChannel
from mcp_remote_py.transports.lines import HostLines
from mcp_remote_py.transports.streamable import StreamableChannel
from tests.fakes import Json, encode
from tests.peers.wild_server import PREFIX, Exchange, WildServer, be_modern
from tests.thorough import THOROUGH
from tests.transports.peers import client_for

# ------------------------------------------------------------------------- the ways to fail

STATUSES = (
    *(200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299),
    *(300, 301, 302, 303, 304, 305, 307, 308, 399),
    *range(400, 419),
    *(421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499),
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 529, 530, 599),
)
"""All that are registered (IANA, "HTTP Status Code Registry"), and what others answer with."""

WITHOUT_BODY = frozenset({204, 205, 304})

CODES = (
    *(-32700, -32600, -32601, -32602, -32603),
    *(-32000, -32001, -32002, -32019, -32020, -32021, -32022, -32023, -32042, -32050, -32099),
    *(-32100, -32800, -31000, -31999, -1, 0, 1, 404, 2**31, None),
)
"""All of JSON-RPC's and of MCP's, the borders of their ranges, and others; None means no error."""

DATA: Json = {"why": [1, 2.5, None, "é"], "supported": ["2026-07-28", "2025-11-25"]}


class Way(NamedTuple):
    """One way in which a tool fails: the status, the code of its error, and where that stands."""

    status: int
    code: int | None
    form: str = "json"

    def error(self, name: str) -> bytes:
        """The error, with a member nobody knows, spelled as nobody would write it anew."""
        code = b"" if self.code is None else b'"code":%d , ' % self.code
        said = "Session " + name  # a word that some servers say of a lost one
        return b'{%b"message":%b,"data":%b, "x":1.0}' % (code, encode(said), encode(DATA))


HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "challenge": ("application/json", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}),
    "retry-after": ("application/json", {"Retry-After": "1"}),
    "redirect": ("application/json", {"Location": "/elsewhere"}),
    "html": ("text/html", {}),
    "text": ("text/plain", {}),
    "stream": ("text/event-stream", {}),
    "events": ("text/event-stream", {}),
}
"""By form, the content type and the headers that go with it."""

ANSWERS = frozenset(
    {"json", "challenge", "retry-after", "redirect", "text", "stream", "batch", "big", "result"}
)
"""The forms that carry the id of the request."""

FORMS = (*sorted(ANSWERS), "null", "missing", "other", "html", "empty", "events", "broken")


def body_of(way: Way, raw_id: bytes, name: str) -> bytes:
    """What the server writes."""
    line = b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, way.error(name))
    bodies: dict[str, bytes] = {
        "result": b'{"jsonrpc":"2.0","id":%b,"result":{"content":[],"x":1.0}}' % raw_id,
        "stream": b": hello\n\nevent: message\ndata: " + line + b"\n\n",
        "batch": b'[{"jsonrpc":"2.0","method":"notifications/x"},' + line + b"]",
        "big": line[:-1] + b',"more":"' + b"x" * 200_000 + b'"}',
        "null": b'{"jsonrpc":"2.0","id":null,"error":%b}' % way.error(name),
        "missing": b'{"jsonrpc":"2.0","error":%b}' % way.error(name),
        "other": b'{"jsonrpc":"2.0","id":"other","error":%b}' % way.error(name),
        "html": b"<!doctype html><title>Session</title><p>No such session</p>",
        "empty": b"",
        "events": b": nothing to say\n\n",
        "broken": line[:-5],
    }
    return bodies.get(way.form, line)


def all_ways(turn: int) -> Iterator[Way]:
    """Each status with each code and each form; in the gate with every third of both.

    Which third is by the turn: what one pair of host and server leaves out, others play.
    """
    for number, status in enumerate(range(200, 600) if THOROUGH else STATUSES, turn):
        for code in CODES if THOROUGH else CODES[number % 3 :: 3]:
            yield Way(status, code)
        for form in FORMS if THOROUGH else FORMS[number % 3 :: 3]:
            yield Way(status, -32000, form)
            if THOROUGH:
                for code in (-32020, -32022, -32600, -32601, None):
                    yield Way(status, code, form)


def is_answered(way: Way) -> bool:
    """Whether the server's answer can be read: it has the id, and HTTP lets it have a body."""
    return way.form in ANSWERS and way.status not in WITHOUT_BODY


def says_not_executed(way: Way) -> bool:
    """Whether HTTP itself says that nothing ran: then a server runs nothing, and may be asked."""
    return not is_answered(way) and way.status in SAFE_STATUS


def leaves_it_to_stream(way: Way) -> bool:
    """Whether a server of HTTP+SSE has taken the request so, and may answer as late as it likes."""
    is_silent = way.form in ("other", "empty", "events", "broken") or way.status in WITHOUT_BODY
    return way.status < 300 and is_silent


# ------------------------------------------------------------------------- servers


class Failing:
    """The tool of a server; counts how often it ran for each way it was told to fail in."""

    def __init__(self, server: WildServer, *, modern: bool) -> None:
        self.server = server
        self.runs: dict[str, int] = {}
        self.ways: dict[str, Way] = {}
        self.line = b""
        """The answer of the last run, as it left."""
        if modern:
            for method in ("POST", "GET", "DELETE", *METHODS):
                server.always(method, be_modern)
        server.always("tools/call", self.run)

    def run(self, exchange: Exchange) -> None:
        if exchange.server.legacy and "session=" not in exchange.path:
            exchange.good()  # this address does not take messages
            return
        name = str(exchange.params["name"])
        way = self.ways.get(name)
        if way is None:
            exchange.good()
            return
        self.runs[name] = self.runs.get(name, 0) + 1
        raw_id = encode(exchange.id)
        self.line = b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, way.error(name))
        content_type, headers = HEADERS.get(way.form, ("application/json", {}))
        body = b"" if way.status in WITHOUT_BODY else body_of(way, raw_id, name)
        if way.form == "pushed":
            exchange.reply(202)
            exchange.server.push(self.line, path=exchange.path)
        else:
            exchange.reply(way.status, body, content_type=content_type, headers=headers)


METHODS = ("initialize", "server/discover", "tools/list", "subscriptions/listen", "ping", "other")

SERVERS: dict[str, tuple[bool, dict[str, Any]]] = {
    "2026-07-28": (True, {}),
    "stateless": (False, {}),
    "sessions": (False, {"sessions": True}),
    "HTTP+SSE": (False, {"legacy": True}),
}


# ------------------------------------------------------------------------- hosts


class QuickClock:
    """Time that passes fifty times as fast where somebody sleeps."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds / 50)


class Host:
    """A host, of either era, and all of the command but its process."""

    def __init__(self, server: WildServer, *, modern: bool, era: Era = Era.UNKNOWN) -> None:
        self.modern = modern
        self._answers: dict[object, asyncio.Future[bytes]] = {}
        self._ids = 0
        self._url = server.url
        self._era = ServerEra(era)
        self._clock = QuickClock()

    # As `HostChannel`

    def receive(
        self,
        on_line: OnLine,
        on_long_line: Callable[[bytes, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._on_line = on_line

    def _write(self, line: bytes) -> None:
        for _ in self._on_line(line) or ():
            pass

    def send(self, *pieces: Piece) -> None:
        line = b"".join(pieces)
        message = json.loads(line)
        if "method" not in message:
            self._answers.pop(message["id"]).set_result(line)

    async def drain(self) -> None:
        """It is always fast enough."""

    async def flush(self, seconds: float) -> None:
        """Nothing is kept back."""

    # What it does

    async def begin(self, *, handshake: bool = True) -> None:
        clients = self._clients = [await client_for(self._url) for _ in range(2)]
        parameters = ParameterHeaders()

        def connect_transport(
            clients: list[HttpClient], deliver: Deliver, lost: Callable[[], None]
        ) -> ServerChannel:
            def streamable(accepted: OnAccepted, _: float | None) -> ServerChannel:
                metadata = MetadataHeaders(parameters)
                return StreamableChannel(
                    *(clients[0], deliver, lost, self._clock, lambda: 0.0, 1 << 24, accepted),
                    metadata=metadata,
                )

            def legacy_sse(accepted: OnAccepted, _: float | None) -> ServerChannel:
                return LegacySseChannel(clients[1], deliver, lost, 1 << 24, accepted)

            candidates = [Candidate("a", streamable, True), Candidate("b", legacy_sse)]
            return ChosenChannel(candidates, lambda _: None)

        def connect(deliver: Deliver, lost: Callable[[], None]) -> ServerChannel:
            return EraChannel(
                lambda take: connect_transport(clients, take, lost),
                *(deliver, self._era, parameters, self._clock, lambda: 0.0),
            )

        self._relay = Relay(
            HostSide(HostLines(self), self._era, self._clock, lambda count: b"k" * count),
            connect,
            catalog=ToolCatalog(ToolRules()),
            clock=self._clock,
            random=lambda: 0.0,
        )
        self._running = asyncio.ensure_future(self._relay.run())
        await asyncio.sleep(0)
        if handshake and self.modern:
            assert "result" in json.loads(await self.ask("server/discover", {}))
        elif handshake:
            hello: Json = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
            assert "result" in json.loads(await self.ask("initialize", hello))
            self._write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    async def ask(self, method: str, params: Json) -> bytes:
        """The line that answers."""
        self._ids += 1
        if self.modern:
            params = {**params, "_meta": ENVELOPE}
        answer = self._answers[self._ids] = asyncio.get_running_loop().create_future()
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        self._write(encode(request))
        async with asyncio.timeout(30):
            return await answer

    async def end(self) -> None:
        self._relay.stop("The test is over.")
        await self._running
        for client in self._clients:
            await client.aclose()  # the relay's own end has a time, which a busy machine may miss


ENVELOPE: Json = {
    PREFIX + "protocolVersion": "2026-07-28",
    PREFIX + "clientInfo": {"name": "modern", "version": "2"},
    PREFIX + "clientCapabilities": {},
}


# ------------------------------------------------------------------------- what is right


def told_to(host: Host, *, server_is_modern: bool, error: Json) -> Json:
    """The server's own error as this host must get it: only its code may be of another era."""
    code = error.setdefault("code", -32603)  # without one, a host could not read it
    if host.modern and not server_is_modern:
        if code == -32002:
            return {**error, "code": -32602}
        if code in MODERN_CODES:
            return {**error, "code": -32603}
    return error


class Asked(NamedTuple):
    """What came of one request.

    Attributes:
        written: the server's own error, as it left the server.
        own: the same, as the host must get it.
        line: what the host got.
        runs: how often the server did what was asked for.
        requests: how many it saw meanwhile.
        same_era: whether host and server are of one.
    """

    way: Way
    written: bytes
    own: Json
    line: bytes
    runs: int
    requests: int
    same_era: bool


def check_call(asked: Asked) -> None:
    way, answer = asked.way, json.loads(asked.line)
    if says_not_executed(way):
        assert asked.runs <= 10, "it does not end"
    else:
        assert asked.runs == 1
        # A question for what the answer before has left in doubt, and one for this.
        assert asked.requests <= 3
    if way.form == "result" and is_answered(way):
        assert answer["result"]["x"] == 1.0
        return
    error, own = answer["error"], asked.own
    if is_answered(way) or (way.form in ("null", "missing") and way.status not in WITHOUT_BODY):
        if way.status == 401 and is_answered(way):
            assert "wants a sign-in" in error["message"]
            own = {**own, "message": error["message"]}
        if way.status not in (401, 404) or is_answered(way):
            assert error == own
    is_whole = way.form == "json" and way.code is not None
    if is_whole and is_answered(way) and way.status != 401 and asked.same_era:
        assert asked.written in asked.line  # byte for byte
    assert error["message"]


def sweep(
    kind: str,
    host_is_modern: bool,
    method: str,
    ways: Iterable[Way],
    check: Callable[[Asked], None],
) -> int:
    """Asks a server to fail in each of these ways; how many sessions it was asked for meanwhile."""
    modern, options = SERVERS[kind]

    async def play(server: WildServer) -> int:
        tool = Failing(server, modern=modern)
        server.always(method, tool.run)
        host = Host(server, modern=host_is_modern)
        await host.begin()
        begun = len(server.received("initialize"))
        for number, way in enumerate(ways):
            name = f"tool-{number}"
            tool.ways[name] = way
            before = len(server.requests)
            line = await host.ask(method, {"name": name})
            written = way.error(name)
            own = told_to(host, server_is_modern=modern, error=json.loads(written))
            runs, requests = tool.runs.get(name, 0), len(server.requests) - before
            try:
                check(Asked(way, written, own, line, runs, requests, host_is_modern == modern))
            except (AssertionError, KeyError) as error:
                error.add_note(f"{way}: {runs} runs, {line[:600]!r}")
                raise
        await host.end()
        return len(server.received("initialize")) - begun

    with WildServer(**options) as server:
        return asyncio.run(play(server))


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R2", "R5")
@pytest.mark.parametrize("host_is_modern", [False, True], ids=["legacy host", "modern host"])
@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_a_tool_that_fails_in_any_way_runs_once(kind: str, host_is_modern: bool) -> None:
    ways = all_ways(list(SERVERS).index(kind) + 2 * host_is_modern)
    if kind == "HTTP+SSE":
        pushed = [Way(202, code, "pushed") for code in CODES]
        ways = chain((way for way in ways if not leaves_it_to_stream(way)), pushed)
    sessions = sweep(kind, host_is_modern, "tools/call", ways, check_call)
    assert sessions == 0, "a verdict was drawn"


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R5", "L5")
@pytest.mark.parametrize("host_is_modern", [False, True], ids=["legacy host", "modern host"])
@pytest.mark.parametrize("kind", SERVERS)
def test_what_is_without_effect_ends_with_the_servers_own_error(
    kind: str, host_is_modern: bool
) -> None:
    """It may be asked again, and be evidence; what the host is told stays the server's."""

    def check(asked: Asked) -> None:
        error = json.loads(asked.line)["error"]
        message = error["message"] if asked.way.status == 401 else asked.own["message"]
        assert error == {**asked.own, "message": message}
        assert asked.runs <= 10

    ways = [Way(status, code) for status in STATUSES for code in (-32000, -32020, -32601)]
    sweep(kind, host_is_modern, "prompts/get", filter(is_answered, ways), check)


@pytest.mark.report("E1")
@pytest.mark.promise("R1", "R5", "R6")
@pytest.mark.parametrize("host_is_modern", [False, True], ids=["legacy host", "modern host"])
@pytest.mark.parametrize("kind", SERVERS)
def test_many_calls_that_fail_at_once_run_once_each(kind: str, host_is_modern: bool) -> None:
    modern, options = SERVERS[kind]

    async def play(server: WildServer) -> None:
        tool = Failing(server, modern=modern)
        host = Host(server, modern=host_is_modern)
        await host.begin()
        forms = ("json", "null", "html", "text")
        ways = [Way(status, -32600, form) for status in (400, 404, 410) for form in forms]
        names = [f"tool-{number}" for number in range(5 * len(ways))]
        tool.ways.update(zip(names, 5 * ways, strict=True))
        before = len(server.requests)
        lines = await asyncio.gather(*(host.ask("tools/call", {"name": name}) for name in names))
        assert all("error" in json.loads(line) for line in lines)
        assert tool.runs == dict.fromkeys(names, 1)
        assert len(server.requests) - before <= 2 * len(names)
        await host.end()

    with WildServer(**options) as server:
        asyncio.run(play(server))
