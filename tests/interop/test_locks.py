"""What npm installs for the tests is pinned by content, wherever its registry is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.commands import HERE
from tests.interop.installed.rows import HERE as INSTALLED
from tests.real.installation import ERA_WORKER, FOLDERS

LOCKED = [
    pytest.param(folder, id=folder.name) for folder in (*FOLDERS, ERA_WORKER, HERE, INSTALLED)
]


@pytest.mark.parametrize("folder", LOCKED)
def test_lock_names_contents_and_no_registry(folder: Path) -> None:
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    del packages[""]
    assert packages
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert package["integrity"].startswith("sha512-"), name


def test_gate_installs_nothing_of_this_folder() -> None:
    assert not {HERE, INSTALLED, ERA_WORKER} & {*FOLDERS}
