"""The device grant, poll by poll: what is told, how long is waited, and when it ends."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from mcp_remote_py.errors import Interrupted, McpRemoteError, NotSent, SignInFailed
from mcp_remote_py.oauth.device import ask_by_code
from mcp_remote_py.oauth.grants import SignInDenied
from mcp_remote_py.oauth.steps import (
    AnyStep,
    Client,
    Credential,
    Fetch,
    HttpResponse,
    Judge,
    Report,
    Wait,
)
from mcp_remote_py.oauth.tokens import GrantRefused, TokenError
from mcp_remote_py.redact import Secret, scrub_known
from tests.oauth.player import play

ENDPOINT = "https://as.example.com/device_authorization"
PENDING = Credential(
    issuer="https://as.example.com",
    token_endpoint="https://as.example.com/token",
    client=Client("client-1", "registered"),
    resource="https://mcp.example.com/mcp",
    scope="read write",
)
URI = "https://as.example.com/device"
CODE: dict[str, object] = {
    "device_code": "canary-device",
    "user_code": "WDJB-MJHT",
    "verification_uri": URI,
    "expires_in": 1800,
    "interval": 5,
}
TOKENS = {"access_token": "canary-access", "expires_in": 60}


def response(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(document).encode())


def pending(error: str = "authorization_pending", status: int = 400) -> HttpResponse:
    return response(status, {"error": error})


class Server:
    """Answers the code once, then the polls from a list, the last for ever; keeps the time."""

    def __init__(self, code: object, *polls: HttpResponse | McpRemoteError) -> None:
        self.code = code if isinstance(code, HttpResponse) else response(200, code)
        self.polls = list(polls)
        self.time = 1000.0
        self.waits: list[float] = []
        self.reports: list[str] = []
        self.judged: list[tuple[str, str]] = []
        self.verdict: McpRemoteError | None = None
        self.forms: list[dict[str, str]] = []

    def __call__(self, step: AnyStep) -> object:
        match step:
            case Wait(seconds):
                self.waits.append(seconds)
                self.time += seconds
            case Report(text):
                assert "canary" not in text
                self.reports.append(text)
            case Judge():
                self.judged.append((step.url, step.what))
                return self.verdict
            case _:
                assert isinstance(step, Fetch)
                assert step.request.body is not None
                self.forms.append(dict(parse_qsl(step.request.body.reveal())))
                if step.request.url == ENDPOINT:
                    return self.code
                return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return None

    def play(self, timeout: float = 300.0) -> Credential:
        return play(ask_by_code(ENDPOINT, PENDING, timeout, lambda: self.time), self)


@pytest.mark.promise("A3")
def test_code_is_told_and_polled_for() -> None:
    server = Server(CODE, pending(), pending(), response(200, TOKENS))
    credential = server.play()
    assert credential == PENDING._replace(
        access_token=Secret("canary-access"), obtained_at=1015.0, expires_at=1075.0
    )
    told = "Open https://as.example.com/device on any device and enter WDJB-MJHT there."
    assert server.reports == [told]
    assert server.waits == [5, 5, 5]
    first, *polls = server.forms
    assert first == {
        "client_id": "client-1",
        "scope": "read write",
        "resource": "https://mcp.example.com/mcp",
    }
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "canary-device",
        "resource": "https://mcp.example.com/mcp",
        "client_id": "client-1",
    }
    assert polls == [poll] * 3
    assert scrub_known("canary-device") == "****"


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ({"data": CODE}, "WDJB-MJHT"),
        ({"deviceCode": "canary-device", "userCode": "A B", "verificationUri": URI}, "A B"),
        (HttpResponse(200, {}, urlencode(CODE).encode()), "WDJB-MJHT"),
        ({**CODE, "user_code": 12345678}, "12345678"),
        ({**CODE, "verification_uri": "", "verification_uri_complete": URI}, "WDJB-MJHT"),
        ({**CODE, "verification_uri": None, "verification_url": URI}, "WDJB-MJHT"),
    ],
)
def test_a_code_is_read_in_other_forms(code: object, told: str) -> None:
    server = Server(code, response(200, TOKENS))
    assert server.play().access_token == Secret("canary-access")
    assert server.reports == [f"Open {URI} on any device and enter {told} there."]
    assert server.judged == [(URI, "verification_uri")]
    assert server.forms[1]["device_code"] == "canary-device"


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (pending("slow_down"), [5, 10, 15]),
        (pending("authorization_pending", 200), [5, 5, 5]),
        (pending("authorization_pending", 428), [5, 5, 5]),
        (response(400, {"code": "authorization_pending", "message": "wait"}), [5, 5, 5]),
        (response(400, {"error": {"code": "slow_down"}}), [5, 10, 15]),
        (HttpResponse(400, {}, b"authorization_pending"), [5, 5, 5]),
        (HttpResponse(400, {}, b'"slow_down"'), [5, 10, 15]),
        (response(408, {}), [5, 10, 20]),
        (response(503, {}), [5, 10, 20]),
        (response(429, {}), [5, 10, 20]),
        (Interrupted("lost"), [5, 10, 20]),
        (NotSent("no route"), [5, 10, 20]),
    ],
)
def test_polls_slow_down(answer: HttpResponse | McpRemoteError, waits: list[float]) -> None:
    server = Server(CODE, answer, answer, response(200, TOKENS))
    server.play()
    assert server.waits == waits


@pytest.mark.parametrize(
    ("interval", "wait"), [(None, 5), ("7", 7), (0, 5), (0.01, 1), (3600, 60), ("soon", 5)]
)
def test_interval_is_bounded_both_ways(interval: object, wait: float) -> None:
    server = Server({**CODE, "interval": interval}, response(200, TOKENS))
    server.play()
    assert server.waits == [wait]


@pytest.mark.promise("A3", "L1")
@pytest.mark.parametrize(
    ("code", "timeout", "polls"),
    [
        (CODE, 60.0, 11),
        ({**CODE, "expires_in": 20}, 60.0, 3),
        ({**CODE, "expires_in": None, "interval": 30}, 1e9, 19),
    ],
)
def test_nobody_enters_the_code(code: object, timeout: float, polls: int) -> None:
    server = Server(code, pending())
    with pytest.raises(SignInFailed, match=r"in time\. What was sent to") as caught:
        server.play(timeout)
    assert len(server.waits) == polls
    assert "mcp-remote-py login" in caught.value.hint


def put_off(seconds: str, error: str = "", status: int = 429) -> HttpResponse:
    answer = pending(error, status) if error else response(status, {})
    return answer._replace(headers={**answer.headers, "retry-after": seconds})


@pytest.mark.promise("A3", "L5")
@pytest.mark.report("O27")
@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (put_off("90"), [5, 90, 20]),
        (put_off("90", status=503), [5, 90, 20]),
        (put_off("6"), [5, 10, 20]),
        (put_off("90", "slow_down", 400), [5, 90, 15]),
        (put_off("90", "authorization_pending", 400), [5, 90, 5]),
    ],
)
def test_wait_that_the_server_asks_for_holds_for_one_poll(
    answer: HttpResponse, waits: list[float]
) -> None:
    again = answer._replace(headers={})
    server = Server(CODE, answer, again, response(200, TOKENS))
    server.play()
    assert server.waits == waits


@pytest.mark.promise("A3", "P2")
@pytest.mark.report("O27")
@pytest.mark.parametrize(
    ("timeout", "limit", "again"),
    [
        (3600.0, "the code is good for", "again then: mcp-remote-py login URL."),
        (
            300.0,
            "--auth-timeout allows",
            "again: mcp-remote-py login URL; --auth-timeout gives more time.",
        ),
    ],
)
def test_server_that_asks_to_wait_longer_than_the_code_lives(
    timeout: float, limit: str, again: str
) -> None:
    server = Server(CODE, put_off("3000"))
    with pytest.raises(SignInFailed) as caught:
        server.play(timeout)
    assert caught.value.cause == (
        "The token endpoint https://as.example.com/token has too much to do: it asks to wait for "
        f"longer than {limit}."
    )
    assert caught.value.hint == (
        f"It asks to wait for 50 minutes, until 01:06:45 UTC. To try {again}"
    )
    assert server.waits == [5]


@pytest.mark.promise("A3", "P2")
def test_code_that_ends_before_the_usual_wait_has_expired_as_any_other() -> None:
    server = Server({**CODE, "expires_in": 8}, put_off("3000"))
    with pytest.raises(SignInFailed, match="Nobody entered the code in time"):
        server.play()


@pytest.mark.promise("A3", "L1")
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (pending("access_denied"), SignInDenied, "was declined"),
        (pending("authorization_declined"), SignInDenied, "was declined"),
        (response(400, {"code": "access_denied"}), SignInDenied, "was declined"),
        (response(400, {"code": "expired_token"}), SignInFailed, "in time"),
        (pending("expired_token"), SignInFailed, "in time"),
        (pending("code_expired"), SignInFailed, "in time"),
        (pending("invalid_grant"), GrantRefused, "invalid_grant"),
        (pending("invalid_client", 401), GrantRefused, "invalid_client"),
        (pending("invalid_scope"), TokenError, "invalid_scope"),
        (response(200, {}), TokenError, "without an access token"),
    ],
)
def test_polls_end_at_any_verdict(
    answer: HttpResponse, kind: type[McpRemoteError], words: str
) -> None:
    server = Server(CODE, answer)
    with pytest.raises(kind, match=words):
        server.play()
    assert len(server.waits) == 1


@pytest.mark.promise("A3")
@pytest.mark.parametrize("secret", [None, Secret("canary-secret")])
@pytest.mark.parametrize("status", [200, 400])
def test_refused_request_for_a_code(status: int, secret: Secret | None) -> None:
    refusal = {"error": "invalid_client", "error_description": "no"}
    if secret is not None:
        refusal["error_description"] = "canary-secret"
    client = Client("id", "static", secret, "none" if secret is None else "client_secret_post")
    server = Server(response(status, refusal))
    with pytest.raises(GrantRefused, match=r"^The device authorization endpoint https") as caught:
        play(ask_by_code(ENDPOINT, PENDING._replace(client=client), 60, lambda: 0.0), server)
    assert "canary" not in caught.value.sentence()
    assert server.waits == []


@pytest.mark.parametrize(
    "change",
    [
        {"device_code": None},
        {"device_code": ""},
        {"user_code": True},
        {"user_code": ["5"]},
        {"user_code": " 5"},
        {"user_code": "two\nlines"},
        {"user_code": "x" * 65},
        {"verification_uri": None},
    ],
)
def test_answer_without_a_usable_code(change: dict[str, object]) -> None:
    with pytest.raises(SignInFailed, match="without a code that can be used") as caught:
        Server({**CODE, **change}).play()
    assert "--device-code" in caught.value.hint
    assert "canary" not in caught.value.sentence()


def test_older_spelling_of_the_address() -> None:
    code = {**CODE, "verification_uri": None, "verification_url": "https://g.example/device"}
    server = Server(code, response(200, TOKENS))
    server.play()
    assert server.reports[0].startswith("Open https://g.example/device on")


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "http://plain.example/", "https://a.example/\x1b[31m", "file:///x"],
)
def test_people_are_sent_to_safe_addresses_only(uri: str) -> None:
    server = Server({**CODE, "verification_uri": uri})
    with pytest.raises(SignInFailed, match=r"verification_uri .* must not be used"):
        server.play()
    assert server.reports == []


@pytest.mark.report("S7")
def test_page_is_judged_before_the_person_is_told_of_it() -> None:
    server = Server(CODE, response(200, TOKENS))
    server.verdict = SignInFailed("It leads inside.", hint="Add an option.")
    with pytest.raises(SignInFailed, match="leads inside"):
        server.play()
    assert server.judged == [("https://as.example.com/device", "verification_uri")]
    assert server.reports == []
    assert len(server.forms) == 1
