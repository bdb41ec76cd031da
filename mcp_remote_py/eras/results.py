"""Makes results and errors look as a client of the other era expects them.

To 2026-07-28: `resultType` always, `ttlMs` and `cacheScope` where it has them (server/utilities/
caching), error codes of its own. From it: without them, without the server's name in `_meta`, and
without what the older schemas do not allow, so that a strict client does not refuse a whole list
for one member. Must not know which side asked.
"""

from __future__ import annotations

import msgspec

from mcp_remote_py.eras.envelope import SERVER_INFO, take_meta
from mcp_remote_py.eras.era_detection import MISSING_CAPABILITY, MODERN_CODES, error_code
from mcp_remote_py.eras.wrapped_output import WrappedOutputs
from mcp_remote_py.errors import shorten
from mcp_remote_py.json_text import (
    Members,
    read_members,
    read_text,
)
from mcp_remote_py.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LOCAL_ERROR,
    Message,
    make_error,
    make_result,
    pass_error,
)

RESOURCE_NOT_FOUND = -32002
"""Until 2025-11-25; since then it is -32602 (server/resources, "Error Handling")."""

URL_REQUIRED = -32042
"""2025-11-25 alone: "first open these addresses"; since then that is an input like others."""

_NO_ELICITATION = (
    b'{"code":%d,"message":"The server wants an address to be opened first.",'
    b'"data":{"requiredCapabilities":{"elicitation":{"url":{}}}}}' % MISSING_CAPABILITY
)

CACHEABLE = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)

_CACHING = ("ttlMs", "cacheScope")
_STALE: Members = {"ttlMs": msgspec.Raw(b"0"), "cacheScope": msgspec.Raw(b'"private"')}
"""Members that are true of every result: it may be old at once, and it is this person's."""
_COMPLETE: Members = {"resultType": msgspec.Raw(b'"complete"')}


def to_handshake_result(request: Message, answer: Message, outputs: WrappedOutputs) -> Message:
    """The answer to `request` of a host that began with `initialize`."""
    if answer.known_members is None:
        return make_result(request.raw_id, answer.payload or b"null")  # nothing we know of
    nameless = take_meta(answer, {SERVER_INFO})
    members = dict(answer.members) if nameless is None else nameless
    kind = members.pop("resultType", None)
    if kind is not None and read_text(kind) != "complete":
        text = f'The server answered with a result of the kind "{shorten(read_text(kind))}", '
        text += "which a host of this protocol revision cannot use."
        return make_error(request.raw_id, LOCAL_ERROR, text)
    if request.method in CACHEABLE:
        for name in _CACHING:
            members.pop(name, None)
    if request.method == "tools/call":
        result = outputs.wrap_result(read_text(request.members.get("name")), members)
        return make_result(request.raw_id, result)
    if request.method == "tools/list" and not answer.is_long:
        outputs.wrap_tools(members)  # whoever sends a longer list has to do without
    return make_result(request.raw_id, members)


def to_handshake_error(request: Message, answer: Message) -> Message:
    """The error to `request` of a host that began with `initialize`."""
    not_found = request.method == "resources/read" and error_code(answer) == INVALID_PARAMS
    return _with_code(request, answer, RESOURCE_NOT_FOUND if not_found else None)


def to_modern_result(request: Message, answer: Message) -> Message:
    """The answer to `request` of a modern client, with what every one of its kind must have."""
    members = complete_result(request.method, answer.members)
    if answer.known_members is None or members is answer.members:
        return make_result(request.raw_id, answer.payload or b"null")
    return make_result(request.raw_id, members)


def complete_result(method: str, members: Members) -> Members:
    """A result with what every one of its kind must have for a modern client."""
    added = _COMPLETE | (_STALE if method in CACHEABLE else {})
    missing = {name: value for name, value in added.items() if name not in members}
    return missing | members if missing else members


def to_modern_error(request: Message, answer: Message) -> Message:
    """The error to `request` of a modern client."""
    code = error_code(answer)
    if code == URL_REQUIRED and _names_addresses(answer):
        return pass_error(request.raw_id, _NO_ELICITATION)
    if code == RESOURCE_NOT_FOUND:
        return _with_code(request, answer, INVALID_PARAMS)
    # What a server of the other era means by a code that is the specification's nobody knows.
    return _with_code(request, answer, INTERNAL_ERROR if code in MODERN_CODES else None)


def _names_addresses(answer: Message) -> bool:
    """Whether a -32042 can be that of 2025-11-25, and not one that a tool means in its own way."""
    data = read_members(answer.members.get("data", b""))
    return data is not None and (not data or "elicitations" in data)


def _with_code(request: Message, answer: Message, code: int | None) -> Message:
    if code is None or answer.known_members is None:
        return pass_error(request.raw_id, answer.payload or b"null")
    return pass_error(request.raw_id, {**answer.members, "code": msgspec.Raw(b"%d" % code)})
