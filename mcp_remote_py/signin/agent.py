"""Performs what the flows ask for, with HTTP, browser, store, clock and lock; adds the token.

One flight at a time: many requests that are refused together wait for one renewal or one
sign-in, in this process by an asyncio lock and between processes by a kernel lock, and whoever
gets the lock looks first whether the work is done. Must not know any rule of an RFC: those are
the flows'.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, TypeVar

from mcp_remote_py.credentials.store import Store
from mcp_remote_py.errors import ExchangeError, McpRemoteError, Refused
from mcp_remote_py.oauth.challenge import Challenge, parse_challenge
from mcp_remote_py.oauth.steps import (
    AskUser,
    Callback,
    Conversation,
    Credential,
    Fetch,
    Forget,
    Listen,
    Load,
    NobodyCame,
    Report,
    Response,
    Save,
    Step,
    Wait,
)
from mcp_remote_py.oauth.tokens import GrantRefused, needs_refresh
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings import SignInSettings
from mcp_remote_py.signin.page import Outcome

logger = logging.getLogger("mcp_remote_py.signin")

COOL_DOWN = 60.0
"""Seconds after a sign-in that failed in which no other is begun by itself (field note 12)."""

REFRESH_LOCK_PATIENCE = 30.0
"""Seconds another process may take for its refresh before ours goes on with the old token."""

INSUFFICIENT_SCOPE = "insufficient_scope"
"""RFC 6750 §3.1."""

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


class Surroundings(NamedTuple):
    """The world as arguments: what the agent does things with."""

    fetch: Callable[[Fetch], Awaitable[Response]]
    listen: Callable[[], Awaitable[Listener]]
    open_browser: Callable[[str], Awaitable[bool]]
    lock: Callable[[float], AbstractAsyncContextManager[None]]
    """Held by one process at a time; the argument is the patience in seconds."""
    now: Callable[[], float]
    """Seconds since the epoch: expiry outlives this process."""
    sleep: Callable[[float], Awaitable[None]]
    random_bytes: Callable[[int], bytes]
    report: Callable[[str], None]
    """Tells the person one sentence, on stderr."""
    note: Callable[[Credential | None, str], None]
    """Keeps for `status` what is no secret: the credential's dates, or why there is none."""


class SignInAgent:
    """An `Authorizer` for one server and profile."""

    def __init__(
        self,
        server_url: str,
        session: str,
        settings: SignInSettings,
        store: Store,
        surroundings: Surroundings,
    ) -> None:
        self._server_url = server_url
        self._session = session
        self._settings = settings
        self._store = store
        self._world = surroundings
        self._credential: Credential | None = None
        self._loaded = False
        self._fresh = False
        self._scopes_asked: set[frozenset[str]] = set()
        self._failure: tuple[float, McpRemoteError] | None = None
        self._flight = asyncio.Lock()
        self._listener: Listener | None = None
        self._asked = False
        self._todo = ""
        self._in_use = False

    # ------------------------------------------------------------------ for who waits

    def waiting_for_person(self) -> str:
        """What the person must do now, with the address; "" while nobody is waited for."""
        return self._todo

    @property
    def in_use(self) -> bool:
        """Whether a credential has been given to a request."""
        return self._in_use

    # ------------------------------------------------------------------ for requests

    async def header(self) -> tuple[bytes, bytes] | None:
        """See `Authorizer.header`.

        Raises:
            ExchangeError: what is stored cannot be read, or has expired and cannot be renewed now.
        """
        try:
            credential = await self._current()
            if credential is None or credential.access_token is None:
                return None
            if credential.refresh_token and needs_refresh(credential, self._world.now()):
                async with self._flight:
                    credential = await self._renew(credential)
            self._in_use = True
            return self._header_of(credential)
        except ExchangeError:
            raise
        except McpRemoteError as error:
            raise Refused(error.cause, hint=error.hint) from error

    def accepted(self) -> None:
        """See `Authorizer.accepted`."""
        self._fresh = False

    async def refused(self, sent: bytes | None, status: int, challenge: bytes) -> bool:
        """See `Authorizer.refused`."""
        async with self._flight:
            try:
                return await self._answer(
                    sent, status, parse_challenge(challenge.decode("latin-1"))
                )
            except ExchangeError:
                raise
            except McpRemoteError as error:
                raise Refused(error.cause, hint=error.hint, status=status) from error

    async def _answer(self, sent: bytes | None, status: int, challenge: Challenge) -> bool:
        credential = await self._current()
        header = None if credential is None else self._header_of(credential)
        if header is not None and header[1] != sent:
            return True  # another request was refused before, and there is a new token since
        if status == 403:
            return await self._step_up(credential, challenge)
        if sent is not None and self._fresh:
            raise Refused(
                "The server refuses a token it was just given"
                + (f" ({challenge.error_description})" if challenge.error_description else "")
                + ".",
                hint="Signing in again would not help: the token may be for another audience or "
                "lack a scope. Try --resource or --scope, or ask who runs the server.",
                status=status,
            )
        if credential is not None and credential.refresh_token is not None and header is not None:
            renewed = await self._renew(credential, known_bad=True)
            if self._header_of(renewed) != header:
                return True
        await self._sign_in(challenge)
        return True

    async def _step_up(self, credential: Credential | None, challenge: Challenge) -> bool:
        """Asks for a scope that was wanting, once per scope set, beside those that were granted."""
        wanted = challenge.scope or ""
        if challenge.error != INSUFFICIENT_SCOPE or credential is None or not wanted:
            return False
        scopes = frozenset(wanted.split())
        if scopes in self._scopes_asked:
            raise Refused(
                f'The server still wants the scope "{wanted}" after it was asked for.',
                hint="Your account may not have it.",
                status=403,
            )
        self._scopes_asked.add(scopes)
        await self._sign_in(challenge)
        return True

    def _header_of(self, credential: Credential) -> tuple[bytes, bytes] | None:
        wanted = self._settings.use_id_token and credential.id_token
        token = wanted or credential.access_token
        return None if token is None else (b"authorization", b"Bearer " + token.reveal().encode())

    # ------------------------------------------------------------------ renewing, signing in

    async def sign_in(self, challenge: str = "") -> Credential:
        """Signs in now, whatever happened before: a person asked for it.

        Raises:
            McpRemoteError: why not, in a sentence for the person.
        """
        async with self._flight:
            self._failure = None  # also that of a flight this one has waited for
            return await self._sign_in(parse_challenge(challenge), adopt=False)

    async def sign_out(self) -> bool:
        """Revokes what is stored and deletes it. False where nothing was stored."""
        credential = await self._load()
        if credential is None:
            return False
        try:
            from mcp_remote_py.oauth import grants

            await self._perform(grants.revoke(credential))
        except McpRemoteError as error:
            self._world.report(f"The tokens could not be revoked: {error.sentence()}")
        self._credential = None
        self._world.note(None, "")
        return await asyncio.to_thread(self._store.forget, self._session)

    async def _renew(self, credential: Credential, *, known_bad: bool = False) -> Credential:
        """A newer credential, or the same one where none is to be had and this one may still do.

        One without a refresh token is the end of a credential: only the person can renew it.

        Raises:
            McpRemoteError: it cannot be renewed now, and has expired or is `known_bad`. That is
                no reason to ask the person (field note 3).
        """
        if self._credential is not None and self._credential is not credential:
            return self._credential
        from mcp_remote_py.oauth import flow  # authlib, 0.1 s that a valid token does not cost

        try:
            async with self._world.lock(REFRESH_LOCK_PATIENCE):
                stored = await self._load()
                if stored is not None and _is_newer(stored, credential):
                    return self._adopt(stored, fresh=False)
                renewed = await self._perform(
                    flow.renew(credential, self._settings, self._world.now())
                )
                return self._adopt(renewed, fresh=True)
        except GrantRefused as error:
            # Only a definite refusal ends a credential, and only when nobody has a newer one.
            stored = await self._load()
            if stored is not None and _is_newer(stored, credential):
                return self._adopt(stored, fresh=False)
            logger.info("The sign-in has ended: %s", error.sentence())
            return self._adopt(credential._replace(refresh_token=None), fresh=False)
        except McpRemoteError as error:
            expires_at = credential.expires_at
            if known_bad or (expires_at is not None and expires_at <= self._world.now()):
                raise
            logger.info("The token could not be renewed yet: %s", error.sentence())
            return credential

    async def _sign_in(self, challenge: Challenge, *, adopt: bool = True) -> Credential:
        if self._failure is not None and self._world.now() - self._failure[0] < COOL_DOWN:
            # The person may have signed in by a command of their own since.
            if (newer := await self._load_newer()) is not None:
                return self._adopt(newer, fresh=False)
            raise self._failure[1]
        async with self._world.lock(self._settings.timeout):
            if adopt and (newer := await self._load_newer()) is not None:
                return self._adopt(newer, fresh=False)
            credential = await self._converse(challenge)
        return self._adopt(credential, fresh=True)

    async def _converse(self, challenge: Challenge) -> Credential:
        from mcp_remote_py.oauth import flow, grants

        outcome = Outcome.FAILED
        try:
            # Before a person is asked: a sign-in that cannot be kept is asked for again and again.
            await asyncio.to_thread(self._store.prepare)
            credential = await self._perform(
                flow.sign_in(
                    self._server_url,
                    challenge,
                    self._settings,
                    self._world.random_bytes,
                    self._world.now,
                )
            )
            outcome = Outcome.DONE
        except McpRemoteError as error:
            if isinstance(error, grants.SignInDenied):
                outcome = Outcome.DECLINED
            self._failure = (self._world.now(), error)
            self._world.note(None, error.sentence())
            raise
        finally:
            listener, self._listener = self._listener, None
            asked, self._asked = self._asked, False
            if listener is not None:
                try:
                    if asked:
                        await listener.finish(outcome)
                finally:
                    await listener.aclose()
        self._world.note(credential, "")
        return credential

    def _adopt(self, credential: Credential, *, fresh: bool) -> Credential:
        secrets = (credential.access_token, credential.refresh_token, credential.id_token)
        remember(secret for secret in secrets if secret is not None)
        self._credential = credential
        self._loaded = True
        self._fresh = fresh
        return credential

    # ------------------------------------------------------------------ the steps

    async def _perform(self, conversation: Conversation[T]) -> T:
        answer: object = None
        failure: McpRemoteError | None = None
        while True:
            try:
                if failure is None:
                    step = conversation.send(answer)
                else:
                    step = conversation.throw(failure)
            except StopIteration as end:
                return end.value
            answer, failure = None, None
            try:
                answer = await self._do(step)
            except McpRemoteError as error:
                failure = error

    async def _do(self, step: Step) -> object:
        match step:
            case Fetch():
                return await self._world.fetch(step)
            case Listen():
                self._listener = await self._world.listen()
                return self._listener.redirect_uris()
            case AskUser():
                return await self._ask(step)
            case Load():
                return await self._load()
            case Save():
                await asyncio.to_thread(self._store.save, self._session, step.credential)
                return None
            case Forget():
                await asyncio.to_thread(self._store.forget, self._session)
                return None
            case Report():
                self._world.report(step.text)
                return None
            case Wait():
                await self._world.sleep(step.seconds)
                return None

    async def _ask(self, step: AskUser) -> Callback:
        if self._listener is None:
            raise McpRemoteError("The sign-in flow asked for the person before it listened.")
        # Before the browser: it may be faster than whoever opened it.
        self._listener.expect(step.state, step.server_name)
        self._asked = True
        opened = await self._world.open_browser(step.url)
        what = "Sign in in the browser that opens" if opened else "Open this address to sign in"
        self._world.report(f"{what}: {step.url}")
        self._todo = f"Open this address to sign in: {step.url}"
        try:
            return await self._listener.wait(self._settings.timeout)
        except McpRemoteError as error:
            raise NobodyCame(error.cause, hint=error.hint) from error
        finally:
            self._todo = ""

    async def _current(self) -> Credential | None:
        if not self._loaded:
            stored = await self._load()
            # Several requests may load at the start; what came meanwhile is not older.
            if not self._loaded:
                self._loaded = True
                if stored is not None:
                    self._adopt(stored, fresh=False)
        return self._credential

    async def _load_newer(self) -> Credential | None:
        """What is stored, where it has a token that was not known before."""
        known = self._credential
        stored = await self._load()
        if stored is None or stored.access_token is None:
            return None
        return stored if known is None or _is_newer(stored, known) else None

    async def _load(self) -> Credential | None:
        return await asyncio.to_thread(self._store.load, self._session)


def _is_newer(stored: Credential, known: Credential) -> bool:
    return (
        stored.access_token is not None
        and stored.access_token != known.access_token
        and stored.obtained_at >= known.obtained_at
    )
