"""No option is accepted and ignored: every row of the table, played by the real command."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcp_remote_py import cli
from mcp_remote_py.cli import ALL_OPTIONS
from mcp_remote_py.settings import ProxySettings
from tests.options.desk import Desk, Seen
from tests.options.rows import ROWS, Elsewhere, Inert, Row
from tests.options.scenes import Scene as Meeting
from tests.test_relay import Scene
from tests.test_relay import scene as play_relay

pytestmark = [pytest.mark.promise("P2", "P3"), pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
PLAYED = [(row, command) for row in ROWS if isinstance(row, Row) for command in row.commands]


class Trials:
    """Each is made once, however many rows look at it; the servers stay until the last one has."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._seen: dict[tuple[Meeting, str, tuple[str, ...]], Seen] = {}
        self._numbers = itertools.count()

    def make(self, scene: Meeting, command: str, words: tuple[str, ...], patience: float) -> Seen:
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


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with ExitStack() as stack:
        yield Trials(tmp_path_factory.mktemp("trials"), stack)


@pytest.mark.parametrize(
    ("row", "command"),
    PLAYED,
    ids=[f"{command}{row.option}-{row.scene.__name__}" for row, command in PLAYED],
)
def test_option_has_an_effect(trials: Trials, row: Row, command: str) -> None:
    assert row.option in row.words
    with ThreadPoolExecutor(2) as pool:
        words = (*row.beside, *row.words)
        making = pool.submit(trials.make, row.scene, command, words, 3 if row.ends else 1)
        without = trials.make(row.scene, command, row.beside, 1)
        seen = making.result()
    assert row.see(seen), f"not with it: {seen.status} {seen.text}"
    assert not row.see(without), f"also without it: {without.status} {without.text}"


def test_table_has_a_row_for_every_option_of_every_command() -> None:
    known = {(row.option, command) for row in ROWS for command in row.commands}
    taken = {(option.name, command) for option in ALL_OPTIONS for command in option.commands}
    assert taken - known == set(), "accepted, and nobody has seen that they do anything"
    assert known - taken == set(), "of no command"


def test_keep_alive_sends_pings_by_itself() -> None:
    """On a written clock: it is every 30 seconds."""

    def interval_of(*words: str) -> float | None:
        asked: list[ProxySettings] = []

        def run(settings: ProxySettings, environment: Mapping[str, str]) -> int:
            asked.append(settings)
            return 0

        cli.main(["https://example.com/mcp", *words], {}, None, None, lambda _: run)
        return asked[0].ping_interval

    async def wait(stage: Scene) -> None:
        await stage.clock.advance(100)
        pings.append(len(stage.server.received("ping")))

    pings: list[int] = []
    for words in ((), ("--keep-alive",)):
        play_relay(wait, ping_interval=interval_of(*words))
    assert pings == [0, 3]


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Elsewhere)])
def test_what_is_shown_elsewhere_is_shown_there(row: Elsewhere) -> None:
    file, _, name = row.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    _, found, rest = text.partition(f"def {name}(")
    body = rest.partition("\n\n\n")[0]
    assert found, name
    assert row.option in body or row.option[2:].replace("-", "_") in body


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Inert)])
def test_what_does_nothing_says_so(row: Inert) -> None:
    (option,) = (one for one in ALL_OPTIONS if one.name == row.option)
    assert row.said in option.help
