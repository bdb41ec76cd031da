"""`status` after `install`: the entries of hosts of which no sign-in is known are named, too."""

from __future__ import annotations

import json
import time

from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.session_id import SessionId
from tests.installing.desk import URL, Desk

CURSOR, ZED = ".cursor/mcp.json", ".config/zed/settings.json"
OTHER = "http://127.0.0.1:9/other"
KEY = "sk-8f7e6d5c4b3a29181716"


def write(desk: Desk, path: str, place: str, **servers: str) -> None:
    entries = {
        name: {"command": "uvx", "args": ["mcp-remote-py", url]} for name, url in servers.items()
    }
    entries["foreign"] = {"command": "x", "args": ["https://a.example/mcp"]}
    entries["npm"] = {"command": "npx", "args": ["mcp-remote", "https://b.example/mcp"]}
    desk.put(path, json.dumps({place: entries}))


def test_entries_are_named_where_nobody_has_signed_in(desk: Desk) -> None:
    write(desk, CURSOR, "mcpServers", work=f"{URL}?key={KEY}", other=OTHER)
    write(desk, ZED, "context_servers", work=f"{URL}?key={KEY}")
    done = desk.run("status")
    assert done.status == 0
    assert done.said.splitlines() == [
        "Nobody has signed in yet.",
        "Entries of hosts that start mcp-remote-py:",
        f"  work  {URL}?key=****  (Cursor, Zed)",
        f"  other  {OTHER}  (Cursor)",
        "To sign in: mcp-remote-py login ADDRESS",
    ]
    assert KEY not in desk.run("status", "--debug").text


def test_entry_of_the_server_that_is_asked_for_is_named(desk: Desk) -> None:
    write(desk, CURSOR, "mcpServers", work=URL, other=OTHER)
    done = desk.run("status", URL)
    assert done.status == 3
    assert done.said.splitlines() == [
        f"Nothing is known of {URL}. To sign in: mcp-remote-py login {URL}",
        "Entries of hosts for it:",
        f"  work  {URL}  (Cursor)",
    ]


def test_entries_of_which_no_record_knows_come_behind_the_records(desk: Desk) -> None:
    write(desk, CURSOR, "mcpServers", work=URL, other=OTHER)
    record = SessionFile(state_directory(desk.environment), SessionId(URL))
    record.update(signed_in_at=time.time(), store="file")
    lines = desk.run("status").said.splitlines()
    assert lines[0] == URL
    assert lines[-3:] == [
        "",
        "Other entries of hosts that start mcp-remote-py:",
        f"  other  {OTHER}  (Cursor)",
    ]
    assert "Other entries" not in desk.run("status", URL).said
    assert "Other entries" not in desk.run("status", "--json").said


def test_broken_file_of_a_host_does_not_keep_the_rest_away(desk: Desk) -> None:
    broken = desk.put(CURSOR, "{,")
    alone = desk.run("status")
    assert (alone.status, f"{broken}, line 1, column 2" in alone.logged) == (0, True)
    assert alone.said.startswith("Nobody has signed in yet.\n")
    write(desk, ZED, "context_servers", work=URL)
    both = desk.run("status")
    assert f"  work  {URL}  (Zed)" in both.said
    assert f"{broken}, line 1, column 2" in both.logged
