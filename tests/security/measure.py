"""What a process under attack has taken so far: memory, time of a CPU, turns of its event loop.

Memory and time are Linux's, from /proc.

Must not know which command it is, or who attacks.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.harness.host import cpu_seconds

MIB = 1024 * 1024


def peak_memory(pid: int) -> int:
    """The most memory the process has held at once so far, in bytes (VmHWM of proc(5))."""
    for line in (
        Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    ):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} does not have memory any more")


def forget_peak(pid: int) -> None:
    """Lets the peak begin anew from what is held now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


class Turns:
    """How long the event loop of a command works in one turn, from the making of this on.

    The command must be started with `environment`. Seconds of the CPU, not of the clock: a busy
    machine is not a busy loop.
    """

    def __init__(self, folder: Path) -> None:
        self._notes = folder / "long-turns"
        self._since = 0.0
        instrument = Path(__file__).parent.parent / "harness" / "longest_turn"
        self.environment = {"PYTHONPATH": str(instrument), "LONG_TURNS": str(self._notes)}

    def begin(self) -> None:
        """What was before, such as a start, does not count."""
        self._since = time.time()

    def longest(self) -> tuple[float, str]:
        """Its seconds, and what it was: of the longest of 10 ms and more; else 0."""
        if not self._notes.exists():
            return 0.0, ""
        lines = [line.split(" ", 2) for line in self._notes.read_text("utf-8").splitlines()]
        turns = [(float(took), what) for at, took, what in lines if float(at) > self._since]
        return max(turns, default=(0.0, ""))


class Meter:
    """What one process takes from the making of this on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu = cpu_seconds(pid)
        self._idle = peak_memory(pid)

    @property
    def cpu(self) -> float:
        """Seconds of a CPU since then, in steps of 10 ms."""
        return cpu_seconds(self._pid) - self._cpu

    @property
    def memory(self) -> int:
        """Bytes of peak memory beyond the peak of then."""
        return peak_memory(self._pid) - self._idle

    def figures(self) -> str:
        """For a person who compares: `0.12 s CPU, 34 MB more`."""
        return f"{self.cpu:.2f} s CPU, {self.memory / MIB:.0f} MB more"
