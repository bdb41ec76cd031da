"""Connections to judged addresses: real sockets, a written resolver. Must not know the rule."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_remote_py.net import connect as net
from mcp_remote_py.net.faults import ConnectTimeout, NotConnected
from tests.fakes import run
from tests.peers.launch import free_port


class Names:
    """Answers every look-up from a list, the last answer for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Judge:
    """Lets through what is not refused, and remembers what it was shown."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.shown: list[Sequence[str]] = []

    async def choose(self, host: str, addresses: Sequence[str]) -> Sequence[str]:
        self.shown.append(addresses)
        chosen = [address for address in addresses if address not in self.refused]
        if not chosen:
            raise PermissionError(host)
        return chosen


async def connect(names: Names, judge: Judge, port: int, seconds: float = 5.0) -> str:
    """The address that was connected to."""
    wire = await net.connect("a.example", port, seconds, choose=judge.choose, resolve=names.resolve)
    address: str = wire.get_extra_info("peername")[0]
    wire.close()
    return address


@asynccontextmanager
async def listening(*addresses: str) -> AsyncGenerator[tuple[int, list[str]]]:
    """A port where those addresses of loopback listen, and who was connected to."""
    met: list[str] = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer.get_extra_info("sockname")[0])
        writer.close()

    port = free_port()
    servers = [await asyncio.start_server(meet, address, port) for address in addresses]
    try:
        yield port, met
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()


@pytest.mark.report("S7")
def test_only_what_was_judged_is_connected_to_and_the_name_is_looked_up_once() -> None:
    async def main() -> None:
        names = Names(["127.0.0.2", "127.0.0.3"], ["127.0.0.1"])  # rebound after the first
        judge = Judge("127.0.0.2", "127.0.0.1")
        async with listening("127.0.0.1", "127.0.0.2", "127.0.0.3") as (port, met):
            assert await connect(names, judge, port) == "127.0.0.3"
            assert judge.shown == [["127.0.0.2", "127.0.0.3"]]
            assert names.asked == ["a.example"]
            with pytest.raises(NotConnected):
                await connect(names, judge, port)
        assert met == ["127.0.0.3"]

    run(main())


def test_next_address_follows_one_that_refuses_or_is_silent() -> None:
    async def main() -> None:
        async with listening("127.0.0.1") as (port, _):
            await go_past_both(port)

    async def go_past_both(port: int) -> None:
        with socket.socket() as full:  # its queue is full: whoever comes next is not answered
            full.bind(("127.0.0.9", port))
            full.listen(0)
            with socket.create_connection(("127.0.0.9", port)):
                addresses = ["127.0.0.8", "127.0.0.9", "127.0.0.1"]
                assert await connect(Names(addresses), Judge(), port) == "127.0.0.1"

    run(main())


def test_the_first_error_is_told_where_nobody_answers() -> None:
    async def main() -> None:
        names = Names(["127.0.0.8", "::1", "127.0.0.9"])
        with pytest.raises(NotConnected, match="refused"):
            await connect(names, Judge(), free_port())

    run(main())


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("error", "addresses", "is_final"),
    [
        (ConnectionRefusedError(), ["192.0.2.1"], True),
        (ConnectionRefusedError(), ["2001:db8::1", "192.0.2.1"], True),
        (ConnectionRefusedError(), ["127.0.0.1"], False),
        (ConnectionRefusedError(), ["::1", "127.0.0.1"], False),
        (ConnectionResetError(), ["192.0.2.1"], False),
        (OSError(113, "No route to host"), ["192.0.2.1"], False),
    ],
)
def test_another_machine_that_refuses_is_not_about_to_start_a_server(
    error: OSError, addresses: list[str], is_final: bool
) -> None:
    assert net.is_turned_away(error, addresses) is is_final


def test_connecting_is_bounded_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        with socket.socket() as full:
            full.bind(("127.0.0.9", 0))
            full.listen(0)
            port = full.getsockname()[1]
            with socket.create_connection(("127.0.0.9", port)):
                with pytest.raises(ConnectTimeout, match=r"in 0\.2 seconds"):
                    await connect(Names(["127.0.0.9"]), Judge(), port, 0.2)
                await asyncio.sleep(0)
                assert asyncio.all_tasks() == before

    run(main())


def test_name_that_has_no_address_of_ipv4() -> None:
    async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "No address")

    async def main(ipv4: bool) -> str:
        with pytest.raises(NotConnected) as caught:
            await net.connect("e.example", 1, 5, ipv4=ipv4, resolve=resolve)
        return str(caught.value)

    words = "its name cannot be looked up (No address)"
    assert asyncio.run(main(ipv4=False)) == words
    assert asyncio.run(main(ipv4=True)) == (
        f"{words} over IPv4 alone; leave out --ipv4 if it has IPv6 only"
    )


def test_name_that_nobody_knows() -> None:
    async def choose(host: str, addresses: Sequence[str]) -> Sequence[str]:
        raise AssertionError("there is nothing to judge")

    async def main() -> None:
        with pytest.raises(NotConnected, match="cannot be looked up"):
            await net.connect("nobody.invalid", 443, 10, choose=choose)

    run(main())


@pytest.mark.parametrize(
    ("host", "family", "found"),
    [
        ("127.0.0.1", socket.AF_UNSPEC, ["127.0.0.1"]),
        ("0:0:0:0:0:0:0:1", socket.AF_UNSPEC, ["::1"]),
        ("localhost", socket.AF_INET, ["127.0.0.1"]),
    ],
)
def test_the_system_is_asked_for_names_only(
    host: str, family: socket.AddressFamily, found: list[str]
) -> None:
    assert run(net.resolve(host, 443, family)) == found


def test_an_address_of_the_other_family_has_none_of_this() -> None:
    with pytest.raises(socket.gaierror):
        run(net.resolve("::1", 443, socket.AF_INET))


def test_the_kernels_time_out_is_not_ours() -> None:
    async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        raise TimeoutError(110, "Connection timed out")

    async def main() -> NotConnected:
        with pytest.raises(NotConnected) as caught:
            await net.connect("e.example", 1, 5, resolve=resolve)
        return caught.value

    fault = run(main())
    assert type(fault) is NotConnected
    assert str(fault) == "Connection timed out"


def test_a_refusal_does_not_end_the_wait_for_another_address() -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.9", 0))
            full.listen(0)
            port = full.getsockname()[1]
            with socket.create_connection(("127.0.0.9", port)):
                with pytest.raises(ConnectTimeout):
                    await connect(Names(["127.0.0.9", "127.0.0.8"]), Judge(), port, 0.6)

    run(main())


class TogetherLoop(asyncio.SelectorEventLoop):
    """A loop on which all connections that are tried come about in one turn."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._together = asyncio.Barrier(count)

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        made = await super().create_connection(*args, **options)
        await self._together.wait()
        return made


def test_of_two_connections_in_one_turn_one_is_dropped() -> None:
    async def main() -> None:
        ends: asyncio.Queue[str] = asyncio.Queue()

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                ends.put_nowait(writer.get_extra_info("sockname")[0])
                writer.close()

        port, names = free_port(), ["127.0.0.1", "127.0.0.2"]
        servers = [await asyncio.start_server(meet, address, port) for address in names]
        wire = await net.connect("a.example", port, 5, resolve=Names(names).resolve)
        kept = wire.get_extra_info("peername")[0]
        (dropped,) = set(names) - {kept}
        assert await asyncio.wait_for(ends.get(), 5) == dropped
        assert not wire.has_news()
        wire.close()
        assert await asyncio.wait_for(ends.get(), 5) == kept
        for server in servers:
            server.close()
            await server.wait_closed()

    with asyncio.Runner(loop_factory=lambda: TogetherLoop(2)) as runner:
        runner.run(asyncio.wait_for(main(), 20))
