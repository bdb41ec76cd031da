"""The words by which token endpoints say that a grant or a client is dead, as one table.

Pure. RFC 6749 §5.2 has three codes for it, and servers have more. The next one is a row of
`GRANT_READINGS`. Must not know HTTP headers, nor what follows from a verdict.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

INVALID_GRANT, INVALID_CLIENT = "invalid_grant", "invalid_client"

_OWN = frozenset({200, 400, 401, 403})
"""RFC 6749 §5.2 has 400 and 401; Auth0 says `invalid_grant` by 403, GitHub and Slack by 200.

A 5xx, a 429 or a 404 with the same words may come from something in front of the server.
"""

_NAMED = _OWN | {404, 410, 422}
"""Also those where the words are about the refresh token: nothing in front of a server knows it."""

_REFRESH_TOKEN = r"refresh[ _-]?tokens?"  # noqa: S105 - words of servers
_DEAD = (
    r"(?:invalid|expired?|revoked|unknown|inactive|malformed|(?:re|already[ _-])used|not[ _-]found"
    r"|not[ _-]exist|not[ _-](?:valid|active|recogni[sz]ed)|no[ _-]longer[ _-]valid)"
)
_DEAD_REFRESH_TOKEN = re.compile(
    rf"{_REFRESH_TOKEN}(?![a-z])[^.;]{{0,40}}?(?<![a-z]){_DEAD}(?![a-z])"
    rf"|(?<![a-z]){_DEAD}[ _-](?:or [a-z]+ )?{_REFRESH_TOKEN}(?![a-z])",
    re.IGNORECASE,
)

MAX_WORDS = 500
"""Characters of a server's words that are looked at."""


class GrantReading(NamedTuple):
    """Of a refusal with this `code`, in which `words` is found, by one of `statuses`.

    "" and None fit all of them. `means` is the code of RFC 6749 it stands for.
    """

    code: str
    means: str
    source: str
    words: re.Pattern[str] | None = None
    statuses: frozenset[int] = _OWN


GRANT_READINGS = (
    GrantReading(INVALID_GRANT, INVALID_GRANT, "RFC 6749 section 5.2"),
    GrantReading(INVALID_CLIENT, INVALID_CLIENT, "RFC 6749 section 5.2"),
    GrantReading("unauthorized_client", "unauthorized_client", "RFC 6749 section 5.2"),
    GrantReading("bad_refresh_token", INVALID_GRANT, "GitHub"),
    GrantReading("bad_verification_code", INVALID_GRANT, "GitHub"),
    GrantReading("incorrect_client_credentials", INVALID_CLIENT, "GitHub"),
    GrantReading("invalid_refresh_token", INVALID_GRANT, "Slack"),
    GrantReading("invalid_code", INVALID_GRANT, "Slack"),
    GrantReading("token_revoked", INVALID_GRANT, "Slack"),
    GrantReading("token_expired", INVALID_GRANT, "Slack"),
    GrantReading("invalid_client_id", INVALID_CLIENT, "Slack"),
    GrantReading("bad_client_secret", INVALID_CLIENT, "Slack"),
    GrantReading("refresh_token_not_found", INVALID_GRANT, "Supabase"),
    GrantReading("refresh_token_already_used", INVALID_GRANT, "Supabase"),
    GrantReading("session_not_found", INVALID_GRANT, "Supabase, whose sessions end"),
    GrantReading("session_expired", INVALID_GRANT, "Supabase, whose sessions end"),
    GrantReading("invalid_token", INVALID_GRANT, "servers that use the code of RFC 6750 for it"),
    GrantReading(
        "",
        INVALID_GRANT,
        "Metabase says it by invalid_request, frameworks by an error without a code",
        _DEAD_REFRESH_TOKEN,
        _NAMED,
    ),
)
"""The first that fits counts."""

_NOT_OF_THE_GRANT = frozenset(
    {
        *("server_error", "temporarily_unavailable", "slow_down", "invalid_client_metadata"),
        *("use_dpop_nonce", "invalid_dpop_proof"),
    }
)
"""Codes whose reason is another one, and is told."""

_PASSING_STATUS = frozenset({407, 408, 421, 425, 429})


def read_verdict(code: str, words: str, status: int) -> str:
    """The code of RFC 6749 that a refusal stands for, "" where it does not end anything."""
    for reading in GRANT_READINGS:
        if status not in reading.statuses:
            continue
        if reading.words is None:
            fits = reading.code == code
        else:
            said = "" if code in _NOT_OF_THE_GRANT else f"{code[:MAX_WORDS]}; {words[:MAX_WORDS]}"
            fits = reading.words.search(said) is not None
        if fits:
            return reading.means
    return ""


def translate_code(code: str) -> str:
    """The code of RFC 6749 for a server's own, else that one."""
    return next((one.means for one in GRANT_READINGS if one.code == code and code), code)


def may_be_verdict(code: str, status: int, body: bytes, *, has_members: bool) -> bool:
    """Whether a refusal that says nothing of the grant may be one all the same: the server's 4xx.

    A page is of something in front of it; so may be a status that is not for refusals of grants,
    unless the answer can be read.
    """
    if code in _NOT_OF_THE_GRANT or not 400 <= status < 500 or status in _PASSING_STATUS:
        return False
    return has_members or (status in _OWN and not body.lstrip().startswith(b"<"))


def read_error_code(members: dict[str, object]) -> str:
    """The server's code for its error, in RFC 6749's member or in those of others."""
    for place in _places_of(members):
        for name in ("error", "error_code"):
            value = place.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def read_error_words(members: dict[str, object]) -> str:
    """The server's words for people, in RFC 6749's member or in those of others."""
    for place in reversed(_places_of(members)):
        for name in ("error_description", "message", "msg", "detail"):
            value = place.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def _places_of(members: dict[str, object]) -> list[dict[str, object]]:
    """The answer's members, and those of an error that is an object itself."""
    nested = members.get("error")
    return [members, cast("dict[str, object]", nested)] if isinstance(nested, dict) else [members]
