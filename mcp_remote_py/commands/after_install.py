"""What comes after an entry is written: a sign-in where the server wants one, then the check.

The entry stays, whatever comes of it. Must not know configurations.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping

from mcp_remote_py.commands.agent import BuildAgent
from mcp_remote_py.commands.check_look import names_sign_in
from mcp_remote_py.commands.entry_talk import own_options
from mcp_remote_py.commands.login import run_login
from mcp_remote_py.commands.looking import look_as_host
from mcp_remote_py.console import Console, Style
from mcp_remote_py.credentials.session_files import list_records, state_directory
from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    McpRemoteError,
    explain_mask,
    explain_stars,
    name_server,
)
from mcp_remote_py.exit_status import DONE_STATUS, INTERRUPTED_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.redact import mask_url
from mcp_remote_py.session_id import session_of
from mcp_remote_py.settings.check import CheckSettings
from mcp_remote_py.settings.commands import LoginSettings, ProxySettings
from mcp_remote_py.settings.entry import InstallSettings

CheckEntry = Callable[[InstallSettings, Mapping[str, str], Console], int]
"""Checks the server of an entry step by step, and says what it sees; returns its exit status."""


def go_on(
    settings: InstallSettings,
    environment: Mapping[str, str],
    console: Console,
    typed_before: str = "",
    build: BuildAgent | None = None,
    check: CheckEntry | None = None,
) -> int:
    """Signs in where that is needed and wanted, then checks; returns the exit status.

    `typed_before` stands before our name in a command that a person is told.

    It is 3 where a sign-in was wanted and did not come about, 130 where the person has stopped the
    check, else 0: the entry is there. What keeps it from working is said last, with the next step.
    """
    # In which configuration: others may have an entry of that name.
    words = ("check", settings.name, *own_options(settings.choice, dry_run=False, yes=False))
    if settings.secrets_place == "ask":  # only the host knows what is secret in that entry
        relay = settings.entry.relay
        words = ("check", mask_url(str(relay.server)), *relay.entry_words)
    command = f"{typed_before}mcp-remote-py {shlex.join(words)}"
    command += explain_mask(command)
    fault = console.paint("but it does not work yet", Style.WARNING)
    begin = f"The entry {settings.name} is written, {fault}"
    try:
        status, is_open = _sign_in(settings, environment, console, typed_before, build)
        if status != DONE_STATUS:
            return status
        if not is_open:
            console.say(f"To see whether it works: {command}")
            return DONE_STATUS
        console.say()
        status = (check or check_entry)(settings, environment, console)
        if status == INTERRUPTED_STATUS:
            return status
        if status != DONE_STATUS:
            console.say(f"{begin}, as said above. To check it again: {command}")
    except McpRemoteError as error:
        console.say(f"{begin}: {error.sentence()}")
        console.say(f"To find out why, step by step: {command}")
    return DONE_STATUS


def check_entry(settings: InstallSettings, environment: Mapping[str, str], console: Console) -> int:
    """A `CheckEntry`: the command `check` for the entry that was written."""
    from mcp_remote_py.commands.check import run_check  # and the official client with it

    chosen = CheckSettings(relay=settings.entry.relay)
    return run_check(chosen, environment, console)


def needs_person(relay: ProxySettings) -> bool:
    """Whether a person signs in where the server wants that: nothing else is given in its place."""
    in_files = (one for file in relay.headers.files for one in file.headers)
    names = {one.name.lower() for one in (*relay.headers.given, *in_files)}
    is_unattended = relay.sign_in.unattended is not None
    return not (relay.aws is not None or "authorization" in names or is_unattended)


def is_signed_in(
    login: LoginSettings, environment: Mapping[str, str], now: Callable[[], float] = time.time
) -> bool:
    """Whether a sign-in is kept for the session that these settings name."""
    session = session_of(login.server, login.sign_in)
    records = list_records(state_directory(environment))
    mine = (one for one in records if one.session == session and one.signed_in_at is not None)
    return any(not one.is_over(now()) for one in mine)


def _sign_in(
    settings: InstallSettings,
    environment: Mapping[str, str],
    console: Console,
    typed_before: str,
    build: BuildAgent | None,
) -> tuple[int, bool]:
    """The exit status, and whether anything more is to be found out at the server."""
    relay = settings.entry.relay
    if not needs_person(relay) or is_signed_in(relay.login, environment):
        return DONE_STATUS, True
    server = mask_url(str(relay.server))
    console.show_progress(f"Asking {server} whether it wants a sign-in ...")
    seen = asyncio.run(look_as_host(relay, environment, signed_in=False))
    if not seen.is_refused and seen.found.error:
        # In the words of the relay: its cause and its next step.
        raise McpRemoteError(seen.found.error)
    if not seen.is_refused and not settings.login:
        return DONE_STATUS, True  # with it, `login` looks whether one is wanted for calls alone
    if seen.is_refused and not asyncio.run(names_sign_in(relay, environment, seen.challenge)):
        options = own_options(settings.choice, dry_run=False, yes=False)
        words = ("install", settings.name, server, *options)
        console.say("The server wants a credential, and does not name a sign-in.")
        console.say("If whoever runs it gave you a token, write the entry again with it:")
        line = f'mcp-remote-py {shlex.join(words)} --header "Authorization: Bearer TOKEN"'
        console.say(f"  {typed_before}{line}")
        return DONE_STATUS, False
    command = explain_stars(
        name_server(LOGIN_COMMAND, str(relay.server), relay.sign_in.login_options, typed_before)
    )
    question = f"{server} wants you to sign in. Open the browser for that now?"
    try:
        opens = settings.login or console.agrees(question, otherwise=console.is_interactive)
    except KeyboardInterrupt:
        console.say()
        console.say(f"The entry {settings.name} stays. To sign in later: {command}")
        raise
    if not opens:
        console.say(f"{server} wants you to sign in. Before you use it: {command}")
        return DONE_STATUS, False
    status = run_login(relay, environment, console, build, seen=seen)
    if status == SIGN_IN_NEEDED_STATUS:
        console.say(f"The entry stays. To sign in later: {command}")
    return status, True
