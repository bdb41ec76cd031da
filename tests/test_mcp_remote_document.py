"""Who comes from npm's mcp-remote finds each of its options, with its meaning: docs/mcp-remote.md.

That the page has the table is checked in `test_documents.py`; that the rows are the package's own
list, by `tests/npm_options.py`, wherever the package is installed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mcp_remote_py.cli.main import main
from mcp_remote_py.settings.commands import ProxySettings
from tests.npm_options import ROWS, NpmOption, names_in

pytestmark = pytest.mark.promise("P3")

TEXT = (Path(__file__).parent.parent / "docs" / "mcp-remote.md").read_text(encoding="utf-8")
URL = "https://mcp.example.com/mcp"
ENDING = {"--version": r"mcp-remote-py \d", "--help": "usage: mcp-remote-py URL"}
"""What these print, in place of a start."""


def start(*words: str, environment: Mapping[str, str] | None = None) -> tuple[object, str]:
    """The settings that the relay is started with, and all that is said."""
    started: list[object] = []

    def load(name: str) -> Callable[..., int]:
        def begin(settings: object, *_: object) -> int:
            started.append(settings)
            return 0

        return begin

    said = io.StringIO()
    main(words, environment or {"NPM_ROW": "npm-row-canary-2"}, said, said, load)
    return (started[0] if started else None), said.getvalue()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.partition(" ")[0])
def test_an_option_of_mcp_remote_means_here_what_is_told(row: NpmOption, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("X-Row: 1\n")
    words = [word.replace("{folder}", str(tmp_path)) for word in row.example]
    settings, said = start(URL, *words)
    if row.name in ENDING:
        assert re.match(ENDING[row.name], said)
        return
    assert isinstance(settings, ProxySettings), said
    assert row.is_read(settings)
    assert "Ignored" not in said


def test_without_an_option_is_what_is_told() -> None:
    settings, _ = start(URL)
    assert isinstance(settings, ProxySettings)
    told = {row.name.partition(" ")[0]: row.here for row in ROWS}
    assert f"{settings.sign_in.timeout:g} without it" in told["--auth-timeout"]
    assert f"`{settings.protocol.value}` without it" in told["--protocol"]
    # Where an effect could be there without the option, the row would not show anything.
    there = {row.name for row in ROWS if row.name not in ENDING and row.is_read(settings)}
    assert there == {"--allow-http", "--enable-proxy"}


def test_an_entry_of_mcp_remote_is_taken_as_it_is() -> None:
    """Only the command changes: the names of packages before the URL are passed over."""
    entries = [
        json.loads(block)["mcpServers"]
        for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    ]
    before, after = (entry["math"] for entry in entries[:2])
    assert (before["command"], after["command"]) == ("npx", "uvx")
    assert after["args"] == ["mcp-remote-py", *before["args"][before["args"].index(URL) :]]
    assert before["env"] == after["env"]
    settings, said = start(*before["args"][1:], environment=before["env"])
    assert isinstance(settings, ProxySettings), said


def test_the_names_are_read_out_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "a.js").write_text('if (args.includes("--ipv4")) x("--no-such", "-h");')
    assert names_in(tmp_path) == {"--ipv4", "--no-such"}
