"""The arithmetic of the budget: what each thing that was tried costs, and when it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.oauth.budget import (
    ATTEMPTS,
    DAY,
    MAX_ACCEPTED,
    MAX_QUICK_TABS,
    MAX_SCOPES,
    MAX_TABS,
    MAX_TABS_OF_SIGN_IN,
    RENEWAL_BURST,
    RENEWAL_PATIENCE,
    RENEWAL_SPACING,
    TAB_COOL_DOWNS,
    SignInBudget,
    apply_late,
    has_tab_since,
    is_proven,
    make_spent,
    may_show_again,
    note_accepted,
    note_failed_attempt,
    note_failed_renewal,
    note_rejected,
    note_renewal,
    note_renewed,
    note_scopes,
    note_sign_in,
    note_tab,
    note_tab_for_tool,
    take_back_renewal,
    wait_for_renewal,
    wait_for_tab,
)

pytestmark = pytest.mark.promise("L2")

NOW = 1_800_000_000.0
FIRST, SECOND, THIRD = TAB_COOL_DOWNS


def wait(budget: SignInBudget, now: float = NOW) -> float:
    return wait_for_tab(budget, now, step_up=False)


def never() -> float:
    return 0.0


# Tabs


def test_first_tab_is_free() -> None:
    assert wait(SignInBudget()) == 0


@pytest.mark.parametrize(("tabs", "seconds"), [(1, FIRST), (2, SECOND), (3, THIRD), (4, DAY)])
def test_each_tab_that_came_to_nothing_makes_the_next_wait_longer(
    tabs: int, seconds: float
) -> None:
    budget = reduce(note_tab, [NOW - 10 * (tabs - 1 - n) for n in range(tabs)], SignInBudget())
    assert wait(budget) == seconds
    assert wait(budget, NOW + seconds - 1) == 1
    assert wait(budget, NOW + seconds) == 0


def test_accepted_token_makes_good_for_the_tabs_before() -> None:
    budget = note_accepted(note_tab(note_tab(SignInBudget(), NOW - 5), NOW - 4), NOW)
    assert budget.vain_tabs == 0
    assert wait(note_accepted(note_tab(SignInBudget(), NOW), NOW)) == 0


def test_browser_that_consents_by_itself_is_stopped_too() -> None:
    budget = SignInBudget()
    for _ in range(MAX_QUICK_TABS):
        assert wait(budget) == 0
        budget = note_accepted(note_tab(budget, NOW), NOW)
    assert wait(budget) == FIRST
    assert wait_for_tab(budget, NOW, step_up=True) == 0, "each set of scopes has one of its own"


def test_day_has_an_end_of_tabs_even_of_good_ones() -> None:
    budget, now = SignInBudget(), NOW
    for _ in range(MAX_TABS):
        assert wait(budget, now) == 0
        budget = note_accepted(note_tab(budget, now), now)
        now += 3600
    assert wait(budget, now) == NOW + DAY - now
    assert wait_for_tab(budget, now, step_up=True) > 0
    assert wait(budget, NOW + DAY) == 0


def test_tabs_of_yesterday_are_forgotten() -> None:
    budget = note_tab(note_tab(SignInBudget(), NOW - 2 * DAY), NOW - DAY)
    assert wait(budget) == 0
    assert note_tab(budget, NOW) == SignInBudget(tabs=(NOW,), vain_tabs=1)


def test_clock_that_went_back_locks_nobody_out() -> None:
    future = NOW + 5 * DAY
    budget = note_failed_attempt(note_tab(SignInBudget(), future), future)
    assert wait(budget) == 0
    budget = note_failed_renewal(
        note_renewal(SignInBudget(), future), future, never, sent=True, retry_after=None
    )
    assert wait_for_renewal(budget, NOW, refused=True) == 0


@pytest.mark.report("O5")
def test_failures_without_a_tab_wait_for_seconds_and_then_longer() -> None:
    budget, waits = SignInBudget(), list[float]()
    for _ in range(6):
        budget = note_failed_attempt(budget, NOW)
        waits.append(wait(budget))
    assert waits == [5, 10, 20, 40, 60, 60]
    assert wait(note_accepted(budget, NOW)) == 0
    assert note_accepted(budget, NOW).failed_attempts == 0
    assert note_accepted(budget, NOW - 1) == msgspec.structs.replace(budget, accepted=(NOW - 1,))
    assert note_tab(budget, NOW).failed_attempts == 0


def test_failure_that_an_earlier_version_wrote_down_is_over_with_a_token() -> None:
    budget = SignInBudget(attempt_after=NOW + ATTEMPTS.longest)
    assert wait(budget) == ATTEMPTS.longest
    assert wait(note_accepted(budget, NOW + ATTEMPTS.longest)) == 0


@pytest.mark.report("O27")
def test_what_a_server_asks_to_wait_is_waited_for() -> None:
    assert wait(note_failed_attempt(SignInBudget(), NOW, 120.0)) == 120
    assert wait(note_failed_attempt(SignInBudget(), NOW, 1.0)) == ATTEMPTS.bound(1)
    asked = note_failed_attempt(SignInBudget(), NOW, 1e9)
    assert wait(asked) == DAY
    assert wait(asked, NOW - 1) == 0, "of another clock"
    assert wait(note_accepted(note_failed_attempt(SignInBudget(), NOW, 120.0), NOW + 1)) == 0
    assert wait(note_accepted(note_failed_attempt(SignInBudget(), NOW, 120.0), NOW - 1)) == 120


def test_person_who_signs_in_by_a_command_resets_all_but_what_is_proven() -> None:
    budget = note_accepted(SignInBudget(), 1.0)
    for moment in range(4):
        budget = note_tab(note_scopes(budget, "a b"), NOW + moment)
    budget = note_sign_in(note_renewed(note_renewal(note_failed_attempt(budget, NOW), NOW)))
    assert budget == SignInBudget(accepted=(1.0,))


# Renewals


def test_renewal_before_the_end_is_free() -> None:
    budget = note_accepted(note_renewed(note_renewal(SignInBudget(), NOW)), NOW)
    assert wait_for_renewal(budget, NOW + 1, refused=False) == 0


def refuse_and_renew(budget: SignInBudget, now: float) -> SignInBudget:
    """The server refuses a token, and accepts the next one."""
    return note_accepted(note_renewed(note_renewal(budget, now, refused=True)), now)


@pytest.mark.report("O24")
def test_renewals_because_of_refusals_keep_their_distance_where_no_token_is_accepted() -> None:
    budget = note_renewed(note_renewal(SignInBudget(), NOW, refused=True))
    assert wait_for_renewal(budget, NOW + 1, refused=True) == RENEWAL_SPACING - 1
    assert wait_for_renewal(budget, NOW + RENEWAL_SPACING, refused=True) == 0
    assert wait_for_renewal(note_accepted(budget, NOW), NOW + 1, refused=True) == 0


@pytest.mark.report("O24")
def test_renewals_because_of_refusals_are_bounded_also_where_each_token_is_accepted() -> None:
    budget = SignInBudget()
    for count in range(RENEWAL_BURST):
        assert wait_for_renewal(budget, NOW + count, refused=True) == 0
        budget = refuse_and_renew(budget, NOW + count)
    last = NOW + RENEWAL_BURST - 1
    assert wait_for_renewal(budget, last, refused=True) == NOW + RENEWAL_SPACING - last
    assert wait_for_renewal(budget, last, refused=False) == 0, "an expiry is another reason"
    now, renewals = NOW, 0
    while now < NOW + 3600:
        renewals += 1
        budget = refuse_and_renew(budget, now := now + wait_for_renewal(budget, now, refused=True))
    assert renewals <= 3600 / RENEWAL_SPACING + 1
    assert wait_for_renewal(budget, NOW - 3600, refused=True) == 0, "a clock that was set back"


def renewed_in_a_row(renewals: int) -> SignInBudget:
    budget = SignInBudget()
    for _ in range(renewals):
        budget = note_renewed(note_renewal(budget, NOW))
    return budget


@pytest.mark.parametrize(("renewals", "seconds"), [(1, 30), (2, 60), (5, 480), (6, 600), (99, 600)])
def test_renewals_whose_tokens_are_never_accepted_come_ever_more_seldom(
    renewals: int, seconds: float
) -> None:
    budget = renewed_in_a_row(renewals)
    assert wait_for_renewal(budget, NOW, refused=True) == seconds
    budget = note_rejected(budget, NOW)
    assert wait_for_renewal(budget, NOW, refused=False) == seconds
    assert wait_for_renewal(note_accepted(budget, NOW), NOW, refused=False) == 0
    assert not note_accepted(budget, NOW).rejected, "it begins anew"


@pytest.mark.promise("A5", "R1")
@pytest.mark.parametrize(("renewals", "seconds"), [(1, 1), (2, 2), (4, 8), (5, 15), (99, 15)])
def test_tokens_that_end_unseen_while_the_server_is_away_do_not_bar_the_next_one(
    renewals: int, seconds: float
) -> None:
    """Five minutes are the default of Keycloak: a night without the server is a hundred of them."""
    budget = renewed_in_a_row(renewals)
    assert wait_for_renewal(budget, NOW, refused=False) == seconds
    assert seconds <= RENEWAL_PATIENCE, "a request waits for it"
    assert wait_for_renewal(note_renewal(budget, NOW), NOW, refused=False) >= 30, "killed"


def test_renewal_that_was_killed_may_be_made_good_at_once_but_not_for_ever() -> None:
    once = note_renewal(SignInBudget(), NOW)
    assert wait_for_renewal(once, NOW, refused=True) == 0
    assert wait_for_renewal(note_renewal(once, NOW), NOW, refused=True) == 30


@pytest.mark.report("O23")
@pytest.mark.parametrize(
    ("sent", "retry_after", "waits"),
    [
        (True, None, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]),
        (False, None, [1, 2, 4, 8, 16, 32, 60]),
        (True, 100.0, [100, 100, 100, 100, 100, 100, 100, 128]),
        (True, 1e9, [DAY]),
    ],
)
def test_failed_renewals_back_off(
    sent: bool, retry_after: float | None, waits: list[float]
) -> None:
    budget = SignInBudget()
    for seconds in waits:
        budget = note_failed_renewal(
            note_renewal(budget, NOW), NOW, never, sent=sent, retry_after=retry_after
        )
        assert wait_for_renewal(budget, NOW, refused=False) == seconds
    assert wait_for_renewal(note_renewed(budget), NOW + 600, refused=False) == 0


def test_failed_renewals_of_many_machines_are_spread() -> None:
    budget = note_failed_renewal(SignInBudget(), NOW, lambda: 0.5, sent=True, retry_after=None)
    assert wait_for_renewal(budget, NOW, refused=False) == 1.25


# Tokens, scopes


@pytest.mark.promise("L3")
def test_token_is_proven_by_the_server_alone() -> None:
    budget = note_accepted(SignInBudget(), 7.0)
    assert is_proven(budget, 7.0)
    assert not is_proven(budget, 6.0), "neither by its age"
    assert not is_proven(budget, 8.0), "nor by its youth"
    for later in range(8, 8 + MAX_ACCEPTED):
        budget = note_accepted(budget, float(later))
    assert not is_proven(budget, 7.0)
    assert len(budget.accepted) == MAX_ACCEPTED
    assert note_accepted(budget, 8.0).accepted[-1] == 8.0


def test_scopes_are_remembered_once_each_and_not_without_end() -> None:
    budget = note_scopes(note_scopes(note_scopes(SignInBudget(), "a"), "b"), "a")
    assert budget.scopes == ("b", "a")
    budget = reduce(note_scopes, map(str, range(100)), budget)
    assert len(budget.scopes) == MAX_SCOPES
    assert budget.scopes[-1] == "99"


# Whatever happens


def happen(budget: SignInBudget, event: tuple[str, float]) -> SignInBudget:
    kind, now = event
    match kind:
        case "tab":
            return note_tab(budget, now)
        case "accepted":
            return note_accepted(budget, now)
        case "failed":
            return note_failed_attempt(budget, now)
        case "renewal":
            return note_renewal(budget, now, refused=True)
        case "renewed":
            return note_renewed(budget)
        case _:
            return note_failed_renewal(budget, now, never, sent=True, retry_after=None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tab", "accepted", "failed", "renewal", "renewed", "no verdict"]),
            st.floats(0, 2e9),
        ),
        max_size=30,
    ),
    st.floats(0, 2e9),
)
def test_wait_is_finite_and_the_budget_small_whatever_happens(
    events: list[tuple[str, float]], now: float
) -> None:
    budget = reduce(happen, events, SignInBudget())
    assert 0 <= wait(budget, now) <= DAY
    assert 0 <= wait_for_renewal(budget, now, refused=True) <= 2 * DAY
    data = msgspec.json.encode(budget)
    assert msgspec.json.decode(data, type=SignInBudget) == budget
    assert len(data) < 1000


# What is written late


LATE: list[Callable[[SignInBudget], SignInBudget]] = [
    lambda budget: note_tab(budget, NOW - 300),
    lambda budget: note_failed_attempt(budget, NOW - 300),
    lambda budget: note_renewal(budget, NOW - 300),
    lambda budget: note_renewal(budget, NOW - 5, refused=True),
    note_renewed,
    lambda budget: note_accepted(budget, NOW - 300),
]


@pytest.mark.parametrize("change", LATE)
def test_what_is_written_late_makes_no_wait_shorter(
    change: Callable[[SignInBudget], SignInBudget],
) -> None:
    theirs = note_failed_attempt(note_tab(note_renewal(SignInBudget(), NOW), NOW), NOW)
    theirs = note_failed_renewal(theirs, NOW, never, sent=True, retry_after=None)
    late = apply_late(theirs, change)
    assert NOW in late.tabs
    assert wait(late) >= wait(theirs)
    for refused in (False, True):
        before = wait_for_renewal(theirs, NOW, refused=refused)
        assert wait_for_renewal(late, NOW, refused=refused) >= before


def test_token_makes_good_only_for_what_was_before_it() -> None:
    budget = note_tab(note_tab(SignInBudget(), NOW - 20), NOW - 10)
    assert note_accepted(budget, NOW - 15).vain_tabs == 1
    assert note_accepted(budget, NOW - 30).vain_tabs == 2
    assert note_accepted(budget, NOW - 5).vain_tabs == 0


def test_tab_is_known_by_the_time_it_was_begun() -> None:
    budget = note_tab(note_tab(SignInBudget(), NOW - 20), NOW - 10)
    assert has_tab_since(budget, NOW - 15)
    assert has_tab_since(budget, NOW - 10)
    assert not has_tab_since(budget, NOW - 5)
    assert not has_tab_since(SignInBudget(), NOW)


def test_what_was_not_done_is_taken_back() -> None:
    budget = note_renewal(note_tab(SignInBudget(), NOW - 50), NOW - 50)
    assert take_back_renewal(note_renewal(budget, NOW), NOW, NOW - 50) == budget
    assert take_back_renewal(budget, NOW, 0.0) == budget
    once = note_renewal(budget, NOW - 50, refused=True)
    twice = note_renewal(once, NOW - 40, refused=True)
    assert take_back_renewal(twice, NOW - 40, NOW - 50, refused=True) == once


# A page that is shown once more -----------------------------------------------------------------


@pytest.mark.promise("L2")
@pytest.mark.report("O25")
def test_tabs_of_the_tool_are_bounded_by_sign_in_and_day_and_lengthen_no_wait() -> None:
    budget = note_tab(SignInBudget(), NOW)
    for time in (NOW + 10, NOW + 20, NOW + 30):
        budget = note_tab_for_tool(budget, time, NOW)
        assert budget.tabs[-1] == time
    assert (len(budget.tabs), budget.vain_tabs) == (MAX_TABS_OF_SIGN_IN, 1)
    assert note_tab_for_tool(budget, NOW + 40, NOW) is budget
    wait = wait_for_tab(budget, NOW + 40, step_up=False)
    assert wait == TAB_COOL_DOWNS[0] - 10, "since the last of them"
    full = SignInBudget(tabs=tuple(NOW + one for one in range(MAX_TABS)))
    assert not may_show_again(full, NOW + 100)
    assert note_tab_for_tool(full, NOW + 100, NOW + 99) is full
    assert may_show_again(full, NOW + DAY)


@pytest.mark.promise("L2")
def test_a_budget_that_is_lost_counts_as_spent_for_a_day() -> None:
    spent = make_spent(1000.0)
    assert wait_for_tab(spent, 1000.0, step_up=False) >= 86_000
    assert wait_for_tab(spent, 1000.0 + 2 * 86_400, step_up=False) == 0
