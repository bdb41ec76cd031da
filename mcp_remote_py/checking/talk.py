"""What the steps that speak with the server share: who we are to it, and what it has shown so far.

Nothing here asks the server for anything by itself. Must not know what a step says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.session_files import SessionFile, SessionRecord, state_directory
from mcp_remote_py.credentials.store import Store
from mcp_remote_py.diagnosis.answers import Answered
from mcp_remote_py.diagnosis.judgements import Judgement
from mcp_remote_py.errors import ExchangeError, McpRemoteError
from mcp_remote_py.found import Found
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import Discovered
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.redact import mask_url, remember_tokens
from mcp_remote_py.session_id import session_of
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.http_proxy import HttpProxy
from mcp_remote_py.settings.network import Network, Timeouts
from mcp_remote_py.signin.agent import SignInAgent
from mcp_remote_py.signing.signer import AwsSigner
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.headers import HeaderSource

ANSWER_PATIENCE = 4.0
"""Seconds that an answer has, and a connection."""

CHECK_PATIENCE = 7.5
"""Seconds of the whole conversation: whoever waits has a verdict within ten."""

SLOW_PART = 0.25
"""Part of the time of an answer from which on it is slow: a second."""

SLOW_ANSWERS = 3
"""Times the time of an answer that are left to a slow server: as many answers has a host there."""

LEAST_TIME = 0.5
"""Seconds below which a step is not begun any more."""

NO_TIME_LEFT = "The server is so slow that there is no time left for this."

KEYRING_WAIT = 3.0
"""Seconds that a keyring has: it may show its person a prompt, and nobody is to be surprised."""

LookAtServer = Callable[[ProxySettings, float], Awaitable[Found]]
"""What a host sees through a relay with these settings, within so many seconds."""


class ServerTalk:
    """A check's conversation with one server.

    `headers` are loaded; with a `signer` each request is signed, and nobody signs in. `look` plays
    a host. `now` gives seconds since the epoch; `report` tells the person a sentence while they
    sign in. `seconds` are for the whole, `answer_patience` for one answer.

    Attributes:
        answered: the answer to our own `initialize`, None before.
        challenge: what it asks for, None where it does not ask for a credential.
        offer: the challenge of one that does not ask, and publishes a sign-in; None without one.
        transport: the one found, "" before.
        failure: why the server cannot be spoken with at all, None where it can.
        clock_ahead: seconds that this machine's clock is ahead of the server's, 0 if not known.
        clock_reason: why that is the reason that a token is refused, "" where it is not.
        slowness: seconds that its first answer took, 0 where it is not slow.
    """

    def __init__(
        self,
        settings: ProxySettings,
        environment: Mapping[str, str],
        headers: HeaderSource,
        look: LookAtServer,
        report: Callable[[str], None],
        now: Callable[[], float],
        signer: AwsSigner | None = None,
        seconds: float = CHECK_PATIENCE,
        answer_patience: float = ANSWER_PATIENCE,
    ) -> None:
        quiet = settings.sign_in.replace(asks_person=settings.sign_in.unattended is not None)
        self.settings = settings.replace(
            sign_in=quiet, ping_interval=None, network=_hurried(settings, answer_patience)
        )
        self.asking = settings
        """The same, where a person may be asked."""
        self.environment = environment
        self.headers = headers
        self.look = look
        self.report = report
        self.signer = signer
        self.now = now
        self.answer_patience = answer_patience
        self._deadline = asyncio.get_running_loop().time() + seconds
        self.server = settings.server
        self.address = mask_url(str(settings.server))
        self.answered: Answered | None = None
        self.challenge: Challenge | None = None
        self.offer: str | None = None
        self.transport = ""
        self.failure: McpRemoteError | None = None
        self.clock_ahead = 0.0
        self.clock_reason = ""
        self.slowness = 0.0
        self.discovered: Discovered | None = None
        self.undiscovered: McpRemoteError | None = None
        """Why not."""
        self.credential: Credential | None = None
        self.found: Found | None = None
        self.judgement: Judgement | None = None
        self.store_failed = False
        """Whether what is stored cannot be read."""
        self.session_id = b""
        """Of a session that was begun by our own `initialize`, and is not ended yet."""
        self._agent: SignInAgent | None = None
        self._http: HttpClient | None = None

    # ------------------------------------------------------------------ who we are

    @property
    def time_left(self) -> float:
        """Seconds of the whole that are left, in tenths: they are told."""
        return max(0.0, round(self._deadline - asyncio.get_running_loop().time(), 1))

    def judge_speed(self, seconds: float) -> bool:
        """Whether an answer that took so long is slow: then there is more time for what follows.

        A server that answers is not to be told of as one that does not.
        """
        if seconds <= self.answer_patience * SLOW_PART:
            return False
        self.slowness = seconds
        now = asyncio.get_running_loop().time()
        self._deadline = max(self._deadline, now + self.answer_patience * SLOW_ANSWERS)
        return True

    def has_time_for(self, answers: int) -> bool:
        """Whether so many answers of this server can be waited for."""
        return self.time_left >= max(LEAST_TIME, answers * self.slowness)

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the person's headers."""
        return tuple(header.name for header in self.headers.headers)

    @property
    def signs_in(self) -> bool:
        """Whether a sign-in is what is used where the server wants a credential."""
        return self.signer is None and not self.headers.has_authorization

    @property
    def has_token(self) -> bool:
        """Whether a token of a sign-in is known."""
        return self.credential is not None and self.credential.access_token is not None

    @property
    def http(self) -> HttpClient:
        """The relay's own client, without a sign-in."""
        if self._http is None:
            self._http = HttpClient(self.settings, self.headers, signer=self.signer)
        return self._http

    @property
    def session(self) -> str:
        """The key of the session."""
        return session_of(self.server, self.settings.sign_in).key

    def read_record(self) -> SessionRecord:
        """What is known of the session without any secret."""
        directory = state_directory(self.environment)
        return SessionFile(directory, session_of(self.server, self.settings.sign_in)).read()

    async def load_credential(self) -> Credential | None:
        """What the store has. A keyring is asked only where there is something that it opens.

        Raises:
            McpRemoteError: it cannot be read, or not in time.
        """
        store = self._open_store()
        credential = await asyncio.to_thread(store.load, self.session)
        if credential is not None:
            remember_tokens(credential.tokens)
        self.credential = credential
        return credential

    def describe_store(self) -> str:
        """Where tokens are kept, in words."""
        return self._open_store().describe()

    def _open_store(self) -> Store:
        kind = self.settings.sign_in.token_store
        directory = state_directory(self.environment)
        return choose_store(kind, directory, os.urandom, patience=KEYRING_WAIT)

    def get_agent(self) -> SignInAgent:
        """What sends the token of the sign-in, and renews it as it does for a relay."""
        if self._agent is None:
            from mcp_remote_py.signin.build import build_agent

            self._agent = build_agent(self.settings.login, self.environment, self.report)
        return self._agent

    async def get_headers(self, method: bytes, url: str) -> Sequence[tuple[bytes, bytes]]:
        """The person's headers, and the token where somebody is signed in."""
        ours: list[tuple[bytes, bytes]] = []
        if self.signs_in and self.has_token:
            sent = await self.get_agent().authorize(method, url)
            ours = [] if sent is None else list(sent.headers)
        return self.headers.merge(ours)

    def take_nonce(self, nonce: bytes) -> None:
        """The server's nonce for proofs of possession."""
        if self._agent is not None:
            self._agent.take_nonce(nonce)

    async def aclose(self) -> None:
        """Ends the session that was begun, and what is open."""
        if self.session_id and self._http is not None:
            headers = [(b"mcp-session-id", self.session_id)]
            try:
                async with asyncio.timeout(1.0):
                    response = await self._http.request(b"DELETE", headers, may_sign_in=False)
                    await response.aclose()
            except (ExchangeError, TimeoutError):
                pass  # it ends by itself, sooner or later
            self.session_id = b""
        if self._http is not None:
            await self._http.aclose()
        if self._agent is not None:
            await self._agent.aclose()


def _hurried(settings: ProxySettings, most: float) -> Network:
    """The network with shorter time-outs: a person waits for the outcome."""
    given = settings.network.timeouts
    return settings.network.replace(
        timeouts=Timeouts(
            connect=min(given.connect or most, most),
            headers=min(given.headers or most, most),
            body=min(given.body or most, most),
            stream=min(given.stream or most, most),
        )
    )


def login_to(proxy: HttpProxy) -> tuple[str, str] | None:
    """Name and password for a proxy, as texts; None where it is not to be told any."""
    if proxy.credentials is None:
        return None
    name, password = proxy.credentials
    return name.decode("latin-1"), password.decode("latin-1")
