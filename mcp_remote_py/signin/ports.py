"""The world that signing in needs, as interfaces. Must not know any implementation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, NamedTuple, Protocol

from mcp_remote_py.credentials.lock import Held
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.steps import Callback, Credential, Fetch, HttpResponse, Lock
from mcp_remote_py.randomness import Random, RandomBytes
from mcp_remote_py.redact import Secret


class Outcome(Enum):
    """The end of the browser's part of a sign-in, or PENDING before it is known."""

    DONE = "done"
    EXTENDED = "extended"
    """Signed in before, and now allowed to do more (RFC 6750 §3.1 insufficient_scope)."""
    DECLINED = "declined"
    """The person, or the server for them, said no (RFC 6749 §4.1.2.1 access_denied)."""
    EXPIRED = "expired"
    """The code is not good any more, or was used before (RFC 6749 §5.2 invalid_grant)."""
    AWAY = "away"
    """The server did not say yes or no."""
    FAILED = "failed"
    PENDING = "pending"
    """The code has arrived, what is done with it takes long."""

    @property
    def is_good(self) -> bool:
        """Whether the person has what they wanted."""
        return self in (Outcome.DONE, Outcome.EXTENDED)


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
    """The state that all processes of a session share, as far as it is not secret."""

    def look(self) -> tuple[SignInBudget, str, str, float | None]:
        """The state as it is now.

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
        """Writes down for `status` who is signed in, or why nobody is."""
        ...

    def delete(self) -> None:
        """Forgets all of it."""
        ...


class Ports(NamedTuple):
    """The world as arguments: all that the agent acts by."""

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
    random_bytes: RandomBytes
    random: Random
    report: Callable[[str], None]
    """Tells the person one sentence, on stderr."""
    renew: Callable[[Held], Awaitable[Credential]] | None = None
    """Renews what is stored in a process of its own that holds the lock, too; None: here."""
    next_line: Callable[[], Awaitable[str | None]] | None = None
    """The next line the person pastes, None after the last; where they were asked to."""
