"""A host of an older era loses nothing and sees nothing odd when the server is of 2026-07-28.

The recorded dialogues say what comes out, message by message; the SDK judges that each of these
messages is one of its era. What no list of dialogues can say is shown over random interleavings.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mcp_types import methods as sdk

from mcp_remote_py.bounds import MAX_PARTS
from mcp_remote_py.eras.conversation import (
    AnyEraStep,
    AskHost,
    EraConversation,
    Exchange,
    Filter,
    Listen,
    Pause,
    Reply,
)
from mcp_remote_py.eras.era_detection import Era, judge_discovery
from mcp_remote_py.eras.modern_server import MAX_ROUNDS, ModernServer
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import (
    Kind,
    Message,
    make_error,
    make_notification,
    make_request,
    make_result,
)
from mcp_remote_py.parsing import parse_message
from tests.eras.transcripts_player import (
    ModernServerTranslator,
    Output,
    find_transcripts,
    play,
    read_transcript,
    take_apart,
)

Json = Any

MODERN = "2026-07-28"
MAX_STEPS = 50
INITIALIZE = parse_message(
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{"elicitation":{}},"clientInfo":{"name":"host","version":"1"}}}'
)
each_transcript = pytest.mark.parametrize(
    "transcript", find_transcripts("modern_server"), ids=lambda path: path.stem
)


def dump(value: Json) -> bytes:
    return json.dumps(value).encode()


def request_of(method: str, params: Json, raw_id: bytes = b"1") -> Message:
    return make_request(raw_id, method, dump(params))


def result_of(request: Message, result: Json) -> Message:
    return make_result(request.raw_id, dump(result))


def finish(conversation: EraConversation[Message], reply: Callable[[AnyEraStep], Reply]) -> bytes:
    """The line a conversation ends with; more steps than these none may take."""
    given: Reply = None
    for _ in range(MAX_STEPS):
        try:
            given = reply(conversation.send(given))
        except StopIteration as end:
            return end.value.raw
    raise AssertionError("the conversation does not end")


def greet(result: Json) -> tuple[ModernServer, Json]:
    """A server that said this when it was discovered, and the result of `initialize`."""
    server = ModernServer(INITIALIZE)
    line = server.greet(result_of(server.discover(), result)).raw
    return server, json.loads(line)["result"]


# ------------------------------------------------------------------------- recorded dialogues


@pytest.mark.promise("E2")
@each_transcript
def test_the_dialogue_goes_as_it_is_written_down(transcript: Path) -> None:
    translator = ModernServerTranslator()
    play(read_transcript(transcript.read_bytes()), translator)
    assert translator.is_idle


@pytest.mark.promise("E2")
@each_transcript
def test_the_sdk_takes_every_message_of_the_dialogue_for_one_of_its_era(transcript: Path) -> None:
    asked: dict[object, str] = {}
    version = "2025-11-25"
    for _, key, value in read_transcript(transcript.read_bytes()):
        message = json.loads(value)
        if key == "host" and "method" in message and "id" in message:
            asked[message["id"]] = message["method"]
        if key == "to_server":
            judge_for_server(message)
        elif key == "to_host":
            version = message.get("result", {}).get("protocolVersion", version)
            judge_for_host(message, asked, version)


def judge_for_server(message: Json) -> None:
    method, params = message["method"], message["params"]
    if method.startswith("notifications/"):
        surface, validate = sdk.CLIENT_NOTIFICATIONS, sdk.validate_client_notification
    else:
        surface, validate = sdk.CLIENT_REQUESTS, sdk.validate_client_request
    if not is_foreign(method):
        assert (method, MODERN) in surface
        validate(method, MODERN, params)


def judge_for_host(message: Json, asked: dict[object, str], version: str) -> None:
    method, params = message.get("method"), message.get("params")
    if method is None and "result" in message:
        sdk.validate_server_result(asked.pop(message["id"]), version, message["result"])
    elif method is None:
        assert {type(message["error"]["code"]), type(message["error"]["message"])} == {int, str}
    elif "id" in message:
        sdk.parse_server_request(method, version, params)
    else:
        sdk.parse_server_notification(method, version, params)


def is_foreign(method: str) -> bool:
    """Whether a method is of no revision, which is then not a matter for its schema."""
    return "com.example/" in method


# ------------------------------------------------------------------------- the handshake


@pytest.mark.promise("E2")
@pytest.mark.parametrize("params", [b"", b"[]", b"null", b'{"protocolVersion":null}'])
def test_a_host_that_says_nothing_of_itself_is_greeted_with_the_newest_handshake(
    params: bytes,
) -> None:
    server = ModernServer(make_request(b"0", "initialize", params))
    discover = server.discover()
    line = server.greet(
        result_of(discover, {"supportedVersions": [MODERN], "capabilities": {}})
    ).raw
    assert json.loads(line)["result"]["protocolVersion"] == "2025-11-25"
    assert json.loads(discover.params)["_meta"]["io.modelcontextprotocol/protocolVersion"] == MODERN


@pytest.mark.promise("E2")
@pytest.mark.parametrize("result", [[], None, "text", {"supportedVersions": [MODERN]}])
def test_a_server_that_says_nothing_of_itself_announces_nothing(result: Json) -> None:
    server, greeting = greet(result)
    assert greeting["capabilities"] == {}
    assert greeting["serverInfo"] == {"name": "unknown", "version": "unknown"}
    assert server.wanted_notifications() == {}


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    ("info", "named"),
    [
        (None, {"name": "unknown", "version": "unknown"}),
        ([], {"name": "unknown", "version": "unknown"}),
        ({"name": "s"}, {"name": "s", "version": "unknown"}),
        ({"name": 7, "version": "1", "x": 1.0}, {"name": "unknown", "version": "1", "x": 1.0}),
    ],
)
def test_a_server_is_named_as_the_handshake_wants(info: Json, named: Json) -> None:
    about = {"io.modelcontextprotocol/serverInfo": info}
    _, greeting = greet({"supportedVersions": [MODERN], "_meta": about})
    assert greeting["serverInfo"] == named


@pytest.mark.promise("E2")
def test_a_number_too_long_for_python_is_handed_on_and_does_no_harm() -> None:
    server = ModernServer(INITIALIZE)
    number = b"9" * 5000
    capabilities = b'{"tools":{"listChanged":true},"experimental":{"n":%b}}' % number
    result = b'{"supportedVersions":["2026-07-28"],"capabilities":%b}' % capabilities
    line = server.greet(make_result(server.discover().raw_id, result)).raw
    assert capabilities in line
    assert server.wanted_notifications() == {}


@pytest.mark.promise("E2")
@pytest.mark.parametrize("announced", [{}, {"listChanged": "true"}, {"listChanged": 1}, True, None])
def test_only_who_says_so_outright_is_listened_to(announced: Json) -> None:
    capabilities = {"tools": announced, "prompts": {"listChanged": True}, "other": {}}
    server, _ = greet({"supportedVersions": [MODERN], "capabilities": capabilities})
    assert server.wanted_notifications() == {"promptsListChanged": True}


# ------------------------------------------------------------------------- rounds


@pytest.mark.promise("E2")
@pytest.mark.parametrize("state", [b"null", b"12345678901234567890.10", b'{"a": [1.0]}'])
def test_a_state_that_is_not_a_string_goes_back_as_well(state: bytes) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "odd"})
    conversation = server.serve(request)
    next(conversation)
    demand = b'{"resultType":"input_required","requestState":%b}' % state
    assert conversation.send(make_result(b"1", demand)) == Pause(1)
    step = conversation.send(None)
    assert isinstance(step, Exchange)
    assert b'"requestState":%b' % state in step.request.raw


@pytest.mark.promise("E2")
def test_a_server_that_only_wants_to_be_asked_again_is_given_longer_and_longer() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "slow"})
    conversation = server.serve(request)
    step = next(conversation)
    for attempt in (1, 2, 3):
        assert isinstance(step, Exchange)
        again = result_of(step.request, {"resultType": "input_required", "requestState": "s"})
        assert conversation.send(again) == Pause(attempt)
        step = conversation.send(None)


@pytest.mark.promise("E2")
def test_what_the_host_calls_a_state_is_not_taken_for_one_of_the_server() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "a", "requestState": "own", "inputResponses": {}})
    conversation = server.serve(request)
    next(conversation)
    wants: Json = {"inputRequests": {"q": {"method": "roots/list"}}}
    conversation.send(result_of(request, {"resultType": "input_required", **wants}))
    step = conversation.send((make_result(b"1", b'{"roots":[]}'),))
    assert isinstance(step, Exchange)
    params = json.loads(step.request.params)
    assert params.keys() == {"name", "_meta", "inputResponses"}
    assert params["inputResponses"] == {"q": {"roots": []}}


@pytest.mark.promise("E2", "R5")
@pytest.mark.parametrize("members", [{}, {"inputRequests": None}, {"inputRequests": {}}])
def test_a_demand_for_nothing_is_not_made_again_as_the_same_request(members: Json) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "pay"})
    conversation = server.serve(request)
    next(conversation)
    with pytest.raises(StopIteration) as end:
        conversation.send(result_of(request, {"resultType": "input_required", **members}))
    error = json.loads(end.value.value.raw)["error"]
    assert error["message"] == (
        "The server asked for more input and did not say what it wants. It may have begun with "
        "the request. That is a fault of the server."
    )


@pytest.mark.promise("E2")
def test_a_server_that_writes_null_for_no_questions_is_asked_again() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "slow"})
    conversation = server.serve(request)
    next(conversation)
    demand: Json = {"resultType": "input_required", "inputRequests": None, "requestState": "s"}
    assert conversation.send(result_of(request, demand)) == Pause(1)


@pytest.mark.promise("E2")
def test_params_that_are_null_are_none() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    line = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}'
    step = next(server.serve(parse_message(line)))
    assert isinstance(step, Exchange)
    assert json.loads(step.request.params).keys() == {"_meta"}


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    "members",
    [{"inputRequests": []}, {"inputRequests": "a"}],
)
def test_a_demand_for_input_that_cannot_be_read_ends_the_request(members: Json) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", {"name": "odd"})
    conversation = server.serve(request)
    next(conversation)
    with pytest.raises(StopIteration) as end:
        conversation.send(result_of(request, {"resultType": "input_required", **members}))
    error = json.loads(end.value.value.raw)["error"]
    assert error["code"] == -31000
    assert '"input_required"' in error["message"]


@pytest.mark.promise("E2")
@pytest.mark.parametrize(
    "level",
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"],
)
def test_every_level_of_syslog_can_be_set(level: str) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    with pytest.raises(StopIteration) as end:
        next(server.serve(request_of("logging/setLevel", {"level": level})))
    assert json.loads(end.value.value.raw) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    meta = json.loads(server.discover().params)["_meta"]
    assert meta["io.modelcontextprotocol/logLevel"] == level


# ------------------------------------------------------------------------- whatever they say

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
questions = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["elicitation/create", "sampling/createMessage", "roots/list"])
        | anything,
        "params": st.fixed_dictionaries({}, optional={"mode": st.just("url") | anything})
        | anything,
    },
)
results = anything | st.fixed_dictionaries(
    {},
    optional={
        "resultType": st.sampled_from(["complete", "input_required"]) | anything,
        "inputRequests": st.dictionaries(st.text(), questions | anything, max_size=3) | anything,
        "requestState": anything,
        "structuredContent": anything,
        "content": st.just([]) | anything,
        "tools": st.lists(
            st.fixed_dictionaries({"outputSchema": st.just({"type": "object"}) | anything})
            | anything,
            max_size=3,
        )
        | anything,
        "ttlMs": anything,
        "resourceSubscriptions": anything,
    },
)
errors = anything | st.fixed_dictionaries({"code": st.just(-32602) | anything, "message": anything})
METHODS = [
    *("tools/call", "tools/list", "prompts/get", "resources/read", "ping", "logging/setLevel"),
    *("resources/subscribe", "resources/unsubscribe", "server/discover", "tasks/get"),
]


filters: st.SearchStrategy[Filter] = st.fixed_dictionaries(
    {}, optional={"resourceSubscriptions": st.just(["u"]) | anything}
)


def error_answers(raw_id: bytes) -> st.SearchStrategy[Message]:
    return errors.map(lambda error: parse_message(b'{"id":%b,"error":%b}' % (raw_id, dump(error))))


def answers(raw_id: bytes) -> st.SearchStrategy[Message]:
    return error_answers(raw_id) | results.map(lambda result: make_result(raw_id, dump(result)))


@pytest.mark.promise("E2")
@given(st.data(), st.sampled_from(METHODS), anything | st.just({"uri": "u"}))
def test_whatever_server_and_host_say_the_host_gets_one_readable_answer(
    data: st.DataObject, method: str, params: Json
) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of(method, params, b'"own"')
    conversation = server.serve(request)

    def reply(step: AnyEraStep) -> Reply:
        match step:
            case Exchange(sent):
                return data.draw(answers(sent.raw_id))
            case AskHost(asked):
                assert {one.kind for one in asked} == {Kind.REQUEST}
                return tuple(data.draw(answers(one.raw_id)) for one in asked)
            case Listen():
                return data.draw(filters | error_answers(b"1"))
            case _:
                assert isinstance(step, Pause)
                return None

    answer = parse_message(finish(conversation, reply))
    assert answer.kind is Kind.RESPONSE
    assert answer.raw_id == request.raw_id


@pytest.mark.promise("E2")
@given(
    st.fixed_dictionaries(
        {"supportedVersions": st.lists(st.sampled_from([MODERN, "2027-01-01", "2025-11-25", "x"]))},
        optional={
            "capabilities": anything,
            "_meta": anything,
            "instructions": anything,
        },
    )
)
def test_whatever_a_modern_server_says_of_itself_the_host_gets_a_readable_greeting(
    result: Json,
) -> None:
    server = ModernServer(INITIALIZE)
    discovered = result_of(server.discover(), result)
    assume(judge_discovery(discovered) is Era.MODERN)
    answer = server.greet(discovered)
    assert answer.kind is Kind.RESPONSE
    assert answer.raw_id == INITIALIZE.raw_id
    assert answer.is_error is (MODERN not in result["supportedVersions"])
    assert server.wanted_notifications() == {}


@pytest.mark.promise("E2")
@given(
    st.dictionaries(st.text("abc", min_size=1), anything),
    st.dictionaries(st.text("abc", min_size=1), anything),
)
def test_what_a_revision_does_not_name_crosses_byte_for_byte(said: Json, answered: Json) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    request = request_of("tools/call", said)
    conversation = server.serve(request)
    step = next(conversation)
    assert isinstance(step, Exchange)
    sent = take_apart(step.request.params)
    assert isinstance(sent, dict)
    del sent["_meta"]
    assert sent == take_apart(request.params)
    with pytest.raises(StopIteration) as end:
        conversation.send(result_of(request, {"resultType": "complete", **answered}))
    assert take_apart(end.value.value.result) == take_apart(dump(answered))


@pytest.mark.promise("E2")
@given(st.sampled_from(["tools/list_changed", "resources/updated", "message", "x"]), anything)
def test_a_notice_without_a_stream_is_handed_on_as_it_is(method: str, params: Json) -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    line = b'{ "params" : %b, "method":"notifications/%b","x":[] }' % (
        dump(params),
        method.encode(),
    )
    assert server.hear(parse_message(line)).raw == line


# ------------------------------------------------------------------------- interleavings


class Round(NamedTuple):
    """What the server asks for before it goes on: its questions, and a state as JSON text."""

    methods: list[str]
    state: bytes | None


class Plan(NamedTuple):
    """One request of the host: what it is, and what the server has in mind for it."""

    method: str
    rounds: list[Round]
    fails: bool


states = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from([b"", rb"\/", rb"\u0041", "é".encode()]),
).map(lambda parts: json.dumps(parts[0])[:-1].encode() + parts[1] + b'"')
plans = st.builds(
    Plan,
    st.sampled_from(
        ["tools/call"] * 3
        + ["prompts/get", "ping", "logging/setLevel", "resources/subscribe"]
        + ["resources/subscribe", "resources/unsubscribe"]
    ),
    st.lists(
        st.builds(
            Round,
            st.lists(
                st.sampled_from(["elicitation/create", "sampling/createMessage", "roots/list"]),
                max_size=3,
            ),
            st.none() | states,
        ).filter(lambda one: one.methods or one.state is not None),
        max_size=3,
    ),
    st.booleans(),
)
LEVELS = ["debug", "error"]
HAS_ROUNDS = frozenset({"tools/call", "prompts/get"})


class World:
    """A host and a server that say what they have to say in any order, and check what they hear.

    The name of a request is in all that belongs to it: its params, the server's questions, states
    and answers, and the host's answers. So whatever strays is seen.
    """

    def __init__(self, plans: dict[str, Plan], draw: Callable[[int], int]) -> None:
        self._plans = plans
        self._draw = draw
        self._translator = ModernServerTranslator()
        self._moves: list[tuple[str, Message]] = []
        self._rounds = dict.fromkeys(plans, 0)
        self._open_at_host: dict[object, str] = {}
        self._open_at_server: set[object] = set()
        self._open_questions: set[object] = set()
        self._expected_inputs: dict[str, dict[str, Json]] = {name: {} for name in plans}
        self._refused: dict[str, list[Json]] = {name: [] for name in plans}
        self.answered: list[str] = []
        self._states = {
            name: [self._state(name, number) for number in range(len(plan.rounds))]
            for name, plan in plans.items()
        }

    def run(self) -> None:
        self._greet()
        for number, (name, plan) in enumerate(self._plans.items()):
            raw_id = b"%d" % (number // 2)
            raw_id = raw_id if number % 2 else b'"%b"' % raw_id
            self._moves.append(("host", request_of(plan.method, _params(name, plan), raw_id)))
        while self._moves:
            self._take(*self._moves.pop(self._draw(len(self._moves) - 1)))
        assert not self._open_at_host
        assert self._translator.is_idle

    def _greet(self) -> None:
        ((_, line),) = self._translator.from_host(INITIALIZE.raw)
        discovered = result_of(parse_message(line), {"supportedVersions": [MODERN]})
        ((way, line),) = self._translator.from_server(discovered.raw)
        assert (way, parse_message(line).raw_id) == ("to_host", INITIALIZE.raw_id)

    def _take(self, who: str, message: Message) -> None:
        if who == "host":
            self._open_at_host[message.key] = _name_in(message)
            self._see(self._translator.from_host(message.raw))
        elif who == "question":
            self._answer_question(message)
        else:
            self._answer_request(message)

    def _see(self, outputs: list[Output]) -> None:
        for way, line in outputs:
            message = parse_message(line)
            if way == "to_server":
                assert message.key not in self._open_at_server
                self._open_at_server.add(message.key)
                self._moves.append(("server", message))
            elif message.kind is Kind.REQUEST:
                assert message.key not in self._open_questions
                self._open_questions.add(message.key)
                self._moves.append(("question", message))
            else:
                name = self._open_at_host.pop(message.key)
                self.answered.append(name)
                self._check_answer(name, message)

    # ------------------------------------------------------------------ the host

    def _answer_question(self, question: Message) -> None:
        label = json.loads(question.params)["label"]
        name, _, key = label.split("/")
        self._open_questions.remove(question.key)
        if self._draw(4):
            said = {"said": label}
            line = make_result(question.raw_id, dump(said))
            self._expected_inputs[name][key] = said
        else:
            line = make_error(question.raw_id, -7, label)
            if question.method == "elicitation/create":
                self._expected_inputs[name][key] = {"action": "cancel"}
            else:
                self._refused[name].append(label)
        self._see(self._translator.from_host(line.raw))

    def _check_answer(self, name: str, answer: Message) -> None:
        plan = self._plans[name]
        if plan.method in HAS_ROUNDS and self._refused[name]:
            assert json.loads(answer.error)["message"] in self._refused[name]
        elif plan.method in HAS_ROUNDS or plan.method == "resources/subscribe":
            assert answer.is_error is plan.fails
            if plan.method in HAS_ROUNDS:
                assert name in (answer.error if answer.is_error else answer.result).decode()
        else:
            assert answer.result == b"{}"

    # ------------------------------------------------------------------ the server

    def _answer_request(self, request: Message) -> None:
        if request.method == "subscriptions/listen":
            self._acknowledge(request)
            return
        name = _name_in(request)
        plan, number = self._plans[name], self._rounds[name]
        self._check_request(name, request)
        self._open_at_server.remove(request.key)
        self._expected_inputs[name] = {}
        self._rounds[name] += 1
        if number < len(plan.rounds):
            line = make_result(request.raw_id, self._demand(name, number))
        elif plan.fails:
            line = make_error(request.raw_id, -32603, f"of {name}")
        else:
            line = make_result(request.raw_id, dump({"of": name}))
        self._see(self._translator.from_server(line.raw))

    def _check_request(self, name: str, request: Message) -> None:
        params = take_apart(request.params)
        assert isinstance(params, dict)
        assert request.method == self._plans[name].method
        responses = json.loads(request.params).get("inputResponses", {})
        assert responses == self._expected_inputs[name]
        number = self._rounds[name]
        assert params.get("requestState") == (self._states[name][number - 1] if number else None)
        for other in self._plans.keys() - {name}:
            assert other.encode() not in request.raw

    def _state(self, name: str, number: int) -> bytes | None:
        state = self._plans[name].rounds[number].state
        return None if state is None else b'"%b %b' % (name.encode(), state[1:])

    def _demand(self, name: str, number: int) -> bytes:
        wanted = {
            f"q{index}": {"method": method, "params": {"label": f"{name}/{number}/q{index}"}}
            for index, method in enumerate(self._plans[name].rounds[number].methods)
        }
        state = self._states[name][number]
        tail = b"" if state is None else b',"requestState":%b' % state
        return b'{"resultType":"input_required","inputRequests":%b%b}' % (dump(wanted), tail)

    def _acknowledge(self, request: Message) -> None:
        params = json.loads(request.params)
        wanted = params["notifications"]["resourceSubscriptions"]
        self._open_at_server.remove(request.key)
        notice = {
            "_meta": {"io.modelcontextprotocol/subscriptionId": json.loads(request.raw_id)},
            "notifications": {
                "resourceSubscriptions": [name for name in wanted if not self._plans[name].fails]
            },
        }
        line = make_notification("notifications/subscriptions/acknowledged", dump(notice))
        self._see(self._translator.from_server(line.raw))


def _params(name: str, plan: Plan) -> Json:
    return {"level": LEVELS[plan.fails], "name": name, "uri": name}


def _name_in(message: Message) -> str:
    return json.loads(message.params)["name"]


@pytest.mark.promise("E2", "R1")
@given(st.data(), st.lists(plans, min_size=1, max_size=6))
def test_however_requests_mix_each_gets_its_own_answer_once(
    data: st.DataObject, chosen: list[Plan]
) -> None:
    named = {f"<{number}>": plan for number, plan in enumerate(chosen)}
    world = World(named, lambda highest: data.draw(st.integers(0, highest)))
    world.run()
    assert sorted(world.answered) == sorted(named)


# ------------------------------------------------------------------------- servers that stray


def test_revisions_with_a_handshake_alone_are_a_readable_error() -> None:
    server = ModernServer(INITIALIZE)
    only_older = result_of(server.discover(), {"supportedVersions": ["2025-11-25"]})
    error = json.loads(server.greet(only_older).raw)["error"]
    assert error["message"] == (
        "The server names only revisions that begin with initialize, and refuses it."
    )


@pytest.mark.parametrize("meta", [None, [], "x"])
def test_a_strange_member_costs_no_other_one(meta: object) -> None:
    more: Json = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "_meta": meta}
    _, greeting = greet({**more, "instructions": None})
    assert greeting["capabilities"] == {"tools": {}}
    assert "instructions" not in greeting


def test_capabilities_that_are_nested_too_deep_announce_nothing() -> None:
    for depth in range(900, 1000):
        nested = b"[" * depth + b"]" * depth
        line = (
            b'{"id":1,"result":{"supportedVersions":["2026-07-28"],'
            b'"capabilities":{"experimental":{"a":%b}}}}' % nested
        )
        try:
            answer = parse_message(line)
        except InvalidMessage:
            return
        ModernServer(INITIALIZE).greet(answer)


def test_capabilities_of_very_many_parts_announce_nothing() -> None:
    capabilities = {"tools": {"listChanged": True}, "experimental": {"a": [0] * MAX_PARTS}}
    server, greeting = greet({"supportedVersions": [MODERN], "capabilities": capabilities})
    assert server.wanted_notifications() == {}
    assert greeting["capabilities"] == capabilities


def test_a_refused_discover_is_not_a_greeting() -> None:
    answer = parse_message(
        b'{"id":1,"error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}}'
    )
    assert json.loads(ModernServer(INITIALIZE).greet(answer).raw)["error"]["code"] == -32022


@pytest.mark.parametrize("params", [{"protocolVersion": "2025-11-25", "capabilities": {}}, {}])
def test_a_host_that_does_not_name_itself_is_not_named(params: dict[str, object]) -> None:
    discover = ModernServer(request_of("initialize", params, b"0")).discover()
    sdk.validate_client_request("server/discover", MODERN, json.loads(discover.params))


def subscribe(server: ModernServer, reply: Filter | Message) -> None:
    conversation = server.serve(request_of("resources/subscribe", {"uri": "a"}))
    next(conversation)
    with pytest.raises(StopIteration):
        conversation.send(reply)


def test_a_subscription_stays_that_was_asked_for_twice_in_vain() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    subscribe(server, {"resourceSubscriptions": ["a"]})
    subscribe(server, parse_message(b'{"id":1,"error":{"code":-32603,"message":"busy"}}'))
    assert server.wanted_notifications() == {"resourceSubscriptions": ["a"]}


def test_a_subscription_nobody_waits_for_any_more_is_none() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    conversation = server.serve(request_of("resources/subscribe", {"uri": "a"}))
    next(conversation)
    conversation.close()
    assert server.wanted_notifications() == {}


def test_nobody_is_asked_in_vain() -> None:
    server, _ = greet({"supportedVersions": [MODERN]})
    conversation = server.serve(request_of("tools/call", {"name": "a"}))
    asks = {"resultType": "input_required", "inputRequests": {"q": {"method": "roots/list"}}}
    steps = Counter[str]()
    reply: Message | tuple[Message, ...] | None = None
    with contextlib.suppress(StopIteration):
        while True:
            step = conversation.send(reply)
            steps[type(step).__name__] += 1
            if isinstance(step, Exchange):
                reply = result_of(step.request, asks)
            else:
                assert isinstance(step, AskHost)
                reply = tuple(result_of(one, {"roots": []}) for one in step.requests)
    assert steps == {"Exchange": MAX_ROUNDS, "AskHost": MAX_ROUNDS - 1}
