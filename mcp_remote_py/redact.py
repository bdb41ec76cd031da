"""Secrets are a type: what is wrapped here cannot be formatted by accident.

`.reveal()` is the one word to search for in a review. This module must not know who stores a
secret or sends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuses pickling, which would write the value where no one looks for it."""
        raise TypeError("a Secret is not pickled")


_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_~.-]{20,}")


def mask_url(url: str) -> str:
    """The URL without what may be secret in it; never raises, whatever `url` is.

    Left out are user info and fragment, the values of the query, and words of path and query
    that look like keys (20 characters and more, letters and digits: some servers want it there).
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    rest = rest.partition("#")[0]
    rest, question, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    segments = map(_mask_key, path.split("/"))
    values = (
        f"{name}={MASK}" if equals else _mask_key(name)
        for name, equals, _ in (pair.partition("=") for pair in query.split("&"))
    )
    return f"{scheme}{separator}{host}{slash}{'/'.join(segments)}{question}{'&'.join(values)}"


def _mask_key(word: str) -> str:
    return f"{word[:4]}{MASK}" if _KEY.fullmatch(word) else word


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """`text` with every secret replaced by stars, also the words of it behind a scheme word."""
    parts: set[str] = set()
    for secret in secrets:
        value = secret.reveal()
        parts.add(value)
        parts.update(value.split(" ")[1:])
    # The longest first: a secret that contains another one must go as a whole.
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= MIN_SCRUB_LENGTH:
            text = text.replace(part, MASK)
    return text


_known: set[Secret] = set()


def remember(secrets: Iterable[Secret]) -> None:
    """Makes secrets known to `scrub_known`, from whoever learns one: options, files, commands.

    The one piece of process-wide state here: the last line of defence must not depend on
    someone passing every secret to every place that writes a line.
    """
    _known.update(secrets)


def scrub_known(text: str) -> str:
    """`text` with everything that was ever given to `remember` replaced by stars."""
    return scrub(text, _known)
