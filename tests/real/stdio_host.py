"""The smallest desktop host: starts one entry of a config file and talks MCP over its pipes.

Any line on the command's stdout that is not a JSON-RPC message, and any answer that nobody waits
for, fails the test. Must not know which servers there are.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

from tests.real.configuration import desktop_environment

Message = dict[str, Any]

PATIENCE = 40.0
"""Seconds for any one answer; a browser may have to start before it comes."""
END_PATIENCE = 3.0
"""Seconds from the end of stdin to the end of the command: two are promised (promise R7)."""


class StdioHost:
    """A started entry. `silence` and `request` are all a test needs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.messages: queue.Queue[Message | None] = queue.Queue()
        self.last_id = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Hands on what the command says, None at the end.

        A line that is not JSON is a message too, of a kind nobody waits for.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                message = cast("Message", json.loads(line))
            except ValueError:
                message = {"not JSON": line}
            self.messages.put(message)
        self.messages.put(None)

    def send(self, message: Message) -> None:
        """Writes one message."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def request(self, method: str, params: Message | None = None) -> Message:
        """Asks; returns the whole answer. Notifications before it are passed over, nothing else."""
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params or {}})
        while True:
            try:
                message = self.messages.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no answer to {method} within {PATIENCE} s") from None
            assert message is not None, f"the command ended before it answered {method}"
            assert message.get("jsonrpc") == "2.0", message
            if "id" in message:
                assert message["id"] == self.last_id, message
                return message

    def initialize(self) -> Message:
        """The handshake; returns the answer to `initialize`, result or error."""
        answer = self.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "stdio-host", "version": "1"},
            },
        )
        if "result" in answer:
            self.send({"method": "notifications/initialized"})
        return answer

    def call(self, tool: str, **arguments: object) -> str:
        """Calls a tool; returns the text of its result."""
        answer = self.request("tools/call", {"name": tool, "arguments": arguments})
        assert "result" in answer, answer
        return cast("str", answer["result"]["content"][0]["text"])

    def close(self) -> int:
        """Ends stdin as a host does; returns the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(END_PATIENCE)


@contextlib.contextmanager
def started(config: Path, name: str, home: Path) -> Generator[StdioHost]:
    """The entry `name` of the file, as a desktop would start it. Its stderr is `home`/stderr."""
    server = json.loads(config.read_text())["mcpServers"][name]
    environment = {**desktop_environment(home), **server.get("env", {})}
    with (home / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [server["command"], *server["args"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            text=True,
        )
    host = StdioHost(process)
    try:
        yield host
    except BaseException as error:
        error.add_note("stderr of the command:\n" + (home / "stderr").read_text()[-4000:])
        raise
    finally:
        process.kill()
        process.wait(END_PATIENCE)
        host.reader.join(END_PATIENCE)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
