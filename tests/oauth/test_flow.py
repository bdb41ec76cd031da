"""The order of a sign-in, played against a written authorization server that checks what it gets.

What is asserted: how many tabs, registrations and token requests there are, and what is stored
after each way a sign-in can end.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey

from mcp_remote_py.errors import (
    Interrupted,
    McpRemoteError,
    NotSent,
    SignInFailed,
    SignInUnavailable,
)
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.claims import read_claims
from mcp_remote_py.oauth.flow import (
    abandon,
    conclude,
    finish,
    prepare,
    renew,
    sign_in_elsewhere,
    sign_in_unattended,
)
from mcp_remote_py.oauth.grants import AuthorizationRefused, SignInDenied
from mcp_remote_py.oauth.prompts import NEEDED
from mcp_remote_py.oauth.steps import (
    AcquireLock,
    AnyStep,
    AskUser,
    BindListener,
    Callback,
    Client,
    Conversation,
    Credential,
    Fetch,
    Forget,
    HttpRequest,
    HttpResponse,
    Judge,
    Load,
    NobodyCame,
    ReadNamedFile,
    ReleaseLock,
    Report,
    Reserve,
    Save,
    Wait,
    drop_tokens,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import ClientKey, Unattended, WorkloadJwt
from tests.oauth.player import make_jwt, play

NOW = 1_800_000_000.0
SERVER = "https://mcp.example.com/mcp"
METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
ISSUER = "https://as.example.com"
REDIRECT_URIS = ("http://localhost:3334/oauth/callback", "http://127.0.0.1:3334/oauth/callback")
CHALLENGE = Challenge(resource_metadata=METADATA)
STEP_UP = Challenge(resource_metadata=METADATA, scope="write", error="insufficient_scope")
CODE = "canary-flow-code"
STATIC = SignInSettings(static_client=Secret('{"client_id": "by-hand"}'))


def response(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(document).encode())


EC_KEY = ECKey.generate_key("P-256").as_pem(private=True).decode()


class World:
    """The servers, the person, the listener and the store, each as a few lines."""

    def __init__(self, stored: Credential | None = None) -> None:
        self.stored = stored
        self.steps: list[AnyStep] = []
        self.known_clients = {"old-client", "by-hand"}
        self.registrations: list[dict[str, object]] = []
        self.preflights: list[dict[str, str]] = []
        self.token_requests: list[dict[str, str]] = []
        self.asked: dict[str, str] = {}
        self.callback: dict[str, str] | McpRemoteError = {"code": CODE, "iss": ISSUER}
        self.tokens: HttpResponse | McpRemoteError = response(
            200,
            {
                "access_token": "canary-flow-access",
                "refresh_token": "canary-flow-refresh",
                "expires_in": 3600,
            },
        )
        self.before_token: Callable[[], object] = lambda: None
        self.after_registration: Callable[[], object] = lambda: None
        self.is_store_free = True
        self.is_locked = False
        self.save_error: McpRemoteError | None = None
        self.verdict: McpRemoteError | None = None
        self.file = Secret("")
        self.bytes_given = 0
        self.device_endpoint = True
        self.publishes = True
        self.metadata: dict[str, object] = {}
        """What the authorization server publishes otherwise."""
        self.device_answer = response(
            200,
            {
                "device_code": "canary-flow-device",
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{ISSUER}/device",
                "expires_in": 1800,
            },
        )

    def random_bytes(self, count: int) -> bytes:
        self.bytes_given += 1
        return hashlib.shake_256(str(self.bytes_given).encode()).digest(count)

    def __call__(self, step: AnyStep) -> object:
        self.steps.append(step)
        match step:
            case Fetch(request):
                return self.respond(request)
            case BindListener():
                return REDIRECT_URIS
            case AskUser():
                return self.ask(step)
            case Load() | Save() | Forget() | AcquireLock() | ReleaseLock():
                return self.keep(step)
            case ReadNamedFile():
                return self.file
            case Wait() | Reserve() | Judge():
                return self.verdict if isinstance(step, Judge) else None
            case _:
                assert isinstance(step, Report), "the person is told in sentences"
                assert "canary" not in step.text
                assert step.text.isprintable()
                assert step.text.endswith((".", "?"))
        return None

    def keep(self, step: Load | Save | Forget | AcquireLock | ReleaseLock) -> object:
        match step:
            case Load():
                return self.stored
            case Save(credential):
                # Later steps are played by whoever has taken the lock before.
                assert self.is_locked or credential.tokens or self.asked or self.token_requests
                if self.save_error is None:
                    self.stored = credential
                return self.save_error
            case Forget():
                self.stored = None
            case AcquireLock():
                self.is_locked = self.is_store_free
                return self.is_store_free
            case ReleaseLock():
                self.is_locked = False
        return None

    def respond(self, request: HttpRequest) -> object:
        url = request.url.partition("?")[0]
        query = dict(parse_qsl(urlsplit(request.url).query))
        body = "" if request.body is None else request.body.reveal()
        if not self.publishes and "/.well-known/" in url:
            return response(404, {})
        if url == METADATA:
            return response(
                200,
                {
                    "resource": SERVER,
                    "authorization_servers": [ISSUER],
                    "scopes_supported": ["read"],
                },
            )
        if url == f"{ISSUER}/.well-known/oauth-authorization-server":
            device = {"device_authorization_endpoint": f"{ISSUER}/device_authorization"}
            endpoints = {
                **(device if self.device_endpoint else {}),
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "registration_endpoint": f"{ISSUER}/register",
                "revocation_endpoint": f"{ISSUER}/revoke",
            }
            return response(
                200,
                {
                    "issuer": ISSUER,
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "authorization_response_iss_parameter_supported": True,
                    "scopes_supported": ["read", "offline_access"],
                    **endpoints,
                    **self.metadata,
                },
            )
        if url == f"{ISSUER}/register":
            asked = json.loads(body)
            self.registrations.append(asked)
            name = f"client-{len(self.registrations)}"
            self.known_clients.add(name)
            self.after_registration()
            return response(201, {**asked, "client_id": name})
        if url == f"{ISSUER}/authorize":
            self.preflights.append(query)
            known = query["client_id"] in self.known_clients
            return response(200 if known else 400, {} if known else {"error": "invalid_client"})
        if url == f"{ISSUER}/device_authorization":
            return self.device_answer
        assert url in (f"{ISSUER}/token", f"{ISSUER}/another"), f"nobody may ask {url}"
        self.token_requests.append(dict(parse_qsl(body)))
        self.before_token()
        return self.tokens

    def ask(self, step: AskUser) -> object:
        assert not self.asked, "one tab"
        pending = step.pending
        assert pending.server_name == "mcp.example.com"
        assert pending.url.startswith(f"{ISSUER}/authorize?")
        self.asked = dict(parse_qsl(urlsplit(pending.url).query))
        assert self.asked["state"] == pending.state.reveal()
        if isinstance(self.callback, McpRemoteError):
            return self.callback
        return Callback({"state": pending.state.reveal(), **self.callback})

    def sign_in(
        self, challenge: Challenge = CHALLENGE, settings: SignInSettings | None = None
    ) -> Credential:
        given = SignInSettings() if settings is None else settings
        if given.unattended is not None:
            return play(self._sign_in_unattended(challenge, given), self)
        if given.device_code:
            return play(self._ask_elsewhere(challenge, given), self)
        return play(self._ask(challenge, given), self)

    def _ask_elsewhere(
        self, challenge: Challenge, settings: SignInSettings
    ) -> Conversation[Credential]:
        credential = yield from sign_in_elsewhere(
            SERVER, challenge, settings, lambda: NOW, self._about_to_ask
        )
        return (yield from conclude(credential, settings))

    def _sign_in_unattended(
        self, challenge: Challenge, settings: SignInSettings
    ) -> Conversation[Credential]:
        assert settings.unattended is not None
        credential = yield from sign_in_unattended(
            SERVER, challenge, settings, settings.unattended, self.random_bytes, lambda: NOW
        )
        return (yield from conclude(credential, settings))

    def _about_to_ask(self) -> Conversation[None]:
        yield Report("Now the person is asked.")

    def _ask(self, challenge: Challenge, settings: SignInSettings) -> Conversation[Credential]:
        """The three pieces in their order."""
        pending = yield from prepare(SERVER, challenge, settings, self.random_bytes, lambda: NOW)
        assert pending.expires_at == NOW + settings.timeout
        try:
            callback = cast("Callback", (yield AskUser(pending)))
        except NobodyCame:
            yield from abandon(pending)
            raise
        return (yield from finish(pending, callback, settings, NOW))

    def renew(self, credential: Credential, settings: SignInSettings | None = None) -> Credential:
        return play(renew(credential, settings or SignInSettings(), os.urandom, NOW), self)

    @property
    def reports(self) -> list[str]:
        return [step.text for step in self.steps if isinstance(step, Report)]

    def order(self, *kinds: type[object]) -> list[str]:
        return [type(step).__name__ for step in self.steps if isinstance(step, kinds)]


def old_client(name: str = "old-client", origin: str = "registered") -> Client:
    return Client(name, origin, redirect_uris=REDIRECT_URIS)


REGISTERED = Credential(
    issuer=ISSUER,
    token_endpoint=f"{ISSUER}/token",
    client=old_client(),
    redirect_uri=REDIRECT_URIS[0],
    resource=SERVER,
    scope="read offline_access",
    revocation_endpoint=f"{ISSUER}/revoke",
    published_by=ISSUER,
    endpoints=tuple(
        f"{ISSUER}/{name}"
        for name in ("authorize", "token", "register", "revoke", "device_authorization")
    ),
)
SIGNED_IN = REGISTERED._replace(
    access_token=Secret("canary-old-access"),
    refresh_token=Secret("canary-old-refresh"),
    obtained_at=NOW - 4000,
    expires_at=NOW - 400,
)


# Signing in ----------------------------------------------------------------------------------


@pytest.mark.promise("A2", "A4")
def test_registration_is_not_stored_over_tokens_that_somebody_stored_meanwhile() -> None:
    world = World()
    world.after_registration = lambda: setattr(world, "stored", SIGNED_IN)
    world.callback = NobodyCame("Nobody came.", hint="Try again.")
    with pytest.raises(NobodyCame):
        world.sign_in()
    assert world.stored == SIGNED_IN


@pytest.mark.promise("A2", "A4")
def test_registration_is_not_stored_while_another_process_has_the_store() -> None:
    world = World()
    world.is_store_free = False
    world.callback = NobodyCame("Nobody came.", hint="Try again.")
    with pytest.raises(NobodyCame):
        world.sign_in()
    assert world.stored is None
    assert "Save" not in world.order(Save)


@pytest.mark.promise("A1", "A2", "A3", "L1")
def test_first_sign_in_registers_asks_once_and_saves() -> None:
    world = World()
    credential = world.sign_in()
    assert credential == REGISTERED._replace(
        client=Client("client-1", "registered", redirect_uris=REDIRECT_URIS),
        access_token=Secret("canary-flow-access"),
        refresh_token=Secret("canary-flow-refresh"),
        obtained_at=NOW,
        expires_at=NOW + 3600,
    )
    assert world.stored == credential
    assert len(world.registrations) == len(world.token_requests) == 1
    assert world.preflights == []
    # The listener before the registration, the client safe before the person is asked.
    kinds = (BindListener, AcquireLock, Load, Save, ReleaseLock, AskUser)
    locked = ["AcquireLock", "Load", "Save", "ReleaseLock"]
    assert world.order(*kinds) == ["BindListener", "Load", *locked, "AskUser", "Save"]
    asked, got = world.asked, world.token_requests[0]
    challenge = hashlib.sha256(got["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
    assert asked["scope"] == "read offline_access"
    assert asked["resource"] == got["resource"] == SERVER
    assert asked["redirect_uri"] == got["redirect_uri"] == REDIRECT_URIS[0]
    assert asked["client_id"] == got["client_id"] == "client-1"
    assert got["code"] == CODE


@pytest.mark.report("O9")
@pytest.mark.parametrize("how", [None, Unattended()])
def test_a_client_made_by_hand_is_sent_as_it_worked_last(how: Unattended | None) -> None:
    info = {"client_id": "by-hand", "client_secret": "canary-hand", "issuer": ISSUER}
    settings = SignInSettings(static_client=Secret(json.dumps(info)), unattended=how)
    in_body = Client("by-hand", "static", Secret("canary-hand"), "client_secret_post")
    world = World(REGISTERED._replace(client=in_body))
    assert world.sign_in(settings=settings).client == in_body
    assert world.token_requests[0]["client_secret"] == "canary-hand"
    world = World(REGISTERED._replace(client=in_body, issuer="https://another.example"))
    assert (
        world.sign_in(settings=settings).client.token_endpoint_auth_method != "client_secret_post"
    )


@pytest.mark.report("O9")
def test_how_a_client_became_known_is_kept_where_the_code_was_spent_for_it() -> None:
    info = {"client_id": "by-hand", "client_secret": "canary-hand", "issuer": ISSUER}
    settings = SignInSettings(static_client=Secret(json.dumps(info)))
    world = World()

    def judge() -> None:
        in_body = "client_secret" in world.token_requests[-1]
        error = "invalid_grant" if in_body else "invalid_client"
        world.tokens = response(400, {"error": error})

    world.before_token = judge
    with pytest.raises(GrantRefused, match="invalid_grant"):
        world.sign_in(settings=settings)
    assert world.stored is not None
    assert world.stored.access_token is None
    assert world.stored.client.token_endpoint_auth_method == "client_secret_post"
    again = World(world.stored)
    again.sign_in(settings=settings)
    assert [one.get("client_secret") for one in again.token_requests] == ["canary-hand"]


@pytest.mark.promise("A2")
@pytest.mark.report("O9")
def test_how_a_client_became_known_does_not_replace_a_sign_in_of_somebody_else() -> None:
    info = {"client_id": "by-hand", "client_secret": "canary-hand", "issuer": ISSUER}
    settings = SignInSettings(static_client=Secret(json.dumps(info)))
    world = World()

    def judge() -> None:
        in_body = "client_secret" in world.token_requests[-1]
        world.tokens = response(400, {"error": "invalid_grant" if in_body else "invalid_client"})
        world.stored = SIGNED_IN

    world.before_token = judge
    with pytest.raises(GrantRefused, match="invalid_grant"):
        world.sign_in(settings=settings)
    assert world.stored == SIGNED_IN


@pytest.mark.promise("S2")
def test_secrets_of_a_sign_in_are_known_to_the_last_line_of_defence() -> None:
    world = World()
    tokens = {"access_token": "canary-a1", "refresh_token": "canary-r1", "id_token": "c.an.ary"}
    world.tokens = response(200, tokens)
    world.callback = {"code": "canary-c1", "iss": ISSUER}
    world.sign_in()
    verifier = world.token_requests[0]["code_verifier"]
    text = f"canary-a1 canary-r1 c.an.ary canary-c1 {verifier}"
    assert scrub_known(text) == "**** **** **** **** ****"
    # The link a person is given must still work.
    assert scrub_known(world.asked["state"]) == world.asked["state"]


@pytest.mark.promise("A2", "L1")
def test_known_client_is_used_again_after_a_preflight_with_other_secrets() -> None:
    world = World(REGISTERED)
    assert world.sign_in().client == old_client()
    assert world.registrations == []
    (preflight,) = world.preflights
    assert preflight["client_id"] == world.asked["client_id"] == "old-client"
    assert preflight["state"] != world.asked["state"]
    assert preflight["code_challenge"] != world.asked["code_challenge"]


@pytest.mark.promise("A2", "L1")
def test_forgotten_client_is_registered_once_more_before_a_tab_opens() -> None:
    world = World(REGISTERED)
    world.known_clients.clear()
    assert world.sign_in().client.client_id == "client-1"
    assert len(world.preflights) == len(world.registrations) == 1
    assert world.asked["client_id"] == "client-1"
    assert f"{ISSUER} no longer knows us: registering once more." in world.reports


@pytest.mark.promise("A2")
def test_client_of_another_issuer_is_not_used() -> None:
    world = World(SIGNED_IN._replace(issuer="https://other.example", scope="admin"))
    assert world.sign_in(STEP_UP).client.client_id == "client-1"
    assert "admin" not in world.asked["scope"]


@pytest.mark.report("S3")
@pytest.mark.parametrize("which", range(5))
def test_client_of_other_endpoints_is_registered_anew_and_its_secret_stays(which: int) -> None:
    endpoints = list(REGISTERED.endpoints)
    endpoints[which] = "https://elsewhere.example/endpoint"
    secret = REGISTERED.client._replace(
        client_secret=Secret("canary-of-elsewhere"), token_endpoint_auth_method="client_secret_post"
    )
    world = World(SIGNED_IN._replace(client=secret, endpoints=tuple(endpoints), scope="admin"))
    assert world.sign_in(STEP_UP).client.client_id == "client-1"
    assert len(world.registrations) == 1
    assert world.preflights == []
    assert "admin" not in world.asked["scope"]
    sent = [step.request.body for step in world.steps if isinstance(step, Fetch)]
    assert not any(body is not None and "canary-of-elsewhere" in body.reveal() for body in sent)


@pytest.mark.report("S3")
def test_client_of_an_older_record_is_used_where_its_endpoints_are_the_same() -> None:
    old = REGISTERED._replace(published_by="", endpoints=())
    world = World(old)
    assert world.sign_in().client == old_client()
    assert world.registrations == []
    assert world.stored is not None
    assert world.stored.endpoints == REGISTERED.endpoints
    world = World(old._replace(token_endpoint="https://elsewhere.example/token"))
    assert world.sign_in().client.client_id == "client-1"


@pytest.mark.report("S1")
@pytest.mark.parametrize("how", ["browser", "device", "client credentials", "key"])
@pytest.mark.parametrize("named", [(), ("https://another.example",)])
def test_secret_for_nobody_named_is_kept_before_anything_else_is_done(
    how: str, named: tuple[str, ...]
) -> None:
    settings = AGENT.replace(
        trusted_issuers=named,
        device_code=how == "device",
        unattended={
            "client credentials": Unattended(),
            "key": Unattended(key=ClientKey(Secret(EC_KEY))),
        }.get(how),
    )
    world = World(REGISTERED)
    with pytest.raises(SignInFailed, match="and you did not") as caught:
        world.sign_in(settings=settings)
    assert f"--trusted-issuer {ISSUER} to the options." in caught.value.hint
    assert world.order(BindListener, AskUser, Save, Forget) == []
    requests = [step.request for step in world.steps if isinstance(step, Fetch)]
    assert {request.method for request in requests} == {"GET"}
    assert all("/.well-known/" in request.url for request in requests)


@pytest.mark.report("S1")
def test_public_client_that_is_bound_to_an_issuer_is_for_no_other() -> None:
    world = World()
    bound = Secret('{"client_id": "by-hand", "issuer": "https://another.example"}')
    with pytest.raises(SignInFailed, match=r"belongs to .https://another\.example.") as caught:
        world.sign_in(settings=SignInSettings(static_client=bound))
    assert f'"{ISSUER}"' in caught.value.cause
    assert world.asked == {}


@pytest.mark.report("S2")
@pytest.mark.parametrize(
    ("claims", "named", "is_sent"),
    [
        ({"aud": ISSUER}, (), True),
        ({"aud": ["https://another.example", f"{ISSUER}/"]}, (), True),
        ({"aud": f"{ISSUER}/token"}, (), True),
        ({"aud": "https://another.example"}, (), False),
        ({"aud": f"{ISSUER}.evil.example"}, (), False),
        ({"aud": [7]}, (), False),
        ({}, (), False),
        ({}, (ISSUER,), True),
        ({"aud": "api://AzureADTokenExchange"}, (f"{ISSUER}/",), True),
        ({"aud": "https://another.example"}, ("https://another.example",), False),
    ],
)
def test_workloads_jwt_goes_to_its_audience_or_to_whom_the_person_named(
    claims: dict[str, object], named: tuple[str, ...], is_sent: bool
) -> None:
    world = World()
    jwt = make_jwt(**claims)
    world.file = Secret(jwt)
    settings = SignInSettings(unattended=Unattended(WorkloadJwt("/run/jwt")), trusted_issuers=named)
    if is_sent:
        credential = world.sign_in(settings=settings)
        assert [request["assertion"] for request in world.token_requests] == [jwt]
        # Renewed by what the file has by then, which is judged by itself.
        world.file = Secret(make_jwt(aud="https://third.example"))
        if named:
            world.renew(credential, settings)
        else:
            with pytest.raises(SignInFailed, match=r"is for https://third\.example \(aud\)"):
                world.renew(credential, settings)
        assert len(world.token_requests) == 1 + len(named)
    else:
        with pytest.raises(SignInFailed, match=r"/run/jwt (is for|does not say)") as caught:
            world.sign_in(settings=settings)
        assert world.token_requests == []
        assert jwt not in caught.value.sentence()


@pytest.mark.promise("A2")
def test_static_client_is_neither_registered_nor_tried_nor_stored_before() -> None:
    world = World(REGISTERED)
    assert world.sign_in(settings=STATIC).client.origin == "static"
    assert world.registrations == world.preflights == []
    assert world.order(Save) == ["Save"]


@pytest.mark.promise("A3", "L1")
def test_step_up_asks_for_the_union_and_keeps_the_old_token_until_the_new_one_is_here() -> None:
    world = World(SIGNED_IN)
    world.callback = NobodyCame("Nobody signed in.", hint="Try again.")
    with pytest.raises(NobodyCame):
        world.sign_in(STEP_UP)
    assert world.asked["scope"] == "read offline_access write"
    assert world.stored == SIGNED_IN
    world = World(SIGNED_IN)
    world.known_clients.clear()
    world.tokens = response(500, {})
    with pytest.raises(TokenError):
        world.sign_in(STEP_UP)
    assert world.stored == SIGNED_IN
    world = World(SIGNED_IN)
    assert world.sign_in(STEP_UP).scope == "read offline_access write"
    assert world.stored is not None
    assert world.stored.access_token == Secret("canary-flow-access")


def test_scopes_granted_before_do_not_matter_after_a_401() -> None:
    world = World(SIGNED_IN._replace(scope="gone"))
    world.sign_in(CHALLENGE._replace(scope="read"))
    assert world.asked["scope"] == "read offline_access"


@pytest.mark.promise("A3")
@pytest.mark.report("O8")
def test_consent_is_demanded_after_a_sign_in_that_gave_no_refresh_token() -> None:
    world = World()
    lasting = world.tokens
    world.tokens = response(200, {"access_token": "canary-flow-access", "token_type": "Bearer"})
    first = world.sign_in()
    assert "prompt" not in world.asked
    assert first.consent == NEEDED
    world.asked = {}
    world.tokens = lasting
    second = world.sign_in()
    assert world.asked["prompt"] == "consent"
    assert (second.consent, second.refresh_token) == (NEEDED, Secret("canary-flow-refresh"))
    assert drop_tokens(second).consent == NEEDED, "remembered with the session"
    world.asked = {}
    world.stored = second._replace(published_by="https://other.example", issuer="https://o.example")
    world.sign_in()
    assert "prompt" not in world.asked, "what one server needs says nothing of another"


def test_options_of_the_person_reach_the_server() -> None:
    world = World()
    settings = SignInSettings(
        scope="mine", send_resource=False, authorize_parameters=(("prompt", "login"),)
    )
    credential = world.sign_in(settings=settings)
    assert world.asked["scope"] == credential.scope == "mine"
    assert world.asked["prompt"] == "login"
    assert "resource" not in {**world.asked, **world.token_requests[0]}
    assert credential.resource == ""


def test_id_token_is_demanded_where_it_is_to_be_sent() -> None:
    settings = SignInSettings(use_id_token=True)
    world = World()
    with pytest.raises(SignInFailed, match=r"did not give an ID token.*--use-id-token") as caught:
        world.sign_in(settings=settings)
    assert "openid" in caught.value.hint
    world = World()
    world.tokens = response(200, {"access_token": "canary-a", "id_token": "a.b.c"})
    assert world.sign_in(settings=settings).id_token == Secret("a.b.c")


@pytest.mark.promise("A3", "L1")
def test_sign_in_by_code_opens_no_tab() -> None:
    world = World(REGISTERED)
    credential = world.sign_in(settings=SignInSettings(device_code=True))
    assert world.stored == credential
    assert credential.access_token == Secret("canary-flow-access")
    assert world.asked == {}
    assert world.preflights == world.registrations == []
    assert f"Open {ISSUER}/device on any device and enter WDJB-MJHT there." in world.reports
    assert world.order(Wait) == ["Wait"]
    assert world.reports[-2] == "Now the person is asked."


AGENT = SignInSettings(
    unattended=Unattended(),
    static_client=Secret('{"client_id": "by-hand", "client_secret": "canary-by-hand-secret"}'),
    trusted_issuers=(ISSUER,),
)


@pytest.mark.promise("A3", "L1")
def test_a_sign_in_without_a_person_asks_nobody_and_listens_nowhere() -> None:
    world = World()
    credential = world.sign_in(settings=AGENT)
    assert world.stored == credential
    assert credential.access_token == Secret("canary-flow-access")
    assert credential.redirect_uri == ""
    assert world.order(BindListener, AskUser) == []
    assert world.registrations == world.preflights == []
    assert world.token_requests == [
        {"grant_type": "client_credentials", "scope": "read", "resource": SERVER}
    ]


@pytest.mark.promise("A3")
@pytest.mark.parametrize("settings", [SignInSettings(), AGENT], ids=["person", "agent"])
def test_each_sign_in_has_a_key_of_its_own_that_lives_through_renewals(
    settings: SignInSettings,
) -> None:
    world = World()
    challenge = CHALLENGE._replace(dpop_algorithms=(), dpop_only=True)
    first = world.sign_in(challenge, settings)
    assert first.dpop_key is not None
    assert world.renew(first, settings).dpop_key == first.dpop_key
    assert first.dpop_key.reveal() not in repr(world.steps)
    world.asked.clear()
    second = world.sign_in(challenge, settings)
    assert second.dpop_key not in (None, first.dpop_key)


@pytest.mark.promise("A3")
def test_it_is_renewed_by_asking_anew_and_not_by_a_refresh_token() -> None:
    world = World()
    credential = world.sign_in(settings=AGENT)
    world.token_requests.clear()
    assert world.renew(credential, AGENT).access_token == Secret("canary-flow-access")
    (asked,) = world.token_requests
    assert asked["grant_type"] == "client_credentials"


@pytest.mark.promise("A3")
def test_a_known_token_endpoint_spares_every_question() -> None:
    world = World()
    settings = AGENT.replace(token_endpoint=f"{ISSUER}/token", scope="read")
    credential = world.sign_in(settings=settings)
    fetched = [step.request.url for step in world.steps if isinstance(step, Fetch)]
    assert fetched == [f"{ISSUER}/token"]
    assert credential.resource == SERVER
    without = world.sign_in(settings=settings.replace(send_resource=False))
    assert without.resource == ""


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("endpoint", "published", "audience"),
    [
        (f"{ISSUER}/token", True, ISSUER),
        (f"{ISSUER}/another", True, f"{ISSUER}/another"),
        (f"{ISSUER}/token", False, f"{ISSUER}/token"),
    ],
)
def test_the_proof_of_a_key_is_for_the_issuer_of_a_known_token_endpoint(
    endpoint: str, published: bool, audience: str
) -> None:
    """Where the issuer is not found, the endpoint stands for it."""
    world = World()
    world.publishes = published
    how = Unattended(key=ClientKey(Secret(EC_KEY)))
    settings = AGENT.replace(unattended=how, token_endpoint=endpoint)
    world.sign_in(settings=settings)
    assertion = world.token_requests[0]["client_assertion"]
    assert read_claims(Secret(assertion)).audience == (audience,)
    assert world.token_requests[0].get("scope", "") == ("read" if published else "")
    fetched = [step.request.url for step in world.steps if isinstance(step, Fetch)]
    assert fetched[-1] == endpoint
    others = f"Its token endpoint is {ISSUER}/token, not the one that was given."
    assert (others in world.reports) == (endpoint != f"{ISSUER}/token")
    missing = f"The issuer of {endpoint} was not found: The server names "
    assert any(report.startswith(missing) for report in world.reports) == (not published)


@pytest.mark.promise("A3")
def test_a_workload_is_not_a_registered_client() -> None:
    world = World()
    settings = SignInSettings(unattended=Unattended(WorkloadJwt("/run/jwt")))
    jwt = make_jwt(aud=ISSUER)
    world.file = Secret(jwt)
    assert world.sign_in(settings=settings).client.client_id == ""
    assert world.token_requests[0]["assertion"] == jwt
    assert "client_id" not in world.token_requests[0]


@pytest.mark.promise("A3")
def test_a_client_with_a_key_needs_no_secret() -> None:
    world = World()
    how = Unattended(key=ClientKey(Secret(EC_KEY)))
    world.sign_in(settings=AGENT.replace(unattended=how))
    assert world.token_requests[0]["client_assertion"].count(".") == 2
    assert world.stored is not None
    assert world.stored.client.token_endpoint_auth_method == "private_key_jwt"


@pytest.mark.promise("A3")
def test_sign_in_by_code_where_the_server_has_none_or_does_not_know_us() -> None:
    world = World(REGISTERED)
    world.device_endpoint = False
    with pytest.raises(SignInFailed, match="does not offer a sign-in by code") as caught:
        world.sign_in(settings=SignInSettings(device_code=True))
    assert "--device-code" in caught.value.hint
    assert world.order(BindListener) == []
    world = World(REGISTERED)
    world.device_answer = response(401, {"error": "invalid_client"})
    with pytest.raises(GrantRefused):
        world.sign_in(settings=SignInSettings(device_code=True))
    assert world.stored is None
    world = World(REGISTERED)
    world.device_answer = response(400, {"error": "invalid_grant"})
    with pytest.raises(GrantRefused):
        world.sign_in(settings=SignInSettings(device_code=True))
    assert world.stored == REGISTERED


# Ways it can fail ----------------------------------------------------------------------------


@pytest.mark.promise("L1")
def test_denied_sign_in_keeps_the_client() -> None:
    world = World()
    world.callback = {"error": "access_denied", "iss": ISSUER}
    with pytest.raises(SignInDenied):
        world.sign_in()
    assert world.token_requests == []
    assert world.stored is not None
    assert world.stored.client.client_id == "client-1"
    assert world.stored.access_token is None


KNOWN = SignInSettings(
    static_client=Secret('{"client_id": "by-hand", "client_secret": "canary-flow-secret"}'),
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
)


@pytest.mark.report("O13", "S1")
@pytest.mark.parametrize("iss", [None, ISSUER, "https://whoever.example"])
def test_sign_in_at_endpoints_that_the_person_knows(iss: str | None) -> None:
    world = World()
    world.publishes = False
    world.callback = {"code": CODE} if iss is None else {"code": CODE, "iss": iss}
    credential = world.sign_in(settings=KNOWN)
    assert credential.access_token == Secret("canary-flow-access")
    assert world.asked["code_challenge_method"] == "S256"
    assert "resource" not in world.asked
    (redeemed,) = world.token_requests
    verifier = hashlib.sha256(redeemed["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() == world.asked["code_challenge"]
    fetched = [step.request.url for step in world.steps if isinstance(step, Fetch)]
    assert fetched == [f"{ISSUER}/token"], "the secret went there, and nothing anywhere else"


@pytest.mark.report("O13")
@pytest.mark.parametrize(
    "named",
    [
        KNOWN.replace(trusted_issuers=(ISSUER,)),
        KNOWN.replace(
            static_client=Secret(json.dumps({"client_id": "by-hand", "issuer": ISSUER})),
        ),
    ],
)
def test_issuer_that_the_person_named_is_compared_at_known_endpoints(
    named: SignInSettings,
) -> None:
    world = World()
    assert world.sign_in(settings=named).issuer == ISSUER
    world = World()
    world.callback = {"code": CODE, "iss": "https://whoever.example"}
    with pytest.raises(SignInFailed, match="iss does not match"):
        world.sign_in(settings=named)
    assert world.token_requests == [], "the code of another is not sent"


@pytest.mark.report("O17")
@pytest.mark.parametrize(
    ("challenge", "settings"),
    [
        (CHALLENGE._replace(scope="read admin"), SignInSettings()),
        (CHALLENGE, SignInSettings(scope="read admin")),
    ],
)
def test_scopes_that_somebody_wanted_are_named_where_they_are_refused(
    challenge: Challenge, settings: SignInSettings
) -> None:
    asked = "read admin" + ("" if settings.scope else " offline_access")
    said = f'Asked for was "{asked}"; that server does not list "admin".'
    world = World()
    world.callback = {"error": "invalid_scope", "iss": ISSUER}
    with pytest.raises(AuthorizationRefused) as caught:
        world.sign_in(challenge, settings)
    assert caught.value.sentence() == (
        f"The authorization server refused the sign-in (invalid_scope). {said} Name the scopes it "
        "knows with --scope."
    )
    world = World()
    world.tokens = response(400, {"error": "invalid_scope"})
    with pytest.raises(TokenError) as refused:
        world.sign_in(challenge, settings)
    assert refused.value.cause.endswith(f"(HTTP 400: invalid_scope). {said}")
    world = World()
    world.device_answer = response(400, {"error": "invalid_scope"})
    with pytest.raises(TokenError) as refused:
        world.sign_in(challenge, settings.replace(device_code=True))
    assert refused.value.cause.endswith(said)


@pytest.mark.promise("A1")
def test_code_from_the_wrong_server_is_not_sent_anywhere() -> None:
    for callback in ({"code": CODE}, {"code": CODE, "iss": "https://evil.example"}):
        world = World()
        world.callback = callback
        with pytest.raises(SignInFailed, match="iss"):
            world.sign_in()
        assert world.token_requests == []
    world = World()
    world.callback = {"code": CODE, "iss": "https://alias.example"}
    world.sign_in(settings=SignInSettings(trusted_issuers=("https://alias.example",)))
    assert len(world.token_requests) == 1


@pytest.mark.promise("A2", "L1")
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
def test_client_the_token_endpoint_does_not_know_is_dropped(code: str) -> None:
    world = World(REGISTERED)
    world.tokens = response(401, {"error": code})
    with pytest.raises(GrantRefused):
        world.sign_in()
    assert world.stored is None
    assert "The registration is dropped; the next sign-in registers once more." in world.reports
    assert len(world.token_requests) == 1


@pytest.mark.promise("A2")
def test_client_the_authorization_endpoint_refuses_is_dropped() -> None:
    world = World(REGISTERED)
    world.callback = {"error": "unauthorized_client", "iss": ISSUER}
    with pytest.raises(AuthorizationRefused):
        world.sign_in()
    assert world.stored is None


@pytest.mark.promise("A2", "A5")
@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (response(400, {"error": "invalid_grant"}), SignInSettings()),
        (response(503, {"error": "invalid_client"}), SignInSettings()),
        (response(401, {"error": "invalid_client"}), STATIC),
        (Interrupted("The answer was lost."), SignInSettings()),
    ],
)
def test_any_other_failure_keeps_what_is_stored(
    answer: HttpResponse | McpRemoteError, settings: SignInSettings
) -> None:
    world = World(REGISTERED)
    world.tokens = answer
    with pytest.raises(McpRemoteError):
        world.sign_in(settings=settings)
    assert world.stored == REGISTERED
    assert len(world.token_requests) == 1


@pytest.mark.parametrize("lost", [NotSent("Nobody is there."), Interrupted("It broke.")])
def test_tokens_that_do_not_arrive_are_the_end_of_a_sign_in(lost: McpRemoteError) -> None:
    """The code may be spent: the next step is a new sign-in, and not to ask again."""
    world = World(REGISTERED)
    world.tokens = lost
    with pytest.raises(SignInUnavailable) as caught:
        world.sign_in()
    assert caught.value.sentence() == (
        f"The tokens of your sign-in did not arrive: {lost.cause} "
        "Sign in again: mcp-remote-py login URL."
    )


@pytest.mark.promise("A2")
def test_client_that_somebody_else_has_replaced_is_not_dropped() -> None:
    world = World(REGISTERED)
    newer = SIGNED_IN._replace(client=old_client("newer"))

    def somebody_else_signs_in() -> None:
        world.stored = newer

    world.before_token = somebody_else_signs_in
    world.tokens = response(401, {"error": "invalid_client"})
    with pytest.raises(GrantRefused):
        world.sign_in()
    assert world.stored == newer


@pytest.mark.promise("A2", "L1")
def test_cached_client_is_not_trusted_again_when_nobody_came_back() -> None:
    world = World(REGISTERED)
    world.callback = NobodyCame("Nobody signed in.", hint="Try again.")
    with pytest.raises(NobodyCame):
        world.sign_in()
    assert world.stored is None
    assert len(world.token_requests) == 0
    # It is when the person was not even asked, for the budget or a browser that is missing.
    world = World(REGISTERED)
    world.callback = SignInFailed("Asked too often.", hint="Run mcp-remote-py login.")
    with pytest.raises(SignInFailed):
        world.sign_in()
    assert world.stored == REGISTERED
    # And a new one is, also in the place of a forgotten one: the tab was closed, most likely.
    for stored in (None, REGISTERED):
        world = World(stored)
        world.known_clients.clear()
        world.callback = NobodyCame("Nobody signed in.", hint="Try again.")
        with pytest.raises(NobodyCame):
            world.sign_in()
        assert world.stored is not None
        assert world.stored.client.client_id == "client-1"


@pytest.mark.promise("A5")
def test_what_cannot_be_stored_serves_until_the_end() -> None:
    world = World()
    world.save_error = SignInFailed("The disk is full.", hint="Make room.")
    assert world.sign_in().access_token == Secret("canary-flow-access")
    for what in ("registration", "sign-in"):
        said = f"The {what} will not outlive this process: The disk is full. Make room."
        assert world.reports.count(said) == 1


# Renewal -------------------------------------------------------------------------------------


@pytest.mark.promise("A5", "L1")
def test_renewal_is_one_request_and_saved() -> None:
    world = World(SIGNED_IN)
    renewed = world.renew(SIGNED_IN)
    assert renewed == SIGNED_IN._replace(
        access_token=Secret("canary-flow-access"),
        refresh_token=Secret("canary-flow-refresh"),
        obtained_at=NOW,
        expires_at=NOW + 3600,
    )
    assert world.stored == renewed
    assert world.order(Fetch, Save) == ["Fetch", "Save"]
    assert world.reports == []


@pytest.mark.promise("A5")
def test_renewed_token_is_used_though_it_cannot_be_stored() -> None:
    world = World(SIGNED_IN)
    world.save_error = SignInFailed("The disk is full.")
    assert world.renew(SIGNED_IN).access_token == Secret("canary-flow-access")
    assert len(world.reports) == 1


@pytest.mark.promise("A5", "L1")
def test_refused_renewal_takes_what_somebody_else_has_stored() -> None:
    newer = SIGNED_IN._replace(access_token=Secret("newer"), refresh_token=Secret("newer"))
    world = World(newer)
    world.tokens = response(400, {"error": "invalid_grant"})
    assert world.renew(SIGNED_IN) == newer
    assert world.stored == newer


@pytest.mark.promise("A5", "L1")
@pytest.mark.parametrize(
    ("stored", "error", "left"),
    [
        (SIGNED_IN, "invalid_grant", REGISTERED),
        (SIGNED_IN, "invalid_client", None),
        (REGISTERED, "invalid_grant", REGISTERED),
        (None, "invalid_grant", None),
        (None, "invalid_client", None),
    ],
)
def test_definite_refusal_ends_the_credential(
    stored: Credential | None, error: str, left: Credential | None
) -> None:
    world = World(stored)
    world.tokens = response(400, {"error": error})
    with pytest.raises(GrantRefused):
        world.renew(SIGNED_IN)
    assert world.stored == left
    assert len(world.token_requests) == 1


@pytest.mark.promise("A5", "L1")
def test_refused_static_client_stays_known() -> None:
    static = SIGNED_IN._replace(client=old_client("by-hand", "static"))
    world = World(static)
    world.tokens = response(401, {"error": "invalid_client"})
    with pytest.raises(GrantRefused):
        world.renew(static)
    assert world.stored is not None
    assert world.stored.client == static.client
    assert world.stored.refresh_token is None


@pytest.mark.promise("A5", "L1")
@pytest.mark.parametrize(
    "answer",
    [
        response(500, {"error": "invalid_grant"}),
        response(429, {}),
        HttpResponse(200, {}, b"<html>captive portal</html>"),
        NotSent("No route."),
        Interrupted("Lost."),
    ],
)
def test_any_other_failure_leaves_the_credential_as_it_is(
    answer: HttpResponse | McpRemoteError,
) -> None:
    world = World(SIGNED_IN)
    world.tokens = answer
    with pytest.raises(McpRemoteError):
        world.renew(SIGNED_IN)
    assert world.stored == SIGNED_IN
    assert world.order(Save, Forget) == []


@pytest.mark.report("S7")
def test_authorization_endpoint_is_judged_before_anything_is_registered_or_opened() -> None:
    world = World()
    world.verdict = SignInFailed("It leads inside.", hint="Add an option.")
    with pytest.raises(SignInFailed, match="leads inside"):
        world.sign_in()
    judged = [step for step in world.steps if isinstance(step, Judge)]
    assert judged == [Judge(f"{ISSUER}/authorize", "authorization_endpoint")]
    assert world.registrations == []
    assert world.order(BindListener, AskUser, Save) == []


@pytest.mark.promise("A1")
def test_a_server_that_signs_nobody_in_by_a_page_is_told_by_what_it_lists() -> None:
    world = World()
    world.metadata = {
        "authorization_endpoint": None,
        "grant_types_supported": ["client_credentials"],
    }
    with pytest.raises(SignInFailed) as caught:
        world.sign_in()
    assert caught.value.sentence() == (
        f'{ISSUER} does not sign people in by a page: its metadata list "client_credentials". '
        "Sign in by one of these: --device-code, or --client-credentials with a client of your own."
    )
    assert world.order(BindListener, AskUser, Save) == []
