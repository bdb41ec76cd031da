"""Plays the story of hosts that `install` wrote into: `scripts/test --interop --installed KEYS`.

On an island (`tests.harness.island`): a host reaches nothing but this machine. Prints what was
seen, and keeps it in `seen.json`. Exit status 1 where a step failed. Must not know any step.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.interop.host_story import FAILED
from tests.interop.installed.desk import desk_of
from tests.interop.installed.rows import HERE, INSTALLED, MODULES, InstalledHost
from tests.interop.installed.story import play
from tests.interop.installed.treatment import treatment
from tests.interop.record import write_record
from tests.interop.versions import of_npm

SEEN = HERE / "seen.json"


def main(keys: list[str]) -> int:
    """Exit status."""
    # What is started inherits it where it is ignored, as it is behind a shell's `&`.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 0
    for key in keys:
        found = play_one(INSTALLED[key])
        status |= show(key, found)
        seen = {**read_seen(), key: found}
        write_record(SEEN, {one: seen[one] for one in INSTALLED if one in seen})
    return status


def play_one(row: InstalledHost) -> dict[str, Any]:
    """All that is seen of one host."""
    with tempfile.TemporaryDirectory(prefix="h") as scratch, desk_of(row, Path(scratch)) as desk:
        steps = [asdict(one) for one in play(desk)]
        return {
            "version": f"{row.known.title} {of_npm(row.package, MODULES).rpartition(' ')[2]}",
            "steps": steps,
            "notes": desk.notes,
            "treatment": treatment(desk),
        }


def read_seen() -> dict[str, Any]:
    """What the last runs have seen, by host."""
    return json.loads(SEEN.read_text("utf-8")) if SEEN.exists() else {}


def show(key: str, found: Mapping[str, Any]) -> int:
    """Prints what was seen of a host; 1 where a step failed."""
    lines = [f"{key} · {found['version']}"]
    lines += [
        f"{one['result']:6} {one['seconds']:6.1f} s  {one['step']}: {one['words']}"
        for one in found["steps"]
    ]
    lines += [f"{what}: {words}" for what, words in (found["notes"] | found["treatment"]).items()]
    sys.stdout.write("\n    ".join(lines) + "\n")
    sys.stdout.flush()
    return int(any(one["result"] == FAILED for one in found["steps"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
