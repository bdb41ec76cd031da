"""Who signs people in is found in the order of the specification, and judged before it is used."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping

import pytest

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
    Unusable,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.discovery import (
    MAX_AUTHORIZATION_SERVERS,
    Discovered,
    discover,
    find_offer,
)
from mcp_remote_py.oauth.document_search import (
    MAX_DOCUMENTS,
    MAX_SILENCE,
    REPEAT_PAUSE,
    Problem,
    Telling,
    most_telling,
)
from mcp_remote_py.oauth.metadata import MAX_METADATA_URL_LENGTH, ServerMetadata, check_endpoint
from mcp_remote_py.oauth.steps import MAX_BODY_BYTES, HttpRequest, HttpResponse
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import ClientKey, Unattended, WorkloadJwt
from tests.oauth.web import NOT_FOUND, Answer, Web, document, page

SERVER = "https://mcp.example/team/mcp"
RESOURCE_ROOT = "https://mcp.example/.well-known/oauth-protected-resource"
RESOURCE_URL = f"{RESOURCE_ROOT}/team/mcp"
ISSUER = "https://auth.example"
ISSUER_URL = f"{ISSUER}/.well-known/oauth-authorization-server"
OPENID_URL = f"{ISSUER}/.well-known/openid-configuration"
ORIGIN = "https://mcp.example"
ORIGIN_URL = f"{ORIGIN}/.well-known/oauth-authorization-server"
OUTAGE = page("Bad gateway", 502)


def resource_document(**members: object) -> HttpResponse:
    return document(
        {"resource": SERVER, "authorization_servers": [ISSUER], **members},
    )


def issuer_members(issuer: str = ISSUER) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "code_challenge_methods_supported": ["S256"],
    }


def issuer_document(issuer: str = ISSUER, /, **members: object) -> HttpResponse:
    return document({**issuer_members(issuer), **members})


def web_of(answers: Mapping[str, Answer] | None = None) -> Web:
    """A good resource and a good authorization server, changed by `answers`."""
    return Web(
        {RESOURCE_URL: resource_document(), ISSUER_URL: issuer_document(), **(answers or {})}
    )


def run(
    web: Web,
    url: str = SERVER,
    challenge: Challenge | None = None,
    settings: SignInSettings | None = None,
) -> Discovered:
    return web.play(discover(url, challenge or Challenge(), settings or SignInSettings()))


def fail(
    web: Web,
    url: str = SERVER,
    challenge: Challenge | None = None,
    settings: SignInSettings | None = None,
) -> SignInFailed:
    with pytest.raises(SignInFailed) as caught:
        run(web, url, challenge, settings)
    assert caught.value.hint, "an error has a next step"
    assert caught.value.sentence().isprintable()
    return caught.value


# Everything as it should be ------------------------------------------------------------------


@pytest.mark.promise("A1")
def test_all_that_is_published_arrives_byte_for_byte() -> None:
    server = issuer_document(
        registration_endpoint=f"{ISSUER}/Reg?a=%7e",
        revocation_endpoint=f"{ISSUER}/revoke",
        device_authorization_endpoint=f"{ISSUER}/device",
        scopes_supported=["openid", "offline_access"],
        token_endpoint_auth_methods_supported=["none"],
        grant_types_supported=["authorization_code", "refresh_token"],
        authorization_response_iss_parameter_supported=True,
        client_id_metadata_document_supported=True,
        dpop_signing_alg_values_supported=["ES256", "RS256"],
        jwks_uri="javascript:not-read",
    )
    resource = resource_document(
        scopes_supported=["read", "write"],
        dpop_bound_access_tokens_required=True,
        dpop_signing_alg_values_supported=["ES256"],
    )
    web = web_of({ISSUER_URL: server, RESOURCE_URL: resource})
    assert run(web) == Discovered(
        SERVER,
        ("read", "write"),
        ServerMetadata(
            issuer=ISSUER,
            authorization_endpoint=f"{ISSUER}/authorize",
            token_endpoint=f"{ISSUER}/token",
            registration_endpoint=f"{ISSUER}/Reg?a=%7e",
            revocation_endpoint=f"{ISSUER}/revoke",
            device_authorization_endpoint=f"{ISSUER}/device",
            scopes_supported=("openid", "offline_access"),
            token_endpoint_auth_methods=("none",),
            grant_types=("authorization_code", "refresh_token"),
            iss_parameter_supported=True,
            client_id_metadata_document_supported=True,
            dpop_algorithms=("ES256", "RS256"),
            published_by=ISSUER,
        ),
        dpop_required=True,
        dpop_algorithms=("ES256",),
    )
    assert web.asked == [RESOURCE_URL, ISSUER_URL]
    assert web.reports == [
        "Asking mcp.example how to sign in.",
        f"The authorization server is {ISSUER}.",
    ]


@pytest.mark.report("O3")
@pytest.mark.parametrize("nothing", ["", None])
def test_what_is_published_as_nothing_is_not_published(nothing: object) -> None:
    lists = ("scopes_supported", "grant_types_supported", "token_endpoint_auth_methods_supported")
    urls = ("revocation_endpoint", "device_authorization_endpoint", "registration_endpoint")
    server = issuer_document(**dict.fromkeys((*lists, *urls), nothing))
    resource = resource_document(
        scopes_supported=nothing, authorization_servers=[nothing, ISSUER, nothing]
    )
    plain = run(web_of({ISSUER_URL: issuer_document()}))
    assert run(web_of({ISSUER_URL: server, RESOURCE_URL: resource})) == plain
    assert "valid issuer" in fail(web_of({ISSUER_URL: issuer_document(issuer=nothing)})).cause
    absent = issuer_document(token_endpoint=nothing)
    assert "does not name the token_endpoint" in fail(web_of({ISSUER_URL: absent})).cause


def test_what_is_not_published_is_not_made_up() -> None:
    found = run(web_of())
    assert found.scopes_supported is None
    assert found.server == ServerMetadata(
        ISSUER,
        f"{ISSUER}/authorize",
        f"{ISSUER}/token",
        published_by=ISSUER,
    )


@pytest.mark.parametrize(
    ("value", "scopes"),
    [([], ()), (None, None), ("a b", ("a", "b")), ("a,b, c", ("a", "b", "c")), (["a"], ("a",))],
)
def test_an_empty_list_of_scopes_is_not_the_same_as_none(
    value: object, scopes: tuple[str, ...] | None
) -> None:
    web = web_of({RESOURCE_URL: resource_document(scopes_supported=value)})
    assert run(web).scopes_supported == scopes


@pytest.mark.report("O17")
def test_a_scope_that_the_authorization_server_does_not_have_is_left_out_and_said() -> None:
    answers = {
        RESOURCE_URL: resource_document(scopes_supported=["read", "admin"]),
        ISSUER_URL: issuer_document(scopes_supported=["read", "openid"]),
    }
    web = web_of(answers)
    assert run(web).scopes_supported == ("read",)
    said = f'Not asked for, as {ISSUER} does not list it: "admin".'
    assert said in web.reports
    for challenge, settings in (
        (Challenge(scope="admin"), None),
        (None, SignInSettings(scope="admin")),
    ):
        web = web_of(answers)
        run(web, challenge=challenge, settings=settings)
        assert said not in web.reports, "nobody asks for what the metadata says"


@pytest.mark.report("O17")
def test_a_list_of_very_many_scopes_costs_no_time() -> None:
    many = " ".join(f"s{number}" for number in range(30_000))
    answers = {
        RESOURCE_URL: resource_document(scopes_supported=many),
        ISSUER_URL: issuer_document(scopes_supported=["s0"]),
    }
    before = time.process_time()
    assert run(web_of(answers)).scopes_supported == ("s0",)
    assert time.process_time() - before < 0.5  # measured: 0.05; it was 5 s


# Where resource metadata is looked for -------------------------------------------------------


@pytest.mark.promise("A1")
def test_the_url_of_the_challenge_comes_first() -> None:
    named = "https://elsewhere.example/metadata?for=mcp"
    web = web_of({named: resource_document(), RESOURCE_URL: OUTAGE})
    run(web, challenge=Challenge(named))
    assert web.asked == [named, ISSUER_URL]


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (SERVER, ["/team/mcp", ""]),
        ("https://mcp.example/", [""]),
        ("https://mcp.example/mcp/", ["/mcp/", "/mcp", ""]),
        ("https://mcp.example/mcp?a=%2f", ["/mcp?a=%2f", "/mcp", ""]),
        ("https://mcp.example/?a=b", ["?a=b", ""]),
    ],
)
def test_then_the_well_known_places_with_the_path_and_at_the_root(
    url: str, asked: list[str]
) -> None:
    web = Web({RESOURCE_ROOT: resource_document(resource=ORIGIN), ISSUER_URL: issuer_document()})
    assert run(web, url).resource == ORIGIN
    assert web.asked == [*(RESOURCE_ROOT + path for path in asked), ISSUER_URL]


@pytest.mark.parametrize(
    "answer",
    [
        page("no", 404),
        page("no", 405),
        page("no", 400),
        page("no", 401),
        page("no", 501),
        page("moved", 302),
        page("<html>our app</html>"),
        document(["no", "object"]),
        HttpResponse(204, {}, b""),
        OUTAGE,
        NotSent("No."),
        Unusable("Too large."),
        document({"resource": SERVER, "authorization_servers": 7}),
        resource_document(resource="https://mcp.example/other"),
    ],
)
def test_whatever_one_place_says_the_next_one_is_asked(answer: Answer) -> None:
    named = "https://elsewhere.example/metadata"
    web = web_of({named: answer})
    assert run(web, challenge=Challenge(named)).resource == SERVER


@pytest.mark.parametrize(
    "named",
    ["http://mcp.example/metadata", "https://u:p@mcp.example/m", f"https://a.example/{'x' * 2048}"],
)
def test_a_challenge_sends_us_to_no_unsafe_place(named: str) -> None:
    web = web_of({named: resource_document()})
    run(web, challenge=Challenge(named))
    assert named not in web.asked


def test_a_server_the_person_reaches_by_plain_http_may_name_its_own_origin() -> None:
    named = "http://10.0.0.5:8000/metadata"
    web = web_of({named: resource_document(resource="http://10.0.0.5:8000/")})
    run(web, "http://10.0.0.5:8000/mcp", Challenge(named))
    assert web.asked[0] == named


# The resource --------------------------------------------------------------------------------


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    ("url", "resource"),
    [
        (SERVER, SERVER),
        (SERVER, f"{SERVER}/"),
        (f"{SERVER}/", SERVER),
        (SERVER, "https://mcp.example"),
        (SERVER, "https://mcp.example/"),
        (SERVER, "https://mcp.example/team"),
        (SERVER, "https://mcp.example:443/team/"),
        (SERVER, "HTTPS://MCP.example/team/mcp"),
        (f"{SERVER}?a=b", SERVER),
        (f"{SERVER}?a=b", f"{SERVER}?a=b"),
        ("http://localhost:8/sse", "http://localhost:8/sse"),
        ("http://[::1]:8/sse", "http://[::1]:8"),
    ],
)
def test_a_resource_covers_itself_and_all_below_it_and_is_sent_as_published(
    url: str, resource: str
) -> None:
    web = Web(answer=lambda request: resource_document(resource=resource, **issuer_members()))
    assert run(web, url).resource == resource


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example/team/mcp",
        "https://mcp.example.evil.example/team/mcp",
        "http://mcp.example/team/mcp",
        "https://mcp.example:8443/team/mcp",
        "https://mcp.example/team/mc",
        "https://mcp.example/te",
        "https://mcp.example/team/mcp/deeper",
        "https://mcp.example/TEAM/mcp",
        f"{SERVER}?a=b",
        f"{SERVER}#part",
        f"{SERVER} {SERVER}",
        "https://user@mcp.example/team/mcp",
        "api://4b1a",
        "mcp.example",
    ],
)
def test_metadata_of_another_resource_is_refused_with_both_values(resource: str) -> None:
    error = fail(Web({RESOURCE_URL: resource_document(resource=resource)}))
    assert resource.split("@")[-1].split("#")[0].split("?")[0].strip() in error.cause
    assert ("with a fragment" in error.cause) == ("#" in resource)
    assert SERVER in error.cause
    assert RESOURCE_URL in error.cause
    assert "--resource" in error.hint
    assert not isinstance(error, SignInUnavailable)


def test_the_person_may_name_the_resource_instead() -> None:
    web = web_of({RESOURCE_URL: resource_document(resource="api://4b1a")})
    assert run(web, settings=SignInSettings(resource="api://mine")).resource == "api://mine"


def test_the_person_may_send_no_resource_but_its_metadata_must_still_fit() -> None:
    settings = SignInSettings(send_resource=False)
    assert run(web_of(), settings=settings).resource == ""
    web = Web({RESOURCE_URL: resource_document(resource="https://evil.example/")})
    assert "https://evil.example/" in fail(web, settings=settings).cause


@pytest.mark.parametrize("resource", [7, {}, [], [7], [SERVER, SERVER], [{"url": SERVER}]])
def test_metadata_for_what_cannot_be_read_are_refused(resource: object) -> None:
    error = fail(Web({RESOURCE_URL: resource_document(resource=resource)}))
    assert "does not say which resource" in error.cause


@pytest.mark.parametrize("resource", [None, "", " ", SERVER, f" {SERVER}\n", [SERVER]])
def test_metadata_that_do_not_say_for_which_resource_are_for_the_server(resource: object) -> None:
    found = run(web_of({RESOURCE_URL: resource_document(resource=resource)}))
    assert (found.resource, found.server.issuer) == (SERVER, ISSUER)


@pytest.mark.parametrize("resource", [["https://evil.example/mcp"], [f"{SERVER}/deeper"]])
def test_a_list_does_not_make_another_resource_ours(resource: list[str]) -> None:
    error = fail(Web({RESOURCE_URL: resource_document(resource=resource)}))
    assert resource[0] in error.cause


def test_a_key_in_the_address_is_in_no_error() -> None:
    key = "k3y" * 9
    url = f"https://mcp.example/{key}/mcp?token={key}"
    assert key not in fail(Web(answer=lambda _: resource_document()), url).sentence()
    assert key not in fail(Web(answer=lambda _: OUTAGE), url).sentence()


# Where an authorization server's metadata is looked for --------------------------------------

TENANT = f"{ISSUER}/tenant1"
OF_TENANT = [
    f"{ISSUER_URL}/tenant1",
    f"{OPENID_URL}/tenant1",
    f"{TENANT}/.well-known/openid-configuration",
    f"{TENANT}/.well-known/oauth-authorization-server",
    ISSUER_URL,
    OPENID_URL,
]


@pytest.mark.promise("A1")
@pytest.mark.report("O12")
@pytest.mark.parametrize(
    ("issuer", "asked"),
    [
        (ISSUER, [ISSUER_URL, OPENID_URL]),
        (f"{ISSUER}/", [ISSUER_URL, OPENID_URL]),
        *((f"{ISSUER}/tenant1", OF_TENANT[:count]) for count in range(3, 7)),
    ],
)
def test_three_spellings_in_the_order_of_the_specification_and_three_more(
    issuer: str, asked: list[str]
) -> None:
    resource = resource_document(authorization_servers=[issuer])
    web = Web({RESOURCE_URL: resource, asked[-1]: issuer_document(issuer)})
    assert run(web).server.issuer == issuer
    assert web.asked == [RESOURCE_URL, *asked]


@pytest.mark.parametrize(
    "answer",
    [
        page("<html>sign in</html>"),
        OUTAGE,
        Unusable("It is larger than 262144 bytes."),
        document({}),
        issuer_document("https://other.example"),
    ],
)
def test_whatever_one_spelling_says_the_next_one_is_asked(answer: Answer) -> None:
    web = web_of({ISSUER_URL: answer, OPENID_URL: issuer_document()})
    assert run(web).server.issuer == ISSUER


@pytest.mark.report("O12")
@pytest.mark.parametrize("place", OF_TENANT)
def test_whatever_lies_anywhere_must_name_the_issuer_that_was_asked_for(place: str) -> None:
    resource = resource_document(authorization_servers=[TENANT])
    for issuer in (ISSUER, f"{ISSUER}/tenant2", "https://evil.example/tenant1"):
        error = fail(Web({RESOURCE_URL: resource, place: issuer_document(issuer)}))
        assert f'"{TENANT}" names another issuer, "{issuer}" (from {place}).' in error.cause
        trusting = SignInSettings(trusted_issuers=(issuer,))
        web = Web({RESOURCE_URL: resource, place: issuer_document(issuer)})
        assert run(web, settings=trusting).server.issuer == issuer


@pytest.mark.report("O12", "O26")
def test_a_document_of_the_host_does_not_hide_an_outage_of_its_tenant() -> None:
    resource = resource_document(authorization_servers=[TENANT])
    answers = {RESOURCE_URL: resource, OF_TENANT[0]: OUTAGE, ISSUER_URL: issuer_document()}
    error = fail(Web(answers))
    assert isinstance(error, SignInUnavailable)
    assert OF_TENANT[0] in error.cause


def test_an_authorization_server_without_metadata_is_named_with_the_evidence() -> None:
    error = fail(Web({RESOURCE_URL: resource_document()}))
    assert error.sentence() == (
        f'The authorization server "{ISSUER}" does not publish metadata (HTTP 404 from '
        f'{ISSUER_URL}: "Not Found"). Tell whoever runs the server.'
    )


def test_of_several_authorization_servers_the_first_that_can_be_used_is_taken() -> None:
    servers = ["javascript:alert(1)", "https://dead.example", "https://odd.example", ISSUER]
    web = web_of(
        {
            RESOURCE_URL: resource_document(authorization_servers=servers),
            "https://dead.example/.well-known/oauth-authorization-server": NotSent("No such host."),
            "https://odd.example/.well-known/openid-configuration": issuer_document(
                "https://x.example"
            ),
        }
    )
    assert run(web).server.issuer == ISSUER
    assert not any(url.startswith("javascript") for url in web.asked)


@pytest.mark.report("O26")
def test_where_none_can_be_used_the_most_telling_problem_is_told() -> None:
    servers = ["https://gone.example", "http://plain.example", "https://gone.example/too"]
    web = web_of({RESOURCE_URL: resource_document(authorization_servers=servers)})
    assert fail(web).sentence() == (
        'The authorization server "http://plain.example" must not be used: plain http to another '
        "machine can be read and changed on the way. Tell whoever runs the server."
    )


def test_a_long_list_of_authorization_servers_is_not_a_flood() -> None:
    servers = [f"https://a{number}.example" for number in range(1000)]
    web = web_of({RESOURCE_URL: resource_document(authorization_servers=servers)})
    fail(web)
    assert len(web.asked) == 1 + 2 * MAX_AUTHORIZATION_SERVERS


# The issuer ----------------------------------------------------------------------------------


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    ("listed", "published"),
    [(ISSUER, f"{ISSUER}/"), (f"{ISSUER}/", ISSUER), (f"{ISSUER}/t/", f"{ISSUER}/t")],
)
def test_one_final_slash_may_differ_and_the_servers_own_spelling_is_kept(
    listed: str, published: str
) -> None:
    resource = resource_document(authorization_servers=[listed])
    web = Web(
        answer=lambda request: (
            resource if request.url == RESOURCE_URL else issuer_document(published)
        )
    )
    assert run(web).server.issuer == published


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example",
        "https://auth.example//",
        "https://AUTH.example",
        "http://auth.example",
        "https://auth.example:443",
        "https://auth.example/tenant",
    ],
)
def test_another_issuer_is_refused_unless_trusted(issuer: str) -> None:
    error = fail(web_of({ISSUER_URL: issuer_document(issuer)}))
    assert f'"{ISSUER}" names another issuer, "{issuer}"' in error.cause
    assert error.hint == f"If you trust that issuer, add --trusted-issuer {issuer}."
    web = web_of({ISSUER_URL: issuer_document(issuer)})
    found = run(web, settings=SignInSettings(trusted_issuers=(issuer,)))
    assert found.server.issuer == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        None,
        "",
        7,
        "auth.example",
        "https://auth.example?x",
        "https://auth.example#x",
        "https://auth.example/$(reboot)",
        "https://auth.example/;reboot",
        "https://auth.example/\u00e4",
        "https://auth.example/\nx",
    ],
)
def test_no_hint_repeats_what_a_shell_would_act_on(issuer: object) -> None:
    error = fail(web_of({ISSUER_URL: document({**issuer_members(), "issuer": issuer})}))
    assert "does not name a valid issuer" in error.cause
    assert "reboot" not in error.sentence()


# Whose secrets are at stake ------------------------------------------------------------------

OTHER = "https://other.example"
OTHER_URL = f"{OTHER}/.well-known/oauth-authorization-server"
SECRET = SignInSettings(
    static_client=Secret('{"client_id": "mine", "client_secret": "canary-secret"}')
)


def of(issuer: str) -> HttpResponse:
    """The document of that issuer, all its endpoints at its own origin."""
    members = {"issuer": issuer, "code_challenge_methods_supported": ["S256"]}
    names = ("authorization_endpoint", "token_endpoint", "revocation_endpoint")
    return document({**members, **{name: f"{issuer}/{name}" for name in names}})


def false(issuer: str) -> HttpResponse:
    """A document in the name of that issuer, all whose endpoints are somebody else's."""
    return document({**issuer_members(), "issuer": issuer})


def bound_to(issuer: str) -> SignInSettings:
    members = {"client_id": "mine", "client_secret": "canary-secret", "issuer": issuer}
    return SignInSettings(static_client=Secret(json.dumps(members)))


@pytest.mark.report("S1")
@pytest.mark.parametrize(
    "answers",
    [
        {},
        {RESOURCE_URL: NOT_FOUND, ORIGIN_URL: issuer_document(ORIGIN)},
        {RESOURCE_URL: NOT_FOUND, f"{ORIGIN}/authorize": page("Sign in")},
    ],
    ids=["another server", "the server itself", "the server at default paths"],
)
@pytest.mark.parametrize("settings", [SECRET, bound_to(OTHER)], ids=["not named", "another"])
def test_a_secret_is_for_nobody_that_only_the_server_named(
    answers: Mapping[str, Answer], settings: SignInSettings
) -> None:
    place = ORIGIN if answers else ISSUER
    error = fail(web_of(answers), settings=settings)
    assert type(error) is SignInFailed
    assert f'"{place}"' in error.cause
    assert "canary" not in error.sentence()
    named = settings.replace(trusted_issuers=(place,))
    if settings is SECRET:
        assert f"--trusted-issuer {place} to the options." in error.hint
        assert f'add "issuer": "{place}" to --static-oauth-client-info' in error.hint
        assert run(web_of(answers), settings=named).server.published_by == place
        assert run(web_of(answers), settings=bound_to(f"{place}/")).server.issuer == place
    else:
        assert f'"{OTHER}"' in error.cause
        fail(web_of(answers), settings=named)  # the client's own issuer is the only one
    assert run(web_of(answers), settings=SignInSettings()).server.issuer == place


@pytest.mark.report("S1")
@pytest.mark.parametrize("settings", [SECRET.replace(trusted_issuers=(OTHER,)), bound_to(OTHER)])
def test_of_several_the_named_one_is_taken_wherever_it_is(settings: SignInSettings) -> None:
    strangers = [f"https://x{number}.example" for number in range(MAX_AUTHORIZATION_SERVERS)]
    resource = resource_document(authorization_servers=[ISSUER, *strangers, OTHER])
    web = web_of({RESOURCE_URL: resource, OTHER_URL: of(OTHER)})
    assert run(web, settings=settings).server.issuer == OTHER
    assert web.asked == [RESOURCE_URL, OTHER_URL], "nobody else is asked anything"


@pytest.mark.report("S1", "S2")
def test_of_several_the_audience_of_a_jwt_is_taken() -> None:
    resource = resource_document(authorization_servers=[ISSUER, OTHER])
    how = SignInSettings(unattended=Unattended(WorkloadJwt("/run/jwt")))
    for audience in ((OTHER,), (f"{OTHER}/token_endpoint",)):
        web = web_of({RESOURCE_URL: resource, OTHER_URL: of(OTHER)})
        found = web.play(discover(SERVER, Challenge(), how, audience))
        assert found.server.issuer == OTHER
    web = web_of({RESOURCE_URL: resource, OTHER_URL: OUTAGE})
    with pytest.raises(SignInUnavailable):
        web.play(discover(SERVER, Challenge(), how, (OTHER,)))
    with pytest.raises(SignInFailed, match=r"is for https://third\.example"):
        web_of().play(discover(SERVER, Challenge(), how, ("https://third.example",)))


@pytest.mark.report("S1", "S3")
def test_who_speaks_for_a_named_issuer_is_not_believed() -> None:
    """The issuer itself is asked, and its own endpoints are used."""
    settings = SECRET.replace(trusted_issuers=(OTHER,))
    web = web_of({ISSUER_URL: false(OTHER), OTHER_URL: of(OTHER)})
    found = run(web, settings=settings).server
    assert found.token_endpoint == f"{OTHER}/token_endpoint"
    assert found.revocation_endpoint == f"{OTHER}/revocation_endpoint"
    assert found.published_by == OTHER
    assert f"{ISSUER} publishes metadata of {OTHER}: asking that issuer itself." in web.reports
    # Where nothing is at stake, it is as the person wants it.
    web = web_of({ISSUER_URL: false(OTHER)})
    found = run(web, settings=SignInSettings(trusted_issuers=(OTHER,))).server
    assert found.token_endpoint == f"{ISSUER}/token"
    assert (found.issuer, found.published_by) == (OTHER, ISSUER)


@pytest.mark.report("S1", "S3")
@pytest.mark.parametrize(
    ("own", "said"),
    [
        (NOT_FOUND, f'The authorization server "{OTHER}" does not publish metadata (HTTP 404'),
        (of("https://third.example"), "names another issuer"),
        (document({"issuer": OTHER}), "does not name an authorization_endpoint"),
    ],
)
def test_an_issuer_that_does_not_say_it_itself_gets_nothing(own: Answer, said: str) -> None:
    settings = SECRET.replace(trusted_issuers=(OTHER,))
    answers = {ISSUER_URL: false(OTHER), OTHER_URL: own}
    error = fail(web_of(answers), settings=settings)
    assert error.cause.startswith(
        f'"{ISSUER}" publishes for the issuer "{OTHER}". Only that issuer\'s own metadata say '
        "where your secret may go: "
    )
    assert said in error.cause
    assert error.hint == (
        f'If "{ISSUER}" may have it, add --trusted-issuer {ISSUER} to the options.'
    )
    bound = bound_to(OTHER).replace(trusted_issuers=(OTHER,))
    assert fail(web_of(answers), settings=bound).hint == (
        f'Correct the issuer of the client if it is registered at "{ISSUER}".'
    )
    both = settings.replace(trusted_issuers=(OTHER, ISSUER))
    assert run(web_of(answers), settings=both).server.published_by == ISSUER


@pytest.mark.report("S1", "S3")
def test_an_issuer_that_cannot_be_asked_is_not_a_verdict() -> None:
    settings = SECRET.replace(trusted_issuers=(OTHER,))
    error = fail(web_of({ISSUER_URL: false(OTHER), OTHER_URL: OUTAGE}), settings=settings)
    assert isinstance(error, SignInUnavailable)


@pytest.mark.report("S1")
def test_a_token_endpoint_that_is_given_stands_for_a_name() -> None:
    how = Unattended(key=ClientKey(Secret("canary-key")))
    settings = SECRET.replace(unattended=how, token_endpoint=f"{ISSUER}/token")
    assert run(web_of(), settings=settings).server.issuer == ISSUER
    # An issuer that the person named stands before what is found.
    bound = bound_to(OTHER).replace(unattended=how, token_endpoint=f"{ISSUER}/token")
    found = run(web_of(), settings=bound)
    assert (found.server.issuer, found.server.token_endpoint) == (OTHER, f"{ISSUER}/token")
    assert found.server.revocation_endpoint == ""


@pytest.mark.report("O13")
def test_endpoints_that_the_person_knows_are_enough() -> None:
    page = f"{ISSUER}/own/page?tenant=a%20b"
    settings = SignInSettings(
        authorization_endpoint=page,
        token_endpoint=f"{ISSUER}/own/token",
        static_client=Secret('{"client_id": "mine"}'),
    )
    web = Web()
    assert run(web, settings=settings) == Discovered(
        "", None, ServerMetadata(f"{ISSUER}/own/token", page, f"{ISSUER}/own/token")
    )
    assert web.asked == []
    assert run(web, settings=settings.replace(resource="api://mine")).resource == "api://mine"
    assert not run(web, settings=settings).server.client_id_metadata_document_supported
    by_document = settings.replace(client_metadata_url="https://me.example/client.json")
    assert run(web, settings=by_document).server.client_id_metadata_document_supported
    trusting = settings.replace(trusted_issuers=(OTHER, ISSUER))
    assert run(web, settings=trusting).server.issuer == OTHER
    bound = trusting.replace(static_client=bound_to(ISSUER).static_client)
    assert run(web, settings=bound).server.issuer == ISSUER


@pytest.mark.report("S1")
def test_every_option_that_is_named_is_one_word_for_a_shell() -> None:
    issuer = "https://auth.example/{a,b}/~[x]"
    error = fail(web_of({ISSUER_URL: issuer_document(issuer)}))
    assert error.hint == f"If you trust that issuer, add --trusted-issuer '{issuer}'."


# PKCE ----------------------------------------------------------------------------------------


@pytest.mark.promise("A1")
@pytest.mark.parametrize("methods", [["plain"], [], ["s256"]])
def test_a_server_without_s256_is_refused(methods: list[str]) -> None:
    web = web_of({ISSUER_URL: issuer_document(code_challenge_methods_supported=methods)})
    error = fail(web, settings=SignInSettings(trusted_issuers=(ISSUER,)))
    assert "does not support PKCE with S256" in error.cause
    assert " ".join(methods) in error.cause


@pytest.mark.promise("A1")
def test_a_server_silent_on_pkce_is_refused_unless_the_person_knows_better() -> None:
    silent = issuer_document(code_challenge_methods_supported=None)
    error = fail(web_of({ISSUER_URL: silent}))
    assert f"The metadata of {ISSUER} does not list PKCE" in error.cause
    assert f"add --trusted-issuer {ISSUER}." in error.hint
    found = run(web_of({ISSUER_URL: silent}), settings=SignInSettings(trusted_issuers=(ISSUER,)))
    assert found.server.issuer == ISSUER


# Endpoints -----------------------------------------------------------------------------------

UNSAFE = [
    "javascript:alert(1)",
    "javascript://auth.example/%0aalert(1)",
    "file:///etc/passwd",
    "ftp://auth.example/",
    "data:text/html,hi",
    "//auth.example/authorize",
    "/authorize",
    "https:auth.example",
    "https:///authorize",
    "http://auth.example/authorize",
    "http://127.0.0.1.evil.example/authorize",
    "https://user:pass@auth.example/authorize",
    "https://auth.example/authorize#part",
    "https://auth.example/author ize",
    "https://auth.example/a\r\nX-Evil: 1",
    "https://auth.example/a\x1b[2J",
    "https://auth.example/\u202e",
    "https://auth.example/a\x00",
    "https://auth.example:99999/",
    "https://$(reboot)/",
    "https://auth.example/" + "a" * MAX_METADATA_URL_LENGTH,
]

ENDPOINTS = [
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
]


NEEDED, OTHERS = ENDPOINTS[:2], ENDPOINTS[2:]


@pytest.mark.promise("S1")
@pytest.mark.parametrize("url", UNSAFE)
def test_an_unsafe_endpoint_that_is_needed_is_refused(url: str) -> None:
    for name in NEEDED:
        error = fail(web_of({ISSUER_URL: issuer_document(ISSUER, **{name: url})}))
        assert f"The {name} " in error.cause
        assert "must not be used" in error.cause
        assert "pass@" not in error.sentence()
        assert len(error.cause) < 600


@pytest.mark.promise("S1")
@pytest.mark.report("O11")
@pytest.mark.parametrize("url", UNSAFE)
def test_an_unsafe_endpoint_that_is_not_needed_is_left_out_and_said(url: str) -> None:
    web = web_of({ISSUER_URL: issuer_document(ISSUER, **dict.fromkeys(OTHERS, url))})
    server = run(web).server
    assert server.endpoints[2:] == ("", "", "")
    said = [line for line in web.reports if line.startswith("Left out of what is published: The ")]
    assert len(said) == len(OTHERS)
    assert all("must not be used" in line and "pass@" not in line for line in said)
    for name in OTHERS:
        with pytest.raises(SignInFailed, match=f"The {name} .* must not be used") as caught:
            server.check(name)
        assert caught.value.hint == "Tell whoever runs the authorization server."
    server.check("scopes_supported")


@pytest.mark.report("O11")
def test_a_sign_in_by_a_code_does_not_need_the_page() -> None:
    flawed = issuer_document(
        authorization_endpoint="/authorize",
        device_authorization_endpoint=f"{ISSUER}/device",
        code_challenge_methods_supported=None,
    )
    found = run(web_of({ISSUER_URL: flawed}), settings=SignInSettings(device_code=True)).server
    assert (found.authorization_endpoint, found.device_authorization_endpoint) == (
        "",
        f"{ISSUER}/device",
    )


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example/authorize?audience=a%20b&x=;|`'",
        "https://auth.example:8443/authorize",
        "http://localhost:3201/authorize",
        "http://127.0.0.1:3201/authorize",
        "http://[::1]:3201/authorize",
        "https://auth.example/" + "a" * (MAX_METADATA_URL_LENGTH - len("https://auth.example/")),
    ],
)
def test_a_safe_endpoint_is_kept_byte_for_byte(url: str) -> None:
    web = web_of({ISSUER_URL: issuer_document(authorization_endpoint=url)})
    assert run(web).server.authorization_endpoint == url


def test_a_checked_url_comes_back_parsed() -> None:
    assert check_endpoint("https://Auth.example:443/a?b", "thing").origin == "https://auth.example"


@pytest.mark.parametrize("value", [7, ["https://auth.example/"], {"a": 1}, True])
@pytest.mark.report("O11")
def test_an_endpoint_of_the_wrong_type_is_refused_where_it_is_needed(value: object) -> None:
    for name in NEEDED:
        error = fail(web_of({ISSUER_URL: issuer_document(ISSUER, **{name: value})}))
        assert f"The {name} in the metadata is not a text" in error.cause
    odd = issuer_document(ISSUER, **dict.fromkeys(OTHERS, value))
    assert run(web_of({ISSUER_URL: odd})).server.endpoints[2:] == ("", "", "")


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_endpoint_is_an_absent_one(value: object) -> None:
    absent = issuer_document(ISSUER, **dict.fromkeys(ENDPOINTS[2:], value))
    assert run(web_of({ISSUER_URL: absent})).server.registration_endpoint == ""
    for name in ENDPOINTS[:2]:
        error = fail(web_of({ISSUER_URL: issuer_document(ISSUER, **{name: value})}))
        assert re.search(f"does not name (the|an) {name}", error.cause)


def test_a_server_without_the_code_grant_needs_neither_its_endpoint_nor_pkce() -> None:
    members: dict[str, object] = {
        "grant_types_supported": ["client_credentials"],
        "authorization_endpoint": None,
        "code_challenge_methods_supported": None,
    }
    found = run(web_of({ISSUER_URL: issuer_document(ISSUER, **members)}))
    assert (found.server.authorization_endpoint, found.server.grant_types) == (
        "",
        ("client_credentials",),
    )


@pytest.mark.promise("A1", "S3")
def test_a_page_that_is_named_needs_pkce_whatever_grants_are_listed() -> None:
    for grants in (["implicit"], ["refresh_token"], [" ", "x"]):
        members = {"grant_types_supported": grants, "code_challenge_methods_supported": None}
        error = fail(web_of({ISSUER_URL: issuer_document(ISSUER, **members)}))
        assert "does not list PKCE" in error.cause


@pytest.mark.report("O3")
@pytest.mark.parametrize(
    ("value", "is_so"), [(True, True), ("true", True), ("false", False), (None, False), (1, False)]
)
def test_what_protects_is_read_in_words_too(value: object, is_so: bool) -> None:
    name = "authorization_response_iss_parameter_supported"
    found = run(web_of({ISSUER_URL: issuer_document(ISSUER, **{name: value})}))
    assert found.server.iss_parameter_supported is is_so


LISTS = {
    "scopes_supported": "scopes_supported",
    "grant_types_supported": "grant_types",
    "token_endpoint_auth_methods_supported": "token_endpoint_auth_methods",
    "dpop_signing_alg_values_supported": "dpop_algorithms",
}


@pytest.mark.report("O11")
@pytest.mark.parametrize(
    ("value", "read"), [(7, None), ({"a": 1}, None), ([[7]], None), (["a", 7], ("a",))]
)
def test_what_is_not_a_text_is_not_in_a_list(value: object, read: tuple[str, ...] | None) -> None:
    members = {"code_challenge_methods_supported": ["S256", 7], **dict.fromkeys(LISTS, value)}
    if read is not None:
        members["grant_types_supported"] = None
    web = web_of(
        {
            ISSUER_URL: issuer_document(ISSUER, **members),
            RESOURCE_URL: resource_document(scopes_supported=value),
        }
    )
    found = run(web)
    assert found.scopes_supported == read
    for member in set(LISTS.values()) - ({"grant_types"} if read else set()):
        assert getattr(found.server, member) == read, member
    said = "The scopes_supported in the metadata is not a list of texts."
    assert f"Left out of what is published: {said}" in web.reports


@pytest.mark.report("O11")
@pytest.mark.parametrize("value", [7, {"S256": True}, [["S256"]]])
def test_a_promise_of_pkce_that_cannot_be_read_is_none(value: object) -> None:
    odd = issuer_document(code_challenge_methods_supported=value)
    assert "does not list PKCE" in fail(web_of({ISSUER_URL: odd})).cause


@pytest.mark.parametrize(
    "value",
    [
        ISSUER,
        f"{ISSUER}, https://other.example",
        [f" {ISSUER}\n"],
        {"issuer": ISSUER},
        [{"issuer": ISSUER, "url": "https://other.example"}],
        [{"url": ISSUER, "scopes_supported": []}],
        [f"{ISSUER}/.well-known/oauth-authorization-server"],
        [f"{ISSUER}/.well-known/openid-configuration"],
    ],
)
def test_authorization_servers_are_read_in_other_forms(value: object) -> None:
    found = run(web_of({RESOURCE_URL: resource_document(authorization_servers=value)}))
    assert (found.server.issuer, found.server.published_by) == (ISSUER, ISSUER)


@pytest.mark.parametrize(
    "named",
    [
        "https://auth.example/.well-known/oauth-authorization-server/tenant",
        "https://auth.example/.well-known/openid-configuration/tenant",
        "https://auth.example/tenant/.well-known/openid-configuration",
    ],
)
def test_the_address_of_metadata_does_not_make_them_those_of_another_issuer(named: str) -> None:
    resource = resource_document(authorization_servers=[named])
    place = "https://auth.example/.well-known/oauth-authorization-server/tenant"
    error = fail(Web({RESOURCE_URL: resource, place: issuer_document("https://evil.example")}))
    assert '"https://auth.example/tenant" names another issuer' in error.cause


def test_blanks_around_what_is_published_are_not_a_part_of_it() -> None:
    plain = issuer_document()
    members = json.loads(plain.body)
    blank = {name: f" {one}\n" if isinstance(one, str) else one for name, one in members.items()}
    assert run(web_of({ISSUER_URL: document(blank)})) == run(web_of({ISSUER_URL: plain}))


@pytest.mark.parametrize("value", [7, {}, [{}], [[ISSUER]], [{"issuer": 7}]])
def test_a_list_of_authorization_servers_that_cannot_be_read_is_not_an_empty_one(
    value: object,
) -> None:
    error = fail(Web({RESOURCE_URL: resource_document(authorization_servers=value)}))
    assert "The authorization_servers in the metadata is not a list of texts" in error.cause


def test_a_flag_is_only_true_where_it_says_true() -> None:
    odd = issuer_document(client_id_metadata_document_supported="false")
    assert run(web_of({ISSUER_URL: odd})).server.client_id_metadata_document_supported is False


# Nothing published (MCP 2025-03-26) ----------------------------------------------------------


@pytest.mark.promise("A1")
def test_without_resource_metadata_the_origin_is_asked_and_no_resource_sent() -> None:
    web = Web({ORIGIN_URL: issuer_document(ORIGIN)})
    found = run(web)
    assert (found.resource, found.scopes_supported) == ("", None)
    assert (found.server.issuer, found.server.is_default) == (ORIGIN, False)
    assert web.asked == [RESOURCE_URL, RESOURCE_ROOT, ORIGIN_URL]


def test_a_resource_the_person_names_is_sent_there_too() -> None:
    web = Web({ORIGIN_URL: issuer_document(ORIGIN)})
    assert run(web, settings=SignInSettings(resource="api://mine")).resource == "api://mine"


@pytest.mark.promise("A1")
@pytest.mark.parametrize("answer", [page("no", 404), page("<html>our app</html>"), page("no", 405)])
def test_where_nothing_is_published_the_default_endpoints_are_used(answer: HttpResponse) -> None:
    found = run(Web(answer=lambda _: answer))
    assert found == Discovered(
        "",
        None,
        ServerMetadata(
            ORIGIN,
            f"{ORIGIN}/authorize",
            f"{ORIGIN}/token",
            f"{ORIGIN}/register",
            is_default=True,
            published_by=ORIGIN,
        ),
    )


@pytest.mark.report("O15")
@pytest.mark.parametrize("status", [401, 404, 405, 400, 403, 200, 302, 500])
def test_nobody_is_sent_to_a_guessed_page_that_is_not_there(status: int) -> None:
    """With a client that is registered already nothing else would show it before the tab."""
    guessed = f"{ORIGIN}/authorize"
    settings = SignInSettings(static_client=Secret('{"client_id": "mine"}'))
    web = Web({guessed: page("what it says", status)})
    if status not in (401, 404, 405):
        assert run(web, settings=settings).server.authorization_endpoint == guessed
        return
    error = fail(web, settings=settings)
    assert error.sentence() == (
        "The server wants a credential and does not name a sign-in: it does not publish metadata, "
        f"and a sign-in was not found at the usual address (HTTP {status} from {guessed}: "
        '"what it says"). '
        'If it wants a token, give it with --header "Authorization: Bearer ${TOKEN}".'
    )
    assert run(Web({guessed: NotSent("No.")}), settings=settings).server.is_default


def test_default_endpoints_are_as_safe_as_published_ones() -> None:
    error = fail(Web(), "http://10.0.0.5:8000/mcp")
    assert '"http://10.0.0.5:8000" must not be used: plain http' in error.cause


def test_metadata_at_the_origin_is_judged_like_any_other() -> None:
    error = fail(Web({ORIGIN_URL: issuer_document("https://other.example")}))
    assert "--trusted-issuer https://other.example" in error.hint
    assert ORIGIN_URL in error.cause


@pytest.mark.parametrize("servers", [None, []])
def test_resource_metadata_without_an_authorization_server_leads_to_the_origin(
    servers: object,
) -> None:
    resource = resource_document(authorization_servers=servers, scopes_supported=["a"])
    found = run(Web({RESOURCE_URL: resource, ORIGIN_URL: issuer_document(ORIGIN)}))
    assert (found.resource, found.scopes_supported, found.server.issuer) == (
        SERVER,
        ("a",),
        ORIGIN,
    )
    assert fail(Web({RESOURCE_URL: resource})).cause == (
        "The server's resource metadata does not name an authorization server."
    )


def test_a_server_that_names_metadata_it_does_not_have_gets_no_default_endpoints() -> None:
    named = f"{ORIGIN}/metadata"
    error = fail(Web(), challenge=Challenge(named))
    assert error.cause == (
        f"The server names {named} as resource metadata: not found "
        f'(HTTP 404 from {named}: "Not Found").'
    )
    web = Web({ORIGIN_URL: issuer_document(ORIGIN)})
    assert run(web, challenge=Challenge(named)).server.issuer == ORIGIN


# Outages -------------------------------------------------------------------------------------


@pytest.mark.promise("A1")
@pytest.mark.parametrize("place", [RESOURCE_URL, RESOURCE_ROOT, ORIGIN_URL])
@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (OUTAGE, 'HTTP 502 from {0}: "Bad gateway"'),
        (page("Slow down", 429), 'HTTP 429 from {0}: "Slow down"'),
        (NotSent("No such host."), "no answer from {0}: No such host"),
        (Interrupted("No answer in 5 seconds."), "no answer from {0}: No answer in 5 seconds"),
    ],
)
def test_an_outage_is_not_a_verdict_and_does_not_lead_to_default_endpoints(
    place: str, answer: Answer, evidence: str
) -> None:
    error = fail(Web({place: answer}))
    assert isinstance(error, SignInUnavailable)
    assert error.sentence() == (
        f"Sign-in discovery failed for now ({evidence.format(place)}). Try again later. "
        'If it wants a token, give it with --header "Authorization: Bearer ${TOKEN}".'
    )


def test_an_outage_of_the_authorization_server_is_told_as_such() -> None:
    assert isinstance(fail(web_of({ISSUER_URL: OUTAGE})), SignInUnavailable)


SILENT = Interrupted("No answer in 5 seconds.")


@pytest.mark.report("O5")
@pytest.mark.parametrize("answer", [SILENT, OUTAGE, Unusable("Too large.")])
@pytest.mark.parametrize("place", [RESOURCE_URL, RESOURCE_ROOT])
def test_a_guess_that_fails_fails_alone(place: str, answer: Answer) -> None:
    web = Web({place: answer, ORIGIN_URL: issuer_document(ORIGIN)})
    assert run(web).server.issuer == ORIGIN
    times = 1 if isinstance(answer, Unusable) else 2
    assert web.asked.count(place) == times, "once more at most"
    assert web.waits == ([REPEAT_PAUSE] if answer is OUTAGE else [])
    if times == 2:
        assert any(line.startswith("Going on without that: ") for line in web.reports)


@pytest.mark.report("O5")
@pytest.mark.parametrize("body", [{}, {"error": "not_found"}, {"message": "ok", "status": 404}])
def test_a_guessed_place_that_answers_everything_has_no_document(body: object) -> None:
    answers = {RESOURCE_URL: document(body), RESOURCE_ROOT: document(body)}
    assert run(Web({**answers, ORIGIN_URL: issuer_document(ORIGIN)})).server.issuer == ORIGIN
    named = Challenge(RESOURCE_URL)
    assert "as resource metadata: not found (HTTP 200" in fail(Web(answers), challenge=named).cause


@pytest.mark.report("O14")
def test_a_path_leads_to_metadata_at_the_server() -> None:
    web = Web({f"{ORIGIN}/prm": resource_document(), ISSUER_URL: issuer_document()})
    assert run(web, challenge=Challenge("/prm")).server.issuer == ISSUER
    assert web.asked[0] == f"{ORIGIN}/prm"


def late(url: str, problem: Answer, then: HttpResponse) -> Callable[[HttpRequest], Answer]:
    """A good resource, whose authorization server has nothing but a slow start."""
    asked: list[str] = []

    def answer(request: HttpRequest) -> Answer:
        if request.url == url:
            asked.append(url)
            return problem if len(asked) == 1 else then
        return resource_document() if request.url == RESOURCE_URL != url else NOT_FOUND

    return answer


@pytest.mark.report("O5")
@pytest.mark.parametrize("problem", [SILENT, OUTAGE, page("Slow down", 429)])
@pytest.mark.parametrize("place", [ISSUER_URL, OPENID_URL])
def test_metadata_of_a_server_that_starts_is_asked_for_once_more(
    place: str, problem: Answer
) -> None:
    web = Web(answer=late(place, problem, issuer_document()))
    assert run(web).server.issuer == ISSUER
    assert web.asked.count(place) == 2
    assert web.waits == ([] if problem is SILENT else [REPEAT_PAUSE])


@pytest.mark.report("O5")
@pytest.mark.parametrize(("said", "waited"), [("1", 3), ("7", 7), ("3600", 10), ("soon", 3)])
def test_an_outage_that_says_how_long_is_waited_for(said: str, waited: float) -> None:
    outage = HttpResponse(503, {"retry-after": said}, b"")
    web = Web(answer=late(ISSUER_URL, outage, issuer_document()))
    run(web)
    assert web.waits == [waited]


@pytest.mark.report("O5")
def test_what_is_named_has_more_time_than_what_is_guessed() -> None:
    named = f"{ORIGIN}/metadata"
    web = Web({named: NOT_FOUND, RESOURCE_URL: resource_document(), OPENID_URL: issuer_document()})
    run(web, challenge=Challenge(named))
    assert [(fetch.request.url, fetch.patience) for fetch in web.fetches] == [
        (named, 15),
        (RESOURCE_URL, 5),
        (ISSUER_URL, 15),
        (OPENID_URL, 5),
    ]
    web = Web(answer=late(OPENID_URL, SILENT, issuer_document()))
    run(web)
    assert [fetch.patience for fetch in web.fetches][-2:] == [5, 15]


@pytest.mark.report("O5")
def test_who_never_answers_is_not_waited_for_without_end() -> None:
    servers = [f"https://a{number}.example/tenant" for number in range(10)]
    resource = resource_document(authorization_servers=servers)
    web = Web(answer=lambda request: resource if request.url == RESOURCE_URL else SILENT)
    assert isinstance(fail(web), SignInUnavailable)
    assert sum(fetch.patience or 0 for fetch in web.fetches) <= MAX_SILENCE + 15
    web = Web(answer=lambda _: SILENT)
    fail(web)
    assert web.asked.count(RESOURCE_URL) == 2
    assert len(web.asked) == 6, "nothing a third time, and a second time until it is silent again"
    web = Web(answer=lambda _: NotSent("No such host."))
    fail(web)
    assert web.asked == [RESOURCE_URL, ORIGIN_URL], "nobody is there"


@pytest.mark.report("O5")
def test_requests_of_a_discovery_are_counted() -> None:
    servers = [f"https://a{number}.example/tenant" for number in range(MAX_AUTHORIZATION_SERVERS)]
    resource = resource_document(authorization_servers=servers)
    web = Web(answer=lambda request: resource if request.url == RESOURCE_URL else OUTAGE)
    fail(web)
    assert len(web.asked) <= MAX_DOCUMENTS


# Of several problems -------------------------------------------------------------------------


@pytest.mark.report("O26")
@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (NOT_FOUND, issuer_document("https://x.example"), "names another issuer"),
        (OUTAGE, issuer_document("https://x.example"), "names another issuer"),
        (SILENT, document({}), "does not name a valid issuer"),
        (Unusable("Too large."), document({}), "does not name a valid issuer"),
        (NOT_FOUND, Unusable("Too large."), "is not usable: Too large."),
        (OUTAGE, Unusable("Too large."), "is not usable: Too large."),
        (OUTAGE, NOT_FOUND, "failed for now (HTTP 502"),
        (SILENT, NOT_FOUND, "failed for now (no answer"),
        (NOT_FOUND, OUTAGE, "failed for now (HTTP 502"),
        (NOT_FOUND, SILENT, "does not publish metadata (HTTP 404"),
        (OUTAGE, SILENT, f"failed for now (HTTP 502 from {ISSUER_URL}"),
    ],
)
def test_the_most_telling_problem_is_told(first: Answer, second: Answer, told: str) -> None:
    error = fail(web_of({ISSUER_URL: first, OPENID_URL: second}))
    assert told in error.cause


@pytest.mark.report("O26")
def test_a_document_that_is_there_tells_more_than_the_way_to_it() -> None:
    """Also where it lies at the origin, and the resource metadata did not answer."""
    wrong = issuer_document("https://x.example")
    error = fail(Web({RESOURCE_URL: OUTAGE, ORIGIN_URL: wrong}))
    assert f'names another issuer, "https://x.example" (from {ORIGIN_URL}).' in error.cause


@pytest.mark.report("O26")
def test_a_place_that_leads_where_a_server_must_not_lead_us_is_told_unless_another_serves() -> None:
    border = SignInFailed(f"{ISSUER} leads to 10.0.0.1, a private network.", hint="Allow it.")
    error = fail(web_of({ISSUER_URL: border, OPENID_URL: OUTAGE}))
    assert error.sentence() == border.sentence()
    web = web_of({ISSUER_URL: border, OPENID_URL: issuer_document()})
    assert run(web).server.issuer == ISSUER
    assert web.asked.count(ISSUER_URL) == 1


@pytest.mark.report("O26")
def test_problems_are_ranked() -> None:
    assert [rank.name for rank in sorted(Telling)] == [
        "SILENT",
        "ABSENT",
        "FOREIGN",
        "FAILING",
        "NOT_OURS",
        "CUT_OFF",
        "UNFIT",
        "WRONG",
    ]
    problems = [Problem(Telling(rank), SignInFailed(str(rank))) for rank in (1, 3, 3, 0)]
    assert most_telling(problems) is problems[1], "the first of equals"
    assert most_telling([]) is None


def test_what_cannot_be_taken_is_not_an_outage() -> None:
    problem: McpRemoteError = Unusable(f"The answer is larger than {MAX_BODY_BYTES} bytes.")
    error = fail(web_of({ISSUER_URL: problem}))
    assert not isinstance(error, SignInUnavailable)
    assert f"{ISSUER_URL} is not usable: The answer is larger than" in error.cause


# Nobody has asked ----------------------------------------------------------------------------


HINTED = HttpResponse(
    401, {"www-authenticate": f'Bearer resource_metadata="{ORIGIN}/about.json"'}, b""
)


def offer(web: Web, settings: SignInSettings | None = None) -> str | None:
    return web.play(find_offer(SERVER, settings or SignInSettings()))


@pytest.mark.promise("A1")
@pytest.mark.parametrize("place", [RESOURCE_URL, RESOURCE_ROOT])
def test_a_server_that_answers_without_a_sign_in_may_publish_one(place: str) -> None:
    web = Web({place: resource_document()})
    assert offer(web) == ""
    assert SERVER not in web.asked


@pytest.mark.promise("A1")
def test_or_it_names_one_to_who_asks_for_nothing() -> None:
    web = Web({SERVER: HINTED, f"{ORIGIN}/about.json": resource_document()})
    assert offer(web) == HINTED.headers["www-authenticate"]
    assert [one.request.method for one in web.fetches] == ["GET"] * len(web.fetches)


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    "answers",
    [
        {},
        {RESOURCE_URL: resource_document(authorization_servers=[])},
        {RESOURCE_URL: page("<html>everything is here</html>")},
        {SERVER: HttpResponse(401, {"www-authenticate": "Bearer"}, b"")},
        {SERVER: HINTED},
        {SERVER: Interrupted("It streams.")},
        {SERVER: NotSent("It is gone.")},
    ],
)
def test_who_publishes_nothing_offers_nothing(answers: Mapping[str, Answer]) -> None:
    assert offer(Web(answers)) is None


@pytest.mark.promise("A1", "P2")
def test_what_is_published_and_cannot_be_used_is_no_offer_and_is_said() -> None:
    web = Web({RESOURCE_URL: resource_document(resource="https://mcp.example/other")})
    assert offer(web) is None
    assert web.reports[0].startswith(
        "What the server publishes of a sign-in is of no use: The server's resource metadata is "
        'for "https://mcp.example/other"'
    )


@pytest.mark.report("O13")
def test_endpoints_that_the_person_named_are_an_offer() -> None:
    web = Web()
    assert offer(web, SignInSettings(token_endpoint=f"{ISSUER}/token")) == ""
    assert web.asked == []
