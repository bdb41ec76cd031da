"""Servers of these tests as processes: each prints its port as the first line on stdout.

Both ends of that are here. Must not know what they serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from tests.real.processes import kill_group

ROOT = Path(__file__).parent.parent.parent


def serve(app: Any) -> None:
    """Serves an ASGI application at a free port of this machine, until the process is killed."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        # h11: uvicorn's other parser leaves the blanks around a header's value.
        config = uvicorn.Config(app, http="h11", log_level="warning", timeout_graceful_shutdown=1)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


@contextlib.contextmanager
def running(
    module: str, *arguments: str, log: Path, environment: Mapping[str, str]
) -> Generator[str]:
    """The MCP address of that module's server; at the end all it started is gone too."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline()  # ends when the process does
            assert port, f"{module} did not start: {log.read_text()[-2000:]}"
            yield f"http://127.0.0.1:{int(port)}/mcp"
        finally:
            kill_group(process)
            if process.stdout is not None:
                process.stdout.close()
