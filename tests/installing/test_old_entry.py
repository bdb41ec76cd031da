"""What `install` takes over from the entry whose place the new one takes."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.installing.desk import HEADER, TOKEN, URL, Desk

CURSOR = ".cursor/mcp.json"
CODEX = ".codex/config.toml"
NOTE = "Note: The headers of the entry that is there are taken over."
REFERENCE = ["Authorization:${MCP_REMOTE_MATH_AUTHORIZATION}"]


def put_entry(desk: Desk, entry: dict[str, Any]) -> None:
    desk.put(CURSOR, json.dumps({"mcpServers": {"math": entry}}))


def entry_of(desk: Desk) -> dict[str, Any]:
    entry: dict[str, Any] = desk.read(CURSOR)["mcpServers"]["math"]
    return entry


@pytest.mark.report("E7")
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (f"Bearer {TOKEN}", f"Bearer {TOKEN}"),
        ("Bearer ${env:MY_OWN_TOKEN}", "Bearer ${env:MY_OWN_TOKEN}"),
    ],
)
def test_headers_of_a_host_that_reaches_the_server_itself_are_kept(
    desk: Desk, value: str, kept: str
) -> None:
    put_entry(desk, {"url": URL, "headers": {"Authorization": value}, "note": "mine"})
    done = desk.run("install", "math", URL, answers="y\n")
    assert done.status == 0, done.text
    assert NOTE in done.said
    assert TOKEN not in done.text
    entry = entry_of(desk)
    assert entry["args"] == [URL, "--header", *REFERENCE]
    assert (entry["env"]["MCP_REMOTE_MATH_AUTHORIZATION"], entry["note"]) == (kept, "mine")


def test_headers_that_codex_sends_are_kept(desk: Desk) -> None:
    desk.extra["MINE"] = TOKEN
    lines = (
        "[mcp_servers.math]",
        f'url = "{URL}"',
        'bearer_token_env_var = "MINE"',
        'http_headers = { X-A = "one" }',
        'env_http_headers = { X-B = "MINE" }',
    )
    desk.put(CODEX, "\n".join(lines))
    done = desk.run("install", "math", URL, "--client", "codex", "--yes")
    assert done.status == 0, done.text
    entry = desk.read(CODEX)["mcp_servers"]["math"]
    assert entry["args"] == [
        URL,
        *("--header", "X-A:${MCP_REMOTE_MATH_X_A}"),
        *("--header", "X-B:${MINE}"),
        *("--header", *REFERENCE),
    ]
    assert entry["env"] == {
        "MCP_REMOTE_MATH_X_A": "one",
        "MINE": TOKEN,
        "MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {TOKEN}",
    }


def test_header_that_is_given_counts_and_not_those_of_the_entry(desk: Desk) -> None:
    put_entry(desk, {"url": URL, "headers": {"Authorization": "Bearer old", "X-Old": "old"}})
    done = desk.run("install", "math", URL, *HEADER, "--yes")
    assert NOTE not in done.said
    assert entry_of(desk)["args"] == [URL, "--header", *REFERENCE]
    assert entry_of(desk)["env"] == {"MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {TOKEN}"}


def test_headers_for_another_server_are_not_sent_to_this_one(desk: Desk) -> None:
    put_entry(desk, {"url": "https://other.test/mcp", "headers": {"Authorization": TOKEN}})
    done = desk.run("install", "math", URL, "--yes")
    assert done.status == 0, done.text
    assert entry_of(desk)["args"] == [URL]
    assert TOKEN not in json.dumps(entry_of(desk))


def test_headers_of_a_project_do_not_send_what_is_the_persons_own(desk: Desk) -> None:
    desk.extra["MINE"] = TOKEN
    entry = {"type": "http", "url": URL, "headers": {"X": "${MINE}"}}
    file = desk.put("project/.vscode/mcp.json", json.dumps({"servers": {"math": entry}}))
    done = desk.run("install", "math", URL, "--config", str(file), "--yes")
    assert done.status == 2
    assert f"it would send what your variable MINE has to {URL}." in done.logged
    given = desk.run(
        "install", "math", URL, "--config", str(file), "--yes", "--header", "X:${MINE}"
    )
    assert given.status == 0, given.text


@pytest.mark.report("E7")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--frobnicate"],
            "Unknown option --frobnicate. mcp-remote-py --help-all lists the options.",
        ),
        (
            ["--header", "X: ${MINE}"],
            "${MINE} is used, but no environment variable of that name is set. Set it first: "
            'export MINE="…", or write the value in its place, as in --header '
            '"Authorization: Bearer TOKEN".',
        ),
    ],
)
def test_mistake_of_the_entry_is_not_the_persons(desk: Desk, words: list[str], said: str) -> None:
    put_entry(desk, {"command": "npx", "args": ["mcp-remote", URL, *words]})
    done = desk.run("install", "math", URL, "--yes")
    assert done.status == 2
    command = "mcp-remote-py uninstall math --client cursor"
    assert done.logged == (
        f"mcp-remote-py: error: The entry math in {desk.home / CURSOR} cannot be taken over as it "
        f"is: {said} Or take that entry out first: {command}\n"
    )
    out = desk.run(*shlex.split(command)[1:], "--yes")
    assert out.status == 0, out.text
    assert desk.run("install", "math", URL, "--yes").status == 0


@pytest.mark.report("E7")
def test_entry_of_npm_in_a_line_for_a_shell_is_converted(desk: Desk) -> None:
    line = f'source ~/.nvm/nvm.sh && npx -y mcp-remote {URL} 3334 --header "X-Key: $MINE"'
    put_entry(desk, {"command": "bash", "args": ["-lc", line], "env": {"MINE": TOKEN}})
    done = desk.run("install", "math", URL, answers="\n")
    assert done.status == 0, done.text
    assert "math starts npm's mcp-remote. Convert it? [Y/n]" in done.said
    assert entry_of(desk)["args"] == [URL, "3334", "--header", "X-Key:${MINE}"]
    assert entry_of(desk)["env"] == {"MINE": TOKEN}
    assert TOKEN not in done.text
