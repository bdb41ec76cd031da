"""Ends a process together with all that it has started, where the system has groups.

Must not know what the process does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

KillGroup = Callable[[int, int], None]
"""Sends a signal to a group, by the number of its first process (`os.killpg`)."""

SYSTEM_KILL_GROUP: KillGroup | None = getattr(os, "killpg", None)
"""None on Windows, which has no such groups."""

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


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
