"""The process: its streams and environment go in here, and its exit status comes out."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from typing import Any, NoReturn, cast

# What is loaded stays: to look through it for garbage costs 8 of the 120 ms of a start.
gc.disable()

# Until then Ctrl+C ends the process as it ends any other: no traceback of half an import.
_raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _raises:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# msgspec looks there first for names that Python itself has since 3.11: 3 of the 120 ms of a start,
# and half a megabyte. Whoever needs it loads it later.
if "typing_extensions" not in sys.modules:
    cast("dict[str, Any]", sys.modules)["typing_extensions"] = None
    importlib.import_module("msgspec")
    del sys.modules["typing_extensions"]

from mcp_remote_py.cli.main import main  # noqa: E402
from mcp_remote_py.exit_status import INTERRUPTED_STATUS  # noqa: E402


def run() -> NoReturn:
    """Entry point of the command `mcp-remote-py` and of `python -m mcp_remote_py`."""
    try:
        if _raises:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(sys.argv[1:], os.environ, sys.stdout, sys.stderr, stdin=sys.stdin)
    except KeyboardInterrupt:
        status = INTERRUPTED_STATUS
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        sys.stdout.flush()
    # Not sys.exit: the interpreter would wait for a thread that still resolves a host name, and
    # for a reader of stdin that cannot be woken. stderr is not flushed: its lines are written
    # through. To wait for one that nobody reads would hold up the end.
    os._exit(status)


if __name__ == "__main__":
    run()
