"""The effects of a message, as values. Must not know what decides them or how they are done."""

from __future__ import annotations

from typing import NamedTuple

from mcp_remote_py.jsonrpc import Message, Payload, make_error, make_notification


class ToHost(NamedTuple):
    """Write this to the host."""

    message: Message


class ToServer(NamedTuple):
    """Send this to the server, as a host of its era would."""

    message: Message


class Expire(NamedTuple):
    """Call `expire(ticket)` after that many seconds."""

    ticket: bytes
    seconds: float


Effect = ToHost | ToServer | Expire


def refuse(message: Message, code: int, text: str) -> list[Effect]:
    """An error for the host, whose request it is."""
    return [ToHost(make_error(message.raw_id, code, text))]


def notify_server(method: str, params: Payload = b"") -> ToServer:
    """A notification of our own."""
    return ToServer(make_notification(method, params))
