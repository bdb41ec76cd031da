"""Keeps what a server names from leading us, or the person's browser, where it is not itself.

`reach` has the rule; here is what it takes to apply it: to which addresses a name leads, and where
the MCP server is. Three ways lead out. What we connect to ourselves is judged by `choose`, on the
very addresses that are then connected to. What a proxy or a browser connects to is judged by
`check`, on what the name leads to here: theirs may lead elsewhere, which cannot be seen from here.
What the person named is not judged at all. Must not know any document or conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

from mcp_remote_py.errors import NotSent, SignInFailed
from mcp_remote_py.net.connect import Resolve, connect, resolve
from mcp_remote_py.net.faults import NotConnected
from mcp_remote_py.oauth.ownership import named_by
from mcp_remote_py.reach import Zone, has_private_name, may_lead, network_of, network_of_literal
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import IdentityProvider
from mcp_remote_py.url import InvalidUrl, ServerUrl, parse_origin

LOOK_UP_TIMEOUT = 2.0
"""Seconds for a name that is not ours to connect to: where only the proxy knows names, a look-up
may hang."""

LOCATE_TIMEOUT = 5.0
"""Seconds to connect to the MCP server, where that is needed to see where it is."""

_OPTION = "If you run that network and trust the server, add --allow-private-network."
_NO_OPTION = "No option allows that address: tell whoever runs the server."


class OutOfReach(Exception):
    """A name leads to this address, or to this machine by its own sense, and must not."""

    def __init__(self, place: str, network: Zone) -> None:
        super().__init__(place)
        self.place = place
        self.network = network


class Border:
    """The border around the networks that the MCP server `server` is not in.

    `named` are the origins that the person named, `locate` tells the address that a connection
    to the server has. One that is `proxied` has none that is seen here: it then is in a private
    network where all its addresses here say so.
    """

    def __init__(
        self,
        server: ServerUrl,
        named: Iterable[str],
        locate: Callable[[], Awaitable[str]],
        *,
        proxied: bool = False,
        private_allowed: bool = False,
        resolve: Resolve = resolve,
    ) -> None:
        self._server = server
        self._named = frozenset(named)
        self._locate = locate
        self._proxied = proxied
        self._private_allowed = private_allowed
        self._resolve = resolve
        self._unseen: set[str] = set()
        """Names that lead nowhere here: they are not looked up again and again."""

    def is_named(self, url: ServerUrl) -> bool:
        """Whether the person named this place."""
        return url.origin in self._named

    async def choose(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Those of the addresses of `host` that may be connected to.

        Raises:
            OutOfReach: none of them.
            NotSent: it depends on where the MCP server is, which does not answer.
        """
        within = [one for one in addresses if await self._is_open(network_of(one))]
        if not within:
            raise OutOfReach(addresses[0], network_of(addresses[0]))
        return within

    async def check(self, url: str, what: str = "") -> None:
        """Whether a browser or a proxy may be sent to `url`, which the server named as `what`.

        All its addresses must be good: which of them is taken is not ours to choose.

        Raises:
            SignInFailed: it may not.
            NotSent: see `choose`.
        """
        if self.is_named(parse_origin(url)):
            return
        host = parse_origin(url).host
        for place, network in await self._look_up(host):
            if not await self._is_open(network):
                raise await self.explain(OutOfReach(place, network), url, what)

    async def explain(self, refused: OutOfReach, url: str, what: str = "") -> SignInFailed:
        """The error for the person: what leads where, from where, and what to do."""
        named = f"The server's {what} {mask_url(url)}" if what else mask_url(url)
        server = await self._server_network()
        hint = _NO_OPTION if refused.network is Zone.LINK_LOCAL else _OPTION
        return SignInFailed(
            f"{named} leads to {refused.place}, {refused.network.value}, and the MCP server "
            f"{self._server.host} is {server.value}: a server must not lead into networks that "
            "it is not in.",
            hint=hint,
        )

    async def _is_open(self, network: Zone) -> bool:
        if network is Zone.PUBLIC:
            return True  # as nearly always: nobody asks where the server is
        server = await self._server_network()
        return may_lead(server, network, private_allowed=self._private_allowed)

    async def _server_network(self) -> Zone:
        literal = network_of_literal(self._server.host)
        if literal is not None:
            return literal
        if not self._proxied:
            return network_of(await self._locate())
        seen = {network for _, network in await self._look_up(self._server.host)}
        return Zone.PRIVATE if seen == {Zone.PRIVATE} else Zone.PUBLIC

    async def _look_up(self, host: str) -> list[tuple[str, Zone]]:
        literal = network_of_literal(host)
        if literal is not None:
            return [(host, literal)]
        addresses = await self._see(host)
        if not addresses and has_private_name(host):
            return [(host, Zone.PRIVATE)]
        return [(address, network_of(address)) for address in addresses]

    async def _see(self, host: str) -> Sequence[str]:
        """The addresses that `host` leads to here, none where nobody here knows."""
        if host in self._unseen:
            return ()
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT):
                return await self._resolve(host, 443, socket.AF_UNSPEC)
        except OSError:  # TimeoutError is one
            self._unseen.add(host)
            return ()


async def find_peer(
    server: ServerUrl,
    build_tls: Callable[[], ssl.SSLContext],
    ipv4: bool,
    limit: float = LOCATE_TIMEOUT,
) -> str:
    """The address that a connection to the MCP server has now; nothing is asked of it.

    `limit`, in seconds, is for connecting. With https, TLS shows that it is the server's: whoever
    rules its name could lead it anywhere.

    Raises:
        NotSent: the connection did not come about.
    """
    try:
        wire = await connect(server.host, server.port, limit, ipv4=ipv4)
        address: str = wire.get_extra_info("peername")[0]
        if server.scheme == "https":
            await wire.start_tls(build_tls(), server.host, limit)
    except NotConnected as error:
        raise NotSent(
            f"{server.origin} cannot be reached ({error}). Which addresses it may name depends "
            "on the network it is in, which is not known now.",
            hint="Check the network and try again.",
        ) from error
    wire.close()
    return address


def origins_of(settings: SignInSettings) -> list[str]:
    """The origins of what the person named for a sign-in; what is not a URL names none."""
    named, unattended = named_by(settings), settings.unattended
    endpoints = (named.token_endpoint, settings.authorization_endpoint)
    urls = dict.fromkeys((*named.issuers, *settings.trusted_issuers, *endpoints))
    if unattended is not None and isinstance(unattended.grant, IdentityProvider):
        urls[unattended.grant.token_endpoint] = None
    origins: list[str] = []
    for url in urls:
        with contextlib.suppress(InvalidUrl):
            origins.append(parse_origin(url).origin)
    return origins
