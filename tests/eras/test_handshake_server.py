"""A host of 2026-07-28 on a server that begins with `initialize`, without I/O.

Recorded dialogues show what comes out; what needs time, keys or many orders is shown here.
Must not know how effects are done.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.bounds import LONG_BYTES, MAX_PARTS
from mcp_remote_py.eras.handshake_server.effects import Effect, Expire, ToHost, ToServer
from mcp_remote_py.eras.handshake_server.input_rounds import (
    INPUT_PATIENCE,
    MAX_COMPARED_BYTES,
    MAX_SUSPENDED,
)
from mcp_remote_py.eras.handshake_server.objects import declared_names
from mcp_remote_py.eras.handshake_server.server import MAX_UNTOLD, HandshakeServer
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import make_error
from mcp_remote_py.parsing import parse_message
from tests.eras.transcripts_player import Output, find_transcripts, play, read_transcript
from tests.thorough import often

Json = dict[str, Any]

PREFIX = "io.modelcontextprotocol/"
NOW = 1000.0
CAPABILITIES: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ASK: Json = {"message": "Sure?"}


class Played:
    """Drives a `HandshakeServer` for the player of transcripts."""

    def __init__(self) -> None:
        self._server = HandshakeServer(b"k" * 32, lambda _: None)

    def from_host(self, line: bytes) -> Iterable[Output]:
        return show(self._server.from_host(parse_message(line), NOW))

    def from_server(self, line: bytes) -> Iterable[Output]:
        return show(self._server.from_server(parse_message(line), NOW))


def show(effects: Iterable[Effect]) -> Iterator[Output]:
    for effect in effects:
        if isinstance(effect, ToHost):
            yield Output("to_host", effect.message.raw)
        elif isinstance(effect, ToServer):
            yield Output("to_server", effect.message.raw)


@pytest.mark.promise("E3")
@pytest.mark.parametrize("path", find_transcripts("handshake_server"), ids=lambda path: path.stem)
def test_the_recorded_dialogues_are_played_as_they_stand(path: Path) -> None:
    play(read_transcript(path.read_bytes()), Played())


# ------------------------------------------------------------------------- a session under way


class Session:
    """A host and a server around the translator, after the handshake."""

    def __init__(self, *, key: bytes = b"k" * 32) -> None:
        self.related: dict[Hashable, Hashable] = {}
        self.server = HandshakeServer(key, lambda question: self.related.get(question))
        self.now = NOW
        self.to_host: list[Json] = []
        self.to_server: list[Json] = []
        self.timers: list[Expire] = []
        self.ask(0, "server/discover")
        self.answer(self.to_server[-1]["id"], {"capabilities": {"resources": {"subscribe": True}}})
        self.to_host.clear()
        self.to_server.clear()

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case ToHost(message):
                    self.to_host.append(json.loads(message.raw))
                case ToServer(message):
                    self.to_server.append(json.loads(message.raw))
                case Expire():
                    self.timers.append(effect)

    def host(self, message: Json) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._do(self.server.from_host(parse_message(line), self.now))

    def say(self, message: Json) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._do(self.server.from_server(parse_message(line), self.now))

    def ask(self, request_id: object, method: str, params: Json | None = None) -> None:
        meta = {
            PREFIX + "protocolVersion": "2026-07-28",
            PREFIX + "clientCapabilities": CAPABILITIES,
        }
        params = params or {}
        params = {**params, "_meta": meta | params.get("_meta", {})}
        self.host({"id": request_id, "method": method, "params": params})

    def answer(self, request_id: object, result: Json) -> None:
        self.say({"id": request_id, "result": result})

    def question(self, number: object) -> None:
        self.say({"id": number, "method": "elicitation/create", "params": ASK})

    def suspend(self, request_id: object, name: str = "a") -> Json:
        """A call that the server asks something for; the result the host gets."""
        self.ask(request_id, "tools/call", {"name": name})
        self.related[f"q-{request_id}"] = self.to_server[-1]["id"]
        self.question(f"q-{request_id}")
        result: Json = self.to_host[-1]["result"]
        assert result["resultType"] == "input_required"
        return result

    def retry(self, request_id: object, asked: Json, name: str = "a") -> Json:
        """The host's next try; what comes back, or what goes to the server."""
        params = {
            "name": name,
            "requestState": asked["requestState"],
            "inputResponses": {key: {"action": "accept"} for key in asked["inputRequests"]},
        }
        before = len(self.to_host), len(self.to_server)
        self.ask(request_id, "tools/call", params)
        if len(self.to_host) > before[0]:
            return self.to_host[-1]
        return self.to_server[-1]

    def expire(self, timer: Expire) -> None:
        self._do(self.server.expire(timer.ticket))


@pytest.mark.promise("E3")
def test_a_question_goes_to_the_call_on_whose_stream_it_came() -> None:
    session = Session()
    session.ask(1, "tools/call", {"name": "one"})
    session.suspend(2, "two")
    assert session.to_host[-1]["id"] == 2


@pytest.mark.promise("E3")
@pytest.mark.parametrize("method", ["tools/list", "completion/complete"])
def test_a_question_never_ends_a_request_that_cannot_be_tried_again(method: str) -> None:
    session = Session()
    session.ask(1, method)
    session.question("q")
    assert session.to_host == []
    assert session.to_server[-1]["error"]["code"] == -32601


@pytest.mark.promise("E3", "R3")
def test_progress_has_the_token_of_the_try_that_the_host_waits_for() -> None:
    session = Session()
    session.ask(1, "tools/call", {"name": "a", "_meta": {"progressToken": 1}})
    at_server = session.to_server[-1]["id"]

    def tell(progress: int) -> list[Json]:
        session.to_host.clear()
        params = {"progressToken": 1, "progress": progress}
        session.say({"method": "notifications/progress", "params": params})
        return [one["params"] for one in session.to_host]

    assert tell(1) == [{"progressToken": 1, "progress": 1}]
    session.related["q"] = at_server
    session.question("q")
    asked = session.to_host[-1]["result"]
    assert tell(2) == []  # nothing is under way for the host
    answers = {key: {"action": "accept"} for key in asked["inputRequests"]}
    again: Json = {"requestState": asked["requestState"], "inputResponses": answers}
    session.ask(2, "tools/call", {"name": "a", "_meta": {"progressToken": "two"}, **again})
    assert tell(3) == [{"progressToken": "two", "progress": 3}]
    session.question("q2")
    session.retry(3, session.to_host[-1]["result"])
    assert tell(4) == []  # this try did not ask for it


@pytest.mark.promise("E3")
def test_a_change_within_a_resource_is_told_to_who_has_subscribed_to_that() -> None:
    session = Session()
    for number, uri in enumerate(("file:///dir", "note://all"), 1):
        session.ask(
            number, "subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri]}}
        )
        session.answer(session.to_server[-1]["id"], {})

    def told_of(uri: str) -> list[object]:
        session.to_host.clear()
        session.say({"method": "notifications/resources/updated", "params": {"uri": uri}})
        return [one["params"]["_meta"][PREFIX + "subscriptionId"] for one in session.to_host]

    assert told_of("file:///dir") == [1]
    assert told_of("file:///dir/a.txt") == [1]
    assert told_of("note://all#3") == [2]
    assert told_of("note://all?page=2") == [2]
    assert told_of("file:///directory") == told_of("note://") == []


UNNAMED: Json = {"name": "unknown", "version": "unknown"}


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("info", "named"),
    [
        ({"name": "s", "version": "1", "x": 1.0}, {"name": "s", "version": "1", "x": 1.0}),
        ({"name": "s", "version": None}, {"name": "s", "version": "unknown"}),
        ({}, UNNAMED),
        (None, None),
        ("s", None),
    ],
)
def test_a_host_can_read_whatever_an_older_server_says_of_itself(info: object, named: Json) -> None:
    session = Session()
    session.server = HandshakeServer(b"k" * 32, lambda _: None)
    capabilities: Json = {"tools": None, "logging": {}}
    session.ask(1, "server/discover")
    hello = {"capabilities": capabilities, "serverInfo": info, "instructions": None}
    session.answer(session.to_server[-1]["id"], hello)
    result = session.to_host[-1]["result"]
    assert result["capabilities"] == {"logging": {}}
    assert "instructions" not in result
    assert result.get("_meta", {}).get(PREFIX + "serverInfo") == named


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("info", "named"),
    [
        (b'{"name":"h" ,"version":"1"}', {"name": "h", "version": "1"}),
        (b'{"name":"h"}', {"name": "h", "version": "unknown"}),
        (b"null", UNNAMED),
        (b'"h"', UNNAMED),
    ],
)
def test_a_client_that_does_not_name_itself_is_named_as_the_handshake_wants(
    info: bytes, named: Json
) -> None:
    server = HandshakeServer(b"k" * 32, lambda _: None)
    line = (
        b'{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"%bprotocolVersion"'
        b':"2026-07-28","%bclientCapabilities":{},"%bclientInfo":%b}}}'
    ) % (*(PREFIX.encode(),) * 3, info)
    (sent,) = show(server.from_host(parse_message(line), NOW))
    assert json.loads(sent.line)["params"]["clientInfo"] == named


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    "wanted", [None, {"resourceSubscriptions": None, "toolsListChanged": None}]
)
def test_a_filter_that_is_null_or_has_null_wants_nothing(wanted: Json | None) -> None:
    session = Session()
    session.ask(1, "subscriptions/listen", {"notifications": wanted})
    (told,) = session.to_host
    assert told["method"] == "notifications/subscriptions/acknowledged"
    assert told["params"]["notifications"] == {}


@pytest.mark.promise("E3")
def test_a_log_level_that_is_null_is_none() -> None:
    session = Session()
    meta = {PREFIX + "logLevel": None}
    session.ask(1, "tools/call", {"name": "a", "_meta": meta})
    assert session.to_host == []
    assert session.to_server[-1]["params"] == {"name": "a"}


@pytest.mark.promise("E3")
def test_a_state_that_is_too_old_is_refused() -> None:
    session = Session()
    asked = session.suspend(1)
    session.now += INPUT_PATIENCE + 1
    assert session.retry(2, asked)["error"]["message"] == (
        "`requestState` has expired; make the request anew."
    )


@pytest.mark.promise("E3")
def test_a_state_of_another_process_is_refused() -> None:
    asked = Session(key=b"other" * 8).suspend(1)
    session = Session()
    session.suspend(1)
    assert session.retry(2, asked)["error"]["message"] == (
        "`requestState` is not one of this session; make the request anew."
    )


@pytest.mark.promise("E3")
def test_a_state_of_another_request_is_refused_and_stays_good() -> None:
    session = Session()
    asked = session.suspend(1)
    assert session.retry(2, asked, "b")["error"]["message"] == (
        "`requestState` belongs to another request."
    )
    assert session.retry(3, asked)["result"] == {"action": "accept"}


@pytest.mark.promise("E3")
def test_whom_nobody_comes_back_for_is_given_up() -> None:
    session = Session()
    asked = session.suspend(1)
    (timer,) = session.timers
    assert timer.seconds == INPUT_PATIENCE
    session.to_server.clear()
    session.expire(timer)
    cancelled, declined = session.to_server
    assert cancelled["method"] == "notifications/cancelled"
    assert declined == {"jsonrpc": "2.0", "id": "q-1", "result": {"action": "cancel"}}
    assert "used already or has expired" in session.retry(2, asked)["error"]["message"]
    session.expire(timer)
    assert len(session.to_server) == 2


@pytest.mark.promise("E3")
@pytest.mark.parametrize("declared", ["[]", "7", '"x"'])
def test_capabilities_that_are_not_an_object_are_none(declared: str) -> None:
    server = HandshakeServer(b"k" * 32, lambda _: None)
    line = (
        b'{"id":1,"method":"server/discover","params":{"_meta":'
        b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        b'"io.modelcontextprotocol/clientCapabilities":%b}}}' % declared.encode()
    )
    (initialize,) = show(server.from_host(parse_message(line), NOW))
    assert json.loads(initialize.line)["params"]["capabilities"] == {}


@pytest.mark.promise("E3")
def test_a_model_that_is_not_asked_any_more_is_an_error() -> None:
    session = Session()
    session.ask(1, "tools/call", {"name": "a"})
    session.say({"id": "q", "method": "sampling/createMessage", "params": {"messages": []}})
    session.expire(session.timers[0])
    assert session.to_server[-1]["error"]["message"] == "The client did not answer."


@pytest.mark.promise("E3")
def test_a_subscription_ends_gracefully_with_the_command() -> None:
    session = Session()
    session.ask(1, "subscriptions/listen", {"notifications": {}})
    reason = make_error(None, -31000, "Over.")
    (answer,) = show(session.server.end(reason))
    assert json.loads(answer.line)["result"] == {
        "resultType": "complete",
        "_meta": {PREFIX + "subscriptionId": 1},
    }


@pytest.mark.promise("E3", "R8")
def test_a_long_request_is_known_again_by_what_can_be_seen_of_it() -> None:
    session = Session()
    name = "x" * MAX_COMPARED_BYTES
    asked = session.suspend(1, name)
    for other in ("y" * len(name), name[1:], name[:-1] + "y"):
        error = session.retry(2, asked, other)["error"]
        assert "belongs to another request" in error["message"]
    assert session.retry(3, asked, name) == {
        "jsonrpc": "2.0",
        "id": "q-1",
        "result": {"action": "accept"},
    }


@pytest.mark.promise("E3")
def test_a_request_of_very_many_values_is_bound_to_its_state_as_well() -> None:
    session = Session()
    many = "x" + "," * 60_000
    asked = session.suspend(1, "a" + many)
    error = session.retry(2, asked, "b" + many)["error"]
    assert "belongs to another request" in error["message"]


def test_a_timer_ends_nobody_who_came_back() -> None:
    session = Session()
    session.retry(2, session.suspend(1))
    session.to_server.clear()
    session.expire(session.timers[0])
    assert session.to_server == []


@pytest.mark.promise("E3")
def test_hosts_that_never_come_back_fill_nothing() -> None:
    session = Session()
    first = session.suspend(0)
    last = [session.suspend(number) for number in range(1, MAX_SUSPENDED + 1)][-1]
    given_up = [one for one in session.to_server if one.get("method") == "notifications/cancelled"]
    assert len(given_up) == 1
    assert "expired" in session.retry("first", first)["error"]["message"]
    assert session.retry("last", last)["result"] == {"action": "accept"}


@pytest.mark.promise("E3", "R1")
def test_the_end_answers_what_is_open_here() -> None:
    server = HandshakeServer(b"k" * 32, lambda _: None)
    meta: Json = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}}
    line: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    server.from_host(parse_message(json.dumps(line).encode()), NOW)
    reason = make_error(None, -31000, "Over.")
    (answer,) = show(server.end(reason))
    assert json.loads(answer.line) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -31000, "message": "Over."},
    }
    assert server.end(reason) == []


def test_only_answers_to_requests_of_its_own_are_its() -> None:
    session = Session()
    session.ask(1, "tools/list")
    assert session.server.owns(session.to_server[-1]["id"])
    assert not session.server.owns("mcp-remote-py/1")
    assert not session.server.owns(1)


@pytest.mark.promise("E3")
def test_a_request_that_waits_for_the_level_can_be_cancelled() -> None:
    meta: Json = {
        PREFIX + "protocolVersion": "2026-07-28",
        PREFIX + "clientCapabilities": {},
        PREFIX + "logLevel": "debug",
    }
    server = HandshakeServer(b"k" * 32, lambda _: None)

    def tell(message: Json, *, by_host: bool = True) -> list[Json]:
        parsed = parse_message(json.dumps({"jsonrpc": "2.0", **message}).encode())
        effects = (server.from_host if by_host else server.from_server)(parsed, NOW)
        return [json.loads(one.line) for one in show(effects)]

    (hello,) = tell({"id": 1, "method": "tools/list", "params": {"_meta": meta}})
    setting = tell({"id": hello["id"], "result": {"capabilities": {"logging": {}}}}, by_host=False)
    assert setting[-1]["method"] == "logging/setLevel"
    assert tell({"method": "notifications/cancelled", "params": {"requestId": 1}}) == []
    assert tell({"id": setting[-1]["id"], "result": {}}, by_host=False) == []


@pytest.mark.promise("E3", "R1")
@pytest.mark.parametrize("where", ["clientCapabilities", "clientInfo", "x"])
def test_what_is_nested_so_deep_that_it_cannot_be_written_anew_is_refused(where: str) -> None:
    for depth in range(900, 1000):
        meta = (
            b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
            b'"io.modelcontextprotocol/clientCapabilities":{},'
            b'"io.modelcontextprotocol/%b":{"a":%b}}'
        ) % (where.encode(), b"[" * depth + b"]" * depth)
        try:
            message = parse_message(b'{"id":1,"method":"tools/call","params":{%b}}' % meta)
        except InvalidMessage:
            return
        server = HandshakeServer(b"k" * 32, lambda _: None)
        outputs = list(show(server.from_host(message, NOW)))
        if outputs[0].way == "to_server":
            hello = b'{"id":"mcp-remote-py/call/1","result":{}}'
            outputs = list(show(server.from_server(parse_message(hello), NOW)))[1:]
        assert len(outputs) == 1
        assert outputs[0].way == "to_server" or b'"error"' in outputs[0].line


@pytest.mark.promise("E3")
def test_an_answer_nobody_comes_back_for_is_dropped() -> None:
    session = Session()
    asked = session.suspend(1)
    session.answer(session.related["q-1"], {"content": []})
    session.to_server.clear()
    session.expire(session.timers[0])
    assert session.to_server == [{"jsonrpc": "2.0", "id": "q-1", "result": {"action": "cancel"}}]
    assert "expired" in session.retry(2, asked)["error"]["message"]


# ------------------------------------------------------------------------- every order

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["call", "ask", "answer", "retry", "cancel", "take back", "expire"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


class Crowd:
    """Calls, questions and tries in any order; who gets what is counted.

    Each call and each question says its own number, so that an answer that went astray shows.
    """

    def __init__(self) -> None:
        self.session = Session()
        self.numbers = 0
        self.calls: dict[str, str] = {}
        """At the server: what is open, by the id it has there, to the name of its tool."""
        self.asking: dict[str, tuple[str, bool]] = {}
        """Questions of the server that are open: for which name, and whether taken back."""
        self.open: dict[int, str] = {}
        """Requests of the host that are open, by id, to the name."""
        self.asked: dict[str, Json] = {}
        """By name, the result that asked the host for input last."""
        self.seen_host = 0
        self.seen_server = 0
        self.answers = Counter[str]()

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def play(self, step: str, which: int) -> None:
        act = getattr(self, f"play_{step.replace(' ', '_')}")
        act(which)
        self.look()

    def play_call(self, _: int) -> None:
        number = self._number()
        self.open[number] = f"tool-{number}"
        self.session.ask(number, "tools/call", {"name": f"tool-{number}"})

    def play_ask(self, which: int) -> None:
        if self.calls:
            key = sorted(self.calls)[which % len(self.calls)]
            number = f"question-{self._number()}"
            self.asking[number] = (self.calls[key], False)
            self.session.related[number] = key
            params = {"message": number}
            self.session.say({"id": number, "method": "elicitation/create", "params": params})

    def play_answer(self, which: int) -> None:
        if self.calls:
            key = sorted(self.calls)[which % len(self.calls)]
            self.session.answer(key, {"said": self.calls.pop(key)})

    def play_retry(self, which: int) -> None:
        if self.asked:
            name = sorted(self.asked)[which % len(self.asked)]
            asked = self.asked.pop(name)
            number = self._number()
            self.open[number] = name
            responses = {
                key: {"action": "accept", "content": {"to": one["params"]["message"]}}
                for key, one in asked["inputRequests"].items()
            }
            params = {
                "name": name,
                "inputResponses": responses,
                "requestState": asked["requestState"],
            }
            self.session.ask(number, "tools/call", params)

    def play_cancel(self, which: int) -> None:
        if self.open:
            number = sorted(self.open)[which % len(self.open)]
            del self.open[number]
            self.session.host(
                {"method": "notifications/cancelled", "params": {"requestId": number}}
            )

    def play_take_back(self, which: int) -> None:
        if self.asking:
            number = sorted(self.asking)[which % len(self.asking)]
            self.asking[number] = (self.asking[number][0], True)
            params = {"requestId": number}
            self.session.say({"method": "notifications/cancelled", "params": params})

    def play_expire(self, which: int) -> None:
        if self.session.timers:
            self.session.expire(self.session.timers[which % len(self.session.timers)])
            waiting = {one["requestState"].rpartition(".")[0] for one in self.asked.values()}
            expired = self.session.timers[which % len(self.session.timers)].ticket.decode()
            if expired in waiting:
                self.asked = {
                    name: one
                    for name, one in self.asked.items()
                    if not one["requestState"].startswith(expired)
                }

    def look(self) -> None:
        """Takes what came out, and judges it."""
        for message in self.session.to_server[self.seen_server :]:
            self.look_at_server(message)
        self.seen_server = len(self.session.to_server)
        for message in self.session.to_host[self.seen_host :]:
            self.look_at_host(message)
        self.seen_host = len(self.session.to_host)

    def look_at_server(self, message: Json) -> None:
        if message.get("method") == "tools/call":
            assert message["id"] not in self.calls
            self.calls[message["id"]] = message["params"]["name"]
        elif message.get("method") == "notifications/cancelled":
            self.calls.pop(message["params"]["requestId"], None)
        elif "method" not in message:
            number = message["id"]
            self.answers[number] += 1
            assert self.answers[number] == 1, f"{number} is answered twice"
            _, taken_back = self.asking.pop(number)
            assert not taken_back
            result = message.get("result", {})
            assert result.get("content", {"to": number}) == {"to": number}

    def look_at_host(self, message: Json) -> None:
        name = self.open.pop(message["id"])
        result = message["result"]
        if result["resultType"] == "input_required":
            for one in result["inputRequests"].values():
                assert self.asking[one["params"]["message"]][0] == name
            self.asked[name] = result
        else:
            assert result["said"] == name


@pytest.mark.promise("E3", "R1")
@given(STEPS)
@settings(max_examples=often(150, 3000), deadline=None)
def test_in_any_order_nothing_is_lost_doubled_or_swapped(steps: list[tuple[str, int]]) -> None:
    crowd = Crowd()
    for step, which in steps:
        crowd.play(step, which)
    # Whatever is open ends, once the server answers and the host comes back.
    for _ in range(2 * len(steps) + 2):
        crowd.play("answer", 0)
        crowd.play("retry", 0)
    assert crowd.open == {}
    assert crowd.calls == {}
    taken_back = {number for number, (_, gone) in crowd.asking.items() if gone}
    assert set(crowd.asking) <= taken_back


def test_a_notification_that_cannot_be_written_anew_is_dropped() -> None:
    server = HandshakeServer(b"k" * 32, lambda _: None)
    for depth in range(900, 1000):
        deep = b"[" * depth + b"]" * depth
        try:
            message = parse_message(b'{"method":"notifications/x","params":{"a":%b}}' % deep)
        except InvalidMessage:
            return
        assert all(one.way == "to_server" for one in show(server.from_host(message, NOW)))


# ------------------------------------------------------------------------- before a session


def tell(server: HandshakeServer, number: int) -> list[Output]:
    """A host that only tells something, with all that 2026-07-28 has it say of itself."""
    meta = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": CAPABILITIES}
    line = {"method": "notifications/x", "params": {"number": number, "_meta": meta}}
    return list(show(server.from_host(parse_message(json.dumps(line).encode()), NOW)))


@pytest.mark.promise("E3")
def test_a_host_that_first_tells_something_begins_a_session_and_is_heard_in_it() -> None:
    server = HandshakeServer(b"k" * 32, lambda _: None)
    (hello,) = tell(server, 0)
    sent = json.loads(hello.line)
    assert (sent["method"], sent["params"]["capabilities"]) == ("initialize", CAPABILITIES)
    assert [tell(server, number) for number in range(1, MAX_UNTOLD + 5)] == [[]] * (MAX_UNTOLD + 4)
    answer: dict[str, Any] = {"id": sent["id"], "result": {"capabilities": {}}}
    told = list(show(server.from_server(parse_message(json.dumps(answer).encode()), NOW)))
    lines = [json.loads(one.line) for one in told]
    assert lines[0]["method"] == "notifications/initialized"
    numbers = [one["params"] for one in lines if one["method"] == "notifications/x"]
    assert numbers == [{"number": number} for number in range(MAX_UNTOLD)]


@pytest.mark.promise("E3", "R8")
@pytest.mark.parametrize(("size", "asks"), [(0, True), (LONG_BYTES, False)])
def test_an_error_that_asks_for_a_url_is_played_out_unless_it_is_long(
    size: int, asks: bool
) -> None:
    session = Session()
    session.ask(1, "tools/call", {"name": "a"})
    question = {"mode": "url", "url": "https://e.example/", "elicitationId": "1", "message": "m"}
    data = {"elicitations": [question], "x": "x" * size}
    error = {"code": -32042, "message": "m", "data": data}
    session.say({"id": session.to_server[-1]["id"], "error": error})
    (told,) = session.to_host
    if asks:
        assert told["result"]["resultType"] == "input_required"
    else:
        assert told["error"]["message"] == "The server wants an address to be opened first."


@pytest.mark.parametrize(
    ("capabilities", "names"),
    [
        (b"", set[str]()),
        (
            b'{"sampling":{},"elicitation":{"url":1e999}}',
            {"sampling", "elicitation", "elicitation.url"},
        ),
        (b'{"sampling":null,"elicitation":{"url":null},"roots":{}}', {"elicitation", "roots"}),
        (b'{"sampling":{"x":' + b"1" * 5000 + b"}}", {"sampling"}),
        (b'{"sampling":[%b0]}' % (b"0," * MAX_PARTS), set[str]()),
        (b"[" * 100_000, set[str]()),
        (b"[" * 20_000, set[str]()),
        (b'{"a"', set[str]()),
    ],
    ids=["none", "modes", "null", "long number", "many parts", "deeper", "deep", "broken"],
)
def test_capabilities_are_read_whatever_they_are(capabilities: bytes, names: set[str]) -> None:
    assert declared_names(capabilities) == names
