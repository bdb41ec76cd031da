"""Chooses the scopes to ask for (RFC 6749 §3.3): the person's, the challenge's or the resource's.

Pure. Must not know what was granted for them, nor by which grant.
"""

from __future__ import annotations

from mcp_remote_py.errors import shorten

OFFLINE_ACCESS = "offline_access"
"""The scope of OpenID Connect that asks for a refresh token."""

_OF_IDENTITY = frozenset({"openid", "profile", "email", "address", "phone", OFFLINE_ACCESS})
"""Those of OpenID Connect itself (Core §3.1.2.1, §5.4, §11)."""


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
    the authorization server's list says what exists, not what is needed (and what does not, see
    `find_unknown`). To these, where it is in that list, `offline_access` is added: without it some
    servers want a sign-in per hour (L18).

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


def find_unknown(
    resource_scopes: tuple[str, ...] | None, server_scopes: tuple[str, ...] | None
) -> tuple[str, ...]:
    """The scopes of a resource that the authorization server does not have, by what both publish.

    A list that has none of them says nothing of them. And one that has only those of OpenID Connect
    says nothing of others: Entra and Auth0 publish such lists, and know the scopes of their
    customers' APIs all the same.
    """
    wanted, known = _split(resource_scopes), set(_split(server_scopes))
    common = known.intersection(wanted)
    is_about_all = not common <= _OF_IDENTITY
    return tuple(
        one
        for one in dict.fromkeys(wanted)
        if common and one not in known and (is_about_all or one in _OF_IDENTITY)
    )


def describe_asked_scopes(scope: str, server_scopes: tuple[str, ...] | None) -> str:
    """What was asked for, and what of it the authorization server does not list, as a sentence."""
    listed = _split(server_scopes)
    if not scope:
        said = f'; that server lists "{shorten(" ".join(listed))}"' if listed else ""
        return f"No scope was asked for{said}."
    known = set(listed)
    unlisted = " ".join(one for one in scope.split() if known and one not in known)
    said = f'Asked for was "{shorten(scope)}"'
    return f'{said}; that server does not list "{shorten(unlisted)}".' if unlisted else f"{said}."


def _split(scopes: tuple[str, ...] | None) -> list[str]:
    return " ".join(scopes or ()).split()
