"""Tells what comes to the callback port beside the expected request, and says so once of each kind.

By its first bytes alone: none of it is answered with more than a fixed page. Where a browser is
among them, the person is told how to bring it back. Must not know sockets, or what is waited for.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

logger = logging.getLogger("mcp_remote_py.signin")


class StrangerKind(NamedTuple):
    """Something that does not speak HTTP/1.1; `begins` are bytes that no such request begins with.

    `said` goes on a sentence about it.
    """

    name: str
    begins: tuple[bytes, ...]
    said: str


TLS = StrangerKind("TLS", (b"\x16",), "used https for the redirect URI, where only http is spoken")
"""Plain http is what RFC 8252 §7.3 has; this is a handshake record (RFC 8446 §5.1). Browsers turn
the one into the other where an HTTPS-only mode is on, or where another program at this name has
demanded it before (HSTS, RFC 6797; not for addresses)."""

STRANGER_KINDS = (
    TLS,
    StrangerKind("HTTP/2", (b"PRI * HTTP/2",), "spoke HTTP/2 at once"),  # RFC 9113 §3.4
    StrangerKind("SOCKS", (b"\x04", b"\x05"), "took it for a SOCKS proxy"),  # RFC 1928 §3
)

_OTHER = StrangerKind("other", (), "did not speak HTTP")


def recognise(first: bytes) -> StrangerKind | None:
    """The kind that begins so; None where it may be a request."""
    return next((kind for kind in STRANGER_KINDS if first.startswith(kind.begins)), None)


class Strangers:
    """Those that came during one sign-in; `host` is that of the redirect URI, as it is written."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._seen: set[StrangerKind] = set()
        self._without_state = 0

    def note(self, kind: StrangerKind = _OTHER) -> None:
        """One came; the first of its kind has a line in the log."""
        if kind in self._seen:
            return
        self._seen.add(kind)
        if kind is TLS:
            logger.warning("The browser %s. %s", kind.said, self._next_step())
        else:
            logger.info("A program at the callback port %s: it was turned away.", kind.said)

    def note_without_state(self) -> None:
        """A request came to the callback path with another state, or without one."""
        self._without_state += 1

    def describe(self) -> str:
        """The evidence, in brackets behind a time; "" where there is none."""
        evidence = [f"it {kind.said}" for kind in (TLS,) if kind in self._seen]
        if self._without_state:
            evidence.append(f"{self._without_state} with another state, or none, did")
        return f" ({'; '.join(evidence)})" if evidence else ""

    def hint(self) -> str:
        """How to bring the browser back, with a blank behind it; "" where that is not known."""
        return f"{self._next_step()} " if TLS in self._seen else ""

    def _next_step(self) -> str:
        if self._host.strip("[]").replace(":", "").replace(".", "").isdigit():
            return f"Switch its HTTPS-only mode off for {self._host}."
        return f"Try --host 127.0.0.1: browsers may turn http://{self._host} into https."
