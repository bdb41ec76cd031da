"""Plays the networks, all or those named, and prints what came: `python -m tests.interop.networks`.

    [KEY...] [--peer PROXY.JS] [--json FILE]

With `--peer` npm's mcp-remote goes through the same. Exit status 1 where ours is not right.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.interop.networks.island import go_to_island
from tests.interop.networks.rows import ALL
from tests.interop.networks.world import McpRemote, Ours


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("keys", nargs="*")
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    go_to_island()
    client = McpRemote(arguments.peer) if arguments.peer else Ours()
    came: dict[str, Any] = {}
    chosen = [row for row in ALL if not arguments.keys or row.key.startswith(tuple(arguments.keys))]
    for row in chosen:
        with tempfile.TemporaryDirectory() as folder:
            try:
                seen, faults = row.measure(Path(folder), client)
            except Exception as error:
                came[row.key] = {"seen": {}, "faults": [f"broken row: {error!r}"[:2000]]}
                print(f"{row.key:24} BROKEN {error!r}"[:2000], flush=True)
                continue
        came[row.key] = {"seen": asdict(seen), "faults": faults}
        words = " | ".join(seen.errors or seen.answers[:1])
        state = "RED" if faults else "ok"
        print(f"{row.key:24} {state:3} {seen.slowest:5.2f} s {words[:600]}", flush=True)
        for one in [*faults, *seen.notes]:
            print(f"{'':28}- {one[:500]}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(came, indent=1))
    return int(any(one["faults"] for one in came.values()))


if __name__ == "__main__":
    sys.exit(main())
