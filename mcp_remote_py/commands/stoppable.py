"""Runs what a person may stop by Ctrl+C: between two turns of the loop, and over in bounded time.

What a signal tears out of the middle of a line leaves things half done: a process that was being
started is known to nobody, and stays. Must not know what runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

CTRL_C_PATIENCE = 1.0
"""Seconds that what runs has to end by itself after Ctrl+C."""


def run_stoppable(work: Coroutine[None, None, T]) -> T:
    """What it returns. Not asyncio.run: its end waits for name look-ups that may take minutes.

    Raises:
        KeyboardInterrupt: the person has stopped it.
    """
    loop = asyncio.new_event_loop()
    task, stopped = loop.create_task(work), loop.create_future()
    # Else it is ignored, as behind nohup.
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def raise_again() -> None:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(*_: object) -> None:
        raise_again()  # a second one does not wait for the loop
        loop.call_soon_threadsafe(stopped.set_result, None)

    if is_heard:
        signal.signal(signal.SIGINT, stop)
    try:
        loop.run_until_complete(asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED))
        if not task.done():
            raise KeyboardInterrupt
        return task.result()
    except KeyboardInterrupt:
        loop.set_exception_handler(lambda _, __: None)  # what it tore is not worth a word
        raise
    finally:
        raise_again()
        # A second Ctrl+C does not wait for it: what is open ends with the process.
        with contextlib.suppress(KeyboardInterrupt):
            loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    """Ends what still runs, as far as it ends in time: sessions, processes, listeners."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CTRL_C_PATIENCE):
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_asyncgens()
