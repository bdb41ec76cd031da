"""Installs the built wheel and sdist in every way that people install, and uses what came of it.

It takes minutes, so pytest does not find it by its name: `scripts/install-check` gives it to
pytest, with the folder of the built files in BUILT. Each way has folders of its own. Where the
index is, is the tools' own affair. Must not import mcp_remote_py: it judges what was installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.host import Host
from tests.peers.wild_server import WildServer

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600.0
"""Seconds for one command: an installation fetches some fifty packages."""

pytestmark = pytest.mark.timeout(4 * PATIENCE)


class Way(NamedTuple):
    """How people install and start: words with `{file}` and `{folder}`."""

    name: str
    install: tuple[tuple[str, ...], ...]
    start: tuple[str, ...]


UV, UVX = (str(Path(sys.executable).with_name(name)) for name in ("uv", "uvx"))
PIPX = str(ROOT / ".venv-release/bin/pipx")
PYTHON_OF = "{folder}/venv/bin/python"

WAYS = (
    Way(
        "pip install",
        (
            (sys.executable, "-m", "venv", "{folder}/venv"),
            (PYTHON_OF, "-m", "pip", "install", "--quiet", "{file}"),
            (PYTHON_OF, "-m", "pip", "check"),
        ),
        ("{folder}/venv/bin/mcp-remote-py",),
    ),
    Way(
        "pipx install",
        ((PIPX, "install", "--python", sys.executable, "{file}"),),
        ("{folder}/bin/mcp-remote-py",),
    ),
    Way(
        "uv tool install",
        ((UV, "tool", "install", "--quiet", "--python", sys.executable, "{file}"),),
        ("{folder}/bin/mcp-remote-py",),
    ),
    Way(
        "uvx",
        (),
        (UVX, "--quiet", "--python", sys.executable, "--from", "{file}", "mcp-remote-py"),
    ),
)
"""As the documents say it, with a file in the place of the name."""

KINDS = {
    "wheel": re.compile(r"mcp_remote_py-(.+)-py3-none-any\.whl"),
    "sdist": re.compile(r"mcp_remote_py-(.+)\.tar\.gz"),
}
"""What scripts/packages makes; the group is the version."""


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """Of uv, empty when the first way begins."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of one way: 60 MB of packages, which nobody keeps."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def variables_of(folder: Path, cache: Path) -> dict[str, str]:
    """The environment in which a tool keeps all in that folder, and packages in the other."""
    # With it, what was installed would load what is here.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return surroundings | {
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
        "UV_CACHE_DIR": str(cache),
        "MCP_REMOTE_CONFIG_DIR": str(folder / "state"),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_it_is_installed_and_relays(way: Way, kind: str, folder: Path, cache: Path) -> None:
    built = Path(os.environ["BUILT"]).resolve()
    found = [path for path in built.glob("*") if KINDS[kind].fullmatch(path.name)]
    assert len(found) == 1, f"{built} must hold one {kind}: scripts/packages makes it."
    file, version = found[0], KINDS[kind].sub(r"\1", found[0].name)
    variables = variables_of(folder, cache)

    def fill_in(words: tuple[str, ...]) -> list[str]:
        return [word.format(file=file, folder=folder) for word in words]

    def run(words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for step in way.install:
        run(fill_in(step))
    start = fill_in(way.start)
    assert run([*start, "--version"]) == f"mcp-remote-py {version}\n"
    # It loads the shell of a sign-in, with its libraries.
    run([*start, "status"])
    with WildServer() as server, Host([*start, server.url], variables, fresh=True) as host:
        host.initialize()
        assert host.request("tools/list")["result"]["tools"][0]["name"] == "echo"
        host.close_stdin()
        assert host.wait_exit(10) == 0
