"""Notes what an event loop has in it, every few seconds of its turns; loaded by way of PYTHONPATH.

One line each time in a file of the process's own, in the folder that `INSIDE` names: the time, its
tasks, its threads and all objects that Python's collector knows. Must not know the command.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from asyncio import events
from pathlib import Path

SECONDS = 5.0

_run = events.Handle._run  # pyright: ignore
_next = 0.0


def _run_noted(handle: events.Handle) -> None:
    global _next
    _run(handle)
    now = time.monotonic()
    if now >= _next:
        _next = now + SECONDS
        tasks, threads = len(asyncio.all_tasks()), threading.active_count()
        with Path(os.environ["INSIDE"], str(os.getpid())).open("a", encoding="utf-8") as file:
            file.write(f"{now:.3f} {tasks} {threads} {len(gc.get_objects())}\n")


events.Handle._run = _run_noted  # pyright: ignore
