"""The interfaces of `channel`, written again in small for tests: a clock, a host and a server.

Nothing here waits for real time; everything that is said or asked is kept in order. Must not
know what a test wants to show.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from mcp_remote_py.channel import Deliver, OnLine, Piece, ServerSnapshot
from mcp_remote_py.console import Console
from mcp_remote_py.jsonrpc import Kind, Message
from mcp_remote_py.parsing import parse_message

T = TypeVar("T")
Json = dict[str, Any]

PATIENCE = 20.0
"""Real seconds one asynchronous test may take."""

QUIET_TURNS = 40
"""Turns of the event loop after which tasks that touch no socket have done what they can."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs an asynchronous test, bounded."""
    return asyncio.run(asyncio.wait_for(main, PATIENCE))


def console_of(
    lines: list[str], width: int | None = None, read_line: Callable[[], str] = str
) -> Console:
    """A console that keeps its lines: of a pipe, or of a terminal that is `width` columns wide."""

    def write(text: str) -> None:
        lines.append(text.removesuffix("\n"))

    if width is None:
        return Console(write, read_line)
    return Console(write, read_line, is_interactive=True, has_colour=True, width=width)


def to_cet(moment: datetime) -> datetime:
    """The moment in a zone that is an hour ahead of UTC, in winter and in summer."""
    return moment.astimezone(timezone(timedelta(hours=1), "CET"))


def call_deeper(frames: int, ask: Callable[[], object]) -> object:
    """What `ask` says below so many frames more."""
    return ask() if frames == 0 else call_deeper(frames - 1, ask)


async def settle() -> None:
    """Lets every task that can go on do so. Only for tests without sockets and threads."""
    for _ in range(QUIET_TURNS):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits, in real time, until sockets or threads have made the condition true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets and threads set no event
            await asyncio.sleep(0.002)


class FakeClock:
    """Time that passes when the test says so.

    Attributes:
        waits: the seconds of every sleep that was asked for, in order.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self.waits: list[float] = []

    def now(self) -> float:
        """See `Clock`."""
        return self._now

    def sleep(self, seconds: float) -> Awaitable[None]:
        """See `Clock`."""
        self.waits.append(seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        return future

    @property
    def next_deadline(self) -> float | None:
        """When the first sleeper wakes, None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def jump(self, latest: float) -> bool:
        """Goes to the first deadline up to `latest` and wakes its sleeper, else to `latest`."""
        deadline = self.next_deadline
        if deadline is None or deadline > latest:
            self._now = max(self._now, latest)
            return False
        self._now = max(self._now, deadline)
        heapq.heappop(self._sleepers)[2].set_result(None)
        return True

    async def advance(self, seconds: float, quiet: Callable[[], Awaitable[None]] = settle) -> None:
        """Lets that much time pass; `quiet` waits until what a wake-up began is over."""
        end = self._now + seconds
        await quiet()
        while self.jump(end):
            await quiet()

    async def finish(self, awaitable: Awaitable[T], seconds: float = 3600.0) -> T:
        """The result of `awaitable`; whenever everything waits, time jumps.

        Raises:
            AssertionError: it is not there after that many seconds.
        """
        task = asyncio.ensure_future(awaitable)
        end = self._now + seconds
        await settle()
        while not task.done():
            if not self.jump(end):
                task.cancel()
                raise AssertionError(f"still waiting after {seconds} seconds: {task}")
            await settle()
        return task.result()


class FakeHost:
    """A `HostChannel`.

    Attributes:
        lines: what was sent to the host, in order, as bytes.
        reads: while cleared, the host is far behind in reading.
        flushed: the seconds each `flush` was given.
    """

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.flushed: list[float] = []
        self._on_line: OnLine | None = None
        self._on_long_line: Callable[[bytes, bytes], None] | None = None
        self._on_end: Callable[[], None] | None = None

    def receive(
        self,
        on_line: OnLine,
        on_long_line: Callable[[bytes, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """See `LineChannel`."""
        self._on_line, self._on_long_line, self._on_end = on_line, on_long_line, on_end

    def send(self, *pieces: Piece) -> None:
        """See `LineChannel`."""
        line = b"".join(pieces)
        assert b"\n" not in line
        self.lines.append(line)

    async def drain(self) -> None:
        """See `LineChannel`."""
        await self.reads.wait()

    async def flush(self, seconds: float) -> None:
        """See `LineChannel`."""
        self.flushed.append(seconds)

    # What the test does

    def write(self, line: bytes) -> None:
        """The host writes these bytes as one line."""
        assert self._on_line is not None
        for _ in self._on_line(line) or ():
            pass

    def write_long(self, head: bytes, tail: bytes) -> None:
        """The host writes a line above the cap."""
        assert self._on_long_line is not None
        self._on_long_line(head, tail)

    def close(self) -> None:
        """The host closes stdin."""
        assert self._on_end is not None
        self._on_end()

    def request(self, request_id: object, method: str, params: Json | None = None) -> None:
        """The host asks."""
        self.write(encode_request(request_id, method, params))

    def notify(self, method: str, params: Json | None = None) -> None:
        """The host tells."""
        self.write(encode_notification(method, params))

    def reply(self, request_id: object, result: Json) -> None:
        """The host answers a request of the server."""
        self.write(encode({"jsonrpc": "2.0", "id": request_id, "result": result}))

    @property
    def messages(self) -> list[Json]:
        """What was sent to the host, decoded."""
        return [json.loads(line) for line in self.lines]

    def answers(self, request_id: object) -> list[Json]:
        """The answers to this id."""
        return [one for one in self.messages if "method" not in one and one["id"] == request_id]

    def answer(self, request_id: object) -> Json:
        """The one answer to this id."""
        (answer,) = self.answers(request_id)
        return answer

    def told(self, method: str) -> list[Json]:
        """The requests and notifications of this method."""
        return [one for one in self.messages if one.get("method") == method]


Behaviour = Callable[["FakeServerChannel", Message], Awaitable[None]]


class FakeServerChannel:
    """A `ServerChannel` whose server answers as the test scripts it, message by message.

    Left alone it answers every request with a result that says which message it answers.

    Attributes:
        sent: every message that was handed over, in order.
        events: messages, "renew", "listen", "close" and versions, in order.
        tools: the result of `tools/list`.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.events: list[str] = []
        self.tools: Json = {"tools": []}
        self.capabilities: Json = {"tools": {"listChanged": True}}
        self.deliver: Deliver | None = None
        self.on_session_lost: Callable[[], None] | None = None
        self._queues: defaultdict[str, deque[Behaviour]] = defaultdict(deque)
        self._standing: dict[str, Behaviour] = {}

    def connect(self, deliver: Deliver, on_session_lost: Callable[[], None]) -> FakeServerChannel:
        """As a relay makes it."""
        self.deliver, self.on_session_lost = deliver, on_session_lost
        return self

    def script(self, method: str, *behaviours: Behaviour) -> None:
        """The next messages of this method meet these, one each."""
        self._queues[method].extend(behaviours)

    def always(self, method: str, behaviour: Behaviour) -> None:
        """All messages of this method that meet nothing scripted meet this; "" is every method."""
        self._standing[method] = behaviour

    async def send(self, message: Message) -> None:
        """See `ServerChannel`."""
        self.sent.append(message)
        self.events.append(message.method or "response")
        await asyncio.sleep(0)
        queue = self._queues[message.method]
        if queue:
            behaviour = queue.popleft()
        else:
            behaviour = self._standing.get(message.method) or self._standing.get("", good)
        await behaviour(self, message)

    def say(self, line: bytes) -> None:
        """The server sends these bytes."""
        assert self.deliver is not None
        self.deliver(parse_message(line))

    def say_related(self, line: bytes, request: Message) -> None:
        """The server sends these bytes on the stream of a request."""
        assert self.deliver is not None
        message = parse_message(line)
        message.related = request.key
        self.deliver(message)

    def answer(self, message: Message, result: Json) -> None:
        """The server answers."""
        self.say(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (message.raw_id, encode(result)))

    def lose_session(self) -> None:
        """The stream tells that the session is gone."""
        assert self.on_session_lost is not None
        self.on_session_lost()

    def start_listening(self) -> None:
        """See `ServerChannel`."""
        self.events.append("listen")

    def set_protocol_version(self, version: str) -> None:
        """See `ServerChannel`."""
        self.events.append(version)

    async def renew(self) -> None:
        """See `ServerChannel`."""
        self.events.append("renew")
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        """See `ServerChannel`."""
        self.events.append("close")

    def received(self, method: str) -> list[Message]:
        """The messages of this method."""
        return [message for message in self.sent if message.method == method]


class FakeSignInWatch:
    """A `SignInWatch` whose person does what the test says, and a `ServerMemory`.

    Attributes:
        todo: what the person must do now.
        known: what was kept before.
        kept: what was given to keep, in order.
        recalls: how often it was asked what was kept.
        shown: how often its page was to be opened.
        is_busy: a sign-in goes on that does not need anybody now.
    """

    def __init__(self, todo: str = "", known: ServerSnapshot | None = None) -> None:
        self.todo = todo
        self.known = known or ServerSnapshot()
        self.kept: list[ServerSnapshot] = []
        self.recalls = 0
        self.shown = 0
        self.is_busy = False

    @property
    def server_name(self) -> str:
        """See `SignInWatch`."""
        return "https://mcp.example/mcp"

    def waiting_for_person(self) -> str:
        """See `SignInWatch`."""
        return self.todo

    def is_under_way(self) -> bool:
        """See `SignInWatch`."""
        return self.is_busy or self.todo != ""

    def show_page(self) -> None:
        """See `SignInWatch`."""
        self.shown += 1

    def recall(self) -> ServerSnapshot:
        """See `SignInWatch`."""
        self.recalls += 1
        return self.known

    def keep(self, known: ServerSnapshot) -> None:
        """See `SignInWatch`."""
        self.kept.append(known)


# Behaviours


async def good(server: FakeServerChannel, message: Message) -> None:
    """Answers what a good server answers."""
    if message.kind is not Kind.REQUEST:
        return
    if message.method == "initialize":
        server.answer(
            message, {"protocolVersion": "2025-11-25", "capabilities": server.capabilities}
        )
    elif message.method == "tools/list":
        server.answer(message, server.tools)
    else:
        server.answer(message, {"method": message.method})


async def silent(server: FakeServerChannel, message: Message) -> None:
    """The exchange ends without an answer."""


async def forever(server: FakeServerChannel, message: Message) -> None:
    """The exchange never ends."""
    await asyncio.get_running_loop().create_future()


def fail(make: Callable[[], Exception]) -> Behaviour:
    """The exchange ends with this error, a new one each time."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        raise make()

    return behaviour


def when(event: asyncio.Event, then: Behaviour = good) -> Behaviour:
    """Waits for the test, then goes on."""

    async def behaviour(server: FakeServerChannel, message: Message) -> None:
        await event.wait()
        await then(server, message)

    return behaviour


# JSON


def encode(value: object) -> bytes:
    """JSON text in one line."""
    return json.dumps(value).encode()


def encode_request(request_id: object, method: str, params: Json | None = None) -> bytes:
    """A request."""
    return encode({"jsonrpc": "2.0", "id": request_id, "method": method, **_params(params)})


def encode_notification(method: str, params: Json | None = None) -> bytes:
    """A notification."""
    return encode({"jsonrpc": "2.0", "method": method, **_params(params)})


def _params(params: Json | None) -> Json:
    return {} if params is None else {"params": params}


def cycle(numbers: Sequence[float]) -> Callable[[], float]:
    """A source of randomness that is not random."""
    endless = itertools.cycle(numbers)
    return lambda: next(endless)
