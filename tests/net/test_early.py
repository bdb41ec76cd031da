"""A connection that is begun before it is needed: real sockets, one thread. Must not know HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from mcp_remote_py.net.connect import connect
from mcp_remote_py.net.early import EarlyConnection
from mcp_remote_py.net.faults import NotConnected
from mcp_remote_py.net.wire import Wire
from tests.fakes import run
from tests.net.servers import PATIENCE
from tests.peers.launch import free_port

HOST = "127.0.0.1"


@contextmanager
def listening(host: str = HOST, port: int = 0, queue: int = 8) -> Generator[socket.socket]:
    """A socket that connections wait at, until the test accepts them."""
    with socket.socket() as server:
        server.bind((host, port))
        server.listen(queue)
        server.settimeout(PATIENCE)
        yield server


def port_of(connected: socket.socket) -> int:
    port: int = connected.getsockname()[1]
    return port


async def take(early: EarlyConnection, port: int, host: str = HOST) -> Wire:
    return await connect(host, port, PATIENCE, early=early)


def own_port(wire: Wire) -> int:
    port: int = wire.get_extra_info("sockname")[1]
    return port


def test_it_is_taken_by_the_first_who_connects_there_and_by_nobody_else() -> None:
    async def main() -> None:
        with listening() as server:
            early = EarlyConnection(HOST, port_of(server))
            begun, address = server.accept()  # before anybody asked for one
            with begun:
                first = await take(early, port_of(server))
                assert own_port(first) == address[1]
                await first.write(b"one", [], PATIENCE)
                begun.settimeout(PATIENCE)
                assert begun.recv(9) == b"one"
                second = await take(early, port_of(server))
                assert own_port(second) != address[1]
            first.close()
            second.close()

    run(main())


def test_it_is_left_alone_where_another_place_is_meant_and_closed_when_it_is_dropped() -> None:
    async def main() -> None:
        with listening() as server, listening() as other:
            early = EarlyConnection(HOST, port_of(server))
            wire = await take(early, port_of(other))
            assert wire.get_extra_info("peername")[1] == port_of(other)
            wire.close()
            begun, _ = server.accept()
            early.drop()
            early.drop()
            with begun:
                begun.settimeout(PATIENCE)
                assert begun.recv(1) == b""

    run(main())


def test_one_that_the_server_has_closed_meanwhile_is_not_used() -> None:
    async def main() -> None:
        with listening() as server:
            early = EarlyConnection(HOST, port_of(server))
            begun, address = server.accept()
            begun.close()
            wire = await take(early, port_of(server))
            assert own_port(wire) != address[1]
            wire.close()

    run(main())


@pytest.mark.parametrize("host", [HOST, "nowhere.invalid"])
def test_who_connects_tells_why_there_is_none(host: str) -> None:
    async def main() -> None:
        port = free_port()
        early = EarlyConnection(host, port)
        with pytest.raises(NotConnected):
            await take(early, port, host)
        early.drop()

    run(main())


def test_it_is_of_ipv4_alone_where_that_is_asked_for() -> None:
    async def main() -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            server.settimeout(PATIENCE)
            early = EarlyConnection("::1", port_of(server), ipv4=True)
            wire = await connect("::1", port_of(server), PATIENCE, early=early)
            begun, address = server.accept()
            begun.close()
            assert address[1] == own_port(wire)  # it came from who connects, and not before
            wire.close()

    run(main())


def test_the_others_of_its_name_are_tried_beside_an_address_that_is_silent() -> None:
    async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        return [HOST]

    async def main() -> None:
        with listening() as server:
            port = port_of(server)
            silent = "127.0.0.9"
            with listening(silent, port, 0), socket.create_connection((silent, port)):
                early = EarlyConnection(silent, port)  # the queue there is full
                wire = await connect(silent, port, PATIENCE, resolve=resolve, early=early)
                assert wire.get_extra_info("peername")[0] == HOST
                wire.close()

    run(main())


def test_it_is_closed_when_it_comes_about_behind_who_waited_for_it() -> None:
    async def main() -> None:
        with listening() as server:
            early = EarlyConnection(HOST, port_of(server))
            waiting = asyncio.create_task(take(early, port_of(server)))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            begun, _ = server.accept()
            with begun:
                begun.settimeout(PATIENCE)
                assert begun.recv(1) == b""

    run(main())
