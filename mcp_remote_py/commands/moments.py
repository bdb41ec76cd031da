"""Moments in words, for a person at a terminal. Must not know what happens then."""

from __future__ import annotations

from datetime import UTC, datetime

from mcp_remote_py.oauth.durations import describe_age


def to_moment(seconds: float) -> datetime | None:
    """That many seconds since the epoch; None where no calendar has it: servers name any number."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def describe_moment(seconds: float, now: float) -> str:
    """Date, time and distance: "2026-11-22 14:53 UTC (in 59 minutes)"; "" where it has no date."""
    moment = to_moment(seconds)
    if moment is None:
        return ""
    left = seconds - now
    distance = f"in {describe_age(left)}" if left > 0 else f"{describe_age(-left)} ago"
    return f"{moment:%Y-%m-%d %H:%M} UTC ({distance})"
