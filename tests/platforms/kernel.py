"""Windows' kernel32, played: each call is a function of C, with the signature of its documentation.

As with the real library, a call has no types until somebody sets them: a handle that does not fit
into 32 bits is cut then. Must not know who calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

HANDLE, DWORD, BOOL = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int
POINTER = ctypes.c_void_p

DOCUMENTED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    # learn.microsoft.com/windows/win32/api/processthreadsapi, .../synchapi, .../handleapi
    "OpenProcess": (HANDLE, (DWORD, BOOL, DWORD)),
    "GetCurrentProcess": (HANDLE, ()),
    "GetProcessTimes": (BOOL, (HANDLE, POINTER, POINTER, POINTER, POINTER)),
    "WaitForSingleObject": (DWORD, (HANDLE, DWORD)),
    "CloseHandle": (BOOL, (HANDLE,)),
    # learn.microsoft.com/windows/console
    "GetStdHandle": (HANDLE, (DWORD,)),
    "GetConsoleMode": (BOOL, (HANDLE, POINTER)),
    "SetConsoleMode": (BOOL, (HANDLE, DWORD)),
}

WIDE = 0x7_0000_0000
"""Added to a handle: it has more than 32 bits."""
OURS = 0xFFFF_FFFF_FFFF_FFFF
"""The handle of the process that asks: -1, in 64 bits."""

WAIT_FAILED = 0xFFFFFFFF
_INVALID_CONSOLE = 0xFFFF_FFFF_FFFF_FFFF


class FakeKernel32:
    """One parent, one console. What is asked is kept in `calls`; `open` has the open handles.

    Args:
        parent: the process that can be opened; 0 where it has ended.
        parent_began, we_began: when both were started, in 100 nanoseconds since 1601.
        wait: what waiting for the parent comes to.
        console_mode: of the console on stdout; None where stdout is a pipe.
        takes_modes: the modes that the console knows.
    """

    def __init__(
        self,
        parent: int = 0,
        *,
        parent_began: int = 0x01DC_0000_0000_0001,
        we_began: int = 0x01DC_0000_0000_0002,
        wait: Callable[[], int] = lambda: 0,
        console_mode: int | None = None,
        takes_modes: int = 0x7,
    ) -> None:
        self.calls: list[str] = []
        self.open: set[int] = set()
        self.console_mode = console_mode
        self._parent = parent
        self._began = {parent + WIDE: parent_began, OURS: we_began}
        self._wait = wait
        self._takes_modes = takes_modes
        self.knows_times = True

    def load(self, name: str) -> Any:
        """As `ctypes.WinDLL`: the library, without any types."""
        assert name == "kernel32"
        return _Library(self)

    # What is asked, as Microsoft's documentation has it.

    def OpenProcess(self, access: int, inherit: int, process: int) -> int:
        """0 where there is no such process."""
        self.calls.append(f"OpenProcess {access:#x} {inherit} {process}")
        if not self._parent or process != self._parent:
            return 0
        self.open.add(process + WIDE)
        return process + WIDE

    def GetCurrentProcess(self) -> int:
        """A handle that need not be closed."""
        return OURS

    def GetProcessTimes(self, process: int, *places: int) -> int:
        """Writes four times of 64 bits each."""
        if not self.knows_times:
            return 0
        for place, time in zip(places, (self._began[process], 0, 0, 0), strict=True):
            ctypes.c_uint64.from_address(place).value = time
        return 1

    def WaitForSingleObject(self, handle: int, milliseconds: int) -> int:
        """0 where it has ended."""
        self.calls.append(f"WaitForSingleObject {milliseconds:#x}")
        return self._wait() if handle in self.open else WAIT_FAILED

    def CloseHandle(self, handle: int) -> int:
        """0 where it is not open."""
        if handle not in self.open:
            return 0
        self.open.remove(handle)
        self.calls.append("CloseHandle")
        return 1

    def GetStdHandle(self, number: int) -> int:
        """Of stdout, which is -11, and of nothing else."""
        return 1 + WIDE if number == 0x1_0000_0000 - 11 else _INVALID_CONSOLE

    def GetConsoleMode(self, handle: int, place: int) -> int:
        """0 where it is not a console."""
        if handle != 1 + WIDE or self.console_mode is None:
            return 0
        ctypes.c_uint32.from_address(place).value = self.console_mode
        return 1

    def SetConsoleMode(self, handle: int, mode: int) -> int:
        """0 where the console does not know the mode."""
        if handle != 1 + WIDE or mode & ~self._takes_modes:
            return 0
        self.console_mode = mode
        return 1


class _Library:
    """Functions by their addresses, as a library has them."""

    def __init__(self, kernel: FakeKernel32) -> None:
        untyped: Any = vars(ctypes.CDLL(None))["_FuncPtr"]
        self._kept: list[object] = []
        for name, (result, arguments) in DOCUMENTED.items():
            made = ctypes.CFUNCTYPE(result, *arguments)(_numbers_only(getattr(kernel, name)))
            self._kept.append(made)
            setattr(self, name, untyped(ctypes.cast(made, ctypes.c_void_p).value))


def _numbers_only(call: Callable[..., int]) -> Callable[..., int]:
    """A handle that is 0 comes as None."""
    return lambda *values: call(*(value or 0 for value in values))
