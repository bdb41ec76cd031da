"""Waits grow and end, and nothing that may do harm is sent twice.

Time is a number that the tests move, luck one of the extremes of a random source.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py import errors
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NoEndpoint,
    NoStream,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
    WrongEra,
)
from mcp_remote_py.retry import (
    CONNECT_STEPS,
    HARMLESS_METHODS,
    HOST_PATIENCES,
    INITIALIZE_PATIENCE,
    MAX_REPEATS,
    POLL_STEPS,
    REQUEST_PATIENCE,
    RESUME_STEPS,
    RULES,
    SAFE_STATUS,
    STATUS_READINGS,
    STRANGER_PATIENCE,
    STRANGER_STEPS,
    STREAM_STEPS,
    UNSURE_STATUS,
    Acquaintance,
    Attempts,
    Rule,
    Steps,
    initialize_wait,
    means_absence,
)
from mcp_remote_py.settings.commands import DEFAULT_INITIALIZE_TIMEOUT

LUCK = [0.0, 0.5, 0.999999]
"""The extremes of a source that is uniform in [0, 1), and its middle."""

lucks = pytest.mark.parametrize("luck", LUCK)

ALL_STEPS = {
    "connect": CONNECT_STEPS,
    "stream": STREAM_STEPS,
    "resume": RESUME_STEPS,
    "poll": POLL_STEPS,
    "stranger": STRANGER_STEPS,
}
ENDLESS_STEPS = {name: steps for name, steps in ALL_STEPS.items() if steps.endless}

MAX_INTERRUPTED = 1
"""Repeats of a harmless request whose answer was lost."""
MAX_SESSION_LOST = 2
"""New sessions begun for one request."""


def begin(method: str, *, harmless: bool | None = None, at: float = 100.0) -> Attempts:
    known = method in HARMLESS_METHODS if harmless is None else harmless
    return Attempts(method, at, known)


def play(
    attempts: Attempts, make_error: Callable[[], ExchangeError], luck: float
) -> tuple[list[float], list[float]]:
    """The times of all attempts until the end, each of which fails at once; and the waits."""
    now, times, waits = attempts.started_at, [attempts.started_at], list[float]()
    while (wait := attempts.judge(make_error(), now, lambda: luck)) is not None:
        now += wait
        times.append(now)
        waits.append(wait)
        assert len(times) < 100, "it does not end"
    return times, waits


@pytest.mark.promise("A6")
def test_absence_is_what_comes_and_goes() -> None:
    """Of each rule: what would be tried again, later and in the same session."""
    for rule in RULES:
        status = None if rule.status is None else min(rule.status)
        members = {"status": status, "retry_after": 1.0 if rule.invited else None}
        error = rule.failure("Why.").changed(members)
        assert means_absence(error) is (
            rule.failure in (NotSent, Interrupted)
            or (rule.failure is Refused and rule.status is not None)
        )
    assert not means_absence(Refused("No.", status=401))
    assert not means_absence(Refused("A certificate."))
    assert means_absence(Refused("No token now.").as_passing())


# ------------------------------------------------------------------------- the table

YES, NO = True, False


def unproven(status: int) -> SessionLost:
    """Nothing but the failure of the request itself says that the session is lost."""
    lost = SessionLost("", status=status)
    lost.otherwise = ExchangeError("", status=status)
    return lost


JUDGED: list[tuple[ExchangeError, bool, bool]] = [
    # error, repeated when harmless, repeated when not
    (NotSent(""), YES, YES),
    (Interrupted(""), YES, NO),
    (SessionLost("", status=404), YES, YES),
    (SessionLost(""), YES, YES),
    (unproven(404), YES, NO),
    (unproven(400), YES, NO),
    (Refused("", status=408), YES, NO),
    (Refused("", status=425), YES, YES),
    (Refused("", status=420), YES, YES),
    *((Refused("", status=status), YES, NO) for status in (527, 598, 599)),
    (Refused("", status=429), YES, YES),
    (Refused("", status=429, retry_after=1), YES, YES),
    (Refused("", status=502), YES, NO),
    (Refused("", status=502, retry_after=1), YES, NO),
    (Refused("", status=503), YES, NO),
    (Refused("", status=503, retry_after=1), YES, YES),
    (Refused("", status=503, retry_after=0), YES, YES),
    (Refused("", status=504), YES, NO),
    (Refused("", status=504, retry_after=1), YES, NO),
    *((Refused("", status=status), YES, NO) for status in (*range(520, 526), 529, 530)),
    (Refused("", status=524, retry_after=1), YES, NO),
    (Refused("", status=401), NO, NO),
    (Refused("", status=403), NO, NO),
    (Refused("", status=400), NO, NO),
    (Refused("", status=404), NO, NO),
    (Refused(""), NO, NO),
    (Unusable("", status=500), NO, NO),
    (Unusable("", status=503, retry_after=1), NO, NO),
    (Unusable(""), NO, NO),
    (ExchangeError(""), NO, NO),
]


@pytest.mark.promise("R5")
@pytest.mark.report("T12")
@lucks
@pytest.mark.parametrize("method", ["initialize", "tools/list", "tools/call", "x/unknown"])
@pytest.mark.parametrize(
    ("error", "if_harmless", "else_"),
    JUDGED,
    ids=[f"{type(e).__name__} {e.status} {e.retry_after}" for e, _, _ in JUDGED],
)
def test_what_is_sent_again(
    error: ExchangeError, if_harmless: bool, else_: bool, method: str, luck: float
) -> None:
    for harmless, expected in ((True, if_harmless), (False, else_)):
        wait = begin(method, harmless=harmless).judge(error, 100.0, lambda: luck)
        assert (wait is not None) is expected


STATUSES = (
    None,
    200,
    400,
    401,
    403,
    404,
    405,
    408,
    420,
    425,
    527,
    598,
    599,
    429,
    500,
    501,
    502,
    503,
    504,
    *range(520, 527),
    529,
    530,
)
KINDS = (
    *(ExchangeError, NotSent, NoStream, Refused, SessionLost, WrongEra, Interrupted, Unusable),
    NoEndpoint,
)


def failures_of_every_kind() -> Iterator[tuple[ExchangeError, bool]]:
    """Each kind of error with each status, with and without `Retry-After`, of each kind of request.

    Checked to be all kinds there are; the status codes are all that are named, and one more of
    each hundred.
    """
    for kind, status, retry_after, harmless in itertools.product(
        KINDS, STATUSES, (None, 0.0, 1.0), (True, False)
    ):
        yield kind("", status=status, retry_after=retry_after), harmless
        if kind is SessionLost and status in (400, 404):
            yield unproven(status), harmless


def find_rule(error: ExchangeError, harmless: bool) -> Rule:
    return next(rule for rule in RULES if rule.fits(error, harmless))


@pytest.mark.promise("L5")
def test_the_table_has_a_rule_for_every_failure_and_a_failure_for_every_rule() -> None:
    known = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, ExchangeError)
    }
    assert known == set(KINDS)
    assert set(STATUSES) > SAFE_STATUS | UNSURE_STATUS
    decided = {find_rule(error, harmless) for error, harmless in failures_of_every_kind()}
    assert decided == set(RULES)
    assert len(set(RULES)) == len(RULES)


@pytest.mark.promise("L5", "R5")
@lucks
def test_a_failure_that_stays_is_repeated_as_often_as_the_table_says(luck: float) -> None:
    for error, harmless in failures_of_every_kind():
        attempts = begin("x", harmless=harmless)
        rule = find_rule(error, harmless)
        times, _ = play(attempts, lambda error=error: error, luck)
        assert len(times) <= 1 + rule.repeats
        assert len(times) == 1 + rule.repeats or rule.repeats == MAX_REPEATS
        assert (len(times) > 1) is (rule.repeats > 0)


@pytest.mark.promise("R5")
def test_what_may_have_been_executed_is_repeated_only_where_that_is_harmless() -> None:
    """Whatever else the table gets: a request that acts needs a refusal, or no connection."""
    repeated = {
        (type(error), error.status, error.retry_after is not None)
        for error, harmless in failures_of_every_kind()
        if not harmless and find_rule(error, harmless).repeats
    }
    assert {kind for kind, _, _ in repeated} == {NotSent, NoStream, SessionLost, Refused}
    refused = {(status, invited) for kind, status, invited in repeated if kind is Refused}
    assert refused == {(s, invited) for s in SAFE_STATUS for invited in (True, False)} | {
        (503, True)
    }


@pytest.mark.promise("A6")
def test_known_hosts_are_answered_before_they_give_up() -> None:
    waits = {one.name: initialize_wait(one.name, {}) for one in HOST_PATIENCES}
    assert waits == {
        "claude-code": pytest.approx(20),
        "inspector-cli": pytest.approx(20),
        "continue-client": pytest.approx(13.3, abs=0.1),
    }
    for one in HOST_PATIENCES:
        assert waits[one.name] < one.seconds < DEFAULT_INITIALIZE_TIMEOUT
        assert one.source.who
        assert one.source.where
    assert initialize_wait("claude-ai", {}) == initialize_wait("", {}) == math.inf


@pytest.mark.promise("A6")
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("60000", 40.0),
        (" 10000 ", pytest.approx(6.67, abs=0.01)),
        ("600000", 400.0),  # the relay waits no longer than it does for any host
        *(
            (odd, 20.0)
            for odd in ("", "0", "60", "-5000", "60s", "1e5", "6_0000", "9" * 40, "٦٠٠٠٠")
        ),
    ],
)
def test_person_says_in_the_host_how_long_it_waits(said: str, seconds: float) -> None:
    assert initialize_wait("claude-code", {"MCP_TIMEOUT": said}) == seconds
    assert initialize_wait("inspector-cli", {"MCP_TIMEOUT": said}) == 20.0
    assert initialize_wait("claude-ai", {"MCP_TIMEOUT": said}) == math.inf


def test_every_rule_says_why() -> None:
    assert all(rule.why.endswith(".") for rule in RULES)
    for reading in STATUS_READINGS:
        assert reading.why.endswith(".")
        assert reading.source.who
        assert reading.source.where
    for error in (Interrupted(""), Refused("", status=502)):
        for harmless, words in ((True, "a second time does no harm"), (False, "could do harm")):
            assert words in find_rule(error, harmless).why


@pytest.mark.promise("R5")
@lucks
@pytest.mark.parametrize("method", sorted(HARMLESS_METHODS))
def test_a_harmless_request_whose_answer_was_lost_is_sent_once_more(
    method: str, luck: float
) -> None:
    times, _ = play(begin(method), lambda: Interrupted(""), luck)
    assert len(times) == 1 + MAX_INTERRUPTED == 2


@pytest.mark.promise("R5")
@lucks
@pytest.mark.parametrize(
    "method", ["tools/call", "sampling/createMessage", "x/unknown", "tasks/cancel"]
)
def test_any_other_whose_answer_was_lost_is_never_sent_again(method: str, luck: float) -> None:
    assert method not in HARMLESS_METHODS
    assert play(begin(method), lambda: Interrupted(""), luck)[0] == [100.0]


def test_methods_that_act_are_not_called_harmless() -> None:
    acting = ("call", "create", "cancel", "delete", "notifications/")
    assert not [method for method in HARMLESS_METHODS if any(word in method for word in acting)]


@pytest.mark.promise("R5", "L5")
@lucks
def test_a_lost_session_is_begun_again_at_once_and_at_most_twice(luck: float) -> None:
    times, waits = play(begin("tools/call"), lambda: SessionLost("", status=404), luck)
    assert waits == [0.0] * MAX_SESSION_LOST
    assert len(times) == 1 + MAX_SESSION_LOST == 3


# ------------------------------------------------------------------------- the bounds


@pytest.mark.promise("L5")
@lucks
@pytest.mark.parametrize(
    ("method", "patience"), [("tools/call", REQUEST_PATIENCE), ("initialize", INITIALIZE_PATIENCE)]
)
def test_at_most_ten_attempts_within_the_patience(
    method: str, patience: float, luck: float
) -> None:
    """Full jitter may draw any wait: a count ends those who draw the shortest ones."""
    times, _ = play(begin(method), lambda: NotSent(""), luck)
    assert 3 <= len(times) <= 1 + MAX_REPEATS == 10
    assert times[-1] - times[0] <= patience


@pytest.mark.promise("R5", "L5")
@pytest.mark.parametrize(("method", "seconds"), [("tools/call", 8.0), ("initialize", 15.0)])
def test_nineteen_of_twenty_outlast_a_server_that_restarts(method: str, seconds: float) -> None:
    numbers = random.Random(1)  # noqa: S311 - the same numbers each time
    plays = 2000
    lasted = 0
    for _ in range(plays):
        attempts, now = begin(method), 100.0
        while (wait := attempts.judge(NotSent(""), now, numbers.random)) is not None:
            now += wait
        lasted += now >= 100.0 + seconds
    assert lasted >= plays * 0.94  # nineteen of twenty, give or take what 2000 plays cannot tell


@pytest.mark.promise("L5")
def test_a_new_session_does_not_use_up_the_repeats() -> None:
    attempts = begin("tools/call")
    for _ in range(MAX_SESSION_LOST):
        assert attempts.judge(SessionLost(""), 100.0 + REQUEST_PATIENCE * 2, lambda: 0.0) == 0.0
    for _ in range(MAX_REPEATS):
        assert attempts.judge(NotSent(""), 100.0, lambda: 0.0) == 0.0
    assert attempts.judge(NotSent(""), 100.0, lambda: 0.0) is None


@pytest.mark.promise("L5")
def test_failures_of_several_kinds_share_the_repeats() -> None:
    attempts = begin("tools/list")
    mixed = [NotSent(""), Refused("", status=429), Refused("", status=502)]
    waits = [attempts.judge(error, 100.0, lambda: 0.0) for error in mixed * 4]
    assert waits == [0.0] * MAX_REPEATS + [None] * (12 - MAX_REPEATS)


@pytest.mark.promise("L5")
@pytest.mark.parametrize("seconds", [600.0])
@lucks
def test_at_most_eight_openings_of_a_stream_in_ten_minutes(luck: float, seconds: float) -> None:
    """The first opening is at 0 and each fails at once."""
    waits = (STREAM_STEPS.wait(attempt, lambda: luck) for attempt in itertools.count(1))
    openings = [0.0]
    while (following := openings[-1] + next(waits)) <= seconds:
        openings.append(following)
        assert len(openings) <= 8


@pytest.mark.report("S12")
@lucks
def test_at_most_twelve_resumptions_in_ten_seconds(luck: float) -> None:
    """Of a stream that the server ends at once, each time."""
    waits = (POLL_STEPS.wait(attempt, lambda: luck) for attempt in itertools.count(1))
    assert sum(itertools.islice(waits, 12)) > 10.0


@pytest.mark.promise("L5")
@pytest.mark.parametrize("attempt", [1, 2, 3, 10])
def test_a_request_waits_for_any_part_of_its_step(attempt: int) -> None:
    """Full jitter: uniform from nothing to the bound."""
    bound = min(CONNECT_STEPS.longest, CONNECT_STEPS.first * CONNECT_STEPS.factor ** (attempt - 1))
    waits = [CONNECT_STEPS.wait(attempt, lambda luck=luck: luck) for luck in (0.0, 0.25, 0.5)]
    assert waits == [0.0, bound / 4, bound / 2]


def test_steps_without_a_count_are_those_of_streams() -> None:
    assert set(ENDLESS_STEPS) == {"stream", "resume", "poll", "stranger"}


@pytest.mark.promise("L5")
@pytest.mark.parametrize("steps", ENDLESS_STEPS.values(), ids=ENDLESS_STEPS)
def test_where_nothing_counts_no_luck_makes_a_wait_shorter_than_the_one_before(
    steps: Steps,
) -> None:
    for attempt in range(1, 200):
        bounds = [steps.wait(attempt, lambda luck=luck: luck) for luck in LUCK]
        following = [steps.wait(attempt + 1, lambda luck=luck: luck) for luck in LUCK]
        assert bounds == sorted(bounds)
        assert max(bounds) <= min(following)
        assert 0.0 <= min(bounds)
        assert max(following) <= steps.longest


@pytest.mark.parametrize("steps", ALL_STEPS.values(), ids=ALL_STEPS)
def test_the_first_wait_is_spread_over_the_whole_first_step(steps: Steps) -> None:
    assert steps.wait(1, lambda: 0.0) == 0.0
    assert steps.wait(1, lambda: 0.5) == steps.first / 2


@pytest.mark.parametrize("attempt", [64, 65, 10_000, 10**9])
def test_a_very_late_attempt_waits_the_longest_time(attempt: int) -> None:
    for steps in ENDLESS_STEPS.values():
        assert steps.wait(attempt, lambda: 0.0) == steps.longest
    assert CONNECT_STEPS.wait(attempt, lambda: 0.5) == CONNECT_STEPS.longest / 2


@pytest.mark.promise("L5")
@lucks
@pytest.mark.parametrize("error", [Refused, NotSent])
def test_retry_after_is_obeyed(error: type[ExchangeError], luck: float) -> None:
    def fail() -> ExchangeError:
        return error("", status=429, retry_after=4.0)

    times, waits = play(begin("tools/call"), fail, luck)
    assert all(wait >= 4.0 for wait in waits)
    assert times[-1] - times[0] <= REQUEST_PATIENCE
    assert len(times) >= 3


@pytest.mark.promise("L5")
@lucks
def test_a_retry_after_beyond_the_patience_is_reported_and_not_waited_for(luck: float) -> None:
    for method, patience in (("x", REQUEST_PATIENCE), ("initialize", INITIALIZE_PATIENCE)):
        beyond = Refused("", status=429, retry_after=patience + 0.001)
        assert begin(method).judge(beyond, 100.0, lambda: luck) is None
        exactly = Refused("", status=429, retry_after=patience)
        assert begin(method).judge(exactly, 100.0, lambda: luck) == patience
        assert begin(method).judge(exactly, 100.1, lambda: luck) is None


@pytest.mark.promise("L5")
@lucks
def test_time_spent_in_attempts_counts(luck: float) -> None:
    """A server that hangs for a long time is not asked eight times."""
    assert begin("tools/list").judge(Interrupted(""), 100.0 + 16, lambda: luck) is None


@st.composite
def failures(draw: st.DrawFn) -> ExchangeError:
    kind = draw(st.sampled_from([NotSent, Refused, SessionLost, Interrupted, Unusable]))
    status = draw(st.sampled_from([None, 400, 401, 404, 408, 425, 429, 500, 502, 503, 504]))
    return kind("", status=status, retry_after=draw(st.none() | st.floats(0, 3600)))


@pytest.mark.promise("L5", "R5")
@given(
    st.lists(failures(), min_size=1, max_size=12),
    st.sampled_from(["initialize", "tools/list", "tools/call"]),
    st.lists(st.sampled_from(LUCK), min_size=1, max_size=8),
    st.floats(0, 5),
)
def test_any_row_of_failures_ends_within_the_patience(
    errors: list[ExchangeError], method: str, luck: list[float], each: float
) -> None:
    attempts, numbers = begin(method), itertools.cycle(luck)
    patience = INITIALIZE_PATIENCE if method == "initialize" else REQUEST_PATIENCE
    now, sent, lost, interrupted = 100.0, 0, 0, 0
    for error in itertools.cycle(errors):
        now += each
        sent += 1
        wait = attempts.judge(error, now, lambda: next(numbers))
        if wait is None:
            break
        lost += isinstance(error, SessionLost)
        interrupted += isinstance(error, Interrupted)
        assert lost <= MAX_SESSION_LOST
        assert interrupted <= (MAX_INTERRUPTED if method in HARMLESS_METHODS else 0)
        assert not isinstance(error, Unusable)
        if not isinstance(error, SessionLost):
            assert wait >= (error.retry_after or 0.0)
            assert now + wait <= 100.0 + patience
        now += wait
    assert sent <= 1 + MAX_REPEATS + MAX_SESSION_LOST
    # What is on its way when the patience ends may take its time, and the new sessions theirs.
    assert now <= 100.0 + patience + (1 + MAX_SESSION_LOST) * each + 1e-6


# ------------------------------------------------------------------------- strangers


@lucks
@pytest.mark.parametrize("method", ["initialize", "tools/call"])
def test_a_server_that_was_never_reached_is_given_five_seconds(method: str, luck: float) -> None:
    """But not less than what one needs that is being started."""
    acquaintance = Acquaintance(is_known=False)
    attempts = Attempts(method, 100.0, harmless=True, acquaintance=acquaintance)
    times, _ = play(attempts, lambda: NotSent(""), luck)
    assert 4 <= len(times)
    assert 101.5 <= times[-1] <= 100.0 + STRANGER_PATIENCE == 105.0


@lucks
def test_what_is_certain_is_final_for_a_stranger_alone(luck: float) -> None:
    certain = NotSent("").as_certain()
    for is_known in (False, True):
        acquaintance = Acquaintance(is_known=is_known)
        attempts = Attempts("initialize", 100.0, harmless=True, acquaintance=acquaintance)
        assert (attempts.judge(certain, 100.0, lambda: luck) is None) is not is_known


@lucks
def test_a_stranger_that_answers_is_one_no_longer(luck: float) -> None:
    """Also one whose answer is that it is not ready: it is there."""
    acquaintance = Acquaintance(is_known=False)
    attempts = Attempts("initialize", 100.0, harmless=True, acquaintance=acquaintance)
    busy = Refused("", status=503)
    assert attempts.judge(busy, 100.0 + STRANGER_PATIENCE, lambda: luck) is not None
    acquaintance.note_answer()
    assert acquaintance.has_answered
    assert attempts.judge(NotSent(""), 100.0 + STRANGER_PATIENCE, lambda: luck) is not None
