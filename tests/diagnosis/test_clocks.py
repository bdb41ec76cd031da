"""Whether two clocks that differ explain that a token is refused: by its own times alone."""

from __future__ import annotations

import pytest

from mcp_remote_py.diagnosis.clocks import explain_by_clocks
from mcp_remote_py.redact import Secret
from tests.diagnosis.test_sign_ins import NOW, OPAQUE, jwt, make

MINUTES = 60.0


@pytest.mark.parametrize(
    ("token", "ahead", "said"),
    [
        # The server's clock is at NOW - 10 minutes.
        (jwt(nbf=NOW), 10 * MINUTES, "is only good in 10 minutes."),
        (jwt(iat=NOW - 5 * MINUTES), 10 * MINUTES, "is only good in 5 minutes."),
        (jwt(iat=NOW - 9.5 * MINUTES), 10 * MINUTES, ""),
        (jwt(iat=NOW - 3600, exp=NOW + 3600), 10 * MINUTES, ""),
        (OPAQUE, 10 * MINUTES, ""),
        # The server's clock is at NOW + 10 minutes.
        (jwt(iat=NOW - 60, exp=NOW + 4 * MINUTES), -10 * MINUTES, "expired 6 minutes ago, and"),
        (jwt(iat=NOW - 60, exp=NOW + 3600), -10 * MINUTES, ""),
        (jwt(exp=NOW - 60), -10 * MINUTES, ""),  # expired for both
        # They hardly differ.
        (jwt(nbf=NOW + 3600), 80.0, ""),
    ],
)
def test_the_times_of_the_token_are_what_counts(token: Secret, ahead: float, said: str) -> None:
    reason = explain_by_clocks(make(token), ahead, NOW)
    assert bool(reason) is bool(said)
    assert said in reason


def test_an_opaque_token_has_the_end_that_was_stored() -> None:
    short = make(expires_at=NOW + 4 * MINUTES)
    assert "expired 6 minutes ago" in explain_by_clocks(short, -10 * MINUTES, NOW)
    assert explain_by_clocks(make(expires_at=NOW + 3600), -10 * MINUTES, NOW) == ""


def test_a_proof_of_possession_has_the_time_of_this_machine() -> None:
    bound = make()._replace(dpop_key=Secret("canary-key-4711"))
    for ahead in (-10 * MINUTES, 10 * MINUTES):
        assert "a proof that has the time of this machine" in explain_by_clocks(bound, ahead, NOW)
    assert explain_by_clocks(bound, 30.0, NOW) == ""
