"""Signatures: those of botocore, as recorded, and what is ours beside them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_remote_py.aws.keys import AwsKeys
from mcp_remote_py.aws.sigv4 import (
    EMPTY_PAYLOAD,
    HASH_SLICE_BYTES,
    UNSIGNED_HEADERS,
    UNSIGNED_PAYLOAD,
    UNSIGNED_PREFIXES,
    Scope,
    encode_query,
    hash_payload,
    sign_request,
)
from mcp_remote_py.errors import Unusable
from mcp_remote_py.redact import Secret
from mcp_remote_py.url import ServerUrl, parse_url
from tests.aws.judge import LEFT_OUT, Case, judge
from tests.aws.record_vectors import VECTORS, record
from tests.thorough import often

RECORDED = json.loads(VECTORS.read_text("ascii"))
KEYS = AwsKeys("AKIDEXAMPLE", Secret("wJalrXUtnFEMIK7MDENG"))
HERE = parse_url("https://a.lambda-url.us-east-1.on.aws/mcp")
SCOPE = Scope("lambda", "us-east-1")
AT = 1793927716.9


def read_hash(*pieces: bytes) -> str:
    steps = hash_payload(pieces)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def sign(case: Case) -> dict[str, str]:
    token = None if case.token is None else Secret(case.token)
    added = sign_request(
        AwsKeys(case.key_id, Secret(case.secret_key), token),
        Scope(case.service, case.region),
        method=case.method.encode(),
        url=parse_url(case.url),
        headers=[(name.encode(), value.encode("latin-1")) for name, value in case.headers],
        payload_hash=UNSIGNED_PAYLOAD if case.body is None else read_hash(case.body),
        at=case.at,
    )
    return {name.decode(): value.decode("latin-1") for name, value in added}


def signed_names(*headers: tuple[bytes, bytes], url: ServerUrl = HERE) -> list[str]:
    return authorization_of(*headers, url=url).split("SignedHeaders=")[1].split(",")[0].split(";")


def authorization_of(*headers: tuple[bytes, bytes], url: ServerUrl = HERE) -> str:
    added = sign_request(
        KEYS, SCOPE, method=b"POST", url=url, headers=headers, payload_hash=EMPTY_PAYLOAD, at=AT
    )
    return dict(added)[b"authorization"].decode()


@pytest.mark.parametrize("vector", RECORDED, ids=lambda vector: vector["name"])
def test_a_request_is_signed_as_recorded_from_botocore(vector: dict[str, Any]) -> None:
    members = {name: vector[name] for name in Case._fields}
    if vector["body"] is not None:
        members["body"] = bytes.fromhex(vector["body"]) or b"x" * vector["repeated"]
    assert sign(Case(**members)) == vector["added"]


def test_the_record_is_what_botocore_gives_today() -> None:
    assert json.loads(json.dumps(record())) == RECORDED


SEGMENTS = st.text("ab/.~%:+ =&é", max_size=12).map(lambda text: quote(text, safe="/.:+=&~"))
VALUES = st.text("abc ,\"'\t=;é", max_size=12)


@settings(max_examples=often(60, 5000), deadline=None)
@given(
    path=SEGMENTS,
    query=st.none() | SEGMENTS,
    headers=st.lists(st.tuples(st.sampled_from(["Accept", "x-desk", "MCP-Name"]), VALUES)),
    body=st.binary(max_size=200),
    token=st.none() | st.text("abcXYZ0+/=", min_size=1),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    service=st.sampled_from(["lambda", "execute-api", "s3", "aoss"]),
    at=st.integers(0, 4_000_000_000),
)
def test_any_request_is_signed_as_botocore_does(
    path: str,
    query: str | None,
    headers: list[tuple[str, str]],
    body: bytes,
    token: str | None,
    method: str,
    service: str,
    at: int,
) -> None:
    url = f"https://a.example/{path}" + ("" if query is None else f"?{query}")
    signed = [("host", "a.example"), *(pair for pair in headers if pair[1].isascii())]
    case = Case("AKID", "secretkey", token, service, "eu-west-1", method, url, signed, body, at)
    judged = judge(case)
    assert sign(case._replace(headers=[("host", "a.example"), *headers])) == judged


def test_the_day_is_utc_and_parts_of_a_second_are_dropped() -> None:
    added = sign_request(
        KEYS, SCOPE, method=b"GET", url=HERE, headers=[], payload_hash=EMPTY_PAYLOAD, at=86399.999
    )
    assert dict(added)[b"x-amz-date"] == b"19700101T235959Z"
    assert b"Credential=AKIDEXAMPLE/19700101/us-east-1/lambda/" in dict(added)[b"authorization"]


def test_a_clock_in_no_calendar_is_told() -> None:
    with pytest.raises(Unusable) as caught:
        sign_request(
            KEYS, SCOPE, method=b"GET", url=HERE, headers=[], payload_hash=EMPTY_PAYLOAD, at=1e20
        )
    assert caught.value.cause == "The clock of this machine shows an impossible date."
    assert caught.value.hint == "Set the clock."


def test_other_keys_of_the_same_name_give_another_signature() -> None:
    other = KEYS.replace(secret_access_key=Secret("another-secret-key"))
    made = [
        sign_request(
            keys, SCOPE, method=b"GET", url=HERE, headers=[], payload_hash=EMPTY_PAYLOAD, at=AT
        )
        for keys in (KEYS, other, KEYS)
    ]
    assert made[0] == made[2] != made[1]


# Which headers are signed -------------------------------------------------------------------


def test_what_tells_the_server_something_is_signed() -> None:
    names = [
        *("accept", "content-type", "cookie", "last-event-id", "mcp-method", "mcp-name"),
        *("mcp-protocol-version", "mcp-session-id", "x-api-key", "x-amz-target", "accept-language"),
        *("origin", "content-encoding", "tenant"),
    ]
    headers = [(b"Host", b"a.example"), *((name.encode(), b"1") for name in names)]
    assert signed_names(*headers) == sorted([*names, "host", "x-amz-date"])


UNSIGNED = [
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
    *("proxy-connection", "proxy-authorization", "via", "max-forwards", "user-agent", "forwarded"),
    *("accept-encoding", "content-length", "date", "cache-control", "pragma", "traceparent"),
    *("tracestate", "baggage", "b3", "x-b3-traceid", "x-amzn-trace-id", "x-forwarded-for"),
    *("x-forwarded-proto", "x-real-ip", "x-request-id", "x-correlation-id", "cdn-loop"),
    *("http2-settings", "x-cloud-trace-context", "x-envoy-attempt-count", "x-datadog-trace-id"),
]


def test_what_changes_on_the_way_is_not_signed() -> None:
    spellings = [(name.title().encode(), b"1") for name in UNSIGNED]
    assert authorization_of(*spellings) == authorization_of()
    assert UNSIGNED_HEADERS.keys() - {*UNSIGNED} == {"authorization"}
    for prefix, reason in [*UNSIGNED_HEADERS.items(), *UNSIGNED_PREFIXES.items()]:
        assert reason
        assert prefix == "authorization" or any(name.startswith(prefix) for name in UNSIGNED)


def test_nothing_is_signed_that_botocore_leaves_out() -> None:
    assert LEFT_OUT
    headers = [(name.encode(), b"1") for name in LEFT_OUT]
    assert signed_names(*headers) == ["host", "x-amz-date"]


def test_the_host_is_signed_as_it_is_sent() -> None:
    there = parse_url("http://a.example:8080/mcp")
    assert authorization_of(url=there) == authorization_of((b"Host", b"a.example:8080"), url=there)
    assert authorization_of((b"Host", b"a.example"), url=there) != authorization_of(url=there)


def test_a_value_beyond_ascii_is_not_signed_unless_aws_insists() -> None:
    assert "x-desk" not in signed_names((b"x-desk", b"caf\xc3\xa9"))
    assert "x-amz-desk" in signed_names((b"x-amz-desk", b"caf\xc3\xa9"))


@pytest.mark.parametrize(
    ("service", "sends_hash", "encodes_path_again"),
    [
        ("lambda", False, True),
        ("execute-api", False, True),
        ("aoss", True, True),
        ("vpc-lattice-svcs", True, True),
        ("s3", True, False),
        ("s3express", True, False),
        ("s3-outposts", True, False),
        ("s3-object-lambda", True, False),
        ("s3tables", False, True),
    ],
)
def test_services_that_want_it_otherwise(
    service: str, sends_hash: bool, encodes_path_again: bool
) -> None:
    scope = Scope(service, "us-east-1")
    added = sign_request(
        KEYS, scope, method=b"GET", url=HERE, headers=[], payload_hash=EMPTY_PAYLOAD, at=AT
    )
    assert (b"x-amz-content-sha256" in dict(added)) is sends_hash
    assert scope.encodes_path_again is encodes_path_again


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Amz-Date", "x-amz-security-token", "X-Amz-Content-Sha256"]
)
def test_nobody_else_brings_a_part_of_the_signature(name: str) -> None:
    with pytest.raises(Unusable) as caught:
        signed_names((name.encode(), b"Bearer opensesame"))
    assert caught.value.cause == (
        f"The header {name.lower()} is given, and the signature with AWS keys has its own."
    )
    assert caught.value.hint == "Leave the header out, or --aws-sigv4."


# The body -----------------------------------------------------------------------------------


def test_the_hash_of_nothing() -> None:
    assert read_hash() == read_hash(b"") == read_hash(b"", b"") == EMPTY_PAYLOAD


@given(st.lists(st.binary(max_size=40)))
def test_a_body_has_one_hash_however_it_is_cut(pieces: list[bytes]) -> None:
    assert read_hash(*pieces) == read_hash(b"".join(pieces))


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ([HASH_SLICE_BYTES], 0),
        ([HASH_SLICE_BYTES + 1], 1),
        ([HASH_SLICE_BYTES // 2] * 4, 1),
        ([HASH_SLICE_BYTES * 2, 0, 1], 2),
        ([1] * 1000, 0),
    ],
)
def test_a_long_body_is_hashed_in_steps(sizes: list[int], steps: int) -> None:
    body = memoryview(bytes(max(sizes)))
    assert sum(1 for _ in hash_payload(body[:size] for size in sizes)) == steps


def test_lattice_is_never_given_a_hash() -> None:
    added = dict(
        sign_request(
            KEYS,
            Scope("vpc-lattice-svcs", "us-west-2"),
            method=b"POST",
            url=HERE,
            headers=[],
            payload_hash=read_hash(b"{}"),
            at=AT,
        )
    )
    assert added[b"x-amz-content-sha256"] == b"UNSIGNED-PAYLOAD"
    assert b"x-amz-content-sha256" in added[b"authorization"]


# The query as it is sent --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/mcp", "/mcp"),
        ("/mcp?", "/mcp?"),
        ("/a:b/c+d%2f?a=1", "/a:b/c+d%2f?a=1"),
        ("/?u=https://a.b/c", "/?u=https%3A%2F%2Fa.b%2Fc"),
        ("/?q=a+b", "/?q=a%20b"),
        ("/?q=a%2bb", "/?q=a%2Bb"),
        ("/?q=%7e%41-._~", "/?q=~A-._~"),
        ("/?flag&a=&=b&=", "/?flag&a=&=b&="),
        ("/?a=1&&b=2&", "/?a=1&b=2"),
        ("/?a=b=c?d", "/?a=b%3Dc%3Fd"),
        ("/?q=100%&r=%zz", "/?q=100%25&r=%25zz"),
        ("/?q=%ff%E9", "/?q=%FF%E9"),
        ("/?b=2&a=1&b=1", "/?b=2&a=1&b=1"),
        ("/?a=1;b=2", "/?a=1%3Bb%3D2"),
    ],
)
def test_a_query_is_sent_in_one_spelling(target: str, sent: str) -> None:
    assert encode_query(target) == sent


def read_as_aws(query: str) -> str:
    """The canonical query, made of the decoded one, as the IAM User Guide has it."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    decoded = [
        (unquote(a, errors="surrogateescape"), unquote(b, errors="surrogateescape"))
        for a, _, b in pairs
    ]
    encoded = sorted(
        tuple(quote(part.encode("utf-8", "surrogateescape"), safe="-_.~") for part in pair)
        for pair in decoded
    )
    return "&".join("=".join(pair) for pair in encoded)


def read_as_form(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="surrogateescape")


QUERIES = st.lists(
    st.sampled_from(
        [*"aZ09-._~ &=+%:/?#[]@!$'()*,;é", "%41", "%2B", "%2b", "%20", "%C3%A9", "%ff"]
    ),
    max_size=12,
).map(
    lambda parts: (
        parse_url(f"https://a.b/p?{''.join(parts).replace('#', '%23').replace(' ', '+')}").target
    )
)


@settings(max_examples=often(200, 10000), deadline=None)
@given(QUERIES)
def test_both_readings_of_a_sent_query_agree_and_the_server_sees_the_same(target: str) -> None:
    sent = encode_query(target)
    assert encode_query(sent) == sent
    before, after = urlsplit(target).query, urlsplit(sent).query
    assert read_as_form(after) == read_as_form(before)
    as_written = sorted(
        tuple(pair.partition("=")[::2]) for pair in (after.split("&") if after else [])
    )
    assert "&".join("=".join(pair) for pair in as_written) == read_as_aws(after)
