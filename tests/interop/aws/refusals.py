"""How each product of AWS that may stand before an MCP server refuses a request: a table.

Sources, in our own words where they are not a status, a name or a message:
 [403] AWS Support, "How do I troubleshoot HTTP 403 errors from API Gateway?": names and messages.
 [sig] AWS Support, "SigV4 signature mismatch errors with IAM authentication for API Gateway".
 [url] Lambda's answer to a function URL's caller that no policy allows, as many quote it
       (sst/sst issue 6198, aws/agent-toolkit-for-aws pull request 250): `Message` with a capital.
 [tmp] jamesmbourne/aws4-axios issue 1553: a function URL and a token that is not right.
 [agc] CopilotKit issue 2912: AgentCore answers 401, a JSON-RPC error whose `id` is the text "null".
 [mis] aws/agentcore-cli issue 714: AgentCore that wants OAuth and got a signature.
 [lat] Amazon VPC Lattice User Guide, "SIGv4 authenticated requests" (no signed payload), and its
       workshops' output: plain text, the name of the error before the sentence.
 [scp] architect/dynalite, checks/index: messages for wrong scopes, dates and headers.
What a product says where no source has its words is taken from [403] and [scp], which are said
by the part that most of AWS shares. Must not know who is refused, nor why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS"
    " Secret Access Key and signing method. Consult the service documentation for details."
)

WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    "incomplete": (
        "IncompleteSignatureException",
        "Authorization header requires 'Credential' parameter. Authorization header requires"
        " 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        " Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        " Authorization={authorization}",
    ),
    "unsigned_header": (
        "InvalidSignatureException",
        "'{headers}' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "wrong_region": (
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not '{got}'. ",
    ),
    "wrong_service": (
        "InvalidSignatureException",
        "Credential should be scoped to correct service: '{want}'. ",
    ),
    "unknown_key": (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "expired_token": (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    "too_late": (
        "InvalidSignatureException",
        "Signature expired: {date} is now earlier than {edge} ({now} - 5 min.)",
    ),
    "too_early": (
        "InvalidSignatureException",
        "Signature not yet current: {date} is still later than {edge} ({now} + 5 min.)",
    ),
    "wrong_signature": (
        "InvalidSignatureException",
        MISMATCH + "\n\nThe Canonical String for this request should have been\n'{canonical}'"
        "\n\nThe String-to-Sign should have been\n'{to_sign}'\n",
    ),
    "wrong_body": ("InvalidSignatureException", MISMATCH),
    "signed_payload": (
        "InvalidSignatureException",
        "Payload signing is not supported: x-amz-content-sha256 must be UNSIGNED-PAYLOAD.",
    ),
    "denied": (
        "AccessDeniedException",
        "User: {arn} is not authorized to perform: {action} on resource: {resource} because no"
        " identity-based policy allows the {action} action",
    ),
}
"""What most of AWS says: the name of the error, and the sentence [403] [sig] [scp]."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Product:
    """One product: what its signatures are for, and how it says no."""

    service: str
    action: str
    resource: str
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    """Where it is not 403."""
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Where they are its own."""
    shape: str = "message"
    request_id: str = "x-amzn-requestid"
    unsigned_payload: bool = False


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


SHAPES: Mapping[str, tuple[str, Callable[[str, str], bytes]]] = {
    "message": ("application/json", lambda _, text: _json({"message": text})),
    "Message": ("application/json", lambda _, text: _json({"Message": text})),
    "text": ("text/plain", lambda name, text: f"{name}: {text}".encode()),
    "jsonrpc": (
        "application/json",
        lambda _, text: _json(
            {"jsonrpc": "2.0", "error": {"code": -32001, "message": text}, "id": "null"}
        ),
    ),
}
"""How a body is written: its media type, and it from name and sentence."""

PRODUCTS: Mapping[str, Product] = {
    "function-url": Product(
        "lambda",
        "lambda:InvokeFunctionUrl",
        "arn:aws:lambda:{region}:123456789012:function:add",
        # [url] for both: an unsigned caller is one that no policy allows
        words=dict.fromkeys(
            ("missing", "denied"),
            (
                "AccessDeniedException",
                "Forbidden. For troubleshooting Function URL authorization issues, see:"
                " https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
            ),
        ),
        shape="Message",
    ),
    "rest-api": Product(
        "execute-api",
        "execute-api:Invoke",
        "arn:aws:execute-api:{region}:********9012:a1b2c3/prod/POST/mcp",
    ),
    "http-api": Product(  # says nothing but this
        "execute-api",
        "execute-api:Invoke",
        "",
        words=dict.fromkeys(WORDS, ("", "Forbidden")),
        request_id="apigw-requestid",
    ),
    "agentcore": Product(  # [agc]; its other refusals by [403]
        "bedrock-agentcore",
        "bedrock-agentcore:InvokeGateway",
        "arn:aws:bedrock-agentcore:{region}:123456789012:gateway/tools",
        statuses={"missing": 401},
        shape="jsonrpc",
    ),
    "agentcore-bare": Product(  # the same where no header names the error
        "bedrock-agentcore",
        "bedrock-agentcore:InvokeGateway",
        "arn:aws:bedrock-agentcore:{region}:123456789012:gateway/tools",
        statuses={"missing": 401},
        words={name: ("", text) for name, (_, text) in WORDS.items()},
        shape="jsonrpc",
    ),
    "agentcore-oauth": Product(  # [mis]
        "bedrock-agentcore",
        "bedrock-agentcore:InvokeAgentRuntime",
        "arn:aws:bedrock-agentcore:{region}:123456789012:runtime/tools",
        words={
            "denied": (
                "AccessDeniedException",
                "Authorization method mismatch. The agent is configured for a different"
                " authorization method than what was used in your request. Check the agent's"
                " authorization configuration and ensure your request uses the matching method"
                " (OAuth or SigV4)",
            )
        },
    ),
    "lattice": Product(  # [lat]
        "vpc-lattice-svcs",
        "vpc-lattice-svcs:Invoke",
        "arn:aws:vpc-lattice:{region}:123456789012:service/svc-0123456789abcdef0/",
        words={
            "missing": (
                "AccessDeniedException",
                "User: anonymous is not authorized to perform: {action} on resource: {resource}"
                " because no network-based policy allows the {action} action",
            )
        },
        shape="text",
        unsigned_payload=True,
    ),
    "aws-mcp": Product(
        "aws-mcp",
        "aws-mcp:InvokeMcp",
        "arn:aws:aws-mcp:{region}:123456789012:*",
        statuses={"missing": 401},
    ),
}


def refuse(product: str, kind: str, facts: Mapping[str, str], region: str) -> Answer:
    """What that product says to a request of that `kind` of fault (`WORDS`)."""
    row = PRODUCTS[product]
    name, sentence = row.words.get(kind) or WORDS[kind]
    known = {"action": row.action, "resource": row.resource.format(region=region), "arn": ""}
    media_type, write = SHAPES[row.shape]
    headers = {"content-type": media_type, row.request_id: str(uuid4())}
    if name:
        headers["x-amzn-errortype"] = name
    text = sentence.format_map({**known, **facts})
    return Answer(row.statuses.get(kind, 403), headers, write(name, text))
