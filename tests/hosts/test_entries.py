"""The entry for a server: which words are arguments, and what is kept out of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from mcp_remote_py.cli.options import ALL_OPTIONS
from mcp_remote_py.cli.program import PROXY
from mcp_remote_py.errors import UsageError
from mcp_remote_py.hosts.catalogue import HOSTS_BY_KEY, KNOWN_HOSTS
from mcp_remote_py.hosts.entries import PlannedEntry, Wish, check_name, plan_entry
from mcp_remote_py.hosts.entry_words import join_words, sort_words, take_over
from mcp_remote_py.hosts.launch import Launch

URL = "https://example.com/mcp"
PLACEHOLDERS = {option.name: option.value for option in ALL_OPTIONS if PROXY in option.commands}
KEY = "sk-4f9a8b7c6d5e4f3a2b1c"
ENVIRONMENT = {"HOME": "/home/ada", "DESK_TOKEN": KEY, "TENANT": "t-77", "CI_SECRET": "q8w7e6r5"}


def plan(
    *words: str,
    host: str = "claude-desktop",
    kept: Mapping[str, str] | None = None,
    in_files: bool = False,
) -> PlannedEntry:
    wish = Wish("math", sort_words(words, PLACEHOLDERS), ENVIRONMENT, kept or {}, in_files)
    return plan_entry(
        HOSTS_BY_KEY[host],
        Launch("/bin/uvx", ("mcp-remote-py",)),
        wish,
        lambda path: path if path.startswith("/") else f"/cwd/{path}",
        lambda ending: f"/own/math.{ending}",
    )


# The words that are given, the arguments behind the program's name, and the environment.
ROWS: tuple[tuple[str, Sequence[str], Sequence[str], Mapping[str, str]], ...] = (
    ("nothing but the URL", (URL,), (URL,), {}),
    (
        "a port and switches",
        (URL, "3334", "--debug", "--ipv4"),
        None or (URL, "3334", "--debug", "--ipv4"),
        {},
    ),
    (
        "values as they are",
        (URL, "--transport", "sse-only", "--scope", "a b"),
        (URL, "--transport", "sse-only", "--scope", "a b"),
        {},
    ),
    (
        "values that look like options",
        (URL, "--scope=-a", "--idp-client-id=--debug", f"--header=-X: {KEY}"),
        (
            *(URL, "--scope=-a", "--idp-client-id=--debug"),
            "--header=-X:${MCP_REMOTE_MATH_X}",
        ),
        {"MCP_REMOTE_MATH_X": KEY},
    ),
    (
        "a token in place of the host",
        (f"https://{KEY}.example.com/mcp",),
        ("https://${MCP_REMOTE_MATH_URL_KEY}.example.com/mcp",),
        {"MCP_REMOTE_MATH_URL_KEY": KEY},
    ),
    (
        "a token",
        (URL, "--header", f"Authorization: Bearer {KEY}"),
        (URL, "--header", "Authorization:${MCP_REMOTE_MATH_AUTHORIZATION}"),
        {"MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {KEY}"},
    ),
    (
        "a variable behind a scheme",
        (URL, "--header", "Authorization: Bearer ${DESK_TOKEN}"),
        (URL, "--header", "Authorization:${MCP_REMOTE_MATH_AUTHORIZATION}"),
        {"MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {KEY}"},
    ),
    (
        "a variable alone keeps its name",
        (URL, "--header", "X-Api-Key: ${DESK_TOKEN}"),
        (URL, "--header", "X-Api-Key:${DESK_TOKEN}"),
        {"DESK_TOKEN": KEY},
    ),
    (
        "two headers of one name",
        (URL, "--header", "X-K: one-1", "--header", "X-K: two-2"),
        (URL, "--header", "X-K:${MCP_REMOTE_MATH_X_K}", "--header", "X-K:${MCP_REMOTE_MATH_X_K_2}"),
        {"MCP_REMOTE_MATH_X_K": "one-1", "MCP_REMOTE_MATH_X_K_2": "two-2"},
    ),
    (
        "a key in the URL's query",
        (f"{URL}?api_key={KEY}&v=2",),
        (f"{URL}?api_key=${{MCP_REMOTE_MATH_URL_KEY}}&v=2",),
        {"MCP_REMOTE_MATH_URL_KEY": KEY},
    ),
    (
        "a variable in the URL",
        ("https://example.com/${TENANT}/mcp",),
        ("https://example.com/${TENANT}/mcp",),
        {"TENANT": "t-77"},
    ),
    (
        "files by their full paths",
        (URL, "--ca-cert", "own.pem", "--client-cert", "~/mine.pem", "--log-file", "/srv/log"),
        (
            URL,
            "--ca-cert",
            "/cwd/own.pem",
            "--client-cert",
            "/home/ada/mine.pem",
            "--log-file",
            "/srv/log",
        ),
        {},
    ),
    (
        "a client in a file",
        (URL, "--static-oauth-client-info", "@client.json"),
        (URL, "--static-oauth-client-info", "@/cwd/client.json"),
        {},
    ),
    (
        "a public client",
        (URL, "--static-oauth-client-info", '{"client_id": "desk"}'),
        (URL, "--static-oauth-client-info", '{"client_id":"desk"}'),
        {},
    ),
    (
        "a client with a secret",
        (URL, "--static-oauth-client-info", '{"client_id":"desk","client_secret":"z9y8x7w6v5"}'),
        (
            URL,
            "--static-oauth-client-info",
            '{"client_id":"desk","client_secret":"${MCP_REMOTE_MATH_CLIENT_SECRET}"}',
        ),
        {"MCP_REMOTE_MATH_CLIENT_SECRET": "z9y8x7w6v5"},
    ),
    (
        "a client with a variable",
        (URL, "--static-oauth-client-info", '{"client_id":"desk","client_secret":"${CI_SECRET}"}'),
        (URL, "--static-oauth-client-info", '{"client_id":"desk","client_secret":"${CI_SECRET}"}'),
        {"CI_SECRET": "q8w7e6r5"},
    ),
    (
        "a command with a variable and a key",
        (URL, "--header-command", f"/bin/get --as ${{TENANT}} --key {KEY}"),
        (URL, "--header-command", "/bin/get --as ${TENANT} --key ${MCP_REMOTE_MATH_COMMAND_KEY}"),
        {"TENANT": "t-77", "MCP_REMOTE_MATH_COMMAND_KEY": KEY},
    ),
)


@pytest.mark.parametrize(
    ("given", "arguments", "variables"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_words_become_arguments_and_secrets_the_environment(
    given: Sequence[str], arguments: Sequence[str], variables: Mapping[str, str]
) -> None:
    planned = plan(*given)
    assert planned.words == ["mcp-remote-py", *arguments]
    assert planned.entry.get("env", {}) == variables
    assert planned.files == {}
    assert not any(KEY in word for word in planned.words), "never a secret among them"


def test_what_npm_had_in_its_environment_stays_unless_nothing_refers_to_it() -> None:
    planned = plan(
        URL,
        "--header",
        "Authorization: Bearer ${DESK_TOKEN}",
        kept={"DESK_TOKEN": KEY, "NODE_EXTRA_CA_CERTS": "/ca.pem"},
    )
    assert planned.entry["env"] == {
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "MCP_REMOTE_MATH_AUTHORIZATION": f"Bearer {KEY}",
    }


def test_secrets_in_files_are_no_part_of_the_entry() -> None:
    planned = plan(
        *(URL, "--header", f"X-A: {KEY}", "--debug", "--header", "X-B: ${TENANT}"),
        *("--static-oauth-client-info", '{"client_id":"desk","client_secret":"${CI_SECRET}"}'),
        in_files=True,
    )
    assert planned.words == [
        *("mcp-remote-py", URL, "--header-file", "/own/math.headers", "--debug"),
        *("--static-oauth-client-info", "@/own/math.json"),
    ]
    assert planned.files["/own/math.headers"] == f"X-A: {KEY}\nX-B: t-77\n"
    client = {"client_id": "desk", "client_secret": "q8w7e6r5"}
    assert json.loads(planned.files["/own/math.json"]) == client
    assert "env" not in planned.entry


def test_secret_that_a_file_would_change_stays_in_the_environment() -> None:
    """In a file, ${...} would be taken for a variable."""
    planned = plan(URL, "--header", "X-A: ${DESK_TOKEN}", kept={}, in_files=True)
    assert planned.files == {"/own/math.headers": f"X-A: {KEY}\n"}
    wish = Wish(
        "m", sort_words([URL, "--header", "X-A: ${V}"], PLACEHOLDERS), {"V": "a${b}c"}, {}, True
    )
    kept = plan_entry(HOSTS_BY_KEY["cursor"], Launch("/u"), wish, str, str)
    assert kept.files == {}
    assert kept.entry["env"] == {"V": "a${b}c"}


def test_variable_that_is_no_key_is_not_taken_for_a_secret() -> None:
    """All that is secret is scrubbed from every later line: an ordinary word must not be."""
    wish = Wish("m", sort_words(["https://a.example/${TEAM}/mcp"], PLACEHOLDERS), {"TEAM": "maths"})
    planned = plan_entry(HOSTS_BY_KEY["cursor"], Launch("/u"), wish, str, str)
    assert planned.entry["env"] == {"TEAM": "maths"}
    assert (planned.secrets, planned.secret_variables) == ((), ())


def test_variable_that_is_not_set_is_refused() -> None:
    with pytest.raises(UsageError, match="no environment variable of that name is set"):
        plan(URL, "--header", "X-A: ${MISSING}")


def test_url_of_an_option_with_a_key_is_told_of() -> None:
    planned = plan(URL, "--auth-success-url", f"https://a.example/?token={KEY}")
    assert planned.warnings == (
        "--auth-success-url has a part that may be secret. It stays among the arguments, which"
        " other programs on this machine can read.",
    )


def test_scope_of_a_client_is_not_called_a_secret_where_a_host_tears_it() -> None:
    told = plan(URL, "--static-oauth-client-metadata", '{"scope":"read write"}', host="cursor")
    assert told.words[-1] == '{"scope":"${MCP_REMOTE_MATH_SCOPE}"}'
    assert told.variables == {"MCP_REMOTE_MATH_SCOPE": "read write"}
    assert (told.secret_variables, told.secrets) == ((), ())


def test_host_that_tears_arguments_is_told_of_where_there_are_blanks() -> None:
    assert plan(URL, "--scope", "a b").warnings == ()
    assert plan(URL, "--header", f"Authorization: Bearer {KEY}", host="cursor").warnings == ()
    assert plan(URL, "--scope", "a b", host="cursor").warnings == (
        "Cursor may tear 1 of the words apart, which have blanks in them. If the server does not"
        " start, move what they name to a path without blanks.",
    )


SHAPES = {
    "claude-code": {"type": "stdio"},
    "vscode": {"type": "stdio"},
    "vscode-insiders": {"type": "stdio"},
    "vscodium": {"type": "stdio"},
    "codex": {"startup_timeout_sec": 60},
    "copilot-cli": {"type": "local", "tools": ["*"]},
    "opencode": {"type": "local", "timeout": 60000},
}


@pytest.mark.parametrize("key", list(HOSTS_BY_KEY))
def test_shape_of_the_entry_for_each_host(key: str) -> None:
    entry = plan(URL, host=key).entry
    plain: dict[str, object] = {"command": "/bin/uvx", "args": ["mcp-remote-py", URL]}
    if key == "opencode":
        plain = {"command": ["/bin/uvx", "mcp-remote-py", URL]}
    assert entry == {**plain, **SHAPES.get(key, {})}


@pytest.mark.parametrize(
    ("key", "name", "good"),
    [
        ("claude-desktop", "math", True),
        ("claude-desktop", "my_math-2", True),
        ("claude-desktop", "my math", False),
        ("codex", "a.b", False),
        ("gemini", "my-math", True),
        ("gemini", "my_math", False),
        ("vscode", "日本", False),
        ("codex", "ghp.Ab3dE5gH7jK9", False),
    ],
)
def test_names_that_a_host_can_use(key: str, name: str, good: bool) -> None:
    if good:
        check_name(HOSTS_BY_KEY[key], name)
        return
    with pytest.raises(UsageError, match="may not be able to use the name of the entry") as refused:
        check_name(HOSTS_BY_KEY[key], name)
    assert "Choose one of letters, digits and hyphens, such as " in refused.value.hint
    assert "Ab3dE5gH7jK9" not in refused.value.hint
    assert ("underscore" in refused.value.hint) is (key == "gemini")


def test_what_is_given_wins_over_what_was_there() -> None:
    new = sort_words([URL, "--transport", "sse-only", "--header", "A: 1"], PLACEHOLDERS)
    old = sort_words(
        [
            URL,
            "3334",
            "--header=B: 2",
            "--transport",
            "http-only",
            "--debug",
            "--scope=-a",
            "stray",
        ],
        PLACEHOLDERS,
    )
    assert join_words(take_over(new, old)) == (
        *(URL, "3334", "--transport", "sse-only", "--header", "A: 1", "--debug", "--scope=-a"),
    )


def test_every_option_of_the_relay_is_sorted_by_what_its_value_is() -> None:
    known = {"HEADER", "FILE", "COMMAND", "JSON", "URL", "URI", ""}
    plain = {
        *("STRATEGY", "ERA", "SECONDS", "SIZE", "NAME", "SCOPES", "KEY=VALUE", "HOST", "PATH"),
        *("ALGORITHM", "ID", "STORE", "REGION", "PATTERN", "NAME=VALUE"),
    }
    assert set(PLACEHOLDERS.values()) - known == plain, "is a new kind of value secret?"


def test_entries_are_values_that_json_and_toml_can_write() -> None:
    for host in KNOWN_HOSTS:
        entry = cast("dict[str, Any]", plan(URL, host=host.key).entry)
        assert json.loads(json.dumps(entry)) == entry
