"""Says when to wait, how long, and when to stop: one table for everything but sign-in.

Pure: it is told the failure, the method, the time and a random number, and answers with a wait
or with the end. It must not know HTTP libraries, processes or who asks.

What may be repeated, and how often, is data: `RULES`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import inf

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Refused,
    SessionLost,
    WrongEra,
)
from mcp_remote_py.jsonrpc import Kind, Message
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.randomness import Random
from mcp_remote_py.readings import Source
from mcp_remote_py.values import Value

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


def may_have_effect(message: Message) -> bool:
    """Whether a second execution could do harm, for all that its method tells.

    What fails such a request, or answers it, is never evidence on transport, session or era: that
    would have it sent again. Only what is without effect is.
    """
    return message.kind is Kind.REQUEST and message.method not in HARMLESS_METHODS


LASTING_STREAM = 60.0
"""Seconds after which a stream counts as a good one, even without a message: the next opening comes
soon again."""


MAX_ASKED_WAIT = 365 * 86400.0
"""Seconds. Who asks for more means "never"; a number of any length may stand there."""
_DELAY = lazy_pattern(r"(\d{1,9}(?:\.\d{1,9})?) ?(?:s|secs?|seconds?)?", re.IGNORECASE | re.ASCII)


def parse_retry_after(value: str, now: float | None) -> float | None:
    """Seconds of a `Retry-After`, delay or date (RFC 9110 §10.2.3); None without a usable one.

    At most `MAX_ASKED_WAIT`.

    `now` is in seconds since the epoch; where it is None, only a delay is usable.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_ASKED_WAIT)
    if (odd := _DELAY.fullmatch(value)) is not None:  # servers round, or name the unit
        return min(float(odd[1]), MAX_ASKED_WAIT)
    if not value or now is None:
        return None
    from datetime import UTC
    from email.utils import parsedate_to_datetime  # 15 ms that only a date costs

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return min(max(0.0, date.timestamp() - now), MAX_ASKED_WAIT)
    except (ValueError, OverflowError):
        return None


REQUEST_PATIENCE = 15.0
INITIALIZE_PATIENCE = 25.0
"""Seconds from the first attempt until a server that cannot be reached is reported. Hosts give
`initialize` 30 to 60 s (field note 5) and ordinary calls about as long."""


class HostPatience(Value, frozen=True):
    """How long a host waits for the answer to `initialize`, where nobody has set it there."""

    name: str
    """`name` of the `clientInfo` that it sends."""
    seconds: float
    source: Source
    variable: str = ""
    """Of the environment that it hands on: there a person sets it, in milliseconds."""


HOST_PATIENCES = (
    HostPatience(
        "claude-code",
        30.0,
        Source("Claude Code 2.1", "field note 5; it reads MCP_TIMEOUT (its issue 42770)"),
        variable="MCP_TIMEOUT",
    ),
    HostPatience(
        "inspector-cli",
        30.0,
        Source("The command line of MCP's Inspector 2.12", "measured: docs/hosts.md"),
    ),
    HostPatience(
        "continue-client",
        20.0,
        Source("Continue", "DEFAULT_MCP_TIMEOUT of its core/context/mcp/MCPConnection.ts"),
    ),
)
"""Those known to give up before the default of `--initialize-timeout` is over. Not here are hosts
whose patience is a member of the entry that `install` writes (Codex, OpenCode): 60 s there."""

SHARE_OF_PATIENCE = 2 / 3
"""The process has to start in that time, too, and the answer to come back."""


_MILLISECONDS = lazy_pattern(r"[1-9][0-9]{3,8}")
"""A second and more: what is less was meant for seconds, and no process starts in it."""


def initialize_wait(host: str, environment: Mapping[str, str]) -> float:
    """Seconds after which the `initialize` of the host of this name has to have an answer.

    `environment` is what the host has started us with.
    """
    known = next((one for one in HOST_PATIENCES if one.name == host), None)
    if known is None:
        return inf
    said = environment.get(known.variable, "").strip()
    patience = int(said) / 1000 if _MILLISECONDS.fullmatch(said) else known.seconds
    return patience * SHARE_OF_PATIENCE


STRANGER_PATIENCE = 5.0
"""The same where that server was never reached: then it most likely is the URL, or the proxy, and a
person waits to hear it. A server that is being started beside us has that long."""

MAX_REPEATS = 9
"""Repeats of one request in all, new sessions aside. With so many, 19 of 20 requests are tried for
8 s, and 19 of 20 `initialize` for 15 s; bad luck may end the others sooner."""


class StatusReading(Value, frozen=True):
    """Statuses that say "not now", and whether the request may have been executed all the same."""

    statuses: frozenset[int]
    may_have_run: bool
    why: str
    source: Source


STATUS_READINGS = (
    StatusReading(
        frozenset({425, 429}),
        False,
        "Refused before execution.",
        Source("HTTP", "RFC 8470 §5.2, RFC 6585 §4"),
    ),
    StatusReading(
        frozenset({420}),
        False,
        "The same as 429, from before there was one.",
        Source("Twitter, and APIs like it", "T12"),
    ),
    StatusReading(
        frozenset({408}),
        True,
        "Frameworks give up a request with it that they have begun.",
        Source("tower-http's TimeoutLayer", "RFC 9110 §15.5.9"),
    ),
    StatusReading(
        frozenset({502, 503, 504}),
        True,
        "A gateway answered; what the server behind it did is not known.",
        Source("HTTP", "RFC 9110 §15.6"),
    ),
    StatusReading(
        frozenset({520, 521, 522, 523, 524, 525, 530}),
        True,
        "The same, of one that has a status for each fault between it and the server.",
        Source("Cloudflare", "T12; its list of 5xx errors"),
    ),
    StatusReading(
        frozenset({527, 598, 599}),
        True,
        "The same, of gateways that lost what is behind them.",
        Source("Cloudflare's Railgun; proxies of Microsoft and others", "T12"),
    ),
    StatusReading(
        frozenset({529}),
        True,
        "Too much to do; whether before or behind the execution is not said.",
        Source("Anthropic, Qualys", "T12; their lists of errors"),
    ),
)
"""Which statuses mean that a later try may be taken, and where that is from."""


def _statuses(*, may_have_run: bool) -> frozenset[int]:
    found = (one.statuses for one in STATUS_READINGS if one.may_have_run is may_have_run)
    return frozenset[int]().union(*found)


SAFE_STATUS = _statuses(may_have_run=False)
UNSURE_STATUS = _statuses(may_have_run=True)


class Steps(Value, frozen=True):
    """A row of growing waits, in seconds.

    Each is drawn from nothing to the bound of its step: full jitter, as the AWS Architecture Blog
    names it, which spreads a crowd best and delays nobody needlessly. But bad luck may then draw
    nothing every time, so it is for what a count ends. What is `endless` draws from the bound
    before to this one, so that its rate is bounded with any luck.
    """

    first: float
    factor: float
    longest: float
    endless: bool = False

    def wait(self, attempt: int, random: Random) -> float:
        """The wait before attempt number `attempt` (1 is the first repeat)."""
        floor = self.bound(attempt - 1) if self.endless and attempt > 1 else 0.0
        return floor + (self.bound(attempt) - floor) * random()

    def bound(self, attempt: int) -> float:
        """The longest wait before attempt number `attempt`."""
        # A large exponent overflows floats; `longest` is reached long before.
        return min(self.longest, self.first * self.factor ** min(attempt - 1, 64))


CONNECT_STEPS = Steps(first=0.5, factor=2.0, longest=8.0)
"""For one request somebody waits for, as do the people of all other proxies of a server that
restarts; `MAX_REPEATS` and the patience end it."""
STRANGER_STEPS = Steps(first=0.5, factor=2.0, longest=2.0, endless=True)
"""The same for a server that was never reached: with any luck three repeats in its patience, the
last not before 1.5 s."""
STREAM_STEPS = Steps(first=2.0, factor=2.5, longest=300.0, endless=True)
"""For a listening stream that keeps ending, for as long as we run; nobody waits for it. With any
luck at most 8 openings in ten minutes (field note 22)."""
RESUME_STEPS = Steps(first=0.1, factor=2.0, longest=30.0, endless=True)
"""For the stream of one request, which somebody waits for, while it cannot be opened."""
POLL_STEPS = Steps(first=0.1, factor=1.5, longest=5.0, endless=True)
"""For the stream of one request that is opened and ends before the answer. A server may do so as
often as it likes while it works (2025-11-25); the longer it does, the more rarely it is asked. With
any luck 12 openings in the first ten seconds."""


class Rule(Value, frozen=True):
    """So many `repeats` may follow a `failure` with one of `status` (None: any), and why.

    `harmless`: only where a second execution can do no harm. `invited`: only where the server
    said when to come again. `proven`: only where that execution can do no harm, or not the failure
    of this very request alone shows that the session is lost. `at_once`: without a wait, whatever
    the patience.
    """

    failure: type[ExchangeError]
    status: frozenset[int] | None
    repeats: int
    why: str
    harmless: bool = False
    invited: bool = False
    proven: bool = False
    at_once: bool = False

    def fits(self, error: ExchangeError, harmless: bool) -> bool:
        """Whether it is for this failure of a request that is `harmless` or not."""
        return (
            isinstance(error, self.failure)
            and (self.status is None or error.status in self.status)
            and (harmless or not self.harmless)
            and (error.retry_after is not None or not self.invited)
            and (harmless or not self.proven or _is_proven(error))
        )


def _is_proven(error: ExchangeError) -> bool:
    return not isinstance(error, SessionLost) or error.otherwise is None


_LOST = "It may have been executed, and a second time could do harm."
_AGAIN = "It may have been executed; a second time does no harm."

RULES = (
    Rule(SessionLost, None, 2, "Refused; a new session may take it.", proven=True, at_once=True),
    Rule(WrongEra, None, 0, "Its transport does not carry such messages."),
    Rule(NotSent, None, MAX_REPEATS, "It never left."),
    Rule(Interrupted, None, 1, _AGAIN, harmless=True),
    Rule(Interrupted, None, 0, _LOST),
    Rule(Refused, SAFE_STATUS, MAX_REPEATS, "Refused before execution, for now."),
    Rule(Refused, UNSURE_STATUS, MAX_REPEATS, _AGAIN, harmless=True),
    Rule(Refused, frozenset({503}), MAX_REPEATS, "Refused, and told when to try.", invited=True),
    Rule(Refused, UNSURE_STATUS, 0, _LOST),
    Rule(ExchangeError, None, 0, "An answer like this one would come again."),
)
"""The first that fits decides; the last one fits all."""


def means_absence(error: ExchangeError) -> bool:
    """Whether a failed `initialize` shows that the server is away, and no more than that.

    Those are the failures that come and go with a network or a process. All others have to be
    heard by a person: a certificate, a refused credential, a page that is not MCP.
    """
    if isinstance(error, Refused) and error.is_passing:
        return True
    rule = next(rule for rule in RULES if rule.fits(error, harmless=True))
    return rule.repeats > 0 and not rule.at_once


class Acquaintance:
    """What is known of a server before it answers.

    Attributes:
        is_known: it was reached, by this process or, as is remembered, by one before.
        has_answered: it has answered this process.
    """

    def __init__(self, *, is_known: bool) -> None:
        self.is_known = is_known
        self.has_answered = False

    def note_answer(self) -> None:
        """It has answered something, whatever it was."""
        self.is_known = self.has_answered = True


class Attempts:
    """The attempts of one request so far: `method`, first sent at `started_at`, to whom."""

    __slots__ = ("_acquaintance", "_met", "_patience", "_waits", "harmless", "started_at")

    def __init__(
        self,
        method: str,
        started_at: float,
        harmless: bool,
        acquaintance: Acquaintance | None = None,
    ) -> None:
        self.started_at = started_at
        self.harmless = harmless
        self._acquaintance = acquaintance or Acquaintance(is_known=True)
        self._patience = INITIALIZE_PATIENCE if method == "initialize" else REQUEST_PATIENCE
        self._met = Counter[Rule]()
        self._waits = 0

    def judge(self, error: ExchangeError, now: float, random: Random) -> float | None:
        """Seconds to wait before sending again, or None: give up and report `error`.

        What the server asks to wait is never shortened: where it exceeds the patience, that is
        the end.
        """
        patience, steps = self._patience, CONNECT_STEPS
        if isinstance(error, NotSent) and not self._acquaintance.is_known:
            if error.is_certain:
                return None
            patience, steps = STRANGER_PATIENCE, STRANGER_STEPS
        rule = next(rule for rule in RULES if rule.fits(error, self.harmless))
        self._met[rule] += 1
        if self._met[rule] > rule.repeats:
            return None
        if rule.at_once:
            return 0.0
        self._waits += 1
        wait = max(steps.wait(self._waits, random), error.retry_after or 0.0)
        late = now + wait - self.started_at > patience
        return None if late or self._waits > MAX_REPEATS else wait
