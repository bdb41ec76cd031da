"""The manual page is complete, and no reader of such pages finds fault with it.

That it is up to date is for `scripts/update_docs --check` to say. mandoc and groff read it where
they are installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from mcp_remote_py.cli.help import EXAMPLES, EXIT_STATUS
from mcp_remote_py.cli.options import ALL_OPTIONS
from mcp_remote_py.cli.program import COMMANDS, PROXY

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "man" / "mcp-remote-py.1"
PATIENCE = 20
"""Seconds for one reader."""

READERS = (("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-ww", "-man", "-z"))
UNDATED = re.compile(r'^mandoc: .*: WARNING: missing date, using "": TH\n', re.MULTILINE)
"""The page has no date: it changes where a row does, and not otherwise."""


def words_in(page: str) -> str:
    """The text as a person reads it, with one blank between words."""
    for escape, char in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\e", "\\"), (r"\&", "")):
        page = page.replace(escape, char)
    return " ".join(re.sub(r"\\f[BIR]", "", page).split())


def test_the_page_has_every_command_option_and_status() -> None:
    page = PAGE.read_text("utf-8")
    text = words_in(page)
    for option in ALL_OPTIONS:
        if PROXY in option.commands:
            assert page.count(f"\n\\fB{option.name}\\fR".replace("-", "\\-")) >= 1, option.name
        assert f"{option.name} {option.value}".strip() in text
        assert " ".join(option.help.split()) in text
    for command in COMMANDS.values():
        assert command.usage in text
        assert command.summary in text
    assert all(one.words in text for one in EXAMPLES[PROXY])
    assert EXIT_STATUS in text


def test_the_page_is_plain_roff() -> None:
    lines = PAGE.read_text("ascii").splitlines()
    assert lines[0].startswith(".TH MCP\\-REMOTE\\-PY 1 ") or lines[0].startswith(
        ".TH MCP-REMOTE-PY 1 "
    )
    requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".B", ".br", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi"}
    assert lines.count(".nf") == lines.count(".fi")
    for place, line in enumerate(lines):
        assert line.strip(), "an empty line is a break of its own"
        assert not line.startswith((".SH", ".SS", ".TP")) or lines[place + 1] != ".PP"
        assert len(line) <= 80, line


def test_readers_that_are_installed_find_no_fault() -> None:
    for name, *options in READERS:
        if shutil.which(name):
            done = subprocess.run(
                [name, *options, PAGE],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert UNDATED.sub("", done.stdout + done.stderr) == "", name


def test_the_wheel_has_the_page_where_man_looks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    targets = project["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["shared-data"] == {
        PAGE.relative_to(ROOT).as_posix(): f"share/man/man1/{PAGE.name}"
    }
    assert "/man" in targets["sdist"]["include"]
