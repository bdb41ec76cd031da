"""The lock between processes: one holder at a time, and none once that process is dead."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_remote_py.clock import LoopClock
from mcp_remote_py.credentials.lock import (
    LONGEST_WAIT,
    LockBusy,
    ProcessLock,
    hold_blocking,
)
from mcp_remote_py.credentials.store import StoreError
from tests.fakes import FakeClock, run, settle

PATIENCE = 30
"""Seconds for a process to do its part."""

PROGRAM = """
import asyncio, pathlib, sys
from mcp_remote_py.clock import LoopClock
from mcp_remote_py.credentials.lock import ProcessLock

async def hold(path):
    async with ProcessLock(path, LoopClock()).hold(20):
        echo = "for line in __import__('sys').stdin: print(line, end='', flush=True)"
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", echo, close_fds=False)
        print("held", flush=True)
        await child.wait()

async def count(path, counter, times):
    lock = ProcessLock(path, LoopClock())
    for _ in range(times):
        async with lock.hold(20):
            number = int(counter.read_text())
            await asyncio.sleep(0)
            counter.write_text("")
            counter.write_text(str(number + 1))

path = pathlib.Path(sys.argv[2])
if sys.argv[1] == "hold":
    asyncio.run(hold(path))
else:
    asyncio.run(count(path, pathlib.Path(sys.argv[3]), int(sys.argv[4])))
"""


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@contextmanager
def holder_of(path: Path) -> Generator[subprocess.Popen[bytes]]:
    """A process that holds the lock until it is killed, and its child, which echoes lines."""
    process = start("hold", path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def can_be_held(path: Path) -> bool:
    """Whether the lock is free now."""

    async def look() -> bool:
        try:
            async with ProcessLock(path, FakeClock()).hold(0):
                return True
        except LockBusy:
            return False

    return run(look())


@pytest.mark.promise("A7")
def test_eight_processes_take_turns(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    lock = tmp_path / "locks" / "x.lock"
    processes = [start("count", lock, counter, "25") for _ in range(8)]
    try:
        ends = [process.wait(PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=PATIENCE)
    assert ends == [0] * 8
    assert counter.read_text() == "200"


@pytest.mark.promise("A7")
def test_killed_holder_holds_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        lock = ProcessLock(tmp_path / "x.lock", LoopClock())
        with holder_of(tmp_path / "x.lock") as holder:
            with pytest.raises(LockBusy):
                await lock.hold(0).__aenter__()
            holder.kill()
            async with lock.hold(10):
                pass

    run(main())


def test_child_of_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """A browser that was started under the lock stays open for days."""
    path = tmp_path / "x.lock"
    with holder_of(path) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.kill()
        holder.wait(PATIENCE)
        assert can_be_held(path)
        holder.stdin.write(b"still there?\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"still there?\n"


def test_file_says_nothing_by_existing_and_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "folder" / "x.lock"
        path.parent.mkdir()
        path.write_text("left by someone")
        async with ProcessLock(path, FakeClock()).hold(0):
            pass
        assert path.read_text() == "left by someone"
        if os.name == "posix":
            assert path.parent.stat().st_mode & 0o777 == 0o700

    run(main())


def test_tasks_of_one_process_exclude_each_other_and_the_loop_runs_on(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        lock = ProcessLock(tmp_path / "x.lock", clock)
        order: list[str] = []
        free = asyncio.Event()

        async def first() -> None:
            async with lock.hold(0):
                order.append("first")
                await free.wait()

        async def second() -> None:
            async with lock.hold(60):
                order.append("second")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first())
            await settle()
            waiting = tasks.create_task(second())
            await clock.advance(30)
            assert order == ["first"]
            free.set()
            await settle()
            await clock.finish(waiting)
        assert order == ["first", "second"]

    run(main())


def test_waits_grow_and_end_in_a_sentence(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        lock = ProcessLock(tmp_path / "x.lock", clock)
        async with lock.hold(0):

            async def wait() -> None:
                async with lock.hold(15):
                    pass

            with pytest.raises(LockBusy) as caught:
                await clock.finish(wait())
        assert caught.value.sentence() == (
            f"Another mcp-remote-py has used {tmp_path / 'x.lock'} for 15 s."
            " Wait until it is done, or end it."
        )
        assert clock.waits[:-1] == sorted(clock.waits[:-1])
        assert max(clock.waits) == LONGEST_WAIT
        assert sum(clock.waits) == pytest.approx(15)

    run(main())


@pytest.mark.parametrize("failure", [ValueError("x"), asyncio.CancelledError()])
def test_lock_is_given_back_whatever_happens(tmp_path: Path, failure: BaseException) -> None:
    async def main() -> None:
        lock = ProcessLock(tmp_path / "x.lock", FakeClock())
        with pytest.raises(type(failure)):
            async with lock.hold(0):
                raise failure
        async with lock.hold(0):
            pass

    run(main())


def is_locking(thread: threading.Thread) -> bool:
    """Whether the thread has opened the file and waits for the kernel."""
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    return frame is not None and frame.f_code.co_name == "lock"


def test_emptied_folder_does_not_make_two_holders(tmp_path: Path) -> None:
    """A waiter whose file was deleted and made anew waits for the new one."""
    path = tmp_path / "folder" / "x.lock"
    entered = threading.Event()
    leave = threading.Event()

    def wait() -> None:
        with hold_blocking(path):
            entered.set()
            leave.wait(PATIENCE)

    waiter = threading.Thread(target=wait)
    with hold_blocking(path):
        waiter.start()
        while not is_locking(waiter):
            assert waiter.is_alive()
        shutil.rmtree(path.parent)
    assert entered.wait(PATIENCE)

    try:
        assert not can_be_held(path)
    finally:
        leave.set()
        waiter.join(PATIENCE)


def test_place_without_locks_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "x.lock").mkdir()

    async def main() -> None:
        with pytest.raises(StoreError) as caught:
            async with ProcessLock(tmp_path / "x.lock", FakeClock()).hold(0):
                pass
        assert caught.value.sentence() == (
            f"{tmp_path / 'x.lock'} cannot be locked: Is a directory."
            " Name a folder on a local disk in MCP_REMOTE_CONFIG_DIR."
        )

    run(main())


@pytest.mark.report("S8")
def test_lock_is_free_also_where_the_disk_complains_of_that(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "x.lock", LoopClock())

    async def main() -> None:
        for share in (False, True):
            async with lock.hold(1) as held:
                if share:
                    held.share()
                os.close(held.descriptor)
        async with lock.hold(1):
            pass

    run(main())
