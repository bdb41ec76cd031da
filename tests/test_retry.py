"""Waits grow and end, and nothing that may do harm is sent twice.

Time is a number that the tests move, luck one of the extremes of a random source.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
)
from mcp_remote_py.retry import (
    CONNECT_STEPS,
    HARMLESS_METHODS,
    INITIALIZE_PATIENCE,
    MAX_INTERRUPTED,
    MAX_SESSION_LOST,
    REQUEST_PATIENCE,
    RESUME_STEPS,
    STREAM_STEPS,
    Attempts,
    Steps,
)

LUCK = [0.0, 0.5, 0.999999]
"""The extremes of a source that is uniform in [0, 1), and its middle."""

lucks = pytest.mark.parametrize("luck", LUCK)

ALL_STEPS = {"connect": CONNECT_STEPS, "stream": STREAM_STEPS, "resume": RESUME_STEPS}


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


# ------------------------------------------------------------------------- the table

YES, NO = True, False

JUDGED: list[tuple[ExchangeError, bool, bool]] = [
    # error, repeated when harmless, repeated when not
    (NotSent(""), YES, YES),
    (Interrupted(""), YES, NO),
    (SessionLost("", status=404), YES, YES),
    (SessionLost(""), YES, YES),
    (Refused("", status=408), YES, YES),
    (Refused("", status=425), YES, YES),
    (Refused("", status=429), YES, YES),
    (Refused("", status=429, retry_after=1), YES, YES),
    (Refused("", status=502), YES, NO),
    (Refused("", status=502, retry_after=1), YES, NO),
    (Refused("", status=503), YES, NO),
    (Refused("", status=503, retry_after=1), YES, YES),
    (Refused("", status=503, retry_after=0), YES, YES),
    (Refused("", status=504), YES, NO),
    (Refused("", status=504, retry_after=1), YES, NO),
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
def test_at_most_eight_attempts_within_the_patience(
    method: str, patience: float, luck: float
) -> None:
    times, _ = play(begin(method), lambda: NotSent(""), luck)
    assert 3 <= len(times) <= 8
    assert times[-1] - times[0] <= patience


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


@pytest.mark.promise("L5")
@pytest.mark.parametrize("steps", ALL_STEPS.values(), ids=ALL_STEPS)
def test_no_luck_makes_a_wait_shorter_than_the_one_before(steps: Steps) -> None:
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
    for steps in ALL_STEPS.values():
        assert steps.wait(attempt, lambda: 0.0) == steps.longest


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
    assert sent <= 8 + MAX_SESSION_LOST
    # What is on its way when the patience ends may take its time, and the new sessions theirs.
    assert now <= 100.0 + patience + (1 + MAX_SESSION_LOST) * each + 1e-6
