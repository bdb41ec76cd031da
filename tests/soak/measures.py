"""What a process has, from outside (Linux, from /proc), and what a row of such figures says.

`fit` is pure. Must not know which command the process runs.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.harness.host import descendants, is_running

MIB = 1024.0 * 1024.0


@dataclass(frozen=True)
class Vitals:
    """One look at one process. Memory is in MiB.

    Attributes:
        rss: resident, what it shares with others included.
        pss: the same, where what is shared by n processes counts 1/n.
        private: what nobody shares: the memory that would come back with its end.
        switches: how often it has gone to sleep by itself so far (voluntary context switches).
    """

    rss: float
    pss: float
    private: float
    descriptors: int
    sockets: int
    threads: int
    children: int
    switches: int


def look_at(pid: int) -> Vitals | None:
    """How it is now; None where it is gone."""
    try:
        memory = _members(Path(f"/proc/{pid}/smaps_rollup").read_text())
        status = _members(Path(f"/proc/{pid}/status").read_text())
        names = os.listdir(f"/proc/{pid}/fd")
    except (FileNotFoundError, ProcessLookupError):
        return None
    targets: list[str] = []
    for name in names:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            targets.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return Vitals(
        rss=memory["Rss"] / 1024,
        pss=memory["Pss"] / 1024,
        private=(memory["Private_Clean"] + memory["Private_Dirty"]) / 1024,
        descriptors=len(targets),
        sockets=sum(target.startswith("socket:") for target in targets),
        threads=status["Threads"],
        children=sum(map(is_running, descendants(pid))),
        switches=status["voluntary_ctxt_switches"],
    )


def average(looks: Sequence[Vitals]) -> Vitals:
    """Of all their members, counts rounded."""
    size = len(looks)
    return Vitals(
        *(
            type(value)(sum(getattr(look, name) for look in looks) / size + _half(value))
            for name, value in vars(looks[0]).items()
        )
    )


def _half(value: float) -> float:
    return 0.5 if isinstance(value, int) else 0.0


def maximum(looks: Sequence[Vitals]) -> Vitals:
    """Of each of their members."""
    return Vitals(*(max(getattr(look, name) for look in looks) for name in vars(looks[0])))


def _members(text: str) -> dict[str, int]:
    """The numbers of a file of lines like `Name:  12 kB`."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def cpu_of(pid: int) -> float:
    """Seconds of a CPU that the process has taken so far, with its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def count_files(folder: Path) -> int:
    """Files in a folder and below."""
    return sum(len(names) for _, _, names in os.walk(folder))


class Inside(NamedTuple):
    """What a relay has noted of itself: seconds, and numbers of what it has."""

    at: float
    tasks: int
    objects: int
    blocks: int


def read_inside(file: Path) -> list[Inside]:
    """All notes of one."""
    rows = [line.split() for line in file.read_text().splitlines()]
    return [Inside(float(at), *map(int, counts)) for at, *counts in rows]


class Slope(NamedTuple):
    """Of a straight line: by how much y grows for one x, and the standard error of that."""

    value: float
    error: float

    def per(self, factor: float) -> Slope:
        """The same in another unit."""
        return Slope(self.value * factor, self.error * factor)


LEAST_POINTS = 3
"""A line has an error from these on."""


def fit(points: Sequence[tuple[float, float]]) -> Slope:
    """The line through points (x, y) by least squares.

    Raises:
        ValueError: fewer than three points, or all at one x, have no line with an error.
    """
    count = len(points)
    if count < LEAST_POINTS:
        raise ValueError(f"{count} points")
    middle_x = math.fsum(x for x, _ in points) / count
    middle_y = math.fsum(y for _, y in points) / count
    spread = math.fsum((x - middle_x) ** 2 for x, _ in points)
    if not spread:
        raise ValueError("all points at one x")
    slope = math.fsum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    rest = math.fsum((y - middle_y - slope * (x - middle_x)) ** 2 for x, y in points)
    return Slope(slope, math.sqrt(rest / (count - 2) / spread))


def mean_of(slopes: Sequence[Slope]) -> Slope:
    """The mean over processes; its error comes from how much they differ, where there are three.

    The looks at one process are not independent of each other, so that the errors of their lines
    are too small; processes are.
    """
    count = len(slopes)
    mean = math.fsum(slope.value for slope in slopes) / count
    if count < 3:
        return Slope(mean, math.sqrt(math.fsum(slope.error**2 for slope in slopes)) / count)
    spread = math.fsum((slope.value - mean) ** 2 for slope in slopes) / (count - 1)
    return Slope(mean, math.sqrt(spread / count))
