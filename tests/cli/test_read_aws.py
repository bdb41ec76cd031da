"""The options of AWS: what they mean together, and what cannot be meant.

Must not know what is done with them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.commands.login import run_login
from mcp_remote_py.commands.status import run_status
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.stored import LogoutSettings, StatusSettings
from tests.fakes import console_of

pytestmark = pytest.mark.promise("AWS1", "P2")

URL = "https://mcp.example.com/mcp"
LAMBDA = "https://abcd1234.lambda-url.ap-northeast-1.on.aws/mcp"
SIGNED = ("--aws-sigv4", "--aws-service", "lambda", "--aws-region", "eu-west-1")


def read(
    url: str, *options: str, environment: Mapping[str, str] | None = None, command: str = ""
) -> tuple[object, str]:
    """The settings the command is started with, and what stderr says."""
    started: list[object] = []

    def load(name: str) -> Callable[..., int]:
        def begin(settings: object, *_: object) -> int:
            started.append(settings)
            return 0

        return begin

    stderr = io.StringIO()
    words = [command] if command else []
    main([*words, url, *options], environment or {}, io.StringIO(), stderr, load)
    return (started[0] if started else None), stderr.getvalue()


def aws_of(
    url: str, *options: str, environment: Mapping[str, str] | None = None
) -> AwsSettings | None:
    settings, said = read(url, *options, environment=environment)
    assert isinstance(settings, ProxySettings), said
    return settings.aws


def test_nothing_is_signed_where_nobody_says_so() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}
    assert aws_of(LAMBDA, environment=keys) is None


def test_service_is_the_options_else_the_urls() -> None:
    found = aws_of(LAMBDA, "--aws-sigv4")
    assert found == AwsSettings("lambda", "ap-northeast-1")
    found = aws_of(LAMBDA, "--aws-sigv4", "--aws-service", "IoTSecuredTunneling")
    assert found == AwsSettings("IoTSecuredTunneling", "ap-northeast-1"), "as it is written"


@pytest.mark.parametrize(
    ("options", "environment", "region"),
    [
        (("--aws-region", "eu-west-3"), {"AWS_REGION": "eu-north-1"}, "eu-west-3"),
        ((), {"AWS_REGION": "eu-north-1"}, "ap-northeast-1"),
    ],
)
def test_region_is_the_options_else_the_urls(
    options: tuple[str, ...], environment: dict[str, str], region: str
) -> None:
    found = aws_of(LAMBDA, "--aws-sigv4", *options, environment=environment)
    assert found is not None
    assert found.region == region


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-2"}, "eu-north-1"),
        ({"AWS_REGION": " ", "AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ({}, ""),
    ],
)
def test_region_is_else_the_environments_and_else_that_of_the_keys(
    environment: dict[str, str], region: str
) -> None:
    options = ("--aws-sigv4", "--aws-service", "lambda")
    found = aws_of(URL, *options, environment=environment)
    assert found == AwsSettings("lambda", region)


def test_the_entry_that_is_shown_does_without_the_environment() -> None:
    environment = {"AWS_REGION": "eu-north-1", "AWS_PROFILE": "work desk"}
    settings, _ = read(URL, "--aws-sigv4", "--aws-service", "lambda", environment=environment)
    assert isinstance(settings, ProxySettings)
    assert settings.entry_words == (
        *("--aws-sigv4", "--aws-service", "lambda"),
        *("--aws-region", "eu-north-1", "--aws-profile", "work desk"),
    )
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-4711"}
    settings, _ = read(URL, *SIGNED, environment={**environment, **keys})
    assert isinstance(settings, ProxySettings)
    assert settings.aws is not None
    assert settings.aws.variables == tuple(keys)
    assert settings.aws.profile == "", "keys in the environment come before its profile"
    settings, _ = read(URL, *SIGNED, "--aws-profile", "dev", environment=keys)
    assert isinstance(settings, ProxySettings)
    assert settings.aws == AwsSettings("lambda", "eu-west-1", "dev")


def test_a_region_that_only_a_profile_has_keeps_the_profile_in_the_entry() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-4711"}
    options = ("--aws-sigv4", "--aws-service", "lambda")
    found = aws_of(URL, *options, environment={**keys, "AWS_PROFILE": "desk"})
    assert found is not None
    assert found.variables == (*keys, "AWS_PROFILE")
    assert found.reads_files, "so the entry needs the extra"
    known = aws_of(LAMBDA, *options, environment={**keys, "AWS_PROFILE": "desk"})
    assert known is not None
    assert known.variables == tuple(keys)
    assert not known.reads_files
    assert AwsSettings("lambda", "eu-west-1", "desk").reads_files


def test_a_port_in_an_entry_for_npms_mcp_remote_is_ignored() -> None:
    settings, said = read(URL, "3334", *SIGNED)
    assert isinstance(settings, ProxySettings)
    assert "Ignored: the port behind the server URL. With --aws-sigv4 nobody signs in." in said


def test_what_is_not_of_a_sign_in_alone_is_taken() -> None:
    settings, said = read(URL, *SIGNED, "--initialize-timeout", "3", "--token-store", "memory")
    assert isinstance(settings, ProxySettings), said
    assert settings.initialize_timeout == 3


BOTH = "With it nobody signs in: leave out one of the two."
MISTAKES = [
    (
        URL,
        ("--aws-region", "eu-west-1"),
        "--aws-region is given without --aws-sigv4. Add --aws-sigv4, which signs requests with AWS "
        "keys, or leave it out.",
    ),
    (URL, ("--aws-profile", "dev"), "--aws-profile is given without --aws-sigv4."),
    (URL, ("--aws-service", "lambda"), "--aws-service is given without --aws-sigv4."),
    (
        URL,
        ("--aws-sigv4",),
        "Which AWS service mcp.example.com belongs to cannot be seen from the URL. Give its "
        "signing name with --aws-service, for example lambda (function URLs), execute-api (API "
        "Gateway), bedrock-agentcore (AgentCore), vpc-lattice-svcs (VPC Lattice).",
    ),
    (
        URL,
        (*SIGNED, "--header", "Authorization: Bearer canary-1"),
        "Both --aws-sigv4 and an Authorization header are given. The signature is sent in that "
        "header: leave out one of the two.",
    ),
    (
        URL,
        (*SIGNED, "--header", "X-Amz-Date: 20260101T000000Z"),
        "Both --aws-sigv4 and the header X-Amz-Date are given. That header belongs to the "
        "signature, which is made anew for each request: leave it out.",
    ),
    (URL, (*SIGNED, "--header", "x-amz-security-token: canary-2"), "the header x-amz-security"),
    (URL, (*SIGNED, "--header", "X-Amz-Content-SHA256: x"), "the header X-Amz-Content-SHA256"),
    (
        URL,
        (*SIGNED, "--profile", "work"),
        "Both --aws-sigv4 and --profile are given. For the keys of a profile in AWS's own files, "
        "give --aws-profile instead.",
    ),
    (URL, (*SIGNED, "--scope", "a"), f"Both --aws-sigv4 and --scope are given. {BOTH}"),
    (URL, (*SIGNED, "--resource", "https://a.example/"), f"and --resource are given. {BOTH}"),
    (URL, (*SIGNED, "--device-code"), f"and --device-code are given. {BOTH}"),
    (
        URL,
        (*SIGNED, "--static-oauth-client-info", '{"client_id":"a"}'),
        f"and --static-oauth-client-info are given. {BOTH}",
    ),
    (
        f"{LAMBDA}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=canary",
        ("--aws-sigv4",),
        "The server URL is signed already: it has X-Amz-Signature in its query. Leave out all of "
        "its X-Amz- parameters, or --aws-sigv4.",
    ),
    (
        f"{LAMBDA}?x%2Damz-signature=canary",
        ("--aws-sigv4",),
        "The server URL is signed already: it has X-Amz-Signature in its query.",
    ),
    (
        "http://mcp.example.com/mcp",
        SIGNED,
        "Plain http to mcp.example.com would let the network read every header and message.",
    ),
    (
        URL,
        ("--aws-sigv4", "--aws-service", "la/mbda"),
        "--aws-service takes a name of letters, digits and hyphens. For example lambda or",
    ),
    (
        URL,
        ("--aws-sigv4", "--aws-service", "lambda", "--aws-region", "eu west"),
        "--aws-region takes a name of letters, digits and hyphens. For example us-east-1.",
    ),
    (
        URL,
        (*SIGNED, "--aws-profile", ""),
        "--aws-profile is empty. `aws configure list-profiles` shows the names.",
    ),
]


@pytest.mark.parametrize(("url", "options", "words"), MISTAKES)
def test_what_does_not_go_together_is_said(url: str, options: tuple[str, ...], words: str) -> None:
    settings, said = read(url, *options)
    assert settings is None
    assert words in said
    assert "canary" not in said
    assert len(said.splitlines()) == 1


def test_a_region_of_the_environment_is_a_name() -> None:
    settings, said = read(
        URL, "--aws-sigv4", "--aws-service", "lambda", environment={"AWS_REGION": "${REGION}"}
    )
    assert settings is None
    assert "AWS_REGION takes a name of letters, digits and hyphens." in said


def test_a_credential_of_a_header_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer canary-7\n")
    settings, said = read(URL, *SIGNED, "--header-file", str(path))
    assert settings is None
    assert "Both --aws-sigv4 and an Authorization header are given." in said


NOTHING_TO_DO = (
    "With --aws-sigv4 there is nothing to sign in to here, nor to sign out of: requests are signed "
    "with AWS keys, which AWS's own tools renew, such as `aws sso login --profile dev`."
)


def test_an_entry_is_taken_by_every_command(tmp_path: Path) -> None:
    """Its other options do not matter there, whatever is wrong with them for the relay."""
    entry = ("--aws-sigv4", "--aws-profile", "dev", "--aws-region", "eu-west-1")
    environment = {"MCP_REMOTE_CONFIG_DIR": str(tmp_path)}
    said: list[str] = []
    login, _ = read(URL, *entry, command="login")
    assert isinstance(login, ProxySettings)
    assert run_login(login, environment, console_of(said)) == 0
    status, _ = read(URL, *entry, command="status")
    assert isinstance(status, StatusSettings)
    assert run_status(status, environment, console_of(said)) == 0
    assert said == [NOTHING_TO_DO] * 2
    said.clear()
    told, _ = read(URL, *entry, "--json", command="status")
    assert isinstance(told, StatusSettings)
    assert run_status(told, environment, console_of(said)) == 0
    assert json.loads("\n".join(said)) == {"sessions": []}
    logout, _ = read(URL, *entry, command="logout")
    assert isinstance(logout, LogoutSettings)
    assert logout.aws == AwsSettings(profile="dev")
