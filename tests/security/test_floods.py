"""A server, or a host, that says more than anybody can hold: what the real command does then.

Each attack runs against the command as a process, and of each the same is asked: the peak of its
memory stays below the limit and 64 MB, other calls are answered meanwhile, it ends within 2 s when
its host goes away, and the log stays short. Must not know how the command is made.
"""

from __future__ import annotations

import gzip
import itertools
import json
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.harness.host import Host, assert_error, initialize_params
from tests.harness.stage import Stage
from tests.hostile_lists import LISTS
from tests.peers.wild_server import Behaviour, Exchange, WildServer, be_modern, encode
from tests.relay.conftest import Relay, Wild
from tests.security.measure import MIB, Meter, Turns, peak_memory
from tests.thorough import THOROUGH, often, some

LIMIT = 8 * MIB
"""Bytes of the largest message (`--max-message-size`)."""

MARGIN = 64 * MIB
"""Bytes of memory beyond the limit that the whole process may have."""

END = 2.0
"""Seconds from the end of stdin, or SIGTERM, to the end of the process."""

TURN = 0.02 if THOROUGH else 0.04
"""Seconds of a CPU that the event loop may work without a look at all else. In the gate three
tests share two cores and their caches."""

LIST_TURN = 0.15
"""The same where a list of 4 MiB is made to be dear: its tools are read in three passes, with rules
in five. When the elements were counted by Python, it was a second."""

FLOOD: dict[str, Any] = {"name": "flood", "arguments": {}}
SMALL: dict[str, Any] = {"name": "small", "arguments": {}}

pytestmark = [pytest.mark.timeout(90)]


@pytest.fixture
def fresh() -> bool:
    """Memory is measured."""
    return True


class Scene:
    """A host and a server that floods it wherever the tool `flood` is called."""

    def __init__(
        self, wild: Wild, relay: Relay, folder: Path, flood: Behaviour, **options: Any
    ) -> None:
        self.server: WildServer = wild(**options)
        self.server.always("tools/call", self._call)
        self._flood = flood
        self.turns = Turns(folder)
        self.host: Host = relay(
            self.server.url,
            "--max-message-size",
            str(LIMIT),
            environment=self.turns.environment,
        )
        self.host.initialize()
        self.server.wait_for("notifications/initialized")
        self.host.request("tools/call", SMALL)
        self.meter = Meter(self.host.process.pid)
        self.turns.begin()

    def _call(self, exchange: Exchange) -> None:
        if exchange.params.get("name") == "flood":
            self._flood(exchange)
        else:
            exchange.good()

    def begin(self, count: int = 1) -> list[object]:
        """Calls the tool that floods, so many times; returns the ids."""
        return [self.host.begin("tools/call", FLOOD) for _ in range(count)]

    def stay_of_use(self, seconds: float) -> None:
        """Other calls are answered during the flood."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert "result" in self.host.request("tools/call", SMALL, seconds=END)
            self.server.stopped.wait(0.05)

    def end(self, number: signal.Signals | None = None) -> float:
        """The host goes away, or the command is told to; the seconds it took to end."""
        asked = time.monotonic()
        if number is None:
            self.host.close_stdin()
        else:
            self.host.signal(number)
        self.host.wait_exit(10)
        return time.monotonic() - asked

    def check(self, *, busy: float = 0.4, number: signal.Signals | None = None) -> None:
        """All that is asked of every flood."""
        self.stay_of_use(busy)
        peak = peak_memory(self.host.process.pid)
        figures = self.meter.figures()
        took = self.end(number)
        assert peak < LIMIT + MARGIN, figures
        assert took < END, figures
        assert len(self.host.stderr.splitlines()) < 40, self.host.stderr[-2000:]
        turn, what = self.turns.longest()
        assert turn < TURN, what


class Flooded(Protocol):
    """Begins a scene with what the server does at a call of `flood`, and its options."""

    def __call__(self, flood: Behaviour, /, **options: Any) -> Scene: ...


@pytest.fixture
def flooded(wild: Wild, relay: Relay, tmp_path: Path) -> Flooded:
    """See `Flooded`."""
    return partial(Scene, wild, relay, tmp_path)


# What a flood is made of


@cache
def pack(body: bytes, *codings: str) -> bytes:
    """Small on the wire; what is large takes as long to pack as the attack itself does."""
    for layer in codings:
        if layer != "identity":
            body = zlib.compress(body, 1) if layer == "deflate" else gzip.compress(body, 1)
    return body


def packed(body: bytes, coding: str = "gzip", *codings: str) -> Behaviour:
    """An answer that is small on the wire; `codings` are further layers."""
    small = pack(body, coding, *codings)
    headers = {"Content-Encoding": ", ".join((coding, *codings))}
    return lambda exchange: exchange.reply(200, small, headers=headers)


def repeated(head: bytes, unit: bytes, count: int, tail: bytes) -> bytes:
    return head + unit * count + tail


def batch_of(unit: bytes, count: int = 1_000_000) -> bytes:
    return repeated(b"[", unit + b",", count - 1, unit + b"]")


def whole(body: bytes) -> Behaviour:
    return lambda exchange: exchange.reply(200, body)


def as_event(body: bytes) -> Behaviour:
    def answer(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(body)
        exchange.hold()

    return answer


def endless(
    pieces: Callable[[], Iterator[bytes]],
    content_type: str = "text/event-stream",
    status: int = 200,
) -> Behaviour:
    """A body without end."""

    def answer(exchange: Exchange) -> None:
        exchange.stream(content_type=content_type, status=status)
        for piece in pieces():
            if exchange.server.stopped.is_set():
                return
            exchange.piece(piece)

    return answer


def always(unit: bytes, size: int = 64 * 1024) -> Callable[[], Iterator[bytes]]:
    """The same again and again, in pieces of about that size."""
    return lambda: itertools.repeat(unit * max(1, size // len(unit)))


def numbered(template: str, size: int = 64 * 1024) -> Callable[[], Iterator[bytes]]:
    """Events that differ by a number."""

    def pieces() -> Iterator[bytes]:
        count = itertools.count()
        many = max(1, size // len(template))
        while True:
            yield "".join(template % next(count) for _ in range(many)).encode()

    return pieces


def raw(head: bytes, pieces: Callable[[], Iterator[bytes]]) -> Behaviour:
    """These very bytes on the wire, the endless ones behind the head."""

    def answer(exchange: Exchange) -> None:
        exchange.write(head)
        for piece in pieces():
            if exchange.server.stopped.is_set():
                return
            exchange.write(piece)

    return answer


def long_string(size: int) -> Callable[[Exchange], bytes]:
    return lambda exchange: encode({"jsonrpc": "2.0", "id": exchange.id, "result": "x" * size})


CHUNKED_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


# One answer that is too much


ARRAYS = {
    "zeros": batch_of(b"0"),
    "empty arrays": batch_of(b"[]"),
    "empty objects": batch_of(b"{}"),
    "strings": batch_of(b'""'),
    "answers to nobody": batch_of(b'{"id":0,"result":0}', 200_000),
    "nested": b"[" * 1_000_000,
}


@pytest.mark.report("S4")
@pytest.mark.parametrize(
    ("name", "way"), some(itertools.product(ARRAYS, ["plain", "gzip", "event"]), 4)
)
def test_an_array_costs_no_more_than_its_bytes(flooded: Flooded, name: str, way: str) -> None:
    body = ARRAYS[name]
    ways = {"plain": whole, "gzip": packed, "event": as_event}
    scene = flooded(ways[way](body))
    ids = scene.begin(3)
    if way != "event":
        for one in ids:
            assert_error(scene.host.answer(one, seconds=10), one)
    cpu = scene.meter.cpu
    scene.check()
    assert cpu < 3


@pytest.mark.report("S4")
@pytest.mark.parametrize("name", ["zeros", "answers to nobody"])
def test_an_array_on_the_stream_of_the_older_transport(flooded: Flooded, name: str) -> None:
    def flood(exchange: Exchange) -> None:
        exchange.reply(202)
        for _ in range(3):
            exchange.server.push(ARRAYS[name])

    scene = flooded(flood, legacy=True)
    scene.begin()
    scene.check()


@pytest.mark.report("S4")
@pytest.mark.parametrize(
    ("options", "kind"),
    some(itertools.product([(), ("--ignore-tool", "x")], ["members", "tools", "texts"]), 4),
)
def test_a_list_of_a_million_tools(
    wild: Wild, relay: Relay, options: tuple[str, ...], kind: str
) -> None:
    members = b",".join(b'"%d":0' % number for number in range(800_000))
    results = {
        "members": b"{%b}" % members,
        "tools": b'{"tools":%b}' % batch_of(b'{"name":"a"}'),
        "texts": b'{"tools":%b}' % batch_of(b"0"),
    }
    server: WildServer = wild()
    server.always(
        "tools/list",
        lambda one: one.reply(
            200, b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(one.id), results[kind])
        ),
    )
    host: Host = relay(server.url, "--max-message-size", str(LIMIT), *options)
    host.initialize()
    meter = Meter(host.process.pid)
    for _ in range(3):
        host.request("tools/list", {}, seconds=5)
    assert peak_memory(host.process.pid) < LIMIT + MARGIN
    assert meter.cpu < 2


@pytest.mark.promise("R6")
@pytest.mark.report("S4")
@pytest.mark.parametrize(
    ("era", "options"),
    [
        ("handshake", ()),
        ("handshake", ("--ignore-tool", "x", "--merge-pages")),
        ("modern", ("--ignore-tool", "x")),
    ],
)
def test_a_list_that_is_dear_to_read_holds_up_nothing(
    wild: Wild, relay: Relay, tmp_path: Path, era: str, options: tuple[str, ...]
) -> None:
    server: WildServer = wild()
    listed: list[bytes] = [b"[]"]
    head, tail = b'{"jsonrpc":"2.0","id":%b,"result":{"tools":', b',"resultType":"complete"}}'
    server.always(
        "tools/list",
        lambda one: one.reply(200, b"".join([head % encode(one.id), listed[0], tail])),
    )
    if era == "modern":
        for method in ("initialize", "server/discover"):
            server.always(method, be_modern)
    turns = Turns(tmp_path)
    host: Host = relay(server.url, *options, environment=turns.environment)
    host.initialize()
    host.request("tools/list", {})
    turns.begin()
    for name, text in LISTS.items():
        listed[0] = text
        host.request("tools/list", {}, seconds=10)
        turn, what = turns.longest()
        assert turn < LIST_TURN, (name, what)


# Compressed


@cache
def bomb(head: bytes = b"[", unit: bytes = b" ", tail: bytes = b"]") -> bytes:
    return repeated(head, unit, 100 * MIB, tail)


CODINGS = [
    ("gzip", "deflate"),
    ("gzip",),
    ("x-gzip",),
    ("deflate",),
    ("gzip", "gzip", "gzip"),
    ("gzip", "gzip"),
    ("deflate", "identity"),
]


@pytest.mark.report("S5", "S6")
@pytest.mark.parametrize("codings", some(CODINGS, 3))
def test_a_compressed_answer_is_bounded(flooded: Flooded, codings: tuple[str, ...]) -> None:
    scene = flooded(packed(bomb(), *codings))
    ids = scene.begin(often(10, 20))
    for one in ids:
        assert_error(scene.host.answer(one, seconds=40), one)
    scene.check()


@pytest.mark.report("S5", "S6")
def test_two_header_lines_are_two_layers(flooded: Flooded) -> None:
    body = pack(bomb(), "gzip", "gzip")
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    scene = flooded(lambda exchange: exchange.write(head + body))
    (one,) = scene.begin()
    assert_error(scene.host.answer(one, seconds=5), one, ["gzip, gzip"])
    scene.check()


@pytest.mark.report("S6")
@pytest.mark.parametrize("kind", some(["data", "comment", "line ends", "events"], 2))
def test_a_compressed_stream_is_bounded(flooded: Flooded, kind: str) -> None:
    unit = {"data": b"x", "comment": b":\n", "line ends": b"\n", "events": b"data: x\n\n"}[kind]
    decoder = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [decoder.compress(b"data: " if kind == "data" else b"")]
    parts += [decoder.compress(unit * (MIB // len(unit))) for _ in range(often(100, 200))]
    body = b"".join([*parts, decoder.flush()])

    def flood(exchange: Exchange) -> None:
        exchange.stream({"Content-Encoding": "gzip"})
        exchange.piece(body)
        exchange.hold()

    scene = flooded(flood)
    scene.begin(often(3, 5))
    scene.check()


@pytest.mark.report("S5")
@pytest.mark.parametrize(
    ("content_type", "status"),
    some(itertools.product(["text/html", "application/json"], [200, 400, 404, 500, 503]), 3),
)
def test_the_page_of_an_error_is_bounded(flooded: Flooded, status: int, content_type: str) -> None:
    headers = {"Content-Encoding": "gzip", "Retry-After": "3600"}
    body = pack(bomb(), "gzip")
    scene = flooded(
        lambda one: one.reply(status, body, content_type=content_type, headers=headers),
    )
    for one in scene.begin(5):
        assert_error(scene.host.answer(one, seconds=10), one)
    scene.check(busy=0.3)


ESCAPED = {
    "percent": b"%41" * (MIB // 3),
    "two layers": b"%5cu0041&lt;" * (MIB // 12),
    "numbers of characters": b"&#65;" * (MIB // 5),
}


@pytest.mark.report("S5", "S17")
@pytest.mark.parametrize(("is_answer", "name"), some(itertools.product([False, True], ESCAPED), 4))
def test_a_refusal_in_which_all_is_escaped_is_looked_through_in_turns(
    flooded: Flooded, name: str, is_answer: bool
) -> None:
    def refuse(exchange: Exchange) -> None:
        error = {"code": -32000, "message": "no", "data": ESCAPED[name].decode()[: MIB - 1000]}
        answer = {"jsonrpc": "2.0", "id": exchange.id, "error": error}
        exchange.reply(500, encode(answer) if is_answer else b'{"error":"%b' % ESCAPED[name])

    scene = flooded(refuse)
    (one,) = scene.begin()
    answer = scene.host.answer(one, seconds=10)
    assert (answer["error"]["code"] == -32000) == is_answer
    scene.check(busy=0.3)


LONG = {
    "one string": b'"%b"' % (b"x" * (7 * MIB)),
    "numbers": b"[%b0]" % (b"0," * (7 * MIB // 2)),
    "objects on lines": b"[%b\n0]" % (b'\n{"name":"a, b",\r\n"tags":["[","]"]},' * (7 * MIB // 36)),
    "characters of two bytes": b'"%b"' % ("é".encode() * (7 * MIB // 2)),
}


@pytest.mark.promise("R8")
@pytest.mark.report("S4")
@pytest.mark.parametrize("name", some(LONG, 2))
def test_a_long_honest_answer_holds_up_nothing(flooded: Flooded, name: str) -> None:
    scene = flooded(
        lambda one: one.reply(
            200, b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(one.id), LONG[name])
        )
    )
    for one in scene.begin(2):
        assert scene.host.answer(one, seconds=20)["result"] == json.loads(LONG[name])
    scene.check(busy=0.2)


@pytest.mark.report("S6")
def test_honest_compression_still_works(flooded: Flooded) -> None:
    def answer(exchange: Exchange) -> None:
        body = long_string(6 * MIB)(exchange)
        exchange.reply(200, gzip.compress(body), headers={"Content-Encoding": "gzip"})

    scene = flooded(answer)
    for one in scene.begin(4):
        assert len(scene.host.answer(one, seconds=10)["result"]) == 6 * MIB
    scene.check(busy=0.2)


# Without end


UNASKED = ["comments", "small data lines", "events that are nothing", "requests", "notifications"]

STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {
    "line ends": always(b"\n"),
    "CR LF": always(b"\r\n"),
    "comments": always(b":\n"),
    "empty data lines": always(b"data:\n"),
    "small data lines": always(b"data: x\n"),
    "one data line": lambda: itertools.chain([b"data: "], itertools.repeat(b"x" * 65536)),
    "one comment": lambda: itertools.chain([b":"], itertools.repeat(b"x" * 65536)),
    "one field": lambda: itertools.chain([b"id: "], itertools.repeat(b"x" * 65536)),
    "unknown fields": always(b"x: y\n"),
    "ids": numbered("id: %d\n\n"),
    "events that are nothing": always(b"data: x\n\n"),
    "events that are arrays of nothing": always(b"data: [0,0,0,0]\n\n"),
    "large events that are nothing": always(b"data: " + b"[" * 60_000 + b"\n\n"),
    "arrays": always(b"data: " + ARRAYS["zeros"][:-1] + b"]\n\n"),
    "notifications": always(b'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'),
    "requests": numbered('data: {"jsonrpc":"2.0","id":"r%d","method":"roots/list"}\n\n'),
    "the same request": always(b'data: {"jsonrpc":"2.0","id":"r","method":"roots/list"}\n\n'),
    "requests with long ids": numbered(
        'data: {"jsonrpc":"2.0","id":"' + "x" * 5000 + '%d","method":"roots/list"}\n\n'
    ),
    "answers to nobody": numbered('data: {"jsonrpc":"2.0","id":"r%d","result":{}}\n\n'),
    "single bytes": lambda: itertools.repeat(b"d"),
}


@pytest.mark.report("S12")
@pytest.mark.parametrize("name", some(STREAMS, 4))
def test_a_stream_without_end(flooded: Flooded, name: str) -> None:
    scene = flooded(endless(STREAMS[name]))
    scene.begin(2)
    scene.check()


@pytest.mark.report("S12")
@pytest.mark.parametrize("name", some(["comments", "events that are nothing", "requests"], 2))
def test_a_stream_without_end_and_a_signal(flooded: Flooded, name: str) -> None:
    scene = flooded(endless(STREAMS[name]))
    scene.begin(1)
    scene.check(number=signal.SIGTERM)


@pytest.mark.report("S12")
@pytest.mark.parametrize("name", some(["events that are nothing", "comments", "requests"], 2))
def test_many_streams_without_end(flooded: Flooded, name: str) -> None:
    scene = flooded(endless(STREAMS[name]))
    scene.begin(20)
    scene.check()


@pytest.mark.report("S12")
@pytest.mark.parametrize(("legacy", "name"), some(itertools.product([False, True], UNASKED), 3))
def test_the_listening_stream_without_end(
    wild: Wild, relay: Relay, name: str, legacy: bool
) -> None:
    # On HTTP+SSE the answers stand behind the flood on the one stream: nobody can give them sooner.
    server: WildServer = wild(listen=True, legacy=legacy)
    host: Host = relay(server.url, "--max-message-size", str(LIMIT))
    host.initialize()
    server.wait_for_stream()
    pieces = STREAMS[name]()
    until = time.monotonic() + often(1, 3) / 2
    while time.monotonic() < until:
        server.push(b"x\n\n" + next(pieces) + b"\n\ndata: x")
    if not legacy:
        assert "result" in host.request("tools/call", SMALL, seconds=END)
    assert peak_memory(host.process.pid) < LIMIT + MARGIN
    asked = time.monotonic()
    host.close_stdin()
    host.wait_exit(10)
    assert time.monotonic() - asked < END


BODIES: dict[str, Callable[[], Iterator[bytes]]] = {
    "text": always(b"x"),
    "array": always(b"0,"),
    "single bytes": lambda: itertools.repeat(b"x"),
}


@pytest.mark.report("S12")
@pytest.mark.parametrize(("status", "name"), some(itertools.product([200, 500], BODIES), 3))
def test_a_body_without_end(flooded: Flooded, status: int, name: str) -> None:
    content_type = "application/json"
    scene = flooded(
        endless(lambda: itertools.chain([b"["], BODIES[name]()), content_type, status),
    )
    scene.begin(20)
    scene.check()


@pytest.mark.report("S12")
@pytest.mark.parametrize(
    "chunk",
    [b"1;" + b"x" * 64 + b"\r\n0\r\n", b"1\r\n0\r\n", b"1;" + b"x" * 60_000 + b"\r\n0\r\n"],
    ids=["extensions", "single bytes", "large extensions"],
)
def test_a_body_of_chunks_that_are_mostly_not_body(flooded: Flooded, chunk: bytes) -> None:
    scene = flooded(raw(CHUNKED_HEAD, always(chunk, 256 * 1024)))
    scene.begin(5)
    scene.check()


HEADS: dict[str, Behaviour] = {
    "interim answers": raw(b"", always(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "early hints": raw(b"", always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
    "headers": raw(b"HTTP/1.1 200 OK\r\n", numbered("x-%d: y\r\n")),
    "one header": raw(b"HTTP/1.1 200 OK\r\nx: ", always(b"y")),
    "blanks": raw(b"", always(b" ")),
    "line ends": raw(b"", always(b"\r\n")),
    "trailers": raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n",
        numbered("x-%d: y\r\n"),
    ),
}


@pytest.mark.report("S12")
@pytest.mark.parametrize("name", some(HEADS, 2))
def test_a_head_without_end(flooded: Flooded, name: str) -> None:
    scene = flooded(HEADS[name])
    for one in scene.begin(5):
        assert_error(scene.host.answer(one, seconds=15), one)
    scene.check(busy=0.3)


@pytest.mark.report("S12")
@pytest.mark.parametrize("talks", [False, True], ids=["silent", "talking"])
def test_resumptions_with_new_ids_are_few(flooded: Flooded, talks: bool) -> None:
    numbers = itertools.count()

    def begin(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(b"", event_id=f"e{next(numbers)}", retry=0)
        if talks:
            exchange.event(encode({"jsonrpc": "2.0", "method": "notifications/x"}))
        exchange.finish()

    scene = flooded(begin)
    scene.server.always("GET", begin)
    before = len(scene.server.received("GET"))
    scene.begin()
    seconds = often(2, 10)
    scene.stay_of_use(seconds)
    asked = len(scene.server.received("GET")) - before
    assert asked <= 5 + 2 * seconds
    scene.check(busy=0.2)


# All at once, and a host that does not read


@pytest.mark.report("S6")
@pytest.mark.parametrize("way", ["length", "chunked", "event"])
def test_many_large_answers_at_once_are_all_given(flooded: Flooded, way: str) -> None:
    size = LIMIT - 1000

    def answer(exchange: Exchange) -> None:
        body = long_string(size)(exchange)
        if way == "length":
            exchange.reply(200, body)
            return
        is_event = way == "event"
        exchange.stream(content_type="text/event-stream" if is_event else "application/json")
        if is_event:
            exchange.event(body)
        else:
            for start in range(0, len(body), MIB):
                exchange.piece(body[start : start + MIB])
        exchange.finish()

    scene = flooded(answer)
    for one in scene.begin(12):
        assert len(scene.host.answer(one, seconds=40)["result"]) == size
    scene.check(busy=0.3)


@pytest.mark.report("S6", "S12")
@pytest.mark.parametrize("way", ["json", "event", "requests"])
def test_a_host_that_does_not_read(flooded: Flooded, way: str) -> None:
    def answer(exchange: Exchange) -> None:
        if way == "requests":
            endless(STREAMS["requests"])(exchange)
            return
        body = long_string(LIMIT - 1000)(exchange)
        if way == "json":
            exchange.reply(200, body)
            return
        exchange.stream()
        while not exchange.server.stopped.is_set():
            exchange.event(body)

    scene = flooded(answer)
    scene.host.stop_reading()
    scene.begin(20)
    scene.server.stopped.wait(often(3, 6) / 2)
    peak = peak_memory(scene.host.process.pid)
    assert peak < LIMIT + MARGIN
    took = scene.end()
    assert took < END
    scene.host.end()
    scene.host.violations.clear()  # what nobody read may end in the middle of a line


# What signs people in


Play = Callable[..., Stage]

DOCUMENTS = ["resource_metadata", "metadata", "register", "token"]
LAYERS = [("gzip",), ("deflate",), ("gzip", "gzip"), ("gzip", "gzip", "gzip")]


@pytest.mark.report("S5")
@pytest.mark.parametrize(
    ("where", "codings"), some(itertools.product(DOCUMENTS, (*LAYERS, ("deflate", "gzip"))), 3)
)
def test_what_signs_people_in_is_bounded(play: Play, where: str, codings: tuple[str, ...]) -> None:
    stage = play()
    stage.server.always(where, packed(bomb(b'{"a":"', b"x", b'"}'), *codings))
    host = stage.host("--initialize-timeout", "5")
    request_id = host.begin("initialize", initialize_params())
    host.answer(request_id, seconds=40)
    assert peak_memory(host.process.pid) < 2 * MARGIN
    assert len(stage.browser.opened) <= 1
    asked = time.monotonic()
    host.close_stdin()
    host.wait_exit(10)
    assert time.monotonic() - asked < END


@pytest.mark.report("S5")
def test_what_signs_people_in_is_asked_for_as_it_is(play: Play) -> None:
    stage = play()
    stage.sign_in()
    for name in ("resource_metadata", "metadata", "register", "token"):
        (asked, *_) = stage.server.received(name)
        assert asked.headers["accept-encoding"] == "identity"


# Bytes behind an answer


FALSE = b'{"jsonrpc":"2.0","id":%d,"result":{"false":true}}'


def false_answer(exchange: Exchange) -> bytes:
    body = FALSE % (exchange.id + 1)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


@pytest.mark.report("S13")
@pytest.mark.parametrize("fresh", [False])  # no memory is measured here
@pytest.mark.parametrize("pause", [0.0, 0.3], ids=["one packet", "later"])
@pytest.mark.parametrize("way", ["length", "chunked", "event", "204", "202", "304", "error"])
def test_bytes_behind_an_answer_are_nobodys(
    flooded: Flooded, way: str, pause: float, fresh: bool
) -> None:
    def answer(exchange: Exchange) -> None:
        body = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"false": False}})
        json_head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        event = b"data: %b\n\n" % body
        first = {
            "length": json_head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
            "chunked": json_head + chunks % (len(body), body),
            "event": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            + chunks % (len(event), event),
            "204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "202": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
            "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
            "error": b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
        }[way]
        if pause:
            exchange.write(first)
            exchange.delay(pause)
            exchange.write(false_answer(exchange))
        else:
            exchange.write(first + false_answer(exchange))

    scene = flooded(answer)
    (one,) = scene.begin()
    scene.host.answer(one)
    scene.server.stopped.wait(pause * 2)
    for _ in range(2):
        answered = scene.host.request("tools/call", SMALL)
        assert answered["result"]["params"] == SMALL, json.dumps(answered)
    scene.host.check()
