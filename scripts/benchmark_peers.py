"""The peers that scripts/benchmark can measure beside us, pinned, each in a folder of its own.

Must not know what is measured.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BINARIES = Path(sys.executable).parent
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{BINARIES}"
FOLDER = ROOT / ".benchmark"


class NotInstalled(Exception):
    """A peer cannot be had; the text says why."""


class Peer(NamedTuple):
    """Another relay."""

    name: str
    version: str
    install: Callable[["Peer"], list[str]]
    """Makes the folder hold the version; returns the command that runs it, without the URL."""
    allow_http: bool = True
    """Whether it knows --allow-http."""
    options: tuple[str, ...] = ()


def _install_npm(peer: Peer) -> list[str]:
    node, npm = shutil.which("node", path=SEARCH_PATH), shutil.which("npm", path=SEARCH_PATH)
    if not node or not npm:
        raise NotInstalled("`node` or `npm` is not on PATH: install Node.js and run this again")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
    what = f"{peer.name}@{peer.version}"
    install = [npm, "install", "--ignore-scripts", *quiet, "--prefix", str(FOLDER), what]
    path = {**os.environ, "PATH": SEARCH_PATH}
    if subprocess.call(install, stdin=subprocess.DEVNULL, stdout=2, env=path):
        raise NotInstalled(f"npm could not install {what}: is the npm registry reachable?")
    # Node itself, without what a version manager or a Python package puts in front of it.
    node = subprocess.check_output([node, "-p", "process.execPath"], env=path, text=True).strip()
    return [node, str(FOLDER / "node_modules" / peer.name / "dist" / "proxy.js")]


def _install_pypi(peer: Peer) -> list[str]:
    folder = FOLDER / f"{peer.name}-{peer.version}"
    command = folder / "bin" / peer.name
    if not command.is_file():
        what = f"{peer.name}=={peer.version}"
        make = [sys.executable, "-m", "venv", str(folder)]
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", what]
        if subprocess.call(make, stdout=2) or subprocess.call(install, stdout=2):
            raise NotInstalled(f"pip could not install {what}: is the index reachable?")
    return [str(command)]


PEERS = {
    peer.name: peer
    for peer in (
        Peer("mcp-remote", "0.15.1", _install_npm),
        Peer("mcp-stdio", "0.45.2", _install_pypi, allow_http=False),
        Peer("fastmcp-remote", "4.1.4", _install_pypi, allow_http=False, options=("--silent",)),
    )
}
"""By name; the first is the one that most people come from."""


def install_peer(name: str) -> list[str]:
    """The command that runs this peer, without the URL; it is installed where it is not.

    Raises:
        NotInstalled: this is not Linux, or it could not be.
    """
    if platform.system() != "Linux":
        raise NotInstalled("what processes use is read from /proc, which only Linux has")
    FOLDER.mkdir(exist_ok=True)
    return PEERS[name].install(PEERS[name])
