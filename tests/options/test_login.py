"""No option of `login` is accepted and ignored: each row, played by the real command."""

from __future__ import annotations

import pytest

from mcp_remote_py.cli.program import LOGIN
from tests.options.rows import Row
from tests.options.trials import Trials, name_of, rows_of


@pytest.mark.promise("P2")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("row", "command"), rows_of(LOGIN), ids=name_of)
def test_option_has_an_effect(trials: Trials, row: Row, command: str) -> None:
    trials.check(row, command)
