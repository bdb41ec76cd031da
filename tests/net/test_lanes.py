"""Lanes: which connection carries the next exchange, and which never carries one again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mcp_remote_py.net.lanes import ROOM_PATIENCE, Lanes
from mcp_remote_py.transports.client import HttpClient
from tests.fakes import run, until
from tests.peers.wild_server import Exchange, WildServer
from tests.transports.peers import client_for


class FakeLane:
    """A lane that remembers what became of it."""

    def __init__(self) -> None:
        self.expired = False
        self.idle = True
        self.closed = False

    def has_expired(self) -> bool:
        return self.expired

    def is_idle(self) -> bool:
        return self.idle

    def close(self) -> None:
        self.closed = True


@pytest.mark.promise("R6", "D2")
def test_last_given_is_first_taken_and_the_old_and_the_broken_are_dropped() -> None:
    async def main() -> None:
        async def connect() -> FakeLane:
            return FakeLane()

        lanes = Lanes(connect)
        taken = [await lanes.take() for _ in range(4)]
        one, two, three, four = taken
        assert len(set(map(id, taken))) == 4
        for lane in taken:
            lanes.give(lane)
        assert await lanes.take() is four
        four.idle = False
        lanes.give(four)
        assert four.closed
        three.expired = True  # or closed by the server: a lane tells both so
        assert await lanes.take() is two
        assert three.closed
        one.expired = True
        lanes.give(two)  # the oldest go when one comes back
        assert one.closed
        assert await lanes.take() is two
        last = await lanes.take()
        lanes.give(last)
        lanes.close()
        lanes.give(two)
        assert last.closed
        assert two.closed

    run(main())


@pytest.mark.report("T4")
@pytest.mark.promise("R6")
def test_a_new_connection_that_is_not_answered_has_the_idle_ones_closed() -> None:
    async def main() -> None:
        async def connect() -> FakeLane:
            return FakeLane()

        lanes = Lanes(connect)
        early, late, quick = [await lanes.take() for _ in range(3)]
        with lanes.room():
            lanes.give(quick)
        assert await lanes.take() is quick
        lanes.give(early)
        with lanes.room():
            await until(lambda: early.closed, ROOM_PATIENCE + 1)
            lanes.give(late)
            assert not late.closed
            assert await lanes.take() is late  # others go on with it
            lanes.give(late)
            await until(lambda: late.closed, ROOM_PATIENCE + 1)
        lanes.close()

    run(main())


@pytest.mark.report("T4")
@pytest.mark.promise("R6")
def test_room_is_made_by_one_timer_and_no_longer_than_somebody_waits() -> None:
    async def main() -> None:
        async def connect() -> FakeLane:
            return FakeLane()

        lanes = Lanes(connect)
        early, late = await lanes.take(), await lanes.take()
        lanes.give(early)
        with lanes.room(), lanes.room():
            await until(lambda: early.closed, ROOM_PATIENCE + 1)
        lanes.give(late)
        await until(lambda: late.closed, ROOM_PATIENCE + 1)  # by the timer that was set before
        kept = await lanes.take()
        lanes.give(kept)
        with pytest.raises(TimeoutError):
            await until(lambda: kept.closed, ROOM_PATIENCE + 0.2)
        lanes.close()

    run(main())


def test_lanes_that_are_in_use_meanwhile_are_looked_at_again() -> None:
    async def main() -> None:
        async def connect() -> FakeLane:
            return FakeLane()

        lanes = Lanes(connect, expiry=0.02)
        young, old = await lanes.take(), await lanes.take()
        lanes.give(young)
        lanes.give(old)
        old.expired = True
        await until(lambda: old.closed)
        assert not young.closed
        young.expired = True
        await until(lambda: young.closed)
        lanes.close()

    run(main())


@pytest.fixture
def server() -> Iterator[WildServer]:
    with ExitStack() as stack:
        yield stack.enter_context(WildServer(listen=True))


async def post(client: HttpClient, body: bytes = b'{"id":1,"method":"x"}') -> bytes:
    response = await client.request(b"POST", [(b"content-type", b"application/json")], [body])
    try:
        return await response.read(1 << 20)
    finally:
        await response.aclose()


@pytest.mark.promise("R6", "D2")
def test_64_calls_in_flight_are_64_connections_that_end_together(server: WildServer) -> None:
    gate = threading.Barrier(64)

    def together(exchange: Exchange) -> None:
        gate.wait(10)  # answered only when all of them are there
        exchange.good()

    server.always("x", together)

    async def main() -> None:
        client = await client_for(server.url)
        for _ in range(2):
            await asyncio.gather(*(post(client) for _ in range(64)))
        connections = {one.connection for one in server.received("x")}
        assert len(server.received("x")) == 128
        assert len(connections) == 64  # the second row travels on the connections of the first
        await client.aclose()

    run(main())


@pytest.mark.promise("R6")
def test_open_stream_delays_no_post(server: WildServer) -> None:
    async def main() -> None:
        client = await client_for(server.url)
        stream = await client.request(b"GET", [(b"accept", b"text/event-stream")])
        for _ in range(10):
            await post(client)
        assert len({one.connection for one in server.received("x")}) == 1
        await stream.aclose()
        await client.aclose()

    run(main())


@pytest.mark.promise("R6")
def test_cancelled_exchange_costs_its_connection_and_no_other(server: WildServer) -> None:
    hung_up = threading.Event()

    def hang(exchange: Exchange) -> None:
        if exchange.hold(10):
            hung_up.set()
        exchange.close()

    server.script("slow", hang)

    async def main() -> None:
        client = await client_for(server.url)
        await post(client)
        slow = asyncio.ensure_future(post(client, b'{"id":2,"method":"slow"}'))
        await until(lambda: bool(server.received("slow")))
        await asyncio.gather(post(client), post(client))
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        await asyncio.gather(post(client), post(client))
        await until(hung_up.is_set)
        assert server.received("slow")[0].connection not in {
            one.connection for one in server.received("x")[1:]
        }
        await client.aclose()

    run(main())


@pytest.mark.promise("R5", "R6")
def test_connection_the_server_has_closed_is_not_used_again(server: WildServer) -> None:
    def answer_and_close(exchange: Exchange) -> None:
        exchange.good()
        exchange.close()

    server.script("x", answer_and_close, answer_and_close, answer_and_close)

    async def main() -> None:
        client = await client_for(server.url)
        for _ in range(3):
            await post(client)
            await until(lambda: server.requests[-1].connection.fileno() < 0)
        await post(client)
        assert len({one.connection for one in server.received("x")}) == 4
        await client.aclose()

    run(main())


@pytest.mark.promise("R6")
def test_body_that_was_not_read_to_its_end_ends_its_connection(server: WildServer) -> None:
    def long(exchange: Exchange) -> None:
        exchange.reply(200, b"x" * (1 << 20))

    server.script("long", long)

    async def main() -> None:
        client = await client_for(server.url)
        response = await client.request(b"POST", [], [b'{"id":2,"method":"long"}'])
        await response.aclose()
        await response.aclose()
        await asyncio.gather(post(client), post(client))
        connections = [one.connection for one in server.requests]
        assert len(set(connections)) == 3
        await client.aclose()

    run(main())


@pytest.mark.promise("R6")
def test_response_closed_twice_gives_its_connection_back_once(server: WildServer) -> None:
    async def main() -> None:
        client = await client_for(server.url)
        response = await client.request(b"POST", [], [b'{"id":2,"method":"x"}'])
        await response.read(1000)
        await response.aclose()
        await response.aclose()
        await asyncio.gather(*(post(client) for _ in range(3)))
        await client.aclose()

    run(main())
