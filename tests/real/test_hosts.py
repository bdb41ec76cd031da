"""Real hosts start the real command from a desktop's config file and use real servers.

At one of them, the Python SDK, the story is played that `scripts/test --interop --hosts all` plays
at each, but for what waits for people; two others list, call, and live on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.interop.host_story import FAILED, OK, STEPS, Desk
from tests.interop.hosts import read_results
from tests.peers.launch import Peer
from tests.real import tee
from tests.real.configuration import BEARER, entry, write
from tests.real.hosts import (
    HOSTS,
    FastMcp,
    McPorter,
    PythonSdk,
    RealHost,
    daemon_is_ready,
    mcporter_daemon,
    relays_of,
)
from tests.real.processes import Service, end_group, wait_until
from tests.real.servers import bearer_worker, everything_server, python_server
from tests.thorough import some

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

MakeHost = Callable[[Path, Path], RealHost]


TARGETS = ["python-sse", "everything", "worker-mcp", "worker-sse"]


@dataclass(frozen=True)
class Target:
    """A server as a config entry names it, and a tool of it that adds `a` and `b`."""

    url: str
    options: tuple[str, ...]
    adder: str


def find_target(request: pytest.FixtureRequest, name: str) -> Target:
    """Starts the server, where no test has done so."""

    def url(service: str, path: str) -> str:
        return request.getfixturevalue(service).url(path)

    match name:
        case "worker-sse":
            return Target(url("worker", "/sse"), BEARER, "add")
        case "worker-mcp":
            return Target(url("worker", "/mcp"), BEARER, "add")
        case "everything":
            return Target(url("everything", "/mcp"), (), "get-sum")
        case _:
            return Target(url("python_sse", "/sse"), (), "add")


@pytest.mark.promise("R3", "R4")
@pytest.mark.parametrize(("make_host", "name"), some(product([McPorter, FastMcp], TARGETS), 5))
def test_host_lists_and_calls_tools(
    make_host: MakeHost,
    name: str,
    request: pytest.FixtureRequest,
    fastmcp_command: Path,
    tmp_path: Path,
) -> None:
    target = find_target(request, name)
    config = write(tmp_path, {"server": entry(target.url, target.options)})
    host = make_host(config, tmp_path / "home")
    assert target.adder in host.list_tools("server")
    said = host.call("server", target.adder, "a=2", "b=40")
    assert said.status == 0, said
    assert "42" in said.stdout


@pytest.mark.promise("R1", "R2")
@pytest.mark.parametrize(
    ("make_host", "opening"),
    [
        pytest.param(McPorter, "initialize", id="mcporter"),
        pytest.param(FastMcp, "server/discover", id="fastmcp"),
    ],
)
def test_every_request_of_a_host_crosses_and_is_answered_once(
    make_host: MakeHost, opening: str, python_sse: Service, fastmcp_command: Path, tmp_path: Path
) -> None:
    watched = entry(python_sse.url("/sse"), [])
    watched["args"] = [tee.__file__, str(tmp_path), watched["command"], *watched["args"]]
    watched["command"] = sys.executable
    host = make_host(write(tmp_path, {"server": watched}), tmp_path / "home")
    said = host.call("server", "add", "a=2", "b=40")
    assert said.status == 0, said

    asked = messages(tmp_path / "to-command")
    answered = messages(tmp_path / "to-host")
    assert asked[0]["method"] == opening, "not what this host is known for: look at it again"
    wanted = [one["id"] for one in asked if "method" in one and "id" in one]
    given = [one["id"] for one in answered if "method" not in one]
    assert Counter(given) == Counter(wanted)
    assert all(one["jsonrpc"] == "2.0" for one in answered)


STORY = [name for name in STEPS if "person" not in name]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Peer]]:
    with ExitStack() as stack:
        found = Desk(PythonSdk, tmp_path_factory.mktemp("desk"), stack)
        yield found, found.peer()


@pytest.mark.promise("R1", "R3", "R5", "A4", "D12", "S2")
@pytest.mark.parametrize("step", STORY)
def test_the_story_at_the_python_sdk(step: str, desk: tuple[Desk, Peer]) -> None:
    STEPS[step](*desk)


def test_the_table_of_docs_hosts_knows_every_host_and_step_and_has_no_failure() -> None:
    seen = read_results()
    assert list(seen) == list(HOSTS)
    for name, host in seen.items():
        assert [one["step"] for one in host["steps"]] == list(STEPS), name
        assert [one for one in host["steps"] if one["result"] == FAILED] == [], name
    works = {one["result"] for one in seen[PythonSdk.name]["steps"]}
    assert works == {OK}, "what the gate plays"


def messages(record: Path) -> list[dict[str, Any]]:
    """Every line that crossed. One that is not JSON fails here."""
    return [json.loads(line) for line in record.read_bytes().splitlines()]


@contextmanager
def daemon(host: McPorter) -> Generator[subprocess.Popen[bytes]]:
    """The daemon of mcporter, ready, and gone at the end with all it started."""
    process = mcporter_daemon(host, host.home / "daemon-log")
    try:
        assert wait_until(lambda: daemon_is_ready(host), 30), (host.home / "daemon-log").read_text()
        yield process
    finally:
        end_group(process)


Start = Callable[[Path, int], AbstractContextManager[Service]]


@pytest.fixture
def keeper(tmp_path_factory: pytest.TempPathFactory) -> McPorter:
    """A mcporter in a home with a short name: the path of its daemon's socket is limited."""
    home = tmp_path_factory.mktemp("k")
    return McPorter(home / "claude_desktop_config.json", home)


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("start", "path", "options", "adder"),
    some(
        [
            pytest.param(everything_server, "/mcp", (), "get-sum", id="everything"),
            pytest.param(python_server, "/sse", (), "add", id="python-sse"),
            pytest.param(bearer_worker, "/mcp", BEARER, "add", id="worker-mcp"),
            pytest.param(bearer_worker, "/sse", BEARER, "add", id="worker-sse"),
        ],
        3,
    ),
)
def test_server_restarted_between_two_calls_of_one_host(
    start: Start,
    path: str,
    options: tuple[str, ...],
    adder: str,
    keeper: McPorter,
    node_packages: Path,
    tmp_path: Path,
) -> None:
    """One process of the command lives through it, and the host never learns of it."""
    with start(tmp_path, 0) as first:
        kept = entry(first.url(path), options) | {"lifecycle": "keep-alive"}
        write(keeper.config.parent, {"server": kept})
        with daemon(keeper) as process:
            before = keeper.call("server", adder, "a=2", "b=40")
            assert before.status == 0, before
            assert "42" in before.stdout
            relays = relays_of(first.url(path), process.pid)
            assert len(relays) == 1

            first.kill()
            with start(tmp_path, first.port) as second:
                assert second.port == first.port
                after = keeper.call("server", adder, "a=3", "b=40")
            assert after.status == 0, after
            assert "43" in after.stdout
            assert after.stderr == before.stderr
            assert relays_of(first.url(path), process.pid) == relays
