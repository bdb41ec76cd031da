"""Chooses the scopes to ask for (RFC 6749 §3.3): the person's, the challenge's or the resource's.

Pure. Must not know what was granted for them, nor by which grant.
"""

from __future__ import annotations

OFFLINE_ACCESS = "offline_access"
"""The scope of OpenID Connect that asks for a refresh token."""


def choose_scope(
    challenge_scope: str | None,
    resource_scopes: tuple[str, ...] | None,
    server_scopes: tuple[str, ...] | None,
    wanted: str | None,
    granted: str = "",
) -> str | None:
    """The `scope` to ask for, None to ask for none and leave it to the server.

    `wanted` is the person's and wins, exactly as it is, "" for none: whoever gives --scope does so
    because what the server publishes did not work, and error texts name it for that. Else the
    challenge's, which is authoritative for the operation, else the resource's `scopes_supported`
    (an empty list counts as missing), else none. We add none of our own (field note 8), and
    the authorization server's list says what exists, not what is needed. To these, where it is in
    that list, `offline_access` is added: without it some servers want a sign-in per hour (L18).

    `granted` is not empty for a step-up. Then the union with the challenge is asked for, even
    beyond `wanted`: the server said that the operation needs it, and what is granted already must
    not be lost (L16).
    """
    challenged = (challenge_scope or "").split()
    if wanted is not None:
        scopes = wanted.split()
    else:
        scopes = challenged or " ".join(resource_scopes or ()).split()
        if scopes and OFFLINE_ACCESS in (server_scopes or ()):
            scopes.append(OFFLINE_ACCESS)
    if granted:
        scopes = [*granted.split(), *scopes, *challenged]
    return " ".join(dict.fromkeys(scopes)) or None
