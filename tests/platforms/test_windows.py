"""Windows, played: what each branch for it does with what the system says.

The kernel is `kernel.FakeKernel32`, called through ctypes; all else are the values of Windows.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import io
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcp_remote_py import windows
from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.streams import understands_styles
from mcp_remote_py.commands.lifetime import watch_parent, watch_signals
from mcp_remote_py.commands.terminal import end_key
from mcp_remote_py.console import Console
from mcp_remote_py.credentials.files import (
    be_patient,
    claim_folder,
    close_to_others,
    describe_strangeness,
    open_at_once,
)
from mcp_remote_py.credentials.lock import ByteLocks
from mcp_remote_py.errors import NotSent
from mcp_remote_py.hosts.catalogue import System
from mcp_remote_py.installing.config_file import keep_rights
from mcp_remote_py.installing.obstacles import is_read_only_disk, name_of, unlock_command
from mcp_remote_py.installing.surroundings import commands_beside, this_system
from mcp_remote_py.net.faults import NotConnected
from mcp_remote_py.net.mapping import UNKNOWN_NAME, describe_error, explain
from mcp_remote_py.process_groups import creation_flag, kill_group
from mcp_remote_py.signin.loopback_port import address_option
from mcp_remote_py.signing.chain_process import end_with_group, peak_memory
from mcp_remote_py.transports.headers import start_hint
from tests.fakes import run, settle
from tests.platforms.kernel import DOCUMENTED, WAIT_FAILED, WIDE, FakeKernel32

PATIENCE = 10.0
"""Seconds for a thread to tell the loop."""


# The kernel ----------------------------------------------------------------------------------


def test_calls_have_the_types_of_their_documentation() -> None:
    assert windows.SIGNATURES.keys() == DOCUMENTED.keys()
    for name, (result, arguments) in windows.SIGNATURES.items():
        documented, places = DOCUMENTED[name]
        assert ctypes.sizeof(result) == ctypes.sizeof(documented)
        assert [ctypes.sizeof(one) for one in arguments] == [ctypes.sizeof(one) for one in places]
    assert ctypes.sizeof(windows.FileTime) == 8


def test_without_types_a_handle_is_cut() -> None:
    """What the fake is worth: it is as wrong as the real library where nobody sets types."""
    library = FakeKernel32(parent=77).load("kernel32")
    assert library.OpenProcess(0, 0, 77) == 77 != 77 + WIDE


def test_kernel_is_asked_of_python_where_it_has_one() -> None:
    with pytest.raises(KeyError, match="WinDLL"):
        windows.load_kernel32()  # this is not Windows


def test_parent_is_waited_for_and_its_handle_is_closed() -> None:
    kernel = FakeKernel32(parent=77)
    library = windows.load_kernel32(kernel.load)
    handle = windows.open_parent(library, 77)
    assert handle == 77 + WIDE
    assert windows.wait_for_end(library, handle)
    assert kernel.calls == [
        "OpenProcess 0x101000 0 77",
        "WaitForSingleObject 0xffffffff",
        "CloseHandle",
    ]
    assert kernel.open == set()


def test_parent_that_has_ended_is_not_watched() -> None:
    library = windows.load_kernel32(FakeKernel32(parent=0).load)
    assert windows.open_parent(library, 77) is None


@pytest.mark.parametrize("knows_times", [True, False])
def test_stranger_with_the_number_of_a_dead_parent_is_not_watched(knows_times: bool) -> None:
    kernel = FakeKernel32(parent=77, parent_began=3 << 32, we_began=2 << 32 | 0xFFFF_FFFF)
    kernel.knows_times = knows_times
    assert windows.open_parent(windows.load_kernel32(kernel.load), 77) is None
    assert kernel.open == set()


def test_wait_that_fails_is_not_the_end() -> None:
    kernel = FakeKernel32(parent=77, wait=lambda: WAIT_FAILED)
    library = windows.load_kernel32(kernel.load)
    handle = windows.open_parent(library, 77)
    assert handle is not None
    assert not windows.wait_for_end(library, handle)
    assert kernel.open == set()


def test_console_is_told_to_show_styles() -> None:
    kernel = FakeKernel32(console_mode=0x3)
    library = windows.load_kernel32(kernel.load)
    assert windows.show_styles(library, 1)
    assert kernel.console_mode == 0x7
    assert windows.show_styles(library, 1)  # it does already


@pytest.mark.parametrize(
    ("kernel", "descriptor"),
    [
        (FakeKernel32(console_mode=0x3, takes_modes=0x3), 1),  # before Windows 10
        (FakeKernel32(console_mode=None), 1),  # a pipe
        (FakeKernel32(console_mode=0x3), 2),  # another descriptor, which is none
        (FakeKernel32(console_mode=0x3), 7),  # one that has no standard handle
    ],
)
def test_console_that_cannot_show_styles_gets_none(kernel: FakeKernel32, descriptor: int) -> None:
    before = kernel.console_mode
    assert not windows.show_styles(windows.load_kernel32(kernel.load), descriptor)
    assert kernel.console_mode == before


def test_styles_are_for_consoles_that_take_them() -> None:
    for takes in (True, False):
        assert understands_styles({}, "win32", lambda takes=takes: takes) is takes
    asked: list[str] = []

    def prepare() -> bool:
        asked.append("console")
        return True

    assert not understands_styles({"NO_COLOR": "1"}, "win32", prepare)
    assert not understands_styles({"TERM": "dumb"}, "win32", prepare)
    assert understands_styles({}, "linux", prepare)
    assert understands_styles({}, "darwin", prepare)
    assert asked == []


# The life of the process ---------------------------------------------------------------------


def watch(on_gone: Callable[[], None], kernel: FakeKernel32) -> None:
    """As on Windows, whose kernel it is."""
    watch_parent(on_gone, "win32", lambda: windows.load_kernel32(kernel.load))


def test_parent_is_watched_by_a_thread() -> None:
    ended = threading.Event()

    def wait() -> int:
        return 0 if ended.wait(PATIENCE) else WAIT_FAILED

    kernel = FakeKernel32(parent=os.getppid(), wait=wait)

    async def main() -> None:
        gone = asyncio.Event()
        watch(gone.set, kernel)
        await settle()
        assert not gone.is_set()
        ended.set()
        await asyncio.wait_for(gone.wait(), PATIENCE)

    run(main())
    assert kernel.open == set()


def test_loop_that_is_closed_does_not_hear_of_the_parent() -> None:
    ended = threading.Event()
    kernel = FakeKernel32(parent=os.getppid(), wait=lambda: 0 if ended.wait(PATIENCE) else 1)
    told: list[str] = []

    async def main() -> None:
        watch_parent(
            lambda: told.append("gone"), "win32", lambda: windows.load_kernel32(kernel.load)
        )

    run(main())
    watchers = [each for each in threading.enumerate() if each.name == "parent"]
    ended.set()
    for each in watchers:
        each.join(PATIENCE)
    assert watchers
    assert kernel.open == set()
    assert told == []


@pytest.mark.parametrize(
    "kernel", [FakeKernel32(parent=0), FakeKernel32(os.getppid(), wait=lambda: WAIT_FAILED)]
)
def test_parent_that_cannot_be_watched_does_not_end_us(kernel: FakeKernel32) -> None:
    told: list[str] = []

    async def main() -> None:
        watch_parent(
            lambda: told.append("gone"), "win32", lambda: windows.load_kernel32(kernel.load)
        )
        for each in threading.enumerate():
            if each.name == "parent":
                await asyncio.to_thread(each.join, PATIENCE)
        await settle()

    run(main())
    assert told == []


def test_kernel_that_does_not_load_leaves_the_end_of_stdin() -> None:
    def fail() -> None:
        raise OSError

    async def main() -> None:
        watch_parent(lambda: None, "win32", fail)

    run(main())


def test_signals_come_by_the_handlers_of_python() -> None:
    """The event loop of Windows takes no signal handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    interrupt = signal.getsignal(signal.SIGINT)

    async def main() -> None:
        told: asyncio.Queue[signal.Signals] = asyncio.Queue()
        watch_signals(told.put_nowait, "win32")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            assert await told.get() is number

    try:
        run(main())
        signal.raise_signal(signal.SIGTERM)  # the loop is closed: nobody hears it, nothing breaks
    finally:
        signal.signal(signal.SIGINT, interrupt)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_end_of_the_input_has_a_key_of_its_own() -> None:
    assert end_key("win32") == "Ctrl+Z and Enter"
    assert end_key("darwin") == end_key("linux") == "Ctrl+D"


def test_without_groups_a_process_is_ended_alone() -> None:
    killed: list[object] = []

    def note(leader: int, number: int) -> None:
        killed.extend((leader, number))

    kill_group(77, lambda: killed.append("alone"), None)
    kill_group(77, lambda: killed.append("alone"), note)
    assert killed == ["alone", 77, signal.SIGKILL]
    end_with_group(SimpleNamespace())  # it ends itself then


# Files ---------------------------------------------------------------------------------------


class WindowsFile:
    """`msvcrt`, as far as it locks: it says by an error who has the byte."""

    LK_LOCK, LK_NBLCK, LK_UNLCK = 1, 2, 0

    def __init__(self, refusal: int = 0) -> None:
        self.refusal = refusal
        self.asked: list[tuple[int, int, int]] = []

    def locking(self, descriptor: int, kind: int, count: int) -> None:
        """See `msvcrt.locking`."""
        self.asked.append((descriptor, kind, count))
        if self.refusal:
            raise OSError(self.refusal, "refused")


def test_a_lock_is_one_byte_of_the_file() -> None:
    system = WindowsFile()
    locks = ByteLocks(system)
    assert locks.lock(7, wait=False)
    assert locks.lock(7, wait=True)
    locks.unlock(7)
    assert system.asked == [(7, 2, 1), (7, 1, 1), (7, 0, 1)]


@pytest.mark.parametrize(
    ("refusal", "wait"), [(errno.EACCES, False), (errno.EACCES, True), (errno.EDEADLK, True)]
)
def test_a_byte_that_others_hold_is_not_ours(refusal: int, wait: bool) -> None:
    assert not ByteLocks(WindowsFile(refusal)).lock(7, wait=wait)


def test_a_disk_without_locks_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        ByteLocks(WindowsFile(errno.EINVAL)).lock(7, wait=False)


def test_who_is_in_the_way_is_waited_for() -> None:
    """As the C library says it: without the number of Windows."""
    waits: list[float] = []

    def action() -> str:
        if len(waits) < 3:
            raise PermissionError(errno.EACCES, "Permission denied")
        return "done"

    assert be_patient(action, waits.append, "win32") == "done"
    assert len(waits) == 3

    def never() -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        be_patient(never, waits.append, "win32")
    assert sum(waits) < 2
    before = len(waits)
    with pytest.raises(PermissionError):
        be_patient(never, waits.append, "linux")
    assert len(waits) == before


def test_a_folder_is_told_as_one_at_once(tmp_path: Path) -> None:
    """Windows' C library says of a folder what it says of a file without rights."""
    waits: list[float] = []
    flags: list[int] = []

    def open_file(_: Path | str, given: int, mode: int) -> int:
        flags.append(given)
        assert mode == 0o600
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(IsADirectoryError):
        open_at_once(tmp_path, os.O_RDONLY, open_file, waits.append, "win32")
    assert waits == []
    with pytest.raises(PermissionError):
        open_at_once(tmp_path / "file", os.O_RDONLY, open_file, waits.append, "win32")
    assert len(waits) > 3
    with pytest.raises(PermissionError):
        open_at_once(tmp_path, os.O_RDONLY, open_file, waits.append, "linux")
    assert set(flags) == {os.O_RDONLY}


def test_modes_and_owners_say_nothing_there(tmp_path: Path) -> None:
    """`os.stat` makes them up: every file is of the user 0 and open to all."""
    file = tmp_path / "file"
    file.touch(0o666)
    os.link(file, tmp_path / "other")
    file.chmod(0o666)
    tmp_path.chmod(0o777)
    claim_folder(tmp_path, 0o077, or_roots=False, ask_user=None)
    assert describe_strangeness(file.stat(), ask_user=None) == ""
    assert describe_strangeness(tmp_path.stat(), ask_user=None) == "is not a plain file"
    with file.open("rb") as opened:
        assert not close_to_others(opened.fileno(), file.stat(), ask_user=None)
        assert keep_rights(opened.fileno(), file.stat(), file, SimpleNamespace())
    assert stat.S_IMODE(file.stat().st_mode) == 0o666
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o777


def test_what_is_in_the_way_has_a_command_of_windows(tmp_path: Path) -> None:
    file = tmp_path / "my file"
    file.touch(0o444)
    assert unlock_command(file, "u+w", 0, "win32") == f'attrib -r "{file}"'
    assert not is_read_only_disk(file, SimpleNamespace())

    def find_module(name: str) -> object:
        raise ModuleNotFoundError(name)

    assert name_of(0, find_module) == "0"


def test_our_command_is_a_program_of_windows() -> None:
    assert this_system("win32") is System.WINDOWS
    python = Path("/tools/env/Scripts/python.exe")
    assert commands_beside(python, System.WINDOWS)[0] == python.with_name("mcp-remote-py.exe")
    python = Path("/Python312/python.exe")  # not an environment
    command = Path("/Python312/Scripts/mcp-remote-py.exe")
    assert command in commands_beside(python, System.WINDOWS)


def test_peak_of_memory_is_not_known(tmp_path: Path) -> None:
    assert peak_memory("win32", str(tmp_path / "proc")) == 0


def test_a_command_that_is_not_a_program_has_a_hint_of_windows() -> None:
    denied, script = PermissionError(errno.EACCES, "x"), OSError(errno.ENOEXEC, "x")
    missing = FileNotFoundError(errno.ENOENT, "x")
    first = "Name the program that runs it first, and then the file: python file.py"
    assert start_hint(denied, "keys.py", "win32") == first
    assert start_hint(script, "keys.py", "win32") == first
    in_path = "Give --header-command a program in PATH or an absolute path."
    assert start_hint(missing, "keys", "win32") == in_path
    assert start_hint(denied, "keys.py", "linux") == "Make it a program: chmod +x keys.py"


# The network ---------------------------------------------------------------------------------


class WindowsError(OSError):
    """As Python makes it there: the number of Windows beside one of C."""

    def __init__(self, number: int, code: int = errno.EINVAL) -> None:
        super().__init__(code, "in the language of the person")
        self.winerror = number


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WindowsError(1225), "Connection refused"),
        (WindowsError(121), "Connection timed out"),
        (WindowsError(64), "Connection reset by peer"),
        (WindowsError(1231), "Network is unreachable"),
        (WindowsError(10061, 10061), "Connection refused"),
        (OSError(10061, "Connect call failed ('::1', 1)"), "Connection refused"),
        (OSError(10060, "x"), "Connection timed out"),
        (WindowsError(5, errno.EACCES), "Permission denied"),
        (OSError(64, "x"), os.strerror(64)),  # of Linux: another thing altogether
        (OSError(121, "x"), os.strerror(121)),
    ],
)
def test_faults_of_a_connection_have_the_same_words_everywhere(error: OSError, words: str) -> None:
    assert describe_error(error) == words


def test_a_name_without_an_address_is_unknown_there_too() -> None:
    assert 11004 in UNKNOWN_NAME
    error = NotConnected("its name cannot be looked up")
    error.__cause__ = socket.gaierror(11004, "getaddrinfo failed")
    mapped = explain(error, sent=False, where="https://a.example")
    assert isinstance(mapped, NotSent)
    assert mapped.is_certain


def test_the_port_of_the_listener_is_not_shared() -> None:
    assert address_option(SimpleNamespace(SO_EXCLUSIVEADDRUSE=-5)) == -5
    assert address_option(socket) == socket.SO_REUSEADDR


def test_flags_of_a_start_are_of_windows_alone() -> None:
    """Elsewhere Python refuses any."""
    for name, value in (("DETACHED_PROCESS", 8), ("CREATE_NO_WINDOW", 0x0800_0000)):
        assert creation_flag(name, SimpleNamespace(**{name: value})) == value
        assert creation_flag(name, subprocess) == 0


# What is printed -----------------------------------------------------------------------------


def test_what_an_encoding_does_not_have_is_printed_by_its_number() -> None:
    """A pipe of Windows has the encoding of the country: nothing may be lost for one character."""
    pipe = io.BytesIO()
    stdout = io.TextIOWrapper(pipe, encoding="cp1252", newline="")

    def tell(settings: object, environment: object, console: Console) -> int:
        console.say("café → 日本")
        return 0

    assert main(["status"], {}, stdout, io.StringIO(), lambda _: tell) == 0
    assert pipe.getvalue().decode("cp1252") == "café \\u2192 \\u65e5\\u672c\n"
