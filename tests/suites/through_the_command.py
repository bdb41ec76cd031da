"""A pytest plug-in for the Python SDK's interaction suite: its pairs meet through our command.

The suite's tests take a factory, `connect`, that joins a client and a server of theirs. Here the
server listens at a port, the command stands in front of it, and the client starts the command.
Loaded by `pytest -p` in the folder of the SDK's source, where `tests` is theirs: it must not
import any module of ours.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import anyio
import pytest
import uvicorn
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - starlette looks at annotations
from starlette.responses import Response
from starlette.routing import Mount, Route

ORDER = "ORDER_TO_THE_SUITE"
"""Variable: a JSON object.

`command`: words that start the command; `environment`: what it gets, where the folder of one start
is spelled `FOLDER`; `other_era`: whether it is to speak the other era to the server; `every`: of
how many tests one is played; `report`: the file that gets what came out, a JSON object of `played`
(by test, its error, "" where it passed) and `left` (tests whose pair we cannot stand between).
"""
FOLDER = "{folder}"
UNCHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)

order: dict[str, Any] = json.loads(os.environ.get(ORDER, "{}"))
played: dict[str, str] = {}
left: list[str] = []
starts: list[list[str]] = []
"""Command lines."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """The suite's own file of factories gets ours, before anything takes them from there."""
    theirs: Any = importlib.import_module("tests.interaction._connect")
    for name, factory in FACTORIES.items():
        assert hasattr(theirs, name)
        setattr(theirs, name, factory)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes what is joined by a factory of ours, in the gate some of it."""
    found = [(one, how_joined(one)) for one in items if backend(one) == "asyncio"]
    left.extend(one.nodeid for one, how in found if not how)
    kinds = {"streamable-http"} if order["other_era"] else {*TRANSPORTS, "by name"}
    leave = set(order["leave"])
    taken = [one for one, how in found if how in kinds and one.nodeid not in leave]
    taken = taken[:: order["every"]]
    chosen = set(taken)
    config.hook.pytest_deselected(items=[one for one in items if one not in chosen])
    items[:] = taken


def params(item: pytest.Item) -> dict[str, Any]:
    """What a test is played with."""
    spec = getattr(item, "callspec", None)
    return spec.params if spec else {}


def backend(item: pytest.Item) -> str:
    """The event loop; theirs are all on asyncio but those that say another, which join themselves.

    A file of theirs says so that is above the folder that is played.
    """
    said = params(item).get("anyio_backend", "asyncio")
    return said if isinstance(said, str) else "asyncio"


def how_joined(item: pytest.Item) -> str:
    """The suite's word for the transport; "" where the test joins its pair itself."""
    if "connect" in params(item):
        transport: str = params(item)["connect"][0]
        return transport
    code: Any = getattr(item, "function").__code__  # noqa: B009 - only tests that are functions
    return "by name" if FACTORIES.keys() & set(code.co_names) else ""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what came out of it."""
    error = (report.longreprtext or "skipped") if report.failed or report.skipped else ""
    # What fails first says why; the suite's snapshots complain once more behind it.
    played[report.nodeid] = played.get(report.nodeid) or error


def pytest_sessionfinish() -> None:
    """Hands it over."""
    found = {"played": played, "left": left, "starts": starts}
    Path(order["report"]).write_text(json.dumps(found), "utf-8")


@asynccontextmanager
async def join(
    server: Any,
    *,
    sse: bool = False,
    stateless_http: bool = False,
    json_response: bool = False,
    event_store: Any = None,
    retry_interval: int | None = None,
    spec_version: str = LATEST_HANDSHAKE_VERSION,
    **options: Any,
) -> AsyncGenerator[Client]:
    """Their client, the command, their server."""
    is_modern = spec_version in MODERN_PROTOCOL_VERSIONS
    async with AsyncExitStack() as stack:
        if sse:
            url = await stack.enter_async_context(serve(sse_app(server), "/sse"))
        else:
            app = server.streamable_http_app(
                stateless_http=stateless_http,
                json_response=json_response,
                event_store=event_store,
                retry_interval=retry_interval,
                transport_security=UNCHECKED,
            )
            await stack.enter_async_context(server.session_manager.run())
            url = await stack.enter_async_context(serve(app, "/mcp"))
        words = [*order["command"], url]
        if order["other_era"]:
            words += ["--protocol", "legacy" if is_modern else "modern"]
        starts.append(words)
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        environment = {
            name: value.replace(FOLDER, folder) for name, value in order["environment"].items()
        }
        log = stack.enter_context(open_log(folder))
        started = StdioServerParameters(command=words[0], args=words[1:], env=environment)
        mode = spec_version if is_modern else "legacy"
        client = Client(stdio_client(started, errlog=log), mode=mode, **options)
        yield await stack.enter_async_context(client)


def open_log(folder: str) -> TextIO:
    """For what the command says to a person."""
    return Path(folder, "stderr").open("w", encoding="utf-8")


@asynccontextmanager
async def serve(app: Any, path: str) -> AsyncGenerator[str]:
    """The app at a port of this loop; yields its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        settings = uvicorn.Config(app, lifespan="off", log_level="critical", ws="none")
        server = uvicorn.Server(settings)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            try:
                yield f"http://127.0.0.1:{port}{path}"
            finally:
                for one in server.servers:
                    one.close()
                group.cancel_scope.cancel()


def sse_app(server: Any) -> Starlette:
    """The HTTP+SSE transport of 2024-11-05."""
    transport = SseServerTransport("/messages/", security_settings=UNCHECKED)
    lowlevel = getattr(server, "_lowlevel_server", server)

    async def listen(request: Request) -> Response:
        send = request._send  # pyright: ignore[reportPrivateUsage] - as the SDK does
        streams = transport.connect_sse(request.scope, request.receive, send)
        async with streams as (read, write):
            await lowlevel.run(read, write, lowlevel.create_initialization_options())
        return Response()

    routes = [Route("/sse", listen), Mount("/messages/", app=transport.handle_post_message)]
    return Starlette(routes=routes)


FACTORIES = {
    "connect_over_streamable_http": join,
    "connect_over_streamable_http_stateless": partial(join, stateless_http=True),
    "connect_over_sse": partial(join, sse=True),
}
TRANSPORTS = {"streamable-http", "streamable-http-stateless", "sse"}
"""Those of a test that is played on each; in memory it is the same test."""
