"""What each command gets says what of it is secret."""

from __future__ import annotations

import pytest

from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import ProxySettings, ToolRules
from mcp_remote_py.settings.headers import Header, HeaderSettings
from mcp_remote_py.settings.network import Network
from tests.settings.given import server


class TestSecrets:
    @pytest.mark.promise("S2")
    def test_everything_secret_in_the_settings_is_listed(self) -> None:
        settings = ProxySettings(
            server("https://e.com/mcp?key=abcdefgh%3D&v=1&flag"),
            HeaderSettings(given=(Header("A", Secret("Bearer token123")),)),
            Network(proxies=(("https_proxy", Secret("http://u:p%40ss@p:1")),)),
        )
        found = {secret.reveal() for secret in settings.secrets}
        assert found == {
            "Bearer token123",
            "http://u:p%40ss@p:1",
            "u:p%40ss",
            "p%40ss",
            "p@ss",
            "dTpwQHNz",  # as Basic sends them
            "abcdefgh%3D",
            "abcdefgh=",
        }

    def test_settings_without_secrets(self) -> None:
        network = Network(proxies=(("https_proxy", Secret("http://p:1")),))
        settings = ProxySettings(server("https://e.com/mcp"), network=network)
        assert settings.secrets == ()
        assert ProxySettings(server("https://e.com/mcp?a=b")).secrets == ()


def test_tool_rules_restrict_only_when_one_is_set() -> None:
    assert not ToolRules().restrict
    assert ToolRules(allow=("a",)).restrict
    assert ToolRules(ignore=("a",)).restrict
    assert ToolRules(read_only=True).restrict
