"""What a status and its header fields say of the credential: as tables, without a loop."""

from __future__ import annotations

import pytest

from mcp_remote_py.oauth.credential_refusal import find_refusal, is_accepted, wants_nonce

INVALID = b'Bearer error="invalid_token"'
NONCE = b'DPoP error="use_dpop_nonce"'


@pytest.mark.promise("L1")
@pytest.mark.report("O19")
@pytest.mark.parametrize(
    ("status", "challenge", "refused"),
    [
        (401, None, 401),
        (401, INVALID, 401),
        (401, NONCE, 401),
        (403, None, 403),
        (403, b'Bearer error="insufficient_scope", scope="a"', 403),
        # RFC 6750 section 3.1 has 401 for it, and some servers 400.
        (400, INVALID, 401),
        (400, b'Bearer error="invalid_request"', 0),
        (400, None, 0),
        # Frameworks that handle their own errors say it by others still.
        *((status, INVALID, 401) for status in (403, 404, 405, 429, 500, 503)),
        *((status, INVALID, 0) for status in (200, 202, 302)),
    ],
)
def test_which_answer_refuses_the_credential(
    status: int, challenge: bytes | None, refused: int
) -> None:
    headers = {} if challenge is None else {b"www-authenticate": challenge}
    assert find_refusal(status, headers) == refused


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    ("status", "challenge", "nonce", "is_wanted"),
    [
        (401, NONCE, b"n", True),
        (401, NONCE + b", " + INVALID, b"n", True),
        (401, NONCE, None, False),
        (401, b'DPoP error="invalid_token"', b"n", False),
        (401, b"", b"n", False),
        # What RFC 9449 has for token endpoints (section 8) is not for resources (section 9).
        (400, NONCE, b"n", False),
        (200, b"", b"n", False),
    ],
)
def test_which_answer_wants_only_another_nonce(
    status: int, challenge: bytes, nonce: bytes | None, is_wanted: bool
) -> None:
    headers = {b"www-authenticate": challenge}
    if nonce is not None:
        headers[b"dpop-nonce"] = nonce
    assert wants_nonce(status, headers) is is_wanted


@pytest.mark.promise("L1")
def test_only_a_good_answer_shows_that_the_credential_was_looked_at() -> None:
    assert {status for status in range(100, 600) if is_accepted(status)} == set(range(200, 300))
