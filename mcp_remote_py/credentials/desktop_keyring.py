"""Finds the keyring of this desktop: the one of last time, else the one that the library finds.

To find one, `keyring` loads all there are, and looks at all packages there are for more: 60 ms of
each start with a sign-in. And who finds another one does not find the key. Must not know what is
kept there.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Protocol, cast

from mcp_remote_py.credentials.files import read_private, write_private
from mcp_remote_py.errors import StoreError
from mcp_remote_py.randomness import RandomBytes

_USELESS = frozenset(f"keyring.backends.{name}" for name in ("chainer", "fail", "null"))
"""They keep nothing, or do not say where."""

_NAME = r"(?:keyring\.backends|keyrings)\.\w+(?:\.\w+)*"
"""Of a class that is loaded again: of the library, or of the packages that are made for it."""


class Backend(Protocol):
    """The part of `keyring.backend.KeyringBackend` that is used here."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The item, or None."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Writes the item."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Deletes the item."""
        ...


def open_keyring(memory: Path, randomness: RandomBytes) -> Backend:
    """The keyring of this desktop, whose name is written to `memory`, but not one a person named.

    Raises:
        StoreError: none was found.
    """
    from keyring import core

    backend = core.load_env() or core.load_config() or _load_again(memory)
    if backend is None:
        backend = core.get_keyring()
        name = f"{type(backend).__module__}.{type(backend).__qualname__}"
        if _is_useful(backend) and re.fullmatch(_NAME, name):
            with contextlib.suppress(StoreError):  # then it is found anew each time
                write_private(memory, f"{name}\n".encode(), randomness)
    if not _is_useful(backend):
        raise StoreError(
            "This session does not have a keyring.",
            hint="Start the one of the desktop, or add --token-store file.",
        )
    return cast("Backend", backend)


def _is_useful(backend: object) -> bool:
    return type(backend).__module__ not in _USELESS


def _load_again(memory: Path) -> object | None:
    """The keyring that this file names; None where there is none, or it is not there today."""
    from keyring import core

    with contextlib.suppress(Exception):  # of whatever each of them needs
        name = (read_private(memory) or b"").decode().strip()
        backend = core.load_keyring(name) if re.fullmatch(_NAME, name) else None
        return backend if _is_useful(backend) else None
    return None
