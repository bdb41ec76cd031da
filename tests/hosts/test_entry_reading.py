"""What an entry is that somebody has written: rows of entries as they are found."""

from __future__ import annotations

import pytest

from mcp_remote_py.hosts.entry_reading import EntryKind, read_entry
from mcp_remote_py.redact import Secret

URL = "https://example.com/mcp"
OURS, NPM, NATIVE, OTHER = EntryKind.OURS, EntryKind.NPM, EntryKind.NATIVE, EntryKind.OTHER

COMMANDS: tuple[tuple[EntryKind, list[str]], ...] = (
    (NPM, ["npx", "mcp-remote"]),
    (NPM, ["npx", "-y", "mcp-remote@latest"]),
    (NPM, ["npx", "--yes", "mcp-remote@0.1.29"]),
    (NPM, ["npx", "-p", "mcp-remote@latest", "mcp-remote"]),
    (NPM, ["npx", "--package=mcp-remote", "--", "mcp-remote"]),
    (NPM, ["/opt/homebrew/bin/npx", "-y", "mcp-remote"]),
    (NPM, ["C:\\Program Files\\nodejs\\npx.cmd", "-y", "mcp-remote"]),
    (NPM, ["cmd", "/c", "npx", "-y", "mcp-remote"]),
    (NPM, ["cmd.exe", "/C", "npx", "mcp-remote@latest"]),
    (NPM, ["bunx", "mcp-remote"]),
    (NPM, ["bun", "x", "mcp-remote"]),
    (NPM, ["pnpm", "dlx", "mcp-remote@latest"]),
    (NPM, ["yarn", "dlx", "mcp-remote"]),
    (NPM, ["npm", "exec", "--", "mcp-remote"]),
    (NPM, ["mcp-remote"]),
    (NPM, ["node", "/usr/lib/node_modules/mcp-remote/dist/proxy.js"]),
    (OURS, ["uvx", "mcp-remote-py"]),
    (OURS, ["uvx", "mcp-remote-py@latest"]),
    (OURS, ["uvx", "--from", "mcp-remote-py[aws]", "mcp-remote-py"]),
    (OURS, ["/home/ada/.local/bin/uvx", "--from", "/srv/a.whl", "mcp-remote-py"]),
    (OURS, ["uv", "tool", "run", "mcp-remote-py"]),
    (OURS, ["uv", "run", "mcp-remote-py"]),
    (OURS, ["uv", "--directory", "/src", "run", "mcp-remote-py"]),
    (OURS, ["pipx", "run", "--spec", "mcp-remote-py[aws]", "mcp-remote-py"]),
    (OURS, ["/venv/bin/mcp-remote-py"]),
    (OURS, ["C:\\tools\\mcp-remote-py.exe"]),
    (OURS, ["/venv/bin/python3.12", "-m", "mcp_remote_py"]),
    (OTHER, ["npx", "-y", "@playwright/mcp"]),
    (OTHER, ["docker", "run", "mcp-remote"]),
    (OTHER, ["uvx", "mcp-server-fetch", "mcp-remote-py"]),
    (OTHER, ["npx"]),
    (OTHER, ["node", "server.js"]),
)


@pytest.mark.parametrize(("kind", "words"), COMMANDS, ids=[" ".join(row[1]) for row in COMMANDS])
def test_program_of_an_entry(kind: EntryKind, words: list[str]) -> None:
    found = read_entry({"command": words[0], "args": [*words[1:], URL, "--debug"]})
    assert found.kind is kind
    if kind is not OTHER:
        assert (found.words, found.url) == ((URL, "--debug"), URL)


def test_words_in_one_string_for_a_shell_are_read() -> None:
    command = f"npx -y mcp-remote {URL} --header 'X-Key: a b'"
    found = read_entry({"command": "sh", "args": ["-c", command]})
    assert (found.kind, found.words) == (NPM, (URL, "--header", "X-Key: a b"))


@pytest.mark.parametrize("name", ["url", "serverUrl", "httpUrl"])
def test_entry_of_a_remote_server(name: str) -> None:
    found = read_entry({"type": "http", name: URL, "headers": {"X": "y"}})
    assert (found.kind, found.url) == (NATIVE, URL)


def test_command_within_an_object_as_zed_once_had_it() -> None:
    found = read_entry({"command": {"path": "npx", "args": ["mcp-remote", URL]}})
    assert (found.kind, found.words) == (NPM, (URL,))


def test_command_in_one_list_as_opencode_has_it() -> None:
    found = read_entry({"command": ["npx", "mcp-remote", URL], "environment": {"A": "b"}})
    assert (found.kind, found.words, found.variables) == (NPM, (URL,), {"A": Secret("b")})


def test_command_within_its_transport_as_cline_writes_it() -> None:
    command = {"type": "stdio", "command": "npx", "args": ["mcp-remote", URL], "env": {"A": "b"}}
    found = read_entry({"transport": command})
    assert (found.kind, found.words, found.variables) == (NPM, (URL,), {"A": Secret("b")})
    remote = read_entry({"transport": {"type": "streamableHttp", "url": URL}})
    assert (remote.kind, remote.url) == (NATIVE, URL)


@pytest.mark.parametrize(
    "members", [None, [], "npx", {}, {"command": 3}, {"command": " "}, {"args": ["x"]}, {"url": 1}]
)
def test_what_is_not_an_entry_is_another_one(members: object) -> None:
    assert read_entry(members).kind is OTHER
