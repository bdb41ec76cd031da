"""How each third-party server is started, and what the bearer Worker has seen.

Must not know what is asked of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.peers.launch import free_port
from tests.real.installation import (
    ERA_WORKER,
    FASTMCP_PYTHON,
    HERE,
    NODE_MODULES,
    find_node,
    search_path,
)
from tests.real.processes import Service, running, running_module

QUIET_WRANGLER = {
    "CI": "1",
    "CLOUDFLARE_CF_FETCH_ENABLED": "false",
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_SEND_ERROR_REPORTS": "false",
    "WRANGLER_SEND_METRICS": "false",
}
"""With these five `wrangler dev` 4.85.0 contacts nothing but loopback, as strace shows; without
the banner variable it asks the npm registry for a newer version."""


CLIENT_DOCUMENT = "https://client.example/mcp-remote-py.json"
"""The address of a client ID metadata document; it exists in the provider's eyes only."""

UVICORN = r"running on http://127\.0\.0\.1:(\d+)"
"""What uvicorn says when it listens."""


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
    return _worker(HERE / "worker-bearer", NODE_MODULES, folder, port)


def oauth_worker(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The Worker of `worker-oauth`, at /sse and /mcp of http://localhost:PORT and no other host."""
    return _worker(HERE / "worker-oauth", NODE_MODULES, folder, port)


def era_worker(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The Worker of `worker-era`, at /sse. Its state lives in `folder`, also between two starts.

    What runs it is of today: its libraries are what counts.
    """
    return _worker(ERA_WORKER, ERA_WORKER / "node_modules", folder, port)


def era_bearer_worker(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """The same month's Worker behind one bearer token, at /sse."""
    return _worker(ERA_WORKER, ERA_WORKER / "node_modules", folder, port, "bearer.jsonc")


def _worker(
    source: Path, packages: Path, folder: Path, port: int, configuration: str = "wrangler.jsonc"
) -> AbstractContextManager[Service]:
    code = folder / source.name
    if not code.exists():
        shutil.copytree(source, code, ignore=shutil.ignore_patterns("node_modules"))
        (folder / "node_modules").symlink_to(packages)
    wrangler = str(NODE_MODULES / "wrangler" / "bin" / "wrangler.js")
    address = ["--ip", "127.0.0.1", "--port", str(port), "--inspector-port", "0"]
    return running(
        [
            *(find_node(), wrangler, "dev", "--config", configuration, *address),
            "--show-interactive-dev-session=false",
        ],
        listens=r"Ready on http://127\.0\.0\.1:(\d+)",
        log=folder / "log",
        environment={**plain_environment(folder), **QUIET_WRANGLER},
        folder=code,
    )


def everything_server(
    folder: Path, port: int = 0, transport: str = "streamableHttp"
) -> AbstractContextManager[Service]:
    """The server-everything of npm: over Streamable HTTP at /mcp, over `sse` at /sse."""
    package = NODE_MODULES / "@modelcontextprotocol" / "server-everything"
    main = str(package / "dist" / "index.js")
    return running(
        [find_node(), "--require", str(HERE / "loopback.cjs"), main, transport],
        listens=r"on loopback port (\d+)",
        log=folder / "log",
        environment={**plain_environment(folder), "PORT": str(port)},
        folder=folder,
    )


def python_server(folder: Path, port: int = 0) -> AbstractContextManager[Service]:
    """PyPI's `mcp` server over HTTP+SSE (2024-11-05), at /sse and nowhere else."""
    return running(
        [sys.executable, str(HERE / "python_server.py"), str(port)],
        listens=UVICORN,
        log=folder / "log",
        environment=plain_environment(folder),
        folder=folder,
    )


def openid_provider(
    folder: Path, resource: str, environment: Mapping[str, str]
) -> AbstractContextManager[Service]:
    """Npm's oidc-provider at http://localhost:PORT, whose tokens are for `resource`."""
    return node_script(
        HERE / "openid" / "provider.mjs",
        ("0", resource),
        listens=r"issuer at http://localhost:(\d+)",
        log=folder / "provider.log",
        folder=folder,
        environment=environment,
    )


def node_script(
    script: Path,
    words: Sequence[str],
    *,
    listens: str,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> AbstractContextManager[Service]:
    """A script of the tests on the packages of this folder, which `folder` then holds a link to."""
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    return running(
        [find_node(), str(shutil.copy(script, folder)), *words],
        listens=listens,
        log=log,
        environment={**plain_environment(folder), **(environment or {})},
        folder=folder,
    )


@contextmanager
def openid_servers(
    folder: Path, lifetime: int = 60, environment: Mapping[str, str] | None = None
) -> Generator[tuple[Service, Service]]:
    """oidc-provider of npm, and PyPI's `mcp` server at /mcp that takes its tokens.

    Both are known as http://localhost:PORT. `lifetime` is that of access tokens, in seconds;
    `environment` is both's, see their scripts.
    """
    port = free_port()
    resource = f"http://localhost:{port}/mcp"
    variables = {"TOKEN_LIFETIME": str(lifetime), **(environment or {})}
    provider = openid_provider(folder, resource, variables)
    with provider as issuer, resource_server(folder, port, issuer, variables) as service:
        yield issuer, service


@contextmanager
def jwt_bearer_servers(
    folder: Path, lifetime: int, environment: Mapping[str, str]
) -> Generator[tuple[Service, Service]]:
    """Authlib's authorization server for JWTs, and PyPI's `mcp` server at /mcp; as above."""
    port = free_port()
    resource = f"http://localhost:{port}/mcp"
    variables = {"TOKEN_LIFETIME": str(lifetime), **environment}
    provider = running_module(
        "tests.real.jwt_bearer_server",
        resource,
        listens=r"issuer at http://localhost:(\d+)",
        log=folder / "provider.log",
        environment={**plain_environment(folder), **variables},
    )
    with provider as issuer, resource_server(folder, port, issuer, variables) as service:
        yield issuer, service


def resource_server(
    folder: Path, port: int, issuer: Service, variables: Mapping[str, str]
) -> AbstractContextManager[Service]:
    address = f"http://localhost:{issuer.port}"
    return running_module(
        "tests.real.resource_server",
        str(port),
        address,
        listens=UVICORN,
        log=folder / "resource.log",
        environment={**plain_environment(folder), **variables},
    )


@contextmanager
def document_servers(folder: Path, redirect_uri: str) -> Generator[tuple[Service, Service]]:
    """`openid_servers` whose provider takes the client that `CLIENT_DOCUMENT` describes.

    The document is where the provider looks for it: a small server of this process.
    """
    document = {
        "client_id": CLIENT_DOCUMENT,
        "client_name": "Described elsewhere",
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    with serving(json.dumps(document).encode()) as address:
        environment = {"CLIENT_DOCUMENTS": f"{urlsplit(CLIENT_DOCUMENT).netloc} {address}"}
        with openid_servers(folder, environment=environment) as services:
            yield services


@contextmanager
def serving(document: bytes) -> Generator[str]:
    """An address of this machine that answers every GET with this JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


def fastmcp_server(
    program: Path,
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> AbstractContextManager[Service]:
    """A script of the tests in the environment of fastmcp. Needs `install_fastmcp`."""
    return running(
        [str(FASTMCP_PYTHON), str(program), *words],
        listens=UVICORN,
        log=folder / "server.log",
        environment={**plain_environment(folder), **(environment or {})},
        folder=folder,
    )


@contextmanager
def foreign_login_server(folder: Path) -> Generator[Service]:
    """PyPI's `fastmcp` server at /mcp that has people sign in at oidc-provider.

    It is known as http://localhost:PORT only. Needs `install_fastmcp`.
    """
    with foreign_login(folder) as start, start() as service:
        yield service


@contextmanager
def foreign_login(
    folder: Path, lifetime: int = 60
) -> Generator[Callable[[], AbstractContextManager[Service]]]:
    """The provider runs; what is given starts the server in front of it, at one port."""
    port = free_port()
    resource = "http://localhost/only-a-name"
    credentials = {"CLIENT_ID": "foreign-login", "CLIENT_SECRET": "canary-of-the-foreign-login-x"}
    client = {
        "client_id": credentials["CLIENT_ID"],
        "client_secret": credentials["CLIENT_SECRET"],
        "redirect_uris": [f"http://localhost:{port}/auth/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    variables = {"CLIENTS": json.dumps([client]), "TOKEN_LIFETIME": str(lifetime)}
    with openid_provider(folder, resource, variables) as issuer:
        words = (str(port), f"http://localhost:{issuer.port}", resource)
        program = HERE / "foreign_login_server.py"
        yield lambda: fastmcp_server(program, words, folder, credentials)


def authorizing_server(
    folder: Path, transport: str, port: int = 0, lifetime: int = 60
) -> AbstractContextManager[Service]:
    """PyPI's `mcp` server that signs people in itself, over `streamable-http` or `sse`."""
    words = [str(port or free_port()), transport]
    return running(
        [sys.executable, str(HERE / "authorizing_server.py"), *words],
        listens=UVICORN,
        log=folder / "log",
        environment={**plain_environment(folder), "TOKEN_LIFETIME": str(lifetime)},
        folder=folder,
    )
