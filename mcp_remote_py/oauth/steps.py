"""The steps that a sign-in conversation may ask for, and the values it uses.

A conversation is a synchronous generator: it yields a step, is sent what came of it, and returns
its outcome. Conversations nest by `yield from` and are played in tests without a loop, a socket,
a clock or a keyring. A step that failed is thrown into the generator as a `McpRemoteError`. Must
not know any HTTP library.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from mcp_remote_py.errors import McpRemoteError, SignInFailed
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.redact import Secret

T = TypeVar("T")

# Values --------------------------------------------------------------------------------------


class Proof(NamedTuple):
    """Key and nonce of a proof of possession, which is made with its request (RFC 9449 §4)."""

    key: Secret
    nonce: str = ""


class HttpRequest(NamedTuple):
    """An HTTP request to an authorization server or for metadata.

    `body` is form data or JSON as text and may hold codes, verifiers and tokens: a secret.
    `headers` likewise, because of `Authorization`.
    """

    method: str
    url: str
    headers: tuple[tuple[str, Secret], ...] = ()
    body: Secret | None = None
    proof: Proof | None = None


class HttpResponse(NamedTuple):
    """Its answer; header names are lower-case, `body` is at most `MAX_BODY_BYTES` long."""

    status: int
    headers: Mapping[str, str]
    body: bytes


MAX_BODY_BYTES = 256 * 1024
"""Bytes of a metadata document or token answer; real ones are below 20 KiB. More is refused."""


class Callback(NamedTuple):
    """The query of a request to the redirect URI, decoded, unjudged."""

    parameters: Mapping[str, str]


class Client(NamedTuple):
    """Us at one authorization server (RFC 7591 §3.2.1).

    `origin` is "static", "document" (client ID metadata document) or "registered"; only the last
    may be registered again. `secret_expires_at` is in seconds since the epoch, 0 for never.
    `plain_basic`: Basic has id and secret as they are, because the server does not decode them.
    """

    client_id: str
    origin: str
    client_secret: Secret | None = None
    token_endpoint_auth_method: str = "none"  # noqa: S105 - a method of RFC 7591 §2
    redirect_uris: tuple[str, ...] = ()
    secret_expires_at: float = 0.0
    plain_basic: bool = False


class Credential(NamedTuple):
    """All that is needed to use and renew one sign-in, without any discovery.

    Times are seconds since the epoch; `expires_at` is None where the server gave no lifetime.
    `resource` is the RFC 8707 value byte for byte as published, "" where none is sent; `scope` is
    what was granted. `access_token` is None where only the client is known yet. `dpop_key` is what
    the tokens are bound to, if anything; it lives as long as they do.
    """

    issuer: str
    token_endpoint: str
    client: Client
    redirect_uri: str = ""
    resource: str = ""
    scope: str = ""
    access_token: Secret | None = None
    token_type: str = "Bearer"  # noqa: S105 - of RFC 6750
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    obtained_at: float = 0.0
    expires_at: float | None = None
    revocation_endpoint: str = ""
    dpop_key: Secret | None = None
    published_by: str = ""
    """The issuer at whose own well-known place the endpoints were found; "" where the person gave
    them, and in records of 0.1.0."""
    endpoints: tuple[str, ...] = ()
    """All of the document the client was registered with, as in `ServerMetadata`; as above."""
    consent: str = ""
    """What is known of the prompt for it where `offline_access` is asked for: see `prompts`."""
    scope_refused: bool = False
    """Whether a renewal that named the scope was refused for it, and one without was not."""

    @property
    def tokens(self) -> tuple[Secret, ...]:
        """Those it has, of every kind."""
        every = (self.access_token, self.refresh_token, self.id_token)
        return tuple(token for token in every if token is not None)


def drop_tokens(credential: Credential) -> Credential:
    """`credential` as it was before its first token: client, key, and where it belongs."""
    return credential._replace(
        **dict.fromkeys(("access_token", "refresh_token", "id_token", "expires_at")),
        obtained_at=0.0,
        scope_refused=False,
    )


class PendingAuthorization(NamedTuple):
    """An authorization request the person has not answered yet, and all it takes to finish it.

    Any process of the session can: the tab outlives the one that opened it. `credential` has no
    token yet. `expires_at` is in seconds since the epoch.
    """

    url: str
    state: Secret
    verifier: Secret
    credential: Credential
    server_name: str
    expires_at: float
    iss_parameter_supported: bool = False
    """As the authorization server's metadata say (RFC 9207 §3)."""
    client_is_cached: bool = False
    """Whether the client was registered for an earlier sign-in, and may be forgotten by now."""
    scopes_supported: tuple[str, ...] | None = None
    """As the authorization server's metadata say."""
    begun_at: float | None = None
    """Where its tab opens by itself: it does once the budget counts one since that time. None for a
    person's own."""
    opened_at: float = 0.0
    """When its first tab was about to be opened; 0 in records of 0.1.0."""
    is_shown_again: bool = False
    """Whether it has been shown once more by itself."""


class Lock(Enum):
    """Locks of a session, each held by one process at a time; the kernel frees them with it."""

    STORE = "store"
    """Change what is stored: a renewal, the redeeming of a code. Held for one request."""
    SIGN_IN = "sign-in"
    """Ask the person. Held for minutes."""
    UNSAVED = "unsaved"
    """Have tokens that are not stored yet: what is stored may be spent. Kept beyond the end of the
    conversation, by whoever has some, until they are stored or the process ends."""


class Stored(Enum):
    """What is stored of a session."""

    NOTHING = 0
    REGISTRATION = 1
    """A client, and no tokens: the sign-in has ended, or never came about."""
    TOKENS = 2
    REST = 3
    """A record that cannot be read, or a sign-in that waits for its person."""


class SharedState(NamedTuple):
    """The state on disk that all processes of a session share."""

    credential: Credential | None
    pending: PendingAuthorization | None
    budget: SignInBudget
    last_error: str
    last_hint: str
    """Cause and next step that a person was told of the last sign-in that failed."""
    unreadable: McpRemoteError | None = None
    """The error where the budget could not be read; `budget` then stands for nothing."""
    signed_in_at: float | None = None
    """`obtained_at` of the credential that the record tells of; it can be lost without the
    credential, and the budget with it."""


# Steps ---------------------------------------------------------------------------------------


class Step(msgspec.Struct, Generic[T], frozen=True):
    """Something a conversation wants done; answered by a T."""


AnyStep = Step[Any]

Conversation = Generator[AnyStep, object, T]
"""Yields steps, is sent their answers, returns T."""


def ask(step: Step[T]) -> Conversation[T]:
    """Yields the step, and returns its answer with the type that this step is answered by."""
    return cast("T", (yield step))


class Fetch(Step[HttpResponse], frozen=True):
    """Do this request, without following redirects to other origins; answered by a `HttpResponse`.

    Throws NotSent or Interrupted where no answer came.
    """

    request: HttpRequest
    follow_redirects: bool = True
    """False: a redirect within the origin is an answer too."""
    patience: float | None = None
    """Seconds for all of it, where the person does not say otherwise; None: what is usual."""


class BindListener(Step[tuple[str, ...]], frozen=True):
    """Bind the loopback listener; answered by the tuple of its redirect URIs, the preferred first.

    Before anything is registered or opened, so that the port is known and is ours.
    """


class AskUser(Step[Callback | None], frozen=True):
    """Let the person answer `pending`; answered by the `Callback` that came for its state.

    Or by None: another process has finished it. `opens_tab`: show the person its address; else
    that was done before. `listens`: at its redirect URI; else whoever opened the tab does.
    `is_step_up`: it is for more scopes than a sign-in has that works.
    Throws NobodyCame when no answer came in time, NobodyYet after `patience` seconds where there is
    more time, another McpRemoteError when nobody was asked.
    """

    pending: PendingAuthorization
    opens_tab: bool = True
    listens: bool = True
    patience: float | None = None
    is_step_up: bool = False


class ShowPage(Step[None], frozen=True):
    """Open the page of `pending` in a browser: a person asked for it who is waited for already."""

    pending: PendingAuthorization


class Load(Step[Credential | None], frozen=True):
    """Answered by the stored `Credential` of this session, or None."""


class Save(Step[None], frozen=True):
    """Store this credential; answered by None, when it is safe on disk."""

    credential: Credential


class Reserve(Step[None], frozen=True):
    """Take the space for the next `Save`, before what cannot be had twice is asked for.

    Answered by None; throws where there is none. Given back with the lock of the store.
    """


class Probe(Step[None], frozen=True):
    """Find out whether what is saved will last; answered by None, throws where it will not."""


class Forget(Step[bool], frozen=True):
    """Remove the stored credential with its client: neither is good any more.

    Answered by whether there was one.
    """


class Report(Step[None], frozen=True):
    """Tell the person how far it is: one sentence, no secret; answered by None."""

    text: str
    is_detail: bool = False
    """Whether it is for the log of who looks closely (--debug): nobody has to do anything."""


class Judge(Step[None], frozen=True):
    """See whether the person may be sent to `url`, which the server named as `what`.

    Answered by None; throws SignInFailed where it leads into a network that is closed to the
    server.
    """

    url: str
    what: str


class ReadNamedFile(Step[Secret], frozen=True):
    """Read a file the person named with `option`; answered by its text, a `Secret`.

    Raises UsageError where it cannot be read.
    """

    path: str
    option: str


class Wait(Step[None], frozen=True):
    """Let that much time pass; answered by None."""

    seconds: float


class AcquireLock(Step[bool], frozen=True):
    """Take the lock and keep it until `Release`, or the end of the conversation.

    Answered by whether it could be had; others are waited for, for `patience` seconds at most.
    McpRemoteError is thrown where the disk does not support locks.
    """

    lock: Lock
    patience: float = 0.0


class ReleaseLock(Step[None], frozen=True):
    """Give the lock back; answered by None."""

    lock: Lock


class ReadShared(Step[SharedState], frozen=True):
    """Answered by the `SharedState` as it is now."""


class UpdateBudget(Step[SignInBudget], frozen=True):
    """Change the budget on disk, at once or not at all; answered by the new one.

    Where the disk does not take it, it holds for this process, and is written later; with
    `must_last` nothing has changed then, and McpRemoteError is thrown.
    """

    change: Callable[[SignInBudget], SignInBudget]
    must_last: bool = False


class SavePending(Step[None], frozen=True):
    """Store this authorization request, None to delete it; answered by None."""

    pending: PendingAuthorization | None


class Renew(Step[Credential], frozen=True):
    """Play `flow.renew` for this credential, so that it is finished also where we are killed.

    Answered by the new credential, which is stored if that was possible; throws what that raises.
    """

    credential: Credential


class RecordStatus(Step[None], frozen=True):
    """Write down for `status` who is signed in, or why nobody is; answered by None."""

    credential: Credential | None
    error: str = ""
    hint: str = ""


class WaitForNews(Step[None], frozen=True):
    """Let that much time pass, less where this process learns of a new credential.

    `pending` is what another process waits for, where that is known.
    """

    seconds: float
    pending: PendingAuthorization | None = None


class NobodyYet(McpRemoteError):
    """Nobody has come back so far; what is asked stays asked."""


class NobodyCame(SignInFailed):
    """The person was shown the page and did not come back from it in time."""
