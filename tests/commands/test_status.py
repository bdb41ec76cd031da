"""What is shown of sessions, from records on disk: words, JSON, exit status, and no secret."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.commands.status import run_status
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.budget import SignInBudget
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.stored import SessionPattern, StatusSettings
from mcp_remote_py.settings.urls import parse_server_url
from tests.fakes import console_of, to_cet
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
    width: int | None = None,
) -> tuple[int, str]:
    lines: list[str] = []
    named = None if server is None else parse_server_url(server)
    settings = StatusSettings(SessionPattern(named, resource, profile), json=as_json)
    known = {"MCP_REMOTE_CONFIG_DIR": str(home), "HOME": str(home / "nobody")}
    status = run_status(settings, known, console_of(lines, width), lambda: NOW, to_cet)
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
  next sign-in  a page opens by itself in 40 minutes at the earliest, because the last 2 were not \
finished
  next renewal  in 75 seconds at the earliest (tries without an answer: 3)
  last error    The server refused: [31mno such client.
  to do         To try again: mcp-remote-py login SERVER

https://mcp.example.com/mcp
  signed in  yes, since 2023-11-14 21:12 CET (2 hours ago), as jane@example.com
  profile    work
  resource   https://tenant.example.com/
  issuer     https://auth.example.com
  scopes     read write
  expires    2023-11-15 00:13 CET (in 1 hour); it is renewed by itself, where the server allows it
  kept in    keyring
  transport  Streamable HTTP""".replace("SERVER", SERVER),
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
    assert lines[-3:] == [
        "  next sign-in  a page opens by itself in 9 minutes at the earliest, because the last one "
        "was not finished",
        "  last error    Declined.",
        f"  to do         To try again: {command}",
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
        assert f"to do         Sign in: mcp-remote-py login {SERVER} {expected}" in line
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


@pytest.mark.promise("P2")
def test_other_sign_ins_are_not_told_as_none(tmp_path: Path) -> None:
    remember_sessions(tmp_path)
    said = "Nothing is known of such a sign-in. Without options, all are shown."
    assert show(tmp_path, profile="other") == (0, said)


@pytest.mark.promise("P2")
def test_error_without_a_command_is_followed_by_the_one_that_signs_in(tmp_path: Path) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(
        last_error="Away.", last_hint="Check the network and try again."
    )
    assert show(tmp_path)[1].splitlines()[1:] == [
        "  signed in   no",
        "  last error  Away.",
        f"  to do       Check the network and try again. Sign in: mcp-remote-py login {SERVER}",
    ]


@pytest.mark.promise("P2")
@pytest.mark.parametrize("width", [40, 60, 120])
def test_at_a_terminal_columns_stay_within_its_width_and_commands_whole(
    tmp_path: Path, width: int
) -> None:
    remember_sessions(tmp_path)
    lines = re.sub(r"\x1b\[\d*m", "", show(tmp_path, width=width)[1]).splitlines()
    command = f"mcp-remote-py login {SERVER}"
    assert all(len(line) < width for line in lines if "://" not in line), "but for addresses"
    assert sum(command in line for line in lines) == 1
    whole = " ".join(" ".join(lines).split())
    assert "because the last 2 were not finished" in whole
    shown = show(tmp_path, width=width)[1]
    assert "\x1b[33mno\x1b[0m\n" in shown, "its words tell it without the colour"


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (SignInBudget(renew_after=NOW + 75, renewal_failures=3), "(tries without an answer: 3)"),
        (
            SignInBudget(renewed_at=NOW, vain_renewals=2, rejected=NOW),
            "tokens that the server did not take: 2)",
        ),
        (
            SignInBudget(renewed_at=NOW, vain_renewals=2),
            "tokens that ended before they were used: 2)",
        ),
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
            "renewable": None,
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
            "renewable": None,
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
        (None, "the server does not say when", False),
        (NOW + 1, "(in 1 second); it is renewed by itself, where the server", False),
        (NOW + 200_000, "(in 2 days); it is renewed by itself, where the server", False),
        (NOW, "(0 seconds ago); it is renewed when it is used next, where", True),
        (NOW - 90, "(1 minute ago); it is renewed when it is used next, where", True),
        (1e300, "too far ahead to show; it is renewed", False),
    ],
)
def test_expiry(tmp_path: Path, expires_at: float | None, words: str, expired: bool) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(
        signed_in_at=NOW, expires_at=expires_at
    )
    assert words in show(tmp_path)[1]
    assert show_json(tmp_path)[0]["expired"] is expired


def test_a_sign_in_that_has_expired_and_cannot_be_renewed_is_not_called_one(tmp_path: Path) -> None:
    record = SessionFile(folder_in(tmp_path), SessionId(SERVER))
    record.update(signed_in_at=NOW - 60, expires_at=NOW - 5, renewable=False)
    assert show(tmp_path, SERVER) == (
        3,
        f"{SERVER}\n"
        "  signed in  no: it expired 5 seconds ago and cannot be renewed\n"
        f"  to do      Sign in again: mcp-remote-py login {SERVER}",
    )
    (session,) = show_json(tmp_path)
    assert (session["signed_in"], session["expired"], session["renewable"]) == (False, True, False)
    record.update(expires_at=NOW + 3600)
    status, text = show(tmp_path, SERVER)
    assert (status, "(in 1 hour); it cannot be renewed: sign in again then" in text) == (0, True)
    record.update(expires_at=NOW - 5, renewable=True)
    status, text = show(tmp_path, SERVER)
    assert (status, "(5 seconds ago); it is renewed when it is used next" in text) == (0, True)


@pytest.mark.parametrize("as_json", [False, True])
def test_folder_that_cannot_be_read_is_not_told_as_nobody(tmp_path: Path, as_json: bool) -> None:
    folder_in(tmp_path).write_text("a file in its place")
    with pytest.raises(StoreError) as caught:
        show(tmp_path, as_json=as_json)
    assert caught.value.sentence() == (
        f"Who is signed in cannot be found out: {folder_in(tmp_path)} cannot be read: Not a"
        " directory. Make that folder yours and writable, or name another in MCP_REMOTE_CONFIG_DIR."
    )


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
    assert (found, text.count("  signed in")) == (status, count)
    found, text = show(tmp_path, server, profile, resource, as_json=True)
    assert (found, len(json.loads(text)["sessions"])) == (status, count)


def test_nothing_known_is_said_with_the_next_step(tmp_path: Path) -> None:
    assert show(tmp_path) == (
        0,
        "Nobody has signed in yet.\n"
        "To write an entry for a host: mcp-remote-py install NAME ADDRESS\n"
        "To sign in: mcp-remote-py login ADDRESS",
    )
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


def test_scopes_without_end_do_not_flood_the_screen(tmp_path: Path) -> None:
    SessionFile(folder_in(tmp_path), SessionId(SERVER)).update(scope="w" * 100_000)
    _, text = show(tmp_path)
    assert f"{'w' * 199}…" in text
    assert len(text) < 1000


@pytest.mark.promise("P2", "S2")
@pytest.mark.timeout(PATIENCE + 5)
def test_command_loads_no_network_no_keyring_and_no_sign_in(tmp_path: Path) -> None:
    """A keyring that is never imported cannot ask for its password."""
    environment = environment_for(tmp_path, {"TZ": "XYZ-1XYST,M3.5.0,M10.5.0/3"})
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
    # Winter in a zone that is told without any data of zones.
    assert shown.startswith(f"{SERVER}\n  signed in  yes, since 2023-11-14 23:13 XYZ (")
    imported = {name.partition(".")[0] for name in names.split()}
    assert "msgspec" in imported
    assert not imported & {
        "asyncio", "authlib", "cryptography", "httpcore", "httpx", "jeepney", "keyring", "mcp",
        "secretstorage", "ssl",
    }  # fmt: skip
    ours = {name for name in names.split() if name.startswith("mcp_remote_py.")}
    assert not [name for name in ours if ".signin" in name]
    assert {name for name in ours if ".oauth." in name} == {"mcp_remote_py.oauth.budget"}
