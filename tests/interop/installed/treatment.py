"""What a host hands to the command of its entry, how long it waits for it, and how it ends it.

Seen by the witness in the place of our command: in the file that `install` wrote only the words
are changed. Must not know what a host is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.interop import witness
from tests.interop.hosts import THIN, read_starts, tell_end
from tests.interop.installed.desk import PATIENCE, Desk
from tests.real.configuration import COMMAND
from tests.real.hosts import SECRET_OF_THE_DESKTOP

URL = "http://127.0.0.1:9/mcp"
"""Nobody is there."""
LONGEST = 65.0
"""Seconds that a host is watched while it waits."""


def treatment(desk: Desk) -> dict[str, str]:
    """The rows of the table."""
    stubborn, _ = watch(desk, "stubborn")
    _, waited = watch(desk, "silent", LONGEST)
    given = stubborn[-1][0]
    return {
        "environment": tell_environment(set(given["environment"])),
        "folder": "the project" if Path(given["folder"]).name == "project" else "another one",
        "stderr": given["stderr"],
        "end": tell_end(stubborn[-1]),
        "patience": f"{waited:.0f} s" if waited else f"more than {LONGEST - 5:.0f} s",
    }


def watch(
    desk: Desk, mode: str, patience: float = PATIENCE
) -> tuple[list[list[dict[str, Any]]], float | None]:
    """What the witness wrote of each start; seconds until the model was asked, None for never."""
    home = desk.home()
    home.run([str(COMMAND), "install", "math", URL, "--client", desk.row.key, "--yes"])
    record = home.folder / "record"
    text = home.file.read_text()
    words = [witness.__file__, str(record), mode]
    for old, new in ((f'"{COMMAND}"', f'"{sys.executable}"'), (f'"{URL}"', listed(words))):
        assert text.count(old) == 1, text
        text = text.replace(old, new)
    home.file.write_text(text)
    desk.model.forget()
    begun = time.monotonic()
    ended = True
    try:
        home.ask(patience)
    except subprocess.TimeoutExpired:
        ended = False  # it was, by us
    # Some ask first, without any tool, how to call the conversation.
    asked = [one.at - begun for one in desk.model.asked if one.offered]
    return read_starts(record, ended=ended), asked[0] if asked else None


def listed(words: list[str]) -> str:
    """Words as members of a list, in JSON as in TOML."""
    return json.dumps(words)[1:-1]


def tell_environment(names: set[str]) -> str:
    """What is handed on."""
    if names >= SECRET_OF_THE_DESKTOP.keys():
        return "all of its own"
    more = [f"`{name}`" for name in sorted(names - THIN)]
    assert names >= THIN, names
    return " and ".join(["six variables", *more])
