"""The claims of a token: for people only, never for a decision about trust.

Signatures are not checked here, so anybody may have written what is read. It is good for three
things alone: to name an account, as evidence in an error, and to keep back a JWT of the person's
that says it is for somebody else (`ownership`). Only the server a token is for can judge it; to all
others it is opaque (RFC 6749 §1.4), and often it really is. Must not know where a token came from
or what is done about one that is refused; never shows a part of one.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import NamedTuple, cast

from mcp_remote_py.errors import shorten
from mcp_remote_py.oauth.document import decode_document, quote
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret, mask_url
from mcp_remote_py.time_words import describe_span

MAX_TOKEN_LENGTH = 64 * 1024
"""Characters. No server takes a header of that size: what is longer is not read as a token."""

MAX_TIME = 1e11
"""Seconds since the epoch, in some thousand years: a larger number counts something else."""

MAX_AUDIENCES = 3
"""Most audiences of a token that a sentence names."""

ACCOUNT_CLAIMS = ("email", "preferred_username", "upn", "name", "sub")
"""OpenID Connect Core §5.1, and Entra's `upn`; the first is what a person knows an account by."""

_BASE64URL = lazy_pattern(r"[A-Za-z0-9_-]+")

_MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"
"""Entra's id of Graph, for which it gives a token where it did not understand the scopes (field
note 8): no other server takes one."""

_UNNAMED_SCOPES = frozenset(
    {"openid", "profile", "email", "address", "phone", "offline_access", ".default"}
)
"""They ask for an ID token, a refresh token or all there is: access tokens need not name them."""


class Claims(NamedTuple):
    """The claims a person may ask for (RFC 7519 §4.1, RFC 9068 §2.2), all of them unverified.

    What is missing, or of a wrong type, is "", () or None. `scope` is blank-separated; times are
    seconds since the epoch.
    """

    issuer: str = ""
    audience: tuple[str, ...] = ()
    scope: str = ""
    expires_at: float | None = None
    account: str = ""
    not_before: float | None = None
    issued_at: float | None = None


def read_claims(token: Secret | None) -> Claims:
    """The claims of a JWT, its signature unchecked; empty for what is not a JWT or is encrypted."""
    members = _read_payload("" if token is None else token.reveal())
    issuer = members.get("iss")
    # Entra and Okta write `scp`: the one a string, the other a list.
    scopes = _read_texts(members.get("scope")) or _read_texts(members.get("scp"))
    return Claims(
        issuer=issuer if isinstance(issuer, str) else "",
        audience=_read_texts(members.get("aud")),
        scope=" ".join(" ".join(scopes).split()),
        expires_at=_read_time(members.get("exp")),
        account=_read_account(members),
        not_before=_read_time(members.get("nbf")),
        issued_at=_read_time(members.get("iat")),
    )


def account_of(credential: Credential) -> str:
    """The account in the ID token, else in the access token; "" where neither names one."""
    return read_claims(credential.id_token).account or read_claims(credential.access_token).account


def explain_mismatch(token: Secret, *, issuer: str, resource: str, scope: str, now: float) -> str:
    """Says how the claims of a refused token differ from what was wanted, on one line.

    `issuer` and `resource` are those of the metadata, `scope` what was asked for, each "" where
    there is none. It is evidence, not a verdict: a server may well accept what differs here.
    """
    claims = read_claims(token)
    if claims == Claims():
        return "The token is opaque: what it is for cannot be seen from here."
    differences = {
        "aud": _compare_audience(claims.audience, resource),
        "iss": _compare_issuer(claims.issuer, issuer),
        "scope": _compare_scope(claims.scope, scope),
        "exp": _compare_expiry(claims.expires_at, now),
    }
    found = [difference for difference in differences.values() if difference]
    if found:
        return f"The token {'. It '.join(found)}."
    compared = [name for name, difference in differences.items() if difference is not None]
    if compared:
        names = ", ".join(compared)
        return f"The token's claims ({names}) are as expected: the reason cannot be seen from here."
    return "The token says nothing of itself that could be compared."


def describe_jwt(jwt: Secret, now: float) -> str:
    """Says who issued a JWT, for whom, and until when it is good, as the rest of a sentence.

    "" where it says none of it.
    """
    claims = read_claims(jwt)
    parts: list[str] = []
    if claims.issuer:
        parts.append(f"was issued by {_show(claims.issuer)} (iss)")
    if claims.audience:
        parts.append(f"is for {name_audience(claims.audience)} (aud)")
    if claims.expires_at is not None:
        left = claims.expires_at - now
        good = f"is good for another {describe_span(max(1, left))}" if left > 0 else ""
        parts.append(good or f"expired {describe_span(max(1, -left))} ago by this machine's clock")
    if len(parts) > 1:
        parts[-1] = f"and {parts[-1]}"
    return ", ".join(parts) if len(parts) > 2 else " ".join(parts)


# Comparing: how it differs, as the rest of a sentence; "" where it does not, None where one side
# is not known.


def _compare_audience(audience: tuple[str, ...], resource: str) -> str | None:
    if not resource:
        return None
    if resource in audience:
        return ""
    shown = _show(mask_url(resource))
    if not audience:
        return f"does not name an audience (aud); the resource is {shown}"
    named = name_audience(audience)
    if _MICROSOFT_GRAPH in audience:
        return f"is for {named} (aud: Microsoft Graph), the resource is {shown}"
    if not any(map(_is_url, audience)):
        # Entra names applications by id, others by whatever was typed into a form.
        return f"is for {named} (aud), which may be another name of the resource, {shown}"
    differs = any(_differ_in_slash(name, resource) for name in audience)
    return f"is for {named} (aud), the resource is {shown}{_SLASH if differs else ''}"


def _compare_issuer(claimed: str, issuer: str) -> str | None:
    if not claimed or not issuer:
        return None
    if _is_of(claimed, issuer):
        return ""
    slash = _SLASH if _differ_in_slash(claimed, issuer) else ""
    return f"was issued by {_show(claimed)} (iss), not by {_show(issuer)}{slash}"


def _is_of(claimed: str, issuer: str) -> bool:
    """Whether it is the same, but for one gap in the issuer.

    The metadata of Entra's "common" has it where a token names the tenant. By a pattern, many gaps
    would be tried in as many ways as there are.
    """
    before, gap, after = issuer.partition("{tenantid}")
    if not gap:
        return claimed == issuer
    tenant = claimed[len(before) : len(claimed) - len(after)]
    return claimed == f"{before}{tenant}{after}" and bool(tenant) and "/" not in tenant


def _compare_scope(claimed: str, scope: str) -> str | None:
    # Entra is asked for `api://application/name` and grants `name`.
    names = {wanted: wanted.rpartition("/")[2] for wanted in scope.split()}
    granted = frozenset(claimed.split())
    wanted = [name for name, short in names.items() if short not in _UNNAMED_SCOPES]
    if not wanted:
        return None
    missing = " ".join(name for name in wanted if not granted & {name, names[name]})
    if not missing:
        return ""
    if not granted:
        return f"does not name any scopes, and {shorten(missing)} was asked for"
    return f"has the scopes {shorten(claimed)}, not {shorten(missing)}"


def _compare_expiry(expires_at: float | None, now: float) -> str | None:
    if expires_at is None:
        return None
    late = now - expires_at
    if late < 1:
        return ""
    return f"expired {describe_span(late)} ago by this machine's clock"


def name_audience(audience: tuple[str, ...]) -> str:
    """The first of them, for a sentence."""
    names = [_show(mask_url(name) if _is_url(name) else name) for name in audience[:MAX_AUDIENCES]]
    if len(audience) > MAX_AUDIENCES:
        names.append(f"{len(audience) - MAX_AUDIENCES} more")
    return " and ".join(names)


_SLASH = ", and only the slash at the end differs"


def _differ_in_slash(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _is_url(name: str) -> bool:
    return name.startswith(("https://", "http://"))


def _show(text: str) -> str:
    """A foreign text; in quotation marks where it could pass for words of ours."""
    return quote(text) if re.search(r"[^!-~]", text) else shorten(text)


# Reading --------------------------------------------------------------------------------------


def _read_payload(token: str) -> Mapping[str, object]:
    """The members of a JWS payload (RFC 7515 §7.1); a JWE has five parts and tells nothing."""
    parts = token.split(".") if len(token) <= MAX_TOKEN_LENGTH else []
    if len(parts) != 3 or not _BASE64URL.fullmatch(parts[1]):
        return {}
    try:
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except ValueError:  # one character more than a multiple of four
        return {}
    return decode_document(payload) or {}


def _read_texts(value: object) -> tuple[str, ...]:
    """A claim that is a string or a list of them."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str) and text)


def _read_time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_TIME else None


def _read_account(members: Mapping[str, object]) -> str:
    values = (members.get(name) for name in ACCOUNT_CLAIMS)
    texts = (value for value in values if isinstance(value, str) and value.isprintable())
    return next((short for text in texts if (short := shorten(text))), "")
