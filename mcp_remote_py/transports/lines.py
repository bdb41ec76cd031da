"""The host's messages, one per line: what is not one is refused at once.

Must not know descriptors, the server or what a message means.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from mcp_remote_py.bounds import Tally
from mcp_remote_py.channel import Deliver, LineChannel
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import INVALID_REQUEST, Message, make_error
from mcp_remote_py.parsing import find_id, parse_short, read_messages

logger = logging.getLogger("mcp_remote_py.transports")


class HostLines:
    """A `HostChannel` on lines."""

    def __init__(self, channel: LineChannel) -> None:
        self._channel = channel
        self._deliver: Deliver = lambda _: None
        self._broken = Tally()
        self.drain = channel.drain
        self.flush = channel.flush

    def receive(self, deliver: Deliver, on_end: Callable[[], None]) -> None:
        """See `HostChannel.receive`."""
        self._deliver = deliver
        self._channel.receive(self._take_line, self._take_long_line, on_end)

    def send(self, message: Message) -> None:
        """See `HostChannel.send`."""
        self._channel.send(*message.pieces)

    def end(self, reason: Message) -> None:
        """See `HostChannel.end`: nothing is kept here."""

    def _take_line(self, line: bytes) -> Iterator[None] | None:
        try:
            message = parse_short(line)
        except InvalidMessage as error:
            self._refuse(error)
            return None
        if message is None:
            return self._take_in_steps(line)
        self._deliver(message)
        return None

    def _take_in_steps(self, line: bytes) -> Iterator[None]:
        if not line or line.isspace():
            return
        try:
            for message in read_messages(line):
                if message is None:
                    yield
                elif isinstance(message, InvalidMessage):
                    self._refuse(message)
                else:
                    self._deliver(message)
        except InvalidMessage as error:
            self._refuse(error)

    def _take_long_line(self, head: bytes, tail: bytes) -> None:
        self._refuse(
            InvalidMessage(
                "The message is larger than the limit; raise it with --max-message-size.",
                code=INVALID_REQUEST,
                raw_id=find_id(head, tail),
            )
        )

    def _refuse(self, error: InvalidMessage) -> None:
        if (times := self._broken.take()) is not None:
            text = "The host sent a line that is not a message%s: %s"
            logger.warning(text, times, error.cause)
        self.send(make_error(error.raw_id, error.code, error.cause))
