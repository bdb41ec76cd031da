"""Signs in at a server before a host does, and says how far it is.

Must not know argparse, streams, HTTP or how anybody signs in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from mcp_remote_py.commands.agent import Agent, BuildAgent, load_agent
from mcp_remote_py.errors import McpRemoteError, UsageError, one_line
from mcp_remote_py.exit_status import DONE_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.named_files import read_settled
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.headers import HeaderSettings, check_sign_in_headers
from mcp_remote_py.time_words import describe_moment
from mcp_remote_py.transports.headers import HeaderSource

logger = logging.getLogger("mcp_remote_py")


def run_login(
    settings: LoginSettings,
    environment: Mapping[str, str],
    write: Callable[[str], None],
    read_line: Callable[[], str] | None = None,
    build: BuildAgent | None = None,
    now: Callable[[], float] = time.time,
) -> int:
    """Signs in, writing a line at each step; returns the exit status.

    `read_line` is for what a person pastes, see `BuildAgent`.

    That is 3 where the server wants a sign-in and none came about. Where requests are signed, it is
    said that there is nothing to do.

    Raises:
        UsageError: a header cannot be read, or is an Authorization header.
        McpRemoteError: it could not even be begun.
    """
    if settings.aws is not None:
        from mcp_remote_py.settings.aws import describe_aws_login

        write(describe_aws_login(settings.aws.profile))
        return DONE_STATUS

    async def sign_in() -> int:
        headers = HeaderSource(settings.headers, environment, read_settled)
        await headers.load()
        check_sign_in_headers(headers.headers)
        # As given now: nothing is read again in the time of one sign-in.
        chosen = settings.replace(headers=HeaderSettings(given=headers.headers))
        agent = (build or load_agent())(
            chosen, environment, lambda text: write(one_line(text)), read_line
        )
        return await _sign_in(agent, chosen, write, now)

    return asyncio.run(sign_in())


async def _sign_in(
    agent: Agent, settings: LoginSettings, write: Callable[[str], None], now: Callable[[], float]
) -> int:
    server = mask_url(str(settings.server))
    write(f"Asking {server} whether it wants a sign-in ...")
    status, challenge = await agent.probe()
    if not challenge and status != 401:
        if 200 <= status < 300:
            write(f"{server} answers without a sign-in: there is nothing to do.")
            return DONE_STATUS
        raise McpRemoteError(
            f"{server} answers with status {status} and does not ask for a sign-in.",
            hint="Check the address: servers often have theirs at /mcp or /sse.",
        )
    try:
        credential = await agent.sign_in(challenge)
    except UsageError:
        raise
    except McpRemoteError as error:
        logger.error("%s", error.sentence())
        return SIGN_IN_NEEDED_STATUS
    write(_say_done(server, credential, now()))
    return DONE_STATUS


def _say_done(server: str, credential: Credential, now: float) -> str:
    scopes = f"with the scopes {credential.scope}" if credential.scope else "without any scope"
    return one_line(f"Signed in at {server} {scopes}. {_say_expiry(credential, now)}")


def _say_expiry(credential: Credential, now: float) -> str:
    if credential.expires_at is None:
        return "The server does not say how long it lasts."
    until = describe_moment(credential.expires_at, now)
    if not until:
        return "The server gives an expiry too far ahead to show."
    if credential.refresh_token is None:
        return f"It lasts until {until}; then sign in again."
    return f"The token lasts until {until} and is renewed by itself."
