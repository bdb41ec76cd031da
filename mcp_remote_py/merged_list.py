"""All pages of a list as one, for a host that reads the first page alone (`--merge-pages`).

Pure: is fed page after page and says which cursor comes next, until the list is whole or a bound is
met. What is given to the host then is true of all pages it is made of: where the list goes on, the
cursor that leads on is there, so that nothing is lost to a host that does read pages; and it may be
kept no longer, and by no more people, than each of them (2026-07-28, server/utilities/caching). An
entry keeps its bytes (but see `Message` on lone surrogates). Must not know how a page is asked for.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import msgspec

from mcp_remote_py.bounds import LONG_BYTES, MAX_MEMBERS
from mcp_remote_py.errors import shorten
from mcp_remote_py.json_text import (
    UNREADABLE,
    Members,
    decode_list,
    decode_mended,
    encode,
    read_integer,
    read_members,
    read_text,
)
from mcp_remote_py.jsonrpc import Kind, Message, make_request
from mcp_remote_py.mcp_session import is_first_page

PAGED_LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""By method, the member with the entries ("Operations Supporting Pagination")."""

MAX_PAGES = 100
"""Pages of one list: for a server that always has another one, empty or not."""

MAX_ENTRIES = MAX_MEMBERS
"""Entries of one list: of more, nobody here looks at any, and rules on tools hide them all."""

MAX_LIST_BYTES = LONG_BYTES
"""Bytes of all pages of one list, which so is not longer than what is read in one go."""

MAX_LIST_SECONDS = 20.0
"""Seconds from the first page to the last. Hosts give a list a minute, and some only half of it."""


class _Result(msgspec.Struct):
    """What a page may have in it, whatever it is a page of."""

    tools: msgspec.Raw = msgspec.Raw(b"")
    prompts: msgspec.Raw = msgspec.Raw(b"")
    resources: msgspec.Raw = msgspec.Raw(b"")
    resourceTemplates: msgspec.Raw = msgspec.Raw(b"")
    nextCursor: msgspec.Raw = msgspec.Raw(b"null")
    resultType: msgspec.Raw = msgspec.Raw(b'"complete"')
    ttlMs: msgspec.Raw = msgspec.Raw(b"")
    cacheScope: msgspec.Raw = msgspec.Raw(b"")


_decode_result = msgspec.json.Decoder(_Result).decode


_END = b"null"
"""A cursor that leads nowhere."""


class _Page(NamedTuple):
    entries: list[bytes]
    result: _Result
    cursor: bytes | None
    size: int


class MergedList:
    """One list, from its first page on.

    Attributes:
        cursor: the cursor of the next page, as JSON text; None at the end of the list.
        stopped: why no more of it is read, "" as long as there is no reason.
        pages, entries: how many there are so far.
    """

    def __init__(self, request: Message, answer: Message, page: _Page) -> None:
        self.cursor = page.cursor
        self.stopped = ""
        self.pages = 0
        self.entries = 0
        self._request = request
        self._member = PAGED_LISTS[request.method]
        self._first = answer
        self._first_cursor = page.cursor
        self._cursors: set[bytes] = set()
        self._texts: list[bytes] = []
        self._bytes = 0
        self._lifetimes: list[msgspec.Raw] = []
        self._scopes: list[msgspec.Raw] = []
        self._take(page)

    @classmethod
    def begin(cls, request: Message, answer: Message) -> Self | None:
        """The list that `answer` begins; None where it needs nothing or is not what we know."""
        result = _read_result(answer)
        if result is None or bytes(result.nextCursor) == _END:
            return None
        page = _read_page(PAGED_LISTS[request.method], answer, result)
        return None if page is None else cls(request, answer, page)

    @property
    def goes_on(self) -> bool:
        """Whether another page is wanted."""
        return self.cursor is not None and not self.stopped

    def ask_next(self, raw_id: bytes) -> Message:
        """The request for the next page.

        Without the host's progress token: progress on it "MUST increase" (basic/patterns/progress),
        and each page would begin anew.
        """
        params = {**self._request.members, "cursor": msgspec.Raw(self.cursor or b"null")}
        meta = read_members(params.get("_meta", b""))
        if meta and "progressToken" in meta:
            del meta["progressToken"]
            params["_meta"] = msgspec.Raw(encode(meta))
        return make_request(raw_id, self._request.method, params)

    def add(self, answer: Message) -> None:
        """The answer to the request for the next page; one that does not fit is left there."""
        result = _read_result(answer)
        page = None if result is None else _read_page(self._member, answer, result)
        if answer.is_error:
            words = shorten(read_text(answer.members.get("message")))
            self.stop(f"the server answers the next with an error: {words}")
        elif page is None:
            self.stop("the next is too long, or is not a list as the specification has it")
        elif self._bytes + page.size > MAX_LIST_BYTES:
            self.stop(f"with the next they are longer than {MAX_LIST_BYTES // 1024**2} MiB")
        elif self.entries + len(page.entries) > MAX_ENTRIES:
            self.stop(f"with the next they have more than {MAX_ENTRIES} entries")
        else:
            self._take(page)

    def stop(self, why: str) -> None:
        """No more of it is read; `why` is for a person."""
        self.stopped = why

    def _take(self, page: _Page) -> None:
        text = b",".join(page.entries)
        is_again = bool(text) and text in self._texts
        if not is_again:
            self._texts.append(text)
            self.entries += len(page.entries)
        self.pages += 1
        self._bytes += page.size
        self._lifetimes.append(page.result.ttlMs)
        self._scopes.append(page.result.cacheScope)
        self.cursor = page.cursor
        if page.cursor is None:
            return
        if page.cursor not in self._cursors:
            self._cursors.add(page.cursor)
        elif is_again:
            # It began anew: a server that does not read cursors, or ends a list with an empty one.
            self.cursor = None
            return
        else:
            self.stop("the server names a cursor again that has led on before")
        if self.pages == MAX_PAGES:
            self.stop(f"there are more than {MAX_PAGES}")

    def answer(self, seconds: float) -> Message:
        """The answer to the host's request, `seconds` after the first page came.

        Where there is nothing to be added to that one, it is as the server sent it.
        """
        if len(self._texts) == 1 and self.cursor == self._first_cursor:
            return self._first
        members = {**self._first.members, **self._cache_hints(seconds)}
        members[self._member] = msgspec.Raw(b"[%b]" % b",".join(filter(None, self._texts)))
        if self.cursor is None:
            del members["nextCursor"]
        else:
            members["nextCursor"] = msgspec.Raw(self.cursor)
        return self._first.with_result(members)

    def _cache_hints(self, seconds: float) -> Members:
        """Hints that are true of each page, where one has any: what lacks one is old at once."""
        hints: Members = {}
        if any(self._lifetimes):
            shortest = min(map(read_integer, self._lifetimes)) - math.ceil(seconds * 1000)
            hints["ttlMs"] = msgspec.Raw(b"%d" % max(shortest, 0))
        if any(self._scopes):
            is_public = all(read_text(scope) == "public" for scope in self._scopes)
            hints["cacheScope"] = msgspec.Raw(b'"public"' if is_public else b'"private"')
        return hints


def is_list_request(message: Message) -> bool:
    """Whether this asks for a list of MCP from its beginning."""
    is_list = message.kind is Kind.REQUEST and message.method in PAGED_LISTS
    return is_list and is_first_page(message)


def _read_result(answer: Message) -> _Result | None:
    """Its members; None of an error, of one that is too long, or that is not what we know."""
    if answer.is_error or answer.is_long:
        return None
    try:
        return decode_mended(_decode_result, answer.result)[0]
    except UNREADABLE:
        return None


def _read_page(member: str, answer: Message, result: _Result) -> _Page | None:
    """What is in it; None of what is not a whole list."""
    try:
        entries = list(map(bytes, decode_list(getattr(result, member))))
    except UNREADABLE:
        return None
    if read_text(result.resultType) != "complete":
        return None
    cursor = bytes(result.nextCursor)
    # An empty one is a cursor as well (server/utilities/pagination).
    return _Page(entries, result, None if cursor == _END else cursor, answer.length)
