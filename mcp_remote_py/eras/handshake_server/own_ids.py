"""Ids of our own for what goes to the server: the host may use one again while it is still open.

Must not know what is asked.
"""

from __future__ import annotations

from collections.abc import Hashable

from mcp_remote_py.jsonrpc import Message, Payload, decode_id, make_request

_PREFIX = "mcp-remote-py/call/"


class RequestMaker:
    """Makes requests with ids of their own; `number` is that of the last one."""

    def __init__(self) -> None:
        self.number = 0

    def make(self, method: str, params: Payload, *, origin: Message | None = None) -> Message:
        """The next one; `origin` as in `make_request`."""
        self.number += 1
        return make_request(raw_id_of(self.number), method, params, origin=origin)


def raw_id_of(number: int) -> bytes:
    """The id of the request with this number, as sent."""
    return b'"%b%d"' % (_PREFIX.encode(), number)


def key_of(number: int) -> Hashable:
    """The same, for matching."""
    return decode_id(raw_id_of(number))


def is_own(key: Hashable) -> bool:
    """Whether it is the id of a request of ours."""
    return isinstance(key, str) and key.startswith(_PREFIX)
