"""A host of 2026-07-28, on servers of either era.

Must not know how messages are translated: `tests/eras` plays that.
"""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.bridge.host_side import MAX_EARLY
from mcp_remote_py.eras.era_detection import Era
from mcp_remote_py.eras.handshake_server.input_rounds import INPUT_PATIENCE
from mcp_remote_py.errors import Interrupted, NotSent, Refused, SessionLost, WrongEra
from mcp_remote_py.jsonrpc import Message
from tests.bridge.scene import (
    ENVELOPE,
    INITIALIZE,
    PREFIX,
    Scene,
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
from tests.fakes import Behaviour, FakeServerChannel, Json, encode, fail, forever, good, settle

# ------------------------------------------------------------------------- finding out


@pytest.mark.promise("E1")
def test_a_discover_that_is_answered_goes_by_as_it_is() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        line = b'{"id":1, "method":"server/discover","jsonrpc":"2.0","params":{"_meta":%b}}' % (
            encode(ENVELOPE)
        )
        stage.host.write(line)
        await settle()
        assert [message.raw for message in stage.server.sent] == [line]
        assert stage.host.answer(1)["result"]["supportedVersions"] == ["2026-07-28"]
        assert stage.kept == []

    scene(play)


LEGACY_ANSWERS: dict[str, Behaviour] = {
    "400, another code": refuse(400, -32600),
    "400, invalid params": refuse(400, -32602),
    "400, no body": refuse(400),
    "404, no body": refuse(404),
    "404, method not found": refuse(404, -32601),
    "405": refuse(405),
    "200, method not found": error(-32601),
    "200, invalid params": error(-32602),
    "200, an application's code": error(-32000),
    "only older revisions": result({"supportedVersions": ["2025-11-25"]}),
    "unsupported, only older ones": error(-32022, {"supported": ["2025-11-25"]}),
    "HTTP+SSE": fail(lambda: WrongEra("The transport is that of 2024-11-05.")),
}


@pytest.mark.promise("E1", "E3")
@pytest.mark.parametrize("name", LEGACY_ANSWERS)
def test_a_discover_that_is_not_understood_leads_to_a_handshake(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("server/discover", LEGACY_ANSWERS[name])
        answer = await stage.ask(1, "server/discover", modern())
        assert answer["result"]["supportedVersions"] == ["2026-07-28"]
        assert stage.methods == ["server/discover", "initialize", "notifications/initialized"]
        (initialize,) = stage.sent("initialize")
        assert initialize["params"]["clientInfo"] == ENVELOPE[PREFIX + "clientInfo"]
        assert initialize["params"]["capabilities"] == ENVELOPE[PREFIX + "clientCapabilities"]
        assert stage.kept == [Era.LEGACY]
        assert len(stage.host.lines) == 1

    scene(play)


@pytest.mark.promise("E1")
def test_an_error_only_a_modern_server_knows_is_the_hosts() -> None:
    async def play(stage: Scene) -> None:
        unsupported = error(-32022, {"supported": ["2027-01-01"]})
        stage.server.script("server/discover", unsupported)
        answer = await stage.ask(1, "server/discover", modern())
        assert answer["error"]["code"] == -32022
        assert stage.methods == ["server/discover"]

    scene(play)


@pytest.mark.promise("R2", "E1")
@pytest.mark.parametrize("first", ["server/discover", "tools/list"])
def test_a_request_without_capabilities_that_is_refused_for_it_is_not_a_verdict(first: str) -> None:
    async def play(stage: Scene) -> None:
        incomplete = {PREFIX + "protocolVersion": ENVELOPE[PREFIX + "protocolVersion"]}
        stage.server.script("server/discover", refuse(400, -32602))
        stage.server.always("", be_modern)
        answer = await stage.ask(1, first, {"_meta": incomplete})
        assert answer["error"] == {"code": -32602, "message": "no"}
        answer = await stage.ask(2, "server/discover", modern())
        assert answer["result"]["supportedVersions"] == ["2026-07-28"]
        assert stage.methods == ["server/discover", "server/discover"]
        assert stage.kept == []

    scene(play)


@pytest.mark.promise("E1")
@pytest.mark.parametrize("first", ["tools/call", "tools/list", "x/y"])
def test_a_host_that_does_not_ask_is_asked_for(first: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        params = modern({"name": "a", "arguments": {"v": 1}})
        answer = await stage.ask(1, first, params)
        assert stage.methods == ["server/discover", first]
        assert stage.sent(first)[0]["params"] == params
        assert answer["result"]["method"] == first
        assert len(stage.host.lines) == 1

    scene(play)


@pytest.mark.promise("E1", "E3")
def test_a_call_never_runs_by_the_rules_of_the_other_era() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        stage.host.request(1, "tools/call", modern({"name": "a"}))
        stage.host.request(2, "tools/call", modern({"name": "b"}))
        await stage.clock.advance(5)
        assert [one["params"] for one in stage.sent("tools/call")] == [{"name": "a"}, {"name": "b"}]
        for request_id in (1, 2):
            assert stage.host.answer(request_id)["result"]["resultType"] == "complete"
        assert stage.methods.count("server/discover") == 1
        assert stage.methods.count("initialize") == 1

    scene(play)


OUTAGES: dict[str, Behaviour] = {
    "cannot be reached": fail(lambda: NotSent("The server cannot be reached.")),
    "cut": fail(lambda: Interrupted("The answer was lost.")),
    "busy": fail(lambda: Refused("The server is busy.", status=429)),
    "broken": fail(lambda: Refused("The server failed.", status=500)),
}


@pytest.mark.promise("E1", "R1")
@pytest.mark.parametrize("name", OUTAGES)
@pytest.mark.parametrize("first", ["server/discover", "tools/list"])
def test_an_outage_is_not_a_verdict(name: str, first: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("server/discover", OUTAGES[name])
        stage.host.request(1, first, modern())
        stage.host.request(2, "tools/list", modern())
        await stage.clock.advance(120)
        for request_id in (1, 2):
            assert "error" in stage.host.answer(request_id)
        assert "initialize" not in stage.methods
        assert "tools/list" not in stage.methods
        stage.server.always("server/discover", be_modern)
        assert "result" in await stage.ask(3, "tools/list", modern())

    scene(play)


@pytest.mark.promise("E1")
def test_a_remembered_era_spares_the_probe() -> None:
    async def play(stage: Scene) -> None:
        await stage.ask(1, "tools/call", modern({"name": "a"}))
        assert stage.methods == ["initialize", "notifications/initialized", "tools/call"]
        assert stage.kept == []

    scene(play, Era.LEGACY)


@pytest.mark.promise("E1", "R1")
def test_a_remembered_era_that_does_not_fit_is_dropped() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        assert "error" in await stage.ask(1, "tools/call", modern({"name": "a"}))
        assert stage.kept == [Era.UNKNOWN]
        assert "result" in await stage.ask(2, "tools/call", modern({"name": "a"}))

    scene(play, Era.LEGACY)


@pytest.mark.promise("E1")
def test_what_a_legacy_host_remembered_is_right_for_a_modern_one() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.ask(1, "tools/call", modern({"name": "a"}))
        assert stage.methods == ["tools/call"]

    scene(play, Era.MODERN)


@pytest.mark.promise("E1")
def test_a_server_that_becomes_legacy_is_found_out_by_the_next_request() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        await stage.ask(1, "server/discover", modern())
        stage.server.always("", be_legacy)
        assert "error" in await stage.ask(2, "tools/call", modern({"name": "a"}))
        answer = await stage.ask(3, "tools/call", modern({"name": "a"}))
        assert answer["result"]["method"] == "tools/call"

    scene(play)


@pytest.mark.report("E1")
@pytest.mark.promise("E1", "R5")
@pytest.mark.parametrize(
    "refusal",
    [refuse(400, -32600), refuse(404, -32000), refuse(400, -32600, read=False), refuse(404)],
)
def test_a_call_that_is_refused_lets_the_next_one_find_out_and_forgets_nothing(
    refusal: Behaviour,
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.server.script("tools/call", refusal)
        assert "error" in await stage.ask(1, "tools/call", modern({"name": "a"}))
        assert "result" in await stage.ask(2, "tools/call", modern({"name": "a"}))
        assert "result" in await stage.ask(3, "tools/call", modern({"name": "a"}))
        assert stage.methods == ["tools/call", "server/discover", "tools/call", "tools/call"]
        assert stage.kept == []

    scene(play, Era.MODERN)


def test_the_person_may_say_that_the_server_is_legacy() -> None:
    async def play(stage: Scene) -> None:
        await stage.ask(1, "server/discover", modern())
        assert stage.methods == ["initialize", "notifications/initialized"]

    scene(play, Era.LEGACY, fixed=True)


def test_the_person_may_say_that_the_server_is_modern() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        answer = await stage.ask(1, "server/discover", modern())
        assert answer["error"]["code"] == -32600
        assert stage.methods == ["server/discover"]

    scene(play, Era.MODERN, fixed=True)


# ------------------------------------------------------------------------- while it is found out


@pytest.mark.promise("E1", "R1")
def test_an_id_that_is_open_is_refused() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("server/discover", forever)
        stage.host.request(1, "tools/list", modern())
        stage.host.request(1, "tools/list", modern())
        await settle()
        (refused,) = stage.host.answers(1)
        assert refused["error"]["message"] == "A request with this id is still open."

    scene(play)


@pytest.mark.promise("E1", "R3")
def test_a_request_that_waits_is_cancelled_here() -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("server/discover", forever)
        stage.host.request(1, "tools/list", modern())
        stage.host.request(2, "tools/list", modern())
        await settle()
        stage.host.notify("notifications/cancelled", {"requestId": 1})
        stage.host.notify("notifications/cancelled", {"requestId": "unknown"})
        await settle()
        stage.relay.stop("The test is over.")
        await settle()
        assert stage.host.answers(1) == []
        assert stage.host.answer(2)["error"]["message"] == "The test is over."

    scene(play)


@pytest.mark.promise("E3", "R1")
def test_at_the_end_every_request_in_translation_is_answered() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        stage.server.always("tools/call", forever)
        await stage.ask(0, "server/discover", modern())
        stage.host.request(1, "tools/call", modern({"name": "a"}))
        stage.host.request(2, "subscriptions/listen", modern(notifications={}))
        await settle()
        stage.relay.stop("The test is over.")
        await settle()
        assert stage.host.answer(1)["error"]["message"] == "The test is over."
        assert stage.host.answer(2)["result"] == {
            "resultType": "complete",
            "_meta": {PREFIX + "subscriptionId": 2},
        }

    scene(play)


# ------------------------------------------------------------------------- questions of the server


def ask(number: str, method: str = "elicitation/create", *, related: bool = True) -> Behaviour:
    """A call in which the server asks, and which it goes on with for ever."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        question = b'{"jsonrpc":"2.0","id":"%b","method":"%b","params":{"message":"Who?"}}' % (
            number.encode(),
            method.encode(),
        )
        if related:
            server.say_related(question, message)
        else:
            server.say(question)
        await forever(server, message)

    return behaviour


async def begin_asking(stage: Scene, *behaviours: Behaviour) -> list[Json]:
    """As many calls, each answered by a question; their results."""
    stage.server.always("", be_legacy)
    stage.server.script("tools/call", *behaviours)
    await stage.ask(0, "server/discover", modern())
    for number in range(len(behaviours)):
        stage.host.request(number + 1, "tools/call", modern({"name": f"tool-{number}"}))
        await settle()
    return [stage.host.answer(number + 1)["result"] for number in range(len(behaviours))]


def retry(asked: Json, name: str, answer: Json) -> Json:
    """The params of the next try."""
    responses = dict.fromkeys(asked["inputRequests"], answer)
    return modern(
        {"name": name, "inputResponses": responses, "requestState": asked["requestState"]}
    )


@pytest.mark.promise("E3")
def test_what_the_server_asks_ends_the_hosts_request_and_its_next_try_goes_on() -> None:
    async def play(stage: Scene) -> None:
        (asked,) = await begin_asking(stage, ask("s1"))
        assert asked["resultType"] == "input_required"
        assert list(asked["inputRequests"].values()) == [
            {"method": "elicitation/create", "params": {"message": "Who?"}}
        ]
        stage.host.request(9, "tools/call", retry(asked, "tool-0", {"action": "accept"}))
        await settle()
        assert json.loads(stage.server.sent[-1].raw) == {
            "jsonrpc": "2.0",
            "id": "s1",
            "result": {"action": "accept"},
        }
        (call,) = stage.server.received("tools/call")
        stage.server.answer(call, {"content": []})
        assert stage.host.answer(9)["result"] == {"resultType": "complete", "content": []}

    scene(play)


@pytest.mark.promise("E3")
def test_a_question_belongs_to_the_call_on_whose_stream_it_came() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        stage.server.script("tools/call", forever, ask("s1"))
        await stage.ask(0, "server/discover", modern())
        stage.host.request(1, "tools/call", modern({"name": "silent"}))
        stage.host.request(2, "tools/call", modern({"name": "asking"}))
        await settle()
        assert stage.host.answers(1) == []
        assert stage.host.answer(2)["result"]["resultType"] == "input_required"

    scene(play)


@pytest.mark.promise("E3")
def test_a_question_without_a_stream_is_the_oldest_calls() -> None:
    async def play(stage: Scene) -> None:
        (asked,) = await begin_asking(stage, ask("s1", related=False))
        assert asked["resultType"] == "input_required"

    scene(play)


@pytest.mark.promise("E3")
def test_a_question_nobody_comes_back_for_is_given_up() -> None:
    async def play(stage: Scene) -> None:
        (asked,) = await begin_asking(stage, ask("s1"))
        await stage.clock.advance(INPUT_PATIENCE + 1)
        sent = [json.loads(message.raw) for message in stage.server.sent]
        assert {"jsonrpc": "2.0", "id": "s1", "result": {"action": "cancel"}} in sent
        assert "notifications/cancelled" in stage.methods
        stage.host.request(9, "tools/call", retry(asked, "tool-0", {"action": "accept"}))
        await settle()
        assert stage.host.answer(9)["error"]["message"] == (
            "`requestState` was used already or has expired; make the request anew."
        )

    scene(play)


@pytest.mark.promise("E3", "R5")
def test_a_lost_session_ends_its_questions_and_the_call() -> None:
    async def play(stage: Scene) -> None:
        (asked,) = await begin_asking(stage, ask("s1"))
        stage.server.script("x/y", fail(lambda: SessionLost("The session is gone.", status=404)))
        assert "result" in await stage.ask(3, "x/y", modern())
        assert stage.methods.count("initialize") == 2
        stage.host.request(9, "tools/call", retry(asked, "tool-0", {"action": "accept"}))
        await settle()
        assert [m for m in stage.server.sent if m.key == "s1"] == []

    scene(play)


@pytest.mark.promise("E3")
def test_a_host_that_shakes_hands_after_all_is_one_that_does() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        await stage.ask(1, "server/discover", modern())
        assert "result" in await stage.ask(2, "initialize", INITIALIZE)
        stage.host.notify("notifications/initialized")
        await settle()
        stage.server.script("tools/call", ask("s1"))
        stage.host.request(3, "tools/call", {"name": "a"})
        await settle()
        assert stage.host.told("elicitation/create")[0]["id"] == "s1"

    scene(play)


def test_what_the_server_says_unasked_arrives() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", good)
        await stage.shake_hands()
        notify(stage.server, "notifications/tools/list_changed")
        assert len(stage.host.told("notifications/tools/list_changed")) == 1

    scene(play)


# ------------------------------------------------------------------------- a notification first

ROOTS = "notifications/roots/list_changed"
TOLD: dict[str, Json] = {
    "with an envelope": modern(),
    "with a version alone": {
        "_meta": {PREFIX + "protocolVersion": ENVELOPE[PREFIX + "protocolVersion"]}
    },
    "without": {},
}


async def keep_sessions(server: FakeServerChannel, message: Message) -> None:
    """A handshake server that refuses what comes before `initialize`."""
    if not server.received("initialize"):
        return await refuse(400, -32600)(server, message)
    return await be_legacy(server, message)


@pytest.mark.report("E3")
@pytest.mark.parametrize("name", TOLD)
def test_a_notification_first_arrives_in_the_session(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", keep_sessions)
        stage.host.notify(ROOTS, TOLD[name])
        await settle()
        answer = await stage.ask(1, "tools/call", modern(name="x"))
        assert "result" in answer
        assert stage.methods.count(ROOTS) == 1
        begun = stage.methods.index("notifications/initialized")
        assert stage.methods[:begun] == ["server/discover", "initialize"]
        assert stage.methods.index(ROOTS) > begun
        (told,) = stage.sent(ROOTS)
        assert PREFIX not in json.dumps(told)
        assert stage.kept == [Era.LEGACY]

    scene(play)


@pytest.mark.report("E3")
def test_a_notification_alone_finds_out_the_era() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", keep_sessions)
        stage.host.notify(ROOTS, modern())
        await stage.clock.advance(1)
        assert stage.methods == [
            *("server/discover", "initialize", "notifications/initialized", ROOTS)
        ]
        assert stage.host.lines == []

    scene(play)


@pytest.mark.report("E3")
@pytest.mark.parametrize("name", TOLD)
def test_a_notification_first_goes_by_on_a_server_of_the_era(name: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_modern)
        stage.host.notify("notifications/x", TOLD[name])
        await settle()
        assert "result" in await stage.ask(1, "tools/list", modern())
        (told,) = stage.sent("notifications/x")
        assert told.get("params", {}) == TOLD[name]
        assert stage.methods[0] == "server/discover"

    scene(play)


@pytest.mark.report("E3")
@pytest.mark.parametrize("server", [keep_sessions, be_modern])
def test_what_comes_before_the_era_is_known_stays_in_its_order(server: Behaviour) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", server)
        stage.host.notify("notifications/a")
        stage.host.notify(ROOTS, modern())
        stage.host.notify("notifications/b")
        assert "result" in await stage.ask(1, "tools/call", modern(name="x"))
        told = ["notifications/a", ROOTS, "notifications/b", "tools/call"]
        assert [one for one in stage.methods if one in told] == told

    scene(play)


@pytest.mark.report("E3")
def test_a_notification_before_a_handshake_follows_it() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", keep_sessions)
        stage.host.notify(ROOTS)
        await stage.shake_hands()
        assert stage.methods[0] == "initialize"
        assert stage.methods.count(ROOTS) == 1

    scene(play)


@pytest.mark.report("E3")
def test_what_cannot_be_delivered_is_dropped_with_its_era_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", fail(lambda: Refused("No.", status=403)))
        for _ in range(MAX_EARLY + 5):
            stage.host.notify("notifications/x", modern())
        await stage.clock.advance(120)
        assert "notifications/x" not in stage.methods

    scene(play)
    assert "Not delivered: notifications/x. What the server speaks is not known." in caplog.text


# ------------------------------------------------------------------------- the server's name


@pytest.mark.report("E2")
@pytest.mark.parametrize("method", ["tools/call", "tools/list", "resources/read", "x/y"])
def test_each_result_names_the_server_of_the_handshake(method: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("", be_legacy)
        name = {"name": "old", "version": "9"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": name}
        stage.server.script("initialize", result(hello))
        named = await stage.ask(1, "server/discover", modern())
        assert named["result"]["_meta"] == {PREFIX + "serverInfo": name}
        own: Json = {"content": [], "_meta": {"own": [1.0]}}
        stage.server.script(method, result(own))
        answer = await stage.ask(2, method, modern(name="x", uri="a:b"))
        assert answer["result"]["_meta"] == {"own": [1.0], PREFIX + "serverInfo": name}
        stage.server.script(method, error(-32000))
        assert "_meta" not in json.dumps(await stage.ask(3, method, modern(name="x", uri="a:b")))
        stage.server.script(method, result({"_meta": {PREFIX + "serverInfo": {"name": "inner"}}}))
        answer = await stage.ask(4, method, modern(name="x", uri="a:b"))
        assert answer["result"]["_meta"] == {PREFIX + "serverInfo": {"name": "inner"}}

    scene(play)


@pytest.mark.promise("E3")
def test_a_server_that_refuses_the_newest_handshake_by_name_is_met_in_an_older_one() -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("initialize", take_only("2025-06-18"))
        stage.server.always("server/discover", refuse(404))
        answer = await stage.ask(1, "tools/list", modern())
        assert answer["result"]["tools"] == []
        assert stage.methods[:3] == ["server/discover", "initialize", "initialize"]

    scene(play)
