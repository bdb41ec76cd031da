"""Log messages that nobody has set a level for: as the revision of the host has it.

Until 2025-11-25 a server chooses what it sends then; since 2026-07-28 it must not send any.
"""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.jsonrpc import Message
from tests.bridge.scene import (
    DISCOVERED,
    PREFIX,
    Scene,
    be_legacy,
    be_modern,
    modern,
    notify,
    result,
    scene,
)
from tests.fakes import FakeServerChannel, Json, good

pytestmark = pytest.mark.report("E6")

LOG = "notifications/message"
LOGGING: Json = {"capabilities": {"logging": {}, "tools": {}}}


async def log_by_the_rules(server: FakeServerChannel, message: Message) -> None:
    """A server of 2026-07-28: it logs for a request that names a level."""
    level = json.loads(message.params)["_meta"].get(PREFIX + "logLevel")
    if level is not None:
        notify(server, LOG, level=level, data="working")
    await be_modern(server, message)


async def log_always(server: FakeServerChannel, message: Message) -> None:
    """A handshake server that logs by its own choice."""
    notify(server, LOG, level="error", data="working")
    await good(server, message)


def logged(stage: Scene) -> list[str]:
    """The levels of what the host heard."""
    messages = [json.loads(line) for line in stage.host.lines]
    return [one["params"]["level"] for one in messages if one.get("method") == LOG]


@pytest.mark.parametrize("announced", [LOGGING, {}], ids=["announced", "not announced"])
def test_a_host_with_a_handshake_hears_what_the_server_chooses(announced: Json) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("server/discover", result({**DISCOVERED, **announced}))
        stage.server.always("tools/call", log_by_the_rules)
        await stage.shake_hands()
        await stage.ask(1, "tools/call", {"name": "x"})
        assert logged(stage) == ["debug"]
        await stage.ask(2, "logging/setLevel", {"level": "warning"})
        await stage.ask(3, "tools/call", {"name": "x"})
        assert logged(stage) == ["debug", "warning"]

    scene(play)


def test_between_two_of_the_handshake_everything_passes() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("tools/call", log_always)
        await stage.shake_hands()
        await stage.ask(1, "tools/call", {"name": "x"})
        assert logged(stage) == ["error"]

    scene(play)


@pytest.mark.parametrize(
    ("level", "heard"), [(None, []), ("emergency", []), ("error", ["error"]), ("info", ["error"])]
)
def test_a_modern_host_hears_what_its_request_asks_for(level: str | None, heard: list[str]) -> None:
    async def play(stage: Scene) -> None:
        hello = {"protocolVersion": "2025-11-25", **LOGGING}
        stage.server.always("", be_legacy)
        stage.server.always("initialize", result(hello))
        stage.server.always("tools/call", log_always)
        await stage.ask(1, "server/discover", modern())
        params = modern(name="x")
        if level is not None:
            params["_meta"] = {**params["_meta"], PREFIX + "logLevel": level}
        assert "result" in await stage.ask(2, "tools/call", params)
        assert logged(stage) == heard
        assert len(stage.sent("logging/setLevel")) == (level is not None)

    scene(play)
