"""When to wait, how long, and when to stop: one table for everything but sign-in.

Pure: it is told the failure, the method, the time and a random number, and answers with a wait
or with the end. It must not know HTTP libraries, processes or who asks.

What may be repeated (design §4): what was never sent, always; what was refused before
execution, bounded; what was sent and lost, only where a second execution cannot do harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mcp_remote_py.errors import ExchangeError, Interrupted, NotSent, Refused, SessionLost

Random = Callable[[], float]
"""Uniform in [0, 1)."""

HARMLESS_METHODS = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/get",
        "tasks/list",
    }
)
"""Methods that only read, or that set what they set again."""

REQUEST_PATIENCE = 15.0
INITIALIZE_PATIENCE = 25.0
"""Seconds from the first attempt until a server that cannot be reached is reported. Hosts give
`initialize` 30 to 60 s (field note 5) and ordinary calls about as long."""

MAX_INTERRUPTED = 1
"""Repeats of a harmless request whose answer was lost."""

MAX_SESSION_LOST = 2
"""New sessions begun for one request."""

SAFE_STATUS = frozenset({408, 425, 429})
UNSURE_STATUS = frozenset({502, 503, 504})
"""A gateway answered: the server behind it may or may not have executed the request."""


class Steps(NamedTuple):
    """A row of growing waits, in seconds."""

    first: float
    factor: float
    longest: float

    def wait(self, attempt: int, random: Random) -> float:
        """The wait before attempt number `attempt` (1 is the first repeat).

        Exponential, with jitter over the whole step between the previous bound and this one:
        many proxies spread out, and no luck makes a wait shorter than the one before it.
        """
        floor = 0.0 if attempt == 1 else self.bound(attempt - 1)
        return floor + (self.bound(attempt) - floor) * random()

    def bound(self, attempt: int) -> float:
        """The longest wait before attempt number `attempt`, without jitter."""
        # A large exponent overflows floats; `longest` is reached long before.
        return min(self.longest, self.first * self.factor ** min(attempt - 1, 64))


CONNECT_STEPS = Steps(first=0.3, factor=2.0, longest=8.0)
"""For one request somebody waits for: at most 8 attempts within `REQUEST_PATIENCE`."""
STREAM_STEPS = Steps(first=2.0, factor=2.5, longest=300.0)
"""For a listening stream that keeps ending: at most 8 openings in ten minutes (field note 22)."""
RESUME_STEPS = Steps(first=0.1, factor=2.0, longest=30.0)
"""For the stream of one request, which somebody waits for."""


class Attempts:
    """What has happened to one request so far: `method`, first sent at `started_at`."""

    __slots__ = ("failures", "harmless", "interrupted", "method", "sessions_lost", "started_at")

    def __init__(self, method: str, started_at: float, harmless: bool) -> None:
        self.method = method
        self.started_at = started_at
        self.harmless = harmless
        self.failures = 0
        self.interrupted = 0
        self.sessions_lost = 0

    def judge(self, error: ExchangeError, now: float, random: Random) -> float | None:
        """Seconds to wait before sending again, or None: give up and report `error`."""
        self.failures += 1
        if isinstance(error, SessionLost):
            self.sessions_lost += 1
            return 0.0 if self.sessions_lost <= MAX_SESSION_LOST else None
        if isinstance(error, Interrupted):
            self.interrupted += 1
            if not self.harmless or self.interrupted > MAX_INTERRUPTED:
                return None
        elif isinstance(error, Refused):
            if not self._may_follow_refusal(error):
                return None
        elif not isinstance(error, NotSent):
            return None
        wait = CONNECT_STEPS.wait(self.failures, random)
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
        patience = INITIALIZE_PATIENCE if self.method == "initialize" else REQUEST_PATIENCE
        return wait if now + wait - self.started_at <= patience else None

    def _may_follow_refusal(self, error: Refused) -> bool:
        if error.status in SAFE_STATUS:
            return True
        if error.status in UNSURE_STATUS:
            return self.harmless or (error.status == 503 and error.retry_after is not None)
        return False
