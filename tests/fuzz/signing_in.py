"""What comes from servers and browsers in a sign-in: challenges, documents, tokens, callbacks.

Whatever is said to a person is one printable line without a secret; whatever is used is safe to
use. Must not know corpora.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Generator
from typing import Any, cast

import h11

from mcp_remote_py import redact
from mcp_remote_py.errors import MAX_EXCERPT_LENGTH, McpRemoteError, SignInFailed, one_line
from mcp_remote_py.oauth.challenge import MAX_CHALLENGE_LENGTH, Challenge, parse_challenge
from mcp_remote_py.oauth.claims import (
    MAX_TIME,
    account_of,
    describe_jwt,
    explain_mismatch,
    read_claims,
)
from mcp_remote_py.oauth.document import MAX_WAIT, decode_document
from mcp_remote_py.oauth.metadata import (
    MAX_METADATA_URL_LENGTH,
    ServerMetadata,
    judge_resource,
    judge_server,
)
from mcp_remote_py.oauth.pasted_redirect import parse_pasted_redirect
from mcp_remote_py.oauth.steps import Client, Credential, HttpResponse
from mcp_remote_py.oauth.tokens import (
    MAX_LIFETIME,
    TokenError,
    measure_skew,
    parse_token_answer,
    read_nonce,
)
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.signin.callback import CallbackListener
from mcp_remote_py.signin.page import render_outcome, render_stranger
from mcp_remote_py.signin.ports import Outcome
from mcp_remote_py.url import parse_url
from tests.fuzz.cuts import choose, cut, split_off

NOW = 1_800_000_000.0
SENT = Secret("canary-code-8fj2kd92")
MAX_SENTENCE = 2000


def check_sentence(error: McpRemoteError) -> None:
    """One printable line of bounded length, without what was sent."""
    sentence = error.sentence()
    assert sentence.isprintable()
    assert len(sentence) <= MAX_SENTENCE
    assert SENT.reveal() not in sentence


# ------------------------------------------------------------------ WWW-Authenticate

_URL = re.compile(r"(?:https?://[^\s/?#]|/(?!/))[!-~]*", re.IGNORECASE)


def check_challenge(data: bytes) -> None:
    """Whatever is written is a challenge of printable words; what is quoted is read again."""
    value = data.decode("utf-8", "replace") if data[:1] > b"\x7f" else data.decode("latin-1")
    check_words(parse_challenge(value))
    if len(value) > MAX_CHALLENGE_LENGTH // 4 or not value:
        return
    quoted = re.sub(r'(["\\])', r"\\\1", value)
    for scheme in ("Bearer", "bearer", "DPoP"):
        for before in ("", 'Basic realm="a, b=\\"c", ', "Negotiate abc==, "):
            found = parse_challenge(f'{before}{scheme} scope="{quoted}", error="{quoted}"')
            assert found.scope == (one_line(value) or None)
            assert found.error == one_line(value)
    after = parse_challenge(f'Bearer scope="a", {value}')
    assert _is_url(after.resource_metadata)


def check_words(challenge: Challenge) -> None:
    words = [challenge.scope or "", *(challenge.dpop_algorithms or ()), challenge.dpop_error]
    words += [challenge.error, challenge.error_description]
    for word in words:
        assert word.isprintable()
        assert len(word) <= MAX_CHALLENGE_LENGTH
    assert _is_url(challenge.resource_metadata)
    assert challenge.scope != ""


def _is_url(metadata: str) -> bool:
    return not metadata or _URL.fullmatch(metadata) is not None


# ------------------------------------------------------------------ metadata

SERVER = parse_url("https://mcp.example/mcp")
ISSUER = "https://login.example/tenant"


def check_metadata(data: bytes) -> None:
    """A document is refused in a sentence, or all that is used of it is safe to use."""
    document = decode_document(data)
    if document is None:
        return
    settings = SignInSettings()
    with _told():
        resource = judge_resource(document, SERVER, settings)
        named = parse_url(resource.resource)
        assert named.origin == SERVER.origin
        assert named.target.rstrip("/") in ("", "/mcp")
        _check_texts(resource.authorization_servers, resource.scopes_supported)
        _check_flaws(resource.flaws)
    for each in (settings, settings.replace(device_code=True)):
        with _told():
            server = judge_server(document, ISSUER, each)
            assert server.issuer.rstrip("/") == ISSUER
            check_endpoints(server)
            _check_texts(server.scopes_supported, server.grant_types, server.response_types)
            _check_flaws(server.flaws)
            if server.authorization_endpoint and not each.device_code:
                assert "S256" in cast("Any", document.get("code_challenge_methods_supported"))


def check_endpoints(server: ServerMetadata) -> None:
    assert server.token_endpoint
    for url in (
        server.authorization_endpoint,
        server.token_endpoint,
        server.registration_endpoint,
        server.revocation_endpoint,
        server.device_authorization_endpoint,
    ):
        assert not url or (parse_url(url).is_protected and re.fullmatch("[!-~]+", url))
        assert len(url) <= MAX_METADATA_URL_LENGTH


def _check_texts(*lists: tuple[str, ...] | None) -> None:
    for each in lists:
        assert all(isinstance(word, str) for word in each or ())


def _check_flaws(flaws: tuple[tuple[str, str], ...]) -> None:
    for _, sentence in flaws:
        assert sentence.isprintable()
        assert len(sentence) <= MAX_SENTENCE


@contextlib.contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except SignInFailed as error:
        check_sentence(error)


# ------------------------------------------------------------------ token answers


def check_tokens(data: bytes) -> None:
    """Tokens that a header can carry, or one sentence without what was sent."""
    way, content = split_off(data)
    status = choose(way & 7, 200, 400, 401, 403, 429, 500, 302, 201)
    head, _, body = content.partition(b"\n\n") if way & 8 else (b"", b"", content)
    headers = dict(
        cast("tuple[str, str]", tuple(line.split(": ", 1)))
        for line in head.decode("latin-1").split("\n")
        if ": " in line
    )
    response = HttpResponse(status, {name.lower(): one for name, one in headers.items()}, body)
    measure_skew(response, NOW)
    assert isinstance(read_nonce(response), str)
    try:
        found = parse_token_answer(
            response, NOW, secrets=(SENT,), proven=bool(way & 16), timed=bool(way & 32)
        )
    except TokenError as error:
        _check_refusal(error, status)
        return
    assert 200 <= status < 300
    assert re.fullmatch(r"[!-~]+", found.access_token.reveal())
    assert repr(found) == repr(found._replace(access_token=Secret("another")))
    if found.expires_at is not None:
        assert NOW <= found.expires_at <= NOW + MAX_LIFETIME
    if found.scope is not None:
        assert found.scope.isprintable()
    assert (found.token_type == "DPoP") <= bool(way & 16)
    for secret in (found.refresh_token, found.id_token):
        assert secret is None or secret.reveal()


def _check_refusal(error: TokenError, status: int) -> None:
    check_sentence(error)
    assert error.status == status
    assert error.retry_after is None or 0 <= error.retry_after <= MAX_WAIT
    assert abs(error.skew) < 1e12


# ------------------------------------------------------------------ JWTs


def check_jwt(data: bytes) -> None:
    """What a token claims is said on one line, and no part of the token is."""
    way, content = split_off(data)
    if way & 1:
        payload = base64.urlsafe_b64encode(content).decode().rstrip("=")
        token = Secret(f"eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl")
    else:
        token = Secret(content.decode("latin-1"))
    claims = read_claims(token)
    for time in (claims.expires_at, claims.not_before, claims.issued_at):
        assert time is None or 0 <= time <= MAX_TIME
    said = [
        describe_jwt(token, NOW),
        explain_mismatch(
            token,
            issuer=choose(way >> 1, "", "https://login.example", "https://a/{tenantid}/v2"),
            resource=choose(way >> 3, "", "https://mcp.example/mcp"),
            scope=choose(way >> 4, "", "read api://x/write"),
            now=NOW,
        ),
    ]
    credential = Credential(
        "https://a.example", "https://a.example/token", Client("c", "static"), access_token=token
    )
    said.append(account_of(credential))
    assert len(said[-1]) <= MAX_EXCERPT_LENGTH
    for text in said:
        assert text.isprintable()
        assert len(text) <= MAX_SENTENCE
        for part in token.reveal().split("."):
            is_claim = bool(way & 1) and part.encode("latin-1") in content
            assert len(part) < 12 or part not in text or is_claim
    if len(said[1]) > 0:
        assert said[1].endswith(".")


# ------------------------------------------------------------------ what a browser brings

STATE = "state-canary-7Zq"
PORT = 4711
SUCCESS_URL = "https://app.example/connected"
_AUTHORITIES = {f"{host}:{PORT}" for host in ("localhost", "127.0.0.1", "[::1]")}
_KNOWN_HEADERS = {
    *(b"cache-control", b"content-security-policy", b"referrer-policy", b"x-content-type-options"),
    *(b"connection", b"content-type", b"content-length", b"allow", b"location"),
}


class _Visitor:
    """The writing side of a connection; it keeps what it is given."""

    def __init__(self) -> None:
        self.written = b""
        self.transport = self

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        pass

    async def drain(self) -> None:
        pass

    def abort(self) -> None:
        pass


def check_callback(data: bytes) -> None:
    """A fixed page for any request; only one with the state, at the right name, is the callback."""
    way, content = split_off(data)
    answer, parameters = asyncio.run(_visit(content, way))
    check_page(answer, content)
    if parameters is not None:
        assert parameters["state"] == STATE
        request = content.decode("latin-1").lower().lstrip("\r\n")
        head = re.split(r"\n\r?\n", request, maxsplit=1)[0]
        assert head.startswith("get /oauth/callback?")
        hosts = re.findall(r"^host:[ \t]*(.*?)[ \t]*\r?$", head, re.MULTILINE)
        assert len(hosts) == 1
        assert hosts[0] in _AUTHORITIES
    with contextlib.suppress(McpRemoteError), forgetting():
        pasted = parse_pasted_redirect(content.decode("utf-8", "replace"))
        assert "state" in pasted.parameters


@contextlib.contextmanager
def forgetting() -> Generator[None]:
    """What is learnt inside is not scrubbed from later messages: it may be any word."""
    known = redact._known  # pyright: ignore[reportPrivateUsage]
    tokens = redact._tokens  # pyright: ignore[reportPrivateUsage]
    before, tokens_before = set(known), dict(tokens)
    try:
        yield
    finally:
        known.intersection_update(before)
        tokens.clear()
        tokens.update(tokens_before)
        redact._parts = None  # pyright: ignore[reportPrivateUsage]


async def _visit(content: bytes, way: int) -> tuple[bytes, dict[str, str] | None]:
    listener = CallbackListener(success_url=SUCCESS_URL if way & 64 else None)
    listener._port = PORT  # pyright: ignore[reportPrivateUsage]
    listener.expect(Secret(STATE), "Linear")
    await listener.finish(Outcome.DONE)
    reader, visitor = asyncio.StreamReader(), _Visitor()
    for piece in cut(content, way):
        reader.feed_data(piece)
    reader.feed_eof()
    serve: Any = listener._serve  # pyright: ignore[reportPrivateUsage]
    await serve(reader, visitor)
    flow: Any = listener._flow  # pyright: ignore[reportPrivateUsage]
    found = dict(flow.callback.result().parameters) if flow.callback.done() else None
    await listener.aclose()
    return visitor.written, found


def check_page(answer: bytes, content: bytes) -> None:
    if not answer:
        return
    browser = h11.Connection(h11.CLIENT)
    # A request that is broken after its first word is refused with a page.
    is_bare = content.lstrip(b"\r\n").startswith(b"HEAD ") and answer.endswith(b"\r\n\r\n")
    method = "HEAD" if is_bare else "GET"
    browser.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    browser.send(h11.EndOfMessage())
    browser.receive_data(answer)
    browser.receive_data(b"")
    head, body = browser.next_event(), b""
    assert isinstance(head, h11.Response)
    assert head.status_code in (200, 204, 303, 400, 404, 405, 421, 431)
    headers = dict(head.headers)
    assert headers.keys() <= _KNOWN_HEADERS
    assert (b"location" in headers) == (head.status_code == 303)
    assert headers.get(b"location", SUCCESS_URL.encode()) == SUCCESS_URL.encode()
    while isinstance(event := browser.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert browser.next_event() in (h11.PAUSED, h11.ConnectionClosed())
    good = render_outcome(Outcome.DONE, "Linear", "")
    assert body in (b"", render_stranger(), good)
    is_good = body == good or head.status_code == 303
    assert is_good <= (STATE.encode() in content or b"%" in content)
