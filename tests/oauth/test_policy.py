"""The table: total, without a rule nobody needs, and with what holds by its form alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

import pytest

from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    TRANSITIONS,
    Action,
    Fact,
    PolicyRule,
    State,
    Trigger,
    decide,
)

pytestmark = pytest.mark.promise("L4")

Case = tuple[State, Trigger, frozenset[Fact]]


def every_case() -> Iterator[Case]:
    facts = chain.from_iterable(combinations(Fact, count) for count in range(len(Fact) + 1))
    for state, event, some in product(State, Trigger, list(facts)):
        yield state, event, frozenset(some)


def decided_by(case: Case) -> PolicyRule:
    state, event, facts = case
    return next(
        rule
        for rule in POLICY_RULES
        if rule.event is event and state in rule.states and rule.facts <= facts
    )


def test_every_rule_decides_some_case() -> None:
    needed = {decided_by(case) for case in every_case()}
    assert [rule.why for rule in POLICY_RULES if rule not in needed] == []


def test_table_with_a_gap_says_so() -> None:
    facts = {Fact.TAB_OPEN, Fact.RENEWABLE}
    with pytest.raises(LookupError) as caught:
        decide(State.PROVEN, Trigger.UNAUTHORIZED, facts, POLICY_RULES[:4])
    told = "no rule for State.PROVEN, Trigger.UNAUTHORIZED, ['RENEWABLE', 'TAB_OPEN']"
    assert str(caught.value) == told


@pytest.mark.promise("L2")
def test_tab_needs_the_budget_and_nobody_else_who_is_at_it() -> None:
    for case in every_case():
        if decide(*case) is Action.OPEN_TAB:
            assert Fact.TAB_ALLOWED in case[2]
            assert not case[2] & {Fact.SIGNING_IN_ELSEWHERE, Fact.TAB_OPEN, Fact.NEWER_STORED}
            assert case[1] is not Trigger.REQUEST, "nobody is asked before a server refuses"


@pytest.mark.promise("L2")
@pytest.mark.report("O25")
def test_page_is_shown_again_where_it_is_deserted_and_nobody_else_is_at_it() -> None:
    for case in every_case():
        if decide(*case) is Action.SHOW_AGAIN:
            assert {Fact.TAB_OPEN, Fact.TAB_DESERTED} <= case[2]
            assert not case[2] & {Fact.SIGNING_IN_ELSEWHERE, Fact.NEWER_STORED}
            assert case[1] is not Trigger.REQUEST
        if Fact.TAB_DESERTED not in case[2]:
            assert decide(*case) == decide(case[0], case[1], case[2] | {Fact.TAB_DESERTED}) or (
                Fact.TAB_OPEN in case[2]
            )


@pytest.mark.promise("L3")
def test_token_that_was_never_accepted_is_answered_by_nothing_new() -> None:
    for state, event, facts in every_case():
        if (state, event) == (State.UNPROVEN, Trigger.UNAUTHORIZED):
            assert decide(state, event, facts) not in (
                Action.OPEN_TAB,
                Action.SHOW_AGAIN,
                Action.RENEW,
            )


@pytest.mark.promise("A5")
def test_renewal_comes_before_the_person_and_keeps_its_distance() -> None:
    for state, event, facts in every_case():
        action = decide(state, event, facts)
        if action is Action.RENEW:
            assert {Fact.RENEWABLE, Fact.RENEWAL_ALLOWED} <= facts
            assert event is not Trigger.SCOPE_WANTED or Fact.SCOPE_GRANTED in facts
            assert event is not Trigger.DOUBTFUL or Fact.LIFETIME_UNKNOWN in facts
        if event is Trigger.UNAUTHORIZED and state is not State.SIGNED_OUT:
            assert action is not Action.OPEN_TAB or Fact.RENEWABLE not in facts


@pytest.mark.promise("L1", "L2")
@pytest.mark.report("O19")
def test_refusal_in_doubt_asks_nobody_and_renews_only_what_has_worked() -> None:
    for state, event, facts in every_case():
        if event is Trigger.DOUBTFUL:
            action = decide(state, event, facts)
            assert action in (Action.SEND, Action.RENEW, Action.PASS_ON)
            assert action is not Action.RENEW or state is State.PROVEN


@pytest.mark.promise("A5", "L1")
@pytest.mark.report("O10")
def test_grant_in_doubt_is_not_renewed_once_more() -> None:
    for state, event, facts in every_case():
        if event is Trigger.UNAUTHORIZED and {Fact.GRANT_DOUBTED, Fact.RENEWABLE} <= facts:
            assert decide(state, event, facts) is not Action.RENEW


def test_scopes_are_asked_for_once() -> None:
    for state, event, facts in every_case():
        if event is Trigger.SCOPE_WANTED and Fact.SCOPE_ASKED in facts:
            assert decide(state, event, facts) is not Action.OPEN_TAB


def test_every_action_that_goes_on_has_outcomes_for_the_picture() -> None:
    going_on = {rule.action for rule in POLICY_RULES if not rule.action.value.startswith("give up")}
    assert {outcome.action for outcome in TRANSITIONS} == going_on


def test_every_rule_says_why_in_a_sentence() -> None:
    for rule in POLICY_RULES:
        assert rule.why[0].isupper()
        assert rule.why.endswith(".")
        assert len(rule.why) <= 90
    assert len({(rule.event, rule.why, rule.action) for rule in POLICY_RULES}) == len(POLICY_RULES)


F = Fact
S = State
T = Trigger
A = Action
KNOWN = {S.PROVEN, S.EXPIRING, S.EXPIRED}
DUE = {S.EXPIRING, S.EXPIRED}


def refused(event: Trigger, state: State, facts: frozenset[Fact]) -> Action:
    """What is to be done about a refusal, written as a person would tell it."""
    if F.NEWER_STORED in facts:
        return A.SEND
    may_renew = F.RENEWABLE in facts
    if event is T.DOUBTFUL:
        finds_out = {F.RENEWABLE, F.LIFETIME_UNKNOWN, F.RENEWAL_ALLOWED} <= facts
        return A.RENEW if state is S.PROVEN and finds_out else A.PASS_ON
    if event is T.UNAUTHORIZED and may_renew and state in KNOWN:
        return renewed(facts)
    if event is T.SCOPE_WANTED and may_renew and state in KNOWN and F.SCOPE_GRANTED in facts:
        if F.RENEWAL_ALLOWED in facts:
            return A.RENEW
        if F.RENEWAL_SOON in facts:
            return A.WAIT
    return asked(event, state, facts)


def asked(event: Trigger, state: State, facts: frozenset[Fact]) -> Action:
    """What only the person can mend."""
    if F.SIGNING_IN_ELSEWHERE in facts:
        return A.FOLLOW
    is_new = event is T.UNAUTHORIZED and state is S.UNPROVEN
    if F.TAB_OPEN in facts:
        return A.SHOW_AGAIN if F.TAB_DESERTED in facts and not is_new else A.RESUME
    if is_new:
        return A.GIVE_UP_TOKEN
    if event is T.SCOPE_WANTED and F.SCOPE_ASKED in facts:
        return A.GIVE_UP_SCOPE
    return A.OPEN_TAB if F.TAB_ALLOWED in facts else A.GIVE_UP_BUDGET


def renewed(facts: frozenset[Fact]) -> Action:
    """With a refresh token, of a token that has ended or was refused."""
    if F.GRANT_DOUBTED in facts:
        return A.LET_GO
    if F.RENEWAL_ALLOWED in facts:
        return A.RENEW
    return A.WAIT if F.RENEWAL_SOON in facts else A.GIVE_UP_RENEWAL


def due(state: State, facts: frozenset[Fact]) -> Action:
    """Before a request."""
    if F.RENEWABLE not in facts or state not in DUE:
        return A.SEND
    if state is S.EXPIRED:
        return renewed(facts)
    return A.RENEW if F.RENEWAL_ALLOWED in facts else A.SEND


def test_every_case_is_decided_as_it_is_told_in_words() -> None:
    """The table once more, by branches: a rule that is lost or changed shows in some case."""
    for state, event, facts in every_case():
        wanted = due(state, facts) if event is T.REQUEST else refused(event, state, facts)
        assert decide(state, event, facts) is wanted, (state, event, facts)


def test_the_picture_tells_what_follows_each_action() -> None:
    """In `lifecycle`, which the explorations play; here it is only drawn."""
    follows = {
        action.value: {one.happened: one.state for one in TRANSITIONS if one.action is action}
        for action in {one.action for one in TRANSITIONS}
    }
    ends = {"new token": S.UNPROVEN, "denied, closed, failed": None}
    assert follows == {
        "send": {"2xx": S.PROVEN},
        "renew": {"new token": S.UNPROVEN, "definite refusal": S.SIGNED_OUT, "no verdict": None},
        "let go": {"always": S.SIGNED_OUT},
        "wait": {"time passes": S.EXPIRED},
        "pass on": {"always": None},
        "follow": {"new token": S.UNPROVEN, "nothing came": S.SIGNED_OUT},
        "resume": ends | {"nobody came yet": S.SIGNED_OUT},
        "show it again": ends,
        "open a tab": ends,
    }
