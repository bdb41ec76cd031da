"""A host that cannot wait, and a person who needs longer: the real command between the two.

What counts is seen from outside: answers and when they come, tabs, requests, files. Must not know
how the command is made.
"""

from __future__ import annotations

import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import Visit, fake_browser
from tests.harness.host import Host, Json, assert_error, initialize_params, wait_until
from tests.harness.stage import CALL, PATIENCE, Stage, call, wait_for_tab
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import Exchange, WildServer

pytestmark = pytest.mark.timeout(120)

EARLY = ("--initialize-timeout", "1")
LIMIT = 5.0
"""Seconds this host gives `initialize`."""
CHANGED = "notifications/tools/list_changed"
SIGN_IN: Json = {"name": "sign_in", "arguments": {}}


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Sets a stage: the browser's mode, the server's transport, and its policy."""
    with ExitStack() as stack:

        def play(
            mode: str = "record", seconds: float = 1.0, legacy: bool = False, **policy: Any
        ) -> Stage:
            server = stack.enter_context(AuthorizationServer(Policy(**policy), legacy=legacy))
            browser = stack.enter_context(fake_browser(tmp_path / "browser", mode, seconds))
            return Stage(server, browser, tmp_path / "home", stack)

        yield play


def consent(stage: Stage) -> None:
    """The person is done at last."""
    wait_for_tab(stage)
    assert Visit().open(stage.browser.opened[-1]).status == 200


def names_of(host: Host) -> list[str]:
    """The tools the host is shown; it gets them at once."""
    answer = host.request("tools/list", seconds=LIMIT)
    return [tool["name"] for tool in answer["result"]["tools"]]


def text_of(result: Json) -> str:
    text = result["content"][0]["text"]
    assert isinstance(text, str)
    return text


def result_in(line: bytes) -> bytes:
    """The bytes of a result; the server of the tests puts a blank before it."""
    return line.partition(b'"result":')[2].lstrip()


def known_files(stage: Stage) -> list[Path]:
    return list(stage.home.rglob("*.known"))


REAL = ["echo", "lookup", "repeat"]


@pytest.mark.promise("A6", "R1", "R4")
@pytest.mark.parametrize("legacy", [False, True], ids=["streamable", "sse"])
def test_first_sign_in_outlives_the_host_s_patience(
    play: Callable[..., Stage], legacy: bool
) -> None:
    stage = play(legacy=legacy)
    host = stage.host(*EARLY)
    result = host.initialize(seconds=LIMIT)
    wait_for_tab(stage)
    link = stage.browser.opened[0]
    assert result["serverInfo"]["name"] == "mcp-remote-py"
    assert result["capabilities"]["tools"]["listChanged"] is True
    assert link in result["instructions"]
    assert names_of(host) == ["sign_in"]
    assert link in text_of(call(host, SIGN_IN))
    assert host.request("ping", seconds=LIMIT)["result"] == {}
    assert not host.notifications
    consent(stage)
    host.notification(CHANGED, seconds=PATIENCE)
    host.notification("notifications/resources/list_changed", seconds=LIMIT)
    assert "is done" in text_of(call(host, SIGN_IN))
    assert names_of(host) == REAL
    assert call(host)["params"] == CALL
    assert [one["method"] for one in host.notifications].count(CHANGED) == 1
    assert len(stage.server.received("notifications/initialized")) == 1
    counts = stage.counts
    assert (counts["tabs"], counts["codes"]) == (1, 1)
    stage.end(host)
    assert len(stage.server.received("tools/call")) == 1


@pytest.mark.promise("A4", "A6", "L2")
@pytest.mark.report("O25")
def test_tool_opens_the_page_of_a_tab_that_was_closed_with_its_process(
    play: Callable[..., Stage],
) -> None:
    stage = play()
    host = stage.host()
    host.begin("initialize", initialize_params())
    wait_for_tab(stage)
    stage.kill(host)
    host = stage.host(*EARLY)
    host.initialize(seconds=LIMIT)
    assert names_of(host) == ["sign_in"]
    assert stage.browser.opened[0] in text_of(call(host, SIGN_IN))
    wait_until(lambda: len(stage.browser.opened) == 2, "the same page", seconds=PATIENCE)
    assert stage.browser.opened[0] == stage.browser.opened[1]
    call(host, SIGN_IN)  # at once: it opens at this moment
    consent(stage)
    host.notification(CHANGED, seconds=PATIENCE)
    assert call(host)["params"] == CALL
    counts = stage.counts
    assert (counts["tabs"], counts["codes"], counts["registrations"]) == (2, 1, 1)


@pytest.mark.promise("A6")
def test_slow_person_is_not_hurried(play: Callable[..., Stage]) -> None:
    stage = play("slow", 4.0, consent=True)
    host = stage.host(*EARLY)
    began = time.monotonic()
    assert host.initialize(seconds=LIMIT)["serverInfo"]["name"] == "mcp-remote-py"
    assert time.monotonic() - began < 4
    host.notification(CHANGED, seconds=PATIENCE)
    assert names_of(host) == REAL


@pytest.mark.promise("A6", "R1")
@pytest.mark.report("O6")
@pytest.mark.parametrize("step", ["resource_metadata", "register", "token"])
def test_step_of_a_server_is_waited_for_no_longer_than_a_person(
    play: Callable[..., Stage], step: str
) -> None:
    stage = play("normal")
    goes_on = threading.Event()

    def be_slow(exchange: Exchange) -> None:
        exchange.wait(goes_on)
        exchange.good()

    stage.server.script(step, be_slow)
    host = stage.host(*EARLY)
    result = host.initialize(seconds=LIMIT)
    assert "is not finished yet" in result["instructions"]
    assert names_of(host) == ["sign_in"]
    asked = host.begin("tools/call", SIGN_IN)
    goes_on.set()
    host.notification(CHANGED, seconds=PATIENCE)
    assert "is done" in text_of(host.answer(asked)["result"])
    assert names_of(host) == REAL
    counts = stage.counts
    assert (counts["tabs"], counts["codes"]) == (1, 1)


@pytest.mark.promise("A6", "R1", "R2")
def test_ended_sign_in_offers_what_was_known_at_once(play: Callable[..., Stage]) -> None:
    stage = play()
    first = stage.host()
    first.begin("initialize", initialize_params(), request_id="begin")
    consent(stage)
    initialize = result_in(first.answer_line("begin").raw)
    first.notify("notifications/initialized")
    first.begin("tools/list", request_id="list")
    tools = result_in(first.answer_line("list").raw)
    wait_until(lambda: bool(known_files(stage)), "what is known")
    wait_until(lambda: b"lookup" in known_files(stage)[0].read_bytes(), "the tools")
    stage.end(first)
    stage.server.end_sign_ins()

    host = stage.host("--initialize-timeout", "2")
    host.begin("initialize", initialize_params(), request_id="begin")
    assert result_in(host.answer_line("begin", seconds=LIMIT).raw) == initialize
    host.notify("notifications/initialized")
    host.begin("tools/list", request_id="list")
    assert result_in(host.answer_line("list", seconds=LIMIT).raw) == tools
    asked = [host.begin("tools/call", {**CALL, "n": number}) for number in range(3)]
    consent(stage)
    for number, request_id in enumerate(asked):
        assert host.answer(request_id)["result"]["params"]["n"] == number
    host.notification(CHANGED)
    stage.end(host)
    # Each once; calls that wait together go out together, on connections of their own.
    assert sorted(one.params["n"] for one in stage.server.received("tools/call")) == [0, 1, 2]
    counts = stage.counts
    assert (counts["tabs"], counts["codes"]) == (2, 2)
    (known,) = known_files(stage)
    if sys.platform != "win32":
        assert stat.S_IMODE(known.stat().st_mode) == 0o600


@pytest.mark.promise("A6")
def test_host_that_ignores_the_change_finds_the_tools_at_its_next_start(
    play: Callable[..., Stage],
) -> None:
    stage = play()
    host = stage.host(*EARLY)
    host.initialize(seconds=LIMIT)
    assert names_of(host) == ["sign_in"]
    consent(stage)
    host.notification(CHANGED, seconds=PATIENCE)
    stage.end(host)
    host = stage.host(*EARLY)
    assert host.initialize(seconds=LIMIT)["serverInfo"]["name"] == "wild"
    assert names_of(host) == REAL
    assert not [one for one in host.notifications if one["method"] == CHANGED]
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A6", "R1", "R7")
def test_host_that_leaves_meanwhile_has_every_answer_and_leaves_nobody(
    play: Callable[..., Stage],
) -> None:
    stage = play()
    host = stage.host("--initialize-timeout", "1.5")
    host.initialize(seconds=LIMIT)
    asked = [host.begin("tools/list"), host.begin("tools/call", CALL), host.begin("prompts/list")]
    host.answer(asked[0], seconds=LIMIT)
    host.close_stdin()
    assert host.wait_exit(2) == 0
    for request_id in asked:
        assert len(host.answers(request_id)) == 1
    assert_error(host.answer(asked[1]), asked[1], ["closed the connection"])
    assert not host.children()
    assert "Traceback" not in host.stderr
    assert "never retrieved" not in host.stderr


@pytest.mark.promise("A6", "R1", "P2")
def test_wait_ends_with_the_link(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.host(*EARLY)
    host.initialize(seconds=LIMIT)
    request_id = host.begin("prompts/list")
    answer = host.answer(request_id, seconds=LIMIT)
    wait_for_tab(stage)
    assert_error(answer, request_id, [stage.server.url, stage.browser.opened[0], "try again"])


@pytest.mark.promise("A6", "R1")
def test_person_who_says_no_is_told_to_the_host(play: Callable[..., Stage]) -> None:
    stage = play("slow", 3.0, consent=False, deny=True)
    host = stage.host("--initialize-timeout", "1.5")
    host.initialize(seconds=LIMIT)
    assert names_of(host) == ["sign_in"]
    wait_until(lambda: "initialize 1 failed" in host.stderr, "the end", seconds=PATIENCE)
    result = call(host, SIGN_IN)
    assert result["isError"] is True
    assert "login" in text_of(result)
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A6")
def test_zero_waits_for_ever(play: Callable[..., Stage]) -> None:
    stage = play("slow", 2.0)
    host = stage.host("--initialize-timeout", "0")
    assert host.initialize()["serverInfo"]["name"] == "wild"


@pytest.mark.promise("A6")
def test_memory_store_leaves_nothing_known(play: Callable[..., Stage]) -> None:
    stage = play("normal")
    host = stage.host(token_store="memory")
    host.initialize()
    assert names_of(host) == REAL
    stage.end(host)
    assert not known_files(stage)


@pytest.mark.promise("A6")
def test_memory_store_leaves_nothing_known_without_sign_in(play: Callable[..., Stage]) -> None:
    stage = play()
    with WildServer() as server:
        host = stage.host(url=server.url, token_store="memory")
        host.initialize()
        assert names_of(host) == REAL
        stage.end(host)
    assert not known_files(stage)
