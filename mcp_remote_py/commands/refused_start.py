"""Tells a waiting host why there is no relay: its first request is answered with the sentence.

Hosts show what answers `initialize`, and of a process that ends nothing but "connection closed":
stderr is read by few. One line is read, within bounds; what is not a request is not answered. Must
not know what went wrong, nor what a request asks for.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TextIO

from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import LOCAL_ERROR, Kind, Message, make_error
from mcp_remote_py.parsing import read_messages
from mcp_remote_py.redact import scrub_known

FIRST_REQUEST_SECONDS = 3.0
"""Seconds that the host's first line is waited for: hosts write it as soon as we are started."""

FIRST_REQUEST_BYTES = 256 * 1024
"""Bytes of it, with what comes behind it in the same read; an `initialize` has a few hundred."""

_FEW_BYTES = 64 * 1024


def answer_first_request(stdin: TextIO, stdout: TextIO, sentence: str) -> None:
    """The same for streams: nothing where one is closed or a terminal."""
    try:
        if not stdin.isatty():
            answer_waiting_host(stdin.fileno(), stdout.fileno(), sentence)
    except (OSError, ValueError):
        return  # it is closed, or is not a real file


def answer_waiting_host(
    stdin: int, stdout: int, sentence: str, seconds: float = FIRST_REQUEST_SECONDS
) -> None:
    """Reads the first line from the descriptor, at most that long, and answers what asks there."""
    answers = [
        make_error(message.raw_id, LOCAL_ERROR, scrub_known(sentence))
        for message in _messages_in(_read_line(stdin, seconds))
        if message.kind is Kind.REQUEST
    ]
    with contextlib.suppress(OSError):  # nobody reads
        for answer in answers:
            os.write(stdout, answer.raw + b"\n")


def _read_line(descriptor: int, seconds: float) -> bytes:
    """The first line that is not empty; nothing where none came in time, or none that fits."""
    found: list[bytes] = []

    def read() -> None:
        data = b""
        while b"\n" not in data and len(data) < FIRST_REQUEST_BYTES:
            try:
                piece = os.read(descriptor, _FEW_BYTES)
            except OSError:
                piece = b""
            if not piece:
                break  # a last line may end without its end
            data = (data + piece).lstrip()
        line, end, _ = data.partition(b"\n")
        if end or len(data) < FIRST_REQUEST_BYTES:
            found.append(line)

    # A thread: pipes cannot be waited for on Windows. Nobody waits for it at the end.
    reader = threading.Thread(target=read, name="first request", daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else b""


def _messages_in(line: bytes) -> list[Message]:
    try:
        return [message for message in read_messages(line) if isinstance(message, Message)]
    except InvalidMessage:
        return []
