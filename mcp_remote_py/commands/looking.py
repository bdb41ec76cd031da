"""Looks at a server for a command, as a host that starts the relay would, and asks nobody.

Must not know what is told of what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from mcp_remote_py.commands.lazy_sign_in import LazySignIn, NoSignIn
from mcp_remote_py.commands.relaying import assemble
from mcp_remote_py.commands.terminal import LOOK_PATIENCE, OwnHost, look_at_server
from mcp_remote_py.found import Found
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.transports.headers import HeaderSource


class Seen(NamedTuple):
    """What a host would see, and whether the server wants another sign-in."""

    found: Found
    is_refused: bool = False
    """It has refused the token, or that there is none, be it for the tools alone."""
    challenge: str = ""
    """The value of `WWW-Authenticate` where there was no token."""


class LookAsHost(Protocol):
    """Looks at the server of `settings`."""

    async def __call__(
        self, settings: ProxySettings, environment: Mapping[str, str], *, signed_in: bool
    ) -> Seen:
        """With the token that is stored, or without any; raises nothing."""
        ...


async def look_as_host(
    settings: ProxySettings, environment: Mapping[str, str], *, signed_in: bool
) -> Seen:
    """See `LookAsHost`; its requests are those of the relay, and so are the words for failures."""
    headers = HeaderSource(settings.headers, environment, read_settled)
    await headers.load()
    # Nothing that came of a sign-in a moment ago is worth another page.
    quiet = settings.sign_in.replace(asks_person=False)
    host = OwnHost()
    looking = assemble(
        settings.replace(sign_in=quiet, ping_interval=None),
        environment,
        headers,
        host,
        is_look=True,
        sign_in=LazySignIn if signed_in else NoSignIn,
    )
    address = mask_url(str(settings.server))
    found = await look_at_server(host, looking, address, LOOK_PATIENCE)
    challenge = "" if looking.authorizer is None else looking.authorizer.challenge
    return Seen(found, looking.is_refused, challenge)
