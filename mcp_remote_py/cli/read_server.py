"""The settings of the commands for one server: the relay and `login`.

`login` takes what a sign-in needs of them. Must not know how a word is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.login_words import describe_entry, describe_login
from mcp_remote_py.cli.options import ALL_OPTIONS, AWS, SIGN_IN
from mcp_remote_py.cli.read_shared import read_log, read_network, read_signing_profile, read_url
from mcp_remote_py.redact import remember
from mcp_remote_py.settings.commands import (
    DEFAULT_INITIALIZE_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_PING_INTERVAL,
    ProtocolStrategy,
    ProxySettings,
    ToolRules,
    TransportStrategy,
)
from mcp_remote_py.settings.headers import (
    HeaderSettings,
    check_sign_in_headers,
    describe_placeholder,
)
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.words import check_filled
from mcp_remote_py.url import ServerUrl

if TYPE_CHECKING:
    from mcp_remote_py.settings.aws import AwsSettings


def read_login(given: Given) -> ProxySettings:
    """All that `login` is told, which is what its relay would be: that one is tried, and told of.

    Where requests are signed, no more than that.

    Raises:
        UsageError: anything is wrong, or a credential is given.
    """
    aws = read_signing_profile(given)
    if aws is not None:
        server = read_url(given, given.has("--allow-http"))
        return ProxySettings(server, log=read_log(given), aws=aws)
    settings = read_proxy(given)
    check_sign_in_headers(settings.headers.given)
    return settings


def read_proxy(
    given: Given, *, tries_proxy: bool = True, is_written: bool = False
) -> ProxySettings:
    """All that the relay is told; where an entry only `is_written`, its host fills some of it in.

    `tries_proxy`: an HTTP proxy of the environment that cannot be used is a mistake, too.

    Raises:
        UsageError: anything is wrong.
    """
    if not is_written:
        _check_filled(given)
    server = read_url(given, given.has("--allow-http"))
    headers = HeaderSettings(
        given=given.each("--header"),
        files=given.each("--header-file"),
        commands=given.each("--header-command"),
    )
    remember(headers.secrets)
    given.warnings += filter(None, map(describe_placeholder, headers.given))
    network = read_network(given)
    if tries_proxy:
        network.proxy_for(server)  # one that cannot be used is said now
    aws = _read_signature(given, server, headers)  # first: it adds words of the environment
    return ProxySettings(
        server=server,
        headers=headers,
        network=network,
        transport=given.get("--transport", TransportStrategy.HTTP_FIRST),
        protocol=given.get("--protocol", ProtocolStrategy.AUTO),
        tools=ToolRules(
            allow=given.each("--allow-tool"),
            ignore=given.each("--ignore-tool"),
            read_only=given.has("--read-only"),
        ),
        ping_interval=given.get(
            "--ping-interval", DEFAULT_PING_INTERVAL if given.has("--keep-alive") else None
        ),
        forward_ping=given.has("--forward-ping"),
        merge_pages=given.has("--merge-pages"),
        metadata=given.each("--metadata"),
        initialize_timeout=given.get("--initialize-timeout", DEFAULT_INITIALIZE_TIMEOUT) or None,
        fits_host=not given.has("--initialize-timeout"),
        cookies=not given.has("--disable-cookies"),
        max_message_size=given.get("--max-message-size", DEFAULT_MAX_MESSAGE_SIZE),
        log=read_log(given),
        sign_in=_read_sign_in(given),
        aws=aws,
        entry_words=describe_entry(given),
    )


def _check_filled(given: Given) -> None:
    words = (word for found in given.arguments.options.values() for word in found)
    for word in (given.arguments.url or "", *words):
        if "${" in word:
            check_filled(word, given.environment)


def _read_signature(given: Given, server: ServerUrl, headers: HeaderSettings) -> AwsSettings | None:
    if not any(given.has(option.name) for option in ALL_OPTIONS if option.group == AWS):
        return None
    from mcp_remote_py.cli.read_aws import read_aws

    return read_aws(given, server, headers)


def _read_sign_in(given: Given) -> SignInSettings:
    of_sign_in = (option.name for option in ALL_OPTIONS if option.group == SIGN_IN)
    if given.arguments.port is None and not any(map(given.has, of_sign_in)):
        return SignInSettings(login_options=describe_login(given))
    from mcp_remote_py.cli.read_sign_in import read_sign_in

    return read_sign_in(given)
