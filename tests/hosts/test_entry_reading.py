"""What an entry is that somebody has written: rows of entries as they are found."""

from __future__ import annotations

import pytest

from mcp_remote_py.hosts.entry_reading import EntryKind, is_one_line, read_entry
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
    (NPM, ["cmd", "/d", "/s", "/c", "npx", "-y", "mcp-remote"]),
    (NPM, ["bash", "-c", "npx", "mcp-remote"]),
    (NPM, ["env", "npx", "mcp-remote"]),
    (NPM, ["wsl.exe", "-d", "Ubuntu", "npx", "-y", "mcp-remote"]),
    (NPM, ["mise", "exec", "node@22", "--", "npx", "-y", "mcp-remote"]),
    (NPM, ["fnm", "exec", "--using", "22", "npx", "-y", "mcp-remote"]),
    (NPM, ["volta", "run", "--node", "22", "npx", "mcp-remote"]),
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
    (OTHER, ["op", "run", "--", "npx", "mcp-remote"]),
    (OTHER, ["mise", "run", "npx", "mcp-remote"]),
    (OTHER, ["bash", "start.sh", "-c", "npx", "mcp-remote"]),
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


LINES: tuple[tuple[str, list[str], str, dict[str, str]], ...] = (
    ("bash", ["-lc", "exec npx -y mcp-remote {} --header 'X:${{K}}'"], "X:${K}", {}),
    ("/bin/sh", ["-l", "-c", 'npx mcp-remote {} --header "X: $K"'], "X: ${K}", {}),
    ("zsh", ["-c", ". ~/.nvm/nvm.sh; nvm use 22 && npx mcp-remote {} --header X:1"], "X:1", {}),
    (
        "sh",
        ["-c", "export K=a; J=b npx mcp-remote {} --header X:$K 2>/tmp/log"],
        "X:${K}",
        {"K": "a", "J": "b"},
    ),
    ("cmd.exe", ["/c", 'npx -y mcp-remote {} --header "X:%K%"'], "X:${K}", {}),
    ("cmd", ["/s", "/c", "C:\\node\\npx.cmd mcp-remote {} --header X:1"], "X:1", {}),
    ("pwsh", ["-NoProfile", "-Command", "npx mcp-remote {} --header X:$env:K"], "X:${K}", {}),
    (
        "powershell",
        ["-ExecutionPolicy", "Bypass", "-c", "npx mcp-remote {} --header X:1"],
        "X:1",
        {},
    ),
    (
        "env",
        ["-u", "A", "K=a", "npx", "mcp-remote", "{}", "--header", "X:${{K}}"],
        "X:${K}",
        {"K": "a"},
    ),
    ("wsl", ["bash", "-c", "env K=a npx mcp-remote {} --header X:1"], "X:1", {"K": "a"}),
    ("npx mcp-remote {} --header X:1", [], "X:1", {}),
)


@pytest.mark.report("E7")
@pytest.mark.parametrize(("command", "words", "header", "variables"), LINES)
def test_program_in_a_line_is_read(
    command: str, words: list[str], header: str, variables: dict[str, str]
) -> None:
    entry = {"command": command.format(URL), "args": [word.format(URL) for word in words]}
    found = read_entry(entry)
    assert (found.kind, found.words, found.url) == (NPM, (URL, "--header", header), URL)
    assert {name: one.reveal() for name, one in found.variables.items()} == variables
    assert is_one_line(entry) is (not words)


@pytest.mark.parametrize(
    "line",
    [
        "K=$(op read op://a/b) npx mcp-remote {}",
        "npx mcp-remote {} --header X:`cat key`",
        "npx mcp-remote {} --header 'X",
        "nvm use 22",
        "",
    ],
)
def test_what_only_a_shell_knows_is_another_program(line: str) -> None:
    assert read_entry({"command": "sh", "args": ["-c", line.format(URL)]}).kind is OTHER


def test_program_with_a_blank_in_its_path_is_not_a_line() -> None:
    entry = {"command": "/opt/My Tools/mcp-remote-py", "args": [URL]}
    assert read_entry(entry).kind is OURS
    assert not is_one_line(entry)


@pytest.mark.report("T17")
@pytest.mark.parametrize(
    "word", [f"'{URL}'", f'"{URL}"', f"<{URL}>", "${HERE}", "https://${HOST}/mcp"]
)
def test_address_is_read_as_we_read_it_at_the_start(word: str) -> None:
    variables = {"HERE": URL, "HOST": "example.com"}
    found = read_entry({"command": "npx", "args": ["mcp-remote", word], "env": variables})
    assert (found.kind, found.url, found.words) == (NPM, URL, (word,))


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
