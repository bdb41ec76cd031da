"""We become a client in the order of the specification, and believe no answer unread."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
    Unusable,
    UsageError,
)
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.registration import (
    DEVICE_CODE_GRANT,
    choose_redirect_uri,
    obtain_client,
    preflight,
)
from mcp_remote_py.oauth.registration_readings import MAX_REGISTRATIONS, REGISTRATION_READINGS
from mcp_remote_py.oauth.steps import Client, HttpRequest, HttpResponse
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.oauth.web import Answer, Web, document, page

ISSUER = "https://auth.example"
REGISTER = f"{ISSUER}/register"
SERVER = ServerMetadata(ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", REGISTER)
LOCALHOST = "http://localhost:7777/oauth/callback"
IPV4 = "http://127.0.0.1:7777/oauth/callback"
OURS = (LOCALHOST, IPV4)
NOW = 1_800_000_000.0
STORED = Client("old", "registered", redirect_uris=OURS)
DOCUMENT_URL = "https://me.example/client.json"
CANARY = "canary-s3cret"


def registered(**members: object) -> HttpResponse:
    return document({"client_id": "new", **members}, 201)


def obtain(
    web: Web,
    server: ServerMetadata = SERVER,
    redirect_uris: tuple[str, ...] = OURS,
    stored: Client | None = None,
    settings: SignInSettings | None = None,
    scope: str | None = None,
) -> Client:
    settings = settings or SignInSettings()
    return web.play(obtain_client(server, redirect_uris, stored, settings, scope, NOW))


def fail(
    answer: Answer,
    server: ServerMetadata = SERVER,
    settings: SignInSettings | None = None,
) -> McpRemoteError:
    with pytest.raises((SignInFailed, UsageError)) as caught:
        obtain(Web(answer=lambda _: answer), server, settings=settings)
    assert caught.value.hint, "an error has a next step"
    assert caught.value.sentence().isprintable()
    assert CANARY not in caught.value.sentence()
    return caught.value


def static(**members: object) -> SignInSettings:
    return SignInSettings(static_client=Secret(json.dumps(members)))


# A client registered by hand -----------------------------------------------------------------


@pytest.mark.promise("A2")
def test_a_client_the_person_gave_comes_before_everything() -> None:
    settings = static(client_id="mine").replace(client_metadata_url=DOCUMENT_URL)
    server = SERVER._replace(client_id_metadata_document_supported=True)
    web = Web()
    assert obtain(web, server, stored=STORED, settings=settings) == Client("mine", "static")
    assert web.asked == []


@pytest.mark.parametrize(
    ("offered", "method"),
    [
        (None, "client_secret_basic"),
        (("client_secret_post",), "client_secret_post"),
        (("client_secret_post", "client_secret_basic"), "client_secret_basic"),
        (("none", "private_key_jwt"), "client_secret_basic"),
        (("none",), "none"),
    ],
)
def test_its_secret_is_sent_as_the_server_wants_it(
    offered: tuple[str, ...] | None, method: str
) -> None:
    server = SERVER._replace(token_endpoint_auth_methods=offered)
    client = obtain(Web(), server, settings=static(client_id="mine", client_secret=CANARY))
    assert client == Client("mine", "static", Secret(CANARY), method)


def test_what_the_person_says_of_it_counts() -> None:
    settings = static(
        client_id="mine",
        client_secret=CANARY,
        token_endpoint_auth_method="client_secret_post",
        redirect_uris=["http://localhost:1/oauth/callback"],
    )
    client = obtain(Web(), settings=settings)
    assert client.token_endpoint_auth_method == "client_secret_post"
    assert client.redirect_uris == ("http://localhost:1/oauth/callback",)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("mine", "is not a JSON object"),
        ('["mine"]', "is not a JSON object"),
        ("{\udcff}", "is not a JSON object"),
        ("{}", "does not contain a client_id"),
        ('{"client_id": 7}', "does not contain a client_id"),
        ('{"client_id": ""}', "does not contain a client_id"),
        ('{"client_id": "a", "token_endpoint_auth_method": "private_key_jwt"}', "cannot be used"),
        ('{"client_id": "a", "token_endpoint_auth_method": 7}', "cannot be used"),
        ('{"client_id": "a", "token_endpoint_auth_method": "client_secret_post"}', "cannot be us"),
        (
            '{"client_id": "a", "redirect_uris": ["https://app.example/oauth/callback"]}',
            f"do not list {LOCALHOST}",
        ),
    ],
)
def test_what_is_not_a_client_is_the_persons_error(text: str, cause: str) -> None:
    error = fail(registered(), settings=SignInSettings(static_client=Secret(text)))
    assert isinstance(error, UsageError)
    assert "--static-oauth-client-info" in error.cause
    assert cause in error.cause


# A client metadata document ------------------------------------------------------------------


@pytest.mark.promise("A2")
def test_a_client_metadata_document_comes_before_what_is_stored() -> None:
    server = SERVER._replace(client_id_metadata_document_supported=True)
    settings = SignInSettings(client_metadata_url=DOCUMENT_URL)
    client = obtain(Web(), server, stored=STORED, settings=settings)
    assert client == Client(DOCUMENT_URL, "document", redirect_uris=OURS)


def test_a_server_that_knows_no_documents_is_registered_at() -> None:
    web = Web({REGISTER: registered()})
    settings = SignInSettings(client_metadata_url=DOCUMENT_URL)
    assert obtain(web, settings=settings).origin == "registered"


# A client registered before ------------------------------------------------------------------


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    "stored",
    [
        STORED,
        STORED._replace(redirect_uris=(IPV4,)),
        STORED._replace(secret_expires_at=NOW + 1),
    ],
)
def test_a_registered_client_is_used_again(stored: Client) -> None:
    web = Web()
    assert obtain(web, stored=stored) is stored
    assert obtain(web, SERVER._replace(registration_endpoint=""), stored=stored) is stored
    assert web.asked == []


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    "stored",
    [
        STORED._replace(secret_expires_at=NOW),
        STORED._replace(redirect_uris=()),
        STORED._replace(redirect_uris=("http://localhost:7778/oauth/callback",)),
        STORED._replace(redirect_uris=("http://localhost:7777/",)),
        STORED._replace(origin="static"),
        STORED._replace(origin="document"),
    ],
)
def test_a_stored_client_that_does_not_fit_is_registered_anew(stored: Client) -> None:
    web = Web({REGISTER: registered()})
    assert obtain(web, stored=stored).client_id == "new"
    assert len(web.asked) == 1


# What is asked for ---------------------------------------------------------------------------


@pytest.mark.promise("A2")
def test_a_registration_says_who_we_are_and_where_we_listen() -> None:
    web = Web({REGISTER: registered()})
    client = obtain(web, scope="read write")
    assert client == Client("new", "registered", redirect_uris=OURS)
    assert web.sent == [
        {
            "client_name": "mcp-remote-py",
            "redirect_uris": [LOCALHOST, IPV4],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
            "scope": "read write",
        }
    ]
    assert web.fetches[0].request.method == "POST"
    assert not web.fetches[0].follow_redirects
    assert web.reports == [f"Registering at {ISSUER}."]


@pytest.mark.parametrize(
    ("offered", "method"),
    [
        (None, "none"),
        ((), "none"),
        (("client_secret_basic", "client_secret_post", "none"), "none"),
        (("client_secret_basic", "client_secret_post"), "client_secret_post"),
        (("private_key_jwt", "client_secret_basic"), "client_secret_basic"),
    ],
)
def test_the_method_is_one_the_server_offers(offered: tuple[str, ...] | None, method: str) -> None:
    web = Web({REGISTER: registered()})
    obtain(web, SERVER._replace(token_endpoint_auth_methods=offered))
    assert web.sent[0]["token_endpoint_auth_method"] == method


@pytest.mark.parametrize("offered", [("private_key_jwt",), ("tls_client_auth", "x")])
def test_a_server_without_a_method_of_ours_is_not_asked(offered: tuple[str, ...]) -> None:
    error = fail(registered(), SERVER._replace(token_endpoint_auth_methods=offered))
    assert f'supported here (it lists "{" ".join(offered)}")' in error.cause
    assert "--static-oauth-client-info" in error.hint


def test_grants_are_those_the_server_has_and_the_person_wants() -> None:
    web = Web({REGISTER: registered()})
    obtain(web, SERVER._replace(grant_types=("authorization_code",)))
    obtain(web, settings=SignInSettings(device_code=True))
    assert web.sent[0]["grant_types"] == ["authorization_code"]
    assert web.sent[1]["grant_types"] == [
        "authorization_code",
        "refresh_token",
        DEVICE_CODE_GRANT,
    ]


@pytest.mark.parametrize(
    "sign",
    [{"response_types": ("code", "refresh_token")}, {"scopes_supported": ("offline_access",)}],
)
def test_a_server_that_leaves_renewals_out_of_its_list_is_known_by_other_signs(
    sign: dict[str, tuple[str, ...]],
) -> None:
    """Seen with glewlwyd: it gives a refresh token, and refuses it to clients without the grant."""
    web = Web({REGISTER: registered()})
    obtain(web, SERVER._replace(grant_types=("authorization_code",), **sign))
    (asked,) = web.sent
    assert asked["grant_types"] == ["authorization_code", "refresh_token"]


def test_the_persons_members_win_and_null_takes_one_away() -> None:
    text = '{"client_name": "Cursor", "application_type": null, "software_id": "x"}'
    web = Web({REGISTER: registered()})
    obtain(web, settings=SignInSettings(static_client_metadata=text))
    assert web.sent[0]["client_name"] == "Cursor"
    assert web.sent[0]["software_id"] == "x"
    assert "application_type" not in web.sent[0]
    assert "scope" not in web.sent[0]


def test_members_that_are_not_an_object_are_the_persons_error() -> None:
    error = fail(registered(), settings=SignInSettings(static_client_metadata="[1]"))
    assert isinstance(error, UsageError)
    assert error.cause == "--static-oauth-client-metadata is not a JSON object."


# A server that takes one spelling of loopback only -------------------------------------------


def takes_only(host: str) -> Callable[[HttpRequest], Answer]:
    def answer(request: HttpRequest) -> Answer:
        assert request.body is not None
        uris = json.loads(request.body.reveal())["redirect_uris"]
        if all(f"//{host}:" in uri for uri in uris):
            return registered(redirect_uris=uris)
        return document({"error": "invalid_redirect_uri"}, 400)

    return answer


@pytest.mark.parametrize(
    ("host", "kept", "requests"), [("localhost", LOCALHOST, 2), ("127.0.0.1", IPV4, 3)]
)
def test_each_spelling_is_tried_alone_where_both_are_refused(
    host: str, kept: str, requests: int
) -> None:
    web = Web(answer=takes_only(host))
    assert obtain(web).redirect_uris == (kept,)
    assert len(web.asked) == requests


def test_a_server_that_takes_none_is_asked_three_times_at_most() -> None:
    web = Web(answer=takes_only("app.example"))
    with pytest.raises(SignInFailed, match="invalid_redirect_uri"):
        obtain(web)
    assert [body["redirect_uris"] for body in web.sent] == [[LOCALHOST, IPV4], [LOCALHOST], [IPV4]]


Refuses = Callable[[dict[str, object]], bool]


def refusing(when: Refuses, answer: Answer) -> Callable[[HttpRequest], Answer]:
    """A server that refuses what `when` says by `answer`."""

    def respond(request: HttpRequest) -> Answer:
        assert request.body is not None
        asked = json.loads(request.body.reveal())
        return answer if when(asked) else registered(**asked)

    return respond


def names(host: str) -> Refuses:
    return lambda asked: host in json.dumps(asked["redirect_uris"])


FIREWALL = document({"message": "Request blocked", "ref": "x1"}, 403)


@pytest.mark.report("O1")
@pytest.mark.parametrize(
    "answer",
    [
        FIREWALL,
        page("<h1>Forbidden</h1>", 403),
        HttpResponse(403, {}, b""),
        HttpResponse(400, {}, b""),
        HttpResponse(404, {}, b""),
        HttpResponse(422, {}, b""),
        document({"error": "invalid_client_metadata", "error_description": "only that one"}, 400),
        document({"error": "invalid_redirect_uri"}, 400),
        document({"error": {"code": 7}}, 400),
        document({"ok": False, "error": "bad_redirect"}),
    ],
)
@pytest.mark.parametrize(("host", "kept"), [("//127.0.0.1", LOCALHOST), ("//localhost", IPV4)])
def test_any_refusal_of_two_redirect_uris_is_tried_with_each_alone(
    answer: HttpResponse, host: str, kept: str
) -> None:
    web = Web(answer=refusing(names(host), answer))
    assert obtain(web).redirect_uris == (kept,)
    assert [body["redirect_uris"] for body in web.sent] == [
        [LOCALHOST, IPV4],
        [LOCALHOST],
        [IPV4],
    ][: 2 if kept == LOCALHOST else 3]
    assert web.reports[1] == (
        f"The registration was refused (HTTP {answer.status}): asking once more, with the first "
        "redirect URI alone."
    )


@pytest.mark.report("O1")
@pytest.mark.parametrize("status", [408, 425, 429, 502, 503])
def test_what_is_not_a_verdict_is_not_tried_otherwise(status: int) -> None:
    web = Web(answer=lambda _: HttpResponse(status, {}, b""))
    with pytest.raises(SignInUnavailable):
        obtain(web)
    assert len(web.asked) == 1


@pytest.mark.report("O1")
@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(500, {}, b""),
        document({"error": "server_error"}, 501),
        page("<title>Request Rejected</title>", 200),
        Interrupted("It broke."),
    ],
)
def test_a_failure_at_two_redirect_uris_is_tried_with_one(answer: Answer) -> None:
    web = Web(answer=refusing(names("//127.0.0.1"), answer))
    assert obtain(web).redirect_uris == (LOCALHOST,)
    assert len(web.asked) == 2


@pytest.mark.report("O1")
def test_what_breaks_off_again_is_not_asked_a_third_time() -> None:
    web = Web(answer=lambda _: Interrupted("It broke."))
    with pytest.raises(SignInUnavailable, match="was not answered: It broke"):
        obtain(web)
    assert len(web.asked) == 2
    alone = Web(answer=lambda _: Interrupted("It broke."))
    with pytest.raises(SignInUnavailable):
        obtain(alone, redirect_uris=(LOCALHOST,))
    assert len(alone.asked) == 1


@pytest.mark.report("O1", "O2")
@pytest.mark.parametrize("answer", [FIREWALL, HttpResponse(400, {}, b"")])
def test_two_members_that_nobody_names_are_left_out_together(answer: HttpResponse) -> None:
    web = Web(answer=refusing(lambda asked: "scope" in asked or names(IPV4)(asked), answer))
    assert obtain(web, scope="read").redirect_uris == (LOCALHOST,)
    assert web.sent[-1] == {"client_name": "mcp-remote-py", "redirect_uris": [LOCALHOST]}
    assert len(web.asked) <= MAX_REGISTRATIONS


@pytest.mark.report("O1")
@pytest.mark.parametrize("status", [401, 404, 405])
def test_an_endpoint_that_nobody_named_is_asked_once(status: int) -> None:
    web = Web(answer=lambda _: HttpResponse(status, {}, b""))
    with pytest.raises(SignInFailed):
        obtain(web, SERVER._replace(is_default=True))
    assert len(web.asked) == 1


@pytest.mark.report("O1")
def test_the_last_refusal_that_tells_most_is_told() -> None:
    told = document({"error": "invalid_redirect_uri", "error_description": "Use https."}, 400)
    answers = iter((FIREWALL, told, *(HttpResponse(403, {}, b""),) * 3))
    with pytest.raises(SignInFailed, match="invalid_redirect_uri: Use https"):
        obtain(Web(answer=lambda _: next(answers)))


@pytest.mark.report("O1")
def test_a_server_that_fails_in_between_gives_no_verdict() -> None:
    answers = iter((FIREWALL, HttpResponse(503, {}, b"")))
    with pytest.raises(SignInUnavailable, match="HTTP 503"):
        obtain(Web(answer=lambda _: next(answers)))


def has(name: str) -> Refuses:
    return lambda asked: name in asked


def lacks(name: str) -> Refuses:
    return lambda asked: name not in asked


def metadata(description: str, status: int = 400) -> HttpResponse:
    return document({"error": "invalid_client_metadata", "error_description": description}, status)


def lacks_a_grant(asked: dict[str, object]) -> bool:
    return asked.get("grant_types") != ["authorization_code", "refresh_token"]


def asks_for_refresh(asked: dict[str, object]) -> bool:
    return "refresh_token" in str(asked["grant_types"])


def asks_for_no_secret(asked: dict[str, object]) -> bool:
    return asked["token_endpoint_auth_method"] == "none"


CODE_ONLY = SERVER._replace(grant_types=("authorization_code",))


@pytest.mark.report("O2")
@pytest.mark.parametrize(
    ("when", "answer", "server"),
    [
        (has("scope"), document({"error": "insufficient_scope"}, 403), SERVER),
        (has("scope"), document({"error": "invalid_scope"}, 400), SERVER),
        (has("scope"), metadata("Scope is not allowed"), SERVER),
        (has("scope"), document({"detail": [{"loc": ["body", "scope"]}]}, 422), SERVER),
        (lacks_a_grant, metadata("grant_types must include refresh_token"), CODE_ONLY),
        (lacks_a_grant, document({"error": "unsupported_grant_type"}, 400), CODE_ONLY),
        (
            asks_for_refresh,
            metadata("refresh_token is not an allowed grant type"),
            SERVER,
        ),
        (has("response_types"), metadata("response_types: unknown member"), SERVER),
        (has("application_type"), metadata("Additional property application_type"), SERVER),
        (has("client_name"), metadata("client_name is reserved"), SERVER),
        (has("client_name"), metadata("name must match ^[a-z]+$"), SERVER),
        (lacks("client_uri"), metadata("client_uri is required"), SERVER),
        (lacks("software_id"), metadata("software_id is required"), SERVER),
        (lacks("software_version"), metadata("software_version is required"), SERVER),
        (has("scope"), document({"error": "unauthorized_scope"}, 400), SERVER),
        (
            has("client_name"),
            document({"error": "A client with this name already exists"}, 409),
            SERVER,
        ),
        (has("scope"), document({"error": "access_denied", "message": "permissions"}, 403), SERVER),
        (
            asks_for_no_secret,
            metadata("token_endpoint_auth_method must be client_secret_post"),
            SERVER,
        ),
    ],
)
def test_a_member_that_is_refused_by_name_is_asked_for_otherwise_once(
    when: Refuses, answer: Answer, server: ServerMetadata
) -> None:
    web = Web(answer=refusing(when, answer))
    assert obtain(web, server, scope="read").redirect_uris == OURS
    assert len(web.asked) == 2


@pytest.mark.report("O2")
def test_scopes_that_are_missing_are_those_that_the_server_lists() -> None:
    web = Web(answer=refusing(lacks("scope"), metadata("Only mcp:read scopes are supported.")))
    assert obtain(web, SERVER._replace(scopes_supported=("mcp:read", "b"))).redirect_uris == OURS
    assert [body.get("scope") for body in web.sent] == [None, "mcp:read b"]
    wanted = Web(answer=refusing(lacks("scope"), metadata("scope is required")))
    assert obtain(wanted, scope="mine").redirect_uris == OURS
    assert len(wanted.asked) == 1


@pytest.mark.report("O2")
def test_a_confidential_client_may_be_had_by_basic_alone() -> None:
    web = Web(
        answer=refusing(
            lambda asked: asked["token_endpoint_auth_method"] != "client_secret_basic",
            metadata("public clients are not allowed"),
        )
    )
    assert obtain(web).client_id == "new"
    assert [body["token_endpoint_auth_method"] for body in web.sent] == [
        "none",
        "client_secret_post",
        "client_secret_basic",
    ]


@pytest.mark.report("O2")
@pytest.mark.parametrize("name", ["application_type", "response_types", "grant_types", "scope"])
def test_a_closed_schema_that_does_not_say_what_is_asked_for_little(name: str) -> None:
    web = Web(answer=refusing(has(name), HttpResponse(400, {}, b"Bad Request")))
    assert obtain(web, scope="read").redirect_uris == OURS
    assert web.sent[-1].keys() == {"client_name", "redirect_uris"}


@pytest.mark.report("O1", "O2")
def test_what_helped_stays_and_what_did_not_is_taken_back() -> None:
    def answer(request: HttpRequest) -> Answer:
        assert request.body is not None
        asked = json.loads(request.body.reveal())
        if "scope" in asked:
            return metadata("scope")
        return FIREWALL if names("//localhost")(asked) else registered(**asked)

    web = Web(answer=answer)
    assert obtain(web, scope="read").redirect_uris == (IPV4,)
    assert ["scope" in body for body in web.sent] == [True, False, False, False]


@pytest.mark.report("O1", "O2")
def test_no_refusal_leads_to_more_requests_than_the_bound() -> None:
    words = "scope grant_type response_type auth_method application_type client_name"
    web = Web(answer=lambda _: metadata(words))
    with pytest.raises(SignInFailed):
        obtain(web, scope="read")
    assert len(web.asked) == MAX_REGISTRATIONS
    assert len({json.dumps(body) for body in web.sent}) == MAX_REGISTRATIONS, "each another one"


@pytest.mark.report("O2")
@pytest.mark.report("O2", "O4", "O27")
@pytest.mark.parametrize("waits_at", range(8))
def test_no_wait_and_no_redirect_leads_beyond_the_bound(waits_at: int) -> None:
    asked: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        asked.append(request.url)
        if request.url == REGISTER:
            return redirect(f"{REGISTER}/")._replace(status=308)
        if len(asked) == waits_at + 2:
            return busy("1")
        return document({"error": "invalid_client_metadata"}, 400)

    with pytest.raises(SignInFailed):
        obtain(Web({}, answer))
    assert asked[:2] == [REGISTER, f"{REGISTER}/"]
    assert asked.count(REGISTER) == 1
    assert len(asked) <= 1 + MAX_REGISTRATIONS


def test_what_the_person_gave_is_never_changed() -> None:
    text = json.dumps({"scope": "mine", "grant_types": ["authorization_code"]})
    web = Web(answer=lambda _: metadata("scope and grant_types"))
    with pytest.raises(SignInFailed):
        obtain(web, settings=SignInSettings(static_client_metadata=text), scope="read")
    assert all(body["scope"] == "mine" for body in web.sent)
    assert all(body["grant_types"] == ["authorization_code"] for body in web.sent)


def test_the_table_of_readings_says_where_its_rows_come_from() -> None:
    assert all(one.source for one in REGISTRATION_READINGS)
    assert len({one.name for one in REGISTRATION_READINGS}) == len(REGISTRATION_READINGS)


def test_one_spelling_or_the_persons_own_is_asked_for_once() -> None:
    web = Web(answer=takes_only("app.example"))
    with pytest.raises(SignInFailed):
        obtain(web, redirect_uris=(LOCALHOST,))
    own = SignInSettings(static_client_metadata=json.dumps({"redirect_uris": [IPV4]}))
    with pytest.raises(SignInFailed):
        obtain(web, settings=own)
    assert len(web.asked) == 2


def test_redirect_uris_the_person_takes_away_are_taken_for_ours() -> None:
    web = Web({REGISTER: registered()})
    settings = SignInSettings(static_client_metadata='{"redirect_uris": null}')
    assert obtain(web, settings=settings).redirect_uris == OURS
    assert "redirect_uris" not in web.sent[0]


@pytest.mark.parametrize("answered", [None, ["https://theirs.example/"]])
def test_a_sign_in_without_a_way_back_needs_no_redirect_uri(answered: object) -> None:
    web = Web({REGISTER: registered(redirect_uris=answered)})
    assert obtain(web, redirect_uris=()) == Client("new", "registered")
    assert "redirect_uris" not in web.sent[0]
    assert obtain(web, redirect_uris=(), stored=STORED) is STORED
    given = static(client_id="mine", redirect_uris=["https://theirs.example/"])
    assert obtain(web, redirect_uris=(), settings=given).client_id == "mine"


# What is answered ----------------------------------------------------------------------------


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    ("offered", "members", "method"),
    [
        (None, {}, "none"),
        (None, {"client_secret": None, "token_endpoint_auth_method": "none"}, "none"),
        (None, {"client_secret": "", "token_endpoint_auth_method": "client_secret_basic"}, "none"),
        (None, {"client_secret": CANARY}, "client_secret_basic"),
        (("none", "client_secret_post"), {"client_secret": CANARY}, "client_secret_post"),
        (("client_secret_post",), {"client_secret": CANARY}, "client_secret_post"),
        (
            None,
            {"client_secret": CANARY, "token_endpoint_auth_method": "client_secret_post"},
            "client_secret_post",
        ),
        (None, {"client_secret": CANARY, "token_endpoint_auth_method": "none"}, "none"),
    ],
)
def test_how_to_authenticate_is_read_from_the_answer(
    offered: tuple[str, ...] | None, members: dict[str, object], method: str
) -> None:
    server = SERVER._replace(token_endpoint_auth_methods=offered)
    client = obtain(Web({REGISTER: registered(**members)}), server)
    assert client.token_endpoint_auth_method == method
    assert client.client_secret == (Secret(CANARY) if members.get("client_secret") else None)


@pytest.mark.report("O3")
@pytest.mark.parametrize("nothing", ["", None, " "])
def test_members_of_an_answer_that_say_nothing_are_absent(nothing: object) -> None:
    names = ("token_endpoint_auth_method", "grant_types", "client_secret", "redirect_uris")
    answer = registered(**dict.fromkeys(names, nothing), error=nothing)
    assert obtain(Web({REGISTER: answer})) == Client("new", "registered", redirect_uris=OURS)


@pytest.mark.report("O3")
def test_a_secret_that_is_meant_for_a_jwt_is_sent_in_a_way_that_the_server_lists() -> None:
    answer = registered(token_endpoint_auth_method="client_secret_jwt", client_secret=CANARY)
    server = SERVER._replace(token_endpoint_auth_methods=("client_secret_post",))
    client = obtain(Web({REGISTER: answer}), server)
    assert client.token_endpoint_auth_method == "client_secret_post"
    assert "not supported here" in fail(answer).cause, "nobody says that another way is taken"


@pytest.mark.report("O3")
def test_a_redirect_uri_that_was_normalised_is_ours() -> None:
    answer = registered(redirect_uris=[f"{LOCALHOST}/"])
    assert obtain(Web({REGISTER: answer})).redirect_uris == (LOCALHOST,)


@pytest.mark.report("O3")
@pytest.mark.parametrize("word", ["None", "NONE", "null", "public", ["none"], []])
def test_a_method_in_another_spelling_or_that_is_none(word: object) -> None:
    answer = registered(token_endpoint_auth_method=word, error=False)
    assert obtain(Web({REGISTER: answer})).token_endpoint_auth_method == "none"
    secret = registered(token_endpoint_auth_method=word, client_secret=CANARY)
    client = obtain(Web({REGISTER: secret}))
    assert client.client_secret == Secret(CANARY)
    # A method that asks for none is what the server says; else the secret is used.
    assert (client.token_endpoint_auth_method == "none") is ("none" in str(word).lower())


@pytest.mark.report("O3")
def test_a_client_id_that_says_nothing_is_missing() -> None:
    assert "does not contain a client_id" in fail(registered(client_id="")).cause


@pytest.mark.promise("A2")
@pytest.mark.report("O3")
@pytest.mark.parametrize(
    ("answered", "client_id"),
    [
        ({"client_id": 4711}, "4711"),
        ({"data": {"client_id": "inside"}}, "inside"),
        ({"success": True, "result": {"client_id": "inside"}}, "inside"),
        ({"client": {"client_id": 7, "client_secret": None}}, "7"),
        ({"client_id": "outside", "data": {"client_id": "inside"}}, "outside"),
    ],
)
def test_a_client_that_is_wrapped_or_has_a_number_for_a_name(
    answered: dict[str, object], client_id: str
) -> None:
    assert obtain(Web({REGISTER: document(answered, 201)})).client_id == client_id


@pytest.mark.report("O4")
def test_a_registration_is_led_on_and_else_the_address_is_named() -> None:
    there = HttpResponse(308, {"location": f"{REGISTER}/"}, b"")
    web = Web({REGISTER: there, f"{REGISTER}/": registered()})
    assert obtain(web).client_id == "new"
    assert web.sent[0] == web.sent[1]
    error = fail(HttpResponse(307, {"location": "https://other.example/r?key=abc"}, b""))
    assert error.sentence() == (
        f"The authorization server refused to register us (HTTP 307 from {REGISTER}, which "
        "redirects to https://other.example/r?key=****). Its metadata must name the address "
        "itself: tell whoever runs it, or: Register a client there by hand and give it with "
        """--static-oauth-client-info '{"client_id": "..."}'."""
    )


@pytest.mark.promise("S2")
def test_a_secret_of_a_registration_is_known_to_whoever_scrubs() -> None:
    secret = "registered-canary-8d1f"
    obtain(Web({REGISTER: registered(client_secret=secret)}))
    assert scrub_known(f"It says {secret}.") == "It says ****."


@pytest.mark.parametrize("method", ["private_key_jwt", "tls_client_auth", 7])
@pytest.mark.parametrize("secret", [CANARY, None])
def test_a_method_we_cannot_do_is_refused(method: object, secret: str | None) -> None:
    error = fail(registered(token_endpoint_auth_method=method, client_secret=secret))
    assert f'registered us with "{method}" for client authentication' in error.cause
    assert "--static-oauth-client-info" in error.hint


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        (None, OURS),
        ([], OURS),
        ("odd", OURS),
        ([7], OURS),
        ([IPV4, "https://theirs.example/"], (IPV4,)),
        (["http://localhost/oauth/callback"], (LOCALHOST,)),
        (["http://127.0.0.1:9999/oauth/callback"], (IPV4,)),
    ],
)
def test_only_redirect_uris_that_are_ours_are_kept(answered: object, kept: tuple[str, ...]) -> None:
    assert obtain(Web({REGISTER: registered(redirect_uris=answered)})).redirect_uris == kept


def test_a_registration_for_another_way_back_is_refused() -> None:
    error = fail(registered(redirect_uris=["https://theirs.example/"]))
    assert f'registered "https://theirs.example/" as redirect URI, not {LOCALHOST}' in error.cause
    assert "--callback-path" in error.hint


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (1_900_000_000, 1_900_000_000.0),
        ("1900000000", 1_900_000_000.0),
        ("never", 0.0),
        (-1, 0.0),
        (None, 0.0),
        ([], 0.0),
        (10**400, 0.0),
    ],
)
def test_the_end_of_a_secret_is_read_tolerantly(value: object, seconds: float) -> None:
    web = Web({REGISTER: registered(client_secret=CANARY, client_secret_expires_at=value)})
    assert obtain(web).secret_expires_at == seconds


@pytest.mark.parametrize(
    "answer",
    [
        page("<html>Welcome</html>"),
        document({"client_secret": CANARY}, 201),
        document({"client_id": True, "client_secret": CANARY}),
        document({"client_id": ""}),
        document({"data": {"client_id": None}, "result": [{"client_id": "a"}]}),
        document(["new"]),
        HttpResponse(204, {}, b""),
        HttpResponse(200, {"content-type": "text/plain"}, f"client_secret={CANARY}".encode()),
    ],
)
def test_an_answer_without_a_client_is_refused_and_not_quoted(answer: HttpResponse) -> None:
    error = fail(answer)
    assert "does not contain a client_id" in error.cause
    assert f"HTTP {answer.status}" in error.cause
    assert REGISTER in error.cause
    assert "Welcome" not in error.cause


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.promise("A2")
def test_where_nobody_can_register_the_options_are_named() -> None:
    error = fail(registered(), SERVER._replace(registration_endpoint=""))
    assert error.sentence() == (
        f"The authorization server {ISSUER} does not let clients register themselves. "
        "Register a client there by hand and give it with --static-oauth-client-info "
        """'{"client_id": "..."}'."""
    )
    documents = SERVER._replace(
        registration_endpoint="", client_id_metadata_document_supported=True
    )
    assert "--client-metadata-url" in fail(registered(), documents).hint


@pytest.mark.promise("A2")
def test_where_a_document_is_given_in_vain_it_is_named() -> None:
    settings = SignInSettings(client_metadata_url="https://me.example/client.json")
    error = fail(registered(), SERVER._replace(registration_endpoint=""), settings)
    assert error.cause == (
        f"The authorization server {ISSUER} does not let clients register themselves, and does not "
        "say that it reads the document of --client-metadata-url."
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_closed_registration_names_the_same_options(status: int) -> None:
    server = SERVER._replace(client_id_metadata_document_supported=True)
    error = fail(document({"error": "access_denied"}, status), server)
    assert error.cause == (
        "The authorization server does not let every client register "
        f'(HTTP {status} from {REGISTER}: "access_denied").'
    )
    assert "--static-oauth-client-info" in error.hint
    assert "--client-metadata-url" in error.hint


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            document({"error": "invalid_client_metadata", "error_description": "No\nname."}, 400),
            f'HTTP 400 from {REGISTER}: "invalid_client_metadata: No name."',
        ),
        (
            document({"error": "invalid_client_metadata", "error_description": 7}, 422),
            f'HTTP 422 from {REGISTER}: "invalid_client_metadata"',
        ),
        (
            document({"ok": False, "error": "not_allowed"}),
            f'HTTP 200, application/json, from {REGISTER}: "not_allowed"',
        ),
        (
            document({"error": {"client_secret": CANARY}}),
            f"HTTP 200, application/json, from {REGISTER}",
        ),
        (page("<h1>Gone</h1>", 404), f'HTTP 404 from {REGISTER}: "Gone"'),
        (page("", 302), f"HTTP 302 from {REGISTER}"),
        (page("", 501), f"HTTP 501 from {REGISTER}"),
    ],
)
def test_a_refusal_is_told_in_the_servers_own_words(answer: HttpResponse, evidence: str) -> None:
    error = fail(answer)
    assert error.cause == f"The authorization server refused to register us ({evidence})."
    assert "--static-oauth-client-metadata" in error.hint
    assert "--static-oauth-client-info" in error.hint
    assert not isinstance(error, SignInUnavailable)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_has_given_no_verdict(status: int) -> None:
    error = fail(page("Oops", status))
    assert isinstance(error, SignInUnavailable)
    assert f'at the moment (HTTP {status} from {REGISTER}: "Oops")' in error.cause


def busy(wait: str, status: int = 429) -> HttpResponse:
    return HttpResponse(status, {"retry-after": wait}, b"")


@pytest.mark.report("O27")
@pytest.mark.parametrize("wait", ["120", "120.0", "120s", "Fri, 15 Jan 2027 08:02:00 GMT"])
def test_when_to_come_again_is_told(wait: str) -> None:
    error = fail(busy(wait))
    assert isinstance(error, SignInUnavailable)
    assert error.retry_after == 120
    assert error.sentence() == (
        f"The authorization server cannot register us at the moment (HTTP 429 from {REGISTER}). "
        "It asks to wait for 2 minutes, until 08:02:00 UTC."
    )


@pytest.mark.report("O27")
def test_more_than_a_day_is_not_waited_for() -> None:
    assert getattr(fail(busy("999999999999")), "retry_after", None) == 86400


@pytest.mark.report("O27")
@pytest.mark.parametrize("status", [403, 429, 503])
def test_who_asks_to_wait_is_not_asked_otherwise(status: int) -> None:
    web = Web(answer=lambda _: busy("120", status))
    with pytest.raises(SignInUnavailable) as caught:
        obtain(web)
    assert (len(web.asked), caught.value.retry_after) == (1, 120)


@pytest.mark.report("O27")
@pytest.mark.parametrize("status", [429, 503])
def test_a_moment_is_waited_for_once(status: int) -> None:
    answers = iter((busy("3", status), registered()))
    web = Web(answer=lambda _: next(answers))
    assert obtain(web).client_id == "new"
    assert web.waits == [3.0]
    assert web.sent[0] == web.sent[1]
    web = Web(answer=lambda _: busy("3", status))
    with pytest.raises(SignInUnavailable):
        obtain(web)
    assert len(web.asked) == 2


@pytest.mark.parametrize("problem", [NotSent("No such host."), Interrupted("No answer.")])
def test_a_registration_without_an_answer_is_not_a_verdict(problem: McpRemoteError) -> None:
    error = fail(problem)
    assert isinstance(error, SignInUnavailable)
    assert f"The registration at {REGISTER} was not answered: No" in error.cause


@pytest.mark.parametrize("status", [404, 405, 200])
def test_a_server_that_offers_no_sign_in_at_all_gets_a_hint_at_a_header(status: int) -> None:
    error = fail(page("<html>no</html>", status), SERVER._replace(is_default=True))
    assert "wants a credential and does not name a sign-in" in error.cause
    assert "--header" in error.hint


@pytest.mark.report("O15")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body", [{"error": "unauthorized"}, {"message": "no"}, ["no"], {"error": {"code": 401}}]
)
def test_a_server_that_refuses_everything_is_not_blamed_for_what_was_guessed(
    status: int, body: object
) -> None:
    url = SERVER.registration_endpoint
    error = fail(document(body, status), SERVER._replace(is_default=True))
    assert error.sentence().startswith(
        "The server wants a credential and does not name a sign-in: it does not publish metadata, "
        f"and a sign-in was not found at the usual address (HTTP {status} from {url}: "
    )
    assert error.hint == (
        'If it wants a token, give it with --header "Authorization: Bearer ${TOKEN}".'
    )
    assert "does not let every client register" in fail(document(body, status)).cause


def test_a_refusal_at_a_default_endpoint_is_a_refusal() -> None:
    words = {"error": "unapproved_software_statement"}
    guessed = SERVER._replace(is_default=True)
    assert "does not let every client register" in fail(document(words, 403), guessed).cause
    assert "refused to register" in fail(document({"error": "invalid_x"}, 400), guessed).cause
    nothing = fail(document({"error": "Bad Request"}, 400), guessed)
    assert "does not name a sign-in" in nothing.cause
    assert "--header" in nothing.hint


# Which redirect URI is sent ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        ((), LOCALHOST),
        (OURS, LOCALHOST),
        ((IPV4,), IPV4),
        (("http://localhost:1/oauth/callback", IPV4), IPV4),
        (("http://127.0.0.1:1/oauth/callback",), IPV4),
        (("http://127.0.0.1/oauth/callback",), IPV4),
        (("https://theirs.example/",), LOCALHOST),
    ],
)
def test_a_redirect_uri_registered_to_the_letter_is_preferred(
    known: tuple[str, ...], chosen: str
) -> None:
    assert choose_redirect_uri(Client("a", "static", redirect_uris=known), OURS) == chosen


# A registration that may be forgotten --------------------------------------------------------

AUTHORIZE = f"{ISSUER}/authorize?client_id=old&state=invalid_client"


def redirect(location: str) -> HttpResponse:
    return HttpResponse(302, {"location": location}, b"")


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    "answer",
    [
        page("Bad request", 400),
        page("Who?", 401),
        document({"message": "Unrecognized client_id"}, 422),
        redirect(f"{LOCALHOST}?error=invalid_client&state=x"),
        redirect(f"{LOCALHOST}#error=unauthorized_client"),
        redirect("/error?message=Invalid+redirect_uri"),
        redirect("/error?message=invalid%20redirect%20URI"),
        page("<h1>Error</h1><p>invalid_client: we do not know you</p>"),
        page("<b>Invalid redirect URI</b>"),
        page("redirect_uri_mismatch"),
        page("Unknown client"),
        page("Unknown client", 404),
        document({"error": "invalid_client"}),
        document({"error": "invalid_redirect_uri"}, 403),
    ],
)
def test_a_client_the_server_has_forgotten_is_noticed(answer: Answer) -> None:
    web = Web({AUTHORIZE: answer})
    assert web.play(preflight(AUTHORIZE)) is False
    assert [fetch.follow_redirects for fetch in web.fetches] == [False]
    assert web.fetches[0].request.method == "GET"


@pytest.mark.parametrize(
    "answer",
    [
        page("<form>Sign in</form>"),
        page("<script>const texts = {invalid_client: 'x'}</script><form>Sign in</form>"),
        page("invalid_client_metadata"),
        page("your browser is checked", 403),
        page("not found", 404),
        page("invalid_client", 500),
        redirect("/login?return_to=%2Fauthorize"),
        redirect("/errors/invalid_client_metadata?x=invalid_client_metadata"),
        redirect(f"{LOCALHOST}?error=login_required"),
        redirect("https://[broken?a=b"),
        HttpResponse(303, {}, b""),
        NotSent("No such host."),
        Interrupted("No answer."),
        Unusable("Too large."),
    ],
)
def test_everything_else_is_not_a_verdict_on_the_client(answer: Answer) -> None:
    assert Web({AUTHORIZE: answer}).play(preflight(AUTHORIZE)) is True
