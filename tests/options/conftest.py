"""What every trial of an option needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.options.trials import Trials


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """Those of one file, each made once."""
    with ExitStack() as stack:
        yield Trials(tmp_path_factory.mktemp("trials"), stack)
