"""A small MCP server for scripts/demo: Streamable HTTP on loopback, nothing without the token.

Written with the official SDK, which the relay itself never imports. Takes the token it accepts
as the first line of stdin, prints its URL on stdout, and ends with its stdin, so that it cannot
outlive the demo. Must not know mcp-remote-py.
"""

import asyncio
import hmac
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

STEP_SECONDS = 0.2
server = MCPServer("demo", version="1.0", log_level="WARNING")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def whoami() -> str:
    """Says whose token came with the call."""
    return "the holder of the demo token"


@server.tool()
async def count(to: int, context: Context) -> str:
    """Counts slowly, telling how far it is."""
    for number in range(1, to + 1):
        await asyncio.sleep(STEP_SECONDS)
        await context.report_progress(number, to, f"counted {number}")
    return f"counted to {to}"


def with_token(application: Application, token: str) -> Application:
    """`application` behind a bearer token (RFC 6750): 401 for everyone else."""
    expected = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] != "http" or hmac.compare_digest(
            headers.get(b"authorization", b""), expected
        ):
            await application(scope, receive, send)
            return
        challenge = (b"www-authenticate", b'Bearer error="invalid_token"')
        content_type = (b"content-type", b"text/plain")
        await send(
            {"type": "http.response.start", "status": 401, "headers": [challenge, content_type]}
        )
        await send({"type": "http.response.body", "body": b"This is not the demo token."})

    return guarded


def main() -> None:
    """Serves until stdin ends."""
    token = sys.stdin.readline().strip()
    # Named as TCP: only then does asyncio switch Nagle's delay off, 40 ms on every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    application = with_token(server.streamable_http_app(), token)
    web = uvicorn.Server(
        uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
    )

    def end_with_stdin() -> None:
        sys.stdin.read()
        web.should_exit = True

    threading.Thread(target=end_with_stdin, daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    asyncio.run(web.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
