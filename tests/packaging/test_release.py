"""What a release is made of, judged without a network: notes, licences, locks, bounds, the audit.

The rest costs minutes and is run by the workflows: scripts/packages, scripts/install-check and
scripts/audit.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts.audit import (
    FOUND,
    NONE,
    NOT_ANSWERED,
    read_npm_audit,
    read_pip_audit,
    read_zizmor,
    total_of,
)
from scripts.licences import LOCK, is_allowed, judge, licence_of, locked
from scripts.packages import complete_bill
from scripts.release_notes import NotesError, notes_of

ROOT = Path(__file__).parent.parent.parent
CHANGELOG = """\
# Changelog

## [0.3.0] - unreleased

- New.

## [0.2.0] - 2026-11-30

### Added

- Say what there is.

## [0.1.0] - 2026-01-02

[0.1.0]: older
"""


def test_notes_are_the_entries_of_the_version() -> None:
    assert notes_of("v0.2.0", "0.2.0", CHANGELOG) == "### Added\n\n- Say what there is.\n"


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v0.2.1", "0.2.0", "The tag is v0.2.1, and the package is 0.2.0. Tag it v0.2.0."),
        ("v9.0.0", "9.0.0", "CHANGELOG.md has no heading for 9.0.0."),
        (
            "v0.3.0",
            "0.3.0",
            'CHANGELOG.md says "unreleased" of 0.3.0. Write the day of the release there.',
        ),
        ("v0.1.0", "0.1.0", "CHANGELOG.md has no entry for 0.1.0."),
    ],
)
def test_nobody_makes_a_release_by_mistake(tag: str, version: str, said: str) -> None:
    with pytest.raises(NotesError) as caught:
        notes_of(tag, version, CHANGELOG)
    assert str(caught.value) == said


def entries_of(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes by name; of a name that is there twice, the last."""
    text = (ROOT / lock).read_text("utf-8")
    return {
        found[1]: (found[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", found[3])))
        for found in re.finditer(r"(?m)^([a-z0-9.-]+)==(\S+)(.*(?:\n    .*)*)", text)
    }


def test_what_people_get_is_what_is_tested() -> None:
    runtime, tested = entries_of("requirements-runtime.lock"), entries_of("requirements.lock")
    assert len(runtime) > 40
    for name, entry in runtime.items():
        assert entry == tested[name], name


LOCKS = (*ROOT.glob("requirements*.lock"), *ROOT.glob("tests/*/requirements*.txt"))


@pytest.mark.parametrize("lock", sorted(str(path.relative_to(ROOT)) for path in LOCKS))
def test_every_lock_has_hashes_and_names_no_place(lock: str) -> None:
    entries = entries_of(lock)
    assert entries
    assert all(hashes for _, hashes in entries.values())
    assert not re.search(r"://|^-|@ ", (ROOT / lock).read_text(), re.MULTILINE)


def test_every_lock_is_installed_by_its_hashes() -> None:
    installers = (
        *ROOT.glob("scripts/*"),
        *ROOT.glob("tests/*/installation.py"),
        *ROOT.glob("tests/*/*/installation.py"),
    )
    lines = [
        line
        for path in installers
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"--requirement\b", line)
    ]
    assert len(lines) == 8
    assert [line for line in lines if "--require-hashes" not in line] == []


def test_everything_that_people_get_may_be_passed_on() -> None:
    pins = locked(LOCK.read_text("utf-8"))
    assert judge({name: licence_of(name) for name in pins}) == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only)", False),
    ],
)
def test_a_licence_is_judged_by_the_list(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def test_what_must_not_be_passed_on_is_named() -> None:
    assert judge({"one": "AGPL-3.0-only", "two": None, "three": "MIT"}) == [
        "one is under AGPL-3.0-only, which is not on the list of allowed licences.",
        "two does not say its licence. Look it up, and add it to the table in this script.",
    ]


def test_the_bill_says_what_is_ours_what_we_ask_for_and_each_licence() -> None:
    bill: dict[str, Any] = {
        "metadata": {"component": {"bom-ref": "root", "name": "mcp-remote-py"}},
        "components": [
            {"bom-ref": "L1", "name": "anyio"},
            {"bom-ref": "L2", "name": "h11"},
            {"bom-ref": "L3", "name": "pywin32"},
        ],
        "dependencies": [{"ref": "L1"}, {"ref": "L2"}, {"ref": "L3"}, {"ref": "root"}],
    }
    complete_bill(bill, "1.2.3", ["h11"])
    root = bill["metadata"]["component"]
    assert (root["version"], root["purl"]) == ("1.2.3", "pkg:pypi/mcp-remote-py@1.2.3")
    assert [one.get("dependsOn") for one in bill["dependencies"]] == [None, None, None, ["L2"]]
    licences = [one["licenses"] for one in bill["components"]]
    assert licences == [[{"expression": name}] for name in ("MIT", "MIT", "PSF-2.0")]


WITHOUT_A_BOUND = {"cryptography", "idna", "keyring"}
"""Majors that nobody is kept from: they bring security fixes, and what we use is old and small."""


def test_a_next_major_that_may_break_a_promise_waits_until_it_was_tried() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)
    people_get = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["aws"],
    ]
    asked = [Requirement(line) for line in (*people_get, *project["build-system"]["requires"])]
    unbound = {one.name for one in asked if not any(s.operator == "<" for s in one.specifier)}
    assert unbound == WITHOUT_A_BOUND
    for line in people_get:
        assert re.search(rf'"{re.escape(line)}"[],]* +# \S', text), f"{line}: why?"


HOLE = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}
KNOWN = {"name": "fine", "version": "1", "vulns": list[Any]()}
HOLED = {"name": "holed", "version": "2", "vulns": [HOLE]}
UNKNOWN = {"name": "far", "skip_reason": "not found"}
NO_ANSWER = "This does not mean that there are no known holes."


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([KNOWN], NONE, ("no known hole in 1 packages",)),
        ([KNOWN, HOLED], FOUND, ("holed 2: PYSEC-1, mended in 2.1",)),
        (
            [KNOWN, UNKNOWN],
            NOT_ANSWERED,
            (
                "NOT ANSWERED: the data base has said nothing of 1 of 2 packages (far)."
                f" {NO_ANSWER}",
            ),
        ),
    ],
)
def test_packages_of_which_nothing_is_known_are_not_without_holes(
    packages: list[dict[str, Any]], status: int, said: tuple[str, ...]
) -> None:
    assert read_pip_audit(json.dumps({"dependencies": packages, "fixes": []}), 0) == (status, said)


def test_a_hole_beside_a_package_that_is_not_known_is_a_hole() -> None:
    assert read_pip_audit(json.dumps({"dependencies": [HOLED, UNKNOWN]}), 1).status == FOUND


@pytest.mark.parametrize("text", ["", "No network", "{}", '{"dependencies": []}', "[]"])
def test_no_answer_is_never_an_answer(text: str) -> None:
    for read, name in ((read_pip_audit, "pip-audit"), (read_npm_audit, "npm")):
        outcome = read(text, 0)
        assert outcome == (
            NOT_ANSWERED,
            (f"NOT ANSWERED: {name} ended with 0 and without an answer. {NO_ANSWER}",),
        )


def test_the_answer_of_npm_is_read() -> None:
    found = {"vulnerabilities": {"tar": {"severity": "high"}}}
    told = {"metadata": {"dependencies": {"total": 7}}}
    assert read_npm_audit(json.dumps(found | told), 1) == (FOUND, ("tar: high",))
    none = {"vulnerabilities": {}} | told
    assert read_npm_audit(json.dumps(none), 0) == (NONE, ("no known hole in 7 packages",))
    refused = {"message": "405 Method Not Allowed - POST and an address", "statusCode": 405}
    assert read_npm_audit(json.dumps(refused), 1) == (
        NOT_ANSWERED,
        (f"NOT ANSWERED: npm's registry says 405 Method Not Allowed. {NO_ANSWER}",),
    )


def test_what_is_said_of_the_workflows_is_read() -> None:
    assert read_zizmor("[]", 0) == (NONE, ("no finding in the workflows",))
    finding = {"ident": "template-injection", "desc": "a template in a shell"}
    assert read_zizmor(json.dumps([finding]), 14).status == FOUND
    assert read_zizmor("", 1).status == NOT_ANSWERED


def test_the_worst_answer_is_the_exit_status() -> None:
    assert total_of([NONE, NONE]) == NONE
    assert total_of([NONE, NOT_ANSWERED]) == NOT_ANSWERED
    assert total_of([NOT_ANSWERED, FOUND, NONE]) == FOUND
