"""Decides what is done about a credential: a state machine as a table, which tests and docs read.

Pure, and total: for every state, event and set of facts exactly one rule decides. The rules are
in order, the first that fits counts. What follows from a decision is done elsewhere (`lifecycle`),
under the locks, and then this is asked again, with what is on disk by then. Must not know tokens,
servers, the clock, files or processes: only what they amount to.
"""

from __future__ import annotations

from collections.abc import Set
from enum import Enum
from typing import NamedTuple


class State(Enum):
    """The worth of the credential in hand, as far as it is known here."""

    SIGNED_OUT = "signed out"
    """Without a token."""
    UNPROVEN = "unproven"
    """With a token that the server has never accepted; how old it is does not matter."""
    PROVEN = "proven"
    """The server has accepted it."""
    EXPIRING = "expiring"
    """It ends in min(60 s, 10 % of its lifetime)."""
    EXPIRED = "expired"
    """It has ended, by what was told of it."""


class Trigger(Enum):
    """The event that a decision is asked for."""

    REQUEST = "a request is to be sent"
    UNAUTHORIZED = "401"
    SCOPE_WANTED = "403 for want of a scope"
    DOUBTFUL = "a refusal that may be for the token"


class Fact(Enum):
    """A condition that disk and clock decide; those that hold are given."""

    NEWER_STORED = "another token is in hand than the one that was refused"
    RENEWABLE = "there is a refresh token that may be sent"
    RENEWAL_ALLOWED = "a renewal is allowed now"
    RENEWAL_SOON = "one that led to nothing is tried again within the patience of the request"
    GRANT_DOUBTED = "the token endpoint has refused three times without a known reason"
    LIFETIME_UNKNOWN = "nobody knows when the token ends"
    SCOPE_GRANTED = "that scope was granted before"
    SCOPE_ASKED = "that scope was asked for before"
    SIGNING_IN_ELSEWHERE = "another process has the sign-in"
    TAB_OPEN = "a tab is open whose process is gone"
    TAB_DESERTED = "nobody comes back from it, and its page may be shown once more"
    TAB_ALLOWED = "the budget allows a tab"


class Action(Enum):
    """The next thing to do about the credential."""

    SEND = "send"
    """The request, with the token in hand, or without one."""
    RENEW = "renew"
    """Under the lock, after another look, in one exchange with the token endpoint."""
    LET_GO = "let go"
    """Of the refresh token, which counts as dead from now on."""
    WAIT = "wait"
    """Until a renewal that failed may be tried again."""
    FOLLOW = "follow"
    """Wait for what the other process gets."""
    RESUME = "resume"
    """Wait at the same port for the same state; no tab is opened."""
    SHOW_AGAIN = "show it again"
    """Wait likewise, and open the same page in one more tab: the first may be closed."""
    OPEN_TAB = "open a tab"
    """Ask the person, once."""
    PASS_ON = "pass on"  # noqa: S105 - no password
    """The refusal is the server's answer."""
    GIVE_UP_TOKEN = "give up: token"  # noqa: S105 - no password
    """Say that the server refuses what it was just given, and why that may be."""
    GIVE_UP_RENEWAL = "give up: renewal"
    """Say that the token cannot be renewed now, and when it may be."""
    GIVE_UP_SCOPE = "give up: scope"
    """Say which scope the server still wants."""
    GIVE_UP_BUDGET = "give up: budget"
    """Say what came of the last sign-in, and how a person begins the next."""


class PolicyRule(NamedTuple):
    """In one of `states`, at `event`, where all of `facts` hold: `action`."""

    states: frozenset[State]
    event: Trigger
    facts: frozenset[Fact]
    action: Action
    why: str


_ALL = frozenset(State)
_KNOWN = frozenset({State.PROVEN, State.EXPIRING, State.EXPIRED})
_DUE = frozenset({State.EXPIRING, State.EXPIRED})


def _rule(
    states: frozenset[State], event: Trigger, facts: Set[Fact], action: Action, why: str
) -> PolicyRule:
    return PolicyRule(states, event, frozenset(facts), action, why)


POLICY_RULES = (
    # Before a request ------------------------------------------------------------------------
    _rule(
        _ALL - _DUE,
        Trigger.REQUEST,
        set(),
        Action.SEND,
        "A token is good until its end, or until the server says otherwise (L20).",
    ),
    _rule(
        frozenset({State.EXPIRED}),
        Trigger.REQUEST,
        {Fact.RENEWABLE, Fact.GRANT_DOUBTED},
        Action.LET_GO,
        "What is refused three times is refused for ever, whatever the words (L9).",
    ),
    _rule(
        _DUE,
        Trigger.REQUEST,
        {Fact.RENEWABLE, Fact.RENEWAL_ALLOWED},
        Action.RENEW,
        "Before the end, in silence, once for all processes (L5, L7).",
    ),
    _rule(
        frozenset({State.EXPIRED}),
        Trigger.REQUEST,
        {Fact.RENEWABLE, Fact.RENEWAL_SOON},
        Action.WAIT,
        "Most outages of a token endpoint are shorter than a request may take (L9).",
    ),
    _rule(
        frozenset({State.EXPIRED}),
        Trigger.REQUEST,
        {Fact.RENEWABLE},
        Action.GIVE_UP_RENEWAL,
        "A failed renewal is not a reason to ask the person (L9).",
    ),
    _rule(
        _DUE,
        Trigger.REQUEST,
        set(),
        Action.SEND,
        "It may still do; and the server's refusal tells what it wants (L18).",
    ),
    # The server refused it -------------------------------------------------------------------
    _rule(
        _ALL,
        Trigger.UNAUTHORIZED,
        {Fact.NEWER_STORED},
        Action.SEND,
        "Somebody has renewed or signed in meanwhile: theirs serves all (L2, L3, L5, L6).",
    ),
    _rule(
        _KNOWN,
        Trigger.UNAUTHORIZED,
        {Fact.RENEWABLE, Fact.GRANT_DOUBTED},
        Action.LET_GO,
        "Three refusals are a verdict, whatever the words: then it is the person's turn.",
    ),
    _rule(
        _KNOWN,
        Trigger.UNAUTHORIZED,
        {Fact.RENEWABLE, Fact.RENEWAL_ALLOWED},
        Action.RENEW,
        "A refresh token in hand comes before the person (L7).",
    ),
    _rule(
        _KNOWN,
        Trigger.UNAUTHORIZED,
        {Fact.RENEWABLE, Fact.RENEWAL_SOON},
        Action.WAIT,
        "The token endpoint failed, which is soon over or is not (L9).",
    ),
    _rule(
        _KNOWN,
        Trigger.UNAUTHORIZED,
        {Fact.RENEWABLE},
        Action.GIVE_UP_RENEWAL,
        "What fails is not asked again at once, and not by a tab (L1, L9).",
    ),
    _rule(
        _ALL,
        Trigger.UNAUTHORIZED,
        {Fact.SIGNING_IN_ELSEWHERE},
        Action.FOLLOW,
        "One sign-in for all processes of this machine (L3).",
    ),
    _rule(
        _ALL - {State.UNPROVEN},
        Trigger.UNAUTHORIZED,
        {Fact.TAB_OPEN, Fact.TAB_DESERTED},
        Action.SHOW_AGAIN,
        "Whoever closed the tab with its process would wait for nothing: once, and counted.",
    ),
    _rule(
        _ALL,
        Trigger.UNAUTHORIZED,
        {Fact.TAB_OPEN},
        Action.RESUME,
        "The tab outlives the process that opened it (L4, L13).",
    ),
    _rule(
        frozenset({State.UNPROVEN}),
        Trigger.UNAUTHORIZED,
        set(),
        Action.GIVE_UP_TOKEN,
        "A token rejected on first use would be followed by another rejected token (L1).",
    ),
    _rule(
        _ALL,
        Trigger.UNAUTHORIZED,
        {Fact.TAB_ALLOWED},
        Action.OPEN_TAB,
        "Nothing else is left, and it was not tried in vain lately.",
    ),
    _rule(
        _ALL,
        Trigger.UNAUTHORIZED,
        set(),
        Action.GIVE_UP_BUDGET,
        "Denied, closed, failed or refused: now it is the person's turn (L10, L12).",
    ),
    # The server wants more -------------------------------------------------------------------
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.NEWER_STORED},
        Action.SEND,
        "Somebody may have asked for the scope meanwhile (L2).",
    ),
    _rule(
        _KNOWN,
        Trigger.SCOPE_WANTED,
        {Fact.SCOPE_GRANTED, Fact.RENEWABLE, Fact.RENEWAL_ALLOWED},
        Action.RENEW,
        "Some servers say so of a token that has ended; once, and without the person.",
    ),
    _rule(
        _KNOWN,
        Trigger.SCOPE_WANTED,
        {Fact.SCOPE_GRANTED, Fact.RENEWABLE, Fact.RENEWAL_SOON},
        Action.WAIT,
        "A person cannot give what a token endpoint that fails has to give (L9).",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.SIGNING_IN_ELSEWHERE},
        Action.FOLLOW,
        "One sign-in for all processes of this machine (L3).",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.TAB_OPEN, Fact.TAB_DESERTED},
        Action.SHOW_AGAIN,
        "Whoever closed the tab with its process would wait for nothing: once, and counted.",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.TAB_OPEN},
        Action.RESUME,
        "The tab outlives the process that opened it (L4).",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.SCOPE_ASKED},
        Action.GIVE_UP_SCOPE,
        "Each set of scopes is asked for once; a renewal gives no more than there was (L16).",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        {Fact.TAB_ALLOWED},
        Action.OPEN_TAB,
        "More is the person's to grant: beside what was granted (L16).",
    ),
    _rule(
        _ALL,
        Trigger.SCOPE_WANTED,
        set(),
        Action.GIVE_UP_BUDGET,
        "Denied, closed, failed or refused: now it is the person's turn (L12).",
    ),
    # A refusal that may have another reason --------------------------------------------------
    _rule(
        _ALL,
        Trigger.DOUBTFUL,
        {Fact.NEWER_STORED},
        Action.SEND,
        "If it was for the token, the new one shows it (L2).",
    ),
    _rule(
        frozenset({State.PROVEN}),
        Trigger.DOUBTFUL,
        {Fact.LIFETIME_UNKNOWN, Fact.RENEWABLE, Fact.RENEWAL_ALLOWED},
        Action.RENEW,
        "It worked, and nobody but the server knows its end: one renewal finds out.",
    ),
    _rule(
        _ALL,
        Trigger.DOUBTFUL,
        set(),
        Action.PASS_ON,
        "Where it is not known to be for the token, the server's words say the most.",
    ),
)


def decide(
    state: State, event: Trigger, facts: Set[Fact], rules: tuple[PolicyRule, ...] = POLICY_RULES
) -> Action:
    """The action of the first rule that fits.

    Raises:
        LookupError: none does: the table is not total.
    """
    for rule in rules:
        if rule.event is event and state in rule.states and rule.facts <= facts:
            return rule.action
    raise LookupError(f"no rule for {state}, {event}, {sorted(fact.name for fact in facts)}")


class Transition(NamedTuple):
    """An outcome of an action, and the state that follows; None where it ends the question."""

    action: Action
    happened: str
    state: State | None


TRANSITIONS = (
    Transition(Action.SEND, "2xx", State.PROVEN),
    Transition(Action.RENEW, "new token", State.UNPROVEN),
    Transition(Action.RENEW, "definite refusal", State.SIGNED_OUT),
    Transition(Action.RENEW, "no verdict", None),
    Transition(Action.LET_GO, "always", State.SIGNED_OUT),
    Transition(Action.WAIT, "time passes", State.EXPIRED),
    Transition(Action.PASS_ON, "always", None),
    Transition(Action.FOLLOW, "new token", State.UNPROVEN),
    Transition(Action.FOLLOW, "nothing came", State.SIGNED_OUT),
    Transition(Action.RESUME, "new token", State.UNPROVEN),
    Transition(Action.RESUME, "nobody came yet", State.SIGNED_OUT),
    Transition(Action.RESUME, "denied, closed, failed", None),
    Transition(Action.SHOW_AGAIN, "new token", State.UNPROVEN),
    Transition(Action.SHOW_AGAIN, "denied, closed, failed", None),
    Transition(Action.OPEN_TAB, "new token", State.UNPROVEN),
    Transition(Action.OPEN_TAB, "denied, closed, failed", None),
)
"""Outcomes, for the picture in the docs; they happen in `lifecycle`."""
