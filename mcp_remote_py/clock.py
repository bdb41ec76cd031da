"""The one real `Clock`. Must not know what is timed."""

from __future__ import annotations

import asyncio
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
