"""Keyrings as people have them: small, forgetful, locked, silent. Must not know who asks them."""

from __future__ import annotations

import threading

from keyring.errors import KeyringLocked, PasswordDeleteError

WINDOWS_LIMIT = 2560
"""Bytes of UTF-16 that the Windows credential store takes for one item."""


class FakeKeyring:
    """Keeps items in memory, and counts.

    Attributes:
        items: by service and user name.
        reads, writes: how often it was asked to.
    """

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}
        self.reads = 0
        self.writes = 0

    def get_password(self, service: str, username: str, /) -> str | None:
        self.reads += 1
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.writes += 1
        if len(password.encode("utf-16-le")) > WINDOWS_LIMIT:
            raise OSError(1783, "CredWrite", "The stub received bad data.")
        self.items[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        if self.items.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class LockedKeyring(FakeKeyring):
    """Refuses until `locked` is false."""

    locked = True

    def get_password(self, service: str, username: str, /) -> str | None:
        if self.locked:
            raise KeyringLocked("Failed to unlock the collection!")
        return super().get_password(service, username)


class SilentKeyring(FakeKeyring):
    """Does not answer until `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.asked = 0

    def get_password(self, service: str, username: str, /) -> str | None:
        self.asked += 1
        self.answers.wait(30)
        return super().get_password(service, username)


class ForgetfulKeyring(FakeKeyring):
    """Takes everything and keeps nothing, like `keyring.backends.null`."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.writes += 1


class ManglingKeyring(FakeKeyring):
    """Gives back something else than was written."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        super().set_password(service, username, password[:-1])


class TalkativeKeyring(FakeKeyring):
    """Repeats in its error what it was to keep."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        raise RuntimeError(f"cannot keep\n{password}!")
