"""A span, a wait and a moment are said in one way."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from mcp_remote_py.time_words import (
    describe_moment,
    describe_span,
    describe_wait,
    read_moment,
    to_moment,
)


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
        (86400, "24 hours"),
    ],
)
def test_wait_in_words(seconds: float, words: str) -> None:
    assert describe_wait(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (0.2, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (7199, "1 hour"),
        (172800, "2 days"),
    ],
)
def test_span_in_words(seconds: float, words: str) -> None:
    assert describe_span(seconds) == words


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (NOW + 3599, "2023-11-14 23:13 UTC (in 59 minutes)"),
        (NOW, "2023-11-14 22:13 UTC (0 seconds ago)"),
        (NOW - 7200, "2023-11-14 20:13 UTC (2 hours ago)"),
        (1e300, ""),
    ],
)
def test_moment_in_words(seconds: float, words: str) -> None:
    assert describe_moment(seconds, NOW) == words


@pytest.mark.parametrize(
    ("name", "minutes", "shown"),
    [
        ("CET", 60, "2023-11-14 23:13 CET"),
        ("CEST", 120, "2023-11-15 00:13 CEST"),
        ("Mitteleurop\u00e4ische Zeit", 60, "2023-11-14 23:13 UTC+1"),
        ("+0530", 330, "2023-11-15 03:43 UTC+5:30"),
        ("-03", -180, "2023-11-14 19:13 UTC-3"),
        ("Newfoundland Standard Time", -210, "2023-11-14 18:43 UTC-3:30"),
        ("UTC", 0, "2023-11-14 22:13 UTC"),
    ],
)
def test_moment_in_a_zone_with_a_short_name(name: str, minutes: int, shown: str) -> None:
    zone = timezone(timedelta(minutes=minutes), name)
    assert describe_moment(NOW, NOW, lambda moment: moment.astimezone(zone)).startswith(
        f"{shown} ("
    )


def test_moment_that_the_system_has_no_local_time_for_is_not_shown() -> None:
    def fail(moment: datetime) -> datetime:
        raise OSError(22, "Invalid argument")

    assert describe_moment(NOW, NOW, fail) == ""


@pytest.mark.parametrize("seconds", [1e300, -1e300, float("inf"), float("nan")])
def test_no_calendar_has_every_number_of_a_server(seconds: float) -> None:
    assert to_moment(seconds) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1700000000.0),
        ("20231114T221320Z", 1700000000.0),
        ("2023-11-14 23:13:20.5+01:00", 1700000000.5),
        ("2023-11-14T22:13:20", 1700000000.0),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        ("1700000000", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_moment_that_is_written(text: str, seconds: float | None) -> None:
    assert read_moment(text) == seconds
