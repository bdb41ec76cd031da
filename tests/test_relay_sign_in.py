"""The relay while a person is waited for: what the host gets, and what the server gets, and when.

A written host, server and person, on a clock that jumps. Must not know OAuth, files or processes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.errors import NotSent, Refused
from mcp_remote_py.jsonrpc import INVALID_PARAMS, LOCAL_ERROR, Message
from mcp_remote_py.relay.relay import MAX_IN_FLIGHT
from mcp_remote_py.retry import INITIALIZE_PATIENCE, initialize_wait
from mcp_remote_py.settings.commands import ToolRules
from tests.fakes import (
    Behaviour,
    FakeServerChannel,
    FakeSignInWatch,
    Json,
    encode,
    fail,
    run,
    settle,
    when,
)
from tests.test_relay import INITIALIZE, Scene

LINK = "https://auth.example/authorize?a=b"
TODO = f"Open this address to sign in: {LINK}"
PATIENCE = 45.0

KNOWN = ServerSnapshot(
    b'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}, "serverInfo":{"name":"far"}}',
    b'{"tools":[{"name":"add","annotations":{"readOnlyHint":true}}, {"name":"drop"}]}',
)
CHANGED = "notifications/tools/list_changed"
TOOL: Json = {"name": "add", "arguments": {}}
SIGN_IN: Json = {"name": "sign_in"}


class Stage(Scene):
    """A scene with a person.

    The server answers the first `initialize` once `signed_in` is set, or as `first` has it; that
    may wait for `failed`.
    """

    def __init__(
        self, watch: FakeSignInWatch, first: Sequence[Behaviour] | None = None, **options: Any
    ) -> None:
        patience = options.pop("patience", PATIENCE)
        super().__init__(sign_in=watch, memory=watch, initialize_timeout=patience, **options)
        self.watch = watch
        self.signed_in = asyncio.Event()
        behaviours = [when(self.signed_in)] if first is None else first
        self.server.script("initialize", *behaviours)

    async def wait_long(self) -> Json:
        """The handshake of a host that is answered without the server."""
        self.host.request("init", "initialize", INITIALIZE)
        await self.clock.advance(PATIENCE)
        result: Json = self.host.answer("init")["result"]
        self.host.notify("notifications/initialized")
        await settle()
        return result

    async def sign_in(self) -> None:
        self.watch.todo = ""
        self.signed_in.set()
        await settle()


def stage(
    test: Callable[[Stage], Awaitable[None]],
    *,
    todo: str = TODO,
    known: ServerSnapshot | None = None,
    **options: Any,
) -> None:
    async def main() -> None:
        scene = Stage(FakeSignInWatch(todo, known), **options)
        await settle()
        await test(scene)
        await scene.end()

    run(main())


def text_of(answer: Json) -> str:
    text = answer["result"]["content"][0]["text"]
    assert isinstance(text, str)
    return text


# Who waits for what


@pytest.mark.promise("A6", "R1")
def test_initialize_is_answered_in_time_and_only_once() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE - 1)
        assert not one.host.lines
        await one.clock.advance(1)
        result = one.host.answer("init")["result"]
        assert LINK in result["instructions"]
        await one.sign_in()
        one.host.notify("notifications/initialized")
        await one.clock.advance(120)
        assert len(one.host.answers("init")) == 1
        assert one.server.events == [
            "initialize",
            "2025-11-25",
            "notifications/initialized",
            "listen",
        ]

    stage(play)


FITS_HOST: Json = {"host_wait": partial(initialize_wait, environment={})}
CLAUDE_CODE: Json = {"name": "claude-code", "title": "Claude Code", "version": "2.1.197"}


@pytest.mark.promise("A6", "R1")
@pytest.mark.parametrize(
    ("host", "options", "seconds"),
    [
        (CLAUDE_CODE, FITS_HOST, 20),
        (CLAUDE_CODE, {}, PATIENCE),  # a person has said how long
        ({"name": "claude-ai", "version": "1"}, FITS_HOST, PATIENCE),
        ({"name": "test", "title": "claude-code", "version": "1"}, FITS_HOST, PATIENCE),
        ({"name": ["claude-code"]}, FITS_HOST, PATIENCE),
        ("claude-code", FITS_HOST, PATIENCE),
    ],
    ids=["gives up after 30 s", "option", "another", "title", "no name", "no object"],
)
def test_host_that_gives_up_sooner_is_answered_in_its_time(
    host: Json | str, options: Json, seconds: float
) -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE | {"clientInfo": host})
        await one.clock.advance(seconds - 1)
        assert not one.host.lines
        await one.clock.advance(1)
        assert LINK in one.host.answer("init")["result"]["instructions"]

    stage(play, **options)


@pytest.mark.promise("A6")
def test_shorter_wait_of_an_option_is_kept_for_a_host_that_gives_up_sooner() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE | {"clientInfo": CLAUDE_CODE})
        await one.clock.advance(5)
        assert LINK in one.host.answer("init")["result"]["instructions"]

    stage(play, patience=5)


@pytest.mark.promise("A6")
def test_server_that_is_merely_slow_is_waited_for_where_nothing_is_known() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(300)
        assert not one.host.lines
        await one.sign_in()
        assert "protocolVersion" in one.host.answer("init")["result"]

    stage(play, todo="")


@pytest.mark.promise("A6")
def test_server_that_is_down_is_reported_as_before() -> None:
    async def play(one: Stage) -> None:
        one.server.script("initialize", *[fail(lambda: NotSent("Nobody is there."))] * 12)
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(300)
        assert one.host.answer("init")["error"]["message"] == "Nobody is there."

    stage(play, todo="", first=[])


@pytest.mark.promise("A6")
def test_person_who_is_asked_late_is_not_waited_for_again() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE + 5)
        assert not one.host.lines
        one.watch.todo = TODO
        await one.clock.advance(1)
        assert LINK in one.host.answer("init")["result"]["instructions"]

    stage(play, todo="")


@pytest.mark.promise("A6", "R1")
@pytest.mark.report("O6")
def test_sign_in_that_needs_nobody_now_is_not_waited_for_either() -> None:
    async def play(one: Stage) -> None:
        one.watch.is_busy = True  # the code is being exchanged, or another process has the lock
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE - 1)
        assert not one.host.lines
        await one.clock.advance(1)
        assert "not finished yet" in one.host.answer("init")["result"]["instructions"]
        one.host.notify("notifications/initialized")
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(PATIENCE)
        error = one.host.answer(1)["error"]["message"]
        assert "is not finished yet; the request was not sent" in error
        await one.sign_in()
        assert "result" in await one.ask(2, "tools/call", TOOL)
        assert len(one.server.received("initialize")) == 1
        assert len(one.server.received("tools/call")) == 1

    stage(play, todo="")


@pytest.mark.promise("A6", "R1")
def test_server_that_is_silent_after_the_sign_in_is_stood_in_for_in_time() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(INITIALIZE_PATIENCE + 1)
        assert not one.host.lines
        one.watch.todo = ""
        await one.clock.advance(PATIENCE - INITIALIZE_PATIENCE - 2)
        assert not one.host.lines
        await one.clock.advance(1)
        assert one.host.answer("init")["result"] == json.loads(KNOWN.initialize)

    stage(play, known=KNOWN)


@pytest.mark.promise("A6")
def test_quick_person_is_never_noticed() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE - 1)
        await one.sign_in()
        assert "instructions" not in one.host.answer("init")["result"]
        await one.clock.advance(300)
        assert len(one.host.lines) == 1

    stage(play)


def test_cancelled_initialize_is_not_answered() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE - 1)
        one.host.notify("notifications/cancelled", {"requestId": "init"})
        await one.clock.advance(300)
        assert not one.host.lines

    stage(play)


def test_answered_initialize_cannot_be_cancelled() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        one.host.notify("notifications/cancelled", {"requestId": "init"})
        await one.clock.advance(60)
        await one.sign_in()
        assert one.server.received("notifications/cancelled") == []
        assert len(one.host.told(CHANGED)) == 1

    stage(play)


# The tool


@pytest.mark.promise("A6", "R1")
def test_tool_carries_the_link_until_the_servers_tools_are_there() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        (tool,) = (await one.ask(1, "tools/list"))["result"]["tools"]
        assert tool["name"] == "sign_in"
        assert LINK in text_of(await one.ask(2, "tools/call", SIGN_IN))
        assert (await one.ask(3, "ping"))["result"] == {}
        assert [message.method for message in one.server.sent] == ["initialize"]
        await one.sign_in()
        assert len(one.host.told(CHANGED)) == 1
        assert "is done" in text_of(await one.ask(4, "tools/call", SIGN_IN))
        assert (await one.ask(5, "tools/list"))["result"] == {"tools": []}
        assert (await one.ask(6, "tools/call", SIGN_IN))["result"] == {"method": "tools/call"}
        assert len(one.server.received("tools/call")) == 1

    stage(play)


@pytest.mark.promise("A6")
@pytest.mark.report("O25")
def test_tool_has_the_page_opened_while_somebody_is_waited_for() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        await one.ask(1, "tools/list")
        assert one.watch.shown == 0
        for count in (1, 2):
            await one.ask(1 + count, "tools/call", SIGN_IN)
            assert one.watch.shown == count
        await one.sign_in()
        await one.ask(4, "tools/call", SIGN_IN)
        assert one.watch.shown == 2

    stage(play)


@pytest.mark.promise("A6")
def test_tool_is_offered_whatever_is_hidden() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        (tool,) = (await one.ask(1, "tools/list"))["result"]["tools"]
        assert tool["name"] == "sign_in"
        assert LINK in text_of(await one.ask(2, "tools/call", SIGN_IN))
        answer = await one.ask(3, "tools/call", {"name": "drop"})
        assert answer["error"]["code"] == INVALID_PARAMS

    stage(play, rules=ToolRules(ignore=("*",)))


@pytest.mark.promise("A6", "R1")
def test_requests_from_before_are_answered_with_it() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        one.host.request("list", "tools/list")
        one.host.request("wait", "tools/call", TOOL)
        for number in range(MAX_IN_FLIGHT):
            one.host.request(number, "ping" if number % 2 else "tools/list")
        await one.clock.advance(PATIENCE)
        assert one.host.answer("list")["result"]["tools"][0]["name"] == "sign_in"
        for number in range(MAX_IN_FLIGHT):
            assert len(one.host.answers(number)) == 1
        assert not one.host.answers("wait")
        one.host.notify("notifications/initialized")
        await one.sign_in()
        assert one.host.answer("wait")["result"]
        sent = [message.method for message in one.server.sent]
        assert sent == ["initialize", "notifications/initialized", "tools/call"]

    stage(play)


# What is known


@pytest.mark.promise("A6", "R1", "R2")
def test_what_is_known_is_said_and_a_call_is_executed_once_after_the_sign_in() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE)
        one.host.notify("notifications/initialized")
        one.host.request("list", "tools/list")
        await settle()
        assert one.host.lines == [
            b'{"jsonrpc":"2.0","id":"init","result":%b}' % KNOWN.initialize,
            b'{"jsonrpc":"2.0","id":"list","result":%b}' % KNOWN.tools,
        ]
        for number in range(5):
            one.host.request(number, "tools/call", {"name": "add", "n": number})
        await one.clock.advance(PATIENCE / 2)
        assert len(one.host.lines) == 2
        await one.sign_in()
        assert len(one.host.told(CHANGED)) == 1
        calls = one.server.received("tools/call")
        assert [json.loads(call.params)["n"] for call in calls] == list(range(5))
        assert [one.host.answer(number)["id"] for number in range(5)] == list(range(5))

    stage(play, known=KNOWN)


@pytest.mark.promise("A6")
def test_known_tools_are_hidden_by_the_same_rules() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        (tool,) = (await one.ask(1, "tools/list"))["result"]["tools"]
        assert tool["name"] == "add"
        assert "error" in await one.ask(2, "tools/call", {"name": "drop"})
        one.host.request(3, "tools/call", TOOL)
        await one.sign_in()
        assert "result" in one.host.answer(3)

    stage(play, known=KNOWN, rules=ToolRules(read_only=True))


@pytest.mark.promise("A6")
def test_host_hears_of_prompts_and_resources_the_server_announces() -> None:
    async def play(one: Stage) -> None:
        one.server.capabilities = {"prompts": {}, "resources": {}}
        await one.wait_long()
        await one.sign_in()
        assert [message["method"] for message in one.host.messages if "method" in message] == [
            CHANGED,
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
        ]

    stage(play)


@pytest.mark.promise("A6", "R1")
def test_wait_for_the_person_ends_with_what_to_do() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        one.host.request(1, "tools/call", TOOL)
        one.host.request(2, "prompts/list")
        await one.clock.advance(PATIENCE - 1)
        assert len(one.host.lines) == 1
        one.host.request(3, "tools/call", TOOL)
        await one.clock.advance(1)
        for number in (1, 2):
            error = one.host.answer(number)["error"]
            assert error["code"] == LOCAL_ERROR
            assert "https://mcp.example/mcp" in error["message"]
            assert f"{TODO} Then try again." in error["message"]
        await one.sign_in()
        assert "result" in one.host.answer(3)
        await one.clock.advance(300)
        assert len(one.server.received("tools/call")) == 1

    stage(play, known=KNOWN)


@pytest.mark.promise("A6", "R1")
def test_more_than_may_be_under_way_at_once_are_answered_too() -> None:
    async def play(one: Stage) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        for number in range(MAX_IN_FLIGHT + 20):
            one.host.request(number, "tools/call", TOOL)
        await one.clock.advance(PATIENCE)
        one.host.notify("notifications/initialized")
        await one.clock.advance(PATIENCE)
        for number in range(MAX_IN_FLIGHT + 20):
            assert "try again" in one.host.answer(number)["error"]["message"]
        await one.sign_in()
        await one.clock.advance(PATIENCE)
        assert one.server.received("tools/call") == []
        assert "result" in await one.ask("next", "tools/call", TOOL)

    stage(play)


@pytest.mark.promise("A6", "R1")
def test_answer_that_names_no_version_is_an_answer() -> None:
    async def vague(server: FakeServerChannel, message: Message) -> None:
        server.answer(message, {})

    async def play(one: Failing) -> None:
        await one.wait_long()
        one.host.request(1, "tools/call", TOOL)
        one.failed.set()
        await settle()
        assert "result" in one.host.answer(1)
        assert len(one.host.told(CHANGED)) == 1

    failing(play, vague)


@pytest.mark.promise("A6", "R1")
def test_what_is_at_the_server_does_not_wait_for_the_person() -> None:
    async def play(one: Stage) -> None:
        slow = asyncio.Event()
        one.server.script("tools/call", when(slow))
        one.host.request("early", "tools/call", TOOL)
        await settle()
        await one.wait_long()
        await one.clock.advance(2 * PATIENCE)
        assert not one.host.answers("early")
        slow.set()
        await settle()
        assert "result" in one.host.answer("early")

    stage(play)


@pytest.mark.promise("A6", "R1")
def test_what_is_sent_again_after_the_sign_in_does_not_wait_for_the_person() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        one.host.request(1, "tools/call", TOOL)
        await one.clock.advance(PATIENCE - 1)
        one.server.script("tools/call", fail(lambda: Refused("Busy.", status=429, retry_after=5)))
        await one.sign_in()
        await one.clock.advance(4)
        assert not one.host.answers(1)
        await one.clock.advance(4)
        assert "result" in one.host.answer(1)

    stage(play)


def test_waiting_request_can_be_cancelled() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        one.host.request(1, "tools/call", TOOL)
        await settle()
        one.host.notify("notifications/cancelled", {"requestId": 1})
        await one.clock.advance(PATIENCE)
        await one.sign_in()
        assert not one.host.answers(1)
        assert one.server.received("tools/call") == []

    stage(play, known=KNOWN)


# The sign-in fails


def refuse(words: str) -> Behaviour:
    return fail(lambda: Refused(words, hint="Run login.", status=401))


class Failing(Stage):
    """The first sign-in ends by `behaviour` once `failed` is set."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.failed = asyncio.Event()
        super().__init__(FakeSignInWatch(TODO), [when(self.failed, behaviour)])


def failing(test: Callable[[Failing], Awaitable[None]], behaviour: Behaviour | None = None) -> None:
    async def main() -> None:
        scene = Failing(behaviour or refuse("The person said no."))
        await settle()
        await test(scene)
        await scene.end()

    run(main())


@pytest.mark.promise("A6", "R1")
def test_failed_sign_in_is_the_answer_to_all_that_wait_and_the_next_begins_anew() -> None:
    async def play(one: Failing) -> None:
        await one.wait_long()
        await one.ask("list", "tools/list")
        for number in (1, 2):
            one.host.request(number, "tools/call", TOOL)
        await settle()
        one.watch.todo = ""
        one.failed.set()
        await settle()
        for number in (1, 2):
            error = one.host.answer(number)["error"]
            assert error["message"] == "The person said no. Run login."
        sent = [message.method for message in one.server.sent]
        assert sent == ["initialize"]
        assert len(one.host.answers("init")) == 1
        # What needs nobody is still answered; what needs the server tries again.
        assert (await one.ask(3, "tools/list"))["result"]["tools"][0]["name"] == "sign_in"
        assert "result" in await one.ask(4, "tools/call", TOOL)
        again = one.server.received("initialize")[1]
        assert json.loads(again.params) == INITIALIZE
        assert again.raw_id != b'"init"'
        assert len(one.host.told(CHANGED)) == 1
        assert [event for event in one.server.events if event != "renew"][1:] == [
            "initialize",
            "2025-11-25",
            "notifications/initialized",
            "listen",
            "tools/call",
        ]

    failing(play)


@pytest.mark.promise("A6", "R1")
def test_tool_begins_the_sign_in_anew_and_says_how_it_stands() -> None:
    async def play(one: Failing) -> None:
        await one.wait_long()
        await one.ask("list", "tools/list")
        one.watch.todo = ""
        one.failed.set()
        await settle()
        one.server.script("initialize", refuse("Too soon."))
        one.host.request(1, "tools/call", SIGN_IN)
        await one.clock.advance(1)
        answer = one.host.answer(1)
        assert answer["result"]["isError"] is True
        assert "Too soon. Run login." in text_of(answer)
        one.server.script("initialize", when(one.signed_in))
        one.host.request(2, "tools/call", SIGN_IN)
        await one.clock.advance(1)
        assert not one.host.answers(2)
        one.watch.todo = TODO
        await one.clock.advance(1)
        assert LINK in text_of(one.host.answer(2))
        await one.sign_in()
        assert len(one.host.told(CHANGED)) == 1
        assert "is done" in text_of(await one.ask(3, "tools/call", SIGN_IN))
        assert one.server.received("tools/call") == []

    failing(play)


@pytest.mark.promise("A6", "R1")
def test_tool_waits_while_the_sign_in_is_being_finished() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        await one.ask("list", "tools/list")
        one.watch.todo = ""
        one.host.request(1, "tools/call", SIGN_IN)
        await one.clock.advance(1)
        assert not one.host.answers(1)
        await one.sign_in()
        await one.clock.advance(1)
        assert "is done" in text_of(one.host.answer(1))
        assert len(one.server.received("initialize")) == 1

    stage(play)


@pytest.mark.promise("A6", "R1")
def test_tool_is_answered_even_when_nothing_happens() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        await one.ask("list", "tools/list")
        one.watch.todo = ""
        one.host.request(1, "tools/call", SIGN_IN)
        await one.clock.advance(PATIENCE)
        assert "try again" in one.host.answer(1)["error"]["message"]

    stage(play)


@pytest.mark.promise("A6", "R1")
def test_server_that_refuses_after_the_sign_in_is_a_failure() -> None:
    async def play(one: Failing) -> None:
        await one.wait_long()
        one.host.request(1, "tools/call", TOOL)
        await settle()
        one.failed.set()
        await settle()
        assert "unsupported" in one.host.answer(1)["error"]["message"]
        assert len(one.host.answers("init")) == 1

    async def refuse_session(server: FakeServerChannel, message: Message) -> None:
        error = {"code": -32602, "message": "unsupported"}
        server.say(encode({"jsonrpc": "2.0", "id": "init", "error": error}))

    failing(play, refuse_session)


def test_initialized_that_comes_after_the_failure_is_kept_for_the_next() -> None:
    async def play(one: Failing) -> None:
        one.host.request("init", "initialize", INITIALIZE)
        await one.clock.advance(PATIENCE)
        one.watch.todo = ""
        one.failed.set()
        await settle()
        one.host.notify("notifications/initialized")
        await settle()
        assert [message.method for message in one.server.sent] == ["initialize"]
        assert "result" in await one.ask(1, "tools/call", TOOL)
        assert len(one.server.received("notifications/initialized")) == 1

    failing(play)


def test_host_that_begins_anew_gets_the_servers_answer() -> None:
    async def play(one: Failing) -> None:
        await one.wait_long()
        one.watch.todo = ""
        one.failed.set()
        await settle()
        answer = await one.ask("again", "initialize", INITIALIZE)
        assert "instructions" not in answer["result"]
        one.host.notify("notifications/initialized")
        await settle()
        assert (await one.ask(1, "tools/list"))["result"] == {"tools": []}
        assert one.host.told(CHANGED) == []

    failing(play)


# The end


@pytest.mark.promise("A6", "R1", "R7")
def test_end_while_the_person_is_away_answers_every_request_once() -> None:
    async def play(one: Stage) -> None:
        await one.wait_long()
        await one.ask("list", "tools/list")
        one.host.request(1, "tools/call", TOOL)
        one.host.request(2, "prompts/get")
        await settle()
        one.host.close()
        await one.clock.finish(one.running, 2)
        for request_id in ("init", "list", 1, 2):
            assert len(one.host.answers(request_id)) == 1
        assert "closed the connection" in one.host.answer(1)["error"]["message"]

    stage(play)


# Keeping


@pytest.mark.promise("A6")
def test_what_the_server_says_is_kept() -> None:
    async def play(one: Stage) -> None:
        one.signed_in.set()
        await one.begin()
        for number in range(3):
            await one.ask(number, "tools/list")
        await one.ask(9, "tools/list", {"cursor": "2"})
        first, second = one.watch.kept
        assert json.loads(first.initialize)["protocolVersion"] == "2025-11-25"
        assert first.tools == b""
        assert second == first.replace(tools=b'{"tools": []}')
        assert one.watch.recalls == 0

    stage(play)
