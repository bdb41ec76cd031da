"""Which tools the host may see and call, and which of them may be called twice.

Pure. Learns from the answers to `tools/list` that pass by; filters them when rules are set,
leaving every byte of the tools that stay (but see `Message` on lone surrogates). What cannot be
read is hidden by a rule, never let through. Must not know who asks.
"""

from __future__ import annotations

import re

import msgspec

from mcp_remote_py.jsonrpc import UNREADABLE, Message, TooMany, bounded
from mcp_remote_py.settings import ToolRules


class _Annotations(msgspec.Struct):
    readOnlyHint: object = None
    idempotentHint: object = None


class _Tool(msgspec.Struct):
    name: str
    annotations: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(msgspec.Struct):
    name: str


_decode_members = bounded(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_decode_list = bounded(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_annotations = msgspec.json.Decoder(_Annotations).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode
_decode_call = msgspec.json.Decoder(_Call).decode


class ToolCatalog:
    """The tools seen so far, and the rules on them."""

    def __init__(self, rules: ToolRules) -> None:
        self._rules = rules
        self._allow = [_compile(pattern) for pattern in rules.allow]
        self._ignore = [_compile(pattern) for pattern in rules.ignore]
        self._read_only: set[str] = set()
        self._repeatable: set[str] = set()

    @property
    def restricts(self) -> bool:
        """Whether any rule is set."""
        return self._rules.restrict

    def learn(self, answer: Message) -> bytes:
        """The answer to a `tools/list`, for the host: its own bytes, or those that may be seen."""
        try:
            result = _decode_members(answer.result)
            tools = [(raw, _read_tool(raw)) for raw in _decode_list(result["tools"])]
        except TooMany:
            return answer.with_result(b'{"tools":[]}') if self.restricts else answer.raw
        except (*UNREADABLE, KeyError):
            return answer.raw  # an error, or not what we know: nothing to filter
        for _, tool in tools:
            if tool is not None:
                self._remember(tool)
        if not self._rules.restrict:
            return answer.raw
        kept = (bytes(raw) for raw, tool in tools if tool is not None and self.allows(tool.name))
        result["tools"] = msgspec.Raw(b"[%b]" % b",".join(kept))
        return answer.with_result(msgspec.json.encode(result))

    def _remember(self, tool: _Tool) -> None:
        hints = _read_annotations(tool)
        for known, holds in (
            (self._read_only, hints.readOnlyHint is True),
            (self._repeatable, hints.readOnlyHint is True or hints.idempotentHint is True),
        ):
            if holds:
                known.add(tool.name)
            else:
                known.discard(tool.name)

    def allows(self, name: str) -> bool:
        """Whether the rules let the host see and call this tool."""
        if self._allow and not any(pattern.fullmatch(name) for pattern in self._allow):
            return False
        if any(pattern.fullmatch(name) for pattern in self._ignore):
            return False
        return not self._rules.read_only or name in self._read_only

    def may_repeat(self, name: str) -> bool:
        """Whether the server marked the tool harmless to call twice."""
        return name in self._repeatable


def _read_tool(raw: msgspec.Raw) -> _Tool | None:
    try:
        return _decode_tool(raw)
    except UNREADABLE:
        return None


def _read_annotations(tool: _Tool) -> _Annotations:
    """Its hints; one that cannot be read has none, which is the cautious reading."""
    try:
        return _decode_annotations(tool.annotations)
    except UNREADABLE:
        return _Annotations()


def called_tool(message: Message) -> str | None:
    """The name in a `tools/call`, None where there is none."""
    try:
        return _decode_call(message.params).name
    except UNREADABLE:
        return None


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
