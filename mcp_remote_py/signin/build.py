"""Puts together what signs in: the one composition of this folder, imported when it is needed.

Real time, randomness, files, sockets and browser are named here and nowhere else in it. What only
a sign-in or a renewal needs is loaded with the first of them: most starts only send what is stored.
Must not know what any of them is for.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from mcp_remote_py.clock import LoopClock, draw
from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.lock import CAN_BE_SHARED, Held, LockBusy, ProcessLock
from mcp_remote_py.credentials.sealed import SealedStore
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.credentials.store import MemoryStore, Store
from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.claims import account_of
from mcp_remote_py.oauth.steps import Credential, Fetch, HttpResponse, Lock
from mcp_remote_py.session_id import session_of
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.signin.agent import SignInAgent
from mcp_remote_py.signin.line_reader import LineReader
from mcp_remote_py.signin.ports import Listener, Ports

if TYPE_CHECKING:
    from mcp_remote_py.signin.fetch import Fetcher

LOWEST_PORT, PORTS = 3335, 45815
"""The range mcp-remote derives its callback port from: below what systems give out by chance."""


CLAIM_PATIENCE = 1.0
"""Seconds for a claim that is over: who is killed gives one lock back after the other."""


class Connections:
    """Those of a sign-in, from the first that is needed."""

    def __init__(self, settings: LoginSettings, server_address: Callable[[], str]) -> None:
        self._settings = settings
        self._server_address = server_address
        self._fetcher: Fetcher | None = None

    async def fetch(self, step: Fetch) -> HttpResponse:
        """See `Fetcher.fetch`."""
        return await self._get().fetch(step)

    async def judge(self, url: str, what: str) -> None:
        """See `Border.check`."""
        await self._get().border.check(url, what)

    async def aclose(self) -> None:
        """Closes those that there are."""
        if self._fetcher is not None:
            await self._fetcher.aclose()

    def _get(self) -> Fetcher:
        if self._fetcher is None:
            from mcp_remote_py.signin.border import origins_of
            from mcp_remote_py.signin.fetch import build_fetcher

            self._fetcher = build_fetcher(
                self._settings.server,
                self._settings.network,
                origins_of(self._settings.sign_in),
                self._server_address,
                time.time,
                os.urandom,
            )
        return self._fetcher


class BuiltAgent(SignInAgent):
    """A `SignInAgent` that closes the connections it was built with."""

    def __init__(
        self,
        settings: LoginSettings,
        session: str,
        store: Store,
        ports: Ports,
        connections: Connections,
    ) -> None:
        super().__init__(str(settings.server), session, settings.sign_in, store, ports)
        self._connections = connections

    async def aclose(self) -> None:
        """As of every agent; and its connections are closed."""
        await super().aclose()
        await self._connections.aclose()


class StateRecords:
    """The `Records` of a session, in its state file."""

    def __init__(
        self, state: SessionFile, store: Store, login_options: str, *, is_unattended: bool = False
    ) -> None:
        self._state = state
        self._store = store
        self._login_options = login_options
        self._is_unattended = is_unattended
        self._in_memory_since: float | None = None

    def look(self) -> tuple[SignInBudget, str, str, float | None]:
        """See `Records`."""
        try:
            state = self._state.look()
        except StoreError:
            if not isinstance(self._store, MemoryStore):
                raise
            # What is kept in memory must do without a disk, with its own count.
            state = self._state.read()
        signed_in_at = self._in_memory_since or state.signed_in_at
        return state.budget, state.last_error, state.last_hint, signed_in_at

    def amend(
        self, change: Callable[[SignInBudget], SignInBudget], *, must_last: bool = False
    ) -> SignInBudget:
        """See `Records`."""
        options = self._login_options
        return self._state.amend(change, must_last=must_last, login_options=options)

    def flush(self) -> None:
        """See `Records`."""
        self._state.flush()

    def publish(self, credential: Credential | None, error: str, hint: str) -> None:
        """See `Records`."""
        if credential is None or isinstance(self._store, MemoryStore):
            # `status` could not find a sign-in that is not kept.
            self._in_memory_since = None if credential is None else credential.obtained_at
            self._state.update(signed_in_at=None, last_error=error, last_hint=hint)
            return
        self._state.update(
            issuer=credential.issuer,
            scope=credential.scope,
            account=account_of(credential),
            store=self._store.describe(),
            signed_in_at=credential.obtained_at,
            expires_at=credential.expires_at,
            renewable=self._is_unattended or credential.refresh_token is not None,
            last_error=error,
            last_hint=hint,
        )

    def delete(self) -> None:
        """See `Records`."""
        self._state.delete()


class LocksOfMemory:
    """Locks for what is kept in memory: nobody else can spend it, so it is locked without a disk.

    Where the kernel's lock is not to be had, that is said once, and this process goes on alone.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._is_said = False

    @asynccontextmanager
    async def try_holding(self, lock: AbstractAsyncContextManager[Held]) -> AsyncGenerator[Held]:
        """Holds `lock`, if that is possible.

        Raises:
            LockBusy: another process has it.
        """
        async with AsyncExitStack() as stack:
            held = Held()
            try:
                held = await stack.enter_async_context(lock)
            except LockBusy:
                raise
            except StoreError as error:
                if not self._is_said:
                    self._report(f"Other processes do not wait for this sign-in: {error.cause}")
                self._is_said = True
            yield held


def build_agent(
    settings: LoginSettings,
    environment: Mapping[str, str],
    report: Callable[[str], None],
    read_line: Callable[[], str] | None = None,
    server_address: Callable[[], str] = str,
    state: SessionFile | None = None,
    application: Callable[[], str | None] = lambda: None,
) -> SignInAgent:
    """The agent of one session. Touches neither network, keyring nor disk.

    `read_line` may block, and ends with "". `server_address` is where the server was connected to
    last, "" where it was not. `state` is the session's file where this process has opened it.
    `application` names who asks for a sign-in, None where it is a person at a terminal.
    """
    chosen = settings.sign_in
    directory = state_directory(environment)
    session = session_of(settings.server, chosen)
    store = choose_store(chosen.token_store, directory, os.urandom)
    state = state or SessionFile(directory, session)

    connections = Connections(settings, server_address)
    clock = LoopClock()
    locks = {
        kind: ProcessLock(directory / "locks" / f"{session.key}.{kind.value}.lock", clock)
        for kind in Lock
    }

    memory_locks = LocksOfMemory(report)

    def hold(kind: Lock, patience: float) -> AbstractAsyncContextManager[Held]:
        lock = locks[kind].hold(max(patience, CLAIM_PATIENCE) if kind is Lock.UNSAVED else patience)
        return memory_locks.try_holding(lock) if isinstance(store, MemoryStore) else lock

    async def listen(redirect_uri: str) -> Listener:
        from mcp_remote_py.signin.callback import LOOPBACK_HOSTS, CallbackListener

        if redirect_uri:
            parts = urlsplit(redirect_uri)
            listener = CallbackListener(
                parts.hostname or "", parts.path, chosen.success_url, application=application
            )
            await listener.bind(parts.port, pinned=True)
            return listener
        listener = CallbackListener(
            chosen.host or LOOPBACK_HOSTS[0],
            chosen.callback_path,
            chosen.success_url,
            application=application,
            is_only=bool(chosen.host),
        )
        known = state.read().port
        derived = LOWEST_PORT + int(session.key[:8], 16) % PORTS
        await listener.bind(chosen.port or known or derived, chosen.port is not None)
        if chosen.port is None and known != listener.port:
            state.update(port=listener.port)
        return listener

    async def renew(held: Held) -> Credential:
        from mcp_remote_py.signin.refresh_process import describe_job, renew_in_child

        sealed = cast("SealedStore", store)
        job = await asyncio.to_thread(describe_job, sealed, session.key, settings, server_address())
        return await renew_in_child(job, held.share(), report)

    async def open_in_browser(url: str) -> bool:
        from mcp_remote_py.signin.browser import detect_platform, open_browser

        kind = detect_platform(sys.platform, platform.release, environment)
        return await open_browser(url, environment, kind, chosen.browser)

    return BuiltAgent(
        settings,
        session.key,
        store,
        Ports(
            fetch=connections.fetch,
            listen=listen,
            judge=connections.judge,
            open_browser=open_in_browser,
            lock=hold,
            records=StateRecords(
                state,
                store,
                chosen.login_options,
                is_unattended=chosen.unattended is not None,
            ),
            now=time.time,
            sleep=asyncio.sleep,
            random_bytes=os.urandom,
            random=draw,
            report=report,
            next_line=LineReader(read_line).next_line
            if chosen.paste and read_line is not None
            else None,
            renew=renew if CAN_BE_SHARED and isinstance(store, SealedStore) else None,
        ),
        connections,
    )
