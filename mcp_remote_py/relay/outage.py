"""What fails again and again in one way: the log has its sentence once, and then how often.

What the host is told is whole each time. Must not know what failed, nor how it is sent.
"""

from __future__ import annotations

import logging

from mcp_remote_py.errors import ExchangeError

logger = logging.getLogger("mcp_remote_py.relay")


class Outage:
    """Of one server; it ends when something works."""

    def __init__(self) -> None:
        self._begin("")

    def note(self, error: ExchangeError) -> None:
        """It failed so, and is tried again."""
        if self._count_in(error):
            logger.info("%s Trying again.", error.cause)
        else:
            self._is_long = True

    def tell(self, error: ExchangeError) -> str:
        """What the log has of a request that failed so, behind its name."""
        is_new = self._count_in(error)
        hint = "" if error.hint == self._hint else error.hint
        self._hint = error.hint
        if is_new:
            return f"failed: {error.sentence()}"
        return f"failed so ({self._count} times now). {hint}".rstrip()

    def end(self) -> None:
        """Something worked."""
        if self._is_long:
            logger.info("It works again: it failed so %d times.", self._count)
        self._begin("")

    def _count_in(self, error: ExchangeError) -> bool:
        """Counts it; whether its sentence is to be told."""
        is_new = error.cause != self._cause
        if is_new:
            self._begin(error.cause)
        self._count += 1
        return is_new

    def _begin(self, cause: str) -> None:
        self._cause = cause
        self._hint = ""
        """The next step that was told."""
        self._count = 0
        self._is_long = False
        """Whether something was tried again, and failed again."""
