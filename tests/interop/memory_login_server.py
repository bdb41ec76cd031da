"""A fastmcp server that signs people in itself, with fastmcp's provider that keeps all in memory.

`python memory_login_server.py PORT http|sse LIFETIME`, in the environment of fastmcp. Nobody is
asked anything, and a token lives LIFETIME seconds. Its address is on stderr, as uvicorn words it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# By name: our own environment, where the types are checked, does not have it.
fastmcp: Any = import_module("fastmcp")
dependencies: Any = import_module("fastmcp.server.dependencies")
in_memory: Any = import_module("fastmcp.server.auth.providers.in_memory")
settings: Any = import_module("mcp.server.auth.settings")

SCOPE = "workshop"


def main() -> None:
    port, transport, lifetime = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    in_memory.DEFAULT_ACCESS_TOKEN_EXPIRY_SECONDS = lifetime
    auth = in_memory.InMemoryOAuthProvider(
        base_url=f"http://localhost:{port}",
        required_scopes=[SCOPE],
        client_registration_options=settings.ClientRegistrationOptions(
            enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
        ),
        revocation_options=settings.RevocationOptions(enabled=True),
    )
    server = fastmcp.FastMCP("memory-workshop", auth=auth)

    @server.tool
    def add(a: int, b: int) -> int:  # pyright: ignore[reportUnusedFunction] - the server holds it
        """Add two numbers."""
        return a + b

    @server.tool
    async def ask() -> str:  # pyright: ignore[reportUnusedFunction] - as above
        """Ask the person for a name."""
        answer = await dependencies.get_context().elicit("Who are you?", str)
        return f"{answer.action} {getattr(answer, 'data', '')}"

    server.run(transport=transport, host="127.0.0.1", port=port, show_banner=False)


if __name__ == "__main__":
    main()
