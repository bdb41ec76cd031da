"""The interaction suite of the Python SDK, with the command between its clients and servers.

Twice: each pair in the era that its test names, and with the command speaking the other era to the
server. What cannot be played through a command is named here, with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import pytest

from tests.harness.host import environment_for
from tests.harness.warm import COMMAND, NURSERY, forked_module, nursery
from tests.suites import command, through_the_command
from tests.suites.installation import HERE, install_python_sdk, version_of_source
from tests.thorough import THOROUGH, often

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(often(200, 2000))

SECONDS = often(150, 1900)
"""Longest time of one run: 2 are usual for its start, 0.2 for each test."""

EVERY = often(23, 1)
"""Of so many tests one is played in the gate."""

FOLDER = "tests/interaction/"

LEFT = {
    "auth/": "signs in itself; ours are tests/signin and tests/conformance",
    "lowlevel/test_cancellation.py": "a server or a client written by hand, in memory",
    "lowlevel/test_client_connect.py": "asks what a client sends first; a pair in memory",
    "lowlevel/test_elicitation.py": "a server written by hand, in memory",
    "lowlevel/test_initialize.py": "a server or a client written by hand, in memory",
    "lowlevel/test_timeouts.py": "a clock that is not the machine's; a pair in memory",
    "lowlevel/test_wire.py": "reads the streams of a pair in memory",
    "test_coverage.py": "about the suite itself",
    "transports/test_bridge.py": "about the suite itself",
    "transports/test_client_transport_http.py": "asks what their own HTTP client sends",
    "transports/test_flows.py": "two clients on one HTTP client of theirs",
    "transports/test_hosting_": "asks what their HTTP server answers to HTTP written by hand",
    "transports/test_legacy_wire.py": "asks what their own HTTP client sends",
    "transports/test_sse.py": "asks what their own HTTP server and client send",
    "transports/test_stdio.py": "asks what their own stdio server and client do with a process",
    "transports/test_streamable_http.py": "asks how their HTTP server ends a cancelled request",
}
"""Why a test is not played: by how its name begins, below the folder of the suite."""

OTHERWISE = {
    test
    for tests in tomllib.loads((HERE / "otherwise.toml").read_text()).values()
    for test in tests
}
"""What comes out otherwise where the command speaks the other era to the server."""


class Outcome(NamedTuple):
    """What came out of a run: see `through_the_command.ORDER`; and the last words of pytest."""

    played: dict[str, str]
    left: list[str]
    starts: list[list[str]]
    words: str


Play = Callable[[bool], Outcome]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    sdk = install_python_sdk()

    @cache
    def run(other_era: bool) -> Outcome:
        folder = tmp_path_factory.mktemp("suite")
        report = folder / "report.json"
        words = [str(COMMAND)]
        environment = environment_for(folder)
        if not THOROUGH:
            words = forked_module(folder, command.__name__).split()
            environment |= {NURSERY: nursery().name}
        for name in ("HOME", "MCP_REMOTE_CONFIG_DIR"):
            environment[name] = through_the_command.FOLDER
        order = {
            "command": words,
            "environment": environment,
            "other_era": other_era,
            "every": EVERY,
            "leave": [] if THOROUGH or not other_era else [whole(test) for test in OTHERWISE],
            "report": str(report),
        }
        plugin = through_the_command.__name__.rpartition(".")[2]
        path = os.pathsep.join(map(str, (sdk.source, HERE, sdk.packages)))
        options = ["-c", str(HERE / "suite.ini"), "--rootdir", ".", "--confcutdir", FOLDER]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--quiet", *options, "-p", plugin, FOLDER],
            cwd=sdk.source,
            env=environment_for(folder)
            | {"PYTHONPATH": path, through_the_command.ORDER: json.dumps(order)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert report.is_file(), done.stdout
        return Outcome(**json.loads(report.read_text("utf-8")), words=done.stdout[-5000:])

    return run


def plain(test: str) -> str:
    """Its name below the suite's folder, without the event loop."""
    return test.removeprefix(FOLDER).replace("[asyncio-", "[")


def whole(test: str) -> str:
    """The other way round."""
    return FOLDER + test.replace("[", "[asyncio-", 1)


@pytest.mark.promise("R1", "R3", "E1", "E2", "E3")
@pytest.mark.parametrize("other_era", [False, True], ids=["same era", "other era"])
def test_every_pair_of_the_suite_meets_through_the_command(other_era: bool, play: Play) -> None:
    outcome = play(other_era)
    assert len(outcome.played) >= (200 if THOROUGH else 5), outcome.words
    failed = {plain(test): error for test, error in outcome.played.items() if error}
    expected = {plain(test) for test in outcome.played if other_era and plain(test) in OTHERWISE}
    unexpected = {test: failed.get(test, "passes") for test in failed.keys() ^ expected}
    assert unexpected == {}
    # Nothing was played without us: each test starts the command once or more.
    assert len(outcome.starts) >= len(outcome.played)
    assert all(("--protocol" in words) is other_era for words in outcome.starts)


def test_what_is_not_played_is_named(play: Play) -> None:
    names = {plain(test) for test in play(False).left}
    assert [name for name in names if not name.startswith(tuple(LEFT))] == []
    assert [start for start in LEFT if not any(name.startswith(start) for name in names)] == []


def test_the_suite_is_that_of_the_sdk_that_is_installed() -> None:
    assert version_of_source() == version("mcp")
