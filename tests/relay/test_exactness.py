"""Bytes in, bytes out: what a message says, and how it spells it, arrives as it left.

Lines are made by hand, compared as bytes, in both directions, as JSON and as event stream.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.host import Host, cpu_seconds
from tests.peers.wild_server import Exchange, WildServer
from tests.relay.conftest import Relay, Wild

MIB = 1024 * 1024
KIB = 1024

VALUES: dict[str, bytes] = {
    "big integer": b"12345678901234567890",
    "bigger integer": b"-123456789012345678901234567890123456789012345678901234567890",
    "1.0": b"1.0",
    "-0.0": b"-0.0",
    "-0": b"-0",
    "1e3": b"1e3",
    "1E+3": b"1E+3",
    "many digits": b"0.1000000000000000055511151231257827021181583404541015625",
    "beyond double": b"1e999",
    "escapes": rb'"\u0041\u00e9\u00E9\/\b\f\n\r\t\"\\"',
    "raw beside escaped": '"é\\u00e9"'.encode(),
    "surrogate pair escaped": rb'"\ud83d\ude00"',
    "emoji raw": '"😀"'.encode(),
    "lone high surrogate": rb'"\ud800"',
    "lone low surrogate": rb'"x\udfffy"',
    "NUL escaped": rb'"a\u0000b"',
    "line separators raw": '"a\u2028b\u2029c\u0085d"'.encode(),
    "byte order mark inside": '"\ufeff"'.encode(),
    "DEL and C1": '"\x7f\u0080"'.encode(),
    "key order": b'{"z":1,"a":2,"m":3}',
    "same key twice": b'{"a":1,"a":2}',
    "empty key": b'{"":{"":[]}}',
    "blanks": b'{ "a" :\t[ 1 ,2,  3 ] }',
    "deep": b"[" * 100 + b"]" * 100,
    "unknown content type": b'[{"type":"hologram","frames":[{"q":1.50}]}]',
    "looks like a message": b'{"jsonrpc":"2.0","id":1,"result":{}}',
    "SSE inside": rb'"\ndata: {}\n\n: x\r\nevent: y"',
}


@pytest.fixture
def pair(wild: Wild, relay: Relay) -> Callable[..., tuple[WildServer, Host]]:
    """A server and an initialized host."""

    def start(sse: bool = False) -> tuple[WildServer, Host]:
        server = wild(sse=sse)
        host = relay(server.url)
        host.initialize()
        server.wait_for("notifications/initialized")
        return server, host

    return start


def request_line(number: int, value: bytes) -> bytes:
    """A request whose spelling no encoder would choose."""
    return (
        b'{"method":"x/y","id":%d, "jsonrpc":"2.0","params":{"v":%b,"_meta":{"k":1.0}},"more":[]}'
        % (
            number,
            value,
        )
    )


def answer_line(number: int, value: bytes) -> bytes:
    """An answer of the same kind."""
    return (
        b'{"result":{"v":%b,"_meta":{"k":1.0}},"extra":{"b":1,"a":-0.0},"id":%d, "jsonrpc":"2.0"}'
        % (
            value,
            number,
        )
    )


def answer_with(line: bytes, sse: bool) -> Callable[[Exchange], None]:
    """A script that sends these very bytes."""
    return lambda exchange: exchange.send(line, sse=sse)


@pytest.mark.promise("R2")
@pytest.mark.parametrize("sse", [False, True], ids=["JSON", "SSE"])
def test_values_both_ways(pair: Callable[..., tuple[WildServer, Host]], sse: bool) -> None:
    server, host = pair()
    wrong: list[str] = []
    for number, (name, value) in enumerate(VALUES.items(), start=1000):
        server.script("x/y", answer_with(answer_line(number, value), sse))
        host.send(request_line(number, value))
        if host.answer_line(number).raw != answer_line(number, value):
            wrong.append(f"to the host: {name}")
        if server.received("x/y")[-1].body != request_line(number, value):
            wrong.append(f"to the server: {name}")
    assert wrong == []


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "raw_id",
    [
        *(b'"a"', b'""', b'"1"', b"0", b"-7", b"9007199254740993", b"12345678901234567890"),
        *(b"1.5", rb'"\u0041"', '"é\u2028"'.encode(), b'"' + b"x" * 300 + b'"'),
    ],
)
def test_ids_keep_their_spelling(
    pair: Callable[..., tuple[WildServer, Host]], raw_id: bytes
) -> None:
    server, host = pair()
    answer = b'{"jsonrpc":"2.0","id":%b,"result":{"ok":true}}' % raw_id
    server.script("x/y", answer_with(answer, sse=False))
    request = b'{"jsonrpc":"2.0","id":%b,"method":"x/y"}' % raw_id
    host.send(request)
    host.wait_until(lambda: any(line.raw == answer for line in host.lines), "the answer")
    assert server.received("x/y")[0].body == request


@pytest.mark.promise("R2", "R3")
def test_notifications_and_requests_of_the_server(
    pair: Callable[..., tuple[WildServer, Host]],
) -> None:
    server, host = pair()
    said = [
        b'{"params":{"v":1.0},"method":"notifications/unheard_of","jsonrpc":"2.0", "x":-0.0}',
        b'{"id":"q-1","params":{"v":12345678901234567890},"method":"un/known","jsonrpc":"2.0"}',
    ]

    def behave(exchange: Exchange) -> None:
        exchange.stream()
        for line in said:
            exchange.event(line)
        server.wait_for("response")
        exchange.event(answer_line(5, b"1"))
        exchange.finish()

    server.script("x/y", behave)
    host.send(request_line(5, b"1"))
    host.server_request("un/known")
    reply = b'{"result":{"v":1.0, "w":-0.0},"id":"q-1","jsonrpc":"2.0","more":1e3}'
    host.send(reply)
    host.answer(5)
    assert [line.raw for line in host.lines][-3:-1] == said
    assert server.received("response")[0].body == reply


@pytest.mark.promise("R2")
def test_answer_on_several_lines_becomes_one(
    pair: Callable[..., tuple[WildServer, Host]],
) -> None:
    server, host = pair()
    pretty = b'{\n  "jsonrpc": "2.0",\r\n  "id": 5,\n  "result": {\n    "v": 1.0\n  }\n}\n'
    server.script("x/y", answer_with(pretty, sse=False))
    host.send(request_line(5, b"1"))
    line = host.answer_line(5).raw
    assert line.split() == pretty.split()
    assert line.strip() == pretty.replace(b"\n", b" ").replace(b"\r", b" ").strip()


@pytest.mark.promise("R2")
def test_windows_line_ends(pair: Callable[..., tuple[WildServer, Host]]) -> None:
    server, host = pair()
    host.write(request_line(5, b"1") + b"\r\n" + request_line(6, b"2") + b"\r\n")
    host.answer(5)
    host.answer(6)
    assert sorted(one.body.rstrip(b"\r ") for one in server.received("x/y")) == [
        request_line(5, b"1"),
        request_line(6, b"2"),
    ]


@pytest.mark.promise("R1", "R2")
def test_last_line_without_line_end(pair: Callable[..., tuple[WildServer, Host]]) -> None:
    server, host = pair()
    host.write(request_line(5, b"1"))
    host.close_stdin()
    assert "result" in host.answer(5)
    assert server.received("x/y")[0].body == request_line(5, b"1")


@pytest.mark.promise("R2")
def test_lines_in_pieces_and_lines_together(
    pair: Callable[..., tuple[WildServer, Host]],
) -> None:
    server, host = pair()
    one = request_line(5, '"é😀"'.encode()) + b"\n"
    for at in range(len(one)):
        host.write(one[at : at + 1])
    host.answer(5)
    host.write(b"".join(request_line(number, b"1") + b"\n" for number in range(100, 200)))
    for number in range(100, 200):
        host.answer(number)
    bodies = sorted(exchange.body for exchange in server.received("x/y")[1:])
    assert bodies == sorted(request_line(number, b"1") for number in range(100, 200))


SIZES = [1 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 65 * KIB, 1024 * KIB]
"""Bytes; 50 MiB are below, where they are measured too."""


@pytest.mark.promise("R8", "R2")
@pytest.mark.parametrize("sse", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("size", SIZES)
def test_sizes_both_ways(
    pair: Callable[..., tuple[WildServer, Host]], size: int, sse: bool
) -> None:
    server, host = pair()
    exchange_bytes(server, host, 5, size, sse)


@pytest.mark.promise("R8")
@pytest.mark.parametrize("sse", [False, True], ids=["JSON", "SSE"])
def test_work_grows_with_the_size_and_not_with_its_square(
    pair: Callable[..., tuple[WildServer, Host]], sse: bool
) -> None:
    """Five times the size: a quadratic relay works 25 times as much, a linear one about 5 times."""
    server, host = pair()
    exchange_bytes(server, host, 4, 1 * MIB, sse)
    small = exchange_bytes(server, host, 5, 10 * MIB, sse)
    large = exchange_bytes(server, host, 6, 50 * MIB, sse)
    assert large < 12 * small, (small, large)


def exchange_bytes(server: WildServer, host: Host, number: int, size: int, sse: bool) -> float:
    """One call with `size` bytes each way, byte-equal; the seconds of a CPU that the relay took.

    Not those of a clock: what else the machine does must not count.
    """
    # A pattern whose period is prime: a lost or doubled block of any usual size would show.
    pattern = b"".join(b"%03d " % value for value in range(251))
    text = b'"' + (pattern * (size // len(pattern) + 1))[:size] + b'"'
    answer = answer_line(number, text)
    server.script("x/y", answer_with(answer, sse))
    request = request_line(number, text)
    before = cpu_seconds(host.process.pid)
    host.send(request)
    got = host.answer_line(number, seconds=40).raw
    seconds = cpu_seconds(host.process.pid) - before
    same = (got == answer, server.received("x/y")[-1].body == request)
    assert same == (True, True), f"{len(got)} bytes of {len(answer)} came back"
    return seconds
