"""What the tests need and cannot get is said before anything is installed, in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import installation


@pytest.mark.parametrize(
    ("version", "given", "expected"),
    [
        ((20, 3), "", ""),
        ((22, 14), "", ""),
        ((22, 15), "", "--use-system-ca"),
        ((23, 7), "", ""),
        ((23, 8), "", "--use-system-ca"),
        ((24, 0), "--no-warnings", "--no-warnings --use-system-ca"),
        ((24, 0), "--use-system-ca", "--use-system-ca"),
    ],
)
def test_node_trusts_whom_the_machine_trusts_where_it_can(
    version: tuple[int, int], given: str, expected: str
) -> None:
    assert installation.options_of_node(version, given) == expected


def test_node_of_the_environment_takes_the_option() -> None:
    node = installation.find_node()
    options = installation.options_of_node(installation.version_of(node), "")
    assert subprocess.check_output([node, *options.split(), "-p", "1"], text=True) == "1\n"


def test_a_machine_that_cannot_have_the_browser_is_told_so_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", installation.__name__],
        cwd=Path(__file__).parent.parent.parent,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "apt-get install chromium chromium-driver" in line
