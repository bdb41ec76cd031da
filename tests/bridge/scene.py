"""A relay with both shells around it, between a written host and a written server, in jumping time.

Must not know what a test wants to show.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_remote_py.bridge.era import ServerEra
from mcp_remote_py.bridge.host_side import HostSide
from mcp_remote_py.bridge.merging import MergingChannel
from mcp_remote_py.bridge.server_side import EraChannel
from mcp_remote_py.channel import Deliver, ServerChannel
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import ExchangeError, Refused, Unusable
from mcp_remote_py.jsonrpc import Kind, Message
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.lines import HostLines
from mcp_remote_py.transports.refusal import take_answer
from tests.fakes import (
    Behaviour,
    FakeClock,
    FakeHost,
    FakeServerChannel,
    Json,
    encode,
    good,
    run,
    settle,
)

PREFIX = "io.modelcontextprotocol/"
INITIALIZE: Json = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}, "sampling": {}, "roots": {}},
    "clientInfo": {"name": "test", "version": "1"},
}
ENVELOPE: Json = {
    PREFIX + "protocolVersion": "2026-07-28",
    PREFIX + "clientInfo": {"name": "modern", "version": "2"},
    PREFIX + "clientCapabilities": {"elicitation": {}, "sampling": {}},
}
DISCOVERED: Json = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {"listChanged": True}, "resources": {"subscribe": True}},
    "_meta": {PREFIX + "serverInfo": {"name": "far", "version": "3"}},
    "ttlMs": 0,
    "cacheScope": "private",
}


def modern(params: Json | None = None, **more: Any) -> Json:
    """Params of a request of 2026-07-28."""
    return {**(params or {}), **more, "_meta": ENVELOPE}


class Scene:
    """Both sides, and what was written down of the server's era."""

    def __init__(
        self,
        remembered: Era = Era.UNKNOWN,
        *,
        fixed: bool = False,
        merge: bool = False,
        rules: ToolRules | None = None,
        **options: Any,
    ) -> None:
        self.host = FakeHost()
        self.server = FakeServerChannel()
        self.clock = FakeClock()
        self.kept: list[Era] = []
        self.era = ServerEra(remembered, self.kept.append, fixed=fixed)
        self.parameters = ParameterHeaders()
        self.merge = merge
        self.relay = Relay(
            HostSide(HostLines(self.host), self.era, self.clock, lambda count: b"k" * count),
            self._connect,
            catalog=ToolCatalog(rules or ToolRules()),
            clock=self.clock,
            random=lambda: 0.5,
            **options,
        )
        self.before = asyncio.all_tasks()
        self.running = asyncio.ensure_future(self.relay.run())

    def _connect(self, deliver: Deliver, on_session_lost: Callable[[], None]) -> ServerChannel:
        def connect_era(deliver: Deliver) -> ServerChannel:
            return EraChannel(
                lambda take: self.server.connect(take, on_session_lost),
                deliver,
                self.era,
                self.parameters,
                self.clock,
                lambda: 0.5,
            )

        if not self.merge:
            return connect_era(deliver)
        return MergingChannel(connect_era, deliver, self.clock, lambda: 0.5)

    async def ask(self, request_id: object, method: str, params: Json | None = None) -> Json:
        """One request of the host, with as much time as it takes."""
        self.host.request(request_id, method, params)
        await self.clock.advance(120)
        return self.host.answer(request_id)

    async def shake_hands(self) -> Json:
        """The host's handshake; the result of `initialize`."""
        answer = await self.ask("init", "initialize", INITIALIZE)
        self.host.notify("notifications/initialized")
        await settle()
        result: Json = answer["result"]
        return result

    @property
    def methods(self) -> list[str]:
        """What the server was sent, by method."""
        return [message.method or "response" for message in self.server.sent]

    def sent(self, method: str) -> list[Json]:
        """The messages of this method, decoded."""
        return [json.loads(message.raw) for message in self.server.received(method)]

    async def end(self) -> None:
        """The host goes away; nothing is left open."""
        self.relay.stop("The test is over.")
        await self.clock.finish(self.running)
        await settle()
        assert asyncio.all_tasks() <= self.before


def scene(test: Callable[[Scene], Awaitable[None]], era: Era = Era.UNKNOWN, **options: Any) -> None:
    """Plays `test` on a scene, and ends it in order."""

    async def main() -> None:
        stage = Scene(era, **options)
        await settle()
        await test(stage)
        await stage.end()

    run(main())


# What servers do


def refuse(
    status: int, code: int | None = None, data: Json | None = None, *, read: bool = True
) -> Behaviour:
    """HTTP `status`, with a JSON-RPC error where there is a code; `read`: it has the id."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        refuse_now(server, message, status, code, data, read=read)

    return behaviour


def refuse_now(
    server: FakeServerChannel,
    message: Message,
    status: int,
    code: int | None = None,
    data: Json | None = None,
    *,
    read: bool = True,
) -> None:
    """What a transport does with that: an answer is delivered, what else it is is raised."""
    error = refusal(message, status, code, data)
    error = error.changed({"is_answer": error.is_answer and read})
    answer = take_answer(error, message)
    if answer is None:
        raise error
    assert server.deliver is not None
    server.deliver(answer)


def refusal(
    message: Message, status: int, code: int | None = None, data: Json | None = None
) -> ExchangeError:
    """The error a transport makes of that."""
    if code is None:
        return Unusable(f"The server refused the request (HTTP {status}).", status=status)
    return Refused(
        f"The server refused the request (HTTP {status}).",
        status=status,
        body=error_line(message, code, data),
        is_answer=True,
    )


def error_line(message: Message, code: int, data: Json | None = None) -> bytes:
    """An error answer."""
    more = {} if data is None else {"data": data}
    error = {"code": code, "message": "no", **more}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (message.raw_id, encode(error))


def error(code: int, data: Json | None = None) -> Behaviour:
    """A JSON-RPC error with HTTP 200."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        server.say(error_line(message, code, data))

    return behaviour


def result(value: Json) -> Behaviour:
    """Answers with this."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        server.answer(message, value)

    return behaviour


async def be_modern(server: FakeServerChannel, message: Message) -> None:
    """A server of 2026-07-28 and of nothing else."""
    if message.kind is not Kind.REQUEST:
        return
    if (PREFIX + "protocolVersion").encode() not in message.raw:
        return refuse_now(server, message, 400, -32020)
    if message.method == "server/discover":
        server.answer(message, DISCOVERED)
    elif message.method == "subscriptions/listen":
        wanted = json.loads(message.params)["notifications"]
        acknowledge(server, message, wanted)
        await asyncio.get_running_loop().create_future()
    else:
        server.answer(message, {"resultType": "complete", "method": message.method})


def acknowledge(server: FakeServerChannel, listen: Message, wanted: Json) -> None:
    """Agrees to a subscription."""
    meta = {PREFIX + "subscriptionId": json.loads(listen.raw_id)}
    notify(server, "notifications/subscriptions/acknowledged", notifications=wanted, _meta=meta)


def notify(server: FakeServerChannel, method: str, **params: Any) -> None:
    """The server sends a notification."""
    server.say(encode({"jsonrpc": "2.0", "method": method, "params": params}))


async def be_legacy(server: FakeServerChannel, message: Message) -> None:
    """A server that begins with `initialize` and refuses what is of 2026-07-28."""
    if (PREFIX + "protocolVersion").encode() in message.raw:
        return refuse_now(server, message, 400, -32600)
    await good(server, message)


def take_only(version: str) -> Behaviour:
    """A server that refuses a revision that it does not know, by its name."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        asked = json.loads(message.raw)["params"].get("protocolVersion")
        if asked != version:
            words = f"Unsupported protocol version: {asked}"
            raise Refused(f'The server refused the request (HTTP 400: "{words}").', status=400)
        server.answer(message, {"protocolVersion": version, "capabilities": {}})

    return behaviour
