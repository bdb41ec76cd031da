"""What differs from system to system in starting a process, and in ending all that it has started.

Must not know what the process does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

KillGroup = Callable[[int, int], None]
"""Sends a signal to a group, by the number of its first process (`os.killpg`)."""

SYSTEM_KILL_GROUP: KillGroup | None = getattr(os, "killpg", None)
"""None on Windows, which has no such groups."""

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def creation_flag(name: str, system: Any) -> int:
    """A flag for `subprocess.Popen`, which only Windows has; 0 where there is none.

    `system` is the module `subprocess`.
    """
    return getattr(system, name, 0)


def kill_group(
    leader: int,
    kill_alone: Callable[[], None],
    killpg: KillGroup | None = SYSTEM_KILL_GROUP,
) -> None:
    """Kills the group; without groups, `kill_alone` ends the process itself.

    Raises:
        OSError: it has ended, or is not ours.
    """
    if killpg is None:
        kill_alone()
    else:
        killpg(leader, KILL)
