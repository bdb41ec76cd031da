"""Plays rows of the table: the command with the option and without it. Must not know any option."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.options.desk import Desk, Seen
from tests.options.rows import ROWS, Row
from tests.options.scenes import Scene


class Trials:
    """Each is made once, however many rows look at it; the servers stay until the last one has."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._seen: dict[tuple[Scene, str, tuple[str, ...]], Seen] = {}
        self._numbers = itertools.count()

    def check(self, row: Row, command: str) -> None:
        """Asserts that the effect of the row is seen with the option, and not without it."""
        assert row.option in row.words
        words = (*row.beside, *row.words)
        with ThreadPoolExecutor(2) as pool:
            making = pool.submit(self._make, row.scene, command, words, 3)
            without = self._make(row.scene, command, row.beside, 1)
            seen = making.result()
        assert row.see(seen), f"not with it: {seen.status} {seen.text}"
        assert not row.see(without), f"also without it: {without.status} {without.text}"

    def _make(self, scene: Scene, command: str, words: tuple[str, ...], patience: float) -> Seen:
        """What is seen of the command with these words; `patience` times as long as usual."""
        key = (scene, command, words)
        if key not in self._seen:
            folder = self._folder / str(next(self._numbers))
            folder.mkdir()
            desk = Desk(folder, self._stack)
            scene(desk)
            desk.seconds *= patience
            self._seen[key] = desk.run(command, words)
        return self._seen[key]


def rows_of(*commands: str) -> list[tuple[Row, str]]:
    """The rows that are played with these commands."""
    rows = [row for row in ROWS if isinstance(row, Row)]
    return [(row, command) for command in commands for row in rows if command in row.commands]


def name_of(value: object) -> str:
    """Of a parameter of the tests."""
    return f"{value.option}-{value.scene.__name__}" if isinstance(value, Row) else str(value)
