"""What a process under attack has taken so far (Linux, from /proc): memory and time of a CPU.

Must not know which command it is, or who attacks.
"""

from __future__ import annotations

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
    raise ProcessLookupError(f"process {pid} has no memory any more")


def forget_peak(pid: int) -> None:
    """Lets the peak begin anew from what is held now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


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
