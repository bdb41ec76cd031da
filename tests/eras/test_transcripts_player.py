"""A transcript that is not what comes out is noticed, and so is what is not a transcript."""

from __future__ import annotations

import pytest

from tests.eras.transcripts_player import Output, play, read_transcript, take_apart


class Echo:
    """Lets out towards the one what the other said; a host is heard twice when it says 2."""

    def from_host(self, line: bytes) -> list[Output]:
        return [Output("to_server", line)] * (2 if line == b"2" else 1)

    def from_server(self, line: bytes) -> list[Output]:
        return [Output("to_host", line)]


def perform(*lines: str) -> None:
    play(read_transcript("\n".join(lines).encode()), Echo())


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ['{"note":"Nothing is said."}'],
        ['{"host":1}', '{"note":"!"}', '{"to_server":1}', '{"server":[]}', '{"to_host":[]}'],
        ['{"host":2}', '{"to_server":2}', '{"to_server":2}'],
        ['{"host":{"a":1,"b":[1, 2]}}', '{"to_server":{ "b" : [ 1,2 ],"a":1}}'],
    ],
)
def test_a_true_transcript_is_played_to_its_end(lines: list[str]) -> None:
    perform(*lines)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (['{"host":1}', '{"to_server":2}'], "line 2: wanted to_server: 2"),
        (['{"host":1}', '{"to_host":1}'], "line 2: wanted to_host"),
        (['{"host":1}'], "behind line 1"),
        (['{"host":1}', '{"server":1}'], "line 2: before it"),
        (['{"host":2}', '{"to_server":2}'], "behind line 2"),
        (['{"host":1}', '{"to_server":1}', '{"to_server":1}'], "line 3: nothing"),
        (['{"to_host":1}'], "line 1: nothing"),
        (['{"hosts":1}'], "line 1: nobody knows"),
        (['{"host":1,"note":"a"}'], "line 1: one member"),
    ],
)
def test_a_false_transcript_is_refused(lines: list[str], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        perform(*lines)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b"1.0"),
        (b"1", b"true"),
        (rb'"a"', rb'"\u0061"'),
        (rb'"/"', rb'"\/"'),
        (b"[1,2]", b"[2,1]"),
        (b"{}", b"[]"),
        (b'{"a":null}', b"{}"),
        (b'{"a":{"b":[1e2]}}', b'{"a":{"b":[100]}}'),
    ],
)
def test_another_spelling_is_another_text(one: bytes, other: bytes) -> None:
    assert take_apart(one) != take_apart(other)
