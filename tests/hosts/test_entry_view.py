"""What a person is shown of an entry: never a secret, and yet what changes."""

from __future__ import annotations

import pytest

from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY
from mcp_remote_py.hosts.entry_view import mask_entry, show_difference

KEY = "sk-0a9b8c7d6e5f4a3b2c1d"
CURSOR, CODEX = HOSTS_BY_KEY["cursor"], HOSTS_BY_KEY["codex"]

ARGUMENTS = (
    (["--header", f"Authorization: Bearer {KEY}"], ["--header", "Authorization: ****"]),
    (["--header", "Authorization:${A_B}"], ["--header", "Authorization:${A_B}"]),
    (["--header", "Authorization: Bearer ${A_B}"], ["--header", "Authorization: Bearer ${A_B}"]),
    (["--header", KEY], ["--header", "****"]),
    ([f"--header=X: {KEY}"], ["--header=****"]),
    ([f"https://e.example/mcp?key={KEY}"], ["https://e.example/mcp?key=****"]),
    (["https://e.example/${T}/mcp"], ["https://e.example/${T}/mcp"]),
    (["--api-key", "short"], ["--api-key", "****"]),
    (
        ["--static-oauth-client-info", '{"client_secret": "x"}'],
        ["--static-oauth-client-info", "****"],
    ),
    (["--static-oauth-client-info", "@/a.json"], ["--static-oauth-client-info", "@/a.json"]),
    (["--private-key", "/a/key.pem", "-y"], ["--private-key", "/a/key.pem", "-y"]),
    ([KEY, "mcp-remote-py"], ["****", "mcp-remote-py"]),
    (["--db-pass", "hunter"], ["--db-pass", "****"]),
    (["-u", "me:hunter"], ["-u", "****"]),
    (["A_B=hunter", "npx"], ["****", "npx"]),
    # A line for a shell is masked word by word.
    (
        ["-c", "npx -y x https://e.example/mcp?a=hunter --header 'X-Password: hunter'"],
        ["-c", "npx -y x https://e.example/mcp?a=**** --header X-Password: ****"],
    ),
    (
        ["-c", "PW=hunter npx x --header X-Password:hunter"],
        ["-c", "**** npx x --header X-Password: ****"],
    ),
    (["-c", "x 'not closed --password hunter"], ["-c", "****"]),
    (["-c", "cd 'My  Folder' && npx x"], ["-c", "cd 'My  Folder' && npx x"]),
    (["C:\\Program Files\\x.cmd"], ["C:\\Program Files\\x.cmd"]),
)


@pytest.mark.promise("S2")
@pytest.mark.parametrize(("words", "shown"), ARGUMENTS)
def test_arguments_are_shown_without_what_may_be_secret(words: list[str], shown: list[str]) -> None:
    assert mask_entry({"args": words})["args"] == shown


def test_line_in_place_of_the_command_is_masked() -> None:
    entry = {"command": "npx mcp-remote https://e.example/mcp --header 'X: hunter'"}
    assert mask_entry(entry)["command"] == "npx mcp-remote https://e.example/mcp --header X: ****"


def test_values_of_the_environment_and_of_headers_are_masked() -> None:
    entry = {"env": {"A": "b"}, "headers": {"X": "y"}, "url": f"https://e.example/{KEY}/mcp"}
    masked = mask_entry(entry)
    assert masked["env"] == {"A": "****"}
    assert masked["headers"] == {"X": "****"}
    assert KEY not in str(masked["url"])


def test_value_that_changes_is_seen_to_change() -> None:
    before: dict[str, object] = {"command": "/u", "args": [], "env": {"A": "one-1"}}
    after: dict[str, object] = {"command": "/u", "args": [], "env": {"A": "two-2"}}
    text = "\n".join(show_difference(CURSOR, "math", before, after, "/f"))
    assert '-        "A": "****"' in text
    assert '+        "A": "**** (another value)"' in text


def test_new_entry_is_all_added() -> None:
    lines = show_difference(CURSOR, "math", None, {"command": "/u", "args": ["x"]}, "/f")
    assert lines[:2] == ["--- /f", "+++ /f"]
    assert all(line.startswith("+") for line in lines[2:])
    assert any('"math"' in line for line in lines)


def test_toml_is_shown_as_toml() -> None:
    lines = show_difference(CODEX, "math", {"command": "/u", "args": ["x"]}, None, "/f")
    assert "-[mcp_servers.math]" in lines
    assert '-command = "/u"' in lines


def test_members_that_are_called_secret_are_masked_whatever_they_are() -> None:
    entry = {"password": "letmein", "oauth": {"clientSecret": "hunter", "clientId": "abc"}}
    assert mask_entry(entry) == {
        "password": "****",
        "oauth": {"clientSecret": "****", "clientId": "abc"},
    }
