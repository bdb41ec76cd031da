"""Reads a refusal that comes from AWS and not from the server behind it.

AWS's services say the same in many shapes: a header, JSON, XML, plain text. They are tables of
codes and of the words they begin with; a new shape is a new row. Whatever is not one of them is the
server's own. Sources: IAM User Guide, "Troubleshoot signed requests"; the common errors of the
service references; Smithy, AWS JSON protocols (`x-amzn-errortype`); S3 API reference, "Error
responses"; re:Post on API Gateway's 403; reports in public issues where a row says so. Pure. Must
not know what is said of it to a person (`refusal_words`), nor what is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from html import unescape

from mcp_remote_py.errors import EVIDENCE_BYTES, shorten
from mcp_remote_py.http_date import read_http_date
from mcp_remote_py.json_text import Members, read_members, read_text
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.time_words import read_moment
from mcp_remote_py.values import Value


class AwsRefusalKind(Enum):
    """What AWS refuses. Throttling is left out: it is not about who calls."""

    CLOCK = "the time of the signature"
    EXPIRED_TOKEN = "temporary keys that have ended"  # noqa: S105 - words
    UNKNOWN_KEY = "keys that it does not know"
    WRONG_SCOPE = "a signature for another region or service"
    WRONG_SIGNATURE = "a signature that it calculates otherwise"
    NO_SIGNATURE = "a request in which it does not find a signature"
    OTHER_METHOD = "signatures at all: this server takes tokens"
    FORBIDDEN = "what the caller may not do"


class AwsRefusal(Value, frozen=True):
    """A refusal in AWS's words; what it does not say is "".

    `server_time` is AWS's time in seconds since 1970, known where the clock is refused.
    """

    kind: AwsRefusalKind
    status: int
    code: str = ""
    """AWS's name of the error, such as `AccessDeniedException`."""
    words: str = ""
    """On one line, shortened."""
    caller: str = ""
    action: str = ""
    resource: str = ""
    is_denied: bool = False
    """Whether a policy denies it explicitly, which no other policy can change."""
    service: str = ""
    """The signing name that AWS expects."""
    region: str = ""
    server_time: float | None = None


_STATUSES = frozenset({400, 401, 403})
"""AWS refuses a caller with no others; 429 and those above 500 are not about who calls."""

_CODES = {
    "RequestTimeTooSkewed": AwsRefusalKind.CLOCK,
    "RequestExpired": AwsRefusalKind.CLOCK,
    "ExpiredToken": AwsRefusalKind.EXPIRED_TOKEN,
    "ExpiredTokenException": AwsRefusalKind.EXPIRED_TOKEN,
    "TokenRefreshRequired": AwsRefusalKind.EXPIRED_TOKEN,
    "InvalidAccessKeyId": AwsRefusalKind.UNKNOWN_KEY,
    "InvalidClientTokenId": AwsRefusalKind.UNKNOWN_KEY,
    "InvalidToken": AwsRefusalKind.UNKNOWN_KEY,
    "UnrecognizedClientException": AwsRefusalKind.UNKNOWN_KEY,
    "AuthorizationHeaderMalformed": AwsRefusalKind.WRONG_SIGNATURE,
    "InvalidSignatureException": AwsRefusalKind.WRONG_SIGNATURE,
    "SignatureDoesNotMatch": AwsRefusalKind.WRONG_SIGNATURE,
    "IncompleteSignature": AwsRefusalKind.NO_SIGNATURE,
    "IncompleteSignatureException": AwsRefusalKind.NO_SIGNATURE,
    "MissingAuthenticationToken": AwsRefusalKind.NO_SIGNATURE,
    "MissingAuthenticationTokenException": AwsRefusalKind.NO_SIGNATURE,
    "UnauthorizedException": AwsRefusalKind.OTHER_METHOD,  # API Gateway, of its other authorizers
    "AccessDenied": AwsRefusalKind.FORBIDDEN,
    "AccessDeniedException": AwsRefusalKind.FORBIDDEN,
    "ForbiddenException": AwsRefusalKind.FORBIDDEN,
}

_TEXTS = (
    # One code, `InvalidSignatureException`, stands for the first three.
    (
        AwsRefusalKind.CLOCK,
        lazy_pattern(
            r"Signature (?:expired|not yet current)\b|The difference between the request time and"
        ),
    ),
    (
        AwsRefusalKind.WRONG_SCOPE,
        lazy_pattern(
            r"Credential should be scoped to |(?:The authorization header is malformed; )?"
            r"[Tt]he (?:region|service) '[^']*' is wrong"
        ),
    ),
    (
        AwsRefusalKind.WRONG_SIGNATURE,
        lazy_pattern(
            r"The request signature we calculated does not match|'Host' or ':authority' must be a "
            r"'SignedHeader'|Date in Credential scope does not match"
        ),
    ),
    (
        AwsRefusalKind.EXPIRED_TOKEN,
        lazy_pattern(
            r"The security token included in the request is expired|The provided token has expired"
        ),
    ),
    (
        AwsRefusalKind.UNKNOWN_KEY,
        lazy_pattern(
            r"The security token included in the request is invalid|The AWS Access Key Id you "
            r"provided does not exist"
        ),
    ),
    # AgentCore, of a runtime or a harness with a JWT authorizer (aws/agentcore-cli, pull request
    # 1647; aws-samples/agents4energy, issue 162).
    (
        AwsRefusalKind.OTHER_METHOD,
        lazy_pattern(r"Authorization method mismatch|This \w+ requires OAuth Bearer token"),
    ),
    # API Gateway also of a path or a method that is not there.
    (
        AwsRefusalKind.NO_SIGNATURE,
        lazy_pattern(
            r"(?:Request is )?Missing Authentication Token|Authorization header requires 'Credent|"
            r"'[^']*' not a valid key=value pair \(missing equal-sign\) in Authorization header",
            re.IGNORECASE,
        ),
    ),
    # Lambda, of a function URL (brikis98/devops-book, pull request 12).
    (AwsRefusalKind.FORBIDDEN, lazy_pattern(r"Forbidden\. For troubleshooting Function URL")),
)
"""The words a refusal begins with, whatever its code."""

_NAMED_BEFORE = lazy_pattern(r"[A-Za-z]{4,40}Exception: ")
"""VPC Lattice's code, which stands before its words."""

_NOT_AUTHORIZED = lazy_pattern(
    r"(?:User: (\S{1,2048}) )?is not authorized to perform: "
    r"([A-Za-z0-9-]{1,64}:[A-Za-z0-9*]{1,128})(?: on resource: (\S{1,2048}))?"
)
_DENY = lazy_pattern(r"explicit deny", re.IGNORECASE)
_NAME = r"'([A-Za-z0-9._-]{1,64})'"
_EXPECTED_SERVICE = lazy_pattern(
    r"correct service: " + _NAME + r"|service '[^']*' is wrong; expecting " + _NAME
)
_EXPECTED_REGION = lazy_pattern(
    r"region '[^']*' is wrong; expecting " + _NAME + r"|<Region>([a-z0-9-]{1,64})</Region>"
)
_TIME_OF_AWS = lazy_pattern(r"\((\d{8}T\d{6}Z) [+-] \d+ min|<ServerTime>([^<]{1,40})</ServerTime>")
_XML_CODE = lazy_pattern(r"<Code>\s*([A-Za-z.]{1,128})\s*</Code>")
_XML_MESSAGE = lazy_pattern(r"<Message>([^<]{0,8192})</Message>")
_CANONICAL = "The Canonical String for this request"
"""API Gateway repeats the request, with the session token, behind its words."""

NEEDED_ACTIONS = {
    "lambda": ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"),
    "execute-api": ("execute-api:Invoke",),
    "bedrock-agentcore": (
        "bedrock-agentcore:InvokeGateway for a gateway",
        "bedrock-agentcore:InvokeAgentRuntime for a runtime",
    ),
    "vpc-lattice-svcs": ("vpc-lattice-svcs:Invoke",),
    "aws-mcp": ("aws-mcp:InvokeMcp", "aws-mcp:CallReadOnlyTool", "aws-mcp:CallReadWriteTool"),
    "eks-mcp": ("eks-mcp:InvokeMcp", "eks-mcp:CallReadOnlyTool", "eks-mcp:CallPrivilegedTool"),
    "ecs-mcp": ("ecs-mcp:InvokeMcp", "ecs-mcp:CallReadOnlyTool"),
    "es": ("es:ESHttpPost", "es:ESHttpGet", "es:ESHttpDelete"),
    "aoss": ("aoss:APIAccessAll",),
    "appsync": ("appsync:GraphQL",),
    "sagemaker": ("sagemaker:InvokeEndpoint",),
}
"""What a caller needs, by signing name: Service Authorization Reference. Function URLs need both
since October 2025 (Lambda developer guide, "Control access to Lambda function URLs")."""


def read_refusal(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AwsRefusal | None:
    """The refusal in an answer; None for what is not AWS's, or not about who calls.

    The names of `headers` are in lower case.
    """
    if status not in _STATUSES:
        return None
    named = _bare(headers.get(b"x-amzn-errortype", b"").decode("latin-1"))
    text = body[:EVIDENCE_BYTES].decode("utf-8", "replace")
    members = read_members(body) if len(body) <= EVIDENCE_BYTES else None
    if members and "jsonrpc" in members:
        # AgentCore's own has an id that nobody sent (CopilotKit/CopilotKit, issue 2912).
        if not named and read_text(members.get("id")) != "null":
            return None  # the server has spoken
        members = read_members(members.get("error", b"")) or {}
    if members:
        named = named or _bare(read_text(members.get("__type")))
        code, words = _read_first(members, _NAMES), _read_first(members, _MESSAGES)
    else:
        code, words = _read_text(text)
    code = named or code
    kind = _find_kind(code, words, headers, is_named=bool(named))
    if kind is None:
        return None
    forbidden = _NOT_AUTHORIZED.search(words)
    caller, action, resource = forbidden.groups("") if forbidden else ("", "", "")
    return AwsRefusal(
        kind,
        status,
        code=code,
        words=shorten(words.partition(_CANONICAL)[0]),
        caller=caller,
        action=action,
        resource=shorten(resource.rstrip(".,")),
        is_denied=_DENY.search(words) is not None,
        service=_first_group(_EXPECTED_SERVICE, text),
        region=_first_group(_EXPECTED_REGION, text),
        server_time=_read_server_time(text, headers) if kind is AwsRefusalKind.CLOCK else None,
    )


_NAMES = ("code", "Code")
_MESSAGES = ("message", "Message", "errorMessage")


def _read_first(members: Members, names: Iterable[str]) -> str:
    return next(filter(None, (read_text(members.get(name)) for name in names)), "")


def _read_text(text: str) -> tuple[str, str]:
    """Code and words, as XML and plain text have them."""
    if (code := _XML_CODE.search(text)) is not None:
        told = _XML_MESSAGE.search(text)
        return code[1], unescape(told[1]) if told else ""
    text = text.strip()
    if text.startswith(("<", "{", "[")):
        return "", ""
    begun = _NAMED_BEFORE.match(text)
    return (begun[0].rstrip(": "), text[begun.end() :]) if begun is not None else ("", text)


def _bare(code: str) -> str:
    """`aws.api#AccessDeniedException:http://internal.amazon.com/` without what is around it."""
    return code.partition(":")[0].rpartition("#")[2].strip()


def _find_kind(
    code: str, words: str, headers: Mapping[bytes, bytes], *, is_named: bool
) -> AwsRefusalKind | None:
    """By the words, where they are AWS's; else by the code, where it is surely AWS's."""
    for kind, pattern in _TEXTS:
        if pattern.match(words):
            return kind
    if is_named or code in _SURE_CODES:
        return _CODES.get(code)
    forbidden = _NOT_AUTHORIZED.match(words)
    if forbidden is not None and forbidden[2].partition(":")[0] in NEEDED_ACTIONS:
        return AwsRefusalKind.FORBIDDEN
    # API Gateway's HTTP APIs say no more; what a function behind one says has that header, too.
    return _HTTP_API_WORDS.get(words) if b"apigw-requestid" in headers else None


_HTTP_API_WORDS = {
    "Forbidden": AwsRefusalKind.FORBIDDEN,
    "Unauthorized": AwsRefusalKind.OTHER_METHOD,
}

_SURE_CODES = _CODES.keys() - {
    *("AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedException"),
    *("ExpiredToken", "InvalidToken", "RequestExpired"),
}
"""Codes that nobody else uses; the others count in AWS's header or its `__type` only."""


def _read_server_time(text: str, headers: Mapping[bytes, bytes]) -> float | None:
    told = read_moment(_first_group(_TIME_OF_AWS, text))
    if told is not None:
        return told
    return read_http_date(headers.get(b"date", b"").decode("latin-1"))


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next(filter(None, found.groups("")), "") if found is not None else ""
