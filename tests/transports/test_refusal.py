"""What a person reads when a server refuses, and what the relay may do about it."""

from __future__ import annotations

import itertools
import json
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.bounds import MAX_REFUSAL_BATCH_BYTES
from mcp_remote_py.errors import (
    EVIDENCE_BYTES,
    MAX_EXCERPT_LENGTH,
    ExchangeError,
    Refused,
    SessionLost,
    Unusable,
    excerpt,
)
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.transports.gateways import (
    GATEWAY_READINGS,
    SLOW_HINT,
    find_gateway,
    tell_size,
)
from mcp_remote_py.transports.lost_session import LOST_SESSIONS, says_lost
from mcp_remote_py.transports.refusal import (
    MAX_RETRY_AFTER,
    explain_content,
    explain_refusal,
    find_answer,
    take_answer,
)

NOW = datetime(2026, 7, 28, 12, 0, 0, tzinfo=UTC).timestamp()
WHERE = "https://example.com/mcp"
REQUEST = parse_message(b'{"id":7,"method":"tools/call"}')


def explain(
    status: int,
    body: bytes = b"",
    *,
    headers: dict[bytes, bytes] | None = None,
    session_sent: bool = False,
    request: Message | None = REQUEST,
    credential_sent: bool = False,
    shook_hands: bool = False,
) -> ExchangeError:
    return explain_refusal(
        status,
        headers or {},
        body,
        where=WHERE,
        session_sent=session_sent,
        request=request,
        credential_sent=credential_sent,
        now=NOW,
        shook_hands=shook_hands,
    )


# ------------------------------------------------------------------------- sentences

NO_SERVER = (
    "No MCP server answers at this address (HTTP {status} from https://example.com/mcp).",
    "Check the path of the URL: it often ends in /mcp or /sse.",
)
NOT_READY = (
    "The server is not ready (HTTP {status} from https://example.com/mcp).",
    "Try again later.",
)
FAILED = (
    "The server failed (HTTP {status} from https://example.com/mcp).",
    "Look at the server's own log.",
)
OTHER = (
    "The server refused the request (HTTP {status} from https://example.com/mcp).",
    "If that does not say why, the server's own log does: ask whoever runs it.",
)
NOWHERE = (
    "The server redirects, and does not say where (HTTP {status} from https://example.com/mcp).",
    "Check the URL: https, its path, and a slash at its end.",
)

SENTENCES: list[tuple[list[int], type[ExchangeError], tuple[str, str]]] = [
    ([404, 405, 406, 410, 411, 415, 501], Unusable, NO_SERVER),
    ([408, 425, 502, 503, *range(520, 524), 525, 529, 530], Refused, NOT_READY),
    ([504, 524], Refused, (NOT_READY[0], SLOW_HINT)),
    (
        [429],
        Refused,
        (
            "The server is asked too often (HTTP {status} from https://example.com/mcp).",
            "Try again later.",
        ),
    ),
    (
        [401],
        Refused,
        (
            "The server wants a sign-in (HTTP {status} from https://example.com/mcp).",
            'Give it a credential, for example --header "Authorization: Bearer ${TOKEN}".',
        ),
    ),
    (
        [403],
        Refused,
        (
            "The server forbids this request (HTTP {status} from https://example.com/mcp).",
            "If it takes a key, give it with --header; if you are signed in, name the scopes it "
            "wants with --scope, or ask who runs it.",
        ),
    ),
    ([500, 526], Unusable, FAILED),
    ([300, 301, 304, 307], Unusable, NOWHERE),
    ([400, 402, 409, 422, 451], Unusable, OTHER),
]


@pytest.mark.promise("R1")
@pytest.mark.report("T12")
@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [(status, kind, sentence) for group, kind, sentence in SENTENCES for status in group],
)
def test_each_status_has_its_sentence_and_class(
    status: int, kind: type[ExchangeError], sentence: tuple[str, str]
) -> None:
    error = explain(status)
    assert type(error) is kind
    assert (error.cause, error.hint) == (sentence[0].format(status=status), sentence[1])
    assert (error.status, error.retry_after, error.body) == (status, None, None)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_the_first_words_of_the_body_are_the_evidence(status: int) -> None:
    error = explain(status, b"<html><body><h1>Down</h1>\nfor   repair</body></html>")
    assert f'(HTTP {status} from {WHERE}: "Down for repair").' in error.cause


@pytest.mark.promise("R1", "E2")
def test_a_server_that_does_not_know_a_method_is_one_all_the_same() -> None:
    """2026-07-28 has 404 for it; the log must not say that nobody is there."""
    body = b'{"jsonrpc":"2.0","id":%b,"error":{"code":-32601,"message":"no"}}' % REQUEST.raw_id
    error = explain(404, body)
    assert type(error) is Unusable
    assert error.cause.startswith(f"The server refused the request (HTTP 404 from {WHERE}: ")
    assert error.body == body


@pytest.mark.promise("D12")
def test_a_header_that_is_forbidden_is_the_persons() -> None:
    assert explain(403, credential_sent=True).sentence() == (
        f"The server forbids this request (HTTP 403 from {WHERE}). "
        "Check that the credential you give with --header may use this server."
    )


@pytest.mark.promise("D12")
def test_a_refused_header_of_the_person_is_named_as_theirs() -> None:
    error = explain(
        401,
        b'{"error":"invalid_token"}',
        headers={b"www-authenticate": b'Bearer error="invalid_token"'},
        credential_sent=True,
    )
    assert type(error) is Refused
    assert error.sentence() == (
        "The server refused your Authorization header (HTTP 401 from https://example.com/mcp: "
        '"{"error":"invalid_token"}"). It asks for: Bearer error="invalid_token". '
        "Check the value given with --header: is it whole, valid, meant for this server?"
    )


@pytest.mark.promise("D12")
def test_a_refused_credential_is_said_in_our_words_even_if_the_server_has_its_own() -> None:
    own = b'{"id":7,"error":{"code":-32001,"message":"Unauthorized"}}'
    for credential_sent in (True, False):
        error = explain(401, own, credential_sent=credential_sent)
        assert (error.body, error.in_our_words) == (own, True)
        assert "Unauthorized" in error.cause
        assert explain(401, b'{"error":{"code":1}}', credential_sent=credential_sent).body is None
    assert explain(403, own).body == own


def test_a_challenge_cannot_forge_lines() -> None:
    error = explain(401, headers={b"www-authenticate": b"Bearer\x1b[31m x\x85\xff" + b"y" * 9000})
    assert error.sentence().isprintable()
    assert len(error.cause) < 600


# ------------------------------------------------------------------------- sessions


@pytest.mark.promise("R5")
@pytest.mark.parametrize(
    ("status", "body", "session_sent", "is_lost"),
    [
        (404, b"", True, True),
        (404, b'{"error":{"code":-32001,"message":"Session not found"}}', True, True),
        (404, b"Session not found", False, False),
        (400, b"Bad Request: No valid session ID provided", True, True),
        (400, b"SESSION EXPIRED", True, True),
        (400, b"No valid session ID provided", False, False),
        (400, b"Invalid params", True, False),
        (401, b"session", True, False),
        (403, b"session", True, False),
        (409, b"session", True, False),
        (410, b"", True, True),
        (410, b"session", False, False),
        (500, b"session", True, False),
        (503, b"session", True, False),
    ],
)
def test_when_the_session_is_lost(
    status: int, body: bytes, session_sent: bool, is_lost: bool
) -> None:
    error = explain(status, body, session_sent=session_sent)
    assert isinstance(error, SessionLost) is is_lost


@pytest.mark.report("T9")
@pytest.mark.parametrize(
    ("status", "words", "with_id", "without"),
    [
        (200, "Session not found", True, False),
        (200, "Server not initialized", True, True),
        (200, "Session 12", False, False),
        (400, "Bad Request: Server not initialized", True, True),
        (400, "Bad Request: No valid session ID provided", True, False),
        (400, "Bad Request: Mcp-Session-Id header is required", True, False),
        (400, "Received request before initialization was complete", True, True),
        (400, "unknown tool", False, False),
        (401, "Session not found", True, False),
        (401, "Unauthorized: Session not found", True, False),
        (401, "Unauthorized: Session ID is required", True, False),
        (401, "The session 4f-2a does not exist or has expired", True, False),
        (401, "no such session", True, False),
        (401, "Invalid mcp-session-id", True, False),
        (401, "Server not initialized", True, True),
        (401, "invalid_token", False, False),
        (401, "a session token is nice", False, False),
        (401, "invalid_session", True, False),
        (401, "sessionNotFound", True, False),
        (401, "SESSION_EXPIRED", True, False),
        (400, "Transport not found", True, False),
        (400, "Initialization required", True, True),
        (400, "Uninitialized", True, True),
        (400, "Die Sitzung ist abgelaufen", True, False),
        (400, "Sesi\u00f3n no encontrada", True, False),
        (400, "\u4f1a\u8bdd\u4e0d\u5b58\u5728", True, False),
        (403, "Session not found", True, False),
        (401, "Your session has timed out", True, False),
        (401, "Session doesn't exist", True, False),
        (401, "This session is no longer active", True, False),
        (403, "session evicted", True, False),
        (403, "SessionEnded", True, False),
        (500, "Error: session was destroyed", True, False),
        (401, "The session did not end", False, False),
        (403, "You cannot access this session", False, False),
        (409, "Session expired, please start again", True, False),
        (412, "invalid session id", True, False),
        (419, "Session expired", True, False),
        (428, "session required", True, False),
        (440, "Session expired", True, False),
        (406, "Session not found", True, False),
        (421, "no such session", True, False),
        (498, "session id invalid", True, False),
        (498, "Token expired", False, False),
        (410, "", True, False),
        (422, "Unexpected message, expect initialize request", True, True),
        (422, "arguments are not valid", False, False),
        (500, "Session not found", True, False),
        (500, "could not create session", False, False),
        (500, "The database session failed", False, False),
        (502, "Session not found", False, False),
        (503, "unknown session, start anew", True, False),
        (503, "no more sessions", False, False),
        (503, "overloaded", False, False),
    ],
)
def test_words_of_a_lost_session(status: int, words: str, with_id: bool, without: bool) -> None:
    for error in ({"code": -32000, "message": words}, words):
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        for has_id, is_lost in ((True, with_id), (False, without)):
            told = says_lost(status, {}, body, has_id=has_id, shook_hands=True)
            assert told is is_lost
        assert not says_lost(status, {}, body, has_id=False, shook_hands=False)


@pytest.mark.report("E1")
def test_a_long_batch_is_not_an_answer_to_one_request() -> None:
    """To read one of 4 MiB took 0.13 s."""
    call = parse_message(b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}')
    batch = b'[{"jsonrpc":"2.0","id":1,"result":"%b"}]'
    room = MAX_REFUSAL_BATCH_BYTES - len(batch % b"")
    assert find_answer(batch % (b"x" * room), "application/json", call) is not None
    for blanks in (b"", b" \n"):
        longer = blanks + batch % (b"x" * (room + 1))
        assert find_answer(longer, "application/json", call) is None


@pytest.mark.report("T9")
@pytest.mark.parametrize("unit", [b"session-id ", b"session ", b"no ", b"not yet "])
def test_a_long_refusal_is_looked_at_in_part(unit: bytes) -> None:
    before = time.process_time()
    says_lost(401, {}, unit * (65_536 // len(unit)), has_id=True, shook_hands=True)
    assert time.process_time() - before < 0.05  # measured: 0.01; "session-id " was 0.1


@pytest.mark.report("T9")
def test_who_challenges_a_token_speaks_of_the_token() -> None:
    body, challenge = b"Session not found", b'Bearer error="invalid_token"'
    for headers, is_lost in (({b"www-authenticate": challenge}, False), ({}, True)):
        lost = explain(401, body, headers=headers, session_sent=True, credential_sent=True)
        assert isinstance(lost, SessionLost) is is_lost
        told = lost.otherwise if isinstance(lost, SessionLost) else lost
        assert told is not None
        assert "refused your Authorization header" in told.cause


@pytest.mark.report("T9", "E1")
@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_an_answer_that_tells_of_a_lost_session_stays_one(status: int) -> None:
    body = b'{"id":7,"error":{"code":-32001,"message":"Session not found"}}'
    error = explain(status, body, session_sent=True)
    assert isinstance(error, SessionLost)
    answer = take_answer(error, REQUEST)
    assert answer is not None
    assert answer.raw == body
    assert answer.refusal is error  # the session is looked at before the next one goes


@pytest.mark.report("T9")
def test_each_way_to_tell_a_lost_session_has_a_source() -> None:
    assert len(LOST_SESSIONS) == len({(row.status, id(row.words)) for row in LOST_SESSIONS})
    assert all(row.source.who and row.source.where for row in LOST_SESSIONS)


def test_a_lost_session_has_its_sentence() -> None:
    error = explain(404, b"gone", session_sent=True)
    assert error.sentence() == (
        "The server does not know the session it gave us "
        '(HTTP 404 from https://example.com/mcp: "gone"). '
        "If that stays so, several servers answer at this address and do not share sessions. A "
        "balancer may find the same one again by its cookie: leave out --disable-cookies."
    )
    assert error.status == 404


@pytest.mark.report("T9", "E1")
@pytest.mark.parametrize(
    ("body", "is_ours"),
    [
        (
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}',
            True,
        ),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Session not found"}}', False),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no tool"}}', False),
        (b"no session", True),
    ],
)
def test_who_knows_the_session_in_other_requests_is_one_of_several(
    body: bytes, is_ours: bool
) -> None:
    """Its words alone, such as "Session not found", do not tell a person what to do."""
    lost = explain(404, body, session_sent=True)
    assert isinstance(lost, SessionLost)
    assert lost.otherwise is not None
    assert ("do not share sessions" in lost.otherwise.hint) is is_ours


GATEWAY_PAGES = [
    (
        413,
        b"<h1>413 Request Entity Too Large</h1><hr>nginx/1.22.1",
        "It is too large for the server, or for a gateway before it. It has {size}: whoever runs "
        "the server has to allow that (nginx: client_max_body_size).",
    ),
    *(
        (
            status,
            page,
            "Its header fields are too long for the server, or for a gateway before it. Shorten "
            "what is given with --header; whoever runs the server can allow more (nginx: "
            "large_client_header_buffers).",
        )
        for status, page in (
            (431, b""),
            (494, b""),
            (400, b"<center>Request Header Or Cookie Too Large</center>"),
            (400, b"<p>Size of a request header field exceeds server limit."),
        )
    ),
    *(
        (400, page, "That port speaks TLS. Write https:// in the URL.")
        for page in (
            b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
            b"You're speaking plain HTTP to an SSL-enabled server port.",
            b"Client sent an HTTP request to an HTTPS server.\n",
        )
    ),
    (
        400,
        b"<title>400 No required SSL certificate was sent</title>",
        "It wants a client certificate. Give yours with --client-cert and --client-key.",
    ),
    (
        403,
        b"<h2>403.7 - Forbidden: The page you are attempting to access requires a client "
        b"certificate</h2>",
        "It wants a client certificate. Give yours with --client-cert and --client-key.",
    ),
    (
        400,
        b"<title>400 The SSL certificate error</title>",
        "It does not take the client certificate. Check that the one of --client-cert is meant for "
        "this server, is in date, and that its file holds the certificates between it and its "
        "authority, too.",
    ),
    *(
        (
            403,
            page,
            "AWS IAM stands before it, which takes signed requests only. Add --aws-sigv4, without "
            "an Authorization header: requests are signed with AWS keys then.",
        )
        for page in (
            b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues"}',
            b'{"message":"Authorization header requires \'Credential\' parameter. Author"}',
            b"AccessDeniedException: User: anonymous is not authorized to perform: "
            b"vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:x",
        )
    ),
    (
        403,
        b'{"message":"Missing Authentication Token"}',
        "API Gateway says that of a path that is not there, and of a request that must be signed. "
        "Check the path of the URL: the stage is a part of it, as in /prod/mcp. If the server is "
        "behind AWS IAM, add --aws-sigv4: requests are signed with AWS keys then.",
    ),
    *(
        (
            status,
            b"",
            "It wants another version of HTTP. HTTP/1.1 is spoken here: whoever runs it has to "
            "offer that.",
        )
        for status in (426, 464, 505)
    ),
    *(
        (
            status,
            page,
            "It does not take requests under this name. Whoever runs the server has to add the "
            "host of the URL, with its port, to the hosts that it allows (Python SDK: "
            "TransportSecuritySettings).",
        )
        for status, page in (
            (421, b"Invalid Host header"),
            (403, b'Blocked request. This host ("a.example.com") is not allowed.'),
            (403, b"<h2>Blocked hosts: a.example.com</h2>"),
            (400, b"<title>DisallowedHost</title> Invalid HTTP_HOST header: 'a.example.com'."),
        )
    ),
    (
        403,
        b"<h2>Your client does not have permission to get URL <code>/mcp</code>.</h2>",
        "Google's IAM stands before it. Give an identity token, as gcloud auth "
        "print-identity-token prints it, with --header (Authorization: Bearer ...); your account "
        "needs the role Cloud Run Invoker.",
    ),
]


@pytest.mark.promise("R1")
@pytest.mark.report("T10")
@pytest.mark.parametrize("status", [405, 406, 415, 501])
def test_who_was_there_before_is_not_looked_for_at_another_path(status: int) -> None:
    error = explain(status, b"<h1>gateway</h1>", shook_hands=True)
    assert "No MCP server" not in error.cause
    assert "path" not in error.hint


@pytest.mark.parametrize(("status", "page", "sentence"), GATEWAY_PAGES)
def test_what_a_gateway_says_itself_has_its_next_step(
    status: int, page: bytes, sentence: str
) -> None:
    error = explain(status, page)
    assert type(error) is Unusable
    assert error.status is None  # no evidence on transport or era
    size = f"{len(REQUEST.raw)} bytes"
    assert error.sentence().endswith(f"). {sentence.format(size=size)}")


def test_each_gateway_is_played_and_has_a_source() -> None:
    found = [find_gateway(status, page) for status, page, _ in GATEWAY_PAGES]
    assert {id(one) for one in found} == {id(reading) for reading in GATEWAY_READINGS}
    assert all(reading.source.who and reading.source.where for reading in GATEWAY_READINGS)
    for status, body in ((400, b"Bad Request"), (403, b"Forbidden"), (404, b""), (500, b"")):
        assert find_gateway(status, body) is None


def test_a_servers_own_words_are_not_a_gateways() -> None:
    body = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Payload too large"}}'
    error = explain(413, body)
    assert error.status == 413
    assert error.body == body


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_a_size_is_told_as_a_person_reads_it(size: int, words: str) -> None:
    assert tell_size(size) == words


@pytest.mark.parametrize(("status", "retry_after"), [(504, b""), (524, b""), (504, b"30")])
def test_a_gateway_that_did_not_wait_names_what_bounds_it(status: int, retry_after: bytes) -> None:
    error = explain(status, b"", headers={b"retry-after": retry_after})
    assert isinstance(error, Refused)
    assert ("proxy_read_timeout" in error.hint) is (not retry_after)


# ------------------------------------------------------------------------- Retry-After


def wait_after(value: bytes | None) -> float | None:
    return explain(429, headers={} if value is None else {b"retry-after": value}).retry_after


@pytest.mark.promise("L5")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"5", 5.0),
        (b" 120 ", 120.0),
        (b"007", 7.0),
        (b"3600", MAX_RETRY_AFTER),
        (b"3601", MAX_RETRY_AFTER),
        (b"9" * 5000, MAX_RETRY_AFTER),
        (b"Tue, 28 Jul 2026 12:00:30 GMT", 30.0),
        (b"Tuesday, 28-Jul-26 12:00:30 GMT", 30.0),
        (b"Tue Jul 28 12:00:30 2026", 30.0),
        (b"Tue, 28 Jul 2026 14:00:30 +0200", 30.0),
        (b"Tue, 28 Jul 2026 12:00:30 -0000", 30.0),
        (b"Tue, 28 Jul 2026 11:00:00 GMT", 0.0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        (None, None),
        (b"", None),
        (b"   ", None),
        (b"soon", None),
        (b"-5", None),
        (b"+5", None),
        (b"1.5", 1.5),
        (b"60s", 60.0),
        (b"2 seconds", 2.0),
        (b"2 minutes", None),
        (b"1e3", None),
        (b"\xb2\xb3", None),
        (b"\xd9\xa1", None),
        (b"5, 6", None),
        (b"Tue, 99 Jul 2026 12:00:30 GMT", None),
        (b"Tue, 28 Jul 2026 12:00:30 +9999999999", None),
        (b"Tue, 28 Jul 2026 12:00:30 +99999999999999999999", None),
    ],
)
def test_retry_after_is_a_delay_or_a_date(value: bytes | None, seconds: float | None) -> None:
    assert wait_after(value) == seconds


date_pieces = st.sampled_from(
    [
        *(b"Tue", b",", b" ", b"28", b"Jul", b"2026", b"99999", b"12:00:30", b":", b"GMT", b"AM"),
        *(b"+0200", b"-9999", b"+99999999999999", b"-", b"0", b"\xb2", b"(", b")"),
    ]
)


@pytest.mark.promise("L5")
@given(st.binary(max_size=30) | st.lists(date_pieces, max_size=12).map(b"".join))
def test_any_retry_after_is_a_bounded_wait_or_none(value: bytes) -> None:
    seconds = wait_after(value)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER


@pytest.mark.promise("L5")
@pytest.mark.parametrize(("status", "what"), [(429, "is asked too often"), (503, "is not ready")])
def test_the_wait_the_server_asks_for_is_told(status: int, what: str) -> None:
    error = explain(status, b"busy", headers={b"retry-after": b"30"})
    assert error.retry_after == 30.0
    assert error.sentence() == (
        f'The server {what} (HTTP {status} from https://example.com/mcp: "busy"). '
        "Try again in 30 seconds, as it asks."
    )


# ------------------------------------------------------------------------- the server's own error

ERROR = b'{"code":-32602,"message":"no","data":{"n":1.0}}'


@pytest.mark.report("T6")
@pytest.mark.promise("R1", "R2")
@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"id":7,"error":%b, "x":1}' % ERROR, b'{"id":7,"error":%b, "x":1}' % ERROR),
        (b'{"id":7.0,"error":%b}' % ERROR, b'{"id":7.0,"error":%b}' % ERROR),
        (b'{\n"id":7,\n"error":{"code":1}}', b'{ "id":7, "error":{"code":1}}'),
        (b'\xef\xbb\xbf{"id":7,"error":{"code":1}}', b'{"id":7,"error":{"code":1}}'),
        (b'{"id":null,"error":%b}' % ERROR, b'{"jsonrpc":"2.0","id":7,"error":%b}' % ERROR),
        (b'{"error":%b}' % ERROR, b'{"jsonrpc":"2.0","id":7,"error":%b}' % ERROR),
        (b'{"id":8,"error":%b}' % ERROR, None),
        (b'{"id":"7","error":%b}' % ERROR, b'{"jsonrpc":"2.0","id":7,"error":%b}' % ERROR),
        (b'{"result":{"n":1.0}}', b'{"jsonrpc":"2.0","id":7,"result":{"n":1.0}}'),
        (b'[{"id":"7","error":%b},{"id":8,"result":1}]' % ERROR, None),
        (b'{"id":"07","error":%b}' % ERROR, None),
        (b'{"id":true,"error":%b}' % ERROR, None),
        (b'{"id":7,"result":{}}', b'{"id":7,"result":{}}'),
        (b'{"id":7,"method":"x"}', None),
        (b'{"id":7}', None),
        (b'[{"id":7,"error":{"code":1}}]', b'{"id":7,"error":{"code":1}}'),
        (b'[{"error":{"code":2}},{"id":7,"error":{"code":1}}]', b'{"id":7,"error":{"code":1}}'),
        (b'{"id":7,"error":"word"}', None),
        (b'{"error":"word"}', None),
        (b"<html>", None),
        (b'{"id":7,"error":', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_an_error_of_the_server_answers_the_request_it_refused(
    body: bytes, line: bytes | None
) -> None:
    error = explain(400, body)
    assert error.body == line
    is_addressed = any(part in body for part in (b'"id":7', b'"id":"7"', b'"result"'))
    assert error.is_answer is (line is not None and is_addressed)
    assert explain(400, body, request=None).body is None


def test_the_answer_carries_the_id_as_the_request_spelled_it() -> None:
    request = parse_message(rb'{"id":"\u0061","method":"x"}')
    error = explain(400, b'{"error":{"code":1}}', request=request)
    assert error.body == rb'{"jsonrpc":"2.0","id":"\u0061","error":{"code":1}}'


# ------------------------------------------------------------------------- excerpts


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"plain words", "plain words"),
        (b"  two\r\n\r\n lines\t", "two lines"),
        (b"<!doctype html><title>502</title><h1 class='x'>Bad Gateway</h1>", "502 Bad Gateway"),
        (b"<style>a{color:red}</style>x<SCRIPT>if(a<b){}</SCRIPT >y", "x y"),
        (b"words<script>var a = 'cut off", "words"),
        (b"words<style type=x>a{color", "words"),
        (b"\x1b[31mred\x07 \x00\x7f\xc2\x9b", "[31mred"),
        ("a\u2028b\u202ec\ufeff".encode(), "a b c"),
        ("größer 日本".encode(), "größer 日本"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"error":"x"}', '{"error":"x"}'),
        (b"x" * MAX_EXCERPT_LENGTH, "x" * MAX_EXCERPT_LENGTH),
        (b"x" * (MAX_EXCERPT_LENGTH + 1), "x" * (MAX_EXCERPT_LENGTH - 1) + "…"),
        (b" " * 2 * EVIDENCE_BYTES + b"late", ""),
    ],
)
def test_an_excerpt_is_the_first_words_and_nothing_else(body: bytes, words: str) -> None:
    assert excerpt(body) == words


@pytest.mark.promise("R8")
@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", [b"<script ", b"<", b"<style></styl", b"x", b" ", b"\xff"])
def test_an_excerpt_of_a_very_long_body_takes_no_time(unit: bytes) -> None:
    assert len(excerpt(unit * 4_000_000)) <= MAX_EXCERPT_LENGTH


@given(st.binary(max_size=300))
def test_an_excerpt_is_always_one_printable_line(body: bytes) -> None:
    words = excerpt(body)
    assert words.isprintable()
    assert words == " ".join(words.split())
    assert len(words) <= MAX_EXCERPT_LENGTH


@pytest.mark.promise("R1")
@given(st.integers(300, 599), st.binary(max_size=60), st.binary(max_size=30))
def test_any_refusal_is_one_printable_sentence(status: int, body: bytes, value: bytes) -> None:
    headers = {b"www-authenticate": value, b"retry-after": value}
    for session_sent, credential_sent in itertools.product([True, False], repeat=2):
        error = explain(
            status,
            body,
            headers=headers,
            session_sent=session_sent,
            credential_sent=credential_sent,
        )
        assert error.cause.isprintable()
        assert error.cause.endswith(".")
        assert f"HTTP {status} from {WHERE}" in error.cause
        # What a gateway says is not the server's word on a transport.
        assert error.status == (None if find_gateway(status, body) else status)


# ------------------------------------------------------------------------- content


@pytest.mark.promise("R1")
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_answer_without_anything_has_its_sentence(body: bytes) -> None:
    error = explain_content(200, "application/json", body, where=WHERE)
    assert error.sentence() == (
        "The server sent an empty answer (HTTP 200 from https://example.com/mcp). "
        "Check that the URL is that of an MCP server."
    )
    assert error.status == 200


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("content_type", "named"), [("text/html", "text/html"), ("", "no content type")]
)
def test_an_answer_of_another_kind_has_its_sentence(content_type: str, named: str) -> None:
    error = explain_content(200, content_type, b"<h1>Welcome</h1>", where=WHERE)
    assert type(error) is Unusable
    assert error.sentence() == (
        f"The server answered with {named} instead of JSON or an event stream "
        '(HTTP 200 from https://example.com/mcp: "Welcome"). '
        "Check that the URL is that of an MCP server, not of a web page or a sign-in portal."
    )
    assert error.status == 200


# ------------------------------------------------------------------- answers that cannot be read


@pytest.mark.promise("R1")
@pytest.mark.parametrize("raw_id", [b"7", b'"7"', b'"a.b-(c)"', b"1.5", b'""', b'"a\\"b"'])
@pytest.mark.parametrize("behind", [b",", b"}", b" ,", b"\n}"])
def test_a_broken_body_with_the_id_of_a_call_may_be_its_answer(
    raw_id: bytes, behind: bytes
) -> None:
    request = parse_message(b'{"id":' + raw_id + b',"method":"tools/call"}')
    for body in (b'{"result": {]}, "id": ' + raw_id + behind, b'"id":' + raw_id + behind + b"]"):
        told = explain(500, body, request=request)
        assert told.cause.startswith("The server's answer cannot be read (HTTP 500 from ")


@pytest.mark.parametrize("body", [b'"id": 71,', b'"id": "7.', b'"id": 7', b'"di": 7,', b'id": 7,'])
def test_a_broken_body_with_another_id_is_not_its_answer(body: bytes) -> None:
    assert "cannot be read" not in explain(500, body).cause


def test_no_pattern_is_made_of_what_is_asked() -> None:
    """Python keeps the last 512, so that a relay would grow by a MiB: seen in a soak of an hour."""
    explain(500, b'"id": 0')
    kept = len(re._cache)  # pyright: ignore
    for number in range(600):
        request = parse_message(b'{"id":%d,"method":"tools/call"}' % number)
        explain(500, b'"id": %d,' % number, request=request)
    assert len(re._cache) == kept  # pyright: ignore
