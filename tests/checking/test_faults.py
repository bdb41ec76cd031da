"""What a check does beside telling a fault: it works, it renews, it is not led or held up.

Real servers on real sockets. Must not know how a check is done.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from mcp_remote_py.commands.check_look import open_talk
from mcp_remote_py.diagnosis.steps import StepState
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.settings.commands import ProxySettings, ToolRules
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import parse_url
from tests.canaries import RUN
from tests.checking.faults import SECRET, says
from tests.checking.talking import IN_TIME, LOGIN, Checked, check
from tests.harness.stage import Stage, let_token_expire
from tests.peers.authorization_server import AuthorizationServer, Policy, SignIn
from tests.peers.signed_server import KEY_ID, SECRET_KEY, SignedServer
from tests.peers.wild_server import (
    Exchange,
    Json,
    WildServer,
    answer_status,
    be_modern,
    lose_session_404,
)

pytestmark = pytest.mark.timeout(60)


def surroundings(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "MCP_REMOTE_CONFIG_DIR": str(folder)}


def assert_quiet(checked: Checked) -> None:
    """In time, and nothing of a secret."""
    assert checked.seconds < IN_TIME
    assert SECRET not in checked.text
    assert not RUN.are_in(checked.text.encode())
    assert "\x1b" not in checked.text


def slow_down(server: WildServer) -> None:
    """Each answer takes a while."""
    good = server.behave

    def behave(exchange: Exchange) -> None:
        server.stopped.wait(0.3)
        good(exchange)

    server.behave = behave  # type: ignore[method-assign]


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
    age = "a new" if kind == "modern" else "an older"
    assert f"speaks {age} revision of MCP" in checked.steps["transport"].said
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
    assert says(hidden.verdict.hint, "Leave out the options that hide tools")
    assert hidden.verdict.said == (
        "It does not offer any tools to a host, or --allow-tool hides them."
    )


@pytest.mark.promise("P2")
def test_a_server_that_is_slow_works_and_is_told_to_be_slow(tmp_path: Path) -> None:
    """More time is left to one that answers than to one that does not: a host would wait, too."""
    with WildServer() as server:
        slow_down(server)
        checked = check(server.url, surroundings(tmp_path), answer_patience=0.7, patience=0.6)
    assert_quiet(checked)
    assert checked.seconds > 0.6
    assert checked.verdict.status == 0, checked.text
    assert checked.state("speed") is StepState.NOTED
    assert says(checked.steps["speed"].said, "The server is slow: its first answer took 3|ms.")
    assert says(checked.verdict.said, "It works. The server is slow: its first answer took|3 tools")
    assert checked.verdict.hint == (
        "Hosts wait for that. If it is slow each time, ask whoever runs it."
    )


def test_an_answer_is_slow_from_a_second_on(tmp_path: Path) -> None:
    async def play() -> None:
        settings = ProxySettings(parse_url("http://127.0.0.1:9/mcp"))
        async with open_talk(settings, surroundings(tmp_path), lambda _: None, 2.0) as talk:
            assert not talk.judge_speed(1.0)
            assert (talk.slowness, talk.has_time_for(100), talk.time_left <= 2) == (0, True, True)
            assert talk.judge_speed(1.1)
            assert talk.time_left > 10, "three answers"
            assert talk.has_time_for(10)
            assert not talk.has_time_for(12)

    asyncio.run(play())


def test_a_slow_server_that_is_broken_has_its_own_fault_told(tmp_path: Path) -> None:
    with WildServer() as server:
        slow_down(server)
        server.always("tools/list", lambda exchange: exchange.error(-32603, "no database"))
        checked = check(server.url, surroundings(tmp_path), answer_patience=0.7, patience=0.6)
    assert_quiet(checked)
    assert (checked.verdict.step, checked.verdict.status) == ("host-view", 1), checked.text
    assert says(checked.verdict.said, "no database")


# Signing in --------------------------------------------------------------------------------


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
    assert says(token.said, "The server accepts it.")
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
    assert (verdict.step, verdict.status, verdict.command) == ("token", 3, ""), checked.text
    assert says(verdict.said, "is for https://other.example/mcp (aud), the resource is")
    assert says(verdict.hint, "Signing in again would not help by itself|Try --resource")
    assert "To sign in all the same" not in verdict.hint
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


def set_clock(server: WildServer, seconds: float) -> None:
    """Its refusals tell a time that differs from ours by so much."""
    good = server.behave

    def behave(exchange: Exchange) -> None:
        reply = exchange.reply

        def tell(status: int, *body: bytes, **more: Any) -> None:
            if status == 401:
                date = formatdate(time.time() + seconds, usegmt=True)
                more["headers"] = {**(more.get("headers") or {}), "Date": date}
            reply(status, *body, **more)

        exchange.reply = tell  # type: ignore[method-assign]
        good(exchange)

    server.behave = behave  # type: ignore[method-assign]


@pytest.mark.promise("P2", "L3")
@pytest.mark.parametrize(
    ("nbf", "step", "said"),
    [
        (False, "token", "The server refuses a token it was just given"),
        (True, "server-clock", "1 hour ahead of the server's. By the server's clock the token is"),
    ],
)
def test_a_clock_is_to_blame_only_where_it_is_the_reason(
    play: Callable[..., Stage], nbf: bool, step: str, said: str
) -> None:
    stage = play(token_format="jwt", refuse_all_tokens=True)
    claims_of = stage.server.claims_of
    if nbf:

        def add(sign_in: SignIn, audience: str, token_id: str) -> Json:
            return {**claims_of(sign_in, audience, token_id), "nbf": int(time.time())}

        stage.server.claims_of = add  # type: ignore[method-assign]
    assert stage.run("login", stage.server.url, "--token-store", "file").returncode == 3
    set_clock(stage.server, -3600)
    checked = check(stage.server.url, stage.environment())
    assert_quiet(checked)
    assert checked.state("server-clock") is StepState.NOTED
    verdict = checked.verdict
    command = LOGIN if nbf else ""  # another token would be refused as well
    assert (verdict.step, verdict.status, verdict.command) == (step, 3, command), checked.text
    assert said in verdict.said


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
