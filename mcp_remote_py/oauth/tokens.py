"""Answers of a token endpoint, read tolerantly, and the meaning of its refusals.

Pure. Servers stray from RFC 6749 §5.1 in known ways (field note 8), and each of them is understood
here, once. Must not know which grant asked, nor where tokens are kept; nor load authlib.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import Final, NamedTuple, cast

from mcp_remote_py.errors import LOGIN_COMMAND, MAX_EVIDENCE_LENGTH, SignInFailed, shorten
from mcp_remote_py.http_date import read_http_date
from mcp_remote_py.oauth.challenge import parse_challenge
from mcp_remote_py.oauth.document import (
    decode_document,
    drop_absent,
    hint_at_wait,
    name_target,
    read_retry_after,
)
from mcp_remote_py.oauth.grant_words import (
    MAX_WORDS,
    may_be_verdict,
    plain_code,
    read_error_code,
    read_error_words,
    read_plain_text,
    read_verdict,
    translate_code,
)
from mcp_remote_py.oauth.steps import Client, Credential, HttpResponse
from mcp_remote_py.oauth.token_places import MAX_NAMES_APART, find_tokens
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, scrub

BEARER, DPOP = "Bearer", "DPoP"
"""Token types, which are also schemes of `Authorization` (RFC 6750, RFC 9449 §7.1)."""

USE_NONCE, INVALID_PROOF = "use_dpop_nonce", "invalid_dpop_proof"
"""Errors of RFC 9449 §5, §7.1 and §8."""

MAX_LIFETIME = 10 * 365 * 86400.0
"""Seconds. Some servers say "never" by a number no calendar holds; this is as good, and a date."""

MAX_REFRESH_MARGIN = 60.0
"""Seconds before its expiry in which a token is renewed, for clocks that differ and slow calls."""

REFRESH_MARGIN_PART = 0.1
"""Part of the lifetime, where that is less: a token for 5 seconds is not renewed all the time."""

_DEFINITE_ERRORS = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


MAX_FORM_BYTES = 64 * 1024
"""Of an answer that is form data: 10 ms. Those who answer so have two kinds of token and a scope in
it; and each other reading of a request looks at one more."""


CLOCK_TOLERANCE = 60.0
"""Seconds. Less may be the answer's way to us, and servers allow for about as much."""

_TIMED_ERRORS = frozenset({"invalid_client", "invalid_grant", "invalid_request"})
"""Errors for a JWT whose times do not suit the server's clock; the last is RFC 8693 §2.2.2's."""

CLOCK_HINT = "Check this machine's clock."
_SKEW_HINT = "Set this machine's clock; if it is right, tell whoever runs that server."
NOTHING_LOST = "Nothing that is stored is lost"
TRY_LATER = f"{NOTHING_LOST}: try again later."
_CLIENT_HINT = "Check --static-oauth-client-info; a client we registered ourselves is replaced."

INVALID_SCOPE, INVALID_TARGET = "invalid_scope", "invalid_target"

REQUEST_HINTS = {
    INVALID_SCOPE: "Name the scopes it knows with --scope.",
    INVALID_TARGET: "Try --disable-resource-parameter, or name the resource with --resource.",
}
"""Next steps for errors that each endpoint may answer (RFC 6749 §4.1.2.1 and §5.2, RFC 8707 §2)."""

_ENTRA_CODES = {
    "AADSTS9010010": INVALID_TARGET,
    "AADSTS901002": INVALID_TARGET,
    "AADSTS650053": INVALID_SCOPE,
    "AADSTS900144": INVALID_SCOPE,
}
"""Entra's: `resource` does not fit the scopes, is not known; the scope is another's, is missing. It
says them by any error."""

_ABOUT_RESOURCE = lazy_pattern(
    r"\bresource\b(?! (?:owner|server|(?:\w+ ){0,3}?(?:be )?found))", re.IGNORECASE
)
"""Of the parameter; many a server says that what is at an address is a resource."""

_HINTS = {
    **REQUEST_HINTS,
    "invalid_grant": f"Sign in again: {LOGIN_COMMAND}.",
    "invalid_client": _CLIENT_HINT,
    "unauthorized_client": _CLIENT_HINT,
    INVALID_PROOF: CLOCK_HINT,
}

_HEADER_SAFE = lazy_pattern(r"[\x21-\x7e]+")
"""Wider than RFC 6750's b64token, as real tokens are; no blank and nothing that ends a line."""

_SCOPE_TOKEN = lazy_pattern(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749 §3.3."""

_MEMBER_NAME = lazy_pattern(r"[A-Za-z_]{1,32}")


class TokenError(SignInFailed):
    """The token endpoint gave no token now; what is stored keeps its value.

    `error` is the OAuth error code in the words of RFC 6749, "" without one; `description` what
    the server said, whole and foreign; `status` the HTTP status; `retry_after` the seconds it
    asked to wait, None without; `skew` the seconds its clock is ahead of ours, 0 where it is near
    ours, not known, or not a reason; `is_doubtful` whether it may be a verdict, for all it says;
    `is_foreign` whether it may be of something in front of the server: it has no form of OAuth's.
    `client` is us as the server was asked last, None where that is not known.
    """

    client: Client | None = None

    def __init__(
        self,
        cause: str,
        *,
        hint: str = "",
        error: str = "",
        description: str = "",
        status: int = 0,
        retry_after: float | None = None,
        skew: int = 0,
        is_doubtful: bool = False,
        is_foreign: bool = False,
    ) -> None:
        super().__init__(cause, hint=hint, retry_after=retry_after)
        self.skew: Final = skew
        self.is_doubtful: Final = is_doubtful
        self.is_foreign: Final = is_foreign
        self.error: Final = error
        self.description: Final = description
        self.status: Final = status


class GrantRefused(TokenError):
    """A definite verdict: this grant or this client will never be accepted again."""


class TokenAnswer(NamedTuple):
    """A successful answer (RFC 6749 §5.1). The access token is safe in a header.

    `scope` is None where the server named none, which means: as asked. `expires_at` is in seconds
    since the epoch, None where no lifetime is known. `token_type` is `BEARER` or `DPOP`; `client`
    is us as the server has understood us, None where that is as before.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    scope: str | None = None
    expires_at: float | None = None
    token_type: str = BEARER
    client: Client | None = None


def parse_token_answer(
    response: HttpResponse,
    now: float,
    *,
    where: str = "The token endpoint",
    secrets: Iterable[Secret] = (),
    proven: bool = False,
    timed: bool = False,
) -> TokenAnswer:
    """The tokens in `response`, whose lifetimes count from `now`.

    Errors begin with `where`; `secrets` are what was sent: a server that repeats them in its
    error does not get them shown. Nothing of the body of a success is ever shown. `proven` tells
    whether a proof of possession was sent, to whose key they may be bound; `timed` whether a JWT
    was sent, of the client or of a grant.

    Raises:
        GrantRefused: the grant or the client is refused for good.
        TokenError: the answer does not contain a token, for another reason.
    """
    members = parse_members(response.body)
    is_said = False not in (members.get("ok"), members.get("success"))
    succeeded = 200 <= response.status < 300 and is_said
    if not succeeded or members.get("error"):
        times = {INVALID_PROOF, *(_TIMED_ERRORS if timed else ())}
        raise parse_refusal(response, where=where, secrets=secrets, now=now, timed_errors=times)
    found = find_tokens(members)
    token = _trim_token(found.get("access_token"))
    if not token:
        if read_verdict(read_error_code(members), read_error_words(members), response.status):
            raise parse_refusal(response, where=where, secrets=secrets, now=now)
        kind = response.headers.get("content-type", "no content type")
        raise TokenError(
            f"{where} answered without an access token "
            f"(HTTP {response.status}, {shorten_without(kind)}, {_list_names(members)}).",
            hint="Tell whoever runs that server: this is not an answer of RFC 6749.",
            status=response.status,
        )
    if not _HEADER_SAFE.fullmatch(token):
        raise TokenError(
            f"{where} gave an access token with characters that no header can carry.",
            hint="Tell whoever runs that server.",
            status=response.status,
        )
    bound = str(found.get("token_type")).lower() == DPOP.lower()
    if bound and not proven:
        raise TokenError(
            f"{where} gave a token that is bound to a key (token_type DPoP), though we sent none.",
            hint="Its operator must allow bearer tokens for this client.",
            status=response.status,
        )
    lifetime = read_lifetime(found.get("expires_in"))
    return TokenAnswer(
        access_token=Secret(token),
        refresh_token=_read_secret(found.get("refresh_token")),
        id_token=_read_secret(found.get("id_token") or members.get("id_token")),
        scope=_read_scope(found.get("scope")),
        expires_at=None if lifetime is None else now + lifetime,
        token_type=DPOP if bound else BEARER,
    )


def needs_refresh(credential: Credential, now: float) -> bool:
    """Whether the access token has expired, or will in min(60 s, 10 % of its lifetime).

    Never without a known expiry: the server's 401 is then the only one to tell.
    """
    if credential.expires_at is None:
        return False
    lifetime = credential.expires_at - credential.obtained_at
    return now >= credential.expires_at - min(MAX_REFRESH_MARGIN, REFRESH_MARGIN_PART * lifetime)


def parse_refusal(
    response: HttpResponse,
    *,
    where: str,
    secrets: Iterable[Secret] = (),
    now: float = 0.0,
    timed_errors: Container[str] = (),
) -> TokenError:
    """The error that `response` is, in the words of RFC 6749 §5.2 or without any.

    For `timed_errors` it says how far the server's clock is from ours, which is at `now`: seconds
    since the epoch.
    """
    secrets = tuple(secrets)
    members = parse_members(response.body)
    status = response.status
    named, description = read_oauth_error(response)
    if not named:
        said = _describe_redirect(response) or _describe_body(
            response.body, members, description, secrets
        )
    else:
        said = shorten_without(named, secrets)
        if description and description != named:
            said += f', "{shorten_without(description, secrets)}"'
    verdict = read_verdict(named, description, status)
    definite, error = bool(verdict), verdict or translate_code(named)
    hint = _HINTS.get(error) if definite or error not in _DEFINITE_ERRORS else None
    if not definite:
        hint = REQUEST_HINTS.get(name_request_error(error, description), hint)
    if name_target(response):
        hint = "Tell whoever runs that server: its metadata must name the address itself."
    wait = read_retry_after(response, now)
    if wait is not None and not definite:
        hint = hint_at_wait(wait, now)
    cause = f"{where} {'refused' if definite else 'gave no token'} (HTTP {status}: {said})."
    skew = measure_skew(response, now) if error in timed_errors else 0
    if skew:
        cause += f" Its clock is {_describe_skew(skew)} this machine's."
        hint = _SKEW_HINT
    return (GrantRefused if definite else TokenError)(
        cause,
        hint=hint or TRY_LATER,
        error=error,
        description=description,
        status=status,
        retry_after=wait,
        skew=skew,
        is_doubtful=not definite
        and may_be_verdict(named, description, status, has_members=bool(members)),
        is_foreign=not members,
    )


def read_oauth_error(response: HttpResponse) -> tuple[str, str]:
    """Code and words of a refusal, each "" without one; it may be a text and nothing else."""
    members = parse_members(response.body)
    if not members:
        return read_plain_text(response.body, response.status)
    return read_error_code(members), read_error_words(members)


def name_request_error(error: str, description: str) -> str:
    """The code of `REQUEST_HINTS` that a refusal stands for, "" for none of them."""
    if meant := read_entra_code(description):
        return meant
    if error == "invalid_resource" or (
        error in ("", "invalid_request")
        and _ABOUT_RESOURCE.search(description[:MAX_WORDS]) is not None
    ):
        return INVALID_TARGET
    return error if error in REQUEST_HINTS else ""


def read_entra_code(description: str) -> str:
    """The same for one of Entra's codes, "" without one."""
    return next((meant for code, meant in _ENTRA_CODES.items() if code in description), "")


def measure_skew(response: HttpResponse, now: float) -> int:
    """Seconds the server's clock is ahead of ours, by its answer's `Date` (RFC 9110 §6.6.1).

    0 where it is within `CLOCK_TOLERANCE`, or not told.
    """
    told = read_http_date(response.headers.get("date", ""))
    ahead = 0.0 if told is None else told - now
    return round(ahead) if abs(ahead) > CLOCK_TOLERANCE else 0


def _describe_skew(skew: int) -> str:
    return f"{abs(skew)} seconds {'ahead of' if skew > 0 else 'behind'}"


def read_nonce(response: HttpResponse) -> str:
    """The nonce the refused request must be sent with again (RFC 9449 §8), "" without one."""
    challenge = parse_challenge(response.headers.get("www-authenticate", ""))
    said = (plain_code(read_oauth_error(response)[0]), challenge.dpop_error)  # §7.1 is a resource's
    is_wanted = response.status in (400, 401) and USE_NONCE in said
    return response.headers.get("dpop-nonce", "") if is_wanted else ""


def shorten_without(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The beginning of a foreign text, on one line of printable characters, without `secrets`."""
    return shorten(scrub(text[:MAX_EVIDENCE_LENGTH], secrets))


def parse_members(body: bytes) -> dict[str, object]:
    """The members of a JSON object or of form data; none where it is neither."""
    document = decode_document(body)
    if document is None:  # the name of a person, in another encoding, spoils nothing else
        document = decode_document(body.decode("utf-8", "replace").encode())
    return _read_form(body) if document is None else document


def _trim_token(value: object) -> str:
    """An access token without what is not a part of any: blanks, and the scheme it is sent with."""
    return re.sub("(?i)^(?:bearer|dpop) +", "", value.strip()) if isinstance(value, str) else ""


def _read_form(body: bytes) -> dict[str, object]:
    """GitHub answers so where nobody asks for JSON; some of its imitators always do."""
    if len(body) > MAX_FORM_BYTES or body.count(b"&") >= MAX_NAMES_APART:
        return {}
    from authlib.common.urls import url_decode

    try:
        members = dict(url_decode(body.decode("ascii").strip()))
    except ValueError:
        return {}
    # Any word is form data, and one alone may be a token: it must not become a name.
    is_answer = members.keys() & {"access_token", "error", "device_code"}
    return drop_absent(members) if is_answer else {}


def read_lifetime(value: object) -> float | None:
    """Seconds from a number or its text.

    A token that was issued this moment has not expired, so 0 and less mean "not known": believed,
    they would have it renewed before each use (L20; one tab per call was seen).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_LIFETIME) if seconds > 0 else None


def _read_secret(value: object) -> Secret | None:
    """A refresh or ID token that can be sent, or None: without it a sign-in is still one."""
    token = value.strip() if isinstance(value, str) else ""
    return Secret(token) if _HEADER_SAFE.fullmatch(token) else None


def _read_scope(value: object) -> str | None:
    """Blank-separated, from a string or a list; GitHub and Slack separate by commas."""
    if isinstance(value, list):
        value = " ".join(str(item) for item in cast("list[object]", value))
    if not isinstance(value, str):
        return None
    words = value.split() if " " in value else value.split(",")
    return " ".join(word for word in words if _SCOPE_TOKEN.fullmatch(word)) or None


def _describe_body(
    body: bytes, members: dict[str, object], description: str, secrets: tuple[Secret, ...]
) -> str:
    text = body.decode("utf-8", "replace").strip()
    if members:
        # Values are shown only of members that are meant to be read: others may be tokens.
        return f'"{shorten_without(description, secrets)}"' if description else _list_names(members)
    if not text:
        return "an empty body"
    return "a page instead of JSON" if text[0] == "<" else f'"{shorten_without(text, secrets)}"'


def _describe_redirect(response: HttpResponse) -> str:
    target = name_target(response)
    return f"it redirects to {target}, which is not followed" if target else ""


def _list_names(members: dict[str, object]) -> str:
    names = (name if _MEMBER_NAME.fullmatch(name) else "…" for name in members)
    return shorten_without(f"members: {', '.join(names) or 'none'}")
