"""Lines a person types, heard one by one, and nobody waiting for those that do not come."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mcp_remote_py.signin.line_reader import LineReader
from tests.fakes import run


def test_lines_come_in_order_and_then_the_end() -> None:
    lines = iter(["one\n", "two\n", ""])

    async def main() -> list[str | None]:
        reader = LineReader(lambda: next(lines))
        return [await reader.next_line() for _ in range(3)]

    assert run(main()) == ["one\n", "two\n", None]


def test_wait_may_be_given_up_and_begun_again() -> None:
    typed = threading.Event()
    lines = iter(["late\n", ""])

    def read_line() -> str:
        assert typed.wait(10)
        return next(lines)

    async def main() -> None:
        reader = LineReader(read_line)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.next_line(), 0.01)
        typed.set()
        assert await reader.next_line() == "late\n"

    run(main())


def test_stream_that_is_not_text_is_heard_as_nothing() -> None:
    def read_line() -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")

    async def main() -> None:
        assert await LineReader(read_line).next_line() is None

    run(main())


def test_nobody_is_told_when_the_loop_is_over() -> None:
    typed, done = threading.Event(), threading.Event()

    def read_line() -> str:
        if done.is_set():
            return ""
        assert typed.wait(10)
        done.set()
        return "too late\n"

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(LineReader(read_line).next_line(), 0.01)

    run(main())
    typed.set()
    (thread,) = [one for one in threading.enumerate() if one.name == "line reader"]
    thread.join(10)
    assert not thread.is_alive()
