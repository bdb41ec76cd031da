"""The relay at a terminal, from outside: it looks at the server, says so on stderr, and relays.

Real terminals and real servers. What is said of what was found is `tests/test_found.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.bounds import MAX_MEMBERS
from mcp_remote_py.commands.terminal import PAGES_LOOKED_AT, OwnHost, look_at_server, status_of
from mcp_remote_py.found import Found
from mcp_remote_py.jsonrpc import Message, make_result
from tests.fakes import encode_notification, encode_request
from tests.harness.browser import fake_browser
from tests.harness.host import Host, Json, environment_for, initialize_params, wait_until
from tests.harness.stage import Stage
from tests.harness.warm import COMMAND
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import (
    Exchange,
    WildServer,
    answer_html,
    answer_status,
    be_modern,
    be_silent,
)
from tests.transports.peers import ForwardProxy

PATIENCE = 15.0
SPOKEN = "[mcp-remote-py] "
END = b"\x04"
"""Ctrl+D."""
INITIALIZE = encode_request(1, "initialize", initialize_params())
TYPE_HERE = "Lines that you type here are relayed"


class Terminal:
    """A person who has typed the command."""

    def __init__(self, stack: ExitStack, environment: Mapping[str, str], *words: str) -> None:
        self._ours, theirs = pty.openpty()
        stack.callback(os.close, self._ours)
        try:
            self.host = Host([str(COMMAND), *words], environment, stdin=theirs, patience=PATIENCE)
        finally:
            os.close(theirs)
        self.host.allow_unknown_answers = True
        stack.enter_context(self.host)
        stack.callback(self.host.process.kill)

    def type(self, *lines: bytes) -> None:
        os.write(self._ours, b"".join(line + b"\n" for line in lines))

    def answer(self, number: int) -> Json:
        """The answer on stdout to the request with this id."""

        def found() -> list[Json]:
            return [one.message for one in self.host.lines if one.message.get("id") == number]

        wait_until(lambda: bool(found()), f"an answer to {number}", seconds=PATIENCE)
        (answer,) = found()
        return answer

    def look(self) -> list[str]:
        """What is said until the person may type."""
        self.host.wait_logged(TYPE_HERE)
        return [line.removeprefix(SPOKEN) for line in self.host.stderr.splitlines()]

    def end(self) -> int:
        """The exit status after Ctrl+D."""
        os.write(self._ours, END)
        return self.host.wait_exit(2)


@pytest.fixture(name="stack")
def make_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(name="start")
def make_starter(stack: ExitStack, tmp_path: Path) -> Callable[..., Terminal]:
    return lambda *words: Terminal(stack, environment_for(tmp_path), *words)


Start = Callable[..., Terminal]


@pytest.fixture(name="play")
def make_player(stack: ExitStack, tmp_path: Path) -> Callable[..., Stage]:
    def play(**policy: Any) -> Stage:
        server = stack.enter_context(AuthorizationServer(Policy(**policy)))
        browser = stack.enter_context(fake_browser(tmp_path / "browser"))
        return Stage(server, browser, tmp_path / "home", stack)

    return play


Play = Callable[..., Stage]


def sit_down(stage: Stage, *options: str) -> Terminal:
    words = (stage.server.url, "--token-store", "file", *options)
    return Terminal(stage.stack, stage.environment(), *words)


@pytest.mark.promise("R2", "P2")
def test_a_good_server_is_told_of_and_nothing_is_on_stdout(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer(sessions=True, listen=True))
    terminal = start(server.url, "--header", "X-Key: terminal-canary-1", "--read-only")
    told = terminal.look()
    assert told[0] == f"Asking {server.url}, as a host would ..."
    assert told[1:6] == [
        f'Found the MCP server "wild", version "1", at {server.url}.',
        "It is reached by Streamable HTTP, and speaks an older revision of MCP (2025-11-25).",
        "A host is shown 1 tool: lookup.",
        "This command is for an MCP host to start. The entry in its configuration, below "
        '"mcpServers" and a name of your choice:',
        f'{{"command":"uvx","args":["mcp-remote-py","{server.url}","--header","X-Key: ****",'
        '"--read-only"]}',
    ]
    assert "canary" not in terminal.host.stderr
    server.wait_for("DELETE")
    assert terminal.end() == 0
    assert terminal.host.lines == []
    assert len(server.received("initialize")) == 1


@pytest.mark.promise("R1", "R2")
def test_what_is_typed_is_a_conversation_of_its_own(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer(sessions=True, listen=True))
    terminal = start(server.url)
    terminal.look()
    terminal.type(INITIALIZE, encode_notification("notifications/initialized"))
    assert terminal.answer(1)["result"]["serverInfo"]["name"] == "wild"
    terminal.type(encode_request(2, "tools/list"), b"not a message")
    assert len(terminal.answer(2)["result"]["tools"]) == 3
    assert terminal.host.error_without_id()["error"]["code"] == -32700
    assert terminal.end() == 0
    looked, typed = (one.params["clientInfo"]["name"] for one in server.received("initialize"))
    assert (looked, typed) == ("mcp-remote-py", "harness")
    assert len(server.received("DELETE")) == 2


@pytest.mark.promise("R1")
def test_a_host_that_gives_us_a_terminal_does_not_wait_for_the_look(
    start: Start, stack: ExitStack
) -> None:
    server = stack.enter_context(WildServer())
    server.script("initialize", be_silent)
    terminal = start(server.url)
    server.wait_for("initialize")
    terminal.type(INITIALIZE)
    assert "result" in terminal.answer(1)
    assert terminal.end() == 0  # within 2 s, though the look has no answer
    assert TYPE_HERE not in terminal.host.stderr


def test_ctrl_c_ends_it_while_the_server_is_silent(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    server.always("initialize", be_silent)
    terminal = start(server.url)
    server.wait_for("initialize")
    terminal.host.signal(signal.SIGINT)
    assert terminal.host.wait_exit(2) == 130
    assert "failed" not in terminal.host.stderr


def test_what_is_typed_ahead_has_its_end_after_the_look(start: Start, stack: ExitStack) -> None:
    terminal = start(stack.enter_context(WildServer()).url)
    assert terminal.end() == 0
    assert TYPE_HERE in terminal.host.stderr


def test_a_modern_server_is_said_to_be_one(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    server.always("initialize", be_modern)
    server.always("server/discover", be_modern)
    server.always("tools/list", be_modern)
    told = start(server.url).look()
    assert (
        "It is reached by Streamable HTTP, and speaks a new revision of MCP (2026-07-28)." in told
    )


def test_pages_of_tools_are_read_up_to_a_bound(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())

    def page(exchange: Exchange) -> None:
        number = int(exchange.params.get("cursor", "0"))
        exchange.result({"tools": [{"name": f"t{number}"}], "nextCursor": str(number + 1)})

    server.always("tools/list", page)
    told = start(server.url).look()
    names = ", ".join(f"t{number}" for number in range(8))
    assert f"A host is shown {PAGES_LOOKED_AT} or more tools: {names}, and 2 more." in told
    assert any(
        line.startswith(f"The server's list has {PAGES_LOOKED_AT} or more pages.") for line in told
    )
    assert len(server.received("tools/list")) == PAGES_LOOKED_AT


def test_tools_that_are_refused_are_not_the_end_of_it(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    server.always("tools/list", lambda exchange: exchange.error(-32603, "\x1b[2Jnot now"))
    told = start(server.url).look()
    text = 'Its tools cannot be listed: The server refuses tools/list: "[2Jnot now" (code -32603).'
    assert text in told


def test_more_tools_than_are_read_here_are_not_none(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    server.tools = [{"name": "many"}] * (MAX_MEMBERS + 1)
    assert (
        "Its tools cannot be listed: the list is too long to be looked into here, or is not one; "
        "a host gets it as it is."
    ) in start(server.url).look()


def test_a_server_that_asks_meanwhile_is_answered_here(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())

    def ask_first(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(encode_request("p", "ping"))
        exchange.event(encode_request("s", "sampling/createMessage", {}))
        server.wait_for("response", 2)
        answer: Json = {"jsonrpc": "2.0", "id": exchange.id, "result": {"tools": []}}
        exchange.event(json.dumps(answer).encode())
        exchange.finish()

    server.always("tools/list", ask_first)
    terminal = start(server.url)
    assert "It does not offer any tools to a host." in terminal.look()
    answers = {one.id: one.message for one in server.received("response")}
    assert answers["p"]["result"] == {}
    assert answers["s"]["error"]["code"] == -32601
    assert terminal.end() == 0
    assert terminal.host.lines == []


@pytest.mark.promise("P2")
def test_a_dead_port_is_told_in_the_words_a_host_gets(start: Start, stack: ExitStack) -> None:
    taken = stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))  # and nobody listens
    terminal = start(f"http://127.0.0.1:{taken.getsockname()[1]}/mcp")
    terminal.type(INITIALIZE)
    told = terminal.look()
    (failed,) = [line for line in told if line.startswith("That failed: ")]
    message = terminal.answer(1)["error"]["message"]
    assert failed == f"That failed: {message}"
    assert "cannot be reached" in message
    assert terminal.end() == 1


@pytest.mark.promise("P2")
def test_the_entry_names_the_proxy_that_a_host_does_not_hand_on(
    stack: ExitStack, tmp_path: Path
) -> None:
    proxy = stack.enter_context(ForwardProxy())
    proxy.refuse = 407
    address = f"http://ada:canary-of-ada@{proxy.authority}"
    environment = environment_for(tmp_path) | {"HTTPS_PROXY": address}
    told = Terminal(stack, environment, "https://mcp.example.com/mcp").look()
    assert (
        '"args":["mcp-remote-py","https://mcp.example.com/mcp"],"env":{"HTTPS_PROXY":"****"}}'
        in ("\n".join(told))
    )


def test_a_server_that_is_away_is_not_found_though_it_worked_before(
    start: Start, stack: ExitStack
) -> None:
    server = stack.enter_context(WildServer())
    before = start(server.url)
    before.type(INITIALIZE)
    assert "result" in before.answer(1)
    assert before.end() == 0
    server.always("initialize", answer_status(503, headers={"Retry-After": "60"}))
    terminal = start(server.url)
    assert not any(line.startswith("Found") for line in terminal.look())
    assert terminal.end() == 1


@pytest.mark.promise("P2")
def test_a_web_page_is_told_in_the_words_a_host_gets(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    for verb in ("POST", "GET", "initialize"):
        server.always(verb, answer_html())
    terminal = start(server.url)
    told = terminal.look()
    (failed,) = [line for line in told if line.startswith("That failed: ")]
    terminal.type(INITIALIZE)
    assert failed == f"That failed: {terminal.answer(1)['error']['message']}"
    assert "text/html" in failed
    assert terminal.end() == 1


@pytest.mark.promise("D12", "P2")
def test_a_header_that_is_refused_is_told(start: Start, stack: ExitStack) -> None:
    server = stack.enter_context(WildServer())
    server.always("initialize", lambda exchange: exchange.reply(401))
    terminal = start(server.url, "--header", "Authorization: Bearer terminal-canary-2")
    assert terminal.look()[1].startswith("That failed: The server refused your Authorization")
    assert terminal.end() == 1


@pytest.mark.parametrize("deaf_to", ["initialize", "tools/list"])
def test_a_look_has_an_end(deaf_to: str) -> None:
    found = asyncio.run(look_at_one(deaf_to))
    late = f"The server did not answer {deaf_to} within 0.1 s."
    assert (found.error or found.tools_error) == late
    assert status_of(found) == (1 if deaf_to == "initialize" else 0)


class Deaf:
    """A relay that answers all but one method."""

    transport, is_modern, is_refused = "Streamable HTTP", False, False
    relay: Any = None

    def __init__(self, host: OwnHost, deaf_to: str) -> None:
        self._host, self._deaf_to = host, deaf_to
        self._end = asyncio.Event()

    async def run(self) -> None:
        self._host.receive(self._take, self._end.set)
        await self._end.wait()

    def _take(self, message: Message) -> None:
        if message.method not in (self._deaf_to, "notifications/initialized"):
            self._host.send(make_result(message.raw_id, b'{"capabilities":{"tools":{}}}'))


async def look_at_one(deaf_to: str) -> Found:
    host = OwnHost()
    return await look_at_server(host, Deaf(host, deaf_to), "https://mcp.example.com/mcp", 0.1)


@pytest.mark.promise("L1", "L2", "P2")
def test_a_sign_in_that_is_needed_is_told_and_no_browser_opens(play: Play) -> None:
    stage = play()
    terminal = sit_down(stage, "--scope", "read")
    told = terminal.look()
    command = f"mcp-remote-py login {stage.server.url} --scope read --token-store file"
    assert f"The server wants a sign-in. Sign in: {command}" in told
    assert (stage.browser.opened, stage.server.registrations) == ([], [])
    assert terminal.end() == 3
    assert stage.counts["tabs"] == stage.counts["codes"] == 0


@pytest.mark.promise("L1")
def test_what_is_typed_signs_in_as_a_host_does_and_the_next_look_has_it(play: Play) -> None:
    stage = play()
    terminal = sit_down(stage)
    terminal.look()
    terminal.type(INITIALIZE)
    assert "result" in terminal.answer(1)
    assert len(stage.browser.opened) == 1
    terminal.end()
    again = sit_down(stage)
    assert any(line.startswith("Found the MCP server") for line in again.look())
    assert again.end() == 0
    assert len(stage.browser.opened) == 1


def test_who_signs_in_without_a_person_does_so(play: Play, tmp_path: Path) -> None:
    stage = play(metadata_changes={"grant_types_supported": ["client_credentials"]})
    stage.server.always("token", answer_status(403))
    client = tmp_path / "client.json"
    members = {"client_id": "a", "client_secret": "b" * 20, "issuer": stage.server.issuer}
    client.write_text(json.dumps(members))
    client.chmod(0o600)
    options = ("--client-credentials", "--static-oauth-client-info", f"@{client}")
    terminal = sit_down(stage, *options)
    assert "The server wants a sign-in." not in "".join(terminal.look())
    (request,) = stage.server.received("token")
    assert b"grant_type=client_credentials" in request.body
    assert terminal.end() == 3
