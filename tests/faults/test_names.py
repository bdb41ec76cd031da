"""Names that are not found, and addresses that change, played on a machine of its own.

What a name means cannot be changed on this machine: `names_inside` holds the tests, and this runs
them where /etc/hosts is a file of the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import names_inside as inside
from tests.thorough import THOROUGH


@pytest.mark.promise("R1", "R5", "L5")
@pytest.mark.timeout(300)
def test_on_a_machine_of_its_own(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    addresses = [inside.FIRST, inside.SECOND]
    island = [sys.executable, "-m", "tests.harness.island", "--hosts", str(hosts), *addresses]
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tests += [] if THOROUGH else ["-k", "address"]
    done = subprocess.run(
        [*island, "--", *tests, f"--basetemp={tmp_path / 'inside'}", str(inside.__file__)],
        env=os.environ | {"HOSTS_OF_TEST": str(hosts)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
