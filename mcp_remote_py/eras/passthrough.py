"""Same era on both sides: the bytes go as they came; only the transport's metadata is stamped.

MCP 2025-06-18 and later want the negotiated version in `MCP-Protocol-Version`; 2026-07-28 wants
the version each request names for itself, `Mcp-Method`, and `Mcp-Name` for what it addresses
(basic/transports/streamable-http, "Standard Headers"). Must not know OAuth or which transport.
"""

from __future__ import annotations

import base64
import re

import msgspec

from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import UNREADABLE, Kind, Message, parse_message

VERSION_MEMBER = "io.modelcontextprotocol/protocolVersion"
_VERSION_TRACE = b"protocolVersion"
"""In every message of the modern era, whether it writes the slash before it as it is or escaped."""

_ADDRESS_MEMBER = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
}
_HEADER_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class _Params(msgspec.Struct):
    meta: dict[str, msgspec.Raw] = msgspec.field(
        name="_meta", default_factory=dict[str, msgspec.Raw]
    )
    name: object = None
    uri: object = None


_decode_params = msgspec.json.Decoder(_Params).decode


def names_its_version(message: Message) -> bool:
    """Whether the message is of the modern era: it carries its protocol version itself."""
    return _read_modern(message) is not None


def metadata_headers(message: Message, negotiated: str) -> list[tuple[bytes, bytes]]:
    """The headers that repeat the message's metadata.

    `negotiated` is the version an `initialize` agreed on, "" before and without one.
    """
    modern = _read_modern(message)
    if modern is None:
        return [(b"mcp-protocol-version", encode_header_value(negotiated))] if negotiated else []
    version, params = modern
    headers = [
        (b"mcp-protocol-version", encode_header_value(version)),
        (b"mcp-method", encode_header_value(message.method)),
    ]
    member = _ADDRESS_MEMBER.get(message.method)
    address = getattr(params, member) if member else None
    if isinstance(address, str):
        headers.append((b"mcp-name", encode_header_value(address)))
    return headers


def _read_modern(message: Message) -> tuple[str, _Params] | None:
    """The version a request or notification names, and its params; None where it names none."""
    if message.kind is Kind.RESPONSE or _VERSION_TRACE not in message.raw:
        return None
    try:
        params = _decode_params(message.params)
        return msgspec.json.decode(params.meta[VERSION_MEMBER], type=str), params
    except (*UNREADABLE, KeyError):
        return None  # the word is somewhere in the payload, or not what it should be


def encode_header_value(value: str) -> bytes:
    """A header-safe form of `value` (2026-07-28, "Value Encoding").

    What is not plain visible ASCII, has blanks at an end, or looks encoded is base64 of UTF-8.
    """
    looks_encoded = value.startswith("=?base64?") and value.endswith("?=")
    if _HEADER_SAFE.fullmatch(value) and not looks_encoded:
        return value.encode()
    return b"=?base64?" + base64.b64encode(value.encode("utf-8", "surrogatepass")) + b"?="


class _Error(msgspec.Struct):
    code: int = 0


_decode_error = msgspec.json.Decoder(_Error).decode

MODERN_ERROR_CODES = frozenset(range(-32099, -32019)) - {-32042}
"""Since 2026-07-28 the specification alone allocates these (basic/index, "Error Codes"), and
-32042 is one that only 2025-11-25 knew."""


def is_modern_error(answer: bytes) -> bool:
    """Whether an error answer could only come from a server of the modern era."""
    try:
        return _decode_error(parse_message(answer).error).code in MODERN_ERROR_CODES
    except (InvalidMessage, *UNREADABLE):
        return False
