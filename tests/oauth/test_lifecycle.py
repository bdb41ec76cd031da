"""What a session does and says, one conversation at a time, on a machine in small.

Sequences of them are `test_exploration`'s; here are the words, the commands of a person, and
what needs a certain moment.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress

import pytest

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    Refused,
    SignInFailed,
    StoreError,
    Unusable,
    UsageError,
)
from mcp_remote_py.oauth.budget import (
    ATTEMPTS,
    MAX_TABS_OF_SIGN_IN,
    RENEWAL_PATIENCE,
    SHOWN_AGAIN_AGE,
    SHOWN_AGAIN_WAIT,
    SignInBudget,
    is_doubted,
    note_doubt,
    note_renewal,
    note_renewed,
    note_tab,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.holdings import STORE_PATIENCE
from mcp_remote_py.oauth.lifecycle import FOLLOW_EXTRA, CredentialLifecycle
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AnyStep,
    AskUser,
    BindListener,
    Client,
    Credential,
    Fetch,
    Forget,
    HttpResponse,
    Lock,
    NobodyCame,
    PendingAuthorization,
    ReadShared,
    RecordStatus,
    Renew,
    Reserve,
    Save,
    SavePending,
    ShowPage,
    Stored,
    UpdateBudget,
    Wait,
    WaitForNews,
)
from mcp_remote_py.oauth.tokens import TokenError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import Unattended, WorkloadJwt
from tests.oauth.machine import (
    ISSUER,
    LIFETIME,
    SCOPE_WANTED,
    SERVER,
    SETTINGS,
    START,
    UNAUTHORIZED,
    Machine,
    Oracle,
    Process,
    signed_in,
)
from tests.oauth.web import document

PROVEN = SignInBudget(accepted=(signed_in().obtained_at,))


class Desk(Process):
    """A process whose world can be bent: `answers` are given to steps before the machine's."""

    def __init__(self, machine: Machine, name: str = "P1") -> None:
        super().__init__(machine, name)
        self.answers: Callable[[AnyStep], object] = lambda _: None

    def _do(self, step: AnyStep) -> object:
        answer = self.answers(step)
        if isinstance(answer, McpRemoteError):
            raise answer
        return super()._do(step) if answer is None else answer


def machine(
    *choices: str,
    credential: Credential | None = None,
    budget: SignInBudget | None = None,
    settings: SignInSettings = SETTINGS,
    patience: float = 0.0,
) -> Machine:
    """A world in which these choices are made, in this order."""

    def make(world: Machine) -> CredentialLifecycle:
        return CredentialLifecycle(
            SERVER,
            settings,
            world.random_bytes,
            lambda: 0.0,
            lambda: world.now,
            patience=patience,
        )

    return Machine(Decided(*choices), make, credential, budget)


class Decided(Oracle):
    """Makes the choices it was given."""

    def __init__(self, *choices: str) -> None:
        super().__init__([])
        self._choices = list(choices)

    def choose(self, what: str, *options: str) -> str:
        choice = self._choices.pop(0)
        assert choice in options, f"{what}: {options}"
        return choice


# Before a request


def test_first_request_loads_and_the_next_ones_do_not() -> None:
    desk = Desk(machine(credential=signed_in(), budget=PROVEN))
    assert not desk.session.is_at_hand
    assert desk.play(desk.session.authorize()) == Secret("access-0")
    assert desk.session.is_at_hand
    steps: list[AnyStep] = []
    desk.answers = steps.append
    assert desk.play(desk.session.authorize()) == Secret("access-0")
    assert steps == []


@pytest.mark.promise("A5")
def test_token_that_may_still_do_is_sent_where_the_lock_is_not_to_be_had() -> None:
    busy = McpRemoteError("Another one has it.")
    for expires_in, sent in ((5, "access-0"), (-1, None)):
        desk = Desk(machine(credential=signed_in(expires_in=expires_in), budget=PROVEN))
        desk.answers = lambda step: (
            busy if isinstance(step, AcquireLock) and step.lock is Lock.STORE else None
        )
        if sent is None:
            with pytest.raises(McpRemoteError, match="Another one has it"):
                desk.play(desk.session.authorize())
        else:
            assert desk.play(desk.session.authorize()) == Secret(sent)


@pytest.mark.promise("P2", "A5")
@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        ("503", Refused, "HTTP 503"),
        ("unsent", NotSent, "cannot be reached"),
        ("lost", Refused, "The answer was lost"),
    ],
)
def test_renewal_that_fails_says_what_when_and_how(
    failure: str, kind: type[McpRemoteError], words: str
) -> None:
    world = machine(failure, credential=signed_in(expires_in=-1), budget=PROVEN)
    desk = Desk(world)
    with pytest.raises(kind) as caught:
        desk.play(desk.session.authorize())
    assert caught.value.cause.startswith("The token could not be renewed now: ")
    assert words in caught.value.cause
    assert "Nothing that is stored is lost: it is tried again in " in caught.value.hint
    assert caught.value.hint.count("Nothing that is stored is lost") == 1
    assert caught.value.hint.endswith("To sign in anew: mcp-remote-py login URL.")
    with pytest.raises(
        Refused, match=f"^A recent attempt to renew the token failed: .*{words}"
    ) as caught:
        desk.play(desk.session.authorize())
    assert isinstance(caught.value, Refused)
    assert caught.value.retry_after
    assert world.credential == signed_in(expires_in=-1)


@pytest.mark.promise("P2", "L1")
def test_refusal_soon_after_a_renewal_says_so() -> None:
    renewed = note_renewed(note_renewal(PROVEN, START - 5, refused=True))
    desk = Desk(machine(credential=signed_in(), budget=renewed, patience=RENEWAL_PATIENCE))
    with pytest.raises(Refused, match="again, so soon after it was renewed") as caught:
        desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert "it is tried again in 25 seconds" in caught.value.hint


@pytest.mark.promise("A5", "R1")
def test_tokens_that_ended_while_the_server_was_away_are_followed_by_the_next() -> None:
    budget = PROVEN
    for _ in range(9):
        budget = note_renewed(note_renewal(budget, START - 5))
    desk = Desk(
        machine("tokens", credential=signed_in(expires_in=-1), budget=budget, patience=15.0)
    )
    assert desk.play(desk.session.authorize()) == Secret("access-1")
    assert 10 <= desk.machine.now - START < 11, "15 seconds behind the last one"


@pytest.mark.promise("L1", "L2")
def test_a_token_refused_at_first_is_remembered_by_all_processes() -> None:
    renewed = note_renewed(note_renewal(SignInBudget(), START - 100))
    world = machine(credential=signed_in(), budget=renewed)
    noted: list[AnyStep] = []
    for _ in range(2):
        desk = Desk(world)
        desk.answers = lambda step: noted.append(step) if isinstance(step, UpdateBudget) else None
        with pytest.raises(McpRemoteError, match="refuses a token it was just given"):
            desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert world.budget.rejected == signed_in().obtained_at
    assert len(noted) == 1, "written once for each token, not for each request"


@pytest.mark.promise("A5", "R1")
@pytest.mark.report("O23")
@pytest.mark.parametrize("expires_in", [-1, LIFETIME], ids=["expired", "refused"])
@pytest.mark.parametrize("failure", ["503", "unsent"])
def test_request_waits_while_the_token_endpoint_comes_back(failure: str, expires_in: float) -> None:
    choices = (*[failure] * 3, "tokens")
    credential = signed_in(expires_in=expires_in)
    desk = Desk(machine(*choices, credential=credential, budget=PROVEN, patience=RENEWAL_PATIENCE))
    if expires_in < 0:
        assert desk.play(desk.session.authorize()) == Secret("access-1")
    else:
        assert desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
        assert desk.session.token == Secret("access-1")
    assert 7 <= desk.machine.now - START < 8, "1, 2 and 4 seconds"
    assert desk.machine.watchdog.tabs == []


@pytest.mark.promise("A5", "L1", "L2")
@pytest.mark.report("O10")
@pytest.mark.parametrize("expires_in", [-1, LIFETIME], ids=["expired", "refused"])
def test_three_refusals_without_a_reason_are_the_end_of_a_sign_in(expires_in: float) -> None:
    choices = [*["doubt"] * 3, "consents", "tokens", "200"]
    if expires_in > 0:
        choices.insert(0, "401")
    world = machine(
        *choices,
        credential=signed_in(expires_in=expires_in),
        budget=PROVEN,
        patience=RENEWAL_PATIENCE,
    )
    desk = Desk(world)
    desk.begin_request()
    for _ in range(5):
        desk.run(lambda _: False)
    assert world.unanswered == 0
    assert len(world.watchdog.tabs) == 1
    assert world.watchdog.tabs[0] - START < 4, "three tries, 1 and 2 seconds apart"
    told = [one.error for one in world.published if one.error]
    assert told[0].startswith("The token endpoint has refused the refresh token at least 3 times: ")
    assert "Not possible." in told[0]


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
def test_refusals_of_another_refresh_token_are_not_counted() -> None:
    old, new = signed_in().obtained_at, START

    def doubt(budget: SignInBudget, obtained_at: float) -> SignInBudget:
        return note_doubt(budget, obtained_at, START, is_foreign=False)

    budget = doubt(doubt(SignInBudget(), old), old)
    assert not is_doubted(doubt(budget, new), new)
    assert is_doubted(doubt(budget, old), old)
    assert not is_doubted(doubt(budget, old), new)


@pytest.mark.promise("A5", "L2")
@pytest.mark.report("O10")
def test_pages_in_the_place_of_a_refusal_count_once_a_minute() -> None:
    of, budget = signed_in().obtained_at, SignInBudget()
    for seconds, count in ((0, 1), (1, 1), (59.9, 1), (60, 2), (119, 2), (120, 3)):
        budget = note_doubt(budget, of, START + seconds, is_foreign=True)
        assert budget.doubts == count, seconds
    assert note_doubt(budget, START, START + 121, is_foreign=True).doubts == 1
    # What the token endpoint itself says counts at once; a time to come was of another clock.
    assert note_doubt(budget, of, START + 121, is_foreign=False).doubts == 4
    assert note_doubt(budget, of, START, is_foreign=True).doubts == 4


@pytest.mark.promise("A5", "L1", "L2")
@pytest.mark.report("O10")
def test_gateway_that_answers_for_the_token_endpoint_for_a_minute_costs_nothing() -> None:
    choices = [*["page"] * 5, "tokens", "200"]
    desk = Desk(machine(*choices, credential=signed_in(expires_in=-1), budget=PROVEN))
    desk.machine.refresh_answers = ("page", "tokens")
    while desk.machine.issued == 0 and desk.machine.now < START + 100:
        with suppress(McpRemoteError):
            desk.play(desk.session.authorize())
        desk.machine.now += 1
    assert desk.session.token == Secret("access-1")
    assert desk.machine.watchdog.tabs == []
    assert 31 <= desk.machine.now - START < 40


@pytest.mark.promise("A5", "L1", "L2")
@pytest.mark.report("O10")
def test_pages_without_end_are_the_end_of_a_sign_in() -> None:
    choices = [*["page"] * 8, "consents", "tokens"]
    desk = Desk(machine(*choices, credential=signed_in(expires_in=-1), budget=PROVEN))
    desk.machine.refresh_answers = ("page", "tokens")
    while desk.machine.credential is not None and desk.machine.credential.refresh_token:
        assert desk.machine.now < START + 300
        with suppress(McpRemoteError):
            desk.play(desk.session.authorize())
        desk.machine.now += 1
    assert desk.machine.now - START > 120
    assert len(desk.machine.watchdog.renewals) == 8
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-1")
    assert len(desk.machine.watchdog.tabs) == 1


UNKNOWN_END = signed_in()._replace(expires_at=None)
IN_DOUBT = Challenge(error="unauthorized")


@pytest.mark.promise("L1", "L2")
@pytest.mark.report("O19")
@pytest.mark.parametrize(
    ("status", "challenge"), [(500, IN_DOUBT), (403, Challenge(error="insufficient_scope"))]
)
def test_refusal_in_doubt_is_one_renewal_for_a_token_that_worked(
    status: int, challenge: Challenge
) -> None:
    desk = Desk(machine("tokens", credential=UNKNOWN_END, budget=PROVEN))
    desk.play(desk.session.authorize())
    assert desk.play(desk.session.answer(Secret("access-0"), status, challenge))
    assert desk.session.token == Secret("access-1")
    assert not desk.play(desk.session.answer(Secret("access-1"), 500, IN_DOUBT)), "never accepted"
    change = desk.session.note_acceptance(Secret("access-1"))
    assert change is not None
    desk.machine.budget = change(desk.machine.budget)
    assert not desk.play(desk.session.answer(Secret("access-1"), 500, IN_DOUBT)), "so soon"
    assert desk.machine.watchdog.tabs == []


@pytest.mark.promise("L1")
@pytest.mark.report("O19")
@pytest.mark.parametrize(
    ("credential", "budget", "status", "challenge"),
    [
        (signed_in(), PROVEN, 500, IN_DOUBT),
        (UNKNOWN_END, SignInBudget(), 500, IN_DOUBT),
        (UNKNOWN_END._replace(refresh_token=None), PROVEN, 500, IN_DOUBT),
        (UNKNOWN_END, PROVEN, 429, IN_DOUBT),
        (UNKNOWN_END, PROVEN, 403, Challenge(error="quota")),
    ],
)
def test_other_refusal_in_doubt_is_the_servers_answer(
    credential: Credential, budget: SignInBudget, status: int, challenge: Challenge
) -> None:
    desk = Desk(machine(credential=credential, budget=budget))
    desk.play(desk.session.authorize())
    assert not desk.play(desk.session.answer(Secret("access-0"), status, challenge))


@pytest.mark.promise("A5", "L1")
@pytest.mark.report("O19")
@pytest.mark.parametrize("status", [401, 403])
def test_scope_that_was_granted_is_renewed_first(status: int) -> None:
    desk = Desk(machine("tokens", credential=signed_in(), budget=PROVEN))
    desk.play(desk.session.authorize())
    challenge = Challenge(error="insufficient_scope", scope="read")
    assert desk.play(desk.session.answer(Secret("access-0"), status, challenge))
    assert desk.session.token == Secret("access-1")
    assert desk.machine.watchdog.tabs == []


@pytest.mark.promise("A3", "L2")
@pytest.mark.report("O19")
@pytest.mark.parametrize("status", [401, 403])
def test_scope_that_was_not_granted_is_asked_for(status: int) -> None:
    desk = Desk(machine("consents", "tokens", credential=signed_in(), budget=PROVEN))
    desk.play(desk.session.authorize())
    assert desk.play(desk.session.answer(Secret("access-0"), status, SCOPE_WANTED))
    assert len(desk.machine.watchdog.tabs) == 1
    assert desk.machine.watchdog.scopes == {"read write"}


@pytest.mark.promise("A5", "L1")
@pytest.mark.report("O10")
def test_who_acts_without_a_person_goes_on_asking() -> None:
    settings = SETTINGS.replace(unattended=Unattended(WorkloadJwt("/run/jwt")))
    desk = Desk(machine(credential=signed_in(expires_in=-1), settings=settings, budget=PROVEN))
    doubt = TokenError("Refused.", status=400, is_doubtful=True)
    desk.answers = lambda step: doubt if isinstance(step, Renew) else None
    for _ in range(4):
        with pytest.raises(Refused, match="could not be renewed now: Refused"):
            desk.play(desk.session.authorize())
        desk.machine.now += 40
    assert desk.machine.credential == signed_in(expires_in=-1)


@pytest.mark.promise("A6")
@pytest.mark.parametrize(
    ("failure", "is_passing"),
    [
        (NotSent("Nobody there."), True),
        (Interrupted("Lost."), True),
        (TokenError("Down.", status=503), True),
        (TokenError("No.", status=400), False),
        (UsageError("No file."), False),
        (Unusable("A page."), False),
    ],
)
def test_a_renewal_that_nobody_answered_passes(failure: McpRemoteError, is_passing: bool) -> None:
    """A host may be answered meanwhile in the server's place: a person need not mend anything."""
    desk = Desk(machine(credential=signed_in(expires_in=-1), budget=PROVEN))
    desk.answers = lambda step: failure if isinstance(step, Renew) else None
    errors: list[Refused] = []
    for process in (desk, desk, Desk(desk.machine)):
        with pytest.raises((Refused, NotSent)) as caught:
            process.play(process.session.authorize())
        if isinstance(caught.value, Refused):
            errors.append(caught.value)
    first, *_, another = errors
    assert first.is_passing is is_passing
    assert another.cause == "A recent attempt to renew the token failed."
    assert another.is_passing  # what it was is not known there


@pytest.mark.promise("R1", "P2")
@pytest.mark.report("O23")
def test_request_waits_no_longer_than_its_patience() -> None:
    world = machine(
        *["503"] * 5,
        credential=signed_in(expires_in=-1),
        budget=PROVEN,
        patience=RENEWAL_PATIENCE,
    )
    desk = Desk(world)
    with pytest.raises(Refused, match="could not be renewed now") as caught:
        desk.play(desk.session.authorize())
    assert world.now - START <= RENEWAL_PATIENCE
    assert "it is tried again in 16 seconds" in caught.value.hint


def test_what_could_not_be_stored_is_used_until_something_newer_is_stored() -> None:
    world = machine("tokens", credential=signed_in(expires_in=-1), budget=PROVEN)
    desk = Desk(world)
    # A disk that takes nothing.
    world.save = lambda credential, by: None  # type: ignore[method-assign]
    assert desk.play(desk.session.authorize()) == Secret("access-1")
    assert world.credential == signed_in(expires_in=-1)
    assert desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-1")
    world.credential = signed_in()._replace(access_token=Secret("newer"), obtained_at=START + 9)
    assert desk.play(desk.session.answer(Secret("access-1"), 401, UNAUTHORIZED))
    assert desk.session.token == Secret("newer")


def test_id_token_is_the_token_where_it_is_to_be_sent() -> None:
    credential = signed_in()._replace(id_token=Secret("id-0"))
    desk = Desk(machine(credential=credential, settings=SETTINGS.replace(use_id_token=True)))
    assert desk.play(desk.session.authorize()) == Secret("id-0")


# Refusals


@pytest.mark.promise("L3", "P2")
def test_new_token_that_is_refused_is_compared_with_what_it_should_be() -> None:
    world = machine(credential=signed_in())
    desk = Desk(world)
    challenge = Challenge(error="invalid_token", error_description="wrong audience")
    with pytest.raises(Refused) as caught:
        desk.play(desk.session.answer(Secret("access-0"), 401, challenge))
    assert caught.value.cause == (
        "The server refuses a token it was just given (wrong audience). "
        "The token is opaque: what it is for cannot be seen from here."
    )
    assert "--resource" in caught.value.hint
    resource = signed_in().resource
    assert f"--authorize-param audience={resource} if it reads that" in caught.value.hint
    assert "mcp-remote-py login URL" in caught.value.hint
    assert caught.value.status == 401


@pytest.mark.promise("L3", "P2")
def test_token_whose_record_is_lost_is_not_called_new() -> None:
    """It may have worked for days; nobody here knows."""
    world = machine(credential=signed_in())
    world.is_recorded = False
    desk = Desk(world)
    with pytest.raises(Refused) as caught:
        desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert caught.value.cause.startswith(
        "The server refuses a token that may never have worked (its record is lost). "
    )
    assert caught.value.hint.startswith("If it did, sign in again: mcp-remote-py login URL. If ")
    assert "--resource" in caught.value.hint
    assert caught.value.hint.count("mcp-remote-py login URL") == 1


@pytest.mark.promise("L3", "P2")
def test_token_that_was_given_long_ago_and_never_used_is_not_called_new() -> None:
    world = machine(credential=signed_in()._replace(obtained_at=START - 7200))
    desk = Desk(world)
    with pytest.raises(Refused, match="refuses a token it has never accepted"):
        desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))


@pytest.mark.parametrize(
    ("challenge", "sent"),
    [
        (Challenge(), Secret("access-0")),
        (Challenge(error="insufficient_scope"), Secret("access-0")),
        (Challenge(error="insufficient_scope", scope=" "), Secret("access-0")),
        (SCOPE_WANTED, None),
    ],
)
def test_other_403_is_the_servers_answer(challenge: Challenge, sent: Secret | None) -> None:
    desk = Desk(machine(credential=signed_in(), budget=PROVEN))
    assert not desk.play(desk.session.answer(sent, 403, challenge))


@pytest.mark.promise("P2")
def test_the_words_of_a_refusal_are_told_in_short() -> None:
    words = Challenge(error="invalid_token", error_description="no " * 20_000)
    desk = Desk(machine(credential=signed_in()))
    with pytest.raises(Refused, match="refuses a token it was just given") as caught:
        desk.play(desk.session.answer(Secret("access-0"), 401, words))
    assert len(caught.value.sentence()) < 1000
    desk = Desk(machine(credential=signed_in(), budget=PROVEN))
    scope = " ".join(f"scope-{number}" for number in range(5000))
    wanted_before = (" ".join(sorted(scope.split())),)
    desk.machine.budget = SignInBudget(accepted=PROVEN.accepted, scopes=wanted_before)
    wanted = Challenge(error="insufficient_scope", scope=scope)
    with pytest.raises(Refused, match="still wants the scope") as caught:
        desk.play(desk.session.answer(Secret("access-0"), 403, wanted))
    assert len(caught.value.sentence()) < 1000


@pytest.mark.promise("P2")
def test_scope_that_was_asked_for_in_vain_is_named() -> None:
    world = machine("consents", "tokens", credential=signed_in(), budget=PROVEN)
    desk = Desk(world)
    assert desk.play(desk.session.answer(Secret("access-0"), 403, SCOPE_WANTED))
    assert world.reports[-1] == f"Signed in at {ISSUER}."
    with pytest.raises(Refused, match='still wants the scope "write" after it') as caught:
        desk.play(desk.session.answer(Secret("access-1"), 403, SCOPE_WANTED))
    assert caught.value.hint.startswith("Your account may not have it.")


@pytest.mark.promise("L2", "P2")
@pytest.mark.parametrize(
    ("person", "cause"),
    [("denies", "The sign-in was declined (access_denied)."), ("closes", "Nobody came.")],
)
def test_after_a_sign_in_that_failed_it_is_said_how_and_what_now(person: str, cause: str) -> None:
    world = machine(person)
    desk = Desk(world)
    with pytest.raises(McpRemoteError, match=cause[:15]):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    with pytest.raises(McpRemoteError) as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert caught.value.cause == cause
    assert caught.value.hint.startswith("No other sign-in starts by itself for ")
    assert caught.value.hint.count("mcp-remote-py login URL") == 1
    assert world.watchdog.tabs == [START]


@pytest.mark.promise("L2")
def test_budget_that_another_process_has_spent_counts() -> None:
    world = machine(budget=note_tab(SignInBudget(), START - 1))
    desk = Desk(world)
    with pytest.raises(McpRemoteError, match="came to nothing") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert caught.value.hint == (
        "No other sign-in starts by itself for 10 minutes. To sign in now: mcp-remote-py login URL."
    )


@pytest.mark.promise("L1", "L2")
@pytest.mark.parametrize("others", ["nothing", "a process at it", "a tab of the dead"])
@pytest.mark.parametrize(
    ("challenge", "status", "credential", "words"),
    [
        (UNAUTHORIZED, 401, None, "The server wants a sign-in."),
        (SCOPE_WANTED, 403, signed_in(), "The server wants a sign-in with the scopes write."),
    ],
)
def test_who_only_looks_asks_nobody_and_counts_nothing(
    others: str, challenge: Challenge, status: int, credential: Credential | None, words: str
) -> None:
    settings = SETTINGS.replace(asks_person=False)
    world = machine(credential=credential, budget=PROVEN, settings=settings)
    if others == "a process at it":
        world.locks[Lock.SIGN_IN] = Desk(world, "other")
    if others == "a tab of the dead":
        donor = machine("consents", "tokens")
        tab_of_the_dead(donor)
        world.pending = donor.pending
    desk = Desk(world)
    steps: list[AnyStep] = []
    desk.answers = steps.append
    with pytest.raises(SignInFailed) as caught:
        desk.play(desk.session.answer(credential and credential.access_token, status, challenge))
    assert caught.value.sentence() == f"{words} Sign in: mcp-remote-py login URL."
    assert {type(step) for step in steps} <= {ReadShared}
    assert (world.watchdog.tabs, desk.session.budget) == ([], PROVEN)


def test_who_only_looks_renews_what_can_be_renewed() -> None:
    settings = SETTINGS.replace(asks_person=False)
    world = machine("tokens", credential=signed_in(), budget=PROVEN, settings=settings)
    desk = Desk(world)
    assert desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-1")


@pytest.mark.promise("A4")
def test_sign_in_of_another_process_is_waited_for_but_not_for_ever() -> None:
    world = machine()
    world.locks[Lock.SIGN_IN] = Desk(world, "other")
    desk = Desk(world)

    def long_ago(step: AnyStep) -> None:
        world.now += 30

    desk.answers = long_ago
    with pytest.raises(McpRemoteError, match="signing in for too long") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED), turns=200)
    assert world.now - START > SETTINGS.timeout + FOLLOW_EXTRA
    assert "End it" in caught.value.hint


@pytest.mark.promise("A4", "A6")
def test_tab_whose_process_is_gone_is_waited_for_where_it_leads() -> None:
    world = machine("consents", "tokens")
    first = Desk(world)
    first.begin_request()
    first.run(lambda step: isinstance(step, AskUser))
    first.run(lambda _: False)
    pending = world.pending
    assert pending is not None
    first.kill()
    steps: list[AnyStep] = []
    second = Desk(world)
    second.answers = steps.append
    assert second.play(second.session.answer(None, 401, UNAUTHORIZED))
    asked = [step for step in steps if isinstance(step, AskUser)]
    assert set(asked) == {AskUser(pending, opens_tab=False, patience=SHOWN_AGAIN_AGE)}
    assert len(world.watchdog.tabs) == 1
    assert world.reports[-1] == f"Still waiting for the sign-in at mcp.example: {pending.url}"
    assert world.pending is None


def tab_of_the_dead(world: Machine) -> PendingAuthorization:
    """A process has opened a tab, and was killed."""
    first = Desk(world, "first")
    first.begin_request()
    first.run(lambda _: False)
    first.kill()
    assert world.pending is not None
    return world.pending


def asks_of(world: Machine, desk: Desk) -> list[AskUser]:
    """How the person is asked by a process whose request the server refuses."""
    asked: list[AskUser] = []

    def note(step: AnyStep) -> None:
        if isinstance(step, AskUser) and step not in asked:
            asked.append(step)

    desk.answers = note
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    return asked


@pytest.mark.promise("A4", "L2")
@pytest.mark.report("O25")
@pytest.mark.parametrize(("age", "patience"), [(0.0, 30.0), (25.0, 10.0), (200.0, 10.0)])
def test_tab_that_nobody_comes_back_from_is_opened_once_more(age: float, patience: float) -> None:
    world = machine("is away", "consents", "tokens")
    pending = tab_of_the_dead(world)
    world.now += age
    before, after = asks_of(world, Desk(world))
    assert before == AskUser(pending, opens_tab=False, patience=patience)
    assert after.opens_tab
    assert after.patience is None
    assert (after.pending.url, after.pending.state) == (pending.url, pending.state)
    assert after.pending.is_shown_again
    assert after.pending.expires_at == START + age + patience + SETTINGS.timeout, "time for it, too"
    assert world.watchdog.tabs == list(world.budget.tabs) == [START, START + age + patience]
    assert world.budget.vain_tabs == 2
    assert world.pending is None
    assert (
        "Nobody came back from the sign-in at mcp.example: its page is opened once more."
        in world.reports
    )


@pytest.mark.promise("L2")
@pytest.mark.report("O25")
def test_page_is_shown_again_once_whoever_waits_for_it() -> None:
    world = machine("is away", "consents", "tokens")
    tab_of_the_dead(world)
    second = Desk(world, "second")
    second.begin_request()
    second.run(lambda _: False)
    second.run(lambda _: False)
    assert len(world.watchdog.tabs) == 2
    second.kill()
    noted = world.pending
    assert noted is not None
    assert asks_of(world, Desk(world)) == [AskUser(noted, opens_tab=False)]
    assert len(world.watchdog.tabs) == 2


@pytest.mark.promise("L2", "A5")
@pytest.mark.report("O25")
@pytest.mark.parametrize("broken", [SavePending, UpdateBudget, AcquireLock])
def test_page_that_could_not_be_noted_is_waited_for_and_not_shown_again(
    broken: type[AnyStep],
) -> None:
    world = machine("is away", "consents", "tokens")
    tab_of_the_dead(world)
    desk = Desk(world)
    asked: list[AskUser] = []

    def fail(step: AnyStep) -> object:
        if isinstance(step, AskUser) and step not in asked:
            asked.append(step)
        is_noting = len(asked) == 1 and step != AcquireLock(Lock.SIGN_IN)
        return StoreError("No space left.") if is_noting and isinstance(step, broken) else None

    desk.answers = fail
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert [one.opens_tab for one in asked] == [False, False]
    assert world.watchdog.tabs == list(world.budget.tabs) == [START]
    assert "The sign-in page is not shown again: No space left." in world.reports


@pytest.mark.promise("L2")
@pytest.mark.report("O25")
def test_page_is_not_shown_again_once_somebody_has_finished_it() -> None:
    """In the moment before: what another process got then serves this one."""
    world = machine("is away")
    tab_of_the_dead(world)
    desk = Desk(world)
    asked: list[AskUser] = []

    def finish_elsewhere(step: AnyStep) -> None:
        if isinstance(step, AskUser) and step not in asked:
            asked.append(step)
        if asked and step == AcquireLock(Lock.STORE, STORE_PATIENCE):
            world.pending, world.credential = None, signed_in()

    desk.answers = finish_elsewhere
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-0")
    assert [one.opens_tab for one in asked] == [False]
    assert world.watchdog.tabs == list(world.budget.tabs) == [START]
    assert world.pending is None


@pytest.mark.promise("L2")
@pytest.mark.report("O25")
def test_page_is_not_shown_again_on_a_day_with_ten_tabs() -> None:
    world = machine("consents", "tokens")
    pending = tab_of_the_dead(world)
    world.budget = SignInBudget(tabs=(*(START - 1000 * n for n in range(9, 0, -1)), START))
    world.now += 100
    assert asks_of(world, Desk(world)) == [AskUser(pending, opens_tab=False)]


@pytest.mark.promise("A6", "L2")
@pytest.mark.report("O25")
def test_tool_opens_the_page_at_once_whoever_waits_and_so_often() -> None:
    world = machine()
    other, pending = waiting_elsewhere(world)
    desk = Desk(world)
    shown: list[PendingAuthorization] = []

    def show(step: AnyStep) -> object:
        if isinstance(step, ShowPage):
            shown.append(step.pending)
            return True
        return None

    desk.answers = other.answers = show
    opened: list[bool] = []
    for _ in range(MAX_TABS_OF_SIGN_IN + 1):
        world.now += SHOWN_AGAIN_WAIT
        opened.append(desk.play(desk.session.show_page()))
        assert not desk.play(desk.session.show_page()), "it opens at this moment"
    assert opened == [True] * (MAX_TABS_OF_SIGN_IN - 1) + [False, False]
    assert shown == [pending] * (MAX_TABS_OF_SIGN_IN - 1)
    assert len(world.budget.tabs) == MAX_TABS_OF_SIGN_IN
    assert world.budget.vain_tabs == 1, "a person has asked: no wait is longer for it"


@pytest.mark.promise("A6")
@pytest.mark.report("O25")
def test_tool_opens_nothing_where_nobody_is_waited_for() -> None:
    world = machine("consents", "tokens")
    desk = Desk(world)
    assert not desk.play(desk.session.show_page())
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    world.now += SHOWN_AGAIN_WAIT
    assert not desk.play(desk.session.show_page())
    other = machine()
    _, pending = waiting_elsewhere(other)
    other.now = pending.expires_at
    late = Desk(other)
    assert not late.play(late.session.show_page())


def test_tab_that_cannot_be_waited_for_is_given_up() -> None:
    world = machine("consents")
    first = Desk(world)
    first.begin_request()
    first.run(lambda _: False)
    first.kill()
    second = Desk(world)
    taken = McpRemoteError("The port is taken.", hint="End who has it.")
    second.answers = lambda step: taken if isinstance(step, AskUser) else None
    with pytest.raises(McpRemoteError, match="port is taken"):
        second.play(second.session.answer(None, 401, UNAUTHORIZED))
    assert world.pending is None
    assert world.published[-1].error == "The port is taken."


def break_disk(desk: Desk) -> None:
    """Nothing is written any more once a sign-in is."""

    def fail(step: AnyStep) -> object:
        is_broken = (
            isinstance(step, UpdateBudget | SavePending) and desk.machine.pending is not None
        )
        return StoreError("Input/output error.") if is_broken else None

    desk.answers = fail


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
def test_sign_in_that_was_stored_and_not_counted_is_begun_anew_with_one_tab() -> None:
    world = machine("consents", "tokens")
    first = Desk(world)
    break_disk(first)
    with pytest.raises(StoreError, match="Input/output"):
        first.play(first.session.answer(None, 401, UNAUTHORIZED))
    assert world.pending is not None
    assert (world.watchdog.tabs, world.budget.tabs) == ([], ())
    second = Desk(world)
    assert second.play(second.session.answer(None, 401, UNAUTHORIZED))
    assert world.watchdog.tabs == list(world.budget.tabs) == [START]
    assert world.pending is None


@pytest.mark.promise("L2")
@pytest.mark.report("S8")
def test_sign_in_that_was_not_counted_is_shown_to_nobody() -> None:
    world = machine("consents", "tokens")
    first = Desk(world)
    break_disk(first)
    with pytest.raises(StoreError):
        first.play(first.session.answer(None, 401, UNAUTHORIZED))
    other, desk = Desk(world, "other"), Desk(world)
    world.locks[Lock.SIGN_IN] = other

    def soon(step: AnyStep) -> None:
        if isinstance(step, WaitForNews):
            world.locks.clear()

    desk.answers = soon
    assert desk.play(desk.session.sign_in(Challenge())).access_token == Secret("access-1")
    assert not [text for text in world.reports if "this is its page" in text]


@pytest.mark.promise("L3")
@pytest.mark.report("S8")
def test_sign_in_that_was_answered_is_not_waited_for_where_the_disk_still_has_it() -> None:
    world = machine("consents", "tokens")
    desk = Desk(world)
    stuck = StoreError("Input/output error.")
    desk.answers = lambda step: (
        stuck if isinstance(step, SavePending) and step.pending is None else None
    )
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert world.pending is not None
    with pytest.raises(Refused, match="a token it was just given"):
        desk.play(desk.session.answer(Secret("access-1"), 401, UNAUTHORIZED))


@pytest.mark.promise("A5")
def test_definite_refusal_ends_the_credential_and_is_told_to_status() -> None:
    world = machine("refused", "denies", credential=signed_in(), budget=PROVEN)
    desk = Desk(world)
    with pytest.raises(McpRemoteError, match="declined"):
        desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    assert [told.credential for told in world.published] == [None, None]
    assert "invalid_grant" in world.published[0].error
    assert world.credential is not None
    assert world.credential.access_token is None


def test_killed_renewal_is_made_good() -> None:
    world = machine(
        "tokens", credential=signed_in(expires_in=-1), budget=note_renewal(PROVEN, START - 1)
    )
    desk = Desk(world)
    assert desk.play(desk.session.authorize()) == Secret("access-1")
    assert world.budget.unfinished_renewals == 0


# A person's commands


@pytest.mark.promise("L2")
def test_person_signs_in_whatever_the_budget_says_and_it_is_reset() -> None:
    spent = note_tab(note_tab(PROVEN, START - 2), START - 1)
    world = machine("consents", "tokens", budget=spent)
    desk = Desk(world)
    credential = desk.play(desk.session.sign_in(Challenge()))
    assert credential.access_token == Secret("access-1")
    assert world.credential == credential
    assert world.budget == PROVEN
    assert world.published[-1].credential == credential
    assert not [text for text in world.reports if text.startswith("Signed in")]


@pytest.mark.promise("L1", "L2")
@pytest.mark.parametrize("tried", [False, True], ids=["first", "second"])
def test_person_who_declines_is_not_asked_again_by_itself(tried: bool) -> None:
    """A no is a no, also to a page that a person asked for."""
    world = machine("denies", budget=note_tab(SignInBudget(), START - 1) if tried else None)
    desk = Desk(world)
    with pytest.raises(McpRemoteError, match="declined"):
        desk.play(desk.session.sign_in(Challenge()))
    assert world.budget.tabs == ((START - 1, START) if tried else (START,))
    wait = "60 minutes" if tried else "10 minutes"
    with pytest.raises(McpRemoteError, match="declined") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert f"No other sign-in starts by itself for {wait}." in caught.value.hint


@pytest.mark.promise("L1", "L4")
def test_page_of_a_command_that_was_killed_counts_when_it_is_declined() -> None:
    world = machine("denies")
    command, desk = Desk(world, "command"), Desk(world)

    def be_killed(step: AnyStep) -> None:
        if isinstance(step, AskUser):
            world.open_tab(step.pending)
            raise InterruptedError

    command.answers = be_killed
    with pytest.raises(InterruptedError):
        command.play(command.session.sign_in(Challenge()))
    world.unanswered += 1  # by nobody, as a command does not have a host
    command.kill()
    with pytest.raises(McpRemoteError, match="declined"):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    world.now += ATTEMPTS.longest + 1
    with pytest.raises(McpRemoteError, match="declined") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert "No other sign-in starts by itself for 9 minutes." in caught.value.hint


def waiting_elsewhere(world: Machine) -> tuple[Desk, PendingAuthorization]:
    """Another process that has opened a tab."""
    other = Desk(world, "other")
    other.begin_request()
    other.run(lambda _: False)
    assert world.pending is not None
    return other, world.pending


@pytest.mark.promise("A4")
@pytest.mark.parametrize("person", ["consents", "denies"])
def test_person_joins_the_sign_in_of_another_process(person: str) -> None:
    world = machine(person, "tokens", "200")
    other, pending = waiting_elsewhere(world)
    desk = Desk(world)

    def meanwhile(step: AnyStep) -> None:
        if isinstance(step, AskUser):
            assert step == AskUser(pending, listens=False)
            other.run(lambda _: False)  # the browser comes back there

    desk.answers = meanwhile
    conversation = desk.session.sign_in(Challenge())
    if person == "denies":
        with pytest.raises(SignInFailed, match="was declined") as caught:
            desk.play(conversation)
        assert "mcp-remote-py login URL" in caught.value.hint
    else:
        assert desk.play(conversation).access_token == Secret("access-1")
    assert "Another mcp-remote-py waits for this sign-in: this is its page." in world.reports
    assert len(world.watchdog.tabs) == 1


@pytest.mark.promise("A4")
def test_person_brings_the_end_of_another_process_sign_in_by_hand() -> None:
    world = machine("tokens", "200")
    other, _ = waiting_elsewhere(world)
    world.by_hand = True
    desk = Desk(world)
    assert desk.play(desk.session.sign_in(Challenge())).access_token == Secret("access-1")
    assert world.pending is None
    other.run(lambda _: False)
    assert other.is_idle, "and works"
    assert other.session.token == Secret("access-1")
    assert world.unanswered == 0


@pytest.mark.promise("A4")
def test_end_brought_by_hand_that_is_refused_is_told_to_whoever_listens() -> None:
    world = machine("refused")
    other, _ = waiting_elsewhere(world)
    world.by_hand = True
    desk = Desk(world)
    with pytest.raises(McpRemoteError) as caught:
        desk.play(desk.session.sign_in(Challenge()))
    assert "invalid_grant" in caught.value.cause
    assert world.pending is None
    assert world.budget.failed_attempts == 1
    assert world.published[-1].error == caught.value.cause
    other.run(lambda _: False)
    assert other.is_idle, "and does not ask for another sign-in"
    assert len(world.watchdog.tabs) == 1
    assert world.unanswered == 0


def test_person_waits_for_a_process_that_has_not_asked_yet() -> None:
    world = machine("consents", "tokens")
    other = Desk(world, "other")
    world.locks[Lock.SIGN_IN] = other
    desk = Desk(world)

    def soon(step: AnyStep) -> None:
        if isinstance(step, WaitForNews):
            world.locks.clear()

    desk.answers = soon
    assert desk.play(desk.session.sign_in(Challenge())).access_token == Secret("access-1")


def test_nobody_came_to_a_page_that_another_process_waits_at() -> None:
    world = machine()
    _, pending = waiting_elsewhere(world)
    desk = Desk(world)
    late = NobodyCame("Nobody finished the sign-in.")
    desk.answers = lambda step: late if isinstance(step, AskUser) else None
    with pytest.raises(NobodyCame):
        desk.play(desk.session.sign_in(Challenge()))
    assert world.pending == pending, "it is the other's to give up"
    desk.answers = lambda step: McpRemoteError("No browser.") if isinstance(step, AskUser) else None
    with pytest.raises(McpRemoteError, match="No browser"):
        desk.play(desk.session.sign_in(Challenge()))
    assert world.pending == pending


def test_sign_out_revokes_and_forgets_also_what_cannot_be_revoked() -> None:
    world = machine(credential=signed_in()._replace(revocation_endpoint=f"{ISSUER}/revoke"))
    desk = Desk(world)
    assert desk.play(desk.session.sign_out()) is Stored.TOKENS
    assert world.credential is None
    assert desk.session.token is None
    assert "was not revoked: HTTP 404" in world.reports[0]
    assert desk.play(desk.session.sign_out()) is Stored.NOTHING


@pytest.mark.promise("A3", "L2")
@pytest.mark.parametrize("offered", [True, False])
def test_sign_in_by_a_code_counts_like_a_tab_once_it_is_asked_for(offered: bool) -> None:
    world = machine(settings=SETTINGS.replace(device_code=True))
    world.device_codes = offered
    desk = Desk(world)
    with pytest.raises(SignInFailed, match=r"without a code|does not offer a sign-in by code"):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert world.budget.tabs == ((START,) if offered else ())
    assert world.budget.attempt_after > START


AGENT = Secret(
    json.dumps({"client_id": "agent", "client_secret": "canary-agent-secret", "issuer": ISSUER})
)


@pytest.mark.promise("A3", "L1", "L3")
def test_a_sign_in_without_a_person_opens_nothing_and_is_bounded_all_the_same() -> None:
    settings = SETTINGS.replace(unattended=Unattended(), static_client=AGENT)
    world = machine(settings=settings)
    desk = Desk(world)
    desk.answers = lambda step: (
        HttpResponse(200, {}, b'{"access_token": "agent-token", "expires_in": 60}')
        if isinstance(step, Fetch) and step.request.url == f"{ISSUER}/token"
        else None
    )
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("agent-token")
    assert world.budget.tabs == ()
    with pytest.raises(Refused, match="refuses a token it was just given"):
        desk.play(desk.session.answer(desk.session.token, 401, UNAUTHORIZED))


@pytest.mark.promise("A3", "P2")
def test_an_agent_is_told_what_to_mend_and_not_to_sign_in_by_hand() -> None:
    settings = SETTINGS.replace(unattended=Unattended(), static_client=AGENT)
    desk = Desk(machine(settings=settings))
    desk.answers = lambda step: (
        HttpResponse(401, {}, b'{"error": "invalid_client"}')
        if isinstance(step, Fetch) and step.request.url == f"{ISSUER}/token"
        else None
    )
    hint = "Check client_id and client_secret in --static-oauth-client-info."
    with pytest.raises(SignInFailed, match="invalid_client") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert caught.value.hint == hint
    with pytest.raises(SignInFailed, match="invalid_client") as caught:
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert caught.value.hint == f"No other sign-in starts by itself for 5 seconds. {hint}"


BY_HAND = signed_in(expires_in=-1)._replace(
    client=Client("mine", "static", Secret("canary-by-hand"), "client_secret_basic"),
    published_by=ISSUER,
)


@pytest.mark.promise("L1", "L2")
@pytest.mark.report("S1", "S3")
@pytest.mark.parametrize("issuer", [None, "https://another.example"])
def test_what_is_not_for_its_issuer_any_more_is_neither_renewed_nor_lost(
    issuer: str | None,
) -> None:
    """The options have changed: it ends in one sentence, without a request of ours or a tab."""
    members = {"client_id": "mine", "client_secret": "canary-by-hand"}
    if issuer is not None:
        members["issuer"] = issuer
    settings = SETTINGS.replace(static_client=Secret(json.dumps(members)))
    world = machine(credential=BY_HAND, settings=settings, budget=PROVEN)
    desk = Desk(world)
    asked: list[str] = []
    desk.answers = lambda step: asked.append(step.request.url) if isinstance(step, Fetch) else None
    # It is sent as it is: the MCP server may still take it, and says what it wants if not.
    assert desk.play(desk.session.authorize()) == BY_HAND.access_token
    said = "and you did not" if issuer is None else "belongs to .https://another.example."
    for _ in range(3):
        with pytest.raises(SignInFailed, match=said):
            desk.play(desk.session.answer(BY_HAND.access_token, 401, UNAUTHORIZED))
    assert asked
    assert all("/.well-known/" in url for url in asked), asked
    assert len(asked) == len(set(asked)), "the second time it is known without asking"
    assert world.credential == BY_HAND
    assert world.budget.tabs == ()
    # Named, it is renewed at once.
    named = settings.replace(static_client=Secret(json.dumps({**members, "issuer": ISSUER})))
    world = machine("tokens", credential=BY_HAND, settings=named, budget=PROVEN)
    assert Desk(world).play(Desk(world).session.authorize()) != BY_HAND.access_token
    assert world.budget.tabs == ()


@pytest.mark.promise("A3", "P2")
def test_a_file_that_is_gone_is_named_each_time_and_soon_tried_again() -> None:
    settings = SETTINGS.replace(unattended=Unattended(WorkloadJwt("/run/jwt")))
    desk = Desk(machine(credential=signed_in(expires_in=-1), settings=settings, budget=PROVEN))
    missing = UsageError("--jwt-bearer: cannot read /run/jwt.", hint="Check its name.")
    desk.answers = lambda step: missing if isinstance(step, Renew) else None
    before, now = "A recent attempt to renew the token failed", "The token could not be renewed now"
    for failed in (now, before):
        with pytest.raises(Refused) as caught:
            desk.play(desk.session.authorize())
        assert caught.value.cause == (f"{failed}: --jwt-bearer: cannot read /run/jwt.")
        words = r"Check its name\. Nothing that is stored is lost: it is tried again in [12] second"
        assert re.fullmatch(f"{words}s?\\.", caught.value.hint)


@pytest.mark.promise("L3", "P2")
def test_a_token_that_had_expired_when_it_was_given_shows_a_wrong_clock() -> None:
    claims = urlsafe_b64encode(json.dumps({"exp": START - 600}).encode()).decode().rstrip("=")
    token = Secret(f"e30.{claims}.c2ln")
    credential = signed_in()._replace(access_token=token, obtained_at=START)
    desk = Desk(machine(credential=credential))
    with pytest.raises(Refused, match="expired 10 minutes ago by this machine's clock") as caught:
        desk.play(desk.session.answer(token, 401, UNAUTHORIZED))
    assert caught.value.hint.startswith(
        "It had expired by this machine's clock when it was given: set this machine's clock, or "
        "have the authorization server's set."
    )


@pytest.mark.promise("A3")
def test_sign_in_by_a_code_is_taken() -> None:
    world = machine("tokens", settings=SETTINGS.replace(device_code=True))
    world.device_codes = True
    desk = Desk(world)
    code = {"device_code": "d", "user_code": "u", "verification_uri": f"{ISSUER}/device"}
    answer = HttpResponse(200, {}, json.dumps(code).encode())
    tokens = HttpResponse(200, {}, b'{"access_token": "access-9"}')
    answers = {f"{ISSUER}/d": answer, f"{ISSUER}/token": tokens}
    desk.answers = lambda step: (
        answers.get(step.request.url)
        if isinstance(step, Fetch)
        else True
        if isinstance(step, Wait)
        else None
    )
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-9")


# Small things


@pytest.mark.promise("L3")
def test_only_the_token_in_hand_can_be_news() -> None:
    desk = Desk(machine(credential=signed_in()))
    assert desk.session.note_acceptance(Secret("access-0")) is None
    desk.play(desk.session.authorize())
    assert desk.session.note_acceptance(Secret("of yesterday")) is None
    change = desk.session.note_acceptance(Secret("access-0"))
    assert change is not None
    desk.session.learn(change(desk.session.budget))
    assert desk.session.note_acceptance(Secret("access-0")) is None


def test_store_that_lost_its_key_in_the_middle_is_an_error() -> None:
    desk = Desk(machine(credential=signed_in()))
    locked = McpRemoteError("The keyring is locked.")
    desk.answers = lambda step: locked if isinstance(step, ReadShared) else None
    with pytest.raises(McpRemoteError, match="keyring is locked"):
        desk.play(desk.session.answer(Secret("access-0"), 401, UNAUTHORIZED))
    with pytest.raises(McpRemoteError, match="keyring is locked"):
        desk.play(desk.session.sign_out())


def test_tokens_that_cannot_be_revoked_are_forgotten_all_the_same() -> None:
    credential = signed_in()._replace(
        client=Client("c", "static", token_endpoint_auth_method="tls_client_auth"),
        revocation_endpoint=f"{ISSUER}/revoke",
    )
    world = machine(credential=credential)
    desk = Desk(world)
    assert desk.play(desk.session.sign_out()) is Stored.TOKENS
    assert "tls_client_auth" in " ".join(world.reports)
    assert world.credential is None


@pytest.mark.promise("A5")
def test_renewal_of_another_process_is_taken_under_the_lock() -> None:
    world = machine(credential=signed_in(expires_in=-1), budget=PROVEN)
    desk = Desk(world)
    newer = signed_in()._replace(access_token=Secret("newer"), obtained_at=START)

    def meanwhile(step: AnyStep) -> None:
        if isinstance(step, AcquireLock):
            world.credential = newer

    desk.answers = meanwhile
    assert desk.play(desk.session.authorize()) == Secret("newer")
    assert not world.watchdog.renewals


def test_expiring_token_is_renewed_in_time() -> None:
    world = machine("tokens", credential=signed_in(expires_in=5), budget=PROVEN)
    desk = Desk(world)
    assert desk.play(desk.session.authorize()) == Secret("access-1")


@pytest.mark.promise("A5")
def test_a_token_that_is_good_for_a_while_does_not_wait_for_who_renews_it() -> None:
    world = machine(credential=signed_in(expires_in=5), budget=PROVEN)
    desk = Desk(world)
    desk.answers = lambda step: False if step == AcquireLock(Lock.STORE) else None
    assert desk.play(desk.session.authorize()) == Secret("access-0")
    assert not world.watchdog.renewals


def test_renewed_token_is_sent_even_if_it_lives_no_longer_than_the_renewal() -> None:
    world = machine("tokens", credential=signed_in(expires_in=-1), budget=PROVEN)
    desk = Desk(world)

    def slowly(step: AnyStep) -> None:
        if isinstance(step, RecordStatus):
            world.now += 2 * LIFETIME

    desk.answers = slowly
    assert desk.play(desk.session.authorize()) == Secret("access-1")


@pytest.mark.promise("A5")
def test_failed_renewal_of_a_token_that_still_does_is_not_a_failure() -> None:
    world = machine("503", credential=signed_in(expires_in=5), budget=PROVEN)
    desk = Desk(world)
    assert desk.play(desk.session.authorize()) == Secret("access-0")


@pytest.mark.promise("L5")
def test_a_fault_of_ours_counts_like_any_other_failure() -> None:
    world = machine()
    desk = Desk(world)

    desk.answers = lambda step: 7 if isinstance(step, BindListener) else None  # not a tuple
    with pytest.raises(TypeError):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert world.budget.failed_attempts == 1
    assert world.published[-1].error == "The sign-in met a fault of mcp-remote-py."
    assert "Please report it" in world.published[-1].hint


@pytest.mark.promise("A1")
@pytest.mark.report("O14")
def test_who_names_the_way_to_sign_in_to_somebody_without_a_token_wants_that() -> None:
    desk = Desk(machine("consents", "tokens"))
    desk.play(desk.session.authorize())
    leads = Challenge("https://mcp.example/prm")
    assert desk.play(desk.session.answer(None, 403, leads))
    assert len(desk.machine.watchdog.tabs) == 1
    assert not desk.play(desk.session.answer(desk.session.token, 403, leads)), "it has a token now"
    nobody = Desk(machine())
    nobody.play(nobody.session.authorize())
    assert not nobody.play(nobody.session.answer(None, 403, Challenge()))


@pytest.mark.promise("A3", "L3")
@pytest.mark.parametrize("code", ["invalid_dpop_proof", "use_dpop_nonce"])
def test_a_proof_that_is_refused_ends_no_sign_in(code: str) -> None:
    """The token was not looked at: another one would meet the same."""
    bound = signed_in()._replace(token_type="DPoP", dpop_key=Secret("canary-key-of-a-proof"))
    world = machine(credential=bound, budget=PROVEN)
    desk = Desk(world)
    assert desk.play(desk.session.authorize()) == bound.access_token
    assert desk.session.dpop_key == bound.dpop_key
    with pytest.raises(Refused) as caught:
        desk.play(desk.session.answer(bound.access_token, 401, Challenge(dpop_error=code)))
    assert caught.value.cause == f"The server refuses the proof that the token is ours ({code})."
    assert (world.credential, world.budget.tabs) == (bound, ())


def test_a_process_that_signs_in_is_told_of_once_however_long_it_takes() -> None:
    world = machine("consents", "tokens")
    world.locks[Lock.SIGN_IN] = Desk(world, "other")
    desk = Desk(world)
    looks = 0

    def soon(step: AnyStep) -> None:
        nonlocal looks
        if isinstance(step, WaitForNews):
            looks += 1
            if looks == 3:
                world.locks.clear()

    desk.answers = soon
    assert desk.play(desk.session.sign_in(Challenge())).access_token == Secret("access-1")
    told = [text for text in world.reports if "signs in at this server now" in text]
    assert told == ["Another mcp-remote-py signs in at this server now: waiting for it."]


@pytest.mark.promise("A4", "A7")
def test_a_code_is_redeemed_though_the_lock_of_the_store_failed_once() -> None:
    """A person has consented, and that cannot be had again; the fault may have passed."""
    world = machine("consents", "tokens")
    desk = Desk(world)
    asked = left = 0

    def fail(step: AnyStep) -> object:
        nonlocal asked, left
        if isinstance(step, AskUser):
            asked, left = 1, 1
        if asked and left and isinstance(step, AcquireLock) and step.lock is Lock.STORE:
            left -= 1
            return StoreError("No locks available.")
        return None

    desk.answers = fail
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-1")
    assert left == 0


@pytest.mark.promise("A4", "A7")
def test_a_code_is_redeemed_though_the_disk_has_failed_meanwhile() -> None:
    """What comes of it then serves until the process ends."""
    world = machine("consents", "tokens")
    desk = Desk(world)
    is_broken = False

    def fail(step: AnyStep) -> object:
        nonlocal is_broken
        is_broken = is_broken or isinstance(step, AskUser)
        is_of_disk = isinstance(step, AcquireLock | ReadShared | Save | SavePending | UpdateBudget)
        return StoreError("Input/output error.") if is_broken and is_of_disk else None

    desk.answers = fail
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("access-1")
    assert world.credential is None
    assert "The sign-in is not stored yet: Input/output error." in world.reports


class Unlocked(Desk):
    """The lock of the store fails here once the person was asked; `meanwhile` others may act.

    The disk itself works. It fails until `recovers`.
    """

    def __init__(self, world: Machine, meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__(world)
        self.recovers = False
        self._is_asked = False
        self._meanwhile = meanwhile
        self.answers = self._fail

    def _fail(self, step: AnyStep) -> object:
        self._is_asked = self._is_asked or isinstance(step, AskUser)
        is_lock = isinstance(step, AcquireLock) and step.lock is Lock.STORE
        if self._is_asked and not self.recovers and is_lock:
            return StoreError("No locks available.")
        if isinstance(step, Fetch) and step.request.body is not None:
            self._meanwhile()  # while the code is exchanged
        return None


@pytest.mark.promise("A4", "A7")
@pytest.mark.report("S8")
def test_without_the_lock_nothing_is_stored_until_it_can_be_had() -> None:
    """Nothing of what another process stores, or has reserved for that, is touched."""
    world = machine("consents", "tokens", credential=signed_in(expires_in=-1), budget=PROVEN)
    theirs = signed_in()._replace(access_token=Secret("theirs"), obtained_at=START - 1)
    seen: list[AnyStep] = []

    def store() -> None:
        world.credential = theirs

    desk = Unlocked(world, store)
    doing = desk.answers

    def watch(step: AnyStep) -> object:
        seen.append(step)
        return doing(step)

    desk.answers = watch
    assert desk.play(desk.session.answer(Secret("access-0"), 403, SCOPE_WANTED))
    assert desk.session.token == Secret("access-1")
    assert world.credential == theirs
    at = next(i for i, step in enumerate(seen) if isinstance(step, AskUser))
    assert not [step for step in seen[at:] if isinstance(step, Save | Reserve | Forget)]
    assert "The sign-in is not stored yet: No locks available." in world.reports
    assert world.published[-1].error == "The sign-in could not be stored."
    assert desk.session.is_unsaved
    desk.recovers = True
    desk.play(desk.session.store_again())
    assert not desk.session.is_unsaved
    assert world.credential is not None
    assert world.credential.access_token == Secret("access-1")
    assert "The sign-in is stored now, and outlives this process." in world.reports


@pytest.mark.promise("A4", "A7")
def test_what_another_process_stored_after_it_counts_where_the_lock_comes_late() -> None:
    world = machine("consents", "tokens")
    desk = Unlocked(world)
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    later = signed_in()._replace(access_token=Secret("later"), obtained_at=START + 50)
    world.credential, desk.recovers = later, True
    desk.play(desk.session.store_again())
    assert world.credential == later
    assert desk.session.token == Secret("later")


@pytest.mark.promise("A4")
def test_without_the_lock_what_another_process_has_redeemed_is_left_alone() -> None:
    world = machine("consents")
    desk = Unlocked(world)
    doing = desk.answers

    def take_it(step: AnyStep) -> object:
        answer = doing(step)
        if isinstance(answer, StoreError):
            world.pending = None  # somebody else has had the lock, and the callback
        return answer

    desk.answers = take_it
    with pytest.raises(SignInFailed, match="was ended by another process"):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert not world.watchdog.spent


@pytest.mark.promise("A3", "A7")
@pytest.mark.parametrize("is_busy", [False, True])
def test_tokens_of_a_code_entered_elsewhere_outlive_a_lock_that_cannot_be_had(
    is_busy: bool,
) -> None:
    settings = SETTINGS.replace(device_code=True)
    world = machine(settings=settings)
    world.device_codes = True
    desk = Desk(world)
    given = False

    def answer(step: AnyStep) -> object:
        nonlocal given
        if isinstance(step, Fetch) and step.request.url == f"{ISSUER}/d":
            return document(
                {"device_code": "d", "user_code": "U", "verification_uri": f"{ISSUER}/u"}
            )
        if isinstance(step, Fetch) and step.request.url == f"{ISSUER}/token":
            given = True
            return document({"access_token": "by-code", "expires_in": 60})
        if given and isinstance(step, AcquireLock) and step.lock is Lock.STORE:
            return False if is_busy else StoreError("No locks available.")
        return 0 if isinstance(step, Wait) else None

    desk.answers = answer
    assert desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert desk.session.token == Secret("by-code")
    assert desk.session.is_unsaved
    assert world.credential is None
    assert any(text.startswith("The sign-in is not stored yet: ") for text in world.reports)


@pytest.mark.promise("A4", "P2")
def test_a_code_is_not_redeemed_while_another_process_has_the_store() -> None:
    world = machine("consents")
    desk = Desk(world)
    asked = False

    def busy(step: AnyStep) -> object:
        nonlocal asked
        asked = asked or isinstance(step, AskUser)
        is_store = isinstance(step, AcquireLock) and step.lock is Lock.STORE
        return False if asked and is_store else None

    desk.answers = busy
    with pytest.raises(StoreError, match="has been renewing this sign-in for"):
        desk.play(desk.session.answer(None, 401, UNAUTHORIZED))
    assert world.credential is None
