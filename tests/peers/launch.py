"""Starts peers that are processes, knows when they are ready, and leaves none behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from tests.harness.warm import start_module
from tests.real.installation import NODE_MODULES, find_node, install_node_packages
from tests.real.processes import kill_group

EVERYTHING = NODE_MODULES / "@modelcontextprotocol/server-everything/dist/index.js"
READY_SECONDS = 30.0
"""A cold start of node or of the SDK on a busy machine."""


@dataclass(frozen=True)
class Peer:
    """A running server and where it is."""

    process: subprocess.Popen[bytes]
    port: int
    url: str


@contextlib.contextmanager
def sdk_server(*options: str, port: int = 0) -> Generator[Peer]:
    """`sdk_server.py` with these options; the first is the transport."""
    words = [*options, "--port", str(port)]
    process = start_module("tests.peers.sdk_server", words, known_to_peers())
    with _ending(process):
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, f"the SDK server did not start: {words}"
        found = int(first)
        path = "/sse" if options[0] == "sse" else "/mcp"
        wait_for_port(process, found)
        yield Peer(process, found, f"http://127.0.0.1:{found}{path}")


@contextlib.contextmanager
def everything_server(transport: str) -> Generator[Peer]:
    """The official reference server; `transport` is `sse` or `streamableHttp`."""
    install_node_packages()
    port = free_port()
    command = [find_node(), str(EVERYTHING), transport]
    with _running(command, {"PORT": str(port)}) as process:
        wait_for_port(process, port)
        path = "/sse" if transport == "sse" else "/mcp"
        yield Peer(process, port, f"http://127.0.0.1:{port}{path}")


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str]
) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=known_to_peers() | dict(environment),
        start_new_session=True,
    )
    with _ending(process):
        yield process


def known_to_peers() -> dict[str, str]:
    """What of the environment is for them."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@contextlib.contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Generator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        kill_group(process)  # `node` may be a script that starts the real one
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def free_port() -> int:
    """A port that is free now, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits until an HTTP server answers there.

    Raises:
        AssertionError: it does not, or the process has ended.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/not-there")
            connection.getresponse().read()
        except OSError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, f"no server at port {port}"
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
