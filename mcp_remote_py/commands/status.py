"""Shows who is signed in where and until when, from plain records and hosts' files alone.

Nothing here can ask for a keyring's password or reach a network, so a script may run it at any
time. Must not know tokens, stores, HTTP, argparse or streams.
"""

from __future__ import annotations

import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mcp_remote_py.console import Console, Style, wrap_text
from mcp_remote_py.credentials.session_files import SessionRecord, read_records, state_directory
from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    StoreError,
    explain_stars,
    name_server,
    one_line,
    runner_of,
    shorten,
)
from mcp_remote_py.exit_status import DONE_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.oauth.budget import wait_for_renewal, wait_for_tab
from mcp_remote_py.redact import mask_url, remember, scrub_known, secrets_in_url
from mcp_remote_py.settings.stored import SessionPattern, StatusSettings
from mcp_remote_py.time_words import (
    describe_moment,
    describe_wait,
    to_moment,
)

if TYPE_CHECKING:
    from mcp_remote_py.installing.entries import InstalledEntry
    from mcp_remote_py.time_words import ToZone

logger = logging.getLogger("mcp_remote_py")


def run_status(
    settings: StatusSettings,
    environment: Mapping[str, str],
    console: Console,
    now: Callable[[], float] = time.time,
    to_zone: ToZone = datetime.astimezone,
) -> int:
    """Says what is known, a line at a time; returns the exit status.

    That is 3 where a server is asked for and nobody is signed in there; unless its requests are
    signed, so that nobody has to.

    Raises:
        StoreError: what is stored cannot be read.
    """
    aws, say = settings.aws, console.say
    if aws is not None and not settings.json:
        from mcp_remote_py.settings.aws import describe_aws_login

        say(describe_aws_login(aws.profile))
    try:
        known = read_records(state_directory(environment))
    except StoreError as error:
        cause = f"Who is signed in cannot be found out: {error.cause}"
        raise error.changed({"cause": cause}) from None
    states = [state for state in known if settings.sessions.includes(state.session)]
    for state in states:
        remember(secrets_in_url(state.server))
    if settings.json:
        sessions = [_to_json(state, now()) for state in states]
        say(json.dumps({"sessions": sessions}, indent=2))
    elif not states and aws is None:
        for line in _say_nothing_known(settings, environment, has_others=bool(known)):
            say(line)
    else:
        for line in _say_known(states, now(), to_zone, console):
            say(line)
        for line in _say_others(settings, known, environment):
            say(line)
    moment = now()
    signed_in = any(_is_signed_in(state, moment) for state in states)
    is_enough = signed_in or settings.server is None or aws is not None
    return DONE_STATUS if is_enough else SIGN_IN_NEEDED_STATUS


def _say_known(
    states: Iterable[SessionRecord], now: float, to_zone: ToZone, console: Console
) -> Iterator[str]:
    for number, state in enumerate(states):
        if number:
            yield ""
        yield console.paint(one_line(mask_url(state.server)), Style.STRONG)
        yield from _lay_out(_to_facts(state, now, to_zone), console)


def _say_nothing_known(
    settings: StatusSettings, environment: Mapping[str, str], *, has_others: bool
) -> Iterator[str]:
    if settings.server is None:
        if has_others:
            yield "Nothing is known of such a sign-in. Without options, all are shown."
            return
        runner = runner_of(sys.prefix)
        yield "Nobody has signed in yet."
        if entries := _find_own_entries(environment):
            yield from _list_entries(entries, "Entries of hosts that start mcp-remote-py:")
        else:
            yield f"To write an entry for a host: {runner}mcp-remote-py install NAME ADDRESS"
        yield f"To sign in: {runner}mcp-remote-py login ADDRESS"
        return
    server, sessions = str(settings.server), settings.sessions
    options = _name_session(sessions.profile or "", sessions.resource or "")
    command = name_server(LOGIN_COMMAND, server, options)
    there = [one for one in _find_own_entries(environment) if one.address == server]
    yield explain_stars(f"Nothing is known of {mask_url(server)}. To sign in: {command}")
    yield from _list_entries(there, "Entries of hosts for it:")


def _say_others(
    settings: StatusSettings, known: Iterable[SessionRecord], environment: Mapping[str, str]
) -> Iterator[str]:
    """The entries of which no record knows, where all that is known is asked for."""
    if settings.sessions != SessionPattern():
        return
    servers = {state.server for state in known}
    others = [one for one in _find_own_entries(environment) if one.address not in servers]
    if others:
        yield ""
    yield from _list_entries(others, "Other entries of hosts that start mcp-remote-py:")


def _find_own_entries(environment: Mapping[str, str]) -> list[InstalledEntry]:
    from mcp_remote_py.commands.own_entries import find_own_entries

    return find_own_entries(environment)


def _list_entries(entries: Iterable[InstalledEntry], heading: str) -> Iterator[str]:
    """A line for each name and server, with the hosts that have it; nothing where there is none."""
    from mcp_remote_py.commands.own_entries import list_hosts

    found = list(entries)
    for one in found:
        remember(secrets_in_url(one.address))
    hosts = list_hosts(found)
    if hosts:
        yield heading
    for (name, address), titles in hosts.items():
        yield f"  {one_line(name)}  {one_line(mask_url(address))}  ({', '.join(titles)})"


def _to_facts(state: SessionRecord, now: float, to_zone: ToZone) -> dict[str, str]:
    """The rows of a session, by their names."""
    facts = {
        "signed in": _say_signed_in(state, now, to_zone),
        "profile": state.profile,
        "resource": mask_url(state.resource),
        "issuer": state.issuer,
        "scopes": shorten(state.scope),
        "expires": _say_expiry(state, now, to_zone) if _is_signed_in(state, now) else "",
        "kept in": state.store,
        "transport": state.transport,
        "next sign-in": _say_budget(state, now),
        "next renewal": _say_renewal(state, now),
        "last error": state.last_error,
        "to do": _say_to_do(state, now),
    }
    return {name: one_line(scrub_known(text)) for name, text in facts.items() if text}


def _lay_out(facts: Mapping[str, str], console: Console) -> Iterator[str]:
    """A line for each row; at a terminal within its width, but for what is copied from there."""
    column = max(map(len, facts)) + 4
    for name, text in facts.items():
        lines = [text]
        if (console.has_colour or console.is_interactive) and "mcp-remote-py " not in text:
            room = max(console.width - column - 1, 20)
            lines = wrap_text(text, room)
        style = _STYLES.get(name)
        if name == "signed in":
            style = Style.GOOD if text.startswith("yes") else Style.WARNING
        label = f"  {name}".ljust(column)
        for number, line in enumerate(lines):
            shown = line if style is None else console.paint(line, style)
            yield f"{' ' * column if number else console.paint(label, Style.SOFT)}{shown}"


_NO = "no"
_STYLES = {"last error": Style.BAD, "to do": Style.STRONG}


def _name_command(text: str, state: SessionRecord) -> str:
    options = state.login_options or _name_session(state.profile, state.resource)
    return explain_stars(name_server(scrub_known(text), state.server, options))


def _name_session(profile: str, resource: str) -> str:
    """The options that name it, "" for those of nobody."""
    options = {"--profile": profile, "--resource": mask_url(resource)}
    return shlex.join(word for pair in options.items() if pair[1] for word in pair)


def _is_signed_in(state: SessionRecord, now: float) -> bool:
    return state.signed_in_at is not None and not state.is_over(now)


def _say_signed_in(state: SessionRecord, now: float, to_zone: ToZone) -> str:
    if state.signed_in_at is None:
        return _NO
    if not _is_signed_in(state, now):
        past = describe_wait(now - (state.expires_at or now))
        return f"{_NO}: it expired {past} ago and cannot be renewed"
    account = f", as {state.account}" if state.account else ""
    moment = describe_moment(state.signed_in_at, now, to_zone)
    return f"yes, since {moment}{account}" if moment else f"yes{account}"


def _say_budget(state: SessionRecord, now: float) -> str:
    """Says when a sign-in may begin by itself, "" where that is now."""
    wait, vain = wait_for_tab(state.budget, now, step_up=False), state.budget.vain_tabs
    if not wait or (state.signed_in_at is not None and not vain):
        return ""
    tried = f", because the last {_count(vain)} not finished" if vain else ""
    return f"a page opens by itself in {describe_wait(wait)} at the earliest{tried}"


def _count(pages: int) -> str:
    return "one was" if pages == 1 else f"{pages} were"


def _say_renewal(state: SessionRecord, now: float) -> str:
    wait = wait_for_renewal(state.budget, now, refused=False)
    if not wait:
        return ""
    failures, vain = state.budget.renewal_failures, state.budget.vain_renewals
    if failures:
        why = f"tries without an answer: {failures}"
    elif state.budget.rejected:
        why = f"new tokens that the server did not take: {vain}"
    else:
        why = f"new tokens that ended before they were used: {vain}"
    return f"in {describe_wait(wait)} at the earliest ({why})"


def _say_expiry(state: SessionRecord, now: float, to_zone: ToZone) -> str:
    expires_at = state.expires_at
    if expires_at is None:
        return "the server does not say when"
    moment = describe_moment(expires_at, now, to_zone) or "too far ahead to show"
    if expires_at <= now:
        return f"{moment}; it is renewed when it is used next, where the server allows it"
    if state.renewable is False:
        return f"{moment}; it cannot be renewed: sign in again then"
    return f"{moment}; it is renewed by itself, where the server allows it"


def _say_to_do(state: SessionRecord, now: float) -> str:
    """The next step of the last error; without one, that of who is not signed in."""
    hint = _name_command(state.last_hint, state) if state.last_hint else ""
    if _is_signed_in(state, now) or "mcp-remote-py login " in hint:
        return hint
    again = "Sign in" if state.signed_in_at is None else "Sign in again"
    return f"{hint} {_name_command(f'{again}: {LOGIN_COMMAND}', state)}".strip()


def _to_json(state: SessionRecord, now: float) -> dict[str, object]:
    return {
        "server": mask_url(state.server),
        "profile": state.profile,
        "resource": mask_url(state.resource),
        "signed_in": _is_signed_in(state, now),
        "signed_in_at": _to_timestamp(state.signed_in_at),
        "account": scrub_known(state.account) or None,
        "issuer": scrub_known(state.issuer) or None,
        "scopes": scrub_known(state.scope).split(),
        "expires_at": _to_timestamp(state.expires_at),
        "renewable": state.renewable,
        "expired": state.expires_at is not None and state.expires_at <= now,
        "store": state.store or None,
        "transport": state.transport or None,
        "port": state.port,
        "last_error": scrub_known(state.last_error) or None,
        "last_hint": _name_command(state.last_hint, state) or None,
        "vain_tabs": state.budget.vain_tabs,
        "next_tab_in": wait_for_tab(state.budget, now, step_up=False),
        "next_renewal_in": wait_for_renewal(state.budget, now, refused=False),
    }


def _to_timestamp(seconds: float | None) -> str | None:
    """RFC 3339."""
    moment = None if seconds is None else to_moment(seconds)
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
