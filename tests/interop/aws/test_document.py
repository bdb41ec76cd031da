"""What docs/aws.md says is so: its entries reach the servers they are for, its words are said.

The server is a gate that has the very name of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.aws.refusal_words import explain_aws_refusal
from mcp_remote_py.aws.refusals import AwsRefusalKind, read_refusal
from mcp_remote_py.aws.sigv4 import Scope
from mcp_remote_py.signing.chain_words import REASONS
from mcp_remote_py.transports.gateways import find_gateway
from tests.harness.host import Host
from tests.interop.aws.cases import PLACES, Place
from tests.interop.aws.document import ENTRIES, PROFILES, REFUSALS, TEXT, Entry
from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.names import names_lead_to
from tests.interop.aws.refusals import PRODUCTS, WORDS, refuse
from tests.interop.aws.relays import OURS
from tests.interop.aws.running import GOOD_KEYS, RunningGate, running_gate
from tests.interop.aws.stage import SURROUNDINGS, Desk, call
from tests.real.configuration import desktop_environment

pytestmark = pytest.mark.promise("AWS1")

OWN = Place("https://tools.example.com/mcp", "rest-api", "execute-api", "eu-west-1")
PLACE_OF = {place.url: place for place in (*PLACES, OWN)}
REMOTE = {name: entry for name, entry in ENTRIES.items() if "--aws-sigv4" in entry.args}


@pytest.fixture(scope="module")
def gate() -> Iterator[RunningGate]:
    with running_gate() as one:
        yield one


def reach(gate: RunningGate, home: Path, entry: Entry, env: Mapping[str, str]) -> set[str]:
    """Calls a tool by that entry; returns which scopes were signed for, of which keys."""
    place = PLACE_OF[entry.url]
    gate.change(
        service=place.service,
        region=place.region,
        product=place.product,
        unsigned_payload=place.product == "lattice",
    )
    before = len(gate.seen())
    home.mkdir(exist_ok=True)
    host_name = entry.url.split("/")[2]
    with names_lead_to(gate.port, [host_name], home) as there:
        known = {name: SURROUNDINGS[name] for name in ("AWS_EC2_METADATA_DISABLED",)}
        with Host(entry.words, desktop_environment(home) | known | there | dict(env)) as host:
            host.initialize()
            assert call(host, "echo", text="hello") == "hello"
    seen = gate.seen()[before:]
    assert {one["verdict"] for one in seen} == {"right"}
    assert {one["scope"] for one in seen} == {f"{place.region}/{place.service}"}
    return {one["key"] for one in seen}


def test_there_is_an_entry_for_each_kind_of_server() -> None:
    shown = {entry.url for entry in REMOTE.values()}
    assert {place.service for url, place in PLACE_OF.items() if url in shown} == {
        *("lambda", "execute-api", "bedrock-agentcore", "vpc-lattice-svcs", "aws-mcp")
    }
    assert OWN.url in shown


@pytest.mark.parametrize("name", REMOTE)
def test_an_entry_reaches_its_server(gate: RunningGate, tmp_path: Path, name: str) -> None:
    """With keys in the environment, for the profile; the next tests have that."""
    entry = REMOTE[name]
    keys = {**GOOD_KEYS} if "AWS_PROFILE" in entry.env else dict(entry.env)
    gate.change(callers={keys["AWS_ACCESS_KEY_ID"]: {"secret": keys["AWS_SECRET_ACCESS_KEY"]}})
    assert reach(gate, tmp_path / "home", entry, keys) == {keys["AWS_ACCESS_KEY_ID"]}


def test_the_region_to_work_in_is_told_with_each_request(gate: RunningGate, tmp_path: Path) -> None:
    gate.change(callers={KEY: {"secret": SECRET}})
    before = len(gate.seen())
    reach(gate, tmp_path / "home", REMOTE["aws-mcp"], GOOD_KEYS)
    told = {one["method"]: one["meta"] for one in gate.seen()[before:]}
    assert told["initialize"] == told["tools/call"] == {"AWS_REGION": "eu-west-1"}


def test_the_profile_with_a_process_gives_keys(gate: RunningGate, tmp_path: Path) -> None:
    desk = Desk(gate, OURS, tmp_path / "home")
    desk.home.mkdir()
    command = desk.write_process(GOOD_KEYS, tmp_path / "log")
    (profile,) = [one for one in PROFILES if "credential_process" in one]
    desk.write_files(re.sub(r"(?<=credential_process = ).*", lambda _: command, profile))
    gate.change(callers={KEY: {"secret": SECRET}})
    entry = REMOTE["function-url"]
    assert reach(gate, desk.home, entry, entry.env) == {KEY}
    assert (tmp_path / "log").read_text() == "run\n"


def test_the_profile_with_a_role_gives_that_roles_keys(gate: RunningGate, tmp_path: Path) -> None:
    desk = Desk(gate, OURS, tmp_path / "home")
    (profile,) = [one for one in PROFILES if "role_arn" in one]
    desk.write_files(profile)
    desk.write_keys(GOOD_KEYS)
    gate.change(callers={})
    entry = REMOTE["function-url"]
    env = {**entry.env, "AWS_ENDPOINT_URL_STS": gate.url("/-/sts")}
    (key,) = reach(gate, desk.home, entry, env)
    assert key.startswith("ASIA")


K = AwsRefusalKind
KINDS = {
    "missing": K.NO_SIGNATURE,
    "incomplete": K.NO_SIGNATURE,
    "unsigned_header": K.WRONG_SIGNATURE,
    "wrong_region": K.WRONG_SCOPE,
    "wrong_service": K.WRONG_SCOPE,
    "unknown_key": K.UNKNOWN_KEY,
    "expired_token": K.EXPIRED_TOKEN,
    "too_late": K.CLOCK,
    "too_early": K.CLOCK,
    "wrong_signature": K.WRONG_SIGNATURE,
    "wrong_body": K.WRONG_SIGNATURE,
    "signed_payload": K.WRONG_SIGNATURE,
    "denied": K.FORBIDDEN,
}
OWN_KINDS = {
    **{("http-api", kind): K.FORBIDDEN for kind in WORDS},
    ("function-url", "missing"): K.FORBIDDEN,
    ("lattice", "missing"): K.FORBIDDEN,
    ("agentcore-oauth", "denied"): K.OTHER_METHOD,
}
FACTS = {
    "authorization": "",
    "headers": "host",
    "want": "lambda",
    "got": "other",
    "canonical": "",
    "to_sign": "",
    "arn": "arn:aws:iam::123456789012:user/ada",
    "region": REGION,
    "date": "20261130T010000Z",
    "edge": "20261130T010700Z",
    "now": "20261130T011200Z",
}
NAMELESS = {("agentcore-bare", "unsigned_header"), ("agentcore-bare", "signed_payload")}
"""Said in no words that are known to be AWS's, and named by no header."""


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_refusal_of_each_product_is_known_and_begins_as_the_page_says(product: str) -> None:
    starts = [re.escape(start).replace(r"\.\.\.", ".*") for start in REFUSALS]
    clock = ["The clock of this machine is"]
    for kind in WORDS:
        if (product, kind) in NAMELESS:
            continue
        said = refuse(product, kind, FACTS, REGION)
        headers = {name.encode(): value.encode() for name, value in said.headers.items()}
        refusal = read_refusal(said.status, headers, said.body)
        assert refusal is not None, (kind, said)
        assert refusal.kind is OWN_KINDS.get((product, kind), KINDS[kind]), (kind, said)
        scope = Scope(PRODUCTS[product].service, REGION)
        cause, hint = explain_aws_refusal(refusal, scope, "", 1796000000.0)
        known = clock if refusal.kind is K.CLOCK else starts
        assert any(re.match(start, cause) for start in known), cause
        assert hint


def test_the_page_has_the_words_for_a_missing_switch() -> None:
    text = " ".join(TEXT.split())
    for product, words in (
        ("function-url", "AWS IAM stands before it, which takes signed requests only"),
        ("rest-api", "If the server is behind AWS IAM, add --aws-sigv4"),
        ("lattice", "AWS IAM stands before it, which takes signed requests only"),
    ):
        said = refuse(product, "missing", FACTS, REGION)
        reading = find_gateway(said.status, said.body)
        assert reading is not None, product
        assert f"*{words}*" in text
        assert words in f"{reading.cause} {reading.hint}"


def test_the_page_says_how_an_error_begins_where_there_are_no_keys() -> None:
    assert any(REASONS["no-keys"].cause.startswith(start) for start in REFUSALS)
