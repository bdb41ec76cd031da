"""A result waits for the progress that was told just before it, and no other result waits.

The relay between a written host and a written server, on a clock that jumps.
"""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.relay.progress import LONGEST_READING, MAX_TOKENS, READING_SECONDS
from tests.fakes import Behaviour, FakeServerChannel, Json, encode, good, settle
from tests.test_relay import Scene, scene

pytestmark = pytest.mark.report("E4")


def report(*tokens: object) -> Behaviour:
    """Says that these have come on, and answers in the same turn."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        for token in tokens:
            params = {"progressToken": token, "progress": 1}
            notice = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
            server.say(encode(notice))
        await good(server, message)

    return behaviour


def meta(token: object) -> Json:
    return {"name": "x", "_meta": {"progressToken": token}}


def lines_of(stage: Scene) -> list[str]:
    """What the host was told: methods, and ids of answers."""
    messages = [json.loads(line) for line in stage.host.lines]
    return [message.get("method") or str(message["id"]) for message in messages]


PROGRESS = "notifications/progress"


@pytest.mark.parametrize("token", [7, "seven"])
def test_a_result_waits_until_the_host_has_had_time_to_read(token: object) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", report(token))
        stage.host.request(7, "tools/call", meta(token))
        await settle()
        assert lines_of(stage) == [PROGRESS]
        await stage.clock.advance(READING_SECONDS)
        assert lines_of(stage) == [PROGRESS, "7"]

    scene(play)


def test_a_host_that_is_at_other_things_gets_longer_but_not_for_ever() -> None:
    has_read = False

    async def play(stage: Scene) -> None:
        nonlocal has_read
        stage.server.always("tools/call", report(7))
        stage.host.request(7, "tools/call", meta(7))
        await stage.clock.advance(READING_SECONDS * 4)
        assert lines_of(stage) == [PROGRESS]
        has_read = True
        await stage.clock.advance(READING_SECONDS)
        assert lines_of(stage) == [PROGRESS, "7"]
        has_read = False
        stage.host.request(8, "tools/call", meta(7))
        await stage.clock.advance(LONGEST_READING + 3 * READING_SECONDS)
        assert lines_of(stage)[-1] == "8"

    scene(play, has_read=lambda: has_read)


def test_a_result_that_comes_later_waits_as_well_while_the_progress_is_not_read() -> None:
    has_read = False

    async def play(stage: Scene) -> None:
        nonlocal has_read

        async def think(server: FakeServerChannel, message: Message) -> None:
            notice = {"progressToken": 7, "progress": 1}
            server.say(encode({"jsonrpc": "2.0", "method": PROGRESS, "params": notice}))
            await stage.clock.sleep(2 * READING_SECONDS)
            await good(server, message)

        stage.server.always("tools/call", think)
        stage.host.request(7, "tools/call", meta(7))
        await stage.clock.advance(2 * READING_SECONDS)
        await settle()
        assert lines_of(stage) == [PROGRESS]
        has_read = True
        await stage.clock.advance(READING_SECONDS)
        assert lines_of(stage) == [PROGRESS, "7"]
        stage.host.request(8, "tools/call", meta(7))
        await stage.clock.advance(2 * READING_SECONDS)
        await settle()
        assert lines_of(stage)[-1] == "8"

    scene(play, has_read=lambda: has_read)


def test_who_has_no_progress_meets_no_timer() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", report(7))
        stage.host.request(7, "tools/call", meta(7))
        await settle()
        waits = len(stage.clock.waits)
        stage.host.request(8, "tools/call", {"name": "y"})
        stage.host.request(9, "tools/call", meta(9))
        await settle()
        assert lines_of(stage) == [PROGRESS, "8", "9"]
        assert len(stage.clock.waits) == waits
        await stage.clock.advance(1)
        # Told long ago: no wait either.
        stage.server.script("tools/call", report())
        stage.host.request(10, "tools/call", meta(7))
        await settle()
        assert lines_of(stage)[-1] == "10"

    scene(play)


@pytest.mark.promise("R1")
def test_at_the_end_what_waits_is_said() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", report(7))
        stage.host.request(7, "tools/call", meta(7))
        await settle()
        stage.relay.stop("The test is over.")
        await settle()
        assert lines_of(stage) == [PROGRESS, "7"]

    scene(play)


def test_tokens_are_bounded_and_odd_ones_are_nobodys() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("tools/call", report(None, {}, 7, *range(100, 100 + MAX_TOKENS)))
        stage.host.request(7, "tools/call", meta(7))
        await settle()
        assert lines_of(stage)[-1] == "7"  # forgotten

    scene(play)
