"""Asks for known holes in what is locked, and looks for holes in the workflows.

Three answers, never mixed up: none, found, and not answered. A data base that cannot be reached, or
that does not know a package, has not said "none": pip-audit ends with 0 and "No known
vulnerabilities found" where it could look up nothing at all. What a tool said is read by pure
functions. Must not import mcp_remote_py.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.real.installation import find_node_tool  # noqa: E402

TOOLS = ROOT / ".venv-release" / ("Scripts" if os.name == "nt" else "bin")
PATIENCE = 300.0
"""Seconds for one question."""

NONE, FOUND, NOT_ANSWERED = 0, 1, 2
"""What is known; also the exit status."""

NPM_FOLDERS = sorted(
    lock.parent.relative_to(ROOT).as_posix()
    for pattern in ("tests/*/package-lock.json", "tests/*/*/package-lock.json")
    for lock in ROOT.glob(pattern)
)


class Outcome(NamedTuple):
    """What is known of one lock, and the lines that say so."""

    status: int
    lines: tuple[str, ...]


class Question(NamedTuple):
    """What is asked of whom, in which folder, and who reads the answer."""

    about: str
    words: tuple[str, ...]
    folder: str
    read: Callable[[str, int], Outcome]


def load(text: str) -> Any:
    """The JSON in that text; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def load_object(text: str) -> dict[str, Any]:
    """The JSON object in that text; an empty one where there is none."""
    found = load(text)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def not_answered(reason: str) -> Outcome:
    """The outcome of a question to which there was no answer."""
    line = f"NOT ANSWERED: {reason} This does not mean that there are no known holes."
    return Outcome(NOT_ANSWERED, (line,))


def read_pip_audit(text: str, status: int) -> Outcome:
    """What pip-audit's JSON says; its exit status does not count packages that it passed over."""
    asked_of: list[dict[str, Any]] | None = load_object(text).get("dependencies")
    if not asked_of:
        return not_answered(f"pip-audit ended with {status} and without an answer.")
    holes = tuple(
        f"{one['name']} {one['version']}: {hole['id']},"
        f" mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in asked_of
        for hole in one.get("vulns", ())
    )
    unknown = [one["name"] for one in asked_of if "vulns" not in one]
    if unknown:
        missing = not_answered(
            f"the data base has said nothing of {len(unknown)} of {len(asked_of)} packages"
            f" ({', '.join(unknown[:3])}{', ...' if unknown[3:] else ''})."
        )
        return Outcome(FOUND if holes else NOT_ANSWERED, (*holes, *missing.lines))
    if holes:
        return Outcome(FOUND, holes)
    return Outcome(NONE, (f"no known hole in {len(asked_of)} packages",))


def read_npm_audit(text: str, status: int) -> Outcome:
    """What `npm audit --json` says."""
    told = load_object(text)
    if "message" in told:
        # The sentence has the address of a registry: the first words are enough.
        return not_answered(f"npm's registry says {' '.join(str(told['message']).split()[:4])}.")
    holes: dict[str, Any] | None = told.get("vulnerabilities")
    if holes is None or "metadata" not in told:
        return not_answered(f"npm ended with {status} and without an answer.")
    if not holes:
        total = told["metadata"]["dependencies"]["total"]
        return Outcome(NONE, (f"no known hole in {total} packages",))
    return Outcome(FOUND, tuple(f"{name}: {one['severity']}" for name, one in holes.items()))


def read_zizmor(text: str, status: int) -> Outcome:
    """What zizmor's JSON says of the workflows; it needs no network."""
    found: list[dict[str, Any]] | None = load(text)
    if found is None:
        return not_answered(f"zizmor ended with {status} and without an answer.")
    if not found:
        return Outcome(NONE, ("no finding in the workflows",))
    return Outcome(FOUND, tuple(f"{one['ident']}: {one['desc']}" for one in found))


def questions() -> list[Question]:
    """All of them."""
    audit = (str(TOOLS / "pip-audit"), "--require-hashes", "--disable-pip", "--format", "json")
    locks = [lock.name for lock in sorted(ROOT.glob("requirements*.lock"))]
    # The oldest versions are allowed, not shipped: their holes are known, and the bound is raised
    # where one of them matters.
    locks.remove("requirements-lowest.lock")
    npm = (find_node_tool("npm"), "audit", "--json", "--package-lock-only", "--audit=true")
    zizmor = (str(TOOLS / "zizmor"), "--offline", "--no-progress", "--format", "json", ".github")
    return [
        *(Question(lock, (*audit, "-r", lock), ".", read_pip_audit) for lock in locks),
        *(Question(folder, npm, folder, read_npm_audit) for folder in NPM_FOLDERS),
        Question(".github", zizmor, ".", read_zizmor),
    ]


def ask(question: Question) -> Outcome:
    """The answer, read."""
    try:
        done = subprocess.run(
            question.words,
            cwd=ROOT / question.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return not_answered(f"{Path(question.words[0]).name} did not run: {type(error).__name__}.")
    return question.read(done.stdout, done.returncode)


def total_of(statuses: list[int]) -> int:
    """A hole that was found is the worst; then a question without an answer."""
    return next((one for one in (FOUND, NOT_ANSWERED) if one in statuses), NONE)


def main() -> int:
    """Asks all; the exit status is the worst answer."""
    statuses: list[int] = []
    for question in questions():
        outcome = ask(question)
        statuses.append(outcome.status)
        for line in outcome.lines:
            print(f"{question.about}: {line}", flush=True)
    return total_of(statuses)


if __name__ == "__main__":
    sys.exit(main())
