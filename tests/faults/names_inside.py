"""A name that cannot be found and then can, and an address that changes: what the host sees.

Played by the real command on a machine of its own (`tests.harness.island`), which `test_names`
starts: there /etc/hosts is a file of the test, and nobody else knows any name. Must not know how
the command is made.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.conftest import Play, play
from tests.faults.judge import Bounds, call
from tests.faults.stages import Scene, begin
from tests.harness.host import wait_until
from tests.harness.stage import assert_says
from tests.peers.fault_proxy import FaultProxy

__all__ = ["play"]

NAME = "server.example"
FIRST, SECOND = "10.20.30.40", "10.20.30.41"
pytestmark = pytest.mark.timeout(120)


def become(addresses: str) -> None:
    """From now on the name has these addresses; the file stays the same one."""
    lines = [f"{one} {NAME}\n" for one in addresses.split()]
    Path(os.environ["HOSTS_OF_TEST"]).write_text("".join(["127.0.0.1 localhost\n", *lines]))


def set_scene(play: Play, address: str) -> tuple[Scene, str, FaultProxy]:
    scene = play(is_open=True)
    front = scene.stage.stack.enter_context(
        FaultProxy(("127.0.0.1", scene.server.port), host=address)
    )
    return scene, f"http://{NAME}:{front.port}/mcp", front


def test_a_name_that_is_found_later(play: Play) -> None:
    """The laptop is awake before its network: the host has an error, then an answer."""
    become("")
    scene, url, _ = set_scene(play, FIRST)
    judge = scene.judge(Bounds())
    host = judge.host("--allow-http", url=url)
    answer = host.answer(begin(host), seconds=30)
    if "error" in answer:
        assert_says(answer["error"]["message"], "cannot be reached")
        assert NAME in answer["error"]["message"]
    become(FIRST)
    host.initialize(seconds=30)
    assert "result" in host.answer(call(host, "found"), seconds=20)
    become("")  # again in the middle: the connection is there, and what is new is not
    assert "result" in host.answer(call(host, "connected"), seconds=20)
    judge.end()


def test_an_address_that_changes(play: Play) -> None:
    """A server that moves: its name leads elsewhere, and the old address is silent."""
    become(FIRST)
    scene, url, old = set_scene(play, FIRST)
    judge = scene.judge(Bounds(requests=200))
    host = judge.host("--allow-http", "--connect-timeout", "1", "--headers-timeout", "1", url=url)
    host.initialize(seconds=20)
    assert "result" in host.answer(call(host, "before"), seconds=20)
    old.close()
    with FaultProxy(("127.0.0.1", scene.server.port), host=SECOND, port=old.port):
        become(SECOND)
        number = 0

        def moved() -> bool:
            nonlocal number
            number += 1
            return "result" in host.answer(call(host, f"moved {number}"), seconds=30)

        wait_until(moved, "a call at the new address", seconds=30)
        judge.end()


def test_an_address_of_two_is_dead(play: Play) -> None:
    """Of two addresses the first one is nobody's: the second is tried, and no call is lost."""
    become(f"{SECOND} {FIRST}")
    scene, url, _ = set_scene(play, FIRST)
    judge = scene.judge(Bounds())
    host = judge.host("--allow-http", url=url)
    host.initialize(seconds=20)
    assert "result" in host.answer(call(host, "two"), seconds=20)
    judge.end()
