"""Puts together what asks one server for `check`, and plays a host for it (decision D13).

Must not know what a check says of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from mcp_remote_py.checking.discovery import discover_documents
from mcp_remote_py.checking.talk import ANSWER_PATIENCE, CHECK_PATIENCE, LookAtServer, ServerTalk
from mcp_remote_py.commands.relaying import assemble, build_signer_for
from mcp_remote_py.commands.terminal import OwnHost, look_at_server
from mcp_remote_py.found import Found
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.oauth.challenge import parse_challenge
from mcp_remote_py.oauth.discovery import NoSignInNamed
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.signing.signer import AwsSigner
from mcp_remote_py.transports.headers import COMMAND_TIMEOUT, HeaderSource


@asynccontextmanager
async def open_talk(
    settings: ProxySettings,
    environment: Mapping[str, str],
    report: Callable[[str], None],
    seconds: float = CHECK_PATIENCE,
    answer_patience: float = ANSWER_PATIENCE,
    command_patience: float = COMMAND_TIMEOUT,
) -> AsyncGenerator[ServerTalk]:
    """The conversation of a check with the server of `settings`; see `ServerTalk`.

    `command_patience` is what a command has that prints headers; its time is a part of `seconds`.

    Raises:
        UsageError: a header cannot be read, or AWS keys cannot be any.
    """
    clock = asyncio.get_running_loop()
    began = clock.time()
    headers = HeaderSource(settings.headers, environment, read_settled, command_patience)
    await headers.load()
    signer = build_signer_for(settings, environment, headers)
    look = _build_look(environment, headers, signer)
    talk = ServerTalk(
        settings,
        environment,
        headers,
        look,
        report,
        time.time,
        signer,
        seconds - (clock.time() - began),
        answer_patience,
    )
    try:
        yield talk
    finally:
        await talk.aclose()
        if signer is not None:
            await signer.aclose()


async def names_sign_in(
    settings: ProxySettings, environment: Mapping[str, str], challenge: str
) -> bool:
    """Whether a server that wants a credential says how to get one; True where that is not known.

    `challenge` is the value of its `WWW-Authenticate`. Nothing is registered.
    """
    async with open_talk(settings, environment, lambda _: None) as talk:
        talk.challenge = parse_challenge(challenge)
        await discover_documents(talk)
        return not isinstance(talk.undiscovered, NoSignInNamed)


def _build_look(
    environment: Mapping[str, str], headers: HeaderSource, signer: AwsSigner | None
) -> LookAtServer:
    async def look(settings: ProxySettings, patience: float) -> Found:
        host = OwnHost()
        looking = assemble(settings, environment, headers, host, signer=signer, is_look=True)
        return await look_at_server(host, looking, mask_url(str(settings.server)), patience)

    return look
