"""The host's side on real pipes and files: no byte lost, none waited for, order kept.

The thread-based reader and writer, which Windows and regular files need, pass the same tests as
those of the event loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcp_remote_py.transports.stdio import (
    HELD_LINES,
    UNWRITTEN_BYTES,
    NonBlockingWriter,
    StdioChannel,
    ThreadWriter,
    read_in_loop,
    read_in_thread,
)
from tests.fakes import run, until

Writer = NonBlockingWriter | ThreadWriter
MAX = 1 << 20


@pytest.fixture
def pipe() -> Iterator[Callable[[], tuple[int, int]]]:
    """Makes pipes; what is left open of them is closed with the test."""
    with ExitStack() as stack:

        def make() -> tuple[int, int]:
            ends = os.pipe()
            for end in ends:
                stack.callback(close, end)
            return ends

        yield make


def close(descriptor: int) -> None:
    """Closes it, where the test has not done so."""
    try:
        os.close(descriptor)
    except OSError as error:
        assert error.errno == 9  # noqa: PT017 - EBADF: the test closed it


# ------------------------------------------------------------------ reading


@pytest.mark.promise("R2", "R7")
@pytest.mark.parametrize("read", [read_in_loop, read_in_thread])
def test_reader_hands_on_every_byte_and_the_end_once(
    pipe: Callable[[], tuple[int, int]], read: Callable[..., None]
) -> None:
    async def main() -> None:
        stdin, other = pipe()
        told: list[bytes] = []
        ends: list[int] = []
        read(stdin, told.append, lambda: ends.append(len(told)))
        data = os.urandom(3_000_000)
        await asyncio.to_thread(write_all, other, data)
        await until(lambda: sum(map(len, told)) == len(data))
        assert ends == []
        os.close(other)
        await until(lambda: bool(ends))
        assert b"".join(told) == data
        assert ends == [len(told)]

    run(main())


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@pytest.mark.promise("R7")
@pytest.mark.parametrize("read", [read_in_loop, read_in_thread])
def test_host_that_was_killed_is_the_end_too(read: Callable[..., None]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours:
            os.write(ours.fileno(), b"unread")  # so that closing resets
            ended = asyncio.Event()
            read(ours.fileno(), bytes, ended.set)
            theirs.close()
            await asyncio.wait_for(ended.wait(), 5)

    run(main())


@pytest.mark.promise("R2")
def test_regular_files_serve_as_stdin_and_stdout(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "in").write_bytes(b'{"a":1}\r\n\n{"b":2}')
        stdin = os.open(tmp_path / "in", os.O_RDONLY)
        stdout = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        channel = StdioChannel(stdin, stdout, MAX)
        lines: list[bytes] = []
        ended = asyncio.Event()
        channel.receive(lines.append, lambda head, tail: None, ended.set)
        await asyncio.wait_for(ended.wait(), 5)
        assert lines == [b'{"a":1}', b"", b'{"b":2}']
        channel.send(b"answer")
        await channel.drain()
        await channel.flush(5)
        assert (tmp_path / "out").read_bytes() == b"answer\n"
        os.close(stdin)
        os.close(stdout)

    run(main())


# ------------------------------------------------------------------ writing

WRITERS = [NonBlockingWriter, ThreadWriter]


@pytest.mark.promise("R2", "R8")
@pytest.mark.parametrize("make", WRITERS)
def test_full_pipe_loses_nothing_keeps_order_and_does_not_block(
    pipe: Callable[[], tuple[int, int]], make: Callable[[int], Writer]
) -> None:
    async def main() -> None:
        other, stdout = pipe()
        writer = make(stdout)
        lines = [
            str(number).encode() * size
            for number, size in enumerate([1, 10, 1_000_000, 3, 300_000, 0, 7] * 5)
        ]
        for line in lines:
            writer.write(line)  # nobody reads, and this returns
        flushing = asyncio.ensure_future(writer.flush())
        draining = asyncio.ensure_future(writer.drain())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not flushing.done()
        assert not draining.done()
        expected = b"".join(line + b"\n" for line in lines)
        reading = asyncio.ensure_future(asyncio.to_thread(read_all, other, len(expected)))
        await asyncio.wait_for(draining, 10)
        await asyncio.wait_for(flushing, 10)
        assert await reading == expected
        writer.write(b"later")
        assert await asyncio.to_thread(read_all, other, 6) == b"later\n"

    run(main())


def read_all(descriptor: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        data += os.read(descriptor, 1 << 16)
    return bytes(data)


@pytest.mark.promise("R2", "R6")
@pytest.mark.parametrize("count", [1, 2, HELD_LINES, 3 * HELD_LINES + 2])
def test_of_lines_in_one_turn_the_first_is_written_at_once_and_none_is_kept(
    pipe: Callable[[], tuple[int, int]], count: int
) -> None:
    async def main() -> None:
        other, stdout = pipe()
        writer = NonBlockingWriter(stdout)
        for _ in range(2):
            lines = [b"%d" % number for number in range(count)]
            writer.write(lines[0])
            written = os.read(other, 1 << 16)
            assert written == lines[0] + b"\n"
            for line in lines[1:]:
                writer.write(line)
            await asyncio.wait_for(writer.flush(), 5)
            expected = b"".join(line + b"\n" for line in lines)
            while written != expected:
                written += os.read(other, 1 << 16)
                assert expected.startswith(written)
            await asyncio.sleep(0)

    run(main())


@pytest.mark.promise("R7")
@pytest.mark.parametrize("make", WRITERS)
@pytest.mark.parametrize("waiting", [0, UNWRITTEN_BYTES * 2])
def test_pipe_nobody_reads_any_more_ends_every_wait(
    pipe: Callable[[], tuple[int, int]], make: Callable[[int], Writer], waiting: int
) -> None:
    async def main() -> None:
        other, stdout = pipe()
        writer = make(stdout)
        if waiting:
            writer.write(b"x" * waiting)
        os.close(other)
        writer.write(b"y")
        for _ in range(3):
            writer.write(b"z" * 500_000)
            await asyncio.wait_for(writer.drain(), 5)
            await asyncio.wait_for(writer.flush(), 5)

    run(main())


@pytest.mark.promise("R7")
@pytest.mark.parametrize("make", WRITERS)
def test_many_small_lines_pass_while_they_are_written(
    pipe: Callable[[], tuple[int, int]], make: Callable[[int], Writer]
) -> None:
    async def main() -> None:
        other, stdout = pipe()
        writer = make(stdout)
        expected = b"".join(b"%d\n" % number for number in range(20_000))
        reading = asyncio.ensure_future(asyncio.to_thread(read_all, other, len(expected)))
        for number in range(20_000):
            writer.write(b"%d" % number)
            if number % 100 == 0:
                await writer.drain()
                await asyncio.sleep(0)
        assert await reading == expected
        await asyncio.wait_for(writer.flush(), 5)

    run(main())


@pytest.mark.promise("R6", "R7")
def test_host_that_never_reads_delays_neither_its_own_lines_nor_the_end(
    pipe: Callable[[], tuple[int, int]],
) -> None:
    async def main() -> None:
        stdin, host_writes = pipe()
        _, stdout = pipe()
        channel = StdioChannel(stdin, stdout, MAX)
        lines: list[bytes] = []
        ended = asyncio.Event()
        channel.receive(lines.append, lambda head, tail: None, ended.set)
        for _ in range(4):
            channel.send(b"x" * UNWRITTEN_BYTES)
        draining = asyncio.ensure_future(channel.drain())
        os.write(host_writes, b"one\ntwo\n")
        await until(lambda: len(lines) == 2)
        os.close(host_writes)
        await asyncio.wait_for(ended.wait(), 5)
        assert not draining.done()
        async with asyncio.timeout(5):
            await channel.flush(0.05)  # gives up by itself, without an error
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)

    run(main())


@pytest.mark.promise("R7")
@pytest.mark.parametrize("make", WRITERS)
def test_writing_thread_does_not_hold_the_process(
    pipe: Callable[[], tuple[int, int]], make: Callable[[int], Writer]
) -> None:
    async def main() -> None:
        _, stdout = pipe()
        make(stdout).write(b"x" * UNWRITTEN_BYTES)

    run(main())
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "stdout")


@pytest.mark.report("E4")
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_linux_tells_what_the_host_has_not_read(kind: str) -> None:
    """A host in Node has sockets, most others have pipes."""
    ours, theirs = (
        os.pipe()[::-1] if kind == "pipe" else tuple(side.detach() for side in socket.socketpair())
    )
    null = os.open(os.devnull, os.O_RDONLY)

    async def main() -> None:
        channel = StdioChannel(null, ours, MAX)
        assert channel.has_read()
        channel.send(b"a line")
        assert not channel.has_read()
        assert os.read(theirs, 100) == b"a line\n"
        assert channel.has_read()
        channel.send(b"x" * UNWRITTEN_BYTES)
        assert not channel.has_read()

    run(main())
    for descriptor in (ours, theirs, null):
        os.close(descriptor)


def test_what_cannot_be_asked_counts_as_read(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file, open(os.devnull) as null:

        async def main() -> None:
            channel = StdioChannel(null.fileno(), file.fileno(), MAX)
            channel.send(b"a line")
            await until(channel.has_read)

        run(main())
