"""The screens that documents show: what the real command prints, at a server of that kind.

Played once for all documents. What differs from run to run - ports, addresses, times, paths - is
what a reader would see in its place. Must not know which document shows a screen.
"""

from __future__ import annotations

import functools
import os
import pty
import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.harness.browser import fake_browser
from tests.harness.host import Host, environment_for
from tests.harness.stage import Stage
from tests.harness.warm import COMMAND
from tests.packaging.first_run import play_first_run
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import WildServer

TYPED = "uvx mcp-remote-py"
OPEN_SERVER, SIGN_IN_SERVER = "https://your-server.example", "https://mcp.example.com"
PATIENCE = 20.0
"""Seconds for a look at a server."""

CHANGING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(?=[^(\n]*\(in )", "2026-11-22 14:53"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(?=[^(\n]*\(\d+ \w+ ago)", "2026-11-22 13:54"),
    (r"\(in \d+ minutes\)", "(in 59 minutes)"),
    (r"\(\d+ \w+ ago\)", "(1 minute ago)"),
    (r"/\S+/home/state/", "/home/you/.local/share/"),
    (r"/as/authorize\?\S+", "/…"),
    (r"since [-\d: ]{16} UTC \([^)]*\)\.", "since 2026-11-22 13:54 UTC."),
    (r"Name: 127\.0\.0\.1 ", "Name: mcp.example.com "),
    (r"answers at port \d+", "answers at port 443"),
    (r"after \d+ ms", "after 40 ms"),
    (r"ping: \d+ ms", "ping: 20 ms"),
    (r"-       Certificate: Plain http has no certificate\.\n", ""),
)
"""What comes out otherwise each time, and what stands for it: the server is one of this machine."""


def render(name: str) -> str:
    """The block of that name: the command, and what it printed."""
    return f"```console\n{_play_all()[name]}\n```"


NAMES = ("look", "login", "status", "logout", "install", "check")


@functools.cache
def _play_all() -> Mapping[str, str]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shown = _look(Path(folder, "look"), stack) | _sign_in(Path(folder, "sign-in"), stack)
        run = play_first_run(Path(folder), SIGN_IN_SERVER)
    assert (run.tools, run.tabs) == (("add", "count", "whoami"), 1), "a host has what it shows"
    for name in ("install", "check"):
        shown[name] = _settle([run.screens[name]], SIGN_IN_SERVER, SIGN_IN_SERVER)
    return shown


def _look(folder: Path, stack: ExitStack) -> dict[str, str]:
    """A server that wants nothing, looked at in a terminal."""
    server = WildServer()
    server.name = "demo"
    server.tools = [
        {"name": name, "inputSchema": {"type": "object"}} for name in ("add", "count", "whoami")
    ]
    stack.enter_context(server)
    ours, theirs = pty.openpty()
    stack.callback(os.close, ours)
    try:
        words = [str(COMMAND), server.url]
        host = Host(words, environment_for(folder), stdin=theirs, patience=PATIENCE)
    finally:
        os.close(theirs)
    host.allow_unknown_answers = True
    stack.enter_context(host)
    host.wait_logged("A host is shown")
    os.write(ours, b"\x04")
    host.wait_exit(5)
    lines = host.stderr.splitlines()
    shown = lines[: 1 + next(n for n, line in enumerate(lines) if "A host is shown" in line)]
    command = f"$ {TYPED} {OPEN_SERVER}/mcp"
    return {"look": _settle([command, *shown], server.origin, OPEN_SERVER)}


def _sign_in(folder: Path, stack: ExitStack) -> dict[str, str]:
    """A person signs in, looks at it, and signs out."""
    server = AuthorizationServer(Policy())
    server.name = "demo"
    stack.enter_context(server)
    browser = stack.enter_context(fake_browser(folder / "browser"))
    stage = Stage(server, browser, folder / "home", stack)
    shown: dict[str, str] = {}
    for name, words in (
        ("login", ("login", server.url)),
        ("status", ("status",)),
        ("logout", ("logout", server.url)),
    ):
        done = stage.run(*words)
        assert done.returncode == 0, done.stderr
        typed = f"$ {' '.join((TYPED, *words))}"
        shown[name] = _settle([typed, *done.stdout.splitlines()], server.origin, SIGN_IN_SERVER)
    return shown


def _settle(lines: Iterable[str], origin: str, name: str) -> str:
    """The lines as a reader would see them."""
    text = "\n".join(lines).replace(origin, name)
    text = text.replace("Asking 127.0.0.1 ", f"Asking {name.partition('://')[2]} ")
    for pattern, words in CHANGING:
        text = re.sub(pattern, words, text)
    return text
