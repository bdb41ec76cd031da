"""Finds where a redirect leads, and whether the request may follow it.

Within the origin only, and from http to https of the same host, at its port or at 443: every header
may be a credential (promise S2, field note 24). What leads from https to http of the same host is a
server that does not know how it is reached: https is kept, and so is the port where it only wants a
slash at the end of the path. Pure. Must not know what the request
says or carries.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.errors import Unusable
from mcp_remote_py.redact import mask_url, scrub_known
from mcp_remote_py.url import InvalidUrl, ServerUrl, is_downgrade, keep_here, parse_url

MAX_REDIRECTS = 5
"""Of one request."""

MAX_PLACE_LENGTH = 8000
"""Characters of a place that a server names; RFC 9110 §4.1 has everybody support as many."""

_REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})


def find_redirect(status: int, headers: Mapping[bytes, bytes]) -> str | None:
    """The `Location` of an answer that redirects (RFC 9110 §15.4), None of any other."""
    location = headers.get(b"location")
    if location is None or status not in _REDIRECT_STATUS:
        return None
    return encode_blanks(location.decode("latin-1"))


def encode_blanks(place: str) -> str:
    """A place that a server names, with its blanks as browsers send them (WHATWG URL §4.3)."""
    return place.strip(" ").replace(" ", "%20")


def follow(url: ServerUrl, method: bytes, status: int, location: str, count: int) -> ServerUrl:
    """The URL to send the request to that `url` redirects to `location`, for the `count`th time.

    Raises:
        Unusable: it must not be sent there.
    """
    from mcp_remote_py.transports.pages import find_sign_in  # few servers redirect

    what = f"The server redirects (HTTP {status}) to"
    if len(location) > MAX_PLACE_LENGTH:
        raise Unusable(f"{what} a place that is {len(location)} characters long.")
    try:
        target = _resolve(url, location)
    except ValueError:  # brackets without an IPv6 address
        raise Unusable(f"{what} a place that is not a URL: {_quote(location)}.") from None
    where = _quote(target)
    try:
        following = keep_here(url, parse_url(target))
    except InvalidUrl as error:
        raise Unusable(f"{what} a place that is not a URL: {error}") from error
    elsewhere = following.origin != url.origin and not is_upgrade(url, following)
    drops = status == 303 and method != b"GET"
    ends = elsewhere or drops or count > MAX_REDIRECTS  # of one that sends everybody there
    page = find_sign_in(following, url) if ends else None
    if page is not None:
        raise Unusable(f"{what} {page.what}, {where}.", hint=page.hint)
    if drops:
        raise Unusable(
            f"{what} {where} in a way that drops the message.",
            hint="If an MCP server is there, put that URL into the config entry.",
        )
    if count > MAX_REDIRECTS:
        raise Unusable(
            f"The server redirected more than {MAX_REDIRECTS} times, to {where}.",
            hint="Check the server's own redirects.",
        )
    if following == url and is_downgrade(url, parse_url(target)):
        raise Unusable(
            f"{what} plain http at the same address, {where}: nothing is sent there in clear.",
            hint="It does not know that it is reached by https: whoever runs it has to have its "
            "proxy say so (X-Forwarded-Proto).",
        )
    if elsewhere:
        is_safe = following.is_protected
        raise Unusable(
            f"{what} another place, {where}: your headers are not sent there.",
            hint="If you trust it, put that URL into the config entry."
            if is_safe
            else "Everybody on the way could read them there: tell whoever runs the server.",
        )
    return following


def is_kept(url: ServerUrl, location: str, following: ServerUrl) -> bool:
    """Whether `location` names another origin of the host than what is followed at `url`'s own."""
    named = parse_url(_resolve(url, location))
    return following.origin == url.origin and named.origin != url.origin


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


def _resolve(url: ServerUrl, location: str) -> str:
    from urllib.parse import urljoin  # few servers redirect: 3 ms of a start

    return urljoin(str(url), location)


def _quote(url: str) -> str:
    return scrub_known(mask_url(url))
