"""Revokes the tokens of sessions and forgets them.

Must not know argparse, streams, HTTP or how tokens are revoked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from mcp_remote_py.commands.agent import BuildAgent, load_agent
from mcp_remote_py.console import Console, Style
from mcp_remote_py.credentials.keys import FOLDER, choose_store
from mcp_remote_py.credentials.server_cache import ServerCache, delete_snapshots
from mcp_remote_py.credentials.session_files import (
    SessionFile,
    SessionRecord,
    list_records,
    state_directory,
)
from mcp_remote_py.errors import McpRemoteError, UsageError, one_line
from mcp_remote_py.exit_status import DONE_STATUS, FAILED_STATUS
from mcp_remote_py.oauth.steps import Stored
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
    console: Console,
    build: BuildAgent | None = None,
) -> int:
    """Signs out of every session that is meant; returns the exit status.

    One that cannot be signed out is said and does not keep the others; the status then is 1. Where
    requests are signed, that is said; a sign-in from before ends all the same.

    Raises:
        UsageError: neither a server nor all are meant; it names those that can be.
        StoreError: what is stored cannot be found out.
    """

    async def sign_out() -> list[_Outcome]:
        return [
            await _sign_out(state, settings, environment, console, build or load_agent())
            for state in sessions
        ]

    if settings.sessions.server is None and not settings.is_all:
        raise _explain_missing(settings, environment)
    sessions, nameless = find_sessions(settings, environment)
    if settings.aws is not None:
        from mcp_remote_py.settings.aws import describe_aws_login

        console.say(describe_aws_login(settings.aws.profile))
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
        console.say("Nobody is signed in anywhere: there is nothing to do.")
    outcomes = asyncio.run(sign_out())
    if outcomes == [_Outcome.NOTHING]:
        for line in _name_other_profiles(settings, environment):
            console.say(one_line(line))
    if settings.sessions.server is None and len(outcomes) > 1:
        console.say(_sum_up(outcomes))
    return FAILED_STATUS if nameless or _Outcome.FAILED in outcomes else DONE_STATUS


def _explain_missing(settings: LogoutSettings, environment: Mapping[str, str]) -> UsageError:
    """The error for whoever has not named any server: with those that can be meant."""
    names = ", ".join(map(_name, find_sessions(settings, environment)[0]))
    if not names:
        return UsageError("Nobody is signed in anywhere, as far as is known.")
    return UsageError(
        "The server URL is missing.",
        hint=f"Name one of these: {names}. For all of them: mcp-remote-py logout --all",
    )


def _name_other_profiles(settings: LogoutSettings, environment: Mapping[str, str]) -> Iterator[str]:
    """A line for each sign-in at the server that is named, and that another profile has."""
    server = settings.sessions.server
    for state in list_records(state_directory(environment)) if server is not None else ():
        if state.server != str(server) or state.signed_in_at is None:
            continue
        options = {"--profile": state.profile, "--resource": mask_url(state.resource)}
        words = [word for pair in options.items() if pair[1] for word in pair]
        command = shlex.join(["mcp-remote-py", "logout", mask_url(state.server), *words])
        which = f"as {shlex.join(words)}" if words else "without a profile"
        yield f"There is a sign-in {which}: {command}"


class _Outcome(Enum):
    """What a session had, as the summary of all has it."""

    SIGNED_OUT = "signed out"
    FORGOTTEN = "forgotten without a sign-in"
    NOTHING = "with nothing stored"
    FAILED = "failed"


def _sum_up(outcomes: Sequence[_Outcome]) -> str:
    counts = {outcome: outcomes.count(outcome) for outcome in _Outcome}
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    return f"Together: {told}."


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
    console: Console,
    build: BuildAgent,
) -> _Outcome:
    name = _name(state)
    remember(secrets_in_url(state.server))
    try:
        agent = build(
            _to_login_settings(state, settings),
            environment,
            lambda text: console.say(one_line(text)),
        )
        stored = await agent.sign_out()
    except McpRemoteError as error:
        logger.error("%s: %s", name, error.sentence())
        return _Outcome.FAILED
    directory = state_directory(environment)
    if not SessionFile(directory, state.session).delete():
        return _Outcome.FAILED  # what `status` says is told by that file
    ServerCache(directory, state.session, os.urandom).delete()
    match stored:
        case Stored.TOKENS:
            console.say(f"{console.paint('Signed out', Style.GOOD)} of {name}.")
            return _Outcome.SIGNED_OUT
        case Stored.REGISTRATION:
            console.say(
                f"Nobody was signed in at {name}. What was kept for the next sign-in is forgotten: "
                "the registration of mcp-remote-py there."
            )
            return _Outcome.FORGOTTEN
        case Stored.REST:
            console.say(f"What was left of a sign-in at {name} is forgotten.")
            return _Outcome.FORGOTTEN
        case Stored.NOTHING:
            console.say(f"Nobody was signed in at {name}.")
            return _Outcome.NOTHING


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
