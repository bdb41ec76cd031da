"""Signed requests over real sockets: each is what botocore would have signed, and no more leave.

The judge is `signed_server`. Must not know how a signature is made, nor where keys come from.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from mcp_remote_py.aws.keys import AwsKeys
from mcp_remote_py.clock import LoopClock
from mcp_remote_py.errors import ExchangeError, McpRemoteError, Refused, Unusable
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.redact import Secret
from mcp_remote_py.signing.signer import AwsSigner
from mcp_remote_py.transports.client import HttpClient
from mcp_remote_py.transports.signed import MAX_SIGNED_AGAIN
from mcp_remote_py.url import ServerUrl, parse_url
from tests.fakes import run
from tests.peers.signed_server import (
    EXPIRED_TOKEN,
    FORBIDDEN,
    INVALID_TOKEN,
    KEY_ID,
    MISMATCH,
    OTHER_KEY_ID,
    OTHER_SECRET_KEY,
    SECRET_KEY,
    TOKEN,
    Rejection,
    SignedServer,
)
from tests.peers.wild_server import Exchange, WildServer, encode, redirect
from tests.signing.fake_chain import FakeChain
from tests.transports.peers import ForwardProxy, client_for

pytestmark = pytest.mark.promise("AWS1")

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}'
KEYS = AwsKeys(KEY_ID, Secret(SECRET_KEY))
OTHER_KEYS = AwsKeys(OTHER_KEY_ID, Secret(OTHER_SECRET_KEY), Secret(TOKEN))
JSON = (b"content-type", b"application/json")


@pytest.fixture
def server() -> Iterator[SignedServer]:
    with SignedServer() as server:
        yield server


def signer_of(*found: AwsKeys | McpRemoteError) -> tuple[AwsSigner, FakeChain]:
    chain = FakeChain(*found)
    return AwsSigner(chain, "lambda", "eu-west-1", LoopClock(), time.time), chain


def play(
    url: str,
    scene: Callable[[HttpClient], Awaitable[None]],
    *found: AwsKeys | McpRemoteError,
    **more: Any,
) -> FakeChain:
    signer, chain = signer_of(*(found or (KEYS,)))

    async def main() -> None:
        client = await client_for(url, more.pop("headers", None), signer=signer, **more)
        try:
            await scene(client)
        finally:
            await client.aclose()

    run(main())
    return chain


async def ask(
    client: HttpClient, body: bytes | list[bytes] = CALL, verb: bytes = b"POST", **more: Any
) -> bytes:
    """One exchange; a refusal is raised."""
    pieces = [body] if isinstance(body, bytes) else body
    asked = parse_message(CALL) if body == CALL else None
    response = await client.request(verb, [JSON], pieces, asked=asked, **more)
    try:
        if response.status >= 300:
            raise await client.fail(response, request=asked, session_sent=False)
        return await response.read(1 << 24)
    finally:
        await response.aclose()


def refusal(url: str, *found: AwsKeys | McpRemoteError, **more: Any) -> ExchangeError:
    errors: list[ExchangeError] = []

    async def scene(client: HttpClient) -> None:
        with pytest.raises(ExchangeError) as caught:
            await ask(client)
        errors.append(caught.value)

    play(url, scene, *found, **more)
    (error,) = errors
    assert "canary" not in error.sentence()
    return error


# ------------------------------------------------------------------ what is signed


@pytest.mark.parametrize(
    "body",
    [
        [],
        [b""],
        [b"x"],
        [b"a" * 65536],
        [b"b" * (1 << 20), b"", b"c" * ((1 << 20) + 1)],
    ],
    ids=["none", "0", "1", "64KiB", "2MiB in pieces"],
)
def test_bodies_of_every_size(server: SignedServer, body: list[bytes]) -> None:
    async def scene(client: HttpClient) -> None:
        await ask(client, body)

    server.always("POST", lambda exchange: exchange.reply(202))
    play(server.url, scene)
    (got,) = server.requests
    assert got.body == b"".join(body)


@pytest.mark.parametrize(
    "path",
    [
        "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A1234%3Aruntime%2Fdesk/invocations"
        "?qualifier=DEFAULT",
        "/a//b/../c/./d/?b=2&a=1&a=0&empty=&bare",
        "/with%20blank/~tilde?q=a+b&r=a%20b&s=%C3%A9",
        "/",
    ],
)
def test_paths_and_queries(path: str) -> None:
    async def scene(client: HttpClient) -> None:
        await ask(client)

    with SignedServer(path=path) as server:
        play(server.url, scene)
        assert len(server.received("tools/call")) == 1


@pytest.mark.parametrize("verb", [b"POST", b"GET", b"DELETE"])
def test_every_verb_with_the_headers_of_a_session(server: SignedServer, verb: bytes) -> None:
    async def scene(client: HttpClient) -> None:
        headers = [
            (b"mcp-session-id", b"session  with   blanks"),
            (b"mcp-protocol-version", b"2025-11-25"),
            (b"last-event-id", b"e-7"),
        ]
        response = await client.request(verb, headers, [CALL] if verb == b"POST" else [])
        await response.aclose()
        assert response.status in (200, 405)

    play(server.url, scene)
    (got,) = server.requests
    signed = got.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert {"mcp-session-id", "last-event-id", "host", "x-amz-date"} <= set(signed.split(";"))


def test_a_persons_headers_and_cookies_are_signed(server: SignedServer) -> None:
    async def scene(client: HttpClient) -> None:
        await ask(client)
        await ask(client)

    def set_cookie(exchange: Exchange) -> None:
        exchange.reply(200, b"{}", headers={"Set-Cookie": "balancer=one; Path=/"})

    server.script("tools/call", set_cookie)
    play(server.url, scene, headers={"X-Team": "desk   two", "X-Amz-Custom": "mine"})
    assert server.requests[1].headers["cookie"] == "balancer=one"
    for got in server.requests:
        assert got.headers["x-team"] == "desk   two"
        names = got.headers["authorization"].partition("SignedHeaders=")[2]
        assert "x-team" in names
        assert "x-amz-custom" in names


def test_a_redirect_within_the_origin_is_signed_anew(server: SignedServer) -> None:
    async def scene(client: HttpClient) -> None:
        await ask(client)

    server.script("tools/call", redirect(307, "/mcp/?way=2"))
    play(server.url, scene)
    assert [one.path for one in server.requests] == ["/mcp", "/mcp/?way=2"]
    assert not server.rejections


def test_a_host_that_others_share_leads_to_no_other_path(server: SignedServer) -> None:
    """A runtime of AgentCore is beside all the others of the region."""

    class Shared(AwsSigner):
        def shares_host(self, url: ServerUrl) -> bool:
            return True

    async def main() -> None:
        signer = Shared(FakeChain(KEYS), "lambda", "eu-west-1", LoopClock(), time.time)
        client = await client_for(server.url, signer=signer)
        await ask(client)
        for lead in ("/runtimes/other/invocations", "/mcp/../x", "/%6Dcp"):
            server.script("tools/call", redirect(307, lead))
            with pytest.raises(Unusable, match="leads to another path of its host") as caught:
                await ask(client)
            assert "put that URL into the config entry" in caught.value.hint
        with pytest.raises(Unusable, match="leads to another path"):
            await ask(client, endpoint=parse_url(f"{server.origin}/messages"))
        await client.aclose()

    server.script("tools/call", redirect(307, "/mcp/?qualifier=DEFAULT"))
    run(main())
    assert {one.path.partition("?")[0] for one in server.requests} == {"/mcp", "/mcp/"}


def test_nothing_is_signed_for_another_origin(server: SignedServer) -> None:
    with WildServer() as other:
        server.script("tools/call", redirect(307, other.url))
        error = refusal(server.url)
        assert isinstance(error, Unusable)
        assert "another place" in error.cause
        assert not other.requests


def test_through_a_proxy_the_same_is_signed(server: SignedServer) -> None:
    """What a proxy is told is none of it: the whole URL, and who we are there."""

    async def scene(client: HttpClient) -> None:
        await ask(client)

    with ForwardProxy("user:canary-81") as proxy:
        play(server.url, scene, http_proxy=Secret(f"http://user:canary-81@{proxy.authority}"))
        assert len(proxy.requests) == 1
    (got,) = server.requests
    assert "proxy-authorization" not in got.headers["authorization"]


def test_what_takes_long_before_a_request_leaves_does_not_age_its_signature(
    server: SignedServer,
) -> None:
    """The time in it is asked for when there is a connection."""
    asked_at: list[float] = []
    connected_at: list[float] = []

    class Noting(AwsSigner):
        def time(self) -> float:
            asked_at.append(time.monotonic())
            return super().time()

    async def main() -> None:
        signer = Noting(FakeChain(KEYS), "lambda", "eu-west-1", LoopClock(), time.time)
        client = await client_for(
            server.url,
            signer=signer,
            on_connected=lambda _: connected_at.append(time.monotonic()),
        )
        await ask(client)
        await client.aclose()

    run(main())
    assert asked_at[-1] >= connected_at[0]


# ------------------------------------------------------------------ refusals


def test_rotated_keys_are_taken_and_the_request_is_sent_once_more(server: SignedServer) -> None:
    async def scene(client: HttpClient) -> None:
        await ask(client)
        server.keys = {OTHER_KEY_ID: (OTHER_SECRET_KEY, TOKEN)}
        chain.stamp = 1
        await ask(client)
        await ask(client)

    signer, chain = signer_of(KEYS, OTHER_KEYS)

    async def main() -> None:
        client = await client_for(server.url, signer=signer)
        await scene(client)
        await client.aclose()

    run(main())
    assert chain.asked == 2
    assert len(server.rejections) == 1
    assert len(server.requests) == 3


def test_a_wrong_clock_is_mended(server: SignedServer) -> None:
    async def scene(client: HttpClient) -> None:
        for _ in range(3):
            await ask(client)

    server.ahead = 4000
    play(server.url, scene)
    assert len(server.rejections) == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "rejection",
    [INVALID_TOKEN, EXPIRED_TOKEN, MISMATCH, FORBIDDEN, Rejection("X", "Signature expired: 2026")],
    ids=lambda one: one.error,
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_who_always_refuses_gets_a_bounded_number_of_requests(
    server: SignedServer, rejection: Rejection, status: int
) -> None:
    reject = server.reject
    server.rejection = rejection
    server.reject = lambda exchange, found: reject(exchange, found, status)  # type: ignore[method-assign]
    server.ahead = 5000
    error = refusal(server.url, *(AwsKeys(f"AKID{n}", Secret(f"canary{n}")) for n in range(9)))
    assert isinstance(error, Refused)
    assert len(server.rejections) <= 1 + MAX_SIGNED_AGAIN
    assert rejection.words[:60] in error.cause


def test_a_signer_that_always_has_something_new_is_not_asked_for_ever(
    server: SignedServer,
) -> None:
    class Hopeful(AwsSigner):
        async def refused(self, used: Any, status: int, headers: Any, body: bytes) -> bool:
            return True

    async def main() -> None:
        signer = Hopeful(FakeChain(KEYS), "lambda", "eu-west-1", LoopClock(), time.time)
        client = await client_for(server.url, signer=signer)
        with pytest.raises(Refused):
            await ask(client)
        await client.aclose()

    server.rejection = FORBIDDEN
    run(main())
    assert len(server.rejections) == 1 + MAX_SIGNED_AGAIN


def test_awss_own_words_with_whose_key_it_was_and_the_next_step(server: SignedServer) -> None:
    server.rejection = INVALID_TOKEN
    error = refusal(server.url)
    assert isinstance(error, Refused)
    assert "The security token included in the request is invalid." in error.cause
    assert f"signed with the key {KEY_ID} from sso for lambda in eu-west-1" in error.cause
    assert error.hint
    assert error.status is None, "no other transport is tried for it"


def test_a_signature_that_is_echoed_is_not_shown(server: SignedServer) -> None:
    def echo(exchange: Exchange) -> None:
        signature = exchange.headers["authorization"].rpartition("=")[2]
        text = f"Not a valid key=value pair (missing equal-sign): '{signature}', "
        headers = {"x-amzn-ErrorType": "IncompleteSignatureException"}
        exchange.reply(403, encode({"message": text + TOKEN}), headers=headers)

    server.keys[OTHER_KEY_ID] = (OTHER_SECRET_KEY, TOKEN)
    server.always("tools/call", echo)
    sentence = refusal(server.url, OTHER_KEYS).sentence()
    (got,) = server.requests
    signature = got.headers["authorization"].rpartition("=")[2]
    assert "missing equal-sign" in sentence
    assert signature[:40] not in sentence
    assert TOKEN not in sentence
    assert OTHER_KEY_ID in sentence


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_answer_is_an_answer_whatever_its_status(server: SignedServer, status: int) -> None:
    """It comes from behind AWS, and may have been executed; also where there are other keys."""
    signer, chain = signer_of(KEYS, OTHER_KEYS)

    def answer(exchange: Exchange) -> None:
        chain.stamp = 1
        exchange.error(-32000, "no", status=status)

    async def main() -> None:
        client = await client_for(server.url, signer=signer)
        response = await client.request(b"POST", [JSON], [CALL], asked=parse_message(CALL))
        error = await client.fail(response, request=parse_message(CALL), session_sent=False)
        assert error.is_answer
        await response.aclose()
        await client.aclose()

    server.always("tools/call", answer)
    run(main())
    assert len(server.requests) == 1
    assert chain.asked == 1


@pytest.mark.parametrize(
    ("line", "times"),
    [(CALL, 1), (CALL.replace(b"tools/call", b"tools/list"), 2)],
    ids=["call", "list"],
)
@pytest.mark.parametrize("has_id", [False, True])
def test_a_refusal_that_may_be_of_a_tool_is_not_followed_by_a_second_execution(
    server: SignedServer, line: bytes, times: int, has_id: bool
) -> None:
    """It may come from behind AWS, when the tool has run; the next call has the other keys."""
    asked = parse_message(line)
    signer, chain = signer_of(KEYS, OTHER_KEYS)
    server.keys[OTHER_KEY_ID] = (OTHER_SECRET_KEY, TOKEN)

    def refuse(exchange: Exchange) -> None:
        chain.stamp = 1
        if not has_id:
            return exchange.reply(403, b"<h1>Forbidden</h1>")
        error = {"code": -1, "message": "The tool may not write to its table."}
        answer = encode({"jsonrpc": "2.0", "id": exchange.id, "error": error})
        return exchange.reply(403, answer, headers={"x-amzn-ErrorType": FORBIDDEN.error})

    async def main() -> None:
        client = await client_for(server.url, signer=signer)
        response = await client.request(b"POST", [JSON], [line], asked=asked)
        assert response.status == 403
        await response.aclose()
        await client.aclose()

    server.always("tools/call", refuse)
    server.always("tools/list", refuse)
    run(main())
    assert len(server.requests) == times
    assert chain.asked == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_gateway_of_aws_that_speaks_mcp_refuses_with_the_id_of_the_request(
    server: SignedServer, status: int
) -> None:
    """As AgentCore does. It is AWS's error: keys are read again, and it is explained."""

    def refuse(exchange: Exchange, found: Rejection, _: int = 0) -> None:
        error = {"code": -32001, "message": found.words}
        line = encode({"jsonrpc": "2.0", "id": exchange.id, "error": error})
        exchange.reply(status, line, headers={"x-amzn-ErrorType": found.error})

    async def scene(client: HttpClient) -> None:
        assert b"result" in await ask(client)

    server.reject = refuse  # type: ignore[method-assign]
    server.keys = {OTHER_KEY_ID: (OTHER_SECRET_KEY, TOKEN)}
    signer, chain = signer_of(KEYS, OTHER_KEYS)

    async def main() -> None:
        client = await client_for(server.url, signer=signer)
        await signer.prepare([])
        chain.stamp = 1
        await scene(client)
        await client.aclose()

    run(main())
    assert len(server.rejections) == 1
    server.keys = {}
    error = refusal(server.url)
    assert isinstance(error, Refused)
    assert error.cause.startswith("AWS does not know the AWS keys (HTTP")
    assert error.in_our_words
    assert error.body is not None
    assert parse_message(error.body).is_error


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_the_server_behind_leads_nobody_to_sign_in(
    server: SignedServer, status: int
) -> None:
    def refuse(exchange: Exchange) -> None:
        challenge = 'Bearer resource_metadata="https://mcp.example/.well-known/x"'
        exchange.reply(status, b"go away", headers={"WWW-Authenticate": challenge})

    class Nobody:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"asked to sign in: {name}")

    server.always("tools/call", refuse)
    error = refusal(server.url, authorizer=Nobody())
    assert isinstance(error, Refused)
    assert "go away" in error.cause
    assert "--aws-sigv4" in error.hint
    assert "--header" not in error.hint
    assert len(server.requests) == 1


def test_without_keys_nothing_is_sent(server: SignedServer) -> None:
    missing = McpRemoteError("There are no AWS keys.", hint="Run `aws sso login`.")
    error = refusal(server.url, missing)
    assert isinstance(error, Refused)
    assert error.sentence() == "There are no AWS keys. Run `aws sso login`."
    assert not server.requests
    assert not server.rejections


def test_a_credential_that_a_file_brings_later_is_not_sent(
    server: SignedServer, tmp_path: Any
) -> None:
    from tests.transports.peers import from_file

    path = tmp_path / "headers"
    path.write_text("X-Own: one\n")
    sources = from_file(path)

    def refuse(exchange: Exchange) -> None:
        path.write_text("Authorization: Bearer canary-4471\nX-Own: one\n")
        exchange.reply(401, b"no")

    server.always("tools/call", refuse)
    error = refusal(server.url, sources=sources)
    assert isinstance(error, Unusable)
    assert error.sentence() == (
        "The header authorization is given, and the signature with AWS keys has its own. "
        "Leave the header out, or --aws-sigv4."
    )
    assert len(server.requests) == 1


def test_a_lane_that_cannot_be_used_is_closed() -> None:
    """Whose headers cannot be signed has a connection already."""
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def accept() -> None:
            connection, _ = listener.accept()
            connection.settimeout(5)
            if connection.recv(1) == b"":
                closed.set()
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        error = refusal(f"http://127.0.0.1:{port}/mcp", headers={"X-Amz-Date": "20260101T000000Z"})
        thread.join(5)
    assert isinstance(error, Unusable)
    assert closed.is_set()
