"""Plays a host for `check` through a relay of its own, as a look from a terminal does (D13).

Must not know what a check says of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.checking.talk import LookAtServer
from mcp_remote_py.commands.proxy import assemble
from mcp_remote_py.commands.terminal import OwnHost, look_at_server
from mcp_remote_py.found import Found
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.signing.signer import AwsSigner
from mcp_remote_py.transports.headers import HeaderSource


def build_look(
    environment: Mapping[str, str], headers: HeaderSource, signer: AwsSigner | None = None
) -> LookAtServer:
    """What `ServerTalk` plays a host with."""

    async def look(settings: ProxySettings, patience: float) -> Found:
        host = OwnHost()
        looking = assemble(settings, environment, headers, host, signer=signer, is_look=True)
        return await look_at_server(host, looking, mask_url(str(settings.server)), patience)

    return look
