"""HTTP+SSE against a real server: the stream is the session, and its endpoint is its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from mcp_remote_py.errors import ExchangeError, Interrupted, Refused, SessionLost, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.transports.legacy_sse import LegacySseChannel, find_below
from mcp_remote_py.url import parse_url
from tests.fakes import encode, encode_notification, encode_request, run, until
from tests.peers.wild_server import (
    Behaviour,
    Exchange,
    WildServer,
    answer_html,
    answer_status,
    end_stream_without_answer,
)
from tests.transports.peers import client_for

TOKEN = "canary-aa7710d2c3"


def call(number: int, method: str = "x") -> Message:
    return parse_message(encode_request(number, method))


class Scene:
    """A channel, what it delivered, and how often it told of a lost session."""

    def __init__(self, server: WildServer) -> None:
        self.server = server
        self.delivered: list[Message] = []
        self.lost = 0
        self.accepted = 0
        self.channel: LegacySseChannel

    async def connect(self, seconds: float) -> None:
        def lose() -> None:
            self.lost += 1

        def accept() -> None:
            self.accepted += 1

        http = await client_for(self.server.url, {"Authorization": f"Bearer {TOKEN}"})
        self.channel = LegacySseChannel(
            http, self.delivered.append, lose, 1 << 20, accept, endpoint_timeout=seconds
        )

    def keys(self) -> set[object]:
        return {one.key for one in self.delivered}


def scene(
    test: Callable[[Scene], Awaitable[None]],
    *,
    seconds: float = 10.0,
    prepare: Callable[[WildServer], None] = lambda server: None,
) -> WildServer:
    """Plays `test`; the server is handed back, dead, to look at what it received."""

    async def main(server: WildServer) -> None:
        stage = Scene(server)
        await stage.connect(seconds)
        await test(stage)
        await stage.channel.aclose()

    with WildServer(legacy=True, path="/base/sse") as server:
        prepare(server)
        run(main(server))
        return server


async def failure(stage: Scene, message: Message) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        await stage.channel.send(message)
    assert TOKEN[:10] not in caught.value.sentence()
    return caught.value


# ------------------------------------------------------------------ the endpoint


@pytest.mark.promise("R4")
@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("/messages?session={session}", "/messages?session="),
        ("messages?session={session}", "/base/messages?session="),
        ("?session={session}", "/base/sse?session="),
        ("ORIGIN/m?a=%2F&session={session}", "/m?a=%2F&session="),
        ("/my messages?session={session}", "/my%20messages?session="),
    ],
)
def test_endpoint_is_found_on_the_origin(endpoint: str, path: str) -> None:
    def prepare(server: WildServer) -> None:
        server.endpoint = endpoint.replace("ORIGIN", server.origin)

    async def play(stage: Scene) -> None:
        await asyncio.gather(*(stage.channel.send(call(number)) for number in range(5)))
        assert stage.keys() == set(range(5))
        assert stage.accepted == 1
        await stage.channel.send(parse_message(encode_notification("notifications/x")))

    server = scene(play, prepare=prepare)
    assert len(server.received("GET")) == 1
    posts = server.received("POST")
    assert len(posts) == 6
    assert all(one.path.startswith(path) for one in posts)
    assert all(one.headers["authorization"] == f"Bearer {TOKEN}" for one in posts)


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://localhost:{port}/m", "another place"),
        ("//127.0.0.2:{port}/m", "another place"),
        ("https://127.0.0.1:{port}/m", "another place"),
        ("http://[nonsense", "not a URL"),
        ("http://user:{token}@127.0.0.1:{port}/m", "not a URL"),
        ("file:///etc/passwd", "not a URL"),
        ("/" + "m/" * 4000, "an endpoint that is 8001 characters long"),
    ],
)
def test_endpoint_elsewhere_is_never_contacted(endpoint: str, words: str) -> None:
    with WildServer() as other:

        def prepare(server: WildServer) -> None:
            server.endpoint = endpoint.replace("{port}", str(other.port)).replace("{token}", TOKEN)

        async def play(stage: Scene) -> None:
            error = await failure(stage, call(1))
            assert isinstance(error, Unusable)
            assert words in error.cause
            assert stage.accepted == stage.lost == 0

        server = scene(play, prepare=prepare)
        assert server.received("POST") == []
        assert other.requests == []


def name_nothing(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(encode_notification("notifications/early"))
    exchange.hold(30)


@pytest.mark.promise("R1", "R4")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (name_nothing, "did not name an endpoint in 0.2 seconds"),
        (end_stream_without_answer, "before it named an endpoint"),
        (answer_html(), "text/html instead of"),
        (answer_status(404), "No MCP server answers"),
        (answer_status(401), "your Authorization header"),
    ],
    ids=["silent", "ended", "html", "404", "401"],
)
def test_stream_that_names_no_endpoint(behaviour: Behaviour, words: str) -> None:
    async def play(stage: Scene) -> None:
        stage.server.script("GET", behaviour, behaviour)
        for _ in range(2):
            assert words in (await failure(stage, call(1))).cause
        assert stage.lost == 0
        await stage.channel.send(call(2))  # the next one tries anew
        assert call(2).key in stage.keys()

    scene(play, seconds=0.2)


# ------------------------------------------------------------------ behind a prefix


@pytest.mark.report("T15")
@pytest.mark.parametrize(
    ("stream", "endpoint", "below"),
    [
        ("/pre/sse", "/messages?s=1", "/pre/messages?s=1"),
        ("/a/b/sse?x=/y/z", "/m/n", "/a/b/m/n"),
        ("/apps/mcp/sse", "/mcp/messages/", "/apps/mcp/messages/"),
        ("/a/a/sse", "/a/m", "/a/a/m"),
        ("/pre/sse", "/", "/pre/"),
        ("/pre/sse/", "/messages", "/pre/messages"),
        ("/pre/events/", "/messages", "/pre/events/messages"),
        ("/sse/", "/messages", None),
        ("/pre/sse", "/pre/messages", None),
        ("/pre/sse", "/pre/sse/messages", None),
        ("/sse", "/messages", None),
        ("/", "/messages", None),
    ],
)
def test_endpoint_below_the_prefix(stream: str, endpoint: str, below: str | None) -> None:
    origin = "https://e.com"
    found = find_below(parse_url(origin + stream), parse_url(origin + endpoint))
    assert found == (below and parse_url(origin + below))


def absent_but(*paths: str, page: bool = False) -> Callable[[Exchange], None]:
    """Takes messages at these paths alone; for others there may be the `page` of another app."""

    def take(exchange: Exchange) -> None:
        if exchange.path.partition("?")[0] in paths:
            exchange.good()
        elif page:
            exchange.reply(200, b"<html>Home", content_type="text/html")
        else:
            exchange.reply(404)

    return take


@pytest.mark.report("T15")
def test_paths_of_very_many_folders_are_compared_in_no_time() -> None:
    stream = parse_url("https://h/" + "a/" * 30_000 + "sse")
    before = time.process_time()
    for endpoint in ("b/" + "a/" * 30_000, "a/" * 29_000 + "b/m"):
        find_below(stream, parse_url(f"https://h/{endpoint}"))
    assert time.process_time() - before < 0.3  # measured: 0.04; it was 2 s


@pytest.mark.report("T15")
@pytest.mark.parametrize("page", [False, True])
def test_endpoint_that_is_not_there_is_found_below_the_prefix_of_the_stream(page: bool) -> None:
    def prepare(server: WildServer) -> None:
        server.endpoint = "/messages?session={session}"
        for method in ("initialize", "tools/list"):
            server.always(method, absent_but("/base/messages", page=page))

    async def play(stage: Scene) -> None:
        await stage.channel.send(call(1, "initialize"))
        await stage.channel.send(call(2, "tools/list"))
        await stage.channel.renew()
        await stage.channel.send(call(3, "initialize"))
        assert stage.keys() == {1, 2, 3}

    server = scene(play, prepare=prepare)
    paths = [one.path.partition("?")[0] for one in server.received("POST")]
    assert paths == ["/messages", "/base/messages", "/base/messages", "/base/messages"]


@pytest.mark.report("T15")
def test_endpoint_that_is_nowhere_is_named_and_looked_for_once() -> None:
    def prepare(server: WildServer) -> None:
        server.endpoint = "/messages"
        server.always("x", absent_but())

    async def play(stage: Scene) -> None:
        error = await failure(stage, call(1))
        origin = stage.server.origin
        assert f"(HTTP 404 from {origin}/messages)" in error.cause
        assert error.cause.endswith(
            f" It had named {origin}/messages as its endpoint; {origin}/base/messages is not there "
            "either."
        )
        await failure(stage, call(2))

    server = scene(play, prepare=prepare)
    paths = [one.path for one in server.received("POST")]
    assert paths == ["/messages", "/base/messages", "/messages"]


@pytest.mark.report("T15")
def test_session_that_is_lost_later_is_not_looked_for_elsewhere() -> None:
    def prepare(server: WildServer) -> None:
        server.endpoint = "/messages?session={session}"

    async def play(stage: Scene) -> None:
        await stage.channel.send(call(1, "initialize"))
        stage.server.always("x", absent_but())
        assert isinstance(await failure(stage, call(2)), SessionLost)

    server = scene(play, prepare=prepare)
    paths = [one.path.partition("?")[0] for one in server.received("POST")]
    assert paths == ["/messages", "/messages"]


# ------------------------------------------------------------------ answers


def in_the_body(exchange: Exchange) -> None:
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.reply(200, line, content_type="text/plain")


def in_the_body_as_event(exchange: Exchange) -> None:
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.reply(200, b"data: " + line, content_type="text/event-stream")


def in_the_body_accepted(exchange: Exchange) -> None:
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.reply(202, line, content_type=None)


def on_both(exchange: Exchange) -> None:
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.reply(200, line)
    exchange.server.push(line, path=exchange.path)


@pytest.mark.report("T14")
@pytest.mark.parametrize(
    "behaviour", [in_the_body, in_the_body_as_event, in_the_body_accepted, on_both]
)
def test_answer_in_the_body_is_taken(behaviour: Behaviour) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("x", behaviour)
        await stage.channel.send(call(1))
        assert stage.keys() == {1}
        assert stage.lost == 0

    scene(play)


@pytest.mark.promise("R6")
def test_answers_are_matched_in_whatever_order_they_come() -> None:
    gate = threading.Event()

    def push_late(server: WildServer) -> None:
        assert gate.wait(10)
        server.push(encode({"jsonrpc": "2.0", "id": 99, "result": {}}))  # nobody's
        server.push(encode({"jsonrpc": "2.0", "id": 1, "result": {"slow": True}}))

    def slow(exchange: Exchange) -> None:
        exchange.reply(202)
        # In a thread of its own: this one serves the connection, which the next call may use.
        threading.Thread(target=push_late, args=(exchange.server,), daemon=True).start()

    async def play(stage: Scene) -> None:
        stage.server.script("slow", slow)
        waiting = asyncio.ensure_future(stage.channel.send(call(1, "slow")))
        await stage.channel.send(call(2))
        await stage.channel.send(call(3))
        assert stage.keys() == {2, 3}
        assert not waiting.done()
        gate.set()
        await waiting
        assert stage.keys() == {1, 2, 3, 99}

    scene(play)


@pytest.mark.promise("R1")
@pytest.mark.report("T7")
def test_answer_in_an_event_of_another_name_is_one() -> None:
    async def play(stage: Scene) -> None:
        def answer(exchange: Exchange) -> None:
            exchange.reply(202)
            for stream in stage.server.received("GET"):
                stream.event(b"{}", name="ping")
                stream.event(b"/elsewhere", name="endpoint")
                stream.event(encode({"jsonrpc": "2.0", "id": 2, "result": {}}), name="response")
                stream.event(encode({"jsonrpc": "2.0", "id": 1, "result": {}}), name="response")

        stage.server.script("x", answer)
        async with asyncio.timeout(10):
            await stage.channel.send(call(1))
        assert stage.keys() == {1}

    assert len(scene(play).requests) == 2


@pytest.mark.promise("R1")
@pytest.mark.report("T6")
@pytest.mark.parametrize("name", ["message", "response"])
def test_answer_whose_id_has_lost_its_type_is_one(name: str) -> None:
    async def play(stage: Scene) -> None:
        def answer(exchange: Exchange) -> None:
            exchange.reply(202)
            for stream in stage.server.received("GET"):
                stream.event(encode({"jsonrpc": "2.0", "id": "1", "result": {}}), name=name)

        stage.server.script("x", answer)
        async with asyncio.timeout(10):
            await stage.channel.send(call(1))
        assert stage.keys() == {1}

    scene(play)


@pytest.mark.promise("R1")
@pytest.mark.report("T6", "T14")
def test_answers_that_were_handed_round_are_taken_by_their_ids() -> None:
    calls: list[Exchange] = []
    gate = threading.Event()

    def answer(exchange: Exchange) -> None:
        calls.append(exchange)
        if len(calls) == 2:
            gate.set()
        assert exchange.wait(gate, 10)
        other = next(one for one in calls if one is not exchange)
        exchange.reply(200, encode({"jsonrpc": "2.0", "id": other.id, "result": {}}))

    async def play(stage: Scene) -> None:
        stage.server.always("x", answer)
        async with asyncio.timeout(10):
            await asyncio.gather(*(stage.channel.send(call(number)) for number in (1, 2)))
        assert stage.keys() == {1, 2}

    scene(play)


@pytest.mark.promise("R1")
@pytest.mark.report("T6", "T14")
@pytest.mark.parametrize(
    "body", [b'{"error":"invalid_api_key"}', b'{"error":["quota exceeded"],"status":429}']
)
def test_an_error_that_is_not_one_of_json_rpc_is_quoted_at_once(body: bytes) -> None:
    async def play(stage: Scene) -> None:
        stage.server.always("x", answer_status(200, body, content_type="application/json"))
        async with asyncio.timeout(10):
            error = await failure(stage, call(1))
        assert isinstance(error, Unusable)
        assert "an error that is not one of JSON-RPC (HTTP 200 from" in error.cause
        assert body.decode() in error.cause
        assert error.hint == "These are the server's own words: check what they ask for."
        assert stage.delivered == []

    scene(play)


@pytest.mark.promise("R1")
@pytest.mark.report("T7", "T14")
def test_whole_answer_is_taken_from_a_body_that_breaks_off_behind_it() -> None:
    def break_off(exchange: Exchange) -> None:
        exchange.stream(content_type="application/json")
        exchange.piece(encode({"jsonrpc": "2.0", "id": 1, "result": {}}))
        exchange.close()

    async def play(stage: Scene) -> None:
        stage.server.script("x", break_off)
        await stage.channel.send(call(1))
        assert stage.keys() == {1}

    scene(play)


@pytest.mark.promise("R3")
def test_what_the_server_says_unasked_and_wrongly() -> None:
    async def play(stage: Scene) -> None:
        await stage.channel.send(call(1))
        stage.server.push(b"no message")
        stage.server.push(b'[{"jsonrpc":"2.0","method":"notifications/b"},1]')
        stage.server.push(encode_request("s", "roots/list"))
        await until(lambda: len(stage.delivered) == 3)
        assert [one.method for one in stage.delivered[1:]] == ["notifications/b", "roots/list"]
        await stage.channel.send(call(2))

    scene(play)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answer_status(404), SessionLost),
        (answer_status(400, b"Could not find session"), SessionLost),
        (answer_status(500), Unusable),
        (answer_status(401), Refused),
    ],
    ids=["404", "400", "500", "401"],
)
def test_refused_post_ends_its_call_and_no_other(
    behaviour: Behaviour, kind: type[ExchangeError]
) -> None:
    async def play(stage: Scene) -> None:
        await stage.channel.send(call(1))
        stage.server.script("bad", behaviour)
        assert type(await failure(stage, call(2, "bad"))) is kind
        await stage.channel.send(call(3))

    server = scene(play)
    assert len(server.received("GET")) == 1


# ------------------------------------------------------------------ the stream is lost


@pytest.mark.promise("R5")
@pytest.mark.parametrize("clean", [False, True])
def test_lost_stream_interrupts_its_calls_and_the_next_one_hears_of_the_session(
    clean: bool,
) -> None:
    async def play(stage: Scene) -> None:
        await stage.channel.send(call(0))
        stage.server.always("slow", answer_status(202))
        waiting = [asyncio.ensure_future(failure(stage, call(n, "slow"))) for n in (1, 2)]
        await asyncio.to_thread(stage.server.wait_for, "slow", 2)
        stage.server.cut_streams(clean=clean)
        for error in await asyncio.gather(*waiting):
            assert isinstance(error, Interrupted)
            assert "answer was lost" in error.cause
            assert "a gateway on the way cuts what is silent" in error.hint
        assert stage.lost == 1
        for _ in range(2):
            assert type(await failure(stage, call(3))) is SessionLost
        await stage.channel.renew()
        await stage.channel.send(call(4))
        assert stage.keys() == {0, 4}
        assert stage.lost == 1

    server = scene(play)
    assert len(server.received("GET")) == 2
    assert len(server.received("POST")) == 4


@pytest.mark.promise("R1", "R5")
def test_calls_that_wait_hear_of_a_new_session_begun_beside_them() -> None:
    async def play(stage: Scene) -> None:
        await stage.channel.send(call(0))
        stage.server.always("slow", answer_status(202))
        waiting = asyncio.ensure_future(failure(stage, call(1, "slow")))
        await asyncio.to_thread(stage.server.wait_for, "slow")
        stage.server.script("bad", answer_status(404))
        assert type(await failure(stage, call(2, "bad"))) is SessionLost
        await stage.channel.renew()
        assert isinstance(await waiting, Interrupted)
        await asyncio.gather(*(stage.channel.send(call(number)) for number in (3, 4)))
        assert stage.keys() == {0, 3, 4}
        assert stage.lost == 0  # it was given up, not lost

    scene(play)


@pytest.mark.promise("R7")
def test_end_closes_the_stream() -> None:
    hung_up: list[bool] = []

    def stream(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(b"/messages?session=1", name="endpoint")
        hung_up.append(exchange.hold(10))

    async def play(stage: Scene) -> None:
        stage.server.script("GET", stream)
        stage.server.always("x", answer_status(202))
        sending = asyncio.ensure_future(stage.channel.send(call(1)))
        await asyncio.to_thread(stage.server.wait_for, "x")
        await stage.channel.aclose()
        await until(lambda: hung_up == [True])
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert stage.lost == 0

    scene(play)
