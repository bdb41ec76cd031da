"""The settings of connections: time-outs, certificates, proxies; the same for every command.

Values alone. Must not know who opens a connection, nor what an option is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.settings.http_proxy import HttpProxy

DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_HEADERS_TIMEOUT = 300.0
DEFAULT_BODY_TIMEOUT = 300.0
"""Seconds, as in mcp-remote 0.15.1. The last bounds a gap in a JSON body. It does not bound an
event stream, unless `--body-timeout` is given (field notes 21 and 30: idle streams and long calls
were cut)."""
FETCH_TIMEOUT = 5.0
POST_TIMEOUT = 15.0
"""Seconds for one request of a sign-in in all: for a document, and where something is done for it.
A person waits, and a host does (field note 29). The person may say otherwise (`SignInTimeouts`)."""
TOKEN_TIMEOUT = 30.0
"""Seconds for any other request to a token endpoint: a refresh token may be good for one request,
too, and a host waits for 60 s."""
CONSENT_TIMEOUT = 60.0
"""Seconds for a request whose answer cannot be had again without asking the person once more: a
code is good for one request (RFC 6749 §4.1.2), and servers on a cold start took 17 s for it."""
LONGEST_SIGN_IN_PART = 60.0
"""Seconds that they may give connecting, the headers and the body of such a request, each."""


class Timeouts(Value, frozen=True):
    """Seconds; None means no limit."""

    connect: float | None = DEFAULT_CONNECT_TIMEOUT
    headers: float | None = DEFAULT_HEADERS_TIMEOUT
    body: float | None = DEFAULT_BODY_TIMEOUT
    stream: float | None = None
    """A gap in an event stream."""


class RequestLimits(Value, frozen=True):
    """The limits of one request, in seconds; None for a part that only the whole bounds."""

    connect: float | None
    headers: float | None
    body: float | None
    """A gap in it."""
    whole: float


class SignInTimeouts(Value, frozen=True):
    """The person's limits for requests of a sign-in, in seconds; 0: no limit, None: not given.

    They are the same options as for messages. Their defaults are not: a document is small, and a
    person or a host waits for it.
    """

    connect: float | None = None
    headers: float | None = None
    body: float | None = None

    def limit(self, ours: float) -> RequestLimits:
        """The limits of a request that we would give `ours` seconds in all.

        Where the person says something, each part has what they say, or `ours`; and the whole as
        much as its parts have: an answer that drips is bounded still. "No limit" is meant for
        long calls: whoever renews a token keeps others waiting, and must come to an end.
        """
        if self == SignInTimeouts():
            return RequestLimits(None, None, None, ours)
        connect, headers, body = (
            ours if one is None else min(one or LONGEST_SIGN_IN_PART, LONGEST_SIGN_IN_PART)
            for one in self.parts()
        )
        return RequestLimits(connect, headers, body, connect + headers + body)


CA_VARIABLES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
"""OpenSSL's, and Node's for who comes from a command of npm: files of authorities to trust."""


class Tls(Value, frozen=True):
    """Files in PEM form, beside the trust store of the operating system."""

    ca_certs: tuple[str, ...] = ()
    client_cert: str | None = None
    client_key: str | None = None
    optional_ca_certs: tuple[str, ...] = ()
    """Those that the environment names: one that cannot be used is passed over."""


class Network(Value, frozen=True):
    """The settings of connections, of every command, for messages and for sign-ins alike.

    Made once from the command line, and handed to whatever opens one.
    """

    timeouts: Timeouts = Timeouts()
    """Limits for messages to the MCP server; `sign_in_timeouts` are for a sign-in's requests."""
    sign_in_timeouts: SignInTimeouts = SignInTimeouts()
    tls: Tls = Tls()
    ipv4: bool = False
    proxies: tuple[tuple[str, Secret], ...] = ()
    """The variables of the environment that are about HTTP proxies: names and values."""
    ca_variables: tuple[str, ...] = ()
    """The variables of the environment that name certificate authorities."""
    allow_private_network: bool = False
    """Whether the server may lead a sign-in into private networks, wherever it is itself."""

    def proxy_for(self, url: ServerUrl) -> HttpProxy | None:
        """The HTTP proxy for `url`, None where it is reached directly.

        Raises:
            UsageError: as `choose_http_proxy`.
        """
        if not self.proxies:
            return None
        from mcp_remote_py.settings.http_proxy import choose_http_proxy

        return choose_http_proxy(url, {name: value.reveal() for name, value in self.proxies})

    def variables_for(self, server: ServerUrl) -> tuple[str, ...]:
        """The variables of the environment without which `server` may not be reached."""
        proxy = self.proxy_for(server)
        named = (proxy.variable,) if proxy is not None and proxy.variable else ()
        return (*named, *self.ca_variables)

    def secrets_for(self, server: ServerUrl) -> tuple[Secret, ...]:
        """Secrets that no log line may show once `server` is connected to."""
        try:
            proxy = self.proxy_for(server)
        except UsageError:  # whoever cannot use it does not repeat it either
            return ()
        return () if proxy is None else proxy.secrets


_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_SEEN_VARIABLES = frozenset(
    (*_PROXY_VARIABLES, *map(str.upper, _PROXY_VARIABLES), "REQUEST_METHOD")
)


def proxy_variables(environment: Mapping[str, str]) -> tuple[tuple[str, Secret], ...]:
    """The part of the environment that `http_proxy.choose_http_proxy` looks at."""
    names = _SEEN_VARIABLES.intersection(environment)
    return tuple((name, Secret(environment[name])) for name in sorted(names))
