"""What is wrong in an answer that the official client cannot read, in plain words. Pure.

Its own words are pydantic's, which name its classes and the pages of its manual: they are evidence
alone. Must not know the SDK.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mcp_remote_py.errors import shorten

ANSWERS = {
    "InitializeResult": "initialize",
    "DiscoverResult": "server/discover",
    "ListToolsResult": "tools/list",
    "ListResourcesResult": "resources/list",
    "ListResourceTemplatesResult": "resources/templates/list",
    "ListPromptsResult": "prompts/list",
}
"""The methods that are answered, by the names that the SDK gives the answers."""

_OBJECT = "is not an object"
_NUMBER = "is not a number"
_WHOLE = "is not a whole number"
_SWITCH = "is not true or false"

KINDS = {
    "missing": "is missing",
    "string_type": "is not a string",
    "list_type": "is not a list",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "extra_forbidden": "must not be there",
}
"""What each type of pydantic's says of a member; see its list of validation errors."""

_UNREAD = re.compile(r"\d+ validation errors? for ")
"""In a text of the SDK's that has only words of it left."""


class Flaw(NamedTuple):
    """One member that is not as MCP has it."""

    place: tuple[str | int, ...]
    """The way to it from the answer's `result`."""
    kind: str
    """Its type as pydantic names it."""
    expected: str = ""
    """What may stand there, where only some values may."""


def describe_flaws(answer: str, flaws: Sequence[Flaw]) -> str:
    """What is wrong in the answer that the SDK calls so; without a full stop."""
    method = ANSWERS.get(answer)
    where = f"in the answer to {method}" if method else "in an answer"
    if not flaws:
        return f"{where}, something is not as MCP has it"
    more = len(flaws) - 1
    rest = f" (and {more} more fault{'s' if more > 1 else ''})" if more else ""
    return f"{where}, {describe_flaw(flaws[0])}{rest}"


def describe_flaw(flaw: Flaw) -> str:
    """What is wrong with one member."""
    member = shorten(_write_place(flaw.place)) or "result"
    if flaw.kind in KINDS:
        return f"{member} {KINDS[flaw.kind]}"
    if flaw.expected:
        return f"{member} is not {shorten(flaw.expected)}"
    return f"{member} is not as MCP has it ({shorten(flaw.kind)})"


def _write_place(place: Sequence[str | int]) -> str:
    """As in JavaScript: `tools[0].inputSchema`."""
    text = ""
    for one in place:
        text += f"[{one}]" if isinstance(one, int) else f".{one}" if text else one
    return text


def describe_unread_message(text: str) -> str:
    """The same of a message as a whole, of which only the SDK's text is left; "" for another text.

    Without a full stop.
    """
    if not _UNREAD.search(text):
        return ""
    if "Invalid JSON" in text:
        return "an answer is not JSON"
    if "JSONRPC" in text:
        return "an answer is not a JSON-RPC message"
    return "an answer is not as MCP has it"
