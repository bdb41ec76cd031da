"""From nothing but a URL: the real command, a fake browser, a strict authorization server.

What counts is seen from outside: tabs, requests by kind, answers to the host, files on disk. Must
not know how the command is made.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from mcp_remote_py.oauth.registration_readings import MAX_REGISTRATIONS
from tests.harness.browser import Visit
from tests.harness.host import initialize_params, wait_until
from tests.harness.stage import (
    CALL,
    PATIENCE,
    SEARCH,
    Stage,
    call,
    let_token_expire,
    redirect_uri_of,
    refusal,
)
from tests.peers.authorization_server import (
    CANARY,
    as_form,
    with_string_numbers,
    without,
)
from tests.peers.launch import free_port
from tests.peers.wild_server import Behaviour, answer_html, answer_status, be_silent

pytestmark = pytest.mark.timeout(120)


def knock(
    uri: str, query: Mapping[str, str], host: str | None = None
) -> tuple[int, dict[str, str], str]:
    """Status, header fields and text that a stranger gets from the redirect URI."""
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        headers = {"Host": host or parts.netloc}
        connection.request("GET", f"{parts.path}?{urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, fields, answer.read().decode()
    finally:
        connection.close()


# The good way


@pytest.mark.promise("A1", "A2", "R1")
def test_nothing_but_a_url(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.sign_in()
    tools = host.request("tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["echo", "lookup", "repeat"]
    assert call(host)["params"] == CALL
    counts = stage.counts
    assert counts.pop("discoveries") <= 4
    assert counts == {"tabs": 1, "registrations": 1, "codes": 1, "refreshes": 0}
    host.wait_logged(stage.browser.opened[0])  # the URL is printed in full
    asked = parse_qs(urlsplit(stage.browser.opened[0]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["resource"] == [stage.server.url]
    assert asked["scope"] == ["desk offline_access"]  # the second is advertised
    (redeemed,) = stage.server.token_requests()
    assert redeemed["resource"] == stage.server.url
    assert redeemed["redirect_uri"] == asked["redirect_uri"][0]


@pytest.mark.promise("A1")
@pytest.mark.parametrize("resource_metadata", ["usual", "path", "root", "challenge"])
@pytest.mark.parametrize("metadata", ["oauth", "openid-inserted", "openid-appended"])
def test_metadata_is_found_wherever_it_is(
    play: Callable[..., Stage], resource_metadata: str, metadata: str
) -> None:
    stage = play(
        resource_metadata=resource_metadata,
        metadata=metadata,
        issuer_path="/tenant",
        issuer_host="localhost",
    )
    assert call(stage.sign_in())["params"] == CALL


@pytest.mark.promise("A1")
@pytest.mark.parametrize("metadata", ["oauth", "none"])
def test_server_of_2025_03_26_without_resource_metadata(
    play: Callable[..., Stage], metadata: str
) -> None:
    stage = play(
        resource_metadata="none", metadata=metadata, bind_resource=False, challenge_scope=""
    )
    assert call(stage.sign_in())["params"] == CALL


@pytest.mark.report("O5")
def test_a_guessed_address_that_hangs_or_fails_is_not_the_end(play: Callable[..., Stage]) -> None:
    stage = play(resource_metadata="path", bind_resource=False, challenge_scope="")
    stage.server.always("resource_metadata", be_silent)
    stage.server.script("metadata", answer_status(502))
    host = stage.sign_in("--headers-timeout", "0.3")
    assert call(host)["params"] == CALL
    host.wait_logged("Going on without that: Sign-in discovery failed for now (no answer from ")


@pytest.mark.report("O13")
def test_endpoints_that_the_person_knows_are_all_it_takes(play: Callable[..., Stage]) -> None:
    stage = play(
        resource_metadata="none",
        metadata="none",
        registration=False,
        any_loopback_port=True,
        bind_resource=False,
    )
    client = stage.server.add_client("http://localhost/oauth/callback")
    host = stage.sign_in(
        *("--authorization-endpoint", stage.server.endpoint_of("authorize")),
        *("--token-endpoint", stage.server.endpoint_of("token")),
        *("--static-oauth-client-info", json.dumps({"client_id": client.client_id})),
    )
    assert call(host)["params"] == CALL
    assert stage.counts["discoveries"] == 0
    stage.server.revoke_access_tokens()
    assert call(host)["params"] == CALL
    assert (stage.counts["tabs"], stage.counts["refreshes"]) == (1, 1)


@pytest.mark.promise("A1")
def test_resource_is_sent_as_published_byte_for_byte(play: Callable[..., Stage]) -> None:
    stage = play(resource_metadata="root")
    published = stage.server.policy.resource = stage.server.origin  # no slash behind it
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    assert stage.server.authorizations[-1]["resource"] == published
    assert stage.server.token_requests()[-1]["resource"] == published


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    "methods", [("none",), ("client_secret_post",), ("client_secret_basic",)], ids=str
)
def test_client_authentication_the_server_offers(
    play: Callable[..., Stage], methods: tuple[str, ...]
) -> None:
    stage = play(auth_methods=methods)
    assert call(stage.sign_in())["params"] == CALL
    assert [one.auth_method for one in stage.server.clients.values()] == list(methods)


@pytest.mark.promise("A2")
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_client_registered_by_hand(play: Callable[..., Stage], method: str) -> None:
    stage = play(registration=False)
    port = free_port()
    uri = f"http://localhost:{port}/oauth/callback"
    client = stage.server.add_client(uri, auth_method=method)
    info = {"client_id": client.client_id, "redirect_uris": [uri]}
    if client.secret:
        info |= {"client_secret": client.secret, "token_endpoint_auth_method": method}
        info["issuer"] = stage.server.issuer
    host = stage.sign_in(str(port), "--static-oauth-client-info", json.dumps(info))
    assert call(host)["params"] == CALL
    assert stage.counts["registrations"] == 0
    assert stage.server.authorizations[-1]["client_id"] == client.client_id


@pytest.mark.promise("A2")
def test_forgotten_client_is_registered_once_more(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.end(stage.sign_in())
    stage.server.clients.clear()
    stage.server.end_sign_ins()
    host = stage.host()
    host.initialize()
    assert call(host)["params"] == CALL
    counts = stage.counts
    assert (counts["registrations"], counts["tabs"], counts["codes"]) == (2, 2, 2)


@pytest.mark.promise("A1")
def test_consent_page_in_the_way(play: Callable[..., Stage]) -> None:
    stage = play(consent=True)
    assert call(stage.sign_in())["params"] == CALL


@pytest.mark.promise("A1")
def test_extra_parameters_and_scopes_of_the_command_line(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.sign_in("--scope", "desk extra", "--authorize-param", "login_hint=ada@example.com")
    asked = stage.server.authorizations[-1]
    assert set(asked["scope"].split()) >= {"desk", "extra"}
    assert asked["login_hint"] == "ada@example.com"


@pytest.mark.promise("A1")
@pytest.mark.parametrize(
    "answer",
    [with_string_numbers, without("expires_in"), without("token_type"), as_form],
    ids=["string numbers", "no expires_in", "no token_type", "form"],
)
def test_token_answers_as_they_are(play: Callable[..., Stage], answer: Any) -> None:
    stage = play(token_answer=answer)
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    assert stage.counts["refreshes"] == 0


# Again


@pytest.mark.promise("A7")
@pytest.mark.parametrize("token_store", ["file", ""])
def test_restart_needs_nothing(play: Callable[..., Stage], token_store: str) -> None:
    stage = play()
    stage.end(stage.sign_in(token_store=token_store))
    before = stage.counts
    for _ in range(3):
        host = stage.host(token_store=token_store)
        host.initialize()
        assert call(host)["params"] == CALL
        stage.end(host)
    assert stage.counts == before


@pytest.mark.promise("A7")
def test_memory_store_leaves_nothing(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.end(stage.sign_in(token_store="memory"))
    stage.host(token_store="memory").initialize()
    assert stage.counts["tabs"] == 2


@pytest.mark.promise("A7", "A1")
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_expired_token_is_refreshed_in_silence(play: Callable[..., Stage], restart: bool) -> None:
    stage = play(lifetime=2)
    host = stage.sign_in()
    discoveries = stage.counts["discoveries"]
    if restart:
        stage.end(host)
    let_token_expire(stage)
    if restart:
        host = stage.host()
        host.initialize()
    assert call(host)["params"] == CALL
    counts = stage.counts
    assert counts.pop("discoveries") == discoveries
    assert counts == {"tabs": 1, "registrations": 1, "codes": 1, "refreshes": 1}
    (refreshed,) = stage.server.token_requests("refresh_token")
    assert refreshed["resource"] == stage.server.url
    assert call(host)["params"] == CALL
    assert stage.counts["refreshes"] == 1


@pytest.mark.promise("A7")
def test_refresh_without_resource_where_the_server_takes_none(play: Callable[..., Stage]) -> None:
    stage = play(lifetime=2, resource_at_refresh=False)
    host = stage.sign_in()
    let_token_expire(stage)
    assert call(host)["params"] == CALL
    first, second = stage.server.token_requests("refresh_token")
    assert "resource" in first
    assert "resource" not in second
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A7", "R1")
def test_many_401_in_the_middle_cost_one_refresh(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    stage.server.revoke_access_tokens()
    asked = [host.begin("tools/call", CALL) for _ in range(5)]
    for request_id in asked:
        assert "result" in host.answer(request_id)
    counts = stage.counts
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (1, 1, 1)


@pytest.mark.promise("A7", "R1")
def test_dead_sign_in_asks_the_person_once(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.sign_in()
    stage.server.end_sign_ins()
    asked = [host.begin("tools/call", CALL) for _ in range(3)]
    for request_id in asked:
        assert "result" in host.answer(request_id)
    counts = stage.counts
    assert (counts["tabs"], counts["codes"]) == (2, 2)
    assert counts["refreshes"] <= 1


@pytest.mark.promise("A1", "R1")
def test_more_scope_is_asked_for_once_and_added(play: Callable[..., Stage]) -> None:
    stage = play(tool_scopes={"lookup": "desk:write"})
    host = stage.sign_in()
    assert call(host, SEARCH)["params"] == SEARCH
    asked = set(stage.server.authorizations[-1]["scope"].split())
    assert asked == {"desk", "desk:write", "offline_access"}  # the last is advertised
    assert stage.counts["tabs"] == 2
    assert stage.counts["refreshes"] == 0
    assert call(host)["params"] == CALL


@pytest.mark.promise("A1", "R1")
def test_login_in_the_middle_of_public_tools(play: Callable[..., Stage]) -> None:
    stage = play(
        public_methods=frozenset({"initialize", "notifications/initialized", "tools/list"})
    )
    host = stage.host()
    host.initialize()
    assert host.request("tools/list")["result"]["tools"]
    assert not stage.browser.opened
    assert call(host)["params"] == CALL
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("D12")
def test_static_header_never_starts_a_sign_in(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.host("--header", f"Authorization: Bearer {CANARY}-static", token_store="")
    text = refusal(host, "401", "header")
    assert CANARY not in text + host.stderr
    assert set(stage.counts.values()) == {0}


# Refusals


def fixed(body: bytes, status: int = 200) -> Behaviour:
    return answer_status(status, body, content_type="application/json")


HOSTILE = {
    "script": "javascript:alert(1)",
    "file": "file:///etc/passwd",
    "data": "data:text/html,hello",
    "plain http elsewhere": "http://192.0.2.1/authorize",
    "shell": "http://127.0.0.1:1/$(touch pwned)`touch pwned`;'\"|touch pwned",
    "line break": "http://127.0.0.1:1/a\r\nX-Forged: 1",
    "option": "--no-sandbox",
    "user info": "http://user:password@127.0.0.1:1/authorize",
}


@pytest.mark.promise("S1", "R1")
@pytest.mark.parametrize("endpoint", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_authorization_endpoint_is_never_opened(
    play: Callable[..., Stage], endpoint: str
) -> None:
    stage = play(metadata_changes={"authorization_endpoint": endpoint})
    refusal(stage.host(), "authorization_endpoint|authorization endpoint")
    assert not stage.browser.opened
    assert not list(stage.home.rglob("pwned"))


@pytest.mark.promise("S1", "S2", "R1")
@pytest.mark.parametrize(
    "endpoint", [HOSTILE["script"], HOSTILE["plain http elsewhere"], HOSTILE["line break"]]
)
def test_hostile_token_endpoint_gets_nothing(play: Callable[..., Stage], endpoint: str) -> None:
    stage = play(metadata_changes={"token_endpoint": endpoint})
    refusal(stage.host(), "token_endpoint|token endpoint")
    assert stage.counts["codes"] == 0


REGISTRATION = "registration|register"
NOT_BY_HAND = "--static-oauth-client-info"


@pytest.mark.promise("A2", "R1")
def test_no_registration_and_no_client(play: Callable[..., Stage]) -> None:
    stage = play(registration=False)
    refusal(stage.host(), REGISTRATION, NOT_BY_HAND)
    assert not stage.browser.opened


@pytest.mark.promise("A2", "R1")
@pytest.mark.parametrize(("status", "step"), [(403, NOT_BY_HAND), (500, "later")])
def test_registration_is_refused(play: Callable[..., Stage], status: int, step: str) -> None:
    stage = play()
    stage.server.always("register", fixed(b'{"error":"access_denied"}', status))
    refusal(stage.host(), REGISTRATION, str(status), step)
    assert not stage.browser.opened
    assert stage.counts["registrations"] <= MAX_REGISTRATIONS


METADATA: dict[str, tuple[Behaviour, str]] = {
    "404": (answer_status(404), "404"),
    "500": (answer_status(500), "500"),
    "a page": (answer_html(), "metadata"),
    "1 MB": (fixed(b'{"issuer":"' + b"x" * 2**20 + b'"}'), "more than 262144 bytes"),
    "an array": (fixed(b"[]"), "metadata"),
    "silence": (be_silent, "no answer from"),
}


def patient(kind: str) -> tuple[str, ...]:
    """Options: how long silence is borne is a setting, and here it is short."""
    return ("--headers-timeout", "1") if kind == "silence" else ()


@pytest.mark.promise("A1", "R1")
@pytest.mark.parametrize("kind", METADATA)
def test_what_is_not_metadata(play: Callable[..., Stage], kind: str) -> None:
    stage = play()
    behaviour, phrase = METADATA[kind]
    stage.server.always("metadata", behaviour)
    refusal(stage.host(*patient(kind)), phrase)
    assert not stage.browser.opened
    assert stage.counts["registrations"] == 0


@pytest.mark.promise("A1")
@pytest.mark.parametrize("kind", METADATA)
def test_what_is_not_resource_metadata(play: Callable[..., Stage], kind: str) -> None:
    """Either the server's root is taken for the issuer, as 2025-03-26 has it, or it is said."""
    stage = play(bind_resource=False)
    stage.server.always("resource_metadata", METADATA[kind][0])
    host = stage.host()  # silence, too, has an end that nobody has set
    answer = host.request("initialize", initialize_params())
    if "error" in answer:
        assert METADATA[kind][1] in answer["error"]["message"]
        assert not stage.browser.opened
    else:
        assert len(stage.browser.opened) == 1


@pytest.mark.promise("A1", "R1")
def test_issuer_of_the_metadata_is_another(play: Callable[..., Stage]) -> None:
    stage = play(metadata_changes={"issuer": "https://attacker.example"})
    refusal(stage.host(), "issuer", "attacker.example", "--trusted-issuer")
    assert not stage.browser.opened


@pytest.mark.promise("A1", "R1")
def test_resource_of_the_metadata_is_another(play: Callable[..., Stage]) -> None:
    stage = play(resource_metadata_changes={"resource": "https://other.example/mcp"})
    refusal(stage.host(), "resource", "other.example")
    assert not stage.browser.opened


@pytest.mark.promise("A1", "R1")
@pytest.mark.parametrize("methods", [None, [], ["plain"]], ids=str)
def test_no_s256(play: Callable[..., Stage], methods: list[str] | None) -> None:
    stage = play(metadata_changes={"code_challenge_methods_supported": methods})
    refusal(stage.host(), "PKCE", "S256")
    assert not stage.browser.opened


@pytest.mark.promise("R1")
def test_person_says_no(play: Callable[..., Stage]) -> None:
    stage = play("deny", consent=True)
    host = stage.host()
    refusal(host, "denied|declined|refused|said no", "login")
    assert "error" in host.request("tools/list")
    assert stage.counts["tabs"] == 1
    assert stage.counts["codes"] == 0


@pytest.mark.promise("R1")
def test_person_closes_the_tab(play: Callable[..., Stage]) -> None:
    stage = play("close", consent=True)
    host = stage.host("--auth-timeout", "2")
    refusal(host, "2 s|2 seconds|in time", "login|--auth-timeout")
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A1", "R1")
@pytest.mark.parametrize("iss", ["wrong", "missing"])
def test_iss_of_the_callback_is_wrong(play: Callable[..., Stage], iss: str) -> None:
    stage = play(iss=iss)
    refusal(stage.host(), "iss", "--trusted-issuer|tampered with")
    assert stage.counts["codes"] == 0, "a mixed-up code goes nowhere"


@pytest.mark.promise("S3", "R1")
def test_callback_without_state_is_not_one(play: Callable[..., Stage]) -> None:
    stage = play(echo_state=False)
    refusal(stage.host("--auth-timeout", "2"), "in time|2 s|2 seconds|state")
    assert stage.counts["codes"] == 0


TOKEN_ANSWERS: dict[str, tuple[Behaviour, str]] = {
    "200 with an error": (fixed(b'{"ok":false,"error":"bad_thing"}'), "bad_thing"),
    "400": (fixed(b'{"error":"invalid_grant","error_description":"too late"}', 400), "too late"),
    "500": (answer_status(500, b"database is down"), "500"),
    "a page": (answer_html(), "token"),
    "nothing": (fixed(b"{}"), "access_token|token"),
    "silence": (be_silent, "token"),
}


@pytest.mark.promise("R1")
@pytest.mark.parametrize("kind", TOKEN_ANSWERS)
def test_token_endpoint_gives_no_token(play: Callable[..., Stage], kind: str) -> None:
    stage = play()
    behaviour, phrase = TOKEN_ANSWERS[kind]
    stage.server.always("token", behaviour)
    refusal(stage.host(*patient(kind)), phrase)
    assert stage.counts["tabs"] == 1
    assert stage.counts["codes"] == 1, "a code is presented once"


@pytest.mark.promise("R1")
def test_pinned_port_is_taken(play: Callable[..., Stage]) -> None:
    stage = play(registration=False)
    with socket.create_server(("127.0.0.1", 0)) as alien:
        port = alien.getsockname()[1]
        uri = f"http://localhost:{port}/oauth/callback"
        info = {"client_id": stage.server.add_client(uri).client_id, "redirect_uris": [uri]}
        refusal(
            stage.host(str(port), "--static-oauth-client-info", json.dumps(info)),
            str(port),
            "taken|in use",
        )
    assert not stage.browser.opened


# Strangers at the door


@pytest.mark.promise("S3")
def test_stranger_neither_ends_the_wait_nor_is_echoed(play: Callable[..., Stage]) -> None:
    stage = play("record")
    host = stage.host()
    request_id = host.begin("initialize", initialize_params())
    uri, state = redirect_uri_of(stage)
    payload = "<script>alert(1)</script>"
    for query, name in [
        ({"code": "stolen", "state": "guessed"}, None),
        ({"error": "access_denied", "state": "guessed"}, None),
        ({"code": "stolen"}, None),
        ({"error": payload, "error_description": payload, "state": payload}, None),
        ({"code": "stolen", "state": state}, "attacker.example"),
    ]:
        status, fields, text = knock(uri, query, name)
        assert status >= 400
        assert payload not in text
        assert "alert(1)" not in text
        if "text/html" in fields.get("content-type", ""):
            assert "default-src 'none'" in fields["content-security-policy"]
    assert not host.answers(request_id)
    assert stage.counts["codes"] == 0
    page = Visit().open(stage.browser.opened[0])
    assert page.status == 200
    assert "result" in host.answer(request_id)
    assert stage.counts["codes"] == 1


@pytest.mark.promise("S3")
def test_callback_twice_is_one_exchange(play: Callable[..., Stage]) -> None:
    stage = play("twice")
    host = stage.sign_in()
    assert call(host)["params"] == CALL
    wait_until(lambda: bool(stage.browser.ends), "the end of the visit")
    callbacks = [one for one in stage.browser.trace if "code=" in str(one.get("url"))]
    assert len(callbacks) == 2
    assert stage.counts["codes"] == 1


@pytest.mark.promise("S3", "R7")
def test_nobody_listens_afterwards(play: Callable[..., Stage]) -> None:
    stage = play()
    host = stage.sign_in()
    uri, _ = redirect_uri_of(stage)
    wait_until(lambda: bool(stage.browser.ends), "the end of the visit")
    stage.end(host)
    with pytest.raises(OSError, match="refused"):
        knock(uri, {})


@pytest.mark.promise("R7")
def test_host_leaves_while_the_person_is_away(play: Callable[..., Stage]) -> None:
    stage = play("record")
    host = stage.host()
    request_id = host.begin("initialize", initialize_params())
    redirect_uri_of(stage)
    host.close_stdin()
    host.wait_exit(5)
    assert len(host.answers(request_id)) == 1


@pytest.mark.promise("S1")
def test_no_browser_prints_the_url(play: Callable[..., Stage]) -> None:
    stage = play("record")
    host = stage.host("--no-browser")
    request_id = host.begin("initialize", initialize_params())
    pattern = re.compile(re.escape(stage.server.endpoint_of("authorize")) + r"\?\S+")
    wait_until(lambda: pattern.search(host.stderr) is not None, "the URL", seconds=PATIENCE)
    found = pattern.search(host.stderr)
    assert found is not None
    Visit().open(found[0])
    assert "result" in host.answer(request_id)
    assert not stage.browser.opened


@pytest.mark.promise("S1", "R2")
def test_opener_that_shouts_and_hangs_reaches_nobody(
    play: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = play()
    shouting = tmp_path / "shouting"
    shouting.write_text(
        "#!/bin/sh\necho on-stdout\necho on-stderr >&2\n"
        f'"{stage.browser.command}" "$1"\nexec sleep 30\n'
    )
    shouting.chmod(0o700)
    host = stage.host("--browser", str(shouting))
    host.initialize()
    assert call(host)["params"] == CALL
    assert "on-stderr" not in host.stderr
    host.check()


# Secrets


@pytest.mark.promise("S2", "A7")
@pytest.mark.parametrize("token_store", ["file", "", "memory"], ids=["file", "default", "memory"])
def test_no_secret_is_written_anywhere(play: Callable[..., Stage], token_store: str) -> None:
    stage = play(auth_methods=("client_secret_basic",))
    log = stage.home / "debug.log"
    options = ("--debug", "--log-file", str(log))
    host = stage.sign_in(*options, token_store=token_store)
    stage.server.revoke_access_tokens()
    call(host)
    stage.server.policy.refuse_all_tokens = True
    host.request("tools/call", CALL)
    stage.end(host)
    assert len(stage.server.secrets) >= 5
    said = b"\n".join(line.raw for line in host.lines).decode() + host.stderr
    assert "debug" in log.read_text().lower()
    for secret in stage.server.secrets:
        assert secret not in said
    assert CANARY not in said
    files = [file for file in stage.home.rglob("*") if file.is_file()]
    for file in files:
        data = file.read_bytes()
        assert CANARY.encode() not in data, f"a secret in {file}"
        assert not any(secret.encode() in data for secret in stage.server.secrets), file
        if file != log:
            assert not file.stat().st_mode & 0o077, f"others may read {file}"
    kept = [file for file in files if file.suffix == ".sealed"]
    assert bool(kept) is (token_store != "memory")
