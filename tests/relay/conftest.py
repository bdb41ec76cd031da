"""What every relay test needs: scriptable servers, and the real command started against a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.host import Handler, Host, environment_for
from tests.harness.warm import COMMAND
from tests.peers.wild_server import WildServer

Relay = Callable[..., Host]
Wild = Callable[..., WildServer]


@pytest.fixture
def wild() -> Iterator[Wild]:
    """Starts a `WildServer`; all are killed with the test, after the command has ended."""
    with ExitStack() as stack:

        def start(**options: Any) -> WildServer:
            return stack.enter_context(WildServer(**options))

        yield start


@pytest.fixture
def fresh() -> bool:
    """Whether each command loads its modules itself; a file whose tests are about that says so."""
    return False


@pytest.fixture
def relay(tmp_path: Path, wild: Wild, fresh: bool) -> Iterator[Relay]:
    """Starts `mcp-remote-py URL [option ...]`; all are ended, and checked, with the test."""
    with ExitStack() as stack:

        def start(
            url: str,
            *options: str,
            handlers: Mapping[str, Handler] | None = None,
            environment: Mapping[str, str] | None = None,
        ) -> Host:
            host = Host(
                [str(COMMAND), url, *options],
                environment_for(tmp_path, environment),
                handlers=handlers,
                fresh=fresh,
            )
            return stack.enter_context(host)

        yield start
