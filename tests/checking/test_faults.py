"""The table of faults: of each the right cause and the right next step, in time, and no secret.

Real servers on real sockets. Must not know how a check is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.settings.sign_in import SignInSettings
from tests.canaries import RUN
from tests.checking.talking import IN_TIME, LOGIN, Checked, check
from tests.harness.stage import Stage, let_token_expire
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.signed_server import KEY_ID, SECRET_KEY, SignedServer
from tests.peers.wild_server import (
    Exchange,
    Json,
    WildServer,
    answer_html,
    answer_status,
    be_modern,
    be_silent,
    body_without_end,
    lose_session_404,
    redirect,
)

pytestmark = pytest.mark.timeout(60)

SECRET = "canary-of-a-header-4711"


def surroundings(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "MCP_REMOTE_CONFIG_DIR": str(folder)}


def says(text: str, phrase: str) -> bool:
    return all(part.lower() in text.lower() for part in phrase.split("|"))


def assert_quiet(checked: Checked) -> None:
    """In time, and nothing of a secret."""
    assert checked.seconds < IN_TIME
    assert SECRET not in checked.text
    assert not RUN.are_in(checked.text.encode())
    assert "\x1b" not in checked.text


@dataclass(frozen=True)
class Fault:
    """A server that is not as it should be, and what is to be said of it.

    `said` and `then` are phrases, `|` between parts, of the verdict and of its next step.
    """

    script: Callable[[WildServer], None]
    step: str
    said: str
    then: str = ""
    status: int = 1
    header: str = ""
    path: str = "/mcp"
    legacy: bool = False
    patience: float = 4.0
    asked_at: str = ""


def always(behaviour: Callable[[Exchange], None], *methods: str) -> Callable[[WildServer], None]:
    def script(server: WildServer) -> None:
        for method in methods or ("initialize",):
            server.always(method, behaviour)

    return script


def only_below(server: WildServer) -> None:
    """Nothing but its own path is there."""
    good = server.behave

    def behave(exchange: Exchange) -> None:
        if exchange.path.partition("?")[0] in (server.path, "/messages"):
            good(exchange)
        else:
            exchange.reply(404, b"Not Found", content_type="text/plain")

    server.behave = behave  # type: ignore[method-assign]


LOGIN_FORM = (
    b"<!DOCTYPE html><html><head><title>Sign in - Corp</title></head><body>"
    b"<form><input name=user></form></body></html>"
)
EVERYTHING = ("initialize", "server/discover", "GET", "POST")

FAULTS = {
    "a header that is refused": Fault(
        always(
            answer_status(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}),
            *EVERYTHING,
        ),
        "challenge",
        "refuses your header Authorization (HTTP 401)",
        "Check its value",
        header=f"Authorization: Bearer {SECRET}",
    ),
    "another header that is refused": Fault(
        always(answer_status(401, b"no"), *EVERYTHING),
        "challenge",
        "wants a credential|although you give the header X-Api-Key",
        "check its value|--header",
        header=f"X-Api-Key: {SECRET}",
    ),
    "Basic is wanted": Fault(
        always(answer_status(401, headers={"WWW-Authenticate": 'Basic realm="x"'}), *EVERYTHING),
        "challenge",
        "scheme basic",
        'Authorization: Basic ..."',
    ),
    "a sign-in page": Fault(
        always(answer_status(200, LOGIN_FORM, content_type="text/html"), *EVERYTHING),
        "transport",
        "A sign-in page for people stands before the server (HTTP 200",
        "--header",
    ),
    "a captive portal": Fault(
        always(answer_status(511, b"<html>hotel</html>", content_type="text/html"), *EVERYTHING),
        "transport",
        "The network wants a sign-in before it lets anybody through",
        "Open any page in the browser",
    ),
    "a web page": Fault(
        always(answer_html(), *EVERYTHING),
        "transport",
        "answered with text/html instead of JSON",
        "not of a web page",
    ),
    "the right address is /mcp": Fault(
        only_below,
        "transport",
        "No MCP server answers at this address (HTTP 404",
        "An MCP server answers at|/mcp: use that address",
        asked_at="/api",
    ),
    "the right address is /sse": Fault(
        only_below,
        "transport",
        "No MCP server answers at this address (HTTP 404",
        "An MCP server answers at|/sse: use that address",
        path="/sse",
        legacy=True,
        asked_at="/",
    ),
    "a gateway forbids it": Fault(
        always(
            answer_status(403, b"<html>403 Forbidden</html>", content_type="text/html"),
            *EVERYTHING,
        ),
        "transport",
        "The server forbids this request (HTTP 403",
        "a firewall before the server may have sent it",
    ),
    "a bad gateway": Fault(
        always(answer_status(502, b"Bad Gateway"), *EVERYTHING),
        "transport",
        'The server is not ready (HTTP 502|"Bad Gateway"',
        "Try again later",
    ),
    "too many requests": Fault(
        always(answer_status(429, headers={"Retry-After": "30"}), *EVERYTHING),
        "transport",
        "The server is asked too often (HTTP 429",
        "Try again in 30 seconds",
    ),
    "a redirect to another place": Fault(
        always(redirect(307, "https://other.example/mcp"), *EVERYTHING),
        "transport",
        "redirects (HTTP 307) to another place, https://other.example/mcp",
        "put that URL into the config entry",
    ),
    "it never answers": Fault(
        always(be_silent, *EVERYTHING),
        "transport",
        "did not answer initialize within",
        "Try again",
        patience=0.3,
    ),
    "it never ends its answer": Fault(
        always(body_without_end, "initialize", "server/discover"),
        "transport",
        "begins its answer to initialize (HTTP 200), and does not end it within",
        "Try again",
        patience=0.3,
    ),
    "JSON that is not JSON-RPC": Fault(
        always(answer_status(200, b'{"status": "up"}'), *EVERYTHING),
        "transport",
        "is not a JSON-RPC message|It begins with",
        "Check that the URL is that of an MCP server",
    ),
    "JSON that is nested without end": Fault(
        always(answer_status(200, b"[" * 5000 + b"]" * 5000), *EVERYTHING),
        "transport",
        "is not a JSON-RPC message|It begins with",
    ),
    "tools/list fails": Fault(
        always(lambda exchange: exchange.error(-32603, "no database"), "tools/list"),
        "host-view",
        'cannot list the tools|"no database"',
    ),
    "no tools at all": Fault(
        always(
            lambda exchange: exchange.result(
                {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "serverInfo": {"name": "bare", "version": "1"},
                }
            ),
            "initialize",
            "server/discover",
        ),
        "host-view",
        "does not offer any tools",
    ),
}


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_cause_and_a_next_step(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    with WildServer(path=fault.path, legacy=fault.legacy) as server:
        fault.script(server)
        url = server.origin + (fault.asked_at or fault.path)
        headers = [fault.header] if fault.header else []
        checked = check(url, surroundings(tmp_path), *headers, answer_patience=fault.patience)
    assert_quiet(checked)
    verdict = checked.verdict
    assert (verdict.step, verdict.status) == (fault.step, fault.status), checked.text
    assert says(verdict.said, fault.said), verdict
    assert says(verdict.hint, fault.then), verdict


@pytest.mark.promise("P2")
@pytest.mark.parametrize("kind", ["legacy", "modern", "sessions", "sse", "old"])
def test_a_server_that_works_is_told_to_work(kind: str, tmp_path: Path) -> None:
    sse = kind == "sse"
    with WildServer(
        sessions=kind == "sessions", sse=sse, listen=sse, legacy=kind == "old"
    ) as server:
        if kind == "modern":
            server.always("initialize", be_modern)
            for method in ("server/discover", "tools/list", "GET", "ping"):
                server.always(method, be_modern)
        checked = check(server.url, surroundings(tmp_path))
        ended = [one for one in server.requests if one.verb == "DELETE"]
    assert_quiet(checked)
    assert checked.verdict.status == 0, checked.text
    assert "3 tools" in checked.verdict.said
    assert says(checked.steps["official-client"].said, "connects, and finds 3 tools")
    assert checked.state("transport") is StepState.PASSED
    era = "modern" if kind == "modern" else "legacy"
    assert f"(era: {era})" in checked.steps["transport"].said
    if kind == "sse":
        assert "stays so for" in checked.steps["listening-stream"].said
    if kind == "sessions":
        assert len(ended) == 3, "the probe's, the host's and the official client's session"


def test_a_host_is_shown_what_the_rules_leave(tmp_path: Path) -> None:
    with WildServer() as server:
        shown = check(server.url, surroundings(tmp_path), tools=ToolRules(read_only=True))
        hidden = check(
            server.url,
            surroundings(tmp_path),
            tools=ToolRules(allow=("nothing",)),
            entry_words=("--allow-tool", "nothing"),
        )
    assert shown.verdict.said == "It works. A host is shown 1 tool: lookup."
    assert says(shown.steps["official-client"].said, "finds 3 tools")
    assert (hidden.verdict.step, hidden.verdict.status) == ("host-view", 1)
    assert hidden.verdict.hint == "", "the fault is nobody's"
    assert hidden.verdict.said == (
        "It does not offer any tools to a host, or --allow-tool hides them."
    )


# Signing in --------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignInFault:
    """A pair of servers that nobody is signed in at, and what is to be said of it."""

    policy: dict[str, object]
    step: str
    said: str
    then: str = ""
    status: int = 1
    command: str = ""


SIGN_IN_FAULTS = {
    "a sign-in is needed": SignInFault(
        {}, "stored-sign-in", "Nobody is signed in", status=3, command=LOGIN
    ),
    "metadata of another issuer": SignInFault(
        {"metadata_changes": {"issuer": "https://other.example"}},
        "authorization-server",
        'names another issuer, "https://other.example"',
        "--trusted-issuer https://other.example",
    ),
    "metadata of another resource": SignInFault(
        {"resource": "https://other.example/mcp"},
        "resource-metadata",
        'resource metadata is for "https://other.example/mcp", which is not',
        "--resource",
    ),
    "no sign-in server there": SignInFault(
        {"metadata": "none"},
        "authorization-server",
        "does not publish metadata (HTTP 404",
        "Tell whoever runs the server",
    ),
    "nobody may register": SignInFault(
        {"registration": False},
        "registration",
        "does not let clients register themselves",
        "--static-oauth-client-info",
    ),
    "PKCE is not listed": SignInFault(
        {"metadata_changes": {"code_challenge_methods_supported": None}},
        "authorization-server",
        "does not list PKCE",
        "--trusted-issuer",
    ),
    "PKCE without S256": SignInFault(
        {"metadata_changes": {"code_challenge_methods_supported": ["plain"]}},
        "authorization-server",
        "does not support PKCE with S256",
        "Tell whoever runs the authorization server",
    ),
    "an endpoint in clear": SignInFault(
        {"metadata_changes": {"token_endpoint": "http://other.example/token"}},
        "authorization-server",
        "must not be used: plain http to another machine",
        "Tell whoever runs the server",
    ),
}


@pytest.mark.promise("P2", "A1")
@pytest.mark.parametrize("name", SIGN_IN_FAULTS)
def test_a_fault_of_a_sign_in_has_its_cause(name: str, tmp_path: Path) -> None:
    fault = SIGN_IN_FAULTS[name]
    with AuthorizationServer(Policy(**fault.policy)) as server:  # type: ignore[arg-type]
        checked = check(server.url, surroundings(tmp_path))
        assert not server.registrations
        assert not server.token_requests()
        assert not server.authorizations
    assert_quiet(checked)
    verdict = checked.verdict
    assert (verdict.step, verdict.status) == (fault.step, fault.status), checked.text
    assert says(verdict.said, fault.said), verdict
    assert says(verdict.hint, fault.then), verdict
    assert verdict.command == fault.command
    assert not list(tmp_path.rglob("*.sealed")), "nothing is stored"


def test_a_server_that_names_no_sign_in_is_told_so(tmp_path: Path) -> None:
    with WildServer() as server:
        for method in ("initialize", "POST"):
            server.always(method, answer_status(401, b"who are you"))
        server.always("GET", answer_status(404, b"nothing"))
        checked = check(server.url, surroundings(tmp_path))
    assert_quiet(checked)
    assert checked.verdict.step in ("resource-metadata", "authorization-server")
    assert says(checked.verdict.said, "wants a credential and does not name a sign-in")
    assert says(checked.verdict.hint, "--header")
    assert "oauth-protected-resource" in checked.text, "each document that was looked for"
    assert "oauth-authorization-server: HTTP 404: not there" in checked.text


# Signed in ---------------------------------------------------------------------------------


@pytest.mark.promise("P2", "A5")
def test_a_sign_in_that_works_is_used_and_kept(play: Callable[..., Stage]) -> None:
    stage = play(token_format="jwt")
    stage.login()
    before = stage.counts
    checked = check(stage.server.url, stage.environment())
    assert_quiet(checked)
    assert checked.verdict.status == 0, checked.text
    token = checked.steps["token"]
    assert says(token.said, "The token is a JWT; the server takes it.")
    assert any(line == f"aud: {stage.server.url}" for line in token.evidence)
    assert stage.counts_since(before)["tabs"] == 0
    assert stage.counts_since(before)["refreshes"] == 0
    assert says(checked.steps["official-client"].said, "3 tools"), "it has the token, too"


@pytest.mark.promise("P2", "L3")
def test_a_token_of_another_audience_is_named(play: Callable[..., Stage]) -> None:
    stage = play(token_format="jwt", audience="https://other.example/mcp")
    assert stage.run("login", stage.server.url, "--token-store", "file").returncode == 3
    before = stage.counts
    checked = check(stage.server.url, stage.environment())
    assert_quiet(checked)
    verdict = checked.verdict
    assert (verdict.step, verdict.status, verdict.command) == ("token", 3, LOGIN), checked.text
    assert says(verdict.said, "is for https://other.example/mcp (aud), the resource is")
    assert stage.counts_since(before)["tabs"] == stage.counts_since(before)["refreshes"] == 0


@pytest.mark.promise("P2", "A5")
def test_what_has_expired_is_renewed_once_and_for_all(play: Callable[..., Stage]) -> None:
    stage = play(lifetime=1)
    stage.login()
    before = stage.counts
    let_token_expire(stage)
    first = check(stage.server.url, stage.environment())
    second = check(stage.server.url, stage.environment())
    for checked in (first, second):
        assert_quiet(checked)
        assert checked.verdict.status == 0, checked.text
    assert says(first.steps["stored-sign-in"].said, "it is renewed now, as it is for a host")
    assert stage.counts_since(before)["refreshes"] == 1
    assert stage.counts_since(before)["tabs"] == 0


@pytest.mark.promise("P2", "A5")
def test_a_sign_in_that_has_ended_is_told_to_be_over(play: Callable[..., Stage]) -> None:
    stage = play(lifetime=1)
    stage.login()
    stage.server.end_sign_ins()
    before = stage.counts
    let_token_expire(stage)
    checked = check(stage.server.url, stage.environment())
    assert_quiet(checked)
    verdict = checked.verdict
    assert (verdict.step, verdict.status, verdict.command) == ("token", 3, LOGIN), checked.text
    assert says(verdict.said, "The sign-in has ended: the sign-in server does not renew it")
    assert stage.counts_since(before)["tabs"] == 0


@pytest.mark.promise("P2")
def test_another_clock_is_told(tmp_path: Path) -> None:
    with WildServer() as server:

        def tell_time(exchange: Exchange) -> None:
            result: Json = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "late", "version": "1"},
            }
            exchange.result(result, headers={"Date": "Mon, 30 Nov 2020 10:00:00 GMT"})

        server.always("initialize", tell_time)
        checked = check(server.url, surroundings(tmp_path))
    assert_quiet(checked)
    assert says(checked.steps["server-clock"].said, "days ahead of the server's")
    assert checked.verdict.status == 0


@pytest.mark.promise("P2", "L2")
def test_a_person_who_asks_to_is_signed_in_on_the_way(play: Callable[..., Stage]) -> None:
    stage = play()
    browser = (str(stage.browser.command),)
    sign_in = SignInSettings(token_store="file", browser=browser)
    checked = check(stage.server.url, stage.environment(), signs_in=True, sign_in=sign_in)
    assert_quiet(checked)
    assert checked.verdict.status == 0, checked.text
    assert says(checked.steps["sign-in"].said, "Signed in, with the scopes desk")
    assert says(checked.steps["official-client"].said, "3 tools")
    assert stage.counts["tabs"] == stage.counts["codes"] == 1


@pytest.mark.promise("P2", "L2")
def test_a_sign_in_that_is_denied_is_told(play: Callable[..., Stage]) -> None:
    stage = play(deny=True)
    browser = (str(stage.browser.command),)
    sign_in = SignInSettings(token_store="file", browser=browser)
    checked = check(stage.server.url, stage.environment(), signs_in=True, sign_in=sign_in)
    assert_quiet(checked)
    verdict = checked.verdict
    assert (verdict.step, verdict.status, verdict.command) == ("sign-in", 3, LOGIN), checked.text
    assert "The person said no." in verdict.said


@pytest.mark.promise("P2", "L2")
def test_a_check_neither_spends_nor_writes_the_budget(play: Callable[..., Stage]) -> None:
    stage = play()
    for _ in range(3):
        checked = check(stage.server.url, stage.environment())
        assert checked.verdict.status == 3
    assert stage.counts["tabs"] == stage.counts["registrations"] == 0
    host = stage.host()
    host.initialize()
    assert stage.counts["tabs"] == 1, "the next host may open its tab as if nothing had been"


def test_a_server_that_ends_each_session_is_told_of(tmp_path: Path) -> None:
    with WildServer(sessions=True) as server:
        server.always("tools/list", lose_session_404)
        checked = check(server.url, surroundings(tmp_path))
    assert_quiet(checked)
    assert (checked.verdict.step, checked.verdict.status) == ("host-view", 1), checked.text
    assert says(checked.verdict.said, "does not know the session it gave us")


# Signed requests ----------------------------------------------------------------------------


def signed(folder: Path, secret: str) -> dict[str, str]:
    return {
        **surroundings(folder),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "eu-west-1",
    }


AWS = AwsSettings("lambda", "eu-west-1", variables=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


@pytest.mark.promise("P2")
def test_signed_requests_are_asked_by_a_relay_alone(tmp_path: Path) -> None:
    with SignedServer() as server:
        checked = check(server.url, signed(tmp_path, SECRET_KEY), aws=AWS)
        assert server.rejections == []
    assert_quiet(checked)
    assert checked.verdict.status == 0, checked.text
    assert SECRET_KEY not in checked.text
    assert checked.steps["stored-sign-in"].said == "Requests are signed, so nobody signs in."
    assert says(checked.steps["official-client"].said, "cannot sign requests for AWS")
    assert checked.state("listening-stream") is StepState.SKIPPED


@pytest.mark.promise("P2")
def test_a_refused_signature_has_the_words_of_a_relay(tmp_path: Path) -> None:
    with SignedServer() as server:
        checked = check(server.url, signed(tmp_path, SECRET_KEY[::-1]), aws=AWS)
    assert_quiet(checked)
    assert checked.verdict.step == "transport"
    assert checked.verdict.status == 1
    assert says(checked.verdict.said, "AWS")
    assert checked.verdict.hint


# Hostile servers -----------------------------------------------------------------------------


def flood(exchange: Exchange) -> None:
    """A JSON answer of 100 MB."""
    exchange.stream(content_type="application/json")
    exchange.piece(b'{"jsonrpc":"2.0","id":%d,"result":{"x":"' % exchange.id)
    for _ in range(100):
        exchange.piece(b"x" * 1_000_000)
    exchange.finish()


def endless(exchange: Exchange) -> None:
    """An event stream that goes on for ever."""
    exchange.stream()
    while not exchange.server.stopped.is_set():
        exchange.piece(b": on and on\n" * 1000)


def many_tools(exchange: Exchange) -> None:
    """Ten thousand tools, with names that drive a terminal."""
    tools = [
        {"name": f"\x1b[2J tool {number}", "inputSchema": {"type": "object"}}
        for number in range(10_000)
    ]
    exchange.result({"tools": tools})


@pytest.mark.promise("P2")
@pytest.mark.report("S12")
@pytest.mark.parametrize(
    ("method", "behaviour"),
    [("initialize", flood), ("initialize", endless), ("GET", endless), ("tools/list", many_tools)],
)
def test_a_hostile_server_ends_in_time(
    method: str, behaviour: Callable[[Exchange], None], tmp_path: Path
) -> None:
    with WildServer() as server:
        server.always(method, behaviour)
        checked = check(server.url, surroundings(tmp_path))
    assert_quiet(checked)
    assert (checked.verdict.status == 0) is (method != "initialize"), checked.text


def test_a_document_of_a_megabyte_is_not_read(tmp_path: Path) -> None:
    with AuthorizationServer(Policy()) as server:
        huge = json.dumps({"issuer": server.issuer, "x": "y" * 1_000_000}).encode()
        server.always("metadata", answer_status(200, huge, content_type="application/json"))
        checked = check(server.url, surroundings(tmp_path))
    assert_quiet(checked)
    assert checked.verdict.step == "authorization-server"
    assert "answered with more than 262144 bytes" in checked.text
