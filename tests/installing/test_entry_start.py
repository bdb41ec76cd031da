"""What a host would start for an entry: looked at on a real disk, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.diagnosis.entry_starts import blame_start, describe_start
from mcp_remote_py.diagnosis.steps import StepState, Verdict
from mcp_remote_py.hosts.catalogue import System
from mcp_remote_py.installing.entries import find_entries
from mcp_remote_py.installing.entry_start import look_at_start
from mcp_remote_py.settings.check import EntryStart

URL = "https://a.test/mcp"
INSTALL = f"mcp-remote-py install work {URL} --client cursor"


def look(folder: Path, text: str) -> EntryStart | None:
    """At the entry `work` in the file of Cursor."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "uvx").write_text("#!/bin/sh\n")
    (folder / "bin" / "uvx").chmod(0o755)
    (folder / "plain").write_text("no program")
    (folder / ".cursor").mkdir(exist_ok=True)
    (folder / ".cursor" / "mcp.json").write_text(text, encoding="utf-8")
    environment = {"HOME": str(folder), "PATH": str(folder / "bin")}
    (entry,) = find_entries("work", ["cursor"], None, environment, System.LINUX, print)
    start = look_at_start(entry, environment).start
    return None if start is None else start.replace(install=INSTALL)


def tell(folder: Path, command: Any, *words: str, **members: object) -> tuple[str, str, str]:
    """State, sentence and hint for an entry like this; FOLDER stands for the folder."""
    entry = {"command": command, "args": list(words), **members}
    text = json.dumps({"mcpServers": {"work": entry}}).replace("FOLDER", str(folder))
    start = look(folder, text)
    assert start is not None
    step = describe_start(start)
    assert f"file: {folder}/.cursor/mcp.json" in step.evidence
    return step.state.value, step.said.replace(str(folder), "FOLDER"), step.hint


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("/nope/uvx", ("mcp-remote-py", URL), "/nope/uvx does not exist."),
        ("FOLDER/plain", ("-m", "mcp_remote_py", URL), ""),
        ("pipx", ("run", "mcp-remote-py", URL), "the program pipx was not found in PATH."),
        ("npx", ("mcp-remote-py", URL), "npx fetches from npm, and mcp-remote-py is on PyPI."),
        ("uvx", ("mcp-remote", URL), "uvx fetches from PyPI, and mcp-remote is on npm."),
        (
            f"uvx mcp-remote-py {URL}",
            (),
            '"command" holds the whole line. Only uvx belongs there, and the rest into "args".',
        ),
        (
            "npx -y mcp-remote",
            (URL,),
            '"command" holds the whole line. Only npx belongs there, and the rest into "args".',
        ),
    ],
)  # fmt: skip
def test_what_no_host_can_start(
    tmp_path: Path, command: str, words: tuple[str, ...], said: str
) -> None:
    if not said:  # a file that is ours by its name, and may not be run
        (tmp_path / "mcp-remote-py").write_text("")
        command, words, said = (
            "FOLDER/mcp-remote-py",
            (URL,),
            "FOLDER/mcp-remote-py is not a program that may be run.",
        )
    told = tell(tmp_path, command, *words)
    assert told == ("failed", f"Cursor cannot start this: {said}", f"Write it again: {INSTALL}")


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ("uvx", {}),
        ("FOLDER/bin/uvx", {}),
        ("uvx", {"PATH": "FOLDER/bin"}),
        ("${userHome}/bin/uvx", {}),
    ],
)
def test_what_can_be_started(tmp_path: Path, command: str, variables: dict[str, str]) -> None:
    told = tell(tmp_path, command, "mcp-remote-py", URL, env=variables)
    assert told == ("passed", f"Cursor can start it: {command}.", "")


def test_the_path_of_the_entry_counts(tmp_path: Path) -> None:
    state, said, _ = tell(tmp_path, "uvx", "mcp-remote-py", URL, env={"PATH": "/nowhere"})
    assert (state, said) == (
        "failed",
        "Cursor cannot start this: the program uvx was not found in PATH.",
    )


def test_what_is_switched_off(tmp_path: Path) -> None:
    for members, shown in (({"disabled": True}, "disabled"), ({"enabled": False}, "enabled")):
        told = tell(tmp_path, "uvx", "mcp-remote-py", URL, **members)
        value = "true" if shown == "disabled" else "false"
        said = f'It is switched off in Cursor ("{shown}": {value}).'
        assert told == ("noted", said, "")
    assert tell(tmp_path, "uvx", "mcp-remote-py", URL, disabled=False)[0] == "passed"


def test_npms_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npx").write_text("")
    (tmp_path / "bin" / "npx").chmod(0o755)
    assert tell(tmp_path, "npx", "mcp-remote", URL) == (
        "noted",
        "It starts npm's mcp-remote. This check used mcp-remote-py.",
        f"To change the entry: {INSTALL}",
    )


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    work = f'"work": {{"command": "uvx", "args": ["mcp-remote-py", "{URL}"]}}'
    start = look(tmp_path, f'{{"mcpServers": {{\n{work},\n{work}, "other": {{}},\n{work}}}}}')
    assert start is not None
    step = describe_start(start)
    assert (step.state, step.said, step.hint) == (
        StepState.NOTED,
        f'"work" is more than once in {tmp_path}/.cursor/mcp.json (lines 2, 3 and 4). '
        "Hosts use the last.",
        "Delete the others.",
    )


def test_an_entry_of_another_program_has_no_start(tmp_path: Path) -> None:
    for command, words in (("server-filesystem", []), ("sh -c 'x y", []), ("a b", [URL])):
        entry = {"command": command, "args": words}
        assert look(tmp_path, json.dumps({"mcpServers": {"work": entry}})) is None
    assert look(tmp_path, '{"mcpServers": {"work": 5}}') is None


def test_the_entry_is_the_verdict_whatever_the_server_said() -> None:
    start = EntryStart(name="work", host="Cursor", path="/m", command="/n/uvx", install=INSTALL)
    bad = describe_start(start)
    works = Verdict("", "It works. 5 tools.", "", "", 0)
    broken = Verdict("token", "The token is refused.", "Sign in.", "login", 3)
    stopped = Verdict("", "Stopped.", "", "", 130)
    said = "Cursor cannot start this: /n/uvx does not exist."
    hint = "The server itself works. Write the entry again."
    assert blame_start(bad, works) == Verdict("entry", said, hint, INSTALL, 1)
    hint = "And then: The token is refused. Write the entry again."
    assert blame_start(bad, broken) == Verdict("entry", said, hint, INSTALL, 1)
    assert blame_start(bad, stopped) == stopped
    good = describe_start(start.replace(found="/n/uvx"))
    assert blame_start(good, broken) == broken
