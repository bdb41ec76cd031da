"""The words by which token endpoints say that a grant or a client is dead, as one table.

Pure. RFC 6749 §5.2 has three codes for it, and servers have more. The next one is a row of
`GRANT_READINGS`. Must not know HTTP headers, nor what follows from a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, cast

from mcp_remote_py.patterns import lazy_pattern

INVALID_GRANT, INVALID_CLIENT = "invalid_grant", "invalid_client"

_OWN = frozenset({200, 400, 401, 403})
"""RFC 6749 §5.2 has 400 and 401; Auth0 says `invalid_grant` by 403, GitHub and Slack by 200.

A 5xx, a 429 or a 404 with the same words may come from something in front of the server.
"""

_NAMED = _OWN | {404, 409, 410, 422}
"""Also those where the words are about the refresh token: nothing in front of a server knows it."""

_REFRESH_TOKEN = r"refresh[ _-]?tokens?"  # noqa: S105 - words of servers
_NOT = r"(?:not|n['\u2019]t)[ _-]"
_DEAD = (
    r"(?:invalid|expired?|revoked|unknown|inactive|incorrect|malformed|rotated|deleted|blacklisted"
    r"|(?:re|already[ _-](?:been[ _-])?)used|reuse|no[ _-]longer[ _-]valid|superseded"
    r"|issued to (?:another|a different) client"
    rf"|{_NOT}(?:be[ _-])?found|{_NOT}(?:exist|match|valid|active|recogni[sz]ed))"
)
_DEAD_ELSEWHERE = (  # German, Spanish and Portuguese, French, Italian, Chinese, Japanese
    r"(?:abgelaufen|(?:un|nicht (?:mehr )?)g\u00fcltig|widerrufen|expirado|caducado|inv\u00e1lido"
    r"|expir\u00e9e?|invalide|r\u00e9voqu\u00e9e?|scaduto|non valido"
    r"|\u8fc7\u671f|\u65e0\u6548|\u5931\u6548|\u7121\u52b9|\u671f\u9650\u5207\u308c)"
)
_DEAD_REFRESH_TOKEN = lazy_pattern(
    # A dot with something behind it is within the name of a text: errors.refresh_token.expired
    rf"{_REFRESH_TOKEN}(?![a-z])(?:[^.;]|\.(?=\S)){{0,40}}?"
    rf"(?:(?<![a-z]){_DEAD}(?![a-z])|{_NOT}exist|{_DEAD_ELSEWHERE})"
    rf"|(?<![a-z]){_DEAD}[ _-](?:or [a-z]+ |access/)?[\"'`]?{_REFRESH_TOKEN}(?![a-z])"
    rf"|(?<![a-z])(?:no such|{_NOT}find|unable to find) (?:the )?{_REFRESH_TOKEN}(?![a-z])",
    re.IGNORECASE,
)

_LIMITED = lazy_pattern(
    r"rate[ _-]?(?:limit|exceeded)|too[ _-]?many[ _-]?(?:requests|attempts)|throttl|quota",
    re.IGNORECASE,
)
"""Of servers that limit how often one may ask, by another status than 429: Zoho, Amazon."""

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
    GrantReading("deleted_client", INVALID_CLIENT, "Google"),
    GrantReading("disabled_client", INVALID_CLIENT, "Google"),
    GrantReading("invalid_client_secret", INVALID_CLIENT, "servers that name what is wrong"),
    GrantReading("invalid_client_credentials", INVALID_CLIENT, "the same"),
    GrantReading("unknown_client", INVALID_CLIENT, "the same"),
    GrantReading("client_not_found", INVALID_CLIENT, "the same"),
    GrantReading("refresh_token_not_found", INVALID_GRANT, "Supabase"),
    GrantReading("refresh_token_already_used", INVALID_GRANT, "Supabase"),
    GrantReading("session_not_found", INVALID_GRANT, "Supabase, whose sessions end"),
    GrantReading("session_expired", INVALID_GRANT, "Supabase, whose sessions end"),
    GrantReading("token_inactive", INVALID_GRANT, "Ory"),
    GrantReading("token_not_valid", INVALID_GRANT, "Simple JWT of Django"),
    GrantReading("invalid_auth", INVALID_GRANT, "Slack"),
    GrantReading("account_inactive", INVALID_GRANT, "Slack"),
    GrantReading("interaction_required", INVALID_GRANT, "Entra: the person is needed"),
    GrantReading("login_required", INVALID_GRANT, "OpenID Connect Core section 3.1.2.6"),
    GrantReading("consent_required", INVALID_GRANT, "the same"),
    GrantReading("account_selection_required", INVALID_GRANT, "the same"),
    GrantReading("mfa_required", INVALID_GRANT, "Auth0: the person is needed"),
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

_KNOWN_CODES = frozenset(one.code for one in GRANT_READINGS if one.code)

_DENIALS = frozenset(
    {
        "access_denied",  # RFC 6749 §4.1.2.1, RFC 8628 §3.5
        "authorization_declined",  # Entra
        *("user_cancelled_login", "user_cancelled_authorize"),  # LinkedIn, Apple
        *("user_cancelled", "user_denied", "consent_denied"),
    }
)
"""Codes for a person who says no."""

_OTHER_CODES_OF_OAUTH = _DENIALS | {
    *("invalid_request", "invalid_scope", "unsupported_grant_type"),  # RFC 6749 §5.2
    *("server_error", "temporarily_unavailable"),
    *("authorization_pending", "slow_down", "expired_token"),  # RFC 8628 §3.5
    "invalid_target",  # RFC 8707 §2
}


def is_denial(code: str) -> bool:
    """Whether the person has said no, or the server for them."""
    return plain_code(code) in _DENIALS


def _is_known_code(plain: str) -> bool:
    """Whether a member that may be anything has a code for an error of a token endpoint."""
    return (
        plain in _KNOWN_CODES
        or plain in _OTHER_CODES_OF_OAUTH
        or _DEAD_REFRESH_TOKEN.search(plain) is not None
    )


_CODE = lazy_pattern(r"[a-z_]{1,64}")

_NOT_OF_THE_GRANT = frozenset(
    {
        *("server_error", "temporarily_unavailable", "slow_down", "invalid_client_metadata"),
        *("use_dpop_nonce", "invalid_dpop_proof"),
        *("ratelimited", "internal_error", "internal_server_error", "fatal_error"),
        "service_unavailable",
    }
)
"""Codes whose reason is another one, and is told."""

_PASSING_STATUS = frozenset({407, 408, 421, 425, 429})


def plain_code(code: str) -> str:
    """A code as RFC 6749 spells them: servers shout, join words, and go on with a sentence."""
    head = code[:MAX_WORDS].partition(":")[0].strip().rstrip(".")
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[ -]", "_", head).lower()


def is_code(plain: str) -> bool:
    """Whether `plain_code` has made this of a code; of other words it makes something else."""
    return _CODE.fullmatch(plain) is not None


def read_verdict(code: str, words: str, status: int) -> str:
    """The code of RFC 6749 that a refusal stands for, "" where it does not end anything."""
    plain = plain_code(code)
    for reading in GRANT_READINGS:
        if status not in reading.statuses:
            continue
        if reading.words is None:
            fits = reading.code == plain
        else:
            said = "" if plain in _NOT_OF_THE_GRANT else f"{plain}; {code}; {words}"
            fits = reading.words.search(said[: 3 * MAX_WORDS]) is not None
        if fits:
            return reading.means
    return ""


def read_plain_text(body: bytes, status: int) -> tuple[str, str]:
    """Code and words of a refusal that is a text and nothing else, each "" without one.

    Not of a page, nor where the status may be for something in front of the server.
    """
    text = body[:MAX_WORDS].decode("utf-8", "replace").strip().strip('"')
    if status not in _OWN or text.startswith("<"):
        return "", ""
    is_code = text.lower() in _KNOWN_CODES | _OTHER_CODES_OF_OAUTH
    return (text, "") if is_code else ("", text)


def translate_code(code: str) -> str:
    """The code of RFC 6749 for a server's own, else that one in plain spelling where it has it."""
    plain = plain_code(code)
    other = plain if is_code(plain) else code
    return next((one.means for one in GRANT_READINGS if one.code == plain and plain), other)


def may_be_verdict(code: str, words: str, status: int, *, has_members: bool) -> bool:
    """Whether a refusal that says nothing of the grant may be one all the same: any 4xx.

    A page, or an empty answer, is as likely of something in front of the server: see
    `TokenError.is_foreign`. A good status refuses only with a code, a 500 only with
    `invalid_grant`; and what a server says that it has not learned (501), it will not learn soon.
    Who has been asked too often says nothing of the grant, by whatever status.
    """
    plain = plain_code(code)
    is_limited = _LIMITED.search(f"{plain}; {words}"[: 2 * MAX_WORDS]) is not None
    if plain in _NOT_OF_THE_GRANT or status in _PASSING_STATUS or is_limited:
        return False
    if status == 500:
        return plain == INVALID_GRANT
    if 200 <= status < 300:
        return code != ""
    if status == 501:
        return has_members
    return 400 <= status < 500


_OTHER_CODES = (
    *("errorCode", "error_type", "code", "type", "status", "title", "name", "Error", "ErrorCode"),
    *("error", "error_code", "errorcode"),
)
_WORDS = (
    *("error_description", "message", "msg", "detail"),
    *("errorSummary", "errorDescription", "error_message", "errmsg", "Message", "hint", "reason"),
    *("faultstring", "err", "Error"),
)
"""Members with a code, and with words, the likeliest first: of RFC 6749, RFC 9457 (`type`, `title`,
`status`, `detail`), Okta (`errorCode`, `errorSummary`), Amazon (`Message`), Laravel (`hint`),
WeChat (`errmsg`), Apigee (`faultstring`, `ErrorCode`), ClickUp (`err`), and of frameworks."""


def read_error_code(
    members: dict[str, object], is_known: Callable[[str], bool] = _is_known_code
) -> str:
    """The server's code for its error, in RFC 6749's member or in those of others.

    Members that may say something else as well count only where it is a code that `is_known`, in
    plain spelling; there it may also be the first of a list.
    """
    for place in _places_of(members):
        for name in ("error", "error_code"):
            value = place.get(name)
            if isinstance(value, str) and value:
                return value
    for place in _places_of(members):
        for name in _OTHER_CODES:
            value = _first_of(place.get(name))
            if isinstance(value, str) and is_known(plain_code(value)):
                return value
    return ""


def read_error_words(members: dict[str, object]) -> str:
    """The server's words for people, in RFC 6749's member or in those of others."""
    for place in reversed(_places_of(members)):
        for name in _WORDS:
            value = place.get(name)
            if isinstance(value, str) and value:
                return f"{_read_place(place)}{value}"
    return ""


def _read_place(place: dict[str, object]) -> str:
    """What an error of a validation is about, as pydantic has it beside its words."""
    parts = place.get("loc")
    if not isinstance(parts, list):
        return ""
    return ".".join(str(part) for part in cast("list[object]", parts)[:4]) + ": "


def _places_of(members: dict[str, object]) -> list[dict[str, object]]:
    """The answer's members, and those of an error that is an object itself, or one in a list.

    An error in a list that is a text has no other members than its words.
    """
    places = [members]
    for name in ("error", "detail", "errors", "fault", "data"):
        nested = _first_of(members.get(name))
        if isinstance(nested, dict):
            places.append(cast("dict[str, object]", nested))
        elif isinstance(nested, str) and nested is not members[name]:
            places.append({"message": nested})
    return places


def _first_of(value: object) -> object:
    """The first of a list, None of an empty one; anything else as it is."""
    return next(iter(cast("list[object]", value)), None) if isinstance(value, list) else value
