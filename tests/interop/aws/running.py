"""A running gate (`gate`), as tests hold it: its address, what it judges by, what it saw."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from tests.canaries import RUN
from tests.harness.warm import start_module
from tests.interop.aws.gate import KEY, SECRET
from tests.peers.launch import known_to_peers, wait_for_port
from tests.real.processes import kill_group

GOOD_KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
"""What belongs into "env" of a host's entry for this gate."""
NEXT_KEY, NEXT_SECRET, NEXT_TOKEN = "ASIANEXTEXAMPLE", "canary-next-secret", "canary-next-token"
"""Other keys, temporary ones, for `rotate`."""
RUN.register([SECRET, NEXT_SECRET, NEXT_TOKEN])

PROBE = "/not-there"
"""What `wait_for_port` asks for."""


@dataclass(frozen=True)
class RunningGate:
    """A gate that listens."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, path: str = "/mcp") -> str:
        """The address of `path` behind it."""
        return f"http://127.0.0.1:{self.port}{path}"

    def change(self, **wanted: Any) -> None:
        """Changes what it judges by: see `Terms` and `Caller` in `judge`, and `product`.

        `answers` are prepared ones, each for the next request with HTTP method `method` whose body
        has `has`: `status`, `headers`, `body`, `times`; `after`: the server's own is lost.
        `forget` forgets those that are left.
        """
        self._ask("/-/terms", json.dumps(wanted).encode())

    def rotate(self, **more: Any) -> dict[str, str]:
        """Has only the next keys be right; returns them as environment variables."""
        self.change(callers={NEXT_KEY: {"secret": NEXT_SECRET, "token": NEXT_TOKEN, **more}})
        return {
            "AWS_ACCESS_KEY_ID": NEXT_KEY,
            "AWS_SECRET_ACCESS_KEY": NEXT_SECRET,
            "AWS_SESSION_TOKEN": NEXT_TOKEN,
        }

    def seen(self) -> list[dict[str, Any]]:
        """All requests it judged, in order: see `note` in `gate`."""
        return [one for one in json.loads(self._ask("/-/seen", None)) if one["target"] != PROBE]

    def _ask(self, path: str, body: bytes | None) -> bytes:
        with urllib.request.urlopen(self.url(path), body, timeout=10) as said:  # noqa: S310 (loopback)
            return said.read()


@contextlib.contextmanager
def running_gate(
    product: str = "function-url", *options: str, port: int = 0
) -> Generator[RunningGate]:
    """A gate of that product (`refusals.PRODUCTS`); killed at the end, as a crash would."""
    words = [product, "--port", str(port), *options]
    process = start_module("tests.interop.aws.gate", words, known_to_peers())
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, f"the gate did not start: {words}"
        wait_for_port(process, int(first))
        yield RunningGate(int(first), process)
    finally:
        kill_group(process)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
