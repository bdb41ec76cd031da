"""Sign-ins without a person, at the OpenID provider of npm and the SDK's server behind it.

The provider checks secrets, keys and assertions; no one here wrote it. No browser may open.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.harness.browser import fake_browser
from tests.harness.host import Host, environment_for
from tests.real.agents import BY_KEY, SECRET, call, client, info, private_key
from tests.real.processes import Service, wait_until
from tests.real.servers import openid_servers

# The first test of the folder may have to install it.
pytestmark = [pytest.mark.timeout(400), pytest.mark.promise("A3")]

COMMAND = Path(sys.executable).parent / "mcp-remote-py"
LIFETIME = 4
"""Seconds an access token is good for."""

OTHER_KEY = ECKey.generate_key("P-256")

CLIENTS = [
    client("by-basic", "client_secret_basic", client_secret=SECRET),
    client("by-post", "client_secret_post", client_secret=SECRET),
    BY_KEY,
]


@pytest.fixture(scope="module")
def servers(
    node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    folder = tmp_path_factory.mktemp("openid")
    with openid_servers(folder, LIFETIME, {"CLIENTS": json.dumps(CLIENTS)}) as both:
        yield both


Start = Callable[..., Host]


@pytest.fixture
def start(servers: tuple[Service, Service], tmp_path: Path) -> Iterator[Start]:
    """Starts the command with these options; at the end nobody has opened a browser."""
    with ExitStack() as stack:
        browser = stack.enter_context(fake_browser(tmp_path / "browser"))

        def begin(*options: str, environment: Mapping[str, str] | None = None) -> Host:
            url = f"http://localhost:{servers[1].port}/mcp"
            variables = {"BROWSER": str(browser.command), **(environment or {})}
            command = [str(COMMAND), url, "--token-store", "file", *options]
            return stack.enter_context(Host(command, environment_for(tmp_path, variables)))

        yield begin
        assert browser.opened == []


def granted(servers: tuple[Service, Service]) -> int:
    return servers[0].log.read_text().count("granted client_credentials")


@pytest.mark.parametrize("kind", ["by-basic", "by-post", "by-key"])
def test_an_agent_signs_in_renews_in_silence_and_is_still_signed_in_at_the_next_start(
    kind: str, servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    options = {
        "by-basic": info("by-basic", SECRET),
        "by-post": info("by-post", SECRET, token_endpoint_auth_method="client_secret_post"),
        "by-key": [*info("by-key"), *private_key(tmp_path)],
    }[kind]
    before = granted(servers)
    host = start(*options)
    host.initialize()
    assert call(host) == "42"
    assert granted(servers) == before + 1
    # Past its end, the next request renews it, and nobody notices.
    wait_until(lambda: call(host) == "42" and granted(servers) > before + 1, 15)
    host.end()
    asked = granted(servers)
    host = start(*options)
    host.initialize()
    assert call(host) == "42"
    assert granted(servers) <= asked + 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (info("by-basic", "canary-another-secret"), "invalid_client"),
        (info("nobody", SECRET), "invalid_client"),
    ],
)
def test_what_the_provider_refuses_is_said_once_and_clearly(
    options: list[str], words: str, servers: tuple[Service, Service], start: Start
) -> None:
    before = servers[0].log.read_text().count("grant.error")
    host = start(*options)
    params: Any = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    for _ in range(3):
        message = host.request("initialize", params)["error"]["message"]
        assert words in message
        assert "canary" not in message
    assert servers[0].log.read_text().count("grant.error") == before + 1


def test_another_key_is_refused(
    servers: tuple[Service, Service], start: Start, tmp_path: Path
) -> None:
    host = start(*info("by-key"), *private_key(tmp_path, OTHER_KEY))
    params: Any = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    assert "invalid_client" in host.request("initialize", params)["error"]["message"]


def test_a_key_that_does_not_fit_the_algorithm_is_told(start: Start, tmp_path: Path) -> None:
    host = start(*info("by-key"), *private_key(tmp_path), "--signing-alg", "RS256")
    params: Any = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    message = host.request("initialize", params)["error"]["message"]
    assert "--private-key cannot sign with RS256" in message
    assert "Name the algorithm of the key with --signing-alg." in message
