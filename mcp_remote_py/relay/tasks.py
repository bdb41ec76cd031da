"""The relay's tasks, so that the end knows which to wait for. Must not know what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

WORK, BACKGROUND = "work", "background"
"""The end waits a little for tasks of the first kind, never for those of the second."""


class Tasks:
    """Those under way.

    Attributes:
        over: no new session is worth a task any more.
    """

    def __init__(self) -> None:
        self.over = False
        self._all: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], kind: str = BACKGROUND) -> asyncio.Task[T]:
        """Begins one."""
        task = asyncio.create_task(work, name=kind)
        self._all.add(task)
        task.add_done_callback(self._all.discard)
        return task

    def working(self) -> set[asyncio.Task[Any]]:
        """Those the end waits for."""
        return {task for task in self._all if task.get_name() != BACKGROUND}

    def cancel(self) -> None:
        """Ends all of them."""
        for task in list(self._all):
            task.cancel()
