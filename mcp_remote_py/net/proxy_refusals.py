"""What the refusal of a proxy means: whose it is to mend, and whether asking again can help.

Pure. Must not know how a proxy is spoken to.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mcp_remote_py.errors import NotSent, Refused, shorten
from mcp_remote_py.net.faults import ProxyRefusal
from mcp_remote_py.readings import Source

_QUOTED = rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)'
"""Also one without an end: where it could fail, each quote in it would be looked at to the end."""


class ProxyReading(NamedTuple):
    """What statuses of an answer to CONNECT say; its sentences take `variable` and `target`."""

    statuses: frozenset[int]
    is_final: bool
    cause: str
    hint: str
    source: Source


PROXY_READINGS = (
    ProxyReading(
        frozenset({403, 451}),
        True,
        "Its policy forbids {target}",
        "Ask whoever runs the proxy to allow {target}, or list that host in NO_PROXY where it can "
        "be reached directly.",
        Source("Squid, Zscaler, Blue Coat", "RFC 9110 §9.3.6; T13"),
    ),
    ProxyReading(
        frozenset({301, 302, 303, 307, 308, 511}),
        True,
        "It wants a sign-in in the browser before it lets this machine through",
        "Open any page in the browser, sign in there, and try again; else check {variable} and "
        "NO_PROXY in the entry's env.",
        Source("captive portals, Zscaler", "RFC 6585 §6; T13"),
    ),
    ProxyReading(
        frozenset({400, 404, 405, 501}),
        True,
        "It may not be an HTTP proxy",
        "Check {variable} and NO_PROXY in the entry's env.",
        Source("web servers that are taken for a proxy", "RFC 9110 §15.5.6, §15.6.2"),
    ),
    ProxyReading(
        frozenset({408, 429, *range(500, 600)}),
        False,
        "It could not connect to {target}",
        "Try again later; check {variable} and NO_PROXY in the entry's env.",
        Source("Squid, Envoy", "RFC 9110 §15.6"),
    ),
)
"""407 is apart: see `_explain_credentials`. The first that has the status counts."""


def read_schemes(challenges: bytes) -> tuple[str, ...]:
    """The ways to sign in that `Proxy-Authenticate` offers (RFC 9110 §11.7.1), each once."""
    parts = re.sub(_QUOTED, b"", challenges, flags=re.DOTALL).split(b",")
    words = [(part.split() or [b""])[0].decode("latin-1") for part in parts]
    return tuple(dict.fromkeys(word for word in words if word and "=" not in word))


def explain_proxy_refusal(refusal: ProxyRefusal, reason: str) -> NotSent | Refused:
    """The error of it; one that does not have to be tried again is `Refused`."""
    who = f"The HTTP proxy {refusal.proxy}".rstrip()
    said = f"{who} refused the connection: {reason}."
    if refusal.status in (401, 407):  # RFC 9110 §15.5.8 has the second; servers have the first
        cause, hint = _explain_credentials(refusal)
        return Refused(f"{said} {cause}.", hint=hint)
    names = {"target": refusal.target or "the server", "variable": refusal.variable}
    for reading in PROXY_READINGS:
        if refusal.status in reading.statuses:
            kind = Refused if reading.is_final else NotSent
            cause = reading.cause.format_map(names)
            return kind(f"{said} {cause}.", hint=reading.hint.format_map(names))
    kind = Refused if 300 <= refusal.status < 500 else NotSent
    return kind(said, hint=f"Check {refusal.variable} and NO_PROXY in the entry's env.")


def _explain_credentials(refusal: ProxyRefusal) -> tuple[str, str]:
    """Of 407 (RFC 9110 §15.5.8): Basic is what can be done here."""
    offered = [scheme for scheme in refusal.schemes if scheme.lower() != "basic"]
    if offered and len(offered) == len(refusal.schemes):
        is_one = len(offered) == 1
        return (
            f"It asks for {shorten(' or '.join(offered))}, which {'is' if is_one else 'are'} not "
            "supported",
            "Run a local proxy that signs in to it, such as px or cntlm, and name that one in "
            f"{refusal.variable}; or ask whoever runs it for an exception.",
        )
    if refusal.knows_us:
        return (
            "It does not take the name and the password that it was given",
            f"Check them in {refusal.variable} in the entry's env; there @, : and / are written as "
            "%40, %3A and %2F.",
        )
    return (
        "It wants a name and a password",
        f"Write them into {refusal.variable} in the entry's env: http://NAME:PASSWORD@HOST:PORT.",
    )
