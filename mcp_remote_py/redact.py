"""Secrets are a type: what is wrapped here cannot be formatted by accident.

`.reveal()` is the one word to search for in a review. This module must not know who stores a
secret or sends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

MASK = "****"
MIN_SCRUB_LENGTH = 4
"""Characters. A shorter secret is not searched for in texts: it would tear words apart."""


class Secret:
    """A string that prints as stars; equality and hash follow the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: only for the place that sends or stores it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def mask_url(url: str) -> str:
    """The URL without what may be secret in it: user info and the values of its query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(
        f"{name}={MASK}" if equals else name
        for name, equals, _ in (pair.partition("=") for pair in parts.query.split("&"))
    )
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """`text` with every secret replaced by stars, also the part of it behind a scheme word."""
    for secret in secrets:
        value = secret.reveal()
        for part in {value, value.rpartition(" ")[2]}:
            if len(part) >= MIN_SCRUB_LENGTH:
                text = text.replace(part, MASK)
    return text
