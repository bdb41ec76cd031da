"""The official Python SDK's own server over HTTP+SSE (2024-11-05), on a port of its choice.

`python python_server.py PORT`, 0 for any. Its address is on stderr, as uvicorn words it.
"""

from __future__ import annotations

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer(name="python-workshop", version="1.0.0")


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


if __name__ == "__main__":
    server.run(transport="sse", port=int(sys.argv[1]))
