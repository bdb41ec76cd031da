"""Mends what a server says so that every host can read it: its errors, and what is around them.

Hosts drop what is not JSON-RPC 2.0 as they know it, and the call waits until they give up. What is
needed stays; nearly every message is as it was, and nobody asks here. Pure. Must not know methods,
or who said it.
"""

from __future__ import annotations

import re

import msgspec

from mcp_remote_py.errors import EVIDENCE_BYTES, one_line, shorten
from mcp_remote_py.json_text import encode, read_text
from mcp_remote_py.jsonrpc import (
    INTERNAL_ERROR,
    NULL,
    Kind,
    Message,
    is_object,
    make_notification,
    make_request,
    pass_error,
    readdress,
)


def mend_message(message: Message) -> Message:
    """The message with `"jsonrpc": "2.0"` and the members of its kind (JSON-RPC 2.0 §4 and §5).

    Servers whose messages are all of one type write `"method": ""` or `"error": null` into a
    result, and `"params": null`.
    """
    if message.is_proper:
        return message
    if message.kind is Kind.RESPONSE:
        return readdress(message, message.raw_id or b"null")
    params = message.payload
    if params is None or params == NULL:
        params = b""
    if message.kind is Kind.REQUEST:
        return make_request(message.raw_id, message.method, params)
    return make_notification(message.method, params)


def mend_answer(answer: Message) -> Message:
    """The answer with an error that a host can read, where it has one, and as a message."""
    return mend_message(mend_error(answer) if answer.is_error else answer)


def mend_error(answer: Message) -> Message:
    """The answer with an error that a host can read; nearly every one is as it was.

    JSON-RPC 2.0 §5.1 has an integer `code` and a `message` in it. What is there instead becomes the
    words of the message, and a code that is missing that of an internal error.
    """
    is_members = is_object(answer.payload)
    members = answer.known_members
    if members is None and is_members:
        return answer  # it has too many to look at
    members = members or {}
    code, words = (_begin(members.get(name)) for name in ("code", "message"))
    has_code = re.fullmatch(rb"-?\d+(?:\.0+)?", code) is not None
    if has_code and words.startswith(b'"'):
        return answer
    text = _speak(words if is_members else answer.error[:EVIDENCE_BYTES])
    if code and not has_code:
        text = f"{text} ({_speak(code)})".strip()
    mended = {
        "code": msgspec.Raw(code if has_code else b"%d" % INTERNAL_ERROR),
        "message": msgspec.Raw(encode(text or "The server's error does not have a message.")),
    }
    return pass_error(answer.raw_id, {**members, **mended})


def _begin(value: msgspec.Raw | None) -> bytes:
    """Of a value that may be long, as much as anybody looks at."""
    return b"" if value is None else bytes(memoryview(value)[:EVIDENCE_BYTES])


def _speak(text: bytes) -> str:
    """The words of a JSON text for a person: of a string its own, else as it is written."""
    if text in (b"", b"null"):
        return ""
    own = read_text(msgspec.Raw(text)) if text.startswith(b'"') and text.endswith(b'"') else ""
    return shorten(own or text.decode("utf-8", "replace"))


def reword_error(answer: Message, text: str) -> Message:
    """An error answer with another message; its code and other members stay."""
    message = msgspec.Raw(encode(one_line(text)))
    return pass_error(answer.raw_id, {**answer.members, "message": message})
