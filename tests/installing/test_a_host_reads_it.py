"""From nothing to tools: the command in a real terminal, and real hosts that read what it wrote.

The SDK's client starts the entry as desktop hosts do, with six variables and nothing more. Must not
import mcp_remote_py.
"""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.harness.browser import fake_browser
from tests.harness.host import Host, wait_until
from tests.harness.stage import Stage
from tests.harness.warm import COMMAND
from tests.installing.desk import HEADER, TOKEN, Desk
from tests.peers.authorization_server import AuthorizationServer
from tests.peers.wild_server import WildServer
from tests.real.installation import install_fastmcp

PATIENCE = 30.0
"""Seconds for one command, or one answer."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A machine with Cursor on it, and a server that wants a sign-in."""
    with ExitStack() as stack:
        server = stack.enter_context(AuthorizationServer())
        browser = stack.enter_context(fake_browser(tmp_path / "browser"))
        (tmp_path / "home" / ".cursor").mkdir(parents=True)
        yield Stage(server, browser, tmp_path / "home", stack)


class TypedAt:
    """The command at a terminal of its own: what is shown, and who types."""

    def __init__(self, stage: Stage, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        stage.stack.callback(os.close, self._ours)
        try:
            self.process = subprocess.Popen(
                [str(COMMAND), *words],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=stage.environment({"TERM": "xterm-256color"}),
            )
        finally:
            os.close(theirs)
        stage.stack.callback(self.process.wait, PATIENCE)
        stage.stack.callback(self.process.kill)
        os.set_blocking(self._ours, False)
        self._shown = b""

    def shows(self, text: str) -> bool:
        return text in self.shown

    @property
    def shown(self) -> str:
        """All that was shown so far."""
        self.look()
        return self._shown.decode()

    def look(self) -> None:
        """Reads what there is: a terminal that nobody reads stops who writes to it."""
        try:
            while chunk := os.read(self._ours, 65536):
                self._shown += chunk
        except (BlockingIOError, OSError):
            pass

    @property
    def plain(self) -> str:
        """The same as it is read: without colours, and on lines that were not written again."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.shown.replace("\r\n", "\n"))
        return "\n".join(line.rpartition("\x1b[2K")[2] for line in text.split("\n"))

    def answer(self, question: str, line: str) -> None:
        wait_until(lambda: self.shows(question), question, seconds=PATIENCE)
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> int:
        def is_over() -> bool:
            self.look()
            return self.process.poll() is not None

        wait_until(is_over, "the end of the command", seconds=PATIENCE)
        return int(self.process.returncode)


def entry_in(stage: Stage) -> dict[str, Any]:
    entries = Desk(stage.home).read(".cursor/mcp.json")["mcpServers"]
    (entry,) = entries.values()
    return dict(entry)


def list_tools(entry: dict[str, Any], environment: dict[str, str]) -> list[str]:
    """The tools that the SDK's client is shown, which it has started by the entry."""
    six = {name: environment[name] for name in ("HOME", "PATH") if name in environment}
    started = StdioServerParameters(
        command=entry["command"], args=entry["args"], env={**six, **entry.get("env", {})}
    )

    async def ask() -> list[str]:
        async with asyncio.timeout(PATIENCE), Client(started, cache=None) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    return asyncio.run(ask())


def test_from_nothing_to_tools_in_one_command(stage: Stage) -> None:
    typed = TypedAt(stage, "install", "math", stage.server.url)
    typed.answer("wants you to sign in. Open the browser for that now? [Y/n]", "")
    assert typed.end() == 0, typed.plain
    assert len(stage.browser.opened) == 1
    for line in (
        f"Cursor: {stage.home}/.cursor/mcp.json",
        '+    "math": {',
        f"Done: the entry math is in {stage.home}/.cursor/mcp.json.",
        "Restart Cursor, then look whether math is switched on in its settings, under MCP.",
        f"Signed in at {stage.server.url} ",
        f"Checking {stage.server.url}",
        "It works. A host is shown 3 tools: echo, lookup, repeat.",
    ):
        assert any(shown.startswith(line) for shown in typed.plain.splitlines()), typed.plain
    assert "add this below" not in typed.plain, "it is there already"
    assert "\x1b[32m+" in typed.shown, "what is added is green"
    assert "Asking" not in typed.plain.partition("Signed in")[0].rpartition("Restart")[0]

    assert list_tools(entry_in(stage), stage.environment()) == ["echo", "lookup", "repeat"]
    assert len(stage.browser.opened) == 1, "no second tab"


def test_who_says_no_is_told_the_command_for_later(stage: Stage) -> None:
    typed = TypedAt(stage, "install", "math", stage.server.url)
    typed.answer("Open the browser for that now? [Y/n]", "n")
    assert typed.end() == 0
    command = f"mcp-remote-py login {stage.server.url}"
    assert f"wants you to sign in. Before you use it: {command}" in typed.plain
    assert stage.browser.opened == []


def test_login_signs_in_without_a_question_and_only_once(stage: Stage, tmp_path: Path) -> None:
    desk = Desk(stage.home, {"BROWSER": str(stage.browser.command)})
    words = ("install", "math", stage.server.url, "--login")
    done = desk.run(*words)
    assert done.status == 0, done.text
    assert f"Signed in at {stage.server.url}" in done.said
    assert desk.run(*words).status == 0
    assert len(stage.browser.opened) == 1, "who is signed in is not asked again"


@pytest.mark.promise("A1", "P2")
def test_login_signs_in_where_only_calls_want_it(stage: Stage) -> None:
    """As the command `login` does: the server is open until a tool is called, and publishes how."""
    stage.server.policy.public_methods = frozenset(
        {"initialize", "notifications/initialized", "tools/list"}
    )
    desk = Desk(stage.home, {"BROWSER": str(stage.browser.command)})
    words = ("install", "math", stage.server.url)
    assert desk.run(*words).status == 0
    assert stage.browser.opened == [], "nobody asked for it"
    done = desk.run(*words, "--login")
    assert done.status == 0, done.text
    assert "It answers without a sign-in. Signing in all the same." in done.said
    assert f"Signed in at {stage.server.url}" in done.said
    assert "It works." in done.said
    assert desk.run(*words, "--login").status == 0
    assert len(stage.browser.opened) == 1, "who is signed in is not asked again"


@pytest.mark.promise("A1", "P2")
def test_a_check_signs_in_where_only_calls_want_it(stage: Stage) -> None:
    """It said that nothing asks for a sign-in, where `install --login` and `login` sign in."""
    stage.server.policy.public_methods = frozenset(
        {"initialize", "notifications/initialized", "tools/list"}
    )
    desk = Desk(stage.home, {"BROWSER": str(stage.browser.command)})
    words = ("check", stage.server.url, "--token-store", "file")
    done = desk.run(*words)
    assert (done.status, stage.browser.opened) == (0, []), done.text
    done = desk.run(*words, "--login")
    assert done.status == 0, done.text
    assert "Sign-in now: Signed in" in done.said
    assert "The server accepts it." in done.said
    assert "It works." in done.said
    assert len(stage.browser.opened) == 1
    with WildServer() as server:
        done = desk.run("check", server.url, "--login")
    assert "Sign-in now: Nothing asks for a sign-in." in done.said
    assert len(stage.browser.opened) == 1


@pytest.mark.promise("P2")
def test_login_at_a_server_that_is_open_says_so_and_is_not_a_fault(desk: Desk) -> None:
    (desk.home / ".cursor").mkdir()
    with WildServer() as server:
        done = desk.run("install", "math", server.url, "--login")
    assert done.status == 0, done.text
    nothing = "It does not ask for a sign-in, so there is nothing to sign in to."
    assert done.said.count(nothing) == 1
    assert "It works." in done.said


def test_without_a_person_no_browser_opens(stage: Stage) -> None:
    desk = Desk(stage.home, {"BROWSER": str(stage.browser.command)})
    done = desk.run("install", "math", stage.server.url)
    assert done.status == 0
    assert f"Before you use it: mcp-remote-py login {stage.server.url}" in done.said
    assert stage.browser.opened == []


@pytest.mark.parametrize("place", ["env", "file"])
@pytest.mark.parametrize("key", ["cursor", "codex"])
def test_token_arrives_from_wherever_it_was_put(desk: Desk, key: str, place: str) -> None:
    path = {"cursor": ".cursor/mcp.json", "codex": ".codex/config.toml"}[key]
    (desk.home / path).parent.mkdir()
    with WildServer() as server:
        done = desk.run("install", "math", server.url, *HEADER, "--secrets", place)
        assert done.status == 0, done.text
        (entries,) = desk.read(path).values()
        entry = entries["math"]
        environment = {**desk.environment, **entry.get("env", {})}
        with Host([entry["command"], *entry["args"]], environment, patience=PATIENCE) as host:
            host.initialize()
            host.close_stdin()
            assert host.wait_exit(5) == 0
        assert server.requests
        assert {one.headers.get("authorization") for one in server.requests} == {f"Bearer {TOKEN}"}
    assert not any(TOKEN in word for word in entry["args"])


def test_host_of_somebody_else_reads_the_very_file(desk: Desk) -> None:
    """FastMCP takes a file with mcpServers as it is."""
    file = desk.put(".cursor/mcp.json", '{\n  "mcpServers": {}\n}\n')
    with WildServer() as server:
        assert desk.run("install", "math", server.url, *HEADER).status == 0
        listed = subprocess.run(
            [str(install_fastmcp()), "list", str(file)],
            env=dict(desk.environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "echo()" in listed.stdout, listed.stdout + listed.stderr
        assert {one.headers.get("authorization") for one in server.requests} == {f"Bearer {TOKEN}"}
