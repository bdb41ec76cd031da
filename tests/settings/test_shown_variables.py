"""Which variables of an entry a person sees as they are: one table for all commands."""

from __future__ import annotations

import pytest

from mcp_remote_py.settings.network import CA_VARIABLES
from mcp_remote_py.settings.shown_variables import show_variable, show_variables

SHOWN = (
    *((name, "/etc/ssl/company.pem") for name in CA_VARIABLES),
    ("MCP_REMOTE_CONFIG_DIR", "/home/ada/own"),
    ("AWS_PROFILE", "prod"),
    ("AWS_REGION", "eu-west-1"),
    ("no_proxy", "localhost,.example.com"),
    ("HTTPS_PROXY", "http://proxy.example:3128"),
    ("https_proxy", "proxy.example:3128"),
    ("UV_INDEX", "one=https://pypi.example/simple https://other.example/simple"),
    ("UV_OFFLINE", "1"),
    ("ANY", "${input:token}"),
    ("ANY", "Bearer ${input:token}"),
    ("ANY", "${KEY}"),
)
MASKED = (
    ("HTTPS_PROXY", "http://ada:canary-7f3a@proxy.example:3128"),
    ("HTTPS_PROXY", "ada:canary-7f3a@proxy.example:3128"),
    ("UV_INDEX", "https://pypi.example/simple https://canary-7f3a@other.example/simple"),
    ("PIP_INDEX_URL", "https://pypi.example/simple?key=canary-7f3a"),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE7Q2"),
    ("AWS_SECRET_ACCESS_KEY", "canary-7f3a"),
    ("ANY", "plain"),
    ("ANY", "canary-7f3a ${KEY}"),
)


@pytest.mark.parametrize(("name", "value"), SHOWN)
def test_what_names_files_places_and_servers_is_shown(name: str, value: str) -> None:
    assert show_variable(name, value) == value


@pytest.mark.parametrize(("name", "value"), MASKED)
def test_what_may_be_secret_is_masked_as_a_whole(name: str, value: str) -> None:
    assert show_variable(name, value) == "****"


def test_variable_that_is_not_set_is_to_be_written_out() -> None:
    assert show_variables(["AWS_PROFILE", "SSL_CERT_FILE"], {"SSL_CERT_FILE": "/a"}) == {
        "AWS_PROFILE": "****",
        "SSL_CERT_FILE": "/a",
    }
