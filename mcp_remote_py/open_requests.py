"""The table of open requests, one per direction: who may be answered, and who must be.

It is what makes "every request is answered exactly once" (promise R1) a property of one table
instead of a hope about many code paths. It must not know why a request is open.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from mcp_remote_py.jsonrpc import INVALID_REQUEST, Message, make_error, read_id

T = TypeVar("T")


class OpenRequests(Generic[T]):
    """Open requests by id; each id is opened, then closed by exactly one caller."""

    def __init__(self) -> None:
        self._open: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._open

    def __iter__(self) -> Iterator[T]:
        """The open requests, oldest first, as they are at this moment."""
        return iter(list(self._open.values()))

    def open(self, key: Hashable, entry: T) -> bool:
        """Notes a request. False when its id is still open: then it is not noted."""
        if key in self._open:
            return False
        self._open[key] = entry
        return True

    def find(self, key: Hashable) -> T | None:
        """The open request with this id, which stays open."""
        return self._open.get(key)

    def close(self, key: Hashable) -> T | None:
        """Takes the request out: whoever gets it (not None) is the one who answers it."""
        return self._open.pop(key, None)


def refuse_open_id(request: Message) -> Message:
    """The answer to a request whose id is that of one still open."""
    return make_error(request.raw_id, INVALID_REQUEST, "A request with this id is still open.")


def cancelled_key(message: Message) -> Hashable:
    """The id of the request that a `notifications/cancelled` names, None without a usable one."""
    return read_id(message.members.get("requestId"))
