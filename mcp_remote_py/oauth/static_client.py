"""The client that a person registered by hand, and what any description of a client has in it.

What the person wrote is theirs to correct: every fault of it is an error of usage. Pure: must not
know how a client is registered by us, nor where one is kept.
"""

from __future__ import annotations

import re
from typing import cast

from mcp_remote_py.errors import UsageError
from mcp_remote_py.json_text import decode_json_object
from mcp_remote_py.oauth.client_authentication import (
    METHODS,
    PRIVATE_KEY_JWT,
    choose_method_of,
    remember_authentication,
)
from mcp_remote_py.oauth.document import drop_absent
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.steps import Client
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings

CLIENT_INFO_OPTION = "--static-oauth-client-info"


def read_static_client(
    text: Secret,
    server: ServerMetadata,
    redirect_uris: tuple[str, ...],
    settings: SignInSettings,
    stored: Client | None = None,
) -> Client:
    """The client in `text`; `stored` is the one that was used at this issuer before.

    Raises:
        UsageError: it is not a client, or not one for this sign-in.
    """
    members = read_client_members(text.reveal(), CLIENT_INFO_OPTION)
    client_id = members.get("client_id")
    if not isinstance(client_id, str) or not client_id:
        raise UsageError(
            f"{CLIENT_INFO_OPTION} does not contain a client_id.",
            hint="""Write it as '{"client_id": "..."}'.""",
        )
    if settings.unattended is not None and settings.unattended.key is not None:
        return Client(client_id, "static", None, PRIVATE_KEY_JWT)
    secret = read_client_secret(members)
    given = members.get("token_endpoint_auth_method")
    method = given or choose_method_of(secret, server)
    if method not in METHODS or (secret is None and method != "none"):
        raise UsageError(
            f"The token_endpoint_auth_method of {CLIENT_INFO_OPTION} cannot be used.",
            hint=f"It is one of {', '.join(METHODS)}, all but the first with a client_secret.",
        )
    client = Client(
        client_id, "static", secret, str(method), read_texts(members.get("redirect_uris"))
    )
    covered = (is_covered(uri, client.redirect_uris) for uri in redirect_uris)
    if redirect_uris and client.redirect_uris and not any(covered):
        raise UsageError(
            f"The redirect_uris of {CLIENT_INFO_OPTION} do not list {redirect_uris[0]}, which "
            "is where the answer of the sign-in would come.",
            hint="Choose the same address with the options PORT, --host and --callback-path.",
        )
    return remember_authentication(client, stored, is_given=bool(given))


def read_client_members(text: str | None, option: str) -> dict[str, object]:
    """The members in what the person gave by `option`, as they are; none where they gave none.

    Raises:
        UsageError: it is not a JSON object.
    """
    if text is None:
        return {}
    members = decode_json_object(text.encode("utf-8", "replace"))  # null takes a member away
    if members is None:
        raise UsageError(
            f"{option} is not a JSON object.",
            hint="""Write it as '{"name": "value"}', or as @FILE with a file that holds it.""",
        )
    return members


CLIENT_PLACES = ("data", "result", "client")
"""Members that have the client in them, where an API wraps every answer."""


def find_client(document: dict[str, object]) -> dict[str, object]:
    """The members beside the client id; those at the top where there is none anywhere."""
    for place in (document, *(document.get(name) for name in CLIENT_PLACES)):
        members = drop_absent(cast("dict[str, object]", place)) if isinstance(place, dict) else {}
        if read_client_id(members):
            return members
    return document


def read_client_id(members: dict[str, object]) -> str:
    """RFC 7591 §3.2.1 has a text; frameworks give out the number of a row. "" without any."""
    value = members.get("client_id")
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def read_client_secret(members: dict[str, object]) -> Secret | None:
    """The secret of a client, None without one."""
    secret = members.get("client_secret")
    return Secret(secret) if isinstance(secret, str) and secret else None


def read_texts(value: object) -> tuple[str, ...]:
    """The texts of a list; none of anything else."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))


def is_covered(uri: str, registered: tuple[str, ...]) -> bool:
    """Whether this redirect URI is one of those, but for its port (RFC 8252 §7.3)."""
    return uri in registered or _without_port(uri) in map(_without_port, registered)


def _without_port(uri: str) -> str:
    return re.sub(r":[0-9]+(?=/|\Z)", "", uri, count=1)
