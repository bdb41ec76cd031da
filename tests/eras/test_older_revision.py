"""A handshake that is refused for its revision is made again for an older one that may be taken.

The refusals are in the words of servers that were seen.
"""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.eras.older_revision import ask_for_older
from mcp_remote_py.errors import ExchangeError, Interrupted, Refused, Unusable
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.parsing import parse_message


def initialize(version: str) -> Message:
    params = b'{"protocolVersion":"%b","capabilities":{"x":1.0},"clientInfo":{"name":"h"}}'
    line = b'{"jsonrpc":"2.0","id":"a","method":"initialize","params":%b}'
    return parse_message(line % (params % version.encode()))


def answer(code: int, message: str, data: object = None) -> Message:
    error = {"code": code, "message": message, "data": data}
    return parse_message(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())


def refused(words: str, status: int = 400) -> ExchangeError:
    return Refused(f'The server refused the request (HTTP {status}: "{words}").', status=status)


SDK_LIST = (
    "Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26, "
    "2024-11-05, 2024-10-07)"
)

OLDER = {
    "Slack": (answer(-32600, "Unsupported protocol version: 2025-11-25"), "2025-06-18"),
    "the TypeScript SDK of 2025": (refused(SDK_LIST), "2025-06-18"),
    "the same in a body": (
        Refused("no", status=400, body=answer(-32000, SDK_LIST).raw),
        "2025-06-18",
    ),
    "words of no form, with both transports tried": (
        Unusable(
            "Neither transport answers at this address (HTTP 400): try /mcp or /sse as its path.",
            hint='In detail: The server refused the request (HTTP 400: "Unsupported protocol '
            'version").',
            status=400,
        ),
        "2025-06-18",
    ),
    "the example of MCP": (
        answer(
            -32602,
            "Unsupported protocol version",
            {"supported": ["2024-11-05"], "requested": "2025-11-25"},
        ),
        "2024-11-05",
    ),
    "higress": (answer(-32602, "unsupported protocol version: 2025-11-25"), "2025-06-18"),
    "a list in a modern error": (
        answer(-32022, "Unsupported protocol version", {"supported": ["2025-03-26"]}),
        "2025-03-26",
    ),
}


@pytest.mark.parametrize("name", OLDER)
def test_the_newest_older_revision_is_asked_for_and_nothing_else_changes(name: str) -> None:
    refusal, version = OLDER[name]
    older = ask_for_older(initialize("2025-11-25"), refusal)
    assert older is not None
    assert json.loads(older.raw) == json.loads(initialize(version).raw)


NOT_OLDER = {
    "it knows newer ones alone": answer(
        -32022, "Unsupported protocol version", {"supported": ["2026-07-28"]}
    ),
    "the header of the other era is missing": answer(
        -32020, "Header mismatch: MCP-Protocol-Version is missing"
    ),
    "it is about something else": answer(-32602, "Invalid params: 2025-06-18"),
    "an outage": refused("protocol version", 503),
    "a lost answer": Interrupted("The answer to protocol version 2025-06-18 was lost."),
    "a page": Unusable("Not found", status=404),
}


@pytest.mark.parametrize("name", NOT_OLDER)
def test_another_refusal_stays(name: str) -> None:
    assert ask_for_older(initialize("2025-11-25"), NOT_OLDER[name]) is None


@pytest.mark.parametrize("version", ["2024-11-05", "2026-07-28", "1.0", ""])
def test_there_is_nothing_older_or_it_is_not_a_revision_with_a_handshake(version: str) -> None:
    refusal = answer(-32602, "Unsupported protocol version")
    assert ask_for_older(initialize(version), refusal) is None
