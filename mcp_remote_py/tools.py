"""Decides which tools the host may see and call, and which of them may be called twice.

Pure. Learns from the answers to `tools/list` that pass by; filters them when rules are set,
leaving every byte of the tools that stay (but see `Message` on lone surrogates).

JSON leaves open what a member means that is there twice, many servers read names without regard
to case (Go), and some cut what they cannot show. So where a rule is set, what could be read in two
ways is refused or hidden, never let through. Without a rule, nothing of this is looked at. Must not
know who asks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from mcp_remote_py.bounds import LONG_BYTES, LONG_PARTS
from mcp_remote_py.errors import shorten
from mcp_remote_py.json_text import (
    UNREADABLE,
    Members,
    decode_list,
    read_pairs,
    read_string,
)
from mcp_remote_py.jsonrpc import Message, make_result, pass_error
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.values import Value

logger = logging.getLogger("mcp_remote_py.tools")


class _Annotations(msgspec.Struct):
    readOnlyHint: msgspec.Raw = msgspec.Raw(b"")
    idempotentHint: msgspec.Raw = msgspec.Raw(b"")


class _Tool(msgspec.Struct):
    name: str
    annotations: msgspec.Raw = msgspec.Raw(b"{}")


_decode_annotations = msgspec.json.Decoder(_Annotations).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode


_TRUE = msgspec.Raw(b"true")
_ENVELOPE = frozenset({"id", "method", "params"})
_ANSWER = frozenset({"id", "result", "error"})
_METHODS = frozenset({"tools/call", "tools/list"})
_TOOLS = frozenset({"tools"})
_NAME = frozenset({"name"})
_NO_TOOLS: Members = {"tools": msgspec.Raw(b"[]")}
_UNSEEN = lazy_pattern(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Printable characters that show nothing by themselves (Unicode: Default_Ignorable_Code_Point)."""


class ToolCatalog:
    """The tools seen so far, and the rules on them."""

    def __init__(self, rules: ToolRules) -> None:
        self._rules = rules
        self._ignore_folded = [_fold(pattern) for pattern in rules.ignore]
        self._read_only: set[str] = set()
        self._repeatable: set[str] = set()

    def judge(self, message: Message) -> str:
        """Says why the rules keep a message of the host from the server; "" where they do not."""
        if not self._rules.restrict:
            return ""
        names = message.names()
        if names is None:
            return _TOO_MANY_MEMBERS
        odd = _find_ambiguous(names, _ENVELOPE)
        if not odd and message.method not in _METHODS and _plain(message.method) in _METHODS:
            odd = "method"
        if odd or message.method != "tools/call":
            return _explain_ambiguous(odd) if odd else ""
        names = message.payload_names()
        if odd := _find_ambiguous(names or (), _NAME):
            return _explain_ambiguous(odd)
        name = None if names is None else called_tool(message)
        if name is not None and self._lets_pass(name):
            return ""
        shown = shorten(name) if name else "without a name"
        return (
            f"The tool {shown} is not offered here: --allow-tool, "
            "--ignore-tool or --read-only in the configuration of mcp-remote-py hides it."
        )

    def learn(self, answer: Message) -> Message:
        """The answer to a `tools/list`, for the host: as it is, or with what may be seen.

        One that is long (`Message.is_long`) is not looked into: with a rule, nothing of it is seen.
        """
        if not self._rules.restrict:
            listed = [] if answer.is_long else _read_tools(answer)
            self._take_hints(filter(None, map(_read_tool, listed)))
            return answer
        if answer.is_error:
            fits = _is_unambiguous(answer, _ANSWER - {"result"})
            return answer if fits else pass_error(answer.raw_id, answer.error)
        if answer.is_long:
            logger.warning(_TOO_LONG_LIST)
            return make_result(answer.raw_id, _NO_TOOLS)
        pairs = read_pairs(answer.result) or []
        listed = _judge_tools(_list_tools(dict(pairs)))
        self._take_hints([one.tool for one in listed])
        shown = (bytes(one.raw) for one in listed if one.fits and self._lets_pass(one.tool.name))
        tools = msgspec.Raw(b"[%b]" % b",".join(shown))
        result = {**_take_unambiguous(pairs, _TOOLS), "tools": tools}
        filtered = answer.with_result(result)
        fits = _is_unambiguous(filtered, _ANSWER)
        return filtered if fits else make_result(answer.raw_id, result)

    def _take_hints(self, tools: Iterable[_Tool]) -> None:
        """Believes the hints of an answer; of a name that is there twice, only what both say."""
        hinted = [(tool.name, _read_annotations(tool)) for tool in tools]
        read_only = [(name, hints.readOnlyHint == _TRUE) for name, hints in hinted]
        repeatable = [
            (name, _TRUE in (hints.readOnlyHint, hints.idempotentHint)) for name, hints in hinted
        ]
        for known, told in ((self._read_only, read_only), (self._repeatable, repeatable)):
            known.update(name for name, holds in told if holds)
            known.difference_update(name for name, holds in told if not holds)

    def allows(self, name: str) -> bool:
        """Whether the rules let the host see and call this tool, as they are written."""
        rules = self._rules
        if rules.allow and not any(_matches(pattern, name) for pattern in rules.allow):
            return False
        if any(_matches(pattern, name) for pattern in rules.ignore):
            return False
        return not rules.read_only or name in self._read_only

    def _lets_pass(self, name: str) -> bool:
        """Whether they do so in every reading of the name.

        One that is ignored is so in any case of its letters, and one that some reader may shorten
        passes no rule.
        """
        if _is_too_long(name):
            return False
        folded = _fold(name)
        is_ignored = any(_matches(pattern, folded) for pattern in self._ignore_folded)
        return _is_shown_whole(name) and self.allows(name) and not is_ignored

    def may_repeat(self, name: str) -> bool:
        """Whether the server marked the tool harmless to call twice."""
        return name in self._repeatable


def _read_tools(answer: Message) -> list[msgspec.Raw]:
    """Those in the list; none of an error, or of what is not one that we know."""
    return [] if answer.is_error else _list_tools(answer.members)


def _list_tools(result: Members) -> list[msgspec.Raw]:
    try:
        return decode_list(result["tools"])
    except (*UNREADABLE, KeyError):
        return []


class _Judged(Value, frozen=True):
    raw: msgspec.Raw
    tool: _Tool
    fits: bool
    """Whether its members can be read in one way only."""


def _judge_tools(listed: list[msgspec.Raw]) -> list[_Judged]:
    """Those that can be read, each in one go; past `MAX_NAMES` there are none."""
    judged: list[_Judged] = []
    room = MAX_NAMES
    for raw in listed:
        pairs = read_pairs(raw) or []
        room -= len(pairs)
        if room < 0:
            logger.warning(_TOO_MANY_NAMES)
            break
        members = dict(pairs)
        name = read_string(members.get("name"))
        if name is not None:
            tool = _Tool(name, members.get("annotations", msgspec.Raw(b"{}")))
            fits = not _find_ambiguous([one for one, _ in pairs], _NAME)
            judged.append(_Judged(raw, tool, fits))
    return judged


def _is_unambiguous(answer: Message, expected: frozenset[str]) -> bool:
    """Whether of the members that matter in an answer only the expected are there, once each."""
    names = answer.names()
    if names is None or _find_ambiguous(names, _ANSWER):
        return False
    return _ANSWER.intersection(names) <= expected


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
    return read_string(message.members.get("name"))


def _find_ambiguous(found: Iterable[str], names: frozenset[str]) -> str:
    """The first of these members that is there twice, or in a spelling that may pass for it."""
    seen: set[str] = set()
    for name in found:
        if _is_too_long(name):
            return min(names)
        plain = _plain(name)
        if plain in names and (name != plain or plain in seen):
            return plain
        seen.add(plain)
    return ""


def _take_unambiguous(pairs: list[tuple[str, msgspec.Raw]], names: frozenset[str]) -> Members:
    """The members of an object without those that only may pass for one of these."""
    return {
        name: member
        for name, member in pairs
        if name in names or not (_is_too_long(name) or _plain(name) in names)
    }


def _explain_ambiguous(member: str) -> str:
    return (
        f"The message has its {member} twice or in an unusual spelling, which servers read in "
        "different ways: with --allow-tool, --ignore-tool or --read-only it is not sent."
    )


_TOO_LONG_LIST = (
    f"The server's list of tools is longer than {LONG_BYTES // 1024**2} MiB, or has more than "
    f"{LONG_PARTS:,} values in it: with --allow-tool, --ignore-tool or --read-only none of it is "
    "shown."
)

MAX_NAMES = 20_000
"""Names of members in a list of tools that are judged: 15 ms. 1000 tools with all that MCP knows
have 9000."""

_TOO_MANY_NAMES = (
    f"The tools in the server's list have more than {MAX_NAMES:,} members: with --allow-tool, "
    "--ignore-tool or --read-only the last ones are not shown."
)

_TOO_MANY_MEMBERS = (
    "The message has too many members to be judged: with --allow-tool, --ignore-tool or "
    "--read-only it is not sent."
)


def _fold(text: str) -> str:
    """The text without the case of its letters, their other forms, and what cannot be seen."""
    if text.isascii():
        return text.lower()
    import unicodedata

    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _is_shown_whole(name: str) -> bool:
    """Whether a name has nothing that some reader may leave out: blanks around it, a NUL ..."""
    return bool(name) and name.isprintable() and name == name.strip() and "\ufffd" not in name


def _plain(name: str) -> str:
    """A name as the most lenient reader takes it: up to a NUL, of what can be seen, in any case."""
    return _plain_short(name) if len(name) <= MAX_SHORT else _make_plain(name)


def _make_plain(name: str) -> str:
    if not _is_shown_whole(name):
        name = name.partition("\0")[0].replace("\ufffd", "")
        name = "".join(filter(str.isprintable, name)).strip()
    return _fold(name)


_plain_short = lru_cache(maxsize=1024)(_make_plain)
"""Tools have the same few members, each of them."""

MAX_SHORT = 64
"""Characters of a name that is kept."""


MAX_FOLDED = 256
"""Characters of a name whose other readings are looked for: 10 ms for 1000 of them. No host takes
one of more than 128."""


def _is_too_long(name: str) -> bool:
    """Whether it may be another one to some reader, and too long to find out."""
    return len(name) > MAX_FOLDED and not name.isascii()


def _matches(pattern: str, name: str) -> bool:
    """Whether the pattern fits the whole name; `*` stands for any characters. In linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    *middle, last = rest
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
