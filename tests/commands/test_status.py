"""What is shown of sessions, from records on disk: words, JSON, exit status, and no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.commands.status import run_status
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.stored import SessionPattern, StatusSettings
from mcp_remote_py.settings.urls import parse_server_url
from tests.harness.host import environment_for

SERVER = "https://mcp.example.com/mcp"
NOW = 1_700_000_000.0
PATIENCE = 20.0
"""Seconds for a process of the test."""


def folder_in(home: Path) -> Path:
    return state_directory({"MCP_REMOTE_CONFIG_DIR": str(home)})


def show(
    home: Path,
    server: str | None = None,
    profile: str | None = None,
    resource: str | None = None,
    as_json: bool = False,
) -> tuple[int, str]:
    lines: list[str] = []
    named = None if server is None else parse_server_url(server)
    settings = StatusSettings(SessionPattern(named, resource, profile), json=as_json)
    status = run_status(settings, {"MCP_REMOTE_CONFIG_DIR": str(home)}, lines.append, lambda: NOW)
    return status, "\n".join(lines)


def show_json(home: Path, server: str | None = None) -> list[dict[str, Any]]:
    return json.loads(show(home, server, as_json=True)[1])["sessions"]


def remember_sessions(home: Path) -> None:
    SessionFile(folder_in(home), SessionId(SERVER, "https://tenant.example.com/", "work")).update(
        transport="Streamable HTTP",
        issuer="https://auth.example.com",
        scope="read write",
        account="jane@example.com",
        store="keyring",
        port=3334,
        signed_in_at=NOW - 7250,
        expires_at=NOW + 3600,
    )
    SessionFile(folder_in(home), SessionId(SERVER)).update(
        transport="HTTP+SSE",
        last_error="The server refused:\n\x1b[31mno such client.",
        last_hint="To try again: mcp-remote-py login URL.",
        budget=SignInBudget(
            tabs=(NOW - 1800, NOW - 1200),
            vain_tabs=2,
            renewal_failures=3,
            renew_after=NOW + 75,
        ),
    )


@pytest.mark.promise("P2")
def test_everything_known_is_shown_in_words(tmp_path: Path) -> None:
    remember_sessions(tmp_path)
    assert show(tmp_path) == (
        0,
        """\
https://mcp.example.com/mcp
  signed in     no
  transport     HTTP+SSE
  next sign-in  by itself in 40 minutes; 2 came to nothing. Now: mcp-remote-py login SERVER
  next renewal  in 75 seconds, after 3 without an answer
  last error    The server refused: [31mno such client. To try again: mcp-remote-py login SERVER

https://mcp.example.com/mcp
  profile       work
  resource      https://tenant.example.com/
  signed in     2023-11-14 20:12 UTC (2 hours ago), as jane@example.com
  issuer        https://auth.example.com
  scopes        read write
  expires       2023-11-14 23:13 UTC (in 1 hour); renewed where the server allows it
  kept in       keyring
  transport     Streamable HTTP""".replace("SERVER", SERVER),
    )


@pytest.mark.promise("P2")
def test_command_that_is_named_is_that_of_the_session(tmp_path: Path) -> None:
    SessionFile(
        folder_in(tmp_path), SessionId(SERVER, "https://tenant.example.com/", "my work")
    ).update(
        last_error="Declined.",
        last_hint="To try again: mcp-remote-py login URL.",
        budget=SignInBudget(tabs=(NOW - 60,), vain_tabs=1),
    )
    command = (
        f"mcp-remote-py login {SERVER} --profile 'my work' --resource https://tenant.example.com/"
    )
    lines = show(tmp_path)[1].splitlines()
    assert [line for line in lines if "login" in line] == [
        f"  next sign-in  by itself in 9 minutes; 1 came to nothing. Now: {command}",
        f"  last error    Declined. To try again: {command}",
    ]
    assert show_json(tmp_path)[0]["last_hint"] == f"To try again: {command}"


@pytest.mark.promise("P2")
def test_command_that_is_named_has_the_options_of_the_sign_in(tmp_path: Path) -> None:
    record = SessionFile(folder_in(tmp_path), SessionId(SERVER, "", "client-credentials"))
    options = "--client-credentials --static-oauth-client-info '****'"
    for said in ("", options):  # a record of an earlier version has none
        record.amend(lambda _: SignInBudget(tabs=(NOW - 60,), vain_tabs=1), login_options=said)
        (line,) = [line for line in show(tmp_path)[1].splitlines() if "login" in line]
        expected = said or "--profile client-credentials"
        assert f"Now: mcp-remote-py login {SERVER} {expected}" in line
    assert line.endswith("(**** stands for a part that may be secret: write it out there.)")


@pytest.mark.promise("P2")
def test_command_for_a_server_nobody_knows_has_the_session_that_was_asked_for(
    tmp_path: Path,
) -> None:
    status, said = show(tmp_path, SERVER, "my work", "https://tenant.example.com/")
    assert status == 3
    assert said == (
        f"Nothing is known of {SERVER}. To sign in: mcp-remote-py login {SERVER} "
        "--profile 'my work' --resource https://tenant.example.com/"
    )


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (SignInBudget(renew_after=NOW + 75, renewal_failures=3), "after 3 without an answer"),
        (SignInBudget(renewed_at=NOW, vain_renewals=2), "after 2 that came to nothing"),
    ],
)
def test_renewal_that_must_wait_says_after_what(
    tmp_path: Path, budget: SignInBudget, words: str
) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(signed_in_at=NOW, budget=budget)
    assert words in show(tmp_path)[1]


@pytest.mark.promise("P2")
def test_everything_known_is_shown_as_json(tmp_path: Path) -> None:
    remember_sessions(tmp_path)
    assert show_json(tmp_path) == [
        {
            "server": SERVER,
            "profile": "",
            "resource": "",
            "signed_in": False,
            "signed_in_at": None,
            "account": None,
            "issuer": None,
            "scopes": [],
            "expires_at": None,
            "expired": False,
            "store": None,
            "transport": "HTTP+SSE",
            "port": None,
            "last_error": "The server refused:\n\x1b[31mno such client.",
            "last_hint": f"To try again: mcp-remote-py login {SERVER}",
            "vain_tabs": 2,
            "next_tab_in": 2400.0,
            "next_renewal_in": 75.0,
        },
        {
            "server": SERVER,
            "profile": "work",
            "resource": "https://tenant.example.com/",
            "signed_in": True,
            "signed_in_at": "2023-11-14T20:12:30Z",
            "account": "jane@example.com",
            "issuer": "https://auth.example.com",
            "scopes": ["read", "write"],
            "expires_at": "2023-11-14T23:13:20Z",
            "expired": False,
            "store": "keyring",
            "transport": "Streamable HTTP",
            "port": 3334,
            "last_error": None,
            "last_hint": None,
            "vain_tabs": 0,
            "next_tab_in": 0.0,
            "next_renewal_in": 0.0,
        },
    ]


@pytest.mark.parametrize(
    ("expires_at", "words", "expired"),
    [
        (None, "not said by the server", False),
        (NOW + 1, "(in 1 second); renewed where the server allows it", False),
        (NOW + 200_000, "(in 2 days); renewed where the server allows it", False),
        (NOW, "(0 seconds ago); renewed when it is used next where", True),
        (NOW - 90, "(1 minute ago); renewed when it is used next where", True),
        (1e300, "too far ahead to show; renewed where", False),
    ],
)
def test_expiry(tmp_path: Path, expires_at: float | None, words: str, expired: bool) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(
        signed_in_at=NOW, expires_at=expires_at
    )
    assert words in show(tmp_path)[1]
    assert show_json(tmp_path)[0]["expired"] is expired


def test_expiry_of_a_sign_in_that_is_over_is_not_shown(tmp_path: Path) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(expires_at=NOW)
    assert "expires" not in show(tmp_path)[1]


@pytest.mark.parametrize(
    ("server", "profile", "resource", "count", "status"),
    [
        (SERVER, None, None, 2, 0),
        (SERVER, "work", None, 1, 0),
        (SERVER, None, "https://tenant.example.com/", 1, 0),
        (SERVER, "other", None, 0, 3),
        (SERVER, "", None, 1, 3),
        ("https://other.example.com/", None, None, 0, 3),
        (None, "work", None, 1, 0),
        (None, "other", None, 0, 0),
    ],
)
def test_only_what_is_asked_for_is_shown_and_exit_status_says_whether_signed_in(
    tmp_path: Path,
    server: str | None,
    profile: str | None,
    resource: str | None,
    count: int,
    status: int,
) -> None:
    remember_sessions(tmp_path)
    found, text = show(tmp_path, server, profile, resource)
    assert (found, text.count("signed in  ")) == (status, count)
    found, text = show(tmp_path, server, profile, resource, as_json=True)
    assert (found, len(json.loads(text)["sessions"])) == (status, count)


def test_nothing_known_is_said_with_the_next_step(tmp_path: Path) -> None:
    assert show(tmp_path) == (0, "Nothing is known of any server yet.")
    assert show(tmp_path, SERVER) == (
        3,
        f"Nothing is known of {SERVER}. To sign in: mcp-remote-py login {SERVER}",
    )
    assert show_json(tmp_path) == []


@pytest.mark.promise("S2")
def test_key_in_an_address_is_not_shown(tmp_path: Path) -> None:
    server = f"{SERVER}?key=status-canary-1"
    SessionFile(folder_in(tmp_path), SessionId(server)).update(signed_in_at=NOW)
    for as_json in (False, True):
        status, text = show(tmp_path, server, as_json=as_json)
        assert status == 0
        assert "?key=****" in text
        assert "canary" not in text
    assert "canary" not in show(tmp_path, f"{SERVER}/2?key=status-canary-2")[1]


@pytest.mark.promise("P2", "S2")
@pytest.mark.timeout(PATIENCE + 5)
def test_command_loads_no_network_no_keyring_and_no_sign_in(tmp_path: Path) -> None:
    """A keyring that is never imported cannot ask for its password."""
    environment = environment_for(tmp_path)
    SessionFile(state_directory(environment), SessionId(SERVER)).update(signed_in_at=NOW)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; from mcp_remote_py.cli.main import main;"
            "status = main(['status', *sys.argv[1:]], os.environ, sys.stdout, sys.stderr);"
            "print('imported:', *sys.modules);"
            "sys.exit(status)",
            SERVER,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown, _, names = done.stdout.partition("imported:")
    assert shown.startswith(f"{SERVER}\n  signed in ")
    imported = {name.partition(".")[0] for name in names.split()}
    assert "msgspec" in imported
    assert not imported & {
        "asyncio", "authlib", "cryptography", "httpcore", "httpx", "jeepney", "keyring", "mcp",
        "secretstorage", "ssl",
    }  # fmt: skip
    ours = {name for name in names.split() if name.startswith("mcp_remote_py.")}
    assert not [name for name in ours if ".signin" in name]
    assert {name for name in ours if ".oauth." in name} == {"mcp_remote_py.oauth.budget"}
