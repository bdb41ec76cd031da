"""What all tests share: the tools of the environment they run in are on the PATH."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.canaries import HEADERS, LOGS, RUN
from tests.system_marks import mark_of, runs_here
from tests.thorough import THOROUGH, often

# Ten thousand tests are collected, and stay: to look through them for garbage is half of the time.
gc.disable()

# How fast examples are made says how busy the machine is.
IGNORED = [HealthCheck.too_slow]
settings.register_profile("usual", max_examples=often(20, 1000), suppress_health_check=IGNORED)
settings.register_profile("few", max_examples=10, suppress_health_check=IGNORED)
settings.load_profile("usual")


def pytest_configure() -> None:
    """Node and npm of the real peers come with the environment, as does the command itself."""
    tools = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    # What is started inherits it where it is ignored, as it is behind a shell's `&` and in xdist.
    signal.signal(signal.SIGINT, signal.default_int_handler)


collect_ignore = [] if THOROUGH else ["real/test_sign_in_servers.py"]
"""Of others' servers alone: `scripts/test --interop` says as much of them, with the command."""

LONG = (
    "test_floods.py",
    "test_root_causes.py",
    "test_relay.py",
    "test_exploration.py",
    "test_suite.py",
    "test_jwt_bearer.py",
    "test_matrix.py",
    "test_every_byte.py",
    "test_story.py",
    "test_misbehaviour.py",
    "test_server_leg.py",
    "test_disk.py",
    "test_login.py",
    "test_hosts.py",
    "test_end_to_end.py",
    "test_sign_in.py",
    "test_servers_document.py",
    "test_recovery.py",
    "test_chain.py",
    "test_chain_process.py",
    "test_chromium.py",
    "test_unattended.py",
    "test_dpop.py",
    "test_parity.py",
    "test_sdk_client.py",
    "test_python_sdk.py",
    "test_every_refusal.py",
    "test_host_patience.py",
    "test_long_messages.py",
    "test_owner_of_secrets.py",
    "test_reach.py",
    "test_keyring_writes.py",
    "test_other_commands.py",
    "test_client.py",
    "test_exactly_once.py",
    "test_commands.py",
    "test_one_run.py",
    "test_lifetime.py",
    "test_keys.py",
    "test_canaries.py",
    "test_jsonrpc.py",
    "test_many_processes.py",
    "test_worker_bearer.py",
    "test_http1.py",
    "test_exactness.py",
    "test_headers.py",
    "test_runs_and_bounds.py",
    "test_streamable.py",
    "test_documents.py",
    "test_troubleshooting_document.py",
    "test_modern_server.py",
)
"""Files that take seven seconds and more, the longest first."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What this system cannot run is not even loaded."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return True if is_test and not runs_here(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first: one that is begun last is waited for by all who run beside it.

    Systems are looked for only where `-m` asks.
    """
    if config.getoption("markexpr"):
        marks = {path: mark_of(path) for path in {item.path for item in items}}
        for item in items:
            if mark := marks[item.path]:
                item.add_marker(mark)
    items.sort(key=lambda item: (*LONG, item.path.name).index(item.path.name))


def pytest_collection_finish() -> None:
    """What was collected is not looked through again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def search_for_secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end of the run, no file of it holds a secret (promise S2)."""
    yield
    folder = tmp_path_factory.getbasetemp()
    found = RUN.search(folder) + HEADERS.search(folder, LOGS)
    assert not found, f"secrets in {', '.join(found)}"
