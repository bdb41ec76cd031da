"""A client is sent in each way that servers read, once each, and what worked stays."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl

import pytest

from mcp_remote_py.errors import Interrupted, NotSent
from mcp_remote_py.oauth.client_authentication import (
    AUTHENTICATIONS,
    CLIENT_REFUSALS,
    MAX_AUTHENTICATIONS,
    other_authentications,
    refuses_client,
    remember_authentication,
)
from mcp_remote_py.oauth.device import ask_by_code
from mcp_remote_py.oauth.document import MAX_POST_REDIRECTS
from mcp_remote_py.oauth.dpop import make_key
from mcp_remote_py.oauth.grants import exchange_code, refresh, revoke
from mcp_remote_py.oauth.steps import (
    AnyStep,
    Client,
    Credential,
    Fetch,
    HttpRequest,
    HttpResponse,
    Report,
)
from mcp_remote_py.oauth.token_exchange import MAX_TOKEN_REQUESTS
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.player import play
from tests.oauth.web import document

pytestmark = pytest.mark.report("O9")

NOW = 1_800_000_000.0
ENDPOINT = "https://as.example.com/token"
ID, SECRET = "id/+=1", "canary/Q+x=="
BASIC = Client(ID, "static", Secret(SECRET), "client_secret_basic")
PLAIN = BASIC._replace(plain_basic=True)
POST = BASIC._replace(token_endpoint_auth_method="client_secret_post")
NONE = BASIC._replace(token_endpoint_auth_method="none")
CREDENTIAL = Credential(
    "https://as.example.com",
    ENDPOINT,
    BASIC,
    redirect_uri="http://localhost:3334/oauth/callback",
    resource="https://mcp.example.com/mcp",
    scope="read",
    refresh_token=Secret("canary-refresh"),
    access_token=Secret("canary-access"),
    revocation_endpoint="https://as.example.com/revoke",
)
TOKENS = document({"access_token": "canary-new", "expires_in": 60})
INVALID_CLIENT = document({"error": "invalid_client"}, 401)


def read_client(request: HttpRequest) -> str:
    """The way in which a request has the client."""
    headers = {name.lower(): value.reveal() for name, value in request.headers}
    assert request.body is not None
    form = dict(parse_qsl(request.body.reveal()))
    if "authorization" in headers:
        assert "client_secret" not in form
        text = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        assert text in (f"{ID}:{SECRET}", "id%2F%2B%3D1:canary%2FQ%2Bx%3D%3D")
        return "plain" if text == f"{ID}:{SECRET}" else "basic"
    assert form["client_id"] == ID
    return "post" if form.get("client_secret") == SECRET else "none"


class Endpoint:
    """Knows the client in one way, and answers others by `refusal`."""

    def __init__(self, way: str, refusal: HttpResponse = INVALID_CLIENT) -> None:
        self.way = way
        self.refusal = refusal
        self.answer: object = TOKENS
        self.ways: list[str] = []
        self.reports: list[str] = []

    def __call__(self, step: AnyStep) -> object:
        if isinstance(step, Report):
            self.reports.append(step.text)
            return None
        if not isinstance(step, Fetch):
            return None
        self.ways.append(read_client(step.request))
        return self.answer if self.ways[-1] == self.way else self.refusal

    def exchange(self, client: Client) -> Credential:
        credential = CREDENTIAL._replace(client=client)
        return play(exchange_code(credential, Secret("code"), Secret("verifier"), NOW), self)

    def refresh(self, credential: Credential) -> Credential:
        return play(refresh(credential, SignInSettings(), NOW), self)


@pytest.mark.parametrize(
    ("client", "order"),
    [
        (BASIC, ["basic", "plain", "post"]),
        (PLAIN, ["plain", "basic", "post"]),
        (POST, ["post", "basic", "plain"]),
        (NONE, ["none", "post", "basic", "plain"]),
    ],
)
@pytest.mark.parametrize("way", ["basic", "plain", "post"])
def test_each_way_is_tried_once_and_the_one_that_works_is_kept(
    client: Client, order: list[str], way: str
) -> None:
    endpoint = Endpoint(way)
    credential = endpoint.exchange(client)
    assert endpoint.ways == order[: order.index(way) + 1]
    assert credential.client.client_secret == Secret(SECRET)
    assert len(endpoint.reports) == (len(endpoint.ways) > 1), "said once"
    again = Endpoint(way)
    again.refresh(credential._replace(refresh_token=Secret("canary-refresh")))
    assert again.ways == [way]
    assert again.reports == []


def test_a_person_reads_what_is_used_from_now_on() -> None:
    endpoint = Endpoint("post")
    endpoint.exchange(BASIC)
    assert endpoint.reports == [
        f"{ENDPOINT} does not know the client by Basic: it is sent in the body from now on."
    ]


def test_what_is_not_known_in_any_way_is_told_with_all_of_them() -> None:
    endpoint = Endpoint("never")
    with pytest.raises(GrantRefused) as caught:
        endpoint.exchange(BASIC)
    assert endpoint.ways == ["basic", "plain", "post"]
    assert caught.value.sentence() == (
        f"The token endpoint {ENDPOINT} refused (HTTP 401: invalid_client). The client was sent by "
        "Basic, by Basic without its encoding and in the body. Check --static-oauth-client-info; a "
        "client we registered ourselves is replaced."
    )


def test_ways_that_look_the_same_are_one() -> None:
    simple = Client("abc", "static", Secret("def-1.2_3~"), "client_secret_basic")
    assert [one.token_endpoint_auth_method for one in other_authentications(simple)] == [
        "client_secret_post"
    ]
    assert other_authentications(Client("abc", "static")) == ()
    by_key = Client("abc", "static", None, "private_key_jwt")
    assert other_authentications(by_key) == ()


@pytest.mark.parametrize(
    ("answer", "is_refused"),
    [
        (INVALID_CLIENT, True),
        (document({"error": "invalid_client"}, 400), True),
        (document({"error": "incorrect_client_credentials"}, 200), True),
        (document({"error": "unauthorized_client"}, 401), True),
        (document({"error": "unauthorized_client"}, 400), False),
        (document({"error": "invalid_request", "error_description": "client_id missing"}), False),
        (
            document({"error": "invalid_request", "error_description": "Missing client_id"}, 400),
            True,
        ),
        (document({"error": "invalid_request"}, 400), False),
        (HttpResponse(401, {"www-authenticate": "Basic"}, b""), True),
        (document({"message": "Unauthorized"}, 401), True),
        (document({"message": "client_secret is required"}, 400), True),
        (document({"detail": [{"loc": ["body", "client_id"], "msg": "missing"}]}, 422), True),
        (document({"error": "Unauthorized", "message": "Bad credentials"}, 401), True),
        (document({"error": "Unauthorized", "message": "Refresh token expired"}, 401), False),
        (
            document(
                {"error": "unauthorized_client", "error_description": "Bad client credentials"}, 400
            ),
            True,
        ),
        (document({"error": "access_denied", "error_description": "Unauthorized"}, 401), True),
        (document({"error": "access_denied", "error_description": "No"}, 403), False),
        (document({"error": "request_unauthorized"}, 401), True),
        (document({"error": "Bad credentials"}, 401), True),
        (document({"error": "invalid_client_credentials"}, 400), True),
        (document({"error": "client_not_found"}, 404), True),
        (document({"error": "invalid_request", "message": "client_id: missing"}, 422), True),
        (document({"error": "invalid_request", "message": "Unknown client"}, 400), True),
        (document({"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"}, 400), True),
        (document({"message": "nope"}, 400), False),
        (HttpResponse(400, {}, b"client_id missing"), True),
        (HttpResponse(400, {}, b"invalid_client"), True),
        (HttpResponse(401, {}, b"Refresh token expired"), False),
        (HttpResponse(400, {}, b"<p>client_id missing"), False),
        (HttpResponse(400, {}, b"code_verifier missing"), False),
        (document({"error": "invalid_grant"}, 401), False),
        (document({"error": "invalid_client"}, 503), False),
        (document({"error": "invalid_client"}, 429), False),
        (TOKENS, False),
    ],
)
def test_a_refusal_is_about_the_client_or_not(answer: HttpResponse, is_refused: bool) -> None:
    assert refuses_client(answer) is is_refused


@pytest.mark.parametrize("secret", ["passwort-für-alle", "пароль", "a€"])
def test_a_secret_in_any_letters_is_sent_as_its_bytes_in_utf8(secret: str) -> None:
    sent: list[str] = []

    def refuse(step: AnyStep) -> object:
        assert isinstance(step, Fetch)
        headers = {name.lower(): value.reveal() for name, value in step.request.headers}
        sent.append(headers.get("authorization", ""))
        return INVALID_CLIENT

    client = BASIC._replace(client_id="id", client_secret=Secret(secret))
    credential = CREDENTIAL._replace(client=client)
    with pytest.raises(TokenError):
        play(exchange_code(credential, Secret("code"), Secret("verifier"), NOW), refuse)
    encoded = "".join(f"%{byte:02X}" if byte > 127 else chr(byte) for byte in secret.encode())
    assert [base64.b64decode(one.removeprefix("Basic ")).decode() for one in sent] == [
        f"id:{encoded}",
        f"id:{secret}",
        "",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        document({"error": "invalid_grant"}, 400),
        HttpResponse(503, {}, b""),
        NotSent("No route."),
        Interrupted("Lost."),
    ],
)
def test_once_it_is_known_or_silent_nothing_more_is_asked(answer: object) -> None:
    endpoint = Endpoint("plain")
    endpoint.answer = answer
    with pytest.raises((TokenError, NotSent, Interrupted)) as caught:
        endpoint.exchange(BASIC)
    assert endpoint.ways == ["basic", "plain"]
    assert "invalid_client" not in str(caught.value)


def test_a_way_that_is_refused_for_its_form_is_not_a_verdict_of_its_own() -> None:
    bad = document({"error": "invalid_request", "error_description": "Use one way."}, 400)

    def answer(step: AnyStep) -> object:
        assert isinstance(step, Fetch)
        return bad if read_client(step.request) == "post" else INVALID_CLIENT

    with pytest.raises(GrantRefused, match="invalid_client"):
        play(exchange_code(CREDENTIAL, Secret("code"), Secret("verifier"), NOW), answer)


def test_a_way_that_is_refused_without_a_reason_leaves_it_open_who_is_not_known() -> None:
    def answer(step: AnyStep) -> object:
        assert isinstance(step, Fetch)
        silent = document({"message": "Not possible."}, 400)
        return silent if read_client(step.request) == "post" else INVALID_CLIENT

    with pytest.raises(TokenError, match="Not possible") as caught:
        play(exchange_code(CREDENTIAL, Secret("code"), Secret("verifier"), NOW), answer)
    assert not isinstance(caught.value, GrantRefused)


def test_one_exchange_has_a_bound_whatever_is_answered() -> None:
    bound = CREDENTIAL._replace(client=NONE, dpop_key=make_key("ES256"))
    nonce = HttpResponse(400, {"dpop-nonce": "n"}, b'{"error": "use_dpop_nonce"}')
    busy = HttpResponse(429, {"retry-after": "1"}, b"")
    target = document({"error": "invalid_target"}, 400)
    for answers in (
        [busy, nonce, *[INVALID_CLIENT] * 3, target, nonce],
        [*[INVALID_CLIENT] * 3, busy, nonce, target, busy],
        [busy] * 9,
        [INVALID_CLIENT] * 9,
        [nonce] * 9,
        [target] * 9,
    ):
        left, count = list(answers), 0

        def answer(step: AnyStep) -> object:
            nonlocal count
            if not isinstance(step, Fetch):
                return None
            count += 1
            return left.pop(0)  # noqa: B023 - played at once

        with pytest.raises(TokenError):
            play(refresh(bound, SignInSettings(), NOW), answer)
        assert count <= MAX_TOKEN_REQUESTS
    assert MAX_AUTHENTICATIONS == 4
    assert MAX_TOKEN_REQUESTS == 7


@pytest.mark.report("O4", "O9")
def test_what_is_led_on_is_led_on_once_in_an_exchange() -> None:
    bound = CREDENTIAL._replace(client=NONE, dpop_key=make_key("ES256"))
    asked: list[str] = []

    def answer(step: AnyStep) -> object:
        if not isinstance(step, Fetch):
            return None
        asked.append(step.request.url)
        if not step.request.url.endswith("//"):
            return HttpResponse(308, {"location": f"{step.request.url}/"}, b"")
        if len(asked) == 3:
            return document({"error": "invalid_target"}, 400)
        return INVALID_CLIENT

    with pytest.raises(TokenError):
        play(refresh(bound, SignInSettings(), NOW), answer)
    first = CREDENTIAL.token_endpoint
    assert asked == [first, f"{first}/", *[f"{first}//"] * (len(asked) - 2)]
    assert len(asked) <= MAX_TOKEN_REQUESTS + MAX_POST_REDIRECTS


def test_what_worked_before_the_resource_was_refused_is_used_without_it() -> None:
    endpoint = Endpoint("plain")
    answers = [document({"error": "invalid_target"}, 400), TOKENS]

    def answer(step: AnyStep) -> object:
        endpoint.answer = answers[0]
        given = endpoint(step)
        if given is answers[0]:
            answers.pop(0)
        return given

    credential = play(refresh(CREDENTIAL, SignInSettings(), NOW), answer)
    assert endpoint.ways == ["basic", "plain", "plain"]
    assert (credential.client, credential.resource) == (PLAIN, "")


def test_revocation_and_device_codes_know_the_other_ways_too() -> None:
    endpoint = Endpoint("plain")
    endpoint.answer = HttpResponse(200, {}, b"")
    play(revoke(CREDENTIAL), endpoint)
    assert endpoint.ways == ["basic", "plain", "plain"], "two tokens"
    endpoint = Endpoint("post")
    codes = {"device_code": "canary-d", "user_code": "A-B", "verification_uri": "https://a.example"}
    endpoint.answer = document({**codes, "access_token": "canary-new"})
    credential = play(ask_by_code(ENDPOINT, CREDENTIAL, 60.0, lambda: NOW), endpoint)
    assert endpoint.ways == ["basic", "plain", "post", "post"]
    assert credential.client == POST


@pytest.mark.parametrize(
    ("stored", "is_given", "kept"),
    [
        (PLAIN, False, PLAIN),
        (PLAIN, True, PLAIN),
        (POST, False, POST),
        (POST, True, BASIC),
        (None, False, BASIC),
        (POST._replace(client_id="another"), False, BASIC),
        (POST._replace(client_secret=Secret("another")), False, BASIC),
    ],
)
def test_a_client_of_the_person_is_sent_as_it_worked_before(
    stored: Client | None, is_given: bool, kept: Client
) -> None:
    assert remember_authentication(BASIC, stored, is_given=is_given) == kept


def test_the_tables_say_where_their_rows_come_from() -> None:
    assert all(way.source and way.name for way in AUTHENTICATIONS)
    assert all(form.source for form in CLIENT_REFUSALS)
    assert "canary" not in json.dumps([way.name for way in AUTHENTICATIONS])
