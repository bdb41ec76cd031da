"""The headers that repeat a message's own metadata; the bytes of the message go as they came.

MCP 2025-06-18 and later want the negotiated version in `MCP-Protocol-Version`. 2026-07-28 wants
there the version that each request names for itself. It also wants `Mcp-Method`, `Mcp-Name` for
what the request addresses, and `Mcp-Param-*` for what a tool marked
(basic/transports/streamable-http, "Request Metadata"). Must not know OAuth or which transport.
"""

from __future__ import annotations

from mcp_remote_py.eras.envelope import read_envelope
from mcp_remote_py.eras.parameters import (
    MAX_VALUE_BYTES,
    ParameterHeaders,
    encode_header_value,
)
from mcp_remote_py.json_text import read_string
from mcp_remote_py.jsonrpc import Message

_ADDRESS_MEMBER = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
}


class MetadataHeaders:
    """Writes the headers that repeat a message's metadata."""

    def __init__(self, parameters: ParameterHeaders) -> None:
        self._parameters = parameters
        self._negotiated = ""
        self._version: list[tuple[bytes, bytes]] = []
        """The headers of most messages, which name that version and nothing else."""

    def headers(self, message: Message, negotiated: str) -> list[tuple[bytes, bytes]]:
        """The headers for one message.

        `negotiated` is the version an `initialize` agreed on, "" before and without one.
        """
        envelope = read_envelope(message)
        if envelope is None:
            if message.method == "initialize":
                # It may reach a server or gateway of the modern era, which goes by this header.
                return [(b"mcp-method", b"initialize")]
            if negotiated != self._negotiated:
                self._negotiated = negotiated
                version = encode_header_value(negotiated)
                self._version = [(b"mcp-protocol-version", version)] if negotiated else []
            return self._version
        headers = [
            (b"mcp-protocol-version", encode_header_value(envelope.version)),
            (b"mcp-method", encode_header_value(message.method)),
        ]
        address = _read_address(message)
        if address is not None:
            headers.append((b"mcp-name", encode_header_value(address)))
        if message.method == "tools/call":
            headers += self._parameters.headers(message)
        return headers


def _read_address(message: Message) -> str | None:
    member = _ADDRESS_MEMBER.get(message.method)
    address = None if member is None else message.members.get(member)
    if address is None or memoryview(address).nbytes > MAX_VALUE_BYTES:
        return None
    return read_string(address)
