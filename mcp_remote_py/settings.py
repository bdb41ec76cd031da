"""What a person asked for, checked: frozen values, nothing else.

The environment comes in as a mapping. This module must not know argparse or `os.environ`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mcp_remote_py.redact import Secret

DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_HEADERS_TIMEOUT = 300.0
DEFAULT_BODY_TIMEOUT = 300.0
"""Seconds, as in mcp-remote 0.15.1; the last bounds a gap in a JSON body, never an event stream,
unless `--body-timeout` is given (field notes 21 and 30: idle streams and long calls were cut)."""
DEFAULT_PING_INTERVAL = 30.0
DEFAULT_MAX_MESSAGE_SIZE = 128 * 1024 * 1024
"""Bytes of one message in either direction (promise R8)."""


class TransportStrategy(Enum):
    """Which transports are tried, in which order (names of mcp-remote)."""

    HTTP_FIRST = "http-first"
    SSE_FIRST = "sse-first"
    HTTP_ONLY = "http-only"
    SSE_ONLY = "sse-only"


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server's address, its path and query byte for byte as typed.

    `host` is ASCII (IDNA) without brackets; `target` is path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as in a `Host` header: the port only where it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """RFC 6454 §6.2."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


@dataclass(frozen=True, slots=True)
class Header:
    """One header to add to every request to the server; its value is a secret."""

    name: str
    value: Secret


@dataclass(frozen=True, slots=True)
class HeaderSources:
    """Where headers come from: as given, and from what is read again after a 401.

    Later sources win over earlier ones of the same name: `--header`, then files, then commands.
    """

    given: tuple[Header, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None is no limit."""

    connect: float | None = DEFAULT_CONNECT_TIMEOUT
    headers: float | None = DEFAULT_HEADERS_TIMEOUT
    body: float | None = DEFAULT_BODY_TIMEOUT
    stream: float | None = None
    """A gap in an event stream."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form, beside the trust store of the operating system."""

    ca_certs: tuple[str, ...] = ()
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True, slots=True)
class ToolRules:
    """Which tools the host may see and call: patterns with `*`, matched against the whole name.

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


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`level` is a name of the logging module, or "" for silence on stderr."""

    level: str = "INFO"
    file: str | None = None


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Everything the relay needs to know of its command line and environment."""

    server: ServerUrl
    headers: HeaderSources = field(default_factory=HeaderSources)
    transport: TransportStrategy = TransportStrategy.HTTP_FIRST
    tools: ToolRules = field(default_factory=ToolRules)
    timeouts: Timeouts = field(default_factory=Timeouts)
    tls: Tls = field(default_factory=Tls)
    http_proxy: Secret | None = None
    """URL of the HTTP proxy for this server; it may carry credentials."""
    ping_interval: float | None = None
    """Seconds between keep-alive pings; None sends none."""
    forward_ping: bool = False
    ipv4: bool = False
    cookies: bool = True
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    log: LogSettings = field(default_factory=LogSettings)
