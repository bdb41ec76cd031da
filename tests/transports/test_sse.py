"""An event stream reads as the specification says, however it is cut, at any size in linear time.

Examples and rules: WHATWG HTML §9.2.5 and §9.2.6. A second judge is the decoder of httpx-sse.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

import pytest
from httpx_sse._decoders import SSEDecoder
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import Unusable
from mcp_remote_py.transports.sse import MAX_RETRY, Event, EventDecoder

KIB = 1024
MIB = 1024 * KIB


def decode(*chunks: bytes, limit: int = MIB) -> list[Event]:
    decoder = EventDecoder(limit)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def data_of(*chunks: bytes) -> list[bytes]:
    """The data of the events that have some."""
    return [event.data for event in decode(*chunks) if event.has_data]


def message(data: bytes, last_event_id: bytes | None = None) -> Event:
    return Event("message", data, last_event_id, has_data=True)


# ------------------------------------------------------------------------- the specification


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # The examples of the specification.
        (
            b"data: This is the first message.\n\n"
            b"data: This is the second message, it\ndata: has two lines.\n\n"
            b"data: This is the third message.\n\n",
            [
                message(b"This is the first message."),
                message(b"This is the second message, it\nhas two lines."),
                message(b"This is the third message."),
            ],
        ),
        (
            b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
            [Event("add", b"73857293", None, True), Event("remove", b"2153", None, True)],
        ),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [message(b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            b"data:  third event\n\n",
            [
                message(b"first event", b"1"),
                message(b"second event", b""),
                message(b" third event", b""),
            ],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [message(b""), message(b"\n")]),
        (b"data:test\n\ndata: test\n\n", [message(b"test"), message(b"test")]),
        # Comments, unknown fields, fields that only look like known ones.
        (b":\n: data: x\n:data: y\ndata: a\n\n", [message(b"a")]),
        (b"foo: bar\nData: x\n data: y\ndata : z\ndatax: w\ndata: a\n\n", [message(b"a")]),
        (b"data:a:b: c\n\n", [message(b"a:b: c")]),
        (b"data:\tx\n\n", [message(b"\tx")]),
        (b"data:  \n\n", [message(b" ")]),
        (b"event: a\nevent: b\ndata: x\n\n", [Event("b", b"x", None, True)]),
        (b"event: a\nevent\ndata: x\n\n", [message(b"x")]),
        ("event: größe\ndata: x\n\n".encode(), [Event("größe", b"x", None, True)]),
        (b"event: \xff\ndata: x\n\n", [Event("\ufffd", b"x", None, True)]),
        # The name holds for one event, the id until the next one.
        (
            b"event: a\nid: 7\ndata: x\n\ndata: y\n\nid: 8\ndata: z\n\n",
            [Event("a", b"x", b"7", True), message(b"y", b"7"), message(b"z", b"8")],
        ),
        # Events without data, which a browser would not dispatch.
        (b"id: 7\n\n", [Event("message", b"", b"7", False)]),
        (b"event: ping\n\n", [Event("ping", b"", None, False)]),
        (b"retry: 10\n\n", []),
        (b"\n\n\n", []),
        # What is not ended by a blank line never was an event.
        (b"data: a\n", []),
        (b"data: a", []),
        (b"", []),
    ],
)
def test_a_stream_means_what_the_specification_says(stream: bytes, events: list[Event]) -> None:
    assert decode(stream) == events
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == events


@pytest.mark.promise("R2")
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_each_kind_of_line_end(end: bytes) -> None:
    stream = end.join([b"data: a", b"data: b", b"", b"", b"id: 1", b"data: c", b"", b""])
    expected = [message(b"a\nb"), message(b"c", b"1")]
    assert decode(stream) == expected
    for at in range(len(stream) + 1):
        assert decode(stream[:at], stream[at:]) == expected
        assert decode(stream[:at], b"", stream[at:]) == expected


@pytest.mark.promise("R2")
def test_line_ends_may_be_mixed() -> None:
    assert data_of(b"data: a\r\ndata: b\rdata: c\n\rdata: d\n\r\ndata: e\r\r") == [
        b"a\nb\nc",
        b"d",
        b"e",
    ]


def test_a_carriage_return_at_the_end_of_a_chunk_ends_its_line_at_once() -> None:
    decoder = EventDecoder(MIB)
    assert list(decoder.feed(b"data: a\r\r")) == [message(b"a")]
    assert list(decoder.feed(b"\n")) == []
    assert list(decoder.feed(b"data: b\n\n")) == [message(b"b")]


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "data",
    [
        '{"a":"\u2028\u2029\u0085\u000b\u000c\u001c\u001e"}'.encode(),
        b"\x00\x01\xff\xfe",
        b'{"big":12345678901234567890,"f":1.0}',
        "\ufeff".encode(),
    ],
)
def test_only_line_feed_and_carriage_return_end_a_line(data: bytes) -> None:
    assert data_of(b"data: " + data + b"\n\n") == [data]


@pytest.mark.promise("R2")
def test_one_leading_byte_order_mark_is_skipped_and_only_there() -> None:
    mark = b"\xef\xbb\xbf"
    stream = mark + b"data: a\n\n" + mark + b"data: b\n\ndata: c\n\n"
    for at in range(len(stream)):
        assert data_of(stream[:at], stream[at:]) == [b"a", b"c"]
    assert data_of(mark + mark + b"data: a\n\ndata: b\n\n") == [b"b"]
    assert data_of(b"\xef\xbb", b"data: a\n\ndata: b\n\n") == [b"b"]
    assert decode(mark[:2]) == []


# ------------------------------------------------------------------------- the end


@pytest.mark.report("T7")
@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: {}", b"{}"),
        (b"data: {}\n", b"{}"),
        (b"data: {}\r\n", b"{}"),
        (b"data: {}\r", b"{}"),
        (b"event: message\ndata: [\ndata: 1]", b"[\n1]"),
        (b"data: a\n\ndata", b""),
    ],
)
def test_what_a_stream_ends_in_is_told_apart(stream: bytes, data: bytes) -> None:
    for at in range(len(stream) + 1):
        decoder = EventDecoder(MIB)
        list(decoder.feed(stream[:at]))
        list(decoder.feed(stream[at:]))
        assert decoder.end() == Event("message", data, None, has_data=True, is_complete=False)


@pytest.mark.report("T7")
@pytest.mark.parametrize("stream", [b"", b"data: a\n\n", b"id: 1\n", b": hi", b"event: x", b"dat"])
def test_a_stream_that_ends_in_no_data_ends_in_nothing(stream: bytes) -> None:
    decoder = EventDecoder(MIB)
    list(decoder.feed(stream))
    assert decoder.end() is None


@pytest.mark.report("T7")
def test_the_id_to_resume_from_is_not_that_of_what_the_stream_ended_in() -> None:
    decoder = EventDecoder(MIB)
    list(decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b"))
    assert decoder.end() == Event("message", b"b", b"2", has_data=True, is_complete=False)
    assert decoder.last_event_id == b"1"


# ------------------------------------------------------------------------- ids


@pytest.mark.promise("R5")
def test_the_id_to_resume_from_is_that_of_the_last_whole_event() -> None:
    decoder = EventDecoder(MIB)
    assert decoder.last_event_id is None
    list(decoder.feed(b"id: 1\ndata: a\n\nid: 2\n\nid: 3\ndata: cut"))
    assert decoder.last_event_id == b"2"
    list(decoder.feed(b"\n\n"))
    assert decoder.last_event_id == b"3"


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("line", "last"),
    [
        (b"id: 2", b"2"),
        (b"id:2", b"2"),
        (b"id:  2 ", b" 2 "),
        (b"id", b""),
        (b"id:", b""),
        (b"id: a\0b", b"1"),
        (b"id: \0", b"1"),
        (b"ID: 2", b"1"),
        (b"id: \xc3\xa9:\xff", b"\xc3\xa9:\xff"),
    ],
)
def test_what_an_id_is(line: bytes, last: bytes) -> None:
    events = decode(b"id: 1\ndata: a\n\n" + line + b"\ndata: b\n\n")
    assert [event.last_event_id for event in events] == [b"1", last]


# ------------------------------------------------------------------------- retry


@pytest.mark.promise("L5")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"3000", 3.0),
        (b"0", 0.0),
        (b"007", 0.007),
        (b"3600000", MAX_RETRY),
        (b"3600001", MAX_RETRY),
        (b"9" * 5000, MAX_RETRY),
        (b"", 9.0),
        (b"1.5", 9.0),
        (b"-1", 9.0),
        (b"+1", 9.0),
        (b"1e3", 9.0),
        (b" 1", 9.0),
        (b"1 ", 9.0),
        (b"soon", 9.0),
        ("\u0661".encode(), 9.0),
        ("²".encode(), 9.0),
    ],
)
def test_the_time_to_wait_is_digits_and_bounded(value: bytes, seconds: float) -> None:
    decoder = EventDecoder(MIB)
    assert decoder.retry is None
    list(decoder.feed(b"retry: 9000\n"))
    assert decoder.retry == 9.0
    list(decoder.feed(b"retry: " + value + b"\n"))
    assert decoder.retry == seconds


# ------------------------------------------------------------------------- size

LIMIT = 1000
MORE = "The server sent an event of more than 1000 bytes. Raise the limit with --max-message-size."


@pytest.mark.promise("R8")
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize(
    "event",
    [
        b"data: " + b"x" * LIMIT + b"\n\n",
        b"data:" + b"x" * LIMIT + b"\r\n\r\n",
        b"data: " + b"x" * 499 + b"\ndata: " + b"y" * 500 + b"\n\n",
        b"data\n" * LIMIT + b"data\n\n",
    ],
)
def test_an_event_up_to_the_limit_passes_however_it_is_cut(event: bytes, size: int) -> None:
    stream = event * 3
    found = decode(*cut(stream, size), limit=LIMIT)
    assert [len(one.data) for one in found] == [LIMIT] * 3


@pytest.mark.promise("R8")
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize(
    "event",
    [
        b"data: " + b"x" * (LIMIT + 1) + b"\n\n",
        b"data: " + b"x" * 500 + b"\ndata: " + b"y" * 500 + b"\n\n",
        b"data\n" * (LIMIT + 2) + b"\n",
        b"data: " + b"x" * (2 * LIMIT),
        b":" + b"x" * (2 * LIMIT),
        b"x" * (2 * LIMIT),
        b":" + b"x" * (2 * LIMIT) + b"\n\n",
        b"event: " + b"x" * (2 * LIMIT) + b"\n\n",
    ],
)
def test_a_larger_one_is_refused_however_it_is_cut(event: bytes, size: int) -> None:
    decoder = EventDecoder(LIMIT)
    list(decoder.feed(b"data: fine\n\n"))
    with pytest.raises(Unusable) as caught:
        list(itertools.chain.from_iterable(map(decoder.feed, cut(event, size))))
    assert caught.value.sentence() == MORE


def cut(stream: bytes, size: int) -> Iterable[bytes]:
    return (stream[at : at + size] for at in range(0, len(stream), size))


# ------------------------------------------------------------------------- any stream, any cut


@st.composite
def cuts(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The stream in random pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in itertools.pairwise([0, *places, len(stream)])]


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
values = st.binary(max_size=12).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
comments = st.sampled_from([b"", b": hello", b":", b"unknown: x", b"retry: 5"])


@st.composite
def encoded_events(draw: st.DrawFn) -> tuple[list[Event], bytes]:
    """Events with data, and a stream that says them."""
    stream, events = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])), list[Event]()
    last_id: bytes | None = None
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(["", "endpoint", "größe"]))
        data = draw(st.lists(values, min_size=1, max_size=3))
        lines = [b"data: " + line for line in data]
        if name:
            lines.insert(draw(st.integers(0, len(lines))), b"event: " + name.encode())
        if draw(st.booleans()):
            last_id = draw(values).replace(b"\0", b"")
            lines.insert(draw(st.integers(0, len(lines))), b"id: " + last_id)
        if comment := draw(comments):
            lines.insert(draw(st.integers(0, len(lines))), comment)
        end = draw(line_ends)
        stream += b"".join(line + end for line in lines) + end
        events.append(Event(name or "message", b"\n".join(data), last_id, True))
    return events, stream


@pytest.mark.promise("R2")
@given(st.data(), encoded_events())
def test_any_events_survive_any_cut(
    data: st.DataObject, encoded: tuple[list[Event], bytes]
) -> None:
    events, stream = encoded
    assert decode(*data.draw(cuts(stream))) == events


pieces = st.sampled_from(
    [
        *(b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"7", b"x", b"\0", "é".encode()),
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"data: {}\n\n", b"id: 1\n"),
    ]
)
streams = st.lists(pieces, max_size=30).map(b"".join)


@pytest.mark.promise("R2")
@given(st.data(), streams)
def test_a_cut_never_changes_what_a_stream_says(data: st.DataObject, stream: bytes) -> None:
    assert decode(*data.draw(cuts(stream))) == decode(stream)


@pytest.mark.promise("R2")
@given(streams)
def test_an_independent_decoder_reads_the_same(stream: bytes) -> None:
    judge = SSEDecoder()
    expected = list[tuple[str, str, str]]()
    text = stream.decode().replace("\r\n", "\n").replace("\r", "\n")
    # What follows the last line end is not a line yet.
    for line in text.split("\n")[:-1]:
        event = judge.decode(line)
        if event is not None and event.data:
            expected.append((event.event, event.data, event.id))
    found = [
        (event.name, event.data.decode(), (event.last_event_id or b"").decode())
        for event in decode(stream)
        if event.data
    ]
    assert found == expected


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_are_events_or_none(chunks: list[bytes]) -> None:
    assert decode(*chunks) == decode(b"".join(chunks))


# ------------------------------------------------------------------------- linear time


def measure(stream: bytes, size: int) -> float:
    """The least seconds of three readings."""

    def read() -> float:
        decoder = EventDecoder(1 << 30)
        begun = time.process_time()
        for chunk in cut(stream, size):
            for _ in decoder.feed(chunk):
                pass
        return time.process_time() - begun

    return min(read() for _ in range(3))


STREAMS = {
    "one line": (8 * MIB, b"x", KIB, b"data: ", b"\n\n"),
    "one line that a carriage return ends": (8 * MIB, b"x", KIB, b"data: ", b"\r\r"),
    "many lines": (MIB, b"data: 0123456789abcdef\n", KIB, b"", b"\n"),
    "small events": (MIB, b"data: 0123456789abcdef\n\n", 64 * KIB, b"", b""),
    "only carriage returns, in one chunk": (MIB, b"data: 0123456789abcdef\r\r", MIB, b"", b""),
    "only line feeds, in one chunk": (MIB, b"data: 0123456789abcdef\n\n", MIB, b"", b""),
}


@pytest.mark.promise("R8")
@pytest.mark.parametrize(("total", "unit", "size", "start", "end"), STREAMS.values(), ids=STREAMS)
def test_time_grows_with_the_size_and_not_with_its_square(
    total: int, unit: bytes, size: int, start: bytes, end: bytes
) -> None:
    """Eight times the bytes: a quadratic decoder takes 64 times as long, a linear one about 8."""
    small, large = (
        measure(start + unit * (bytes_ // len(unit)) + end, size) for bytes_ in (total // 8, total)
    )
    assert large < 24 * small + 0.02, (small, large)
