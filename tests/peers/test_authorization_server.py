"""The scriptable authorization server and the fake browser, shown by a client of a few lines.

What they refuse matters most: a peer that takes everything proves nothing.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.harness.browser import FakeBrowser, Visit, fake_browser
from tests.harness.host import wait_until
from tests.peers.authorization_server import (
    CANARY,
    AuthorizationServer,
    Policy,
    as_form,
    lose_answer,
    with_members,
    with_string_numbers,
    without,
)
from tests.peers.oauth_client import (
    Listener,
    OAuthClient,
    challenge_parameters,
    fetch,
    post_form,
    post_json,
)
from tests.peers.wild_server import answer_html, answer_status, be_silent

Start = Callable[..., AuthorizationServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers with these policies; all are killed with the test."""
    servers: list[AuthorizationServer] = []

    def start(**policy: Any) -> AuthorizationServer:
        servers.append(AuthorizationServer(Policy(**policy)))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def browse(url: str) -> None:
    Visit().open(url)


def signed_in(server: AuthorizationServer, **options: Any) -> OAuthClient:
    client = OAuthClient(server.url, browse, **options)
    client.sign_in()
    return client


@contextmanager
def asking(server: AuthorizationServer, mode: str = "normal") -> Generator[OAuthClient]:
    """A client that is registered and has sent its person away, but took no answer yet."""
    client = OAuthClient(server.url, browse)
    client.discover()
    listener = Listener()
    try:
        client.register(listener.uri)
        Visit(mode).open(client.authorization_url(listener.uri))
        client.callback = listener.wait()[0]
        client.client["redirect_uri"] = listener.uri
        yield client
    finally:
        listener.close()


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json["error"]


# The good way


def test_sign_in_from_nothing_but_a_url(start: Start) -> None:
    server = start()
    client = signed_in(server)
    assert client.initialize().json["result"]["serverInfo"]["name"] == "wild"
    assert client.callback["iss"] == server.issuer
    assert len(server.authorizations) == len(server.registrations) == 1
    assert len(server.token_requests()) == len(server.token_requests("authorization_code")) == 1
    assert server.discoveries == [server.resource_metadata_path, *server.metadata_paths]
    given = {client.tokens["access_token"], client.tokens["refresh_token"]}
    assert given | {client.callback["code"], client.verifier} == server.secrets
    assert all(secret.startswith(CANARY) for secret in given)


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
def test_client_authentication_by_the_registered_method_only(start: Start, method: str) -> None:
    server = start()
    client = OAuthClient(server.url, browse)
    client.discover()
    listener = Listener()
    try:
        client.register(listener.uri, token_endpoint_auth_method=method)
        client.browse(client.authorization_url(listener.uri))
        client.callback = listener.wait()[0]
    finally:
        listener.close()
    right = dict(client.client)
    others = {"none", "client_secret_post", "client_secret_basic"} - {method}
    for other in others:
        client.client = right | {"token_endpoint_auth_method": other, "client_secret": "wrong"}
        assert error_of(client.redeem(listener.uri)) == (401, "invalid_client")
    client.client = right
    assert client.redeem(listener.uri).status == 200


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("usual", "/.well-known/oauth-protected-resource/mcp"),
        ("path", "/.well-known/oauth-protected-resource/mcp"),
        ("root", "/.well-known/oauth-protected-resource"),
        ("challenge", "/about/this-server.json"),
        ("none", None),
    ],
)
def test_resource_metadata_is_where_the_policy_says(
    start: Start, place: str, path: str | None
) -> None:
    server = start(resource_metadata=place)
    named = challenge_parameters(post_json(server.url, {})).get("resource_metadata")
    assert named == (f"{server.origin}{path}" if place in ("usual", "challenge") else None)
    for candidate in {
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/about/this-server.json",
    }:
        answer = fetch("GET", server.origin + candidate)
        assert answer.status == (200 if candidate == path else 404)


@pytest.mark.parametrize("metadata", ["oauth", "openid-inserted", "openid-appended", "none"])
def test_metadata_is_at_one_of_three_places_or_none(start: Start, metadata: str) -> None:
    server = start(metadata=metadata, issuer_path="/tenant")
    places = {
        "oauth": "/.well-known/oauth-authorization-server/tenant",
        "openid-inserted": "/.well-known/openid-configuration/tenant",
        "openid-appended": "/tenant/.well-known/openid-configuration",
    }
    for name, path in places.items():
        assert fetch("GET", server.origin + path).status == (200 if name == metadata else 404)
    prefix = "" if metadata == "none" else "/as"
    assert post_form(f"{server.origin}{prefix}/token", {}).status == 401
    assert fetch("GET", f"{server.origin}/elsewhere").status == 404


def test_another_origin_for_the_authorization_server(start: Start) -> None:
    server = start(issuer_host="localhost", issuer_path="/tenant")
    client = signed_in(server)
    assert client.metadata["token_endpoint"].startswith(f"http://localhost:{server.port}/as/")
    assert client.initialize().status == 200


def test_consent_form_asks_and_takes_no_for_an_answer(start: Start) -> None:
    server = start(consent=True)
    assert signed_in(server).initialize().status == 200
    with asking(server, "deny") as client:
        assert client.callback["error"] == "access_denied"


def test_sessions_and_streams_of_the_server_below_still_work() -> None:
    with AuthorizationServer(sse=True, sessions=True) as server:
        answer = signed_in(server).initialize()
        assert answer.headers["mcp-session-id"] in server.known_sessions
        assert answer.headers["content-type"] == "text/event-stream"


# What it refuses


def test_code_is_good_once_and_a_second_use_ends_the_sign_in(start: Start) -> None:
    with asking(start()) as client:
        uri = client.client["redirect_uri"]
        tokens = client.redeem(uri).json
        assert client.initialize(tokens["access_token"]).status == 200
        assert error_of(client.redeem(uri)) == (400, "invalid_grant")
        assert client.initialize(tokens["access_token"]).status == 401


def test_code_needs_its_verifier_redirect_uri_and_resource(start: Start) -> None:
    server = start()
    with asking(server) as client:
        right = client.verifier
        client.verifier = "x" * 43
        assert error_of(client.redeem(client.client["redirect_uri"])) == (400, "invalid_grant")
        client.verifier = right
    with asking(server) as client:
        assert error_of(client.redeem("http://127.0.0.1:1/other")) == (400, "invalid_grant")
    with asking(server) as client:
        client.resource = server.url + "/other"
        assert error_of(client.redeem(client.client["redirect_uri"])) == (400, "invalid_target")


def test_authorization_wants_a_known_client_its_redirect_uri_and_s256(start: Start) -> None:
    server = start()
    client = signed_in(server)
    uri = client.client["redirect_uris"][0]
    visit = Visit("close")
    plain = client.authorization_url(uri, code_challenge_method="plain")
    for url, status in [
        (client.authorization_url("http://127.0.0.1:1/other"), 400),
        (client.authorization_url(uri, client_id="nobody"), 400),
        (plain, 302),
    ]:
        assert visit.fetch("GET", url).status == status
    location = visit.fetch("GET", plain).location
    assert location is not None
    assert parse_qs(urlsplit(location).query)["error"] == ["invalid_request"]


def test_redirect_uri_of_another_port_only_where_allowed(start: Start) -> None:
    server = start()
    client = signed_in(server)
    moved = client.authorization_url("http://127.0.0.1:1/callback")
    assert fetch("GET", moved).status == 400
    server.policy.any_loopback_port = True
    assert fetch("GET", moved).status == 302


def test_forgotten_client_is_refused_everywhere(start: Start) -> None:
    server = start()
    client = signed_in(server)
    server.clients.clear()
    assert error_of(client.refresh()) == (401, "invalid_client")
    assert fetch("GET", client.authorization_url("http://127.0.0.1:1/x")).status == 400


@pytest.mark.parametrize(
    ("how", "first", "last"), [("page", 400, 400), ("json", 422, 422), ("late", 200, 400)]
)
def test_forgotten_client_hears_nothing_at_its_redirect_uri(
    start: Start, how: str, first: int, last: int
) -> None:
    server = start(unknown_client=how)
    client = signed_in(server)
    uri = client.client["redirect_uris"][0]
    server.clients.clear()
    visit = Visit()
    assert visit.open(client.authorization_url(uri)).status == last
    assert visit.hops[0][1].status == first
    assert all(page.location is None for _, page in visit.hops)


def test_registration_refused(start: Start) -> None:
    server = start(registration=False)
    answer = post_json(server.endpoint_of("register"), {"redirect_uris": ["http://localhost/"]})
    assert error_of(answer) == (403, "access_denied")
    client = OAuthClient(server.url, browse)
    client.discover()
    assert "registration_endpoint" not in client.metadata


def test_token_is_refused_without_words_where_it_is_missing_and_by_name_otherwise(
    start: Start,
) -> None:
    server = start()
    client = signed_in(server)
    assert "error" not in challenge_parameters(post_json(server.url, {}))
    refused = client.initialize("canary-unknown")
    assert (refused.status, challenge_parameters(refused)["error"]) == (401, "invalid_token")
    server.policy.resource = f"{server.url}/another"
    refused = client.initialize()
    assert "resource" in challenge_parameters(refused)["error_description"]
    server.policy.resource = None
    assert client.initialize().status == 200
    server.policy.refuse_all_tokens = True
    assert client.initialize().status == 401


def test_bad_token_may_be_a_bad_request(start: Start) -> None:
    server = start(refusal_status=400)
    client = signed_in(server)
    assert client.initialize().status == 200
    server.revoke_access_tokens()
    refused = client.initialize()
    assert (refused.status, challenge_parameters(refused)["error"]) == (400, "invalid_token")
    assert post_json(server.url, {}).status == 401


def test_token_that_says_whom_it_is_for(start: Start) -> None:
    server = start(token_format="jwt")
    client = signed_in(server)
    assert client.initialize().status == 200
    claims = claims_of(client.tokens["access_token"])
    assert (claims["iss"], claims["aud"]) == (server.issuer, server.url)
    assert claims["scope"] == client.scope
    assert client.tokens["access_token"] in server.secrets
    server.policy.audience = "https://other.example/mcp"
    assert client.refresh().status == 200
    assert claims_of(client.tokens["access_token"])["aud"] == "https://other.example/mcp"
    refused = client.initialize()
    assert refused.status == 401
    assert "resource" in challenge_parameters(refused)["error_description"]


def claims_of(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_expired_token_is_refused_and_refreshed(start: Start) -> None:
    server = start(lifetime=0.2)
    client = signed_in(server)
    wait_until(lambda: client.initialize().status == 401, "the end of the token")
    server.policy.lifetime = 3600
    assert client.refresh().status == 200
    assert client.initialize().status == 200
    server.revoke_access_tokens()
    assert client.initialize().status == 401
    assert client.refresh().status == 200
    server.end_sign_ins()
    assert error_of(client.refresh()) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("rotation", "same", "old", "new"),
    [("none", True, 200, 200), ("loose", False, 400, 200), ("strict", False, 400, 400)],
)
def test_refresh_tokens_rotate_as_the_policy_says(
    start: Start, rotation: str, same: bool, old: int, new: int
) -> None:
    client = signed_in(start(rotation=rotation))
    first = client.tokens["refresh_token"]
    assert client.refresh().status == 200
    second = client.tokens["refresh_token"]
    assert (first == second) is same
    assert client.refresh(first).status == old
    assert client.refresh(second).status == new


def test_refresh_wants_the_resource_or_refuses_it(start: Start) -> None:
    server = start()
    client = signed_in(server)
    client.resource = ""
    assert error_of(client.refresh()) == (400, "invalid_target")
    server.policy.resource_at_refresh = False
    assert client.refresh().status == 200
    client.resource = server.url
    assert error_of(client.refresh()) == (400, "invalid_target")


def test_tool_that_takes_more_scope(start: Start) -> None:
    server = start(tool_scopes={"lookup": "desk desk:write"})
    client = signed_in(server)
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "lookup"}}
    refused = post_json(server.url, call, client.tokens["access_token"])
    parameters = challenge_parameters(refused)
    assert (refused.status, parameters["error"]) == (403, "insufficient_scope")
    client.scope = parameters["scope"]
    client.client = {}
    client.sign_in()
    assert post_json(server.url, call, client.tokens["access_token"]).status == 200


def test_scope_nobody_is_granted(start: Start) -> None:
    client = signed_in(start(grantable=frozenset({"desk"})), scope="desk desk:write")
    assert client.tokens["scope"] == "desk"


def test_revocation_ends_the_sign_in(start: Start) -> None:
    client = signed_in(start())
    form = {"token": client.tokens["refresh_token"], "client_id": client.client["client_id"]}
    assert post_form(client.metadata["revocation_endpoint"], form).status == 200
    assert client.initialize().status == 401
    assert error_of(client.refresh()) == (400, "invalid_grant")
    assert post_form(client.metadata["revocation_endpoint"], form | {"token": "x"}).status == 200


# What it does otherwise


def test_answers_of_the_token_endpoint(start: Start) -> None:
    server = start(token_answer=with_string_numbers)
    assert signed_in(server).tokens["expires_in"] == "3600"
    server.policy.token_answer = without("expires_in", "token_type")
    assert signed_in(server).tokens.keys() == {"access_token", "scope", "refresh_token"}
    server.policy.token_answer = as_form
    with asking(server) as client:
        answer = client.redeem(client.client["redirect_uri"])
        assert "urlencoded" in answer.headers["content-type"]
        assert dict(parse_qsl(answer.body.decode()))["expires_in"] == "3600"
    server.policy.token_answer = with_members(expires_in=0)
    assert signed_in(server).tokens["expires_in"] == 0


def test_answer_may_be_lost_after_the_deed(start: Start) -> None:
    server = start()
    client = signed_in(server)
    server.script("token", lose_answer)
    with pytest.raises((OSError, http.client.HTTPException)):
        client.refresh()
    assert len(server.refresh_tokens) == 2, "a new one was issued"
    assert error_of(client.refresh()) == (400, "invalid_grant")
    assert client.initialize().status == 401, "presenting the old one was reuse"


def test_endpoints_can_be_scripted_by_name(start: Start) -> None:
    server = start()
    server.script("token", answer_status(500), answer_html(), be_silent)
    with asking(server) as client:
        uri = client.client["redirect_uri"]
        assert client.redeem(uri).status == 500
        assert client.redeem(uri).body.startswith(b"<!DOCTYPE")
        failed = threading.Event()
        hanging = threading.Thread(target=_fail_to_redeem, args=(client, failed))
        hanging.start()
        server.wait_for("token", 3)
        assert not failed.is_set()
        server.kill()
        hanging.join(10)
        assert failed.is_set()


def _fail_to_redeem(client: OAuthClient, failed: threading.Event) -> None:
    try:
        client.redeem(client.client["redirect_uri"])
    except (OSError, http.client.HTTPException):
        failed.set()


@pytest.mark.parametrize(
    ("iss", "expected"), [("wrong", "https://attacker.example"), ("missing", None)]
)
def test_iss_of_the_callback(start: Start, iss: str, expected: str | None) -> None:
    with asking(start(iss=iss)) as client:
        assert client.callback.get("iss") == expected
        assert client.metadata["authorization_response_iss_parameter_supported"] is True


def test_state_may_be_forgotten(start: Start) -> None:
    with asking(start(echo_state=False)) as client:
        assert "state" not in client.callback


def test_metadata_can_say_anything(start: Start) -> None:
    server = start(metadata_changes={"authorization_endpoint": "javascript:x", "issuer": None})
    metadata = fetch("GET", server.origin + server.metadata_paths[0]).json
    assert metadata["authorization_endpoint"] == "javascript:x"
    assert "issuer" not in metadata


def test_some_methods_may_be_public(start: Start) -> None:
    server = start(public_methods=frozenset({"initialize"}))
    client = OAuthClient(server.url, browse)
    assert client.initialize("nothing").status == 200
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert post_json(server.url, listing).status == 401


# The browser


def open_in(browser: FakeBrowser, url: str) -> float:
    """Opens it as the command would; the seconds until the opener was back."""
    begun = time.monotonic()
    done = subprocess.run(
        [str(browser.command), url], stdin=subprocess.DEVNULL, capture_output=True, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return time.monotonic() - begun


def test_browser_signs_in_and_writes_down_what_it_opened(start: Start, tmp_path: Path) -> None:
    server = start(consent=True)
    with fake_browser(tmp_path / "browser") as browser:
        client = OAuthClient(server.url, lambda url: open_in(browser, url))
        client.sign_in()
        assert client.initialize().status == 200
        assert [urlsplit(url).path for url in browser.opened] == ["/as/authorize"]
        wait_until(lambda: bool(browser.ends), "the end of the visit")
        assert browser.ends[0].startswith("200 http://127.0.0.1:")
    for file in (tmp_path / "browser").iterdir():
        assert not file.stat().st_mode & 0o077, f"others may read {file}"


@pytest.mark.parametrize(
    ("mode", "consent", "callbacks"),
    [("deny", True, 1), ("close", True, 0), ("twice", False, 2), ("slow", False, 1)],
)
def test_browser_has_moods(
    start: Start, tmp_path: Path, mode: str, consent: bool, callbacks: int
) -> None:
    server = start(consent=consent)
    client = OAuthClient(server.url, browse)
    client.discover()
    listener = Listener()
    try:
        client.register(listener.uri)
        with fake_browser(tmp_path / "browser", mode, 0.3) as browser:
            open_in(browser, client.authorization_url(listener.uri))
            wait_until(lambda: bool(browser.ends), "the end of the visit")
            assert len(browser.opened) == 1
        assert len(listener.wait(callbacks)) == callbacks
        assert len(server.received("authorize")) == 1
    finally:
        listener.close()
    if mode == "deny":
        assert listener.callbacks[0]["error"] == "access_denied"


def test_browser_that_only_records_asks_nobody(start: Start, tmp_path: Path) -> None:
    server = start()
    with fake_browser(tmp_path / "browser", "record") as browser:
        open_in(browser, f"{server.origin}/a?b=c")
        assert browser.opened == [f"{server.origin}/a?b=c"]
        browser.become("close")
        open_in(browser, f"{server.origin}/d")
        wait_until(lambda: bool(browser.ends), "the end of the visit")
    assert [one.path for one in server.requests] == ["/d"]


def test_browser_returns_at_once_and_leaves_loopback_for_nobody(
    start: Start, tmp_path: Path
) -> None:
    server = start()
    server.always("GET", be_silent)
    with fake_browser(tmp_path / "browser") as browser:
        assert open_in(browser, f"{server.origin}/hangs") < 5
        server.wait_for("GET")
        assert not browser.ends
        open_in(browser, "http://192.0.2.1/")
        wait_until(lambda: bool(browser.ends), "the end of the visit")
        assert browser.ends == ["LookupError: not on loopback: http://192.0.2.1/"]
