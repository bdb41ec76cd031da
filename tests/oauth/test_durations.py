"""Lengths of time are told in one unit, waits never too short."""

from __future__ import annotations

import pytest

from mcp_remote_py.oauth.durations import describe_age, describe_wait

DAY = 86400.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (0.2, "1 second"),
        (1, "1 second"),
        (29.1, "30 seconds"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (600, "10 minutes"),
        (5401, "2 hours"),
        (DAY, "24 hours"),
    ],
)
def test_wait_in_words(seconds: float, words: str) -> None:
    assert describe_wait(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (7199, "1 hour"),
        (DAY, "1 day"),
        (3 * DAY - 1, "2 days"),
    ],
)
def test_age_in_words(seconds: float, words: str) -> None:
    assert describe_age(seconds) == words
