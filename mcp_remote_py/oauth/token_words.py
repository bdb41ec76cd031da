"""The words by which MCP servers say that a token has ended, or lacks a scope, as one table.

Pure. RFC 6750 §3.1 has 401 and `invalid_token` for it; servers and gateways have other statuses and
words, in a challenge or in an OAuth error document. The next one is a row of `TOKEN_READINGS`. Must
not know what follows.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple, cast

from mcp_remote_py.oauth.challenge import Challenge, parse_challenge
from mcp_remote_py.oauth.document import decode_document
from mcp_remote_py.oauth.grant_words import (
    MAX_WORDS,
    is_code,
    plain_code,
    read_error_code,
    read_error_words,
)
from mcp_remote_py.patterns import lazy_pattern

INSUFFICIENT_SCOPE = "insufficient_scope"
"""RFC 6750 §3.1."""

IN_DOUBT = b'Bearer error="unauthorized"'
"""The challenge of a refusal that may be for the token."""


class TokenWords(Enum):
    """The meaning of a refusal's words."""

    ENDED = "the token has ended, whatever the status"
    SCOPE = "it lacks a scope"
    DOUBT = "it may have ended"


class TokenReading(NamedTuple):
    """Of a refusal with one of `codes`, in whose words `words` is found, by one of `statuses`.

    Empty and None fit all of them; codes are in plain spelling.
    """

    means: TokenWords
    source: str
    codes: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()


_ENDED = (
    r"(?:is |has |was |have )?(?:been )?(?:already )?"
    r"(?:expired|revoked|no longer valid|not active|inactive)"
)

TOKEN_READINGS = (
    TokenReading(
        TokenWords.ENDED,
        "RFC 6750 section 3.1; by 400, 403 or 500 from frameworks that handle their own errors",
        frozenset({"invalid_token"}),
    ),
    TokenReading(TokenWords.SCOPE, "RFC 6750 section 3.1", frozenset({INSUFFICIENT_SCOPE})),
    TokenReading(
        TokenWords.ENDED,
        "Slack, and what imitates it",
        frozenset({"token_expired", "token_revoked"}),
    ),
    TokenReading(
        TokenWords.ENDED,
        "Microsoft's APIs",
        frozenset({"invalid_authentication_token", "expired_authentication_token"}),
    ),
    TokenReading(
        TokenWords.ENDED,
        "gateways with codes of their own",
        frozenset(
            {"expired_token", "access_token_expired", "expired_access_token", "jwt_expired"}
            | {"invalid_access_token", "token_expired_error", "token_not_valid", "invalid_jwt"}
            | {"token_invalid", "token_inactive"}
        ),
    ),
    TokenReading(
        TokenWords.SCOPE,
        "Slack, and servers that write the plural",
        frozenset({"missing_scope", "insufficient_scopes"}),
    ),
    TokenReading(
        TokenWords.ENDED,
        "libraries for JWTs and API gateways, whose words are passed on",
        words=lazy_pattern(
            rf"(?:(?:access|bearer|auth\w*|incoming|jwt)[ _-]?token {_ENDED}|jwt {_ENDED}"
            rf"|^(?:the )?(?:provided )?token {_ENDED}|^signature has expired)",
            re.IGNORECASE,
        ),
    ),
    TokenReading(
        TokenWords.DOUBT,
        "codes of OAuth and of frameworks that are used for an expired token as well",
        frozenset(
            {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"}
            | {"access_denied", "unauthorized", "unauthenticated", "not_authenticated"}
            | {"authentication_required", "authentication_failed", "invalid_auth", "login_required"}
            | {"not_authed", "account_inactive"}
        ),
    ),
    TokenReading(
        TokenWords.DOUBT,
        "the TypeScript SDK, whose check of tokens fails where a server's own part throws",
        frozenset({"server_error"}),
        lazy_pattern(r"^Internal Server Error$", re.IGNORECASE),
        frozenset({500}),
    ),
)
"""The first that fits counts."""

_KNOWN_CODES = frozenset[str]().union(*(one.codes for one in TOKEN_READINGS))

_WHOLE = lazy_pattern(
    r"(?:error: |unauthorized: |forbidden: |tokenexpirederror: )?(?:"
    rf"(?:the |your )?(?:(?:access|bearer|auth\w*|incoming|provided|jwt|oauth) )*token {_ENDED}"
    rf"|jwt {_ENDED}|invalid jwt|invalid_token|token_expired|signature has expired"
    r"|(?:invalid or expired|expired or invalid|invalid|expired) (?:(?:access|bearer|jwt) )?token"
    r"|(?:access |bearer )?token is (?:invalid or expired|expired or invalid))[.!]?",
    re.IGNORECASE,
)
"""All that frameworks and gateways say where they have no code for it. More words than these may be
about any other token."""

_WITHOUT_CODE = {
    **dict.fromkeys((400, 403, 419, 440, 498), TokenWords.ENDED),
    500: TokenWords.DOUBT,
}
"""What that means, by status. Laravel has 419 and IIS 440 for a sign-in that is over, Esri has 498
for its token; a failure may come from behind the execution."""

_SAYS_IT_ITSELF = frozenset({440, 498})
"""Those of them that mean nothing else, with whatever words: Login Time-out, and Invalid Token."""

MAX_REFUSAL_DOCUMENT = 16 * 1024
"""Bytes of a body that is read as an error document: some milliseconds. None that speaks of a token
is as long; a megabyte of scopes would end in an address for the browser."""

_REFUSES = frozenset({400, 401, 403, 419, 440, 498})
"""Statuses of who refuses a credential before anything is done."""

_ELSEWHERE = frozenset({404, 405, 406, 408, 409, 410, 425, 429, 501, 502, 503, 504})
"""Statuses that have a meaning of their own, so that words in doubt mean nothing."""

_FORBIDS = frozenset({400, 401, 403})
"""Statuses of a refusal that may want a scope: a person is asked for it, and the request is sent
again. Whoever fails says it of somebody else's token, perhaps, and may have done what was asked."""

_SCOPES = lazy_pattern(r"[\x21\x23-\x5b\x5d-\x7e ]+")


def judge_words(code: str, words: str, status: int) -> TokenWords | None:
    """The meaning of a refusal with this code, None where it says nothing of the token."""
    code = plain_code(code)
    for reading in TOKEN_READINGS:
        found = (
            (not reading.codes or code in reading.codes)
            and (reading.words is None or reading.words.search(words[:MAX_WORDS]) is not None)
            and (not reading.statuses or status in reading.statuses)
        )
        if found and _may_mean(reading.means, status):
            return reading.means
    return None


def _may_mean(means: TokenWords, status: int) -> bool:
    if means is TokenWords.SCOPE:
        return status in _FORBIDS
    return means is TokenWords.ENDED or status not in _ELSEWHERE


def read_token_refusal(
    status: int, challenge: bytes, body: bytes, *, has_effect: bool = False
) -> tuple[int, bytes]:
    """The status and challenge that a refusal stands for; 0 where it says nothing of the token.

    What the body's error document says stands in the challenge then, where that has no error.
    `has_effect` tells that a second execution could do harm: by a status that does not refuse a
    credential only a code of this table counts then. Words may be those of a tool that has failed,
    about a token of its own.
    """
    parsed = parse_challenge(challenge.decode("latin-1"))
    code, words, scope = parsed.error, parsed.error_description, parsed.scope or ""
    means = judge_words(code, words or code, status) if code else None  # some write a sentence
    if not code:
        members = _read_members(body)
        if "jsonrpc" in members and "id" in members and members["id"] is not None:
            return 0, challenge
        code, words = read_error_code(members, _KNOWN_CODES.__contains__), read_error_words(members)
        scope = scope or _read_scope(members)
        needs_code = has_effect and status not in _REFUSES
        plain = plain_code(code)
        counts = not needs_code or (plain in _KNOWN_CODES and " " not in code)
        if "jsonrpc" not in members and counts and is_code(plain):
            means = judge_words(code, words, status)
        if means is None and not needs_code:
            means = _judge_sentence(status, body, members, code, words)
            code = "unauthorized"
            words = "" if means is TokenWords.DOUBT else words
    if means is None and status in _SAYS_IT_ITSELF:
        means = TokenWords.ENDED
    if means is None:
        return 0, challenge
    if not parsed.error:
        challenge = _add_error(challenge, means, code, words, scope)
    elif means is TokenWords.SCOPE and not scope:
        challenge = _add_scope(challenge, _read_scope(_read_members(body)))
    if means is TokenWords.ENDED:
        return 401, challenge
    return status, challenge


def _judge_sentence(
    status: int, body: bytes, members: dict[str, object], code: str, words: str
) -> TokenWords | None:
    """The meaning of a refusal that consists of a sentence, in a document or without one."""
    said = (code, words) if members else (body[:MAX_WORDS].decode("utf-8", "replace"),)
    is_said = any(_WHOLE.fullmatch(one.strip()) for one in said)
    return _WITHOUT_CODE.get(status) if is_said else None


def _read_members(body: bytes) -> dict[str, object]:
    return (decode_document(body) if len(body) <= MAX_REFUSAL_DOCUMENT else None) or {}


def _add_scope(challenge: bytes, scope: str) -> bytes:
    """The challenge, whose error wants a scope, with the one that the body names."""
    return challenge + f', scope="{scope}"'.encode() if _SCOPES.fullmatch(scope) else challenge


def _read_scope(members: dict[str, object]) -> str:
    for name in ("scope", "needed", "required_scopes", "required_scope", "scopes"):
        value = members.get(name)
        if isinstance(value, list):
            value = " ".join(str(one) for one in cast("list[object]", value))
        if isinstance(value, str) and value:
            return value.replace(",", " ")
    return ""


def _add_error(challenge: bytes, means: TokenWords, code: str, words: str, scope: str) -> bytes:
    names = {TokenWords.ENDED: "invalid_token", TokenWords.SCOPE: INSUFFICIENT_SCOPE}
    said = [f'error="{names.get(means, plain_code(code))}"']
    words = re.sub(r'[^ -~]|["\\]', " ", words[:MAX_WORDS]).strip()
    if words:
        said.append(f'error_description="{words}"')
    if scope and _SCOPES.fullmatch(scope):
        said.append(f'scope="{scope}"')
    text = ", ".join(said).encode()
    if challenge[:6].lower() == b"bearer" and b"error=" not in challenge:
        return challenge + (b", " if challenge[6:].strip() else b" ") + text
    return b", ".join(filter(None, (challenge, b"Bearer " + text)))


def may_be_token(challenge: Challenge, status: int) -> bool:
    """Whether the challenge of a refusal leaves open that the token has ended.

    So does one that wants a scope, and does not say which: there is none to ask a person for.
    """
    means = judge_words(challenge.error, challenge.error_description, status)
    return means is TokenWords.DOUBT or (means is TokenWords.SCOPE and not challenge.scope)
