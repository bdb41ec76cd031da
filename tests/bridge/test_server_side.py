"""A host that shakes hands, on servers of either era and on ones that change theirs.

Must not know how messages are translated: `tests/eras` plays that.
"""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.errors import Interrupted, NotSent, Refused
from mcp_remote_py.jsonrpc import Message
from tests.bridge.scene import (
    DISCOVERED,
    INITIALIZE,
    PREFIX,
    Scene,
    acknowledge,
    be_legacy,
    be_modern,
    error,
    modern,
    notify,
    refuse,
    result,
    scene,
    take_only,
)
from tests.fakes import (
    Behaviour,
    FakeServerChannel,
    Json,
    encode,
    encode_request,
    fail,
    forever,
    good,
    settle,
    silent,
)

# ------------------------------------------------------------------------- finding out


@pytest.mark.promise("E1")
def test_an_initialize_that_is_taken_costs_nothing_and_no_byte_changes() -> None:
    async def play(stage: Scene) -> None:
        line = (
            b'{"id":1, "jsonrpc":"2.0","method":"initialize",'
            b'"params":{"protocolVersion":"2025-11-25","x":1.0}}'
        )
        answer = b'{"jsonrpc":"2.0","result":{"protocolVersion":"2025-11-25" ,"y":1.0},"id":1}'

        async def greet(server: FakeServerChannel, _: Message) -> None:
            server.say(answer)

        stage.server.script("initialize", greet)
        stage.host.write(line)
        await settle()
        assert [message.raw for message in stage.server.sent] == [line]
        assert stage.host.lines == [answer]
        assert stage.kept == []

    scene(play)


REFUSALS = {
    "400 without a body": refuse(400),
    "404 without a body": refuse(404),
    "405": refuse(405),
    "400, header mismatch": refuse(400, -32020),
    "400, unsupported version": refuse(400, -32022, {"supported": ["2026-07-28"]}),
    "400, invalid params": refuse(400, -32602),
    "404, method not found": refuse(404, -32601),
    "200, method not found": error(-32601),
    "200, invalid params": error(-32602),
    "200, unsupported version": error(-32022, {"supported": ["2026-07-28"]}),
    "an answer that agrees on a modern revision": result({"protocolVersion": "2026-07-28"}),
}


@pytest.mark.promise("E1", "E2")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_initialize_is_made_again_as_discover(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.script("initialize", REFUSALS[name])
        greeting = await stage.shake_hands()
        assert greeting["protocolVersion"] == "2025-11-25"
        assert greeting["serverInfo"] == {"name": "far", "version": "3"}
        assert stage.methods[:2] == ["initialize", "server/discover"]
        assert len(stage.host.answers("init")) == 1
        assert stage.kept == [Era.MODERN]

    scene(play)


NOT_MODERN = {
    "404": refuse(404),
    "400 of another kind": refuse(400, -32600),
    "method not found": error(-32601),
    "a result that names no revision": result({}),
    "only older revisions": result({"supportedVersions": ["2025-11-25"]}),
}


@pytest.mark.promise("E1")
@pytest.mark.parametrize("name", NOT_MODERN)
@pytest.mark.parametrize("first", ["404 without a body", "200, invalid params"])
def test_what_knows_neither_keeps_its_first_refusal(name: str, first: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("initialize", REFUSALS[first])
        stage.server.script("server/discover", NOT_MODERN[name])
        answer = await stage.ask(1, "initialize", INITIALIZE)
        assert stage.methods == ["initialize", "server/discover"]
        if first == "200, invalid params":
            assert answer["error"] == {"code": -32602, "message": "no"}
        else:
            assert "HTTP 404" in answer["error"]["message"]
        assert stage.kept == []

    scene(play)


@pytest.mark.promise("E1")
@pytest.mark.parametrize("version", ["2026-07-28", "2099-01-01"])
def test_a_server_that_agrees_on_any_revision_keeps_its_session(version: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("initialize", result({"protocolVersion": version}))
        stage.server.always("server/discover", refuse(404, -32600, read=False))
        answer = await stage.ask(1, "initialize", {**INITIALIZE, "protocolVersion": version})
        assert answer["result"] == {"protocolVersion": version}
        assert stage.methods == ["initialize", "server/discover", "initialize"]
        events = stage.server.events
        assert "renew" not in events[len(events) - events[::-1].index("initialize") :]
        assert len(stage.host.answers(1)) == 1

    scene(play)


@pytest.mark.promise("E1")
def test_a_server_that_refuses_the_revision_by_name_is_asked_for_the_one_before_once() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("initialize", take_only("2025-06-18"))
        greeting = await stage.shake_hands()
        assert greeting["protocolVersion"] == "2025-06-18"
        assert stage.methods == ["initialize", "initialize", "notifications/initialized"]
        asked = [one["params"]["protocolVersion"] for one in stage.sent("initialize")]
        assert asked == ["2025-11-25", "2025-06-18"]

    scene(play)


@pytest.mark.promise("E1")
def test_a_server_that_refuses_that_one_too_is_quoted_on_the_first() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("initialize", take_only("2024-11-05"))
        stage.server.always("server/discover", refuse(404))
        answer = await stage.ask(1, "initialize", INITIALIZE)
        assert "Unsupported protocol version: 2025-11-25" in answer["error"]["message"]
        assert stage.methods == ["initialize", "initialize", "server/discover"]

    scene(play)


OUTAGES: dict[str, Behaviour] = {
    "cannot be reached": fail(lambda: NotSent("The server cannot be reached.")),
    "cut": fail(lambda: Interrupted("The answer was lost.")),
    "busy": fail(lambda: Refused("The server is busy.", status=429)),
    "broken": fail(lambda: Refused("The server failed.", status=500)),
    "a sign-in": fail(lambda: Refused("The server wants a sign-in.", status=401)),
    "no answer at all": silent,
}


@pytest.mark.promise("E1")
@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage_is_not_a_verdict(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("initialize", OUTAGES[name])
        answer = await stage.ask(1, "initialize", INITIALIZE)
        assert "error" in answer
        assert set(stage.methods) == {"initialize"}
        assert stage.era.now is Era.UNKNOWN

    scene(play)


@pytest.mark.promise("E1")
@pytest.mark.parametrize("name", [name for name in OUTAGES if name != "no answer at all"])
def test_an_outage_while_it_is_found_out_is_none_either(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("server/discover", OUTAGES[name])
        assert "error" in await stage.ask(1, "initialize", INITIALIZE)
        assert stage.kept == []
        stage.server.always("server/discover", be_modern)
        assert "result" in await stage.ask(2, "initialize", INITIALIZE)

    scene(play)


@pytest.mark.promise("E1")
def test_a_remembered_era_is_tried_first() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        assert stage.methods[0] == "server/discover"
        assert "initialize" not in stage.methods
        assert stage.kept == []

    scene(play, Era.MODERN)


@pytest.mark.promise("E1")
def test_a_remembered_era_that_does_not_fit_is_dropped() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        await stage.shake_hands()
        assert stage.methods[:2] == ["server/discover", "initialize"]
        assert stage.kept == [Era.UNKNOWN]

    scene(play, Era.MODERN)


@pytest.mark.promise("E1")
def test_what_a_modern_host_remembered_costs_a_legacy_one_nothing() -> None:
    async def play(stage: Scene) -> None:
        await stage.shake_hands()
        assert stage.methods == ["initialize", "notifications/initialized"]
        assert stage.kept == []

    scene(play, Era.LEGACY)


def test_the_person_may_say_that_the_server_is_legacy() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        answer = await stage.ask(1, "initialize", INITIALIZE)
        assert answer["error"]["code"] == -32020
        assert stage.methods == ["initialize"]

    scene(play, Era.LEGACY, fixed=True)


def test_the_person_may_say_that_the_server_is_modern() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        answer = await stage.ask(1, "initialize", INITIALIZE)
        assert answer["error"]["message"] == (
            "The server does not answer server/discover, as --protocol modern demands. "
            "Leave the option out: what the server speaks is then found out."
        )
        assert stage.methods == ["server/discover"]

    scene(play, Era.MODERN, fixed=True)


# ------------------------------------------------------------------------- servers that change


@pytest.mark.promise("E1", "R5")
def test_a_server_that_becomes_modern_goes_on_being_used() -> None:
    async def play(stage: Scene) -> None:
        await stage.shake_hands()
        stage.server.always("", be_modern)
        answer = await stage.ask(1, "tools/call", {"name": "a"})
        assert answer["error"]["code"] == -32020  # it carries the id: it is the answer
        assert stage.methods[-1] == "tools/call"
        answer = await stage.ask(2, "tools/call", {"name": "a"})
        assert answer["result"] == {"method": "tools/call"}
        assert stage.methods.count("tools/call") == 2
        assert stage.methods.count("ping") == 1
        assert stage.kept == [Era.MODERN]

    scene(play)


@pytest.mark.report("E1")
@pytest.mark.promise("E1", "R5")
@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
def test_a_refusal_that_never_read_the_id_lets_the_request_itself_go_on(method: str) -> None:
    """A server that became modern; what has no effect is asked before a call is made again."""

    async def play(stage: Scene) -> None:
        await stage.shake_hands()
        stage.server.always("", be_modern)
        stage.server.script(method, refuse(400, -32020, read=False))
        answer = await stage.ask(1, method, {"name": "a"})
        assert answer["result"] == {"method": method}
        assert stage.methods.count("ping") == (method == "tools/call")
        assert stage.methods.count(method) == 2
        assert stage.kept == [Era.MODERN]

    scene(play)


@pytest.mark.promise("E1", "R1")
@pytest.mark.parametrize("code", [-32020, -32022, -32021, -32050])
def test_a_legacy_server_may_use_such_a_code_for_its_own(code: int) -> None:
    async def play(stage: Scene) -> None:
        await stage.shake_hands()
        stage.server.always("tools/call", refuse(400, code))
        for number in range(3):
            answer = await stage.ask(number, "tools/call", {"name": "a"})
            assert answer["error"] == {"code": code, "message": "no"}
        assert stage.methods.count("initialize") == 1
        assert stage.methods.count("tools/call") == 3
        assert stage.methods.count("ping") <= 2

    scene(play)


@pytest.mark.promise("E1", "R5")
def test_a_server_that_becomes_legacy_goes_on_being_used() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.always("", be_legacy)
        answer = await stage.ask(1, "tools/call", {"name": "a"})
        assert answer["error"]["code"] == -32600
        assert stage.methods.count("server/discover") == 1
        answer = await stage.ask(2, "tools/call", {"name": "a"})
        assert answer["result"] == {"method": "tools/call"}
        assert stage.methods.count("tools/call") == 2
        assert stage.kept == [Era.MODERN, Era.UNKNOWN]

    scene(play)


@pytest.mark.report("E1")
@pytest.mark.promise("E1", "R5")
@pytest.mark.parametrize("refusal", [refuse(400, -32600, read=False), refuse(404), refuse(405)])
def test_a_server_that_becomes_legacy_without_reading_the_id_has_the_call_made_again(
    refusal: Behaviour,
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.always("", be_legacy)
        stage.server.script("tools/call", refusal)
        answer = await stage.ask(1, "tools/call", {"name": "a"})
        assert answer["result"] == {"method": "tools/call"}
        assert stage.methods.count("tools/call") == 2
        assert stage.methods.count("server/discover") == 2

    scene(play)


@pytest.mark.report("E1")
@pytest.mark.promise("R5")
@pytest.mark.parametrize("refusal", [refuse(400, -32600, read=False), refuse(404), refuse(405)])
def test_a_call_that_is_refused_by_a_server_that_is_the_same_is_not_made_again(
    refusal: Behaviour,
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.always("tools/call", refusal)
        for number in (1, 2):
            assert "error" in await stage.ask(number, "tools/call", {"name": "a"})
            assert stage.methods.count("tools/call") == number
        assert stage.methods.count("server/discover") == 3
        assert stage.kept == [Era.MODERN]

    scene(play)


REFUSED_ONCE = refuse(400, -32022, {"supported": ["2026-07-28"], "requested": "2026-07-28"})


@pytest.mark.promise("E2")
@pytest.mark.parametrize("method", ["server/discover", "prompts/get"])
def test_a_revision_that_is_refused_and_named_is_tried_once_more(method: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.script(method, REFUSED_ONCE)
        await stage.shake_hands()
        assert (await stage.ask(1, "prompts/get", {"name": "a"}))["result"]
        assert stage.methods.count(method) == 2

    scene(play, Era.MODERN)


@pytest.mark.promise("E2", "L5")
def test_a_revision_that_stays_refused_is_an_error() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        for method, times in (("prompts/get", 2), ("tools/call", 1)):
            stage.server.always(method, REFUSED_ONCE)
            answer = await stage.ask(method, method, {"name": "a"})
            assert answer["error"]["code"] == -32022
            assert stage.methods.count(method) == times

    scene(play)


# ------------------------------------------------------------------------- in rounds

QUESTION: Json = {"method": "elicitation/create", "params": {"message": "Who?"}}
ASKS: Json = {
    "resultType": "input_required",
    "inputRequests": {"who": QUESTION},
    "requestState": "s\u00e9 =",
}
DONE: Json = {"resultType": "complete", "content": []}


async def begin_asking(stage: Scene, *later: Behaviour) -> Json:
    """A call that the server answers with a question; what the host is asked."""
    stage.server.always("", be_modern)
    await stage.shake_hands()
    stage.server.script("tools/call", result(ASKS), *later)
    stage.host.request(7, "tools/call", {"name": "a", "arguments": {"x": 1}})
    await settle()
    (asked,) = stage.host.told("elicitation/create")
    return asked


@pytest.mark.promise("E2")
def test_what_the_server_asks_in_rounds_the_host_is_asked_in_requests() -> None:
    async def play(stage: Scene) -> None:
        asked = await begin_asking(stage, result(DONE))
        assert asked["params"] == QUESTION["params"]
        stage.host.reply(asked["id"], {"action": "accept", "content": {}})
        await settle()
        first, second = stage.sent("tools/call")
        assert first["id"] != second["id"]
        assert second["params"]["requestState"] == ASKS["requestState"]
        assert second["params"]["inputResponses"] == {"who": {"action": "accept", "content": {}}}
        assert second["params"]["arguments"] == {"x": 1}
        assert stage.host.answer(7)["result"] == {"content": []}

    scene(play)


@pytest.mark.promise("E2", "R3")
def test_a_call_that_is_cancelled_between_two_rounds_ends_its_question() -> None:
    async def play(stage: Scene) -> None:
        asked = await begin_asking(stage)
        stage.host.notify("notifications/cancelled", {"requestId": 7})
        await stage.clock.advance(60)
        (told,) = stage.host.told("notifications/cancelled")
        assert told["params"]["requestId"] == asked["id"]
        stage.host.reply(asked["id"], {"action": "accept"})
        await settle()
        assert stage.host.answers(7) == []
        assert len(stage.sent("tools/call")) == 1

    scene(play)


@pytest.mark.promise("E2", "R5")
def test_a_round_that_was_never_sent_is_made_again_and_not_the_one_before() -> None:
    async def play(stage: Scene) -> None:
        away = fail(lambda: NotSent("The server cannot be reached."))
        asked = await begin_asking(stage, away, away, result(DONE))
        stage.host.reply(asked["id"], {"action": "accept"})
        await stage.clock.advance(60)
        assert stage.host.answer(7)["result"] == {"content": []}
        rounds = stage.sent("tools/call")
        assert len(rounds) == 4
        assert all("inputResponses" in one["params"] for one in rounds[1:])
        assert len(stage.host.told("elicitation/create")) == 1

    scene(play)


@pytest.mark.promise("E2", "R1")
def test_a_round_whose_answer_is_lost_ends_the_call_once() -> None:
    async def play(stage: Scene) -> None:
        asked = await begin_asking(stage, fail(lambda: Interrupted("The answer was lost.")))
        stage.host.reply(asked["id"], {"action": "accept"})
        await stage.clock.advance(60)
        assert "may have been executed" in stage.host.answer(7)["error"]["message"]

    scene(play)


@pytest.mark.promise("E2")
def test_a_server_that_wants_the_same_again_is_asked_with_growing_waits() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        later = result({"resultType": "input_required", "requestState": "x"})
        stage.server.script("tools/call", later, later, later, result(DONE))
        stage.clock.waits.clear()
        assert (await stage.ask(1, "tools/call", {"name": "a"}))["result"] == {"content": []}
        assert stage.clock.waits[:3] == pytest.approx([0.05, 0.15, 0.3])

    scene(play)


@pytest.mark.promise("E2", "R3")
def test_cancelling_closes_the_stream_and_sends_nothing() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        ended: list[bool] = []

        async def work(server: FakeServerChannel, message: Message) -> None:
            try:
                await forever(server, message)
            finally:
                ended.append(True)

        stage.server.script("tools/call", work)
        stage.host.request(1, "tools/call", {"name": "a"})
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        await settle()
        assert ended == [True]
        assert "notifications/cancelled" not in stage.methods
        assert stage.host.answers(1) == []

    scene(play)


@pytest.mark.promise("E2", "R1")
def test_a_server_without_an_answer_is_told_of() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.script("tools/call", silent)
        answer = await stage.ask(1, "tools/call", {"name": "a"})
        assert answer["error"]["message"] == (
            "The server's response does not contain the answer to this request. "
            "That is a fault of the server."
        )

    scene(play)


@pytest.mark.promise("E2")
def test_what_the_server_cannot_use_it_does_not_get() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.sent.clear()
        stage.host.notify("notifications/roots/list_changed")
        stage.host.notify("notifications/cancelled", {"requestId": "nothing"})
        stage.host.reply("nothing", {})
        await settle()
        assert stage.methods == []
        stage.host.notify("notifications/custom", {"a": 1})
        await settle()
        (told,) = stage.sent("notifications/custom")
        assert told["params"]["_meta"][PREFIX + "protocolVersion"] == "2026-07-28"

    scene(play)


def test_a_request_of_a_modern_server_is_ignored() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.say(encode_request("s", "roots/list"))
        await settle()
        assert stage.host.told("roots/list") == []

    scene(play)


# ------------------------------------------------------------------------- headers of parameters

MARKED: Json = {
    "name": "query",
    "inputSchema": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    },
}


def wants_header(stage: Scene) -> Behaviour:
    """A server that refuses the call until the headers are those of its tool."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        if stage.parameters.headers(message):
            server.answer(message, DONE)
        else:
            await refuse(400, -32020)(server, message)

    return behaviour


def pages(message: Message) -> Json:
    if b'"cursor"' in message.params:
        return {"resultType": "complete", "tools": [MARKED]}
    return {"resultType": "complete", "tools": [], "nextCursor": "2"}


async def list_pages(server: FakeServerChannel, message: Message) -> None:
    server.answer(message, pages(message))


@pytest.mark.promise("E2")
@pytest.mark.parametrize("of_modern_host", [False, True])
def test_a_call_with_wrong_headers_is_made_again_after_a_look_at_the_tools(
    of_modern_host: bool,
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", list_pages)
        stage.server.always("tools/call", wants_header(stage))
        call: Json = {"name": "query", "arguments": {"region": "here"}}
        if of_modern_host:
            await stage.ask(0, "server/discover", modern())
            call = modern(call)
        else:
            await stage.shake_hands()
        answer = await stage.ask(1, "tools/call", call)
        assert answer["result"]["content"] == []
        assert stage.methods.count("tools/call") == 2
        assert stage.methods.count("tools/list") == 2

    scene(play)


@pytest.mark.promise("E1", "E2")
@pytest.mark.report("E1")
@pytest.mark.parametrize("method", ["prompts/get", "resources/read", "completion/complete"])
@pytest.mark.parametrize("status", [400, 404, 405, 410, 501])
def test_an_error_of_a_modern_server_that_has_the_id_of_a_read_is_its_answer(
    status: int, method: str
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always(method, refuse(status, -32001))
        await stage.shake_hands()
        answer = await stage.ask(1, method, {"name": "x", "uri": "x:y"})
        assert answer["error"] == {"code": -32001, "message": "no"}
        assert stage.methods.count(method) == 1
        assert stage.methods[-1] == "server/discover"  # which shows that the era is the same

    scene(play)


@pytest.mark.promise("E1", "E2")
def test_a_read_finds_out_that_the_era_has_changed() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.always("", be_legacy)
        stage.server.script("prompts/get", refuse(404, -32001))
        answer = await stage.ask(1, "prompts/get", {"name": "x"})
        assert "result" in answer
        assert stage.methods.count("prompts/get") == 2

    scene(play)


@pytest.mark.promise("E2")
def test_a_server_that_writes_null_behind_its_last_page_is_asked_for_it_once() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", result({**DONE, "tools": [], "nextCursor": None}))
        stage.server.always("tools/call", refuse(400, -32020))
        await stage.shake_hands()
        answer = await stage.ask(1, "tools/call", {"name": "query", "arguments": {}})
        assert answer["error"]["code"] == -32020
        assert stage.methods.count("tools/list") == 1

    scene(play)


@pytest.mark.promise("E2")
@pytest.mark.parametrize("of_modern_host", [False, True])
def test_a_call_whose_headers_stay_wrong_is_not_made_again(of_modern_host: bool) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("tools/list", error(-32603))
        stage.server.always("tools/call", refuse(400, -32020))
        call: Json = {"name": "query", "arguments": {"region": "here"}}
        if of_modern_host:
            await stage.ask(0, "server/discover", modern())
            call = modern(call)
        else:
            await stage.shake_hands()
        answer = await stage.ask(1, "tools/call", call)
        assert answer["error"]["code"] == -32020
        assert stage.methods.count("tools/call") == 1

    scene(play)


@pytest.mark.promise("E2")
@pytest.mark.parametrize("of_modern_host", [False, True])
def test_a_tool_with_an_invalid_mark_is_hidden(of_modern_host: bool) -> None:
    async def play(stage: Scene) -> None:
        broken = json.loads(json.dumps(MARKED).replace('"Region"', '""'))
        stage.server.always("", be_modern)
        stage.server.always("tools/list", result({**DONE, "tools": [broken, {"name": "other"}]}))
        if of_modern_host:
            await stage.ask(0, "server/discover", modern())
        else:
            await stage.shake_hands()
        answer = await stage.ask(1, "tools/list", modern() if of_modern_host else None)
        assert answer["result"]["tools"] == [{"name": "other"}]

    scene(play)


# ------------------------------------------------------------------------- listening


def openings(stage: Scene) -> list[Json]:
    return stage.sent("subscriptions/listen")


@pytest.mark.promise("E2")
def test_what_the_server_announces_is_listened_to() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        (opened,) = openings(stage)
        assert opened["params"]["notifications"] == {"toolsListChanged": True}
        meta = {PREFIX + "subscriptionId": opened["id"]}
        notify(stage.server, "notifications/tools/list_changed", _meta=meta)
        assert stage.host.messages[-1] == {
            "jsonrpc": "2.0",
            "method": "notifications/tools/list_changed",
            "params": {},
        }
        assert stage.host.told("notifications/subscriptions/acknowledged") == []

    scene(play)


def test_a_server_that_announces_nothing_is_not_listened_to() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("server/discover", result({**DISCOVERED, "capabilities": {}}))
        await stage.shake_hands()
        assert openings(stage) == []

    scene(play)


async def drop_at_once(server: FakeServerChannel, message: Message) -> None:
    acknowledge(server, message, json.loads(message.params)["notifications"])
    raise Interrupted("The stream broke.")


@pytest.mark.promise("E2", "L5")
def test_a_stream_that_keeps_breaking_is_opened_at_most_8_times_in_ten_minutes() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("subscriptions/listen", drop_at_once)
        await stage.shake_hands()
        await stage.clock.advance(600)
        assert 3 <= len(openings(stage)) <= 8
        ids = [one["id"] for one in openings(stage)]
        assert len(set(ids)) == len(ids)
        # Whatever changed between two streams: the host looks again.
        assert len(stage.host.told("notifications/tools/list_changed")) == len(ids) - 1

    scene(play)


@pytest.mark.promise("E2")
@pytest.mark.parametrize("refusal", [refuse(404, -32601), error(-32601), refuse(405)])
def test_a_server_that_refuses_to_be_listened_to_is_not_asked_again(refusal: Behaviour) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("subscriptions/listen", refusal)
        await stage.shake_hands()
        await stage.clock.advance(3600)
        assert len(openings(stage)) == 1

    scene(play)


@pytest.mark.promise("E2")
def test_a_server_that_ends_the_stream_properly_is_listened_to_again() -> None:
    async def play(stage: Scene) -> None:
        async def end(server: FakeServerChannel, message: Message) -> None:
            acknowledge(server, message, {"toolsListChanged": True})
            notify(server, "notifications/cancelled", requestId=json.loads(message.raw_id))
            server.answer(message, {"resultType": "complete"})

        stage.server.always("", be_modern)
        stage.server.script("subscriptions/listen", end)
        await stage.shake_hands()
        await stage.clock.advance(60)
        assert len(openings(stage)) == 2
        assert stage.host.told("notifications/cancelled") == []

    scene(play)


@pytest.mark.promise("E2")
def test_subscribing_opens_the_new_stream_before_the_old_one_is_closed() -> None:
    async def play(stage: Scene) -> None:
        order: list[str] = []

        async def listen(server: FakeServerChannel, message: Message) -> None:
            wanted = json.loads(message.params)["notifications"]
            order.append(f"open {wanted.get('resourceSubscriptions')}")
            try:
                acknowledge(server, message, wanted)
                await forever(server, message)
            finally:
                order.append(f"close {wanted.get('resourceSubscriptions')}")

        stage.server.always("", be_modern)
        stage.server.always("subscriptions/listen", listen)
        await stage.shake_hands()
        for number, uri in enumerate("ab"):
            answer = await stage.ask(number, "resources/subscribe", {"uri": uri})
            assert answer["result"] == {}
        assert "result" in await stage.ask(5, "resources/unsubscribe", {"uri": "a"})
        assert order == [
            "open None",
            "open ['a']",
            "close None",
            "open ['a', 'b']",
            "close ['a']",
            "open ['b']",
            "close ['a', 'b']",
        ]
        assert "resources/subscribe" not in stage.methods

    scene(play)


@pytest.mark.promise("E2")
def test_two_subscriptions_at_once_are_both_in_the_last_stream() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.host.request(1, "resources/subscribe", {"uri": "a"})
        stage.host.request(2, "resources/subscribe", {"uri": "b"})
        await settle()
        assert stage.host.answer(1)["result"] == stage.host.answer(2)["result"] == {}
        assert openings(stage)[-1]["params"]["notifications"]["resourceSubscriptions"] == ["a", "b"]

    scene(play)


@pytest.mark.promise("E2", "R1")
def test_a_subscription_that_cannot_be_opened_is_an_error_and_leaves_the_old_stream() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.shake_hands()
        stage.server.always(
            "subscriptions/listen", fail(lambda: NotSent("The server cannot be reached."))
        )
        answer = await stage.ask(1, "resources/subscribe", {"uri": "a"})
        assert "cannot be reached" in answer["error"]["message"]
        (first, *_) = openings(stage)
        meta = {PREFIX + "subscriptionId": first["id"]}
        notify(stage.server, "notifications/tools/list_changed", _meta=meta)
        assert len(stage.host.told("notifications/tools/list_changed")) == 1

    scene(play)


@pytest.mark.promise("E2", "R1")
def test_a_server_that_does_not_acknowledge_is_not_waited_for_in_vain() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.always("subscriptions/listen", forever)
        await stage.shake_hands()
        answer = await stage.ask(1, "resources/subscribe", {"uri": "a"})
        assert answer["error"]["message"] == (
            "The server did not acknowledge the subscription within 10 seconds. "
            "That is a fault of the server."
        )

    scene(play)


# ------------------------------------------------------------------------- a modern host listens

LISTEN = modern(notifications={"toolsListChanged": True, "resourceSubscriptions": ["a"]})


@pytest.mark.promise("E1", "R5")
def test_a_modern_hosts_subscription_survives_a_broken_stream() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.script("subscriptions/listen", drop_at_once)
        await stage.ask(0, "server/discover", modern())
        stage.host.request(5, "subscriptions/listen", LISTEN)
        await stage.clock.advance(60)
        assert len(openings(stage)) == 2
        assert len(stage.host.told("notifications/subscriptions/acknowledged")) == 1
        tag = {PREFIX + "subscriptionId": 5}
        assert stage.host.told("notifications/tools/list_changed")[0]["params"] == {"_meta": tag}
        (updated,) = stage.host.told("notifications/resources/updated")
        assert updated["params"] == {"uri": "a", "_meta": tag}
        assert stage.host.answers(5) == []
        stage.host.notify("notifications/cancelled", {"requestId": 5})
        await settle()

    scene(play)


@pytest.mark.promise("E1", "R1")
@pytest.mark.parametrize("end", ["gracefully", "refused", "broken before it began"])
def test_a_modern_hosts_subscription_that_ends_is_answered(end: str) -> None:
    async def play(stage: Scene) -> None:
        async def end_gracefully(server: FakeServerChannel, message: Message) -> None:
            acknowledge(server, message, {})
            server.answer(message, {"resultType": "complete", "x": 1})

        endings: dict[str, Behaviour] = {
            "gracefully": end_gracefully,
            "refused": refuse(400, -32602),
            "broken before it began": fail(lambda: Interrupted("The stream broke.")),
        }
        stage.server.always("", be_modern)
        stage.server.always("subscriptions/listen", endings[end])
        await stage.ask(0, "server/discover", modern())
        answer = await stage.ask(5, "subscriptions/listen", LISTEN)
        if end == "gracefully":
            assert answer["result"] == {"resultType": "complete", "x": 1}
        elif end == "refused":
            assert answer["error"]["code"] == -32602
        else:
            assert "The stream broke." in answer["error"]["message"]

    scene(play)


# ------------------------------------------------------------------------- the end


@pytest.mark.promise("E2", "R1")
def test_at_the_end_every_request_in_translation_is_answered() -> None:
    async def play(stage: Scene) -> None:
        await begin_asking(stage)
        stage.server.script("tools/call", forever)
        stage.host.request(8, "tools/call", {"name": "b"})
        await settle()
        stage.relay.stop("The test is over.")
        await settle()
        for request_id in (7, 8):
            assert stage.host.answer(request_id)["error"]["message"] == "The test is over."

    scene(play)


def test_settings_of_the_session_are_kept_over_a_change_of_era() -> None:
    async def play(stage: Scene) -> None:
        await stage.shake_hands()
        await stage.ask(1, "logging/setLevel", {"level": "info"})
        stage.server.always("", be_modern)
        await stage.ask(2, "tools/list")
        await stage.ask(3, "tools/call", {"name": "a"})
        (call,) = [one for one in stage.sent("tools/call") if "_meta" in one["params"]]
        assert call["params"]["_meta"][PREFIX + "logLevel"] == "info"

    scene(play)


def test_bytes_of_a_modern_host_on_a_modern_server_stay() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.ask(0, "server/discover", modern())
        line = b'{"id":1, "jsonrpc":"2.0","method":"x/y","params":{"v":1.0, "_meta":%b}}' % encode(
            modern()["_meta"]
        )
        answer = b'{"result":{"resultType":"complete", "v":1e3},"jsonrpc":"2.0","id":1}'

        async def say(server: FakeServerChannel, _: Message) -> None:
            server.say(answer)

        stage.server.script("x/y", say)
        stage.host.write(line)
        await settle()
        assert stage.server.sent[-1].raw == line
        assert stage.host.lines[-1] == answer

    scene(play)


def test_a_good_server_answers_what_it_is_asked() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", good)
        await stage.shake_hands()
        assert (await stage.ask(1, "ping"))["result"] == {}

    scene(play)
