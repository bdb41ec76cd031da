"""What one process does about the credential of its session: asks `policy`, does it, asks again.

Conversations, as in `flow`: nothing here waits, reads or sends by itself. What is on disk is the
truth, looked at anew under each lock; what is in hand here is only what was seen of it. Whatever
locks a conversation has taken end with it, at the latest, and with the process. Must not know
HTTP, browsers, files, the keyring or the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import cast

from mcp_remote_py.errors import (
    LockBusy,
    McpRemoteError,
    NotSent,
    Refused,
    SignInFailed,
    StoreError,
    UsageError,
)
from mcp_remote_py.oauth import flow
from mcp_remote_py.oauth.budget import (
    SignInBudget,
    describe_wait,
    has_tab_since,
    is_proven,
    note_accepted,
    note_failed_attempt,
    note_failed_renewal,
    note_renewal,
    note_renewed,
    note_scopes,
    note_sign_in,
    note_tab,
    take_back_renewal,
    wait_for_renewal,
    wait_for_tab,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.claims import explain_mismatch, read_claims
from mcp_remote_py.oauth.grants import RandomBytes, revoke
from mcp_remote_py.oauth.ownership import may_renew
from mcp_remote_py.oauth.policy import (
    POLICY_RULES,
    Action,
    Fact,
    PolicyRule,
    State,
    Trigger,
    decide,
)
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AskUser,
    Conversation,
    Credential,
    Forget,
    Judge,
    Lock,
    NobodyCame,
    PendingAuthorization,
    Probe,
    ReadShared,
    RecordStatus,
    ReleaseLock,
    Renew,
    Report,
    Reserve,
    Save,
    SavePending,
    SharedState,
    UpdateBudget,
    WaitForNews,
    ask,
)
from mcp_remote_py.oauth.tokens import (
    CLOCK_HINT,
    DPOP,
    INVALID_PROOF,
    USE_NONCE,
    GrantRefused,
    TokenError,
    needs_refresh,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.retry import Random
from mcp_remote_py.settings import SignInSettings

INSUFFICIENT_SCOPE = "insufficient_scope"
"""RFC 6750 §3.1."""

STORE_PATIENCE = 30.0
"""Seconds another process may take for its request to the token endpoint."""

LOOK_INTERVAL = 0.5
"""Seconds between two looks at what the process that signs in has got."""

FOLLOW_EXTRA = 60.0
"""Seconds beyond --auth-timeout after which a sign-in of another process is not waited for."""

NEW_TOKEN_AGE = 300.0
"""Seconds for which a token is said to be just given: as long as a person has for the browser."""

_LOGIN = "mcp-remote-py login URL"

_NOT_STORED_HINT = (
    "Make room on the disk, or have it mended: the process that has the tokens goes on trying."
)

_BEHIND_THE_LOCK = frozenset(
    {
        Action.FOLLOW,
        Action.RESUME,
        Action.OPEN_TAB,
        Action.GIVE_UP_TOKEN,
        Action.GIVE_UP_SCOPE,
        Action.GIVE_UP_BUDGET,
    }
)
"""Decided by whoever holds the sign-in: what others do about it is to wait."""


class Session:
    """The credential of one server and profile, as one process sees it.

    `now` gives seconds since the epoch, `random` is uniform in [0, 1).
    """

    def __init__(
        self,
        server_url: str,
        settings: SignInSettings,
        random_bytes: RandomBytes,
        random: Random,
        now: Callable[[], float],
        rules: tuple[PolicyRule, ...] = POLICY_RULES,
    ) -> None:
        self._rules = rules
        self._server_url = server_url
        self._settings = settings
        self._random_bytes = random_bytes
        self._random = random
        self._now = now
        self._loaded = False
        self._unsaved: Credential | None = None
        """What is in hand and was not seen on disk yet."""
        self._stored: Credential | None = None
        """What was seen there last."""
        self._unreadable: McpRemoteError | None = None
        """Why the budget could not be read, where it could not."""
        self._redeemed: PendingAuthorization | None = None
        """What was answered here last; a disk that failed may still have it."""
        self._failed_renewal: McpRemoteError | None = None
        self._failed_renewal_is_told = False
        self.credential: Credential | None = None
        self.budget = SignInBudget()

    @property
    def token(self) -> Secret | None:
        """The token in hand, as it is sent."""
        if self.credential is None:
            return None
        id_token = self.credential.id_token if self._settings.use_id_token else None
        return id_token or self.credential.access_token

    @property
    def dpop_key(self) -> Secret | None:
        """What the token in hand is bound to, None for a bearer token."""
        credential = self.credential
        if credential is None or credential.token_type != DPOP or self._settings.use_id_token:
            return None
        return credential.dpop_key

    @property
    def _signed_in(self) -> Credential | None:
        return None if self.token is None else self.credential

    @property
    def is_unsaved(self) -> bool:
        """Whether what is in hand is not known to be stored."""
        return self._unsaved is not None

    @property
    def is_at_hand(self) -> bool:
        """Whether `authorize` would end at once, with the token in hand."""
        return self._loaded and self._state() not in (State.EXPIRING, State.EXPIRED)

    # ------------------------------------------------------------------ for requests

    def authorize(self) -> Conversation[Secret | None]:
        """The token to send with a request, renewed first where it is due; None without one.

        Raises:
            McpRemoteError: it has expired and cannot be renewed now, or the store cannot be read.
        """
        while not self.is_at_hand:
            try:
                yield from self._look()
                action, before = self._decide(Trigger.REQUEST, self._facts()), self.token
                if action is Action.RENEW:
                    yield from self._renew(refused=False)
            except McpRemoteError:
                if self._state() in (State.SIGNED_OUT, State.EXPIRED):
                    raise
                break
            if action is Action.GIVE_UP_RENEWAL:
                raise self._explain_renewal()
            if action is not Action.RENEW or self._has_another(before):
                break  # and if its life is shorter than this took, the server may say so
        return self.token

    def note_acceptance(self, accepted: Secret) -> Callable[[SignInBudget], SignInBudget] | None:
        """The change of the budget where the server took this token, None where that is known."""
        credential = self.credential
        if (
            credential is None
            or accepted != self.token
            or is_proven(self.budget, credential.obtained_at)
        ):
            return None
        return partial(note_accepted, obtained_at=credential.obtained_at)

    def answer(
        self, refused: Secret | None, status: int, challenge: Challenge
    ) -> Conversation[bool]:
        """The server refused a request that carried `refused`: whether to send it once more.

        False: the refusal is the server's answer. Where a person is asked, others wait for it.

        Raises:
            McpRemoteError: there will be no other token, for a reason in one sentence.
        """
        if refused is not None and challenge.dpop_error in (INVALID_PROOF, USE_NONCE):
            # The token was not looked at: another would meet the same.
            raise Refused(
                f"The server refuses the proof that the token is ours ({challenge.dpop_error}).",
                hint=CLOCK_HINT,
                status=status,
            )
        event = Trigger.UNAUTHORIZED if status == 401 else Trigger.SCOPE_WANTED
        wanted = ""
        if event is Trigger.SCOPE_WANTED:
            wanted = " ".join(sorted(set((challenge.scope or "").split())))
            if challenge.error != INSUFFICIENT_SCOPE or not wanted or refused is None:
                return False
        holds_sign_in = False
        deadline: float | None = None
        while not self._has_another(refused):
            disk = yield from self._look()
            if not self._has_another(refused):
                self._check_budget()
            facts = self._facts(refused, wanted, disk.pending)
            action = self._decide(event, facts)
            if action in _BEHIND_THE_LOCK and not holds_sign_in:
                holds_sign_in = yield from ask(AcquireLock(Lock.SIGN_IN))
                if holds_sign_in:
                    continue
                action = self._decide(event, facts | {Fact.SIGNING_IN_ELSEWHERE})
            if action is Action.FOLLOW:
                deadline = deadline or self._now() + self._settings.timeout + FOLLOW_EXTRA
                if self._now() > deadline:
                    raise _too_long_elsewhere()
            yield from self._act(action, challenge, wanted, disk)
        return True

    def _act(
        self, action: Action, challenge: Challenge, wanted: str, disk: SharedState
    ) -> Conversation[None]:
        match action:
            case Action.SEND:
                pass
            case Action.RENEW:
                yield from self._renew(refused=True)
            case Action.FOLLOW:
                yield WaitForNews(LOOK_INTERVAL, self._shown(disk.pending))
            case Action.RESUME:
                yield from self._resume(cast("PendingAuthorization", disk.pending))
            case Action.OPEN_TAB:
                yield from self._sign_in(challenge, wanted, automatic=True)
            case _:
                raise self._give_up(action, challenge, disk)

    # ------------------------------------------------------------------ for a person

    def sign_in(self, challenge: Challenge) -> Conversation[Credential]:
        """Signs in now, whatever happened before: a person asked for it, by a command.

        Where another process is at it, its page is shown again and its outcome is this one's.

        Raises:
            McpRemoteError: it did not come about, for a reason in one sentence.
        """
        yield from self._look()
        before = self.token
        while not (yield from ask(AcquireLock(Lock.SIGN_IN))):
            disk = yield from self._look()
            shown = self._shown(disk.pending)
            if shown is not None:
                yield Judge(shown.url, "sign-in page")  # its options are not ours
                yield Report("Another mcp-remote-py waits for this sign-in: this is its page.")
                yield from self._ask(shown, AskUser(shown, listens=False))
            if self._has_another(before):
                return cast("Credential", self.credential)
            yield WaitForNews(LOOK_INTERVAL)
        yield from self._sign_in(challenge, "", automatic=False)
        self.budget = yield from ask(UpdateBudget(note_sign_in))
        return cast("Credential", self.credential)

    def sign_out(self) -> Conversation[bool]:
        """Revokes what is stored, as far as possible, and forgets it. False where there is nothing.

        Raises:
            McpRemoteError: the store can be neither read nor changed.
        """
        yield AcquireLock(Lock.STORE, STORE_PATIENCE)
        yield from self._look()
        if self.credential is not None:
            yield from revoke(self.credential)
        self.credential = self._unsaved = None
        return (yield from ask(Forget()))

    # ------------------------------------------------------------------ asking the person

    def _sign_in(self, challenge: Challenge, scopes: str, *, automatic: bool) -> Conversation[None]:
        """To be played with the sign-in in hand; `scopes` is what a step-up is for, "" for none."""
        if automatic and self._unsaved is None:
            yield from self._check_others()
        try:
            # A sign-in that cannot be kept is asked for again and again (field note 37).
            yield Probe()
            if automatic:
                # What a tab costs is written before it opens: before anything is asked for, too.
                yield UpdateBudget(_nothing, self._is_kept)
            if self._settings.unattended is not None:
                yield from self._keep(
                    (
                        yield from flow.sign_in_unattended(
                            self._server_url,
                            challenge,
                            self._settings,
                            self._random_bytes,
                            self._now,
                        )
                    )
                )
            elif self._settings.device_code:
                credential = yield from flow.sign_in_elsewhere(
                    self._server_url,
                    challenge,
                    self._settings,
                    self._now,
                    partial(self._note_tab, scopes, automatic=automatic),
                )
                yield from self._keep(credential)
            else:
                pending = yield from flow.prepare(
                    self._server_url, challenge, self._settings, self._random_bytes, self._now
                )
                yield from self._begin(pending, scopes, automatic=automatic)
        except McpRemoteError as error:
            yield from self._note_failure(error)
            raise
        if automatic:
            yield Report(f"Signed in at {cast('Credential', self.credential).issuer}.")

    def _keep(self, credential: Credential) -> Conversation[None]:
        yield AcquireLock(Lock.STORE, STORE_PATIENCE)
        yield from self._claim()
        self._take((yield from flow.conclude(credential, self._settings)))
        yield from self._confirm()
        yield from self._let_go()
        yield from self._publish()

    def _begin(
        self, pending: PendingAuthorization, scopes: str, *, automatic: bool
    ) -> Conversation[None]:
        # Before the browser: a process that is killed then has asked all the same. The count comes
        # last: a disk that fails before has none of a tab that was not opened (see `_shown`).
        if automatic:
            pending = pending._replace(begun_at=self._now())
        yield SavePending(pending)
        try:
            yield from self._note_tab(scopes, automatic=automatic)
        except McpRemoteError:
            with suppress(McpRemoteError):  # not counted, it is nobody's
                yield SavePending(None)
            raise
        yield from self._ask(pending, AskUser(pending))

    def _note_tab(self, scopes: str, *, automatic: bool) -> Conversation[None]:
        now = self._now()

        def change(budget: SignInBudget) -> SignInBudget:
            budget = note_tab(budget, now)
            return note_scopes(budget, scopes) if scopes else budget

        # A person's own as well: whoever has just said no is not asked again at once.
        must_last = automatic and self._is_kept
        self.budget = yield from ask(UpdateBudget(change, must_last))

    @property
    def _is_kept(self) -> bool:
        """Whether a sign-in outlives its process.

        A tab for one that is not written down would be opened again by each start. What is kept in
        memory is asked for by each start anyway, and has no need of a disk.
        """
        return self._settings.token_store != "memory"  # noqa: S105 - its name

    def _note_failure(self, error: McpRemoteError) -> Conversation[None]:
        if not isinstance(error, StoreError):  # a disk is looked at before servers are asked
            change = partial(note_failed_attempt, now=self._now())
            self.budget = yield from ask(UpdateBudget(change))
        yield RecordStatus(self._signed_in, error.cause, error.hint)

    def _resume(self, pending: PendingAuthorization) -> Conversation[None]:
        """Waits for what comes of a tab whose process is gone."""
        try:
            yield Judge(pending.url, "sign-in page")
            yield Report(f"Still waiting for the sign-in at {pending.server_name}: {pending.url}")
            yield from self._ask(pending, AskUser(pending, opens_tab=False))
        except McpRemoteError as error:
            yield from self._note_failure(error)
            raise

    def _ask(self, pending: PendingAuthorization, step: AskUser) -> Conversation[None]:
        """Asks, and redeems what comes, unless another process does; then takes what it got."""
        before = self.token
        try:
            callback = yield from ask(step)
        except NobodyCame:
            if step.listens:
                yield SavePending(None)
                yield from flow.abandon(pending)
            raise
        except McpRemoteError:
            if step.listens:
                yield SavePending(None)
            raise
        disk = yield from self._look_before_redeeming(pending)
        if callback is not None and disk.pending is not None and _is_same(disk.pending, pending):
            # Before it is redeemed: a code that comes twice would end what it was good for (L15).
            self._redeemed = pending
            with suppress(StoreError):
                yield SavePending(None)
            yield from self._claim()
            try:
                credential = yield from flow.finish(pending, callback, self._settings, self._now())
            except McpRemoteError as error:
                if not step.listens:
                    # Under the lock: who listens looks here for what became of its sign-in.
                    yield from self._note_failure(error)
                raise
            self._take(credential)
            yield from self._confirm()
        yield from self._let_go()
        if not self._has_another(before):
            raise SignInFailed(
                disk.last_error or "The sign-in was ended by another process.",
                hint=disk.last_hint,
            )
        yield from self._publish()

    def _look_before_redeeming(self, pending: PendingAuthorization) -> Conversation[SharedState]:
        """What is on disk, under the lock of the store; as it was, where the disk says nothing.

        A person has consented, and that cannot be had again. Where no lock can be had, nobody else
        can redeem or store anything, either.

        Raises:
            LockBusy: another process has the store.
        """
        try:
            try:
                yield AcquireLock(Lock.STORE, STORE_PATIENCE)
            except LockBusy:
                raise
            except StoreError:
                yield AcquireLock(Lock.STORE, STORE_PATIENCE)  # it may have been for this once
            return (yield from self._look())
        except LockBusy:
            raise
        except StoreError:
            return SharedState(self.credential, pending, self.budget, "", "")

    # ------------------------------------------------------------------ renewing

    def _renew(self, *, refused: bool) -> Conversation[None]:
        """One renewal for all processes; of its failure the budget tells, and `policy` decides.

        Raises:
            McpRemoteError: the lock is not to be had, or what is stored may be spent.
        """
        known = self.token
        yield AcquireLock(Lock.STORE, STORE_PATIENCE)
        yield from self._look()
        facts = self._facts(refused=known if refused else None)
        if (
            self.credential is not None
            and self.token == known
            and {Fact.RENEWABLE, Fact.RENEWAL_ALLOWED} <= facts
        ):
            self._check_budget()
            if not (yield from ask(AcquireLock(Lock.UNSAVED))):
                raise _unsaved_elsewhere()
            # What is renewed is what is stored; a disk that does not take it takes no other.
            yield from self._store()
            yield from self._make_room()
            yield from self._renew_now(self.credential)
        yield from self._let_go()

    def _renew_now(self, credential: Credential) -> Conversation[None]:
        # Before it is asked for: a process that is killed then has asked all the same.
        before, noted_at = self.budget.renewed_at, self._now()
        yield UpdateBudget(partial(note_renewal, now=noted_at))
        try:
            renewed = yield from ask(Renew(credential))
        except GrantRefused as error:
            yield UpdateBudget(note_renewed)
            self._unsaved = None
            yield from self._look()
            yield RecordStatus(self._signed_in, error.cause, error.hint)
        except StoreError as error:
            yield UpdateBudget(partial(take_back_renewal, noted_at=noted_at, before=before))
            raise _not_renewed(error) from error
        except McpRemoteError as error:
            self._failed_renewal, self._failed_renewal_is_told = error, False
            change = partial(
                note_failed_renewal,
                now=self._now(),
                random=self._random,
                sent=isinstance(error, TokenError)
                or not isinstance(error, NotSent | UsageError | SignInFailed),
                retry_after=getattr(error, "retry_after", None),
            )
            self.budget = yield from ask(UpdateBudget(change))
        else:
            self._take(renewed)
            yield UpdateBudget(note_renewed)
            yield from self._confirm()
            yield from self._publish()

    # ------------------------------------------------------------------ what is not stored

    def store_again(self) -> Conversation[None]:
        """Tries once more to store what is in hand and could not be stored.

        Raises:
            McpRemoteError: it cannot be stored now, either.
        """
        if not self.is_unsaved:
            return
        yield AcquireLock(Lock.STORE, STORE_PATIENCE)
        disk = yield from self._look()
        if self.is_unsaved:
            redeemed = self._redeemed
            if disk.pending is not None and redeemed and _is_same(disk.pending, redeemed):
                yield SavePending(None)
            yield from self._store()
            yield Report("The sign-in is stored now, and outlives this process.")
        yield from self._let_go()

    def _store(self) -> Conversation[None]:
        """To be played under the lock of the store, after a look."""
        if self._unsaved is not None:
            yield Save(self._unsaved)
            yield from self._look()
            yield from self._publish()

    def _make_room(self) -> Conversation[None]:
        """Before anything is noted or asked for: a disk that is full costs no try."""
        if self._settings.unattended is not None:
            return  # what needs no person can be had again
        try:
            yield Reserve()
        except McpRemoteError as error:
            raise _not_renewed(error) from error

    def _claim(self) -> Conversation[None]:
        """What is got next may not be storable: others must not take it for not got.

        Where the disk has no room for a lock, it is got all the same: a person has consented.
        """
        with suppress(McpRemoteError):
            yield AcquireLock(Lock.UNSAVED)

    def _let_go(self) -> Conversation[None]:
        """Ends what is done under the lock of the store."""
        if self._unsaved is None:
            yield ReleaseLock(Lock.UNSAVED)
        yield ReleaseLock(Lock.STORE)

    def _check_others(self) -> Conversation[None]:
        """Whether another process has signed in, and only could not store it yet."""
        yield AcquireLock(Lock.STORE, STORE_PATIENCE)  # who renews claims it for a moment, too
        if not (yield from ask(AcquireLock(Lock.UNSAVED))):
            raise _unsaved_elsewhere()
        yield from self._let_go()

    def _confirm(self) -> Conversation[None]:
        """Looks whether what is in hand is stored."""
        with suppress(McpRemoteError):  # it serves all the same
            yield from self._look()

    def _publish(self) -> Conversation[None]:
        """Nothing is told as stored that is not."""
        if self._unsaved is None:
            yield RecordStatus(self.credential)
        else:
            yield RecordStatus(None, "The sign-in could not be stored.", _NOT_STORED_HINT)

    # ------------------------------------------------------------------ what is known

    def _look(self) -> Conversation[SharedState]:
        disk = yield from ask(ReadShared())
        self._loaded = True
        self.budget, self._unreadable = disk.budget, disk.unreadable
        stored, before, unsaved = disk.credential, self._stored, self._unsaved
        self._stored = stored
        if (
            unsaved is None
            or (stored is not None and stored.obtained_at >= unsaved.obtained_at)
            or (stored is None and before is not None)  # signed out meanwhile
        ):
            self.credential, self._unsaved = stored, None
        return disk

    def _check_budget(self) -> None:
        """What was tried must be known before anything is tried."""
        if self._unreadable is not None:
            raise StoreError(
                f"What was tried before to sign in is not known: {self._unreadable.cause}",
                hint=f"{self._unreadable.hint} To sign in all the same: {_LOGIN}.".lstrip(),
            )

    def _take(self, credential: Credential) -> None:
        self.credential = self._unsaved = credential

    def _shown(self, pending: PendingAuthorization | None) -> PendingAuthorization | None:
        """What is stored as being asked, None where nobody is.

        A disk that failed may have what was answered here, or what was never shown: its tab opens
        once it is counted.
        """
        if pending is None or (self._redeemed and _is_same(pending, self._redeemed)):
            return None
        if pending.begun_at is None:
            return pending
        return pending if has_tab_since(self.budget, pending.begun_at) else None

    def _has_another(self, refused: Secret | None) -> bool:
        return self.token is not None and self.token != refused

    def _decide(self, event: Trigger, facts: set[Fact]) -> Action:
        return decide(self._state(), event, facts, self._rules)

    def _state(self) -> State:
        credential, now = self.credential, self._now()
        if credential is None or self.token is None:
            return State.SIGNED_OUT
        if credential.expires_at is not None and credential.expires_at <= now:
            return State.EXPIRED
        if needs_refresh(credential, now):
            return State.EXPIRING
        if is_proven(self.budget, credential.obtained_at):
            return State.PROVEN
        return State.UNPROVEN

    def _facts(
        self,
        refused: Secret | None = None,
        scopes: str = "",
        pending: PendingAuthorization | None = None,
    ) -> set[Fact]:
        now, shown = self._now(), self._shown(pending)
        because_refused = refused is not None and self._state() is not State.EXPIRED
        holds = {
            Fact.NEWER_STORED: self._has_another(refused),
            Fact.RENEWABLE: self.credential is not None
            and (self.credential.refresh_token is not None or self._settings.unattended is not None)
            and may_renew(self.credential, self._settings),
            Fact.RENEWAL_ALLOWED: not wait_for_renewal(self.budget, now, refused=because_refused),
            Fact.SCOPE_ASKED: scopes in self.budget.scopes,
            Fact.TAB_OPEN: shown is not None and shown.expires_at > now,
            Fact.TAB_ALLOWED: not wait_for_tab(self.budget, now, step_up=bool(scopes)),
        }
        return {fact for fact, is_so in holds.items() if is_so}

    # ------------------------------------------------------------------ giving up

    def _give_up(self, action: Action, challenge: Challenge, disk: SharedState) -> McpRemoteError:
        match action:
            case Action.GIVE_UP_TOKEN:
                return self._explain_token(challenge, disk)
            case Action.GIVE_UP_SCOPE:
                return _explain_scope(challenge.scope or "")
            case Action.GIVE_UP_BUDGET:
                return self._explain_budget(disk)
            case _:
                return self._explain_renewal()

    def _explain_token(self, challenge: Challenge, disk: SharedState) -> McpRemoteError:
        credential = cast("Credential", self.credential)
        said = f" ({challenge.error_description})" if challenge.error_description else ""
        evidence = explain_mismatch(
            cast("Secret", self.token),
            issuer=credential.issuer,
            resource=credential.resource,
            scope=challenge.scope or credential.scope,
            now=self._now(),
        )
        expires_at = read_claims(self.token).expires_at
        if expires_at is not None and expires_at <= credential.obtained_at:
            hint = (
                "It had expired by this machine's clock when it was given: set this machine's "
                "clock, or have the authorization server's set."
            )
        else:
            hint = (
                "Signing in again would not help by itself: the token may be for another audience "
                "or lack a scope. Try --resource or --scope, or ask who runs the server."
            )
        if credential is not self._unsaved and credential.obtained_at != disk.signed_in_at:
            which = "of which no record is left that it ever worked"
            hint = f"If it did, sign in again: {_LOGIN}. If it never did: {hint}"
        else:
            age = self._now() - credential.obtained_at
            which = "it was just given" if age < NEW_TOKEN_AGE else "it has never accepted"
            hint += self._name_command(" To sign in all the same")
        return Refused(
            f"The server refuses a token {which}{said}. {evidence}", hint=hint, status=401
        )

    def _explain_renewal(self) -> McpRemoteError:
        was_good = self._state() is not State.EXPIRED
        wait = wait_for_renewal(self.budget, self._now(), refused=was_good)
        error, hint = self._failed_renewal, ""
        is_new, self._failed_renewal_is_told = not self._failed_renewal_is_told, True
        if not self.budget.renewal_failures:
            cause = "The server refuses the token again, so soon after it was renewed."
        elif error is None:
            cause = "The token could not be renewed, lately."
        else:
            when = " now" if is_new else ", lately"
            cause = f"The token could not be renewed{when}: {error.cause}"
            if self._settings.unattended is not None or isinstance(error, SignInFailed):
                hint = f"{error.hint} "  # of files and options, which are to be mended
        hint += f"Nothing that is stored is lost: it is tried again in {describe_wait(wait)}."
        kind = NotSent if isinstance(error, NotSent) and is_new else Refused
        return kind(
            cause,
            hint=hint + self._name_command(" To sign in anew"),
            retry_after=wait,
        )

    def _name_command(self, what_for: str) -> str:
        """Of a person; an agent's sign-in is its options, and is tried by each start of it."""
        return f"{what_for}: {_LOGIN}." if self._settings.unattended is None else ""

    def _explain_budget(self, disk: SharedState) -> McpRemoteError:
        wait = describe_wait(wait_for_tab(self.budget, self._now(), step_up=False))
        hint = f"No other sign-in is begun by itself for {wait}."
        if _LOGIN not in disk.last_hint:
            hint += self._name_command(" To sign in now")
        return SignInFailed(
            disk.last_error or "A sign-in was begun lately, and nothing came of it.",
            hint=f"{hint} {disk.last_hint}".rstrip(),
        )


def _nothing(budget: SignInBudget) -> SignInBudget:
    return budget


def _not_renewed(error: McpRemoteError) -> McpRemoteError:
    return StoreError(
        f"The token is not renewed, because the new one could not be stored: {error.cause}",
        hint=f"{error.hint} Nothing that is stored is lost.".lstrip(),
    )


def _unsaved_elsewhere() -> McpRemoteError:
    return StoreError(
        "Another mcp-remote-py has signed in or renewed the token, and could not store it yet.",
        hint=_NOT_STORED_HINT,
    )


def _explain_scope(scope: str) -> McpRemoteError:
    return Refused(
        f'The server still wants the scope "{scope}" after it was asked for.',
        hint="Your account may not have it. To ask for it again: mcp-remote-py login URL.",
        status=403,
    )


def _too_long_elsewhere() -> McpRemoteError:
    return SignInFailed(
        "Another mcp-remote-py has been signing in for too long.",
        hint="End it, or run mcp-remote-py login URL.",
    )


def _is_same(one: PendingAuthorization, other: PendingAuthorization) -> bool:
    return one.state == other.state
