"""Finds out which era the server speaks, by tables of evidence (2026-07-28, basic/versioning).

An outage is never a verdict: what does not answer, limits, wants a sign-in or fails says nothing
of its era. Must not know how the evidence was come by.
"""

from __future__ import annotations

import enum

import msgspec

from mcp_remote_py.errors import ExchangeError, InvalidMessage, WrongEra
from mcp_remote_py.json_text import UNREADABLE, decode_list, read_integer, read_members, read_text
from mcp_remote_py.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Message
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.values import Value
from mcp_remote_py.versions import HANDSHAKE_VERSIONS, is_modern

HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

MODERN_CODES = frozenset(range(-32099, -32019)) - {-32042}
"""Since 2026-07-28 the specification alone allocates these (basic/index, "Error Codes"), and
-32042 is one that only 2025-11-25 knew."""

LEGACY_REFUSED = frozenset({HEADER_MISMATCH, UNSUPPORTED_VERSION})
"""Error codes of a modern server for a message of the other era."""

_ORDINARY_CODES = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR})
_ORDINARY_STATUS = frozenset({400, 404})
"""A modern server answers these codes with these statuses to a request of its era. Servers of the
other era answer the codes with 200, and a request that they cannot place with other statuses."""

MISMATCH_STATUS = frozenset({200, 400, 404, 405, 406, 410, 411, 415, 501})
"""Statuses seen from servers of the other transport or era; 200 is that of a web page."""


class Era(enum.Enum):
    """The era of the server, as far as it is known; the value is what is remembered of it."""

    UNKNOWN = ""
    LEGACY = "legacy"
    MODERN = "modern"


MAX_VERSIONS_BYTES = 64 * 1024
"""Bytes of a list of revisions. A new one comes every half year."""

_decode_text = msgspec.json.Decoder(str).decode


def error_code(answer: Message) -> int:
    """The code of an error answer, 0 where it has none."""
    return read_integer(answer.members.get("code")) if answer.is_error else 0


def read_error_answer(error: ExchangeError) -> Message | None:
    """The JSON-RPC error that came with a failure, None where none did."""
    return None if error.body is None else _parse(error.body)


def failure_code(error: ExchangeError) -> int:
    """The code of that error, 0 where there is none."""
    answer = read_error_answer(error)
    return 0 if answer is None else error_code(answer)


def is_modern_error(line: bytes) -> bool:
    """Whether an error answer could only come from a server of the modern era."""
    answer = _parse(line)
    return answer is not None and error_code(answer) in MODERN_CODES


def supported_versions(answer: Message) -> list[str]:
    """The revisions that an answer to `server/discover`, or a -32022, says the server speaks."""
    if not answer.is_error:
        return _read_versions(answer.members.get("supportedVersions"))
    data = read_members(answer.members.get("data", b"")) or {}
    return _read_versions(data.get("supported"))


def _read_versions(value: msgspec.Raw | None) -> list[str]:
    if value is None or memoryview(value).nbytes > MAX_VERSIONS_BYTES:
        return []
    try:
        return list(map(_decode_text, decode_list(value)))
    except UNREADABLE:
        return []


def judge_greeting(answer: Message) -> Era:
    """The era by an answer to `initialize`; UNKNOWN: it was not taken, for whatever reason.

    A server that agrees on a revision without a handshake is one of those.
    """
    if answer.is_error:
        return Era.UNKNOWN
    version = read_text(answer.members.get("protocolVersion"))
    return Era.MODERN if is_modern(version) else Era.LEGACY


def judge_discovery(answer: Message) -> Era:
    """The era by an answer to `server/discover`.

    A server that lists only revisions with a handshake says that it is legacy, in whatever form.
    """
    versions = supported_versions(answer)
    if any(map(is_modern, versions)):
        return Era.MODERN
    if not answer.is_error or (versions and set(versions) <= HANDSHAKE_VERSIONS):
        return Era.LEGACY
    return Era.MODERN if error_code(answer) in MODERN_CODES else Era.LEGACY


class Evidence(Value, frozen=True):
    """A kind of failure, what it says, and why; None fits every one."""

    failure: type[ExchangeError]
    status: frozenset[int] | None
    codes: frozenset[int] | None
    era: Era
    why: str

    def fits(self, error: ExchangeError, code: int) -> bool:
        """Whether it is this failure, with this code in its JSON-RPC error, if it has one."""
        return (
            isinstance(error, self.failure)
            and (self.status is None or error.status in self.status)
            and (self.codes is None or code in self.codes)
        )


FAILURES = (
    Evidence(WrongEra, None, None, Era.LEGACY, "Its transport is that of 2024-11-05."),
    Evidence(ExchangeError, None, MODERN_CODES, Era.MODERN, "Only its era knows this error."),
    Evidence(
        ExchangeError,
        _ORDINARY_STATUS,
        _ORDINARY_CODES,
        Era.MODERN,
        "It understood the request and refused it by the rules of its era.",
    ),
    Evidence(ExchangeError, MISMATCH_STATUS, None, Era.LEGACY, "It cannot place the request."),
    Evidence(ExchangeError, None, None, Era.UNKNOWN, "An outage, or a sign-in: no verdict."),
)
"""Verdicts on failures of *modern* requests; the first that fits decides, the last fits all."""


def judge_failure(error: ExchangeError) -> Era:
    """The era by the failure of a modern request."""
    code = failure_code(error)
    return next(one.era for one in FAILURES if one.fits(error, code))


def _parse(line: bytes) -> Message | None:
    try:
        return parse_message(line)
    except InvalidMessage:
        return None
