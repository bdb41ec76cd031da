"""The sign-in budget: what has been tried in a session, and when the next attempt may come.

One budget per session, on disk, shared by all processes and surviving them (promise L2). It has
times and counts, no secret. Pure: every function takes the budget and the time, and returns a
budget or the seconds to wait. All times are seconds since the epoch, because they outlive the
process; one that lies in the future was written under another clock and counts for nothing. Must
not know servers, tokens, files or processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from mcp_remote_py.randomness import Random
from mcp_remote_py.retry import Steps

DAY = 86400.0
MAX_TABS = 10
"""Tabs within `DAY` before none opens by itself: an hourly token without renewal takes 8 in one."""

TAB_COOL_DOWNS = (600.0, 3600.0, 6 * 3600.0)
"""Seconds after the first, second, third tab in a row that came to nothing: denied, closed, or
ended in a token the server never took. After a fourth it is `DAY`, or a person's command (promise
L2)."""

SHOWN_AGAIN_AGE = 30.0
"""Seconds since its tab was opened before the page of a sign-in is shown once more by itself."""
SHOWN_AGAIN_WAIT = 10.0
"""Seconds for which whoever shows it has waited: the first tab may still be there."""
MAX_TABS_OF_SIGN_IN = 4
"""Tabs for one sign-in: its own, one more by itself, and those that the tool `sign_in` asks for."""

MAX_QUICK_TABS = 2
"""Tabs within the first cool-down that did lead to an accepted token: a browser that is signed in
consents without the person, so even success could go round in circles (L1)."""

ATTEMPTS = Steps(first=5.0, factor=2.0, longest=60.0)
"""Waits after sign-ins that failed before any tab: nobody was asked, and a server that starts is
there soon; but looking for one costs it, too."""

RENEWAL_SPACING = 30.0
"""Seconds in which one more renewal because of a refusal may follow those of `RENEWAL_BURST`: 456
token requests a second were seen (L1)."""

RENEWAL_BURST = 10
"""Renewals because of a refusal that may come at once, where each of their tokens was accepted in
between: tokens may be short-lived without saying so, or be revoked."""

RENEWAL_PATIENCE = 15.0
"""Seconds a request waits for a renewal that failed to be tried again: as long as for a server that
cannot be reached (`retry.REQUEST_PATIENCE`)."""

VAIN_RENEWALS = Steps(first=RENEWAL_SPACING, factor=2.0, longest=600.0)
"""Waits between renewals whose tokens the server never accepts."""

UNUSED_RENEWALS = Steps(first=1.0, factor=2.0, longest=RENEWAL_PATIENCE)
"""Waits between renewals whose tokens end before the server has seen one: it cannot be reached, or
the machine sleeps. Nobody has refused them, and no request waits longer than it can."""

ANSWERED_RENEWALS = Steps(first=1.0, factor=2.0, longest=300.0)
"""Waits after a token endpoint that answered without a verdict: a 5xx, a page, a lost answer. Most
outages are over in seconds, and a request waits for that long."""

UNSENT_RENEWALS = Steps(first=1.0, factor=2.0, longest=60.0)
"""Waits after one that could not be reached: nothing arrived, and the network comes back."""

MAX_DOUBTS = 3
"""Answered refusals of one refresh token whose reason is not told before it counts as dead: one was
asked about 548 times in a week."""

FOREIGN_DOUBT_SPACING = 60.0
"""Seconds between two of them that count where the answer has no form of OAuth's: a page of a
gateway, an empty body. A gateway that answers so for a minute must not cost a sign-in; whoever
answers so for ever comes to an end two minutes later."""

MAX_ACCEPTED = 4
"""Tokens remembered as accepted: processes may use a token and its successor side by side."""

MAX_SCOPES = 16
"""Sets of scopes remembered as asked for."""


_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
"""Of attempts. What is read and is not such a number was never written here."""


class SignInBudget(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attempts so far. A token is named by its `obtained_at`, which tells nothing of it."""

    accepted: tuple[float, ...] = ()
    """The last tokens the server has accepted, the newest last. All others are unproven: fresh
    means never yet accepted, not young."""
    tabs: tuple[float, ...] = ()
    """When tabs were opened, within a day, the oldest first; by a command, too, until one of these
    has signed the person in."""
    vain_tabs: _Count = 0
    """Number of the last ones in a row that were not followed by an accepted token."""
    scopes: tuple[str, ...] = ()
    """Sets of scopes that a tab was opened for, sorted, blank-separated."""
    attempt_after: float = 0.0
    """No sign-in starts by itself before this time."""
    attempted_at: float = 0.0
    """When the one that failed last did so."""
    failed_attempts: _Count = 0
    """Sign-ins in a row that failed, since a tab was opened or a token accepted."""
    renewed_at: float = 0.0
    refusals_until: float = 0.0
    """Later than now by `RENEWAL_SPACING` for each renewal because of a refusal that came early."""
    unfinished_renewals: _Count = 0
    """Renewals in a row whose end is not known: their processes were killed."""
    vain_renewals: _Count = 0
    """Renewals that gave a token, since one was last accepted."""
    rejected: float = 0.0
    """`obtained_at` of the last token that was refused before it was ever accepted; 0 where one was
    accepted since."""
    renewal_failures: _Count = 0
    """Renewals in a row that ended without a verdict."""
    doubted: float = 0.0
    """`obtained_at` of the token whose renewal was refused for a reason that was not told."""
    doubts: _Count = 0
    """Such refusals of it."""
    doubted_at: float = 0.0
    """When the last one of them was counted."""
    renew_after: float = 0.0
    """No renewal is tried before this time."""


def is_proven(budget: SignInBudget, obtained_at: float) -> bool:
    """Whether the server has accepted the token of that time."""
    return obtained_at in budget.accepted


def wait_for_tab(budget: SignInBudget, now: float, *, step_up: bool) -> float:
    """Seconds until a tab may open by itself; 0 for now.

    `step_up`: for scopes that were not asked for before, of which each set has one.
    """
    tabs = [time for time in budget.tabs if now - DAY < time <= now]
    is_of_this_clock = budget.attempted_at <= now and budget.attempt_after <= now + DAY
    after = budget.attempt_after if is_of_this_clock else 0.0
    if tabs and budget.vain_tabs:
        step = budget.vain_tabs - 1
        after = max(after, tabs[-1] + (TAB_COOL_DOWNS[step] if step < len(TAB_COOL_DOWNS) else DAY))
    elif len(tabs) >= MAX_QUICK_TABS and not step_up:
        after = max(after, tabs[-MAX_QUICK_TABS] + TAB_COOL_DOWNS[0])
    if len(tabs) >= MAX_TABS:
        after = max(after, tabs[-MAX_TABS] + DAY)
    return max(0.0, after - now)


def wait_for_renewal(
    budget: SignInBudget, now: float, *, refused: bool, doubtful: bool = False
) -> float:
    """Seconds until a renewal may be tried; 0 for now.

    `refused`: because the server refused the token, not because it expires. `doubtful`: the refusal
    may have another reason, which a renewal does not change: no burst is for that.
    """
    after = budget.renew_after if budget.renew_after <= now + 2 * DAY else 0.0
    if budget.renewed_at <= now:
        # One that was killed may be made good at once: hosts kill what they have just started.
        vain = budget.vain_renewals + max(0, budget.unfinished_renewals - 1)
        if vain:
            has_verdict = refused or budget.rejected or budget.unfinished_renewals
            steps = VAIN_RENEWALS if has_verdict else UNUSED_RENEWALS
            after = max(after, budget.renewed_at + steps.bound(vain))
        elif doubtful and not budget.unfinished_renewals:
            after = max(after, budget.renewed_at + RENEWAL_SPACING)
    burst = RENEWAL_BURST * RENEWAL_SPACING
    if refused and budget.refusals_until <= now + burst:
        after = max(after, budget.refusals_until - burst + RENEWAL_SPACING)
    return max(0.0, after - now)


def is_doubted(budget: SignInBudget, obtained_at: float) -> bool:
    """Whether the refresh token that came with the token of that time counts as dead."""
    return budget.doubts >= MAX_DOUBTS and budget.doubted == obtained_at


def note_tab(budget: SignInBudget, now: float) -> SignInBudget:
    """A tab is about to be opened: written before, so that a killed process counts.

    Later ones stay: this may be written late, or under another clock.
    """
    before = tuple(time for time in budget.tabs if now - DAY < time <= now)
    later = tuple(time for time in budget.tabs if time > now)
    return msgspec.structs.replace(
        budget,
        tabs=(*(*before, now)[-MAX_TABS:], *later[-MAX_TABS:]),
        vain_tabs=budget.vain_tabs + 1 if before or later else 1,
        failed_attempts=0,
    )


def may_show_again(budget: SignInBudget, now: float) -> bool:
    """Whether the day has room for a tab that shows a page once more."""
    return len([time for time in budget.tabs if now - DAY < time <= now]) < MAX_TABS


def note_tab_for_tool(budget: SignInBudget, now: float, opened_at: float) -> SignInBudget:
    """A tab is about to be opened because the tool was called, of a sign-in begun at `opened_at`.

    Unchanged where there may be none. No wait becomes longer by it: a person has asked.
    """
    of_sign_in = [time for time in budget.tabs if time >= opened_at]
    if len(of_sign_in) >= MAX_TABS_OF_SIGN_IN or not may_show_again(budget, now):
        return budget
    return msgspec.structs.replace(note_tab(budget, now), vain_tabs=max(1, budget.vain_tabs))


def has_tab_since(budget: SignInBudget, time: float) -> bool:
    """Whether a tab was noted then or later."""
    return any(tab >= time for tab in budget.tabs)


def note_scopes(budget: SignInBudget, scopes: str) -> SignInBudget:
    """A tab is about to be opened for these scopes."""
    known = tuple(one for one in budget.scopes if one != scopes)
    return msgspec.structs.replace(budget, scopes=(*known, scopes)[-MAX_SCOPES:])


def note_failed_attempt(
    budget: SignInBudget, now: float, retry_after: float | None = None
) -> SignInBudget:
    """A sign-in has failed; `retry_after` is what a server asked for, in seconds."""
    failures = budget.failed_attempts + 1
    wait = max(ATTEMPTS.bound(failures), min(retry_after or 0.0, DAY))
    return msgspec.structs.replace(
        budget, attempt_after=now + wait, attempted_at=now, failed_attempts=failures
    )


def note_renewal(budget: SignInBudget, now: float, *, refused: bool = False) -> SignInBudget:
    """A renewal is about to be asked for: written before, so that a killed process counts.

    `refused`: because the server refused the token, not because it expires.
    """
    until = budget.refusals_until
    if refused:
        is_known = now < until <= now + RENEWAL_BURST * RENEWAL_SPACING
        until = (until if is_known else now) + RENEWAL_SPACING
    return msgspec.structs.replace(
        budget,
        renewed_at=now,
        unfinished_renewals=budget.unfinished_renewals + 1,
        refusals_until=until,
    )


def take_back_renewal(
    budget: SignInBudget, noted_at: float, before: float, *, refused: bool = False
) -> SignInBudget:
    """The renewal that was noted then was not asked for; `before` is the time of the last one."""
    if budget.renewed_at != noted_at:
        return budget
    return msgspec.structs.replace(
        budget,
        renewed_at=before,
        unfinished_renewals=max(0, budget.unfinished_renewals - 1),
        refusals_until=budget.refusals_until - RENEWAL_SPACING * refused,
    )


def note_renewed(budget: SignInBudget) -> SignInBudget:
    """The token endpoint gave a token."""
    return msgspec.structs.replace(
        budget,
        unfinished_renewals=0,
        vain_renewals=budget.vain_renewals + 1,
        renewal_failures=0,
        renew_after=0.0,
    )


def note_failed_renewal(
    budget: SignInBudget, now: float, random: Random, *, sent: bool, retry_after: float | None
) -> SignInBudget:
    """A renewal ended without a verdict.

    `sent`: whether the request may have arrived; `retry_after` is what the server asked for, in
    seconds.
    """
    failures = budget.renewal_failures + 1
    steps = ANSWERED_RENEWALS if sent else UNSENT_RENEWALS
    # Longer than the step, never shorter: many machines wake at the same moment.
    wait = max(steps.bound(failures) * (1 + random() / 2), min(retry_after or 0.0, DAY))
    return msgspec.structs.replace(
        budget, unfinished_renewals=0, renewal_failures=failures, renew_after=now + wait
    )


def note_doubt(
    budget: SignInBudget, obtained_at: float, now: float, *, is_foreign: bool
) -> SignInBudget:
    """The renewal of the token of that time was refused, for a reason that was not told.

    `is_foreign`: perhaps by something in front of the token endpoint.
    """
    before = budget.doubts if budget.doubted == obtained_at else 0
    if is_foreign and before and 0 <= now - budget.doubted_at < FOREIGN_DOUBT_SPACING:
        return budget
    return msgspec.structs.replace(budget, doubted=obtained_at, doubts=before + 1, doubted_at=now)


def note_accepted(budget: SignInBudget, obtained_at: float) -> SignInBudget:
    """The server took the token of that time: whatever led to it was not in vain.

    What was tried after it was obtained led to another one, and counts.
    """
    others = tuple(time for time in budget.accepted if time != obtained_at)
    later = sum(time > obtained_at for time in budget.tabs)
    failed_later = budget.attempted_at > obtained_at
    budget = msgspec.structs.replace(
        budget,
        accepted=(*others, obtained_at)[-MAX_ACCEPTED:],
        vain_tabs=min(budget.vain_tabs, later),
        attempt_after=budget.attempt_after if failed_later else 0.0,
        failed_attempts=budget.failed_attempts if failed_later else 0,
    )
    if budget.renewed_at > obtained_at:
        return budget
    return msgspec.structs.replace(budget, unfinished_renewals=0, vain_renewals=0, rejected=0.0)


def note_rejected(budget: SignInBudget, obtained_at: float) -> SignInBudget:
    """The server refused the token of that time, and has never accepted it."""
    return msgspec.structs.replace(budget, rejected=obtained_at)


def note_sign_in(budget: SignInBudget) -> SignInBudget:
    """A person signed in by a command of their own: all begins anew, but nothing is proven."""
    return SignInBudget(accepted=budget.accepted)


def apply_late(
    budget: SignInBudget, change: Callable[[SignInBudget], SignInBudget]
) -> SignInBudget:
    """The budget after a change that comes late, because it could not be written at its time.

    What others have noted meanwhile still holds: no wait becomes shorter.
    """
    changed = change(budget)
    if changed.renewed_at < budget.renewed_at:  # theirs is later, and counts
        unfinished = budget.unfinished_renewals
    else:
        unfinished = changed.unfinished_renewals
    return msgspec.structs.replace(
        changed,
        unfinished_renewals=unfinished,
        attempt_after=max(budget.attempt_after, changed.attempt_after),
        attempted_at=max(budget.attempted_at, changed.attempted_at),
        renewed_at=max(budget.renewed_at, changed.renewed_at),
        refusals_until=max(budget.refusals_until, changed.refusals_until),
        renew_after=max(budget.renew_after, changed.renew_after),
    )


def make_spent(last: float) -> SignInBudget:
    """The budget to assume where what was written until `last` is lost: spent, for a day."""
    return SignInBudget(tabs=(last,), vain_tabs=len(TAB_COOL_DOWNS) + 1)
