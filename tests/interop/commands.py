"""The commands that the story is told with: ours, and those it is compared with.

A command is a value: how it is started for a scene, with a home and a browser of its own, and how
it signs out. Must not know any system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.host import environment_for
from tests.harness.warm import COMMAND
from tests.interop.aws.installation import PROXY
from tests.interop.systems import Absent, Scene
from tests.interop.versions import of_npm, of_pypi
from tests.real.installation import find_node, install_node_packages

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
"""What only `scripts/test --interop` installs."""


@dataclass(frozen=True)
class Command:
    """One command under test.

    Attributes:
        name: its name in the table and on the command line.
        version: as "package version".
        install: makes it be there.
        words: the command line that reaches a scene.
        environment: all it is given, by its home and the browser's executable.
        log_out: the command line that signs out, or why there is none.
        stored: the files in its home by which it could go on without a person.
    """

    name: str
    version: Callable[[], str]
    install: Callable[[], object]
    words: Callable[[Scene], list[str]]
    environment: Callable[[Path, Path], dict[str, str]]
    log_out: Callable[[Scene], list[str]] | Absent
    stored: Callable[[Path], Sequence[Path]]


def options_of(scene: Scene, command: str) -> list[str]:
    """What stands after the URL."""
    return [*scene.options, *scene.own_options.get(command, ())]


def nothing() -> None:
    """It is there."""


def _our_words(scene: Scene) -> list[str]:
    options = options_of(scene, "ours")
    return [str(COMMAND), scene.url, *options, "--token-store", "file"]


def _our_log_out(scene: Scene) -> list[str]:
    return [str(COMMAND), "logout", scene.url, "--token-store", "file"]


def _our_environment(home: Path, browser: Path) -> dict[str, str]:
    surroundings = {
        "BROWSER": str(browser),
        # A machine without a keyring, also where the tests run on one that has one.
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }
    return environment_for(home, surroundings)


def _our_stored(home: Path) -> Sequence[Path]:
    return sorted((home / "state").rglob("*.sealed"))


def _npm_words(scene: Scene) -> list[str]:
    program = PACKAGES / "mcp-remote" / "dist" / "proxy.js"
    return [find_node(), str(program), scene.url, *options_of(scene, "mcp-remote")]


def _npm_environment(home: Path, browser: Path) -> dict[str, str]:
    home.mkdir(parents=True, exist_ok=True)
    return {
        # It runs /usr/bin/xdg-open, which asks this variable first.
        "BROWSER": str(browser),
        "HOME": str(home),
        "PATH": os.environ.get("PATH", os.defpath),
    }


def _npm_stored(home: Path) -> Sequence[Path]:
    return sorted((home / ".mcp-auth").rglob("*_tokens.json"))


OURS = Command(
    "ours",
    lambda: of_pypi("mcp-remote-py"),
    nothing,
    _our_words,
    _our_environment,
    _our_log_out,
    _our_stored,
)

NPM = Command(
    "mcp-remote",
    lambda: of_npm("mcp-remote", PACKAGES),
    lambda: install_node_packages(HERE),
    _npm_words,
    _npm_environment,
    Absent("it has no command that signs out"),
    _npm_stored,
)

AWS = Command(
    "mcp-proxy-for-aws",
    lambda: PROXY.version("mcp-proxy-for-aws"),
    lambda: PROXY.command("mcp-proxy-for-aws"),
    lambda scene: [
        *(PROXY.command("mcp-proxy-for-aws"), scene.url),
        *options_of(scene, "mcp-proxy-for-aws"),
    ],
    lambda home, _: environment_for(home),
    Absent("nobody signs in"),
    lambda _: (),
)
"""Amazon's own relay, for the rows of AWS alone."""

COMMANDS: Mapping[str, Command] = {one.name: one for one in (OURS, NPM, AWS)}
