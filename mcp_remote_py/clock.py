"""The one real `Clock`, and chance. Must not know what is timed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable


class LoopClock:
    """The event loop's time."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> Awaitable[None]:
        """See `Clock`."""
        return asyncio.sleep(seconds)


def draw() -> float:
    """A number from 0 to 1, without 1: for waits that must not be alike."""
    # The module `random` is loaded for nothing else.
    return int.from_bytes(os.urandom(6)) / 2**48
