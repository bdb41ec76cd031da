"""Sign-ins by the JWT of a workload and of a company, at Authlib's server and the SDK's behind it.

The server checks signatures, issuers, audiences and times; no one here wrote that. No browser may
open, no JWT may be shown.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from joserfc.jwk import ECKey

from tests.canaries import RUN
from tests.harness.host import Host
from tests.real.agents import AGAIN, Start, call, is_said, refusal, signed_in, unattended
from tests.real.identity_provider import IdentityProvider, identity_provider
from tests.real.jwt_bearer_server import CLIENT
from tests.real.processes import Service, wait_until
from tests.real.servers import jwt_bearer_servers

pytestmark = pytest.mark.promise("A3", "P2")

LIFETIME = 6
"""Seconds an access token is good for: longer than a busy machine takes to use it."""

KEY, OTHER_KEY = (ECKey.generate_key("P-256", {"kid": "1"}) for _ in range(2))
KEYS = {"keys": [KEY.as_dict(private=False)]}
AS_CLIENT = dict(zip(("client_id", "client_secret"), CLIENT, strict=True))


class Scene(NamedTuple):
    """The authorization server, the MCP server and the identity provider."""

    issuer: Service
    server: Service
    provider: IdentityProvider

    @property
    def name(self) -> str:
        """Of the authorization server."""
        return f"http://localhost:{self.issuer.port}"

    def answered(self, status: int, jwt_name: str = "") -> int:
        """How often it answered so, to that JWT."""
        return self.issuer.log.read_text().count(f"answered {status} {jwt_name}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("authlib")
    with identity_provider(KEY) as provider:
        trusted = {"TRUSTED": json.dumps({"workload": KEYS, provider.issuer: KEYS})}
        with jwt_bearer_servers(folder, LIFETIME, trusted) as (issuer, server):
            yield Scene(issuer, server, provider)


@pytest.fixture
def start(scene: Scene, tmp_path: Path) -> Iterator[Start]:
    scene.provider.audiences = {scene.name}
    scene.provider.addressed_to, scene.provider.skew = "", 0.0
    with unattended(scene.server, tmp_path) as begin:
        yield begin


def workload_jwt(audience: str, key: ECKey = KEY, *, expires_in: int = 50, **claims: object) -> str:
    """A JWT as a platform gives one to a workload; `claims` are other ones, or more."""
    expires_at = int(time.time()) + expires_in
    known = {"iss": "workload", "sub": "job", "aud": audience, "exp": expires_at}
    pem = key.as_pem(private=True).decode()
    return jwt.encode({**known, "jti": uuid.uuid4().hex, **claims}, pem, algorithm="ES256")


class JwtFile:
    """A file with a JWT, and the options that name it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "agent.jwt"

    def hold(self, token: str) -> None:
        """Replaces it, as those who keep such files do; nobody may show it."""
        RUN.register([token, *token.split(".")[1:]])
        new = self.path.with_name("new")
        new.touch(0o600)
        new.write_text(f"{token}\n")
        new.replace(self.path)

    @property
    def as_grant(self) -> list[str]:
        """For a workload."""
        return ["--jwt-bearer", str(self.path)]

    def as_id_token(self, scene: Scene, **other: str) -> list[str]:
        """For an account of that provider; `other` are other members of our client there."""
        provider, members = scene.provider, {**AS_CLIENT, "issuer": scene.name, **other}
        address = ["--idp-token-endpoint", provider.token_endpoint]
        client = ["--idp-client-id", provider.CLIENT, "--idp-id-token", str(self.path)]
        return [*address, *client, "--static-oauth-client-info", json.dumps(members)]


@pytest.fixture
def file(tmp_path: Path) -> JwtFile:
    return JwtFile(tmp_path)


def check_refusals(host: Host, cause: str, hint: str) -> None:
    """Each request of the host ends so, with the cause of the only attempt."""
    for again in ("", AGAIN):
        message = refusal(host)
        assert is_said(f"{cause} {again}{hint}", message), message


def wait_for_error(host: Host) -> str:
    """What calls end with, once the token in hand has ended."""
    answers: list[Any] = []

    def has_ended() -> bool:
        answers.append(call(host))
        return answers[-1] != "42"

    assert wait_until(has_ended, 15)
    return answers[-1]["error"]["message"]


def said_of(name: str, issuer: str, audience: str, until: str) -> str:
    return f"{name} was issued by {issuer} (iss), is for {audience} (aud), and {until}."


GOOD = "is good for another NN seconds"
EXPIRED = "expired 5 minutes ago by this machine's clock"
SET_CLOCK = "Set this machine's clock; if it is right, tell whoever runs that server."


# ------------------------------------------------------------------------- a workload's JWT


def test_a_workload_signs_in_and_renews_with_what_its_file_has_by_then(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    file.hold(workload_jwt(scene.name, jti="of-the-start"))
    host = signed_in(start, *file.as_grant)
    file.hold(workload_jwt(scene.name, jti="rotated"))
    before = scene.answered(200, "of-the-start")
    assert wait_until(lambda: call(host) == "42" and scene.answered(200, "rotated") > 0, 15)
    assert scene.answered(200, "of-the-start") == before
    host.end()
    host = signed_in(start, *file.as_grant)


def test_a_token_endpoint_that_is_given_leaves_the_scopes_to_be_named(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    file.hold(workload_jwt(scene.name))
    options = [*file.as_grant, "--token-endpoint", f"{scene.name}/token"]
    assert refusal(start(*options, "--profile", "without")) == (
        f"The token endpoint {scene.name}/token gave no token (HTTP 400: invalid_scope, "
        '"The requested scope is invalid, unknown, or malformed."). No scope was asked for. '
        "Name the scopes it knows with --scope."
    )
    signed_in(start, *options, "--scope", "workshop")


@pytest.mark.parametrize(
    ("key", "claims", "words", "until"),
    [
        (OTHER_KEY, {}, "", GOOD),
        (KEY, {"expires_in": -300}, ', "The token is expired"', EXPIRED),
        (KEY, {"aud": "https://another.example"}, ", \"Invalid claim: 'aud'\"", GOOD),
        (KEY, {"iss": "stranger"}, ', "The client does not exist on this server."', GOOD),
    ],
    ids=["key", "expired", "audience", "issuer"],
)
def test_a_jwt_that_is_refused_is_shown_beside_what_the_server_said(
    key: ECKey,
    claims: dict[str, Any],
    words: str,
    until: str,
    scene: Scene,
    start: Start,
    file: JwtFile,
) -> None:
    file.hold(workload_jwt(scene.name, key, **claims))
    before = scene.answered(400)
    issuer, audience = claims.get("iss", "workload"), claims.get("aud", scene.name)
    said = said_of(f"The JWT of --jwt-bearer {file.path}", issuer, audience, until)
    check_refusals(
        # Whoever names the issuer may have it judge a JWT for another audience.
        start(*file.as_grant, "--trusted-issuer", scene.name),
        f"The token endpoint {scene.name}/token refused (HTTP 400: invalid_grant{words}). {said}",
        f'Have --jwt-bearer written anew: its JWT must be for "{scene.name}", and of an issuer and '
        "a key which that server knows.",
    )
    assert scene.answered(400) == before + 1


@pytest.mark.report("S2")
def test_a_jwt_for_another_server_goes_nowhere(scene: Scene, start: Start, file: JwtFile) -> None:
    file.hold(workload_jwt("https://another.example"))
    before = scene.issuer.log.read_text().count("answered")
    check_refusals(
        start(*file.as_grant),
        f"The JWT of --jwt-bearer {file.path} is for https://another.example (aud): it is not sent "
        f'to "{scene.name}", the authorization server that the MCP server named.',
        f"Have it written for that issuer or its token endpoint {scene.name}/token. If it is to go "
        f"there as it is, add --trusted-issuer {scene.name} to the options.",
    )
    assert scene.issuer.log.read_text().count("answered") == before


@pytest.mark.report("S2")
def test_a_jwt_for_another_server_is_not_sent_at_a_renewal_either(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    """The process that renews is given what the person named, and no more."""
    file.hold(workload_jwt(scene.name))
    host = signed_in(start, *file.as_grant)
    file.hold(workload_jwt("https://another.example"))
    asked = scene.issuer.log.read_text().count("answered")
    message = wait_for_error(host)
    assert f"{file.path} is for https://another.example (aud): it is not sent to" in message
    assert f"--trusted-issuer {scene.name} to the options. Nothing that is stored" in message
    assert scene.issuer.log.read_text().count("answered") == asked
    file.hold(workload_jwt(scene.name))
    assert wait_until(lambda: call(host) == "42", 15)


def test_a_file_that_is_gone_at_the_renewal_is_named_until_it_is_back(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    file.hold(workload_jwt(scene.name))
    host = signed_in(start, *file.as_grant)
    file.path.unlink()
    asked = scene.answered(200)
    message = wait_for_error(host)
    expected = re.compile(
        r"(?:The token could not be renewed now|A recent attempt to renew the token failed): "
        r"--jwt-bearer: cannot read "
        rf"{re.escape(str(file.path))}: No such file or directory\. Give the full path of a file "
        r"you may read\. Nothing that is stored is lost: it is tried again in \d+ seconds?\."
    )
    assert expected.fullmatch(message), message
    assert scene.answered(200) == asked
    file.hold(workload_jwt(scene.name))
    assert wait_until(lambda: call(host) == "42", 15)


def test_a_file_that_is_not_kept_up_to_date_is_told_and_not_asked_for_ever(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    """The renewal is refused, and the sign-in that comes of it; then there is none for a while."""
    file.hold(workload_jwt(scene.name))
    host = signed_in(start, *file.as_grant)
    file.hold(workload_jwt(scene.name, expires_in=-300, jti="of-yesterday"))
    message = wait_for_error(host)
    assert message.startswith(
        f"The token endpoint {scene.name}/token refused (HTTP 400: invalid_grant, "
        f'"The token is expired"). The JWT of --jwt-bearer {file.path} was issued by workload '
    )
    assert f'written anew: its JWT must be for "{scene.name}", and of an issuer ' in message
    assert scene.answered(400, "of-yesterday") <= 2
    for _ in range(3):
        assert "The token is expired" in call(host)["error"]["message"]
    assert scene.answered(400, "of-yesterday") <= 2


@pytest.mark.parametrize("slow_by", [600, -600], ids=["behind", "ahead"])
def test_a_server_with_another_clock(slow_by: int, tmp_path: Path) -> None:
    """Ahead of ours, it takes a good JWT for old, behind it for one that is not good yet."""
    folder = tmp_path / "servers"
    folder.mkdir()
    variables = {"TRUSTED": json.dumps({"workload": KEYS}), "ISSUER_SLOW_BY": str(slow_by)}
    file = JwtFile(tmp_path)
    with jwt_bearer_servers(folder, LIFETIME, variables) as (issuer, server):
        name = f"http://localhost:{issuer.port}"
        file.hold(workload_jwt(name, nbf=int(time.time()) - 1))
        with unattended(server, tmp_path / "home") as begin:
            words = "The token is not yet valid" if slow_by > 0 else "The token is expired"
            side = "behind" if slow_by > 0 else "ahead of"
            said = said_of(f"The JWT of --jwt-bearer {file.path}", "workload", name, GOOD)
            check_refusals(
                begin(*file.as_grant),
                f'The token endpoint {name}/token refused (HTTP 400: invalid_grant, "{words}"). '
                f"Its clock is NN seconds {side} this machine's. {said}",
                SET_CLOCK,
            )
        if slow_by > 0:
            # One that does not look at nbf gives a token that is over before it is used.
            file.hold(workload_jwt(name))
            with unattended(server, tmp_path / "another-home") as begin:
                assert is_said(
                    "The server refuses a token it was just given (Authentication required). "
                    "The token expired NN minutes ago by this machine's clock. It had expired by "
                    "this machine's clock when it was given: set this machine's clock, or have "
                    "the authorization server's set.",
                    refusal(begin(*file.as_grant)),
                )


# ------------------------------------------------------------------------- a company's provider


def test_an_account_of_a_company_signs_in_and_renews(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    file.hold(scene.provider.id_token())
    before = len(scene.provider.asked)
    host = signed_in(start, *file.as_id_token(scene))
    asked = scene.provider.asked[before]
    assert asked["audience"] == scene.name
    assert asked["resource"] == f"http://localhost:{scene.server.port}/mcp"
    rotated = scene.provider.id_token(jti="rotated")
    file.hold(rotated)
    forms = scene.provider.asked
    assert wait_until(lambda: call(host) == "42" and forms[-1]["subject_token"] == rotated, 15)


def test_a_token_endpoint_that_is_given_is_not_an_audience(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    """A grant is for the issuer, and for no other name of it."""
    file.hold(scene.provider.id_token())
    signed_in(start, *file.as_id_token(scene), "--token-endpoint", f"{scene.name}/token")
    assert scene.provider.asked[-1]["audience"] == scene.name


NEW_ID_TOKEN = (
    "Have --idp-id-token written anew: it must be an ID token of this provider for --idp-client-id."
)


@pytest.mark.parametrize(
    ("claims", "words", "audience", "until"),
    [
        ({"expires_in": -300}, "Signature has expired", "desktop", EXPIRED),
        ({"aud": "another"}, "Audience doesn't match", "another", GOOD),
    ],
    ids=["expired", "audience"],
)
def test_an_id_token_that_the_provider_refuses(
    claims: dict[str, Any],
    words: str,
    audience: str,
    until: str,
    scene: Scene,
    start: Start,
    file: JwtFile,
) -> None:
    provider = scene.provider
    file.hold(provider.id_token(**claims))
    before = len(provider.asked), scene.answered(200), scene.answered(400)
    said = said_of(f"The JWT of --idp-id-token {file.path}", provider.issuer, audience, until)
    check_refusals(
        start(*file.as_id_token(scene)),
        f"The identity provider {provider.token_endpoint} refused "
        f'(HTTP 400: invalid_grant, "{words}"). {said}',
        NEW_ID_TOKEN,
    )
    assert (len(provider.asked), *before[1:]) == (
        before[0] + 1,
        scene.answered(200),
        scene.answered(400),
    )


def test_a_provider_with_another_clock(scene: Scene, start: Start, file: JwtFile) -> None:
    scene.provider.skew = -600
    file.hold(scene.provider.id_token(expires_in=-300))
    issuer = scene.provider.issuer
    said = said_of(f"The JWT of --idp-id-token {file.path}", issuer, "desktop", EXPIRED)
    check_refusals(
        start(*file.as_id_token(scene)),
        f"The identity provider {scene.provider.token_endpoint} refused (HTTP 400: invalid_grant, "
        f'"Signature has expired"). Its clock is NN seconds behind this machine\'s. {said}',
        SET_CLOCK,
    )


def test_an_audience_that_the_provider_gives_nothing_for(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    scene.provider.audiences = set()
    file.hold(scene.provider.id_token())
    check_refusals(
        start(*file.as_id_token(scene)),
        f"The identity provider {scene.provider.token_endpoint} gave no token "
        '(HTTP 400: invalid_target, "No application of this company.").',
        "Whoever runs the identity provider must allow this client, and this account, the "
        f'authorization server "{scene.name}".',
    )


@pytest.mark.report("S2")
def test_a_grant_of_the_provider_that_is_for_another_server_goes_nowhere(
    scene: Scene, start: Start, file: JwtFile
) -> None:
    scene.provider.addressed_to = "https://another.example"
    file.hold(scene.provider.id_token())
    before = len(scene.provider.asked), scene.issuer.log.read_text().count("answered")
    check_refusals(
        start(*file.as_id_token(scene)),
        "The grant of the identity provider is for https://another.example (aud), and was asked "
        f'for "{scene.name}": it is not sent there.',
        f'Whoever runs the identity provider must have its grants made out to "{scene.name}".',
    )
    asked = len(scene.provider.asked), scene.issuer.log.read_text().count("answered")
    assert asked == (before[0] + 1, before[1])


@pytest.mark.parametrize("side", ["provider", "server"])
def test_a_client_that_one_of_the_two_does_not_know(
    side: str, scene: Scene, start: Start, file: JwtFile
) -> None:
    file.hold(scene.provider.id_token())
    options = file.as_id_token(scene)
    if side == "provider":
        options[options.index(scene.provider.CLIENT)] = "stranger"
        cause = (
            f"The identity provider {scene.provider.token_endpoint} refused "
            '(HTTP 401: invalid_client, "Unknown client.").'
        )
        hint = "Check --idp-client-id, which must be allowed there to exchange ID tokens."
    else:
        options = file.as_id_token(scene, client_secret="canary-of-nobody")
        cause = (
            f"The authorization server's token endpoint {scene.name}/token refused (HTTP 401: "
            'invalid_client, "The client cannot authenticate with methods: '
            "['client_secret_basic']\"). The client was sent by Basic and in the body."
        )
        hint = "Check client_id and client_secret in --static-oauth-client-info."
    check_refusals(start(*options), cause, hint)
