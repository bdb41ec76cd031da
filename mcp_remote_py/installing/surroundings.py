"""How we were started: the environment we run in, and the programs that can start us again.

Must not know what an entry is.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from mcp_remote_py.hosts.catalogue import System
from mcp_remote_py.hosts.launch import PACKAGE_NAME, Surroundings


def this_system(platform: str = sys.platform) -> System:
    """The system we run on; each that is neither of the other two is like Linux."""
    return {"darwin": System.MACOS, "win32": System.WINDOWS}.get(platform, System.LINUX)


def look_around(
    environment: Mapping[str, str], prefix: str = sys.prefix, python: str = sys.executable
) -> Surroundings:
    """What is known of how this process was started."""
    return Surroundings(
        prefix=prefix,
        python=python,
        own_command=_find_own(environment, prefix, python, this_system()),
        uvx=_find_runner("uvx", environment),
        pipx=_find_runner("pipx", environment),
        direct_url=_read_direct_url(),
    )


def commands_beside(python: Path, system: System) -> list[Path]:
    """Where our command may be, by the Python that runs it."""
    if system is not System.WINDOWS:
        return [python.parent / PACKAGE_NAME]
    # In an environment Python lies among the programs, else above them.
    name = f"{PACKAGE_NAME}.exe"
    return [python.parent / name, python.parent / "Scripts" / name]


def _find_own(environment: Mapping[str, str], prefix: str, python: str, system: System) -> str:
    on_path = shutil.which(PACKAGE_NAME, path=environment.get("PATH", ""))
    here = os.path.join(os.path.realpath(prefix), "")
    # A link in a folder for programs stays where it is when an upgrade makes the environment anew.
    if on_path and os.path.realpath(on_path).startswith(here):
        return os.path.abspath(on_path)
    for beside in commands_beside(Path(python), system):
        if beside.is_file():
            return str(beside)
    return os.path.abspath(on_path) if on_path else ""


def _find_runner(name: str, environment: Mapping[str, str]) -> str:
    """The full path of a runner, as it is on PATH, "" where it is not found."""
    found = shutil.which(name, path=environment.get("PATH", ""))
    if found:
        return os.path.abspath(found)
    # uv names itself to what it starts.
    uv = environment.get("UV", "")
    if uv and name == "uvx":
        beside = Path(uv).with_name(Path(uv).name.replace("uv", "uvx", 1))
        if beside.is_file():
            return str(beside)
    return ""


def _read_direct_url() -> str:
    try:
        return importlib.metadata.distribution(PACKAGE_NAME).read_text("direct_url.json") or ""
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return ""
