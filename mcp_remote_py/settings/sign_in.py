"""How to sign in: the values. How they are read from words is `sign_in_words`' to know.

Must not know how anybody signs in, nor what an option is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from mcp_remote_py.redact import Secret
from mcp_remote_py.values import Value

DEFAULT_AUTH_TIMEOUT = 300.0
"""Seconds. mcp-remote gives a person 30, which a password manager and a second factor outlast."""

TOKEN_STORES = ("keyring", "file", "memory")

SIGNING_ALGORITHMS = (
    *("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EdDSA",
)
"""Asymmetric ones only (RFC 7518 §3.1): the server holds the public key."""


class Unattended(Value, frozen=True):
    """A sign-in that needs no person: by the client itself, by a JWT, or by a company's provider.

    Which one: `assertion_file` is for a JWT of the workload, `idp_token_endpoint` for the provider,
    neither for the client's own credentials.
    """

    private_key: Secret | None = None
    """PEM or JWK; the client then proves itself by it (RFC 7523 §2.2)."""
    signing_algorithm: str = "ES256"
    assertion_file: str = ""
    """Its JWT is the grant (RFC 7523 §2.1); read anew at each use."""
    idp_token_endpoint: str = ""
    """Gives an ID-JAG for the ID token (RFC 8693)."""
    idp_client_id: str = ""
    id_token_file: str = ""

    @property
    def names_issuer(self) -> bool:
        """Whether a JWT is made for the server: its issuer is the audience."""
        return self.private_key is not None or self.idp_token_endpoint != ""

    @property
    def name(self) -> str:
        """What the session is called where the person gives it no name."""
        if self.assertion_file:
            return "jwt-bearer"
        return "enterprise" if self.idp_token_endpoint else "client-credentials"


class SignInSettings(Value, frozen=True):
    """How to sign in where the server asks for it. Everything has a default that suits most."""

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
    host: str = "localhost"
    """Spelling of the loopback host in the redirect URI; an IPv6 address is in brackets."""
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
    """Asked without any discovery, by an unattended sign-in; it may have what belongs to them."""
    token_store: str = "keyring"  # noqa: S105 - where they are kept
    """One of `TOKEN_STORES`."""
    login_options: str = ""
    """What a person adds to `mcp-remote-py login URL` to begin this very sign-in; no secrets."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may show."""
        key = None if self.unattended is None else self.unattended.private_key
        return (*_secrets_of_client(self.static_client), *(() if key is None else (key,)))


def _secrets_of_client(client: Secret | None) -> Iterable[Secret]:
    """The values of its members that are secret by name (RFC 7591 §3.2.1, RFC 7592 §3)."""
    if client is None:
        return ()
    import json

    members = cast("dict[str, object]", json.loads(client.reveal()))
    values = (members.get(name) for name in ("client_secret", "registration_access_token"))
    return (Secret(value) for value in values if isinstance(value, str))
