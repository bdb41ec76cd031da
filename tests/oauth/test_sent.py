"""Who waited in vain for a person hears what was sent, and what changes it."""

from __future__ import annotations

import pytest

from mcp_remote_py.oauth.explain import explain_long_sign_in
from mcp_remote_py.oauth.sent import (
    describe_asked,
    describe_redirect_uri,
    describe_request,
    explain_absence,
)
from mcp_remote_py.oauth.steps import Client, Credential, PendingAuthorization
from mcp_remote_py.redact import Secret

pytestmark = pytest.mark.promise("P2")

REDIRECT = "http://localhost:4321/oauth/callback"
STATIC = Client("cid-77", "static")
CHANGE = "If that page shows an error or waits for somebody else, change it: "
BY_SCOPE = "scope by --scope"
BY_REDIRECT = "redirect_uri by a port behind the server's URL, --host or --callback-path"
BY_RESOURCE = "resource by --resource or --disable-resource-parameter"


def pending(query: str, client: Client = STATIC) -> PendingAuthorization:
    credential = Credential("https://as.example", "https://as.example/token", client, REDIRECT)
    return PendingAuthorization(
        f"https://as.example/authorize?{query}",
        Secret("state-canary"),
        Secret("verifier-canary"),
        credential,
        "mcp.example",
        0.0,
    )


EVERYTHING = (
    "tenant=canary-tenant&response_type=code&client_id=cid-77&state=state-canary"
    "&scope=a+offline_access&redirect_uri=http%3A%2F%2Flocalhost%3A4321%2Foauth%2Fcallback"
    "&resource=https%3A%2F%2Fmcp.example%2Fmcp%3Fkey%3Dcanary-key&login_hint=canary&prompt=consent"
)


@pytest.mark.report("O8", "O20")
def test_time_out_names_what_was_sent_and_the_options_that_change_it() -> None:
    error = explain_absence("Nobody came.", "Try again.", pending(EVERYTHING))
    assert error.cause == (
        "Nobody came. What was sent to https://as.example/authorize: prompt=consent, "
        f'scope="a offline_access", redirect_uri={REDIRECT}, '
        "resource=https://mcp.example/mcp?key=****."
    )
    assert error.hint == (
        f"The client cid-77 must be registered with this redirect URI, to the letter: {REDIRECT}. "
        f"{CHANGE}prompt by --authorize-param prompt=...; {BY_SCOPE}; {BY_REDIRECT}; "
        f"{BY_RESOURCE}. Try again."
    )
    assert "canary" not in error.sentence()


@pytest.mark.report("O8")
def test_what_was_not_sent_is_not_named_but_for_the_scope() -> None:
    said, change = describe_request(pending("client_id=c", Client("c", "registered")))
    assert said == "What was sent to https://as.example/authorize: no scope."
    assert change == f"{CHANGE}{BY_SCOPE}."


@pytest.mark.report("O8")
def test_code_that_nobody_entered_and_long_sign_in_elsewhere_name_it_too() -> None:
    asked = Credential("i", "t", STATIC, resource="https://mcp.example/mcp", scope="a b")
    assert describe_asked("https://as.example/device?key=canary", asked) == (
        'What was sent to https://as.example/device?key=****: scope="a b", '
        "resource=https://mcp.example/mcp.",
        f"{CHANGE}{BY_SCOPE}; {BY_RESOURCE}.",
    )
    long = explain_long_sign_in(pending("scope=a", Client("c", "registered")))
    assert long.sentence() == (
        "Another mcp-remote-py has been signing in for too long. What was sent to "
        f"https://as.example/authorize: scope=a. {CHANGE}{BY_SCOPE}. End it, or run "
        "mcp-remote-py login URL."
    )
    assert explain_long_sign_in(None).cause.endswith("too long.")


@pytest.mark.report("O20")
@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Client("c", "registered"), ""),
        (STATIC, "The client cid-77 must be registered with this redirect URI, to the letter: "),
        (
            Client("https://me.example/client.json", "document"),
            "The document https://me.example/client.json must list this redirect URI, to the "
            "letter: ",
        ),
    ],
)
def test_client_of_the_persons_own_is_told_its_redirect_uri(client: Client, said: str) -> None:
    credential = Credential("i", "t", client, REDIRECT)
    assert describe_redirect_uri(credential) == (said and f"{said}{REDIRECT}")
    assert describe_redirect_uri(credential._replace(redirect_uri="")) == ""
