"""The Dockerfile, read: what it copies is let through, what it pins is all that is needed.

No engine runs here: what it makes is seen by hand (CONTRIBUTING says how).
"""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

from hatchling.builders.wheel import WheelBuilder
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


def test_lock_of_the_image_has_all_that_it_installs_and_its_hashes() -> None:
    """`--no-deps` would not tell of one that is missing."""
    (run, *_) = steps("RUN")
    assert "install --no-cache-dir --require-hashes --requirement requirements-runtime.lock" in run
    assert "install --no-cache-dir --no-deps ." in run
    lock = (ROOT / "requirements-runtime.lock").read_text()
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)==", lock))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["aws"]]:
        assert canonicalize_name(Requirement(line).name) in pinned, line


def test_what_is_copied_is_enough_to_build(tmp_path: Path) -> None:
    for words in steps("COPY"):
        *sources, target = words.split()
        for source in () if words.startswith("--from") else sources:
            path, place = ROOT / source, tmp_path / target
            if path.is_dir():
                copytree(path, place)
            else:
                copyfile(path, place / source)
    builder: Any = WheelBuilder(str(tmp_path))
    (made,) = builder.build(directory=str(tmp_path / "dist"), versions=["standard"])
    with zipfile.ZipFile(made) as wheel:
        names = wheel.namelist()
    assert "mcp_remote_py/__main__.py" in names
    assert [name for name in names if name.endswith("/man1/mcp-remote-py.1")]
