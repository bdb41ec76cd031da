"""macOS, played: what each branch for it does with what the system says."""

from __future__ import annotations

import os
import resource
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcp_remote_py.commands.lifetime import open_parent_descriptor, watch_parent
from mcp_remote_py.credentials.session_files import state_folder
from mcp_remote_py.hosts.catalogue import System
from mcp_remote_py.installing.config_file import keep_rights
from mcp_remote_py.installing.obstacles import unlock_command
from mcp_remote_py.installing.surroundings import commands_beside, this_system
from mcp_remote_py.net.connect import socket_options
from mcp_remote_py.signing.chain_process import peak_memory
from tests.fakes import run, settle


class FakeKqueue:
    """A queue of `select`; it keeps what it is asked to tell of."""

    KQ_FILTER_PROC, KQ_EV_ADD, KQ_EV_ONESHOT, KQ_NOTE_EXIT = -5, 0x1, 0x10, 0x8000_0000

    def __init__(self, *, is_gone: bool = False) -> None:
        self.asked: list[tuple[object, ...]] = []
        self._is_gone = is_gone

    def kqueue(self) -> FakeKqueue:
        """Itself: there is one."""
        return self

    def kevent(self, ident: int, *, filter: int, flags: int, fflags: int) -> tuple[int, ...]:
        """What it is asked."""
        return ident, filter, flags, fflags

    def control(self, changes: list[tuple[int, ...]], most: int) -> list[object]:
        """Takes what it is to tell of; says ESRCH of a process that has ended."""
        assert most == 0
        if self._is_gone:
            raise ProcessLookupError
        self.asked += changes
        return []

    def fileno(self) -> int:
        """Its descriptor."""
        return 77


def test_the_end_of_the_parent_is_asked_of_a_queue() -> None:
    queue = FakeKqueue()
    assert open_parent_descriptor(5, "darwin", SimpleNamespace(), queue) == 77
    assert queue.asked == [(5, -5, 0x11, 0x8000_0000)]


def test_a_parent_that_has_ended_cannot_be_asked_for() -> None:
    with pytest.raises(ProcessLookupError):
        open_parent_descriptor(5, "darwin", SimpleNamespace(), FakeKqueue(is_gone=True))


def test_a_system_without_such_a_queue_leaves_the_end_of_stdin() -> None:
    told: list[str] = []

    async def main() -> None:
        watch_parent(lambda: told.append("gone"), "darwin")  # this system has none
        await settle()

    run(main())
    assert told == []


def test_keep_alive_begins_after_a_minute_under_the_name_it_has_there() -> None:
    macos = SimpleNamespace(TCP_KEEPALIVE=0x10, TCP_KEEPINTVL=0x101, TCP_KEEPCNT=0x102)
    assert socket_options(macos)[2:] == [
        (socket.IPPROTO_TCP, 0x10, 60),
        (socket.IPPROTO_TCP, 0x101, 15),
        (socket.IPPROTO_TCP, 0x102, 4),
    ]
    windows = SimpleNamespace(TCP_KEEPALIVE=3, TCP_KEEPIDLE=3, TCP_KEEPINTVL=17, TCP_KEEPCNT=16)
    assert [option for _, option, _ in socket_options(windows)[2:]] == [3, 17, 16]
    assert len(socket_options(SimpleNamespace())) == 2
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60) in socket_options(socket)


def test_a_locked_file_is_unlocked_and_not_given_a_mode(tmp_path: Path) -> None:
    file = tmp_path / "my file"
    file.touch(0o644)
    assert unlock_command(file, "u+w", stat.UF_IMMUTABLE, "darwin") == f"chflags nouchg '{file}'"
    assert unlock_command(file, "u+w", 0, "darwin") == f"chmod u+w '{file}'"
    assert unlock_command(file, "u+w", stat.UF_IMMUTABLE, "linux") == f"chmod u+w '{file}'"


def test_mode_and_owner_stay_where_python_knows_no_attributes(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch(0o640)
    old.chmod(0o640)
    macos = SimpleNamespace(fchown=os.fchown, fchmod=os.fchmod)
    with new.open("wb") as opened:
        assert keep_rights(opened.fileno(), old.stat(), old, macos)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_our_command_lies_beside_python() -> None:
    assert this_system("darwin") is System.MACOS
    python = Path("/opt/env/bin/python")
    assert commands_beside(python, System.MACOS) == [Path("/opt/env/bin/mcp-remote-py")]


def test_peak_of_memory_is_in_bytes_as_the_system_counts() -> None:
    assert peak_memory("darwin") == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_folder_of_the_records_is_asked_of_who_knows_the_platform(platform: str) -> None:
    """XDG's variables are of Linux."""
    import platformdirs

    environment = {"HOME": "/home/ada", "XDG_STATE_HOME": "/home/ada/state"}
    expected = platformdirs.user_state_dir("mcp-remote-py", appauthor=False)
    assert state_folder(environment, platform) == expected
    assert state_folder(environment, "linux") == os.path.join("/home/ada/state", "mcp-remote-py")
