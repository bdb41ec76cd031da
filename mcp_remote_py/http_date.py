"""Reads the `Date` of an answer, which says how late it is at the server.

Pure. Must not know what time it is here, nor what follows from a difference.
"""

from __future__ import annotations

_ZONES = frozenset({"GMT", "UTC", "UT", "Z", "+0000", "-0000"})


def read_http_date(value: str) -> float | None:
    """Seconds since the epoch (RFC 9110 §5.6.7); None for what is not such a date.

    One of another zone than GMT is none: servers that write one have named the wrong zone as often
    as the right one, and a person would be told that their clock is hours wrong.
    """
    words = value.split()
    is_asctime = len(words) == 5 and words[-1].isdigit()
    if not words or (words[-1].upper() not in _ZONES and not is_asctime):
        return None
    from email.utils import mktime_tz, parsedate_tz  # 15 ms that few starts need

    parsed = parsedate_tz(value)
    try:
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):  # a date that no calendar has
        return None
