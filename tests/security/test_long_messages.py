"""A message of many megabytes holds up nothing: of either side, judged, translated or as it is."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.host import Host, Json
from tests.peers.wild_server import Exchange, WildServer, be_modern
from tests.relay.conftest import Relay, Wild
from tests.security.measure import MIB, Turns
from tests.thorough import THOROUGH, some

SIZE = (50 if THOROUGH else 5) * MIB
TURN = 0.02 if THOROUGH else 0.04
"""Seconds of a CPU that the event loop may work without a look at all else."""

PREFIX = "io.modelcontextprotocol/"
META: Json = {
    PREFIX + "protocolVersion": "2026-07-28",
    PREFIX + "clientInfo": {"name": "test", "version": "1"},
    PREFIX + "clientCapabilities": {},
}
TOOL: Json = {
    "name": "long",
    "inputSchema": {
        "type": "object",
        "properties": {"place": {"type": "string", "x-mcp-header": "Place"}},
    },
}
ANSWER = (
    b'{"jsonrpc":"2.0","id":%b,"result":'
    b'{"resultType":"complete","content":[],"structuredContent":{"x":%b}}}'
)
CONTENTS: dict[str, bytes] = {
    "string": b'"%b"' % (b"x" * SIZE),
    "numbers": b"[%b0]" % (b"0," * (SIZE // 2)),
    "objects": b"[%b0]" % (b'{"name":"a, b","tags":["[","]"]},' * (SIZE // 33)),
}

OPTIONS = [(), ("--ignore-tool", "other")][0 if THOROUGH else 1 :]
"""In the gate the way that looks at more."""

pytestmark = [pytest.mark.timeout(120)]


class Scene:
    """A host of one era and a server of one, whose tool `long` takes and gives a long text."""

    def __init__(
        self, server: WildServer, relay: Relay, folder: Path, pairing: str, *options: str
    ) -> None:
        self.host_is_modern, self.server_is_modern = (
            era == "modern" for era in pairing.split(" to ")
        )
        self.server = server
        self.content = b""
        self.lengths: list[int] = []
        self.places: list[str] = []
        server.tools = [TOOL]
        if self.server_is_modern:
            for method in ("initialize", "server/discover", "tools/list"):
                server.always(method, be_modern)
        server.always("tools/call", self._call)
        self.turns = Turns(folder)
        self.host: Host = relay(server.url, *options, environment=self.turns.environment)
        if self.host_is_modern:
            self.ask("server/discover", {})
        else:
            self.host.initialize()
        self.ask("tools/list", {})

    def ask(self, method: str, params: Json) -> Json:
        return self.host.request(method, self._complete(params))

    def _complete(self, params: Json) -> Json:
        return {**params, "_meta": META} if self.host_is_modern else params

    def _call(self, exchange: Exchange) -> None:
        if exchange.params["name"] != "long":
            (be_modern if self.server_is_modern else Exchange.good)(exchange)
            return
        self.lengths.append(len(exchange.body))
        self.places.append(exchange.headers.get("mcp-param-place", ""))
        exchange.reply(200, ANSWER % (json.dumps(exchange.id).encode(), self.content))

    def call(self, content: bytes) -> Json:
        """Calls the tool with this, which gives it back."""
        self.content = content
        arguments: dict[str, Any] = {"place": "here", "x": 0}
        params = self._complete({"name": "long", "arguments": arguments})
        text = json.dumps(
            {"jsonrpc": "2.0", "id": "long", "method": "tools/call", "params": params}
        )
        self.host.send(text.encode().replace(b'"x": 0', b'"x":%b' % content))
        return self.host.answer("long", seconds=60)


@pytest.mark.promise("E1", "E2", "E3", "R8")
@pytest.mark.report("S4")
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize(
    ("content", "pairing"),
    some(
        itertools.product(
            CONTENTS,
            [
                *("handshake to modern", "handshake to handshake", "modern to handshake"),
                "modern to modern",
            ],
        ),
        2,
    ),
)
def test_a_long_call_and_its_answer_hold_up_nothing(
    wild: Wild, relay: Relay, tmp_path: Path, pairing: str, options: tuple[str, ...], content: str
) -> None:
    scene = Scene(wild(), relay, tmp_path, pairing, *options)
    scene.turns.begin()
    answer = scene.call(CONTENTS[content])
    assert answer["result"]["structuredContent"]["x"] == json.loads(CONTENTS[content])
    assert scene.lengths[0] > SIZE
    if scene.server_is_modern:
        assert scene.places == ["here"]
    assert "result" in scene.ask("tools/call", {"name": "small", "arguments": {}})
    turn, what = scene.turns.longest()
    assert turn < TURN, what
