"""Notes what an event loop has in it, every few seconds of its turns; loaded by way of PYTHONPATH.

One line each time in a file of the process's own, in the folder that `INSIDE` names: the time, its
tasks, all objects that Python's collector knows, and the blocks of memory that Python has given
to objects of any kind. Must not know the command, nor make a `Path`: Python keeps the parts of each
in a table of its own, which would grow by what is only here to look at it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from asyncio import events

SECONDS = 5.0

_run = events.Handle._run  # pyright: ignore
_next = 0.0


def _run_noted(handle: events.Handle) -> None:
    global _next
    _run(handle)
    now = time.monotonic()
    if now >= _next:
        _next = now + SECONDS
        figures = len(asyncio.all_tasks()), len(gc.get_objects()), sys.getallocatedblocks()
        name = os.path.join(os.environ["INSIDE"], str(os.getpid()))
        with open(name, "a", encoding="utf-8") as file:
            file.write(f"{now:.3f} {' '.join(map(str, figures))}\n")


events.Handle._run = _run_noted  # pyright: ignore
