"""Every target with its corpus and some changes of it, the same ones each time: a second or so.

What goes on for longer is `scripts/fuzz`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mcp_remote_py.errors import McpRemoteError, UsageError
from mcp_remote_py.hosts.broken_config import BrokenConfig
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.transports.sse import Event
from tests.fuzz import kept, signing_in, typed, wire
from tests.fuzz.targets import CORPUS, MAX_INPUT_BYTES, TARGETS, Target
from tests.thorough import often

CHANGES = often(60, 20_000)
"""Inputs that are made for each target."""


def named(target: Target) -> str:
    return target.name


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_what_was_found_once_stays_mended(target: Target) -> None:
    for content in target.inputs():
        target.check(content)


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_any_bytes_keep_the_properties(target: Target) -> None:
    source = random.Random(target.name)  # noqa: S311 - the same inputs each time
    known = [one for one in target.inputs() if len(one) <= MAX_INPUT_BYTES]
    for _ in range(CHANGES):
        target.check(change(source, known, target.words))


def change(source: random.Random, known: list[bytes], words: tuple[bytes, ...]) -> bytes:
    """One of the known inputs with a few parts taken out, put in, or put in another's place."""
    content = source.choice(known)
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(content))
        end = min(start + source.choice((0, 0, 1, 1, 2, 8, 40)), len(content))
        other = source.choice(known)
        at = source.randint(0, len(other))
        new = source.choice(
            (b"", source.choice(words), source.randbytes(1), other[at : at + source.randint(1, 60)])
        )
        content = content[:start] + new + content[end:]
    return content[:MAX_INPUT_BYTES]


def test_the_corpus_is_small_and_each_part_of_it_is_a_target_s() -> None:
    folders = {path.name: list(path.iterdir()) for path in CORPUS.iterdir()}
    assert folders.keys() <= {target.name for target in TARGETS}
    for name, files in folders.items():
        assert 0 < len(files) <= 60, name
        assert sum(path.stat().st_size for path in files) < 64 * 1024, name


UNTRUE: dict[str, Callable[[], None]] = {
    "an event that was not sent": lambda: wire.judge_events(
        b"data: a\n\n", [Event("message", b"b", None, True)]
    ),
    "an event that is missing": lambda: wire.judge_events(b"data: a\n\n", []),
    "a control character in a challenge": lambda: signing_in.check_words(
        Challenge(error="\x1b[2J")
    ),
    "a script for metadata": lambda: signing_in.check_words(Challenge("javascript:1")),
    "a sentence with what was sent": lambda: signing_in.check_sentence(
        McpRemoteError(f"The code {signing_in.SENT.reveal()} is wrong.")
    ),
    "an endpoint that anybody can read": lambda: signing_in.check_endpoints(
        ServerMetadata(signing_in.ISSUER, "", "http://login.example/token")
    ),
    "a page with the request in it": lambda: signing_in.check_page(
        b"HTTP/1.1 400 \r\ncontent-length: 8\r\nconnection: close\r\n\r\n<script>", b"<script>"
    ),
    "a header of the request in the answer": lambda: signing_in.check_page(
        b"HTTP/1.1 204 \r\nset-cookie: a\r\nconnection: close\r\n\r\n", b""
    ),
    "a browser that is led elsewhere": lambda: signing_in.check_page(
        b"HTTP/1.1 303 \r\nlocation: https://evil.example/\r\nconnection: close\r\n\r\n",
        signing_in.STATE.encode(),
    ),
    "a place outside the text": lambda: kept.check_place(
        b"{\n}", BrokenConfig("a", "b", line=2, column=3)
    ),
    "a line that is not there": lambda: kept.check_place(
        b"{\n}", BrokenConfig("a", "b", line=3, column=1)
    ),
    "two lines in a header": lambda: typed.check_pair("A", "b\r\nC: d"),
    "a value in a sentence": lambda: typed.check_shown(
        UsageError("Not a-long-value."), "X: a-long-value"
    ),
    "a word of the command line in a sentence": lambda: typed.check_said(
        f"{typed.TYPED} is not an option."
    ),
    "a client that is refused too late": lambda: typed.check_late_refusal(
        UsageError("--x is not a JSON object.")
    ),
    "two lines for the host": lambda: kept.check_answer(b'{"a":\n1}'),
    "a variable in a sentence": lambda: typed.check_shown(UsageError(typed.CANARY), "X: ${T}"),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_what_must_not_be_is_seen(name: str) -> None:
    with pytest.raises(AssertionError):
        UNTRUE[name]()
