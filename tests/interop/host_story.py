"""What a person does at a host, step by step, and what was seen: with the real command between.

A step that is "ok" was observed. "-" is a thing the host does not have: what it says instead is
observed, too, and is the note below the table. Must not know how a host is started.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.harness.browser import FakeBrowser, Visit, fake_browser
from tests.peers.authorization_server import AuthorizationServer
from tests.peers.launch import Peer, sdk_server
from tests.peers.wild_server import Exchange, WildServer
from tests.real.configuration import entry, write
from tests.real.hosts import PATIENCE, CommandLineHost, RealHost, Said, at_work
from tests.real.processes import Service, wait_until

OK, ABSENT, FAILED = "ok", "-", "failed"

PREFIX = "io.modelcontextprotocol/"
SLOW = 6.0
"""Seconds a person needs for a sign-in, beside those that a host waits for its first answer."""

FILE = ("--token-store", "file")
ONE_COMMAND = "Each command of the host starts the entry anew; the next one works."
EMPTY = '"text": ""'
"""What a tool makes of no roots."""
NO_PROGRESS = "The call works; the host does not show progress."


@dataclass(frozen=True)
class Outcome:
    """What came of one step."""

    step: str
    result: str
    words: str = ""
    seconds: float = 0.0


class NotOffered(Exception):
    """The host has nothing of the kind; the text says what it does instead."""


@dataclass
class Desk:
    """A person with this host."""

    make: type[RealHost]
    folder: Path
    stack: ExitStack
    numbers: Any = field(default_factory=itertools.count)

    @property
    def name(self) -> str:
        """Of the host."""
        return self.make.name

    def place(self) -> Path:
        """A folder of its own."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def host(
        self, entries: Mapping[str, dict[str, Any]], home: Path | None = None
    ) -> Generator[RealHost]:
        """The host, at work with these entries."""
        folder = self.place()
        config = write(folder, entries)
        with at_work(self.make, config, home or folder / "home") as host:
            yield host

    def peer(self, port: int = 0) -> Peer:
        """A server of the Python SDK that has all of MCP, in both eras."""
        return self.stack.enter_context(sdk_server("streamable", port=port))

    def browser(self, mode: str = "normal", seconds: float = 0) -> FakeBrowser:
        """A person with a browser."""
        return self.stack.enter_context(fake_browser(self.place() / "browser", mode, seconds))


def check(said: Said, *words: str) -> None:
    """Asserts that it worked, and that all of these words were said."""
    assert said.status == 0, said
    assert all(word in said.everything for word in words), said


def answer_call(exchange: Exchange) -> None:
    """A tool that tells which header came."""
    value = exchange.headers.get("x-desk", "no header")
    exchange.result({"content": [{"type": "text", "text": value}]})


def be_of_2025(server: WildServer) -> None:
    """It does not know 2026-07-28, and answers calls."""
    server.always("server/discover", lambda exchange: exchange.error(-32601, "Method not found"))
    server.always("tools/call", answer_call)


def ask_directly(url: str, tool: str, arguments: dict[str, Any]) -> str:
    """The text of a tool, asked without any host or command."""
    meta: dict[str, Any] = {
        PREFIX + "protocolVersion": "2026-07-28",
        PREFIX + "clientCapabilities": {},
    }
    params: dict[str, Any] = {"name": tool, "arguments": arguments, "_meta": meta}
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    line = next(one for one in text.splitlines() if one.removeprefix("data: ").startswith("{"))
    return str(json.loads(line.removeprefix("data: "))["result"]["content"][0]["text"])


# Steps


def list_all(desk: Desk, peer: Peer) -> None:
    """Four pages of tools."""
    with desk.host({"server": entry(peer.url, ())}) as host:
        assert {"echo", "big"} <= host.list_tools("server")


def call_tool(desk: Desk, peer: Peer) -> None:
    with desk.host({"server": entry(peer.url, ())}) as host:
        check(host.call("server", "echo", "text=hello"), "hello")


def show_error(desk: Desk, peer: Peer) -> None:
    """The server's own words."""
    with desk.host({"server": entry(peer.url, ())}) as host:
        refused, failed = (host.call("server", tool) for tool in ("refuse", "fail"))
    assert refused.status != 0, refused
    assert "refused on purpose" in refused.everything, refused
    assert "it failed" in failed.everything, failed  # mcporter takes this one for a result


def show_refusal(desk: Desk, peer: Peer) -> None:
    """Our words, and not the token."""
    server = desk.stack.enter_context(WildServer())
    be_of_2025(server)
    for method in ("initialize", "server/discover"):
        server.always(method, lambda exchange: exchange.reply(401, b"no such token"))
    header = ("--header", "Authorization: Bearer wrong456")
    with desk.host({"server": entry(server.url, header)}) as host:
        said = host.call("server", "echo")
    assert said.status != 0, said
    assert all(word in said.everything for word in ("401", "Authorization", "--header")), said
    assert "wrong456" not in said.everything


def ask_host(tool: str, answer: str, refusals: Mapping[str, str]) -> Callable[[Desk, Peer], None]:
    """A tool during which the server asks the host."""

    def play(desk: Desk, peer: Peer) -> None:
        with desk.host({"server": entry(peer.url, ())}) as host:
            said = host.call("server", tool, typed="Ada\n")
        refusal = refusals.get(desk.name)
        if refusal is None:
            check(said, answer)
            return
        assert refusal in said.everything, said
        told = "is given an empty list" if refusal == EMPTY else f"is told “{refusal}”"
        raise NotOffered(f"The host does not have it: the server {told}.")

    return play


def show_progress(desk: Desk, peer: Peer) -> None:
    with desk.host({"server": entry(peer.url, ())}) as host:
        said = host.call("server", "slow", "steps=3")
    check(said, "3 steps")
    if issubclass(desk.make, CommandLineHost):
        assert not said.steps
        raise NotOffered(NO_PROGRESS)
    assert said.steps == (1, 2, 3), said


def cancel(desk: Desk, peer: Peer) -> None:
    token = f"of-{desk.name}"

    def is_at(stage: str) -> Callable[[], bool]:
        return lambda: ask_directly(peer.url, "was", {"token": token}) in (stage, "cancelled")

    with desk.host({"server": entry(peer.url, ())}) as host:
        host.cancel("server", token, is_at("started"))
        assert wait_until(is_at("cancelled"), 30), "the server still works on it"


def outlive_restart(desk: Desk, peer: Peer) -> None:
    first = Service(peer.process, peer.port, Path())
    with desk.host({"server": entry(peer.url, ())}) as host:
        check(host.call("server", "echo", "text=before"), "before")
        first.kill()
        desk.peer(peer.port)
        check(host.call("server", "echo", "text=after"), "after")
    if issubclass(desk.make, CommandLineHost):
        raise NotOffered(ONE_COMMAND)


def sign_in(desk: Desk, peer: Peer) -> None:
    """One tab for two starts of the host; its environment has no browser and no desktop."""
    server = desk.stack.enter_context(AuthorizationServer())
    be_of_2025(server)
    browser = desk.browser()
    entries = {"server": entry(server.url, FILE, {"BROWSER": str(browser.command)})}
    home = desk.place()
    for _ in range(2):
        with desk.host(entries, home) as host:
            check(host.call("server", "echo"))
    assert len(browser.opened) == 1


def sign_in_slowly(desk: Desk, peer: Peer) -> None:
    """The host gives up first. Started again, it finishes the sign-in that was begun.

    Where that takes half a minute the same page is shown once more: it is the same sign-in.
    """
    server = desk.stack.enter_context(AuthorizationServer())
    be_of_2025(server)
    browser = desk.browser("record")
    entries = {"server": entry(server.url, FILE, {"BROWSER": str(browser.command)})}
    home = desk.place()
    with desk.host(entries, home) as host:
        said = host.hurry().call("server", "echo")
    assert said.status != 0, "the host has waited"
    page = browser.opened[0]
    with desk.host(entries, home) as host, ThreadPoolExecutor(1) as pool:
        calling = pool.submit(host.call, "server", "echo")
        assert wait_until(partial(is_awaited, page), PATIENCE), "nobody waits for the browser"
        assert Visit().open(page).status == 200
        check(calling.result())
    assert len({parameter(one, "state") for one in browser.opened}) == 1
    assert len(browser.opened) <= 2
    assert len(server.token_requests("authorization_code")) == 1


def parameter(url: str, name: str) -> str:
    """Of the address of a page."""
    return parse_qs(urlsplit(url).query)[name][0]


def is_awaited(page: str) -> bool:
    """Whether somebody listens where the browser ends."""
    port = urlsplit(parameter(page, "redirect_uri")).port
    try:
        socket.create_connection(("127.0.0.1", port or 0), 1).close()
    except OSError:
        return False
    return True


def sign_in_meanwhile(desk: Desk, peer: Peer) -> None:
    """The host waits as long as it does by itself, and has the answer in one go."""
    server = desk.stack.enter_context(AuthorizationServer())
    be_of_2025(server)
    browser = desk.browser("slow", desk.make.first_patience + SLOW)
    entries = {"server": entry(server.url, FILE, {"BROWSER": str(browser.command)})}
    with desk.host(entries) as host:
        check(host.call("server", "echo"))
        check(host.call("server", "echo"))
    assert len(browser.opened) == 1, browser.opened


def use_header(desk: Desk, peer: Peer) -> None:
    server = desk.stack.enter_context(WildServer())
    be_of_2025(server)
    header = ("--header", "X-Desk:${DESK}")
    with desk.host({"server": entry(server.url, header, {"DESK": "from the entry"})}) as host:
        check(host.call("server", "echo"), "from the entry")


def use_two(desk: Desk, peer: Peer) -> None:
    servers = [desk.stack.enter_context(WildServer()) for _ in range(2)]
    for server in servers:
        be_of_2025(server)
    entries = {
        f"s{number}": entry(server.url, ("--header", f"X-Desk: number {number}"))
        for number, server in enumerate(servers)
    }
    with desk.host(entries) as host:
        for number in range(2):
            assert "echo" in host.list_tools(f"s{number}")
            check(host.call(f"s{number}", "echo"), f"number {number}")


STEPS: dict[str, Callable[[Desk, Peer], None]] = {
    "lists all pages of tools": list_all,
    "calls a tool": call_tool,
    "shows an error of the server": show_error,
    "shows why a token was refused": show_refusal,
    "sampling": ask_host(
        "sample",
        "parrot: 42",
        {
            "mcporter": "Method not found",
            "fastmcp": "Sampling not supported",
            "inspector": "Internal error",
        },
    ),
    "elicitation": ask_host(
        "elicit",
        "accept {'name': 'Ada'}",
        {"mcporter": "Method not found", "inspector": "cancel None"},
    ),
    "roots": ask_host(
        "roots",
        "here=file:///tmp/here",
        {
            "mcporter": "Method not found",
            "fastmcp": "List roots not supported",
            "inspector": EMPTY,
        },
    ),
    "progress": show_progress,
    "cancels a call": cancel,
    "signs in, one tab for two starts": sign_in,
    "waits for a slow person": sign_in_meanwhile,
    "gives up while the person signs in, one sign-in": sign_in_slowly,
    "a header from `env`": use_header,
    "two servers in one file": use_two,
    "the server killed and back": outlive_restart,
}
"""In the order of the table; the last one ends the server that all share."""


def play(make: type[RealHost], folder: Path) -> list[Outcome]:
    """Every step, whatever came of the one before."""
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        desk = Desk(make, folder, stack)
        peer = desk.peer()
        for name, step in STEPS.items():
            begun = time.monotonic()
            result, words = OK, ""
            try:
                step(desk, peer)
            except NotOffered as why:
                result, words = ABSENT, str(why)
            except Exception as error:
                result, words = FAILED, f"{type(error).__name__}: {error}"[:1000]
            outcomes.append(Outcome(name, result, words, round(time.monotonic() - begun, 1)))
    return outcomes
