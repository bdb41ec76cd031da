"""The settings of a sign-in without a person: its grant, and the client's own key.

Values alone, loaded where a start is to sign in so. Must not know how anybody signs in.
"""

from __future__ import annotations

from mcp_remote_py.redact import Secret
from mcp_remote_py.values import Value


class ClientCredentials(Value, frozen=True, tag=True):
    """The client signs in for itself (RFC 6749 §4.4)."""


class WorkloadJwt(Value, frozen=True, tag=True):
    """A JWT of the workload is the grant (RFC 7523 §2.1)."""

    file: str
    """Read anew at each use: whoever keeps the JWT there replaces it."""


class IdentityProvider(Value, frozen=True, tag=True):
    """A company's identity provider gives an ID-JAG for an ID token of its own (RFC 8693)."""

    token_endpoint: str
    client_id: str
    """The client at that provider."""
    id_token_file: str
    """Read anew at each use."""


class ClientKey(Value, frozen=True):
    """A key by which the client proves itself, instead of a secret (RFC 7523 §2.2)."""

    private_key: Secret
    """PEM or JWK."""
    algorithm: str = "ES256"
    """One of `sign_in.SIGNING_ALGORITHMS`."""


class Unattended(Value, frozen=True):
    """A sign-in without a person: one grant, and with any of them the client may have a key."""

    grant: ClientCredentials | WorkloadJwt | IdentityProvider = ClientCredentials()
    key: ClientKey | None = None

    @property
    def names_issuer(self) -> bool:
        """Whether a JWT is made for the server: its issuer is the audience."""
        return self.key is not None or isinstance(self.grant, IdentityProvider)

    @property
    def default_profile(self) -> str:
        """The profile of the session where the person does not name one."""
        match self.grant:
            case ClientCredentials():
                return "client-credentials"
            case WorkloadJwt():
                return "jwt-bearer"
            case IdentityProvider():
                return "enterprise"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that no log line may show; those in files are not known yet."""
        return () if self.key is None else (self.key.private_key,)
