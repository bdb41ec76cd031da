"""The errors that end a request where no other token will come: cause, evidence, next step.

Pure: each function makes one error of what is known, or has one of its sentences. Must not know
when it is said, nor what was done before.
"""

from __future__ import annotations

import shlex

from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    Interrupted,
    McpRemoteError,
    NotSent,
    Refused,
    SignInFailed,
    StoreError,
    shorten,
)
from mcp_remote_py.oauth.budget import MAX_DOUBTS, SignInBudget, wait_for_renewal, wait_for_tab
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.claims import explain_mismatch, read_claims
from mcp_remote_py.oauth.sent import describe_request
from mcp_remote_py.oauth.steps import Credential, PendingAuthorization
from mcp_remote_py.oauth.tokens import CLOCK_HINT, NOTHING_LOST, TokenError
from mcp_remote_py.redact import Secret, mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.time_words import describe_wait

NEW_TOKEN_AGE = 300.0
"""Seconds for which a token is said to be just given: as long as a person has for the browser."""


def hint_at_disk() -> str:
    """The next step where tokens could not be stored."""
    return "Make room on the disk, or repair it: the process that has the tokens goes on trying."


VAIN_LOGIN = "Signing in again would not help by itself"
"""How the hint begins for a token that no new one differs from."""

UNSURE_LOGIN = "If it did, sign in again"
"""How it begins where nobody knows whether the token ever worked."""

ALL_THE_SAME = "To sign in all the same"
"""What stands before the command that does it."""


def _name_command(settings: SignInSettings, what_for: str) -> str:
    """The command for a person; an agent signs in by its options, at each start."""
    return f" {what_for}: {LOGIN_COMMAND}." if settings.unattended is None else ""


# The server says no --------------------------------------------------------------------------


def explain_proof(dpop_error: str, status: int) -> Refused:
    """The server refused the proof and did not look at the token: another would meet the same."""
    return Refused(
        f"The server refuses the proof that the token is ours ({dpop_error}).",
        hint=CLOCK_HINT,
        status=status,
    )


def explain_token(
    token: Secret,
    credential: Credential,
    challenge: Challenge,
    settings: SignInSettings,
    now: float,
    *,
    on_record: bool,
) -> Refused:
    """A token that was never accepted is refused.

    `on_record` tells whether it is known that it was never accepted: a record that is lost may have
    known better.
    """
    said = f" ({shorten(challenge.error_description)})" if challenge.error_description else ""
    evidence = explain_mismatch(
        token,
        issuer=credential.issuer,
        resource=credential.resource,
        scope=challenge.scope or credential.scope,
        now=now,
    )
    expires_at = read_claims(token).expires_at
    if expires_at is not None and expires_at <= credential.obtained_at:
        hint = (
            "It had expired by this machine's clock when it was given: set this machine's "
            "clock, or have the authorization server's set."
        )
    else:
        offer = _offer_audience(credential, settings)
        hint = (
            f"{VAIN_LOGIN}: the token may be for another audience "
            f"or lack a scope. Try --resource or --scope{offer}, or ask who runs the server."
        )
    if on_record:
        is_new = now - credential.obtained_at < NEW_TOKEN_AGE
        which = "it was just given" if is_new else "it has never accepted"
        hint += _name_command(settings, ALL_THE_SAME)
    else:
        which = "that may never have worked (its record is lost)"
        hint = f"{UNSURE_LOGIN}: {LOGIN_COMMAND}. If it never did: {hint}"
    return Refused(f"The server refuses a token {which}{said}. {evidence}", hint=hint, status=401)


def _offer_audience(credential: Credential, settings: SignInSettings) -> str:
    """The option for servers that read whom a token is for in a parameter of their own, as Auth0.

    They pass over `resource`, or ask for another one where it is not the name of the audience.
    """
    is_given = "audience" in dict(settings.authorize_parameters)
    if is_given or not credential.resource:
        return ""
    word = shlex.quote(f"audience={mask_url(credential.resource)}")
    return f", --authorize-param {word} if it reads that instead (Auth0 does)"


def explain_scope(scope: str) -> Refused:
    """A scope was asked for, and the server still wants it."""
    return Refused(
        f'The server still wants the scope "{shorten(scope)}" after it was asked for.',
        hint=f"Your account may not have it. To ask for it again: {LOGIN_COMMAND}.",
        status=403,
    )


# It is not the time --------------------------------------------------------------------------


_FAILED_BEFORE = "A recent attempt to renew the token failed"


def explain_renewal(
    budget: SignInBudget,
    settings: SignInSettings,
    now: float,
    error: McpRemoteError | None,
    *,
    is_new: bool,
    was_good: bool,
) -> NotSent | Refused:
    """The token cannot be renewed now.

    `error` is why, None where another process knows; `is_new` tells whether it was not told before,
    `was_good` whether the token had not expired. Where nobody answered, a refusal is a passing one.
    """
    wait, hint = wait_for_renewal(budget, now, refused=was_good), ""
    if not budget.renewal_failures:
        cause = "The server refuses the token again, so soon after it was renewed."
    elif error is None:
        cause = f"{_FAILED_BEFORE}."
    else:
        failed = "The token could not be renewed now" if is_new else _FAILED_BEFORE
        cause = f"{failed}: {error.cause}"
        is_own = settings.unattended is not None or isinstance(error, SignInFailed)
        if is_own and not error.hint.startswith(NOTHING_LOST):
            hint = f"{error.hint} "  # of files and options, which must be corrected
    hint += f"{NOTHING_LOST}: it is tried again in {describe_wait(wait)}."
    hint += _name_command(settings, "To sign in anew")
    if isinstance(error, NotSent) and is_new:
        return NotSent(cause, hint=hint, retry_after=wait)
    refused = Refused(cause, hint=hint, retry_after=wait)
    return refused.as_passing() if budget.renewal_failures and _may_be_away(error) else refused


def _may_be_away(error: McpRemoteError | None) -> bool:
    """Whether the authorization server did not answer; None: another process knows."""
    if isinstance(error, TokenError):
        return error.status >= 500
    return error is None or isinstance(error, NotSent | Interrupted)


def explain_doubt(error: McpRemoteError | None) -> tuple[str, str]:
    """Cause and next step where a refresh token counts as dead, though nobody said so of it."""
    said = f": {error.cause}" if error is not None else "."
    return (
        f"The token endpoint has refused the refresh token at least {MAX_DOUBTS} times{said}",
        f"Sign in again: {LOGIN_COMMAND}.",
    )


def explain_budget(
    budget: SignInBudget,
    settings: SignInSettings,
    now: float,
    last_error: str,
    last_hint: str,
    wanted: str = "",
    granted: str = "",
) -> SignInFailed:
    """No tab may open now; `last_error` and `last_hint` are of the sign-in that failed last.

    Where none did, the server may want scopes beside those that were `granted`.
    """
    wait = describe_wait(wait_for_tab(budget, now, step_up=False))
    hint = f"No other sign-in starts by itself for {wait}."
    if wanted and not last_error:
        last_error = f'The server wants the scope "{shorten(wanted)}", which the sign-in lacks.'
        every = " ".join(dict.fromkeys(f"{granted} {wanted}".split()))
        hint += _name_command(settings, f"Add --scope {shlex.quote(shorten(every))} to")
    elif LOGIN_COMMAND not in last_hint:
        hint += _name_command(settings, "To sign in now")
    return SignInFailed(
        last_error or "A recent sign-in came to nothing.", hint=f"{hint} {last_hint}".rstrip()
    )


# Another process is at it --------------------------------------------------------------------


def explain_busy_store(seconds: float) -> StoreError:
    """Another process has held the lock of the store for too long."""
    return StoreError(
        f"Another mcp-remote-py has been renewing this sign-in for {seconds:.0f} s.",
        hint="Wait until it is done, or end it.",
    )


def explain_unsaved_elsewhere() -> StoreError:
    """Another process has tokens that it could not store yet."""
    return StoreError(
        "Another mcp-remote-py has signed in or renewed the token, and could not store it yet.",
        hint=hint_at_disk(),
    )


def explain_needed(scopes: str) -> SignInFailed:
    """A person would have to be asked, and is not: they only look. `scopes` are what is wanted."""
    what = f"a sign-in with the scopes {shorten(scopes)}" if scopes else "a sign-in"
    return SignInFailed(f"The server wants {what}.", hint=f"Sign in: {LOGIN_COMMAND}.")


def explain_long_sign_in(pending: PendingAuthorization | None) -> SignInFailed:
    """Another process has waited for the person for longer than --auth-timeout allows.

    `pending` is what they were asked, None where that is not known.
    """
    said, change = ("", "") if pending is None else describe_request(pending)
    return SignInFailed(
        f"Another mcp-remote-py has been signing in for too long. {said}".rstrip(),
        hint=f"{change} End it, or run {LOGIN_COMMAND}.".lstrip(),
    )


def explain_lost_sign_in(last_error: str = "", last_hint: str = "") -> SignInFailed:
    """Another process has ended the sign-in without a token."""
    return SignInFailed(
        last_error or "The sign-in was ended by another process.",
        hint=last_hint or f"Sign in again: {LOGIN_COMMAND}.",
    )


# The disk fails ------------------------------------------------------------------------------


def explain_unknown_budget(error: McpRemoteError) -> StoreError:
    """The sign-in budget cannot be read, so nothing is tried."""
    return StoreError(
        f"The record of earlier sign-ins cannot be read: {error.cause}",
        hint=f"{error.hint} To sign in all the same: {LOGIN_COMMAND}.".lstrip(),
    )


def explain_no_room(error: McpRemoteError) -> StoreError:
    """A renewal is not asked for, because its tokens could not be stored."""
    return StoreError(
        f"The token is not renewed, because the new one could not be stored: {error.cause}",
        hint=f"{error.hint} Nothing that is stored is lost.".lstrip(),
    )
