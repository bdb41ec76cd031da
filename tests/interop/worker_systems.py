"""Cloudflare's Workers on workerd: with a bearer token or OAuth, of today and of April 2025."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.interop.systems import (
    ADD,
    NO_SESSION,
    Absent,
    Ask,
    Call,
    Restart,
    Restartable,
    Scene,
    SignIn,
    System,
    asks_name,
    wait_out,
)
from tests.interop.versions import of_npm
from tests.real.configuration import BEARER
from tests.real.installation import ERA_WORKER, install_node_packages
from tests.real.processes import Service
from tests.real.servers import bearer_worker, era_bearer_worker, era_worker, oauth_worker

LIFETIME = 60.0
"""Seconds a token lives: less than the Workers' store keeps is refused."""

ASK_NAME = asks_name()
ASK_MODEL = Ask(
    Call("ask", {}, "the model says 42"),
    "sampling/createMessage",
    {"role": "assistant", "content": {"type": "text", "text": "42"}, "model": "parrot"},
)
NO_REVOCATION = Absent(
    "this version names its token endpoint for revocations, and does not know them there"
)
MODERN = {"ours": ("--protocol", "modern"), "mcp-remote": ("--protocol", "auto")}
TOKEN = Absent("a header has the token")

Start = Callable[[Path, int], AbstractContextManager[Service]]
TOKEN_REQUEST = r"POST /token "
"""A line of wrangler's log."""


def _bearer(
    start: Start, path: str, name: str, ask: Ask
) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def run(folder: Path) -> Generator[Scene]:
        with ExitStack() as stack:
            worker = Restartable(stack, lambda port: start(folder, port))
            yield Scene(
                url=f"http://localhost:{worker.port}{path}",
                name=name,
                call=ADD,
                ask=ask,
                sign_in=TOKEN,
                restart=Restart(worker.again),
                options=BEARER,
            )

    return run


def _oauth(
    start: Start,
    path: str,
    name: str,
    ask: Ask | Absent,
    own: Mapping[str, Sequence[str]] | None = None,
    revocations: Absent | None = None,
) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def run(folder: Path) -> Generator[Scene]:
        with ExitStack() as stack:
            worker = Restartable(stack, lambda port: start(folder, port), log=folder / "log")

            yield Scene(
                url=f"http://localhost:{worker.port}{path}",
                name=name,
                call=ADD,
                ask=ask,
                sign_in=SignIn(
                    token_requests=lambda: worker.count(TOKEN_REQUEST),
                    expire=lambda: wait_out(LIFETIME),
                    # The token endpoint takes revocations, too.
                    revocations=revocations or (lambda: worker.count(f"{TOKEN_REQUEST}200")),
                ),
                restart=Restart(worker.again),
                own_options=own or {},
            )

    return run


def _today() -> list[str]:
    names = ("wrangler", "agents", "@modelcontextprotocol/sdk")
    return [of_npm(name) for name in names]


def _today_oauth() -> list[str]:
    return [*_today(), of_npm("@cloudflare/workers-oauth-provider")]


def _today_next() -> list[str]:
    names = ("wrangler", "agents", "@modelcontextprotocol/server")
    return [of_npm(name) for name in (*names, "@cloudflare/workers-oauth-provider")]


def _era() -> list[str]:
    packages = ERA_WORKER / "node_modules"
    return [of_npm(name, packages) for name in ("agents", "@modelcontextprotocol/sdk")]


def _era_oauth() -> list[str]:
    packages = ERA_WORKER / "node_modules"
    return [*_era(), of_npm("@cloudflare/workers-oauth-provider", packages)]


def _install_era() -> None:
    install_node_packages(ERA_WORKER)


SYSTEMS = (
    System(
        "worker-bearer-mcp",
        "Worker, bearer token, `/mcp`",
        _today,
        _bearer(bearer_worker, "/mcp", "bearer-workshop", ASK_NAME),
    ),
    System(
        "worker-bearer-sse",
        "Worker, bearer token, `/sse`",
        _today,
        _bearer(bearer_worker, "/sse", "bearer-workshop", ASK_NAME),
    ),
    System(
        "worker-oauth-mcp",
        "Worker, OAuth, `/mcp`",
        _today_oauth,
        _oauth(oauth_worker, "/mcp", "oauth-workshop", ASK_NAME),
    ),
    System(
        "worker-oauth-sse",
        "Worker, OAuth, `/sse`",
        _today_oauth,
        _oauth(oauth_worker, "/sse", "oauth-workshop", ASK_NAME),
    ),
    System(
        "worker-oauth-next",
        "Worker, OAuth, `/next` (both eras, stateless)",
        _today_next,
        _oauth(oauth_worker, "/next", "oauth-workshop-next", NO_SESSION),
    ),
    System(
        "worker-oauth-next-modern",
        "Worker, OAuth, `/next`, with `--protocol modern`",
        _today_next,
        _oauth(oauth_worker, "/next", "oauth-workshop-next", ASK_NAME, MODERN),
    ),
    System(
        "era-bearer",
        "Worker of April 2025, bearer token, `/sse`",
        _era,
        _bearer(era_bearer_worker, "/sse", "era-bearer-workshop", ASK_MODEL),
        install=_install_era,
    ),
    System(
        "era-oauth",
        "Worker of April 2025, OAuth, `/sse`",
        _era_oauth,
        _oauth(era_worker, "/sse", "era-workshop", ASK_MODEL, revocations=NO_REVOCATION),
        install=_install_era,
    ),
)
