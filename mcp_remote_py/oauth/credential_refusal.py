"""Finds the answers of the server that refuse the credential of a request, or accept it.

Rules of RFC 6750 §3.1 and RFC 9449 §9, by status and header fields alone, whose names are in lower
case. Every relay loads this: it imports nothing. Must not know what is done about a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping


def find_refusal(status: int, headers: Mapping[bytes, bytes]) -> int:
    """The status of a refusal of the credential, 401 or 403; 0 where the answer is not one.

    A 403 may also forbid the request whatever credential is given: its challenge tells, and
    `lifecycle` reads it. What is told in other words than these is `token_words`' to find.
    """
    if status >= 400 and b"invalid_token" in _challenge(headers):
        return 401  # what RFC 6750 §3.1 says it should have been (L17)
    return status if status in (401, 403) else 0


def wants_nonce(status: int, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a proof of possession was refused for want of the nonce that the answer names."""
    return status == 401 and b"dpop-nonce" in headers and b"use_dpop_nonce" in _challenge(headers)


def is_accepted(status: int) -> bool:
    """Whether the server has taken the credential.

    Whoever fails, limits or redirects may not have looked at it.
    """
    return 200 <= status < 300


def _challenge(headers: Mapping[bytes, bytes]) -> bytes:
    return headers.get(b"www-authenticate", b"")
