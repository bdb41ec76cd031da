"""Evidence for a person: who a token names, and how it differs from what was wanted.

Tokens are written here as their issuers write them, with a signature nobody checks.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import MAX_EXCERPT_LENGTH
from mcp_remote_py.oauth.claims import (
    MAX_TIME,
    MAX_TOKEN_LENGTH,
    Claims,
    account_of,
    describe_jwt,
    explain_mismatch,
    read_claims,
)
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret

NOW = 1_800_000_000.0
ISSUER = "https://login.example"
RESOURCE = "https://mcp.example/mcp"
SIGNATURE = "c2lnbmF0dXJlLWNhbmFyeQ"
OPAQUE = "The token is opaque: what it is for cannot be seen from here."
GRAPH = "00000003-0000-0000-c000-000000000000"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def encode(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


HEADER = encode(b'{"alg":"RS256"}')


def jwt_of(payload: bytes) -> Secret:
    return Secret(f"{HEADER}.{encode(payload)}.{SIGNATURE}")


def jwt(**claims: object) -> Secret:
    return jwt_of(json.dumps(claims).encode())


def fitting(**claims: object) -> Secret:
    """A token with nothing to complain of but what is named."""
    right = {"iss": ISSUER, "aud": RESOURCE, "scope": "read write", "exp": NOW + 3600}
    return jwt(**{name: value for name, value in {**right, **claims}.items() if value is not None})


def explain(
    token: Secret, *, issuer: str = ISSUER, resource: str = RESOURCE, scope: str = "read"
) -> str:
    return explain_mismatch(token, issuer=issuer, resource=resource, scope=scope, now=NOW)


# ------------------------------------------------------------------ reading


def test_the_claims_of_a_jwt_are_read() -> None:
    token = fitting(aud=["https://a.example", RESOURCE], email="ann@example.org")
    assert read_claims(token) == Claims(
        ISSUER, ("https://a.example", RESOURCE), "read write", NOW + 3600, "ann@example.org"
    )


@pytest.mark.parametrize(
    ("claims", "scope"),
    [
        ({"scope": "a b"}, "a b"),
        ({"scope": " a  b "}, "a b"),
        ({"scope": ["a", "b"]}, "a b"),
        ({"scp": "a b"}, "a b"),  # Entra
        ({"scp": ["a", "b c", 1, None, ""]}, "a b c"),  # Okta
        ({"scope": "", "scp": "a"}, "a"),
        ({"scope": "a", "scp": "b"}, "a"),
        ({"scope": {"a": 1}}, ""),
        ({}, ""),
    ],
)
def test_scopes_are_read_as_servers_write_them(claims: dict[str, object], scope: str) -> None:
    assert read_claims(jwt(**claims)).scope == scope


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": 1, "aud": {}, "scope": 3, "exp": "soon", "email": ["a"]},
        {"iss": ["https://a.example"], "aud": [1, None, ""], "scp": True, "exp": True, "sub": 7},
        {"iss": None, "aud": 5, "exp": -1, "name": ""},
        {"iss": "", "aud": "", "exp": MAX_TIME * 2, "sub": " "},
        {"exp": 10**400},
        {"nonce": "x"},
        {},
    ],
)
def test_claims_of_a_wrong_type_are_left_out(claims: dict[str, object]) -> None:
    assert read_claims(jwt(**claims)) == Claims()


GOOD = jwt(iss=ISSUER).reveal()
NO_JWTS = {
    "opaque": "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "empty": "",
    "three opaque parts": "xoxp.1234.abcd",
    "one character too many": "a.aaaaa.b",
    "empty payload": "a..b",
    "two parts": GOOD.rpartition(".")[0],
    "five parts, encrypted": f"{GOOD}.a.b",
    "padded": GOOD.replace(f".{SIGNATURE}", f"=.{SIGNATURE}"),
    "base64 of old": "a.e30+.b",
    "not ASCII": "a.\u00e9\u00e9\u00e9\u00e9.b",
    "no JSON": jwt_of(b"<html>").reveal(),
    "no UTF-8": jwt_of(b'{"iss":"\xff"}').reveal(),
    "no object": jwt_of(b'["https://a.example"]').reveal(),
    "a number no float holds": jwt_of(b'{"iss":"https://a.example","exp":1e999}').reveal(),
    "deep": jwt_of(b'{"iss":"https://a.example","a":' + b"[" * 20_000).reveal(),
    "huge": jwt(iss=ISSUER, more="x" * MAX_TOKEN_LENGTH).reveal(),
}
no_jwts = pytest.mark.parametrize("text", NO_JWTS.values(), ids=NO_JWTS)


@no_jwts
def test_what_is_not_a_jwt_tells_nothing(text: str) -> None:
    assert read_claims(Secret(text)) == Claims()
    assert explain(Secret(text)) == OPAQUE


def test_no_token_tells_nothing() -> None:
    assert read_claims(None) == Claims()


def test_a_large_token_is_read_up_to_the_bound() -> None:
    assert read_claims(jwt(iss=ISSUER, groups=["x" * 36] * 1000)).issuer == ISSUER


@given(st.text(max_size=80) | st.lists(st.text("eyJab_-=0", max_size=9)).map(".".join))
def test_no_text_raises(text: str) -> None:
    read_claims(Secret(text))


# ------------------------------------------------------------------ the account


def credential(id_token: Secret | None = None, access_token: Secret | None = None) -> Credential:
    return Credential(
        ISSUER,
        f"{ISSUER}/token",
        Client("client", "registered"),
        id_token=id_token,
        access_token=access_token,
    )


NAMES = {
    "email": "ann@example.org",
    "preferred_username": "ann",
    "upn": "ann@corp.example",
    "name": "Ann \u00d6.",
    "sub": "248289761001",
}


@pytest.mark.parametrize("first", range(len(NAMES)))
def test_the_account_is_what_a_person_knows_best(first: int) -> None:
    named = list(NAMES.items())[first:]
    assert account_of(credential(jwt(**dict(reversed(named))))) == named[0][1]


@pytest.mark.parametrize("bad", [1, None, ["a"], "", "  ", "two\nlines", "\x1b[31m", "a\u202eb"])
def test_a_claim_that_cannot_be_shown_is_passed_over(bad: object) -> None:
    assert account_of(credential(jwt(email=bad, sub="ann"))) == "ann"
    assert account_of(credential(jwt(email=bad))) == ""


def test_the_id_token_is_asked_before_the_access_token() -> None:
    ann, bob = jwt(sub="ann"), jwt(email="bob@example.org")
    assert account_of(credential(ann, bob)) == "ann"
    assert account_of(credential(None, bob)) == "bob@example.org"
    assert account_of(credential(Secret("opaque"), bob)) == "bob@example.org"
    assert account_of(credential(ann)) == "ann"
    assert account_of(credential(None, Secret("opaque"))) == ""
    assert account_of(credential()) == ""


def test_a_long_account_is_shortened() -> None:
    assert len(account_of(credential(jwt(name="x" * 5000)))) == MAX_EXCERPT_LENGTH


# ------------------------------------------------------------------ the mismatch


def test_a_token_that_fits_is_not_blamed() -> None:
    assert explain(fitting()) == (
        "The token's claims (aud, iss, scope, exp) are as expected: the reason cannot be seen from "
        "here."
    )


@pytest.mark.parametrize(
    ("claims", "wanted", "names"),
    [
        ({"scope": None}, {"scope": ""}, "aud, iss, exp"),
        ({}, {"resource": "", "issuer": "", "scope": ""}, "exp"),
        ({"exp": None, "iss": None}, {}, "aud, scope"),
        ({"aud": ["https://a.example", RESOURCE]}, {}, "aud, iss, scope, exp"),
    ],
)
def test_only_what_was_compared_is_said_to_fit(
    claims: dict[str, object], wanted: dict[str, str], names: str
) -> None:
    assert explain(fitting(**claims), **wanted).startswith(f"The token's claims ({names}) are as")


def test_where_nothing_can_be_compared_that_is_said() -> None:
    assert explain(jwt(sub="ann"), resource="", scope="") == (
        "The token says nothing of itself that could be compared."
    )


@pytest.mark.parametrize(
    ("audience", "sentence"),
    [
        ("https://a.example", f"is for https://a.example (aud), the resource is {RESOURCE}"),
        (
            ["https://a.example", "https://b.example/userinfo"],  # Auth0
            "is for https://a.example and https://b.example/userinfo (aud), the resource is "
            f"{RESOURCE}",
        ),
        (
            [f"https://{name}.example" for name in "abcde"],
            "is for https://a.example and https://b.example and https://c.example and 2 more "
            f"(aud), the resource is {RESOURCE}",
        ),
        (
            f"{RESOURCE}/",
            f"is for {RESOURCE}/ (aud), the resource is {RESOURCE}, and only the slash at the end "
            "differs",
        ),
        (
            f"api://{TENANT}",  # Entra, version 1
            f"is for api://{TENANT} (aud), which may be another name of the resource, {RESOURCE}",
        ),
        (
            TENANT,  # Entra, version 2
            f"is for {TENANT} (aud), which may be another name of the resource, {RESOURCE}",
        ),
        (GRAPH, f"is for {GRAPH} (aud: Microsoft Graph), the resource is {RESOURCE}"),
        (None, f"does not name an audience (aud); the resource is {RESOURCE}"),  # Cognito, Clerk
        ("My API", f'is for "My API" (aud), which may be another name of the resource, {RESOURCE}'),
    ],
)
def test_whom_a_token_is_for_is_compared(audience: object, sentence: str) -> None:
    assert explain(fitting(aud=audience)) == f"The token {sentence}."


def test_the_slash_that_was_published_is_wanted_too() -> None:
    assert explain(fitting(aud="https://mcp.example"), resource="https://mcp.example/") == (
        "The token is for https://mcp.example (aud), the resource is https://mcp.example/, and "
        "only the slash at the end differs."
    )


@pytest.mark.parametrize(
    ("claimed", "issuer", "sentence"),
    [
        (
            f"https://sts.windows.net/{TENANT}/",
            f"https://login.microsoftonline.com/{TENANT}/v2.0",
            f"was issued by https://sts.windows.net/{TENANT}/ (iss), not by "
            f"https://login.microsoftonline.com/{TENANT}/v2.0",
        ),
        (
            f"{ISSUER}/",
            ISSUER,
            f"was issued by {ISSUER}/ (iss), not by {ISSUER}, and only the slash at the end "
            "differs",
        ),
        (
            "https://login.microsoftonline.com/a/b/v2.0",
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "was issued by https://login.microsoftonline.com/a/b/v2.0 (iss), not by "
            "https://login.microsoftonline.com/{tenantid}/v2.0",
        ),
        (
            "loginxexample",
            "login.example",
            "was issued by loginxexample (iss), not by login.example",
        ),
    ],
)
def test_who_issued_a_token_is_compared(claimed: str, issuer: str, sentence: str) -> None:
    assert explain(fitting(iss=claimed), issuer=issuer) == f"The token {sentence}."


def test_metadata_for_every_tenant_fits_each() -> None:
    token = fitting(iss=f"https://login.microsoftonline.com/{TENANT}/v2.0")
    issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert "as expected" in explain(token, issuer=issuer)


@pytest.mark.promise("L3")
def test_an_issuer_with_many_gaps_is_compared_in_no_time() -> None:
    issuer = f"https://as.example/{'{tenantid}' * 20}"
    token = fitting(iss=f"https://as.example/{'a' * 120}/")
    before = time.process_time()
    assert "was issued by" in explain(token, issuer=issuer)
    assert time.process_time() - before < 0.5  # each gap more took 20 times as long


@pytest.mark.parametrize(
    ("claims", "wanted", "sentence"),
    [
        ({"scope": "a b"}, "a c", "has the scopes a b, not c"),
        ({"scope": "a"}, "b c", "has the scopes a, not b c"),
        ({"scope": None}, "c", "does not name any scopes, and c was asked for"),
        ({"scope": "a/c"}, "c", "has the scopes a/c, not c"),
    ],
)
def test_scopes_are_compared(claims: dict[str, object], wanted: str, sentence: str) -> None:
    assert explain(fitting(**claims), scope=wanted) == f"The token {sentence}."


@pytest.mark.parametrize(
    ("claimed", "wanted"),
    [
        ("a b", "b a"),
        ("a", "a openid profile email offline_access"),
        ("access_as_user", f"api://{TENANT}/access_as_user"),
        (f"api://{TENANT}/x", f"api://{TENANT}/x"),
        ("anything", f"api://{TENANT}/.default"),
        (None, "openid offline_access"),
    ],
)
def test_scopes_that_are_granted_under_another_name_are_not_missed(
    claimed: str | None, wanted: str
) -> None:
    assert "as expected" in explain(fitting(scope=claimed), scope=wanted)


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (1, "1 second"),
        (59.5, "59 seconds"),
        (60, "1 minute"),
        (300, "5 minutes"),
        (2 * 3600, "2 hours"),
        (86400 * 3, "3 days"),
    ],
)
def test_an_expired_token_is_dated(late: float, words: str) -> None:
    assert explain(fitting(exp=NOW - late)) == (
        f"The token expired {words} ago by this machine's clock."
    )


@pytest.mark.parametrize("late", [0.5, 0, -1])
def test_a_token_has_its_last_second(late: float) -> None:
    assert "as expected" in explain(fitting(exp=NOW - late))


def test_all_that_differs_is_named_in_one_text() -> None:
    token = jwt(iss="https://b.example", aud="https://a.example", scp=["a"], exp=NOW - 7200)
    assert explain(token) == (
        f"The token is for https://a.example (aud), the resource is {RESOURCE}. "
        f"It was issued by https://b.example (iss), not by {ISSUER}. "
        "It has the scopes a, not read. It expired 2 hours ago by this machine's clock."
    )


# ------------------------------------------------------------------ foreign texts


@pytest.mark.promise("S2")
def test_keys_in_addresses_are_masked() -> None:
    key = "a1b2c3d4e5f6a7b8c9d0"
    text = explain(
        fitting(aud=f"https://a.example/?key={key}"), resource=f"https://b.example/{key}"
    )
    assert key not in text
    assert "https://a.example/?key=****" in text
    assert "https://b.example/a1b2****" in text


@pytest.mark.promise("S2")
@pytest.mark.parametrize("claim", ["aud", "iss", "scope"])
def test_a_foreign_text_cannot_forge_lines_or_fill_a_screen(claim: str) -> None:
    text = explain(fitting(**{claim: "\x1b[2J\r\nSign in at once: " + "x" * 5000}))
    assert text.isprintable()
    assert "x" * (MAX_EXCERPT_LENGTH + 1) not in text
    assert "Sign in at once" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
claim_sets = st.dictionaries(
    st.sampled_from(["iss", "aud", "scope", "scp", "exp", "email", "name", "sub", "x"]), json_values
)


@pytest.mark.promise("S2")
@given(claim_sets, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_token_claims_is_said_on_one_line_without_the_token(
    claims: dict[str, object], issuer: str, resource: str, scope: str
) -> None:
    token = jwt(**claims)
    text = explain(token, issuer=issuer, resource=resource, scope=scope)
    assert text.isprintable()
    assert text.startswith("The token")
    assert text.endswith(".")
    for part in token.reveal().split("."):
        assert len(part) < 8 or part not in text
    account = account_of(credential(token))
    assert account.isprintable()
    assert len(account) <= MAX_EXCERPT_LENGTH


# ------------------------------------------------------------------ describing


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (
            {"iss": ISSUER, "aud": RESOURCE, "exp": NOW + 150},
            f"was issued by {ISSUER} (iss), is for {RESOURCE} (aud), and is good for another "
            "2 minutes",
        ),
        (
            {"iss": "a b", "aud": ["x", "y"], "exp": NOW - 1},
            'was issued by "a b" (iss), is for x and y (aud), and expired 1 second ago by this '
            "machine's clock",
        ),
        ({"iss": ISSUER, "exp": NOW}, f"was issued by {ISSUER} (iss) and expired 1 second ago by"),
        ({"exp": NOW + 0.5}, "is good for another 1 second"),
        ({"sub": "job"}, ""),
    ],
)
def test_what_a_jwt_says_of_itself(claims: dict[str, object], words: str) -> None:
    said = describe_jwt(jwt(**claims), NOW)
    assert said.startswith(words)
    assert bool(said) == bool(words)
