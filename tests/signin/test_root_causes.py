"""Every known root cause of "it keeps opening browser tabs", and that none of them is one here.

A cause is a row of `CAUSES`: how the stage is set, and what comes out. Each is played three ways:
one process whose host goes on asking, five processes started together, and one that is killed and
started again and again; in the gate, the first and one of the two others in turn. What counts is
counted from outside, and no time is waited for: what loops does so as fast as the host asks. L4 is
in `test_patience.py`. Must not know how the command is made.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.host import Host, Json, assert_error, initialize_params, wait_until
from tests.harness.stage import (
    CALL,
    PATIENCE,
    SEARCH,
    Stage,
    assert_says,
    call,
    let_token_expire,
    redirect_uri_of,
    refusal,
    wait_for_tab,
)
from tests.peers.authorization_server import (
    CANARY,
    AuthorizationServer,
    lose_answer,
    with_members,
    without,
)
from tests.peers.wild_server import Behaviour, answer_html, answer_status, cut_before_head
from tests.thorough import often, some

pytestmark = pytest.mark.timeout(120)

PROCESSES = 5
RESTARTS_IN_THE_GATE = 3
RESTARTS = often(RESTARTS_IN_THE_GATE, 20)
"""The budget on disk is spent by the first: the second and third find it so."""

Check = Callable[[], None]
Setting = Callable[[Stage], Check | None]
"""Sets the stage; may return what to look at in the end."""
LOGIN = "mcp-remote-py login {url}"


def nothing(stage: Stage) -> None:
    """No sign-in has been before, and nothing happens."""


@dataclass(frozen=True)
class Cause:
    """How the stage is set, and what comes out.

    Attributes:
        setting: what has been before the hosts start; counting begins after it.
        meanwhile: what happens between the first `initialize` and the first call.
        policy, mode, seconds: of the server, and of the browser.
        options: of the command.
        call: what the host asks for again and again.
        says: empty where every call succeeds; else what the error to each says, as `assert_says`
            takes it; `{url}` stands for the server's.
        tabs: how many there are.
        tokens, registrations: how many requests there are at most.
    """

    setting: Setting = nothing
    meanwhile: Callable[[Stage], None] = nothing
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mode: str = "normal"
    seconds: float = 1.0
    options: tuple[str, ...] = ()
    call: Json = field(default_factory=lambda: CALL)
    says: tuple[str, ...] = ()
    tabs: int = 1
    tokens: int = 2
    registrations: int = 1


# What has been before


def signed_in(stage: Stage) -> None:
    """The sign-in is stored, and the server has accepted its token."""
    host = stage.sign_in()
    call(host)
    stage.end(host)


def expired(stage: Stage) -> None:
    """The same, and the access token is out of date."""
    signed_in(stage)
    let_token_expire(stage)


def revoked(stage: Stage) -> None:
    """The same, and it is good for nothing though nobody could know."""
    signed_in(stage)
    stage.server.revoke_access_tokens()


def expired_and(endpoint: str, behaviour: Behaviour) -> Setting:
    """Out of date, and this endpoint has become another."""

    def setting(stage: Stage) -> None:
        expired(stage)
        stage.server.always(endpoint, behaviour)

    return setting


def revoked_and(endpoint: str, behaviour: Behaviour) -> Setting:
    """Good for nothing, and this endpoint has become another."""

    def setting(stage: Stage) -> None:
        revoked(stage)
        stage.server.always(endpoint, behaviour)

    return setting


def without_metadata(stage: Stage) -> None:
    """Out of date, and where to renew it cannot be looked up any more."""
    expired(stage)
    stage.server.always("metadata", answer_status(500))
    stage.server.always("resource_metadata", answer_status(500))


def forgotten(stage: Stage) -> None:
    """The server knows neither the token nor the client any more."""
    revoked(stage)
    stage.server.clients.clear()


def moved(stage: Stage) -> None:
    """The sign-in is over, and the port of its redirect URI is somebody else's."""
    signed_in(stage)
    stage.server.end_sign_ins()
    port = urlsplit(redirect_uri_of(stage)[0]).port
    stage.stack.enter_context(socket.create_server(("127.0.0.1", port or 0)))


def listening(stage: Stage) -> None:
    """The server has something to say by itself: there is a GET beside the POSTs."""
    stage.server.listen = True


def listening_signed_in(stage: Stage) -> None:
    """Both."""
    listening(stage)
    signed_in(stage)


def beside_another(stage: Stage) -> Check:
    """The same person is about to sign in elsewhere."""
    other = stage.stack.enter_context(AuthorizationServer())
    host = stage.host(url=other.url)
    request_id = host.begin("initialize", initialize_params())
    wait_for_tab(stage)

    def check() -> None:
        assert "result" in host.answer(request_id)
        assert len(other.token_requests()) == 1

    return check


# What happens meanwhile


def refuse_everything(stage: Stage) -> None:
    """The server no longer takes any token, however new."""
    stage.server.policy.refuse_all_tokens = True


def revoke(stage: Stage) -> None:
    """What the processes send is good for nothing though nobody could know."""
    stage.server.revoke_access_tokens()


def wake(stage: Stage) -> None:
    """All at once is out of date, and every stream is torn, as after a night's sleep."""
    stage.server.wait_for_stream()
    stage.server.revoke_access_tokens()
    stage.server.cut_streams()


def another_refreshes(stage: Stage) -> None:
    """Another process has renewed what those that run still send."""
    stage.server.revoke_access_tokens()
    other = stage.host()
    other.initialize()
    stage.end(other)


def spend_refresh_token(stage: Stage) -> None:
    """It was used elsewhere, say on a copy of this home; nobody here has a newer one."""
    stage.server.revoke_access_tokens()
    for token in stage.server.refresh_tokens.values():
        token.spent = True


def spent(stage: Stage) -> None:
    """So it was before the hosts start."""
    signed_in(stage)
    spend_refresh_token(stage)


def assert_no_tab(stage: Stage) -> None:
    """The stream was refused; nobody has asked for anything that takes a sign-in."""
    stage.server.wait_for("GET")
    assert not stage.browser.opened


PUBLIC = frozenset({"initialize", "notifications/initialized", "tools/list"})
OTHER = "https://other.example/mcp"
SHORT = {"lifetime": 1}
NOT_NOW = ("renew", "later|again in")
IN_AN_OUTAGE = 10
"""Requests to a token endpoint that fails, in five minutes: each wait is twice as long."""


CAUSES: dict[str, Cause] = {
    "L1 every token is refused": Cause(
        policy={"refuse_all_tokens": True},
        says=("refuse", "resource", "{url}"),
        tokens=1,
    ),
    "L1 every token is refused from now on": Cause(
        signed_in, refuse_everything, says=("refuse",), tabs=0, tokens=1, registrations=0
    ),
    "L2 many are refused at once": Cause(
        listening, policy={"public_methods": PUBLIC}, mode="slow", seconds=0.5, tokens=1
    ),
    "L3 many start at once": Cause(mode="slow", tokens=1),
    "L5 wake from sleep": Cause(listening_signed_in, wake, tabs=0, tokens=1, registrations=0),
    "L6 another has a newer token": Cause(
        signed_in, another_refreshes, tabs=0, tokens=1, registrations=0
    ),
    "L6 the refresh token was spent elsewhere": Cause(
        signed_in, spend_refresh_token, registrations=0
    ),
    "L7 expired while nothing ran": Cause(expired, policy=SHORT, tabs=0, tokens=1, registrations=0),
    "L8 endpoints on another origin": Cause(
        without_metadata,
        policy={
            **SHORT,
            "issuer_host": "localhost",
            "issuer_path": "/tenant",
            "metadata": "openid-inserted",
        },
        tabs=0,
        tokens=1,
        registrations=0,
    ),
    "L9 refresh: 500": Cause(
        expired_and("token", answer_status(500, b"database is down")),
        policy=SHORT,
        says=NOT_NOW,
        tabs=0,
        tokens=IN_AN_OUTAGE,
        registrations=0,
    ),
    "L10 client forgotten": Cause(
        forgotten, policy={"unknown_client": "json", "refresh_tokens": False}, tokens=1
    ),
    "L10 client forgotten, and nobody calls back": Cause(
        forgotten,
        policy={"unknown_client": "late", "refresh_tokens": False},
        options=("--auth-timeout", "1"),
        says=(LOGIN,),
        tokens=0,
    ),
    "L11 another port than registered": Cause(moved),
    "L12 the person says no": Cause(policy={"consent": True}, mode="deny", says=(LOGIN,), tokens=0),
    "L12 the person closes the tab": Cause(
        policy={"consent": True},
        mode="close",
        options=("--auth-timeout", "1"),
        says=(LOGIN,),
        tokens=0,
    ),
    "L13 refused in the middle": Cause(
        listening, assert_no_tab, policy={"public_methods": PUBLIC}, tokens=1
    ),
    "L14 another sign-in at the same time": Cause(beside_another, mode="slow", tokens=1),
    "L15 callback twice": Cause(mode="twice", tokens=1),
    "L16 more scope is wanted": Cause(
        signed_in,
        policy={"tool_scopes": {"lookup": "desk:write"}},
        call=SEARCH,
        tokens=1,
        registrations=0,
    ),
    "L16 more scope is wanted and not given": Cause(
        signed_in,
        policy={
            "tool_scopes": {"lookup": "desk:write"},
            "grantable": frozenset({"desk", "offline_access"}),
        },
        call=SEARCH,
        says=("desk:write",),
        tokens=1,
        registrations=0,
    ),
    "L17 expired is a bad request": Cause(
        expired, policy={**SHORT, "refusal_status": 400}, tabs=0, tokens=1, registrations=0
    ),
    "L18 no refresh token": Cause(
        expired, policy={**SHORT, "refresh_tokens": False}, tokens=1, registrations=0
    ),
    "L19 wrong static header": Cause(
        options=("--header", f"Authorization: Bearer {CANARY}-static"),
        says=("header", "401"),
        tabs=0,
        tokens=0,
        registrations=0,
    ),
    "L20 expires_in is 0": Cause(policy={"token_answer": with_members(expires_in=0)}, tokens=1),
}

VARIANTS: dict[str, Cause] = {
    "L1 tokens are for another audience": Cause(
        policy={"token_format": "jwt", "audience": OTHER},
        says=("refuse", "aud", OTHER, "{url}"),
        tokens=1,
    ),
    "L6 the same, before the start, loose": Cause(
        spent, policy={"rotation": "loose"}, registrations=0
    ),
    "L7 expiry never known": Cause(
        revoked,
        policy={"token_answer": without("expires_in")},
        tabs=0,
        tokens=1,
        registrations=0,
    ),
    "L9 refresh: reset": Cause(
        expired_and("token", cut_before_head),
        policy=SHORT,
        says=NOT_NOW,
        tabs=0,
        tokens=IN_AN_OUTAGE,
        registrations=0,
    ),
    "L9 refresh: a page": Cause(
        revoked_and("token", answer_html()),
        says=NOT_NOW,
        tabs=0,
        tokens=IN_AN_OUTAGE,
        registrations=0,
    ),
    "L9 refresh: 429": Cause(
        revoked_and("token", answer_status(429, headers={"Retry-After": "30"})),
        says=NOT_NOW,
        tabs=0,
        tokens=1,
        registrations=0,
    ),
    "L9 refresh: answer lost": Cause(
        revoked_and("token", lose_answer),
        says=NOT_NOW,
        tabs=0,
        tokens=IN_AN_OUTAGE,
        registrations=0,
    ),
    "L10 client forgotten, as a refresh finds out": Cause(forgotten),
    "L17 revoked is a bad request": Cause(
        signed_in,
        revoke,
        policy={"refusal_status": 400},
        tabs=0,
        tokens=1,
        registrations=0,
    ),
    "L20 expires_in is 0, and no refresh token": Cause(
        policy={"token_answer": with_members(expires_in="0"), "refresh_tokens": False}, tokens=1
    ),
    "L20 expires_in is less": Cause(policy={"token_answer": with_members(expires_in=-5)}, tokens=1),
}
"""Played by one process only: the rows above tell the rest."""


class Scene:
    """One cause on its stage.

    Attributes:
        cause, stage: these.
    """

    def __init__(self, cause: Cause, play: Callable[..., Stage]) -> None:
        self.cause = cause
        self.stage = play(cause.mode, cause.seconds, **cause.policy)
        self._check = cause.setting(self.stage)
        self._before = self.stage.counts
        self._posts_before = self._posts
        self._handshakes: list[Json] = []
        self._calls: list[Json] = []

    @property
    def _posts(self) -> int:
        return len(self.stage.server.received("tools/call"))

    def host(self) -> Host:
        """Another process for the same server."""
        return self.stage.host(*self.cause.options)

    def initialize(self, *hosts: Host) -> None:
        """The handshake of all at once; a host whose handshake is refused asks all the same."""
        begun = [(host, host.begin("initialize", initialize_params())) for host in hosts]
        for host, request_id in begun:
            answer = host.answer(request_id)
            self._handshakes.append(answer)
            if "result" in answer:
                host.notify("notifications/initialized")

    def ask(self, *hosts: Host, at_once: int = 1) -> None:
        """Calls of all of them at once, `at_once` of each."""
        begun = [(host, host.begin("tools/call", self.cause.call)) for host in hosts * at_once]
        self._calls += [host.answer(request_id) for host, request_id in begun]

    def end(self) -> None:
        """What was counted and said is what was to come out."""
        cause = self.cause
        counts = self.stage.counts_since(self._before)
        assert counts["tabs"] == cause.tabs, counts
        assert counts["codes"] + counts["refreshes"] <= cause.tokens, counts
        assert counts["registrations"] <= cause.registrations, counts
        # Once more after a refusal, and no more: L17.
        assert self._posts - self._posts_before <= 2 * len(self._calls), (
            "calls are repeated blindly"
        )
        for answer in self._calls:
            assert ("error" in answer) is bool(cause.says), answer
        phrases = [phrase.format(url=self.stage.server.url) for phrase in cause.says]
        for answer in self._handshakes + self._calls:
            if "error" in answer:
                assert_says(assert_error(answer, answer["id"]), *phrases)
        if self._check is not None:
            self._check()


@pytest.mark.promise("L1", "L3", "A5", "R1")
@pytest.mark.parametrize("name", [*CAUSES, *VARIANTS])
def test_one_process_whose_host_goes_on_asking(play: Callable[..., Stage], name: str) -> None:
    scene = Scene((CAUSES | VARIANTS)[name], play)
    host = scene.host()
    scene.initialize(host)
    scene.cause.meanwhile(scene.stage)
    for _ in range(3):
        scene.ask(host, at_once=5)
        scene.ask(host)
        scene.ask(host)
    scene.end()


@pytest.mark.promise("L1", "L2", "L3", "A4", "A5")
@pytest.mark.parametrize("name", some(reversed(CAUSES), 2))
def test_five_processes_started_together(play: Callable[..., Stage], name: str) -> None:
    scene = Scene(CAUSES[name], play)
    hosts = [scene.host() for _ in range(PROCESSES)]
    scene.initialize(*hosts)
    scene.cause.meanwhile(scene.stage)
    scene.ask(*hosts, at_once=2)
    scene.ask(*hosts)
    scene.end()


@pytest.mark.promise("L1", "L2", "L3", "A5")
@pytest.mark.parametrize("name", some(CAUSES, 2))
def test_killed_and_started_again_and_again(play: Callable[..., Stage], name: str) -> None:
    scene = Scene(CAUSES[name], play)
    for life, host in enumerate(lives(scene)):
        scene.initialize(host)
        if life == 0:
            scene.cause.meanwhile(scene.stage)
        scene.ask(host)
    scene.end()


def lives(scene: Scene) -> Iterator[Host]:
    """One process after another, each killed after its use."""
    for _ in range(RESTARTS):
        host = scene.host()
        yield host
        scene.stage.kill(host)


@pytest.mark.promise("L1", "L5", "A5")
def test_sign_in_outlives_a_server_that_cannot_renew_it_now(play: Callable[..., Stage]) -> None:
    """Asked as fast as the host can, and then on: the server is asked again when it said."""
    stage = play(**SHORT)
    expired(stage)
    before = stage.counts
    stage.server.script("token", answer_status(503, headers={"Retry-After": "1"}))
    host = stage.host()
    host.request("initialize", initialize_params())
    for _ in range(100):
        host.request("tools/call", CALL)
    wait_until(
        lambda: "result" in host.request("tools/call", CALL) or stage.server.stopped.wait(0.1),
        "a new token",
        seconds=PATIENCE,
    )
    first, second = stage.server.received("token")[-2:]
    assert second.received_at - first.received_at > 0.9
    counts = stage.counts_since(before)
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (0, 0, 2), counts


@pytest.mark.promise("L1")
def test_refused_stream_starts_no_sign_in(play: Callable[..., Stage]) -> None:
    """L13: what the host asks for is public, and it has not asked for the stream."""
    stage = play(public_methods=PUBLIC)
    stage.server.listen = True
    host = stage.host()
    host.initialize()
    stage.server.wait_for("GET")
    for _ in range(50):
        assert "result" in host.request("tools/list")
    assert set(stage.counts.values()) == {0}


@pytest.mark.promise("L2", "P2", "R1")
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_command_that_the_error_names_helps(play: Callable[..., Stage], restart: bool) -> None:
    """It opens a tab whatever was before, and what it has stored serves who asked in vain."""
    stage = play("deny", consent=True)
    host = stage.host()
    refusal(host, LOGIN.format(url=stage.server.url))
    if restart:
        stage.end(host)
        host = stage.host()
        refusal(host, LOGIN.format(url=stage.server.url))
    assert stage.counts["tabs"] == 1
    stage.browser.become("normal")
    stage.login()
    assert call(host)["params"] == CALL
    assert (stage.counts["tabs"], stage.counts["codes"]) == (2, 1)
    # All is forgiven: when this sign-in ends, there is another tab.
    stage.server.end_sign_ins()
    assert call(host)["params"] == CALL
    assert (stage.counts["tabs"], stage.counts["codes"]) == (3, 2)
