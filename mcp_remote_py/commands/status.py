"""Shows who is signed in where and until when, from plain records alone.

Nothing here can ask for a keyring's password or reach a network, so a script may run it at any
time. Must not know tokens, stores, HTTP, argparse or streams.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping

from mcp_remote_py.credentials.session_files import SessionRecord, list_records, state_directory
from mcp_remote_py.errors import LOGIN_COMMAND, explain_stars, name_server, one_line
from mcp_remote_py.exit_status import DONE_STATUS, SIGN_IN_NEEDED_STATUS
from mcp_remote_py.oauth.budget import wait_for_renewal, wait_for_tab
from mcp_remote_py.redact import mask_url, remember, scrub_known, secrets_in_url
from mcp_remote_py.settings.stored import StatusSettings
from mcp_remote_py.time_words import (
    describe_moment,
    describe_wait,
    to_moment,
)


def run_status(
    settings: StatusSettings,
    environment: Mapping[str, str],
    write: Callable[[str], None],
    now: Callable[[], float] = time.time,
) -> int:
    """Writes what is known, a line at a time; returns the exit status.

    That is 3 where a server is asked for and nobody is signed in there; unless its requests are
    signed, so that nobody has to.
    """
    aws = settings.aws
    if aws is not None and not settings.json:
        from mcp_remote_py.settings.aws import describe_aws_login

        write(describe_aws_login(aws.profile))
    known = list_records(state_directory(environment))
    states = [state for state in known if settings.sessions.includes(state.session)]
    for state in states:
        remember(secrets_in_url(state.server))
    if settings.json:
        sessions = [_to_json(state, now()) for state in states]
        write(json.dumps({"sessions": sessions}, indent=2))
    elif not states and aws is None:
        write(_say_nothing_known(settings))
    for number, state in enumerate([] if settings.json else states):
        for line in [""] * bool(number) + _to_lines(state, now()):
            write(line)
    signed_in = any(state.signed_in_at is not None for state in states)
    is_enough = signed_in or settings.server is None or aws is not None
    return DONE_STATUS if is_enough else SIGN_IN_NEEDED_STATUS


def _say_nothing_known(settings: StatusSettings) -> str:
    if settings.server is None:
        return "Nothing is known of any server yet."
    server, sessions = str(settings.server), settings.sessions
    options = _name_session(sessions.profile or "", sessions.resource or "")
    command = name_server(LOGIN_COMMAND, server, options)
    return explain_stars(f"Nothing is known of {mask_url(server)}. To sign in: {command}")


def _to_lines(state: SessionRecord, now: float) -> list[str]:
    facts = {
        "profile": state.profile,
        "resource": mask_url(state.resource),
        "signed in": _say_signed_in(state, now),
        "issuer": state.issuer,
        "scopes": state.scope,
        "expires": "" if state.signed_in_at is None else _say_expiry(state.expires_at, now),
        "kept in": state.store,
        "transport": state.transport,
        "next sign-in": _say_budget(state, now),
        "next renewal": _say_renewal(state, now),
        "last error": f"{state.last_error} {state.last_hint}".strip(),
    }
    width = max(map(len, facts))
    lines = [
        f"  {name.ljust(width)}  {one_line(_name_command(text, state))}"
        for name, text in facts.items()
        if text
    ]
    return [one_line(mask_url(state.server)), *lines]


def _name_command(text: str, state: SessionRecord) -> str:
    options = state.login_options or _name_session(state.profile, state.resource)
    return explain_stars(name_server(scrub_known(text), state.server, options))


def _name_session(profile: str, resource: str) -> str:
    """The options that name it, "" for those of nobody."""
    options = {"--profile": profile, "--resource": mask_url(resource)}
    return shlex.join(word for pair in options.items() if pair[1] for word in pair)


def _say_signed_in(state: SessionRecord, now: float) -> str:
    if state.signed_in_at is None:
        return "no"
    account = f", as {state.account}" if state.account else ""
    return f"{describe_moment(state.signed_in_at, now) or 'at an unknown time'}{account}"


def _say_budget(state: SessionRecord, now: float) -> str:
    """Says when a sign-in may begin by itself, "" where that is now."""
    wait, vain = wait_for_tab(state.budget, now, step_up=False), state.budget.vain_tabs
    if not wait or (state.signed_in_at is not None and not vain):
        return ""
    tried = f"; {vain} came to nothing" if vain else ""
    return f"by itself in {describe_wait(wait)}{tried}. Now: {LOGIN_COMMAND}"


def _say_renewal(state: SessionRecord, now: float) -> str:
    wait = wait_for_renewal(state.budget, now, refused=False)
    if not wait:
        return ""
    failures, vain = state.budget.renewal_failures, state.budget.vain_renewals
    why = f"{failures} without an answer" if failures else f"{vain} that came to nothing"
    return f"in {describe_wait(wait)}, after {why}"


def _say_expiry(expires_at: float | None, now: float) -> str:
    if expires_at is None:
        return "not said by the server"
    later = " when it is used next" if expires_at <= now else ""
    moment = describe_moment(expires_at, now) or "too far ahead to show"
    return f"{moment}; renewed{later} where the server allows it"


def _to_json(state: SessionRecord, now: float) -> dict[str, object]:
    return {
        "server": mask_url(state.server),
        "profile": state.profile,
        "resource": mask_url(state.resource),
        "signed_in": state.signed_in_at is not None,
        "signed_in_at": _to_timestamp(state.signed_in_at),
        "account": scrub_known(state.account) or None,
        "issuer": scrub_known(state.issuer) or None,
        "scopes": scrub_known(state.scope).split(),
        "expires_at": _to_timestamp(state.expires_at),
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
