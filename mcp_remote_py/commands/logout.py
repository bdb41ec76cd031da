"""Revokes the tokens of sessions and forgets them.

Must not know argparse, streams, HTTP or how tokens are revoked.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mcp_remote_py.commands.agent import BuildAgent, load_agent
from mcp_remote_py.credentials.keys import FOLDER, choose_store
from mcp_remote_py.credentials.server_cache import ServerCache, delete_snapshots
from mcp_remote_py.credentials.session_files import (
    SessionFile,
    SessionRecord,
    list_records,
    state_directory,
)
from mcp_remote_py.errors import McpRemoteError, one_line
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS
from mcp_remote_py.redact import mask_url, remember, secrets_in_url
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.commands import LoginSettings
from mcp_remote_py.settings.sign_in import TOKEN_STORES, SignInSettings
from mcp_remote_py.settings.stored import LogoutSettings
from mcp_remote_py.url import parse_url

logger = logging.getLogger("mcp_remote_py")


def run_logout(
    settings: LogoutSettings,
    environment: Mapping[str, str],
    write: Callable[[str], None],
    build: BuildAgent | None = None,
) -> int:
    """Signs out of every session that is meant; returns the exit status.

    One that cannot be signed out is said and does not keep the others; the status then is 1. Where
    requests are signed, that is said; a sign-in from before ends all the same.
    """

    async def sign_out() -> int:
        statuses = [
            await _sign_out(state, settings, environment, write, build or load_agent())
            for state in sessions
        ]
        return max(statuses, default=DONE_STATUS)

    sessions, nameless = find_sessions(settings, environment)
    if settings.aws is not None:
        from mcp_remote_py.settings.aws import describe_aws_login

        write(describe_aws_login(settings.aws.profile))
        sessions = [state for state in sessions if state.signed_in_at is not None]
    _forget_snapshots(settings, state_directory(environment))
    if nameless:
        logger.error(
            "Stored sign-ins whose server is not known, because their record cannot be used: %d. "
            "Name each server: mcp-remote-py logout URL. Or delete their files, in %s.",
            nameless,
            state_directory(environment) / FOLDER,
        )
    elif not sessions and settings.aws is None:
        write("Nobody is signed in anywhere: there is nothing to do.")
    return max(asyncio.run(sign_out()), FAILED_STATUS if nameless else DONE_STATUS)


def find_sessions(
    settings: LogoutSettings, environment: Mapping[str, str]
) -> tuple[list[SessionRecord], int]:
    """The sessions that are meant; and how many are stored that no record tells anything of.

    The one that is named in full is always among them: its record may be lost while a token of
    it is still stored.

    Raises:
        StoreError: all are meant, and what is stored cannot be found out.
    """
    directory = state_directory(environment)
    known, wanted = list_records(directory), settings.sessions
    found = [state for state in known if wanted.includes(state.session)]
    if wanted.server is None:
        stored = set(choose_store("file", directory, os.urandom).sessions())
        meant = [
            state
            for state in found
            if state.signed_in_at is not None or state.store or state.session.key in stored
        ]
        return meant, len(stored - {state.session.key for state in known})
    named = SessionRecord(
        server=str(wanted.server), profile=wanted.profile or "", resource=wanted.resource or ""
    )
    return found or [named], 0


def _forget_snapshots(settings: LogoutSettings, directory: Path) -> None:
    """What servers said goes also where nobody was signed in."""
    wanted = settings.sessions
    if wanted.server is not None:
        session = SessionId(str(wanted.server), wanted.resource or "", wanted.profile or "")
        ServerCache(directory, session, os.urandom).delete()
    elif wanted.resource is None and wanted.profile is None:
        delete_snapshots(directory)


async def _sign_out(
    state: SessionRecord,
    settings: LogoutSettings,
    environment: Mapping[str, str],
    write: Callable[[str], None],
    build: BuildAgent,
) -> int:
    name = _name(state)
    remember(secrets_in_url(state.server))
    try:
        agent = build(
            _to_login_settings(state, settings),
            environment,
            lambda text: write(one_line(text)),
        )
        there_was_one = await agent.sign_out()
    except McpRemoteError as error:
        logger.error("%s: %s", name, error.sentence())
        return FAILED_STATUS
    directory = state_directory(environment)
    if not SessionFile(directory, state.session).delete():
        return FAILED_STATUS  # what `status` says is told by that file
    ServerCache(directory, state.session, os.urandom).delete()
    write(f"Signed out of {name}." if there_was_one else f"Nobody was signed in at {name}.")
    return DONE_STATUS


def _name(state: SessionRecord) -> str:
    profile = f" (profile {state.profile})" if state.profile else ""
    return one_line(f"{mask_url(state.server)}{profile}")


def _to_login_settings(state: SessionRecord, settings: LogoutSettings) -> LoginSettings:
    """The settings of the session that `state` remembers."""
    server = parse_url(state.server)
    defaults = SignInSettings()
    used = state.store if state.store in TOKEN_STORES else defaults.token_store
    return LoginSettings(
        server=server,
        network=settings.network,
        log=settings.log,
        sign_in=defaults.replace(
            profile=state.profile,
            resource=state.resource or None,
            token_store=settings.token_store or used,
        ),
    )
