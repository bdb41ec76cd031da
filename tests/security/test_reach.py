"""No reach into private networks for a public server, played on a machine of its own.

Nobody on the internet can be had on loopback: `reach_inside` holds the tests, and this runs them
where an address of the internet is one of this machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.security import reach_inside as inside

HOSTS = f"""
127.0.0.1 localhost me.example a.localhost
::1 localhost
{inside.COMPANY} intranet.example
{inside.LINK} metadata.example
"""


@pytest.mark.promise("S1", "S2")
@pytest.mark.report("S7", "S9")
@pytest.mark.timeout(900)
def test_on_a_machine_of_its_own(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    addresses = [inside.PUBLIC, inside.COMPANY, inside.LINK]
    island = [sys.executable, "-m", "tests.harness.island", "--hosts", str(hosts), *addresses]
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*island, "--", *tests, f"--basetemp={tmp_path / 'inside'}", str(inside.__file__)],
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
