"""The connection that the command begins before it has loaded what relays, seen from the server."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from mcp_remote_py.commands.proxy import begin_connection
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.network import Network
from mcp_remote_py.url import parse_url
from tests.commands.test_relaying import COMMAND, INITIALIZE, PATIENCE, start, write

ANSWER = b'{"jsonrpc":"2.0","id":0,"result":{}}'


@pytest.mark.timeout(60)
def test_it_is_there_before_the_host_has_spoken_and_takes_its_first_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        server.settimeout(PATIENCE)
        process = start(stack, tmp_path, *COMMAND, f"http://127.0.0.1:{port_of(server)}/mcp")
        begun, _ = server.accept()
        with closing(begun):
            begun.settimeout(PATIENCE)
            assert process.stdin is not None
            assert process.stdout is not None
            write(process, INITIALIZE)
            assert begun.recv(4) == b"POST"
            begun.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            begun.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
            assert json.loads(process.stdout.readline()) == json.loads(ANSWER)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.promise("S4")
@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "ftp://proxy.example"])
def test_nothing_is_connected_to_where_a_proxy_stands_between(proxy: str) -> None:
    network = Network(proxies=(("https_proxy", Secret(proxy)),))
    assert begin_connection(ProxySettings(parse_url("https://a.example"), network=network)) is None


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port
