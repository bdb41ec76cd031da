"""Plays the story of all systems: `scripts/test --interop [--systems KEYS] [--commands NAMES]`.

Prints the table, writes it into `results.json` and `docs/systems.md`. Exit status 1 where a step of
ours failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.interop import catalogue
from tests.interop.commands import COMMANDS, Command
from tests.interop.story import FAILED, Outcome, play
from tests.interop.systems import System


def play_one(system: System, command: Command) -> list[Outcome]:
    """Starts the system from a scratch folder, and tells the story once."""
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        folder = Path(scratch)
        (folder / "system").mkdir()
        try:
            with system.start(folder / "system") as scene:
                return play(scene, command, folder / command.name)
        except (AssertionError, OSError) as error:
            return [Outcome("start", FAILED, str(error)[-400:], 0.0)]


def show(system: System, command: Command, outcomes: Sequence[Outcome]) -> None:
    """One row, a line for each step."""
    print(f"{system.key} · {command.name}")
    for one in outcomes:
        print(f"    {one.result:6} {one.seconds:6.2f} s  {one.step}: {one.words}", flush=True)


def main() -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="scripts/test --interop")
    parser.add_argument("--systems", default=",".join(one.key for one in catalogue.SYSTEMS))
    parser.add_argument("--commands", default="ours")
    arguments = parser.parse_args()
    # Node and npm come with the environment.
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    status = 0
    for key in arguments.systems.split(","):
        for name in arguments.commands.split(","):
            system, command = catalogue.find(key), COMMANDS[name]
            if system.commands and name not in system.commands:
                continue
            command.install()
            if system.install is not None:
                system.install()
            outcomes = play_one(system, command)
            show(system, command, outcomes)
            if name == "ours" and any(one.result == FAILED for one in outcomes):
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
