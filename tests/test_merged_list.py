"""Lists in pages: what is asked next, what the host is given, and where it ends.

Messages in, messages out. Must not know who asks for a page.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.bounds import LONG_BYTES, MAX_MEMBERS
from mcp_remote_py.jsonrpc import Message
from mcp_remote_py.merged_list import (
    MAX_ENTRIES,
    MAX_LIST_BYTES,
    MAX_PAGES,
    PAGED_LISTS,
    MergedList,
    is_list_request,
)
from mcp_remote_py.parsing import parse_message

Json = dict[str, Any]

ENTRY = b'{ "name":"\\u0061%d","size":1.0 , "big":100000000000000000000000}'
"""With spellings that do not survive being read and written again."""


def request(method: str = "tools/list", params: bytes = b"{}") -> Message:
    return parse_message(
        b'{"jsonrpc":"2.0","id":7,"method":"%b","params":%b}' % (method.encode(), params)
    )


def answer(result: bytes, raw_id: bytes = b"7") -> Message:
    return parse_message(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (raw_id, result))


def page(*entries: bytes, cursor: bytes = b"", more: bytes = b"", name: str = "tools") -> Message:
    """A page with members that `more` has before the list."""
    end = b',"nextCursor":%b' % cursor if cursor else b""
    return answer(b'{%b"%b":[%b]%b}' % (more, name.encode(), b" , ".join(entries), end))


def begin(first: Message, method: str = "tools/list") -> MergedList:
    merged = MergedList.begin(request(method), first)
    assert merged is not None
    return merged


def merge(*pages: Message, method: str = "tools/list") -> MergedList:
    """All of them, as far as they are wanted."""
    merged = begin(pages[0], method)
    for one in pages[1:]:
        assert merged.goes_on
        merged.add(one)
    return merged


def members(merged: MergedList, seconds: float = 0.0) -> Json:
    result: Json = json.loads(merged.answer(seconds).result)
    return result


def names(merged: MergedList) -> list[str]:
    return [one["name"] for one in members(merged)["tools"]]


def tool(name: object) -> bytes:
    return json.dumps({"name": str(name)}).encode()


# ------------------------------------------------------------------ what is merged


@pytest.mark.promise("R2")
@given(
    st.lists(st.lists(st.integers(0, 9**9), max_size=4, unique=True), min_size=2, max_size=8),
    st.sampled_from(sorted(PAGED_LISTS.items())),
)
def test_any_split_into_pages_comes_to_the_same_list(
    split: list[list[int]], kind: tuple[str, str]
) -> None:
    method, name = kind
    parts = [
        [ENTRY % (1000 * place + number % 1000) for number in part]
        for place, part in enumerate(split)
    ]
    pages = [
        page(*part, cursor=b'"%d"' % number if number < len(parts) else b"", name=name)
        for number, part in enumerate(parts, 1)
    ]
    merged = merge(*pages, method=method)
    assert merged.cursor is None
    assert not merged.stopped
    entries = b",".join(entry for part in parts for entry in part)
    assert merged.answer(0.0).raw == (
        b'{"jsonrpc":"2.0","id":7,"result":{"%b":[%b]}}' % (name.encode(), entries)
    )


def test_the_first_page_lends_the_answer_its_other_members() -> None:
    first = parse_message(
        b'{"x":1.0,"result":{"_meta":{"a":1.0},"tools":[%b],"nextCursor":"2","z":true},"id":7,'
        b'"jsonrpc":"2.0"}' % tool("a")
    )
    last = answer(b'{"_meta":{"b":2},"tools":[%b],"y":false}' % tool("b"))
    assert merge(first, last).answer(0.0).raw == (
        b'{"x":1.0,"result":{"_meta":{"a":1.0},"tools":[%b,%b],"z":true},"id":7,"jsonrpc":"2.0"}'
        % (tool("a"), tool("b"))
    )


@pytest.mark.parametrize(
    "first",
    [
        b'{"tools":[]}',
        b'{"tools":[],"nextCursor":null}',
        b'{"nextCursor":"2"}',
        b'{"tools":{},"nextCursor":"2"}',
        b'{"tools":null,"nextCursor":"2"}',
        b'{"resultType":"input_required","tools":[],"nextCursor":"2"}',
        b'{"resultType":1,"tools":[],"nextCursor":"2"}',
        b'["tools"]',
        b"null",
        b'{"tools":[%b],"nextCursor":"2"}' % b",".join([b"1"] * (MAX_MEMBERS + 1)),
        b'{"tools":["%b"],"nextCursor":"2"}' % (b"a" * LONG_BYTES),
    ],
)
def test_what_needs_nothing_or_is_not_a_page_is_left_as_it_is(first: bytes) -> None:
    assert MergedList.begin(request(), answer(first)) is None


def test_an_error_is_left_as_it_is() -> None:
    error = parse_message(b'{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}')
    assert MergedList.begin(request(), error) is None


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("tools/list", b"{}", True),
        ("prompts/list", b'{"cursor":null}', True),
        ("resources/templates/list", b'{"_meta":{}}', True),
        ("resources/list", b'{"cursor":"2"}', False),
        ("tools/list", b'{"cursor":""}', False),
        ("tools/list", b"[]", False),
        ("tools/call", b"{}", False),
        ("roots/list", b"{}", False),
        ("tasks/list", b"{}", False),
    ],
)
def test_only_a_list_from_its_beginning_is_merged(
    method: str, params: bytes, expected: bool
) -> None:
    assert is_list_request(request(method, params)) is expected


def test_an_answer_is_not_a_request_for_a_list() -> None:
    assert not is_list_request(answer(b"{}"))


# ------------------------------------------------------------------ what is asked


@pytest.mark.parametrize("cursor", [b'"\\u0041 \\/"', b'""', b"2", b'{"at":1.0}'])
def test_a_cursor_goes_back_byte_for_byte(cursor: bytes) -> None:
    merged = begin(page(tool("a"), cursor=cursor))
    asked = merged.ask_next(b'"p/1"')
    assert asked.raw == (
        b'{"jsonrpc":"2.0","id":"p/1","method":"tools/list","params":{"cursor":%b}}' % cursor
    )


def test_the_next_request_says_what_the_first_said_but_for_its_progress_token() -> None:
    params = b'{"x":1.0,"_meta":{"a":1.0,"progressToken":5},"cursor":null}'
    merged = MergedList.begin(request("tools/list", params), page(cursor=b'"2"'))
    assert merged is not None
    assert merged.ask_next(b"1").params == b'{"x":1.0,"_meta":{"a":1.0},"cursor":"2"}'


# ------------------------------------------------------------------ where it ends


@pytest.mark.promise("L5")
def test_an_endless_list_of_empty_pages_ends() -> None:
    merged = begin(page(tool("a"), cursor=b'"0"'))
    count = 1
    while merged.goes_on:
        merged.add(page(cursor=b'"%d"' % count))
        count += 1
    assert count == merged.pages == MAX_PAGES
    assert members(merged) == {"tools": [{"name": "a"}], "nextCursor": str(MAX_PAGES - 1)}
    assert merged.stopped == f"there are more than {MAX_PAGES}"


@pytest.mark.promise("L5")
def test_a_cursor_that_comes_again_ends_the_list() -> None:
    merged = merge(
        *(page(tool("a"), cursor=b'"1"'), page(tool("b"), cursor=b'"2"')),
        page(tool("c"), cursor=b'"1"'),
    )
    assert not merged.goes_on
    assert names(merged) == ["a", "b", "c"]
    assert members(merged)["nextCursor"] == "1"
    assert merged.stopped == "the server names a cursor again that has led on before"


@pytest.mark.parametrize(
    "pages",
    [
        [page(tool("a"), cursor=b'"1"'), page(tool("a"), cursor=b'"1"')],
        [page(tool("a"), cursor=b'""'), page(tool("a"), cursor=b'""')],
        [page(tool("a"), cursor=b'"1"'), page(cursor=b'""'), page(tool("a"), cursor=b'"1"')],
    ],
)
def test_a_list_that_begins_anew_is_whole(pages: list[Message]) -> None:
    """Of a server that does not read cursors, or ends a list with an empty one."""
    merged = merge(*pages)
    assert members(merged) == {"tools": [{"name": "a"}]}
    assert not merged.stopped


def test_a_page_that_comes_twice_on_the_way_is_there_once() -> None:
    merged = merge(
        *(page(tool("a"), cursor=b'"1"'), page(tool("a"), cursor=b'"2"'), page(tool("b"))),
    )
    assert names(merged) == ["a", "b"]
    assert not merged.stopped


def test_entries_are_bounded_and_nothing_is_lost() -> None:
    first = page(*(tool(number) for number in range(MAX_ENTRIES - 1)), cursor=b'"1"')
    fits = merge(first, page(tool("a")))
    assert len(names(fits)) == fits.entries == MAX_ENTRIES
    merged = merge(first, page(tool("a"), tool("b"), cursor=b'"2"'))
    assert merged.stopped == f"with the next they have more than {MAX_ENTRIES} entries"
    assert not merged.goes_on
    assert merged.answer(1.0) is first


def test_bytes_are_bounded_and_nothing_is_lost() -> None:
    half = b'"%b"' % (b"a" * (MAX_LIST_BYTES // 2 - 100))
    other = b'"%b"' % (b"b" * (MAX_LIST_BYTES // 2 - 100))
    merged = merge(page(half, cursor=b'"1"'), page(other, cursor=b'"2"'))
    assert merged.goes_on
    merged.add(page(b'"%b"' % (b"c" * 100)))
    assert merged.stopped == "with the next they are longer than 4 MiB"
    assert members(merged)["nextCursor"] == "2"
    assert not merged.answer(0.0).is_long


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (b'{"tools":["%b"]}' % (b"a" * LONG_BYTES), "too long, or is not a list"),
        (b'{"prompts":[]}', "too long, or is not a list"),
        (b'{"resultType":"input_required"}', "too long, or is not a list"),
        (b'{"tools":[%b]}' % b",".join([b"1"] * (MAX_MEMBERS + 1)), "too long, or is not a list"),
    ],
)
def test_a_page_that_cannot_be_read_is_left_to_the_host(last: bytes, why: str) -> None:
    merged = merge(page(tool("a"), cursor=b'"1"'), page(tool("b"), cursor=b'"2"'), answer(last))
    assert why in merged.stopped
    assert members(merged) == {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "2"}


def test_an_error_ends_the_list_with_the_server_s_words() -> None:
    merged = begin(page(tool("a"), cursor=b'"1"'))
    merged.add(
        parse_message(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Bad cursor"}}')
    )
    assert merged.stopped == "the server answers the next with an error: Bad cursor"
    assert members(merged) == {"tools": [{"name": "a"}], "nextCursor": "1"}


# ------------------------------------------------------------------ how long it may be kept


@pytest.mark.parametrize(
    ("first", "second", "seconds", "expected"),
    [
        ({}, {}, 1.0, {}),
        ({"ttlMs": 5000}, {"ttlMs": 9000}, 0.0, {"ttlMs": 5000}),
        ({"ttlMs": 5000}, {"ttlMs": 3000}, 0.0015, {"ttlMs": 2998}),
        ({"ttlMs": 5000}, {"ttlMs": 3000}, 4.0, {"ttlMs": 0}),
        ({"ttlMs": 5000}, {}, 0.0, {"ttlMs": 0}),
        ({}, {"ttlMs": 5000}, 0.0, {"ttlMs": 0}),
        ({"ttlMs": 5000}, {"ttlMs": -1}, 0.0, {"ttlMs": 0}),
        ({"ttlMs": "long"}, {"ttlMs": 5000}, 0.0, {"ttlMs": 0}),
        ({"cacheScope": "public"}, {"cacheScope": "public"}, 0.0, {"cacheScope": "public"}),
        ({"cacheScope": "public"}, {"cacheScope": "private"}, 0.0, {"cacheScope": "private"}),
        ({"cacheScope": "private"}, {"cacheScope": "public"}, 0.0, {"cacheScope": "private"}),
        ({"cacheScope": "public"}, {}, 0.0, {"cacheScope": "private"}),
        ({}, {"cacheScope": "public"}, 0.0, {"cacheScope": "private"}),
        ({"cacheScope": "public"}, {"cacheScope": "all"}, 0.0, {"cacheScope": "private"}),
    ],
)
def test_the_list_is_kept_no_longer_and_by_no_more_than_each_page(
    first: Json, second: Json, seconds: float, expected: Json
) -> None:
    def with_hints(entry: str, hints: Json, cursor: bytes) -> Message:
        return page(
            tool(entry), cursor=cursor, more=json.dumps(hints).encode()[1:-1] + b"," * bool(hints)
        )

    merged = merge(with_hints("a", first, b'"2"'), with_hints("b", second, b""))
    assert members(merged, seconds) == {"tools": [{"name": "a"}, {"name": "b"}], **expected}
