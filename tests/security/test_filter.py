"""Calls that try to pass by a tool filter, and lists that try to show what it hides.

The server is one that reads names as some do: without regard to case, the first of two, up to a
NUL. What reaches it is what counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.host import Host, Json, assert_error, environment_for, wait_until
from tests.harness.stage import COMMAND
from tests.peers.wild_server import Exchange, WildServer

RULES = [("--ignore-tool", "rm"), ("--allow-tool", "echo"), ("--read-only",)]


@pytest.fixture
def server() -> Iterator[WildServer]:
    with WildServer() as server:
        yield server


def start(server: WildServer, home: Path, *options: str) -> Host:
    return Host([str(COMMAND), server.url, *options], environment_for(home))


def fence(host: Host) -> None:
    """Whatever was written before has been dealt with: lines keep their order."""
    host.request("tools/list")


REQUESTS = [
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"rm","name":"lookup"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"lookup","name":"rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"lookup","Name":"rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"n\\u0061me":"rm","name":"lookup"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"RM"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"rm\\u0000"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"rm\\ud800"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":" rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":["rm",{}]}',
    b'{"jsonrpc":"2.0","id":"x","method":"ping","Method":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","method":"prompts/list",'
    b'"params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"Tools/Call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"lookup"},'
    b'"PARAMS":{"name":"rm"}}',
    b'[{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"rm","name":"lookup"}}]',
]

NOTIFICATIONS = [
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"rm"}}',
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"lookup","name":"rm"}}',
    b'{"jsonrpc":"2.0","method":"notifications/x","Method":"tools/call","params":{"name":"rm"}}',
    b'[{"jsonrpc":"2.0","method":"tools/call","params":{"name":"RM"}}]',
]


@pytest.mark.report("S10")
@pytest.mark.parametrize("rule", RULES[::2], ids=lambda rule: rule[0])
def test_no_spelling_of_a_call_reaches_the_server(
    server: WildServer, tmp_path: Path, rule: tuple[str, ...]
) -> None:
    with start(server, tmp_path, *rule) as host:
        host.initialize()
        fence(host)
        before = len(server.requests)
        host.allow_unknown_answers = True
        answers: dict[str, Json] = {}
        for number, line in enumerate(REQUESTS):
            request_id = f"x{number}"
            host.send(line.replace(b'"x"', json.dumps(request_id).encode()))
            answers[request_id] = host.answer(request_id)
        for line in NOTIFICATIONS:
            host.send(line)
        fence(host)
        # Not the listening stream: its GET may come at any time after the initialization.
        posted = [one for one in server.requests[before:] if one.verb == "POST"]
        reached = [one for one in posted if one.method != "tools/list"]
        assert not reached, f"{len(reached)} of {len(REQUESTS) + len(NOTIFICATIONS)} came by"
        for request_id, answer in answers.items():
            assert_error(answer, request_id, ["--ignore-tool"])
        # The log comes on a stream of its own, maybe after the answers.
        wait_until(lambda: host.stderr.count("Not sent: ") >= len(NOTIFICATIONS), "the log")
        assert host.stderr.count("Not sent: ") == len(NOTIFICATIONS)


@pytest.mark.report("S10")
@pytest.mark.promise("R2")
def test_without_a_rule_every_spelling_goes_by_untouched(
    server: WildServer, tmp_path: Path
) -> None:
    with start(server, tmp_path) as host:
        host.initialize()
        host.allow_unknown_answers = True
        for line in (REQUESTS[0], NOTIFICATIONS[0]):
            host.send(line)
        host.answer("x")
        fence(host)
        assert REQUESTS[0] in [one.body for one in server.requests]
        # A notification is sent beside what comes after it.
        wait_until(
            lambda: NOTIFICATIONS[0] in [one.body for one in server.requests], "the notification"
        )


LISTS = [
    b'{"tools":[%b],"tools":[]}',
    b'{"tools":[],"tools":[%b]}',
    b'{"tools":[],"Tools":[%b]}',
    b'{"tools":[{"name":"echo","name":"rm","inputSchema":{}}]}',
    b'{"tools":[{"name":"rm","name":"echo","inputSchema":{}}]}',
    b'{"tools":[{"name":"echo","NAME":"rm","inputSchema":{}}]}',
    b'{"tools":[{"name":"RM","inputSchema":{}}],"nextCursor":"2"}',
]


@pytest.mark.report("S10")
@pytest.mark.parametrize("result", LISTS)
def test_no_spelling_of_a_list_shows_what_is_hidden(
    server: WildServer, tmp_path: Path, result: bytes
) -> None:
    def lists(exchange: Exchange) -> None:
        body = result.replace(b"%b", b'{"name":"rm","inputSchema":{}}')
        exchange.send(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (exchange.id, body))

    server.always("tools/list", lists)
    with start(server, tmp_path, "--ignore-tool", "rm") as host:
        host.initialize()
        for params in ({}, {"cursor": "2"}):
            asked: dict[str, Any] = params
            request_id = host.begin("tools/list", asked)
            line = host.answer_line(request_id)
            assert b"rm" not in line.raw.lower()
