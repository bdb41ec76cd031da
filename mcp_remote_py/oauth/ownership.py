"""The owner of a secret, and so whom it may be sent to: one rule for every kind and every path.

A secret belongs to an issuer that a person named. They name one by `issuer` in
--static-oauth-client-info, which then is the only one; else by --trusted-issuer; by
--token-endpoint, which names that very address; or by the `aud` of a JWT of theirs. An MCP server
cannot name one, also where it signs people in itself: its address was typed for messages, not for a
secret of somebody else. Nor does a document name its issuer by saying so. The issuer is who
published it, at its own well-known place (RFC 8414 §3.3); what belongs to an issuer goes where its
own document says.

What a server gave us itself - a registration, a refresh token - belongs to the endpoints of the
document it came with. Pure: must not know how documents are found, nor how anything is sent.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from mcp_remote_py.errors import SignInFailed, shorten
from mcp_remote_py.oauth.claims import name_audience
from mcp_remote_py.oauth.document import decode_document, quote
from mcp_remote_py.oauth.steps import Credential
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import mask_url
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import IdentityProvider, Unattended, WorkloadJwt
from mcp_remote_py.url import InvalidUrl, parse_url

_ISSUER = lazy_pattern(r"https?://[A-Za-z0-9._~:/%@+=,{}\[\]-]+")
"""No query or fragment (RFC 8414 §2), and nothing that ends a quoted word: a hint repeats it."""

_CLIENT_INFO = "--static-oauth-client-info"


class SecretKind(Enum):
    """A kind of secret that a sign-in would send."""

    CLIENT = "client"
    """A client registered by hand, with a secret or bound to an issuer."""
    KEY = "key"
    """A proof by the client's private key, which can be shown on to whom it was made out to."""
    JWT = "JWT"
    """A workload's, which is good at its audience for whoever has it."""
    GRANT = "grant"
    """An identity provider's, which was asked for this issuer."""


class Belonging(NamedTuple):
    """Something of the person's; `name` is how a sentence about it begins.

    `audience` is what a JWT says itself, None where it is not a JWT or was not read yet.
    """

    kind: SecretKind
    name: str
    audience: tuple[str, ...] | None = None


class Named(NamedTuple):
    """The issuers and the endpoint that the person named by their options."""

    issuers: tuple[str, ...] = ()
    token_endpoint: str = ""
    of_client: bool = False
    """Whether the issuer is the client's: then the client is for that issuer only."""

    def includes(self, issuer: str) -> bool:
        """Whether this issuer is one of them."""
        return any(is_same_issuer(issuer, name) for name in self.issuers)


class Place(NamedTuple):
    """The server that a secret would be sent to; `published_by` is "" where it is not known."""

    issuer: str
    published_by: str
    token_endpoint: str

    @property
    def is_own(self) -> bool:
        """Whether the issuer itself says that these are its endpoints."""
        return is_same_issuer(self.issuer, self.published_by)


# What a person said --------------------------------------------------------------------------


def is_issuer(text: str) -> bool:
    """Whether this can be an issuer's name (RFC 8414 §2)."""
    return _ISSUER.fullmatch(text) is not None


def trust_option(issuer: str) -> str:
    """The option that names it, as a shell wants it: braces, brackets and ~ are in `is_issuer`."""
    return f"--trusted-issuer {shlex.quote(issuer)}"


def is_same_issuer(one: str, other: str) -> bool:
    """Compared as strings (RFC 8414 §3.3), but for one final slash.

    §3.1 removes it before the well-known URL is made, so both spellings lead to the same document
    and nobody else could publish it. Frameworks that normalise URLs write `https://example.com/`
    for what the server itself calls `https://example.com`.
    """
    return one.removesuffix("/") == other.removesuffix("/")


def explain_iss(iss: str, issuer: str) -> SignInFailed:
    """The error for the name of another issuer; it is shown where it is that one's own, misspelled.

    It is refused all the same. The slash that `is_same_issuer` forgives is that of two documents,
    which lie at one place; here nothing but these letters says who has answered (RFC 9207 §2.4).
    """
    difference = _find_difference(iss, issuer)
    if not difference or not is_issuer(iss):
        return SignInFailed(
            f"The answer of the sign-in comes from another server than {shorten(issuer)} "
            "(iss does not match).",
            hint="If you know that both are the same, name the other with --trusted-issuer.",
        )
    return SignInFailed(
        f"The answer of the sign-in comes from {shorten(iss)}, and the metadata are of "
        f"{shorten(issuer)} (iss does not match): they differ {difference}.",
        hint=f"If both are the same server, add {trust_option(iss)} to the options, and tell "
        "whoever runs it.",
    )


def _find_difference(iss: str, issuer: str) -> str:
    """How two names of one place differ, in words; "" for names of two."""
    if is_same_issuer(iss, issuer):
        return "by a slash at the end"
    try:
        one, other = parse_url(iss), parse_url(issuer)
    except InvalidUrl:
        return ""
    if one == other:
        return "in how the host is written"
    as_other = one.replace(scheme=other.scheme, port=other.port)
    is_plain = (one.scheme, other.scheme) == ("http", "https") and one.port in (80, other.port)
    return "by http for https" if as_other == other and is_plain else ""


def named_by(settings: SignInSettings) -> Named:
    """The issuers and the endpoint that these options name."""
    issuer = _read_client(settings).get("issuer")
    if isinstance(issuer, str) and issuer:
        return Named((issuer,), settings.token_endpoint, of_client=True)
    return Named(settings.trusted_issuers, settings.token_endpoint)


def belongings_of(
    settings: SignInSettings, audience: tuple[str, ...] | None = None
) -> tuple[Belonging, ...]:
    """All that a sign-in by these settings would send; `audience` is that of the workload's JWT."""
    members, how = _read_client(settings), settings.unattended
    belongings: list[Belonging] = []
    if members.get("client_secret") or members.get("issuer"):
        belongings.append(Belonging(SecretKind.CLIENT, f"The client_secret of {_CLIENT_INFO}"))
    if how is not None and how.key is not None:
        belongings.append(Belonging(SecretKind.KEY, "A proof by --private-key"))
    assertion = None if how is None else assertion_of(how)
    if assertion is not None:
        # The provider's is judged when it is there: nobody knows its audience before.
        is_known = assertion.kind is SecretKind.JWT
        belongings.append(assertion._replace(audience=audience) if is_known else assertion)
    return tuple(belongings)


def assertion_of(how: Unattended) -> Belonging | None:
    """The JWT that is the grant of such a sign-in, before it is read; None where it has none."""
    match how.grant:
        case WorkloadJwt(file):
            return Belonging(SecretKind.JWT, f"The JWT of --jwt-bearer {file}")
        case IdentityProvider():
            return Belonging(SecretKind.GRANT, "The grant of the identity provider")
        case _:
            return None


def _read_client(settings: SignInSettings) -> dict[str, object]:
    text = settings.static_client
    return {} if text is None else decode_document(text.reveal().encode("utf-8", "replace")) or {}


# The rule ------------------------------------------------------------------------------------


def may_have(place: Place, belonging: Belonging, named: Named) -> bool:
    """Whether `belonging` may be sent to `place`."""
    is_named = named.includes(place.published_by)
    if named.token_endpoint:
        is_named = place.token_endpoint == named.token_endpoint
        if not is_named:
            return False
    if belonging.kind in (SecretKind.CLIENT, SecretKind.KEY):
        return is_named
    audience = belonging.audience
    if audience is None:  # it is judged once more, when it is known
        return is_named or place.is_own
    if any(is_same_issuer(place.token_endpoint, name) for name in audience):
        return True
    if belonging.kind is SecretKind.GRANT:
        # Naming the issuer does not make good for a grant that was asked for it, and is another's.
        is_for_it = any(is_same_issuer(place.issuer, name) for name in audience)
        return (is_named or place.is_own) if is_for_it else is_named and not audience
    # Whoever names the issuer vouches for it: platforms have audiences of their own
    # (api://AzureADTokenExchange), which the server knows and nobody else can compare.
    return is_named or any(is_same_issuer(place.published_by, name) for name in audience)


def check_owner(place: Place, belongings: Iterable[Belonging], named: Named) -> None:
    """Sees to it that each of these may be sent there.

    Raises:
        SignInFailed: one may not; what to add if it should.
    """
    for belonging in belongings:
        if not may_have(place, belonging, named):
            raise _explain(place, belonging, named)


def must_ask_itself(place: Place, named: Named) -> bool:
    """Whether somebody else published metadata in the name of an issuer that the person named.

    What belongs to that issuer then goes where it says itself, or nowhere.
    """
    return (
        not place.is_own and not named.includes(place.published_by) and named.includes(place.issuer)
    )


def explain_silence(place: Place, named: Named, problem: SignInFailed) -> SignInFailed:
    """The error where that issuer does not publish its endpoints itself."""
    publisher = quote(place.published_by)
    if named.of_client:
        hint = f"Correct the issuer of the client if it is registered at {publisher}."
    else:
        hint = _offer(place.published_by, f"If {publisher} may have it, add ")
    return SignInFailed(
        f"{publisher} publishes for the issuer {quote(place.issuer)}. Only that issuer's own "
        f"metadata say where your secret may go: {problem.cause}",
        hint=hint,
    )


def is_wanted(issuer: str, belongings: Iterable[Belonging], named: Named) -> bool:
    """Whether this is one of those that the person named: of several it comes first."""
    audiences = [name for belonging in belongings for name in belonging.audience or ()]
    return named.includes(issuer) or any(is_same_issuer(issuer, name) for name in audiences)


def _explain(place: Place, belonging: Belonging, named: Named) -> SignInFailed:
    issuer, name, audience = place.published_by or place.issuer, belonging.name, belonging.audience
    if belonging.kind is SecretKind.GRANT and audience is not None:
        return SignInFailed(
            f"{name} {_say_audience(audience)}, and was asked for {quote(place.issuer)}: it is not "
            "sent there.",
            hint="Whoever runs the identity provider must have its grants made out to "
            f"{quote(place.issuer)}.",
        )
    if audience is not None:
        endpoint = mask_url(place.token_endpoint)
        return SignInFailed(
            f"{name} {_say_audience(audience)}: it is not sent to {quote(issuer)}, the "
            "authorization server that the MCP server named.",
            hint=f"Have it written for that issuer or its token endpoint {endpoint}. "
            + _offer(issuer, "If it is to go there as it is, add "),
        )
    if named.of_client:
        return SignInFailed(
            f"The client of {_CLIENT_INFO} belongs to {quote(named.issuers[0])} (its issuer), and "
            f"the MCP server named {quote(issuer)}: it is not used there.",
            hint="If the client is registered there, correct its issuer; else tell whoever runs "
            "the MCP server.",
        )
    member = f'"issuer": "{issuer}" to {_CLIENT_INFO}'
    return SignInFailed(
        f"{name} is not sent to {quote(issuer)}: the MCP server named that authorization server, "
        "and you did not.",
        hint=_offer(issuer, f"If the client is registered there, add {member}, or "),
    )


def _offer(issuer: str, beginning: str) -> str:
    """A hint with the option to add, in a form that can be copied into a shell."""
    if not is_issuer(issuer):
        return "That is not the name of an issuer: tell whoever runs the MCP server."
    return f"{beginning}{trust_option(issuer)} to the options."


def _say_audience(audience: tuple[str, ...]) -> str:
    if not audience:
        return "does not say for whom it is (aud)"
    return f"is for {name_audience(audience)} (aud)"


# What is stored ------------------------------------------------------------------------------


def place_of(credential: Credential) -> Place:
    """The server at which a stored sign-in is renewed.

    Records of 0.1.0 do not say who published their endpoints: those at the issuer's own origin are
    taken for the issuer's.
    """
    published_by = credential.published_by
    if not published_by and _are_together(credential.issuer, credential.token_endpoint):
        published_by = credential.issuer
    return Place(credential.issuer, published_by, credential.token_endpoint)


def may_renew(credential: Credential, settings: SignInSettings) -> bool:
    """Whether all it takes to renew this sign-in may still go to where it is renewed."""
    try:
        check_still(credential, settings)
    except SignInFailed:
        return False
    return True


def check_still(credential: Credential, settings: SignInSettings) -> None:
    """Sees to it that what goes on here, and was begun by a process of its own, still may.

    Options change between two starts; a client that we registered is not the person's.

    Raises:
        SignInFailed: see `check_owner`.
    """
    if credential.client.origin == "static":
        check_owner(place_of(credential), belongings_of(settings), named_by(settings))


def may_revoke(credential: Credential) -> bool:
    """Whether its tokens may go to its revocation endpoint, which they were not given by.

    That is so at the origin that gave them; and elsewhere where this is the origin of the issuer
    that says so, and so may say it. Anybody can write a document about the endpoints of others.
    """
    place = place_of(credential)
    return any(
        _are_together(url, credential.token_endpoint)
        for url in (credential.revocation_endpoint, place.published_by)
    )


def _are_together(one: str, other: str) -> bool:
    """Whether two URLs are of one origin (RFC 6454 §4)."""
    try:
        first, second = map(parse_url, (one, other))
    except InvalidUrl:
        return False
    return first.origin == second.origin


def is_registered_with(stored: Credential, issuer: str, endpoints: tuple[str, ...]) -> bool:
    """Whether what is stored came with a document of this issuer that had these endpoints.

    A stored client, and its secret, is used with those it was stored with and no others, whoever
    publishes them now. Records of 0.1.0 know two of them.
    """
    if stored.issuer != issuer:
        return False
    if stored.endpoints:
        return stored.endpoints == endpoints
    _, token, _, revocation, device = endpoints
    return (stored.token_endpoint, stored.revocation_endpoint) == (token, revocation) and (
        not device or _are_together(device, token)
    )
