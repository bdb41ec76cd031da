"""The relay's tasks, so that the end knows which to wait for. Must not know what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

WORK, BACKGROUND = "work", "background"
"""The end waits a little for tasks of the first kind, never for those of the second."""

FEW = 20
"""Tasks that are done and may be kept."""


class Tasks:
    """Those under way.

    Attributes:
        over: no new session is worth a task any more.
    """

    def __init__(self) -> None:
        self.over = False
        self._all: list[asyncio.Task[Any]] = []
        self._most = FEW

    def spawn(self, work: Coroutine[Any, Any, T], kind: str = BACKGROUND) -> asyncio.Task[T]:
        """Begins one."""
        task = asyncio.create_task(work, name=kind)
        if len(self._all) >= self._most:
            self._forget_done()
        self._all.append(task)
        return task

    def _forget_done(self) -> None:
        """Now and then: to hear of each that it is done takes the loop as long as to begin one."""
        self._all = [task for task in self._all if not task.done()]
        self._most = 2 * len(self._all) + FEW

    def working(self) -> set[asyncio.Task[Any]]:
        """Those the end waits for."""
        return {task for task in self._all if task.get_name() != BACKGROUND and not task.done()}

    def cancel(self) -> None:
        """Ends all of them."""
        for task in self._all:
            task.cancel()
