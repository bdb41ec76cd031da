"""A host that waits for a relay hears why there is none; nobody else is read or answered."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mcp_remote_py.commands.refused_start import answer_waiting_host
from mcp_remote_py.jsonrpc import LOCAL_ERROR
from tests.fakes import encode_notification, encode_request
from tests.harness.host import Host, environment_for
from tests.harness.warm import COMMAND

pytestmark = pytest.mark.report("E7")

SENTENCE = "The server URL is missing."
INITIALIZE = encode_request("a", "initialize", {"protocolVersion": "2025-11-25"})
PATIENCE = 10.0


def answers_to(text: bytes, *, seconds: float = PATIENCE, left_open: bool = False) -> list[bytes]:
    """The lines that are written to a host which wrote `text`."""
    stdin, written = os.pipe()
    read, stdout = os.pipe()
    os.write(written, text)
    if not left_open:
        os.close(written)
    answer_waiting_host(stdin, stdout, SENTENCE, seconds)
    os.close(stdout)
    if left_open:
        os.close(written)
    with os.fdopen(read, "rb") as lines:
        return lines.read().splitlines()


@pytest.mark.parametrize(
    "text",
    [
        INITIALIZE + b"\n",
        b"\r\n \n" + INITIALIZE + b"\r\n",
        INITIALIZE + b"\n" + encode_request(2, "tools/list") + b"\n",
    ],
)
def test_the_first_request_is_answered_while_the_host_waits(text: bytes) -> None:
    (line,) = answers_to(text, left_open=True)
    assert json.loads(line) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {"code": LOCAL_ERROR, "message": SENTENCE},
    }


def test_a_last_line_needs_no_end_and_of_a_batch_each_request_is_answered() -> None:
    assert len(answers_to(INITIALIZE)) == 1
    batch = b"[%b,%b,%b]" % (INITIALIZE, encode_notification("x"), encode_request(2, "ping"))
    assert [json.loads(line)["id"] for line in answers_to(batch)] == ["a", 2]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"y\n",
        b"{\n" + INITIALIZE,
        encode_notification("notifications/initialized") + b"\n" + INITIALIZE + b"\n",
        b'{"jsonrpc":"2.0","id":1,"result":{}}\n',
    ],
)
def test_what_is_not_a_request_is_not_answered(text: bytes) -> None:
    assert answers_to(text) == []


def test_the_wait_is_bounded() -> None:
    began = time.monotonic()
    assert answers_to(INITIALIZE[:9], seconds=0.05, left_open=True) == []
    assert time.monotonic() - began < PATIENCE / 2


def test_a_line_without_end_is_given_up() -> None:
    stdin, written = os.pipe()
    read, stdout = os.pipe()
    flood = threading.Thread(target=_flood, args=(written,))
    flood.start()
    answer_waiting_host(stdin, stdout, SENTENCE, PATIENCE)
    os.close(stdin)  # the flood ends: nobody read on
    flood.join(PATIENCE)
    os.close(stdout)
    assert not flood.is_alive()
    assert os.read(read, 1) == b""
    os.close(read)


def _flood(descriptor: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        while True:
            os.write(descriptor, b"[" * 4096)


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--debug"], 2, "The server URL is missing. "),
        (["https://example.com/mcp", "--headr", "A: b"], 2, "Unknown option --headr. Did you "),
        (
            ["https://example.com/mcp", "--header-command", "false"],
            2,
            "The header command false ended ",
        ),
    ],
)
def test_a_host_shows_the_sentence(
    words: list[str], status: int, sentence: str, tmp_path: Path
) -> None:
    with Host([str(COMMAND), *words], environment_for(tmp_path)) as host:
        answer = host.request("initialize", {"protocolVersion": "2025-11-25"})
        assert answer["error"]["code"] == LOCAL_ERROR
        assert answer["error"]["message"].startswith(sentence)
        assert host.wait_exit(PATIENCE) == status
        assert answer["error"]["message"] in host.stderr


def test_at_a_terminal_nothing_is_read(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, INITIALIZE + b"\n")
        done = subprocess.run(
            [sys.executable, "-m", "mcp_remote_py", "--debug"],
            stdin=theirs,
            capture_output=True,
            env=environment_for(tmp_path),
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"mcp-remote-py: error: The server URL is missing.")
