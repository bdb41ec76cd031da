"""Plays the networks, all or those named, and says what came: `python -m tests.interop.networks`.

    [KEY...] [--peer PROXY.JS] [--keep]

With `--peer` npm's mcp-remote goes through the same; with `--keep` what came is written down for
`docs/networks.md`. Installs what is missing. Exit status 1 where something is not right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.interop.networks.island import go_to_island
from tests.interop.networks.products import install
from tests.interop.networks.table import ALL, OURS, PEER, Cell, keep, make_cell
from tests.interop.networks.world import McpRemote, Ours
from tests.real.installation import NotInstalled


def say(text: str) -> None:
    """One line for whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.networks")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="how the keys of rows begin")
    parser.add_argument("--peer", type=Path, help="dist/proxy.js of npm's mcp-remote")
    parser.add_argument("--keep", action="store_true", help="write down what came")
    arguments = parser.parse_args()
    try:
        install()
    except NotInstalled as error:
        say(str(error))
        return 1
    go_to_island()
    client = McpRemote(arguments.peer) if arguments.peer else Ours()
    cells: dict[str, Cell] = {}
    for row in ALL:
        if arguments.keys and not row.key.startswith(tuple(arguments.keys)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            seen, faults = row.measure(Path(folder), client)
        cells[row.key] = make_cell(seen, faults)
        state = "no " if faults else "yes"
        words = " | ".join(seen.errors) or ", ".join(seen.answers[:2])
        say(f"{state} {row.key:24} {seen.slowest:5.2f} s  {' '.join(words.split())[:400]}")
        for one in [*faults, *seen.notes]:
            say(f"{'':38}- {' '.join(one.split())[:400]}")
    if arguments.keep:
        keep(PEER if arguments.peer else OURS, cells)
    wrong = sum(not cell.is_right for cell in cells.values())
    say(f"{len(cells) - wrong} passed, {wrong} failed")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
