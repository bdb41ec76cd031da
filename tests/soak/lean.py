"""A host and a server that can be used for hours: what is over is judged, counted and forgotten.

Must not know the command under test.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.canaries import RUN
from tests.harness.host import Host, Json, key_of
from tests.peers.authorization_server import AuthorizationServer, Client, Form
from tests.peers.wild_server import Behaviour, Exchange, encode

KEPT = 256
"""Requests that a server remembers."""


class LeanHost(Host):
    """A host that keeps ids, and nothing else of what was answered."""

    def take_answer(self, request_id: object, *, seconds: float) -> Json:
        """The answer to a request; one more to the same id is a violation.

        Raises:
            AssertionError: it did not come in time, or the command has ended.
        """
        key = key_of(request_id)
        message = self.answer_line(request_id, seconds=seconds).message
        with self._change:
            self._asked[key] -= len(self._answers.pop(key))
        return message

    def forget(self) -> None:
        """Searches what was said so far for secrets, and forgets it."""
        with self._change:
            said = b"\n".join(line.raw for line in self.lines)
            self.lines.clear()
            self.notifications.clear()
            self.server_requests.clear()
        if RUN.are_in(said):
            self._violate("a secret on stdout")


class LeanServer(AuthorizationServer):
    """Remembers the last requests, and how many of each kind there were.

    Attributes:
        counts: by what scripts call them.
        reuses: how often a refresh token came that had been used before.
        rotated_at: when each renewal was done, in monotonic seconds.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.reuses = 0
        self.rotated_at: list[float] = []
        super().__init__(*arguments, **options)

    def drop(self) -> None:
        """Every connection is reset; sessions stay, and who comes again is served."""
        with self._change:
            connections = list(self._connections)
        for connection in connections:
            reset(connection)

    def behave(self, exchange: Exchange) -> None:
        tool = _TOOLS.get(str(exchange.params.get("name"))) if exchange.method == CALL else None
        session = exchange.headers.get("mcp-session-id")
        if tool is None or session not in self.known_sessions:
            super().behave(exchange)
        elif self._admit(exchange):
            tool(exchange)

    def _refresh(self, client: Client, form: Form) -> Json:
        token = self.refresh_tokens.get(form.get("refresh_token", ""))
        self.reuses += token is not None and token.spent
        members = super()._refresh(client, form)
        self.rotated_at.append(time.monotonic())
        return members

    def _choose(self, exchange: Exchange) -> Behaviour:
        chosen = super()._choose(exchange)
        with self._change:
            self.counts[self.key_of(exchange)] += 1
            if len(self.requests) > 2 * KEPT:
                del self.requests[:-KEPT]
        return chosen

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        super()._start(target, *args)


CALL = "tools/call"


def reset(connection: socket.socket) -> None:
    """RST, also where a thread reads from it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _take_time(exchange: Exchange) -> None:
    exchange.delay(float(exchange.params["arguments"]["seconds"]))
    exchange.result({"content": []})


def _report_progress(exchange: Exchange) -> None:
    token = exchange.params.get("_meta", {}).get("progressToken")
    exchange.stream()
    for number in range(3):
        params = {"progressToken": token, "progress": number, "total": 3}
        exchange.event(_notification("notifications/progress", params))
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"content": []}}))
    exchange.finish()


def _ask_back(exchange: Exchange) -> None:
    exchange.stream()
    exchange.event(encode({"jsonrpc": "2.0", "id": f"asked-{exchange.id}", "method": "roots/list"}))
    exchange.event(encode({"jsonrpc": "2.0", "id": exchange.id, "result": {"content": []}}))
    exchange.finish()


def _notification(method: str, params: Json) -> bytes:
    return encode({"jsonrpc": "2.0", "method": method, "params": params})


_TOOLS: Mapping[str, Behaviour] = {
    "slow": _take_time,
    "progress": _report_progress,
    "ask": _ask_back,
}
"""Tools that do more than to echo."""
