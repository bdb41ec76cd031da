"""A wire's TLS, what it says of itself before and behind a connection, and who looks for news."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_remote_py.net.exchange import Connection
from mcp_remote_py.net.faults import Broken, ConnectTimeout, NotConnected, Silence
from mcp_remote_py.net.wire import CORK_BYTES, Wire, make_look
from tests.fakes import run, until
from tests.net.servers import PATIENCE, open_wire, server_tls, serving
from tests.transports.peers import Authority, TlsServer


class Quiet:
    """What a server does that only listens, and when its client has gone."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)
            self.begun.set()
            await reader.read()
        finally:
            self.over.set()

    async def wait(self) -> None:
        await asyncio.wait_for(self.over.wait(), PATIENCE)


def test_a_certificate_that_is_not_trusted_ends_the_connection_and_stays_the_cause(
    pem: Path,
) -> None:
    async def main() -> None:
        async with serving(Quiet().speak, server_tls(pem)) as server:
            wire = await open_wire(server.port)
            with pytest.raises(NotConnected, match="certificate verify failed") as caught:
                await wire.start_tls(ssl.create_default_context(), "localhost", PATIENCE)
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
            assert wire.has_news()

    run(main())


def test_the_certificate_must_name_the_host(pem: Path) -> None:
    async def main() -> None:
        quiet = Quiet()
        trust = ssl.create_default_context(cafile=pem)
        async with serving(quiet.speak, server_tls(pem)) as server:
            wire = await open_wire(server.port)
            with pytest.raises(NotConnected, match=r"other\.example"):
                await wire.start_tls(trust, "other.example", PATIENCE)
            wire = await open_wire(server.port)
            await wire.start_tls(trust, "localhost", PATIENCE)
            assert wire.get_extra_info("ssl_object").version() == "TLSv1.3"
            wire.close()
            await quiet.wait()

    run(main())


def test_a_port_that_ends_the_connection_when_tls_begins_without_a_word() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)

    async def main() -> NotConnected:
        async with serving(speak) as server:
            wire = await open_wire(server.port)
            with pytest.raises(NotConnected) as caught:
                await wire.start_tls(ssl.create_default_context(), "localhost", PATIENCE)
        return caught.value

    assert str(run(main())) == "it hung up when TLS began"


def test_tls_that_does_not_begin_is_given_up_in_time() -> None:
    async def main() -> None:
        quiet = Quiet()
        async with serving(quiet.speak) as server:
            wire = await open_wire(server.port)
            with pytest.raises(ConnectTimeout, match=r"^TLS did not begin in 0\.1 seconds$"):
                await wire.start_tls(ssl.create_default_context(), "localhost", 0.1)
            await quiet.wait()

    run(main())


def test_a_handshake_that_is_cancelled_leaves_no_connection() -> None:
    async def main() -> None:
        quiet = Quiet()
        async with serving(quiet.speak) as server:
            wire = await open_wire(server.port)
            trust = ssl.create_default_context()
            shaking = asyncio.ensure_future(wire.start_tls(trust, "localhost", PATIENCE))
            await quiet.begun.wait()
            shaking.cancel()
            await asyncio.gather(shaking, return_exceptions=True)
            assert shaking.cancelled()
            await quiet.wait()

    run(main())


def test_a_wire_that_is_closed_already_cannot_begin_tls() -> None:
    async def main() -> None:
        async with serving(Quiet().speak) as server:
            wire = await open_wire(server.port)
            wire.close()
            with pytest.raises(NotConnected):
                await wire.start_tls(ssl.create_default_context(), "localhost", PATIENCE)

    run(main())


@pytest.mark.parametrize("waits", [False, True], ids=["said already", "said while it waits"])
def test_a_client_certificate_that_is_missed_is_heard_before_use(
    tmp_path: Path, waits: bool
) -> None:
    """TLS 1.3 says so behind the handshake only (RFC 8446 §4.4.2.4)."""
    authority = Authority(tmp_path)

    async def main(port: int) -> None:
        wire = await open_wire(port)
        trust = ssl.create_default_context(cafile=authority.path)
        await wire.start_tls(trust, "localhost", PATIENCE)
        if not waits:
            await until(lambda: wire.has_spoken)
        with pytest.raises(Broken, match="CERTIFICATE_REQUIRED") as caught:
            await Connection(wire).hear_refusal(PATIENCE)
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        wire.close()

    with TlsServer(authority.issue("server"), clients=authority) as server:
        run(main(server.port))


def test_no_refusal_in_time_is_none(pem: Path) -> None:
    async def main() -> None:
        quiet = Quiet()
        async with serving(quiet.speak, server_tls(pem)) as server:
            wire = await open_wire(server.port)
            await wire.start_tls(ssl.create_default_context(cafile=pem), "localhost", PATIENCE)
            await wire.hear_refusal(0.01)
            assert not wire.has_spoken
            wire.close()
            await quiet.wait()

    run(main())


def test_a_wait_that_is_over_does_not_end_the_next_one() -> None:
    """Its clock goes on, and may go off when nobody waits."""

    async def main() -> None:
        first, second, past = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await first.wait()
            writer.write(b"a")
            await second.wait()
            writer.write(b"b")
            await reader.read()

        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            wire = await open_wire(server.port)
            asyncio.get_running_loop().call_later(0.4, past.set)
            asyncio.get_running_loop().call_soon(first.set)
            assert await wire.read(0.3) == b"a"
            await past.wait()
            asyncio.get_running_loop().call_soon(second.set)
            assert await wire.read(PATIENCE) == b"b"
            wire.close()

    run(main())


async def fill(wire: Wire) -> None:
    """Writes small pieces, many more than anything takes in that nobody reads."""
    for _ in range(1000):
        await wire.write(b"", [b"x" * (CORK_BYTES - 1)], 0.1)


def test_what_is_small_waits_for_room_as_well() -> None:
    async def main() -> None:
        room, done = asyncio.Event(), asyncio.Event()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await room.wait()
            while not (await reader.read(65536)).endswith(b"!"):
                pass
            done.set()

        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            wire = await open_wire(server.port)
            with pytest.raises(Silence, match=r"^nothing could be sent for 0\.1 seconds$"):
                await fill(wire)
            room.set()
            await wire.write(b"", [b"!"], PATIENCE)
            await done.wait()
            wire.close()

    run(main())


def test_nothing_goes_on_being_written_to_who_has_hung_up() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)

    async def main() -> None:
        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            wire = await open_wire(server.port)
            await wire.write(b"head", [b"x" * (64 * 1024 * 1024)], PATIENCE)
            assert wire.ended
            await until(lambda: not wire.is_writing)
            with pytest.raises(Broken):
                await wire.read(PATIENCE)
            wire.close()

    run(main())


def test_a_wire_without_a_connection_says_nothing_and_can_be_closed() -> None:
    async def main() -> None:
        wire = Wire()
        assert wire.get_extra_info("peername") is None
        assert wire.has_news()  # it is not one to use again
        wire.close()

    run(main())


@pytest.mark.parametrize("make_poll", [getattr(select, "poll", None), None], ids=["poll", "select"])
def test_the_kernel_is_asked_whether_something_came(make_poll: Callable[[], object] | None) -> None:
    """By select where there is no poll, which is on Windows."""
    here, there = socket.socketpair()
    with here, there:
        look = make_look(here.fileno(), make_poll)
        assert not look()
        there.send(b"x")
        assert look()
        here.recv(1)
        assert not look()
        there.close()
        assert look()  # the end counts
