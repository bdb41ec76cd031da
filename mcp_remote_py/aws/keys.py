"""The keys that AWS knows a caller by, and those that the environment has.

Must not know where other keys come from, nor what is signed with them.
"""

from __future__ import annotations

from mcp_remote_py.redact import Secret
from mcp_remote_py.values import Value


class AwsKeys(Value, frozen=True):
    """An access key, with the token that a temporary one is used with.

    `expires_at` is in seconds since 1970, None where it does not end or nobody says when.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expires_at: float | None = None
