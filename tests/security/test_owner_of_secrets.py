"""A server that wants what belongs to somebody else: a secret, a proof, a JWT, a refresh token.

The attacker is an MCP server with an authorization server of its own, on one port; the honest
authorization server is on another, and is who the client, the JWT or the token is from. The real
command is played by a host and by a person; what counts is what the attacker was sent.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, unquote_plus, urlsplit
from urllib.request import urlopen

import pytest
from joserfc.jwk import ECKey

from tests.canaries import RUN
from tests.harness.host import assert_error, initialize_params, wait_until
from tests.harness.stage import CALL, PATIENCE, Stage, call, let_token_expire, refusal
from tests.oauth.player import make_jwt
from tests.peers.authorization_server import AuthorizationServer, Client, Policy
from tests.peers.launch import free_port
from tests.peers.wild_server import redirect
from tests.real.identity_provider import IdentityProvider, identity_provider
from tests.thorough import some

pytestmark = [pytest.mark.timeout(120), pytest.mark.promise("S2")]

SECRET = "canary-secret-of-the-honest-one"
KEY = ECKey.generate_key("P-256")
RUN.register([SECRET])


def policy() -> dict[str, Any]:
    """Of both servers: nothing that would end the attack for another reason."""
    changes = {
        "grant_types_supported": None,
        "authorization_response_iss_parameter_supported": None,
    }
    return {
        "scopes_supported": ("desk",),
        "metadata_changes": changes,
        "iss": "missing",
        "any_loopback_port": True,
    }


class Scene(NamedTuple):
    """Who plays. The attacker lets the client in, whatever it shows."""

    stage: Stage
    attacker: AuthorizationServer
    honest: AuthorizationServer
    folder: Path

    def login(self, *options: str) -> tuple[int, str]:
        """Exit status and words of `login`, by a person at a terminal."""
        return self.run("login", self.attacker.url, "--token-store", "file", *options)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = self.stage.run(*arguments)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def scene(play: Callable[..., Stage], tmp_path: Path) -> Scene:
    stage = play(**policy())
    anywhere = ("http://localhost/oauth/callback",)
    stage.server.clients["mine"] = Client("mine", SECRET, "client_secret_basic", anywhere)
    honest = stage.stack.enter_context(AuthorizationServer(Policy(**policy())))
    return Scene(stage, stage.server, honest, tmp_path)


def stolen(attacker: AuthorizationServer, secrets: Iterable[str]) -> list[str]:
    """Which requests brought the attacker one of these, in any spelling; without showing it."""
    found: list[str] = []
    for exchange in attacker.requests:
        seen = [exchange.path, exchange.body.decode("utf-8", "replace"), *exchange.headers.values()]
        for value in list(seen):
            scheme, _, encoded = value.partition(" ")
            if scheme.lower() == "basic":
                seen.append(base64.b64decode(encoded).decode("utf-8", "replace"))
        text = "\n".join([*seen, *map(unquote_plus, seen)])
        if any(secret in text or quote(secret, safe="") in text for secret in secrets):
            found.append(attacker.key_of(exchange))
    return found


def asked(server: AuthorizationServer) -> list[str]:
    """The requests to its endpoints, which are neither MCP nor for a document, in order."""
    paths = [urlsplit(exchange.path).path for exchange in server.requests]
    names = ("register", "authorize", "consent", "token", "revoke", "device")
    endpoints = {urlsplit(server.endpoint_of(name)).path: name for name in names}
    return [endpoints[path] for path in paths if path in endpoints]


# What the person has -------------------------------------------------------------------------


class Belongings(NamedTuple):
    """Options, and what of them must reach nobody else."""

    options: list[str]
    secrets: list[str]


def info(**members: str) -> list[str]:
    return ["--static-oauth-client-info", json.dumps({"client_id": "mine", **members})]


def of_browser(scene: Scene) -> Belongings:
    return Belongings([*info(client_secret=SECRET), "--auth-timeout", "1"], [SECRET])


def of_device(scene: Scene) -> Belongings:
    return Belongings(["--device-code", *info(client_secret=SECRET)], [SECRET])


def of_agent(scene: Scene) -> Belongings:
    return Belongings(["--client-credentials", *info(client_secret=SECRET)], [SECRET])


def of_key(scene: Scene) -> Belongings:
    path = scene.folder / "agent.pem"
    path.write_bytes(KEY.as_pem(private=True))
    options = ["--client-credentials", *info(), "--private-key", str(path)]
    return Belongings(options, ["client_assertion"])  # its name: the proof is made on the spot


def of_workload(scene: Scene) -> Belongings:
    return of_jwt(scene, make_jwt(aud=scene.honest.issuer, jti="canary-of-the-workload"))


def of_jwt(scene: Scene, jwt: str) -> Belongings:
    RUN.register([jwt, *jwt.split(".")[1:2]])
    path = scene.folder / "agent.jwt"
    path.write_text(jwt)
    return Belongings(["--jwt-bearer", str(path)], [jwt])


GOES_TO = {"browser": "authorize", "device code": "device"}
"""Where a sign-in ends at a server that does not know the client."""

KINDS = {
    "browser": of_browser,
    "device code": of_device,
    "client credentials": of_agent,
    "private key": of_key,
    "workload": of_workload,
}


# How the attacker goes about it --------------------------------------------------------------


def name_itself(scene: Scene) -> list[str]:
    """Its own metadata, whole and valid; all that is missing is a reason to trust it."""
    return []


def be_its_own(scene: Scene) -> list[str]:
    """No resource metadata: it signs people in itself, as servers of 2025-03-26 do."""
    scene.attacker.policy.resource_metadata = "none"
    return []


def be_at_default_paths(scene: Scene) -> list[str]:
    """No metadata at all: the endpoints are guessed."""
    scene.attacker.policy.resource_metadata = "none"
    scene.attacker.policy.metadata = "none"
    return []


def claim_to_be_honest(scene: Scene) -> list[str]:
    """It says that it is the issuer whom the person named."""
    scene.attacker.policy.metadata_changes |= {"issuer": scene.honest.issuer}
    return ["--trusted-issuer", scene.honest.issuer]


def claim_it_of_the_origin(scene: Scene) -> list[str]:
    """The same without resource metadata."""
    scene.attacker.policy.resource_metadata = "none"
    return claim_to_be_honest(scene)


def stand_before_the_honest(scene: Scene) -> list[str]:
    """It names the honest one as well, behind itself and more than are ever asked."""
    others = [f"{scene.attacker.issuer}/{number}" for number in range(6)]
    servers = [scene.attacker.issuer, *others, scene.honest.issuer]
    scene.attacker.policy.resource_metadata_changes |= {"authorization_servers": servers}
    return ["--trusted-issuer", scene.honest.issuer]


ATTACKS = (
    name_itself,
    be_its_own,
    be_at_default_paths,
    claim_to_be_honest,
    claim_it_of_the_origin,
    stand_before_the_honest,
)
REFUSED = (name_itself, be_its_own, be_at_default_paths)
"""Where the honest one is nowhere to be found."""


@pytest.mark.report("S1", "S2", "S3")
@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        pytest.param(attack, kind, id=f"{attack.__name__}-{kind}")
        for attack, kind in some(product(ATTACKS, KINDS), 2)
    ],
)
def test_what_belongs_to_another_is_not_sent_to_who_asks_for_it(
    kind: str, attack: Callable[[Scene], list[str]], scene: Scene
) -> None:
    for server in (scene.attacker, scene.honest):
        device = f"{server.endpoint_of('device')}"
        server.policy.metadata_changes |= {"device_authorization_endpoint": device}
    options, secrets = KINDS[kind](scene)
    options = [*options, *attack(scene)]
    host = scene.stage.host(*options)
    request_id = host.begin("initialize", initialize_params())
    if attack in REFUSED:
        text = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
        assert scene.attacker.origin in text
        assert f"--trusted-issuer {scene.attacker.origin} to the options." in text
        assert scene.stage.browser.opened == []
    else:
        host.answer(request_id, seconds=PATIENCE)  # whatever the honest one says of it
        assert set(asked(scene.honest)) == {GOES_TO.get(kind, "token")}
    status, said = scene.login(*options)
    assert status == 3, said
    assert stolen(scene.attacker, secrets) == []
    assert asked(scene.attacker) == []


@pytest.mark.report("S1")
def test_a_refusal_is_bounded_and_opens_nothing_however_often_it_is_started(scene: Scene) -> None:
    options, secrets = of_browser(scene)
    first = scene.stage.host(*options)
    text = refusal(first, "--static-oauth-client-info", '"issuer"', "--trusted-issuer")
    before = scene.stage.counts
    for _ in range(3):
        scene.stage.end(first)
        first = scene.stage.host(*options)
        again = refusal(first, "No other sign-in starts by itself for", "--trusted-issuer")
        assert again.startswith(text.partition(" If ")[0])
    assert scene.stage.counts == before
    assert before["tabs"] == before["registrations"] == 0
    assert stolen(scene.attacker, secrets) == []


@pytest.mark.report("S1")
@pytest.mark.parametrize("named", ["member", "option"])
def test_who_is_named_gets_it_and_signs_in(named: str, scene: Scene) -> None:
    """The same server, and the person trusts it."""
    server, port = scene.attacker, free_port()
    uri = f"http://localhost:{port}/oauth/callback"
    client = server.add_client(uri, auth_method="client_secret_basic")
    members = {"client_id": client.client_id, "client_secret": client.secret}
    if named == "member":
        members["issuer"] = f"{server.issuer}/"
    options = [str(port), "--static-oauth-client-info", json.dumps(members)]
    if named == "option":
        options += ["--trusted-issuer", server.issuer]
    host = scene.stage.sign_in(*options)
    assert call(host)["params"] == CALL
    assert stolen(server, [client.secret]) == ["token"]


@pytest.mark.report("S1")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_secret_follows_a_redirect(status: int, scene: Scene) -> None:
    """Not even of the issuer that was named: its document says where it is, and nothing else."""
    scene.honest.always("token", redirect(status, scene.attacker.endpoint_of("token")))
    members = {"client_secret": SECRET, "issuer": scene.honest.issuer}
    code, said = scene.run(
        *("login", scene.honest.url, "--token-store", "file", "--client-credentials"),
        *info(**members),
    )
    assert (code, f"HTTP {status}" in said) == (3, True), said
    assert scene.attacker.requests == []


@pytest.mark.report("S1")
@pytest.mark.parametrize("named", [True, False])
def test_a_page_that_was_left_open_redeems_nothing_for_who_is_no_longer_named(
    named: bool, scene: Scene
) -> None:
    """Options change between two starts, and the next one waits for what the last has begun."""
    options, secrets = of_browser(scene)
    options = [*options[:-1], "20"]
    trust = ["--trusted-issuer", scene.attacker.issuer]
    scene.stage.browser.become("record")
    first = scene.stage.host(*options, *trust)
    first.begin("initialize", initialize_params())
    wait_until(lambda: scene.stage.browser.opened != [], "the page")
    scene.stage.kill(first)
    host = scene.stage.host(*options, *(trust if named else []))
    request_id = host.begin("initialize", initialize_params())
    wait_until(lambda: "Still waiting" in host.stderr, "the next one")
    with contextlib.suppress(HTTPError):  # of a page that says it came to nothing
        urlopen(scene.stage.browser.opened[0], timeout=PATIENCE).close()  # noqa: S310 - loopback
    answer = host.answer(request_id, seconds=PATIENCE)
    assert len(scene.stage.browser.opened) == 1
    if named:
        assert "result" in answer
        assert stolen(scene.attacker, secrets) == ["token"]
    else:
        assert "is not sent to" in assert_error(answer, request_id)
        assert asked(scene.attacker) == ["authorize"]


# Grants of an identity provider --------------------------------------------------------------


def of_company(provider: IdentityProvider, scene: Scene, **members: str) -> Belongings:
    path = scene.folder / "agent.jwt"
    token = provider.id_token()
    RUN.register([token, *token.split(".")[1:]])
    path.write_text(token)
    options = ["--idp-token-endpoint", provider.token_endpoint]
    options += ["--idp-client-id", provider.CLIENT, "--idp-id-token", str(path), *info(**members)]
    return Belongings(options, [token, "assertion"])


@pytest.mark.report("S1", "S2")
@pytest.mark.parametrize("members", [{}, {"client_secret": SECRET}], ids=["public", "secret"])
@pytest.mark.parametrize("addressed", ["to whom it was asked for", "to another"])
def test_a_grant_for_the_honest_one_is_not_for_who_claims_to_be_it(
    members: dict[str, str], addressed: str, scene: Scene
) -> None:
    with identity_provider(KEY) as provider:
        provider.audiences = {scene.honest.issuer, scene.attacker.issuer}
        if addressed == "to another":
            provider.addressed_to = "https://another.example"
        options, secrets = of_company(provider, scene, **members)
        options += claim_to_be_honest(scene)
        status, said = scene.login(*options)
        assert status == 3
        assert [form["audience"] for form in provider.asked] == [scene.honest.issuer]
        ways = 2 if members else 1  # it does not know the client, in whatever way it is sent
        assert len(scene.honest.received("token")) == (0 if addressed == "to another" else ways)
        assert ("is for https://another.example (aud)" in said) == (addressed == "to another")
    assert stolen(scene.attacker, [*secrets, SECRET]) == []
    assert asked(scene.attacker) == []


@pytest.mark.report("S1")
def test_no_id_token_is_exchanged_for_a_server_whose_secret_it_is_not(scene: Scene) -> None:
    with identity_provider(KEY) as provider:
        provider.audiences = {scene.attacker.issuer}
        options, secrets = of_company(provider, scene, client_secret=SECRET)
        refusal(scene.stage.host(*options), "--static-oauth-client-info", "--trusted-issuer")
        assert provider.asked == []
    assert stolen(scene.attacker, [*secrets, SECRET]) == []


# What servers gave us ------------------------------------------------------------------------


@pytest.mark.report("S3")
@pytest.mark.parametrize(
    "swapped",
    [("authorize", "token", "register"), ("token", "register"), ("register", "token", "revoke")],
    ids="+".join,
)
@pytest.mark.parametrize("command", ["login", "relay"])
def test_a_stored_client_is_not_used_with_other_endpoints(
    swapped: tuple[str, ...], command: str, scene: Scene
) -> None:
    """The MCP server was honest at the first start; then it names who claims to be its issuer."""
    server, attacker = scene.honest, scene.attacker
    for one in (server, attacker):
        one.policy.auth_methods = ("client_secret_post",)
        one.policy.metadata_changes |= {"scopes_supported": ["desk"]}
    options = ["--trusted-issuer", server.issuer]
    host = scene.stage.host(*options, url=server.url)
    host.initialize()
    assert call(host)["params"] == CALL
    scene.stage.end(host)
    secrets = {client.secret for client in server.clients.values()} | set(server.refresh_tokens)
    assert len(secrets) == 2

    endpoints = {
        f"{name}_endpoint": (attacker if short in swapped else server).endpoint_of(short)
        for name, short in (
            ("authorization", "authorize"),
            ("token", "token"),
            ("registration", "register"),
            ("revocation", "revoke"),
        )
    }
    attacker.policy.metadata_changes |= {"issuer": server.issuer, **endpoints}
    attacker.clients = server.clients  # it lets anybody in
    attacker.codes = server.codes
    server.policy.resource_metadata_changes |= {"authorization_servers": [attacker.issuer]}
    server.end_sign_ins()
    if command == "login":
        scene.run("login", server.url, "--token-store", "file", *options)
        scene.run("logout", server.url, "--token-store", "file")
    else:
        host = scene.stage.host(*options, url=server.url)
        host.answer(host.begin("initialize", initialize_params()), seconds=PATIENCE)
    assert len(scene.stage.browser.opened) == 2
    assert attacker.received("token"), "the attack is played to its end"
    assert stolen(attacker, secrets) == []
    assert len(attacker.received("register")) == 1, "registered anew, where it now says"


@pytest.mark.report("S3")
def test_tokens_are_not_given_up_to_who_did_not_give_them(scene: Scene) -> None:
    """The attacker's own document names endpoints of the honest one, but for the last."""
    server, attacker = scene.honest, scene.attacker
    server.policy.auth_methods = attacker.policy.auth_methods = ("client_secret_post",)
    server.policy.bind_resource = False
    attacker.policy.metadata_changes |= {
        "authorization_endpoint": server.endpoint_of("authorize"),
        "token_endpoint": server.endpoint_of("token"),
        "registration_endpoint": server.endpoint_of("register"),
    }
    status, said = scene.login()
    assert status == 3, "its own tokens are not what it was given"
    assert "Signed in at" in said
    secrets = {client.secret for client in server.clients.values()} | set(server.refresh_tokens)
    status, said = scene.run("logout", attacker.url, "--token-store", "file")
    assert status == 0, said
    assert stolen(attacker, secrets) == []
    assert f"{attacker.endpoint_of('revoke')} does not belong to the server that gave them" in said
    assert asked(attacker) == []


@pytest.mark.report("S1", "S3")
@pytest.mark.parametrize(
    "changes", [{}, {"issuer": "https://another.example"}], ids=["no", "other"]
)
def test_a_stored_sign_in_is_not_renewed_by_a_secret_that_is_no_longer_for_it(
    changes: dict[str, Any], scene: Scene
) -> None:
    """The person names another issuer, or nobody, between two starts."""
    server, port = scene.attacker, free_port()
    server.policy.lifetime = 2
    uri = f"http://localhost:{port}/oauth/callback"
    client = server.add_client(uri, auth_method="client_secret_basic")
    members = {"client_id": client.client_id, "client_secret": client.secret}

    def options(**more: str) -> list[str]:
        return [str(port), "--static-oauth-client-info", json.dumps({**members, **more})]

    scene.stage.end(scene.stage.sign_in(*options(issuer=server.issuer)))
    let_token_expire(scene.stage)
    before = asked(server)
    host = scene.stage.host(*options(**changes))
    refusal(host, "--static-oauth-client-info", server.issuer)
    assert asked(server) == before
    # Nothing is lost: named again, it is renewed without a tab.
    scene.stage.end(host)
    host = scene.stage.host(*options(issuer=server.issuer))
    host.initialize()
    assert call(host)["params"] == CALL
    assert scene.stage.counts["tabs"] == 1
    assert scene.stage.counts["refreshes"] == 1
