"""A JSON array of messages (MCP 2025-03-26), cut into its elements without making more objects.

The array is decoded as a record of as many fields as a batch may have elements: what comes behind
them is passed over by the decoder and costs nothing but its bytes. A module of its own, because
few servers and hosts send arrays and the record takes 10 ms to make. Must not know messages.
"""

from __future__ import annotations

import msgspec

from mcp_remote_py.bounds import MAX_BATCH

_FIELDS = [f"element_{number}" for number in range(MAX_BATCH + 1)]

_Batch = msgspec.defstruct(
    "_Batch",
    [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in _FIELDS],
    array_like=True,
)

_decode = msgspec.json.Decoder(_Batch).decode


def cut_batch(raw: bytes) -> list[msgspec.Raw]:
    """The elements of the array in `raw`: all of them, or one more than `MAX_BATCH`.

    Raises:
        msgspec.MsgspecError, RecursionError: it is no JSON array.
    """
    batch = _decode(raw)
    elements: list[msgspec.Raw] = []
    for name in _FIELDS:
        element = getattr(batch, name)
        if element is msgspec.UNSET:
            break
        elements.append(element)
    return elements
