"""Refusals of AWS: what they are read as, what is said of them, and what is not theirs."""

from __future__ import annotations

import json
from calendar import timegm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.aws.refusal_words import explain_aws_refusal
from mcp_remote_py.aws.refusals import AwsRefusal, AwsRefusalKind, read_refusal
from mcp_remote_py.aws.sigv4 import Scope
from mcp_remote_py.redact import Secret, remember

NOW = float(timegm((2026, 11, 30, 12, 0, 0)))
LAMBDA = Scope("lambda", "us-east-1")
GATEWAY = Scope("execute-api", "us-east-1")

NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
DENIED = (
    "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: execute-api:Invoke on "
    "resource: arn:aws:execute-api:us-east-1:********9012:a1b2c3/prod/POST/mcp"
)


def document(**members: object) -> bytes:
    return json.dumps(members).encode()


def refuse(
    body: bytes = b"", kind: str = "", status: int = 403, *, date: bytes = b"", of_api: bytes = b""
) -> AwsRefusal | None:
    headers = {
        b"x-amzn-errortype": kind.encode(),
        b"date": date,
        b"apigw-requestid": of_api,
    }
    return read_refusal(status, {name: value for name, value in headers.items() if value}, body)


def read(
    body: bytes = b"", kind: str = "", status: int = 403, *, date: bytes = b"", of_api: bytes = b""
) -> AwsRefusal:
    refusal = refuse(body, kind, status, date=date, of_api=of_api)
    assert refusal is not None
    return refusal


K = AwsRefusalKind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "Signature expired: 20261130T1Z is now earlier than 20261130T2Z (20261130T3Z - 5 min.)",
            K.CLOCK,
        ),
        ("Signature not yet current: 20261130T1Z is still later than 20261130T2Z", K.CLOCK),
        ("Credential should be scoped to a valid region, not 'us-east-2'. ", K.WRONG_SCOPE),
        ("Credential should be scoped to correct service: 'execute-api'. ", K.WRONG_SCOPE),
        (NO_MATCH, K.WRONG_SIGNATURE),
        (
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            K.WRONG_SIGNATURE,
        ),
        (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date",
            K.WRONG_SIGNATURE,
        ),
    ],
)
@pytest.mark.parametrize("shape", range(6))
def test_one_code_of_a_signature_stands_for_three_kinds(
    message: str, kind: AwsRefusalKind, shape: int
) -> None:
    made = [
        read(document(message=message), "InvalidSignatureException"),
        read(document(message=message), "InvalidSignatureException:http://internal.amazon.com/a/"),
        read(
            document(__type="com.amazon.coral.service#InvalidSignatureException", message=message)
        ),
        read(document(Message=message), status=400),
        read(
            f"<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>"
            f"{message}</Message></Error></ErrorResponse>".encode()
        ),
        read(f"InvalidSignatureException: {message}\n".encode()),
    ][shape]
    assert made.kind is kind
    assert made.words.startswith(message.split("'")[0].strip()[:40])
    assert made.code in ("InvalidSignatureException", "SignatureDoesNotMatch", "")


@pytest.mark.parametrize(
    ("body", "named", "status", "kind"),
    [
        # Function URLs
        (document(Message="Forbidden"), "AccessDeniedException", 403, K.FORBIDDEN),
        (
            document(
                Message="Forbidden. For troubleshooting Function URL authorization issues, see: "
                "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
            ),
            "",
            403,
            K.FORBIDDEN,
        ),
        (
            document(message="The security token included in the request is invalid."),
            "UnrecognizedClientException",
            403,
            K.UNKNOWN_KEY,
        ),
        (
            document(message="The security token included in the request is expired"),
            "ExpiredTokenException",
            403,
            K.EXPIRED_TOKEN,
        ),
        # API Gateway
        (
            document(message="Missing Authentication Token"),
            "MissingAuthenticationTokenException",
            403,
            K.NO_SIGNATURE,
        ),
        (document(message="Missing Authentication Token"), "", 403, K.NO_SIGNATURE),
        (document(message="Forbidden"), "ForbiddenException", 403, K.FORBIDDEN),
        (document(message=None), "ForbiddenException", 403, K.FORBIDDEN),
        (document(Message=DENIED), "AccessDeniedException", 403, K.FORBIDDEN),
        (document(message=DENIED), "", 403, K.FORBIDDEN),
        (document(message="Unauthorized"), "UnauthorizedException", 401, K.OTHER_METHOD),
        (
            document(
                message="'Bearer' not a valid key=value pair (missing equal-sign) in "
                "Authorization header: 'Bearer x'."
            ),
            "IncompleteSignatureException",
            403,
            K.NO_SIGNATURE,
        ),
        # AgentCore
        (document(message="Missing Authentication Token"), "", 401, K.NO_SIGNATURE),
        (
            document(
                message="Authorization method mismatch. The agent is configured for a different "
                "authorization method than what was used in your request."
            ),
            "AccessDeniedException",
            403,
            K.OTHER_METHOD,
        ),
        (
            document(message="This harness requires OAuth Bearer token authentication."),
            "",
            403,
            K.OTHER_METHOD,
        ),
        (
            document(jsonrpc="2.0", id=1, error={"code": -32002, "message": "Not this one"}),
            "AccessDeniedException",
            403,
            K.FORBIDDEN,
        ),
        (
            document(
                jsonrpc="2.0",
                error={"code": -32001, "message": "Missing Authentication Token"},
                id="null",
            ),
            "",
            401,
            K.NO_SIGNATURE,
        ),
        # Other services
        (document(__type="UnrecognizedClientException"), "", 400, K.UNKNOWN_KEY),
        (document(__type="aws#AccessDeniedException", Message="no"), "", 400, K.FORBIDDEN),
        (document(__type="aws#IncompleteSignature"), "", 400, K.NO_SIGNATURE),
        (
            b"AccessDeniedException: User: anonymous is not authorized to perform: "
            b"vpc-lattice-svcs:Invoke on resource: arn:aws:x because no network policy",
            "",
            403,
            K.FORBIDDEN,
        ),
        (
            b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request "
            b"time and the current time is too large.</Message></Error>",
            "",
            403,
            K.CLOCK,
        ),
        (b"<Error><Code>InvalidAccessKeyId</Code></Error>", "", 403, K.UNKNOWN_KEY),
        (
            b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is "
            b"malformed; the region &apos;us-east-1&apos; is wrong; expecting &apos;eu-west-1&apos;"
            b"</Message><Region>eu-west-1</Region></Error>",
            "",
            400,
            K.WRONG_SCOPE,
        ),
        # The header alone
        (b"", "AccessDeniedException", 403, K.FORBIDDEN),
        (b"<html>", "ExpiredTokenException:", 403, K.EXPIRED_TOKEN),
        (b"[]", "InvalidSignatureException", 400, K.WRONG_SIGNATURE),
        (b"\xff\xfe", "IncompleteSignatureException", 403, K.NO_SIGNATURE),
    ],
)
def test_what_services_say(body: bytes, named: str, status: int, kind: AwsRefusalKind) -> None:
    refusal = read(body, named, status)
    assert (refusal.kind, refusal.status) == (kind, status)


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (K.CLOCK, "RequestTimeTooSkewed RequestExpired"),
        (K.EXPIRED_TOKEN, "ExpiredToken ExpiredTokenException TokenRefreshRequired"),
        (
            K.UNKNOWN_KEY,
            "InvalidAccessKeyId InvalidClientTokenId InvalidToken UnrecognizedClientException",
        ),
        (
            K.WRONG_SIGNATURE,
            "AuthorizationHeaderMalformed InvalidSignatureException SignatureDoesNotMatch",
        ),
        (
            K.NO_SIGNATURE,
            "IncompleteSignature IncompleteSignatureException MissingAuthenticationToken "
            "MissingAuthenticationTokenException",
        ),
        (K.OTHER_METHOD, "UnauthorizedException"),
        (K.FORBIDDEN, "AccessDenied AccessDeniedException ForbiddenException"),
    ],
)
def test_a_code_without_words(kind: AwsRefusalKind, codes: str) -> None:
    for code in codes.split():
        assert read(kind=code).kind is kind
        assert read(document(__type=f"com.amazon#{code}"), status=400).kind is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("The difference between the request time and the current time is too large.", K.CLOCK),
        (
            "The authorization header is malformed; the region 'a' is wrong; expecting 'b'",
            K.WRONG_SCOPE,
        ),
        ("The security token included in the request is expired", K.EXPIRED_TOKEN),
        ("The provided token has expired.", K.EXPIRED_TOKEN),
        ("The security token included in the request is invalid.", K.UNKNOWN_KEY),
        ("The AWS Access Key Id you provided does not exist in our records.", K.UNKNOWN_KEY),
        ("Request is missing Authentication Token", K.NO_SIGNATURE),
        ("Authorization header requires 'Credential' parameter.", K.NO_SIGNATURE),
        (
            "'a' not a valid key=value pair (missing equal-sign) in Authorization header: 'a'.",
            K.NO_SIGNATURE,
        ),
        ("User: anonymous is not authorized to perform: aoss:APIAccessAll", K.FORBIDDEN),
        ("is not authorized to perform: aws-mcp:InvokeMcp", K.FORBIDDEN),
    ],
)
def test_words_without_a_code(words: str, kind: AwsRefusalKind) -> None:
    assert read(document(message=words)).kind is kind
    assert read(words.encode()).kind is kind
    assert refuse(document(message=f"We heard: {words}")) is None


def test_an_http_api_says_one_word() -> None:
    assert read(document(message="Forbidden"), of_api=b"AbC=").kind is K.FORBIDDEN
    assert read(document(message="Unauthorized"), "", 401, of_api=b"AbC=").kind is K.OTHER_METHOD
    assert refuse(document(message="Forbidden: not in this room"), of_api=b"AbC=") is None


@pytest.mark.parametrize(
    ("status", "named", "body"),
    [
        (403, "", b""),
        (403, "", document(message="Forbidden")),
        (401, "", document(message="Unauthorized")),
        (403, "", document(error="forbidden", message="You may not do that")),
        (403, "", document(code="AccessDenied", message="Not your desk")),
        (403, "", document(code="ExpiredToken", message="Sign in again")),
        (403, "", b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
        (403, "", b"<html><body>The security token included in the request is expired</body>"),
        (403, "", b"Forbidden"),
        (403, "", document(message="The desk said: Missing Authentication Token")),
        (403, "", document(message=DENIED.replace("execute-api", "dynamodb"))),
        (400, "", document(jsonrpc="2.0", id=1, error={"code": -32600, "message": NO_MATCH})),
        (400, "ValidationException", document(message="1 validation error detected")),
        (403, "ResourceNotFoundException", document(message="No endpoint")),
        (404, "AccessDeniedException", document(message=NO_MATCH)),
        (429, "ThrottlingException", document(message="Rate exceeded")),
        (429, "AccessDeniedException", document(message=NO_MATCH)),
        (500, "AccessDeniedException", document(message=NO_MATCH)),
        (200, "", document(message=NO_MATCH)),
        (403, "", b'{"message":'),
        (403, "", b'["The security token included in the request is expired"]'),
    ],
)
def test_what_is_not_a_refusal_of_aws(status: int, named: str, body: bytes) -> None:
    assert refuse(body, named, status) is None


@given(
    st.sampled_from([400, 401, 403]),
    st.binary(max_size=60) | st.text('<Code>{}":,msge ').map(str.encode),
    st.binary(max_size=20),
)
def test_nothing_that_is_sent_breaks_the_reading(status: int, body: bytes, named: bytes) -> None:
    read_refusal(status, {b"x-amzn-errortype": named, b"date": body}, body)
    read_refusal(status, {b"date": named}, b"RequestExpiredException: Signature expired " + body)


def test_a_long_body_is_not_parsed() -> None:
    long = document(message=NO_MATCH, rest="x" * 100_000)
    assert refuse(long) is None
    assert read(long, "InvalidSignatureException").words == ""


# What it tells besides ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "service", "region"),
    [
        (
            "Credential should be scoped to correct service: 'vpc-lattice-svcs'.",
            "vpc-lattice-svcs",
            "",
        ),
        ("Credential should be scoped to a valid region, not 'x'.", "", ""),
        ("The region 'us-east-1' is wrong; expecting 'eu-west-1'", "", "eu-west-1"),
        ("The service 'a' is wrong; expecting 's3'", "s3", ""),
        ("Credential should be scoped to correct service: 'a; rm -rf /'.", "", ""),
    ],
)
def test_the_scope_that_aws_expects(message: str, service: str, region: str) -> None:
    refusal = read(document(message=message))
    assert (refusal.kind, refusal.service, refusal.region) == (K.WRONG_SCOPE, service, region)


@pytest.mark.parametrize(
    ("body", "date", "seconds"),
    [
        (
            document(
                message="Signature expired: 20261130T114700Z is now earlier than 20261130T115500Z"
                " (20261130T120000Z - 5 min.)"
            ),
            b"",
            NOW,
        ),
        (
            document(
                message="Signature not yet current: 20261130T121200Z is still later than "
                "20261130T121500Z (20261130T120000Z + 15 min.)"
            ),
            b"Mon, 30 Nov 2026 11:00:00 GMT",
            NOW,
        ),
        (
            b"<Error><Code>RequestTimeTooSkewed</Code><RequestTime>20261130T110000Z</RequestTime>"
            b"<ServerTime>2026-11-30T12:00:00Z</ServerTime></Error>",
            b"",
            NOW,
        ),
        (
            document(message="Signature expired: a is now earlier than b"),
            b"Mon, 30 Nov 2026 12:00:00 GMT",
            NOW,
        ),
        (document(message="Signature expired"), b"yesterday", None),
        (document(message="Signature expired"), b"Mon, 30 Nov 99999999999 12:00:00 GMT", None),
        (document(message="Signature expired"), b"", None),
    ],
)
def test_the_time_of_aws(body: bytes, date: bytes, seconds: float | None) -> None:
    refusal = read(body, date=date)
    assert (refusal.kind, refusal.server_time) == (K.CLOCK, seconds)


def test_who_may_not_do_what() -> None:
    refusal = read(document(Message=DENIED + " with an explicit deny in an identity-based policy"))
    assert refusal.caller == "arn:aws:iam::123456789012:user/ann"
    assert refusal.action == "execute-api:Invoke"
    assert refusal.resource == "arn:aws:execute-api:us-east-1:********9012:a1b2c3/prod/POST/mcp"
    assert refusal.is_denied
    assert not read(document(Message=DENIED)).is_denied


def test_what_api_gateway_repeats_of_the_request_is_not_told() -> None:
    body = document(
        message=f"{NO_MATCH}\n\nThe Canonical String for this request should have been"
        "\n'POST\n/mcp\n\nx-amz-security-token:FwoGZXIvYXdz\n'"
    )
    assert read(body, "InvalidSignatureException").words == NO_MATCH


def test_a_secret_that_is_repeated_is_not_told() -> None:
    remember([Secret("FwoGZXIvYXdzEBYaDKnown")])
    told = read(document(message="Missing Authentication Token: FwoGZXIvYXdzEBYaDKnown"))
    assert told.words == "Missing Authentication Token: ****"


# What is said -------------------------------------------------------------------------------


def explain(
    refusal: AwsRefusal, scope: Scope = LAMBDA, profile: str = "", at: float = NOW
) -> tuple[str, str]:
    return explain_aws_refusal(refusal, scope, profile, at)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW - 720, "12 minutes behind"),
        (NOW + 3600 * 5, "5 hours ahead of"),
        (NOW - 86400 * 2, "2 days behind"),
        (NOW + 61, "1 minute ahead of"),
    ],
)
def test_a_wrong_clock(at: float, words: str) -> None:
    told = "Signature expired: 20261130T1Z is now earlier than 2 (20261130T120000Z - 5 min.)"
    refusal = read(document(message=told), "InvalidSignatureException")
    assert explain(refusal, at=at) == (
        f"The clock of this machine is {words} AWS's, so AWS does not take its signatures "
        f'(HTTP 403, InvalidSignatureException: "{told}").',
        "Set the clock, best by letting the system synchronise it, and try again.",
    )


@pytest.mark.parametrize("date", [b"", b"Mon, 30 Nov 2026 12:00:00 GMT"])
def test_a_clock_that_may_be_right(date: bytes) -> None:
    refusal = read(document(message="Signature expired: a"), date=date)
    assert explain(refusal, at=NOW + 59) == (
        'AWS found the signature too old or too new (HTTP 403: "Signature expired: a").',
        "Compare the clock of this machine with the time. If it is right, something on the way "
        "holds requests back for minutes.",
    )


def test_keys_that_have_expired() -> None:
    refusal = read(kind="ExpiredTokenException")
    assert explain(refusal) == (
        "The AWS keys have expired (HTTP 403, ExpiredTokenException).",
        'Run "aws sso login", or renew them as you got them; they are read again at the next '
        "request. Keys in the environment are not: replace them there, and start again.",
    )
    assert explain(refusal, profile="desk") == (
        'The AWS keys of the profile "desk" have expired (HTTP 403, ExpiredTokenException).',
        'Run "aws sso login --profile desk", or renew them as you got them; they are read again at '
        "the next request.",
    )


def test_keys_that_are_not_known() -> None:
    refusal = read(kind="UnrecognizedClientException")
    hint = (
        "Check that the access key is active and of the same partition as the server: China and "
        "GovCloud have their own. One that begins with ASIA works only with its session token."
    )
    assert explain(refusal) == (
        "AWS does not know the AWS keys (HTTP 403, UnrecognizedClientException).",
        hint,
    )
    assert explain(refusal, profile="desk")[0] == (
        'AWS does not know the AWS keys of the profile "desk" '
        "(HTTP 403, UnrecognizedClientException)."
    )


@pytest.mark.parametrize(
    ("message", "what", "hint"),
    [
        (
            "Credential should be scoped to correct service: 'execute-api'.",
            "another service",
            "Give --aws-service execute-api.",
        ),
        (
            "Credential should be scoped to correct service.",
            "another service",
            "Give the signing name of the service with --aws-service.",
        ),
        (
            "The region 'us-east-1' is wrong; expecting 'eu-west-1'",
            "another region",
            "Give --aws-region eu-west-1.",
        ),
        (
            "Credential should be scoped to a valid region, not 'us-east-1'.",
            "another region",
            "Give the region that the server is in with --aws-region.",
        ),
    ],
)
def test_another_scope(message: str, what: str, hint: str) -> None:
    assert explain(read(document(message=message))) == (
        f"The signature is for lambda in us-east-1, and AWS expects {what} "
        f'(HTTP 403: "{message}").',
        hint,
    )


def test_another_signature() -> None:
    refusal = read(kind="SignatureDoesNotMatch")
    assert explain(refusal, profile="desk") == (
        "AWS calculates another signature than the request has (HTTP 403, SignatureDoesNotMatch).",
        'Check that the secret key of the profile "desk" belongs to its access key id, and that '
        "the server is lambda in us-east-1: else give --aws-service or --aws-region. If all is "
        "right, a proxy on the way changes the request.",
    )


def test_no_signature() -> None:
    refusal = read(document(message="Missing Authentication Token"))
    assert explain(refusal) == (
        "AWS did not find a signature, although the request was signed "
        '(HTTP 403: "Missing Authentication Token").',
        "Check the path of the URL: API Gateway says this of one that is not there, and its stage "
        "is a part of it, as in /prod/mcp. If it is right, a proxy on the way takes the "
        "Authorization header away.",
    )


def test_a_server_that_takes_tokens() -> None:
    refusal = read(document(message="Unauthorized"), "UnauthorizedException", 401)
    assert explain(refusal) == (
        "The server takes tokens, not signatures with AWS keys "
        '(HTTP 401, UnauthorizedException: "Unauthorized").',
        "Leave out --aws-sigv4: then you are signed in where the server offers that; or give a "
        "token with --header.",
    )


FORBIDDEN = "AWS does not permit the request (HTTP 403, AccessDeniedException)."


@pytest.mark.parametrize(
    ("service", "profile", "hint"),
    [
        (
            "lambda",
            "",
            "Allow lambda:InvokeFunctionUrl and lambda:InvokeFunction for the AWS keys. "
            "Function URLs need both since October 2025.",
        ),
        (
            "execute-api",
            "desk",
            'Allow execute-api:Invoke for the AWS keys of the profile "desk". '
            "An API that wants a key as well takes it as "
            '--header "x-api-key: ${KEY}".',
        ),
        (
            "bedrock-agentcore",
            "",
            "Allow bedrock-agentcore:InvokeGateway for a gateway and "
            "bedrock-agentcore:InvokeAgentRuntime for a runtime for the AWS "
            "keys.",
        ),
        ("vpc-lattice-svcs", "", "Allow vpc-lattice-svcs:Invoke for the AWS keys."),
        (
            "aws-mcp",
            "",
            "Allow aws-mcp:InvokeMcp and aws-mcp:CallReadOnlyTool and "
            "aws-mcp:CallReadWriteTool for the AWS keys.",
        ),
        (
            "eks-mcp",
            "",
            "Allow eks-mcp:InvokeMcp and eks-mcp:CallReadOnlyTool and "
            "eks-mcp:CallPrivilegedTool for the AWS keys.",
        ),
        ("ecs-mcp", "", "Allow ecs-mcp:InvokeMcp and ecs-mcp:CallReadOnlyTool for the AWS keys."),
        ("es", "", "Allow es:ESHttpPost and es:ESHttpGet and es:ESHttpDelete for the AWS keys."),
        ("aoss", "", "Allow aoss:APIAccessAll for the AWS keys."),
        ("appsync", "", "Allow appsync:GraphQL for the AWS keys."),
        ("sagemaker", "", "Allow sagemaker:InvokeEndpoint for the AWS keys."),
        ("desk", "", "Whoever runs the server has to allow it for the AWS keys."),
    ],
)
def test_a_permission_that_is_not_named(service: str, profile: str, hint: str) -> None:
    refusal = read(kind="AccessDeniedException")
    assert explain(refusal, Scope(service, "us-east-1"), profile) == (FORBIDDEN, hint)


def cause_of(refusal: AwsRefusal, what: str) -> str:
    return f'AWS does not permit {what} (HTTP 403: "{refusal.words}").'


RESOURCE = "arn:aws:execute-api:us-east-1:********9012:a1b2c3/prod/POST/mcp"


def test_a_permission_that_is_named() -> None:
    refusal = read(document(message=DENIED))
    assert explain(refusal, GATEWAY) == (
        cause_of(refusal, f"execute-api:Invoke on {RESOURCE}"),
        "Allow execute-api:Invoke for the AWS keys.",
    )


def test_a_permission_of_another_service_than_the_signed_one() -> None:
    refusal = read(document(message=DENIED.partition(" on ")[0]))
    assert explain(refusal, Scope("desk", "x")) == (
        cause_of(refusal, "execute-api:Invoke"),
        "Allow execute-api:Invoke for the AWS keys.",
    )


def test_a_permission_that_a_policy_denies() -> None:
    refusal = read(document(message=f"{DENIED} with an explicit deny"))
    assert explain(refusal, GATEWAY) == (
        cause_of(refusal, f"execute-api:Invoke on {RESOURCE}"),
        "A policy denies it explicitly, and no other policy can allow it then: whoever runs the "
        "account has to change that one.",
    )


def test_a_caller_who_was_not_seen() -> None:
    told = DENIED.replace("arn:aws:iam::123456789012:user/ann", "anonymous")
    refusal = read(document(message=told))
    assert explain(refusal, GATEWAY) == (
        cause_of(refusal, f"execute-api:Invoke on {RESOURCE}"),
        "AWS took the request for an unsigned one: whoever runs the server has to choose IAM as "
        "its authorization, or to let everybody in by its resource policy.",
    )


def test_every_kind_is_explained() -> None:
    for kind in AwsRefusalKind:
        refusal = AwsRefusal(kind, 403)
        cause, hint = explain(refusal)
        assert not refusal.is_denied
        assert cause.endswith(" (HTTP 403).")
        assert hint.endswith(".")
        assert kind.value
