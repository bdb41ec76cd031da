"""The places where a sign-in's documents are looked for, as tables: the next one is a row.

A document is believed for what it says (`metadata`), and never for where it lies: a place more is
not a danger, only a request. Must not know what a document says.
"""

from __future__ import annotations

from typing import NamedTuple

from mcp_remote_py.settings.network import FETCH_TIMEOUT
from mcp_remote_py.url import ServerUrl

NAMED_TIMEOUT = 15.0
"""Seconds for a document that the server names, or that nothing else can stand for: it may have to
start first."""


class WellKnownPlace(NamedTuple):
    """A way to make an address of the URL of a server or issuer.

    `first` and `again` are the seconds it has, when it is asked and where it is asked once more
    because it failed without a verdict.
    """

    form: str
    """Of `origin`, `path` without a final slash, and for a resource `target`, as it was typed."""
    source: str
    first: float = FETCH_TIMEOUT
    again: float = FETCH_TIMEOUT
    is_shared: bool = False
    """Whether a document of another issuer may rightly lie there, too."""


class DocumentUrl(NamedTuple):
    """An address to ask, with the seconds that it has; see `WellKnownPlace`."""

    url: str
    first: float
    again: float
    is_shared: bool = False

    @property
    def is_guessed(self) -> bool:
        """Whether nobody said that there is anything."""
        return self.first < NAMED_TIMEOUT


_RESOURCE = "{origin}/.well-known/oauth-protected-resource"
_SERVER = "{origin}/.well-known/oauth-authorization-server"
_OPENID = "{origin}/.well-known/openid-configuration"

RESOURCE_PLACES = (
    WellKnownPlace(_RESOURCE + "{target}", "RFC 9728 §3.1"),
    # §3.1 removes a final slash from an empty path only, but /mcp/ is typed for /mcp.
    WellKnownPlace(_RESOURCE + "{path}", "RFC 9728 §3.1, as a person means it"),
    WellKnownPlace(_RESOURCE, "MCP 2025-11-25, Protected Resource Metadata Discovery"),
)
"""Of a protected resource; before them the one that a challenge names (RFC 9728 §5.1)."""

SERVER_PLACES = (
    WellKnownPlace(_SERVER + "{path}", "RFC 8414 §3.1", NAMED_TIMEOUT, NAMED_TIMEOUT),
    WellKnownPlace(
        _OPENID + "{path}", "RFC 8414 §5; MCP 2025-11-25 asks for it", again=NAMED_TIMEOUT
    ),
    WellKnownPlace(
        "{origin}{path}/.well-known/openid-configuration",
        "OpenID Connect Discovery §4.1",
        again=NAMED_TIMEOUT,
    ),
    WellKnownPlace(
        "{origin}{path}/.well-known/oauth-authorization-server",
        "servers that are mounted below a path, and know nothing of what is above",
        again=NAMED_TIMEOUT,
    ),
    WellKnownPlace(
        _SERVER,
        "servers with one document for all their paths",
        again=NAMED_TIMEOUT,
        is_shared=True,
    ),
    WellKnownPlace(_OPENID, "the same, of OpenID Connect", again=NAMED_TIMEOUT, is_shared=True),
)
"""Of an authorization server that was named.

Whoever rules the root of a host rules the inserted path as well, and the appended one is below the
issuer's own: nobody else can publish at any of them.
"""

ORIGIN_PLACES = (
    WellKnownPlace(_SERVER, "MCP 2025-03-26, Server Metadata Discovery", again=NAMED_TIMEOUT),
    WellKnownPlace(_OPENID, "RFC 8414 §5", again=NAMED_TIMEOUT),
)
"""Of a server that may sign people in itself."""


def resource_urls(server: ServerUrl, named: str = "") -> tuple[DocumentUrl, ...]:
    """Where the metadata of the resource `server` may be; `named` is the challenge's, if any."""
    plain, question, query = server.target.partition("?")
    path = plain.removesuffix("/")
    target = (plain if path else "") + question + query
    first = (DocumentUrl(named, NAMED_TIMEOUT, NAMED_TIMEOUT),) if named else ()
    return _fill(RESOURCE_PLACES, server.origin, path, target, first)


def server_urls(issuer: ServerUrl) -> tuple[DocumentUrl, ...]:
    """Where the metadata of the authorization server `issuer` may be."""
    return _fill(SERVER_PLACES, issuer.origin, issuer.target.removesuffix("/"))


def origin_urls(server: ServerUrl) -> tuple[DocumentUrl, ...]:
    """Where it may be if the MCP server `server` signs people in itself."""
    return _fill(ORIGIN_PLACES, server.origin, "")


def issuer_of(url: str) -> str:
    """The issuer that `url` names; some name it by the address of its metadata.

    Whose document lies there is judged as at any other place.
    """
    for mark in (_SERVER, _OPENID):
        before, found, behind = url.partition(mark.removeprefix("{origin}"))
        if found:
            return before + behind
    return url


def _fill(
    places: tuple[WellKnownPlace, ...],
    origin: str,
    path: str,
    target: str = "",
    found: tuple[DocumentUrl, ...] = (),
) -> tuple[DocumentUrl, ...]:
    """These places as addresses behind those found, each address once."""
    urls = {one.url: one for one in found}
    for place in places:
        url = place.form.format(origin=origin, path=path, target=target)
        urls.setdefault(url, DocumentUrl(url, place.first, place.again, place.is_shared))
    return tuple(urls.values())
