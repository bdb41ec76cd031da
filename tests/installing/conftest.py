"""What every test of an entry needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installing.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A person without any host."""
    home = tmp_path / "home"
    home.mkdir()
    return Desk(home)
