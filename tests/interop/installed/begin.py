"""Installs the hosts and plays their story on an island: they reach nothing but this machine.

Must not know any host.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tests.harness.warm import ROOT
from tests.interop.installed.rows import HERE
from tests.real.installation import install_node_packages


def main(keys: Sequence[str]) -> int:
    """Exit status."""
    install_node_packages(HERE)
    island = [sys.executable, "-m", "tests.harness.island", "--"]
    story = [sys.executable, "-m", "tests.interop.installed", *keys]
    return subprocess.call([*island, *story], cwd=ROOT)
