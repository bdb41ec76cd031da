"""The name that is suggested for an entry. What is said around it is `test_login`'s."""

from __future__ import annotations

import pytest

from mcp_remote_py.commands.next_steps import describe_next_steps, suggest_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mcp.linear.app", "linear"),
        ("api.githubcopilot.com", "githubcopilot"),
        ("example.com", "example"),
        ("mcp.example.co.uk", "example"),
        ("mcp.eu.acme.com", "acme"),
        ("MCP.My-Company.io", "my-company"),
        ("mcp.com", "my-server"),
        ("127.0.0.1", "my-server"),
        ("::1", "my-server"),
        ("localhost", "my-server"),
    ],
)
def test_name_tells_whose_server_it_is(host: str, name: str) -> None:
    assert suggest_name(host) == name


@pytest.mark.promise("P2")
def test_what_the_entry_needs_of_the_environment_has_a_place_in_it() -> None:
    entry = ["--header", "X-Key: ${KEY}", "--profile", "b\u00fcro"]
    told = list(
        describe_next_steps(
            "mcp.example.com",
            "https://mcp.example.com/",
            entry,
            {"SSL_CERT_FILE": "/ca.pem"},
            "uvx ",
        )
    )
    assert '      "X-Key: ${KEY}",' in told
    assert told[told.index('    "env": {') :][:4] == [
        '    "env": {',
        '      "KEY": "****",',
        '      "SSL_CERT_FILE": "/ca.pem"',
        "    }",
    ]
    words = "https://mcp.example.com/ --header 'X-Key: ${KEY}' --profile 'b\u00fcro'"
    assert f"Or have it written there: uvx mcp-remote-py install example {words}" in told
    assert told[-1] == f"  uvx mcp-remote-py check {words}"
