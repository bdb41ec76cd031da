"""Sign-ins without a person, request by request: what goes to which endpoint, and when it ends.

Must not know how endpoints were found, or where files are.
"""

from __future__ import annotations

import base64
import json
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mcp_remote_py.errors import McpRemoteError, NotSent, SignInFailed, UsageError
from mcp_remote_py.oauth.ownership import Named
from mcp_remote_py.oauth.steps import (
    AnyStep,
    Client,
    Conversation,
    Credential,
    Fetch,
    HttpResponse,
    ReadNamedFile,
    Report,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.oauth.unattended import (
    ASSERTION_LIFETIME,
    obtain_tokens,
    read_assertion,
    sign,
)
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.sign_in import SIGNING_ALGORITHMS
from mcp_remote_py.settings.unattended import (
    ClientKey,
    IdentityProvider,
    Unattended,
    WorkloadJwt,
)
from tests.oauth.player import make_jwt, play

NOW = 1_800_000_000.0
TOKENS = {"access_token": "canary-access", "token_type": "Bearer", "expires_in": 60}
WORKLOAD_JWT = make_jwt(aud="https://as.example.com", jti="canary")
AGENT = Credential(
    issuer="https://as.example.com",
    token_endpoint="https://as.example.com/token",
    client=Client("agent", "static", Secret("canary-client-secret"), "client_secret_basic"),
    resource="https://mcp.example.com/mcp",
    scope="read write",
)
PROVIDER = Unattended(IdentityProvider("https://idp.example.com/token", "desktop", "/run/id_token"))
EC_KEY = ECKey.generate_key("P-256")


def pem(key: ECKey | RSAKey | OKPKey) -> Secret:
    return Secret(key.as_pem(private=True).decode())


def answer(document: object, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(document).encode())


class World:
    """Files and endpoints, and what was sent to these."""

    def __init__(
        self, *answers: HttpResponse | McpRemoteError, file: object = WORKLOAD_JWT
    ) -> None:
        self._answers = list(answers)
        self._file = file
        self.read: list[ReadNamedFile] = []
        self.fetched: list[Fetch] = []

    def __call__(self, step: AnyStep) -> object:
        match step:
            case ReadNamedFile():
                self.read.append(step)
                return (
                    self._file
                    if isinstance(self._file, McpRemoteError)
                    else Secret(str(self._file))
                )
            case Fetch():
                self.fetched.append(step)
                return self._answers.pop(0)
            case Report():
                return None
            case _:
                raise AssertionError(step)

    def form(self, number: int = 0) -> dict[str, str]:
        body = self.fetched[number].request.body
        assert body is not None
        return dict(parse_qsl(body.reveal(), keep_blank_values=True))

    def header(self, name: str, number: int = 0) -> str:
        headers = {key.lower(): value for key, value in self.fetched[number].request.headers}
        found = headers.get(name)
        return "" if found is None else found.reveal()


NAMED = Named(("https://as.example.com",))


def obtain(
    world: World, how: Unattended, credential: Credential = AGENT, named: Named = NAMED
) -> Credential:
    return play(_obtain(how, credential, named), world)


def _obtain(how: Unattended, credential: Credential, named: Named) -> Conversation[Credential]:
    jwt = yield from read_assertion(how)
    return (yield from obtain_tokens(credential, how, named, jwt, sevens, NOW))


def sevens(count: int) -> bytes:
    return b"\x07" * count


# ------------------------------------------------------------------------- client credentials


@pytest.mark.promise("A3")
def test_a_client_proves_itself_by_its_secret() -> None:
    world = World(answer(TOKENS))
    credential = obtain(world, Unattended())
    assert world.form() == {
        "grant_type": "client_credentials",
        "scope": "read write",
        "resource": "https://mcp.example.com/mcp",
    }
    basic = base64.b64encode(b"agent:canary-client-secret").decode()
    assert world.header("authorization") == f"Basic {basic}"
    assert credential.access_token == Secret("canary-access")
    assert credential.refresh_token is None
    assert credential.expires_at == NOW + 60


@pytest.mark.promise("A3")
def test_a_client_may_send_its_secret_in_the_form() -> None:
    world = World(answer(TOKENS))
    client = AGENT.client._replace(token_endpoint_auth_method="client_secret_post")
    obtain(world, Unattended(), AGENT._replace(client=client, scope="", resource=""))
    assert world.form() == {
        "grant_type": "client_credentials",
        "client_id": "agent",
        "client_secret": "canary-client-secret",
    }


BY_KEY = AGENT._replace(client=Client("agent", "static", None, "private_key_jwt"))


@pytest.mark.promise("A3")
def test_a_client_proves_itself_by_its_key() -> None:
    world = World(answer(TOKENS))
    obtain(world, Unattended(key=ClientKey(pem(EC_KEY))), BY_KEY)
    form = world.form()
    assert form["client_id"] == "agent"
    assert form["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    decoded = jwt.decode(form["client_assertion"], EC_KEY, algorithms=["ES256"])
    assert decoded.claims == {
        "iss": "agent",
        "sub": "agent",
        "aud": "https://as.example.com",
        "iat": int(NOW),
        "exp": int(NOW) + ASSERTION_LIFETIME,
        "jti": base64.urlsafe_b64encode(b"\x07" * 32).rstrip(b"=").decode(),
    }
    assert form["client_assertion"] not in scrub_known(f"x {form['client_assertion']} x")
    assert world.header("authorization") == ""


KEYS: dict[str, ECKey | RSAKey | OKPKey] = {
    "ES256": EC_KEY,
    "ES384": ECKey.generate_key("P-384"),
    "ES512": ECKey.generate_key("P-521"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    **dict.fromkeys(
        ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAKey.generate_key(2048)
    ),
}


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_every_algorithm_signs(algorithm: str) -> None:
    key = KEYS[algorithm]
    token = sign({"a": 1}, pem(key), algorithm).reveal()
    assert jwt.decode(token, key, algorithms=[algorithm]).claims == {"a": 1}


def test_a_key_may_be_a_jwk() -> None:
    plain = EC_KEY.as_dict(private=True)
    for key, header in ((plain, {}), ({**plain, "kid": "k1"}, {"kid": "k1"})):
        token = sign({"a": 1}, Secret(json.dumps(key)), "ES256").reveal()
        decoded = jwt.decode(token, EC_KEY, algorithms=["ES256"])
        assert decoded.header == {"alg": "ES256", "typ": "JWT", **header}


LOCKED: str = (
    cast("Any", EC_KEY.raw_value)
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    .decode()
)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (pem(EC_KEY), "RS256"),
        (pem(EC_KEY), "ES384"),
        (Secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"), "ES256"),
        (Secret(LOCKED), "ES256"),
        (Secret('{"kty":"EC"}'), "ES256"),
        (Secret("{"), "ES256"),
    ],
)
def test_a_key_that_does_not_fit_is_the_persons_to_mend(key: Secret, algorithm: str) -> None:
    with pytest.raises(UsageError) as refused:
        sign({}, key, algorithm)
    assert refused.value.cause.startswith(f"--private-key cannot sign with {algorithm} (")
    assert refused.value.hint == "Name the algorithm of the key with --signing-alg."
    assert key.reveal() not in refused.value.sentence()


# ------------------------------------------------------------------------- the workload's JWT


@pytest.mark.promise("A3")
@pytest.mark.parametrize("client_id", ["agent", ""])
def test_a_workload_gives_its_jwt(client_id: str) -> None:
    world = World(answer(TOKENS), file=f"{WORKLOAD_JWT}\n")
    credential = AGENT._replace(client=Client(client_id, "static"))
    obtain(world, Unattended(WorkloadJwt("/run/jwt")), credential)
    form = world.form()
    assert form.pop("client_id", "") == client_id
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": WORKLOAD_JWT,
        "scope": "read write",
        "resource": "https://mcp.example.com/mcp",
    }
    assert world.read == [ReadNamedFile("/run/jwt", "--jwt-bearer")]
    assert WORKLOAD_JWT not in scrub_known(f"x {WORKLOAD_JWT} x")


@pytest.mark.parametrize("text", ["", "no jwt", "a.b", "a.b.ü"])
def test_a_file_without_a_jwt_is_the_persons_to_mend(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        obtain(World(file=text), Unattended(WorkloadJwt("/run/jwt")))
    assert refused.value.sentence() == (
        "--jwt-bearer /run/jwt does not contain a JWT (three parts separated by dots). "
        "Check what writes that file."
    )


def test_a_file_that_cannot_be_read_ends_it() -> None:
    missing = UsageError("--jwt-bearer: cannot read /run/jwt: No such file or directory.")
    with pytest.raises(UsageError, match="cannot read"):
        obtain(World(file=missing), Unattended(WorkloadJwt("/run/jwt")))


# ------------------------------------------------------------------------- a company's provider


@pytest.mark.promise("A3")
def test_a_provider_gives_the_grant_for_the_other_server() -> None:
    jag = {"access_token": "canary-id-jag", "token_type": "N_A", "issued_token_type": "x"}
    world = World(answer(jag), answer(TOKENS))
    credential = obtain(world, PROVIDER)
    assert [fetch.request.url for fetch in world.fetched] == [
        "https://idp.example.com/token",
        "https://as.example.com/token",
    ]
    assert world.form(0) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        "audience": "https://as.example.com",
        "resource": "https://mcp.example.com/mcp",
        "scope": "read write",
        "subject_token": WORKLOAD_JWT,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "client_id": "desktop",
    }
    assert world.form(1) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "canary-id-jag",
        "scope": "read write",
    }
    assert world.header("authorization", 0) == ""
    assert world.header("authorization", 1).startswith("Basic ")
    assert credential.access_token == Secret("canary-access")


@pytest.mark.promise("S2")
@pytest.mark.report("S2")
@pytest.mark.parametrize(
    ("grant", "named", "is_sent"),
    [
        (make_jwt(aud="https://as.example.com"), Named(), True),
        (make_jwt(aud=["https://as.example.com/", "x"]), Named(), True),
        (make_jwt(aud="https://as.example.com/token"), Named(), True),
        (make_jwt(aud="https://another.example"), Named(), False),
        (make_jwt(aud="https://another.example"), NAMED, False),
        (make_jwt(aud="https://another.example"), Named((), AGENT.token_endpoint), False),
        (make_jwt(), Named(), False),
        ("canary-opaque", Named(), False),
        ("canary-opaque", NAMED, True),
        ("canary-opaque", Named((), AGENT.token_endpoint), True),
    ],
)
def test_a_grant_goes_to_whom_it_was_asked_for(grant: str, named: Named, is_sent: bool) -> None:
    jag = {"access_token": grant, "token_type": "N_A", "issued_token_type": "x"}
    world = World(answer(jag), answer(TOKENS))
    if is_sent:
        obtain(world, PROVIDER, named=named)
        assert world.form(1)["assertion"] == grant
    else:
        with pytest.raises(SignInFailed, match="The grant of the identity provider") as caught:
            obtain(world, PROVIDER, named=named)
        assert len(world.fetched) == 1
        assert grant not in caught.value.sentence()


@pytest.mark.report("S2", "S3")
def test_nothing_is_sent_to_who_only_claims_to_be_the_issuer() -> None:
    """As a record of 0.1.0 may say it."""
    claimed = AGENT._replace(token_endpoint="https://x.example/token")
    for how in (Unattended(WorkloadJwt("/run/jwt")), PROVIDER):
        grant = answer({"access_token": WORKLOAD_JWT, "token_type": "N_A"})
        world = World(grant, answer(TOKENS))
        with pytest.raises(SignInFailed):
            obtain(world, how, claimed)
        assert all(fetch.request.url != claimed.token_endpoint for fetch in world.fetched)


ID_TOKEN = "e30.eyJpc3MiOiJodHRwczovL2lkcCIsImF1ZCI6ImRlc2t0b3AiLCJleHAiOjB9.c2ln"
"""Of https://idp for `desktop`, and long expired."""

WRITTEN_ANEW = (
    "Have --idp-id-token written anew: it must be an ID token of this provider for --idp-client-id."
)


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("invalid_grant", 400, WRITTEN_ANEW),
        ("invalid_request", 400, WRITTEN_ANEW),
        (
            "invalid_client",
            401,
            "Check --idp-client-id, which must be allowed there to exchange ID tokens.",
        ),
        (
            "invalid_target",
            400,
            "Whoever runs the identity provider must allow this client, and this account, the "
            'authorization server "https://as.example.com".',
        ),
        (
            "unsupported_grant_type",
            400,
            "Check --idp-token-endpoint: it does not give grants for ID tokens.",
        ),
        ("invalid_scope", 400, "Name the scopes it knows with --scope."),
        ("invalid_grant", 503, "Nothing that is stored is lost: try again later."),
    ],
)
def test_a_provider_that_refuses_is_told_from_the_server(code: str, status: int, hint: str) -> None:
    world = World(answer({"error": code}, status), file=ID_TOKEN)
    with pytest.raises(TokenError) as refused:
        obtain(world, PROVIDER)
    assert refused.value.cause.startswith("The identity provider https://idp.example.com/token ")
    assert refused.value.hint == hint
    shows_token = (
        "The JWT of --idp-id-token /run/id_token was issued by https://idp (iss), is for desktop "
        "(aud), and expired 20833 days ago by this machine's clock."
    )
    assert (shows_token in refused.value.cause) == (code in ("invalid_grant", "invalid_request"))
    assert ID_TOKEN not in refused.value.sentence()


@pytest.mark.promise("P2")
def test_a_server_that_refuses_the_providers_grant_is_told_from_the_provider() -> None:
    grant = make_jwt(iss="https://idp", aud=AGENT.issuer, exp=0)
    jag = {"access_token": grant, "token_type": "N_A", "issued_token_type": "x"}
    world = World(answer(jag), answer({"error": "invalid_grant"}, 400))
    with pytest.raises(GrantRefused) as refused:
        obtain(world, PROVIDER)
    assert refused.value.sentence() == (
        "The authorization server's token endpoint https://as.example.com/token refused "
        "(HTTP 400: invalid_grant). The grant of the identity provider was issued by https://idp "
        "(iss), is for https://as.example.com (aud), and expired 20833 days ago by this machine's "
        "clock. Check that this server trusts the identity provider, and that the provider makes "
        'its grants out to "https://as.example.com".'
    )


# ------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("how", [Unattended(), Unattended(WorkloadJwt("/run/jwt"))])
@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (answer({"error": "unauthorized_client"}, 400), GrantRefused),
        (answer({"error": "invalid_scope"}, 400), TokenError),
        (answer({"error": "server_error"}, 500), TokenError),
        (NotSent("The server cannot be reached."), NotSent),
    ],
)
def test_what_the_endpoint_refuses_is_asked_once(
    refusal: Any, kind: type[McpRemoteError], how: Unattended
) -> None:
    world = World(refusal)
    with pytest.raises(kind) as refused:
        obtain(world, how)
    assert len(world.fetched) == 1
    assert "canary" not in refused.value.sentence()


@pytest.mark.report("O9")
@pytest.mark.parametrize("how", [Unattended(), Unattended(WorkloadJwt("/run/jwt"))])
def test_a_client_that_is_not_known_is_sent_in_each_way_once(how: Unattended) -> None:
    refusal = answer({"error": "invalid_client"}, 401)
    world = World(refusal, refusal)
    with pytest.raises(GrantRefused) as refused:
        obtain(world, how)
    assert [world.header("authorization", n) != "" for n in range(2)] == [True, False]
    assert refused.value.sentence() == (
        "The token endpoint https://as.example.com/token refused (HTTP 401: invalid_client). "
        "The client was sent by Basic and in the body. "
        "Check client_id and client_secret in --static-oauth-client-info."
    )
    world = World(refusal, answer(TOKENS))
    client = obtain(world, how).client
    assert client == AGENT.client._replace(token_endpoint_auth_method="client_secret_post")


CHECK_KEY = (
    "Check --private-key, whose public half the server must know for this client; --signing-alg, "
    "which is ES256; and this machine's clock."
)
BY_JWT = Unattended(WorkloadJwt("/run/jwt"))
NO_CLIENT = AGENT._replace(client=Client("", "static"))
BY_ADDRESS = BY_KEY._replace(issuer=BY_KEY.token_endpoint)


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("how", "credential", "code", "hint"),
    [
        (Unattended(key=ClientKey(pem(EC_KEY))), BY_KEY, "invalid_client", CHECK_KEY),
        (
            Unattended(key=ClientKey(pem(EC_KEY))),
            BY_ADDRESS,
            "invalid_client",
            f"{CHECK_KEY} And leave out --token-endpoint: the proof is made out to that address, "
            "and the server may want its issuer's.",
        ),
        (
            Unattended(),
            BY_KEY,
            "invalid_client",
            "Add --private-key: this client has signed in with one before.",
        ),
        (
            Unattended(),
            AGENT,
            "invalid_client",
            "Check client_id and client_secret in --static-oauth-client-info.",
        ),
        (
            BY_JWT,
            NO_CLIENT,
            "invalid_client",
            "It may want a client beside the JWT: name it with --static-oauth-client-info.",
        ),
        (
            Unattended(),
            AGENT,
            "unauthorized_client",
            "Whoever runs that server must allow this client the grant client_credentials.",
        ),
        (
            BY_JWT,
            AGENT,
            "unsupported_grant_type",
            "That server does not know the grant urn:ietf:params:oauth:grant-type:jwt-bearer: ask "
            "whoever runs it for another.",
        ),
        (
            BY_JWT,
            AGENT,
            "invalid_grant",
            'Have --jwt-bearer written anew: its JWT must be for "https://as.example.com", and of '
            "an issuer and a key which that server knows.",
        ),
        (Unattended(), AGENT, "invalid_scope", "Name the scopes it knows with --scope."),
    ],
)
def test_the_next_step_is_one_for_an_agent(
    how: Unattended, credential: Credential, code: str, hint: str
) -> None:
    with pytest.raises(TokenError) as refused:
        obtain(World(*[answer({"error": code}, 400)] * 2), how, credential)
    assert refused.value.hint == hint


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("how", "credential"), [(Unattended(key=ClientKey(pem(EC_KEY))), BY_KEY), (BY_JWT, AGENT)]
)
def test_a_clock_that_differs_comes_before_all_else(
    how: Unattended, credential: Credential
) -> None:
    code = "invalid_grant" if isinstance(how.grant, WorkloadJwt) else "invalid_client"
    body = json.dumps({"error": code}).encode()
    world = World(HttpResponse(400, {"date": "Fri, 15 Jan 2027 08:10:00 GMT"}, body))
    with pytest.raises(GrantRefused, match="Its clock is 600 seconds ahead of this") as refused:
        obtain(world, how, credential)
    assert refused.value.hint == (
        "Set this machine's clock; if it is right, tell whoever runs that server."
    )
