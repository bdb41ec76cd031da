"""The settings that several commands share: which server, what is logged, how it connects.

Must not know which command it is, nor how a word is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.readers import read_named_file
from mcp_remote_py.settings.commands import LogSettings
from mcp_remote_py.settings.network import (
    CA_VARIABLES,
    DEFAULT_BODY_TIMEOUT,
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_HEADERS_TIMEOUT,
    Network,
    SignInTimeouts,
    Timeouts,
    Tls,
    proxy_variables,
)
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.settings.words import expand_environment
from mcp_remote_py.url import ServerUrl

if TYPE_CHECKING:
    from mcp_remote_py.settings.aws import AwsSettings


def read_url(given: Given, allow_http: bool) -> ServerUrl:
    """The URL of the server that is named.

    Raises:
        UsageError: it is wrong, or is plain http and that is not allowed.
    """
    return parse_server_url(
        expand_environment(given.arguments.url or "", given.environment), allow_http
    )


def read_log(given: Given) -> LogSettings:
    """The settings of the log."""
    return LogSettings(
        level="DEBUG" if given.has("--debug") else "" if given.has("--silent") else "INFO",
        file=given.get("--log-file"),
    )


def read_signing_profile(given: Given) -> AwsSettings | None:
    """Whose keys sign, for a command that does not sign; None where none is to sign."""
    if not given.has("--aws-sigv4"):
        return None
    from mcp_remote_py.settings.aws import AwsSettings

    return AwsSettings(profile=given.get("--aws-profile", ""))


def read_network(given: Given) -> Network:
    """The settings of the network.

    Raises:
        UsageError: a number is wrong, or a file cannot be used.
    """
    connect: float | None = given.get("--connect-timeout")
    headers: float | None = given.get("--headers-timeout")
    body: float | None = given.get("--body-timeout")
    return Network(
        timeouts=Timeouts(
            connect=_or_default(connect, DEFAULT_CONNECT_TIMEOUT),
            headers=_or_default(headers, DEFAULT_HEADERS_TIMEOUT),
            body=_or_default(body, DEFAULT_BODY_TIMEOUT),
            stream=_or_default(body, None),
        ),
        sign_in_timeouts=SignInTimeouts(connect, headers, body),
        tls=_read_tls(given),
        ipv4=given.has("--ipv4"),
        proxies=proxy_variables(given.environment),
        ca_variables=tuple(name for name in CA_VARIABLES if given.environment.get(name)),
        allow_private_network=given.has("--allow-private-network"),
    )


def _or_default(seconds: float | None, default: float | None) -> float | None:
    """The limit in seconds, None without one; `seconds` is 0 for none, None for the default."""
    return default if seconds is None else seconds or None


def _read_tls(given: Given) -> Tls:
    tls = Tls(
        ca_certs=given.each("--ca-cert"),
        client_cert=given.get("--client-cert"),
        client_key=given.get("--client-key"),
    )
    if tls == Tls() and not any(map(given.environment.get, CA_VARIABLES)):
        return tls
    from mcp_remote_py.settings.certificates import add_ca_certs, check_tls

    check_tls(tls, read_named_file)
    if tls != Tls():
        from mcp_remote_py.tls import try_files  # a plain server with no file of its own needs none

        try_files(tls)
    tls, warnings = add_ca_certs(tls, given.environment, read_named_file)
    given.warnings += warnings
    return tls
