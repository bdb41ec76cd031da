"""Plays the story of all systems: `scripts/test --interop [--systems KEYS] [--commands NAMES]`.

Prints what was seen, keeps it in `results.json`, and writes `docs/systems.md` anew. Exit status 1
where a step of ours failed. With `--hosts NAMES` it is the story of hosts, and `docs/hosts.md`;
with `--installed KEYS` that of hosts that `install` wrote into.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.interop import catalogue, hosts, table
from tests.interop.commands import COMMANDS, OURS, Command
from tests.interop.installed import begin
from tests.interop.installed.rows import INSTALLED
from tests.interop.story import FAILED, Outcome, play
from tests.interop.systems import System
from tests.real.hosts import HOSTS
from tests.real.installation import NotInstalled

ROOT = Path(__file__).parent.parent.parent


def play_one(system: System, command: Command) -> list[Outcome]:
    """Starts the system from a scratch folder, and tells the story once."""
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        folder = Path(scratch)
        (folder / "system").mkdir()
        try:
            with system.start(folder / "system") as scene:
                return play(scene, command, folder / command.name, by_hand=True)
        except (AssertionError, OSError) as error:
            return [Outcome("start", FAILED, str(error)[-400:], 0.0)]


def show(system: System, command: Command, outcomes: Sequence[Outcome]) -> None:
    """One row, a line for each step."""
    lines = [f"{one.result:6} {one.seconds:6.2f} s  {one.step}: {one.words}" for one in outcomes]
    print("\n    ".join([f"{system.key}, {command.name}", *lines]), flush=True)


def main() -> int:
    """Exit status."""
    keys = [one.key for one in catalogue.SYSTEMS]
    parser = argparse.ArgumentParser(prog="scripts/test --interop")
    parser.add_argument("--systems", default=",".join(keys), help=f"of {', '.join(keys)}")
    parser.add_argument(
        "--commands", default="ours", help=f"of {', '.join(COMMANDS)} (default ours)"
    )
    parser.add_argument("--hosts", help=f"play these instead: of {', '.join(HOSTS)}, or all")
    parser.add_argument("--installed", help=f"or these: of {', '.join(INSTALLED)}, or all")
    parser.add_argument("--jobs", type=int, default=3, help="systems at a time (default 3)")
    arguments = parser.parse_args()
    # Node and npm come with the environment.
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    if arguments.hosts:
        names = list(HOSTS) if arguments.hosts == "all" else arguments.hosts.split(",")
        status = hosts.main(names)
        update_docs()
        return status
    if arguments.installed:
        keys = list(INSTALLED) if arguments.installed == "all" else arguments.installed.split(",")
        status = begin.main(keys)
        update_docs()
        return status
    pairs = [
        (system, COMMANDS[name])
        for system in map(catalogue.find, arguments.systems.split(","))
        for name in arguments.commands.split(",")
        if name in (system.commands or (OURS.name, "mcp-remote"))
    ]
    try:
        install(pairs)
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    rows = table.read_rows()
    played: dict[tuple[str, str], table.Row] = {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        begun = {pool.submit(play_one, *pair): pair for pair in pairs}
        for future in as_completed(begun):
            system, command = begun[future]
            outcomes = future.result()
            show(system, command, outcomes)
            row = table.Row(system.versions(), command.version(), today, outcomes)
            played[system.key, command.name] = row
    table.write_rows(rows | played)
    update_docs()
    failed = table.failures(played, OURS.name)
    print("\n".join(["", f"{len(played)} rows, {len(failed)} steps of ours failed", *failed]))
    return int(bool(failed))


def update_docs() -> None:
    """Writes the tables anew."""
    words = [sys.executable, str(ROOT / "scripts" / "update_docs.py")]
    subprocess.run(words, check=True)


def install(pairs: Sequence[tuple[System, Command]]) -> None:
    """What these need and is not there, one after another: npm is one for all."""
    for system, command in pairs:
        command.install()
        if system.install is not None:
            system.install()


if __name__ == "__main__":
    sys.exit(main())
