"""The settings of the relay and of `login`: all they were asked for, checked, in one frozen value.

Those of the other commands are in `stored`. Must not know how it was asked for, nor what a command
does with it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from mcp_remote_py.redact import Secret, secrets_in_url
from mcp_remote_py.settings.headers import HeaderSettings
from mcp_remote_py.settings.network import Network
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.settings.aws import AwsSettings

DEFAULT_PING_INTERVAL = 30.0
"""Seconds."""
DEFAULT_INITIALIZE_TIMEOUT = 45.0
"""Seconds. Hosts give up after 60, and the process must have started by then. For those known to
give up sooner it is less: `retry.HOST_PATIENCES`."""
DEFAULT_MAX_MESSAGE_SIZE = 128 * 1024 * 1024
"""Bytes of one message in either direction (promise R8)."""


class TransportStrategy(Enum):
    """The transports that are tried, in their order (names of mcp-remote)."""

    HTTP_FIRST = "http-first"
    SSE_FIRST = "sse-first"
    HTTP_ONLY = "http-only"
    SSE_ONLY = "sse-only"


class ProtocolStrategy(Enum):
    """The era of the protocol that the server is taken to speak (names of mcp-remote)."""

    AUTO = "auto"
    LEGACY = "legacy"
    MODERN = "modern"


class ToolRules(Value, frozen=True):
    """The tools that the host may see and call: patterns with `*`, matched against the whole name.

    An `allow` list, if any, must match; an `ignore` pattern must not; with `read_only` the
    server must have marked the tool `readOnlyHint: true`.
    """

    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def restrict(self) -> bool:
        """Whether any rule is set."""
        return bool(self.allow or self.ignore or self.read_only)


class LogSettings(Value, frozen=True):
    """`level` is a name of the logging module, or "" for silence on stderr."""

    level: str = "INFO"
    file: str | None = None


class LoginSettings(Value, frozen=True):
    """Everything that signing in or out at one server needs to know."""

    server: ServerUrl
    headers: HeaderSettings = HeaderSettings()
    """Headers for the server itself, when it is asked whether it wants a sign-in."""
    network: Network = Network()
    sign_in: SignInSettings = SignInSettings()
    log: LogSettings = LogSettings()
    aws: AwsSettings | None = None
    """Where requests are signed, so that nobody signs in."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        return (
            *self.headers.secrets,
            *self.network.secrets_for(self.server),
            *self.sign_in.secrets,
            *secrets_in_url(str(self.server)),
        )


class ProxySettings(Value, frozen=True):
    """Everything the relay needs to know of its command line and environment."""

    server: ServerUrl
    headers: HeaderSettings = HeaderSettings()
    network: Network = Network()
    transport: TransportStrategy = TransportStrategy.HTTP_FIRST
    protocol: ProtocolStrategy = ProtocolStrategy.AUTO
    tools: ToolRules = ToolRules()
    ping_interval: float | None = None
    """Seconds between keep-alive pings; None sends none."""
    forward_ping: bool = False
    merge_pages: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    """Members of `_meta` that each request gets which does not have them."""
    initialize_timeout: float | None = DEFAULT_INITIALIZE_TIMEOUT
    """Seconds the host's `initialize` waits for a person; None waits for ever."""
    fits_host: bool = True
    """It waits less where the host is known to give up sooner: nobody has said how long."""
    cookies: bool = True
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    log: LogSettings = LogSettings()
    sign_in: SignInSettings = SignInSettings()
    aws: AwsSettings | None = None
    """The signature of every request; None where none is signed, and a person may sign in."""
    entry_words: tuple[str, ...] = ()
    """The words behind the URL in a host's configuration that start this very relay; no secrets."""

    @property
    def login(self) -> LoginSettings:
        """The part that a sign-in needs."""
        return LoginSettings(
            self.server, self.headers, self.network, self.sign_in, self.log, self.aws
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        return self.login.secrets
