"""Sends one `initialize` as a relay does, without a sign-in, and says what came.

The readings and the sentences are the relay's own (`transports`). Where no MCP server answers at
the address, other addresses of its host are tried, to name one in the hint. Must not know how
anybody signs in.
"""

from __future__ import annotations

import asyncio

from mcp_remote_py import __version__
from mcp_remote_py.checking.talk import ServerTalk
from mcp_remote_py.diagnosis.answers import (
    Answered,
    describe_challenge,
    describe_clock,
    describe_no_challenge,
    describe_no_transport,
    describe_slowness,
    describe_transport,
    describe_wanted_credential,
    list_answer,
)
from mcp_remote_py.diagnosis.steps import CheckStep
from mcp_remote_py.eras.era_detection import (
    Era,
    is_modern_error,
    judge_greeting,
    supported_versions,
)
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    InvalidMessage,
    Unusable,
    excerpt,
)
from mcp_remote_py.found import read_error, read_server
from mcp_remote_py.http_date import read_http_date
from mcp_remote_py.json_text import encode
from mcp_remote_py.jsonrpc import Message, make_request
from mcp_remote_py.oauth.challenge import parse_challenge
from mcp_remote_py.oauth.credential_refusal import find_refusal
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.redact import mask_url
from mcp_remote_py.transports.body_types import ANSWER_TYPES, EVENT_STREAM
from mcp_remote_py.transports.choose import NOT_HERE_STATUS
from mcp_remote_py.transports.refusal import choose_said, read_responses
from mcp_remote_py.transports.response import Response
from mcp_remote_py.url import ServerUrl, parse_url
from mcp_remote_py.versions import MODERN, NEWEST_HANDSHAKE, is_modern

_STREAMABLE, _LEGACY_SSE = "Streamable HTTP", "HTTP+SSE"  # as `commands/relaying` calls them

MAX_GREETING_BYTES = 1024 * 1024
"""Bytes of an answer to `initialize` that are read here; a relay reads more."""

USUAL_PATHS = ("/mcp", "/sse")
"""Where servers often are: tried only to name the right address."""

STREAM_PATIENCE = 2.0
"""Seconds for the first event of a stream of HTTP+SSE, and for each address that is only tried."""

_SLOW_HINT = (
    "Try again: it may have to start first. Hosts wait for a minute; if it is always slow, ask who "
    "runs it."
)

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
]


def make_greeting() -> Message:
    """The `initialize` of this program."""
    about = {
        "protocolVersion": NEWEST_HANDSHAKE,
        "capabilities": {},
        "clientInfo": {"name": "mcp-remote-py", "version": __version__},
    }
    return make_request(b"1", "initialize", encode(about))


class _TooLong(Exception):
    """More came than any answer to `initialize` has."""


async def probe_server(talk: ServerTalk) -> list[CheckStep]:
    """Transport, era and clock by one request. Fills `talk.answered` and what follows from it."""
    greeting = make_greeting()
    clock = asyncio.get_running_loop()
    began = clock.time()
    try:
        async with asyncio.timeout(talk.answer_patience):
            response = await talk.http.request(
                b"POST", _HEADERS, greeting.pieces, asked=greeting, may_move=True
            )
    except TimeoutError:
        late = f"{talk.address} did not answer initialize within {talk.answer_patience:g} s."
        error: ExchangeError = Interrupted(late, hint=_SLOW_HINT)
        talk.failure = error
        return [describe_no_transport(error, _asked(talk), (), clock.time() - began)]
    except ExchangeError as error:
        talk.failure = error
        return [describe_no_transport(error, _asked(talk), (), clock.time() - began)]
    seconds = clock.time() - began
    try:
        steps = await _read(talk, response, greeting, seconds)
    finally:
        await response.aclose()
    took = clock.time() - began
    if talk.failure is None and talk.judge_speed(took):
        steps.append(describe_slowness(took))
    if (told := _read_time(response)) is None:
        return steps
    now = talk.now()
    talk.clock_ahead = now - told
    differing = describe_clock(told, now)
    return steps if differing is None else [*steps, differing]


def _asked(talk: ServerTalk) -> list[str]:
    return [f"sent: POST {talk.address} (initialize, MCP {NEWEST_HANDSHAKE})"]


async def _read(
    talk: ServerTalk, response: Response, greeting: Message, seconds: float
) -> list[CheckStep]:
    try:
        answer = await _read_answer(response, greeting, talk.answer_patience)
    except TimeoutError:
        answered = talk.answered = _to_answered(talk, response, b"", seconds)
        evidence = [*list_answer(answered, f"(initialize, MCP {NEWEST_HANDSHAKE})")]
        talk.failure = Interrupted(
            f"The server begins its answer to initialize (HTTP {response.status}), and does not "
            f"end it within {talk.answer_patience:g} s.",
            hint=_SLOW_HINT,
        )
        return [describe_no_transport(talk.failure, evidence, (), seconds)]
    except _TooLong:
        answered = talk.answered = _to_answered(talk, response, b"", seconds)
        evidence = [*list_answer(answered, f"(initialize, MCP {NEWEST_HANDSHAKE})")]
        talk.failure = Unusable(
            f"The server sends more than {MAX_GREETING_BYTES} bytes in place of an answer to "
            f"initialize (HTTP {response.status}).",
            hint="Check that the URL is that of an MCP server.",
        )
        return [describe_no_transport(talk.failure, evidence, (), seconds)]
    body = b"" if answer is not None else await _read_start(talk, response)
    talk.answered = answered = _to_answered(talk, response, body, seconds)
    evidence = [*list_answer(answered, f"(initialize, MCP {NEWEST_HANDSHAKE})")]
    if answer is not None and not answer.is_error:
        talk.transport = _STREAMABLE
        talk.session_id = response.headers.get(b"mcp-session-id", b"")
        _, _, revision, _ = read_server(answer)
        is_new = judge_greeting(answer) is Era.MODERN
        return [
            describe_transport(
                _STREAMABLE, revision, is_modern=is_new, evidence=evidence, seconds=seconds
            )
        ]
    if find_refusal(response.status, response.headers) == 401 and talk.signer is None:
        talk.challenge = parse_challenge(answered.challenge)
        given = talk.headers.has_authorization
        return [describe_wanted_credential(answered, evidence, is_given=given)]
    if answer is not None and response.status < 300:
        error: ExchangeError = Unusable(read_error(answer, "initialize"), body=answer.raw)
    else:
        error = _explain_json(response, body) or await talk.http.fail(
            response, request=greeting, session_sent=False
        )
    if error.body is not None and is_modern_error(error.body):
        talk.transport = _STREAMABLE
        revision = _newest(error.body)
        return [
            describe_transport(
                _STREAMABLE, revision, is_modern=True, evidence=evidence, seconds=seconds
            )
        ]
    return [await _look_elsewhere(talk, error, evidence, seconds)]


def _explain_json(response: Response, body: bytes) -> Unusable | None:
    """What is wrong with a body that says it is JSON; None where it says something else."""
    kind = response.content_type
    if response.status >= 300 or kind not in ANSWER_TYPES or kind == EVENT_STREAM or not body:
        return None
    try:
        parse_message(body)
    except InvalidMessage as error:
        return Unusable(
            f"The server's answer is not a JSON-RPC message: {error.cause} It begins with "
            f'"{excerpt(body)}".',
            hint="Check that the URL is that of an MCP server.",
            status=response.status,
        )
    return None


async def _look_elsewhere(
    talk: ServerTalk, error: ExchangeError, evidence: list[str], seconds: float
) -> CheckStep:
    """The same address over HTTP+SSE; else other addresses of the host."""
    others: list[str] = []
    is_absent = error.status in NOT_HERE_STATUS or error.status in (200, 400)
    if is_absent and await _is_event_stream(talk, talk.server):
        talk.transport = _LEGACY_SSE
        evidence.append(f"sent: GET {talk.address}; came: an event stream with an endpoint")
        return describe_transport(
            _LEGACY_SSE, "", is_modern=False, evidence=evidence, seconds=seconds
        )
    talk.failure = error
    if is_absent:
        others = await _find_others(talk, evidence)
    return describe_no_transport(error, evidence, others, seconds)


async def _find_others(talk: ServerTalk, evidence: list[str]) -> list[str]:
    """Addresses at the same host where an MCP server answers."""
    own = talk.server.target.partition("?")[0].rstrip("/")
    places = [f"{talk.server.origin}{path}" for path in USUAL_PATHS if path != own]
    urls = [parse_url(place) for place in places]
    answers = await asyncio.gather(*(_answers_at(talk, url) for url in urls))
    for place, is_there in zip(places, answers, strict=True):
        what = "an MCP server answers" if is_there else "not an MCP server"
        evidence.append(f"tried: {mask_url(place)}: {what}")
    return [place for place, is_there in zip(places, answers, strict=True) if is_there]


async def _answers_at(talk: ServerTalk, url: ServerUrl) -> bool:
    greeting = make_greeting()
    try:
        async with asyncio.timeout(STREAM_PATIENCE):
            response = await talk.http.request(
                b"POST", _HEADERS, greeting.pieces, endpoint=url, asked=greeting
            )
            try:
                if response.status == 401:
                    return True
                if response.status < 400:
                    return await _read_answer(response, greeting, STREAM_PATIENCE) is not None
                error = await talk.http.fail(response, request=greeting, session_sent=False)
                if error.body is not None and is_modern_error(error.body):
                    return True
            finally:
                await response.aclose()
    except (ExchangeError, TimeoutError):
        return False
    return await _is_event_stream(talk, url)


async def _is_event_stream(talk: ServerTalk, url: ServerUrl) -> bool:
    """Whether a GET there begins a stream of HTTP+SSE, which names its endpoint first."""
    try:
        async with asyncio.timeout(STREAM_PATIENCE):
            response = await talk.http.request(
                b"GET", [(b"accept", b"text/event-stream")], endpoint=url
            )
            try:
                if response.status == 401:
                    return True
                if response.status >= 300 or response.content_type != EVENT_STREAM:
                    return False
                start = b""
                while len(start) < MAX_GREETING_BYTES and b"\n\n" not in start:
                    piece = await response.read_piece()
                    if piece is None:
                        break
                    start += piece.replace(b"\r\n", b"\n")
                return b"event: endpoint" in start or b"event:endpoint" in start
            finally:
                await response.aclose()
    except (ExchangeError, TimeoutError):
        return False


async def _read_answer(response: Response, greeting: Message, seconds: float) -> Message | None:
    """The answer to `initialize` in a good answer, None where there is none within bounds.

    Raises:
        TimeoutError: it did not come within that time.
        _TooLong: more came than any answer has.
    """
    if response.status >= 300 or response.status == 202:
        return None
    body = b""
    try:
        async with asyncio.timeout(seconds):
            kind = await response.find_type()
            if kind not in ANSWER_TYPES:
                return None
            while True:
                piece = await response.read_piece()
                body += piece or b""
                if len(body) > MAX_GREETING_BYTES:
                    raise _TooLong
                is_over = piece is None
                if is_over or (kind == EVENT_STREAM and b"\n\n" in body.replace(b"\r\n", b"\n")):
                    found = _find_in(body, kind, greeting)
                    if found is not None or is_over:
                        break
    except ExchangeError:
        found = _find_in(body, response.content_type, greeting)
    if found is None and body:
        response.quote(body)  # else it would be told to be empty
    return found


def _find_in(body: bytes, kind: str, greeting: Message) -> Message | None:
    responses = [one for one in read_responses(body, kind) if one is not None]
    return choose_said(responses, greeting).answer


async def _read_start(talk: ServerTalk, response: Response) -> bytes:
    if response.status < 300 and response.content_type == EVENT_STREAM:
        return b""  # it may go on for ever
    body = await response.read_evidence()
    return await talk.http.scrub(response, body)


def _to_answered(talk: ServerTalk, response: Response, body: bytes, seconds: float) -> Answered:
    def show(name: bytes) -> str:
        return response.headers.get(name, b"").decode("latin-1")

    where = mask_url(response.where) if response.where else talk.address
    return Answered(
        method="POST",
        url=talk.address,
        status=response.status,
        content_type=response.content_type,
        challenge=show(b"www-authenticate"),
        body=body,
        server=show(b"server"),
        retry_after=show(b"retry-after"),
        moved_to=where if response.is_moved else "",
        seconds=seconds,
    )


def _read_time(response: Response) -> float | None:
    return read_http_date(response.headers.get(b"date", b"").decode("latin-1"))


def _newest(line: bytes) -> str:
    versions = supported_versions(parse_message(line))
    return max((one for one in versions if is_modern(one)), default=MODERN)


def examine_challenge(talk: ServerTalk) -> CheckStep:
    """What the server asks for."""
    if talk.challenge is None or talk.answered is None:
        return describe_no_challenge(talk.given)
    return describe_challenge(
        talk.answered,
        talk.challenge,
        scheme_of(talk.answered.challenge),
        talk.given,
        has_token=False,
    )


def scheme_of(challenge: str) -> str:
    """The first scheme of a `WWW-Authenticate` value, in lower case; "" without one."""
    word = challenge.strip().partition(" ")[0].strip(",").lower()
    return "" if "=" in word else word
