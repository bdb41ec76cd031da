"""The headers that repeat a call's arguments: learned anew where a server refuses those of a call.

Must not know sessions, or how a request is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp_remote_py.eras.era_detection import HEADER_MISMATCH, error_code
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.errors import ExchangeError
from mcp_remote_py.json_text import Members
from mcp_remote_py.jsonrpc import NULL, Message, make_request
from mcp_remote_py.tools import called_tool

logger = logging.getLogger("mcp_remote_py.bridge")

MAX_TOOL_PAGES = 100
"""Pages of `tools/list` that are read for one refused call."""


def has_wrong_headers(answer: Message) -> bool:
    """Whether a call was refused for its headers, in the form that 2026-07-28 has for it."""
    return answer.refusal is not None and error_code(answer) == HEADER_MISMATCH


async def relearn(
    call: Message, parameters: ParameterHeaders, ask: Callable[[Message], Awaitable[Message]]
) -> bool:
    """Reads the tools again for a call whose headers were refused; whether they changed."""
    before = parameters.headers(call)
    params = {name: one for name, one in call.members.items() if name == "_meta"}
    for page in range(MAX_TOOL_PAGES):
        request = _make_list_request(call, page, params)
        try:
            answer = await ask(request)
        except ExchangeError as error:
            logger.debug("The tools could not be read again: %s", error.cause)
            break
        if answer.is_error:
            break
        if parameters.headers(call) != before:
            logger.info("The headers for %s have changed; trying again.", called_tool(call))
            return True
        cursor = answer.members.get("nextCursor")
        if cursor is None or cursor == NULL:
            break
        params = {**params, "cursor": cursor}
    return parameters.headers(call) != before


def _make_list_request(call: Message, page: int, params: Members) -> Message:
    raw_id = b'"mcp-remote-py/tools/%d/%b"' % (page, call.raw_id.hex().encode())
    return make_request(raw_id, "tools/list", params)
