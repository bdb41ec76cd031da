"""Times and spans in words, the same everywhere.

Seconds are since the epoch, or of a span. Must not know what time it is, where, nor what lasts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    ToZone = Callable[[datetime], datetime]
    """The same moment in the time zone of whoever reads it; `datetime.astimezone` is the system's.

    People at a terminal get that one. UTC is for programs, for log files, and for sentences that
    may be read elsewhere than here."""

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
"""The largest first, in seconds."""


def describe_span(seconds: float) -> str:
    """In the largest unit that is full, rounded down, but what is left of a second is one."""
    unit, length = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    return _count(max(int(seconds > 0), int(seconds // length)), unit)


def describe_wait(seconds: float) -> str:
    """A wait, rounded up: whoever comes back then is not too early. "8 minutes"."""
    for unit, length in _UNITS[1:3]:
        if seconds > 1.5 * length:
            return _count(math.ceil(seconds / length), unit)
    return _count(max(1, math.ceil(seconds)), "second")


def to_moment(seconds: float) -> datetime | None:
    """The time in UTC, None where no calendar has it: such numbers come from servers."""
    from datetime import UTC, datetime  # a relay tells nobody the time

    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_moment(text: str) -> float | None:
    """The time in `text` as ISO 8601 has it, None where it is not one; without a zone it is UTC."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def describe_moment(seconds: float, now: float, to_zone: ToZone | None = None) -> str:
    """Date, time and distance: "2026-11-22 14:53 CET (in 59 minutes)"; "" for no date.

    In UTC without `to_zone`.
    """
    moment = to_moment(seconds)
    if moment is None:
        return ""
    try:
        moment = moment if to_zone is None else to_zone(moment)
    except (ValueError, OverflowError, OSError):  # what this system's calendar does not have
        return ""
    left = seconds - now
    distance = f"in {describe_span(left)}" if left > 0 else f"{describe_span(-left)} ago"
    return f"{moment:%Y-%m-%d %H:%M} {_name_zone(moment)} ({distance})"


def _name_zone(moment: datetime) -> str:
    """The short name of its zone; its distance to UTC where that is long (Windows), or missing."""
    name, offset = moment.tzname() or "", moment.utcoffset()
    if offset is None or re.fullmatch("[A-Z]{2,5}", name):
        return name
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes >= 0 else "-"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}"


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"
