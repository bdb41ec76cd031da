"""Looks after the credential of a session in one process: asks `policy`, acts, asks again.

Conversations, as in `flow`: nothing here waits, reads or sends by itself. What is in hand is
`holdings`' to say, how a token is renewed `renewal`'s, how a person is asked `sign_in`'s, and what
is said in the end `explain`'s. Whatever locks a conversation has taken end with it, at the latest,
and with the process. Must not know HTTP, browsers, files, the keyring or the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.budget import (
    RENEWAL_PATIENCE,
    SignInBudget,
    is_proven,
    note_accepted,
    note_rejected,
    note_sign_in,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.explain import (
    explain_budget,
    explain_long_sign_in,
    explain_needed,
    explain_proof,
    explain_scope,
    explain_token,
)
from mcp_remote_py.oauth.holdings import Holdings
from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    Action,
    Fact,
    PolicyRule,
    State,
    Trigger,
    decide,
)
from mcp_remote_py.oauth.renewal import Renewal
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    Conversation,
    Credential,
    Forget,
    Lock,
    Report,
    SharedState,
    Stored,
    UpdateBudget,
    WaitForNews,
    ask,
)
from mcp_remote_py.oauth.token_words import INSUFFICIENT_SCOPE, may_be_token
from mcp_remote_py.oauth.tokens import INVALID_PROOF, USE_NONCE
from mcp_remote_py.randomness import Random, RandomBytes
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings

if TYPE_CHECKING:
    from mcp_remote_py.oauth.sign_in import SignIn

LOOK_INTERVAL = 0.5
"""Seconds between two looks at what the process that signs in has got."""

FOLLOW_EXTRA = 60.0
"""Seconds beyond --auth-timeout after which a sign-in of another process is not waited for."""

_BEHIND_THE_LOCK = frozenset(
    {
        Action.FOLLOW,
        Action.RESUME,
        Action.SHOW_AGAIN,
        Action.OPEN_TAB,
        Action.GIVE_UP_TOKEN,
        Action.GIVE_UP_SCOPE,
        Action.GIVE_UP_BUDGET,
    }
)
"""Decided by whoever holds the sign-in: the others wait."""

_WITH_A_PERSON = frozenset({Action.FOLLOW, Action.RESUME, Action.SHOW_AGAIN, Action.OPEN_TAB})
"""Not done where a person is not to be asked."""


class Parts(NamedTuple):
    """The parts of a lifecycle."""

    holdings: type[Holdings] = Holdings
    renewal: type[Renewal] = Renewal
    sign_in: type[SignIn] | None = None
    """None: `SignIn`, which is loaded when a person is to be asked."""


_PARTS = Parts()


class CredentialLifecycle:
    """The credential of one session, as one process sees it.

    `now` gives seconds since the epoch, `random` is uniform in [0, 1); `patience` is the seconds
    a request waits for a renewal that failed.
    """

    def __init__(
        self,
        server_url: str,
        settings: SignInSettings,
        random_bytes: RandomBytes,
        random: Random,
        now: Callable[[], float],
        rules: tuple[PolicyRule, ...] = POLICY_RULES,
        parts: Parts = _PARTS,
        patience: float = RENEWAL_PATIENCE,
    ) -> None:
        self._rules = rules
        self._settings = settings
        self._now = now
        self._patience = patience
        self._held = parts.holdings(settings, now)
        self._renewal = parts.renewal(self._held, settings, now, random)
        self._parts = parts
        self._server_url = server_url
        self._random_bytes = random_bytes

    @cached_property
    def _sign_in(self) -> SignIn:
        from mcp_remote_py.oauth.sign_in import SignIn

        kind = self._parts.sign_in or SignIn
        return kind(self._held, self._server_url, self._settings, self._random_bytes, self._now)

    @property
    def credential(self) -> Credential | None:
        """The one in hand."""
        return self._held.credential

    @property
    def token(self) -> Secret | None:
        """The token in hand, as it is sent."""
        return self._held.token

    @property
    def dpop_key(self) -> Secret | None:
        """The key that the token in hand is bound to, None for a bearer token."""
        return self._held.dpop_key

    @property
    def budget(self) -> SignInBudget:
        """The budget as it was seen last."""
        return self._held.budget

    @property
    def is_unsaved(self) -> bool:
        """Whether what is in hand is not known to be stored."""
        return self._held.is_unsaved

    @property
    def is_at_hand(self) -> bool:
        """Whether `authorize` would end at once, with the token in hand."""
        return self._held.is_at_hand

    # ------------------------------------------------------------------ for requests

    def authorize(self) -> Conversation[Secret | None]:
        """The token to send with a request, renewed first where it is due; None without one.

        Raises:
            McpRemoteError: it has expired and cannot be renewed now, or the store cannot be read.
        """
        held = self._held
        until = self._now() + self._patience
        while not held.is_at_hand:
            try:
                yield from held.look()
                facts = held.facts(patience=self._patience_until(until))
                action, before = self._decide(Trigger.REQUEST, facts), held.token
                if action is Action.RENEW:
                    yield from self._renewal.renew(refused=False)
                elif action is Action.WAIT:
                    yield from self._renewal.wait()
                    continue
                elif action is Action.LET_GO:
                    yield from self._renewal.let_go()
                    continue
            except McpRemoteError:
                if held.state() in (State.SIGNED_OUT, State.EXPIRED):
                    raise
                break
            if action is Action.GIVE_UP_RENEWAL:
                raise self._renewal.explain()
            if action is not Action.RENEW or held.has_another(before):
                break  # and if its life is shorter than this took, the server may say so
            if held.state() is State.EXPIRING:
                break  # it is good for a while, and somebody else renews it
        return held.token

    def note_acceptance(self, accepted: Secret) -> Callable[[SignInBudget], SignInBudget] | None:
        """The change of the budget for an accepted token; None where that is noted already."""
        credential = self._held.credential
        if (
            credential is None
            or accepted != self._held.token
            or is_proven(self._held.budget, credential.obtained_at)
        ):
            return None
        return partial(note_accepted, obtained_at=credential.obtained_at)

    def learn(self, budget: SignInBudget) -> None:
        """The budget is changed, by what `note_acceptance` has said."""
        self._held.budget = budget

    def answer(
        self, refused: Secret | None, status: int, challenge: Challenge
    ) -> Conversation[bool]:
        """The server refused a request that carried `refused`: whether to send it once more.

        False: the refusal is the server's answer. Where a person is asked, others wait for it.

        Raises:
            McpRemoteError: no other token will come; one sentence says why.
        """
        held = self._held
        if refused is not None and challenge.dpop_error in (INVALID_PROOF, USE_NONCE):
            raise explain_proof(challenge.dpop_error, status)
        trigger, wanted = self._read_refusal(refused, status, challenge)
        if trigger is None:
            return False
        doubtful = trigger is Trigger.DOUBTFUL
        holds_sign_in = False
        deadline: float | None = None
        until = self._now() + self._patience
        while not held.has_another(refused):
            shared = yield from held.look()
            if not held.has_another(refused):
                held.check_budget()
            patience = self._patience_until(until)
            facts = held.facts(refused, wanted, shared.pending, patience, doubtful=doubtful)
            action = self._decide(trigger, facts, wanted)
            if action is Action.PASS_ON:
                return False
            if action in _BEHIND_THE_LOCK and not holds_sign_in:
                holds_sign_in = yield from ask(AcquireLock(Lock.SIGN_IN))
                if holds_sign_in:
                    continue
                action = self._decide(trigger, facts | {Fact.SIGNING_IN_ELSEWHERE})
            if action is Action.FOLLOW:
                deadline = deadline or self._now() + self._settings.timeout + FOLLOW_EXTRA
                if self._now() > deadline:
                    raise explain_long_sign_in(held.shown(shared.pending))
            yield from self._act(action, challenge, wanted, shared)
        return True

    def _read_refusal(
        self, refused: Secret | None, status: int, challenge: Challenge
    ) -> tuple[Trigger | None, str]:
        """The event that a refusal is, None for no one's, and the scopes it wants."""
        wanted = " ".join(sorted(set((challenge.scope or "").split())))
        if (
            refused is not None
            and wanted
            and challenge.error == INSUFFICIENT_SCOPE
            and not (status == 401 and self._held.has_scopes(wanted))
        ):
            return Trigger.SCOPE_WANTED, wanted
        # RFC 9728 §5.1: who names the way to sign in to somebody without a token wants that.
        if status == 401 or (refused is None and challenge.resource_metadata):
            return Trigger.UNAUTHORIZED, ""
        is_open = refused is not None and may_be_token(challenge, status)
        return Trigger.DOUBTFUL if is_open else None, ""

    def _patience_until(self, end: float) -> float:
        return end - self._now() if self._renewal.may_pass else 0.0

    def _decide(self, trigger: Trigger, facts: set[Fact], wanted: str = "") -> Action:
        action = decide(self._held.state(), trigger, facts, self._rules)
        if action in _WITH_A_PERSON and not self._settings.asks_person:
            raise explain_needed(wanted)
        return action

    def _act(
        self, action: Action, challenge: Challenge, wanted: str, shared: SharedState
    ) -> Conversation[None]:
        match action:
            case Action.SEND:
                pass
            case Action.RENEW:
                yield from self._renewal.renew(refused=True)
            case Action.LET_GO:
                yield from self._renewal.let_go()
            case Action.WAIT:
                yield from self._renewal.wait()
            case Action.FOLLOW:
                yield WaitForNews(LOOK_INTERVAL, self._held.shown(shared.pending))
            case Action.RESUME if shared.pending is not None:
                yield from self._sign_in.resume(shared.pending)
            case Action.SHOW_AGAIN if shared.pending is not None:
                yield from self._sign_in.show_again(shared.pending)
            case Action.OPEN_TAB:
                yield from self._sign_in.begin(challenge, wanted, automatic=True)
            case _:
                if action is Action.GIVE_UP_TOKEN:
                    yield from self._note_rejection()
                raise self._give_up(action, challenge, wanted, shared)

    def _note_rejection(self) -> Conversation[None]:
        """Tells all processes that the server does not take such tokens, once for each."""
        credential = self._held.credential
        if credential is not None and credential.obtained_at != self._held.budget.rejected:
            change = partial(note_rejected, obtained_at=credential.obtained_at)
            self._held.budget = yield from ask(UpdateBudget(change))

    def _give_up(
        self, action: Action, challenge: Challenge, wanted: str, shared: SharedState
    ) -> McpRemoteError:
        held, now = self._held, self._now()
        token, credential = held.token, held.credential
        match action:
            case Action.GIVE_UP_TOKEN if token is not None and credential is not None:
                recorded = held.is_unsaved or credential.obtained_at == shared.signed_in_at
                return explain_token(
                    token, credential, challenge, self._settings, now, on_record=recorded
                )
            case Action.GIVE_UP_SCOPE:
                return explain_scope(challenge.scope or "")
            case Action.GIVE_UP_BUDGET:
                error, hint = shared.last_error, shared.last_hint
                about = (wanted, "" if credential is None else credential.scope)
                return explain_budget(held.budget, self._settings, now, error, hint, *about)
            case _:
                return self._renewal.explain()

    # ------------------------------------------------------------------ for a person

    def show_page(self) -> Conversation[bool]:
        """Opens the page that a person is waited for at, if any; whether it did.

        The host called the tool `sign_in`: the first tab may be closed, whoever opened it.

        Raises:
            McpRemoteError: it cannot be counted, or must not be opened.
        """
        shared = yield from self._held.look()
        shown = self._held.shown(shared.pending)
        if shown is None or shown.expires_at <= self._now():
            return False
        self._held.check_budget()
        return (yield from self._sign_in.show_for_tool(shown))

    def sign_in(self, challenge: Challenge) -> Conversation[Credential]:
        """Signs in now, whatever happened before: a person asked for it, by a command.

        Where another process is at it, its page is shown again and its outcome is this one's.

        Raises:
            McpRemoteError: it did not come about, for a reason in one sentence.
        """
        held = self._held
        yield from held.look()
        before = held.token
        is_said = False
        while not (yield from ask(AcquireLock(Lock.SIGN_IN))):
            shared = yield from held.look()
            shown = held.shown(shared.pending)
            if shown is not None:
                yield from self._sign_in.join(shown)
            if held.has_another(before):
                return held.require()
            if not is_said:
                yield Report("Another mcp-remote-py signs in at this server now: waiting for it.")
                is_said = True
            yield WaitForNews(LOOK_INTERVAL)
        yield from self._sign_in.begin(challenge, "", automatic=False)
        held.budget = yield from ask(UpdateBudget(note_sign_in))
        return held.require()

    def sign_out(self) -> Conversation[Stored]:
        """Revokes what is stored, as far as possible, and forgets it; tells what it was.

        Raises:
            McpRemoteError: the store can be neither read nor changed.
        """
        yield from self._held.acquire_store()
        yield from self._held.look()
        credential = self._held.credential
        if credential is not None:
            from mcp_remote_py.oauth.grants import revoke

            yield from revoke(credential)
        self._held.drop()
        was_there = yield from ask(Forget())
        if credential is None:
            return Stored.REST if was_there else Stored.NOTHING
        return Stored.TOKENS if credential.tokens else Stored.REGISTRATION

    def store_again(self) -> Conversation[None]:
        """Tries once more to store what is in hand and could not be stored.

        Raises:
            McpRemoteError: it cannot be stored now, either.
        """
        if self._held.is_unsaved and (yield from self._held.store_again()):
            yield Report("The sign-in is stored now, and outlives this process.")
