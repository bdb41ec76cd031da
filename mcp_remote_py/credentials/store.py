"""The store of credentials as an interface, its records, and a store that forgets.

Must not know OAuth flows, keyrings, cryptography
or files: whoever only asks for names loads none of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import msgspec

from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.steps import Client, Credential, PendingAuthorization
from mcp_remote_py.redact import Secret

CREDENTIAL_SCHEMA = 1
"""The version of a record's form. A new member with a default leaves it as it is. A change that an
older version would misread raises it, and gives the files a new suffix: two versions side by side
must not push each other's records aside (field note 39)."""


class BrokenRecord(StoreError):
    """The stored bytes are not a record, or a damaged one, or one this version cannot read."""


class Store(Protocol):
    """Keeps one credential per session, which is named by its `SessionId.key`.

    Every function may block, for a disk or for a person who is asked to unlock a keyring: call
    them in a thread. Each may be called from several threads.
    """

    def load(self, session: str) -> Credential | None:
        """The stored credential, or None; also where the record is broken, which is logged.

        Raises:
            StoreError: it may be there, but cannot be read now. Signing in again is not a remedy.
        """
        ...

    def save(self, session: str, credential: Credential) -> None:
        """Replaces what is stored; returns when it is safe.

        Raises:
            StoreError: it is not, and what was stored before still is.
        """
        ...

    def reserve(self, session: str) -> None:
        """Takes the space for the next `save`, which then does not fail for want of it.

        To be called under the lock of the store.

        Raises:
            StoreError: the disk is full, or `save` would fail for another reason.
        """
        ...

    def release(self, session: str) -> None:
        """Gives back what was reserved and not used; raises nothing."""
        ...

    def forget(self, session: str) -> bool:
        """Deletes the credential for good, needing no key; whether there was one.

        Raises:
            StoreError: it cannot be deleted.
        """
        ...

    def load_pending(self, session: str) -> PendingAuthorization | None:
        """The authorization request that a person is asked at this moment, as `load`.

        Raises:
            StoreError: as `load`.
        """
        ...

    def save_pending(self, session: str, pending: PendingAuthorization | None) -> None:
        """Replaces that, as `save`; None deletes it.

        Raises:
            StoreError: as `save`.
        """
        ...

    def sessions(self) -> list[str]:
        """The names of all that is stored, sorted; read without the key.

        Raises:
            StoreError: the folder cannot be read.
        """
        ...

    def prepare(self) -> None:
        """Finds out whether `save` will work: before a person is asked to sign in (field note 37).

        Raises:
            StoreError: it will not.
        """
        ...

    def describe(self) -> str:
        """Says to a person what keeps the credentials, and where; does not touch a keyring."""
        ...


class MemoryStore:
    """Keeps credentials as long as the process lives: `--token-store memory`."""

    def __init__(self) -> None:
        self._credentials: dict[str, Credential] = {}
        self._pending: dict[str, PendingAuthorization | None] = {}

    def load(self, session: str) -> Credential | None:
        """See `Store`; never fails."""
        return self._credentials.get(session)

    def save(self, session: str, credential: Credential) -> None:
        """See `Store`; never fails."""
        self._credentials[session] = credential

    def reserve(self, session: str) -> None:
        """See `Store`; never fails."""

    def release(self, session: str) -> None:
        """See `Store`."""

    def forget(self, session: str) -> bool:
        """See `Store`; never fails."""
        self._pending.pop(session, None)
        return self._credentials.pop(session, None) is not None

    def load_pending(self, session: str) -> PendingAuthorization | None:
        """See `Store`; never fails."""
        return self._pending.get(session)

    def save_pending(self, session: str, pending: PendingAuthorization | None) -> None:
        """See `Store`; never fails."""
        self._pending[session] = pending

    def sessions(self) -> list[str]:
        """See `Store`; never fails."""
        return sorted(self._credentials)

    def prepare(self) -> None:
        """See `Store`; never fails."""

    def describe(self) -> str:
        """See `Store`."""
        return "in memory, until the process ends"


# Records -------------------------------------------------------------------------------------


class _ClientRecord(msgspec.Struct, omit_defaults=True):
    """`Client` as it is written."""

    client_id: str
    origin: str
    client_secret: str | None = None
    token_endpoint_auth_method: str = "none"  # noqa: S105 - a method of RFC 7591 §2
    redirect_uris: tuple[str, ...] = ()
    secret_expires_at: float = 0.0
    plain_basic: bool = False


class _Record(msgspec.Struct, omit_defaults=True):
    """`Credential` as it is written, with the number of its form."""

    schema: int
    issuer: str
    token_endpoint: str
    client: _ClientRecord
    redirect_uri: str = ""
    resource: str = ""
    scope: str = ""
    access_token: str | None = None
    token_type: str = "Bearer"  # noqa: S105 - of RFC 6750
    refresh_token: str | None = None
    id_token: str | None = None
    obtained_at: float = 0.0
    expires_at: float | None = None
    revocation_endpoint: str = ""
    dpop_key: str | None = None
    published_by: str = ""
    endpoints: tuple[str, ...] = ()
    consent: str = ""
    scope_refused: bool = False


class _PendingRecord(msgspec.Struct, omit_defaults=True):
    """`PendingAuthorization` as it is written; its credential is a record of its own."""

    schema: int
    url: str
    state: str
    verifier: str
    credential: msgspec.Raw
    server_name: str
    expires_at: float
    iss_parameter_supported: bool = False
    client_is_cached: bool = False
    scopes_supported: tuple[str, ...] | None = None
    begun_at: float | None = None
    opened_at: float = 0.0
    is_shown_again: bool = False


# Made at import: msgspec crashes where two threads meet a new type (SIGSEGV, 0.22).
_decode_members = msgspec.json.Decoder(dict[str, object]).decode
_decode_pending = msgspec.json.Decoder(_PendingRecord).decode
msgspec.json.Decoder(_Record)  # makes the type known, for `convert`


def encode_credential(credential: Credential) -> bytes:
    """The record of a credential, in clear text.

    Raises:
        StoreError: it holds text that cannot be written (half of a surrogate pair).
    """
    client = credential.client._replace(
        secret_expires_at=_finite(credential.client.secret_expires_at) or 0.0
    )
    values = credential._replace(
        obtained_at=_finite(credential.obtained_at) or 0.0,
        expires_at=_finite(credential.expires_at),
    )._asdict()
    return _write({"schema": CREDENTIAL_SCHEMA} | values | {"client": client._asdict()})


def encode_pending(pending: PendingAuthorization) -> bytes:
    """The record of an authorization request, in clear text. Raises as `encode_credential`."""
    credential = msgspec.Raw(encode_credential(pending.credential))
    return _write({"schema": CREDENTIAL_SCHEMA} | pending._asdict() | {"credential": credential})


def _write(record: Mapping[str, object]) -> bytes:
    try:
        # enc_hook: the one place where secrets are written down.
        return msgspec.json.encode(record, enc_hook=_reveal)
    except UnicodeEncodeError:
        raise StoreError(
            "The authorization server's answer contains text that cannot be stored.",
            hint="Report this to whoever runs that server.",
        ) from None


def decode_credential(data: bytes) -> Credential:
    """The credential of a record. Members not known are left out.

    Raises:
        BrokenRecord: it is not a record, or of a schema this version cannot read.
    """
    try:
        members = _decode_members(data)
        if (schema := members.get("schema")) != CREDENTIAL_SCHEMA:
            raise BrokenRecord(f"The record has schema {_number(schema)}, not {CREDENTIAL_SCHEMA}.")
        record = msgspec.convert(members, _Record)
    except (ValueError, RecursionError):
        # msgspec's errors are ValueErrors; their words may quote a value, so they stay here.
        raise BrokenRecord("The record is not a credential.") from None
    fields = msgspec.structs.asdict(record)
    del fields["schema"]
    client = msgspec.structs.asdict(record.client)
    client["client_secret"] = _secret(record.client.client_secret)
    fields["client"] = Client(**client)
    for name in ("access_token", "refresh_token", "id_token", "dpop_key"):
        fields[name] = _secret(fields[name])
    return Credential(**fields)


def decode_pending(data: bytes) -> PendingAuthorization:
    """The authorization request of a record. It lives for minutes: other schemas are not read.

    Raises:
        BrokenRecord: it is not a record, or of another version.
    """
    try:
        record = _decode_pending(data)
    except (ValueError, RecursionError):
        raise BrokenRecord("The record is not an authorization request.") from None
    if record.schema != CREDENTIAL_SCHEMA:
        raise BrokenRecord(f"The record has schema {record.schema}, not {CREDENTIAL_SCHEMA}.")
    fields = msgspec.structs.asdict(record)
    del fields["schema"]
    fields["credential"] = decode_credential(bytes(record.credential))
    for name in ("state", "verifier"):
        fields[name] = Secret(fields[name])
    return PendingAuthorization(**fields)


def _reveal(value: Secret) -> str:
    return value.reveal()


def _secret(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)


def _finite(value: float | None) -> float | None:
    """None for infinity, which JSON does not have: a lifetime of 1e999 seconds never ends."""
    return value if value is not None and math.isfinite(value) else None


def _number(schema: object) -> str:
    return str(schema) if isinstance(schema, int) else "unknown"
