"""The grants, request by request, against the RFCs and the servers that stray from them."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from mcp_remote_py.errors import Interrupted, McpRemoteError, NotSent, SignInFailed
from mcp_remote_py.oauth.dpop import make_key, thumbprint
from mcp_remote_py.oauth.grants import (
    AuthorizationRefused,
    SignInDenied,
    authorization_url,
    check_callback,
    exchange_code,
    make_random_text,
    refresh,
    request_tokens,
    revoke,
)
from mcp_remote_py.oauth.steps import (
    AnyStep,
    Callback,
    Client,
    Credential,
    Fetch,
    HttpRequest,
    HttpResponse,
    Proof,
    Report,
    Wait,
    drop_tokens,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.network import CONSENT_TIMEOUT, TOKEN_TIMEOUT
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.player import Script, play

NOW = 1_800_000_000.0
ISSUER = "https://as.example.com"
RESOURCE = "HTTPS://Mcp.Example.com:443/mcp/?x=%7e"
STATE = Secret("canary-state")
CODE = Secret("canary-code/+ =")
VERIFIER = Secret("canary-verifier-canary-verifier-canary-verifier")
NEW = Credential(
    issuer=ISSUER,
    token_endpoint="https://tokens.example.net/oauth/token?key=canary-key",
    client=Client("client-1", "registered"),
    redirect_uri="http://localhost:3334/oauth/callback",
    resource=RESOURCE,
    scope="read write",
    revocation_endpoint="https://tokens.example.net/revoke",
)
OLD = NEW._replace(
    access_token=Secret("canary-old-access"),
    refresh_token=Secret("canary-old-refresh"),
    id_token=Secret("canary-old-id"),
    obtained_at=NOW - 4000,
    expires_at=NOW - 400,
)
DEFAULT = SignInSettings()


def ok(**members: object) -> HttpResponse:
    body = {"access_token": "canary-new-access", "expires_in": 3600, **members}
    return HttpResponse(200, {"content-type": "application/json"}, json.dumps(body).encode())


def refusal(error: str, description: str = "", status: int = 400) -> HttpResponse:
    body = {"error": error, "error_description": description}
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(body).encode())


def request_of(step: AnyStep) -> HttpRequest:
    assert isinstance(step, Fetch)
    assert step.request.method == "POST"
    assert not step.follow_redirects
    headers = {name: value.reveal() for name, value in step.request.headers}
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Accept"] == "application/json"
    assert "canary" not in repr(step).replace("canary-key", "")
    return step.request


def form_of(step: AnyStep) -> dict[str, str]:
    body = request_of(step).body
    assert body is not None
    pairs = parse_qsl(body.reveal(), keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs)), "no parameter twice"
    return dict(pairs)


# Authorization request -----------------------------------------------------------------------


@pytest.mark.promise("A1")
def test_random_texts_are_unguessable_and_fit_pkce() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(256 - count, 256))

    text = make_random_text(random_bytes).reveal()
    assert asked == [32]
    assert len(text) == 43
    assert all(character.isalnum() or character in "-_" for character in text)


@pytest.mark.promise("A1", "A3")
def test_authorization_url_has_everything_once_and_unchanged() -> None:
    url = authorization_url(
        "https://as.example.com/authorize",
        NEW,
        state=STATE,
        verifier=VERIFIER,
        parameters=(("login_hint", "a@b.example"), ("prompt", "consent")),
    )
    challenge = hashlib.sha256(VERIFIER.reveal().encode()).digest()
    assert parse_qs(urlsplit(url).query, strict_parsing=True) == {
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": [NEW.redirect_uri],
        "state": [STATE.reveal()],
        "code_challenge": [base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()],
        "code_challenge_method": ["S256"],
        "scope": ["read write"],
        "resource": [RESOURCE],
        "login_hint": ["a@b.example"],
        "prompt": ["consent"],
    }
    assert VERIFIER.reveal() not in url


@pytest.mark.promise("A3")
@pytest.mark.report("O8")
def test_prompt_is_sent_unless_the_person_names_another() -> None:
    def prompt(chosen: str, *parameters: tuple[str, str]) -> list[str]:
        url = authorization_url(
            "https://a.example/",
            NEW,
            state=STATE,
            verifier=VERIFIER,
            parameters=parameters,
            prompt=chosen,
        )
        return parse_qs(urlsplit(url).query, keep_blank_values=True).get("prompt", [])

    assert prompt("consent") == ["consent"]
    assert prompt("consent", ("prompt", "login")) == ["login"]
    assert prompt("consent", ("prompt", "")) == [""]
    assert prompt("") == []


def test_nothing_is_sent_for_no_scope_and_no_resource() -> None:
    bare = NEW._replace(scope="", resource="")
    url = authorization_url("https://a.example/", bare, state=STATE, verifier=VERIFIER)
    assert not {"scope", "resource"} & parse_qs(urlsplit(url).query).keys()


@pytest.mark.parametrize(
    ("endpoint", "begin"),
    [
        ("https://a.example/x", "https://a.example/x?response_type="),
        ("https://a.example/x?", "https://a.example/x?response_type="),
        ("https://a.example/x?p=B2C%5f1 &q", "https://a.example/x?p=B2C%5f1 &q&response_type="),
        ("https://a.example/x?p=1&", "https://a.example/x?p=1&response_type="),
        ("https://a.example/x#top", "https://a.example/x?response_type="),
    ],
)
def test_query_of_the_endpoint_stays_byte_for_byte(endpoint: str, begin: str) -> None:
    url = authorization_url(endpoint, NEW, state=STATE, verifier=VERIFIER)
    assert url.startswith(begin)
    assert "#" not in url


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("response_type=code&p=B2C%5f1", "p=B2C%5f1&"),
        ("p=1&%73tate=x&q", "p=1&q&"),
        ("state=x", ""),
        ("login_hint=c&scope=z&resource=r&client_id=d&request=j", "request=j&"),
    ],
)
def test_what_the_endpoint_says_already_is_said_once_and_by_us(own: str, kept: str) -> None:
    url = authorization_url(
        f"https://a.example/x?{own}",
        NEW,
        state=STATE,
        verifier=VERIFIER,
        parameters=(("login_hint", "a@b.example"),),
    )
    assert url.startswith(f"https://a.example/x?{kept}response_type=code&client_id=client-1&")
    names = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
    assert len(set(names)) == len(names)


# Authorization response ----------------------------------------------------------------------


def callback(**parameters: str) -> Callback:
    return Callback({"state": STATE.reveal(), "code": CODE.reveal(), **parameters})


@pytest.mark.promise("A1")
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("iss", [ISSUER, "https://trusted.example"])
def test_code_of_a_fitting_response(required: bool, iss: str) -> None:
    trusted = ("https://trusted.example",)
    assert check_callback(callback(iss=iss), STATE, ISSUER, required, trusted) == CODE


@pytest.mark.promise("A1")
def test_iss_may_be_missing_where_it_is_not_promised() -> None:
    assert check_callback(callback(), STATE, ISSUER, False) == CODE
    with pytest.raises(McpRemoteError, match=r"iss is missing.*promises") as caught:
        check_callback(callback(), STATE, ISSUER, True)
    assert "tampered" in caught.value.hint


@pytest.mark.promise("A1", "S3")
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    "iss",
    [
        "",
        ISSUER + "/",
        "https://AS.example.com",
        "https://as.example.com:443",
        "https://as.example%2Ecom",
        "http://as.example.com",
        "https://canary-evil.example",
    ],
)
def test_no_other_spelling_of_iss_and_nothing_shown_of_such_a_response(
    required: bool, iss: str
) -> None:
    response = callback(iss=iss, error="access_denied", error_description="canary-words")
    with pytest.raises(McpRemoteError, match="iss does not match") as caught:
        check_callback(response, STATE, ISSUER, required, ("https://trusted.example",))
    assert not isinstance(caught.value, SignInDenied)
    assert "canary" not in caught.value.sentence()
    assert "access_denied" not in caught.value.sentence()
    assert "--trusted-issuer" in caught.value.hint


@pytest.mark.report("O16")
@pytest.mark.parametrize(
    ("issuer", "iss", "difference"),
    [
        (ISSUER, f"{ISSUER}/", "by a slash at the end"),
        (f"{ISSUER}/", ISSUER, "by a slash at the end"),
        (f"{ISSUER}/t1/", f"{ISSUER}/t1", "by a slash at the end"),
        (ISSUER, "https://AS.example.com", "in how the host is written"),
        (f"{ISSUER}/t1", "https://as.example.com:443/t1", "in how the host is written"),
        (f"{ISSUER}/t1", "http://as.example.com/t1", "by http for https"),
    ],
)
def test_another_spelling_of_the_issuer_is_refused_with_the_option_that_takes_it(
    issuer: str, iss: str, difference: str
) -> None:
    response = callback(iss=iss, error="access_denied", error_description="canary-words")
    with pytest.raises(SignInFailed) as caught:
        check_callback(response, STATE, issuer, True)
    assert caught.value.sentence() == (
        f"The answer of the sign-in comes from {iss}, and the metadata are of {issuer} (iss does "
        f"not match): they differ {difference}. If both are the same server, add --trusted-issuer "
        f"{iss} to the options, and tell whoever runs it."
    )
    assert check_callback(callback(iss=iss), STATE, issuer, True, (iss,)) == CODE


@pytest.mark.report("O16")
@pytest.mark.parametrize(
    "iss",
    [
        *("https://evil.example/", f"{ISSUER}//", f"{ISSUER}/t1", f"{ISSUER}.evil.example", ""),
        *("http://evil.example", "http://as.example.com:8080", "http://as.example.com/t1"),
    ],
)
def test_the_name_of_another_server_is_not_shown(iss: str) -> None:
    with pytest.raises(SignInFailed) as caught:
        check_callback(callback(iss=iss), STATE, ISSUER, True)
    assert caught.value.sentence() == (
        f"The answer of the sign-in comes from another server than {ISSUER} (iss does not match). "
        "If you know that both are the same, name the other with --trusted-issuer."
    )


@pytest.mark.promise("A1", "S3")
@pytest.mark.parametrize(
    "state", ["", "canary-stat", "canary-statf", "é", "\ud800", "canary-" * 99]
)
def test_wrong_state_is_another_sign_in_whatever_it_says(state: str) -> None:
    response = callback(state=state, iss=ISSUER, error="access_denied", error_description="canary")
    with pytest.raises(McpRemoteError, match="state does not match") as caught:
        check_callback(response, STATE, ISSUER, False)
    assert not isinstance(caught.value, SignInDenied)
    assert "canary" not in caught.value.sentence()
    assert "mcp-remote-py login" in caught.value.hint
    with pytest.raises(McpRemoteError, match="state does not match"):
        check_callback(Callback({"code": CODE.reveal()}), STATE, ISSUER, False)


@pytest.mark.promise("L1")
def test_denied_by_the_person() -> None:
    response = callback(error="access_denied", error_description="No\x1b[31m thanks")
    with pytest.raises(SignInDenied) as caught:
        check_callback(response, STATE, ISSUER, False)
    assert str(caught.value) == 'The sign-in was declined (access_denied, "No [31m thanks").'
    assert "mcp-remote-py login" in caught.value.hint


@pytest.mark.promise("L1")
@pytest.mark.parametrize(
    "error", ["authorization_declined", "user_cancelled_login", "user_denied", "Access Denied"]
)
def test_denied_by_the_person_in_the_words_of_vendors(error: str) -> None:
    with pytest.raises(SignInDenied, match="was declined"):
        check_callback(callback(error=error), STATE, ISSUER, False)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("invalid_scope", "--scope"),
        ("invalid_target", "--disable-resource-parameter"),
        ("temporarily_unavailable", "later"),
        ("anything", "login"),
    ],
)
def test_other_errors_of_the_authorization_endpoint(error: str, hint: str) -> None:
    with pytest.raises(AuthorizationRefused) as caught:
        check_callback(callback(error=error), STATE, ISSUER, False)
    assert str(caught.value) == f"The authorization server refused the sign-in ({error})."
    assert caught.value.error == error
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("error", "description", "hint"),
    [
        (
            "invalid_request",
            "AADSTS901002: The 'resource' request parameter is not supported.",
            "--disable-resource-parameter",
        ),
        ("invalid_request", "Unknown parameter: resource", "--disable-resource-parameter"),
        ("invalid_request", "AADSTS900144: The request must contain: 'scope'.", "--scope"),
        ("server_error", "AADSTS9010010: It does not match.", "--disable-resource-parameter"),
        ("invalid_request", "Ask the resource owner.", "login"),
    ],
)
def test_what_is_wrong_with_the_request_is_known_by_its_words(
    error: str, description: str, hint: str
) -> None:
    """Entra has one code for all that is wrong with a request."""
    response = callback(error=error, error_description=description)
    with pytest.raises(AuthorizationRefused) as caught:
        check_callback(response, STATE, ISSUER, False)
    assert hint in caught.value.hint


@pytest.mark.report("O3")
def test_an_empty_error_is_none() -> None:
    assert check_callback(callback(error=""), STATE, ISSUER, False) == CODE
    assert check_callback(callback(error_reason="none"), STATE, ISSUER, False) == CODE


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"error_description": "No seat left"}, '"No seat left"'),
        ({"error_code": "1349048", "error_message": "No app"}, '1349048, "No app"'),
        ({"error_reason": "no_app"}, "no_app"),
    ],
)
def test_an_error_in_other_members_is_told(members: dict[str, str], said: str) -> None:
    with pytest.raises(AuthorizationRefused) as caught:
        check_callback(callback(code="", **members), STATE, ISSUER, False)
    assert caught.value.sentence() == (
        f"The authorization server refused the sign-in ({said}). "
        "Sign in again: mcp-remote-py login URL."
    )
    denied = callback(code="", error_reason="user_denied", error_code="200")
    with pytest.raises(SignInDenied):
        check_callback(denied, STATE, ISSUER, False)


@pytest.mark.parametrize("response", [callback(code=""), Callback({"state": STATE.reveal()})])
def test_response_without_a_code(response: Callback) -> None:
    with pytest.raises(McpRemoteError, match="without a code") as caught:
        check_callback(response, STATE, ISSUER, False)
    assert caught.value.hint


# Code exchange -------------------------------------------------------------------------------


@pytest.mark.promise("A1", "A3")
def test_code_is_exchanged_for_a_credential() -> None:
    script = Script(ok(refresh_token="canary-new-refresh", id_token="x.y.z", scope=["read"]))
    credential = play(exchange_code(NEW, CODE, VERIFIER, NOW), script)
    assert credential == NEW._replace(
        access_token=Secret("canary-new-access"),
        refresh_token=Secret("canary-new-refresh"),
        id_token=Secret("x.y.z"),
        scope="read",
        obtained_at=NOW,
        expires_at=NOW + 3600,
    )
    assert request_of(script.steps[0]).url == NEW.token_endpoint
    assert form_of(script.steps[0]) == {
        "grant_type": "authorization_code",
        "code": CODE.reveal(),
        "redirect_uri": NEW.redirect_uri,
        "code_verifier": VERIFIER.reveal(),
        "resource": RESOURCE,
        "client_id": "client-1",
    }


@pytest.mark.report("O6")
def test_what_cannot_be_had_again_has_the_longer_time() -> None:
    patience: list[float | None] = []

    def answer(step: AnyStep) -> object:
        if isinstance(step, Fetch):
            patience.append(step.patience)
            return ok()
        return None

    play(exchange_code(NEW, CODE, VERIFIER, NOW), answer)
    play(refresh(OLD, DEFAULT, NOW), answer)
    play(request_tokens(NEW, "client_credentials", {}, NOW), answer)
    play(revoke(OLD), answer)
    assert patience == [CONSENT_TIMEOUT, TOKEN_TIMEOUT, TOKEN_TIMEOUT, None, None]


def test_no_resource_and_scope_as_asked() -> None:
    script = Script(ok(expires_in=None))
    credential = play(exchange_code(NEW._replace(resource=""), CODE, VERIFIER, NOW), script)
    assert "resource" not in form_of(script.steps[0])
    assert credential.scope == "read write"
    assert credential.expires_at is None


BOUND = NEW._replace(dpop_key=make_key("ES256"))
WANTS_NONCE = HttpResponse(
    400,
    {"content-type": "application/json", "dpop-nonce": "nonce-1"},
    b'{"error":"use_dpop_nonce"}',
)


def proof_in(step: AnyStep) -> Proof:
    proof = request_of(step).proof
    assert proof is not None
    assert proof.key == BOUND.dpop_key
    return proof


@pytest.mark.promise("A3")
def test_tokens_are_bound_to_the_key() -> None:
    script = Script(ok(token_type="dPoP", refresh_token="canary-new-refresh"))
    credential = play(exchange_code(BOUND, CODE, VERIFIER, NOW), script)
    assert proof_in(script.steps[0]).nonce == ""
    assert (credential.token_type, credential.dpop_key) == ("DPoP", BOUND.dpop_key)
    script = Script(ok(token_type="DPoP"))
    assert play(refresh(credential, DEFAULT, NOW), script).dpop_key == BOUND.dpop_key
    assert proof_in(script.steps[0]).nonce == ""


@pytest.mark.promise("A3")
def test_bearer_tokens_are_taken_where_the_proof_was_ignored() -> None:
    credential = play(exchange_code(BOUND, CODE, VERIFIER, NOW), Script(ok(token_type="Bearer")))
    assert credential.token_type == "Bearer"


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (401, {"www-authenticate": 'DPoP error="use_dpop_nonce"'}, b""),
        (400, {}, b'{"error": "USE_DPOP_NONCE"}'),
    ],
)
def test_a_nonce_may_be_wanted_in_other_words(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    wants = HttpResponse(status, {**headers, "dpop-nonce": "nonce-1"}, body)
    script = Script(wants, ok(token_type="DPoP"))
    assert play(exchange_code(BOUND, CODE, VERIFIER, NOW), script).token_type == "DPoP"
    assert [proof_in(step).nonce for step in script.steps] == ["", "nonce-1"]


@pytest.mark.promise("A3", "L5")
def test_the_servers_nonce_is_sent_once_and_with_another_proof_of_the_client() -> None:
    proofs = iter(({"client_assertion": "first"}, {"client_assertion": "second"}))
    script = Script(WANTS_NONCE, ok(token_type="DPoP"))
    answer = play(
        request_tokens(BOUND, "client_credentials", {"scope": "x"}, NOW, lambda: next(proofs)),
        script,
    )
    assert answer.token_type == "DPoP"
    assert [form_of(step)["client_assertion"] for step in script.steps] == ["first", "second"]
    assert [proof_in(step).nonce for step in script.steps] == ["", "nonce-1"]
    with pytest.raises(TokenError, match="use_dpop_nonce"):
        play(exchange_code(BOUND, CODE, VERIFIER, NOW), Script(WANTS_NONCE, WANTS_NONCE))


CONSENT_IS_GONE = "A consent is good for one request. Sign in again later: mcp-remote-py login URL."


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (WANTS_NONCE._replace(headers={}), CONSENT_IS_GONE),
        (WANTS_NONCE._replace(status=500), CONSENT_IS_GONE),
        (
            WANTS_NONCE._replace(body=b'{"error":"invalid_dpop_proof"}'),
            "Check this machine's clock.",
        ),
    ],
)
def test_any_other_refusal_of_a_proof_is_the_answer(answer: HttpResponse, hint: str) -> None:
    with pytest.raises(TokenError) as caught:
        play(exchange_code(BOUND, CODE, VERIFIER, NOW), Script(answer))
    assert caught.value.hint == hint


@pytest.mark.promise("A3")
def test_a_nonce_is_nothing_to_a_client_without_a_key() -> None:
    with pytest.raises(TokenError, match="use_dpop_nonce"):
        play(exchange_code(NEW, CODE, VERIFIER, NOW), Script(WANTS_NONCE))


@pytest.mark.promise("A3")
def test_the_code_is_bound_to_the_key_before_there_is_one() -> None:
    url = authorization_url("https://as.example.com/a", BOUND, state=STATE, verifier=VERIFIER)
    query = dict(parse_qsl(urlsplit(url).query))
    assert BOUND.dpop_key is not None
    assert query["dpop_jkt"] == thumbprint(BOUND.dpop_key)


@pytest.mark.promise("S2", "L1")
@pytest.mark.parametrize(
    "response",
    [
        refusal("invalid_grant", "code canary-code/+ = or canary-code%2F%2B%20%3D is used"),
        refusal("invalid_target", "resource is canary-verifier-canary-verifier-canary-verifier"),
        refusal("server_error", "canary-secret", 500),
        HttpResponse(500, {}, b"canary-secret"),
    ],
)
def test_code_is_sent_once_and_never_shown(response: HttpResponse) -> None:
    client = Client("id", "static", Secret("canary-secret"), "client_secret_post")
    script = Script(response)
    with pytest.raises(TokenError) as caught:
        play(exchange_code(NEW._replace(client=client), CODE, VERIFIER, NOW), script)
    assert len(script.steps) == 1
    assert "canary" not in caught.value.sentence()
    assert "https://tokens.example.net/oauth/token?key=****" in str(caught.value)


@pytest.mark.promise("P2")
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
def test_a_document_that_is_refused_is_named_with_what_to_check(code: str) -> None:
    client = Client("https://me.example/client.json", "document")
    script = Script(HttpResponse(400, {}, json.dumps({"error": code}).encode()))
    with pytest.raises(GrantRefused) as caught:
        play(exchange_code(NEW._replace(client=client), CODE, VERIFIER, NOW), script)
    assert caught.value.hint == (
        "Check that whoever runs that server can read the document of --client-metadata-url, that "
        "its client_id is https://me.example/client.json to the letter, and that its redirect_uris "
        f"list {NEW.redirect_uri}."
    )


def test_lost_answer_passes_through() -> None:
    with pytest.raises(Interrupted):
        play(exchange_code(NEW, CODE, VERIFIER, NOW), Script(Interrupted("lost")))


def busy(wait: str) -> HttpResponse:
    return HttpResponse(429, {"retry-after": wait}, b"")


@pytest.mark.report("O27")
def test_a_moment_is_waited_for_once() -> None:
    script = Script(busy("3"), None, ok())
    play(exchange_code(NEW, CODE, VERIFIER, NOW), script)
    assert script.steps[1] == Wait(3.0)
    assert form_of(script.steps[0]) == form_of(script.steps[2])
    for status in (425, 503):
        script = Script(busy("1")._replace(status=status), None, ok())
        play(exchange_code(NEW, CODE, VERIFIER, NOW), script)
    script = Script(busy("3"), None, busy("3"))
    with pytest.raises(TokenError) as caught:
        play(refresh(OLD, DEFAULT, NOW), script)
    assert caught.value.retry_after == 3
    assert len(script.steps) == 3


@pytest.mark.report("O27")
@pytest.mark.parametrize("response", [busy("6"), busy("soon"), busy("3")._replace(status=502)])
def test_a_code_is_not_sent_again_later(response: HttpResponse) -> None:
    script = Script(response)
    with pytest.raises(TokenError):
        play(exchange_code(NEW, CODE, VERIFIER, NOW), script)
    assert len(script.steps) == 1


def led(location: str) -> HttpResponse:
    return HttpResponse(308, {"location": location}, b"")


@pytest.mark.report("O4")
def test_a_code_and_its_proof_are_led_on_within_the_origin() -> None:
    script = Script(led("/oauth/token/"), ok())
    play(exchange_code(BOUND, CODE, VERIFIER, NOW), script)
    assert request_of(script.steps[1]).url == "https://tokens.example.net/oauth/token/"
    assert form_of(script.steps[0]) == form_of(script.steps[1])
    assert proof_in(script.steps[1]) == proof_in(script.steps[0])


@pytest.mark.report("O4")
def test_a_code_is_not_led_elsewhere_and_the_address_is_named() -> None:
    script = Script(led("https://evil.example/token?key=canary"))
    with pytest.raises(TokenError) as caught:
        play(exchange_code(NEW, CODE, VERIFIER, NOW), script)
    assert len(script.steps) == 1
    assert caught.value.sentence() == (
        "The token endpoint https://tokens.example.net/oauth/token?key=**** gave no token "
        "(HTTP 308: it redirects to https://evil.example/token?key=****, which is not followed). "
        "Tell whoever runs that server: its metadata must name the address itself."
    )


# Client authentication -----------------------------------------------------------------------


@pytest.mark.promise("A2")
@pytest.mark.parametrize("secret", [None, Secret("s:e/c r+é")])
def test_client_secret_basic_is_form_encoded(secret: Secret | None) -> None:
    client = Client("https://me/?a b:é", "static", secret, "client_secret_basic")
    script = Script(ok())
    play(exchange_code(NEW._replace(client=client), CODE, VERIFIER, NOW), script)
    headers = dict(request_of(script.steps[0]).headers)
    kind, _, value = headers["Authorization"].reveal().partition(" ")
    text = base64.b64decode(value).decode()
    password = "" if secret is None else "s%3Ae%2Fc%20r%2B%C3%A9"
    assert (kind, text) == ("Basic", f"https%3A%2F%2Fme%2F%3Fa%20b%3A%C3%A9:{password}")
    assert not {"client_id", "client_secret"} & form_of(script.steps[0]).keys()


@pytest.mark.promise("A2")
def test_client_secret_post() -> None:
    client = Client("i d", "static", Secret("s:e/c r+é"), "client_secret_post")
    script = Script(ok())
    play(exchange_code(NEW._replace(client=client), CODE, VERIFIER, NOW), script)
    form = form_of(script.steps[0])
    assert (form["client_id"], form["client_secret"]) == ("i d", "s:e/c r+é")
    assert "Authorization" not in dict(request_of(script.steps[0]).headers)


def test_other_methods_are_named() -> None:
    client = Client("id", "static", Secret("x"), "private\nkey_jwt")
    with pytest.raises(McpRemoteError, match="private key_jwt, which is not supported") as caught:
        play(exchange_code(NEW._replace(client=client), CODE, VERIFIER, NOW), Script())
    assert "token_endpoint_auth_method" in caught.value.hint


# Refresh -------------------------------------------------------------------------------------


@pytest.mark.promise("A5", "L1")
def test_refresh_names_the_resource_and_keeps_what_is_not_replaced() -> None:
    script = Script(ok())
    credential = play(refresh(OLD, DEFAULT, NOW), script)
    assert form_of(script.steps[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "canary-old-refresh",
        "resource": RESOURCE,
        "scope": "read write",
        "client_id": "client-1",
    }
    assert credential == OLD._replace(
        access_token=Secret("canary-new-access"), obtained_at=NOW, expires_at=NOW + 3600
    )


@pytest.mark.promise("A5")
def test_refresh_takes_what_is_new() -> None:
    answer = ok(refresh_token="canary-r2", id_token="canary-i2", scope="read", expires_in=None)
    credential = play(refresh(OLD, DEFAULT, NOW), Script(answer))
    assert credential.refresh_token == Secret("canary-r2")
    assert credential.id_token == Secret("canary-i2")
    assert credential.scope == "read"
    assert credential.expires_at is None


def test_refresh_without_resource_where_the_person_says_so() -> None:
    script = Script(ok())
    play(refresh(OLD, SignInSettings(send_resource=False), NOW), script)
    assert "resource" not in form_of(script.steps[0])


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    "response",
    [
        refusal("invalid_target"),
        refusal("invalid_resource", "AADSTS500011: not found"),
        refusal("invalid_request", "Unknown parameter: Resource"),
        refusal("", "body.resource: Extra inputs are not permitted", 422),
        refusal("invalid_request", "AADSTS901002: The 'resource' request parameter is no"),
        refusal("invalid_grant", "AADSTS9010010: The resource parameter doesn't match"),
        refusal("invalid_client", "AADSTS650053: asked for a scope that doesn't exist"),
        refusal("invalid_request", "AADSTS900144: The request body must contain: 'scope'"),
    ],
)
def test_refresh_once_more_without_a_refused_resource(response: HttpResponse) -> None:
    script = Script(response, ok())
    credential = play(refresh(OLD, DEFAULT, NOW), script)
    assert "resource" in form_of(script.steps[0])
    assert form_of(script.steps[1]) == {
        "grant_type": "refresh_token",
        "refresh_token": "canary-old-refresh",
        "scope": "read write",
        "client_id": "client-1",
    }
    assert credential.access_token == Secret("canary-new-access")
    assert credential.resource == ""
    with pytest.raises(TokenError):
        play(refresh(OLD, DEFAULT, NOW), Script(response, response))


@pytest.mark.promise("A3", "A5")
@pytest.mark.report("O7")
def test_refresh_names_the_scope_that_was_granted_and_leaves_it_out_where_it_is_refused() -> None:
    script = Script(ok(scope="read"))
    granted = play(refresh(OLD, DEFAULT, NOW), script)
    assert form_of(script.steps[0])["scope"] == "read write"
    script = Script(refusal("invalid_scope"), ok())
    without = play(refresh(granted, DEFAULT, NOW), script)
    assert form_of(script.steps[0])["scope"] == "read"
    assert "scope" not in form_of(script.steps[1])
    assert form_of(script.steps[1])["resource"] == RESOURCE
    assert (without.scope, without.scope_refused) == ("read", True)
    script = Script(ok())
    assert play(refresh(without, DEFAULT, NOW), script).scope_refused, "remembered"
    assert "scope" not in form_of(script.steps[0])
    assert not drop_tokens(without).scope_refused


@pytest.mark.promise("A5")
@pytest.mark.report("O7")
@pytest.mark.parametrize(
    ("code", "words", "is_about_scope"),
    [
        ("invalid_request", "scope is not allowed for refresh", True),
        ("invalid_request", "Unknown parameter: scope", True),
        ("invalid_grant", "The scope does not match", True),
        ("invalid_grant", "scope mismatch", True),
        ("", "body.scope: Extra inputs are not permitted", True),
        ("invalid_grant", "Requested scopes exceed the original grant", True),
        ("invalid_request", "This is out of the scope of the API", False),
        ("invalid_grant", "The token has expired", False),
        ("unauthorized_client", "scope is not allowed", False),
        ("invalid_request", f"{'scope ' * 200}is not allowed", False),  # long ones cost turns
    ],
)
def test_a_scope_may_be_refused_in_other_words(code: str, words: str, is_about_scope: bool) -> None:
    refused = refusal(code, words)
    script = Script(refused, *([ok()] if is_about_scope else []))
    if is_about_scope:
        assert play(refresh(OLD, DEFAULT, NOW), script).scope_refused
        assert "scope" not in form_of(script.steps[1])
        return
    with pytest.raises(TokenError):
        play(refresh(OLD, DEFAULT, NOW), script)
    assert script.is_done


@pytest.mark.promise("A3", "L1")
@pytest.mark.report("O7")
@pytest.mark.parametrize(
    ("credential", "refusals"),
    [
        (OLD, [refusal("invalid_scope")] * 2),
        (OLD, [refusal("invalid_scope"), refusal("invalid_target")]),
        (OLD, [refusal("invalid_target"), refusal("invalid_scope")]),
        (OLD._replace(scope=""), [refusal("invalid_scope")]),
        (OLD._replace(scope_refused=True), [refusal("invalid_scope")]),
    ],
)
def test_refresh_is_asked_for_twice_at_most(
    credential: Credential, refusals: list[HttpResponse]
) -> None:
    script = Script(*refusals)
    with pytest.raises(TokenError):
        play(refresh(credential, DEFAULT, NOW), script)
    assert script.is_done


@pytest.mark.promise("A3")
@pytest.mark.report("O7")
def test_scope_that_tells_the_audience_is_named_where_it_was_refused_before() -> None:
    script = Script(refusal("invalid_request", "AADSTS900144: must contain: 'scope'"), ok())
    credential = play(refresh(OLD._replace(scope_refused=True), DEFAULT, NOW), script)
    assert form_of(script.steps[1])["scope"] == "read write"
    assert not credential.scope_refused


@pytest.mark.promise("A5", "L1")
@pytest.mark.parametrize(
    ("credential", "response", "definite"),
    [
        (OLD, refusal("invalid_grant", "the resource owner is gone"), True),
        (OLD, refusal("invalid_client"), True),
        (OLD, refusal("invalid_request", "grant_type"), False),
        (OLD, refusal("temporarily_unavailable", "", 503), False),
        (OLD, refusal("", "The requested resource was not found", 404), False),
        (OLD, refusal("", "Resource could not be found", 404), False),
        (OLD, HttpResponse(502, {}, b"<html>bad gateway for resource</html>"), False),
        (OLD._replace(resource="", scope=""), refusal("invalid_target"), False),
    ],
)
def test_refresh_refused_is_not_repeated(
    credential: Credential, response: HttpResponse, definite: bool
) -> None:
    script = Script(response)
    with pytest.raises(TokenError) as caught:
        play(refresh(credential, DEFAULT, NOW), script)
    assert len(script.steps) == 1
    assert isinstance(caught.value, GrantRefused) is definite


def test_nothing_is_asked_without_a_refresh_token() -> None:
    with pytest.raises(TokenError, match="gave no refresh token") as caught:
        play(refresh(OLD._replace(refresh_token=None), DEFAULT, NOW), Script())
    assert "mcp-remote-py login" in caught.value.hint


# Revocation ----------------------------------------------------------------------------------


def test_both_tokens_are_revoked_the_refresh_token_first() -> None:
    script = Script(HttpResponse(200, {}, b""), HttpResponse(200, {}, b""))
    play(revoke(OLD), script)
    assert [form_of(step) for step in script.steps] == [
        {"token": token, "token_type_hint": kind, "client_id": "client-1"}
        for kind, token in (
            ("refresh_token", "canary-old-refresh"),
            ("access_token", "canary-old-access"),
        )
    ]
    assert {request_of(step).url for step in script.steps} == {OLD.revocation_endpoint}


@pytest.mark.report("O4")
def test_a_revocation_is_led_on_and_else_the_address_is_named() -> None:
    there = HttpResponse(200, {}, b"")
    script = Script(led("/revoke/"), there, led("https://evil.example/r"), None)
    play(revoke(OLD), script)
    assert request_of(script.steps[1]).url == f"{OLD.revocation_endpoint}/"
    (report,) = [step.text for step in script.steps if isinstance(step, Report)]
    assert report == (
        "The access token was not revoked: HTTP 308 from https://tokens.example.net/revoke, which "
        "redirects to https://evil.example/r. It ends when it expires."
    )


def test_nothing_to_revoke_and_nowhere() -> None:
    play(revoke(NEW), Script())
    play(revoke(OLD._replace(revocation_endpoint="")), Script())


@pytest.mark.promise("S2")
def test_tokens_are_not_revoked_at_another_servers_address() -> None:
    """Anybody can write a document that names it; a token sent there would be theirs."""
    astray = OLD._replace(revocation_endpoint="https://evil.example/revoke")
    script = Script(None)
    play(revoke(astray), script)
    (report,) = script.steps
    assert isinstance(report, Report)
    assert report.text.startswith(
        "The tokens are not revoked: https://evil.example/revoke does not belong to the server "
        "that gave them, https://tokens.example.net/oauth/token"
    )
    assert report.text.endswith("They end when they expire.")


def test_failed_revocation_is_only_reported() -> None:
    script = Script(
        NotSent("No route.", hint="Try later."), None, HttpResponse(503, {}, b"x"), None
    )
    play(revoke(OLD), script)
    assert script.is_done
    reports = [step.text for step in script.steps if isinstance(step, Report)]
    assert reports == [
        "The refresh token could not be revoked: No route. Try later.",
        "The access token was not revoked: HTTP 503 from https://tokens.example.net/revoke. "
        "It ends when it expires.",
    ]


@pytest.mark.parametrize("body", [b"", b"OK", b"{}", b"<p>Done</p>", b'{"ok": true}'])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_good_status_is_a_revocation_whatever_it_says(status: int, body: bytes) -> None:
    done = HttpResponse(status, {}, body)
    script = Script(done, done)
    play(revoke(OLD), script)
    assert not [step for step in script.steps if isinstance(step, Report)]


def test_a_good_status_with_an_error_is_not() -> None:
    failed = HttpResponse(200, {}, b'{"ok": false, "error": "not_authed"}')
    script = Script(failed, None, failed, None)
    play(revoke(OLD), script)
    assert len([step for step in script.steps if isinstance(step, Report)]) == 2


# Credentials ---------------------------------------------------------------------------------


def test_without_tokens_the_client_stays() -> None:
    assert drop_tokens(OLD) == NEW
