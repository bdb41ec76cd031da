"""The gate itself: what botocore signs comes through, and whatever is not right does not."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs]
from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs]
from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]

from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.refusals import PRODUCTS, WORDS, refuse
from tests.interop.aws.running import RunningGate, running_gate
from tests.peers.signature_judge import UNSIGNED, Asked, Caller, Terms, judge

BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
TERMS = Terms({KEY: Caller(SECRET), "ASIA1": Caller("s1", "t1")}, REGION, "lambda")
ARN_TARGET = "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fa/x?q=D&b=%20"


def signed(
    target: str = "/mcp",
    *,
    method: str = "POST",
    service: str = "lambda",
    region: str = REGION,
    key: tuple[str, str, str | None] = (KEY, SECRET, None),
    headers: dict[str, str] | None = None,
) -> Asked:
    """A request as botocore signs it."""
    given = {"content-type": "application/json", **(headers or {})}
    request: Any = AWSRequest(
        method=method, url=f"http://gate.example:8080{target}", data=BODY, headers=given
    )
    signer: Any = SigV4Auth(Credentials(*key), service, region)
    signer.add_auth(request)
    return Asked(method, target, [("Host", "gate.example:8080"), *request.headers.items()], BODY)


def without(asked: Asked, *names: str, **more: str) -> Asked:
    """The same with some headers gone and others at the end."""
    kept = [(name, value) for name, value in asked.headers if name.lower() not in names]
    added = [(name.replace("_", "-"), value) for name, value in more.items()]
    return Asked(asked.method, asked.target, kept + added, asked.body)


@pytest.mark.parametrize("target", ["/mcp", "/", ARN_TARGET, "/prod/mcp?b=2&a=1&a=0"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_what_botocore_signs_is_right(target: str, method: str) -> None:
    assert judge(signed(target, method=method), TERMS).kind == "right"


def test_a_token_is_a_part_of_the_key() -> None:
    assert judge(signed(key=("ASIA1", "s1", "t1")), TERMS).kind == "right"
    assert judge(signed(key=("ASIA1", "s1", None)), TERMS).kind == "unknown_key"
    assert judge(signed(key=(KEY, SECRET, "t1")), TERMS).kind == "unknown_key"


FAULTS: dict[str, Callable[[], Asked]] = {
    "missing": lambda: without(signed(), "authorization"),
    "incomplete": lambda: without(signed(), "authorization", Authorization="Bearer abc"),
    "unsigned_header": lambda: without(signed(), x_amz_target="added later"),
    "wrong_region": lambda: signed(region="us-east-1"),
    "wrong_service": lambda: signed(service="execute-api"),
    "unknown_key": lambda: signed(key=("AKIAOTHER", SECRET, None)),
    "wrong_signature": lambda: signed(key=(KEY, "another secret", None)),
    "wrong_body": lambda: signed(headers={"x-amz-content-sha256": "0" * 64}),
}
"""Made when they are judged: a signature is good for five minutes."""


@pytest.mark.parametrize("kind", FAULTS)
def test_what_is_not_right_is_known_by_its_fault(kind: str) -> None:
    assert judge(FAULTS[kind](), TERMS).kind == kind


def test_a_body_or_a_path_that_was_changed_on_the_way_is_not_right() -> None:
    headers = signed().headers
    longer = Asked("POST", "/mcp", headers, BODY + b" ")
    elsewhere = Asked("POST", "/other", headers, BODY)
    assert {judge(one, TERMS).kind for one in (longer, elsewhere)} == {"wrong_signature"}


def test_two_authorizations_are_none() -> None:
    twice = Asked("POST", "/mcp", [*signed().headers, ("authorization", "Bearer a")], BODY)
    assert judge(twice, TERMS).kind == "incomplete"


@pytest.mark.parametrize(
    ("clock", "kind"), [(290, "right"), (-290, "right"), (302, "too_late"), (-303, "too_early")]
)
def test_five_minutes_are_the_limit(clock: float, kind: str) -> None:
    verdict = judge(signed(), Terms(TERMS.callers, REGION, "lambda", clock=clock))
    assert verdict.kind == kind


def test_expired_and_not_allowed_keys_are_told_apart() -> None:
    for known, kind in (
        (Caller(SECRET, expired=True), "expired_token"),
        (Caller(SECRET, may=False), "denied"),
    ):
        assert judge(signed(), Terms({KEY: known}, REGION, "lambda")).kind == kind


def test_lattice_takes_no_signed_body() -> None:
    terms = Terms(TERMS.callers, REGION, "lambda", unsigned_payload=True)
    assert judge(signed(), terms).kind == "signed_payload"
    assert judge(signed(headers={"x-amz-content-sha256": UNSIGNED}), terms).kind == "right"
    assert judge(signed(headers={"x-amz-content-sha256": UNSIGNED}), TERMS).kind == "wrong_body"


FACTS = (
    *("authorization", "headers", "want", "got", "date", "edge", "now", "canonical", "to_sign"),
    *("arn", "region"),
)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_has_words_for_every_fault(product: str) -> None:
    facts: dict[str, str] = {name: "x" for name in FACTS}  # noqa: C420 - its type
    for kind in WORDS:
        said = refuse(product, kind, facts, REGION)
        assert said.status in {401, 403}
        assert said.headers[PRODUCTS[product].request_id]
        assert re.search(rb"\{[a-z_]+\}", said.body) is None, said.body


@pytest.fixture(scope="module")
def gate() -> Iterator[RunningGate]:
    with running_gate() as one:
        yield one


def test_an_unsigned_request_is_refused_in_lambdas_words(gate: RunningGate) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    connection.request("POST", "/mcp", BODY)
    said = connection.getresponse()
    assert said.status == 403
    assert said.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert said.headers["x-amzn-RequestId"]
    assert json.loads(said.read())["Message"].startswith("Forbidden. For troubleshooting")
    connection.close()
    last = gate.seen()[-1]
    assert (last["verdict"], last["method"], last["status"]) == ("missing", "tools/list", 403)


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
def test_a_signed_request_reaches_the_server(gate: RunningGate, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    url = gate.url(path)
    given = {"accept": "text/event-stream, application/json", "content-type": "application/json"}
    method = "GET" if path == "/sse" else "POST"
    hello = b'{"jsonrpc":"2.0","id":1,"method":"ping"}' if method == "POST" else b""
    request: Any = AWSRequest(method=method, url=url, data=hello, headers=given)
    signer: Any = SigV4Auth(Credentials(KEY, SECRET), "lambda", REGION)
    signer.add_auth(request)
    connection.request(method, path, hello, dict(request.headers.items()))
    said = connection.getresponse()
    assert said.status in {200, 400}, "the server's own answer"
    connection.close()
    last = gate.seen()[-1]
    assert last["verdict"] == "right"
    assert {"host", "x-amz-date"} <= set(last["signed"])
