"""What a scenario of faults needs: a stage behind a network that fails, and figures at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.judge import FIGURES
from tests.faults.stages import Behind, Scene
from tests.harness.browser import fake_browser
from tests.harness.stage import Stage
from tests.peers.authorization_server import Policy

Play = Callable[..., Scene]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Sets a scene: a protected server (`policy`), or one for everybody (`is_open`)."""
    with ExitStack() as stack:
        number = 0

        def play(*, is_open: bool = False, sse: bool = False, **policy: Any) -> Scene:
            nonlocal number
            number += 1
            folder = tmp_path / str(number)
            server = stack.enter_context(Behind(Policy(**policy), is_open=is_open, sse=sse))
            browser = stack.enter_context(fake_browser(folder / "browser", seconds=0.05))
            stage = Stage(server, browser, folder / "home", stack)
            return Scene(stage, stack.enter_context(server.network))

        yield play


@pytest.fixture(scope="session", autouse=True)
def tell_figures() -> Iterator[None]:
    """What was played is one line of JSON in the file that `$FAULT_FIGURES` names, if any."""
    began = time.monotonic()
    yield
    if file := os.environ.get("FAULT_FIGURES"):
        seconds = round(time.monotonic() - began)
        with Path(file).open("a", encoding="utf-8") as figures:
            figures.write(json.dumps(FIGURES | {"seconds": seconds}) + "\n")
