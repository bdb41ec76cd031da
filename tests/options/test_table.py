"""The table of effects is complete, and its rows without a trial are true."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.options import ALL_OPTIONS
from mcp_remote_py.settings.commands import ProxySettings
from tests.options.rows import ROWS, Elsewhere, Inert
from tests.test_relay import Scene
from tests.test_relay import scene as play_relay

pytestmark = [pytest.mark.promise("P2"), pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]


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

        main(["https://example.com/mcp", *words], {}, None, None, lambda _: run)
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
