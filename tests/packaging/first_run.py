"""What a new user types on a clean machine, played for real: the built wheel, uvx, a host.

`uvx --from WHEEL mcp-remote-py` in an empty home, with an empty cache: all it needs comes from the
package index. The host is the official SDK's client, which starts the entry that was written. Must
not know which document shows it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.wheel import WheelBuilder
from mcp import Client, StdioServerParameters

from tests.harness.browser import fake_browser
from tests.harness.warm import run
from tests.peers.authorization_server import AuthorizationServer

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds for one command: the first one fetches some fifty packages."""

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""What the package index may need on the machine that tests; an entry takes it over."""

_OF_MACHINE = re.compile(
    r',?\n\+ +"env": \{\n(?:\+ +"[A-Z_]+": .*\n)+\+ +\}|\nNote: [A-Z_]+[^\n]* set here, [^\n]*'
)
"""What it takes over is not what a person without it would see."""


class FirstRun(NamedTuple):
    """The screens, as a person would see them, and the tools that the host was shown."""

    screens: Mapping[str, str]
    tools: tuple[str, ...]
    tabs: int


def play_first_run(folder: Path, name: str) -> FirstRun:
    """Installs, signs in, checks, and lets a host list the tools; the server is called `name`."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    home = folder / "home"
    config = home / ".config" / "Claude" / "claude_desktop_config.json"
    config.parent.mkdir(parents=True)
    runner = Path(sys.executable).with_name("uvx")
    with ExitStack() as stack:
        server = stack.enter_context(AuthorizationServer())
        server.name = "demo"
        server.capabilities = {"tools": {}}
        server.tools = [
            {"name": tool, "inputSchema": {"type": "object"}} for tool in ("add", "count", "whoami")
        ]
        browser = stack.enter_context(fake_browser(folder / "browser"))
        environment = {
            "HOME": str(home),
            "PATH": f"{runner.parent}{os.pathsep}{os.defpath}",
            "TZ": "UTC",
            "BROWSER": str(browser.command),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **{one: os.environ[one] for one in CERTIFICATES if one in os.environ},
        }
        before = ["--python", sys.executable, "--from", wheel]

        def play(*words: str) -> str:
            command = [str(runner), *before, "mcp-remote-py", *words]
            done = run(command, environment, PATIENCE, fresh=True)
            assert done.returncode == 0, done.stdout + done.stderr
            typed = f"$ uvx mcp-remote-py {' '.join(words)}"
            text = f"{typed}\n{done.stdout.rstrip()}".replace(f"--from {wheel} ", "")
            text = text.replace(f'"--from", "{wheel}", ', "").replace(f'"{runner}"', '"uvx"')
            text = text.replace(server.origin, name).replace(str(home), "~")
            return _OF_MACHINE.sub("", text)

        screens = {
            "install": play("install", "work", server.url),
            "login": play("login", server.url),
            "check": play("check", server.url),
        }
        entry = json.loads(config.read_text("utf-8"))["mcpServers"]["work"]
        tools = asyncio.run(_list_tools(entry, home))
        tabs = len(browser.opened)
    shutil.rmtree(home)  # 60 MB of packages
    return FirstRun(screens, tools, tabs)


async def _list_tools(entry: dict[str, Any], home: Path) -> tuple[str, ...]:
    """The tools that the official client lists, which has started the entry as it was written."""
    own = {
        "HOME": str(home),
        "PATH": os.defpath,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }
    started = StdioServerParameters.model_validate(
        {"command": entry["command"], "args": entry["args"], "env": {**own, **entry.get("env", {})}}
    )
    async with asyncio.timeout(PATIENCE), Client(started, cache=None) as client:
        return tuple(tool.name for tool in (await client.list_tools()).tools)
