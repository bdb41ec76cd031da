"""The server behind every network: the PyPI `mcp` SDK's, with tools whose runs are counted.

    python -m tests.interop.networks.tool_server streamable|sse --runs FILE [--port N] [--host H]
        [--json] [--stateless] [--resumable] [--name NAME]

prints its port as the first line on stdout, then serves until it is killed. `count` writes its
token to FILE, so that runs are counted across restarts and backends. Must not know what stands
before it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types  # noqa: TC002 - of a base class's methods
import uvicorn
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.transport_security import TransportSecuritySettings

from tests.peers.sdk_server import (
    TOOLS,
    ChangingServer,
    Context,
    make_server,
    make_sse_app,
    text,
)


class Events(EventStore):
    """What was sent, in memory, so that a stream that was cut can go on."""

    def __init__(self) -> None:
        self._events: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        start = int(last_event_id)
        if not 0 < start <= len(self._events):
            return None
        stream = self._events[start - 1][0]
        for number, (of, message) in enumerate(self._events[start:], start + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


class Counter:
    """The tools of the rows."""

    def __init__(self, runs: Path, name: str) -> None:
        self._runs = runs
        self._name = name

    async def count(self, context: Context, arguments: dict[str, Any]) -> types.CallToolResult:
        """Says who ran; after `seconds`, with a report of progress for each `every` of them."""
        with self._runs.open("a") as file:
            file.write(f"{arguments['token']}\n")
        left, every = float(arguments.get("seconds", 0)), float(arguments.get("every", 0))
        done = 0
        while left > 0:
            step = min(every or left, left)
            await anyio.sleep(step)
            left -= step
            if every:
                done += 1
                await context.session.report_progress(done, None, f"step {done}")
        return text(f"ran at {self._name}{'.' * int(arguments.get('size', 0))}")

    async def announce(self, context: Context, arguments: dict[str, Any]) -> types.CallToolResult:
        """Announces a change on the listening stream, after `seconds`, `times` times."""

        async def tell() -> None:
            for _ in range(int(arguments.get("times", 1))):
                await anyio.sleep(float(arguments.get("seconds", 0)))
                await context.session.send_tool_list_changed()

        task = asyncio.get_running_loop().create_task(tell())
        _TELLING.add(task)
        task.add_done_callback(_TELLING.discard)
        return text("will announce")


_TELLING: set[asyncio.Task[None]] = set()


def make_app(arguments: argparse.Namespace, server: ChangingServer) -> Any:
    """The application for one of the transports."""
    if arguments.transport == "sse":
        return make_sse_app(server)
    return server.streamable_http_app(
        json_response=arguments.json,
        stateless_http=arguments.stateless,
        event_store=Events() if arguments.resumable else None,
        retry_interval=100 if arguments.resumable else None,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("transport", choices=["streamable", "sse"])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--name", default="home")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--resumable", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    counter = Counter(arguments.runs, arguments.name)
    for tool in list(TOOLS):
        if tool != "echo":
            del TOOLS[tool]
    TOOLS.update(count=counter.count, announce=counter.announce)
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((arguments.host, arguments.port))
    listener.listen(128)
    os.write(1, b"%d\n" % listener.getsockname()[1])
    config = uvicorn.Config(
        make_app(arguments, make_server()), log_level="warning", timeout_graceful_shutdown=1
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
