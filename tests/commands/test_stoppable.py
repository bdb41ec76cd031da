"""Ctrl+C while something runs: the signal is sent from the very line that it must not tear."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from mcp_remote_py.commands.stoppable import run_stoppable


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """What Ctrl+C does to a Python that nobody has asked for anything else, before and after."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_the_line_is_finished_and_what_is_open_is_closed() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("pressed")
        signal.raise_signal(signal.SIGINT)
        done.append("the process that was being started is known")
        try:
            await asyncio.sleep(60)
        finally:
            done.append("and ended")

    with pytest.raises(KeyboardInterrupt):
        run_stoppable(work())
    assert done == ["pressed", "the process that was being started is known", "and ended"]


def test_who_presses_twice_does_not_wait_for_the_line() -> None:
    done: list[str] = []

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("a line that hangs")

    with pytest.raises(KeyboardInterrupt):
        run_stoppable(work())
    assert done == []


def test_what_is_done_is_told_although_somebody_presses_then() -> None:
    async def work() -> str:
        signal.raise_signal(signal.SIGINT)
        return "result"

    assert run_stoppable(work()) == "result"


def test_a_fault_is_a_fault() -> None:
    async def work() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        run_stoppable(work())


def test_who_ignores_ctrl_c_as_behind_nohup_goes_on() -> None:
    async def work() -> str:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
        return "result"

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run_stoppable(work()) == "result"
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN
