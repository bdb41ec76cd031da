"""A fastmcp server whose login is somebody else's: the shape of "sign in with GitHub".

`python foreign_login_server.py PORT ISSUER RESOURCE`, in the environment of fastmcp. It is an
authorization server to us and a client, registered by hand, to ISSUER. Its address is on stderr, as
uvicorn words it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# By name: our own environment, where the types are checked, does not have it.
fastmcp: Any = import_module("fastmcp")
dependencies: Any = import_module("fastmcp.server.dependencies")
oauth_proxy: Any = import_module("fastmcp.server.auth.oauth_proxy")
providers: Any = import_module("fastmcp.server.auth.providers.jwt")

SCOPE = "workshop"


def main() -> None:
    port, issuer, resource = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    verifier = providers.JWTVerifier(
        jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=resource, required_scopes=[SCOPE]
    )
    auth = oauth_proxy.OAuthProxy(
        upstream_authorization_endpoint=f"{issuer}/auth",
        upstream_token_endpoint=f"{issuer}/token",
        upstream_client_id=os.environ["CLIENT_ID"],
        upstream_client_secret=os.environ["CLIENT_SECRET"],
        token_verifier=verifier,
        base_url=f"http://localhost:{port}",
        jwt_signing_key="only for tests, " * 3,
        forward_resource=False,
        extra_authorize_params={
            "prompt": "consent",
            "resource": resource,
            "scope": f"{SCOPE} offline_access",
        },
        extra_token_params={"resource": resource},
    )
    server = fastmcp.FastMCP("foreign-login-workshop", auth=auth)

    @server.tool
    def add(a: int, b: int) -> int:  # pyright: ignore[reportUnusedFunction] - the server holds it
        """Add two numbers."""
        return a + b

    @server.tool
    async def ask() -> str:  # pyright: ignore[reportUnusedFunction] - as above
        """Ask the person for a name."""
        answer = await dependencies.get_context().elicit("Who are you?", str)
        return f"{answer.action} {getattr(answer, 'data', '')}"

    server.run(transport="http", host="127.0.0.1", port=port, show_banner=False)


if __name__ == "__main__":
    main()
