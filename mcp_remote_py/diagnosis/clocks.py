"""Whether the difference of two clocks explains that a token is refused. Pure.

A server judges a token by its own clock, so this machine's matters in few cases only. Must not know
how the server's time is found out.
"""

from __future__ import annotations

from mcp_remote_py.diagnosis.answers import CLOCKS_MAY_DIFFER
from mcp_remote_py.oauth.claims import read_claims
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.time_words import describe_span

TOLERATED_SKEW = 60.0
"""Seconds that servers forgive in the times of a token: "a few minutes" at most (RFC 7519 §4.1.4),
and many forgive less."""


def explain_by_clocks(credential: Credential, ahead: float, now: float) -> str:
    """Why these clocks are the reason, as a sentence; "" where they are not.

    `ahead` is how many seconds this machine's clock is ahead of the server's, `now` this machine's
    time.
    """
    if abs(ahead) <= CLOCKS_MAY_DIFFER:
        return ""
    if credential.dpop_key is not None:
        return (
            "The token is sent with a proof that has the time of this machine, which the server "
            "compares with its own (DPoP)."
        )
    server_time = now - ahead
    claims = read_claims(credential.access_token)
    begins = max(claims.not_before or 0.0, claims.issued_at or 0.0)
    if (early := begins - server_time) > TOLERATED_SKEW:
        return f"By the server's clock the token is only good in {describe_span(early)}."
    ends = claims.expires_at or credential.expires_at
    if ends is not None and now < ends < server_time:
        late = describe_span(server_time - ends)
        return (
            f"By the server's clock the token expired {late} ago, and by this machine's clock it "
            "did not, so that it was not renewed."
        )
    return ""
