"""`uninstall` from outside: an entry goes, with what belongs to it alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.session_id import SessionId
from tests.installing.desk import HEADER, URL, Desk

CURSOR, CODEX = ".cursor/mcp.json", ".codex/config.toml"
OURS = {"command": "uvx", "args": ["mcp-remote-py", URL]}
NPM = {"command": "npx", "args": ["-y", "mcp-remote", URL]}
FOREIGN = {"command": "npx", "args": ["-y", "@playwright/mcp"]}
NATIVE = {"url": URL}


def put(desk: Desk, **entries: object) -> Path:
    return desk.put(CURSOR, json.dumps({"mcpServers": entries}))


@pytest.mark.parametrize("entry", [OURS, NPM], ids=["ours", "npm's"])
def test_entry_is_gone_and_the_others_are_not(desk: Desk, entry: object) -> None:
    file = put(desk, math=entry, other=FOREIGN)
    done = desk.run("uninstall", "math", "-y")
    assert done.status == 0, done.text
    assert desk.read(CURSOR) == {"mcpServers": {"other": FOREIGN}}
    assert done.said.startswith(f"Cursor: {file}\n--- {file}\n+++ {file}\n")
    assert f"Done: the entry math is gone from {file}." in done.said
    assert "The file as it was before: " in done.said
    assert "\nRestart Cursor. Until then, its tools may still be there." in done.said


def test_dry_run_of_uninstall_writes_nothing(desk: Desk) -> None:
    file = put(desk, math=OURS)
    before = file.read_bytes()
    done = desk.run("uninstall", "math", "--dry-run")
    assert done.status == 0
    assert '-    "math": {' in done.said
    assert "Nothing is written, because of --dry-run." in done.said
    assert file.read_bytes() == before


def test_without_a_person_yes_is_needed(desk: Desk) -> None:
    file = put(desk, math=OURS)
    done = desk.run("uninstall", "math")
    assert done.status == 2
    assert (
        f"Nobody could be asked whether math is to be taken out of {file}: this is not a terminal."
        " Nothing was changed. To take it out: mcp-remote-py uninstall math --yes" in done.logged
    )
    assert "math" in desk.read(CURSOR)["mcpServers"]


@pytest.mark.parametrize(("answer", "gone"), [("\n", True), ("y\n", True), ("n\n", False)])
def test_person_is_asked(desk: Desk, answer: str, gone: bool) -> None:
    put(desk, math=OURS)
    done = desk.run("uninstall", "math", answers=answer)
    assert "Take math out of the configuration of Cursor? [Y/n]" in done.said
    assert ("math" not in desk.read(CURSOR)["mcpServers"]) is gone
    assert done.status == (0 if gone else 1)
    assert done.said.endswith("[Y/n] Nothing was changed.\n") is not gone
    assert done.logged == ""


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (FOREIGN, "starts another program"),
        (NATIVE, "lets the host reach a remote server by itself"),
    ],
)
def test_entry_of_others_needs_its_name_or_yes(desk: Desk, entry: object, what: str) -> None:
    put(desk, math=entry)
    refused = desk.run("uninstall", "math")
    sentence = f"math {what}, and is not an entry of mcp-remote-py."
    assert (refused.status, sentence in refused.logged) == (2, True)
    wrong = desk.run("uninstall", "math", answers="y\n")
    assert f"{sentence} Type its name to take it out all the same:" in wrong.said
    assert wrong.said.endswith(" That was another name. Nothing was changed.\n")
    assert (wrong.status, wrong.logged) == (1, "")
    assert "math" in desk.read(CURSOR)["mcpServers"]
    assert desk.run("uninstall", "math", answers="math\n").status == 0
    assert desk.read(CURSOR) == {"mcpServers": {}}
    put(desk, math=entry)
    assert desk.run("uninstall", "math", "--yes").status == 0
    assert desk.read(CURSOR) == {"mcpServers": {}}


def test_several_hosts_with_it_are_listed(desk: Desk) -> None:
    put(desk, math=OURS)
    desk.put(CODEX, '[mcp_servers.math]\ncommand = "uvx"\nargs = ["mcp-remote-py"]\n')
    done = desk.run("uninstall", "math", "-y")
    assert done.status == 2
    assert done.said.splitlines() == [
        "Hosts with an entry math, each with its command:",
        "Cursor   mcp-remote-py uninstall math --yes --client cursor",
        "Codex    mcp-remote-py uninstall math --yes --client codex",
        "for all  mcp-remote-py uninstall math --yes --client all",
    ]
    assert "It is not clear which host is meant. Nothing was changed." in done.logged
    asked = desk.run("uninstall", "math", answers="2\n\n")
    assert "Hosts with an entry math:\n  1  Cursor\n  2  Codex\nWhich one?" in asked.said
    assert "math" not in desk.read(CODEX).get("mcp_servers", {})
    assert "math" in desk.read(CURSOR)["mcpServers"]
    assert desk.run("uninstall", "math", "-y", "--client", "all").status == 0
    assert desk.read(CURSOR) == {"mcpServers": {}}
    assert "math" not in desk.read(CODEX).get("mcp_servers", {})


@pytest.mark.parametrize(
    ("path", "action"),
    [
        (".config/Claude/claude_desktop_config.json", "Quit Claude Desktop, for which closing its"),
        (".claude.json", "Start claude anew. "),
        (".config/zed/settings.json", "Restart Zed. "),
    ],
)
def test_what_ends_the_entry_is_said_as_an_action(desk: Desk, path: str, action: str) -> None:
    place = "context_servers" if "zed" in path else "mcpServers"
    desk.put(path, json.dumps({place: {"math": OURS}}))
    assert f"\n{action}" in desk.run("uninstall", "math", "-y").said


def test_file_of_secrets_is_told_to_go_with_the_entry(desk: Desk) -> None:
    put(desk)
    desk.run("install", "math", URL, *HEADER, "--secrets", "file")
    (file,) = (state_directory(desk.environment) / "entries").iterdir()
    note = f"Note: What it has of secrets is deleted as well: {file}\n"
    assert note in desk.run("uninstall", "math", "--dry-run").said
    assert file.exists()
    done = desk.run("uninstall", "math", "-y")
    assert note in done.said
    assert "It names a file with secrets that is deleted now." in done.said
    assert not file.exists()


def test_host_without_the_entry_does_not_matter(desk: Desk) -> None:
    put(desk, math=OURS)
    desk.put(CODEX, 'model = "o9"\n')
    assert desk.run("uninstall", "math", "-y").status == 0


def test_name_that_is_not_there_is_refused_with_those_that_are(desk: Desk) -> None:
    file = put(desk, algebra=OURS, other=FOREIGN)
    done = desk.run("uninstall", "math")
    assert done.status == 2
    assert f"An entry math was not found in {file}. There are: algebra." in done.logged
    put(desk)
    done = desk.run("uninstall", "math", "--client", "cursor")
    assert f"An entry math was not found in {file}. There are no entries in it." in done.logged
    other = desk.put(CODEX, "")
    done = desk.run("uninstall", "math")
    assert (
        f"An entry math was not found in {file}, {other}. There are no entries in them."
        in done.logged
    )
    put(desk, other=FOREIGN)
    done = desk.run("uninstall", "math", "--client", "cursor")
    assert f"An entry math was not found in {file}. Name the file with --config." in done.logged


def test_file_that_is_named(desk: Desk) -> None:
    file = desk.put("work/.mcp.json", json.dumps({"mcpServers": {"math": OURS}}))
    assert desk.run("uninstall", "math", "-y", "--config", str(file)).status == 0
    assert desk.read("work/.mcp.json") == {"mcpServers": {}}


def test_broken_file_of_another_host_is_passed_over_with_a_warning(desk: Desk) -> None:
    put(desk, math=OURS)
    broken = desk.put(CODEX, "[mcp_servers\n")
    done = desk.run("uninstall", "math", "-y")
    assert done.status == 0, done.text
    assert str(broken) in done.logged


def test_sign_in_stays_and_the_command_to_end_it_is_said(desk: Desk) -> None:
    put(desk, math=OURS)
    record = SessionFile(state_directory(desk.environment), SessionId(URL))
    record.update(signed_in_at=time.time(), store="file")
    done = desk.run("uninstall", "math", "-y")
    assert f"You stay signed in at {URL}. To sign out: mcp-remote-py logout {URL}" in done.said


def test_where_nobody_is_signed_in_nothing_is_said_of_it(desk: Desk) -> None:
    put(desk, math=OURS)
    assert "signed in" not in desk.run("uninstall", "math", "-y").said


def test_secret_of_a_foreign_entry_is_not_shown(desk: Desk) -> None:
    put(desk, math={"command": "x", "args": ["--token", "q7w8e9r0t1"], "env": {"A": "z1x2c3v4b5"}})
    done = desk.run("uninstall", "math", "--dry-run")
    assert "q7w8e9r0t1" not in done.text
    assert "z1x2c3v4b5" not in done.text


def test_url_in_the_place_of_a_name_is_refused(desk: Desk) -> None:
    done = desk.run("uninstall", URL, *HEADER)
    assert done.status == 2
    assert "uninstall takes the name of an entry, not an address." in done.logged


# The object that holds the entries


@pytest.mark.parametrize(
    "before",
    [
        "{}",
        "{}\n",
        '{\n  "theme": "dark"\n}\n',
        '{"theme":"dark"}',
        "\ufeff{\r\n\t// mine\r\n}\r\n",
    ],
)
def test_file_that_had_no_servers_is_what_it_was(desk: Desk, before: str) -> None:
    file = desk.put(CURSOR)
    file.write_bytes(before.encode())
    assert desk.run("install", "math", URL, *HEADER, "--yes").status == 0
    assert "math" in file.read_text()
    desk.run("uninstall", "math", "--yes")
    assert file.read_bytes() == before.encode()


@pytest.mark.parametrize("before", ['{"mcpServers": {}}', '{"theme": 1, "mcpServers": {}}\n'])
def test_empty_object_that_was_there_stays(desk: Desk, before: str) -> None:
    """Also where a back-up tells of a time without it."""
    file = desk.put(CURSOR, before.replace(', "mcpServers": {}', ""))
    desk.run("install", "math", URL, *HEADER, "--yes")
    file.write_text(before)
    desk.run("install", "math", URL, *HEADER, "--yes")
    desk.run("uninstall", "math", "--yes")
    assert file.read_text() == before


def test_empty_object_stays_where_nobody_knows_who_made_it(desk: Desk) -> None:
    """The person has changed something else meanwhile, has deleted the back-up, or had no file."""
    file = desk.put(CURSOR, '{"theme": "dark"}')
    desk.run("install", "math", URL, *HEADER, "--yes")
    file.write_text(file.read_text().replace("dark", "light"))
    desk.run("uninstall", "math", "--yes")
    assert desk.read(CURSOR) == {"theme": "light", "mcpServers": {}}
    for backup in file.parent.glob("*.bak*"):
        backup.unlink()
    file.write_text('{"theme": "dark"}')
    desk.run("install", "math", URL, *HEADER, "--yes")
    for backup in file.parent.glob("*.bak*"):
        backup.unlink()
    desk.run("uninstall", "math", "--yes")
    assert desk.read(CURSOR) == {"theme": "dark", "mcpServers": {}}
    for one in file.parent.iterdir():
        one.unlink()
    desk.run("install", "math", URL, *HEADER, "--yes")
    desk.run("uninstall", "math", "--yes")
    assert desk.read(CURSOR) == {"mcpServers": {}}


def test_back_up_that_cannot_be_read_does_not_matter(desk: Desk) -> None:
    file = desk.put(CURSOR, '{"theme": "dark"}')
    desk.run("install", "math", URL, *HEADER, "--yes")
    for backup in file.parent.glob("*.bak*"):
        backup.unlink()
        backup.mkdir()
    assert desk.run("uninstall", "math", "--yes").status == 0
    assert desk.read(CURSOR) == {"theme": "dark", "mcpServers": {}}
