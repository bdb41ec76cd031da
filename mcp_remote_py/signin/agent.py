"""Signs one person in, at one server, as an `Authorizer`: plays the conversations of `lifecycle`.

Each conversation runs as a task of its own: a request that is cancelled ends neither a renewal
nor a sign-in that others wait for. Must not know any rule of an RFC, how a step is done, nor when
to ask whom: those are the flows', the performance's and the policy's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from mcp_remote_py.channel import Sent
from mcp_remote_py.credentials.store import Store
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    McpRemoteError,
    Refused,
    SignInFailed,
    explain_stars,
    name_server,
)
from mcp_remote_py.oauth.challenge import parse_challenge
from mcp_remote_py.oauth.lifecycle import CredentialLifecycle
from mcp_remote_py.oauth.steps import Conversation, Credential, Proof, Stored
from mcp_remote_py.oauth.tokens import BEARER, DPOP
from mcp_remote_py.retry import Steps
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.signin.asking import Asking
from mcp_remote_py.signin.performance import Performance, Stage
from mcp_remote_py.signin.ports import Ports

RENEWAL_END_PATIENCE = 1.0
"""Seconds the end of the process waits for a renewal under way: its answer would be lost, and with
it the sign-in, where refresh tokens are good for one use (field note 3). Below promise R7's 2 s."""

STORE_RETRIES = Steps(first=1.0, factor=2.0, longest=60.0)
"""Waits between two tries to store what the disk did not take."""

T = TypeVar("T")


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
        self._ports = ports
        self._settings = settings
        self._server_url = server_url
        self._lifecycle = CredentialLifecycle(
            server_url,
            settings,
            ports.random_bytes,
            ports.random,
            ports.now,
        )
        self._asking = Asking(ports, lambda: store.load_pending(session), self.name_server)
        self._stage = Stage(session, settings, store, ports, self._lifecycle, self._asking)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._storing: asyncio.Task[None] | None = None
        self._nonce = ""
        """The server's last for proofs of possession."""
        self._requests = 0
        """How many requests of the host wait for a sign-in or a renewal."""

    # ------------------------------------------------------------------ for requests

    def waiting_for_person(self) -> str:
        """The next step for the person, with the link; "" while nobody is waited for."""
        return self._asking.todo()

    def is_under_way(self) -> bool:
        """See `SignInWatch.is_under_way`."""
        return self._requests > 0

    async def authorize(self, method: bytes, url: str) -> Sent | None:
        """See `Authorizer.authorize`.

        Raises:
            ExchangeError: what is stored cannot be read, or has expired and cannot be renewed now.
        """
        if not self._lifecycle.is_at_hand:
            try:
                await self._play_for_request(self._lifecycle.authorize())
            except McpRemoteError as error:
                raise self._for_request(error) from error
        token = self._lifecycle.token
        if token is None:
            return None
        key = self._lifecycle.dpop_key
        scheme = BEARER if key is None else DPOP
        credential = (b"authorization", f"{scheme} {token.reveal()}".encode())
        if key is None:
            return Sent(token, (credential,))
        from mcp_remote_py.oauth.dpop import prove

        proof = prove(
            Proof(key, self._nonce),
            method.decode(),
            url,
            self._ports.now(),
            self._ports.random_bytes,
            token,
        )
        return Sent(token, (credential, (b"dpop", proof.reveal().encode())))

    def take_nonce(self, nonce: bytes) -> None:
        """See `Authorizer.take_nonce`."""
        self._nonce = nonce.decode("latin-1")

    def accepted(self, sent: Sent) -> None:
        """See `Authorizer.accepted`."""
        change = self._lifecycle.note_acceptance(sent.token)
        if change is not None:
            # At once: a host may kill this process in the next moment.
            self._lifecycle.learn(self._ports.records.amend(change))

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        """See `Authorizer.refused`."""
        token = None if sent is None else sent.token
        parsed = parse_challenge(challenge.decode("latin-1"))
        try:
            return await self._play_for_request(self._lifecycle.answer(token, status, parsed))
        except McpRemoteError as error:
            raise self._for_request(error, status) from error

    def _for_request(self, error: McpRemoteError, status: int | None = None) -> ExchangeError:
        """The error that ends a request: an `ExchangeError`, whose command names the server."""
        hint = self.name_server(error.hint)
        if isinstance(error, Interrupted):
            # A request of ours has lost its answer: the host's was refused, or not even sent.
            return Refused(
                error.cause, hint=hint, status=status, retry_after=error.retry_after
            ).as_passing()
        if isinstance(error, ExchangeError):
            return error.with_hint(hint)
        return Refused(error.cause, hint=hint, status=status)

    def name_server(self, hint: str) -> str:
        """`hint` with the address of this server in the command it names."""
        return explain_stars(name_server(hint, self._server_url, self._settings.login_options))

    # ------------------------------------------------------------------ for a person

    def show_page(self) -> None:
        """Opens the page that the person is waited for at; returns at once, raises nothing."""
        self._begin(self._show_page())

    async def _show_page(self) -> None:
        try:
            await Performance(self._stage).play(self._lifecycle.show_page())
        except McpRemoteError as error:
            self._ports.report(f"The sign-in page is not opened again: {error.sentence()}")

    def has_failed(self) -> bool:
        """Whether the last sign-in came to nothing: the server wants one, be it for a call alone.

        May block.

        Raises:
            StoreError: what is known of it cannot be read.
        """
        return bool(self._ports.records.look()[1])

    async def find_offer(self) -> str | None:
        """See `commands.agent.Agent.find_offer`."""
        from mcp_remote_py.oauth.discovery import find_offer

        return await self._play(find_offer(self._server_url, self._settings))

    def seconds_left(self) -> float | None:
        """Seconds that the person has to finish what was shown; None where nobody waits."""
        return self._asking.seconds_left()

    async def sign_in(self, challenge: str = "") -> Credential:
        """Signs in now, whatever happened before: a person asked for it.

        Raises:
            McpRemoteError: why not, in a sentence for the person; or it came to nothing, because
                it cannot be stored.
        """
        try:
            credential = await self._play(self._lifecycle.sign_in(parse_challenge(challenge)))
        except McpRemoteError as error:
            raise error.with_hint(self.name_server(error.hint)) from error
        try:
            await self._play(self._lifecycle.store_again())
        except McpRemoteError as error:
            raise SignInFailed(
                f"The server gave tokens, but they could not be stored: {error.cause}",
                hint=error.hint,
            ) from error
        return credential

    async def sign_out(self) -> Stored:
        """Revokes what is stored and deletes it; tells what it was."""
        stored = await self._play(self._lifecycle.sign_out())
        self._ports.records.delete()
        return stored

    async def aclose(self) -> None:
        """Ends what is under way; a renewal may finish first, for `RENEWAL_END_PATIENCE`.

        What is not stored yet is tried once more.
        """
        if self._storing is not None:
            self._storing.cancel()
        if self._stage.renewals and self._tasks:
            await asyncio.wait(self._tasks, timeout=RENEWAL_END_PATIENCE)
        with contextlib.suppress(McpRemoteError, TimeoutError):
            async with asyncio.timeout(RENEWAL_END_PATIENCE):
                await self._play(self._lifecycle.store_again())
        await asyncio.to_thread(self._ports.records.flush)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=RENEWAL_END_PATIENCE)

    # ------------------------------------------------------------------ conversations

    async def _play_for_request(self, conversation: Conversation[T]) -> T:
        self._requests += 1
        try:
            return await self._play(conversation)
        finally:
            self._requests -= 1

    async def _play(self, conversation: Conversation[T]) -> T:
        return await asyncio.shield(self._begin(Performance(self._stage).play(conversation)))

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has seen it; this says so to asyncio
        self._stage.tell_news()
        if self._lifecycle.is_unsaved and self._storing is None:
            self._storing = asyncio.create_task(self._go_on_storing())

    async def _go_on_storing(self) -> None:
        tries = 0
        while self._lifecycle.is_unsaved:
            tries += 1
            await self._ports.sleep(STORE_RETRIES.bound(tries))
            with contextlib.suppress(McpRemoteError):
                await self._play(self._lifecycle.store_again())
        self._storing = None
