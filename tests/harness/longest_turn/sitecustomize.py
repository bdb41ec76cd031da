"""Notes for how long the event loop of a command works in one turn; loaded by way of PYTHONPATH.

Counted in seconds of the CPU, so that a busy machine is not taken for a busy loop. Each turn of
`NOTED` seconds and more is a line in the file that `LONG_TURNS` names: when it was over, how long
it took, and what it was. Must not know the command.
"""

from __future__ import annotations

import os
import time
from asyncio import events
from pathlib import Path

NOTED = 0.01

_run = events.Handle._run  # pyright: ignore


def _run_noted(handle: events.Handle) -> None:
    began = time.thread_time()
    _run(handle)
    took = time.thread_time() - began
    if took >= NOTED:
        with Path(os.environ["LONG_TURNS"]).open("a", encoding="utf-8") as file:
            file.write(f"{time.time():.3f} {took:.6f} {handle!r}\n")


events.Handle._run = _run_noted  # pyright: ignore
