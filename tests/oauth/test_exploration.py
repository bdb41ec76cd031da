"""No loop, by exhaustion: every sequence of behaviours up to a depth, on the real conversations.

The bounds are those of `machine.Watchdog`, which does its own arithmetic. That the exploration
finds what it looks for is shown by deliberate faults of the policy, each of which it must catch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from mcp_remote_py.oauth import flow
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.holdings import Holdings
from mcp_remote_py.oauth.lifecycle import CredentialLifecycle, Parts
from mcp_remote_py.oauth.policy import POLICY_RULES, Action, Fact, PolicyRule, State, Trigger
from mcp_remote_py.oauth.renewal import Renewal
from mcp_remote_py.oauth.sign_in import SignIn
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AnyStep,
    AskUser,
    Client,
    Conversation,
    Credential,
    Fetch,
    Lock,
    PendingAuthorization,
    ReadShared,
    ReleaseLock,
    Renew,
    Save,
    SavePending,
    UpdateBudget,
    ask,
    drop_tokens,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.machine import (
    CLIENT_SECRET,
    LIFETIME,
    PAGE_SPACING,
    REFRESH_ANSWERS,
    SECRET_SETTINGS,
    SERVER,
    SETTINGS,
    START,
    Machine,
    Oracle,
    Process,
    Violation,
    explore,
    signed_in,
)
from tests.thorough import THOROUGH, often

pytestmark = [pytest.mark.promise("L4"), pytest.mark.timeout(1200)]

SEAMS = (ReadShared, AcquireLock, ReleaseLock, Renew, Save, SavePending, AskUser, Fetch)
"""Before these steps another process may come first, or the process may be killed."""

MakeSession = Callable[[Machine], CredentialLifecycle]


def real(machine: Machine) -> CredentialLifecycle:
    return CredentialLifecycle(
        SERVER,
        machine.settings,
        machine.random_bytes,
        lambda: 0.0,
        lambda: machine.now,
        patience=machine.patience,
    )


@dataclass(frozen=True)
class Bounds:
    """How far an exploration goes."""

    events: int
    processes: int = 1
    preemptions: int = 0
    kills: int = 0
    faults: int = 0
    """How often the disk fails, once or until the next event."""
    waits: tuple[float, ...] = (40.0, 660.0, LIFETIME)
    patience: float = 0.0
    """Seconds a request waits for a renewal that failed."""
    answers: tuple[str, ...] = REFRESH_ANSWERS
    """What the token endpoint may answer to a good refresh token."""
    every: int = 1
    """Before every so manieth of the steps in `SEAMS` another process may come first."""


@dataclass
class Explorer:
    """One start of the world, and what was seen from there."""

    bounds: Bounds
    credential: Credential | None = None
    budget: SignInBudget | None = None
    make_session: MakeSession = real
    settings: SignInSettings = SETTINGS
    runs: int = 0

    def __post_init__(self) -> None:
        self._known: dict[object, int] = {}
        self._seams = 0

    def explore(self) -> int:
        """Goes through all of it; the number of runs."""
        return sum(1 for _ in self.begin())

    def begin(self, order: int = 0) -> Iterator[Oracle]:
        """The same, a run at a time, and in another order."""
        return explore(self._run, order)

    def _run(self, oracle: Oracle) -> None:
        machine = Machine(
            oracle,
            self.make_session,
            self.credential,
            self.budget,
            self.settings,
            self.bounds.patience,
        )
        machine.faults = self.bounds.faults
        machine.refresh_answers = self.bounds.answers
        processes = [Process(machine, f"P{n + 1}") for n in range(self.bounds.processes)]
        budget = {"preempt": self.bounds.preemptions, "kill": self.bounds.kills}
        self._seams = 0
        for left in range(self.bounds.events, 0, -1):
            if self._is_known(oracle, machine, processes, left, budget):
                return
            self._event(oracle, machine, processes, budget)
        for _ in range(20):
            for process in processes:
                process.run(lambda _: False)
            if all(process.is_idle for process in processes):
                break
        kept = {
            lock
            for lock, holder in machine.locks.items()
            if lock is not Lock.UNSAVED or not holder.session.is_unsaved
        }
        if machine.unanswered or kept:
            raise Violation("a request is not answered, or a lock is kept")

    def _event(
        self,
        oracle: Oracle,
        machine: Machine,
        processes: list[Process],
        budget: dict[str, int],
    ) -> None:
        new = [process for process in processes if process.is_new]
        options = [f"{process.name} goes on" for process in processes if process not in new[1:]]
        if budget["kill"]:
            options += [f"{process.name} is killed" for process in processes if not process.is_idle]
        if not any(process.is_stopped for process in processes):
            options += [f"{seconds:g} s pass" for seconds in self.bounds.waits]
        chosen = oracle.choose("event", *options)
        name, _, what = chosen.partition(" ")
        if what == "s pass":
            machine.now += float(name)
            return
        machine.is_broken = False
        process = next(one for one in processes if one.name == name)
        if what == "is killed":
            budget["kill"] -= 1
            process.kill()
            return
        if process.is_idle:
            process.begin_request()

        def stops(step: AnyStep) -> bool:
            if not isinstance(step, SEAMS) or not budget["preempt"]:
                return False
            self._seams += 1
            if self._seams % self.bounds.every:
                return False
            stop = oracle.choose(f"{name} before {type(step).__name__}", "on", "stop") == "stop"
            budget["preempt"] -= stop
            return stop

        process.run(stops)

    def _is_known(
        self,
        oracle: Oracle,
        machine: Machine,
        processes: list[Process],
        left: int,
        budget: dict[str, int],
    ) -> bool:
        """Whether all that follows from here was seen before, from a state just like it."""
        if not all(process.is_idle for process in processes) or oracle.is_replaying:
            return False
        state = (describe(machine, processes), tuple(budget.items()))
        if self._known.get(state, 0) >= left:
            return True
        self._known[state] = left
        return False


def describe(machine: Machine, processes: list[Process]) -> object:
    """The state, with tokens by the order they come in and times relative to now."""
    names: dict[object, int] = {}
    now = machine.now

    def name(value: object) -> object:
        return None if value is None else names.setdefault(value, len(names))

    def tell(credential: Credential | None) -> object:
        if credential is None:
            return None
        refresh = credential.refresh_token
        return (
            name(credential.access_token),
            None if refresh is None else refresh.reveal() in machine.good_refresh_tokens,
            name(credential.obtained_at),
            credential.obtained_at - now,
            None if credential.expires_at is None else credential.expires_at - now,
            credential.scope,
            credential.client.token_endpoint_auth_method,
            credential.client.plain_basic,
        )

    def tell_budget(budget: SignInBudget) -> object:
        return (
            tuple(name(time) for time in budget.accepted),
            tuple(time - now for time in budget.tabs),
            budget.vain_tabs,
            budget.scopes,
            max(0.0, budget.attempt_after - now),
            budget.failed_attempts,
            budget.renewed_at - now if budget.renewed_at else None,
            budget.unfinished_renewals,
            budget.vain_renewals,
            name(budget.rejected),
            budget.renewal_failures,
            max(0.0, budget.renew_after - now),
            max(0.0, budget.refusals_until - now),
            (name(budget.doubted), budget.doubts, max(0.0, budget.doubted_at + 60 - now)),
        )

    dog = machine.watchdog
    return (
        tell(machine.credential),
        None
        if machine.pending is None
        else (
            machine.pending.expires_at - now,
            machine.pending.opened_at - now,
            machine.pending.is_shown_again,
        ),
        tell_budget(machine.budget),
        tuple(time - now for time in dog.tabs if now - time < 86400),
        dog.vain_tabs,
        tuple(time - now for time in dog.renewals[-1:]),
        tuple(time - now for time in dog.renewals if now - time < 30),
        (dog.failed_renewals, dog.unproven and now - dog.unproven[1], dog.excuses),
        (machine.doubts, max(0.0, machine.doubted_at + PAGE_SPACING - now)),
        tuple(sorted(dog.scopes)),
        tuple(
            (
                tell(one.session.credential),
                tell_budget(one.session.budget),
                tell_budget(one.budget),
                one.session.is_unsaved,
            )
            for one in processes
        ),
        (machine.faults, machine.has_failed, machine.is_broken, machine.has_killed),
        (machine.way, machine.is_way_known),
        tuple(time - now for time, _ in dog.strangers if now - time < 30),
    )


PROVEN = SignInBudget(accepted=(signed_in().obtained_at,))
WORLDS: dict[str, tuple[Credential | None, SignInBudget | None]] = {
    "signed out": (None, None),
    "signed in": (signed_in(), PROVEN),
    "never accepted": (signed_in(), None),
    "expired": (signed_in(expires_in=-1), PROVEN),
    "expiring": (signed_in(expires_in=5), PROVEN),
    "no end known": (signed_in()._replace(expires_at=None), PROVEN),
    "no refresh token": (signed_in(refreshable=False), PROVEN),
}

ONE_PROCESS = Bounds(events=often(4, 6))
ONE_FROM_SIGNED_IN = Bounds(events=often(3, 6))
WITH_ONE_MORE_ANSWER = Bounds(events=often(2, 4))
"""Each request has more ways to end, and may meet all of them by itself."""

TWO_PROCESSES = Bounds(
    events=3, processes=2, preemptions=1, kills=1, waits=(660.0,), every=often(5, 1)
)
"""One switch at any step, one kill at any step; in the gate, at every fifth."""

TWO_FROM_SIGNED_IN = replace(TWO_PROCESSES, events=often(2, 3))
"""There are four times as many ways from there."""

ONE_MEETS_ANOTHER = replace(TWO_PROCESSES, events=2, every=1)
"""What goes wrong where two meet once, at any step."""


@pytest.mark.promise("L1", "L2", "L3", "R1")
@pytest.mark.parametrize("world", WORLDS)
def test_one_process_whatever_the_servers_and_the_person_do(world: str) -> None:
    bounds = ONE_PROCESS if world == "signed out" else ONE_FROM_SIGNED_IN
    if world == "no end known":
        bounds = WITH_ONE_MORE_ANSWER
    assert Explorer(bounds, *WORLDS[world]).explore() > 100


@pytest.mark.promise("A4", "A5", "L1", "R1")
@pytest.mark.parametrize(
    ("world", "bounds"),
    [
        ("signed out", TWO_PROCESSES),
        ("expired", TWO_FROM_SIGNED_IN),
        ("no refresh token", TWO_FROM_SIGNED_IN),
    ],
)
def test_two_processes_in_any_order_one_of_them_killed_anywhere(world: str, bounds: Bounds) -> None:
    assert Explorer(bounds, *WORLDS[world]).explore() > 500


SHOWN_AGAIN = Bounds(events=6, kills=2, waits=())
"""A tab that was closed with its process, and the next process as well."""

SHOWN_AGAIN_AND_CLOSED = replace(SHOWN_AGAIN, kills=1, waits=(310.0,))


@pytest.mark.promise("A4", "L1", "L2")
@pytest.mark.report("O25")
def test_one_process_that_is_killed_twice_while_its_tab_is_open() -> None:
    assert Explorer(SHOWN_AGAIN).explore() > 100


WHO_WAITS = Bounds(events=often(1, 3), patience=3.0, waits=(40.0,))
"""For a renewal that fails three times, which is as long as one in doubt is tried."""


@pytest.mark.promise("L1", "L2", "R1")
@pytest.mark.report("O10", "O23")
@pytest.mark.parametrize("world", ["expired", "signed in"])
def test_one_process_that_waits_for_the_token_endpoint(world: str) -> None:
    assert Explorer(WHO_WAITS, *WORLDS[world]).explore() > 100


PAGES = Bounds(
    events=1, patience=260.0, answers=("tokens", "page", *(("doubt", "503") if THOROUGH else ()))
)
"""One request waits for longer than pages may come, and meets each answer after each number."""


@pytest.mark.promise("L1", "L2", "R1")
@pytest.mark.report("O10")
def test_one_process_at_a_token_endpoint_behind_a_gateway() -> None:
    assert Explorer(PAGES, *WORLDS["expired"]).explore() > 50


FAILING_DISK = Bounds(events=often(3, 4), kills=1, faults=1, waits=(40.0, 660.0))
AFTER_A_SIGN_IN = replace(FAILING_DISK, events=often(2, 4))
TWO_AT_A_FAILING_DISK = Bounds(events=often(2, 3), processes=2, kills=1, faults=1, waits=(660.0,))


@pytest.mark.promise("A5", "L1", "L2", "R1")
@pytest.mark.report("S8")
@pytest.mark.parametrize(
    ("world", "bounds"),
    [
        ("signed out", FAILING_DISK),
        ("signed in", AFTER_A_SIGN_IN),
        # In the gate two processes begin there.
        *([("expired", AFTER_A_SIGN_IN), ("expiring", AFTER_A_SIGN_IN)] if THOROUGH else []),
    ],
)
def test_one_process_whose_disk_fails_at_any_write(world: str, bounds: Bounds) -> None:
    assert Explorer(bounds, *WORLDS[world]).explore() > 100


@pytest.mark.promise("A4", "A5", "L1", "L2", "R1")
@pytest.mark.report("S8")
@pytest.mark.parametrize("world", ["signed out", "expired"])
def test_two_processes_whose_disk_fails_at_any_write(world: str) -> None:
    assert Explorer(TWO_AT_A_FAILING_DISK, *WORLDS[world]).explore() > 100


BY_SECRET = Client("by-hand", "static", Secret(CLIENT_SECRET), "client_secret_basic")


@pytest.mark.promise("L1", "R1")
@pytest.mark.report("O9")
@pytest.mark.parametrize(
    ("world", "events"), [("signed out", often(3, 5)), ("expired", often(2, 5))]
)
def test_a_client_whose_secret_is_read_in_one_way_only(world: str, events: int) -> None:
    credential, budget = WORLDS[world]
    if credential is not None:
        credential = credential._replace(client=BY_SECRET)
    explorer = Explorer(Bounds(events), credential, budget, settings=SECRET_SETTINGS)
    assert explorer.explore() > 100


# Deliberate faults ---------------------------------------------------------------------------


def without(action: Action, event: Trigger = Trigger.UNAUTHORIZED) -> tuple[PolicyRule, ...]:
    """The table without a rule."""
    return tuple(rule for rule in POLICY_RULES if (rule.action, rule.event) != (action, event))


def ignoring(fact: Fact, event: Trigger = Trigger.UNAUTHORIZED) -> tuple[PolicyRule, ...]:
    """The table, but that this fact is taken to hold always."""
    return tuple(
        rule._replace(facts=rule.facts - {fact}) if rule.event is event else rule
        for rule in POLICY_RULES
    )


def everywhere(action: Action, event: Trigger) -> tuple[PolicyRule, ...]:
    """The table, but that a rule holds for every token, at any time."""
    return tuple(
        rule._replace(states=frozenset(State), facts=rule.facts - {Fact.RENEWAL_ALLOWED})
        if (rule.action, rule.event) == (action, event)
        else rule
        for rule in POLICY_RULES
    )


DOUBTS_ANY_TOKEN = everywhere(Action.RENEW, Trigger.DOUBTFUL)
RENEWS_FOR_SCOPES = everywhere(Action.RENEW, Trigger.SCOPE_WANTED)


def with_rules(rules: tuple[PolicyRule, ...]) -> MakeSession:
    def make(machine: Machine) -> CredentialLifecycle:
        return CredentialLifecycle(
            SERVER,
            machine.settings,
            machine.random_bytes,
            lambda: 0.0,
            lambda: machine.now,
            rules,
            patience=machine.patience,
        )

    return make


def with_parts(parts: Parts) -> MakeSession:
    return lambda machine: CredentialLifecycle(
        SERVER,
        machine.settings,
        machine.random_bytes,
        lambda: 0.0,
        lambda: machine.now,
        parts=parts,
        patience=machine.patience,
    )


def with_holdings(kind: type[Holdings]) -> MakeSession:
    return with_parts(Parts(holdings=kind))


def with_renewal(kind: type[Renewal]) -> MakeSession:
    return with_parts(Parts(renewal=kind))


def with_sign_in(kind: type[SignIn]) -> MakeSession:
    return with_parts(Parts(sign_in=kind))


class FreshMeansYoung(Holdings):
    """Takes any token for accepted."""

    def state(self) -> State:
        state = super().state()
        return State.PROVEN if state is State.UNPROVEN else state


class ForgetsTabs(SignIn):
    """Opens tabs without writing it down."""

    def note_tab(self, scopes: str, *, automatic: bool) -> Conversation[None]:
        yield from ()


class KeepsItsTabToItself(SignIn):
    """Does not store what another process would need to finish the sign-in."""

    def show(
        self, pending: PendingAuthorization, scopes: str, *, automatic: bool
    ) -> Conversation[None]:
        yield from self.note_tab(scopes, automatic=automatic)
        yield from self.wait_for(pending, AskUser(pending))


class CountsTooEarly(SignIn):
    """Counts a tab before there is what another process would need to finish it."""

    def show(
        self, pending: PendingAuthorization, scopes: str, *, automatic: bool
    ) -> Conversation[None]:
        yield from self.note_tab(scopes, automatic=automatic)
        yield SavePending(pending)
        yield from self.wait_for(pending, AskUser(pending))


class ForgetsThatItWasShown(SignIn):
    """Shows a page again without writing down that it did."""

    def note_shown_again(
        self, pending: PendingAuthorization
    ) -> Conversation[tuple[PendingAuthorization | None, bool]]:
        yield from self.note_tab("", automatic=True)
        return pending, True


class ShowsAgainUncounted(SignIn):
    """Shows a page again without counting its tab."""

    def note_shown_again(
        self, pending: PendingAuthorization
    ) -> Conversation[tuple[PendingAuthorization | None, bool]]:
        again = pending._replace(is_shown_again=True)
        yield SavePending(again)
        return again, True


class RenewsWithoutTheLock(Renewal):
    """Renews at once, whoever else does."""

    def renew(self, *, refused: bool) -> Conversation[None]:
        yield from self.renew_now(self.held.require(), refused=refused)


class RenewsWithoutAnotherLook(Renewal):
    """Takes the lock, and then renews what it knew before."""

    def renew(self, *, refused: bool) -> Conversation[None]:
        known = self.held.require()
        yield AcquireLock(Lock.STORE, 1.0)
        yield from self.renew_now(known, refused=refused)
        yield ReleaseLock(Lock.STORE)


class BelievesEveryFailure(Renewal):
    """Drops the tokens when the token endpoint is down."""

    def renew_now(self, credential: Credential, *, refused: bool) -> Conversation[None]:
        failures = self.held.budget.renewal_failures
        yield from super().renew_now(credential, refused=refused)
        if self.held.budget.renewal_failures > failures:
            yield Save(drop_tokens(credential))


class ForgetsTheWay(Renewal):
    """Sends the client in the way it began with, each time."""

    def renew_now(self, credential: Credential, *, refused: bool) -> Conversation[None]:
        yield from super().renew_now(credential._replace(client=BY_SECRET), refused=refused)


class NeverBacksOff(Holdings):
    """Asks again as soon as it is asked."""

    def facts(self, *given: Any, **more: Any) -> set[Fact]:
        return super().facts(*given, **more) | {Fact.RENEWAL_ALLOWED}


class NeverDoubts(Holdings):
    """Goes on asking whoever refuses without a reason."""

    def facts(self, *given: Any, **more: Any) -> set[Fact]:
        self.budget = msgspec.structs.replace(self.budget, doubts=0)
        return super().facts(*given, **more)


class CountsPagesAtOnce(Renewal):
    """Takes a page of a gateway for a refusal of the token endpoint."""

    def renew_now(self, credential: Credential, *, refused: bool) -> Conversation[None]:
        self.held.budget = yield from ask(UpdateBudget(self._forget))
        yield from super().renew_now(credential, refused=refused)

    @staticmethod
    def _forget(budget: SignInBudget) -> SignInBudget:
        return msgspec.structs.replace(budget, doubted_at=0.0)


class NeverCountsPages(CountsPagesAtOnce):
    """Goes on asking whoever answers by pages."""

    @staticmethod
    def _forget(budget: SignInBudget) -> SignInBudget:
        return msgspec.structs.replace(budget, doubts=min(budget.doubts, 1))


class ShowsAgainAtOnce(Holdings):
    """Takes every tab whose process is gone for closed."""

    def facts(self, *given: Any, **more: Any) -> set[Fact]:
        return super().facts(*given, **more) | {Fact.TAB_DESERTED}


class RedeemsTwice(SignIn):
    """Redeems what comes back without a look at who else does."""

    def wait_for(self, pending: PendingAuthorization, step: AskUser) -> Conversation[None]:
        callback = yield from ask(step)
        if callback is not None:
            yield AcquireLock(Lock.STORE, 1.0)
            yield from flow.finish(pending, callback, SETTINGS, START)
            yield from flow.finish(pending, callback, SETTINGS, START)


class LetsOthersSpend(Holdings):
    """Does not tell others that it has tokens which are not stored."""

    def let_go(self) -> Conversation[None]:
        yield ReleaseLock(Lock.UNSAVED)
        yield ReleaseLock(Lock.STORE)


class OpensTabsUncounted(SignIn):
    """Takes a budget in memory for good enough."""

    @property
    def _is_kept(self) -> bool:
        return False


FAULTS: dict[str, tuple[MakeSession, str, Bounds]] = {
    "a refused new token is renewed": (with_holdings(FreshMeansYoung), "signed in", ONE_PROCESS),
    "a refused new token is not an end": (
        with_rules(without(Action.GIVE_UP_TOKEN)),
        "no refresh token",
        Bounds(5),
    ),
    "the budget is not asked": (with_rules(ignoring(Fact.TAB_ALLOWED)), "signed out", ONE_PROCESS),
    "the budget is not asked for scopes": (
        with_rules(ignoring(Fact.TAB_ALLOWED, Trigger.SCOPE_WANTED)),
        "signed in",
        ONE_PROCESS,
    ),
    "tabs are not written down": (with_sign_in(ForgetsTabs), "signed out", ONE_PROCESS),
    "scopes are asked for again": (
        with_rules(without(Action.GIVE_UP_SCOPE, Trigger.SCOPE_WANTED)),
        "signed in",
        ONE_PROCESS,
    ),
    "others are not waited for": (
        with_rules(without(Action.FOLLOW)),
        "signed out",
        ONE_MEETS_ANOTHER,
    ),
    "an open tab is left alone": (
        with_rules(without(Action.RESUME)),
        "signed out",
        TWO_PROCESSES,
    ),
    "an open tab is known to one process": (
        with_sign_in(KeepsItsTabToItself),
        "signed out",
        ONE_PROCESS,
    ),
    "a renewal that must wait becomes a tab": (
        with_rules(without(Action.GIVE_UP_RENEWAL)),
        "signed in",
        ONE_PROCESS,
    ),
    "a request waits without end": (
        with_rules(ignoring(Fact.RENEWAL_SOON, Trigger.REQUEST)),
        "expired",
        ONE_PROCESS,
    ),
    "a refusal in doubt is never the end of it": (
        with_rules(DOUBTS_ANY_TOKEN),
        "no end known",
        ONE_PROCESS,
    ),
    "a scope that was granted is renewed for again": (
        with_rules(RENEWS_FOR_SCOPES),
        "signed in",
        ONE_PROCESS,
    ),
    "one refusal without a reason is a verdict": (
        with_rules(ignoring(Fact.GRANT_DOUBTED, Trigger.REQUEST)),
        "expired",
        WHO_WAITS,
    ),
    "refusals without a reason have no end": (
        with_holdings(NeverDoubts),
        "expired",
        Bounds(events=1, patience=7.0),
    ),
    "pages of a gateway are a verdict": (with_renewal(CountsPagesAtOnce), "expired", PAGES),
    "pages have no end": (with_renewal(NeverCountsPages), "expired", PAGES),
    "renewals are not spaced": (with_holdings(NeverBacksOff), "signed in", ONE_PROCESS),
    "a renewal takes no lock": (with_renewal(RenewsWithoutTheLock), "expired", ONE_PROCESS),
    "a renewal does not look again": (
        with_renewal(RenewsWithoutAnotherLook),
        "expired",
        ONE_MEETS_ANOTHER,
    ),
    "the way that a client is known is forgotten": (
        with_renewal(ForgetsTheWay),
        "signed out",
        ONE_PROCESS,
    ),
    "any failure ends the sign-in": (with_renewal(BelievesEveryFailure), "expired", ONE_PROCESS),
    "others spend what is not stored": (
        with_holdings(LetsOthersSpend),
        "expired",
        TWO_AT_A_FAILING_DISK,
    ),
    "a tab is opened that is not written down": (
        with_sign_in(OpensTabsUncounted),
        "signed out",
        FAILING_DISK,
    ),
    "a tab is counted that is not opened": (
        with_sign_in(CountsTooEarly),
        "signed out",
        FAILING_DISK,
    ),
    "a page is shown again and again": (
        with_sign_in(ForgetsThatItWasShown),
        "signed out",
        SHOWN_AGAIN,
    ),
    "a tab that shows it again is not counted": (
        with_sign_in(ShowsAgainUncounted),
        "signed out",
        SHOWN_AGAIN_AND_CLOSED,
    ),
    "a page is shown again at once": (with_holdings(ShowsAgainAtOnce), "signed out", SHOWN_AGAIN),
    "a code is redeemed twice": (with_sign_in(RedeemsTwice), "signed out", ONE_PROCESS),
}


ORDERS = often(4, 1)
"""In which a fault is looked for at the same time: what one comes to late, another meets early."""


@pytest.mark.parametrize("fault", FAULTS)
def test_exploration_finds_a_deliberate_fault(fault: str) -> None:
    make_session, world, bounds = FAULTS[fault]
    settings = SECRET_SETTINGS if "client" in fault else SETTINGS
    explorers = [Explorer(bounds, *WORLDS[world], make_session, settings) for _ in range(ORDERS)]
    with pytest.raises(Violation) as found:
        # Whichever comes to it first: all of them would.
        for _ in zip(*(one.begin(order) for order, one in enumerate(explorers)), strict=False):
            pass
    assert " after " in str(found.value), "the choices that led there"
