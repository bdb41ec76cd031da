"""What is stored of a sign-in, and what its token says against what the server wants. Pure.

A token is never shown, nor a part of one: its claims are, which anybody may have written. Must not
know stores, nor how a token is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcp_remote_py.diagnosis.steps import CheckStep, StepState, tell_step
from mcp_remote_py.errors import McpRemoteError, one_line, shorten
from mcp_remote_py.oauth.budget import SignInBudget, wait_for_renewal, wait_for_tab
from mcp_remote_py.oauth.claims import Claims, explain_mismatch, name_audience, read_claims
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.redact import mask_url, scrub_known
from mcp_remote_py.time_words import describe_moment, describe_wait
from mcp_remote_py.values import Value

STORED_SIGN_IN, SIGNED_IN, TOKEN = "stored-sign-in", "sign-in", "token"
_TITLES = {STORED_SIGN_IN: "Stored sign-in", SIGNED_IN: "Sign-in now", TOKEN: "Token"}


class StoredSignIn(Value, frozen=True):
    """A session's record, as far as a check tells of it; times are seconds since the epoch."""

    signed_in_at: float | None = None
    """None: nobody is signed in."""
    account: str = ""
    issuer: str = ""
    scope: str = ""
    expires_at: float | None = None
    store: str = ""
    """Where the token is kept, in words."""
    last_error: str = ""
    last_hint: str = ""
    budget: SignInBudget = SignInBudget()
    profiles: tuple[str, ...] = ()
    """Other profiles under which somebody is signed in at the server."""


def describe_stored(
    stored: StoredSignIn,
    credential: Credential | None,
    problem: McpRemoteError | None,
    now: float,
    *,
    is_wanted: bool,
) -> CheckStep:
    """The sign-in of this session.

    `credential` is what the store has, `problem` why it cannot be read. `is_wanted` tells that the
    server asks for a sign-in.
    """
    evidence = tuple(one_line(scrub_known(line)) for line in _list_stored(stored, now))
    if problem is not None:
        return _step(STORED_SIGN_IN, StepState.FAILED, problem.cause, evidence, problem.hint)
    if credential is None or credential.access_token is None:
        if not is_wanted:
            return _step(STORED_SIGN_IN, StepState.SKIPPED, "Nobody is signed in.", evidence)
        if stored.signed_in_at is not None:
            said = "Somebody was signed in, and the tokens are not there any more."
        elif stored.last_error:
            said = f"Nobody is signed in. The last try ended so: {shorten(stored.last_error)}"
        else:
            said = "Nobody is signed in."
        if stored.profiles:
            named = " and ".join(f"--profile {one}" for one in stored.profiles)
            said += f" There is a sign-in as {named}: say that here as well, to use it."
        return _step(STORED_SIGN_IN, StepState.FAILED, said, evidence)
    who = f" as {shorten(stored.account)}" if stored.account else ""
    since = describe_moment(credential.obtained_at, now) or "a time that is not known"
    said = f"Somebody is signed in{who}, since {since}."
    has_ended = credential.expires_at is not None and credential.expires_at <= now
    if has_ended and credential.refresh_token is None:
        said = "The sign-in has expired, and the server gave no way to renew it."
        return _step(STORED_SIGN_IN, StepState.FAILED, said, evidence)
    if has_ended:
        said += " The token has expired; it is renewed now, as it is for a host."
    return _step(STORED_SIGN_IN, StepState.NOTED if has_ended else StepState.PASSED, said, evidence)


def _list_stored(stored: StoredSignIn, now: float) -> Iterator[str]:
    if stored.signed_in_at is not None:
        if stored.issuer:
            yield f"issuer: {shorten(stored.issuer)}"
        if stored.scope:
            yield f"scopes: {shorten(stored.scope)}"
        yield f"expires: {_say_end(stored.expires_at, now)}"
    if stored.store:
        yield f"kept in: {stored.store}"
    budget = stored.budget
    if (wait := wait_for_tab(budget, now, step_up=False)) and budget.vain_tabs:
        yield (
            f"next sign-in by itself: in {describe_wait(wait)}; {budget.vain_tabs} came to nothing"
        )
    if wait := wait_for_renewal(budget, now, refused=False):
        yield f"next renewal: in {describe_wait(wait)}"
    if stored.last_error:
        yield f"last error: {shorten(stored.last_error)}"


def _say_end(expires_at: float | None, now: float) -> str:
    if expires_at is None:
        return "the server does not say"
    return describe_moment(expires_at, now) or "too far ahead to show"


def describe_token(
    credential: Credential,
    accepted: bool | None,
    refusal: str,
    resource: str,
    now: float,
    *,
    seconds: float | None = None,
) -> CheckStep:
    """The token's claims against what the server publishes, and whether the server takes it.

    `accepted` is None where that was not found out; `refusal` is what a host is told instead;
    `resource` is the published one, "" where that is not known.
    """
    token = credential.access_token
    claims = read_claims(token)
    if token is None or claims == Claims():
        evidence = ["kind: opaque, so that what it is for cannot be seen from here"]
    else:
        evidence = [one_line(scrub_known(line)) for line in _list_claims(claims, now)]
    if accepted:
        return _step(TOKEN, StepState.PASSED, "The server accepts it.", evidence, "", seconds)
    if accepted is None:
        said = "Whether the server accepts it was not found out."
        return _step(TOKEN, StepState.NOTED, said, evidence, "", seconds)
    if token is not None:
        mismatch = explain_mismatch(
            token,
            issuer=credential.issuer,
            resource=resource or credential.resource,
            scope=credential.scope,
            now=now,
        )
        evidence.append(mismatch)
    return _step(TOKEN, StepState.FAILED, refusal or "It is refused.", evidence, "", seconds)


def describe_ended(last_error: str, refusal: str) -> CheckStep:
    """The stored sign-in has ended while a host was played: it was not renewed, and let go.

    `last_error` is what was written down of it, `refusal` what a host is told.
    """
    why = f' The reason: "{shorten(last_error)}".' if last_error else ""
    said = f"The sign-in has ended: the sign-in server does not renew it any more.{why}"
    return _step(TOKEN, StepState.FAILED, said, (f"a host is told: {shorten(refusal)}",))


def _list_claims(claims: Claims, now: float) -> Iterator[str]:
    yield "kind: JWT, its signature is not checked here"
    if claims.audience:
        yield f"aud: {name_audience(claims.audience)}"
    if claims.issuer:
        yield f"iss: {shorten(mask_url(claims.issuer))}"
    if claims.scope:
        yield f"scope: {shorten(claims.scope)}"
    if claims.not_before is not None:
        early = ", which is to come by this machine's clock" if claims.not_before > now + 1 else ""
        yield f"nbf: {describe_moment(claims.not_before, now)}{early}"
    if claims.expires_at is not None:
        yield f"exp: {describe_moment(claims.expires_at, now)}"


def describe_signed_in(
    credential: Credential | None, error: McpRemoteError | None, why_not: str, now: float
) -> CheckStep:
    """A sign-in that was asked for: done, failed by `error`, or not begun because of `why_not`."""
    if error is not None:
        return _step(SIGNED_IN, StepState.FAILED, error.cause, (), error.hint)
    if credential is None:
        return _step(SIGNED_IN, StepState.SKIPPED, why_not, ())
    scopes = (
        f"with the scopes {shorten(credential.scope)}" if credential.scope else "without scopes"
    )
    evidence = (f"expires: {_say_end(credential.expires_at, now)}",)
    return _step(SIGNED_IN, StepState.PASSED, f"Signed in, {scopes}.", evidence)


def skip_token(why: str) -> CheckStep:
    """There is no token to look at."""
    return _step(TOKEN, StepState.SKIPPED, why, ())


def skip_stored(why: str) -> CheckStep:
    """Nothing is stored that could be used."""
    return _step(STORED_SIGN_IN, StepState.SKIPPED, why, ())


def _step(
    name: str,
    state: StepState,
    said: str,
    evidence: Sequence[str],
    hint: str = "",
    seconds: float | None = None,
) -> CheckStep:
    return tell_step(name, _TITLES[name], state, said, evidence, hint, seconds)
