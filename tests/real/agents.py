"""Agents that sign in without a person: their clients at the provider, and their options."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from tests.harness.browser import FakeBrowser, fake_browser
from tests.harness.host import Host, environment_for
from tests.real.processes import Service

COMMAND = Path(sys.executable).parent / "mcp-remote-py"

SECRET = "canary-secret-of-the-agent"
KEY = ECKey.generate_key("P-256")


def client(client_id: str, method: str, **more: object) -> dict[str, object]:
    """The metadata of a client, as a provider knows it."""
    return {
        "client_id": client_id,
        "token_endpoint_auth_method": method,
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
        "scope": "workshop",
        **more,
    }


BY_KEY = client("by-key", "private_key_jwt", jwks={"keys": [KEY.as_dict(private=False)]})


def address_of(issuer: Service) -> str:
    """What the provider calls itself."""
    return f"http://localhost:{issuer.port}"


def info(client_id: str, secret: str = "", issuer: Service | None = None, **more: str) -> list[str]:
    """The options of a client that signs in by its credentials, which that provider may have."""
    members = {"client_id": client_id, **({"client_secret": secret} if secret else {}), **more}
    if issuer is not None:
        members["issuer"] = address_of(issuer)
    return ["--client-credentials", "--static-oauth-client-info", json.dumps(members)]


def private_key(folder: Path, key: ECKey = KEY) -> list[str]:
    """The option of a client that proves itself by its key."""
    path = folder / "agent.pem"
    path.write_bytes(key.as_pem(private=True))
    path.chmod(0o600)
    return ["--private-key", str(path)]


Start = Callable[..., Host]


@contextmanager
def desk(service: Service, folder: Path) -> Generator[tuple[Start, FakeBrowser]]:
    """Starts the command, again and again, on one machine with a person before it."""
    with ExitStack() as stack:
        browser = stack.enter_context(fake_browser(folder / "browser"))

        def start(*options: str) -> Host:
            url = f"http://localhost:{service.port}/mcp"
            command = [str(COMMAND), url, "--token-store", "file", *options]
            variables = {"BROWSER": str(browser.command)}
            return stack.enter_context(Host(command, environment_for(folder, variables)))

        yield start, browser


@contextmanager
def unattended(service: Service, folder: Path) -> Generator[Start]:
    """The same with nobody before it: at the end nobody has opened a browser."""
    with desk(service, folder) as (start, browser):
        yield start
        assert browser.opened == []


def signed_in(start: Start, *options: str) -> Host:
    """A host with these options, whose tool works."""
    host = start(*options)
    host.initialize()
    assert call(host) == "42"
    return host


def refusal(host: Host) -> str:
    """What the host's first request ends with."""
    params: Any = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    return host.request("initialize", params)["error"]["message"]


AGAIN = "No other sign-in starts by itself for NN seconds. "
"""What stands before the next step, once it was tried."""


def is_said(words: str, message: str) -> bool:
    """Whether the message is that, with any number for each NN."""
    return re.fullmatch(re.escape(words).replace("NN", r"\d+"), message) is not None


def call(host: Host) -> Any:
    """What the tool of the SDK's server says to 2 and 40, or the error."""
    result = host.request("tools/call", {"name": "add", "arguments": {"a": 2, "b": 40}})
    if "result" not in result:
        return result
    return result["result"]["content"][0]["text"]
