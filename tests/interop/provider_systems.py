"""Servers whose people sign in at a provider: npm's certified one, and fastmcp's two."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.interop.grant_systems import certified
from tests.interop.systems import (
    ADD,
    LIFETIME,
    UVICORN_REVOCATION,
    UVICORN_TOKEN,
    Restart,
    Restartable,
    Scene,
    SignIn,
    System,
    asks_name,
    wait_out,
)
from tests.interop.versions import of_fastmcp, of_npm, of_pypi
from tests.peers.launch import free_port
from tests.real.installation import install_fastmcp
from tests.real.processes import Service
from tests.real.servers import fastmcp_server, foreign_login

HERE = Path(__file__).parent


@contextmanager
def _openid(folder: Path) -> Generator[Scene]:
    with certified(folder, {}) as (scene, _):
        yield scene


@contextmanager
def _foreign_login(folder: Path) -> Generator[Scene]:
    with ExitStack() as stack:
        start = stack.enter_context(foreign_login(folder, LIFETIME))
        server = Restartable(stack, lambda _: start(), log=folder / "server.log")
        yield Scene(
            url=f"http://localhost:{server.port}/mcp",
            name="foreign-login-workshop",
            call=ADD,
            ask=asks_name(member="value"),
            sign_in=SignIn(
                token_requests=lambda: server.count(UVICORN_TOKEN),
                expire=lambda: wait_out(LIFETIME),
            ),
            restart=Restart(server.again),
        )


def _memory(transport: str, path: str) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def run(folder: Path) -> Generator[Scene]:
        def start(port: int) -> AbstractContextManager[Service]:
            words = (str(port or free_port()), transport, str(LIFETIME))
            return fastmcp_server(HERE / "memory_login_server.py", words, folder)

        with ExitStack() as stack:
            server = Restartable(stack, start, log=folder / "server.log")
            yield Scene(
                url=f"http://localhost:{server.port}{path}",
                name="memory-workshop",
                call=ADD,
                ask=asks_name(member="value"),
                sign_in=SignIn(
                    token_requests=lambda: server.count(UVICORN_TOKEN),
                    expire=lambda: wait_out(LIFETIME),
                    revocations=lambda: server.count(UVICORN_REVOCATION),
                ),
                restart=Restart(server.again, tabs=1),
            )

    return run


SYSTEMS = (
    System(
        "openid",
        "oidc-provider (rotation with reuse detection) before a Python SDK server",
        lambda: [of_npm("oidc-provider"), of_pypi("mcp")],
        _openid,
        gate=True,
    ),
    System(
        "foreign-login",
        "fastmcp OAuthProxy, people sign in at oidc-provider",
        lambda: [of_fastmcp(), of_npm("oidc-provider")],
        _foreign_login,
        install=install_fastmcp,
        gate=True,
    ),
    System(
        "fastmcp-memory",
        "fastmcp InMemoryOAuthProvider, `/mcp`",
        lambda: [of_fastmcp()],
        _memory("http", "/mcp"),
        install=install_fastmcp,
    ),
    System(
        "fastmcp-memory-sse",
        "fastmcp InMemoryOAuthProvider, `/sse`",
        lambda: [of_fastmcp()],
        _memory("sse", "/sse"),
        install=install_fastmcp,
    ),
)
