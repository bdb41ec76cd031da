"""Exchanges over real sockets, with servers that speak bytes: reuse, patience, pressure, ends."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from mcp_remote_py.net.connect import KEEPALIVE_PROBES
from mcp_remote_py.net.exchange import KEEPALIVE_EXPIRY, Connection, Request, read_promise
from mcp_remote_py.net.faults import Broken, CannotBeSent, IllegalAnswer, NotTaken, Silence
from mcp_remote_py.net.http1 import SLICE_BYTES
from mcp_remote_py.net.lanes import Lanes
from tests.fakes import run, until
from tests.net.corpus import CHUNKED, EMPTY, END, ILLEGAL, LEGAL, OK, Illegal, Legal
from tests.net.servers import (
    GOOD,
    PATIENCE,
    answering,
    ask,
    open_wire,
    pieces,
    request,
    serving,
)

MIB = 1024 * 1024


# ------------------------------------------------------------------ what is read


@pytest.mark.promise("R1")
@pytest.mark.parametrize("case", LEGAL, ids=lambda case: case.name)
def test_legal_answers_and_what_follows_on_their_connection(case: Legal) -> None:
    answers = [case.wire, GOOD]

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(*answers[: 1 if case.until_end else 2])(reader, writer)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(case.wire)

    async def main() -> None:
        async with serving(hang_up if case.until_end else speak) as server:
            connection = Connection(await open_wire(server.port))
            assert await ask(connection, request(case.method)) == (case.status, case.body)
            assert connection.is_idle() is case.lasts
            if case.lasts:
                assert not connection.has_expired()
                assert await ask(connection) == (200, b"good")
            connection.close()

    run(main())


@pytest.mark.report("S13")
@pytest.mark.parametrize("case", ILLEGAL, ids=lambda case: case.name)
def test_illegal_answers_are_told_and_nothing_follows(case: Illegal) -> None:
    async def main() -> None:
        async with serving(answering(case.wire)) as server:
            connection = Connection(await open_wire(server.port))
            with pytest.raises(IllegalAnswer, match=case.words):
                await ask(connection)
            assert not connection.is_idle()
            connection.close()

    run(main())


@pytest.mark.promise("R5")
@pytest.mark.parametrize("length", [0, 5, 20, len(GOOD) - 1])
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_that_breaks_off(length: int, reset: bool) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GOOD[:length])
        await writer.drain()
        if reset:
            plain = writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            with pytest.raises(Broken):
                await ask(connection)
            assert not connection.is_idle()
            connection.close()

    run(main())


@pytest.mark.promise("R5")
def test_a_body_until_the_end_that_is_reset_is_not_whole() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\nhalf")
        await reader.readexactly(1)
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            asked = request().replace(body=[b"x"])
            with pytest.raises(Broken, match="reset"):
                await ask(connection, asked)
            connection.close()

    run(main())


# ------------------------------------------------------------------ what is sent


def test_head_and_body_are_one_packet() -> None:
    first: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first.append(await reader.read(MIB))
        writer.write(GOOD)

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port), b"http://there")
            assert await ask(connection, request(body=b"{}")) == (200, b"good")
            connection.close()

    run(main())
    assert first == [b"POST http://there/ HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{}"]


def test_a_large_body_arrives_whole() -> None:
    size = 20 * MIB

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(size)
        writer.write(GOOD if body == b"x" * size else b"")

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            assert await ask(connection, request(body=b"x" * size)) == (200, b"good")
            connection.close()

    run(main())


def test_an_answer_before_all_was_sent_is_read() -> None:
    """Such as a 413: whoever sends it need not take the rest."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\n" + EMPTY)
        await writer.drain()
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            assert await ask(connection, request(body=b"x" * (64 * MIB))) == (413, b"")
            connection.close()

    run(main())


def test_a_server_that_speaks_before_it_has_read_all_still_gets_the_rest() -> None:
    size = 20 * MIB

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        body = await reader.readexactly(size)
        writer.write(GOOD if body == b"x" * size else b"")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GOOD)

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            long = [b"x" * (size - 1), b"x"]
            headers = [(b"host", b"test"), (b"content-length", b"%d" % size)]
            assert await ask(connection, Request(b"POST", b"/", headers, long)) == (200, b"good")
            assert connection.is_idle()
            assert await ask(connection) == (200, b"good")
            connection.close()

    run(main())


@pytest.mark.promise("S2")
def test_nothing_of_a_request_that_cannot_be_written_leaves() -> None:
    async def main() -> None:
        async with serving(answering(GOOD)) as server:
            connection = Connection(await open_wire(server.port))
            bad = Request(b"POST", b"/", [(b"a", b"b\r\nc: d")], [b"x"])
            with pytest.raises(CannotBeSent):
                await connection.exchange(bad, PATIENCE)
            assert await ask(connection) == (200, b"good")
            connection.close()

    run(main())


# ------------------------------------------------------------------ patience


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "nothing arrived within 0.1"), (OK[:9], "arrived"), (GOOD[:-1], "arrived")],
    ids=["head", "middle of a head", "body"],
)
def test_silence(answer: bytes, words: str) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            with pytest.raises(Silence, match=words):
                await ask(connection, seconds=0.1)
            connection.close()

    run(main())


@pytest.mark.promise("R1")
@pytest.mark.parametrize(("first", "second", "is_enough"), [(60, 0.1, False), (0.1, 60, True)])
def test_each_wait_has_a_patience_of_its_own(first: float, second: float, is_enough: bool) -> None:
    async def main() -> None:
        late = asyncio.Event()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD[:-4])
            await late.wait()
            writer.write(GOOD[-4:])
            await asyncio.Event().wait()

        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            connection = Connection(await open_wire(server.port))
            await connection.exchange(request(), first)
            asyncio.get_running_loop().call_later(2 * min(first, second), late.set)
            if is_enough:
                assert await connection.read_piece(second) == b"good"
            else:
                with pytest.raises(Silence, match=r"within 0\.1"):
                    await connection.read_piece(second)
            connection.close()

    run(main())


@pytest.mark.promise("R1")
@pytest.mark.parametrize("interim", [False, True], ids=["of the answer", "interim ones, too"])
def test_a_head_that_comes_byte_by_byte_has_one_patience(interim: bool) -> None:
    """Each byte would begin it anew: a head of 64 KiB at a byte a second takes 18 hours."""
    early = b"HTTP/1.1 102 Processing\r\n\r\n"

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        loop = asyncio.get_running_loop()
        for number, byte in enumerate(early * 5 + GOOD if interim else GOOD):
            step = len(early) if interim else 1
            loop.call_later(0.08 * (number // step), writer.write, bytes([byte]))
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            connection = Connection(await open_wire(server.port))
            if interim:  # who says that there is more to wait for is waited for
                assert (await connection.exchange(request(), 0.3)).interims == 5
            else:
                with pytest.raises(Silence, match=r"a part of the head arrived within 0\.3"):
                    await connection.exchange(request(), 0.3)
            connection.close()

    run(main())


@pytest.mark.promise("R1")
def test_a_head_in_pieces_is_waited_for_where_nobody_sets_a_time() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GOOD[:5])
        asyncio.get_running_loop().call_later(0.05, writer.write, GOOD[5:])
        await reader.read()

    async def main() -> None:
        async with serving(speak) as server, asyncio.timeout(PATIENCE):
            connection = Connection(await open_wire(server.port))
            assert (await connection.exchange(request(), None)).status == 200
            connection.close()

    run(main())


def test_a_server_that_takes_nothing() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            with pytest.raises(Silence, match="nothing could be sent for"):
                await ask(connection, request(body=b"x" * (64 * MIB)), seconds=0.1)
            connection.close()

    run(main())


@pytest.mark.promise("R6")
@pytest.mark.parametrize("begun", [b"", OK, GOOD[:-1]], ids=["no answer", "head", "body"])
def test_a_cancelled_exchange_hangs_up(begun: bytes) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(begun)
            asked.set()
            await reader.readexactly(1)

        async with serving(speak) as server:
            connection = Connection(await open_wire(server.port))
            task = asyncio.ensure_future(ask(connection))
            await asked.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            connection.close()
            await asyncio.wait_for(server.gone.wait(), PATIENCE)

    run(main())


# ------------------------------------------------------------------ pressure


def test_a_server_is_let_wait_while_nobody_reads() -> None:
    sent = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def main() -> None:
        async with serving(speak) as server:
            wire = await open_wire(server.port)
            plain = wire.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection = Connection(wire)
            await connection.exchange(request(), PATIENCE)
            before = -1
            while before != sent:  # until it comes to a stop
                before = sent
                for _ in range(50):
                    await asyncio.sleep(0.002)
            assert sent < 16 * MIB  # what the kernel takes, and little of ours
            taken = 0
            async for piece in pieces(connection, PATIENCE):
                taken += len(piece)
                assert len(piece) <= 2 * 256 * 1024
                if taken > 32 * MIB:
                    break
            connection.close()

    run(main())


def test_chunks_are_read_in_slices_whatever_their_size() -> None:
    """Each slice is a look at the clock for whoever reads: a millisecond, here with room."""
    count = 200_000

    async def main() -> None:
        async with serving(answering(CHUNKED + b"1\r\nx\r\n" * count + END)) as server:
            connection = Connection(await open_wire(server.port))
            await connection.exchange(request(), PATIENCE)
            body = 0
            longest = 0.0
            before = time.process_time()
            async for piece in pieces(connection, PATIENCE):
                longest = max(longest, time.process_time() - before)
                body += len(piece)
                assert connection.taken <= SLICE_BYTES
                before = time.process_time()
            assert body == count
            assert longest < 0.05
            assert connection.is_idle()
            connection.close()

    run(main())


# ------------------------------------------------------------------ idle connections


@pytest.mark.promise("R5")
@pytest.mark.report("S13")
@pytest.mark.parametrize("unasked", [b"", b"\r\n", GOOD], ids=["end", "line end", "answer"])
@pytest.mark.parametrize("turns", [False, True], ids=["just now", "before"])
def test_what_a_server_does_unasked_ends_an_idle_connection(unasked: bytes, turns: bool) -> None:
    """Also before the event loop has looked at it: the kernel is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def main() -> None:
            loop = asyncio.get_running_loop()
            listener.setblocking(False)
            connection = Connection(await open_wire(listener.getsockname()[1]))
            peer, _ = await loop.sock_accept(listener)
            with peer:
                asking = asyncio.ensure_future(ask(connection))
                await loop.sock_recv(peer, 4096)
                await loop.sock_sendall(peer, GOOD)
                assert await asking == (200, b"good")
                assert connection.is_idle()
                assert not connection.has_expired()
                peer.send(unasked) if unasked else peer.shutdown(socket.SHUT_WR)
                if turns:
                    await until(lambda: not connection.is_idle())
                assert connection.has_expired()
                if turns:
                    with pytest.raises(NotTaken, match="too early" if unasked else "closed"):
                        await connection.exchange(request(), PATIENCE)
                connection.close()

        run(main())


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", KEEPALIVE_EXPIRY),
        (b"timeout=5, max=100", KEEPALIVE_EXPIRY),
        (b"timeout=75", KEEPALIVE_EXPIRY),
        (b"max=100, Timeout = 3", 2),
        (b'timeout="2"', 1),
        (b"timeout=1", 0.5),
        (b"timeout=0", 0),
        (b"timeout=-1", KEEPALIVE_EXPIRY),
        (b"timeout=9999999", KEEPALIVE_EXPIRY),
        (b"xtimeout=1", KEEPALIVE_EXPIRY),
        (b"300", KEEPALIVE_EXPIRY),
    ],
)
def test_what_a_server_says_of_idle_connections(value: bytes, seconds: float) -> None:
    assert read_promise([(b"server", b"x"), (b"keep-alive", value)]) == seconds
    assert read_promise([(b"x-keep-alive", value)]) == KEEPALIVE_EXPIRY
    assert read_promise([(b"keep-alive", b"max=9"), (b"keep-alive", value)]) == seconds


@pytest.mark.promise("R5")
@pytest.mark.parametrize(("promise", "is_used"), [(b"timeout=0", False), (b"timeout=9", True)])
def test_an_idle_connection_is_not_used_longer_than_the_server_says(
    promise: bytes, is_used: bool
) -> None:
    """A request that meets the end of its connection is lost without anybody knowing."""

    async def main() -> None:
        answer = GOOD.replace(b"\r\n", b"\r\nKeep-Alive: " + promise + b"\r\n", 1)
        async with serving(answering(answer)) as server:
            connection = Connection(await open_wire(server.port))
            assert await ask(connection) == (200, b"good")
            assert connection.is_idle()
            assert connection.has_expired() is not is_used
            connection.close()

    run(main())


def test_idle_connections_are_closed_by_a_timer() -> None:
    """Who serves one connection at a time has the next one wait until then."""

    async def main() -> None:
        async with serving(answering(GOOD, GOOD)) as server:

            async def make() -> Connection:
                return Connection(await open_wire(server.port), expiry=0.05)

            lanes = Lanes(make, expiry=0.05)
            lane = await lanes.take()
            assert await ask(lane) == (200, b"good")
            lanes.give(lane)
            await asyncio.wait_for(server.gone.wait(), PATIENCE)
            lanes.close()

    run(main())


def test_kernel_is_asked_to_notice_a_peer_that_vanished() -> None:
    async def main() -> None:
        async with serving(say_nothing) as server:
            wire = await open_wire(server.port)
            plain = wire.get_extra_info("socket")
            assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for names, value in KEEPALIVE_PROBES:
                known = [getattr(socket, name) for name in names if hasattr(socket, name)]
                assert [plain.getsockopt(socket.IPPROTO_TCP, known[0])] == [value]
            wire.close()

    run(main())


def test_a_connection_without_an_exchange_has_not_ended_one() -> None:
    async def main() -> None:
        async with serving(say_nothing) as server:
            connection = Connection(await open_wire(server.port))
            assert connection.is_new
            assert not connection.is_idle()
            connection.close()

    run(main())
