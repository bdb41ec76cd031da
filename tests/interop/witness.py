"""A local MCP server that writes down how its host treats it: `witness.py RECORD stubborn|silent`.

RECORD gets one line of JSON for each thing: first the surroundings, then `at` (seconds since the
start) and `what`: a method that was asked, `stdin closed`, the name of a signal. The file with the
ending `.alive` has the last moment: who is killed cannot say so. Both ignore every polite request
to end; `silent` does not answer anything either. It ends by itself after two minutes.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

LONGEST = 120.0
"""Seconds."""
TOOL = {"name": "echo", "inputSchema": {"type": "object"}}


def kind_of(descriptor: int) -> str:
    """What stands behind a stream."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISCHR(mode):
        return "the null device" if os.fstat(descriptor).st_rdev == os.makedev(1, 3) else "terminal"
    return "a file" if stat.S_ISREG(mode) else "a pipe"


def surroundings() -> dict[str, Any]:
    """What a process is given by who starts it."""
    return {
        "environment": sorted(set(os.environ) - {"LC_CTYPE"}),  # Python sets that one itself
        "folder": os.getcwd(),
        "stderr": kind_of(2),
        "group": os.getpgid(0) == os.getpid(),
    }


class Witness:
    """The record and the answers."""

    def __init__(self, record: Path, answers: bool) -> None:
        self._record = record.open("a", buffering=1)
        self._alive = record.with_suffix(".alive")
        self._start = time.monotonic()
        self._answers = answers
        self._record.write(json.dumps(surroundings()) + "\n")

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._start, 2)

    def note(self, what: str) -> None:
        """One line."""
        self._record.write(json.dumps({"at": self.now, "what": what}) + "\n")

    def answer(self, message: dict[str, Any]) -> None:
        """What a server of 2025-11-25 says."""
        self.note(message.get("method", "an answer"))
        if not self._answers or "id" not in message or "method" not in message:
            return
        results: dict[str, Any] = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "witness", "version": "1"},
            },
            "tools/list": {"tools": [TOOL]},
            "tools/call": {"content": [{"type": "text", "text": "seen"}]},
            "ping": {},
        }
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] in results:
            body["result"] = results[message["method"]]
        else:
            body["error"] = {"code": -32601, "message": "Method not found"}
        sys.stdout.write(json.dumps(body) + "\n")
        sys.stdout.flush()

    def read(self) -> None:
        """Until stdin is closed."""
        for line in sys.stdin:
            self.answer(json.loads(line))
        self.note("stdin closed")

    def live(self) -> None:
        """Until it is killed."""
        while self.now < LONGEST:
            new = self._alive.with_suffix(".new")
            new.write_text(str(self.now))
            new.replace(self._alive)
            time.sleep(0.02)


def main(record: Path, mode: str) -> None:
    """As the module's docstring says."""
    witness = Witness(record, mode == "stubborn")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda given, _: witness.note(signal.Signals(given).name))
    threading.Thread(target=witness.read, daemon=True).start()
    witness.live()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
