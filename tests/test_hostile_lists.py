"""A list that is made to be dear to read: what its readers do with it is bounded.

Counted are calls, which are the same on every machine; `tests/security/test_floods.py` has the
seconds. Must not know how the readers read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from mcp_remote_py.bounds import LONG_BYTES, LONG_PARTS, MAX_MEMBERS, RICH_BYTES
from mcp_remote_py.eras.parameters import ParameterHeaders
from mcp_remote_py.eras.results import to_handshake_result, to_modern_result
from mcp_remote_py.eras.wrapped_output import WrappedOutputs
from mcp_remote_py.jsonrpc import Message, make_request
from mcp_remote_py.merged_list import MergedList
from mcp_remote_py.parsing import parse_message, read_messages
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.tools import ToolCatalog
from tests.hostile_lists import LISTS

MAX_CALLS = 150_000
"""Of functions, in Python or C: 20 ms of those that do next to nothing."""

REQUEST = make_request(b"1", "tools/list")
READERS: dict[str, Callable[[Message], object]] = {
    "hints": lambda answer: ToolCatalog(ToolRules()).learn(answer),
    "rules": lambda answer: ToolCatalog(ToolRules(ignore=("x",))).learn(answer),
    "marks": lambda answer: ParameterHeaders().learn(answer),
    "a host of the older era": lambda answer: to_handshake_result(
        REQUEST, answer, WrappedOutputs()
    ),
    "a host of the newer era": lambda answer: to_modern_result(REQUEST, answer),
    "merged pages": lambda answer: MergedList.begin(REQUEST, answer),
}


def count_calls(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, also of those written in C."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def answer_of(listed: bytes) -> Message:
    (answer,) = filter(None, read_messages(b'{"id":1,"result":{"tools":%b}}' % listed))
    assert isinstance(answer, Message)
    return answer


@pytest.mark.promise("R6")
@pytest.mark.report("S4")
@pytest.mark.parametrize("name", LISTS)
def test_what_is_done_with_a_list_is_bounded(name: str) -> None:
    done = {
        reader: count_calls(lambda read=read, answer=answer: read(answer))
        for reader, read in READERS.items()
        for answer in [answer_of(LISTS[name])]
    }
    assert max(done.values()) < MAX_CALLS, done


@pytest.mark.report("S4")
def test_a_list_of_too_many_values_is_long() -> None:
    short = b"[%b0]" % (b"0," * (RICH_BYTES // 2 - 100))
    few, many = (b"[%b0]" % (b" 0," * (LONG_PARTS + beside)) for beside in (-100, 100))
    for listed, is_long in ((short, False), (few, False), (many, True)):
        answer = parse_message(b'{"id":1,"result":{"tools":%b}}' % listed)
        assert answer.is_long is is_long
        assert answer.is_long is is_long  # also when it is known


@pytest.mark.report("S4")
def test_an_honest_list_of_a_thousand_tools_is_looked_into() -> None:
    """Of nearly 4 MiB, with the shortest schemas there are, and descriptions in between."""
    kinds = b",".join(b'"p%d":{"type":"null"}' % number for number in range(150))
    tool = (
        b'{"name":"a%d","title":"T","description":"%b","inputSchema":{"type":"object",'
        b'"properties":{%b}},"annotations":{"readOnlyHint":true},"_meta":{}}'
    )
    tools = [tool % (number, b"words, words. " * 30, kinds) for number in range(MAX_MEMBERS)]
    answer = answer_of(b"[%b]" % b",".join(tools))
    assert 0.9 * LONG_BYTES < answer.length < LONG_BYTES
    rules = ToolCatalog(ToolRules(ignore=("a1", "b*")))
    shown = rules.learn(answer)
    assert shown.result == b'{"tools":[%b]}' % b",".join([tools[0], *tools[2:]])
    assert rules.may_repeat(f"a{MAX_MEMBERS - 1}")


def test_calls_are_counted() -> None:
    assert 100 <= count_calls(lambda: [len("a") for _ in range(100)]) < 110
