"""What comes over pipes and sockets: lines of a host, answers, event streams, compressed bodies.

The judges are parsers of others: `json`, h11, httptools, httpx-sse, zlib. Must not know corpora.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from typing import Any, cast

import h11
from httpx_sse._decoders import SSEDecoder

from mcp_remote_py.bounds import FREE_OUTPUT, MAX_RATIO, TURN_BYTES, open_body
from mcp_remote_py.errors import Interrupted, Unusable
from mcp_remote_py.net.faults import Broken, IllegalAnswer
from mcp_remote_py.relay.relay import Relay
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.transports.line_splitter import LineSplitter
from mcp_remote_py.transports.lines import HostLines
from mcp_remote_py.transports.sse import MAX_RETRY, Event, EventDecoder
from tests.fakes import FakeClock, FakeHost, FakeServerChannel
from tests.fuzz.cuts import choose, cut, split_off
from tests.net.test_http1 import Read, read

# ------------------------------------------------------------------ the host's lines

MAX_LINE = 400
"""Bytes: long enough for every message of a host, short enough to meet lines that are too long."""

PING = b'{"jsonrpc":"2.0","id":"are you there","method":"ping"}'
SLOW = "fuzz/slow"


def check_stdin(data: bytes) -> None:
    """One answer for each id, one for each line that is not a message, on lines of JSON alone."""
    way, content = split_off(data)
    host = asyncio.run(_relay(content, way))
    answers = Counter[str]()
    for line in host.lines:
        assert line.isascii() or line.decode()
        message = json.loads(line)
        assert isinstance(message, dict)
        assert message["jsonrpc"] == "2.0"
        if "method" not in message:
            assert ("result" in message) != ("error" in message), line
            answers[json.dumps(message["id"])] += 1
    asked, refused = _expect(content)
    for key, times in asked.items():
        assert answers[key] >= 1, f"{key} is not answered"
        # A line that is not a message is answered for the id that can be seen in it.
        assert answers[key] <= times + refused, f"{key} is answered {answers[key]} times"
    assert answers['"are you there"'] >= 1
    assert sum(answers.values()) <= sum(asked.values()) + refused


async def _relay(content: bytes, way: int) -> FakeHost:
    host, server, clock = FakeHost(), FakeServerChannel(), FakeClock()
    relay = Relay(
        HostLines(host),
        server.connect,
        catalog=ToolCatalog(ToolRules()),
        clock=clock,
        random=lambda: 0.5,
    )
    running = asyncio.ensure_future(relay.run())
    await asyncio.sleep(0)
    splitter = LineSplitter(MAX_LINE, host.write, host.write_long)
    for piece in cut(content, way):
        splitter.feed(piece)
    splitter.feed(b"\n" + PING + b"\n")
    splitter.end()
    await clock.advance(120)
    relay.stop("The input is over.")
    await clock.finish(running)
    return host


def _expect(content: bytes) -> tuple[Counter[str], int]:
    """How often each id was asked for, as `json` reads the lines; and what may be refused."""
    asked = Counter[str](['"are you there"'])
    refused = 0
    cancelled = b"notifications/cancelled" in content
    for raw in content.split(b"\n"):
        line = raw.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE:
            refused += 1
            continue
        try:
            value: Any = json.loads(line.decode())
        except (ValueError, RecursionError):
            # Of an array, each element is answered.
            refused += 1 + line.count(b",") if line.lstrip().startswith(b"[") else 1
            continue
        # An empty batch is refused as a whole.
        refused += max(1, len(cast("list[object]", value))) if isinstance(value, list) else 1
        if isinstance(value, dict) and not cancelled and _is_plain(line):
            message = cast("dict[str, Any]", value)
            if isinstance(message.get("method"), str) and type(message.get("id")) in (str, int):
                asked[json.dumps(message["id"])] += 1
    return asked, refused


def _is_plain(line: bytes) -> bool:
    """Whether all readers read this line in one way: no escapes, no name that is there twice."""
    names = (line.count(b'"id"'), line.count(b'"method"'))
    return line.isascii() and b"\\" not in line and names == (1, 1)


# ------------------------------------------------------------------ HTTP/1.1

METHODS = (b"POST", b"GET", b"HEAD", b"CONNECT")


def check_http1(data: bytes) -> None:
    """However it is cut it says the same; what other parsers read, too, they read alike."""
    way, content = split_off(data)
    method = choose(way >> 6, *METHODS)
    whole = _read(content, method, 0)
    for each in {1, way & 63}:
        found = _read(content, method, each)
        assert found == whole, f"cut by {each}: {found} instead of {whole}"
    if isinstance(whole, str):
        assert whole.isprintable()
        return
    for name, value in whole.headers:
        assert name == name.lower()
        assert not set(name + value) & {0, 10, 13}
    if whole.lasts and method != b"CONNECT":
        # Another answer behind it would be read by nobody.
        judge, body = _judge(content, method)
        if judge is not None:
            assert (judge.status_code, body) == (whole.status, whole.body)


def _read(content: bytes, method: bytes, way: int) -> Read | str:
    try:
        return read([piece for piece in cut(content, way) if piece], method)
    except IllegalAnswer as error:
        return str(error).partition(":")[0]  # where llhttp stopped may follow
    except Broken as error:
        return str(error)


def _judge(content: bytes, method: bytes) -> tuple[h11.Response | None, bytes]:
    """What h11 makes of it; it refuses some of what servers write."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(content)
    head, body = None, b""
    try:
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return head, body
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return None, b""
    except h11.RemoteProtocolError:
        return None, b""


# ------------------------------------------------------------------ event streams

MAX_EVENT = 200


def check_sse(data: bytes) -> None:
    """However it is cut it has the same events; where all of it is text, the judge's."""
    way, content = split_off(data)
    whole, decoder = _decode(content, 0)
    for each in {1, way}:
        found, _ = _decode(content, each)
        assert found == whole
    assert decoder.retry is None or 0 <= decoder.retry <= MAX_RETRY
    assert decoder.pending <= MAX_EVENT + 64 * 1024
    for event in whole:
        if isinstance(event, Event):
            assert len(event.data) <= MAX_EVENT
            assert b"\r" not in event.data
            assert not set(event.last_event_id or b"") & {0, 10, 13}
    if not any(isinstance(event, str) for event in whole):
        judge_events(content, [event for event in whole if isinstance(event, Event)])


def _decode(content: bytes, way: int) -> tuple[list[Event | str | None], EventDecoder]:
    decoder = EventDecoder(MAX_EVENT)
    found: list[Event | str | None] = []
    try:
        for piece in cut(content, way):
            found += decoder.feed(piece)
        found.append(decoder.end())
    except Unusable as error:
        found.append(error.sentence())
    return found, decoder


def judge_events(content: bytes, events: list[Event]) -> None:
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return
    judge = SSEDecoder()
    expected: list[tuple[str, str, str]] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        event = judge.decode(line)
        if event is not None and event.data:
            expected.append((event.event, event.data, event.id))
    found = [
        (event.name, event.data.decode(), (event.last_event_id or b"").decode())
        for event in events
        if event.data and event.is_complete
    ]
    assert found == expected


# ------------------------------------------------------------------ compressed bodies

STORED_BYTES = 23
"""What gzip adds to 16 KiB that it does not compress."""

CODINGS = (b"gzip", b"deflate", b"x-gzip, identity", b"GZIP;q=1")


def check_compressed(data: bytes) -> None:
    """However it is cut it becomes the same, within bounds; what zlib reads, too, is the same.

    A first byte of 128 or more stands for bytes that are compressed here, and then cut.
    """
    way, content = split_off(data)
    coding = choose(way, *CODINGS)
    if way >= 128:
        content, plain = _compress(coding, content, way)
    else:
        plain = None
    whole = _open(coding, content, 0)
    for each in {1 if len(content) < 5000 else 2, way & 63}:
        assert _open(coding, content, each) == whole
    if plain is not None:
        assert whole == plain
    if isinstance(whole, bytes):
        assert len(whole) <= max(FREE_OUTPUT, MAX_RATIO * len(content))
    else:
        assert whole.isprintable()


def _compress(coding: bytes, content: bytes, way: int) -> tuple[bytes, bytes]:
    """Several members where they may be several; where the second begins may be a turn's end."""
    if coding == b"deflate":
        return zlib.compress(content), content
    members = [content, content[: way & 15], b""]
    if way >= 192:
        members[0] = bytes(TURN_BYTES - STORED_BYTES - 2 + (way >> 1 & 3))
    gzip: list[bytes] = []
    for member in members[: 1 + (way >> 4) % 3]:
        maker = zlib.compressobj(0 if way >= 192 else way % 10, zlib.DEFLATED, 31)
        gzip.append(maker.compress(member) + maker.flush())
    return b"".join(gzip), b"".join(members[: len(gzip)])


def _open(coding: bytes, content: bytes, way: int) -> bytes | str:
    decoder = open_body(coding, "The server")
    assert decoder is not None
    made = b""
    try:
        for piece in cut(content, way):
            made += b"".join(decoder.feed(piece))
        decoder.end()
    except (Unusable, Interrupted) as error:
        return error.sentence()
    return made
