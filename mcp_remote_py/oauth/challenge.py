"""Reads what a `WWW-Authenticate` header says about signing in (RFC 9110 §11.6.1).

Total: whatever a server wrote, there is a `Challenge`, at worst an empty one. Must not know what
is done with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mcp_remote_py.errors import one_line
from mcp_remote_py.patterns import lazy_pattern

MAX_ITEMS = 1000
"""Schemes, parameters and pieces of something else that are looked at: 10 ms, and a header has
five."""

MAX_CHALLENGE_LENGTH = 16 * 1024
"""Characters that are looked at: 15 ms. A whole head of escapes takes 50 ms."""

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?P<{0}>(?:[^"\\]|\\.?)*)(?:"|\Z)'
_SEPARATORS = lazy_pattern(r"[\s,]*")
_PARAMETER = lazy_pattern(
    # Not only tokens are taken without quotes: servers write URLs so.
    rf'(?P<name>{_NAME})[ \t]*=[ \t]*(?:{_QUOTED.format("quoted")}|(?P<bare>[^\s,"]*))',
    re.DOTALL,
)
_SCHEME = lazy_pattern(rf"{_NAME}(?=[\s,]|\Z)")
_JUNK = lazy_pattern(rf'{_QUOTED.format("text")}|[^\s,"]+', re.DOTALL)
_ESCAPE = lazy_pattern(r"\\(.)", re.DOTALL)
_URL = lazy_pattern(r"(?:https?://[^\s/?#]|/(?!/))[!-~]*", re.IGNORECASE)

METADATA_NAMES = ("resource_metadata", "resource_metadata_uri", "resource_metadata_url")
"""Of RFC 9728 §5.1, and what servers make of it."""


class Challenge(NamedTuple):
    """The parameters of RFC 6750 §3 and RFC 9728 §5.1; all are the server's words, unjudged.

    `resource_metadata` is an http(s) URL, a path at the server, or "". `scope` is None where the
    server names none: an empty one asks for nothing either. `dpop_algorithms` are those of a DPoP
    challenge (RFC 9449 §7.1), None without one, empty where any will do; `dpop_error` is its error.
    """

    resource_metadata: str = ""
    scope: str | None = None
    error: str = ""
    error_description: str = ""
    dpop_algorithms: tuple[str, ...] | None = None
    dpop_error: str = ""
    dpop_only: bool = False
    """Whether it comes without a Bearer challenge."""


def parse_challenge(value: str) -> Challenge:
    """The Bearer or DPoP challenge of a `WWW-Authenticate` value; header lines joined by `, `.

    Of several the one that leads to metadata, else Bearer, else the first. `resource_metadata`
    counts under any scheme, and without one (RFC 9728 §5.1): it leads to metadata where no Bearer
    or DPoP challenge does, and what stands beside it counts where there is no such challenge.
    """
    every = [
        (scheme, parameters, _judge(parameters))
        for scheme, parameters in _split_challenges(value[:MAX_CHALLENGE_LENGTH])
    ]
    found = [one for one in every if one[0] in ("bearer", "dpop")]
    leading = next((judged for _, _, judged in every if judged.resource_metadata), Challenge())
    if not found:
        return leading
    best = max(found, key=lambda item: (item[2].resource_metadata != "", item[0] == "bearer"))[2]
    best = best._replace(resource_metadata=best.resource_metadata or leading.resource_metadata)
    for scheme, parameters, judged in found:
        if scheme == "dpop":
            return best._replace(
                dpop_algorithms=tuple(one_line(parameters.get("algs", "")).split()),
                dpop_error=judged.error,
                dpop_only=all(scheme == "dpop" for scheme, _, _ in found),
            )
    return best


def _split_challenges(value: str) -> list[tuple[str, dict[str, str]]]:
    """Schemes and their parameters, all names in lower case; the first of a name counts.

    A token68 looks like a scheme or a parameter and is taken for one: what it is credited with
    is of no use to anybody.
    """
    challenges: list[tuple[str, dict[str, str]]] = [("", {})]
    position = 0
    for _ in range(MAX_ITEMS):
        if (position := _end(_SEPARATORS, value, position)) >= len(value):
            break
        if parameter := _PARAMETER.match(value, position):
            quoted = parameter["quoted"]
            text = parameter["bare"] if quoted is None else _ESCAPE.sub(r"\1", quoted)
            challenges[-1][1].setdefault(parameter["name"].lower(), text)
            position = parameter.end()
        elif scheme := _SCHEME.match(value, position):
            challenges.append((scheme[0].lower(), {}))
            position = scheme.end()
        else:
            position = _end(_JUNK, value, position)
    return challenges


def _end(pattern: re.Pattern[str], value: str, position: int) -> int:
    """The end of the match of `pattern` at `position`; the patterns asked here always match."""
    match = pattern.match(value, position)
    return match.end() if match else len(value)


def _judge(parameters: dict[str, str]) -> Challenge:
    named = next((parameters[name] for name in METADATA_NAMES if name in parameters), "")
    metadata = named.strip("'<>")  # quotes, though not a header's
    return Challenge(
        metadata if _URL.fullmatch(metadata) else "",
        one_line(parameters.get("scope", "")) or None,
        one_line(parameters.get("error", "")),
        one_line(parameters.get("error_description", "")),
    )
