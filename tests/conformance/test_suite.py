"""Every client scenario of the official suite, by a legacy, a modern and a dual-era host.

One test per scenario, wire version and host (`scenarios.list_runs`): no failed check, no warning,
no tab too many, and the host's session as it should be. What is known not to pass is in
`scenarios.KNOWN`, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import driver
from tests.conformance.conftest import Suite
from tests.conformance.scenarios import (
    KNOWN,
    MUST_FAIL,
    PAIRS,
    REVISIONS,
    Pair,
    list_runs,
    tabs_of,
)
from tests.real.processes import kill_group

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent.parent

# The first test of the folder may have to install it.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("A1", "E1", "E2", "E3")]

SUITE_MILLISECONDS = 30_000
SECONDS = 50.0
"""Longest time of one scenario, the suite's own start included."""


def run(suite: Suite, pair: Pair, era: str, folder: Path) -> tuple[int, list[Json], Json]:
    """Its exit status, its checks, and what the host saw."""
    command = [
        *suite.command,
        *("client", "--command", f"{sys.executable} -m {driver.__name__}"),
        *("--scenario", pair.scenario, "--timeout", str(SUITE_MILLISECONDS)),
        *("-o", str(folder / "suite")),
        *("--spec-version", pair.version, "--force"),
    ]
    environment = {
        **suite.environment,
        "PYTHONPATH": str(ROOT),
        driver.ERA: era,
        driver.FOLDER: str(folder),
    }
    with (folder / "suite.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status = process.wait(SECONDS)
        finally:
            kill_group(process)
    checks = [
        check
        for path in folder.glob("suite/**/checks.json")
        for check in json.loads(path.read_text())
    ]
    outcome = json.loads((folder / "outcome.json").read_text())
    return status, checks, outcome


@pytest.mark.parametrize(
    ("pair", "era"), [pytest.param(*run, id=f"{'@'.join(run[0])}-{run[1]}") for run in list_runs()]
)
def test_every_scenario_is_clean(pair: Pair, era: str, suite: Suite, tmp_path: Path) -> None:
    status, checks, outcome = run(suite, pair, era, tmp_path)
    bad = {
        check["id"]: check.get("errorMessage") or check.get("description", "")
        for check in checks
        if check["status"] in ("FAILURE", "WARNING")
    }
    known = KNOWN.get((pair.scenario, era))
    if known is not None:
        assert set(bad) == known.checks, (bad, outcome)
        return
    assert checks, (tmp_path / "suite.log").read_text()
    assert bad == {}, (bad, outcome)
    assert (outcome["outcome"] != "ok") == (pair.scenario in MUST_FAIL), outcome
    assert outcome["tabs"] <= tabs_of(pair.scenario)
    assert status == 0, (tmp_path / "suite.log").read_text()[-2000:]


def test_no_scenario_of_the_suite_is_left_out(suite: Suite) -> None:
    assert {pair.scenario for pair in PAIRS} == set(suite.list_scenarios("client"))
    requirements = suite.folder / "requirements"
    for revision in REVISIONS:
        text = (requirements / f"{revision}.yaml").read_text().partition("\nclient:")[2]
        scored = re.findall(r"^  - (\S+)", text.partition("\nnot_scored")[0], re.MULTILINE)
        assert {Pair(name, revision) for name in scored} <= set(PAIRS)
