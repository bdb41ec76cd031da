"""The calls of Windows' kernel that Python does not have: typed, checked, their handles closed.

Loaded on Windows alone, and there only by what needs it. The types are written out by their sizes:
so a test elsewhere plays the library with functions of C. Must not know what a call is for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

_HANDLE, _DWORD, _BOOL = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int

INFINITE = 0xFFFFFFFF
WAIT_OBJECT_0 = 0
SYNCHRONIZE = 0x00100000
PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
ENABLE_VIRTUAL_TERMINAL_PROCESSING = 0x0004
STANDARD_HANDLES = {0: -10, 1: -11, 2: -12}
"""What GetStdHandle takes, by the descriptor."""


class FileTime(ctypes.Structure):
    """FILETIME: 100 nanoseconds since 1601, in two halves."""

    _fields_ = (("low", _DWORD), ("high", _DWORD))


_TIME = ctypes.POINTER(FileTime)

SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "OpenProcess": (_HANDLE, (_DWORD, _BOOL, _DWORD)),
    "GetCurrentProcess": (_HANDLE, ()),
    "GetProcessTimes": (_BOOL, (_HANDLE, _TIME, _TIME, _TIME, _TIME)),
    "WaitForSingleObject": (_DWORD, (_HANDLE, _DWORD)),
    "CloseHandle": (_BOOL, (_HANDLE,)),
    "GetStdHandle": (_HANDLE, (_DWORD,)),
    "GetConsoleMode": (_BOOL, (_HANDLE, ctypes.POINTER(_DWORD))),
    "SetConsoleMode": (_BOOL, (_HANDLE, _DWORD)),
}
"""The result and the arguments of each call, as Microsoft's documentation has them. Without them
ctypes takes every result for an int of 32 bits."""


def load_kernel32(load: Callable[[str], Any] | None = None) -> Any:
    """The library, its calls typed; `load` as `ctypes.WinDLL`, which is in Windows' Python alone.

    Raises:
        OSError: it cannot be loaded.
    """
    if load is None:
        load = cast("Callable[[str], Any]", vars(ctypes)["WinDLL"])  # checkers know it there only
    library = load("kernel32")  # one of our own: the types of others' are not touched
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def open_parent(kernel32: Any, parent: int) -> int | None:
    """A handle that tells of the end of our parent; None where there is nobody to watch.

    Windows gives the number of a process that has ended to a new one: whoever is younger than we
    are has not started us.
    """
    access = SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION
    handle: int | None = kernel32.OpenProcess(access, False, parent)
    if not handle:
        return None  # it has ended, or we have no right to it
    began = _started_at(kernel32, handle)
    ours = _started_at(kernel32, kernel32.GetCurrentProcess())
    if began is None or ours is None or began > ours:
        kernel32.CloseHandle(handle)
        return None
    return handle


def _started_at(kernel32: Any, process: int) -> int | None:
    """When it was started, in units of 100 nanoseconds."""
    began, *others = (FileTime() for _ in range(4))
    if not kernel32.GetProcessTimes(process, *map(ctypes.byref, (began, *others))):
        return None
    return began.high << 32 | began.low


def wait_for_end(kernel32: Any, process: int) -> bool:
    """Waits until the process ends, and closes the handle; whether it has, False if one cannot."""
    try:
        return kernel32.WaitForSingleObject(process, INFINITE) == WAIT_OBJECT_0
    finally:
        kernel32.CloseHandle(process)


def show_styles(kernel32: Any, descriptor: int) -> bool:
    """Has the console act on escape sequences; whether it does (it can, since Windows 10).

    A console begins without: it would show them as text. The mode stays for whoever comes next,
    as with other programs; a shell sets its own.
    """
    number = STANDARD_HANDLES.get(descriptor)
    if number is None:
        return False
    console, mode = kernel32.GetStdHandle(number), _DWORD()
    if not kernel32.GetConsoleMode(console, ctypes.byref(mode)):
        return False  # a file or a pipe
    if mode.value & ENABLE_VIRTUAL_TERMINAL_PROCESSING:
        return True
    return bool(kernel32.SetConsoleMode(console, mode.value | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
