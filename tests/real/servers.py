"""How each third-party server is started, and what the bearer Worker has seen.

Must not know what is asked of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.real.installation import HERE, NODE_MODULES, find_node, search_path
from tests.real.processes import Service, running

QUIET_WRANGLER = {
    "CI": "1",
    "CLOUDFLARE_CF_FETCH_ENABLED": "false",
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_SEND_ERROR_REPORTS": "false",
    "WRANGLER_SEND_METRICS": "false",
}
"""With these five `wrangler dev` 4.85.0 contacts nothing but loopback, as strace shows; without
the banner variable it asks the npm registry for a newer version."""


@dataclass(frozen=True)
class Exchange:
    """One HTTP request that the Worker answered."""

    method: str
    path: str
    status: int


def ledger(worker: Service) -> list[Exchange]:
    """All requests the bearer Worker has answered, in order."""
    with urllib.request.urlopen(worker.url("/ledger"), timeout=10) as answer:  # noqa: S310 (loopback)
        return [Exchange(**one) for one in json.load(answer)]


def plain_environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but PATH; home and temporary files in `folder`."""
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.pathsep.join([str(Path(find_node()).parent), search_path()]),
    }


def bearer_worker(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The Worker of `worker-bearer` on workerd, at /sse and /mcp. Its state lives in `folder`."""
    code = folder / "worker-bearer"
    if not code.exists():
        shutil.copytree(HERE / "worker-bearer", code)
        (folder / "node_modules").symlink_to(NODE_MODULES)
    wrangler = str(NODE_MODULES / "wrangler" / "bin" / "wrangler.js")
    address = ["--ip", "127.0.0.1", "--port", str(port), "--inspector-port", "0"]
    return running(
        [find_node(), wrangler, "dev", *address, "--show-interactive-dev-session=false"],
        listens=r"Ready on http://127\.0\.0\.1:(\d+)",
        log=folder / "log",
        environment={**plain_environment(folder), **QUIET_WRANGLER},
        folder=code,
    )


def everything_server(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The server-everything of npm over Streamable HTTP, at /mcp and nowhere else."""
    package = NODE_MODULES / "@modelcontextprotocol" / "server-everything"
    main = str(package / "dist" / "index.js")
    return running(
        [find_node(), "--require", str(HERE / "loopback.cjs"), main, "streamableHttp"],
        listens=r"on loopback port (\d+)",
        log=folder / "log",
        environment={**plain_environment(folder), "PORT": str(port)},
        folder=folder,
    )


def python_server(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """PyPI's `mcp` server over HTTP+SSE (2024-11-05), at /sse and nowhere else."""
    return running(
        [sys.executable, str(HERE / "python_server.py"), str(port)],
        listens=r"running on http://127\.0\.0\.1:(\d+)",
        log=folder / "log",
        environment=plain_environment(folder),
        folder=folder,
    )
