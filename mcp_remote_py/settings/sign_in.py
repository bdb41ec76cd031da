"""The settings of a sign-in, as values; `sign_in_words` reads them from words.

Must not know how anybody signs in, nor what an option is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from mcp_remote_py.redact import Secret
from mcp_remote_py.values import Value

if TYPE_CHECKING:
    from mcp_remote_py.settings.unattended import Unattended

DEFAULT_AUTH_TIMEOUT = 300.0
"""Seconds. mcp-remote gives a person 30, which a password manager and a second factor outlast."""

TOKEN_STORES = ("keyring", "file", "memory")

SIGNING_ALGORITHMS = (
    *("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EdDSA",
)
"""Asymmetric ones only (RFC 7518 §3.1): the server holds the public key."""


class SignInSettings(Value, frozen=True):
    """The settings of a sign-in, where the server asks for one. The defaults suit most."""

    profile: str = ""
    scope: str | None = None
    """Asked for instead of what challenge and metadata say; None leaves the choice to them."""
    resource: str | None = None
    """RFC 8707 value instead of the published one."""
    send_resource: bool = True
    authorize_parameters: tuple[tuple[str, str], ...] = ()
    static_client: Secret | None = None
    """JSON text of a client registered by hand: client_id, client_secret, issuer ..."""
    static_client_metadata: str | None = None
    """JSON text of members for the registration (RFC 7591)."""
    client_metadata_url: str | None = None
    trusted_issuers: tuple[str, ...] = ()
    """Issuers that may have what belongs to the person (`oauth.ownership`); they are accepted, too,
    although metadata or `iss` name another, or metadata is silent on PKCE."""
    use_id_token: bool = False
    host: str = ""
    """Spelling of the loopback host in the redirect URI, the only one then; an IPv6 address is in
    brackets. "": localhost, beside which 127.0.0.1 is registered."""
    port: int | None = None
    """None: a stable one per server."""
    callback_path: str = "/oauth/callback"
    success_url: str | None = None
    timeout: float = DEFAULT_AUTH_TIMEOUT
    """Seconds a person has for the browser part."""
    browser: tuple[str, ...] | None = None
    """A command instead of the desktop's opener; an empty one opens nothing."""
    paste: bool = False
    """Whether the person may carry the redirect over by hand."""
    device_code: bool = False
    unattended: Unattended | None = None
    token_endpoint: str = ""
    """Asked without any discovery, by an unattended sign-in or beside `authorization_endpoint`; it
    may have what belongs to them."""
    authorization_endpoint: str = ""
    """Where the person signs in, without any discovery; never without `token_endpoint`."""
    token_store: str = "keyring"  # noqa: S105 - where they are kept
    """One of `TOKEN_STORES`."""
    asks_person: bool = True
    """Whether a refused request may lead to a person; else it is said that a sign-in is needed."""
    login_options: str = ""
    """The options that make `mcp-remote-py login URL` begin this very sign-in; without secrets."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show."""
        keys = () if self.unattended is None else self.unattended.secrets
        return (*_secrets_of_client(self.static_client), *keys)


def _secrets_of_client(client: Secret | None) -> Iterable[Secret]:
    """The values of its members that are secret by name (RFC 7591 §3.2.1, RFC 7592 §3)."""
    if client is None:
        return ()
    import json

    members = cast("dict[str, object]", json.loads(client.reveal()))
    values = (members.get(name) for name in ("client_secret", "registration_access_token"))
    return (Secret(value) for value in values if isinstance(value, str))
