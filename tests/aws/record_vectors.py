"""Records what botocore gives for each of these requests: `python -m tests.aws.record_vectors`.

Needed again only where a request is added: what is recorded stays right for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.aws.judge import Case, judge

VECTORS = Path(__file__).parent / "vectors.json"

AT = 1793927716
ACCEPT = ("accept", "application/json, text/event-stream")
JSON = ("content-type", "application/json")
ARN = "arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A123456789012%3Aruntime%2Fdesk-AbC"
LAMBDA = "https://abcd1234.lambda-url.eu-central-1.on.aws"
MESSAGE = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


def case(
    url: str,
    *headers: tuple[str, str],
    method: str = "POST",
    service: str = "lambda",
    region: str = "eu-central-1",
    token: str | None = None,
    body: bytes | None = MESSAGE,
    at: int = AT,
) -> Case:
    host = url.partition("://")[2].partition("/")[0].partition("?")[0]
    if not any(name.lower() == "host" for name, _ in headers):
        headers = (("host", host), *headers)
    key, secret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    return Case(key, secret, token, service, region, method, url, headers, body, at)


def cases() -> Iterator[tuple[str, Case]]:
    yield "a POST", case(f"{LAMBDA}/mcp", ACCEPT, JSON)
    yield "a GET", case(f"{LAMBDA}/mcp", ACCEPT, method="GET", body=b"")
    yield (
        "a resumption",
        case(f"{LAMBDA}/mcp", ACCEPT, ("last-event-id", "s-1_7"), method="GET", body=b""),
    )
    yield (
        "a DELETE",
        case(f"{LAMBDA}/mcp", ("mcp-session-id", "f3-0a"), method="DELETE", body=b""),
    )
    yield "a method in lower case", case(f"{LAMBDA}/mcp", JSON, method="post")
    yield "a session token", case(f"{LAMBDA}/mcp", JSON, token="FwoGZXIvYXdzEBYaD+/==")
    yield "an empty path", case(LAMBDA, JSON)
    yield "the root", case(f"{LAMBDA}/", JSON)
    yield "a query on the root", case(f"{LAMBDA}/?a=1", JSON)
    yield "a path with an end", case(f"{LAMBDA}/mcp/", JSON)
    yield "dot segments", case(f"{LAMBDA}/a/./b/../c", JSON)
    yield "dot segments at the end", case(f"{LAMBDA}/a/b/..", JSON)
    yield "dots above the root", case(f"{LAMBDA}/../../a", JSON)
    yield "nothing but dots", case(f"{LAMBDA}/a/..", JSON)
    yield "nothing but slashes", case(f"{LAMBDA}///", JSON)
    yield "two slashes", case(f"{LAMBDA}//a//b//", JSON)
    yield (
        "an ARN that is encoded",
        case(
            f"https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/{ARN}/invocations"
            "?qualifier=DEFAULT",
            JSON,
            service="bedrock-agentcore",
            region="us-west-2",
        ),
    )
    yield "an ARN that is not", case(f"{LAMBDA}/arn:aws:lambda:x:1:function:f", JSON)
    yield "all marks of a path", case(f"{LAMBDA}/a~b_c-d.e!$&'()*+,;=:@%20%7e%2F", JSON)
    yield "a path beyond ASCII", case(f"{LAMBDA}/caf%C3%A9/%E4%B8%AD", JSON)
    yield "a query", case(f"{LAMBDA}/mcp?b=2&a=1", JSON)
    yield "an empty value", case(f"{LAMBDA}/mcp?b=&a", JSON)
    yield "an empty query", case(f"{LAMBDA}/mcp?", JSON)
    yield "a pair of nothing", case(f"{LAMBDA}/mcp?a=1&&b=2&", JSON)
    yield "a name twice", case(f"{LAMBDA}/mcp?a=2&a=1&a=10&A=3", JSON)
    yield "a name that begins another", case(f"{LAMBDA}/mcp?a-b=1&a=2&a1=3&a=", JSON)
    yield "two marks in a value", case(f"{LAMBDA}/mcp?a=b=c?d", JSON)
    yield "an encoded query", case(f"{LAMBDA}/mcp?u=https%3A%2F%2Fa.b%2Fc%20d&%C3%A9=%2B", JSON)
    yield "a query as some write it", case(f"{LAMBDA}/mcp?u=https://a.b/c+d&x=%e9~*", JSON)
    yield "a port", case("http://127.0.0.1:3601/mcp", JSON)
    yield "an IPv6 address", case("http://[::1]:3601/mcp", JSON)
    yield "a header twice", case(f"{LAMBDA}/mcp", ("x-desk", "b"), ("x-desk", "a"), JSON)
    yield "names in capitals", case(f"{LAMBDA}/mcp", ("X-Desk", "b"), ("Content-Type", "a/b"))
    yield "a name twice, in two spellings", case(f"{LAMBDA}/mcp", ("X-Desk", "b"), ("x-desk", ""))
    yield "odd blanks", case(f"{LAMBDA}/mcp", ("x-desk", "  a \t b   c  "), ("x-empty", ""))
    yield "quotes with blanks", case(f"{LAMBDA}/mcp", ("x-desk", '"a   b"  "c"'))
    yield "commas", case(f"{LAMBDA}/mcp", ("accept", "a/b,c/d ,  e/f"))
    yield "a cookie", case(f"{LAMBDA}/mcp", JSON, ("cookie", "AWSALB=x/y==; b=2"))
    yield (
        "what MCP names",
        case(
            f"{LAMBDA}/mcp",
            ACCEPT,
            JSON,
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?w6k=?="),
            ("mcp-param-region", "eu"),
        ),
    )
    yield "a header of AWS's", case(f"{LAMBDA}/mcp", JSON, ("x-amz-meta-desk", "a"))
    yield "a header of AWS's beyond ASCII", case(f"{LAMBDA}/mcp", ("x-amz-meta-desk", "caf\xe9"))
    for size in (0, 1, 63, 64, 65, 4096, 70_000):
        yield f"a body of {size} bytes", case(f"{LAMBDA}/mcp", JSON, body=b"x" * size)
    yield "a body that is not text", case(f"{LAMBDA}/mcp", body=bytes(range(256)))
    yield "another day", case(f"{LAMBDA}/mcp", JSON, at=951827696)
    yield (
        "API Gateway",
        case(
            "https://a1b2c3.execute-api.us-gov-west-1.amazonaws.com/prod/mcp",
            JSON,
            service="execute-api",
            region="us-gov-west-1",
        ),
    )
    yield (
        "Lattice, whose body is not signed",
        case(
            "https://desk-0a1.1b2.vpc-lattice-svcs.us-west-2.on.aws/mcp",
            JSON,
            service="vpc-lattice-svcs",
            region="us-west-2",
            body=None,
        ),
    )
    yield (
        "OpenSearch Serverless, which wants the hash",
        case(
            "https://1a2b3c.us-east-1.aoss.amazonaws.com/mcp",
            JSON,
            service="aoss",
            region="us-east-1",
        ),
    )
    yield (
        "S3, whose path is as it is",
        case(
            "https://desk.s3.us-east-1.amazonaws.com/a//b/./c%20d/..",
            method="GET",
            service="s3",
            region="us-east-1",
            body=b"",
        ),
    )


def record() -> list[dict[str, object]]:
    """Each request, what botocore adds to it, and what its body is; a long one is one letter."""
    return [
        {
            "name": name,
            **one._asdict(),
            "body": None if one.body is None else one.body.hex() if len(one.body) < 300 else "",
            "repeated": 0 if one.body is None or len(one.body) < 300 else len(one.body),
            "added": judge(one),
        }
        for name, one in cases()
    ]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(record(), indent=1, ensure_ascii=True) + "\n", "ascii")
