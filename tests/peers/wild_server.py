"""An MCP server over raw HTTP that does whatever a test scripts, request by request.

Left alone it is a good server: it answers `initialize`, lists one tool and echoes every other
request. `script` and `always` replace that, by JSON-RPC method (`tools/call`), by HTTP verb (`GET`,
`DELETE`) or, for the host's answers, by `response`; what stands there is a function of one
`Exchange`, which can answer, lie, cut, wait or stay silent. Every request is recorded.

It runs in threads of the test's process, one per connection, so that a script is straight code.
Must not know the command under test.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

Json = dict[str, Any]
Behaviour = Callable[["Exchange"], None]

PATIENCE = 30.0
"""Seconds any wait inside a script takes at most."""

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found"}

TOOLS: list[Json] = [
    {"name": "echo", "inputSchema": {"type": "object"}},
    {"name": "lookup", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {"name": "repeat", "inputSchema": {"type": "object"}, "annotations": {"idempotentHint": True}},
]


class Exchange:
    """One HTTP request, and every way to answer it.

    Attributes:
        verb, path: from the request line, the path with its query.
        headers: by lower-case name; of a repeated name, the values joined by ", ".
        body: its bytes.
        message: what the body says as JSON, None when it says nothing.
        answered_at: monotonic seconds when the first byte of the answer left, or None.
    """

    def __init__(
        self,
        server: WildServer,
        connection: socket.socket,
        verb: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        self.server = server
        self.connection = connection
        self.verb = verb
        self.path = path
        self.headers = headers
        self.body = body
        self.received_at = time.monotonic()
        self.answered_at: float | None = None
        self.message: Any = None
        if body:
            with contextlib.suppress(ValueError):
                self.message = json.loads(body)
        self._chunked = False
        self.keep_alive = True

    @property
    def method(self) -> str:
        """The JSON-RPC method, `response` for an answer of the host, else the HTTP verb."""
        members = self._members()
        if "method" in members:
            return str(members["method"])
        if "result" in members or "error" in members:
            return "response"
        return self.verb

    @property
    def id(self) -> Any:
        """The JSON-RPC id, None without one."""
        return self._members().get("id")

    @property
    def params(self) -> Json:
        """The JSON-RPC params, empty without any."""
        return cast("Json", self._members().get("params") or {})

    def _members(self) -> Json:
        message: object = self.message
        return cast("Json", message) if isinstance(message, dict) else {}

    def __repr__(self) -> str:
        return f"<{self.verb} {self.path} {self.method} id={self.id!r}>"

    # Whole answers

    def reply(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A complete HTTP answer."""
        fields = dict(headers or {})
        if body and content_type:
            fields.setdefault("Content-Type", content_type)
        if status != 204:
            fields.setdefault("Content-Length", str(len(body)))
        self.write(_head(status, fields) + body)

    def result(
        self, result: object, *, headers: Mapping[str, str] | None = None, sse: bool | None = None
    ) -> None:
        """A result to this request, as JSON or as an event stream of one event."""
        self.send(encode({"jsonrpc": "2.0", "id": self.id, "result": result}), headers, sse=sse)

    def error(self, code: int, message: str, *, status: int = 200) -> None:
        """A JSON-RPC error to this request."""
        body = {"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": message}}
        self.reply(status, encode(body))

    def send(
        self, line: bytes, headers: Mapping[str, str] | None = None, *, sse: bool | None = None
    ) -> None:
        """These bytes as the answer, as JSON or as an event stream of one event."""
        if self.server.legacy:
            self.reply(202, headers=headers)
            self.server.push(line, path=self.path)
        elif self.server.sse if sse is None else sse:
            self.stream(headers)
            self.event(line)
            self.finish()
        else:
            self.reply(200, line, headers=headers)

    def good(self) -> None:
        """What the server does when nothing is scripted."""
        self.server.behave(self)

    # Answers in pieces

    def stream(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str = "text/event-stream",
        status: int = 200,
    ) -> None:
        """The head of an answer whose body comes in chunks."""
        fields = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        self._chunked = True
        self.write(_head(status, fields | dict(headers or {})))

    def event(
        self,
        data: bytes | None = None,
        *,
        event_id: str | None = None,
        name: str | None = None,
        retry: int | None = None,
    ) -> None:
        """One server-sent event. `data` is one line; `retry` is milliseconds."""
        lines: list[bytes] = []
        if name is not None:
            lines.append(b"event: " + name.encode())
        if event_id is not None:
            lines.append(b"id: " + event_id.encode())
        if retry is not None:
            lines.append(b"retry: %d" % retry)
        if data is not None:
            lines.append(b"data: " + data)
        self.piece(b"\n".join(lines) + b"\n\n")

    def piece(self, data: bytes) -> None:
        """A part of the body of an answer begun with `stream`."""
        self.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def finish(self) -> None:
        """The end of an answer begun with `stream`."""
        self.write(b"0\r\n\r\n")

    def write(self, data: bytes) -> None:
        """These very bytes on the connection."""
        if self.answered_at is None:
            self.answered_at = time.monotonic()
        self.connection.sendall(data)

    def close(self) -> None:
        """Ends the connection after what was written (FIN)."""
        self.keep_alive = False
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Tears the connection down (RST)."""
        self.keep_alive = False
        reset(self.connection)

    # Waiting

    def wait(self, event: threading.Event, seconds: float = PATIENCE) -> bool:
        """Waits for the event; False when the time is over or the server is stopped."""
        deadline = time.monotonic() + seconds
        while not event.wait(0.02):
            if time.monotonic() > deadline or self.server.stopped.is_set():
                return False
        return True

    def delay(self, seconds: float) -> None:
        """Lets time go by, as a slow server does."""
        self.server.stopped.wait(seconds)

    def hold(self, seconds: float = PATIENCE) -> bool:
        """Says nothing until the client hangs up (True) or the server is stopped (False)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.server.stopped.is_set():
            try:
                if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(
                    1, socket.MSG_PEEK
                ):
                    return True
            except (OSError, ValueError):
                return True
        return False


class WildServer:
    """The server.

    Attributes:
        requests: every request, in the order of arrival.
        sse: whether good answers come as event streams.
        sessions: whether good answers need the session that `initialize` began.
        listen: whether GET opens a stream for `push` (else it is answered 405).
        legacy: the transport of 2024-11-05: GET opens the stream that names the endpoint.
        endpoint: what that stream names; `{session}` is filled in.
        on_lost_session: what answers a message in an unknown session.
        tools: what `tools/list` lists.
        name: what it calls itself.
        departures: how often a client left in the middle of an exchange.
        failures: what went wrong inside scripts; leaving the server raises it.
    """

    def __init__(
        self,
        *,
        sse: bool = False,
        sessions: bool = False,
        listen: bool = False,
        legacy: bool = False,
        path: str = "/mcp",
        host: str = "127.0.0.1",
    ) -> None:
        self.sse = sse
        self.sessions = sessions
        self.listen = listen or legacy
        self.legacy = legacy
        self.endpoint = "/messages?session={session}"
        self.path = path
        self.on_lost_session: Behaviour = lose_session_404
        self.tools = TOOLS
        self.name = "wild"
        self.capabilities: Json = {"tools": {}, "logging": {}, "resources": {"subscribe": True}}
        self.requests: list[Exchange] = []
        self.known_sessions: set[str] = set()
        self.failures: list[BaseException] = []
        self.departures = 0
        self.stopped = threading.Event()
        self._change = threading.Condition()
        self._queues: dict[str, deque[Behaviour]] = {}
        self._standing: dict[str, Behaviour] = {}
        self._streams: dict[str, Exchange] = {}
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._host = host
        self.port = 0
        self._held: socket.socket | None = None
        """Keeps the port of a server that is away: it is not to become another test's."""
        self._listener = self._bind()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """What the command under test is given."""
        return self.origin + self.path

    # Life

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._release()
        if error is None and self.failures:
            raise self.failures[0]

    def _bind(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._start(self._accept, listener)
        return listener

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def kill(self) -> None:
        """Dies at once: nobody listens, every connection is reset, all sessions are forgotten."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hold()
        with self._change:
            connections = list(self._connections)
            self._streams.clear()
            self.known_sessions.clear()
        for connection in connections:
            reset(connection)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._threads.clear()

    def _hold(self) -> None:
        self._release()
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind((self._host, self.port))  # nobody listens: who connects is refused

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def restart(self) -> None:
        """Lives again after `kill`, on the same port, knowing nothing."""
        self._release()
        self.stopped = threading.Event()
        self._listener = self._bind()

    # Scripts

    def key_of(self, exchange: Exchange) -> str:
        """What scripts call this request; a server of more than MCP names its own."""
        return exchange.method

    def script(self, method: str, *behaviours: Behaviour) -> None:
        """The next requests of this method meet these behaviours, one each."""
        with self._change:
            self._queues.setdefault(method, deque()).extend(behaviours)

    def always(self, method: str, behaviour: Behaviour) -> None:
        """All requests of this method that meet nothing scripted meet this."""
        with self._change:
            self._standing[method] = behaviour

    def received(self, method: str) -> list[Exchange]:
        """What came in so far: by JSON-RPC method, `response`, or HTTP verb."""
        with self._change:
            return [one for one in self.requests if method in (self.key_of(one), one.verb)]

    def wait_for(self, method: str, count: int = 1, *, seconds: float = 15.0) -> list[Exchange]:
        """Waits until that many requests of this method came in, and returns them.

        Raises:
            AssertionError: they did not.
        """
        self.wait_until(
            lambda: len(self.received(method)) >= count, f"{count} x {method}", seconds=seconds
        )
        return self.received(method)

    def wait_until(
        self, condition: Callable[[], bool], what: str, *, seconds: float = 15.0
    ) -> None:
        """Waits until something that came in makes the condition true."""
        with self._change:
            if not self._change.wait_for(condition, seconds):
                raise AssertionError(f"{what}: not within {seconds} s; got {self.requests}")

    # The open streams

    def push(
        self, line: bytes, *, path: str = "", event_id: str | None = None, name: str | None = None
    ) -> None:
        """Sends a message on the open stream: that of the session in `path`, or all there are."""
        with self._change:
            session = path.rpartition("session=")[2] if "session=" in path else ""
            streams = [one for key, one in self._streams.items() if not session or key == session]
        for stream in streams:
            with contextlib.suppress(OSError), self._change:
                usual = "message" if self.legacy else None
                stream.event(line, event_id=event_id, name=name or usual)

    def wait_for_stream(self, *, seconds: float = 15.0) -> None:
        """Waits until the client listens."""
        self.wait_until(lambda: bool(self._streams), "an open stream", seconds=seconds)

    def cut_streams(self, *, clean: bool = False) -> None:
        """Ends every open stream: torn, or finished as HTTP wants it."""
        with self._change:
            streams = list(self._streams.values())
            self._streams.clear()
        for stream in streams:
            with contextlib.suppress(OSError):
                if clean:
                    stream.finish()
                    stream.close()
                else:
                    stream.cut()

    # Good behaviour

    def behave(self, exchange: Exchange) -> None:
        """The good server."""
        if exchange.verb == "GET":
            self._open_stream(exchange)
        elif exchange.verb == "DELETE":
            self.known_sessions.discard(exchange.headers.get("mcp-session-id", ""))
            exchange.reply(200)
        elif self.legacy and "session=" not in exchange.path:
            exchange.reply(405, b"use GET", content_type="text/plain")
        elif self.legacy and exchange.path.partition("session=")[2] not in self.known_sessions:
            self.on_lost_session(exchange)
        elif exchange.method == "initialize":
            self._begin_session(exchange)
        elif self.sessions and exchange.headers.get("mcp-session-id") not in self.known_sessions:
            self.on_lost_session(exchange)
        elif exchange.id is None or exchange.method == "response":
            exchange.reply(202)
        elif exchange.method == "ping" or exchange.method == "logging/setLevel":
            exchange.result({})
        elif exchange.method == "tools/list":
            exchange.result({"tools": self.tools})
        else:
            exchange.result({"content": [], "method": exchange.method, "params": exchange.params})

    def _begin_session(self, exchange: Exchange) -> None:
        headers: dict[str, str] = {}
        if self.sessions:
            session = uuid4().hex
            self.known_sessions.add(session)
            headers["Mcp-Session-Id"] = session
        result = {
            "protocolVersion": exchange.params.get("protocolVersion", "2025-11-25"),
            "capabilities": self.capabilities,
            "serverInfo": {"name": self.name, "version": "1"},
        }
        exchange.result(result, headers=headers)

    def _open_stream(self, exchange: Exchange) -> None:
        if not self.listen:
            exchange.reply(405, headers={"Allow": "POST, DELETE"})
            return
        session = exchange.headers.get("mcp-session-id", "")
        if self.sessions and session not in self.known_sessions:
            self.on_lost_session(exchange)
            return
        key = uuid4().hex if self.legacy else session or uuid4().hex
        exchange.stream()
        with self._change:
            # At once: who knows the endpoint may ask there, and be answered on this stream.
            self._streams[key] = exchange
            if self.legacy:
                self.known_sessions.add(key)
                exchange.event(self.endpoint.format(session=key).encode(), name="endpoint")
            self._change.notify_all()
        exchange.hold(3600)
        with self._change:
            if self._streams.get(key) is exchange:
                del self._streams[key]
            if self.legacy:
                self.known_sessions.discard(key)

    # Connections

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._change:
                if self.stopped.is_set():
                    connection.close()
                    return
                self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                while (exchange := self._read_request(connection, reader)) is not None:
                    self._choose(exchange)(exchange)
                    if not exchange.keep_alive:
                        break
        except (ConnectionError, TimeoutError):
            self.departures += 1
        except OSError as error:
            if not self.stopped.is_set() and connection.fileno() >= 0:
                self.failures.append(error)
        except Exception as error:  # handed to the test by __exit__
            self.failures.append(error)
        finally:
            with self._change:
                self._connections.discard(connection)

    def _choose(self, exchange: Exchange) -> Behaviour:
        with self._change:
            self.requests.append(exchange)
            self._change.notify_all()
            key = self.key_of(exchange)
            queue = self._queues.get(key)
            if queue:
                return queue.popleft()
            return self._standing.get(key, self.behave)

    def _read_request(self, connection: socket.socket, reader: Any) -> Exchange | None:
        first: bytes = reader.readline()
        if not first.endswith(b"\r\n") or first.count(b" ") < 2:
            return None  # the end, or bytes of TLS
        verb, path, _ = first.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := reader.readline()) != b"\r\n":
            if not line:
                return None  # who hangs up within a request has not asked
            name, _, value = line.decode("latin-1").partition(":")
            name = name.lower()
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join(iter(lambda: _read_chunk(reader), b""))
        else:
            length = int(headers.get("content-length", "0"))
            body = reader.read(length)
            if len(body) < length:
                return None
        return Exchange(self, connection, verb, path, headers, body)


def encode(message: object) -> bytes:
    """JSON text in one line."""
    return json.dumps(message, ensure_ascii=False).encode()


def _read_chunk(reader: Any) -> bytes:
    size = int(reader.readline().split(b";")[0], 16)
    data: bytes = reader.read(size)
    reader.readline()
    return data


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n{fields}\r\n".encode("latin-1")


def reset(connection: socket.socket) -> None:
    """RST in place of FIN: lingering for no time at all."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        # A reader may hold the descriptor, then `close` alone would not take effect.
        connection.shutdown(socket.SHUT_RD)
    connection.close()


# Behaviours a test can name

MODERN = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"


def be_modern(exchange: Exchange) -> None:
    """A strict server of 2026-07-28: what is not of it is refused as the revision says."""
    meta = exchange.params.get("_meta", {})
    if exchange.verb != "POST":
        exchange.reply(405, headers={"Allow": "POST"})
    elif exchange.headers.get("mcp-protocol-version") != MODERN:
        exchange.error(-32020, "Header mismatch: MCP-Protocol-Version is missing", status=400)
    elif exchange.headers.get("mcp-method") != exchange.method:
        exchange.error(-32020, "Header mismatch: Mcp-Method", status=400)
    elif (
        meta.get(PREFIX + "protocolVersion") != MODERN or PREFIX + "clientCapabilities" not in meta
    ):
        exchange.error(-32602, "_meta is incomplete", status=400)
    elif exchange.method == "server/discover":
        exchange.result(
            {
                "resultType": "complete",
                "supportedVersions": [MODERN],
                "capabilities": {"tools": {}},
                "ttlMs": 0,
                "cacheScope": "private",
            }
        )
    elif exchange.method == "tools/list":
        exchange.result(
            {
                "resultType": "complete",
                "tools": exchange.server.tools,
                "ttlMs": 0,
                "cacheScope": "private",
            }
        )
    else:
        content = [{"type": "text", "text": exchange.params.get("name", "")}]
        exchange.result({"resultType": "complete", "content": content})


def lose_session_404(exchange: Exchange) -> None:
    """As the specification wants it, and the SDKs do it: the id was not read."""
    exchange.reply(404, _refuse_unread(-32600, "Session not found"))


def lose_session_404_by_id(exchange: Exchange) -> None:
    """A server that reads the message before it looks for the session."""
    exchange.error(-32600, "Session not found", status=404)


def lose_session_404_plain(exchange: Exchange) -> None:
    """A router in front of the server, with a text of its own."""
    exchange.reply(404, b"not found", content_type="text/plain")


def lose_session_400_anew(exchange: Exchange) -> None:
    """A server that was started anew, and waits for a handshake."""
    exchange.reply(400, _refuse_unread(-32000, "Bad Request: Server not initialized"))


def lose_session_200(exchange: Exchange) -> None:
    """A server that says everything in JSON-RPC; the id was not read."""
    exchange.reply(200, _refuse_unread(-32001, "Session not found"))


def lose_session_200_by_id(exchange: Exchange) -> None:
    """The same, after it has read the message."""
    exchange.error(-32001, "Session not found", status=200)


def lose_session_stream(exchange: Exchange) -> None:
    """A server that has begun its stream before it looks for the session."""
    body = b'event: message\ndata: {"error":"Session not found"}\n\n'
    exchange.reply(200, body, content_type="text/event-stream")


def lose_session_500(exchange: Exchange) -> None:
    """A framework whose part for sessions throws."""
    exchange.reply(500, b'{"error":"Session not found"}')


def lose_session_503(exchange: Exchange) -> None:
    """A server behind several instances, one of which was started anew."""
    exchange.reply(503, _refuse_unread(-32001, "Service Unavailable: unknown session"))


def lose_session_403(exchange: Exchange) -> None:
    """A gateway that keeps the sessions."""
    exchange.reply(403, b'{"code":"SESSION_NOT_FOUND"}')


def lose_session_401(exchange: Exchange) -> None:
    """As the Rust SDK does it, whatever the credential."""
    exchange.reply(401, b"Unauthorized: Session not found", content_type="text/plain")


def lose_session_410(exchange: Exchange) -> None:
    """A server that remembers the sessions it ended."""
    exchange.reply(410, b"gone", content_type="text/plain")


def lose_session_400(exchange: Exchange) -> None:
    """Servers of 2025 that keep sessions in memory."""
    exchange.reply(400, _refuse_unread(-32000, "Bad Request: No valid session ID provided"))


def _refuse_unread(code: int, message: str) -> bytes:
    return encode({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}})


def cut_before_head(exchange: Exchange) -> None:
    """The request was read, the answer never begins."""
    exchange.cut()


def cut_in_head(exchange: Exchange) -> None:
    """In the middle of the header fields."""
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: applica")
    exchange.close()


def cut_in_body(exchange: Exchange) -> None:
    """Fewer bytes than announced."""
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    head = {"Content-Type": "application/json", "Content-Length": str(len(line))}
    exchange.write(_head(200, head) + line[: len(line) // 2])
    exchange.close()


def cut_in_event(exchange: Exchange) -> None:
    """Half an event, then the end."""
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {}})
    exchange.stream()
    exchange.piece(b"data: " + line[: len(line) // 2])
    exchange.close()


def end_stream_without_answer(exchange: Exchange) -> None:
    """An event stream that ends as HTTP wants it, with no answer in it."""
    exchange.stream()
    exchange.piece(b": nothing to say\n\n")
    exchange.finish()


def be_silent(exchange: Exchange) -> None:
    """Takes the request and says nothing."""
    exchange.hold(3600)


def body_without_end(exchange: Exchange) -> None:
    """A JSON answer that begins and never ends."""
    exchange.stream(content_type="application/json")
    exchange.piece(b'{"jsonrpc":"2.0","id":')
    exchange.hold(3600)


def answer_status(
    status: int,
    body: bytes = b"",
    *,
    content_type: str = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """A fixed HTTP answer."""
    return lambda exchange: exchange.reply(status, body, content_type=content_type, headers=headers)


def answer_html(status: int = 200) -> Behaviour:
    """A page for people."""
    page = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Hi</body></html>"
    return answer_status(status, page, content_type="text/html; charset=utf-8")


def redirect(status: int, location: str) -> Behaviour:
    """Elsewhere."""
    return answer_status(status, headers={"Location": location})


def duplicate_answer(exchange: Exchange) -> None:
    """The same answer twice on one stream."""
    line = encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"once": True}})
    exchange.stream()
    exchange.event(line)
    exchange.event(line)
    exchange.finish()


def foreign_answer(exchange: Exchange) -> None:
    """A result for an id nobody asked, then the right one."""
    exchange.stream()
    exchange.event(encode({"jsonrpc": "2.0", "id": "nobody", "result": {}}))
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"right": True}}))
    exchange.finish()
