"""The interfaces the relay stands between. Must not know any implementation.

Towards the host: `HostChannel`, and `LineChannel` below it. Towards the server: `ServerChannel`,
one exchange per message. Towards a person who may have to sign in:
`Authorizer`, for each request, and `SignInWatch`, for those who wait. Towards what signs requests:
`Signer`. Towards what the server said before: `ServerMemory`. Towards time: `Clock`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.redact import Secret
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

HeaderField = tuple[bytes, bytes]

Piece = bytes | msgspec.Raw

Deliver = Callable[[Message], None]
"""Takes a message the server sent. Never blocks, never raises."""


async def no_wait() -> None:
    """Drains nothing: for a channel whose receiver is always fast enough."""


OnLine = Callable[[bytes], Iterator[None] | None]
"""Takes a line; what it returns is to be taken to its end, with other work between the steps."""


class LineChannel(Protocol):
    """The host's side as bytes: one line each."""

    def receive(
        self,
        on_line: OnLine,
        on_long_line: Callable[[bytes, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """Starts reading. All three are called from the event loop.

        `on_line` gets each line without its end and may leave work to be done in steps, before the
        next one; `on_long_line` the first and last bytes of one
        that was too long to be kept; `on_end` is called once, at end of file.
        """
        ...

    def send(self, *pieces: Piece) -> None:
        """Writes a line and its end; never blocks: what the host does not take yet is kept."""
        ...

    async def drain(self) -> None:
        """Waits while the host is far behind in reading; raises nothing."""
        ...

    async def flush(self, seconds: float) -> None:
        """Waits until all is written, at most that long."""
        ...


class HostChannel(Protocol):
    """The host's side: messages both ways."""

    def receive(self, deliver: Deliver, on_end: Callable[[], None]) -> None:
        """Starts reading; `on_end` is called once, when the host is gone."""
        ...

    def send(self, message: Message) -> None:
        """A message for the host. Never blocks, never raises."""
        ...

    def end(self, reason: Message) -> None:
        """The relay has answered all it had open; `reason` is an error answer for the rest."""
        ...

    async def drain(self) -> None:
        """See `LineChannel.drain`."""
        ...

    async def flush(self, seconds: float) -> None:
        """See `LineChannel.flush`."""
        ...


class ServerChannel(Protocol):
    """The server's side: one exchange per message."""

    async def send(self, message: Message) -> None:
        """Sends one message and, for a request, stays until its exchange is over.

        What the server says meanwhile goes to the `Deliver` this channel was made with. It is
        the caller's to see whether the answer was among it. An answer is one whatever its HTTP
        status: see `transports.refusal.take_answer`.

        Raises:
            NotSent, Refused, SessionLost, Interrupted, Unusable: see `errors`.
        """
        ...

    def start_listening(self) -> None:
        """The session is established: opens the stream for what the server says unasked, if any.

        Returns at once; repeated calls for the same session do nothing.
        """
        ...

    def set_protocol_version(self, version: str) -> None:
        """The version the handshake agreed on, for the transport's own metadata."""
        ...

    async def renew(self) -> None:
        """Forgets the lost session, so that the next `send` can begin a new one."""
        ...

    async def aclose(self) -> None:
        """Ends the session (DELETE where there is one) and every stream. Raises nothing."""
        ...


class Sent(Value, frozen=True):
    """A credential as one request carries it: comes back whole with what the server said to it."""

    token: Secret
    headers: tuple[HeaderField, ...]
    """`Authorization`, and the proof of possession where the token is bound to a key."""

    @property
    def has_proof(self) -> bool:
        """Whether a proof of possession goes with the token (RFC 9449 §7)."""
        return len(self.headers) > 1


class Authorizer(Protocol):
    """Supplies the sign-in's credential for requests to the server."""

    async def authorize(self, method: bytes, url: str) -> Sent | None:
        """What this one request is to carry, renewed first where it is about to expire.

        None where nobody is signed in.
        """
        ...

    def take_nonce(self, nonce: bytes) -> None:
        """The server wants this one in the next proof of possession (RFC 9449 §8.2)."""
        ...

    def accepted(self, sent: Sent) -> None:
        """The server took a request that carried this: it answered with a 2xx."""
        ...

    async def refused(self, sent: Sent | None, status: int, challenge: bytes) -> bool:
        """The server answered 401, or 403 for want of a scope, to a request that carried `sent`.

        Returns whether the request should be sent once more, because there is something new.

        Raises:
            ExchangeError: there is nothing new; a sentence for the person.
        """
        ...

    async def aclose(self) -> None:
        """Ends what is under way: a sign-in is given up, a renewal may finish. Raises nothing."""
        ...


class Signature(Protocol):
    """What one request is signed with: to be used within a minute, for that body alone."""

    def sign(
        self, method: bytes, url: ServerUrl, headers: Sequence[HeaderField]
    ) -> list[HeaderField]:
        """All headers of the request, with those of its signature; these are all that will leave.

        `headers` are all others, `host` among them; their names may be in any case.

        Raises:
            Unusable: they cannot be signed, such as with another credential among them.
        """
        ...

    def hide(self) -> None:
        """The answer may repeat the signature: from now on it is a secret in every text."""
        ...


class Signer(Protocol):
    """Signs requests to the server, as the last step before each leaves (AWS SigV4)."""

    def spell(self, url: ServerUrl) -> ServerUrl:
        """The URL that is sent and signed instead: it leads to the same, in one spelling."""
        ...

    def shares_host(self, url: ServerUrl) -> bool:
        """Whether other paths of the host are of others: no server's word leads there."""
        ...

    async def prepare(self, body: Sequence[memoryview]) -> Signature:
        """What the request with this body is signed with; the keys are read again where it is time.

        Raises:
            Refused: there are no keys; a sentence for the person.
        """
        ...

    async def refused(
        self, used: Signature, status: int, headers: Mapping[bytes, bytes], body: bytes
    ) -> bool:
        """The server refused a request that was signed so.

        Returns whether it should be sent once more, because there is something new. Raises nothing.
        No loop comes of it: whoever asks does so a bounded number of times for each request.
        """
        ...

    def is_of_signature(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Whether a refusal is of the signature or its keys: those are looked at before all else.

        One of what the caller may do may come later, when something was done already.
        """
        ...

    def explain(
        self, status: int, headers: Mapping[bytes, bytes], body: bytes
    ) -> tuple[str, str] | None:
        """Cause, with the evidence, and next step of a refusal that is AWS's own, in sentences.

        None for one of the server behind it.

        `headers` and `body` have no secret of ours in them.
        """
        ...


class ServerSnapshot(Value, frozen=True):
    """The last words of a server about itself, as JSON text; empty where nothing is known."""

    initialize: bytes = b""
    """The result of `initialize`."""
    tools: bytes = b""
    """The result of `tools/list`, of its first page where the pages are not merged."""


class ServerMemory(Protocol):
    """What a server said of itself last, for a start at which it says nothing."""

    @property
    def server_name(self) -> str:
        """The server, for a person."""
        ...

    def recall(self) -> ServerSnapshot:
        """The snapshot that was kept last; reads a small file. Raises nothing."""
        ...

    def keep(self, known: ServerSnapshot) -> None:
        """Keeps it for the next start, where it differs; what is empty leaves what was kept.

        Returns at once, raises nothing.
        """
        ...


class SignInWatch(Protocol):
    """Whether somebody has to sign in."""

    def waiting_for_person(self) -> str:
        """One sentence with the link: what the person must do now; "" while it needs nobody."""
        ...

    def is_under_way(self) -> bool:
        """Whether a request waits for it, whoever is slow: a person, a server, another process."""
        ...

    def show_page(self) -> None:
        """Opens the page that the person is waited for at; returns at once, raises nothing.

        For a call of the tool `sign_in`, which may come any number of times.
        """
        ...


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Waits that long."""
        ...
