"""The credential in hand and the one that is stored, and which of the two counts.

The disk has the truth, and is read again under each lock. What is in hand is a copy of it, except
for tokens that the disk did not take: those serve until they are stored. Nothing is recorded as
stored that is not. Must not know when anything is done, nor what is said about it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.budget import (
    SHOWN_AGAIN_AGE,
    SHOWN_AGAIN_WAIT,
    SignInBudget,
    has_tab_since,
    is_doubted,
    is_proven,
    may_show_again,
    wait_for_renewal,
    wait_for_tab,
)
from mcp_remote_py.oauth.explain import (
    explain_busy_store,
    explain_lost_sign_in,
    explain_unknown_budget,
    explain_unsaved_elsewhere,
    hint_at_disk,
)
from mcp_remote_py.oauth.ownership import may_renew
from mcp_remote_py.oauth.policy import Fact, State
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    Conversation,
    Credential,
    Lock,
    PendingAuthorization,
    ReadShared,
    RecordStatus,
    ReleaseLock,
    Save,
    SavePending,
    SharedState,
    ask,
)
from mcp_remote_py.oauth.tokens import DPOP, needs_refresh
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.network import CONSENT_TIMEOUT
from mcp_remote_py.settings.sign_in import SignInSettings

STORE_PATIENCE = CONSENT_TIMEOUT + 5.0
"""Seconds another process may take for its request to the token endpoint."""


class Holdings:
    """The credential and the budget of a session, as one process has seen them.

    `now` gives seconds since the epoch.
    """

    def __init__(self, settings: SignInSettings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._loaded = False
        self._unsaved: Credential | None = None
        """The credential in hand, as long as it was not seen on disk."""
        self._stored: Credential | None = None
        """The credential that was seen on disk last."""
        self._unreadable: McpRemoteError | None = None
        """The error of the last look at the budget, None where it was read."""
        self._redeemed: PendingAuthorization | None = None
        """The authorization request answered here last; a disk that failed may still have it."""
        self._deserted: PendingAuthorization | None = None
        """The authorization request that was waited for here, for a while, in vain."""
        self.credential: Credential | None = None
        self.budget = SignInBudget()
        """The budget as it was seen last."""

    # ------------------------------------------------------------------ what it amounts to

    @property
    def token(self) -> Secret | None:
        """The token in hand, as it is sent."""
        if self.credential is None:
            return None
        id_token = self.credential.id_token if self._settings.use_id_token else None
        return id_token or self.credential.access_token

    @property
    def dpop_key(self) -> Secret | None:
        """The key that the token in hand is bound to, None for a bearer token."""
        credential = self.credential
        if credential is None or credential.token_type != DPOP or self._settings.use_id_token:
            return None
        return credential.dpop_key

    @property
    def signed_in(self) -> Credential | None:
        """The credential in hand, where it has a token."""
        return None if self.token is None else self.credential

    def require(self) -> Credential:
        """The credential in hand.

        Raises:
            SignInFailed: another process has signed out meanwhile.
        """
        if self.credential is None:
            raise explain_lost_sign_in()
        return self.credential

    @property
    def is_unsaved(self) -> bool:
        """Whether what is in hand is not known to be stored."""
        return self._unsaved is not None

    @property
    def is_at_hand(self) -> bool:
        """Whether there is nothing to do before the token in hand is sent."""
        return self._loaded and self.state() not in (State.EXPIRING, State.EXPIRED)

    def has_another(self, refused: Secret | None) -> bool:
        """Whether another token is in hand than that one."""
        return self.token is not None and self.token != refused

    def has_scopes(self, scopes: str) -> bool:
        """Whether all of these were granted with what is in hand."""
        granted = "" if self.credential is None else self.credential.scope
        return set(scopes.split()) <= set(granted.split())

    def state(self) -> State:
        """The worth of the credential in hand."""
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

    def facts(
        self,
        refused: Secret | None = None,
        scopes: str = "",
        pending: PendingAuthorization | None = None,
        patience: float = 0.0,
        *,
        doubtful: bool = False,
    ) -> set[Fact]:
        """The facts, for a token that was refused and scopes that are wanted, if any.

        `patience` is the seconds that whoever asks can still wait; `doubtful` tells that the token
        may not be the reason.
        """
        now, shown = self._now(), self.shown(pending)
        because_refused = refused is not None and self.state() is not State.EXPIRED
        # Nobody has said no: what failed, was killed, or ended unseen, may do the next time.
        may_pass = self.budget.renewal_failures > 0 or not (because_refused or self.budget.rejected)
        has_scopes = bool(scopes) and self.has_scopes(scopes)
        doubtful = doubtful or has_scopes
        wait = wait_for_renewal(self.budget, now, refused=because_refused, doubtful=doubtful)
        doubted = self.credential is not None and is_doubted(
            self.budget, self.credential.obtained_at
        )
        holds = {
            Fact.NEWER_STORED: self.has_another(refused),
            Fact.RENEWABLE: self.credential is not None
            and (self.credential.refresh_token is not None or self._settings.unattended is not None)
            and may_renew(self.credential, self._settings),
            Fact.RENEWAL_ALLOWED: not wait and not doubted,
            Fact.RENEWAL_SOON: may_pass and wait <= patience and not doubted,
            Fact.GRANT_DOUBTED: doubted,
            Fact.LIFETIME_UNKNOWN: self.credential is not None
            and self.credential.expires_at is None,
            Fact.SCOPE_GRANTED: has_scopes,
            Fact.SCOPE_ASKED: scopes in self.budget.scopes,
            Fact.TAB_OPEN: shown is not None and shown.expires_at > now,
            Fact.TAB_DESERTED: shown is not None and self._is_deserted(shown),
            Fact.TAB_ALLOWED: not wait_for_tab(self.budget, now, step_up=bool(scopes)),
        }
        return {fact for fact, is_so in holds.items() if is_so}

    def shown(self, pending: PendingAuthorization | None) -> PendingAuthorization | None:
        """The stored authorization request, None where the person is not asked anything.

        A disk that failed may have what was answered here, or what was never shown: its tab opens
        once it is counted.
        """
        if pending is None or self._is_redeemed(pending):
            return None
        if pending.begun_at is None:
            return pending
        return pending if has_tab_since(self.budget, pending.begun_at) else None

    def _is_deserted(self, pending: PendingAuthorization) -> bool:
        return (
            self._deserted is not None
            and self._deserted.state == pending.state
            and self._may_be_shown_again(pending)
            and self._now() - pending.opened_at >= SHOWN_AGAIN_AGE
        )

    def _may_be_shown_again(self, pending: PendingAuthorization) -> bool:
        """Not where it may be answered: a disk that failed may still have it."""
        stored = self._stored
        is_open = stored is None or stored.obtained_at < pending.opened_at
        return is_open and not pending.is_shown_again and may_show_again(self.budget, self._now())

    def patience_for(self, pending: PendingAuthorization) -> float | None:
        """Seconds after which it is to be shown once more; None where it is not."""
        if self._deserted is not None and self._deserted.state == pending.state:
            return None
        if not self._may_be_shown_again(pending):
            return None
        return max(SHOWN_AGAIN_WAIT, pending.opened_at + SHOWN_AGAIN_AGE - self._now())

    def note_deserted(self, pending: PendingAuthorization) -> None:
        """Notes that nobody came back from it while it was waited for here."""
        self._deserted = pending

    def _is_redeemed(self, pending: PendingAuthorization) -> bool:
        return self._redeemed is not None and pending.state == self._redeemed.state

    # ------------------------------------------------------------------ looking

    def look(self) -> Conversation[SharedState]:
        """Reads what all processes share; the credential in hand follows it."""
        shared = yield from ask(ReadShared())
        self._loaded = True
        self.budget, self._unreadable = shared.budget, shared.unreadable
        stored, before, unsaved = shared.credential, self._stored, self._unsaved
        self._stored = stored
        if (
            unsaved is None
            or (stored is not None and stored.obtained_at >= unsaved.obtained_at)
            or (stored is None and before is not None)  # signed out meanwhile
        ):
            self.credential, self._unsaved = stored, None
        return shared

    def confirm(self) -> Conversation[None]:
        """Looks whether what is in hand is stored."""
        with suppress(McpRemoteError):  # it serves all the same
            yield from self.look()

    def check_budget(self) -> None:
        """Sees to it that what was tried before is known, before anything else is tried.

        Raises:
            StoreError: it could not be read.
        """
        if self._unreadable is not None:
            raise explain_unknown_budget(self._unreadable)

    # ------------------------------------------------------------------ taking and storing

    def take(self, credential: Credential) -> None:
        """Takes it in hand; a later look shows whether it is stored."""
        self.credential = self._unsaved = credential

    def drop(self) -> None:
        """Lets go of the credential in hand."""
        self.credential = self._unsaved = None

    def drop_unsaved(self) -> None:
        """Gives up the credential that was not stored; the stored one counts from the next look."""
        self._unsaved = None

    def note_redeemed(self, pending: PendingAuthorization) -> None:
        """Notes that this one is answered, even if it stays on the disk."""
        self._redeemed = pending

    def acquire_store(self) -> Conversation[None]:
        """Takes the lock of the store.

        Raises:
            StoreError: another process has it for too long, or the disk does not support locks.
        """
        if not (yield from ask(AcquireLock(Lock.STORE, STORE_PATIENCE))):
            raise explain_busy_store(STORE_PATIENCE)

    def check_others(self) -> Conversation[None]:
        """Sees to it that no other process has signed in and only could not store it yet.

        Raises:
            StoreError: one has.
        """
        yield from self.acquire_store()  # who renews claims it for a moment, too
        yield from self.claim()
        yield from self.let_go()

    def claim(self) -> Conversation[None]:
        """Tells other processes that tokens may come here which cannot be stored.

        Raises:
            StoreError: another process has something that is not stored.
        """
        if not (yield from ask(AcquireLock(Lock.UNSAVED))):
            raise explain_unsaved_elsewhere()

    def claim_if_possible(self) -> Conversation[None]:
        """As `claim`, after a person has consented: it goes on even if the disk has no locks."""
        with suppress(McpRemoteError):
            yield AcquireLock(Lock.UNSAVED)

    def let_go(self) -> Conversation[None]:
        """Gives the lock of the store back."""
        if self._unsaved is None:
            yield ReleaseLock(Lock.UNSAVED)
        yield ReleaseLock(Lock.STORE)

    def store(self) -> Conversation[None]:
        """Stores what is not stored; to be played under the lock of the store, after a look."""
        if self._unsaved is not None:
            yield Save(self._unsaved)
            yield from self.look()
            yield from self.record_status()

    def store_again(self) -> Conversation[bool]:
        """Tries once more to store what is in hand; whether there was anything to store.

        Raises:
            McpRemoteError: it cannot be stored now, either.
        """
        yield from self.acquire_store()
        shared = yield from self.look()
        was_unsaved = self.is_unsaved
        if was_unsaved:
            if shared.pending is not None and self._is_redeemed(shared.pending):
                yield SavePending(None)
            yield from self.store()
        yield from self.let_go()
        return was_unsaved

    def record_status(self) -> Conversation[None]:
        """Tells `status` who is signed in; nothing is told as stored that is not."""
        if self._unsaved is None:
            yield RecordStatus(self.credential)
        else:
            yield RecordStatus(None, "The sign-in could not be stored.", hint_at_disk())
