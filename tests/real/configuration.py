"""A `claude_desktop_config.json` as a person writes it, and the surroundings a desktop gives.

Must not know which host reads it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).parent / "mcp-remote-py"
BEARER = ("--header", "Authorization: Bearer token123")


def entry(
    url: str, options: Sequence[str] = BEARER, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One server as the real command reaches it."""
    written: dict[str, Any] = {"command": str(COMMAND), "args": [url, *options]}
    if env is not None:
        written["env"] = dict(env)
    return written


def write(folder: Path, servers: Mapping[str, dict[str, Any]]) -> Path:
    """Writes the file; returns its path."""
    file = folder / "claude_desktop_config.json"
    file.write_text(json.dumps({"mcpServers": servers}, indent=2))
    return file


def desktop_environment(home: Path) -> dict[str, str]:
    """The six variables that hosts on the official SDKs hand on, in a home of the test's own."""
    home.mkdir(exist_ok=True)
    return {
        "HOME": str(home),
        "LOGNAME": "tester",
        "PATH": os.environ.get("PATH", os.defpath),
        "SHELL": "/bin/sh",
        "TERM": "dumb",
        "USER": "tester",
    }
