"""What is said of an exchange: one line for each message, and one where a server is silent.

Never parameters. Must not know how a request is sent, or what becomes of its answer.
"""

from __future__ import annotations

import asyncio
import logging

from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.retry import Acquaintance, may_have_effect

logger = logging.getLogger("mcp_remote_py.transports")

SILENCE = 5.0
"""Seconds after which a server that took a request and is silent is told of."""


def log_sent(message: Message, status: int, seconds: float) -> None:
    """One line for the log of `--debug`: what was sent, and how it was answered."""
    if logger.isEnabledFor(logging.DEBUG):
        text = "to server: %s, %d bytes: HTTP %d after %.0f ms"
        logger.debug(text, message, message.length, status, seconds * 1000)


class SilenceWatch:
    """For one server; `limit` are the seconds that its answers are waited for, None for ever."""

    def __init__(self, acquaintance: Acquaintance, limit: float | None, seconds: float) -> None:
        self._acquaintance = acquaintance
        self._limit = limit
        self._seconds = seconds

    def watch(
        self, origin: str, asked: Message | None, patience: float | None = None
    ) -> asyncio.TimerHandle | None:
        """The timer that says it where a server takes the request and is silent for long.

        `patience` is the limit of this request, where it has one of its own.

        Who asks for it cancels it. Once the server has answered anything, it is None for calls,
        which may take their time, and for streams, which may be silent.
        """
        is_slow = asked is None or may_have_effect(asked)
        if self._acquaintance.has_answered and is_slow:
            return None
        what = "a GET" if asked is None else asked.method
        limit = patience or self._limit
        end = "without a limit" if limit is None else f"{limit:.0f} seconds in all"
        text = "%s does not answer %s for %g seconds; it is waited for %s (--headers-timeout)."
        about = (text, origin, what, self._seconds, end)
        return asyncio.get_running_loop().call_later(self._seconds, logger.warning, *about)
