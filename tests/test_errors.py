"""An error tells cause and next step, on one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py import errors
from mcp_remote_py.errors import (
    ExchangeError,
    InvalidMessage,
    McpRemoteError,
    NotSent,
    Refused,
    SessionLost,
    UsageError,
    one_line,
)


def test_the_sentence_is_cause_and_hint() -> None:
    error = UsageError("The header X has no value.", hint="Set it.")
    assert error.sentence() == "The header X has no value. Set it."
    assert str(error) == error.cause == "The header X has no value."
    assert error.hint == "Set it."


def test_without_a_hint_the_sentence_is_the_cause() -> None:
    assert NotSent("Nobody listens at host:1.").sentence() == "Nobody listens at host:1."


def test_an_exchange_error_carries_the_evidence() -> None:
    error = Refused("No.", hint="Wait.", status=429, retry_after=1.5, body=b"{}")
    assert (error.status, error.retry_after, error.body) == (429, 1.5, b"{}")
    bare = ExchangeError("No.")
    assert (bare.hint, bare.status, bare.retry_after, bare.body) == ("", None, None, None)


def test_an_invalid_message_carries_what_its_sender_must_be_answered() -> None:
    error = InvalidMessage("Broken.", code=-32700, raw_id=b"1")
    assert (error.code, error.raw_id, error.sentence()) == (-32700, b"1", "Broken.")
    assert InvalidMessage("Broken.", code=-32700).raw_id is None


def test_a_lost_session_is_a_refusal_and_so_may_be_repeated() -> None:
    assert issubclass(SessionLost, Refused)


def test_every_error_of_the_module_is_drawn_in_its_tree() -> None:
    assert errors.__doc__
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, McpRemoteError):
            assert name in errors.__doc__


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\r\nlines", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("line\u2028separator\u202e", "line separator"),
        ("lone \ud800", "lone"),
        ("  wide   gaps ", "wide gaps"),
        ("größer 日本", "größer 日本"),
        ("", ""),
    ],
)
def test_evidence_cannot_forge_lines_or_drive_a_terminal(text: str, line: str) -> None:
    assert one_line(text) == line
    assert McpRemoteError(text, hint=text).sentence() == f"{line} {line}".strip()


@given(st.text())
def test_a_sentence_is_always_one_printable_line(text: str) -> None:
    sentence = McpRemoteError(text, hint="Wait.").sentence()
    assert sentence.isprintable()
    assert sentence.encode()
