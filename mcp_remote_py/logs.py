"""Log lines on stderr and in a file: one line each, scrubbed, never in the way.

stdout belongs to the protocol and is refused. A host may close stderr or never read it, so
lines for it wait in a bounded queue for a thread of their own, and are dropped rather than
waited for. This module must not know what messages contain.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TextIO

from mcp_remote_py.credentials.files import close_to_others, describe_failure, describe_strangeness
from mcp_remote_py.errors import UsageError, one_line
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, mask_path, remember, scrub_known
from mcp_remote_py.settings.commands import LogSettings

ROOT = "mcp_remote_py"
"""Every logger of this program is below this one."""
PREFIX = "[mcp-remote-py]"
MAX_WAITING_LINES = 1000
"""Lines kept for a host that does not read stderr; more are counted and dropped."""

_FOREIGN = ("asyncio", "h11", "httpcore", "httpx")
"""Their debug lines carry the values of headers."""
_DEVICE = lazy_pattern(r"/dev/(?:[^/]+|(?:fd|pts)/[0-9]+)|/proc/self/fd/[0-9]+")
"""Names of the system's own. They may be links (/dev/stderr), and need not be plain files."""
_STDOUT = 1
"""File descriptor."""


class Logs:
    """The log as `configure` set it up; `close` takes it down again."""

    def __init__(self, handlers: list[logging.Handler], writer: _PatientWriter | None) -> None:
        self._handlers = handlers
        self._writer = writer

    def flush(self, seconds: float) -> bool:
        """Waits until stderr has every line, at most that long; whether it has."""
        return self._writer is None or self._writer.flush(seconds)

    def close(self) -> None:
        """Removes and closes the handlers."""
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()


def configure(
    settings: LogSettings,
    secrets: Iterable[Secret],
    stderr: TextIO | None,
    stdout: int = _STDOUT,
) -> Logs:
    """Directs the lines of this program, and warnings of its libraries, to stderr and the file.

    `stdout` is the descriptor that must not be written to. `secrets` are scrubbed from every
    line, and so is whatever is given to `redact.remember` later. The file gets lines with time
    and level, from INFO on where stderr is silent.

    Raises:
        UsageError: the log file cannot be opened, or is stdout.
        ValueError: `stderr` is stdout.
    """
    remember(secrets)
    handlers: list[logging.Handler] = []
    writer = None
    debug = settings.level == "DEBUG"
    if settings.level and stderr is not None:
        if _file_descriptor(stderr) == stdout:
            raise ValueError("stdout belongs to the protocol")
        writer = _PatientWriter(stderr)
        handlers.append(_LineHandler(writer.write, _LineFormatter(detailed=debug)))
    if settings.file is not None:
        handlers.append(_FileHandler(_open_log_file(settings.file, stdout)))
    if not handlers:
        # Without any, logging writes warnings to stderr by itself.
        handlers.append(logging.NullHandler())
    root = logging.getLogger()
    for handler in handlers:
        root.addHandler(handler)
    logging.getLogger(ROOT).setLevel(settings.level or "INFO")
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Logs(handlers, writer)


def _file_descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # no real file, or closed
        return None


def _open_log_file(path: str, stdout: int) -> int:
    """A descriptor for appending to `path`, which from then on only its owner can read.

    What another user may have prepared is refused, as `credentials.files` does: but for the
    devices of the system, which are the person's to name.
    """
    is_device = _DEVICE.fullmatch(path) is not None
    # O_NONBLOCK: a FIFO nobody reads is an error now instead of a hang.
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not is_device:
        flags |= os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unusable_log_file(path, error) from None
    try:
        _claim(descriptor, path, stdout, is_device=is_device)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _claim(descriptor: int, path: str, stdout: int, *, is_device: bool) -> None:
    status = os.fstat(descriptor)
    if _is_same_file(status, stdout):
        raise UsageError(
            "--log-file is stdout, which belongs to the protocol.",
            hint="Name a file; stderr gets the lines anyway.",
        )
    if is_device:
        return
    if strangeness := describe_strangeness(status):
        raise UsageError(
            f"--log-file: {path} {strangeness} and is not written to.",
            hint="Name a file of your own, or one that does not exist yet.",
        )
    try:
        close_to_others(descriptor, status)
    except OSError as error:
        raise _unusable_log_file(path, error) from None


def _is_same_file(status: os.stat_result, stdout: int) -> bool:
    try:
        other = os.fstat(stdout)
    except OSError:  # closed
        return False
    # The null device is a file anyone may share.
    return os.path.samestat(status, other) and not os.path.samestat(status, os.stat(os.devnull))


def _unusable_log_file(path: str, error: OSError | ValueError) -> UsageError:
    reason = describe_failure(error) if isinstance(error, OSError) else "not a file name"
    return UsageError(
        f"--log-file: cannot write {mask_path(path)}: {reason}.",
        hint="Name the file itself, in a folder that exists and is yours.",
    )


class _LineFormatter(logging.Formatter):
    """One scrubbed line of printable characters; detailed: with time, level, logger, traceback."""

    def __init__(self, *, detailed: bool) -> None:
        super().__init__()
        self._detailed = detailed

    def format(self, record: logging.LogRecord) -> str:
        text = _clean(record.getMessage())
        if not self._detailed:
            return f"{PREFIX} {text}"
        time = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        head = f"{time}.{int(record.msecs):03d} {record.levelname} {record.name}:"
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else ()
        return "\n".join([f"{head} {text}", *(f"{head} | {_clean(line)}" for line in trace)])


def _clean(text: str) -> str:
    return one_line(scrub_known(text))


class _LineHandler(logging.Handler):
    """Formats and hands on; a line that cannot be formatted is replaced, none raises."""

    def __init__(self, write: Callable[[str], None], formatter: logging.Formatter) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:
            kind = type(error).__name__
            line = f"{PREFIX} A line of {record.name} could not be formatted ({kind})."
        self._write(line)


class _FileHandler(_LineHandler):
    """Appends to a descriptor, a line in one write: several processes may share the file."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(self._append, _LineFormatter(detailed=True))
        self._descriptor = descriptor

    def _append(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the relay
            os.write(self._descriptor, f"{line}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError):  # closed before
            os.close(self._descriptor)


class _PatientWriter:
    """Writes lines to a stream that may block for ever or be gone, without anyone waiting."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._writing = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Takes the line, or drops it where too many wait already."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING_LINES:
                self._dropped += 1
                return
            self._waiting.append(line)
            self._changed.notify_all()
            if self._thread is None:
                # A daemon: a host that never reads must not hold up the end.
                self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Waits until all is written, at most that long; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                self._writing = True
                text = "\n".join(self._waiting)
                self._waiting.clear()
                if self._dropped:
                    text += f"\n{PREFIX} {self._dropped} more lines were dropped: nobody read them."
                    self._dropped = 0
            with contextlib.suppress(OSError, ValueError):  # the stream is closed
                self._stream.write(f"{text}\n")
                self._stream.flush()
