"""Makes an error of an HTTP answer that is not an MCP answer: cause, evidence, next step, class.

Pure. The class decides what the relay may do (see `errors`), the words are the person's. And which
refusal is an answer all the same: one whose body carries the request's own id. Must not know which
transport asked or what will be done about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from mcp_remote_py.bounds import MAX_REFUSAL_BATCH_BYTES, MAX_REFUSAL_LINES
from mcp_remote_py.eras.era_detection import error_code
from mcp_remote_py.errors import (
    EVIDENCE_BYTES,
    HEADER_EXAMPLE,
    ExchangeError,
    Interrupted,
    InvalidMessage,
    Refused,
    SessionLost,
    Unusable,
    excerpt,
)
from mcp_remote_py.jsonrpc import (
    METHOD_NOT_FOUND,
    Kind,
    Message,
    is_same_id,
    pass_error,
    readdress,
)
from mcp_remote_py.parsing import parse_message, read_messages
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.retry import (
    SAFE_STATUS,
    UNSURE_STATUS,
    may_have_effect,
    parse_retry_after,
)
from mcp_remote_py.transports.body_types import (
    ANSWER_TYPES,
    EVENT_STREAM,
    MOST_BLANKS,
    PAGE,
    cut_blanks_before,
    media_type,
    read_type,
)
from mcp_remote_py.transports.pages import Page, find_check, find_form
from mcp_remote_py.transports.sse import EventDecoder

E = TypeVar("E", bound=ExchangeError)

MAX_RETRY_AFTER = 3600.0
"""Seconds; a server that asks for more is asked again after this."""

_WAIT_STATUS = SAFE_STATUS | UNSURE_STATUS
_SLOW_STATUS = frozenset({504, 524})
_NO_TRANSPORT_STATUS = frozenset({404, 405, 406, 410, 411, 415, 501})


def _read_wait(headers: Mapping[bytes, bytes], now: float) -> float | None:
    wait = parse_retry_after(headers.get(b"retry-after", b"").decode("latin-1"), now)
    return None if wait is None else min(wait, MAX_RETRY_AFTER)


class Said(NamedTuple):
    """The words of a body to a request: the answer with its id, or the line it stands for."""

    answer: Message | None = None
    line: bytes | None = None
    """The answer's, or that of a server's error that did not come to read the id, which is `null`
    or missing: it gets that of the only request it can be for."""


def find_answer(body: bytes, content_type: str, request: Message | None) -> Message | None:
    """The answer to `request` in a body: the response, result or error, that carries its id."""
    return _read_said(body, content_type, request).answer


def _read_said(body: bytes, content_type: str, request: Message | None) -> Said:
    if request is None:
        return Said()
    if len(body) > MAX_REFUSAL_BATCH_BYTES and cut_blanks_before(body[:MOST_BLANKS])[:1] == b"[":
        return Said()
    responses = read_responses(body, content_type)
    return choose_said([one for one in responses if one is not None], request)


def choose_said(responses: Sequence[Message], request: Message) -> Said:
    """The words of the messages in one body to `request`.

    The only response there is can be for no other: one whose id has lost its type is the answer,
    and so is a result without an id. An error without one may come from before the id was read.
    """
    for response in responses:
        if response.key == request.key:
            return Said(response, response.raw)
    if len(responses) == 1 and is_same_id(responses[0], request):
        if not (responses[0].is_error and responses[0].names_no_request):
            answer = readdress(responses[0], request.raw_id)
            return Said(answer, answer.raw)
    errors = [one for one in responses if one.is_error and one.names_no_request]
    if len(errors) != 1:
        return Said()
    return Said(line=pass_error(request.raw_id, errors[0].error).raw)


def may_be_answer(
    body: bytes, content_type: str, request: Message | None, *, is_whole: bool
) -> bool:
    """Whether a body in which no answer can be read may be that to what has an effect."""
    if request is None or not may_have_effect(request):
        return False
    return _names(body, request) or (not is_whole and content_type in ANSWER_TYPES)


def _names(body: bytes, request: Message) -> bool:
    """Whether a body that cannot be read as an answer to `request` names its id all the same."""
    # Not by a pattern made of the id: `re` keeps the last 512, a MiB of them.
    spelled, start = request.raw_id.strip(b'"'), body[:EVIDENCE_BYTES]
    return any(
        start.startswith(spelled, found.end())
        and start.startswith(_BEHIND_ID, found.end() + len(spelled))
        for found in _ID_MEMBER.finditer(start)
    )


_ID_MEMBER = lazy_pattern(rb'"id"\s*:\s*"?')
_BEHIND_ID = (b'"', b",", b"}", b" ", b"\t", b"\r", b"\n")


def read_responses(body: bytes, content_type: str) -> Iterator[Message | None]:
    """The JSON-RPC responses in a body, of whatever form; in steps, see `read_messages`."""
    texts = [body]
    if read_type(content_type, body) == EVENT_STREAM:
        if body.count(b"\n") + body.count(b"\r") > MAX_REFUSAL_LINES:
            body = body[:EVIDENCE_BYTES]
        # A stream that is over: its last event may lack its end.
        texts = [event.data for event in EventDecoder(len(body)).feed(body + b"\n\n")]
    for text in texts:
        try:
            for message in read_messages(text):
                if message is None:
                    yield None
                    continue
                # OAuth and many gateways have an `error`, too, which is a word (RFC 6749 §5.2).
                if (
                    isinstance(message, Message)
                    and message.kind is Kind.RESPONSE
                    and (not message.is_error or message.error.startswith(b"{"))
                ):
                    yield message
        except InvalidMessage:
            continue


def take_answer(error: ExchangeError, request: Message | None) -> Message | None:
    """The answer to `request` that came with a refusal and ends its exchange, if there is one.

    An answer is one whatever its HTTP status. Only an error to what has no effect goes on being a
    failure: that may be asked again, and be evidence. And 401 is HTTP's refusal of a credential,
    which comes before all else (RFC 9110 §15.5.2) and is the person's to see in our words.
    """
    if request is None or not error.is_answer or error.body is None or error.in_our_words:
        return None
    answer = parse_message(error.body)
    if answer.is_error and not may_have_effect(request):
        return None
    answer.refusal = error
    return answer


def explain_refusal(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    where: str,
    session_sent: bool,
    request: Message | None,
    credential_sent: bool,
    now: float,
    is_whole: bool = True,
    sign_in_page: Page | None = None,
    shook_hands: bool = False,
) -> ExchangeError:
    """The error for an answer with a status of 300 or more.

    `where` is the masked URL, `session_sent` whether the request named a session, `shook_hands`
    whether there was a handshake before it, `credential_sent` whether it carried an Authorization
    header of the person, `is_whole` whether all of the body could be read, `now` the time in
    seconds since the epoch, `sign_in_page` what a redirect led to.
    """
    evidence = _quote(status, where, body)
    retry_after = _read_wait(headers, now)
    content_type = media_type(headers)
    answer, line = _read_said(body, content_type, request)

    def make(kind: type[E], cause: str, hint: str = "", *, in_our_words: bool = False) -> E:
        return kind(
            cause,
            hint=hint,
            status=status,
            retry_after=retry_after,
            body=line,
            is_answer=answer is not None,
            in_our_words=in_our_words,
        )

    if (
        answer is None
        and status not in (401, 403)
        and may_be_answer(body, content_type, request, is_whole=is_whole)
    ):
        # What looks like an answer was not refused before execution, whatever the status.
        return Interrupted(f"The server's answer cannot be read ({evidence}).")
    if (
        line is None
        and (page := _explain_page(status, headers, body, sign_in_page, evidence, request))
        is not None
    ):
        return page
    # A refusal of the credential is the person's to see in our words, not the server's.
    is_own = status == 401 and answer is not None and answer.is_error
    is_lost = (session_sent or shook_hands) and _may_mean_session(
        status, headers, body, answer, has_id=session_sent
    )
    refused: ExchangeError = make(
        Unusable, f"The server refused the request ({evidence}).", _OTHER_HINT
    )
    if answer is None and (is_lost or status == 401):
        line = None  # so is a session, which the host never saw
    if status == 401:
        challenge = headers.get(b"www-authenticate", b"")
        explained = _explain_credential(evidence, challenge, credential_sent)
        refused = make(Refused, *explained, in_our_words=is_own)
    if is_lost:
        explained = f"The server does not know the session it gave us ({evidence}).", _LOST_HINT
        # Its words alone do not help where the same address knows the session in other requests.
        is_ours = _is_of_one_of_several(status, body, answer)
        otherwise = make(Unusable, *explained) if is_ours else refused
        return make(SessionLost, *explained).with_otherwise(otherwise)
    if status == 401:
        return refused
    if status == 403:
        cause = f"The server forbids this request ({evidence})."
        is_page = read_type(content_type, body) == PAGE
        return make(Refused, cause, _PAGE_HINT if is_page else _FORBIDDEN_HINTS[credential_sent])
    if status in _WAIT_STATUS:
        return make(Refused, *_explain_wait(status, evidence, retry_after))
    is_here = line is not None or shook_hands
    return make(Unusable, *_explain_other(status, evidence, is_here=is_here))


def _quote(status: int, where: str, body: bytes) -> str:
    words = excerpt(body)
    return f"HTTP {status} from {where}" + (f': "{words}"' if words else "")


def _explain_wait(status: int, evidence: str, retry_after: float | None) -> tuple[str, str]:
    what = "is asked too often" if status in (420, 429) else "is not ready"
    when = "later" if retry_after is None else f"in {retry_after:g} seconds, as it asks"
    hint = f"Try again {when}."
    if status in _SLOW_STATUS and retry_after is None:
        from mcp_remote_py.transports.gateways import SLOW_HINT

        hint = SLOW_HINT
    return f"The server {what} ({evidence}).", hint


def find_lost_session(
    error: Message, request: Message, *, where: str, has_id: bool
) -> SessionLost | None:
    """What an error without an id stands for that came with a good status, in a session."""
    from mcp_remote_py.transports.lost_session import says_lost

    body = error.error[:EVIDENCE_BYTES]
    if not says_lost(200, {}, body, has_id=has_id, shook_hands=True):
        return None
    evidence = f'(HTTP 200 from {where}: "{excerpt(body)}")'
    line = pass_error(request.raw_id, error.error).raw
    otherwise = Unusable(f"The server refused the request {evidence}.", status=200, body=line)
    cause = f"The server does not know the session it gave us {evidence}."
    return SessionLost(cause, hint=_LOST_HINT, status=200).with_otherwise(otherwise)


_LOST_HINT = (
    "If that stays so, several servers answer at this address and do not share sessions. A "
    "balancer may find the same one again by its cookie: leave out --disable-cookies."
)

_FORBIDDEN_HINTS = {
    True: "Check that the credential you give with --header may use this server.",
    False: "If it takes a key, give it with --header; if you are signed in, name the scopes it "
    "wants with --scope, or ask who runs it.",
}
"""By whether the person gave a credential."""

_OTHER_HINT = "If that does not say why, the server's own log does: ask whoever runs it."

_PAGE_HINT = (
    "It comes as a page: a firewall before the server may have sent it. Whoever runs the server "
    "has to let programs pass at this path; if it takes a key, give it with --header."
)


def _explain_page(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    sign_in_page: Page | None,
    evidence: str,
    request: Message | None,
) -> Unusable | None:
    """The error for what stands before the server: it has not said anything itself."""
    check = find_check(status, headers, body)
    if check is None and sign_in_page is not None:
        what = f"The server redirects to {sign_in_page.what} ({evidence})."
        return Unusable(what, hint=sign_in_page.hint)
    page = check or find_form(status, headers, body)
    if page is not None:
        return Unusable(f"{page.what} stands before the server ({evidence}).", hint=page.hint)
    from mcp_remote_py.transports.gateways import find_gateway, tell_size  # few are refused

    if (gateway := find_gateway(status, body)) is not None:
        size = "some size" if request is None else tell_size(len(request.raw))
        said = f"The server refused the request ({evidence}). {gateway.cause}."
        return Unusable(said, hint=gateway.hint.format(size=size))
    return None


def _explain_credential(evidence: str, challenge: bytes, credential_sent: bool) -> tuple[str, str]:
    words = excerpt(challenge)
    asked = f" It asks for: {words}." if words else ""
    if credential_sent:
        return (
            f"The server refused your Authorization header ({evidence}).{asked}",
            "Check the value given with --header: is it whole, valid, meant for this server?",
        )
    return (
        f"The server wants a sign-in ({evidence}).{asked}",
        f"Give it a credential, for example {HEADER_EXAMPLE}.",
    )


def _explain_other(status: int, evidence: str, *, is_here: bool) -> tuple[str, str]:
    """`is_here`: a server of MCP has spoken, now or before. 2026-07-28 has 404 for methods."""
    if status in _NO_TRANSPORT_STATUS and not is_here:
        return (
            f"No MCP server answers at this address ({evidence}).",
            "Check the path of the URL: it often ends in /mcp or /sse.",
        )
    if status == 511:  # RFC 6585 §6
        return (
            f"The network wants a sign-in before it lets anybody through ({evidence}).",
            "Open any page in the browser, and sign in to the network there.",
        )
    if status >= 500:
        return f"The server failed ({evidence}).", "Look at the server's own log."
    if status < 400:
        return (
            f"The server redirects, and does not say where ({evidence}).",
            "Check the URL: https, its path, and a slash at its end.",
        )
    return f"The server refused the request ({evidence}).", _OTHER_HINT


def _may_mean_session(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    answer: Message | None,
    *,
    has_id: bool,
) -> bool:
    if answer is not None and (not answer.is_error or error_code(answer) == METHOD_NOT_FOUND):
        return False  # it was understood
    from mcp_remote_py.transports.lost_session import says_lost  # a start has no session to lose

    return says_lost(status, headers, body, has_id=has_id, shook_hands=True)


def _is_of_one_of_several(status: int, body: bytes, answer: Message | None) -> bool:
    """Whether a refusal that names a lost session is our sentence, also where it is not lost.

    Then the server knows it in other requests: one of several, whose words alone do not help.
    """
    if status == 401 or answer is not None:
        return False
    from mcp_remote_py.transports.lost_session import names_lost

    return names_lost(body)


def explain_content(
    status: int,
    content_type: str,
    body: bytes,
    *,
    where: str,
    request: Message | None = None,
    headers: Mapping[bytes, bytes] = MappingProxyType({}),
    sign_in_page: Page | None = None,
) -> Unusable:
    """The error for an answer with a good status that is not one of JSON or an event stream."""
    answer, line = _read_said(body, content_type, request)
    evidence = _quote(status, where, body)
    if (
        line is None
        and (page := _explain_page(status, headers, body, sign_in_page, evidence, request))
        is not None
    ):
        return page
    cause, hint = _explain_content(status, content_type, body, where)
    return Unusable(cause, hint=hint, status=status, body=line, is_answer=answer is not None)


def _explain_content(status: int, content_type: str, body: bytes, where: str) -> tuple[str, str]:
    if status == 202:
        return (
            "The server accepted the request without answering it (HTTP 202).",
            "That is right for notifications only: the server is not a proper MCP server.",
        )
    if not body.strip():
        return (
            f"The server sent an empty answer (HTTP {status} from {where}).",
            "Check that the URL is that of an MCP server.",
        )
    return (
        f"The server answered with {content_type or 'no content type'} instead of JSON or an event "
        f"stream ({_quote(status, where, body)}).",
        "Check that the URL is that of an MCP server, not of a web page or a sign-in portal.",
    )
