"""What an HTTP answer means that is no MCP answer: cause, evidence, next step, and its class.

Pure. The class decides what the relay may do (see `errors`), the words are the person's. Must
not know which transport asked or what will be done about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from mcp_remote_py.errors import (
    ExchangeError,
    InvalidMessage,
    Refused,
    SessionLost,
    Unusable,
    shorten,
    words_of,
)
from mcp_remote_py.jsonrpc import Message, encode_error_object, parse_message

EVIDENCE_BYTES = 64 * 1024
"""Bytes of a refusal's body that are looked at."""

MAX_RETRY_AFTER = 3600.0
"""Seconds; a server that asks for more is asked again after this."""

_WAIT_STATUS = frozenset({408, 425, 429, 502, 503, 504})
_NO_TRANSPORT_STATUS = frozenset({404, 405, 406, 410, 411, 415, 501})
_SESSION_WORD = re.compile(rb"session", re.IGNORECASE)


def excerpt(body: bytes) -> str:
    """The first words of a foreign text: tags, control characters and line ends removed."""
    return shorten(words_of(body[:EVIDENCE_BYTES]))


def parse_retry_after(value: bytes | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After`, delay or date (RFC 9110 §10.2.3); None without a usable one."""
    if value is None:
        return None
    value = value.strip()
    if value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    from email.utils import parsedate_to_datetime  # 15 ms that only a date costs

    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, (date - now).total_seconds()), MAX_RETRY_AFTER)


def error_line(body: bytes, request: Message | None) -> bytes | None:
    """The JSON-RPC error in a refusal's body as an answer to `request`, or None.

    A server that refuses before reading the id answers with `null` or none: it gets the id of
    the only request this answer can be for. Another request's id is no answer to this one.
    """
    try:
        message = parse_message(body)
    except InvalidMessage:
        return None
    # OAuth and many gateways have an `error`, too, which is a word (RFC 6749 §5.2).
    if request is None or not message.error.startswith(b"{"):
        return None
    if message.key is None:
        return encode_error_object(request.raw_id, message.error)
    return message.raw if message.key == request.key else None


def explain_refusal(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    where: str,
    session_sent: bool,
    request: Message | None,
    credential_sent: bool,
    now: datetime,
) -> ExchangeError:
    """The error for an answer with a status of 300 or more.

    `where` is the masked URL, `session_sent` whether the request named a session,
    `credential_sent` whether it carried an Authorization header of the person.
    """
    words = excerpt(body)
    evidence = f"HTTP {status} from {where}" + (f': "{words}"' if words else "")
    retry_after = parse_retry_after(headers.get(b"retry-after"), now)
    line = error_line(body, request)

    def make(kind: type[ExchangeError], cause: str, hint: str = "") -> ExchangeError:
        return kind(cause, hint=hint, status=status, retry_after=retry_after, body=line)

    if session_sent and (status == 404 or (status == 400 and _SESSION_WORD.search(body))):
        line = None  # a session the host never saw is ours to explain
        return make(
            SessionLost,
            f"The server does not know the session it gave us ({evidence}).",
            "If that stays so, several servers answer at this address that share no sessions.",
        )
    if status == 401:
        challenge = excerpt(headers.get(b"www-authenticate", b""))
        asked = f" It asks for: {challenge}." if challenge else ""
        # A refusal of the credential is the person's to see in our words, not the server's.
        line = None
        if credential_sent:
            return make(
                Refused,
                f"The server refused your Authorization header ({evidence}).{asked}",
                "Check the value given with --header: is it whole, valid, meant for this server?",
            )
        return make(
            Refused,
            f"The server wants a sign-in ({evidence}).{asked}",
            'Give it a credential, for example --header "Authorization: Bearer ${TOKEN}".',
        )
    if status == 403:
        if credential_sent:
            hint = "Check that the credential you give with --header may use this server."
        else:
            hint = (
                "If you are signed in, name the scopes it wants with --scope, or ask who runs it."
            )
        return make(Refused, f"The server forbids this request ({evidence}).", hint)
    if status in _WAIT_STATUS:
        what = "is asked too often" if status == 429 else "is not ready"
        when = "later" if retry_after is None else f"in {retry_after:g} seconds, as it asks"
        return make(Refused, f"The server {what} ({evidence}).", f"Try again {when}.")
    # With a JSON-RPC error a server of MCP has spoken: 2026-07-28 has 404 for unknown methods.
    if status in _NO_TRANSPORT_STATUS and line is None:
        return make(
            Unusable,
            f"No MCP server answers at this address ({evidence}).",
            "Check the path of the URL: it often ends in /mcp or /sse.",
        )
    if status >= 500:
        return make(Unusable, f"The server failed ({evidence}).", "Look at the server's own log.")
    return make(Unusable, f"The server refused the request ({evidence}).")


def explain_content(status: int, content_type: str, body: bytes, *, where: str) -> Unusable:
    """The error for an answer with a good status that cannot hold an MCP answer."""
    if not body.strip():
        return Unusable(
            f"The server answered nothing: HTTP {status} with an empty body from {where}.",
            hint="Check that the URL is that of an MCP server.",
            status=status,
        )
    words = excerpt(body)
    return Unusable(
        f"The server answered with {content_type or 'no content type'} instead of JSON or an event "
        f'stream (HTTP {status} from {where}: "{words}").',
        hint="Check that the URL is that of an MCP server, not of a web page or a sign-in portal.",
        status=status,
    )
