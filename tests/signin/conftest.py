"""What every sign-in test of the whole command needs: a stage that is set in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import fake_browser
from tests.harness.stage import Stage
from tests.peers.authorization_server import AuthorizationServer, Policy


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Sets a stage: the browser's mode, its seconds of thought, and the server's policy."""
    with ExitStack() as stack:

        def play(mode: str = "normal", seconds: float = 1.0, **policy: Any) -> Stage:
            server = stack.enter_context(AuthorizationServer(Policy(**policy)))
            browser = stack.enter_context(fake_browser(tmp_path / "browser", mode, seconds))
            return Stage(server, browser, tmp_path / "home", stack)

        yield play
