"""One sign-in for all processes: stores, counts and shows around it, each at its time.

What a tab costs is written before it opens, and what finishes it before it is counted; whoever
takes the callback deletes what was stored before the code is redeemed. To be played by whoever has
the lock `SIGN_IN` or joins its holder. Must not know whether to ask a person, HTTP, browsers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf

from mcp_remote_py.errors import McpRemoteError, SignInFailed, StoreError
from mcp_remote_py.oauth import flow
from mcp_remote_py.oauth.budget import (
    SHOWN_AGAIN_WAIT,
    SignInBudget,
    note_failed_attempt,
    note_scopes,
    note_tab,
    note_tab_for_tool,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.explain import explain_busy_store, explain_lost_sign_in
from mcp_remote_py.oauth.holdings import STORE_PATIENCE, Holdings
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AskUser,
    Conversation,
    Credential,
    Judge,
    Lock,
    NobodyCame,
    NobodyYet,
    PendingAuthorization,
    Probe,
    RecordStatus,
    Report,
    SavePending,
    SharedState,
    ShowPage,
    UpdateBudget,
    ask,
)
from mcp_remote_py.randomness import RandomBytes
from mcp_remote_py.settings.sign_in import SignInSettings

_FAULT = SignInFailed(
    "The sign-in met a fault of mcp-remote-py.",
    hint="Please report it, with the log that --debug --log-file FILE writes.",
)


class SignIn:
    """Asks the person, or whatever stands for them, and keeps what comes of it.

    `now` gives seconds since the epoch.
    """

    def __init__(
        self,
        held: Holdings,
        server_url: str,
        settings: SignInSettings,
        random_bytes: RandomBytes,
        now: Callable[[], float],
    ) -> None:
        self.held = held
        self._server_url = server_url
        self._settings = settings
        self._random_bytes = random_bytes
        self._now = now
        self._shown_at = -inf
        """When a page was last shown here."""

    def begin(self, challenge: Challenge, scopes: str, *, automatic: bool) -> Conversation[None]:
        """Signs in; `scopes` is what a step-up is for, "" for none.

        Raises:
            McpRemoteError: it did not come about, for a reason in one sentence.
        """
        held = self.held
        if automatic and not held.is_unsaved:
            yield from held.check_others()
        try:
            # A sign-in that cannot be kept is asked for again and again (field note 37).
            yield Probe()
            if automatic:
                # What a tab costs is written before it opens: before anything is asked for, too.
                yield UpdateBudget(_unchanged, self._is_kept)
            yield from self._sign_in(challenge, scopes, automatic=automatic)
        except McpRemoteError as error:
            yield from self._note_failure(error)
            raise
        except Exception:
            # A fault of ours, by an answer that nobody thought of: that counts as well, else each
            # request would begin anew, with all that is asked for and registered on the way.
            yield from self._note_failure(_FAULT)
            raise
        if automatic and held.credential is not None:
            yield Report(f"Signed in at {held.credential.issuer}.")

    def _sign_in(self, challenge: Challenge, scopes: str, *, automatic: bool) -> Conversation[None]:
        url, settings, now = self._server_url, self._settings, self._now
        if settings.unattended is not None:
            how = settings.unattended
            yield from self._keep(
                (
                    yield from flow.sign_in_unattended(
                        url, challenge, settings, how, self._random_bytes, now
                    )
                )
            )
        elif settings.device_code:
            count = partial(self.note_tab, scopes, automatic=automatic)
            yield from self._keep(
                (yield from flow.sign_in_elsewhere(url, challenge, settings, now, count))
            )
        else:
            pending = yield from flow.prepare(url, challenge, settings, self._random_bytes, now)
            yield from self.show(pending, scopes, automatic=automatic)

    def _keep(self, credential: Credential) -> Conversation[None]:
        held = self.held
        try:
            problem = yield from self._lock_store()
        except StoreError as error:
            problem = error
        yield from held.claim_if_possible()
        may_store = problem is None
        held.take((yield from flow.conclude(credential, self._settings, may_store=may_store)))
        yield from _tell_unstored(problem)
        yield from held.confirm()
        yield from held.let_go()
        yield from held.record_status()

    def show(
        self, pending: PendingAuthorization, scopes: str, *, automatic: bool
    ) -> Conversation[None]:
        """Stores what is asked, counts its tab and only then shows it."""
        # Before the browser: a process that is killed then has asked all the same. The count comes
        # last: a disk that fails before does not count an unopened tab (`Holdings.shown`).
        self._shown_at = self._now()
        pending = pending._replace(
            begun_at=self._shown_at if automatic else None, opened_at=self._shown_at
        )
        yield SavePending(pending)
        try:
            yield from self.note_tab(scopes, automatic=automatic)
        except McpRemoteError:
            with suppress(McpRemoteError):  # one that is not counted is nobody's
                yield SavePending(None)
            raise
        yield from self.wait_for(pending, AskUser(pending, is_step_up=bool(scopes)))

    def note_tab(self, scopes: str, *, automatic: bool) -> Conversation[None]:
        """Counts a tab that is about to be opened."""
        now = self._now()

        def change(budget: SignInBudget) -> SignInBudget:
            budget = note_tab(budget, now)
            return note_scopes(budget, scopes) if scopes else budget

        # A person's own as well: whoever has just said no is not asked again at once.
        must_last = automatic and self._is_kept
        self.held.budget = yield from ask(UpdateBudget(change, must_last))

    @property
    def _is_kept(self) -> bool:
        """Whether a sign-in outlives its process.

        A tab for one that is not written down would be opened again by each start. What is kept in
        memory is asked for by each start anyway, and does not need a disk.
        """
        return self._settings.token_store != "memory"  # noqa: S105 - its name

    def _note_failure(self, error: McpRemoteError) -> Conversation[None]:
        if not isinstance(error, StoreError):  # a disk is looked at before servers are asked
            change = partial(note_failed_attempt, now=self._now(), retry_after=error.retry_after)
            self.held.budget = yield from ask(UpdateBudget(change))
        yield RecordStatus(self.held.signed_in, error.cause, error.hint)

    def resume(self, pending: PendingAuthorization) -> Conversation[None]:
        """Waits for what comes of a tab whose process is gone; for a while, where it may be closed.

        `Holdings` knows then that nobody came.
        """
        patience = self.held.patience_for(pending)
        try:
            yield Judge(pending.url, "sign-in page")
            yield Report(f"Still waiting for the sign-in at {pending.server_name}: {pending.url}")
            yield from self.wait_for(pending, AskUser(pending, opens_tab=False, patience=patience))
        except NobodyYet:
            self.held.note_deserted(pending)
        except McpRemoteError as error:
            yield from self._note_failure(error)
            raise

    def show_again(self, pending: PendingAuthorization) -> Conversation[None]:
        """Opens one more tab with the page of a tab whose process is gone, and waits for both.

        It is noted and counted before. Where that is not possible, it is only waited for.
        """
        try:
            yield Judge(pending.url, "sign-in page")
            again, is_counted = yield from self.note_shown_again(pending)
            if again is None:
                return  # somebody has finished it meanwhile
            if is_counted:
                yield Report(
                    f"Nobody came back from the sign-in at {pending.server_name}: its page is "
                    "opened once more."
                )
            yield from self.wait_for(again, AskUser(again, opens_tab=is_counted))
        except McpRemoteError as error:
            yield from self._note_failure(error)
            raise

    def note_shown_again(
        self, pending: PendingAuthorization
    ) -> Conversation[tuple[PendingAuthorization | None, bool]]:
        """The request as it is stored now, None where it is not; whether it may be shown again.

        Under the lock of the store as well: whoever has its answer deletes it there.
        """
        held, until = self.held, self._now() + self._settings.timeout
        again = pending._replace(is_shown_again=True, expires_at=max(pending.expires_at, until))
        stored, is_counted = pending, False
        try:
            yield from held.acquire_store()
            shared = yield from held.look()
            if shared.pending is None or shared.pending.state != pending.state:
                yield from held.let_go()
                return None, False
            yield SavePending(again)
            stored = again
            yield from self.note_tab("", automatic=True)
            is_counted = True
        except StoreError as error:
            yield Report(f"The sign-in page is not shown again: {error.sentence()}")
        yield from held.let_go()
        self._shown_at = self._now()
        return stored, is_counted

    def show_for_tool(self, pending: PendingAuthorization) -> Conversation[bool]:
        """Opens its page at once, because the host called the tool; whether it may.

        Whoever waits for it goes on doing so.

        Raises:
            McpRemoteError: it cannot be counted, or must not be opened.
        """
        now = self._now()
        if 0 <= now - self._shown_at < SHOWN_AGAIN_WAIT:
            return False  # it opens at this moment
        self._shown_at = now
        yield Judge(pending.url, "sign-in page")
        change = partial(note_tab_for_tool, now=now, opened_at=pending.opened_at)
        self.held.budget = yield from ask(UpdateBudget(change, self._is_kept))
        if now not in self.held.budget.tabs:
            return False
        yield ShowPage(pending)
        return True

    def join(self, pending: PendingAuthorization) -> Conversation[None]:
        """Shows once more what another process waits for, and takes what it gets."""
        yield Judge(pending.url, "sign-in page")  # its options are not ours
        yield Report("Another mcp-remote-py waits for this sign-in: this is its page.")
        yield from self.wait_for(pending, AskUser(pending, listens=False))

    def wait_for(self, pending: PendingAuthorization, step: AskUser) -> Conversation[None]:
        """Asks, and redeems what comes, unless another process does; then takes what it got."""
        held = self.held
        before = held.token
        try:
            callback = yield from ask(step)
        except NobodyYet:
            raise
        except NobodyCame:
            if step.listens:
                yield SavePending(None)
                yield from flow.abandon(pending)
            raise
        except McpRemoteError:
            if step.listens:
                yield SavePending(None)
            raise
        problem = yield from self._lock_store()
        shared = yield from self._look_before_redeeming(pending)
        is_ours = shared.pending is not None and shared.pending.state == pending.state
        if callback is not None and is_ours:
            # Before it is redeemed: a code that comes twice would end what it was good for (L15).
            held.note_redeemed(pending)
            with suppress(StoreError):
                yield SavePending(None)
            yield from held.claim_if_possible()
            redeeming = flow.finish(
                pending, callback, self._settings, self._now(), may_store=problem is None
            )
            try:
                credential = yield from redeeming
            except McpRemoteError as error:
                if not step.listens:
                    # Under the lock: who listens looks here for what became of its sign-in.
                    yield from self._note_failure(error)
                raise
            held.take(credential)
            yield from _tell_unstored(problem)
            yield from held.confirm()
        yield from held.let_go()
        if not held.has_another(before):
            raise explain_lost_sign_in(shared.last_error, shared.last_hint)
        yield from held.record_status()

    def _lock_store(self) -> Conversation[StoreError | None]:
        """Takes the lock of the store; why it cannot be had, where the disk fails at it twice.

        A person has consented, and that cannot be had again. But without the lock nothing is
        stored: another process may have it, whose new tokens would be overwritten, or the space
        that it has reserved for them. What came of it serves from memory until it can be stored.

        Raises:
            StoreError: another process has the store.
        """
        problem = None
        for _ in range(2):  # once more: that may have passed
            try:
                if (yield from ask(AcquireLock(Lock.STORE, STORE_PATIENCE))):
                    return None
            except StoreError as error:
                problem = error
            else:
                raise explain_busy_store(STORE_PATIENCE)
        return problem

    def _look_before_redeeming(self, pending: PendingAuthorization) -> Conversation[SharedState]:
        """Reads what is on disk; what was known, where the disk fails."""
        try:
            return (yield from self.held.look())
        except StoreError:
            return SharedState(self.held.credential, pending, self.held.budget, "", "")


def _tell_unstored(problem: StoreError | None) -> Conversation[None]:
    if problem is not None:
        yield Report(f"The sign-in is not stored yet: {problem.sentence()}")


def _unchanged(budget: SignInBudget) -> SignInBudget:
    return budget
