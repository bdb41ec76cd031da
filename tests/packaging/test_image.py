"""The Dockerfile, read: what it copies is let through, what it pins is all that is needed.

No engine runs here: what it makes is seen by hand (CONTRIBUTING says how).
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
STEPS = [
    (words[0], words[1])
    for line in re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    if len(words := line.split(None, 1)) == 2 and words[0] != "#"
]
"""Instructions with their words, continued lines joined."""


def steps(name: str) -> list[str]:
    return [words for kind, words in STEPS if kind == name]


def test_image_is_the_command_of_somebody_without_rights() -> None:
    (entry,) = steps("ENTRYPOINT")
    assert json.loads(entry) == ["/opt/mcp-remote-py/bin/mcp-remote-py"]
    assert steps("USER") == ["1000:1000"]
    assert not steps("CMD")
    assert not steps("EXPOSE"), "nothing of it listens for others"


def test_what_is_copied_is_let_through_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    sources = {
        word
        for copy in steps("COPY")
        if not copy.startswith("--from")
        for word in copy.split()[:-1]
    }
    assert sources == allowed
    assert all((ROOT / name).exists() for name in sources)


@pytest.fixture(scope="module")
def pinned() -> dict[str, str]:
    """What the step of the image makes of the lock."""
    (run, *_) = steps("RUN")
    command = run.partition(" >constraints.txt")[0]
    done = subprocess.check_output(["/bin/sh", "-c", command], cwd=ROOT, text=True, timeout=30)
    pairs = (line.partition("==") for line in done.splitlines())
    return {name: version for name, _, version in pairs}


def test_lock_pins_all_that_the_image_installs(pinned: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["aws"]]
    for line in wanted:
        assert canonicalize_name(Requirement(line).name) in pinned, line
    locked = re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text())
    assert sorted(pinned) == sorted(set(locked)), "one may be there for several Pythons"
    assert not any("--hash" in version or "\\" in version for version in pinned.values())
