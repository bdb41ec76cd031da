"""How long the endless tests go on: as long as the gate has the time, or for an hour.

`THOROUGH=1 scripts/test` takes an hour; before a release, and where one of these tests is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

THOROUGH = "THOROUGH" in os.environ


def often(in_the_gate: int, by_hand: int) -> int:
    """How many times, or how far."""
    return by_hand if THOROUGH else in_the_gate


def some(cases: Iterable[T], every: int) -> list[T]:
    """Every so manieth of them in the gate, all by hand."""
    return list(cases)[:: often(every, 1)]
