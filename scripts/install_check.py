"""Installs the built wheel and sdist in every way that people install, and starts what came of it.

Each way has folders of its own. Where the index is, is the tools' own affair. Must not import
mcp_remote_py: it judges what was installed.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = ".exe" if os.name == "nt" else ""
BINARIES = "Scripts" if os.name == "nt" else "bin"
HERE = Path(sys.executable).parent
TOOLS = ROOT / ".venv-release" / BINARIES
PATIENCE = 300.0
"""Seconds for one command: an installation fetches some fifty packages."""


class Way(NamedTuple):
    """How people install and start: words with `{file}` and `{folder}`."""

    name: str
    install: tuple[tuple[str, ...], ...]
    start: tuple[str, ...]


UV = str(HERE / f"uv{SUFFIX}")
UVX = str(HERE / f"uvx{SUFFIX}")
PIPX = str(TOOLS / f"pipx{SUFFIX}")
PYTHON_OF = f"{{folder}}/venv/{BINARIES}/python"
COMMAND = f"mcp-remote-py{SUFFIX}"

WAYS = (
    Way(
        "pip install",
        (
            (sys.executable, "-m", "venv", "{folder}/venv"),
            (PYTHON_OF, "-m", "pip", "install", "--quiet", "{file}"),
            (PYTHON_OF, "-m", "pip", "check"),
        ),
        (f"{{folder}}/venv/{BINARIES}/{COMMAND}",),
    ),
    Way(
        "pipx install",
        ((PIPX, "install", "--python", sys.executable, "{file}"),),
        (f"{{folder}}/bin/{COMMAND}",),
    ),
    Way(
        "uv tool install",
        ((UV, "tool", "install", "--quiet", "--python", sys.executable, "{file}"),),
        (f"{{folder}}/bin/{COMMAND}",),
    ),
    Way(
        "uvx",
        (),
        (UVX, "--quiet", "--python", sys.executable, "--from", "{file}", "mcp-remote-py"),
    ),
)
"""As the documents say it, with a file in the place of the name."""


def variables_of(folder: Path, cache: Path) -> Mapping[str, str]:
    """The environment in which a tool keeps all in that folder, and packages in the other."""
    return {
        **os.environ,
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
        "UV_CACHE_DIR": str(cache),
        "MCP_REMOTE_CONFIG_DIR": str(folder / "state"),
    }


def play(way: Way, file: Path, folder: Path, cache: Path) -> str:
    """Installs that file in that way, and starts it; what `--version` said.

    Raises:
        subprocess.CalledProcessError: a step failed; its words are on stderr.
    """
    variables = variables_of(folder, cache)

    def run(words: tuple[str, ...], *more: str) -> str:
        filled = [word.format(file=file, folder=folder) for word in words]
        done = subprocess.run(
            [*filled, *more],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout.strip()

    for step in way.install:
        run(step)
    # Also a command that loads more than a version: the shell of a sign-in, with its libraries.
    run(way.start, "status")
    return run(way.start, "--version")


def main() -> int:
    """Exit status 0, or 1 after a line for each way that failed."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve()
    files = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    if [one.suffix for one in files] != [".whl", ".gz"]:
        print(f"{folder} must hold one wheel and one sdist: scripts/packages makes them.")
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for file in files:
            wanted = re.fullmatch(r"mcp_remote_py-(.+?)(?:-py3-none-any\.whl|\.tar\.gz)", file.name)
            for number, way in enumerate(WAYS):
                place = Path(name) / f"{number}{file.suffix}"
                place.mkdir()
                try:
                    said = play(way, file, place, Path(name) / "cache")
                except (subprocess.SubprocessError, OSError) as error:
                    said = f"failed: {error}"
                is_right = wanted is not None and said.split()[-1:] == [wanted[1]]
                failed += not is_right
                print(f"{'ok' if is_right else 'NOT'}: {way.name} {file.name}: {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
