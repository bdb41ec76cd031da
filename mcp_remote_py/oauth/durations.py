"""Lengths of time in words, in one unit. Pure. Must not know what lasts so long."""

from __future__ import annotations

import math

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def describe_wait(seconds: float) -> str:
    """A wait, rounded up: "8 minutes"; nobody should come back too early."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds > 1.5 * length:
            return f"{math.ceil(seconds / length)} {unit}s"
    return _count(max(1, math.ceil(seconds)), "second")


def describe_age(seconds: float) -> str:
    """What has passed or is left, in the largest unit that is full: "3 days"."""
    unit, length = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    return _count(int(seconds // length), unit)


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"
