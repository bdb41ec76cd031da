"""The sentences on a stored sign-in and its token: its claims, and never a part of it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

from mcp_remote_py.diagnosis.sign_ins import (
    StoredSignIn,
    describe_ended,
    describe_signed_in,
    describe_stored,
    describe_token,
    skip_stored,
    skip_token,
)
from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.errors import SignInFailed, StoreError
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret

NOW = 1_800_000_000.0
OPAQUE = Secret("canary-opaque-access-4711")


def make(
    token: Secret | None = OPAQUE, expires_at: float | None = None, *, renewable: bool = True
) -> Credential:
    return Credential(
        "https://as.example",
        "https://as.example/token",
        Client("one", "registered"),
        resource="https://mcp.example/mcp",
        scope="a",
        access_token=token,
        refresh_token=Secret("canary-refresh-4711") if renewable else None,
        obtained_at=NOW - 60,
        expires_at=expires_at,
    )


def jwt(**claims: object) -> Secret:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return Secret(f"canaryhead.{payload}.canarysign")


def test_somebody_is_signed_in() -> None:
    stored = StoredSignIn(
        NOW - 60, "me@example.com", "https://as.example", "a", NOW + 3600, "a file"
    )
    step = describe_stored(stored, make(expires_at=NOW + 3600), None, NOW, is_wanted=True)
    assert step.said == (
        "Somebody is signed in as me@example.com, since 2027-01-15 07:59 UTC (1 minute ago)."
    )
    assert step.state is StepState.PASSED
    assert step.evidence == (
        "issuer: https://as.example",
        "scopes: a",
        "expires: 2027-01-15 09:00 UTC (in 1 hour)",
        "kept in: a file",
    )


def test_what_has_expired_is_told_with_what_becomes_of_it() -> None:
    stored = StoredSignIn(NOW - 60)
    step = describe_stored(stored, make(expires_at=NOW - 5), None, NOW, is_wanted=True)
    assert step.said.endswith("The token has expired; it is renewed now, as it is for a host.")
    assert step.state is StepState.NOTED
    dead = make(expires_at=NOW - 5, renewable=False)
    step = describe_stored(stored, dead, None, NOW, is_wanted=True)
    assert step.said == "The sign-in has expired, and the server gave no way to renew it."
    assert step.state is StepState.FAILED


def test_nobody_is_signed_in() -> None:
    step = describe_stored(StoredSignIn(), None, None, NOW, is_wanted=True)
    assert (step.said, step.state) == ("Nobody is signed in.", StepState.FAILED)
    step = describe_stored(StoredSignIn(), None, None, NOW, is_wanted=False)
    assert step.state is StepState.SKIPPED
    gone = describe_stored(StoredSignIn(NOW), None, None, NOW, is_wanted=True)
    assert gone.said == "Somebody was signed in, and the tokens are not there any more."
    failed = StoredSignIn(last_error="The person said no.")
    step = describe_stored(failed, None, None, NOW, is_wanted=True)
    assert step.said == "Nobody is signed in. The last try ended so: The person said no."
    assert "last error: The person said no." in step.evidence


def test_a_sign_in_under_another_profile_is_told() -> None:
    stored = StoredSignIn(profiles=("work",))
    step = describe_stored(stored, None, None, NOW, is_wanted=True)
    assert step.said == (
        "Nobody is signed in. There is a sign-in as --profile work: say that here as well, to use "
        "it."
    )


def test_a_store_that_cannot_be_read_is_told_in_its_own_words() -> None:
    problem = StoreError("The keyring has not answered for 3 s.", hint="Unlock it.")
    step = describe_stored(StoredSignIn(NOW), None, problem, NOW, is_wanted=True)
    assert (step.state, step.hint) == (StepState.FAILED, "Unlock it.")
    assert step.said == "The keyring has not answered for 3 s."


def test_the_budget_is_told() -> None:
    budget = SignInBudget(tabs=(NOW - 60,), vain_tabs=1, renew_after=NOW + 30)
    step = describe_stored(StoredSignIn(budget=budget), None, None, NOW, is_wanted=True)
    assert "next sign-in by itself: in 9 minutes; 1 came to nothing" in step.evidence
    assert "next renewal: in 30 seconds" in step.evidence


def test_the_claims_of_a_token_are_told() -> None:
    token = jwt(
        aud="https://mcp.example/mcp",
        iss="https://as.example",
        scope="a b",
        nbf=NOW + 300,
        exp=NOW + 3600,
    )
    step = describe_token(make(token), True, "", "", NOW)
    assert step.said == "The server accepts it."
    assert step.evidence == (
        "kind: JWT, its signature is not checked here",
        "aud: https://mcp.example/mcp",
        "iss: https://as.example",
        "scope: a b",
        "nbf: 2027-01-15 08:05 UTC (in 5 minutes), which is to come by this machine's clock",
        "exp: 2027-01-15 09:00 UTC (in 1 hour)",
    )
    assert "canary" not in str(step)


def test_an_opaque_token_and_one_that_nobody_tried() -> None:
    step = describe_token(make(), None, "", "", NOW)
    assert step.said == "Whether the server accepts it was not found out."
    kind = "kind: opaque, so that what it is for cannot be seen from here"
    assert (step.state, step.evidence) == (StepState.NOTED, (kind,))


def test_a_refused_token_is_compared_with_what_is_published() -> None:
    token = jwt(aud="https://other.example", iss="https://as.example")
    step = describe_token(
        make(token), False, "It is refused, they say.", "https://mcp.example", NOW
    )
    assert (step.state, step.said) == (StepState.FAILED, "It is refused, they say.")
    assert step.evidence[-1].startswith(
        "The token is for https://other.example (aud), the resource is https://mcp.example"
    )


def test_a_sign_in_that_ended_meanwhile() -> None:
    step = describe_ended("invalid_grant", "Sign in.")
    assert step.said == (
        "The sign-in has ended: the sign-in server does not renew it any more. "
        'The reason: "invalid_grant".'
    )
    assert step.evidence == ("a host is told: Sign in.",)


def test_a_sign_in_that_was_asked_for() -> None:
    done = describe_signed_in(make(expires_at=NOW + 60), None, "", NOW)
    assert (done.state, done.said) == (StepState.PASSED, "Signed in, with the scopes a.")
    failed = describe_signed_in(None, SignInFailed("No.", hint="Again."), "", NOW)
    assert (failed.state, failed.said, failed.hint) == (StepState.FAILED, "No.", "Again.")
    skipped = describe_signed_in(None, None, "Nothing asks for a sign-in.", NOW)
    assert skipped.state is StepState.SKIPPED
    assert skip_token("a").said == "a"
    assert skip_stored("b").said == "b"
