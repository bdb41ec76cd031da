"""How each third-party server is started, and what the bearer Worker has seen.

Must not know what is asked of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.launch import free_port
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
    return _worker("worker-bearer", folder, port)


def oauth_worker(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The Worker of `worker-oauth`, at /sse and /mcp of http://localhost:PORT and no other host."""
    return _worker("worker-oauth", folder, port)


def _worker(name: str, folder: Path, port: int) -> AbstractContextManager[Service]:
    code = folder / name
    if not code.exists():
        shutil.copytree(HERE / name, code)
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


@contextmanager
def openid_servers(folder: Path, lifetime: int = 60) -> Generator[tuple[Service, Service]]:
    """oidc-provider of npm, and PyPI's `mcp` server at /mcp that takes its tokens.

    Both are known as http://localhost:PORT. `lifetime` is that of access tokens, in seconds.
    """
    port = free_port()
    (folder / "node_modules").symlink_to(NODE_MODULES)
    script = str(shutil.copy(HERE / "openid" / "provider.mjs", folder))
    provider = running(
        [find_node(), script, "0", f"http://localhost:{port}/mcp"],
        listens=r"issuer at http://localhost:(\d+)",
        log=folder / "provider.log",
        environment={**plain_environment(folder), "TOKEN_LIFETIME": str(lifetime)},
        folder=folder,
    )
    with provider as issuer:
        address = f"http://localhost:{issuer.port}"
        resource = running(
            [sys.executable, str(HERE / "resource_server.py"), str(port), address],
            listens=r"running on http://127\.0\.0\.1:(\d+)",
            log=folder / "resource.log",
            environment=plain_environment(folder),
            folder=folder,
        )
        with resource as server:
            yield issuer, server


def authorizing_server(folder: Path, transport: str) -> AbstractContextManager[Service]:
    """PyPI's `mcp` server that signs people in itself, over `streamable-http` or `sse`."""
    return running(
        [sys.executable, str(HERE / "authorizing_server.py"), str(free_port()), transport],
        listens=r"running on http://127\.0\.0\.1:(\d+)",
        log=folder / "log",
        environment=plain_environment(folder),
        folder=folder,
    )
