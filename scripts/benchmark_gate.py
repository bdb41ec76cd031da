"""Judges what the relay costs by what the least possible one costs in the same run: CPU and memory.

Time on a clock differs from machine to machine and with what else it does; CPU time of two programs
that take turns, one divided by the other, does not. Exit status 1 where a ratio is above its bound
in the median of the rounds, 2 where nothing could be measured. Linux. Must not import
mcp_remote_py.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from benchmark import AT_ONCE, Failed, Relay, Side, serving
from benchmark_peers import BINARIES, ROOT
from benchmark_record import keep_ratios

CALLS = 1000
"""Calls whose CPU time is measured: enough for a ratio within a few percent."""
WARM_CALLS = 200


class Goal(NamedTuple):
    """What is measured, and how many times the floor it may be at most."""

    what: str
    most: float


GOALS = (
    Goal("CPU of a start", 2.1),
    Goal("memory at rest", 1.38),
    Goal("CPU of a call, JSON", 2.1),
    Goal("CPU of a call, event stream", 2.6),
    Goal(f"CPU of a call, {AT_ONCE} in flight", 4.0),
    Goal("HTTP requests of a start", 1.34),
)
"""A start is over when the tools are listed; calls are one after the other, or so many at once.

The bounds stand above all that was measured when they were set (2026-11-30), in twelve runs of a
machine whose speed changes: 1.3 to 1.8, 1.28, 1.1 to 1.9, 1.4 to 2.2, 2.0 to 3.4, and the one
request for the listening stream.
"""


def measure(side: Side) -> Iterator[float]:
    """CPU of a start, memory behind it, and what was asked of the server."""
    side.take_counts()
    with side.start("/json") as relay:
        relay.open()
        requests = side.take_counts()["requests"]
        yield relay.used()[0]
        yield relay.megabytes("VmRSS")
        for path in ("/json", "/sse"):
            with side.start(path) as other:
                other.open()
                yield _cpu_of(other, 1)
        yield _cpu_of(relay, AT_ONCE)
        yield requests


def _cpu_of(relay: Relay, at_once: int) -> float:
    """CPU of one call, in ms."""
    relay.flood(WARM_CALLS, at_once)
    before = relay.used()[0]
    relay.flood(CALLS, at_once)
    return (relay.used()[0] - before) / CALLS


Seen = list[list[list[float]]]
"""By goal, by side, by round."""


def take_turns(sides: Sequence[Side], rounds: int, seen: Seen) -> None:
    """Adds so many rounds."""
    for turn in range(rounds):
        for number, side in sorted(enumerate(sides), reverse=bool(turn % 2)):
            for goal, figure in enumerate(measure(side)):
                seen[goal][number].append(figure)


class Judged(NamedTuple):
    """A goal, and the medians: ours, the floor's, and that of the ratios of each round."""

    goal: Goal
    ours: float
    floor: float
    ratio: float

    @property
    def is_missed(self) -> bool:
        """Whether it is above its bound."""
        return self.ratio > self.goal.most


def judge(seen: Seen) -> list[Judged]:
    """Each goal."""
    return [
        Judged(
            goal,
            median(ours),
            median(floor),
            median(one / other for one, other in zip(ours, floor, strict=True)),
        )
        for goal, (ours, floor) in zip(GOALS, seen, strict=True)
    ]


def main() -> int:
    """The exit status; see above."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark --gate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--keep", metavar="STATE", help="add the ratios to the history, so named")
    options = parser.parse_args()
    floor = [sys.executable, "-I", str(ROOT / "scripts" / "benchmark_floor.py")]
    try:
        with serving() as start_side:
            ours = start_side("ours", [str(BINARIES / "mcp-remote-py")], ["--allow-http"])
            sides = [ours, start_side("floor", floor, [])]
            seen: Seen = [[[] for _ in sides] for _ in GOALS]
            for side in sides:
                list(measure(side))  # nobody's first start counts
            take_turns(sides, options.rounds, seen)
            if any(one.is_missed for one in judge(seen)):  # a machine that is busy is given time
                take_turns(sides, 2 * options.rounds, seen)
    except (Failed, OSError) as failure:
        print(f"Nothing could be measured: {failure}", file=sys.stderr)
        return 2
    judged = judge(seen)
    for one in judged:
        print(
            f"{one.goal.what:32}{one.ours:9.3f}{one.floor:9.3f}{one.ratio:7.2f} x, "
            f"at most {one.goal.most:.2f}  {'MISSED' if one.is_missed else 'ok'}"
        )
    if options.keep:
        keep_ratios(options.keep, {one.goal.what: one.ratio for one in judged})
    return 1 if any(one.is_missed for one in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
