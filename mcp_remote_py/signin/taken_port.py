"""A port that another program has: what a person is told, and the command that names the program.

Pure. Must not know why the port is wanted.
"""

from __future__ import annotations

import sys

from mcp_remote_py.errors import UsageError


def explain_taken_port(port: int, error: OSError) -> UsageError:
    """The port a person chose cannot be listened on."""
    return UsageError(
        f"Port {port}, to which the browser would come back, cannot be used: {error.strerror}.",
        hint=f"See which program has it with `{holder_command(port, sys.platform)}` and end it, "
        "or name another port behind the server's URL.",
    )


def holder_command(port: int, platform: str) -> str:
    """The command that shows a person which program listens on `port`."""
    if platform == "win32":
        return f"netstat -ano | findstr :{port}"
    if platform == "darwin":
        return f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
    return f"ss -ltnp 'sport = :{port}'"
