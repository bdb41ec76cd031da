"""What all tests share: the tools of the environment they run in are on the PATH."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def pytest_configure() -> None:
    """Node and npm of the real peers come with the environment, as does the command itself."""
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
