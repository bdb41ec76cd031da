"""One renewal for all processes: notes, claims and stores around it, each at its time.

It is written down before it is asked for, so that a process that is killed has asked all the same;
and only where there is room for what comes of it. Of its failure the budget tells, and `policy`
decides. Must not know whether it is the time for one, HTTP or files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mcp_remote_py.errors import (
    ExchangeError,
    McpRemoteError,
    NotSent,
    Refused,
    SignInFailed,
    StoreError,
    UsageError,
)
from mcp_remote_py.oauth.budget import (
    note_doubt,
    note_failed_renewal,
    note_renewal,
    note_renewed,
    take_back_renewal,
    wait_for_renewal,
)
from mcp_remote_py.oauth.explain import explain_doubt, explain_no_room, explain_renewal
from mcp_remote_py.oauth.holdings import Holdings
from mcp_remote_py.oauth.policy import Fact, State
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    Conversation,
    Credential,
    Lock,
    RecordStatus,
    Renew,
    Reserve,
    Save,
    UpdateBudget,
    WaitForNews,
    ask,
    drop_tokens,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.randomness import Random
from mcp_remote_py.settings.sign_in import SignInSettings


class Renewal:
    """Renews what is in hand.

    `now` gives seconds since the epoch, `random` is uniform in [0, 1).
    """

    def __init__(
        self, held: Holdings, settings: SignInSettings, now: Callable[[], float], random: Random
    ) -> None:
        self.held = held
        self._settings = settings
        self._now = now
        self._random = random
        self._failure: McpRemoteError | None = None
        self._failure_is_told = False

    def renew(self, *, refused: bool) -> Conversation[None]:
        """Renews the token in hand, unless another process has done so by then.

        `refused`: because the server refused it, not because it expires. One that is good for a
        while does not wait for another process that renews it.

        Raises:
            McpRemoteError: the lock cannot be had, or what is stored may be spent.
        """
        held = self.held
        known = held.token
        if refused or held.state() is State.EXPIRED:
            yield from held.acquire_store()
        elif not (yield from ask(AcquireLock(Lock.STORE))):
            return
        yield from held.look()
        facts = held.facts(refused=known if refused else None)
        credential = held.credential
        if (
            credential is not None
            and held.token == known
            and {Fact.RENEWABLE, Fact.RENEWAL_ALLOWED} <= facts
        ):
            held.check_budget()
            yield from held.claim()
            # Only what is stored is renewed; a disk that refuses it would refuse the next one.
            yield from held.store()
            yield from self._make_room()
            yield from self.renew_now(held.credential or credential, refused=refused)
        yield from held.let_go()

    def _make_room(self) -> Conversation[None]:
        """Before anything is noted or asked for: a disk that is full costs no try."""
        if self._settings.unattended is not None:
            return  # tokens that do not need a person can be had again
        try:
            yield Reserve()
        except McpRemoteError as error:
            raise explain_no_room(error) from error

    def renew_now(self, credential: Credential, *, refused: bool) -> Conversation[None]:
        """Asks for it; to be played under the lock of the store."""
        held = self.held
        # Before it is asked for: a process that is killed then has asked all the same.
        is_unattended = self._settings.unattended is not None
        before, noted_at = held.budget.renewed_at, self._now()
        yield UpdateBudget(partial(note_renewal, now=noted_at, refused=refused))
        try:
            renewed = yield from ask(Renew(credential))
        except GrantRefused as error:
            yield UpdateBudget(note_renewed)
            held.drop_unsaved()
            yield from held.look()
            yield RecordStatus(held.signed_in, error.cause, error.hint)
        except StoreError as error:
            change = partial(take_back_renewal, noted_at=noted_at, before=before, refused=refused)
            yield UpdateBudget(change)
            raise explain_no_room(error) from error
        except McpRemoteError as error:
            self._failure, self._failure_is_told = error, False
            change = partial(
                note_failed_renewal,
                now=self._now(),
                random=self._random,
                sent=isinstance(error, TokenError)
                or not isinstance(error, NotSent | UsageError | SignInFailed),
                retry_after=error.retry_after,
            )
            held.budget = yield from ask(UpdateBudget(change))
            if isinstance(error, TokenError) and error.is_doubtful and not is_unattended:
                doubt = partial(
                    note_doubt,
                    obtained_at=credential.obtained_at,
                    now=self._now(),
                    is_foreign=error.is_foreign,
                )
                held.budget = yield from ask(UpdateBudget(doubt))
        else:
            self._failure = None  # it does not explain what fails later
            held.take(renewed)
            yield UpdateBudget(note_renewed)
            yield from held.confirm()
            yield from held.record_status()

    def let_go(self) -> Conversation[None]:
        """Lets go of a refresh token that was refused too often, and of what came with it.

        Raises:
            McpRemoteError: the lock cannot be had, or the disk fails.
        """
        held = self.held
        known = held.token
        yield from held.acquire_store()
        yield from held.look()
        credential = held.credential
        if (
            credential is not None
            and held.token == known
            and {Fact.RENEWABLE, Fact.GRANT_DOUBTED} <= held.facts()
        ):
            yield Save(drop_tokens(credential))
            held.drop_unsaved()
            yield from held.look()
            yield RecordStatus(held.signed_in, *explain_doubt(self._failure))
        yield from held.let_go()

    @property
    def may_pass(self) -> bool:
        """Whether what failed may be over by itself: a file or an option must be mended."""
        return self._failure is None or isinstance(self._failure, TokenError | ExchangeError)

    def wait(self) -> Conversation[None]:
        """Waits until one that failed may be tried again, or another process has done so."""
        refused = self.held.state() is not State.EXPIRED
        yield WaitForNews(wait_for_renewal(self.held.budget, self._now(), refused=refused))

    def explain(self) -> NotSent | Refused:
        """The error that says why the token is not renewed now, and when it may be."""
        is_new, self._failure_is_told = not self._failure_is_told, True
        return explain_renewal(
            self.held.budget,
            self._settings,
            self._now(),
            self._failure,
            is_new=is_new,
            was_good=self.held.state() is not State.EXPIRED,
        )
