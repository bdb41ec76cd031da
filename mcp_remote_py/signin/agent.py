"""Performs what the conversations ask for, with HTTP, browser, store, clock and locks.

Each conversation runs as a task of its own: a request that is cancelled ends neither a renewal
nor a sign-in that others wait for. Locks are taken within this process first, then from the
kernel, and are given back at the latest when their conversation ends. Must not know any rule of
an RFC, nor when to ask whom: those are the flows' and the policy's.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from mcp_remote_py.channel import Sent
from mcp_remote_py.credentials.lock import Held
from mcp_remote_py.credentials.store import Store
from mcp_remote_py.errors import (
    ExchangeError,
    LockBusy,
    McpRemoteError,
    Refused,
    SignInFailed,
    StoreError,
    explain_stars,
    name_server,
)
from mcp_remote_py.oauth import flow
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.challenge import parse_challenge
from mcp_remote_py.oauth.dpop import prove
from mcp_remote_py.oauth.grants import SignInDenied
from mcp_remote_py.oauth.lifecycle import LOOK_INTERVAL, Session
from mcp_remote_py.oauth.pasted_redirect import HINT, parse_pasted_redirect
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
    HttpResponse,
    Judge,
    Load,
    Lock,
    NobodyCame,
    PendingAuthorization,
    Probe,
    Proof,
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
    UpdateBudget,
    Wait,
    WaitForNews,
)
from mcp_remote_py.oauth.tokens import BEARER, DPOP
from mcp_remote_py.redact import MASK, Secret, remember, scrub_known
from mcp_remote_py.retry import Steps
from mcp_remote_py.settings import SignInSettings
from mcp_remote_py.signin.driver import drive, read_secret
from mcp_remote_py.signin.page import Outcome

RENEWAL_END_PATIENCE = 1.0
"""Seconds the end of the process waits for a renewal under way: its answer would be lost, and with
it the sign-in, where refresh tokens are good for one use (field note 3). Below promise R7's 2 s."""

STORE_RETRIES = Steps(first=1.0, factor=2.0, longest=60.0)
"""Between two tries to store what the disk did not take."""

T = TypeVar("T")


class Listener(Protocol):
    """The loopback end of the redirect; it listens already."""

    def redirect_uris(self) -> tuple[str, ...]:
        """The redirect URIs that lead here, the preferred first."""
        ...

    def expect(self, state: Secret, server_name: str) -> None:
        """The request with this state is the one; the name is for the page."""
        ...

    async def wait(self, seconds: float) -> Callback:
        """The query of that request."""
        ...

    async def finish(self, outcome: Outcome) -> None:
        """Shows the person how it ended."""
        ...

    async def aclose(self) -> None:
        """Gives the port back."""
        ...


class Records(Protocol):
    """What is shared by all processes of a session and is not a secret."""

    def look(self) -> tuple[SignInBudget, str, str, float | None]:
        """What is known now.

        The budget; cause and hint of the sign-in that failed last; `obtained_at` of the credential
        that was published last, None where there is none.

        Raises:
            StoreError: there may be one, and it cannot be read.
        """
        ...

    def amend(
        self, change: Callable[[SignInBudget], SignInBudget], *, must_last: bool = False
    ) -> SignInBudget:
        """Changes the budget, at once or not at all; the new one, which holds here at least.

        Raises:
            StoreError: it cannot be written, and must last; nothing has changed.
        """
        ...

    def flush(self) -> None:
        """Tries once more to write what could not be written."""
        ...

    def publish(self, credential: Credential | None, error: str, hint: str) -> None:
        """For `status`: who is signed in, or why nobody is."""
        ...

    def delete(self) -> None:
        """Forgets all of it."""
        ...


class Ports(NamedTuple):
    """The world as arguments: what the agent does things with."""

    fetch: Callable[[Fetch], Awaitable[HttpResponse]]
    listen: Callable[[str], Awaitable[Listener]]
    """Binds the listener; at that redirect URI and no other, where one is given."""
    judge: Callable[[str, str], Awaitable[None]]
    """Raises SignInFailed where the person must not be sent to that URL, which is named so."""
    open_browser: Callable[[str], Awaitable[bool]]
    lock: Callable[[Lock, float], AbstractAsyncContextManager[Held]]
    """Held by one process at a time; the number is the patience in seconds."""
    records: Records
    now: Callable[[], float]
    """Seconds since the epoch: expiry outlives this process."""
    sleep: Callable[[float], Coroutine[Any, Any, None]]
    random_bytes: Callable[[int], bytes]
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    report: Callable[[str], None]
    """Tells the person one sentence, on stderr."""
    renew: Callable[[Held], Awaitable[Credential]] | None = None
    """Renews what is stored in a process of its own that holds the lock, too; None: here."""
    next_line: Callable[[], Awaitable[str | None]] | None = None
    """The next line the person pastes, None after the last; where they were asked to."""


class SignInAgent:
    """An `Authorizer` for one server and profile."""

    def __init__(
        self,
        server_url: str,
        session: str,
        settings: SignInSettings,
        store: Store,
        ports: Ports,
    ) -> None:
        self.ports = ports
        self.store = store
        self.session_name = session
        self.settings = settings
        self._server_url = server_url
        self._session = Session(
            server_url,
            settings,
            ports.random_bytes,
            ports.random,
            ports.now,
        )
        self.gates = {lock: asyncio.Lock() for lock in Lock}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.renewals = 0
        """Renewals under way in this process."""
        self._storing: asyncio.Task[None] | None = None
        self.kept_lock: AsyncExitStack | None = None
        """`Lock.UNSAVED`, while there is something that is not stored."""
        self._news = asyncio.Event()
        self.waiting: list[PendingAuthorization] = []
        """What a person is asked, here or by a process that is followed."""
        self._in_use = False
        self._nonce = ""
        """The server's last for proofs of possession."""

    # ------------------------------------------------------------------ for requests

    @property
    def in_use(self) -> bool:
        """Whether a credential was sent."""
        return self._in_use

    def waiting_for_person(self) -> str:
        """What the person must do now, with the link; "" while nobody is waited for."""
        if not self.waiting:
            return ""
        pending = self.waiting[-1]
        return f"To sign in at {pending.server_name}, open {pending.url}"

    async def authorize(self, method: bytes, url: str) -> Sent | None:
        """See `Authorizer.authorize`.

        Raises:
            ExchangeError: what is stored cannot be read, or has expired and cannot be renewed now.
        """
        if not self._session.is_at_hand:
            try:
                await self._play(self._session.authorize())
            except McpRemoteError as error:
                raise self._for_request(error) from error
        token = self._session.token
        if token is None:
            return None
        self._in_use = True
        key = self._session.dpop_key
        scheme = BEARER if key is None else DPOP
        credential = (b"authorization", f"{scheme} {token.reveal()}".encode())
        if key is None:
            return Sent(token, (credential,))
        proof = prove(
            Proof(key, self._nonce),
            method.decode(),
            url,
            self.ports.now(),
            self.ports.random_bytes,
            token,
        )
        return Sent(token, (credential, (b"dpop", proof.reveal().encode())))

    def take_nonce(self, nonce: bytes) -> None:
        """See `Authorizer.take_nonce`."""
        self._nonce = nonce.decode("latin-1")

    def accepted(self, sent: Sent) -> None:
        """See `Authorizer.accepted`."""
        change = self._session.note_acceptance(sent.token)
        if change is not None:
            # At once: a host may kill this process in the next moment.
            self._session.budget = self.ports.records.amend(change)

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        """See `Authorizer.refused`."""
        token = None if sent is None else sent.token
        parsed = parse_challenge(challenge.decode("latin-1"))
        try:
            return await self._play(self._session.answer(token, status, parsed))
        except McpRemoteError as error:
            raise self._for_request(error, status) from error

    def _for_request(self, error: McpRemoteError, status: int | None = None) -> ExchangeError:
        """What a request ends with: one kind of error, and the command with its server."""
        hint = self.name_server(error.hint)
        if isinstance(error, ExchangeError):
            return error.with_hint(hint)
        return Refused(error.cause, hint=hint, status=status)

    def name_server(self, hint: str) -> str:
        """`hint` with the address of this server in the command it names."""
        return explain_stars(name_server(hint, self._server_url, self.settings.login_options))

    # ------------------------------------------------------------------ for a person

    async def sign_in(self, challenge: str = "") -> Credential:
        """Signs in now, whatever happened before: a person asked for it.

        Raises:
            McpRemoteError: why not, in a sentence for the person; or it came to nothing, because
                it cannot be stored.
        """
        try:
            credential = await self._play(self._session.sign_in(parse_challenge(challenge)))
        except McpRemoteError as error:
            raise error.with_hint(self.name_server(error.hint)) from error
        try:
            await self._play(self._session.store_again())
        except McpRemoteError as error:
            raise SignInFailed(
                f"The server gave tokens, but they could not be stored: {error.cause}",
                hint=error.hint,
            ) from error
        return credential

    async def sign_out(self) -> bool:
        """Revokes what is stored and deletes it. False where nothing was stored."""
        there_was_one = await self._play(self._session.sign_out())
        self.ports.records.delete()
        return there_was_one

    async def aclose(self) -> None:
        """Ends what is under way; a renewal may finish first, for `RENEWAL_END_PATIENCE`.

        What is not stored yet is tried once more.
        """
        if self._storing is not None:
            self._storing.cancel()
        if self.renewals and self._tasks:
            await asyncio.wait(self._tasks, timeout=RENEWAL_END_PATIENCE)
        with contextlib.suppress(McpRemoteError, TimeoutError):
            async with asyncio.timeout(RENEWAL_END_PATIENCE):
                await self._play(self._session.store_again())
        await asyncio.to_thread(self.ports.records.flush)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=RENEWAL_END_PATIENCE)

    # ------------------------------------------------------------------ conversations

    async def _play(self, conversation: Conversation[T]) -> T:
        task = asyncio.create_task(_Performance(self).play(conversation))
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has seen it; this says so to asyncio
        news, self._news = self._news, asyncio.Event()
        news.set()
        if self._session.is_unsaved and self._storing is None:
            self._storing = asyncio.create_task(self._go_on_storing())

    async def _go_on_storing(self) -> None:
        tries = 0
        while self._session.is_unsaved:
            tries += 1
            await self.ports.sleep(STORE_RETRIES.bound(tries))
            with contextlib.suppress(McpRemoteError):
                await self._play(self._session.store_again())
        self._storing = None

    async def let_go(self) -> None:
        """Gives back what was kept for something that is stored by now."""
        if self.kept_lock is not None and not self._session.is_unsaved:
            stack, self.kept_lock = self.kept_lock, None
            await stack.aclose()

    @property
    def budget(self) -> SignInBudget:
        """As it was seen last."""
        return self._session.budget

    @property
    def is_unsaved(self) -> bool:
        """Whether something in hand is not stored."""
        return self._session.is_unsaved

    async def watch(self, seconds: float) -> None:
        """Waits for the time, or until a conversation of this process has ended."""
        news = asyncio.ensure_future(self._news.wait())
        pause = asyncio.ensure_future(self.ports.sleep(seconds))
        try:
            await asyncio.wait({news, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            pause.cancel()

    async def ask(self, step: AskUser, listener: Listener | None) -> Callback | None:
        """Shows the page and waits for what comes: at the listener, by hand, or on disk."""
        pending = step.pending
        if listener is not None:
            # Before the browser: it may be faster than whoever opened it.
            listener.expect(pending.state, pending.server_name)
        self.waiting.append(pending)
        try:
            if step.opens_tab:
                await self._show(pending)
            return await self._first_answer(pending, listener)
        finally:
            self.waiting.remove(pending)

    async def _show(self, pending: PendingAuthorization) -> None:
        if await self.ports.open_browser(pending.url):
            self.ports.report(f"Sign in in the browser that opens: {pending.url}")
            return
        self.ports.report(f"Open this address to sign in: {pending.url}")
        if scrub_known(pending.url) != pending.url:  # a key of the server's URL, as its resource
            self.ports.report(
                f"Where {MASK} stands in it, it cannot be opened: "
                + self.name_server("the whole address is shown by mcp-remote-py login URL")
            )
        port = urlsplit(pending.credential.redirect_uri).port
        if self.ports.next_line is not None:
            self.ports.report(
                "The browser ends at an address of this machine. If it cannot be shown there, "
                "copy it whole, paste it here and press Enter."
            )
            self.ports.report(
                "Or let the browser of another machine reach it, before you sign in: "
                f"ssh -L {port}:localhost:{port} (this machine)"
            )
        else:
            self.ports.report(
                f"From another machine, first: ssh -L {port}:localhost:{port} (this machine). Or "
                + self.name_server("finish with: mcp-remote-py login URL --paste")
            )

    async def _first_answer(
        self, pending: PendingAuthorization, listener: Listener | None
    ) -> Callback | None:
        left = max(0, math.ceil(pending.expires_at - self.ports.now()))
        sources: list[Coroutine[Any, Any, Callback | None]] = [self._wait_for_others(pending)]
        sources.append(_hear(listener, left) if listener is not None else self._give_up(left))
        if self.ports.next_line is not None:
            sources.append(self._hear_by_hand(self.ports.next_line, pending))
        tasks = [asyncio.ensure_future(source) for source in sources]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # The most telling first: a redirect before the news that there was one.
            return next(task for task in reversed(tasks) if task.done()).result()
        finally:
            for task in tasks:
                task.cancel()

    async def _wait_for_others(self, pending: PendingAuthorization) -> None:
        while True:
            await self.ports.sleep(LOOK_INTERVAL)
            with contextlib.suppress(StoreError):  # no news; the person may be at it
                stored = await asyncio.to_thread(self.store.load_pending, self.session_name)
                if stored is None or stored.state != pending.state:
                    return

    async def _give_up(self, seconds: float) -> None:
        await self.ports.sleep(seconds)
        raise NobodyCame(
            f"Nobody finished the sign-in within {seconds:g} s.",
            hint="Try again: mcp-remote-py login URL.",
        )

    async def _hear_by_hand(
        self, hear: Callable[[], Awaitable[str | None]], pending: PendingAuthorization
    ) -> Callback:
        """What the person carries over; whoever they got the address from, its state decides."""
        while (line := await hear()) is not None:
            if not line.strip():
                continue
            try:
                callback = parse_pasted_redirect(line)
            except McpRemoteError as error:
                self.ports.report(error.sentence())
                continue
            if Secret(callback.parameters["state"]) == pending.state:
                return callback
            self.ports.report(f"That is the end of another sign-in: its state differs. {HINT}")
        self.ports.report("Nothing more can be pasted; still waiting for the browser itself.")
        return await asyncio.Future()  # the others end the wait


async def _hear(listener: Listener, seconds: float) -> Callback:
    try:
        return await listener.wait(seconds)
    except McpRemoteError as error:
        raise NobodyCame(error.cause, hint=error.hint) from error


class _Performance:
    """One conversation being played: its locks and its listener end with it."""

    def __init__(self, agent: SignInAgent) -> None:
        self._agent = agent
        self._ports = agent.ports
        self._held: dict[Lock, tuple[AsyncExitStack, Held]] = {}
        self._listener: Listener | None = None
        self._asked = False
        self._reserved = False
        self._followed: PendingAuthorization | None = None

    async def play(self, conversation: Conversation[T]) -> T:
        outcome = Outcome.FAILED
        try:
            result = await drive(conversation, self._do)
            outcome = Outcome.DONE
            return result
        except SignInDenied:
            outcome = Outcome.DECLINED
            raise
        finally:
            self._follow(None)
            try:
                await self._part(outcome)
            finally:
                await self._free()

    async def _free(self) -> None:
        agent = self._agent
        await self._give_back()
        kept = self._held.pop(Lock.UNSAVED, None) if agent.is_unsaved else None
        # The last first: who waits for the store finds nothing claimed that is not.
        for stack, _ in reversed(self._held.values()):
            await stack.aclose()
        if kept is not None:
            agent.kept_lock = kept[0]
        await agent.let_go()

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
            case AcquireLock() | ReleaseLock() | Renew():
                return await self._do_with_locks(step)
            case Report():
                ports.report(step.text)
            case Judge():
                await ports.judge(step.url, step.what)
            case Wait():
                await ports.sleep(step.seconds)
            case WaitForNews():
                self._follow(step.pending)
                await self._agent.watch(step.seconds)
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
        """What may take its time: a disk, or a person who unlocks a keyring."""
        store, session, records = self._agent.store, self._agent.session_name, self._ports.records
        match step:
            case ReadShared():
                return self._look()
            case Load():
                return _known(store.load(session))
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
        store, session = self._agent.store, self._agent.session_name
        unreadable = None
        # In this order: who renews or signs in writes its end into the budget last. An old
        # token beside a budget that knows of its successor would look like a vain renewal.
        try:
            budget, error, hint, signed_in_at = self._ports.records.look()
        except McpRemoteError as failure:
            budget, error, hint, signed_in_at = self._agent.budget, "", "", None
            unreadable = failure
        pending = store.load_pending(session)
        credential = _known(store.load(session))
        return SharedState(credential, pending, budget, error, hint, unreadable, signed_in_at)

    def _write(self, step: Save | SavePending | Reserve) -> None:
        store, session = self._agent.store, self._agent.session_name
        match step:
            case Save():
                store.save(session, step.credential)
            case SavePending():
                store.save_pending(session, step.pending)
            case Reserve():
                self._reserved = True
                store.reserve(session)

    def _follow(self, pending: PendingAuthorization | None) -> None:
        """From one look to the next, what the other process asks is what we wait for."""
        if self._followed is not None:
            self._agent.waiting.remove(self._followed)
        if pending is not None:
            self._agent.waiting.append(pending)
        self._followed = pending

    async def _hold(self, step: AcquireLock) -> bool:
        """The lock of this process first: its waiters come in order, and at once."""
        if step.lock is Lock.UNSAVED and self._agent.kept_lock is not None:
            return True
        gate = self._agent.gates[step.lock]
        if gate.locked() and not step.patience:
            return False
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(gate)
            try:
                held = await stack.enter_async_context(self._ports.lock(step.lock, step.patience))
            except LockBusy:
                if step.patience:
                    raise
                return False
            self._held[step.lock] = stack.pop_all(), held
        return True

    async def _release(self, lock: Lock) -> None:
        if lock is Lock.STORE:
            await self._give_back()
        held = self._held.pop(lock, None)
        if held is not None:  # else it is kept for what is not stored, or was never to be had
            await held[0].aclose()

    async def _give_back(self) -> None:
        """What was reserved and not used; under the lock it was reserved under."""
        if self._reserved:
            await asyncio.to_thread(self._agent.store.release, self._agent.session_name)
        self._reserved = False

    async def _ask(self, step: AskUser) -> Callback | None:
        if step.listens and self._listener is None:
            self._listener = await self._ports.listen(step.pending.credential.redirect_uri)
        self._asked = step.listens
        return await self._agent.ask(step, self._listener if step.listens else None)

    async def _renew(self, credential: Credential) -> Credential:
        if self._ports.renew is not None:
            renewed = await self._ports.renew(self._held[Lock.STORE][1])
            return cast("Credential", _known(renewed))
        self._agent.renewals += 1
        try:
            ports = self._ports
            renewal = flow.renew(credential, self._agent.settings, ports.random_bytes, ports.now())
            return await drive(renewal, self._do)
        finally:
            self._agent.renewals -= 1


def _known(credential: Credential | None) -> Credential | None:
    """Its tokens become known to the last line of defence before they are used."""
    if credential is not None:
        secrets = (credential.access_token, credential.refresh_token, credential.id_token)
        remember(secret for secret in secrets if secret is not None)
    return credential
