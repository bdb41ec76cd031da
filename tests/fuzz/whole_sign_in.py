"""A whole sign-in whose servers answer with any bytes: who is asked what, and how it ends.

Whatever they say, the number of requests has a bound, every address is safe, a code and its
verifier go to the token endpoint that was named before the person was asked, and an end is a
credential or one sentence. So it is where a person signs in elsewhere, with a code. Must not know
corpora.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.challenge import Challenge
from mcp_remote_py.oauth.device import ask_by_code
from mcp_remote_py.oauth.flow import finish, prepare
from mcp_remote_py.oauth.steps import (
    AnyStep,
    BindListener,
    Callback,
    Client,
    Credential,
    Fetch,
    HttpRequest,
    HttpResponse,
    Judge,
    PendingAuthorization,
    Report,
    Save,
    Wait,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import parse_url
from tests.fuzz.cuts import choose, split_off
from tests.fuzz.signing_in import NOW, check_sentence, forgetting
from tests.oauth.player import play

SERVER = "https://mcp.example/mcp"
REDIRECT_URIS = ("http://localhost:3334/oauth/callback", "http://127.0.0.1:3334/oauth/callback")
CODE = "canary-code-of-the-callback"
BETWEEN = b"\n--\n"


def join_answers(*conversations: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Inputs of these answers, each asked for in another way."""
    return tuple(bytes([way]) + BETWEEN.join(parts) for way, parts in enumerate(conversations))


MAX_FETCHES = 60
"""Of one sign-in: measured 40, where each document is looked for at each place in vain."""

_ONCE = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "resource")
"""Parameters of an authorization request that must not be there twice (RFC 6749 §3.1)."""


class Servers:
    """All servers of the sign-in: the answers are those of the input, by what is asked for."""

    def __init__(self, content: bytes) -> None:
        self._answers = [_read(part) for part in content.split(BETWEEN)]
        self.fetches: list[HttpRequest] = []
        self.saved: Credential | None = None
        self._drawn = 0

    def random_bytes(self, count: int) -> bytes:
        self._drawn += 1
        return bytes([self._drawn]) * count

    def __call__(self, step: AnyStep) -> object:
        match step:
            case Fetch(request):
                self.fetches.append(request)
                assert len(self.fetches) <= MAX_FETCHES
                _check_address(request.url)
                return self._answer(request)
            case Save(credential):
                self.saved = credential
            case BindListener():
                return REDIRECT_URIS
            case Report(text):
                assert text.isprintable()
                assert CODE not in text
            case Judge(url):
                _check_address(url)
            case _:
                pass
        return None

    def _answer(self, request: HttpRequest) -> HttpResponse:
        body = request.body.reveal() if request.body is not None else ""
        if "oauth-protected-resource" in request.url:
            place = 0
        elif "/.well-known/" in request.url:
            place = 1
        elif "redirect_uris" in body:
            place = 2
        else:
            place = 3 if "grant_type=" in body else 4
        return self._answers[place] if place < len(self._answers) else HttpResponse(404, {}, b"")


def _read(part: bytes) -> HttpResponse:
    """`404`, header lines, an empty line and a body; or the body of a 200 alone."""
    if match := re.match(rb"(\d{3})\n((?:[A-Za-z-]+: [^\n]*\n)*)\n", part):
        lines = (line.split(": ", 1) for line in match[2].decode("latin-1").splitlines())
        headers = {line[0].lower(): line[1] for line in lines if len(line) == 2}
        return HttpResponse(int(match[1]), headers, part[match.end() :])
    return HttpResponse(200, {"content-type": "application/json"}, part)


def _check_address(url: str) -> None:
    """It may be sent secrets, and is text of a URL to a shell, a header and a log."""
    assert re.fullmatch("[!-~]+", url), url
    assert parse_url(url).is_protected, url


def check_sign_in(data: bytes) -> None:
    """See above."""
    way, content = split_off(data)
    settings = choose(
        way,
        SignInSettings(),
        SignInSettings(static_client=Secret('{"client_id":"by-hand"}')),
        SignInSettings(use_id_token=True),
        SignInSettings(trusted_issuers=("https://login.example",), scope="a"),
    )
    servers = Servers(content)
    challenge = Challenge(scope=choose(way >> 2, None, "read", "a b"))
    with forgetting():
        try:
            pending = play(
                prepare(SERVER, challenge, settings, servers.random_bytes, lambda: NOW), servers
            )
            _check_request(pending)
            before = len(servers.fetches)
            given = {"code": CODE, "state": pending.state.reveal()}
            parts = content.split(BETWEEN)
            given |= dict(parse_qsl((parts[5] if len(parts) > 5 else b"").decode("latin-1")))
            credential = play(finish(pending, Callback(given), settings, NOW), servers)
        except McpRemoteError as error:
            _check_end(error)
            return
    assert servers.saved is not None
    assert given["state"] == pending.state.reveal()
    assert credential.access_token is not None
    assert re.fullmatch("[!-~]+", credential.access_token.reveal())
    endpoint = parse_url(pending.credential.token_endpoint)
    for request in servers.fetches[before:]:
        if request.body is not None and "code_verifier" in request.body.reveal():
            assert parse_url(request.url).origin == endpoint.origin
    for request in servers.fetches[:before]:
        assert request.body is None or pending.verifier.reveal() not in request.body.reveal()


def _check_end(error: McpRemoteError) -> None:
    check_sentence(error)
    assert CODE not in error.sentence()


def _check_request(pending: PendingAuthorization) -> None:
    """What a browser opens: safe, and with each parameter of ours once, as we meant it."""
    _check_address(pending.url)
    pairs = parse_qsl(urlsplit(pending.url).query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in _ONCE:
        assert names.count(name) <= 1, f"{name} is there twice: {pending.url}"
    given = dict(pairs)
    assert given["state"] == pending.state.reveal()
    assert given["code_challenge_method"] == "S256"
    assert given["redirect_uri"] in REDIRECT_URIS
    assert given["response_type"] == "code"
    assert given["client_id"] == pending.credential.client.client_id
    assert pending.verifier.reveal() not in pending.url


# ------------------------------------------------------------------ with a code, elsewhere

DEVICE_ENDPOINT = "https://login.example/device"
DEVICE_CODE = "canary-device-8fj2kd92"
TIMEOUT = 40.0
"""Seconds: with a poll in each, all steps of the conversation that a player allows."""

_CLIENTS = (
    Client("c", "registered"),
    Client("c", "static", Secret("canary-secret/+="), "client_secret_basic"),
)


class DeviceServers:
    """The answers in their order, the last for ever; and the time, which only a wait moves."""

    def __init__(self, content: bytes, endpoint: str, token_endpoint: str) -> None:
        self._answers = [_read(part) for part in content.split(BETWEEN)]
        self._endpoint = endpoint
        self._origins = {parse_url(one).origin for one in (endpoint, token_endpoint)}
        self.time = NOW
        self.judged: list[str] = []
        self.told: list[str] = []
        self.codes: list[str] = []
        """Of each poll, what the server gave to poll with."""

    def __call__(self, step: AnyStep) -> object:
        match step:
            case Wait(seconds):
                assert seconds > 0
                self.time += seconds
                assert self.time <= NOW + TIMEOUT
            case Judge(url):
                _check_address(url)
                self.judged.append(url)
            case Report(text):
                assert text.isprintable()
                self.told.append(text)
            case Fetch(request):
                _check_address(request.url)
                assert parse_url(request.url).origin in self._origins
                assert request.body is not None
                form = dict(parse_qsl(request.body.reveal(), keep_blank_values=True))
                if "device_code" in form:
                    assert self.told, "nobody knows of the code yet"
                    self.codes.append(form["device_code"])
                    return self._answers[min(len(self.codes), len(self._answers) - 1)]
                return self._answers[0]
            case _:
                raise AssertionError(step)
        return None


def check_device(data: bytes) -> None:
    """Tokens or one sentence in the time there is; what a person opens was judged before."""
    way, content = split_off(data)
    credential = Credential(
        issuer="https://login.example",
        token_endpoint="https://login.example/t",
        client=choose(way, *_CLIENTS),
        resource=choose(way >> 1, SERVER, ""),
        scope=choose(way >> 2, "", "read write"),
    )
    servers = DeviceServers(content, DEVICE_ENDPOINT, credential.token_endpoint)
    with forgetting():
        try:
            found = play(
                ask_by_code(DEVICE_ENDPOINT, credential, TIMEOUT, lambda: servers.time), servers
            )
        except McpRemoteError as error:
            check_sentence(error)
            said = error.sentence()
        else:
            assert servers.codes
            assert found.access_token is not None
            assert re.fullmatch("[!-~]+", found.access_token.reveal())
            said = ""
        # The first that is told is the server's own to choose: an address and a code.
        for text in (said, *servers.told[1:]):
            assert DEVICE_CODE not in servers.codes or DEVICE_CODE not in text
            assert "canary-secret" not in text
    assert not servers.codes or len(servers.judged) == 1
