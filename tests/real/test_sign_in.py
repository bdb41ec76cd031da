"""From nothing but a URL in a desktop's config file to the tools of servers that want OAuth.

The real command, a fake browser, and authorization servers no one here wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.harness.browser import FakeBrowser, fake_browser
from tests.peers.launch import free_port
from tests.real.configuration import entry, write
from tests.real.processes import Service
from tests.real.servers import CLIENT_DOCUMENT, document_servers, oauth_worker
from tests.real.stdio_host import StdioHost, started
from tests.thorough import some

PREFIX = "io.modelcontextprotocol/"

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Desk:
    """A person's machine with one server in the config file."""

    config: Path
    home: Path
    browser: FakeBrowser

    def add(self, name: str) -> None:
        """One session: the handshake, the tools, a call, the end."""
        with started(self.config, "workshop", self.home) as host:
            assert host.initialize()["result"]["serverInfo"]["name"] == name
            tools = host.request("tools/list")["result"]["tools"]
            assert "add" in {tool["name"] for tool in tools}
            assert host.call("add", a=2, b=40) == "42"
            assert host.close() == 0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Writes the config file for a server."""
    with ExitStack() as stack:

        def prepare(service: Service, path: str, *options: str) -> Desk:
            browser = stack.enter_context(fake_browser(tmp_path / "browser"))
            written = entry(
                f"http://localhost:{service.port}{path}",
                ["--token-store", "file", *options],
                {"BROWSER": str(browser.command)},
            )
            config = write(tmp_path, {"workshop": written})
            return Desk(config, tmp_path / "home", browser)

        yield prepare


@pytest.fixture(scope="module")
def worker(node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with oauth_worker(tmp_path_factory.mktemp("worker")) as service:
        yield service


def check_one_tab_for_two_sessions(desk: Desk, name: str) -> None:
    for _ in range(2):
        desk.add(name)
        assert len(desk.browser.opened) == 1


@pytest.mark.promise("A1", "A2", "A7", "R4")
@pytest.mark.parametrize("path", some(["/sse", "/mcp"], 2))
def test_oauth_worker(worker: Service, desk: Callable[..., Desk], path: str) -> None:
    check_one_tab_for_two_sessions(desk(worker, path), "oauth-workshop")


def ask_as_modern(host: StdioHost, method: str, **params: object) -> Any:
    """The result of a request of 2026-07-28."""
    meta = {
        PREFIX + "protocolVersion": "2026-07-28",
        PREFIX + "clientInfo": {"name": "stdio-host", "version": "2"},
        PREFIX + "clientCapabilities": {},
    }
    answer = host.request(method, {**params, "_meta": meta})
    assert "result" in answer, answer
    return answer["result"]


@pytest.mark.promise("A1", "E1", "E3")
@pytest.mark.parametrize("path", some(["/next", "/mcp", "/sse"], 3))
def test_oauth_worker_with_a_host_of_2026_07_28(
    worker: Service, desk: Callable[..., Desk], path: str
) -> None:
    found = desk(worker, path)
    for _ in range(2):
        with started(found.config, "workshop", found.home) as host:
            discovered = ask_as_modern(host, "server/discover")
            assert "2026-07-28" in discovered["supportedVersions"]
            tools = ask_as_modern(host, "tools/list")["tools"]
            assert {tool["name"] for tool in tools} == {"add", "ask", "whoami"}
            result = ask_as_modern(host, "tools/call", name="whoami", arguments={})
            assert result["content"][0]["text"] == "ada"
            assert result["resultType"] == "complete"
            assert host.close() == 0
        assert len(found.browser.opened) == 1


@pytest.mark.promise("A1", "E1", "E2")
def test_stateless_oauth_worker_of_both_eras(worker: Service, desk: Callable[..., Desk]) -> None:
    check_one_tab_for_two_sessions(desk(worker, "/next"), "oauth-workshop-next")


@pytest.mark.promise("A1", "E2")
def test_stateless_oauth_worker_as_a_modern_one(worker: Service, desk: Callable[..., Desk]) -> None:
    found = desk(worker, "/next", "--protocol", "modern")
    check_one_tab_for_two_sessions(found, "oauth-workshop-next")


@pytest.mark.promise("A2", "A7")
def test_client_described_by_a_document(
    node_packages: Path, tmp_path: Path, desk: Callable[..., Desk]
) -> None:
    folder = tmp_path / "servers"
    folder.mkdir()
    port = free_port()
    redirect_uri = f"http://localhost:{port}/oauth/callback"
    with document_servers(folder, redirect_uri) as (issuer, server):
        found = desk(server, "/mcp", str(port), "--client-metadata-url", CLIENT_DOCUMENT)
        check_one_tab_for_two_sessions(found, "openid-workshop")
        (opened,) = found.browser.opened
        assert parse_qs(urlsplit(opened).query)["client_id"] == [CLIENT_DOCUMENT]
        log = issuer.log.read_text()
        assert f"document {CLIENT_DOCUMENT}" in log
        assert "registered" not in log
        assert "granted authorization_code" in log
