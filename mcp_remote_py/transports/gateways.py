"""What a gateway before the server says itself: whose limit it is, and where it is set.

nginx, HAProxy and their like refuse what the server never sees, by statuses and pages that do not
name what to do. Pure. Must not know what was asked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mcp_remote_py.readings import Source


class GatewayReading(NamedTuple):
    """What such a refusal says, by its status, and by words where other refusals have it, too.

    `hint` takes `size`, that of the request.
    """

    statuses: frozenset[int]
    words: str
    cause: str
    hint: str
    source: Source


_LONG_HEADERS = "Its header fields are too long for the server, or for a gateway before it"
_SHORTER = (
    "Shorten what is given with --header; whoever runs the server can allow more (nginx: "
    "large_client_header_buffers)."
)

GATEWAY_READINGS = (
    GatewayReading(
        frozenset({413}),
        "",
        "It is too large for the server, or for a gateway before it",
        "It has {size}: whoever runs the server has to allow that (nginx: client_max_body_size).",
        Source("nginx, Apache, API gateways", "RFC 9110 §15.5.14"),
    ),
    GatewayReading(
        frozenset({431, 494}),
        "",
        _LONG_HEADERS,
        _SHORTER,
        Source("Node, Envoy, nginx in its own log", "RFC 6585 §5"),
    ),
    GatewayReading(
        frozenset({400}),
        r"Request Header Or Cookie Too Large|Size of a request header field exceeds",
        _LONG_HEADERS,
        _SHORTER,
        Source("nginx, Apache", "their pages of status 400"),
    ),
    GatewayReading(
        frozenset({400, 497}),
        r"plain HTTP request was sent to HTTPS port|plain HTTP to an SSL-enabled server port"
        r"|sent an HTTP request to an HTTPS server",
        "That port speaks TLS",
        "Write https:// in the URL.",
        Source("nginx, Apache, Go", "their words of status 400"),
    ),
    GatewayReading(
        frozenset({400, 403, 496}),
        r"No required SSL certificate was sent|requires? a (?:valid )?client certificate",
        "It wants a client certificate",
        "Give yours with --client-cert and --client-key.",
        Source("nginx, IIS", "their pages of 400 and 403.7"),
    ),
    GatewayReading(
        frozenset({400, 495}),
        r"The SSL certificate error",
        "It does not take the client certificate",
        "Check that the one of --client-cert is meant for this server, is in date, and that its "
        "file holds the certificates between it and its authority, too.",
        Source("nginx", "its page of status 400"),
    ),
    GatewayReading(
        frozenset({403}),
        r"Forbidden\. For troubleshooting Function URL|Authorization header requires 'Credential'"
        r"|User: anonymous is not authorized to perform: vpc-lattice",
        "AWS IAM stands before it, which takes signed requests only",
        "Add --aws-sigv4, without an Authorization header: requests are signed with AWS keys then.",
        Source("Lambda function URLs, API Gateway, VPC Lattice", "see aws/refusals"),
    ),
    GatewayReading(
        frozenset({403}),
        r"Missing Authentication Token",
        "API Gateway says that of a path that is not there, and of a request that must be signed",
        "Check the path of the URL: the stage is a part of it, as in /prod/mcp. If the server is "
        "behind AWS IAM, add --aws-sigv4: requests are signed with AWS keys then.",
        Source("API Gateway", 'AWS Support, "HTTP 403 errors from API Gateway"'),
    ),
    GatewayReading(
        frozenset({426, 464, 505}),
        "",
        "It wants another version of HTTP",
        "HTTP/1.1 is spoken here: whoever runs it has to offer that.",
        Source("Envoy, fronts of HTTP/2, AWS load balancers", "RFC 9110 §15.5.22, §15.6.6"),
    ),
    GatewayReading(
        frozenset({400, 403, 421}),
        r"Invalid (?:HTTP_)?Host\b|Host not allowed|Blocked hosts?:"
        r"|This host \([^)]*\) is not allowed",
        "It does not take requests under this name",
        "Whoever runs the server has to add the host of the URL, with its port, to the hosts that "
        "it allows (Python SDK: TransportSecuritySettings).",
        Source("the SDKs' guards against DNS rebinding, Django, Rails, Vite", "their own words"),
    ),
    GatewayReading(
        frozenset({403}),
        r"Your client does not have permission to (?:get|access) (?:the requested )?URL",
        "Google's IAM stands before it",
        "Give an identity token, as gcloud auth print-identity-token prints it, with --header "
        "(Authorization: Bearer ...); your account needs the role Cloud Run Invoker.",
        Source("Cloud Run, Cloud Functions", "its pages on troubleshooting 401 and 403"),
    ),
)
"""The first that fits counts."""

SLOW_HINT = (
    "A gateway before the server did not wait longer: for what takes long, whoever runs it has to "
    "let it (nginx: proxy_read_timeout, HAProxy: timeout server); else try again later."
)
"""Of 504 (RFC 9110 §15.6.5) and Cloudflare's 524."""


def find_gateway(status: int, body: bytes) -> GatewayReading | None:
    """The reading that fits a refusal; None of any other."""
    for reading in GATEWAY_READINGS:
        if status in reading.statuses:
            text = body[:_LOOKED_AT].decode("latin-1")
            if not reading.words or re.search(reading.words, text, re.IGNORECASE):
                return reading
    return None


_LOOKED_AT = 4096
"""Bytes of a page: those of gateways are short."""


def tell_size(size: int) -> str:
    """A size as a person reads it."""
    for unit, name in ((1_000_000, "MB"), (1000, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
