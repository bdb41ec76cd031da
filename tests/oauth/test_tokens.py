"""Token answers as servers really give them: each quirk of field note 8 understood or explained."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import MAX_EXCERPT_LENGTH
from mcp_remote_py.oauth.steps import Client, Credential, HttpResponse
from mcp_remote_py.oauth.token_places import MAX_NAMES_APART
from mcp_remote_py.oauth.tokens import (
    MAX_FORM_BYTES,
    MAX_LIFETIME,
    GrantRefused,
    TokenAnswer,
    TokenError,
    measure_skew,
    needs_refresh,
    parse_token_answer,
    shorten_without,
)
from mcp_remote_py.redact import Secret

NOW = 1_800_000_000.0
TOKEN = "canary-access-token"


def answer(body: object, status: int = 200, content_type: str = "application/json") -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status, {"content-type": content_type}, raw)


def parse(**members: object) -> TokenAnswer:
    return parse_token_answer(answer({"access_token": TOKEN, **members}), NOW)


def refuse(response: HttpResponse, secrets: tuple[Secret, ...] = ()) -> TokenError:
    with pytest.raises(TokenError) as caught:
        parse_token_answer(response, NOW, secrets=secrets)
    assert TOKEN not in caught.value.sentence()
    assert caught.value.sentence().isprintable()
    assert caught.value.hint
    assert caught.value.status == response.status
    return caught.value


@pytest.mark.promise("A3")
def test_answer_as_the_rfc_has_it() -> None:
    body = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "refresh",
        "id_token": "a.b.c",
        "scope": "read write",
        "unknown": {"member": [1]},
    }
    assert parse_token_answer(answer(body), NOW) == TokenAnswer(
        Secret(TOKEN), Secret("refresh"), Secret("a.b.c"), "read write", NOW + 3600
    )


@pytest.mark.report("O3")
@pytest.mark.parametrize("nothing", [None, ""])
def test_members_that_say_nothing_are_absent(nothing: object) -> None:
    names = ("error", "token_type", "expires_in", "refresh_token", "id_token", "scope")
    assert parse(**dict.fromkeys(names, nothing)) == TokenAnswer(Secret(TOKEN))


@pytest.mark.report("O18")
@pytest.mark.parametrize(
    "place",
    [
        *("authed_user", "data", "result", "response", "payload", "tokens", "token", "credentials"),
        "session",
    ],
)
def test_tokens_are_found_where_their_server_puts_them(place: str) -> None:
    inside = {
        "access_token": TOKEN,
        "token_type": "user",
        "refresh_token": "canary-refresh",
        "expires_in": 43200,
        "scope": "chat:write,users:read",
    }
    body: dict[str, object] = {"ok": True, "scope": "other", "expires_in": 1, place: inside}
    expected = TokenAnswer(
        Secret(TOKEN),
        Secret("canary-refresh"),
        scope="chat:write users:read",
        expires_at=NOW + 43200,
    )
    assert parse_token_answer(answer(body), NOW) == expected
    body[place] = {"access_token": TOKEN, "refresh_token": None, "scope": ""}
    assert parse_token_answer(answer(body), NOW) == TokenAnswer(Secret(TOKEN))


@pytest.mark.report("O18")
def test_a_token_at_the_top_comes_first_and_one_anywhere_else_is_none() -> None:
    other = {"access_token": "canary-other", "refresh_token": "canary-other"}
    assert parse(authed_user=other) == TokenAnswer(Secret(TOKEN))
    for body in ({"user": other}, {"authed_user": [other]}, {"authed_user": "x"}, {"data": None}):
        assert "without an access token" in str(refuse(answer(body)))
    torn = refuse(answer({"authed_user": {"access_token": "a b"}}))
    assert "characters that no header can carry" in str(torn)
    assert "not_authed" in str(refuse(answer({"ok": False, "error": "not_authed", "data": other})))


@pytest.mark.report("O18")
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_names_whose_words_are_joined(is_wrapped: bool) -> None:
    inside: dict[str, object] = {
        "accessToken": TOKEN,
        "refreshToken": "canary-refresh",
        "expiresIn": 60,
    }
    expected = TokenAnswer(Secret(TOKEN), Secret("canary-refresh"), expires_at=NOW + 60)
    assert parse_token_answer(answer({"data": inside} if is_wrapped else inside), NOW) == expected
    both = {"data": {"session": {"access_token": TOKEN}}, "accessToken": "canary-other"}
    assert parse_token_answer(answer(both), NOW) == TokenAnswer(Secret(TOKEN))


@pytest.mark.report("O18")
@pytest.mark.parametrize(
    "body",
    [
        {"AuthenticationResult": {"AccessToken": TOKEN}, "ChallengeParameters": {}},
        {"authedUser": {"accessToken": TOKEN}},
        {"data": {"tokens": {"access_token": TOKEN}}},
        {"data": {"token": {"accessToken": TOKEN}}},
    ],
)
def test_places_whose_names_are_joined_and_places_in_places(body: object) -> None:
    assert parse_token_answer(answer(body), NOW) == TokenAnswer(Secret(TOKEN))


def test_joined_names_are_looked_for_among_few() -> None:
    """Each is taken apart: of 10,000 that would be a turn of 40 ms."""
    many = {f"name{number}": number for number in range(MAX_NAMES_APART)}
    with pytest.raises(TokenError):
        parse_token_answer(answer(many | {"accessToken": TOKEN}), NOW)
    assert parse_token_answer(answer(many | {"access_token": TOKEN}), NOW).access_token.reveal()


def test_only_the_token_is_needed() -> None:
    assert parse() == TokenAnswer(Secret(TOKEN))


@pytest.mark.parametrize(
    ("value", "lifetime"),
    [
        (3600, 3600),
        (0.5, 0.5),
        ("3599", 3599),
        (" 60 ", 60),
        ("3600.0", 3600),
        (10**25, MAX_LIFETIME),
        (10**400, None),
        ("1e999", MAX_LIFETIME),
        (0, None),
        ("0", None),
        (-1, None),
        ("nan", None),
        ("soon", None),
        (None, None),
        (True, None),
        ([3600], None),
    ],
)
def test_lifetime_in_any_form(value: object, lifetime: float | None) -> None:
    assert parse(expires_in=value).expires_at == (None if lifetime is None else NOW + lifetime)


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "user", "N_A", "", None, 7])
def test_any_kind_of_token_but_one_is_a_bearer_token(kind: object) -> None:
    assert parse(token_type=kind).access_token == Secret(TOKEN)


def test_token_bound_to_a_key_is_not_used_as_bearer_token() -> None:
    error = refuse(answer({"access_token": TOKEN, "token_type": "DPoP"}))
    assert "token_type DPoP" in str(error)


@pytest.mark.parametrize(
    ("value", "scope"),
    [
        ("read write", "read write"),
        ("  read \n write ", "read write"),
        (["read", "write"], "read write"),
        ("repo,gist", "repo gist"),
        ("a,b c", "a,b c"),
        ("", None),
        ([], None),
        (None, None),
        (5, None),
        ('good "quoted" back\\slash \x1b[31mred', "good"),
    ],
)
def test_scope_in_any_form(value: object, scope: str | None) -> None:
    assert parse(scope=value).scope == scope


@pytest.mark.parametrize("value", [None, "", 5, {"a": 1}, "line\nbreak", "pärt"])
def test_unusable_refresh_or_id_token_is_as_none(value: object) -> None:
    tokens = parse(refresh_token=value, id_token=value)
    assert tokens.refresh_token is None
    assert tokens.id_token is None


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "text/html"]
)
def test_form_data_whatever_it_is_called(content_type: str) -> None:
    form = urlencode({"access_token": TOKEN, "expires_in": "60", "scope": "repo,gist"}) + "\n"
    tokens = parse_token_answer(answer(form.encode(), 200, content_type), NOW)
    assert tokens == TokenAnswer(Secret(TOKEN), scope="repo gist", expires_at=NOW + 60)


def test_json_called_a_page_and_with_a_byte_order_mark() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"access_token": TOKEN}).encode()
    tokens = parse_token_answer(answer(body, 201, "text/html; charset=utf-8"), NOW)
    assert tokens == TokenAnswer(Secret(TOKEN))


@pytest.mark.report("O18")
@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        f"{TOKEN}\n",
        f" {TOKEN}\t",
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN}\r\n",
        f"DPoP {TOKEN}",
    ],
)
def test_what_is_not_a_part_of_a_token_is_taken_away(token: str) -> None:
    tokens = parse_token_answer(answer({"access_token": token, "refresh_token": "r\n"}), NOW)
    assert tokens == TokenAnswer(Secret(TOKEN), Secret("r"))


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    "token", ["with blank", "line\r\nX-Evil: 1", "tab\tx", "\x00", "pärt", "\x7f", "x\x0bx"]
)
def test_token_that_would_tear_a_header_is_refused(token: str) -> None:
    error = refuse(answer({"access_token": token}))
    assert "characters that no header can carry" in str(error)
    assert "X-Evil" not in error.sentence()


@pytest.mark.parametrize(
    "body",
    [
        {"accessKey": TOKEN, TOKEN: 1},
        {"access_token": ""},
        {"access_token": 5},
        {},
        [TOKEN],
        TOKEN,
        TOKEN.encode(),
        f"token={TOKEN}".encode(),
        b"",
        b"\xff\xfe",
        b"<html>" + TOKEN.encode(),
        b"[" * 100_000,
    ],
)
def test_success_without_token_shows_names_at_most(body: object) -> None:
    error = refuse(answer(body))
    assert not isinstance(error, GrantRefused)
    assert "without an access token (HTTP 200, application/json, members: " in str(error)


@pytest.mark.promise("S2")
def test_bare_token_is_not_taken_for_a_name() -> None:
    assert "members: none)" in str(refuse(answer(b"canarytoken", 200, "text/plain")))


def test_names_of_members_are_evidence() -> None:
    assert "members: accessKey, …)" in str(refuse(answer({"accessKey": TOKEN, "a b": 1})))
    assert "no content type" in str(refuse(HttpResponse(200, {}, b"{}")))


@pytest.mark.report("O27")
@pytest.mark.parametrize("digits", [20, 300, 400, 5000])
def test_a_wait_without_end_is_one_of_a_day(digits: int) -> None:
    with pytest.raises(TokenError) as caught:
        parse_token_answer(HttpResponse(429, {"retry-after": "9" * digits}, b""), NOW)
    assert caught.value.retry_after == 86400
    assert caught.value.hint == "It asks to wait for 24 hours."


def test_form_data_that_is_long_is_not_taken_for_an_answer() -> None:
    """To read 250 kB of it took 0.3 s."""
    many, long = b"&a=b" * (MAX_NAMES_APART - 1), b"&a=" + b"%41" * (MAX_FORM_BYTES // 3 - 10)
    for rest in (many, long):
        found = parse_token_answer(HttpResponse(200, {}, b"access_token=x" + rest), NOW)
        assert found == TokenAnswer(Secret("x"))
        assert refuse(HttpResponse(200, {}, b"error=x" + rest)).error == "x"
    for rest in (many + b"&a=b", long + b"%41" * 10):
        for begin in (b"access_token=x", b"error=x"):
            assert "an answer of RFC 6749" in refuse(HttpResponse(200, {}, begin + rest)).hint


@pytest.mark.report("O27")
@pytest.mark.parametrize("value", ["120", "Fri, 15 Jan 2027 08:02:00 GMT"])
def test_when_to_come_again_is_read_and_told(value: str) -> None:
    with pytest.raises(TokenError) as caught:
        parse_token_answer(HttpResponse(429, {"retry-after": value}, b""), NOW)
    assert caught.value.retry_after == 120
    assert caught.value.sentence() == (
        "The token endpoint gave no token (HTTP 429: an empty body). "
        "It asks to wait for 2 minutes, until 08:02:00 UTC."
    )


@pytest.mark.promise("A5", "L1")
@pytest.mark.parametrize("status", [200, 400, 401, 403])
@pytest.mark.parametrize("code", ["invalid_grant", "invalid_client", "unauthorized_client"])
def test_definite_refusals(status: int, code: str) -> None:
    body = {"error": code, "error_description": "It is\nover."}
    error = refuse(answer(body, status))
    assert isinstance(error, GrantRefused)
    assert error.error == code
    assert str(error) == f'The token endpoint refused (HTTP {status}: {code}, "It is over.").'
    form = refuse(answer(urlencode(body).encode(), status, "text/plain"))
    assert isinstance(form, GrantRefused)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "bad_refresh_token"}, "invalid_grant"),
        ({"error": "deleted_client"}, "invalid_client"),
        ({"error": "disabled_client"}, "invalid_client"),
        ({"error": "invalid_client_secret"}, "invalid_client"),
        ({"error": "unknown_client"}, "invalid_client"),
        ({"error": "client_not_found"}, "invalid_client"),
        ({"error": "incorrect_client_credentials"}, "invalid_client"),
        ({"ok": False, "error": "invalid_refresh_token"}, "invalid_grant"),
        ({"ok": False, "error": "invalid_client_id", "access_token": TOKEN}, "invalid_client"),
    ],
)
def test_refusals_in_the_words_of_vendors(body: object, code: str) -> None:
    error = refuse(answer(body))
    assert isinstance(error, GrantRefused)
    assert error.error == code


@pytest.mark.promise("A5", "L1")
@pytest.mark.report("O10")
@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "body",
    [
        {"error_code": "refresh_token_not_found", "msg": "Invalid Refresh Token: Not Found"},
        {"code": 400, "error_code": "refresh_token_already_used", "msg": "Already Used"},
        {"error": "invalid_request", "error_description": "refresh_token is invalid"},
        {"error": "invalid_request", "message": "The refresh token has expired."},
        {"error": "Bad Request", "detail": "Unknown refresh token"},
        {"error": "Unauthorized", "msg": "refreshToken expired"},
        {"error": {"code": "x", "message": "Refresh token was revoked by its owner"}},
        {"error": "expired_refresh_token"},
        {"message": "refresh token does not exist"},
        {"error": "access_denied", "error_description": "Invalid or expired refresh token"},
        {"error": "Invalid_Grant"},
        {"error": "INVALID_GRANT"},
        {"error": "invalid grant."},
        {"error": "invalid_grant: Token is expired or invalid."},
        {"error": ["x"], "code": "invalid_grant", "message": "x"},
        {"error": {"type": "invalid_grant", "message": "x"}},
        {"errors": [{"code": "invalid_grant", "detail": "x"}]},
        {"detail": {"error": "invalid_grant"}},
        {"detail": [{"loc": ["body"], "msg": "invalid refresh token"}]},
        {"errorCode": "x", "errorSummary": "The refresh token is invalid or expired."},
        {"error_type": "invalid_refresh_token", "error_message": "x"},
        {"code": "refresh_token_not_found", "message": "x"},
        {"title": "invalid_grant", "status": 400},
        {"status": "BAD_REFRESH_TOKEN", "message": "x"},
        {"error": "RefreshTokenExpired"},
        {"error": "refresh token has already been used"},
        {"error": "invalid_request", "hint": "Refresh token has been revoked"},
        {"error": "invalid_request", "error_description": "expired access/refresh token"},
        {"error": "invalid_request", "error_description": "Could not find refresh token"},
        {"error": "invalid_request", "error_description": "No such refresh token"},
        {"error": "invalid_request", "error_description": "Refresh token doesn't exist"},
        {"error": "invalid_request", "error_description": "Refresh token reuse detected"},
        {"error": "invalid_request", "error_description": "Refresh token is blacklisted"},
        {"error": "invalid_request", "error_description": "The refresh token was rotated"},
        {"error": "invalid_request", "error_description": "Das Refresh-Token ist abgelaufen"},
        {"error": "invalid_request", "error_description": "El refresh token ha expirado"},
        {"error": "invalid_request", "error_description": "refresh_token \u5df2\u8fc7\u671f"},
        {"error": "interaction_required", "error_description": "AADSTS50076: sign in again"},
        {"error": "login_required"},
        {"error": "account_selection_required"},
        {"error": "mfa_required", "error_description": "Multifactor authentication required"},
        {"error": "token_inactive", "error_description": "Token is inactive because it is old"},
        {"detail": "Token is invalid or expired", "code": "token_not_valid"},
        {"error_type": "oauth_invalid_refresh_token", "error_message": "x"},
        {"errors": [{"code": "refresh_token_invalid", "message": "is invalid"}]},
        {"errors": ["Refresh token is invalid"]},
        {"error": ["invalid_grant"]},
        {"data": {"error": "invalid_grant"}},
        {"fault": {"faultstring": "Invalid refresh token", "detail": {"errorcode": "x"}}},
        {"ErrorCode": "invalid_request", "Error": "Refresh Token expired"},
        {"err": "Refresh token invalid", "ECODE": "OAUTH_014"},
        {"error": "auth.refresh_token.expired"},
        {"error": "invalid_request", "error_description": "Errors.User.RefreshToken.Invalid"},
        {"error": "invalid_request", "error_description": 'Invalid "refresh_token" in request.'},
        {"error": "invalid_request", "error_description": "The refresh token is superseded"},
        {"error": "invalid_request", "error_description": "Refresh-Token nicht mehr g\u00fcltig"},
    ],
)
def test_a_dead_refresh_token_in_words_of_many(body: dict[str, object], status: int) -> None:
    error = refuse(answer(body, status))
    assert isinstance(error, GrantRefused)
    assert error.error == "invalid_grant"
    assert not error.is_doubtful


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
@pytest.mark.parametrize(
    "response",
    [
        answer({"ok": False, "error": "invalid_auth"}),
        answer({"error": {"code": "invalid_grant"}}),
        answer({"success": False, "message": "Refresh token expired"}),
        answer({"code": 20026, "msg": "The refresh token passed is invalid."}),
        answer({"errcode": 42002, "errmsg": "refresh_token expired"}),
        answer({"error": "refresh_token_reused"}, 409),
    ],
)
def test_a_dead_refresh_token_that_is_told_in_an_answer_to_something(
    response: HttpResponse,
) -> None:
    assert isinstance(refuse(response), GrantRefused)


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
@pytest.mark.parametrize(
    "response",
    [
        answer({"error": "invalid_request", "error_description": "The refresh token is missing"}),
        answer({"error": "expired_token"}, 400),
        answer({"error": "invalid_grants"}, 400),
        answer({"code": "invalid_grant"}, 503),
        answer({"error": "invalid_request", "error_description": "refresh_token is invalid"}, 500),
        answer({"message": "The refresh token has expired."}, 429),
        answer({"error": "server_error", "error_description": "refresh token not found"}, 400),
        answer({"error": "invalid_request", "error_description": "refresh_token is required"}, 400),
        answer({"error": "invalid_request", "error_description": "The client is unknown"}, 400),
        answer(b"<p>The refresh token is invalid</p>", 403, "text/html"),
        answer(b"refresh token is invalid", 404, "text/plain"),
    ],
)
def test_what_sounds_like_a_dead_refresh_token(response: HttpResponse) -> None:
    assert not isinstance(refuse(response), GrantRefused)


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
@pytest.mark.parametrize(
    ("response", "is_doubtful"),
    [
        (answer({"message": "nope"}, 400), True),
        (answer({"error": "invalid_request"}, 400), True),
        (answer({"error": "unsupported_grant_type"}, 400), True),
        (answer({"error": "invalid_grant"}, 404), True),
        (answer({"msg": "nope"}, 422), True),
        (answer(b"nope", 400, "text/plain"), True),
        (answer(b"", 403), True),
        (answer(b"<html>blocked</html>", 403, "text/html"), True),
        (answer(b"no such page", 404, "text/plain"), True),
        (answer(b"<html>busy</html>", 429, "text/html"), False),
        (answer(b"<html>fine</html>", 200, "text/html"), False),
        (answer(b"<html>failed</html>", 502, "text/html"), False),
        (answer({"error": "slow_down"}, 400), False),
        (answer({"error": "temporarily_unavailable"}, 400), False),
        (answer({"error": "invalid_dpop_proof"}, 400), False),
        (answer({"message": "later"}, 429), False),
        (answer({"message": "later"}, 408), False),
        (answer({"message": "nope"}, 500), False),
        (answer({"error": "invalid_grant"}, 500), True),
        (answer({"error": "server_error"}, 500), False),
        (answer({"error": "unsupported_grant_type"}, 501), True),
        (answer(b"", 501), False),
        (answer({"ok": False, "error": "bad_redirect_uri"}), True),
        (answer({"ok": False, "error": "internal_error"}), False),
        (answer({"message": "nope"}), False),
        (answer({"error": "invalid_grant"}, 400), False),
    ],
)
def test_which_refusal_may_be_a_verdict(response: HttpResponse, is_doubtful: bool) -> None:
    assert refuse(response).is_doubtful is is_doubtful


@pytest.mark.promise("A5", "L1")
@pytest.mark.report("O10", "O27")
@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(
    "body",
    [
        {"error": "Access Denied", "error_description": "You have made too many requests."},
        {"__type": "TooManyRequestsException", "message": "Rate exceeded"},
        {"error": "rate_limit_exceeded"},
        {"error": "over_request_rate_limit"},
        {"error": "too_many_requests"},
        {"error": "request_throttled"},
        {"errorCode": "E0000047", "errorSummary": "API call exceeded rate limit"},
        {"error": "internal_server_error"},
    ],
)
def test_who_was_asked_too_often_says_nothing_of_the_grant(body: object, status: int) -> None:
    error = refuse(answer(body, status))
    assert not isinstance(error, GrantRefused)
    assert not error.is_doubtful, "three of them in five seconds would end a good sign-in"


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
@pytest.mark.parametrize(
    ("response", "is_foreign"),
    [
        (answer({"message": "nope"}, 400), False),
        (answer(b"error=nope", 400, "application/x-www-form-urlencoded"), False),
        (answer(b"nope", 400, "text/plain"), True),
        (answer(b"", 400), True),
        (answer(b"{}", 400), True),
        (answer(b'["nope"]', 400), True),
        (answer(b"<h1>400 Bad Request</h1>", 400, "text/html"), True),
    ],
)
def test_which_refusal_may_be_of_something_in_front(
    response: HttpResponse, is_foreign: bool
) -> None:
    error = refuse(response)
    assert (error.is_doubtful, error.is_foreign) == (True, is_foreign)


@pytest.mark.promise("A5")
@pytest.mark.report("O10")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"invalid_grant", 400),
        (b'"invalid_grant"', 400),
        (b" INVALID_GRANT\n", 401),
        (b"Invalid refresh token", 400),
        (b'"The refresh token has expired."', 403),
    ],
)
def test_a_dead_refresh_token_told_by_a_text_alone(body: bytes, status: int) -> None:
    error = refuse(answer(body, status, "text/plain"))
    assert isinstance(error, GrantRefused)
    assert error.error == "invalid_grant"


@pytest.mark.report("O10")
def test_a_text_alone_is_read_like_the_words_of_a_document() -> None:
    error = refuse(answer(b"unknown parameter resource", 400, "text/plain"))
    assert (error.error, error.description) == ("", "unknown parameter resource")
    assert "--disable-resource-parameter" in error.hint
    assert refuse(answer(b"authorization_pending", 400)).error == "authorization_pending"
    assert refuse(answer(b"<p>resource", 400)).description == ""


@pytest.mark.report("O10")
def test_a_good_status_with_a_word_that_it_failed_is_a_refusal() -> None:
    error = refuse(answer({"success": False, "message": "The code was used"}))
    assert 'gave no token (HTTP 200: "The code was used")' in str(error)


def test_bytes_that_are_not_utf8_spoil_nothing_but_their_own_text() -> None:
    body = json.dumps({"access_token": TOKEN, "name": "J\u00fcrgen"}, ensure_ascii=False)
    found = parse_token_answer(answer(body.encode("latin-1")), NOW)
    assert found.access_token.reveal() == TOKEN
    torn = body.replace(TOKEN, TOKEN + "\u00fc").encode("latin-1")
    assert "no header can carry" in str(refuse(answer(torn)))


@pytest.mark.report("O10")
def test_a_code_of_oauth_counts_in_the_members_of_others() -> None:
    error = refuse(answer({"code": "invalid_scope", "message": "No"}, 400))
    assert (error.error, error.hint) == (
        "invalid_scope",
        "Name the scopes it knows with --scope.",
    )


@pytest.mark.report("O10")
@pytest.mark.parametrize("name", ["error_description", "message", "msg", "detail"])
def test_words_are_read_wherever_they_are(name: str) -> None:
    assert 'HTTP 400: "Not possible")' in str(refuse(answer({name: "Not possible"}, 400)))


@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer({"error": "invalid_grant"}, 500), "HTTP 500: invalid_grant"),
        (answer({"error": "invalid_grant"}, 503), "HTTP 503: invalid_grant"),
        (answer({"error": "invalid_grant"}, 429), "HTTP 429: invalid_grant"),
        (answer({"error": "invalid_grant"}, 404), "HTTP 404: invalid_grant"),
        (answer({"error": "invalid_client_metadata"}, 400), "invalid_client_metadata"),
        (answer({"error": "server_error"}, 400), "server_error"),
        (answer({"error": {"code": 5, "message": "gone"}}, 400), 'HTTP 400: "gone"'),
        (answer({"ok": False}), "HTTP 200: members: ok"),
        (answer({"error": [1], "access_token": TOKEN}), "members: error, access_token"),
        (answer({"error": ["x"], "access_token": TOKEN}), 'HTTP 200: "x"'),
        (answer({"detail": 5, "message": "Not now"}, 502), 'HTTP 502: "Not now"'),
        (answer({"access_token": TOKEN}, 400), "HTTP 400: members: access_token"),
        (answer(b"<html>down</html>", 502), "HTTP 502: a page instead of JSON"),
        (answer(b"", 500), "HTTP 500: an empty body"),
        (answer(b"upstream\x1b[31m died", 503), 'HTTP 503: "upstream [31m died"'),
        (answer(b"", 302), "HTTP 302: an empty body"),
        (answer([1], 400), '"[1]"'),
    ],
)
def test_everything_else_is_not_a_verdict(response: HttpResponse, words: str) -> None:
    error = refuse(response)
    assert not isinstance(error, GrantRefused)
    assert words in str(error)
    assert error.hint == "Nothing that is stored is lost: try again later."


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("invalid_grant", "mcp-remote-py login"),
        ("invalid_client", "--static-oauth-client-info"),
        ("invalid_scope", "--scope"),
        ("invalid_target", "--disable-resource-parameter"),
    ],
)
def test_next_step_of_each_refusal(code: str, hint: str) -> None:
    assert hint in refuse(answer({"error": code}, 400)).hint


def test_next_step_where_the_words_are_about_resource() -> None:
    words = "AADSTS9010010: The resource parameter doesn't match with the requested scopes."
    for body in (
        {"error": "invalid_request", "error_description": words},
        {"error": "invalid_request", "error_description": "unexpected parameter: resource"},
    ):
        assert "--disable-resource-parameter" in refuse(answer(body, 400)).hint


def refused_at(date: str, code: str, timed: bool) -> TokenError:
    body = json.dumps({"error": code}).encode()
    with pytest.raises(TokenError) as caught:
        parse_token_answer(HttpResponse(401, {"date": date}, body), NOW, timed=timed)
    return caught.value


TIMED = [("invalid_client", True), ("invalid_grant", True), ("invalid_request", True)]
PROOF = [("invalid_dpop_proof", False), ("invalid_dpop_proof", True)]


@pytest.mark.promise("P2", "A3")
@pytest.mark.parametrize(("code", "timed"), [*TIMED, *PROOF])
def test_a_clock_that_differs_is_told_where_it_may_be_the_reason(code: str, timed: bool) -> None:
    ahead = refused_at("Fri, 15 Jan 2027 08:10:00 GMT", code, timed)
    assert str(ahead).endswith("). Its clock is 600 seconds ahead of this machine's.")
    assert ahead.hint == "Set this machine's clock; if it is right, tell whoever runs that server."
    assert ahead.skew == 600
    behind = refused_at("Fri, 15 Jan 2027 07:58:30 GMT", code, timed)
    assert str(behind).endswith("). Its clock is 90 seconds behind this machine's.")


@pytest.mark.parametrize(
    ("date", "code", "timed"),
    [
        ("Fri, 15 Jan 2027 08:01:00 GMT", "invalid_client", True),  # may be the answer's way
        ("Fri, 15 Jan 2027 09:00:00 GMT", "invalid_client", False),  # a secret does not have a time
        ("Fri, 15 Jan 2027 09:00:00 GMT", "invalid_grant", False),
        ("Fri, 15 Jan 2027 09:00:00 GMT", "invalid_scope", True),
        ("", "invalid_client", True),
        ("soon", "invalid_client", True),
        ("Fri, 45 Foo 2027 99:99:99 GMT", "invalid_client", True),
        ("Fri, 15 Jan 2027 08:00:00 +0500", "invalid_client", True),  # HTTP has GMT alone
    ],
)
def test_else_no_clock_is_spoken_of(date: str, code: str, timed: bool) -> None:
    error = refused_at(date, code, timed)
    assert "clock" not in error.sentence()
    assert error.skew == 0


def test_a_date_that_no_calendar_has_is_not_a_skew() -> None:
    date = "Mon, 01 Jan 99999 00:00:00 GMT"
    assert measure_skew(HttpResponse(400, {"date": date}, b""), NOW) == 0


@given(st.text(max_size=40))
def test_any_date_is_a_skew_or_none(date: str) -> None:
    assert isinstance(measure_skew(HttpResponse(400, {"date": date}, b""), NOW), int)


@pytest.mark.promise("S2")
def test_what_was_sent_is_not_shown_when_the_server_repeats_it() -> None:
    secret = Secret("canary-code")
    for body in (
        {"error": "invalid_grant", "error_description": "no code canary-code here"},
        {"error": "canary-code"},
        b"canary-code is wrong",
        {"message": "canary-code"},
    ):
        error = refuse(answer(body, 400), (secret,))
        assert "canary" not in error.sentence()
        assert "****" in str(error)


def test_long_descriptions_are_cut() -> None:
    error = refuse(answer({"error": "invalid_grant", "error_description": "x" * 9999}, 400))
    assert len(str(error)) < 300
    assert shorten_without("y" * MAX_EXCERPT_LENGTH) == "y" * MAX_EXCERPT_LENGTH
    assert shorten_without("y" * (MAX_EXCERPT_LENGTH + 1)) == "y" * (MAX_EXCERPT_LENGTH - 1) + "…"


def test_where_begins_the_sentence() -> None:
    with pytest.raises(TokenError, match=r"^as\.example refused "):
        parse_token_answer(answer({"error": "invalid_grant"}, 400), NOW, where="as.example")


NAMES = ["access_token", "expires_in", "scope", "error", "error_description", "ok", "token_type"]
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    3600,
    1e300,
    "",
    "x",
    "3600",
    "a b",
    "\r\n\x1b",
    [],
    ["a"],
    {"m": 1},
]


@given(
    st.binary(max_size=100)
    | st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(
        lambda members: json.dumps(members).encode()
    ),
    st.integers(100, 599),
)
def test_any_answer_is_tokens_or_one_printable_sentence(body: bytes, status: int) -> None:
    try:
        tokens = parse_token_answer(HttpResponse(status, {}, body), NOW)
    except TokenError as error:
        sentence = error.sentence()
    else:
        sentence = "none"
        assert all(" " < character < "\x7f" for character in tokens.access_token.reveal())
        assert tokens.expires_at is None or NOW < tokens.expires_at <= NOW + MAX_LIFETIME
    assert sentence.isprintable()
    assert len(sentence) < 800


CREDENTIAL = Credential(
    "https://as.example.com", "https://as.example.com/token", Client("c", "static")
)


@pytest.mark.promise("A5", "L1")
@pytest.mark.parametrize(
    ("lifetime", "margin"), [(3600, 60), (600, 60), (599, 59.9), (60, 6), (10, 1), (1, 0.1)]
)
def test_margin_before_expiry(lifetime: float, margin: float) -> None:
    credential = CREDENTIAL._replace(obtained_at=NOW, expires_at=NOW + lifetime)
    due = NOW + lifetime - margin
    assert not needs_refresh(credential, NOW)
    assert not needs_refresh(credential, due - 0.01)
    assert needs_refresh(credential, due + 0.01)
    assert needs_refresh(credential, NOW + lifetime)
    assert needs_refresh(credential, NOW + 10 * lifetime)


def test_unknown_expiry_is_the_servers_to_tell() -> None:
    assert not needs_refresh(CREDENTIAL._replace(expires_at=None), NOW + 1e9)


def test_asking_whether_a_token_is_due_costs_no_authlib() -> None:
    code = (
        "import sys; from mcp_remote_py.oauth.tokens import needs_refresh; "
        "sys.exit('authlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
