"""`python -m tests.soak [MINUTES] [--relays N] [--seed N]`: a soak, an hour by default."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import run


def main() -> int:
    """Prints the figures; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=60.0)
    parser.add_argument("--relays", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = given.keep or Path(folder)
        report = run(place, given.minutes * 60, relays=given.relays, seed=given.seed)
    print("\n".join(report.lines()))
    problems = report.problems()
    print("\n".join(problems) or "Nothing was lost, and nothing has grown.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
