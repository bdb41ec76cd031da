"""Finds where a redirect leads, and whether the request may follow it.

Within the origin only, and from http to https of the same host, at its port or at 443: every header
may be a credential (promise S2, field note 24). Pure. Must not know what the request says or
carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from mcp_remote_py.errors import Unusable
from mcp_remote_py.redact import mask_url, scrub_known
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_url

MAX_REDIRECTS = 5
"""Of one request."""

_REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})


def find_redirect(status: int, headers: Mapping[bytes, bytes]) -> str | None:
    """The `Location` of an answer that redirects (RFC 9110 §15.4), None of any other."""
    location = headers.get(b"location")
    if location is None or status not in _REDIRECT_STATUS:
        return None
    return location.decode("latin-1")


def follow(url: ServerUrl, method: bytes, status: int, location: str, count: int) -> ServerUrl:
    """The URL to send the request to that `url` redirects to `location`, for the `count`th time.

    Raises:
        Unusable: it must not be sent there.
    """
    what = f"The server redirects (HTTP {status}) to"
    try:
        target = urljoin(str(url), location)
    except ValueError:  # brackets without an IPv6 address
        raise Unusable(f"{what} a place that is not a URL: {_quote(location)}.") from None
    where = _quote(target)
    if status == 303 and method != b"GET":
        raise Unusable(
            f"{what} {where} in a way that drops the message.",
            hint="If an MCP server is there, put that URL into the config entry.",
        )
    if count > MAX_REDIRECTS:
        raise Unusable(
            f"The server redirected more than {MAX_REDIRECTS} times, to {where}.",
            hint="Check the server's own redirects.",
        )
    try:
        following = parse_url(target)
    except InvalidUrl as error:
        raise Unusable(f"{what} a place that is not a URL: {error}") from error
    if following.origin != url.origin and not is_upgrade(url, following):
        raise Unusable(
            f"{what} another place, {where}: your headers are not sent there.",
            hint="If you trust it, put that URL into the config entry.",
        )
    return following


def is_upgrade(url: ServerUrl, following: ServerUrl) -> bool:
    """Whether a redirect only leads from http to https: another port may be another's program."""
    return (
        (url.scheme, following.scheme) == ("http", "https")
        and url.host == following.host
        and following.port in (443, url.port)
    )


def is_upgrade_of(url: ServerUrl, following: ServerUrl) -> bool:
    """Whether it is an upgrade that leaves the path and the query as they are."""
    return is_upgrade(url, following) and url.target == following.target


def _quote(url: str) -> str:
    return scrub_known(mask_url(url))
