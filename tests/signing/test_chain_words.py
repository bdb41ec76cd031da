"""What a person reads for everything that can stand in the way of AWS keys, word by word.

Errors are those that botocore itself raises, made as it makes them. Pure: no process, no socket.
"""

from __future__ import annotations

import configparser
import json
import string
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.signing.chain_answer import ChainFault
from mcp_remote_py.signing.chain_faults import (
    MfaAsked,
    SearchProgress,
    mask_keys,
    read_fault,
    read_flood,
    read_hang,
)
from mcp_remote_py.signing.chain_words import REASONS, explain_missing_keys

BOTOCORE: Any = import_module("botocore.exceptions")
EXTRA = "Run: pip install it"
FILES = "/home/me/.aws/config and /home/me/.aws/credentials"
STS = "https://sts.eu-west-1.amazonaws.com/"
NETWORK = (
    "Check the network, a VPN, and HTTPS_PROXY: hosts hand on few variables, put it into the"
    ' "env" of the entry. The next request tries again.'
)
SSO_LOGIN = (
    "Run aws sso login --profile desk in a terminal: the next request uses it, nothing has to be"
    " started again."
)
AWS_LOGIN = SSO_LOGIN.replace("aws sso login", "aws login")
BY_HAND = "Run it by hand to see why"
CHOICE = 'with --aws-profile, or AWS_PROFILE in the "env" of the entry.'


def progress(**members: Any) -> SearchProgress:
    return SearchProgress(profile="desk", named="desk", files=FILES, **members)


def program() -> SearchProgress:
    return progress(program="/usr/bin/vault", source="custom-process")


def client_error(
    operation: str, code: str, message: str = "Some words", status: int = 403
) -> Exception:
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return BOTOCORE.ClientError(answer, operation)


def broken(error: object) -> Exception:
    return BOTOCORE.ConfigParseError(path="/home/me/.aws/config", error=error)


def parsed(text: str) -> Exception:
    """What Python says of such a file."""
    with pytest.raises(configparser.Error) as caught:
        configparser.RawConfigParser().read_string(text)
    return caught.value


def json_error() -> Exception:
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("canary")
    return caught.value


class Row(NamedTuple):
    reason: str
    fault: ChainFault
    sentence: str


def raised(
    reason: str, error: BaseException, sentence: str, seen: SearchProgress | None = None
) -> Row:
    return Row(reason, read_fault(error, seen or progress()), sentence)


def found(reason: str, sentence: str, **more: str) -> Row:
    return Row(reason, ChainFault(reason, progress().facts(**more)), sentence)


ROWS = (
    # The package
    found(
        "no-botocore",
        "The AWS keys of a profile, a role or a sign-in need the package botocore, and it is not"
        " installed. Keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY work without it. " + EXTRA,
    ),
    found(
        "broken-botocore",
        "The package botocore is installed, but cannot be loaded. Python says: No module named"
        " 'six'. Install it again. " + EXTRA,
        words="No module named 'six'",
    ),
    found(
        "old-botocore",
        "The package botocore 1.12.3 is too old: 1.35 or newer is needed. " + EXTRA,
        version="1.12.3",
    ),
    found("old-botocore", "The package botocore is too old: 1.35 or newer is needed. " + EXTRA),
    found(
        "no-login",
        "Profile desk is for aws login, which the package botocore 1.35.0 does not know yet. "
        + EXTRA,
        version="1.35.0",
    ),
    raised(
        "no-crt",
        BOTOCORE.MissingDependencyException(msg="Using the login credential provider requires"),
        "Profile desk is for aws login, which needs the package awscrt, and it is not installed."
        " AWS's own command has it: give another profile the line credential_process = aws"
        " configure export-credentials --profile desk --format process, and name that one. Or add"
        " the package. " + EXTRA,
    ),
    # The person's files
    found(
        "no-profile",
        f"There is no AWS profile desk in {FILES}. Did you mean disk? Name one that is there "
        + CHOICE,
        choice="Did you mean disk?",
    ),
    raised(
        "no-profile",
        BOTOCORE.ProfileNotFound(profile="desk"),
        f"There is no AWS profile desk in {FILES}. Name one that is there " + CHOICE,
    ),
    found(
        "no-profiles",
        f"There is no AWS profile desk: {FILES} have none at all. Run aws configure sso, aws login"
        " or aws configure; if the files are elsewhere, put AWS_CONFIG_FILE and"
        ' AWS_SHARED_CREDENTIALS_FILE into the "env" of the entry.',
    ),
    *(
        raised(
            "broken-file",
            broken(error),
            f"AWS's file /home/me/.aws/config cannot be read: {problem}. Mend that line; a section"
            " begins with [profile NAME], a setting is name = value.",
        )
        for error, problem in (
            (parsed("region = x"), "line 1: a setting stands before the first [section]"),
            (parsed("[a]\nb = c\ncanary"), "line 3: it is neither a [section] nor a setting"),
            (parsed("[a]\n[a]"), "line 2: the same [section] was there before"),
            (parsed("[a]\nb=canary\nb=2"), "line 3: the same setting was there before"),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "it is not UTF-8"),
            (ValueError("not enough values"), "an indented line is not name = value"),
        )
    ),
    raised(
        "wrong-profile",
        BOTOCORE.InvalidConfigError(error_msg='The source_profile "x" does not exist.'),
        "What AWS's files say of profile desk does not fit together. botocore says: The"
        f' source_profile "x" does not exist. Mend it in {FILES}.',
    ),
    raised(
        "wrong-profile",
        BOTOCORE.InfiniteLoopConfigError(source_profile="a", visited_profiles=["desk", "a"]),
        "What AWS's files say of profile desk does not fit together. botocore says: Infinite loop"
        " in credential configuration detected. Attempting to load from profile a which has already"
        f" been visited. Visited profiles: ['desk', 'a']. Mend it in {FILES}.",
    ),
    raised(
        "wrong-profile",
        BOTOCORE.PartialCredentialsError(
            provider="assume-role", cred_var="source_profile or credential_source"
        ),
        "What AWS's files say of profile desk does not fit together. botocore says: Partial"
        " credentials found in assume-role, missing: source_profile or credential_source. Mend it"
        f" in {FILES}.",
    ),
    raised(
        "half-keys",
        BOTOCORE.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "The AWS keys in the environment are not complete: AWS_SECRET_ACCESS_KEY is missing. Give"
        " both, and the session token of keys that are temporary.",
    ),
    raised(
        "half-keys",
        BOTOCORE.PartialCredentialsError(
            provider="shared-credentials-file", cred_var="aws_secret_access_key"
        ),
        "The AWS keys in profile desk are not complete: aws_secret_access_key is missing. Give"
        " both, and the session token of keys that are temporary.",
    ),
    Row(
        "changed-places",
        ChainFault("changed-places", {"profile": "desk", "source": "shared-credentials-file"}),
        "The AWS keys of profile desk (shared-credentials-file) cannot be used: the access key id"
        " cannot be one, or the secret key is one. An id is like AKIAIOSFODNN7EXAMPLE: look"
        " whether the two have changed places.",
    ),
    found(
        "odd-keys",
        "What profile desk gives cannot be AWS keys (custom-process): the session token is not a"
        " text. Write or copy them again at their source, without anything around them.",
        source="custom-process",
        problem="the session token is not a text",
    ),
    found(
        "odd-region",
        f"The region of profile desk in {FILES} is not the name of one. Mend that line, such as"
        " region = us-east-1, or give --aws-region.",
    ),
    raised(
        "no-region",
        BOTOCORE.NoRegionError(),
        "AWS cannot be asked for the keys of profile desk: no region is known. Give --aws-region,"
        " or the profile a line region = us-east-1.",
    ),
    raised(
        "unreadable",
        PermissionError(13, "Permission denied", "/run/token"),
        "The file /run/token cannot be read: Permission denied. It belongs to profile desk: check"
        " its name and who may read it.",
    ),
    found(
        "no-keys",
        "There are no AWS keys: none in AWS_ACCESS_KEY_ID, none for profile desk in"
        f" {FILES}, none from a container or the role of this machine. Profiles there: a, b. Hosts"
        " start us with few variables: name the profile " + CHOICE,
        choice="Profiles there: a, b.",
    ),
    found(
        "empty-profile",
        f"The AWS profile desk has no keys and does not say where to get any, in {FILES}; nor do a"
        " container or the role of this machine. Give it what it needs, such as by aws configure"
        " sso --profile desk: sso_session with sso_account_id and sso_role_name, role_arn,"
        " login_session or credential_process. Profiles there: a, b.",
        choice="Profiles there: a, b.",
    ),
    # Sign-ins
    raised(
        "sso-missing",
        BOTOCORE.SSOTokenLoadError(error_msg="Token for https://x does not exist"),
        "Nobody is signed in to AWS's IAM Identity Center (SSO) for profile desk. " + SSO_LOGIN,
    ),
    raised(
        "sso-missing",
        BOTOCORE.SSOTokenLoadError(error_msg="Token for https://x is invalid."),
        "Nobody is signed in to AWS's IAM Identity Center (SSO) for profile desk. botocore says:"
        " Token for https://x is invalid. " + SSO_LOGIN,
    ),
    *(
        raised(
            "sso-expired",
            error,
            "The sign-in to AWS's IAM Identity Center (SSO) for profile desk has expired. "
            + SSO_LOGIN,
        )
        for error in (
            BOTOCORE.UnauthorizedSSOTokenError(),
            BOTOCORE.TokenRetrievalError(provider="sso", error_msg="Token has expired"),
        )
    ),
    raised(
        "sso-refused",
        client_error("GetRoleCredentials", "ForbiddenException", "No access"),
        "AWS's IAM Identity Center (SSO) gives no keys for the role of profile desk. It says: No"
        " access. Check sso_account_id and sso_role_name, or ask who assigns the roles; then aws"
        " sso login --profile desk.",
    ),
    *(
        raised(
            "login-expired",
            error,
            "The session of aws login for profile desk is missing or has expired. botocore says:"
            f" {error} " + AWS_LOGIN,
        )
        for error in (
            BOTOCORE.LoginRefreshRequired(),
            BOTOCORE.LoginTokenLoadError(error_msg="Unable to load a existing login session."),
        )
    ),
    raised(
        "login-refused",
        BOTOCORE.LoginInsufficientPermissions(),
        "AWS does not let the session of aws login for profile desk be renewed. botocore says:"
        " Unable to create or refresh login credentials due to insufficient permissions. You may be"
        " missing permission for the 'signin:CreateOAuth2Token' action. Ask for the permission"
        " signin:CreateOAuth2Token, or use another profile.",
    ),
    # Roles
    raised(
        "mfa",
        MfaAsked(),
        "The role of profile desk needs an MFA code, and nobody can be asked for it here. Run aws"
        " sts get-caller-identity --profile desk in a terminal and type the code: its session is"
        " used from then on, as long as it lasts.",
    ),
    raised(
        "role-refused",
        client_error(
            "AssumeRole", "AccessDenied", "User: arn:aws:iam::1:user/me is not authorized"
        ),
        "AWS does not give the role of profile desk: AccessDenied. STS says: User:"
        " arn:aws:iam::1:user/me is not authorized. Check role_arn, external_id, the trust policy"
        " of the role, and the keys that it is asked with.",
    ),
    *(
        raised(
            "stale-source",
            client_error("AssumeRole", code),
            f"AWS refuses the keys that the role of profile desk is asked with: {code}. STS says:"
            " Some words. Renew them, and check the clock of this machine.",
        )
        for code in ("ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch")
    ),
    raised(
        "web-identity-refused",
        client_error("AssumeRoleWithWebIdentity", "ExpiredTokenException"),
        "AWS does not give the role of profile desk for the web identity token:"
        " ExpiredTokenException. STS says: Some words. Check the role's trust policy, and that"
        " whoever writes the token file keeps it new.",
    ),
    raised(
        "refused",
        client_error("CreateOAuth2Token", "ValidationException"),
        "AWS refuses to give keys for profile desk: CreateOAuth2Token was answered with"
        " ValidationException. It says: Some words. Check what the profile names, and that your"
        " sign-in still stands.",
    ),
    *(
        raised(
            "busy",
            client_error("AssumeRole", code, status=status),
            f"AWS cannot give keys for profile desk now: AssumeRole was answered with {code}. It"
            " says: Some words. The next request tries again.",
        )
        for code, status in (("Throttling", 400), ("Unheard", 503))
    ),
    raised(
        "stale-keys",
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
        "The AWS keys of profile desk have expired already when they come (custom-process). Renew"
        " them at their source, and check the clock of this machine.",
        program(),
    ),
    # credential_process
    *(
        raised(
            "process-missing",
            FileNotFoundError(2, "No such file or directory", name),
            "The credential_process of profile desk cannot be started: /usr/bin/vault: No such file"
            " or directory. Give it an absolute path: hosts start us with a short PATH.",
            program(),
        )
        for name in ("/usr/bin/vault", None)  # None: Windows
    ),
    raised(
        "process-failed",
        BOTOCORE.CredentialRetrievalError(
            provider="custom-process", error_msg="line\n" * 100 + "error: the vault is locked\n"
        ),
        "The credential_process of profile desk, /usr/bin/vault, failed. It says: …"
        + ("line " * 100 + "error: the vault is locked")[-199:]
        + f". {BY_HAND}; it gets nothing to read, and the few variables that the host hands on.",
        program(),
    ),
    raised(
        "process-failed",
        BOTOCORE.CredentialRetrievalError(provider="custom-process", error_msg=""),
        "The credential_process of profile desk, /usr/bin/vault, failed. "
        f"{BY_HAND}; it gets nothing to read, and the few variables that the host hands on.",
        program(),
    ),
    *(
        raised(
            "process-rubbish",
            error,
            "The credential_process of profile desk, /usr/bin/vault, does not print the JSON of"
            f' keys ({problem}). {BY_HAND}: it must print {{"Version": 1, "AccessKeyId": ...,'
            ' "SecretAccessKey": ...} and nothing else.',
            program(),
        )
        for error, problem in (
            (json_error(), "not JSON"),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "not UTF-8"),
            (AttributeError("'list' object has no attribute 'get'"), "not such JSON"),
            (
                BOTOCORE.CredentialRetrievalError(
                    provider="custom-process",
                    error_msg="Unsupported version '2' for credential process provider",
                ),
                "Version 2",
            ),
            (
                BOTOCORE.CredentialRetrievalError(
                    provider="custom-process",
                    error_msg="Missing required key in response: 'SecretAccessKey'",
                ),
                "no SecretAccessKey",
            ),
        )
    ),
    Row(
        "process-rubbish",
        read_flood(program()),
        "The credential_process of profile desk, /usr/bin/vault, does not print the JSON of keys"
        f' (it does not stop printing). {BY_HAND}: it must print {{"Version": 1, "AccessKeyId":'
        ' ..., "SecretAccessKey": ...} and nothing else.',
    ),
    Row(
        "process-hangs",
        read_hang(program(), 45.0),
        "The credential_process of profile desk, /usr/bin/vault, did not end within 45 seconds and"
        f" was stopped. {BY_HAND}: it must not ask anything, nobody can answer it here.",
    ),
    # Other machines
    raised(
        "container",
        BOTOCORE.CredentialRetrievalError(provider="container-role", error_msg="No answer"),
        "The container's service for AWS keys does not answer as it should. botocore says: No"
        " answer. It is named by AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI: check that"
        " this still is where it was set.",
    ),
    raised(
        "machine-role",
        BOTOCORE.CredentialRetrievalError(
            provider="Ec2InstanceMetadata", error_msg="No credentials found"
        ),
        "The service that profile desk takes its keys from (Ec2InstanceMetadata) does not give any."
        " botocore says: No credentials found. Its credential_source is for programs on machines of"
        " AWS: on another one use another profile.",
    ),
    raised(
        "unreachable",
        BOTOCORE.EndpointConnectionError(
            endpoint_url=STS, error="Failed to connect ([Errno 111] Connection refused)"
        ),
        "sts.eu-west-1.amazonaws.com cannot be reached for the AWS keys of profile desk. botocore"
        " says: Connection refused. " + NETWORK,
    ),
    raised(
        "unreachable",
        BOTOCORE.ReadTimeoutError(endpoint_url=STS, error=None),
        "sts.eu-west-1.amazonaws.com cannot be reached for the AWS keys of profile desk. botocore"
        " says: ReadTimeoutError. " + NETWORK,
    ),
    raised(
        "unreachable",
        BOTOCORE.ProxyConnectionError(
            proxy_url="http://me:canary@proxy.example:3128", error="[Errno 111] Connection refused"
        ),
        "The proxy proxy.example:3128 cannot be reached for the AWS keys of profile desk. botocore"
        " says: Connection refused. " + NETWORK,
    ),
    raised(
        "untrusted",
        BOTOCORE.SSLError(
            endpoint_url=STS,
            error="[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"
            " certificate in certificate chain (_ssl.c:1000)",
        ),
        "The certificate of sts.eu-west-1.amazonaws.com, which gives the AWS keys of profile desk,"
        " is not trusted. botocore says: certificate verify failed: self-signed certificate in"
        " certificate chain. If a proxy of your company looks into the traffic, give the profile a"
        ' line ca_bundle = FILE, or put AWS_CA_BUNDLE into the "env" of the entry.',
    ),
    Row(
        "host-hangs",
        read_hang(progress(host="sts.amazonaws.com"), 45.0),
        "sts.amazonaws.com did not answer within 45 seconds when it was asked for AWS keys. "
        + NETWORK,
    ),
    Row(
        "hangs",
        read_hang(progress(), 0.5),
        "Looking for the AWS keys of profile desk did not end within 0.5 seconds. The next request"
        " tries again.",
    ),
    # What should not be
    found(
        "no-answer",
        "The process that looks for AWS keys ended without an answer (0 bytes). The next request"
        " tries again.",
        problem="0 bytes",
    ),
    raised(
        "unknown",
        ZeroDivisionError("division of wJalrXUtnFEMI/K7MDENG/bPxRfiCYcanary by zero"),
        "Looking for the AWS keys of profile desk failed (ZeroDivisionError). botocore says:"
        " division of **** by zero. Check that AWS's own command works: aws sts"
        " get-caller-identity --profile desk",
    ),
    raised(
        "unknown",
        ValueError("bad"),
        "Looking for the AWS keys of profile desk failed (ValueError). botocore says: bad. Check"
        " that AWS's own command works: aws sts get-caller-identity --profile desk",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=[row.reason for row in ROWS])
def test_the_sentence_of_a_reason(row: Row) -> None:
    assert row.fault.reason == row.reason
    assert explain_missing_keys(row.fault, EXTRA).sentence() == row.sentence
    assert "canary" not in row.sentence


@pytest.mark.promise("P2")
def test_each_reason_is_shown_here() -> None:
    assert {row.reason for row in ROWS} == REASONS.keys()


def test_what_is_over_by_itself() -> None:
    passing = {name for name, row in REASONS.items() if row.is_passing}
    assert passing == {
        *("busy", "container", "machine-role", "unreachable"),
        *("host-hangs", "hangs", "no-answer"),
    }
    for name in REASONS:
        assert explain_missing_keys(ChainFault(name), "").is_passing is (name in passing)


def test_each_sentence_asks_for_facts_that_there_are() -> None:
    known = {
        *("profile", "files", "source", "host", "program", "words", "extra", "option", "login"),
        *("path", "problem", "place", "missing", "choice", "code", "operation", "seconds"),
        "version",
    }
    for row in REASONS.values():
        for text in (row.cause, row.hint, row.evidence):
            assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= known


def test_without_a_name_it_is_the_default_and_commands_need_no_option() -> None:
    said = explain_missing_keys(ChainFault("sso-expired"), "").sentence()
    assert "for profile default has expired. Run aws sso login in a terminal:" in said


def test_a_reason_of_another_version_is_said_as_well_as_it_can_be() -> None:
    said = explain_missing_keys(ChainFault("novel", {"problem": "x"}), "").sentence()
    assert said.startswith("Looking for the AWS keys of profile default failed (x).")


def test_a_known_secret_in_foreign_words_is_covered() -> None:
    remember([Secret("canary-known-phrase")])
    fault = ChainFault("process-failed", {"words": "no canary-known-phrase here"})
    assert "no **** here" in explain_missing_keys(fault, "").sentence()


@pytest.mark.parametrize(
    "text",
    [
        "the vault /home/me/.vault/keys is locked",
        "error: cannot open file",
        "Unable to locate credentials. You can configure credentials by running aws login.",
    ],
)
def test_words_of_programs_stay_readable(text: str) -> None:
    assert mask_keys(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQD",
    ],
)
@pytest.mark.parametrize(
    "frame", ["{}", '"{}"', "key: {},", "key={}", '{{"SecretAccessKey":"{}"}}']
)
def test_keys_in_words_of_programs_are_covered(key: str, frame: str) -> None:
    said = mask_keys(frame.format(key))
    assert key[:12] not in said
    assert "****" in said
