"""The third-party authorization servers do what the sign-in tests will need of them.

Shown by the small client of the tests and the fake browser, without the command: where these
fail, a peer has changed and not the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.harness.browser import Visit
from tests.peers.oauth_client import Listener, OAuthClient, fetch, post_json
from tests.real.processes import Service
from tests.real.servers import (
    authorizing_server,
    foreign_login_server,
    oauth_worker,
    openid_servers,
)

# The first test of the folder may have to install it.
pytestmark = pytest.mark.timeout(400)

CALL = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "add", "arguments": {"a": 2, "b": 40}},
}


@pytest.fixture(scope="module")
def worker(node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with oauth_worker(tmp_path_factory.mktemp("worker")) as service:
        yield service


@pytest.fixture(scope="module")
def openid(
    node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    with openid_servers(tmp_path_factory.mktemp("openid")) as services:
        yield services


def localhost(service: Service, path: str) -> str:
    """These servers know themselves by this name only."""
    return f"http://localhost:{service.port}{path}"


def client_of(url: str, scope: str | None = None) -> tuple[OAuthClient, Visit]:
    visit = Visit()
    return OAuthClient(url, visit.open, scope=scope), visit


def call_tool(client: OAuthClient, name: str) -> None:
    """A whole session over Streamable HTTP with the client's token."""
    begun = client.initialize()
    assert begun.status == 200, begun.body
    assert begun.json["result"]["serverInfo"]["name"] == name
    session = {"Mcp-Session-Id": begun.headers["mcp-session-id"]}
    token = client.tokens["access_token"]
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert post_json(client.url, told, token, **session).status == 202
    answer = post_json(client.url, CALL, token, **session)
    assert answer.json["result"]["content"] == [{"type": "text", "text": "42"}]


def deny(client: OAuthClient) -> dict[str, str]:
    """The callback after the person said no."""
    listener = Listener()
    try:
        client.discover()
        client.register(listener.uri)
        Visit("deny").open(client.authorization_url(listener.uri))
        return listener.wait()[0]
    finally:
        listener.close()


def test_oauth_worker_signs_in_and_keeps_resources_apart(worker: Service) -> None:
    client, visit = client_of(localhost(worker, "/mcp"))
    client.sign_in()
    assert [method for method, _ in visit.hops] == ["GET", "POST", "GET"]
    assert client.resource == localhost(worker, "/mcp")
    assert client.callback["iss"] == localhost(worker, "")
    call_tool(client, "oauth-workshop")
    other = post_json(localhost(worker, "/sse"), {}, client.tokens["access_token"])
    assert other.status == 401
    assert 'error="invalid_token"' in other.headers["www-authenticate"]
    assert client.refresh().status == 200
    call_tool(client, "oauth-workshop")


def test_oauth_worker_guards_the_older_transport_too(worker: Service) -> None:
    client, _ = client_of(localhost(worker, "/sse"))
    client.sign_in()
    assert client.resource == localhost(worker, "/sse")
    assert post_json(client.url, {}, client.tokens["access_token"]).status == 404


def test_oauth_worker_takes_no_for_an_answer(worker: Service) -> None:
    client, _ = client_of(localhost(worker, "/mcp"))
    assert deny(client)["error"] == "access_denied"


def test_openid_provider_signs_in_by_two_forms(openid: tuple[Service, Service]) -> None:
    issuer, server = openid
    client, visit = client_of(localhost(server, "/mcp"), "openid workshop offline_access")
    client.sign_in(prompt="consent")
    assert [method for method, _ in visit.hops].count("POST") == 2
    assert client.callback["iss"] == client.issuer == localhost(issuer, "")
    call_tool(client, "openid-workshop")


def test_openid_provider_ends_the_sign_in_when_a_refresh_token_comes_twice(
    openid: tuple[Service, Service],
) -> None:
    _, server = openid
    client, _ = client_of(localhost(server, "/mcp"), "openid workshop offline_access")
    client.sign_in(prompt="consent")
    first = client.tokens["refresh_token"]
    assert client.refresh().status == 200
    assert client.tokens["refresh_token"] != first
    call_tool(client, "openid-workshop")
    assert client.refresh(first).json["error"] == "invalid_grant"
    assert client.refresh().json["error"] == "invalid_grant"


def test_openid_provider_takes_no_for_an_answer(openid: tuple[Service, Service]) -> None:
    _, server = openid
    client, _ = client_of(localhost(server, "/mcp"), "openid workshop")
    assert deny(client)["error"] == "access_denied"


def test_resource_server_wants_the_providers_tokens(openid: tuple[Service, Service]) -> None:
    _, server = openid
    client, _ = client_of(localhost(server, "/mcp"))
    assert client.initialize("nonsense").status == 401


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_sdk_server_that_signs_in_itself(transport: str, tmp_path: Path) -> None:
    with authorizing_server(tmp_path, transport) as service:
        path = "/sse" if transport == "sse" else "/mcp"
        url = localhost(service, path)
        origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        client, visit = client_of(url, "workshop")
        if transport == "sse":
            client.resource = url
            client.issuer = origin
            known = fetch("GET", f"{origin}/.well-known/oauth-authorization-server")
            client.metadata = known.json
        client.sign_in()
        assert len(visit.hops) == 2
        if transport == "streamable-http":
            call_tool(client, "authorizing-workshop")
        assert client.refresh().status == 200


def test_login_at_a_third_party(node_packages: Path, fastmcp_command: Path, tmp_path: Path) -> None:
    with foreign_login_server(tmp_path) as service:
        client, visit = client_of(localhost(service, "/mcp"))
        client.sign_in()
        visited = {urlsplit(page.url).port for _, page in visit.hops}
        assert len(visited) == 3, "the server, the other party, and our callback"
        call_tool(client, "foreign-login-workshop")
        assert client.refresh().status == 200
