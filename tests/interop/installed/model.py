"""A model on loopback: it is offered tools, calls one, is given what came of it, and says so.

Whatever a host asks beside that is answered with a word. Every question is kept. Must not know
which host asks.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.interop.installed.dialects import Dialect, dialect_of, text_of

Json = dict[str, Any]

DONE = "The tool gave"
"""How the last word of the model begins."""


@dataclass(frozen=True)
class Question:
    """One request of a host to its model."""

    path: str
    offered: tuple[str, ...]
    """Names of tools, as the host tells them."""
    given: tuple[str, ...]
    """What tools gave, as text."""
    at: float
    """Monotonic seconds."""


class FakeModel:
    """The model's server.

    Attributes:
        tool: the end of the name of the tool that it calls.
        arguments: what it calls it with.
        before_call: is done before it answers with the call; the host waits.
        asked: every question so far.
        others: paths that were asked for and are not a question.
    """

    def __init__(self, tool: str = "add", arguments: Json | None = None) -> None:
        self.tool = tool
        self.arguments = {"a": 20, "b": 22} if arguments is None else arguments
        self.before_call: Callable[[], object] = lambda: None
        self.asked: list[Question] = []
        self.others: list[str] = []
        self._lock = threading.Lock()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                model.answer(self, self.rfile.read(size))

            def do_GET(self) -> None:
                model.others.append(self.path)
                send(self, 200, "application/json", b'{"object":"list","data":[]}')

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """All questions so far."""
        with self._lock:
            self.asked.clear()

    @property
    def offered(self) -> set[str]:
        """All tools it was ever offered."""
        return {name for one in self.asked for name in one.offered}

    @property
    def given(self) -> str:
        """What the tool gave, of the question that has most of it; "" for nothing."""
        return max((" ".join(one.given) for one in self.asked), key=len, default="")

    def answer(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        """One POST."""
        dialect = dialect_of(handler.path)
        if dialect is None:
            self.others.append(handler.path)
            send(handler, 200, "application/json", b"{}")
            return
        body: Json = json.loads(data)
        question = Question(
            handler.path,
            tuple(dialect.offered(body)),
            tuple(text_of(one) for one in dialect.given(body)),
            time.monotonic(),
        )
        with self._lock:
            self.asked.append(question)
        send(handler, 200, "text/event-stream", self._decide(dialect, question))

    def _decide(self, dialect: Dialect, question: Question) -> bytes:
        if question.given:
            return dialect.encode(dialect.saying(f"{DONE} {question.given[-1]}"))
        named = [one for one in question.offered if re.search(rf"[^a-z]{self.tool}$", one)]
        if not named:
            return dialect.encode(dialect.saying("Hello."))
        self.before_call()
        return dialect.encode(dialect.calling(named[0], self.arguments))


def send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    """A whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
