"""What is secret stays out of stderr, logs, errors and what the other commands print.

Keys in the server's address, and credentials that a server repeats in other spellings.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.harness.host import Host, assert_error, environment_for, initialize_params
from tests.harness.stage import COMMAND, PATIENCE, Stage
from tests.peers.authorization_server import form_of
from tests.peers.launch import free_port
from tests.peers.wild_server import Behaviour, Exchange, WildServer

Play = Callable[..., Stage]

KEYS = {
    "base64": "dXNlcjpjYW5hcnktcGFzcw==",
    "encoded": "dXNlcjpjYW5hcnktcGFzcw%3D%3D",
    "user": "user42:c0ffee11badcafe2deadbeef",
    "letters": "kqzwmxvbtrplsdfghjnczyaeioukqwxz",
    "uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "hex": "9f86d081884c7d65",
    "groups": "ab12-cd34-ef56-gh78",
}


@pytest.fixture
def server() -> Iterator[WildServer]:
    with WildServer() as server:
        yield server


def echo(status: int) -> Behaviour:
    """Says what it was asked for, as pages of errors do."""

    def behave(exchange: Exchange) -> None:
        path = exchange.path
        said = f"Cannot POST {path} ({unquote(path)}) <b>{html.escape(path)}</b> {quote(path)}"
        exchange.reply(status, said.encode(), content_type="text/html")

    return behave


def redirect_with_key(exchange: Exchange) -> None:
    exchange.reply(307, headers={"Location": f"https://elsewhere.example{exchange.path}"})


def challenge_with_key(exchange: Exchange) -> None:
    where = f"http://{exchange.headers['host']}/.well-known/oauth-protected-resource{exchange.path}"
    exchange.reply(401, headers={"WWW-Authenticate": f'Bearer resource_metadata="{where}"'})


BEHAVIOURS: dict[str, Behaviour] = {
    "400": echo(400),
    "403": echo(403),
    "404": echo(404),
    "418": echo(418),
    "200 without JSON": echo(200),
    "redirect": redirect_with_key,
    "challenge": challenge_with_key,
}


def assert_masked(text: str, key: str) -> None:
    for one in {key, unquote(key), quote(key, safe="")}:
        assert one not in text
        assert one[8:] not in text, text


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_a_key_in_the_path_is_shown_nowhere(
    server: WildServer, tmp_path: Path, behaviour: Behaviour, key: str
) -> None:
    for method in ("initialize", "GET"):
        server.always(method, behaviour)
    log = tmp_path / "log"
    url = f"{server.origin}/s/{key}/mcp"
    options = ("--debug", "--log-file", str(log), "--no-browser", "--token-store", "file")
    with Host([str(COMMAND), url, *options], environment_for(tmp_path / "home")) as host:
        request_id = host.begin("initialize", initialize_params())
        error = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    assert any(key in one.path for one in server.requests)
    for text in (error, host.stderr, log.read_text()):
        assert_masked(text, key)


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_the_other_commands_show_no_key_either(play: Play, key: str) -> None:
    stage = play()
    server = stage.stack.enter_context(WildServer())
    url = f"{server.origin}/s/{key}/mcp"
    server.always("initialize", echo(404))
    server.always("GET", challenge_with_key)
    for command in ("login", "status", "logout", "status"):
        done = stage.run(command, url, "--debug")
        assert done.stdout + done.stderr
        assert_masked(done.stdout + done.stderr, key)


def repeat(spell: Callable[[str], str]) -> Behaviour:
    """A token endpoint that repeats what it was sent."""

    def behave(exchange: Exchange) -> None:
        form = form_of(exchange)
        basic = exchange.headers.get("authorization", "").partition(" ")[2]
        sent = [basic, base64.b64decode(basic).decode(), *map(form.get, ("code", "code_verifier"))]
        said = " | ".join(spell(text or "") for text in sent)
        body = {"error": "invalid_request", "error_description": said}
        exchange.reply(400, json.dumps(body).encode())

    return behave


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: quote(text, safe="").replace("%3D", "%3d").replace("%2B", "%2b"),
    "JSON": lambda text: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text),
    "HTML": lambda text: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text),
    "no padding": lambda text: text.rstrip("="),
    "other alphabet": lambda text: text.rstrip("=").replace("+", "-").replace("/", "_"),
    "cut": lambda text: text[: len(text) * 2 // 3] + "...",
}


@pytest.mark.promise("S2")
@pytest.mark.report("S17")
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_token_endpoint_that_repeats_credentials_shows_none(
    play: Play, tmp_path: Path, spell: Callable[[str], str]
) -> None:
    stage = play()
    port = free_port()
    uri = f"http://localhost:{port}/oauth/callback"
    client = stage.server.add_client(uri, auth_method="client_secret_basic")
    stage.server.always("token", repeat(spell))
    info = {
        "client_id": client.client_id,
        "client_secret": client.secret,
        "redirect_uris": [uri],
        "token_endpoint_auth_method": "client_secret_basic",
        "issuer": stage.server.issuer,
    }
    log = tmp_path / "log"
    options = ("--static-oauth-client-info", json.dumps(info), "--debug", "--log-file", str(log))
    host = stage.host(str(port), *options)
    request_id = host.begin("initialize", initialize_params())
    error = assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    assert "gave no token" in error
    sent = stage.server.received("token")[0]
    basic = sent.headers["authorization"].partition(" ")[2]
    form = form_of(sent)
    for text in (error, host.stderr, log.read_text()):
        for secret in (basic, client.secret, form["code"], form["code_verifier"]):
            for one in (secret, spell(secret)):
                assert one[: len(one) // 2] not in text
                assert one[len(one) // 2 :].rstrip("=.%3d&#61;u0") not in text


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
def test_a_key_is_not_shown_either_where_it_is_part_of_the_issuer(play: Play) -> None:
    """Servers that sign people in at their own address; the page itself must be told whole."""
    key = KEYS["letters"]
    stage = play()
    stage.server.path = stage.server.policy.issuer_path = f"/s/{key}/mcp"

    def run(command: str, *options: str) -> str:
        done = stage.run(command, stage.server.url, *options)
        assert done.returncode == 0
        return done.stdout + done.stderr

    said = run("login", "--token-store", "file")
    assert_masked(
        "\n".join(line for line in said.splitlines() if "?response_type=" not in line), key
    )
    assert f"/s/{key}/mcp" in unquote(said)
    for options in ([], ["--json"]):
        assert_masked(run("status", *options), key)


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
def test_a_page_that_the_log_cannot_show_whole_is_shown_by_login(play: Play) -> None:
    key = KEYS["letters"]
    stage = play()
    stage.server.path = f"/s/{key}/mcp"
    host = stage.host("--no-browser", "--auth-timeout", "1")
    request_id = host.begin("initialize", initialize_params())
    assert_error(host.answer(request_id, seconds=PATIENCE), request_id)
    host.wait_logged("the whole address is shown by mcp-remote-py login")
    assert_masked(host.stderr, key)
