"""The story of the systems that are in the gate, and what is known of all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import catalogue, table
from tests.interop.commands import OURS
from tests.interop.story import FAILED, STEPS, play
from tests.real.installation import install_fastmcp, install_node_packages

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

GATE = [pytest.param(one, id=one.key) for one in catalogue.SYSTEMS if one.gate]


@pytest.mark.promise("A1", "A2", "A5", "A7", "R3", "R4", "R5")
@pytest.mark.parametrize("system", GATE)
def test_story_of(system: catalogue.System, tmp_path: Path) -> None:
    install_node_packages()
    if system.install is install_fastmcp:
        install_fastmcp()
    folder = tmp_path / "system"
    folder.mkdir()
    with system.start(folder) as scene:
        outcomes = play(scene, OURS, tmp_path / "ours")
    assert [one for one in outcomes if one.result == FAILED] == []
    assert [one.step for one in outcomes] == [name for name, _ in STEPS]


def test_every_system_was_played_and_no_step_of_ours_failed() -> None:
    """`scripts/test --interop` writes what this reads."""
    rows = table.read_rows()
    played = {key for key, name in rows if name == OURS.name}
    wanted = {one.key for one in catalogue.SYSTEMS if OURS.name in (one.commands or [OURS.name])}
    assert wanted - played == set(), "play them: scripts/test --interop --systems KEYS"
    assert table.failures(rows, OURS.name) == []


def test_a_system_has_one_key() -> None:
    keys = [one.key for one in catalogue.SYSTEMS]
    assert len(set(keys)) == len(keys)
