"""No option of the relay is accepted and ignored: each row, played by the real command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcp_remote_py.cli.program import PROXY
from tests.harness.host import Host, Json, initialize_params
from tests.options import scenes
from tests.options.desk import Desk
from tests.options.rows import Row
from tests.options.trials import Trials, name_of, rows_of


@pytest.mark.promise("P2")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("row", "command"), rows_of(PROXY), ids=name_of)
def test_option_has_an_effect(trials: Trials, row: Row, command: str) -> None:
    trials.check(row, command)


def begin_as_claude_code(host: Host) -> Iterator[Json]:
    """What it says of itself."""
    client = {"name": "claude-code", "version": "2.1.197"}
    yield host.request("initialize", initialize_params() | {"clientInfo": client})


@pytest.mark.promise("A6")
def test_time_that_a_person_gives_claude_code_is_followed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        desk = Desk(tmp_path, stack)
        scenes.absent_person(desk)
        desk.talk = begin_as_claude_code
        desk.environment["MCP_TIMEOUT"] = "1500"
        assert desk.run(PROXY, ()).answers
