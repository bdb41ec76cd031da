"""One conversation being played: does each step with the ports; its locks end with it.

Locks are taken within this process first, then from the kernel. They are given back when their
conversation ends, or before; `Lock.UNSAVED` alone is kept until all is stored. Must not know any
rule of an RFC, nor when to ask whom: those are the flows' and the policy's.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TypeVar

from mcp_remote_py.credentials.lock import Held, LockBusy
from mcp_remote_py.credentials.store import Store
from mcp_remote_py.errors import ExchangeError, McpRemoteError, SignInUnavailable
from mcp_remote_py.oauth.lifecycle import CredentialLifecycle
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AnyStep,
    AskUser,
    BindListener,
    Callback,
    Conversation,
    Credential,
    Fetch,
    Forget,
    Judge,
    Load,
    Lock,
    PendingAuthorization,
    Probe,
    ReadNamedFile,
    ReadShared,
    RecordStatus,
    ReleaseLock,
    Renew,
    Report,
    Reserve,
    Save,
    SavePending,
    SharedState,
    ShowPage,
    UpdateBudget,
    Wait,
    WaitForNews,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import remember_tokens
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.signin.asking import Asking
from mcp_remote_py.signin.driver import drive, read_secret
from mcp_remote_py.signin.ports import Listener, Outcome, Ports

logger = logging.getLogger("mcp_remote_py.signin")

T = TypeVar("T")


class Stage:
    """The state that all performances of one process share.

    Attributes:
        renewals: how many are under way in this process.
        kept_lock: `Lock.UNSAVED`, while there is something that is not stored.
    """

    def __init__(
        self,
        session: str,
        settings: SignInSettings,
        store: Store,
        ports: Ports,
        lifecycle: CredentialLifecycle,
        asking: Asking,
    ) -> None:
        self.session = session
        self.settings = settings
        self.store = store
        self.ports = ports
        self.lifecycle = lifecycle
        self.asking = asking
        self.gates = {lock: asyncio.Lock() for lock in Lock}
        self.renewals = 0
        self.kept_lock: AsyncExitStack | None = None
        self._news = asyncio.Event()

    def tell_news(self) -> None:
        """Wakes those that wait: a conversation has ended."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def wait_for_news(self, seconds: float) -> None:
        """Waits for the time, or until a conversation of this process has ended."""
        news = asyncio.ensure_future(self._news.wait())
        pause = asyncio.ensure_future(self.ports.sleep(seconds))
        try:
            await asyncio.wait({news, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            pause.cancel()

    async def give_kept_lock_back(self) -> None:
        """Gives `kept_lock` back if all is stored by now."""
        if self.kept_lock is not None and not self.lifecycle.is_unsaved:
            stack, self.kept_lock = self.kept_lock, None
            await stack.aclose()


class Performance:
    """One conversation being played."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ports = stage.ports
        self._held: dict[Lock, tuple[AsyncExitStack, Held]] = {}
        self._listener: Listener | None = None
        self._asked = False
        self._is_step_up = False
        self._reserved = False
        self._followed: PendingAuthorization | None = None

    async def play(self, conversation: Conversation[T]) -> T:
        """Its outcome, or what it raises."""
        outcome = Outcome.FAILED
        try:
            result = await drive(conversation, self._do)
            outcome = Outcome.EXTENDED if self._is_step_up else Outcome.DONE
            return result
        except McpRemoteError as error:
            outcome = _outcome_of(error)
            raise
        finally:
            self._follow(None)
            try:
                await self._part(outcome)
            finally:
                await self._free()

    async def _free(self) -> None:
        stage = self._stage
        await self._give_back()
        kept = self._held.pop(Lock.UNSAVED, None) if stage.lifecycle.is_unsaved else None
        # The last first: whoever waits for the store must not find a claim that is over.
        for stack, _ in reversed(self._held.values()):
            await stack.aclose()
        if kept is not None:
            stage.kept_lock = kept[0]
        await stage.give_kept_lock_back()

    async def _part(self, outcome: Outcome) -> None:
        if self._listener is None:
            return
        try:
            if self._asked:
                await self._listener.finish(outcome)
        finally:
            await self._listener.aclose()

    async def _do(self, step: AnyStep) -> object:
        ports = self._ports
        match step:
            case Fetch():
                return await ports.fetch(step)
            case BindListener():
                self._listener = await ports.listen("")
                return self._listener.redirect_uris()
            case AskUser():
                return await self._ask(step)
            case ShowPage():
                await self._stage.asking.show(step.pending)
            case AcquireLock() | ReleaseLock() | Renew():
                return await self._do_with_locks(step)
            case Report():
                (logger.debug if step.is_detail else ports.report)(step.text)
            case Judge():
                await ports.judge(step.url, step.what)
            case Wait():
                await ports.sleep(step.seconds)
            case WaitForNews():
                self._follow(step.pending)
                await self._stage.wait_for_news(step.seconds)
            case _:
                return await asyncio.to_thread(self._do_on_disk, step)
        return None

    async def _do_with_locks(self, step: AcquireLock | ReleaseLock | Renew) -> object:
        match step:
            case AcquireLock():
                return await self._hold(step)
            case ReleaseLock():
                await self._release(step.lock)
                return None
            case Renew():
                return await self._renew(step.credential)

    def _do_on_disk(self, step: AnyStep) -> object:
        """Does a step that may block: on a disk, or on a person who unlocks a keyring."""
        stage, records = self._stage, self._ports.records
        store, session = stage.store, stage.session
        match step:
            case ReadShared():
                return self._look()
            case Load():
                return _load(store, session)
            case Save() | SavePending() | Reserve():
                self._write(step)
            case Probe():
                store.prepare()
            case ReadNamedFile():
                return read_secret(step)
            case Forget():
                return store.forget(session)
            case UpdateBudget():
                return records.amend(step.change, must_last=step.must_last)
            case RecordStatus():
                records.publish(step.credential, step.error, step.hint)
            case _:
                raise TypeError(f"no such step: {type(step).__name__}")
        return None

    def _look(self) -> SharedState:
        store, session = self._stage.store, self._stage.session
        unreadable = None
        # In this order: who renews or signs in writes its end into the budget last. An old
        # token beside a budget that knows of its successor would look like a vain renewal.
        try:
            budget, error, hint, signed_in_at = self._ports.records.look()
        except McpRemoteError as failure:
            budget, error, hint, signed_in_at = self._stage.lifecycle.budget, "", "", None
            unreadable = failure
        pending = store.load_pending(session)
        credential = _load(store, session)
        return SharedState(credential, pending, budget, error, hint, unreadable, signed_in_at)

    def _write(self, step: Save | SavePending | Reserve) -> None:
        store, session = self._stage.store, self._stage.session
        match step:
            case Save():
                store.save(session, step.credential)
            case SavePending():
                store.save_pending(session, step.pending)
            case Reserve():
                self._reserved = True
                store.reserve(session)

    def _follow(self, pending: PendingAuthorization | None) -> None:
        """Notes, until the next look, that another process waits for the person to answer this."""
        if self._followed is not None:
            self._stage.asking.end(self._followed)
        if pending is not None:
            self._stage.asking.begin(pending)
        self._followed = pending

    async def _hold(self, step: AcquireLock) -> bool:
        """The lock of this process first: its waiters come in order, and at once."""
        if step.lock is Lock.UNSAVED and self._stage.kept_lock is not None:
            return True
        gate = self._stage.gates[step.lock]
        if gate.locked() and not step.patience:
            return False
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(gate)
            try:
                held = await stack.enter_async_context(self._ports.lock(step.lock, step.patience))
            except LockBusy:
                return False
            self._held[step.lock] = stack.pop_all(), held
        return True

    async def _release(self, lock: Lock) -> None:
        if lock is Lock.STORE:
            await self._give_back()
        held = self._held.pop(lock, None)
        if held is not None:  # else it is kept for what is not stored, or could never be had
            await held[0].aclose()

    async def _give_back(self) -> None:
        """Gives back the space that was reserved and not used, under the same lock."""
        if self._reserved:
            await asyncio.to_thread(self._stage.store.release, self._stage.session)
        self._reserved = False

    async def _ask(self, step: AskUser) -> Callback | None:
        if step.listens and self._listener is None:
            self._listener = await self._ports.listen(step.pending.credential.redirect_uri)
        self._asked, self._is_step_up = step.listens, step.is_step_up
        return await self._stage.asking.ask(step, self._listener if step.listens else None)

    async def _renew(self, credential: Credential) -> Credential:
        if self._ports.renew is not None:
            renewed = await self._ports.renew(self._held[Lock.STORE][1])
            return _remember_tokens(renewed)
        self._stage.renewals += 1
        try:
            from mcp_remote_py.oauth import flow

            ports = self._ports
            renewal = flow.renew(credential, self._stage.settings, ports.random_bytes, ports.now())
            return await drive(renewal, self._do)
        finally:
            self._stage.renewals -= 1


def _outcome_of(error: McpRemoteError) -> Outcome:
    """What the person in front of the browser is told; the whole of it is told elsewhere."""
    from mcp_remote_py.oauth.grants import AuthorizationRefused, SignInDenied

    if isinstance(error, SignInDenied):
        return Outcome.DECLINED
    if isinstance(error, AuthorizationRefused):
        return Outcome.AWAY if error.error in _PASSING else Outcome.FAILED
    if isinstance(error, GrantRefused):
        return Outcome.EXPIRED if error.error == "invalid_grant" else Outcome.FAILED
    return Outcome.AWAY if isinstance(error, _NO_VERDICTS) else Outcome.FAILED


_NO_VERDICTS = (ExchangeError, SignInUnavailable, TokenError)
_PASSING = ("server_error", "temporarily_unavailable")
"""Of RFC 6749 §4.1.2.1."""


def _load(store: Store, session: str) -> Credential | None:
    credential = store.load(session)
    return None if credential is None else _remember_tokens(credential)


def _remember_tokens(credential: Credential) -> Credential:
    """Tells `redact` of the tokens before they are used."""
    remember_tokens(credential.tokens)
    return credential
