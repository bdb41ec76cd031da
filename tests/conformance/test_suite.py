"""Every client scenario of the official suite, by a legacy, a modern and a dual-era host.

One test per scenario, wire version and host: no failed check, no warning, no tab too many, and the
host's session as it should be. What is known not to pass is in `scenarios.KNOWN`, with the reason.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conformance import driver
from tests.conformance.conftest import Suite
from tests.conformance.scenarios import (
    ERAS_IN_THE_GATE,
    KNOWN,
    MUST_FAIL,
    PAIRS,
    REVISIONS,
    Pair,
    arguments_for,
    tabs_of,
)
from tests.harness.warm import NURSERY, forked_module, nursery
from tests.thorough import THOROUGH

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent.parent

# The first test of the folder may have to install it.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("A1", "E1", "E2", "E3")]

SUITE_MILLISECONDS = 240_000
"""Most of it is waiting for a turn."""

SECONDS = 300.0
"""Longest time of one start of the suite."""


class Verdict(NamedTuple):
    """What the suite said of one scenario, and what the host saw."""

    checks: list[Json]
    outcome: Json


class Examination(NamedTuple):
    """One start of the suite: its exit status, its words, and its verdicts by scenario."""

    status: int
    log: str
    verdicts: dict[str, Verdict]


Examine = Callable[[tuple[str, ...], str], Examination]
"""Starts the suite with these arguments for a host of that era, or remembers that it did."""


@pytest.fixture(scope="module")
def examine(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Examine:
    @cache
    def start(arguments: tuple[str, ...], era: str) -> Examination:
        folder = tmp_path_factory.mktemp("examination")
        command = f"{sys.executable} -m {driver.__name__}"
        variables = {driver.ERA: era, driver.FOLDER: str(folder)}
        if THOROUGH:
            variables |= {"PYTHONPATH": str(ROOT)}
        else:
            command = forked_module(folder, driver.__name__)
            variables |= {NURSERY: nursery().name}
        options = ["-o", "suite", "--command", command, "--timeout", str(SUITE_MILLISECONDS)]
        with suite.started(["client", *arguments, *options], folder, **variables) as process:
            status = process.wait(SECONDS)
        return Examination(status, (folder / "suite.log").read_text(), read_verdicts(folder))

    return start


def read_verdicts(folder: Path) -> dict[str, Verdict]:
    """Each scenario has two folders, the suite's with a time in its name."""
    found: dict[str, Verdict] = {}
    for path in (folder / "suite").glob("**/checks.json"):
        name = str(path.parent.relative_to(folder / "suite"))
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT[^T]*$", "", name)
        outcome = (folder / scenario / "outcome.json").read_text()
        found[scenario] = Verdict(json.loads(path.read_text()), json.loads(outcome))
    return found


@pytest.mark.parametrize("era", ERAS_IN_THE_GATE)
@pytest.mark.parametrize("pair", PAIRS, ids="@".join)
def test_every_scenario_is_clean(pair: Pair, era: str, examine: Examine) -> None:
    examination = examine(arguments_for(pair), era)
    assert pair.scenario in examination.verdicts, examination.log[-2000:]
    checks, outcome = examination.verdicts[pair.scenario]
    bad = {
        check["id"]: check.get("errorMessage") or check.get("description", "")
        for check in checks
        if check["status"] in ("FAILURE", "WARNING")
    }
    known = KNOWN.get((pair.scenario, era))
    if known is not None:
        assert set(bad) == known.checks, (bad, outcome)
        return
    assert checks
    assert bad == {}, (bad, outcome)
    assert (outcome["outcome"] != "ok") == (pair.scenario in MUST_FAIL), outcome
    assert outcome["tabs"] <= tabs_of(pair.scenario)


@pytest.mark.parametrize("era", ERAS_IN_THE_GATE)
@pytest.mark.parametrize("arguments", sorted(set(map(arguments_for, PAIRS))), ids=" ".join)
def test_the_suite_itself_is_content(
    arguments: tuple[str, ...], era: str, examine: Examine
) -> None:
    examination = examine(arguments, era)
    known = any((scenario, era) in KNOWN for scenario in examination.verdicts)
    assert (examination.status != 0) is known, examination.log[-2000:]


def test_no_scenario_of_the_suite_is_left_out(suite: Suite) -> None:
    assert {pair.scenario for pair in PAIRS} == set(suite.list_scenarios("client"))
    requirements = suite.folder / "requirements"
    for revision in REVISIONS:
        text = (requirements / f"{revision}.yaml").read_text().partition("\nclient:")[2]
        scored = re.findall(r"^  - (\S+)", text.partition("\nnot_scored")[0], re.MULTILINE)
        assert {Pair(name, revision) for name in scored} <= set(PAIRS)
