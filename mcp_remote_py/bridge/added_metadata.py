"""A `ServerChannel` on another, with members of `_meta` that a person wants in every request.

What the host has put there itself stays as it is. A request without `params` gets none, nor does
one that is too long to be taken apart. Loaded only with `--metadata`. Must not know what the
members mean.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from mcp_remote_py.channel import ServerChannel
from mcp_remote_py.eras.envelope import put_missing_meta
from mcp_remote_py.json_text import encode
from mcp_remote_py.jsonrpc import Kind, Message, make_request

logger = logging.getLogger("mcp_remote_py.bridge")


class MetadataChannel:
    """One server, which is told these with every request."""

    def __init__(self, inner: ServerChannel, metadata: Mapping[str, str]) -> None:
        self._inner = inner
        self._metadata = {name: msgspec.Raw(encode(value)) for name, value in metadata.items()}
        self.start_listening = inner.start_listening
        self.set_protocol_version = inner.set_protocol_version
        self.renew = inner.renew
        self.aclose = inner.aclose

    async def send(self, message: Message) -> None:
        """See `ServerChannel.send`."""
        await self._inner.send(self._add(message))

    def _add(self, message: Message) -> Message:
        if message.kind is not Kind.REQUEST:
            return message
        if message.is_long:
            logger.warning("%s is too long for --metadata: it leaves without that.", message)
            return message
        params = put_missing_meta(message, self._metadata)
        if params is None:
            return message
        return make_request(message.raw_id, message.method, params, origin=message)
