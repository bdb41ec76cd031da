"""What a server's words say of the token: as tables, without a loop."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.oauth.challenge import Challenge, parse_challenge
from mcp_remote_py.oauth.token_words import (
    TOKEN_READINGS,
    judge_words,
    may_be_token,
    read_token_refusal,
)

pytestmark = [pytest.mark.promise("L1"), pytest.mark.report("O19")]


def document(**members: object) -> bytes:
    return json.dumps(members).encode()


def read(status: int, challenge: bytes, body: bytes) -> tuple[int, Challenge]:
    refused, told = read_token_refusal(status, challenge, body)
    return refused, parse_challenge(told.decode("latin-1"))


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        document(error="invalid_token", error_description="expired"),
        document(error="token_expired"),
        document(error={"code": 40, "error": "invalid_token"}, error_code="invalid_token"),
        document(error_code="expired_token", msg="expired"),
        document(error="unauthorized", message="The access token expired"),
        document(error="server_error", error_description="jwt expired"),
        document(error="forbidden", detail="Signature has expired"),
        document(error="error", message="The incoming token has expired"),
        document(error="TOKEN_EXPIRED"),
        document(error="Token expired"),
        document(code="token_expired", message="x"),
        document(errors=[{"code": "token_expired"}]),
        document(code="token_not_valid", detail="x"),
        document(error={"code": "InvalidAuthenticationToken", "message": "x"}),
        document(name="TokenExpiredError", message="x"),
        document(error="token_invalid"),
        document(error="token_inactive"),
        document(data={"code": "token_expired"}),
    ],
)
def test_a_token_that_has_ended_in_words_of_many(status: int, body: bytes) -> None:
    refused, challenge = read(status, b"", body)
    assert (refused, challenge.error) == (401, "invalid_token")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>access token expired</html>",
        b'["invalid_token"]',
        document(jsonrpc="2.0", id=1, error="invalid_token"),
        document(jsonrpc="2.0", id=1, error={"code": -32001, "message": "Token expired"}),
        document(jsonrpc="2.0", id=None, error={"code": -32001, "message": "Not now"}),
        document(message="Forbidden"),
        document(message="The access token expired for the upload"),
        b"token expired at the door of the next server",
        document(error="The access token expired, or the upload did"),
        document(error="server_error"),
        document(error="forbidden", message="The CSRF token has expired"),
        document(error="not_found", message="page token is invalid"),
        document(error="insufficient_funds"),
    ],
)
def test_what_says_nothing_of_the_token(body: bytes) -> None:
    for status in (400, 403, 500):
        assert read_token_refusal(status, b"Bearer", body) == (0, b"Bearer")


@pytest.mark.parametrize("status", [400, 403, 419, 440, 498])
@pytest.mark.parametrize(
    "body",
    [
        document(message="The access token expired"),
        document(Message="The incoming token has expired"),
        document(error={"status": 401, "message": "Token has expired."}),
        document(error={"code": 498, "message": "Invalid Token"}),
        document(message="jwt expired"),
        document(jsonrpc="2.0", id=None, error={"code": -32001, "message": "invalid_token"}),
        document(
            jsonrpc="2.0", id=None, error={"code": 1, "message": "Unauthorized: token expired"}
        ),
        b"Jwt is expired",
        b"Invalid or expired token\n",
        document(message="Invalid JWT", code=401),
        document(error="Token is not active"),
        document(errors=["Token has expired"]),
        document(fault={"faultstring": "Access Token expired", "detail": {"errorcode": "x"}}),
    ],
)
def test_a_sentence_and_nothing_else(status: int, body: bytes) -> None:
    refused, challenge = read(status, b"", body)
    assert (refused, challenge.error) == (401, "invalid_token")
    assert read_token_refusal(502, b"", body) == (0, b"")


@pytest.mark.report("O19")
@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize("status", [440, 498])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Your session has expired</html>",
        document(error="login_timeout", message="Your session has expired"),
        document(message="Token expired/invalid"),
    ],
)
def test_a_status_that_means_nothing_else(status: int, body: bytes, has_effect: bool) -> None:
    refused, challenge = read_token_refusal(status, b"", body, has_effect=has_effect)
    assert (refused, b'error="invalid_token"' in challenge) == (401, True)
    answer = document(jsonrpc="2.0", id=7, error={"code": 1, "message": "no"})
    assert read_token_refusal(status, b"", answer, has_effect=has_effect) == (0, b"")


@pytest.mark.parametrize(
    "body",
    [
        document(error="server_error", error_description="Internal Server Error"),
        document(statusCode=500, message="jwt expired"),
        b"Token expired",
    ],
)
def test_a_failure_may_be_for_the_token(body: bytes) -> None:
    refused, challenge = read(500, b"", body)
    assert refused == 500
    assert may_be_token(challenge, 500)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_challenge_whose_error_is_a_sentence(status: int) -> None:
    challenge = b'Bearer error="The access token expired"'
    assert read_token_refusal(status, challenge, b"") == (401, challenge)


@pytest.mark.promise("R5")
@pytest.mark.parametrize("status", [409, 422, 424, 500, 502, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"Token expired",
        document(error="Token expired"),
        document(statusCode=500, message="jwt expired"),
        document(error="tool_failed", message="The mail service: access token has expired"),
        document(error="error", message="The incoming token has expired"),
        document(jsonrpc="2.0", id=None, error={"code": -32603, "message": "Token expired"}),
    ],
)
def test_words_of_a_failure_may_be_a_tools_own(status: int, body: bytes) -> None:
    """They came from behind the execution, perhaps: such a call is not sent again."""
    assert read_token_refusal(status, b"Bearer", body, has_effect=True) == (0, b"Bearer")


@pytest.mark.parametrize("code", ["invalid_token", "token_expired", "server_error"])
def test_a_code_of_a_failure_is_that_of_the_check(code: str) -> None:
    body = document(error=code, error_description="Internal Server Error")
    assert read_token_refusal(500, b"", body, has_effect=True)[0] in (401, 500)
    assert read_token_refusal(401, b"", b"Token expired", has_effect=True)[0] == 0
    assert read_token_refusal(400, b"", b"Token expired", has_effect=True)[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        document(error="insufficient_scope", scope="a b"),
        document(error="INSUFFICIENT_SCOPE", scope="a b"),
        document(error="insufficient_scopes", required_scopes=["a", "b"]),
        document(ok=False, error="missing_scope", needed="a,b", provided="c"),
        document(error={"code": "insufficient_scope"}, required_scope="a b"),
    ],
)
def test_scopes_that_are_wanted_in_words_of_many(body: bytes) -> None:
    refused, challenge = read(403, b"", body)
    assert (refused, challenge.error, challenge.scope) == (403, "insufficient_scope", "a b")


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        (document(error="insufficient_scope", scope="a b"), "a b"),
        (document(required_scopes=["a", "b"]), "a b"),
        (document(scope='a"b'), None),
        (b"", None),
    ],
)
def test_a_challenge_that_leaves_the_scope_to_the_body(body: bytes, scope: str | None) -> None:
    refused, challenge = read(403, b'Bearer error="insufficient_scope"', body)
    assert (refused, challenge.error, challenge.scope) == (403, "insufficient_scope", scope)


@pytest.mark.parametrize("code", ["unauthorized", "invalid_grant", "access_denied", "not_authed"])
def test_what_may_be_for_the_token(code: str) -> None:
    for status in (400, 403, 500):
        refused, challenge = read(status, b"", document(error=code, error_description='a "b"'))
        assert (refused, challenge.error) == (status, code)
        assert challenge.error_description == "a b"
        assert may_be_token(challenge, status)
    for status in (404, 409, 429, 503):
        assert read_token_refusal(status, b"", document(error=code)) == (0, b"")
    assert not may_be_token(Challenge(error="invalid_token"), 403)
    assert not may_be_token(Challenge(), 403)
    assert may_be_token(Challenge(error="insufficient_scope"), 403), "nobody says which"
    assert not may_be_token(Challenge(error="insufficient_scope", scope="a"), 403)


def test_a_scope_that_is_wanted_by_the_body() -> None:
    body = document(error="insufficient_scope", scope="a b")
    refused, challenge = read(403, b"", body)
    assert (refused, challenge.error, challenge.scope) == (403, "insufficient_scope", "a b")
    assert read_token_refusal(400, b"", body)[0] == 400
    for failed in (404, 409, 500, 502):
        assert read_token_refusal(failed, b"", body)[0] == 0, "not a refusal"
    strange = document(error="insufficient_scope", scope='a", error="invalid_token')
    assert read(403, b"", strange)[1].scope is None


@pytest.mark.promise("R6")
def test_a_long_body_is_not_looked_through() -> None:
    """Half a second for four megabytes of such words; and all of its scopes were asked for."""
    scopes = document(error="insufficient_scope", scope="a b " * 5000)
    words = document(error="auth " * 5000)
    for body in (scopes, words):
        assert read_token_refusal(403, b"Bearer", body) == (0, b"Bearer")
    assert read(403, b"", document(error="token_expired", stack="x" * 9000))[0] == 401


def test_the_challenge_comes_first_and_keeps_what_it_has() -> None:
    body = document(error="invalid_token", error_description="expired")
    told = b'Bearer error="insufficient_scope", scope="a"'
    assert read_token_refusal(403, told, body) == (403, told)
    metadata = "https://h.example/prm"
    refused, challenge = read(403, f'Bearer resource_metadata="{metadata}"'.encode(), body)
    assert refused == 401
    assert challenge.resource_metadata == metadata
    assert challenge.error == "invalid_token"
    assert read(500, b"Basic", body)[1].error == "invalid_token"
    assert read(500, b"Bearer", body)[1].error_description == "expired"


@given(st.binary(max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_any_words_are_a_reading_or_none(challenge: bytes, code: str, words: str) -> None:
    body = document(error=code, error_description=words, scope=words)
    status, told = read_token_refusal(500, challenge, body)
    assert status in (0, 401, 500)
    assert b"\n" not in told.removeprefix(challenge)


def test_every_reading_has_a_source_and_something_to_look_for() -> None:
    for reading in TOKEN_READINGS:
        assert reading.source
        assert reading.codes or reading.words
        for code in reading.codes:
            words, status = ("Internal Server Error", 500) if reading.words else ("", 403)
            assert judge_words(code, words, status) is reading.means, "no row hides another"
