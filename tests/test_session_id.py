"""One account at one server has one name for each kind of file, for good."""

from __future__ import annotations

import pytest

from mcp_remote_py.session_id import SessionId, session_of
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.urls import parse_server_url


def key(url: str, resource: str | None = None, profile: str = "") -> str:
    chosen = SignInSettings(resource=resource, profile=profile)
    return session_of(parse_server_url(url), chosen).key


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("https://MCP.Example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:443/mcp", "HTTPS://mcp.example.com/mcp"),
        ("https://mcp.example.com", "https://mcp.example.com/"),
        ("https://mcp.example.com/mcp#part", "https://mcp.example.com/mcp"),
    ],
)
def test_spellings_of_one_server_are_one_session(one: str, same: str) -> None:
    assert key(one) == key(same)


def test_what_is_typed_tells_sessions_apart() -> None:
    url = "https://mcp.example.com/mcp"
    keys = [
        key(url),
        key(url + "/"),
        key(url + "?"),
        key("https://mcp.example.com/MCP"),
        key("https://mcp.example.com:8443/mcp"),
        key(url, "https://mcp.example.com"),
        key(url, None, "work"),
        key(url, "work"),
    ]
    assert len(set(keys)) == len(keys)


def test_key_is_a_name_for_files_and_stays_what_it_is() -> None:
    """Another value would sign everybody out at the next upgrade (field note 39)."""
    assert key("https://mcp.example.com/mcp?tenant=1", "https://r.example.com", "work") == (
        "e7afe192659e42d9ce2f2a6f0d07398a7157c18ae8fdf2681152e8686138cfc3"
    )


def test_first_versions_name_of_a_record_is_kept() -> None:
    assert SessionId("https://example.com/mcp").record_name == "c3d80a4ed901ee05b21755a88273b4a4"


def test_sessions_differ_by_each_of_the_three() -> None:
    sessions = {
        SessionId(server, resource, profile)
        for server in ("https://a.example/", "https://b.example/")
        for resource in ("", "urn:tenant", "work")
        for profile in ("", "work", "home")
    }
    assert len({one.record_name for one in sessions}) == len({one.key for one in sessions}) == 18
