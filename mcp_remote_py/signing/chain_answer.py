"""What goes to the process that looks for AWS keys, and what comes back: each one line of JSON.

Must not know how keys are looked for, nor what is said of them to a person.
"""

from __future__ import annotations

import msgspec

from mcp_remote_py.redact import Secret


class ChainOrder(msgspec.Struct):
    """The order, on the child's stdin."""

    profile: str
    """"" for the one that the environment names, or the default."""
    region: str
    """The region for requests to STS where AWS's own files do not name one; "" if unknown."""
    seconds: float
    """After these the child says what it was waiting for, and ends itself with all it started."""


class ChainFault(msgspec.Struct):
    """Why there are no keys: a row of `chain_words`, and what belongs into its sentences."""

    reason: str
    facts: dict[str, str] = {}


class ChainAnswer(msgspec.Struct):
    """The answer, on the child's stdout: in the pipe and nowhere else."""

    fault: ChainFault | None = None
    """None for success."""
    access_key_id: str = ""
    secret_access_key: Secret = Secret("")
    session_token: Secret | None = None
    expires_at: float | None = None
    region: str = ""
    source: str = ""
    files: list[str] = []
    """The files that were looked into: what may bring other keys when it changes."""
    has_changed: bool = False
    """Whether one of them is another than when it was first looked into."""


def _reveal(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"not a part of an answer: {type(value).__name__}")


def _conceal(kind: type, value: object) -> object:
    return kind(value)


def encode_line(value: ChainOrder | ChainAnswer) -> bytes:
    """The value as a line."""
    return msgspec.json.encode(value, enc_hook=_reveal) + b"\n"


decode_order = msgspec.json.Decoder(ChainOrder).decode
"""Raises ValueError for what is not one."""

decode_answer = msgspec.json.Decoder(ChainAnswer, dec_hook=_conceal).decode
"""Raises ValueError for what is not one."""
