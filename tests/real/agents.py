"""Agents that sign in without a person: their clients at the provider, and their options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from tests.harness.host import Host

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


def info(client_id: str, secret: str = "", **more: str) -> list[str]:
    """The options of a client that signs in by its credentials."""
    members = {"client_id": client_id, **({"client_secret": secret} if secret else {}), **more}
    return ["--client-credentials", "--static-oauth-client-info", json.dumps(members)]


def private_key(folder: Path, key: ECKey = KEY) -> list[str]:
    """The option of a client that proves itself by its key."""
    path = folder / "agent.pem"
    path.write_bytes(key.as_pem(private=True))
    path.chmod(0o600)
    return ["--private-key", str(path)]


def call(host: Host) -> Any:
    """What the tool of the SDK's server says to 2 and 40, or the error."""
    result = host.request("tools/call", {"name": "add", "arguments": {"a": 2, "b": 40}})
    if "result" not in result:
        return result
    return result["result"]["content"][0]["text"]
