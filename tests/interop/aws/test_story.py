"""Our command before the gate: some rows of those that `python -m tests.interop.aws` plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.aws.cases import BAD_MOODS, REFUSALS, STORY, Case
from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.refusals import PRODUCTS
from tests.interop.aws.relays import OURS
from tests.interop.aws.running import RunningGate, running_gate
from tests.interop.aws.stage import Desk

pytestmark = pytest.mark.promise("AWS1")

IN_THE_GATE = (
    "requests of a session that are signed right",
    "MCP's headers in the signature",
    "the server asks its client",
    "stream cut before the answer",
    "HTTP+SSE server",
    "keys rotated in the profile's file",
    "token expired, then a new sign-in elsewhere",
    "502 after the function ran",
    "function-url: clock 12 minutes ahead",
    "http-api: wrong secret",
    "agentcore-bare: no permission",
    "lattice: no permission",
    "403 page of a firewall (WAF)",
    "redirect to another host",
    "401 that asks for OAuth",
)
CASES = {case.name: case for case in (*STORY, *REFUSALS, *BAD_MOODS)}


@pytest.fixture(scope="module")
def gate() -> Iterator[RunningGate]:
    with running_gate() as one:
        yield one


@pytest.mark.parametrize("name", IN_THE_GATE)
def test_what_comes_of_it_is_what_a_person_needs(
    gate: RunningGate, tmp_path: Path, name: str
) -> None:
    case: Case = CASES[name]
    row = PRODUCTS[case.product]
    gate.change(
        callers={KEY: {"secret": SECRET}},
        product=case.product,
        service=row.service,
        region=REGION,
        unsigned_payload=row.unsigned_payload,
        clock=0,
        forget=True,
    )
    assert case.play(Desk(gate, OURS, tmp_path / "home"))
