"""Keeps each credential in a file of its own, sealed with AES-256-GCM (decision D6).

A record is one line that says how it is sealed, 12 bytes of nonce, and the sealed text. The line
and the session's name are authenticated with it: a record does not open under another name. Must
not know where keys come from, nor what is in a credential.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from mcp_remote_py.credentials.files import (
    Draft,
    delete,
    names_in,
    quarantine,
    read_private,
    reserve,
    write_private,
)
from mcp_remote_py.credentials.store import (
    BrokenRecord,
    decode_credential,
    decode_pending,
    encode_credential,
    encode_pending,
)
from mcp_remote_py.errors import StoreError
from mcp_remote_py.oauth.steps import Credential, PendingAuthorization
from mcp_remote_py.randomness import RandomBytes

SUFFIX = ".sealed"
PENDING_SUFFIX = ".pending"
"""Suffix of authorization requests; a name that ends so is not a session's."""
KEY_BYTES = 32
NONCE_BYTES = 12
"""NIST SP 800-38D §5.2.1.1. Random ones are safe for 2^32 records of one key."""

SPARE_BYTES = 16 * 1024
"""Reserved beyond the size of the record there is: real ones have 1 to 8 KiB, and tokens grow."""

_DELETED = b"deleted\n"
"""Instead of a record that could not be deleted."""

_MAGIC = b"mcp-remote-py sealed 1"
"""The number is that of this form of file."""


T = TypeVar("T")


class Keys(Protocol):
    """Knows the keys that records are sealed with, by the name of the place that holds each.

    A key is `KEY_BYTES` long. Both raise StoreError where a key may exist but cannot be had now.
    """

    def for_sealing(self) -> tuple[str, bytes]:
        """Name and key for new records; made where there is none."""
        ...

    def for_opening(self, name: str) -> bytes | None:
        """The key of that name; None where there is none (any more), which is logged."""
        ...

    def describe(self) -> str:
        """Says to a person where the key is; does not touch a keyring."""
        ...


class SealedStore:
    """A `Store` of files in `directory`, which becomes private with all in it."""

    def __init__(self, directory: Path, keys: Keys, randomness: RandomBytes) -> None:
        self.directory = directory
        self.keys = keys
        self._randomness = randomness
        self._reserved: dict[Path, Draft] = {}

    def load(self, session: str) -> Credential | None:
        """See `Store`. A record that cannot be opened is moved aside."""
        return self._load(session, SUFFIX, decode_credential)

    def load_pending(self, session: str) -> PendingAuthorization | None:
        """See `Store`, and `load`."""
        return self._load(session, PENDING_SUFFIX, decode_pending)

    def _load(self, session: str, suffix: str, decode: Callable[[bytes], T]) -> T | None:
        path = self._path(session, suffix)
        while (content := read_private(path)) not in (None, _DELETED):
            try:
                name, sealed = _split(content)
                key = self.keys.for_opening(name)
                if key is None:
                    return None  # not broken: its key may come back
                return decode(_open(sealed, key, _bound(name, path)))
            except BrokenRecord as error:
                if quarantine(path, content, error.cause):
                    return None
        return None

    def save(self, session: str, credential: Credential) -> None:
        """See `Store`."""
        self._save(self._path(session, SUFFIX), encode_credential(credential))

    def save_pending(self, session: str, pending: PendingAuthorization | None) -> None:
        """See `Store`."""
        path = self._path(session, PENDING_SUFFIX)
        if pending is not None:
            return self._save(path, encode_pending(pending))
        try:
            delete(path)
        except StoreError:
            write_private(path, _DELETED, self._randomness)
        return None

    def _save(self, path: Path, text: bytes) -> None:
        name, key = self.keys.for_sealing()
        sealed = _seal(text, key, self._randomness(NONCE_BYTES), _bound(name, path))
        content = _line(name) + sealed
        draft = self._reserved.pop(path, None)
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.write(content)
                return draft.commit()
        return write_private(path, content, self._randomness)

    def reserve(self, session: str) -> None:
        """See `Store`."""
        self.release(session)
        self.keys.for_sealing()
        path = self._path(session, SUFFIX)
        size = len(read_private(path) or b"") + SPARE_BYTES
        self._reserved[path] = reserve(path, size, self._randomness)

    def release(self, session: str) -> None:
        """See `Store`."""
        draft = self._reserved.pop(self._path(session, SUFFIX), None)
        if draft is not None:
            draft.discard()

    def forget(self, session: str) -> bool:
        """See `Store`. Copies that were moved aside go as well."""
        existed = delete(self._path(session, SUFFIX))
        for name in names_in(self.directory):
            if name.startswith((f"{session}{SUFFIX}.", f"{session}{PENDING_SUFFIX}")):
                delete(self.directory / name)
        return existed

    def sessions(self) -> list[str]:
        """See `Store`."""
        names = names_in(self.directory)
        return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]

    def prepare(self) -> None:
        """See `Store`: makes the key and writes a file of the size of a record."""
        self.keys.for_sealing()
        probe = self.directory / "probe"
        write_private(probe, self._randomness(SPARE_BYTES), self._randomness)
        delete(probe)

    def describe(self) -> str:
        """See `Store`."""
        return f"sealed files in {self.directory}, {self.keys.describe()}"

    def _path(self, session: str, suffix: str) -> Path:
        return self.directory / f"{session}{suffix}"


def _line(name: str) -> bytes:
    return _MAGIC + f" {name}\n".encode()


def _bound(name: str, path: Path) -> bytes:
    """The associated data: what must be as it was when the record was sealed.

    Of the file's name without the suffix of credentials, which was not always bound.
    """
    return _line(name) + path.name.removesuffix(SUFFIX).encode()


def _split(content: bytes) -> tuple[str, bytes]:
    """The name of the key, and nonce with sealed text."""
    line, end, sealed = content.partition(b"\n")
    magic, _, name = line.rpartition(b" ")
    if end and magic == _MAGIC and name.isalpha():
        return name.decode("ascii"), sealed
    raise BrokenRecord("The file is not a sealed record.")


def _seal(text: bytes, key: bytes, nonce: bytes, bound: bytes) -> bytes:
    # Imported here: whoever has nothing to open needs no cryptography.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return nonce + AESGCM(key).encrypt(nonce, text, bound)


def _open(sealed: bytes, key: bytes, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):  # ValueError: too short for a nonce
        raise BrokenRecord("It is damaged, or sealed with another key.") from None
