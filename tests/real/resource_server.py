"""The official Python SDK's server behind JWT access tokens of an OpenID provider.

`python -m tests.real.resource_server PORT ISSUER`, at http://localhost:PORT/mcp. Its address is on
stderr, as uvicorn words it. With $PROOFS "plain" or "nonces" it takes tokens with proofs of
possession only; $RESOURCE_SLOW_BY is by how many seconds its clock is behind then.
"""

from __future__ import annotations

import os
import sys

import anyio.to_thread
import jwt
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

from tests.real.proof_judge import ProofJudge

SCOPE = "workshop"


class JwtVerifier:
    """Signature, issuer and audience, by the keys the issuer publishes."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer = issuer
        self._resource = resource
        self._keys = jwt.PyJWKClient(f"{issuer}/jwks")

    async def verify_token(self, token: str) -> AccessToken | None:
        """See `TokenVerifier` of the SDK."""
        return await anyio.to_thread.run_sync(self._verify, token)

    def _verify(self, token: str) -> AccessToken | None:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token, key, algorithms=["RS256"], issuer=self._issuer, audience=self._resource
            )
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims.get("scope", "").split(),
            expires_at=claims["exp"],
            resource=self._resource,
        )


class Name(BaseModel):
    """What a person is asked for."""

    name: str


def main() -> None:
    port, issuer = int(sys.argv[1]), sys.argv[2]
    resource = f"http://localhost:{port}/mcp"
    server = MCPServer(
        name="openid-workshop",
        version="1.0.0",
        token_verifier=JwtVerifier(issuer, resource),
        auth=AuthSettings.model_validate(  # from text: pydantic's URLs gain a slash
            {
                "issuer_url": issuer,
                "resource_server_url": resource,
                "required_scopes": [SCOPE],
                "validate_token_resource": True,
            }
        ),
    )

    @server.tool()
    def add(a: int, b: int) -> str:  # pyright: ignore[reportUnusedFunction] - the server holds it
        """Add two numbers."""
        return str(a + b)

    @server.tool()
    async def ask(context: Context) -> str:  # pyright: ignore[reportUnusedFunction] - as above
        """Ask the person for a name."""
        answer = await context.elicit("Who are you?", Name)
        return f"{answer.action} {answer.data.name if answer.action == 'accept' else ''}"

    proofs = os.environ.get("PROOFS")
    if proofs is None:
        server.run(transport="streamable-http", port=port)
        return
    slow_by = float(os.environ.get("RESOURCE_SLOW_BY", "0"))
    judge = ProofJudge(
        server.streamable_http_app(), resource, nonces=proofs == "nonces", slow_by=slow_by
    )
    uvicorn.run(judge, port=port)


if __name__ == "__main__":
    main()
