"""A network that fails, between a command and a real server: TCP, byte by byte.

Left alone it forwards. `script` and `always` say what happens to a connection from the request on
in which some bytes turn up (a method, a path; b"" is any request): how much of the request gets
through, how much of the answer, how fast, and how it ends. It knows nothing of HTTP but that the
next request comes behind the answer to the one before, and counts what passes by. Must not know who
talks.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from tests.peers.wild_server import reset

Ending = Literal["go on", "reset", "end", "silence", "vanish"]
"""go on: nothing happens. reset: RST to both. end: FIN to both. silence: the connection stays, and
nothing passes any more. vanish: the same, and the server is told that the client has gone."""


@dataclass(frozen=True)
class Fault:
    """What becomes of one request and its answer.

    Attributes:
        request: how many bytes of the request get through, None for all.
        response: how many bytes of the answer get through, None for all; with 0 it is lost as soon
            as there is one.
        pause: seconds after those bytes; then comes `then`, or with "go on" the rest.
        pace: seconds between two bytes of the answer.
        behind: what follows the answer's first bytes at once, as a late or repeated packet.
        then: how it ends, see `Ending`.
    """

    request: int | None = None
    response: int | None = None
    pause: float = 0.0
    pace: float = 0.0
    behind: bytes = b""
    then: Ending = "reset"


class _Link:
    """A connection of the client, and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.fault: Fault | None = None
        self.left: int | None = None
        """Bytes of the request that may still pass, None for all."""
        self.passed = 0
        """Bytes of the answer that have passed."""
        self.marks: tuple[bytes, ...] = ()
        """Those that are watched, and that the request has."""
        self.is_answered = False
        """Whether there was an answer behind the last bytes of a request."""
        self.is_mute = False

    def begin_request(self) -> None:
        """What the last one met is over."""
        self.is_answered, self.marks = False, ()
        self.fault, self.left = None, None

    def end(self, how: Ending) -> None:
        if how == "reset":
            reset(self.client)
            reset(self.server)
        elif how == "end":
            for one in (self.client, self.server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        elif how == "silence":
            self.is_mute = True
        elif how == "vanish":
            self.is_mute = True
            reset(self.server)


class FaultProxy:
    """The network to one server of this machine.

    Attributes:
        port: where the command is to connect.
        connections: monotonic seconds at which each was accepted.
        seen: by the bytes that were looked for, how many requests had them.
        request_sizes, answer_sizes: by the same, how many bytes the last such request had, as far
            as it was sent, and the answer to it.
    """

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> None:
        self.target = target
        self.connections: list[float] = []
        self.seen: dict[bytes, int] = {}
        self.request_sizes: dict[bytes, int] = {}
        self.answer_sizes: dict[bytes, int] = {}
        self.stopped = threading.Event()
        self._host = host
        self._scripts: dict[bytes, deque[Fault]] = {}
        self._standing: dict[bytes, Fault] = {}
        self._links: set[_Link] = set()
        self._lock = threading.RLock()
        self.port = port
        self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self.close()

    @property
    def origin(self) -> str:
        """Where the server seems to be."""
        return f"http://{self._host}:{self.port}"

    # What happens

    def watch(self, *marks: bytes) -> None:
        """Counts the requests with these bytes from now on."""
        with self._lock:
            self.seen.update(dict.fromkeys(marks, 0))

    def script(self, mark: bytes, *faults: Fault) -> None:
        """The next requests with these bytes meet these faults, one each."""
        with self._lock:
            self._scripts.setdefault(mark, deque()).extend(faults)

    def always(self, mark: bytes, fault: Fault | None) -> None:
        """All requests with these bytes that meet nothing scripted meet this; None ends it."""
        with self._lock:
            self._standing.pop(mark, None)
            if fault is not None:
                self._standing[mark] = fault

    def forget(self) -> None:
        """All is well from now on."""
        with self._lock:
            self._scripts.clear()
            self._standing.clear()

    def close(self) -> None:
        """Nobody listens any more, and every connection is reset."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def open(self) -> None:
        """Listens (again), at the same port."""
        self._listener = socket.create_server((self._host, self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def cut(self, how: Ending = "reset") -> None:
        """Every connection there is ends like this."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.end(how)

    # Forwarding

    def _start(self, target: Callable[..., None], *args: object) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections.append(time.monotonic())
            try:
                server = socket.create_connection(self.target, 5)
            except OSError:
                reset(client)
                continue
            for one in (client, server):
                one.settimeout(None)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            with self._lock:
                self._links.add(link)
            self._start(self._forward, link)

    def _forward(self, link: _Link) -> None:
        """Both directions in one thread, until one of them ends."""
        try:
            while not self.stopped.is_set():
                if link.is_mute:
                    self._wait_until_left(link)
                    break
                readable = select.select([link.client, link.server], [], [], 0.5)[0]
                if link.client in readable:
                    data = link.client.recv(1 << 16)
                    if not data:
                        break
                    self._up(link, data)
                if link.server in readable and not link.is_mute:
                    data = link.server.recv(1 << 16)
                    if not data:
                        break
                    self._down(link, data)
        except (OSError, ValueError):
            pass  # one of the two has been closed
        finally:
            with self._lock:
                self._links.discard(link)
            for one in (link.client, link.server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _wait_until_left(self, link: _Link) -> None:
        """Waits for the client, who alone may end a connection that is mute."""
        while not self.stopped.is_set():
            if select.select([link.client], [], [], 0.1)[0] and not link.client.recv(1 << 16):
                return

    def _up(self, link: _Link, data: bytes) -> None:
        if link.is_answered:
            link.begin_request()
        with self._lock:
            self._count(link, data)
            fault = self._choose(data)
        if fault is not None:
            link.fault, link.left, link.passed = fault, fault.request, 0
        now = data[: link.left]
        if now:
            link.server.sendall(now)
        if link.fault is None or link.left is None:
            return
        link.left -= len(now)
        if not link.left:
            link.left = None
            self._pause(link.fault)
            link.end(link.fault.then)
            if link.fault.then == "go on":
                link.server.sendall(data[len(now) :])

    def _count(self, link: _Link, data: bytes) -> None:
        new = tuple(mark for mark in self.seen if mark in data)
        for mark in new:
            self.seen[mark] += data.count(mark)
            self.request_sizes[mark] = self.answer_sizes[mark] = 0
        link.marks += new
        for mark in link.marks:
            self.request_sizes[mark] += len(data)

    def _choose(self, data: bytes) -> Fault | None:
        for mark, queue in self._scripts.items():
            if queue and mark in data:
                return queue.popleft()
        return next((fault for mark, fault in self._standing.items() if mark in data), None)

    def _down(self, link: _Link, data: bytes) -> None:
        with self._lock:
            link.is_answered = True
            for mark in link.marks:
                self.answer_sizes[mark] += len(data)
        fault = link.fault
        if fault is None:
            link.client.sendall(data)
            return
        left = len(data) if fault.response is None else max(fault.response - link.passed, 0)
        now, rest = data[:left], data[left:]
        # In one: what came a moment later could meet the next request, which nobody can prevent.
        self._send(link, now + fault.behind, fault.pace)
        link.passed += len(now)
        if fault.behind:
            link.fault = None
        if fault.response is not None and link.passed >= fault.response:
            self._pause(fault)
            link.fault = None
            link.end(fault.then)
            if fault.then == "go on":
                link.client.sendall(rest)

    def _send(self, link: _Link, data: bytes, pace: float) -> None:
        if not pace:
            link.client.sendall(data)
            return
        for number in range(len(data)):
            link.client.sendall(data[number : number + 1])
            if self.stopped.wait(pace):
                return

    def _pause(self, fault: Fault) -> None:
        self.stopped.wait(fault.pause)


@contextlib.contextmanager
def deaf_port() -> Generator[int]:
    """A port of this machine where connecting takes for ever: its queue is full (Linux)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
