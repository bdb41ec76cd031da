"""A front of HTTP before the command, for a suite that speaks to servers over HTTP only.

    python -m tests.conformance.front URL

Streamable HTTP on this side, `mcp-remote-py URL` over stdio on the other: what a request carries is
written as a line, as it is, and a line is an event, as it is. A session of 2025 is a child process;
requests of 2026-07-28, which know no session, share one. Sessions, statuses and streams are this
file's own, as HTTP is; what a message says is never its business, but for what names the stream
that the message belongs to.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - starlette looks at annotations
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conformance.serving import serve
from tests.harness.warm import COMMAND, NURSERY, start

Json = dict[str, Any]
Lines = asyncio.Queue[bytes]

WITH_SESSIONS = (None, "2025-03-26", "2025-06-18", "2025-11-25")
"""Values of the header MCP-Protocol-Version."""

STATUS = {-32601: 404, -32602: 400, -32020: 400, -32021: 400, -32022: 400}
"""What 2026-07-28 says of an error's code over HTTP; 200 is for the others."""

PATIENCE = 20.0
"""Seconds the command may take to say anything about a request."""

LONGEST_LINE = 1 << 24


def meta_of(message: Json) -> Json:
    """The member `_meta` of its parameters."""
    params: Json = message.get("params") or {}
    meta: Json = params.get("_meta") or {}
    return meta


def key_of(value: object) -> str:
    """An id or a token as a key: the string "1" and the number 1 are two."""
    return json.dumps(value)


class Child:
    """One `mcp-remote-py URL`, and the streams that wait for its lines."""

    def __init__(self, process: subprocess.Popen[bytes], output: asyncio.StreamReader) -> None:
        self._process = process
        self._output = output
        self._asked: dict[str, Lines] = {}
        self._tokens: dict[str, str] = {}
        self.others: Lines = asyncio.Queue()
        """Lines that belong to no request."""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> Child:
        """Starts the command for the URL of this process."""
        environment = {name: word for name, word in os.environ.items() if name != NURSERY}
        process = await asyncio.to_thread(start, [str(COMMAND), sys.argv[1]], environment)
        errors = (process.stderr, sys.stderr.buffer)
        threading.Thread(target=shutil.copyfileobj, args=errors, daemon=True).start()
        output = asyncio.StreamReader(LONGEST_LINE)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), process.stdout)
        return cls(process, output)

    def write(self, line: bytes) -> None:
        """One message, as it is."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")

    def ask(self, line: bytes, message: Json) -> Lines:
        """Writes a request; where the lines about it will be, its answer the last of them."""
        key = key_of(message["id"])
        lines = self._asked[key] = asyncio.Queue()
        meta = meta_of(message)
        if "progressToken" in meta:
            self._tokens[key_of(meta["progressToken"])] = key
        self.write(line)
        return lines

    def forget(self, request_id: object) -> None:
        """Nobody waits for an answer to that request any more."""
        self._asked.pop(key_of(request_id), None)

    async def end(self) -> None:
        """The end of the host: the command has to go by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.to_thread(self._process.wait, PATIENCE)
        await self._reading

    async def _read(self) -> None:
        async for line in self._output:
            self._lines_for(json.loads(line)).put_nowait(line.rstrip(b"\n"))

    def _lines_for(self, message: Json) -> Lines:
        if "method" not in message:
            return self._asked.pop(key_of(message["id"]), self.others)
        params: Json = message.get("params") or {}
        subscription = meta_of(message).get("io.modelcontextprotocol/subscriptionId")
        for named in (key_of(subscription), self._tokens.get(key_of(params.get("progressToken")))):
            if named in self._asked:
                return self._asked[named]
        # Over stdio nothing says to which request it belongs: to the one asked last.
        return next(reversed(self._asked.values()), self.others)


class Front:
    """The endpoint."""

    def __init__(self) -> None:
        self._sessions: dict[str, Child] = {}
        self._shared: asyncio.Task[Child] | None = None

    async def post(self, request: Request) -> Response:
        body = await request.body()
        message: Json = json.loads(body)
        headers: dict[str, str] = {}
        session = request.headers.get("mcp-session-id")
        stateless = request.headers.get("mcp-protocol-version") not in WITH_SESSIONS
        if stateless:
            self._shared = self._shared or asyncio.create_task(Child.start())
            child = await self._shared
        elif session is None and message.get("method") == "initialize":
            headers["mcp-session-id"] = session = uuid.uuid4().hex
            child = self._sessions[session] = await Child.start()
        elif session not in self._sessions:
            return Response(status_code=400 if session is None else 404)
        else:
            child = self._sessions[session]
        if "method" not in message or "id" not in message:
            child.write(body)
            return Response(status_code=202)
        lines = child.ask(body, message)
        first = await asyncio.wait_for(lines.get(), PATIENCE)
        said: Json = json.loads(first)
        if stateless and "method" not in said:
            status = STATUS.get(said.get("error", {}).get("code"), 200)
            return Response(first, status, media_type="application/json")
        return stream(until_answered(child, message["id"], lines, first, stateless), headers)

    async def get(self, request: Request) -> Response:
        child = self._sessions.get(request.headers.get("mcp-session-id", ""))
        return Response(status_code=405) if child is None else stream(endless(child), {})

    async def delete(self, request: Request) -> Response:
        child = self._sessions.pop(request.headers.get("mcp-session-id", ""), None)
        if child is None:
            return Response(status_code=404)
        await child.end()
        return JSONResponse({})


def stream(events: AsyncIterator[bytes], headers: dict[str, str]) -> Response:
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def until_answered(
    child: Child, request_id: object, lines: Lines, line: bytes, stateless: bool
) -> AsyncIterator[bytes]:
    """Events until the answer. A stream of 2026-07-28 that is closed before is a cancellation."""
    answered = False
    try:
        while True:
            answered = "method" not in json.loads(line)
            yield b"event: message\ndata: " + line + b"\n\n"
            if answered:
                return
            line = await lines.get()
    finally:
        child.forget(request_id)
        if not answered and stateless:
            params = {"requestId": request_id}
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            child.write(json.dumps(cancelled).encode())


async def endless(child: Child) -> AsyncIterator[bytes]:
    """Events for as long as the other side listens."""
    while True:
        yield b"event: message\ndata: " + await child.others.get() + b"\n\n"


def make_app() -> Starlette:
    front = Front()
    return Starlette(
        routes=[
            Route("/mcp", front.post, methods=["POST"]),
            Route("/mcp", front.get, methods=["GET"]),
            Route("/mcp", front.delete, methods=["DELETE"]),
        ]
    )


if __name__ == "__main__":
    serve(make_app())
