"""Looks for AWS keys with botocore's own chain, in a process of its own.

botocore costs a third of a second and 20 MB, and what it starts or waits for may hang: neither is
the relay's. So this process is started for each search and ends with it; nothing in it is ever
old. It gets its order on stdin and answers on stdout, and then both are the null device: a
`credential_process` never holds the host's pipe. It ends itself, with all it has started, when it
takes too long and when whoever started it is gone. Must not know who asks, nor what for.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, cast

from mcp_remote_py.process_groups import KILL
from mcp_remote_py.signing.aws_files import MAX_FILES, FileStamps
from mcp_remote_py.signing.chain_answer import (
    ChainAnswer,
    ChainFault,
    ChainOrder,
    decode_order,
    encode_line,
)
from mcp_remote_py.signing.chain_faults import (
    MfaAsked,
    SearchProgress,
    read_fault,
    read_flood,
    read_hang,
)
from mcp_remote_py.signing.chain_search import botocore_version, find_keys

FAREWELL_SECONDS = 1.5
"""Seconds for what is under way when whoever asked is gone: AWS gives a renewed SSO token once, and
it has to be written down."""

RENEWAL_SECONDS = 0.5
"""Seconds in which a renewed sign-in is written down by whoever was first."""

MAX_ORDER = 64 * 1024
"""Bytes."""

MAX_MEMORY = 256 * 1024 * 1024
"""Bytes of this process: botocore takes 40 MB, and keeps whatever a program prints."""

LOOK_SECONDS = 0.2
"""Seconds between two looks at it."""


class SearchChild:
    """This process, as whoever started it knows it: one answer, and its end."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._is_answered = False
        self.files: dict[str, FileStamps] = {}
        """Files that were opened, in their order, and how they looked then."""

    def has_changed(self) -> bool:
        """Whether a file is another than when it was opened first."""
        return any(seen != FileStamps((path,)) for path, seen in [*self.files.items()])

    def answer(self, answer: ChainAnswer) -> None:
        """Answers, unless that was done."""
        with self._lock:
            if self._is_answered:
                return
            self._is_answered = True
            answer.files = list(self.files)[:MAX_FILES]
            answer.has_changed = self.has_changed()
            line = encode_line(answer)
            try:
                while line:
                    line = line[os.write(self._answers, line) :]
            except OSError:
                return  # nobody is there any more

    def die(self) -> NoReturn:
        """Ends this process and all that it has started."""
        end_with_group()
        os._exit(1)


def end_with_group(system: Any = os) -> None:
    """Ends this process and its group, if it has one of its own; `system` is the module `os`."""
    if hasattr(system, "getpgrp") and system.getpgrp() == system.getpid():
        system.killpg(system.getpid(), KILL)


def watch(child: SearchChild, orders: int, progress: SearchProgress, seconds: float) -> None:
    """Starts two threads that end the process.

    One does it after `seconds`, one when the other end of `orders` is closed.
    """

    def end_late() -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
            if progress.program and peak_memory() > MAX_MEMORY:
                child.answer(ChainAnswer(fault=read_flood(progress)))
                child.die()
        child.answer(ChainAnswer(fault=read_hang(progress, seconds)))
        child.die()

    def end_alone() -> None:
        while os.read(orders, 1024):
            pass
        time.sleep(FAREWELL_SECONDS)
        child.die()

    for one in (end_late, end_alone):
        threading.Thread(target=one, daemon=True).start()


def peak_memory(platform: str = sys.platform, status: str = "/proc/self/status") -> int:
    """Bytes this process has had at most; 0 where the system does not say, as on Windows.

    Linux counts those of whoever started it in `getrusage`: a relay that has handed on a long
    message would make each program one that does not stop printing.
    """
    if platform == "darwin":
        resource: Any = import_module("resource")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(OSError), open(status, "rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _name_of(executable: object, words: object) -> str:
    """What was started, as it was called."""
    if isinstance(words, list | tuple) and words:
        return str(cast("Sequence[object]", words)[0])
    return str(executable)


_LEFT_OUT = ("/etc/", "/usr/", "/proc/", "/sys/", "/dev/")
"""Where the files of the system are."""


def note_work(child: SearchChild, progress: SearchProgress) -> None:
    """Has Python tell what is opened, asked and started from now on (PEP 578)."""
    packages = os.path.dirname(os.path.dirname(str(import_module("botocore").__file__)))
    ours = (os.path.join(folder, "") for folder in (sys.prefix, sys.base_prefix, packages))
    left_out = (*ours, *_LEFT_OUT)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            progress.host, progress.program = str(arguments[0] or ""), ""
        elif event == "subprocess.Popen":
            progress.program = _name_of(arguments[0], arguments[1])
        elif event == "open" and isinstance(arguments[0], str) and len(child.files) < MAX_FILES:
            path, _, flags = arguments
            is_read = not (flags or 0) & os.O_CREAT
            if is_read and os.path.isabs(path) and not path.startswith(left_out):
                child.files.setdefault(path, FileStamps((path,)))

    sys.addaudithook(note)


def _refuse_code(*_: object) -> NoReturn:
    raise MfaAsked


_NEEDED = {
    "botocore.session": "Session.set_default_client_config",
    "botocore.config": "Config",
    "botocore.credentials": "RefreshableCredentials.refresh_needed",
}
"""What is used of botocore, and may be younger than what is installed."""


def load_botocore() -> ChainFault | None:
    """Loads it, or says why that cannot be done."""
    # botocore asks for MFA codes by this function; it takes it when it is loaded.
    getpass.getpass = _refuse_code
    try:
        for module, names in _NEEDED.items():
            found: Any = import_module(module)
            for name in names.split("."):
                found = getattr(found, name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "botocore":
            return ChainFault("no-botocore")
        return ChainFault("broken-botocore", {"words": str(error)})
    except AttributeError as error:
        return ChainFault("old-botocore", {"words": str(error), "version": botocore_version()})
    return None


def await_renewal(child: SearchChild) -> None:
    """Gives another process a moment to write down what AWS has given to it, and so not to us."""
    end = time.monotonic() + RENEWAL_SECONDS
    while time.monotonic() < end and not child.has_changed():
        time.sleep(RENEWAL_SECONDS / 10)


def _take_pipes() -> tuple[int, int]:
    """The two pipes, in other places; in theirs is the null device, for whatever is started."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return orders, answers


def _read_order(orders: int) -> ChainOrder:
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ORDER:
        piece = os.read(orders, MAX_ORDER)
        if not piece:
            break
        line += piece
    return decode_order(line)


def main() -> int:
    """The child's whole life."""
    orders, answers = _take_pipes()
    order = _read_order(orders)
    child, progress = (
        SearchChild(answers),
        SearchProgress(profile=order.profile, named=order.profile),
    )
    watch(child, orders, progress, order.seconds)
    fault = load_botocore()
    if fault is not None:
        child.answer(ChainAnswer(fault=fault))
        return 0
    note_work(child, progress)
    try:
        answer = find_keys(order, progress, os.environ)
    except Exception as error:
        fault = read_fault(error, progress)
        if fault.reason == "sso-expired":
            await_renewal(child)
        answer = ChainAnswer(fault=fault)
    child.answer(answer)
    return 0


if __name__ == "__main__":
    main()
