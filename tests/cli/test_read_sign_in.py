"""The options of a sign-in without a person: what they mean together, and what cannot be meant.

Must not know what is done with them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.unattended import ClientKey, IdentityProvider, Unattended, WorkloadJwt

URL = "https://mcp.example.com/mcp"
INFO = ["--static-oauth-client-info", json.dumps({"client_id": "agent"})]
PEM = "-----BEGIN PRIVATE KEY-----\ncanary-of-a-key\n-----END PRIVATE KEY-----\n"
IDP = "https://idp.example.com/token"

pytestmark = pytest.mark.promise("A3")


def run(*argv: str, environment: Mapping[str, str] | None = None) -> tuple[object, str]:
    """The settings the command is started with, or what stderr says."""
    started: list[object] = []

    def load(name: str) -> Callable[..., int]:
        def begin(settings: object, *_: object) -> int:
            started.append(settings)
            return 0

        return begin

    stderr = io.StringIO()
    main([URL, *argv], environment or {}, io.StringIO(), stderr, load)
    return (started[0] if started else None), stderr.getvalue()


def sign_in_of(*argv: str) -> ProxySettings:
    settings, said = run(*argv)
    assert isinstance(settings, ProxySettings), said
    return settings


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "agent.pem"
    path.write_text(PEM)
    path.chmod(0o600)
    return str(path)


@pytest.mark.report("E7")
@pytest.mark.parametrize(
    ("others", "resource", "send", "warning"),
    [
        ([], "https://a.example/", True, "it is taken for --resource. Write --resource."),
        (["--resource", "https://b.example/"], "https://b.example/", True, "another option."),
        (["--disable-resource-parameter"], None, False, "another option."),
    ],
)
def test_a_resource_among_the_parameters_is_taken_with_a_warning_as_npm_takes_it(
    others: list[str], resource: str | None, send: bool, warning: str
) -> None:
    words = [
        "--authorize-param",
        "resource=https://a.example/",
        "--authorize-param",
        "prompt=login",
    ]
    settings, said = run(*words, *others)
    assert isinstance(settings, ProxySettings), said
    sign_in = settings.sign_in
    assert (sign_in.resource, sign_in.send_resource) == (resource, send)
    assert sign_in.authorize_parameters == (("prompt", "login"),)
    assert "--authorize-param sets resource" in said
    assert said.endswith(f"{warning}\n")
    assert sign_in_of(*words[:2]).sign_in.authorize_parameters == ()


def test_a_person_signs_in_where_nothing_else_is_said() -> None:
    assert sign_in_of().sign_in.unattended is None


def test_a_client_with_a_secret() -> None:
    settings = sign_in_of("--client-credentials", *INFO).sign_in
    assert settings.unattended == Unattended()
    assert settings.profile == "client-credentials"


def test_a_client_with_a_key(key: str) -> None:
    options = ("--client-credentials", *INFO, "--private-key", key, "--signing-alg", "RS256")
    settings = sign_in_of(*options)
    assert settings.sign_in.unattended == Unattended(key=ClientKey(Secret(PEM.strip()), "RS256"))
    assert Secret(PEM.strip()) in settings.secrets


def test_a_workload_with_a_jwt_needs_no_client() -> None:
    settings = sign_in_of("--jwt-bearer", "/run/jwt").sign_in
    assert settings.unattended == Unattended(WorkloadJwt("/run/jwt"))
    assert settings.profile == "jwt-bearer"


def test_a_company_with_a_provider() -> None:
    options = ("--idp-token-endpoint", IDP, "--idp-client-id", "desktop")
    settings = sign_in_of(*options, "--idp-id-token", "/run/id_token", *INFO).sign_in
    assert settings.unattended == Unattended(IdentityProvider(IDP, "desktop", "/run/id_token"))
    assert settings.profile == "enterprise"


def test_a_workload_may_be_a_client_that_proves_itself_by_its_key(key: str) -> None:
    options = ("--jwt-bearer", "/run/jwt", *INFO, "--private-key", key)
    how = sign_in_of(*options, "--token-endpoint", IDP).sign_in.unattended
    assert how == Unattended(WorkloadJwt("/run/jwt"), ClientKey(Secret(PEM.strip())))


def test_a_name_of_the_persons_own_stays() -> None:
    settings = sign_in_of("--client-credentials", *INFO, "--profile", "night").sign_in
    assert settings.profile == "night"


def test_a_token_endpoint_that_is_known() -> None:
    options = ("--client-credentials", *INFO, "--token-endpoint", IDP)
    assert sign_in_of(*options).sign_in.token_endpoint == IDP


PAGE = ["--authorization-endpoint", "https://as.example.com/authorize?tenant=a%20b"]


@pytest.mark.report("O13")
def test_a_page_that_is_known() -> None:
    settings = sign_in_of(*PAGE, "--token-endpoint", IDP, *INFO).sign_in
    assert settings.authorization_endpoint == PAGE[1], "byte for byte"
    assert settings.token_endpoint == IDP
    assert settings.unattended is None
    assert settings.profile == "", "a person's session is the same"
    document = ("--client-metadata-url", "https://me.example/client.json")
    assert sign_in_of(*PAGE, "--token-endpoint", IDP, *document).sign_in.static_client is None


MISTAKES = [
    (PAGE, "--authorization-endpoint is given without --token-endpoint. Add --token-endpoint."),
    (
        [*PAGE, "--token-endpoint", IDP],
        "--authorization-endpoint is given without --static-oauth-client-info.",
    ),
    (
        [*PAGE, "--token-endpoint", IDP, *INFO, "--client-credentials"],
        "Both --client-credentials and --authorization-endpoint are given.",
    ),
    (
        [*PAGE, "--token-endpoint", IDP, *INFO, "--device-code"],
        "Both --authorization-endpoint and --device-code are given.",
    ),
    (
        ["--authorization-endpoint", "http://as.example.com/a", "--token-endpoint", IDP, *INFO],
        "--authorization-endpoint is plain http to another machine. Use https.",
    ),
    (["--client-credentials"], "--client-credentials is given without --static-oauth-client-info."),
    (
        ["--idp-token-endpoint", IDP, *INFO],
        "--idp-token-endpoint is given without --idp-client-id.",
    ),
    (
        ["--idp-token-endpoint", IDP, *INFO, "--idp-client-id", "a"],
        "--idp-token-endpoint is given without --idp-id-token.",
    ),
    (
        ["--jwt-bearer", ""],
        "--jwt-bearer is empty. Give the name of a file, or leave it out.",
    ),
    (
        ["--idp-token-endpoint", IDP, *INFO, "--idp-client-id", "", "--idp-id-token", "a"],
        "--idp-client-id is empty. Give its value, or leave it out.",
    ),
    (["--private-key", "k.pem"], "--private-key is given without --client-credentials."),
    (["--signing-alg", "ES256"], "--signing-alg is given without --private-key."),
    (["--idp-client-id", "a"], "--idp-client-id is given without --idp-token-endpoint."),
    (["--idp-id-token", "a"], "--idp-id-token is given without --idp-token-endpoint."),
    (["--token-endpoint", IDP], "--token-endpoint is given without --client-credentials."),
    (
        ["--client-credentials", "--jwt-bearer", "a", *INFO],
        "Both --client-credentials and --jwt-bearer are given.",
    ),
    (
        ["--jwt-bearer", "a", "--device-code"],
        "Both --jwt-bearer and --device-code are given.",
    ),
    (
        ["--jwt-bearer", "a", "--idp-token-endpoint", IDP],
        "Both --jwt-bearer and --idp-token-endpoint are given.",
    ),
    (
        ["--jwt-bearer", "a", "--idp-id-token", "b"],
        "Both --jwt-bearer and --idp-id-token are given.",
    ),
    (
        ["--client-credentials", *INFO, "--idp-client-id", "b"],
        "Both --client-credentials and --idp-client-id are given.",
    ),
    (
        ["--jwt-bearer", "a", "--signing-alg", "ES256"],
        "--signing-alg is given without --private-key.",
    ),
    (
        ["--jwt-bearer", "a", "--private-key", "k.pem"],
        "--private-key is given without --static-oauth-client-info.",
    ),
    (
        ["--client-credentials", *INFO, "--signing-alg", "HS256", "--private-key", "k.pem"],
        "--private-key: cannot read k.pem: No such file or directory.",
    ),
    (
        ["--client-credentials", *INFO, "--token-endpoint", "http://idp.example.com/t"],
        "--token-endpoint is plain http to another machine. Use https.",
    ),
    (["--client-credentials", *INFO, "--token-endpoint", "idp"], "--token-endpoint"),
]


@pytest.mark.parametrize(("argv", "words"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_one_line(argv: list[str], words: str) -> None:
    settings, said = run(*argv)
    assert settings is None
    assert words in said
    assert said.count("\n") == 1


def test_an_address_to_paste_is_a_persons() -> None:
    stderr = io.StringIO()
    main(["login", URL, "--paste", "--client-credentials", *INFO], {}, io.StringIO(), stderr)
    assert "Both --client-credentials and --paste are given. Leave out one." in stderr.getvalue()


def test_a_symmetric_algorithm_is_not_one(key: str) -> None:
    options = ("--client-credentials", *INFO, "--private-key", key, "--signing-alg", "HS256")
    settings, said = run(*options)
    assert settings is None
    assert "--signing-alg has an unknown value. Use one of: ES256, " in said


def test_a_file_without_a_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("canary-no-key")
    settings, said = run("--client-credentials", *INFO, "--private-key", str(path))
    assert settings is None
    assert "does not contain a private key. It is a PEM file without a password, or a JWK." in said
    assert "canary-no-key" not in said
