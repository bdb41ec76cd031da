"""The official Python SDK's server that is its own authorization server, over HTTP+SSE or not.

`python authorizing_server.py PORT streamable-http|sse`. Nobody is asked anything: the authorization
endpoint redirects at once, and the issuer ends with a slash, as with many servers made with it. The
SDK writes the endpoints, the checks and the answers; here is only
the memory behind them. Its address is on stderr, as uvicorn words it.
"""

from __future__ import annotations

import os
import secrets
import sys
import time

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl, BaseModel

SCOPE = "workshop"
LIFETIME = int(os.environ.get("TOKEN_LIFETIME", "60"))
"""Seconds an access token lives."""


class Name(BaseModel):
    """What a person is asked for."""

    name: str


class Memory(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """What the SDK's endpoints ask for."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        assert client.client_id is not None
        code = AuthorizationCode(
            code=secrets.token_hex(20),
            client_id=client.client_id,
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        code = authorization_code
        return self.issue(code.client_id, code.scopes, code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh_tokens.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self.refresh_tokens[refresh_token.token]
        token = refresh_token
        return self.issue(token.client_id, scopes or token.scopes, token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access_tokens.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access_tokens.pop(token.token, None)
        self.refresh_tokens.pop(token.token, None)

    def issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        """A pair of tokens."""
        access = AccessToken(
            token=secrets.token_hex(20),
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + LIFETIME,
            resource=resource,
        )
        refresh = RefreshToken(
            token=secrets.token_hex(20), client_id=client_id, scopes=scopes, resource=resource
        )
        self.access_tokens[access.token] = access
        self.refresh_tokens[refresh.token] = refresh
        return OAuthToken(
            access_token=access.token,
            expires_in=LIFETIME,
            scope=" ".join(scopes),
            refresh_token=refresh.token,
        )


def main() -> None:
    port, transport = int(sys.argv[1]), sys.argv[2]
    origin = f"http://localhost:{port}"
    path = "/sse" if transport == "sse" else "/mcp"
    server = MCPServer(
        name="authorizing-workshop",
        version="1.0.0",
        auth_server_provider=Memory(),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(origin),
            resource_server_url=AnyHttpUrl(origin + path),
            required_scopes=[SCOPE],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            revocation_options=RevocationOptions(enabled=True),
            validate_token_resource=True,
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

    if transport == "sse":
        server.run(transport="sse", port=port)
    else:
        server.run(transport="streamable-http", port=port)


if __name__ == "__main__":
    main()
