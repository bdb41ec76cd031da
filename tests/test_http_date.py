"""The `Date` of an answer: what counts as one, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.http_date import read_http_date

NOON = 1796040000.0
"""2026-11-30, 12:00:00 GMT."""


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 30 Nov 2026 12:00:00 GMT",
        "Monday, 30-Nov-26 12:00:00 GMT",
        "Mon Nov 30 12:00:00 2026",
        "Mon, 30 Nov 2026 12:00:00 gmt",
        "Mon, 30 Nov 2026 12:00:00 UTC",
        "Mon, 30 Nov 2026 12:00:00 +0000",
        " Mon, 30 Nov 2026 12:00:00 GMT ",
    ],
)
def test_forms_of_one_moment(value: str) -> None:
    assert read_http_date(value) == NOON


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "Mon, 30 Nov 2026 12:00:00 +0500",
        "Mon, 30 Nov 2026 12:00:00 EST",
        "Mon, 30 Nov 2026 12:00:00 CEST",
        "Mon, 30 Nov 2026 12:00:00 GMT+5",
        "Mon, 30 Nov 2026 12:00:00",
        "GMT",
        "2026-11-30T12:00:00Z",
        "Mon, 45 Foo 2026 99:99:99 GMT",
        "Mon, 30 Nov 99999 12:00:00 GMT",
    ],
)
def test_what_is_not_a_date_of_http_says_nothing(value: str) -> None:
    assert read_http_date(value) is None


@given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"{text} GMT"))
def test_any_text_is_a_moment_or_none(value: str) -> None:
    assert isinstance(read_http_date(value), float | None)
