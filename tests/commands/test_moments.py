"""A moment is told by date and distance, and any number of a server's is one or none."""

from __future__ import annotations

import pytest

from mcp_remote_py.commands.moments import describe_moment

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
