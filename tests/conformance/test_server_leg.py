"""Every server scenario of the official suite, on a server itself and through the command.

The relay is transparent where both runs have the same checks with the same statuses, in the same
order. What is the front's own, HTTP ending there, is in `AT_THE_FRONT`; what is not clean on the
server itself, in `SERVER_KNOWN`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conformance.conftest import Suite
from tests.conformance.scenarios import AT_THE_FRONT, REVISIONS, SERVER_KNOWN, SKILLS
from tests.conformance.serving import running
from tests.harness.host import environment_for
from tests.harness.warm import NURSERY, nursery

# The first test of the folder may have to install the suite.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("R2", "R3", "E1")]

REFERENCE_SERVER = "tests.conformance.reference_server"
FRONT = "tests.conformance.front"
"""By name: what they load is not for who collects tests."""

SECONDS = 90.0
"""Longest time of one run; ten are usual."""

RUNS: dict[str, list[list[str]]] = {
    **{revision: [["--requirements", revision]] for revision in REVISIONS},
    "skills": [["--scenario", scenario] for scenario in SKILLS],
}
"""Arguments of the suite. What a revision requires has the tasks and what is pending with it."""


class Check(NamedTuple):
    """One check of a scenario."""

    id: str
    name: str
    status: str

    def fits(self, pattern: str) -> bool:
        """Whether its id or its name is of that pattern."""
        return fnmatchcase(self.id, pattern) or fnmatchcase(self.name, pattern)


Checks = dict[str, list[Check]]
"""By scenario."""


class Pair(NamedTuple):
    """The same run twice."""

    run: str
    direct: Checks
    proxied: Checks


@pytest.fixture(scope="module")
def listed(suite: Suite) -> dict[str, str]:
    """The suite's server scenarios, with their versions."""
    return suite.list_scenarios("server")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, str]]:
    """A server itself, and another behind front and command: neither hears the other's guests."""
    folder = tmp_path_factory.mktemp("server-leg")
    environment = environment_for(folder, {NURSERY: nursery().name})
    with contextlib.ExitStack() as stack:

        def start(module: str, name: str, *arguments: str) -> str:
            log = folder / f"{name}.log"
            return stack.enter_context(
                running(module, *arguments, log=log, environment=environment)
            )

        direct = start(REFERENCE_SERVER, "direct")
        behind = start(REFERENCE_SERVER, "behind")
        yield direct, start(FRONT, "front", behind)


@pytest.fixture(scope="module", params=RUNS)
def pair(
    request: pytest.FixtureRequest,
    suite: Suite,
    urls: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Pair:
    """One run on the server and through the command, at the same time."""
    run: str = request.param
    folders = [tmp_path_factory.mktemp(name) for name in ("direct", "proxied")]
    for arguments in RUNS[run]:
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(
                    suite.started(["server", "--url", url, *arguments, "-o", "."], folder)
                )
                for url, folder in zip(urls, folders, strict=True)
            ]
            for process in processes:
                process.wait(SECONDS)
    return Pair(run, *map(read_checks, folders))


def read_checks(folder: Path) -> Checks:
    """What the suite has written; each scenario has a folder, whose name ends in a time."""
    found: Checks = {}
    for path in folder.glob("server-*/checks.json"):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT[^T]*$", "", path.parent.name)
        checks: list[dict[str, Any]] = json.loads(path.read_text())
        found[scenario] = [Check(one["id"], one["name"], one["status"]) for one in checks]
    return found


def compared(checks: Checks) -> Checks:
    """Without what is the front's own."""
    return {
        scenario: [check for check in these if not any(map(check.fits, patterns_of(scenario)))]
        for scenario, these in checks.items()
    }


def patterns_of(scenario: str) -> set[str]:
    return AT_THE_FRONT[scenario].checks if scenario in AT_THE_FRONT else set()


def test_the_command_changes_no_check(pair: Pair) -> None:
    direct, proxied = compared(pair.direct), compared(pair.proxied)
    assert direct.keys() == proxied.keys()
    differences = {
        scenario: (these, proxied[scenario])
        for scenario, these in direct.items()
        if these != proxied[scenario]
    }
    assert differences == {}


def test_what_is_not_compared_is_different(pair: Pair) -> None:
    """Nothing is left out that need not be."""
    for scenario, direct in pair.direct.items():
        for pattern in patterns_of(scenario):
            runs = direct, pair.proxied[scenario]
            one, other = [[check for check in run if check.fits(pattern)] for run in runs]
            assert one != other, f"{scenario}: {pattern}"


def test_the_server_itself_is_clean(pair: Pair) -> None:
    bad = {
        scenario: {check.id for check in checks if check.status not in ("SUCCESS", "INFO")}
        for scenario, checks in pair.direct.items()
    }
    assert {scenario: ids for scenario, ids in bad.items() if ids} == {
        scenario: known.checks for scenario, known in SERVER_KNOWN.items() if scenario in bad
    }
    assert all(pair.direct.values()), "a scenario without checks"


def test_no_scenario_of_the_suite_is_left_out(pair: Pair, listed: dict[str, str]) -> None:
    wanted = {
        scenario
        for scenario, versions in listed.items()
        if pair.run in versions.replace("extension", run_of_extension(scenario)).split(",")
    }
    assert wanted == pair.direct.keys()


def run_of_extension(scenario: str) -> str:
    return "skills" if scenario in SKILLS else REVISIONS[-1]
